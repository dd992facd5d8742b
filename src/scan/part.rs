//! A part of a source instead of the whole: which lines are its own, what has to be read before and behind them so that
//! they read as they would in the whole, and where a part that stands alone has that from.
//!
//! A part owns the lines that begin in its range. A line that a container runtime cut belongs to the part in which its
//! first piece begins: reading begins early enough that pieces which wait at the beginning are known, and goes on behind
//! the end until the part's own are complete.

use super::worker::{Counts, Place, Reading, Worker};
use super::{guard, pieces};
use crate::format::wrapper;
use crate::input::lines::{Run, Runs};
use std::cell::Cell;
use std::io;
use std::ops::Range;

/// What is scanned of a source where it is not the whole.
#[derive(Clone, Debug)]
pub struct Split {
    /// Lines that begin in it are scanned.
    pub range: Range<u64>,
    /// Of a stream: where in its source its first byte stands.
    pub offset: u64,
    /// Of a stream: the first bytes of its source, which tell its format.
    pub head: Option<Vec<u8>>,
    /// Of a stream: the last header line (`#Fields`) before the part.
    pub header: Option<Vec<u8>>,
}

/// What came of reading a part.
pub(super) struct Read {
    /// Its own bytes.
    pub own: Range<u64>,
    /// Whether the source goes on behind them.
    pub more: bool,
    /// Whether all of it was scanned: no error of ours ended a run.
    pub whole: bool,
    /// Whether it was known which pieces of lines wait at its beginning.
    pub known: bool,
    /// What ended the reading too early.
    pub problem: Option<io::Error>,
}

/// How much of what stands before a part is kept to tell which pieces wait, in bytes.
const BEFORE: usize = 8 << 20;

/// Reads the lines that begin in `own` and scans them. `from` is where reading begins: the beginning of a line, or, with
/// `inside`, any byte before `own`. Where `known` says so, no piece waits that begins before that. `counts` are those of the part's own lines in the end.
#[allow(clippy::too_many_arguments)] // what a worker needs, and where from
pub(super) fn read<'c>(
    buffer: &mut Vec<u8>,
    from: u64,
    inside: bool,
    known: bool,
    own: Range<u64>,
    mut bytes: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    worker: &mut Worker<'c>,
    place: &Place,
    state: &mut Reading<'c>,
    counts: &mut Counts,
) -> Read {
    let reached = Cell::new(from);
    let ended = Cell::new(false);
    let mut next = |buf: &mut [u8], at: u64| {
        let n = bytes(buf, at)?;
        ended.set(n == 0 && !buf.is_empty());
        reached.set(reached.get().max(at + n as u64));
        Ok(n)
    };
    state.own = own.clone();
    let mut out = Read {
        own: own.start..own.start,
        more: false,
        whole: true,
        known: true,
        problem: None,
    };
    let mut runs = Runs::new(std::mem::take(buffer), from, own.start, inside);
    let mut result = Ok(());
    // What stands before tells which pieces wait.
    if from < own.start {
        let mut before = Vec::new();
        let mut base = None;
        let mut unused = Counts::default();
        result = runs.drive(&mut next, |run| {
            if let Run::Lines { offset, bytes } = &run
                && !known
            {
                if before.len() + bytes.len() > BEFORE {
                    before.clear();
                    base = None;
                }
                base.get_or_insert(*offset);
                before.extend_from_slice(bytes);
            }
            if let Run::Lines { .. } = run {
                out.whole &= guard::run(worker, &run, place, state, &mut unused);
            }
            true
        });
        let base = base.unwrap_or(own.start);
        out.known = known || inside && waiting(&before, base).is_some() || from == 0;
    }
    // Its own lines.
    if result.is_ok() {
        let mut first = None;
        runs.go_on(own.end);
        result = runs.drive(&mut next, |run| {
            let (offset, length) = match &run {
                Run::Lines { offset, bytes } | Run::Window { offset, bytes, .. } => (*offset, bytes.len()),
            };
            first.get_or_insert(offset);
            out.own.end = offset + length as u64;
            out.whole &= guard::run(worker, &run, place, state, counts);
            true
        });
        if let Some(first) = first {
            out.own.start = first;
        }
    }
    // The rest of lines that began in it.
    let mut behind = *counts;
    if result.is_ok() && state.pending.waits_in(&own) {
        runs.go_on(u64::MAX);
        result = runs.drive(&mut next, |run| {
            match run {
                Run::Lines { .. } => out.whole &= guard::run(worker, &run, place, state, &mut behind),
                Run::Window { last, .. } => behind.lines += u64::from(last),
            }
            state.pending.waits_in(&own)
        });
    }
    out.whole &= guard::guarded(|| worker.flush(place, state, &mut behind)).is_some();
    *counts = Counts {
        lines: counts.lines,
        ..behind
    };
    // A byte more tells whether the source goes on.
    if result.is_ok() && reached.get() <= out.own.end && !ended.get() {
        result = next(&mut [0], reached.get()).map(|_| ());
    }
    out.more = reached.get() > out.own.end;
    out.problem = result.err();
    *buffer = runs.into_buffer();
    out
}

