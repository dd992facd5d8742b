//! Formats: from lines to records. A line's format depends on the line and, for W3C, on the `#Fields` before
//! it; never on how the input was cut. The formats are data (`rules/formats/`); this is their catalogue and
//! the order in which they are tried.

mod catalogue;
pub mod columns;
pub mod compile;
mod directive;
pub mod document;
pub mod har;
pub mod history;
pub mod jsonlog;
pub mod message;
pub mod sniff;
pub mod template;
pub mod w3c;
pub mod wrapper;
pub use catalogue::{Catalogue, Escape, Format, FormatError, FormatSpec, Kind};

use crate::record::{Content, Field, Part, Record};
use crate::text::{Base, Coding, Text, json};
use catalogue::Reader;
use std::sync::Arc;
use template::{Fit, Ranges};

/// Columns that lines have as a rule.
const COLUMNS: usize = 16;

/// How a line was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineFormat {
    /// Index into the catalogue.
    pub format: u16,
    /// What was around it.
    pub wrapper: Option<&'static str>,
}

/// Reads the lines of one source in order. Its state is the `#Fields` in force.
#[derive(Clone, Debug)]
pub struct LineReader<'c> {
    catalogue: &'c Catalogue,
    /// The columns in force; `None` before a header.
    pub fields: Option<Arc<w3c::Fields>>,
    /// The day that the last `#Date` said.
    pub day: Option<w3c::Day>,
    /// Whether the source is one that has headers.
    pub headers: bool,
    /// Whether only the format is wanted, and a record need not be made where that is dear.
    pub naming: bool,
}

/// The member that keeps the records of a line that has several (Azure), and how it stands in the line.
const RECORDS: &str = "records";
const RECORDS_KEY: &[u8] = b"\"records\"";

/// How many wrappers are peeled off one line.
const MAX_WRAPPERS: u8 = 3;

/// Gives the record on, with `time` where it has none.
fn timed(record: &Record, time: Option<Text>, visit: &mut dyn FnMut(&Record)) {
    match time {
        Some(time) if record.time.is_none() && record.instant.is_none() => {
            let mut timed = record.clone();
            timed.time = Some((time, crate::time::TimeForm::Auto));
            visit(&timed);
        }
        _ => visit(record),
    }
}

impl<'c> LineReader<'c> {
    /// A reader for a source whose head says whether it has `#Fields`.
    pub fn new(catalogue: &'c Catalogue, headers: bool) -> Self {
        LineReader {
            catalogue,
            fields: None,
            day: None,
            headers,
            naming: false,
        }
    }

    /// Reads one line (without its line end), calling `visit` for the record in it; `None` where it holds none.
    pub fn read(&mut self, line: Text, visit: &mut dyn FnMut(&Record)) -> Option<LineFormat> {
        let bytes = line.bytes();
        let line = if bytes.ends_with(b"\r") {
            line.to(bytes.len() - 1)
        } else {
            line
        };
        // Where a log was cut to nothing under its writer, a hole stands before the next line.
        let hole = line.bytes().iter().take_while(|b| **b == 0).count();
        let line = line.from(hole);
        if line.bytes().iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        if self.headers && line.bytes()[0] == b'#' {
            if let Some(fields) = w3c::Fields::parse(line.bytes()) {
                self.fields = Some(Arc::new(fields.on(self.day)));
                return None;
            }
            if let Some(day) = w3c::day(line.bytes()) {
                self.day = Some(day);
                // A writer that starts anew may say the day and go on with the same columns.
                if let Some(fields) = &mut self.fields {
                    *fields = Arc::new(w3c::Fields::clone(fields).on(Some(day)));
                }
            }
            if [
                &b"#Software"[..],
                b"#Version",
                b"#Date",
                b"#Remark",
                b"#Start-Date",
                b"#End-Date",
            ]
            .iter()
            .any(|h| line.bytes().starts_with(h))
            {
                return None;
            }
        }
        Some(self.line(line, 0, None, visit))
    }

