//! From hits to exposures: where several rules fit one stretch the most specific stands, and what stands is graded.

use super::liveness::{self, Liveness};
use super::walk::Detector;
use super::{Exposure, Field, Part};
use crate::rule::severity::{self, Circumstances};
use crate::rule::{Category, Tier};
use crate::secret::Secret;
use crate::text::Coding;
use crate::time::Instant;
use crate::url::route;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a value that are kept to be looked for elsewhere.
const LONGEST_REMOVED: usize = 2048;

/// A rule that fits a stretch, before overlaps are settled.
pub(super) struct Hit {
    pub(super) rule: u16,
    pub(super) tier: Tier,
    pub(super) field: Field,
    pub(super) part: Part,
    pub(super) name: String,
    pub(super) folded: String,
    pub(super) group: u32,
    pub(super) via: Vec<Box<str>>,
    pub(super) scheme: Option<Box<str>>,
    pub(super) host: Option<Box<str>>,
    pub(super) route: Option<Box<str>>,
    pub(super) leaked_to: Option<Box<str>>,
    pub(super) same_party: bool,
    pub(super) span: Range<u64>,
    pub(super) opaque: Option<Range<u64>>,
    pub(super) chain: Vec<Coding>,
    pub(super) secret: Secret,
    pub(super) liveness: Liveness,
    pub(super) identity: Vec<super::identity::Claim>,
    pub(super) user: Option<u64>,
    pub(super) echo: bool,
}
impl Detector<'_> {
    /// Settles overlaps and turns what stands into exposures.
    pub(super) fn settle(
        &mut self,
        out: &mut Vec<Exposure>,
        masks: &mut Vec<Range<u64>>,
        (since, time): (Option<Instant>, Option<Instant>),
    ) {
        if self.hits.is_empty() {
            return;
        }
        let rules = self.rules;
        let mut hits = std::mem::take(&mut self.hits);
        masks.extend(hits.iter().map(|h| h.span.clone()));
        hide_in_routes(&mut hits);
        hits.retain(|h| rules.rules[usize::from(h.rule)].enabled);
        // A signed URL's other parameters belong to its signature.
        let owned: Vec<(u32, u16)> = hits
            .iter()
            .filter(|h| !rules.rules[usize::from(h.rule)].spec.attributes.is_empty())
            .map(|h| (h.group, h.rule))
            .collect();
        if !owned.is_empty() {
            let belongs = |h: &Hit| {
                owned.iter().any(|&(group, rule)| {
                    group == h.group
                        && rule != h.rule
                        && rules.rules[usize::from(rule)].spec.attributes.contains(&h.folded)
                })
            };
            // What was seen of them in the text around, by its shape, belongs to it as well.
            let spans: HashSet<(u64, u64)> = hits
                .iter()
                .filter(|h| belongs(h))
                .map(|h| (h.span.start, h.span.end))
                .collect();
            hits.retain(|h| !belongs(h) && !spans.contains(&(h.span.start, h.span.end)));
        }
        hits.sort_by(|a, b| {
            let len = |h: &Hit| h.span.end - h.span.start;
            b.tier
                .cmp(&a.tier)
                .then_with(|| len(b).cmp(&len(a)))
                .then_with(|| a.rule.cmp(&b.rule))
                // The same seen in a text of its own tells more than what running text shows of it.
                .then_with(|| a.name.is_empty().cmp(&b.name.is_empty()))
                .then_with(|| a.host.is_none().cmp(&b.host.is_none()))
                .then_with(|| a.span.start.cmp(&b.span.start))
        });
        let first = out.len();
        // Ends of what is taken, by where it begins: exposures never overlap.
        let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
        for hit in hits.drain(..) {
            let before = taken.range(..hit.span.end.max(hit.span.start + 1)).next_back();
            if before.is_none_or(|(_, end)| *end <= hit.span.start) {
                taken.insert(hit.span.start, hit.span.end);
                out.push(self.exposure(hit, since, time));
            }
        }
        self.echoes(&mut out[first..]);
        out[first..].sort_by_key(|e| e.span.start);
        self.hits = hits;
    }

    /// What repeats another exposure of the record counts with it; what only seemed to stands for itself.
    fn echoes(&self, all: &mut [Exposure]) {
        if !all.iter().any(|e| e.echo) {
            return;
        }
        let said = |e: &Exposure| (e.field, e.fingerprint);
        let named = |e: &Exposure| (e.field, e.name.clone());
        let first = || all.iter().filter(|e| !e.echo);
        let values: HashSet<_> = first().map(said).collect();
        let names: HashSet<_> = first().map(named).collect();
        for e in all.iter_mut().filter(|e| e.echo) {
            e.echo = values.contains(&said(e)) || names.contains(&named(e));
        }
    }

    fn exposure(&self, hit: Hit, since: Option<Instant>, time: Option<Instant>) -> Exposure {
        let rule = &self.rules.rules[usize::from(hit.rule)];
        let confidence = severity::confidence(&rule.spec, rule.tier, hit.secret.expose());
        // What is valid until it is changed is expected to be so; it is the kinds that should expire that weigh more.
        let weighed = if rule.spec.liveness == Some(liveness::Basis::Jwt)
            || hit.liveness.state != liveness::State::NoExpiry
        {
            hit.liveness.state
        } else {
            liveness::State::Unknown
        };
        let (severity, basis) = severity::severity(
            &rule.spec,
            &Circumstances {
                field: hit.field,
                third_party: hit.leaked_to.is_some(),
                same_party: hit.same_party,
                unencrypted: hit.scheme.as_deref() == Some("http"),
                liveness: weighed,
                dead: hit
                    .liveness
                    .until
                    .zip(time)
                    .is_some_and(|(end, then)| end <= then),
                confidence,
            },
        );
        Exposure {
            rule: hit.rule,
            field: hit.field,
            part: hit.part,
            name: hit.name.into(),
            via: hit.via.into(),
            scheme: hit.scheme,
            host: hit.host,
            route: hit.route,
            leaked_to: hit.leaked_to,
            span: hit.span,
            opaque: hit.opaque,
            chain: hit.chain,
            removed: self.remove.then(|| {
                let value = hit.secret.expose();
                Arc::new(Secret::new(&value[value.len().saturating_sub(LONGEST_REMOVED)..]))
            }),
            revealed: self.reveal.map(|permit| hit.secret.reveal(permit)),
            length: hit.secret.len(),
            fingerprint: hit.secret.fingerprint(self.key),
            preview: hit.secret.preview(rule.spec.category == Category::Password),
            severity,
            basis,
            confidence,
            liveness: hit.liveness,
            identity: hit.identity.into(),
            user: hit.user,
            echo: hit.echo,
            since,
            time,
        }
    }
}

