//! A map in bounded memory, by keyed hashes: the entries with the smallest keys are kept. What is kept depends on
//! the keys alone, so that joining parts in any order gives the same map with the same values.

use super::limits;
use crate::secret::Fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A value that takes in another one of the same key; commutative and associative.
pub(super) trait Join {
    /// Adds what another counted.
    fn join(&mut self, other: Self);
}

/// The map. `LIMIT` entries are kept.
#[derive(Clone, Debug)]
pub(super) struct Kept<T, const LIMIT: usize> {
    map: HashMap<u64, T>,
    /// Keys above it are not kept.
    threshold: Option<u64>,
}

/// The same as bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wire<T> {
    entries: Vec<(Fingerprint, T)>,
    threshold: Option<Fingerprint>,
}

impl<T> Wire<T> {
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, value)| value)
    }
}

impl<T, const LIMIT: usize> Default for Kept<T, LIMIT> {
    fn default() -> Self {
        Kept {
            map: HashMap::new(),
            threshold: None,
        }
    }
}

impl<T: Join, const LIMIT: usize> Kept<T, LIMIT> {
    /// Entries at which what is beyond the bound is dropped: memory against time.
    const FULL: usize = LIMIT + LIMIT.div_ceil(4);

    /// Changes the entry of `key`, which `new` makes where there is none; nothing where it would not be kept.
    pub fn update(&mut self, key: u64, new: impl FnOnce() -> T, change: impl FnOnce(&mut T)) {
        if self.threshold.is_some_and(|t| key > t) {
            return;
        }
        change(self.map.entry(key).or_insert_with(new));
        if self.map.len() >= Self::FULL {
            self.trim();
        }
    }

    /// Drops what is beyond the bound.
    pub fn trim(&mut self) {
        if let Some(t) = self.threshold {
            self.map.retain(|&key, _| key <= t);
        }
        if self.map.len() > LIMIT {
            let mut all: Vec<u64> = self.map.keys().copied().collect();
            let (_, &mut last, _) = all.select_nth_unstable(LIMIT - 1);
            self.map.retain(|&key, _| key <= last);
            self.threshold = Some(last);
        }
    }

    /// Joins another map to this one; call [`Kept::trim`] before reading. What that costs depends on the smaller one.
    pub fn merge(&mut self, mut other: Self) {
        let threshold = match (self.threshold, other.threshold) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if other.map.len() > self.map.len() {
            std::mem::swap(self, &mut other);
        }
        self.threshold = threshold;
        for (key, value) in other.map {
            if threshold.is_some_and(|t| key > t) {
                continue;
            }
            match self.map.entry(key) {
                Entry::Occupied(mut e) => e.get_mut().join(value),
                Entry::Vacant(v) => {
                    v.insert(value);
                }
            }
        }
        if self.map.len() >= Self::FULL {
            self.trim();
        }
    }

    /// The entry of `key`.
    pub fn get(&self, key: u64) -> Option<&T> {
        self.map.get(&key)
    }

    /// The entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Fingerprint, &T)> {
        self.map.iter().map(|(k, v)| (Fingerprint(*k), v))
    }

    /// The values, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.map.values_mut()
    }

    /// As bytes; equal maps have equal ones.
    pub fn into_wire(self) -> Wire<T> {
        let mut entries: Vec<_> = self.map.into_iter().map(|(k, v)| (Fingerprint(k), v)).collect();
        entries.sort_by_key(|e| e.0);
        Wire {
            entries,
            threshold: self.threshold.map(Fingerprint),
        }
    }

    /// From bytes.
    pub fn from_wire(wire: Wire<T>) -> Self {
        Kept {
            map: wire.entries.into_iter().map(|(k, v)| (k.0, v)).collect(),
            threshold: wire.threshold.map(|t| t.0),
        }
    }
}

/// The run's credentials.
pub(super) type Credentials = Kept<super::model::Credential, { limits::K_RUN }>;
/// What pages say of their Referrer-Policy, by host.
pub(super) type Hosts = Kept<super::policies::Policies, { limits::HOSTS }>;
/// Those whose passwords were seen: users, and clients where no user is named.
pub(super) type Attempts = Kept<super::guesses::Guesses, { limits::K_USERS }>;
