//! An error of ours in one place must not hide what stands in another: a panic ends the run of lines or the document in
//! which it happened, which is then reported as read in part, and the scan goes on.

use super::worker::{Counts, Place, Reading, Worker};
use crate::input::lines::Run;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is said of a source in which it happened.
pub(super) const BROKEN: &str = "an error in plainsight ended the reading of a part of it; the rest was scanned. Please report \
     the line that begins with \"error: plainsight broke\"";

/// Does `work`; `None` where it panicked, which the panic hook has told of.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    // What a panic leaves half done are buffers that every record clears, and counters of what it had found.
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Scans a run of lines; false where not all of it was scanned. Its lines are counted in any case.
pub(super) fn run<'c>(
    worker: &mut Worker<'c>,
    run: &Run,
    place: &Place,
    state: &mut Reading<'c>,
    counts: &mut Counts,
) -> bool {
    let before = counts.lines;
    let done = guarded(|| worker.run(run, place, state, counts)).is_some();
    if !done {
        counts.lines = before + lines(run);
    }
    done
}

/// Lines that end in a run.
fn lines(run: &Run) -> u64 {
    match run {
        Run::Lines { bytes, .. } => {
            let open = bytes.last().is_some_and(|&b| b != b'\n');
            memchr::memchr_iter(b'\n', bytes).count() as u64 + u64::from(open)
        }
        Run::Window { last, .. } => u64::from(*last),
    }
}

/// Panics in debug builds where the text holds what `PLAINSIGHT_TEST_PANIC` says, as an error in our code would, with the
/// text itself in the message: tests see that it is not told.
#[cfg(debug_assertions)]
#[allow(clippy::panic)] // that is what it is for
pub(crate) fn trip(text: &[u8]) {
    static WORD: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let word = WORD.get_or_init(|| std::env::var("PLAINSIGHT_TEST_PANIC").ok());
    if let Some(word) = word
        && memchr::memmem::find(text, word.as_bytes()).is_some()
    {
        panic!("{}", String::from_utf8_lossy(text));
    }
}
