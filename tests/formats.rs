//! Every format has a folder under `fixtures/formats` with an input and what has to be found in it. Gaps in the
//! input (`{hex:40}`) are filled here, so that no real-looking secret stands in the repository; of `input.sql` a
//! database is made, `input.mozlz4` is packed. With `UPDATE=1` the expected results are written anew; read them
//! before you commit them.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the program on a file; its output lines as JSON.
fn scan(file: &Path) -> Vec<Value> {
    let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args([
            "scan",
            "--now",
            "2026-11-21T00:00:00Z",
            "--fail-on",
            "never",
            "-f",
            "ndjson",
        ])
        .arg(file)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect()
}

/// What a fixture's expected result says.
fn result(lines: &[Value], filled: &str) -> Value {
    let keys = [
        "rule",
        "severity",
        "confidence",
        "surface",
        "field",
        "part",
        "name",
        "via",
        "host",
        "route",
        "time",
        "client",
        "method",
        "status",
    ];
    let exposures: Vec<Value> = lines
        .iter()
        .filter(|l| l["type"] == "exposure")
        .map(|e| {
            let offset = e["offset"].as_u64().unwrap() as usize;
            assert!(offset < filled.len(), "an offset beyond the source");
            let position = ["line", "entry", "row"].into_iter().filter(|k| !e[k].is_null());
            position
                .chain(keys)
                .map(|k| (k.to_string(), e[k].clone()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .collect();
    let source = lines.iter().find(|l| l["type"] == "source").unwrap();
    json!({"format": source["format"], "surface": source["surface"], "records": source["records"], "unparsed": source["unparsed"], "exposures": exposures})
}

/// The file that is scanned, made of the fixture with its gaps filled.
fn make(input: &Path, filled: &str, dir: &Path) -> PathBuf {
    let file = dir.join(input.file_name().unwrap());
    let _ = std::fs::remove_file(&file);
    match input.extension().and_then(|e| e.to_str()) {
        Some("sql") => Connection::open(&file).unwrap().execute_batch(filled).unwrap(),
        Some("mozlz4") => {
            let mut packed = b"mozLz40\0".to_vec();
            packed.extend((filled.len() as u32).to_le_bytes());
            packed.extend(lz4_flex::block::compress(filled.as_bytes()));
            std::fs::write(&file, packed).unwrap();
        }
        _ => std::fs::write(&file, filled).unwrap(),
    }
    file
}

#[test]
fn each_format_gives_what_its_fixture_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    let dir = tempfile::tempdir().unwrap();
    let mut folders: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    let mut wrong = String::new();
    for folder in &folders {
        let input = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.file_stem().is_some_and(|n| n == "input"))
            .unwrap();
        let filled: String = std::fs::read_to_string(&input)
            .unwrap()
            .split_inclusive('\n')
            .map(plainsight::rule::example::fill)
            .collect();
        let file = make(&input, &filled, dir.path());
        let got = result(&scan(&file), &filled);
        let expected = folder.join("expected.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, serde_json::to_string_pretty(&got).unwrap() + "\n").unwrap();
            continue;
        }
        let want: Value = serde_json::from_str(&std::fs::read_to_string(&expected).unwrap()).unwrap();
        if got != want {
            wrong += &format!("{}:\n got {got:#}\nwant {want:#}\n", folder.display());
        }
        assert!(
            got["exposures"].as_array().is_some_and(|e| !e.is_empty()),
            "{}: nothing is found",
            folder.display()
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(folders.len() >= 80);
}

#[test]
fn every_format_has_a_fixture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    let seen: BTreeSet<String> = std::fs::read_dir(&root)
        .unwrap()
        .map(|e| std::fs::read_to_string(e.unwrap().path().join("expected.json")).unwrap())
        .map(|t| serde_json::from_str::<Value>(&t).unwrap()["format"].clone())
        .map(|f| f.as_str().unwrap().rsplit('+').next().unwrap().to_string())
        .collect();
    for format in plainsight::format::Catalogue::builtin().unwrap().all() {
        let id = &format.spec.id;
        assert!(seen.contains(id), "{id} has no fixture");
    }
}
