//! What a column of a log can mean, what may stand in it, and how columns become a record. Every format, be it
//! a template, W3C fields or JSON members, speaks of columns in these words.

use crate::record::{Content, Field, Part, Record, is_absent};
use crate::text::Text;
use crate::time::{Clock, Instant, TimeForm};
use crate::url::{Url, scheme_len, set_cookies};

/// The meaning of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The client's address.
    Client,
    /// `X-Forwarded-For`: the first address is the client's.
    ForwardedFor,
    /// The identity that `identd` tells of a client; nobody asks it any more.
    Ident,
    /// A user's name.
    User,
    /// The time.
    Time(TimeForm),
    /// The day, in a column of its own.
    Date,
    /// The request line: method, target, version.
    Request,
    /// The request's method.
    Method,
    /// The request's target, query included.
    Url,
    /// The path without query.
    Path,
    /// The query without `?`.
    Query,
    /// The status code.
    Status,
    /// The host asked for, with or without port.
    Host,
    /// The name of a host that was set up: no address.
    HostName,
    /// The host, and behind it what is asked of it.
    HostUrl,
    /// `http` or `https`, or something that begins so (`h2`, `wss`).
    Scheme,
    /// The server's port.
    Port,
    /// The `Referer`.
    Referer,
    /// The `User-Agent`.
    UserAgent,
    /// The `Cookie` header.
    Cookies,
    /// A `Set-Cookie` header.
    SetCookie,
    /// Another request header, by name in lower case.
    Header(String),
    /// Another response header, by name in lower case.
    ResponseHeader(String),
    /// A value whose name is known.
    Named(String),
    /// A parameter of the query.
    Param(String),
    /// A cookie.
    Cookie(String),
    /// A redirect's target.
    Location,
    /// The request's body.
    Body,
    /// Values of headers that HAProxy captured, without their names: `a|b`.
    Captured(Captured),
    /// A message.
    Message,
    /// A number, or what stands where one would.
    Number,
    /// Something without white space.
    Word,
    /// Something of no known meaning.
    Other,
}

/// Which headers were captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// The request's.
    Request,
    /// The response's.
    Response,
    /// The request's as a rule; where only the response's are captured they stand in the same place.
    Either,
}

impl Column {
    /// The column that a word of a format file means: `client`, `url`, `header:x-foo`, …
    pub fn from_word(word: &str) -> Option<Column> {
        Some(match word {
            "client" => Column::Client,
            "forwarded-for" => Column::ForwardedFor,
            "user" => Column::User,
            "time" => Column::Time(TimeForm::Auto),
            "date" => Column::Date,
            "request" => Column::Request,
            "method" => Column::Method,
            "url" => Column::Url,
            "path" => Column::Path,
            "query" => Column::Query,
            "status" => Column::Status,
            "host" => Column::Host,
            "host-url" => Column::HostUrl,
            "scheme" => Column::Scheme,
            "port" => Column::Port,
            "referer" => Column::Referer,
            "user-agent" => Column::UserAgent,
            "cookies" => Column::Cookies,
            "set-cookie" => Column::SetCookie,
            "location" => Column::Location,
            "body" => Column::Body,
            "message" => Column::Message,
            "number" => Column::Number,
            "word" => Column::Word,
            "other" => Column::Other,
            _ => match word.split_once(':')? {
                ("header", name) => header(name),
                ("response-header", name) => response_header(name),
                ("named", name) => Column::Named(name.to_string()),
                _ => return None,
            },
        })
    }

    /// Whether the column can hold a credential under a name that does not stand in the line, so that no
    /// prefilter could see it.
    pub fn hides_its_name(&self) -> bool {
        matches!(
            self,
            Column::Header(_)
                | Column::ResponseHeader(_)
                | Column::Named(_)
                | Column::Param(_)
                | Column::Cookie(_)
                | Column::SetCookie
        )
    }

