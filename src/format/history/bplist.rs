//! Binary property lists: objects anywhere in the file, found by a table of offsets at its end. Every container is
//! entered once, so that what refers to itself or is referred to a million times costs no more than its bytes.

use super::epoch::Epoch;
use super::plist::{Builder, MAX_DEPTH};
use std::io::Read;

/// First bytes of such a file.
pub const MAGIC: &[u8] = b"bplist00";

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;

const TRAILER: usize = 32;

const BROKEN: &str = "the property list is damaged; what could be reached was read: copy it again";

struct File<'f> {
    bytes: &'f [u8],
    offsets: &'f [u8],
    offset_size: usize,
    reference_size: usize,
    entered: Vec<bool>,
    /// Bytes of strings that may still be given.
    budget: usize,
}

/// Reads all of `input` into `builder`; the error is what is to be said about it.
pub fn read(input: &mut dyn Read, builder: &mut Builder) -> Result<(), String> {
    let mut bytes = Vec::new();
    let result = input.take(MAX_FILE + 1).read_to_end(&mut bytes);
    result.map_err(|e| format!("could not be read to its end ({e})"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(
            "is a property list of more than 256 MiB; convert it with `plutil -convert xml1` and scan that"
                .into(),
        );
    }
    let broken = || BROKEN.to_string();
    let (mut file, top) = File::open(&bytes).ok_or_else(broken)?;
    file.object(top, 0, builder).ok_or_else(broken)
}

/// A big-endian number at the start of `bytes`.
fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

impl<'f> File<'f> {
    fn open(bytes: &'f [u8]) -> Option<(Self, u64)> {
        let trailer = bytes.get(bytes.len().checked_sub(TRAILER)?..)?;
        let (offset_size, reference_size) = (usize::from(trailer[6]), usize::from(trailer[7]));
        let count = usize::try_from(number(&trailer[8..16])?).ok()?;
        let top = number(&trailer[16..24])?;
        let table = usize::try_from(number(&trailer[24..32])?).ok()?;
        let size = count.checked_mul(offset_size)?;
        let sane = (1..=8).contains(&offset_size) && (1..=8).contains(&reference_size);
        let offsets = bytes.get(table..table.checked_add(size)?).filter(|_| sane)?;
        let file = File {
            bytes,
            offsets,
            offset_size,
            reference_size,
            entered: vec![false; count],
            budget: 2 * bytes.len() + (16 << 20),
        };
        Some((file, top))
    }

    fn start(&self, object: u64) -> Option<usize> {
        let at = usize::try_from(object).ok()?.checked_mul(self.offset_size)?;
        let raw = self.offsets.get(at..at.checked_add(self.offset_size)?)?;
        usize::try_from(number(raw)?).ok()
    }

    /// The object's kind, its length (of what it has, in its own units), and where that begins.
    fn head(&self, object: u64) -> Option<(u8, usize, usize)> {
        let at = self.start(object)?;
        let marker = *self.bytes.get(at)?;
        let (kind, low) = (marker >> 4, usize::from(marker & 15));
        let sized = matches!(kind, 4 | 5 | 6 | 10 | 12 | 13);
        if !(sized && low == 15) {
            return Some((kind, low, at + 1));
        }
        let width = 1usize << (*self.bytes.get(at + 1)? & 3);
        let raw = self.bytes.get(at + 2..at + 2 + width)?;
        Some((kind, usize::try_from(number(raw)?).ok()?, at + 2 + width))
    }

    fn slice(&self, at: usize, length: usize) -> Option<&'f [u8]> {
        self.bytes.get(at..at.checked_add(length)?)
    }

    /// A string as UTF-8.
    fn string(&mut self, object: u64) -> Option<Vec<u8>> {
        let (kind, length, at) = self.head(object)?;
        let bytes = match kind {
            5 => self.slice(at, length)?.to_vec(),
            6 => {
                let raw = self.slice(at, length.checked_mul(2)?)?;
                let units = raw.chunks_exact(2).map(|p| u16::from_be_bytes([p[0], p[1]]));
                let text: String = char::decode_utf16(units)
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect();
                text.into_bytes()
            }
            _ => return Some(Vec::new()),
        };
        self.budget = self.budget.checked_sub(bytes.len() + 1)?;
        Some(bytes)
    }

    fn object(&mut self, object: u64, depth: usize, builder: &mut Builder) -> Option<()> {
        let (kind, length, at) = self.head(object)?;
        match kind {
            1..=3 if builder.wants() => {
                let raw = number(self.slice(at, 1 << (length & 7))?);
                let n = match (kind, length) {
                    (1, _) => raw.map(|n| n as f64),
                    (_, 3) => raw.map(f64::from_bits),
                    _ => raw.map(|n| f64::from(f32::from_bits(n as u32))),
                };
                builder.date(n.and_then(|n| Epoch::Cocoa.real(n)));
                Some(())
            }
            5 | 6 if builder.wants() => {
                let text = self.string(object)?;
                builder.string(&text, None);
                Some(())
            }
            10 | 12 | 13 => {
                if depth >= MAX_DEPTH {
                    builder.too_deep = true;
                    return Some(());
                }
                let seen = self.entered.get_mut(usize::try_from(object).ok()?)?;
                if std::mem::replace(seen, true) {
                    return Some(());
                }
                builder.begin(kind == 13);
                let done = self.members(kind == 13, length, at, depth, builder);
                builder.end();
                done
            }
            _ => Some(()),
        }
    }

    fn members(
        &mut self,
        dictionary: bool,
        length: usize,
        at: usize,
        depth: usize,
        builder: &mut Builder,
    ) -> Option<()> {
        let width = self.reference_size;
        let references = self.slice(at, length.checked_mul(width)?)?;
        if !dictionary {
            for r in references.chunks_exact(width) {
                self.object(number(r)?, depth + 1, builder)?;
            }
            return Some(());
        }
        let values = self.slice(at + references.len(), references.len())?;
        for (key, value) in references.chunks_exact(width).zip(values.chunks_exact(width)) {
            let key = self.string(number(key)?)?;
            builder.key(&key);
            self.object(number(value)?, depth + 1, builder)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use crate::format::Catalogue;
    use crate::format::document::Read;
    use crate::format::history::plist::binary;
    use crate::format::history::row::tests::{Seen, collect, texts};

    fn scan(bytes: &[u8]) -> (Option<u16>, Read, Vec<Seen>) {
        let catalogue = Catalogue::builtin().unwrap();
        let mut out = None;
        let seen = collect(|v| out = Some(binary(&mut &bytes[..], &catalogue, v)));
        let (format, read) = out.unwrap();
        (format, read, seen)
    }

    /// Bookmarks as macOS writes them: one, with a title that is no ASCII and a date.
    const FILE: &[u8] = b"bplist00\xd2\x01\x02\x03\x0fXChildren_\x10\x16WebBookmarkFileVersion\xa1\x04\xd3\x05\x06\x07\x08\x09\
        \x0cYURLString]URIDictionary[ReadingList_\x10\x12https://h/?token=x\xd1\x0a\x0bUtitled\x00T\x00\xe9\
        \xd8=\xde\x00\xd1\x0d\x0eYDateAdded3A\xc7\x82\xf8@\x00\x00\x00\x10\x01\x08\x0d\x16/18BP\x5cqtz\x83\
        \x86\x90\x99\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x9b";

    #[test]
    fn bookmarks_of_safari() {
        let (format, read, seen) = scan(FILE);
        let catalogue = Catalogue::builtin().unwrap();
        assert_eq!(format, catalogue.index("safari-bookmarks"));
        assert_eq!((read.records, read.problem), (1, None));
        assert_eq!(texts(&seen), ["https://h/?token=x", "T\u{e9}\u{1F600}"]);
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    /// A list of these objects, all offsets and references of one byte.
    fn list(objects: &[&[u8]]) -> Vec<u8> {
        let mut out = b"bplist00".to_vec();
        let mut offsets = Vec::new();
        for o in objects {
            offsets.push(out.len() as u8);
            out.extend(*o);
        }
        let table = out.len() as u64;
        out.extend(&offsets);
        out.extend([0, 0, 0, 0, 0, 0, 1, 1]);
        out.extend((objects.len() as u64).to_be_bytes());
        out.extend(0u64.to_be_bytes());
        out.extend(table.to_be_bytes());
        out
    }

    #[test]
    fn what_refers_to_itself_or_to_nothing_ends() {
        let (_, read, seen) = scan(&list(&[
            b"\xA3\x00\x01\x01",
            b"\xD1\x02\x03",
            b"\x53URL",
            b"\x54abcd",
        ]));
        assert_eq!((texts(&seen), read.problem), (vec!["abcd"], None));
        let (_, read, seen) = scan(&list(&[
            b"\xA2\x01\x09",
            b"\xD1\x02\x03",
            b"\x53URL",
            b"\x54abcd",
        ]));
        assert_eq!(texts(&seen), ["abcd"]);
        assert!(read.problem.unwrap().contains("damaged"));
        // Each of twelve lists has the next object fifteen times: 15^12 ways to the last.
        let lists: Vec<Vec<u8>> = (1..=12u8)
            .map(|n| [&[0xAF, 0x10, 15][..], &[n; 15]].concat())
            .collect();
        let mut objects: Vec<&[u8]> = lists.iter().map(|l| &l[..]).collect();
        objects.push(b"\x08");
        assert_eq!(scan(&list(&objects)).1.problem, None);
    }

    #[test]
    fn whatever_the_bytes_are_it_ends() {
        for n in 0..FILE.len() {
            assert!(scan(&FILE[..n]).1.problem.is_some());
            for value in [0, 0x5F, 0x6F, 0xAF, 0xDF, 0xFF] {
                let mut changed = FILE.to_vec();
                changed[n] = value;
                assert!(scan(&changed).1.records < 10);
            }
        }
    }
}
