//! HAR captures (HTTP Archive 1.1 to 1.3, <http://www.softwareishard.com/blog/har-12-spec/>): every string of an
//! entry that can carry a credential, with what is known of the request around it. The file is never held; see
//! [`split`].

mod batch;
mod body;
mod entry;
mod jsonp;
mod long;
mod multipart;
mod split;
mod syntax;
mod window;

use super::document::{Read as Outcome, WindowVisit as Visit, Worth};
use crate::finding::Position;
use crate::text::{Base, Text, json};
pub use batch::Batch;
use entry::Carry;
use split::{List, Piece, Splitter};
use std::io::Read;

/// Bytes that are read at once.
const BUFFER: usize = 128 << 10;

/// What stands in a HAR file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A log of entries.
    Log,
    /// One entry or several without a log around them, as tools cut them out: in a list, or one after the other.
    Entry,
}

/// Bytes of a HAR by which it has said that it is one.
const BEGUN: usize = 256;

/// What a source that begins with `head` is: an object, perhaps in a JSONP call, whose member `log` is an object with
/// members that a HAR's log has, or entries; `None` where it is neither. What is called a HAR and breaks off before it
/// says so is one, too.
pub fn sniff(head: &[u8], name: &str) -> Option<Form> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let base = Base::Source { offset: 0 };
    let text = Text::new(&head[jsonp::argument(head)?..], &base);
    let called = head.len() < BEGUN && name.to_ascii_lowercase().ends_with(".har");
    let begun = called && text.bytes().first() == Some(&b'{');
    let Some(doc) = json::read(text) else {
        return begun.then_some(Form::Log);
    };
    if begun && !doc.whole {
        return Some(Form::Log);
    }
    let has = |path: &str| {
        let below = |p: &str| {
            p.strip_prefix(path)
                .is_some_and(|r| r.is_empty() || r.starts_with('.'))
        };
        doc.members.iter().any(|m| below(&m.path))
    };
    let list = text.bytes().first() == Some(&b'[');
    if !list && (has("log.entries") || has("log.pages") || has("log.creator") && has("log.version")) {
        return Some(Form::Log);
    }
    if !(has("startedDateTime") && has("request.url")) {
        return None;
    }
    let rest = text.bytes().get(doc.end..).unwrap_or_default();
    let alone = !list && (!doc.whole || rest.iter().all(u8::is_ascii_whitespace));
    // Where there are several, they have to have what no log of a server calls so.
    let several = has("request.method") && has("request.headers") && (has("response.status") || !doc.whole);
    (alone || several).then_some(Form::Entry)
}

/// Takes a batch of entries to read it elsewhere, or gives it back.
pub type Hand<'h> = dyn FnMut(Batch) -> Option<Batch> + 'h;

/// Reads a HAR to its end, or to where it breaks off. Where there is a `hand`, it is asked for each batch of entries
/// whether somebody else reads it; windows of long strings are read here.
pub fn read(
    form: Form,
    input: &mut dyn Read,
    format: u16,
    worth: &Worth,
    visit: &mut Visit,
    mut hand: Option<&mut Hand>,
) -> Outcome {
    let mut splitter = match form {
        Form::Log => Splitter::default(),
        Form::Entry => Splitter::single(),
    };
    let mut buffer = vec![0; BUFFER];
    let mut offset = 0;
    let mut failed = None;
    let mut entry = 0;
    let mut loose = Loose::default();
    let mut carry = Carry::default();
    let mut batch = Batch::default();
    let mut take = |piece: Piece| {
        let at = entry;
        let mut plain = false;
        if let Piece::Unit {
            list: List::Entries,
            cut: false,
            sound,
            ..
        } = &piece
        {
            entry += 1;
            plain = *sound && carry.is_new();
        }
        // What needs to know of other pieces, or may have to be told of, is read here.
        let mut hand = hand.as_deref_mut();
        if let Some(hand) = &mut hand {
            let added = plain && batch.add(&piece, at);
            if !added || batch.is_full() {
                pass(&mut batch, hand, format, worth, visit);
            }
            if added || plain && batch.add(&piece, at) {
                return;
            }
        }
        if !give(&piece, at, &mut carry, format, worth, visit) {
            loose.add(at);
        }
    };
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                splitter.feed(&buffer[..n], offset, &mut take);
                offset += n as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => {
                failed = Some(format!("could not be read to its end ({e})"));
                break;
            }
        }
    }
    splitter.finish(&mut take);
    if let Some(hand) = &mut hand {
        pass(&mut batch, hand, format, worth, visit);
    }
    let entries = splitter.entries;
    let problem = failed.or(splitter.problem.map(|p| format!("the HAR {p}")));
    let behind = match splitter.is_text() {
        true => "; what stands before was scanned, what follows as text",
        false => "; what stands before was scanned",
    };
    Outcome {
        records: entries,
        problem: match problem {
            Some(p) => Some(format!("{p} after {entries} entries{behind}")),
            None => loose.problem(),
        },
    }
}

