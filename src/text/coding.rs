//! The escapes and encodings that are undone on the way from a source's bytes to a credential. Each is written
//! once, as the decoding of its next unit; decoding a text and finding the way back are both loops over that.

use std::borrow::Cow;
use std::ops::Range;

/// An encoding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// `%HH` (RFC 3986 §2.1). `+` stays `+`.
    Percent,
    /// What nginx and Apache write in logs: `\xHH`, `\"`, `\\`, `\n` and the like.
    Backslash,
    /// The inside of a JSON string (RFC 8259 §7). Invalid `\xHH`, which hand-made JSON log formats of nginx
    /// contain, is taken for the byte it means.
    Json,
    /// HAProxy's `#HH` for what it does not print.
    Hash,
    /// Base64 in either alphabet, padded or not (RFC 4648 §4, §5), in lines or not.
    Base64,
    /// `""` for `"` inside a quoted field.
    DoubledQuote,
    /// HTML and XML character references.
    Html,
    /// A shell's backslash, which stands before what is meant as it is.
    Shell,
}

/// The next piece of an encoded text: how many bytes it takes, and what they stand for.
struct Unit {
    used: usize,
    out: [u8; 4],
    len: usize,
}

impl Unit {
    fn byte(used: usize, b: u8) -> Unit {
        Unit {
            used,
            out: [b, 0, 0, 0],
            len: 1,
        }
    }

    fn char(used: usize, c: char) -> Unit {
        let mut out = [0; 4];
        let len = c.encode_utf8(&mut out).len();
        Unit { used, out, len }
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(b: u8) -> Option<u8> {
    (b as char).to_digit(16).map(|d| d as u8)
}

fn hex2(raw: &[u8], at: usize) -> Option<u8> {
    Some(hex(*raw.get(at)?)? << 4 | hex(*raw.get(at + 1)?)?)
}

fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(hex2(raw, at)?) << 8 | u32::from(hex2(raw, at + 2)?))
}

impl Coding {
    /// The byte that introduces an escape, for those that have one.
    fn marker(self) -> Option<u8> {
        match self {
            Coding::Percent => Some(b'%'),
            Coding::Backslash | Coding::Json | Coding::Shell => Some(b'\\'),
            Coding::Hash => Some(b'#'),
            Coding::DoubledQuote => Some(b'"'),
            Coding::Html => Some(b'&'),
            Coding::Base64 => None,
        }
    }

    /// The unit at the start of `raw`, which is not empty.
    fn unit(self, raw: &[u8]) -> Unit {
        let plain = Unit::byte(1, raw[0]);
        match self {
            Coding::Percent if raw[0] == b'%' => hex2(raw, 1).map_or(plain, |b| Unit::byte(3, b)),
            Coding::Hash if raw[0] == b'#' => hex2(raw, 1).map_or(plain, |b| Unit::byte(3, b)),
            Coding::DoubledQuote if raw.starts_with(b"\"\"") => Unit::byte(2, b'"'),
            Coding::Backslash | Coding::Json if raw[0] == b'\\' => {
                let simple = |b| Unit::byte(2, b);
                match raw.get(1) {
                    Some(b'n') => simple(b'\n'),
                    Some(b't') => simple(b'\t'),
                    Some(b'r') => simple(b'\r'),
                    Some(b'b') => simple(8),
                    Some(b'f') => simple(12),
                    Some(b'v') => simple(11),
                    Some(b'x') => hex2(raw, 2).map_or(plain, |b| Unit::byte(4, b)),
                    Some(&b @ (b'"' | b'\\' | b'/' | b'\'')) => simple(b),
                    Some(b'u') => json_unicode(raw).unwrap_or(plain),
                    _ => plain,
                }
            }
            Coding::Shell if raw[0] == b'\\' => raw.get(1).map_or(plain, |&b| Unit::byte(2, b)),
            Coding::Html if raw[0] == b'&' => html_reference(raw).unwrap_or(plain),
            _ => plain,
        }
    }

