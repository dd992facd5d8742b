//! `-f FORMAT[=FILE]`: what can be written, and writing it.

use super::output;
use super::paths::Named;
use super::scan::{ReportArgs, When};
use crate::report::{
    Report, codequality, csv, github, html, json, junit, markdown, openmetrics, sarif, table,
};
use crate::text::nearest;
use anyhow::bail;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

crate::record::words! {
    /// An output's kind.
    Kind {
        /// For readers at a terminal.
        Table = "table",
        /// One document.
        Json = "json",
        /// One object a line, while scanning.
        Ndjson = "ndjson",
        /// Only what `merge` needs.
        Part = "part",
        /// For code scanning services.
        Sarif = "sarif",
        /// One page for those who decide and those who check.
        Html = "html",
        /// For issues, merge requests and job summaries.
        Markdown = "markdown",
        /// Annotations of GitHub Actions.
        Github = "github",
        /// For dashboards that read tests.
        Junit = "junit",
        /// For spreadsheets.
        Csv = "csv",
        /// GitLab's code quality report.
        Codequality = "codequality",
        /// Counts for monitoring.
        Openmetrics = "openmetrics",
    }
}

/// The files that a command writes, with the options that name them.
pub fn files(formats: &[Format]) -> Vec<Named> {
    let one = |f: &Format| Some(Named::new(&format!("-f {}", f.kind), f.file.as_ref()?));
    formats.iter().filter_map(one).collect()
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
        let (word, file) = s.split_once('=').map_or((s, None), |(k, f)| (k, Some(f)));
        let Some(kind) = Kind::ALL.iter().find(|k| k.as_str() == word) else {
            let all: Vec<&str> = Kind::ALL.iter().map(|k| k.as_str()).collect();
            let hint = nearest::hint(word, all.iter().copied());
            return Err(format!("{word:?} is none of {}{hint}", all.join(", ")));
        };
        if file == Some("") {
            return Err("the file's name is missing after =".into());
        }
        Ok(Format {
            kind: *kind,
            file: file.map(PathBuf::from),
        })
    }
}

/// At most one output goes to the standard output; the table does where none is asked for.
pub fn outputs(formats: &[Format]) -> anyhow::Result<Vec<Format>> {
    if formats.iter().filter(|f| f.file.is_none()).count() > 1 {
        bail!("only one --format can go to the standard output; give the others a file: -f json=FILE");
    }
    if formats.is_empty() {
        return Ok(vec![Format {
            kind: Kind::Table,
            file: None,
        }]);
    }
    Ok(formats.to_vec())
}

/// Writes the outputs that are made of the finished report.
pub fn write(report: &Report, formats: &[Format], args: &ReportArgs) -> anyhow::Result<()> {
    for format in formats.iter().filter(|f| f.kind != Kind::Ndjson) {
        let terminal = format.file.is_none() && io::stdout().is_terminal();
        let put = |out: &mut dyn Write| match format.kind {
            Kind::Table if args.quiet => table::brief(report, out),
            kind => render(report, kind, style(args.color, terminal), out),
        };
        match &format.file {
            Some(path) => output::file(path, |out| put(out))?,
            None => output::stdout(put)?,
        }
    }
    // The job's page shows what the annotations leave out.
    if formats.iter().any(|f| f.kind == Kind::Github)
        && let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|p| !p.is_empty())
    {
        // Nobody asked for it by name, so that it changes no exit code: what was found decides.
        if let Err(e) = output::append(Path::new(&path), |out| markdown::write(report, out)) {
            output::say(&format!(
                "warning: the job summary was not written (GITHUB_STEP_SUMMARY): {e:#}"
            ));
        }
    }
    Ok(())
}

fn style(color: When, terminal: bool) -> table::Style {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    table::Style {
        color: color == When::Always || color == When::Auto && terminal && wanted,
        width: terminal_size::terminal_size()
            .filter(|_| terminal)
            .map_or(100, |(w, _)| w.0.clamp(40, 200)),
        fold: terminal,
    }
}

fn render(report: &Report, kind: Kind, style: table::Style, out: &mut dyn Write) -> io::Result<()> {
    match kind {
        Kind::Table => table::write(report, style, out),
        Kind::Json => json::write(report, out),
        Kind::Part => json::part(report, out),
        Kind::Ndjson => Ok(()), // written while scanning
        Kind::Sarif => sarif::write(report, out),
        Kind::Html => html::write(report, out),
        Kind::Markdown => markdown::write(report, out),
        Kind::Github => github::write(report, out),
        Kind::Junit => junit::write(report, out),
        Kind::Csv => csv::write(report, out),
        Kind::Codequality => codequality::write(report, out),
        Kind::Openmetrics => openmetrics::write(report, out),
    }
}
