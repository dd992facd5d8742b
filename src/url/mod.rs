//! The anatomy of a URL as it stands in a log: pieces are slices with their way back, nothing is normalised,
//! and nothing is refused. Hosts and routes, which are names for grouping, are made here too.

pub mod host;
mod params;
pub mod route;

pub use params::{Param, Params, set_cookies};

use crate::text::Text;

/// The pieces of a URL, in the form it was found: absolute, scheme-relative, or from the path on.
#[derive(Clone, Copy, Debug)]
pub struct Url<'a> {
    /// Before `://`.
    pub scheme: Option<Text<'a>>,
    /// Before the last `@` of the authority.
    pub userinfo: Option<Text<'a>>,
    /// Host and port.
    pub authority: Option<Text<'a>>,
    /// From the first `/` on, path parameters included; may be empty.
    pub path: Text<'a>,
    /// After the first `?`, without it.
    pub query: Option<Text<'a>>,
    /// After the first `#`, without it.
    pub fragment: Option<Text<'a>>,
}

/// How long a scheme may be that is still taken for one.
const MAX_SCHEME: usize = 24;

/// Length of the scheme at the start of `bytes`, where `://` follows it.
pub fn scheme_len(bytes: &[u8]) -> Option<usize> {
    let at = bytes.iter().take(MAX_SCHEME + 1).position(|&b| b == b':')?;
    let name = &bytes[..at];
    let valid = name.first()?.is_ascii_alphabetic()
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(b));
    (valid && bytes[at..].starts_with(b"://")).then_some(at)
}

impl<'a> Url<'a> {
    /// Takes `text` apart.
    pub fn parse(text: Text<'a>) -> Url<'a> {
        let (scheme, rest) = match scheme_len(text.bytes()) {
            Some(n) => (Some(text.to(n)), text.from(n + 1)),
            None => (None, text),
        };
        let (authority, rest) =
            if rest.bytes().starts_with(b"//") && (scheme.is_some() || !rest.bytes().starts_with(b"///")) {
                let inner = rest.from(2);
                let end = inner
                    .bytes()
                    .iter()
                    .position(|b| b"/?#\\".contains(b))
                    .unwrap_or(inner.len());
                (Some(inner.to(end)), inner.from(end))
            } else {
                (None, rest)
            };
        let (userinfo, authority) = match authority {
            Some(a) => match memchr::memrchr(b'@', a.bytes()) {
                Some(at) => (Some(a.to(at)), Some(a.from(at + 1))),
                None => (None, Some(a)),
            },
            None => (None, None),
        };
        let (rest, fragment) = rest.split_once(b'#').map_or((rest, None), |(a, b)| (a, Some(b)));
        let (path, query) = rest.split_once(b'?').map_or((rest, None), |(a, b)| (a, Some(b)));
        Url {
            scheme,
            userinfo,
            authority,
            path,
            query,
            fragment,
        }
    }

    /// A URL whose path and query stand in two columns. Without the second the first may have a query of its own.
    pub fn from_columns(path: Text<'a>, query: Option<Text<'a>>) -> Url<'a> {
        let url = Url::parse(path);
        Url {
            query: query.or(url.query),
            ..url
        }
    }
}

/// Whether decoded text is a URL that is worth taking apart: absolute, or a path with a query or fragment.
pub fn looks_like_url(bytes: &[u8]) -> bool {
    if scheme_len(bytes).is_some() {
        return true;
    }
    let path = bytes.starts_with(b"/") || bytes.starts_with(b"?") || bytes.starts_with(b"./");
    path && memchr::memchr3(b'?', b'#', b';', bytes)
        .is_some_and(|at| memchr::memchr(b'=', &bytes[at..]).is_some())
        || bytes.starts_with(b"//") && bytes.len() > 2 && bytes[2] != b'/'
        || bytes.starts_with(b"/") && bytes.len() > 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Base;

    fn show(url: &str) -> String {
        let base = Base::Source { offset: 0 };
        let u = Url::parse(Text::new(url.as_bytes(), &base));
        let s = |t: Option<Text>| {
            t.map_or("-".to_string(), |t| {
                String::from_utf8_lossy(t.bytes()).into_owned()
            })
        };
        format!(
            "{} {} {} {} {} {}",
            s(u.scheme),
            s(u.userinfo),
            s(u.authority),
            s(Some(u.path)),
            s(u.query),
            s(u.fragment)
        )
    }

    #[test]
    fn urls_are_taken_apart_as_they_stand() {
        assert_eq!(
            show("https://jo:p@ss@h.example:443/a;x=1?b=/?c#d?e"),
            "https jo:p@ss h.example:443 /a;x=1 b=/?c d?e"
        );
        assert_eq!(show("/a?https://h/x?y=1"), "- - - /a https://h/x?y=1 -");
        assert_eq!(show("//h/x"), "- - h /x - -");
        assert_eq!(show("///x"), "- - - ///x - -");
        assert_eq!(show("host:443"), "- - - host:443 - -");
        assert_eq!(show("https://h"), "https - h  - -");
        assert_eq!(show("?a=1"), "- - -  a=1 -");
    }

    #[test]
    fn a_path_may_bring_its_own_query() {
        let base = Base::Source { offset: 0 };
        let text = Text::new(b"/a?b=1 c=2", &base);
        let (path, other) = text.split_once(b' ').unwrap();
        let query = |q| Url::from_columns(path, q).query.map(|t| t.bytes().to_vec());
        assert_eq!(query(None), Some(b"b=1".to_vec()));
        assert_eq!(query(Some(other)), Some(b"c=2".to_vec()));
    }
}
