//! The program as its users run it: exit codes, outputs, inputs of every kind, and what must never leave it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const NOW: &str = "2026-11-21T00:00:00Z";

fn plainsight(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(args)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

fn json(args: &[&str]) -> serde_json::Value {
    let out = plainsight(&[&["scan", "--now", NOW, "-f", "json"], args].concat());
    serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
}

fn leak(n: usize) -> String {
    format!(
        "192.0.2.{} - - [01/Jan/2026:00:{:02}:00 +0000] \"GET /login?user=jo&password=Zq81kfUwe_{n} HTTP/1.1\" 200 1 \"-\" \"curl/8\"\n",
        n % 200,
        n % 60
    )
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn exit_codes_tell_clean_leaking_and_incomplete_apart() {
    let d = Dir::new();
    let (clean, leaking, empty) = (
        d.file("clean.log", "nothing\n"),
        d.file("leak.log", leak(1)),
        d.file("empty.log", ""),
    );
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all((0..300).map(leak).collect::<String>().as_bytes())
        .unwrap();
    let whole = gz.finish().unwrap();
    let cut = d.file("cut.gz", &whole[..whole.len() - 20]);
    let missing = d.0.path().join("none");
    for (args, code) in [
        (vec![text(&clean)], 0),
        (vec![text(&empty)], 0),
        (vec![text(&leaking)], 1),
        (vec!["--fail-on", "never", text(&leaking)], 0),
        (vec!["--fail-on", "critical", text(&leaking)], 0),
        (vec![text(&missing)], 2),
        (vec![text(&missing), text(&leaking)], 1),
        (vec!["--fail-on", "never", text(&cut)], 2),
        (vec!["--fail-on", "never", "--allow-partial", text(&cut)], 0),
        (vec!["--fail-on", "bogus", text(&clean)], 2),
        (vec!["--only", "no-such-rule", text(&clean)], 2),
    ] {
        let out = plainsight(&[&["scan"], args.as_slice()].concat());
        assert_eq!(
            out.status.code(),
            Some(code),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn a_mistake_is_named_with_what_to_do() {
    let out = plainsight(&["explain", "arcgis-tokn"]);
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.code() == Some(2) && err.contains("did you mean arcgis-token?"),
        "{err}"
    );
    let out = plainsight(&["scan", "/no/such/file"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("/no/such/file"));
}

#[test]
fn threads_and_cuts_change_nothing() {
    let d = Dir::new();
    // More than two chunks, with leaks around the borders, in a format with and one without header lines.
    let filler =
        "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /static/app.js HTTP/1.1\" 200 1 \"-\" \"curl/8\"\n"
            .repeat(200);
    let log: String = (0..600).map(|n| filler.clone() + &leak(n)).collect();
    let w3c: String = (0..600)
        .map(|n| {
            let fields = if n % 200 == 0 {
                format!(
                    "#Fields: date time cs-method cs-uri-stem cs-uri-query{} sc-status\n",
                    if n % 400 == 0 { " c-ip" } else { "" }
                )
            } else {
                String::new()
            };
            let ip = if (n / 200) % 2 == 0 { " 192.0.2.9" } else { "" };
            fields
                + &format!("2026-01-01 00:00:00 GET /static/app.js -{ip} 200\n").repeat(400)
                + &format!("2026-01-01 00:00:00 GET /login user=jo&password=Zq81kfUwe_{n}{ip} 200\n")
        })
        .collect();
    assert!(log.len() > 9 << 20 && w3c.len() > 9 << 20);
    d.file("a/access.log", &log);
    d.file("a/u_ex.log", &w3c);
    let key = d.file("key", "0123456789abcdef0123456789abcdef");
    let input = d.0.path().join("a");
    for format in ["json", "ndjson"] {
        let run = |jobs| {
            plainsight(&[
                "scan",
                "--now",
                NOW,
                "--fingerprint-key-file",
                text(&key),
                "-f",
                format,
                "-j",
                jobs,
                text(&input),
            ])
            .stdout
        };
        let one = run("1");
        assert!(one.len() > 1000 && one == run("2") && one == run("7"), "{format}");
    }
    let report = json(&[text(&input)]);
    assert_eq!(report["summary"]["exposures"], 1200);
    let clients: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["clients"].as_u64().unwrap())
        .collect();
    assert!(clients.contains(&200) && clients.contains(&1), "{clients:?}");
}

#[test]
fn parts_add_up_to_the_whole() {
    let d = Dir::new();
    let files: Vec<PathBuf> = (0..4)
        .map(|k| {
            d.file(
                &format!("access.log.{k}"),
                (k * 50..k * 50 + 80).map(leak).collect::<String>(),
            )
        })
        .collect();
    let key = d.file("key", "0123456789abcdef0123456789abcdef");
    let with = |args: &[&str]| {
        let mut v: serde_json::Value = json(&[&["--fingerprint-key-file", text(&key)], args].concat());
        v.as_object_mut().unwrap().remove("state");
        v
    };
    let all: Vec<&str> = files.iter().map(|f| text(f)).collect();
    let whole = with(&all);
    let parts: Vec<PathBuf> = files
        .iter()
        .enumerate()
        .map(|(i, f)| {
            d.file(
                &format!("part-{i}.json"),
                serde_json::to_vec(&json(&["--fingerprint-key-file", text(&key), text(f)])).unwrap(),
            )
        })
        .collect();
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let args: Vec<&str> = ["merge", "--now", NOW, "-f", "json"]
            .into_iter()
            .chain(order.iter().map(|&i| text(&parts[i])))
            .collect();
        let merged: serde_json::Value = serde_json::from_slice(&plainsight(&args).stdout).unwrap();
        for k in ["summary", "findings", "credentials", "sources"] {
            assert_eq!(merged[k], whole[k], "{k}");
        }
    }
    // Another key, and the same source twice, are refused.
    let other = d.file(
        "other.json",
        serde_json::to_vec(&json(&[text(&files[0])])).unwrap(),
    );
    let out = plainsight(&["merge", text(&parts[1]), text(&other)]);
    assert!(out.status.code() == Some(2) && String::from_utf8_lossy(&out.stderr).contains("fingerprint key"));
    let out = plainsight(&["merge", text(&parts[0]), text(&parts[0])]);
    assert!(out.status.code() == Some(2) && String::from_utf8_lossy(&out.stderr).contains("counted twice"));
}

#[test]
fn a_stream_warns_before_it_ends() {
    use std::io::{BufRead, BufReader};
    let mut child = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(["scan", "-f", "ndjson", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..3 {
        stdin.write_all(leak(n).as_bytes()).unwrap();
        stdin.flush().unwrap();
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["line"], n + 1);
    }
    drop(stdin);
    assert!(lines.any(|l| l.unwrap().contains("\"summary\"")));
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn archives_encodings_and_long_lines_are_read() {
    let d = Dir::new();
    let mut tar = tar::Builder::new(Vec::new());
    let body = leak(7);
    let mut header = tar::Header::new_ustar();
    header.set_size(body.len() as u64);
    tar.append_data(&mut header, "var/log/access.log", body.as_bytes())
        .unwrap();
    d.file("in/a.bin", tar.into_inner().unwrap());
    let utf16: Vec<u8> = std::iter::once(0xFEFFu16)
        .chain(leak(8).encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    d.file("in/b.log", utf16);
    d.file(
        "in/c.log",
        [
            b"\xEF\xBB\xBF".as_slice(),
            leak(9).replace('\n', "\r\n").as_bytes(),
        ]
        .concat(),
    );
    d.file("in/d.log", "A".repeat(3 << 20) + "?password=Zq81kfUwe_x");
    d.file("in/e.png", b"\x89PNG\r\n\x1a\n0000");
    d.file("in/f.7z", b"7z\xbc\xaf\x27\x1c0000");
    let report = json(&[text(&d.0.path().join("in"))]);
    let state: Vec<String> = report["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            format!(
                "{} {} {}",
                s["path"].as_str().unwrap().rsplit('/').next().unwrap(),
                s["status"].as_str().unwrap(),
                s["exposures"]
            )
        })
        .collect();
    assert_eq!(
        state,
        [
            "access.log complete 1",
            "b.log complete 1",
            "c.log complete 1",
            "d.log complete 1",
            "e.png ignored 0",
            "f.7z skipped 0"
        ]
    );
    assert_eq!(report["summary"]["complete"], false);
}

#[cfg(unix)]
#[test]
fn reports_are_for_their_owner_only_and_never_inputs() {
    use std::os::unix::fs::PermissionsExt;
    let d = Dir::new();
    d.file("access.log", leak(1));
    let out = d.0.path().join("report.json");
    for _ in 0..2 {
        let run = plainsight(&[
            "scan",
            "--fail-on",
            "never",
            "-f",
            &format!("json={}", text(&out)),
            text(d.0.path()),
        ]);
        assert!(run.status.success());
    }
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o077, 0);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(report["summary"]["sources"], 1);
}

#[test]
fn the_table_tells_verdict_place_and_remedy() {
    let d = Dir::new();
    let log = d.file("nginx/access.log", (0..3).map(leak).collect::<String>());
    let out = plainsight(&["scan", "--now", NOW, text(&log)]);
    let table = String::from_utf8(out.stdout)
        .unwrap()
        .replace(text(d.0.path()), "DIR");
    insta::assert_snapshot!(table);
}

#[test]
fn the_servers_own_format_string_is_taken() {
    let d = Dir::new();
    let log = d.file("x.log", "gis.example.gov|192.0.2.7|GET /a?user=jo&password=Zq81kfUwe_1 HTTP/1.1|200|2026-01-01T00:00:00+00:00\n");
    let report = json(&[
        "--log-format",
        "$host|$remote_addr|$request|$status|$time_iso8601",
        text(&log),
    ]);
    let f = &report["findings"][0];
    assert_eq!(
        (
            f["host"].as_str(),
            f["clients"].as_u64(),
            f["first_seen"].as_str()
        ),
        (Some("gis.example.gov"), Some(1), Some("2026-01-01T00:00:00Z"))
    );
    let bad = plainsight(&["scan", "--log-format", "$host$status", text(&log)]);
    assert!(
        bad.status.code() == Some(2) && String::from_utf8_lossy(&bad.stderr).contains("cannot be told apart")
    );
}

#[test]
fn the_last_piece_of_a_cut_line_is_scanned_though_its_end_never_came() {
    let d = Dir::new();
    let mut log = String::new();
    for n in 0..3 {
        log += &format!("2026-01-01T00:00:00.6Z stdout F {}", leak(n));
    }
    log += &format!("2026-01-01T00:00:01.6Z stdout P {}", leak(3));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(log.as_bytes()).unwrap();
    for path in [d.file("a.log", &log), d.file("a.log.gz", gz.finish().unwrap())] {
        let report = json(&[text(&path)]);
        assert_eq!(report["summary"]["exposures"], 4, "{}", path.display());
        let evidence = report["findings"][0]["evidence"].as_array().unwrap();
        assert_eq!(evidence[3]["line"], 4);
    }
}
