//! The prefilter: which lines of a block could hold an exposure, told from raw bytes without parsing. It is
//! compiled from the rules that are loaded. It may let too much through, never too little: whatever the walk
//! can find begins with one of
//!
//! - a name that rules know, followed by `=` or an encoded `=`, or as a JSON key before a colon;
//! - `@` after a colon and two slashes: userinfo;
//! - a literal that a shape or path rule asks for, or that a format says makes a line worth reading;
//! - base64 of JSON.
//!
//! Every one of them stands in the line as raw bytes, however deep the value is nested, because percent, JSON
//! and log escapes leave letters and digits alone; where they do not (`%70assword`) the name is decoded here.

use super::name::{MAX_NAME, fold, is_name_byte, origin_len};
use crate::rule::RuleSet;
use crate::text::Coding;
use crate::text::packed::{BEFORE, Packed, Syntax, Visit};
use fearless_simd::{Simd, prelude::*, u8x16};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How far before `@` a userinfo may begin, in raw bytes. The walk takes no longer one.
pub const MAX_USERINFO: usize = 1024;

/// How often an `=` may be encoded: no value is followed deeper.
const DEEPEST: usize = super::walk::MAX_DEPTH as usize;

/// Raw bytes before `=` that are looked at for a name, at most.
const NAME_WINDOW: usize = MAX_NAME * 4;

/// Finds candidate lines.
pub struct Prefilter<'r> {
    rules: &'r RuleSet,
    tails: Tails,
    /// Sorted, and how many letters or digits follow each where it counts.
    literals: Vec<(Box<[u8]>, u8)>,
    packed: OnceLock<Packed>,
    /// Blocks that were looked through without it.
    by_hand: AtomicUsize,
}

/// A few small blocks are looked through sooner than the searcher is made: how many, and of how many bytes at most.
const FEW: usize = 4;
const SMALL: usize = 4096;

/// A place in a line that has to be read.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Where it stands in the block.
    pub at: usize,
    /// How many lines of the block end before it.
    pub lines: usize,
}

/// What the prefilter looks at beside `=` and literals. The tables may let a little more through.
const SYNTAX: [Syntax; 7] = [
    [b"%#", b"2", b"25", b""],    // %22, and %25 before any of them; #22 of HAProxy
    [b"%", b"34", b"0DdFf", b""], // %3D, %3F, %40
    [b"\\", b"ux", b"", b""],     // the same in JSON and in Apache's and nginx's escapes
    [b"\"", b":", b"", b""],      // a JSON key
    [b"\"", b" ", b":", b""],
    [b"@", b"", b"", b""],
    [b"?", b"eW", b"3wy", b"0AJost"], // base64 of JSON as a whole query
];

/// How names that rules know end: of four bytes and more their last four, hashed, of shorter ones the last three, or two,
/// with what stands before them. Tables of 4 KiB, which stay in the processor's first cache.
struct Tails {
    long: Table,
    short: Table,
    single: Table,
}

const TAIL_BITS: u32 = 15;

/// A set of hashes.
struct Table(Box<[u8; 1 << (TAIL_BITS - 3)]>);

impl Table {
    fn new() -> Table {
        Table(Box::new([0; 1 << (TAIL_BITS - 3)]))
    }

    /// Letters count in either case; other bytes that this makes alike do no harm.
    #[inline(always)]
    fn slot(tail: u32) -> usize {
        ((tail | 0x2020_2020).wrapping_mul(0x9E37_79B1) >> (32 - TAIL_BITS)) as usize
    }

    fn add(&mut self, tail: [u8; 4]) {
        let slot = Table::slot(u32::from_le_bytes(tail));
        self.0[slot >> 3] |= 1 << (slot & 7);
    }

    #[inline(always)]
    fn has(&self, tail: u32) -> bool {
        let slot = Table::slot(tail);
        self.0[slot >> 3] >> (slot & 7) & 1 != 0
    }
}