    /// `raw` with this encoding undone; borrowed where there was nothing to undo. What is no valid escape
    /// stays as it is, so this never fails; for base64 the result is empty where `raw` is no base64.
    pub fn decode(self, raw: &[u8]) -> Cow<'_, [u8]> {
        let Some(marker) = self.marker() else {
            let plain = match raw.iter().any(u8::is_ascii_whitespace) {
                true => base64(
                    &raw.iter()
                        .copied()
                        .filter(|b| !b.is_ascii_whitespace())
                        .collect::<Vec<u8>>(),
                ),
                false => base64(raw),
            };
            return Cow::Owned(plain.unwrap_or_default());
        };
        let Some(first) = memchr::memchr(marker, raw) else {
            return Cow::Borrowed(raw);
        };
        let mut out = Vec::with_capacity(raw.len());
        out.extend_from_slice(&raw[..first]);
        let mut at = first;
        while at < raw.len() {
            let unit = self.unit(&raw[at..]);
            out.extend_from_slice(&unit.out[..unit.len]);
            at += unit.used;
            let next = memchr::memchr(marker, &raw[at..]).map_or(raw.len(), |n| at + n);
            out.extend_from_slice(&raw[at..next]);
            at = next;
        }
        Cow::Owned(out)
    }

    /// Pairs of offsets, decoded and raw, at which [`Coding::locate`] can begin, at least `every` decoded bytes apart.
    pub(super) fn marks(self, raw: &[u8], every: usize) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        if raw.len() <= every {
            return out;
        }
        let Some(marker) = self.marker() else {
            let mut last = 0;
            let digits = raw.iter().enumerate().filter(|(_, b)| !b.is_ascii_whitespace());
            for (n, (at, _)) in digits.enumerate().filter(|(n, _)| n % 4 == 0) {
                if n / 4 * 3 - last >= every {
                    last = n / 4 * 3;
                    out.push((last, at));
                }
            }
            return out;
        };
        let (mut at, mut done, mut last) = (0, 0, 0);
        while at < raw.len() {
            let plain = memchr::memchr(marker, &raw[at..]).unwrap_or(raw.len() - at);
            at += plain;
            done += plain;
            if done - last >= every {
                out.push((done, at));
                last = done;
            }
            if at < raw.len() {
                let unit = self.unit(&raw[at..]);
                at += unit.used;
                done += unit.len;
            }
        }
        out
    }

    /// Where in `raw` the bytes `decoded` of its decoded form stand. A range that begins or ends inside an
    /// escape takes the whole escape; one in base64 takes whole groups of four.
    pub fn locate(self, raw: &[u8], decoded: Range<usize>) -> Range<usize> {
        if self == Coding::Base64 {
            let begin = decoded.start / 3 * 4;
            let end = decoded.end.div_ceil(3) * 4;
            let all = raw.iter().enumerate().filter(|(_, b)| !b.is_ascii_whitespace());
            let mut digits = all.map(|(at, _)| at).skip(begin).take(end - begin);
            return match digits.next() {
                Some(first) => first..digits.last().unwrap_or(first) + 1,
                None => begin.min(raw.len())..begin.min(raw.len()),
            };
        }
        let marker = self.marker().unwrap_or_default();
        let (mut at, mut done) = (0, 0);
        let mut begin = None;
        while at < raw.len() && done < decoded.end {
            // Up to the next escape a byte is a byte.
            let plain = memchr::memchr(marker, &raw[at..]).unwrap_or(raw.len() - at);
            if plain > 0 {
                if begin.is_none() && done + plain > decoded.start {
                    begin = Some(at + decoded.start.saturating_sub(done));
                }
                let step = plain.min(decoded.end - done);
                at += step;
                done += step;
                continue;
            }
            let unit = self.unit(&raw[at..]);
            if begin.is_none() && done + unit.len > decoded.start {
                begin = Some(at);
            }
            at += unit.used;
            done += unit.len;
        }
        begin.unwrap_or(at)..at
    }
}

/// `\uXXXX`, with surrogate pairs; a lone surrogate is the replacement character.
fn json_unicode(raw: &[u8]) -> Option<Unit> {
    let high = hex4(raw, 2)?;
    if (0xD800..0xDC00).contains(&high) && raw.get(6..8) == Some(b"\\u") {
        let low = hex4(raw, 8)?;
        if (0xDC00..0xE000).contains(&low) {
            let c = char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))?;
            return Some(Unit::char(12, c));
        }
    }
    Some(Unit::char(6, char::from_u32(high).unwrap_or('\u{FFFD}')))
}

/// The references that exporters of bookmarks and XML writers use: the five of XML, and numeric ones.
fn html_reference(raw: &[u8]) -> Option<Unit> {
    let end = raw.iter().take(12).position(|&b| b == b';')?;
    let name = &raw[1..end];
    let c = match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => {
            char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?)?
        }
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Some(Unit::char(end + 1, c))
}

/// How much of `raw` base64 is that can be undone: its padding, and white space in it, included.
pub(crate) fn base64_len(raw: &[u8]) -> usize {
    let is_digit = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_".contains(b);
    let digits = raw.iter().take_while(|b| is_digit(b) || b.is_ascii_whitespace());
    let mut length = digits.count();
    let mut count = raw[..length].iter().filter(|b| is_digit(b)).count();
    while count % 4 == 1 {
        length -= 1;
        count -= usize::from(is_digit(&raw[length]));
    }
    if count == 0 {
        return 0;
    }
    let padding = raw[length..]
        .iter()
        .take_while(|b| **b == b'=' || b.is_ascii_whitespace());
    length + padding.count()
}

