//! The command line: clap's definitions, one file for each subcommand, and what all of them share.

mod catalogue;
mod config;
mod crash;
mod diff;
mod explain;
mod formats;
mod gate;
mod merge;
mod output;
mod part;
mod paths;
mod redact;
mod rulebook;
mod scan;

use crate::report::json;
use crate::text::nearest;
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Finds the credentials that web traffic leaves in plain sight: in access logs, and in whatever else holds URLs.
#[derive(Debug, Parser)]
#[command(
    name = "plainsight",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(after_help = "Examples:
  plainsight scan /var/log/nginx
  plainsight scan --fail-on high -f table -f sarif=leaks.sarif logs/
  plainsight scan -f html=report.html logs/
  tail -F access.log | plainsight scan -f ndjson -
  plainsight scan --baseline known.json logs/
  plainsight diff before.json after.json
  plainsight redact access.log -o clean.log
  plainsight explain arcgis-token

Exit codes: 0 nothing at or over --fail-on; 1 findings; 2 usage error, or something could not be read whole.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan files, folders or a stream, and report.
    Scan(Box<scan::Args>),
    /// Write copies without credentials, and prove that nothing is left in them.
    Redact(Box<redact::Args>),
    /// Join JSON reports of parts into the report of the whole.
    Merge(Box<merge::Args>),
    /// Compare two JSON reports: what is new, gone and still there.
    Diff(diff::Args),
    /// Tell what a rule finds, why it matters and how to fix it; or all that a report knows of one finding.
    Explain {
        /// The rule's id (see `plainsight rules list`), or a finding's with --report.
        #[arg(value_name = "RULE|ID")]
        id: String,
        /// The JSON report in which the finding stands.
        #[arg(long, value_name = "REPORT.json")]
        report: Option<std::path::PathBuf>,
        #[command(flatten)]
        rules: scan::RuleArgs,
    },
    /// List the rules, or check a folder of rules.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// List the formats that are read, and how to describe your own.
    Formats,
    /// Print the JSON Schema of the JSON report.
    Schema,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man pages: the program's with those of all commands, or that of one.
    Man {
        /// The command, such as `scan` or `rules check`.
        #[arg(value_name = "COMMAND")]
        of: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// List all rules, in short or as a page.
    List {
        /// How: text is a line a rule, markdown a page that tells all of them.
        #[arg(short, long, value_enum, default_value = "text")]
        format: catalogue::ListFormat,
        #[command(flatten)]
        rules: scan::RuleArgs,
    },
    /// Check rules: ids, references, expressions, and that every example holds.
    Check {
        /// A folder of rules, or one file; the built-in rules where there is none.
        dir: Option<std::path::PathBuf>,
    },
}

/// What a subcommand ends in: an exit code, or an error that ends in 2.
type Ending = anyhow::Result<u8>;

/// Runs the program.
pub fn main() -> ExitCode {
    crash::contained(run)
}

fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // clap says it well, and knows whether it is help or an error.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    let ending = match cli.command {
        Command::Scan(args) => scan::run(*args),
        Command::Redact(args) => redact::run(*args),
        Command::Merge(args) => merge::run(*args),
        Command::Diff(args) => diff::run(args),
        Command::Explain { id, report, rules } => match report {
            Some(report) => explain::run(&id, &report, &rules),
            None => catalogue::explain(&id, &rules),
        },
        Command::Rules(RulesCommand::List { format, rules }) => catalogue::list(&rules, format),
        Command::Rules(RulesCommand::Check { dir }) => catalogue::check(dir.as_deref()),
        Command::Formats => catalogue::formats(),
        Command::Schema => output::stdout(|w| w.write_all(json::SCHEMA.as_bytes()))
            .map(|()| 0)
            .map_err(Into::into),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "plainsight", &mut out);
            output::stdout(|w| w.write_all(&out))
                .map(|()| 0)
                .map_err(Into::into)
        }
        Command::Man { of } => man(&of),
    };
    match ending {
        Ok(code) => ExitCode::from(code),
        Err(e) if is_closed_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            output::say(&format!("error: {}", told(&e)));
            ExitCode::from(2)
        }
    }
}

/// The man pages of a command and of those under it.
fn man(of: &[String]) -> Ending {
    let mut all = Cli::command();
    all.build();
    let mut command = &all;
    for name in of {
        command = command.find_subcommand(name).with_context(|| {
            let names = command.get_subcommands().map(clap::Command::get_name);
            format!("{name:?} is no command{}", nearest::hint(name, names))
        })?;
    }
    let mut out = Vec::new();
    pages(command, &mut out)?;
    output::stdout(|w| w.write_all(&out))?;
    Ok(0)
}

fn pages(command: &clap::Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(out)?;
    let others = command.get_subcommands().filter(|c| c.get_name() != "help");
    others.into_iter().try_for_each(|c| pages(c, out))
}

/// An error with its causes, each of which is told once: some messages hold their cause already.
fn told(e: &anyhow::Error) -> String {
    let mut out = e.to_string();
    for cause in e.chain().skip(1).map(ToString::to_string) {
        if !out.contains(&cause) {
            out.push_str(": ");
            out.push_str(&cause);
        }
    }
    out
}

/// Whether the reader of our output went away, which is its right.
fn is_closed_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| {
        c.downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
