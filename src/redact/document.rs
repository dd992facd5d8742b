//! Copies of documents that are read as a whole: captures, and the history and bookmarks that browsers export. The
//! reader says where every credential stands; the bytes between stay as they are, and the copy is read again, in
//! whole and exhaustively, before it is given. Neither is held: each round reads the text that the last one put aside.

use super::copy::{Copier, ROUNDS, stubborn};
use super::edit::{View, apply};
use super::rewrite::Rewriter;
use super::search::Searcher;
use super::spool::Spool;
use super::style::Units;
use super::tally::Trouble;
use crate::format::document::{self, Kind};
use crate::format::history::{self, mozlz4};
use crate::format::sniff::HEAD;
use crate::input::open::Utf16;
use crate::report::model::Status;
use crate::scan::Taken;
use std::io::{self, Read, Write};

/// Exposures that one round removes, at most: of more, those that stand first. Those that are left are the next
/// round's.
const MOST: usize = 1 << 17;

/// Bytes that are rewritten at a time.
const SEGMENT: usize = 1 << 20;

/// Bytes after them that are looked at, too: what begins in a segment may reach over its end.
const AHEAD: usize = 32 << 10;

/// Bytes before them: what stands in front of a value tells whether it is a number.
const BEHIND: usize = 256;

/// What one round removes: the first exposures of a text, in the order of their places.
#[derive(Default)]
struct First {
    found: Vec<Taken>,
    /// Whether there are more.
    more: bool,
}

impl First {
    fn add(&mut self, taken: Taken) {
        self.found.push(taken);
        if self.found.len() >= 2 * MOST {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.found.sort_by_key(|t| extent(t).start);
        self.more |= self.found.len() > MOST;
        self.found.truncate(MOST);
    }
}

/// What has to be at hand to remove an exposure.
fn extent(taken: &Taken) -> std::ops::Range<u64> {
    let e = &taken.exposure;
    let around = e.opaque.as_ref().unwrap_or(&e.span);
    around.start.min(e.span.start)..around.end.max(e.span.end)
}

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
        match kind {
            Kind::History(history::Kind::BinaryPlist) => return self.property_list(name, head, input, out),
            Kind::History(history::Kind::MozLz4) => return self.packed(name, head, input, out),
            _ => {}
        }
        let units = super::pass::units(head);
        let (mut spool, read) = Spool::of(self.folder, |w| put_aside(units, head, input, w))?;
        match read {
            Err(e) => self.cut(name, Some(e))?,
            Ok(true) => {
                let text = format!("{name}: is UTF-16 with characters that are none; convert it to UTF-8");
                return Err(Trouble::Refused(text));
            }
            Ok(false) => {}
        }
        let mut rewriter = Rewriter::new(self.tools);
        let mut searcher = Searcher::new(Units::Bytes).deep();
        let mut round = 0;
        while round <= ROUNDS {
            let mut first = First::default();
            let problem = rewriter.document(kind, &mut spool.read()?, &mut |taken| first.add(taken));
            if let Some(problem) = problem.filter(|_| !self.allow_partial) {
                return Err(Trouble::Refused(format!("{name}: {problem}")));
            }
            first.settle();
            let mut before = spool.read()?;
            let (after, edits) = Spool::of(self.folder, |w| {
                rewrite(
                    &mut rewriter,
                    &first.found,
                    &mut before,
                    (&mut searcher, &mut self.known),
                    w,
                )
            })?;
            drop(before);
            spool = after;
            if edits == 0 {
                match units {
                    Units::Bytes => spool.copy(out)?,
                    _ => encode(units, &mut spool.read()?, out)?,
                }
                self.tally.add(rewriter.tally);
                return Ok(true);
            }
            round += usize::from(!first.more);
        }
        Err(stubborn())
    }

    /// Firefox's compressed JSON, packed again when it is proved.
    fn packed(
        &mut self,
        name: &str,
        head: &[u8],
        input: &mut dyn Read,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let plain = match mozlz4::unpack(&mut io::Cursor::new(head).chain(input)) {
            Ok(plain) => plain,
            Err(problem) => {
                let text = problem.replace(" scan ", " redact ");
                return Ok(self.leave_out(name, Status::Skipped, text));
            }
        };
        let kind = Kind::History(history::inside(&plain));
        let mut copy = Vec::new();
        let made = self.document(kind, name, &[], &mut &plain[..], &mut copy)?;
        out.write_all(&mozlz4::pack(&copy)).map_err(Trouble::Write)?;
        Ok(made)
    }
}

/// Puts a document aside, as UTF-8; says whether anything of it could not be told exactly, or why it could not be
/// read to its end.
fn put_aside(
    units: Units,
    head: &[u8],
    input: &mut dyn Read,
    out: &mut dyn Write,
) -> Result<io::Result<bool>, Trouble> {
    let whole = io::Cursor::new(head).chain(input);
    match units {
        Units::Bytes => Ok(pour(whole, out)?.map(|()| false)),
        _ => {
            let mut plain = Utf16::new(whole, units == Units::Big);
            let poured = pour(&mut plain, out)?;
            Ok(poured.map(|()| plain.lossy))
        }
    }
}

