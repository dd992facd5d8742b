//! What readers of documents and databases share: sources that are not read line by line. A reader gives its
//! records to a visitor, each with its position and with the text that it stands in.

use crate::finding::Position;
use crate::record::Record;
use crate::text::Text;

/// Receives records: where each stands in its source, the text whose slices its carriers are (excerpts are cut
/// from it; its base leads back to the source's bytes), and the record.
///
/// The carriers of one record are slices of that one text or decoded from such slices, so that their spans can be
/// compared: a database's row is one text in which its columns stand one after the other.
pub type Visit<'v> = dyn FnMut(Position, Text, &Record) + 'v;

/// What came of reading a document to its end or to where it breaks off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Records given to the visitor.
    pub records: u64,
    /// Why it was not read whole, and what to do; what came before it was given.
    pub problem: Option<String>,
}
