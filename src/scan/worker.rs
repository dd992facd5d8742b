//! One thread's work: blocks of lines become exposures, exposures are folded into the thread's own aggregate.
//! Nothing is shared but the configuration.

use super::Config;
use super::client::{self, Requester};
use super::events::{Event, Unit};
use super::people;
use super::pieces::Pieces;
use crate::detect::prefilter::{Candidate, Prefilter};
use crate::detect::{Detector, Exposure};
use crate::finding::{Aggregate, Evidence, Position, Sighting, Writers};
use crate::format::{Kind, LineReader};
use crate::gate::allow::Subject;
use crate::input::open::SharedOffsets;
use crate::record::Record;
use crate::report::safe;
use crate::rule::Category;
use crate::text::Text;
use std::ops::Range;
use std::sync::{Arc, PoisonError};

crate::record::words! {
    /// How clients are shown, in evidence and signs alike.
    Clients {
        /// As they stand.
        Full = "full",
        /// The network: /24, /48.
        Masked = "masked",
        /// A keyed hash.
        Hashed = "hashed",
    }
}

/// What a block belongs to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The source's name.
    pub name: Arc<str>,
    /// The stem of its name.
    pub site: Arc<str>,
    /// Servers that its name tells of.
    pub writers: Writers,
    /// Number of the source, for evidence.
    pub source: u32,
    /// Number of the block.
    pub block: u32,
    /// Whether the source was UTF-16.
    pub utf16: bool,
}

/// What a block had.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Lines.
    pub lines: u64,
    /// Lines that no format explains, of those that were read.
    pub unparsed: u64,
    /// Exposures.
    pub exposures: u64,
    /// Records that were nested too deeply to be followed to the end.
    pub deep: u64,
    /// Exposures whose time could not be read though the record has one.
    pub bad_times: u64,
}

impl Counts {
    /// Adds another block's.
    pub fn add(&mut self, other: Counts) {
        self.lines += other.lines;
        self.unparsed += other.unparsed;
        self.exposures += other.exposures;
        self.deep += other.deep;
        self.bad_times += other.bad_times;
    }
}

/// State that goes from one line of a source to the next.
#[derive(Clone, Debug)]
pub struct Reading<'c> {
    /// The reader of its lines.
    pub reader: LineReader<'c>,
    /// Pieces of lines that the container runtime cut.
    pub pending: Pieces,
    /// For UTF-16: offset in the source of the next byte.
    pub raw: u64,
    /// Lines that begin elsewhere are looked at only for pieces of those that begin here.
    pub own: Range<u64>,
}

impl<'c> Reading<'c> {
    /// The state at a source's beginning.
    pub fn new(reader: LineReader<'c>) -> Self {
        Reading {
            reader,
            pending: Pieces::default(),
            raw: 0,
            own: 0..u64::MAX,
        }
    }
}

/// An exposure for redaction.
#[derive(Debug)]
pub struct Taken {
    /// The exposure.
    pub exposure: Exposure,
    /// Where the pieces of its line stand in the source; empty where the line was not cut.
    pub pieces: Arc<[Range<u64>]>,
    /// The line in its block, from 1; the entry or row where there are no lines.
    pub line: u64,
}

/// A thread's tools and results.
pub struct Worker<'c> {
    config: &'c Config,
    pub(super) prefilter: &'c Prefilter<'c>,
    detector: Detector<'c>,
    /// What it has found.
    pub aggregate: Aggregate,
    /// Events of the unit at hand; none where nobody wants them.
    pub events: Option<Vec<Event>>,
    /// What redaction wants instead of findings: every exposure. None where findings are made.
    pub taken: Option<Vec<Taken>>,
    /// Where what is read stands in its source, where it was UTF-16 and is read as a whole.
    pub offsets: Option<SharedOffsets>,
    /// Where the pieces of the line at hand stand.
    pub(super) joined: Arc<[Range<u64>]>,
    pub(super) candidates: Vec<Candidate>,
    exposures: Vec<Exposure>,
    masks: Vec<Range<u64>>,
    pub(super) every_line: bool,
    pub(super) text: u16,
    requester: Requester,
}

impl<'c> Worker<'c> {
    /// A worker; `events` says whether somebody wants the exposures one by one.
    pub fn new(config: &'c Config, prefilter: &'c Prefilter<'c>, events: bool) -> Self {
        let mut detector = Detector::new(&config.rules, &config.key, &config.clock, &config.parties);
        detector.reveal = config.reveal;
        Worker {
            config,
            prefilter,
            detector,
            aggregate: Aggregate::default(),
            events: events.then(Vec::new),
            taken: None,
            offsets: None,
            joined: Arc::default(),
            candidates: Vec::new(),
            exposures: Vec::new(),
            masks: Vec::new(),
            every_line: config.exhaustive || config.formats.reads_every_line(),
            text: config
                .formats
                .all()
                .iter()
                .position(|f| f.spec.kind == Kind::Text)
                .unwrap_or_default() as u16,
            requester: Requester::default(),
        }
    }

    /// A worker that hands out exposures instead of folding them; `exhaustive` reads every line.
    pub fn for_redaction(config: &'c Config, prefilter: &'c Prefilter<'c>, exhaustive: bool) -> Self {
        let mut worker = Worker::new(config, prefilter, false);
        worker.detector.remove = true;
        Worker {
            taken: Some(Vec::new()),
            every_line: worker.every_line || exhaustive,
            ..worker
        }
    }

    /// The events of the unit that ends here.
    pub fn take_unit(&mut self, lines: u64) -> Unit {
        Unit {
            events: self.events.as_mut().map(std::mem::take).unwrap_or_default(),
            lines,
            restart: false,
            finished: None,
        }
    }

