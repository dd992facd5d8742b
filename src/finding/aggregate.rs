//! The aggregate of a scan: findings with exact counters and bounded sets, credentials by fingerprint, and the
//! rules by which it stays bounded. Every bound depends on the data alone, never on the order in which it came.

use super::key::{FindingKey, Level};
use super::sketch::Sketch;
use crate::detect::Exposure;
use crate::detect::liveness::{Liveness, State};
use crate::record::Surface;
use crate::rule::severity::Basis;
use crate::rule::{Confidence, Severity};
use crate::secret::Fingerprint;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The bounds, in one place.
pub mod limits {
    /// Findings under one rule and name before they are folded.
    pub const GROUP: usize = 10_000;
    /// Names under one rule before they are folded.
    pub const NAMES: usize = 1_000;
    /// Findings of a whole report before all groups are folded.
    pub const TOTAL: usize = 200_000;
    /// Hashes kept for each set of a finding, at most.
    pub const K_FINDING: usize = 16_384;
    /// Hashes and credentials kept for the run.
    pub const K_RUN: usize = 65_536;
    /// Hashes kept for the clients of one credential.
    pub const K_CREDENTIAL: usize = 64;
    /// Evidence of a finding.
    pub const EVIDENCE: usize = 5;
    /// Hosts in `leaked_to` and findings of a credential.
    pub const LIST: usize = 64;

    /// Hashes kept for each set of each finding of a report that has `findings` before folding.
    pub fn k(findings: usize) -> usize {
        ((1usize << 22) / findings.next_power_of_two().max(1)).clamp(64, K_FINDING)
    }
}

/// Where in a source a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// A line, counted from 1 within its block; the block is resolved when the scan is finished.
    Line(u64),
    /// An entry, counted from 0.
    Entry(u64),
    /// The rowid of a database.
    Row(i64),
}

/// One exposure as reports show it: redacted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// The source's name.
    pub source: Arc<str>,
    /// Index of the block whose lines `position` counts; none once it is resolved.
    pub block: Option<(u32, u32)>,
    /// Where in the source.
    pub position: Position,
    /// Offset of the raw bytes in the decompressed source.
    pub offset: u64,
    /// When.
    pub time: Option<Instant>,
    /// Who, as `--clients` says.
    pub client: Option<Box<str>>,
    /// The method.
    pub method: Option<Box<str>>,
    /// The status.
    pub status: Option<u16>,
    /// The text around it, masked.
    pub excerpt: Box<str>,
    /// Where the mask stands in the excerpt, in bytes.
    pub span: (u32, u32),
    /// At most four characters.
    pub preview: Box<str>,
    /// The value, where the user wants to see it; never in a report's state.
    #[serde(skip)]
    pub revealed: Option<crate::secret::Revealed>,
    /// Length of the value.
    pub length: u64,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

impl Evidence {
    fn order(&self) -> (&str, u64) {
        (&self.source, self.offset)
    }
}

/// What an exposure is seen with, beside itself.
pub struct Sighting<'a> {
    /// Kind of source.
    pub surface: Surface,
    /// The source's name.
    pub source: &'a Arc<str>,
    /// The stem that stands for the site where there is no host.
    pub site: &'a str,
    /// Index of the line's format.
    pub format: u16,
    /// Keyed hash of the client, if there is one.
    pub client: Option<u64>,
    /// The status.
    pub status: Option<u16>,
}

/// All exposures with one cause.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Ids at each level of folding.
    pub ids: [u64; 4],
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
    /// Formats of the lines.
    pub formats: BTreeSet<u16>,
    /// The first in source order.
    pub evidence: Vec<Evidence>,
}

impl Finding {
    fn new(ids: [u64; 4]) -> Finding {
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
            std::cmp::Ordering::Greater => (self.severity, self.basis) = (severity, basis.0),
            std::cmp::Ordering::Equal => self.basis = Basis(self.basis).union(basis).0,
            std::cmp::Ordering::Less => {}
        }
    }

    fn seen(&mut self, first: Option<Instant>, last: Option<Instant>) {
        self.first = earlier(self.first, first);
        self.last = self.last.max(last);
    }

    /// Whether evidence at that place would be kept.
    fn wants(&self, source: &str, offset: u64) -> bool {
        self.evidence.len() < limits::EVIDENCE
            || self.evidence.last().is_some_and(|e| (source, offset) < e.order())
    }

    fn keep(&mut self, evidence: Evidence) {
        let at = self.evidence.partition_point(|e| e.order() <= evidence.order());
        self.evidence.insert(at, evidence);
        self.evidence.truncate(limits::EVIDENCE);
    }

    fn merge(&mut self, other: Finding, k: usize) {
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
        trim(&mut self.leaked_to);
        self.schemes |= other.schemes;
        self.formats.extend(other.formats);
        other.evidence.into_iter().for_each(|e| self.keep(e));
    }
}

