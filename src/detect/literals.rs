//! Many literals in one pass. Every second position is looked at: three bytes there, hashed into a small table,
//! tell almost always that no literal covers it. A literal of four bytes or more has one of two neighbouring
//! triples at an even position wherever it stands, so that looking at half of the positions loses none. The
//! cost hardly depends on how many literals there are.

/// The least length of a literal, in bytes.
pub const SHORTEST: usize = 4;

/// Bits of the table: with a few hundred triples in it hardly one in two hundred bears a false one, and its
/// 16 KiB stay in the processor's first cache.
const BITS: u32 = 17;

/// Finds literals.
pub struct Literals {
    table: Box<[u8; 1 << (BITS - 3)]>,
    /// Triples with what they may belong to, sorted.
    triples: Vec<(u32, u16, u8)>,
    literals: Vec<Box<[u8]>>,
}

/// How often bytes stand in logs, roughly: for each line, in tenths.
fn rarity(b: u8) -> u32 {
    match b {
        b' ' | b'0' => 200,
        b'1' | b'/' | b'e' | b'.' => 110,
        b'2' | b'i' | b'a' | b'o' => 85,
        b'l' | b't' | b'"' | b'6' | b'5' | b'3' => 60,
        b'r' | b'n' | b'p' | b'c' | b':' | b'4' | b'T' | b's' | b'7' | b'm' | b'-' => 45,
        b'8' | b'M' | b'h' | b'9' | b'b' | b'u' | b'k' | b'G' | b'f' | b'd' => 24,
        b'a'..=b'z' | b'P' | b'H' | b'S' | b'_' | b'=' | b'(' | b')' | b'K' | b'E' | b';' => 15,
        _ => 5,
    }
}

fn triple(bytes: &[u8]) -> u32 {
    u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16
}

fn slot(triple: u32) -> usize {
    (triple.wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

impl Literals {
    /// A searcher for `literals`; those that are too short are left out.
    pub fn new(literals: &[&[u8]]) -> Literals {
        let mut out = Literals {
            table: Box::new([0; 1 << (BITS - 3)]),
            triples: Vec::new(),
            literals: literals.iter().map(|l| (*l).into()).collect(),
        };
        for (n, literal) in literals.iter().enumerate().filter(|(_, l)| l.len() >= SHORTEST) {
            let cost = |at: usize| literal[at..at + 3].iter().map(|b| rarity(*b)).product::<u32>();
            let best = (0..=literal.len() - SHORTEST)
                .min_by_key(|&at| cost(at) + cost(at + 1))
                .unwrap_or(0);
            for at in [best, best + 1] {
                let t = triple(&literal[at..]);
                out.table[slot(t) >> 3] |= 1 << (slot(t) & 7);
                out.triples.push((t, n as u16, at as u8));
            }
        }
        out.triples.sort_unstable();
        out
    }

    /// Calls `hit` with start and number of every literal in `block`.
    pub fn each(&self, block: &[u8], mut hit: impl FnMut(usize, usize)) {
        let table = &self.table;
        let mut at = 0;
        while let Some(window) = block.get(at..at + 8).and_then(|w| <[u8; 8]>::try_from(w).ok()) {
            let word = u64::from_le_bytes(window);
            let (a, b, c) = (
                word as u32 & 0xFF_FFFF,
                (word >> 16) as u32 & 0xFF_FFFF,
                (word >> 32) as u32 & 0xFF_FFFF,
            );
            let bit = |triple| {
                let n = slot(triple);
                table[n >> 3] >> (n & 7) & 1
            };
            let (x, y, z) = (bit(a), bit(b), bit(c));
            if x | y | z != 0 {
                for (i, (found, triple)) in [(x, a), (y, b), (z, c)].into_iter().enumerate() {
                    if found != 0 {
                        self.verify(block, at + 2 * i, triple, &mut hit);
                    }
                }
            }
            at += 6;
        }
        while at + 3 <= block.len() {
            self.verify(block, at, triple(&block[at..]), &mut hit);
            at += 2;
        }
    }

    #[inline(never)]
    fn verify(&self, block: &[u8], at: usize, triple: u32, hit: &mut impl FnMut(usize, usize)) {
        let first = self.triples.partition_point(|t| t.0 < triple);
        for &(_, n, offset) in self.triples[first..].iter().take_while(|t| t.0 == triple) {
            let literal = &self.literals[usize::from(n)];
            if let Some(start) = at.checked_sub(usize::from(offset))
                && block[start..].starts_with(literal)
            {
                hit(start, usize::from(n));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_literal_is_found_wherever_it_stands(
            text in "[abc]{0,60}", literals in prop::collection::vec("[abc]{4,7}", 1..6),
        ) {
            let text = text.into_bytes();
            let bytes: Vec<&[u8]> = literals.iter().map(|l| l.as_bytes()).collect();
            let mut got = BTreeSet::new();
            Literals::new(&bytes).each(&text, |at, n| { got.insert((at, bytes[n])); });
            let want: BTreeSet<(usize, &[u8])> = (0..text.len())
                .flat_map(|at| bytes.iter().filter(|l| text[at..].starts_with(l)).map(|l| (at, *l)).collect::<Vec<_>>())
                .collect();
            prop_assert_eq!(got, want);
        }
    }
}
