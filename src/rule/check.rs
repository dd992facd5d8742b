//! The linter of rules: what `plainsight rules check` and the test suite say of a catalogue. Every example goes
//! through the whole pipeline, from a line of a log to the finding.

use super::{Category, LoadError, RuleSet, RuleSpec, Severity, example};
use crate::advice::Book;
use crate::detect::Detector;
use crate::detect::Exposure;
use crate::format::{Catalogue, LineReader};
use crate::secret::Key;
use crate::text::{Base, Text};
use crate::time::{Clock, Instant};
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
    let known = ["CWE-", "RFC ", "ASVS ", "OWASP ", "Esri ", "NIST ", "PCI "];
    for r in &spec.references {
        if r.trim().is_empty() || r.contains("http://") {
            say(format!("the reference {r:?} is none"));
        }
    }
    if !notice
        && !spec
            .references
            .iter()
            .any(|r| known.iter().any(|k| r.starts_with(k)))
    {
        say("none of its references is a CWE, RFC or ASVS entry".into());
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
    fn the_linter_sees_what_is_wrong() {
        let mut specs = crate::rule::builtin().unwrap();
        let mut bad = specs.iter().find(|s| s.id == "password").unwrap().clone();
        bad.id = "Bad_Id".into();
        bad.names = vec!["Pass-Word".into()];
        bad.advice = vec!["no-such-advice".into()];
        specs.push(bad);
        let text: String = check(&specs, None)
            .unwrap()
            .iter()
            .map(|p| format!("{p}\n"))
            .collect();
        for want in ["kebab", "not folded", "no-such-advice"] {
            assert!(text.contains(want), "{text}");
        }
    }
}