impl Tails {
    fn new<'n>(names: impl Iterator<Item = &'n [u8]>) -> Tails {
        let mut tails = Tails {
            long: Table::new(),
            short: Table::new(),
            single: Table::new(),
        };
        let no_name = || (0..=255u8).filter(|b| !is_name_byte(*b));
        for name in names {
            // A separator is any of three in the text.
            let ways = |b: u8| if b == b'_' { &b"_-."[..] } else { &[0][..] };
            let or = |way: &u8, b: u8| if *way == 0 { b } else { *way };
            match *name {
                [.., a, b, c, d] => {
                    for (p, q) in ways(a).iter().flat_map(|p| ways(b).iter().map(move |q| (p, q))) {
                        for (r, s) in ways(c).iter().flat_map(|r| ways(d).iter().map(move |s| (r, s))) {
                            tails.long.add([or(p, a), or(q, b), or(r, c), or(s, d)]);
                        }
                    }
                }
                [a, b, c] => ways(b).iter().for_each(|q| tails.short.add([0, a, or(q, b), c])),
                [b, c] => no_name().for_each(|a| tails.short.add([0, a, b, c])),
                // Two bytes alone: what stands before them is masked out below.
                [c] => no_name().for_each(|b| tails.single.add([0, 0, b, c])),
                [] => {}
            }
        }
        tails
    }

    /// Whether a name that is known may end these bytes, or one in which something is escaped.
    #[inline(always)]
    fn may_end<S: Simd>(&self, simd: S, before: &[u8; BEFORE]) -> bool {
        let text = u8x16::from_slice(simd, before);
        let are = |byte| text.simd_eq(u8x16::splat(simd, byte)).to_bitmask();
        // An escape among the last four letters has its first byte in the last ten, or, where it is encoded itself more
        // than twice, the `25` of that in the last eight. What stands before an ampersand is another parameter.
        let escapes = (are(b'%') | are(b'\\')) & last(10) | are(b'2') << 1 & are(b'5') & last(7);
        let ampersands = are(b'&') & last(8);
        let [.., a, b, c, d] = *before;
        let four = u32::from_le_bytes([a, b, c, d]);
        self.long.has(four)
            | self.short.has(four & !0xFF)
            | self.single.has(four & !0xFFFF)
            | (d == b']')
            | (escapes > ampersands)
    }
}

/// The bits of the last `n` of the bytes before.
const fn last(n: usize) -> u64 {
    (1 << BEFORE) - (1 << (BEFORE - n))
}

impl<'r> Prefilter<'r> {
    /// Compiles it from the rules and from literals that formats ask for.
    pub fn new(rules: &'r RuleSet, triggers: &[&str]) -> Self {
        let mut literals: Vec<(Box<[u8]>, u8)> = triggers
            .iter()
            .map(|p| (p.as_bytes().into(), 0))
            .chain(rules.literals().iter().cloned())
            .collect();
        // Of one that two ask for, the less demanding stands.
        literals.sort_unstable();
        literals.dedup_by(|later, first| later.0 == first.0);
        Prefilter {
            rules,
            tails: Tails::new(rules.names()),
            literals,
            packed: OnceLock::new(),
            by_hand: AtomicUsize::new(0),
        }
    }

    /// Appends to `out` a place in each line of `block` that has to be read, and gives the number of newlines;
    /// places are in no order, and a line may have several. The block is a run of whole lines.
    pub fn candidates(&self, block: &[u8], out: &mut Vec<Candidate>) -> usize {
        let mut sieve = Sieve {
            prefilter: self,
            block,
            told: out.len(),
            out,
        };
        let few = || self.by_hand.fetch_add(1, Relaxed) < FEW;
        if self.packed.get().is_none() && block.len() <= SMALL && few() {
            return self.small(&mut sieve);
        }
        let literals = || self.literals.iter().map(|(l, _)| &**l).collect::<Vec<_>>();
        let packed = self.packed.get_or_init(|| Packed::new(&SYNTAX, &literals()));
        packed.each(block, &mut sieve)
    }

