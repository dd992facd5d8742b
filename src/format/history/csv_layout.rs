//! What the columns of a CSV are, told by the header's words, the address's also by what stands in it; no log of a
//! server is taken.

use super::csv::{Cell, Rows, cells};
use super::row::Role;
use crate::url::scheme_len;

/// Bytes that are split before it is asked whether that is enough.
const SOME: usize = 1024;

/// Rows of the head that say what the columns are.
const SAMPLE: usize = 20;

/// Bytes of the head that they are looked for in.
pub(super) const HEAD: usize = 64 << 10;

const ADDRESS: [&str; 16] = [
    "url",
    "source url",
    "target url",
    "visited url",
    "full url",
    "site url",
    "login uri",
    "website",
    "navigatedtourl",
    "link",
    "location",
    "address",
    "uri",
    "href",
    "page url",
    "web address",
];
const TITLE: [&str; 6] = [
    "title",
    "pagetitle",
    "page title",
    "name",
    "description",
    "excerpt",
];
const REFERER: [&str; 5] = ["visited from", "referrer", "referer", "from url", "referrer url"];
const TIME: [&str; 21] = [
    "time usec",
    "visit date",
    "last visit date",
    "last visit",
    "last visited time",
    "access time",
    "ts",
    "visit time",
    "visittime",
    "visited on",
    "datetime",
    "date time",
    "last visit time",
    "lastvisittime",
    "last visited",
    "date",
    "time",
    "created",
    "date added",
    "time added",
    "timestamp",
];
const HISTORY: [&str; 5] = [
    "visit count",
    "visitcount",
    "visit type",
    "typed count",
    "web browser",
];
const BOOKMARK: [&str; 6] = [
    "folder",
    "folders",
    "tags",
    "time added",
    "date added",
    "favorite",
];

/// Columns of what programs that keep passwords export: names by which rules know them.
const KEPT: [(&str, &str); 7] = [
    ("password", "password"),
    ("login password", "password"),
    ("passwort", "password"),
    ("pass", "password"),
    ("totp", "totp_secret"),
    ("login totp", "totp_secret"),
    ("otpauth", "totp_secret"),
];

/// Columns that only logs of servers have.
const OTHER: [&str; 15] = [
    "method",
    "verb",
    "request",
    "ip",
    "client",
    "client ip",
    "clientip",
    "remote addr",
    "c-ip",
    "src ip",
    "user-agent",
    "useragent",
    "user agent",
    "bytes",
    "username",
];

/// Columns of an export of ArcGIS logs beside message, time and level, which other logs have, too.
const ARCGIS: [&str; 10] = [
    "source",
    "machine",
    "user",
    "code",
    "elapsed",
    "process",
    "thread",
    "methodname",
    "method name",
    "requestid",
];

/// How many of them have to be there.
const ARCGIS_LEAST: usize = 4;

/// What the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Visits.
    History,
    /// Bookmarks.
    Bookmarks,
    /// Messages of ArcGIS Server or Portal.
    ArcgisLog,
}

/// Which column is what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What parts the cells.
    pub delimiter: u8,
    /// Rows before the first that is read: comments and the header.
    pub skip: usize,
    /// What the columns are that are read, in order.
    pub columns: Vec<(usize, Column)>,
    /// What the rows are.
    pub of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Text.
    Piece(Role),
    /// When it was.
    Time,
    /// A credential of that name.
    Kept(&'static str),
}

/// A cell's text in lower case, as a header's word.
fn word(row: &[u8], cell: &Cell) -> String {
    let text = String::from_utf8_lossy(&row[cell.0.clone()])
        .to_lowercase()
        .replace('_', " ");
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}' || c == '"')
        .to_string()
}

/// The words of a header.
fn words(row: &[u8], delimiter: u8) -> Vec<String> {
    cells(row, delimiter).iter().map(|c| word(row, c)).collect()
}

/// Whether a cell is an address: a scheme and what follows, or a scheme that browsers have.
fn is_address(cell: &[u8]) -> bool {
    let own: [&[u8]; 6] = [
        b"about:",
        b"javascript:",
        b"place:",
        b"data:",
        b"mailto:",
        b"view-source:",
    ];
    scheme_len(cell).is_some() || own.iter().any(|s| cell.starts_with(s))
}

/// Whether a cell is what only logs have: an address of the network, a method, a status.
fn is_of_a_log(cell: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(cell) else {
        return false;
    };
    let status = cell.len() == 3 && matches!(cell[0], b'1'..=b'5') && cell.iter().all(u8::is_ascii_digit);
    let method = matches!(
        text,
        "GET" | "POST" | "PUT" | "HEAD" | "DELETE" | "OPTIONS" | "PATCH" | "CONNECT"
    );
    status || method || text.parse::<std::net::IpAddr>().is_ok()
}

/// Lines of comments that may stand before a header.
const MAX_COMMENTS: usize = 8;

/// How many lines stand before the header, and the delimiter that they tell: `sep=;`, which Excel writes, and comments.
/// `None` where they are the header of a log.
fn preamble(head: &[u8]) -> Option<(usize, Option<u8>)> {
    let mut told = None;
    let mut lines = 0;
    for line in head.split(|b| *b == b'\n').take(MAX_COMMENTS) {
        match line.trim_ascii() {
            [b's', b'e', b'p', b'=', delimiter] if lines == 0 => told = Some(*delimiter),
            [b'#', rest @ ..] if !rest.contains(&b':') && !rest.contains(&b'"') && !rest.is_empty() => {}
            [b'#', ..] => return None,
            _ => break,
        }
        lines += 1;
    }
    Some((lines, told))
}

