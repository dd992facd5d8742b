//! The walk through a record's carriers: URLs are taken apart, values decoded, what is nested in them followed
//! to a depth, and every name and value offered to the rules.

use super::name::{Name, fold};
use super::owner::{Owner, Recent};
use super::settle::Hit;
use super::siblings::{Companions, Siblings};
use super::{Exposure, Field, Part};
use crate::record::{Carrier, Content, Record, Surface};
use crate::rule::{KeywordSet, RuleSet};
use crate::secret::{Key, Permit};
use crate::text::{Base, Coding, Text, json};
use crate::time::Clock;
use crate::url::host::Parties;
use crate::url::{Params, Url, host, looks_like_url, set_cookies};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

/// How deep URLs, JSON and pairs inside values are followed.
pub(super) const MAX_DEPTH: u8 = 8;

/// Bytes that may be looked at for each byte of a record, and in any case: values nest, and each level is read
/// again, so that an attacker could otherwise make a short line costly.
const WORK_PER_BYTE: usize = 24;
const WORK_FLOOR: usize = 64 << 10;

/// Finds the exposures of records. One for each thread; it keeps its buffers.
pub struct Detector<'r> {
    pub(super) rules: &'r RuleSet,
    pub(super) key: &'r Key,
    pub(super) clock: &'r Clock,
    pub(super) parties: &'r Parties,
    /// Whether exposures hold their values.
    pub reveal: Option<Permit>,
    /// Whether they hold what has to be looked for elsewhere.
    pub remove: bool,
    pub(super) hits: Vec<Hit>,
    pub(super) groups: u32,
    pub(super) work: usize,
    /// Whether something was nested deeper than it is followed.
    short: bool,
    pub(super) companions: Companions,
    pub(super) recent: Recent,
    /// Kept for the next record.
    shaped: Vec<u16>,
    pathed: Vec<u16>,
    /// The user that stands before the password at hand (`user:password@`).
    pub(super) user: Option<u64>,
}

/// A value without the quotes around it (`token="…"`, RFC 6265 §4.1.1), whose quotes may be escaped, and without an `=`
/// too many (`token==…` of HTTPie); `None` where it stands bare.
pub(super) fn bare(value: Text) -> Option<Text> {
    let bytes = value.bytes();
    if let [b'=', first, ..] = bytes {
        return (*first != b'=').then(|| value.from(1));
    }
    for open in [&b"\""[..], b"'", b"\\\"", b"\\'"] {
        let inside = bytes.strip_prefix(open).and_then(|b| b.strip_suffix(open));
        if let Some(inside) = inside.filter(|i| !i.is_empty()) {
            return Some(value.slice(open.len()..open.len() + inside.len()));
        }
    }
    None
}

/// Whether a value is text in which URLs or members of JSON stand among other things: a message, a page, a document that
/// is cut off.
fn is_running_text(bytes: &[u8]) -> bool {
    let parted = bytes
        .iter()
        .any(|b| b.is_ascii_whitespace() || b"<\"'".contains(b));
    parted
        && (memchr::memmem::find(bytes, b"://").is_some()
            || memchr::memmem::find(bytes, b":\\/\\/").is_some()
            || memchr::memmem::find(bytes, b"\":").is_some())
}

/// Whether a value could hold a name and a value further inside: one that nests deeper than values are followed.
fn may_go_on(bytes: &[u8]) -> bool {
    let pair = memchr::memchr2(b'=', b'"', bytes).is_some();
    let encoded = memchr::memchr_iter(b'3', bytes).any(|at| {
        let digit = bytes.get(at + 1).is_some_and(|b| matches!(b, b'D' | b'd'));
        digit && bytes[..at].ends_with(b"%") | bytes[..at].ends_with(b"25")
    });
    let opens = looks_like_url(bytes) || matches!(bytes.first(), Some(b'{' | b'['));
    opens && pair || encoded
}

/// A place on the way into a record.
#[derive(Clone, Copy)]
pub(super) struct Place<'f> {
    pub(super) rec: &'f Record<'f>,
    pub(super) surface: Surface,
    pub(super) field: Field,
    pub(super) owner: &'f Owner<'f>,
    /// The host that received the outermost carrier.
    pub(super) receiver: Option<&'f str>,
    pub(super) via: Option<&'f Via<'f>>,
    pub(super) depth: u8,
    pub(super) keywords: &'f KeywordSet,
    /// The rules for shapes and for paths of which a literal stands in the record.
    pub(super) shapes: &'f [u16],
    pub(super) paths: &'f [u16],
    /// Whether the carrier repeats another.
    pub(super) echo: bool,
}

