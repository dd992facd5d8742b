//! Files that are removed, cut, rotated, unreadable or no files at all, disks that fail and fill, clocks that are wrong:
//! nothing is lost in silence. What a disk or another process does in the middle of a read is done by a preloaded
//! library (`tests/faults/shim.c`).

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, command, leak, line, said};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The preloaded library, compiled once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let done = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&out)
            .arg(source)
            .arg("-ldl")
            .status();
        assert!(done.unwrap().success());
        out
    })
}

/// Runs the program with a fault.
fn faulty(d: &Dir, fault: &str, path: &str, at: i64, args: &[&str]) -> Output {
    command(d.path())
        .env("LD_PRELOAD", shim())
        .envs([("FAULT", fault), ("PATH_HAS", path)])
        .env("AT", at.to_string())
        .args(args)
        .output()
        .unwrap()
}

/// A log of more than 8 MiB with `n` leaks, evenly.
fn large(n: usize) -> String {
    let filler = line("/static/app.js").repeat((9 << 20) / n / line("/static/app.js").len());
    (0..n).map(|k| leak(k) + &filler).collect()
}

const SCAN: [&str; 7] = ["scan", "--now", NOW, "-f", "json", "-j", "1"];

fn report(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(out)))
}

#[test]
fn what_happens_to_a_log_in_the_middle_is_survived_and_said() {
    for (fault, code, status, words, least, most) in [
        ("eio", 1, "partial", "could not be read beyond byte", 1, 39),
        ("truncate", 1, "partial", "was cut to", 1, 39),
        ("grow", 1, "complete", "grew by 5 bytes", 40, 40),
        ("remove", 1, "complete", "", 40, 40),
        ("rename", 1, "complete", "", 40, 40),
        ("short", 1, "complete", "", 40, 40),
    ] {
        for jobs in ["1", "2"] {
            let d = Dir::new();
            d.file("access.log", large(40));
            let args = ["scan", "--now", NOW, "-f", "json", "-j", jobs, "access.log"];
            let out = faulty(&d, fault, "access.log", 5 << 20, &args);
            assert_eq!(out.status.code(), Some(code), "{fault}: {}", said(&out));
            let report = report(&out);
            let source = &report["sources"][0];
            assert_eq!(source["status"], status, "{fault}");
            let told = format!("{}{}", source["problem"], report["diagnostics"]);
            assert!(told.contains(words), "{fault}: {told}");
            let n = report["summary"]["exposures"].as_u64().unwrap();
            assert!((least..=most).contains(&n), "{fault} -j {jobs}: {n}");
        }
        // Where nothing fails the gate, what is missing does.
        let d = Dir::new();
        d.file("access.log", large(40));
        let out = faulty(
            &d,
            fault,
            "access.log",
            5 << 20,
            &[&SCAN[..], &["--fail-on", "never", "access.log"]].concat(),
        );
        assert_eq!(
            out.status.code(),
            Some(if status == "partial" { 2 } else { 0 }),
            "{fault}"
        );
    }
}

#[test]
fn a_read_that_fails_in_a_packed_or_whole_read_source_is_said() {
    let d = Dir::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut gz, large(40).as_bytes()).unwrap();
    d.file("a.gz", gz.finish().unwrap());
    d.file(
        "b.har",
        format!(
            "{{\"log\":{{\"version\":\"1.2\",\"creator\":{{}},\"entries\":[{}]}}}}",
            " ".repeat(3 << 20)
        ),
    );
    for name in ["a.gz", "b.har"] {
        let out = faulty(&d, "eio", name, 2 << 20, &[&SCAN[..], &[name]].concat());
        let source = &report(&out)["sources"][0];
        assert_eq!(source["status"], "partial", "{name}: {source}");
        assert!(
            source["problem"].to_string().contains("nput/output error"),
            "{source}"
        );
        let out = faulty(&d, "eio", name, 1 << 20, &["redact", name, "-o", "out"]);
        assert_eq!(out.status.code(), Some(2), "{}", said(&out));
        assert!(!d.path().join("out").exists());
    }
}

