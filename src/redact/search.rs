//! The search for removed credentials: raw, percent-encoded and in base64, many at once, in time that does not
//! depend on how many there are while they are few, and that no input can make quadratic.
//!
//! It looks for the last bytes of each pattern, its anchor: anchors are where tokens differ, their beginnings are
//! alike (`eyJhbGciOi`). Of the text every few bytes one gram is looked up in a table of bits that has all grams of all
//! anchors. The steps are as long as an anchor has grams, so that each anchor is met at exactly one of them; and as no
//! look-up waits for another, it costs little more than reading. Patterns can be added while a stream is read.

use super::kept::{Kept, SHORTEST};
use super::style::{self, MARK_LENGTH, Units};
use crate::secret::Fingerprint;
use std::collections::HashMap;
use std::ops::Range;

/// Bytes that are looked at together.
const GRAM: usize = 4;

/// Lengths that patterns with one anchor have, at most: what has more is made to be slow.
const LENGTHS: usize = 16;

/// Patterns that are looked for at most: each credential has four or more. What a stream removes beyond is not
/// looked for.
const MOST: usize = 400_000;

/// Longest anchor, in characters.
const LONGEST_ANCHOR: usize = 20;

/// Bits of the tables' index, at the least and at the most.
const BITS: Range<u32> = 15..24;

/// How many places a table has for each gram, at the least, as long as it may grow.
const SPARSE: usize = 12;

struct Pattern {
    bytes: Box<[u8]>,
    fingerprint: Fingerprint,
    encoded: bool,
}

/// A place where a removed credential still stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where, in the bytes that were searched.
    pub range: Range<usize>,
    /// Which one.
    pub fingerprint: Fingerprint,
}

/// Looks for removed credentials.
pub struct Searcher {
    units: Units,
    /// Bytes of an anchor.
    anchor: usize,
    patterns: Vec<Pattern>,
    by_anchor: HashMap<Box<[u8]>, Vec<u32>>,
    /// All grams of all anchors, and the last ones.
    grams: Grams,
    ends: Grams,
}

/// Which grams there are: a bit for each, where its hash says. It may say too much, never too little.
struct Grams {
    table: Vec<u64>,
    bits: u32,
    entered: usize,
}

impl Grams {
    fn new(bits: u32) -> Grams {
        Grams {
            table: vec![0; 1 << (bits - 6)],
            bits,
            entered: 0,
        }
    }

    /// Enters a gram; false where the table should be larger.
    fn enter(&mut self, gram: [u8; GRAM]) -> bool {
        let n = self.slot(gram);
        self.table[n / 64] |= 1 << (n % 64);
        self.entered += 1;
        self.entered * SPARSE <= 1 << self.bits || self.bits >= BITS.end
    }

    fn has(&self, gram: [u8; GRAM]) -> bool {
        let n = self.slot(gram);
        self.table[n / 64] >> (n % 64) & 1 != 0
    }

    fn slot(&self, gram: [u8; GRAM]) -> usize {
        (u32::from_le_bytes(gram).wrapping_mul(0x9E37_79B1) >> (32 - self.bits)) as usize
    }
}

/// The gram at `at`, if the text is long enough.
fn gram(text: &[u8], at: usize) -> Option<[u8; GRAM]> {
    text.get(at..at + GRAM)?.try_into().ok()
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Searcher({} patterns)", self.patterns.len())
    }
}

impl Searcher {
    /// For sources in these units, with nothing to look for yet.
    pub fn new(units: Units) -> Searcher {
        Searcher::anchored(units, SHORTEST)
    }

    /// For what was removed from a source in these units. The longer the shortest of it is, the more is skipped.
    pub fn of(kept: &Kept, units: Units) -> Searcher {
        let shortest = kept
            .iter()
            .map(|(_, value)| value.len())
            .min()
            .unwrap_or(SHORTEST);
        let mut searcher = Searcher::anchored(units, shortest.clamp(SHORTEST, LONGEST_ANCHOR));
        kept.iter().for_each(|(f, v)| searcher.add(f, v));
        searcher
    }

