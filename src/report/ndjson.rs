//! The stream of exposures: one JSON object a line, in source order, closed by the summary.

use super::Report;
use super::model::Source;
use crate::detect::Exposure;
use crate::finding::Position;
use crate::gate::Mark;
use crate::input::stop::{Stop, Why};
use crate::record::{Record, Surface};
use crate::rule::RuleSpec;
use crate::scan::events::{Event, Sink};
use serde::Serialize;
use std::io::{self, Write};

/// What stands before the line's number.
#[derive(Serialize)]
struct Head<'a> {
    r#type: &'static str,
    source: &'a str,
}

/// What stands after it.
#[derive(Serialize)]
struct Tail<'a> {
    offset: u64,
    span: (u32, u32),
    finding: String,
    rule: &'a str,
    severity: crate::rule::Severity,
    confidence: crate::rule::Confidence,
    category: crate::rule::Category,
    surface: Surface,
    field: crate::record::Field,
    part: crate::record::Part,
    name: &'a str,
    via: &'a [Box<str>],
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    route: Option<&'a str>,
    time: Option<String>,
    client: Option<String>,
    method: Option<String>,
    status: Option<u16>,
    length: usize,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a crate::secret::Revealed>,
    excerpt: &'a str,
    baseline: Mark,
    suppressed: Option<&'static str>,
}

/// An exposure as it goes into the stream.
#[allow(clippy::too_many_arguments)] // an exposure and everything it was seen with
pub fn event(
    e: &Exposure,
    rule: &RuleSpec,
    surface: Surface,
    source: &str,
    finding: u64,
    (mark, suppressed): (Mark, Option<&'static str>),
    client: Option<String>,
    record: &Record,
    excerpt: &str,
    span: (u32, u32),
    position: Position,
) -> Event {
    let json = |v: Result<String, serde_json::Error>| v.unwrap_or_default();
    let mut head = json(serde_json::to_string(&Head {
        r#type: "exposure",
        source,
    }));
    head.pop();
    // A line's number is known when those before it have been counted.
    let line = match position {
        Position::Line(n) => {
            head.push_str(",\"line\":");
            Some(n)
        }
        Position::Entry(n) => {
            head.push_str(&format!(",\"entry\":{n}"));
            None
        }
        Position::Row(n) => {
            head.push_str(&format!(",\"row\":{n}"));
            None
        }
    };
    let tail = Tail {
        offset: e.span.start,
        span,
        finding: crate::secret::hex16(finding),
        rule: &rule.id,
        severity: e.severity,
        confidence: e.confidence,
        category: rule.category,
        surface,
        field: e.field,
        part: e.part,
        name: &e.name,
        via: &e.via,
        scheme: e.scheme.as_deref(),
        host: e.host.as_deref(),
        route: e.route.as_deref(),
        time: e.time.map(|t| t.to_string()),
        client,
        method: record.method.map(|m| crate::scan::method(m.bytes())),
        status: record.status,
        length: e.length,
        fingerprint: e.fingerprint.to_string(),
        value: e.revealed.as_ref(),
        excerpt,
        baseline: mark,
        suppressed,
    };
    let tail = json(serde_json::to_string(&tail));
    Event {
        head,
        tail: format!(",{}", tail.strip_prefix('{').unwrap_or(&tail)),
        line,
    }
}

/// Writes the stream. The first error stops it, and the scan with it; [`Stream::finish`] gives it.
pub struct Stream<W: Write> {
    out: W,
    stop: Stop,
    error: Option<io::Error>,
}

impl<W: Write> Stream<W> {
    /// A stream to `out`; `stop` ends the scan where nothing more can be written.
    pub fn new(out: W, stop: Stop) -> Self {
        Stream {
            out,
            stop,
            error: None,
        }
    }

    fn put(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.error.is_none() {
            self.error = write(&mut self.out).err();
            if self.error.is_some() {
                self.stop.ask(Why::OutputGone);
            }
        }
    }

    /// Closes the stream with diagnostics and the summary.
    pub fn finish(mut self, report: &Report) -> io::Result<()> {
        for d in &report.diagnostics {
            self.put(|out| object(out, "diagnostic", d));
        }
        self.put(|out| object(out, "summary", &report.summary));
        self.put(Write::flush);
        self.error.map_or(Ok(()), Err)
    }
}

fn object(out: &mut impl Write, name: &str, value: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    writeln!(
        out,
        "{{\"type\":\"{name}\",{}",
        json.strip_prefix('{').unwrap_or(&json)
    )
}

impl<W: Write> Sink for Stream<W> {
    fn exposure(&mut self, event: &Event, line: Option<u64>) {
        self.put(|out| {
            out.write_all(event.head.as_bytes())?;
            if let Some(line) = line {
                write!(out, "{line}")?;
            }
            out.write_all(event.tail.as_bytes())?;
            out.write_all(b"\n")
        });
    }

    fn source(&mut self, source: &Source) {
        self.put(|out| object(out, "source", source));
    }

    fn idle(&mut self) {
        self.put(Write::flush);
    }
}
