//! Sets of keyed hashes in bounded memory: the k smallest are kept. Up to k distinct the count is exact; beyond
//! it is estimated from the k-th smallest (Bar-Yossef et al. 2002, "Counting distinct elements in a data
//! stream"). What is kept depends on the elements alone, so unions in any order give the same set.

use serde::{Deserialize, Serialize};

/// A set of hashes, of which the smallest are kept.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    /// Sorted and distinct up to `clean`, then as they came.
    items: Vec<u64>,
    clean: usize,
    /// Whether more distinct ones were seen than are kept.
    overflowed: bool,
}

/// Below this many the set is not worth tidying.
const SMALL: usize = 16;

impl Sketch {
    /// Adds an element to a set of at most `k`.
    pub fn insert(&mut self, hash: u64, k: usize) {
        if self.overflowed && self.clean >= k && hash > self.items[k - 1] {
            return;
        }
        if self.items.last() == Some(&hash) {
            return;
        }
        self.items.push(hash);
        let grown = self.items.len() - self.clean;
        if grown >= SMALL && grown >= self.clean.min(k) {
            self.tidy(k);
        }
    }

    /// Sorts, removes doubles and what is beyond `k`.
    pub fn tidy(&mut self, k: usize) {
        // What stands there is sorted already, and so is what another set brought: the stable sort makes use of that.
        self.items.sort();
        self.items.dedup();
        if self.items.len() > k {
            self.items.truncate(k);
            self.overflowed = true;
        }
        self.clean = self.items.len();
    }

    /// Adds all elements of `other`. What that costs depends on `other` alone, however much is here.
    pub fn merge(&mut self, other: &Sketch, k: usize) {
        self.overflowed |= other.overflowed;
        other.items.iter().for_each(|&hash| self.insert(hash, k));
    }

    /// How many distinct elements there were, and whether that is an estimate. Call after `tidy`.
    pub fn count(&self) -> (u64, bool) {
        match self.items.last() {
            Some(&last) if self.overflowed => {
                let k = self.items.len() as f64;
                let estimate = ((k - 1.0) / (last as f64 / 2f64.powi(64))).round() as u64;
                // There were more than are kept.
                (estimate.max(self.items.len() as u64 + 1), true)
            }
            _ => (self.items.len() as u64, false),
        }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The kept hashes, sorted after `tidy`.
    pub fn items(&self) -> &[u64] {
        &self.items
    }
}

/// Base64 of the hashes' bytes, little-endian; a leading `+` says that there were more.
impl Serialize for Sketch {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.items.len() * 8);
        self.items
            .iter()
            .for_each(|i| bytes.extend_from_slice(&i.to_le_bytes()));
        let text = data_encoding::BASE64.encode(&bytes);
        s.serialize_str(&if self.overflowed {
            format!("+{text}")
        } else {
            format!("={text}")
        })
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(Text)
    }
}

/// Reads a set where it stands: a report has hundreds.
struct Text;

impl serde::de::Visitor<'_> for Text {
    type Value = Sketch;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a set of hashes in base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Sketch, E> {
        let (mark, body) = text
            .split_at_checked(1)
            .ok_or_else(|| E::custom("an empty set is written as ="))?;
        let bytes = data_encoding::BASE64.decode(body.as_bytes()).map_err(E::custom)?;
        if bytes.len() % 8 != 0 {
            return Err(E::custom("a set of hashes is cut off"));
        }
        let items: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|c| u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]))
            .collect();
        Ok(Sketch {
            clean: 0,
            items,
            overflowed: mark == "+",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(items: &[u64], k: usize) -> Sketch {
        let mut s = Sketch::default();
        items.iter().for_each(|&i| s.insert(i, k));
        s.tidy(k);
        s
    }

    fn same(a: &Sketch, b: &Sketch) -> bool {
        a.items() == b.items() && a.count() == b.count()
    }

    proptest! {
        #[test]
        fn unions_are_those_of_the_whole(items in prop::collection::vec(0u64..200, 0..300), cut in 0usize..300, k in 2usize..64) {
            let cut = cut.min(items.len());
            let whole = of(&items, k);
            let (mut a, b) = (of(&items[..cut], k), of(&items[cut..], k));
            let mut c = b.clone();
            c.merge(&a, k);
            a.merge(&b, k);
            a.tidy(k);
            c.tidy(k);
            prop_assert!(same(&a, &whole) && same(&c, &whole));
            let json = serde_json::to_string(&a).unwrap();
            let mut back: Sketch = serde_json::from_str(&json).unwrap();
            back.tidy(k);
            prop_assert!(same(&back, &whole));
        }
    }

    #[test]
    fn estimates_are_near() {
        let key = crate::secret::Key::from_bytes(b"0123456789abcdef");
        let items: Vec<u64> = (0..200_000u64)
            .map(|i| key.fingerprint(&i.to_le_bytes()).0)
            .collect();
        let (n, estimated) = of(&items, 16_384).count();
        assert!(estimated && (n as f64 - 200_000.0).abs() < 4_000.0, "{n}");
        assert_eq!(of(&items[..1000], 16_384).count(), (1000, false));
    }
}
