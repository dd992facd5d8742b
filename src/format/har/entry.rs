//! One entry of a HAR as a record: the request's URL, headers, cookies and body, the response's, and whatever else
//! stands beside them. What the format says twice (`queryString` beside `url`, `cookies` beside the header) counts
//! once. An entry that is too large to be read at once comes in parts, which are records of their own.

use super::body::{self, Opened};
use crate::format::columns::{Column, header, response_header};
use crate::format::document::Worth;
use crate::record::{Content, Field, Part, Record, ReferrerPolicy};
use crate::text::{Base, Coding, Text, json};
use crate::time::TimeForm;
use crate::url::{Url, set_cookies};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

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
    pub url: Option<Url<'a>>,
    pub request_type: Option<Text<'a>>,
    pub response_type: Option<Text<'a>>,
    request_base64: bool,
    response_base64: bool,
}

impl<'a> Around<'a> {
    /// Adds the address that was asked for without what it can carry: what else is found belongs to it.
    pub fn push_place(&mut self) {
        if let Some(url) = self.url {
            let place = Url {
                userinfo: None,
                query: None,
                fragment: None,
                ..url
            };
            self.record.push_echo(Field::Url, Content::Url(place));
        }
    }
}

/// The members that tell when, how and of whom something was asked.
const AROUND: [&str; 8] = [
    "startedDateTime",
    "request.method",
    "request.url",
    "response.status",
    "request.postData.mimeType",
    "request.postData.encoding",
    "response.content.mimeType",
    "response.content.encoding",
];

/// Whether a member is one of them.
pub(super) fn is_around(path: &str) -> bool {
    AROUND.contains(&path)
}

/// Reads them.
pub(super) fn around<'a>(all: impl Iterator<Item = (&'a str, Text<'a>)>, format: u16) -> Around<'a> {
    let mut out = Around::default();
    out.record.format = format;
    for (path, text) in all {
        let r = &mut out.record;
        match path {
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
                out.url = Some(url);
            }
            "response.status" => {
                r.status = std::str::from_utf8(text.bytes())
                    .ok()
                    .and_then(|s| s.parse().ok())
                    .filter(|s| *s > 0);
            }
            "request.postData.mimeType" => out.request_type = Some(text),
            "response.content.mimeType" => out.response_type = Some(text),
            "request.postData.encoding" => out.request_base64 = text.bytes().eq_ignore_ascii_case(b"base64"),
            "response.content.encoding" => out.response_base64 = text.bytes().eq_ignore_ascii_case(b"base64"),
            _ => {}
        }
    }
    out
}

/// What earlier parts of an entry said of it.
#[derive(Default)]
pub(super) struct Known {
    all: Vec<(&'static str, Vec<u8>)>,
}

/// Where what is known from elsewhere is said to stand: behind all that any file has.
pub(super) const ELSEWHERE: Base<'static> = Base::Source { offset: 1 << 62 };

impl Known {
    /// Takes what members say.
    pub fn add(&mut self, members: &[json::Member]) {
        for m in members {
            let Some(&path) = AROUND.iter().find(|p| **p == &*m.path) else {
                continue;
            };
            let value = Coding::Json.decode(m.value.bytes()).into_owned();
            match self.all.iter_mut().find(|k| k.0 == path) {
                Some(old) => old.1 = value,
                None => self.all.push((path, value)),
            }
        }
    }

    /// The same as a record that nothing was added to.
    pub fn around<'a>(&'a self, elsewhere: &'a Base<'a>, format: u16) -> Around<'a> {
        around(self.texts(elsewhere), format)
    }

    fn texts<'a>(&'a self, elsewhere: &'a Base<'a>) -> impl Iterator<Item = (&'a str, Text<'a>)> {
        self.all
            .iter()
            .map(move |(path, value)| (*path, Text::new(value, elsewhere)))
    }
}

/// What goes from one piece of an entry to the next.
#[derive(Default)]
pub(super) struct Carry {
    /// What is open where the last one ended.
    pub open: json::Open,
    known: Known,
    begun: bool,
    /// Whether the last one was no JSON, so that nobody knows what is open.
    lost: bool,
}

impl Carry {
    /// Whether no piece of the entry was read.
    pub fn is_new(&self) -> bool {
        !self.begun
    }

