//! `plainsight merge`: finding the reports, and joining them by several threads.

use super::config::ConfigArgs;
use super::scan::{ReportArgs, RuleArgs};
use super::{Ending, formats, output, scan};
use crate::gate::{Outcome, Threshold};
use crate::input::magic::{self, Magic};
use crate::input::open::{Peek, decompress};
use crate::merge::{MergeError, Merger, Options};
use crate::report::safe;
use crate::rule::Severity;
use crate::scan::Config;
use crate::time::Clock;
use anyhow::{Context, bail};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Reports up to this size are read as a whole, in bytes; larger ones as they come, which takes longer.
const HELD: u64 = 32 << 20;

/// Arguments of `merge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// JSON reports, also several in a file and compressed ones; folders with them (*.json, *.json.gz, *.json.zst); `-` is
    /// the standard input.
    #[arg(required_unless_present = "files_from", value_name = "REPORT.json|DIR|-")]
    reports: Vec<PathBuf>,
    /// Also the reports whose names stand in this file, one a line; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    files_from: Option<PathBuf>,
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
    /// Exit 0 even if a part was not read whole, or is missing.
    #[arg(long)]
    allow_partial: bool,
    /// Threads [default: one for each processor].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
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
    let jobs = args.jobs.map_or(config.jobs, usize::from);
    let least = args.report.min_severity.unwrap_or(Severity::Info);
    let options = Options::new(config, now, gate, least);
    let report = join(&files(&args)?, jobs, &options)?.finish()?;
    formats::write(&report, &formats, &args.report)?;
    args.report.gate.save(&report)?;
    if !report.summary.complete {
        output::say("warning: not everything was read whole; the sources say which and why");
    }
    Ok(Outcome::of(&report, args.allow_partial).code())
}

/// The reports to join, in order; what folders hold in order of names.
fn files(args: &Args) -> anyhow::Result<Vec<PathBuf>> {
    let mut named = args.reports.clone();
    if let Some(list) = &args.files_from {
        let shown = safe::path(list);
        let lines: Box<dyn BufRead> = if list.as_os_str() == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(list).with_context(|| format!("cannot open {shown}"))?;
            Box::new(BufReader::new(file))
        };
        for line in lines.lines() {
            let line = line.with_context(|| format!("cannot read {shown}"))?;
            if !line.is_empty() {
                named.push(line.into());
            }
        }
    }
    let mut out = Vec::new();
    for path in named {
        if !path.is_dir() {
            out.push(path);
            continue;
        }
        let shown = safe::path(&path);
        let entries = std::fs::read_dir(&path).with_context(|| format!("cannot open {shown}"))?;
        let before = out.len();
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {shown}"))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let report = [".json", ".json.gz", ".json.zst"]
                .iter()
                .any(|e| name.ends_with(e));
            if report && !name.starts_with('.') {
                out.push(path);
            }
        }
        if out.len() == before {
            bail!("there is no report in {shown}: their names end in .json");
        }
        out[before..].sort();
    }
    Ok(out)
}

/// Joins `files`: each thread those that it comes to, then what the threads have. That the order does not matter is what
/// makes a report mergeable.
fn join<'o>(files: &[PathBuf], jobs: usize, options: &'o Options) -> anyhow::Result<Merger<'o>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Merger<'o>, (usize, anyhow::Error)> {
        let mut merger = Merger::new(options);
        let mut held = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(n) else {
                return Ok(merger);
            };
            add(&mut merger, path, &mut held).map_err(|e| {
                // Nothing that comes later has to be read any more.
                next.store(files.len(), Ordering::Relaxed);
                (n, e)
            })?;
        }
    };
    let done: Vec<_> = std::thread::scope(|s| {
        let threads: Vec<_> = (1..jobs.min(files.len())).map(|_| s.spawn(work)).collect();
        let own = work();
        let joined = threads
            .into_iter()
            .map(|t| t.join().map_err(std::panic::resume_unwind));
        let others: Vec<_> = joined
            .map(|r| match r {
                Ok(done) => done,
                Err(never) => never,
            })
            .collect();
        std::iter::once(own).chain(others).collect()
    });
    let mut all = Merger::new(options);
    let mut errors = Vec::new();
    for one in done {
        match one {
            Ok(merger) => all.join("one of the reports", merger)?,
            Err(e) => errors.push(e),
        }
    }
    // The first of those that were met.
    match errors.into_iter().min_by_key(|(n, _)| *n) {
        Some((_, e)) => Err(e),
        None => Ok(all),
    }
}

/// Adds the reports of one file.
fn add(merger: &mut Merger, path: &Path, held: &mut Vec<u8>) -> anyhow::Result<()> {
    let shown = safe::path(path);
    if path.as_os_str() == "-" {
        return Ok(unpacked(merger, &shown, io::stdin())?);
    }
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    let size = file
        .metadata()
        .map_or(u64::MAX, |m| if m.is_file() { m.len() } else { u64::MAX });
    if size > HELD {
        return Ok(unpacked(merger, &shown, file)?);
    }
    held.clear();
    file.take(HELD)
        .read_to_end(held)
        .with_context(|| format!("cannot read {shown}"))?;
    if magic::tell(held) == Magic::Data {
        return Ok(merger.add(&shown, held)?);
    }
    Ok(unpacked(merger, &shown, held.as_slice())?)
}

/// Adds reports that may be compressed, as they come.
fn unpacked(merger: &mut Merger, shown: &str, input: impl Read) -> Result<(), MergeError> {
    let input = Peek::new(Box::new(input) as Box<dyn Read + '_>);
    match input.magic() {
        Magic::Data => merger.add_stream(shown, input),
        kind => match decompress(kind, input) {
            Ok((_, plain)) => merger.add_stream(shown, plain),
            Err(_) => Err(MergeError::NoReport {
                file: shown.into(),
                message: "it is neither JSON nor gzip, bzip2, xz or zstd".into(),
            }),
        },
    }
}
