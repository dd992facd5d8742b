//! Sources that are read by entries and not by lines: each record that their reader gives is scanned where it is
//! given, so that nothing of the source is held but what the reader holds.

use super::events::Unit;
use super::source::Member;
use super::stream::Stream;
use super::worker::{Counts, Place, Worker};
use crate::format::{Kind, har};
use crate::report::model::Status;
use std::cell::RefCell;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Events that wait for a unit to be full.
const EVENTS: usize = 1024;

impl Stream<'_, '_, '_, '_> {
    /// A HAR.
    pub(super) fn document(
        &mut self,
        name: &str,
        form: har::Form,
        input: impl Read,
        compression: &[&'static str],
    ) {
        let shared = self.shared;
        let formats = &shared.config.formats;
        let format = formats.by_kind(Kind::Har);
        let compression = (!compression.is_empty()).then(|| compression.join("+"));
        let member = Arc::new(Member::of_format(shared.place(name), compression, format));
        super::schedule::lock(&shared.results)
            .members
            .push(member.clone());
        let place: Place = member.place.clone();
        let mut counts = Counts::default();
        let mut input = Counted {
            inner: input,
            bytes: 0,
        };
        let worker: RefCell<&mut Worker> = RefCell::new(self.worker);
        let (order, units) = (self.order, &mut self.units);
        let read = har::read(
            form,
            &mut input,
            format,
            &|bytes| worker.borrow_mut().worth(bytes),
            &mut |position, whole, record, own| {
                let mut worker = worker.borrow_mut();
                worker.record(position, whole, record, own.as_ref(), &place, &mut counts);
                if worker.events.as_ref().is_some_and(|e| e.len() >= EVENTS) {
                    shared.submit(order, *units, worker.take_unit(0));
                    *units += 1;
                }
            },
        );
        shared.progress.bytes.fetch_add(input.bytes, Ordering::Relaxed);
        shared
            .progress
            .exposures
            .fetch_add(counts.exposures, Ordering::Relaxed);
        counts.lines = read.records;
        member.add(0, input.bytes, counts);
        if let Some(problem) = read.problem {
            member.fail(Status::Partial, problem);
        }
        let last = self.worker.take_unit(0);
        shared.submit(self.order, self.units, last);
        shared.submit(
            self.order,
            self.units + 1,
            Unit {
                finished: Some(member.report(formats)),
                ..Unit::default()
            },
        );
        self.units += 2;
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }
}
