//! The W3C extended log format: `#Fields` names the columns, and may change in mid-file. IIS, CloudFront, Azure
//! and others write it, each a little differently.

use super::columns::{Builder, Column, header, response_header};
use crate::record::{Record, is_absent};
use crate::text::{Base, Coding, Text};
use crate::time::TimeForm;
use std::borrow::Cow;
use std::ops::Range;

/// The columns that a `#Fields` line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    columns: Vec<Column>,
    /// The columns in the order in which they count: of several with one meaning the first does.
    order: Vec<usize>,
    /// The day that `#Date` says, for rows with a time alone.
    day: Option<Day>,
    /// Who writes such fields; decides the format's name and the advice.
    pub writer: Writer,
    /// Whether a column's credential has no name in the line.
    pub hides_names: bool,
}

/// Whose fields they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Internet Information Services and what imitates it.
    Iis,
    /// Amazon CloudFront, standard logs.
    Cloudfront,
    /// `http.sys` errors.
    Httperr,
    /// Anybody else.
    Other,
}

/// A day as `#Date` writes it: `2026-01-01`.
pub type Day = [u8; 10];

/// The day of a `#Date` line.
pub fn day(line: &[u8]) -> Option<Day> {
    let rest = line.strip_prefix(b"#Date:")?.trim_ascii_start();
    let day: Day = rest.get(..10)?.try_into().ok()?;
    Column::Date.admits(&day, false).then_some(day)
}

/// More columns than any writer has.
const MAX_COLUMNS: usize = 256;

