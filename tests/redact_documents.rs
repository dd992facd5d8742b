//! Copies of captures, written over many lines as tools write them: nothing is left in them that a scan finds, and
//! they stay what they were.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn plainsight(args: &[&str], paths: &[&Path]) -> Vec<u8> {
    let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(args)
        .args(paths)
        .output()
        .unwrap();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
}

fn exposures(path: &Path) -> usize {
    let out = plainsight(&["scan", "--fail-on", "never", "-f", "ndjson"], &[path]);
    let lines = out.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    lines
        .filter(|l| serde_json::from_slice::<Value>(l).unwrap()["type"] == "exposure")
        .count()
}

#[test]
fn captures_lose_their_credentials_and_nothing_else() {
    let token = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";
    let body = format!(r#"{{"access_token":"{token}","expires_in":3600}}"#);
    let har = json!({"log": {"version": "1.2", "entries": [
        {"request": {"method": "GET", "url": "https://h.example/a?password=Zq81kfUwe_x&page=2",
            "queryString": [{"name": "password", "value": "Zq81kfUwe_x"}, {"name": "page", "value": "2"}],
            "headers": [{"name": "Authorization", "value": format!("Bearer {token}")},
                        {"name": "Cookie", "value": format!("sid={token}; theme=dark")}],
            "cookies": [{"name": "sid", "value": token}, {"name": "theme", "value": "dark"}]},
         "response": {"status": 200, "content": {
            "text": data_encoding::BASE64.encode(body.as_bytes()), "encoding": "base64", "size": 61}}},
        {"request": {"method": "POST", "url": "https://h.example/b",
            "postData": {"mimeType": "application/json", "text": "{\"user\":\"jo\",\"password\":\"Zq81kfUwe_y\"}"}},
         "response": {"status": 204}},
    ]}});
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.har"), dir.path().join("b.har"));
    std::fs::write(&from, serde_json::to_string_pretty(&har).unwrap()).unwrap();
    assert!(exposures(&from) >= 5);
    plainsight(&["redact", "-o", to.to_str().unwrap()], &[&from]);
    let text = std::fs::read_to_string(&to).unwrap();
    let copy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(exposures(&to), 0);
    assert!(!text.contains(token) && !text.contains("Zq81kfUwe"), "{text}");
    let entries = copy["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let request = &entries[0]["request"];
    assert!(request["url"].as_str().unwrap().ends_with("&page=2"));
    assert_eq!(request["queryString"][1]["value"], "2");
    assert!(
        request["headers"][1]["value"]
            .as_str()
            .unwrap()
            .ends_with("; theme=dark")
    );
    let body = entries[0]["response"]["content"]["text"].as_str().unwrap();
    let body = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["expires_in"], 3600);
    let mark = body["access_token"].as_str().unwrap();
    assert!(mark.starts_with("PLAINSIGHT-"));
    // The same credential has the same mark wherever it stood.
    assert_eq!(text.matches(mark).count(), 3);
}

#[test]
fn what_browsers_wrote_is_copied_clean() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
    let dir = tempfile::tempdir().unwrap();
    for file in ["playwright/visit.har", "chromium/Bookmarks"] {
        let to = dir.path().join(Path::new(file).file_name().unwrap());
        plainsight(&["redact", "-o", to.to_str().unwrap()], &[&captures.join(file)]);
        assert_eq!(exposures(&to), 0, "{file}");
        serde_json::from_slice::<Value>(&std::fs::read(&to).unwrap()).unwrap();
    }
}

