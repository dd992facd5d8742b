//! What a run writes: over which files it never does, how it marks what has been accepted, and that it says what it
//! was told to leave out.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, leak, line, said};

const TOKEN: &str = "token=q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4c";

/// Runs what has to be refused before anything is read or written.
fn refused(d: &Dir, args: &[&str], wants: &[&str]) {
    let before = d.read("logs/leak.log");
    let out = d.expect(2, args);
    assert!(out.stdout.is_empty(), "{args:?}");
    for want in wants {
        assert!(said(&out).contains(want), "{args:?}: {}", said(&out));
    }
    assert_eq!(d.read("logs/leak.log"), before, "{args:?}");
}

#[test]
fn no_output_overwrites_an_input() {
    let d = Dir::new();
    d.file("logs/leak.log", leak(1));
    let named = "would overwrite the input";
    for args in [
        &["scan", "-f", "json=logs/leak.log", "logs/leak.log"][..],
        &["scan", "-f", "json=logs/../logs/leak.log", "logs/leak.log"],
        &["scan", "--write-baseline", "./logs/leak.log", "logs/leak.log"],
        &[
            "redact",
            "--summary",
            "logs/leak.log",
            "-o",
            "clean.log",
            "logs/leak.log",
        ],
        &["merge", "-f", "json=logs/leak.log", "logs/leak.log"],
        &[
            "diff",
            "-f",
            "json=logs/leak.log",
            "logs/leak.log",
            "logs/leak.log",
        ],
    ] {
        refused(&d, args, &[named, "leak.log"]);
    }
    #[cfg(unix)]
    {
        std::fs::hard_link(d.path().join("logs/leak.log"), d.path().join("hard")).unwrap();
        std::os::unix::fs::symlink("logs/leak.log", d.path().join("soft")).unwrap();
        refused(&d, &["scan", "-f", "json=hard", "logs/leak.log"], &[named]);
        refused(&d, &["scan", "-f", "json=soft", "logs/leak.log"], &[named]);
        std::fs::remove_file(d.path().join("hard")).unwrap();
    }
    // In a folder that is read it may lie, if it is an output of before or new.
    refused(
        &d,
        &["scan", "-f", "json=logs/leak.log", "logs"],
        &["did not write"],
    );
    for format in [
        "json",
        "table",
        "html",
        "csv",
        "junit",
        "sarif",
        "openmetrics",
        "github",
        "ndjson",
    ] {
        let out = format!("{format}=logs/out");
        for _ in 0..2 {
            d.expect(1, &["scan", "--now", NOW, "-f", &out, "logs"]);
        }
    }
}

#[test]
fn outputs_are_told_apart_by_what_they_are_and_not_by_how_they_are_spelled() {
    let d = Dir::new();
    d.file("logs/leak.log", leak(1));
    d.file("key", "0123456789abcdef0123456789abcdef");
    d.file("base.json", "{\"baseline_version\":1,\"entries\":[]}");
    d.file("plainsight.toml", "");
    let scan = |args: &[&str], wants: &[&str]| {
        refused(&d, &[&["scan"], args, &["logs/leak.log"]].concat(), wants);
    };
    scan(
        &["-f", "json=out", "-f", "html=./out"],
        &["-f json=out", "-f html=./out", "the same file"],
    );
    scan(
        &["-f", "json=out", "--write-baseline", "logs/../out"],
        &["-f json=out", "--write-baseline logs/../out"],
    );
    scan(
        &["-f", "json=./base.json", "--baseline", "base.json"],
        &["-f json=./base.json", "--baseline base.json"],
    );
    scan(
        &["--write-baseline", "./key", "--fingerprint-key-file", "key"],
        &["--write-baseline ./key", "--fingerprint-key-file key"],
    );
    scan(&["-f", "csv=plainsight.toml"], &["plainsight.toml"]);
    scan(&["-f", "csv=logs"], &["it is a folder"]);
    refused(
        &d,
        &["diff", "-f", "json=x", "-f", "table=./x", "key", "key"],
        &["the same file"],
    );
    d.expect(
        0,
        &[
            "scan",
            "--baseline",
            "base.json",
            "--write-baseline",
            "./base.json",
            "logs/leak.log",
        ],
    );
}

#[test]
fn a_folder_of_parts_may_hold_the_whole() {
    let d = Dir::new();
    d.file("leak.log", leak(1));
    std::fs::create_dir(d.path().join("parts")).unwrap();
    d.expect(1, &["scan", "--now", NOW, "-f", "json=parts/a.json", "leak.log"]);
    for _ in 0..2 {
        d.expect(0, &["merge", "-f", "json=parts/whole.json", "parts"]);
    }
}

