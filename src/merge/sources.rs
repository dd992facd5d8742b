//! The sources of joined reports: whole ones, and those that were read in parts. Parts tell their bytes and their
//! number of lines; with all of them at hand, lines that were counted from the beginning of a part are counted from
//! the beginning of the source.

use super::MergeError;
use crate::finding::{Evidence, Position};
use crate::report::model::{Diagnostic, Source, SourcePart, Status};
use crate::scan::oddities;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Sources by name. Joining is commutative and associative.
#[derive(Default)]
pub(super) struct Sources {
    all: BTreeMap<String, Joined>,
}

/// One source.
struct Joined {
    /// As it was told; where it came in parts, what is summed up of them.
    source: Source,
    /// Its parts by offset, as they came; none where it came whole.
    parts: BTreeMap<u64, SourcePart>,
    /// A part in which no line begins: it tells nothing but that there is a source.
    hollow: Option<SourcePart>,
    /// Where it was told of first.
    file: Arc<str>,
}

/// What lines of a part are counted from.
struct Base {
    /// Lines before it.
    lines: u64,
    /// Where the joined part begins; none where that is the source.
    part: Option<u64>,
}

/// Of every source that came in parts, what their lines are counted from.
#[derive(Default)]
pub(super) struct Lines(BTreeMap<String, BTreeMap<u64, Base>>);

impl Lines {
    /// Counts the lines of evidence anew.
    pub(super) fn resolve(&self, e: &mut Evidence) {
        let (Some(part), Position::Line(n)) = (e.part, e.position) else {
            return;
        };
        if let Some(base) = self.0.get(&*e.source).and_then(|s| s.get(&part)) {
            e.position = Position::Line(n + base.lines);
            e.part = base.part;
        }
    }
}

impl Joined {
    fn new(mut source: Source, file: Arc<str>) -> Joined {
        let mut parts = BTreeMap::new();
        let mut hollow: Option<SourcePart> = None;
        for part in std::mem::take(&mut source.parts) {
            if part.length > 0 {
                parts.insert(part.offset, part);
            } else if hollow.as_ref().is_none_or(|h| rank(&part) < rank(h)) {
                hollow = Some(part);
            }
        }
        Joined {
            source,
            parts,
            hollow,
            file,
        }
    }

    fn in_parts(&self) -> bool {
        !self.parts.is_empty() || self.hollow.is_some()
    }

    fn is_hollow(&self) -> bool {
        self.parts.is_empty() && self.hollow.is_some()
    }

    /// Whether any of its bytes were read.
    fn read(&self) -> bool {
        self.in_parts() || matches!(self.source.status, Status::Complete | Status::Partial)
    }

    /// Takes in what another told of the same source.
    fn join(&mut self, other: Joined) -> Result<(), MergeError> {
        let twice = |a: &Joined, b: &Joined, what: &str| MergeError::Overlap {
            file: b.file.to_string(),
            other: a.file.to_string(),
            source_name: format!("{what}{}", a.source.path),
        };
        match (self.read(), other.read()) {
            (true, false) => return Ok(()),
            (false, true) => {
                *self = other;
                return Ok(());
            }
            (false, false) => {
                // What is worse stays, whatever came first.
                let rank = |s: &Source| (s.status, s.problem.clone());
                if rank(&other.source) > rank(&self.source) {
                    self.source = other.source;
                }
                return Ok(());
            }
            // A part in which no line begins has nothing that the whole has not.
            (true, true) if !self.in_parts() && other.is_hollow() => return Ok(()),
            (true, true) if !other.in_parts() && self.is_hollow() => {
                *self = other;
                return Ok(());
            }
            (true, true) if !(self.in_parts() && other.in_parts()) => return Err(twice(self, &other, "")),
            (true, true) => {}
        }
        for (offset, part) in &other.parts {
            let end = part.offset + part.length;
            let before = self.parts.range(..end).next_back();
            if before.is_some_and(|(_, p)| p.offset + p.length > *offset) {
                let what = format!("bytes {offset} to {} of ", end - 1);
                return Err(twice(self, &other, &what));
            }
        }
        let (mine, theirs) = (&mut self.source, other.source);
        mine.bytes += theirs.bytes;
        mine.records += theirs.records;
        mine.unparsed += theirs.unparsed;
        mine.exposures += theirs.exposures;
        self.parts.extend(other.parts);
        if let Some(h) = other.hollow
            && self.hollow.as_ref().is_none_or(|mine| rank(&h) < rank(mine))
        {
            self.hollow = Some(h);
        }
        self.file = self.file.clone().min(other.file);
        Ok(())
    }

