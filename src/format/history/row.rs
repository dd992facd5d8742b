//! One record of a history or bookmark file while it is put together: its pieces of text one after the other,
//! each with its way back to the source, and the record that is made of them.

use crate::finding::Position;
use crate::format::document::Visit;
use crate::record::{self, Content, Field, Record};
use crate::text::{Base, Coding, Text};
use crate::time::{Instant, TimeForm};
use crate::url::{Url, scheme_len};
use std::borrow::Cow;
use std::ops::Range;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The address.
    Url,
    /// Where it led to.
    Location,
    /// Where it came from.
    Referer,
    /// The page's or the bookmark's title.
    Title,
    /// What a log says.
    Message,
    /// Other text.
    Text,
}

impl Role {
    fn field(self) -> Field {
        match self {
            Role::Url => Field::Url,
            Role::Location => Field::Location,
            Role::Referer => Field::Referer,
            Role::Title => Field::Title,
            Role::Message => Field::Message,
            Role::Text => Field::Text,
        }
    }
}

/// Longest piece of text that is kept, in bytes; no browser takes an address of that length.
pub const MAX_PIECE: usize = 1 << 20;

/// A record's pieces. Reused from record to record.
#[derive(Debug, Default)]
pub struct Row {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    /// Where each piece begins in `bytes`, and in the source; empty where there is no way back.
    pieces: Vec<(usize, u64)>,
    /// Where in `bytes` a written time stands.
    time: Option<Range<usize>>,
    /// The time, where it is a number.
    pub instant: Option<Instant>,
    /// The first of several times that it stands for.
    pub first: Option<Instant>,
}

#[derive(Debug)]
struct Part {
    role: Role,
    range: Range<usize>,
    coding: Option<Coding>,
    /// The name that it stands under, where that says what it is.
    name: Option<Name>,
}

/// The name of a value, and where values of that name stand.
#[derive(Clone, Debug)]
pub struct Name {
    /// Which piece of a record it is.
    pub field: Field,
    /// Where in it.
    pub part: record::Part,
    /// The name.
    pub name: Box<str>,
}

impl Row {
    /// Makes it empty.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.pieces.clear();
        self.time = None;
        self.instant = None;
        self.first = None;
    }

    /// Whether it has an address or anything else to be looked at.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Adds text that has no place of its own in the source.
    pub fn push(&mut self, role: Role, bytes: &[u8]) {
        let range = self.append(&bytes[..bytes.len().min(MAX_PIECE)]);
        self.part(role, range, None);
    }

    /// Adds text that stands at `offset` of the source as it is, encoded by `coding`. In the order of offsets.
    pub fn push_raw(&mut self, role: Role, bytes: &[u8], offset: u64, coding: Option<Coding>) {
        let range = self.append_raw(bytes, offset);
        self.part(role, range, coding);
    }

    /// Adds raw text of which ranges are pieces; gives where it begins.
    pub fn append_raw(&mut self, bytes: &[u8], offset: u64) -> Range<usize> {
        let range = self.append(bytes);
        self.pieces.push((range.start, offset));
        range
    }

    /// Says what a range of the text is.
    pub fn part(&mut self, role: Role, range: Range<usize>, coding: Option<Coding>) {
        if range.start < range.end {
            let name = None;
            self.parts.push(Part {
                role,
                range,
                coding,
                name,
            });
        }
    }

    /// Says what a range of the text is that stands under a name.
    pub fn named(&mut self, name: Name, range: Range<usize>, coding: Option<Coding>) {
        if range.start < range.end {
            self.parts.push(Part {
                role: Role::Text,
                range,
                coding,
                name: Some(name),
            });
        }
    }

    /// Says where a written time stands.
    pub fn set_time(&mut self, range: Range<usize>) {
        self.time = Some(range);
    }

    /// All of its text.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was added, in order: what it is, and where it stands in the text.
    pub fn parts(&self) -> impl Iterator<Item = (Role, Range<usize>)> {
        self.parts.iter().map(|p| (p.role, p.range.clone()))
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        if !self.bytes.is_empty() {
            self.bytes.push(b' ');
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Gives the record to `visit`.
    pub fn give(&self, position: Position, format: u16, visit: &mut Visit) {
        let base = if self.pieces.is_empty() {
            Base::Source { offset: 0 }
        } else {
            Base::Joined { pieces: &self.pieces }
        };
        let whole = Text::new(&self.bytes, &base);
        let raw: Vec<Text> = self.parts.iter().map(|p| whole.slice(p.range.clone())).collect();
        let codings: Vec<Option<Coding>> = self.parts.iter().map(|p| p.coding).collect();
        let plain = Layer::new(&raw, &codings);
        let bases = plain.bases(&raw);
        let texts = plain.texts(&raw, &bases);
        // A bookmarklet is a program, percent-encoded more often than not.
        let scripts: Vec<Option<Coding>> = texts
            .iter()
            .map(|t| is_script(t.bytes()).then_some(Coding::Percent))
            .collect();
        let code = Layer::new(&texts, &scripts);
        let bases = code.bases(&texts);
        let texts = code.texts(&texts, &bases);
        let mut record = Record {
            instant: self.instant,
            first: self.first,
            time: self
                .time
                .clone()
                .map(|range| (whole.slice(range), TimeForm::Auto)),
            format,
            ..Record::default()
        };
        for (part, text) in self.parts.iter().zip(texts) {
            if let Some(n) = &part.name {
                record.push(n.field, Content::Named(&n.name, n.part, text));
            } else if let Some(content) = content(part.role, text) {
                record.push(part.role.field(), content);
            }
        }
        if !record.carriers.is_empty() {
            visit(position, whole, &record);
        }
    }
}

/// Texts with an encoding undone.
struct Layer<'t> {
    plain: Vec<Cow<'t, [u8]>>,
    codings: &'t [Option<Coding>],
}

