//! Databases of browsers: told apart by the tables that are there, read table by table, row by row. What a
//! version does not have is left out of the question. What each product's tables mean stands in its own file.

use super::epoch::Epoch;
use super::row::{MAX_PIECE, Role, Row};
use super::sqlite::{Snapshot, Unreadable, reason};
use super::{chromium, firefox, quarantine, safari};
use crate::finding::Position;
use crate::format::Catalogue;
use crate::format::document::{Read, Visit};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A kind of database.
#[derive(Debug)]
pub struct Product {
    /// Id of its format.
    pub format: &'static str,
    /// Tables that are always there.
    pub marks: &'static [&'static str],
    /// What is read of it, in order.
    pub tables: &'static [Table],
}

/// One question to a database. Columns are written `alias.column`.
#[derive(Debug)]
pub struct Table {
    /// Id of the records' format.
    pub format: &'static str,
    /// Each alias and the table that it stands for; all of them have to be there.
    pub aliases: &'static [(&'static str, &'static str)],
    /// What stands after `FROM`.
    pub from: &'static str,
    /// The column that says which row a record is.
    pub row: &'static str,
    /// The record's time, and how it counts.
    pub time: Option<(&'static str, Epoch)>,
    /// Where the times of a row's visits stand in another table: the first of them, and the last for when there is no
    /// such column here.
    pub latest: Option<Latest>,
    /// What is looked at.
    pub columns: &'static [(Role, &'static str)],
    /// What stands after `WHERE`, and the columns that it needs.
    pub filter: Option<(&'static str, &'static [&'static str])>,
}

/// The times that another table has for a row.
#[derive(Debug)]
pub struct Latest {
    /// That table.
    pub table: &'static str,
    /// Its column with the row.
    pub key: &'static str,
    /// Its column with the time.
    pub time: &'static str,
    /// How it counts.
    pub epoch: Epoch,
}

/// What a table is when nothing else is said.
pub const TABLE: Table = Table {
    format: "",
    aliases: &[],
    from: "",
    row: "",
    time: None,
    latest: None,
    columns: &[],
    filter: None,
};

const PRODUCTS: [&Product; 10] = [
    &chromium::HISTORY,
    &firefox::PLACES,
    &firefox::FAVICONS,
    &safari::HISTORY,
    &quarantine::EVENTS,
    &chromium::FAVICONS,
    &chromium::TOP_SITES,
    &chromium::THUMBNAILS,
    &chromium::SHORTCUTS,
    &chromium::PREDICTOR,
];

/// Which columns each table has.
type Schema = BTreeMap<String, BTreeSet<String>>;

/// Receives rows: number, index of the format, what is in it.
pub type Each<'e> = dyn FnMut(i64, u16, &Row) + 'e;

/// What a database was found to be, and what came of reading it.
#[derive(Debug)]
pub struct Database {
    /// Index of its format.
    pub format: u16,
    /// What was read.
    pub read: Read,
}

/// Reads the database at `path`, which is not touched. `None` where it is a database of no known kind.
pub fn read(path: &Path, catalogue: &Catalogue, visit: &mut Visit) -> Result<Option<Database>, Unreadable> {
    rows(path, catalogue, &mut |number, format, row| {
        row.give(Position::Row(number), format, visit);
    })
}

/// The same, giving each row as it stands: its number, the index of its format, what is in it.
pub fn rows(path: &Path, catalogue: &Catalogue, each: &mut Each) -> Result<Option<Database>, Unreadable> {
    let snapshot = Snapshot::take(path)?;
    let connection = &snapshot.connection;
    let schema = schema(connection).map_err(|e| Unreadable::Damaged(reason(&e)))?;
    let fits = |p: &&&Product| p.marks.iter().all(|m| schema.contains_key(*m));
    let Some(product) = PRODUCTS.iter().find(fits) else {
        return Ok(None);
    };
    let mut read = Read::default();
    let mut row = Row::default();
    for table in product.tables {
        one(connection, &schema, table, catalogue, &mut row, &mut read, each);
    }
    if snapshot.cut && read.problem.is_none() {
        read.problem = Some(
            "the database ends in the middle of a page: what stood behind is missing; scan an older copy, or recover it with \
             `sqlite3 FILE .recover`"
                .into(),
        );
    }
    if snapshot.changed && read.problem.is_none() {
        read.problem = Some(
            "the database was being written to all the while; the newest rows may be missing: close the browser and scan again"
                .into(),
        );
    }
    Ok(catalogue
        .index(product.format)
        .map(|format| Database { format, read }))
}

/// The columns of all ordinary tables. Views and virtual tables, whose rows are computed by what the database
/// itself says, are no tables to us; neither are computed columns.
fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut out = Schema::new();
    let mut tables = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' LIMIT 10000",
    )?;
    let names = tables
        .query_map([], |r| r.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    for name in names {
        let found = columns
            .query_map([&name], |r| r.get::<_, String>(0))?
            .map(|c| c.map(|c| c.to_ascii_lowercase()))
            .collect::<rusqlite::Result<_>>()?;
        out.insert(name.to_ascii_lowercase(), found);
    }
    Ok(out)
}