    /// A record that stands in `whole`; where `own` is given, only what begins in it counts.
    pub fn record(
        &mut self,
        position: Position,
        whole: Text,
        record: &Record,
        own: Option<&Range<u64>>,
        place: &Place,
        counts: &mut Counts,
    ) {
        #[cfg(debug_assertions)]
        super::guard::trip(whole.bytes());
        let mut exposures = std::mem::take(&mut self.exposures);
        let mut masks = std::mem::take(&mut self.masks);
        exposures.clear();
        masks.clear();
        let surface = self.config.formats.get(record.format).spec.surface;
        let deep = !self
            .detector
            .scan(record, whole.bytes(), surface, &mut exposures, &mut masks);
        counts.deep += u64::from(deep);
        if self.config.clients != Clients::Full && !exposures.is_empty() {
            masks.extend(record.client.iter().chain(&record.user).map(Text::span));
            people::spans(whole, &mut masks);
        }
        safe::apart(&mut masks);
        // What is said twice has to go twice.
        let all = self.taken.is_some();
        for e in exposures.iter().filter(|e| all || !e.echo) {
            if own.is_none_or(|own| own.contains(&e.span.start)) {
                self.fold(e, record, whole, &masks, place, position, counts);
            }
        }
        self.exposures = exposures;
        self.masks = masks;
    }

    /// Whether bytes could hold an exposure.
    pub fn worth(&mut self, bytes: &[u8]) -> bool {
        if self.every_line {
            return true;
        }
        self.candidates.clear();
        self.prefilter.candidates(bytes, &mut self.candidates);
        !self.candidates.is_empty()
    }

    /// Events that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.events.as_ref().map_or(0, Vec::len)
    }

    /// Takes one exposure into the aggregate and the stream.
    #[allow(clippy::too_many_arguments)]
    fn fold(
        &mut self,
        e: &Exposure,
        record: &Record,
        line: Text,
        masks: &[Range<u64>],
        place: &Place,
        position: Position,
        counts: &mut Counts,
    ) {
        let config = self.config;
        if e.time.is_none() && record.time.is_some() {
            counts.bad_times += 1;
        }
        let begun = e.since.or(e.time);
        let outside = |t: crate::time::Instant| {
            config.since.is_some_and(|s| t < s) || config.until.zip(begun).is_some_and(|(u, t)| t >= u)
        };
        if e.confidence < config.min_confidence || e.time.is_some_and(outside) {
            return;
        }
        counts.exposures += 1;
        if let Some(taken) = &mut self.taken {
            taken.push(Taken {
                exposure: e.clone(),
                pieces: if self.joined.is_empty() {
                    line.pieces().into()
                } else {
                    self.joined.clone()
                },
                line: match position {
                    Position::Line(n) | Position::Entry(n) => n,
                    Position::Row(n) => n.unsigned_abs(),
                },
            });
            return;
        }
        // Excerpts are cut from the text as it was read.
        let read = e.span.clone();
        let mapped = self.offsets.as_ref().map(|offsets| {
            let offsets = offsets.lock().unwrap_or_else(PoisonError::into_inner);
            Exposure {
                span: offsets.raw(read.start)..offsets.raw(read.end),
                ..e.clone()
            }
        });
        let e = mapped.as_ref().unwrap_or(e);
        let client = self.requester.client(record, config);
        let client = client.as_deref();
        let rule = &config.rules.rules[usize::from(e.rule)].spec;
        let surface = config.formats.get(record.format).spec.surface;
        let session = rule.category == Category::Session;
        let at = Sighting {
            surface,
            source: &place.name,
            position,
            site: &place.site,
            format: record.format,
            writers: place.writers,
            client,
            agent: self.requester.agent(record),
            status: record.status,
            policy: record.policy,
            session,
            login: session && client::is_login(record),
            late: client::is_late(e, rule, record.status),
            guess: client::guess(e, rule, client, record.status, config),
            identity: &client::told(e, config),
        };
        let shown = || client.map(|c| c.label.clone());
        let evidence = || {
            let (excerpt, span) = safe::excerpt(line, masks, &read, &e.preview);
            Evidence {
                source: place.name.clone(),
                block: matches!(position, Position::Line(_)).then_some((place.source, place.block)),
                position,
                part: None,
                offset: e.span.start,
                time: e.time,
                client: shown().map(Into::into),
                method: record.method.map(|m| method(m.bytes()).into()),
                status: record.status,
                excerpt: excerpt.into(),
                span,
                preview: e.preview.as_str().into(),
                revealed: e.revealed.clone(),
                length: e.length as u64,
                fingerprint: e.fingerprint,
            }
        };
        let ids = self.aggregate.add(e, &rule.id, &at, evidence);
        if self.events.is_some() && e.severity >= config.min_severity {
            let (excerpt, span) = safe::excerpt(line, masks, &read, &e.preview);
            let subject = Subject {
                rule: &rule.id,
                host: e.host.as_deref(),
                route: e.route.as_deref(),
                name: &e.name,
            };
            let event = crate::report::ndjson::event(
                e,
                rule,
                surface,
                &place.name,
                ids[0],
                config.gate.mark(&ids, &subject, e.severity, config.clock.now),
                shown(),
                record,
                &excerpt,
                span,
                position,
            );
            if let Some(events) = &mut self.events {
                events.push(event);
            }
        }
    }
}

/// A method as it may be shown.
pub(crate) fn method(bytes: &[u8]) -> String {
    let mut out = String::new();
    safe::push_bytes(&mut out, &bytes[..bytes.len().min(32)]);
    out
}
