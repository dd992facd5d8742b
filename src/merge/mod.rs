//! Joining reports of parts into the report of the whole: the fold across threads, across processes. A report
//! carries the state that this needs; it holds keyed hashes only.

mod sources;

use crate::finding::Aggregate;
use crate::gate::Policy;
use crate::report::model::{Diagnostic, Identity, Level, Selection, Source};
use crate::report::{self, BuildInput, Report};
use crate::rule::{Confidence, Severity};
use crate::scan::Config;
use crate::time::{Clock, Instant, TimeForm};
use serde::Deserialize;
use sources::Sources;
use std::collections::BTreeSet;

/// Version of the state's form.
const VERSION: u32 = 1;

/// Why reports cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Not a report of ours.
    #[error("{file} is no JSON report of plainsight: {message}; make one with: plainsight scan -f json=FILE")]
    NoReport {
        /// The file.
        file: String,
        /// What the parser said.
        message: String,
    },
    /// Another version's.
    #[error("{file} was written by another version of plainsight (state {found}, this one reads {VERSION})")]
    Version {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
    },
    /// Another key's: credentials cannot be told to be the same.
    #[error(
        "{0} was made with another fingerprint key, so that its credentials cannot be told from those of the first; scan every part with the same --fingerprint-key-file"
    )]
    Key(String),
    /// Other rules'.
    #[error(
        "{0} was made with other rules; scan every part with the same version, --rules, --only and --skip, and give them to merge too"
    )]
    Rules(String),
    /// Other options'.
    #[error(
        "{0} was made with other options; scan every part with the same --clients, --min-confidence, --since, --until, --timezone and --log-format"
    )]
    Options(String),
    /// The same source twice, or the same bytes of one.
    #[error("{file} and {other} both hold {source_name}: it would be counted twice")]
    Overlap {
        /// One of the files.
        file: String,
        /// The other.
        other: String,
        /// The source, or the part of it that both hold.
        source_name: String,
    },
    /// Nothing to join.
    #[error("there is nothing to join: name the reports of the parts")]
    Nothing,
}

/// What a report of this configuration can be joined with.
pub fn identity(config: &Config) -> Identity {
    Identity {
        version: VERSION,
        key_id: config.key.id(),
        rules_digest: config.rules.digest(),
        options_digest: config.options_digest(),
    }
}

/// What is read of a report: what it is joined by, and nothing of what it tells.
#[derive(Deserialize)]
pub struct Part {
    clock: String,
    #[serde(default)]
    selection: Selection,
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
    state: PartState,
}

#[derive(Deserialize)]
struct PartState {
    #[serde(flatten)]
    identity: Identity,
    clocks: Option<(Instant, Instant)>,
    aggregate: crate::finding::Wire,
}

/// What reports are joined with.
pub struct Options {
    /// The rules that the parts were made with, the formats, and everything else of a scan.
    pub config: Config,
    /// The clock; the latest of the parts where there is none.
    pub now: Option<Instant>,
    /// What fails the run.
    pub gate: Policy,
    /// Findings under it are hidden.
    pub min_severity: Severity,
    /// What the rules of every part must be.
    rules_digest: String,
}

impl Options {
    /// Joining of what this configuration has scanned.
    pub fn new(config: Config, now: Option<Instant>, gate: Policy, min_severity: Severity) -> Options {
        Options {
            rules_digest: config.rules.digest(),
            config,
            now,
            gate,
            min_severity,
        }
    }
}

/// Reads the reports that stand in `json` one after the other; `file` names it in errors.
pub fn read(
    file: &str,
    json: &[u8],
    each: impl FnMut(Part) -> Result<(), MergeError>,
) -> Result<(), MergeError> {
    every(file, serde_json::Deserializer::from_slice(json).into_iter(), each)
}

/// The same for what is too long to be held, or never ends.
pub fn read_stream(
    file: &str,
    json: impl std::io::Read,
    each: impl FnMut(Part) -> Result<(), MergeError>,
) -> Result<(), MergeError> {
    let json = std::io::BufReader::with_capacity(1 << 20, json);
    every(
        file,
        serde_json::Deserializer::from_reader(json).into_iter(),
        each,
    )
}

fn every(
    file: &str,
    mut parts: impl Iterator<Item = serde_json::Result<Part>>,
    mut each: impl FnMut(Part) -> Result<(), MergeError>,
) -> Result<(), MergeError> {
    parts.try_for_each(|part| {
        each(part.map_err(|e| MergeError::NoReport {
            file: file.into(),
            message: e.to_string(),
        })?)
    })
}

