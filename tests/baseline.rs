//! The baseline: what it hides, what it does not, and what stands in it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, leak, line, said};

/// A folder whose `old.log` has been accepted into `base.json`.
fn accepted() -> Dir {
    let d = Dir::new();
    d.file(
        "a/access.log",
        leak(1)
            + &line(
                "/arcgis/rest/services/A/MapServer?token=q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4c",
            ),
    );
    let args = [
        "scan",
        "--now",
        NOW,
        "--write-baseline",
        "base.json",
        "--baseline-reason",
        "legacy login",
        "--baseline-author",
        "jo",
        "a",
    ];
    d.expect(0, &args);
    d
}

const GATE: [&str; 5] = ["scan", "--now", NOW, "--baseline", "base.json"];

#[test]
fn an_entry_says_what_why_who_and_when() {
    let d = accepted();
    insta::assert_snapshot!(d.read("base.json"));
}

#[cfg(unix)]
#[test]
fn it_is_for_its_owner_only_and_written_whole() {
    use std::os::unix::fs::PermissionsExt;
    let d = accepted();
    let mode = std::fs::metadata(d.path().join("base.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let left: Vec<_> = std::fs::read_dir(d.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_known_leak_passes_rotated_reordered_and_with_new_values() {
    let d = accepted();
    let lines = line(
        "/arcgis/rest/services/A/MapServer/3/query?f=json&token=ZZZt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4d",
    ) + "\n\n"
        + &leak(77)
        + &leak(78);
    d.file("b/access.log.2", lines);
    d.expect(0, &[&GATE[..], &["b"]].concat());
    let report = d.scan(&["--baseline", "base.json", "b"]);
    assert_eq!(
        (&report["summary"]["suppressed"], &report["gate"]["failing"]),
        (&2.into(), &0.into())
    );
    for f in report["findings"].as_array().unwrap() {
        assert_eq!(f["baseline"], "known");
        assert_eq!(f["suppressed"]["reason"], "legacy login");
    }
    let stream = d.run(&[
        "scan",
        "--now",
        NOW,
        "--baseline",
        "base.json",
        "-f",
        "ndjson",
        "b",
    ]);
    let stream = said(&stream);
    assert!(
        stream.matches("\"baseline\":\"known\"").count() == 3 && !stream.contains("\"baseline\":\"new\""),
        "{stream}"
    );
}

#[test]
fn another_route_host_name_or_site_is_new() {
    let d = accepted();
    for (name, content) in [
        ("access.log", line("/signin?user=jo&password=Zq81kfUwe_1")),
        ("access.log", line("/login?user=jo&pwd=Zq81kfUwe_1")),
        ("other-site.log", leak(1)),
        (
            "access.log",
            line("https://elsewhere.example.net/login?user=jo&password=Zq81kfUwe_1"),
        ),
    ] {
        d.file(&format!("c/{name}"), &content);
        d.expect(1, &[&GATE[..], &[&format!("c/{name}")]].concat());
        std::fs::remove_dir_all(d.path().join("c")).unwrap();
    }
}

/// Changes the baseline's text.
fn edit(d: &Dir, from: &str, to: &str) {
    let text = d.read("base.json");
    assert!(text.contains(from), "{text}");
    d.file("base.json", text.replace(from, to));
}

#[test]
fn what_became_worse_fails() {
    let d = accepted();
    edit(&d, "\"severity\": \"high\"", "\"severity\": \"low\"");
    d.expect(1, &[&GATE[..], &["a"]].concat());
    let report = d.scan(&["--baseline", "base.json", "a"]);
    assert!(
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f["baseline"] == "worsened")
    );
    let table = said(&d.run(&[&GATE[..], &["a"]].concat()));
    assert!(table.contains("worse than was accepted"), "{table}");
    let stream = said(&d.run(&[&GATE[..], &["-f", "ndjson", "a"]].concat()));
    assert!(stream.contains("\"baseline\":\"worsened\""));
    // Accepted anew: the severity is raised, the reason stays.
    d.expect(
        0,
        &[
            &GATE[..],
            &["--write-baseline", "base.json", "--baseline-author", "ann", "a"],
        ]
        .concat(),
    );
    let base = d.json("base.json");
    for e in base["entries"].as_array().unwrap() {
        assert_eq!(
            (e["severity"].as_str(), e["reason"].as_str(), e["author"].as_str()),
            (Some("high"), Some("legacy login"), Some("ann"))
        );
    }
    d.expect(0, &[&GATE[..], &["a"]].concat());
}

#[test]
fn expired_entries_hide_nothing_and_unused_ones_are_said() {
    let d = accepted();
    edit(&d, "\"date\"", "\"expires\": \"2026-11-20\", \"date\"");
    let out = d.expect(1, &[&GATE[..], &["a"]].concat());
    assert!(
        said(&out).contains("warning: base.json: the entry"),
        "{}",
        said(&out)
    );
    // Writing a baseline renews nothing that has expired.
    d.expect(1, &[&GATE[..], &["--write-baseline", "base.json", "a"]].concat());
    assert!(d.read("base.json").contains("2026-11-20"));
    edit(&d, "2026-11-20", "2026-11-21");
    d.expect(0, &[&GATE[..], &["a"]].concat());
    d.file("clean.log", line("/a?page=2"));
    let out = d.expect(0, &[&GATE[..], &["clean.log"]].concat());
    assert!(
        said(&out).contains("is unused, nothing like it was found"),
        "{}",
        said(&out)
    );
    // What is gone leaves the next baseline, but not where something could not be read.
    d.expect(
        2,
        &[
            &GATE[..],
            &["--write-baseline", "next.json", "clean.log", "none.log"],
        ]
        .concat(),
    );
    assert_eq!(d.json("next.json")["entries"].as_array().unwrap().len(), 2);
    d.expect(
        0,
        &[&GATE[..], &["--write-baseline", "next.json", "clean.log"]].concat(),
    );
    assert_eq!(d.json("next.json")["entries"].as_array().unwrap().len(), 0);
}

#[test]
fn it_holds_no_credential_and_no_fingerprint() {
    let d = accepted();
    let base = d.read("base.json");
    assert!(!base.contains("Zq81kfUwe") && !base.contains("q9Zt"));
    d.file("key", "0123456789abcdef0123456789abcdef");
    let report = d.scan(&["--fingerprint-key-file", "key", "a"]);
    d.expect(
        0,
        &[
            "scan",
            "--now",
            NOW,
            "--fingerprint-key-file",
            "key",
            "--write-baseline",
            "keyed.json",
            "a",
        ],
    );
    for f in report["findings"].as_array().unwrap() {
        let fingerprint = f["evidence"][0]["credential"]["fingerprint"].as_str().unwrap();
        assert!(!d.read("keyed.json").contains(fingerprint));
    }
}

#[test]
fn hiding_findings_keeps_nothing_out_of_the_baseline() {
    let d = accepted();
    d.expect(
        0,
        &[
            "scan",
            "--now",
            NOW,
            "--min-severity",
            "critical",
            "--write-baseline",
            "other.json",
            "a",
        ],
    );
    assert_eq!(d.json("other.json")["entries"].as_array().unwrap().len(), 2);
}

#[test]
fn joined_reports_are_judged_by_the_baseline_of_the_join() {
    let d = accepted();
    d.file("key", "0123456789abcdef0123456789abcdef");
    d.file("b/access.log", line("/signin?user=jo&password=Zq81kfUwe_1"));
    for (dir, out) in [("a", "json=a.json"), ("b", "json=b.json")] {
        d.run(&[&GATE[..], &["--fingerprint-key-file", "key", "-f", out, dir]].concat());
    }
    let out = d.expect(
        1,
        &[
            "merge",
            "--fail-on",
            "medium",
            "--baseline",
            "base.json",
            "a.json",
            "b.json",
        ],
    );
    assert!(!said(&out).contains("unused"), "{}", said(&out));
    d.file("b/access.log", leak(3));
    d.run(
        &[
            &GATE[..],
            &["--fingerprint-key-file", "key", "-f", "json=b.json", "b"],
        ]
        .concat(),
    );
    d.expect(
        0,
        &[
            "merge",
            "--fail-on",
            "medium",
            "--baseline",
            "base.json",
            "a.json",
            "b.json",
        ],
    );
}

#[test]
fn a_broken_baseline_is_an_error_that_says_what_to_do() {
    let d = accepted();
    d.file(
        "broken.json",
        "{\"baseline_version\": 1, \"entries\": [{\"id\": 7}]}",
    );
    for (file, want) in [
        ("broken.json", "is no baseline"),
        ("none.json", "cannot read the baseline"),
    ] {
        let out = d.expect(2, &["scan", "--baseline", file, "a"]);
        assert!(
            said(&out).contains(want) && said(&out).contains("--write-baseline"),
            "{}",
            said(&out)
        );
    }
}

#[test]
fn a_narrowed_scan_neither_drops_entries_nor_calls_them_unused() {
    let d = accepted();
    d.file("key", "0123456789abcdef0123456789abcdef");
    let narrowed = [
        &["--only", "arcgis"][..],
        &["--skip", "passwords"],
        &["--since", "2026-06-01"],
        &["--until", "2025-06-01"],
        &["--min-confidence", "certain"],
        &["--exclude", "*.log"],
        &["--include", "*.txt"],
    ];
    for args in narrowed {
        let write = ["--write-baseline", "next.json"];
        let out = d.expect(0, &[&GATE[..], &write, args, &["a"]].concat());
        assert!(!said(&out).contains("unused"), "{args:?}: {}", said(&out));
        assert_eq!(
            d.json("next.json")["entries"],
            d.json("base.json")["entries"],
            "{args:?}"
        );
    }
    // What a scan of all rules would have found is gone.
    d.file("a/access.log", line("/a"));
    let write = ["--write-baseline", "next.json", "--only", "passwords"];
    let out = d.expect(0, &[&GATE[..], &write, &["a"]].concat());
    let left = d.json("next.json")["entries"].as_array().unwrap().clone();
    assert_eq!((left.len(), &left[0]["rule"]), (1, &"arcgis-token".into()));
    assert_eq!(said(&out).matches("is unused").count(), 1, "{}", said(&out));
    // A joined report knows what its parts were asked for.
    let keyed = ["--fingerprint-key-file", "key", "--since", "2026-06-01"];
    d.run(&[&GATE[..], &keyed, &["-f", "json=a.json", "a"]].concat());
    let merge = [
        "merge",
        "--baseline",
        "base.json",
        "--write-baseline",
        "next.json",
        "a.json",
    ];
    let out = d.expect(0, &merge);
    assert!(!said(&out).contains("unused"), "{}", said(&out));
    assert_eq!(d.json("next.json")["entries"].as_array().unwrap().len(), 2);
}

#[test]
fn the_first_baseline_is_written_where_the_settings_look_for_it() {
    let d = Dir::new();
    d.file("access.log", leak(1));
    d.file("plainsight.toml", "baseline = \"base.json\"\n");
    let out = d.expect(2, &["scan", "access.log"]);
    assert_eq!(said(&out).matches("os error").count(), 1, "{}", said(&out));
    // Another file does not make up for it.
    d.expect(2, &["scan", "--write-baseline", "other.json", "access.log"]);
    for _ in 0..2 {
        d.expect(0, &["scan", "--write-baseline", "./base.json", "access.log"]);
        assert_eq!(d.json("base.json")["entries"].as_array().unwrap().len(), 1);
    }
    d.expect(0, &["scan", "access.log"]);
    let out = d.expect(
        2,
        &[
            "scan",
            "--write-baseline",
            "base.json",
            "--baseline-reason",
            " ",
            "access.log",
        ],
    );
    assert!(
        said(&out).contains("--baseline-reason is empty"),
        "{}",
        said(&out)
    );
}

#[test]
fn an_entry_is_named_by_its_own_id() {
    let d = accepted();
    let ids: Vec<String> = d.json("base.json")["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["id"].as_str().unwrap().to_string())
        .collect();
    d.file("clean.log", line("/a"));
    let text = said(&d.expect(0, &[&GATE[..], &["clean.log"]].concat()));
    for id in ids {
        assert!(text.contains(&format!("the entry {id} (")), "{text}");
    }
}