    fn anchored(units: Units, anchor: usize) -> Searcher {
        let anchor = anchor * units.width();
        Searcher {
            units,
            anchor,
            patterns: Vec::new(),
            by_anchor: HashMap::new(),
            grams: Grams::new(BITS.start),
            ends: Grams::new(BITS.start),
        }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Looks for `value`, too, in all the forms that it can have.
    pub fn add(&mut self, fingerprint: Fingerprint, value: &[u8]) {
        let raw = self.units.encode(value);
        if raw.len() < self.anchor || self.patterns.len() >= MOST || self.knows(&raw) {
            return;
        }
        self.pattern(fingerprint, value, false);
        for form in percent_forms(value) {
            self.pattern(fingerprint, &form, false);
        }
        for form in base64_forms(value) {
            self.pattern(fingerprint, &form, true);
        }
    }

    /// The patterns with that anchor, by length and then by their bytes.
    fn alike(&self, anchor: &[u8]) -> &[u32] {
        self.by_anchor.get(anchor).map_or(&[], Vec::as_slice)
    }

    /// Where among `alike` a pattern stands or would stand.
    fn place(&self, alike: &[u32], bytes: &[u8]) -> Result<usize, usize> {
        alike.binary_search_by(|&n| {
            let other = &self.patterns[n as usize].bytes;
            (other.len(), &**other).cmp(&(bytes.len(), bytes))
        })
    }

    fn knows(&self, bytes: &[u8]) -> bool {
        let alike = self.alike(&bytes[bytes.len() - self.anchor..]);
        self.place(alike, bytes).is_ok()
    }

    fn pattern(&mut self, fingerprint: Fingerprint, text: &[u8], encoded: bool) {
        let bytes = self.units.encode(text);
        let anchor = &bytes[bytes.len() - self.anchor..];
        let alike = self.alike(anchor);
        let Err(place) = self.place(alike, &bytes) else {
            return;
        };
        let length = |n: &u32| self.patterns[*n as usize].bytes.len();
        if alike.chunk_by(|a, b| length(a) == length(b)).count() >= LENGTHS
            && !alike.iter().any(|n| length(n) == bytes.len())
        {
            return;
        }
        let number = self.patterns.len() as u32;
        self.by_anchor
            .entry(anchor.into())
            .or_default()
            .insert(place, number);
        self.patterns.push(Pattern {
            bytes: bytes.into(),
            fingerprint,
            encoded,
        });
        while !self.enter(self.patterns.len() - 1) {
            let bits = (self.grams.bits + 1).min(BITS.end);
            (self.grams, self.ends) = (Grams::new(bits), Grams::new(bits));
            (0..self.patterns.len() - 1).for_each(|n| {
                self.enter(n);
            });
        }
    }

    /// Bytes of a step: as many as an anchor has grams.
    fn step(&self) -> usize {
        self.anchor - GRAM + 1
    }

    /// Enters a pattern's anchor into the tables; false where they should be larger.
    fn enter(&mut self, n: usize) -> bool {
        let bytes = &self.patterns[n].bytes;
        let anchor = &bytes[bytes.len() - self.anchor..];
        let mut room = true;
        for gram in anchor.windows(GRAM).filter_map(|w| gram(w, 0)) {
            room &= self.grams.enter(gram);
        }
        if let Some(last) = gram(anchor, self.anchor - GRAM) {
            room &= self.ends.enter(last);
        }
        room
    }

    /// Appends every place in `text` where a removed credential stands, in order, without overlaps. Marks are
    /// passed over. Where it stands in base64, all that could belong to that base64 is taken.
    pub fn find(&self, text: &[u8], out: &mut Vec<Match>) {
        if self.patterns.is_empty() {
            return;
        }
        let step = self.step();
        let mut free = 0; // nothing before this is looked at again
        let mut first = self.anchor; // no anchor that is looked for ends before this
        let mut at = 0;
        while let Some(here) = gram(text, at) {
            if self.grams.has(here) {
                // Every anchor that has this gram ends in one of these places.
                let last = (at + self.anchor).min(text.len());
                let mut end = first.max(at + GRAM);
                while end <= last {
                    let may = gram(text, end - GRAM).is_some_and(|g| self.ends.has(g));
                    match may.then(|| self.at(text, free, end)).flatten() {
                        Some(found) => {
                            free = found.range.end;
                            first = free.max(end) + 1;
                            end = first;
                            out.push(found);
                        }
                        None => end += 1,
                    }
                }
            }
            at += step;
        }
    }

    /// The longest pattern that ends at `end` and begins at `free` or later.
    fn at(&self, text: &[u8], free: usize, end: usize) -> Option<Match> {
        let mut alike = self.alike(&text[end - self.anchor..end]);
        let pattern = loop {
            // From the longest to the shortest length.
            let last = self.patterns.get(*alike.last()? as usize)?;
            let window = end.checked_sub(last.bytes.len()).filter(|&start| start >= free);
            let found = window.and_then(|start| self.place(alike, &text[start..end]).ok());
            if let Some(n) = found {
                break &self.patterns[alike[n] as usize];
            }
            let shorter =
                alike.partition_point(|&n| self.patterns[n as usize].bytes.len() < last.bytes.len());
            alike = &alike[..shorter];
        };
        let mut range = end - pattern.bytes.len()..end;
        if self.marked(text, &range) {
            return None;
        }
        if pattern.encoded {
            range = self.widen(text, free, range);
        }
        Some(Match {
            range,
            fingerprint: pattern.fingerprint,
        })
    }

    /// Whether a mark reaches into `range`.
    fn marked(&self, text: &[u8], range: &Range<usize>) -> bool {
        let width = self.units.width();
        let first = range.start.saturating_sub((MARK_LENGTH - 1) * width);
        let first = first + (range.start - first) % width;
        (first..range.end).step_by(width).any(|n| {
            let letter = text[if self.units == Units::Big { n + 1 } else { n }];
            let end = (n + MARK_LENGTH * width).min(text.len());
            letter == style::MARK.as_bytes()[0]
                && end > range.start
                && style::begins_mark(&self.units.decode(&text[n..end]))
        })
    }

    /// All of the base64 around `range`.
    fn widen(&self, text: &[u8], free: usize, range: Range<usize>) -> Range<usize> {
        let width = self.units.width();
        let belongs = |n: usize, more: &[u8]| {
            let unit = self.units.decode(&text[n..n + width]);
            matches!(&*unit, [b] if b.is_ascii_alphanumeric() || more.contains(b))
        };
        let Range { mut start, mut end } = range;
        // `=` before it parts a name from it, `=` after it is padding.
        while start >= free + width && belongs(start - width, b"+-_") {
            start -= width;
        }
        while end + width <= text.len() && belongs(end, b"+-_=") {
            end += width;
        }
        start..end
    }
}

/// Ways to write `value` with `%HH` that differ from it, with large or small digits: by RFC 3986, as JavaScript
/// does and as forms do it, and with all that is no letter and no digit encoded.
fn percent_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let encode = |keep: &[u8], upper: bool| {
        let mut out = Vec::with_capacity(value.len());
        for &b in value {
            if b.is_ascii_alphanumeric() || keep.contains(&b) {
                out.push(b);
            } else if upper {
                out.extend_from_slice(format!("%{b:02X}").as_bytes());
            } else {
                out.extend_from_slice(format!("%{b:02x}").as_bytes());
            }
        }
        out
    };
    let kept: [&[u8]; 4] = [b"-._~", b"-._~!*'()", b"-._*", b""];
    let mut out: Vec<Vec<u8>> = kept
        .iter()
        .flat_map(|keep| [encode(keep, true), encode(keep, false)])
        .collect();
    out.retain(|form| form != value);
    out.sort();
    out.dedup();
    out
}