    /// The same without the searcher.
    fn small(&self, sieve: &mut Sieve) -> usize {
        let block = sieve.block;
        for (at, byte) in block.iter().enumerate() {
            match byte {
                b'=' => sieve.equals(at),
                _ if SYNTAX.iter().any(|s| s[0].contains(byte)) => sieve.syntax(at),
                _ => {}
            }
        }
        for (n, (literal, _)) in self.literals.iter().enumerate() {
            memchr::memmem::find_iter(block, literal).for_each(|at| sieve.literal(at, n));
        }
        sieve.part(0, 0);
        memchr::memchr_iter(b'\n', block).count()
    }

    /// Whether the syntax at `at` has before or after it what makes the line worth reading.
    fn speaks(&self, block: &[u8], at: usize) -> bool {
        let after = &block[at + 1..];
        match block[at] {
            b'@' => userinfo_before(block, at),
            b'?' => base64_json(after),
            b'#' => {
                let colon = after.starts_with(b"22:") || after.starts_with(b"22 :");
                colon && self.quoted_before(block, at)
            }
            b'"' => {
                let value = match after {
                    [b':', value @ ..] | [b' ', b':', value @ ..] => value,
                    _ => return false,
                };
                let quoted = usize::from(at > 0 && block[at - 1] == b'\\');
                let begin = value
                    .iter()
                    .take(5)
                    .position(|b| !b" [\"\\".contains(b))
                    .unwrap_or(0);
                self.named_before(block, at - quoted) || base64_json(&value[begin..])
            }
            _ => self.escape(block, at),
        }
    }

    /// Whether the `%` or `\\` at `at` begins an encoded `=`, an encoded quote with a colon after it, an encoded
    /// `@` or `?`, with before or after it what makes the line worth reading.
    fn escape(&self, block: &[u8], at: usize) -> bool {
        // `%25253D` and `\\u003d`: skip to the digits that are meant.
        let rest = &block[at + 1..];
        let rest = match rest {
            [b'u', b'0', b'0', digits @ ..] if block[at] == b'\\' => digits,
            [b'x', digits @ ..] if block[at] == b'\\' => digits,
            [b'"', ..] if block[at] == b'\\' => return false, // `\\":` is seen by its quote
            digits if block[at] == b'%' => meant(digits),
            _ => return false,
        };
        match rest {
            [b'3', b'D' | b'd', after @ ..] => self.named_before(block, at) || base64_json(after),
            [b'3', b'F' | b'f', after @ ..] => base64_json(after),
            [b'2', b'2', after @ ..] => {
                let colon = matches!(after, [b':', ..] | [b' ', b':', ..])
                    || after.strip_prefix(b"%").is_some_and(|digits| {
                        matches!(meant(digits), [b'3', b'A' | b'a', ..] | [b'2', b'0', ..])
                    })
                    || after.first() == Some(&b'+');
                colon && self.named_before(block, quote_at(block, at))
            }
            [b'4', b'0', ..] => userinfo_before(block, at),
            _ => false,
        }
    }

    /// Whether a name that rules know ends before `at`.
    fn named_before(&self, block: &[u8], at: usize) -> bool {
        let from = at.saturating_sub(NAME_WINDOW);
        let window = &block[from..at];
        let begin = window
            .iter()
            .rposition(|&b| !(is_name_byte(b) || b"%[]".contains(&b)))
            .map_or(0, |p| p + 1);
        let region = &window[begin..];
        // `\u0026token=` in JSON: the escape's digits are no part of the name; `\u005d=` ends a bracket.
        if begin > 0 && window[begin - 1] == b'\\' {
            let rest = match region.first() {
                // A letter of the name itself may be written so, by whoever wants to.
                Some(b'u') if region.get(1..5).is_some_and(is_name_escape) => {
                    let other = |b: &u8| !(is_name_byte(*b) || *b == b'\\');
                    let begin = window.iter().rposition(other).map_or(0, |p| p + 1);
                    let name = fold(&Coding::Json.decode(&window[begin..]));
                    return self.is_known(name.shown().as_bytes());
                }
                Some(b'u') => region.get(5..).unwrap_or_default(),
                Some(b'x') => region.get(3..).unwrap_or_default(),
                _ => region.get(1..).unwrap_or_default(),
            };
            return rest.is_empty() || self.is_known(rest) || self.is_known(region);
        }
        self.is_known(region)
    }

