//! How bad an exposure is, and how sure: the one place where rule, place, value, record and clock are weighed.
//!
//! **Severity** begins with the rule's and moves by whole steps:
//!
//! | what | step |
//! | --- | --- |
//! | another party received it (Referer or parameter across registrable domains) | +1 |
//! | it stood in a Referer within one party: the same request's URL repeated | −1 |
//! | it has no expiry and is of a kind that has one (a JWT without `exp`) | +1 |
//! | it has expired by the clock, or its kind was retired | −1 |
//! | it had expired already when it was recorded | −1 more |
//! | it is tentative: the name says so, the value could be anything | −1 from `high` on |
//! | it is public by design | `low` at most |
//! | it is where credentials belong (header or body), not over `http`, and only the file leaks it | −1 |
//!
//! Nothing brings a credential in a URL or Referer under `low`, but for the rules that begin at `info` (CSRF
//! tokens, states, notices): those stay there whatever else holds.
//!
//! **Signs of abuse** raise a *finding* by one step at most, when it is finished, and only where they are `likely`:
//! what a phone on the move, a shared address or a clock that is off explains as well (`possible`) is told and
//! weighs nothing. They raise neither `info` nor what is public by design. That several clients use it says nothing
//! of API keys and webhook addresses, which programs share, nor of passwords, which people use at home and at work.
//!
//! **Confidence** is at most the rule's. A name alone is `tentative`; a value of 16 bytes or more that is no
//! word makes it `firm`, and so do a condition that the rule names (host, path, companions) and, for
//! passwords, an unmistakable name.

use super::compile::Tier;
use super::model::{Category, Confidence, Grade, RuleSpec, Severity};
use crate::detect::liveness::State;
use crate::record::Field;
use crate::text::shape;

/// Why a severity is what it is, as a set of bits; a finding keeps those of its worst exposures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basis(pub u16);

/// What can move a severity, in the order in which reports tell it.
const REASONS: &[&str] = &[
    "another party received it",
    "sent within the same site only",
    "it never expires",
    "it has expired",
    "its kind has been retired",
    "the value may not be a credential",
    "public by design",
    "sent where credentials belong; only this file exposes it",
    "sent over unencrypted http",
    "it had expired before it was recorded",
    "a sign of abuse",
];

const THIRD_PARTY: u16 = 0;
const SAME_PARTY: u16 = 1;
const NO_EXPIRY: u16 = 2;
const EXPIRED: u16 = 3;
const RETIRED: u16 = 4;
const TENTATIVE: u16 = 5;
const PUBLIC: u16 = 6;
const PROPER: u16 = 7;
const HTTP: u16 = 8;
const DEAD: u16 = 9;
const ABUSE: u16 = 10;

impl Basis {
    fn with(self, reason: u16) -> Basis {
        Basis(self.0 | 1 << reason)
    }

    /// Both sets.
    pub fn union(self, other: Basis) -> Basis {
        Basis(self.0 | other.0)
    }

    /// In words.
    pub fn texts(self) -> Vec<&'static str> {
        REASONS
            .iter()
            .enumerate()
            .filter(|(i, _)| self.0 & (1 << i) != 0)
            .map(|(_, t)| *t)
            .collect()
    }
}

/// What is known of an exposure beside its rule.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Where it stood.
    pub field: Field,
    /// Another party received it.
    pub third_party: bool,
    /// It went to the party it belongs to, in a Referer.
    pub same_party: bool,
    /// Over `http`.
    pub unencrypted: bool,
    /// Whether it lives.
    pub liveness: State,
    /// Whether it had expired when it was recorded.
    pub dead: bool,
    /// How sure it is.
    pub confidence: Confidence,
}

