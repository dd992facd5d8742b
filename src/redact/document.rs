//! Copies of documents that are read as a whole: captures, and the history and bookmarks that browsers export. The
//! reader says where every credential stands; the bytes between stay as they are, and the copy is read again, in
//! whole and exhaustively, before it is given.

use super::copy::{Copier, ROUNDS, stubborn};
use super::edit::{View, apply};
use super::rewrite::Rewriter;
use super::search::Searcher;
use super::style::Units;
use super::tally::Trouble;
use crate::format::document::{self, Kind};
use crate::format::history;
use crate::report::model::Status;
use std::io::{Read, Write};

/// The largest document that is rewritten, in bytes decompressed: it and its copy are held.
const MAX_DOCUMENT: u64 = 512 << 20;

impl Copier<'_> {
    /// A document of that kind: `head`, then what `input` gives.
    pub(super) fn document(
        &mut self,
        kind: Kind,
        name: &str,
        head: &[u8],
        input: &mut dyn Read,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        if let Kind::History(history::Kind::BinaryPlist | history::Kind::MozLz4) = kind {
            let text = "is packed in a form that is not rewritten; delete the entries in the browser, or export its \
                        bookmarks as HTML and redact that";
            return Ok(self.leave_out(name, Status::Skipped, text));
        }
        let mut bytes = head.to_vec();
        let failed = input.take(MAX_DOCUMENT).read_to_end(&mut bytes).err();
        if bytes.len() as u64 > MAX_DOCUMENT {
            let text = "is a document of more than 512 MiB; split it, or redact it on its way as a log";
            return Ok(self.leave_out(name, Status::Skipped, text));
        }
        self.cut(name, failed)?;
        let mut rewriter = Rewriter::new(self.tools);
        let mut searcher = Searcher::new(Units::Bytes);
        for _ in 0..=ROUNDS {
            let (found, problem) = rewriter.document(kind, &bytes);
            if let Some(problem) = problem.filter(|_| !self.allow_partial) {
                return Err(Trouble::Refused(format!("{name}: {problem}")));
            }
            let view = View {
                bytes: &bytes,
                offset: 0,
            };
            let mut edits = rewriter.remove(&found, view, Units::Bytes);
            let kept = std::mem::take(&mut rewriter.kept);
            kept.iter().for_each(|(f, value)| searcher.add(f, value));
            rewriter.others(&searcher, view, Units::Bytes, &mut edits);
            if edits.is_empty() {
                out.write_all(&bytes).map_err(Trouble::Write)?;
                self.tally.add(rewriter.tally);
                return Ok(true);
            }
            for edit in edits.iter_mut().filter(|e| is_number(&bytes, &e.span)) {
                // What stands for a number in JSON is a string.
                edit.with = [b"\"", edit.with.as_slice(), b"\""].concat();
            }
            let mut next = Vec::with_capacity(bytes.len());
            apply(view, &edits, &mut next);
            bytes = next;
        }
        Err(stubborn())
    }
}

/// What kind of document begins so; `None` for what is read by lines.
pub(super) fn kind(head: &[u8], name: &str) -> Option<Kind> {
    document::sniff(head, name).filter(|_| !crate::scan::is_utf16(head))
}

/// Whether a span is a number of JSON, which stands in no quotes.
fn is_number(bytes: &[u8], span: &std::ops::Range<u64>) -> bool {
    let (start, end) = (span.start as usize, (span.end as usize).min(bytes.len()));
    let before = bytes[..start].trim_ascii_end().last();
    let after = bytes[end..].trim_ascii_start().first();
    bytes[start..end]
        .iter()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(b))
        && matches!(before, Some(b':' | b',' | b'['))
        && matches!(after, Some(b',' | b'}' | b']'))
}
