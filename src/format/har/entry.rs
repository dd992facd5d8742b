//! One entry of a HAR as a record: the request's URL, headers, cookies and body, the response's, and whatever else
//! stands beside them. What the format says twice (`queryString` beside `url`, `cookies` beside the header) counts
//! once.

use super::body;
use crate::format::columns::{Column, header, response_header};
use crate::format::document::Worth;
use crate::record::{Content, Field, Part, Record};
use crate::text::{Base, Coding, Text, json};
use crate::time::TimeForm;
use crate::url::Url;
use std::borrow::Cow;

/// The strings of a document, their escapes undone.
pub(super) struct Plain<'d> {
    decoded: Vec<Cow<'d, [u8]>>,
    bases: Vec<Base<'d>>,
}

impl<'d> Plain<'d> {
    /// Undoes them.
    pub fn new(members: &'d [json::Member<'d>]) -> Plain<'d> {
        Plain {
            decoded: members
                .iter()
                .map(|m| Coding::Json.decode(m.value.bytes()))
                .collect(),
            bases: members
                .iter()
                .map(|m| Base::decoded(m.value, Coding::Json))
                .collect(),
        }
    }

    /// The text of member `n`.
    pub fn text<'t>(&'t self, members: &'t [json::Member<'t>], n: usize) -> Text<'t> {
        match &self.decoded[n] {
            Cow::Borrowed(_) => members[n].value,
            Cow::Owned(bytes) => Text::new(bytes, &self.bases[n]),
        }
    }
}

/// What is known of the request and the response around a body.
#[derive(Default)]
pub(super) struct Around<'a> {
    pub record: Record<'a>,
    pub request_type: Option<Text<'a>>,
    pub response_type: Option<Text<'a>>,
    pub base64: bool,
}

/// Reads what tells when, how and of whom something was asked.
pub(super) fn around<'a>(members: &'a [json::Member<'a>], plain: &'a Plain<'a>, format: u16) -> Around<'a> {
    let mut out = Around::default();
    out.record.format = format;
    for (n, m) in members.iter().enumerate() {
        let text = plain.text(members, n);
        let r = &mut out.record;
        match &*m.path {
            "startedDateTime" => r.time = Some((text, TimeForm::Iso)),
            "request.method" => r.method = Some(text),
            "request.url" => {
                let url = Url::parse(text);
                r.host = url.authority;
                r.scheme = match url.scheme.map(|s| s.bytes().to_ascii_lowercase()).as_deref() {
                    Some(b"https" | b"wss") => Some("https"),
                    Some(b"http" | b"ws") => Some("http"),
                    _ => None,
                };
            }
            "response.status" => {
                r.status = std::str::from_utf8(text.bytes())
                    .ok()
                    .and_then(|s| s.parse().ok())
                    .filter(|s| *s > 0);
            }
            "request.postData.mimeType" => out.request_type = Some(text),
            "response.content.mimeType" => out.response_type = Some(text),
            "response.content.encoding" => out.base64 = text.bytes().eq_ignore_ascii_case(b"base64"),
            _ => {}
        }
    }
    out
}

/// Reads an entry. `visit` gets the text that the record stands in, and the record.
pub(super) fn read(text: Text, format: u16, worth: &Worth, visit: &mut dyn FnMut(Text, &Record)) {
    let Some(doc) = json::read(text) else {
        return loose(text, format, &mut |r| visit(text, r));
    };
    let members = &doc.members;
    let plain = Plain::new(members);
    let Around {
        mut record,
        request_type,
        response_type,
        base64,
    } = around(members, &plain, format);
    let columns: Vec<Option<(Column, bool)>> =
        (0..members.len()).map(|n| column(members, &plain, n)).collect();
    let names: Vec<Option<&str>> = (0..members.len())
        .map(|n| name_of(members, n).and_then(|n| std::str::from_utf8(plain.text(members, n).bytes()).ok()))
        .collect();
    let mut request_body = None;
    let mut response_body = None;
    for (n, m) in members.iter().enumerate() {
        let text = plain.text(members, n);
        if m.kind != json::Kind::String || text.is_empty() {
            continue;
        }
        let r = &mut record;
        match &*m.path {
            "request.url" => r.push(Field::Url, Content::Url(Url::parse(text))),
            "request.headers.value" | "response.headers.value" => {
                if let Some((column, response)) = &columns[n] {
                    push_header(r, column, text, *response);
                }
            }
            "request.queryString.value" => {
                r.push_echo(
                    Field::Url,
                    Content::Named(names[n].unwrap_or_default(), Part::Query, text),
                );
            }
            "request.cookies.value" => {
                r.push_echo(
                    Field::Cookie,
                    Content::Named(names[n].unwrap_or_default(), Part::Form, text),
                );
            }
            "response.cookies.value" => r.push_echo(
                Field::ResponseHeader,
                Content::Named(names[n].unwrap_or_default(), Part::Form, text),
            ),
            "response.redirectURL" => r.push_echo(Field::Location, Content::Url(Url::parse(text))),
            "request.postData.params.value" => r.push_echo(
                Field::RequestBody,
                Content::Named(names[n].unwrap_or_default(), Part::Form, text),
            ),
            "request.postData.text" => request_body = Some(text),
            "response.content.text" => response_body = Some(text),
            "_webSocketMessages.data" => {
                let field = sent(members, &plain, n);
                if worth(text.bytes()) {
                    r.push(field, Content::Text(text));
                }
            }
            "comment" | "request.comment" | "response.comment" | "pageref" => {
                r.push(Field::Text, Content::Text(text));
            }
            path if is_envelope(path) => {}
            path if path.ends_with("rl") && crate::url::scheme_len(text.bytes()).is_some() => {
                r.push(Field::Text, Content::Url(Url::parse(text)));
            }
            _ if crate::format::columns::worth_reading(text.bytes()) => {
                r.push(Field::Text, Content::Text(text));
            }
            _ => {}
        }
    }
    // What the reader of JSON did not get through is text.
    let rest = text.from(doc.end);
    if !doc.whole && !rest.is_empty() && worth(rest.bytes()) {
        record.push(Field::Text, Content::Text(rest));
    }
    if let Some(body) = request_body {
        body::push(&mut record, Field::RequestBody, body, request_type, worth);
    }
    let decoded;
    let base;
    if let Some(mut body) = response_body.filter(|b| !(base64 && body::is_picture(b.bytes()))) {
        if base64 {
            decoded = Coding::Base64.decode(body.bytes());
            base = Base::decoded(body, Coding::Base64);
            body = Text::new(&decoded, &base);
        }
        if let Some(code) = body::arcgis_error(body) {
            record.status = Some(code);
        }
        body::push(&mut record, Field::ResponseBody, body, response_type, worth);
        return visit(text, &record);
    }
    visit(text, &record);
}

/// Members that tell of the message, and hold nothing.
fn is_envelope(path: &str) -> bool {
    let leaf = path.rsplit('.').next().unwrap_or(path);
    matches!(
        leaf,
        "name"
            | "mimeType"
            | "httpVersion"
            | "method"
            | "statusText"
            | "startedDateTime"
            | "encoding"
            | "type"
            | "serverIPAddress"
            | "connection"
            | "expires"
            | "domain"
            | "path"
            | "sameSite"
            | "_resourceType"
            | "_priority"
            | "lastAccess"
            | "eTag"
            | "protocol"
            | "_securityState"
            | "functionName"
            | "scriptId"
    )
}

fn push_header<'a>(r: &mut Record<'a>, column: &'a Column, text: Text<'a>, response: bool) {
    match column {
        Column::Referer => r.push(Field::Referer, Content::Url(Url::parse(text))),
        Column::Cookies => r.push(Field::Cookie, Content::Cookies(text)),
        Column::SetCookie => {
            // Chromium joins several by line feeds.
            let mut rest = Some(text);
            while let Some(all) = rest {
                let (one, more) = all.split_once(b'\n').map_or((all, None), |(a, b)| (a, Some(b)));
                let pair = one.split_once(b';').map_or(one, |(a, _)| a);
                r.push(Field::ResponseHeader, Content::Cookies(pair));
                rest = more;
            }
        }
        Column::Location => r.push(Field::Location, Content::Url(Url::parse(text))),
        Column::Url => r.push_echo(Field::Url, Content::Url(Url::parse(text))),
        Column::Host | Column::Scheme | Column::Method | Column::ForwardedFor => {}
        Column::UserAgent => r.user_agent = Some(text),
        Column::Header(name) | Column::ResponseHeader(name) => {
            let field = if response {
                Field::ResponseHeader
            } else {
                Field::RequestHeader
            };
            r.push(field, Content::Named(name, Part::Value, text));
        }
        _ => {}
    }
}

