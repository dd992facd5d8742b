//! Remedies: advice is data (`rules/advice/`), chosen by the rule and by the finding's place, with the
//! finding's own names filled in.

use crate::record::{Field, Surface};
use crate::rule::{Category, RuleSpec};
use serde::{Deserialize, Serialize};

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
}

/// Advice as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advice {
    id: String,
    kind: Step,
    title: String,
    text: String,
    #[serde(default)]
    snippet: Option<String>,
    #[serde(default)]
    when: Option<When>,
}

/// Advice as a finding gets it.
#[derive(Clone, Debug, Serialize)]
pub struct Given {
    /// Its id.
    pub id: String,
    /// Kind of step.
    pub kind: Step,
    /// One line.
    pub title: String,
    /// What to do.
    pub text: String,
    /// What to paste.
    pub snippet: Option<String>,
}

/// All advice.
#[derive(Debug)]
pub struct Book(Vec<Advice>);

/// What advice is chosen and filled in by.
pub struct Case<'a> {
    /// The finding's rule.
    pub rule: &'a RuleSpec,
    /// Kind of source.
    pub surface: Surface,
    /// Which piece of the record.
    pub field: Field,
    /// The innermost name.
    pub name: &'a str,
    /// The owner's host.
    pub host: Option<&'a str>,
    /// The scoped route.
    pub route: Option<&'a str>,
    /// Programs that write such logs, the likeliest first.
    pub servers: &'a [String],
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
        self.0.iter().any(|a| a.id == id)
    }

    /// Title and text of advice, as it stands.
    pub fn plain(&self, id: &str) -> Option<(&str, &str)> {
        self.0
            .iter()
            .find(|a| a.id == id)
            .map(|a| (a.title.as_str(), a.text.as_str()))
    }

    /// The steps for a finding, in the order in which to take them.
    pub fn advise(&self, case: &Case) -> Vec<Given> {
        let named = case
            .rule
            .advice
            .iter()
            .filter_map(|id| self.0.iter().find(|a| a.id == *id));
        let placed = self.0.iter().filter(|a| {
            !case.rule.advice.contains(&a.id) && a.when.as_ref().is_some_and(|w| applies(w, case))
        });
        let mut all: Vec<&Advice> = named.chain(placed).collect();
        all.sort_by_key(|a| a.kind); // stable: the rule's own order stays within a step
        all.into_iter()
            .map(|a| Given {
                id: a.id.clone(),
                kind: a.kind,
                title: fill(&a.title, case),
                text: fill(&a.text, case),
                snippet: a.snippet.as_deref().map(|s| fill(s, case)),
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
}

/// Fills the placeholders. A value that a shell or a config file could misread is not filled in: logs are
/// attacker-written, and snippets are pasted.
fn fill(text: &str, case: &Case) -> String {
    if !text.contains('{') {
        return text.to_string();
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
    let or = |s: Option<&str>, default: &str, ok: &dyn Fn(&str) -> bool| {
        s.filter(|s| ok(s)).unwrap_or(default).to_string()
    };
    text.replace("{name}", &or(Some(case.name), "NAME", &plain))
        .replace("{host}", &or(case.host, "HOST", &plain))
        .replace("{route}", &or(case.route, "PATH", &route_ok))
        .replace("{field}", case.field.as_str())
        .replace(
            "{server}",
            &or(case.servers.first().map(String::as_str), "server", &plain),
        )
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
            name: "token",
            host: Some("gis.example.gov"),
            route: None,
            servers: &servers,
        };
        let given = Book::builtin().unwrap().advise(&case);
        assert!(given.iter().any(|g| g.id == "mask-nginx") && !given.iter().any(|g| g.id == "mask-iis"));
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
