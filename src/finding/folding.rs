//! How far findings are folded where there are too many: by rule and name, by rule, or all of them. What is
//! folded in the end depends on the set of findings alone: every count here only grows as findings are added,
//! and is the same for a union whatever the order of its parts.

use super::key::{FindingKey, Level};
use super::limits;
use super::model::Ids;
use super::sketch::Sketch;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Findings under one rule and name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Group {
    level: Level,
    /// Distinct keys at the present level.
    keys: usize,
}

impl Group {
    /// Folds further where there are too many keys; true where it did.
    fn overflow(&mut self) -> bool {
        let over = self.keys > limits::GROUP && self.level < Level::Hosts;
        if over {
            self.level = next(self.level);
        }
        over
    }
}

fn next(level: Level) -> Level {
    match level {
        Level::Exact => Level::Routes,
        _ => Level::Hosts,
    }
}

/// What is folded.
#[derive(Clone, Debug, Default)]
pub(super) struct Folding {
    groups: HashMap<(u16, Box<str>), Group>,
    /// Names of each rule that is not folded.
    names: HashMap<u16, HashSet<Box<str>>>,
    /// Rules whose names are folded.
    rules: BTreeSet<u16>,
    /// The level of everything.
    floor: Level,
    /// Ids of findings before any folding, and with their routes folded.
    exact: Sketch,
    routes: Sketch,
    /// What `exact` counted last.
    distinct: usize,
    /// Ids since.
    uncounted: usize,
    /// Whether anything is folded.
    any: bool,
}

/// The same as bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wire {
    groups: Vec<(u16, Box<str>, Group)>,
    names: BTreeMap<u16, BTreeSet<Box<str>>>,
    rules: BTreeSet<u16>,
    floor: Level,
    exact: Sketch,
    routes: Sketch,
}

/// After how many new ids they are counted again.
const COUNT_EVERY: usize = 512;

impl Folding {
    /// Findings before any folding, as they were counted last.
    pub fn distinct(&self) -> usize {
        self.distinct
    }

    /// How far a key is folded.
    pub fn level(&self, key: &FindingKey) -> Level {
        if self.rules.contains(&key.rule) {
            return Level::Names;
        }
        if !self.any {
            return Level::Exact;
        }
        self.groups
            .get(&(key.rule, key.name.clone()))
            .map_or(self.floor, |g| g.level.max(self.floor))
    }

    /// Takes note of an exact finding's ids.
    pub fn note(&mut self, ids: &Ids) {
        self.exact.insert(ids[Level::Exact as usize], limits::K_TOTAL);
        self.routes.insert(ids[Level::Routes as usize], limits::K_TOTAL);
        self.uncounted += 1;
    }

    /// Takes note of a key that is new among the findings as they are folded now; true where something has to be
    /// folded because of it.
    pub fn add(&mut self, key: &FindingKey) -> bool {
        let mut due = false;
        if !self.rules.contains(&key.rule) {
            let names = self.names.entry(key.rule).or_default();
            if !names.contains(&key.name) {
                names.insert(key.name.clone());
                due |= self.fold_rules();
            }
            let floor = self.floor;
            let group = self.groups.entry((key.rule, key.name.clone())).or_default();
            group.level = group.level.max(floor);
            group.keys += 1;
            due |= group.overflow();
        }
        if self.uncounted >= COUNT_EVERY.min(limits::TOTAL) {
            due |= self.fold_all();
        }
        self.any |= due;
        due
    }

    fn fold_rules(&mut self) -> bool {
        let before = self.rules.len();
        let over = self.names.iter().filter(|(_, n)| n.len() > limits::NAMES);
        self.rules.extend(over.map(|(rule, _)| *rule));
        let rules = &self.rules;
        self.names.retain(|rule, _| !rules.contains(rule));
        self.groups.retain(|(rule, _), _| !rules.contains(rule));
        self.rules.len() > before
    }

