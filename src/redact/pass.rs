//! Passes over a source: one that rewrites, one that proves. A large plain file is cut at lines into chunks which
//! several threads take and one after the other writes; everything else is read front to back.

use super::chunks::chunks;
use super::kept::Kept;
use super::rewrite::{Flow, Rewriter, Search, Tools};
use super::search::Searcher;
use super::style::Units;
use super::tally::{Tally, Trouble};
use crate::format::LineReader;
use crate::format::sniff::{HEAD, sniff};
use crate::input::lines::{READ, Run, Runs};
use crate::input::open::Utf16;
use crate::platform;
use crate::scan::is_utf16;
use crate::text::utf16_units;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::rc::Rc;

/// What a pass that rewrites gives beside the copy.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// What was replaced.
    pub tally: Tally,
    /// What was removed.
    pub kept: Kept,
    /// Whether every line was read for itself: then each stands in the copy as it was scanned, those that were
    /// changed after their change, and need not be scanned again.
    pub apart: bool,
    /// Why the source could not be read to its end.
    pub problem: Option<io::Error>,
}

/// What a source looks like, by its head.
pub struct Shape {
    /// How it is written.
    pub units: Units,
    headers: bool,
    /// Whether chunks of it can be read by themselves.
    chunks: bool,
}

impl Shape {
    /// From the first bytes of a decompressed source.
    pub fn of(tools: &Tools, head: &[u8]) -> Shape {
        let units = units(head);
        let text = units.decode(head);
        let sniffed = sniff(
            &tools.config.formats,
            text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text),
        );
        Shape {
            units,
            headers: sniffed.headers,
            chunks: units == Units::Bytes && !sniffed.headers && !sniffed.in_order,
        }
    }

    /// From a file of `size` bytes.
    pub fn of_file(tools: &Tools, file: &File, size: u64) -> Result<Shape, Trouble> {
        Ok(Shape::of(tools, &head(file, size)?))
    }

    /// Where the first line begins: after the byte order mark of UTF-16.
    fn first(&self) -> u64 {
        if self.units == Units::Bytes { 0 } else { 2 }
    }

    fn flow<'c>(&self, tools: &'c Tools<'c>, offset: u64) -> Flow<'c> {
        let reader = LineReader::new(&tools.config.formats, self.headers);
        Flow::new(reader, self.units, offset)
    }
}

/// How a source with that head is written.
pub fn units(head: &[u8]) -> Units {
    match head.first() {
        Some(0xFF) if is_utf16(head) => Units::Little,
        Some(0xFE) if is_utf16(head) => Units::Big,
        _ => Units::Bytes,
    }
}

/// A reader that keeps what it has given until that is asked for.
struct Tee<R> {
    inner: R,
    seen: Rc<RefCell<Vec<u8>>>,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.seen.borrow_mut().extend_from_slice(&buf[..n]);
        Ok(n)
    }
}

/// Receives the runs of a source that is read front to back.
trait Receiver {
    /// A run, and its bytes as they stand in the source.
    fn run(&mut self, run: &Run, raw: &[u8]) -> Result<(), Trouble>;
    /// Bytes that belong to no run: a byte order mark, half a unit at the end.
    fn rest(&mut self, raw: &[u8]) -> Result<(), Trouble>;
    /// Where the next run begins in UTF-16.
    fn next(&self) -> u64;
}

fn read(input: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buf) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads `input`, which is written in these units, to its end. An error of reading comes after everything that
/// was read.
fn drive(units: Units, input: &mut dyn Read, to: &mut dyn Receiver) -> Result<Option<io::Error>, Trouble> {
    let mut runs = Runs::new(Vec::new(), 0, u64::MAX, false);
    let mut trouble = None;
    if units == Units::Bytes {
        let result = runs.drive(
            |buf, _| read(input, buf),
            |run| {
                let (Run::Lines { bytes, .. } | Run::Window { bytes, .. }) = &run;
                trouble = to.run(&run, bytes).err();
                trouble.is_none()
            },
        );
        return trouble.map_or(Ok(result.err()), Err);
    }
    let mut mark = [0; 2];
    if let Err(e) = input.read_exact(&mut mark) {
        return Ok(Some(e));
    }
    to.rest(&mark)?;
    let seen = Rc::new(RefCell::new(Vec::new()));
    let tee = Tee {
        inner: input,
        seen: seen.clone(),
    };
    let mut text = Utf16::new(tee, units == Units::Big);
    let mut begin = to.next();
    let result = runs.drive(
        |buf, _| read(&mut text, buf),
        |run| {
            let (Run::Lines { bytes, .. } | Run::Window { bytes, .. }) = &run;
            let length = 2 * utf16_units(bytes) as usize;
            let mut seen = seen.borrow_mut();
            trouble = to.run(&run, &seen[..length.min(seen.len())]).err();
            let done = ((to.next() - begin) as usize).min(seen.len());
            seen.drain(..done);
            begin = to.next();
            trouble.is_none()
        },
    );
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    let left = std::mem::take(&mut *seen.borrow_mut());
    to.rest(&left)?;
    Ok(result.err())
}

