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
        b"\x04\x22\x4d\x18",
        "an lz4 file; recompress it with zstd or gzip",
    ),
];

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
