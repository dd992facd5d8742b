//! What outputs say in words and figures, so that all of them say it alike.

use super::Report;
use super::model::{FindingReport, PositionReport, Selection};
use crate::advice::{Given, Step};
use crate::detect::liveness::State as Life;
use crate::record::{Field, Part};
use crate::rule::Severity;
use std::fmt::Write as _;

/// What was found, in one sentence, and whether all was read.
pub fn verdict(report: &Report) -> String {
    let s = &report.summary;
    let by: Vec<String> = s
        .by_severity
        .iter()
        .rev()
        .filter(|(v, n)| **n > 0 && **v > Severity::Info)
        .map(|(v, n)| format!("{n} {v}"))
        .collect();
    let leaks: u64 = s
        .by_severity
        .iter()
        .filter(|(v, _)| **v > Severity::Info)
        .map(|(_, n)| n)
        .sum();
    let whole = if s.complete {
        ""
    } else {
        " The scan is INCOMPLETE: see below."
    };
    if leaks == 0 {
        return format!("No credential found in {}.{whole}", plural(s.records, "record"));
    }
    let hidden = match s.suppressed {
        0 => String::new(),
        n => format!(" ({} of them accepted)", count(n)),
    };
    let about = if s.estimated.contains(&"credentials") {
        "about "
    } else {
        ""
    };
    format!(
        "{}: {} leaked credential{}{hidden} at {} place{}, {about}{} distinct value{}.{whole}",
        by.join(", "),
        plural(leaks, "kind of").replace("kind ofs", "kinds of"),
        if leaks == 1 { "" } else { "s" },
        count(s.exposures),
        if s.exposures == 1 { "" } else { "s" },
        count(s.credentials),
        if s.credentials == 1 { "" } else { "s" },
    )
}

/// How a sentence ends that must not be taken for all is well.
pub const UNREAD: &str = "; the scan is INCOMPLETE: not all was read.";

/// What was looked for where that is not the usual, in one sentence; none where it is.
pub fn selection(s: &Selection) -> Option<String> {
    let mut said = Vec::new();
    let mut list = |before: &str, all: &[String]| {
        if !all.is_empty() {
            said.push(format!("{before} {}", all.join(", ")));
        }
    };
    list("only the rules", &s.only);
    list("not the rules", &s.skip);
    list("also the rules", &s.with);
    if let Some(t) = s.since {
        said.push(format!("no record before {t}"));
    }
    if let Some(t) = s.until {
        said.push(format!("no record from {t} on"));
    }
    if let Some(c) = s.min_confidence {
        said.push(format!("nothing under the confidence {c}"));
    }
    (!said.is_empty()).then(|| {
        format!(
            "this is what was asked for, not all there may be: {}",
            said.join("; ")
        )
    })
}

/// What the gate says.
pub fn gate(report: &Report) -> String {
    let g = &report.gate;
    if let Some(n) = g.accepted {
        let left = match g.failing {
            0 => String::new(),
            n => format!(
                " FAILED, {} more stand under expired entries.",
                plural(n, "finding")
            ),
        };
        return format!(
            "Gate: {} in the baseline that was written.{left}",
            plural(n, "entry")
        );
    }
    match (g.failing, g.fail_on.as_str()) {
        (_, "never") => {
            let end = if report.summary.complete { "." } else { UNREAD };
            format!("Gate: off (--fail-on never){end}")
        }
        (0, at) if !report.summary.complete => {
            format!("Gate: open, nothing at {at} or over in what was read, but not all was read.")
        }
        (0, at) => format!("Gate: passed, nothing at {at} or over."),
        (n, at) => format!("Gate: FAILED, {} at {at} or over.", plural(n, "finding")),
    }
}

/// `?token= in the URL`: where in a record a credential stands.
pub fn spot(f: Field, part: Part, name: &str) -> String {
    let field = field(f);
    match part {
        Part::Query => format!("?{name}= in the {field}"),
        Part::Fragment => format!("#{name}= in the {field}"),
        Part::Userinfo => format!("user:password@ in the {field}"),
        Part::Path => format!("in the path of the {field}"),
        _ if name.is_empty() => format!("in the {field}"),
        _ => format!("{name} in the {field}"),
    }
}

/// `?token= in the URL inside dl`: where in a record the credentials of a finding stand.
pub fn place(f: &FindingReport) -> String {
    let mut out = spot(f.field, f.part, &f.name);
    if !f.via.is_empty() {
        let _ = write!(out, " inside {}", f.via.join(" > "));
    }
    out
}

/// The field as a word of a sentence.
pub fn field(field: Field) -> &'static str {
    match field {
        Field::Url => "URL",
        Field::Referer => "Referer",
        other => other.as_str(),
    }
}

/// A sign of abuse in a sentence: kind, how sure, what, who.
pub fn sign(s: &super::Sign) -> String {
    let who = if s.clients.is_empty() {
        String::new()
    } else {
        format!(" ({})", some(&s.clients, 3))
    };
    format!("{}, {}: {}{who}", s.kind, s.sure, s.detail)
}

/// What credentials tell of themselves: `issuer a, b; subject c`.
pub fn identity(told: &[super::model::Told]) -> String {
    let mut out = String::new();
    let mut last = "";
    for t in told {
        let before = match (out.is_empty(), t.kind == last) {
            (true, _) => format!("{} ", t.kind),
            (_, true) => ", ".into(),
            _ => format!("; {} ", t.kind),
        };
        let _ = write!(out, "{before}{}", t.value);
        last = &t.kind;
    }
    out
}