impl Fields {
    /// Reads the line; `None` where it is no `#Fields`.
    pub fn parse(line: &[u8]) -> Option<Fields> {
        let names = line
            .strip_prefix(b"#Fields:")
            .or_else(|| line.strip_prefix(b"# Fields:"))?;
        let names = String::from_utf8_lossy(names).replace('\u{200B}', "");
        let (columns, ranks): (Vec<Column>, Vec<u8>) = names
            .split_ascii_whitespace()
            .take(MAX_COLUMNS)
            .map(str::to_ascii_lowercase)
            .map(|n| (column(&n), rank(&n)))
            .unzip();
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|&i| ranks[i]);
        let writer = if names.contains("x-edge-location") {
            Writer::Cloudfront
        } else if names.contains("s-reason") || names.contains("s-queuename") {
            Writer::Httperr
        } else if names.contains("cs-uri-stem")
            || names.contains("s-sitename")
            || names.contains("sc-win32-status")
        {
            Writer::Iis
        } else {
            Writer::Other
        };
        let hides_names = columns.iter().any(Column::hides_its_name);
        (!columns.is_empty()).then_some(Fields {
            columns,
            order,
            day: None,
            writer,
            hides_names,
        })
    }

    /// The same in a file of that day.
    #[must_use]
    pub fn on(mut self, day: Option<Day>) -> Fields {
        self.day = day;
        self
    }

    /// Whether it is known of what day rows are that do not say it.
    pub fn is_dated(&self) -> bool {
        self.day.is_some()
    }

    /// Whether rows have a time without a day.
    pub fn lacks_day(&self) -> bool {
        let has = |wanted: &Column| self.columns.contains(wanted);
        has(&Column::Time(TimeForm::Auto)) && !has(&Column::Date)
    }

    /// Whether a row without a header before it can be one of these: at least as many columns as the oldest writer of
    /// them had, and in each what may stand there.
    pub fn fits(&self, line: &[u8]) -> bool {
        let pieces = pieces(line, b'\t', false);
        (MIN_HEADLESS..=self.columns.len()).contains(&pieces.len())
            && pieces.iter().zip(&self.columns).all(|(piece, column)| {
                let text = &line[piece.range.clone()];
                is_absent(text) || column.admits(text, false)
            })
    }

    /// Reads a row; false where it does not look like one.
    pub fn read(&self, line: Text, format: u16, visit: &mut dyn FnMut(&Record)) -> bool {
        let pieces = self.split(line.bytes());
        if pieces.len() < 3.min(self.columns.len()) || !self.agrees(line.bytes(), &pieces) {
            return false;
        }
        // CloudFront encodes its columns once more; what stands on the wire is one decoding away.
        let coding = (self.writer == Writer::Cloudfront && memchr::memchr(b'%', line.bytes()).is_some())
            .then_some(Coding::Percent);
        let raw: Vec<Text> = pieces.iter().map(|p| line.slice(p.range.clone())).collect();
        let plain: Vec<Cow<[u8]>> = pieces
            .iter()
            .zip(&raw)
            .map(|(piece, t)| match piece.doubled {
                true => Coding::DoubledQuote.decode(t.bytes()),
                false => wire(coding, t.bytes()),
            })
            .collect();
        let bases: Vec<Base> = pieces
            .iter()
            .zip(&raw)
            .map(|(piece, &from)| match piece.doubled {
                true => Base::decoded(from, Coding::DoubledQuote),
                false => Base::decoded(from, Coding::Percent),
            })
            .collect();
        let extra = Column::Other;
        let mut builder = Builder::default();
        let beyond = self.columns.len()..pieces.len();
        for i in self
            .order
            .iter()
            .copied()
            .filter(|&i| i < pieces.len())
            .chain(beyond)
        {
            let text = match &plain[i] {
                Cow::Borrowed(_) => raw[i],
                Cow::Owned(bytes) => Text::new(bytes, &bases[i]),
            };
            builder.add(self.columns.get(i).unwrap_or(&extra), text);
        }
        let base = Base::Source { offset: 0 };
        if let Some(day) = self.day.as_ref().filter(|_| self.lacks_day()) {
            builder.add(&Column::Date, Text::new(day, &base));
        }
        visit(&builder.finish(format));
        true
    }

    /// Whether the columns that say what they are hold such things: another program's line in the same file is none of
    /// these rows, nor is a row of other columns whose header is gone. One that is cut off may end in anything.
    fn agrees(&self, line: &[u8], pieces: &[Piece]) -> bool {
        let told = |column: &Column| {
            matches!(
                column,
                Column::Date
                    | Column::Time(_)
                    | Column::Client
                    | Column::Method
                    | Column::Status
                    | Column::Port
            )
        };
        let cut = pieces.len() < self.columns.len();
        let whole = pieces.len() - usize::from(cut);
        pieces[..whole].iter().zip(&self.columns).all(|(piece, column)| {
            let text = &line[piece.range.clone()];
            !told(column) || is_absent(text) || text.is_empty() || column.admits(text, false)
        })
    }

    /// Where the columns stand. Tabs part them where there are any; else blanks, of which two may mean an empty
    /// column or an untidy writer: the reading that gives the right number of columns counts. Quotes hold
    /// blanks.
    fn split(&self, line: &[u8]) -> Vec<Piece> {
        let want = self.columns.len();
        if line.contains(&b'\t') {
            return pieces(line, b'\t', false);
        }
        let single = pieces(line, b' ', false);
        if single.len() == want {
            return single;
        }
        let runs = pieces(line, b' ', true);
        let better = runs.len().abs_diff(want) < single.len().abs_diff(want);
        if better { runs } else { single }
    }
}

/// CloudFront escapes `%` itself, so only what was escaped twice on the wire still has escapes afterwards.
fn wire(coding: Option<Coding>, bytes: &[u8]) -> Cow<'_, [u8]> {
    match coding {
        Some(c) if memchr::memmem::find(bytes, b"%25").is_some() => c.decode(bytes),
        _ => Cow::Borrowed(bytes),
    }
}

/// Fewest columns of a row that is read without a header.
const MIN_HEADLESS: usize = 12;

/// A column of a row.
struct Piece {
    range: Range<usize>,
    /// Whether quotes in it are doubled.
    doubled: bool,
}