impl Table {
    fn has(&self, schema: &Schema, column: &str) -> bool {
        let Some((alias, name)) = column.split_once('.') else {
            return false;
        };
        self.aliases
            .iter()
            .filter(|(a, _)| *a == alias)
            .any(|(_, table)| has(schema, table, name))
    }

    /// The question for the columns that are there. `None` where nothing is there.
    fn question(&self, schema: &Schema, from_row: Option<i64>) -> Option<Question> {
        if !self.aliases.iter().all(|(_, table)| schema.contains_key(*table)) {
            return None;
        }
        let columns: Vec<_> = self.columns.iter().filter(|c| self.has(schema, c.1)).collect();
        if columns.is_empty() {
            return None;
        }
        let main = self.aliases.first()?.0;
        let row = match self.has(schema, self.row) {
            true => self.row.to_string(),
            false => format!("{main}.rowid"),
        };
        let own = self.time.filter(|(column, _)| self.has(schema, column));
        // What is damaged is read without a second table, whose damage would hide what is whole.
        let latest = self
            .latest
            .as_ref()
            .filter(|_| from_row.is_none())
            .filter(|l| has(schema, l.table, l.key) && has(schema, l.table, l.time));
        let join = latest.map_or(String::new(), |l| {
            format!(
                " LEFT JOIN (SELECT {} AS k, max({2}) AS t, min({2}) AS f FROM {1} GROUP BY 1) AS latest ON latest.k = {row}",
                l.key, l.table, l.time
            )
        });
        let first = latest.map(|l| ("latest.f", l.epoch));
        let time = own.or(latest.map(|l| ("latest.t", l.epoch)));
        let list: Vec<&str> = columns.iter().map(|c| c.1).collect();
        let filter = self
            .filter
            .filter(|(_, needs)| {
                needs.iter().all(|n| match n.split_once('.') {
                    Some((table, column)) => self.has(schema, n) || has(schema, table, column),
                    None => false,
                })
            })
            .map(|f| f.0);
        let after = from_row.map(|n| format!("{main}.rowid > {n}"));
        let conditions: Vec<&str> = filter.into_iter().chain(after.as_deref()).collect();
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let sql = format!(
            "SELECT {row}, {}, {}, {main}.rowid, {} FROM {}{join}{filter} ORDER BY {main}.rowid",
            time.map_or("NULL", |t| t.0),
            first.map_or("NULL", |t| t.0),
            list.join(", "),
            self.from
        );
        Some(Question {
            sql,
            roles: columns.iter().map(|c| c.0).collect(),
            time: time.map_or(Epoch::Any, |t| t.1),
            first: first.map_or(Epoch::Any, |t| t.1),
        })
    }
}

/// What is asked: the row, its time and the first of its times, the row's own number, and what is looked at.
struct Question {
    sql: String,
    roles: Vec<Role>,
    time: Epoch,
    first: Epoch,
}

fn has(schema: &Schema, table: &str, column: &str) -> bool {
    schema
        .get(table)
        .is_some_and(|columns| columns.contains(&column.to_ascii_lowercase()))
}

