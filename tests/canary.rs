//! The secret stays here: credentials planted in every carrier of every format are looked for in everything that leaves the
//! process, for every command, output and error path, and where the program itself breaks.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, command, line, said};
use plainsight::rule::example;
use std::path::Path;
use std::process::Output;

/// Values that no other text holds, of the forms that credentials have: a token, a password, and one that a rule knows
/// by its shape.
fn canaries() -> Vec<String> {
    let mut all = vec![
        "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA".into(),
        "Zq81kfUwe-canary".into(),
    ];
    all.push(example::line("ghp_{alnum:36}").trim().to_string());
    all
}

/// Fails where `text` holds a canary: as it is, encoded, or most of it.
fn clean(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text).to_lowercase();
    for canary in canaries() {
        let percent: String = canary.bytes().map(|b| format!("%{b:02x}")).collect();
        let hex: String = canary.bytes().map(|b| format!("{b:02x}")).collect();
        let base64 = data_encoding::BASE64.encode(canary.as_bytes());
        // Eight bytes of it are too much as well: a preview has four.
        for form in [
            &canary[..9],
            &canary[canary.len() - 9..],
            &canary[4..13],
            &percent,
            &hex,
            &base64[..20],
        ] {
            assert!(!text.contains(&form.to_lowercase()), "{what} holds {form:?}");
        }
    }
}

fn clean_output(what: &str, out: &Output) {
    clean(what, &out.stdout);
    clean(what, &out.stderr);
}

/// Lines that carry the canaries in every place that a log has, and in places that it has not.
fn carriers() -> String {
    let mut out = String::new();
    for c in canaries() {
        let coded: String = c.bytes().map(|b| format!("%{b:02X}")).collect();
        let basic = data_encoding::BASE64.encode(format!("jo:{c}").as_bytes());
        for url in [
            format!("/a?token={c}"),
            format!("/a?user=jo&password={c}"),
            format!("/a?%74oken={coded}"),
            format!("/a?u=https%3A%2F%2Fb.example%2F%3Ftoken%3D{c}"),
            format!("/a;jsessionid={c}?x=1"),
            format!("/reset-password/{c}"),
            format!("/a#access_token={c}"),
            format!("https://jo:{c}@b.example/"),
            format!("/a?q={{\"token\":\"{c}\"}}"),
        ] {
            out += &line(&url);
            out += &line("/x").replace("\"-\"", &format!("\"https://a.example{url}\""));
        }
        out += &line("/x").replace("curl/8", &format!("curl token={c}"));
        // Where no credential stands it is known by its looks alone, which a password has not.
        if !c.contains("canary") {
            out += &line(&format!("/{c}/x?token={c}"));
            out += &line(&format!("/a?{c}={c}"));
            out += &line(&format!("/a?token={c}")).replace("192.0.2.7", &c);
            out += &line(&format!("/a?token={c}")).replace(" - - ", &format!(" - {c} "));
            out += &line(&format!("/x?token={c}")).replace("GET", &c);
            out += &line(&format!("/x?token={c}")).replace("01/Jan", &c);
        }
        out += &format!(
            "{{\"time\":\"01/01\",\"url\":\"/a?token={c}\",\"headers\":{{\"Authorization\":\"Bearer {c}\",\"Cookie\":\"sid={c}\"}}}}\n"
        );
        out += &format!("Authorization: Basic {basic}\npassword: {c}\ntoken = \"{c}\"\n<token>{c}</token>\n");
        out += &format!(
            "2026/01/01 00:00:00 [error] 1#1: *1 {c} failed, request: \"GET /?token={c} HTTP/1.1\", referrer: \"http://a/?token={c}\"\n"
        );
    }
    out
}

const OUTPUTS: [&str; 12] = [
    "table",
    "json",
    "ndjson",
    "part",
    "sarif",
    "html",
    "markdown",
    "github",
    "junit",
    "csv",
    "codequality",
    "openmetrics",
];

/// Everything of a folder but the inputs.
fn clean_files(d: &Dir, but: &[&str]) {
    for entry in walkdir::WalkDir::new(d.path()) {
        let entry = entry.unwrap();
        let name = entry
            .path()
            .strip_prefix(d.path())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if entry.file_type().is_file() && !but.iter().any(|b| name.starts_with(b)) {
            clean(&name, &std::fs::read(entry.path()).unwrap());
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = entry.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0, "{name} is for others, too");
            }
        }
    }
}

