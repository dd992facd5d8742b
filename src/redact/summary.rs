//! What came of a run, for people and programs. It tells rules, files and numbers; nothing of the credentials.

use super::copy::Problem;
use super::style::Style;
use super::tally::Tally;
use super::{Options, safe};
use crate::report::model::Status;
use crate::scan::Config;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What became of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its copy was proved and put in place.
    Written,
    /// Its copy lacks what could not be read, which was allowed.
    Partial,
    /// There is no copy, or it lacks lines that were withheld.
    Failed,
    /// It is nothing that is read, and was not asked for by name.
    Ignored,
}

/// One input.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The input's name.
    pub source: String,
    /// Where the copy is; null where there is none.
    pub copy: Option<String>,
    /// What became of it.
    pub status: Outcome,
    /// Exposures that were replaced.
    pub replaced: u64,
    /// Other places where a removed credential stood.
    pub other_occurrences: u64,
    /// Values of HAR files that `--paranoid` dropped.
    pub dropped: u64,
    /// Lines of a stream that could not be proved and were withheld.
    pub withheld: u64,
    /// Exposures by rule.
    pub rules: BTreeMap<String, u64>,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl Entry {
    pub(super) fn new(source: &str, copy: Option<&Path>) -> Entry {
        Entry {
            source: source.into(),
            copy: Some(copy.map_or_else(|| "-".into(), safe::path)),
            status: Outcome::Failed,
            replaced: 0,
            other_occurrences: 0,
            dropped: 0,
            withheld: 0,
            rules: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn passed_over(source: &str, status: Status, problem: &str) -> Entry {
        Entry {
            copy: None,
            status: if status == Status::Ignored {
                Outcome::Ignored
            } else {
                Outcome::Failed
            },
            problems: vec![problem.into()],
            ..Entry::new(source, None)
        }
    }

    pub(super) fn take(&mut self, tally: Tally, problems: &[Problem]) {
        self.replaced = tally.rules.values().sum();
        self.other_occurrences = tally.others;
        self.dropped = tally.dropped;
        self.withheld = tally.withheld;
        self.rules = tally.rules;
        self.problems.extend(problems.iter().map(|p| {
            if p.source == self.source {
                p.text.clone()
            } else {
                format!("{}: {}", p.source, p.text)
            }
        }));
        self.status = match problems.iter().map(|p| p.status).max() {
            Some(Status::Partial | Status::Skipped) => Outcome::Partial,
            Some(Status::Ignored) => Outcome::Ignored,
            _ => Outcome::Written,
        };
    }

    pub(super) fn written(&mut self) {
        if self.status == Outcome::Ignored {
            self.status = Outcome::Written;
        }
        if self.withheld > 0 {
            self.failed(&format!(
                "{} lines could not be proved and were withheld; a mark stands for each",
                self.withheld
            ));
        }
    }

    pub(super) fn left_out(&mut self) {
        self.copy = None;
        if self.status != Outcome::Ignored {
            self.status = Outcome::Failed;
        }
    }

    pub(super) fn failed(&mut self, why: &str) {
        self.status = Outcome::Failed;
        if self.withheld == 0 {
            self.copy = None;
        }
        let mut text = String::new();
        safe::push_bytes(&mut text, why.as_bytes());
        self.problems.push(text);
    }

    /// As it is told on the standard error.
    pub fn line(&self) -> String {
        let mut out = self.source.clone();
        match (&self.copy, self.status) {
            (Some(copy), Outcome::Written | Outcome::Partial) => {
                let _ = write!(out, " -> {copy}: {} replaced", self.replaced);
                if !self.rules.is_empty() {
                    let rules: Vec<String> =
                        self.rules.iter().map(|(rule, n)| format!("{rule} {n}")).collect();
                    let _ = write!(out, " ({})", rules.join(", "));
                }
                if self.other_occurrences > 0 {
                    let _ = write!(out, ", and {} other occurrences", self.other_occurrences);
                }
                if self.dropped > 0 {
                    let _ = write!(out, ", and {} values dropped", self.dropped);
                }
            }
            (_, Outcome::Ignored) => out.push_str(": not copied"),
            _ => out.push_str(": no copy that is proved"),
        }
        for problem in &self.problems {
            let _ = write!(out, "; {problem}");
        }
        out
    }
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    schema_version: u32,
    tool: Tool,
    /// Tells whether marks of two runs can be compared.
    key_id: String,
    style: Style,
    min_severity: crate::rule::Severity,
    /// Whether every input has a copy that was proved.
    pub proved: bool,
    /// Copies that are in place.
    pub copies: u64,
    /// Exposures that were replaced.
    pub replaced: u64,
    /// Other places where a removed credential stood.
    pub other_occurrences: u64,
    /// Exposures by rule.
    pub rules: BTreeMap<String, u64>,
    /// Inputs in the order of their names.
    pub files: Vec<Entry>,
}

#[derive(Clone, Debug, Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Summary {
    pub(super) fn new(config: &Config, options: &Options) -> Summary {
        Summary {
            schema_version: 1,
            tool: Tool {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
            key_id: config.key.id(),
            style: options.style,
            min_severity: options.min_severity,
            proved: true,
            copies: 0,
            replaced: 0,
            other_occurrences: 0,
            rules: BTreeMap::new(),
            files: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, entry: Entry) {
        self.proved &= entry.status != Outcome::Failed;
        if entry.copy.is_some() {
            self.copies += 1;
            self.replaced += entry.replaced;
            self.other_occurrences += entry.other_occurrences;
            for (rule, n) in &entry.rules {
                *self.rules.entry(rule.clone()).or_default() += n;
            }
        }
        self.files.push(entry);
        self.files.sort_by(|a, b| a.source.cmp(&b.source));
    }

    /// As it is told on the standard error.
    pub fn line(&self) -> String {
        let copies = match self.copies {
            1 => "1 copy".into(),
            n => format!("{n} copies"),
        };
        let end = if self.proved {
            ""
        } else {
            "; not everything could be copied"
        };
        format!(
            "{copies} written and proved; {} credentials replaced{end}",
            self.replaced + self.other_occurrences
        )
    }
}
