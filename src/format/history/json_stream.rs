//! JSON read as it streams by: an object is given when it closes, with those of its members that somebody asked
//! for, as they stand in the source. Files of hundreds of megabytes are never held; what is held is bounded in
//! depth and in bytes.

use std::io::{self, Read};

/// Containers deeper than this end the reading.
const MAX_DEPTH: usize = 512;

/// Longest member that is kept, in bytes.
const MAX_VALUE: usize = super::row::MAX_PIECE;

/// Bytes of members that are kept at one time, of all objects that are open.
const MAX_HELD: usize = 8 << 20;

/// Longest key that is looked at, in bytes.
const MAX_KEY: usize = 64;

const BUFFER: usize = 64 << 10;

/// A member as it stands in the source: of a string what is between the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<R> {
    /// What the asker calls it.
    pub role: R,
    /// Its bytes, escapes and all.
    pub raw: Vec<u8>,
    /// Where they stand in the source.
    pub offset: u64,
    /// Whether it is a string; else a number or literal.
    pub string: bool,
}

/// How the reading ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// At the end of a whole document.
    Whole,
    /// In the middle of one.
    CutOff,
    /// At this byte, where brackets do not match.
    Malformed(u64),
    /// At this byte, nested too deeply.
    TooDeep(u64),
}

/// What came of the reading.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Members that were too long to be kept whole.
    pub cut: u64,
    /// What reading the input met.
    pub error: Option<io::Error>,
}

