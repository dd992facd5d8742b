//! The walk through a record's carriers: URLs are taken apart, values decoded, what is nested in them followed
//! to a depth, and every name and value offered to the rules.

use super::liveness::{self, Facts, Liveness};
use super::name::fold;
use super::{Exposure, Field, Part};
use crate::record::{Carrier, Content, Record, Surface, is_absent};
use crate::rule::severity::{self, Circumstances};
use crate::rule::{Category, Compiled, KeywordSet, RuleSet, Tier};
use crate::secret::{Key, Permit, Secret};
use crate::text::{Base, Coding, Text, json, shape};
use crate::time::{Clock, Instant};
use crate::url::host::Parties;
use crate::url::{Params, Url, host, looks_like_url, route};
use std::borrow::Cow;
use std::ops::Range;

/// How deep URLs, JSON and pairs inside values are followed.
const MAX_DEPTH: u8 = 5;

/// Bytes that may be looked at for each byte of a record, and in any case: values nest, and each level is read
/// again, so that an attacker could otherwise make a short line costly.
const WORK_PER_BYTE: usize = 24;
const WORK_FLOOR: usize = 64 << 10;

/// Finds the exposures of records. One for each thread; it keeps its buffers.
pub struct Detector<'r> {
    pub(super) rules: &'r RuleSet,
    key: &'r Key,
    clock: &'r Clock,
    parties: &'r Parties,
    /// Whether exposures hold their values.
    pub reveal: Option<Permit>,
    hits: Vec<Hit>,
    groups: u32,
    work: usize,
}

/// A place on the way into a record.
#[derive(Clone, Copy)]
pub(super) struct Place<'f> {
    rec: &'f Record<'f>,
    surface: Surface,
    field: Field,
    owner: &'f Owner<'f>,
    /// The host that received the outermost carrier.
    receiver: Option<&'f str>,
    via: Option<&'f Via<'f>>,
    depth: u8,
    keywords: &'f KeywordSet,
}

/// The innermost URL around a value.
struct Owner<'f> {
    scheme: Option<Cow<'f, str>>,
    host: Option<String>,
    path: &'f [u8],
}

struct Via<'f> {
    name: &'f str,
    outer: Option<&'f Via<'f>>,
}

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
    /// The value of the first of that folded name, decoded.
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Siblings::None => None,
            Siblings::Params { text, cookie, .. } => {
                let mut params = if *cookie {
                    Params::cookies(*text)
                } else {
                    Params::new(*text)
                };
                let found = params.find(|p| fold(p.name.bytes()).folded == name)?;
                Some(Coding::Percent.decode(found.value.bytes()).into_owned())
            }
            Siblings::Members { all, object, .. } => {
                let found = all
                    .iter()
                    .find(|m| m.object == *object && fold(m.key().as_bytes()).folded == name)?;
                Some(Coding::Json.decode(found.value.bytes()).into_owned())
            }
        }
    }

    fn group(&self) -> u32 {
        match self {
            Siblings::None => 0,
            Siblings::Params { group, .. } | Siblings::Members { group, .. } => *group,
        }
    }
}

/// A rule that fits a stretch, before overlaps are settled.
struct Hit {
    rule: u16,
    tier: Tier,
    field: Field,
    part: Part,
    name: String,
    folded: String,
    group: u32,
    via: Vec<Box<str>>,
    scheme: Option<Box<str>>,
    host: Option<Box<str>>,
    route: Option<Box<str>>,
    leaked_to: Option<Box<str>>,
    same_party: bool,
    span: Range<u64>,
    chain: Vec<Coding>,
    secret: Secret,
    liveness: Liveness,
}

impl<'r> Detector<'r> {
    /// A detector for these rules; `parties` tells which hosts belong together.
    pub fn new(rules: &'r RuleSet, key: &'r Key, clock: &'r Clock, parties: &'r Parties) -> Self {
        Detector {
            rules,
            key,
            clock,
            parties,
            reveal: None,
            hits: Vec::new(),
            groups: 0,
            work: 0,
        }
    }

