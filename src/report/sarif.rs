//! SARIF 2.1.0 (OASIS) as code scanning services take it (GitHub, "SARIF support for code scanning"): one result a
//! finding, the rules that have results with their help, and what was not read whole as notifications.

use super::model::{EvidenceReport, FindingReport, RuleReport, Source};
use super::{Report, location, markdown, words};
use crate::advice::Given;
use crate::gate::Mark;
use crate::rule::{Confidence, Severity};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Results that are listed, at most: GitHub takes 25,000 and shows the first 5,000.
const RESULTS: usize = 5_000;

/// Notifications, at most.
const NOTIFICATIONS: usize = 1_000;

/// What locations outside of the working directory are relative to.
const ROOT: &str = "ROOT";

/// Writes the log and a line end.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, &log(report))?;
    out.write_all(b"\n")
}

fn log(report: &Report) -> Value {
    let shown = &report.findings[..report.findings.len().min(RESULTS)];
    let mut of_rule: BTreeMap<&str, Vec<&FindingReport>> = BTreeMap::new();
    for f in shown {
        of_rule.entry(&f.rule).or_default().push(f);
    }
    let rules: Vec<&RuleReport> = of_rule.keys().filter_map(|id| report.rule(id)).collect();
    let described: Vec<Value> = rules
        .iter()
        .map(|rule| descriptor(rule, &of_rule[rule.id.as_str()]))
        .collect();
    let results: Vec<Value> = shown
        .iter()
        .map(|f| {
            let index = rules.binary_search_by(|r| r.id.cmp(&f.rule)).ok();
            result(report, f, index)
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": report.tool.name,
                "version": report.tool.version,
                "semanticVersion": report.tool.version,
                "rules": described,
            }},
            "originalUriBaseIds": {ROOT: {
                "uri": "file:///",
                "description": {"text": "The root of the file system of the machine that was scanned."},
            }},
            "invocations": [{
                "executionSuccessful": report.summary.complete,
                "toolExecutionNotifications": notifications(report),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {"summary": report.summary, "gate": report.gate, "clock": report.clock.to_string()},
        }],
    })
}

/// A rule with what its findings are told to do.
fn descriptor(rule: &RuleReport, findings: &[&FindingReport]) -> Value {
    let worst = findings.iter().map(|f| f.severity).max().unwrap_or(rule.severity);
    let steps: Vec<&Given> = words::steps(findings.iter().copied())
        .into_iter()
        .map(|(step, _)| step)
        .collect();
    let mut tags = vec!["security".to_string(), rule.category.to_string()];
    if rule.family != rule.category.as_str() {
        tags.push(rule.family.clone());
    }
    tags.extend(cwes(rule).map(|n| format!("external/cwe/cwe-{n:03}")));
    let mut out = json!({
        "id": rule.id,
        "name": pascal(&rule.id),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": help_text(rule, &steps), "markdown": help_markdown(rule, &steps)},
        "defaultConfiguration": {"level": level(worst)},
        "properties": {
            "security-severity": score(worst),
            "precision": match rule.confidence {
                Confidence::Certain => "very-high",
                Confidence::Firm => "high",
                Confidence::Tentative => "medium",
            },
            "tags": tags,
        },
    });
    if let Some(uri) = help_uri(rule) {
        out["helpUri"] = uri.into();
    }
    out
}

fn help_text(rule: &RuleReport, steps: &[&Given]) -> String {
    let mut out = format!("{}\n\nWhat to do, in this order:\n", rule.why);
    for (i, step) in steps.iter().enumerate() {
        out.push_str(&format!(
            "{}. {}: {}\n   {}\n",
            i + 1,
            step.kind,
            step.title,
            step.text
        ));
        if let Some(snippet) = &step.snippet {
            out.push_str(&format!("\n{}\n\n", snippet.trim_matches('\n')));
        }
    }
    if !rule.references.is_empty() {
        out.push_str(&format!("\nReferences: {}\n", rule.references.join("; ")));
    }
    out
}

fn help_markdown(rule: &RuleReport, steps: &[&Given]) -> String {
    let mut out = format!(
        "{}\n\n## What to do, in this order\n\n",
        markdown::prose(&rule.why)
    );
    for (i, step) in steps.iter().enumerate() {
        out.push_str(&markdown::step(i + 1, step, ""));
    }
    if !rule.references.is_empty() {
        let references: Vec<String> = rule.references.iter().map(|r| markdown::escape(r)).collect();
        out.push_str(&format!("\nReferences: {}\n", references.join("; ")));
    }
    out
}

/// A page about the rule: one that it names, else that of its weakness in MITRE's list.
fn help_uri(rule: &RuleReport) -> Option<String> {
    let page = rule.references.iter().find(|r| r.starts_with("https://"));
    page.map(|r| r.split_whitespace().next().unwrap_or(r).to_string())
        .or_else(|| {
            let cwe = cwes(rule).next()?;
            Some(format!("https://cwe.mitre.org/data/definitions/{cwe}.html"))
        })
}

