//! One pass over a block by vectors of bytes: newlines are counted, every `=` is seen, and every place where
//! four bytes fit a window, a small pattern of syntax (`%3D`, `":`, `@`) or four bytes out of a literal.
//!
//! A window is told as Teddy does it: twenty-four buckets, for each of a window's four positions two tables by the
//! nibbles of the byte there; a place fits a bucket when all eight look-ups agree. Literals go to buckets, each
//! by those of its bytes, that make a chance hit least likely in logs; what remains is looked up by its four
//! bytes. The cost hardly depends on how many literals there are.

use super::buckets::{self, Bucket};
use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x32};

/// Bytes of a window, and the least length of a literal.
pub const WINDOW: usize = 4;

/// Tables that stand side by side: eight buckets, a bit each.
const GROUPS: usize = 3;
const BUCKETS: usize = 8 * GROUPS;

/// Bytes that are looked at in one step, and those that a step reads: its last window reaches beyond.
const STEP: usize = 64;
const REACH: usize = STEP + WINDOW - 1;

/// Bytes of a part. The places that a part's steps mark are collected, thinned out and only then visited, each in a
/// loop of its own: where places are many and most are nothing, a loop without branches costs a fraction of one that
/// decides place by place.
const PART: usize = 32 * STEP;

/// The same for texts that are no longer.
const SHORT: usize = 8 * STEP;

/// Bytes before an `=` by which is told whether it is wanted.
pub const BEFORE: usize = 16;

/// Bits of the table of literals' windows; its 4 KiB stay in the processor's first cache.
const BITS: u32 = 15;