    /// The same where HAProxy wrote `#22` for the quotes around the name.
    fn quoted_before(&self, block: &[u8], at: usize) -> bool {
        let before = &block[at.saturating_sub(MAX_NAME + 3)..at];
        let quote = before.iter().rposition(|b| !is_name_byte(*b));
        let name = quote.and_then(|n| before[n..].strip_prefix(b"#22"));
        name.is_some_and(|name| self.is_known(name))
    }

    /// Whether what ends `region` is a name that rules know, however it is encoded.
    fn is_known(&self, region: &[u8]) -> bool {
        let simple = region.len() <= MAX_NAME && !region.iter().any(|b| b"%[]".contains(b));
        let is_name = |folded: &[u8]| !self.rules.named(folded).is_empty();
        if !simple {
            let name = fold(region);
            return region.len() > MAX_NAME * 3
                || is_name(name.folded().as_bytes())
                || name.last().is_some_and(|n| is_name(n.folded().as_bytes()));
        }
        let mut folded = [0; MAX_NAME];
        for (to, b) in folded.iter_mut().zip(region) {
            *to = match b {
                b'-' | b'.' => b'_',
                b => b.to_ascii_lowercase(),
            };
        }
        let folded = &folded[..region.len()];
        is_name(folded)
            || folded.starts_with(b"aspsessionid")
            || match memchr::memrchr(b'.', region) {
                Some(point) => is_name(&folded[point + 1..]),
                None => origin_len(folded).is_some_and(|n| is_name(&folded[n..])),
            }
    }
}

/// Keeps the places that make a line worth reading.
struct Sieve<'a, 'r> {
    prefilter: &'a Prefilter<'r>,
    block: &'a [u8],
    out: &'a mut Vec<Candidate>,
    /// How many of them know their line.
    told: usize,
}

impl Sieve<'_, '_> {
    fn push(&mut self, at: usize) {
        self.out.push(Candidate { at, lines: 0 });
    }
}

impl Visit for Sieve<'_, '_> {
    #[inline(always)]
    fn wants<S: Simd>(&self, simd: S, before: &[u8; BEFORE], after: u32) -> bool {
        // The first two bytes of `BASE64_JSON`; the rest is asked at the visit.
        const JSON: [u16; 4] = [
            u16::from_le_bytes(*b"ey"),
            u16::from_le_bytes(*b"ew"),
            u16::from_le_bytes(*b"W3"),
            u16::from_le_bytes(*b"Wy"),
        ];
        let json = JSON.iter().fold(false, |any, two| any | (*two == after as u16));
        self.prefilter.tails.may_end(simd, before) | json
    }

    fn equals(&mut self, at: usize) {
        if base64_json(&self.block[at + 1..]) || self.prefilter.named_before(self.block, at) {
            self.push(at);
        }
    }

    fn syntax(&mut self, at: usize) {
        if self.prefilter.speaks(self.block, at) {
            self.push(at);
        }
    }

    fn literal(&mut self, start: usize, literal: usize) {
        let (text, follow) = &self.prefilter.literals[literal];
        // What is cut off at the block's end is given the benefit of the doubt.
        let after = self.block[start + text.len()..].iter().take(usize::from(*follow));
        if after.clone().all(u8::is_ascii_alphanumeric) {
            self.push(start);
        }
    }

    fn part(&mut self, from: usize, lines: usize) {
        let count = |range| memchr::memchr_iter(b'\n', &self.block[range]).count();
        let new = &mut self.out[self.told..];
        new.sort_unstable_by_key(|c| c.at);
        // Counted from one to the next: there may be as many as bytes.
        let (mut before, mut lines) = match new.first() {
            Some(first) if first.at < from => (first.at, lines - count(first.at..from)),
            _ => (from, lines),
        };
        for candidate in new {
            lines += count(before..candidate.at);
            before = candidate.at;
            candidate.lines = lines;
        }
        self.told = self.out.len();
    }
}

