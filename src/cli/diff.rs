//! `plainsight diff`.

use super::paths::Named;
use super::{Ending, output, paths};
use crate::diff::{Failing, Side, compare};
use crate::gate::Threshold;
use crate::report::{diff, safe};
use crate::rule::RuleSet;
use crate::text::nearest;
use anyhow::{Context, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The JSON report of before.
    #[arg(value_name = "OLD.json")]
    old: PathBuf,
    /// The JSON report of now.
    #[arg(value_name = "NEW.json")]
    new: PathBuf,
    /// table, json or markdown; with =FILE into a file. May be given several times, once without a file.
    #[arg(short, long = "format", value_name = "FORMAT[=FILE]")]
    formats: Vec<Format>,
    /// Exit 1 for new findings, and findings that have become worse, of this severity or worse.
    #[arg(long, value_name = "SEVERITY|never", default_value = "never")]
    fail_on: Threshold,
    /// Exit 1 for every new leak, whatever its severity.
    #[arg(long)]
    fail_on_new: bool,
    /// A folder of rules that add to or replace the built-in ones: what they were called formerly is known by it.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Exit 0 even if the new report is of a scan that did not read everything.
    #[arg(long)]
    allow_partial: bool,
}

/// An output's kind.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Table,
    Json,
    Markdown,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Table => "table",
            Kind::Json => "json",
            Kind::Markdown => "markdown",
        }
    }
}

/// An output and where it goes.
#[derive(Clone, Debug)]
struct Format {
    kind: Kind,
    file: Option<PathBuf>,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (word, file) = s.split_once('=').map_or((s, None), |(k, f)| (k, Some(f)));
        let kind = match word {
            "table" => Kind::Table,
            "json" => Kind::Json,
            "markdown" => Kind::Markdown,
            _ => {
                let hint = nearest::hint(word, ["table", "json", "markdown"].into_iter());
                return Err(format!("{word:?} is none of table, json, markdown{hint}"));
            }
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

/// Runs the command.
pub fn run(args: Args) -> Ending {
    if args.formats.iter().filter(|f| f.file.is_none()).count() > 1 {
        bail!("only one --format can go to the standard output; give the others a file: -f json=FILE");
    }
    let file = |f: &Format| Some(Named::new(&format!("-f {}", f.kind.as_str()), f.file.as_ref()?));
    let writes: Vec<Named> = args.formats.iter().filter_map(file).collect();
    paths::check(&writes, &[], &[args.old.clone(), args.new.clone()])?;
    let mut specs = crate::rule::builtin()?;
    if let Some(dir) = &args.rules {
        specs.extend(crate::rule::load_dir(dir)?.rules);
    }
    let rules = RuleSet::new(specs)?;
    let read = |path: &Path| {
        let shown = safe::path(path);
        let file = std::fs::File::open(path).with_context(|| {
            format!("cannot open {shown}; make it with: plainsight scan -f json={shown} PATH")
        })?;
        anyhow::Ok(Side::read(&shown, file, &rules)?)
    };
    let failing = Failing {
        fail_on: args.fail_on,
        on_new: args.fail_on_new,
    };
    let diff = compare(read(&args.old)?, read(&args.new)?, failing);
    let default = [Format {
        kind: Kind::Table,
        file: None,
    }];
    let formats = if args.formats.is_empty() {
        &default[..]
    } else {
        &args.formats
    };
    for format in formats {
        let put = |out: &mut dyn Write| match format.kind {
            Kind::Table => diff::table(&diff, out),
            Kind::Json => diff::json(&diff, out),
            Kind::Markdown => diff::markdown(&diff, out),
        };
        match &format.file {
            Some(path) => output::file(path, |out| put(out))?,
            None => output::stdout(put)?,
        }
    }
    Ok(if diff.gate.failing > 0 {
        1
    } else if diff.new_report.complete || args.allow_partial {
        0
    } else {
        2
    })
}
