//! The removed credentials of a source, kept to be looked for in its copy. Bounded: of very many those with the
//! smallest fingerprints stay, so that what is kept is the same whatever the threads and the order.

use crate::secret::{Fingerprint, Secret};
use std::collections::BTreeMap;

/// Shorter credentials are not looked for: they stand in other words by chance. In bytes.
pub const SHORTEST: usize = 12;

/// Credentials that are kept at most.
const MOST: usize = 65_536;

/// Bytes that the kept ones have together, at most.
const MOST_BYTES: usize = 8 << 20;

/// Of a longer credential its end is looked for, in bytes.
const LONGEST: usize = 2048;

/// Removed credentials by fingerprint.
#[derive(Debug, Default)]
pub struct Kept {
    by_fingerprint: BTreeMap<Fingerprint, Secret>,
    bytes: usize,
}

impl Kept {
    /// Keeps `value`, if it is long enough and among the first; true where it was not kept already.
    pub fn add(&mut self, fingerprint: Fingerprint, value: &[u8]) -> bool {
        if value.len() < SHORTEST || self.by_fingerprint.contains_key(&fingerprint) {
            return false;
        }
        self.insert(
            fingerprint,
            Secret::new(&value[value.len().saturating_sub(LONGEST)..]),
        )
    }

    fn insert(&mut self, fingerprint: Fingerprint, secret: Secret) -> bool {
        self.bytes += secret.len();
        if let Some(old) = self.by_fingerprint.insert(fingerprint, secret) {
            self.bytes -= old.len();
        }
        while self.by_fingerprint.len() > MOST || self.bytes > MOST_BYTES {
            let Some((last, secret)) = self.by_fingerprint.pop_last() else {
                break;
            };
            self.bytes -= secret.len();
            if last == fingerprint {
                return false;
            }
        }
        true
    }

    /// Takes over what another has kept.
    pub fn merge(&mut self, other: Kept) {
        for (fingerprint, secret) in other.by_fingerprint {
            self.insert(fingerprint, secret);
        }
    }

    /// All of them, by fingerprint. For the search, never for output.
    pub fn iter(&self) -> impl Iterator<Item = (Fingerprint, &[u8])> {
        self.by_fingerprint.iter().map(|(f, s)| (*f, s.expose()))
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.by_fingerprint.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_does_not_depend_on_the_order() {
        let values: Vec<(Fingerprint, Vec<u8>)> = (0..MOST as u64 + 500)
            .map(|n| {
                (
                    Fingerprint(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
                    format!("value-{n:07}").into_bytes(),
                )
            })
            .collect();
        let mut whole = Kept::default();
        values.iter().for_each(|(f, v)| {
            whole.add(*f, v);
        });
        let (mut a, mut b) = (Kept::default(), Kept::default());
        for (n, (f, v)) in values.iter().rev().enumerate() {
            if n % 3 == 0 { &mut a } else { &mut b }.add(*f, v);
        }
        b.merge(a);
        assert_eq!(whole.by_fingerprint.len(), MOST);
        assert!(whole.iter().eq(b.iter()));
        assert!(!whole.add(Fingerprint(1), b"too short"));
    }
}
