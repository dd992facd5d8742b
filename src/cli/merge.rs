//! `plainsight merge`.

use super::config::ConfigArgs;
use super::scan::{ReportArgs, RuleArgs};
use super::{Ending, formats, output, scan};
use crate::gate::{Outcome, Threshold};
use crate::merge::{Merger, Options};
use crate::rule::Severity;
use crate::scan::Config;
use crate::time::Clock;
use anyhow::{Context, bail};
use std::path::PathBuf;

/// Arguments of `merge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// JSON reports.
    #[arg(required = true, value_name = "REPORT.json")]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// The log format that the parts were scanned with, if one was given.
    #[arg(long, value_name = "STRING|NAME")]
    log_format: Option<String>,
    /// The clock of the joined report [default: the latest of the parts].
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Exit 0 even if a part was not read whole.
    #[arg(long)]
    allow_partial: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Ending {
    let formats = formats::outputs(&args.report.formats)?;
    if formats.iter().any(|f| f.kind == formats::Kind::Ndjson) {
        bail!("a joined report has no stream of exposures: use another format");
    }
    let now = args
        .now
        .as_deref()
        .map(|t| scan::time(t, &Clock::system()))
        .transpose()?;
    let settings = args.config.load()?;
    let config = Config {
        rules: args.rules.or(&settings).load()?,
        formats: settings.catalogue(args.log_format.as_deref())?,
        file: settings.file.clone(),
        ..Config::new()?
    };
    let gate = args
        .report
        .gate
        .policy(Threshold::Never, &config.rules, &settings)?;
    let mut merger = Merger::new(Options {
        config,
        now,
        gate,
        min_severity: args.report.min_severity.unwrap_or(Severity::Info),
    });
    for path in &args.reports {
        let shown = crate::report::safe::path(path);
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {shown}"))?;
        merger.add(&shown, file)?;
    }
    let report = merger.finish()?;
    formats::write(&report, &formats, &args.report)?;
    args.report.gate.save(&report)?;
    if !report.summary.complete {
        output::say("warning: a part was not read whole; its sources say which and why");
    }
    Ok(Outcome::of(&report, args.allow_partial).code())
}
