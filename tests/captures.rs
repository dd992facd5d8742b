//! What real programs wrote when a site that leaks planted credentials was visited (`fixtures/captures`, made by
//! `fixtures/capture/run.sh`): the same credentials are found in all of it, and followed from one to the next.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the visits with curl came from; the browsers used 127.0.0.1.
const CURL: &str = "127.0.0.7";

/// The logs and the format that each has to be recognised as.
const LOGS: &[(&str, &str)] = &[
    ("apache/access.log", "nginx-combined"),
    ("apache/error.log", "error-log"),
    ("apache/other_vhosts_access.log", "vhost-combined"),
    ("caddy/access.log", "caddy"),
    ("caddy/error.log", "caddy"),
    ("haproxy/haproxy.log", "syslog+haproxy-http-one-capture"),
    ("nginx/access.log", "nginx-combined"),
    ("nginx/error.log", "error-log"),
    ("squid/access.log", "squid"),
    ("squid/access_combined.log", "squid-combined"),
    ("tomcat/localhost_access_log.txt", "common"),
];

/// What the browsers and the recorder wrote, and its surface.
const BROWSERS: &[(&str, &str)] = &[
    ("chromium/Bookmarks", "bookmarks"),
    ("chromium/History", "browser-history"),
    ("firefox/places.sqlite", "browser-history"),
    ("playwright/visit.har", "har"),
];

/// The captures with what was planted in them, and a key that makes fingerprints comparable across runs.
struct Captures {
    root: PathBuf,
    planted: Value,
    dir: tempfile::TempDir,
}

impl Captures {
    fn new() -> Captures {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
        let planted = serde_json::from_slice(&std::fs::read(root.join("planted.json")).unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "0123456789abcdef0123456789abcdef").unwrap();
        Captures { root, planted, dir }
    }

    /// When the capture ended: the clock of all scans.
    fn until(&self) -> &str {
        self.planted["captured"]["until"].as_str().unwrap()
    }

    /// Whether a time, cut to seconds, lies within the capture.
    fn is_then(&self, time: &Value) -> bool {
        let from = self.planted["captured"]["from"].as_str().unwrap();
        time.as_str()
            .is_some_and(|t| from[..19] <= t[..19] && t[..19] <= self.until()[..19])
    }

    fn scan(&self, format: &str, input: &Path) -> Vec<u8> {
        let key = self.dir.path().join("key");
        let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .args([
                "scan",
                "--now",
                self.until(),
                "--fail-on",
                "never",
                "--allow-partial",
            ])
            .args(["-f", format, "--fingerprint-key-file", key.to_str().unwrap()])
            .arg(input)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}: {}",
            input.display(),
            String::from_utf8_lossy(&out.stderr)
        );
        out.stdout
    }

    fn report(&self, input: &Path) -> Value {
        serde_json::from_slice(&self.scan("json", input)).unwrap()
    }

    /// The exposures of a credential in a capture.
    fn exposures(&self, file: &str, fingerprint: &str) -> Vec<Value> {
        self.scan("ndjson", &self.root.join(file))
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice::<Value>(l).unwrap())
            .filter(|o| o["type"] == "exposure" && o["fingerprint"] == fingerprint)
            .collect()
    }

    /// The fingerprint of a planted credential, from a log that holds nothing else.
    fn fingerprint(&self, kind: &str) -> String {
        let values = self.planted["values"].as_array().unwrap();
        let planted = values.iter().find(|v| v["kind"] == kind).unwrap();
        let name = match kind {
            "password" | "access_token" => kind,
            "oauth_code" => "code",
            _ => "token",
        };
        let line = format!(
            "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /signin/callback?{name}={} HTTP/1.1\" 200 1\n",
            planted["value"].as_str().unwrap()
        );
        let log = self.dir.path().join("one.log");
        std::fs::write(&log, line).unwrap();
        let report = self.report(&log);
        assert_eq!(report["summary"]["exposures"], 1, "{kind}");
        report["findings"][0]["evidence"][0]["credential"]["fingerprint"]
            .as_str()
            .unwrap()
            .to_string()
    }
}

/// The entry of the report that follows a credential.
fn followed<'a>(report: &'a Value, fingerprint: &str) -> &'a Value {
    let all = report["credentials"].as_array().unwrap();
    all.iter()
        .find(|c| c["fingerprint"] == fingerprint)
        .unwrap_or_else(|| panic!("{fingerprint} is not followed"))
}

