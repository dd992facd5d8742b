//! GitLab's code quality report (GitLab, "Code Quality", "Implement a custom tool"): one object a finding.

use super::{Report, location, words};
use crate::rule::Severity;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    /// Tells findings of two pipelines apart: neither a line nor a credential is in it.
    fingerprint: &'a str,
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
    let issues: Vec<Issue> = report
        .findings
        .iter()
        .map(|f| Issue {
            description: words::sentence(f),
            check_name: &f.rule,
            fingerprint: &f.id,
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
        })
        .collect();
    serde_json::to_writer_pretty(&mut out, &issues)?;
    out.write_all(b"\n")
}
