//! From bytes to runs of whole lines. Lines have no greatest length, memory has: what is longer than a window
//! comes in windows that overlap.

use std::io;

/// Bytes that are read at a time. More than fits the processor's second-level cache costs more, not less: the
/// kernel copies into it and the scanner reads it again.
pub const READ: usize = 128 << 10;

/// A line longer than this comes in windows of this size, in bytes.
pub const WINDOW: usize = 1 << 20;

/// How much two windows of one line have in common, in bytes.
pub const OVERLAP: usize = 64 << 10;

/// A run of input.
#[derive(Debug)]
pub enum Run<'b> {
    /// Whole lines; the last may lack its line end, at the end of the source.
    Lines {
        /// Offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: &'b [u8],
    },
    /// A part of a line that is longer than a window.
    Window {
        /// Offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: &'b [u8],
        /// Whether the line begins here.
        first: bool,
        /// Whether the line ends here.
        last: bool,
        /// Whether it ends with a line end.
        terminated: bool,
    },
}

/// Cuts a stream of bytes into runs.
pub struct Runs {
    buf: Vec<u8>,
    filled: usize,
    /// Offset of `buf[0]`.
    offset: u64,
    /// Inside a line that comes in windows.
    long: bool,
    /// Lines that begin at or after this offset are not ours.
    end: u64,
    /// Bytes to drop until the first line that is ours begins.
    skip_line: bool,
    /// Whether lines may stand in the buffer that have not been given out.
    resumed: bool,
}

impl Runs {
    /// Runs of the lines that begin from `offset` on and before `end`. With `skip_line` the bytes up to the
    /// first line end belong to a line that began before.
    pub fn new(buf: Vec<u8>, offset: u64, end: u64, skip_line: bool) -> Runs {
        let mut buf = buf;
        if buf.len() < READ * 2 {
            buf.resize(READ * 2, 0);
        }
        Runs {
            buf,
            filled: 0,
            offset,
            long: false,
            end,
            skip_line,
            resumed: false,
        }
    }

    /// Goes on with the lines that begin before another `end`.
    pub fn go_on(&mut self, end: u64) {
        self.end = end;
        self.resumed = true;
    }

