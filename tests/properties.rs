//! What must hold for any bytes: the bodies of the fuzz targets (`tests/bodies`), on what the fixtures hold, on pieces of
//! it put together otherwise, and on what once broke them (`fixtures/fuzz`).

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod bodies;

use bodies::seeds;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Changes an input: each edit takes bytes out and puts others in, made up, from a list or from elsewhere in it.
fn edits() -> impl Strategy<Value = Vec<(u16, u8, Vec<u8>)>> {
    let words: Vec<&[u8]> = vec![
        b"\n",
        b"\r\n",
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"=",
        b"&",
        b"?",
        b"%",
        b"%25",
        b"%3D",
        b"%00",
        b" ",
        b"token=",
        b"password=q9Zt7LmK2vX8bN4cR6yW",
        b"https://a@b:c@d/",
        b"\\u0000",
        b"\\ud800",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\0",
        b"#Fields: ",
        b"<",
        b">",
        b"<plist>",
        b"eyJ",
        b"0",
        b"-1",
        b"9223372036854775807",
        b"1e999",
        b"null",
        b"\xf0\x9f\x98\x80",
        b"\xe2\x80\xae",
        b"\x1b[31m",
        b"::error::",
        b"PLAINSIGHT-",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(words).prop_map(<[u8]>::to_vec),
        2 => prop::collection::vec(any::<u8>(), 0..4),
        1 => (prop::sample::select(vec![b"{\"a\":".as_slice(), b"[", b"(", b"%25", b"?", b"&a=", b"<dict>"]), 1usize..300)
            .prop_map(|(w, n)| w.repeat(n)),
    ];
    prop::collection::vec((any::<u16>(), 0u8..9, piece), 0..6)
}

fn apply(seed: &[u8], edits: &[(u16, u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = seed.to_vec();
    for (at, cut, put) in edits {
        let at = usize::from(*at) % (out.len() + 1);
        let end = (at + usize::from(*cut)).min(out.len());
        out.splice(at..end, put.iter().copied());
    }
    out
}

/// Runs a body on its seeds, on inputs that once broke it, and on `cases` changed ones.
fn holds(body: &str, cases: u32) {
    for input in seeds::regressions(body) {
        bodies::run(body, &input);
    }
    let seeds = seeds::of(body);
    assert!(!seeds.is_empty(), "{body} has nothing to begin from");
    for seed in seeds
        .iter()
        .step_by(if cases < 100 { seeds.len().div_ceil(40) } else { 1 })
    {
        bodies::run(body, seed);
    }
    bodies::run(body, b"");
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = (0..seeds.len(), edits());
    let result = runner.run(&strategy, |(n, edits)| {
        bodies::run(body, &apply(&seeds[n], &edits));
        Ok(())
    });
    if let Err(e) = result {
        panic!("{body}: {e}");
    }
}

macro_rules! bodies_hold {
    ($($name:ident: $cases:expr,)*) => {
        $(#[test] fn $name() { holds(stringify!($name), $cases); })*

        #[test]
        fn every_body_is_run_and_has_a_fuzz_target() {
            let mut run = vec![$(stringify!($name)),*];
            let mut all: Vec<&str> = bodies::ALL.iter().map(|(name, _)| *name).collect();
            run.sort_unstable();
            all.sort_unstable();
            assert_eq!(run, all);
            let fuzz = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml")).unwrap();
            for name in all {
                assert!(fuzz.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml has no target {name}");
            }
        }
    };
}

bodies_hold! {
    runs: 100,
    template: 200,
    lines: 200,
    w3c: 200,
    json_lines: 200,
    coding: 400,
    url: 400,
    prefilter: 200,
    har: 100,
    bookmarks: 200,
    mozlz4: 100,
    plist: 200,
    sqlite: 60,
    rules: 60,
    archive: 60,
    redact: 60,
    reports: 60,
    read_back: 60,
}
