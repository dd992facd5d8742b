//! Sources that are read as a whole by a reader of their own: databases, and the documents of browsers.

use super::guard;
use super::schedule::{Job, Shared, lock};
use super::source::Member;
use super::stream::{SPOOL, Stream};
use super::worker::{Counts, Place, Worker};
use crate::finding::Position;
use crate::format::Kind;
use crate::format::document::{self, Read as Outcome, WindowVisit, Worth};
use crate::format::har::{Batch, Hand};
use crate::format::history::database;
use crate::record::Record;
use crate::report::model::Status;
use crate::text::Text;
use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};

/// Events that are held before they are handed on.
const EVENTS: usize = 1024;

/// Counts what is read.
struct Counted<'r> {
    inner: &'r mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

/// A source that several threads may read, and the unit in which it ends.
struct Others {
    member: Arc<Member>,
    last: Arc<AtomicU32>,
}

/// Entries of a capture that one thread has cut out and another reads.
pub(super) struct Entries {
    member: Arc<Member>,
    order: usize,
    unit: u32,
    batch: Batch,
    last: Arc<AtomicU32>,
}

impl Stream<'_, '_, '_, '_> {
    /// A document, from its first byte on.
    pub(super) fn document(
        &mut self,
        kind: document::Kind,
        name: &str,
        input: &mut dyn Read,
        compression: &[&'static str],
    ) {
        let place = self.shared.place(name);
        let mut input = Counted {
            inner: input,
            bytes: 0,
        };
        let catalogue = &self.shared.config.formats;
        // A capture's entries can be read by other threads, too.
        let others = match kind {
            document::Kind::Har(_) if self.shared.config.jobs > 1 && self.worker.offsets.is_none() => {
                let format = catalogue.by_kind(Kind::Har);
                let member = Member::document(place.clone(), joined(compression), format);
                Some(Others {
                    member: Arc::new(member),
                    last: Arc::default(),
                })
            }
            _ => None,
        };
        let (read, counts) = self.records(&place, others.as_ref(), |worth, visit, hand| {
            document::read(kind, &mut input, catalogue, worth, visit, hand)
        });
        let (format, read) = read.unwrap_or_else(|| (catalogue.by_kind(Kind::Text), broken()));
        let offsets = self.worker.offsets.as_ref();
        let bytes = offsets.map_or(input.bytes, |o| {
            o.lock().unwrap_or_else(PoisonError::into_inner).end()
        });
        let others = others.unwrap_or_else(|| Others {
            member: Arc::new(Member::document(place, joined(compression), format)),
            last: Arc::default(),
        });
        self.done(&others, read, counts, bytes);
    }

    /// A database, which is copied before it is read.
    pub(super) fn database(&mut self, name: &str, path: &Path, bytes: u64, compression: &[&'static str]) {
        let place = self.shared.place(name);
        let catalogue = &self.shared.config.formats;
        let (result, counts) = self.records(&place, None, |_, visit, _| {
            database::read(path, catalogue, &mut |at, text, r| visit(at, text, r, None))
        });
        let Some(result) = result else {
            return self.unread(name, Status::Partial, guard::BROKEN);
        };
        match result {
            Ok(Some(d)) => {
                let one = Others {
                    member: Arc::new(Member::document(place, joined(compression), d.format)),
                    last: Arc::default(),
                };
                self.done(&one, d.read, counts, bytes);
            }
            Ok(None) if self.named => {
                let why = "is a database of no known kind; export its contents as text and scan that";
                self.unread(name, Status::Skipped, why);
            }
            Ok(None) => self.unread(name, Status::Ignored, "a database of no known kind"),
            Err(e) => self.unread(name, Status::Skipped, &e.to_string()),
        }
    }

    /// A database out of an archive or a stream: it is put aside first.
    pub(super) fn spooled_database<R: Read>(
        &mut self,
        name: &str,
        mut input: R,
        compression: &[&'static str],
    ) {
        let spooled = tempfile::NamedTempFile::new().and_then(|mut f| {
            let n = io::copy(&mut input.by_ref().take(SPOOL + 1), &mut f)?;
            Ok((f, n))
        });
        match spooled {
            Ok((_, n)) if n > SPOOL => {
                let why = "is a database of more than 4 GiB inside an archive; unpack it and scan that";
                self.unread(name, Status::Skipped, why);
            }
            Ok((file, n)) => self.database(name, file.path(), n, compression),
            Err(e) => {
                let why = format!("the database cannot be put aside for reading: {e}");
                self.unread(name, Status::Skipped, &why);
            }
        }
    }

    /// Gives records to the worker, and what it finds on in order. Batches go to other threads that have nothing else
    /// to do, where others may read, too. `None` where the reader broke; what it had found stays, and is in order.
    fn records<T>(
        &mut self,
        place: &Place,
        others: Option<&Others>,
        read: impl FnOnce(&Worth, &mut WindowVisit, Option<&mut Hand>) -> T,
    ) -> (Option<T>, Counts) {
        let mut counts = Counts::default();
        let (shared, order) = (self.shared, self.order);
        let (worker, units) = (RefCell::new(&mut *self.worker), Cell::new(self.units));
        let first = self.units;
        let submit = || {
            let mut unit = worker.borrow_mut().take_unit(0);
            unit.restart = units.get() == first;
            shared.submit(order, units.get(), unit);
            units.set(units.get() + 1);
        };
        let mut hand = |batch: Batch| {
            let others = others.filter(|_| !batch.is_empty())?;
            let queue = lock(&shared.queue);
            if queue.jobs.len() >= 2 * shared.config.jobs || queue.next < shared.candidates.len() {
                return Some(batch);
            }
            drop(queue);
            // What was found before it comes first; it may have to wait for what others have.
            submit();
            others.member.begin();
            let job = Entries {
                member: others.member.clone(),
                order,
                unit: units.get(),
                batch,
                last: others.last.clone(),
            };
            units.set(units.get() + 1);
            lock(&shared.queue).jobs.push_back(Job::Entries(job));
            shared.wake.notify_one();
            None
        };
        let mut visit = |position: Position, text: Text, record: &Record, own: Option<Range<u64>>| {
            let waiting = {
                let mut worker = worker.borrow_mut();
                worker.record(position, text, record, own.as_ref(), place, &mut counts);
                worker.waiting()
            };
            if waiting >= EVENTS {
                submit();
            }
        };
        let worth = |bytes: &[u8]| worker.borrow_mut().worth(bytes);
        let hand: Option<&mut Hand> = others.is_some().then_some(&mut hand);
        let out = guard::guarded(|| read(&worth, &mut visit, hand));
        submit();
        self.units = units.get();
        (out, counts)
    }

    fn done(&mut self, source: &Others, read: Outcome, mut counts: Counts, bytes: u64) {
        let (shared, member) = (self.shared, &source.member);
        lock(&shared.results).members.push(member.clone());
        counts.lines = read.records;
        if let Some(problem) = read.problem {
            member.fail(Status::Partial, problem);
        }
        let progress = shared.progress;
        progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        progress.exposures.fetch_add(counts.exposures, Ordering::Relaxed);
        member.add(0, bytes, counts);
        source.last.store(self.units, Ordering::SeqCst);
        self.units += 1;
        if member.end() {
            shared.close(member, self.order, source.last.load(Ordering::SeqCst));
        }
    }
}

impl<'c> Shared<'c, '_> {
    /// Reads a batch that another thread has cut out.
    pub(super) fn entries(&self, entries: Entries, worker: &mut Worker<'c>) {
        let Entries {
            member,
            order,
            unit,
            batch,
            last,
        } = entries;
        let mut counts = Counts::default();
        let format = self.config.formats.by_kind(Kind::Har);
        let worker = RefCell::new(worker);
        let worth = |bytes: &[u8]| worker.borrow_mut().worth(bytes);
        let mut visit = |position: Position, text: Text, record: &Record, own: Option<Range<u64>>| {
            let mut worker = worker.borrow_mut();
            worker.record(position, text, record, own.as_ref(), &member.place, &mut counts);
        };
        if guard::guarded(|| batch.read(format, &worth, &mut visit)).is_none() {
            member.fail(Status::Partial, guard::BROKEN.into());
        }
        self.progress
            .exposures
            .fetch_add(counts.exposures, Ordering::Relaxed);
        member.add(0, 0, counts);
        let content = worker.borrow_mut().take_unit(0);
        self.submit(order, unit, content);
        if member.end() {
            self.close(&member, order, last.load(Ordering::SeqCst));
        }
    }
}

/// What came of a document whose reader broke.
fn broken() -> Outcome {
    Outcome {
        records: 0,
        problem: Some(guard::BROKEN.into()),
    }
}

fn joined(compression: &[&'static str]) -> Option<String> {
    (!compression.is_empty()).then(|| compression.join("+"))
}
