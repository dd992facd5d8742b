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

/// The same for the parts of a document that is known to be one, whose call stacks nest.
const MAX_DEPTH_OF_PARTS: usize = 512;

/// Scalars that one document may hold; a log line or parameter with more is left to the text scanner.
const MAX_MEMBERS: usize = 20_000;

/// Bytes that are kept of a key: no name is longer. Of more, the last, for names stand last in what is nested.
const MAX_KEY: usize = 1024;

/// Bytes of a path: every member keeps its own, so that long ones would cost many times what the document has.
const MAX_PATH: usize = 4096;

/// Members before the one at hand that [`select`] keeps, whatever they are.
const NEAR: usize = 32;

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

/// How the reading of a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At the end of the document.
    Whole,
    /// Behind a comma, because there is enough: more follows.
    More,
    /// Where the text ends or is no JSON.
    Broken,
}

/// Which containers are open where a part ends, so that the next can be read as what it is.
#[derive(Clone, Debug, Default)]
pub struct Open {
    path: String,
    stack: Vec<Frame>,
}

/// A part of a document that is too large to be held at once.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its scalars in order.
    pub members: Vec<Member<'a>>,
    /// How many bytes it took.
    pub end: usize,
    /// How it ended.
    pub stop: Stop,
    /// What is open there.
    pub open: Open,
}

/// Reads the document at the start of `text`; `None` where there is neither an object nor an array. Where it is
/// broken or cut off, what was read up to there is returned.
pub fn read<'a>(text: Text<'a>) -> Option<Document<'a>> {
    begins(text)?;
    let mut reader = Reader::new(text);
    let stop = reader.run(false);
    Some(Document {
        members: reader.members,
        end: reader.at,
        whole: stop == Stop::Whole,
    })
}

/// Reads on from the start of `text`, which stands in what is `open`: as much as is reasonable at once, and where it
/// can be, whole elements of a list. `None` where nothing is open and there is neither an object nor an array.
pub fn part<'a>(text: Text<'a>, open: &Open) -> Option<Part<'a>> {
    let mut reader = Reader::resumed(text, open)?;
    let stop = reader.run(true);
    Some(reader.part(stop))
}

/// Reads all of `text`, which stands in what is `open`, and gives the members whose path is asked for, and the last
/// ones that there are.
pub fn select<'a>(text: Text<'a>, open: &Open, wanted: &dyn Fn(&str) -> bool) -> Option<Part<'a>> {
    let mut reader = Reader::resumed(text, open)?;
    let mut kept = Vec::new();
    loop {
        reader.limit = 2 * NEAR;
        let stop = reader.run(false);
        let last = if stop == Stop::More {
            reader.members.len().saturating_sub(NEAR)
        } else {
            0
        };
        let few = kept.len() < MAX_MEMBERS;
        kept.extend(reader.members.drain(..last).filter(|m| few && wanted(&m.path)));
        if stop != Stop::More {
            kept.append(&mut reader.members);
            reader.members = kept;
            return Some(reader.part(stop));
        }
    }
}

fn begins(text: Text) -> Option<()> {
    let first = text.bytes().iter().find(|b| !b.is_ascii_whitespace())?;
    matches!(first, b'{' | b'[').then_some(())
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
        reader.restart();
        // What is broken or cut off is the last.
        let whole = reader.run(false) == Stop::Whole;
        out.push(text.slice(begin..reader.at));
        if !whole || reader.space() != Some(b',') {
            break;
        }
        reader.at += 1;
    }
    (!out.is_empty()).then_some(out)
}

/// An open container.
#[derive(Clone, Copy, Debug)]
struct Frame {
    list: bool,
    /// Its own path's length, and where the last key of it begins.
    path: usize,
    leaf: usize,
    /// The object that it is or, for a list, that it stands in.
    object: usize,
}

