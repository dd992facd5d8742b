//! Text with its way back: slices of the input, or of something decoded from it, that know where their bytes
//! stand in the source. Redaction and offsets stand on this; nothing here knows about logs or credentials.

mod buckets;
mod coding;
pub mod json;
pub mod nearest;
pub mod packed;
pub mod shape;

pub use coding::Coding;
pub(crate) use coding::base64 as coding_base64;
pub(crate) use coding::base64_len;
pub(crate) use coding::hex;

use std::cell::OnceCell;
use std::ops::Range;

/// Where a stretch of [`Text`] comes from: the source itself, or a decoding of another text.
#[derive(Clone, Debug)]
pub enum Base<'a> {
    /// Bytes as they stand in the decompressed source; `offset` is that of the first of them.
    Source {
        /// Offset of the first byte in the decompressed source, in bytes.
        offset: u64,
    },
    /// Pieces of one line that stand apart in the source, joined: where each begins here, and its offset there.
    Joined {
        /// In order; the first begins at 0.
        pieces: &'a [(usize, u64)],
    },
    /// UTF-8 that was made from UTF-16 at `offset`: every UTF-16 unit is two bytes there.
    Utf16 {
        /// Offset of the first unit in the decompressed source, in bytes.
        offset: u64,
    },
    /// Bytes that were decoded from another text.
    Decoded {
        /// The text before decoding.
        from: Text<'a>,
        /// What was undone.
        coding: Coding,
        /// Places to begin from when the way back is looked for.
        marks: Marks,
    },
}

/// Bytes of decoded text between two marks.
const MARK_EVERY: usize = 4096;

/// Where bytes of a long decoded text stand in the raw one, every so often: finding the way back of many stretches
/// would otherwise read all of it for each. Filled when it is first needed.
#[derive(Clone, Debug, Default)]
pub struct Marks(OnceCell<Vec<(usize, usize)>>);

impl<'a> Base<'a> {
    /// Bytes that were decoded from `from`.
    pub fn decoded(from: Text<'a>, coding: Coding) -> Base<'a> {
        Base::Decoded {
            from,
            coding,
            marks: Marks::default(),
        }
    }
}

/// A slice of bytes that knows its way back to the source.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    bytes: &'a [u8],
    /// Everything that was decoded together; `bytes` is a slice of it.
    whole: &'a [u8],
    start: usize,
    base: &'a Base<'a>,
}

impl std::fmt::Debug for Text<'_> {
    /// Shows the place only: the bytes may be a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes at {})", self.bytes.len(), self.start)
    }
}

impl<'a> Text<'a> {
    /// All of `bytes`, which came from `base`.
    pub fn new(bytes: &'a [u8], base: &'a Base<'a>) -> Self {
        Text {
            bytes,
            whole: bytes,
            start: 0,
            base,
        }
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A part of this text; `range` counts from its first byte and is cut to what is there.
    pub fn slice(&self, range: Range<usize>) -> Text<'a> {
        let end = range.end.min(self.bytes.len());
        let begin = range.start.min(end);
        Text {
            bytes: &self.bytes[begin..end],
            whole: self.whole,
            start: self.start + begin,
            base: self.base,
        }
    }

