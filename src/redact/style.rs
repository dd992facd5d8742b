//! What stands in a credential's place, and in which units the source is written.

use crate::record::words;
use crate::secret::Fingerprint;

words! {
    /// What is written where a credential stood.
    Style {
        /// `PLAINSIGHT-` and 16 hexadecimal digits of its fingerprint: who reads the copy can follow it.
        Mark = "mark",
        /// As many stars as it had bytes.
        Mask = "mask",
        /// Nothing.
        Drop = "drop",
    }
}

/// How a mark begins.
pub const MARK: &str = "PLAINSIGHT-";

/// Hexadecimal digits of a mark.
const DIGITS: usize = 16;

/// Length of a mark in characters.
pub const MARK_LENGTH: usize = MARK.len() + DIGITS;

impl Style {
    /// What stands for a credential with that fingerprint which took `length` characters.
    pub fn replacement(self, fingerprint: Fingerprint, length: usize) -> Vec<u8> {
        match self {
            Style::Mark => mark(fingerprint),
            Style::Mask => vec![b'*'; length],
            Style::Drop => Vec::new(),
        }
    }
}

/// The mark of a credential.
pub fn mark(fingerprint: Fingerprint) -> Vec<u8> {
    format!("{MARK}{fingerprint}").into_bytes()
}

/// Whether a mark begins `text`.
pub fn begins_mark(text: &[u8]) -> bool {
    text.strip_prefix(MARK.as_bytes())
        .and_then(|rest| rest.get(..DIGITS))
        .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// How characters are written in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// A byte for each ASCII character.
    Bytes,
    /// UTF-16, the low byte first.
    Little,
    /// UTF-16, the high byte first.
    Big,
}

impl Units {
    /// Bytes of one unit.
    pub fn width(self) -> usize {
        if self == Units::Bytes { 1 } else { 2 }
    }

    /// `text`, which is UTF-8 or, where the unit is a byte, anything, in these units.
    pub fn encode(self, text: &[u8]) -> Vec<u8> {
        let bytes = match self {
            Units::Bytes => return text.to_vec(),
            Units::Little => u16::to_le_bytes,
            Units::Big => u16::to_be_bytes,
        };
        String::from_utf8_lossy(text)
            .encode_utf16()
            .flat_map(bytes)
            .collect()
    }

    /// `raw` as the scanner reads it: UTF-16 as UTF-8, a lone surrogate as the replacement character.
    pub fn decode(self, raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
        let number = match self {
            Units::Bytes => return raw.into(),
            Units::Little => u16::from_le_bytes,
            Units::Big => u16::from_be_bytes,
        };
        let units = raw.chunks_exact(2).map(|p| number([p[0], p[1]]));
        let text: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        text.into_bytes().into()
    }

    /// Where the line that holds byte `at` of `raw` begins; `raw` begins at a unit.
    pub fn line_start(self, raw: &[u8], at: usize) -> usize {
        let mut at = at.min(raw.len());
        while let Some(n) = memchr::memrchr(b'\n', &raw[..at]) {
            if self.is_line_end(raw, n) {
                return n + 1 + usize::from(self == Units::Little);
            }
            at = n;
        }
        0
    }

    /// Where the line that holds byte `at` of `raw` ends: at its line end, or at the end of `raw`.
    pub fn line_end(self, raw: &[u8], at: usize) -> usize {
        let mut at = at.min(raw.len());
        while let Some(n) = memchr::memchr(b'\n', &raw[at..]).map(|n| at + n) {
            if self.is_line_end(raw, n) {
                return n - usize::from(self == Units::Big);
            }
            at = n + 1;
        }
        raw.len()
    }

    /// Line ends in `raw`.
    pub fn lines(self, raw: &[u8]) -> u64 {
        memchr::memchr_iter(b'\n', raw)
            .filter(|&n| self.is_line_end(raw, n))
            .count() as u64
    }

    fn is_line_end(self, raw: &[u8], n: usize) -> bool {
        match self {
            Units::Bytes => true,
            Units::Little => n.is_multiple_of(2) && raw.get(n + 1) == Some(&0),
            Units::Big => !n.is_multiple_of(2) && raw[n - 1] == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_utf16_are_found_by_their_units() {
        // U+0A00 and U+000A share a byte.
        let text = "a\u{A00}b\ncd";
        for units in [Units::Little, Units::Big] {
            let raw = units.encode(text.as_bytes());
            assert_eq!(units.lines(&raw), 1);
            assert_eq!(units.line_start(&raw, raw.len()), 8);
            assert_eq!(units.line_end(&raw, 0), 6);
            assert_eq!(&*units.decode(&raw), text.as_bytes());
        }
    }

    #[test]
    fn a_mark_is_told_from_what_is_like_one() {
        let whole = mark(Fingerprint(0x0123_4567_89ab_cdef));
        assert_eq!(whole.len(), MARK_LENGTH);
        assert!(
            begins_mark(&whole) && !begins_mark(&whole[..26]) && !begins_mark(b"PLAINSIGHT-0123456789abcdeg")
        );
        assert!(crate::text::shape::is_redacted(&whole) && crate::text::shape::is_placeholder(&whole));
    }
}
