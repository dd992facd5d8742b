//! Texts with the escapes undone that a credential may be written with, however often it was escaped: `%HH` and `%uHHHH`,
//! the backslash of JSON and of servers' logs, character references of HTML. All that is left of these is one text,
//! whatever was encoded by which program, in which order and with which digits; both a credential and the place where it
//! stands are brought to it. It is read once from left to right, in bounded memory.

use super::style::Units;
use crate::text::hex;

/// Longest character reference, in units.
const LONGEST_REFERENCE: usize = 10;

/// A text by its units.
pub trait Source {
    /// The unit at `n`.
    fn unit(&self, n: usize) -> Option<u16>;
    /// What a unit above ASCII, and perhaps the next one, stands for, and how many units it takes.
    fn high(&self, n: usize, unit: u16) -> (Symbol, usize);
}

/// Text in which a unit is a byte.
impl Source for &[u8] {
    #[inline]
    fn unit(&self, n: usize) -> Option<u16> {
        self.get(n).map(|b| u16::from(*b))
    }

    #[inline]
    fn high(&self, _: usize, unit: u16) -> (Symbol, usize) {
        (Symbol::Byte(unit as u8), 1)
    }
}

/// Text in UTF-16.
pub struct Wide<'b>(pub &'b [u8], pub Units);

impl Source for Wide<'_> {
    fn unit(&self, n: usize) -> Option<u16> {
        let pair = self.0.get(2 * n..2 * n + 2)?;
        Some(match self.1 {
            Units::Big => u16::from_be_bytes([pair[0], pair[1]]),
            _ => u16::from_le_bytes([pair[0], pair[1]]),
        })
    }

    fn high(&self, n: usize, unit: u16) -> (Symbol, usize) {
        let one = char::decode_utf16([unit].into_iter().chain(self.unit(n + 1))).next();
        match one {
            Some(Ok(c)) => (Symbol::Char(c), c.len_utf16()),
            _ => (Symbol::Char(char::REPLACEMENT_CHARACTER), 1),
        }
    }
}

/// What is left of one or more escapes, or what was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// A byte, which may be a part of a character.
    Byte(u8),
    /// A character above ASCII.
    Char(char),
}