/// Reads one table to its end, or to where it is damaged.
fn one(
    connection: &Connection,
    schema: &Schema,
    table: &Table,
    catalogue: &Catalogue,
    row: &mut Row,
    read: &mut Read,
    each: &mut Each,
) {
    let format = catalogue.index(table.format).unwrap_or_default();
    let mut last = i64::MIN;
    let mut cut = 0u64;
    let mut ask = |from_row: Option<i64>, last: &mut i64, read: &mut Read| -> rusqlite::Result<()> {
        let Some(question) = table.question(schema, from_row) else {
            return Ok(());
        };
        let mut statement = connection.prepare(&question.sql)?;
        let mut rows = statement.query([])?;
        while let Some(found) = rows.next()? {
            row.clear();
            *last = integer(found.get_ref(3)?).unwrap_or(*last);
            let number = integer(found.get_ref(0)?).unwrap_or(*last);
            row.instant = instant(question.time, found.get_ref(1)?);
            row.first = instant(question.first, found.get_ref(2)?);
            for (n, role) in question.roles.iter().enumerate() {
                if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = found.get_ref(n + 4)? {
                    cut += u64::from(bytes.len() > MAX_PIECE);
                    row.push(*role, bytes);
                }
            }
            read.records += 1;
            each(number, format, row);
        }
        Ok(())
    };
    let mut result = ask(None, &mut last, read);
    if result.is_err() && table.latest.is_some() {
        result = ask(Some(last), &mut last, read).and(result);
    }
    if let Err(e) = result {
        let name = table.aliases.first().map_or("", |a| a.1);
        read.problem.get_or_insert_with(|| {
            format!(
                "the database is damaged in the table {name} ({}); the rows before it were read: recover the rest with `sqlite3 FILE .recover`",
                reason(&e)
            )
        });
    } else if cut > 0 {
        read.problem.get_or_insert_with(|| {
            format!("{cut} values of more than 1 MiB were read to that length only; export the history and scan that")
        });
    }
}

fn integer(value: ValueRef) -> Option<i64> {
    match value {
        ValueRef::Integer(n) => Some(n),
        _ => None,
    }
}

