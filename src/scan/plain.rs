//! Plain files: cut into chunks at lines, which any thread reads by positioned reads.

use super::events::Unit;
use super::schedule::{Job, Shared, lock};
use super::source::Member;
use super::worker::{Counts, Place, Reading, Worker};
use super::{diagnostic, guard};
use crate::format::{LineReader, w3c};
use crate::input::lines::{Run, Runs};
use crate::input::stop::Stop;
use crate::platform;
use crate::report::model::{Level, Status};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Plain files larger than this are cut into chunks of this size, in bytes.
const CHUNK: u64 = 4 << 20;

/// `#Fields` lines of one file whose places are remembered; a file with more is read in order.
const MAX_HEADERS: usize = 4096;

/// A chunk of a plain file.
pub(super) struct Chunk {
    file: Arc<Plain>,
    number: u32,
}

/// A plain file that is being read.
struct Plain {
    file: File,
    size: u64,
    chunks: u32,
    chunk_size: u64,
    member: Arc<Member>,
    /// Number of the candidate, for the order of events.
    order: usize,
    /// Where each `#Fields` stands.
    headers: Headers,
}

/// Where `#Fields` lines begin and what they say, and the same of `#Date` lines: as many of the one as of the other may
/// be remembered.
#[derive(Default)]
pub(super) struct Headers {
    fields: Vec<(u64, Arc<w3c::Fields>)>,
    days: Vec<(u64, w3c::Day)>,
}

impl Headers {
    fn len(&self) -> usize {
        self.fields.len().max(self.days.len())
    }

    /// Puts a reader that begins at `start` into the state that reading up to there would have given it.
    pub(super) fn before(&self, start: u64, reader: &mut LineReader) {
        let day = self.days.iter().rev().find(|(at, _)| *at < start);
        let fields = self.fields.iter().rev().find(|(at, _)| *at < start);
        reader.day = day.map(|(_, day)| *day);
        reader.fields = fields.map(|(_, f)| match reader.day {
            Some(_) => Arc::new(w3c::Fields::clone(f).on(reader.day)),
            None => f.clone(),
        });
    }

    /// Adds what stands before it in the file.
    pub(super) fn behind(&mut self, mut earlier: Headers) {
        earlier.fields.append(&mut self.fields);
        earlier.days.append(&mut self.days);
        *self = earlier;
    }

    /// Whether a reader behind them knows its columns, and the day where these do not say it.
    pub(super) fn suffices(&self) -> bool {
        let last = self.fields.last();
        last.is_some_and(|(_, f)| !f.lacks_day() || !self.days.is_empty())
    }
}