/// Joins reports, in any order and grouping to the same report.
pub struct Merger<'o> {
    options: &'o Options,
    aggregate: Aggregate,
    sources: Sources,
    diagnostics: BTreeSet<Diagnostic>,
    first: Option<Identity>,
    clocks: Option<(Instant, Instant)>,
    /// What the parts looked for: all of them the same, in the words that come first.
    selection: Option<Selection>,
}

/// The earlier of the first, the later of the second.
fn both(a: Option<(Instant, Instant)>, b: (Instant, Instant)) -> Option<(Instant, Instant)> {
    Some(a.map_or(b, |a| (a.0.min(b.0), a.1.max(b.1))))
}

impl<'o> Merger<'o> {
    /// Nothing joined yet.
    pub fn new(options: &'o Options) -> Merger<'o> {
        Merger {
            options,
            aggregate: Aggregate::default(),
            sources: Sources::default(),
            diagnostics: BTreeSet::new(),
            first: None,
            clocks: None,
            selection: None,
        }
    }

    /// Adds the reports that stand in `json` one after the other; `file` names it in errors.
    pub fn add(&mut self, file: &str, json: &[u8]) -> Result<(), MergeError> {
        read(file, json, |part| self.take(file, part))
    }

    /// Adds what was read of a report; `file` names it in errors.
    pub fn take(&mut self, file: &str, part: Part) -> Result<(), MergeError> {
        let broken = |message: String| MergeError::NoReport {
            file: file.into(),
            message,
        };
        let PartState {
            identity,
            clocks,
            aggregate,
        } = part.state;
        if identity.version != VERSION {
            return Err(MergeError::Version {
                file: file.into(),
                found: identity.version,
            });
        }
        if identity.rules_digest != self.options.rules_digest {
            return Err(MergeError::Rules(file.into()));
        }
        self.agree(file, identity)?;
        let config = &self.options.config;
        if !aggregate.fits(config.rules.rules.len(), config.formats.all().len()) {
            return Err(broken(
                "its state names rules or formats that are not there".into(),
            ));
        }
        let clock = Clock {
            now: Instant(0),
            zone: jiff::tz::TimeZone::UTC,
        };
        let at = clock
            .read(part.clock.as_bytes(), TimeForm::Iso)
            .ok_or_else(|| broken("its clock is no time".into()))?;
        // Parts that agree in their digests may still have been told so in other words.
        let selection = match self.selection.take() {
            Some(other) => other.min(part.selection),
            None => part.selection,
        };
        self.selection = Some(selection);
        self.clocks = both(self.clocks, clocks.unwrap_or((at, at)));
        let said = self.sources.add(part.sources, part.diagnostics, file)?;
        self.diagnostics.extend(said);
        self.aggregate.merge(Aggregate::from_wire(aggregate));
        Ok(())
    }

    /// Refuses what cannot be joined with what is here.
    fn agree(&mut self, file: &str, identity: Identity) -> Result<(), MergeError> {
        match &self.first {
            Some(first) if first.key_id != identity.key_id => Err(MergeError::Key(file.into())),
            Some(first) if *first != identity => Err(MergeError::Options(file.into())),
            Some(_) => Ok(()),
            None => {
                self.first = Some(identity);
                Ok(())
            }
        }
    }

    /// The report of the whole.
    pub fn finish(mut self) -> Result<Report, MergeError> {
        let (Some(identity), Some((from, to))) = (self.first, self.clocks) else {
            return Err(MergeError::Nothing);
        };
        let (sources, lines, said) = self.sources.finish();
        self.diagnostics.extend(said);
        if from != to {
            let message = format!(
                "the parts were scanned at different times, from {from} to {to}: what had expired was judged at each part's own"
            );
            self.diagnostics.insert(Diagnostic {
                level: Level::Note,
                source: None,
                message,
                gate: true, // it is told anew where this report is joined with others
            });
        }
        self.aggregate.settle();
        self.aggregate.each_evidence(|e| lines.resolve(e));
        let config = &self.options.config;
        let book = match crate::advice::Book::builtin() {
            Ok(book) => book,
            Err(e) => crate::scan::unreachable_data(&e),
        };
        let input = BuildInput {
            aggregate: self.aggregate,
            rules: &config.rules,
            formats: &config.formats,
            advice: &book,
            sources,
            diagnostics: self.diagnostics.into_iter().collect(),
            clock: self.options.now.unwrap_or(to),
            clocks: (from != to).then_some((from, to)),
            gate: &self.options.gate,
            stopped: None,
            file: config.file.as_deref(),
            min_severity: self.options.min_severity,
            min_confidence: Confidence::Tentative,
            identity,
        };
        Ok(report::build_selected(input, self.selection.unwrap_or_default()))
    }
}