fn instant(epoch: Epoch, value: ValueRef) -> Option<crate::time::Instant> {
    match value {
        ValueRef::Integer(n) => epoch.integer(n),
        ValueRef::Real(n) => epoch.real(n),
        ValueRef::Text(bytes) => epoch.text(bytes),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::row::tests::{Seen, collect, texts};
    use crate::record::Field;
    use std::fs;
    use std::path::PathBuf;

    fn make(sql: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        (dir, path)
    }

    fn scan(path: &Path) -> (&'static str, Read, Vec<Seen>) {
        let catalogue = Catalogue::builtin().unwrap();
        let mut database = None;
        let seen = collect(|v| database = super::read(path, &catalogue, v).unwrap());
        let database = database.unwrap();
        let id = catalogue.get(database.format).spec.id.clone();
        (id.leak(), database.read, seen)
    }

    /// Every file of a folder and what is in it.
    fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        files.map(|f| (f.clone(), fs::read(f).unwrap())).collect()
    }

    const OLD_URLS: &str = "CREATE TABLE urls(id INTEGER PRIMARY KEY, url TEXT);
        CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER);
        INSERT INTO urls VALUES(7, 'https://h/#access_token=x'); INSERT INTO urls VALUES(9, 'javascript:a%28%29');
        INSERT INTO visits VALUES(1, 7, 13411699100000000), (2, 7, 13411699200000000);";

    #[test]
    fn what_a_version_does_not_have_is_not_asked_for() {
        let (_dir, path) = make(OLD_URLS);
        let (format, read, seen) = scan(&path);
        assert_eq!(
            (format, read.records, read.problem),
            ("chromium-history", 2, None)
        );
        assert_eq!(seen[0].0, Position::Row(7));
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(seen[0].2[0].0, Field::Url);
        assert_eq!(texts(&seen), ["https://h/#access_token=x", "javascript:a()"]);
    }

    #[test]
    fn chains_of_downloads_and_referrers_of_visits_are_read() {
        let (_dir, path) = make(
            "CREATE TABLE urls(id INTEGER PRIMARY KEY, url TEXT, title TEXT, last_visit_time INTEGER);
             CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER, external_referrer_url TEXT);
             CREATE TABLE downloads(id INTEGER PRIMARY KEY, start_time INTEGER, referrer TEXT, tab_url TEXT);
             CREATE TABLE downloads_url_chains(id INTEGER, chain_index INTEGER, url TEXT, PRIMARY KEY(id, chain_index));
             CREATE TABLE keyword_search_terms(keyword_id INTEGER, url_id INTEGER, term TEXT);
             INSERT INTO urls VALUES(1, 'https://u/', 'T', 13411699200000000);
             INSERT INTO visits VALUES(1, 1, 13411699200000000, 'https://r/'), (2, 1, 0, '');
             INSERT INTO downloads VALUES(5, 1767225600, 'https://dr/', 'https://tab/');
             INSERT INTO downloads_url_chains VALUES(5, 0, 'https://c0/'), (5, 1, 'https://c1/');
             INSERT INTO keyword_search_terms VALUES(2, 1, 'words');",
        );
        let (_, read, seen) = scan(&path);
        assert_eq!(read.problem, None);
        let all: Vec<(Position, bool, Field, &str)> = seen
            .iter()
            .flat_map(|s| s.2.iter().map(|c| (s.0, s.1.is_some(), c.0, &*c.1)))
            .collect();
        assert_eq!(
            all,
            [
                (Position::Row(1), true, Field::Url, "https://u/"),
                (Position::Row(1), true, Field::Title, "T"),
                (Position::Row(1), true, Field::Referer, "https://r/"),
                (Position::Row(1), false, Field::Text, "words"),
                (Position::Row(5), true, Field::Url, "https://tab/"),
                (Position::Row(5), true, Field::Referer, "https://dr/"),
                (Position::Row(5), true, Field::Url, "https://c0/"),
                (Position::Row(5), true, Field::Location, "https://c1/"),
            ]
        );
    }

    #[test]
    fn a_log_that_is_not_taken_in_is_seen_and_nothing_beside_it_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("places.sqlite");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA locking_mode = EXCLUSIVE;
                 CREATE TABLE moz_places(id INTEGER PRIMARY KEY, url TEXT, title TEXT, last_visit_date INTEGER);
                 CREATE TABLE moz_bookmarks(id INTEGER PRIMARY KEY, fk INTEGER, title TEXT, dateAdded INTEGER);
                 INSERT INTO moz_places VALUES(1, 'https://visited/', NULL, 1767225600000000), (2, 'https://kept/', NULL, NULL);
                 INSERT INTO moz_bookmarks VALUES(1, NULL, 'folder', 0), (2, 2, 'kept', 1767225600000000);
                 BEGIN EXCLUSIVE; INSERT INTO moz_places VALUES(3, 'https://not-committed/', NULL, 1);",
            )
            .unwrap();
        let before = contents(dir.path());
        assert!(before[&dir.path().join("places.sqlite-wal")].len() > 4096);
        let (format, read, seen) = scan(&path);
        assert_eq!(contents(dir.path()), before);
        assert_eq!((format, read.problem), ("firefox-places", None));
        assert_eq!(texts(&seen), ["https://visited/", "https://kept/", "kept"]);
        assert!(
            seen.iter()
                .all(|s| s.1.as_deref() == Some("2026-01-01T00:00:00Z"))
        );
        drop(writer);
    }

    #[test]
    fn a_transaction_that_is_being_written_is_undone() {
        let (dir, path) = make(OLD_URLS);
        let writer = Connection::open(&path).unwrap();
        // The cache is too small for it, so that the file itself is written to before the commit.
        writer
            .execute_batch(
                "PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN IMMEDIATE;
                 WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                 INSERT INTO urls SELECT i, 'https://not-committed/' || i FROM n;",
            )
            .unwrap();
        let before = contents(dir.path());
        assert!(before[&path].len() > 20_000);
        let (_, read, seen) = scan(&path);
        assert_eq!((read.problem, seen.len()), (None, 2));
        assert_eq!(contents(dir.path()), before);
    }

    #[test]
    fn rows_before_a_damaged_page_are_kept_and_other_tables_still_read() {
        let (_dir, path) = make(
            "PRAGMA page_size = 1024;
             CREATE TABLE history_visits(id INTEGER PRIMARY KEY, history_item INTEGER, visit_time REAL, title TEXT);
             CREATE TABLE history_items(id INTEGER PRIMARY KEY, url TEXT);
             CREATE TABLE history_tombstones(id INTEGER PRIMARY KEY, url TEXT, end_time REAL);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             INSERT INTO history_items SELECT i, 'https://h/' || i || '/' || hex(zeroblob(40)) FROM n;
             INSERT INTO history_tombstones VALUES(1, 'https://gone/', 788918400.25);",
        );
        let mut bytes = fs::read(&path).unwrap();
        let at = memchr::memmem::find(&bytes, b"https://h/150/").unwrap() / 1024 * 1024;
        bytes[at..at + 512].fill(0xFF);
        fs::write(&path, bytes).unwrap();
        let (format, read, seen) = scan(&path);
        assert_eq!(format, "safari-history");
        assert!(seen.len() > 100 && seen.len() < 150, "{}", seen.len());
        let problem = read.problem.unwrap();
        assert!(
            problem.contains("history_items") && problem.contains(".recover"),
            "{problem}"
        );
        let last = seen.last().unwrap();
        assert_eq!(last.2[0].1, "https://gone/");
        assert_eq!(last.1.as_deref(), Some("2026-01-01T00:00:00.25Z"));
    }

    #[test]
    fn times_of_safari_come_from_its_visits_unless_these_are_damaged() {
        let (_dir, path) = make(
            "PRAGMA page_size = 1024;
             CREATE TABLE history_items(id INTEGER PRIMARY KEY, url TEXT);
             CREATE TABLE history_visits(id INTEGER PRIMARY KEY, history_item INTEGER, visit_time REAL, title TEXT);
             INSERT INTO history_items VALUES(4, 'https://h/');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
             INSERT INTO history_visits SELECT i, 4, 788918100.0 + i, 'title ' || i || hex(zeroblob(20)) FROM n;",
        );
        let (_, read, seen) = scan(&path);
        assert_eq!((read.records, read.problem), (301, None));
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
        let mut bytes = fs::read(&path).unwrap();
        let at = memchr::memmem::find(&bytes, b"title 151").unwrap() / 1024 * 1024;
        bytes[at..at + 512].fill(0xFF);
        fs::write(&path, bytes).unwrap();
        let (_, read, seen) = scan(&path);
        assert_eq!((&*seen[0].2[0].1, &seen[0].1), ("https://h/", &None));
        assert!(read.problem.is_some() && seen.len() > 100, "{}", seen.len());
    }

    #[test]
    fn old_top_sites_are_read_with_their_redirects() {
        let (_dir, path) = make(
            "CREATE TABLE thumbnails(url LONGVARCHAR PRIMARY KEY, url_rank INTEGER, title LONGVARCHAR, redirects LONGVARCHAR);
             INSERT INTO thumbnails VALUES('https://t/', 0, 'T', 'https://r/1 https://r/2');",
        );
        let (format, _, seen) = scan(&path);
        assert_eq!(format, "chromium-top-sites");
        assert_eq!(texts(&seen), ["https://t/", "T", "https://r/1 https://r/2"]);
    }

    #[test]
    fn the_quarantine_of_macos_is_read() {
        let (_dir, path) = make(
            "CREATE TABLE LSQuarantineEvent(LSQuarantineEventIdentifier TEXT PRIMARY KEY NOT NULL, LSQuarantineTimeStamp REAL,
                LSQuarantineDataURLString TEXT, LSQuarantineOriginURLString TEXT);
             INSERT INTO LSQuarantineEvent VALUES('A', 788918400, 'https://d/?token=1', 'https://o/');",
        );
        let (format, _, seen) = scan(&path);
        assert_eq!(format, "macos-quarantine");
        assert_eq!(texts(&seen), ["https://d/?token=1", "https://o/"]);
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_what_is_of_no_known_kind_is_none() {
        let read = |path: &Path| {
            let catalogue = Catalogue::builtin().unwrap();
            super::read(path, &catalogue, &mut |_, _, _| {})
        };
        let (_dir, path) = make(
            "CREATE TABLE cookies(name TEXT); CREATE VIEW urls AS SELECT name url FROM cookies;
            CREATE VIEW visits AS SELECT 1;",
        );
        assert!(matches!(read(&path), Ok(None)));
        fs::write(&path, b"").unwrap();
        assert!(matches!(read(&path), Err(Unreadable::Empty)));
        fs::write(&path, [0xA5; 8192]).unwrap();
        assert!(matches!(read(&path), Err(Unreadable::NotADatabase)));
        assert!(matches!(
            read(&path.with_extension("none")),
            Err(Unreadable::Copy(_))
        ));
        let (_dir, path) = make(OLD_URLS);
        let mut bytes = fs::read(&path).unwrap();
        bytes[100..300].fill(0xFF);
        fs::write(&path, bytes).unwrap();
        assert!(matches!(read(&path), Err(Unreadable::Damaged(_))));
    }
}