impl Symbol {
    fn new(code: u32) -> Symbol {
        match u8::try_from(code) {
            Ok(b) if b.is_ascii() => Symbol::Byte(b),
            _ => Symbol::Char(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }

    /// Calls `each` with its bytes in UTF-8.
    #[inline]
    pub fn bytes(self, mut each: impl FnMut(u8)) {
        match self {
            Symbol::Byte(b) => each(b),
            Symbol::Char(c) => c.encode_utf8(&mut [0; 4]).bytes().for_each(each),
        }
    }
}

/// What stands at `at` as it is, and where the next begins.
#[inline]
pub fn plain(source: &impl Source, at: usize) -> Option<(Symbol, usize)> {
    let unit = source.unit(at)?;
    if unit < 0x80 {
        return Some((Symbol::Byte(unit as u8), at + 1));
    }
    let (symbol, used) = source.high(at, unit);
    Some((symbol, at + used))
}

/// What stands at `at` with all escapes undone, and where the next begins.
#[inline]
pub fn symbol(source: &impl Source, at: usize) -> Option<(Symbol, usize)> {
    let (first, next) = plain(source, at)?;
    match first {
        Symbol::Byte(b'%' | b'&' | b'\\') => Some(undone(source, first, next)),
        _ => Some((first, next)),
    }
}

/// `first`, which may begin an escape, with what follows at `next`.
fn undone(source: &impl Source, first: Symbol, next: usize) -> (Symbol, usize) {
    let (mut symbol, mut next) = inner(source, first, next);
    while symbol == Symbol::Byte(b'\\') {
        // Backslashes are doubled by each program that escapes once more: any number is one.
        let Some((follow, after)) = plain(source, next).map(|(s, n)| inner(source, s, n)) else {
            break;
        };
        let (code, end) = match follow {
            Symbol::Byte(b'\\') => {
                next = after;
                continue;
            }
            Symbol::Byte(b'"' | b'/' | b'\'') => return (follow, after),
            Symbol::Byte(b'n') => (u32::from(b'\n'), after),
            Symbol::Byte(b't') => (u32::from(b'\t'), after),
            Symbol::Byte(b'r') => (u32::from(b'\r'), after),
            Symbol::Byte(b'x') => match number(source, after, 2) {
                Some(n) => (n, after + 2),
                None => break,
            },
            Symbol::Byte(b'u') => match number(source, after, 4) {
                Some(n) => match low(source, after + 4).filter(|_| n & 0xFC00 == 0xD800) {
                    Some(low) => (0x1_0000 + ((n & 0x3FF) << 10 | low), after + 10),
                    None => (n, after + 4),
                },
                None => break,
            },
            _ => break,
        };
        // `\xC3` is a byte, `\u00c3` a character.
        symbol = match follow {
            Symbol::Byte(b'x') => Symbol::Byte(code as u8),
            _ => Symbol::new(code),
        };
        (symbol, next) = inner(source, symbol, end);
    }
    (symbol, next)
}

/// The low half of a pair at `at`.
fn low(source: &impl Source, at: usize) -> Option<u32> {
    let escape = source.unit(at)? == u16::from(b'\\') && source.unit(at + 1)? == u16::from(b'u');
    let n = number(source, at + 2, 4).filter(|_| escape)?;
    (n & 0xFC00 == 0xDC00).then_some(n & 0x3FF)
}

/// `symbol` and what follows with percent-encoding and character references undone.
fn inner(source: &impl Source, mut symbol: Symbol, mut next: usize) -> (Symbol, usize) {
    loop {
        let found = match symbol {
            Symbol::Byte(b'%') if source.unit(next) == Some(u16::from(b'u')) => {
                number(source, next + 1, 4).map(|n| (Symbol::new(n), next + 5))
            }
            Symbol::Byte(b'%') => number(source, next, 2).map(|n| (Symbol::Byte(n as u8), next + 2)),
            Symbol::Byte(b'&') => reference(source, next),
            _ => None,
        };
        let Some((undone, end)) = found else {
            return (symbol, next);
        };
        (symbol, next) = (undone, end);
    }
}

/// The number that so many hexadecimal digits at `at` are.
fn number(source: &impl Source, at: usize, digits: usize) -> Option<u32> {
    (at..at + digits).try_fold(0, |n, at| {
        let digit = hex(u8::try_from(source.unit(at)?).ok()?)?;
        Some(n << 4 | u32::from(digit))
    })
}

/// What a character reference stands for whose `&` is before `at`, and where it ends.
fn reference(source: &impl Source, at: usize) -> Option<(Symbol, usize)> {
    let mut name = [0; LONGEST_REFERENCE];
    let mut length = 0;
    loop {
        match u8::try_from(source.unit(at + length)?).ok()? {
            b';' => break,
            b if b.is_ascii_alphanumeric() || b == b'#' => *name.get_mut(length)? = b,
            _ => return None,
        }
        length += 1;
    }
    let code = match &name[..length] {
        b"amp" => u32::from(b'&'),
        b"lt" => u32::from(b'<'),
        b"gt" => u32::from(b'>'),
        b"quot" => u32::from(b'"'),
        b"apos" => u32::from(b'\''),
        [b'#', b'x' | b'X', digits @ ..] => {
            u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
        }
        [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
        _ => return None,
    };
    Some((Symbol::new(code), at + length + 1))
}

/// `value` with all escapes undone; a blank is `+`, as forms write it.
pub fn canonical(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut at = 0;
    while let Some((found, next)) = symbol(&value, at) {
        found.bytes(|b| out.push(if b == b' ' { b'+' } else { b }));
        at = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_of_escapes_are_undone() {
        for text in [
            r"a/b=c+d",
            r"a%2Fb%3dc%2b%64",
            r"a%252Fb%25253Dc%2Bd",
            r"a\/b\u003dc\u002Bd",
            r"a\\/b\\u003dc\\\\u002bd",
            r"a%5C%2Fb%5Cu003dc%5c%5cu002bd",
            r"a\u00252Fb\x3dc\u0025\u0032Bd",
            "a&#x2F;b&#61;c&amp;#43;d",
            "a%u002Fb=c d",
            "a%26#47;b=c%20d",
        ] {
            // Digits that are escaped themselves are read as what they are.
            let want: &[u8] = if text.contains("u0032") {
                b"a/b=c%2Bd"
            } else {
                b"a/b=c+d"
            };
            assert_eq!(
                String::from_utf8_lossy(&canonical(text.as_bytes())),
                String::from_utf8_lossy(want),
                "{text}"
            );
        }
        assert_eq!(
            canonical(br"\u00e9\ud83d\ude00%C3%A9\xc3\xa9"),
            "\u{e9}\u{1F600}\u{e9}\u{e9}".as_bytes()
        );
        for text in [
            r"100%",
            r"50%of",
            r"a\",
            r"C:\dir",
            "a&b&c;",
            "%2",
            r"\u12",
            r"\x1g",
            "&#x110000000;",
        ] {
            assert_eq!(canonical(text.as_bytes()), text.as_bytes());
        }
    }

    proptest! {
        /// Both units read the same, and whatever the text, it is read to its end.
        #[test]
        fn units_make_no_difference(text in r"(%25|%2F|%|2|F|[a-z]|\\|\\u|002b|\\ud83d|\\ude00|é|😀|&#|&amp;|;|x2f){0,40}") {
            let raw = Units::Little.encode(text.as_bytes());
            let wide = Wide(&raw, Units::Little);
            let (mut out, mut at) = (Vec::new(), 0);
            while let Some((found, next)) = symbol(&wide, at) {
                prop_assert!(next > at);
                found.bytes(|b| out.push(if b == b' ' { b'+' } else { b }));
                at = next;
            }
            prop_assert_eq!(out, canonical(text.as_bytes()));
        }
    }
}
