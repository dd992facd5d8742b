//! The copy of one input, whatever it is: text, compressed text, an archive, and these inside one another. Each
//! text is proved before it goes on; nothing goes on that was not read.

use super::kept::Kept;
use super::pass::{self, Rewritten};
use super::rewrite::{Search, Tools};
use super::search::Searcher;
use super::spool::Spool;
use super::style::Units;
use super::tally::{Tally, Trouble};
use crate::format::sniff::HEAD;
use crate::input::budget::Budget;
use crate::input::magic::{Magic, not_text_alone};
use crate::input::open::{MAX_NESTING, Peek, decompress};
use crate::report::model::Status;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// How often a text is rewritten before it is given up: each time what was removed is looked for again.
pub(super) const ROUNDS: usize = 4;

/// What was not read, or not to its end.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The source.
    pub source: String,
    /// Whether it matters.
    pub status: Status,
    /// What is wrong, and what to do.
    pub text: String,
}

/// Makes the copy of one input.
pub struct Copier<'c> {
    pub(super) tools: &'c Tools<'c>,
    /// Where texts are put aside.
    pub(super) folder: &'c Path,
    /// Whether it is a stream that is rewritten line by line while it comes.
    live: bool,
    /// Whether what cannot be read whole is copied as far as it can be.
    pub(super) allow_partial: bool,
    /// What the input may unpack to.
    pub(super) budget: Budget,
    /// Finds in names what was removed from members.
    pub(super) known: Searcher,
    /// What was replaced.
    pub tally: Tally,
    /// What was not read.
    pub problems: Vec<Problem>,
}

/// What is said of a text that holds something after every round.
pub(super) fn stubborn() -> Trouble {
    Trouble::Refused(format!("still holds removed credentials after {ROUNDS} rounds"))
}

impl<'c> Copier<'c> {
    /// For one input.
    pub fn new(tools: &'c Tools<'c>, folder: &'c Path, live: bool, allow_partial: bool) -> Self {
        Copier {
            tools,
            folder,
            live,
            allow_partial,
            budget: Budget::new(tools.config.limits, 0),
            known: Searcher::new(Units::Bytes),
            tally: Tally::default(),
            problems: Vec::new(),
        }
    }

    /// Whether anything was left out that had to be read.
    pub fn is_partial(&self) -> bool {
        self.problems.iter().any(|p| p.status != Status::Ignored)
    }

    pub(super) fn problem(&mut self, source: &str, status: Status, text: impl Into<String>) {
        self.problems.push(Problem {
            source: source.into(),
            status,
            text: text.into(),
        });
    }

    /// Something that is not read is not copied.
    pub(super) fn leave_out(&mut self, source: &str, status: Status, text: impl Into<String>) -> bool {
        self.problem(source, status, text);
        false
    }

    /// A plain file: rewritten by several threads. `next` gives the files to write to, one for each round; the
    /// last holds the copy.
    pub fn plain(
        &mut self,
        file: &File,
        size: u64,
        next: &mut dyn FnMut() -> io::Result<super::aside::Copy>,
    ) -> Result<super::aside::Copy, Trouble> {
        let begin = |file: &File| pass::Shape::of_file(self.tools, file, size).map(|s| s.units);
        let units = begin(file)?;
        let mut copy = next().map_err(Trouble::Write)?;
        let mut first = pass::rewrite_file(self.tools, file, size, None, copy.file())?;
        self.done(&mut first);
        let (mut kept, mut apart) = (first.kept, first.apart);
        for _ in 0..ROUNDS {
            let searcher = Searcher::of(&kept, units);
            if pass::prove_file(self.tools, copy.file(), &searcher, apart)? == 0 {
                return Ok(copy);
            }
            let size = copy.file().metadata().map_err(Trouble::Read)?.len();
            let mut again = next().map_err(Trouble::Write)?;
            let mut more = pass::rewrite_file(self.tools, copy.file(), size, Some(&searcher), again.file())?;
            self.done(&mut more);
            kept.merge(more.kept);
            (copy, apart) = (again, more.apart);
        }
        Err(stubborn())
    }

    /// Takes note of what a pass replaced.
    fn done(&mut self, pass: &mut Rewritten) {
        self.tally.add(std::mem::take(&mut pass.tally));
    }

