//! What names a client or a person in a line beside the columns that say so: addresses of the network and of mail, and
//! values of parameters that hold a user's name. Where `--clients` hides clients, excerpts hide these.

use crate::text::Text;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Names whose values name a person, folded, beside those of [`crate::detect::USERS`].
const NAMES: &[&str] = &[
    "email",
    "e_mail",
    "mail",
    "upn",
    "preferred_username",
    "login_hint",
    "ip",
];

/// What stands at most between a name and its value: `=`, `%3D`, `":"`, `\": \"`, `%22%3A%22`, in bytes.
const BETWEEN: usize = 24;

/// The longest local part, and the longest value, that is looked at, in bytes.
const LONGEST: usize = 256;

/// Appends where they stand in the source.
pub(super) fn spans(whole: Text, out: &mut Vec<Range<u64>>) {
    let bytes = whole.bytes();
    let mut add = |range: Range<usize>| {
        if !range.is_empty() {
            out.push(whole.slice(range).span());
        }
    };
    let mut at = 0;
    while at < bytes.len() {
        let end = at
            + run(&bytes[at..], |b| {
                b.is_ascii_alphanumeric() || b"_.:-[".contains(&b)
            });
        if end == at {
            let sign = if bytes[at] == b'@' {
                1
            } else if bytes[at] == b'%' {
                escaped_at(&bytes[at..])
            } else {
                0
            };
            if sign > 0 {
                add(local_part(bytes, at, at + sign));
            }
            at += sign.max(1);
            continue;
        }
        addresses(&bytes[at..end], at, &mut add);
        if let Some(value) = named_value(bytes, at..end) {
            add(value);
        }
        at = end;
    }
}

/// Length of the run of bytes that are wanted.
fn run(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&b| !wanted(b)).unwrap_or(bytes.len())
}

/// Length of an encoded `@`, however often it was encoded; 0 where there is none.
fn escaped_at(bytes: &[u8]) -> usize {
    let levels = bytes[1..].chunks(2).take_while(|c| *c == b"25").count().min(5);
    let digits = 1 + 2 * levels;
    if bytes.get(digits..digits + 2) == Some(b"40") {
        digits + 2
    } else {
        0
    }
}

/// What stands before an `@`, where a host stands behind it: the local part of an address, or a URL's user.
fn local_part(bytes: &[u8], at: usize, behind: usize) -> Range<usize> {
    let host = run(&bytes[behind..], |b| {
        b.is_ascii_alphanumeric() || b".-".contains(&b)
    });
    if host < 2 {
        return at..at;
    }
    let floor = at.saturating_sub(LONGEST);
    let before = |wanted: &dyn Fn(u8) -> bool| {
        bytes[floor..at]
            .iter()
            .rposition(|&b| !wanted(b))
            .map_or(floor, |n| floor + n + 1)
    };
    let start = before(&|b| b.is_ascii_alphanumeric() || b"_.+-~'".contains(&b));
    // `https://user:password@host`: what stands before the password is the user.
    let token = before(&|b| b.is_ascii_graphic() && !b"/\"'<>?&".contains(&b));
    let userinfo = token >= 2 && &bytes[token - 2..token] == b"//";
    if userinfo { token..at } else { start..at }
}

/// Addresses of the network in a word that stands at `at`, with or without a port.
fn addresses(word: &[u8], at: usize, add: &mut dyn FnMut(Range<usize>)) {
    let Ok(text) = std::str::from_utf8(word) else {
        return;
    };
    let inner = text.trim_start_matches('[').trim_end_matches([':', '.', '-']);
    let from = at + text.len() - text.trim_start_matches('[').len();
    if inner.matches(':').count() >= 2 {
        if inner.parse::<Ipv6Addr>().is_ok() {
            add(from..from + inner.len());
        }
        return;
    }
    let mut start = 0;
    for piece in inner.split([':', '-', '_']) {
        if piece.parse::<Ipv4Addr>().is_ok() {
            add(from + start..from + start + piece.len());
        }
        start += piece.len() + 1;
    }
}

