//! CSV that browsers, forensic tools and ArcGIS export: a row is a visit, a bookmark or a message. Which column is
//! what is told by the header's words, the address's also by what stands in it; no other CSV log is taken.

use super::epoch::Epoch;
use super::row::{Role, Row};
use crate::finding::Position;
use crate::format::document::{Read, Visit};
use crate::text::Coding;
use crate::url::scheme_len;
use std::io;
use std::ops::Range;

/// Longest row that is kept, in bytes.
const MAX_ROW: usize = 4 << 20;

/// Columns that are looked at.
const MAX_COLUMNS: usize = 256;

/// Bytes that are split before it is asked whether that is enough.
const SOME: usize = 1024;

/// Rows of the head that say what the columns are.
const SAMPLE: usize = 20;

/// Bytes of the head that they are looked for in.
const HEAD: usize = 64 << 10;

const ADDRESS: [&str; 9] = [
    "url",
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
const TIME: [&str; 14] = [
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
    "time_added",
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
    "time_added",
    "date added",
    "favorite",
];

/// Columns that only logs of servers and stores of passwords have.
const OTHER: [&str; 17] = [
    "method",
    "verb",
    "request",
    "ip",
    "client",
    "client_ip",
    "clientip",
    "remote_addr",
    "c-ip",
    "src_ip",
    "user-agent",
    "user_agent",
    "useragent",
    "user agent",
    "bytes",
    "password",
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
    delimiter: u8,
    /// Whether the first row is a header.
    header: bool,
    columns: Vec<(usize, Column)>,
    /// What the rows are.
    pub of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Piece(Role),
    Time,
}

/// A cell within a row: what stands between the quotes, if it has any, and whether it had.
type Cell = (Range<usize>, bool);

/// Cuts a row, which has no line end, into cells.
fn cells(row: &[u8], delimiter: u8) -> Vec<Cell> {
    let mut out = Vec::new();
    let mut at = 0;
    while out.len() < MAX_COLUMNS {
        let quoted = row.get(at) == Some(&b'"');
        let (cell, end) = if quoted {
            let mut end = at + 1;
            loop {
                end += memchr::memchr(b'"', &row[end..]).unwrap_or(row.len() - end);
                if row.get(end + 1) != Some(&b'"') || end >= row.len() {
                    break;
                }
                end += 2;
            }
            let rest = &row[end.min(row.len())..];
            let next = memchr::memchr(delimiter, rest).map_or(row.len(), |n| end + n);
            (at + 1..end, next)
        } else {
            let end = memchr::memchr(delimiter, &row[at..]).map_or(row.len(), |n| at + n);
            (at..end, end)
        };
        out.push((cell, quoted));
        if end >= row.len() {
            break;
        }
        at = end + 1;
    }
    out
}

/// Puts rows together from pieces of the input: a line end inside quotes is part of its cell.
struct Rows {
    row: Vec<u8>,
    offset: u64,
    at: u64,
    delimiter: u8,
    state: Quote,
    cut: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    CellBegins,
    Outside,
    Inside,
}

impl Rows {
    fn new(delimiter: u8) -> Self {
        Rows {
            row: Vec::new(),
            offset: 0,
            at: 0,
            delimiter,
            state: Quote::CellBegins,
            cut: 0,
        }
    }

    fn feed(&mut self, chunk: &[u8], row: &mut dyn FnMut(&[u8], u64)) {
        let mut from = 0;
        for (i, &b) in chunk.iter().enumerate() {
            self.state = match (self.state, b) {
                (Quote::Inside, b'"') => Quote::Outside,
                (Quote::Inside, _) => Quote::Inside,
                // The second of two quotes: the cell goes on.
                (Quote::Outside, b'"') if i > 0 && chunk[i - 1] == b'"' || self.after_quote(i, b) => {
                    Quote::Inside
                }
                (Quote::CellBegins, b'"') => Quote::Inside,
                (_, b'\n') => {
                    self.append(&chunk[from..i]);
                    self.ends(self.at + i as u64 + 1, row);
                    from = i + 1;
                    Quote::CellBegins
                }
                (_, b) if b == self.delimiter => Quote::CellBegins,
                _ => Quote::Outside,
            };
        }
        self.append(&chunk[from..]);
        self.at += chunk.len() as u64;
    }

    /// Whether the byte before the chunk was a quote, too.
    fn after_quote(&self, i: usize, b: u8) -> bool {
        i == 0 && b == b'"' && self.row.last() == Some(&b'"')
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = MAX_ROW - self.row.len();
        self.cut += u64::from(bytes.len() > room && room > 0);
        self.row.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn ends(&mut self, next: u64, row: &mut dyn FnMut(&[u8], u64)) {
        let bytes = self.row.strip_suffix(b"\r").unwrap_or(&self.row);
        if !bytes.is_empty() {
            row(bytes, self.offset);
        }
        self.row.clear();
        self.offset = next;
    }
}

/// A cell's text in lower case, as a header's word.
fn word(row: &[u8], cell: &Cell) -> String {
    let text = String::from_utf8_lossy(&row[cell.0.clone()]).to_lowercase();
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

/// What the columns of a file with this head are; `None` where it is no export of history or bookmarks.
pub fn layout(head: &[u8]) -> Option<Layout> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let first = head.split(|b| *b == b'\n').next()?;
    if first.len() > 4096 || matches!(first.first()?, b'#' | b'{' | b'[' | b'<') {
        return None;
    }
    let delimiter = *b",;\t".iter().max_by_key(|d| cells(first, **d).len())?;
    if cells(first, delimiter).len() < 2 {
        return None;
    }
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
            header: true,
            columns,
            of: Of::ArcgisLog,
        });
    }
    if any(&OTHER) {
        return None;
    }
    let cell = |r: usize, c: usize| table[r].get(c).map_or(&b""[..], |cell| &rows[r][cell.0.clone()]);
    let all_addresses =
        |from: usize, c: usize| from < table.len() && (from..table.len()).all(|r| is_address(cell(r, c)));
    let log = (0..table.len()).any(|r| (0..table[r].len()).any(|c| is_of_a_log(cell(r, c))));
    let named = words.iter().position(|w| ADDRESS.contains(&w.as_str()));
    let known = any(&TITLE) || any(&TIME) || any(&HISTORY) || any(&BOOKMARK);
    if let Some(url) = named.filter(|c| known && all_addresses(1, *c)) {
        // A count of visits may look like a status; the words are surer, but for those that logs have, too.
        if log && !(any(&HISTORY) || any(&TITLE)) {
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
            }
        }
        columns.sort_by_key(|c| c.0);
        return Some(Layout {
            delimiter,
            header: true,
            columns,
            of: if any(&BOOKMARK) && !any(&HISTORY) {
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
        header: header == 1,
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

/// Reads a file of that layout; its records have the format `format`.
pub fn read(input: &mut dyn io::Read, layout: &Layout, format: u16, visit: &mut Visit) -> Read {
    let mut read = Read::default();
    let mut row = Row::default();
    let mut header = layout.header;
    let mut rows = Rows::new(layout.delimiter);
    let mut give = |raw: &[u8], offset: u64| {
        if std::mem::take(&mut header) {
            return;
        }
        fill(raw, offset, layout, &mut row);
        if !row.is_empty() {
            row.give(Position::Entry(read.records), format, visit);
            read.records += 1;
        }
    };
    let mut buffer = vec![0; 64 << 10];
    let mut error = None;
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => rows.feed(&buffer[..n], &mut give),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    rows.ends(0, &mut give);
    if let Some(e) = error {
        read.problem = Some(format!(
            "could not be read to its end ({e}); what stands before was read"
        ));
    } else if rows.cut > 0 {
        let n = rows.cut;
        read.problem = Some(format!(
            "{n} rows of more than 4 MiB were read in part only: a quote may be missing"
        ));
    }
    read
}

fn fill(raw: &[u8], offset: u64, layout: &Layout, row: &mut Row) {
    row.clear();
    let cells = cells(raw, layout.delimiter);
    row.append_raw(raw, offset);
    for (n, column) in &layout.columns {
        let Some((range, quoted)) = cells.get(*n) else {
            continue;
        };
        let text = &raw[range.clone()];
        match column {
            Column::Piece(role) => {
                let coding = quoted.then_some(Coding::DoubledQuote);
                row.part(*role, range.clone(), coding);
            }
            Column::Time if row.instant.is_none() => {
                row.instant = Epoch::Any.text(text);
                // `2026-01-01 …` and `2026/01/01 …`; `1/2/2026` may be either day.
                if row.instant.is_none() && text.len() > 4 && matches!(text[4], b'-' | b'/') {
                    row.set_time(range.clone());
                }
            }
            Column::Time => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::json_stream::tests::Pieces;
    use crate::format::history::row::tests::{Seen, collect, texts};
    use proptest::prelude::*;

    fn scan(text: &str, lengths: &[usize]) -> Option<(bool, Read, Vec<Seen>)> {
        let layout = layout(&text.as_bytes()[..text.len().min(HEAD)])?;
        let mut out = Read::default();
        let mut input = Pieces {
            rest: text.as_bytes(),
            lengths,
            turn: 0,
        };
        let seen = collect(|v| out = read(&mut input, &layout, 0, v));
        Some((layout.of == Of::Bookmarks, out, seen))
    }

    const FILE: &str = "\u{FEFF}URL,Title,Visit Time,Visit Count,Visited From,Visit Type\r\n\
        https://h/?a=1&token=x,\"a \"\"b\"\", c\",2026-01-01 00:00:00,200,https://r/,Link\r\n\
        \"https://h/?q=\"\"1\"\"\",\"two\r\nlines\",1/2/2026 3:04:05 PM,7,,Typed\r\n\
        about:blank,,1767225600,1,,Link";

    #[test]
    fn visits_come_with_their_quotes_undone() {
        let (bookmarks, read, seen) = scan(FILE, &[4096]).unwrap();
        assert!(!bookmarks && read.problem.is_none());
        assert_eq!(
            texts(&seen),
            [
                "https://h/?a=1&token=x",
                "a \"b\", c",
                "https://r/",
                "https://h/?q=\"1\"",
                "two\r\nlines",
                "about:blank"
            ]
        );
        let times: Vec<_> = seen.iter().map(|s| s.1.as_deref()).collect();
        assert_eq!(
            times,
            [Some("2026-01-01 00:00:00"), None, Some("2026-01-01T00:00:00Z")]
        );
        let span = &seen[1].2[0].2;
        assert_eq!(
            &FILE[span.start as usize..span.end as usize],
            "https://h/?q=\"\"1\"\""
        );
    }

    #[test]
    fn the_column_of_addresses_is_told_by_its_words_or_by_what_stands_in_it() {
        let text = "Datum;Adresse;Titel\n1.2.2026;https://h/1;a\n1.2.2026;https://h/2;b\n";
        assert_eq!(
            texts(&scan(text, &[9]).unwrap().2),
            ["https://h/1", "https://h/2"]
        );
        let text = "title,url,time_added,tags,status\nT,https://h/1,1767225600,,unread\n";
        let (bookmarks, _, seen) = scan(text, &[9]).unwrap();
        assert!(bookmarks);
        assert_eq!(texts(&seen), ["T", "https://h/1"]);
        let text = "https://h/1,T,1/2/2026\nhttps://h/2,U,1/2/2026\n";
        assert_eq!(scan(text, &[9]).unwrap().2.len(), 2);
    }

    #[test]
    fn logs_of_servers_and_stores_of_passwords_are_not_taken() {
        for text in [
            "time,client_ip,method,url,status\n2026-01-01,10.0.0.1,GET,https://h/a,200\n",
            "date,url,status\n2026-01-01,https://h/a,200\n2026-01-01,https://h/b,404\n",
            "2026-01-01,10.0.0.1,https://h/a\n2026-01-01,10.0.0.2,https://h/b\n",
            "name,url,username,password\nh,https://h/,jo,pw\n",
            "10.0.0.1, -, 1/1/2026, 0:00:00, W3SVC1, S, 10.0.0.2, 5, 1, 1, 200, 0, GET, /a, token=x,\n",
            "10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /a?b=1,2 HTTP/1.1\" 200 1 \"https://r/\" \"curl\"\n",
            "url,title\n/relative,x\n",
            "a,b\n1,2\n",
            "https://h/ and, some text, more\n",
            "",
        ] {
            assert_eq!(layout(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        /// However the input comes in pieces, the rows are the same, and all of it comes back.
        #[test]
        fn cuts_do_not_show(
            tokens in prop::collection::vec(prop_oneof![
                Just("\""), Just("\"\""), Just(","), Just("\n"), Just("\r\n"), Just("x"), Just("https://h/"),
            ], 0..40),
            lengths in prop::collection::vec(1usize..5, 1..5),
        ) {
            let text = format!("{FILE}\n{}", tokens.concat());
            let whole = scan(&text, &[1 << 20]).map(|s| s.2);
            let pieces = scan(&text, &lengths).map(|s| s.2);
            prop_assert_eq!(whole, pieces);
        }
    }
}