/// What every base64 text that holds `value` contains, for each place in a group of three and both alphabets.
fn base64_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for before in 0..3usize {
        let padded = [&[0; 2][..before], value].concat();
        // Characters that hold bits of other bytes are left out at both ends.
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        for encoding in [data_encoding::BASE64_NOPAD, data_encoding::BASE64URL_NOPAD] {
            out.push(encoding.encode(&padded).as_bytes()[first..last].to_vec());
        }
    }
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Coding;
    use proptest::prelude::*;

    fn searcher(values: &[Vec<u8>], units: Units) -> Searcher {
        let mut s = Searcher::new(units);
        for (n, v) in values.iter().enumerate() {
            s.add(Fingerprint(n as u64), v);
        }
        s
    }

    #[test]
    fn a_credential_is_found_in_every_form() {
        let value = b"Summer/2026+Rain?~".to_vec();
        let forms: Vec<Vec<u8>> = [b"".as_slice(), b"x", b"xy", b"xyz"]
            .iter()
            .flat_map(|before| {
                let text = [before, value.as_slice(), b"\"}"].concat();
                [
                    data_encoding::BASE64.encode(&text).into_bytes(),
                    data_encoding::BASE64URL_NOPAD.encode(&text).into_bytes(),
                    text,
                ]
            })
            .chain(percent_forms(&value))
            .collect();
        for units in [Units::Bytes, Units::Little, Units::Big] {
            let s = searcher(std::slice::from_ref(&value), units);
            for form in &forms {
                let text = units.encode(&[b"a=".as_slice(), form, b" &rest of the line\n"].concat());
                let mut found = Vec::new();
                s.find(&text, &mut found);
                assert_eq!(found.len(), 1, "{units:?} {}", String::from_utf8_lossy(form));
            }
        }
    }

    #[test]
    fn base64_is_taken_whole_and_marks_are_passed_over() {
        let s = searcher(
            &[b"PLAINSIGHT-0123".to_vec(), b"password-is-this".to_vec()],
            Units::Bytes,
        );
        let coded = data_encoding::BASE64.encode(b"{\"p\":\"password-is-this\",\"q\":1}");
        let text = format!("x=PLAINSIGHT-0123456789abcdef&a={coded}&b=1");
        let mut found = Vec::new();
        s.find(text.as_bytes(), &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(
            &text[found[0].range.clone()],
            format!("a={coded}").get(2..).unwrap()
        );
    }

    proptest! {
        /// What a search for each one finds, the search for all finds.
        #[test]
        fn nothing_is_passed_over(
            values in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab".as_slice()), 12..20), 1..6),
            text in prop::collection::vec(prop::sample::select(b"ab\n".as_slice()), 0..400),
        ) {
            let mut found = Vec::new();
            searcher(&values, Units::Bytes).find(&text, &mut found);
            let mut left = text.clone();
            for m in &found {
                left[m.range.clone()].fill(b'.');
            }
            for v in &values {
                prop_assert!(memchr::memmem::find(&left, v).is_none());
            }
            // Base64 can be found by chance in nothing that is so short.
            for m in &found {
                prop_assert!(values.iter().any(|v| text[m.range.clone()] == **v));
            }
        }

        #[test]
        fn base64_forms_are_what_decodes(value in prop::collection::vec(any::<u8>(), 12..40), before in 0usize..7) {
            let text = [&b"abcdefg"[..before], &value, b"tail"].concat();
            let coded = data_encoding::BASE64.encode(&text).into_bytes();
            prop_assert_eq!(&*Coding::Base64.decode(&coded), &text[..]);
            let mut found = Vec::new();
            searcher(&[value], Units::Bytes).find(&coded, &mut found);
            prop_assert_eq!(found.len(), 1);
        }
    }
}
