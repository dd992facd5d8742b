//! Who does what: threads take sources in order; large plain files are cut into chunks that any thread takes,
//! and what one thread decompresses another may scan. Every thread folds for itself, and the folds are merged
//! when all is done.

use super::document::Entries;
use super::events::{Order, Sink, Unit};
use super::plain::{Chunk, read_full};
use super::source::{Member, oddities, place, unread};
use super::stream::{Block, Stream, is_utf16};
use super::worker::{Place, Worker};
use super::{Config, Outcome, Progress, diagnostic};
use crate::detect::prefilter::Prefilter;
use crate::finding::{Aggregate, Position};
use crate::format::sniff::HEAD;
use crate::format::{document, history};
use crate::input::budget::Budget;
use crate::input::magic::{Magic, not_text_alone};
use crate::input::stop::Live;
use crate::input::{Candidate, Found};
use crate::platform;
use crate::report::model::{Diagnostic, Level, Source, Status};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a thread can take up.
pub(super) enum Job {
    Open(usize),
    Chunk(Chunk),
    Block(Block),
    Entries(Entries),
}

/// What waits for a thread.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) next: usize,
    pub(super) jobs: VecDeque<Job>,
    /// Threads that may still add jobs.
    pub(super) busy: usize,
    pub(super) buffers: Vec<Vec<u8>>,
}

/// What all threads see.
pub(super) struct Shared<'c, 's> {
    pub(super) config: &'c Config,
    pub(super) candidates: Vec<Candidate>,
    pub(super) queue: Mutex<Queue>,
    pub(super) wake: Condvar,
    pub(super) order: Option<Order<'s>>,
    pub(super) results: Mutex<Results>,
    pub(super) ids: AtomicU32,
    pub(super) progress: &'c Progress,
}

/// What has come of it so far.
#[derive(Default)]
pub(super) struct Results {
    pub(super) members: Vec<Arc<Member>>,
    pub(super) sources: Vec<Source>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) folded: Vec<Aggregate>,
}

/// Locks; a thread that panicked leaves nothing half done here.
pub(super) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a file up to which one thread reads it.
const SMALL: u64 = 16 << 10;

/// Whether a path is a file that one thread reads sooner than others are made.
pub fn is_small(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() < SMALL)
}

/// Reads everything that was found.
pub(super) fn run<'c, 's>(
    config: &'c Config,
    prefilter: &'c Prefilter<'c>,
    found: Found,
    events: Option<&'s mut (dyn Sink + Send + 's)>,
    progress: &'c Progress,
) -> Outcome {
    let jobs = config.jobs.max(1);
    let mut results = Results::default();
    results.sources.extend(
        found
            .passed_over
            .iter()
            .map(|p| unread(&p.name, p.status, &p.problem)),
    );
    let alone = found.candidates.len() == 1;
    if progress.shown {
        progress.total.store(sizes(&found.candidates), Ordering::Relaxed);
    }
    let shared = Shared {
        config,
        candidates: found.candidates,
        queue: Mutex::default(),
        wake: Condvar::new(),
        order: events.map(Order::new),
        results: Mutex::new(results),
        ids: AtomicU32::new(0),
        progress,
    };
    let work = || {
        let mut worker = Worker::new(config, prefilter, shared.order.is_some());
        shared.work(&mut worker);
        lock(&shared.results)
            .folded
            .push(std::mem::take(&mut worker.aggregate));
    };
    // One small file is read sooner than threads are made.
    let small = alone && is_small(&shared.candidates[0].path);
    let pool = (jobs > 1 && !small)
        .then(|| rayon::ThreadPoolBuilder::new().num_threads(jobs).build().ok())
        .flatten();
    match pool {
        Some(pool) => {
            pool.broadcast(|_| work());
        }
        None => work(),
    }
    let stopped = config.stop.asked();
    let mut results = shared
        .results
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let mut aggregate = Aggregate::default();
    for part in results.folded.drain(..) {
        aggregate.merge(part);
    }
    aggregate.settle();
    let mut bases = std::collections::HashMap::new();
    for member in &results.members {
        bases.insert(member.place.source, (member.line_bases(), member.begins()));
        results.sources.push(member.report(&config.formats));
        if config.formats.user.is_some() && member.sniffed.format.is_some() && !member.sniffed.own {
            let why = "the format that --log-format gives fits none of its first lines; they were read by the formats that are \
                       built in";
            let note = diagnostic(Level::Warning, &member.place.name, why);
            results.diagnostics.push(note);
        }
        let (deep, times) = member.oddities();
        results
            .diagnostics
            .extend(oddities(&member.place.name, deep, times));
    }
    aggregate.each_evidence(|e| {
        if let (Some((source, block)), Position::Line(n)) = (e.block.take(), e.position)
            && let Some((lines, part)) = bases.get(&source)
        {
            let base = lines.get(block as usize).copied().unwrap_or_default();
            (e.position, e.part) = (Position::Line(n + base), *part);
        }
    });
    Outcome {
        aggregate,
        sources: results.sources,
        diagnostics: results.diagnostics,
        stopped,
    }
}

