//! `--paranoid` for HAR files: all cookies, all headers that authorize and all bodies go, whatever the rules make of
//! them. Done on the bytes as they come, so that everything else stays as it is and the file may be of any size.

use super::style::Style;
use crate::secret::Key;
use crate::text::Coding;
use std::io::{self, Read};

/// Bytes that are read at a time.
const READ: usize = 64 << 10;

/// Keys and values are looked at up to this length, in bytes.
const LOOKED_AT: usize = 64 << 10;

/// Containers deeper than this are passed on unread: a HAR has eight.
const MAX_DEPTH: usize = 256;

/// What is in the name of a header that authorizes.
const AUTHORIZING: &[&str] = &[
    "auth",
    "token",
    "cookie",
    "secret",
    "session",
    "api-key",
    "apikey",
    "passw",
    "credential",
    "csrf",
    "xsrf",
    "signature",
];

/// Whether a source with that head is a HAR file: an object that begins with `log`.
pub fn is_har(head: &[u8]) -> bool {
    let head = head
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(head)
        .trim_ascii_start();
    head.strip_prefix(b"{")
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"log\""))
}

/// What is done with the string that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It stays.
    Pass,
    /// It is a key, and stays.
    Key,
    /// It is a header's name, and stays.
    Name,
    /// It becomes what stands for a credential.
    Replace,
    /// Nothing is left of it.
    Drop,
}

/// An open container.
struct Frame {
    array: bool,
    /// The key at hand; empty in arrays.
    key: Box<[u8]>,
    /// The next string is a key.
    wants_key: bool,
    /// Whether the object's `name` was read and is one that may stay.
    harmless: bool,
}

/// Reads a HAR file without what paranoid people do not share.
pub struct Filter<'c, R> {
    inner: R,
    key: &'c Key,
    style: Style,
    stack: Vec<Frame>,
    /// Inside a string, and what is done with it.
    string: Option<Fate>,
    escaped: bool,
    text: Vec<u8>,
    out: Vec<u8>,
    given: usize,
    /// Values that went.
    pub dropped: u64,
}

impl<'c, R: Read> Filter<'c, R> {
    /// Over a whole HAR file.
    pub fn new(inner: R, key: &'c Key, style: Style) -> Self {
        Filter {
            inner,
            key,
            style,
            stack: Vec::new(),
            string: None,
            escaped: false,
            text: Vec::new(),
            out: Vec::new(),
            given: 0,
            dropped: 0,
        }
    }

    /// What is done with a value at the place at hand.
    fn fate(&self) -> Fate {
        let path: Vec<&[u8]> = self.stack.iter().filter(|f| !f.array).map(|f| &*f.key).collect();
        let [b"log", b"entries", inner @ ..] = path.as_slice() else {
            return Fate::Pass;
        };
        let harmless = self.stack.last().is_some_and(|f| f.harmless);
        match inner {
            [b"request" | b"response", b"cookies", b"value"] => Fate::Replace,
            [b"request" | b"response", b"headers", b"name"] => Fate::Name,
            [b"request" | b"response", b"headers", b"value"] if !harmless => Fate::Replace,
            [b"request", b"postData", b"text"] | [b"request", b"postData", b"params", b"value"] => Fate::Drop,
            [b"response", b"content", b"text"] | [b"_webSocketMessages", b"data"] => Fate::Drop,
            _ => Fate::Pass,
        }
    }

