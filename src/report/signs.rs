//! Signs of abuse, read from the merged state: who had a credential, when, with which programs, and what came of
//! it. Each says how sure it is: addresses and programs stand for people badly (several people behind one address,
//! one person with a phone that moves from network to network), and a `User-Agent` is the sender's to choose. What
//! a sign weighs stands in [`crate::rule::severity`].

use crate::agent::{Agent, Agents, Kind};
use crate::finding::{Aggregate, Credential, Guesses, Network, Span, Trail, Who};
use crate::report::words::{count, plural};
use crate::rule::severity::{SignKind, Sure};
use crate::rule::{Category, Grade, RuleSet, RuleSpec};
use crate::time::Instant;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What speaks for abuse.
#[derive(Clone, Debug, Serialize)]
pub struct Sign {
    /// What it is.
    pub kind: SignKind,
    /// How sure.
    pub sure: Sure,
    /// In plain words.
    pub detail: String,
    /// Of how many of the finding's credentials, users or requests, as the detail says.
    pub count: u64,
    /// When it was seen first.
    #[serde(serialize_with = "super::model::maybe_time")]
    pub first_seen: Option<Instant>,
    /// When it was seen last.
    #[serde(serialize_with = "super::model::maybe_time")]
    pub last_seen: Option<Instant>,
    /// Some of the clients, as `--clients` says.
    pub clients: Vec<String>,
    /// Whether it raised the severity.
    pub weighs: bool,
}

/// Clients that one sign names.
const CLIENTS: usize = 5;

/// Users of one password from which on it is a spray, and values for one user from which on they are guesses: more
/// than one person mistypes, and more than changes of a password that is to be renewed every quarter in two years.
const USERS: u64 = 5;
const VALUES: u64 = 10;

/// Refused tokens of one client from which on they are guesses, where less than so many seconds pass between two of them:
/// a program whose tokens end every hour is refused the old one once in that time.
const TOKENS: u64 = 20;
const PAUSE: u64 = 60;

/// Seconds between a request and a sign-in within which the order of log lines tells nothing: pages load in parallel.
const PARALLEL: i64 = 1;

/// What is joined over the credentials of a finding.
#[derive(Default)]
struct Sum {
    sure: Option<Sure>,
    credentials: u64,
    most: u64,
    more: bool,
    span: Span,
    agents: Agents,
    clients: BTreeSet<Box<str>>,
}

impl Sum {
    fn add(&mut self, one: &One) {
        self.credentials += 1;
        self.most = self.most.max(one.most);
        self.more |= one.more;
        // What is told of clients and programs is that of the surest.
        if self.sure < Some(one.sure) {
            self.clients.clear();
            self.agents = Agents::default();
        }
        if self.sure <= Some(one.sure) {
            self.clients.extend(one.clients.iter().cloned());
            self.agents.extend(one.agents);
            while self.clients.len() > CLIENTS {
                self.clients.pop_last();
            }
        }
        self.sure = self.sure.max(Some(one.sure));
        self.span.join(one.span);
    }
}

/// What one credential says.
struct One {
    kind: SignKind,
    sure: Sure,
    most: u64,
    more: bool,
    span: Span,
    agents: Agents,
    clients: Vec<Box<str>>,
}

/// What is joined over the users and clients of a finding whose passwords were guessed.
#[derive(Default)]
struct Tries {
    targets: u64,
    user: bool,
    /// Whether they were tokens and the like.
    token: bool,
    /// The most values of one, and whether that is an estimate.
    values: (u64, bool),
    refused: u64,
    /// Whether one got in after it was refused.
    broken: bool,
    /// Whether it went faster than people change and mistype passwords.
    fast: bool,
    span: Span,
    clients: BTreeSet<Box<str>>,
}

impl Tries {
    fn add(&mut self, g: &Guesses) {
        let values = g.values.count();
        let days = match (g.span.first, g.span.last) {
            (Some(a), Some(b)) => (b.seconds() - a.seconds()).unsigned_abs() / 86_400,
            _ => 0,
        };
        self.targets += 1;
        self.user |= g.who == Who::User;
        self.token |= g.who == Who::Token;
        self.values = self.values.max(values);
        self.refused += g.refused;
        self.broken |= g.last_refused.is_some() && g.last_passed > g.last_refused;
        // A program whose tokens are renewed is refused the old ones, too: that it guesses is never sure.
        self.fast |= g.who != Who::Token && (days < values.0 || g.refused * 2 > g.count);
        self.span.join(g.span);
        self.clients.extend(g.clients.iter().cloned());
        while self.clients.len() > CLIENTS {
            self.clients.pop_last();
        }
    }

