//! Exit codes: the same for every output, whatever ends a run.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, command, leak, line, said};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

/// Every way in which a report can be written.
const OUTPUTS: [&[&str]; 6] = [
    &[],
    &["-f", "json"],
    &["-f", "ndjson"],
    &["-f", "table=out.txt"],
    &["-f", "json=out.json", "-f", "ndjson=out.ndjson"],
    &["-f", "table", "-f", "json=out.json", "-f", "ndjson=out.ndjson"],
];

#[test]
fn codes_tell_clean_leaking_and_incomplete_apart_for_every_output() {
    let d = Dir::new();
    d.file("clean.log", line("/a?page=2"));
    d.file("leak.log", leak(1));
    d.file("empty.log", "");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all((0..300).map(leak).collect::<String>().as_bytes())
        .unwrap();
    let whole = gz.finish().unwrap();
    d.file("cut.gz", &whole[..whole.len() - 20]);
    d.file("in/a.7z", b"7z\xbc\xaf\x27\x1c0000");
    d.file("in/b.png", b"\x89PNG\r\n\x1a\n0000");
    d.file("in/c.log", line("/a"));
    d.expect(
        0,
        &["scan", "--now", NOW, "--write-baseline", "base.json", "leak.log"],
    );
    for (args, code) in [
        (&["clean.log"][..], 0),
        (&["empty.log"], 0),
        (&["leak.log"], 1),
        (&["--fail-on", "never", "leak.log"], 0),
        (&["--fail-on", "critical", "leak.log"], 0),
        (&["--min-severity", "critical", "leak.log"], 1),
        (&["--min-confidence", "certain", "leak.log"], 0),
        (&["--baseline", "base.json", "leak.log"], 0),
        (&["--baseline", "base.json", "cut.gz"], 1),
        (&["none.log"], 2),
        (&["--allow-partial", "none.log"], 2),
        (&["none.log", "clean.log"], 2),
        (&["--allow-partial", "none.log", "clean.log"], 0),
        (&["none.log", "leak.log"], 1),
        (&["--allow-partial", "none.log", "leak.log"], 1),
        (&["--fail-on", "never", "none.log", "leak.log"], 2),
        (&["cut.gz"], 1),
        (&["--fail-on", "never", "cut.gz"], 2),
        (&["--fail-on", "never", "--allow-partial", "cut.gz"], 0),
        (&["in"], 2),
        (&["--allow-partial", "in"], 0),
        (&["--exclude", "*.7z", "in"], 0),
        (&["in/b.png"], 2),
        (&["--fail-on", "bogus", "clean.log"], 2),
        (&["--only", "no-such-rule", "clean.log"], 2),
        (&["--no-such-option", "clean.log"], 2),
    ] {
        for output in OUTPUTS {
            d.expect(code, &[&["scan", "--now", NOW], output, args].concat());
        }
    }
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let d = Dir::new();
    d.file("leak.log", leak(1));
    let out = d.expect(2, &["scan", "-f", "json=no/such/folder/out.json", "leak.log"]);
    assert!(said(&out).contains("no/such/folder"), "{}", said(&out));
}

#[test]
fn a_span_of_time_that_holds_nothing_is_a_mistake() {
    let d = Dir::new();
    d.file("leak.log", leak(1));
    for until in ["2026-01-01", "2025-12-31"] {
        let out = d.expect(
            2,
            &["scan", "--since", "2026-01-01", "--until", until, "leak.log"],
        );
        assert!(said(&out).contains("is not after --since"), "{}", said(&out));
    }
}

