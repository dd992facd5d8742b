//! Parts of a source, scanned for themselves and joined, are the source: whatever the format, wherever it is cut, whoever
//! cuts it, in any order, down to the bytes of the report.

#![allow(clippy::unwrap_used)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, command, leak, line, said};
use plainsight::merge::{Merger, Options};
use plainsight::report::json;
use plainsight::rule::Severity;
use plainsight::scan::{Config, Progress, Scan, Split};
use plainsight::secret::Key;
use plainsight::time::Instant;
use proptest::prelude::*;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const KEY: &[u8] = b"0123456789abcdef";

fn config() -> Config {
    let mut config = Config {
        jobs: 2,
        key: Key::from_bytes(KEY),
        ..Config::new().unwrap()
    };
    config.clock.now = Instant::new(1_795_219_200, 0).unwrap();
    config
}

fn report(config: Config, path: &Path) -> Vec<u8> {
    let report = Scan::new(config).run(&[path.to_path_buf()], None, &Progress::default());
    let mut out = Vec::new();
    json::write(&report, &mut out).unwrap();
    out
}

fn joined<'r>(reports: impl Iterator<Item = &'r Vec<u8>>) -> Vec<u8> {
    let config = config();
    let gate = config.gate.clone();
    let options = Options::new(config, None, gate, Severity::Info);
    let mut merger = Merger::new(&options);
    reports.for_each(|r| merger.add("part", r).unwrap());
    let mut out = Vec::new();
    json::write(&merger.finish().unwrap(), &mut out).unwrap();
    out
}

