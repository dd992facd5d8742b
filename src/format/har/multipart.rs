//! Multipart bodies (RFC 7578): each part under the name that its head gives it. A body that is not there from its
//! beginning is read as well, from the first head that stands in it.

use crate::record::{Content, Field, Part, Record};
use crate::text::Text;

/// Longest line that is taken for a boundary, and most bytes of a part's head.
const MAX_BOUNDARY: usize = 128;
const MAX_HEAD: usize = 8 << 10;

/// Adds the parts of a body whose type is `kind`, in lower case, as far as it is known; false where it is no multipart
/// body.
pub(super) fn push<'a>(record: &mut Record<'a>, field: Field, body: Text<'a>, kind: &[u8]) -> bool {
    let bytes = body.bytes();
    let Some(boundary) =
        boundary(bytes).or_else(|| opening(bytes).filter(|_| kind.starts_with(b"multipart/")))
    else {
        return false;
    };
    let mut begin = 0;
    for at in memchr::memmem::find_iter(bytes, boundary).chain([bytes.len()]) {
        // What stands before the first head goes on from earlier, or belongs to no part.
        part(record, field, body.slice(begin..at), begin > 0);
        begin = (at + boundary.len()).min(bytes.len());
    }
    true
}

/// A part, from behind the boundary before it.
fn part<'a>(record: &mut Record<'a>, field: Field, text: Text<'a>, headed: bool) {
    let blank = Some(text.bytes()).filter(|_| headed).and_then(blank);
    let (name, value) = match blank {
        Some((head, value)) => (name(text.to(head)), text.from(value)),
        None => (None, text),
    };
    let trimmed = value.bytes().strip_suffix(b"\n").unwrap_or(value.bytes());
    let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
    let value = value.to(trimmed.len());
    match name {
        Some(name) => record.push(field, Content::Named(name, Part::Form, value)),
        None if value
            .bytes()
            .iter()
            .any(|b| !b.is_ascii_whitespace() && *b != b'-') =>
        {
            record.push(field, Content::Text(value));
        }
        None => {}
    }
}

/// Where a head ends, and where what follows it begins.
fn blank(part: &[u8]) -> Option<(usize, usize)> {
    let near = &part[..part.len().min(MAX_HEAD)];
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let all = ends
        .into_iter()
        .filter_map(|e| memchr::memmem::find(near, e).map(|at| (at, at + e.len())));
    all.min()
}

/// The first line, where it can be a boundary.
fn opening(bytes: &[u8]) -> Option<&[u8]> {
    let text = bytes.trim_ascii_start();
    let line = memchr::memchr2(b'\r', b'\n', text).map_or(text, |n| &text[..n]);
    is_boundary(line).then_some(line)
}

fn is_boundary(line: &[u8]) -> bool {
    line.starts_with(b"--")
        && (3..=MAX_BOUNDARY).contains(&line.len())
        && line.iter().all(|b| (b' '..=b'~').contains(b))
}

/// The boundary of the first part that has a head: a line of two hyphens and more before one that begins as the
/// lines of heads do.
fn boundary(bytes: &[u8]) -> Option<&[u8]> {
    for at in memchr::memmem::find_iter(bytes, b"--") {
        if at > 0 && bytes[at - 1] != b'\n' {
            continue;
        }
        let near = &bytes[at..bytes.len().min(at + MAX_BOUNDARY + 2)];
        let Some(end) = memchr::memchr(b'\n', near) else {
            continue;
        };
        let line = near[..end].strip_suffix(b"\r").unwrap_or(&near[..end]);
        let head = bytes.get(at + end + 1..at + end + 9);
        if is_boundary(line) && head.is_some_and(|h| h.eq_ignore_ascii_case(b"content-")) {
            return Some(line);
        }
    }
    None
}