#[test]
fn what_may_not_be_read_is_said() {
    let d = Dir::new();
    d.file("in/a.log", leak(1));
    d.file("in/b.log", leak(2));
    d.file("in/closed/c.log", leak(3));
    for part in ["b.log", "in/closed"] {
        let out = faulty(&d, "denied", part, 0, &[&SCAN[..], &["in"]].concat());
        let report = report(&out);
        let bad: Vec<&Value> = report["sources"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["status"] == "skipped")
            .collect();
        assert_eq!(bad.len(), 1, "{part}: {report}");
        assert!(bad[0]["path"].as_str().unwrap().contains(part));
        assert!(
            bad[0]["problem"].to_string().contains("ermission denied"),
            "{}",
            bad[0]
        );
        assert_eq!(report["summary"]["exposures"], 2);
    }
    let out = faulty(
        &d,
        "denied",
        "key",
        0,
        &["scan", "--fingerprint-key-file", "key", "in"],
    );
    assert!(out.status.code() == Some(2) && said(&out).contains("cannot read the fingerprint key file key"));
}

#[test]
fn a_log_that_goes_before_it_is_opened_is_said() {
    let d = Dir::new();
    d.file("z.log", leak(1));
    assert!(
        Command::new("mkfifo")
            .arg(d.path().join("a"))
            .status()
            .unwrap()
            .success()
    );
    let child = command(d.path())
        .args([&SCAN[..], &["a", "z.log"]].concat())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The scan has found both and waits for the pipe.
    let mut pipe = std::fs::OpenOptions::new()
        .write(true)
        .open(d.path().join("a"))
        .unwrap();
    std::fs::remove_file(d.path().join("z.log")).unwrap();
    std::io::Write::write_all(&mut pipe, leak(2).as_bytes()).unwrap();
    drop(pipe);
    let out = child.wait_with_output().unwrap();
    let report = report(&out);
    assert_eq!(report["summary"]["exposures"], 1);
    assert_eq!(report["sources"][1]["status"], "skipped");
    assert!(
        report["sources"][1]["problem"]
            .to_string()
            .contains("cannot be opened")
    );
}

#[test]
fn what_is_no_file_in_a_folder_is_listed_and_never_waited_for() {
    let d = Dir::new();
    d.file("in/a.log", leak(1));
    assert!(
        Command::new("mkfifo")
            .arg(d.path().join("in/pipe"))
            .status()
            .unwrap()
            .success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(d.path().join("in/socket")).unwrap();
    for (link, to) in [
        ("null", "/dev/null"),
        ("status", "/proc/self/status"),
        ("loop", "."),
        ("gone", "none"),
        ("up", ".."),
    ] {
        std::os::unix::fs::symlink(to, d.path().join("in").join(link)).unwrap();
    }
    let states = |args: &[&str]| -> Vec<String> {
        let report = d.scan(args);
        assert_eq!(report["summary"]["exposures"], 1);
        let state = |s: &Value| {
            format!(
                "{} {}",
                s["path"].as_str().unwrap(),
                s["status"].as_str().unwrap()
            )
        };
        report["sources"].as_array().unwrap().iter().map(state).collect()
    };
    let ignored =
        ["gone", "loop", "null", "pipe", "socket", "status", "up"].map(|n| format!("in/{n} ignored"));
    let mut want = ignored.to_vec();
    want.insert(0, "in/a.log complete".into());
    assert_eq!(states(&["in"]), want);
    // Followed: what leads back ends there, what leads nowhere is said, /proc is read though it says it is empty.
    let followed = states(&["--follow-links", "in"]);
    for want in [
        "in/a.log complete",
        "in/gone skipped",
        "in/loop ignored",
        "in/null ignored",
        "in/status complete",
    ] {
        assert!(followed.iter().any(|s| s == want), "{want}: {followed:?}");
    }
    assert!(followed.len() < 20, "{followed:?}");
}

#[test]
fn devices_and_proc_are_read_where_they_are_named() {
    let d = Dir::new();
    d.expect(0, &["scan", "/dev/null"]);
    let report = d.scan(&["/proc/self/status"]);
    assert!(report["sources"][0]["records"].as_u64().unwrap() > 10);
    // Its first page is not mapped: an error in the first read.
    let out = d.expect(2, &["scan", "/proc/self/mem"]);
    assert!(said(&out).contains("/proc/self/mem"), "{}", said(&out));
}

/// What stands in a folder, but for inputs.
fn left(d: &Dir) -> Vec<String> {
    let all = std::fs::read_dir(d.path()).unwrap();
    let names = all.map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n != "access.log").collect()
}