/// Base64 of either alphabet, with or without padding; `None` where it is not base64.
pub(crate) fn base64(raw: &[u8]) -> Option<Vec<u8>> {
    let trimmed = &raw[..raw.iter().rposition(|&b| b != b'=').map_or(0, |p| p + 1)];
    let mut plain = Vec::with_capacity(trimmed.len());
    for &b in trimmed {
        plain.push(match b {
            b'-' => b'+',
            b'_' => b'/',
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => b,
            _ => return None,
        });
    }
    // The last group may carry bits that a strict decoder refuses; a log is no place to be strict.
    let mut spec = data_encoding::BASE64_NOPAD.specification();
    spec.check_trailing_bits = false;
    spec.encoding().ok()?.decode(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_coding_undoes_its_escapes() {
        let cases: &[(Coding, &str, &str)] = &[
            (Coding::Percent, "a%20b%zz%", "a b%zz%"),
            (Coding::Backslash, r"a\x22b\\c\q", "a\"b\\c\\q"),
            (Coding::Json, r"\u0026x\/\ud83d\ude00\x41", "&x/😀A"),
            (Coding::Hash, "a#20b#", "a b#"),
            (Coding::DoubledQuote, "a\"\"b", "a\"b"),
            (Coding::Html, "a&amp;b&#38;c&#x26;d&nope;", "a&b&c&d&nope;"),
            (Coding::Base64, "am86cHc", "jo:pw"),
            (Coding::Base64, "am8\r\n6c\nHc=\n", "jo:pw"),
            (Coding::Shell, r"a\&b\\\nc\", r"a&b\nc\"),
        ];
        for (coding, raw, plain) in cases {
            assert_eq!(coding.decode(raw.as_bytes()), plain.as_bytes(), "{coding:?}");
        }
    }

    #[test]
    fn base64_leads_back_across_its_lines() {
        let plain: Vec<u8> = (0..20_000u32).map(|n| (n * 7 % 251) as u8).collect();
        let flat = data_encoding::BASE64.encode(&plain).into_bytes();
        let lines = flat.chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
        for raw in [&flat, &lines] {
            assert_eq!(&*Coding::Base64.decode(raw), &plain[..]);
            let marks = Coding::Base64.marks(raw, 4096);
            assert_eq!(marks.len(), 4);
            for (done, at) in marks {
                assert_eq!(&*Coding::Base64.decode(&raw[at..]), &plain[done..]);
            }
            for (from, to) in [(0, 1), (56, 58), (1000, 1003), (19_990, 20_000)] {
                let back = Coding::Base64.locate(raw, from..to);
                let again = Coding::Base64.decode(&raw[back]);
                assert!(
                    memchr::memmem::find(&again, &plain[from..to]).is_some() && again.len() <= to - from + 4
                );
            }
        }
    }

    #[test]
    fn base64_ends_where_other_text_begins() {
        for (raw, len) in [
            ("am86cHc=", 8),
            ("am86\ncHc= \n", 11),
            ("am86cHc=\"x", 8),
            ("am86c", 4),
            ("am86 c{", 5),
            ("a", 0),
            ("{\"a\":1}", 0),
            ("", 0),
        ] {
            assert_eq!(base64_len(raw.as_bytes()), len, "{raw}");
        }
    }

    proptest! {
        /// The way back of any decoded stretch decodes to that stretch again.
        #[test]
        fn the_way_back_leads_to_the_same_bytes(
            raw in prop::collection::vec(prop_oneof![
                Just("%41"), Just("%"), Just("\\x41"), Just("\\u00e9"), Just("\\"), Just("&amp;"),
                Just("#20"), Just("\"\""), Just("a"), Just("é"), Just("\\ud83d\\ude00"),
            ], 0..12),
            from in 0usize..12, len in 0usize..6,
        ) {
            let raw = raw.concat().into_bytes();
            for coding in [Coding::Percent, Coding::Backslash, Coding::Json, Coding::Hash,
                           Coding::DoubledQuote, Coding::Html, Coding::Shell] {
                let plain = coding.decode(&raw);
                let from = from.min(plain.len());
                let to = (from + len).min(plain.len());
                let back = coding.locate(&raw, from..to);
                let again = coding.decode(&raw[back.clone()]);
                prop_assert!(memchr::memmem::find(&again, &plain[from..to]).is_some());
                prop_assert_eq!(coding.locate(&raw, 0..plain.len()), 0..raw.len());
                for (done, at) in coding.marks(&raw, 1) {
                    prop_assert_eq!(&*coding.decode(&raw[at..]), &plain[done..]);
                }
            }
        }
    }
}