/// Entries that are no JSON.
#[derive(Default)]
struct Loose {
    count: u64,
    first: u64,
    last: Option<u64>,
}

impl Loose {
    fn add(&mut self, entry: u64) {
        if self.count == 0 {
            self.first = entry;
        }
        self.count += u64::from(self.last != Some(entry));
        self.last = Some(entry);
    }

    fn problem(&self) -> Option<String> {
        let Loose { count, first, .. } = self;
        (*count > 0).then(|| {
            format!(
                "{count} entries of the HAR are no well-formed JSON, entry {first} the first of them; from where they \
                 break they were scanned as text: record or export it again"
            )
        })
    }
}

/// Hands a batch over, or reads it here.
fn pass(batch: &mut Batch, hand: &mut Hand, format: u16, worth: &Worth, visit: &mut Visit) {
    if batch.is_empty() {
        return;
    }
    if let Some(mine) = hand(std::mem::take(batch)) {
        mine.read(format, worth, visit);
        *batch = mine.emptied();
    }
}

/// Reads a piece; entry `entry` is the one at hand, of which `carry` knows what stood in earlier pieces. False where
/// it is no JSON.
fn give(piece: &Piece, entry: u64, carry: &mut Carry, format: u16, worth: &Worth, visit: &mut Visit) -> bool {
    let at = Position::Entry(entry);
    match piece {
        Piece::Unit {
            list,
            bytes,
            pieces,
            cut,
            ..
        } => {
            let base = Base::Joined { pieces };
            let text = Text::new(bytes, &base);
            match list {
                List::Entries => {
                    let sound = entry::read(text, carry, *cut, format, worth, &mut |whole, r, own| {
                        visit(at, whole, r, own);
                    });
                    if !cut {
                        *carry = Carry::default();
                    }
                    return sound;
                }
                List::Pages => entry::page(text, format, &mut |r| visit(at, text, r, None)),
                List::Around => entry::loose(text, format, &mut |r| visit(at, text, r, None)),
            }
        }
        Piece::Window {
            list,
            before,
            pieces,
            bytes,
            offset,
            own,
            skipped,
            head,
        } => {
            let before_base = Base::Joined { pieces };
            let before = Text::new(before, &before_base);
            let base = Base::Source { offset: *offset };
            let window = Text::new(bytes, &base);
            if !body::is_picture(head) {
                let around = window::Around {
                    list: *list,
                    before,
                    carry,
                    skipped: *skipped,
                    head,
                };
                let own = own.start..own.end.min(offset + bytes.len() as u64);
                window::read(&around, window, format, worth, &mut |r| {
                    visit(at, window, r, Some(own.clone()));
                });
            }
        }
        Piece::Rest { bytes, offset, own } => {
            let base = Base::Source { offset: *offset };
            let text = Text::new(bytes, &base);
            if worth(bytes) {
                entry::loose(text, format, &mut |r| visit(at, text, r, Some(own.clone())));
            }
        }
    }
    true
}