/// A source that is rewritten front to back.
struct Rewriting<'c, 's, 'k, 'o> {
    rewriter: Rewriter<'c>,
    flow: Flow<'c>,
    search: &'s mut Search<'k>,
    buffer: Vec<u8>,
    live: bool,
    out: &'o mut dyn Write,
}

impl Rewriting<'_, '_, '_, '_> {
    fn write(&mut self) -> Result<(), Trouble> {
        self.out.write_all(&self.buffer).map_err(Trouble::Write)?;
        self.buffer.clear();
        if self.live {
            self.out.flush().map_err(Trouble::Write)
        } else {
            Ok(())
        }
    }
}

impl Receiver for Rewriting<'_, '_, '_, '_> {
    fn run(&mut self, run: &Run, raw: &[u8]) -> Result<(), Trouble> {
        self.rewriter
            .run(run, raw, &mut self.flow, self.search, &mut self.buffer)?;
        self.write()
    }

    fn rest(&mut self, raw: &[u8]) -> Result<(), Trouble> {
        self.buffer.extend_from_slice(raw);
        self.write()
    }

    fn next(&self) -> u64 {
        self.flow.state.raw
    }
}

/// Rewrites what `input` gives, after `head` which was read from it already, to `out`. With `live` everything that
/// is at hand is written at once.
pub fn rewrite_stream<'c>(
    tools: &'c Tools<'c>,
    head: &[u8],
    input: &mut dyn Read,
    search: &mut Search,
    live: bool,
    out: &mut dyn Write,
) -> Result<Rewritten, Trouble> {
    let shape = if live {
        Shape {
            units: units(head),
            headers: false,
            chunks: false,
        }
    } else {
        Shape::of(tools, head)
    };
    let mut input = io::Cursor::new(head).chain(input);
    let mut to = Rewriting {
        rewriter: Rewriter::new(tools),
        flow: shape.flow(tools, shape.first()),
        search,
        buffer: Vec::new(),
        live,
        out,
    };
    let problem = drive(shape.units, &mut input, &mut to)?;
    to.rewriter.finish(&mut to.flow, to.search, &mut to.buffer)?;
    to.write()?;
    to.out.flush().map_err(Trouble::Write)?;
    Ok(Rewritten {
        tally: to.rewriter.tally,
        kept: to.rewriter.kept,
        apart: false,
        problem,
    })
}

/// A copy that is proved front to back.
struct Proving<'c, 's> {
    rewriter: Rewriter<'c>,
    flow: Flow<'c>,
    searcher: &'s Searcher,
    left: u64,
}

impl Receiver for Proving<'_, '_> {
    fn run(&mut self, run: &Run, raw: &[u8]) -> Result<(), Trouble> {
        self.left += self
            .rewriter
            .prove(run, raw, &mut self.flow, self.searcher, false)?;
        Ok(())
    }

    fn rest(&mut self, _: &[u8]) -> Result<(), Trouble> {
        Ok(())
    }

    fn next(&self) -> u64 {
        self.flow.state.raw
    }
}

/// Reads a copy from `input` and proves it; gives the number of places where a removed credential stands.
pub fn prove_stream<'c>(
    tools: &'c Tools<'c>,
    input: &mut dyn Read,
    searcher: &Searcher,
) -> Result<u64, Trouble> {
    let mut head = Vec::new();
    input
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(Trouble::Read)?;
    let shape = Shape::of(tools, &head);
    let mut input = io::Cursor::new(&head).chain(input);
    let mut to = Proving {
        rewriter: Rewriter::new(tools),
        flow: shape.flow(tools, shape.first()),
        searcher,
        left: 0,
    };
    match drive(shape.units, &mut input, &mut to)? {
        Some(e) => Err(Trouble::Read(e)),
        None => Ok(to.left),
    }
}

