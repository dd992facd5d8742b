//! What other programs put around a server's lines: docker, CRI, syslog, journald, docker compose. A wrapper is
//! peeled off and what is inside is read as a line of its own.

use crate::text::{Text, json};

/// A line inside another.
pub struct Wrapped<'a> {
    /// What was around it.
    pub wrapper: &'static str,
    /// What was inside, still escaped as `json` says.
    pub inner: Text<'a>,
    /// The time that the wrapper has, for what is inside and has none.
    pub time: Option<Text<'a>>,
}

/// Members of JSON lines that hold another program's line, with what has to stand beside them.
const JSON_WRAPPERS: &[(&str, &str, &str)] = &[
    ("log", "stream", "docker"),
    ("MESSAGE", "__REALTIME_TIMESTAMP", "journald"),
    ("log", "kubernetes.pod_name", "fluent-bit"),
];

/// Peels a wrapper off a JSON line.
pub fn json<'a>(doc: &json::Document<'a>) -> Option<Wrapped<'a>> {
    JSON_WRAPPERS.iter().find_map(|(inner, beside, wrapper)| {
        let has = |path: &str| {
            doc.members
                .iter()
                .find(|m| &*m.path == path && m.kind == json::Kind::String)
        };
        has(beside)?;
        let time = ["time", "__REALTIME_TIMESTAMP", "@timestamp"]
            .iter()
            .find_map(|t| doc.members.iter().find(|m| m.path == (*t).into()));
        Some(Wrapped {
            wrapper,
            inner: has(inner)?.value,
            time: time.map(|m| m.value),
        })
    })
}

/// Whether a line is a piece of a longer one that the container runtime cut (CRI tag `P`).
pub fn cri_partial(line: &[u8]) -> Option<(usize, bool)> {
    let space = memchr::memchr(b' ', line)?;
    let (time, rest) = (&line[..space], &line[space + 1..]);
    let iso = time.len() >= 20 && time.get(4) == Some(&b'-') && time.get(10) == Some(&b'T');
    let stream = rest.starts_with(b"stdout ") || rest.starts_with(b"stderr ");
    if !iso || !stream {
        return None;
    }
    let tag = &rest[7..];
    let end = memchr::memchr(b' ', tag)?;
    let partial = match &tag[..end] {
        b"F" => false,
        b"P" => true,
        other if other.starts_with(b"F:") => false,
        other if other.starts_with(b"P:") => true,
        _ => return None,
    };
    Some((space + 1 + 7 + end + 1, partial))
}

/// Peels a wrapper off a line of text.
pub fn text(line: Text) -> Option<Wrapped> {
    let bytes = line.bytes();
    if let Some((at, _)) = cri_partial(bytes) {
        return Some(Wrapped {
            wrapper: "cri",
            inner: line.from(at),
            time: first_word(line),
        });
    }
    if let Some(at) = syslog(bytes) {
        return Some(Wrapped {
            wrapper: "syslog",
            inner: line.from(at),
            time: syslog_time(line),
        });
    }
    // `caddy  | {…}`, as docker compose prints it.
    let bar = memchr::memmem::find(&bytes[..bytes.len().min(80)], b" | ")?;
    let name = bytes[..bar].trim_ascii_end();
    let valid = !name.is_empty()
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        && name.iter().any(u8::is_ascii_alphabetic);
    valid.then(|| Wrapped {
        wrapper: "docker-compose",
        inner: line.from(bar + 3),
        time: None,
    })
}

fn first_word(line: Text) -> Option<Text> {
    line.split_once(b' ').map(|(word, _)| word)
}

/// The time of a syslog line, in any of its forms.
fn syslog_time(line: Text) -> Option<Text> {
    let line = match line.bytes() {
        [b'<', ..] => line.split_once(b'>')?.1,
        _ => line,
    };
    let line = if line.bytes().starts_with(b"1 ") {
        line.from(2)
    } else {
        line
    };
    if line.bytes().first()?.is_ascii_digit() {
        first_word(line)
    } else {
        Some(line.to(15))
    }
}

/// Where the message of a syslog line begins: RFC 3164 with or without priority, RFC 5424, and the form with an
/// ISO time that rsyslog and Heroku write.
fn syslog(line: &[u8]) -> Option<usize> {
    let mut at = 0;
    if line.first() == Some(&b'<') {
        let close = memchr::memchr(b'>', &line[..line.len().min(6)])?;
        line[1..close].iter().all(u8::is_ascii_digit).then_some(())?;
        at = close + 1;
        if line[at..].starts_with(b"1 ") {
            return rfc5424(line, at + 2);
        }
    }
    let rest = &line[at..];
    let bsd = rest.len() > 16
        && rest[0].is_ascii_uppercase()
        && rest[3] == b' '
        && rest[9] == b':'
        && rest[12] == b':'
        && rest[15] == b' ';
    let iso = rest.len() > 20 && rest[0].is_ascii_digit() && rest[4] == b'-' && rest[10] == b'T';
    let mut words = if bsd {
        at + 16
    } else if iso {
        at + memchr::memchr(b' ', rest)? + 1
    } else {
        return None;
    };
    // Host and tag, or the tag alone; the tag ends in a colon.
    for _ in 0..2 {
        let end = words + memchr::memchr(b' ', &line[words..])?;
        let word = &line[words..end];
        if let Some(tag) = word.strip_suffix(b":") {
            let named = !tag.is_empty()
                && tag
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_./[]".contains(b));
            return named.then_some(end + 1);
        }
        words = end + 1;
    }
    None
}

fn rfc5424(line: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..5 {
        at += memchr::memchr(b' ', &line[at..])? + 1;
    }
    if line[at..].starts_with(b"-") {
        at += 1;
    } else {
        while line.get(at) == Some(&b'[') {
            let mut escaped = false;
            let close = line[at..].iter().position(|&b| {
                let end = b == b']' && !escaped;
                escaped = b == b'\\' && !escaped;
                end
            })?;
            at += close + 1;
        }
    }
    let rest = line[at..].strip_prefix(b" ")?;
    Some(line.len() - rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest).len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Base;

    #[test]
    fn wrappers_are_peeled_off() {
        let base = Base::Source { offset: 0 };
        for (line, wrapper, inner) in [
            ("2026-01-01T00:00:00.669794202Z stdout F GET /", "cri", "GET /"),
            ("<134>Feb 25 16:19:38 lb haproxy[1]: x y", "syslog", "x y"),
            (
                "Jan  1 00:00:00 lb haproxy[14389]: 10.0.0.1",
                "syslog",
                "10.0.0.1",
            ),
            (
                "<165>1 2003-10-11T22:14:15.003Z host app 1 ID47 [a@1 b=\"c\\]\"][d] msg",
                "syslog",
                "msg",
            ),
            (
                "<165>1 2003-10-11T22:14:15.003Z host app - - - msg",
                "syslog",
                "msg",
            ),
            (
                "2021-09-21T20:10:41.038754+00:00 heroku[router]: at=info",
                "syslog",
                "at=info",
            ),
            ("caddy  | {}", "docker-compose", "{}"),
        ] {
            let w = text(Text::new(line.as_bytes(), &base)).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((w.wrapper, w.inner.bytes()), (wrapper, inner.as_bytes()));
        }
        for line in ["10.0.0.1 - - [x]", "a b: c", "10.1.1.1 | https | x"] {
            assert!(text(Text::new(line.as_bytes(), &base)).is_none(), "{line}");
        }
    }
}
