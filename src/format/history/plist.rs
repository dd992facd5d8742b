//! Property lists of Safari and macOS: `Bookmarks.plist`, `History.plist`, `LastSession.plist`, `.webloc`. They
//! are binary or XML; both come to the same dictionaries.

use super::bplist;
use super::epoch::Epoch;
use super::row::{MAX_PIECE, Role, Row};
use super::tags::{self, Event, Held};
use crate::finding::Position;
use crate::format::Catalogue;
use crate::format::document::{Read, Visit};
use crate::text::Coding;
use crate::time::Instant;

/// Deepest nesting that is followed.
pub const MAX_DEPTH: usize = 512;

/// Bytes of one record that are kept.
const MAX_RECORD: usize = 8 << 20;

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// An address, and the format that has it there.
    Url(&'static str),
    Piece(Role),
    Time,
}

fn meaning(key: &[u8]) -> Option<Meaning> {
    Some(match key {
        b"URLString" => Meaning::Url("safari-bookmarks"),
        b"" | b"TabURL" | b"DownloadEntryURL" => Meaning::Url("safari-history"),
        b"URL" => Meaning::Url("webloc"),
        b"redirectURLs" => Meaning::Piece(Role::Location),
        b"imageURL" => Meaning::Piece(Role::Url),
        b"title" | b"displayTitle" | b"Title" | b"TabTitle" => Meaning::Piece(Role::Title),
        b"PreviewText" => Meaning::Piece(Role::Text),
        b"lastVisitedDate" | b"DateAdded" | b"DownloadEntryDateAddedKey" => Meaning::Time,
        _ => return None,
    })
}

#[derive(Default)]
struct Frame {
    dictionary: bool,
    key: Option<Meaning>,
    url: Option<&'static str>,
    instant: Option<Instant>,
    pieces: Vec<(Role, Vec<u8>, Option<u64>)>,
}

/// Called with each record: its number, the index of its format, what is in it.
pub type Each<'v> = dyn FnMut(u64, u16, &Row) + 'v;

/// Puts records together while a property list goes by.
pub struct Builder<'b, 'v> {
    catalogue: &'b Catalogue,
    each: &'b mut Each<'v>,
    stack: Vec<Frame>,
    row: Row,
    held: usize,
    records: u64,
    cut: u64,
    /// Whether something was nested too deeply to be followed.
    pub too_deep: bool,
    /// Format of the first record.
    format: Option<u16>,
}

impl<'b, 'v> Builder<'b, 'v> {
    fn new(catalogue: &'b Catalogue, each: &'b mut Each<'v>) -> Self {
        Builder {
            catalogue,
            each,
            stack: Vec::new(),
            row: Row::default(),
            held: 0,
            records: 0,
            cut: 0,
            too_deep: false,
            format: None,
        }
    }

    /// A dictionary or an array begins.
    pub fn begin(&mut self, dictionary: bool) {
        if self.stack.len() >= MAX_DEPTH {
            self.too_deep = true;
        }
        // What stands in an array is what the array's key says.
        let outer = self.stack.last().and_then(|f| f.key);
        self.stack.push(Frame {
            dictionary,
            key: outer.filter(|_| !dictionary),
            ..Frame::default()
        });
    }

    /// It ends.
    pub fn end(&mut self) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        if let Some(id) = frame.url {
            return self.give(id, frame);
        }
        match self.stack.last_mut() {
            // `URIDictionary` has the title of the bookmark around it, `redirectURLs` is an array.
            Some(outer) if outer.dictionary && self.held < MAX_RECORD => {
                outer.instant = outer.instant.or(frame.instant);
                outer.pieces.extend(frame.pieces);
            }
            _ => self.held -= frame.pieces.iter().map(|p| p.1.len()).sum::<usize>(),
        }
    }

    fn give(&mut self, id: &'static str, frame: Frame) {
        self.row.clear();
        for (role, bytes, offset) in &frame.pieces {
            match offset {
                Some(offset) => self.row.push_raw(*role, bytes, *offset, Some(Coding::Html)),
                None => self.row.push(*role, bytes),
            }
            self.held -= bytes.len();
        }
        self.row.instant = frame.instant;
        let format = self.catalogue.index(id).unwrap_or_default();
        self.format = self.format.or(Some(format));
        (self.each)(self.records, format, &self.row);
        self.records += 1;
    }

    /// A key of the dictionary at hand.
    pub fn key(&mut self, key: &[u8]) {
        if let Some(frame) = self.stack.last_mut() {
            frame.key = meaning(key);
        }
    }

    /// Whether the string that comes next is looked at.
    pub fn wants(&self) -> bool {
        self.stack.last().is_some_and(|f| f.key.is_some())
    }

    /// A string, and where it stands, if it has a way back (through XML's references).
    pub fn string(&mut self, bytes: &[u8], offset: Option<u64>) {
        let Some(frame) = self.stack.last_mut() else {
            return;
        };
        let role = match frame.key {
            Some(Meaning::Url(id)) if !bytes.is_empty() => {
                frame.url = frame.url.or(Some(id));
                Role::Url
            }
            Some(Meaning::Piece(role)) => role,
            Some(Meaning::Time) => {
                frame.instant = frame.instant.or(Epoch::Cocoa.text(bytes));
                return;
            }
            _ => return,
        };
        let room = MAX_PIECE.min(MAX_RECORD.saturating_sub(self.held));
        self.cut += u64::from(bytes.len() > room);
        let kept = &bytes[..bytes.len().min(room)];
        self.held += kept.len();
        frame.pieces.push((role, kept.to_vec(), offset));
    }

    /// A date.
    pub fn date(&mut self, at: Option<Instant>) {
        if let Some(frame) = self.stack.last_mut()
            && frame.key == Some(Meaning::Time)
        {
            frame.instant = frame.instant.or(at);
        }
    }

    fn finish(mut self, problem: Option<String>, whole: bool) -> (Option<u16>, Read) {
        // A list that breaks off gives what it has.
        while !self.stack.is_empty() {
            self.end();
        }
        let deep = self
            .too_deep
            .then(|| format!("is nested more than {MAX_DEPTH} deep; what is deeper was not read"));
        let cut =
            (self.cut > 0).then(|| format!("{} values were read in part only, for their length", self.cut));
        let open = (!whole)
            .then(|| "the property list breaks off; what stands before was read: copy it again".into());
        let read = Read {
            records: self.records,
            problem: problem.or(open).or(deep).or(cut),
        };
        (self.format, read)
    }
}

