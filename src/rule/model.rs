//! A rule as its file states it. Every key of `rules/*.toml` is a field here and is documented here.

use crate::record::{Field, Part, Surface, words};
use crate::url::route::Scope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// How bad a finding is.
    Severity {
        /// Worth knowing, no leak.
        Info = "info",
        /// A leak with little behind it.
        Low = "low",
        /// A leak to be fixed in the ordinary course.
        Medium = "medium",
        /// A leak to be fixed now.
        High = "high",
        /// Whoever reads it owns the place.
        Critical = "critical",
    }
}

impl Severity {
    /// One step worse.
    pub fn raised(self) -> Severity {
        Severity::ALL[(self as usize + 1).min(Severity::ALL.len() - 1)]
    }

    /// One step better.
    pub fn lowered(self) -> Severity {
        Severity::ALL[(self as usize).saturating_sub(1)]
    }
}

words! {
    /// How sure a finding is.
    Confidence {
        /// The name says so, the value could be anything.
        Tentative = "tentative",
        /// Name and value, or name and context, say so.
        Firm = "firm",
        /// A checksum or a structure says so that nothing else has.
        Certain = "certain",
    }
}

words! {
    /// What kind of credential it is.
    Category {
        /// A password: never previewed.
        Password = "password",
        /// An access token.
        Token = "token",
        /// A key that belongs to a program or account.
        ApiKey = "api-key",
        /// A secret that proves who an application is.
        Secret = "secret",
        /// A session's id.
        Session = "session",
        /// A code or ticket of a login protocol.
        LoginFlow = "login-flow",
        /// A URL that is itself the permission.
        SignedUrl = "signed-url",
        /// A link that works for whoever has it, once or for some time.
        Link = "link",
        /// A webhook or bot address.
        Webhook = "webhook",
        /// CSRF tokens, states, nonces.
        AntiForgery = "anti-forgery",
        /// Configuration that makes leaks worse, or a scanner's trace.
        Notice = "notice",
        /// Personal data.
        PersonalData = "personal-data",
    }
}

/// Whether a credential is meant to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// No.
    #[default]
    Secret,
    /// Yes, if it is restricted: browser keys of maps and the like. Never above `low`.
    Public,
}

/// A value's shape that stands for itself, whatever its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Regular expression, searched in values, path segments and text. The group `secret`, else the whole match,
    /// is the credential. Letters, digits, `_` and `-` may not touch it on either side (`loose` lifts that). In a path
    /// the next `/` ends it, unless the expression asks for a `/` outright.
    pub regex: String,
    /// Whether characters of a word may touch the match.
    #[serde(default)]
    pub loose: bool,
}

/// Where a rule holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// Methods of the request.
    pub methods: Vec<String>,
    /// Regular expression that the owner's host has to match.
    pub host: Option<String>,
    /// Regular expression that the owner's path has to match.
    pub path: Option<String>,
    /// Regular expression that the owner's path must not match.
    pub not_path: Option<String>,
    /// Fields that the rule looks at; all where empty.
    pub fields: Vec<Field>,
    /// Parts that the rule looks at; all where empty.
    pub parts: Vec<Part>,
    /// Surfaces that the rule looks at; all where empty.
    pub surfaces: Vec<Surface>,
    /// Parameters that have to stand beside it: folded name to a regular expression for the value ("" = any).
    pub with: BTreeMap<String, String>,
    /// Of these one at least has to stand beside it.
    pub with_any: Vec<String>,
    /// Parameters that must not stand beside it.
    pub without: Vec<String>,
}

/// A rule. At least one of `names`, `shape` and `path` is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Kebab case, stable.
    pub id: String,
    /// One line, as a heading.
    pub title: String,
    /// The file it stands in, without suffix.
    #[serde(default)]
    pub family: String,
    /// Tells it from every other rule and every other version of it; made where it is loaded, whatever a file says.
    #[serde(default, skip_serializing)]
    pub digest: String,
    /// Kind of credential.
    pub category: Category,
    /// Severity before place, liveness and signs are considered (see [`super::severity`]).
    pub severity: Severity,
    /// The most that a match can be sure of.
    pub confidence: Confidence,
    /// How findings are grouped.
    #[serde(default)]
    pub scope: Scope,
    /// Whether it is public by design.
    #[serde(default)]
    pub grade: Grade,
    /// Off unless asked for by family.
    #[serde(default)]
    pub off: bool,

    /// Names of parameters, keys, headers and cookies, folded: lower case, `-` and `.` as `_`, innermost only.
    #[serde(default)]
    pub names: Vec<String>,
    /// A value's shape.
    #[serde(default)]
    pub shape: Option<Shape>,
    /// Regular expression over a URL's path; the group `secret` is the credential.
    #[serde(default)]
    pub path: Option<String>,
    /// Literals of which one has to stand in the raw line: as they are, in lower case or capitalised
    /// (`exact_case`: only as they are). Needed by `shape` and `path`, and what makes them cheap.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Whether keywords count only in the case in which they are written.
    #[serde(default)]
    pub exact_case: bool,
    /// How many letters or digits follow a keyword wherever the shape stands. Where a keyword begins common words, too
    /// (`/pat` of `/path`), lines that have nothing but those are not read for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword_runs_on: Option<u8>,

    /// Regular expression that the whole decoded value has to match.
    #[serde(default)]
    pub value: Option<String>,
    /// Regular expressions that the decoded value must not match.
    #[serde(default)]
    pub not_values: Vec<String>,
    /// Least length of the decoded value in bytes (default 1).
    #[serde(default)]
    pub min_length: Option<usize>,
    /// Greatest length of the decoded value in bytes.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// Least entropy in bits for each byte.
    #[serde(default)]
    pub min_entropy: Option<f64>,
    /// A check that the value has to pass (see [`super::checksum`]).
    #[serde(default)]
    pub checksum: Option<super::checksum::Checksum>,
    /// Where it holds.
    #[serde(default)]
    pub when: When,
    /// Parameters beside it that belong to the same credential and are not reported themselves.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// How its expiry is read (see [`crate::detect::liveness`]).
    #[serde(default)]
    pub liveness: Option<crate::detect::liveness::Basis>,

    /// Why it matters, in two sentences.
    pub why: String,
    /// Ids of advice, in order.
    pub advice: Vec<String>,
    /// CWE, RFC, ASVS and vendors' pages.
    pub references: Vec<String>,
    /// The version that brought it.
    pub since: String,
    /// Older ids.
    #[serde(default)]
    pub formerly: Vec<String>,
    /// URLs or lines that it has to find (see [`super::example`]).
    #[serde(default)]
    pub examples: Vec<String>,
    /// URLs or lines in which it must find nothing.
    #[serde(default)]
    pub counter_examples: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_move_by_one_step_and_stop_at_the_ends() {
        assert_eq!(Severity::High.raised(), Severity::Critical);
        assert_eq!(Severity::Critical.raised(), Severity::Critical);
        assert_eq!(Severity::Info.lowered(), Severity::Info);
        assert_eq!(Severity::Low.lowered(), Severity::Info);
    }
}
