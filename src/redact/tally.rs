//! How a copy went: what was replaced in it, or why there is none.

use std::collections::BTreeMap;
use std::io;

/// Why a copy cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A credential was left in a line, counted from 1.
    #[error("line {0} still holds a credential after it was rewritten")]
    Left(u64),
    /// Where it was found, and what it is.
    #[error("{0}")]
    Refused(String),
    /// The input could not be read.
    #[error("could not be read to its end: {0}")]
    Read(io::Error),
    /// The copy could not be written.
    #[error("the copy could not be written: {0}")]
    Write(io::Error),
}

impl Trouble {
    /// The same, said of a member of an archive.
    pub fn of(self, name: &str) -> Trouble {
        match self {
            Trouble::Left(line) => Trouble::Refused(format!("{name}: line {line} still holds a credential")),
            other => other,
        }
    }
}

/// What was replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Exposures, by rule.
    pub rules: BTreeMap<String, u64>,
    /// Other places where a removed credential stood.
    pub others: u64,
    /// Lines of a stream that were withheld.
    pub withheld: u64,
    /// Values that were dropped unread, by what they were.
    pub dropped: u64,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: Tally) {
        for (rule, n) in other.rules {
            *self.rules.entry(rule).or_default() += n;
        }
        self.others += other.others;
        self.withheld += other.withheld;
        self.dropped += other.dropped;
    }

    /// Places that were changed.
    pub fn total(&self) -> u64 {
        self.rules.values().sum::<u64>() + self.others + self.withheld + self.dropped
    }
}
