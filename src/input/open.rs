//! Opening: compressed bytes become plain ones, archives their members, each told by content. Streams are read
//! once, front to back, in bounded memory.

use super::magic::{self, Magic};
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffer between a file and its decompressor, in bytes.
const BUFFER: usize = 64 << 10;

/// How deep compression and archives may be nested.
pub const MAX_NESTING: usize = 6;

/// A reader that shows its first bytes without taking them.
pub struct Peek<R> {
    inner: BufReader<R>,
    head: Vec<u8>,
    given: usize,
    error: Option<io::Error>,
}

impl<R: Read> Peek<R> {
    /// Reads up to [`magic::LENGTH`] bytes ahead, but waits for no more than it takes to tell: a line of a log that
    /// is being written has to be scanned before the next one comes.
    pub fn new(inner: R) -> Self {
        let mut inner = BufReader::with_capacity(BUFFER, inner);
        let mut head = vec![0; magic::LENGTH];
        let mut filled = 0;
        let mut error = None;
        while filled < head.len() {
            match inner.read(&mut head[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
            if magic::tell(&head[..filled]) != Magic::Data || head[..filled].contains(&b'\n') {
                break;
            }
        }
        head.truncate(filled);
        Peek {
            inner,
            head,
            given: 0,
            error,
        }
    }

    /// What the first bytes say.
    pub fn magic(&self) -> Magic {
        magic::tell(&self.head)
    }
}

impl<R: Read> Read for Peek<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.given < self.head.len() {
            let n = (self.head.len() - self.given).min(buf.len());
            buf[..n].copy_from_slice(&self.head[self.given..self.given + n]);
            self.given += n;
            return Ok(n);
        }
        match self.error.take() {
            Some(e) => Err(e),
            None => self.inner.read(buf),
        }
    }
}

impl<R: Read> BufRead for Peek<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given < self.head.len() {
            return Ok(&self.head[self.given..]);
        }
        match self.error.take() {
            Some(e) => Err(e),
            None => self.inner.fill_buf(),
        }
    }

    fn consume(&mut self, n: usize) {
        if self.given < self.head.len() {
            self.given += n;
        } else {
            self.inner.consume(n);
        }
    }
}

/// What is wrong with a tar archive. The library's own words hold names of members, which can be anything.
pub fn tar_problem(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".into(),
        _ => e.raw_os_error().map_or_else(
            || "a header is damaged".into(),
            |code| io::Error::from_raw_os_error(code).to_string(),
        ),
    }
}

/// The input given back.
type NotCompressed<'r> = Peek<Box<dyn Read + 'r>>;

/// A decompressor for `magic` over `input`; `None` where it is no compression. All members of a file are read.
pub fn decompress<'r>(
    magic: Magic,
    input: Peek<Box<dyn Read + 'r>>,
) -> Result<(&'static str, Box<dyn Read + 'r>), NotCompressed<'r>> {
    Ok(match magic {
        Magic::Gzip => ("gzip", Box::new(Gunzip::new(input))),
        Magic::Bzip2 => ("bzip2", Box::new(bzip2::bufread::MultiBzDecoder::new(input))),
        Magic::Xz => ("xz", Box::new(lzma_rust2::XzReader::new(input, true))),
        Magic::Zstd => match zstd::stream::read::Decoder::with_buffer(input) {
            Ok(d) => ("zstd", Box::new(d)),
            Err(e) => ("zstd", Box::new(Failing(Some(e)))),
        },
        _ => return Err(input),
    })
}

/// Gunzips members one after the other; zeros behind the last are padding (RFC 1952 knows none, tapes and copies by
/// blocks have it, and gzip passes over it).
struct Gunzip<R>(Option<flate2::bufread::GzDecoder<R>>);

impl<R: BufRead> Gunzip<R> {
    fn new(input: R) -> Self {
        Gunzip(Some(flate2::bufread::GzDecoder::new(input)))
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let n = member.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            let Some(mut input) = self.0.take().map(flate2::bufread::GzDecoder::into_inner) else {
                break;
            };
            loop {
                let rest = input.fill_buf()?;
                let zeros = rest.iter().position(|b| *b != 0).unwrap_or(rest.len());
                if rest.is_empty() {
                    return Ok(0);
                }
                let other = zeros < rest.len();
                input.consume(zeros);
                if other {
                    break;
                }
            }
            self.0 = Some(flate2::bufread::GzDecoder::new(input));
        }
        Ok(0)
    }
}

/// Gives its error at the first read.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Where characters of a text that was UTF-16 stand in it. Neighbours of one width in both are one stretch.
#[derive(Debug, Default)]
pub struct Offsets {
    stretches: Vec<Stretch>,
    plain: u64,
    raw: u64,
}

#[derive(Debug)]
struct Stretch {
    plain: u64,
    raw: u64,
    /// Bytes of each of its characters, as UTF-8 and as UTF-16.
    widths: (u8, u8),
}

/// Stretches that are remembered of one text: ASCII with a word of another script here and there has few.
const MOST_STRETCHES: usize = 1 << 20;