/// Where the first of the pieces of lines stands that wait behind `lines`, which stand at `base`; the end of `lines` where
/// none does, nothing where `lines` do not reach back far enough to tell.
pub(super) fn waiting(lines: &[u8], base: u64) -> Option<u64> {
    let end = base + lines.len() as u64;
    let mut first: [Option<u64>; 2] = [None; 2];
    let mut tail = [base; 2];
    let mut known = [base == 0; 2];
    let reach = pieces::MAX as u64;
    let mut at = 0;
    while at < lines.len() {
        let line_end = memchr::memchr(b'\n', &lines[at..]).map_or(lines.len(), |n| at + n);
        let line = &lines[at..line_end];
        let here = base + at as u64;
        at = line_end + 1;
        let piece = match line.first() {
            Some(b'{') => wrapper::docker(line),
            _ => wrapper::cri(line),
        };
        let Some(piece) = piece else { continue };
        let s = piece.stream;
        if here > tail[s] + reach {
            // What waited before was given up.
            (first[s], known[s]) = (None, true);
        }
        if piece.partial {
            first[s].get_or_insert(here);
        } else {
            (first[s], known[s]) = (None, true);
        }
        tail[s] = base + line_end as u64;
    }
    for s in 0..2 {
        if end > tail[s] + reach {
            (first[s], known[s]) = (None, true);
        }
    }
    known
        .iter()
        .all(|k| *k)
        .then(|| first.iter().flatten().copied().min().unwrap_or(end))
}

/// Where reading has to begin so that every piece which waits at `start` is known; `read` fills a buffer from an offset.
pub(super) fn begin(
    start: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<u64> {
    let mut back = 2 * pieces::MAX as u64;
    loop {
        let from = start.saturating_sub(back);
        let mut bytes = vec![0; (start - from) as usize];
        let mut got = 0;
        while got < bytes.len() {
            match read(&mut bytes[got..], from + got as u64)? {
                0 => break,
                n => got += n,
            }
        }
        bytes.truncate(got);
        // The first line that is whole, and the last that begins before the start.
        let first = match from {
            0 => Some(0),
            _ => memchr::memchr(b'\n', &bytes).map(|n| n + 1),
        };
        let last = memchr::memrchr(b'\n', &bytes).map_or(0, |n| n + 1);
        if let Some(first) = first.filter(|f| *f <= last) {
            let lines = &bytes[first..last];
            let found = waiting(lines, from + first as u64);
            if from == 0 || found.is_some() {
                let end = (from + last as u64).min(start);
                return Ok(found.unwrap_or(0).min(end));
            }
        } else if from == 0 {
            return Ok(0);
        }
        back = back.saturating_mul(4);
    }
}