#[test]
fn no_output_of_a_scan_holds_them() {
    let d = Dir::new();
    d.file("in/access.log", carriers());
    for format in OUTPUTS {
        for more in [
            &[][..],
            &["-v"],
            &["-q"],
            &["--clients", "masked"],
            &["--color", "always"],
            &["--only", "csrf-token"],
        ] {
            let out = command(d.path())
                .env("RUST_LOG", "trace")
                .env("RUST_BACKTRACE", "full")
                .args([&["scan", "--now", NOW, "-f", format], more, &["in"]].concat())
                .output()
                .unwrap();
            assert!(matches!(out.status.code(), Some(0 | 1)), "{}", said(&out));
            clean_output(format, &out);
        }
        d.expect(1, &["scan", "-f", &format!("{format}=out-{format}"), "in"]);
    }
    d.expect(
        0,
        &[
            "scan",
            "--write-baseline",
            "base.json",
            "--baseline-reason",
            "x",
            "in",
        ],
    );
    clean_output(
        "baseline",
        &d.run(&["scan", "-v", "--baseline", "base.json", "in"]),
    );
    clean_files(&d, &["in/"]);
    // What reads reports has nothing to tell either.
    let id = d.json("out-json")["findings"][0]["id"]
        .as_str()
        .unwrap()
        .to_string();
    for args in [
        &["merge", "out-json", "-f", "html=merged"][..],
        &["merge", "out-json"],
        &["diff", "out-json", "out-json"],
        &["explain", &id, "--report", "out-json"],
    ] {
        clean_output(args[0], &d.run(args));
    }
    clean_files(&d, &["in/"]);
}

#[test]
fn no_format_lets_them_out() {
    // The fixtures' own credentials, in every format: the values that were filled in must not come out again.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    let mut tried = 0;
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let Ok(text) = std::fs::read_to_string(&file) else {
                continue;
            };
            if !name.starts_with("input.") {
                continue;
            }
            // Every gap becomes a canary, whatever it was.
            let canary = &canaries()[0];
            let mut filled = String::new();
            let mut rest = text.as_str();
            while let Some((before, (gap, after))) = rest
                .split_once('{')
                .map(|(b, r)| (b, r.split_once('}').unwrap_or((r, ""))))
            {
                filled += before;
                let kind = gap.split(':').next().unwrap_or_default();
                if gap.contains(':') && ["hex", "b64", "b64url", "alnum", "base64"].contains(&kind) {
                    filled += canary;
                } else {
                    filled += &format!("{{{gap}}}");
                }
                rest = after;
            }
            filled += rest;
            let filled = example::fill(&filled);
            let d = Dir::new();
            match file.extension().and_then(|e| e.to_str()) {
                Some("sql") => {
                    let db = rusqlite::Connection::open(d.path().join("History")).unwrap();
                    if db.execute_batch(&filled).is_err() {
                        continue;
                    }
                }
                Some("mozlz4") => {
                    let mut packed = b"mozLz40\0".to_vec();
                    packed.extend((filled.len() as u32).to_le_bytes());
                    packed.extend(lz4_flex::block::compress(filled.as_bytes()));
                    d.file("a", packed);
                }
                _ => drop(d.file(&name, &filled)),
            }
            for format in ["table", "json", "ndjson", "html"] {
                let out = d.run(&["scan", "--now", NOW, "-v", "-f", format, "."]);
                clean_output(&format!("{} as {format}", folder.display()), &out);
            }
            let out = d.run(&["redact", ".", "-o", "clean"]);
            clean_output(&format!("redact {}", folder.display()), &out);
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn no_error_tells_them() {
    let d = Dir::new();
    let c = &canaries()[0];
    d.file("access.log", carriers());
    d.file("cut.gz", [b"\x1f\x8b\x08\0".as_slice(), c.as_bytes()].concat());
    d.file("bad.zip", [b"PK\x03\x04".as_slice(), c.as_bytes()].concat());
    d.file("bad.tar", {
        let mut t = vec![0; 600];
        t[..c.len()].copy_from_slice(c.as_bytes());
        t[257..262].copy_from_slice(b"ustar");
        t
    });
    d.file(
        "History",
        [b"SQLite format 3\0".as_slice(), c.as_bytes()].concat(),
    );
    d.file("a.har", format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{{}},\"entries\":[{{\"request\":{{\"url\":\"http://a/?token={c}\"}}}},{{\"{c}\":}}]}}}}"));
    d.file("a.plist", format!("bplist00WebBookmark{c}"));
    d.file(
        "a.jsonlz4",
        [b"mozLz40\0\xff\xff\xff\x7f".as_slice(), c.as_bytes()].concat(),
    );
    d.file(&format!("token={c}.log"), carriers());
    d.file(
        "report.json",
        format!("{{\"schema_version\":1,\"token\":\"{c}\", oops {c}"),
    );
    d.file(
        "wrong.json",
        format!("{{\"schema_version\":\"{c}\",\"version\":\"{c}\",\"clock\":\"{c}\"}}"),
    );
    d.file("key", c);
    let tokened = format!("token={c}.log");
    let missing = format!("/none/token={c}");
    for args in [
        &["scan", "."][..],
        &["scan", "-v", ".", "--progress", "always"],
        &["scan", &tokened, "-f", "sarif"],
        &["scan", &missing],
        &["scan", "-f", &format!("json={missing}/x"), "access.log"],
        &["scan", "--baseline", "wrong.json", "access.log"],
        &["scan", "--baseline", "report.json", "access.log"],
        &["scan", "--config", "report.json", "access.log"],
        &["scan", "--rules", "report.json", "access.log"],
        &["scan", "--fingerprint-key-file", "key", "access.log"],
        &["merge", "report.json"],
        &["merge", "wrong.json"],
        &["diff", "report.json", "wrong.json"],
        &["explain", "x", "--report", "report.json"],
        &["redact", ".", "-o", "clean"],
        &["redact", "access.log", "-o", "access.log"],
        &["redact", "access.log", "-o", "clean.log", "--summary", "sum.json"],
    ] {
        clean_output(&format!("{args:?}"), &d.run(args));
    }
    clean("summary", d.read("sum.json").as_bytes());
}

