//! Two reports side by side: what is new, what is gone, what is still there and how it changed. Findings are
//! paired by what groups them, under today's rule ids, as the baseline does it.

use crate::finding::Words;
use crate::gate::Threshold;
use crate::report::model::{Diagnostic, Level, SCHEMA_VERSION};
use crate::rule::{RuleSet, Severity};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read};

/// Why a file cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// Not a report of ours.
    #[error("{file} is no JSON report of plainsight: {message}; make one with: plainsight scan -f json=FILE")]
    NoReport {
        /// The file.
        file: String,
        /// What the parser said.
        message: String,
    },
    /// A newer version's.
    #[error("{file} has schema version {found}, this program reads {SCHEMA_VERSION}: update plainsight")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
    },
}

/// A finding as a report holds it, as far as it is compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // the keys are those of the report
pub struct Item {
    pub id: String,
    pub rule: String,
    pub title: String,
    pub severity: Severity,
    #[serde(flatten)]
    pub words: Words,
    pub exposures: u64,
    pub credentials: u64,
    pub clients: u64,
    pub first_seen: Option<String>,
    pub last_seen: Option<String>,
    /// Who hides it from the gate.
    #[serde(default)]
    pub suppressed: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct SummaryPart {
    findings: u64,
    records: u64,
    complete: bool,
}

#[derive(Deserialize)]
struct StatePart {
    rules_digest: String,
    options_digest: String,
}

#[derive(Deserialize)]
struct Part {
    schema_version: u32,
    clock: String,
    summary: SummaryPart,
    findings: Vec<Item>,
    state: StatePart,
}

/// A report that has been read to be compared.
pub struct Side {
    file: String,
    part: Part,
    ids: Vec<[u64; 4]>,
}

impl Side {
    /// Reads the report that stands in `json`; `file` names it.
    pub fn read(file: &str, json: impl Read, rules: &RuleSet) -> Result<Side, DiffError> {
        let part: Part = serde_json::from_reader(BufReader::new(json)).map_err(|e| DiffError::NoReport {
            file: file.into(),
            message: e.to_string(),
        })?;
        if part.schema_version > SCHEMA_VERSION {
            return Err(DiffError::Version {
                file: file.into(),
                found: part.schema_version,
            });
        }
        let today = |rule: &str| rules.by_id(rule).map_or(rule.to_string(), |r| r.spec.id.clone());
        let ids = part
            .findings
            .iter()
            .map(|f| f.words.ids(&today(&f.rule)))
            .collect();
        Ok(Side {
            file: file.into(),
            part,
            ids,
        })
    }

    /// Whether findings are missing that the scan may have had: not all was read, or not all is shown.
    fn hides(&self) -> bool {
        !self.part.summary.complete || self.part.summary.findings > self.part.findings.len() as u64
    }

    fn by_id(&self) -> HashMap<u64, usize> {
        self.ids.iter().enumerate().map(|(n, ids)| (ids[0], n)).collect()
    }

    fn about(&self) -> About {
        About {
            file: self.file.clone(),
            clock: crate::report::safe::label(&self.part.clock),
            complete: self.part.summary.complete,
        }
    }
}

/// Which report was compared.
#[derive(Debug, Serialize)]
pub struct About {
    /// Its file.
    pub file: String,
    /// Its clock.
    pub clock: String,
    /// Whether everything was read whole.
    pub complete: bool,
}

/// A number in the old report and in the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair<T> {
    /// In the old one.
    pub then: T,
    /// In the new one.
    pub now: T,
}

crate::record::words! {
    /// How a finding that is still there has changed.
    Change {
        /// Its severity is higher.
        Worsened = "worsened",
        /// Its severity is lower.
        Improved = "improved",
        /// As severe, and more often.
        More = "more",
        /// As severe, and less often.
        Fewer = "fewer",
        /// As severe, and as often.
        Same = "same",
    }
}

/// A finding that is in both reports.
#[derive(Clone, Debug, Serialize)]
pub struct Still {
    /// As the new report has it.
    #[serde(flatten)]
    pub now: Item,
    /// How it has changed.
    pub change: Change,
    /// Severities.
    pub severities: Pair<Severity>,
    /// How often.
    pub times: Pair<u64>,
    /// Distinct values; where findings were folded, at most so many.
    pub values: Pair<u64>,
}

/// Counts of a comparison.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[allow(missing_docs)] // the keys are the lists'
pub struct Counts {
    pub new: u64,
    pub gone: u64,
    pub not_seen: u64,
    pub still: u64,
    pub worsened: u64,
    pub improved: u64,
}

/// The gate's outcome.
#[derive(Debug, Serialize)]
pub struct Gate {
    /// The threshold of new and worsened findings; `never` where there is none.
    pub fail_on: String,
    /// Whether every new leak fails.
    pub fail_on_new: bool,
    /// Findings that fail.
    pub failing: u64,
}

/// What two reports come to.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The old report.
    pub old_report: About,
    /// The new report.
    pub new_report: About,
    /// What the exit code follows.
    pub gate: Gate,
    /// Counts.
    pub summary: Counts,
    /// In the new report alone.
    pub new: Vec<Item>,
    /// In the old report alone, and the new one has everything.
    pub gone: Vec<Item>,
    /// In the old report alone, and the new one may have missed it.
    pub not_seen: Vec<Item>,
    /// In both.
    pub still: Vec<Still>,
    /// What else has to be said.
    pub diagnostics: Vec<Diagnostic>,
}

/// What of a comparison fails.
#[derive(Clone, Copy, Debug)]
pub struct Failing {
    /// New and worsened findings of this severity.
    pub fail_on: Threshold,
    /// Every new leak.
    pub on_new: bool,
}

