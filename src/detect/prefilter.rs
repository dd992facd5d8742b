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

use super::name::{MAX_NAME, fold, is_name_byte};
use crate::rule::RuleSet;
use crate::text::packed::{Packed, Syntax, Visit};

/// How far before `@` a userinfo may begin, in raw bytes. The walk takes no longer one.
pub const MAX_USERINFO: usize = 1024;

/// Raw bytes before `=` that are looked at for a name, at most.
const NAME_WINDOW: usize = MAX_NAME * 4;

/// Finds candidate lines.
pub struct Prefilter<'r> {
    rules: &'r RuleSet,
    tails: Box<[u64; 512]>,
    packed: Packed,
}

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
    [b"%", b"2", b"25", b""],     // %22, and %25 before any of them
    [b"%", b"34", b"0DdFf", b""], // %3D, %3F, %40
    [b"\\", b"ux", b"", b""],     // the same in JSON and in Apache's and nginx's escapes
    [b"\"", b":", b"", b""],      // a JSON key
    [b"\"", b" ", b":", b""],
    [b"@", b"", b"", b""],
    [b"?", b"eW", b"3wy", b"0AJost"], // base64 of JSON as a whole query
];

/// Classes of bytes in names: letters 1 to 26, all digits 27, separators 28, everything else 0.
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let c = b as u8;
        table[b] = match c {
            b'a'..=b'z' => c - b'a' + 1,
            b'A'..=b'Z' => c - b'A' + 1,
            b'0'..=b'9' => 27,
            b'_' | b'-' | b'.' => 28,
            _ => 0,
        };
        b += 1;
    }
    table
};

fn key(a: u8, b: u8, c: u8) -> usize {
    usize::from(CLASS[a as usize]) << 10
        | usize::from(CLASS[b as usize]) << 5
        | usize::from(CLASS[c as usize])
}

/// The high bit of each of eight bytes that is `byte`, and perhaps of one after it (Hacker's Delight, 6-1).
#[inline(always)]
fn those(bytes: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_le_bytes([1; 8]);
    let zeros = bytes ^ (LOW * byte as u64);
    zeros.wrapping_sub(LOW) & !zeros & (LOW << 7)
}

impl<'r> Prefilter<'r> {
    /// Compiles it from the rules and from literals that formats ask for.
    pub fn new(rules: &'r RuleSet, triggers: &[&str]) -> Self {
        let mut tails = Box::new([0u64; 512]);
        let mut set = |k: usize| tails[k / 64] |= 1 << (k % 64);
        for name in rules.names() {
            match name {
                [.., a, b, c] => set(key(*a, *b, *c)),
                [b, c] => set(key(b' ', *b, *c)),
                [c] => (0..32).for_each(|any| set(any << 10 | key(b' ', b' ', *c))),
                [] => {}
            }
        }
        let mut patterns: Vec<&[u8]> = triggers
            .iter()
            .map(|p| p.as_bytes())
            .chain(rules.literals().iter().map(|l| &**l))
            .collect();
        patterns.sort_unstable();
        patterns.dedup();
        Prefilter {
            rules,
            tails,
            packed: Packed::new(&SYNTAX, &patterns),
        }
    }

    /// Appends to `out` a place in each line of `block` that has to be read, and gives the number of newlines;
    /// places are in no order, and a line may have several. The block is a run of whole lines.
    pub fn candidates(&self, block: &[u8], out: &mut Vec<Candidate>) -> usize {
        self.packed.each(
            block,
            &mut Sieve {
                prefilter: self,
                block,
                out,
            },
        )
    }

