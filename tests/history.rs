//! Databases of browsers, as the program's users have them: open, damaged, empty, in archives and in profiles.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Scans `path`; the exit code and the report.
fn scan(path: &Path, more: &[&str]) -> (i32, Value) {
    let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(["scan", "--now", "2026-11-21T00:00:00Z", "-f", "json"])
        .args(more)
        .arg(path)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&out.stdout);
    let report = report.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.code().unwrap(), report)
}

/// Status and problem of each source, by file name.
fn sources(report: &Value) -> BTreeMap<String, (String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    let all = report["sources"].as_array().unwrap().iter();
    all.map(|s| {
        let name = text(&s["path"]).rsplit('/').next().unwrap().to_string();
        (name, (text(&s["status"]), text(&s["problem"])))
    })
    .collect()
}

/// Every file under a folder and what is in it.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    files.map(|f| (f.clone(), fs::read(f).unwrap())).collect()
}

fn token() -> String {
    plainsight::rule::example::fill(
        "https://gis.example.gov/arcgis/rest/services/P/MapServer?token={b64url:64}",
    )
}

/// Makes a history of Chromium with so many rows.
fn history(path: &Path, rows: i64) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA page_size = 1024;
         CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER);
         CREATE TABLE urls(id INTEGER PRIMARY KEY, url TEXT, title TEXT, last_visit_time INTEGER); BEGIN;",
    )
    .unwrap();
    for n in 1..=rows {
        let row = (n, token(), format!("page {n}."), 13_411_699_200_000_000_i64);
        db.execute("INSERT INTO urls VALUES(?1, ?2, ?3, ?4)", row)
            .unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
}

#[test]
fn an_open_database_is_read_with_its_log_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let browser = Connection::open(dir.path().join("places.sqlite")).unwrap();
    browser
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE moz_places(id INTEGER PRIMARY KEY, url TEXT, title TEXT, last_visit_date INTEGER);
             INSERT INTO moz_places VALUES(41, '{}', 't', 1767225600000000);
             BEGIN IMMEDIATE; INSERT INTO moz_places VALUES(42, 'https://h/', '', 1);",
            token()
        ))
        .unwrap();
    let before = contents(dir.path());
    assert_eq!(before.len(), 3);
    let (code, report) = scan(dir.path(), &[]);
    assert_eq!(contents(dir.path()), before);
    assert_eq!(code, 1);
    let evidence = &report["findings"][0]["evidence"][0];
    assert_eq!((&evidence["row"], evidence.get("line")), (&Value::from(41), None));
    assert_eq!(evidence["time"], "2026-01-01T00:00:00Z");
    let sources = sources(&report);
    assert_eq!(sources["places.sqlite"].0, "complete");
    assert_eq!(sources["places.sqlite-wal"].0, "ignored");
}

#[test]
fn a_profile_is_scanned_whole_though_most_of_its_databases_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let at = |n: &str| dir.path().join(n);
    let cookies = Connection::open(at("Cookies")).unwrap();
    cookies.execute_batch("CREATE TABLE cookies(value TEXT)").unwrap();
    history(&at("History"), 3);
    fs::write(at("Shortcuts"), b"").unwrap();
    let (code, report) = scan(dir.path(), &["--fail-on", "never"]);
    assert_eq!((code, &report["summary"]["complete"]), (0, &Value::Bool(true)));
    assert_eq!(sources(&report)["Cookies"].0, "ignored");
    let said = report["diagnostics"].to_string();
    assert!(said.contains("Shortcuts") && said.contains("0 bytes"), "{said}");
    // What is named outright is never passed over.
    let (code, report) = scan(&at("Cookies"), &["--fail-on", "never"]);
    assert_eq!((code, &*sources(&report)["Cookies"].0), (2, "skipped"));
}

#[test]
fn what_is_damaged_is_partial_and_what_is_none_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("History");
    history(&path, 200);
    let mut bytes = fs::read(&path).unwrap();
    let at = memchr::memmem::find(&bytes, b"page 150.").unwrap() / 1024 * 1024;
    bytes[at..at + 512].fill(0xFF);
    fs::write(&path, bytes).unwrap();
    let (code, report) = scan(&path, &["--fail-on", "never"]);
    let (status, problem) = &sources(&report)["History"];
    assert_eq!((code, status.as_str()), (2, "partial"));
    assert!(problem.contains("damaged"), "{problem}");
    let found = report["summary"]["exposures"].as_u64().unwrap();
    assert!((100..150).contains(&found), "{found}");
    fs::write(&path, [0, 0xA5, 0x17].repeat(3000)).unwrap();
    let (code, report) = scan(dir.path(), &["--fail-on", "never"]);
    let (status, problem) = &sources(&report)["History"];
    assert_eq!((code, status.as_str()), (2, "skipped"));
    assert!(problem.contains("encrypted"), "{problem}");
}

