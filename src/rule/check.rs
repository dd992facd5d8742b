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

/// Checks the rules; with `only`, those of these ids, which are the last, as parts of the whole, and what they take
/// from the others but for those that `silence` names or whose family it names.
pub fn check(
    specs: &[RuleSpec],
    only: Option<&[String]>,
    silence: &[String],
) -> Result<Vec<Problem>, LoadError> {
    let checked = |id: &str| only.is_none_or(|o| o.iter().any(|x| x == id));
    // A user's stand behind the built-in ones, whose ids they may take.
    let own = &specs[specs.len() - only.map_or(specs.len(), <[String]>::len)..];
    let book = book()?;
    let mut problems = unusable_with(own, &book);
    for spec in own {
        form(spec, &mut problems);
    }
    let mut rules = RuleSet::new(specs.to_vec())?;
    let silent = |s: &RuleSpec| silence.iter().any(|x| *x == s.id || *x == s.family);
    for spec in own {
        for id in &spec.formerly {
            let standing = rules.rules.iter().find(|r| r.spec.id == *id);
            if standing.is_some_and(|r| !silent(&r.spec)) {
                let message =
                    format!("it was formerly {id:?}, it says, but a rule with that id still stands");
                problems.push(problem(spec, message));
            }
        }
    }
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
    if only.is_some() {
        let others = rules.rules.iter().map(|r| &r.spec);
        for spec in others.filter(|s| !checked(&s.id) && !silent(s)) {
            problems.extend(taken(spec, own, &rules, &catalogue));
        }
    }
    Ok(problems)
}

/// What is wrong with a user's rules that a scan must not begin with, told without running any.
pub fn unusable(own: &[RuleSpec]) -> Result<Vec<Problem>, LoadError> {
    Ok(unusable_with(own, &book()?))
}

fn unusable_with(own: &[RuleSpec], book: &Book) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut families: HashMap<&str, &str> = HashMap::new();
    for spec in own {
        let mut say = |message: String| problems.push(problem(spec, message));
        if let Some(family) = families.insert(&spec.id, &spec.family) {
            say(format!("its id is taken by another rule of family {family}"));
        }
        for id in spec.advice.iter().filter(|id| !book.has(id)) {
            say(format!("it names advice {id:?}, which does not exist"));
        }
        let shape = spec.shape.as_ref().map(|s| &s.regex);
        for regex in [shape, spec.path.as_ref()].into_iter().flatten() {
            if let Some(why) = parse(regex).and_then(|hir| slow(&hir)) {
                say(format!("the expression {regex:?} can be slow: {why}"));
            }
        }
        let empty = |hir: &Hir| hir.properties().minimum_len() == Some(0);
        if let Some(regex) = shape.filter(|regex| parse(regex).as_ref().is_some_and(empty)) {
            say(format!("the shape {regex:?} fits where nothing stands"));
        }
    }
    problems
}

fn book() -> Result<Book, LoadError> {
    Book::builtin().map_err(|e| LoadError::Parse {
        path: "rules/advice".into(),
        message: e.to_string(),
    })
}

/// What a user's rules take from `spec` so that nothing is left to it: all of its examples.
fn taken(spec: &RuleSpec, own: &[RuleSpec], rules: &RuleSet, catalogue: &Catalogue) -> Vec<Problem> {
    let mut takers: Vec<&RuleSpec> = Vec::new();
    for e in &spec.examples {
        let found = scan(rules, catalogue, &example::line(e));
        let taker = own.iter().find(|s| found.contains(&s.id));
        match taker.filter(|_| !found.contains(&spec.id)) {
            Some(taker) if takers.iter().any(|t| t.id == taker.id) => {}
            Some(taker) => takers.push(taker),
            // Found by it as before, or no user's doing.
            None => return Vec::new(),
        }
    }
    // One that says that it stands in its place is told of that above.
    takers.retain(|t| !t.formerly.contains(&spec.id));
    let all = takers.into_iter().map(|taker| {
        problem(
            taker,
            format!(
                "it takes what the built-in rule {0} should find, all examples of it: give it the id {0} to stand in its \
                 place, or narrow it",
                spec.id
            ),
        )
    });
    all.collect()
}

