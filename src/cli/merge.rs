//! `plainsight merge`: finding the reports, and joining them by several threads.

use super::config::ConfigArgs;
use super::paths::Named;
use super::scan::{ReportArgs, RuleArgs};
use super::{Ending, formats, output, paths, scan};
use crate::gate::{Outcome, Threshold};
use crate::input::magic::{self, Magic};
use crate::input::open::{Peek, decompress};
use crate::merge::{self, MergeError, Merger, Options, Part};
use crate::report::safe;
use crate::rule::Severity;
use crate::scan::Config;
use crate::time::Clock;
use anyhow::{Context, bail};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

/// Reports up to this size are read as a whole, in bytes; larger ones as they come, which takes longer.
const HELD: u64 = 32 << 20;

/// Reports that may wait to be joined.
const WAITING: usize = 2;

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
    let outputs: Vec<&Path> = formats
        .iter()
        .filter_map(|f| f.file.as_deref())
        .chain(args.report.gate.write_baseline.as_deref())
        .collect();
    let inputs = files(&args, &outputs)?;
    let mut writes = formats::files(&formats);
    writes.extend(args.report.gate.writes());
    let mut reads = settings.reads(&args.rules);
    reads.extend(args.report.gate.reads(&settings));
    reads.extend(args.files_from.as_deref().map(|p| Named::new("--files-from", p)));
    paths::check(&writes, &reads, &inputs)?;
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
    let report = join(&inputs, jobs, &options)?.finish()?;
    formats::write(&report, &formats, &args.report)?;
    args.report.gate.save(&report)?;
    if !report.summary.complete {
        output::say("warning: not everything was read whole; the sources say which and why");
    }
    Ok(Outcome::of(&report, args.allow_partial).code())
}

/// The reports to join, in order; what folders hold in order of names, but for what this run writes.
fn files(args: &Args, outputs: &[&Path]) -> anyhow::Result<Vec<PathBuf>> {
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
            let own = || outputs.iter().any(|o| paths::same(o, &path));
            if report && !name.starts_with('.') && !own() {
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

/// What a thread that reads hands on: a report, or what is wrong with one; by number of the file.
type Sent = (usize, anyhow::Result<Part>);

/// Joins `files`: some threads read, this one joins what comes, so that what is joined is held once. That the order does
/// not matter is what makes a report mergeable.
fn join<'o>(files: &[PathBuf], jobs: usize, options: &'o Options) -> anyhow::Result<Merger<'o>> {
    let mut merger = Merger::new(options);
    let next = AtomicUsize::new(0);
    let names: Vec<String> = files.iter().map(|f| safe::path(f)).collect();
    let mut failed: Option<(usize, anyhow::Error)> = None;
    std::thread::scope(|s| {
        let (give, parts) = sync_channel::<Sent>(WAITING);
        for _ in 0..jobs.min(files.len()) {
            let (give, next) = (give.clone(), &next);
            let names = &names;
            s.spawn(move || {
                let mut held = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = files.get(n) else { return };
                    let mut gone = false;
                    let each = |part| {
                        gone |= give.send((n, Ok(part))).is_err();
                        Ok(())
                    };
                    if let Err(e) = read(path, &names[n], &mut held, each) {
                        gone |= give.send((n, Err(e))).is_err();
                    }
                    if gone {
                        return;
                    }
                }
            });
        }
        drop(give);
        for (n, part) in parts {
            let done = part.and_then(|part| Ok(merger.take(&names[n], part)?));
            if let Err(e) = done {
                // Nothing that comes later has to be read any more; of what was being read the first error is told.
                next.store(files.len(), Ordering::Relaxed);
                if failed.as_ref().is_none_or(|(first, _)| n < *first) {
                    failed = Some((n, e));
                }
            }
        }
    });
    failed.map_or(Ok(merger), |(_, e)| Err(e))
}

/// Reads the reports of one file.
fn read(
    path: &Path,
    shown: &str,
    held: &mut Vec<u8>,
    each: impl FnMut(Part) -> Result<(), MergeError>,
) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return Ok(unpacked(shown, io::stdin(), each)?);
    }
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    let whole = file.metadata().is_ok_and(|m| m.is_file() && m.len() <= HELD);
    if !whole {
        return Ok(unpacked(shown, file, each)?);
    }
    held.clear();
    file.take(HELD)
        .read_to_end(held)
        .with_context(|| format!("cannot read {shown}"))?;
    if magic::tell(held) == Magic::Data {
        return Ok(merge::read(shown, held, each)?);
    }
    Ok(unpacked(shown, held.as_slice(), each)?)
}

/// Reads reports that may be compressed, as they come.
fn unpacked(
    shown: &str,
    input: impl Read,
    each: impl FnMut(Part) -> Result<(), MergeError>,
) -> Result<(), MergeError> {
    let input = Peek::new(Box::new(input) as Box<dyn Read + '_>);
    match input.magic() {
        Magic::Data => merge::read_stream(shown, input, each),
        kind => match decompress(kind, input) {
            Ok((_, plain)) => merge::read_stream(shown, plain, each),
            Err(_) => Err(MergeError::NoReport {
                file: shown.into(),
                message: "it is neither JSON nor gzip, bzip2, xz or zstd".into(),
            }),
        },
    }
}
