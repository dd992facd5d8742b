//! The linter of rules: what `plainsight rules check` and the test suite say of a catalogue. Every example goes
//! through the whole pipeline, from a line of a log to the finding.

use super::{Category, LoadError, RuleSet, RuleSpec, Severity, example, reference};
use crate::advice::Book;
use crate::detect::Detector;
use crate::detect::Exposure;
use crate::format::{Catalogue, LineReader};
use crate::secret::Key;
use crate::text::{Base, Text};
use crate::time::{Clock, Instant};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::HashMap;
use std::fmt;

/// Something wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The rule's id.
    pub rule: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)
    }
}

/// The clock of examples: after every date that they have, before every end that is to come.
const NOW: Instant = Instant(1_795_219_200 * 1_000_000); // 2026-11-21

/// Checks the rules; with `only`, those of these ids, as parts of the whole.
pub fn check(specs: &[RuleSpec], only: Option<&[String]>) -> Result<Vec<Problem>, LoadError> {
    let mut problems = Vec::new();
    let checked = |id: &str| only.is_none_or(|o| o.iter().any(|x| x == id));
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (i, spec) in specs.iter().enumerate() {
        if let Some(before) = last.insert(&spec.id, i)
            && only.is_none_or(|o| o.iter().filter(|x| **x == spec.id).count() > 1)
        {
            problems.push(problem(
                spec,
                format!(
                    "its id is taken by another rule of family {}",
                    specs[before].family
                ),
            ));
        }
    }
    let book = Book::builtin().map_err(|e| LoadError::Parse {
        path: "rules/advice".into(),
        message: e.to_string(),
    })?;
    for spec in specs.iter().filter(|s| checked(&s.id)) {
        form(spec, &book, &mut problems);
    }
    let mut rules = RuleSet::new(specs.to_vec())?;
    for rule in &rules.rules {
        if let (true, Err(e)) = (checked(&rule.spec.id), rule.verify()) {
            problems.push(problem(&rule.spec, e.to_string()));
        }
    }
    if !problems.is_empty() {
        return Ok(problems);
    }
    // Families that are off are on for their own examples.
    rules.rules.iter_mut().for_each(|r| r.enabled = true);
    let catalogue = Catalogue::builtin().map_err(|e| LoadError::Parse {
        path: "rules/formats".into(),
        message: e.to_string(),
    })?;
    for spec in rules.rules.iter().map(|r| &r.spec).filter(|s| checked(&s.id)) {
        for e in &spec.examples {
            let found = scan(&rules, &catalogue, &example::line(e));
            if !found.contains(&spec.id) {
                let other = if found.is_empty() {
                    "nothing".to_string()
                } else {
                    found.join(", ")
                };
                problems.push(problem(
                    spec,
                    format!("the example {e:?} is not found by it ({other} is)"),
                ));
            }
        }
        let names = shadowed(spec, &rules, &catalogue).into_iter();
        problems.extend(names.map(|message| problem(spec, message)));
        for e in &spec.counter_examples {
            if scan(&rules, &catalogue, &example::line(e)).contains(&spec.id) {
                problems.push(problem(spec, format!("the counter-example {e:?} is found by it")));
            }
        }
    }
    Ok(problems)
}

fn problem(spec: &RuleSpec, message: String) -> Problem {
    Problem {
        rule: spec.id.clone(),
        message,
    }
}

/// What can be told without running the rule.
fn form(spec: &RuleSpec, book: &Book, problems: &mut Vec<Problem>) {
    let mut say = |message: String| problems.push(problem(spec, message));
    let kebab = |s: &str| {
        !s.is_empty()
            && s.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if !kebab(&spec.id) {
        say("its id is not in kebab case".into());
    }
    if spec.examples.len() < 2 || spec.counter_examples.len() < 2 {
        say("it needs two examples and two counter-examples at least".into());
    }
    for name in &spec.names {
        if *name != name.to_ascii_lowercase().replace(['-', '.'], "_") {
            say(format!(
                "the name {name:?} is not folded: write it in lower case, with _ for - and ."
            ));
        }
    }
    for id in &spec.advice {
        if !book.has(id) {
            say(format!("it names advice {id:?}, which does not exist"));
        }
    }
    let notice =
        matches!(spec.category, Category::Notice | Category::AntiForgery) || spec.severity == Severity::Info;
    if spec.advice.is_empty() && !notice {
        say("it has no advice".into());
    }
    if spec.references.is_empty() {
        say("it has no references".into());
    }
    for r in &spec.references {
        if !reference::is_known(r) {
            say(format!(
                "the reference {r:?} is none that is known (see src/rule/reference.rs)"
            ));
        }
    }
    if !notice && !spec.references.iter().any(|r| reference::is_standard(r)) {
        say("none of its references is a CWE, RFC or ASVS entry".into());
    }
    let searched = [spec.shape.as_ref().map(|s| &s.regex), spec.path.as_ref()];
    for regex in searched.into_iter().flatten() {
        if let Some(why) = slow(regex) {
            say(format!("the expression {regex:?} can be slow: {why}"));
        }
    }
    if spec
        .why
        .split_terminator(['.', '?', '!'])
        .filter(|s| s.trim().len() > 3)
        .count()
        < 1
    {
        say("it does not say why it matters".into());
    }
}

/// Whether an expression that is searched for may look at the same bytes again and again: expressions take linear
/// time for one search, but a search goes on after each match, and one whose repetition swallows nearly every byte
/// runs to the end of the text each time.
fn slow(regex: &str) -> Option<&'static str> {
    let mut parser = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build();
    let hir = parser.parse(regex).ok()?;
    let mut stack = vec![&hir];
    while let Some(hir) = stack.pop() {
        match hir.kind() {
            HirKind::Repetition(r) => {
                if r.max.is_none() && breadth(&r.sub) > MANY_BYTES {
                    return Some(
                        "it repeats nearly every byte without an end; give the repetition an upper bound",
                    );
                }
                stack.push(&r.sub);
            }
            HirKind::Capture(c) => stack.push(&c.sub),
            HirKind::Concat(all) | HirKind::Alternation(all) => stack.extend(all),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        }
    }
    None
}

