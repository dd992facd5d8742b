//! What bytes are, told by their beginning; names never decide. Logs have no magic, so whatever is not known
//! here is data to be read.

/// What the beginning says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// A tar archive.
    Tar,
    /// A zip archive.
    Zip,
    /// An SQLite database.
    Sqlite,
    /// Recognised, and nothing that is read.
    Ignored(&'static str),
    /// A container that cannot be opened: what it holds is not known.
    Unsupported(&'static str),
    /// Anything else.
    Data,
}

/// Bytes that have to be looked at.
pub const LENGTH: usize = 512;

const IGNORED: &[(&[u8], &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\0\0\x01\0", "an icon"),
    (b"wOFF", "a font"),
    (b"wOF2", "a font"),
    (b"OTTO", "a font"),
    (b"\0\x01\0\0\0", "a font"),
    (b"\x7fELF", "an executable"),
    (b"MZ\x90\0", "an executable"),
    (b"\xca\xfe\xba\xbe", "compiled code"),
    (b"\xcf\xfa\xed\xfe", "an executable"),
    (b"\0asm", "compiled code"),
    (b"ID3", "sound"),
    (b"OggS", "sound or video"),
    (b"fLaC", "sound"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"%PDF-", "a PDF document"),
    (b"\x37\x7f\x06\x82", "a database's write-ahead log"),
    (b"\x37\x7f\x06\x83", "a database's write-ahead log"),
    (b"\x18\xe2\x2d\0", "a database's shared memory"),
    (
        b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",
        "a database's rollback journal",
    ),
];

const UNSUPPORTED: &[(&[u8], &str)] = &[
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive; unpack it and scan what is in it",
    ),
    (b"Rar!\x1a\x07", "a rar archive; unpack it and scan what is in it"),
    (
        b"PAR1",
        "a parquet file; export it as JSON lines or CSV and scan that",
    ),
    (
        b"ElfFile\0",
        "a Windows event log; export it as text and scan that",
    ),
    (b"\x1f\x9d", "a compress (.Z) file; recompress it with gzip"),
    (b"LZIP", "an lzip file; recompress it with xz or gzip"),
    (
        b"\x89LZO\0\r\n\x1a\n",
        "an lzop file; recompress it with zstd or gzip",
    ),
    (
        b"\xff\x06\0\0sNaPpY",
        "a snappy file; recompress it with zstd or gzip",
    ),
    (b"\x5d\0\0\x80\0", "an LZMA file; recompress it with xz or gzip"),
    (b"Obj\x01", "an Avro file; export it as JSON lines and scan that"),
    (
        b"LPKSHHRH",
        "a systemd journal; export it with `journalctl --file FILE -o json` and scan that",
    ),
    (b"MSCF\0\0\0\0", "a cabinet; unpack it and scan what is in it"),
    (
        b"hsqs",
        "a squashfs image; mount or unpack it and scan what is in it",
    ),
    (
        b"\xd4\xc3\xb2\xa1",
        "a packet capture; export its requests as text and scan those",
    ),
    (
        b"\xa1\xb2\xc3\xd4",
        "a packet capture; export its requests as text and scan those",
    ),
    (
        b"\x0a\x0d\x0d\x0a",
        "a packet capture; export its requests as text and scan those",
    ),
    (
        b"\x04\x22\x4d\x18",
        "an lz4 file; recompress it with zstd or gzip",
    ),
];

/// Why what begins with `head`, and would be read as text by lines, has more in it than lines show; `None` where nothing
/// speaks for that.
pub fn not_text_alone(head: &[u8]) -> Option<&'static str> {
    if holds_zip(head) {
        return Some(
            "a zip archive stands in it behind other data; cut it out, or unpack it, and give what comes of it",
        );
    }
    is_wide(head).then_some(
        "is UTF-16 or UTF-32 without a byte order mark, which is not read; convert it to UTF-8 (`iconv -f UTF-16LE -t UTF-8`)",
    )
}

/// Whether a zip begins in text that is read by lines.
fn holds_zip(head: &[u8]) -> bool {
    memchr::memmem::find_iter(head, b"PK\x03\x04").any(|at| {
        // Version needed, at most 6.3 by now, and a method that there is (APPNOTE.TXT, 4.3.7).
        matches!(head.get(at + 4..at + 10), Some(&[version, _, _, _, method, 0]) if version < 64 && method < 100)
    })
}

