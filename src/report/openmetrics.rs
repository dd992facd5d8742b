//! Counts as OpenMetrics text (OpenMetrics 1.0), for a textfile collector or a push gateway: gauges of the last run.

use super::Report;
use super::model::Status;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes the families and the end mark.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    let s = &report.summary;
    let mut text = String::new();
    let t = &mut text;
    let version = format!("version=\"{}\"", escape(report.tool.version));
    family(t, "plainsight_tool", "info", "What made this.");
    let _ = writeln!(t, "plainsight_tool_info{{{version}}} 1");
    gauge(t, "plainsight_findings", "Findings by severity.");
    for (severity, n) in &s.by_severity {
        sample(t, "plainsight_findings", &[("severity", severity.as_str())], *n);
    }
    for (name, help, n) in [
        ("plainsight_exposures", "Credentials at places.", s.exposures),
        ("plainsight_credentials", "Distinct credentials.", s.credentials),
        (
            "plainsight_clients",
            "Distinct clients that sent them.",
            s.clients,
        ),
        (
            "plainsight_records",
            "Lines, entries and rows that were read.",
            s.records,
        ),
        (
            "plainsight_suppressed_findings",
            "Findings that a baseline or an allow entry hides.",
            s.suppressed,
        ),
        (
            "plainsight_failing_findings",
            "Findings that fail the gate.",
            report.gate.failing,
        ),
        (
            "plainsight_complete",
            "1 where everything asked for was read whole.",
            s.complete.into(),
        ),
    ] {
        gauge(t, name, help);
        sample(t, name, &[], n);
    }
    gauge(t, "plainsight_read_bytes", "Decompressed bytes that were read.");
    let _ = writeln!(t, "# UNIT plainsight_read_bytes bytes");
    sample(t, "plainsight_read_bytes", &[], s.bytes);
    gauge(t, "plainsight_clock_timestamp_seconds", "What was taken for now.");
    let _ = writeln!(t, "# UNIT plainsight_clock_timestamp_seconds seconds");
    let _ = writeln!(t, "plainsight_clock_timestamp_seconds {}", report.clock.seconds());
    gauge(t, "plainsight_sources", "Sources by what came of them.");
    for status in Status::ALL {
        let n = report.sources.iter().filter(|s| s.status == *status).count();
        sample(t, "plainsight_sources", &[("status", status.as_str())], n as u64);
    }
    gauge(
        t,
        "plainsight_rule_exposures",
        "Credentials at places, by rule and severity of the finding, of the findings shown.",
    );
    let mut by_rule: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for f in &report.findings {
        *by_rule.entry((&f.rule, f.severity.as_str())).or_default() += f.exposures;
    }
    for ((rule, severity), n) in by_rule {
        let labels = [("rule", rule), ("severity", severity)];
        sample(t, "plainsight_rule_exposures", &labels, n);
    }
    text.push_str("# EOF\n");
    out.write_all(text.as_bytes())
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# TYPE {name} {kind}\n# HELP {name} {}", escape(help));
}

fn gauge(out: &mut String, name: &str, help: &str) {
    family(out, name, "gauge", help);
}

fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    out.push_str(name);
    for (i, (key, text)) in labels.iter().enumerate() {
        let _ = write!(
            out,
            "{}{key}=\"{}\"",
            if i == 0 { "{" } else { "," },
            escape(text)
        );
    }
    let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

/// A label's value or a help text.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}