    /// Gives the buffer back.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buf
    }

    /// Reads with `read` and calls `each` for every run, until `read` gives 0, the end is reached, or an error.
    /// What was read before an error has been given out.
    pub fn drive(
        &mut self,
        mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
        mut each: impl FnMut(Run) -> bool,
    ) -> io::Result<()> {
        if std::mem::take(&mut self.resumed) && self.filled > 0 && !self.give(&mut each) {
            return Ok(());
        }
        loop {
            if self.buf.len() - self.filled < READ {
                let size = (self.buf.len() * 2).min(WINDOW + READ);
                self.buf.resize(size.max(self.filled + READ), 0);
            }
            let at = self.offset + self.filled as u64;
            let limit = (self.filled + READ).min(self.buf.len());
            let got = match read(&mut self.buf[self.filled..limit], at) {
                Ok(n) => n,
                Err(e) => {
                    self.finish(&mut each);
                    return Err(e);
                }
            };
            if got == 0 {
                self.finish(&mut each);
                return Ok(());
            }
            self.filled += got;
            if self.skip_line {
                match memchr::memchr(b'\n', &self.buf[..self.filled]) {
                    Some(n) => {
                        self.consume(n + 1);
                        self.skip_line = false;
                    }
                    None => {
                        self.consume(self.filled);
                        if self.offset >= self.end {
                            return Ok(());
                        }
                        continue;
                    }
                }
            }
            if !self.give(&mut each) {
                return Ok(());
            }
        }
    }

    /// Gives out what is complete; false when the end is reached or `each` wants no more. Which lines come in windows,
    /// and where these are cut, depends on the line alone.
    fn give(&mut self, each: &mut impl FnMut(Run) -> bool) -> bool {
        loop {
            if self.long {
                match memchr::memchr(b'\n', &self.buf[..self.filled.min(WINDOW)]) {
                    Some(n) => {
                        let more = self.window(n + 1, true, true, each);
                        self.long = false;
                        self.consume(n + 1);
                        if !more {
                            return false;
                        }
                    }
                    None if self.filled >= WINDOW => {
                        if !self.cut_window(false, each) {
                            return false;
                        }
                        continue;
                    }
                    None => return true,
                }
            }
            if self.offset >= self.end {
                return false;
            }
            // Whole lines up to the last line end; beyond `end` only the line that began before it.
            let bytes = &self.buf[..self.filled];
            let over = self.end.saturating_sub(self.offset);
            let (mut cut, mut done) = if (bytes.len() as u64) < over {
                (memchr::memrchr(b'\n', bytes).map(|n| n + 1), false)
            } else {
                let from = (over as usize).saturating_sub(1);
                match memchr::memchr(b'\n', &bytes[from..]) {
                    Some(n) => (Some(from + n + 1), true),
                    None => (memchr::memrchr(b'\n', &bytes[..from]).map(|n| n + 1), false),
                }
            };
            let long = cut.and_then(|cut| long_line(&bytes[..cut]));
            if long.is_some() {
                (cut, done) = (long, false);
            }
            if let Some(cut) = cut.filter(|&n| n > 0) {
                let more = each(Run::Lines {
                    offset: self.offset,
                    bytes: &self.buf[..cut],
                });
                self.consume(cut);
                if !more || done {
                    return false;
                }
            }
            if self.filled < WINDOW {
                return true;
            }
            self.long = true;
            if !self.cut_window(true, each) {
                return false;
            }
        }
    }

    /// Gives out a window that does not end its line.
    fn cut_window(&mut self, first: bool, each: &mut impl FnMut(Run) -> bool) -> bool {
        let more = each(Run::Window {
            offset: self.offset,
            bytes: &self.buf[..WINDOW],
            first,
            last: false,
            terminated: false,
        });
        self.consume(WINDOW - OVERLAP);
        more
    }

    fn window(&self, end: usize, last: bool, terminated: bool, each: &mut impl FnMut(Run) -> bool) -> bool {
        each(Run::Window {
            offset: self.offset,
            bytes: &self.buf[..end],
            first: false,
            last,
            terminated,
        })
    }

    fn finish(&mut self, each: &mut impl FnMut(Run) -> bool) {
        if self.filled == 0 || self.skip_line {
            return;
        }
        if self.long {
            self.window(self.filled, true, false, each);
        } else if self.offset < self.end {
            // The end may stand inside: lines up to it, and the one that reaches over it.
            each(Run::Lines {
                offset: self.offset,
                bytes: &self.buf[..self.filled],
            });
        }
        // What was given out does not come again where the reading goes on.
        self.offset += self.filled as u64;
        self.filled = 0;
    }

    fn consume(&mut self, n: usize) {
        self.buf.copy_within(n..self.filled, 0);
        self.filled -= n;
        self.offset += n as u64;
    }
}

