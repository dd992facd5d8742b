//! Where a text that has to be proved before it goes on is kept meanwhile: in a file without a name, compressed
//! lightly, so that a small input that unpacks to a very large one does not fill the disk.

use super::tally::Trouble;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

/// Fast, and enough for what is made to be large.
const LEVEL: i32 = 1;

/// A text put aside.
pub struct Spool {
    file: File,
    /// Its length in bytes.
    pub length: u64,
}

struct Counted<W>(W, u64);

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.0.write(buf)?;
        self.1 += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Spool {
    /// Puts aside, in `folder`, what `fill` writes; gives what `fill` gives, too.
    pub fn of<T>(
        folder: &Path,
        fill: impl FnOnce(&mut dyn Write) -> Result<T, Trouble>,
    ) -> Result<(Spool, T), Trouble> {
        let file = tempfile::tempfile_in(folder).map_err(Trouble::Write)?;
        let packed =
            zstd::stream::write::Encoder::new(BufWriter::new(file), LEVEL).map_err(Trouble::Write)?;
        let mut out = Counted(packed, 0);
        let made = fill(&mut out)?;
        let Counted(packed, length) = out;
        let file = packed
            .finish()
            .and_then(|w| w.into_inner().map_err(io::IntoInnerError::into_error))
            .map_err(Trouble::Write)?;
        Ok((Spool { file, length }, made))
    }

    /// The text from its beginning.
    pub fn read(&mut self) -> Result<impl Read + '_, Trouble> {
        self.file.rewind().map_err(Trouble::Read)?;
        zstd::stream::read::Decoder::new(&self.file).map_err(Trouble::Read)
    }

    /// Writes it on.
    pub fn copy(&mut self, out: &mut dyn Write) -> Result<(), Trouble> {
        let mut input = self.read()?;
        io::copy(&mut input, out).map_err(Trouble::Write)?;
        Ok(())
    }
}

/// Gives its error once, then nothing.
pub struct Failing(pub Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