    /// Appends the exposures of `record` to `out`, in the order in which they stand in the source; `line` is all
    /// of its text. Spans that rules outside the selection would report go to `masks` with all others, so that
    /// excerpts can be masked by the whole catalogue. False where the record was too deeply nested to be
    /// followed to its end.
    pub fn scan(
        &mut self,
        record: &Record,
        line: &[u8],
        surface: Surface,
        out: &mut Vec<Exposure>,
        masks: &mut Vec<Range<u64>>,
    ) -> bool {
        let keywords = self.rules.keywords_in(line);
        self.hits.clear();
        self.groups = 0;
        self.work = line.len().saturating_mul(WORK_PER_BYTE).max(WORK_FLOOR);
        let here = record.host.and_then(|h| host::normalize(h.bytes()));
        for carrier in &record.carriers {
            let owner = Owner {
                scheme: record.scheme.map(Cow::Borrowed),
                host: here.clone(),
                path: b"",
            };
            let place = Place {
                rec: record,
                surface,
                field: carrier.field,
                owner: &owner,
                receiver: here.as_deref(),
                via: None,
                depth: 0,
                keywords: &keywords,
            };
            self.carrier(carrier, place);
        }
        let whole = self.work > 0;
        let time = if self.hits.is_empty() {
            None
        } else {
            record
                .instant
                .or_else(|| record.time.and_then(|(t, form)| self.clock.read(t.bytes(), form)))
        };
        self.settle(out, masks, time);
        whole
    }

    /// Takes `n` bytes from what may still be looked at.
    pub(super) fn spend(&mut self, n: usize) -> bool {
        self.work = self.work.saturating_sub(n + 8);
        self.work > 0
    }

    fn carrier(&mut self, carrier: &Carrier, place: Place) {
        match carrier.content {
            Content::Url(url) => {
                if carrier.field == Field::Url || carrier.field == Field::Location {
                    let receiver = url.authority.and_then(|a| host::normalize(a.bytes()));
                    let receiver = receiver
                        .as_deref()
                        .or(place.receiver)
                        .filter(|_| carrier.field == Field::Url);
                    self.url(&url, Place { receiver, ..place });
                } else if carrier.field == Field::Referer && url.authority.is_none() {
                    // No browser sends it, but scanners do; whose it is cannot be told.
                    self.url(
                        &url,
                        Place {
                            receiver: None,
                            ..place
                        },
                    );
                } else {
                    self.url(&url, place);
                }
            }
            Content::Cookies(text) => self.cookies(text, place),
            Content::Named(name, text) => {
                self.groups += 1;
                let siblings = Siblings::None;
                self.value(name, name.as_bytes(), text, text, Part::Value, siblings, place);
            }
            Content::Text(text) => self.free(text, place),
        }
    }

    fn cookies(&mut self, text: Text, place: Place) {
        self.groups += 1;
        let siblings = Siblings::Params {
            text,
            cookie: true,
            group: self.groups,
        };
        for p in Params::cookies(text) {
            let decoded = Coding::Percent.decode(p.value.bytes());
            let base = Base::Decoded {
                from: p.value,
                coding: Coding::Percent,
            };
            let plain = if matches!(decoded, Cow::Borrowed(_)) {
                p.value
            } else {
                Text::new(&decoded, &base)
            };
            self.value("", p.name.bytes(), p.value, plain, Part::Form, siblings, place);
        }
    }