/// Where a line that comes in windows begins in whole lines: a buffer may hold one of them, with its end.
fn long_line(lines: &[u8]) -> Option<usize> {
    let mut at = 0;
    while lines.len() - at > WINDOW {
        let n = memchr::memrchr(b'\n', &lines[at..at + WINDOW]);
        match n {
            Some(n) => at += n + 1,
            None => return Some(at),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every line of `data`, read in parts of `part` bytes by readers that give `step` bytes at a time.
    fn lines(data: &[u8], part: u64, step: usize) -> Vec<(u64, Vec<u8>)> {
        let mut out = Vec::new();
        let mut start = 0;
        while start < data.len() as u64 || start == 0 {
            let end = start + part;
            let from = start.saturating_sub(1);
            let mut runs = Runs::new(Vec::new(), from, end, start > 0);
            let read = |buf: &mut [u8], at: u64| {
                let rest = &data[(at as usize).min(data.len())..];
                let n = rest.len().min(step).min(buf.len());
                buf[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            };
            runs.drive(read, |run| {
                if let Run::Lines { offset, bytes } = run {
                    let mut at = offset;
                    for line in bytes.split_inclusive(|&b| b == b'\n') {
                        out.push((at, line.to_vec()));
                        at += line.len() as u64;
                    }
                }
                true
            })
            .unwrap();
            start = end;
        }
        out
    }

    proptest! {
        #[test]
        fn every_line_comes_once_however_the_file_is_cut(
            data in prop::collection::vec(prop_oneof![3 => Just(b'a'), 1 => Just(b'\n')], 0..200),
            part in 1u64..60, step in 1usize..50,
        ) {
            let mut want = Vec::new();
            let mut at = 0;
            for line in data.split_inclusive(|&b| b == b'\n') {
                want.push((at, line.to_vec()));
                at += line.len() as u64;
            }
            prop_assert_eq!(lines(&data, part, step), want);
        }
    }

    #[test]
    fn a_long_line_comes_in_overlapping_windows() {
        let mut data = vec![b'x'; WINDOW * 2 + 77];
        data.extend(b"\nshort\n");
        let mut at = 0;
        let mut seen = Vec::new();
        Runs::new(Vec::new(), 0, u64::MAX, false)
            .drive(
                |buf, _| {
                    let n = (data.len() - at).min(buf.len());
                    buf[..n].copy_from_slice(&data[at..at + n]);
                    at += n;
                    Ok(n)
                },
                |run| {
                    seen.push(match run {
                        Run::Lines { offset, bytes } => (offset, bytes.len(), None),
                        Run::Window {
                            offset,
                            bytes,
                            first,
                            last,
                            ..
                        } => (offset, bytes.len(), Some((first, last))),
                    });
                    true
                },
            )
            .unwrap();
        assert!(seen.len() >= 3 && seen[0].2 == Some((true, false)));
        for pair in seen.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            let overlap = if b.2.is_some() { OVERLAP as u64 } else { 0 };
            assert_eq!(a.0 + a.1 as u64, b.0 + overlap);
        }
        assert_eq!(seen.last().unwrap().2, None);
    }

    #[test]
    fn windows_stand_where_they_stand_however_the_bytes_come() {
        let mut data = b"short\n".to_vec();
        for (n, length) in [WINDOW + 50_000, 10, WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW, 5]
            .into_iter()
            .enumerate()
        {
            data.resize(data.len() + length, b'a' + n as u8);
            data.push(b'\n');
        }
        data.resize(data.len() + WINDOW, b'z');
        let runs = |from: u64, skip: bool, step: usize| {
            let mut seen = Vec::new();
            let read = |buf: &mut [u8], at: u64| {
                let rest = &data[(at as usize).min(data.len())..];
                let n = rest.len().min(step).min(buf.len());
                buf[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            };
            let each = |run: Run| {
                match run {
                    Run::Lines { offset, bytes } => {
                        let lines = bytes.split_inclusive(|b| *b == b'\n');
                        let mut at = offset;
                        lines.for_each(|l| {
                            seen.push((at, l.len(), false));
                            at += l.len() as u64;
                        });
                    }
                    Run::Window { offset, bytes, .. } => seen.push((offset, bytes.len(), true)),
                }
                true
            };
            Runs::new(Vec::new(), from, u64::MAX, skip)
                .drive(read, each)
                .unwrap();
            seen
        };
        let all = runs(0, false, READ);
        assert_eq!(all.iter().filter(|r| r.2).count(), 2 + 2 + 2 + 4 + 2, "{all:?}");
        for step in [READ / 2, 100_000, 7_777] {
            assert_eq!(runs(0, false, step), all);
        }
        for from in [1, 3_000, WINDOW as u64] {
            let part = runs(from, true, READ);
            assert_eq!(part, all[all.len() - part.len()..]);
        }
    }
}