/// The severity of one exposure and what moved it.
pub fn severity(rule: &RuleSpec, c: &Circumstances) -> (Severity, Basis) {
    let base = rule.severity;
    let mut basis = Basis::default();
    if c.unencrypted {
        basis = basis.with(HTTP);
    }
    if base == Severity::Info {
        return (base, basis);
    }
    let mut severity = base;
    if c.third_party {
        severity = severity.raised();
        basis = basis.with(THIRD_PARTY);
    } else if c.same_party {
        severity = severity.lowered();
        basis = basis.with(SAME_PARTY);
    }
    match c.liveness {
        State::NoExpiry => {
            severity = severity.raised();
            basis = basis.with(NO_EXPIRY);
        }
        State::Expired => {
            severity = severity.lowered();
            basis = basis.with(EXPIRED);
            if c.dead {
                severity = severity.lowered();
                basis = basis.with(DEAD);
            }
        }
        State::Retired => {
            severity = severity.lowered();
            basis = basis.with(RETIRED);
        }
        State::Unexpired | State::Unknown => {}
    }
    if c.confidence == Confidence::Tentative {
        basis = basis.with(TENTATIVE);
        if severity >= Severity::High {
            severity = severity.lowered();
        }
    }
    let inside = matches!(
        c.field,
        Field::RequestHeader
            | Field::RequestBody
            | Field::ResponseHeader
            | Field::ResponseBody
            | Field::Cookie
    );
    // Over http everybody on the way read it, wherever it stood.
    let proper = inside && !c.unencrypted;
    if proper {
        severity = severity.lowered();
        basis = basis.with(PROPER);
    }
    if rule.grade == Grade::Public {
        severity = severity.min(Severity::Low);
        basis = basis.with(PUBLIC);
    }
    (severity.max(Severity::Low), basis)
}

crate::record::words! {
    /// What speaks for abuse, or for a weakness that was made use of.
    SignKind {
        /// One credential, several clients or unlike programs.
        SeveralClients = "several-clients",
        /// Used by somebody new after another party had received it.
        Replayed = "replayed",
        /// Fetched by link previews, mail gateways or search engines.
        Crawled = "crawled",
        /// Accepted after its end.
        UsedAfterExpiry = "used-after-expiry",
        /// Many values for one user.
        Guessed = "guessed",
        /// One value for many users.
        Sprayed = "sprayed",
        /// A session that was not renewed by the sign-in.
        SessionFixation = "session-fixation",
    }
}

crate::record::words! {
    /// How sure a sign is.
    Sure {
        /// Something harmless explains it as well.
        Possible = "possible",
        /// Nothing harmless explains it as well.
        Likely = "likely",
    }
}

/// Whether a sign raises the severity of its finding.
pub fn weighs(kind: SignKind, sure: Sure, rule: &RuleSpec) -> bool {
    let shared = matches!(
        rule.category,
        Category::ApiKey | Category::Webhook | Category::Password | Category::PersonalData
    );
    sure == Sure::Likely && !(kind == SignKind::SeveralClients && shared)
}

/// A finding's severity and its reasons where signs of abuse weigh.
pub fn raised_by_signs(rule: &RuleSpec, severity: Severity, basis: Basis) -> (Severity, Basis) {
    if severity == Severity::Info || rule.grade == Grade::Public {
        return (severity, basis);
    }
    (severity.raised(), basis.with(ABUSE))
}

/// Length from which a value that is no word is taken for a credential on the strength of its name, in bytes.
const STRONG_LENGTH: usize = 16;

/// How sure one exposure is.
pub fn confidence(rule: &RuleSpec, tier: Tier, value: &[u8]) -> Confidence {
    let strong = value.len() >= STRONG_LENGTH && !shape::is_wordy(value) && shape::entropy(value) >= 2.8;
    match tier {
        Tier::Checked | Tier::Shape | Tier::Text => rule.confidence,
        Tier::SiteName if rule.confidence > Confidence::Tentative => rule.confidence,
        Tier::Name if rule.category == Category::Password => rule.confidence.min(Confidence::Firm),
        _ if strong => Confidence::Firm,
        _ => Confidence::Tentative,
    }
}
