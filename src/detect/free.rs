//! Free text: messages, titles, columns of no known meaning. URLs, JSON and `name=value` pairs in it are found
//! and walked as if they stood in columns of their own; shapes are looked for in all of it.

use super::Part;
use super::name::is_name_byte;
use super::walk::{Detector, Place, Siblings};
use crate::text::{Coding, Text};
use crate::url::Url;

/// Bytes that end a URL or value in running text.
fn ends_word(b: u8) -> bool {
    b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | 0)
}

impl Detector<'_> {
    /// Walks free text.
    pub(super) fn free(&mut self, text: Text, place: Place) {
        if !self.spend(text.len()) {
            return;
        }
        self.shapes(text, "", Part::Value, Siblings::None, place);
        let bytes = text.bytes();
        let mut at = 0;
        while at < bytes.len() {
            // The next word, by what ends one.
            let Some(begin) = bytes[at..].iter().position(|&b| !ends_word(b)).map(|n| at + n) else {
                break;
            };
            if matches!(bytes[begin], b'{' | b'[') && memchr::memchr(b'"', &bytes[begin..]).is_some() {
                let doc = crate::text::json::read(text.from(begin));
                if let Some(doc) = doc.filter(|d| d.whole && !d.members.is_empty()) {
                    self.json(text.slice(begin..begin + doc.end), place);
                    at = begin + doc.end;
                    continue;
                }
            }
            let end = bytes[begin..]
                .iter()
                .position(|&b| ends_word(b))
                .map_or(bytes.len(), |n| begin + n);
            self.word(text.slice(begin..end), place);
            at = end;
        }
    }

    fn word(&mut self, word: Text, place: Place) {
        let bytes = word.bytes();
        if bytes.len() < 4 {
            return;
        }
        if let Some(colon) = memchr::memmem::find(bytes, b"://") {
            let scheme = bytes[..colon]
                .iter()
                .rposition(|b| !(b.is_ascii_alphanumeric() || b"+.-".contains(b)))
                .map_or(0, |p| p + 1);
            if scheme < colon && bytes[scheme].is_ascii_alphabetic() {
                if scheme > 0 && memchr::memchr(b'=', &bytes[..scheme]).is_some() {
                    // `GET /x?next=https://…`: the path before it is the outer URL.
                    if let Some(slash) = memchr::memchr(b'/', &bytes[..scheme]) {
                        return self.url(&Url::parse(word.from(slash)), place);
                    }
                }
                return self.url(&Url::parse(trim_end(word.from(scheme))), place);
            }
        }
        let Some(equals) = memchr::memchr(b'=', bytes) else {
            if memchr::memmem::find(bytes, b"%3D")
                .or_else(|| memchr::memmem::find(bytes, b"%3d"))
                .is_some()
            {
                let decoded = Coding::Percent.decode(bytes);
                let base = crate::text::Base::Decoded {
                    from: word,
                    coding: Coding::Percent,
                };
                let plain = Text::new(&decoded, &base);
                self.params(plain, Part::Value, place);
            } else if bytes[0] == b'/' {
                self.url(&Url::parse(word), place);
            }
            return;
        };
        let slash = memchr::memchr(b'/', &bytes[..equals]);
        match slash {
            Some(at) if memchr::memchr2(b'?', b';', &bytes[at..]).is_some() => {
                self.url(&Url::parse(word.from(at)), place)
            }
            _ => {
                // `a,password=x` and `(token=x)`: the name begins after what no name has.
                let begin = bytes[..equals]
                    .iter()
                    .rposition(|&b| !(is_name_byte(b) || b"%[]".contains(&b)))
                    .map_or(0, |p| p + 1);
                self.pairs(word.from(begin), place);
            }
        }
    }

    fn pairs(&mut self, text: Text, place: Place) {
        // A comma ends a value in running text where another pair follows it.
        let mut begin = 0;
        let bytes = text.bytes();
        for at in memchr::memchr_iter(b',', bytes).chain([bytes.len()]) {
            let more = bytes.get(at + 1..).and_then(|r| {
                r.iter()
                    .position(|&b| !is_name_byte(b))
                    .map(|n| n > 0 && r[n] == b'=')
            });
            if at == bytes.len() || more == Some(true) {
                if begin < at {
                    self.params(trim_end(text.slice(begin..at)), Part::Value, place);
                }
                begin = at + 1;
            }
        }
    }
}

/// Without the punctuation that ends sentences and brackets, which is rarely part of a value.
fn trim_end(text: Text) -> Text {
    let keep = text
        .bytes()
        .iter()
        .rposition(|b| !b",;)]}".contains(b))
        .map_or(0, |p| p + 1);
    text.to(keep)
}
