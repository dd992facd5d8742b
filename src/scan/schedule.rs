//! Who does what: threads take sources in order; large plain files are cut into chunks that any thread takes,
//! and what one thread decompresses another may scan. Every thread folds for itself, and the folds are merged
//! when all is done.

use super::events::{Order, Sink, Unit};
use super::source::{Member, place, unread};
use super::worker::{Counts, Place, Reading, Worker};
use super::{Config, Outcome, Progress, diagnostic};
use crate::detect::prefilter::Prefilter;
use crate::finding::{Aggregate, Position};
use crate::format::sniff::HEAD;
use crate::format::{LineReader, w3c};
use crate::input::lines::{Run, Runs};
use crate::input::magic::Magic;
use crate::input::open::{MAX_NESTING, Peek, Utf16, decompress};
use crate::input::stop::{Live, Stop, Watched};
use crate::input::{Candidate, Found};
use crate::platform;
use crate::report::model::{Diagnostic, Level, Source, Status};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Plain files larger than this are cut into chunks of this size, in bytes.
const CHUNK: u64 = 4 << 20;

/// `#Fields` lines of one file whose places are remembered; a file with more is read in order.
const MAX_HEADERS: usize = 4096;

/// A chunk of a plain file.
struct Chunk {
    file: Arc<Plain>,
    number: u32,
}

struct Plain {
    file: File,
    size: u64,
    chunks: u32,
    chunk_size: u64,
    member: Arc<Member>,
    /// Number of the candidate, for the order of events.
    order: usize,
    /// Where each `#Fields` stands.
    headers: Vec<(u64, Arc<w3c::Fields>)>,
}

/// A run that one thread has read and another scans.
struct Block {
    member: Arc<Member>,
    order: usize,
    unit: u32,
    block: u32,
    run: OwnedRun,
    /// The unit in which the source ends.
    last: Arc<AtomicU32>,
}

enum OwnedRun {
    Lines(u64, Vec<u8>),
}

enum Job {
    Open(usize),
    Chunk(Chunk),
    Block(Block),
}

#[derive(Default)]
struct Queue {
    next: usize,
    jobs: VecDeque<Job>,
    /// Threads that may still add jobs.
    busy: usize,
    buffers: Vec<Vec<u8>>,
}

/// What all threads see.
struct Shared<'c, 's> {
    config: &'c Config,
    candidates: Vec<Candidate>,
    queue: Mutex<Queue>,
    wake: Condvar,
    order: Option<Order<'s>>,
    results: Mutex<Results>,
    ids: AtomicU32,
    progress: &'c Progress,
}

#[derive(Default)]
struct Results {
    members: Vec<Arc<Member>>,
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
    folded: Vec<Aggregate>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
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
    let total: u64 = found
        .candidates
        .iter()
        .filter_map(|c| std::fs::metadata(&c.path).ok())
        .map(|m| m.len())
        .sum();
    progress.total.store(total, Ordering::Relaxed);
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
    match rayon::ThreadPoolBuilder::new().num_threads(jobs).build() {
        Ok(pool) if jobs > 1 => {
            pool.broadcast(|_| work());
        }
        _ => work(),
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
        bases.insert(member.place.source, member.line_bases());
        results.sources.push(member.report(&config.formats));
        let (deep, times) = member.oddities();
        if deep > 0 {
            let text = format!(
                "{deep} records were nested too deeply to be followed to the end; what was reached was scanned"
            );
            results
                .diagnostics
                .push(diagnostic(Level::Warning, &member.place.name, text));
        }
        if times > 0 {
            let text = format!(
                "{times} exposures stand in records whose time is none; they have no time in this report"
            );
            results
                .diagnostics
                .push(diagnostic(Level::Note, &member.place.name, text));
        }
    }
    aggregate.each_evidence(|e| {
        if let (Some((source, block)), Position::Line(n)) = (e.block.take(), e.position) {
            let base = bases
                .get(&source)
                .and_then(|b: &Vec<u64>| b.get(block as usize))
                .copied()
                .unwrap_or_default();
            e.position = Position::Line(n + base);
        }
    });
    Outcome {
        aggregate,
        sources: results.sources,
        diagnostics: results.diagnostics,
        stopped,
    }
}