pub(super) struct Via<'f> {
    pub(super) name: &'f str,
    pub(super) outer: Option<&'f Via<'f>>,
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
            remove: false,
            hits: Vec::new(),
            groups: 0,
            work: 0,
            short: false,
            companions: Companions::default(),
            recent: Recent::new(rules.rules.len()),
            shaped: Vec::new(),
            pathed: Vec::new(),
            user: None,
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
        self.companions.clear();
        self.short = false;
        self.work = line.len().saturating_mul(WORK_PER_BYTE).max(WORK_FLOOR);
        let (mut shapes, mut paths) = (std::mem::take(&mut self.shaped), std::mem::take(&mut self.pathed));
        self.rules
            .worth(&self.rules.shapes, &keywords, surface, &mut shapes);
        self.rules
            .worth(&self.rules.paths, &keywords, surface, &mut paths);
        let here = record.host.and_then(|h| host::normalize(h.bytes()));
        // What stands in no URL belongs to the request.
        let path = record.carriers.iter().find_map(|c| match c.content {
            Content::Url(url) if c.field == Field::Url => Some(url.path.bytes()),
            _ => None,
        });
        for carrier in &record.carriers {
            let owner = Owner {
                scheme: record.scheme.map(Cow::Borrowed),
                host: here.clone(),
                path: path
                    .filter(|_| carrier.field != Field::Referer)
                    .unwrap_or_default(),
                routed: path.is_some()
                    && !matches!(
                        carrier.field,
                        Field::RequestHeader | Field::ResponseHeader | Field::Cookie
                    ),
                requested: true,
                facts: OnceCell::new(),
            };
            // Who answers has sent what stands there, not received it.
            let answered = matches!(carrier.field, Field::ResponseHeader | Field::ResponseBody);
            let place = Place {
                rec: record,
                surface,
                field: carrier.field,
                owner: &owner,
                receiver: here.as_deref().filter(|_| !answered),
                via: None,
                depth: 0,
                keywords: &keywords,
                shapes: &shapes,
                paths: &paths,
                echo: carrier.echo,
            };
            self.carrier(carrier, place);
        }
        (self.shaped, self.pathed) = (shapes, paths);
        let whole = self.work > 0 && !self.short;
        let time = if self.hits.is_empty() {
            None
        } else {
            record
                .instant
                .or_else(|| record.time.and_then(|(t, form)| self.clock.read(t.bytes(), form)))
        };
        let since = record.first.filter(|first| time.is_none_or(|last| *first < last));
        self.settle(out, masks, (since, time));
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
                    // A redirect hands on what is in it as a request does; pages of the browser's own ask nobody.
                    let asks = url.scheme.is_none_or(|s| {
                        let s = s.bytes();
                        [&b"http"[..], b"https", b"ws", b"wss"]
                            .iter()
                            .any(|w| s.eq_ignore_ascii_case(w))
                    });
                    let named = url.authority.filter(|_| asks);
                    let receiver = named.and_then(|a| host::normalize(a.bytes()));
                    let receiver = receiver
                        .as_deref()
                        .or(place.receiver.filter(|_| carrier.field == Field::Url && asks));
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
            Content::Form(text) => self.params(text, Part::Form, place),
            Content::Markup(text) => self.markup(text, place),
            Content::Named(name, part, text) => {
                self.groups += 1;
                self.value(name, name.as_bytes(), text, text, part, Siblings::None, place);
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
            let base = Base::decoded(p.value, Coding::Percent);
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
            routed: true,
            requested: place.field == Field::Url && place.depth == 0,
            facts: OnceCell::new(),
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
        if let Some((user, password)) = userinfo.and_then(|u| u.split_once(b':')) {
            self.user = self.user_hash(user.bytes(), place);
            self.plain("userinfo", password, Part::Userinfo, place);
            self.user = None;
        }
        self.path(url.path, place);
        if let Some(query) = url.query {
            self.query(query, place);
        }
        if let Some(fragment) = url.fragment.filter(|f| !f.is_empty()) {
            // It stays in the browser (RFC 9110 §10.1.3): nobody received what is nested in it. What is handed on as a
            // value is received as a whole.
            let place = Place {
                receiver: place.receiver.filter(|_| place.depth > 0),
                ..place
            };
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
                let base = Base::decoded(query, Coding::Percent);
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
            let base = Base::decoded(raw, Coding::Percent);
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
        let base = Base::decoded(raw, Coding::Percent);
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
        self.paths(path, place);
        if memchr::memchr(b'=', path.bytes()).is_some() {
            let mut at = 0;
            for segment in path.bytes().split(|b| b"/;&?,".contains(b)) {
                let piece = path.slice(at..at + segment.len());
                at += segment.len() + 1;
                if let Some((name, value)) = piece.split_once(b'=') {
                    let decoded = Coding::Percent.decode(value.bytes());
                    let base = Base::decoded(value, Coding::Percent);
                    let plain = if matches!(decoded, Cow::Borrowed(_)) {
                        value
                    } else {
                        Text::new(&decoded, &base)
                    };
                    self.value("", name.bytes(), value, plain, Part::Path, Siblings::None, place);
                }
            }
        }
        // A slash that is encoded (`%2F`) is part of the segment it stands in.
        let mut begin = 0;
        let mut segments = Vec::new();
        let sought = !place.shapes.is_empty() || path.is_opaque();
        for segment in path.bytes().split(|b| *b == b'/').filter(|_| sought) {
            let end = begin + Coding::Percent.decode(segment).len();
            segments.push(begin..end);
            begin = end + 1;
        }
        if memchr::memchr(b'%', path.bytes()).is_none() {
            self.segments(path, &segments, place);
        } else {
            let decoded = Coding::Percent.decode(path.bytes());
            let base = Base::decoded(path, Coding::Percent);
            let plain = Text::new(&decoded, &base);
            self.segments(plain, &segments, place);
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
    pub(super) fn value(
        &mut self,
        name: &str,
        raw_name: &[u8],
        raw: Text,
        plain: Text,
        part: Part,
        siblings: Siblings,
        place: Place,
    ) {
        let (raw, plain) = match bare(plain) {
            Some(inside) => (inside, inside),
            None => (raw, plain),
        };
        if plain.is_empty() || !self.spend(plain.len()) {
            return;
        }
        let whole = if name.is_empty() {
            fold(raw_name)
        } else {
            fold(name.as_bytes())
        };
        let folded = match whole.last() {
            Some(last) if !self.knows(&whole) && self.knows(&last) => last,
            _ => whole,
        };
        // A header in a member of a log's own name.
        if folded.folded().ends_with("set_cookie") {
            return set_cookies(plain, &mut |pair| self.cookies(pair, place));
        }
        self.names(folded.folded(), folded.shown(), raw, plain, part, siblings, place);
        self.shapes(plain, folded.shown(), part, siblings, place);
        self.nested(plain, folded.shown(), part, place);
    }

    /// Whether rules look for that name.
    fn knows(&self, name: &Name) -> bool {
        !self.rules.named(name.folded().as_bytes()).is_empty()
    }

    /// The same for a name as it stands, or for the last part of it.
    pub(super) fn is_known(&self, name: &[u8]) -> bool {
        let name = fold(name);
        self.knows(&name) || name.last().is_some_and(|last| self.knows(&last))
    }

    /// Follows what is nested in a decoded value: URLs, JSON, base64 of JSON, pairs, and further encodings.
    fn nested(&mut self, plain: Text, name: &str, part: Part, place: Place) {
        let bytes = plain.bytes();
        if place.depth >= MAX_DEPTH {
            self.short |= may_go_on(bytes);
            return;
        }
        if bytes.len() < 6 || !self.spend(bytes.len()) {
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
            let base = Base::decoded(plain, Coding::Base64);
            if !decoded.is_empty() && self.json(Text::new(&decoded, &base), inner) {
                return;
            }
        }
        if memchr::memmem::find(bytes, b"%").is_some_and(|at| bytes.len() > at + 2) {
            let decoded = Coding::Percent.decode(bytes);
            if decoded.len() < bytes.len() {
                let base = Base::decoded(plain, Coding::Percent);
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
        if is_running_text(bytes) {
            return self.free(plain, inner);
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
            let base = Base::decoded(m.value, Coding::Json);
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
}
