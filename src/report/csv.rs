//! The findings as comma-separated values (RFC 4180), one row each, for spreadsheets. No cell begins with what a
//! spreadsheet takes for a formula: log content is attacker-written.

use super::model::FindingReport;
use super::{Report, words};
use std::borrow::Cow;
use std::io::{self, Write};

type Column = (&'static str, fn(&FindingReport) -> String);

/// Names of the columns, and what stands in them.
const COLUMNS: &[Column] = &[
    ("severity", |f| f.severity.to_string()),
    ("title", |f| f.title.clone()),
    ("host", |f| f.host.clone().or(f.site.clone()).unwrap_or_default()),
    ("route", |f| f.route.clone().unwrap_or_default()),
    ("name", |f| f.name.clone()),
    ("exposures", |f| f.exposures.to_string()),
    ("credentials", |f| f.credentials.to_string()),
    ("clients", |f| f.clients.to_string()),
    ("estimated", |f| f.estimated.join(" ")),
    ("first_seen", |f| time(f.first_seen)),
    ("last_seen", |f| time(f.last_seen)),
    ("liveness", |f| f.liveness.state.to_string()),
    ("valid_until", |f| time(f.liveness.until)),
    ("identity", |f| words::identity(&f.identity)),
    ("signs", |f| {
        let all: Vec<String> = f.signs.iter().map(words::sign).collect();
        all.join(" | ")
    }),
    ("leaked_to", |f| f.leaked_to.join(" ")),
    ("next_step", |f| {
        words::first_step(f).map_or(String::new(), |s| s.title.to_string())
    }),
    ("confidence", |f| f.confidence.to_string()),
    ("category", |f| f.category.to_string()),
    ("rule", |f| f.rule.clone()),
    ("surface", |f| f.surface.to_string()),
    ("field", |f| f.field.to_string()),
    ("part", |f| f.part.to_string()),
    ("via", |f| f.via.join(" ")),
    ("scheme", |f| f.scheme.unwrap_or_default().to_string()),
    ("source", |f| {
        f.evidence.first().map_or(String::new(), |e| e.source.clone())
    }),
    ("position", |f| {
        f.evidence
            .first()
            .map_or(String::new(), |e| words::position(e.position))
    }),
    ("excerpt", |f| {
        f.evidence.first().map_or(String::new(), |e| e.excerpt.clone())
    }),
    ("references", |f| f.references.join("; ")),
    ("baseline", |f| f.baseline.to_string()),
    ("id", |f| f.id.clone()),
    ("suppressed", |f| {
        f.suppressed
            .as_ref()
            .map_or(String::new(), |s| format!("{}: {}", s.by, s.reason))
    }),
];

/// Writes a row of names and one for each finding.
pub fn write(report: &Report, out: impl Write) -> io::Result<()> {
    let mut rows = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out);
    rows.write_record(COLUMNS.iter().map(|(name, _)| name))?;
    for f in &report.findings {
        rows.write_record(COLUMNS.iter().map(|(_, cell)| text(cell(f)).into_owned()))?;
    }
    rows.flush()
}

fn time(t: Option<crate::time::Instant>) -> String {
    t.map_or(String::new(), |t| t.to_string())
}

/// A cell that is text to every spreadsheet: an apostrophe stands before what begins as a formula (OWASP, "CSV
/// Injection"; full-width signs count in East Asian locales).
fn text(cell: String) -> Cow<'static, str> {
    let formula = match cell.chars().next() {
        Some('=' | '+' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => true,
        Some('-') => cell.len() > 1,
        _ => false,
    };
    if formula {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in [
            "=1+1", "+1", "@SUM(A1)", "-1", "-cmd|x", "\tx", "\rx", "\n=1", "＝1",
        ] {
            assert_eq!(text(cell.into()), format!("'{cell}"));
        }
        for cell in ["", "-", "a=b", "'=1", "1-1"] {
            assert_eq!(text(cell.into()), cell);
        }
    }
}
