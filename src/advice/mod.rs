//! Remedies: advice is data (`rules/advice/`), chosen by the rule and by the finding's place, with the
//! finding's own names filled in.

use crate::record::{Field, Part, Surface};
use crate::rule::{Category, RuleSpec};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

crate::record::words! {
    /// What kind of step it is; steps are taken in this order.
    Step {
        /// Make the credential worthless.
        Revoke = "revoke",
        /// Stop the leak where it arises.
        Source = "source",
        /// Remove the copies.
        Purge = "purge",
        /// Keep it out of logs.
        Mask = "mask",
        /// Rules for browsers and people.
        Policy = "policy",
    }
}

/// When advice is added though no rule names it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct When {
    servers: Vec<String>,
    surfaces: Vec<Surface>,
    fields: Vec<Field>,
    categories: Vec<Category>,
    rules: Vec<String>,
    /// Whether the credential is another site's that has come here as a Referer: then it is not ours to stop.
    foreign: Option<bool>,
}

/// Advice as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advice {
    id: Arc<str>,
    kind: Step,
    title: Arc<str>,
    text: Arc<str>,
    #[serde(default)]
    snippet: Option<Arc<str>>,
    #[serde(default)]
    when: Option<When>,
    /// Whether it is about credentials in URLs: nothing for those that are sent where they belong.
    #[serde(default)]
    in_url: bool,
}

/// Advice as a finding gets it.
#[derive(Clone, Debug, Serialize)]
pub struct Given {
    /// Its id.
    pub id: Arc<str>,
    /// Kind of step.
    pub kind: Step,
    /// One line.
    pub title: Arc<str>,
    /// What to do.
    pub text: Arc<str>,
    /// What to paste.
    pub snippet: Option<Arc<str>>,
}

/// All advice.
#[derive(Debug, Default)]
pub struct Book(Vec<Advice>);

/// What advice is chosen and filled in by.
pub struct Case<'a> {
    /// The finding's rule.
    pub rule: &'a RuleSpec,
    /// Kind of source.
    pub surface: Surface,
    /// Which piece of the record.
    pub field: Field,
    /// Where in it.
    pub part: Part,
    /// The innermost name.
    pub name: &'a str,
    /// The owner's host.
    pub host: Option<&'a str>,
    /// The scoped route.
    pub route: Option<&'a str>,
    /// Programs that write such logs, the likeliest first.
    pub servers: &'a [String],
    /// Whether somebody else than the owner's party received it.
    pub received: bool,
    /// A sentence on the Referrer-Policy that the owner's pages were seen with; empty where none was seen.
    pub policy: &'a str,
}

impl Case<'_> {
    /// Whether it stands in our log because another site's page passed it on.
    fn is_foreign(&self) -> bool {
        let log = matches!(self.surface, Surface::ServerLog | Surface::ProxyLog);
        log && self.field == Field::Referer && self.received
    }

    /// Whether the credential stands in a URL, be it in one that is a value.
    fn in_url(&self) -> bool {
        matches!(
            self.part,
            Part::Query | Part::Fragment | Part::Path | Part::Userinfo
        ) || !matches!(
            self.field,
            Field::RequestHeader
                | Field::RequestBody
                | Field::ResponseHeader
                | Field::ResponseBody
                | Field::Cookie
        )
    }
}

impl Book {
    /// The advice that the program carries; the error names what is wrong with the file.
    pub fn builtin() -> Result<Book, serde_json::Error> {
        Ok(Book(serde_json::from_str(include_str!(concat!(
            env!("OUT_DIR"),
            "/advice.json"
        )))?))
    }

    /// Whether there is advice of that id.
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|a| *a.id == *id)
    }

    /// Title and text of advice, as it stands.
    pub fn plain(&self, id: &str) -> Option<(&str, &str)> {
        self.0
            .iter()
            .find(|a| *a.id == *id)
            .map(|a| (&*a.title, &*a.text))
    }

    /// The steps for a finding, in the order in which to take them.
    pub fn advise(&self, case: &Case) -> Vec<Given> {
        let named = case
            .rule
            .advice
            .iter()
            .filter_map(|id| self.0.iter().find(|a| *a.id == **id));
        let placed = self.0.iter().filter(|a| {
            !case.rule.advice.iter().any(|id| **id == *a.id)
                && a.when.as_ref().is_some_and(|w| applies(w, case))
        });
        let in_url = case.in_url();
        let mut all: Vec<&Advice> = named.chain(placed).filter(|a| in_url || !a.in_url).collect();
        all.sort_by_key(|a| a.kind); // stable: the rule's own order stays within a step
        all.into_iter()
            .map(|a| Given {
                id: a.id.clone(),
                kind: a.kind,
                title: fill(&a.title, case),
                text: fill(&a.text, case),
                snippet: a.snippet.as_ref().map(|s| fill(s, case)),
            })
            .collect()
    }
}