fn trim<T: Ord>(set: &mut BTreeSet<T>) {
    while set.len() > limits::LIST {
        set.pop_last();
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
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
    /// Ids of its findings at each level of folding, with their groups.
    pub findings: BTreeSet<[u64; 4]>,
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
}

impl Credential {
    fn merge(&mut self, other: Credential) {
        self.rule = self.rule.min(other.rule);
        self.exposures += other.exposures;
        self.findings.extend(other.findings);
        trim(&mut self.findings);
        self.surfaces |= other.surfaces;
        self.clients.merge(&other.clients, limits::K_CREDENTIAL);
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
        if (other.state, other.until, std::cmp::Reverse(&other.basis))
            > (self.state, self.until, std::cmp::Reverse(&self.basis))
        {
            (self.state, self.until, self.basis) = (other.state, other.until, other.basis);
        }
    }
}

/// What the findings under one rule and name are folded to, and how many there were at each level.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Group {
    level: Level,
    /// Distinct keys at the present level.
    keys: usize,
}

/// Everything that a scan has found. See the module's head.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
    findings: HashMap<FindingKey, Finding>,
    groups: HashMap<(u16, Box<str>), Group>,
    names: HashMap<u16, HashSet<Box<str>>>,
    folded_rules: BTreeSet<u16>,
    floor: Level,
    /// Distinct findings before any folding, as far as they were counted: decides k.
    distinct: usize,
    credentials: HashMap<u64, Credential>,
    /// Fingerprints above it are not kept.
    threshold: Option<u64>,
    clients: Sketch,
    distinct_credentials: Sketch,
    /// Exposures of each source.
    pub by_source: BTreeMap<Arc<str>, u64>,
}

/// What of an aggregate is folded: everything, so many rules, these groups.
type Folding = (Level, usize, Vec<(u16, Box<str>, Level)>);

/// A serialised aggregate; rules and formats go by their ids, which the report holds beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wire {
    findings: Vec<(FindingKey, Finding)>,
    groups: Vec<(u16, Box<str>, Level, usize)>,
    names: Vec<(u16, Vec<Box<str>>)>,
    folded_rules: Vec<u16>,
    floor: Level,
    distinct: usize,
    credentials: Vec<(Fingerprint, Credential)>,
    threshold: Option<Fingerprint>,
    clients: Sketch,
    distinct_credentials: Sketch,
}

impl Aggregate {
    /// Hashes kept for each set of a finding, for what has been seen so far.
    fn k(&self) -> usize {
        limits::k(self.distinct)
    }

    /// Adds an exposure; `evidence` is asked only where it would be kept. Gives the ids of the exposure's own key
    /// at every level of folding, whatever has been folded by now.
    pub fn add(
        &mut self,
        e: &Exposure,
        rule_id: &str,
        at: &Sighting,
        evidence: impl FnOnce() -> Evidence,
    ) -> [u64; 4] {
        let site = if e.host.is_none() {
            Some(Box::from(at.site))
        } else {
            None
        };
        let key = FindingKey {
            rule: e.rule,
            surface: at.surface,
            field: e.field,
            part: e.part,
            name: e.name.clone(),
            via: e.via.clone(),
            host: e.host.clone(),
            site,
            route: e.route.clone(),
        };
        let k = self.k();
        let level = self.level(&key);
        let (key, own) = if level == Level::Exact {
            (key, None)
        } else {
            let own = key.ids(rule_id);
            (key.fold(level), Some(own))
        };
        let known = self.findings.contains_key(&key);
        let finding = self
            .findings
            .entry(key)
            .or_insert_with_key(|key| Finding::new(key.ids(rule_id)));
        let all = finding.ids;
        finding.exposures += 1;
        finding.credentials.insert(e.fingerprint.0, k);
        if let Some(client) = at.client {
            finding.clients.insert(client, k);
        }
        finding.seen(e.time, e.time);
        let class = at
            .status
            .map_or(5, |s| usize::from(s / 100).wrapping_sub(1).min(5));
        finding.statuses[class] += 1;
        finding.grade(e.severity, e.basis);
        finding.confidence = finding.confidence.max(e.confidence);
        finding.live(&e.liveness, 1);
        if let Some(host) = &e.leaked_to
            && !finding.leaked_to.contains(host)
        {
            finding.leaked_to.insert(host.clone());
            trim(&mut finding.leaked_to);
        }
        finding.schemes |= match e.scheme.as_deref() {
            Some("http") => 1,
            Some("https") => 2,
            Some(_) => 4,
            None => 0,
        };
        finding.formats.insert(at.format);
        if finding.wants(at.source, e.span.start) {
            finding.keep(evidence());
        }
        if let Some(client) = at.client {
            self.clients.insert(client, limits::K_RUN);
        }
        self.distinct_credentials.insert(e.fingerprint.0, limits::K_RUN);
        self.credential(e, at, all);
        match self.by_source.get_mut(at.source) {
            Some(n) => *n += 1,
            None => {
                self.by_source.insert(at.source.clone(), 1);
            }
        }
        if !known {
            self.grown(e.rule, e.name.clone());
        }
        own.unwrap_or(all)
    }

