//! One finding and one credential: what is counted of them, and how two counts of the same become one.

use super::evidence::{Evidence, Order, Sighting};
use super::kept::Join;
use super::limits;
use super::sketch::Sketch;
use super::trail::{Tally, Trail};
use super::writers::Writers;
use crate::detect::Exposure;
use crate::detect::liveness::{Liveness, State};
use crate::record::Field;
use crate::rule::severity::Basis;
use crate::rule::{Confidence, Severity};
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// A finding's ids at each level of folding.
pub type Ids = [u64; 4];

/// What credentials tell of whose they are and what they may do: kinds and values.
pub type Identity = BTreeSet<(Box<str>, Box<str>)>;

fn tell(identity: &mut Identity, at: &Sighting) {
    for claim in at.identity {
        let told = (Box::from(claim.kind), claim.value.clone());
        if !identity.contains(&told) {
            identity.insert(told);
            trim(identity, limits::IDENTITY);
        }
    }
}

/// All exposures with one cause.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Ids at each level of folding; those under the level at which it stands are that level's.
    pub ids: Ids,
    /// How many.
    pub exposures: u64,
    /// Fingerprints.
    pub credentials: Sketch,
    /// Hashes of clients.
    pub clients: Sketch,
    /// Earliest time.
    pub first: Option<Instant>,
    /// Latest time.
    pub last: Option<Instant>,
    /// By class: 1xx to 5xx, then unknown.
    pub statuses: [u64; 6],
    /// The worst.
    pub severity: Severity,
    /// Why, for the worst.
    pub basis: u16,
    /// The surest.
    pub confidence: Confidence,
    /// By state.
    pub liveness: [u64; 5],
    /// The end of the longest-lived of the worst state.
    pub until: Option<Instant>,
    /// What that was read from.
    pub liveness_basis: Box<str>,
    /// Hosts of other parties, the first by name.
    pub leaked_to: BTreeSet<Box<str>>,
    /// Schemes: bit 0 http, bit 1 https, bit 2 another.
    pub schemes: u8,
    /// Formats of the lines, each with the servers that its sources' names tell of.
    pub formats: BTreeSet<(u16, Writers)>,
    /// What the credentials tell of themselves, the first by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub identity: Identity,
    /// Requests of programs that come by themselves.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub crawled: Tally,
    /// Requests that were answered as if the credential had not expired.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub late: Tally,
    /// The first in source order.
    pub evidence: Vec<Evidence>,
}

impl Finding {
    /// A finding without exposures.
    pub(super) fn new(ids: Ids) -> Finding {
        Finding {
            ids,
            exposures: 0,
            credentials: Sketch::default(),
            clients: Sketch::default(),
            first: None,
            last: None,
            statuses: [0; 6],
            severity: Severity::Info,
            basis: 0,
            confidence: Confidence::Tentative,
            liveness: [0; 5],
            until: None,
            liveness_basis: "".into(),
            leaked_to: BTreeSet::new(),
            schemes: 0,
            formats: BTreeSet::new(),
            identity: Identity::new(),
            crawled: Tally::default(),
            late: Tally::default(),
            evidence: Vec::new(),
        }
    }

    /// The worst state that it has.
    pub fn worst(&self) -> State {
        State::ALL
            .iter()
            .rev()
            .copied()
            .find(|s| self.liveness[*s as usize] > 0)
            .unwrap_or(State::Unknown)
    }

    fn live(&mut self, l: &Liveness, n: u64) {
        self.life(l.state, l.until, l.basis);
        self.liveness[l.state as usize] += n;
    }

    /// Takes note of a state that is as bad as the worst or worse; call before counting it.
    fn life(&mut self, state: State, until: Option<Instant>, basis: &str) {
        let any = self.liveness.iter().any(|&n| n > 0);
        let worst = self.worst();
        let longer =
            (until, std::cmp::Reverse(basis)) > (self.until, std::cmp::Reverse(&self.liveness_basis));
        if !any || state > worst || state == worst && longer {
            (self.until, self.liveness_basis) = (until, basis.into());
        }
    }