    fn fold_all(&mut self) -> bool {
        self.uncounted = 0;
        self.exact.tidy(limits::K_TOTAL);
        self.routes.tidy(limits::K_TOTAL);
        self.distinct = self.exact.count().0 as usize;
        let floor = match self.routes.count().0 as usize {
            _ if self.distinct <= limits::TOTAL => Level::Exact,
            routes if routes <= limits::TOTAL => Level::Routes,
            _ => Level::Hosts,
        };
        let folds = floor > self.floor;
        self.floor = self.floor.max(floor);
        folds
    }

    /// Brings the counts of keys up to date with what is there; true where something has to be folded further.
    pub fn recount<'k>(&mut self, keys: impl Iterator<Item = &'k FindingKey>) -> bool {
        let mut due = self.fold_rules() | self.fold_all();
        self.groups.values_mut().for_each(|g| g.keys = 0);
        for key in keys.filter(|k| !self.rules.contains(&k.rule)) {
            self.groups.entry((key.rule, key.name.clone())).or_default().keys += 1;
        }
        let floor = self.floor;
        for group in self.groups.values_mut() {
            if group.level < floor {
                group.level = floor; // its keys were counted at another level
            } else {
                due |= group.overflow();
            }
        }
        self.any |= due;
        due
    }

    /// Takes over what another has folded; true where what is here has to be folded because of it. The counts of
    /// keys are for [`Folding::add`] and [`Folding::recount`].
    pub fn merge(&mut self, other: Folding) -> bool {
        let mut due = other.floor > self.floor;
        self.floor = self.floor.max(other.floor);
        for (at, group) in other
            .groups
            .into_iter()
            .filter(|(at, _)| !self.rules.contains(&at.0))
        {
            let level = group.level.max(self.floor);
            let mine = self.groups.entry(at).or_insert(Group { level, keys: 0 });
            due |= level > mine.level;
            mine.level = mine.level.max(level);
        }
        let before = self.rules.len();
        self.rules.extend(other.rules);
        let mut more = self.rules.len() > before;
        for (rule, names) in other.names.into_iter().filter(|(r, _)| !self.rules.contains(r)) {
            let mine = self.names.entry(rule).or_default();
            mine.extend(names);
            more |= mine.len() > limits::NAMES;
        }
        if more {
            self.fold_rules();
            due = true;
        }
        self.exact.merge(&other.exact, limits::K_TOTAL);
        self.routes.merge(&other.routes, limits::K_TOTAL);
        self.uncounted += other.exact.items().len();
        if self.uncounted >= COUNT_EVERY.min(limits::TOTAL) {
            due |= self.fold_all();
        }
        self.any |= other.any | due;
        due
    }

    /// As bytes; equal foldings have equal ones.
    pub fn into_wire(self) -> Wire {
        let mut groups: Vec<_> = self.groups.into_iter().map(|((r, n), g)| (r, n, g)).collect();
        groups.sort();
        let names = self.names.into_iter().map(|(r, n)| (r, n.into_iter().collect()));
        Wire {
            groups,
            names: names.collect(),
            rules: self.rules,
            floor: self.floor,
            exact: self.exact,
            routes: self.routes,
        }
    }

    /// From bytes.
    pub fn from_wire(wire: Wire) -> Folding {
        let names = wire.names.into_iter().map(|(r, n)| (r, n.into_iter().collect()));
        let any = wire.floor > Level::Exact
            || !wire.rules.is_empty()
            || wire.groups.iter().any(|(_, _, g)| g.level > Level::Exact);
        Folding {
            groups: wire.groups.into_iter().map(|(r, n, g)| ((r, n), g)).collect(),
            names: names.collect(),
            rules: wire.rules,
            floor: wire.floor,
            exact: wire.exact,
            routes: wire.routes,
            distinct: 0,
            uncounted: 0,
            any,
        }
    }
}
