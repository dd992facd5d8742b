//! Compressed files and archives that are cut off, damaged, put together, hostile or nested: what can be read is read, and
//! what cannot is said.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, leak, said};
use serde_json::Value;
use std::io::Write;

fn log(n: usize) -> Vec<u8> {
    (0..n).map(leak).collect::<String>().into_bytes()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

fn bzip2(plain: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

fn xz(plain: &[u8]) -> Vec<u8> {
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    let mut out = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    out.include_checksum(true).unwrap();
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

/// A way to compress.
type Pack = fn(&[u8]) -> Vec<u8>;

const PACKS: [(&str, Pack); 4] = [("gzip", gzip), ("bzip2", bzip2), ("xz", xz), ("zstd", zstd)];

/// The scan of one file: its source, and how many exposures there are.
fn scan(bytes: &[u8], more: &[&str]) -> (Value, u64) {
    let d = Dir::new();
    d.file("packed", bytes);
    let report = d.scan(&[more, &["packed"]].concat());
    let complete = report["sources"]
        .as_array()
        .unwrap()
        .iter()
        .all(|s| s["status"] == "complete" || s["status"] == "ignored");
    assert_eq!(report["summary"]["complete"], complete);
    (
        report["sources"][0].clone(),
        report["summary"]["exposures"].as_u64().unwrap(),
    )
}

#[test]
fn members_one_after_the_other_are_one_file() {
    for (name, pack) in PACKS {
        let (source, n) = scan(&[pack(&log(30)), pack(b""), pack(&log(20))].concat(), &[]);
        assert_eq!(
            (&source["status"], &source["compression"], n),
            (&"complete".into(), &name.into(), 50),
            "{source}"
        );
    }
}

#[test]
fn what_is_cut_off_or_damaged_is_never_complete() {
    for (name, pack) in PACKS {
        // Long enough for several blocks, of text that does not pack to nothing.
        let text: Vec<u8> = (0..12_000usize)
            .flat_map(|n| leak(n.wrapping_mul(2_654_435_761) % 1_000_003).into_bytes())
            .collect();
        let whole = pack(&text);
        let n = whole.len();
        for cut in [n - 1, n - 3, n - 9, n / 2, 40, 11] {
            let (source, found) = scan(&whole[..cut], &[]);
            assert_eq!(
                source["status"], "partial",
                "{name} cut to {cut} of {n}: {source}"
            );
            assert!(found < 12_000 || cut > n - 20, "{name} {found}");
            assert!(
                found > 0 || cut <= n / 2,
                "{name} cut to {cut} of {n} gives nothing"
            );
        }
        for at in [n / 3, n / 2, n - 5] {
            let mut bad = whole.clone();
            bad[at] ^= 0x55;
            let (source, _) = scan(&bad, &[]);
            assert_eq!(
                source["status"], "partial",
                "{name} damaged at {at} of {n}: {source}"
            );
            assert!(
                source["problem"].as_str().unwrap().contains("damaged or cut off"),
                "{source}"
            );
        }
        // What follows that is no member: padding is none of it, anything else is.
        let (source, found) = scan(&[whole.as_slice(), b"garbage that is no member"].concat(), &[]);
        assert_eq!(source["status"], "partial", "{name}: {source}");
        assert!(found > 0);
    }
}

#[test]
fn bombs_end_and_say_so() {
    // 3 GiB of nothing in 3 MiB, twice packed in 10 KiB.
    let mut layer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..1200 {
        layer.write_all(&zeros).unwrap();
    }
    let layer = gzip(&layer.finish().unwrap());
    assert!(layer.len() < 100_000);
    let (source, _) = scan(&layer, &[]);
    assert_eq!(source["status"], "partial");
    let problem = source["problem"].as_str().unwrap();
    assert!(
        problem.contains("more than 1000 times its size") && problem.contains("--max-ratio"),
        "{problem}"
    );
    // The limits can be set, and hold for streams and archives, too.
    let (source, _) = scan(&layer, &["--max-ratio", "1000000"]);
    assert_eq!(source["status"], "complete", "{source}");
    let packed = gzip(&log(3000));
    let (source, n) = scan(&packed, &["--max-unpacked", "100k"]);
    assert!(
        source["problem"].as_str().unwrap().contains("--max-unpacked"),
        "{source}"
    );
    assert!((500..1100).contains(&n), "{n}");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for n in 0..5 {
        zip.start_file(format!("{n}.log"), zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&log(300)).unwrap();
    }
    let d = Dir::new();
    d.file("a.zip", zip.finish().unwrap().into_inner());
    let report = d.scan(&["--max-unpacked", "100k", "a.zip"]);
    let states: Vec<&str> = report["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["status"].as_str().unwrap())
        .collect();
    assert!(states[0] == "complete" && states[4] == "partial", "{states:?}");
    d.file("a.gz", packed);
    let out = d.expect(2, &["redact", "--max-unpacked", "100k", "a.gz", "-o", "out"]);
    assert!(
        said(&out).contains("--max-unpacked") && !d.path().join("out").exists(),
        "{}",
        said(&out)
    );
    let out = d.expect(2, &["scan", "--max-unpacked", "much", "a.gz"]);
    assert!(said(&out).contains("write it as 500M"), "{}", said(&out));
}

fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, body) in entries {
        let mut header = tar::Header::new_gnu();
        // As hostile archives are written: the library would refuse the names.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *body).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn names_in_archives_lead_nowhere() {
    use tar::EntryType as T;
    let d = Dir::new();
    let one = log(1);
    let names = [
        "/etc/passwd",
        "../../up.log",
        "a.log",
        "a.log",
        "C:\\x.log",
        "a/\u{1b}[31m.log",
    ];
    let mut entries: Vec<(&str, T, &[u8])> = names.iter().map(|n| (*n, T::Regular, one.as_slice())).collect();
    entries.push(("link", T::Symlink, b""));
    entries.push(("null", T::Char, b""));
    entries.push(("odd", T::new(b'Q'), &one));
    d.file("in/a.tar", tar(&entries));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["/etc/passwd", "../../up.log", "b.log"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&one).unwrap();
    }
    d.file("in/b.zip", zip.finish().unwrap().into_inner());
    let before: Vec<_> = walk(&d);
    let report = d.scan(&["in"]);
    assert_eq!(walk(&d), before, "something was written");
    let shown: Vec<String> = report["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            format!(
                "{} {} {}",
                s["path"].as_str().unwrap(),
                s["status"].as_str().unwrap(),
                s["exposures"]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "in/a.tar!../../up.log complete 1",
            "in/a.tar!/etc/passwd complete 1",
            "in/a.tar!C:\\x.log complete 1",
            "in/a.tar!a.log complete 1",
            "in/a.tar!a.log complete 1",
            "in/a.tar!a/\\x1b[31m.log complete 1",
            "in/a.tar!odd skipped 0",
            "in/b.zip!../../up.log complete 1",
            "in/b.zip!/etc/passwd complete 1",
            "in/b.zip!b.log complete 1",
        ]
    );
    // Copies of archives keep the names as they are: they are members, not paths.
    let out = d.run(&["redact", "in/b.zip", "-o", "clean.zip"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert!(!d.path().join("up.log").exists());
}

fn walk(d: &Dir) -> Vec<std::path::PathBuf> {
    let all = walkdir::WalkDir::new(d.path()).sort_by_file_name();
    all.into_iter().map(|e| e.unwrap().into_path()).collect()
}

#[test]
fn members_that_hide_others_are_said() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, body) in [("a.log", log(1)), ("b.log", log(2))] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&body).unwrap();
    }
    // The second gets the name of the first, in its own header and in the directory.
    let mut bytes = zip.finish().unwrap().into_inner();
    while let Some(at) = memchr::memmem::find(&bytes, b"b.log") {
        bytes[at] = b'a';
    }
    let (source, _) = scan(&bytes, &[]);
    assert_eq!(source["status"], "partial", "{source}");
    assert!(
        source["problem"].as_str().unwrap().contains("one name"),
        "{source}"
    );
    let d = Dir::new();
    d.file("a.zip", bytes);
    d.expect(2, &["redact", "a.zip", "-o", "out.zip"]);
    assert!(!d.path().join("out.zip").exists());
}

