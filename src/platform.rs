//! What differs by platform, all of it: positioned reads, files that only their owner can read, what a file is,
//! signals, core files. Each function is written for Unix and for Windows.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::input::stop::{Stop, Why};

/// Reads into `buf` from `offset`, without moving any cursor; 0 at the end.
#[cfg(unix)]
pub fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    loop {
        match file.read_at(buf, offset) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads into `buf` from `offset`; 0 at the end. The cursor moves, which no caller relies on.
#[cfg(windows)]
pub fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;
    file.seek_read(buf, offset)
}

/// Opens for reading while others write, rename or delete.
#[cfg(unix)]
pub fn open_shared(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Opens for reading while others write, rename or delete.
#[cfg(windows)]
pub fn open_shared(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const SHARE_READ_WRITE_DELETE: u32 = 1 | 2 | 4;
    OpenOptions::new()
        .read(true)
        .share_mode(SHARE_READ_WRITE_DELETE)
        .open(path)
}

/// What a directory entry is, beside files and directories.
#[cfg(unix)]
pub fn special(meta: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    let t = meta.file_type();
    if t.is_fifo() {
        Some("a pipe")
    } else if t.is_socket() {
        Some("a socket")
    } else if t.is_char_device() || t.is_block_device() {
        Some("a device")
    } else {
        None
    }
}

/// What a directory entry is, beside files and directories: Windows has no such entries.
#[cfg(windows)]
pub fn special(_: &Metadata) -> Option<&'static str> {
    None
}

/// Whether others than the owner can read a file.
#[cfg(unix)]
pub fn readable_by_others(meta: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    meta.mode() & 0o077 != 0
}

/// Whether others than the owner can read a file; on Windows the access list decides, which is not looked at.
#[cfg(windows)]
pub fn readable_by_others(_: &Metadata) -> bool {
    false
}

/// From now on no core file is written: memory holds what is being read, credentials among it. A system that hands core
/// dumps to a program of its own is not bound by this.
#[cfg(unix)]
pub fn forbid_core_files() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Where it cannot be set, nothing is lost that was there before.
    let _ = setrlimit(Resource::Core, none);
}

/// From now on no core file is written; Windows writes none unless it is told to.
#[cfg(windows)]
pub fn forbid_core_files() {}

/// From now on a file that would be larger than its limit (`ulimit -f`) is an error of writing, which can be told and
/// cleaned up after; unheeded, the signal ends the program at once.
#[cfg(unix)]
pub fn outlive_file_limits() -> io::Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// From now on a file that would be too large is an error of writing; on Windows it always is.
#[cfg(windows)]
pub fn outlive_file_limits() -> io::Result<()> {
    Ok(())
}

/// The exit code of a program that ended early, by the shells' convention of 128 and the signal's number.
pub fn exit_code(why: Why) -> Option<u8> {
    match why {
        Why::Interrupted => Some(130),
        Why::Terminated => Some(143),
        Why::OutputGone => None,
    }
}

/// How long after the first signal another one ends the program at once: `timeout` and terminals send one signal to
/// a program and to its group, which is no impatience.
const PATIENCE: Duration = Duration::from_millis(500);

/// From now on a signal to interrupt or terminate asks `stop` for an early end; a later one ends the program at
/// once. Windows has Ctrl+C for the first, and the C runtime's own notion of the second.
pub fn stop_on_signals(stop: &Stop) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;
    let again = Arc::new(AtomicBool::new(false));
    for (signal, why) in [(SIGINT, Why::Interrupted), (SIGTERM, Why::Terminated)] {
        let code = exit_code(why).map_or(2, i32::from);
        flag::register_conditional_shutdown(signal, code, again.clone())?;
        flag::register_usize(signal, stop.flag(), why.number())?;
    }
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            while stop.asked().is_none() {
                std::thread::sleep(PATIENCE / 5);
            }
            std::thread::sleep(PATIENCE);
            again.store(true, Ordering::SeqCst);
        })?;
    Ok(())
}

/// Whether two paths lead to one file.
#[cfg(unix)]
pub fn same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether two paths lead to one file; two hard links are not told to be one.
#[cfg(windows)]
pub fn same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::canonicalize(a), std::fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