    /// All that is known where `members` follow.
    pub fn with(&self, members: &[json::Member]) -> Known {
        let mut known = Known {
            all: self.known.all.clone(),
        };
        known.add(members);
        known
    }
}

/// Receives the text that a record stands in, the record, and what of it counts.
pub(super) type Visit<'v> = dyn FnMut(Text, &Record, Option<Range<u64>>) + 'v;

/// Reads an entry or a piece of one; `cut`: more of it follows in another. False where it is no JSON: from there on it
/// is read as text.
pub(super) fn read(
    text: Text,
    carry: &mut Carry,
    cut: bool,
    format: u16,
    worth: &Worth,
    visit: &mut Visit,
) -> bool {
    let part = Some(&carry.open).filter(|_| !carry.lost);
    let Some(part) = part.and_then(|open| json::part(text, open)) else {
        loose(text, format, &mut |r| visit(text, r, None));
        return text.bytes().trim_ascii().is_empty();
    };
    if part.stop != json::Stop::More && !cut && !carry.begun {
        let plain = Plain::new(&part.members);
        let all = (0..part.members.len()).map(|n| (&*part.members[n].path, plain.text(&part.members, n)));
        let around = around(all, format);
        // What the reader of JSON did not get through is text.
        let rest = text.from(if part.stop == json::Stop::Whole {
            text.len()
        } else {
            part.end
        });
        members(&part.members, &plain, around, rest, worth, &mut |r| {
            visit(text, r, None)
        });
        return rest.bytes().trim_ascii().is_empty();
    }
    // All that stands in it belongs to one request, wherever that is told.
    let told = json::select(text, &carry.open, &is_around);
    let known = carry.with(told.as_ref().map_or(&[], |p| &p.members));
    let (mut at, mut part) = (text, part);
    let (open, sound) = loop {
        let plain = Plain::new(&part.members);
        let mut around = known.around(&ELSEWHERE, format);
        around.push_place();
        let more = part.stop == json::Stop::More;
        let rest = at.from(if part.stop == json::Stop::Whole {
            at.len()
        } else {
            part.end
        });
        let here = if more { at.to(part.end) } else { at };
        let own = Some(here.span());
        let loose = if more { rest.to(0) } else { rest };
        members(&part.members, &plain, around, loose, worth, &mut |r| {
            visit(here, r, own.clone())
        });
        drop(plain);
        let next = if more { json::part(rest, &part.open) } else { None };
        match next {
            Some(next) => (at, part) = (rest, next),
            None => break (part.open, rest.bytes().trim_ascii().is_empty()),
        }
    };
    *carry = Carry {
        open,
        known,
        begun: true,
        lost: !sound,
    };
    sound
}

