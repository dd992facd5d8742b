//! What reading alone takes, and what two threads gain: `cargo bench --bench floor -- FOLDER [RUNS]`.
//!
//! Reads the files of a folder as a scan does, in blocks of 128 KiB into one buffer for each thread, and does a little
//! more with each block from row to row; the last row is the program itself, as a process. The rows take turns, so
//! that a busy moment of the machine meets all of them. Medians are told.

#![allow(clippy::print_stdout, clippy::print_stderr)] // its results

use plainsight::detect::prefilter::Prefilter;
use plainsight::scan::Config;
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What is done with a block; gives a number that depends on all of it.
type Work<'w> = dyn Fn(&[u8]) -> usize + Sync + 'w;

const BLOCK: usize = 128 << 10;

/// Visits every `=`: what stands before and after it.
fn equals(block: &[u8]) -> usize {
    let around = |at: usize| {
        block.get(at.wrapping_sub(3)).copied().unwrap_or(0) ^ block.get(at + 1).copied().unwrap_or(0)
    };
    memchr::memchr_iter(b'=', block)
        .map(|at| usize::from(around(at)))
        .sum()
}

fn newlines(block: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', block).count()
}

/// Reads all files on so many threads.
fn read(files: &[PathBuf], threads: usize, work: &Work) -> Duration {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut buffer = vec![0; BLOCK];
                while let Some(path) = files.get(next.fetch_add(1, Relaxed)) {
                    let Ok(mut file) = File::open(path) else { continue };
                    while let Ok(n @ 1..) = file.read(&mut buffer) {
                        std::hint::black_box(work(&buffer[..n]));
                    }
                }
            });
        }
    });
    begun.elapsed()
}

fn scan(folder: &Path, threads: usize) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args([
            "scan",
            "--no-config",
            "--quiet",
            "--format",
            "json=/dev/null",
            "-j",
            &threads.to_string(),
        ])
        .arg(folder)
        .stdout(Stdio::null())
        .status()?;
    Ok(begun.elapsed())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let Some(folder) = args.next().map(PathBuf::from) else {
        eprintln!(
            "cargo bench --bench floor -- FOLDER [RUNS]: FOLDER has the logs, as compare.sh makes them"
        );
        return Ok(());
    };
    let runs: usize = args.next().map_or(Ok(5), |n| n.parse())?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)?.flatten().map(|e| e.path()).collect();
    files.sort();
    let config = Config::new()?;
    let prefilter = Prefilter::new(&config.rules, &config.formats.triggers());
    let candidates = |block: &[u8]| {
        let mut found = Vec::new();
        prefilter.candidates(block, &mut found) + found.len()
    };
    let rows: [(&str, Option<&Work>); 5] = [
        ("reading", Some(&|block: &[u8]| block.len())),
        ("and newlines counted", Some(&newlines)),
        (
            "and every `=` visited",
            Some(&|block: &[u8]| newlines(block) + equals(block)),
        ),
        ("reading, and the prefilter's pass", Some(&candidates)),
        ("plainsight", None),
    ];
    let mut times = vec![[Vec::new(), Vec::new()]; rows.len()];
    for _ in 0..=runs {
        for ((_, work), times) in rows.iter().zip(&mut times) {
            for (threads, times) in [1, 2].into_iter().zip(times) {
                times.push(match work {
                    Some(work) => read(&files, threads, work),
                    None => scan(&folder, threads)?,
                });
            }
        }
    }
    println!("| work | one thread | two | gain |\n| --- | ---: | ---: | ---: |");
    for ((name, _), times) in rows.iter().zip(times) {
        // The first run warms the page cache.
        let [one, two] = times.map(|mut all| {
            let counted = &mut all[1..];
            counted.sort();
            counted[counted.len() / 2].as_secs_f64()
        });
        println!("| {name} | {one:.2} s | {two:.2} s | {:.2} |", one / two);
    }
    Ok(())
}
