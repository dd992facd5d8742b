//! Allow entries: findings that a configuration accepts by rule, host, route and name, with a reason.

use super::baseline::end_of;
use crate::rule::RuleSet;
use crate::time::Instant;
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

/// An entry as the configuration states it. What is not named may be anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowSpec {
    /// A rule's id.
    pub rule: Option<String>,
    /// The owner's host; `*` stands for any characters.
    pub host: Option<String>,
    /// A glob over the finding's route: `*` stays within a segment, `**` does not. Braces stand for themselves.
    pub route: Option<String>,
    /// The parameter's, header's or key's name.
    pub name: Option<String>,
    /// Why it is allowed.
    pub reason: String,
    /// The last day on which that counts.
    #[serde(default, deserialize_with = "date")]
    pub expires: Option<String>,
}

/// A date as text, or as TOML's own.
fn date<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expires is no date; write one as \"2026-12-31\"")]
    enum Date {
        Text(String),
        Date(toml::value::Datetime),
    }
    Ok(Some(match Date::deserialize(d)? {
        Date::Text(text) => text,
        Date::Date(date) => date.to_string(),
    }))
}

/// An entry that is ready to be asked.
#[derive(Clone, Debug)]
pub struct Allow {
    /// As it was stated.
    pub spec: AllowSpec,
    /// The rule's id of today.
    rule: Option<String>,
    host: Option<GlobMatcher>,
    route: Option<GlobMatcher>,
    end: Option<Instant>,
}

/// What of a finding entries look at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The rule's id.
    pub rule: &'a str,
    /// The owner's host.
    pub host: Option<&'a str>,
    /// The scoped route.
    pub route: Option<&'a str>,
    /// The name.
    pub name: &'a str,
}

/// Routes hold `{id}` and the like: a brace is a brace.
fn glob(text: &str) -> Result<GlobMatcher, String> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '{' | '}' => escaped.extend(['[', c, ']']),
            c => escaped.push(c),
        }
    }
    let glob = GlobBuilder::new(&escaped).literal_separator(true).build();
    glob.map(|g| g.compile_matcher())
        .map_err(|e| format!("{text:?} is no glob: {}", e.kind()))
}

impl Allow {
    /// Makes an entry ready; `rules` knows what rules are called.
    pub fn new(spec: AllowSpec, rules: &RuleSet) -> Result<Allow, String> {
        if spec.reason.trim().is_empty() {
            return Err("reason is empty: say why it is allowed".into());
        }
        if spec.rule.is_none() && spec.host.is_none() && spec.route.is_none() && spec.name.is_none() {
            return Err("it names neither rule, host, route nor name, and would allow everything".into());
        }
        let rule = match &spec.rule {
            None => None,
            Some(id) => Some(rules.by_id(id).map(|r| r.spec.id.clone()).ok_or_else(|| {
                let all = rules.rules.iter().map(|r| r.spec.id.as_str());
                format!("{id:?} is no rule{}", crate::text::nearest::hint(id, all))
            })?),
        };
        let date = |text: &String| {
            end_of(text).ok_or_else(|| format!("expires {text:?} is no date; write one as 2026-12-31"))
        };
        Ok(Allow {
            rule,
            host: spec
                .host
                .as_ref()
                .map(|h| glob(&h.to_ascii_lowercase()))
                .transpose()?,
            route: spec.route.as_ref().map(|r| glob(r)).transpose()?,
            end: spec.expires.as_ref().map(date).transpose()?,
            spec,
        })
    }

    /// Whether it is about that finding.
    pub fn covers(&self, s: &Subject) -> bool {
        let hit = |glob: &Option<GlobMatcher>, text: Option<&str>| {
            glob.as_ref().is_none_or(|g| text.is_some_and(|t| g.is_match(t)))
        };
        self.rule.as_ref().is_none_or(|r| r == s.rule)
            && self
                .spec
                .name
                .as_ref()
                .is_none_or(|n| n.eq_ignore_ascii_case(s.name))
            && hit(&self.host, s.host)
            && hit(&self.route, s.route)
    }

    /// Whether it no longer counts.
    pub fn expired(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| now >= end)
    }

    /// The entry in a line of text.
    pub fn describe(&self) -> String {
        let s = &self.spec;
        let pieces = [
            ("rule", &s.rule),
            ("host", &s.host),
            ("route", &s.route),
            ("name", &s.name),
        ];
        let told: Vec<String> = pieces
            .iter()
            .filter_map(|(key, v)| v.as_ref().map(|v| format!("{key} {v}")))
            .collect();
        crate::report::safe::label(&told.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(route: Option<&str>, host: Option<&str>, name: Option<&str>) -> Allow {
        let rules = RuleSet::new(Vec::new()).unwrap();
        let text = |t: Option<&str>| t.map(str::to_string);
        let spec = AllowSpec {
            route: text(route),
            host: text(host),
            name: text(name),
            reason: "test".into(),
            ..AllowSpec::default()
        };
        Allow::new(spec, &rules).unwrap()
    }

    #[test]
    fn entries_cover_what_they_name_and_nothing_else() {
        let subject = |route, host| Subject {
            rule: "r",
            host: Some(host),
            route: Some(route),
            name: "token",
        };
        let of = |a: &Allow, route, host| a.covers(&subject(route, host));
        let users = allow(Some("/users/{id}/*"), None, None);
        assert!(of(&users, "/users/{id}/avatar", "h") && !of(&users, "/users/id/avatar", "h"));
        assert!(!of(&users, "/users/{id}/a/b", "h") && !of(&users, "{many}", "h"));
        assert!(of(&allow(Some("/a/**"), None, None), "/a/b/c", "h"));
        let host = allow(None, Some("*.Example.gov"), Some("TOKEN"));
        assert!(of(&host, "/", "gis.example.gov") && !of(&host, "/", "example.gov.evil.net"));
        assert!(!of(&allow(None, None, Some("key")), "/", "h"));
    }

    #[test]
    fn dates_may_be_quoted_or_not() {
        let of = |expires: &str| {
            let text = format!("name = \"n\"\nreason = \"x\"\nexpires = {expires}\n");
            toml::from_str::<AllowSpec>(&text).map(|s| s.expires.unwrap())
        };
        assert_eq!(of("2027-01-01").unwrap(), "2027-01-01");
        assert_eq!(of("\"2027-01-01\"").unwrap(), "2027-01-01");
        assert!(end_of(&of("2027-01-01T12:00:00Z").unwrap()).is_some());
        assert!(of("2027").unwrap_err().to_string().contains("is no date"));
    }

    #[test]
    fn entries_need_a_reason_and_a_bound() {
        let rules = RuleSet::new(Vec::new()).unwrap();
        let new = |spec| Allow::new(spec, &rules).unwrap_err();
        let spec = AllowSpec {
            reason: "x".into(),
            ..AllowSpec::default()
        };
        assert!(new(spec.clone()).contains("allow everything"));
        let named = |f: fn(&mut AllowSpec)| {
            let mut s = spec.clone();
            s.name = Some("n".into());
            f(&mut s);
            s
        };
        assert!(new(named(|s| s.reason = " ".into())).contains("reason is empty"));
        assert!(new(named(|s| s.rule = Some("no-rule".into()))).contains("is no rule"));
        assert!(new(named(|s| s.route = Some("[".into()))).contains("no glob"));
        assert!(new(named(|s| s.expires = Some("soon".into()))).contains("no date"));
    }
}
