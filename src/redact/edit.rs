//! From exposures to edits: which bytes of the source go, and what stands there instead. Inside base64 the change
//! is made in what was encoded, and encoded again; where that cannot be done safely, all of the base64 goes.

use super::kept::Kept;
use super::style::{Style, Units};
use crate::detect::Exposure;
use crate::scan::Taken;
use crate::secret::{Fingerprint, Key};
use crate::text::{Coding, coding_base64};
use std::borrow::Cow;
use std::ops::Range;

/// A change to the source's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Which bytes go, by their offsets in the source.
    pub span: Range<u64>,
    /// What stands there instead, in the source's units.
    pub with: Vec<u8>,
}

/// What edits are made with.
#[derive(Clone, Copy, Debug)]
pub struct Pen<'c> {
    /// The key of fingerprints.
    pub key: &'c Key,
    /// What stands in a credential's place.
    pub style: Style,
    /// The source's units.
    pub units: Units,
}

/// A stretch of the source.
#[derive(Clone, Copy)]
pub struct View<'b> {
    /// Its bytes.
    pub bytes: &'b [u8],
    /// Offset of the first in the source.
    pub offset: u64,
}

impl<'b> View<'b> {
    /// The bytes of a span, as far as they are here.
    pub fn get(&self, span: &Range<u64>) -> &'b [u8] {
        let at = |n: u64| (n.saturating_sub(self.offset) as usize).min(self.bytes.len());
        &self.bytes[at(span.start)..at(span.end).max(at(span.start))]
    }
}

