//! Values are offered to the rules: by name, by shape, with what has to stand beside them and what they must not
//! be. What fits becomes a hit.

use super::Part;
use super::liveness::{self, Facts, Reading, Reply};
use super::name::fold;
use super::settle::Hit;
use super::siblings::Siblings;
use super::walk::{Detector, Place, bare};
use crate::record::{Content, Field, Record, is_absent};
use crate::rule::{Category, Compiled};
use crate::secret::Secret;
use crate::text::{Base, Coding, Text, shape};
use crate::url::Params;
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;

/// Shorter texts have no shape in them, in bytes.
const LEAST: usize = 8;

/// The value of the first of an authorization's parameters where that is the token: `Token token="…", nonce="…"` of
/// Rails.
fn parameter(credentials: Text) -> Text {
    if !credentials.bytes().starts_with(b"token=") {
        return credentials;
    }
    let first = credentials
        .split_once(b',')
        .map_or(credentials, |(first, _)| first);
    let value = first.from(b"token=".len()).trim();
    bare(value).unwrap_or(value)
}

/// A value that is offered to rules.
pub(super) struct Offer<'t> {
    /// Its name as rules know names, and as reports show it.
    folded: &'t str,
    shown: &'t str,
    /// As it stands, and decoded.
    raw: Text<'t>,
    plain: Text<'t>,
    part: Part,
    siblings: Siblings<'t>,
    /// Whether it stands for a credential without being one, once a rule asks.
    placeholder: OnceCell<bool>,
}

impl<'t> Offer<'t> {
    fn new(
        (folded, shown): (&'t str, &'t str),
        raw: Text<'t>,
        plain: Text<'t>,
        part: Part,
        siblings: Siblings<'t>,
    ) -> Self {
        Offer {
            folded,
            shown,
            raw,
            plain,
            part,
            siblings,
            placeholder: OnceCell::new(),
        }
    }

    /// What the rules for shapes saw in a text.
    fn seen(name: &'t str, value: Text<'t>, part: Part, siblings: Siblings<'t>) -> Self {
        Offer::new((name, name), value, value, part, siblings)
    }

    /// Whether the value stands for a credential without being one. Notices and CSRF tokens are about the fact that
    /// something stands there.
    fn is_masked(&self, rule: &Compiled) -> bool {
        let value = self.plain.bytes();
        if matches!(rule.spec.category, Category::Notice | Category::AntiForgery) {
            return value.is_empty() || is_absent(value) || shape::is_redacted(value);
        }
        *self
            .placeholder
            .get_or_init(|| is_absent(value) || is_placeholder(value))
    }
}

