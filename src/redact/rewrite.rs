//! Rewriting a source run by run: what the scanner finds is replaced, and every line that was changed is read
//! again by the exhaustive scanner until nothing is left in it.

use super::edit::{Edit, Pen, View, apply};
use super::kept::Kept;
use super::search::{Match, Searcher};
use super::style::{Style, Units};
use super::tally::{Tally, Trouble};
use crate::detect::prefilter::Prefilter;
use crate::finding::Position;
use crate::format::history::row::Row;
use crate::format::sniff::HEAD;
use crate::format::{LineReader, document};
use crate::input::lines::{OVERLAP, Run};
use crate::rule::Severity;
use crate::scan::{Config, Counts, Place, Reading, Taken, Worker};
use crate::text::utf16_units;
use std::io::Read;
use std::ops::Range;

/// How often a line is rewritten before it is given up: what one replacement uncovers the next removes.
const ROUNDS: usize = 5;

/// Bytes that wait for the last piece of a line that was cut, at most.
const MOST_HELD: usize = 4 << 20;

/// What every thread works with.
pub struct Tools<'c> {
    /// Rules, formats, key and clock.
    pub config: &'c Config,
    /// Compiled from them.
    pub prefilter: &'c Prefilter<'c>,
    /// What stands in a credential's place.
    pub style: Style,
    /// What is under it stays.
    pub min_severity: Severity,
    /// Whether HAR files lose all cookies, authorizing headers and bodies.
    pub paranoid: bool,
}

/// Where a source is being read.
pub struct Flow<'c> {
    /// How it is written.
    pub units: Units,
    /// What goes from one line to the next.
    pub state: Reading<'c>,
    /// Lines so far.
    pub counts: Counts,
    place: Place,
    /// Bytes that are read and not written: pieces of lines, and the end of a window.
    held: Vec<u8>,
    /// What was found in them.
    waiting: Vec<Taken>,
    /// Offset of the next byte to be written.
    at: u64,
    /// Line ends before it.
    lines: u64,
}

impl<'c> Flow<'c> {
    /// A source, or a part of one, that begins at `offset`.
    pub fn new(reader: LineReader<'c>, units: Units, offset: u64) -> Flow<'c> {
        let mut state = Reading::new(reader);
        state.raw = offset;
        let mut place = crate::scan::place("", 0);
        place.utf16 = units != Units::Bytes;
        Flow {
            units,
            state,
            counts: Counts::default(),
            place,
            held: Vec::new(),
            waiting: Vec::new(),
            at: offset,
            lines: 0,
        }
    }

    /// A part of a source begins at `offset` with its first whole line.
    pub fn begin(&mut self, offset: u64) {
        self.at = offset;
    }

    /// Where the source stands whose bytes `run` was made of: offset of the first.
    fn raw_offset(&self, run: &Run) -> u64 {
        match (self.units, run) {
            (Units::Bytes, Run::Lines { offset, .. } | Run::Window { offset, .. }) => *offset,
            _ => self.state.raw,
        }
    }

    /// Where what is held ends.
    fn end(&self) -> u64 {
        self.at + self.held.len() as u64
    }
}

/// What one thread rewrites and proves with.
pub struct Rewriter<'c> {
    tools: &'c Tools<'c>,
    worker: Worker<'c>,
    strict: Worker<'c>,
    /// What was removed.
    pub kept: Kept,
    /// What was replaced.
    pub tally: Tally,
    /// Whether every line so far was read for itself, whatever stood before it.
    pub apart: bool,
    matches: Vec<Match>,
}

/// What a rewriter does beside removing what the scanner finds.
pub enum Search<'s> {
    /// Nothing: what has to be looked for is being collected.
    Collect,
    /// Looks for these too.
    For(&'s Searcher),
    /// Looks for what was removed so far, and withholds lines in which anything is left.
    Stream(&'s mut Searcher),
}

impl Search<'_> {
    fn searcher(&self) -> Option<&Searcher> {
        match self {
            Search::Collect => None,
            Search::For(s) => Some(s),
            Search::Stream(s) => Some(s),
        }
    }
}

impl<'c> Rewriter<'c> {
    /// A rewriter.
    pub fn new(tools: &'c Tools<'c>) -> Self {
        Rewriter {
            tools,
            worker: Worker::for_redaction(tools.config, tools.prefilter, false),
            strict: Worker::for_redaction(tools.config, tools.prefilter, true),
            kept: Kept::default(),
            tally: Tally::default(),
            apart: true,
            matches: Vec::new(),
        }
    }