/// Reads the lines of a file that begin from `start` on and before `end`, at most to `size`.
fn part(
    file: &File,
    (start, end, size): (u64, u64, u64),
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&Run) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let before = u64::from(start > 0);
    let mut runs = Runs::new(std::mem::take(buffer), start - before, end, start > 0);
    let mut trouble = None;
    let mut reached = start;
    let result = runs.drive(
        |buf, at| {
            let most = (size.saturating_sub(at)).min(buf.len() as u64) as usize;
            let n = platform::read_at(file, &mut buf[..most], at)?;
            reached = reached.max(at + n as u64);
            Ok(n)
        },
        |run| {
            trouble = each(&run).err();
            trouble.is_none()
        },
    );
    *buffer = runs.into_buffer();
    match (trouble, result) {
        (Some(trouble), _) => Err(trouble),
        (None, Err(e)) => Err(Trouble::Read(e)),
        (None, Ok(())) if reached < end => Err(Trouble::Read(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("it was cut to {reached} bytes while it was read; redact it again"),
        ))),
        (None, Ok(())) => Ok(()),
    }
}

/// Rewrites a plain file of `size` bytes to `out`.
pub fn rewrite_file<'c>(
    tools: &'c Tools<'c>,
    file: &File,
    size: u64,
    searcher: Option<&Searcher>,
    out: &mut (dyn Write + Send),
) -> Result<Rewritten, Trouble> {
    let shape = Shape::of_file(tools, file, size)?;
    let search = || searcher.map_or(Search::Collect, Search::For);
    if !shape.chunks {
        let mut input = Positioned { file, at: 0, size };
        let mut head = Vec::new();
        input
            .by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(Trouble::Read)?;
        return rewrite_stream(tools, &head, &mut input, &mut search(), false, out);
    }
    let work = |(rewriter, buffer): &mut (Rewriter<'c>, Vec<u8>), start, end, out: &mut Vec<u8>| {
        let mut flow = shape.flow(tools, 0);
        let mut first = true;
        let result = part(file, (start, end, size), buffer, |run| {
            let (Run::Lines { offset, bytes } | Run::Window { offset, bytes, .. }) = run;
            if std::mem::take(&mut first) {
                flow.begin(*offset);
            }
            rewriter.run(run, bytes, &mut flow, &mut search(), out)
        })
        .and_then(|()| rewriter.finish(&mut flow, &mut search(), out));
        (flow.counts.lines, result)
    };
    let make = || (Rewriter::new(tools), Vec::new());
    let mut all = Rewritten {
        apart: true,
        ..Rewritten::default()
    };
    for (rewriter, _) in chunks(size, tools.config.jobs, make, work, |bytes| out.write_all(bytes))? {
        all.apart &= rewriter.apart;
        all.tally.add(rewriter.tally);
        all.kept.merge(rewriter.kept);
    }
    Ok(all)
}

/// Proves a plain copy, of which every line was `scanned` already or not; gives the number of places where a
/// removed credential stands.
pub fn prove_file<'c>(
    tools: &'c Tools<'c>,
    file: &File,
    searcher: &Searcher,
    scanned: bool,
) -> Result<u64, Trouble> {
    let size = file.metadata().map_err(Trouble::Read)?.len();
    let shape = Shape::of_file(tools, file, size)?;
    if scanned && shape.chunks && searcher.is_empty() {
        return Ok(0);
    }
    if !shape.chunks {
        return prove_stream(tools, &mut Positioned { file, at: 0, size }, searcher);
    }
    let work = |(rewriter, buffer, left): &mut (Rewriter<'c>, Vec<u8>, u64), start, end, _: &mut Vec<u8>| {
        let mut flow = shape.flow(tools, start);
        let result = part(file, (start, end, size), buffer, |run| {
            let (Run::Lines { bytes, .. } | Run::Window { bytes, .. }) = run;
            *left += rewriter.prove(run, bytes, &mut flow, searcher, scanned)?;
            Ok(())
        });
        (flow.counts.lines, result)
    };
    let make = || (Rewriter::new(tools), Vec::new(), 0);
    let all = chunks(size, tools.config.jobs, make, work, |_| Ok(()))?;
    Ok(all.iter().map(|(_, _, left)| left).sum())
}

fn head(file: &File, size: u64) -> Result<Vec<u8>, Trouble> {
    let mut head = Vec::new();
    Positioned { file, at: 0, size }
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(Trouble::Read)?;
    Ok(head)
}

/// A file from its beginning to a size that it had, whatever others do with its cursor.
pub struct Positioned<'f> {
    /// The file.
    pub file: &'f File,
    /// Where the next byte is read.
    pub at: u64,
    /// Where it ends for us.
    pub size: u64,
}

impl Read for Positioned<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = (self.size.saturating_sub(self.at)).min(buf.len().min(READ) as u64) as usize;
        let n = platform::read_at(self.file, &mut buf[..most], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
