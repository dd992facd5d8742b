//! One pass over a report's findings: what fails, what is hidden and by whom, which entries were never used, and
//! what a new baseline holds.

use super::allow::Subject;
use super::baseline::Entry;
use super::{Mark, Policy, Suppressed};
use crate::finding::FindingKey;
use crate::report::model::{Diagnostic, Level};
use crate::rule::{RuleSet, Severity};
use crate::time::Instant;

/// Entries of one kind that are told one by one; the rest is counted.
const TOLD: usize = 20;

/// A review of a report's findings, in any order.
pub struct Review<'p> {
    policy: &'p Policy,
    rules: &'p RuleSet,
    now: Instant,
    /// Which entries of the baseline cover something.
    used: Vec<bool>,
    /// Which allow entries cover something.
    used_allow: Vec<bool>,
    /// Their severities, where something worse was accepted.
    raised: Vec<Option<Severity>>,
    accepted: Vec<Entry>,
    failing: u64,
    suppressed: u64,
}

/// What of all there may be was looked at.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Everything that was asked for was read whole.
    pub complete: bool,
    /// Less was asked for than there may be: a time, a part, a confidence, files that globs leave out.
    pub narrowed: bool,
    /// Rules that are there by default were left out; which, the rules themselves know.
    pub some_rules: bool,
}

/// What a review comes to.
#[derive(Debug)]
pub struct Reviewed {
    /// Findings that fail the run.
    pub failing: u64,
    /// Findings that are hidden.
    pub suppressed: u64,
    /// What has to be said of entries.
    pub diagnostics: Vec<Diagnostic>,
    /// Entries of a new baseline, where one is asked for.
    pub accepted: Vec<Entry>,
}

impl<'p> Review<'p> {
    /// A review that has seen nothing.
    pub fn new(policy: &'p Policy, rules: &'p RuleSet, now: Instant) -> Self {
        let entries = policy.baseline.as_ref().map_or(0, |b| b.entries.len());
        Review {
            policy,
            rules,
            now,
            used: vec![false; entries],
            used_allow: vec![false; policy.allow.len()],
            raised: vec![None; entries],
            accepted: Vec::new(),
            failing: 0,
            suppressed: 0,
        }
    }

    /// How a finding stands to the baseline, and who hides it.
    pub fn judge(&mut self, key: &FindingKey, rule: &str, severity: Severity) -> (Mark, Option<Suppressed>) {
        let mut mark = Mark::New;
        let mut expired = false;
        let mut own = None;
        if let Some(b) = &self.policy.baseline {
            let ids = key.ids(rule);
            b.covering(&ids).for_each(|n| self.used[n] = true);
            let found = b.judge(&ids, severity, self.now);
            (mark, expired) = (found.mark, found.expired);
            if let (Mark::Known, Some(n)) = (mark, found.entry) {
                self.suppressed += 1;
                let entry = &b.entries[n];
                let by = Suppressed {
                    by: "baseline",
                    reason: crate::report::safe::label(&entry.reason),
                    expires: entry.expires.clone(),
                };
                return (mark, Some(by));
            }
            own = b.covering(&[ids[0]; 4]).find(|&n| !b.expired(n, self.now));
        }
        let subject = Subject {
            rule,
            host: key.host.as_deref(),
            route: key.route.as_deref(),
            name: &key.name,
        };
        for (allow, used) in self.policy.allow.iter().zip(&mut self.used_allow) {
            *used |= allow.covers(&subject);
        }
        if let Some(n) = self.policy.allowed(&subject, self.now) {
            self.suppressed += 1;
            let spec = &self.policy.allow[n].spec;
            let by = Suppressed {
                by: "allow",
                reason: crate::report::safe::label(&spec.reason),
                expires: spec.expires.clone(),
            };
            return (mark, Some(by));
        }
        let fails = self.policy.fail_on.fails(severity);
        match &self.policy.accept {
            // What is worth failing for or worth fixing is accepted; an expired entry waits for somebody to renew it.
            Some(by) if !expired && (fails || severity > Severity::Info) => match own {
                Some(n) => self.raised[n] = self.raised[n].max(Some(severity)),
                None => self.accepted.push(Entry::new(key, rule, severity, by, self.now)),
            },
            _ => self.failing += u64::from(fails),
        }
        (mark, None)
    }