    /// Appends to `out` what `run`, whose bytes in the source are `raw`, becomes.
    pub fn run(
        &mut self,
        run: &Run,
        raw: &[u8],
        flow: &mut Flow<'c>,
        search: &mut Search,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let Run::Lines { offset, bytes } = run else {
            return self.one(run, raw, flow, search, out);
        };
        // What columns there are changes at a header: what is changed has to be read by those that hold for it.
        let (mut begin, mut raw_begin) = (0, 0);
        let headed = flow.state.reader.headers || *offset < HEAD as u64;
        let headers = memchr::memmem::find_iter(if headed { bytes } else { &[] }, b"#Fields:")
            .filter(|&n| n > 0 && bytes[n - 1] == b'\n');
        for end in headers.chain([bytes.len()]) {
            let part = &bytes[begin..end];
            let raw_end = match flow.units {
                Units::Bytes => end,
                _ => raw_begin + 2 * utf16_units(part) as usize,
            };
            let run = Run::Lines {
                offset: offset + begin as u64,
                bytes: part,
            };
            self.one(&run, &raw[raw_begin..raw_end.min(raw.len())], flow, search, out)?;
            (begin, raw_begin) = (end, raw_end.min(raw.len()));
        }
        Ok(())
    }

    /// Writes what was held back because more was to come.
    pub fn finish(
        &mut self,
        flow: &mut Flow<'c>,
        search: &mut Search,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let run = Run::Lines {
            offset: flow.end(),
            bytes: &[],
        };
        self.worker.flush(&flow.place, &mut flow.state, &mut flow.counts);
        self.one(&run, &[], flow, search, out)
    }

    fn one(
        &mut self,
        run: &Run,
        raw: &[u8],
        flow: &mut Flow<'c>,
        search: &mut Search,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        self.apart &= matches!(run, Run::Lines { .. });
        let reader = flow.state.reader.clone();
        let raw_offset = flow.raw_offset(run);
        if flow.held.len() > MOST_HELD {
            self.worker.flush(&flow.place, &mut flow.state, &mut flow.counts);
        }
        let mut found = std::mem::take(&mut flow.waiting);
        found.append(&mut self.scan(false, run, flow));
        self.apart &= flow.state.pending.is_empty() && found.iter().all(|t| t.pieces.is_empty());
        if !flow.state.pending.is_empty() && flow.units != Units::Bytes {
            return Err(Trouble::Refused(
                "is UTF-16 with lines that a container runtime cut, which cannot be rewritten; convert it to UTF-8".into(),
            ));
        }
        let mut held = std::mem::take(&mut flow.held);
        let bytes = if held.is_empty() && raw_offset == flow.at {
            raw
        } else {
            let known = (flow.at + held.len() as u64).saturating_sub(raw_offset) as usize;
            held.extend_from_slice(raw.get(known..).unwrap_or_default());
            &held
        };
        let view = View {
            bytes,
            offset: flow.at,
        };
        let end = flow.at + bytes.len() as u64;
        let mut limit = match run {
            Run::Window {
                bytes, last: false, ..
            } => {
                let half = OVERLAP as u64 / 2;
                let own = match flow.units {
                    Units::Bytes => bytes.len() as u64 - half,
                    _ => 2 * utf16_units(&bytes[..bytes.len() - OVERLAP]) + 2 * half,
                };
                end.min(raw_offset + own)
            }
            _ => end,
        };
        if let Some(first) = flow.state.pending.first() {
            limit = limit.min(first);
        }
        found.retain(|t| t.exposure.span.start >= flow.at);
        found.sort_by_key(|t| t.exposure.span.start);
        let later = found.split_off(found.partition_point(|t| t.exposure.span.start < limit));
        // What begins in the end of a window is found again in the next one.
        if !matches!(run, Run::Window { last: false, .. }) {
            flow.waiting = later;
        }
        let mut edits = self.remove(&found, view, flow.units);
        if let Search::Stream(searcher) = search {
            std::mem::take(&mut self.kept)
                .iter()
                .for_each(|(f, v)| searcher.add(f, v));
        }
        if let Some(searcher) = search.searcher() {
            self.others(searcher, view, flow.units, limit, &mut edits);
        }
        if let Some(last) = edits.last() {
            limit = limit.max(last.span.end);
        }
        let upto = View {
            bytes: &bytes[..(limit - flow.at) as usize],
            ..view
        };
        self.lines(upto, &edits, &found, &reader, flow, search, out)?;
        if limit == end {
            flow.lines = flow.counts.lines;
        } else {
            flow.lines += flow.units.lines(upto.bytes);
        }
        flow.held = bytes[(limit - flow.at) as usize..].to_vec();
        flow.at = limit;
        Ok(())
    }

