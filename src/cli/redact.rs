//! `plainsight redact`.

use super::paths::Named;
use super::scan::{RuleArgs, UnpackArgs, key, word};
use super::{Ending, output, paths};
use crate::format::Catalogue;
use crate::input::Selection;
use crate::redact::targets::Plan;
use crate::redact::{Options, Style, aside};
use crate::rule::Severity;
use crate::scan::Config;
use anyhow::{Context, bail};
use std::path::PathBuf;

/// Arguments of `redact`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  plainsight redact access.log -o clean.log
  plainsight redact --fingerprint-key-file key logs/ capture.har -o clean/
  tail -F access.log | plainsight redact - >> clean.log

A credential becomes PLAINSIGHT- and 16 hexadecimal digits of its fingerprint, the same wherever it stood in this
run, and in every run with the same key file. All other bytes stay as they are. A copy is put in place only after
it was proved: scanned again, and searched for everything that was removed.

Exit codes: 0 all copies are written and proved; 2 usage error, or there is no copy of something.")]
pub struct Args {
    /// Files or folders; `-` is the standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The copy; a folder for several inputs, where one exists, or where it ends in `/`. `-` is the standard output, the default for `-`.
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// What stands where a credential stood: mark, mask (stars) or drop (nothing).
    #[arg(long, value_name = "STYLE", default_value = "mark", value_parser = word::<Style>)]
    style: Style,
    /// The key of marks: the same key gives the same marks in every run.
    #[arg(long, value_name = "FILE")]
    fingerprint_key_file: Option<PathBuf>,
    /// Leave what is under this severity.
    #[arg(long, value_name = "SEVERITY", default_value = "info", value_parser = word::<Severity>)]
    min_severity: Severity,
    /// In HAR files, also drop all cookies, all headers that authorize, and all bodies.
    #[arg(long)]
    paranoid: bool,
    /// Replace copies that are there already.
    #[arg(long)]
    force: bool,
    /// Give copies the mode of their originals instead of making them readable by their owner only.
    #[arg(long)]
    keep_mode: bool,
    /// Copy what cannot be read whole as far as it can be, and exit 0.
    #[arg(long)]
    allow_partial: bool,
    /// Write what was replaced, by rule and file, as JSON.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    rules: RuleArgs,
    /// The log format, by name or as the server's own string (nginx log_format, Apache LogFormat, HAProxy, Envoy).
    #[arg(long, value_name = "STRING|NAME")]
    log_format: Option<String>,
    /// In folders, read only files that match.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// In folders, leave out files that match.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Follow symbolic links in folders.
    #[arg(long)]
    follow_links: bool,
    #[command(flatten)]
    unpack: UnpackArgs,
    /// Threads [default: one for each processor].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// Runs the command.
pub fn run(args: Args) -> Ending {
    let mut config = Config::new()?;
    config.key = key(args.fingerprint_key_file.as_deref())?;
    config.rules = args.rules.load()?;
    let mut formats = Catalogue::builtin()?;
    if let Some(text) = &args.log_format {
        formats.set_user(text)?;
    }
    config.formats = formats;
    config.limits = args.unpack.limits();
    if let Some(jobs) = args.jobs {
        config.jobs = usize::from(jobs);
    }
    let mut selection =
        Selection::new(&args.include, &args.exclude, args.follow_links).context("a glob cannot be used")?;
    selection.outputs.extend(args.summary.clone());
    let options = Options {
        style: args.style,
        min_severity: args.min_severity,
        paranoid: args.paranoid,
        keep_mode: args.keep_mode,
        force: args.force,
        allow_partial: args.allow_partial,
    };
    let summary = args.summary.as_deref();
    let stream = args.paths.iter().all(|p| p.as_os_str() == "-");
    let out = match args.out {
        Some(out) => out,
        None if stream => PathBuf::from("-"),
        None => bail!("where the copies go is missing: -o FILE, or -o FOLDER for several"),
    };
    let key_file = args.fingerprint_key_file.as_deref();
    if key_file.is_some_and(|key| paths::same(key, &out)) {
        bail!("-o would overwrite --fingerprint-key-file; name another file");
    }
    if let Some(path) = summary {
        let reads = key_file.map(|p| Named::new("--fingerprint-key-file", p));
        let copy = (out.as_os_str() != "-").then(|| Named::new("-o", &out));
        let reads: Vec<Named> = reads.into_iter().chain(copy).collect();
        paths::check(&[Named::new("--summary", path)], &reads, &args.paths)?;
    }
    let plan = Plan::new(&args.paths, &out, &selection, args.force)?;
    if plan
        .targets
        .iter()
        .any(|t| t.copy.is_some() && t.copy.as_deref() == summary)
    {
        bail!("--summary names a copy; name another file");
    }
    aside::heed_signals()
        .and_then(|()| crate::platform::outlive_file_limits())
        .context("signals cannot be handled")?;
    let summary = crate::redact::run(&config, &options, &plan, |entry| output::say(&entry.line()));
    output::say(&summary.line());
    if let Some(path) = &args.summary {
        output::file(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &summary)?;
            out.write_all(b"\n")
        })?;
    }
    Ok(if summary.proved { 0 } else { 2 })
}
