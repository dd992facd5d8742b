//! A scan: inputs in, report out. The worker turns blocks into exposures and folds them; the schedule hands out
//! work and joins what the workers folded.

mod client;
mod document;
pub mod events;
pub(crate) mod guard;
mod lines;
mod part;
mod people;
mod pieces;
mod plain;
mod schedule;
mod source;
mod split;
mod stream;
mod worker;

use crate::advice::Book;
use crate::detect::prefilter::Prefilter;
use crate::finding::Aggregate;
use crate::format::{Catalogue, FormatError};
use crate::gate::{Policy, Threshold};
use crate::input::budget::Limits;
use crate::input::stop::{Stop, Why};
use crate::input::{self, Selection};
use crate::report::model::{Diagnostic, Level, Source};
use crate::report::{self, BuildInput, Report};
use crate::rule::{self, Confidence, LoadError, RuleSet, Severity};
use crate::secret::{Key, KeyError, Permit};
use crate::time::{Clock, Instant};
use crate::url::host::Parties;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

pub use part::Split;
pub(crate) use schedule::is_small;
pub(crate) use source::{oddities, place};
pub(crate) use stream::is_utf16;
pub use worker::Clients;
pub(crate) use worker::{Counts, Place, Reading, Taken, Worker, method};

/// What a scan is told.
#[derive(Debug)]
pub struct Config {
    /// The clock and the zone of times without one.
    pub clock: Clock,
    /// The key of fingerprints.
    pub key: Key,
    /// The rules, selected.
    pub rules: RuleSet,
    /// The formats.
    pub formats: Catalogue,
    /// Which files of directories count.
    pub selection: Selection,
    /// Threads.
    pub jobs: usize,
    /// How clients are shown.
    pub clients: Clients,
    /// What fails the run.
    pub gate: Policy,
    /// Findings under it are hidden.
    pub min_severity: Severity,
    /// Findings under it do not count.
    pub min_confidence: Confidence,
    /// Records before it do not count.
    pub since: Option<Instant>,
    /// Records from it on do not count.
    pub until: Option<Instant>,
    /// Permission to show credentials.
    pub reveal: Option<Permit>,
    /// Hosts that belong together.
    pub parties: Parties,
    /// The configuration file that was read, as it may be shown.
    pub file: Option<String>,
    /// What one input may unpack to.
    pub limits: Limits,
    /// Ends the scan early where it is asked to.
    pub stop: Stop,
    /// What the standard input is called in reports; `-` where nothing is said.
    pub name: Option<String>,
    /// A part of the input to scan instead of the whole.
    pub split: Option<Split>,
    /// Reads every line instead of those that the prefilter lets through. For tests of the prefilter.
    pub exhaustive: bool,
}

/// Why a scan could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Rules.
    #[error(transparent)]
    Rules(#[from] LoadError),
    /// Formats.
    #[error(transparent)]
    Formats(#[from] FormatError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Config {
    /// The built-in rules and formats, a key of its own, one thread for each processor.
    pub fn new() -> Result<Config, ConfigError> {
        Ok(Config {
            clock: Clock::system(),
            key: Key::random()?,
            rules: default_rules()?,
            formats: Catalogue::builtin()?,
            selection: Selection::default(),
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            clients: Clients::Full,
            gate: Threshold::At(Severity::Medium).into(),
            min_severity: Severity::Info,
            min_confidence: Confidence::Tentative,
            since: None,
            until: None,
            reveal: None,
            parties: Parties::default(),
            file: None,
            limits: Limits::default(),
            stop: Stop::default(),
            name: None,
            split: None,
            exhaustive: false,
        })
    }

    /// What must be equal for two reports to be joined, beside rules and key.
    pub fn options_digest(&self) -> String {
        let text = format!(
            "4 clients={:?} confidence={} since={:?} until={:?} zone={:?} parties={:?} format={:?}",
            self.clients,
            self.min_confidence,
            self.since,
            self.until,
            self.clock.zone.iana_name(),
            self.parties.domains(),
            self.formats.own(),
        );
        blake3::hash(text.as_bytes()).to_hex()[..32].to_string()
    }
}

/// The built-in rules, but for the families that are off unless asked for.
pub fn default_rules() -> Result<RuleSet, LoadError> {
    let mut rules = RuleSet::new(rule::builtin()?)?;
    rules.select(&[], &[], &[]).map_err(|id| LoadError::Rule {
        id,
        message: "is not known".into(),
    })?;
    Ok(rules)
}

/// What a scan tells while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes read from the inputs.
    pub bytes: AtomicU64,
    /// Sources finished.
    pub sources: AtomicU64,
    /// Exposures found.
    pub exposures: AtomicU64,
    /// Bytes that the inputs have, as far as it is known; asked for only where it is shown.
    pub total: AtomicU64,
    /// Whether somebody looks.
    pub shown: bool,
}

/// A scan that is ready to run.
#[derive(Debug)]
pub struct Scan {
    config: Config,
}

/// What came of reading, before the report is made of it.
pub(crate) struct Outcome {
    pub aggregate: Aggregate,
    pub sources: Vec<Source>,
    pub diagnostics: Vec<Diagnostic>,
    /// Why reading ended early, if it did.
    pub stopped: Option<Why>,
}

impl Scan {
    /// A scan with this configuration.
    pub fn new(config: Config) -> Scan {
        Scan { config }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Reads `inputs` (paths; `-` is the standard input) and reports. `events` receives every exposure in source
    /// order; `progress` is counted up as the scan goes.
    pub fn run(
        &self,
        inputs: &[PathBuf],
        events: Option<&mut (dyn events::Sink + Send)>,
        progress: &Progress,
    ) -> Report {
        let mut found = input::discover(inputs, &self.config.selection, &self.config.stop);
        if let Some(name) = &self.config.name {
            let stdin = found.candidates.iter_mut().filter(|c| c.path.as_os_str() == "-");
            stdin.for_each(|c| c.name = name.clone());
        }
        let prefilter = Prefilter::new(&self.config.rules, &self.config.formats.triggers());
        let outcome = schedule::run(&self.config, &prefilter, found, events, progress);
        self.report(outcome)
    }

    fn report(&self, outcome: Outcome) -> Report {
        let c = &self.config;
        // Where nothing was found nobody needs advice.
        let found = outcome.aggregate.findings().next().is_some();
        let book = match found.then(Book::builtin).transpose() {
            Ok(book) => book.unwrap_or_default(),
            Err(e) => unreachable_data(&e),
        };
        report::build(BuildInput {
            aggregate: outcome.aggregate,
            rules: &c.rules,
            formats: &c.formats,
            advice: &book,
            sources: outcome.sources,
            diagnostics: outcome.diagnostics,
            clock: c.clock.now,
            clocks: None,
            gate: &c.gate,
            stopped: outcome.stopped,
            file: c.file.as_deref(),
            min_severity: c.min_severity,
            min_confidence: c.min_confidence,
            identity: crate::merge::identity(c),
        })
    }
}

/// The data that the program carries is read by tests; it cannot be broken in a program that was built.
#[allow(clippy::panic)]
pub(crate) fn unreachable_data(e: &serde_json::Error) -> ! {
    panic!("the embedded data cannot be read: {e}")
}

/// Diagnostics about a source.
pub(crate) fn diagnostic(level: Level, source: &str, message: impl Into<String>) -> Diagnostic {
    Diagnostic {
        level,
        source: Some(source.to_string()),
        message: message.into(),
        gate: false,
    }
}