fn problem(spec: &RuleSpec, message: String) -> Problem {
    Problem {
        rule: spec.id.clone(),
        message,
    }
}

/// What can be told without running the rule, and keeps it from no scan.
fn form(spec: &RuleSpec, problems: &mut Vec<Problem>) {
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
fn slow(hir: &Hir) -> Option<&'static str> {
    let mut stack = vec![hir];
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

/// Whether an expression asks for a `/` as such, and does not merely allow it among others.
pub(super) fn asks_for_slash(regex: &str) -> bool {
    let Some(hir) = parse(regex) else {
        return false;
    };
    let mut stack = vec![&hir];
    while let Some(hir) = stack.pop() {
        match hir.kind() {
            HirKind::Literal(l) if l.0.contains(&b'/') => return true,
            HirKind::Repetition(r) => stack.push(&r.sub),
            HirKind::Capture(c) => stack.push(&c.sub),
            HirKind::Concat(all) | HirKind::Alternation(all) => stack.extend(all),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        }
    }
    false
}

/// An expression's structure, as the matcher takes it.
fn parse(regex: &str) -> Option<Hir> {
    let mut parser = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build();
    parser.parse(regex).ok()
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
        let problems = check(&crate::rule::builtin().unwrap(), None, &[]).unwrap();
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
        let problems = check(&specs, Some(&own), &[]).unwrap();
        let text: String = problems.iter().map(|p| format!("{p}\n")).collect();
        assert!(text.contains("is not found by it (token is)"), "{text}");
        assert!(text.contains("the name \"token\" is never its own"), "{text}");
    }

    /// What is said of a user's rule beside the built-in ones.
    fn said_of(own: RuleSpec, silence: &[&str]) -> String {
        let ids = [own.id.clone()];
        let mut specs = crate::rule::builtin().unwrap();
        specs.push(own);
        let silence: Vec<String> = silence.iter().map(ToString::to_string).collect();
        let problems = check(&specs, Some(&ids), &silence).unwrap();
        problems.iter().map(|p| format!("{p}\n")).collect()
    }

    fn builtin(id: &str) -> RuleSpec {
        let specs = crate::rule::builtin().unwrap();
        specs.into_iter().find(|s| s.id == id).unwrap()
    }

    #[test]
    fn a_built_in_rule_that_is_left_with_nothing_is_told() {
        let mut greedy = builtin("npm-token");
        greedy.id = "a-county-npm-token".into();
        let says = "it takes what the built-in rule npm-token should find";
        assert!(said_of(greedy.clone(), &[]).contains(says));
        // It stands in the other's place, which is silent or gone.
        assert_eq!(said_of(greedy.clone(), &["npm-token"]), "");
        assert_eq!(said_of(builtin("npm-token"), &[]), "");
        greedy.formerly = vec!["npm-token".into()];
        assert_eq!(said_of(greedy.clone(), &["providers"]), "");
        let said = said_of(greedy, &[]);
        assert!(said.contains("still stands") && !said.contains(says), "{said}");
    }

    #[test]
    fn what_a_scan_must_not_begin_with_is_told_without_running_it() {
        let mut bad = builtin("npm-token");
        bad.advice.push("no-such-advice".into());
        bad.shape.as_mut().unwrap().regex = "(?:npm_[a-z]*)?".into();
        bad.path = Some("/x/(?P<secret>.+)".into());
        let problems = unusable(&[builtin("npm-token"), bad]).unwrap();
        let text: String = problems.iter().map(|p| format!("{p}\n")).collect();
        for want in ["is taken", "no-such-advice", "can be slow", "nothing stands"] {
            assert!(text.contains(want), "{want}: {text}");
        }
        assert!(unusable(&crate::rule::builtin().unwrap()).unwrap().is_empty());
    }

    #[test]
    fn a_slash_is_asked_for_or_merely_allowed() {
        for (regex, asks) in [
            ("x_[A-Za-z0-9+/]{24,}", false),
            ("x_[0-9]{3}/[0-9]{4}", true),
            ("(?:^/?|[^/])x", true),
            ("x_[^/]+", false),
        ] {
            assert_eq!(asks_for_slash(regex), asks, "{regex}");
        }
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
        let text: String = check(&specs, None, &[])
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
