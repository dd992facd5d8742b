//! Hosts as names: lower case, without port; registrable domains by the public suffix list.

/// The crate that brings the public suffix list (<https://publicsuffix.org>), and the day on which it was brought up to date.
pub const SUFFIXES: (&str, &str) = ("2.1.247", "2026-11-05");

/// The longest name that the domain name system has (RFC 1035 §2.3.4), in bytes.
const MAX_HOST: usize = 253;

/// The name in an authority, without port and brackets, in lower case; `None` where it cannot be one.
pub fn normalize(authority: &[u8]) -> Option<String> {
    let name = if authority.starts_with(b"[") {
        &authority[1..memchr::memchr(b']', authority)?]
    } else {
        let colon = memchr::memchr(b':', authority);
        // More than one colon without brackets is an IPv6 address as some logs write it.
        match colon {
            Some(at) if memchr::memchr(b':', &authority[at + 1..]).is_none() => &authority[..at],
            _ => authority,
        }
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    let valid = !name.is_empty()
        && name.len() <= MAX_HOST
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(b));
    valid.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
}

/// The domain that somebody registered (`gis.county.example.gov` -> `example.gov`), by the public suffix list
/// with its private section, so that two tenants of `github.io` are two parties. Addresses and single labels
/// stand for themselves.
pub fn registrable(host: &str) -> &str {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host;
    }
    psl::domain_str(host).unwrap_or(host)
}

/// Who belongs together beyond what the public suffix list knows: hosts under these domains are one party.
#[derive(Clone, Debug, Default)]
pub struct Parties {
    domains: Vec<String>,
}

impl Parties {
    /// From domains; one that is no host's name is given back as the error.
    pub fn new(domains: &[String]) -> Result<Parties, String> {
        let one = |d: &String| {
            let named = d.trim().trim_start_matches("*.").trim_start_matches('.');
            let named = named
                .split_once("://")
                .map_or(named, |(_, rest)| rest)
                .trim_end_matches('/');
            normalize(named.as_bytes()).ok_or_else(|| d.clone())
        };
        let mut domains: Vec<String> = domains.iter().map(one).collect::<Result<_, _>>()?;
        domains.sort();
        domains.dedup();
        Ok(Parties { domains })
    }

    /// The domains, sorted.
    pub fn domains(&self) -> &[String] {
        &self.domains
    }

    /// Whether two hosts belong to one party.
    pub fn same(&self, a: &str, b: &str) -> bool {
        a == b || registrable(a) == registrable(b) || self.holds(a) && self.holds(b)
    }

    fn holds(&self, host: &str) -> bool {
        let under = |d: &String| {
            host.strip_suffix(d.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.domains.iter().any(under)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names() {
        assert_eq!(
            normalize(b"GIS.Example.GOV:443").as_deref(),
            Some("gis.example.gov")
        );
        assert_eq!(normalize(b"[2001:DB8::1]:8443").as_deref(), Some("2001:db8::1"));
        assert_eq!(normalize(b"2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!(normalize(b"a b").as_deref(), None);
        assert_eq!(normalize(b"").as_deref(), None);
    }

    #[test]
    fn parties_are_registrable_domains() {
        let same_party = |a, b| Parties::default().same(a, b);
        assert!(same_party("a.example.gov", "b.example.gov"));
        assert!(!same_party("a.github.io", "b.github.io"));
        assert!(!same_party("10.0.0.1", "10.0.0.2"));
        assert!(same_party("localhost", "localhost"));
    }

    #[test]
    fn parties_can_be_named() {
        let own = Parties::new(&["Example.gov".into(), "*.example-cdn.net".into()]).unwrap();
        assert!(own.same("gis.example.gov", "example-cdn.net"));
        assert!(!own.same("gis.example.gov", "notexample-cdn.net"));
        assert!(!own.same("gis.example.gov", "tracker.example.com"));
        assert_eq!(Parties::new(&["a b".into()]).unwrap_err(), "a b");
    }
}