    fn credential(&mut self, e: &Exposure, at: &Sighting, ids: [u64; 4]) {
        let fingerprint = e.fingerprint.0;
        if self.threshold.is_some_and(|t| fingerprint > t) {
            return;
        }
        let c = self.credentials.entry(fingerprint).or_insert_with(|| Credential {
            rule: e.rule,
            exposures: 0,
            findings: BTreeSet::new(),
            surfaces: 0,
            clients: Sketch::default(),
            first: None,
            last: None,
            state: e.liveness.state,
            until: e.liveness.until,
            basis: e.liveness.basis.into(),
        });
        c.rule = c.rule.min(e.rule);
        c.exposures += 1;
        if !c.findings.contains(&ids) {
            c.findings.insert(ids);
            trim(&mut c.findings);
        }
        c.surfaces |= 1 << at.surface as u8;
        if let Some(client) = at.client {
            c.clients.insert(client, limits::K_CREDENTIAL);
        }
        c.first = earlier(c.first, e.time);
        c.last = c.last.max(e.time);
        let l = &e.liveness;
        if (l.state, l.until, std::cmp::Reverse(l.basis)) > (c.state, c.until, std::cmp::Reverse(&c.basis)) {
            (c.state, c.until, c.basis) = (l.state, l.until, l.basis.into());
        }
        if self.credentials.len() >= limits::K_RUN * 2 {
            self.trim_credentials();
        }
    }

    fn trim_credentials(&mut self) {
        if self.credentials.len() > limits::K_RUN {
            let mut all: Vec<u64> = self.credentials.keys().copied().collect();
            let (_, &mut last, _) = all.select_nth_unstable(limits::K_RUN - 1);
            self.credentials.retain(|&f, _| f <= last);
            self.threshold = Some(self.threshold.map_or(last, |t| t.min(last)));
        }
    }

    /// What is folded, in a form that can be compared.
    fn folding(&self) -> Folding {
        let mut groups: Vec<_> = self
            .groups
            .iter()
            .filter(|(_, g)| g.level > Level::Exact)
            .map(|((r, n), g)| (*r, n.clone(), g.level))
            .collect();
        groups.sort();
        (self.floor, self.folded_rules.len(), groups)
    }

    /// How far a key's group is folded.
    fn level(&self, key: &FindingKey) -> Level {
        if self.folded_rules.contains(&key.rule) {
            return Level::Names;
        }
        if self.groups.len() <= 4096 && self.floor == Level::Exact && self.distinct <= limits::GROUP {
            return Level::Exact; // nothing can be folded yet, but for names
        }
        self.groups
            .get(&(key.rule, key.name.clone()))
            .map_or(self.floor, |g| g.level.max(self.floor))
    }

    /// A key was new: counts it, and folds where there are too many.
    fn grown(&mut self, rule: u16, name: Box<str>) {
        self.distinct += 1;
        if !self.folded_rules.contains(&rule) {
            let names = self.names.entry(rule).or_default();
            names.insert(name.clone());
            if names.len() > limits::NAMES {
                self.folded_rules.insert(rule);
                self.refold();
                return;
            }
            let floor = self.floor;
            let group = self.groups.entry((rule, name)).or_default();
            group.level = group.level.max(floor);
            group.keys += 1;
            if group.keys > limits::GROUP && group.level < Level::Hosts {
                group.level = if group.level == Level::Exact {
                    Level::Routes
                } else {
                    Level::Hosts
                };
                self.refold();
            }
        }
        if self.findings.len() > limits::TOTAL && self.floor < Level::Hosts {
            self.floor = if self.floor == Level::Exact {
                Level::Routes
            } else {
                Level::Hosts
            };
            self.refold();
        }
        if self.distinct.is_power_of_two() {
            let k = self.k();
            if k < limits::K_FINDING {
                self.findings.values_mut().for_each(|f| {
                    f.credentials.tidy(k);
                    f.clients.tidy(k);
                });
            }
        }
    }

