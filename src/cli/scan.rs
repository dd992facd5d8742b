//! `plainsight scan`.

use super::config::{ConfigArgs, Settings, either};
use super::formats::{self, Format, Kind};
use super::gate::GateArgs;
use super::part::PartArgs;
use super::paths::Named;
use super::{Ending, output, paths};
use crate::gate::{Outcome, Threshold};
use crate::input::Selection;
use crate::input::budget::{Limits, Size};
use crate::input::stop::Stop;
use crate::report::model::{Selection as Looked, Source, Status};
use crate::report::{Report, ndjson};
use crate::rule::{self, Confidence, RuleSet, Severity};
use crate::scan::{Clients, Config, Progress, Scan};
use crate::secret::{Key, Permit};
use crate::text::nearest;
use crate::time::{Clock, Instant, TimeForm};
use crate::url::host::Parties;
use anyhow::{Context, bail};
use clap::ValueEnum;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `scan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files or folders; `-` is the standard input.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// Findings under this confidence count for nothing [default: tentative].
    #[arg(long, value_name = "CONFIDENCE", value_parser = word::<Confidence>)]
    min_confidence: Option<Confidence>,
    #[command(flatten)]
    rules: RuleArgs,
    /// The log format, by name or as the server's own string (nginx log_format, Apache LogFormat, HAProxy, Envoy).
    #[arg(long, value_name = "STRING|NAME")]
    log_format: Option<String>,
    #[command(flatten)]
    part: PartArgs,
    /// Leave out records before this time.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Leave out records from this time on.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The zone of times that have none, such as Europe/Berlin [default: UTC].
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// In folders, read only files that match.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// In folders, leave out files that match.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Follow symbolic links in folders.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    follow_links: Option<bool>,
    /// Hosts under these domains are one party: what one of them receives from another is not leaked.
    ///
    /// Hosts under one registered domain are one party without being told, by the public suffix list of 2026-11-05.
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',')]
    same_party: Vec<String>,
    /// Threads [default: one for each processor].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Exit 0 even if something could not be read whole.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_partial: Option<bool>,
    #[command(flatten)]
    unpack: UnpackArgs,
    /// What to take for now, to tell what has expired.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// The key of fingerprints: the same key gives the same fingerprints in every run.
    #[arg(long, value_name = "FILE")]
    fingerprint_key_file: Option<PathBuf>,
    /// How clients are shown: full, masked or hashed [default: full].
    #[arg(long, value_name = "HOW", value_parser = word::<Clients>)]
    clients: Option<Clients>,
    /// Show the credentials themselves in evidence. Where an output is no terminal it must be given twice.
    #[arg(long, action = clap::ArgAction::Count)]
    reveal: u8,
    /// Show progress on the standard error.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: When,
}

/// What one input may unpack to.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct UnpackArgs {
    /// Stop unpacking an input at so many times its size, from 1 GiB on [default: 1000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_ratio: Option<u64>,
    /// Stop unpacking an input at this size, such as 500M or 2TiB [default: 16TiB].
    #[arg(long, value_name = "SIZE")]
    max_unpacked: Option<Size>,
}

impl UnpackArgs {
    /// As limits.
    pub fn limits(self) -> Limits {
        let usual = Limits::default();
        Limits {
            ratio: self.max_ratio.unwrap_or(usual.ratio),
            size: self.max_unpacked.map_or(usual.size, |s| s.0),
        }
    }
}

/// Which rules a command works with.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RuleArgs {
    /// A folder of rules that add to or replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Only these rules or families.
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    only: Vec<String>,
    /// Without these rules or families.
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    skip: Vec<String>,
    /// With these families that are off by default.
    #[arg(long, value_name = "FAMILY", value_delimiter = ',')]
    with: Vec<String>,
}

/// What is written, and what fails.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// table, json, ndjson, part (only what merge needs), sarif, html, markdown, github, junit, csv, codequality or
    /// openmetrics; with =FILE into a file. May be given several times, once without a file.
    #[arg(short, long = "format", value_name = "FORMAT[=FILE]")]
    pub formats: Vec<Format>,
    /// What fails.
    #[command(flatten)]
    pub gate: GateArgs,
    /// Hide findings under this severity [default: info].
    #[arg(long, value_name = "SEVERITY", value_parser = word::<Severity>)]
    pub min_severity: Option<Severity>,
    /// Of the table, only what went wrong and the last line.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say on the standard error what each source was taken for, and why.
    #[arg(short, long)]
    pub verbose: bool,
    /// Colour the table.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: When,
}

/// When something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Where a terminal reads it.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// Parses one of the report's own words.
pub fn word<T: serde::de::DeserializeOwned>(s: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(s.to_string())).map_err(|e| {
        let text = e.to_string();
        let hint = nearest::hint_of(&text);
        text.split_once("expected ")
            .map_or(text.clone(), |(_, all)| format!("expected {all}{hint}"))
    })
}

impl RuleArgs {
    /// These, and what the settings say where they say nothing.
    pub fn or(&self, settings: &Settings) -> RuleArgs {
        let file = &settings.values;
        RuleArgs {
            rules: self
                .rules
                .clone()
                .or_else(|| file.rules.as_ref().map(|p| settings.path(p))),
            only: either(&self.only, &file.only),
            skip: either(&self.skip, &file.skip),
            with: either(&self.with, &file.with),
        }
    }

    /// The user's folder of rules.
    pub fn folder(&self) -> Option<&Path> {
        self.rules.as_deref()
    }

    /// The rules to work with.
    pub fn load(&self) -> anyhow::Result<RuleSet> {
        let mut specs = rule::builtin()?;
        let mut skip = self.skip.clone();
        if let Some(dir) = &self.rules {
            let own = rule::load_dir(dir)?;
            let problems = rule::check::unusable(&own.rules)?;
            if !problems.is_empty() {
                let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!(
                    "the rules in {} cannot be used: {}",
                    crate::report::safe::path(dir),
                    all.join("; ")
                );
            }
            specs.extend(own.rules);
            skip.extend(own.silence);
        }
        let mut rules = RuleSet::new(specs)?;
        if self.rules.is_some() {
            rules.verify()?;
        }
        if let Err(id) = rules.select(&self.only, &skip, &self.with) {
            let all = rules
                .rules
                .iter()
                .flat_map(|r| [r.spec.id.as_str(), r.spec.family.as_str()]);
            bail!(
                "{id:?} is no rule and no family of rules{}; see `plainsight rules list`",
                nearest::hint(&id, all)
            );
        }
        Ok(rules)
    }
}

/// A time of the command line.
pub fn time(text: &str, clock: &Clock) -> anyhow::Result<Instant> {
    clock
        .read(text.as_bytes(), TimeForm::Iso)
        .with_context(|| format!("{text:?} is no time; write one as 2026-01-31 or 2026-01-31T12:00:00Z"))
}

/// The key of fingerprints: that of the file, or one for this run.
pub fn key(file: Option<&Path>) -> anyhow::Result<Key> {
    let Some(path) = file else {
        return Ok(Key::random()?);
    };
    if std::fs::metadata(path).is_ok_and(|m| crate::platform::readable_by_others(&m)) {
        output::say(&format!(
            "warning: others can read the fingerprint key file {0}; run: chmod 600 {0}",
            crate::report::safe::path(path)
        ));
    }
    Ok(Key::from_file(path)?)
}

/// Runs the command.
pub fn run(args: Args) -> Ending {
    let stop = Stop::default();
    crate::platform::stop_on_signals(&stop).context("signals cannot be handled")?;
    let formats = formats::outputs(&args.report.formats)?;
    if args.reveal == 1 && !(io::stdout().is_terminal() && formats.iter().all(|f| f.file.is_none())) {
        bail!("--reveal would write credentials into a file or pipe; give it twice if that is wanted");
    }
    let settings = args.config.load()?;
    let file = &settings.values;
    let inputs = settings.paths(&args.paths)?;
    let zone = args
        .timezone
        .as_deref()
        .or(file.timezone.as_deref())
        .unwrap_or("UTC");
    let zone = jiff::tz::TimeZone::get(zone)
        .with_context(|| format!("{zone:?} is no time zone; write one as Europe/Berlin"))?;
    let mut clock = Clock {
        now: Instant::now(),
        zone,
    };
    if let Some(now) = &args.now {
        clock.now = time(
            now,
            &Clock {
                zone: jiff::tz::TimeZone::UTC,
                ..clock.clone()
            },
        )?;
    }
    let since = args.since.as_deref().map(|t| time(t, &clock)).transpose()?;
    let until = args.until.as_deref().map(|t| time(t, &clock)).transpose()?;
    if let (Some(since), Some(until)) = (since, until)
        && until <= since
    {
        bail!("--until {until} is not after --since {since}: no record is between them");
    }
    let catalogue = settings.catalogue(args.log_format.as_deref())?;
    let parties = Parties::new(&either(&args.same_party, &file.same_party))
        .map_err(|d| anyhow::anyhow!("--same-party {d:?} is no domain; write one as example.org"))?;
    let mut selection = Selection::new(
        &either(&args.include, &file.include),
        &either(&args.exclude, &file.exclude),
        args.follow_links.or(file.follow_links).unwrap_or(false),
    )
    .context("a glob cannot be used")?;
    selection.outputs = formats.iter().filter_map(|f| f.file.clone()).collect();
    selection.outputs.extend(args.report.gate.write_baseline.clone());
    let mut writes = formats::files(&formats);
    writes.extend(args.report.gate.writes());
    let mut reads = settings.reads(&args.rules);
    reads.extend(args.report.gate.reads(&settings));
    reads.extend(args.part.reads());
    let key_file = args.fingerprint_key_file.as_deref();
    reads.extend(key_file.map(|p| Named::new("--fingerprint-key-file", p)));
    paths::check(&writes, &reads, &inputs)?;
    let key = key(key_file)?;
    let chosen = args.rules.or(&settings);
    let rules = chosen.load()?;
    let min_confidence = args.min_confidence.or(file.min_confidence);
    let fail_on = file.fail_on.unwrap_or(Threshold::At(Severity::Medium));
    let mut gate = args.report.gate.policy(fail_on, &rules, &settings)?;
    gate.selection = Looked {
        only: chosen.only,
        skip: chosen.skip,
        with: chosen.with,
        since,
        until,
        min_confidence: min_confidence.filter(|c| *c > Confidence::Tentative),
    };
    let config = Config {
        clock,
        key,
        rules,
        formats: catalogue,
        selection,
        jobs: args.jobs.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            usize::from,
        ),
        clients: args.clients.or(file.clients).unwrap_or(Clients::Full),
        gate,
        min_severity: args
            .report
            .min_severity
            .or(file.min_severity)
            .unwrap_or(Severity::Info),
        min_confidence: min_confidence.unwrap_or(Confidence::Tentative),
        since,
        until,
        reveal: (args.reveal > 0).then(Permit::asked_for),
        parties,
        file: settings.file.clone(),
        limits: args.unpack.limits(),
        stop: stop.clone(),
        name: args.part.source.clone(),
        split: args.part.split(&inputs)?,
        exhaustive: false,
    };
    if !matches!(&inputs[..], [one] if crate::scan::is_small(one)) {
        // The report is made by as many threads as the scan. It fails only where the pool stands already.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(config.jobs)
            .build_global();
    }
    let scan = Scan::new(config);
    let auto = !args.report.quiet && io::stderr().is_terminal();
    let bar = args.progress == When::Always || args.progress == When::Auto && auto;
    let progress = Progress {
        shown: bar,
        ..Progress::default()
    };
    let done = AtomicBool::new(false);
    let report = std::thread::scope(|s| {
        if bar {
            s.spawn(|| show_progress(&progress, &done));
        }
        let report = read(&scan, &inputs, &formats, &progress);
        done.store(true, Ordering::Relaxed);
        report
    })?;
    formats::write(&report, &formats, &args.report)?;
    if args.report.verbose {
        report.sources.iter().for_each(|s| output::say(&told(s)));
    }
    if stop.asked().is_none() {
        args.report.gate.save(&report)?;
    } else if args.report.gate.write_baseline.is_some() {
        output::say("warning: the baseline was not written, because the scan ended early");
    }
    for s in report.unread() {
        output::say(&format!(
            "{}: {}: {}",
            s.status,
            s.path,
            s.problem.as_deref().unwrap_or_default()
        ));
    }
    if let Some(code) = stop.asked().and_then(crate::platform::exit_code) {
        return Ok(code);
    }
    let outcome = Outcome::of(
        &report,
        args.allow_partial.or(file.allow_partial).unwrap_or(false),
    );
    // The process ends: taking report and rules apart piece by piece would only cost time.
    std::mem::forget((report, scan));
    Ok(outcome.code())
}

/// What a source was taken for, and why.
fn told(s: &Source) -> String {
    let compression = s
        .compression
        .as_deref()
        .map(|c| format!(", {c}"))
        .unwrap_or_default();
    match (&s.format, s.status) {
        (_, Status::Ignored) => format!(
            "{}: not read: {}",
            s.path,
            s.problem.as_deref().unwrap_or_default()
        ),
        (Some(format), _) => format!(
            "{}: {format} ({}{compression}), which most of its first lines are; {} records, of those looked into {} fit no format",
            s.path, s.surface, s.records, s.unparsed
        ),
        (None, _) => format!(
            "{}: {}{compression}, nothing in it to tell a format by",
            s.path, s.surface
        ),
    }
}

/// Scans; the stream of exposures is written as it comes.
fn read(scan: &Scan, paths: &[PathBuf], formats: &[Format], progress: &Progress) -> anyhow::Result<Report> {
    let Some(stream) = formats.iter().find(|f| f.kind == Kind::Ndjson) else {
        return Ok(scan.run(paths, None, progress));
    };
    if formats.iter().filter(|f| f.kind == Kind::Ndjson).count() > 1 {
        bail!("ndjson can be written once in a run");
    }
    match &stream.file {
        None => {
            let stop = scan.config().stop.clone();
            let mut sink = ndjson::Stream::new(io::BufWriter::new(io::stdout()), stop);
            let report = scan.run(paths, Some(&mut sink), progress);
            match sink.finish(&report) {
                Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
                _ => Ok(report),
            }
        }
        Some(path) => {
            let mut report = None;
            output::file(path, |out| {
                let mut sink = ndjson::Stream::new(out, scan.config().stop.clone());
                let made = scan.run(paths, Some(&mut sink), progress);
                let finished = sink.finish(&made);
                report = Some(made);
                finished
            })?;
            report.context("nothing was scanned")
        }
    }
}

/// Draws the bar until the scan is done.
fn show_progress(progress: &Progress, done: &AtomicBool) {
    let bar = indicatif::ProgressBar::new(0);
    let style = indicatif::ProgressStyle::with_template(
        "{bytes} of {total_bytes} [{bar:30}] {bytes_per_sec}, {eta} left, {msg}",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    while !done.load(Ordering::Relaxed) {
        bar.set_length(progress.total.load(Ordering::Relaxed));
        bar.set_position(progress.bytes.load(Ordering::Relaxed));
        bar.set_message(format!(
            "{} exposures",
            progress.exposures.load(Ordering::Relaxed)
        ));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    bar.finish_and_clear();
}
