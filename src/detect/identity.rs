//! What a credential tells of whose it is and what it may do, read offline: issuer and subject of a token, the
//! account behind an access key, the rights of a signed URL. What names a person is marked, so that it is shown as
//! clients are.

use crate::report::safe;
use crate::url;
use std::borrow::Cow;
use std::fmt::Write as _;

/// One thing that a credential tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// What it is, in words.
    pub kind: &'static str,
    /// Its value, fit to be shown.
    pub value: Box<str>,
    /// Whether it names a person.
    pub person: bool,
}

/// The longest value that is told, in characters.
const MAX: usize = 120;

impl Claim {
    /// A claim; nothing where its value is empty.
    pub fn new(kind: &'static str, value: &[u8], person: bool) -> Option<Claim> {
        let value = without_secrets(value.trim_ascii());
        let value = &*value;
        if value.is_empty() {
            return None;
        }
        let mut text = String::new();
        safe::push_bytes(&mut text, &value[..value.len().min(4 * MAX)]);
        let value = match text.char_indices().nth(MAX) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        };
        // A service's account has an address, too, and is nobody.
        let address = value.contains('@') && !value.ends_with(".gserviceaccount.com");
        Some(Claim {
            kind,
            value: value.into(),
            person: person || address,
        })
    }
}

/// Where it is a URL, without what may be a credential of its own: userinfo, query and fragment.
fn without_secrets(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(scheme) = url::scheme_len(value) else {
        return Cow::Borrowed(value);
    };
    let authority = scheme + b"://".len();
    let end = value
        .iter()
        .position(|b| b"?#".contains(b))
        .unwrap_or(value.len());
    let path = value[authority..end]
        .iter()
        .position(|b| *b == b'/')
        .map_or(end, |n| authority + n);
    match value[authority..path].iter().rposition(|b| *b == b'@') {
        Some(at) => Cow::Owned([&value[..authority], &value[authority + at + 1..end]].concat()),
        None => Cow::Borrowed(&value[..end]),
    }
}

/// The account that an AWS access key id belongs to, twelve digits: it stands in the id's last twelve characters
/// but for their last bits (ids made before 2019, whose fifth character is below `Q`, do not hold it).
pub fn aws_account(id: &[u8]) -> Option<String> {
    let body = id.get(4..).filter(|b| b.len() == 16)?;
    let digit = |b: u8| match b {
        b'A'..=b'Z' => Some(u64::from(b - b'A')),
        b'2'..=b'7' => Some(u64::from(b - b'2') + 26),
        _ => None,
    };
    if body[0] < b'Q' && body[0].is_ascii_uppercase() {
        return None;
    }
    // Ten characters are fifty bits, of which the first six bytes count.
    let mut bits = 0;
    for &b in &body[..10] {
        bits = bits << 5 | digit(b)?;
    }
    let number = bits >> 2;
    Some(format!("{:012}", (number & 0x7FFF_FFFF_FF80) >> 7))
}

/// What may be done with an Azure shared access signature, in words: `sp` (and, of an account's, `ss` and `srt`).
pub fn azure_rights(permissions: &[u8]) -> String {
    let mut out = String::new();
    for &b in permissions {
        let word = match b {
            b'r' => "read",
            b'a' => "add",
            b'c' => "create",
            b'w' => "write",
            b'd' => "delete",
            b'x' => "delete versions",
            b'y' => "delete for good",
            b'l' => "list",
            b't' => "tag",
            b'f' => "find by tag",
            b'm' => "move",
            b'e' => "execute",
            b'o' => "change owner",
            b'p' => "change permissions or process",
            b'u' => "update",
            b'i' => "change immutability",
            _ => continue,
        };
        let _ = write!(out, "{}{word}", if out.is_empty() { "" } else { ", " });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_stand_in_key_ids() {
        // The published vectors of "A short note on AWS KEY ID" (Tal Be'ery) and of AWS' own documentation.
        let id = ["ASIA", "QNZGKIQY56JQ7WML"].concat();
        assert_eq!(aws_account(id.as_bytes()).as_deref(), Some("029608264753"));
        let old = ["AKIA", "IOSFODNN7EXAMPLE"].concat();
        assert_eq!(aws_account(old.as_bytes()), None);
        assert_eq!(aws_account(b"AKIA"), None);
    }

    #[test]
    fn rights_are_told_in_words() {
        assert_eq!(azure_rights(b"rwdl"), "read, write, delete, list");
        assert_eq!(azure_rights(b"?"), "");
    }

    #[test]
    fn values_are_short_and_safe() {
        let claim = Claim::new("subject", "x\u{1b}[31m".repeat(100).as_bytes(), true).unwrap();
        assert!(claim.value.chars().count() <= MAX + 1 && !claim.value.contains('\u{1b}'));
        assert_eq!(Claim::new("subject", b" ", true), None);
    }
}