/// `wide` digits that differ for each `n`.
fn token(n: usize, wide: usize) -> String {
    let mut text = String::new();
    while text.len() < wide {
        text += &format!("{:x}", (n + 1 + text.len()).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }
    text[..wide].to_string()
}

/// W3C whose columns change in mid-file, with and without a header of its own before a row, and a hole.
fn w3c() -> Vec<u8> {
    let mut out = b"\xEF\xBB\xBF#Software: x\r\n#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip sc-status\r\n".to_vec();
    for n in 0..60 {
        if n == 20 {
            out.extend(
                b"#Fields: date time c-ip sc-status cs-uri-query cs-uri-stem cs-method cs(Cookie)\r\n",
            );
        }
        if n == 40 {
            out.extend(b"\0\0\0#Fields: date time cs-uri-stem sc-status cs-uri-query\r\n");
        }
        let query = format!("password={}", token(n, 12));
        let row = match n {
            0..20 => format!("2026-01-01 00:00:00 GET /a/{n} {query} 192.0.2.{n} 200\r\n"),
            20..40 => format!(
                "2026-01-01 00:00:00 192.0.2.{n} 200 {query} /b GET PHPSESSID={}\r\n",
                token(n, 26)
            ),
            _ => format!("2026-01-01 00:00:00 /c 200 {query}\r\n"),
        };
        out.extend(row.bytes());
    }
    out
}

/// CRI in two streams, their lines cut through names and values, some for good.
fn cri() -> Vec<u8> {
    let mut out = String::new();
    for n in 0..40 {
        let text = line(&format!("/login?user=jo&password={}", token(n, 12)));
        let text = text.trim_end();
        let time = "2026-01-01T00:00:00.669794202Z";
        let stream = ["stdout", "stderr"][n % 2];
        let cut = [90, 60, 80][n % 3];
        let (a, b) = text.split_at(cut.min(text.len() - 10));
        let (b, c) = b.split_at(b.len() / 2);
        out += &format!("{time} {stream} P {a}\n");
        if n % 4 == 1 {
            out += &format!("{time} {} F {}", ["stderr", "stdout"][n % 2], leak(n + 100));
        }
        out += &format!("{time} {stream} P {b}\n");
        if n % 7 != 3 {
            out += &format!("{time} {stream} F {c}\n");
        }
    }
    out.into_bytes()
}

/// Docker's json-file, which cuts at 16 KiB.
fn docker() -> Vec<u8> {
    let mut out = String::new();
    for n in 0..6 {
        let long = format!(
            "{}?password={}&rest={}",
            "/x".repeat(8185),
            token(n, 12),
            "y".repeat(9000 + n)
        );
        let text = line(&long);
        let text = text.trim_end().replace('"', "\\\"");
        let (a, b) = text.split_at(16 << 10);
        let stream = ["stdout", "stderr"][n % 2];
        let rest = format!("\"stream\":\"{stream}\",\"time\":\"2026-01-01T00:00:00Z\"}}\n");
        out += &format!("{{\"log\":\"{a}\",{rest}");
        out += &format!(
            "{{\"log\":\"{}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}}\n",
            line(&format!("/q?password={}", token(n + 50, 12)))
                .trim_end()
                .replace('"', "\\\"")
        );
        out += &format!("{{\"log\":\"{b}\\n\",{rest}");
    }
    out.into_bytes()
}

/// A log with a byte order mark, times that are none, lines without an end.
fn plain() -> Vec<u8> {
    let mut out = b"\xEF\xBB\xBF".to_vec();
    for n in 0..40 {
        let text = match n % 5 {
            3 => leak(n).replace("/Jan/", "/Foo/"),
            4 => format!("nothing to see {n}\n"),
            _ => leak(n / 2),
        };
        out.extend(text.bytes());
    }
    out.pop();
    out
}

/// Long lines, which come in windows, between short ones.
fn long() -> Vec<u8> {
    let mut out = leak(1);
    for n in 0..3 {
        let filler = "z/".repeat(700_000 + n);
        out += &line(&format!(
            "/{filler}?password={}&more={filler}&token={}",
            token(n, 12),
            token(n, 64)
        ));
        out += &leak(n + 2);
    }
    out.into_bytes()
}

/// Those of the fixtures that are lines, each as often as it takes to be worth cutting.
fn fixture(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/formats")
        .join(name);
    let log = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut logs: Vec<PathBuf> = log
        .filter(|p| p.extension().is_some_and(|e| e != "json" && e != "toml"))
        .collect();
    logs.sort();
    let text = std::fs::read_to_string(&logs[0]).unwrap().repeat(3);
    text.replace("{b64url:40}", &token(7, 40)).into_bytes()
}

/// Scans `path` in parts that begin at `cuts`, in threads of their own.
fn parts(path: &Path, size: u64, cuts: &[u64]) -> Vec<Vec<u8>> {
    let mut at: Vec<u64> = cuts.iter().map(|c| c % (size + 1)).chain([0]).collect();
    at.sort_unstable();
    at.dedup();
    let ends: Vec<u64> = at[1..].iter().copied().chain([u64::MAX]).collect();
    let one = |(start, end)| {
        let split = Split {
            range: start..end,
            offset: start,
            head: None,
            header: None,
        };
        let config = Config {
            split: Some(split),
            ..config()
        };
        report(config, path)
    };
    at.iter().copied().zip(ends).map(one).collect()
}

fn same(a: &[u8], b: &[u8]) {
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let show =
        |x: &[u8]| String::from_utf8_lossy(&x[at.saturating_sub(200)..x.len().min(at + 300)]).into_owned();
    assert!(a == b, "\n{}\n\n{}", show(a), show(b));
}

fn check(name: &str, data: &[u8], cuts: &[u64], turn: usize) {
    let d = Dir::new();
    let path = d.file(name, data);
    let whole = report(config(), &path);
    assert!(
        serde_json::from_slice::<Value>(&whole).unwrap()["summary"]["exposures"].as_u64() > Some(0),
        "{name}"
    );
    let mut parts = parts(&path, data.len() as u64, cuts);
    let turn = turn % parts.len();
    parts.rotate_left(turn);
    same(&whole, &joined(parts.iter()));
    // In groups, some of which have holes.
    let (left, right): (Vec<_>, Vec<_>) = parts.iter().enumerate().partition(|(n, _)| n % 2 == turn % 2);
    let group = |g: Vec<(usize, &Vec<u8>)>| (!g.is_empty()).then(|| joined(g.into_iter().map(|(_, r)| r)));
    let groups: Vec<Vec<u8>> = [right, left].into_iter().filter_map(group).collect();
    same(&whole, &joined(groups.iter()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn parts_are_the_whole_wherever_they_are_cut(
        cuts in prop::collection::vec(any::<u64>(), 1..7), turn in 0usize..8, near in any::<bool>(),
    ) {
        for (name, data) in [
            ("w3c.log", w3c()),
            ("cri.log", cri()),
            ("docker.log", docker()),
            ("plain.log", plain()),
            ("iis.log", fixture("iis-w3c")),
            ("cri-fixture.log", fixture("cri-partial")),
        ] {
            // Also parts of a few bytes, which own no line or one.
            let cuts: Vec<u64> = if near {
                let at = cuts[0] % data.len() as u64;
                cuts.iter().map(|c| at + c % 64).collect()
            } else {
                cuts.clone()
            };
            check(name, &data, &cuts, turn);
        }
    }
}

#[test]
fn a_last_line_without_an_end_belongs_to_the_part_in_which_it_begins() {
    let data = plain();
    let n = data.len() as u64;
    assert_ne!(data.last(), Some(&b'\n'));
    for cut in [n - 1, n - 10, n - 16] {
        check("plain.log", &data, &[cut], 0);
        check("plain.log", &data, &[n / 2, cut], 1);
    }
}

#[test]
fn lines_of_megabytes_belong_to_the_part_in_which_they_begin() {
    let data = long();
    let n = data.len() as u64;
    check("long.log", &data, &[n / 3, n / 2, n / 2 + 1, n - 5], 1);
    check("long.log", &data, &[150, 1 << 20, (1 << 20) + (64 << 10)], 2);
}

#[test]
fn parts_of_large_files_are_the_whole_that_several_threads_read() {
    // Larger than the pieces that threads take; the header stands behind a byte order mark, and changes once.
    let mut data = w3c();
    let rest = w3c()[3..].to_vec();
    while data.len() < 9 << 20 {
        data.extend(&rest);
    }
    let d = Dir::new();
    let path = d.file("w3c.log", &data);
    let whole = report(config(), &path);
    let one = Config { jobs: 1, ..config() };
    same(&whole, &report(one, &path));
    let parts = parts(&path, data.len() as u64, &[1 << 20, 4 << 20, 5_000_001]);
    same(&whole, &joined(parts.iter().rev()));
}

#[test]
fn every_part_that_is_missing_is_said() {
    let d = Dir::new();
    let data = plain();
    let path = d.file("a.log", &data);
    let all = parts(&path, data.len() as u64, &[500, 1000, 2000]);
    for (without, said) in [(0, "bytes 0 to "), (1, "bytes "), (3, "what follows byte ")] {
        let some = all.iter().enumerate().filter(|(n, _)| *n != without);
        let report: Value = serde_json::from_slice(&joined(some.map(|(_, r)| r))).unwrap();
        let source = &report["sources"][0];
        assert_eq!(
            (&report["summary"]["complete"], &source["status"]),
            (&false.into(), &"partial".into())
        );
        let problem = source["problem"].as_str().unwrap();
        assert!(
            problem.contains("some are missing") && problem.contains(said),
            "{problem}"
        );
    }
}

/// Runs the program on a stream, and gives its report.
fn piped(d: &Dir, input: &[u8], args: &[&str]) -> Vec<u8> {
    let mut run = command(d.path())
        .args([
            "scan",
            "-",
            "--now",
            NOW,
            "--fingerprint-key-file",
            "key",
            "-f",
            "json",
            "--fail-on",
            "never",
        ])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = run.stdin.take().unwrap();
    let input = input.to_vec();
    let feed = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let out = run.wait_with_output().unwrap();
    feed.join().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    out.stdout
}

#[test]
fn a_stream_can_be_a_part() {
    for (name, data, second) in [
        ("w3c.log", w3c(), true),
        ("cri.log", cri(), false),
        ("plain.log", plain(), false),
    ] {
        let d = Dir::new();
        d.file("key", KEY);
        d.file(name, &data);
        d.file("head", &data[..data.len().min(64 << 10)]);
        let args = [
            "scan",
            "--now",
            NOW,
            "--fingerprint-key-file",
            "key",
            "-f",
            "json=whole.json",
            "--fail-on",
            "never",
            name,
        ];
        d.expect(0, &args);
        // The whole under its name, and parts with what stands before and behind them.
        same(
            d.read("whole.json").as_bytes(),
            &piped(&d, &data, &["--source", name]),
        );
        let (a, b) = (data.len() / 3, data.len() * 2 / 3);
        let header = "#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip sc-status";
        for (n, (from, to)) in [(0, a), (a, b), (b, data.len())].into_iter().enumerate() {
            let before = if n == 0 { 0 } else { from.saturating_sub(3000) };
            let (split, offset) = (format!("{from}:{}", to - from), before.to_string());
            let mut args = vec![
                "--source", name, "--offset", &offset, "--split", &split, "--head", "head",
            ];
            if second && n > 0 {
                args.extend(["--header", header]);
            }
            d.file(&format!("parts/{n}.json"), piped(&d, &data[before..], &args));
        }
        d.expect(
            0,
            &["merge", "parts", "-f", "json=joined.json", "--fail-on", "never"],
        );
        let gate = |name: &str| {
            let mut report = d.json(name);
            report["gate"] = Value::Null;
            report
        };
        assert_eq!(gate("joined.json"), gate("whole.json"), "{name}");
        assert!(d.json("whole.json")["summary"]["exposures"].as_u64() > Some(10));
    }
}

#[test]
fn reports_come_as_files_folders_lists_and_streams_packed_and_unpacked() {
    let d = Dir::new();
    d.file("key", KEY);
    let mut list = String::new();
    for n in 0..5 {
        d.file(&format!("{n}.log"), leak(n));
        // Some are whole reports, some only what is needed here.
        let out = format!("{}=parts/{n}.json", ["json", "part"][n % 2]);
        d.file("parts/.keep", "");
        d.expect(
            1,
            &[
                "scan",
                "--now",
                NOW,
                "--fingerprint-key-file",
                "key",
                "-f",
                &out,
                &format!("{n}.log"),
            ],
        );
        list += &format!("parts/{n}.json\n");
    }
    d.file("list", &list);
    let all: Vec<u8> = (0..5)
        .flat_map(|n| d.read(&format!("parts/{n}.json")).into_bytes())
        .collect();
    d.file("all.json", &all);
    d.file("all.json.zst", zstd::encode_all(all.as_slice(), 1).unwrap());
    let merge = |args: &[&str]| d.expect(0, &[&["merge", "-f", "json"], args].concat()).stdout;
    let want = merge(&[
        "parts/4.json",
        "parts/2.json",
        "parts/0.json",
        "parts/1.json",
        "parts/3.json",
    ]);
    assert_eq!(
        serde_json::from_slice::<Value>(&want).unwrap()["summary"]["credentials"],
        5
    );
    for args in [
        &["parts"][..],
        &["-j", "1", "parts"],
        &["--files-from", "list"],
        &["all.json"],
        &["all.json.zst"],
    ] {
        same(&want, &merge(args));
    }
    let mut run = command(d.path())
        .args(["merge", "-f", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    run.stdin.take().unwrap().write_all(&all).unwrap();
    same(&want, &run.wait_with_output().unwrap().stdout);
    // What is neutral: the report of nothing.
    d.file("empty.log", "");
    d.expect(
        0,
        &[
            "scan",
            "--now",
            NOW,
            "--fingerprint-key-file",
            "key",
            "-f",
            "json=empty.json",
            "empty.log",
        ],
    );
    let none: Value = serde_json::from_slice(&merge(&["parts", "empty.json"])).unwrap();
    let want: Value = serde_json::from_slice(&want).unwrap();
    for what in ["findings", "credentials", "state"] {
        assert_eq!(none[what], want[what]);
    }
    // A folder without reports, and reports that cannot be joined.
    d.file("none/a.txt", "");
    assert!(said(&d.expect(2, &["merge", "none"])).contains("no report in"));
    let twice = said(&d.expect(2, &["merge", "parts/1.json", "all.json"]));
    assert!(twice.contains("both hold 1.log"), "{twice}");
}

#[test]
fn what_cannot_be_read_in_parts_is_said() {
    let d = Dir::new();
    let packed = zstd::encode_all(leak(1).as_bytes(), 1).unwrap();
    d.file("a.log.zst", packed);
    d.file("b.log", leak(1));
    let out = said(&d.expect(2, &["scan", "--split", "0:10", "a.log.zst"]));
    assert!(out.contains("cannot be read in parts"), "{out}");
    for args in [
        &["--split", "0:10", "a.log.zst", "b.log"][..],
        &["--split", "0:10", "."],
        &["--split", "x", "b.log"],
        &["--offset", "10", "b.log"],
        &["--source", "x", "b.log"],
        &["--split", "5:10", "-"],
        &["--source", "x", "--offset", "9", "--split", "5:10", "-"],
        &["--source", "x", "--head", "b.log", "-"],
        &["--source", "x", "--offset", "0", "--header", "date time", "-"],
    ] {
        d.expect(2, &[&["scan"], args].concat());
    }
}

#[test]
fn parts_that_overlap_are_refused() {
    let d = Dir::new();
    d.file("key", KEY);
    d.file("a.log", (0..20).map(leak).collect::<String>());
    let part = |split: &str, out: &str| {
        let out = format!("json={out}");
        d.expect(
            0,
            &[
                "scan",
                "--fail-on",
                "never",
                "--fingerprint-key-file",
                "key",
                "--split",
                split,
                "-f",
                &out,
                "a.log",
            ],
        );
    };
    part("0:500", "a.json");
    part("400:600", "b.json");
    part("500:", "c.json");
    d.expect(
        0,
        &[
            "scan",
            "--fail-on",
            "never",
            "--fingerprint-key-file",
            "key",
            "-f",
            "json=all.json",
            "a.log",
        ],
    );
    let refused = said(&d.expect(2, &["merge", "a.json", "b.json"]));
    assert!(refused.contains("both hold bytes"), "{refused}");
    d.expect(2, &["merge", "a.json", "all.json"]);
    d.expect(2, &["merge", "all.json", "c.json"]);
    d.expect(0, &["merge", "c.json", "a.json"]);
    let out = said(&d.expect(2, &["merge", "a.json"]));
    assert!(out.contains("not everything was read whole"), "{out}");
    d.expect(0, &["merge", "--allow-partial", "a.json"]);
}