impl<'c> Shared<'c, '_> {
    fn work(&self, worker: &mut Worker<'c>) {
        let mut buffer = Vec::new();
        while let Some(job) = self.take() {
            match job {
                Job::Open(n) => self.open(n, worker, &mut buffer),
                Job::Chunk(chunk) => self.chunk(&chunk, worker, &mut buffer),
                Job::Block(block) => self.block(block, worker),
            }
            let mut queue = lock(&self.queue);
            queue.busy -= 1;
            self.wake.notify_all();
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

    fn member(&self, place: Place, compression: &[&str], head: &[u8]) -> Arc<Member> {
        let compression = (!compression.is_empty()).then(|| compression.join("+"));
        let member = Arc::new(Member::new(place, compression, &self.config.formats, head));
        lock(&self.results).members.push(member.clone());
        member
    }

    fn unread(&self, name: &str, status: Status, problem: &str) -> Source {
        let source = unread(name, status, problem);
        lock(&self.results).sources.push(source.clone());
        source
    }

    fn submit(&self, order: usize, unit: u32, content: Unit) {
        if let Some(o) = &self.order {
            o.submit(order, unit, content);
        }
    }

    fn finish(&self, order: usize, units: u32) {
        self.progress.sources.fetch_add(1, Ordering::Relaxed);
        if let Some(o) = &self.order {
            o.finish(order, units);
        }
    }

    fn place(&self, name: &str) -> Place {
        place(name, self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn open(&self, n: usize, worker: &mut Worker<'c>, buffer: &mut Vec<u8>) {
        let candidate = &self.candidates[n];
        let mut stream = Stream {
            shared: self,
            order: n,
            units: 0,
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
            match live {
                Ok(live) => stream.any(&candidate.name, Box::new(live), &[], 0),
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
        let mut head = vec![0; if meta.len() > 0 { HEAD } else { 0 }];
        let got = read_full(&file, &mut head);
        head.truncate(got.as_ref().copied().unwrap_or(0));
        let plain = crate::input::magic::tell(&head) == Magic::Data && !is_utf16(&head);
        // Files of /proc and the like say that they are empty, and are not.
        if got.is_ok() && plain && meta.is_file() && meta.len() > 0 {
            return self.plain(n, file, meta.len(), &head, worker, buffer);
        }
        if let (Magic::Zip, Ok(_)) = (crate::input::magic::tell(&head), &got) {
            stream.zip(&candidate.name, file, &[], 0);
        } else {
            stream.any(&candidate.name, Box::new(file), &[], 0);
        }
        let units = stream.units;
        self.finish(n, units);
    }

    fn plain(
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
        let mut headers = Vec::new();
        let mut chunk_size = if self.config.jobs == 1 && self.order.is_none() {
            u64::MAX
        } else {
            CHUNK
        };
        if member.sniffed.in_order {
            chunk_size = u64::MAX;
        } else if member.sniffed.headers && size > chunk_size {
            match header_index(&file, size, &self.config.stop) {
                Some(index) => headers = index,
                None => chunk_size = u64::MAX,
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

    fn chunk(&self, chunk: &Chunk, worker: &mut Worker<'c>, buffer: &mut Vec<u8>) {
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
        reader.fields = plain
            .headers
            .iter()
            .rev()
            .find(|(at, _)| *at < start)
            .map(|(_, f)| f.clone());
        let mut state = Reading::new(reader);
        let mut counts = Counts::default();
        let mut runs = Runs::new(
            std::mem::take(buffer),
            start.saturating_sub(u64::from(start > 0)),
            end,
            start > 0,
        );
        let mut reached = start;
        let result = runs.drive(
            |buf, at| {
                self.config.stop.check()?;
                let n = platform::read_at(&plain.file, buf, at)?;
                reached = reached.max(at + n as u64);
                self.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            },
            |run| {
                worker.run(&run, &place, &mut state, &mut counts);
                true
            },
        );
        *buffer = runs.into_buffer();
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

    fn block(&self, block: Block, worker: &mut Worker<'c>) {
        let Block {
            member,
            order,
            unit,
            block,
            run: OwnedRun::Lines(offset, bytes),
            last,
        } = block;
        let place = Place {
            block,
            ..member.place.clone()
        };
        let mut state = Reading::new(LineReader::new(&self.config.formats, false));
        let mut counts = Counts::default();
        worker.run(
            &Run::Lines {
                offset,
                bytes: &bytes,
            },
            &place,
            &mut state,
            &mut counts,
        );
        self.progress
            .exposures
            .fetch_add(counts.exposures, Ordering::Relaxed);
        member.add(block, bytes.len() as u64, counts);
        let content = worker.take_unit(counts.lines);
        self.submit(order, unit, content);
        lock(&self.queue).buffers.push(bytes);
        if member.end() {
            self.close(&member, order, last.load(Ordering::SeqCst));
        }
    }

    fn close(&self, member: &Member, order: usize, unit: u32) {
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

/// One candidate that is read front to back.
struct Stream<'s, 'o, 'w, 'c> {
    shared: &'s Shared<'c, 'o>,
    order: usize,
    units: u32,
    named: bool,
    worker: &'w mut Worker<'c>,
    buffer: &'w mut Vec<u8>,
}

impl<'c> Stream<'_, '_, '_, 'c> {
    fn finished(&mut self, source: Source) {
        self.shared.submit(
            self.order,
            self.units,
            Unit {
                finished: Some(source),
                ..Unit::default()
            },
        );
        self.units += 1;
    }

    fn unread(&mut self, name: &str, status: Status, problem: &str) {
        let source = self.shared.unread(name, status, problem);
        self.finished(source);
    }

    /// Whatever the bytes are: compressed, an archive, text.
    fn any<'r>(&mut self, name: &str, input: Box<dyn Read + 'r>, compression: &[&'static str], depth: usize) {
        let watched: Box<dyn Read + 'r> = Box::new(Watched::new(input, &self.shared.config.stop));
        let input = Peek::new(watched);
        if depth > MAX_NESTING {
            return self.unread(
                name,
                Status::Skipped,
                &format!("is nested more than {MAX_NESTING} deep; unpack it and scan what is in it"),
            );
        }
        match input.magic() {
            magic @ (Magic::Gzip | Magic::Zstd | Magic::Bzip2 | Magic::Xz) => {
                if let Ok((word, plain)) = decompress(magic, input) {
                    let all = [compression, &[word]].concat();
                    self.any(name, plain, &all, depth + 1);
                }
            }
            Magic::Tar => self.tar(name, input, compression, depth),
            Magic::Zip => self.spooled_zip(name, input, compression, depth),
            Magic::Ignored(what) if !self.named || depth > 0 => self.unread(name, Status::Ignored, what),
            Magic::Ignored(what) => {
                self.unread(name, Status::Skipped, &format!("is {what}, which is not read"))
            }
            Magic::Unsupported(what) => self.unread(name, Status::Skipped, &format!("is {what}")),
            Magic::Data => self.text(name, input, compression),
        }
    }

    fn tar<R: Read>(&mut self, name: &str, input: R, compression: &[&'static str], depth: usize) {
        let all = [compression, &["tar"]].concat();
        let mut archive = tar::Archive::new(input);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(e) => {
                return self.unread(
                    name,
                    Status::Skipped,
                    &format!("the tar archive cannot be read: {e}"),
                );
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    let text =
                        format!("the tar archive is broken or cut off: {e}; what stands before was scanned");
                    return self.unread(name, Status::Partial, &text);
                }
            };
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let inner = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let member = format!("{name}!{}", crate::report::safe::label(&inner));
            self.any(&member, Box::new(entry), &all, depth + 1);
        }
    }

    fn spooled_zip<R: Read>(&mut self, name: &str, mut input: R, compression: &[&'static str], depth: usize) {
        // A zip's directory is at its end: what comes as a stream is put aside first.
        let spooled = tempfile::tempfile().and_then(|mut f| {
            let n = io::copy(&mut input.by_ref().take(SPOOL + 1), &mut f)?;
            Ok((f, n))
        });
        match spooled {
            Ok((_, n)) if n > SPOOL => {
                self.unread(
                    name,
                    Status::Skipped,
                    "is a zip archive of more than 4 GiB inside a stream; unpack it and scan what is in it",
                );
            }
            Ok((file, _)) => self.zip(name, file, compression, depth),
            Err(e) => self.unread(
                name,
                Status::Skipped,
                &format!("the zip archive cannot be put aside for reading: {e}"),
            ),
        }
    }

    fn zip(&mut self, name: &str, file: File, compression: &[&'static str], depth: usize) {
        let all = [compression, &["zip"]].concat();
        let mut archive = match zip::ZipArchive::new(io::BufReader::new(file)) {
            Ok(archive) => archive,
            Err(e) => {
                return self.unread(
                    name,
                    Status::Skipped,
                    &format!("the zip archive cannot be read: {e}"),
                );
            }
        };
        let mut order: Vec<(String, usize)> = (0..archive.len())
            .filter_map(|i| {
                archive
                    .by_index_raw(i)
                    .ok()
                    .filter(|f| !f.is_dir())
                    .map(|f| (String::from_utf8_lossy(f.name_raw()).into_owned(), i))
            })
            .collect();
        order.sort();
        for (inner, index) in order {
            let member = format!("{name}!{}", crate::report::safe::label(&inner));
            match archive.by_index(index) {
                Ok(entry) => self.any(&member, Box::new(entry), &all, depth + 1),
                Err(e) => self.unread(&member, Status::Skipped, &format!("cannot be opened: {e}")),
            }
        }
    }

    /// Text, front to back.
    fn text<R: Read>(&mut self, name: &str, mut input: R, compression: &[&'static str]) {
        let interactive = name == "-";
        let mut head = Vec::new();
        let mut failed = None;
        // A stream that is being written must not wait for a head; its name is found at its end.
        let look = if interactive { 4 } else { HEAD as u64 };
        if let Err(e) = input.by_ref().take(look).read_to_end(&mut head) {
            failed = Some(e);
        }
        let utf16 = is_utf16(&head);
        let mut place = self.shared.place(name);
        place.utf16 = utf16;
        if utf16 {
            let big = head[0] == 0xFE;
            let raw: Box<dyn Read + '_> = Box::new(
                io::Cursor::new(head[2..].to_vec())
                    .chain(Failed(failed))
                    .chain(input),
            );
            let mut plain = Utf16::new(raw, big);
            let mut head = Vec::new();
            let failed = plain.by_ref().take(HEAD as u64).read_to_end(&mut head).err();
            return self.lines(place, head, failed, plain, compression, true);
        }
        self.lines(place, head, failed, input, compression, interactive);
    }

    fn lines<R: Read>(
        &mut self,
        place: Place,
        head: Vec<u8>,
        failed: Option<io::Error>,
        input: R,
        compression: &[&'static str],
        in_order: bool,
    ) {
        let interactive = &*place.name == "-";
        let mut member = self.shared.member(place, compression, &head);
        let in_order = in_order
            || interactive
            || member.sniffed.in_order
            || member.sniffed.headers
            || self.shared.config.jobs < 2;
        let mut reader = LineReader::new(&self.shared.config.formats, member.sniffed.headers);
        reader.headers = member.sniffed.headers;
        let mut state = Reading::new(reader);
        state.raw = 2;
        let first = self.units;
        let last = Arc::new(AtomicU32::new(0));
        let mut seen = Vec::new();
        let mut input = io::Cursor::new(head).chain(Failed(failed)).chain(input);
        let mut runs = Runs::new(std::mem::take(self.buffer), 0, u64::MAX, false);
        let shared = self.shared;
        let result = runs.drive(
            |buf, _| {
                let n = loop {
                    match input.read(buf) {
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        other => break other?,
                    }
                };
                if interactive && seen.len() < HEAD {
                    seen.extend_from_slice(&buf[..n.min(HEAD - seen.len())]);
                }
                shared.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            },
            |run| {
                let unit = self.units;
                self.units += 1;
                let block = unit - first;
                if !in_order && let Run::Lines { offset, bytes } = &run {
                    let mut queue = lock(&shared.queue);
                    if queue.jobs.len() < 2 * shared.config.jobs && queue.next >= shared.candidates.len() {
                        let mut owned = queue.buffers.pop().unwrap_or_default();
                        owned.clear();
                        owned.extend_from_slice(bytes);
                        member.begin();
                        let run = OwnedRun::Lines(*offset, owned);
                        let job = Block {
                            member: member.clone(),
                            order: self.order,
                            unit,
                            block,
                            run,
                            last: last.clone(),
                        };
                        queue.jobs.push_back(Job::Block(job));
                        shared.wake.notify_one();
                        return true;
                    }
                }
                let place = Place {
                    block,
                    ..member.place.clone()
                };
                let mut counts = Counts::default();
                self.worker.run(&run, &place, &mut state, &mut counts);
                let bytes = match &run {
                    Run::Lines { bytes, .. } => bytes.len(),
                    Run::Window {
                        bytes, last: true, ..
                    } => bytes.len(),
                    Run::Window { bytes, .. } => bytes.len() - crate::input::lines::OVERLAP,
                };
                shared
                    .progress
                    .exposures
                    .fetch_add(counts.exposures, Ordering::Relaxed);
                member.add(block, bytes as u64, counts);
                let mut content = self.worker.take_unit(counts.lines);
                content.restart = block == 0;
                shared.submit(self.order, unit, content);
                true
            },
        );
        *self.buffer = runs.into_buffer();
        if let Err(e) = result {
            let how = if shared.config.stop.asked().is_some() {
                "was not read to its end"
            } else if compression.is_empty() {
                "could not be read to its end"
            } else {
                "the compressed data is damaged or cut off"
            };
            member.fail(
                Status::Partial,
                format!("{how} ({e}); what stands before was scanned"),
            );
        }
        if interactive {
            // Its name is known only now; what was found was read line by line all the same.
            let named = Arc::new(Member::new(
                member.place.clone(),
                member.compression.clone(),
                &shared.config.formats,
                &seen,
            ));
            named.take(&member);
            let mut results = lock(&shared.results);
            results.members.retain(|m| !Arc::ptr_eq(m, &member));
            results.members.push(named.clone());
            drop(results);
            member = named;
        }
        last.store(self.units, Ordering::SeqCst);
        self.units += 1;
        if member.end() {
            shared.close(&member, self.order, last.load(Ordering::SeqCst));
        }
    }
}

/// Largest zip that is put aside when it comes as a stream, in bytes.
const SPOOL: u64 = 4 << 30;

/// Gives its error once, then nothing.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn is_utf16(head: &[u8]) -> bool {
    head.starts_with(b"\xFF\xFE") && !head.starts_with(b"\xFF\xFE\0\0") || head.starts_with(b"\xFE\xFF")
}

fn read_full(file: &File, buf: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < buf.len() {
        match platform::read_at(file, &mut buf[at..], at as u64)? {
            0 => break,
            n => at += n,
        }
    }
    Ok(at)
}

/// Where `#Fields` lines stand in a file, and what they say; `None` where there are too many or it cannot be
/// read, which the reading in order will say.
fn header_index(file: &File, size: u64, stop: &Stop) -> Option<Vec<(u64, Arc<w3c::Fields>)>> {
    let mut out: Vec<(u64, Arc<w3c::Fields>)> = Vec::new();
    let mut runs = Runs::new(Vec::new(), 0, size, false);
    let finder = memchr::memmem::Finder::new(b"#Fields:");
    let result = runs.drive(
        |buf, at| stop.check().and_then(|()| platform::read_at(file, buf, at)),
        |run| {
            let Run::Lines { offset, bytes } = run else {
                return true;
            };
            for at in finder.find_iter(bytes) {
                if at > 0 && bytes[at - 1] != b'\n' {
                    continue;
                }
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
                if let Some(fields) = w3c::Fields::parse(bytes[at..end].trim_ascii_end())
                    && out.last().is_none_or(|(_, f)| **f != fields)
                {
                    out.push((offset + at as u64, Arc::new(fields)));
                }
            }
            out.len() < MAX_HEADERS
        },
    );
    (result.is_ok() && out.len() < MAX_HEADERS).then_some(out)
}