    /// Whether `text` may stand in it. `relaxed` lets user names have blanks.
    pub fn admits(&self, text: &[u8], relaxed: bool) -> bool {
        let word = |t: &[u8]| !t.iter().any(u8::is_ascii_whitespace);
        match self {
            Column::Client => client_shape(text),
            Column::User => relaxed && !text.contains(&b'[') || word(text),
            // Two addresses in front are a proxy's and a client's, unless nothing else can be made of them.
            Column::Ident => {
                !text.is_empty() && word(text) && !text.contains(&b'|') && (relaxed || !is_address(text))
            }
            Column::Time(form) => time_shape(text, *form),
            Column::Date => text.len() == 10 && text[4] == b'-' && text[7] == b'-',
            Column::Status => {
                text == b"-" || text == b"-1" || (text.len() == 3 && text.iter().all(u8::is_ascii_digit))
            }
            Column::Method => {
                !text.is_empty() && text.iter().all(|b| b.is_ascii_alphabetic() || b"-_".contains(b))
            }
            Column::Port => text.iter().all(u8::is_ascii_digit) && text.len() <= 5 || text == b"-",
            Column::Number => {
                !text.is_empty() && text.iter().all(|b| b.is_ascii_digit() || b"-.,+ms".contains(b))
            }
            Column::Host => host_shape(text),
            Column::HostName => host_shape(text) && text != b"-" && !is_address(text),
            // Two quoted columns are not one.
            Column::UserAgent | Column::Referer => memchr::memmem::find(text, b"\" \"").is_none(),
            Column::Word | Column::Scheme | Column::Path | Column::Query => word(text),
            _ => true,
        }
    }

    /// Whether it ends at the first blank at the latest.
    pub fn is_word(&self) -> bool {
        matches!(
            self,
            Column::Word | Column::Number | Column::Status | Column::Port | Column::Ident | Column::Host
        )
    }

    /// What it becomes where `next` stands right behind it, as in `$host$request_uri` and `%U%q`; `None` where the two
    /// cannot be told apart.
    pub fn joined(&self, next: &Column) -> Option<Column> {
        match (self, next) {
            (Column::Path | Column::Url, Column::Query) => Some(Column::Url),
            (Column::Host, Column::Url | Column::Path) => Some(Column::HostUrl),
            (Column::HostUrl, Column::Query) => Some(Column::HostUrl),
            // `$is_args$args`
            (Column::Query, Column::Query) => Some(Column::Query),
            _ => None,
        }
    }
}

/// Whether `text` can be a host with or without port.
fn host_shape(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b".:-_[]*".contains(b))
}

/// Whether `text` is an IP address.
fn is_address(text: &[u8]) -> bool {
    // A name is told by its first letters, without a try at reading it.
    let may = text
        .iter()
        .take(4)
        .all(|b| b.is_ascii_hexdigit() || b".:".contains(b));
    may && std::str::from_utf8(text).is_ok_and(|t| t.parse::<std::net::IpAddr>().is_ok())
}

/// Whether `text` can be an address or a name, with or without port.
fn client_shape(text: &[u8]) -> bool {
    let name = |t: &[u8]| {
        t.iter()
            .all(|b| b.is_ascii_alphanumeric() || b".-_%@".contains(b))
    };
    let address = |t: &[u8]| t.iter().all(|b| b.is_ascii_hexdigit() || b".:[]%".contains(b));
    let port = |t: &[u8]| {
        memchr::memrchr(b':', t)
            .is_some_and(|at| name(&t[..at]) && t[at + 1..].iter().all(u8::is_ascii_digit))
    };
    !text.is_empty() && text.len() <= 255 && (name(text) || address(text) || port(text))
}

