//! XML in bodies: an element's name is the name of its text, an attribute's name that of its value
//! (`<wsse:Password>`, SOAP of ArcGIS, SAML). No entity is expanded but the five that XML has, and nothing that is
//! not well-formed is refused.

use super::Part;
use super::siblings::Siblings;
use super::walk::{Detector, Place};
use crate::text::{Base, Coding, Text};
use std::borrow::Cow;

/// Without the prefix of its namespace.
fn local(name: &[u8]) -> &[u8] {
    memchr::memrchr(b':', name).map_or(name, |at| &name[at + 1..])
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b":_-.".contains(&b)
}

fn name_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| !is_name(*b)).unwrap_or(bytes.len())
}

impl Detector<'_> {
    /// Walks markup. What stands between tags is offered under the name of the element that it begins.
    pub(super) fn markup(&mut self, text: Text, place: Place) {
        if !self.spend(text.len()) {
            return;
        }
        let bytes = text.bytes();
        let mut at = 0;
        while let Some(open) = memchr::memchr(b'<', &bytes[at..]).map(|n| at + n + 1) {
            let name = &bytes[open..open + name_len(&bytes[open..])];
            let Some(close) = tag_end(bytes, open) else {
                break;
            };
            at = close + 1;
            if name.is_empty() {
                continue;
            }
            self.attributes(text.slice(open + name.len()..close), place);
            if bytes[close - 1] == b'/' {
                continue;
            }
            let inner = text.from(at);
            let (skip, end): (usize, &[u8]) = if inner.bytes().starts_with(b"<![CDATA[") {
                (9, b"]]>")
            } else {
                (0, b"<")
            };
            let Some(len) = memchr::memmem::find(&inner.bytes()[skip..], end) else {
                continue;
            };
            at += skip + len;
            let content = inner.slice(skip..skip + len).trim();
            self.named_markup(local(name), content, place);
        }
    }

    /// `name="value"` pairs inside a tag.
    fn attributes(&mut self, tag: Text, place: Place) {
        let bytes = tag.bytes();
        let mut at = 0;
        while let Some(equals) = memchr::memchr(b'=', &bytes[at..]).map(|n| at + n) {
            let before = bytes[..equals].trim_ascii_end();
            let start = before.iter().rposition(|b| !is_name(*b)).map_or(0, |p| p + 1);
            let quote = bytes[equals + 1..].trim_ascii_start();
            let open = bytes.len() - quote.len();
            let Some(&mark) = quote.first().filter(|b| b"\"'".contains(b)) else {
                at = equals + 1;
                continue;
            };
            let Some(len) = memchr::memchr(mark, &bytes[open + 1..]) else {
                break;
            };
            let name = local(&before[start..]);
            self.named_markup(name, tag.slice(open + 1..open + 1 + len), place);
            at = open + len + 2;
        }
    }

    fn named_markup(&mut self, name: &[u8], raw: Text, place: Place) {
        if raw.is_empty() || name.is_empty() {
            return;
        }
        let decoded = Coding::Html.decode(raw.bytes());
        let base = Base::decoded(raw, Coding::Html);
        let plain = match &decoded {
            Cow::Borrowed(_) => raw,
            Cow::Owned(bytes) => Text::new(bytes, &base),
        };
        self.groups += 1;
        self.value("", name, raw, plain, Part::Value, Siblings::None, place);
    }
}

/// Where the tag that is open at `at` ends; `>` in quotes does not end it.
fn tag_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut quote = None;
    for (n, &b) in bytes[at..].iter().enumerate() {
        match (quote, b) {
            (None, b'>') => return Some(at + n),
            (None, b'<') => return Some(at + n - 1), // `a < b`: no tag
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(q), b) if q == b => quote = None,
            _ => {}
        }
    }
    None
}