struct Reader<'a> {
    text: Text<'a>,
    at: usize,
    members: Vec<Member<'a>>,
    path: String,
    leaf: usize,
    stack: Vec<Frame>,
    objects: usize,
    limit: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: Text<'a>) -> Self {
        Reader {
            text,
            at: 0,
            members: Vec::new(),
            path: String::new(),
            leaf: 0,
            stack: Vec::new(),
            objects: 0,
            limit: MAX_MEMBERS,
            depth: MAX_DEPTH,
        }
    }

    fn resumed(text: Text<'a>, open: &Open) -> Option<Self> {
        if open.stack.is_empty() {
            begins(text)?;
        }
        let objects = open.stack.iter().map(|f| f.object).max();
        Some(Reader {
            path: open.path.clone(),
            leaf: open.stack.last().map_or(0, |f| f.leaf),
            stack: open.stack.clone(),
            objects: objects.unwrap_or_default(),
            depth: MAX_DEPTH_OF_PARTS,
            ..Reader::new(text)
        })
    }

    fn part(self, stop: Stop) -> Part<'a> {
        let mut path = self.path;
        path.truncate(self.stack.last().map_or(0, |f| f.path));
        Part {
            members: self.members,
            end: self.at,
            stop,
            open: Open {
                path,
                stack: self.stack,
            },
        }
    }

    /// Forgets what was read: a document of its own follows.
    fn restart(&mut self) {
        self.members.clear();
        self.path.clear();
        self.stack.clear();
        (self.leaf, self.objects) = (0, 0);
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
        self.restart();
        (self.run(false) == Stop::Whole).then_some(())?;
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

    /// Reads on to the end of the document, or to a comma where there are enough members; `lists`: to one between
    /// elements of a list, unless there are twice as many.
    fn run(&mut self, lists: bool) -> Stop {
        loop {
            match self.item() {
                None => return Stop::Broken,
                Some(false) => return Stop::Whole,
                Some(true) => {}
            }
            let enough = self.members.len() >= self.limit;
            let apart = !lists || self.stack.last().is_some_and(|f| f.list);
            if enough && (apart || self.members.len() >= 2 * self.limit) {
                return Stop::More;
            }
        }
    }

    /// Reads an element or member, or opens the container that it is; then closes what ends behind it. False at the
    /// end of the document.
    fn item(&mut self) -> Option<bool> {
        loop {
            if self.stack.last().is_some_and(|f| !f.list) {
                self.key()?;
            }
            match self.space()? {
                open @ (b'{' | b'[') => {
                    self.open(open)?;
                    let close = if open == b'{' { b'}' } else { b']' };
                    if self.space()? != close {
                        continue;
                    }
                    self.at += 1;
                    self.stack.pop();
                }
                b'"' => {
                    let value = self.string()?;
                    self.push(value, Kind::String);
                }
                first => self.scalar(first)?,
            }
            break;
        }
        loop {
            let Some(&Frame { list, path, leaf, .. }) = self.stack.last() else {
                self.path.clear();
                self.leaf = 0;
                return Some(false);
            };
            self.path.truncate(path);
            self.leaf = leaf;
            match self.space()? {
                b',' => {
                    self.at += 1;
                    return Some(true);
                }
                close @ (b'}' | b']') if list == (close == b']') => {
                    self.at += 1;
                    self.stack.pop();
                }
                _ => return None,
            }
        }
    }

    fn open(&mut self, open: u8) -> Option<()> {
        if self.stack.len() >= self.depth {
            return None;
        }
        self.at += 1;
        let list = open == b'[';
        let object = if list {
            self.object()
        } else {
            self.objects += 1;
            self.objects
        };
        self.stack.push(Frame {
            list,
            path: self.path.len(),
            leaf: self.leaf,
            object,
        });
        Some(())
    }

    fn object(&self) -> usize {
        self.stack.last().map_or(0, |f| f.object)
    }

    fn key(&mut self) -> Option<()> {
        let begin = self.at;
        if self.space()? != b'"' {
            return None;
        }
        let key = self.string()?;
        if self.space()? != b':' {
            return None;
        }
        let key = &key.bytes()[key.len().saturating_sub(MAX_KEY)..];
        if self.path.len() + key.len() >= MAX_PATH {
            self.at = begin;
            return None;
        }
        self.at += 1;
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.leaf = self.path.len();
        let key = super::Coding::Json.decode(key);
        self.path.push_str(&String::from_utf8_lossy(&key));
        Some(())
    }

    fn scalar(&mut self, first: u8) -> Option<()> {
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
        self.push(value, if number { Kind::Number } else { Kind::Literal });
        Some(())
    }

    fn push(&mut self, value: Text<'a>, kind: Kind) {
        self.members.push(Member {
            path: self.path.as_str().into(),
            leaf: self.leaf,
            value,
            kind,
            object: self.object(),
        });
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
    fn a_large_document_is_read_in_parts() {
        let root = Base::Source { offset: 0 };
        let list: Vec<String> = (0..MAX_MEMBERS)
            .map(|n| format!(r#"{{"a":{n},"b":"x"}}"#))
            .collect();
        let json = format!(r#"{{"l":{{"m":[{}]}},"z":{{"y":"last"}}}}"#, list.join(","));
        let (mut open, mut rest, mut seen, mut parts) =
            (Open::default(), Text::new(json.as_bytes(), &root), 0, 0);
        loop {
            let part = part(rest, &open).unwrap();
            parts += 1;
            for m in &part.members {
                assert!(matches!(&*m.path, "l.m.a" | "l.m.b" | "z.y"), "{}", m.path);
            }
            // The members of an object come together.
            assert!(
                part.members
                    .windows(2)
                    .all(|m| (m[0].key() == "a") == (m[0].object == m[1].object))
            );
            seen += part.members.len();
            (open, rest) = (part.open, rest.from(part.end));
            if part.stop != Stop::More {
                assert_eq!(part.stop, Stop::Whole);
                break;
            }
        }
        assert_eq!((seen, parts), (2 * MAX_MEMBERS + 1, 2));
        let all = Text::new(json.as_bytes(), &root);
        let found = select(all, &Open::default(), &|p| p == "z.y").unwrap();
        assert_eq!(found.members.last().unwrap().value.bytes(), b"last");
        assert!(found.members.len() <= 3 * NEAR);
        let cut = select(all.to(30), &Open::default(), &|_| false).unwrap();
        assert_eq!(cut.open.stack.len(), 4);
        assert!(!read(all).unwrap().whole);
    }

    #[test]
    fn paths_are_bounded() {
        let key = "k".repeat(MAX_PATH);
        let (got, whole) = paths(&format!(r#"{{"{key}":["a"],"b":1}}"#));
        assert!(whole && got[0].0.len() == MAX_KEY && got[1].0 == "b");
        let nested = format!(r#"{{"{key}":"#).repeat(10);
        assert!(!paths(&nested).1);
        let deep = r#"{"a":"#.repeat(100);
        let root = Base::Source { offset: 0 };
        let part = part(Text::new(deep.as_bytes(), &root), &Open::default()).unwrap();
        assert_eq!(
            (part.stop, part.end, part.open.stack.len()),
            (Stop::Broken, deep.len(), 100)
        );
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