fn cwes(rule: &RuleReport) -> impl Iterator<Item = u32> {
    let number = |r: &String| r.strip_prefix("CWE-")?.parse().ok();
    rule.references.iter().filter_map(number)
}

fn result(report: &Report, f: &FindingReport, index: Option<usize>) -> Value {
    let mut places = f.evidence.iter();
    let first = match places.next() {
        Some(e) => place(e),
        None => json!({"physicalLocation": {
            "artifactLocation": artifact(location::of(report, f)),
            "region": {"startLine": 1},
        }}),
    };
    let related: Vec<Value> = places
        .enumerate()
        .map(|(i, e)| {
            let mut at = place(e);
            at["id"] = (i + 1).into();
            at["message"] = json!({"text": format!("Also here: {}", words::position(e.position))});
            at
        })
        .collect();
    let mut out = json!({
        "ruleId": f.rule,
        "kind": "fail",
        "level": level(f.severity),
        "message": {"text": words::sentence(f)},
        "locations": [first],
        "partialFingerprints": {"plainsightFinding/v1": f.id},
        "occurrenceCount": f.exposures.max(1),
        "baselineState": match f.baseline {
            Mark::Known => "unchanged",
            Mark::Worsened => "updated",
            Mark::New => "new",
        },
        "properties": properties(f),
    });
    if let Some(index) = index {
        out["ruleIndex"] = index.into();
    }
    if let Some(s) = &f.suppressed {
        out["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": format!("{}: {}", s.by, s.reason),
        }]);
    }
    if !related.is_empty() {
        out["relatedLocations"] = related.into();
    }
    out
}

/// What the finding is beyond what SARIF has words for; keys as in the JSON report.
fn properties(f: &FindingReport) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in [
        ("severity", json!(f.severity)),
        ("confidence", json!(f.confidence)),
        ("exposures", json!(f.exposures)),
        ("credentials", json!(f.credentials)),
        ("clients", json!(f.clients)),
        ("estimated", json!(f.estimated)),
        ("liveness", json!(f.liveness)),
        ("surface", json!(f.surface)),
        ("field", json!(f.field)),
        ("part", json!(f.part)),
        ("name", json!(f.name)),
        ("host", json!(f.host)),
        ("route", json!(f.route)),
        ("leaked_to", json!(f.leaked_to)),
        ("identity", json!(f.identity)),
        ("signs", json!(f.signs)),
    ] {
        out.insert(key.into(), value);
    }
    out
}

/// A piece of evidence. What has entries or rows instead of lines has no place for them in a region.
fn place(e: &EvidenceReport) -> Value {
    use super::model::PositionReport::{Entry, Line, Row};
    let mut out = json!({"physicalLocation": {
        "artifactLocation": artifact(&e.source),
        "region": {"startLine": words::line(e.position), "snippet": {"text": e.excerpt}},
    }});
    let kind = match e.position {
        Line(_) => return out,
        Entry(_) => "entry",
        Row(_) => "row",
    };
    out["logicalLocations"] = json!([{"name": words::position(e.position), "kind": kind}]);
    out["message"] = json!({"text": words::position(e.position)});
    out
}

fn artifact(source: &str) -> Value {
    let mut out = json!({"uri": location::reference(source)});
    if location::is_absolute(source) {
        out["uriBaseId"] = ROOT.into();
    }
    out
}

fn notifications(report: &Report) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    if report.findings.len() > RESULTS {
        out.push(json!({"level": "warning", "message": {"text": format!(
            "The {RESULTS} worst of {} findings are listed here; the JSON report has every one.",
            report.findings.len()
        )}}));
    }
    out.extend(report.unread().take(NOTIFICATIONS).map(unread));
    for d in report.diagnostics.iter().take(NOTIFICATIONS) {
        let mut note = json!({"level": d.level, "message": {"text": d.message}});
        if let Some(source) = &d.source {
            note["locations"] = json!([{"physicalLocation": {"artifactLocation": artifact(source)}}]);
        }
        out.push(note);
    }
    let left = report.unread().count().saturating_sub(NOTIFICATIONS)
        + report.diagnostics.len().saturating_sub(NOTIFICATIONS);
    if left > 0 {
        out.push(json!({"level": "error", "message": {"text": format!(
            "{left} more notifications are left out; the JSON report has every one."
        )}}));
    }
    out
}

fn unread(s: &Source) -> Value {
    json!({
        "level": "error",
        "message": {"text": format!("{}: {}", s.status, s.problem.as_deref().unwrap_or_default())},
        "locations": [{"physicalLocation": {"artifactLocation": artifact(&s.path)}}],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number from which GitHub makes its own words: over 9.0 critical, from 7.0 high, from 4.0 medium.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    }
}

/// `arcgis-token` as `ArcgisToken`.
fn pascal(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut rest = word.chars();
            let first = rest.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(rest)
        })
        .collect()
}
