//! The aggregate of a scan: findings with exact counters and bounded sets, and credentials by fingerprint. It is
//! a mergeable value: the fold across threads, and `plainsight merge`, are [`Aggregate::merge`].

use super::evidence::{Evidence, Sighting, order};
use super::folding::{self, Folding};
use super::guesses::Guesses;
use super::kept::{self, Attempts, Credentials, Hosts};
use super::key::{FindingKey, Level};
use super::limits;
use super::model::{Credential, Finding, Ids};
use super::policies::{self, Policies};
use super::sketch::Sketch;
use crate::detect::Exposure;
use crate::detect::liveness::State;
use crate::record::Field;
use crate::secret::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Everything that a scan has found. See the module's head.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
    findings: HashMap<FindingKey, Finding>,
    folding: Folding,
    credentials: Credentials,
    guesses: Attempts,
    policies: Hosts,
    clients: Sketch,
    distinct_credentials: Sketch,
    /// Hashes that sets of findings were cut to last; 0 where they never were.
    cut: usize,
    /// Exposures of each source.
    pub by_source: BTreeMap<Arc<str>, u64>,
}

/// A serialised aggregate; rules and formats go by their numbers, which the identity beside it vouches for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wire {
    #[serde(serialize_with = "crate::report::parallel::list")]
    findings: Vec<(FindingKey, Finding)>,
    folding: folding::Wire,
    credentials: kept::Wire<Credential>,
    guesses: kept::Wire<Guesses>,
    policies: kept::Wire<Policies>,
    clients: Sketch,
    distinct_credentials: Sketch,
}

impl Aggregate {
    /// Hashes kept for each set of a finding, for what has been seen so far.
    fn k(&self) -> usize {
        limits::k(self.folding.distinct())
    }

