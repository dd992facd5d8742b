//! CSV that browsers, forensic tools and ArcGIS export: a row is a visit, a bookmark or a message. Which column is
//! what is told in `csv_layout`.

use super::csv_layout::{Column, Layout};
use super::epoch::Epoch;
use super::row::{Name, Row};
use crate::finding::Position;
use crate::format::document::{Read, Visit};
use crate::record::{Field, Part};
use crate::text::Coding;
use std::io;
use std::ops::Range;

/// Longest row that is kept, in bytes.
const MAX_ROW: usize = 4 << 20;

/// Columns that are looked at.
const MAX_COLUMNS: usize = 256;

/// A cell within a row: what stands between the quotes, if it has any, and whether it had.
pub(super) type Cell = (Range<usize>, bool);

/// Cuts a row, which has no line end, into cells.
pub(super) fn cells(row: &[u8], delimiter: u8) -> Vec<Cell> {
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
pub(super) struct Rows {
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
    pub fn new(delimiter: u8) -> Self {
        Rows {
            row: Vec::new(),
            offset: 0,
            at: 0,
            delimiter,
            state: Quote::CellBegins,
            cut: 0,
        }
    }

    pub fn feed(&mut self, chunk: &[u8], row: &mut dyn FnMut(&[u8], u64)) {
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

    pub fn ends(&mut self, next: u64, row: &mut dyn FnMut(&[u8], u64)) {
        let bytes = self.row.strip_suffix(b"\r").unwrap_or(&self.row);
        if !bytes.is_empty() {
            row(bytes, self.offset);
        }
        self.row.clear();
        self.offset = next;
    }
}

/// Reads a file of that layout; its records have the format `format`.
pub fn read(input: &mut dyn io::Read, layout: &Layout, format: u16, visit: &mut Visit) -> Read {
    let mut read = Read::default();
    let mut row = Row::default();
    let mut skip = layout.skip;
    let mut rows = Rows::new(layout.delimiter);
    let mut give = |raw: &[u8], offset: u64| {
        if skip > 0 {
            skip -= 1;
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
                let written =
                    text.len() > 5 && (matches!(text[4], b'-' | b'/') || text[2] == b'.' && text[5] == b'.');
                if row.instant.is_none() && written {
                    row.set_time(range.clone());
                }
            }
            Column::Time => {}
            Column::Kept(name) => {
                let coding = quoted.then_some(Coding::DoubledQuote);
                let (field, part, name) = (Field::Text, Part::Value, (*name).into());
                row.named(Name { field, part, name }, range.clone(), coding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::csv_layout::{HEAD, Of, layout};
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
    fn logs_of_servers_are_not_taken() {
        for text in [
            "time,client_ip,method,url,status\n2026-01-01,10.0.0.1,GET,https://h/a,200\n",
            "date,url,status\n2026-01-01,https://h/a,200\n2026-01-01,https://h/b,404\n",
            "2026-01-01,10.0.0.1,https://h/a\n2026-01-01,10.0.0.2,https://h/b\n",
            "#Fields: date url title\n2026-01-01,https://h/,t\n",
            "#date\turl\n1\t2\n",
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

    #[test]
    fn exports_of_other_programs_are_read() {
        let day = "2026-01-01T00:00:00Z";
        for (text, expected, time) in [
            (
                "time_usec,url\n1767225600000000,https://h/\n",
                vec!["https://h/"],
                Some(day),
            ),
            (
                "last_visit_time,url\n13411699200000000,https://h/\n",
                vec!["https://h/"],
                Some(day),
            ),
            (
                "id|url|ts\n1|https://h/|1767225600\n",
                vec!["https://h/"],
                Some(day),
            ),
            ("#comment\nurl,t\nhttps://h/,1\n", vec!["https://h/"], None),
            ("Source URL,Target\nhttps://h/,x\n", vec!["https://h/", "x"], None),
            (
                "sep=;\r\nurl;title\r\nhttps://h/?a=1,2;T\r\n",
                vec!["https://h/?a=1,2", "T"],
                None,
            ),
            (
                "# exported\n# today\nurl,time\nhttps://h/,01.01.2026 00:00:00\n",
                vec!["https://h/"],
                Some("01.01.2026 00:00:00"),
            ),
            (
                "name,url,username,password\nN,https://h/,jo,\"p,\"\"w\"\n",
                vec!["N", "https://h/", "p,\"w"],
                None,
            ),
            (
                "folder,name,notes,login_uri,login_username,login_password,login_totp\n,N,,https://h/,jo,pw,\n",
                vec!["N", "https://h/", "pw"],
                None,
            ),
        ] {
            let Some((_, read, seen)) = scan(text, &[7]) else {
                panic!("{text}");
            };
            assert_eq!((texts(&seen), read.records), (expected, 1), "{text}");
            assert_eq!(seen[0].1.as_deref(), time, "{text}");
            let span = &seen[0].2[0].2;
            assert!(text[span.start as usize..].starts_with(&seen[0].2[0].1), "{text}");
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
