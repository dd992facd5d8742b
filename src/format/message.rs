//! Logs of messages: error logs beside the access logs, ArcGIS `<Msg>` elements, `key=value` lines, and the
//! header lines of audit logs. Each puts request and Referer into its text in its own way.

use super::columns::{Builder, Column, header, response_header};
use crate::record::Record;
use crate::text::{Base, Coding, Text};
use crate::time::TimeForm;
use std::collections::HashMap;

/// `at=info method=GET path="/x?y=z" host=…` (Heroku's router, logfmt).
#[derive(Clone, Debug)]
pub struct Logfmt {
    /// Keys that have to be there.
    pub require: Vec<String>,
    /// Keys to columns.
    pub columns: HashMap<String, Column>,
}

impl Logfmt {
    /// Reads `line` where it has the keys.
    pub fn read(&self, line: Text, format: u16, visit: &mut dyn FnMut(&Record)) -> bool {
        let mut pairs = Vec::new();
        let bytes = line.bytes();
        let mut at = 0;
        while at < bytes.len() {
            let Some(equals) = memchr::memchr2(b'=', b' ', &bytes[at..]).map(|n| at + n) else {
                break;
            };
            if bytes[equals] == b' ' {
                at = equals + 1;
                continue;
            }
            let key = &bytes[at..equals];
            let value = equals + 1;
            let (begin, end) = if bytes.get(value) == Some(&b'"') {
                (
                    value + 1,
                    memchr::memchr(b'"', &bytes[value + 1..]).map_or(bytes.len(), |n| value + 1 + n),
                )
            } else {
                (
                    value,
                    memchr::memchr(b' ', &bytes[value..]).map_or(bytes.len(), |n| value + n),
                )
            };
            pairs.push((key, line.slice(begin..end)));
            at = end + 1;
        }
        if !self
            .require
            .iter()
            .all(|k| pairs.iter().any(|(key, _)| *key == k.as_bytes()))
        {
            return false;
        }
        let mut builder = Builder::default();
        let other = Column::Other;
        for (key, value) in pairs {
            let column = std::str::from_utf8(key).ok().and_then(|k| self.columns.get(k));
            builder.add(column.unwrap_or(&other), value);
        }
        visit(&builder.finish(format));
        true
    }
}

/// Lines of error logs whose tail is `, key: value`: nginx, and Apache's `, referer: …`.
pub fn error_log(line: Text, format: u16, visit: &mut dyn FnMut(&Record)) -> bool {
    let bytes = line.bytes();
    let nginx = bytes.len() > 22
        && bytes[4] == b'/'
        && bytes[7] == b'/'
        && bytes[10] == b' '
        && bytes[19..].starts_with(b" [");
    let apache = bytes.len() > 28
        && bytes[0] == b'['
        && bytes[4] == b' '
        && bytes[8] == b' '
        && memchr::memmem::find(&bytes[..40.min(bytes.len())], b"] [").is_some();
    if !nginx && !apache {
        return false;
    }
    const TIME_NGINX: Column = Column::Time(TimeForm::Iso);
    const TIME_APACHE: Column = Column::Time(TimeForm::Ctime);
    let mut builder = Builder::default();
    let mut message = line;
    if nginx {
        builder.add(&TIME_NGINX, line.to(19));
        message = line.from(20);
    } else if let Some(close) = memchr::memchr(b']', bytes) {
        builder.add(&TIME_APACHE, line.slice(1..close));
        message = line.from(close + 1);
    }
    let keys: &[(&[u8], Column)] = &[
        (b", client: ", Column::Client),
        (b", server: ", Column::Word),
        (b", request: ", Column::Request),
        (b", upstream: ", Column::Other),
        (b", host: ", Column::Host),
        (b", referrer: ", Column::Referer),
        (b", referer: ", Column::Referer),
    ];
    if let Some(at) = memchr::memmem::find(message.bytes(), b"[client ") {
        let inner = message.from(at + 8);
        let end = memchr::memchr(b']', inner.bytes()).unwrap_or(inner.len());
        builder.add(&Column::Client, inner.to(end));
    }
    // Cut at the keys, from the right: a value may hold anything but its own key.
    let mut pieces: Vec<(Text, usize)> = Vec::new();
    let mut rest = message;
    for (i, (key, _)) in keys.iter().enumerate().rev() {
        if let Some(at) = memchr::memmem::rfind(rest.bytes(), key) {
            pieces.push((unquoted(rest.from(at + key.len())), i));
            rest = rest.to(at);
        }
    }
    builder.add(&Column::Message, rest);
    for (text, i) in pieces {
        builder.add(&keys[i].1, text);
    }
    visit(&builder.finish(format));
    true
}

fn unquoted(text: Text) -> Text {
    let b = text.bytes();
    if b.len() >= 2 && b[0] == b'"' && b[b.len() - 1] == b'"' {
        text.slice(1..b.len() - 1)
    } else {
        text
    }
}