    /// Adds an exposure; `evidence` is asked only where it would be kept. Gives the ids of the exposure's own key
    /// at every level of folding, whatever has been folded by now.
    pub fn add(
        &mut self,
        e: &Exposure,
        rule_id: &str,
        at: &Sighting,
        evidence: impl FnOnce() -> Evidence,
    ) -> Ids {
        let site = if e.host.is_none() {
            Some(Box::from(at.site))
        } else {
            None
        };
        let mut key = FindingKey {
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
        let level = self.folding.level(&key);
        let mut folded_ids = None;
        if level > Level::Exact {
            // Whether the exact finding is new is not known any more; sets take it twice as well as once.
            let ids = key.ids(rule_id);
            self.folding.note(&ids);
            folded_ids = Some(ids);
            key = key.fold(level);
        }
        let (finding, new) = match self.findings.entry(key) {
            Entry::Occupied(found) => (found.into_mut(), None),
            Entry::Vacant(free) => {
                let key = free.key().clone();
                let exact = folded_ids.unwrap_or_else(|| key.ids(rule_id));
                (free.insert(Finding::new(at_level(exact, level))), Some(key))
            }
        };
        let exact = folded_ids.unwrap_or(finding.ids);
        finding.count(e, at, k);
        if finding.wants(order(at.source, &at.position, e.span.start)) {
            finding.keep(evidence());
        }
        if let Some(client) = at.client {
            self.clients.insert(client.hash, limits::K_RUN);
        }
        self.distinct_credentials.insert(e.fingerprint.0, limits::K_RUN);
        let fingerprint = e.fingerprint.0;
        let count = |c: &mut Credential| c.count(e, at, exact);
        self.credentials.update(fingerprint, || Credential::new(e), count);
        if let Some((whose, who)) = at.guess {
            let count = |g: &mut Guesses| g.add(e, at, exact);
            self.guesses.update(whose, || Guesses::new(who), count);
        }
        // Of the page whose URL it stands in, not of those that are named in it.
        if let (Some(policy), Field::Url, Some(host)) = (at.policy, e.field, &e.host)
            && e.via.is_empty()
        {
            let add = |p: &mut Policies| p.add(policy);
            self.policies.update(policies::key(host), Policies::default, add);
        }
        match self.by_source.get_mut(at.source) {
            Some(n) => *n += 1,
            None => {
                self.by_source.insert(at.source.clone(), 1);
            }
        }
        if let Some(key) = new {
            if level == Level::Exact {
                self.folding.note(&exact);
            }
            if self.folding.add(&key) {
                self.refold();
            }
        }
        exact
    }

    /// Brings every finding to the level of its group, again until nothing is too many.
    fn refold(&mut self) {
        loop {
            for (key, finding) in std::mem::take(&mut self.findings) {
                self.take_in(key, finding);
            }
            if !self.folding.recount(self.findings.keys()) {
                break;
            }
        }
    }

    /// Brings the sets of all findings to their size.
    fn cut_sets(&mut self) {
        let k = self.k();
        for f in self.findings.values_mut() {
            f.credentials.tidy(k);
            f.clients.tidy(k);
        }
        self.cut = k;
    }

    /// Adds a finding at the level of its group; gives its key where it is new.
    fn take_in(&mut self, key: FindingKey, mut finding: Finding) -> Option<FindingKey> {
        let k = self.k();
        let level = self.folding.level(&key);
        finding.ids = at_level(finding.ids, level);
        match self.findings.entry(key.fold(level)) {
            Entry::Occupied(mut e) => {
                e.get_mut().merge(finding, k);
                None
            }
            Entry::Vacant(v) => {
                let key = v.key().clone();
                v.insert(finding);
                Some(key)
            }
        }
    }

    /// Joins another aggregate to this one. Commutative and associative. What it costs depends on `other`, however
    /// much is here, but for the few times when something has to be folded.
    pub fn merge(&mut self, other: Aggregate) {
        if self.folding.merge(other.folding) {
            self.refold();
        }
        for (key, finding) in other.findings {
            if let Some(new) = self.take_in(key, finding)
                && self.folding.add(&new)
            {
                self.refold();
            }
        }
        // Sets that were cut when there were fewer findings hold more than their share.
        if self.k() < self.cut || self.cut == 0 {
            self.cut_sets();
        }
        self.credentials.merge(other.credentials);
        self.guesses.merge(other.guesses);
        self.policies.merge(other.policies);
        self.clients.merge(&other.clients, limits::K_RUN);
        self.distinct_credentials
            .merge(&other.distinct_credentials, limits::K_RUN);
        for (source, n) in other.by_source {
            *self.by_source.entry(source).or_default() += n;
        }
    }

    /// Brings everything into its final form; call once before reading.
    pub fn settle(&mut self) {
        self.refold();
        self.cut_sets();
        self.credentials.trim();
        for c in self.credentials.values_mut() {
            c.clients.tidy(limits::K_CREDENTIAL);
            c.trail.users.tidy(limits::K_CREDENTIAL);
        }
        self.guesses.trim();
        for g in self.guesses.values_mut() {
            g.values.tidy(limits::K_CREDENTIAL);
        }
        self.policies.trim();
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
        self.credentials.iter()
    }

    /// Where a finding is of one credential, of whose life none of its places tells: that credential, if another place
    /// does (a token's reply says when it ends, the URLs in which it is used do not).
    pub fn told_elsewhere(&self, finding: &Finding) -> Option<&Credential> {
        let silent = finding.liveness[State::Unknown as usize] == finding.exposures;
        match (finding.credentials.count(), finding.credentials.items()) {
            ((1, false), [only]) if silent => {
                self.credentials.get(*only).filter(|c| c.state != State::Unknown)
            }
            _ => None,
        }
    }

    /// The users and clients that are kept, with the passwords that they sent, in no order.
    pub fn guesses(&self) -> impl Iterator<Item = &Guesses> {
        self.guesses.iter().map(|(_, g)| g)
    }

    /// What pages of a host were seen to say of their Referrer-Policy.
    pub fn policies(&self, host: &str) -> Option<&Policies> {
        self.policies.get(policies::key(host))
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
        self.folding.level(key)
    }

    /// For a report's state; sorted, so that equal aggregates have equal bytes.
    pub fn into_wire(self) -> Wire {
        let mut findings: Vec<_> = self.findings.into_iter().collect();
        findings.sort_by(|a, b| a.0.cmp(&b.0));
        Wire {
            findings,
            folding: self.folding.into_wire(),
            credentials: self.credentials.into_wire(),
            guesses: self.guesses.into_wire(),
            policies: self.policies.into_wire(),
            clients: self.clients,
            distinct_credentials: self.distinct_credentials,
        }
    }

    /// From a report's state; settle it before reading, or merge it into another.
    pub fn from_wire(wire: Wire) -> Aggregate {
        Aggregate {
            findings: wire.findings.into_iter().collect(),
            folding: Folding::from_wire(wire.folding),
            credentials: Credentials::from_wire(wire.credentials),
            guesses: Attempts::from_wire(wire.guesses),
            policies: Hosts::from_wire(wire.policies),
            clients: wire.clients,
            distinct_credentials: wire.distinct_credentials,
            cut: 0,
            by_source: BTreeMap::new(),
        }
    }
}

impl Wire {
    /// Whether it names no rule and no format beyond those that there are.
    pub fn fits(&self, rules: usize, formats: usize) -> bool {
        let known = |rule: u16| usize::from(rule) < rules;
        self.findings
            .iter()
            .all(|(key, f)| known(key.rule) && f.formats.iter().all(|(n, _)| usize::from(*n) < formats))
            && self.credentials.values().all(|c| known(c.rule))
    }
}

/// The ids of a finding that stands at `level`.
fn at_level(mut ids: Ids, level: Level) -> Ids {
    let own = ids[level as usize];
    ids[..level as usize].fill(own);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::liveness::Liveness;
    use crate::finding::{Position, Who};
    use crate::record::{Field, Part, ReferrerPolicy, Surface};
    use crate::rule::severity::Basis;
    use crate::rule::{Confidence, Severity};
    use crate::time::Instant;
    use proptest::prelude::*;

    /// Rule, name, host, route, credential, client: small numbers that meet often, large ones that go past bounds.
    type Seen = (u16, u8, u8, u8, u16, u8);

    fn add(aggregate: &mut Aggregate, at: usize, seen: Seen) {
        let (rule, name, host, route, credential, client) = seen;
        let hash = |kind: &str, n: u16| {
            u64::from_le_bytes(
                blake3::hash(format!("{kind}{n}").as_bytes()).as_bytes()[..8]
                    .try_into()
                    .unwrap(),
            )
        };
        let e = Exposure {
            rule,
            field: Field::Url,
            part: Part::Query,
            name: format!("n{name}").into(),
            via: Box::new([]),
            scheme: None,
            host: (host > 0).then(|| format!("h{host}").into()),
            route: Some(format!("/r{route}").into()),
            leaked_to: (client % 5 == 0).then(|| format!("t{route}").into()),
            span: at as u64 / 4..at as u64 / 4 + 8,
            opaque: None,
            chain: Vec::new(),
            length: 8,
            fingerprint: Fingerprint(hash("credential", credential)),
            preview: String::new(),
            severity: Severity::ALL[usize::from(client % 4)],
            basis: Basis(1 << (client % 3)),
            confidence: Confidence::Firm,
            liveness: Liveness::UNKNOWN,
            echo: false,
            removed: None,
            revealed: None,
            identity: Box::default(),
            user: (rule == 1).then(|| hash("user", route.into())),
            since: Instant::new(1_000_000 - i64::from(client), 0).filter(|_| client % 3 == 2),
            time: Some(Instant(i64::from(credential) * i64::from(client))),
        };
        // Several may stand at one place, as those do that are encoded together.
        let source: Arc<str> = format!("s{}", at / 4 % 3).into();
        let who = super::super::trail::Client {
            hash: hash("client", client.into()),
            network: hash("network", (client / 2).into()),
            six: client / 2 % 3 == 0,
            label: format!("c{client}"),
        };
        let claims = [crate::detect::identity::Claim {
            kind: "issuer",
            value: format!("i{route}").into(),
            person: false,
        }];
        let agents = ["curl/8", "Slackbot", "Firefox/1", "-"];
        let sighting = Sighting {
            policy: (host % 2 == 1).then(|| ReferrerPolicy::ALL[usize::from(route % 3)]),
            surface: Surface::ServerLog,
            source: &source,
            position: Position::Line(at as u64),
            site: "s",
            format: u16::from(client % 2),
            writers: super::super::Writers::of(["nginx/a", "apache/a", "a"][at % 3]),
            client: (client > 1).then_some(&who),
            agent: crate::agent::AgentId::of(agents[usize::from(client % 4)].as_bytes()),
            status: Some(if host > 5 { 401 } else { 200 + u16::from(client) }),
            session: rule == 2,
            login: host % 3 == 1,
            late: name % 3 == 1,
            guess: (rule == 1).then(|| (hash("user", route.into()), Who::User)),
            identity: &claims,
        };
        aggregate.add(&e, &format!("rule-{rule}"), &sighting, || Evidence {
            source: source.clone(),
            block: None,
            position: Position::Line(e.span.start),
            part: None,
            offset: e.span.start,
            time: e.time,
            client: None,
            method: None,
            status: None,
            excerpt: format!("x{}", client % 3).into(),
            span: (0, 0),
            preview: "".into(),
            revealed: None,
            length: 8,
            fingerprint: e.fingerprint,
        });
    }

    fn bytes(mut aggregate: Aggregate) -> String {
        aggregate.settle();
        let by_source = std::mem::take(&mut aggregate.by_source);
        serde_json::to_string(&(by_source, aggregate.into_wire())).unwrap()
    }

    fn seen() -> impl Strategy<Value = Vec<Seen>> {
        // How many names, hosts and routes there are decides which bounds are passed.
        (1u8..12, 1u8..20, 1u8..40).prop_flat_map(|(names, hosts, routes)| {
            let one = (0u16..3, 0..names, 0..hosts, 0..routes, 0u16..120, 0u8..40);
            prop::collection::vec(one, 0..400)
        })
    }

    proptest! {
        #[test]
        fn parts_in_any_order_and_grouping_are_the_whole(
            all in seen(), owner in prop::collection::vec(0usize..4, 400), order in Just([0usize, 1, 2, 3]).prop_shuffle(), pairs: bool, wired: bool,
        ) {
            let mut whole = Aggregate::default();
            let mut parts = vec![Aggregate::default(); 4];
            for (at, one) in all.iter().enumerate() {
                add(&mut whole, at, *one);
                add(&mut parts[owner[at]], at, *one);
            }
            // A part may have been a report in between, which drops nothing but the counts that the report holds.
            let pass = |part: Aggregate| {
                if !wired {
                    return part;
                }
                let mut part = part;
                part.settle();
                let by_source = part.by_source.clone();
                let json = serde_json::to_string(&part.into_wire()).unwrap();
                let mut back = Aggregate::from_wire(serde_json::from_str(&json).unwrap());
                back.by_source = by_source;
                back
            };
            let mut take = |n: usize| pass(std::mem::take(&mut parts[order[n]]));
            let joined = if pairs {
                let (mut a, mut b) = (take(0), take(2));
                a.merge(take(1));
                b.merge(take(3));
                a.merge(b);
                // Nothing changes nothing, from either side.
                let mut all = Aggregate::default();
                all.merge(a);
                all.merge(Aggregate::default());
                all
            } else {
                let mut a = take(0);
                (1..4).for_each(|n| a.merge(take(n)));
                a
            };
            let (joined, whole) = (bytes(joined), bytes(whole));
            let same = joined.bytes().zip(whole.bytes()).take_while(|(a, b)| a == b).count();
            let from = same.saturating_sub(200);
            prop_assert!(
                joined == whole, "joined …{:.600}\nwhole  …{:.600}", &joined[from..], &whole[from..]
            );
        }
    }

    #[test]
    fn what_is_too_many_is_folded_and_nothing_is_lost() {
        let mut aggregate = Aggregate::default();
        let n = 3 * limits::GROUP;
        for at in 0..n {
            add(&mut aggregate, at, (0, 0, 1, at as u8, at as u16, 1));
        }
        aggregate.settle();
        let (key, finding) = aggregate.findings().next().unwrap();
        assert_eq!(aggregate.findings().count(), 1);
        assert_eq!(key.route.as_deref(), Some(crate::url::route::MANY));
        assert_eq!((key.host.as_deref(), finding.exposures), (Some("h1"), n as u64));
    }
}