    /// A URL: itself becomes the owner of what is found in it.
    pub(super) fn url(&mut self, url: &Url, place: Place) {
        let scheme = match url.scheme {
            Some(s) => Some(Cow::Owned(
                String::from_utf8_lossy(s.bytes()).to_ascii_lowercase(),
            )),
            None => place.owner.scheme.clone(),
        };
        let named = url.authority.map(|a| host::normalize(a.bytes()));
        let host = named.unwrap_or_else(|| place.owner.host.clone());
        let owner = Owner {
            scheme,
            host,
            path: url.path.bytes(),
        };
        let place = Place {
            owner: &owner,
            ..place
        };
        // Quotes and backslashes end it, as they do for the prefilter.
        let whole = |u: &Text| {
            u.len() <= super::prefilter::MAX_USERINFO / 2 && !u.bytes().iter().any(|b| b"\"\\".contains(b))
        };
        let userinfo = url.userinfo.filter(whole);
        if let Some((_, password)) = userinfo.and_then(|u| u.split_once(b':')) {
            self.plain("userinfo", password, Part::Userinfo, place);
        }
        self.path(url.path, place);
        if let Some(query) = url.query {
            self.query(query, place);
        }
        if let Some(fragment) = url.fragment.filter(|f| !f.is_empty()) {
            // `#/route?x=y` of single-page applications.
            let inner = fragment.split_once(b'?').map_or(fragment, |(_, q)| q);
            if inner.bytes().contains(&b'=') || memchr::memmem::find(inner.bytes(), b"%3").is_some() {
                self.params(inner, Part::Fragment, place);
            }
            self.shapes(fragment, "", Part::Fragment, Siblings::None, place);
        }
    }

    fn query(&mut self, query: Text, place: Place) {
        // `proxy.ashx?https://…?f=json&token=`: all of the query is the inner URL.
        if place.depth < MAX_DEPTH {
            let once = Coding::Percent.decode(&query.bytes()[..query.len().min(64)]);
            if crate::url::scheme_len(query.bytes()).is_some() {
                return self.url(
                    &Url::parse(query),
                    Place {
                        depth: place.depth + 1,
                        ..place
                    },
                );
            }
            if crate::url::scheme_len(&once).is_some() && self.spend(query.len()) {
                let plain = Coding::Percent.decode(query.bytes());
                let base = Base::Decoded {
                    from: query,
                    coding: Coding::Percent,
                };
                return self.url(
                    &Url::parse(Text::new(&plain, &base)),
                    Place {
                        depth: place.depth + 1,
                        ..place
                    },
                );
            }
        }
        self.params(query, Part::Query, place);
    }

    pub(super) fn params(&mut self, text: Text, part: Part, place: Place) {
        if !self.spend(text.len()) {
            return;
        }
        self.groups += 1;
        let siblings = Siblings::Params {
            text,
            cookie: false,
            group: self.groups,
        };
        for p in Params::new(text) {
            let raw = if p.value.is_empty() { p.name } else { p.value };
            let decoded = Coding::Percent.decode(raw.bytes());
            let base = Base::Decoded {
                from: raw,
                coding: Coding::Percent,
            };
            let plain = if matches!(decoded, Cow::Borrowed(_)) {
                raw
            } else {
                Text::new(&decoded, &base)
            };
            // A query of one value without a name can hold anything: `?eyJ…`, `?https%3A…`.
            let name: &[u8] = if p.value.is_empty() { b"" } else { p.name.bytes() };
            self.value("", name, raw, plain, part, siblings, place);
        }
    }

    /// A value that stands as it is under a name of ours.
    fn plain(&mut self, name: &str, raw: Text, part: Part, place: Place) {
        let decoded = Coding::Percent.decode(raw.bytes());
        let base = Base::Decoded {
            from: raw,
            coding: Coding::Percent,
        };
        let plain = if matches!(decoded, Cow::Borrowed(_)) {
            raw
        } else {
            Text::new(&decoded, &base)
        };
        self.groups += 1;
        self.names(name, name, raw, plain, part, Siblings::None, place);
        self.shapes(plain, name, part, Siblings::None, place);
    }

