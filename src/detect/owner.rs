//! The innermost URL around a value: whose it is, and the route that it is grouped by.

use crate::rule::Compiled;
use crate::url::route::{self, Scope};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

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
    /// Its routes by scope, each made once: many values may stand under one long path.
    pub(super) routes: Routes,
    /// Of a long path, the rules that have asked about it, and whether they hold.
    pub(super) held: RefCell<HashMap<u16, bool>>,
}

/// The routes of a path, without and up to its service.
#[derive(Default)]
pub(super) struct Routes([OnceCell<Option<Box<str>>>; 2]);

/// Bytes of a path from which on what rules say of it is kept.
const LONG_PATH: usize = 1024;

impl Owner<'_> {
    /// Whether `rule`, the one of that number, holds for requests to it: its expressions read all of the path, which is
    /// done once however many values stand under it.
    pub(super) fn holds(&self, n: u16, rule: &Compiled, method: Option<&[u8]>) -> bool {
        let host = self.host.as_deref().unwrap_or_default();
        let ask = || rule.holds_for(method, host.as_bytes(), self.path);
        if self.path.len() < LONG_PATH {
            return ask();
        }
        *self.held.borrow_mut().entry(n).or_insert_with(ask)
    }

    /// The scoped route.
    pub(super) fn route(&self, scope: Scope, status: Option<u16>) -> Option<Box<str>> {
        if !self.routed {
            return None;
        }
        let made = &self.routes.0[usize::from(scope == Scope::Service)];
        let status = status.filter(|_| self.requested);
        match scope {
            Scope::Site => None,
            _ => made
                .get_or_init(|| route::scoped(self.path, scope, status).map(Into::into))
                .clone(),
        }
    }
}