    fn sign(self) -> Sign {
        let (values, estimated) = self.values;
        let mut detail = format!(
            "{}{} different {} one {}",
            if estimated { "About " } else { "" },
            count(values),
            if self.token {
                "values refused to"
            } else {
                "passwords for"
            },
            if self.user { "user" } else { "client" }
        );
        if self.targets > 1 {
            detail.push_str(&format!(", {} in all", plural(self.targets, "target")));
        }
        if self.refused > 0 {
            detail.push_str(&format!("; {} refused", plural(self.refused, "request")));
        }
        if self.broken {
            detail.push_str(", and a later one was not: it may have been right");
        }
        let sure = if self.fast { Sure::Likely } else { Sure::Possible };
        sign(
            SignKind::Guessed,
            sure,
            detail,
            self.targets,
            self.span,
            &self.clients,
        )
    }
}

/// Signs by the id of the finding.
#[derive(Default)]
pub struct Signs {
    sums: BTreeMap<u64, BTreeMap<SignKind, Sum>>,
    tries: BTreeMap<u64, Tries>,
}

impl Signs {
    /// Reads them; `known` tells which findings there are.
    pub fn of(aggregate: &Aggregate, rules: &RuleSet, known: &BTreeSet<u64>) -> Signs {
        let mut out = Signs::default();
        // Each finding stands under the id of the level to which it was folded: the first that is there.
        let first = |ids: &crate::finding::Ids| ids.iter().copied().find(|id| known.contains(id));
        for (_, credential) in aggregate.credentials() {
            let rule = &rules.rules[usize::from(credential.rule)].spec;
            let ones = judge(credential, rule);
            if ones.is_empty() {
                continue;
            }
            let standing: BTreeSet<u64> = credential
                .findings
                .iter()
                .filter_map(|(ids, _)| first(ids))
                .collect();
            for id in standing {
                let sums = out.sums.entry(id).or_default();
                ones.iter()
                    .for_each(|one| sums.entry(one.kind).or_default().add(one));
            }
        }
        for guesses in aggregate.guesses().filter(|g| are_guesses(g)) {
            let standing: BTreeSet<u64> = guesses.findings.iter().filter_map(first).collect();
            for id in standing {
                out.tries.entry(id).or_default().add(guesses);
            }
        }
        out
    }

    /// Those of one finding, by kind.
    pub fn take(&mut self, id: u64, finding: &crate::finding::Finding, rule: &RuleSpec) -> Vec<Sign> {
        let mut out: Vec<Sign> = Vec::new();
        if rule.grade == Grade::Public || rule.category == Category::Notice {
            return out;
        }
        for (kind, sum) in self.sums.remove(&id).unwrap_or_default() {
            out.push(told(kind, sum));
        }
        out.extend(crawled(finding));
        out.extend(late(finding, rule));
        out.extend(self.tries.remove(&id).map(Tries::sign));
        for sign in &mut out {
            sign.weighs = crate::rule::severity::weighs(sign.kind, sign.sure, rule);
        }
        out.sort_by_key(|s| (std::cmp::Reverse(s.sure), s.kind));
        out
    }
}

fn judge(credential: &Credential, rule: &RuleSpec) -> Vec<One> {
    let trail = &credential.trail;
    [
        several(trail),
        replayed(trail),
        sprayed(trail, credential),
        fixed(trail),
    ]
    .into_iter()
    .flatten()
    .filter(|one| !(one.kind == SignKind::SessionFixation && rule.category != Category::Session))
    .collect()
}

/// Networks of people: what comes by itself has a sign of its own.
fn people(trail: &Trail) -> Vec<&Network> {
    let all = trail.networks().iter();
    all.filter(|n| !n.agents.only_by_themselves()).collect()
}

fn labels<'n>(networks: impl Iterator<Item = &'n Network>) -> Vec<Box<str>> {
    let mut all: Vec<Box<str>> = networks.map(|n| n.label.clone()).collect();
    all.sort();
    all.truncate(CLIENTS);
    all
}

fn union<'n>(networks: impl Iterator<Item = &'n Network>) -> Agents {
    let mut all = Agents::default();
    networks.for_each(|n| all.extend(n.agents));
    all
}

fn span<'n>(networks: impl Iterator<Item = &'n Network>) -> Span {
    let mut all = Span::default();
    networks.for_each(|n| {
        all.add(n.first);
        all.add(n.last);
    });
    all
}

fn programs(agents: Agents) -> Vec<&'static Agent> {
    agents.iter().filter(|a| !a.kind.comes_by_itself()).collect()
}