#[test]
fn utf16_documents_stay_utf16() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.har"), dir.path().join("b.har"));
    let token = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";
    let text = format!(
        "\u{feff}{{\"log\": {{\"pages\": [{{\"title\": \"Straße 日本 \u{1F30D}\"}}], \"entries\": [{{\"request\": {{\"url\": \"https://h.example/?a=1&token={token}\"}}}}]}}}}"
    );
    let raw: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&from, &raw).unwrap();
    plainsight(&["redact", "-o", to.to_str().unwrap()], &[&from]);
    let units: Vec<u16> = std::fs::read(&to)
        .unwrap()
        .chunks(2)
        .map(|p| u16::from_le_bytes([p[0], p[1]]))
        .collect();
    let copy = String::from_utf16(&units).unwrap();
    let at = copy.find("PLAINSIGHT-").unwrap();
    assert_eq!(copy.replace(&copy[at..at + 27], token), text);
}

/// A HAR larger than any buffer, with credentials at the seams of what is read at a time, and more of them than one
/// round removes.
#[test]
fn large_documents_are_rewritten_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.har"), dir.path().join("b.har"));
    let body = serde_json::to_string(&"lorem ipsum \"dolor\" ".repeat(400)).unwrap();
    let mut text = String::from("{\"log\":{\"entries\":[");
    let mut clean = text.clone();
    for n in 0..1500 {
        let comma = if n > 0 { "," } else { "" };
        let entry = |token: &str| {
            format!(
                "{comma}{{\"request\":{{\"url\":\"https://h.example/?n={n}&token={token}\",\"pad\":\"{:.<1$}\"}},\"response\":{{\"content\":{{\"text\":{body}}}}}}}",
                "",
                n % 97
            )
        };
        text += &entry(&format!("q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ{n:04}"));
        clean += &entry("MARK");
    }
    text += "]}}";
    clean += "]}}";
    assert!(text.len() > 12 << 20);
    std::fs::write(&from, &text).unwrap();
    plainsight(&["redact", "-o", to.to_str().unwrap()], &[&from]);
    let mut copy = std::fs::read_to_string(&to).unwrap();
    while let Some(at) = copy.find("PLAINSIGHT-") {
        // From the end, so that each is moved once.
        let last = copy.rfind("PLAINSIGHT-").unwrap_or(at);
        copy.replace_range(last..last + 27, "MARK");
    }
    assert!(copy == clean);
}