    fn line(
        &self,
        line: Text,
        depth: u8,
        wrapper: Option<&'static str>,
        visit: &mut dyn FnMut(&Record),
    ) -> LineFormat {
        let c = self.catalogue;
        let done = |format: u16| LineFormat { format, wrapper };
        let first = line.bytes().first().copied().unwrap_or_default();
        if let Some(user) = c.user
            && let Some(n) = self.user(user, line, visit)
        {
            return done(n);
        }
        if let Some(fields) = &self.fields
            && first != b'#'
            && depth == 0
        {
            let id = match fields.writer {
                w3c::Writer::Iis => "iis-w3c",
                w3c::Writer::Cloudfront => "cloudfront",
                w3c::Writer::Httperr => "iis-httperr",
                w3c::Writer::Other => "w3c",
            };
            if let Some(n) = c.index(id)
                && fields.read(line, n, visit)
            {
                return done(n);
            }
        }
        if self.fields.is_none() && memchr::memchr(b'\t', line.bytes()).is_some() {
            for &n in &c.headless {
                if let Reader::Rows(fields) = &c.get(n).reader
                    && fields.fits(line.bytes())
                    && fields.read(line, n, visit)
                {
                    return done(n);
                }
            }
        }
        if matches!(first, b'{' | b'[')
            && let Some(found) = self.json(line, depth, wrapper, visit)
        {
            return found;
        }
        // Nothing else looks like a container runtime's line, which any template could be inside of.
        if depth < MAX_WRAPPERS && wrapper::cri(line.bytes()).is_some() {
            return self
                .wrapped(line, depth, wrapper, visit)
                .unwrap_or(done(c.by_kind(Kind::Text)));
        }
        let mut ranges = Ranges::with_capacity(COLUMNS);
        for fit in [Fit::Exact, Fit::Extra, Fit::Relaxed] {
            // What stands around a line would be the names with blanks that are let in last.
            if fit == Fit::Relaxed
                && depth < MAX_WRAPPERS
                && let Some(found) = self.wrapped(line, depth, wrapper, visit)
            {
                return found;
            }
            for &n in &c.templates {
                if let Reader::Template(t) = &c.get(n).reader
                    && Some(n) != c.user
                    && t.fits(line, fit, &mut ranges)
                {
                    if !self.naming {
                        t.read(line, &ranges, n, visit);
                    }
                    return done(n);
                }
            }
        }
        for (n, format) in c.formats.iter().enumerate() {
            let n = n as u16;
            let read = match (&format.reader, format.spec.kind) {
                (Reader::Logfmt(l), _) => l.read(line, n, visit),
                (_, Kind::ErrorLog) => message::error_log(line, n, visit),
                (_, Kind::Arcgis) => message::arcgis(line, n, visit),
                (_, Kind::HttpMessage) => message::http_message(line, n, visit),
                _ => false,
            };
            if read {
                return done(n);
            }
        }
        let text = c.by_kind(Kind::Text);
        let mut record = Record {
            format: text,
            ..Record::default()
        };
        record.push(Field::Text, Content::Text(line));
        visit(&record);
        done(text)
    }

    /// Peels a wrapper off and reads what is inside, which has the wrapper's time where it has none of its own.
    fn wrapped(
        &self,
        line: Text,
        depth: u8,
        wrapper: Option<&'static str>,
        visit: &mut dyn FnMut(&Record),
    ) -> Option<LineFormat> {
        let w = wrapper::text(line)?;
        let around = if depth == 0 { Some(w.wrapper) } else { wrapper };
        Some(self.line(w.inner, depth + 1, around, &mut |r| timed(r, w.time, visit)))
    }

    /// The user's own format; `None` where the line does not fit it.
    fn user(&self, n: u16, line: Text, visit: &mut dyn FnMut(&Record)) -> Option<u16> {
        let read = match &self.catalogue.get(n).reader {
            Reader::Template(t) => {
                let mut ranges = Ranges::with_capacity(COLUMNS);
                let fits = [Fit::Exact, Fit::Extra]
                    .into_iter()
                    .any(|fit| t.fits(line, fit, &mut ranges))
                    || wrapper::text(line).is_none() && t.fits(line, Fit::Relaxed, &mut ranges);
                if fits {
                    t.read(line, &ranges, n, visit);
                }
                fits
            }
            Reader::Json(map) => json::read(line)
                .filter(|doc| map.fits(doc))
                .map(|doc| map.read(&doc, n, visit))
                .is_some(),
            Reader::Logfmt(l) => l.read(line, n, visit),
            Reader::Rows(fields) => fields.fits(line.bytes()) && fields.read(line, n, visit),
            Reader::Builtin => false,
        };
        read.then_some(n)
    }

