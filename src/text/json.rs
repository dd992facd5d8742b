//! A small JSON tokenizer over [`Text`]: every string comes with its way back to the source, and what log
//! writers get wrong (`\xHH`, raw control bytes, a cut-off end) is read as far as it can be.

use super::Text;

/// What kind of scalar a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string; its text is what stands between the quotes, escapes and all.
    String,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Literal,
}

/// A scalar somewhere in a document.
#[derive(Debug)]
pub struct Member<'a> {
    /// Keys from the top, joined by `.`; positions in arrays do not show, so that `headers.Referer` is the path
    /// of `{"headers":{"Referer":["x"]}}`. Escapes in keys are undone.
    pub path: Box<str>,
    /// Where the last key begins in `path`.
    leaf: usize,
    /// The scalar.
    pub value: Text<'a>,
    /// Its kind.
    pub kind: Kind,
    /// Which object holds it, numbered in the order in which they open.
    pub object: usize,
}

impl Member<'_> {
    /// The innermost key.
    pub fn key(&self) -> &str {
        &self.path[self.leaf..]
    }
}

/// Containers deeper than this are not entered: the rest of such a document is left to the text scanner.
const MAX_DEPTH: usize = 64;

/// Scalars that one document may hold; a log line or parameter with more is left to the text scanner.
const MAX_MEMBERS: usize = 20_000;

/// What came of reading one document.
#[derive(Debug)]
pub struct Document<'a> {
    /// All its scalars in order.
    pub members: Vec<Member<'a>>,
    /// How many bytes it took.
    pub end: usize,
    /// Whether it was well-formed to its end.
    pub whole: bool,
}

/// Reads the document at the start of `text`; `None` where there is neither an object nor an array. Where it is
/// broken or cut off, what was read up to there is returned.
pub fn read<'a>(text: Text<'a>) -> Option<Document<'a>> {
    let first = text.bytes().iter().position(|b| !b.is_ascii_whitespace())?;
    if !matches!(text.bytes()[first], b'{' | b'[') {
        return None;
    }
    let mut reader = Reader::new(text);
    reader.at = first;
    let whole = reader.value(0).is_some();
    Some(Document {
        members: reader.members,
        end: reader.at,
        whole,
    })
}

/// The objects in the list that `text` is, or that a document keeps under `key` at its top; nothing where it is no
/// such list, or where anything but objects is in it.
pub fn elements<'a>(text: Text<'a>, key: &str) -> Option<Vec<Text<'a>>> {
    let mut reader = Reader::new(text);
    if reader.space()? == b'{' {
        reader.at += 1;
        while reader.member(key)? {}
    }
    if reader.space()? != b'[' {
        return None;
    }
    reader.at += 1;
    let mut out = Vec::new();
    while reader.space()? == b'{' {
        let begin = reader.at;
        reader.members.clear();
        // What is broken or cut off is the last.
        let whole = reader.value(1).is_some();
        out.push(text.slice(begin..reader.at));
        if !whole || reader.space() != Some(b',') {
            break;
        }
        reader.at += 1;
    }
    (!out.is_empty()).then_some(out)
}

struct Reader<'a> {
    text: Text<'a>,
    at: usize,
    members: Vec<Member<'a>>,
    path: String,
    leaf: usize,
    object: usize,
    objects: usize,
}

impl<'a> Reader<'a> {
    fn new(text: Text<'a>) -> Self {
        Reader {
            text,
            at: 0,
            members: Vec::new(),
            path: String::new(),
            leaf: 0,
            object: 0,
            objects: 0,
        }
    }

    /// Passes over a member and the comma behind it; false at the value of `key`.
    fn member(&mut self, key: &str) -> Option<bool> {
        if self.space()? != b'"' {
            return None;
        }
        let name = self.string()?;
        if self.space()? != b':' {
            return None;
        }
        self.at += 1;
        if name.bytes() == key.as_bytes() {
            return Some(false);
        }
        self.members.clear();
        self.value(1)?;
        (self.space()? == b',').then_some(())?;
        self.at += 1;
        Some(true)
    }

    /// Passes over white space. Forms write a blank as `+`, which no value begins with.
    fn space(&mut self) -> Option<u8> {
        let rest = &self.text.bytes()[self.at..];
        self.at += rest.iter().position(|b| !b.is_ascii_whitespace() && *b != b'+')?;
        Some(self.text.bytes()[self.at])
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.space()? {
            b'{' if depth < MAX_DEPTH => self.object(depth),
            b'[' if depth < MAX_DEPTH => self.array(depth),
            b'"' => {
                let value = self.string()?;
                self.push(value, Kind::String)
            }
            b'{' | b'[' => None,
            first => {
                let rest = &self.text.bytes()[self.at..];
                let len = rest
                    .iter()
                    .position(|b| b.is_ascii_whitespace() || b",]}\"".contains(b))
                    .unwrap_or(rest.len());
                if len == 0 {
                    return None;
                }
                let value = self.text.slice(self.at..self.at + len);
                self.at += len;
                let number = first == b'-' || first.is_ascii_digit();
                self.push(value, if number { Kind::Number } else { Kind::Literal })
            }
        }
    }

