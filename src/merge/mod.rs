//! Joining reports of parts into the report of the whole: the fold across threads, across processes. A report
//! carries the state that this needs; it holds keyed hashes only.

use crate::finding::Aggregate;
use crate::gate::Policy;
use crate::report::model::{Diagnostic, Identity, Level, Source, Status};
use crate::report::{self, BuildInput, Report};
use crate::rule::{Confidence, Severity};
use crate::scan::Config;
use crate::time::{Clock, Instant, TimeForm};
use serde::Deserialize;
use std::collections::BTreeMap;

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
    /// The same source twice.
    #[error("{file} holds {source_name}, which another part holds too: it would be counted twice")]
    Overlap {
        /// The file.
        file: String,
        /// The source.
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

#[derive(Deserialize)]
struct Part {
    clock: String,
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
    state: PartState,
}

#[derive(Deserialize)]
struct PartState {
    #[serde(flatten)]
    identity: Identity,
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
}

/// Joins reports one after the other.
pub struct Merger {
    options: Options,
    aggregate: Aggregate,
    sources: BTreeMap<String, Source>,
    diagnostics: Vec<Diagnostic>,
    first: Option<Identity>,
    clocks: Option<(Instant, Instant)>,
}

impl Merger {
    /// Nothing joined yet.
    pub fn new(options: Options) -> Merger {
        Merger {
            options,
            aggregate: Aggregate::default(),
            sources: BTreeMap::new(),
            diagnostics: Vec::new(),
            first: None,
            clocks: None,
        }
    }

    /// Adds the report that stands in `json`; `file` names it in errors.
    pub fn add(&mut self, file: &str, json: impl std::io::Read) -> Result<(), MergeError> {
        let part: Part =
            serde_json::from_reader(std::io::BufReader::new(json)).map_err(|e| MergeError::NoReport {
                file: file.into(),
                message: e.to_string(),
            })?;
        let PartState { identity, aggregate } = part.state;
        if identity.version != VERSION {
            return Err(MergeError::Version {
                file: file.into(),
                found: identity.version,
            });
        }
        if identity.rules_digest != self.options.config.rules.digest() {
            return Err(MergeError::Rules(file.into()));
        }
        match &self.first {
            Some(first) if first.key_id != identity.key_id => return Err(MergeError::Key(file.into())),
            Some(first) if *first != identity => return Err(MergeError::Options(file.into())),
            Some(_) => {}
            None => self.first = Some(identity),
        }
        let clock = Clock {
            now: Instant(0),
            zone: jiff::tz::TimeZone::UTC,
        };
        let at = clock
            .read(part.clock.as_bytes(), TimeForm::Iso)
            .ok_or_else(|| MergeError::NoReport {
                file: file.into(),
                message: "its clock is no time".into(),
            })?;
        self.clocks = Some(self.clocks.map_or((at, at), |(a, b)| (a.min(at), b.max(at))));
        for source in part.sources {
            let read = matches!(source.status, Status::Complete | Status::Partial);
            match self.sources.get(&source.path) {
                Some(other) if read && matches!(other.status, Status::Complete | Status::Partial) => {
                    return Err(MergeError::Overlap {
                        file: file.into(),
                        source_name: source.path,
                    });
                }
                Some(_) if !read => {}
                _ => {
                    self.sources.insert(source.path.clone(), source);
                }
            }
        }
        self.diagnostics
            .extend(part.diagnostics.into_iter().filter(|d| !d.gate));
        self.aggregate.merge(Aggregate::from_wire(aggregate));
        Ok(())
    }

    /// The report of the whole.
    pub fn finish(mut self) -> Result<Report, MergeError> {
        let (Some(identity), Some((from, to))) = (self.first, self.clocks) else {
            return Err(MergeError::Nothing);
        };
        if from != to {
            let message = format!(
                "the parts were scanned at different times, from {from} to {to}: what had expired was judged at each part's own"
            );
            self.diagnostics.push(Diagnostic {
                level: Level::Note,
                source: None,
                message,
                gate: false,
            });
        }
        self.aggregate.settle();
        let config = &self.options.config;
        let book = match crate::advice::Book::builtin() {
            Ok(book) => book,
            Err(e) => crate::scan::unreachable_data(&e),
        };
        Ok(report::build(BuildInput {
            aggregate: self.aggregate,
            rules: &config.rules,
            formats: &config.formats,
            advice: &book,
            sources: self.sources.into_values().collect(),
            diagnostics: self.diagnostics,
            clock: self.options.now.unwrap_or(to),
            gate: &self.options.gate,
            stopped: None,
            file: config.file.as_deref(),
            min_severity: self.options.min_severity,
            min_confidence: Confidence::Tentative,
            identity,
        }))
    }
}
