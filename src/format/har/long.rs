//! Text that is too long to be held, a string of an entry or what is no JSON: it is given in windows that overlap.

use super::split::Piece;
use crate::text::Coding;
use std::ops::Range;

/// How much of it one window has, and how much two of them share.
pub(super) const WINDOW: usize = 1 << 20;
pub(super) const OVERLAP: usize = 64 << 10;

/// Bytes of its beginning that are remembered.
const HEAD: usize = 256;

/// A long string on its way.
pub(super) struct Long {
    /// What is held of it.
    pub bytes: Vec<u8>,
    /// Where that begins in the file.
    pub offset: u64,
    /// Whether nothing of it was given.
    first: bool,
    /// Digits of base64 before it.
    pub skipped: usize,
    /// How it begins.
    pub head: Box<[u8]>,
}

impl Long {
    /// Text of which `bytes`, at `offset` of the file, are the first.
    pub fn new(bytes: Vec<u8>, offset: u64) -> Long {
        Long {
            head: bytes[..bytes.len().min(HEAD)].into(),
            bytes,
            offset,
            first: true,
            skipped: 0,
        }
    }

    /// Where credentials begin that belong to the window of that length.
    pub fn own(&self, length: usize, last: bool) -> Range<u64> {
        let half = (OVERLAP / 2) as u64;
        let end = self.offset + length as u64 - if last { 0 } else { half };
        self.offset + if self.first { 0 } else { half }..if last { u64::MAX } else { end }
    }

    /// Gives a window of what is no JSON.
    pub fn window(&self, length: usize, last: bool, give: &mut dyn FnMut(Piece)) {
        give(Piece::Rest {
            bytes: &self.bytes[..length],
            offset: self.offset,
            own: self.own(length, last),
        });
    }

    /// Goes on behind the first `n` bytes.
    pub fn advance(&mut self, n: usize) {
        self.skipped += digits(&self.bytes[..n]);
        self.offset += n as u64;
        self.bytes.drain(..n);
        self.first = false;
    }
}

/// The end of the last whole escape at or before `at`; escapes without end give up.
pub(super) fn whole_escapes(bytes: &[u8], at: usize) -> usize {
    // An escape is 12 bytes at most (a surrogate pair): where none begins in the 12 before, none is cut.
    (at.saturating_sub(4096)..=at)
        .rev()
        .find(|&p| !bytes[p.saturating_sub(12)..p].contains(&b'\\'))
        .unwrap_or(at)
}

/// How many digits of base64 there are in the raw text of a string.
fn digits(raw: &[u8]) -> usize {
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || b"+/-_".contains(&b);
    let (mut at, mut count) = (0, 0);
    while at < raw.len() {
        let plain = memchr::memchr(b'\\', &raw[at..]).map_or(raw.len(), |n| at + n);
        count += raw[at..plain].iter().filter(|b| is_digit(**b)).count();
        let escape = &raw[plain..(plain + 6).min(raw.len())];
        let length = if escape.get(1) == Some(&b'u') { 6 } else { 2 };
        let plain64 = Coding::Json.decode(&escape[..length.min(escape.len())]);
        count += usize::from(matches!(&*plain64, &[b] if is_digit(b)));
        at = plain + length;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_base64_are_counted_through_escapes() {
        assert_eq!(
            digits(
                br"ab
+/\/+==-_"
            ),
            8
        );
    }
}