/// Whether a value is a placeholder, however often it is encoded.
fn is_placeholder(value: &[u8]) -> bool {
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

impl Detector<'_> {
    /// Offers a value to the rules for its name.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn names(
        &mut self,
        folded: &str,
        shown: &str,
        raw: Text,
        plain: Text,
        part: Part,
        siblings: Siblings,
        place: Place,
    ) {
        let known = self.rules.named(folded.as_bytes());
        if known.is_empty() {
            return;
        }
        let rules = self.rules;
        let bytes = plain.bytes();
        // `Authorization: Bearer …`, and the same as a parameter.
        let scheme = bytes
            .iter()
            .take(24)
            .position(|&b| b == b' ' || b == b'+')
            .map(|n| (&bytes[..n], n + 1));
        // Only under names that rules know: the raw line has to tell that there is something.
        if let Some((word, at)) = scheme {
            if word.eq_ignore_ascii_case(b"basic") {
                let coded = plain.from(at).trim();
                let decoded = Coding::Base64.decode(coded.bytes());
                let base = Base::decoded(coded, Coding::Base64);
                if let Some((user, password)) = Text::new(&decoded, &base).split_once(b':') {
                    self.user = self.user_hash(user.bytes(), place);
                    let offer = Offer::new((folded, shown), coded, password, part, siblings);
                    self.offer(rules.named(b"basic"), &offer, place);
                    self.user = None;
                    return;
                }
            }
            let schemes: [&[u8]; 6] = [b"bearer", b"token", b"apikey", b"api-key", b"oauth", b"jwt"];
            // Schemes of vendors' own (`GenieKey …`, `api_key …`) stand before one value in that header, and nowhere else.
            let own = matches!(folded, "authorization" | "proxy_authorization")
                && word.first().is_some_and(u8::is_ascii_alphabetic)
                && word
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
                && !plain.from(at).trim().bytes().iter().any(|b| b" ,=".contains(b))
                && plain.len() > at + 12;
            if own || schemes.iter().any(|s| s.eq_ignore_ascii_case(word)) {
                let value = parameter(plain.from(at).trim());
                let offer = Offer::new((folded, shown), value, value, part, siblings);
                return self.offer(known, &offer, place);
            }
        }
        let offer = Offer::new((folded, shown), raw, plain, part, siblings);
        self.offer(known, &offer, place);
    }

    /// Offers a value to the rules for one name, the most specific of which comes first and stands; of the others only
    /// those matter that claim what stands beside the value.
    fn offer(&mut self, known: &[u16], offer: &Offer, place: Place) {
        let rules = self.rules;
        let mut stands = false;
        for &n in known {
            let rule = &rules.rules[usize::from(n)];
            if stands && rule.spec.attributes.is_empty() {
                continue;
            }
            if self.fits(n, offer, place) {
                self.push(n, offer, place);
                stands |= rule.enabled;
            }
        }
    }

    /// Whether a rule for the name wants the value; what dismisses most of them at the least cost is asked first.
    fn fits(&mut self, n: u16, offer: &Offer, place: Place) -> bool {
        let rule = &self.rules.rules[usize::from(n)];
        let value = offer.plain.bytes();
        rule.looks_at(place.surface, place.field, offer.part)
            && rule.fits_length(value)
            && (rule.keywords.is_empty() || rule.keywords.meets(place.keywords))
            && self.suits(n, place)
            && rule.accepts(value)
            && !offer.is_masked(rule)
            && self.has_beside_it(n, offer.siblings)
            && !self.refuted(offer.plain, place)
    }

    /// Whether the value is a token of a known kind, as a whole, and its checksum says that it is none.
    fn refuted(&self, plain: Text, place: Place) -> bool {
        let rules = self.rules;
        rules.refuting.iter().any(|&n| {
            let rule = &rules.rules[usize::from(n)];
            (plain.is_opaque() || rule.keywords.meets(place.keywords)) && rule.refutes(plain.bytes())
        })
    }

    /// Whether request and owner are those the rule holds for.
    fn suits(&self, n: u16, place: Place) -> bool {
        let rule = &self.rules.rules[usize::from(n)];
        rule.holds_for_method(place.rec.method.map(|m| m.bytes())) && place.owner.holds(n, rule, &self.recent)
    }

    /// Whether the companions are those the rule holds for.
    fn has_beside_it(&mut self, n: u16, siblings: Siblings) -> bool {
        let rule = &self.rules.rules[usize::from(n)];
        if !rule.has_companions() {
            return true;
        }
        let when = &rule.spec.when;
        let companions = &mut self.companions;
        rule.with.iter().all(|(name, m)| {
            companions
                .get(siblings, name)
                .is_some_and(|v| m.as_ref().is_none_or(|m| m.is_match(v)))
        }) && (when.with_any.is_empty()
            || when
                .with_any
                .iter()
                .any(|n| companions.get(siblings, n).is_some()))
            && !when.without.iter().any(|n| companions.get(siblings, n).is_some())
    }

    /// Offers a path to the rules for paths.
    pub(super) fn paths(&mut self, path: Text, place: Place) {
        let rules = self.rules;
        for &n in place.paths {
            let rule = &rules.rules[usize::from(n)];
            if !rule.looks_at(place.surface, place.field, Part::Path) {
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
            self.take(
                n,
                &Offer::seen("", path.slice(secret.range()), Part::Path, Siblings::None),
                place,
            );
        }
    }

    /// Looks for shapes in decoded text.
    pub(super) fn shapes(&mut self, text: Text, name: &str, part: Part, siblings: Siblings, place: Place) {
        self.shapes_among(text, &[], name, part, siblings, place);
    }

    /// Looks for shapes in the decoded `path`, in each of its `segments`: a slash ends what stands in one.
    pub(super) fn segments(&mut self, path: Text, segments: &[Range<usize>], place: Place) {
        self.shapes_among(path, segments, "", Part::Path, Siblings::None, place);
    }

    fn shapes_among(
        &mut self,
        text: Text,
        segments: &[Range<usize>],
        name: &str,
        part: Part,
        siblings: Siblings,
        place: Place,
    ) {
        let rules = self.rules;
        if text.len() < LEAST {
            return;
        }
        let mut own = Vec::new();
        let worth = if text.is_opaque() {
            // The raw record does not show what stands in it. Some literals begin with what stands before a value.
            let keywords = rules.keywords_in(&[b"\"", text.bytes()].concat());
            rules.worth(&rules.shapes, &keywords, place.surface, &mut own);
            &own
        } else {
            place.shapes
        };
        for &n in worth {
            let rule = &rules.rules[usize::from(n)];
            if !rule.looks_at(place.surface, place.field, part) {
                continue;
            }
            if !self.spend(text.len()) {
                return;
            }
            if segments.is_empty() || rule.spans_segments() {
                self.search(n, text, name, part, siblings, place);
                continue;
            }
            for segment in segments.iter().filter(|s| s.len() >= LEAST) {
                self.search(n, text.slice(segment.clone()), name, part, siblings, place);
            }
        }
    }

    /// Looks for the shape of one rule.
    fn search(&mut self, n: u16, text: Text, name: &str, part: Part, siblings: Siblings, place: Place) {
        let rule = &self.rules.rules[usize::from(n)];
        let Some(regex) = rule.shape.as_ref().and_then(|m| m.regex()) else {
            return;
        };
        let loose = rule.spec.shape.as_ref().is_some_and(|s| s.loose);
        let bytes = text.bytes();
        let touches = |i: Option<usize>| {
            i.and_then(|i| bytes.get(i))
                .is_some_and(|b| b.is_ascii_alphanumeric() || b"_-".contains(b))
        };
        // Paths stand in values and running text, too: what begins right after a slash ends at the next.
        let slash = |secret: &Range<usize>| {
            let begins = secret.start.checked_sub(1).is_some_and(|i| bytes[i] == b'/');
            let first = memchr::memchr(b'/', &bytes[secret.clone()]).filter(|_| begins);
            first
                .filter(|_| !rule.spans_segments())
                .map(|at| secret.start + at)
        };
        let mut at = 0;
        while at <= bytes.len()
            && let Some(found) = regex.captures_at(bytes, at)
            && let Some(all) = found.get(0)
        {
            let mut all = all.range();
            let mut secret = found.name("secret").map_or(all.clone(), |m| m.range());
            at = if all.is_empty() { all.end + 1 } else { all.end };
            if let Some(end) = slash(&secret) {
                // The search has read beyond what it takes.
                if !self.spend(all.len()) {
                    return;
                }
                at = end + 1;
                let shorter = regex.captures_at(&bytes[..end], all.start);
                let Some((fit, found)) = shorter
                    .as_ref()
                    .and_then(|s| Some((s.get(0)?, s)))
                    .filter(|(fit, _)| fit.start() == all.start)
                else {
                    continue;
                };
                all = fit.range();
                secret = found.name("secret").map_or(all.clone(), |m| m.range());
            }
            if !loose && (touches(all.start.checked_sub(1)) || touches(Some(all.end))) {
                continue;
            }
            self.take(n, &Offer::seen(name, text.slice(secret), part, siblings), place);
        }
    }

    /// What an expression of a rule has met, if the rule wants it.
    fn take(&mut self, n: u16, offer: &Offer, place: Place) {
        let rule = &self.rules.rules[usize::from(n)];
        let value = offer.plain.bytes();
        let fits = rule.accepts(value)
            && !offer.is_masked(rule)
            && self.suits(n, place)
            && self.has_beside_it(n, offer.siblings);
        if fits {
            self.push(n, offer, place);
        }
    }

    /// Takes note of a hit.
    fn push(&mut self, n: u16, offer: &Offer, place: Place) {
        let rule = &self.rules.rules[usize::from(n)];
        let span = if offer.plain.is_empty() {
            offer.raw.span()
        } else {
            offer.plain.span()
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
        let reading = rule.spec.liveness.map_or(Reading::UNKNOWN, |basis| {
            let companions = RefCell::new(&mut self.companions);
            let param = |name: &str| {
                companions
                    .borrow_mut()
                    .get(offer.siblings, name)
                    .map(<[u8]>::to_vec)
            };
            let asked = |name: &str| asked(place.rec, name);
            let reply = (place.field == Field::ResponseBody).then_some(Reply {
                path: owner.path,
                param: &asked,
            });
            liveness::read(
                basis,
                &Facts {
                    value: offer.plain.bytes(),
                    time: time(),
                    clock: self.clock,
                    param: &param,
                    reply,
                },
            )
        });
        let user = match rule.spec.category {
            Category::Password => self.user.or_else(|| self.user_beside(offer.siblings, place)),
            _ => None,
        };
        let mut via = Vec::new();
        let mut at = place.via;
        while let Some(v) = at {
            via.push(crate::report::safe::name(v.name).into());
            at = v.outer;
        }
        via.reverse();
        let secret = Secret::new(offer.plain.bytes());
        self.hits.push(Hit {
            rule: n,
            tier: rule.tier,
            field: place.field,
            part: offer.part,
            name: crate::report::safe::name(offer.shown),
            folded: offer.folded.replace(['-', '.'], "_"),
            group: offer.siblings.group(),
            via,
            scheme: owner.scheme.as_deref().map(Into::into),
            host: owner.host.as_deref().map(Into::into),
            route: owner.route(rule.spec.scope, place.rec.status, &self.recent),
            leaked_to: place
                .receiver
                .filter(|_| nested && third == Some(true))
                .map(Into::into),
            same_party: place.field == Field::Referer && third == Some(false),
            span,
            opaque: offer.plain.opaque_span(),
            chain: offer.plain.chain(),
            secret,
            liveness: reading.life,
            identity: reading.identity,
            user,
            echo: place.echo,
        });
    }
}

/// A parameter of the request, by folded name, decoded: of its query, or of a form in its body.
fn asked(record: &Record, name: &str) -> Option<Vec<u8>> {
    let lists = record
        .carriers
        .iter()
        .filter_map(|c| match (c.field, &c.content) {
            (Field::Url, Content::Url(url)) => url.query,
            (Field::RequestBody, Content::Form(form)) => Some(*form),
            _ => None,
        });
    lists
        .flat_map(Params::new)
        .find(|p| fold(p.name.bytes()).folded() == name)
        .map(|p| Coding::Percent.decode(p.value.bytes()).into_owned())
}

/// Names under which the user stands beside a password, folded; the likeliest first.
pub(crate) const USERS: &[&str] = &[
    "username",
    "user",
    "login",
    "email",
    "userid",
    "user_name",
    "j_username",
    "account",
    "uid",
    "usr",
    "uname",
    "user_id",
    "loginname",
    "login_name",
    "mail",
    "name",
    "log",
    "user_login",
    "txtusername",
    "benutzer",
];

impl Detector<'_> {
    /// The keyed hash of a user of the owner's host.
    pub(super) fn user_hash(&self, user: &[u8], place: Place) -> Option<u64> {
        let user = user.trim_ascii();
        if user.is_empty() || user.len() > 256 {
            return None;
        }
        let host = place.owner.host.as_deref().unwrap_or_default();
        let whole = [b"user\0", host.as_bytes(), b"\0", &user.to_ascii_lowercase()].concat();
        Some(self.key.fingerprint(&whole).0)
    }

    /// The same of the user that is named beside a password.
    fn user_beside(&mut self, siblings: Siblings, place: Place) -> Option<u64> {
        let companions = &mut self.companions;
        let user = USERS
            .iter()
            .find_map(|name| companions.get(siblings, name).map(<[u8]>::to_vec))?;
        self.user_hash(&user, place)
    }
}