/// Reads a binary property list; gives the format of its first record, too.
pub fn binary(
    input: &mut dyn std::io::Read,
    catalogue: &Catalogue,
    visit: &mut Visit,
) -> (Option<u16>, Read) {
    rows(input, catalogue, &mut |number, format, row| {
        row.give(Position::Entry(number), format, visit);
    })
}

/// The same, giving each record as it stands.
pub fn rows(input: &mut dyn std::io::Read, catalogue: &Catalogue, each: &mut Each) -> (Option<u16>, Read) {
    let mut builder = Builder::new(catalogue, each);
    let problem = bplist::read(input, &mut builder).err();
    builder.finish(problem, true)
}

/// Reads an XML property list; gives the format of its first record, too.
pub fn xml(input: &mut dyn std::io::Read, catalogue: &Catalogue, visit: &mut Visit) -> (Option<u16>, Read) {
    let mut each = |number, format, row: &Row| row.give(Position::Entry(number), format, visit);
    let mut builder = Builder::new(catalogue, &mut each);
    let mut text = Held::default();
    let mut ended = false;
    let outcome = tags::read(input, &|_| false, &mut |event| {
        if builder.too_deep {
            return;
        }
        match event {
            Event::Open(name, _, empty) => {
                text.raw.clear();
                match name {
                    b"dict" | b"array" => {
                        builder.begin(name == b"dict");
                        if empty {
                            builder.end();
                        }
                    }
                    b"key" if empty => builder.key(b""),
                    _ => {}
                }
            }
            Event::Text(held) => text = held.clone(),
            Event::Close(name) => {
                match name {
                    b"dict" | b"array" => builder.end(),
                    b"key" => builder.key(&Coding::Html.decode(&text.raw)),
                    b"string" => builder.string(&text.raw, Some(text.offset)),
                    b"real" | b"integer" => builder.date(Epoch::Cocoa.text(&text.raw)),
                    b"date" => builder.date(date(&text.raw)),
                    b"plist" => ended = true,
                    _ => {}
                }
                text.raw.clear();
            }
        }
    });
    let problem = outcome
        .error
        .map(|e| format!("could not be read to its end ({e}); what stands before was read"));
    builder.finish(problem, ended)
}

fn date(text: &[u8]) -> Option<Instant> {
    let at: jiff::Timestamp = std::str::from_utf8(text).ok()?.trim().parse().ok()?;
    Some(Instant(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::row::tests::{Seen, collect, texts};

    fn scan(text: &str) -> (String, Read, Vec<Seen>) {
        let catalogue = Catalogue::builtin().unwrap();
        let mut out = None;
        let seen = collect(|v| out = Some(xml(&mut text.as_bytes(), &catalogue, v)));
        let (format, read) = out.unwrap();
        (catalogue.get(format.unwrap()).spec.id.clone(), read, seen)
    }

    #[test]
    fn bookmarks_of_safari() {
        let text =
            "<?xml version=\"1.0\"?><!DOCTYPE plist><plist version=\"1.0\"><dict><key>Children</key><array>
            <dict><key>ReadingList</key><dict><key>DateAdded</key><date>2026-01-01T00:00:00Z</date></dict>
            <key>URIDictionary</key><dict><key>title</key><string>T &amp; t</string></dict>
            <key>URLString</key><string>https://h/?a=1&amp;token=x</string><key>imageURL</key><string>https://h/i</string></dict>
            <dict><key>Title</key><string>folder</string><key>Children</key><array/></dict>
            </array></dict></plist>";
        let (format, read, seen) = scan(text);
        assert_eq!(
            (&*format, read.records, read.problem),
            ("safari-bookmarks", 1, None)
        );
        assert_eq!(texts(&seen), ["T & t", "https://h/?a=1&token=x", "https://h/i"]);
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
        let span = &seen[0].2[1].2;
        assert_eq!(
            &text[span.start as usize..span.end as usize],
            "https://h/?a=1&amp;token=x"
        );
    }

    #[test]
    fn history_of_safari_and_webloc() {
        let (format, _, seen) = scan(
            "<plist><dict><key>WebHistoryDates</key><array><dict><key></key><string>https://h/</string>
            <key>title</key><string>T</string><key>lastVisitedDate</key><string>788918400.0</string>
            <key>redirectURLs</key><array><string>https://r1/</string><string>https://r2/</string></array></dict></array></dict></plist>",
        );
        assert_eq!(format, "safari-history");
        assert_eq!(texts(&seen), ["https://h/", "T", "https://r1/", "https://r2/"]);
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
        let (format, read, seen) = scan("<plist><dict><key>URL</key><string>https://h/#x</string></dict");
        assert_eq!(format, "webloc");
        assert_eq!(texts(&seen), ["https://h/#x"]);
        assert!(read.problem.unwrap().contains("breaks off"));
    }
}
