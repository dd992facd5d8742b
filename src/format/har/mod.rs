//! HAR captures (HTTP Archive 1.1 to 1.3, <http://www.softwareishard.com/blog/har-12-spec/>): every string of an
//! entry that can carry a credential, with what is known of the request around it. The file is never held; see
//! [`split`].

mod batch;
mod body;
mod entry;
mod split;

use super::document::{Read as Outcome, WindowVisit as Visit, Worth};
use crate::finding::Position;
use crate::text::{Base, Text, json};
pub use batch::Batch;
use split::{List, Piece, Splitter};
use std::io::Read;

/// Bytes that are read at once.
const BUFFER: usize = 128 << 10;

/// What stands in a HAR file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A log of entries.
    Log,
    /// One entry alone, as tools cut them out.
    Entry,
}

/// What a source that begins with `head` is: an object, perhaps in a JSONP call, whose member `log` is an object with
/// members that a HAR's log has, or one entry; `None` where it is neither.
pub fn sniff(head: &[u8]) -> Option<Form> {
    let head = head
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(head)
        .trim_ascii_start();
    let brace = head.iter().take(256).position(|&b| b == b'{')?;
    let call = head[..brace].trim_ascii();
    let jsonp = call.strip_suffix(b"(").is_some_and(|name| {
        name.iter()
            .all(|b| b.is_ascii_alphanumeric() || b"_$.".contains(b))
    });
    if !call.is_empty() && !jsonp {
        return None;
    }
    let base = Base::Source { offset: 0 };
    let text = Text::new(&head[brace..], &base);
    let doc = json::read(text)?;
    let has = |path: &str| {
        let below = |p: &str| {
            p.strip_prefix(path)
                .is_some_and(|r| r.is_empty() || r.starts_with('.'))
        };
        doc.members.iter().any(|m| below(&m.path))
    };
    if has("log.entries") || has("log.pages") || has("log.creator") && has("log.version") {
        return Some(Form::Log);
    }
    let rest = text.bytes().get(doc.end..).unwrap_or_default();
    let alone = !doc.whole || rest.iter().all(u8::is_ascii_whitespace);
    (alone && has("startedDateTime") && has("request.url")).then_some(Form::Entry)
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
    let mut batch = Batch::default();
    let mut take = |piece: Piece| {
        let at = entry;
        if let Piece::Unit {
            list: List::Entries,
            cut: false,
            ..
        } = &piece
        {
            entry += 1;
        }
        let Some(hand) = &mut hand else {
            return give(&piece, at, format, worth, visit);
        };
        let added = batch.add(&piece, at);
        if !added || batch.is_full() {
            pass(&mut batch, hand, format, worth, visit);
        }
        if !added && !batch.add(&piece, at) {
            give(&piece, at, format, worth, visit);
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
    let problem = failed.or(splitter.problem.map(|p| format!("the HAR {p}")));
    Outcome {
        records: splitter.entries,
        problem: problem.map(|p| {
            format!(
                "{p} after {} entries; what stands before was scanned",
                splitter.entries
            )
        }),
    }
}

/// Hands a batch over, or reads it here.
fn pass(batch: &mut Batch, hand: &mut Hand, format: u16, worth: &Worth, visit: &mut Visit) {
    if let Some(mine) = hand(std::mem::take(batch)) {
        mine.read(format, worth, visit);
        *batch = mine.emptied();
    }
}

/// Reads a piece; entry `entry` is the one at hand.
fn give(piece: &Piece, entry: u64, format: u16, worth: &Worth, visit: &mut Visit) {
    let at = Position::Entry(entry);
    match piece {
        Piece::Unit {
            list, bytes, pieces, ..
        } => {
            let base = Base::Joined { pieces };
            let text = Text::new(bytes, &base);
            match list {
                List::Entries => entry::read(text, format, worth, &mut |whole, r| visit(at, whole, r, None)),
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
                body::window(*list, before, window, *skipped, format, worth, &mut |r| {
                    visit(at, window, r, Some(own.clone()));
                });
            }
        }
    }
}
