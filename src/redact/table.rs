//! The patterns of a search and where they stand in a text: many at once, in time that does not depend on how many
//! there are while they are few, and that no input can make quadratic.
//!
//! It looks for the last bytes of each pattern, its anchor: anchors are where tokens differ, their beginnings are
//! alike (`eyJhbGciOi`). Of the text every few bytes one gram is looked up in a table of bits that has all grams of all
//! anchors. The steps are as long as an anchor has grams, so that each anchor is met at exactly one of them; and as no
//! look-up waits for another, it costs little more than reading. Patterns can be added while a stream is read.

use super::style::{self, MARK_LENGTH};
use crate::secret::Fingerprint;
use std::collections::HashMap;
use std::ops::Range;

/// Bytes that are looked at together.
const GRAM: usize = 4;

/// Lengths that patterns with one anchor have, at most: what has more is made to be slow.
const LENGTHS: usize = 16;

/// Patterns that are looked for at most: each credential has four or more. What is removed beyond is not looked
/// for.
const MOST: usize = 400_000;

/// Bits of the tables' index, at the least and at the most.
const BITS: Range<u32> = 15..24;

/// How many places a table has for each gram, at the least, as long as it may grow.
const SPARSE: usize = 12;

struct Pattern {
    bytes: Box<[u8]>,
    fingerprint: Fingerprint,
    encoded: bool,
}

/// A place where a pattern stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where, in the bytes that were searched.
    pub range: Range<usize>,
    /// Of which credential it is.
    pub fingerprint: Fingerprint,
}

/// What is looked for.
pub struct Table {
    /// Bytes of an anchor.
    anchor: usize,
    /// Bytes of the longest pattern.
    pub longest: usize,
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

impl Table {
    /// For patterns of at least so many bytes; the longer the shortest of them is, the more is skipped.
    pub fn new(anchor: usize) -> Table {
        Table {
            anchor,
            longest: 0,
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

    /// Patterns that are looked for.
    pub fn len(&self) -> usize {
        self.patterns.len()
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

    /// Whether `bytes` are looked for.
    pub fn knows(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.anchor
            && self
                .place(self.alike(&bytes[bytes.len() - self.anchor..]), bytes)
                .is_ok()
    }

    /// Looks for `bytes`, too; for the `encoded` ones a place is widened. What is shorter than an anchor is not looked
    /// for.
    pub fn add(&mut self, fingerprint: Fingerprint, bytes: &[u8], encoded: bool) {
        if bytes.len() < self.anchor || self.patterns.len() >= MOST {
            return;
        }
        let anchor = &bytes[bytes.len() - self.anchor..];
        let alike = self.alike(anchor);
        let Err(place) = self.place(alike, bytes) else {
            return;
        };
        let length = |n: &u32| self.patterns[*n as usize].bytes.len();
        if alike.chunk_by(|a, b| length(a) == length(b)).count() >= LENGTHS
            && !alike.iter().any(|n| length(n) == bytes.len())
        {
            return;
        }
        self.longest = self.longest.max(bytes.len());
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

    /// Gives every place in `text` where a pattern stands, in order, without overlaps. Marks are passed over.
    /// `widen` is told what is free and where an encoded one stands, and says what all belongs to it.
    pub fn find(
        &self,
        text: &[u8],
        widen: impl Fn(usize, Range<usize>) -> Range<usize>,
        mut each: impl FnMut(Match),
    ) {
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
                    match may.then(|| self.at(text, free, end, &widen)).flatten() {
                        Some(found) => {
                            free = found.range.end;
                            first = free.max(end) + 1;
                            end = first;
                            each(found);
                        }
                        None => end += 1,
                    }
                }
            }
            at += step;
        }
    }

    /// The longest pattern that ends at `end` and begins at `free` or later.
    fn at(
        &self,
        text: &[u8],
        free: usize,
        end: usize,
        widen: &impl Fn(usize, Range<usize>) -> Range<usize>,
    ) -> Option<Match> {
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
        if marked(text, &range) {
            return None;
        }
        if pattern.encoded {
            range = widen(free, range);
        }
        Some(Match {
            range,
            fingerprint: pattern.fingerprint,
        })
    }
}

/// Whether a mark reaches into `range`.
fn marked(text: &[u8], range: &Range<usize>) -> bool {
    let first = range.start.saturating_sub(MARK_LENGTH - 1);
    (first..range.end).any(|n| {
        text[n] == style::MARK.as_bytes()[0]
            && n + MARK_LENGTH > range.start
            && style::begins_mark(&text[n..])
    })
}
