//! Cuts a HAR into its entries as it streams by. An entry is held whole but for its long strings, which are given
//! in overlapping windows as they come, so that memory is bounded however large a body is. Nothing is parsed here
//! beyond what it takes to know where an entry begins and ends, and whether it is JSON. Where one document ends
//! another may begin; what is no JSON is given as text.

use super::long::{Long, OVERLAP, WINDOW, whole_escapes};
use super::syntax::Syntax;
use std::ops::Range;

/// Strings longer than this are given in windows, in bytes as they stand in the file.
const LONG: usize = 512 << 10;

/// How much is held of one entry before it is cut between two elements of a list in it; and before it is cut
/// between any two members.
const MAX_ENTRY: usize = 16 << 20;
const MAX_HELD: usize = 24 << 20;

/// Containers deeper than this are in no HAR.
const MAX_DEPTH: usize = 1024;

/// Which list of the log something stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `log.entries`.
    Entries,
    /// `log.pages`.
    Pages,
    /// Neither: what stands around them.
    Around,
}

/// What the splitter gives.
#[derive(Debug)]
pub enum Piece<'a> {
    /// An element of a list, or all that stands around the lists: bytes of the file, its long strings emptied;
    /// `pieces` says where each stretch begins here and in the file.
    Unit {
        /// Which list.
        list: List,
        /// The bytes.
        bytes: &'a [u8],
        /// Where they come from.
        pieces: &'a [(usize, u64)],
        /// Whether more of the same element follows or the file ends in it: it is no whole document.
        cut: bool,
        /// Whether it is JSON, as far as it goes.
        sound: bool,
    },
    /// A window of a long string.
    Window {
        /// Which list it stands in.
        list: List,
        /// What stands before it of the element; it ends at the quote that opens the string.
        before: &'a [u8],
        /// Where that comes from.
        pieces: &'a [(usize, u64)],
        /// The window, escapes and all.
        bytes: &'a [u8],
        /// Where it begins in the file.
        offset: u64,
        /// Where in the file credentials begin that belong to this window and not to its neighbours.
        own: Range<u64>,
        /// Digits of base64 in the string that stand before the window.
        skipped: usize,
        /// How the string begins.
        head: &'a [u8],
    },
    /// A window of what is no JSON.
    Rest {
        /// Its bytes.
        bytes: &'a [u8],
        /// Where they begin in the file.
        offset: u64,
        /// Where in the file credentials begin that belong to this window and not to its neighbours.
        own: Range<u64>,
    },
}

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    pieces: Vec<(usize, u64)>,
}

impl Held {
    fn push(&mut self, bytes: &[u8], offset: u64) {
        let expected = self.pieces.last().map(|p| p.1 + (self.bytes.len() - p.0) as u64);
        if expected != Some(offset) {
            self.pieces.push((self.bytes.len(), offset));
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
    }
}

/// Cuts a stream. Feed it with [`Splitter::feed`], then call [`Splitter::finish`].
pub struct Splitter {
    /// Open containers, `{` or `[`.
    stack: Vec<u8>,
    /// The last string outside of elements, and the keys that lead to the container at hand.
    string: Vec<u8>,
    keys: [Vec<u8>; 2],
    in_string: bool,
    escaped: bool,
    /// Where in `held` the string at hand begins.
    begin: usize,
    list: List,
    element: Held,
    around: Held,
    long: Option<Long>,
    /// Whether the element at hand is JSON so far.
    syntax: Syntax,
    begun: bool,
    /// Whether the outermost container was closed; what follows is the end of a JSONP call, or another document.
    ended: bool,
    /// What is no JSON.
    rest: Option<Long>,
    /// How deep the elements are.
    depth: usize,
    /// Elements of `log.entries` that were whole.
    pub entries: u64,
    /// What is wrong with the document.
    pub problem: Option<&'static str>,
}

impl Default for Splitter {
    fn default() -> Self {
        Splitter {
            stack: Vec::new(),
            string: Vec::new(),
            keys: [Vec::new(), Vec::new()],
            in_string: false,
            escaped: false,
            begin: 0,
            list: List::Around,
            element: Held::default(),
            around: Held::default(),
            long: None,
            syntax: Syntax::default(),
            begun: false,
            ended: false,
            rest: None,
            depth: ELEMENTS,
            entries: 0,
            problem: None,
        }
    }
}

/// The depth of the elements of `log.entries`: object, `log`, list.
const ELEMENTS: usize = 3;

impl Splitter {
    /// For a document that is itself one entry.
    pub fn single() -> Splitter {
        Splitter {
            depth: 0,
            ..Splitter::default()
        }
    }

