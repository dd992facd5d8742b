//! Free text: messages, titles, columns of no known meaning. URLs, JSON and `name=value` pairs in it are found
//! and walked as if they stood in columns of their own; shapes are looked for in all of it.

use super::Part;
use super::name::{MAX_NAME, is_name_byte};
use super::siblings::Siblings;
use super::walk::{Detector, Place};
use crate::text::{Base, Coding, Text};
use crate::url::Url;
use std::borrow::Cow;
use std::ops::Range;

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
            let pair = self.json_pair(text, begin..end, place);
            at = match pair.or_else(|| self.quoted_pair(text, begin..end, place)) {
                Some(after) => after,
                None => {
                    self.word(text.slice(begin..end), place);
                    end
                }
            };
        }
    }

    /// `"name": "value"` of JSON that is cut off, too large or inside other text, quotes escaped or not; `word` is
    /// what stands between quotes. Returns where the pair ends.
    fn json_pair(&mut self, text: Text, word: Range<usize>, place: Place) -> Option<usize> {
        let bytes = text.bytes();
        if word.start == 0 || bytes[word.start - 1] != b'"' || bytes.get(word.end) != Some(&b'"') {
            return None;
        }
        let key = &bytes[word.clone()];
        let (key, escaped) = key.strip_suffix(b"\\").map_or((key, false), |k| (k, true));
        if key.is_empty()
            || key.len() > MAX_NAME
            || !key.iter().all(|b| is_name_byte(*b) || b"[]".contains(b))
        {
            return None;
        }
        let rest = bytes[word.end + 1..]
            .trim_ascii_start()
            .strip_prefix(b":")?
            .trim_ascii_start();
        let open: &[u8] = if escaped { b"\\\"" } else { b"\"" };
        let begin = bytes.len() - rest.len();
        let value = match rest.strip_prefix(open) {
            Some(inner) => {
                let begin = begin + open.len();
                begin..begin + string_len(inner, escaped)
            }
            None => {
                let len = rest
                    .iter()
                    .position(|b| !(b.is_ascii_alphanumeric() || b"+-.".contains(b)))
                    .unwrap_or(rest.len());
                begin..begin + len
            }
        };
        let raw = text.slice(value.clone());
        if raw.is_empty() || matches!(raw.bytes(), b"true" | b"false" | b"null") {
            return Some(value.end);
        }
        let decoded = Coding::Json.decode(raw.bytes());
        let base = Base::decoded(raw, Coding::Json);
        let plain = match &decoded {
            Cow::Borrowed(_) => raw,
            Cow::Owned(bytes) => Text::new(bytes, &base),
        };
        self.groups += 1;
        self.value("", key, raw, plain, Part::Json, Siblings::None, place);
        Some(value.end)
    }

    /// `name="value"`, quotes of either kind and escaped or not; `word` is what stands before the quote. A value under
    /// another name than those of rules is left to be read word by word. Returns where the pair ends.
    fn quoted_pair(&mut self, text: Text, word: Range<usize>, place: Place) -> Option<usize> {
        let bytes = text.bytes();
        let quote = *bytes.get(word.end).filter(|b| matches!(b, b'"' | b'\''))?;
        let before = &bytes[word.clone()];
        let (before, escaped) = before.strip_suffix(b"\\").map_or((before, false), |b| (b, true));
        let before = before.strip_suffix(b"=")?;
        let name = before.len() - before.iter().rev().take_while(|b| is_name_byte(**b)).count();
        let name = &before[name..];
        if name.is_empty() || name.len() > MAX_NAME || !self.is_known(name) {
            return None;
        }
        let begin = word.end + 1;
        let end = begin + quoted_len(&bytes[begin..], quote, escaped);
        if name.len() < before.len() {
            self.word(
                text.slice(word.start..word.start + before.len() - name.len()),
                place,
            );
        }
        let raw = text.slice(begin..end);
        self.groups += 1;
        self.value("", name, raw, raw, Part::Value, Siblings::None, place);
        Some(end)
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
            // `see+https://…` of a form: the plus is a blank.
            let plus = memchr::memrchr(b'+', &bytes[scheme..colon]).map_or(scheme, |n| scheme + n + 1);
            let scheme = if matches!(&bytes[plus..colon], b"http" | b"https" | b"ws" | b"wss") {
                plus
            } else {
                scheme
            };
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
        // Scripts write `https:\/\/`.
        if memchr::memmem::find(bytes, b":\\/\\/").is_some() {
            let decoded = Coding::Json.decode(bytes);
            let base = Base::decoded(word, Coding::Json);
            if memchr::memmem::find(&decoded, b"://").is_some() {
                return self.word(Text::new(&decoded, &base), place);
            }
        }
        let Some(equals) = memchr::memchr(b'=', bytes) else {
            if memchr::memmem::find(bytes, b"%3D")
                .or_else(|| memchr::memmem::find(bytes, b"%3d"))
                .is_some()
            {
                let decoded = Coding::Percent.decode(bytes);
                let base = crate::text::Base::decoded(word, Coding::Percent);
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

/// Length of a JSON string that has begun, up to the quote that ends it; `escaped`: all quotes have a backslash.
fn string_len(inner: &[u8], escaped: bool) -> usize {
    quoted_len(inner, b'"', escaped)
}

/// The same for any quote.
fn quoted_len(inner: &[u8], quote: u8, escaped: bool) -> usize {
    let mut at = 0;
    while let Some(n) = memchr::memchr2(quote, b'\\', &inner[at..]) {
        at += n;
        if inner[at] == quote || escaped && inner[at + 1..].first() == Some(&quote) {
            return at;
        }
        at = (at + 2).min(inner.len());
    }
    inner.len()
}

/// Without the punctuation that ends sentences and brackets, which is rarely part of a value. A bracket that was opened in
/// it stays: `(null)`.
fn trim_end(text: Text) -> Text {
    let bytes = text.bytes();
    let mut end = bytes.len();
    while let Some(&last) = bytes[..end].last() {
        let open = match last {
            b',' | b';' => None,
            b')' => Some(b'('),
            b']' => Some(b'['),
            b'}' => Some(b'{'),
            _ => break,
        };
        let opened = |open: u8| {
            let tail = &bytes[end.saturating_sub(NEAR)..end - 1];
            memchr::memrchr2(open, last, tail).is_some_and(|at| tail[at] == open)
        };
        if open.is_some_and(opened) {
            break;
        }
        end -= 1;
    }
    text.to(end)
}

/// How far before a closing bracket the opening one is looked for, in bytes.
const NEAR: usize = 128;
