//! Where results go: the standard output, and files that appear whole or not at all and that only their owner
//! can read.

use crate::report::safe;
use anyhow::Context;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes to the standard output, buffered. A reader that has gone away has seen what it wanted: that is no error,
/// and changes no exit code.
pub fn stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
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
        let result = std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|f| write(&mut BufWriter::new(f)));
        return result.with_context(|| format!("cannot write {shown}"));
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