    fn path(&mut self, path: Text, place: Place) {
        if !self.spend(path.len()) {
            return;
        }
        let rules = self.rules;
        for &n in &rules.paths {
            let rule = &rules.rules[usize::from(n)];
            if !(rule.keywords.meets(place.keywords) && rule.looks_at(place.surface, place.field, Part::Path))
            {
                continue;
            }
            let Some(regex) = rule.path.as_ref().and_then(|m| m.regex()) else {
                continue;
            };
            let Some(found) = regex.captures(path.bytes()) else {
                continue;
            };
            let Some(secret) = found.name("secret").or_else(|| found.get(0)) else {
                continue;
            };
            let text = path.slice(secret.range());
            if rule.accepts(text.bytes())
                && !masked(rule, text.bytes())
                && self.holds(rule, Siblings::None, place)
            {
                self.push(n, "", "", text, text, Part::Path, Siblings::None, place);
            }
        }
        if memchr::memchr(b'=', path.bytes()).is_some() {
            let mut at = 0;
            for segment in path.bytes().split(|b| b"/;&?,".contains(b)) {
                let piece = path.slice(at..at + segment.len());
                at += segment.len() + 1;
                if let Some((name, value)) = piece.split_once(b'=') {
                    let decoded = Coding::Percent.decode(value.bytes());
                    let base = Base::Decoded {
                        from: value,
                        coding: Coding::Percent,
                    };
                    let plain = if matches!(decoded, Cow::Borrowed(_)) {
                        value
                    } else {
                        Text::new(&decoded, &base)
                    };
                    self.value("", name.bytes(), value, plain, Part::Path, Siblings::None, place);
                }
            }
        }
        if memchr::memchr(b'%', path.bytes()).is_none() {
            self.shapes(path, "", Part::Path, Siblings::None, place);
        } else {
            let decoded = Coding::Percent.decode(path.bytes());
            let base = Base::Decoded {
                from: path,
                coding: Coding::Percent,
            };
            let plain = Text::new(&decoded, &base);
            self.shapes(plain, "", Part::Path, Siblings::None, place);
            // A question mark that was encoded by mistake: `/app%3Ftoken%3D…`.
            if place.depth < MAX_DEPTH
                && memchr::memchr(b'?', path.bytes()).is_none()
                && let Some((_, query)) = plain.split_once(b'?')
            {
                self.params(
                    query,
                    Part::Path,
                    Place {
                        depth: place.depth + 1,
                        ..place
                    },
                );
            }
        }
    }

    /// One value: its name and its shape are offered to the rules, and what is nested in it is followed. `raw`
    /// is as it stands, `plain` decoded as its carrier says; `name` is used where it is not empty, else the
    /// name is read from `raw_name`.
    #[allow(clippy::too_many_arguments)] // a value, its name and its place, each in two forms
    fn value(
        &mut self,
        name: &str,
        raw_name: &[u8],
        raw: Text,
        plain: Text,
        part: Part,
        siblings: Siblings,
        place: Place,
    ) {
        if plain.is_empty() || !self.spend(plain.len()) {
            return;
        }
        let folded = if name.is_empty() {
            fold(raw_name)
        } else {
            fold(name.as_bytes())
        };
        if !folded.folded.is_empty() {
            self.names(&folded.folded, &folded.shown, raw, plain, part, siblings, place);
        }
        self.shapes(plain, &folded.shown, part, siblings, place);
        self.nested(plain, &folded.shown, part, place);
    }