/// Compares two reports.
pub fn compare(old: Side, new: Side, failing: Failing) -> Diff {
    let diagnostics = diagnostics(&old, &new);
    let (olds, news) = (old.by_id(), new.by_id());
    // Where one side was folded, all that folds into one finding of it goes with that.
    let group =
        |ids: &[u64; 4], other: &HashMap<u64, usize>| ids.iter().copied().find(|id| other.contains_key(id));
    let mut pairs: BTreeMap<u64, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    let (mut only_old, mut only_new) = (Vec::new(), Vec::new());
    for (n, ids) in old.ids.iter().enumerate() {
        match group(ids, &news) {
            Some(id) => pairs.entry(id).or_default().0.push(n),
            None => only_old.push(n),
        }
    }
    for (n, ids) in new.ids.iter().enumerate() {
        match group(ids, &olds) {
            Some(id) => pairs.entry(id).or_default().1.push(n),
            None => only_new.push(n),
        }
    }
    let items = |side: &Side, all: &[usize]| -> Vec<Item> {
        all.iter().map(|&n| side.part.findings[n].clone()).collect()
    };
    let mut still = Vec::new();
    let (mut gone, mut fresh) = (items(&old, &only_old), items(&new, &only_new));
    for (id, (then, now)) in pairs {
        // A folded finding has no entry of its own on the side that folds into it: it stands there under its own id.
        let then = if then.is_empty() { vec![olds[&id]] } else { then };
        let now = if now.is_empty() { vec![news[&id]] } else { now };
        still.extend(pair(&items(&old, &then), &items(&new, &now)));
    }
    let order = |i: &Item| (Reverse(i.severity), Reverse(i.exposures), i.id.clone());
    fresh.sort_by_key(order);
    gone.sort_by_key(order);
    still.sort_by_key(|s| (s.change, order(&s.now)));
    let fails = |i: &Item| i.suppressed.is_none() && failing.fail_on.fails(i.severity);
    let new_fails =
        |i: &Item| fails(i) || failing.on_new && i.suppressed.is_none() && i.severity > Severity::Info;
    let worsened = |s: &&Still| s.change == Change::Worsened;
    let failed = fresh.iter().filter(|i| new_fails(i)).count()
        + still.iter().filter(worsened).filter(|s| fails(&s.now)).count();
    let (gone, not_seen) = if new.hides() {
        (Vec::new(), gone)
    } else {
        (gone, Vec::new())
    };
    Diff {
        schema_version: SCHEMA_VERSION,
        old_report: old.about(),
        new_report: new.about(),
        gate: Gate {
            fail_on: failing.fail_on.to_string(),
            fail_on_new: failing.on_new,
            failing: failed as u64,
        },
        summary: Counts {
            new: fresh.len() as u64,
            gone: gone.len() as u64,
            not_seen: not_seen.len() as u64,
            still: still.len() as u64,
            worsened: still.iter().filter(worsened).count() as u64,
            improved: still.iter().filter(|s| s.change == Change::Improved).count() as u64,
        },
        new: fresh,
        gone,
        not_seen,
        still,
        diagnostics,
    }
}

/// What stands in both reports; `None` where one of them is empty.
fn pair(then: &[Item], now: &[Item]) -> Option<Still> {
    let worst = |items: &[Item]| items.iter().map(|i| i.severity).max();
    let sum = |items: &[Item], f: fn(&Item) -> u64| items.iter().map(f).sum();
    let severities = Pair {
        then: worst(then)?,
        now: worst(now)?,
    };
    let times: Pair<u64> = Pair {
        then: sum(then, |i| i.exposures),
        now: sum(now, |i| i.exposures),
    };
    let change = match (severities.now.cmp(&severities.then), times.now.cmp(&times.then)) {
        (std::cmp::Ordering::Greater, _) => Change::Worsened,
        (std::cmp::Ordering::Less, _) => Change::Improved,
        (_, std::cmp::Ordering::Greater) => Change::More,
        (_, std::cmp::Ordering::Less) => Change::Fewer,
        _ => Change::Same,
    };
    Some(Still {
        now: now
            .iter()
            .max_by_key(|i| (i.severity, i.exposures, Reverse(&i.id)))?
            .clone(),
        change,
        severities,
        times,
        values: Pair {
            then: sum(then, |i| i.credentials),
            now: sum(now, |i| i.credentials),
        },
    })
}

fn diagnostics(old: &Side, new: &Side) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let mut say = |level, side: &Side, message: &str| {
        out.push(Diagnostic {
            level,
            source: Some(side.file.clone()),
            message: message.into(),
            gate: false,
        });
    };
    if !new.part.summary.complete {
        say(
            Level::Warning,
            new,
            "not everything was read: what is missing from it may stand in what was not",
        );
    }
    if !old.part.summary.complete {
        say(
            Level::Note,
            old,
            "not everything was read: what is new may have been there then",
        );
    }
    for side in [old, new] {
        if side.part.summary.findings > side.part.findings.len() as u64 {
            say(
                Level::Warning,
                side,
                "it hides findings under --min-severity: what is new or missing may be hidden in it; scan without",
            );
        }
    }
    if new.part.summary.records == 0 {
        say(Level::Warning, new, "it has no record: nothing was looked at");
    }
    if new.part.state.rules_digest != old.part.state.rules_digest {
        say(
            Level::Warning,
            new,
            "it was made with other rules (version, --rules, --only, --skip) than the old report: differences may come from that",
        );
    }
    if new.part.state.options_digest != old.part.state.options_digest {
        say(
            Level::Note,
            new,
            "it was made with other options (--clients, --min-confidence, --since, --until, --timezone, --same-party, --log-format) than the old report",
        );
    }
    out
}
