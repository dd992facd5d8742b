//! Scale that hurts: `cargo test --release --test big -- --ignored --nocapture --test-threads 1`. Each says how long it took and
//! how much memory it held; memory is bounded by constants, so each has a bound. Some write gigabytes to the temporary
//! folder.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // a test says what is wrong by panicking, and what it took

mod common;

use common::{Dir, NOW, command, leak, line};
use serde_json::Value;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::process::Stdio;
use std::time::Instant;

/// Scans, and says what it took; fails over `most` MiB.
fn scan(what: &str, d: &Dir, args: &[&str], most: u64) -> Value {
    let start = Instant::now();
    let mut child = command(d.path())
        .args([
            "scan",
            "--now",
            NOW,
            "--fail-on",
            "never",
            "-f",
            "json=report.json",
        ])
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        let said = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = said.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        peak = peak.max(line.map_or(0, |l| l.trim().trim_end_matches(" kB").parse().unwrap()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    println!(
        "{what}: {:.1} s, {} MiB at most, exit {:?}",
        start.elapsed().as_secs_f64(),
        peak >> 10,
        status.code()
    );
    assert_eq!(status.code(), Some(0), "{what}");
    assert!(peak >> 10 <= most, "{what}: {} MiB", peak >> 10);
    d.json("report.json")
}

#[test]
#[ignore = "a file of 5 GiB"]
fn a_file_over_4_gib_and_a_line_as_long() {
    let d = Dir::new();
    let mut file = std::fs::File::create(d.path().join("a.log")).unwrap();
    file.write_all(leak(1).as_bytes()).unwrap();
    file.seek(SeekFrom::Start(5 << 30)).unwrap();
    file.write_all(format!("\n{}", leak(2)).as_bytes()).unwrap();
    drop(file);
    let report = scan("file of 5 GiB, one line of it", &d, &["a.log"], 200);
    let evidence = report["findings"][0]["evidence"].as_array().unwrap();
    assert_eq!(
        (&evidence[0]["line"], &evidence[1]["line"]),
        (&1.into(), &3.into())
    );
    assert!(evidence[1]["offset"].as_u64().unwrap() > 5 << 30);
}

#[test]
#[ignore = "a line of 1 GiB"]
fn a_line_of_1_gib_of_credentials() {
    let d = Dir::new();
    let mut file = BufWriter::new(std::fs::File::create(d.path().join("a.log")).unwrap());
    write!(file, "GET /x?").unwrap();
    let n = (1u64 << 30) / 37;
    for k in 0..n {
        write!(file, "token=q9Zt7LmK2vX8bN4cR6yW{k:010}&").unwrap();
    }
    writeln!(file, " HTTP/1.1").unwrap();
    drop(file);
    let report = scan("line of 1 GiB", &d, &["a.log"], 600);
    let found = report["summary"]["exposures"].as_u64().unwrap();
    assert!(found > n - n / 1000 && found < n + n / 1000, "{found} of {n}");
}

#[test]
#[ignore = "a million files"]
fn a_million_files() {
    let d = Dir::new();
    for k in 0..1_000_000 {
        let folder = d.path().join(format!("in/{}", k / 1000));
        if k % 1000 == 0 {
            std::fs::create_dir_all(&folder).unwrap();
        }
        std::fs::write(folder.join(format!("{k}.log")), leak(k)).unwrap();
    }
    let report = scan("1,000,000 files", &d, &["in"], 3000);
    assert_eq!(report["summary"]["sources"], 1_000_000);
    assert_eq!(report["summary"]["exposures"], 1_000_000);
}

#[test]
#[ignore = "a million findings"]
fn a_million_distinct_findings() {
    let d = Dir::new();
    let mut file = BufWriter::new(std::fs::File::create(d.path().join("a.log")).unwrap());
    let names = [
        "token",
        "password",
        "access_token",
        "api_key",
        "secret",
        "session_id",
        "sig",
        "code",
    ];
    for k in 0..1_000_000usize {
        let mut word = String::new();
        let mut n = k;
        for _ in 0..5 {
            word.push((b'g' + (n % 16) as u8) as char);
            n /= 16;
        }
        let name = names[k % names.len()];
        let text = line(&format!(
            "https://{word}.example/{word}/x?user=jo&{name}=q9Zt7LmK2vX8bN4cR6yW{k:08}"
        ));
        file.write_all(text.as_bytes()).unwrap();
    }
    drop(file);
    let report = scan("1,000,000 distinct findings", &d, &["a.log"], 3000);
    assert!(
        report["summary"]["exposures"].as_u64().unwrap() >= 600_000,
        "{}",
        report["summary"]
    );
}

#[test]
#[ignore = "100 million exposures"]
fn a_hundred_million_exposures() {
    let d = Dir::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for k in 0..1_000_000 {
        packed.write_all(leak(k).as_bytes()).unwrap();
    }
    let member = packed.finish().unwrap();
    let mut file = std::fs::File::create(d.path().join("a.log.gz")).unwrap();
    for _ in 0..100 {
        file.write_all(&member).unwrap();
    }
    drop(file);
    let report = scan("100,000,000 exposures", &d, &["a.log.gz"], 600);
    assert_eq!(report["summary"]["exposures"], 100_000_000);
    let credentials = report["summary"]["credentials"].as_u64().unwrap();
    assert!((950_000..1_050_000).contains(&credentials), "{credentials}");
}