    /// Whatever `input` gives; false where it was left out.
    pub fn any<'r>(
        &mut self,
        name: &str,
        input: Box<dyn Read + 'r>,
        depth: usize,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let input = Peek::new(input);
        if depth > MAX_NESTING {
            let text = format!("is nested more than {MAX_NESTING} deep; unpack it and redact what is in it");
            return Ok(self.leave_out(name, Status::Skipped, text));
        }
        match input.magic() {
            magic @ (Magic::Gzip | Magic::Zstd | Magic::Bzip2 | Magic::Xz) => {
                match decompress(magic, input) {
                    Ok((_, plain)) => {
                        let plain = Box::new(self.budget.unpacked(plain));
                        self.compressed(magic, name, plain, depth, out)
                    }
                    Err(input) => self.text(name, input, out),
                }
            }
            // What an archive holds is put aside member by member.
            Magic::Tar => {
                self.live = false;
                self.tar(name, input, depth, out)
            }
            Magic::Zip => {
                self.live = false;
                self.zip_stream(name, input, depth, out)
            }
            Magic::Ignored(what) => {
                let status = if depth > 0 {
                    Status::Ignored
                } else {
                    Status::Skipped
                };
                Ok(self.leave_out(
                    name,
                    status,
                    format!("is {what}, which is not read, and so not copied"),
                ))
            }
            Magic::Sqlite => self.spooled_database(name, input, depth, out),
            Magic::Unsupported(what) => {
                let text = format!("is {}", what.replace(" scan ", " redact "));
                Ok(self.leave_out(name, Status::Skipped, text))
            }
            Magic::Data => self.text(name, input, out),
        }
    }

    /// Compressed again as it was.
    fn compressed(
        &mut self,
        magic: Magic,
        name: &str,
        plain: Box<dyn Read + '_>,
        depth: usize,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let depth = depth + 1;
        match magic {
            Magic::Gzip => {
                let mut packed = flate2::write::GzEncoder::new(out, flate2::Compression::default());
                let made = self.any(name, plain, depth, &mut packed)?;
                packed.finish().map_err(Trouble::Write)?;
                Ok(made)
            }
            Magic::Bzip2 => {
                let mut packed = bzip2::write::BzEncoder::new(out, bzip2::Compression::default());
                let made = self.any(name, plain, depth, &mut packed)?;
                packed.finish().map_err(Trouble::Write)?;
                Ok(made)
            }
            Magic::Xz => {
                let options = lzma_rust2::XzOptions::default();
                let mut packed = lzma_rust2::XzWriter::new(out, options).map_err(Trouble::Write)?;
                let made = self.any(name, plain, depth, &mut packed)?;
                packed.finish().map_err(Trouble::Write)?;
                Ok(made)
            }
            _ => {
                let mut packed = zstd::stream::write::Encoder::new(out, 0).map_err(Trouble::Write)?;
                let made = self.any(name, plain, depth, &mut packed)?;
                packed.finish().map_err(Trouble::Write)?;
                Ok(made)
            }
        }
    }

    /// Text: rewritten, proved, then given on.
    fn text(&mut self, name: &str, mut input: impl Read, out: &mut dyn Write) -> Result<bool, Trouble> {
        let tools = self.tools;
        let mut head = Vec::new();
        // A stream that is being written must not wait for more than tells whether it is UTF-16.
        let look = if self.live { 4 } else { HEAD as u64 };
        let failed = input.by_ref().take(look).read_to_end(&mut head).err();
        if let Some(why) = not_text_alone(&head) {
            return Ok(self.leave_out(name, Status::Skipped, why));
        }
        let mut input = super::spool::Failing(failed).chain(input);
        if self.live {
            let mut searcher = Searcher::new(pass::units(&head));
            let mut search = Search::Stream(&mut searcher);
            let mut done = pass::rewrite_stream(tools, &head, &mut input, &mut search, true, out)?;
            self.done(&mut done);
            self.cut(name, done.problem)?;
            return Ok(true);
        }
        if tools.paranoid && super::paranoid::is_har(&head) {
            let whole = io::Cursor::new(head).chain(input);
            let mut kept = super::paranoid::Filter::new(whole, &tools.config.key, tools.style);
            let mut head = Vec::new();
            let failed = kept.by_ref().take(HEAD as u64).read_to_end(&mut head).err();
            let made = self.proved(
                name,
                &head,
                &mut super::spool::Failing(failed).chain(&mut kept),
                Kept::default(),
                out,
            );
            self.tally.dropped += kept.dropped;
            return made;
        }
        self.proved(name, &head, &mut input, Kept::default(), out)
    }

    /// Text that comes after `head`: put aside until it is proved, also against what was `removed` from it before.
    pub(super) fn proved(
        &mut self,
        name: &str,
        head: &[u8],
        input: &mut dyn Read,
        removed: Kept,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        if let Some(kind) = super::document::kind(head, name) {
            return self.document(kind, name, head, input, out);
        }
        let tools = self.tools;
        let mut search = Search::Collect;
        let (mut spool, mut first) = Spool::of(self.folder, |w| {
            pass::rewrite_stream(tools, head, input, &mut search, false, w)
        })?;
        self.done(&mut first);
        self.cut(name, first.problem.take())?;
        let mut kept = first.kept;
        kept.merge(removed);
        for _ in 0..ROUNDS {
            let searcher = Searcher::of(&kept, pass::units(head));
            if pass::prove_stream(tools, &mut spool.read()?, &searcher).map_err(|e| e.of(name))? == 0 {
                self.know(&kept);
                spool.copy(out)?;
                return Ok(true);
            }
            let (again, mut more) = Spool::of(self.folder, |w| {
                let mut head = Vec::new();
                let mut input = spool.read()?;
                input
                    .by_ref()
                    .take(HEAD as u64)
                    .read_to_end(&mut head)
                    .map_err(Trouble::Read)?;
                pass::rewrite_stream(tools, &head, &mut input, &mut Search::For(&searcher), false, w)
            })?;
            self.done(&mut more);
            kept.merge(more.kept);
            spool = again;
        }
        Err(stubborn())
    }

    /// A source that could be read only so far.
    pub(super) fn cut(&mut self, name: &str, problem: Option<io::Error>) -> Result<(), Trouble> {
        let Some(e) = problem else {
            return Ok(());
        };
        if !self.allow_partial {
            return Err(Trouble::Read(e));
        }
        let text = format!("could not be read to its end ({e}); what stands before was copied");
        self.problem(name, Status::Partial, text);
        Ok(())
    }
}