    /// Whether the syntax at `at` has before or after it what makes the line worth reading.
    fn speaks(&self, block: &[u8], at: usize) -> bool {
        let after = &block[at + 1..];
        match block[at] {
            b'@' => userinfo_before(block, at),
            b'?' => base64_json(after),
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
            digits if block[at] == b'%' => {
                let levels = digits.chunks(2).take_while(|c| *c == b"25").count().min(5);
                &digits[2 * levels..]
            }
            _ => return false,
        };
        match rest {
            [b'3', b'D' | b'd', after @ ..] => self.named_before(block, at) || base64_json(after),
            [b'3', b'F' | b'f', after @ ..] => base64_json(after),
            [b'2', b'2', after @ ..] => {
                let colon = matches!(after, [b':', ..] | [b' ', b':', ..])
                    || after.first() == Some(&b'%') && {
                        let levels = after[1..].chunks(2).take_while(|c| *c == b"25").count().min(5);
                        let digits = after.get(1 + 2 * levels..).unwrap_or_default();
                        matches!(digits, [b'3', b'A' | b'a', ..] | [b'2', b'0', ..])
                    }
                    || after.first() == Some(&b'+');
                colon && self.named_before(block, at)
            }
            [b'4', b'0', ..] => userinfo_before(block, at),
            _ => false,
        }
    }

    /// Whether a name that rules know ends before `at`.
    #[inline(always)] // asked for every `=`
    fn named_before(&self, block: &[u8], at: usize) -> bool {
        let (before, farther) = match block[..at].last_chunk::<9>() {
            Some([farther, before @ ..]) => (u64::from_le_bytes(*before), *farther),
            None => {
                let mut padded = [b' '; 8];
                let n = at.min(8);
                padded[8 - n..].copy_from_slice(&block[at - n..at]);
                (u64::from_le_bytes(padded), b' ')
            }
        };
        let last = (before >> 56) as u8;
        let k = key((before >> 40) as u8, (before >> 48) as u8, last);
        let plain = self.tails[k / 64] & (1 << (k % 64)) != 0;
        // An escape among the last three letters has its first byte in these nine, or, where it is encoded itself
        // more than thrice, the `25` of that.
        let escaped = || {
            (those(before, b'%') | those(before, b'\\')) != 0
                || farther == b'%'
                || farther == b'\\'
                || those(before, b'2') << 8 & those(before, b'5') != 0
        };
        if !plain && last != b']' && !escaped() {
            return false;
        }
        self.name_before(block, at)
    }

    #[inline(never)]
    fn name_before(&self, block: &[u8], at: usize) -> bool {
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
                Some(b'u') => region.get(5..).unwrap_or_default(),
                Some(b'x') => region.get(3..).unwrap_or_default(),
                _ => region.get(1..).unwrap_or_default(),
            };
            return rest.is_empty() || self.is_known(rest) || self.is_known(region);
        }
        self.is_known(region)
    }

    /// Whether what ends `region` is a name that rules know, however it is encoded.
    fn is_known(&self, region: &[u8]) -> bool {
        let simple = region.len() <= MAX_NAME && !region.iter().any(|b| b"%[]".contains(b));
        if !simple {
            return region.len() > MAX_NAME * 3
                || !self.rules.named(fold(region).folded.as_bytes()).is_empty();
        }
        let mut folded = [0; MAX_NAME];
        for (to, b) in folded.iter_mut().zip(region) {
            *to = match b {
                b'-' | b'.' => b'_',
                b => b.to_ascii_lowercase(),
            };
        }
        let folded = &folded[..region.len()];
        !self.rules.named(folded).is_empty() || folded.starts_with(b"aspsessionid")
    }
}

/// Keeps the places that make a line worth reading.
struct Sieve<'a, 'r> {
    prefilter: &'a Prefilter<'r>,
    block: &'a [u8],
    out: &'a mut Vec<Candidate>,
}

impl Visit for Sieve<'_, '_> {
    #[inline(always)]
    fn equals(&mut self, at: usize, lines: usize) {
        if self.prefilter.named_before(self.block, at) || base64_json(&self.block[at + 1..]) {
            self.out.push(Candidate { at, lines });
        }
    }

    fn syntax(&mut self, at: usize, lines: usize) {
        if self.prefilter.speaks(self.block, at) {
            self.out.push(Candidate { at, lines });
        }
    }

    fn literal(&mut self, start: usize, lines: usize, _: usize) {
        self.out.push(Candidate { at: start, lines });
    }
}

/// Whether what follows begins as base64 of a JSON object or array does.
pub(super) fn base64_json(value: &[u8]) -> bool {
    matches!(
        value,
        [b'e', b'y', b'J' | b'A', ..]
            | [b'e', b'w', b'o' | b'0', ..]
            | [b'W', b'3', b's' | b't', ..]
            | [b'W', b'y', b'J', ..]
    )
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