    fn grade(&mut self, severity: Severity, basis: Basis) {
        match severity.cmp(&self.severity) {
            Ordering::Greater => (self.severity, self.basis) = (severity, basis.0),
            Ordering::Equal => self.basis = Basis(self.basis).union(basis).0,
            Ordering::Less => {}
        }
    }

    fn seen(&mut self, first: Option<Instant>, last: Option<Instant>) {
        self.first = earlier(self.first, first);
        self.last = self.last.max(last);
    }

    /// Whether evidence at that place could be kept.
    pub(super) fn wants(&self, order: Order) -> bool {
        self.evidence.len() < limits::EVIDENCE || self.evidence.last().is_some_and(|e| order <= e.order())
    }

    pub(super) fn keep(&mut self, evidence: Evidence) {
        let at = self
            .evidence
            .partition_point(|e| e.cmp(&evidence) != Ordering::Greater);
        self.evidence.insert(at, evidence);
        self.evidence.truncate(limits::EVIDENCE);
    }

    /// Counts one exposure; its evidence is for the caller to keep.
    pub(super) fn count(&mut self, e: &Exposure, at: &Sighting, k: usize) {
        self.exposures += 1;
        self.credentials.insert(e.fingerprint.0, k);
        if let Some(client) = at.client {
            self.clients.insert(client.hash, k);
        }
        self.seen(e.since.or(e.time), e.time);
        let class = at
            .status
            .map_or(5, |s| usize::from(s / 100).wrapping_sub(1).min(5));
        self.statuses[class] += 1;
        self.grade(e.severity, e.basis);
        self.confidence = self.confidence.max(e.confidence);
        self.live(&e.liveness, 1);
        if let Some(host) = &e.leaked_to
            && !self.leaked_to.contains(host)
        {
            self.leaked_to.insert(host.clone());
            trim(&mut self.leaked_to, limits::LIST);
        }
        if e.field == Field::Url && at.agent.is_some_and(|a| a.agent().kind.comes_by_itself()) {
            self.crawled.add(e, at);
        }
        tell(&mut self.identity, at);
        if at.late {
            self.late.add(e, at);
        }
        self.schemes |= match e.scheme.as_deref() {
            Some("http") => 1,
            Some("https") => 2,
            Some(_) => 4,
            None => 0,
        };
        self.formats.insert((at.format, at.writers));
    }

    /// Adds what another counted.
    pub(super) fn merge(&mut self, other: Finding, k: usize) {
        self.exposures += other.exposures;
        self.credentials.merge(&other.credentials, k);
        self.clients.merge(&other.clients, k);
        self.seen(other.first, other.last);
        self.statuses
            .iter_mut()
            .zip(other.statuses)
            .for_each(|(a, b)| *a += b);
        self.grade(other.severity, Basis(other.basis));
        self.confidence = self.confidence.max(other.confidence);
        if other.liveness.iter().any(|&n| n > 0) {
            self.life(other.worst(), other.until, &other.liveness_basis);
        }
        self.liveness
            .iter_mut()
            .zip(other.liveness)
            .for_each(|(a, b)| *a += b);
        self.leaked_to.extend(other.leaked_to);
        trim(&mut self.leaked_to, limits::LIST);
        self.schemes |= other.schemes;
        self.formats.extend(other.formats);
        self.identity.extend(other.identity);
        trim(&mut self.identity, limits::IDENTITY);
        self.crawled.join(other.crawled);
        self.late.join(other.late);
        for e in other.evidence {
            if !self.wants(e.order()) {
                break; // it is in order
            }
            self.keep(e);
        }
    }
}

/// Keeps the smallest `most` of a set.
pub(super) fn trim<T: Ord>(set: &mut BTreeSet<T>, most: usize) {
    while set.len() > most {
        set.pop_last();
    }
}

