//! Checks that a value has to pass beyond its shape: checksums that vendors put into their tokens, and
//! structures that nothing else has.

use crate::text::json;
use crate::text::{Base, Text, coding_base64};
use serde::{Deserialize, Serialize};

/// A check by name, as rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// The last six characters are the CRC-32 of the thirty before them in base 62 (GitHub, npm).
    Github,
    /// Header and payload are base64 of JSON objects, the header has `alg`, and that is not `none`.
    Jwt,
    /// The same with the algorithm `none`: not signed (RFC 7519 §6).
    JwtUnsigned,
    /// The Luhn check digit of payment cards (ISO/IEC 7812-1).
    Luhn,
    /// The value is base64 of text with a colon in it: user and password.
    BasicAuth,
    /// The two check digits of an IBAN (ISO 13616).
    Iban,
    /// Base64 of JSON, XML or a serialised object.
    Base64Json,
}

impl Checksum {
    /// Whether it is the check of values that have a prefix of their own: what has that prefix and length and fails is
    /// no other credential by chance, but a made-up one. Structures (JWT) are no such check, nor are check digits of
    /// plain numbers.
    pub fn is_of_prefix(self) -> bool {
        matches!(self, Checksum::Github)
    }

    /// Whether `value` passes.
    pub fn holds(self, value: &[u8]) -> bool {
        match self {
            Checksum::Github => github(value),
            Checksum::Jwt => jwt_parts(value).is_some_and(|(head, _)| !unsigned(&head)),
            Checksum::JwtUnsigned => jwt_parts(value).is_some_and(|(head, _)| unsigned(&head)),
            Checksum::Luhn => luhn(value),
            Checksum::BasicAuth => coding_base64(value).is_some_and(|plain| {
                plain.contains(&b':') && plain.len() >= 3 && plain.iter().all(|b| *b >= 0x20 && *b != 0x7F)
            }),
            Checksum::Iban => iban(value),
            Checksum::Base64Json => coding_base64(value).is_some_and(|plain| {
                let root = Base::Source { offset: 0 };
                json::read(Text::new(&plain, &root)).is_some_and(|doc| doc.whole)
            }),
        }
    }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The CRC-32 (IEEE 802.3) of `body` in base 62, six characters.
pub fn base62_crc32(body: &[u8]) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let mut n = crc.sum();
    let mut out = [b'0'; 6];
    for slot in out.iter_mut().rev() {
        *slot = BASE62[(n % 62) as usize];
        n /= 62;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn github(value: &[u8]) -> bool {
    let body = memchr::memchr(b'_', value).map_or(value, |at| &value[at + 1..]);
    let Some(split) = body.len().checked_sub(6) else {
        return false;
    };
    base62_crc32(&body[..split]).as_bytes() == &body[split..]
}

/// The decoded header and payload of a JSON Web Token (RFC 7519), where `value` is one.
pub fn jwt_parts(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut parts = value.split(|&b| b == b'.');
    let head = coding_base64(parts.next()?)?;
    let body = coding_base64(parts.next()?)?;
    parts.next()?;
    let root = Base::Source { offset: 0 };
    let doc = json::read(Text::new(&head, &root)).filter(|d| d.whole)?;
    if !doc.members.iter().any(|m| &*m.path == "alg") {
        return None;
    }
    json::read(Text::new(&body, &root)).filter(|d| d.whole)?;
    Some((head, body))
}

/// Whether the header of a token says that it is not signed.
pub fn unsigned(head: &[u8]) -> bool {
    let root = Base::Source { offset: 0 };
    json::read(Text::new(head, &root)).is_some_and(|doc| {
        let none = |m: &json::Member| &*m.path == "alg" && m.value.bytes().eq_ignore_ascii_case(b"none");
        doc.members.iter().any(none)
    })
}

fn luhn(value: &[u8]) -> bool {
    let digits: Vec<u32> = value
        .iter()
        .filter(|b| !b" -".contains(b))
        .map(|&b| (b as char).to_digit(10).unwrap_or(99))
        .collect();
    if !(12..=19).contains(&digits.len())
        || digits.iter().any(|&d| d > 9)
        || digits.iter().all(|&d| d == digits[0])
    {
        return false;
    }
    let doubled = |d: u32| if d > 4 { 2 * d - 9 } else { 2 * d };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| if i % 2 == 1 { doubled(d) } else { d })
        .sum();
    sum.is_multiple_of(10)
}

fn iban(value: &[u8]) -> bool {
    let plain: Vec<u8> = value
        .iter()
        .filter(|b| **b != b' ')
        .map(u8::to_ascii_uppercase)
        .collect();
    if !(15..=34).contains(&plain.len()) || !plain.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let rotated = plain[4..].iter().chain(&plain[..4]);
    let rest = rotated.fold(0u64, |n, &b| {
        let d = u64::from((b as char).to_digit(36).unwrap_or(0));
        (if d > 9 { n * 100 } else { n * 10 } + d) % 97
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        assert_eq!(base62_crc32(&[b'A'; 30]), "0uCPlr");
        assert_eq!(base62_crc32(&[b'a'; 30]), "1yLcDB");
        let token = [b"ghp_".as_slice(), &[b'A'; 30], b"0uCPlr"].concat();
        assert!(Checksum::Github.holds(&token));
        assert!(!Checksum::Github.holds(&token[..39]));
        assert!(Checksum::Luhn.holds(b"4111 1111 1111 1111") && !Checksum::Luhn.holds(b"4111111111111112"));
        assert!(
            Checksum::Iban.holds(b"GB82 WEST 1234 5698 7654 32")
                && !Checksum::Iban.holds(b"GB82WEST12345698765433")
        );
        assert!(Checksum::BasicAuth.holds(b"am86cHc=") && !Checksum::BasicAuth.holds(b"am8="));
        let jwt = crate::rule::example::fill("{jwt}");
        let none = crate::rule::example::fill("{jwt:none}");
        assert!(Checksum::JwtUnsigned.holds(none.as_bytes()) && !Checksum::Jwt.holds(none.as_bytes()));
        assert!(!Checksum::JwtUnsigned.holds(jwt.as_bytes()));
        assert!(Checksum::Jwt.holds(jwt.as_bytes()) && !Checksum::Jwt.holds(b"eyJhIjoxfQ.e30.x"));
    }
}