    /// What it comes to, for what was looked at.
    pub fn finish(mut self, reach: Reach) -> Reviewed {
        let mut diagnostics = self.entries_to_tell(reach);
        diagnostics.extend(self.allow_to_tell(reach));
        if let (Some(by), Some(b)) = (&self.policy.accept, &self.policy.baseline) {
            for (n, entry) in b.entries.iter().enumerate() {
                // What is gone is dropped, unless it may stand in what was not read or not looked for.
                if !self.used[n] && reach.complete && self.looked_for(&entry.rule, reach) {
                    continue;
                }
                let mut kept = entry.clone();
                if let Some(severity) = self.raised[n] {
                    kept.severity = severity;
                    kept.author.clone_from(&by.author);
                    kept.date = super::baseline::day(self.now);
                }
                self.accepted.push(kept);
            }
        }
        Reviewed {
            failing: self.failing,
            suppressed: self.suppressed,
            diagnostics,
            accepted: self.accepted,
        }
    }

    /// Whether a finding of that rule would have been found wherever it stands.
    fn looked_for(&self, rule: &str, reach: Reach) -> bool {
        !reach.narrowed && self.rules.by_id(rule).is_none_or(|r| r.enabled)
    }

    fn entries_to_tell(&self, reach: Reach) -> Vec<Diagnostic> {
        let Some(b) = &self.policy.baseline else {
            return Vec::new();
        };
        let mut told = Told::new(&b.file);
        for (n, entry) in b.entries.iter().enumerate() {
            let what = entry.describe();
            if b.expired(n, self.now) {
                let when = entry.expires.as_deref().unwrap_or_default();
                told.expired(format!("the entry {what} expired after {when} and hides nothing: fix the leak, or set a new expires"));
            } else if !self.used[n] && self.rules.by_id(&entry.rule).is_none() {
                told.unused(format!(
                    "the entry {what} is unused: no rule has that id; remove it"
                ));
            } else if !self.used[n] && self.looked_for(&entry.rule, reach) {
                let why = unused(reach.complete);
                told.unused(format!(
                    "the entry {what} is unused, nothing like it was found: {why}"
                ));
            }
        }
        told.finish()
    }

    fn allow_to_tell(&self, reach: Reach) -> Vec<Diagnostic> {
        let mut told = Told::new(&self.policy.allowed_in);
        for (allow, used) in self.policy.allow.iter().zip(&self.used_allow) {
            let what = allow.describe();
            // One that names no rule may be about those that were not looked for.
            let looked_for = match &allow.spec.rule {
                Some(rule) => self.looked_for(rule, reach),
                None => !reach.narrowed && !reach.some_rules,
            };
            if allow.expired(self.now) {
                let when = allow.spec.expires.as_deref().unwrap_or_default();
                told.expired(format!("the allow entry ({what}) expired after {when} and hides nothing: fix the leak, or set a new expires"));
            } else if !used && looked_for {
                let why = unused(reach.complete);
                told.unused(format!(
                    "the allow entry ({what}) is unused, nothing like it was found: {why}"
                ));
            }
        }
        told.finish()
    }
}

/// What to do about an entry for something that was not found.
fn unused(complete: bool) -> &'static str {
    if complete {
        "if the leak is fixed, remove it"
    } else {
        "but not everything was read"
    }
}

/// Diagnostics about entries of one file, bounded.
struct Told {
    file: String,
    out: Vec<Diagnostic>,
    expired: usize,
    unused: usize,
}

impl Told {
    fn new(file: &str) -> Self {
        Told {
            file: file.to_string(),
            out: Vec::new(),
            expired: 0,
            unused: 0,
        }
    }

    fn push(&mut self, level: Level, message: String) {
        self.out.push(Diagnostic {
            level,
            source: Some(self.file.clone()),
            message,
            gate: true,
        });
    }

    fn expired(&mut self, message: String) {
        self.expired += 1;
        if self.expired <= TOLD {
            self.push(Level::Warning, message);
        }
    }

    fn unused(&mut self, message: String) {
        self.unused += 1;
        if self.unused <= TOLD {
            self.push(Level::Note, message);
        }
    }

    fn finish(mut self) -> Vec<Diagnostic> {
        if self.expired > TOLD {
            let more = self.expired - TOLD;
            self.push(Level::Warning, format!("{more} more entries have expired"));
        }
        if self.unused > TOLD {
            let more = self.unused - TOLD;
            self.push(Level::Note, format!("{more} more entries are unused"));
        }
        self.out
    }
}
