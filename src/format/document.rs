//! Sources that are not read line by line: documents and databases. A reader gives its records to a visitor, each
//! with its position and with the text that it stands in. Which documents there are is said here.

use super::{Catalogue, Kind as FormatKind, har, history};
use crate::finding::Position;
use crate::record::Record;
use crate::text::Text;
use std::io;
use std::ops::Range;

/// Receives records: where each stands in its source, the text whose slices its carriers are (excerpts are cut
/// from it; its base leads back to the source's bytes), and the record.
///
/// The carriers of one record are slices of that one text or decoded from such slices, so that their spans can be
/// compared: a database's row is one text in which its columns stand one after the other.
pub type Visit<'v> = dyn FnMut(Position, Text, &Record) + 'v;

/// The same for readers that cut long texts into windows that overlap: where in the source the credentials begin
/// that count for a window is given, too.
pub type WindowVisit<'v> = dyn FnMut(Position, Text, &Record, Option<Range<u64>>) + 'v;

/// Whether bytes may hold a credential; what may not is not looked into. Large bodies are asked about.
pub type Worth<'w> = dyn Fn(&[u8]) -> bool + 'w;

/// What came of reading a document to its end or to where it breaks off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Records given to the visitor.
    pub records: u64,
    /// Why it was not read whole, and what to do; what came before it was given.
    pub problem: Option<String>,
}

/// A document that is read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A capture.
    Har(har::Form),
    /// History or bookmarks.
    History(history::Kind),
}

/// What a source is that begins with `head`, decompressed; its name is a hint at most. `None` where it is read by
/// lines.
pub fn sniff(head: &[u8], name: &str) -> Option<Kind> {
    har::sniff(head, name)
        .map(Kind::Har)
        .or_else(|| history::sniff(head, name).map(Kind::History))
}

/// Reads a document from its first byte on, decompressed. Gives the index of its format, too. What can be read by
/// others is offered to `hand`.
pub fn read(
    kind: Kind,
    input: &mut dyn io::Read,
    catalogue: &Catalogue,
    worth: &Worth,
    visit: &mut WindowVisit,
    hand: Option<&mut har::Hand>,
) -> (u16, Read) {
    match kind {
        Kind::Har(form) => {
            let format = catalogue.by_kind(FormatKind::Har);
            (format, har::read(form, input, format, worth, visit, hand))
        }
        Kind::History(kind) => history::read(kind, input, catalogue, &mut |at, text, r| {
            visit(at, text, r, None)
        }),
    }
}
