//! Where results go: the standard output, and files that appear whole or not at all and that only their owner
//! can read.

use crate::report::safe;
use anyhow::Context;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells in `gone` whether its reader has gone away: what writes through it may wrap the error, or say its own.
struct Watched<'g, W> {
    out: W,
    gone: &'g AtomicBool,
}

impl<W> Watched<'_, W> {
    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(e) = &result
            && e.kind() == io::ErrorKind::BrokenPipe
        {
            self.gone.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.watch(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.watch(result)
    }
}

/// Writes to the standard output, buffered. A reader that has gone away has seen what it wanted: that is no error,
/// and changes no exit code.
pub fn stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let gone = AtomicBool::new(false);
    let out = io::stdout().lock();
    let mut out = BufWriter::new(Watched { out, gone: &gone });
    quietly(write(&mut out).and_then(|()| out.flush()), &gone)
}

fn quietly(result: io::Result<()>, gone: &AtomicBool) -> io::Result<()> {
    match result {
        Err(_) if gone.load(Ordering::Relaxed) => Ok(()),
        other => other,
    }
}

/// Writes a file: aside, then renamed. `tempfile` creates it for its owner only. A device or pipe is written into as
/// it is: renaming would put a file in its place.
pub fn file(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> anyhow::Result<()> {
    let shown = safe::path(path);
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if std::fs::metadata(path).is_ok_and(|m| crate::platform::special(&m).is_some()) {
        let gone = AtomicBool::new(false);
        let open = std::fs::OpenOptions::new().write(true).open(path);
        let result = open.and_then(|out| {
            let mut out = BufWriter::new(Watched { out, gone: &gone });
            write(&mut out).and_then(|()| out.flush())
        });
        return quietly(result, &gone).with_context(|| format!("cannot write {shown}"));
    }
    let aside = tempfile::Builder::new()
        .prefix(crate::input::ASIDE)
        .tempfile_in(folder)
        .with_context(|| format!("cannot write {shown}"))?;
    let mut out = BufWriter::new(aside);
    write(&mut out).with_context(|| format!("cannot write {shown}"))?;
    let aside = out
        .into_inner()
        .map_err(io::IntoInnerError::into_error)
        .with_context(|| format!("cannot write {shown}"))?;
    aside
        .persist(path)
        .map_err(|e| e.error)
        .with_context(|| format!("cannot write {shown}"))?;
    Ok(())
}

/// Appends to a file that somebody else made and reads.
pub fn append(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut text = Vec::new();
    write(&mut text)?;
    let open = std::fs::OpenOptions::new().append(true).open(path);
    open.and_then(|mut file| file.write_all(&text))
        .with_context(|| format!("cannot append to {}", safe::path(path)))
}

/// A line to the standard error.
pub fn say(line: &str) {
    let mut text = String::new();
    line.lines().for_each(|l| {
        let mut shown = String::new();
        safe::push_bytes(&mut shown, l.as_bytes());
        text.push_str(&safe::plain_line(&shown));
        text.push('\n');
    });
    // Nothing can be done where even this cannot be written.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