    fn held(&mut self) -> &mut Held {
        match self.list {
            List::Around => &mut self.around,
            _ => &mut self.element,
        }
    }

    /// Takes the next bytes of the file, which stand at `offset`.
    pub fn feed(&mut self, chunk: &[u8], offset: u64, give: &mut dyn FnMut(Piece)) {
        let mut at = 0;
        if !self.begun {
            // A byte order mark, or the call around JSONP.
            at = chunk.iter().position(|&b| b == b'{').unwrap_or(chunk.len());
            self.begun = at < chunk.len();
            let blank = |b: &u8| b.is_ascii_whitespace() || b"\xEF\xBB\xBF".contains(b);
            let before = &chunk[..at];
            let skip = match self.around.bytes.is_empty() {
                true => before.iter().take_while(|b| blank(b)).count(),
                false => 0,
            };
            if skip < at {
                self.around.push(&before[skip..], offset + skip as u64);
            }
        }
        while at < chunk.len() {
            at = if self.rest.is_some() {
                self.rest(&chunk[at..], give);
                chunk.len()
            } else if self.problem.is_some() {
                self.flush(give);
                self.begin_rest(offset + at as u64);
                at
            } else if self.ended {
                self.behind(chunk, at, offset)
            } else if self.in_string {
                self.in_string(chunk, at, offset, give)
            } else {
                self.structure(chunk, at, offset, give)
            };
        }
    }

    /// Behind the end of a document: another may begin.
    fn behind(&mut self, chunk: &[u8], at: usize, offset: u64) -> usize {
        // The end of a JSONP call, byte order marks and, between entries, what parts the elements of a list.
        let parts: &[u8] = if self.depth == 0 { b",[]" } else { b"" };
        let between = |b: &u8| b.is_ascii_whitespace() || b");\xEF\xBB\xBF".contains(b) || parts.contains(b);
        let Some(to) = chunk[at..].iter().position(|b| !between(b)).map(|n| at + n) else {
            return chunk.len();
        };
        if chunk[to] == b'{' {
            self.ended = false;
            self.keys = Default::default();
        } else {
            self.problem = Some("has other text behind its end");
            self.begin_rest(offset + to as u64);
        }
        to
    }

    /// What follows is read as text.
    fn begin_rest(&mut self, offset: u64) {
        self.rest = Some(Long::new(Vec::new(), offset));
    }

    fn rest(&mut self, bytes: &[u8], give: &mut dyn FnMut(Piece)) {
        if let Some(rest) = &mut self.rest {
            rest.bytes.extend_from_slice(bytes);
            while rest.bytes.len() > WINDOW {
                rest.window(WINDOW, false, give);
                rest.advance(WINDOW - OVERLAP);
            }
        }
    }

    /// Inside a string: up to its end or that of the chunk.
    fn in_string(&mut self, chunk: &[u8], at: usize, offset: u64, give: &mut dyn FnMut(Piece)) -> usize {
        let mut to = at;
        if std::mem::take(&mut self.escaped) {
            to += 1;
        }
        let mut ended = false;
        while to < chunk.len() {
            match memchr::memchr2(b'"', b'\\', &chunk[to..]) {
                Some(n) if chunk[to + n] == b'"' => {
                    to += n;
                    ended = true;
                    break;
                }
                Some(n) if to + n + 1 < chunk.len() => to += n + 2,
                Some(_) => {
                    self.escaped = true;
                    to = chunk.len();
                }
                None => to = chunk.len(),
            }
        }
        let bytes = &chunk[at..to];
        match &mut self.long {
            Some(long) => long.bytes.extend_from_slice(bytes),
            None => {
                if self.string.len() < 64 && self.list == List::Around {
                    self.string.extend_from_slice(&bytes[..bytes.len().min(64)]);
                }
                let begin = self.begin;
                let held = self.held();
                held.push(bytes, offset + at as u64);
                if held.bytes.len() - begin > LONG {
                    let string = held.bytes.split_off(begin);
                    // It stands in the file as one: its offset follows from where its last byte stands.
                    let offset = offset + to as u64 - string.len() as u64;
                    held.pieces.retain(|p| p.0 <= begin);
                    self.long = Some(Long::new(string, offset));
                }
            }
        }
        while self.long.as_ref().is_some_and(|l| l.bytes.len() >= WINDOW) {
            self.window(false, give);
        }
        if ended {
            if self.long.is_some() {
                self.window(true, give);
                self.long = None;
            }
            self.held().push(b"\"", offset + to as u64);
            self.in_string = false;
            to += 1;
        }
        to
    }

