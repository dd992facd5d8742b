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