/// Bytes of the files.
fn sizes(candidates: &[Candidate]) -> u64 {
    let files = candidates.iter().filter_map(|c| std::fs::metadata(&c.path).ok());
    files.map(|m| m.len()).sum()
}

/// A thread at work on a job.
struct Busy<'a, 'c, 's>(&'a Shared<'c, 's>);

impl Drop for Busy<'_, '_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(order) = &self.0.order
        {
            order.abandon();
        }
        lock(&self.0.queue).busy -= 1;
        self.0.wake.notify_all();
    }
}

impl<'c> Shared<'c, '_> {
    fn work(&self, worker: &mut Worker<'c>) {
        let mut buffer = Vec::new();
        while let Some(job) = self.take() {
            // Whatever becomes of the job, nobody waits for it for ever.
            let _busy = Busy(self);
            match job {
                Job::Open(n) => self.open(n, worker, &mut buffer),
                Job::Chunk(chunk) => self.chunk(&chunk, worker, &mut buffer),
                Job::Block(block) => self.block(block, worker),
                Job::Entries(entries) => self.entries(entries, worker),
            }
        }
    }

    /// The next job: what is begun goes before what is new. `None` when nothing can come any more.
    fn take(&self) -> Option<Job> {
        let mut queue = lock(&self.queue);
        loop {
            let job = queue.jobs.pop_front().or_else(|| {
                let n = queue.next;
                (n < self.candidates.len()).then(|| {
                    queue.next += 1;
                    Job::Open(n)
                })
            });
            if job.is_some() {
                queue.busy += 1;
                return job;
            }
            if queue.busy == 0 {
                self.wake.notify_all();
                return None;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn member(&self, place: Place, compression: &[&str], head: &[u8]) -> Arc<Member> {
        let compression = (!compression.is_empty()).then(|| compression.join("+"));
        let member = Arc::new(Member::new(place, compression, &self.config.formats, head));
        if let Some(why) = not_text_alone(head) {
            member.fail(Status::Partial, why.into());
        }
        lock(&self.results).members.push(member.clone());
        member
    }

    pub(super) fn unread(&self, name: &str, status: Status, problem: &str) -> Source {
        let source = unread(name, status, problem);
        lock(&self.results).sources.push(source.clone());
        source
    }

    pub(super) fn submit(&self, order: usize, unit: u32, content: Unit) {
        if let Some(o) = &self.order {
            o.submit(order, unit, content);
        }
    }

    pub(super) fn finish(&self, order: usize, units: u32) {
        self.progress.sources.fetch_add(1, Ordering::Relaxed);
        if let Some(o) = &self.order {
            o.finish(order, units);
        }
    }

    pub(super) fn place(&self, name: &str) -> Place {
        place(name, self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn open(&self, n: usize, worker: &mut Worker<'c>, buffer: &mut Vec<u8>) {
        let candidate = &self.candidates[n];
        let mut stream = Stream {
            shared: self,
            order: n,
            units: 0,
            budget: Budget::new(self.config.limits, 0),
            named: candidate.named,
            worker,
            buffer,
        };
        if let Some(why) = self.config.stop.asked() {
            stream.unread(
                &candidate.name,
                Status::Skipped,
                &format!("was not read: {}", why.text()),
            );
            let units = stream.units;
            return self.finish(n, units);
        }
        let path = candidate.path.clone();
        let live = if path.as_os_str() == "-" {
            Some(Live::new(|| Ok(io::stdin()), &self.config.stop))
        } else if std::fs::metadata(&path).is_ok_and(|m| platform::special(&m).is_some()) {
            Some(Live::new(move || platform::open_shared(&path), &self.config.stop))
        } else {
            None
        };
        if let Some(live) = live {
            let live = live.map(|l| stream.budget.packed(l));
            match live {
                Ok(live) if self.config.split.is_some() => {
                    stream.guarded(&candidate.name, |s| s.split(&candidate.name, live))
                }
                Ok(live) => stream.guarded(&candidate.name, |s| {
                    s.any(&candidate.name, Box::new(live), &[], 0)
                }),
                Err(e) => stream.unread(
                    &candidate.name,
                    Status::Skipped,
                    &format!("cannot be opened: {e}"),
                ),
            }
            let units = stream.units;
            return self.finish(n, units);
        }
        let opened = platform::open_shared(&candidate.path).and_then(|f| f.metadata().map(|m| (f, m)));
        let (file, meta) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                stream.unread(
                    &candidate.name,
                    Status::Skipped,
                    &format!("cannot be opened: {e}"),
                );
                let units = stream.units;
                return self.finish(n, units);
            }
        };
        stream.budget = Budget::new(self.config.limits, meta.len());
        let mut head = vec![0; HEAD.min(meta.len().try_into().unwrap_or(HEAD))];
        let got = read_full(&file, &mut head);
        head.truncate(got.as_ref().copied().unwrap_or(0));
        let magic = crate::input::magic::tell(&head);
        let document = document::sniff(&head, &candidate.name).is_some() && !is_utf16(&head);
        let lost = history::is_database_name(&candidate.name) && meta.is_file() && magic == Magic::Data;
        if lost && meta.len() == 0 {
            let text = history::Unreadable::Empty.to_string();
            let note = diagnostic(Level::Warning, &candidate.name, text);
            lock(&self.results).diagnostics.push(note);
        } else if lost && head.contains(&0) {
            stream.guarded(&candidate.name, |s| {
                s.database(&candidate.name, &candidate.path, meta.len(), &[])
            });
            let units = stream.units;
            return self.finish(n, units);
        }
        let plain = magic == Magic::Data && !is_utf16(&head) && !document && not_text_alone(&head).is_none();
        // Files of /proc and the like say that they are empty, and are not.
        if got.is_ok() && plain && meta.is_file() && meta.len() > 0 {
            return match &self.config.split {
                Some(split) => self.split(n, file, meta.len(), &head, split, worker, buffer),
                None => self.plain(n, file, meta.len(), &head, worker, buffer),
            };
        }
        if self.config.split.is_some() && meta.len() > 0 {
            stream.unread(&candidate.name, Status::Skipped, super::split::NOT_IN_PARTS);
            let units = stream.units;
            return self.finish(n, units);
        }
        stream.guarded(&candidate.name, |s| match (magic, &got) {
            (Magic::Zip, Ok(_)) => s.zip(&candidate.name, file, &[], 0),
            (Magic::Sqlite, Ok(_)) => s.database(&candidate.name, &candidate.path, meta.len(), &[]),
            _ => s.any(&candidate.name, Box::new(file), &[], 0),
        });
        let units = stream.units;
        self.finish(n, units);
    }

    pub(super) fn close(&self, member: &Member, order: usize, unit: u32) {
        let finished = Some(member.report(&self.config.formats));
        self.submit(
            order,
            unit,
            Unit {
                finished,
                ..Unit::default()
            },
        );
    }
}