#[test]
fn a_break_of_the_program_tells_where_and_nothing_else() {
    if !cfg!(debug_assertions) {
        return; // Only debug builds can be made to break.
    }
    let broken = |d: &Dir, args: &[&str]| {
        let mut c = command(d.path());
        c.env("PLAINSIGHT_TEST_PANIC", "breakhere")
            .env("RUST_BACKTRACE", "full");
        c.args(args).output().unwrap()
    };
    let bad = line(&format!("/breakhere?token={}", canaries()[0]));
    let good: String = (0..50).map(common::leak).collect();
    for jobs in ["1", "2"] {
        let d = Dir::new();
        d.file("a.log", &good);
        d.file("b.log", good.clone() + &bad + &good);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut gz, (good.clone() + &bad).as_bytes()).unwrap();
        d.file("c.log.gz", gz.finish().unwrap());
        d.file("d.har", format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{{}},\"entries\":[{{\"startedDateTime\":\"x\",\"request\":{{\"url\":\"http://a/breakhere?token={}\"}}}}]}}}}", canaries()[0]));
        d.file("e.log", &good);
        for format in ["json", "ndjson", "table"] {
            let out = broken(
                &d,
                &[
                    "scan",
                    "--now",
                    NOW,
                    "-j",
                    jobs,
                    "--fail-on",
                    "never",
                    "-f",
                    format,
                    ".",
                ],
            );
            clean_output(format, &out);
            let err = String::from_utf8_lossy(&out.stderr);
            assert!(
                err.contains("error: plainsight broke at plainsight/src/scan/guard.rs")
                    || err.contains("error: plainsight broke at src/scan/guard.rs"),
                "{err}"
            );
            assert!(
                !err.contains("stack backtrace") && !err.contains("/root/"),
                "{err}"
            );
            assert_eq!(out.status.code(), Some(2), "{err}");
            if format == "json" {
                let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
                let states: Vec<_> = report["sources"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|s| s["status"].as_str().unwrap())
                    .collect();
                assert_eq!(states, ["complete", "partial", "partial", "partial", "complete"]);
                // What else stands there is found.
                assert!(report["summary"]["exposures"].as_u64().unwrap() >= 100);
            }
        }
        let out = broken(&d, &["redact", "-j", jobs, "b.log", "-o", "clean.log"]);
        clean_output("redact", &out);
        assert!(
            out.status.code() == Some(2) && !d.path().join("clean.log").exists(),
            "{}",
            said(&out)
        );
        let mut left: Vec<_> = std::fs::read_dir(d.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["a.log", "b.log", "c.log.gz", "d.har", "e.log"]);
    }
}