    fn window(&mut self, last: bool, give: &mut dyn FnMut(Piece)) {
        let Some(mut long) = self.long.take() else {
            return;
        };
        let length = if last {
            long.bytes.len()
        } else {
            whole_escapes(&long.bytes, WINDOW.min(long.bytes.len()))
        };
        let own = long.own(length, last);
        let (bytes, offset, skipped) = (&long.bytes[..length], long.offset, long.skipped);
        let list = self.list;
        let held = self.held();
        give(Piece::Window {
            list,
            before: &held.bytes,
            pieces: &held.pieces,
            bytes,
            offset,
            own,
            skipped,
            head: &long.head,
        });
        if !last {
            long.advance(whole_escapes(&long.bytes, length - OVERLAP));
        }
        self.long = Some(long);
    }

    /// Outside of strings: up to the next string, the end of an element or that of the chunk.
    fn structure(&mut self, chunk: &[u8], at: usize, offset: u64, give: &mut dyn FnMut(Piece)) -> usize {
        let mut to = at;
        while to < chunk.len() {
            let byte = chunk[to];
            to += 1;
            self.syntax.follow(
                byte,
                self.stack.last() == Some(&b'{'),
                self.stack.len() - self.depth.min(self.stack.len()),
            );
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' if self.between() => {
                    self.keep(&chunk[at..to - 1], offset + at as u64);
                    return to;
                }
                b'"' => {
                    self.keep(&chunk[at..to], offset + at as u64);
                    self.in_string = true;
                    self.string.clear();
                    self.begin = self.held().bytes.len();
                    return to;
                }
                b':' if self.stack.len() <= 2 => {
                    if let Some(key) = self.keys.get_mut(self.stack.len().wrapping_sub(1)) {
                        key.clone_from(&self.string);
                    }
                }
                b'{' | b'[' => {
                    if self.stack.len() >= MAX_DEPTH {
                        self.problem = Some("is nested deeper than any HAR");
                        self.keep(&chunk[at..to], offset + at as u64);
                        return to;
                    }
                    if byte == b'{' && self.stack.len() == self.depth && self.list == List::Around {
                        let list = self.list_at_hand();
                        if list != List::Around {
                            self.keep(&chunk[at..to - 1], offset + at as u64);
                            self.list = list;
                            self.syntax = Syntax::default();
                            self.stack.push(byte);
                            self.element.push(b"{", offset + to as u64 - 1);
                            return to;
                        }
                    }
                    self.stack.push(byte);
                }
                b'}' | b']' => {
                    let open = self.stack.pop();
                    if open != Some(if byte == b'}' { b'{' } else { b'[' }) {
                        self.problem = Some("is broken: brackets do not match");
                        self.keep(&chunk[at..to], offset + at as u64);
                        return to;
                    }
                    if self.stack.len() == self.depth && self.list != List::Around {
                        self.keep(&chunk[at..to], offset + at as u64);
                        self.entries += u64::from(self.list == List::Entries);
                        self.give_element(false, give);
                        self.list = List::Around;
                        self.ended = self.depth == 0;
                        return to;
                    }
                    if self.stack.is_empty() {
                        self.keep(&chunk[at..to], offset + at as u64);
                        self.ended = true;
                        return to;
                    }
                }
                b',' if self.is_enough(to - at) => {
                    self.keep(&chunk[at..to], offset + at as u64);
                    match self.list {
                        List::Around => self.give_around(give),
                        _ => self.give_element(true, give),
                    }
                    return to;
                }
                _ => {}
            }
        }
        self.keep(&chunk[at..], offset + at as u64);
        if self.held().bytes.len() > 2 * MAX_HELD {
            self.problem = Some("is broken: nothing parts what is in it");
        }
        to
    }

    /// Whether an element, of which `more` bytes are not held yet, is long enough to be cut here.
    fn is_enough(&mut self, more: usize) -> bool {
        let list = self.stack.last() == Some(&b'[');
        self.held().bytes.len() + more >= if list { MAX_ENTRY } else { MAX_HELD }
    }

    /// Whether what parts the elements of a list stands here: it is not held, for it would be all that is left of
    /// many.
    fn between(&self) -> bool {
        self.list == List::Around && self.depth > 0 && self.stack.len() == self.depth
    }

    fn keep(&mut self, bytes: &[u8], offset: u64) {
        if !bytes.is_empty() {
            self.held().push(bytes, offset);
        }
    }

    fn list_at_hand(&self) -> List {
        if self.depth == 0 {
            return List::Entries;
        }
        if self.stack != *b"{{[" || self.keys[0] != *b"log" {
            return List::Around;
        }
        match self.keys[1].as_slice() {
            b"entries" => List::Entries,
            b"pages" => List::Pages,
            _ => List::Around,
        }
    }

    fn give_element(&mut self, cut: bool, give: &mut dyn FnMut(Piece)) {
        give(Piece::Unit {
            list: self.list,
            bytes: &self.element.bytes,
            pieces: &self.element.pieces,
            cut,
            sound: self.syntax.sound,
        });
        self.element.clear();
    }

    fn give_around(&mut self, give: &mut dyn FnMut(Piece)) {
        if !self.around.bytes.is_empty() {
            give(Piece::Unit {
                list: List::Around,
                bytes: &self.around.bytes,
                pieces: &self.around.pieces,
                cut: true,
                sound: true,
            });
        }
        self.around.clear();
    }

    /// Gives what is left; says what is wrong where the document did not end.
    pub fn finish(&mut self, give: &mut dyn FnMut(Piece)) {
        if !self.begun {
            return;
        }
        if self.problem.is_none() && !self.stack.is_empty() {
            self.problem = Some("is cut off");
        }
        self.flush(give);
        if let Some(rest) = &self.rest {
            rest.window(rest.bytes.len(), true, give);
        }
    }

    /// Whether what was read last is no JSON, but text.
    pub fn is_text(&self) -> bool {
        self.rest.is_some()
    }

    /// Gives what is held.
    fn flush(&mut self, give: &mut dyn FnMut(Piece)) {
        if self.long.is_some() {
            self.window(true, give);
            self.long = None;
        }
        if !self.element.bytes.is_empty() {
            self.syntax.sound &= self.problem.is_none();
            self.give_element(true, give);
        }
        self.give_around(give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Cut = (List, Vec<u8>, bool);

    fn pieces(json: &[u8], chunk: usize) -> (Vec<Cut>, Option<&'static str>) {
        let mut splitter = Splitter::default();
        let mut out = Vec::new();
        let mut take = |piece: Piece| match piece {
            Piece::Unit {
                list,
                bytes,
                cut,
                pieces,
                ..
            } => {
                for (n, &(here, there)) in pieces.iter().enumerate() {
                    let end = pieces.get(n + 1).map_or(bytes.len(), |p| p.0);
                    assert_eq!(
                        &bytes[here..end],
                        &json[there as usize..there as usize + end - here]
                    );
                }
                out.push((list, bytes.to_vec(), cut));
            }
            Piece::Window { bytes, offset, .. } | Piece::Rest { bytes, offset, .. } => {
                if matches!(piece, Piece::Rest { .. }) {
                    out.push((List::Around, bytes.to_vec(), true));
                }
                assert_eq!(bytes, &json[offset as usize..offset as usize + bytes.len()]);
            }
        };
        let mut at = 0;
        for c in json.chunks(chunk) {
            splitter.feed(c, at, &mut take);
            at += c.len() as u64;
        }
        splitter.finish(&mut take);
        (out, splitter.problem)
    }

    const HAR: &str = r#"cb({"log" : {"version":"1.2","pages":[{"title":"a}"}], "entries":[
        {"request":{"url":"https://h/?a=\"{[\\"}},
        {"x":[1,{"y":null}]} ],"comment":"c"}});"#;

    #[test]
    fn elements_are_cut_out_whatever_the_chunks() {
        let whole = pieces(HAR.as_bytes(), 1 << 20);
        let lists: Vec<List> = whole.0.iter().map(|p| p.0).collect();
        assert_eq!(lists, [List::Pages, List::Entries, List::Entries, List::Around]);
        assert_eq!(whole.0[2].1, br#"{"x":[1,{"y":null}]}"#);
        assert_eq!(whole.1, None);
        for chunk in 1..40 {
            assert_eq!(pieces(HAR.as_bytes(), chunk), whole, "{chunk}");
        }
    }

    #[test]
    fn what_follows_a_document_is_another_or_text() {
        for (more, entries, problem) in [
            ("\n\u{FEFF}{\"log\":{\"entries\":[{\"c\":3}]}}\n", 3, None),
            (" {\"log\":{\"entries\":[{\"c\":3}", 3, Some("is cut off")),
            (
                "garbage token=T {\"log\"",
                2,
                Some("has other text behind its end"),
            ),
        ] {
            let json = format!("{HAR}{more}");
            let whole = pieces(json.as_bytes(), 1 << 20);
            let units = whole.0.iter().filter(|p| p.0 == List::Entries).count();
            assert_eq!((units, whole.1), (entries, problem), "{more}");
            if entries == 2 {
                assert_eq!(whole.0.last().unwrap().1, more.as_bytes());
            }
            for chunk in 1..40 {
                assert_eq!(pieces(json.as_bytes(), chunk), whole, "{chunk} {more}");
            }
        }
        let broken = r#"{"log":{"entries":[{"a":1],"b":"token=T"}]}}"#;
        let (out, problem) = pieces(broken.as_bytes(), 1 << 20);
        assert!(problem.unwrap().contains("brackets"));
        assert_eq!(out.last().unwrap().1, br#","b":"token=T"}]}}"#);
    }

    #[test]
    fn what_stands_before_is_the_same_whatever_the_chunks() {
        let json = b"\xEF\xBB\xBF\n          call  \n     (     {\"log\":{\"entries\":[]}})";
        let whole = pieces(json, usize::MAX);
        for chunk in 1..12 {
            assert_eq!(pieces(json, chunk), whole, "{chunk}");
        }
    }

    #[test]
    fn what_is_cut_off_is_given_and_said() {
        let cut = &HAR.as_bytes()[..HAR.find("https").unwrap() + 9];
        let (out, problem) = pieces(cut, 7);
        assert_eq!(problem, Some("is cut off"));
        assert!(
            out.iter()
                .any(|p| p.0 == List::Entries && p.1.ends_with(b"https://h") && p.2)
        );
    }

    #[test]
    fn long_strings_come_in_windows_that_own_all_of_them() {
        let body: String = (0..400_000)
            .map(|i| ["ab\\n", "\\u00e9", "xy\\/"][i % 3])
            .collect();
        let json = format!(r#"{{"log":{{"entries":[{{"text":"{body}","more":"z"}}]}}}}"#);
        for chunk in [1 << 16, 1000, 1 << 24] {
            let mut splitter = Splitter::default();
            let mut owned: Vec<Range<u64>> = Vec::new();
            let mut units = Vec::new();
            let mut take = |piece: Piece| match piece {
                Piece::Window {
                    before,
                    bytes,
                    offset,
                    own,
                    ..
                } => {
                    assert_eq!(before, br#"{"text":""#);
                    assert!(
                        own.start.max(offset) >= offset
                            && own.end.min(offset + bytes.len() as u64) > own.start
                    );
                    owned.push(own);
                }
                Piece::Unit { bytes, list, .. } => units.push((list, bytes.to_vec())),
                Piece::Rest { .. } => panic!(),
            };
            for (n, c) in json.as_bytes().chunks(chunk).enumerate() {
                splitter.feed(c, (n * chunk) as u64, &mut take);
            }
            splitter.finish(&mut take);
            let first = json.find("ab\\n").unwrap() as u64;
            assert_eq!(owned.first().unwrap().start, first);
            assert_eq!(owned.last().unwrap().end, u64::MAX);
            assert!(owned.windows(2).all(|w| w[0].end == w[1].start), "{owned:?}");
            assert_eq!(units[0], (List::Entries, br#"{"text":"","more":"z"}"#.to_vec()));
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_chunks_do_not_matter(json in "[{}\\[\\]\",:\\\\loge a]{0,80}", chunk in 1usize..20) {
            let json = format!("{{\"log\":{{\"entries\":[{json}");
            let (a, b) = (pieces(json.as_bytes(), chunk), pieces(json.as_bytes(), 1 << 20));
            prop_assert_eq!(a, b);
        }
    }
}