/// `<Msg time="…" type="…" …>text</Msg>` of ArcGIS Server and Portal. The text, and in 10.0 the attributes, may go on in
/// the next lines, of which the last can be told.
pub fn arcgis(line: Text, format: u16, visit: &mut dyn FnMut(&Record)) -> bool {
    let bytes = line.bytes().trim_ascii();
    let begins = bytes.starts_with(b"<Msg ");
    if !begins && !bytes.ends_with(b"</Msg>") {
        return false;
    }
    let close = memchr::memchr(b'>', line.bytes()).filter(|_| begins);
    const TIME: Column = Column::Time(TimeForm::Auto);
    let mut builder = Builder::default();
    let attributes = line.to(close.unwrap_or(if begins { line.len() } else { 0 }));
    for (name, column) in [
        (&b" time="[..], &TIME),
        (&b" user="[..], &Column::User),
        (&b" methodName="[..], &Column::Word),
    ] {
        if let Some(at) = memchr::memmem::find(attributes.bytes(), name) {
            let value = attributes.from(at + name.len());
            if let Some(&quote) = value.bytes().first().filter(|q| matches!(q, b'"' | b'\'')) {
                let inner = value.from(1);
                let end = memchr::memchr(quote, inner.bytes()).unwrap_or(inner.len());
                builder.add(column, inner.to(end));
            }
        }
    }
    // What is cut in its attributes is all message: nobody knows what its lines hold.
    let text = line.from(close.map_or(0, |at| at + 1));
    let end = memchr::memmem::find(text.bytes(), b"</Msg>").unwrap_or(text.len());
    let raw = text.to(end);
    let plain = Coding::Html.decode(raw.bytes());
    let base = Base::decoded(raw, Coding::Html);
    let message = if matches!(plain, std::borrow::Cow::Borrowed(_)) {
        raw
    } else {
        Text::new(&plain, &base)
    };
    builder.add(&Column::Message, message);
    visit(&builder.finish(format));
    true
}

/// Names of headers that audit logs print on lines of their own.
const REQUEST_HEADERS: &[&str] = &[
    "referer",
    "cookie",
    "authorization",
    "proxy-authorization",
    "x-esri-authorization",
    "x-api-key",
    "x-auth-token",
    "host",
    "user-agent",
    "x-forwarded-for",
    "private-token",
    "x-amz-security-token",
];
const RESPONSE_HEADERS: &[&str] = &["location", "set-cookie"];

/// A line of an HTTP message: `GET /x HTTP/1.1`, or a header that can carry a credential (ModSecurity audit
/// logs, traces).
pub fn http_message(line: Text, format: u16, visit: &mut dyn FnMut(&Record)) -> bool {
    let bytes = line.bytes();
    let version = memchr::memmem::rfind(bytes, b" HTTP/").filter(|&v| bytes.len() - v <= 10);
    let method = bytes
        .iter()
        .take(16)
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    if is_boundary(bytes) {
        return true;
    }
    let mut builder = Builder::default();
    if version.is_some() && method >= 3 && bytes.get(method) == Some(&b' ') {
        builder.add(&Column::Request, line);
        visit(&builder.finish(format));
        return true;
    }
    let Some(colon) = memchr::memchr(b':', &bytes[..bytes.len().min(40)])
        .filter(|&c| c >= 4 && bytes.get(c + 1) == Some(&b' '))
    else {
        return false;
    };
    let name = String::from_utf8_lossy(&bytes[..colon]).to_ascii_lowercase();
    let column = if REQUEST_HEADERS.contains(&name.as_str()) {
        header(&name)
    } else if RESPONSE_HEADERS.contains(&name.as_str()) {
        response_header(&name)
    } else {
        return false;
    };
    builder.add(&column, line.from(colon + 2).trim());
    visit(&builder.finish(format));
    true
}

/// Whether it begins a part of an entry in ModSecurity's audit log: `--5f2a8c01-B--`.
fn is_boundary(line: &[u8]) -> bool {
    let Some([id @ .., b'-', part]) = line.strip_prefix(b"--").and_then(|l| l.strip_suffix(b"--")) else {
        return false;
    };
    part.is_ascii_uppercase() && (4..=32).contains(&id.len()) && id.iter().all(u8::is_ascii_alphanumeric)
}

/// Literals that make lines of these formats worth reading: a header's value stands without its name otherwise.
pub const TRIGGERS: &[&str] = &[
    "uthorization: ",
    "UTHORIZATION: ",
    "-token: ",
    "-Token: ",
    "-Key: ",
    "-key: ",
    "et-Cookie: ",
    "et-cookie: ",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Content;
    use crate::text::Base;

    #[test]
    fn messages_of_arcgis_may_be_cut_into_lines() {
        for (line, want) in [
            ("<Msg time='T' user='u'>a &amp; b</Msg>", Some("T message a & b")),
            (
                "<Msg time='T' target='https://h/?token=x'",
                Some("T message <Msg time='T' target='https://h/?token=x'"),
            ),
            ("<Msg time=\"T\" user=\"\">begun", Some("T message begun")),
            (" thread='1'>done</Msg>", Some("- message  thread='1'>done")),
            ("done</Msg>\t", Some("- message done")),
            ("<Msgs>", None),
        ] {
            let base = Base::Source { offset: 0 };
            let mut out = None;
            arcgis(Text::new(line.as_bytes(), &base), 0, &mut |r| {
                let text = |t: Text| String::from_utf8_lossy(t.bytes()).into_owned();
                let said = r.carriers.iter().map(|c| match c.content {
                    Content::Text(t) => format!(" {} {}", c.field, text(t)),
                    _ => String::new(),
                });
                out = Some(r.time.map_or("-".into(), |(t, _)| text(t)) + &said.collect::<String>());
            });
            assert_eq!(out.as_deref(), want, "{line}");
        }
    }
}
