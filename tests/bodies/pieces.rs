//! Bodies for the pieces that lines go through: blocks and windows, formats of lines, encodings, URLs, the
//! prefilter.

use super::{catalogue, config, within};
use plainsight::detect::Detector;
use plainsight::detect::prefilter::Prefilter;
use plainsight::format::LineReader;
use plainsight::format::compile;
use plainsight::format::template::{Fit, Ranges};
use plainsight::input::lines::{OVERLAP, READ, Run, Runs, WINDOW};
use plainsight::record::{Content, Field, Record, Surface};
use plainsight::rule::checksum::jwt_parts;
use plainsight::text::{Base, Coding, Text, json};
use plainsight::url::{Params, Url, host, route};
use std::sync::OnceLock;

const SOURCE: Base<'static> = Base::Source { offset: 0 };

/// Two bytes that choose, and the rest.
fn choice(data: &[u8]) -> Option<(u8, u8, &[u8])> {
    match data {
        [a, b, rest @ ..] => Some((*a, *b, rest)),
        _ => None,
    }
}

/// Every byte comes in order, once or in the overlap of two windows, however the file is cut and whatever reads give.
/// A byte 0xFF stands for 300 KiB, so that short inputs have lines that are longer than a window.
pub fn runs(data: &[u8]) {
    let Some((a, b, rest)) = choice(data) else { return };
    let mut bytes = Vec::new();
    let mut long = 0;
    for &byte in rest {
        if byte == 0xFF && long < 9 {
            long += 1;
            bytes.resize(bytes.len() + (300 << 10), b'x');
        } else {
            bytes.push(byte);
        }
    }
    let size = bytes.len() as u64;
    let steps = [1, 7, 1000, READ - 1, READ];
    let step = if long > 0 {
        READ - 3
    } else {
        steps[usize::from(a) % 5]
    };
    let part = match b {
        0 => u64::MAX / 4,
        _ => u64::from(b).max(size / 40 + 1),
    };
    let (mut start, mut covered) = (0, 0u64);
    while start == 0 || start < size {
        let end = start.saturating_add(part);
        let mut runs = Runs::new(Vec::new(), start.saturating_sub(1), end, start > 0);
        let read = |buf: &mut [u8], at: u64| {
            let rest = &bytes[(at as usize).min(bytes.len())..];
            let n = rest.len().min(step).min(buf.len());
            buf[..n].copy_from_slice(&rest[..n]);
            Ok(n)
        };
        let each = |run: Run| {
            let (offset, got, back) = match run {
                Run::Lines { offset, bytes } => (offset, bytes, 0),
                Run::Window {
                    offset, bytes, first, ..
                } => {
                    assert!(bytes.len() <= WINDOW + 2 * READ, "a window of {}", bytes.len());
                    (offset, bytes, if first { 0 } else { OVERLAP as u64 })
                }
            };
            assert_eq!(offset, covered - back, "a gap or a repetition");
            let end = offset as usize + got.len();
            assert!(bytes[offset as usize..end] == *got, "other bytes");
            covered = end as u64;
            true
        };
        runs.drive(read, each).unwrap();
        start = end;
    }
    assert_eq!(covered, size, "the end is missing");
}

/// A server's own format string, and lines that are read with it.
pub fn template(data: &[u8]) {
    let mut parts = data.splitn(2, |&b| b == b'\n');
    let Ok(format) = std::str::from_utf8(parts.next().unwrap_or_default()) else {
        return;
    };
    let Some(syntax) = compile::guess(format) else {
        return;
    };
    let escape = compile::default_escape(syntax);
    let Ok(template) = compile::compile(format, syntax, escape, false) else {
        return;
    };
    for line in parts.next().unwrap_or_default().split(|&b| b == b'\n') {
        let (text, mut ranges) = (Text::new(line, &SOURCE), Ranges::new());
        for fit in [Fit::Exact, Fit::Extra, Fit::Relaxed] {
            if template.fits(text, fit, &mut ranges) {
                template.read(text, &ranges, 0, &mut |r| within(r, line.len() as u64));
            }
        }
    }
}

/// Lines of any format: each gives records that stand in it, and the same ones again.
pub fn lines(data: &[u8]) {
    read_lines(data, false);
}

/// Lines after `#Fields`.
pub fn w3c(data: &[u8]) {
    read_lines(data, true);
}

fn read_lines(data: &[u8], headers: bool) {
    let mut reader = LineReader::new(catalogue(), headers);
    for line in data.split(|&b| b == b'\n') {
        let before = reader.fields.clone();
        let mut first = Vec::new();
        let read = reader.read(Text::new(line, &SOURCE), &mut |r| {
            within(r, line.len() as u64);
            first.push((r.carriers.len(), r.status, r.format));
        });
        let mut second = Vec::new();
        reader.fields = before;
        let again = reader.read(Text::new(line, &SOURCE), &mut |r| {
            second.push((r.carriers.len(), r.status, r.format));
        });
        assert_eq!((read, first), (again, second));
    }
}

/// What is a JSON object is read as one, with as many values as it has.
pub fn json_lines(data: &[u8]) {
    for line in data.split(|&b| b == b'\n') {
        let text = Text::new(line, &SOURCE);
        let ours = json::read(text);
        if let Some(doc) = &ours {
            assert!(doc.end <= line.len());
            for m in &doc.members {
                let span = m.value.span();
                assert!(span.end <= line.len() as u64, "{span:?}");
            }
        }
        if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(line) {
            let doc = ours.expect("an object that is none");
            let leaves: usize = object.values().map(leaves).sum();
            // Names may come twice, and what is nested very deeply is left.
            assert!(
                !doc.whole || doc.members.len() >= leaves,
                "{} of {leaves}",
                doc.members.len()
            );
        }
    }
    read_lines(data, false);
}