/// Whether `text` begins as a time of this form does; cheap, so that wrong formats fail early.
fn time_shape(text: &[u8], form: TimeForm) -> bool {
    let digit = |i: usize| text.get(i).is_some_and(u8::is_ascii_digit);
    match form {
        TimeForm::Clf => {
            digit(0) && text.get(2) == Some(&b'/') && text.get(6) == Some(&b'/') && text.len() >= 20
        }
        TimeForm::Iso => digit(0) && digit(3) && matches!(text.get(4), Some(b'-' | b'/')) && text.len() >= 19,
        TimeForm::Epoch => {
            digit(0) && text.len() >= 9 && text.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        }
        TimeForm::Slashes => digit(0) && text.contains(&b'/') && text.contains(&b':'),
        TimeForm::Syslog => text.len() >= 15 && text[3] == b' ' && text[0].is_ascii_uppercase(),
        TimeForm::Ctime => text.len() >= 24 && text[3] == b' ' && text[0].is_ascii_uppercase(),
        TimeForm::Auto => digit(0) || text.first().is_some_and(u8::is_ascii_uppercase),
    }
}

/// The column of a request header; those with a meaning of their own get it.
pub fn header(name: &str) -> Column {
    match name.to_ascii_lowercase().replace('_', "-").as_str() {
        "referer" | "referrer" => Column::Referer,
        "user-agent" => Column::UserAgent,
        "cookie" => Column::Cookies,
        "host" | ":authority" => Column::Host,
        "x-forwarded-for" | "x-real-ip" | "true-client-ip" | "cf-connecting-ip" => Column::ForwardedFor,
        "x-forwarded-proto" => Column::Scheme,
        ":path" | "x-envoy-original-path" => Column::Url,
        ":method" => Column::Method,
        other => Column::Header(other.to_string()),
    }
}

/// The column of a response header.
pub fn response_header(name: &str) -> Column {
    match name.to_ascii_lowercase().replace('_', "-").as_str() {
        "location" => Column::Location,
        "set-cookie" => Column::SetCookie,
        other => Column::ResponseHeader(other.to_string()),
    }
}

impl<'a> Record<'a> {
    /// Takes the value of a header that was captured: which one can be told of URLs, which stand in one header of
    /// requests and in one of responses.
    fn captured(&mut self, side: Captured, value: Text<'a>) {
        let field = match side {
            Captured::Request => Field::Referer,
            Captured::Response => Field::Location,
            Captured::Either if self.status.is_none_or(|s| s / 100 != 3) => Field::Referer,
            Captured::Either => Field::Text,
        };
        let bytes = value.bytes();
        if field != Field::Text && scheme_len(bytes).is_some() {
            self.push(field, Content::Url(Url::parse(value)));
        } else if worth_reading(bytes) {
            self.push(Field::Text, Content::Text(value));
        }
    }
}

/// A record in the making: columns come in any order, and some need each other.
#[derive(Default)]
pub struct Builder<'a> {
    record: Record<'a>,
    path: Option<Text<'a>>,
    query: Option<Text<'a>>,
    url: Option<Text<'a>>,
    /// Further URLs and paths with a query, and further queries.
    more: Vec<Text<'a>>,
    queries: Vec<Text<'a>>,
    forwarded: Option<Text<'a>>,
    date: Option<Text<'a>>,
}

