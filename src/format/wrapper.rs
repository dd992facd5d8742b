//! What other programs put around a server's lines: docker, CRI, syslog, journald, docker compose. A wrapper is
//! peeled off and what is inside is read as a line of its own.

use crate::text::{Text, json};
use std::ops::Range;

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

/// A line that may be a piece of a longer one, which the container runtime cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The container's stream: 0 is its output, 1 its errors.
    pub stream: usize,
    /// Where the piece stands in the runtime's line, escaped as the runtime does.
    pub text: Range<usize>,
    /// Whether more of it follows.
    pub partial: bool,
}

/// The least length in bytes at which docker cuts a line.
pub const DOCKER_CUT: usize = 16 << 10;

/// What lines of docker's json-file begin with.
pub const DOCKER: &[u8] = b"{\"log\":\"";

/// The piece in a line of CRI.
pub fn cri(line: &[u8]) -> Option<Piece> {
    let space = memchr::memchr(b' ', &line[..line.len().min(40)])?;
    let (time, rest) = (&line[..space], &line[space + 1..]);
    let iso = time.len() >= 20 && time.get(4) == Some(&b'-') && time.get(10) == Some(&b'T');
    let stream = [&b"stdout "[..], b"stderr "]
        .iter()
        .position(|s| rest.starts_with(s))
        .filter(|_| iso)?;
    let tag = &rest[7..];
    let end = memchr::memchr(b' ', tag)?;
    let partial = match &tag[..end] {
        b"F" => false,
        b"P" => true,
        other if other.starts_with(b"F:") => false,
        other if other.starts_with(b"P:") => true,
        _ => return None,
    };
    let begin = space + 1 + 7 + end + 1;
    // The line end is no part of the piece.
    let line_end = usize::from(partial && line.ends_with(b"\r"));
    Some(Piece {
        stream,
        text: begin..(line.len() - line_end).max(begin),
        partial,
    })
}

/// The piece in a line of docker's json-file. More follows where it is as long as docker's buffer and has no line
/// end, which is the only sign that docker gives.
pub fn docker(line: &[u8]) -> Option<Piece> {
    let begin = DOCKER.len();
    line.starts_with(DOCKER).then_some(())?;
    let mut end = begin;
    loop {
        end += memchr::memchr2(b'"', b'\\', &line[end..])?;
        if line[end] == b'"' {
            break;
        }
        end = (end + 2).min(line.len());
    }
    let behind = &line[end..line.len().min(end + 40)];
    let stream = [&b"\",\"stream\":\"stdout\""[..], b"\",\"stream\":\"stderr\""]
        .iter()
        .position(|s| behind.starts_with(s))?;
    let text = &line[begin..end];
    Some(Piece {
        stream,
        text: begin..end,
        partial: text.len() >= DOCKER_CUT && !text.ends_with(b"\\n"),
    })
}

/// Peels a wrapper off a line of text.
pub fn text(line: Text) -> Option<Wrapped> {
    let bytes = line.bytes();
    if let Some(piece) = cri(bytes) {
        return Some(Wrapped {
            wrapper: "cri",
            inner: line.from(piece.text.start),
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
    fn pieces_are_told_by_length_and_line_end() {
        let long = "x".repeat(DOCKER_CUT);
        let docker_line = |log: &str, behind: &str| format!("{{\"log\":\"{log}\"{behind}");
        let out = ",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}";
        let piece = |log: &str, behind: &str| docker(docker_line(log, behind).as_bytes());
        let partial = |log: &str| piece(log, out).map(|p| (p.text.len(), p.partial));
        assert_eq!(partial(&long), Some((DOCKER_CUT, true)));
        assert_eq!(partial(&format!("{long}\\n")), Some((DOCKER_CUT + 2, false)));
        assert_eq!(partial("a\\\"b"), Some((4, false)));
        let errors = piece(&long, ",\"stream\":\"stderr\",\"time\":\"\"}").unwrap();
        assert_eq!((errors.stream, errors.text.start), (1, DOCKER.len()));
        assert_eq!(piece(&long, ",\"level\":\"info\"}"), None);
        assert_eq!(docker(b"{\"log\":\"cut off\\"), None);
        let line = b"2026-01-01T00:00:00.669794202Z stderr P:x ab\r";
        let got = cri(line).unwrap();
        assert_eq!((got.stream, &line[got.text], got.partial), (1, &b"ab"[..], true));
    }

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
