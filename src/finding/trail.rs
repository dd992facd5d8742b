//! Who had a credential, and when: what signs of abuse are read from. A trail is a mergeable value in bounded
//! memory, as everything in an aggregate is; what it means is decided when the report is built.

use super::evidence::Sighting;
use super::limits;
use super::model::{earlier, insert_one, trim};
use super::sketch::Sketch;
use crate::agent::Agents;
use crate::detect::Exposure;
use crate::record::Field;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Who made a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// Keyed hash of the address.
    pub hash: u64,
    /// Keyed hash of the network: /24 of IPv4 and /48 of IPv6, within which addresses change without anybody
    /// moving (NAT, privacy extensions of RFC 8981); all private addresses are one, since they stand for a proxy
    /// or for one house.
    pub network: u64,
    /// Whether that is IPv6.
    pub six: bool,
    /// The address as `--clients` says.
    pub label: String,
}

/// What was seen of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    #[serde(rename = "k")]
    key: u64,
    /// Whether it is IPv6.
    #[serde(rename = "6", default, skip_serializing_if = "std::ops::Not::not")]
    pub six: bool,
    /// When it had the credential first.
    #[serde(rename = "f")]
    pub first: Option<Instant>,
    /// When it had it last.
    #[serde(rename = "l")]
    pub last: Option<Instant>,
    /// When it first sent it to where it belongs.
    #[serde(rename = "u")]
    pub used: Option<Instant>,
    /// With which programs.
    #[serde(rename = "a")]
    pub agents: Agents,
    /// One of its addresses as `--clients` says.
    #[serde(rename = "n")]
    pub label: Box<str>,
}

impl Network {
    fn join(&mut self, other: Network) {
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
        self.used = earlier(self.used, other.used);
        self.agents.extend(other.agents);
        self.label = std::mem::take(&mut self.label).min(other.label);
    }
}

/// The first and the last time of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Earliest time.
    #[serde(rename = "f")]
    pub first: Option<Instant>,
    /// Latest time.
    #[serde(rename = "l")]
    pub last: Option<Instant>,
}

impl Span {
    /// Takes in a time.
    pub fn add(&mut self, time: Option<Instant>) {
        self.join(Span {
            first: time,
            last: time,
        });
    }

    /// Takes in another span.
    pub fn join(&mut self, other: Span) {
        self.first = earlier(self.first, other.first);
        self.last = self.last.max(other.last);
    }

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// Who had one credential.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Trail {
    /// Networks, by their keys: the smallest of them.
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<Network>,
    /// Whether there were more.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// When another party first received it.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub leaked: Option<Instant>,
    /// When sign-ins were made with it.
    #[serde(rename = "i", default, skip_serializing_if = "Span::is_empty")]
    pub logins: Span,
    /// When it was sent otherwise, where sign-ins matter.
    #[serde(rename = "o", default, skip_serializing_if = "Span::is_empty")]
    pub others: Span,
    /// Hashes of users whose password it was said to be.
    #[serde(rename = "u", default, skip_serializing_if = "Sketch::is_empty")]
    pub users: Sketch,
}

/// Whether the one who made the request sent the credential to where it belongs.
fn sent(e: &Exposure) -> bool {
    e.leaked_to.is_none()
        && matches!(
            e.field,
            Field::Url | Field::RequestHeader | Field::RequestBody | Field::Cookie
        )
}

impl Trail {
    /// Takes note of an exposure.
    pub(super) fn add(&mut self, e: &Exposure, at: &Sighting) {
        let sent = sent(e);
        if e.leaked_to.is_some() {
            self.leaked = earlier(self.leaked, e.time);
        }
        if at.session && sent {
            let span = if at.login {
                &mut self.logins
            } else {
                &mut self.others
            };
            span.add(e.time);
        }
        if let Some(user) = e.user {
            self.users.insert(user, limits::K_CREDENTIAL);
        }
        let Some(client) = at.client else { return };
        let mut agents = Agents::default();
        at.agent.into_iter().for_each(|a| agents.insert(a));
        let used = e.time.filter(|_| sent);
        match self.networks.binary_search_by_key(&client.network, |n| n.key) {
            Ok(n) => {
                let network = &mut self.networks[n];
                network.first = earlier(network.first, e.time);
                network.last = network.last.max(e.time);
                network.used = earlier(network.used, used);
                network.agents.extend(agents);
                if *client.label < *network.label {
                    network.label = client.label.as_str().into();
                }
            }
            Err(n) if n < limits::NETWORKS => {
                let network = Network {
                    key: client.network,
                    six: client.six,
                    first: e.time,
                    last: e.time,
                    used,
                    agents,
                    label: client.label.as_str().into(),
                };
                insert_one(&mut self.networks, n, network);
                self.cut();
            }
            Err(_) => self.more = true,
        }
    }

    fn cut(&mut self) {
        self.more |= self.networks.len() > limits::NETWORKS;
        self.networks.truncate(limits::NETWORKS);
    }

    /// Adds what another saw.
    pub(super) fn join(&mut self, other: Trail) {
        self.more |= other.more;
        self.leaked = earlier(self.leaked, other.leaked);
        self.logins.join(other.logins);
        self.others.join(other.others);
        self.users.merge(&other.users, limits::K_CREDENTIAL);
        for network in other.networks {
            match self.networks.binary_search_by_key(&network.key, |n| n.key) {
                Ok(n) => self.networks[n].join(network),
                Err(n) => self.networks.insert(n, network),
            }
        }
        self.cut();
    }

    /// The networks that are kept.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }
}

/// How often something was seen that speaks for abuse by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How often.
    #[serde(rename = "c")]
    pub count: u64,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// By which programs.
    #[serde(rename = "a")]
    pub agents: Agents,
    /// Some of the clients as `--clients` says.
    #[serde(rename = "n")]
    pub clients: BTreeSet<Box<str>>,
}

impl Tally {
    /// Counts one.
    pub(super) fn add(&mut self, e: &Exposure, at: &Sighting) {
        self.count += 1;
        self.span.add(e.time);
        at.agent.into_iter().for_each(|a| self.agents.insert(a));
        if let Some(client) = at.client {
            note(&mut self.clients, &client.label);
        }
    }

    /// Adds what another counted.
    pub(super) fn join(&mut self, other: Tally) {
        self.count += other.count;
        self.span.join(other.span);
        self.agents.extend(other.agents);
        self.clients.extend(other.clients);
        trim(&mut self.clients, limits::LABELS);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Adds a client's name to a bounded set.
pub(super) fn note(clients: &mut BTreeSet<Box<str>>, label: &str) {
    if !clients.contains(label) {
        clients.insert(label.into());
        trim(clients, limits::LABELS);
    }
}