/// The name that the head of a part gives: `Content-Disposition: form-data; name="…"`, quoted or not (RFC 7578 §4.2,
/// RFC 6266 §4.1).
fn name<'a>(head: Text<'a>) -> Option<&'a str> {
    const FIELD: &[u8] = b"content-disposition:";
    let bytes: &'a [u8] = head.bytes();
    let mut lines = bytes.split(|b| *b == b'\n');
    let line = lines.find(|l| {
        l.get(..FIELD.len())
            .is_some_and(|f| f.eq_ignore_ascii_case(FIELD))
    })?;
    let mut rest = &line[FIELD.len()..];
    let mut found = None;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = rest[at + 1..].trim_ascii_start();
        let key = rest
            .iter()
            .position(|b| b"=;".contains(b))
            .filter(|n| rest[*n] == b'=');
        let Some(equals) = key else {
            continue;
        };
        let key = rest[..equals].trim_ascii();
        rest = rest[equals + 1..].trim_ascii_start();
        let value = match rest.strip_prefix(b"\"") {
            Some(inner) => {
                let mut end = 0;
                while end < inner.len() && inner[end] != b'"' {
                    end += 1 + usize::from(inner[end] == b'\\');
                }
                let end = end.min(inner.len());
                rest = &inner[end..];
                &inner[..end]
            }
            None => rest[..memchr::memchr(b';', rest).unwrap_or(rest.len())].trim_ascii(),
        };
        if key.eq_ignore_ascii_case(b"name") && found.is_none() {
            found = std::str::from_utf8(value).ok();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Base;

    fn parts(body: &str, kind: &str) -> Option<Vec<(String, String)>> {
        let base = Base::Source { offset: 0 };
        let mut record = Record::default();
        let text = Text::new(body.as_bytes(), &base);
        let shown = |t: Text| String::from_utf8_lossy(t.bytes()).into_owned();
        push(&mut record, Field::RequestBody, text, kind.as_bytes()).then(|| {
            let all = record.carriers.iter().map(|c| match c.content {
                Content::Named(name, _, value) => (name.to_string(), shown(value)),
                Content::Text(text) => (String::new(), shown(text)),
                _ => panic!(),
            });
            all.collect()
        })
    }

    #[test]
    fn names_are_read_as_they_may_be_written() {
        for head in [
            "Content-Disposition: form-data; name=\"password\"",
            "content-disposition:form-data;name=password",
            "Content-Disposition: form-data; filename=\"a; name=b.txt\"; name=\"password\"",
            "Content-Disposition: form-data; filename=\"a\\\"; name=b\"; Name = password ; x=y",
            "Content-Type: text/plain\r\nCONTENT-DISPOSITION: form-data; NAME=\"password\"",
        ] {
            let body = format!("--b\r\n{head}\r\n\r\npw\r\n--b--\r\n");
            let want = Some(vec![("password".to_string(), "pw".to_string())]);
            assert_eq!(parts(&body, ""), want, "{head}");
            assert_eq!(
                parts(&body.replace('\r', ""), "multipart/form-data; boundary=b"),
                want,
                "{head}"
            );
        }
    }

    #[test]
    fn bodies_are_read_from_wherever_they_begin() {
        let head = "Content-Disposition: form-data; name=\"token\"";
        let named = ("token".to_string(), "T".to_string());
        let text = |t: &str| (String::new(), t.to_string());
        let body = format!("a preamble\r\n--b\r\n{head}\r\n\r\nT\r\n--b--\r\nan epilogue");
        assert_eq!(
            parts(&body, ""),
            Some(vec![text("a preamble"), named.clone(), text("--\r\nan epilogue")])
        );
        let cut = format!("rest of a file\r\n--b\r\n{head}\r\n\r\nT");
        assert_eq!(parts(&cut, ""), Some(vec![text("rest of a file"), named]));
        assert_eq!(
            parts("--b\r\n\r\nx=1\r\n--b--", "multipart/mixed"),
            Some(vec![text("x=1")])
        );
        for none in [
            "",
            "--",
            "a=b&c=d",
            "--b\r\n\r\nx",
            "-- a comment\nselect 1",
            "{\"a\":\"--b\\r\\nContent-\"}",
        ] {
            assert_eq!(parts(none, ""), None, "{none}");
        }
    }
}
