//! Scanning a part of a plain file, or of a stream that is one: finding out what the source is and which header is in
//! force, reading, and saying what came of it. Which lines are the part's own is `part`'s business.

use super::part::{self, Split};
use super::plain::{Headers, header_index};
use super::schedule::{Shared, lock};
use super::source::Member;
use super::stream::{Stream, is_utf16};
use super::worker::{Counts, Reading, Worker};
use super::{events::Unit, guard};
use crate::format::sniff::HEAD;
use crate::format::{LineReader, document, w3c};
use crate::input::magic::{self, Magic};
use crate::platform;
use crate::report::model::Status;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is said of a source that cannot be read from its middle.
pub(super) const NOT_IN_PARTS: &str =
    "cannot be read in parts, because it is no plain text of single lines; scan it whole";

/// What is said where pieces of lines reach back further than what was given.
const UNKNOWN: &str = "lines that the container runtime cut reach back further than what was given of the source; \
     give more of what stands before the part";

/// How much of a file is searched for its last header at a time, in bytes.
const BACK: u64 = 4 << 20;

impl<'c> Shared<'c, '_> {
    /// Scans a part of a plain file.
    #[allow(clippy::too_many_arguments)] // as reading all of it, and the part
    pub(super) fn split(
        &self,
        order: usize,
        file: File,
        size: u64,
        head: &[u8],
        split: &Split,
        worker: &mut Worker<'c>,
        buffer: &mut Vec<u8>,
    ) {
        let member = self.part(&self.candidates[order].name, head);
        let own = split.range.start..split.range.end.min(size).max(split.range.start);
        let mut read = |buf: &mut [u8], at: u64| {
            self.config.stop.check()?;
            platform::read_at(&file, buf, at)
        };
        let before = part::begin(own.start, &mut read)
            .and_then(|from| Ok((from, header(&file, &member, own.start, &self.config.stop)?)));
        match before {
            Ok((from, headers)) => {
                let mut reader = LineReader::new(&self.config.formats, member.sniffed.headers);
                headers.before(own.start, &mut reader);
                let bytes = |buf: &mut [u8], at: u64| {
                    let n = read(buf, at)?;
                    self.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
                    Ok(n)
                };
                let mut state = Reading::new(reader);
                let mut counts = Counts::default();
                let place = member.place.clone();
                let done = part::read(
                    buffer,
                    from,
                    false,
                    true,
                    own,
                    bytes,
                    worker,
                    &place,
                    &mut state,
                    &mut counts,
                );
                self.tell(&member, done, counts);
            }
            Err(e) => {
                member.is(own.start..own.start, true);
                member.fail(Status::Partial, format!("could not be read before the part: {e}"));
            }
        }
        self.end(order, 0, &member, worker);
        self.finish(order, 2);
    }

    /// A source of which a part is read.
    fn part(&self, name: &str, head: &[u8]) -> Arc<Member> {
        let mut member = Member::new(self.place(name), None, &self.config.formats, head);
        member.part = true;
        let member = Arc::new(member);
        lock(&self.results).members.push(member.clone());
        member
    }

    /// Takes down what came of reading a part.
    fn tell(&self, member: &Member, done: part::Read, counts: Counts) {
        if !done.whole {
            member.fail(Status::Partial, guard::BROKEN.into());
        }
        if !done.known {
            member.fail(Status::Partial, UNKNOWN.into());
        }
        if let Some(e) = done.problem {
            let text = format!("could not be read beyond byte {}: {e}", done.own.end);
            member.fail(Status::Partial, text);
        }
        self.progress
            .exposures
            .fetch_add(counts.exposures, Ordering::Relaxed);
        member.add(0, done.own.end - done.own.start, counts);
        member.is(done.own, done.more);
    }

    /// Hands on what was found, as the units from `unit` on.
    fn end(&self, order: usize, unit: u32, member: &Member, worker: &mut Worker<'c>) {
        self.submit(order, unit, worker.take_unit(0));
        let finished = Some(member.report(&self.config.formats));
        let last = Unit {
            finished,
            ..Unit::default()
        };
        self.submit(order, unit + 1, last);
    }
}

impl<'c> Stream<'_, '_, '_, 'c> {
    /// Scans a stream that is a part of a source.
    pub(super) fn split<R: Read>(&mut self, name: &str, mut input: R) {
        let shared = self.shared;
        let Some(split) = &shared.config.split else { return };
        let mut seen = Vec::new();
        let failed = input.by_ref().take(HEAD as u64).read_to_end(&mut seen).err();
        let head = split.head.as_deref().unwrap_or(&seen);
        let head = &head[..head.len().min(HEAD)];
        let packed = |bytes: &[u8]| {
            magic::tell(bytes) != Magic::Data || is_utf16(bytes) || magic::not_text_alone(bytes).is_some()
        };
        let first = split.head.as_deref().or((split.offset == 0).then_some(&seen));
        if first.is_some_and(|f| packed(f) || document::sniff(f, name).is_some()) {
            return self.unread(name, Status::Skipped, NOT_IN_PARTS);
        }
        let member = shared.part(name, head);
        let mut reader = LineReader::new(&shared.config.formats, member.sniffed.headers);
        if let Some(fields) = split.header.as_deref().and_then(w3c::Fields::parse) {
            (reader.headers, reader.fields) = (true, Some(Arc::new(fields)));
        } else if split.offset > 0 && reader.headers {
            // Where no other is given, the head's last holds.
            for line in head.split(|b| *b == b'\n') {
                let line = line
                    .strip_prefix(b"\xEF\xBB\xBF")
                    .unwrap_or(line)
                    .trim_ascii_end();
                if let Some(day) = w3c::day(line) {
                    reader.day = Some(day);
                } else if let Some(fields) = w3c::Fields::parse(line) {
                    reader.fields = Some(Arc::new(fields.on(reader.day)));
                }
            }
        }
        let mut input = io::Cursor::new(seen).chain(input);
        let mut failed = failed;
        let bytes = |buf: &mut [u8], _: u64| {
            let n = loop {
                match input.read(buf) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
            if n == 0
                && let Some(e) = failed.take()
            {
                return Err(e);
            }
            shared.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
            Ok(n)
        };
        let mut state = Reading::new(reader);
        let mut counts = Counts::default();
        let place = member.place.clone();
        let inside = split.offset > 0 && split.offset < split.range.start;
        let done = part::read(
            self.buffer,
            split.offset,
            inside,
            !member.sniffed.in_order,
            split.range.clone(),
            bytes,
            self.worker,
            &place,
            &mut state,
            &mut counts,
        );
        shared.tell(&member, done, counts);
        shared.end(self.order, self.units, &member, self.worker);
        self.units += 2;
    }
}

/// What is in force at `start`: the last `#Fields` line that begins before it, and the day where rows do not say it.
fn header(file: &File, member: &Member, start: u64, stop: &crate::input::stop::Stop) -> io::Result<Headers> {
    let mut out = Headers::default();
    // From the back, so that what stands near is found soon.
    let mut end = if member.sniffed.headers { start } else { 0 };
    while end > 0 && !out.suffices() {
        let from = end.saturating_sub(BACK);
        stop.check()?;
        out.behind(header_index(file, from..end, usize::MAX, stop)?);
        end = from;
    }
    Ok(out)
}
