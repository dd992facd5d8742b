//! One source on its way through the scanner: what it is, what came of it, and the counts that its blocks add
//! up to.

use super::diagnostic;
use super::worker::{Counts, Place};
use crate::format::sniff::{Sniffed, sniff};
use crate::format::{Catalogue, LineFormat};
use crate::record::Surface;
use crate::report::model::{Diagnostic, Level, Source, SourcePart, Status};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A source that is being read.
#[derive(Debug)]
pub struct Member {
    /// Where its exposures stand.
    pub place: Place,
    /// Compression, outermost first.
    pub compression: Option<String>,
    /// What its head says; set before the first block.
    pub sniffed: Sniffed,
    /// Bytes read, counts and what went wrong.
    totals: Mutex<Totals>,
    /// Blocks that are not finished, and one for the reading itself.
    open: AtomicUsize,
    /// Whether it is a part of a source that is read.
    pub part: bool,
}

#[derive(Debug, Default)]
struct Totals {
    bytes: u64,
    counts: Counts,
    problem: Option<(Status, String)>,
    /// Lines of each block.
    lines: Vec<u64>,
    /// Of a part: its bytes, and whether the source goes on behind them.
    own: (Range<u64>, bool),
}

impl Member {
    /// A source with that head.
    pub fn new(place: Place, compression: Option<String>, catalogue: &Catalogue, head: &[u8]) -> Member {
        let sniffed = sniff(catalogue, head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head));
        Member {
            place,
            compression,
            sniffed,
            totals: Mutex::default(),
            open: AtomicUsize::new(1),
            part: false,
        }
    }

    /// A source that is read as a whole, by a reader of that format.
    pub fn document(place: Place, compression: Option<String>, format: u16) -> Member {
        Member {
            place,
            compression,
            sniffed: Sniffed {
                format: Some(LineFormat {
                    format,
                    wrapper: None,
                }),
                headers: false,
                own: true,
                in_order: true,
            },
            totals: Mutex::default(),
            open: AtomicUsize::new(1),
            part: false,
        }
    }

    fn totals<T>(&self, f: impl FnOnce(&mut Totals) -> T) -> T {
        f(&mut self.totals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A block is about to be worked on.
    pub fn begin(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    /// A block is finished, or the reading is; true for whoever finishes last.
    pub fn end(&self) -> bool {
        self.open.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Adds a block's counts.
    pub fn add(&self, block: u32, bytes: u64, counts: Counts) {
        self.totals(|t| {
            t.bytes += bytes;
            let at = block as usize;
            if t.lines.len() <= at {
                t.lines.resize(at + 1, 0);
            }
            t.lines[at] += counts.lines;
            t.counts.add(counts);
        });
    }

    /// Something went wrong; the first of the worst stays.
    pub fn fail(&self, status: Status, problem: String) {
        self.totals(|t| {
            if t.problem.as_ref().is_none_or(|(s, _)| *s < status) {
                t.problem = Some((status, problem));
            }
        });
    }

    /// Takes over what another has counted.
    pub fn take(&self, other: &Member) {
        let totals = other.totals(std::mem::take);
        self.totals(|t| *t = totals);
    }

    /// Of a part: which bytes it had, and whether the source goes on behind them.
    pub fn is(&self, own: Range<u64>, more: bool) {
        self.totals(|t| t.own = (own, more));
    }

    /// Of a part: where it begins.
    pub fn begins(&self) -> Option<u64> {
        self.part.then(|| self.totals(|t| t.own.0.start))
    }

    /// How many of its records were nested too deeply, and how many times could not be read.
    pub fn oddities(&self) -> (u64, u64) {
        self.totals(|t| (t.counts.deep, t.counts.bad_times))
    }

    /// Lines before each block.
    pub fn line_bases(&self) -> Vec<u64> {
        self.totals(|t| {
            t.lines
                .iter()
                .scan(0, |sum, n| {
                    let base = *sum;
                    *sum += n;
                    Some(base)
                })
                .collect()
        })
    }

    /// As reports tell it.
    pub fn report(&self, catalogue: &Catalogue) -> Source {
        let format = self.sniffed.format.map(|f| {
            let id = &catalogue.get(f.format).spec.id;
            f.wrapper.map_or_else(|| id.clone(), |w| format!("{w}+{id}"))
        });
        let surface = self
            .sniffed
            .format
            .map_or(Surface::Text, |f| catalogue.get(f.format).spec.surface);
        // What was not followed to its end was not read whole.
        let problem = |t: &Totals| {
            let deep = (t.counts.deep > 0).then(|| (Status::Partial, DEEP.to_string()));
            t.problem.clone().or(deep)
        };
        let status = |t: &Totals| problem(t).map_or(Status::Complete, |(s, _)| s);
        let part = |t: &Totals| SourcePart {
            offset: t.own.0.start,
            length: t.own.0.end - t.own.0.start,
            lines: t.counts.lines,
            more: t.own.1,
            surface,
            format: format.clone(),
            status: status(t),
            problem: problem(t).map(|(_, p)| p),
            deep: t.counts.deep,
            bad_times: t.counts.bad_times,
        };
        self.totals(|t| Source {
            parts: self.part.then(|| part(t)).into_iter().collect(),
            path: self.place.name.to_string(),
            surface,
            format: format.clone(),
            compression: self.compression.clone(),
            bytes: t.bytes,
            records: t.counts.lines,
            unparsed: t.counts.unparsed,
            exposures: t.counts.exposures,
            status: status(t),
            problem: problem(t).map(|(_, p)| p),
        })
    }
}

/// A source that was not read.
pub fn unread(name: &str, status: Status, problem: &str) -> Source {
    Source {
        path: name.to_string(),
        surface: Surface::Text,
        format: None,
        compression: None,
        bytes: 0,
        records: 0,
        unparsed: 0,
        exposures: 0,
        status,
        problem: Some(problem.to_string()),
        parts: Vec::new(),
    }
}

/// What is wrong with a source that has records which nest too deeply.
const DEEP: &str = "what is nested too deeply in some of its records was not followed to the end; what was reached was scanned";

/// What is said of a source with so many records that were nested too deeply, and so many times that could not be read.
pub fn oddities(name: &str, deep: u64, times: u64) -> impl Iterator<Item = Diagnostic> + use<> {
    let deep = (deep > 0).then(|| {
        let text = format!(
            "{deep} records were nested too deeply to be followed to the end; what was reached was scanned"
        );
        diagnostic(Level::Warning, name, text)
    });
    let times = (times > 0).then(|| {
        let text = format!(
            "{times} exposures stand in records whose time is none; they have no time in this report"
        );
        diagnostic(Level::Note, name, text)
    });
    deep.into_iter().chain(times)
}

/// A place for a source of that name.
pub fn place(name: &str, source: u32) -> Place {
    Place {
        name: Arc::from(name),
        site: crate::finding::stem(name).into(),
        writers: crate::finding::Writers::of(name),
        source,
        block: 0,
        utf16: false,
    }
}
