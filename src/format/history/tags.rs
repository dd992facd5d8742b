//! Tags, attributes and the text between them, as they stream by: what bookmark files (HTML) and XML property
//! lists need. It never fails: what is no tag is text, and what is left open ends with the input.

use super::row::MAX_PIECE;
use std::io::{self, Read};

/// Longest name of a tag or attribute that is looked at, in bytes.
const MAX_NAME: usize = 32;

/// Attributes of one tag that are kept.
const MAX_ATTRIBUTES: usize = 16;

const BUFFER: usize = 64 << 10;

/// Raw bytes and where they stand in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// As they stand.
    pub raw: Vec<u8>,
    /// Of the first of them.
    pub offset: u64,
}

/// What is read.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'e> {
    /// A tag opens: its name in lower case, the attributes that were asked for, and whether it closes itself.
    Open(&'e [u8], &'e [(Vec<u8>, Held)], bool),
    /// A tag closes.
    Close(&'e [u8]),
    /// Text up to the next tag; never empty.
    Text(&'e Held),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Pieces that were too long to be kept whole.
    pub cut: u64,
    /// Whether the input ends inside a tag.
    pub open: bool,
    /// What reading the input met.
    pub error: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// After `<`.
    Begin,
    Name,
    /// Between attributes.
    Inside,
    Attribute,
    /// After an attribute's name and blanks.
    Named,
    /// After `=`.
    Equals,
    /// In a value, which ends with this byte; 0 for one without quotes.
    Value(u8),
    /// After `<!` or `<?`: up to `>`.
    Declaration,
    /// In a comment; how many `-` stood last.
    Comment(u8),
}

struct Tokenizer<'t> {
    wanted: &'t dyn Fn(&[u8]) -> bool,
    event: &'t mut dyn FnMut(Event),
    state: State,
    at: u64,
    name: Vec<u8>,
    closing: bool,
    slash: bool,
    attribute: Vec<u8>,
    keep: bool,
    value: Held,
    attributes: Vec<(Vec<u8>, Held)>,
    text: Held,
    /// Bytes of the declaration so far, up to two, to tell a comment.
    dashes: u8,
    cut: u64,
}

/// Reads `input` to its end. `wanted` tells from an attribute's name, in lower case, whether it is kept.
pub fn read(input: &mut dyn Read, wanted: &dyn Fn(&[u8]) -> bool, event: &mut dyn FnMut(Event)) -> Outcome {
    let mut t = Tokenizer {
        wanted,
        event,
        state: State::Text,
        at: 0,
        name: Vec::new(),
        closing: false,
        slash: false,
        attribute: Vec::new(),
        keep: false,
        value: Held::default(),
        attributes: Vec::new(),
        text: Held::default(),
        dashes: 0,
        cut: 0,
    };
    let mut buffer = vec![0; BUFFER];
    let mut error = None;
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => t.feed(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    let open = t.state != State::Text;
    if open {
        // What an open tag has so far counts as if it were closed.
        t.value_ends();
        t.tag_ends();
    }
    t.text_ends();
    Outcome {
        cut: t.cut,
        open,
        error,
    }
}

impl Tokenizer<'_> {
    fn feed(&mut self, chunk: &[u8]) {
        let mut i = 0;
        while i < chunk.len() {
            let rest = &chunk[i..];
            let at = self.at + i as u64;
            let b = rest[0];
            i += 1;
            match self.state {
                State::Text => {
                    let end = memchr::memchr(b'<', rest).unwrap_or(rest.len());
                    if end > 0 {
                        self.cut += u64::from(append(&mut self.text, &rest[..end], at));
                        i += end - 1;
                    } else {
                        self.state = State::Begin;
                    }
                }
                State::Begin => self.begin(b, at),
                State::Name => match b {
                    b'>' => self.tag_ends(),
                    b'/' => {
                        self.slash = true;
                        self.state = State::Inside;
                    }
                    b if b.is_ascii_whitespace() => self.state = State::Inside,
                    b => push_name(&mut self.name, b),
                },
                State::Inside => match b {
                    b'>' => self.tag_ends(),
                    b'/' => self.slash = true,
                    b if b.is_ascii_whitespace() => {}
                    b => {
                        self.slash = false;
                        self.attribute.clear();
                        push_name(&mut self.attribute, b);
                        self.state = State::Attribute;
                    }
                },
                State::Attribute => match b {
                    b'>' => self.tag_ends(),
                    b'=' => {
                        let room = self.attributes.len() < MAX_ATTRIBUTES;
                        self.keep = room && (self.wanted)(&self.attribute);
                        self.state = State::Equals;
                    }
                    b if b.is_ascii_whitespace() => self.state = State::Named,
                    b => push_name(&mut self.attribute, b),
                },
                State::Named => match b {
                    b'=' => {
                        self.state = State::Attribute;
                        i -= 1;
                    }
                    b if b.is_ascii_whitespace() => {}
                    _ => {
                        self.state = State::Inside;
                        i -= 1;
                    }
                },
                State::Equals => match b {
                    b'>' => self.tag_ends(),
                    b'"' | b'\'' => self.value_begins(b, at + 1),
                    b if b.is_ascii_whitespace() => {}
                    _ => {
                        self.value_begins(0, at);
                        i -= 1;
                    }
                },
                State::Value(quote) => {
                    let end = match quote {
                        0 => rest.iter().position(|b| b.is_ascii_whitespace() || *b == b'>'),
                        quote => memchr::memchr(quote, rest),
                    };
                    let used = end.unwrap_or(rest.len());
                    if self.keep {
                        let at = self.value.offset;
                        self.cut += u64::from(append(&mut self.value, &rest[..used], at));
                    }
                    i = i - 1 + used;
                    if end.is_some() {
                        // The quote belongs to the value, what ends one without quotes does not.
                        i += usize::from(quote != 0);
                        self.value_ends();
                        self.state = State::Inside;
                    }
                }
                State::Declaration => match b {
                    b'-' if self.dashes < 2 => {
                        self.dashes += 1;
                        if self.dashes == 2 {
                            self.state = State::Comment(0);
                        }
                    }
                    b'>' => self.state = State::Text,
                    _ => self.dashes = 3,
                },
                State::Comment(n) => {
                    self.state = match b {
                        b'-' => State::Comment((n + 1).min(2)),
                        b'>' if n == 2 => State::Text,
                        _ => State::Comment(0),
                    }
                }
            }
        }
        self.at += chunk.len() as u64;
    }

    /// The byte after `<`.
    fn begin(&mut self, b: u8, at: u64) {
        match b {
            b'!' | b'?' => {
                self.text_ends();
                self.dashes = if b == b'!' { 0 } else { 3 };
                self.state = State::Declaration;
            }
            b'/' if !self.closing => self.closing = true,
            b if b.is_ascii_alphabetic() => {
                self.text_ends();
                self.name.clear();
                self.slash = false;
                self.attributes.clear();
                push_name(&mut self.name, b);
                self.state = State::Name;
            }
            b => {
                // `a < b` is text.
                let text: &[u8] = if self.closing { b"</" } else { b"<" };
                let start = at - text.len() as u64;
                self.cut += u64::from(append(&mut self.text, text, start));
                self.closing = false;
                self.state = if b == b'<' { State::Begin } else { State::Text };
                if b != b'<' {
                    self.cut += u64::from(append(&mut self.text, &[b], at));
                }
            }
        }
    }

    fn value_begins(&mut self, quote: u8, at: u64) {
        self.value.raw.clear();
        self.value.offset = at;
        self.state = State::Value(quote);
    }

    fn value_ends(&mut self) {
        if matches!(self.state, State::Value(_)) && self.keep {
            let value = std::mem::take(&mut self.value);
            self.attributes.push((std::mem::take(&mut self.attribute), value));
        }
    }

    fn tag_ends(&mut self) {
        if self.name.is_empty() {
        } else if self.closing {
            (self.event)(Event::Close(&self.name));
        } else {
            (self.event)(Event::Open(&self.name, &self.attributes, self.slash));
        }
        self.closing = false;
        self.name.clear();
        self.attributes.clear();
        self.state = State::Text;
    }

    fn text_ends(&mut self) {
        if !self.text.raw.is_empty() {
            (self.event)(Event::Text(&self.text));
            self.text.raw.clear();
        }
    }
}