/// Whether characters take two or four bytes, all but one of them zeros in text like ours. What has next to nothing but
/// zeros is a hole in a log.
fn is_wide(head: &[u8]) -> bool {
    let marked = head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF");
    if marked && head.get(2..4) != Some(&[0, 0]) {
        return false; // UTF-16, which is read
    }
    let pairs = head.len() / 2;
    let zeros = |which: usize| head.iter().skip(which).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    pairs >= 16 && even.max(odd) * 10 >= pairs * 9 && (even + odd) * 10 < head.len() * 8
}

/// What `head`, the first bytes of something, says.
pub fn tell(head: &[u8]) -> Magic {
    let starts = |m: &[u8]| head.starts_with(m);
    if starts(b"\x1f\x8b\x08") {
        return Magic::Gzip;
    }
    if starts(b"\x28\xb5\x2f\xfd")
        || (head.len() >= 4 && head[1..4] == [0x2A, 0x4D, 0x18] && head[0] & 0xF0 == 0x50)
    {
        return Magic::Zstd;
    }
    if starts(b"BZh")
        && head.get(3).is_some_and(|b| (b'1'..=b'9').contains(b))
        && head
            .get(4..10)
            .is_none_or(|m| m == b"1AY&SY" || m == b"\x17\x72\x45\x38\x50\x90")
    {
        return Magic::Bzip2;
    }
    if starts(b"\xfd7zXZ\0") {
        return Magic::Xz;
    }
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        return Magic::Zip;
    }
    if starts(b"SQLite format 3\0") {
        return Magic::Sqlite;
    }
    // https://www.sqlite.org/fileformat2.html#walformat
    if starts(b"\x37\x7f\x06\x82") || starts(b"\x37\x7f\x06\x83") {
        return Magic::Ignored(WAL);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Magic::Tar;
    }
    if head.len() >= 12 && starts(b"RIFF") && matches!(&head[8..12], b"WEBP" | b"WAVE" | b"AVI ") {
        return Magic::Ignored("an image, sound or video");
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Magic::Ignored("video");
    }
    if let Some((_, what)) = UNSUPPORTED.iter().find(|(m, _)| starts(m)) {
        return Magic::Unsupported(what);
    }
    if let Some((_, what)) = IGNORED.iter().find(|(m, _)| starts(m)) {
        return Magic::Ignored(what);
    }
    Magic::Data
}

/// What a database's write-ahead log is: it is read with the database that it stands beside.
pub const WAL: &str = "the write-ahead log of a database";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_may_have_more_in_it_than_lines() {
        let text = "GET /a?token=x HTTP/1.1 and so on";
        let wide = |zeros: &[u8]| {
            text.bytes()
                .flat_map(|b| [&[b][..], zeros].concat())
                .collect::<Vec<u8>>()
        };
        assert!(not_text_alone(text.as_bytes()).is_none());
        assert!(not_text_alone(&wide(&[0])).is_some() && not_text_alone(&wide(&[0, 0, 0])).is_some());
        assert!(not_text_alone(&[&b"\xFF\xFE"[..], &wide(&[0])].concat()).is_none());
        assert!(not_text_alone(&[0; 100]).is_none());
        assert!(not_text_alone(b"#!/bin/sh\nPK\x03\x04\x0a\0\0\0\0\0").is_some());
        assert!(not_text_alone(b"GET /PK\x03\x04 HTTP/1.1").is_none());
    }

    #[test]
    fn content_decides() {
        assert_eq!(tell(b"\x1f\x8b\x08\0"), Magic::Gzip);
        assert_eq!(tell(b"PK\x03\x04"), Magic::Zip);
        assert_eq!(tell(b"BZh91AY&SY"), Magic::Bzip2);
        assert_eq!(tell(b"BZhello wor"), Magic::Data);
        assert_eq!(tell(b"MZ is a word that a log can begin with"), Magic::Data);
        assert_eq!(tell(b"SQLite format 3\0"), Magic::Sqlite);
        assert!(matches!(tell(b"\x89PNG\r\n\x1a\n"), Magic::Ignored(_)));
        assert_eq!(tell(b"10.0.0.1 - -"), Magic::Data);
        assert_eq!(tell(b""), Magic::Data);
    }
}
