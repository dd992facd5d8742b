//! What each stage of a scan costs, by bytes: `cargo bench --bench stages`. The whole is measured by `compare.sh`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use plainsight::detect::Detector;
use plainsight::detect::prefilter::Prefilter;
use plainsight::format::LineReader;
use plainsight::scan::{Config, Progress, Scan};
use plainsight::text::{Base, Text};
use std::fmt::Write as _;
use std::io::{Read, Write};

fn main() {
    divan::main();
}

/// Lines of a map service's log; of every `leaks`-th the token is in the query.
fn log(lines: usize, leaks: usize) -> Vec<u8> {
    let mut out = String::new();
    for n in 0..lines {
        let _ = write!(
            out,
            "192.0.2.{} - - [01/Jan/2026:00:00:{:02} +0000] \"GET /arcgis/rest/services/Roads/{}/MapServer/export?bbox=-1{n}.5%2C4{n}.25\
             &size=1024%2C768&f=image&where=NAME%20LIKE%20%27A%25%27",
            n % 250,
            n % 60,
            n % 40
        );
        if n % leaks == 0 {
            let _ = write!(out, "&token=Kc3nR8vX{n:08}qLw5tZs0PyEuB7mHd2Fj9Ga4Qk");
        }
        out.push_str(" HTTP/1.1\" 200 4096 \"https://maps.example.org/viewer?page=3\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\"\n");
    }
    out.into_bytes()
}

fn config() -> Config {
    Config::new().unwrap_or_else(|e| unreachable!("the rules that are built in are sound: {e}"))
}

/// The pass that looks at every byte.
#[divan::bench(args = [1, 10, 1_000])]
fn prefilter(bencher: Bencher, leaks: usize) {
    let config = config();
    let prefilter = Prefilter::new(&config.rules, &config.formats.triggers());
    let log = log(4_000, leaks);
    let mut found = Vec::new();
    bencher.counter(BytesCount::new(log.len())).bench_local(|| {
        found.clear();
        prefilter.candidates(black_box(&log), &mut found)
    });
}

/// Lines taken apart into columns.
#[divan::bench]
fn columns(bencher: Bencher) {
    let config = config();
    let log = log(1_000, 1);
    let mut reader = LineReader::new(&config.formats, false);
    bencher.counter(BytesCount::new(log.len())).bench_local(|| {
        let mut carriers = 0;
        for line in log.split(|b| *b == b'\n') {
            let base = Base::Source { offset: 0 };
            reader.read(Text::new(line, &base), &mut |record| {
                carriers += record.carriers.len()
            });
        }
        carriers
    });
}

/// Lines taken apart, and their URLs walked and offered to the rules.
#[divan::bench]
fn detection(bencher: Bencher) {
    let config = config();
    let log = log(1_000, 1);
    let mut reader = LineReader::new(&config.formats, false);
    let mut detector = Detector::new(&config.rules, &config.key, &config.clock, &config.parties);
    let (mut exposures, mut masks) = (Vec::new(), Vec::new());
    bencher.counter(BytesCount::new(log.len())).bench_local(|| {
        for line in log.split(|b| *b == b'\n') {
            let base = Base::Source { offset: 0 };
            reader.read(Text::new(line, &base), &mut |record| {
                exposures.clear();
                masks.clear();
                let surface = config.formats.get(record.format).spec.surface;
                detector.scan(record, line, surface, &mut exposures, &mut masks);
            });
        }
        exposures.len()
    });
}

/// All of it, on one thread, from a file to the report.
#[divan::bench(args = [1, 1_000])]
fn scan(bencher: Bencher, leaks: usize) {
    let folder = tempfile::tempdir().unwrap_or_else(|e| unreachable!("no folder for the log: {e}"));
    let path = folder.path().join("access.log");
    let log = log(20_000, leaks);
    std::fs::write(&path, &log).unwrap_or_else(|e| unreachable!("the log cannot be written: {e}"));
    let scan = Scan::new(Config { jobs: 1, ..config() });
    bencher.counter(BytesCount::new(log.len())).bench_local(|| {
        scan.run(std::slice::from_ref(&path), None, &Progress::default())
            .summary
            .exposures
    });
}

/// What unpacking costs before anything is read.
#[divan::bench]
fn inflate(bencher: Bencher) {
    let log = log(20_000, 1_000);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let packed = packed
        .write_all(&log)
        .and_then(|()| packed.finish())
        .unwrap_or_else(|e| unreachable!("memory does not fail: {e}"));
    let mut plain = Vec::with_capacity(log.len());
    bencher.counter(BytesCount::new(log.len())).bench_local(|| {
        plain.clear();
        flate2::read::MultiGzDecoder::new(&packed[..])
            .read_to_end(&mut plain)
            .is_ok()
    });
}