#[test]
fn a_database_that_ends_in_the_middle_of_a_page_is_partial() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("History");
    history(&path, 400);
    let whole = std::fs::read(&path).unwrap();
    for cut in [1, 100, 1000] {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (_, report) = scan(&path, &[]);
        assert_eq!(report["sources"][0]["status"], "partial", "{cut}: {report}");
    }
    std::fs::write(&path, &whole[..whole.len() - 4000]).unwrap();
    assert_eq!(scan(&path, &[]).1["summary"]["complete"], false);
}

#[test]
fn databases_come_by_the_standard_input_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("History");
    history(&path, 3);
    for packed in [false, true] {
        let mut bytes = fs::read(&path).unwrap();
        if packed {
            bytes = zstd::encode_all(&bytes[..], 1).unwrap();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .args(["scan", "-f", "json", "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &bytes).unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.code(), Some(1));
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(report["sources"][0]["format"], "chromium-history");
        assert_eq!(report["sources"][0]["exposures"], 3);
        assert_eq!(report["sources"][0]["path"], "-");
    }
}

#[test]
fn databases_and_bookmarks_in_archives_are_read_like_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("History");
    history(&path, 3);
    let bytes = fs::read(&path).unwrap();
    let mut packed = tar::Builder::new(Vec::new());
    let bookmarks = format!(
        r#"{{"roots":{{"bookmark_bar":{{"children":[{{"type":"url","url":"{}","name":"n"}}]}}}}}}"#,
        token()
    );
    for (name, data) in [
        ("Default/History", &bytes[..]),
        ("Default/Bookmarks", bookmarks.as_bytes()),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o600);
        packed.append_data(&mut header, name, data).unwrap();
    }
    let archive = dir.path().join("profile.tar.zst");
    fs::write(
        &archive,
        zstd::encode_all(&packed.into_inner().unwrap()[..], 1).unwrap(),
    )
    .unwrap();
    fs::remove_file(&path).unwrap();
    let (_, report) = scan(&archive, &[]);
    let of: Vec<_> = report["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            (
                s["format"].as_str().unwrap(),
                s["surface"].as_str().unwrap(),
                s["exposures"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(of.contains(&("chromium-history", "browser-history", 3)), "{of:?}");
    assert!(of.contains(&("chromium-bookmarks", "bookmarks", 1)), "{of:?}");
}

#[test]
fn any_number_of_threads_gives_the_same_stream() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..4 {
        history(&dir.path().join(format!("h{n}")), 1500);
    }
    fs::write(dir.path().join("key"), b"0123456789abcdef0123456789abcdef").unwrap();
    let stream = |jobs: &str| {
        let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .args([
                "scan",
                "--now",
                "2026-11-21T00:00:00Z",
                "-f",
                "ndjson",
                "--jobs",
                jobs,
                "--exclude",
                "key",
            ])
            .arg("--fingerprint-key-file")
            .arg(dir.path().join("key"))
            .arg(dir.path())
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let one = stream("1");
    assert_eq!(one.matches("\"row\":").count(), 6000);
    assert_eq!(one, stream("4"));
}

#[test]
fn the_first_visit_is_when_it_was_seen_first() {
    let d = tempfile::tempdir().unwrap();
    let path = d.path().join("History");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE urls(id INTEGER PRIMARY KEY, url TEXT, title TEXT, last_visit_time INTEGER);
            CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER);
            INSERT INTO urls VALUES(7, 'https://h.example/cb#access_token=q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA', 't', 13411699200000000);
            INSERT INTO visits VALUES(1, 7, 13411612800000000), (2, 7, 13411699200000000);",
        )
        .unwrap();
    let report = |more: &[&str]| -> serde_json::Value {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .args(["scan", "--no-config", "-f", "json"])
            .args(more)
            .arg(&path)
            .output()
            .unwrap();
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let all = report(&[]);
    let finding = &all["findings"][0];
    assert_eq!(finding["first_seen"], "2025-12-31T00:00:00Z", "{finding}");
    assert_eq!(finding["last_seen"], "2026-01-01T00:00:00Z");
    assert_eq!(all["credentials"][0]["first_seen"], "2025-12-31T00:00:00Z");
    // One visit in the time that is asked for is enough.
    assert_eq!(
        report(&["--until", "2025-12-31T12:00:00Z"])["summary"]["exposures"],
        1
    );
    assert_eq!(
        report(&["--until", "2025-12-30T12:00:00Z"])["summary"]["exposures"],
        0
    );
}