#[test]
fn what_stands_behind_the_end_of_a_tar_is_read() {
    let regular = tar::EntryType::Regular;
    let (one, two) = (
        tar(&[("a.log", regular, &log(1))]),
        tar(&[("b.log", regular, &log(2))]),
    );
    let both = [&one[..], &two].concat();
    let d = Dir::new();
    d.file("both.tar", &both);
    let report = d.scan(&["both.tar"]);
    assert_eq!(report["summary"]["exposures"], 3, "{report}");
    d.expect(0, &["redact", "both.tar", "-o", "out.tar"]);
    assert_eq!(d.scan(&["out.tar"])["summary"]["sources"], 2);
    // Without the zeros at its end nobody knows whether more came.
    let cut = one.len() - 1024;
    d.file("cut.tar", &one[..cut]);
    let report = d.scan(&["cut.tar"]);
    assert_eq!(
        (&report["summary"]["exposures"], &report["summary"]["complete"]),
        (&1.into(), &false.into())
    );
    d.expect(2, &["redact", "cut.tar", "-o", "never.tar"]);
}

/// A zip archive of one member.
fn zip_of(name: &str, body: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file(name, stored).unwrap();
    zip.write_all(body).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn what_an_archive_does_not_list_is_said() {
    // Two archives, one after the other: the directory at the end knows of the second alone.
    let hidden = [zip_of("a.log", &log(1)), zip_of("b.log", &log(1))].concat();
    // A directory that knows of none, as a broken tool leaves it.
    let mut emptied = zip_of("a.log", &log(1));
    let end = emptied.len() - 22;
    emptied[end + 8..end + 20].fill(0);
    // One that knows of fewer than it has, one behind which something else follows, and one that follows something else.
    let two = {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in ["a.log", "b.log"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(&log(1)).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let mut fewer = two.clone();
    let end = fewer.len() - 22;
    (fewer[end + 8], fewer[end + 10]) = (1, 1);
    let behind = [&two[..], &log(1)].concat();
    let before = [&b"#!/bin/sh\n"[..], &two].concat();
    for bytes in [hidden, emptied, fewer, behind, before] {
        let d = Dir::new();
        d.file("a.zip", bytes);
        let report = d.scan(&["a.zip"]);
        assert_eq!(report["summary"]["complete"], false, "{}", report["sources"]);
        d.expect(2, &["redact", "a.zip", "-o", "out.zip"]);
        assert!(!d.path().join("out.zip").exists());
    }
}

#[test]
fn archives_without_files_are_told() {
    let empty_zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()))
        .finish()
        .unwrap()
        .into_inner();
    let folder = tar(&[("d/", tar::EntryType::Directory, b"")]);
    // What GitHub puts before the files of its archives.
    let global = tar(&[(
        "pax_global_header",
        tar::EntryType::XGlobalHeader,
        b"17 comment=123456\n",
    )]);
    for bytes in [empty_zip, folder, global] {
        let (source, _) = scan(&bytes, &[]);
        assert_eq!(source["status"], "ignored", "{source}");
    }
}

#[test]
fn content_counts_whatever_its_entry_says_it_is() {
    let line = log(1);
    let d = Dir::new();
    d.file("a.zip", zip_of("folder/", &line));
    assert_eq!(d.scan(&["a.zip"])["summary"]["exposures"], 1);
    d.expect(0, &["redact", "a.zip", "-o", "out.zip"]);
    let copy = std::fs::read(d.path().join("out.zip")).unwrap();
    assert!(memchr::memmem::find(&copy, &line).is_none());
    let mut link = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let target = String::from_utf8(line.clone()).unwrap();
    link.add_symlink("l", target, zip::write::SimpleFileOptions::default())
        .unwrap();
    d.file("l.zip", link.finish().unwrap().into_inner());
    d.expect(0, &["redact", "l.zip", "-o", "link.zip"]);
    let link = std::fs::File::open(d.path().join("link.zip")).unwrap();
    let mut link = zip::ZipArchive::new(link).unwrap();
    let mut link = link.by_index(0).unwrap();
    assert!(link.is_symlink());
    let mut kept = Vec::new();
    std::io::Read::read_to_end(&mut link, &mut kept).unwrap();
    assert!(!kept.is_empty() && kept != line);
    for kind in [
        tar::EntryType::Directory,
        tar::EntryType::Symlink,
        tar::EntryType::Char,
    ] {
        let d = Dir::new();
        d.file("a.tar", tar(&[("x", kind, &line)]));
        assert_eq!(d.scan(&["a.tar"])["sources"][0]["status"], "skipped", "{kind:?}");
        d.expect(2, &["redact", "a.tar", "-o", "out.tar"]);
        let copy = std::fs::read(d.path().join("out.tar")).unwrap_or_default();
        assert!(memchr::memmem::find(&copy, &line).is_none(), "{kind:?}");
    }
}

#[test]
fn holes_in_archives_are_read_and_bounded() {
    let d = Dir::new();
    let path = d.file("sparse.log", "");
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(&log(2)).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(3 << 30)).unwrap();
    file.write_all(&[b"\n".as_slice(), &log(3)].concat()).unwrap();
    drop(file);
    let done = std::process::Command::new("tar")
        .current_dir(d.path())
        .args(["-cSf", "a.tar", "sparse.log"])
        .status();
    if !done.is_ok_and(|s| s.success()) || std::fs::metadata(d.path().join("a.tar")).unwrap().len() > 1 << 20
    {
        return; // No tar here that knows holes.
    }
    let report = d.scan(&["a.tar"]);
    assert_eq!(report["sources"][0]["status"], "partial", "{}", report["sources"]);
    assert_eq!(report["summary"]["exposures"], 2);
    let report = d.scan(&["--max-ratio", "1000000000", "a.tar"]);
    assert_eq!(
        report["sources"][0]["status"], "complete",
        "{}",
        report["sources"]
    );
    assert_eq!(report["summary"]["exposures"], 5);
}

#[test]
fn what_is_nested_too_deeply_is_said() {
    let mut packed = log(1);
    for depth in 1..=9 {
        packed = match depth % 3 {
            0 => tar(&[("x", tar::EntryType::Regular, &packed)]),
            1 => gzip(&packed),
            _ => zstd(&packed),
        };
        let (source, n) = scan(&packed, &[]);
        if depth <= 6 {
            assert_eq!((source["status"].as_str(), n), (Some("complete"), 1), "{depth}");
        } else {
            assert_eq!((source["status"].as_str(), n), (Some("skipped"), 0), "{depth}");
            assert!(
                source["problem"]
                    .as_str()
                    .unwrap()
                    .contains("nested more than 6 deep"),
                "{source}"
            );
        }
    }
}