    /// Adjoining parts as one, and what lines of each part are counted from.
    fn settle(&mut self) -> BTreeMap<u64, Base> {
        let mut joined: Vec<SourcePart> = Vec::new();
        let mut bases: Vec<(u64, u64, usize)> = Vec::new();
        for (offset, part) in std::mem::take(&mut self.parts) {
            match joined.last_mut() {
                Some(last) if last.offset + last.length == offset => {
                    bases.push((offset, last.lines, joined.len() - 1));
                    if let Some(last) = joined.last_mut() {
                        append(last, part);
                    }
                }
                _ => {
                    bases.push((offset, 0, joined.len()));
                    joined.push(part);
                }
            }
        }
        if joined.is_empty() {
            joined.extend(self.hollow.take());
        }
        let source = &mut self.source;
        if let Some(told) = joined.iter().find(|p| p.format.is_some()).or(joined.first()) {
            (source.format, source.surface) = (told.format.clone(), told.surface);
        }
        let worst = joined
            .iter()
            .max_by_key(|p| (p.status, std::cmp::Reverse(p.offset)));
        if let Some(worst) = worst {
            (source.status, source.problem) = (worst.status, worst.problem.clone());
        }
        let whole = matches!(joined.as_slice(), [one] if one.offset == 0 && !one.more);
        if !whole && source.status == Status::Complete {
            source.status = Status::Partial;
            source.problem = Some(missing(&joined));
        }
        let bases = bases.into_iter().map(|(offset, lines, at)| {
            let part = (!whole).then(|| joined[at].offset);
            (offset, Base { lines, part })
        });
        let bases = bases.collect();
        source.parts = if whole { Vec::new() } else { joined };
        bases
    }
}

/// Of two parts without lines, that which is kept.
fn rank(part: &SourcePart) -> (u64, bool) {
    (part.offset, part.more)
}

/// Adds the part that follows.
fn append(to: &mut SourcePart, next: SourcePart) {
    to.length += next.length;
    to.lines += next.lines;
    to.more = next.more;
    if to.format.is_none() {
        (to.format, to.surface) = (next.format, next.surface);
    }
    if next.status > to.status {
        (to.status, to.problem) = (next.status, next.problem);
    }
    to.deep += next.deep;
    to.bad_times += next.bad_times;
}

/// What is missing between parts.
fn missing(parts: &[SourcePart]) -> String {
    let mut gaps = Vec::new();
    let mut at = 0;
    for p in parts {
        if p.offset > at {
            gaps.push(format!("bytes {at} to {}", p.offset - 1));
        }
        at = p.offset + p.length;
    }
    if parts.last().is_some_and(|p| p.more) {
        gaps.push(format!("what follows byte {}", at.saturating_sub(1)));
    }
    let more = match gaps.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let first = gaps.first().cloned().unwrap_or_default();
    format!("was read in parts of which some are missing: {first}{more}")
}

impl Sources {
    /// Adds those of a report, and hands on what it says of them; `file` names it in errors.
    pub(super) fn add(
        &mut self,
        sources: Vec<Source>,
        diagnostics: Vec<Diagnostic>,
        file: &str,
    ) -> Result<Vec<Diagnostic>, MergeError> {
        // What is said of sums is said anew when they are joined.
        let sums: Vec<Diagnostic> = sources.iter().flat_map(of_parts).collect();
        let file: Arc<str> = file.into();
        for source in sources {
            self.put(source.path.clone(), Joined::new(source, file.clone()))?;
        }
        let own = |d: &Diagnostic| !d.gate && !sums.contains(d);
        Ok(diagnostics.into_iter().filter(own).collect())
    }

    fn put(&mut self, name: String, joined: Joined) -> Result<(), MergeError> {
        match self.all.entry(name) {
            Entry::Occupied(mut e) => e.get_mut().join(joined),
            Entry::Vacant(v) => {
                v.insert(joined);
                Ok(())
            }
        }
    }

    /// The sources as reports tell them, what their lines are counted from, and what is to be said of them.
    pub(super) fn finish(self) -> (Vec<Source>, Lines, Vec<Diagnostic>) {
        let (mut sources, mut lines, mut said) = (Vec::new(), Lines::default(), Vec::new());
        for (name, mut joined) in self.all {
            if joined.in_parts() {
                let sums = |p: &SourcePart| (p.deep, p.bad_times);
                let (deep, times) = joined.parts.values().map(sums).fold((0, 0), add);
                said.extend(oddities(&name, deep, times));
                let bases = joined.settle();
                lines.0.insert(name, bases);
            }
            sources.push(joined.source);
        }
        (sources, lines, said)
    }
}

fn add(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 + b.0, a.1 + b.1)
}

/// What a report says of the sums over a source's parts.
fn of_parts(source: &Source) -> impl Iterator<Item = Diagnostic> {
    let sums = source.parts.iter().map(|p| (p.deep, p.bad_times));
    let (deep, times) = sums.fold((0, 0), add);
    oddities(&source.path, deep, times)
}