impl<'c> Shared<'c, '_> {
    pub(super) fn plain(
        &self,
        order: usize,
        file: File,
        size: u64,
        head: &[u8],
        worker: &mut Worker<'c>,
        buffer: &mut Vec<u8>,
    ) {
        let candidate = &self.candidates[order];
        let member = self.member(self.place(&candidate.name), &[], head);
        let mut headers = Headers::default();
        let mut chunk_size = if self.config.jobs == 1 && self.order.is_none() {
            u64::MAX
        } else {
            CHUNK
        };
        if member.sniffed.in_order {
            chunk_size = u64::MAX;
        } else if member.sniffed.headers && size > chunk_size {
            match header_index(&file, 0..size, MAX_HEADERS, &self.config.stop) {
                Ok(index) if index.len() < MAX_HEADERS => headers = index,
                // Too many, or what the reading in order will say.
                _ => chunk_size = u64::MAX,
            }
        }
        let chunks = u32::try_from(size.div_ceil(chunk_size)).unwrap_or(u32::MAX);
        let file = Arc::new(Plain {
            file,
            size,
            chunks,
            chunk_size,
            member,
            order,
            headers,
        });
        (1..chunks).for_each(|_| file.member.begin());
        if chunks > 1 {
            let mut queue = lock(&self.queue);
            // In front of what is queued already only if that belongs to later sources, which it never does.
            queue.jobs.extend((1..chunks).map(|number| {
                Job::Chunk(Chunk {
                    file: file.clone(),
                    number,
                })
            }));
            self.wake.notify_all();
        }
        self.chunk(&Chunk { file, number: 0 }, worker, buffer);
    }

    pub(super) fn chunk(&self, chunk: &Chunk, worker: &mut Worker<'c>, buffer: &mut Vec<u8>) {
        let plain = &chunk.file;
        let member = &plain.member;
        let start = u64::from(chunk.number).saturating_mul(plain.chunk_size);
        let last = chunk.number + 1 == plain.chunks;
        let end = if last {
            plain.size
        } else {
            start + plain.chunk_size
        };
        let place = Place {
            block: chunk.number,
            ..member.place.clone()
        };
        let mut reader = LineReader::new(&self.config.formats, member.sniffed.headers);
        plain.headers.before(start, &mut reader);
        let mut state = Reading::new(reader);
        let mut counts = Counts::default();
        let mut runs = Runs::new(
            std::mem::take(buffer),
            start.saturating_sub(u64::from(start > 0)),
            end,
            start > 0,
        );
        let mut reached = start;
        let mut whole = true;
        let result = runs.drive(
            |buf, at| {
                self.config.stop.check()?;
                let n = platform::read_at(&plain.file, buf, at)?;
                reached = reached.max(at + n as u64);
                self.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            },
            |run| {
                whole &= guard::run(worker, &run, &place, &mut state, &mut counts);
                true
            },
        );
        whole &= guard::guarded(|| worker.flush(&place, &mut state, &mut counts)).is_some();
        *buffer = runs.into_buffer();
        if !whole {
            member.fail(Status::Partial, guard::BROKEN.into());
        }
        if let Err(e) = result {
            member.fail(
                Status::Partial,
                format!("could not be read beyond byte {reached}: {e}"),
            );
        } else if last && reached < plain.size {
            member.fail(
                Status::Partial,
                format!("was cut to {reached} bytes while it was read; scan it again"),
            );
        }
        self.progress
            .exposures
            .fetch_add(counts.exposures, Ordering::Relaxed);
        member.add(chunk.number, end.min(reached.max(start)) - start, counts);
        let unit = worker.take_unit(counts.lines);
        self.submit(plain.order, chunk.number, unit);
        if member.end() {
            self.grown(plain);
            let finished = Some(member.report(&self.config.formats));
            self.submit(
                plain.order,
                plain.chunks,
                Unit {
                    finished,
                    ..Unit::default()
                },
            );
            self.finish(plain.order, plain.chunks + 1);
        }
    }

    /// A log that grew while it was read was read to the size that it had; that is said.
    fn grown(&self, plain: &Plain) {
        let now = plain.file.metadata().map_or(plain.size, |m| m.len());
        if now > plain.size {
            let text = format!(
                "grew by {} bytes while it was read; what was added is not in this report",
                now - plain.size
            );
            lock(&self.results)
                .diagnostics
                .push(diagnostic(Level::Note, &plain.member.place.name, text));
        }
    }
}

/// Reads until `buf` is full or the file ends.
pub(super) fn read_full(file: &File, buf: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < buf.len() {
        match platform::read_at(file, &mut buf[at..], at as u64)? {
            0 => break,
            n => at += n,
        }
    }
    Ok(at)
}

/// Where the first `most` of the `#Fields` and `#Date` lines stand that begin in a range of a file, and what they say.
pub(super) fn header_index(file: &File, range: Range<u64>, most: usize, stop: &Stop) -> io::Result<Headers> {
    let mut out = Headers::default();
    let from = range.start;
    let mut runs = Runs::new(Vec::new(), from.saturating_sub(1), range.end, from > 0);
    let finders = [&b"Fields:"[..], b"#Date:"].map(memchr::memmem::Finder::new);
    runs.drive(
        |buf, at| stop.check().and_then(|()| platform::read_at(file, buf, at)),
        |run| {
            let Run::Lines { offset, bytes } = run else {
                return true;
            };
            for at in finders.iter().flat_map(|f| f.find_iter(bytes)) {
                let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |n| n + 1);
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
                let line = &bytes[start..end];
                let line = match line.strip_prefix(b"\xEF\xBB\xBF") {
                    Some(line) if offset + start as u64 == 0 => line,
                    _ => line,
                };
                // As in reading: a hole may stand before it.
                let hole = line.iter().take_while(|b| **b == 0).count();
                let line = line[hole..].trim_ascii_end();
                let place = offset + start as u64;
                if let Some(day) = w3c::day(line) {
                    if out.days.last().is_none_or(|(_, d)| *d != day) {
                        out.days.push((place, day));
                    }
                } else if let Some(fields) = w3c::Fields::parse(line)
                    && out.fields.last().is_none_or(|(_, f)| **f != fields)
                {
                    out.fields.push((place, Arc::new(fields)));
                }
            }
            out.len() < most
        },
    )?;
    Ok(out)
}
