//! The W3C extended log format: `#Fields` names the columns, and may change in mid-file. IIS, CloudFront, Azure
//! and others write it, each a little differently.

use super::columns::{Builder, Column, header, response_header};
use crate::record::Record;
use crate::text::{Base, Coding, Text};
use crate::time::TimeForm;
use std::borrow::Cow;
use std::ops::Range;

/// The columns that a `#Fields` line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    columns: Vec<Column>,
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

/// More columns than any writer has.
const MAX_COLUMNS: usize = 256;

impl Fields {
    /// Reads the line; `None` where it is no `#Fields`.
    pub fn parse(line: &[u8]) -> Option<Fields> {
        let names = line
            .strip_prefix(b"#Fields:")
            .or_else(|| line.strip_prefix(b"# Fields:"))?;
        let names = String::from_utf8_lossy(names).replace('\u{200B}', "");
        let columns: Vec<Column> = names
            .split_ascii_whitespace()
            .take(MAX_COLUMNS)
            .map(|n| column(&n.to_ascii_lowercase()))
            .collect();
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
            writer,
            hides_names,
        })
    }

    /// Reads a row; false where it does not look like one.
    pub fn read(&self, line: Text, format: u16, visit: &mut dyn FnMut(&Record)) -> bool {
        let ranges = self.split(line.bytes());
        if ranges.len() < 3.min(self.columns.len()) {
            return false;
        }
        // CloudFront encodes its columns once more; what stands on the wire is one decoding away.
        let coding = (self.writer == Writer::Cloudfront && memchr::memchr(b'%', line.bytes()).is_some())
            .then_some(Coding::Percent);
        let raw: Vec<Text> = ranges.iter().map(|r| line.slice(r.clone())).collect();
        let plain: Vec<Cow<[u8]>> = raw.iter().map(|t| wire(coding, t.bytes())).collect();
        let bases: Vec<Base> = raw
            .iter()
            .map(|&from| Base::decoded(from, Coding::Percent))
            .collect();
        let mut builder = Builder::default();
        let extra = Column::Other;
        let columns = self.columns.iter().chain(std::iter::repeat(&extra));
        for (column, ((&raw, plain), base)) in columns.zip(raw.iter().zip(&plain).zip(&bases)) {
            let text = match plain {
                Cow::Borrowed(_) => raw,
                Cow::Owned(bytes) => Text::new(bytes, base),
            };
            builder.add(column, text);
        }
        visit(&builder.finish(format));
        true
    }

    /// Where the columns stand. Tabs part them where there are any; else blanks, of which two may mean an empty
    /// column or an untidy writer: the reading that gives the right number of columns counts. Quotes hold
    /// blanks.
    fn split(&self, line: &[u8]) -> Vec<Range<usize>> {
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

fn pieces(line: &[u8], separator: u8, runs: bool) -> Vec<Range<usize>> {
    let mut out = Vec::with_capacity(32);
    let mut at = 0;
    while at <= line.len() && out.len() < MAX_COLUMNS * 2 {
        let rest = &line[at..];
        let quoted = rest.first() == Some(&b'"');
        let close = if quoted {
            memchr::memchr(b'"', &rest[1..]).map(|n| n + 2)
        } else {
            None
        };
        let end = match close {
            Some(n) if rest.get(n).is_none_or(|&b| b == separator) => n,
            _ => memchr::memchr(separator, rest).unwrap_or(rest.len()),
        };
        let range = match close {
            Some(n) if n == end => at + 1..at + n - 1,
            _ => at..at + end,
        };
        if !(runs && range.is_empty()) {
            out.push(range);
        }
        at += end + 1;
    }
    out
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
    fn what_cloudfront_escaped_twice_is_undone_once() {
        let fields = "#Fields: date time x-edge-location cs-uri-stem cs-uri-query sc-status";
        let row = "2026-01-01\t00:00:00\tFRA2\t/a\ta=%253D\t200";
        assert_eq!(read(fields, row)[0], "url /a a=%3D");
    }
}