    /// Brings every finding to the level of its group, again until nothing is too many.
    fn refold(&mut self) {
        loop {
            let k = self.k();
            let old = std::mem::take(&mut self.findings);
            let mut counts: HashMap<(u16, Box<str>), usize> = HashMap::new();
            for (key, finding) in old {
                let level = if self.folded_rules.contains(&key.rule) {
                    Level::Names
                } else {
                    self.groups
                        .get(&(key.rule, key.name.clone()))
                        .map_or(self.floor, |g| g.level.max(self.floor))
                };
                let key = key.fold(level);
                match self.findings.entry(key) {
                    std::collections::hash_map::Entry::Occupied(mut e) => {
                        let ids = finding.ids;
                        e.get_mut().merge(finding, k);
                        let kept = &mut e.get_mut().ids;
                        *kept = (*kept).min(ids);
                    }
                    std::collections::hash_map::Entry::Vacant(v) => {
                        *counts.entry((v.key().rule, v.key().name.clone())).or_default() += 1;
                        v.insert(finding);
                    }
                }
            }
            let folded = &self.folded_rules;
            self.groups.retain(|(rule, _), _| !folded.contains(rule));
            let mut again = false;
            for (at, n) in counts {
                if let Some(group) = self.groups.get_mut(&at) {
                    group.level = group.level.max(self.floor);
                    group.keys = n;
                    if n > limits::GROUP && group.level < Level::Hosts {
                        group.level = if group.level == Level::Exact {
                            Level::Routes
                        } else {
                            Level::Hosts
                        };
                        again = true;
                    }
                }
            }
            if self.findings.len() > limits::TOTAL && self.floor < Level::Hosts {
                self.floor = if self.floor == Level::Exact {
                    Level::Routes
                } else {
                    Level::Hosts
                };
                again = true;
            }
            if !again {
                break;
            }
        }
    }

    /// Joins another aggregate to this one. Commutative and associative.
    pub fn merge(&mut self, other: Aggregate) {
        if self.findings.is_empty() && self.credentials.is_empty() && self.by_source.is_empty() {
            *self = other;
            return;
        }
        let before = self.folding();
        self.folded_rules.extend(&other.folded_rules);
        self.floor = self.floor.max(other.floor);
        for (rule, names) in other.names {
            let mine = self.names.entry(rule).or_default();
            mine.extend(names);
            if mine.len() > limits::NAMES {
                self.folded_rules.insert(rule);
            }
        }
        for (at, group) in &other.groups {
            let mine = self.groups.entry(at.clone()).or_default();
            mine.level = mine.level.max(group.level);
        }
        if self.folding() != before {
            self.refold();
        }
        let k = self.k().min(limits::k(self.distinct.max(other.distinct)));
        let mut new = 0;
        for (key, finding) in other.findings {
            let level = if self.folded_rules.contains(&key.rule) {
                Level::Names
            } else {
                self.groups
                    .get(&(key.rule, key.name.clone()))
                    .map_or(self.floor, |g| g.level.max(self.floor))
            };
            let key = key.fold(level);
            match self.findings.entry(key) {
                std::collections::hash_map::Entry::Occupied(mut e) => {
                    let ids = finding.ids;
                    e.get_mut().merge(finding, k);
                    let kept = &mut e.get_mut().ids;
                    *kept = (*kept).min(ids);
                }
                std::collections::hash_map::Entry::Vacant(v) => {
                    new += 1;
                    let at = (v.key().rule, v.key().name.clone());
                    self.groups.entry(at).or_default().keys += 1;
                    v.insert(finding);
                }
            }
        }
        // Distinct before folding: of both, at least what the larger had and what stands here now.
        self.distinct = (self.distinct + new).max(other.distinct).max(self.findings.len());
        if self.findings.len() > limits::TOTAL && self.floor < Level::Hosts {
            self.floor = if self.floor == Level::Exact {
                Level::Routes
            } else {
                Level::Hosts
            };
            self.refold();
        } else if self
            .groups
            .values()
            .any(|g| g.keys > limits::GROUP && g.level < Level::Hosts)
        {
            self.groups
                .values_mut()
                .filter(|g| g.keys > limits::GROUP && g.level == Level::Exact)
                .for_each(|g| g.level = Level::Routes);
            self.refold();
        }
        self.threshold = match (self.threshold, other.threshold) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        for (fingerprint, credential) in other.credentials {
            match self.credentials.entry(fingerprint) {
                std::collections::hash_map::Entry::Occupied(mut e) => e.get_mut().merge(credential),
                std::collections::hash_map::Entry::Vacant(v) => {
                    v.insert(credential);
                }
            }
        }
        if let Some(t) = self.threshold {
            self.credentials.retain(|&f, _| f <= t);
        }
        self.trim_credentials();
        self.clients.merge(&other.clients, limits::K_RUN);
        self.distinct_credentials
            .merge(&other.distinct_credentials, limits::K_RUN);
        for (source, n) in other.by_source {
            *self.by_source.entry(source).or_default() += n;
        }
    }

