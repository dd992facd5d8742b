//! GitLab's code quality report (GitLab, "Code Quality", "Implement a custom tool"): one object a finding that nobody
//! has accepted, and one for each source that was not read whole: a report without issues has to mean that there are
//! none.

use super::{Report, location, words};
use crate::rule::Severity;
use serde::Serialize;
use std::io::{self, Write};

/// What stands for a rule's id where a source was not read whole.
const UNREAD: &str = "plainsight-not-read-whole";

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    /// Tells findings of two pipelines apart: neither a line nor a credential is in it.
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
}

/// Writes the array.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let findings = report
        .findings
        .iter()
        .filter(|f| f.suppressed.is_none())
        .map(|f| Issue {
            description: words::sentence(f),
            check_name: &f.rule,
            fingerprint: f.id.clone(),
            severity: match f.severity {
                Severity::Critical => "blocker",
                Severity::High => "critical",
                Severity::Medium => "major",
                Severity::Low => "minor",
                Severity::Info => "info",
            },
            location: Location {
                path: location::relative(location::of(report, f)),
                lines: Lines {
                    begin: f.evidence.first().map_or(1, |e| words::line(e.position)),
                },
            },
        });
    let unread = report.unread().map(|s| Issue {
        description: format!("{}: {}", s.status, s.problem.as_deref().unwrap_or_default()),
        check_name: UNREAD,
        fingerprint: blake3::hash(format!("{UNREAD} {}", s.path).as_bytes()).to_hex()[..16].to_string(),
        severity: "major",
        location: Location {
            path: location::relative(&s.path),
            lines: Lines { begin: 1 },
        },
    });
    let issues: Vec<Issue> = findings.chain(unread).collect();
    serde_json::to_writer_pretty(&mut out, &issues)?;
    out.write_all(b"\n")
}
