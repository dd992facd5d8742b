//! Parameters of a query, a fragment, a form body or a cookie header: names and values as they stand.

use crate::text::Text;

/// One `name=value`; a value that is not there is empty.
#[derive(Clone, Copy, Debug)]
pub struct Param<'a> {
    /// The name as it stands, encoded.
    pub name: Text<'a>,
    /// The value as it stands, encoded.
    pub value: Text<'a>,
}

/// Walks the parameters of a text.
pub struct Params<'a> {
    rest: Option<Text<'a>>,
    cookie: bool,
}

impl<'a> Params<'a> {
    /// Parameters parted by `&`. A `;` parts them too where a name and `=` follow it (W3C HTML 4.01 §B.2.2, and
    /// what IIS logs of Exchange do); elsewhere it belongs to the value.
    pub fn new(text: Text<'a>) -> Params<'a> {
        Params {
            rest: Some(text),
            cookie: false,
        }
    }

    /// Cookies: parted by `;` with optional white space (RFC 6265 §4.2.1); IIS writes `;+`.
    pub fn cookies(text: Text<'a>) -> Params<'a> {
        Params {
            rest: Some(text),
            cookie: true,
        }
    }
}

/// Whether `;` at the start of `rest` is followed by what can be a parameter's name and `=`.
fn name_follows(rest: &[u8]) -> bool {
    let name = rest[1..]
        .iter()
        .take(64)
        .position(|b| !(b.is_ascii_alphanumeric() || b"_-.[]%$".contains(b)));
    name.is_some_and(|n| n > 0 && rest[1 + n] == b'=')
}

/// The name and value of each cookie in a `Set-Cookie` header, several of which are one in captures of HTTP/2 and in
/// logs: by line feeds, or by commas as all other headers are (RFC 9110 §5.3). What follows a comma within a cookie's
/// date is no name.
pub fn set_cookies<'a>(header: Text<'a>, each: &mut dyn FnMut(Text<'a>)) {
    let bytes = header.bytes();
    let mut begin = 0;
    let mut at = 0;
    loop {
        let parted = memchr::memchr2(b',', b'\n', &bytes[at..]).map(|n| at + n);
        let end = parted.unwrap_or(bytes.len());
        at = end + 1;
        let next = bytes.get(at..).unwrap_or_default().trim_ascii_start();
        let cookie_follows = || {
            let name = next
                .iter()
                .position(|b| !(b.is_ascii_alphanumeric() || b"_-.$!#%&'*+^`|~".contains(b)));
            name.is_some_and(|n| n > 0 && next[n] == b'=')
        };
        if parted.is_some() && bytes[end] == b',' && !cookie_follows() {
            continue;
        }
        let one = header.slice(begin..end).trim();
        each(one.split_once(b';').map_or(one, |(pair, _)| pair));
        if parted.is_none() {
            return;
        }
        begin = at;
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        loop {
            let rest = self.rest?;
            let bytes = rest.bytes();
            let mut at = 0;
            let end = loop {
                let found = if self.cookie {
                    memchr::memchr(b';', &bytes[at..])
                } else {
                    memchr::memchr2(b'&', b';', &bytes[at..])
                };
                match found.map(|n| at + n) {
                    Some(n) if bytes[n] == b';' && !self.cookie && !name_follows(&bytes[n..]) => at = n + 1,
                    other => break other,
                }
            };
            let pair = rest.to(end.unwrap_or(bytes.len()));
            self.rest = end.map(|n| rest.from(n + 1));
            let pair = if self.cookie {
                let skip = pair
                    .bytes()
                    .iter()
                    .position(|b| !b" +".contains(b))
                    .unwrap_or(pair.len());
                pair.from(skip)
            } else {
                pair
            };
            if pair.is_empty() {
                self.rest?;
                continue;
            }
            let (name, value) = pair.split_once(b'=').unwrap_or((pair, pair.from(pair.len())));
            return Some(Param { name, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Base;

    fn show(text: &str, cookie: bool) -> Vec<String> {
        let base = Base::Source { offset: 0 };
        let text = Text::new(text.as_bytes(), &base);
        let params = if cookie {
            Params::cookies(text)
        } else {
            Params::new(text)
        };
        let s = |t: Text| String::from_utf8_lossy(t.bytes()).into_owned();
        params.map(|p| format!("{}|{}", s(p.name), s(p.value))).collect()
    }

    #[test]
    fn cookies_that_are_set_together_are_parted() {
        let pairs = |text: &str| {
            let base = Base::Source { offset: 0 };
            let mut out = Vec::new();
            set_cookies(Text::new(text.as_bytes(), &base), &mut |pair| {
                out.push(String::from_utf8_lossy(pair.bytes()).into_owned());
            });
            out
        };
        let text = "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/, b=2; HttpOnly,c=3\nd=x,y; Secure";
        assert_eq!(pairs(text), ["a=1", "b=2", "c=3", "d=x,y"]);
        assert_eq!(pairs(""), [""]);
    }

    #[test]
    fn pairs_are_parted_as_servers_do() {
        assert_eq!(
            show("&a=1&&b=x;y&c;d=2;e", false),
            ["a|1", "b|x;y", "c|", "d|2;e"]
        );
        assert_eq!(show("a=1; b=x=y;+c=3", true), ["a|1", "b|x=y", "c|3"]);
        assert_eq!(show("", false), Vec::<String>::new());
    }
}
