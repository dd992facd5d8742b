//! Bodies of a HAR's messages, by what they are: forms, multipart, XML, and whatever else as text in which JSON is
//! found. Bodies that are too long to be held come here in windows.

use super::entry::{self, Around};
use super::split::List;
use crate::format::document::Worth;
use crate::input::magic::{self, Magic};
use crate::record::{Content, Field, Part, Record};
use crate::text::{Base, Coding, Text, json};

/// Adds a body, whose type is `kind` if the message says it. Only text whose names stand before `=` or in JSON can be
/// asked whether it is worth it; in XML and multipart they stand elsewhere.
pub(super) fn push<'a>(
    record: &mut Record<'a>,
    field: Field,
    body: Text<'a>,
    kind: Option<Text<'a>>,
    worth: &Worth,
) {
    let kind = kind.map(|k| k.bytes().to_ascii_lowercase()).unwrap_or_default();
    let says = |word: &str| memchr::memmem::find(&kind, word.as_bytes()).is_some();
    let begins = body.bytes().trim_ascii_start();
    if says("multipart/") && multipart(record, field, body) {
        return;
    }
    let json = matches!(begins.first(), Some(b'{' | b'['));
    if says("x-www-form-urlencoded") && !json || looks_like_form(begins) {
        return record.push(field, Content::Form(body));
    }
    if begins.first() == Some(&b'<') && !says("html") {
        return record.push(field, Content::Markup(body));
    }
    if worth(body.bytes()) {
        record.push(field, Content::Text(body));
    }
}

/// `a=b&c=d` and nothing that forms do not have.
fn looks_like_form(bytes: &[u8]) -> bool {
    memchr::memchr(b'=', bytes).is_some_and(|at| {
        at > 0
            && bytes[..at]
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.[]%$:".contains(b))
            && !bytes
                .iter()
                .any(|b| b.is_ascii_whitespace() || b"<>\"{}".contains(b))
    })
}

/// The parts of a multipart body (RFC 7578), each under its name; false where it is none.
fn multipart<'a>(record: &mut Record<'a>, field: Field, body: Text<'a>) -> bool {
    let bytes = body.bytes();
    let start = bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    let line = memchr::memchr2(b'\r', b'\n', &bytes[start..]).unwrap_or(0);
    let boundary = &bytes[start..start + line];
    if boundary.len() < 3 || !boundary.starts_with(b"--") {
        return false;
    }
    let ends: Vec<usize> = memchr::memmem::find_iter(bytes, boundary).collect();
    for (n, &at) in ends.iter().enumerate() {
        let end = ends.get(n + 1).copied().unwrap_or(bytes.len());
        let part = body.slice(at + boundary.len()..end);
        let Some((head, blank)) = [&b"\r\n\r\n"[..], b"\n\n"]
            .into_iter()
            .find_map(|b| memchr::memmem::find(part.bytes(), b).map(|at| (at, b.len())))
        else {
            continue;
        };
        let value = part.from(head + blank);
        let trimmed = value.bytes().strip_suffix(b"\n").unwrap_or(value.bytes());
        let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
        let value = value.to(trimmed.len());
        match part_name(part.to(head)) {
            Some(name) => record.push(field, Content::Named(name, Part::Form, value)),
            None => record.push(field, Content::Text(value)),
        }
    }
    true
}

fn part_name<'a>(head: Text<'a>) -> Option<&'a str> {
    let bytes: &'a [u8] = head.bytes();
    let at = memchr::memmem::find(bytes, b"name=\"")? + 6;
    let len = memchr::memchr(b'"', &bytes[at..])?;
    std::str::from_utf8(&bytes[at..at + len]).ok()
}

/// The code of an ArcGIS refusal, which comes with HTTP 200: `{"error":{"code":498,…}}`.
pub(super) fn arcgis_error(body: Text) -> Option<u16> {
    let head = body.to(512);
    let at = memchr::memmem::find(head.bytes(), b"\"error\"")?;
    let doc = json::read(head).filter(|_| at < 64)?;
    let code = doc.members.iter().find(|m| &*m.path == "error.code")?;
    let code: u16 = std::str::from_utf8(code.value.bytes()).ok()?.parse().ok()?;
    matches!(code, 400..=499).then_some(code)
}

/// Whether base64 that begins so is of something in which nothing is read, such as a picture.
pub(super) fn is_picture(coded: &[u8]) -> bool {
    let head = Coding::Base64.decode(&coded[..coded.len().min(64)]);
    matches!(magic::tell(&head), Magic::Ignored(_))
}

/// A window of a long string. Which string it is, and of which request, stands before it.
pub(super) fn window(
    list: List,
    before: Text,
    window: Text,
    skipped: usize,
    format: u16,
    worth: &Worth,
    visit: &mut dyn FnMut(&Record),
) {
    let doc = json::read(before).filter(|_| list == List::Entries);
    let members = doc.map(|d| d.members).unwrap_or_default();
    let plain = entry::Plain::new(&members);
    let Around { mut record, .. } = entry::around(&members, &plain, format);
    let field = match members.last().map(|m| &*m.path) {
        Some("request.postData.text" | "request.postData.params.value") => Field::RequestBody,
        Some("response.content.text") => Field::ResponseBody,
        Some("request.url") => Field::Url,
        _ => Field::Text,
    };
    let decoded = Coding::Json.decode(window.bytes());
    let base = Base::decoded(window, Coding::Json);
    let text = match &decoded {
        std::borrow::Cow::Borrowed(_) => window,
        std::borrow::Cow::Owned(bytes) => Text::new(bytes, &base),
    };
    // Whether it is base64 is often said only after it; its first bytes tell.
    let coded = text
        .bytes()
        .iter()
        .take(4096)
        .all(|b| b.is_ascii_alphanumeric() || b"+/=-_".contains(b));
    let aligned = text.from((4 - skipped % 4) % 4);
    let plain64 = if coded {
        Coding::Base64.decode(aligned.bytes())
    } else {
        Default::default()
    };
    let base64 = Base::decoded(aligned, Coding::Base64);
    let inner = Text::new(&plain64, &base64);
    if !inner.is_empty() && worth(inner.bytes()) {
        record.push(field, Content::Text(inner));
    }
    if worth(text.bytes()) {
        record.push(field, Content::Text(text));
    }
    if !record.carriers.is_empty() {
        visit(&record);
    }
}