#[test]
fn every_servers_log_is_read_as_it_was_written() {
    let captures = Captures::new();
    let token = captures.fingerprint("arcgis_token");
    let mut seen = String::new();
    for (file, format) in LOGS {
        let report = captures.report(&captures.root.join(file));
        let source = &report["sources"][0];
        assert_eq!(
            (&source["format"], &source["status"], &source["unparsed"]),
            (&(*format).into(), &"complete".into(), &0.into()),
            "{file}"
        );
        writeln!(seen, "{file}").unwrap();
        for e in captures.exposures(file, &token) {
            assert!(captures.is_then(&e["time"]), "{file}: {e}");
            assert_eq!(e["length"], 64, "{file}");
            // The browsers' requests overtake each other: only their presence is certain.
            if e["client"] == CURL {
                let text = |k: &str| e[k].as_str().unwrap_or("-").to_string();
                let via: Vec<_> = e["via"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(Value::as_str)
                    .collect();
                writeln!(
                    seen,
                    "  {} {} {} {} {}{} {}",
                    text("method"),
                    e["status"],
                    text("field"),
                    text("part"),
                    via.iter().map(|v| format!("{v} > ")).collect::<String>(),
                    text("name"),
                    text("host"),
                )
                .unwrap();
            } else {
                assert_eq!(e["client"], "127.0.0.1", "{file}: {e}");
                assert!(matches!(e["status"].as_u64(), Some(200 | 404)), "{file}: {e}");
            }
        }
    }
    insta::assert_snapshot!(seen);
}

#[test]
fn one_credential_is_followed_through_all_logs() {
    let captures = Captures::new();
    let report = captures.report(&captures.root);
    for (kind, surfaces, clients) in [
        ("arcgis_token", &["server-log", "proxy-log"], 2),
        ("password", &["server-log", "proxy-log"], 2),
        ("oauth_code", &["server-log", "proxy-log"], 2),
        ("reset_token", &["server-log", "proxy-log"], 1),
    ] {
        let fingerprint = captures.fingerprint(kind);
        let entry = followed(&report, &fingerprint);
        let got = entry["surfaces"].as_array().unwrap();
        assert!(
            surfaces.iter().all(|s| got.contains(&(*s).into())),
            "{kind}: {entry}"
        );
        assert_eq!(entry["clients"], clients, "{kind}: {entry}");
        assert!(
            captures.is_then(&entry["first_seen"]) && captures.is_then(&entry["last_seen"]),
            "{kind}: {entry}"
        );
        // What failed and what the third party got held the ArcGIS token alone.
        for (file, _) in LOGS {
            let some = kind == "arcgis_token" || !file.contains("error") && !file.contains("vhosts");
            assert_eq!(
                !captures.exposures(file, &fingerprint).is_empty(),
                some,
                "{kind} in {file}"
            );
        }
    }
}

#[test]
fn no_output_about_the_captures_holds_what_was_planted() {
    let captures = Captures::new();
    for format in ["table", "json", "ndjson"] {
        let out = String::from_utf8(captures.scan(format, &captures.root)).unwrap();
        for planted in captures.planted["values"].as_array().unwrap() {
            let value = planted["value"].as_str().unwrap();
            assert!(
                !out.contains(&value[5..]),
                "{format} shows the {}",
                planted["kind"]
            );
        }
    }
}

#[test]
fn one_credential_is_followed_from_browsers_to_logs() {
    let captures = Captures::new();
    let before: Vec<_> = BROWSERS
        .iter()
        .map(|(f, _)| std::fs::read(captures.root.join(f)).unwrap())
        .collect();
    let report = captures.report(&captures.root);
    let source = |file: &str| {
        let all = report["sources"].as_array().unwrap();
        all.iter()
            .find(|s| s["path"].as_str().unwrap().ends_with(file))
            .unwrap_or_else(|| panic!("{file} is no source"))
            .clone()
    };
    let token = captures.fingerprint("arcgis_token");
    for (file, surface) in BROWSERS {
        let source = source(file);
        assert_eq!(
            (&source["surface"], &source["status"]),
            (&(*surface).into(), &"complete".into()),
            "{file}: {source}"
        );
        let exposures = captures.exposures(file, &token);
        assert!(!exposures.is_empty(), "{file} shows no token");
        for e in &exposures {
            assert!(e["time"].is_null() || captures.is_then(&e["time"]), "{file}: {e}");
        }
        assert!(
            exposures.iter().any(|e| !e["time"].is_null()),
            "{file} tells no time"
        );
    }
    assert_eq!(source("firefox/places.sqlite-wal")["status"], "ignored");

    let entry = followed(&report, &token);
    for surface in ["server-log", "proxy-log", "har", "browser-history", "bookmarks"] {
        assert!(
            entry["surfaces"].as_array().unwrap().contains(&surface.into()),
            "{surface}: {entry}"
        );
    }
    // The reply of the token service, in the HAR, tells when the token ends: an hour after the visit.
    assert_eq!(entry["liveness"]["state"], "unexpired", "{entry}");

    // Each browser kept the fragment, which no server has seen; Firefox has it in the write-ahead log alone.
    let fragment = captures.fingerprint("access_token");
    for file in ["chromium/History", "firefox/places.sqlite"] {
        let exposures = captures.exposures(file, &fragment);
        assert!(
            exposures.iter().any(|e| e["part"] == "fragment"),
            "{file}: {exposures:?}"
        );
    }
    for (file, _) in LOGS {
        assert!(captures.exposures(file, &fragment).is_empty(), "{file}");
    }
    for kind in ["password", "oauth_code"] {
        let fingerprint = captures.fingerprint(kind);
        for file in [
            "chromium/History",
            "firefox/places.sqlite",
            "playwright/visit.har",
        ] {
            assert!(
                !captures.exposures(file, &fingerprint).is_empty(),
                "{kind} in {file}"
            );
        }
    }

    // The third party got it, in the parameter and as Referer.
    for field in ["url", "referer"] {
        let leaked = report["findings"].as_array().unwrap().iter().any(|f| {
            let to = f["leaked_to"].as_array().unwrap();
            f["surface"] == "har" && f["field"] == field && to.contains(&"stats.analytics.test".into())
        });
        assert!(
            leaked,
            "no {field} of the HAR is told to have reached the third party"
        );
    }

    // Reading changes nothing, and leaves nothing beside the databases.
    for ((file, _), before) in BROWSERS.iter().zip(before) {
        assert!(
            std::fs::read(captures.root.join(file)).unwrap() == before,
            "{file}"
        );
    }
    assert!(!captures.root.join("firefox/places.sqlite-shm").exists());
}