/// The member that names the value at `n`: `{"name": …, "value": …}`, in either order.
fn name_of(members: &[json::Member], n: usize) -> Option<usize> {
    let object = members[n].object;
    let stem = members[n].path.strip_suffix(".value")?;
    let near = n.saturating_sub(12)..(n + 12).min(members.len());
    near.into_iter().find(|&i| {
        members[i].object == object && members[i].path.strip_suffix(".name").is_some_and(|p| p == stem)
    })
}

fn column(members: &[json::Member], plain: &Plain, n: usize) -> Option<(Column, bool)> {
    let response = match &*members[n].path {
        "request.headers.value" => false,
        "response.headers.value" => true,
        _ => return None,
    };
    let name = plain.text(members, name_of(members, n)?);
    let name = String::from_utf8_lossy(name.bytes());
    Some((
        if response {
            response_header(&name)
        } else {
            header(&name)
        },
        response,
    ))
}

/// Whether a message of a WebSocket was sent or received.
fn sent(members: &[json::Member], plain: &Plain, n: usize) -> Field {
    let object = members[n].object;
    let near = n.saturating_sub(6)..(n + 6).min(members.len());
    let kind = near
        .into_iter()
        .find(|&i| members[i].object == object && &*members[i].path == "_webSocketMessages.type");
    match kind.map(|i| plain.text(members, i).bytes()) {
        Some(b"receive") => Field::ResponseBody,
        _ => Field::RequestBody,
    }
}

/// A page: its title is often a URL.
pub(super) fn page(text: Text, format: u16, visit: &mut dyn FnMut(&Record)) {
    let Some(doc) = json::read(text) else {
        return loose(text, format, visit);
    };
    let plain = Plain::new(&doc.members);
    let mut record = Record {
        format,
        ..Record::default()
    };
    for (n, m) in doc
        .members
        .iter()
        .enumerate()
        .filter(|(_, m)| m.kind == json::Kind::String)
    {
        let text = plain.text(&doc.members, n);
        match m.key() {
            "startedDateTime" => record.time = Some((text, TimeForm::Iso)),
            "title" if crate::url::scheme_len(text.bytes()).is_some() => {
                record.push(Field::Title, Content::Url(Url::parse(text)));
            }
            "title" => record.push(Field::Title, Content::Text(text)),
            "id" => {}
            _ => record.push(Field::Text, Content::Text(text)),
        }
    }
    visit(&record);
}

/// What stands around entries and pages, or is no JSON: text.
pub(super) fn loose(text: Text, format: u16, visit: &mut dyn FnMut(&Record)) {
    let mut record = Record {
        format,
        ..Record::default()
    };
    record.push(Field::Text, Content::Text(text));
    visit(&record);
}