#[test]
fn what_has_been_accepted_does_not_look_like_a_failure() {
    let d = Dir::new();
    d.file(
        "access.log",
        leak(1) + &line(&format!("/arcgis/rest/services/A/MapServer?{TOKEN}")),
    );
    d.file(
        "plainsight.toml",
        "[[allow]]\nrule = \"password-with-user\"\nreason = \"=a *test* account\"\nexpires = 2027-01-01\n",
    );
    let of = |format: &str| {
        let out = d.expect(1, &["scan", "--now", NOW, "-f", format, "access.log"]);
        String::from_utf8(out.stdout).unwrap()
    };
    for format in ["github", "codequality"] {
        let text = of(format);
        assert!(
            text.contains("ArcGIS token") && !text.contains("User name and password"),
            "{text}"
        );
    }
    let sarif: serde_json::Value = serde_json::from_str(&of("sarif")).unwrap();
    for result in sarif["runs"][0]["results"].as_array().unwrap() {
        let accepted = result["ruleId"] == "password-with-user";
        let all = result["suppressions"].as_array();
        assert_eq!(all.is_some(), accepted);
        if let Some(all) = all {
            assert_eq!(
                all[0].to_string(),
                r#"{"justification":"allow: =a *test* account","kind":"external","status":"accepted"}"#
            );
        }
        assert_eq!(result["baselineState"], "new");
    }
    let csv = of("csv");
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].ends_with(",id,suppressed"), "{csv}");
    for row in &rows[1..] {
        let accepted = row.contains("password-with-user");
        assert_eq!(row.ends_with(",allow: =a *test* account"), accepted, "{row}");
    }
    let markdown = of("markdown");
    assert!(
        markdown.contains("| high (accepted) | User name")
            && markdown.contains("accepted (allow): =a \\*test\\* account")
            && !markdown.contains("Change the password"),
        "{markdown}"
    );
}

#[test]
fn a_selection_is_named_and_adds_up() {
    let d = Dir::new();
    d.file("a.log", leak(1));
    d.file(
        "b.log",
        leak(2) + &line(&format!("/arcgis/rest/services/A/MapServer?{TOKEN}")),
    );
    d.file("key", "0123456789abcdef0123456789abcdef");
    let chosen = [
        "--fingerprint-key-file",
        "key",
        "--skip",
        "arcgis",
        "--since",
        "2025-01-01",
    ];
    let whole = d.scan(&[&chosen[..], &["a.log", "b.log"]].concat());
    assert_eq!(
        whole["selection"].to_string(),
        r#"{"since":"2025-01-01T00:00:00Z","skip":["arcgis"]}"#
    );
    for (kind, names) in [("json", ["a.json", "b.json"]), ("part", ["a.part", "b.part"])] {
        for (log, name) in ["a.log", "b.log"].iter().zip(names) {
            let out = format!("{kind}={name}");
            d.run(&[&["scan", "--now", NOW, "-f", &out], &chosen[..], &[log]].concat());
        }
        let merge = ["merge", "--fail-on", "medium", "--skip", "arcgis", "-f", "json"];
        let out = d.expect(1, &[&merge[..], &names].concat());
        let merged: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(merged, whole, "{kind}");
    }
    for format in ["table", "html", "markdown", "github", "junit", "sarif"] {
        let out = d.run(&[&["scan", "--now", NOW, "-f", format], &chosen[..], &["a.log"]].concat());
        let text = said(&out);
        assert!(text.contains("not the rules arcgis"), "{format}: {text}");
    }
    assert!(d.scan(&["a.log"])["selection"].is_null());
}

#[test]
fn the_code_quality_report_of_what_could_not_be_read_is_not_empty() {
    let d = Dir::new();
    d.file("clean.log", line("/a"));
    let of = |args: &[&str]| -> Vec<serde_json::Value> {
        let out = d.run(&[&["scan", "-f", "codequality"], args].concat());
        serde_json::from_slice(&out.stdout).unwrap()
    };
    assert!(of(&["clean.log"]).is_empty());
    let issues = of(&["clean.log", "none.log", "other.log"]);
    assert_eq!(issues.len(), 2);
    assert_eq!(issues[0]["location"]["path"], "none.log");
    assert_eq!(issues[0]["check_name"], "plainsight-not-read-whole");
    assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"]);
}
