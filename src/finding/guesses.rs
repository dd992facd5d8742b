//! Whose passwords were tried: for each user, and for each client where no user is named, how many different
//! values were sent and what came of them. Of tokens and the like, those that a client was refused.

use super::evidence::Sighting;
use super::kept::Join;
use super::limits;
use super::model::{Ids, earlier, trim};
use super::sketch::Sketch;
use super::trail::{Span, note};
use crate::detect::Exposure;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Whose guess an exposure may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// A password for the user of that name.
    User,
    /// A client's password for nobody in particular.
    Client,
    /// A client's token that was refused.
    Token,
}

/// The passwords sent for one user of one site, or by one network; or the tokens that one network was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Guesses {
    /// Whose the values were said to be.
    pub who: Who,
    /// Hashes of the values.
    pub values: Sketch,
    /// How often.
    pub count: u64,
    /// How often the server refused with 400, 401, 403, 429 or ArcGIS' 498.
    pub refused: u64,
    /// When.
    pub span: Span,
    /// The last refusal.
    pub last_refused: Option<Instant>,
    /// The last answer that was no refusal.
    pub last_passed: Option<Instant>,
    /// Some of the clients as `--clients` says.
    pub clients: BTreeSet<Box<str>>,
    /// Ids of the findings at each level of folding.
    pub findings: BTreeSet<Ids>,
}

impl Guesses {
    /// Nothing sent yet.
    pub(super) fn new(who: Who) -> Guesses {
        Guesses {
            who,
            values: Sketch::default(),
            count: 0,
            refused: 0,
            span: Span::default(),
            last_refused: None,
            last_passed: None,
            clients: BTreeSet::new(),
            findings: BTreeSet::new(),
        }
    }

    /// Counts one.
    pub(super) fn add(&mut self, e: &Exposure, at: &Sighting, ids: Ids) {
        self.values.insert(e.fingerprint.0, limits::K_CREDENTIAL);
        self.count += 1;
        self.span.add(e.time);
        if matches!(at.status, Some(400 | 401 | 403 | 429 | 498)) {
            self.refused += 1;
            self.last_refused = self.last_refused.max(e.time);
        } else if matches!(at.status, Some(200..=399)) {
            self.last_passed = self.last_passed.max(e.time);
        }
        if let Some(client) = at.client {
            note(&mut self.clients, &client.label);
        }
        if !self.findings.contains(&ids) {
            self.findings.insert(ids);
            trim(&mut self.findings, limits::LIST);
        }
    }
}

impl Join for Guesses {
    fn join(&mut self, other: Guesses) {
        self.values.merge(&other.values, limits::K_CREDENTIAL);
        self.count += other.count;
        self.refused += other.refused;
        self.span.first = earlier(self.span.first, other.span.first);
        self.span.last = self.span.last.max(other.span.last);
        self.last_refused = self.last_refused.max(other.last_refused);
        self.last_passed = self.last_passed.max(other.last_passed);
        self.clients.extend(other.clients);
        trim(&mut self.clients, limits::LABELS);
        self.findings.extend(other.findings);
        trim(&mut self.findings, limits::LIST);
    }
}