#[test]
fn an_open_gate_says_that_not_all_was_read() {
    let d = Dir::new();
    d.file("clean.log", line("/a"));
    for format in ["table", "markdown", "html"] {
        let out = d.expect(
            2,
            &[
                "scan",
                "--fail-on",
                "never",
                "-f",
                format,
                "clean.log",
                "none.log",
            ],
        );
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains("the scan is INCOMPLETE"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_into_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let d = Dir::new();
    d.file("clean.log", line("/a"));
    let pipe = d.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Opened for both, so that neither end waits for the other; what is written fits the pipe's buffer.
    let mut both = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    d.expect(0, &["scan", "-f", "table=pipe", "clean.log"]);
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let mut start = [0; 13];
    both.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"No credential");
}

/// Runs it with nobody who reads what it writes: it says nothing, and ends with the code of what was found.
fn left_alone(d: &Dir, args: &[&str]) {
    let mut child = command(d.path())
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let code = child.wait().unwrap().code();
    assert_eq!((code, err.as_str()), (Some(1), ""), "{args:?}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly_with_the_code_of_what_was_found() {
    let d = Dir::new();
    d.file("leak.log", leak(1));
    for format in ["table", "json", "ndjson"] {
        left_alone(&d, &["scan", "leak.log", "-f", format]);
    }
}

#[test]
fn a_reader_that_goes_away_from_a_long_report_is_no_error_either() {
    let d = Dir::new();
    let lines: String = (0..200)
        .map(|n| {
            line(&format!(
                "https://h{n}.example.net/login?user=jo&password=Zq81kfUwe_{n}"
            ))
        })
        .collect();
    d.file("leak.log", lines);
    d.expect(1, &["scan", "-f", "json=report.json", "leak.log"]);
    let merge = ["merge", "--fail-on", "medium", "report.json"];
    for format in [
        "html",
        "csv",
        "markdown",
        "junit",
        "sarif",
        "codequality",
        "github",
    ] {
        for args in [&["scan", "leak.log"][..], &merge] {
            left_alone(&d, &[args, &["-f", format]].concat());
        }
    }
}

#[test]
fn a_stream_ends_when_nobody_reads_what_comes_of_it() {
    let d = Dir::new();
    let mut child = command(d.path())
        .args(["scan", "-f", "ndjson", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(leak(1).as_bytes()).unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.contains("\"exposure\""));
    // It may take some lines until it notices; its input never ends.
    let mut n = 2;
    while child.try_wait().unwrap().is_none() {
        let _ = stdin.write_all(leak(n).as_bytes());
        n += 1;
        std::thread::yield_now();
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// Starts a scan whose input never ends, sends `signal` once it reads, and gives its exit code.
#[cfg(unix)]
fn stopped_by(signal: &str, d: &Dir, fifo: bool) -> (Option<i32>, String) {
    let mut scan = command(d.path());
    scan.args([
        "scan",
        "--now",
        NOW,
        "-f",
        "ndjson",
        "-f",
        "json=out.json",
        "-f",
        "table=out.txt",
    ]);
    scan.args(["--write-baseline", "base.json", "done.log"]);
    let status = std::process::Command::new("mkfifo")
        .arg(d.path().join("pipe"))
        .status()
        .unwrap();
    assert!(status.success());
    scan.arg(if fifo { "pipe" } else { "-" });
    let mut child = scan
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // `-` comes before `done.log`, which is therefore not reached; `pipe` comes after it.
    if !fifo {
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(leak(1).as_bytes())
            .unwrap();
    }
    assert!(lines.next().unwrap().unwrap().contains("\"exposure\""));
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        // As `timeout` does: to the program, and to its group.
        .args(["-s", signal, &pid, &pid])
        .status()
        .unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.last().unwrap().contains("\"complete\":false"), "{rest:?}");
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap().code(), err)
}

#[cfg(unix)]
#[test]
fn signals_end_it_with_a_partial_report_and_nothing_left_behind() {
    for (signal, code, fifo) in [("INT", 130, false), ("TERM", 143, false), ("TERM", 143, true)] {
        let d = Dir::new();
        d.file("done.log", leak(7));
        let (got, err) = stopped_by(signal, &d, fifo);
        assert_eq!(got, Some(code), "{err}");
        assert!(err.contains("the baseline was not written"), "{err}");
        let report = d.json("out.json");
        assert_eq!(report["summary"]["complete"], false);
        let state = |n: usize| {
            (
                report["sources"][n]["path"].as_str(),
                report["sources"][n]["status"].as_str(),
            )
        };
        let want = if fifo {
            [
                (Some("done.log"), Some("complete")),
                (Some("pipe"), Some("partial")),
            ]
        } else {
            [(Some("-"), Some("partial")), (Some("done.log"), Some("complete"))]
        };
        assert!(
            state(0) == want[0] && (state(1) == want[1] || !fifo),
            "{:?} {:?}",
            state(0),
            state(1)
        );
        let told = report["diagnostics"].to_string();
        assert!(told.contains("this report is partial"), "{told}");
        assert!(d.read("out.txt").contains("INCOMPLETE"));
        let mut left: Vec<_> = std::fs::read_dir(d.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["done.log", "out.json", "out.txt", "pipe"]);
    }
}

#[cfg(unix)]
#[test]
fn what_is_written_while_it_scans_is_gone_or_whole_after_a_signal() {
    let d = Dir::new();
    let mut child = command(d.path())
        .args(["scan", "-f", "ndjson=out.ndjson", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let names = || -> Vec<String> {
        let all = std::fs::read_dir(d.path()).unwrap();
        all.map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    while names().is_empty() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-s", "TERM", &pid])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(names(), ["out.ndjson"]);
    assert!(d.read("out.ndjson").contains("\"complete\":false"));
}
