//! Bodies of a HAR's messages, by what they are: forms, multipart, XML, and whatever else as text in which JSON is
//! found.

use super::{jsonp, multipart};
use crate::format::document::Worth;
use crate::input::magic::{self, Magic};
use crate::record::{Content, Field, Record};
use crate::text::{Base, Coding, Text, base64_len, json};

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
    if multipart::push(record, field, body, &kind) {
        return;
    }
    let body = jsonp::document(body).unwrap_or(body);
    let begins = body.bytes().trim_ascii_start();
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

/// Whether markup is a page, in which names stand in scripts as well.
pub(super) fn is_page(head: &[u8]) -> bool {
    let begins = |word: &[u8]| {
        head.get(..word.len())
            .is_some_and(|h| h.eq_ignore_ascii_case(word))
    };
    begins(b"<!doctype html") || begins(b"<html")
}

/// `a=b&c=d` and nothing that forms do not have.
pub(super) fn looks_like_form(bytes: &[u8]) -> bool {
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

/// Adds a body or frame that is said to be base64: what was encoded and, where that is not all of it, the text as it
/// stands.
pub(super) fn push_opened<'a>(
    record: &mut Record<'a>,
    field: Field,
    body: &'a Opened<'a>,
    kind: Option<Text<'a>>,
    worth: &Worth,
) {
    if is_picture(body.raw.bytes()) {
        return;
    }
    if let Some(plain) = body.text() {
        push(record, field, plain, kind, worth);
    }
    if !body.whole {
        push(record, field, body.raw, kind, worth);
    }
}

/// Text that is said to be base64.
pub(super) struct Opened<'a> {
    raw: Text<'a>,
    plain: Vec<u8>,
    base: Base<'a>,
    /// Whether all of it is.
    whole: bool,
}

impl<'a> Opened<'a> {
    /// Undoes it as far as it goes.
    pub fn new(raw: Text<'a>) -> Opened<'a> {
        let length = base64_len(raw.bytes());
        let coded = raw.to(length);
        Opened {
            raw,
            plain: Coding::Base64.decode(coded.bytes()).into_owned(),
            base: Base::decoded(coded, Coding::Base64),
            whole: raw.bytes()[length..].trim_ascii().is_empty(),
        }
    }

    /// What was encoded; where nothing was, the text as it stands.
    pub fn readable(&'a self) -> Text<'a> {
        self.text().unwrap_or(self.raw)
    }

    /// What was encoded.
    fn text(&'a self) -> Option<Text<'a>> {
        (!self.plain.is_empty()).then(|| Text::new(&self.plain, &self.base))
    }
}

/// Bytes in which a refusal has to begin.
const REFUSAL: usize = 512;

/// The same of a page.
const REFUSAL_PAGE: usize = 8 << 10;

/// The code of an ArcGIS refusal, which comes with HTTP 200: `{"error":{"code":498,…}}`, the same in a JSONP call, or
/// a page that says `Error: …` and `Code: 498`.
pub(super) fn arcgis_error(body: Text) -> Option<u16> {
    let code = if body.bytes().trim_ascii_start().first() == Some(&b'<') {
        let page = body.to(REFUSAL_PAGE).bytes();
        memchr::memmem::find(page, b"Error:")?;
        let at = memchr::memmem::find(page, b"Code:")? + 5;
        // `<b>Code: </b>498`
        let mut rest = page[at..].trim_ascii_start();
        while rest.first() == Some(&b'<') {
            rest = rest[memchr::memchr(b'>', rest)? + 1..].trim_ascii_start();
        }
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?
    } else {
        let head = body.from(jsonp::argument(body.bytes())?).to(REFUSAL);
        let at = memchr::memmem::find(head.bytes(), b"\"error\"")?;
        let doc = json::read(head).filter(|_| at < 64)?;
        let code = doc.members.iter().find(|m| &*m.path == "error.code")?;
        std::str::from_utf8(code.value.bytes()).ok()?.parse().ok()?
    };
    matches!(code, 400..=499).then_some(code)
}

/// Whether base64 that begins so is of something in which nothing is read, such as a picture.
pub(super) fn is_picture(coded: &[u8]) -> bool {
    let head = Coding::Base64.decode(&coded[..coded.len().min(64)]);
    matches!(magic::tell(&head), Magic::Ignored(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_understood_in_every_form() {
        for (body, code) in [
            (r#"{"error":{"code":498,"message":"Invalid Token."}}"#, Some(498)),
            (
                r#"callback({"error":{"code":499,"message":"Token Required"}});"#,
                Some(499),
            ),
            (
                r#"/**/ typeof cb === 'function' && cb({"error":{"code":498}});"#,
                Some(498),
            ),
            (
                "<html><body><b>Error: Invalid Token<br/>Code: 498<br/></body>",
                Some(498),
            ),
            ("<h2>Error:</h2> Token <b>Code: </b> 499", Some(499)),
            ("<html>Error: <b>Code: </b>200", None),
            ("<p>Code: 498</p>", None),
            (r#"{"code":498}"#, None),
            (r#"{"x":"cb({\"error\":{\"code\":498}})"}"#, None),
        ] {
            let base = Base::Source { offset: 0 };
            assert_eq!(arcgis_error(Text::new(body.as_bytes(), &base)), code, "{body}");
        }
    }
}