fn applies(when: &When, case: &Case) -> bool {
    // Notices and CSRF tokens are no leaks: what masks logs would be noise on them.
    let leak = !matches!(case.rule.category, Category::Notice | Category::AntiForgery);
    (leak || when.categories.contains(&case.rule.category) || when.rules.contains(&case.rule.id))
        && (when.servers.is_empty() || when.servers.iter().any(|s| case.servers.contains(s)))
        && (when.surfaces.is_empty() || when.surfaces.contains(&case.surface))
        && (when.fields.is_empty() || when.fields.contains(&case.field))
        && (when.categories.is_empty() || when.categories.contains(&case.rule.category))
        && (when.rules.is_empty() || when.rules.contains(&case.rule.id))
        && when.foreign.is_none_or(|foreign| foreign == case.is_foreign())
}

/// Fills the placeholders. A value that a shell or a config file could misread is not filled in: logs are
/// attacker-written, and snippets are pasted.
fn fill(text: &Arc<str>, case: &Case) -> Arc<str> {
    if !text.contains('{') {
        return text.clone();
    }
    let plain = |s: &str| {
        !s.is_empty()
            && s.len() <= 200
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._:-[]~".contains(c))
    };
    let route_ok = |s: &str| {
        s.len() <= 200
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._:-/{}~".contains(c))
    };
    let value = |placeholder: &str| match placeholder {
        "name" => Some(Some(case.name).filter(|s| plain(s)).unwrap_or("NAME")),
        "host" => Some(case.host.filter(|s| plain(s)).unwrap_or("HOST")),
        "route" => Some(case.route.filter(|s| route_ok(s)).unwrap_or("PATH")),
        "field" => Some(case.field.as_str()),
        "policy" => Some(case.policy),
        "server" => {
            let first = case.servers.first().map(String::as_str);
            Some(first.filter(|s| plain(s)).unwrap_or("server"))
        }
        _ => None,
    };
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = &**text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let close = from.find('}').unwrap_or_default();
        match from.get(1..close).and_then(value) {
            Some(value) => {
                out.push_str(value);
                rest = &from[close + 1..];
            }
            None => {
                out.push('{');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule;

    #[test]
    fn every_rule_has_advice_that_exists() {
        let book = Book::builtin().unwrap();
        for rule in rule::builtin().unwrap() {
            assert!(
                !rule.advice.is_empty() || rule.severity == rule::Severity::Info,
                "{} has no advice",
                rule.id
            );
            for id in &rule.advice {
                assert!(
                    book.has(id),
                    "{} names advice {id}, which does not exist",
                    rule.id
                );
            }
        }
    }

    #[test]
    fn a_finding_gets_its_servers_snippet_with_its_own_names() {
        let rules = rule::builtin().unwrap();
        let rule = rules.iter().find(|r| r.id == "arcgis-token").unwrap();
        let servers = ["nginx".to_string()];
        let case = Case {
            rule,
            surface: Surface::ServerLog,
            field: Field::Url,
            part: Part::Query,
            policy: "",
            received: false,
            name: "token",
            host: Some("gis.example.gov"),
            route: None,
            servers: &servers,
        };
        let given = Book::builtin().unwrap().advise(&case);
        assert!(given.iter().any(|g| &*g.id == "mask-nginx") && !given.iter().any(|g| &*g.id == "mask-iis"));
        assert!(given.iter().any(|g| {
            g.snippet
                .as_deref()
                .is_some_and(|s| s.contains("X-Esri-Authorization") && s.contains("gis.example.gov"))
        }));
        assert!(given.is_sorted_by_key(|g| g.kind));
        let hostile = Case {
            host: Some("$(reboot)"),
            ..case
        };
        assert!(
            Book::builtin()
                .unwrap()
                .advise(&hostile)
                .iter()
                .all(|g| !g.text.contains("reboot")
                    && !g.snippet.as_deref().unwrap_or_default().contains("reboot"))
        );
    }
}