/// Takes what any rule found out of all routes of the record. Routes replace by shape alone, and not every
/// credential has one.
fn hide_in_routes(hits: &mut [Hit]) {
    // All are looked for in all routes, which has to stay cheap.
    let few = hits.len() <= MOST_AGAIN;
    let found = |h: &&Hit| match h.part {
        Part::Path => h.secret.len() >= LEAST_IN_ROUTE,
        _ => few && h.secret.len() >= LEAST_AGAIN,
    };
    if !hits.iter().any(|h| found(&h)) {
        return;
    }
    let routes: Vec<Option<Box<str>>> = hits
        .iter()
        .map(|h| {
            let route = h.route.as_deref()?;
            let secrets = || hits.iter().filter(found).map(|h| h.secret.expose());
            let hidden = route::without(route, secrets);
            hidden.map(String::into_boxed_str)
        })
        .collect();
    for (hit, route) in hits.iter_mut().zip(routes) {
        if route.is_some() {
            hit.route = route;
        }
    }
}

/// Shorter ones are no secrets that a route would give away, in bytes.
const LEAST_IN_ROUTE: usize = 6;

/// What was found elsewhere is no word of a path from this length on, in bytes.
const LEAST_AGAIN: usize = 12;

/// In records of more hits only what was found in paths is taken out of them.
const MOST_AGAIN: usize = 64;
