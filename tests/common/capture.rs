//! What the tests of captures share: a scan as events, and entries.

#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // a test says what is wrong by panicking; not every test uses all

use serde_json::{Value, json};
use std::path::Path;

/// The exposures and the source line of a scan, with its exit code.
pub fn scan(path: &Path) -> (Vec<Value>, Value, i32) {
    let out = std::process::Command::new(super::program())
        .args(["scan", "--fail-on", "never", "-f", "ndjson"])
        .args(["--now", "2026-11-21T00:00:00Z"])
        .arg(path)
        .output()
        .unwrap();
    let lines: Vec<Value> = out
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let source = lines.iter().find(|l| l["type"] == "source").unwrap().clone();
    let exposures = lines.into_iter().filter(|l| l["type"] == "exposure").collect();
    (exposures, source, out.status.code().unwrap())
}

/// The same of a capture that is given as bytes.
pub fn scanned(bytes: &[u8]) -> (Vec<Value>, Value, i32) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture");
    std::fs::write(&path, bytes).unwrap();
    scan(&path)
}

/// A credential.
pub const TOKEN: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";

/// An entry that asks for `url`.
pub fn entry(url: &str) -> Value {
    json!({"request": {"method": "GET", "url": url}, "response": {"status": 200}})
}
