//! A large file in chunks, which several threads take and one after the other is written.

use super::tally::Trouble;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Plain files are cut into chunks of this size, in bytes: what a thread writes should still stand in its cache.
const CHUNK: u64 = 512 << 10;

/// Chunks that wait for an earlier one to be written, for each thread: one that is slow does not stop the others.
const EARLY: usize = 8;

/// A chunk that was worked on: what it gives, its lines, and how it went.
type Done = (Vec<u8>, u64, Result<(), Trouble>);

/// What threads that work on chunks share.
struct Turn<F> {
    /// The chunk that is written next.
    next: u32,
    /// Lines of those before it.
    lines: u64,
    /// Writes; none while a thread does.
    write: Option<F>,
    early: BTreeMap<u32, Done>,
    buffers: Vec<Vec<u8>>,
    failed: Option<Trouble>,
}

/// Has every chunk of a file worked on by one of the threads, each with tools of its own, and `write` called with
/// what they give in order. Gives the tools back.
pub(super) fn chunks<W: Send>(
    size: u64,
    jobs: usize,
    make: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, u64, u64, &mut Vec<u8>) -> (u64, Result<(), Trouble>) + Sync,
    write: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> Result<Vec<W>, Trouble> {
    let count = u32::try_from(size.div_ceil(CHUNK)).unwrap_or(u32::MAX);
    let jobs = jobs.clamp(1, count.max(1) as usize);
    let taken = AtomicU32::new(0);
    let turn = Mutex::new(Turn {
        next: 0,
        lines: 0,
        write: Some(write),
        early: BTreeMap::new(),
        buffers: Vec::new(),
        failed: None,
    });
    let wake = Condvar::new();
    let lock = || turn.lock().unwrap_or_else(PoisonError::into_inner);
    let body = || {
        let mut tools = make();
        loop {
            let n = taken.fetch_add(1, Ordering::SeqCst);
            if n >= count {
                return tools;
            }
            let mut out = lock().buffers.pop().unwrap_or_default();
            out.clear();
            let start = u64::from(n) * CHUNK;
            let end = if n + 1 == count { size } else { start + CHUNK };
            let (lines, result) = work(&mut tools, start, end, &mut out);
            let mut turn = lock();
            while turn.early.len() >= EARLY * jobs && turn.next < n && turn.failed.is_none() {
                turn = wake.wait(turn).unwrap_or_else(PoisonError::into_inner);
            }
            turn.early.insert(n, (out, lines, result));
            // Who writes goes on as long as something is there; what others add meanwhile it sees.
            let Some(mut write) = turn.write.take() else {
                continue;
            };
            while let Some((out, lines, result)) = {
                let next = turn.next;
                turn.early.remove(&next)
            } {
                if turn.failed.is_none() {
                    turn.failed = match result {
                        Err(Trouble::Left(line)) => Some(Trouble::Left(turn.lines + line)),
                        Err(other) => Some(other),
                        Ok(()) => {
                            drop(turn);
                            let written = write(&out);
                            turn = lock();
                            written.err().map(Trouble::Write)
                        }
                    };
                }
                if turn.failed.is_some() {
                    taken.store(count, Ordering::SeqCst);
                }
                turn.lines += lines;
                turn.next += 1;
                turn.buffers.push(out);
                wake.notify_all();
            }
            turn.write = Some(write);
        }
    };
    let all = match rayon::ThreadPoolBuilder::new().num_threads(jobs).build() {
        Ok(pool) if jobs > 1 => pool.broadcast(|_| body()),
        _ => vec![body()],
    };
    let turn = turn.into_inner().unwrap_or_else(PoisonError::into_inner);
    turn.failed.map_or(Ok(all), Err)
}