    /// What stands in `run`.
    fn scan(&mut self, strict: bool, run: &Run, flow: &mut Flow<'c>) -> Vec<Taken> {
        let worker = if strict {
            &mut self.strict
        } else {
            &mut self.worker
        };
        worker.run(run, &flow.place, &mut flow.state, &mut flow.counts);
        if strict {
            worker.flush(&flow.place, &mut flow.state, &mut flow.counts);
        }
        self.taken(strict)
    }

    /// Looks into every record of a document and gives what has to go; says why it was not read to its end.
    pub(super) fn document(
        &mut self,
        kind: document::Kind,
        input: &mut dyn Read,
        each: &mut dyn FnMut(Taken),
    ) -> Option<String> {
        let place = crate::scan::place("", 0);
        let mut counts = Counts::default();
        let (worker, least) = (&mut self.strict, self.tools.min_severity);
        let (_, read) = document::read(
            kind,
            input,
            &self.tools.config.formats,
            &|_| true,
            &mut |position, text, record, own| {
                worker.record(position, text, record, own.as_ref(), &place, &mut counts);
                let found = worker.taken.iter_mut().flat_map(|t| t.drain(..));
                found
                    .filter(|t| t.exposure.severity >= least)
                    .for_each(&mut *each);
            },
            None,
        );
        read.problem
    }

    /// The edits that remove what stands in a database's row, whose text begins at 0.
    pub(super) fn row(&mut self, number: i64, format: u16, row: &Row) -> Vec<Edit> {
        let place = crate::scan::place("", 0);
        let mut counts = Counts::default();
        let worker = &mut self.strict;
        row.give(Position::Row(number), format, &mut |at, text, record| {
            worker.record(at, text, record, None, &place, &mut counts);
        });
        let found = self.taken(true);
        let view = View {
            bytes: row.bytes(),
            offset: 0,
        };
        self.remove(&found, view, Units::Bytes)
    }

    /// What a worker has found that has to go.
    fn taken(&mut self, strict: bool) -> Vec<Taken> {
        let worker = if strict {
            &mut self.strict
        } else {
            &mut self.worker
        };
        let mut found = worker.taken.as_mut().map(std::mem::take).unwrap_or_default();
        found.retain(|t| t.exposure.severity >= self.tools.min_severity);
        found
    }