/// What follows a `%`, behind the `25` of percent signs that are encoded themselves.
fn meant(mut digits: &[u8]) -> &[u8] {
    for _ in 0..DEEPEST {
        let Some(inner) = digits.strip_prefix(b"25") else {
            break;
        };
        digits = inner;
    }
    digits
}

/// Whether four digits of `\\uHHHH` stand for what may be part of a name.
fn is_name_escape(digits: &[u8]) -> bool {
    let code = std::str::from_utf8(digits)
        .ok()
        .and_then(|d| u8::from_str_radix(d, 16).ok());
    code.is_some_and(is_name_byte)
}

/// Where the quote that is encoded at `at` begins with the backslash before it, which is encoded, too (`%5C%22` in JSON
/// that is a string of JSON).
fn quote_at(block: &[u8], at: usize) -> usize {
    let before = &block[..at];
    let Some(rest) = before.strip_suffix(b"5C").or_else(|| before.strip_suffix(b"5c")) else {
        return at;
    };
    let mut rest = rest;
    while let Some(outer) = rest.strip_suffix(b"25") {
        rest = outer;
    }
    if rest.ends_with(b"%") { rest.len() - 1 } else { at }
}

/// How base64 of a JSON object or array begins: `{"`, `{ `, a line's end, `[{`, `["`.
const BASE64_JSON: [&[u8; 3]; 7] = [b"eyJ", b"eyA", b"ewo", b"ew0", b"W3s", b"W3t", b"WyJ"];

/// Whether what follows begins as base64 of a JSON object or array does.
pub(super) fn base64_json(value: &[u8]) -> bool {
    value
        .first_chunk()
        .is_some_and(|begin| BASE64_JSON.contains(&begin))
}

/// Whether the `@` at `at` (or `%40`) ends a userinfo with a password.
fn userinfo_before(block: &[u8], at: usize) -> bool {
    let window = &block[at.saturating_sub(MAX_USERINFO)..at];
    let mut colon = false;
    for (i, &b) in window.iter().enumerate().rev() {
        match b {
            b':' => colon = true,
            b'/' => return colon && (i == 0 || matches!(window[i - 1], b'/' | b'\\')),
            b'?' | b'#' | b'\\' | b'\n' | b'"' => return false,
            b'@' => {
                if colon {
                    return true;
                }
                // The earlier one has looked at what stands before it.
                return false;
            }
            // `%3A` and `%2F` at any depth of encoding.
            b'3' if window.get(i + 1).is_some_and(|b| matches!(b, b'A' | b'a')) => colon = true,
            b'2' if window.get(i + 1).is_some_and(|b| matches!(b, b'F' | b'f')) && colon => return true,
            _ => {}
        }
    }
    colon
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Catalogue;
    use crate::scan::default_rules;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn small_blocks_are_looked_through_alike(
            words in prop::collection::vec(
                prop_oneof![
                    "[a-zA-Z_.-]{1,9}=", "(to|%74o)ken=", "%(25)*3D", r#""[a-z]{1,5}" ?:"#, "/reset/", "AKIA", "ghp_", "[?=]eyJ",
                    "(https?)?://[a-z]{1,4}:?[a-z]{0,4}@", "pw=", "\n", "[ -~]{0,12}",
                ],
                0..60,
            ),
        ) {
            let block = words.concat().into_bytes();
            let rules = default_rules().unwrap();
            let formats = Catalogue::builtin().unwrap();
            let told = |prefilter: &Prefilter| {
                let mut out = Vec::new();
                let lines = prefilter.candidates(&block, &mut out);
                let places: BTreeMap<usize, usize> = out.iter().map(|c| (c.at, c.lines)).collect();
                (lines, places)
            };
            let small = Prefilter::new(&rules, &formats.triggers());
            let large = Prefilter::new(&rules, &formats.triggers());
            large.by_hand.store(FEW, Relaxed);
            prop_assert_eq!(told(&small), told(&large));
        }
    }
}