    fn push(&mut self, value: Text<'a>, kind: Kind) -> Option<()> {
        if self.members.len() >= MAX_MEMBERS {
            return None;
        }
        self.members.push(Member {
            path: self.path.as_str().into(),
            leaf: self.leaf,
            value,
            kind,
            object: self.object,
        });
        Some(())
    }

    /// A string at a quote: what stands between it and its end. A cut-off string ends where the text does.
    fn string(&mut self) -> Option<Text<'a>> {
        let begin = self.at + 1;
        let mut at = begin;
        loop {
            match memchr::memchr2(b'"', b'\\', &self.text.bytes()[at..]).map(|n| at + n) {
                Some(n) if self.text.bytes()[n] == b'"' => {
                    self.at = n + 1;
                    return Some(self.text.slice(begin..n));
                }
                Some(n) if n + 2 <= self.text.len() => at = (n + 2).min(self.text.len()),
                _ => {
                    self.at = self.text.len();
                    let value = self.text.from(begin);
                    self.push(value, Kind::String);
                    return None;
                }
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        self.objects += 1;
        let (outer, leaf, here) = (
            self.path.len(),
            self.leaf,
            std::mem::replace(&mut self.object, self.objects),
        );
        if self.space()? == b'}' {
            self.at += 1;
            self.object = here;
            return Some(());
        }
        loop {
            if self.space()? != b'"' {
                return None;
            }
            let key = self.string()?;
            if self.space()? != b':' {
                return None;
            }
            self.at += 1;
            if outer > 0 {
                self.path.push('.');
            }
            self.leaf = self.path.len();
            let key = super::Coding::Json.decode(key.bytes());
            self.path.push_str(&String::from_utf8_lossy(&key));
            self.value(depth + 1)?;
            self.path.truncate(outer);
            self.leaf = leaf;
            match self.space()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    self.object = here;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.space()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            match self.space()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Base;
    use super::*;

    fn paths(json: &str) -> (Vec<(String, String)>, bool) {
        let root = Base::Source { offset: 0 };
        let doc = read(Text::new(json.as_bytes(), &root)).unwrap();
        let all = doc.members.iter();
        let all = all.map(|m| {
            (
                m.path.to_string(),
                String::from_utf8_lossy(m.value.bytes()).into_owned(),
            )
        });
        (all.collect(), doc.whole)
    }

    #[test]
    fn members_carry_their_paths() {
        let (got, whole) = paths(r#" {"a": {"b":["x\"y", 2]}, "c" : null, "d":{}, "e\u0066":"\x22"}"#);
        let want = [("a.b", "x\\\"y"), ("a.b", "2"), ("c", "null"), ("ef", "\\x22")];
        assert_eq!(got, want.map(|(a, b)| (a.to_string(), b.to_string())));
        assert!(whole);
    }

    #[test]
    fn the_objects_of_a_list_are_given_one_by_one() {
        let root = Base::Source { offset: 0 };
        let list = |json: &str| {
            let all = elements(Text::new(json.as_bytes(), &root), "records");
            all.map(|all| {
                all.iter()
                    .map(|t| String::from_utf8_lossy(t.bytes()).into_owned())
                    .collect::<Vec<_>>()
            })
        };
        let some = |all: &[&str]| Some(all.iter().map(|s| s.to_string()).collect::<Vec<_>>());
        for json in [
            r#"{"records":[{"a":1},{"b":[{}]}]}"#,
            r#" { "x" : {"records":[1]} , "records" : [ {"a":1} , {"b":[{}]} ] , "y":2}"#,
            r#"[{"a":1}, {"b":[{}]}]"#,
        ] {
            assert_eq!(list(json), some(&[r#"{"a":1}"#, r#"{"b":[{}]}"#]), "{json}");
        }
        assert_eq!(
            list(r#"{"records":[{"a":1},{"b":"c"#),
            some(&[r#"{"a":1}"#, r#"{"b":"c"#])
        );
        for json in [
            r#"{"records":[1]}"#,
            r#"{"records":{}}"#,
            r#"{"other":[{}]}"#,
            "[]",
            "x",
        ] {
            assert_eq!(list(json), None, "{json}");
        }
    }

    #[test]
    fn a_cut_off_document_gives_what_is_there() {
        let (got, whole) = paths(r#"{"a":"1","uri":"/x?token=ab"#);
        assert_eq!(got[1], ("uri".to_string(), "/x?token=ab".to_string()));
        assert!(!whole);
        assert!(!paths("[\"a").1);
        assert!(!paths(&"[".repeat(5000)).1);
    }
}
