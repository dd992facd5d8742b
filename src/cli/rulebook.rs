//! `plainsight rules list --format markdown`: all rules as one page, from the data that the program works with.

use crate::advice::Book;
use crate::report::markdown::escape;
use crate::rule::{Compiled, Grade, RuleSet};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The page.
pub fn page(rules: &RuleSet, book: &Book) -> String {
    let mut families: BTreeMap<&str, Vec<&Compiled>> = BTreeMap::new();
    for rule in &rules.rules {
        families.entry(&rule.spec.family).or_default().push(rule);
    }
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# Rules\n\nplainsight {} has {} rules in {} families. Severity is that of a fresh leak in a URL, before place, expiry and\nsigns of abuse are considered; confidence is the most that a match can be sure of.\n",
        env!("CARGO_PKG_VERSION"),
        rules.rules.len(),
        families.len()
    );
    for (family, all) in &families {
        let off = if all.iter().all(|r| r.spec.off) {
            format!(", off unless asked for with `--with {family}`")
        } else {
            String::new()
        };
        let _ = writeln!(out, "- [{family}](#{family}) ({}{off})", all.len());
    }
    for (family, all) in &families {
        let _ = writeln!(out, "\n## {family}");
        all.iter().for_each(|r| rule(r, book, &mut out));
    }
    out
}

fn rule(r: &Compiled, book: &Book, out: &mut String) {
    let s = &r.spec;
    let public = if s.grade == Grade::Public {
        ", public by design"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "\n### `{}`\n\n**{}**. {}, confidence up to {}, {}{public}; since {}.\n\n{}\n",
        s.id,
        escape(&s.title),
        s.severity,
        s.confidence,
        s.category,
        s.since,
        escape(&s.why)
    );
    let code = |all: &[String]| {
        let all: Vec<String> = all.iter().map(|s| span(s)).collect();
        all.join(", ")
    };
    if !s.names.is_empty() {
        let _ = writeln!(out, "- Names: {}", code(&s.names));
    }
    if let Some(shape) = &s.shape {
        let _ = writeln!(out, "- Values like {}", span(&shape.regex));
    }
    if let Some(path) = &s.path {
        let _ = writeln!(out, "- Paths like {}", span(path));
    }
    if let Some(host) = &s.when.host {
        let _ = writeln!(out, "- Where the host is like {}", span(host));
    }
    if let Some(path) = &s.when.path {
        let _ = writeln!(out, "- Where the path is like {}", span(path));
    }
    let beside: Vec<String> = s.when.with.keys().chain(&s.when.with_any).cloned().collect();
    if !beside.is_empty() {
        let _ = writeln!(out, "- With beside it: {}", code(&beside));
    }
    if let Some(checksum) = s.checksum {
        let _ = writeln!(out, "- Check: {}", span(&words(&checksum)));
    }
    if let Some(liveness) = s.liveness {
        let _ = writeln!(out, "- Expiry: {}", span(&words(&liveness)));
    }
    let _ = writeln!(out, "- Finds: {}", code(&s.examples));
    let _ = writeln!(out, "- Leaves alone: {}", code(&s.counter_examples));
    let steps: Vec<String> = s
        .advice
        .iter()
        .filter_map(|id| book.plain(id))
        .map(|(title, _)| escape(&title.replace("{host}", "HOST").replace("{name}", "NAME")))
        .collect();
    if !steps.is_empty() {
        let _ = writeln!(out, "- What to do: {}", steps.join("; "));
    }
    let _ = writeln!(out, "- References: {}", escape(&s.references.join("; ")));
}

/// The word that a rule's file has for it.
fn words(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_string))
        .unwrap_or_default()
}

/// A code span, whatever stands in it.
fn span(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}
