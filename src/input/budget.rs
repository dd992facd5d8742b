//! How much one input may unpack to. Archives can be made that hold far more than they are, in themselves or nested;
//! reading ends where that shows, and what was read stays read.

use std::io::{self, Read};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one input may unpack to, all its layers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unpacked bytes for each packed one. It counts from [`FREE`] on: a small file of one repeated line packs well.
    pub ratio: u64,
    /// Unpacked bytes.
    pub size: u64,
}

/// Unpacked bytes that any input may have, whatever the ratio.
pub const FREE: u64 = 1 << 30;

impl Default for Limits {
    /// A ratio that logs do not reach, deflate's worst does and other methods' worst surpasses; 16 TiB.
    fn default() -> Self {
        Limits {
            ratio: 1000,
            size: 16 << 40,
        }
    }
}

/// A size in bytes, as users write it: `500M`, `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match text[digits..].to_ascii_lowercase().trim_end_matches("ib") {
            "" => Some(0),
            "k" => Some(10),
            "m" => Some(20),
            "g" => Some(30),
            "t" => Some(40),
            _ => None,
        };
        let number = text[..digits].parse::<u64>().ok().filter(|&n| n > 0);
        number
            .zip(unit)
            .and_then(|(n, unit)| n.checked_mul(1 << unit))
            .map(Size)
            .ok_or_else(|| "write it as 500M or 2GiB".into())
    }
}

/// What one input has unpacked so far; clones are one.
#[derive(Clone, Debug)]
pub struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    limits: Limits,
    packed: AtomicU64,
    unpacked: AtomicU64,
}

impl Budget {
    /// For an input of `packed` bytes; 0 where they are counted as they come.
    pub fn new(limits: Limits, packed: u64) -> Budget {
        Budget(Arc::new(State {
            limits,
            packed: AtomicU64::new(packed),
            unpacked: AtomicU64::new(0),
        }))
    }

    /// Why nothing more is unpacked, if that is so, and what to do.
    pub fn exceeded(&self) -> Option<String> {
        let State { limits, .. } = *self.0;
        let unpacked = self.0.unpacked.load(Ordering::Relaxed);
        let packed = self.0.packed.load(Ordering::Relaxed);
        if unpacked > limits.size {
            let text = "it unpacks to more than {} bytes; if it should, raise --max-unpacked";
            Some(text.replace("{}", &limits.size.to_string()))
        } else if unpacked > FREE && unpacked / limits.ratio > packed {
            let text = "it unpacks to more than {} times its size; if it should, raise --max-ratio";
            Some(text.replace("{}", &limits.ratio.to_string()))
        } else {
            None
        }
    }

    /// Counts what `inner` gives as packed.
    pub fn packed<R: Read>(&self, inner: R) -> impl Read + use<R> {
        let state = self.0.clone();
        Counted(inner, move |n| {
            state.packed.fetch_add(n, Ordering::Relaxed);
            Ok(())
        })
    }

    /// Counts what `inner` gives as unpacked; it fails where that is too much.
    pub fn unpacked<R: Read>(&self, inner: R) -> impl Read + use<R> {
        let budget = self.clone();
        Counted(inner, move |n| {
            budget.0.unpacked.fetch_add(n, Ordering::Relaxed);
            budget.exceeded().map_or(Ok(()), |why| Err(io::Error::other(why)))
        })
    }
}

struct Counted<R, F>(R, F);

impl<R: Read, F: Fn(u64) -> io::Result<()>> Read for Counted<R, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buf)?;
        (self.1)(n as u64)?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_to_too_much_ends() {
        let limits = Limits {
            ratio: 3,
            size: FREE * 2,
        };
        let small = Budget::new(limits, 1);
        assert_eq!(
            io::copy(&mut small.unpacked(io::repeat(0).take(FREE)), &mut io::sink()).unwrap(),
            FREE
        );
        let why = io::copy(&mut small.unpacked(io::repeat(0)), &mut io::sink()).unwrap_err();
        assert!(why.to_string().contains("3 times its size"), "{why}");
        let large = Budget::new(limits, 0);
        io::copy(&mut large.packed(io::repeat(0).take(FREE)), &mut io::sink()).unwrap();
        let why = io::copy(&mut large.unpacked(io::repeat(0)), &mut io::sink()).unwrap_err();
        assert!(why.to_string().contains("--max-unpacked"), "{why}");
    }

    #[test]
    fn sizes_are_written_with_or_without_units() {
        let size = |t: &str| t.parse::<Size>().map(|s| s.0).ok();
        assert_eq!(
            ["7", "2k", "3MiB", "1G", "0", "x", "1x", "99999999T", ""].map(size),
            [
                Some(7),
                Some(2048),
                Some(3 << 20),
                Some(1 << 30),
                None,
                None,
                None,
                None,
                None
            ]
        );
    }
}
