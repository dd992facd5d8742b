//! Who made a request, and what the request says of abuse by itself: the client's network, its program, whether it
//! signed somebody in, whether something was accepted after its end.

use super::{Clients, Config};
use crate::agent::AgentId;
use crate::detect::Exposure;
use crate::detect::identity::Claim;
use crate::finding::{Client, Who};
use crate::record::{Content, Field, Record};
use crate::report::safe;
use crate::rule::{Category, RuleSpec};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The client and the program of the last record, which are those of the next one often enough.
#[derive(Default)]
pub(super) struct Requester {
    raw: Vec<u8>,
    client: Option<Arc<Client>>,
    header: Vec<u8>,
    agent: Option<AgentId>,
}

impl Requester {
    /// The record's client.
    pub fn client(&mut self, record: &Record, config: &Config) -> Option<Arc<Client>> {
        let raw = record.client?.bytes();
        if self.client.is_none() || self.raw != raw {
            self.raw.clear();
            self.raw.extend_from_slice(raw);
            self.client = Some(Arc::new(client(&address(raw), config)));
        }
        self.client.clone()
    }

    /// The record's program.
    pub fn agent(&mut self, record: &Record) -> Option<AgentId> {
        let header = record.user_agent?.bytes();
        if self.header != header {
            self.header.clear();
            self.header.extend_from_slice(header);
            self.agent = AgentId::of(header);
        }
        self.agent
    }
}

fn client(address: &str, config: &Config) -> Client {
    let hash = |s: &str| config.key.fingerprint(s.as_bytes());
    let own = hash(address);
    let (network, six) = match address.parse::<IpAddr>() {
        Ok(ip) => (hash(&network(ip)).0, ip.is_ipv6()),
        Err(_) => (own.0, false),
    };
    let label = match (config.clients, address.parse::<IpAddr>()) {
        (Clients::Full, _) => address.to_string(),
        (Clients::Masked, Ok(ip)) => masked(ip),
        (Clients::Masked, Err(_)) | (Clients::Hashed, _) => format!("client-{own}"),
    };
    Client {
        hash: own.0,
        network,
        six,
        label,
    }
}

/// An address without its last part: /24, /48.
fn masked(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(a) => {
            let [a, b, c, _] = a.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(a) => {
            let [a, b, c, ..] = a.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// What stands for the network of an address: private ones (RFC 1918, RFC 6598, RFC 4193) are all one.
fn network(ip: IpAddr) -> String {
    let ip = ip.to_canonical();
    let private = match ip {
        IpAddr::V4(a) => {
            let carrier = Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22;
            a.is_private() || a.is_loopback() || a.is_link_local() || a.to_bits() >> 22 == carrier
        }
        IpAddr::V6(a) => a.is_loopback() || a.is_unique_local() || a.is_unicast_link_local(),
    };
    if private { "private".into() } else { masked(ip) }
}

/// The client in a column: an address without port, else what stands there, shortened.
fn address(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(128)]);
    let text = text.trim();
    if let Ok(ip) = text.parse::<IpAddr>() {
        return ip.to_string();
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return socket.ip().to_string();
    }
    let inner = text.trim_start_matches('[').split(']').next().unwrap_or(text);
    if let Ok(ip) = inner.parse::<IpAddr>() {
        return ip.to_string();
    }
    safe::label(text)
}

/// What a credential tells of itself, persons as `--clients` says.
pub(super) fn told<'e>(e: &'e Exposure, config: &Config) -> Cow<'e, [Claim]> {
    if config.clients == Clients::Full || !e.identity.iter().any(|c| c.person) {
        return Cow::Borrowed(&e.identity);
    }
    let hide = |c: &Claim| {
        let mut c = c.clone();
        if c.person {
            let domain = c.value.split_once('@').map(|(_, d)| d);
            c.value = match (config.clients, domain) {
                (Clients::Masked, Some(domain)) => format!("…@{domain}").into(),
                _ => format!("person-{}", config.key.fingerprint(c.value.as_bytes())).into(),
            };
        }
        c
    };
    Cow::Owned(e.identity.iter().map(hide).collect())
}