    fn byte(&mut self, b: u8) {
        if let Some(fate) = self.string {
            if b == b'"' && !self.escaped {
                self.string = None;
                self.end(fate);
                return self.out.push(b);
            }
            self.escaped = b == b'\\' && !self.escaped;
            if fate != Fate::Pass && self.text.len() < LOOKED_AT {
                self.text.push(b);
            }
            if !matches!(fate, Fate::Replace | Fate::Drop) {
                self.out.push(b);
            }
            return;
        }
        match b {
            b'"' => {
                self.text.clear();
                let key = self.stack.last().is_some_and(|f| f.wants_key);
                self.string = Some(if key { Fate::Key } else { self.fate() });
            }
            b'{' | b'[' if self.stack.len() < MAX_DEPTH => self.stack.push(Frame {
                array: b == b'[',
                key: Box::default(),
                wants_key: b == b'{',
                harmless: false,
            }),
            b'}' | b']' => {
                self.stack.pop();
            }
            b',' => {
                if let Some(frame) = self.stack.last_mut() {
                    frame.wants_key = !frame.array;
                }
            }
            _ => {}
        }
        self.out.push(b);
    }

    /// A string ends.
    fn end(&mut self, fate: Fate) {
        let value = Coding::Json.decode(&self.text);
        match fate {
            Fate::Pass => {}
            Fate::Key => {
                if let Some(frame) = self.stack.last_mut() {
                    frame.key = value.into();
                    frame.wants_key = false;
                }
            }
            Fate::Name => {
                let name = String::from_utf8_lossy(&value).to_ascii_lowercase();
                if let Some(frame) = self.stack.last_mut() {
                    frame.harmless = !AUTHORIZING.iter().any(|word| name.contains(word));
                }
            }
            Fate::Replace => {
                if !value.is_empty() && !crate::text::shape::is_redacted(&value) {
                    self.dropped += 1;
                    let with = self.style.replacement(self.key.fingerprint(&value), value.len());
                    self.out.extend_from_slice(&with);
                } else {
                    self.out.extend_from_slice(&self.text);
                }
            }
            Fate::Drop => self.dropped += u64::from(!value.is_empty()),
        }
    }
}

impl<R: Read> Read for Filter<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut raw = [0; READ];
        while self.given == self.out.len() {
            self.out.clear();
            self.given = 0;
            let n = self.inner.read(&mut raw)?;
            if n == 0 {
                return Ok(0);
            }
            raw[..n].iter().for_each(|&b| self.byte(b));
        }
        let n = (self.out.len() - self.given).min(buf.len());
        buf[..n].copy_from_slice(&self.out[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_authorizing_headers_and_bodies_go_and_nothing_else() {
        let har = r#"{"log": {"version":"1.2","text":"kept","entries":[ {"request":{"url":"https:\/\/a.example\/?q=1",
            "headers":[{"name":"Authorization","value":"Bearer \"x"},{"value":"early","name":"Accept"},{"name":"Accept","value":"te\u0078t"}],
            "cookies":[{"name":"sid","value":"s1", "path":"/"}],
            "postData":{"mimeType":"a/b","text":"body{\"[","params":[{"name":"p","value":"v"}]}},
            "response":{"content":{"size":4.50e1,"text":"secret","encoding":"base64"},"cookies":[]},
            "_webSocketMessages":[{"type":"send","data":"frame"}], "timings": {"wait":-1} }]}}"#;
        let key = Key::from_bytes(b"0123456789abcdef");
        let mark = |v: &str| format!("PLAINSIGHT-{}", key.fingerprint(v.as_bytes()));
        let want = har
            .replace("Bearer \\\"x", &mark("Bearer \"x"))
            .replace("early", &mark("early"))
            .replace("\"s1\"", &format!("\"{}\"", mark("s1")))
            .replace("body{\\\"[", "")
            .replace("\"v\"", "\"\"")
            .replace("secret", "")
            .replace("frame", "");
        let mut got = String::new();
        let mut filter = Filter::new(har.as_bytes(), &key, Style::Mark);
        filter.read_to_string(&mut got).unwrap();
        assert_eq!(got, want);
        assert_eq!(filter.dropped, 7);
        let mut again = String::new();
        Filter::new(got.as_bytes(), &key, Style::Mark)
            .read_to_string(&mut again)
            .unwrap();
        assert_eq!(again, got);
        assert!(is_har(har.as_bytes()) && is_har(b"\xEF\xBB\xBF { \"log\"") && !is_har(b"{\"logs\":1}"));
    }
}