    /// Brings all sets into their final form; call once before reading.
    pub fn settle(&mut self) {
        self.trim_credentials();
        let k = self.k();
        for f in self.findings.values_mut() {
            f.credentials.tidy(k);
            f.clients.tidy(k);
        }
        for c in self.credentials.values_mut() {
            c.clients.tidy(limits::K_CREDENTIAL);
        }
        self.clients.tidy(limits::K_RUN);
        self.distinct_credentials.tidy(limits::K_RUN);
    }

    /// The findings with their keys, in no order.
    pub fn findings(&self) -> impl Iterator<Item = (&FindingKey, &Finding)> {
        self.findings.iter()
    }

    /// Changes evidence in place, to resolve lines.
    pub fn each_evidence(&mut self, mut f: impl FnMut(&mut Evidence)) {
        self.findings
            .values_mut()
            .flat_map(|x| &mut x.evidence)
            .for_each(&mut f);
    }

    /// The credentials that are kept, by fingerprint, in no order.
    pub fn credentials(&self) -> impl Iterator<Item = (Fingerprint, &Credential)> {
        self.credentials.iter().map(|(f, c)| (Fingerprint(*f), c))
    }

    /// Distinct credentials of the run, and whether that is an estimate.
    pub fn credential_count(&self) -> (u64, bool) {
        self.distinct_credentials.count()
    }

    /// Distinct clients of the run, and whether that is an estimate.
    pub fn client_count(&self) -> (u64, bool) {
        self.clients.count()
    }

    /// The level of folding that a key stands at.
    pub fn level_of(&self, key: &FindingKey) -> Level {
        if self.folded_rules.contains(&key.rule) {
            return Level::Names;
        }
        self.groups
            .get(&(key.rule, key.name.clone()))
            .map_or(self.floor, |g| g.level.max(self.floor))
    }

    /// For a report's state; sorted, so that equal aggregates have equal bytes.
    pub fn into_wire(self) -> Wire {
        let mut findings: Vec<_> = self.findings.into_iter().collect();
        findings.sort_by(|a, b| a.0.cmp(&b.0));
        let mut groups: Vec<_> = self
            .groups
            .into_iter()
            .map(|((r, n), g)| (r, n, g.level, g.keys))
            .collect();
        groups.sort();
        let mut names: Vec<(u16, Vec<Box<str>>)> = self
            .names
            .into_iter()
            .map(|(r, n)| (r, n.into_iter().collect()))
            .collect();
        names.iter_mut().for_each(|(_, n)| n.sort());
        names.sort();
        let mut credentials: Vec<_> = self
            .credentials
            .into_iter()
            .map(|(f, c)| (Fingerprint(f), c))
            .collect();
        credentials.sort_by_key(|c| c.0);
        Wire {
            findings,
            groups,
            names,
            folded_rules: self.folded_rules.into_iter().collect(),
            floor: self.floor,
            distinct: self.distinct,
            credentials,
            threshold: self.threshold.map(Fingerprint),
            clients: self.clients,
            distinct_credentials: self.distinct_credentials,
        }
    }

    /// From a report's state.
    pub fn from_wire(wire: Wire) -> Aggregate {
        let mut out = Aggregate {
            findings: wire.findings.into_iter().collect(),
            groups: wire
                .groups
                .into_iter()
                .map(|(r, n, level, keys)| ((r, n), Group { level, keys }))
                .collect(),
            names: wire
                .names
                .into_iter()
                .map(|(r, n)| (r, n.into_iter().collect()))
                .collect(),
            folded_rules: wire.folded_rules.into_iter().collect(),
            floor: wire.floor,
            distinct: wire.distinct,
            credentials: wire.credentials.into_iter().map(|(f, c)| (f.0, c)).collect(),
            threshold: wire.threshold.map(|t| t.0),
            clients: wire.clients,
            distinct_credentials: wire.distinct_credentials,
            by_source: BTreeMap::new(),
        };
        out.settle();
        out
    }
}
