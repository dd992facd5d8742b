//! Annotations for GitHub Actions: one workflow command a finding that nobody has accepted, worst first, escaped as the runner undoes it
//! (GitHub, "Workflow commands for GitHub Actions"; actions/toolkit, `core/src/command.ts`).

use super::{Report, words};
use crate::rule::Severity;
use std::io::{self, Write};

/// Findings that are annotated, at most: GitHub shows 10 errors, 10 warnings and 10 notices of a step.
const FINDINGS: usize = 50;

/// Writes the commands.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let open = report.findings.iter().filter(|f| f.suppressed.is_none());
    for f in open.clone().take(FINDINGS) {
        let level = match f.severity {
            Severity::Critical | Severity::High => "error",
            Severity::Medium => "warning",
            Severity::Low | Severity::Info => "notice",
        };
        let mut place = String::new();
        if let Some(e) = f.evidence.first() {
            place = format!("file={},line={},", property(&e.source), words::line(e.position));
        }
        let title = property(&format!("{} ({})", f.title, f.severity));
        let message = data(&words::sentence(f));
        writeln!(out, "::{level} {place}title={title}::{message}")?;
    }
    for s in report.unread().take(FINDINGS) {
        let message = format!("{}: {}", s.status, s.problem.as_deref().unwrap_or_default());
        writeln!(
            out,
            "::error file={},title=Not read whole::{}",
            property(&s.path),
            data(&message)
        )?;
    }
    let mut verdict = format!("{} {}", words::verdict(report), words::gate(report));
    let all = open.count();
    if all > FINDINGS {
        verdict.push_str(&format!(
            " The {FINDINGS} worst of {} findings are annotated.",
            words::count(all as u64)
        ));
    }
    if let Some(text) = words::selection(&report.selection) {
        verdict.push_str(&format!(" Note: {text}."));
    }
    writeln!(out, "::notice title=plainsight::{}", data(&verdict))
}

/// A command's message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of one of its properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_property_or_a_command_is_escaped() {
        assert_eq!(property("a,line=9::x%0A\r\n"), "a%2Cline=9%3A%3Ax%250A%0D%0A");
        assert_eq!(data("100%: a,b\n::error::x"), "100%25: a,b%0A::error::x");
    }
}