/// Reads `input` to its end. `wanted` tells from a key whether its member is kept, and as what; `object` gets the
/// kept members of each object that closes and has some, inner objects before outer ones. Where the input
/// breaks off, what is open is given too.
pub fn read<R: Copy>(
    input: &mut dyn Read,
    wanted: &dyn Fn(&[u8]) -> Option<R>,
    object: &mut dyn FnMut(&[Member<R>]),
) -> Outcome {
    let mut walker = Walker {
        wanted,
        stack: Vec::new(),
        state: State::Between,
        at: 0,
        held: 0,
        cut: 0,
        scratch: Vec::new(),
        cut_off: false,
        start: 0,
    };
    let mut buffer = vec![0; BUFFER];
    let (mut end, mut error) = (None, None);
    while end.is_none() {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => end = walker.feed(&buffer[..n], object).err(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    let end = end.unwrap_or(match walker.stack.is_empty() && !walker.in_string() {
        true => End::Whole,
        false => End::CutOff,
    });
    if end != End::Whole {
        walker.finish_scalar();
        while let Some(frame) = walker.stack.pop() {
            give(&frame, object);
        }
    }
    Outcome {
        end,
        cut: walker.cut,
        error,
    }
}

fn give<R>(frame: &Frame<R>, object: &mut dyn FnMut(&[Member<R>])) {
    if !frame.members.is_empty() {
        object(&frame.members);
    }
}

struct Frame<R> {
    object: bool,
    /// Whether a key comes next.
    key_next: bool,
    /// What the last key asks for.
    role: Option<R>,
    members: Vec<Member<R>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    /// In a string; whether it is a key, whether it is kept, whether the last byte was a backslash.
    String {
        key: bool,
        keep: bool,
        escaped: bool,
    },
    /// In a number or literal that is kept.
    Scalar,
}

struct Walker<'w, R> {
    wanted: &'w dyn Fn(&[u8]) -> Option<R>,
    stack: Vec<Frame<R>>,
    state: State,
    /// Bytes before the chunk at hand.
    at: u64,
    held: usize,
    cut: u64,
    /// The string or scalar at hand, as far as it is kept.
    scratch: Vec<u8>,
    /// Whether it was cut.
    cut_off: bool,
    start: u64,
}

impl<R: Copy> Walker<'_, R> {
    fn in_string(&self) -> bool {
        matches!(self.state, State::String { .. })
    }

    fn feed(&mut self, chunk: &[u8], object: &mut dyn FnMut(&[Member<R>])) -> Result<(), End> {
        let mut i = 0;
        while i < chunk.len() {
            match self.state {
                State::String { key, keep, escaped } => {
                    let rest = &chunk[i..];
                    let (used, next) = if escaped {
                        let escaped = false;
                        (1, Some(State::String { key, keep, escaped }))
                    } else {
                        match memchr::memchr2(b'"', b'\\', rest) {
                            None => (rest.len(), Some(self.state)),
                            Some(n) if rest[n] == b'"' => (n, None),
                            Some(n) => {
                                let escaped = true;
                                (n + 1, Some(State::String { key, keep, escaped }))
                            }
                        }
                    };
                    if keep {
                        self.keep(&rest[..used], key);
                    }
                    i += used;
                    match next {
                        Some(state) => self.state = state,
                        None => {
                            i += 1;
                            self.string_ends(key, keep);
                        }
                    }
                }
                State::Scalar => {
                    let rest = &chunk[i..];
                    let end = rest
                        .iter()
                        .position(|b| b.is_ascii_whitespace() || b",]}[{\":".contains(b));
                    let used = end.unwrap_or(rest.len());
                    self.keep(&rest[..used], false);
                    i += used;
                    if end.is_some() {
                        self.finish_scalar();
                    }
                }
                State::Between => {
                    self.between(chunk[i], self.at + i as u64, object)?;
                    i += 1;
                }
            }
        }
        self.at += chunk.len() as u64;
        Ok(())
    }

    /// One byte outside of strings and kept scalars.
    fn between(&mut self, b: u8, at: u64, object: &mut dyn FnMut(&[Member<R>])) -> Result<(), End> {
        match b {
            b'{' | b'[' => {
                if self.stack.len() >= MAX_DEPTH {
                    return Err(End::TooDeep(at));
                }
                if let Some(frame) = self.stack.last_mut() {
                    frame.role = frame.role.filter(|_| !frame.object);
                }
                self.stack.push(Frame {
                    object: b == b'{',
                    key_next: b == b'{',
                    role: None,
                    members: Vec::new(),
                });
            }
            b'}' | b']' => {
                let frame = self.stack.pop().filter(|f| f.object == (b == b'}'));
                let frame = frame.ok_or(End::Malformed(at))?;
                self.held -= frame.members.iter().map(|m| m.raw.len()).sum::<usize>();
                give(&frame, object);
            }
            b',' => {
                if let Some(frame) = self.stack.last_mut() {
                    frame.key_next = frame.object;
                    frame.role = None;
                }
            }
            b'"' => {
                let frame = self.stack.last();
                let key = frame.is_some_and(|f| f.key_next);
                let keep = key || frame.is_some_and(|f| f.role.is_some());
                self.begin(at + 1);
                let escaped = false;
                self.state = State::String { key, keep, escaped };
            }
            b if (b.is_ascii_alphanumeric() || b == b'-')
                && self.stack.last().is_some_and(|f| f.role.is_some()) =>
            {
                self.begin(at);
                self.scratch.push(b);
                self.state = State::Scalar;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, start: u64) {
        self.scratch.clear();
        self.cut_off = false;
        self.start = start;
    }

    /// Keeps what there is room for; a value that is cut is counted once.
    fn keep(&mut self, bytes: &[u8], key: bool) {
        let limit = match key {
            true => MAX_KEY + 1,
            false => MAX_VALUE.min(MAX_HELD.saturating_sub(self.held)),
        };
        let room = limit.saturating_sub(self.scratch.len());
        if bytes.len() > room && !key && !self.cut_off {
            self.cut_off = true;
            self.cut += 1;
        }
        self.scratch.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn string_ends(&mut self, key: bool, keep: bool) {
        self.state = State::Between;
        if !keep {
            return;
        }
        if !key {
            return self.take(true);
        }
        let role = match self.scratch.len() {
            0..=MAX_KEY => (self.wanted)(&crate::text::Coding::Json.decode(&self.scratch)),
            _ => None,
        };
        if let Some(frame) = self.stack.last_mut() {
            frame.role = role;
            frame.key_next = false;
        }
    }

    fn finish_scalar(&mut self) {
        match self.state {
            State::Scalar => self.take(false),
            State::String {
                key: false,
                keep: true,
                ..
            } => self.take(true),
            _ => {}
        }
        self.state = State::Between;
    }

    /// The scratch becomes a member of the innermost object.
    fn take(&mut self, string: bool) {
        self.state = State::Between;
        let Some(frame) = self.stack.last_mut() else {
            return;
        };
        if let Some(role) = frame.role.take() {
            self.held += self.scratch.len();
            frame.members.push(Member {
                role,
                raw: std::mem::take(&mut self.scratch),
                offset: self.start,
                string,
            });
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes in pieces of the lengths told, over and over.
    pub struct Pieces<'a> {
        pub rest: &'a [u8],
        pub lengths: &'a [usize],
        pub turn: usize,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let length = self.lengths[self.turn % self.lengths.len()];
            self.turn += 1;
            let n = length.min(buf.len()).min(self.rest.len());
            buf[..n].copy_from_slice(&self.rest[..n]);
            self.rest = &self.rest[n..];
            Ok(n)
        }
    }

    type Objects = Vec<Vec<Member<char>>>;

    fn wanted(key: &[u8]) -> Option<char> {
        match key {
            b"url" => Some('u'),
            b"n" => Some('n'),
            _ => None,
        }
    }

    fn run(input: &mut dyn Read) -> (Objects, End) {
        let mut out = Vec::new();
        let outcome = read(input, &wanted, &mut |m| out.push(m.to_vec()));
        (out, outcome.end)
    }

    #[test]
    fn objects_come_with_what_was_asked_for() {
        let text =
            br#"{"a":[{"url":"x\"y","n":12},{"url":{"url":"in"},"n":true}],"u\u0072l":"last","z":["url"]}"#;
        let (objects, end) = run(&mut &text[..]);
        assert_eq!(end, End::Whole);
        let shown: Vec<Vec<_>> = objects
            .iter()
            .map(|o| {
                o.iter()
                    .map(|m| (m.role, std::str::from_utf8(&m.raw).unwrap()))
                    .collect()
            })
            .collect();
        assert_eq!(
            shown,
            [
                vec![('u', r#"x\"y"#), ('n', "12")],
                vec![('u', "in")],
                vec![('n', "true")],
                vec![('u', "last")]
            ]
        );
        for m in objects.iter().flatten() {
            let at = m.offset as usize;
            assert_eq!(&text[at..at + m.raw.len()], m.raw);
        }
    }

    #[test]
    fn what_breaks_off_gives_what_was_read() {
        for (text, end) in [
            (r#"[{"url":"x"},{"url":"y","n":7"#, End::CutOff),
            (r#"[{"url":"x"},{"n":7,"url":"y"#, End::CutOff),
            (r#"[{"url":"x"},{"n":7,"url":"y"]"#, End::Malformed(29)),
        ] {
            let (objects, got) = run(&mut text.as_bytes());
            assert_eq!(got, end, "{text}");
            let expected = if end == End::CutOff { 2 } else { 1 };
            assert_eq!(objects.len(), expected, "{text}");
        }
        let deep = "[".repeat(MAX_DEPTH + 1);
        assert_eq!(run(&mut deep.as_bytes()).1, End::TooDeep(MAX_DEPTH as u64));
        let wide = "[{\"url\":\"x\"},".repeat(MAX_DEPTH * 2);
        assert_eq!(run(&mut wide.as_bytes()).0.len(), MAX_DEPTH - 1);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let long = "x".repeat(MAX_VALUE + 5);
        let text = format!("{{\"url\":\"{long}\"}}");
        let mut kept = 0;
        let outcome = read(&mut text.as_bytes(), &wanted, &mut |m| kept = m[0].raw.len());
        assert_eq!((kept, outcome.cut, outcome.end), (MAX_VALUE, 1, End::Whole));
        let open = format!("{{\"url\":\"{long}\",\"n\":").repeat(40);
        let mut kept = 0;
        let outcome = read(&mut open.as_bytes(), &wanted, &mut |m| kept += m[0].raw.len());
        assert!(kept <= MAX_HELD && outcome.cut > 30, "{kept} {}", outcome.cut);
    }

    proptest! {
        /// However the input comes in pieces, the objects are the same.
        #[test]
        fn cuts_do_not_show(
            tokens in prop::collection::vec(prop_oneof![
                Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"url\""), Just("\"n\""),
                Just("\"a\\\"b\\\\\""), Just("\""), Just("12"), Just("null"), Just(" "), Just("\"\\u0075rl\":"),
                Just("{\"url\":\"x\",\"n\":1}"),
            ], 0..40),
            lengths in prop::collection::vec(1usize..7, 1..5),
        ) {
            let text = tokens.concat();
            let whole = run(&mut text.as_bytes());
            let pieces = run(&mut Pieces { rest: text.as_bytes(), lengths: &lengths, turn: 0 });
            prop_assert_eq!(&whole, &pieces);
            for m in whole.0.iter().flatten() {
                let at = m.offset as usize;
                prop_assert_eq!(&text.as_bytes()[at..at + m.raw.len()], &m.raw[..]);
            }
        }
    }
}