/// The value of the parameter or key whose name ends in `word`, where such names name a person.
fn named_value(bytes: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    // An encoded delimiter before the name leaves its digits: `%26username`.
    let name = bytes[word.clone()].rsplit(|b| b":[".contains(b)).next()?;
    let folded: Vec<u8> = name
        .iter()
        .map(|b| match b {
            b'-' | b'.' => b'_',
            b => b.to_ascii_lowercase(),
        })
        .collect();
    let known = |name: &[u8]| {
        let is = |n: &&str| n.as_bytes() == name;
        crate::detect::USERS.iter().any(is) || NAMES.iter().any(is)
    };
    let digits = word.start >= 1 && bytes[word.start - 1] == b'%' && folded.len() > 2;
    if !(known(&folded) || digits && known(&folded[2..])) {
        return None;
    }
    let mut at = word.end;
    let mut told = false;
    let last = (at + BETWEEN).min(bytes.len());
    while at < last {
        at += match bytes[at] {
            b'=' | b':' => {
                told = true;
                1
            }
            b'"' | b'\'' | b'\\' | b' ' | b']' => 1,
            b'%' => {
                let levels = bytes[at + 1..]
                    .chunks(2)
                    .take_while(|c| *c == b"25")
                    .count()
                    .min(5);
                let code = bytes.get(at + 1 + 2 * levels..at + 3 + 2 * levels)?;
                match code.to_ascii_uppercase().as_slice() {
                    b"3D" | b"3A" => told = true,
                    b"22" | b"20" | b"5D" | b"5C" => {}
                    _ => break,
                }
                3 + 2 * levels
            }
            _ => break,
        };
    }
    if !told {
        return None;
    }
    let value = &bytes[at..bytes.len().min(at + LONGEST)];
    let mut end = 0;
    while end < value.len() {
        match value[end] {
            b'&' | b';' | b'"' | b'\'' | b'\\' | b'<' | b'>' | b',' | b'}' | b'#' => break,
            b if b.is_ascii_whitespace() => break,
            b'%' if value[end + 1..].starts_with(b"2") && !value[end + 1..].starts_with(b"2B") => {
                // `%26`, `%22`, `%2C`, `%25…`: another begins, or an escape goes on.
                if escaped_at(&value[end..]) == 0 {
                    break;
                }
                end += 1;
            }
            _ => end += 1,
        }
    }
    Some(at..at + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Base;
    use proptest::prelude::*;

    fn hidden(line: &str) -> String {
        let base = Base::Source { offset: 0 };
        let mut out = Vec::new();
        spans(Text::new(line.as_bytes(), &base), &mut out);
        let mut bytes = line.as_bytes().to_vec();
        for span in out {
            bytes[span.start as usize..span.end as usize].fill(b'*');
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn addresses_and_users_are_found_wherever_they_stand() {
        for (line, want) in [
            ("{\"xff\": \"198.51.100.77\",", "{\"xff\": \"*************\","),
            ("a 198.51.100.77:4711 b", "a *************:4711 b"),
            ("{198.51.100.77|x}", "{*************|x}"),
            ("[2001:db8::1]:80", "[***********:80"),
            ("GET /a?ip=2001:db8::1&x=1", "GET /a?ip=***********&x=1"),
            ("at 10:00:00 v1.2.3 1.2.3.4.5", "at 10:00:00 v1.2.3 1.2.3.4.5"),
            ("?username=joeuser99&f=json", "?username=*********&f=json"),
            ("u%3Fuser%3Djoe%26x%3D1", "u%3Fuser%3D***%26x%3D1"),
            ("x%26username%3Djoe", "x%26username%3D***"),
            ("{\"user\": \"joe\",\"a\":1}", "{\"user\": \"***\",\"a\":1}"),
            ("{\\\"user\\\":\\\"joe\\\"}", "{\\\"user\\\":\\\"***\\\"}"),
            ("/reset/jo.path@example.org/", "/reset/*******@example.org/"),
            ("https://joe77:pw@host/", "https://********@host/"),
            (
                "email=jo.form%40example.org&a=1",
                "email=*********************&a=1",
            ),
            ("/u/jo%2540example.org", "/u/**%2540example.org"),
            ("the user agent: x", "the user agent: x"),
            ("page@2 @media", "page@2 @media"),
        ] {
            let got = hidden(line);
            // A bracket or an escape may go with it.
            assert_eq!(
                got.replace(['*'], ""),
                want.replace(['*'], "").replace("[:80", "[]:80"),
                "{line}"
            );
        }
    }

    proptest! {
        #[test]
        fn spans_lie_in_the_line(line in "[a-f0-9.:@%=&\"'/ ]{0,80}|(user|=|%3D|%40|%25|@|h\\.x|:|\"){0,30}") {
            let base = Base::Source { offset: 7 };
            let mut out = Vec::new();
            spans(Text::new(line.as_bytes(), &base), &mut out);
            for span in out {
                prop_assert!(span.start >= 7 && span.start < span.end && span.end <= 7 + line.len() as u64);
            }
        }
    }
}
