//! The report as one HTML page that asks nothing of any network: for those who decide and those who check. Beside
//! this file stand its template, style and script; the two latter are allowed by their hashes alone, so that
//! nothing from a log could run even if it got past the escaping. Without the script the page shows all it has.

mod flow;
mod story;
mod timeline;

use super::Report;
use super::model::{CredentialReport, EvidenceReport, FindingReport, Status};
use super::words::{self, Piece, count, pieces};
use crate::advice::Given;
use crate::detect::liveness::State as Life;
use crate::rule::Severity;
use crate::time::Instant;
use askama::Template;
use std::collections::BTreeSet;
use std::io::{self, Write};

const STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/style.css"));
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/script.js"));

/// What may be loaded and run: this page's own style and script, told by their hashes.
const POLICY: &str = concat!(
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-",
    env!("PLAINSIGHT_STYLE_SHA256"),
    "'; script-src 'sha256-",
    env!("PLAINSIGHT_SCRIPT_SHA256"),
    "'"
);

/// Findings that are listed, and of those how many with their remedies in full.
const FINDINGS: usize = 2_000;
const FULL: usize = 250;

/// Credentials and sources that are listed, at most.
const CREDENTIALS: usize = 50;
const SOURCES: usize = 500;

/// Writes the page.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let page = Page::new(report);
    page.write_into(&mut out).map_err(io::Error::other)?;
    out.write_all(b"\n")
}

/// What the template is filled with.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    policy: &'static str,
    style: &'static str,
    script: &'static str,
    gate: story::Gate,
    story: Vec<String>,
    severities: Vec<(Severity, u64)>,
    facts: Vec<(&'static str, String)>,
    steps: Vec<(Step<'a>, u64)>,
    timeline: Option<timeline::Timeline>,
    flow: Option<flow::Flow>,
    credentials: Vec<Credential<'a>>,
    findings: Vec<Item<'a>>,
    unlisted: u64,
    unlisted_sources: u64,
}

/// A finding as it is listed.
struct Item<'a> {
    f: &'a FindingReport,
    /// Place in the order of the report, so that the script can go back to it.
    rank: usize,
    place: String,
    owner: String,
    /// What the text filter looks in.
    text: String,
    why: &'a str,
    facts: Vec<(&'static str, String)>,
    steps: Vec<Step<'a>>,
    /// Whether its remedies stand in full, or by title alone.
    full: bool,
    evidence: Vec<Proof<'a>>,
}

/// A remedy, its text split into words and code.
struct Step<'a> {
    given: &'a Given,
    title: Vec<Piece<'a>>,
    text: Vec<Piece<'a>>,
}

/// A piece of evidence; the mask stands between the two others.
struct Proof<'a> {
    e: &'a EvidenceReport,
    position: String,
    before: &'a str,
    mask: &'a str,
    after: &'a str,
}

/// A credential and where it was seen.
struct Credential<'a> {
    c: &'a CredentialReport,
    places: Vec<(&'a str, String)>,
    more: usize,
}

