//! A window of a string that is too long to be held. Which string it is, and of which request, stands before it; what
//! it is made of is told by how it begins and by what stands in the window itself.

use super::entry::{self, Carry, ELSEWHERE, Plain};
use super::split::List;
use super::{body, multipart};
use crate::format::columns::Column;
use crate::format::document::Worth;
use crate::record::{Content, Field, Record};
use crate::text::{Base, Coding, Text, base64_len, json};
use crate::url::Url;
use std::borrow::Cow;

/// What stands before a window.
pub(super) struct Around<'a> {
    /// Which list it stands in.
    pub list: List,
    /// Of the piece of the element, up to the quote that opens the string.
    pub before: Text<'a>,
    /// What earlier pieces said.
    pub carry: &'a Carry,
    /// Digits of base64 before it.
    pub skipped: usize,
    /// How the string begins.
    pub head: &'a [u8],
}

/// Bytes that have to be base64 where it is to be undone: that it is, often is said only after it.
const SAMPLE: usize = 4096;

fn is_coded(bytes: &[u8]) -> bool {
    let is = |b: &u8| b.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(b);
    bytes.iter().take(SAMPLE).all(is)
}

/// Reads a window.
pub(super) fn read(
    around: &Around,
    window: Text,
    format: u16,
    worth: &Worth,
    visit: &mut dyn FnMut(&Record),
) {
    let part = json::select(around.before, &around.carry.open, &entry::is_around);
    let members = part
        .filter(|_| around.list == List::Entries)
        .map(|p| p.members)
        .unwrap_or_default();
    let plain = Plain::new(&members);
    let known = around.carry.with(&members);
    let mut told = known.around(&ELSEWHERE, format);
    told.push_place();
    let mut record = told.record;
    let field = field(&members, &plain);
    let decoded = Coding::Json.decode(window.bytes());
    let base = Base::decoded(window, Coding::Json);
    let text = match &decoded {
        Cow::Borrowed(_) => window,
        Cow::Owned(bytes) => Text::new(bytes, &base),
    };
    let coded = is_coded(text.bytes());
    let aligned = if coded {
        text.from(group(text.bytes(), around.skipped))
    } else {
        text.to(0)
    };
    let aligned = aligned.to(base64_len(aligned.bytes()));
    let plain64 = Coding::Base64.decode(aligned.bytes());
    let base64 = Base::decoded(aligned, Coding::Base64);
    let inner = Text::new(&plain64, &base64);
    let head = Coding::Json.decode(around.head);
    let inner_head = Coding::Base64.decode(&head[..base64_len(&head)]);
    let here = record.carriers.len();
    if !inner.is_empty() {
        push(&mut record, field, inner, &inner_head, true, worth);
    }
    let head_base = ELSEWHERE;
    let owner = Url::parse(Text::new(&head, &head_base));
    let first = around.skipped == 0;
    match field {
        Field::Cookie | Field::Url | Field::Referer | Field::Location if first => {
            record.push(field, whole(field, text));
        }
        // The rest of a list begins behind what parts its elements.
        Field::Cookie => {
            if let Some((_, rest)) = text.split_once(b';') {
                record.push(field, Content::Cookies(rest));
            }
        }
        Field::Referer if owner.authority.is_some() => {
            record.host = owner.authority;
            push(&mut record, field, text, &[], false, worth);
        }
        _ => push(&mut record, field, text, &head, first, worth),
    }
    if record.carriers.len() > here {
        visit(&record);
    }
}

/// Where in `text`, behind that many digits, a group of four begins.
fn group(text: &[u8], before: usize) -> usize {
    let digits = text.iter().enumerate().filter(|(_, b)| !b.is_ascii_whitespace());
    digits
        .map(|(at, _)| at)
        .nth((4 - before % 4) % 4)
        .unwrap_or(text.len())
}

fn whole(field: Field, text: Text) -> Content {
    match field {
        Field::Cookie => Content::Cookies(text),
        _ => Content::Url(Url::parse(text)),
    }
}

/// Adds a window of a body that begins with `head`.
fn push<'a>(record: &mut Record<'a>, field: Field, text: Text<'a>, head: &[u8], first: bool, worth: &Worth) {
    if multipart::push(record, field, text, b"") {
        return;
    }
    let head = head.trim_ascii_start();
    if head.first() == Some(&b'<') && !body::is_page(head) {
        return record.push(field, Content::Markup(text));
    }
    if !worth(text.bytes()) {
        return;
    }
    if !first && body::looks_like_form(head) {
        // A value that goes on from earlier has no name here.
        let from = memchr::memchr(b'&', text.bytes()).map_or(0, |n| n + 1);
        return record.push(field, Content::Form(text.from(from)));
    }
    if first && body::looks_like_form(head) {
        return record.push(field, Content::Form(text));
    }
    record.push(field, Content::Text(text));
}

/// What the string is that comes after these members.
fn field(members: &[json::Member], plain: &Plain) -> Field {
    let Some(n) = members.len().checked_sub(1) else {
        return Field::Text;
    };
    match &*members[n].path {
        "request.postData.text" | "request.postData.params.value" => Field::RequestBody,
        "response.content.text" => Field::ResponseBody,
        "request.url" | "request.queryString.value" => Field::Url,
        "response.redirectURL" => Field::Location,
        "request.cookies.value" | "response.cookies.value" => Field::Text,
        "_webSocketMessages.data" => entry::sent(members, plain, n),
        _ => match entry::column(members, plain, n) {
            Some((Column::Referer, _)) => Field::Referer,
            Some((Column::Cookies, _)) => Field::Cookie,
            Some((Column::Location, _)) => Field::Location,
            Some((_, true)) => Field::ResponseHeader,
            Some((_, false)) => Field::RequestHeader,
            None => Field::Text,
        },
    }
}
