//! `plainsight explain ID --report REPORT.json`: all that a report knows of one finding, in words.

use super::scan::RuleArgs;
use super::{Ending, catalogue, output};
use crate::report::safe;
use crate::text::nearest;
use anyhow::{Context, bail};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// What of a report is told of; the rest is not even kept.
#[derive(serde::Deserialize)]
struct Findings {
    findings: Vec<Value>,
}

/// A key of the report as text; a report from elsewhere may hold anything.
fn text(v: &Value, key: &str) -> String {
    let mut out = String::new();
    match &v[key] {
        Value::String(s) => s.lines().enumerate().for_each(|(n, line)| {
            if n > 0 {
                out.push('\n');
            }
            safe::push_bytes(&mut out, line.as_bytes());
        }),
        Value::Null => {}
        other => out.push_str(&other.to_string()),
    }
    out
}

fn list<'v>(v: &'v Value, key: &str) -> &'v [Value] {
    v[key].as_array().map_or(&[], Vec::as_slice)
}

/// Tells of the finding with this id, or of the rule, where it is one's.
pub fn run(id: &str, path: &Path, rules: &RuleArgs) -> Ending {
    let shown = safe::path(path);
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {shown}"))?;
    let report: Findings = serde_json::from_reader(std::io::BufReader::new(file)).with_context(|| {
        format!("{shown} is no JSON report of plainsight; make one with: plainsight scan -f json=FILE")
    })?;
    let findings = report.findings;
    let Some(finding) = findings.iter().find(|f| f["id"] == id) else {
        if rules.load()?.by_id(id).is_some() {
            return catalogue::explain(id, rules);
        }
        let hint = nearest::hint(id, findings.iter().filter_map(|f| f["id"].as_str()));
        bail!("{id:?} is no finding of {shown} and no rule{hint}");
    };
    let out = tell(finding);
    output::stdout(|w| w.write_all(out.as_bytes()))?;
    Ok(0)
}

fn tell(f: &Value) -> String {
    let get = |key: &str| text(f, key);
    let mut out = String::new();
    let _ = writeln!(out, "{}  {} [{}]", get("id"), get("title"), get("rule"));
    let basis: Vec<&str> = list(f, "severity_basis")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let because = if basis.is_empty() {
        String::new()
    } else {
        format!(" ({})", safe::label(&basis.join("; ")))
    };
    let _ = writeln!(
        out,
        "{}{because}, {}, baseline: {}",
        get("severity"),
        get("confidence"),
        get("baseline")
    );
    if let Some(hidden) = f["suppressed"].as_object().map(|_| &f["suppressed"]) {
        let _ = writeln!(
            out,
            "accepted by {}: {}",
            text(hidden, "by"),
            text(hidden, "reason")
        );
    }
    let _ = writeln!(out, "\nWhere");
    for key in [
        "surface", "field", "part", "name", "scheme", "host", "site", "route",
    ] {
        let value = get(key);
        if !value.is_empty() {
            let _ = writeln!(out, "  {key:8} {value}");
        }
    }
    for key in ["via", "leaked_to"] {
        let all: Vec<&str> = list(f, key).iter().filter_map(Value::as_str).collect();
        if !all.is_empty() {
            let _ = writeln!(
                out,
                "  {:8} {}",
                key.replace('_', " "),
                safe::label(&all.join(", "))
            );
        }
    }
    let _ = writeln!(
        out,
        "\nHow often\n  times: {}, distinct values: {}, clients: {}, from {} to {}",
        get("exposures"),
        get("credentials"),
        get("clients"),
        get("first_seen"),
        get("last_seen")
    );
    let life = &f["liveness"];
    let _ = writeln!(
        out,
        "  {} {} {}",
        text(life, "state"),
        text(life, "until"),
        text(life, "basis")
    );
    for told in list(f, "identity") {
        let _ = writeln!(out, "  {}: {}", text(told, "kind"), text(told, "value"));
    }
    for sign in list(f, "signs") {
        let clients: Vec<&str> = list(sign, "clients").iter().filter_map(Value::as_str).collect();
        let _ = writeln!(
            out,
            "  sign of abuse, {}: {}: {} ({} to {}; {})",
            text(sign, "sure"),
            text(sign, "kind"),
            text(sign, "detail"),
            text(sign, "first_seen"),
            text(sign, "last_seen"),
            safe::label(&clients.join(", "))
        );
    }
    let _ = writeln!(out, "\nSeen first at");
    for e in list(f, "evidence") {
        let at = ["line", "entry", "row"].iter().find(|k| !e[**k].is_null());
        let at = at.map(|k| format!(", {k} {}", text(e, k))).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {}{at} {}\n    {}",
            text(e, "source"),
            text(e, "time"),
            text(e, "excerpt")
        );
    }
    let _ = writeln!(out, "\nWhat to do");
    for a in list(f, "advice") {
        let _ = writeln!(
            out,
            "  {}: {}\n    {}",
            text(a, "kind"),
            text(a, "title"),
            text(a, "text")
        );
        for line in text(a, "snippet").lines() {
            let _ = writeln!(out, "      {line}");
        }
    }
    let references: Vec<&str> = list(f, "references").iter().filter_map(Value::as_str).collect();
    let _ = writeln!(out, "\nReferences: {}", safe::label(&references.join("; ")));
    out
}
