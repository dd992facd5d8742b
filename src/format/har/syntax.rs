//! Whether what streams by is JSON, told by what follows what; nothing is held.

/// Containers deeper than this are read as text.
const MAX_NESTED: usize = 512;

/// What stood last, outside of strings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// `{` or `[`, or nothing.
    Open,
    Comma,
    /// A string that is a key.
    Key,
    Colon,
    /// A number or literal that may go on.
    Word,
    /// What is complete.
    Value,
}

/// What is known of an element so far.
#[derive(Clone, Copy)]
pub(super) struct Syntax {
    last: Last,
    /// Whether it is JSON.
    pub sound: bool,
}

impl Default for Syntax {
    fn default() -> Self {
        Syntax {
            last: Last::Open,
            sound: true,
        }
    }
}

impl Syntax {
    /// Takes the next byte outside of strings or the quote that begins one; `object`: whether the innermost container is
    /// an object, `depth`: how many are open.
    pub fn follow(&mut self, byte: u8, object: bool, depth: usize) {
        let value = match self.last {
            Last::Open | Last::Comma => !object,
            Last::Colon => true,
            _ => false,
        };
        let ends = matches!(self.last, Last::Value | Last::Word);
        let (fits, last) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' if self.last == Last::Word => (true, Last::Value),
            b' ' | b'\t' | b'\r' | b'\n' => return,
            b'"' if object && matches!(self.last, Last::Open | Last::Comma) => (true, Last::Key),
            b'"' => (value, Last::Value),
            b'{' | b'[' => (value && depth < MAX_NESTED, Last::Open),
            b'}' | b']' => (ends || self.last == Last::Open, Last::Value),
            b',' => (ends, Last::Comma),
            b':' => (self.last == Last::Key, Last::Colon),
            _ => (value || self.last == Last::Word, Last::Word),
        };
        self.sound &= fits;
        self.last = last;
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::{Piece, Splitter};

    #[test]
    fn whether_an_entry_is_json_is_told() {
        for (entry, expected) in [
            (
                r#"{"a":[1,-2.5e3,true,{"b":null},"x",{},[]],"c":{"d":"e"}}"#,
                true,
            ),
            (r#"{ "a" : [ 1 , 2 ] , "b" : false }"#, true),
            (r#"{"a":1 2}"#, false),
            (r#"{"a" "b"}"#, false),
            (r#"{"a":"b" "c":"d"}"#, false),
            (r#"{"a":"b",}"#, false),
            (r#"{"a","b"}"#, false),
            (r#"{a:1}"#, false),
            (r#"{"a":}"#, false),
            (r#"{"a":[1,]}"#, false),
            (r#"{"a":["b":1]}"#, false),
        ] {
            let mut splitter = Splitter::single();
            let mut seen = Vec::new();
            splitter.feed(entry.as_bytes(), 0, &mut |p| {
                if let Piece::Unit { sound, .. } = p {
                    seen.push(sound);
                }
            });
            assert_eq!(seen, [expected], "{entry}");
            let root = crate::text::Base::Source { offset: 0 };
            let text = crate::text::Text::new(entry.as_bytes(), &root);
            assert_eq!(crate::text::json::read(text).unwrap().whole, expected, "{entry}");
        }
    }
}