    /// Several records in one line, which stands in the source as it is; the line's format is the first's.
    fn list(
        &self,
        line: Text,
        depth: u8,
        wrapper: Option<&'static str>,
        visit: &mut dyn FnMut(&Record),
    ) -> Option<LineFormat> {
        let may = line.bytes()[0] == b'[' || memchr::memmem::find(line.bytes(), RECORDS_KEY).is_some();
        if !may || depth >= MAX_WRAPPERS || !line.is_plain() {
            return None;
        }
        let mut first = None;
        for one in json::elements(line, RECORDS)? {
            let found = self.line(one, depth + 1, wrapper, &mut |record| {
                let mut record = record.clone();
                record.whole.get_or_insert(one);
                visit(&record);
            });
            first = first.or(Some(found));
        }
        first
    }

    /// What stands beside the line in its wrapper (journald's `_CMDLINE`, a container's labels), as a record of its own.
    fn around(
        &self,
        doc: &json::Document,
        wrapped: &wrapper::Wrapped,
        line: Text,
        visit: &mut dyn FnMut(&Record),
    ) {
        if self.naming {
            return;
        }
        let same = |a: Text, b: Text| std::ptr::eq(a.bytes().as_ptr(), b.bytes().as_ptr());
        let others = doc.members.iter().filter(|m| {
            m.kind == json::Kind::String
                && m.value.len() >= 4
                && !same(m.value, wrapped.inner)
                && !wrapped.time.is_some_and(|t| same(m.value, t))
                && &*m.path != "__CURSOR"
        });
        let decoded: Vec<_> = others
            .map(|m| {
                (
                    m,
                    Coding::Json.decode(m.value.bytes()),
                    Base::decoded(m.value, Coding::Json),
                )
            })
            .collect();
        let mut record = Record {
            format: self.catalogue.by_kind(Kind::AnyJson),
            whole: Some(line),
            ..Record::default()
        };
        for (m, plain, base) in &decoded {
            let text = match plain {
                std::borrow::Cow::Borrowed(_) => m.value,
                std::borrow::Cow::Owned(bytes) => Text::new(bytes, base),
            };
            record.push(Field::Text, Content::Named(m.key(), Part::Value, text));
        }
        if !record.carriers.is_empty() {
            timed(&record, wrapped.time, visit);
        }
    }

    fn json(
        &self,
        line: Text,
        depth: u8,
        wrapper: Option<&'static str>,
        visit: &mut dyn FnMut(&Record),
    ) -> Option<LineFormat> {
        let c = self.catalogue;
        if let Some(found) = self.list(line, depth, wrapper, visit) {
            return Some(found);
        }
        let doc = json::read(line)?;
        // `[2026-01-01T…] "GET …` is no array, and `{"a":1} more` no line of JSON; a cut-off object is one.
        let rest = line.bytes().get(doc.end..).unwrap_or_default();
        let all = doc.whole && rest.iter().all(u8::is_ascii_whitespace);
        let cut = !doc.whole && line.bytes()[0] == b'{' && doc.members.len() >= 2;
        if doc.members.is_empty() || !(all || cut) {
            return None;
        }
        if depth < MAX_WRAPPERS
            && let Some(w) = wrapper::json(&doc)
        {
            let around = if depth == 0 { Some(w.wrapper) } else { wrapper };
            let decoded = Coding::Json.decode(w.inner.bytes());
            let base = Base::decoded(w.inner, Coding::Json);
            let inner = if matches!(decoded, std::borrow::Cow::Borrowed(_)) {
                w.inner
            } else {
                Text::new(&decoded, &base)
            };
            let trimmed = inner
                .bytes()
                .iter()
                .rposition(|b| !b"\r\n".contains(b))
                .map_or(inner, |p| inner.to(p + 1));
            let found = self.line(trimmed, depth + 1, around, &mut |r| timed(r, w.time, visit));
            self.around(&doc, &w, line, visit);
            return Some(found);
        }
        for &n in &c.json {
            if let Reader::Json(map) = &c.get(n).reader
                && map.fits(&doc)
            {
                map.read(&doc, n, visit);
                return Some(LineFormat { format: n, wrapper });
            }
        }
        let n = c.by_kind(Kind::AnyJson);
        if let Reader::Json(map) = &c.get(n).reader {
            map.read(&doc, n, visit);
        }
        Some(LineFormat { format: n, wrapper })
    }
}