#[test]
fn a_full_disk_leaves_no_half_file() {
    for format in [
        "table",
        "json",
        "ndjson",
        "sarif",
        "html",
        "markdown",
        "junit",
        "csv",
        "codequality",
        "openmetrics",
    ] {
        let d = Dir::new();
        d.file("access.log", (0..50).map(leak).collect::<String>());
        let to = format!("{format}=out");
        let out = faulty(
            &d,
            "full",
            "/.plainsight-",
            100,
            &["scan", "-f", &to, "access.log"],
        );
        assert_eq!(out.status.code(), Some(2), "{format}: {}", said(&out));
        assert!(said(&out).contains("No space left"), "{format}: {}", said(&out));
        assert_eq!(left(&d), [""; 0], "{format}");
    }
    let d = Dir::new();
    d.file("access.log", large(40));
    for (at, args) in [
        (100, &["redact", "access.log", "-o", "out"][..]),
        (3 << 20, &["redact", "access.log", "-o", "out"]),
        (10, &["scan", "--write-baseline", "out", "access.log"]),
        (
            10,
            &["redact", "--summary", "out.json", "-o", "out", "access.log"],
        ),
    ] {
        let out = faulty(&d, "full", "/.plainsight-", at, args);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", said(&out));
        assert!(said(&out).contains("No space left"), "{}", said(&out));
        assert_eq!(left(&d), [""; 0], "{args:?}");
    }
    // The standard output can be full as well.
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for args in [
        &["scan", "-f", "json", "access.log"][..],
        &["scan", "-f", "ndjson", "access.log"],
        &["rules", "list"],
        &["schema"],
    ] {
        let out = command(d.path()).args(args).stdout(full()).output().unwrap();
        assert!(
            out.status.code() == Some(2) && said(&out).contains("No space left"),
            "{args:?} {}",
            said(&out)
        );
    }
}

#[test]
fn closed_standard_streams_change_no_exit_code() {
    let d = Dir::new();
    d.file("access.log", leak(1));
    for close in [">&-", "2>&-", "<&-", ">&- 2>&- <&-"] {
        let run = format!("exec \"$0\" scan access.log {close}");
        let out = Command::new("sh")
            .current_dir(d.path())
            .args(["-c", &run, env!("CARGO_BIN_EXE_plainsight")])
            .output();
        assert_eq!(out.unwrap().status.code(), Some(1), "{close}");
    }
}

#[test]
fn a_clock_may_be_anywhere() {
    let d = Dir::new();
    let jwt = "?token=eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE4OTM0NTYwMDB9.c2lnbmF0dXJlc2lnbmF0dXJlc2ln";
    let times = [
        "01/Jan/0001",
        "31/Dec/1969",
        "31/Dec/9999",
        "01/Jan/10000",
        "99/Zzz/2026",
        "29/Feb/2025",
    ];
    let lines: String = times
        .iter()
        .map(|t| line(jwt).replace("01/Jan/2026", t))
        .collect();
    d.file("access.log", lines);
    for clock in [-2_000_000_000, -1, 0, 253_402_300_800, 999_999_999_999] {
        let out = faulty(&d, "clock", "none", clock, &["scan", "-f", "json", "access.log"]);
        assert_eq!(out.status.code(), Some(1), "{clock}: {}", said(&out));
        let report = report(&out);
        assert_eq!(report["summary"]["exposures"], 6);
        let clock: jiff::Timestamp = report["clock"].as_str().unwrap().parse().unwrap();
        assert!(clock <= jiff::Timestamp::MAX);
    }
    for now in ["1901-01-01", "1969-12-31T23:59:59Z", "9999-12-30T00:00:00Z"] {
        d.expect(1, &["scan", "--now", now, "access.log"]);
    }
    // What is no time is told, not guessed.
    let report = d.scan(&["access.log"]);
    assert!(
        report["diagnostics"].to_string().contains("whose time is none"),
        "{}",
        report["diagnostics"]
    );
}

#[test]
fn an_hour_that_was_skipped_or_came_twice_has_one_time() {
    let d = Dir::new();
    let error = |time: &str| {
        format!(
            "{time} [error] 1#1: *1 open() failed, client: 192.0.2.1, server: a, request: \"GET /x?password=Zq81kfUwe_1&user=jo HTTP/1.1\", host: \"a.example\"\n"
        )
    };
    for (local, want) in [
        ("2026/03/29 01:59:59", "2026-03-29T00:59:59Z"),
        ("2026/03/29 02:30:00", "2026-03-29T01:30:00Z"),
        ("2026/03/29 03:00:00", "2026-03-29T01:00:00Z"),
        ("2026/10/25 02:30:00", "2026-10-25T00:30:00Z"),
    ] {
        d.file("error.log", error(local));
        let report = d.scan(&["--timezone", "Europe/Berlin", "error.log"]);
        assert_eq!(report["findings"][0]["first_seen"], want, "{local}");
    }
}