fn push_name(name: &mut Vec<u8>, b: u8) {
    if name.len() < MAX_NAME {
        name.push(b.to_ascii_lowercase());
    }
}

/// Adds to what is held, up to the limit; true where the limit is passed by this.
fn append(held: &mut Held, bytes: &[u8], at: u64) -> bool {
    if held.raw.is_empty() {
        held.offset = at;
    }
    let room = MAX_PIECE - held.raw.len();
    held.raw.extend_from_slice(&bytes[..bytes.len().min(room)]);
    bytes.len() > room && room > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::json_stream::tests::Pieces;
    use proptest::prelude::*;

    fn events(input: &mut dyn Read) -> Vec<String> {
        let mut out = Vec::new();
        let held = |h: &Held| format!("{}@{}", String::from_utf8_lossy(&h.raw), h.offset);
        read(input, &|a| a == b"href", &mut |e| {
            let name = |n: &[u8]| String::from_utf8_lossy(n).into_owned();
            out.push(match e {
                Event::Open(n, attributes, closed) => {
                    let all: Vec<_> = attributes.iter().map(|a| held(&a.1)).collect();
                    format!("<{} {}{}>", name(n), all.join(" "), if closed { "/" } else { "" })
                }
                Event::Close(n) => format!("</{}>", name(n)),
                Event::Text(t) => held(t),
            });
        });
        out
    }

    #[test]
    fn tags_and_text_come_with_their_places() {
        let html = br#"<!-- <a href=no> --><!DOCTYPE x><A ICON="data:<>" x HREF = "u>v" y>T &lt; < 3</A><b href=w/ ><br/><c href='q"'>"#;
        assert_eq!(
            events(&mut &html[..]),
            [
                "<a u>v@60>",
                "T &lt; < 3@67",
                "</a>",
                "<b w/@89>",
                "<br />",
                "<c q\"@107>"
            ]
        );
        assert_eq!(
            events(&mut &b"<a href=\"https://h/?t"[..]),
            ["<a https://h/?t@9>"]
        );
        assert_eq!(events(&mut &b"a<"[..]), ["a@0"]);
    }

    proptest! {
        /// However the input comes in pieces, the events are the same.
        #[test]
        fn cuts_do_not_show(
            tokens in prop::collection::vec(prop_oneof![
                Just("<"), Just(">"), Just("<a "), Just("</a>"), Just("href"), Just("="), Just("\""), Just("'"), Just("/"),
                Just(" "), Just("x"), Just("<!--"), Just("-->"), Just("<!"), Just("<?"), Just("href=\"u\""),
            ], 0..40),
            lengths in prop::collection::vec(1usize..5, 1..5),
        ) {
            let text = tokens.concat();
            let whole = events(&mut text.as_bytes());
            let pieces = events(&mut Pieces { rest: text.as_bytes(), lengths: &lengths, turn: 0 });
            prop_assert_eq!(whole, pieces);
        }
    }
}