/// Length of the quoted value at the start of `rest`, quotes included, and whether quotes in it are doubled; `None`
/// where no quote closes it.
fn quoted(rest: &[u8]) -> Option<(usize, bool)> {
    let mut at = 1;
    let mut doubled = false;
    loop {
        at += memchr::memchr(b'"', &rest[at..])?;
        if rest.get(at + 1) != Some(&b'"') {
            return Some((at + 1, doubled));
        }
        doubled = true;
        at += 2;
    }
}

fn pieces(line: &[u8], separator: u8, runs: bool) -> Vec<Piece> {
    let mut out = Vec::with_capacity(32);
    let mut at = 0;
    while at <= line.len() && out.len() < MAX_COLUMNS * 2 {
        let rest = &line[at..];
        let value = match rest.first() {
            Some(b'"') => quoted(rest).filter(|(n, _)| rest.get(*n).is_none_or(|&b| b == separator)),
            _ => None,
        };
        let end = value.map_or_else(
            || memchr::memchr(separator, rest).unwrap_or(rest.len()),
            |(n, _)| n,
        );
        let piece = match value {
            Some((n, doubled)) => Piece {
                range: at + 1..at + n - 1,
                doubled,
            },
            None => Piece {
                range: at..at + end,
                doubled: false,
            },
        };
        if !(runs && piece.range.is_empty()) {
            out.push(piece);
        }
        at += end + 1;
    }
    out
}

/// What comes after others of the same meaning: the host of a distribution after the one that was asked for.
fn rank(name: &str) -> u8 {
    match name {
        "cs(host)" | "cs-host" | "time-local" => 1,
        "s-host" => 2,
        _ => 0,
    }
}

