//! Names of parameters, keys, headers and cookies: decoded, innermost, in lower case.

use crate::text::Coding;
use std::borrow::Cow;

/// Longest name that is looked up, in bytes.
pub const MAX_NAME: usize = 64;

/// How often percent-encoding is undone, at most: three times where the name stands, and once for each URL around it,
/// which the prefilter has not taken apart.
const ROUNDS: usize = 8;

/// Whether a byte can be part of a name.
pub fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// A name twice: as it is shown (`x-esri-authorization`) and as rules know it (`x_esri_authorization`). It is made for
/// every parameter that is walked past, so it holds its bytes itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    shown: [u8; MAX_NAME],
    folded: [u8; MAX_NAME],
    length: u8,
    known: u8,
}

impl Default for Name {
    fn default() -> Self {
        Name {
            shown: [0; MAX_NAME],
            folded: [0; MAX_NAME],
            length: 0,
            known: 0,
        }
    }
}

impl Name {
    /// Of bytes that names have, no more than a name may have.
    fn new(bytes: &[u8]) -> Name {
        let mut name = Name::default();
        for ((shown, folded), byte) in name.shown.iter_mut().zip(&mut name.folded).zip(bytes) {
            *shown = byte.to_ascii_lowercase();
            *folded = match byte {
                b'-' | b'.' => b'_',
                _ => *shown,
            };
        }
        name.length = bytes.len() as u8;
        name.known = name.length;
        // Eight random letters follow.
        if name.folded.starts_with(ASP) {
            name.known = ASP.len() as u8;
        }
        name
    }

    /// What stands behind the last point: `credentials.password` is a password, whatever it is a part of. Where there is
    /// none, what stands behind a log's word for where a value comes from: `http_x_api_key`, `request_Authorization`.
    pub fn last(&self) -> Option<Name> {
        let shown = self.shown().as_bytes();
        let at = match memchr::memrchr(b'.', shown) {
            Some(point) => point + 1,
            None => origin_len(self.folded().as_bytes())?,
        };
        (at < shown.len()).then(|| Name::new(&shown[at..]))
    }

    /// Decoded, innermost, lower case.
    pub fn shown(&self) -> &str {
        std::str::from_utf8(&self.shown[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The same with `-` and `.` as `_`.
    pub fn folded(&self) -> &str {
        std::str::from_utf8(&self.folded[..usize::from(self.known)]).unwrap_or_default()
    }
}

const ASP: &[u8] = b"aspsessionid";

/// Words that logs put before the names of headers, cookies and parameters (nginx' variables, Traefik's and Varnish' keys).
const ORIGINS: [&[u8]; 12] = [
    b"http_",
    b"request_header_",
    b"request_",
    b"req_header_",
    b"req_",
    b"origin_",
    b"downstream_",
    b"response_",
    b"sent_http_",
    b"upstream_http_",
    b"cookie_",
    b"arg_",
];

/// Length of such a word before a folded name.
pub(super) fn origin_len(folded: &[u8]) -> Option<usize> {
    ORIGINS.iter().find(|o| folded.starts_with(o)).map(|o| o.len())
}

/// The name in `raw`: percent-encoding undone however often it was done, `user[password]` is `password`, what stands
/// before the last byte that no name has is left out (`amp;token`, `x?token`). Empty where there is none.
pub fn fold(raw: &[u8]) -> Name {
    // A name that is longer than this even when all of it is encoded twice is none that a rule has.
    let raw = &raw[raw.len().saturating_sub(MAX_NAME * 10)..];
    let mut bytes = Cow::Borrowed(raw);
    for _ in 0..ROUNDS {
        if !bytes.contains(&b'%') {
            break;
        }
        bytes = Cow::Owned(Coding::Percent.decode(&bytes).into_owned());
    }
    let mut name: &[u8] = &bytes;
    while let Some(inner) = name.strip_suffix(b"]") {
        let open = memchr::memrchr(b'[', inner).map_or(0, |at| at + 1);
        // `a[]` and `a[0]` are lists of `a`.
        let list = inner[open..].iter().all(u8::is_ascii_digit);
        name = if list {
            &inner[..open.saturating_sub(1)]
        } else {
            &inner[open..]
        };
    }
    let start = name.iter().rposition(|&b| !is_name_byte(b)).map_or(0, |p| p + 1);
    let name = &name[start..];
    if name.is_empty() || name.len() > MAX_NAME {
        return Name::default();
    }
    Name::new(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_servers_take_them_for() {
        for (raw, want) in [
            ("Token", "token"),
            ("%70assword", "password"),
            ("user[password]", "password"),
            ("user%5Bpassword%5D", "password"),
            ("tokens[]", "tokens"),
            ("a[b][0]", "b"),
            ("amp;token", "token"),
            ("1?token", "token"),
            ("%2570assword", "password"),
            ("h0.org%2525252F%2525253Fpassword", "password"),
            ("", ""),
            ("]", ""),
        ] {
            assert_eq!(fold(raw.as_bytes()).shown(), want, "{raw}");
        }
        assert_eq!(fold(b"X-Amz-Signature").folded(), "x_amz_signature");
        let last = |name: &str| fold(name.as_bytes()).last().map(|n| n.shown().to_string());
        assert_eq!(last("form.login.Passwd").as_deref(), Some("passwd"));
        assert_eq!((last("password"), last("password.")), (None, None));
        assert_eq!(fold(b"ASPSESSIONIDQQGGQTRB").folded(), "aspsessionid");
        assert_eq!(fold(&[b'a'; 100]).shown(), "");
    }
}
