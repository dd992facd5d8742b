//! Records: one request, visit or bookmark read out of a source, and the pieces of text in it that can carry a
//! credential. The words of the report (surface, field, part) are defined here.

use crate::text::Text;
use crate::time::{Instant, TimeForm};
use crate::url::Url;

/// Names an enumeration whose values are written in kebab case in reports and rules.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The word used in reports and rules.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What kind of place a source is.
    Surface {
        /// A web server's access or error log.
        ServerLog = "server-log",
        /// A proxy's or load balancer's log.
        ProxyLog = "proxy-log",
        /// A capture of a browser's traffic.
        Har = "har",
        /// A browser's history.
        BrowserHistory = "browser-history",
        /// Bookmarks.
        Bookmarks = "bookmarks",
        /// Anything else.
        Text = "text",
    }
}

words! {
    /// Which piece of a record carried the credential.
    Field {
        /// The request's URL.
        Url = "url",
        /// The `Referer` header.
        Referer = "referer",
        /// A redirect's target.
        Location = "location",
        /// Another request header.
        RequestHeader = "request-header",
        /// The request's body.
        RequestBody = "request-body",
        /// Another response header.
        ResponseHeader = "response-header",
        /// The response's body.
        ResponseBody = "response-body",
        /// A cookie.
        Cookie = "cookie",
        /// A log's message.
        Message = "message",
        /// A page's title.
        Title = "title",
        /// Text of no known meaning.
        Text = "text",
    }
}

words! {
    /// Where in the URL or value the credential stood.
    Part {
        /// In the query.
        Query = "query",
        /// After `#`.
        Fragment = "fragment",
        /// In the path or its parameters.
        Path = "path",
        /// Before `@`.
        Userinfo = "userinfo",
        /// In a form's body or a cookie list.
        Form = "form",
        /// In JSON.
        Json = "json",
        /// The value itself.
        Value = "value",
    }
}

words! {
    /// What a page's `Referrer-Policy` header says (W3C Referrer Policy §3).
    ReferrerPolicy {
        /// There is no such header.
        Unset = "unset",
        /// No Referer.
        NoReferrer = "no-referrer",
        /// The URL, but not from HTTPS to HTTP.
        NoReferrerWhenDowngrade = "no-referrer-when-downgrade",
        /// The URL to the same origin only.
        SameOrigin = "same-origin",
        /// The origin.
        Origin = "origin",
        /// The origin, but not from HTTPS to HTTP.
        StrictOrigin = "strict-origin",
        /// The URL to the same origin, the origin to others.
        OriginWhenCrossOrigin = "origin-when-cross-origin",
        /// The same, but nothing from HTTPS to HTTP.
        StrictOriginWhenCrossOrigin = "strict-origin-when-cross-origin",
        /// The URL, always.
        UnsafeUrl = "unsafe-url",
    }
}

impl ReferrerPolicy {
    /// Reads a header's value: of several policies the last that is known is in force (§8.1).
    pub fn read(value: &[u8]) -> Option<ReferrerPolicy> {
        let said = |word: &[u8]| {
            let known = |p: &&ReferrerPolicy| p.as_str().as_bytes().eq_ignore_ascii_case(word);
            ReferrerPolicy::ALL[1..].iter().find(known).copied()
        };
        value
            .split(|b| *b == b',')
            .rev()
            .find_map(|word| said(word.trim_ascii()))
    }
}

/// How the text of a carrier is built.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // URLs are what carriers mostly are, and boxing them would cost each record an allocation
pub enum Content<'a> {
    /// A URL, taken apart already because some formats keep its pieces in several columns.
    Url(Url<'a>),
    /// `name=value; name=value`.
    Cookies(Text<'a>),
    /// `name=value&name=value` of a form's body.
    Form(Text<'a>),
    /// XML: elements and attributes are names.
    Markup(Text<'a>),
    /// The value of a header or of a key whose name is known, and the part that it is.
    Named(&'a str, Part, Text<'a>),
    /// Free text that may hold URLs, pairs and token shapes.
    Text(Text<'a>),
}

/// One piece of text of a record that can carry a credential.
#[derive(Clone, Copy, Debug)]
pub struct Carrier<'a> {
    /// Which piece it is.
    pub field: Field,
    /// What it is made of.
    pub content: Content<'a>,
    /// Whether it repeats what another carrier of the record says (a HAR's `queryString` beside its `url`): what
    /// is found there too counts once.
    pub echo: bool,
}

/// One request, visit or bookmark. What is not known is `None`; times are parsed only when asked for.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// The time as it stands, with what is known of its form.
    pub time: Option<(Text<'a>, TimeForm)>,
    /// The time, where the format keeps it in several columns or as a number.
    pub instant: Option<Instant>,
    /// The first of several times that it stands for: a page's visits.
    pub first: Option<Instant>,
    /// Who asked, as it stands.
    pub client: Option<Text<'a>>,
    /// The user's name, as the server knows it.
    pub user: Option<Text<'a>>,
    /// The request's method.
    pub method: Option<Text<'a>>,
    /// The response's status code.
    pub status: Option<u16>,
    /// The `User-Agent`.
    pub user_agent: Option<Text<'a>>,
    /// The host that was asked, where it does not stand in the URL.
    pub host: Option<Text<'a>>,
    /// The scheme, where it does not stand in the URL.
    pub scheme: Option<&'static str>,
    /// What can carry a credential.
    pub carriers: Vec<Carrier<'a>>,
    /// The text that the record stands in, where it is a part of its line only: several records may share a line.
    pub whole: Option<Text<'a>>,
    /// Where the response is a page: its Referrer-Policy.
    pub policy: Option<ReferrerPolicy>,
    /// Index into the catalogue of formats.
    pub format: u16,
}

impl<'a> Record<'a> {
    /// Adds a carrier; an empty one and the `-` that logs write for it are left out.
    pub fn push(&mut self, field: Field, content: Content<'a>) {
        self.add(field, content, false);
    }

    /// Adds a carrier that repeats another.
    pub fn push_echo(&mut self, field: Field, content: Content<'a>) {
        self.add(field, content, true);
    }

    fn add(&mut self, field: Field, content: Content<'a>, echo: bool) {
        let empty = match &content {
            Content::Url(u) => {
                u.path.is_empty() && u.query.is_none() && u.authority.is_none() && u.fragment.is_none()
            }
            Content::Cookies(t)
            | Content::Form(t)
            | Content::Markup(t)
            | Content::Named(_, _, t)
            | Content::Text(t) => is_absent(t.bytes()),
        };
        if !empty {
            if self.carriers.capacity() == 0 {
                self.carriers.reserve(CARRIERS);
            }
            self.carriers.push(Carrier { field, content, echo });
        }
    }
}

/// Carriers for which there is room from the first: most records have no more.
const CARRIERS: usize = 8;

/// Whether a column says that it has no value.
pub fn is_absent(bytes: &[u8]) -> bool {
    matches!(bytes, b"" | b"-" | b"\"-\"")
}