/// A pattern of syntax: what may stand at each position; empty stands for any byte.
pub type Syntax = [&'static [u8]; WINDOW];

/// Told what a pass finds.
pub trait Visit {
    /// Whether an `=` deserves a visit, by the bytes before it and after it: asked for every one of them, so it has
    /// to be quick, and to answer without branches.
    fn wants<S: Simd>(&self, simd: S, before: &[u8; BEFORE], after: u32) -> bool;
    /// An `=` that was wanted, or that stands where not all of these bytes are there.
    fn equals(&mut self, at: usize);
    /// A pattern of syntax, perhaps: the tables may tell more than they were given.
    fn syntax(&mut self, at: usize);
    /// A literal, told by its number.
    fn literal(&mut self, start: usize, literal: usize);
    /// What was told since the last call lies in a part of the block that begins at `from`, after `lines` lines; a
    /// literal may begin before it.
    fn part(&mut self, from: usize, lines: usize);
}

/// The searcher.
#[derive(Debug)]
pub struct Packed {
    level: Level,
    low: Tables,
    high: Tables,
    syntax: [bool; 256],
    table: Box<[u8; 1 << (BITS - 3)]>,
    /// Windows of literals with the literal's number and the window's place in it, sorted.
    windows: Vec<(u32, u16, u8)>,
    literals: Vec<Box<[u8]>>,
}

type Tables = [[[u8; 16]; WINDOW]; GROUPS];

fn slot(window: u32) -> usize {
    (window.wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

fn window_of(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|w| u32::from_le_bytes(*w))
}

impl Packed {
    /// A searcher for patterns of syntax, a bucket each, and `literals`; those that are too short
    /// for a window or have a newline, which no line has, are left out.
    pub fn new(syntax: &[Syntax], literals: &[&[u8]]) -> Packed {
        let mut buckets = [Bucket::default(); BUCKETS];
        let mut out = Packed {
            level: Level::new(),
            low: [[[0; 16]; WINDOW]; GROUPS],
            high: [[[0; 16]; WINDOW]; GROUPS],
            syntax: [false; 256],
            table: Box::new([0; 1 << (BITS - 3)]),
            windows: Vec::new(),
            literals: literals.iter().map(|l| (*l).into()).collect(),
        };
        let (fixed, free) = buckets.split_at_mut(syntax.len().min(BUCKETS - 1));
        for (bucket, pattern) in fixed.iter_mut().zip(syntax) {
            for (nibbles, bytes) in bucket.0.iter_mut().zip(pattern) {
                for byte in *bytes {
                    nibbles.low |= 1 << (byte & 15);
                    nibbles.high |= 1 << (byte >> 4);
                }
                if bytes.is_empty() {
                    (nibbles.low, nibbles.high) = (u16::MAX, u16::MAX);
                }
            }
            for byte in pattern[0] {
                out.syntax[usize::from(*byte)] = true;
            }
        }
        for (literal, at) in buckets::choose(literals, free) {
            if let Some(window) = window_of(&literals[literal][at..]) {
                out.table[slot(window) >> 3] |= 1 << (slot(window) & 7);
                out.windows.push((window, literal as u16, at as u8));
            }
        }
        out.windows.sort_unstable();
        for (k, bucket) in buckets.iter().enumerate() {
            for (position, nibbles) in bucket.0.iter().enumerate() {
                for nibble in 0..16 {
                    let bit = 1 << (k % 8);
                    if nibbles.low >> nibble & 1 != 0 {
                        out.low[k / 8][position][nibble] |= bit;
                    }
                    if nibbles.high >> nibble & 1 != 0 {
                        out.high[k / 8][position][nibble] |= bit;
                    }
                }
            }
        }
        out
    }

    /// Visits what stands in `block`; gives the number of its newlines. Places come in no order.
    pub fn each(&self, block: &[u8], visit: &mut impl Visit) -> usize {
        // Room for places is made for each call, which short texts would feel.
        if block.len() <= SHORT {
            dispatch!(self.level, simd => pass::<_, _, { SHORT + STEP }>(simd, self, block, visit))
        } else {
            dispatch!(self.level, simd => pass::<_, _, { PART + STEP }>(simd, self, block, visit))
        }
    }

    /// Whether a window may be one of a literal or a pattern of syntax.
    #[inline(always)]
    fn may_be(&self, window: u32) -> bool {
        let slot = slot(window);
        (self.table[slot >> 3] >> (slot & 7) & 1 != 0) | self.syntax[(window & 255) as usize]
    }

    /// Four bytes at `at` that may be a window.
    fn window(&self, block: &[u8], at: usize, visit: &mut impl Visit) {
        if self.syntax[usize::from(block[at])] {
            visit.syntax(at);
        }
        if let Some(window) = block.get(at..).and_then(window_of) {
            self.verify(block, at, window, visit);
        }
    }

    #[inline(never)]
    fn verify(&self, block: &[u8], at: usize, window: u32, visit: &mut impl Visit) {
        let first = self.windows.partition_point(|w| w.0 < window);
        for &(_, n, offset) in self.windows[first..].iter().take_while(|w| w.0 == window) {
            if let Some(start) = at.checked_sub(usize::from(offset))
                && block[start..].starts_with(&self.literals[usize::from(n)])
            {
                visit.literal(start, usize::from(n));
            }
        }
    }
}

/// Tables and constants in vectors.
struct Vectors<S: Simd> {
    low: [[u8x32<S>; WINDOW]; GROUPS],
    high: [[u8x32<S>; WINDOW]; GROUPS],
    nibble: u8x32<S>,
    zero: u8x32<S>,
    newline: u8x32<S>,
    equals: u8x32<S>,
}

/// What 64 bytes have, a bit each: newlines, `=`, windows.
#[derive(Clone, Copy)]
struct Marks {
    newline: u64,
    equals: u64,
    window: u64,
}

#[inline(always)]
fn twice<S: Simd>(simd: S, table: &[u8; 16]) -> u8x32<S> {
    let mut both = [0; 32];
    both[..16].copy_from_slice(table);
    both[16..].copy_from_slice(table);
    u8x32::from_slice(simd, &both)
}

/// Both halves of a step go through the tables together, so that each table is loaded once for them.
#[inline(always)]
fn marks<S: Simd>(simd: S, v: &Vectors<S>, bytes: &[u8; REACH]) -> Marks {
    let load = |at: usize| u8x32::from_slice(simd, &bytes[at..at + 32]);
    let mut fits = [[v.zero; 2]; GROUPS];
    for position in 0..WINDOW {
        let (a, b) = (load(position), load(position + 32));
        let (a_low, a_high) = (a & v.nibble, a >> 4);
        let (b_low, b_high) = (b & v.nibble, b >> 4);
        for ((fit, lows), highs) in fits.iter_mut().zip(&v.low).zip(&v.high) {
            let (low, high) = (lows[position], highs[position]);
            let a = low.swizzle_dyn_within_blocks(a_low) & high.swizzle_dyn_within_blocks(a_high);
            let b = low.swizzle_dyn_within_blocks(b_low) & high.swizzle_dyn_within_blocks(b_high);
            *fit = if position == 0 {
                [a, b]
            } else {
                [fit[0] & a, fit[1] & b]
            };
        }
    }
    let bits = |a: u64, b: u64| a | b << 32;
    let none = |half: usize| {
        (fits[0][half] | fits[1][half] | fits[2][half])
            .simd_eq(v.zero)
            .to_bitmask()
    };
    let (a, b) = (load(0), load(32));
    Marks {
        newline: bits(
            a.simd_eq(v.newline).to_bitmask(),
            b.simd_eq(v.newline).to_bitmask(),
        ),
        equals: bits(a.simd_eq(v.equals).to_bitmask(), b.simd_eq(v.equals).to_bitmask()),
        window: !bits(none(0), none(1)),
    }
}

#[inline(always)]
fn pass<S: Simd, V: Visit, const ROOM: usize>(
    simd: S,
    packed: &Packed,
    block: &[u8],
    visit: &mut V,
) -> usize {
    let v = Vectors {
        low: packed.low.map(|group| group.map(|table| twice(simd, &table))),
        high: packed.high.map(|group| group.map(|table| twice(simd, &table))),
        nibble: u8x32::splat(simd, 15),
        zero: u8x32::splat(simd, 0),
        newline: u8x32::splat(simd, b'\n'),
        equals: u8x32::splat(simd, b'='),
    };
    let part = ROOM - STEP;
    let mut equals = Places::<ROOM>::new();
    let mut windows = Places::<ROOM>::new();
    let mut lines = 0;
    let mut from = 0;
    while from < block.len() {
        let mut newlines = 0;
        (equals.count, windows.count) = (0, 0);
        for step in 0..part / STEP {
            let at = from + step * STEP;
            let marks = match block.get(at..).and_then(<[u8]>::first_chunk) {
                Some(bytes) => marks(simd, &v, bytes),
                None if at < block.len() => last(simd, &v, &block[at..]),
                None => break,
            };
            newlines += marks.newline.count_ones() as usize;
            equals.add::<4>(step * STEP, marks.equals);
            windows.add::<2>(step * STEP, marks.window);
        }
        equals.keep(|at| {
            let around = (from + at).checked_sub(BEFORE).and_then(|n| block.get(n..));
            around
                .and_then(<[u8]>::first_chunk)
                .is_none_or(|around: &[u8; BEFORE + 5]| {
                    let [before @ .., _, a, b, c, d] = around;
                    visit.wants(simd, before, u32::from_le_bytes([*a, *b, *c, *d]))
                })
        });
        windows.keep(|at| {
            block[from + at..]
                .first_chunk()
                .is_none_or(|w| packed.may_be(u32::from_le_bytes(*w)))
        });
        equals.iter().for_each(|at| visit.equals(from + at));
        windows
            .iter()
            .for_each(|at| packed.window(block, from + at, visit));
        visit.part(from, lines);
        lines += newlines;
        from += part;
    }
    lines
}

/// The marks of what is left at the end, shorter than a step's reach.
#[inline(always)]
fn last<S: Simd>(simd: S, v: &Vectors<S>, rest: &[u8]) -> Marks {
    let mut bytes = [0; REACH];
    let length = rest.len().min(REACH);
    bytes[..length].copy_from_slice(&rest[..length]);
    let mut marks = marks(simd, v, &bytes);
    if length < STEP {
        marks.window &= (1 << length) - 1;
    }
    marks
}

/// Places in a part, from its beginning.
struct Places<const ROOM: usize> {
    /// As many as a part has bytes, and a step's more: some are written that are not there.
    at: [u16; ROOM],
    count: usize,
}

impl<const ROOM: usize> Places<ROOM> {
    fn new() -> Self {
        Places {
            at: [0; ROOM],
            count: 0,
        }
    }

    /// Adds the places of the bits. The first `N` are written whether they are there or not, since that is quicker
    /// than to ask; few steps have more.
    #[inline(always)]
    fn add<const N: usize>(&mut self, from: usize, mut bits: u64) {
        let count = bits.count_ones() as usize;
        let begin = self.count.min(ROOM - STEP);
        self.count = begin + count;
        let Some(free) = self.at.get_mut(begin..begin + STEP) else {
            return; // never: a part has no more places than bytes
        };
        for place in &mut free[..N] {
            *place = (from + bits.trailing_zeros() as usize) as u16;
            bits &= bits.wrapping_sub(1);
        }
        for place in free.iter_mut().skip(N) {
            if bits == 0 {
                break;
            }
            *place = (from + bits.trailing_zeros() as usize) as u16;
            bits &= bits - 1;
        }
    }

    /// Keeps those that `wanted` says.
    #[inline(always)]
    fn keep(&mut self, wanted: impl Fn(usize) -> bool) {
        let mut kept = 0;
        for n in 0..self.count.min(ROOM) {
            let at = self.at[n];
            self.at[kept] = at;
            kept += usize::from(wanted(usize::from(at)));
        }
        self.count = kept;
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.at[..self.count].iter().map(|at| usize::from(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Default)]
    struct Seen {
        equals: Vec<usize>,
        syntax: BTreeSet<usize>,
        literals: BTreeSet<usize>,
        parts: Vec<(usize, usize)>,
    }

    impl Visit for Seen {
        fn wants<S: Simd>(&self, _: S, before: &[u8; BEFORE], after: u32) -> bool {
            before[BEFORE - 1] == b'a' || after.to_le_bytes()[0] == b'b'
        }
        fn equals(&mut self, at: usize) {
            self.equals.push(at);
        }
        fn syntax(&mut self, at: usize) {
            self.syntax.insert(at);
        }
        fn literal(&mut self, start: usize, _: usize) {
            self.literals.insert(start);
        }
        fn part(&mut self, from: usize, lines: usize) {
            self.parts.push((from, lines));
        }
    }

    proptest! {
        #[test]
        fn everything_is_seen_wherever_it_stands(
            text in prop_oneof!["[abc%=3D\n]{0,300}", "[abc%=3D\n]{4000,9000}", "[=%]{4090,4200}"],
            literals in prop::collection::vec("[abc]{4,7}", 1..40),
        ) {
            let text = text.into_bytes();
            let bytes: Vec<&[u8]> = literals.iter().map(|l| l.as_bytes()).collect();
            let syntax: [Syntax; 2] = [[b"%", b"3", b"D", b""], [b"%", b"%", b"", b""]];
            let mut seen = Seen::default();
            let lines = Packed::new(&syntax, &bytes).each(&text, &mut seen);
            let before = |at: usize| text[..at].iter().filter(|b| **b == b'\n').count();
            prop_assert_eq!(lines, before(text.len()));
            for (from, lines) in seen.parts {
                prop_assert_eq!(lines, before(from));
            }
            let places = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
                (0..text.len()).filter(|&at| wanted(at)).collect()
            };
            prop_assert_eq!(&seen.equals, &places(&|at| {
                let edge = at < BEFORE || at + 5 > text.len();
                text[at] == b'=' && (edge || text[at - 1] == b'a' || text[at + 1] == b'b')
            }));
            for place in places(&|at| text[at..].starts_with(b"%3D") || text[at..].starts_with(b"%%")) {
                prop_assert!(seen.syntax.contains(&place));
            }
            let wanted = places(&|at| bytes.iter().any(|l| text[at..].starts_with(l)));
            prop_assert_eq!(seen.literals, wanted.into_iter().collect());
        }
    }
}