impl Offsets {
    /// For a text whose first character stands at `raw`.
    pub fn from(raw: u64) -> Offsets {
        Offsets {
            raw,
            ..Offsets::default()
        }
    }

    /// A character follows; false where there are too many stretches.
    fn push(&mut self, c: char) -> bool {
        let widths = (c.len_utf8() as u8, 2 * c.len_utf16() as u8);
        if self.stretches.last().is_none_or(|s| s.widths != widths) {
            if self.stretches.len() >= MOST_STRETCHES {
                return false;
            }
            self.stretches.push(Stretch {
                plain: self.plain,
                raw: self.raw,
                widths,
            });
        }
        self.plain += u64::from(widths.0);
        self.raw += u64::from(widths.1);
        true
    }

    /// The offset in UTF-16 of the character at `plain` in UTF-8.
    pub fn raw(&self, plain: u64) -> u64 {
        let n = self.stretches.partition_point(|s| s.plain <= plain);
        n.checked_sub(1).map_or(plain, |n| {
            let s = &self.stretches[n];
            s.raw + (plain - s.plain) / u64::from(s.widths.0) * u64::from(s.widths.1)
        })
    }

    /// Bytes of UTF-16 so far.
    pub fn end(&self) -> u64 {
        self.raw
    }
}

/// Offsets that a reader notes and others ask for.
pub type SharedOffsets = Arc<Mutex<Offsets>>;

/// UTF-16 with a byte order mark, as UTF-8. A lone surrogate becomes the replacement character.
pub struct Utf16<R> {
    inner: R,
    big_endian: bool,
    raw: Vec<u8>,
    out: Vec<u8>,
    given: usize,
    done: bool,
    offsets: Option<SharedOffsets>,
    /// Whether something could not be told exactly: a lone surrogate, half a unit at the end.
    pub lossy: bool,
}

impl<R: Read> Utf16<R> {
    /// `inner` stands after the byte order mark.
    pub fn new(inner: R, big_endian: bool) -> Self {
        Utf16 {
            inner,
            big_endian,
            raw: Vec::new(),
            out: Vec::new(),
            given: 0,
            done: false,
            offsets: None,
            lossy: false,
        }
    }

    /// The same, noting where characters stand.
    pub fn noting(inner: R, big_endian: bool, offsets: SharedOffsets) -> Self {
        Utf16 {
            offsets: Some(offsets),
            ..Utf16::new(inner, big_endian)
        }
    }

    /// No longer noting anything.
    pub fn unnoted(self) -> Self {
        Utf16 {
            offsets: None,
            ..self
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let keep = self.raw.len();
        self.raw.resize(keep + BUFFER, 0);
        let n = self.inner.read(&mut self.raw[keep..])?;
        self.raw.truncate(keep + n);
        self.done = n == 0;
        self.out.clear();
        self.given = 0;
        let unit = |p: &[u8]| {
            if self.big_endian {
                u16::from_be_bytes([p[0], p[1]])
            } else {
                u16::from_le_bytes([p[0], p[1]])
            }
        };
        let mut units: Vec<u16> = self.raw.chunks_exact(2).map(unit).collect();
        // A pair that is cut in two waits for its other half.
        let waits = !self.done && units.last().is_some_and(|u| (0xD800..0xDC00).contains(u));
        if waits {
            units.pop();
        }
        let used = units.len() * 2;
        let mut offsets = self
            .offsets
            .as_ref()
            .map(|o| o.lock().unwrap_or_else(PoisonError::into_inner));
        for c in char::decode_utf16(units) {
            self.lossy |= c.is_err();
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            if offsets.as_mut().is_some_and(|o| !o.push(c)) {
                let why =
                    "it changes between scripts too often for UTF-16; convert it to UTF-8 and scan that";
                return Err(io::Error::other(why));
            }
            self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.raw.drain(..used);
        self.lossy |= self.done && !self.raw.is_empty();
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() {
            if self.done {
                return Ok(0);
            }
            self.refill()?;
        }
        let n = (self.out.len() - self.given).min(buf.len());
        buf[..n].copy_from_slice(&self.out[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_becomes_utf8_whatever_the_cuts() {
        let text = "a😀é\nb";
        let mut raw: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        raw.extend([0xD8, 0x00]);
        struct OneByte<'a>(&'a [u8]);
        impl Read for OneByte<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let Some((&b, rest)) = self.0.split_first() else {
                    return Ok(0);
                };
                buf[0] = b;
                self.0 = rest;
                Ok(1)
            }
        }
        let mut out = String::new();
        let offsets = SharedOffsets::new(Mutex::new(Offsets::from(2)));
        let mut plain = Utf16::noting(OneByte(&raw), true, offsets.clone());
        plain.read_to_string(&mut out).unwrap();
        assert_eq!(out, "a😀é\nb\u{FFFD}");
        assert!(plain.lossy);
        let offsets = offsets.lock().unwrap();
        for (at, _) in out.char_indices() {
            let units = out[..at].encode_utf16().count() as u64;
            assert_eq!(offsets.raw(at as u64), 2 + 2 * units);
        }
        assert_eq!(offsets.end(), 2 + raw.len() as u64);
    }
}
