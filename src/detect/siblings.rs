//! What stands beside a value: the other parameters of its list, the other members of its object. Rules ask for them
//! by name.

use super::name::fold;
use crate::text::{Coding, Text, json};
use crate::url::Params;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// What stands beside a value.
#[derive(Clone, Copy)]
pub(super) enum Siblings<'s> {
    None,
    Params {
        text: Text<'s>,
        cookie: bool,
        group: u32,
    },
    Members {
        all: &'s [json::Member<'s>],
        object: usize,
        group: u32,
    },
}

impl Siblings<'_> {
    pub(super) fn group(&self) -> u32 {
        match self {
            Siblings::None => 0,
            Siblings::Params { group, .. } | Siblings::Members { group, .. } => *group,
        }
    }

    /// What tells these siblings from those of other texts of the record, and which of them are meant.
    fn list(&self) -> (u32, usize) {
        match self {
            Siblings::None => (0, 0),
            Siblings::Params { group, .. } => (*group, 0),
            Siblings::Members { group, object, .. } => (group - *object as u32, *object),
        }
    }
}

/// The siblings in a record, by name: each list is walked once, however many values ask.
#[derive(Default)]
pub(super) struct Companions {
    lists: HashSet<u32>,
    /// List, object and the name's hash, which nobody who writes logs can foresee; where the value stands in `bytes`.
    values: HashMap<(u32, usize, u64), Range<usize>>,
    bytes: Vec<u8>,
    hasher: RandomState,
}

impl Companions {
    /// Forgets the record.
    pub(super) fn clear(&mut self) {
        self.lists.clear();
        self.values.clear();
        self.bytes.clear();
    }

    /// The value of the first of that folded name beside the value at hand, decoded.
    pub(super) fn get(&mut self, siblings: Siblings, name: &str) -> Option<&[u8]> {
        let (list, object) = siblings.list();
        if self.lists.insert(list) {
            self.read(siblings, list);
        }
        let key = (list, object, self.hasher.hash_one(name));
        self.values.get(&key).map(|range| &self.bytes[range.clone()])
    }

    fn read(&mut self, siblings: Siblings, list: u32) {
        let mut add = |object: usize, name: &[u8], value: Text, coding: Coding| {
            let key = (list, object, self.hasher.hash_one(fold(name).folded()));
            if let Entry::Vacant(free) = self.values.entry(key) {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(&coding.decode(value.bytes()));
                free.insert(from..self.bytes.len());
            }
        };
        match siblings {
            Siblings::None => {}
            Siblings::Params { text, cookie, .. } => {
                let params = if cookie {
                    Params::cookies(text)
                } else {
                    Params::new(text)
                };
                params.for_each(|p| add(0, p.name.bytes(), p.value, Coding::Percent));
            }
            Siblings::Members { all, .. } => all
                .iter()
                .for_each(|m| add(m.object, m.key().as_bytes(), m.value, Coding::Json)),
        }
    }
}
