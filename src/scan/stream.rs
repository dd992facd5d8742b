//! Sources that are read front to back: compressed files, members of archives, the standard input, UTF-16. What
//! one thread decompresses another may scan.

use super::events::Unit;
use super::guard;
use super::schedule::{Job, Shared, lock};
use super::source::Member;
use super::worker::{Counts, Place, Reading, Worker};
use crate::format::sniff::HEAD;
use crate::format::{LineReader, document};
use crate::input::budget::Budget;
use crate::input::ends::{self, TarEnd};
use crate::input::lines::{Run, Runs};
use crate::input::magic::{Magic, WAL};
use crate::input::open::{MAX_NESTING, Offsets, Peek, SharedOffsets, Utf16, decompress, tar_problem};
use crate::input::stop::Watched;
use crate::report::model::{Source, Status};
use crate::report::safe;
use crate::text::{Base, Text, json};
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// A run that one thread has read and another scans.
pub(super) struct Block {
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
impl<'c> Shared<'c, '_> {
    pub(super) fn block(&self, block: Block, worker: &mut Worker<'c>) {
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
        let run = Run::Lines {
            offset,
            bytes: &bytes,
        };
        if !guard::run(worker, &run, &place, &mut state, &mut counts) {
            member.fail(Status::Partial, guard::BROKEN.into());
        }
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
}

/// One candidate that is read front to back.
pub(super) struct Stream<'s, 'o, 'w, 'c> {
    pub(super) shared: &'s Shared<'c, 'o>,
    pub(super) order: usize,
    pub(super) units: u32,
    /// What the input may unpack to.
    pub(super) budget: Budget,
    pub(super) named: bool,
    pub(super) worker: &'w mut Worker<'c>,
    pub(super) buffer: &'w mut Vec<u8>,
}

impl<'c> Stream<'_, '_, '_, 'c> {
    pub(super) fn finished(&mut self, source: Source) {
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

    pub(super) fn unread(&mut self, name: &str, status: Status, problem: &str) {
        let source = self.shared.unread(name, status, problem);
        self.finished(source);
    }

    /// Reads with `read`; where that breaks, it is said of the source.
    pub(super) fn guarded(&mut self, name: &str, read: impl FnOnce(&mut Self)) {
        if guard::guarded(|| read(self)).is_none() {
            self.unread(name, Status::Partial, guard::BROKEN);
        }
    }

    /// Whatever the bytes are: compressed, an archive, text.
    pub(super) fn any<'r>(
        &mut self,
        name: &str,
        input: Box<dyn Read + 'r>,
        compression: &[&'static str],
        depth: usize,
    ) {
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
                    let plain = Box::new(self.budget.unpacked(plain));
                    self.any(name, plain, &all, depth + 1);
                }
            }
            Magic::Tar => self.tar(name, input, compression, depth),
            Magic::Zip => self.spooled_zip(name, input, compression, depth),
            Magic::Sqlite => self.spooled_database(name, input, compression),
            // Beside its database it is read with that; in an archive nothing joins the two.
            Magic::Ignored(WAL) if depth > 0 => {
                let why =
                    format!("is {WAL}, whose latest rows are in it alone; unpack the archive and scan that");
                self.unread(name, Status::Skipped, &why);
            }
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
        let mut archive = tar::Archive::new(TarEnd::new(input));
        // What stands behind zeros is another archive, which `tar -i` unpacks as well.
        archive.set_ignore_zeros(true);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(e) => {
                return self.unread(
                    name,
                    Status::Skipped,
                    &format!("the tar archive cannot be read: {}", tar_problem(&e)),
                );
            }
        };
        let mut files = false;
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    let ended = self.shared.config.stop.asked().map(|why| why.text().to_string());
                    let text = match ended.or_else(|| self.budget.exceeded()) {
                        Some(why) => {
                            format!("was not read to its end ({why}); what stands before was scanned")
                        }
                        None => format!(
                            "the tar archive is broken or cut off ({}); what stands before was scanned",
                            tar_problem(&e)
                        ),
                    };
                    return self.unread(name, Status::Partial, &text);
                }
            };
            let kind = entry.header().entry_type();
            let inner = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let member = format!("{name}!{}", safe::label(&inner));
            files |= kind.is_file() || entry.size() > 0 && !kind.is_pax_global_extensions();
            if kind.is_file() || kind.is_contiguous() {
                self.any(&member, Box::new(entry), &all, depth + 1);
            } else if kind.is_gnu_sparse() {
                // Holes cost the archive nothing.
                let entry = self.budget.unpacked(entry);
                self.any(&member, Box::new(entry), &all, depth + 1);
            } else if entry.size() > 0 && !kind.is_pax_global_extensions() {
                let why = "is a tar entry of a kind that has no content, and yet has one; unpack it and scan what comes of it";
                self.unread(&member, Status::Skipped, why);
            }
        }
        if !files {
            self.unread(name, Status::Ignored, NO_FILES);
        }
        if !archive.into_inner().is_marked() {
            self.unread(name, Status::Partial, ends::TAR_ENDS);
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

    pub(super) fn zip(&mut self, name: &str, mut file: File, compression: &[&'static str], depth: usize) {
        let all = [compression, &["zip"]].concat();
        let lists_all = ends::lists_all(&mut file).unwrap_or(false);
        let mut archive = match zip::ZipArchive::new(io::BufReader::new(file)) {
            Ok(archive) => archive,
            Err(e) => {
                return self.unread(
                    name,
                    Status::Skipped,
                    &format!("the zip archive cannot be read: {}", safe::label(&e.to_string())),
                );
            }
        };
        let hides = archive.offset() > 0 || !lists_all;
        if hides {
            self.unread(name, Status::Partial, ends::ZIP_HIDES);
        }
        let mut order: Vec<(String, usize)> = (0..archive.len())
            .filter_map(|i| match archive.by_index_raw(i) {
                // One that has content is no folder, whatever its name says.
                Ok(f) if f.is_dir() && f.size() == 0 => None,
                Ok(f) => Some((String::from_utf8_lossy(f.name_raw()).into_owned(), i)),
                // What is wrong with it is said where it is opened.
                Err(_) => Some((format!("member {i}"), i)),
            })
            .collect();
        order.sort();
        if archive.has_duplicate_names() {
            let why = "several members of the zip archive have one name, and the last of them alone was read; unpack it and \
                       scan what is in it";
            self.unread(name, Status::Partial, why);
        }
        if order.is_empty() && !hides {
            self.unread(name, Status::Ignored, NO_FILES);
        }
        for (inner, index) in order {
            let member = format!("{name}!{}", safe::label(&inner));
            match archive.by_index(index) {
                Ok(entry) => {
                    let entry = self.budget.unpacked(entry);
                    self.any(&member, Box::new(entry), &all, depth + 1);
                }
                Err(e) => self.unread(
                    &member,
                    Status::Skipped,
                    &format!("cannot be opened: {}", safe::label(&e.to_string())),
                ),
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
        if interactive && failed.is_none() {
            failed = document_head(&mut input, &mut head).err();
        }
        let utf16 = is_utf16(&head);
        if let Some(kind) = document::sniff(&head, name).filter(|_| !utf16) {
            let mut input = io::Cursor::new(head).chain(Failed(failed)).chain(input);
            return self.document(kind, name, &mut input, compression);
        }
        let mut place = self.shared.place(name);
        place.utf16 = utf16;
        if utf16 {
            let big = head[0] == 0xFE;
            let raw: Box<dyn Read + '_> = Box::new(
                io::Cursor::new(head[2..].to_vec())
                    .chain(Failed(failed))
                    .chain(input),
            );
            let offsets = SharedOffsets::new(Mutex::new(Offsets::from(2)));
            let mut plain = Utf16::noting(raw, big, offsets.clone());
            let mut head = Vec::new();
            let failed = plain.by_ref().take(HEAD as u64).read_to_end(&mut head).err();
            if let Some(kind) = document::sniff(&head, name) {
                let mut input = io::Cursor::new(head).chain(Failed(failed)).chain(plain);
                self.worker.offsets = Some(offsets);
                self.document(kind, name, &mut input, compression);
                self.worker.offsets = None;
                return;
            }
            let plain = plain.unnoted();
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
                if !guard::run(self.worker, &run, &place, &mut state, &mut counts) {
                    member.fail(Status::Partial, guard::BROKEN.into());
                }
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
        // The last piece of a line may never have come.
        let place = Place {
            block: self.units - first,
            ..member.place.clone()
        };
        let mut counts = Counts::default();
        if guard::guarded(|| self.worker.flush(&place, &mut state, &mut counts)).is_none() {
            member.fail(Status::Partial, guard::BROKEN.into());
        }
        shared
            .progress
            .exposures
            .fetch_add(counts.exposures, Ordering::Relaxed);
        member.add(place.block, 0, counts);
        shared.submit(self.order, self.units, self.worker.take_unit(0));
        self.units += 1;
        if let Err(e) = result {
            let how = if shared.config.stop.asked().is_some() || self.budget.exceeded().is_some() {
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

/// Reads on where a stream could be a document: what begins as JSON or markup and is no
/// whole line of it.
fn document_head(input: &mut impl Read, head: &mut Vec<u8>) -> io::Result<()> {
    let mut byte = [0; 1];
    while head.len() < HEAD && begins_as_document(head) && document::sniff(head, "-").is_none() {
        // One line more; a log's line is one whole value.
        let before = head.len();
        while head.len() < HEAD && input.read(&mut byte)? > 0 {
            head.push(byte[0]);
            if byte[0] == b'\n' {
                break;
            }
        }
        let base = Base::Source { offset: 0 };
        let whole = json::read(Text::new(head, &base)).is_some_and(|doc| doc.whole);
        if whole || head.len() == before || !head.ends_with(b"\n") {
            break;
        }
    }
    Ok(())
}

/// Whether it begins as JSON, XML or HTML does, which no line of a log is in whole: lines of syslog (`<34>1 …`) and of
/// ArcGIS (`<Msg …`) must not wait for what comes after them.
fn begins_as_document(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    match text.trim_ascii_start() {
        [] | [b'<'] => true,
        [b'{', ..] => true,
        [b'<', b'!' | b'?', ..] => true,
        [b'<', tag @ ..] => {
            let name = tag.len().min(5);
            [&b"plist"[..], b"html"]
                .iter()
                .any(|t| tag[..name.min(t.len())].eq_ignore_ascii_case(&t[..name.min(t.len())]))
        }
        _ => false,
    }
}

/// Said of archives.
const NO_FILES: &str = "is an archive without files";

/// Largest zip that is put aside when it comes as a stream, in bytes.
pub(super) const SPOOL: u64 = 4 << 30;

/// Gives its error once, then nothing.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Whether a byte order mark of UTF-16 stands there.
pub(crate) fn is_utf16(head: &[u8]) -> bool {
    head.starts_with(b"\xFF\xFE") && !head.starts_with(b"\xFF\xFE\0\0") || head.starts_with(b"\xFE\xFF")
}
