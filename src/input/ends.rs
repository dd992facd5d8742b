//! Whether an archive tells all that is in it: where a tar ends, and what a zip's directory lists. Unpackers differ in
//! what they make of archives that say one thing and hold another, and so does what they find in them.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Said of a zip that holds more than it lists.
pub const ZIP_HIDES: &str = "the zip archive's directory does not list all that is in it; unpack it with a tool that repairs archives and \
                             give what comes of it";

/// Said of a tar that ends without its mark.
pub const TAR_ENDS: &str = "the tar archive ends without the mark of its end: what came after the last member may be missing; \
                            what is there was read";

/// Bytes of zeros at the end of a tar at least; the standard has twice as many (POSIX.1-2017, pax, "ustar Interchange
/// Format").
const TAR_END: u64 = 512;

/// Reads a tar and remembers how it ended.
pub struct TarEnd<R> {
    inner: R,
    zeros: u64,
}

impl<R> TarEnd<R> {
    /// For the tar that `inner` gives.
    pub fn new(inner: R) -> Self {
        TarEnd { inner, zeros: 0 }
    }

    /// Whether what was read last is the mark of a tar's end.
    pub fn is_marked(&self) -> bool {
        self.zeros >= TAR_END
    }
}

impl<R: Read> Read for TarEnd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        match buf[..n].iter().rposition(|b| *b != 0) {
            Some(last) => self.zeros = (n - 1 - last) as u64,
            None => self.zeros += n as u64,
        }
        Ok(n)
    }
}

/// Bytes of the record that ends a zip, without its comment, and of the longest comment.
const RECORD: usize = 22;
const COMMENT: u64 = 0xFFFF;

/// Whether a zip's directory lists all of its entries, and nothing follows it (APPNOTE.TXT, 4.3.12 and 4.3.16). What is
/// no zip is for the reader to say.
pub fn lists_all(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(RECORD as u64 + COMMENT);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.by_ref()
        .take(RECORD as u64 + COMMENT)
        .read_to_end(&mut tail)?;
    file.rewind()?;
    let Some(at) = memchr::memmem::rfind(&tail, b"PK\x05\x06") else {
        return Ok(false);
    };
    let Some(record) = tail.get(at..at + RECORD) else {
        return Ok(false);
    };
    let two = |n: usize| u64::from(u16::from_le_bytes([record[n], record[n + 1]]));
    let four = |n: usize| two(n) | two(n + 2) << 16;
    let (count, size, comment) = (two(10), four(12), two(20));
    if at as u64 + RECORD as u64 + comment != tail.len() as u64 {
        return Ok(false);
    }
    // A larger one says so elsewhere, and its record stands between (4.3.15).
    let locator = at.checked_sub(20).and_then(|n| tail.get(n..at));
    if count == 0xFFFF || size == 0xFFFF_FFFF || locator.is_some_and(|l| l.starts_with(b"PK\x06\x07")) {
        return Ok(true);
    }
    let end = from + at as u64;
    let Some(begin) = end.checked_sub(size) else {
        return Ok(false);
    };
    file.seek(SeekFrom::Start(begin))?;
    let mut directory = BufReader::new(file.by_ref().take(size));
    let (mut listed, mut left) = (0, size);
    let mut header = [0; 46];
    while left >= header.len() as u64 {
        directory.read_exact(&mut header)?;
        if !header.starts_with(b"PK\x01\x02") {
            break;
        }
        let two = |n: usize| u64::from(u16::from_le_bytes([header[n], header[n + 1]]));
        let rest = two(28) + two(30) + two(32);
        left = left.saturating_sub(header.len() as u64 + rest);
        io::copy(&mut directory.by_ref().take(rest), &mut io::sink())?;
        listed += 1;
    }
    drop(directory);
    file.rewind()?;
    Ok(listed == count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn zip(comment: &str) -> Vec<u8> {
        let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["a", "b", "c"] {
            let options = zip::write::SimpleFileOptions::default();
            out.start_file(name, options).unwrap();
            out.write_all(name.as_bytes()).unwrap();
        }
        out.set_comment(comment).unwrap();
        out.finish().unwrap().into_inner()
    }

    #[test]
    fn a_directory_that_leaves_something_out_is_seen() {
        let says = |bytes: &[u8]| lists_all(&mut Cursor::new(bytes)).unwrap();
        let whole = zip("");
        assert!(says(&whole) && says(&zip("PK and more")));
        let behind = [&b"#!/bin/sh\n"[..], &whole].concat();
        assert!(says(&behind));
        assert!(!says(&[&whole[..], b"and more"].concat()));
        let mut fewer = whole.clone();
        let at = whole.len() - RECORD;
        fewer[at + 8] = 2;
        fewer[at + 10] = 2;
        assert!(!says(&fewer) && !says(&whole[..at]) && !says(b""));
    }
}