    fn pen(&self, units: Units) -> Pen<'c> {
        Pen {
            key: &self.tools.config.key,
            style: self.tools.style,
            units,
        }
    }

    /// The edits that remove what was found; counted.
    pub(super) fn remove(&mut self, found: &[Taken], view: View, units: Units) -> Vec<Edit> {
        for t in found {
            let rule = &self.tools.config.rules.rules[usize::from(t.exposure.rule)]
                .spec
                .id;
            match self.tally.rules.get_mut(rule.as_str()) {
                Some(n) => *n += 1,
                None => {
                    self.tally.rules.insert(rule.clone(), 1);
                }
            }
        }
        self.pen(units).edits(found, view, &mut self.kept)
    }

    /// Adds the edits that remove other occurrences that begin before `limit`; counted. What is edited already is left
    /// to its next round.
    pub(super) fn others(
        &mut self,
        searcher: &Searcher,
        view: View,
        units: Units,
        limit: u64,
        edits: &mut Vec<Edit>,
    ) {
        let mut matches = std::mem::take(&mut self.matches);
        matches.clear();
        searcher.find(view.bytes, &mut matches);
        let first = edits.len();
        for m in &matches {
            let span = view.offset + m.range.start as u64..view.offset + m.range.end as u64;
            let next = edits[..first].partition_point(|e| e.span.end <= span.start);
            let edited = edits[..first].get(next).is_some_and(|e| e.span.start < span.end);
            if edited || span.start >= limit {
                continue;
            }
            self.tally.others += 1;
            let with = self
                .pen(units)
                .text(&span, m.fingerprint, m.range.len() / units.width(), view);
            edits.push(Edit {
                span,
                with: units.encode(&with),
            });
        }
        edits.sort_by_key(|e| e.span.start);
        self.matches = matches;
    }

    /// Writes `view` with its edits, each group of lines that they change proved.
    #[allow(clippy::too_many_arguments)]
    fn lines(
        &mut self,
        view: View,
        edits: &[Edit],
        found: &[Taken],
        reader: &LineReader<'c>,
        flow: &Flow<'c>,
        search: &mut Search,
        out: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let index = |n: u64| (n.saturating_sub(view.offset) as usize).min(view.bytes.len());
        // Pieces of one line are proved together.
        let joined = found
            .iter()
            .filter_map(|t| Some(t.pieces.first()?.start..t.pieces.last()?.end));
        let mut spans: Vec<Range<usize>> = edits
            .iter()
            .map(|e| e.span.clone())
            .chain(joined)
            .map(|span| index(span.start)..index(span.end))
            .collect();
        spans.sort_by_key(|s| (s.start, s.end));
        let mut groups: Vec<Range<usize>> = Vec::new();
        for span in spans {
            match groups.last_mut() {
                // Its line was looked for already: a line may have very many.
                Some(last) if span.start <= last.end => {
                    if span.end > last.end {
                        last.end = flow.units.line_end(view.bytes, span.end);
                    }
                }
                _ => {
                    let start = flow.units.line_start(view.bytes, span.start);
                    groups.push(start..flow.units.line_end(view.bytes, span.end));
                }
            }
        }
        let mut at = 0;
        let mut rest = edits;
        for group in groups {
            out.extend_from_slice(&view.bytes[at..group.start]);
            let n = rest.partition_point(|e| e.span.start < view.offset + group.end as u64);
            let line = View {
                bytes: &view.bytes[group.clone()],
                offset: view.offset + group.start as u64,
            };
            match self.line(line, &rest[..n], reader, flow.units, search) {
                Some(text) => out.extend_from_slice(&text),
                None if matches!(search, Search::Stream(_)) => {
                    self.tally.withheld += 1;
                    let mark = super::style::mark(self.tools.config.key.fingerprint(line.bytes));
                    out.extend_from_slice(&flow.units.encode(&mark));
                }
                None => {
                    let before = flow.lines + flow.units.lines(&view.bytes[..group.start]);
                    return Err(Trouble::Left(before + 1));
                }
            }
            rest = &rest[n..];
            at = group.end;
        }
        out.extend_from_slice(&view.bytes[at..]);
        Ok(())
    }

    /// A line with its edits made, and whatever they uncover; `None` where something is left.
    fn line(
        &mut self,
        line: View,
        edits: &[Edit],
        reader: &LineReader<'c>,
        units: Units,
        search: &mut Search,
    ) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(line.bytes.len() + 32);
        apply(line, edits, &mut text);
        for _ in 0..ROUNDS {
            let view = View {
                bytes: &text,
                offset: line.offset,
            };
            let mut flow = Flow::new(reader.clone(), units, line.offset);
            let utf8 = units.decode(&text);
            // Offset 0 is that of a source's first line, whose byte order mark is no part of it.
            let offset = if units == Units::Bytes {
                line.offset
            } else {
                line.offset.max(1)
            };
            let run = Run::Lines { offset, bytes: &utf8 };
            let found = self.scan(true, &run, &mut flow);
            let mut edits = self.remove(&found, view, units);
            if let Search::Stream(searcher) = search {
                std::mem::take(&mut self.kept)
                    .iter()
                    .for_each(|(f, v)| searcher.add(f, v));
            }
            if let Some(searcher) = search.searcher() {
                self.others(searcher, view, units, u64::MAX, &mut edits);
            }
            if edits.is_empty() {
                return Some(text);
            }
            let mut next = Vec::with_capacity(text.len() + 32);
            apply(view, &edits, &mut next);
            text = next;
        }
        None
    }

    /// Whether a run of a copy holds anything: an error where the scanner finds something, else the number of
    /// places where a removed credential stands. What was `scanned` as it stands in the copy is only searched.
    pub fn prove(
        &mut self,
        run: &Run,
        raw: &[u8],
        flow: &mut Flow<'c>,
        searcher: &Searcher,
        scanned: bool,
    ) -> Result<u64, Trouble> {
        if !scanned && let Some(first) = self.scan(false, run, flow).first() {
            return Err(Trouble::Left(first.line));
        }
        let mut matches = std::mem::take(&mut self.matches);
        matches.clear();
        searcher.find(raw, &mut matches);
        let n = matches.len() as u64;
        self.matches = matches;
        Ok(n)
    }
}