impl<'t> Layer<'t> {
    fn new(texts: &[Text<'t>], codings: &'t [Option<Coding>]) -> Self {
        let plain = texts.iter().zip(codings).map(|(t, c)| match c {
            Some(c) => c.decode(t.bytes()),
            None => Cow::Borrowed(t.bytes()),
        });
        Layer {
            plain: plain.collect(),
            codings,
        }
    }

    fn bases(&self, texts: &[Text<'t>]) -> Vec<Base<'t>> {
        let all = texts.iter().zip(self.codings);
        all.map(|(&from, coding)| Base::decoded(from, coding.unwrap_or(Coding::Percent)))
            .collect()
    }

    fn texts<'l>(&'l self, texts: &[Text<'l>], bases: &'l [Base<'l>]) -> Vec<Text<'l>> {
        let all = texts.iter().zip(&self.plain).zip(bases);
        all.map(|((&text, plain), base)| match plain {
            Cow::Borrowed(_) => text,
            Cow::Owned(plain) => Text::new(plain, base),
        })
        .collect()
    }
}

fn starts_with(bytes: &[u8], word: &str) -> bool {
    bytes
        .get(..word.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether an address is a program.
pub fn is_script(bytes: &[u8]) -> bool {
    starts_with(bytes, "javascript:")
}

/// What a piece is to be looked at as; `None` for pictures in data URIs.
fn content(role: Role, text: Text) -> Option<Content> {
    if matches!(role, Role::Title | Role::Message | Role::Text) {
        return Some(Content::Text(text));
    }
    let bytes = text.bytes();
    if is_script(bytes) {
        return Some(Content::Text(text));
    }
    if starts_with(bytes, "data:") {
        let media = ["data:image/", "data:font/", "data:audio/", "data:video/"];
        return (!media.iter().any(|m| starts_with(bytes, m))).then_some(Content::Text(text));
    }
    // `view-source:https://…`: the address is what follows.
    let around = ["view-source:", "blob:", "feed:"]
        .iter()
        .find(|w| starts_with(bytes, w) && scheme_len(&bytes[w.len()..]).is_some());
    let text = around.map_or(text, |w| text.from(w.len()));
    Some(Content::Url(Url::parse(text)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::Carrier;

    /// A record as tests compare it: position, time, and each carrier's field, decoded text and span.
    pub type Seen = (Position, Option<String>, Vec<(Field, String, Range<u64>)>);

    fn carrier(c: &Carrier) -> (Field, String, Range<u64>) {
        let text = match c.content {
            Content::Url(u) => {
                let end = u.fragment.or(u.query).unwrap_or(u.path);
                u.scheme.or(u.authority).unwrap_or(u.path).to_end_of(end).unwrap()
            }
            Content::Cookies(t)
            | Content::Form(t)
            | Content::Markup(t)
            | Content::Named(_, _, t)
            | Content::Text(t) => t,
        };
        let shown = String::from_utf8_lossy(text.bytes()).into_owned();
        (c.field, shown, text.span())
    }

    /// What a reader gives.
    pub fn collect(read: impl FnOnce(&mut Visit)) -> Vec<Seen> {
        let mut out = Vec::new();
        read(&mut |position, _, record: &Record| {
            let time = record.instant.map(|t| t.to_string());
            let time = time.or(record
                .time
                .map(|(t, _)| String::from_utf8_lossy(t.bytes()).into_owned()));
            out.push((position, time, record.carriers.iter().map(carrier).collect()));
        });
        out
    }

    /// The decoded text of all carriers.
    pub fn texts(seen: &[Seen]) -> Vec<&str> {
        seen.iter().flat_map(|s| s.2.iter().map(|c| &*c.1)).collect()
    }

    #[test]
    fn pieces_lead_back_through_their_encodings() {
        let source = br#"<a HREF="javascript:f(&quot;https%3A//h/?t=1&quot;)">A &amp; B</a>"#;
        let mut row = Row::default();
        row.push_raw(Role::Url, &source[9..51], 9, Some(Coding::Html));
        row.push_raw(Role::Title, &source[53..62], 53, Some(Coding::Html));
        let seen = collect(|v| row.give(Position::Entry(3), 0, v));
        let (position, _, carriers) = &seen[0];
        assert_eq!(*position, Position::Entry(3));
        assert_eq!(carriers[0].1, r#"javascript:f("https://h/?t=1")"#);
        assert_eq!(carriers[1], (Field::Title, "A & B".into(), 53..62));
        assert_eq!(carriers[0].2, 9..51);
    }

    #[test]
    fn what_stands_around_an_address_is_taken_off() {
        let mut row = Row::default();
        for url in [
            "view-source:https://h/?token=1",
            "data:image/png;base64,AAAA",
            "DATA:text/html,<a href=x>",
            "about:reader?url=https%3A%2F%2Fh",
        ] {
            row.push(Role::Url, url.as_bytes());
        }
        let seen = collect(|v| row.give(Position::Row(1), 0, v));
        let texts = texts(&seen);
        assert_eq!(
            texts,
            [
                "https://h/?token=1",
                "DATA:text/html,<a href=x>",
                "about:reader?url=https%3A%2F%2Fh"
            ]
        );
    }
}