impl<'a> Page<'a> {
    fn new(report: &'a Report) -> Page<'a> {
        let leaks: Vec<&FindingReport> = report
            .findings
            .iter()
            .filter(|f| f.severity > Severity::Info)
            .collect();
        let listed = &report.findings[..report.findings.len().min(FINDINGS)];
        let listed_ids: BTreeSet<&str> = listed.iter().map(|f| f.id.as_str()).collect();
        Page {
            report,
            policy: POLICY,
            style: STYLE,
            script: SCRIPT,
            gate: story::gate(report),
            story: story::story(report, &leaks),
            severities: Severity::ALL
                .iter()
                .rev()
                .map(|s| (*s, report.summary.by_severity.get(s).copied().unwrap_or(0)))
                .collect(),
            facts: story::facts(report),
            steps: words::steps(leaks.iter().copied())
                .into_iter()
                .map(|(given, n)| (step(given), n))
                .collect(),
            timeline: timeline::timeline(&leaks, &listed_ids),
            flow: flow::flow(&leaks),
            credentials: credentials(report, &listed_ids),
            findings: listed
                .iter()
                .enumerate()
                .map(|(rank, f)| item(report, f, rank))
                .collect(),
            unlisted: (report.findings.len() - listed.len()) as u64,
            unlisted_sources: report.sources.len().saturating_sub(SOURCES) as u64,
        }
    }

    /// Sources as they are listed: first those that were not read whole.
    fn sources(&self) -> impl Iterator<Item = &super::model::Source> {
        let whole = |s: &&super::model::Source| !matches!(s.status, Status::Partial | Status::Skipped);
        let rest = self.report.sources.iter().filter(whole);
        self.report.unread().chain(rest).take(SOURCES)
    }
}

fn item<'a>(report: &'a Report, f: &'a FindingReport, rank: usize) -> Item<'a> {
    let (place, owner) = (words::place(f), words::owner(f));
    let text = [
        f.title.as_str(),
        f.rule.as_str(),
        f.id.as_str(),
        f.category.as_str(),
        place.as_str(),
        owner.as_str(),
        &f.leaked_to.join(" "),
        &f.evidence
            .iter()
            .map(|e| e.source.as_str())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
            .join(" "),
    ]
    .join(" ")
    .to_lowercase();
    Item {
        f,
        rank,
        place,
        owner,
        text,
        why: report.rule(&f.rule).map_or("", |r| r.why.as_str()),
        facts: finding_facts(f),
        steps: f.advice.iter().map(step).collect(),
        full: rank < FULL,
        evidence: f.evidence.iter().map(proof).collect(),
    }
}

fn finding_facts(f: &FindingReport) -> Vec<(&'static str, String)> {
    let about = |key: &str| if f.estimated.contains(&key) { "about " } else { "" };
    let mut out = vec![
        ("Exposures", count(f.exposures)),
        (
            "Distinct values",
            format!("{}{}", about("credentials"), count(f.credentials)),
        ),
        ("Clients", format!("{}{}", about("clients"), count(f.clients))),
    ];
    if let Some((first, last)) = f.first_seen.zip(f.last_seen) {
        out.push(("First seen", clock(&first)));
        out.push(("Last seen", clock(&last)));
    }
    let mut life = words::life(f.liveness.state).to_string();
    if let Some(until) = f.liveness.until {
        life.push_str(&format!(" (until {})", clock(&until)));
    }
    if !f.liveness.basis.is_empty() {
        life.push_str(&format!(": {}", f.liveness.basis));
    }
    out.push(("Expiry", life));
    if !f.leaked_to.is_empty() {
        out.push(("Received by", words::some(&f.leaked_to, 20)));
    }
    if !f.statuses.is_empty() {
        let all: Vec<String> = f
            .statuses
            .iter()
            .map(|(k, n)| format!("{k} {}", count(*n)))
            .collect();
        out.push(("Answers", all.join(", ")));
    }
    if !f.identity.is_empty() {
        out.push(("Whose it is", words::identity(&f.identity)));
    }
    for sign in &f.signs {
        out.push(("Sign of abuse", words::sign(sign)));
    }
    out.push(("Found in", format!("{}, {}", f.surface, words::field(f.field))));
    out.push((
        "Severity",
        if f.severity_basis.is_empty() {
            f.severity.to_string()
        } else {
            format!("{}: {}", f.severity, f.severity_basis.join(", "))
        },
    ));
    out.push(("Confidence", f.confidence.to_string()));
    if f.baseline != crate::gate::Mark::New {
        out.push(("Against the baseline", f.baseline.to_string()));
    }
    if let Some(s) = &f.suppressed {
        out.push(("Accepted", format!("{}: {}", s.by, s.reason)));
    }
    if !f.references.is_empty() {
        out.push(("References", f.references.join("; ")));
    }
    out.push(("Rule", f.rule.clone()));
    out.push(("Finding", f.id.clone()));
    out
}

fn step(given: &Given) -> Step<'_> {
    Step {
        given,
        title: pieces(&given.title),
        text: pieces(&given.text),
    }
}

fn proof(e: &EvidenceReport) -> Proof<'_> {
    let (start, end) = (e.span.0 as usize, e.span.1 as usize);
    let piece = |range: std::ops::Range<usize>| e.excerpt.get(range);
    let split = piece(0..start)
        .zip(piece(start..end))
        .zip(piece(end..e.excerpt.len()));
    let ((before, mask), after) = split.unwrap_or(((&e.excerpt, ""), ""));
    Proof {
        e,
        position: words::position(e.position),
        before,
        mask,
        after,
    }
}

/// Those seen in several findings, surfaces or by several clients.
fn credentials<'a>(report: &'a Report, listed: &BTreeSet<&str>) -> Vec<Credential<'a>> {
    const PLACES: usize = 6;
    let titles: std::collections::BTreeMap<&str, &FindingReport> =
        report.findings.iter().map(|f| (f.id.as_str(), f)).collect();
    report
        .credentials
        .iter()
        .filter(|c| c.findings.len() > 1 || c.surfaces.len() > 1 || c.clients > 1)
        .take(CREDENTIALS)
        .map(|c| {
            let places: Vec<(&str, String)> = c
                .findings
                .iter()
                .filter(|id| listed.contains(id.as_str()))
                .filter_map(|id| {
                    let f = titles.get(id.as_str())?;
                    Some((id.as_str(), format!("{}, {}", words::place(f), words::owner(f))))
                })
                .take(PLACES)
                .collect();
            Credential {
                more: c.findings.len() - places.len(),
                c,
                places,
            }
        })
        .collect()
}

/// `2026-03-03`.
fn day(t: &Instant) -> String {
    t.to_string().chars().take(10).collect()
}

/// `2026-03-03 06:00:00 UTC`, without fractions.
fn clock(t: &Instant) -> String {
    let text = t.to_string();
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

/// A time that may not be known.
fn maybe(t: &Option<Instant>) -> String {
    t.as_ref().map_or("–".into(), clock)
}

// The template passes references.

fn number(n: &u64) -> String {
    count(*n)
}

fn plural(n: &u64, word: &str) -> String {
    words::plural(*n, word)
}

fn size(n: &u64) -> String {
    words::bytes(*n)
}

fn life(state: &Life) -> &'static str {
    words::life(*state)
}

fn zero(n: &u64) -> bool {
    *n == 0
}

/// What sorts severities.
fn weight(severity: &Severity) -> u8 {
    *severity as u8
}

/// At most so many characters.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_times_are_plain() {
        assert_eq!(short("äöü", 3), "äöü");
        assert_eq!(short("äöüß", 3), "äö…");
        assert_eq!(clock(&Instant(1_500_000)), "1970-01-01 00:00:01 UTC");
    }
}