    /// Everything from byte `at` on.
    pub fn from(&self, at: usize) -> Text<'a> {
        self.slice(at..self.bytes.len())
    }

    /// Everything before byte `at`.
    pub fn to(&self, at: usize) -> Text<'a> {
        self.slice(0..at)
    }

    /// Splits at the first `byte`, which belongs to neither half.
    pub fn split_once(&self, byte: u8) -> Option<(Text<'a>, Text<'a>)> {
        let at = memchr::memchr(byte, self.bytes)?;
        Some((self.to(at), self.from(at + 1)))
    }

    /// From the start of this text to the end of `other`, where both are slices of one decoding.
    pub fn to_end_of(&self, other: Text<'a>) -> Option<Text<'a>> {
        let same =
            std::ptr::eq(self.whole.as_ptr(), other.whole.as_ptr()) && self.whole.len() == other.whole.len();
        let end = other.start + other.bytes.len();
        let bytes = self.whole.get(self.start..end).filter(|_| same)?;
        Some(Text { bytes, ..*self })
    }

    /// Without white space at either end.
    pub fn trim(&self) -> Text<'a> {
        let start = self
            .bytes
            .iter()
            .position(|b| !b.is_ascii_whitespace())
            .unwrap_or(self.bytes.len());
        let end = self
            .bytes
            .iter()
            .rposition(|b| !b.is_ascii_whitespace())
            .map_or(start, |p| p + 1);
        self.slice(start..end)
    }

    /// Where the bytes stand in the decompressed source. Inside something that cannot be mapped byte by byte
    /// (base64) this is the smallest stretch that holds them all.
    pub fn span(&self) -> Range<u64> {
        let (mut lo, mut hi) = (self.start, self.start + self.bytes.len());
        let (mut base, mut whole) = (self.base, self.whole);
        loop {
            match base {
                Base::Source { offset } => return offset + lo as u64..offset + hi as u64,
                Base::Joined { pieces } => {
                    let at = |i: usize| {
                        let n = pieces.partition_point(|p| p.0 <= i).saturating_sub(1);
                        pieces.get(n).map_or(0, |p| p.1 + (i - p.0) as u64)
                    };
                    return at(lo)..if hi > lo { at(hi - 1) + 1 } else { at(lo) };
                }
                Base::Utf16 { offset } => {
                    let units = |to: usize| 2 * utf16_units(&whole[..to.min(whole.len())]);
                    return offset + units(lo)..offset + units(hi);
                }
                Base::Decoded { from, coding, marks } => {
                    let marks = marks.0.get_or_init(|| coding.marks(from.bytes, MARK_EVERY));
                    let n = marks.partition_point(|m| m.0 <= lo);
                    let (done, at) = n.checked_sub(1).map_or((0, 0), |n| marks[n]);
                    let raw = coding.locate(&from.bytes[at..], lo - done..hi - done);
                    lo = from.start + at + raw.start;
                    hi = from.start + at + raw.end;
                    (base, whole) = (from.base, from.whole);
                }
            }
        }
    }

    /// The index in this text, which stands in the source as it is, of the byte at `offset` of the source.
    pub fn index_of(&self, offset: u64) -> usize {
        match self.base {
            Base::Utf16 { offset: base } => {
                let units = offset.saturating_sub(*base) / 2;
                let skip = utf16_units(&self.whole[..self.start]);
                let mut seen = skip;
                self.bytes
                    .iter()
                    .position(|&b| {
                        let before = seen;
                        seen += u64::from(b & 0xC0 != 0x80) + u64::from(b >= 0xF0);
                        b & 0xC0 != 0x80 && before >= units
                    })
                    .unwrap_or(self.bytes.len())
            }
            Base::Joined { pieces } => {
                let n = pieces.partition_point(|p| p.1 <= offset).saturating_sub(1);
                let index = pieces
                    .get(n)
                    .map_or(0, |p| p.0 + offset.saturating_sub(p.1) as usize);
                let next = pieces.get(n + 1).map_or(self.whole.len(), |p| p.0);
                index.min(next).saturating_sub(self.start).min(self.bytes.len())
            }
            _ => offset
                .saturating_sub(self.span().start)
                .min(self.bytes.len() as u64) as usize,
        }
    }

    /// The decodings between the source and these bytes, outermost first.
    pub fn chain(&self) -> Vec<Coding> {
        let mut out = Vec::new();
        let mut base = self.base;
        while let Base::Decoded { from, coding, .. } = base {
            out.push(*coding);
            base = from.base;
        }
        out.reverse();
        out
    }

    /// Where all of the base64 that these bytes were decoded from stands in the source: the outermost, where it
    /// was nested. `None` where there is none on the way.
    pub fn opaque_span(&self) -> Option<Range<u64>> {
        let mut outermost = None;
        let mut base = self.base;
        while let Base::Decoded { from, coding, .. } = base {
            if *coding == Coding::Base64 {
                outermost = Some(from);
            }
            base = from.base;
        }
        outermost.map(Text::span)
    }

    /// Where the pieces of a joined line stand in the source, in order; empty where nothing was joined.
    pub fn pieces(&self) -> Vec<Range<u64>> {
        let Base::Joined { pieces } = self.base else {
            return Vec::new();
        };
        let ends = pieces.iter().skip(1).map(|p| p.0).chain([self.whole.len()]);
        pieces
            .iter()
            .zip(ends)
            .map(|(&(begin, at), end)| at..at + (end - begin) as u64)
            .collect()
    }

    /// Whether these bytes stand in the source as they are.
    pub fn is_plain(&self) -> bool {
        !matches!(self.base, Base::Decoded { .. })
    }

    /// Whether these bytes were made by a decoding whose result does not show in the source's own bytes
    /// (base64), so that a search of the raw line cannot have seen them.
    pub fn is_opaque(&self) -> bool {
        let mut base = self.base;
        while let Base::Decoded { from, coding, .. } = base {
            if matches!(coding, Coding::Base64) {
                return true;
            }
            base = from.base;
        }
        false
    }
}

/// How many UTF-16 units the UTF-8 in `bytes` stands for (a replacement character stands for one).
pub fn utf16_units(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .map(|&b| u64::from(b & 0xC0 != 0x80) + u64::from(b >= 0xF0))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_decodings_lead_back_to_the_source() {
        let line = br#"{"log":"GET \/x?u=a%3Dtop%253Dx"}"#;
        let root = Base::Source { offset: 1000 };
        let line = Text::new(line, &root);
        let json = line.slice(8..line.len() - 2);
        let once = Coding::Json.decode(json.bytes());
        let base = Base::decoded(json, Coding::Json);
        let once = Text::new(&once, &base);
        assert_eq!(once.bytes(), b"GET /x?u=a%3Dtop%253Dx");
        let value = once.from(9);
        let twice = Coding::Percent.decode(value.bytes());
        let base = Base::decoded(value, Coding::Percent);
        let twice = Text::new(&twice, &base);
        assert_eq!(twice.bytes(), b"a=top%3Dx");
        let top = twice.slice(2..5);
        let span = top.span();
        assert_eq!(
            &line.bytes()[(span.start - 1000) as usize..(span.end - 1000) as usize],
            b"top"
        );
        assert_eq!(top.chain(), [Coding::Json, Coding::Percent]);
        let escaped = twice.slice(5..8).span();
        assert_eq!(
            &line.bytes()[(escaped.start - 1000) as usize..(escaped.end - 1000) as usize],
            b"%253D"
        );
    }

    #[test]
    fn utf16_offsets_count_units() {
        let root = Base::Utf16 { offset: 2 };
        let line = "aé😀b".as_bytes();
        let text = Text::new(line, &root);
        assert_eq!(text.from(line.len() - 1).span(), 2 + 8..2 + 10);
    }
}