/// Copies; errors of reading and of writing are told apart.
fn pour(mut from: impl Read, out: &mut dyn Write) -> Result<io::Result<()>, Trouble> {
    let mut buffer = vec![0; HEAD];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(n) => out.write_all(&buffer[..n]).map_err(Trouble::Write)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Ok(Err(e)),
        }
    }
}

/// Writes a text in UTF-8 in the units that it had.
fn encode(units: Units, from: &mut dyn Read, out: &mut dyn Write) -> Result<(), Trouble> {
    let mut held = Vec::new();
    let mut buffer = vec![0; HEAD];
    loop {
        let n = from.read(&mut buffer).map_err(Trouble::Read)?;
        if n == 0 {
            return Ok(());
        }
        held.extend_from_slice(&buffer[..n]);
        // A character may be cut in two.
        let whole = held.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
        out.write_all(&units.encode(&held[..whole]))
            .map_err(Trouble::Write)?;
        held.drain(..whole);
    }
}

/// Writes `input` without what was `found` in it and without what was removed before; gives the number of changes.
fn rewrite(
    rewriter: &mut Rewriter,
    found: &[Taken],
    input: &mut dyn Read,
    (searcher, known): (&mut Searcher, &mut Searcher),
    out: &mut dyn Write,
) -> Result<u64, Trouble> {
    let (mut buffer, mut offset, mut start) = (Vec::new(), 0u64, 0usize);
    let (mut rest, mut changes, mut ended) = (found, 0, false);
    while !(ended && start == buffer.len()) {
        let mut end = start + SEGMENT;
        fill(input, &mut buffer, end + AHEAD)?;
        end = end.min(buffer.len());
        // What stands in one piece of base64 is rewritten together.
        let mut n = 0;
        while let Some(next) = rest.get(n).map(extent).filter(|e| e.start < offset + end as u64) {
            end = end.max((next.end - offset) as usize);
            n += 1;
        }
        ended = fill(input, &mut buffer, end + AHEAD)?;
        end = end.min(buffer.len());
        let view = View {
            bytes: &buffer,
            offset,
        };
        let mut edits = rewriter.remove(&rest[..n], view, Units::Bytes);
        rest = &rest[n..];
        let kept = std::mem::take(&mut rewriter.kept);
        for (f, value) in kept.iter() {
            searcher.add(f, value);
            known.add(f, value);
        }
        let ahead = View {
            bytes: &buffer[start..],
            offset: offset + start as u64,
        };
        let limit = offset + end as u64;
        rewriter.others(searcher, ahead, Units::Bytes, limit, &mut edits);
        if let Some(last) = edits.last().filter(|e| e.span.end > limit) {
            match rest.first().map(extent) {
                // The next round's.
                Some(next) if next.start < last.span.end => drop(edits.pop()),
                _ => end = (last.span.end - offset) as usize,
            }
        }
        for edit in edits.iter_mut().filter(|e| is_number(view, &e.span)) {
            // What stands for a number in JSON is a string.
            edit.with = [b"\"", edit.with.as_slice(), b"\""].concat();
        }
        let mut text = Vec::with_capacity(end - start);
        let segment = View {
            bytes: &buffer[start..end],
            offset: offset + start as u64,
        };
        apply(segment, &edits, &mut text);
        out.write_all(&text).map_err(Trouble::Write)?;
        changes += edits.len() as u64;
        let done = end.saturating_sub(BEHIND);
        buffer.drain(..done);
        offset += done as u64;
        start = end - done;
    }
    Ok(changes)
}

/// Reads on until `buffer` has `length` bytes; true where there are no more.
fn fill(input: &mut dyn Read, buffer: &mut Vec<u8>, length: usize) -> Result<bool, Trouble> {
    let missing = length.saturating_sub(buffer.len()) as u64;
    let got = input.take(missing).read_to_end(buffer).map_err(Trouble::Read)?;
    Ok((got as u64) < missing)
}

/// What kind of document begins so; `None` for what is read by lines.
pub(super) fn kind(head: &[u8], name: &str) -> Option<Kind> {
    let text = super::pass::units(head).decode(head);
    document::sniff(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text), name)
}

/// Whether a span is a number of JSON, which stands in no quotes.
fn is_number(view: View, span: &std::ops::Range<u64>) -> bool {
    let at = |n: u64| (n.saturating_sub(view.offset) as usize).min(view.bytes.len());
    let (bytes, start, end) = (view.bytes, at(span.start), at(span.end));
    let before = bytes[..start].trim_ascii_end().last();
    let after = bytes[end..].trim_ascii_start().first();
    bytes[start..end]
        .iter()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(b))
        && matches!(before, Some(b':' | b',' | b'['))
        && matches!(after, Some(b',' | b'}' | b']'))
}