fn leaves(v: &serde_json::Value) -> usize {
    match v {
        serde_json::Value::Array(a) => a.iter().map(leaves).sum(),
        serde_json::Value::Object(o) => o.values().map(leaves).sum(),
        _ => 1,
    }
}

const CODINGS: [Coding; 7] = [
    Coding::Percent,
    Coding::Backslash,
    Coding::Json,
    Coding::Hash,
    Coding::Base64,
    Coding::DoubledQuote,
    Coding::Html,
];

/// What was decoded stands in what is said to hold it, and what is encoded decodes to itself.
pub fn coding(data: &[u8]) {
    let Some((a, b, raw)) = choice(data) else { return };
    for coding in CODINGS {
        let plain = coding.decode(raw);
        let from = usize::from(a).min(plain.len());
        let to = (from + usize::from(b)).min(plain.len());
        let there = coding.locate(raw, from..to);
        assert!(
            there.start <= there.end && there.end <= raw.len(),
            "{coding:?} {there:?}"
        );
        if coding != Coding::Base64 && from < to {
            let again = coding.decode(&raw[there.clone()]);
            let held = again.windows(to - from).any(|w| *w == plain[from..to]);
            assert!(held, "{coding:?} {there:?}");
        }
        let base = Base::decoded(Text::new(raw, &SOURCE), coding);
        let span = Text::new(&plain, &base).slice(from..to).span();
        assert!(span.end <= raw.len() as u64);
    }
    let percent: String = raw.iter().map(|b| format!("%{b:02X}")).collect();
    assert_eq!(*Coding::Percent.decode(percent.as_bytes()), *raw);
    for alphabet in [data_encoding::BASE64, data_encoding::BASE64URL_NOPAD] {
        let packed = alphabet.encode(raw);
        if raw.len() > 2 {
            assert_eq!(*Coding::Base64.decode(packed.as_bytes()), *raw);
        }
    }
    jwt_parts(raw);
    let head = data_encoding::BASE64URL_NOPAD.encode(b"{\"alg\":\"none\"}");
    let body = data_encoding::BASE64URL_NOPAD.encode(raw);
    if let Some((_, got)) = jwt_parts(format!("{head}.{body}.x").as_bytes()) {
        assert_eq!(got, raw);
    }
}

/// A URL's pieces are its bytes in order, and what is nested in it is followed without leaving it.
pub fn url(data: &[u8]) {
    let text = Text::new(data, &SOURCE);
    let url = Url::parse(text);
    let pieces = [
        url.scheme,
        url.userinfo,
        url.authority,
        Some(url.path),
        url.query,
        url.fragment,
    ];
    let mut at = 0;
    for piece in pieces.into_iter().flatten() {
        let span = piece.span();
        assert!(
            span.start >= at && span.end <= data.len() as u64,
            "{span:?} after {at}"
        );
        at = span.end;
    }
    for p in Params::new(text).chain(Params::cookies(text)) {
        assert!(p.name.span().start <= p.value.span().end);
    }
    host::normalize(data);
    assert!(route::route(url.path.bytes()).len() < 4096);
    let c = config();
    let mut detector = Detector::new(&c.rules, &c.key, &c.clock, &c.parties);
    let mut record = Record::default();
    record.push(Field::Url, Content::Url(url));
    record.push(Field::Referer, Content::Url(url));
    let (mut found, mut masks) = (Vec::new(), Vec::new());
    detector.scan(&record, data, Surface::ServerLog, &mut found, &mut masks);
    for e in &found {
        assert!(
            e.span.start < e.span.end && e.span.end <= data.len() as u64,
            "{:?}",
            e.span
        );
    }
    let mut spans: Vec<_> = found
        .iter()
        .filter(|e| !e.echo && e.field == Field::Url)
        .map(|e| e.span.clone())
        .collect();
    spans.sort_by_key(|s| s.start);
    assert!(
        spans.windows(2).all(|w| w[0].end <= w[1].start || w[0] == w[1]),
        "{spans:?}"
    );
}

/// Where a line holds an exposure, the prefilter lets it through.
pub fn prefilter(data: &[u8]) {
    static PREFILTER: OnceLock<Prefilter<'static>> = OnceLock::new();
    let c = config();
    let prefilter = PREFILTER.get_or_init(|| Prefilter::new(&c.rules, &c.formats.triggers()));
    let mut candidates = Vec::new();
    prefilter.candidates(data, &mut candidates);
    let mut detector = Detector::new(&c.rules, &c.key, &c.clock, &c.parties);
    let mut reader = LineReader::new(catalogue(), false);
    let mut at = 0;
    for line in data.split(|&b| b == b'\n') {
        let end = at + line.len();
        let (mut found, mut masks) = (Vec::new(), Vec::new());
        reader.read(Text::new(line, &SOURCE), &mut |r| {
            let surface = c.formats.get(r.format).spec.surface;
            detector.scan(r, line, surface, &mut found, &mut masks);
        });
        if let Some(e) = found.first() {
            let through = candidates.iter().any(|c| (at..=end).contains(&c.at));
            assert!(
                through,
                "{:?} of {} is lost",
                c.rules.rules[usize::from(e.rule)].spec.id,
                e.span.start
            );
        }
        at = end + 1;
    }
}