fn column(name: &str) -> Column {
    match name {
        "date" => Column::Date,
        "time" | "time-local" => Column::Time(TimeForm::Auto),
        "x-timestamp" | "timestamp" => Column::Time(TimeForm::Auto),
        "c-ip" => Column::Client,
        "x-forwarded-for" => Column::ForwardedFor,
        "cs-username" => Column::User,
        "cs-method" => Column::Method,
        "cs-uri" | "cs-url" | "x-originalurl" => Column::Url,
        "cs-uri-stem" => Column::Path,
        "cs-uri-query" => Column::Query,
        "sc-status" => Column::Status,
        "cs-host" | "x-host-header" | "s-host" => Column::Host,
        "cs-referer" | "cs-referrer" => Column::Referer,
        "cs-user-agent" => Column::UserAgent,
        "cs-cookie" => Column::Cookies,
        "cs-protocol" => Column::Scheme,
        "s-port" => Column::Port,
        "cs-postbody" => Column::Body,
        "sc-bytes" | "cs-bytes" | "time-taken" | "sc-substatus" | "sc-win32-status" | "c-port" => {
            Column::Number
        }
        "s-ip" | "s-sitename" | "s-computername" | "cs-version" | "x-edge-location"
        | "x-edge-result-type" | "x-edge-request-id" | "ssl-cipher" | "ssl-protocol" => Column::Word,
        _ => {
            let inner = |prefix: &str| name.strip_prefix(prefix).and_then(|n| n.strip_suffix(')'));
            match (inner("cs("), inner("sc(")) {
                (Some(n), _) => header(n),
                (_, Some(n)) => response_header(n),
                _ => Column::Other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Content;

    fn read(fields: &str, row: &str) -> Vec<String> {
        let fields = Fields::parse(fields.as_bytes()).unwrap();
        let base = Base::Source { offset: 0 };
        let mut out = Vec::new();
        fields.read(Text::new(row.as_bytes(), &base), 0, &mut |r| {
            for c in &r.carriers {
                if let Content::Url(u) = c.content {
                    let s = |t: Option<Text>| {
                        t.map_or("-".into(), |t| String::from_utf8_lossy(t.bytes()).into_owned())
                    };
                    out.push(format!("{} {} {}", c.field, s(Some(u.path)), s(u.query)));
                }
            }
            out.push(format!(
                "{:?} {:?}",
                r.status,
                r.time.map(|t| String::from_utf8_lossy(t.0.bytes()).into_owned())
            ));
        });
        out
    }

    #[test]
    fn rows_are_read_by_their_header() {
        let fields =
            "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip sc-status";
        let row = "2026-01-01 00:00:00 10.0.0.2 GET /a token=x 443 - 10.0.0.1 200";
        assert_eq!(
            read(fields, row),
            ["url /a token=x", "Some(200) Some(\"2026-01-01 00:00:00\")"]
        );
        let untidy = "2026-01-01 00:00:00 10.0.0.2 GET /a token=x 443  random\\user 10.0.0.1 200";
        assert_eq!(
            read(fields, untidy),
            ["url /a token=x", "Some(200) Some(\"2026-01-01 00:00:00\")"]
        );
    }

    #[test]
    fn doubled_quotes_are_part_of_a_value() {
        let fields = "#Fields: date time cs-uri-stem cs-uri-query cs(User-Agent) sc-status";
        for (agent, status) in [
            (r#""a ""b"" c""#, "Some(200)"),
            (r#""""b""""#, "Some(200)"),
            (r#""""#, "Some(200)"),
            (r#""a b""#, "Some(200)"),
        ] {
            let row = format!("2026-01-01 00:00:00 /a token=x {agent} 200");
            let got = read(fields, &row);
            assert!(got.last().unwrap().starts_with(status), "{agent}: {got:?}");
        }
    }

    #[test]
    fn a_stem_may_hold_the_query() {
        let fields = "#Fields: date time cs-uri-stem cs-uri-query sc-status";
        let got = read(fields, "2026-01-01 00:00:00 /a?token=x - 200");
        assert_eq!(got[0], "url /a token=x");
    }

    #[test]
    fn a_day_comes_from_the_header_where_rows_have_none() {
        assert_eq!(day(b"#Date: 2026-01-01 10:00:00"), Some(*b"2026-01-01"));
        assert_eq!(day(b"#Date: yesterday"), None);
        let base = Base::Source { offset: 0 };
        let time = |fields: &str, row: &str| {
            let fields = Fields::parse(fields.as_bytes()).unwrap().on(Some(*b"2026-01-01"));
            let mut out = None;
            fields.read(Text::new(row.as_bytes(), &base), 0, &mut |r| {
                out = r.instant.map(|t| t.to_string());
            });
            out
        };
        let row = "10:00:01 192.0.2.1 /a 200";
        assert_eq!(
            time("#Fields: time c-ip cs-uri-stem sc-status", row).as_deref(),
            Some("2026-01-01T10:00:01Z")
        );
        let dated = "2026-01-02 10:00:01 /a 200";
        assert_eq!(time("#Fields: date time cs-uri-stem sc-status", dated), None);
    }

    #[test]
    fn the_host_that_was_asked_for_comes_first() {
        let fields = Fields::parse(b"#Fields: date time x-edge-location cs(Host) x-host-header").unwrap();
        let base = Base::Source { offset: 0 };
        let row = b"2026-01-01\t00:00:00\tFRA2\td1.example\tgis.example";
        let mut host = None;
        fields.read(Text::new(row, &base), 0, &mut |r| {
            host = r.host.map(|h| h.bytes().to_vec())
        });
        assert_eq!(host.as_deref(), Some(&b"gis.example"[..]));
    }

    #[test]
    fn what_cloudfront_escaped_twice_is_undone_once() {
        let fields = "#Fields: date time x-edge-location cs-uri-stem cs-uri-query sc-status";
        let row = "2026-01-01\t00:00:00\tFRA2\t/a\ta=%253D\t200";
        assert_eq!(read(fields, row)[0], "url /a a=%3D");
    }
}
