//! Sources that are read as a whole by a reader of their own: databases, and the documents of browsers.

use super::schedule::lock;
use super::source::Member;
use super::stream::{SPOOL, Stream};
use super::worker::{Counts, Place, Worker};
use crate::format::document::{self, Read as Outcome, WindowVisit, Worth};
use crate::format::history::database;
use crate::report::model::Status;
use std::cell::RefCell;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
        let ((format, read), counts) = self.records(&place, |worth, visit| {
            document::read(kind, &mut input, catalogue, worth, visit)
        });
        self.done(place, format, read, counts, input.bytes, compression);
    }

    /// A database, which is copied before it is read.
    pub(super) fn database(&mut self, name: &str, path: &Path, bytes: u64, compression: &[&'static str]) {
        let place = self.shared.place(name);
        let catalogue = &self.shared.config.formats;
        let (result, counts) = self.records(&place, |_, visit| {
            database::read(path, catalogue, &mut |at, text, r| visit(at, text, r, None))
        });
        match result {
            Ok(Some(d)) => self.done(place, d.format, d.read, counts, bytes, compression),
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

    /// Gives records to the worker, and what it finds on in order.
    fn records<T>(&mut self, place: &Place, read: impl FnOnce(&Worth, &mut WindowVisit) -> T) -> (T, Counts) {
        let mut counts = Counts::default();
        let (shared, order) = (self.shared, self.order);
        let (worker, units) = (RefCell::new(&mut *self.worker), &mut self.units);
        let first = *units;
        let mut submit = |worker: &mut Worker| {
            let mut unit = worker.take_unit(0);
            unit.restart = *units == first;
            shared.submit(order, *units, unit);
            *units += 1;
        };
        let out = read(
            &|bytes| worker.borrow_mut().worth(bytes),
            &mut |position, text, record, own| {
                let mut worker = worker.borrow_mut();
                worker.record(position, text, record, own.as_ref(), place, &mut counts);
                if worker.waiting() >= EVENTS {
                    submit(&mut worker);
                }
            },
        );
        submit(&mut worker.borrow_mut());
        (out, counts)
    }

    fn done(
        &mut self,
        place: Place,
        format: u16,
        read: Outcome,
        mut counts: Counts,
        bytes: u64,
        compression: &[&'static str],
    ) {
        let shared = self.shared;
        let compression = (!compression.is_empty()).then(|| compression.join("+"));
        let member = Arc::new(Member::document(place, compression, format));
        lock(&shared.results).members.push(member.clone());
        counts.lines = read.records;
        if let Some(problem) = read.problem {
            member.fail(Status::Partial, problem);
        }
        let progress = shared.progress;
        progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        progress.exposures.fetch_add(counts.exposures, Ordering::Relaxed);
        member.add(0, bytes, counts);
        self.finished(member.report(&shared.config.formats));
    }
}
