//! Inputs to begin from: the fixtures of all formats, the rules and their examples, and archives of them.

use super::{config, scan};
use plainsight::rule::example;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Longest seed, in bytes; longer ones slow the search down.
const LONGEST: usize = 16 << 10;

fn root() -> PathBuf {
    // The fuzz targets are built in a folder below.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let up = here.parent().filter(|_| here.ends_with("fuzz"));
    up.unwrap_or(here).to_path_buf()
}

/// Inputs that once broke a body, each in `fixtures/fuzz/BODY/`.
pub fn regressions(body: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fixtures/fuzz").join(body);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .map(|all| all.map(|f| f.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    files.iter().map(|f| std::fs::read(f).unwrap()).collect()
}

/// The fixtures of formats whose input has that ending: name of the format and filled input.
fn fixtures(endings: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for folder in std::fs::read_dir(root().join("fixtures/formats")).unwrap() {
        let folder = folder.unwrap().path();
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let ending = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
            let input = file.file_stem().is_some_and(|s| s == "input");
            if let (true, true, Ok(text)) = (input, endings.contains(&ending), std::fs::read_to_string(&file))
            {
                let filled: String = text.split_inclusive('\n').map(example::fill).collect();
                let name = folder.file_name().unwrap().to_string_lossy().into_owned();
                out.push((name, filled.into_bytes()));
            }
        }
    }
    out.sort();
    out
}

fn bytes(endings: &[&str]) -> Vec<Vec<u8>> {
    fixtures(endings).into_iter().map(|(_, b)| b).collect()
}

fn with(first: &[u8], all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    all.into_iter().map(|b| [first, &b].concat()).collect()
}

/// The examples of all rules, as lines of a log.
fn examples() -> Vec<Vec<u8>> {
    let rules = &config().rules.rules;
    let all = rules
        .iter()
        .flat_map(|r| r.spec.examples.iter().chain(&r.spec.counter_examples));
    all.map(|e| example::line(e).into_bytes()).collect()
}

/// What to begin from for that body.
pub fn of(body: &str) -> Vec<Vec<u8>> {
    let mut out = match body {
        "runs" => vec![
            b"\x00\x00one\ntwo\r\n\nthree".to_vec(),
            b"\x01\x05a\xff\xff\xff\xff\xff\nb\n".to_vec(),
            b"\x02\x40\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        ],
        "template" => templates(),
        "lines" | "prefilter" => [bytes(&["log"]), examples()].concat(),
        "reports" => [bytes(&["log"]), examples()].concat(),
        "redact" => with(b"\0", [bytes(&["log"]), examples()].concat()),
        "w3c" => {
            let all = bytes(&["log"]);
            all.into_iter()
                .filter(|b| memchr::memmem::find(b, b"#Fields").is_some())
                .collect()
        }
        "json_lines" => {
            let all = bytes(&["log", "json", "har"]);
            all.into_iter().filter(|b| b.starts_with(b"{")).collect()
        }
        "coding" | "url" => {
            let urls = examples().into_iter().flat_map(|line| {
                let text = String::from_utf8_lossy(&line).into_owned();
                text.split([' ', '"'])
                    .filter(|w| w.contains('/'))
                    .map(|w| w.as_bytes().to_vec())
                    .collect::<Vec<_>>()
            });
            if body == "url" {
                urls.collect()
            } else {
                with(b"\x03\x05", urls.collect())
            }
        }
        "har" => bytes(&["har", "json"]),
        "bookmarks" => with(
            b"\0",
            bytes(&["json", "html", "csv", "url", "txt", "log", "history"]),
        ),
        "mozlz4" => bytes(&["mozlz4"]).iter().map(|b| packed_lz4(b)).collect(),
        "plist" => bytes(&["plist", "webloc", "xml"]),
        "sqlite" => databases(),
        "rules" => rules(),
        "archive" => archives(),
        "read_back" => reports(),
        _ => Vec::new(),
    };
    out.retain(|b| b.len() <= LONGEST || body == "sqlite" || body == "read_back");
    out
}

fn templates() -> Vec<Vec<u8>> {
    let logs = fixtures(&["log"]);
    let all = config().formats.all().iter();
    all.filter_map(|f| {
        let template = f.spec.template.as_ref()?;
        let log = logs.iter().find(|(name, _)| *name == f.spec.id)?;
        Some([template.as_bytes(), b"\n", &log.1].concat())
    })
    .collect()
}

fn packed_lz4(plain: &[u8]) -> Vec<u8> {
    let mut out = b"mozLz40\0".to_vec();
    out.extend((plain.len() as u32).to_le_bytes());
    out.extend(lz4_flex::block::compress(plain));
    out
}

fn databases() -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("database");
    let all = bytes(&["sql"]).into_iter();
    all.map(|sql| {
        let _ = std::fs::remove_file(&path);
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA page_size = 512").unwrap();
        db.execute_batch(std::str::from_utf8(&sql).unwrap()).unwrap();
        drop(db);
        std::fs::read(&path).unwrap()
    })
    .collect()
}

fn rules() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for file in std::fs::read_dir(root().join("rules")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(file).unwrap();
            out.extend(
                text.split("[[rule]]")
                    .skip(1)
                    .map(|r| format!("[[rule]]{r}").into_bytes()),
            );
        }
    }
    out
}

fn archives() -> Vec<Vec<u8>> {
    let log = examples().into_iter().take(6).collect::<Vec<_>>().join(&b'\n');
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["a.log", "b/a.log"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(log.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, log.as_slice()).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["a.log", "../a.log"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&log).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    let gzip = |plain: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(plain).unwrap();
        out.finish().unwrap()
    };
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&log).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(&log).unwrap();
    let utf16: Vec<u8> = std::iter::once(0xFEFF)
        .chain(String::from_utf8_lossy(&log).encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    vec![
        gzip(&log),
        [gzip(&log), gzip(&log)].concat(),
        gzip(&tar),
        zstd::encode_all(log.as_slice(), 1).unwrap(),
        bzip2.finish().unwrap(),
        xz.finish().unwrap(),
        tar,
        zip,
        utf16,
    ]
}

fn reports() -> Vec<Vec<u8>> {
    let log = examples().into_iter().take(12).collect::<Vec<_>>().join(&b'\n');
    let (report, _) = scan("access.log", &log, false);
    let mut json = Vec::new();
    plainsight::report::json::write(&report, &mut json).unwrap();
    let baseline = br#"{"version":1,"findings":[{"id":"0958e07112c9f5b3","rule":"password-with-user","surface":"server-log",
        "field":"url","part":"query","name":"password","via":[],"host":null,"site":"access","route":"/login","severity":"high",
        "reason":"x","author":"jo","date":"2026-11-21","expires":"2027-03-31"}]}"#;
    vec![json, baseline.to_vec()]
}