/// One credential from several networks, or with programs that one person hardly has.
fn several(trail: &Trail) -> Option<One> {
    let networks = people(trail);
    let agents = union(networks.iter().copied());
    let programs = programs(agents);
    // A dual-stack client has an address of each kind: it counts once.
    let six = networks.iter().filter(|n| n.six).count();
    let n = six.max(networks.len() - six);
    let has = |kinds: &[Kind]| programs.iter().any(|a| kinds.contains(&a.kind));
    let person = has(&[Kind::Browser, Kind::Mobile]);
    let tool = has(&[Kind::Script, Kind::Scanner]);
    let mobile = !programs.is_empty() && programs.iter().all(|a| a.kind == Kind::Mobile);
    let others = programs.iter().filter(|a| a.kind != Kind::Mobile).count();
    let phone_and_desk = others == 1 && has(&[Kind::Mobile]) && has(&[Kind::Browser]);
    let sure = match n {
        0 => return None,
        // Behind one address there may be two people, or one with two programs.
        1 if person && tool => Sure::Possible,
        1 => return None,
        _ if person && tool || has(&[Kind::Scanner]) => Sure::Likely,
        // One at the desk and under way has a browser and a phone, and a network for each.
        2..=3 if phone_and_desk => Sure::Possible,
        _ if !mobile && (programs.len() > 1 || n >= 5) => Sure::Likely,
        // A phone goes from one network to the next.
        2..=3 if mobile => return None,
        // Who writes no user agents down cannot tell a move from a second client.
        2 if programs.is_empty() && !overlap(&networks) => return None,
        _ => Sure::Possible,
    };
    Some(One {
        kind: SignKind::SeveralClients,
        sure,
        most: n as u64,
        more: trail.more,
        span: span(networks.iter().copied()),
        agents,
        clients: labels(networks.iter().copied()),
    })
}

/// Whether one network was seen between two sightings of another.
fn overlap(networks: &[&Network]) -> bool {
    let inside = |a: &Network, b: &Network| a.first < b.first && b.first < a.last;
    networks
        .iter()
        .any(|a| networks.iter().any(|b| a.first.is_some() && inside(a, b)))
}

/// Used from a network that did not have it before another party received it.
fn replayed(trail: &Trail) -> Option<One> {
    let leaked = trail.leaked?;
    let networks = people(trail);
    let before = |n: &&&Network| n.first.is_some_and(|t| t <= leaked);
    let owners: Vec<&Network> = networks.iter().filter(before).copied().collect();
    let known = union(owners.iter().copied());
    let dual = |n: &Network| owners.iter().all(|o| o.six != n.six) && n.agents == known;
    let new = |n: &&Network| {
        n.first.is_some_and(|t| t > leaked) && n.used.is_some() && !owners.is_empty() && !dual(n)
    };
    let thieves: Vec<&Network> = networks.iter().copied().filter(new).collect();
    if thieves.is_empty() {
        return None;
    }
    let agents = union(thieves.iter().copied());
    let names = |a: Agents| -> BTreeSet<&str> { programs(a).iter().map(|a| a.id.as_str()).collect() };
    let (then, now) = (names(known), names(agents));
    let unlike = !now.is_empty() && !then.is_empty() && now.is_disjoint(&then);
    Some(One {
        kind: SignKind::Replayed,
        sure: if unlike { Sure::Likely } else { Sure::Possible },
        most: thieves.len() as u64,
        more: trail.more,
        span: span(thieves.iter().copied()),
        agents,
        clients: labels(thieves.iter().copied()),
    })
}

/// One value for many users.
fn sprayed(trail: &Trail, credential: &Credential) -> Option<One> {
    let (users, _) = trail.users.count();
    (users >= USERS).then(|| One {
        kind: SignKind::Sprayed,
        sure: Sure::Likely,
        most: users,
        more: false,
        span: Span {
            first: credential.first,
            last: credential.last,
        },
        agents: union(trail.networks().iter()),
        clients: labels(trail.networks().iter()),
    })
}

/// A session's id that was there before the sign-in and is there after it.
fn fixed(trail: &Trail) -> Option<One> {
    let (first, last) = (trail.others.first?, trail.others.last?);
    let within = |login: Instant| first.plus_seconds(PARALLEL) < login && login.plus_seconds(PARALLEL) < last;
    let logins = [trail.logins.first?, trail.logins.last?];
    let login = logins.into_iter().find(|t| within(*t))?;
    // Who had it before the sign-in alone, and who has it since.
    let networks = people(trail);
    let gone = networks.iter().any(|n| n.last.is_some_and(|t| t < login));
    let another = gone && networks.iter().any(|n| n.last.is_some_and(|t| t > login));
    Some(One {
        kind: SignKind::SessionFixation,
        sure: if another { Sure::Likely } else { Sure::Possible },
        most: networks.len() as u64,
        more: false,
        span: Span {
            first: Some(first),
            last: Some(last),
        },
        agents: union(networks.iter().copied()),
        clients: labels(networks.iter().copied()),
    })
}