/// Words of paths at which people sign in.
const LOGIN: &[&str] = &[
    "login",
    "logon",
    "signin",
    "sign-in",
    "sign_in",
    "log-in",
    "log_in",
    "j_security_check",
    "authenticate",
    "anmeld",
];

/// Whether a request signed somebody in, as far as a log can tell: a POST to such a path that was not refused.
pub(super) fn is_login(record: &Record) -> bool {
    let post = record
        .method
        .is_some_and(|m| m.bytes().eq_ignore_ascii_case(b"POST"));
    if !post || !matches!(record.status, Some(200..=399)) {
        return false;
    }
    let path = record.carriers.iter().find_map(|c| match c.content {
        Content::Url(url) if c.field == Field::Url => Some(url.path.bytes()),
        _ => None,
    });
    path.is_some_and(|path| {
        let path = path[..path.len().min(512)].to_ascii_lowercase();
        let word = |w: &&str| memchr::memmem::find(&path, w.as_bytes()).is_some();
        LOGIN.iter().any(word) && memchr::memmem::find(&path, b"logout").is_none()
    })
}

/// How far clocks may differ: "usually no more than a few minutes" (RFC 7519 §4.1.4), in seconds.
const LEEWAY: i64 = 300;

/// Whether a credential was accepted after its end, as far as a log can tell. ArcGIS answers refusals with 200, so
/// that nothing can be said of it.
pub(super) fn is_late(e: &Exposure, rule: &RuleSpec, status: Option<u16>) -> bool {
    let Some((end, then)) = e.liveness.until.zip(e.time) else {
        return false;
    };
    let sent = matches!(
        e.field,
        Field::Url | Field::RequestHeader | Field::RequestBody | Field::Cookie
    ) && e.leaked_to.is_none();
    let accepted = matches!(status, Some(200..=299 | 304));
    if !(sent && accepted && end.plus_seconds(LEEWAY) < then) {
        return false;
    }
    let route = e.route.as_deref().unwrap_or_default().to_ascii_lowercase();
    let arcgis = ["/arcgis/", "/rest/services", "/sharing/"];
    rule.family != "arcgis" && !arcgis.iter().any(|p| route.contains(p))
}

/// Whose guess it may be: of a password, that of the user beside it, else of who sent it; of a token that was refused,
/// that of who sent it. One that had ended by then was no guess.
pub(super) fn guess(
    e: &Exposure,
    rule: &RuleSpec,
    client: Option<&Client>,
    status: Option<u16>,
    config: &Config,
) -> Option<(u64, Who)> {
    let sent = |kind: &[u8]| {
        let host = e.host.as_deref().unwrap_or_default();
        let whole = [&client?.network.to_le_bytes(), kind, host.as_bytes()].concat();
        Some(config.key.fingerprint(&whole).0)
    };
    match rule.category {
        Category::Password => e
            .user
            .map(|user| (user, Who::User))
            .or_else(|| Some((sent(b"")?, Who::Client))),
        Category::Token | Category::ApiKey | Category::Session | Category::Link => {
            let ended = e.liveness.until.zip(e.time).is_some_and(|(end, t)| end < t);
            let refused = matches!(status, Some(401 | 403 | 498)) && !ended && e.field == Field::Url;
            Some((sent(b"token ").filter(|_| refused)?, Who::Token))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_what_one_household_or_proxy_has() {
        let of = |s: &str| network(s.parse().unwrap());
        assert_eq!(of("203.0.113.9"), of("203.0.113.77"));
        assert_ne!(of("203.0.113.9"), of("203.0.114.9"));
        assert_eq!(of("2001:db8:1:2::a"), of("2001:db8:1:ffff:1:2:3:4"));
        assert_ne!(of("2001:db8:1::a"), of("2001:db8:2::a"));
        assert_eq!(of("10.0.0.1"), of("192.168.7.7"));
        assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.9"));
        assert_eq!(of("100.64.1.1"), of("100.127.255.254"));
        assert_ne!(of("100.128.0.1"), of("100.64.0.1"));
    }

    #[test]
    fn clients_have_no_ports() {
        for text in ["192.0.2.1", "192.0.2.1:4711", "[192.0.2.1]", "::ffff:192.0.2.1"] {
            assert!(address(text.as_bytes()).ends_with("192.0.2.1"), "{text}");
        }
    }
}