impl<'a> Builder<'a> {
    /// Takes one column. Of several with the same meaning the first that is not absent counts.
    pub fn add(&mut self, column: &'a Column, text: Text<'a>) {
        let bytes = text.bytes();
        if is_absent(bytes) {
            return;
        }
        let r = &mut self.record;
        match column {
            Column::Client => {
                r.client.get_or_insert(text);
            }
            Column::ForwardedFor => {
                self.forwarded.get_or_insert(text);
            }
            Column::Time(form) => {
                r.time.get_or_insert((text, *form));
            }
            Column::Date => self.date = Some(text),
            Column::Request => self.request(text),
            Column::Method => {
                r.method.get_or_insert(text);
            }
            Column::Url => self.url(text),
            Column::Path if self.path.is_none() => self.path = Some(text),
            Column::Path => self.again(text),
            Column::Query if self.query.is_none() => self.query = Some(text),
            Column::Query => self.queries.push(text),
            Column::Status if r.status.is_none() => {
                r.status = std::str::from_utf8(bytes).ok().and_then(|s| s.parse().ok())
            }
            // nginx's `server_name _` is no name.
            Column::Host | Column::HostName if bytes != b"_" => {
                r.host.get_or_insert(text);
            }
            Column::Host | Column::HostName => {}
            Column::HostUrl => {
                let host = bytes
                    .iter()
                    .position(|b| b"/?".contains(b))
                    .unwrap_or(bytes.len());
                if host > 0 && bytes[..host] != *b"-" {
                    r.host.get_or_insert(text.to(host));
                }
                self.url(text.from(host));
            }
            Column::Scheme if r.scheme.is_none() => r.scheme = scheme(bytes),
            Column::Port if r.scheme.is_none() => {
                r.scheme = match bytes {
                    b"443" => Some("https"),
                    b"80" => Some("http"),
                    _ => None,
                }
            }
            Column::Referer => r.push(Field::Referer, Content::Url(Url::parse(text))),
            Column::UserAgent => {
                r.user_agent.get_or_insert(text);
                if worth_reading(bytes) {
                    r.push(Field::RequestHeader, Content::Text(text));
                }
            }
            Column::Cookies => r.push(Field::Cookie, Content::Cookies(text)),
            Column::SetCookie => set_cookies(text, &mut |pair| {
                r.push(Field::ResponseHeader, Content::Cookies(pair))
            }),
            Column::Header(name) => r.push(Field::RequestHeader, Content::Named(name, Part::Value, text)),
            Column::ResponseHeader(name) => {
                r.push(Field::ResponseHeader, Content::Named(name, Part::Value, text))
            }
            Column::Named(name) => r.push(Field::Url, Content::Named(name, Part::Value, text)),
            Column::Param(name) => r.push(Field::Url, Content::Named(name, Part::Query, text)),
            Column::Cookie(name) => r.push(Field::Cookie, Content::Named(name, Part::Form, text)),
            Column::Location => r.push(Field::Location, Content::Url(Url::parse(text))),
            Column::Captured(side) => r.captured(*side, text),
            Column::Body => r.push(Field::RequestBody, Content::Text(text)),
            Column::Message => r.push(Field::Message, Content::Text(text)),
            Column::Number | Column::Port | Column::Scheme | Column::Status => {}
            Column::User | Column::Ident | Column::Word | Column::Other => {
                if *column == Column::User {
                    r.user.get_or_insert(text);
                }
                if worth_reading(bytes) {
                    r.push(Field::Text, Content::Text(text));
                }
            }
        }
    }

    /// A request line: the target may hold blanks and quotes, so it is what stands between the first blank and
    /// the version. What is no request line is text.
    fn request(&mut self, text: Text<'a>) {
        let bytes = text.bytes();
        let first = memchr::memchr(b' ', bytes);
        let method = first.map(|n| &bytes[..n]).filter(|m| {
            !m.is_empty() && m.len() <= 32 && m.iter().all(|b| b.is_ascii_alphabetic() || b"-_".contains(b))
        });
        let (Some(at), Some(_)) = (first, method) else {
            return self.record.push(Field::Url, Content::Text(text));
        };
        self.record.method.get_or_insert(text.to(at));
        let rest = text.from(at + 1).trim();
        let version =
            memchr::memrchr(b' ', rest.bytes()).filter(|&v| rest.bytes()[v + 1..].starts_with(b"HTTP"));
        let target = version.map_or(rest, |v| rest.to(v).trim());
        self.url(target);
    }

    /// A target, the first of which is the request's.
    fn url(&mut self, text: Text<'a>) {
        match self.url {
            None => self.url = Some(text),
            Some(_) => self.again(text),
        }
    }

    /// A URL or path beside the one that counts: it matters only where it has a query.
    fn again(&mut self, text: Text<'a>) {
        if text.bytes().contains(&b'?') {
            self.more.push(text);
        }
    }