fn are_guesses(g: &Guesses) -> bool {
    if g.who == Who::Token {
        let values = g.values.count().0;
        let took = match (g.span.first, g.span.last) {
            (Some(a), Some(b)) => (b.seconds() - a.seconds()).unsigned_abs(),
            _ => return false,
        };
        return values >= TOKENS && took / values < PAUSE;
    }
    // Behind one address many people may sign in; what was refused was no password of theirs.
    g.values.count().0 >= VALUES && (g.who == Who::User || g.refused * 5 >= g.count * 4)
}

/// `: Chrome, Python`.
fn by(agents: Agents) -> String {
    let names: Vec<&str> = agents.iter().map(|a| a.title.as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(", with {}", names.join(", ")),
    }
}

fn told(kind: SignKind, sum: Sum) -> Sign {
    let n = sum.credentials;
    let subject = if n == 1 {
        "One credential was".to_string()
    } else {
        format!("{} credentials were", count(n))
    };
    let more = if sum.more { "or more " } else { "" };
    let sure = sum.sure.unwrap_or(Sure::Possible);
    let with = by(sum.agents);
    let detail = match (kind, sure) {
        (SignKind::SeveralClients, Sure::Likely) => format!(
            "{subject} used from up to {} {more}networks{with}: more than one person on the move explains",
            count(sum.most)
        ),
        (SignKind::SeveralClients, Sure::Possible) if sum.most == 1 => {
            format!(
                "{subject} used from one network{with}: by two people behind it, or by one with two programs"
            )
        }
        (SignKind::SeveralClients, Sure::Possible) => format!(
            "{subject} used from up to {} {more}networks{with}: by several people, or by one who moves or has a VPN",
            count(sum.most)
        ),
        (SignKind::Replayed, Sure::Likely) => format!(
            "{subject} used after another party had received it, by a network and a program that did not have it before{with}"
        ),
        (SignKind::Replayed, Sure::Possible) => format!(
            "{subject} used after another party had received it, by a network that did not have it before{with}; its owner may have moved"
        ),
        (SignKind::Sprayed, _) => format!(
            "One password was tried for up to {} users{}",
            count(sum.most),
            if n == 1 {
                String::new()
            } else {
                format!(", and so were {} more", count(n - 1))
            }
        ),
        (SignKind::SessionFixation, Sure::Likely) => format!(
            "{} session id{} in use before the sign-in by a client other than the one that has it since",
            count(n),
            if n == 1 { " was" } else { "s were" }
        ),
        (SignKind::SessionFixation, Sure::Possible) => format!(
            "{} session id{} the same before and after the sign-in: whoever knew it before is signed in, too",
            count(n),
            if n == 1 { " is" } else { "s are" }
        ),
        (SignKind::Crawled | SignKind::UsedAfterExpiry | SignKind::Guessed, _) => String::new(),
    };
    sign(kind, sure, detail, n, sum.span, &sum.clients)
}

fn sign(
    kind: SignKind,
    sure: Sure,
    detail: String,
    count: u64,
    span: Span,
    clients: &BTreeSet<Box<str>>,
) -> Sign {
    Sign {
        kind,
        sure,
        detail,
        count,
        first_seen: span.first,
        last_seen: span.last,
        clients: clients.iter().take(CLIENTS).map(|c| c.to_string()).collect(),
        weighs: false,
    }
}

fn crawled(f: &crate::finding::Finding) -> Option<Sign> {
    let c = &f.crawled;
    if c.is_empty() {
        return None;
    }
    let detail = format!(
        "Fetched {}{}: the address has reached programs that open links by themselves, and a link that works once may be spent",
        plural(c.count, "time"),
        by(c.agents)
    );
    let known = c.agents.iter().any(|a| a.id != "crawler");
    let sure = if known { Sure::Likely } else { Sure::Possible };
    Some(sign(SignKind::Crawled, sure, detail, c.count, c.span, &c.clients))
}

fn late(f: &crate::finding::Finding, rule: &RuleSpec) -> Option<Sign> {
    let l = &f.late;
    if l.is_empty() {
        return None;
    }
    // What a signed URL opens is the answer; a page may answer without looking at a token.
    let (sure, note) = match rule.category {
        Category::SignedUrl => (Sure::Likely, "its end is not enforced"),
        _ => (
            Sure::Possible,
            "its end is not enforced, or the page does not look at it",
        ),
    };
    let detail = format!(
        "Answered with success {} after it had expired: {note}",
        plural(l.count, "time")
    );
    Some(sign(
        SignKind::UsedAfterExpiry,
        sure,
        detail,
        l.count,
        l.span,
        &l.clients,
    ))
}