/// Whose it is: host and route; where there is no host, the site that the source's name stands for.
pub fn owner(f: &FindingReport) -> String {
    let route = f.route.as_deref().unwrap_or_default();
    match (&f.host, &f.site) {
        (Some(host), _) => format!("{host}{route}"),
        (None, Some(site)) if route.is_empty() => site.clone(),
        (None, Some(site)) => format!("{route} ({site})"),
        (None, None) => route.to_string(),
    }
}

/// A finding in plain words, in one line.
pub fn sentence(f: &FindingReport) -> String {
    let about = if f.estimated.is_empty() { "" } else { "about " };
    let mut out = format!("{}: {}", f.title, place(f));
    let owner = owner(f);
    if !owner.is_empty() {
        let _ = write!(out, ", {owner}");
    }
    let _ = write!(
        out,
        "; {} of {about}{}",
        plural(f.exposures, "exposure"),
        plural(f.credentials, "distinct value")
    );
    if f.clients > 0 {
        let _ = write!(out, ", {}", plural(f.clients, "client"));
    }
    if let Some((first, last)) = f.first_seen.zip(f.last_seen) {
        let _ = if first == last {
            write!(out, ", at {first}")
        } else {
            write!(out, ", from {first} to {last}")
        };
    }
    let _ = write!(out, "; {}.", life(f.liveness.state));
    let likely = |s: &&super::Sign| s.sure == crate::rule::severity::Sure::Likely;
    for sign in f.signs.iter().filter(likely) {
        let _ = write!(out, " Sign of abuse, {}: {}.", sign.kind, sign.detail);
    }
    if !f.leaked_to.is_empty() {
        let _ = write!(out, " Received by {}.", some(&f.leaked_to, 5));
    }
    if let Some(step) = first_step(f) {
        let _ = write!(out, " What to do: {}.", step.title.trim_end_matches('.'));
    }
    out
}

/// The step that stops the leak, else the first of all.
pub fn first_step(f: &FindingReport) -> Option<&Given> {
    let stops = f.advice.iter().find(|a| a.kind == Step::Source);
    stops.or(f.advice.first())
}

/// What can be said offline of whether a credential lives.
pub fn life(state: Life) -> &'static str {
    match state {
        Life::Unexpired => "has not expired",
        Life::Expired => "has expired",
        Life::NoExpiry => "never expires",
        Life::Retired => "its kind has been retired",
        Life::Unknown => "expiry unknown",
    }
}

/// `line 3`.
pub fn position(p: PositionReport) -> String {
    match p {
        PositionReport::Line(n) => format!("line {n}"),
        PositionReport::Entry(n) => format!("entry {n}"),
        PositionReport::Row(n) => format!("row {n}"),
    }
}

/// The line, where there are lines; else the first.
pub fn line(p: PositionReport) -> u64 {
    match p {
        PositionReport::Line(n) => n.max(1),
        PositionReport::Entry(_) | PositionReport::Row(_) => 1,
    }
}

/// The first few of a list, and how many there are beyond.
pub fn some(all: &[String], most: usize) -> String {
    let shown = all.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The steps of several findings, each once, in the order in which steps are taken, with the number of findings
/// that get it; filled in for the first of them.
pub fn steps<'a>(findings: impl Iterator<Item = &'a FindingReport>) -> Vec<(&'a Given, u64)> {
    let mut seen: Vec<(&Given, u64)> = Vec::new();
    for given in findings.flat_map(|f| &f.advice) {
        match seen.iter_mut().find(|(g, _)| g.id == given.id) {
            Some((_, n)) => *n += 1,
            None => seen.push((given, 1)),
        }
    }
    seen.sort_by_key(|(g, _)| g.kind); // stable: what the worst finding gets stays first
    seen
}

/// A piece of a text of advice or of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Whether it is code.
    pub code: bool,
    /// The piece.
    pub text: &'a str,
}

/// The pieces of a text: what stands between backticks is code. A text with an odd backtick is all words.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let all: Vec<&str> = text.split('`').collect();
    if all.len().is_multiple_of(2) {
        return vec![Piece { code: false, text }];
    }
    let piece = |(i, text): (usize, _)| Piece {
        code: !i.is_multiple_of(2),
        text,
    };
    all.into_iter().enumerate().map(piece).collect()
}

/// With commas.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 client`, `1,234 clients`, `2 entries`.
pub fn plural(n: u64, word: &str) -> String {
    match word.strip_suffix('y') {
        _ if n == 1 => format!("{} {word}", count(n)),
        Some(stem) => format!("{} {stem}ies", count(n)),
        None => format!("{} {word}s", count(n)),
    }
}

/// `18.3 KiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{n} bytes")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_text_is_told_by_backticks() {
        let told: Vec<(bool, &str)> = pieces("use `a` or `b`")
            .iter()
            .map(|p| (p.code, p.text))
            .collect();
        assert_eq!(
            told,
            [
                (false, "use "),
                (true, "a"),
                (false, " or "),
                (true, "b"),
                (false, "")
            ]
        );
        assert_eq!(pieces("a`b").len(), 1);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(
            (plural(1, "client"), plural(1_000, "client")),
            ("1 client".into(), "1,000 clients".into())
        );
        assert_eq!((bytes(18), bytes(18_747)), ("18 bytes".into(), "18.3 KiB".into()));
    }
}
