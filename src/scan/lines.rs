//! Blocks of lines and windows of long ones: which lines are read, what is around them in the source, and how those that a
//! container runtime cut are put together.

use super::pieces::Lane;
use super::worker::{Counts, Place, Reading, Worker};
use crate::detect::prefilter::Candidate;
use crate::finding::Position;
use crate::format::LineReader;
use crate::format::wrapper::{self, DOCKER_CUT};
use crate::input::lines::{OVERLAP, Run};
use crate::record::Record;
use crate::text::{Base, Text, utf16_units};
use std::ops::Range;
use std::sync::Arc;

impl<'c> Worker<'c> {
    /// Scans a run. `counts.lines` is the number of lines before it in its block, and after it.
    pub fn run(&mut self, run: &Run, place: &Place, state: &mut Reading<'c>, counts: &mut Counts) {
        match run {
            Run::Lines { offset, bytes } => {
                if self.every_line || state.reader.fields.as_ref().is_some_and(|f| f.hides_names) {
                    self.all_lines(*offset, bytes, place, state, counts);
                } else {
                    self.candidate_lines(*offset, bytes, place, state, counts);
                }
                if place.utf16 {
                    state.raw += 2 * utf16_units(bytes);
                }
            }
            Run::Window {
                offset,
                bytes,
                first,
                last,
                terminated,
            } => {
                let line = counts.lines + 1;
                let length = bytes.len() as u64;
                let half = OVERLAP as u64 / 2;
                let own = if *first { 0 } else { half }..if *last { length } else { length - half };
                self.window(*offset, bytes, own, line, place, state, counts);
                if place.utf16 {
                    let fresh = if *last {
                        bytes
                    } else {
                        &bytes[..bytes.len() - OVERLAP]
                    };
                    state.raw += 2 * utf16_units(fresh);
                }
                counts.lines += u64::from(*last && (*terminated || !bytes.is_empty()));
            }
        }
    }