impl Pen<'_> {
    /// The edits that remove `found`, which stands in `view`; in order, without overlaps. What is removed is kept.
    pub fn edits(&self, found: &[Taken], view: View, kept: &mut Kept) -> Vec<Edit> {
        let mut out = Vec::with_capacity(found.len());
        let mut opaque: Vec<&Taken> = Vec::new();
        for taken in found {
            let e = &taken.exposure;
            if let Some(value) = &e.removed {
                kept.add(e.fingerprint, value.expose());
            }
            // In pieces nothing can be encoded anew.
            if e.opaque.is_some() {
                opaque.push(taken);
                continue;
            }
            self.replace(&e.span, &taken.pieces, e.fingerprint, view, &mut out);
        }
        let place = |e: &Exposure| (e.opaque.as_ref().map(|o| (o.start, o.end)), e.span.start);
        opaque.sort_by_key(|t| place(&t.exposure));
        for group in opaque.chunk_by(|a, b| a.exposure.opaque == b.exposure.opaque) {
            let (Some(first), Some(span)) = (group.first(), group[0].exposure.opaque.as_ref()) else {
                continue;
            };
            let raw = self.joined(span, &first.pieces, view);
            let exposures: Vec<&Exposure> = group.iter().map(|t| &t.exposure).collect();
            let pieces = inside(span, &first.pieces).count();
            let within = if pieces > 1 {
                None
            } else {
                self.within(&exposures, span.start, &raw)
            };
            match within {
                Some(text) => out.push(Edit {
                    span: span.clone(),
                    with: self.units.encode(&text),
                }),
                None => self.replace(span, &first.pieces, first.exposure.fingerprint, view, &mut out),
            }
        }
        settle(out)
    }

    /// The text of a span, without what stands between the pieces of its line.
    fn joined<'b>(&self, span: &Range<u64>, pieces: &[Range<u64>], view: View<'b>) -> Cow<'b, [u8]> {
        if pieces.is_empty() {
            return self.units.decode(view.get(span));
        }
        inside(span, pieces)
            .flat_map(|part| view.get(&part).to_vec())
            .collect::<Vec<u8>>()
            .into()
    }

    /// Replaces a span whole: its first piece by what stands for the credential, the others by nothing.
    fn replace(
        &self,
        span: &Range<u64>,
        pieces: &[Range<u64>],
        fingerprint: Fingerprint,
        view: View,
        out: &mut Vec<Edit>,
    ) {
        let length = |span: &Range<u64>| (span.end - span.start) as usize / self.units.width();
        if pieces.is_empty() {
            let text = self.text(span, fingerprint, length(span), view);
            out.push(Edit {
                span: span.clone(),
                with: self.units.encode(&text),
            });
            return;
        }
        for (n, part) in inside(span, pieces).enumerate() {
            let with = if n == 0 || self.style == Style::Mask {
                self.text(&part, fingerprint, length(&part), view)
            } else {
                Vec::new()
            };
            out.push(Edit { span: part, with });
        }
    }

    /// What stands for a credential. A column that it fills is not left empty, for that would move the others.
    pub fn text(&self, span: &Range<u64>, fingerprint: Fingerprint, length: usize, view: View) -> Vec<u8> {
        let text = self.style.replacement(fingerprint, length);
        let width = self.units.width() as u64;
        let blank = |unit: &[u8]| unit.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0));
        let before = span.start.saturating_sub(width)..span.start;
        let column = blank(view.get(&before)) && blank(view.get(&(span.end..span.end + width)));
        if text.is_empty() && column {
            b"-".to_vec()
        } else {
            text
        }
    }

    /// The raw text of a base64 value after the credentials in what it encodes were replaced; `None` where it
    /// cannot be told exactly where they stand, or what is written would not read back.
    fn within(&self, found: &[&Exposure], start: u64, raw: &[u8]) -> Option<Vec<u8>> {
        let first = found.first()?;
        let level = first.chain.iter().position(|c| *c == Coding::Base64)?;
        let outer = &first.chain[..level];
        let coded = decode(outer, raw);
        let plain = coding_base64(&coded)?;
        let mut places: Vec<(Range<usize>, Fingerprint)> = Vec::new();
        let width = self.units.width();
        // They are in order: what stands before one is decoded once.
        let (mut known, mut before) = (0, 0);
        for e in found {
            let inner = &e.chain[level + 1..];
            if inner.contains(&Coding::Base64) || e.chain[..level] != *outer {
                return None;
            }
            // Offsets are those of the source, `raw` is decoded: in UTF-16 a unit of ASCII is two bytes.
            let at = |n: u64| n.checked_sub(start).map(|n| n as usize / width);
            let (begin, end) = (at(e.span.start)?, at(e.span.end)?);
            before += decode(outer, raw.get(known..begin)?).len();
            known = begin;
            let through = before + decode(outer, raw.get(begin..end)?).len();
            let (from, to) = (before / 4 * 3, (through.div_ceil(4) * 3).min(plain.len()));
            let place = (0..3)
                .flat_map(|a| (0..3).map(move |b| (a, b)))
                .find_map(|(a, b)| {
                    let range = from + a..to.checked_sub(b)?;
                    let value = decode(inner, plain.get(range.clone())?);
                    let same = value.len() == e.length && self.key.fingerprint(&value) == e.fingerprint;
                    same.then_some(range)
                })?;
            places.push((place, e.fingerprint));
        }
        places.sort_by_key(|(place, _)| place.start);
        let changed = places.first()?.0.start / 3;
        let mut new = Vec::with_capacity(plain.len());
        let mut at = 0;
        for (place, fingerprint) in &places {
            if place.start < at {
                continue;
            }
            new.extend_from_slice(&plain[at..place.start]);
            new.extend_from_slice(&self.style.replacement(*fingerprint, place.len()));
            at = place.end;
        }
        new.extend_from_slice(&plain[at..]);
        let tail = encode(&new[changed * 3..], &coded, raw, outer);
        let mut head = 0..changed * 4;
        let mut levels = vec![Cow::Borrowed(raw)];
        for coding in outer {
            levels.push(Cow::Owned(coding.decode(levels.last()?).into_owned()));
        }
        for (coding, text) in outer.iter().zip(&levels).rev() {
            head = coding.locate(text, head);
        }
        let written = [raw.get(head)?, &tail].concat();
        let again = coding_base64(&decode(outer, &written))?;
        (again == new).then_some(written)
    }
}