/// Where the line behind so many others begins.
fn line_at(head: &[u8], lines: usize) -> usize {
    let ends = memchr::memchr_iter(b'\n', head);
    if lines == 0 {
        0
    } else {
        ends.take(lines).last().map_or(0, |n| n + 1)
    }
}

/// What the columns of a file with this head are; `None` where it is no export of history or bookmarks.
pub fn layout(head: &[u8]) -> Option<Layout> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let (skip, told) = preamble(head)?;
    let begin = line_at(head, skip);
    let first = head[begin..].split(|b| *b == b'\n').next()?;
    if first.len() > 4096 || matches!(first.first()?, b'#' | b'{' | b'[' | b'<') {
        return None;
    }
    let delimiter = told.or_else(|| b",;\t|".iter().copied().max_by_key(|d| cells(first, *d).len()))?;
    if cells(first, delimiter).len() < 2 {
        return None;
    }
    let head = &head[begin..];
    let mut rows: Vec<Vec<u8>> = Vec::new();
    let mut splitter = Rows::new(delimiter);
    for piece in head.chunks(SOME) {
        splitter.feed(piece, &mut |row: &[u8], _| rows.push(row.to_vec()));
        if rows.len() >= SAMPLE {
            break;
        }
        // What has no address in its second row has no column of them; most logs end here.
        if let [first, second, ..] = &rows[..]
            && !cells(second, delimiter)
                .iter()
                .any(|c| is_address(&second[c.0.clone()]))
            && arcgis(&words(first, delimiter)).is_none()
        {
            return None;
        }
    }
    if head.len() < HEAD && rows.len() < SAMPLE {
        splitter.ends(0, &mut |row: &[u8], _| rows.push(row.to_vec()));
    }
    rows.truncate(SAMPLE);
    let table: Vec<Vec<Cell>> = rows.iter().map(|r| cells(r, delimiter)).collect();
    let width = table.first()?.len();
    let words = words(&rows[0], delimiter);
    let any = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    if let Some(columns) = arcgis(&words) {
        return Some(Layout {
            delimiter,
            skip: skip + 1,
            columns,
            of: Of::ArcgisLog,
        });
    }
    let kept = |w: &str| KEPT.iter().find(|k| k.0 == w).map(|k| k.1);
    let keeps = words.iter().any(|w| kept(w).is_some());
    if any(&OTHER) && !keeps {
        return None;
    }
    let cell = |r: usize, c: usize| table[r].get(c).map_or(&b""[..], |cell| &rows[r][cell.0.clone()]);
    let all_addresses =
        |from: usize, c: usize| from < table.len() && (from..table.len()).all(|r| is_address(cell(r, c)));
    let log = (0..table.len()).any(|r| (0..table[r].len()).any(|c| is_of_a_log(cell(r, c))));
    let named = words.iter().position(|w| ADDRESS.contains(&w.as_str()));
    let known = any(&TITLE)
        || any(&TIME)
        || any(&HISTORY)
        || any(&BOOKMARK)
        || keeps
        || skip > 0 // no log begins with a remark and a header
        || named.is_some_and(|n| words[n].ends_with(" url"));
    if let Some(url) = named.filter(|c| known && all_addresses(1, *c)) {
        // A count of visits may look like a status; the words are surer, but for those that logs have, too.
        if log && !(any(&HISTORY) || any(&TITLE) || keeps) {
            return None;
        }
        let mut columns = vec![(url, Column::Piece(Role::Url))];
        for (n, w) in words.iter().enumerate().filter(|(n, _)| *n != url) {
            let w = w.as_str();
            if REFERER.contains(&w) {
                columns.push((n, Column::Piece(Role::Referer)));
            } else if TITLE.contains(&w) {
                columns.push((n, Column::Piece(Role::Title)));
            } else if TIME.contains(&w) {
                columns.push((n, Column::Time));
            } else if let Some(name) = kept(w) {
                columns.push((n, Column::Kept(name)));
            } else if ADDRESS.contains(&w) || w.starts_with("note") || w == "target" {
                columns.push((n, Column::Piece(Role::Text)));
            }
        }
        columns.sort_by_key(|c| c.0);
        return Some(Layout {
            delimiter,
            skip: skip + 1,
            columns,
            of: if (any(&BOOKMARK) || keeps) && !any(&HISTORY) {
                Of::Bookmarks
            } else {
                Of::History
            },
        });
    }
    // A header in another language, or none: the column in which nothing but addresses stand.
    let header = usize::from(!(0..width).any(|c| is_address(cell(0, c))));
    let same = table.iter().all(|r| r.len() == width);
    if width < 3 || log || !same || table.len() < header + 2 {
        return None;
    }
    let url = (0..width).find(|c| all_addresses(header, *c))?;
    Some(Layout {
        delimiter,
        skip: skip + header,
        columns: vec![(url, Column::Piece(Role::Url))],
        of: Of::History,
    })
}

/// The columns of an export of ArcGIS logs, by a header's words.
fn arcgis(words: &[String]) -> Option<Vec<(usize, Column)>> {
    let at = |names: &[&str]| words.iter().position(|w| names.contains(&w.as_str()));
    let message = at(&["message"])?;
    let time = at(&["time"])?;
    at(&["type", "level"])?;
    let own = words.iter().filter(|w| ARCGIS.contains(&w.as_str())).count();
    let mut columns = vec![(message, Column::Piece(Role::Message)), (time, Column::Time)];
    columns.sort_by_key(|c| c.0);
    (own >= ARCGIS_LEAST).then_some(columns)
}