/// The record of an entry's members, of all or of some that follow one another; `rest` is read as text.
fn members<'a>(
    members: &'a [json::Member<'a>],
    plain: &'a Plain<'a>,
    around: Around<'a>,
    rest: Text<'a>,
    worth: &Worth,
    visit: &mut dyn FnMut(&Record),
) {
    let Around {
        mut record,
        request_type,
        response_type,
        request_base64,
        response_base64,
        ..
    } = around;
    let columns: Vec<Option<(Column, bool)>> =
        (0..members.len()).map(|n| column(members, plain, n)).collect();
    let names: Vec<Option<&str>> = (0..members.len())
        .map(|n| name_of(members, n).and_then(|n| std::str::from_utf8(plain.text(members, n).bytes()).ok()))
        .collect();
    let frames: Vec<(usize, Opened)> = (0..members.len())
        .filter(|&n| is_binary(members, n))
        .map(|n| (n, Opened::new(plain.text(members, n))))
        .collect();
    record.policy = policy(members, plain, &names, response_type);
    let mut request_body = None;
    let mut response_body = None;
    let mut stacks: HashSet<&[u8]> = HashSet::new();
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
                let field = sent(members, plain, n);
                match frames.binary_search_by_key(&n, |f| f.0) {
                    Ok(at) => body::push_opened(r, field, &frames[at].1, None, worth),
                    Err(_) if worth(text.bytes()) => r.push(field, Content::Text(text)),
                    Err(_) => {}
                }
            }
            "comment" | "request.comment" | "response.comment" | "pageref" => {
                r.push(Field::Text, Content::Text(text));
            }
            path if is_envelope(path) => {}
            // One page stands in each frame of the stack.
            path if path.starts_with("_initiator.") && crate::url::scheme_len(text.bytes()).is_some() => {
                let new = stacks.insert(text.bytes()).then(|| Url::parse(text));
                new.into_iter()
                    .for_each(|url| r.push(Field::Text, Content::Url(url)));
            }
            path if path.ends_with("rl") && crate::url::scheme_len(text.bytes()).is_some() => {
                r.push(Field::Text, Content::Url(Url::parse(text)));
            }
            _ if crate::format::columns::worth_reading(text.bytes()) => {
                r.push(Field::Text, Content::Text(text));
            }
            _ => {}
        }
    }
    if !rest.bytes().trim_ascii().is_empty() && worth(rest.bytes()) {
        record.push(Field::Text, Content::Text(rest));
    }
    let open = |text: Option<Text<'a>>, base64: bool| text.filter(|_| base64).map(Opened::new);
    let (request, response) = (
        open(request_body, request_base64),
        open(response_body, response_base64),
    );
    match (&request, request_body) {
        (Some(opened), _) => body::push_opened(&mut record, Field::RequestBody, opened, request_type, worth),
        (None, Some(body)) => body::push(&mut record, Field::RequestBody, body, request_type, worth),
        (None, None) => {}
    }
    let field = Field::ResponseBody;
    match (&response, response_body) {
        (Some(opened), _) => {
            if let Some(code) = body::arcgis_error(opened.readable()) {
                record.status = Some(code);
            }
            body::push_opened(&mut record, field, opened, response_type, worth);
        }
        (None, Some(body)) => {
            if let Some(code) = body::arcgis_error(body) {
                record.status = Some(code);
            }
            body::push(&mut record, field, body, response_type, worth);
        }
        (None, None) => {}
    }
    if !record.carriers.is_empty() {
        visit(&record);
    }
}

/// What a page says of the Referer that its links and images are to send. Nothing where the response is no page, or its
/// headers are not there.
fn policy(
    members: &[json::Member],
    plain: &Plain,
    names: &[Option<&str>],
    media: Option<Text>,
) -> Option<ReferrerPolicy> {
    let page = |m: &[u8]| {
        [&b"text/html"[..], b"application/xhtml+xml"]
            .iter()
            .any(|p| starts(m, p))
    };
    media.filter(|m| page(m.bytes()))?;
    let mut headers = (0..members.len())
        .filter(|&n| &*members[n].path == "response.headers.value")
        .peekable();
    headers.peek()?;
    let named = |n: &usize| names[*n].is_some_and(|name| name.eq_ignore_ascii_case("referrer-policy"));
    let mut said = headers
        .filter(named)
        .filter_map(|n| ReferrerPolicy::read(plain.text(members, n).bytes()));
    said.next_back().or(Some(ReferrerPolicy::Unset))
}

/// Whether `text` begins with `word` in either case.
fn starts(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

/// Whether a member is a frame of a WebSocket that is no text: it is written in base64.
fn is_binary(members: &[json::Member], n: usize) -> bool {
    &*members[n].path == "_webSocketMessages.data"
        && beside(members, n, "_webSocketMessages.opcode").is_some_and(|i| members[i].value.bytes() == b"2")
}

/// The member of that path in the same object as the one at `n`.
fn beside(members: &[json::Member], n: usize, path: &str) -> Option<usize> {
    let object = members[n].object;
    let near = n.saturating_sub(6)..(n + 6).min(members.len());
    near.into_iter()
        .find(|&i| members[i].object == object && &*members[i].path == path)
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
        Column::SetCookie => set_cookies(text, &mut |pair| {
            r.push(Field::ResponseHeader, Content::Cookies(pair))
        }),
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
pub(super) fn name_of(members: &[json::Member], n: usize) -> Option<usize> {
    let object = members[n].object;
    let stem = members[n].path.strip_suffix(".value")?;
    let near = n.saturating_sub(12)..(n + 12).min(members.len());
    near.into_iter().find(|&i| {
        members[i].object == object && members[i].path.strip_suffix(".name").is_some_and(|p| p == stem)
    })
}

pub(super) fn column(members: &[json::Member], plain: &Plain, n: usize) -> Option<(Column, bool)> {
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
pub(super) fn sent(members: &[json::Member], plain: &Plain, n: usize) -> Field {
    let kind = beside(members, n, "_webSocketMessages.type");
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