/// Bytes that a class may have under a repetition without an end.
const MANY_BYTES: usize = 128;

/// How many bytes one step of a repetition may be.
fn breadth(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Class(Class::Bytes(c)) => c
            .ranges()
            .iter()
            .map(|r| usize::from(r.end() - r.start()) + 1)
            .sum(),
        HirKind::Class(Class::Unicode(_)) => 256,
        HirKind::Capture(c) => breadth(&c.sub),
        HirKind::Alternation(all) => all.iter().map(breadth).sum(),
        HirKind::Concat(_) | HirKind::Repetition(_) => 0,
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(_) => 1,
    }
}

/// The names of a rule that are never its own: with each of them in the place of the example's, another rule takes
/// what it should find, or none does.
fn shadowed(spec: &RuleSpec, rules: &RuleSet, catalogue: &Catalogue) -> Vec<String> {
    let mut out = Vec::new();
    let probes: Vec<(&str, String)> = spec
        .examples
        .iter()
        .filter_map(|e| {
            let folded = e.to_ascii_lowercase().replace(['-', '.'], "_");
            let own = spec.names.iter().filter_map(|n| {
                let at = folded.find(&format!("{n}="))?;
                let begins = at == 0 || b"?&;#/".contains(&folded.as_bytes()[at - 1]);
                begins.then_some((at, n.len()))
            });
            let (at, len) = own.max_by_key(|(_, len)| *len)?;
            Some((&e[..at], e[at + len..].to_string()))
        })
        .collect();
    for name in &spec.names {
        let mut others = Vec::new();
        let found = probes.iter().any(|(before, after)| {
            let found = scan(
                rules,
                catalogue,
                &example::line(&format!("{before}{name}{after}")),
            );
            let own = found.contains(&spec.id);
            others.extend(found);
            own
        });
        if !found && !probes.is_empty() {
            others.sort();
            others.dedup();
            let who = if others.is_empty() {
                "nothing".into()
            } else {
                others.join(", ")
            };
            out.push(format!(
                "the name {name:?} is never its own: {who} finds what stands under it"
            ));
        }
    }
    out
}

/// The ids of the rules that report something in `line`.
fn scan(rules: &RuleSet, catalogue: &Catalogue, line: &str) -> Vec<String> {
    let key = Key::from_bytes(b"plainsight rules check");
    let clock = Clock {
        now: NOW,
        zone: jiff::tz::TimeZone::UTC,
    };
    let parties = crate::url::host::Parties::default();
    let mut detector = Detector::new(rules, &key, &clock, &parties);
    let mut exposures: Vec<Exposure> = Vec::new();
    let mut reader = LineReader::new(catalogue, false);
    for line in line.lines() {
        let base = Base::Source { offset: 0 };
        let text = Text::new(line.as_bytes(), &base);
        reader.read(text, &mut |record| {
            let surface = catalogue.get(record.format).spec.surface;
            detector.scan(record, line.as_bytes(), surface, &mut exposures, &mut Vec::new());
        });
    }
    exposures
        .iter()
        .map(|e| rules.rules[usize::from(e.rule)].spec.id.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_rules_have_no_problem() {
        let problems = check(&crate::rule::builtin().unwrap(), None).unwrap();
        assert!(
            problems.is_empty(),
            "{}",
            problems.iter().map(|p| format!("{p}\n")).collect::<String>()
        );
    }

    #[test]
    fn a_rule_that_another_takes_everything_from_is_told() {
        let mut specs = crate::rule::builtin().unwrap();
        let mut bad = specs.iter().find(|s| s.id == "token").unwrap().clone();
        bad.id = "zz-token".into();
        specs.push(bad);
        let own = ["zz-token".to_string()];
        let problems = check(&specs, Some(&own)).unwrap();
        let text: String = problems.iter().map(|p| format!("{p}\n")).collect();
        assert!(text.contains("is not found by it (token is)"), "{text}");
        assert!(text.contains("the name \"token\" is never its own"), "{text}");
    }

    #[test]
    fn the_linter_sees_what_is_wrong() {
        let mut specs = crate::rule::builtin().unwrap();
        let mut bad = specs.iter().find(|s| s.id == "password").unwrap().clone();
        bad.id = "Bad_Id".into();
        bad.names = vec!["Pass-Word".into()];
        bad.advice = vec!["no-such-advice".into()];
        bad.references = vec!["CWE-99999".into()];
        bad.path = Some("/x/y(?P<secret>.*)".into());
        bad.keywords = vec!["/x/y".into()];
        specs.push(bad);
        let text: String = check(&specs, None)
            .unwrap()
            .iter()
            .map(|p| format!("{p}\n"))
            .collect();
        for want in [
            "kebab",
            "not folded",
            "no-such-advice",
            "CWE-99999",
            "can be slow",
        ] {
            assert!(text.contains(want), "{text}");
        }
    }
}