    /// The carriers of the target. A log may keep it whole and in pieces, or a query in the path and another beside
    /// it; what says the same again counts once.
    fn target(&mut self) {
        let r = &mut self.record;
        let plain = |q: Text<'a>| if q.bytes().starts_with(b"?") { q.from(1) } else { q };
        let query = self.query.map(plain);
        let Some(target) = self.url.or(self.path).or(query.map(|q| q.to(0))) else {
            return;
        };
        let asked = target.bytes().contains(&b'?');
        let first = if asked { None } else { query };
        r.push(Field::Url, Content::Url(Url::from_columns(target, first)));
        let rewritten = self
            .path
            .filter(|p| self.url.is_some() && p.bytes().contains(&b'?'));
        for again in rewritten.into_iter().chain(self.more.iter().copied()) {
            if again.bytes() != target.bytes() {
                r.push_echo(Field::Url, Content::Url(Url::parse(again)));
            }
        }
        let said = Url::parse(target).query;
        let beside = query.filter(|_| asked).into_iter();
        for again in beside.chain(self.queries.iter().copied().map(plain)) {
            if said.is_none_or(|s| s.bytes() != again.bytes()) {
                let url = Url::from_columns(target, Some(again));
                let url = Url {
                    // The query belongs to the path beside it, which the server may have rewritten.
                    path: self.path.map_or(url.path, |p| Url::parse(p).path),
                    fragment: None,
                    ..url
                };
                r.push_echo(Field::Url, Content::Url(url));
            }
        }
    }

    /// Adds a column of known field whatever it holds.
    pub fn push(&mut self, field: Field, content: Content<'a>) {
        self.record.push(field, content);
    }

    /// The record.
    pub fn finish(mut self, format: u16) -> Record<'a> {
        self.target();
        let r = &mut self.record;
        r.format = format;
        if let Some(date) = self.date {
            let day_and_time = r.time.map(|(time, _)| {
                (
                    date.to_end_of(time)
                        .filter(|t| t.len() == date.len() + 1 + time.len()),
                    time,
                )
            });
            match day_and_time {
                // Side by side they are one time; apart (JSON) they have to be put together.
                Some((Some(both), _)) => r.time = Some((both, TimeForm::Iso)),
                Some((None, time)) => {
                    let both = [date.bytes(), b" ", time.bytes()].concat();
                    let utc = Clock {
                        now: Instant(0),
                        zone: jiff::tz::TimeZone::UTC,
                    };
                    r.instant = utc.read(&both, TimeForm::Iso);
                }
                None => r.time = Some((date, TimeForm::Iso)),
            }
        }
        if let Some(list) = self.forwarded {
            let first = list.split_once(b',').map_or(list, |(a, _)| a).trim();
            let behind = r.client.is_none_or(|c| is_private(c.bytes()));
            if behind && !first.is_empty() {
                r.client = Some(first);
            }
        }
        // What was found goes in the order of the text: the URL first, as readers expect.
        r.carriers.sort_by_key(|c| c.field);
        self.record
    }
}

/// Whether a column of no known meaning can hold anything for us.
pub fn worth_reading(bytes: &[u8]) -> bool {
    bytes.len() >= 8
        && (memchr::memchr3(b'=', b'%', b'{', bytes).is_some()
            || memchr::memmem::find(bytes, b"://").is_some()
            || bytes.len() >= 20)
}

fn scheme(bytes: &[u8]) -> Option<&'static str> {
    match bytes.to_ascii_lowercase().as_slice() {
        b"https" | b"h2" | b"wss" | b"h3" | b"grpcs" => Some("https"),
        b"http" | b"ws" => Some("http"),
        _ => None,
    }
}

/// Whether an address is one that only a proxy or a local client has.
fn is_private(client: &[u8]) -> bool {
    let text = std::str::from_utf8(client).unwrap_or_default();
    let text = text
        .rsplit_once(':')
        .filter(|(a, _)| a.parse::<std::net::Ipv4Addr>().is_ok())
        .map_or(text, |(a, _)| a);
    match text.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(a)) => a.is_private() || a.is_loopback() || a.is_link_local(),
        Ok(std::net::IpAddr::V6(a)) => a.is_loopback() || (a.segments()[0] & 0xFE00) == 0xFC00,
        Err(_) => false,
    }
}