/// The earlier of two times, where there are any.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// One value, wherever it was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// The rule that knows most of it: the smallest index of those of the worst severity.
    pub rule: u16,
    /// How often.
    pub exposures: u64,
    /// Ids of its findings at each level of folding, and when each had it first.
    #[serde(deserialize_with = "stations")]
    pub findings: Stations,
    /// Kinds of sources, by bit.
    pub surfaces: u8,
    /// Hashes of clients.
    pub clients: Sketch,
    /// Earliest time.
    pub first: Option<Instant>,
    /// Latest time.
    pub last: Option<Instant>,
    /// Its life.
    pub state: State,
    /// Its end.
    pub until: Option<Instant>,
    /// What that was read from.
    pub basis: Box<str>,
    /// What it tells of whose it is.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub identity: Identity,
    /// Who had it.
    pub trail: Trail,
}

impl Credential {
    /// A credential without exposures.
    pub(super) fn new(e: &Exposure) -> Credential {
        Credential {
            rule: e.rule,
            exposures: 0,
            findings: Stations::new(),
            surfaces: 0,
            clients: Sketch::default(),
            first: None,
            last: None,
            state: e.liveness.state,
            until: e.liveness.until,
            basis: e.liveness.basis.into(),
            identity: Identity::new(),
            trail: Trail::default(),
        }
    }

    /// Counts one exposure under the finding with these ids.
    pub(super) fn count(&mut self, e: &Exposure, at: &Sighting, ids: Ids) {
        self.rule = self.rule.min(e.rule);
        self.exposures += 1;
        self.stop(ids, e.since.or(e.time));
        self.surfaces |= 1 << at.surface as u8;
        if let Some(client) = at.client {
            self.clients.insert(client.hash, limits::K_CREDENTIAL);
        }
        tell(&mut self.identity, at);
        self.trail.add(e, at);
        self.first = earlier(self.first, e.since.or(e.time));
        self.last = self.last.max(e.time);
        let l = &e.liveness;
        if told(l.state, l.until, l.basis) > told(self.state, self.until, &self.basis) {
            (self.state, self.until, self.basis) = (l.state, l.until, l.basis.into());
        }
    }

    /// It was under this finding at that time.
    fn stop(&mut self, ids: Ids, time: Option<Instant>) {
        match self.findings.binary_search_by_key(&ids, |s| s.0) {
            Ok(n) => self.findings[n].1 = earlier(self.findings[n].1, time),
            Err(n) if n < limits::LIST => {
                insert_one(&mut self.findings, n, (ids, time));
                self.findings.truncate(limits::LIST);
            }
            Err(_) => {}
        }
    }
}

/// What weighs more of what is known of one credential's life. What one place tells of it (a reply its end) holds
/// wherever else it stands.
fn told(state: State, until: Option<Instant>, basis: &str) -> impl Ord {
    (state != State::Unknown, state, until, std::cmp::Reverse(basis))
}

/// Where a credential was: findings in the order of their ids, and when each had it first. There are as many of these as
/// credentials are kept, and nearly all have one entry.
pub type Stations = Vec<(Ids, Option<Instant>)>;

/// Whoever wrote them, they are in order.
fn stations<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Stations, D::Error> {
    let mut all = Stations::deserialize(d)?;
    all.sort_unstable();
    all.dedup_by_key(|s| s.0);
    Ok(all)
}

/// Inserts into a list that mostly stays as short as it is: room for one more, where a list by itself takes four.
pub(super) fn insert_one<T>(list: &mut Vec<T>, at: usize, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.insert(at, item);
}

impl Join for Credential {
    fn join(&mut self, other: Credential) {
        self.rule = self.rule.min(other.rule);
        self.exposures += other.exposures;
        for (ids, first) in other.findings {
            self.stop(ids, first);
        }
        self.trail.join(other.trail);
        self.identity.extend(other.identity);
        trim(&mut self.identity, limits::IDENTITY);
        self.surfaces |= other.surfaces;
        self.clients.merge(&other.clients, limits::K_CREDENTIAL);
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
        if told(other.state, other.until, &other.basis) > told(self.state, self.until, &self.basis) {
            (self.state, self.until, self.basis) = (other.state, other.until, other.basis);
        }
    }
}
