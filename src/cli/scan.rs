//! `plainsight scan`.

use super::{Ending, output};
use crate::format::Catalogue;
use crate::gate::{Outcome, Threshold};
use crate::input::Selection;
use crate::report::{Report, json, ndjson, table};
use crate::rule::{self, Confidence, RuleSet, Severity};
use crate::scan::{Clients, Config, Progress, Scan};
use crate::secret::Key;
use crate::time::{Clock, Instant, TimeForm};
use anyhow::{Context, bail};
use clap::ValueEnum;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `scan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files or folders; `-` is the standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
    /// Findings under this confidence count for nothing.
    #[arg(long, value_name = "CONFIDENCE", default_value = "tentative", value_parser = word::<Confidence>)]
    min_confidence: Confidence,
    #[command(flatten)]
    rules: RuleArgs,
    /// The log format, by name or as the server's own string (nginx log_format, Apache LogFormat, HAProxy, Envoy).
    #[arg(long, value_name = "STRING|NAME")]
    log_format: Option<String>,
    /// Leave out records before this time.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Leave out records from this time on.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The zone of times that have none, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// In folders, read only files that match.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// In folders, leave out files that match.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Follow symbolic links in folders.
    #[arg(long)]
    follow_links: bool,
    /// Threads [default: one for each processor].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Exit 0 even if something could not be read whole.
    #[arg(long)]
    allow_partial: bool,
    /// What to take for now, to tell what has expired.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// The key of fingerprints: the same key gives the same fingerprints in every run.
    #[arg(long, value_name = "FILE")]
    fingerprint_key_file: Option<PathBuf>,
    /// How clients are shown.
    #[arg(long, value_name = "HOW", default_value = "full", value_parser = word::<Clients>)]
    clients: Clients,
    /// Show progress on the standard error.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: When,
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
    /// table, json or ndjson; with =FILE into a file. May be given several times, once without a file.
    #[arg(short, long = "format", value_name = "FORMAT[=FILE]")]
    pub formats: Vec<Format>,
    /// Exit 1 for findings of this severity or worse: info, low, medium, high, critical, never.
    #[arg(long, value_name = "SEVERITY|never")]
    pub fail_on: Option<Threshold>,
    /// Hide findings under this severity.
    #[arg(long, value_name = "SEVERITY", default_value = "info", value_parser = word::<Severity>)]
    pub min_severity: Severity,
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

/// An output's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For readers.
    Table,
    /// One document.
    Json,
    /// One object a line.
    Ndjson,
}

/// An output and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Its kind.
    pub kind: Kind,
    /// The file; the standard output where there is none.
    pub file: Option<PathBuf>,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (kind, file) = s.split_once('=').map_or((s, None), |(k, f)| (k, Some(f)));
        let kind = match kind {
            "table" => Kind::Table,
            "json" => Kind::Json,
            "ndjson" => Kind::Ndjson,
            _ => return Err(format!("{kind:?} is none of table, json, ndjson")),
        };
        if file == Some("") {
            return Err("the file's name is missing after =".into());
        }
        Ok(Format {
            kind,
            file: file.map(PathBuf::from),
        })
    }
}

/// Parses one of the report's own words.
pub fn word<T: serde::de::DeserializeOwned>(s: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(s.to_string())).map_err(|e| {
        let text = e.to_string();
        text.split_once("expected ")
            .map_or(text.clone(), |(_, all)| format!("expected {all}"))
    })
}

impl RuleArgs {
    /// The rules to work with.
    pub fn load(&self) -> anyhow::Result<RuleSet> {
        let mut specs = rule::builtin()?;
        if let Some(dir) = &self.rules {
            specs.extend(rule::load_dir(dir)?);
        }
        let mut rules = RuleSet::new(specs)?;
        if self.rules.is_some() {
            rules.verify()?;
        }
        if let Err(id) = rules.select(&self.only, &self.skip, &self.with) {
            let all = rules
                .rules
                .iter()
                .flat_map(|r| [r.spec.id.as_str(), r.spec.family.as_str()]);
            bail!(
                "{id:?} is no rule and no family of rules{}; see `plainsight rules list`",
                super::catalogue::nearest(&id, all)
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

/// Writes the outputs that are made of the finished report.
pub fn write(report: &Report, formats: &[Format], color: When) -> anyhow::Result<()> {
    for format in formats.iter().filter(|f| f.kind != Kind::Ndjson) {
        let terminal = format.file.is_none() && io::stdout().is_terminal();
        let put = |out: &mut dyn Write| match format.kind {
            Kind::Json => json::write(report, out),
            _ => {
                let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
                let color = color == When::Always || color == When::Auto && terminal && wanted;
                let width = terminal_size::terminal_size()
                    .filter(|_| terminal)
                    .map_or(100, |(w, _)| w.0.clamp(40, 200));
                table::write(report, table::Style { width, color }, out)
            }
        };
        match &format.file {
            Some(path) => output::file(path, put)?,
            None => output::stdout(put)?,
        }
    }
    Ok(())
}

/// At most one output goes to the standard output; the table does where none is asked for.
pub fn outputs(formats: &[Format]) -> anyhow::Result<Vec<Format>> {
    if formats.iter().filter(|f| f.file.is_none()).count() > 1 {
        bail!("only one --format can go to the standard output; give the others a file: -f json=FILE");
    }
    let mut files: Vec<&PathBuf> = formats.iter().filter_map(|f| f.file.as_ref()).collect();
    files.sort();
    if files.windows(2).any(|w| w[0] == w[1]) {
        bail!("two outputs go to the same file");
    }
    if formats.is_empty() {
        return Ok(vec![Format {
            kind: Kind::Table,
            file: None,
        }]);
    }
    Ok(formats.to_vec())
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
    let formats = outputs(&args.report.formats)?;
    let zone = jiff::tz::TimeZone::get(&args.timezone)
        .with_context(|| format!("{:?} is no time zone; write one as Europe/Berlin", args.timezone))?;
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
    let mut catalogue = Catalogue::builtin()?;
    if let Some(text) = &args.log_format {
        catalogue.set_user(text)?;
    }
    let mut selection =
        Selection::new(&args.include, &args.exclude, args.follow_links).context("a glob cannot be used")?;
    selection.outputs = formats.iter().filter_map(|f| f.file.clone()).collect();
    for path in &selection.outputs {
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if !folder.is_dir() {
            bail!(
                "cannot write {}: {} is no folder",
                crate::report::safe::path(path),
                crate::report::safe::path(folder)
            );
        }
    }
    let key = key(args.fingerprint_key_file.as_deref())?;
    let config = Config {
        clock,
        key,
        rules: args.rules.load()?,
        formats: catalogue,
        selection,
        jobs: args.jobs.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            usize::from,
        ),
        clients: args.clients,
        fail_on: args.report.fail_on.unwrap_or(Threshold::At(Severity::Medium)),
        min_severity: args.report.min_severity,
        min_confidence: args.min_confidence,
        since,
        until,
        exhaustive: false,
    };
    let scan = Scan::new(config);
    let progress = Progress::default();
    let done = AtomicBool::new(false);
    let bar = args.progress == When::Always || args.progress == When::Auto && io::stderr().is_terminal();
    let report = std::thread::scope(|s| {
        if bar {
            s.spawn(|| show_progress(&progress, &done));
        }
        let report = read(&scan, &args.paths, &formats, &progress);
        done.store(true, Ordering::Relaxed);
        report
    })?;
    write(&report, &formats, args.report.color)?;
    for s in report.sources.iter().filter(|s| {
        matches!(
            s.status,
            crate::report::model::Status::Partial | crate::report::model::Status::Skipped
        )
    }) {
        output::say(&format!(
            "{}: {}: {}",
            s.status,
            s.path,
            s.problem.as_deref().unwrap_or_default()
        ));
    }
    Ok(Outcome::of(&report, args.allow_partial).code())
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
            let mut sink = ndjson::Stream::new(io::BufWriter::new(io::stdout()));
            let report = scan.run(paths, Some(&mut sink), progress);
            sink.finish(&report)?;
            Ok(report)
        }
        Some(path) => {
            let mut report = None;
            output::file(path, |out| {
                let mut bytes = SendWriter(Vec::new());
                let mut sink = ndjson::Stream::new(&mut bytes);
                let made = scan.run(paths, Some(&mut sink), progress);
                sink.finish(&made)?;
                report = Some(made);
                out.write_all(&bytes.0)
            })?;
            report.context("nothing was scanned")
        }
    }
}

struct SendWriter(Vec<u8>);

impl Write for SendWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
