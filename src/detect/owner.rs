//! The innermost URL around a value: whose it is, and the route that it is grouped by. What rules say of hosts and
//! paths is kept from record to record: logs ask for the same few thousands of times.

use crate::rule::Compiled;
use crate::url::route::{self, Scope};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// The innermost URL around a value.
pub(super) struct Owner<'f> {
    pub(super) scheme: Option<Cow<'f, str>>,
    pub(super) host: Option<String>,
    pub(super) path: &'f [u8],
    /// Whether what it owns is grouped by its path: not where cookies and headers carry it, which go with every
    /// request.
    pub(super) routed: bool,
    /// Whether the path is the one that was asked for, so that the response's status is about it.
    pub(super) requested: bool,
    /// What is known of host and path, once somebody asks.
    pub(super) facts: OnceCell<Arc<Facts>>,
}

/// What a rule says of a host and a path.
const UNASKED: u8 = 0;
const FAILS: u8 = 1;
const HOLDS: u8 = 2;

/// What is known of a host and a path.
pub(super) struct Facts {
    host: Box<str>,
    path: Box<[u8]>,
    /// By rule, whether it holds for them: its expressions read all of the path, which is done once however many
    /// values stand under it.
    held: Box<[AtomicU8]>,
    /// The routes by scope, without and up to the path's service.
    routes: [OnceLock<Box<str>>; 2],
}

impl Facts {
    fn new(host: &str, path: &[u8], rules: usize) -> Arc<Facts> {
        Arc::new(Facts {
            host: host.into(),
            path: path.into(),
            held: (0..rules).map(|_| AtomicU8::new(UNASKED)).collect(),
            routes: Default::default(),
        })
    }
}

/// Hosts and paths that are kept; one that meets another in its slot displaces it.
const SLOTS: usize = 2048;

/// Bytes of host and path up to which they are kept for the next record.
const LONGEST: usize = 1024;

/// The facts of hosts and paths that were met of late.
pub(super) struct Recent {
    rules: usize,
    slots: RefCell<Vec<Option<Arc<Facts>>>>,
    hasher: RandomState,
}

impl Recent {
    /// None yet, for so many rules.
    pub(super) fn new(rules: usize) -> Recent {
        Recent {
            rules,
            slots: RefCell::new(vec![None; SLOTS]),
            hasher: RandomState::new(),
        }
    }

    fn of(&self, host: &str, path: &[u8]) -> Arc<Facts> {
        if host.len() + path.len() > LONGEST {
            return Facts::new("", b"", self.rules);
        }
        let slot = self.hasher.hash_one((host, path)) as usize % SLOTS;
        let mut slots = self.slots.borrow_mut();
        match &slots[slot] {
            Some(known) if *known.path == *path && *known.host == *host => known.clone(),
            _ => slots[slot].insert(Facts::new(host, path, self.rules)).clone(),
        }
    }
}

impl Owner<'_> {
    fn facts(&self, recent: &Recent) -> &Facts {
        self.facts
            .get_or_init(|| recent.of(self.host.as_deref().unwrap_or_default(), self.path))
    }

    /// Whether `rule`, the one of that number, holds for its host and path.
    pub(super) fn holds(&self, n: u16, rule: &Compiled, recent: &Recent) -> bool {
        if !rule.asks_for_owner() {
            return true;
        }
        let host = self.host.as_deref().unwrap_or_default();
        let held = &self.facts(recent).held[usize::from(n)];
        match held.load(Relaxed) {
            UNASKED => {
                let holds = rule.holds_for(host.as_bytes(), self.path);
                held.store(if holds { HOLDS } else { FAILS }, Relaxed);
                holds
            }
            held => held == HOLDS,
        }
    }

    /// The scoped route.
    pub(super) fn route(&self, scope: Scope, status: Option<u16>, recent: &Recent) -> Option<Box<str>> {
        if !self.routed || scope == Scope::Site {
            return None;
        }
        if self.requested && route::is_invented(status) {
            return Some(route::NOT_FOUND.into());
        }
        let made = &self.facts(recent).routes[usize::from(scope == Scope::Service)];
        let route = made.get_or_init(|| route::scoped(self.path, scope).unwrap_or_default().into());
        Some(route.clone())
    }
}