#[test]
fn databases_are_exported_without_their_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profile/History");
    std::fs::create_dir(dir.path().join("profile")).unwrap();
    let token = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER);
         CREATE TABLE urls(id INTEGER PRIMARY KEY, url TEXT, title TEXT, last_visit_time INTEGER);
         INSERT INTO urls VALUES(1, 'https://h.example/#access_token={token}&state=1', 'Größe {token}', 13411699200000000);
         INSERT INTO urls VALUES(2, 'javascript:fetch(%22https://h.example/?token={token}%22)', '', 0);
         INSERT INTO urls VALUES(3, 'https://h.example/plain?page=2', 'nothing', 13411699200000000);"
    ))
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    for (from, to) in [
        (path.as_path(), "copy"),
        (&dir.path().join("profile"), "out/History"),
    ] {
        let out = dir.path().join(if to == "copy" { "copy" } else { "out" });
        plainsight(&["redact", "-o", out.to_str().unwrap()], &[from]);
        let text = std::fs::read_to_string(dir.path().join(to)).unwrap();
        assert!(!text.contains(token), "{text}");
        let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let mark = &text[text.find("PLAINSIGHT-").unwrap()..][..27];
        let want = [
            json!({"history": "chromium-history", "row": 1, "time": "2026-01-01T00:00:00Z",
                "url": format!("https://h.example/#access_token={mark}&state=1"), "title": format!("Größe {mark}")}),
            json!({"history": "chromium-history", "row": 2, "text": format!("javascript:fetch(\"https://h.example/?token={mark}\")")}),
            json!({"history": "chromium-history", "row": 3, "time": "2026-01-01T00:00:00Z",
                "url": "https://h.example/plain?page=2", "title": "nothing"}),
        ];
        assert_eq!(rows, want);
        assert_eq!(exposures(&dir.path().join(to)), 0);
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Every capture and demonstration: nothing is left in the copies, they have as many records, and a copy's copy is the
/// same.
#[test]
fn copies_of_all_fixtures_are_clean_and_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let dir = tempfile::tempdir().unwrap();
    let (once, twice) = (dir.path().join("once"), dir.path().join("twice"));
    let key = dir.path().join("key");
    std::fs::write(&key, "0123456789abcdef0123456789abcdef").unwrap();
    let key = key.to_str().unwrap();
    let redact = |from: &Path, to: &Path| {
        plainsight(
            &[
                "redact",
                "--fingerprint-key-file",
                key,
                "-o",
                to.to_str().unwrap(),
            ],
            &[from],
        );
    };
    let records = |path: &Path| -> Vec<(String, u64, String)> {
        let out = plainsight(&["scan", "--fail-on", "never", "-f", "json"], &[path]);
        let report: Value = serde_json::from_slice(&out).unwrap();
        let sources = report["sources"].as_array().unwrap().iter();
        sources
            .filter(|s| s["status"] == "complete")
            .map(|s| {
                let name = Path::new(s["path"].as_str().unwrap()).strip_prefix(path).unwrap();
                let format = s["format"].as_str().unwrap_or_default();
                (
                    name.display().to_string(),
                    s["records"].as_u64().unwrap(),
                    format.to_string(),
                )
            })
            .collect()
    };
    for folder in ["captures", "demo"] {
        let (from, once, twice) = (root.join(folder), once.join(folder), twice.join(folder));
        redact(&from, &once);
        assert_eq!(exposures(&once), 0, "{folder}");
        let (was, is) = (records(&from), records(&once));
        assert_eq!(was.len(), is.len());
        for ((name, records, format), copy) in was.iter().zip(&is) {
            assert_eq!(name, &copy.0);
            // Databases become lines: one for each address of a row.
            let exported = copy.2.ends_with("-jsonl");
            assert!(
                records == &copy.1 && format == &copy.2 || exported && copy.1 >= *records,
                "{name} {records} {copy:?}"
            );
        }
        redact(&once, &twice);
        for (name, ..) in &is {
            assert!(
                std::fs::read(once.join(name)).unwrap() == std::fs::read(twice.join(name)).unwrap(),
                "{name}"
            );
        }
    }
}

#[test]
fn base64_in_lines_and_other_odd_bodies_lose_their_credentials() {
    let token = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";
    let json = json!({"access_token": token, "note": "n".repeat(100)}).to_string();
    let flat = data_encoding::BASE64.encode(json.as_bytes());
    let lines = flat.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let lines = String::from_utf8(lines).unwrap();
    let messages: Vec<Value> = (0..9000)
        .map(|n| json!({"type": "send", "time": n, "opcode": 1, "data": if n % 4000 == 1 { &json } else { "x" }}))
        .collect();
    let content = |text: &str| json!({"request": {"url": "https://h.example/"}, "response": {"content": {"text": text, "encoding": "base64"}}});
    let har = json!({"log": {"entries": [
        content(&flat), content(&lines), content(&format!("{flat} and more")), content(&json),
        {"_webSocketMessages": messages, "request": {"url": format!("wss://h.example/?token={token}")}},
    ]}});
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.har"), dir.path().join("b.har"));
    std::fs::write(&from, har.to_string()).unwrap();
    assert_eq!(exposures(&from), 8);
    plainsight(&["redact", "-o", to.to_str().unwrap()], &[&from]);
    let text = std::fs::read_to_string(&to).unwrap();
    let copy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(exposures(&to), 0);
    assert!(!text.contains(token) && !text.contains(&flat) && !text.contains(&flat[..76]));
    let body = copy["log"]["entries"][0]["response"]["content"]["text"]
        .as_str()
        .unwrap();
    let body = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    assert!(String::from_utf8(body).unwrap().contains("\"note\":\"nnn"));
    assert_eq!(
        copy["log"]["entries"][4]["_webSocketMessages"]
            .as_array()
            .unwrap()
            .len(),
        9000
    );
}
