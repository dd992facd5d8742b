//! The options of the gate: threshold and baseline, for every command that makes a report.

use super::config::Settings;
use super::output;
use super::paths::{Named, same};
use crate::gate::baseline::{self, Acceptance, Baseline};
use crate::gate::{Policy, Threshold};
use crate::report::Report;
use crate::rule::RuleSet;
use anyhow::bail;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What fails, and what has been accepted.
#[derive(Debug, clap::Args)]
pub struct GateArgs {
    /// Exit 1 for findings of this severity or worse: info, low, medium, high, critical, never.
    #[arg(long, value_name = "SEVERITY|never")]
    pub fail_on: Option<Threshold>,
    /// Findings in this file do not fail the run, unless they have become worse than was accepted.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Accept what is found: write it into this file, which --baseline reads, and exit 0 for it.
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// Why it is accepted.
    #[arg(
        long,
        value_name = "TEXT",
        requires = "write_baseline",
        default_value = "not reviewed yet"
    )]
    baseline_reason: String,
    /// Who accepts it [default: the user's name].
    #[arg(long, value_name = "NAME", requires = "write_baseline")]
    baseline_author: Option<String>,
    /// The last day on which that counts, as 2026-12-31.
    #[arg(long, value_name = "DATE", requires = "write_baseline")]
    baseline_expires: Option<String>,
}

impl GateArgs {
    /// What of a run's findings fails it.
    pub fn policy(&self, default: Threshold, rules: &RuleSet, settings: &Settings) -> anyhow::Result<Policy> {
        let mut policy = Policy::from(self.fail_on.unwrap_or(default));
        policy.allow = settings.allow(rules)?;
        policy.allowed_in = settings.file.clone().unwrap_or_default();
        if let Some((_, path)) = self.baseline(settings) {
            // The first baseline of a project is written where its settings look for it: until then it is empty.
            let first = matches!(path.symlink_metadata(), Err(e) if e.kind() == ErrorKind::NotFound)
                && self.write_baseline.as_ref().is_some_and(|new| same(new, &path));
            if !first {
                policy.baseline = Some(Baseline::read(&path, rules)?);
            }
        }
        if self.write_baseline.is_some() {
            if self.baseline_reason.trim().is_empty() {
                bail!("--baseline-reason is empty: say why it is accepted");
            }
            if let Some(day) = &self.baseline_expires
                && baseline::end_of(day).is_none()
            {
                bail!("--baseline-expires {day:?} is no date; write one as 2026-12-31");
            }
            let user = || ["USER", "USERNAME"].iter().find_map(|v| std::env::var(v).ok());
            policy.accept = Some(Acceptance {
                reason: self.baseline_reason.clone(),
                author: self.baseline_author.clone().or_else(user),
                expires: self.baseline_expires.clone(),
            });
        }
        Ok(policy)
    }

    /// The baseline that is read, with the option or setting that names it.
    fn baseline(&self, settings: &Settings) -> Option<(&'static str, PathBuf)> {
        let set = || {
            let path = settings.values.baseline.as_ref()?;
            Some(("the setting baseline", settings.path(path)))
        };
        self.baseline
            .clone()
            .map(|path| ("--baseline", path))
            .or_else(set)
    }

    /// The file that is written, with its option.
    pub fn writes(&self) -> Option<Named> {
        let path = self.write_baseline.as_ref()?;
        Some(Named::new("--write-baseline", path))
    }

    /// The file that is read, with its option, unless it is the one to be written anew.
    pub fn reads(&self, settings: &Settings) -> Option<Named> {
        let (option, path) = self.baseline(settings)?;
        let anew = self.write_baseline.as_ref().is_some_and(|new| same(new, &path));
        (!anew).then(|| Named::new(option, &path))
    }

    /// Writes the new baseline, where one is asked for.
    pub fn save(&self, report: &Report) -> anyhow::Result<()> {
        match &self.write_baseline {
            Some(path) => output::file(path, |out| baseline::write(report.accepted.clone(), out)),
            None => Ok(()),
        }
    }
}