    fn base(offset: u64, start: usize, bytes: &[u8], place: &Place, state: &Reading) -> Base<'static> {
        if place.utf16 {
            Base::Utf16 {
                offset: state.raw + 2 * utf16_units(&bytes[..start]),
            }
        } else {
            Base::Source {
                offset: offset + start as u64,
            }
        }
    }

    fn all_lines(
        &mut self,
        offset: u64,
        bytes: &[u8],
        place: &Place,
        state: &mut Reading<'c>,
        counts: &mut Counts,
    ) {
        let mut at = 0;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
            counts.lines += 1;
            self.line(offset, at, end, bytes, place, state, counts);
            at = end + 1;
        }
    }

    fn candidate_lines(
        &mut self,
        offset: u64,
        bytes: &[u8],
        place: &Place,
        state: &mut Reading<'c>,
        counts: &mut Counts,
    ) {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        let newlines = self.prefilter.candidates(bytes, &mut candidates);
        cut_lines(bytes, &mut candidates);
        candidates.sort_unstable_by_key(|c| c.at);
        let before = counts.lines;
        // Start of the first line that has not been looked at.
        let mut at = self.pending_lines(offset, 0, bytes, place, state, counts);
        for candidate in &candidates {
            if candidate.at < at {
                continue;
            }
            let start = memchr::memrchr(b'\n', &bytes[at..candidate.at]).map_or(at, |n| at + n + 1);
            counts.lines = before + candidate.lines as u64 + 1;
            let end = memchr::memchr(b'\n', &bytes[candidate.at..]).map_or(bytes.len(), |n| candidate.at + n);
            self.line(offset, start, end, bytes, place, state, counts);
            at = (end + 1).min(bytes.len());
            // Headers and cut lines change how what follows is read.
            if state.reader.fields.as_ref().is_some_and(|f| f.hides_names) {
                self.candidates = candidates;
                let mut inner = place.clone();
                inner.block = place.block;
                let rest = &bytes[at..];
                let keep = state.raw;
                if place.utf16 {
                    state.raw += 2 * utf16_units(&bytes[..at]);
                }
                self.all_lines(offset + at as u64, rest, &inner, state, counts);
                state.raw = keep;
                return;
            }
            at = self.pending_lines(offset, at, bytes, place, state, counts);
        }
        counts.lines = before + newlines as u64 + u64::from(bytes.last().is_some_and(|&b| b != b'\n'));
        self.candidates = candidates;
    }

    /// Lines from `at` on, one by one, as long as pieces wait for their last; gives where the next begins.
    fn pending_lines(
        &mut self,
        offset: u64,
        mut at: usize,
        bytes: &[u8],
        place: &Place,
        state: &mut Reading<'c>,
        counts: &mut Counts,
    ) -> usize {
        while !state.pending.is_empty() && at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
            counts.lines += 1;
            self.line(offset, at, end, bytes, place, state, counts);
            at = (end + 1).min(bytes.len());
        }
        at
    }

    /// One line, `bytes[start..end]` of a run at `offset`.
    #[allow(clippy::too_many_arguments)] // where it stands, in bytes and in lines
    fn line(
        &mut self,
        offset: u64,
        start: usize,
        end: usize,
        bytes: &[u8],
        place: &Place,
        state: &mut Reading<'c>,
        counts: &mut Counts,
    ) {
        let mut start = start;
        let begin = offset + start as u64;
        if offset == 0 && start == 0 && bytes.starts_with(b"\xEF\xBB\xBF") && !place.utf16 {
            start = 3.min(end);
        }
        let raw = &bytes[start..end];
        let here = offset + start as u64;
        if here + 8 <= crate::format::sniff::HEAD as u64
            && raw.starts_with(b"#")
            && [&b"#Fields:"[..], b"#Date:"].iter().any(|w| raw.starts_with(w))
        {
            state.reader.headers = true;
        }
        while let Some(lane) = state.pending.overdue(here) {
            self.join(&lane, place, state, counts);
        }
        let piece = match raw.first() {
            Some(b'{') if raw.len() < DOCKER_CUT && state.pending.is_empty() => None,
            Some(b'{') => wrapper::docker(raw),
            _ => wrapper::cri(raw),
        };
        if let Some(piece) = piece.filter(|p| p.partial || state.pending.waits(p.stream)) {
            if let Some(lane) = state.pending.add(&piece, raw, here) {
                self.join(&lane, place, state, counts);
            }
            return;
        }
        if !state.own.contains(&begin) {
            // Of what stands before, headers are in force.
            if raw.starts_with(b"#") && begin < state.own.start {
                let base = Base::Source { offset: here };
                state.reader.read(Text::new(raw, &base), &mut |_| {});
            }
            return;
        }
        let base = Self::base(offset, start, bytes, place, state);
        let text = Text::new(raw, &base);
        let line = counts.lines;
        self.text(text, text, place, &mut state.reader, line, counts, None);
    }

    /// Reads the pieces at hand as lines: the last have come, or never will.
    pub fn flush(&mut self, place: &Place, state: &mut Reading<'c>, counts: &mut Counts) {
        while let Some(lane) = state.pending.next() {
            self.join(&lane, place, state, counts);
        }
    }

    /// A line that was put together.
    fn join(&mut self, lane: &Lane, place: &Place, state: &mut Reading<'c>, counts: &mut Counts) {
        if !lane.begins().is_some_and(|at| state.own.contains(&at)) {
            return;
        }
        let base = Base::Joined { pieces: &lane.pieces };
        let text = Text::new(&lane.bytes, &base);
        let line = counts.lines;
        if self.taken.is_some() {
            self.joined = text.pieces().into();
        }
        self.text(text, text, place, &mut state.reader, line, counts, None);
        self.joined = Arc::default();
    }

    /// A window of a line: what begins in `own` counts.
    #[allow(clippy::too_many_arguments)]
    fn window(
        &mut self,
        offset: u64,
        bytes: &[u8],
        own: Range<u64>,
        line: u64,
        place: &Place,
        state: &mut Reading<'c>,
        counts: &mut Counts,
    ) {
        let end = if bytes.ends_with(b"\n") {
            bytes.len() - 1
        } else {
            bytes.len()
        };
        if !self.every_line {
            let mut candidates = std::mem::take(&mut self.candidates);
            candidates.clear();
            self.prefilter.candidates(bytes, &mut candidates);
            let none = candidates.is_empty();
            self.candidates = candidates;
            if none {
                return;
            }
        }
        let base = Self::base(offset, 0, bytes, place, state);
        let text = Text::new(&bytes[..end], &base);
        let from = base_offset(&base);
        // Offsets in UTF-16 are about twice those of the text; the halves of the overlap are as good a border.
        let scale = if place.utf16 { 2 } else { 1 };
        let own = from + own.start * scale..if own.end == bytes.len() as u64 {
            u64::MAX
        } else {
            from + own.end * scale
        };
        self.text(text, text, place, &mut state.reader, line, counts, Some(own));
    }

    #[allow(clippy::too_many_arguments)]
    fn text(
        &mut self,
        line: Text,
        whole: Text,
        place: &Place,
        reader: &mut LineReader<'c>,
        number: u64,
        counts: &mut Counts,
        own: Option<Range<u64>>,
    ) {
        let found = reader.read(line, &mut |record: &Record| {
            let whole = record.whole.unwrap_or(whole);
            self.record(Position::Line(number), whole, record, own.as_ref(), place, counts);
        });
        // A line in windows counts once: for the first of them.
        let counts_here = own.as_ref().is_none_or(|own| own.start == line.span().start);
        if counts_here && found.is_some_and(|f| f.format == self.text) {
            counts.unparsed += 1;
        }
    }
}

/// Adds the lines that docker may have cut, which nothing in them tells but their length.
fn cut_lines(bytes: &[u8], out: &mut Vec<Candidate>) {
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + DOCKER_CUT) {
        at += match memchr::memrchr(b'\n', head) {
            // What ends before is shorter.
            Some(n) => n + 1,
            None => {
                if head.starts_with(wrapper::DOCKER) {
                    let lines = memchr::memchr_iter(b'\n', &bytes[..at]).count();
                    out.push(Candidate { at, lines });
                }
                let rest = &bytes[at + DOCKER_CUT..];
                DOCKER_CUT + memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1)
            }
        };
    }
}

fn base_offset(base: &Base) -> u64 {
    match base {
        Base::Source { offset } | Base::Utf16 { offset } => *offset,
        Base::Decoded { .. } | Base::Joined { .. } => 0,
    }
}