/// Base64 of `plain` in the alphabet of `coded` and with its padding, written as `raw` writes it.
fn encode(plain: &[u8], coded: &[u8], raw: &[u8], outer: &[Coding]) -> Vec<u8> {
    let has = |set: &[u8]| coded.iter().any(|b| set.contains(b));
    let padded = has(b"=") || coded.len().is_multiple_of(4) && !has(b"-_");
    let url = has(b"-_") || !padded && !has(b"+/");
    let encoding = match (url, padded) {
        (false, true) => data_encoding::BASE64,
        (false, false) => data_encoding::BASE64_NOPAD,
        (true, true) => data_encoding::BASE64URL,
        (true, false) => data_encoding::BASE64URL_NOPAD,
    };
    let mut text = encoding.encode(plain).into_bytes();
    for _ in outer.iter().filter(|c| **c == Coding::Percent) {
        let mut escaped = Vec::with_capacity(text.len());
        for &b in &text {
            let special = b == b'%' || b"+/=".contains(&b) && !raw.contains(&b);
            if special {
                escaped.extend_from_slice(format!("%{b:02X}").as_bytes());
            } else {
                escaped.push(b);
            }
        }
        text = escaped;
    }
    text
}

/// `raw` with all of `chain` undone.
fn decode<'r>(chain: &[Coding], raw: &'r [u8]) -> Cow<'r, [u8]> {
    chain.iter().fold(Cow::Borrowed(raw), |text, coding| match text {
        Cow::Borrowed(text) => coding.decode(text),
        Cow::Owned(text) => Cow::Owned(coding.decode(&text).into_owned()),
    })
}

/// The parts of `span` that stand in pieces, which are in order; all of it where there are none.
fn inside<'p>(span: &'p Range<u64>, pieces: &'p [Range<u64>]) -> impl Iterator<Item = Range<u64>> + 'p {
    let whole = pieces.is_empty().then(|| span.clone());
    let parts = pieces[pieces.partition_point(|p| p.end <= span.start)..]
        .iter()
        .take_while(|p| p.start < span.end)
        .map(|p| p.start.max(span.start)..p.end.min(span.end));
    whole.into_iter().chain(parts)
}

/// In order; where two overlap, the first takes what both cover.
fn settle(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by(|a, b| (a.span.start, b.span.end).cmp(&(b.span.start, a.span.end)));
    edits.dedup_by(|b, a| {
        let overlap = b.span.start < a.span.end || b.span == a.span;
        if overlap {
            a.span.end = a.span.end.max(b.span.end);
        }
        overlap
    });
    edits
}

/// `view` up to `end` with the edits made.
pub fn apply(view: View, edits: &[Edit], out: &mut Vec<u8>) {
    let mut at = view.offset;
    for e in edits {
        out.extend_from_slice(view.get(&(at..e.span.start)));
        out.extend_from_slice(&e.with);
        at = e.span.end;
    }
    out.extend_from_slice(view.get(&(at..view.offset + view.bytes.len() as u64)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_edits_become_one() {
        let edit = |a, b, w: &str| Edit {
            span: a..b,
            with: w.into(),
        };
        let got = settle(vec![
            edit(5, 9, "b"),
            edit(2, 6, "a"),
            edit(20, 21, "c"),
            edit(2, 3, "x"),
        ]);
        assert_eq!(got, [edit(2, 9, "a"), edit(20, 21, "c")]);
        let mut out = Vec::new();
        apply(
            View {
                bytes: b"0123456789",
                offset: 0,
            },
            &got[..1],
            &mut out,
        );
        assert_eq!(out, b"01a9");
    }
}