#[test]
fn a_break_in_entries_that_another_thread_reads_holds_nobody_up() {
    if !cfg!(debug_assertions) {
        return; // Only debug builds can be made to break.
    }
    // Entries go to other threads by half a mebibyte; some of them break.
    let d = Dir::new();
    let entry = |n: usize| {
        let word = if n.is_multiple_of(700) {
            "breakhere"
        } else {
            "fine"
        };
        format!(
            "{{\"startedDateTime\":\"2026-01-01T00:00:00Z\",\"request\":{{\"method\":\"GET\",\"url\":\"http://a/{word}?token={}\"}},\
             \"comment\":\"{}\"}}",
            canaries()[0],
            "x".repeat(1000)
        )
    };
    let entries: Vec<String> = (0..5000).map(entry).collect();
    let har = |entries: &[String]| {
        let all = entries.join(",");
        format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{{}},\"entries\":[{all}]}}}}")
    };
    d.file("a.har", har(&entries));
    d.file("b.log", common::leak(1));
    for jobs in ["1", "2", "5"] {
        for format in ["json", "ndjson"] {
            let out = command(d.path())
                .env("PLAINSIGHT_TEST_PANIC", "breakhere")
                .args(["scan", "--now", NOW, "-j", jobs, "-f", format, "."])
                .output()
                .unwrap();
            clean_output(format, &out);
            let text = String::from_utf8_lossy(&out.stdout);
            assert!(
                text.contains("an error in plainsight ended the reading"),
                "{text}"
            );
            assert!(
                text.contains("\"path\":\"./b.log\"") || text.contains("b.log"),
                "{text}"
            );
            assert!(!text.contains("\"complete\":true"), "{text}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_core_file_is_written() {
    let d = Dir::new();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(d.path().join("a"))
            .status()
            .unwrap()
            .success()
    );
    let mut child = command(d.path())
        .args(["scan", "-f", "ndjson=out", "a"])
        .spawn()
        .unwrap();
    // It is past its start when it has made its output.
    while std::fs::read_dir(d.path()).unwrap().count() < 2 {
        std::thread::yield_now();
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let core = limits
        .lines()
        .find(|l| l.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn revealing_has_to_be_asked_for_twice_where_no_terminal_reads_it() {
    let d = Dir::new();
    let c = &canaries()[0];
    d.file("access.log", line(&format!("/a?token={c}")));
    for args in [
        &["scan", "--reveal", "access.log"][..],
        &["scan", "--reveal", "-f", "json=out", "access.log"],
        &[
            "scan",
            "--reveal",
            "-f",
            "table",
            "-f",
            "ndjson=out",
            "access.log",
        ],
    ] {
        let out = d.expect(2, args);
        assert!(said(&out).contains("give it twice"), "{}", said(&out));
        clean_output("refused", &out);
        assert!(!d.path().join("out").exists());
    }
    for format in ["json", "ndjson"] {
        let out = d.expect(1, &["scan", "--reveal", "--reveal", "-f", format, "access.log"]);
        assert!(
            String::from_utf8_lossy(&out.stdout).contains(c.as_str()),
            "{format}"
        );
        clean("stderr", &out.stderr);
    }
    // Neither a configuration nor the environment can ask for it.
    d.file("plainsight.toml", "reveal = true\n");
    d.expect(2, &["scan", "access.log"]);
    let out = command(d.path())
        .env("PLAINSIGHT_REVEAL", "1")
        .args(["scan", "--no-config", "-f", "json", "access.log"])
        .output();
    clean_output("environment", &out.unwrap());
}
