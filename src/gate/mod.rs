//! The gate: which findings fail a run, and what the process says of it to its caller.

pub mod allow;
pub mod baseline;
mod review;

use crate::report::model::{Report, Selection, Status};
use crate::rule::Severity;
use crate::time::Instant;
use allow::{Allow, Subject};
use baseline::{Acceptance, Baseline};
pub use review::{Reach, Review, Reviewed};
use std::fmt;
use std::str::FromStr;

/// From which severity on a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum Threshold {
    /// From this one on.
    At(Severity),
    /// None does.
    Never,
}

impl Threshold {
    /// Whether a finding of that severity fails the run.
    pub fn fails(self, severity: Severity) -> bool {
        matches!(self, Threshold::At(least) if severity >= least)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Threshold::At(s) => f.write_str(s.as_str()),
            Threshold::Never => f.write_str("never"),
        }
    }
}

impl TryFrom<String> for Threshold {
    type Error = String;

    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        if s == "never" {
            return Ok(Threshold::Never);
        }
        let found = Severity::ALL.iter().find(|x| x.as_str() == s);
        found.map(|s| Threshold::At(*s)).ok_or_else(|| {
            let all = Severity::ALL.iter().map(|x| x.as_str()).chain(["never"]);
            let hint = crate::text::nearest::hint(s, all);
            format!("{s:?} is none of info, low, medium, high, critical, never{hint}")
        })
    }
}

crate::record::words! {
    /// How a finding stands to the baseline.
    Mark {
        /// Not in it.
        New = "new",
        /// In it, no worse than accepted.
        Known = "known",
        /// In it, worse than accepted.
        Worsened = "worsened",
    }
}

/// Who hides a finding from the gate.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Suppressed {
    /// `baseline` or `allow`.
    pub by: &'static str,
    /// Why, in the words of whoever accepted it.
    pub reason: String,
    /// The last day on which that counts.
    pub expires: Option<String>,
}

/// What of a run's findings fails it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// From which severity on.
    pub fail_on: Threshold,
    /// What has been accepted.
    pub baseline: Option<Baseline>,
    /// What the configuration allows.
    pub allow: Vec<Allow>,
    /// The file in which that stands, as it may be shown.
    pub allowed_in: String,
    /// Everything that is found is accepted, by these words, to be written into a baseline.
    pub accept: Option<Acceptance>,
    /// What a scan looks for, for its report; where reports are joined theirs says it.
    pub selection: Selection,
}

impl From<Threshold> for Policy {
    fn from(fail_on: Threshold) -> Policy {
        Policy {
            fail_on,
            baseline: None,
            allow: Vec::new(),
            allowed_in: String::new(),
            accept: None,
            selection: Selection::default(),
        }
    }
}

impl Policy {
    /// How one exposure of a finding with these ids stands to the baseline, by its own severity, and who hides it.
    pub fn mark(
        &self,
        ids: &[u64; 4],
        subject: &Subject,
        severity: Severity,
        now: Instant,
    ) -> (Mark, Option<&'static str>) {
        let baseline = self.baseline.as_ref();
        let mark = baseline.map_or(Mark::New, |b| b.judge(ids, severity, now).mark);
        if mark == Mark::Known {
            (mark, Some("baseline"))
        } else {
            (mark, self.allowed(subject, now).map(|_| "allow"))
        }
    }

    /// The first entry that allows a finding.
    fn allowed(&self, subject: &Subject, now: Instant) -> Option<usize> {
        self.allow
            .iter()
            .position(|a| !a.expired(now) && a.covers(subject))
    }
}

/// What a run tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing at or over the threshold: 0.
    Clean,
    /// Findings at or over it: 1.
    Failing,
    /// Usage or configuration error, or an incomplete scan that nobody allowed: 2.
    Incomplete,
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Failing => 1,
            Outcome::Incomplete => 2,
        }
    }

    /// The outcome of a report. Findings at the threshold win over incompleteness, which wins over cleanness; a
    /// run that read nothing of what it was asked to is incomplete even where that was allowed.
    pub fn of(report: &Report, allow_partial: bool) -> Outcome {
        let read = report
            .sources
            .iter()
            .any(|s| matches!(s.status, Status::Complete | Status::Partial | Status::Ignored));
        if report.gate.failing > 0 {
            Outcome::Failing
        } else if !(report.summary.complete || allow_partial && read) {
            Outcome::Incomplete
        } else {
            Outcome::Clean
        }
    }
}