    /// Offers a value to the rules for its name.
    #[allow(clippy::too_many_arguments)]
    fn names(
        &mut self,
        folded: &str,
        shown: &str,
        raw: Text,
        plain: Text,
        part: Part,
        siblings: Siblings,
        place: Place,
    ) {
        let rules = self.rules;
        let bytes = plain.bytes();
        // `Authorization: Bearer …`, and the same as a parameter.
        let scheme = bytes
            .iter()
            .take(12)
            .position(|&b| b == b' ' || b == b'+')
            .map(|n| (&bytes[..n], n + 1));
        // Only under names that rules know: the raw line has to tell that there is something.
        if let Some((word, at)) = scheme.filter(|_| !rules.named(folded.as_bytes()).is_empty()) {
            if word.eq_ignore_ascii_case(b"basic") {
                let coded = plain.from(at).trim();
                let decoded = Coding::Base64.decode(coded.bytes());
                let base = Base::Decoded {
                    from: coded,
                    coding: Coding::Base64,
                };
                if let Some((_, password)) = Text::new(&decoded, &base).split_once(b':') {
                    for &n in rules.named(b"basic") {
                        self.name_rule(n, folded, shown, coded, password, part, siblings, place);
                    }
                    return;
                }
            }
            let schemes: [&[u8]; 6] = [b"bearer", b"token", b"apikey", b"api-key", b"oauth", b"jwt"];
            if schemes.iter().any(|s| s.eq_ignore_ascii_case(word)) {
                let value = plain.from(at).trim();
                for &n in rules.named(folded.as_bytes()) {
                    self.name_rule(n, folded, shown, value, value, part, siblings, place);
                }
                return;
            }
        }
        for &n in rules.named(folded.as_bytes()) {
            self.name_rule(n, folded, shown, raw, plain, part, siblings, place);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn name_rule(
        &mut self,
        n: u16,
        folded: &str,
        shown: &str,
        raw: Text,
        plain: Text,
        part: Part,
        siblings: Siblings,
        place: Place,
    ) {
        let rule = &self.rules.rules[usize::from(n)];
        let fits = rule.looks_at(place.surface, place.field, part)
            && (rule.keywords.is_empty() || rule.keywords.meets(place.keywords))
            && rule.accepts(plain.bytes())
            && !masked(rule, plain.bytes())
            && self.holds(rule, siblings, place);
        if fits {
            self.push(n, folded, shown, raw, plain, part, siblings, place);
        }
    }

    /// Whether request, owner and companions are those the rule holds for.
    fn holds(&self, rule: &Compiled, siblings: Siblings, place: Place) -> bool {
        let host = place.owner.host.as_deref().unwrap_or_default();
        let method = place.rec.method.map(|m| m.bytes());
        if !rule.holds_for(method, host.as_bytes(), place.owner.path) {
            return false;
        }
        if !rule.has_companions() {
            return true;
        }
        let when = &rule.spec.when;
        rule.with.iter().all(|(name, m)| {
            siblings
                .get(name)
                .is_some_and(|v| m.as_ref().is_none_or(|m| m.is_match(&v)))
        }) && (when.with_any.is_empty() || when.with_any.iter().any(|n| siblings.get(n).is_some()))
            && !when.without.iter().any(|n| siblings.get(n).is_some())
    }

    /// Looks for shapes in decoded text.
    pub(super) fn shapes(&mut self, text: Text, name: &str, part: Part, siblings: Siblings, place: Place) {
        let rules = self.rules;
        let own;
        let keywords = if text.is_opaque() {
            own = rules.keywords_in(text.bytes());
            &own
        } else {
            place.keywords
        };
        if keywords.is_empty() || text.len() < 8 {
            return;
        }
        for &n in &rules.shapes {
            let rule = &rules.rules[usize::from(n)];
            if !(rule.keywords.meets(keywords) && rule.looks_at(place.surface, place.field, part)) {
                continue;
            }
            if !self.spend(text.len()) {
                return;
            }
            let Some(regex) = rule.shape.as_ref().and_then(|m| m.regex()) else {
                continue;
            };
            let loose = rule.spec.shape.as_ref().is_some_and(|s| s.loose);
            let bytes = text.bytes();
            let mut at = 0;
            while let Some(found) = regex.captures_at(bytes, at) {
                let Some(all) = found.get(0) else { break };
                let secret = found.name("secret").unwrap_or(all).range();
                at = if all.is_empty() { all.end() + 1 } else { all.end() };
                let touches = |i: Option<usize>| {
                    i.and_then(|i| bytes.get(i))
                        .is_some_and(|b| b.is_ascii_alphanumeric() || b"_-".contains(b))
                };
                if !loose && (touches(all.start().checked_sub(1)) || touches(Some(all.end()))) {
                    if at >= bytes.len() {
                        break;
                    }
                    continue;
                }
                let value = text.slice(secret);
                if rule.accepts(value.bytes())
                    && !masked(rule, value.bytes())
                    && self.holds(rule, siblings, place)
                {
                    self.push(n, name, name, value, value, part, siblings, place);
                }
                if at >= bytes.len() {
                    break;
                }
            }
        }
    }

    /// Follows what is nested in a decoded value: URLs, JSON, base64 of JSON, pairs, and further encodings.
    fn nested(&mut self, plain: Text, name: &str, part: Part, place: Place) {
        let bytes = plain.bytes();
        if place.depth >= MAX_DEPTH || bytes.len() < 6 || !self.spend(bytes.len()) {
            return;
        }
        let via = Via {
            name,
            outer: place.via,
        };
        let inner = Place {
            depth: place.depth + 1,
            via: if name.is_empty() { place.via } else { Some(&via) },
            ..place
        };
        if looks_like_url(bytes) {
            return self.url(&Url::parse(plain), inner);
        }
        if matches!(bytes[0], b'{' | b'[') && self.json(plain, inner) {
            return;
        }
        let base64 = super::prefilter::base64_json(bytes) && !bytes.contains(&b'.');
        // Under no name nothing in the raw line tells where such a value begins, so that no prefilter could see it.
        if base64 && bytes.len() >= 16 && !name.is_empty() {
            let decoded = Coding::Base64.decode(bytes);
            let base = Base::Decoded {
                from: plain,
                coding: Coding::Base64,
            };
            if !decoded.is_empty() && self.json(Text::new(&decoded, &base), inner) {
                return;
            }
        }
        if memchr::memmem::find(bytes, b"%").is_some_and(|at| bytes.len() > at + 2) {
            let decoded = Coding::Percent.decode(bytes);
            if decoded.len() < bytes.len() {
                let base = Base::Decoded {
                    from: plain,
                    coding: Coding::Percent,
                };
                let again = Text::new(&decoded, &base);
                self.shapes(again, name, part, Siblings::None, inner);
                return self.nested(
                    again,
                    name,
                    part,
                    Place {
                        depth: place.depth + 1,
                        ..place
                    },
                );
            }
        }
        if memchr::memchr(b'=', &bytes[..bytes.len() - 1]).is_some() {
            self.params(plain, part, inner);
        }
    }

    /// A JSON document: every key and value is offered; false where it is none.
    pub(super) fn json(&mut self, text: Text, place: Place) -> bool {
        let Some(doc) = json::read(text).filter(|d| !d.members.is_empty()) else {
            return false;
        };
        let first = self.groups + 1;
        self.groups += doc.members.iter().map(|m| m.object as u32 + 1).max().unwrap_or(1);
        for m in &doc.members {
            if m.kind == json::Kind::Literal {
                continue;
            }
            let decoded = Coding::Json.decode(m.value.bytes());
            let base = Base::Decoded {
                from: m.value,
                coding: Coding::Json,
            };
            let plain = if matches!(decoded, Cow::Borrowed(_)) {
                m.value
            } else {
                Text::new(&decoded, &base)
            };
            let siblings = Siblings::Members {
                all: &doc.members,
                object: m.object,
                group: first + m.object as u32,
            };
            self.value(
                "",
                m.key().as_bytes(),
                m.value,
                plain,
                Part::Json,
                siblings,
                place,
            );
        }
        true
    }

    #[allow(clippy::too_many_arguments)]
    fn push(
        &mut self,
        n: u16,
        folded: &str,
        shown: &str,
        raw: Text,
        plain: Text,
        part: Part,
        siblings: Siblings,
        place: Place,
    ) {
        let rule = &self.rules.rules[usize::from(n)];
        let span = if plain.is_empty() {
            raw.span()
        } else {
            plain.span()
        };
        let owner = place.owner;
        let third = match (&owner.host, place.receiver) {
            (Some(owner), Some(receiver)) => Some(!self.parties.same(owner, receiver)),
            _ => None,
        };
        let nested = place.field == Field::Referer || place.via.is_some() || place.depth > 0;
        let time = || {
            place.rec.instant.or_else(|| {
                place
                    .rec
                    .time
                    .and_then(|(t, form)| self.clock.read(t.bytes(), form))
            })
        };
        let liveness = rule.spec.liveness.map_or(Liveness::UNKNOWN, |basis| {
            let param = |name: &str| siblings.get(name);
            liveness::read(
                basis,
                &Facts {
                    value: plain.bytes(),
                    time: time(),
                    clock: self.clock,
                    param: &param,
                },
            )
        });
        let mut via = Vec::new();
        let mut at = place.via;
        while let Some(v) = at {
            via.push(crate::report::safe::name(v.name).into());
            at = v.outer;
        }
        via.reverse();
        let secret = Secret::new(plain.bytes());
        self.hits.push(Hit {
            rule: n,
            tier: rule.tier,
            field: place.field,
            part,
            name: crate::report::safe::name(shown),
            folded: folded.replace(['-', '.'], "_"),
            group: siblings.group(),
            via,
            scheme: owner.scheme.as_deref().map(Into::into),
            host: owner.host.as_deref().map(Into::into),
            route: route::scoped(owner.path, rule.spec.scope, place.rec.status).map(Into::into),
            leaked_to: place
                .receiver
                .filter(|_| nested && third == Some(true))
                .map(Into::into),
            same_party: place.field == Field::Referer && third == Some(false),
            span,
            chain: plain.chain(),
            secret,
            liveness,
        });
    }

    /// Settles overlaps and turns what stands into exposures.
    fn settle(&mut self, out: &mut Vec<Exposure>, masks: &mut Vec<Range<u64>>, time: Option<Instant>) {
        if self.hits.is_empty() {
            return;
        }
        let rules = self.rules;
        let mut hits = std::mem::take(&mut self.hits);
        masks.extend(hits.iter().map(|h| h.span.clone()));
        hits.retain(|h| rules.rules[usize::from(h.rule)].enabled);
        // A signed URL's other parameters belong to its signature.
        let owned: Vec<(u32, u16)> = hits
            .iter()
            .filter(|h| !rules.rules[usize::from(h.rule)].spec.attributes.is_empty())
            .map(|h| (h.group, h.rule))
            .collect();
        if !owned.is_empty() {
            hits.retain(|h| {
                !owned.iter().any(|&(group, rule)| {
                    group == h.group
                        && rule != h.rule
                        && rules.rules[usize::from(rule)].spec.attributes.contains(&h.folded)
                })
            });
        }
        hits.sort_by(|a, b| {
            let len = |h: &Hit| h.span.end - h.span.start;
            b.tier
                .cmp(&a.tier)
                .then_with(|| len(b).cmp(&len(a)))
                .then_with(|| a.rule.cmp(&b.rule))
                .then_with(|| a.span.start.cmp(&b.span.start))
        });
        let first = out.len();
        for hit in hits.drain(..) {
            let free = out[first..]
                .iter()
                .all(|e| e.span.end <= hit.span.start || hit.span.end <= e.span.start);
            if free {
                out.push(self.exposure(hit, time));
            }
        }
        out[first..].sort_by_key(|e| e.span.start);
        self.hits = hits;
    }

    fn exposure(&self, hit: Hit, time: Option<Instant>) -> Exposure {
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
            chain: hit.chain,
            revealed: self.reveal.map(|permit| hit.secret.reveal(permit)),
            length: hit.secret.len(),
            fingerprint: hit.secret.fingerprint(self.key),
            preview: hit.secret.preview(rule.spec.category == Category::Password),
            severity,
            basis,
            confidence,
            liveness: hit.liveness,
            time,
        }
    }
}

/// Whether the value stands for a credential without being one. Notices and CSRF tokens are about the fact that
/// something stands there.
fn masked(rule: &Compiled, value: &[u8]) -> bool {
    if is_absent(value) {
        return true;
    }
    if matches!(rule.spec.category, Category::Notice | Category::AntiForgery) {
        return value.is_empty();
    }
    let mut value = Cow::Borrowed(value);
    for _ in 0..3 {
        if shape::is_placeholder(&value) {
            return true;
        }
        if !value.contains(&b'%') {
            return false;
        }
        value = Cow::Owned(Coding::Percent.decode(&value).into_owned());
    }
    shape::is_placeholder(&value)
}
