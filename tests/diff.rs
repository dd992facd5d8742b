//! `plainsight diff` from outside: what is new, gone and still there, and what of it fails.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, leak, line, said};

const TOKEN: &str = "token=q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4c";

/// `old.json`: a login three times and a map; `new.json`: the login once and another map.
fn reports() -> Dir {
    let d = Dir::new();
    let map = |n: &str| line(&format!("/arcgis/rest/services/{n}/MapServer?{TOKEN}"));
    d.file("access.log", leak(1) + &leak(2) + &leak(3) + &map("A"));
    d.run(&["scan", "--now", NOW, "-f", "json=old.json", "access.log"]);
    d.file("access.log", map("B") + &leak(4));
    d.run(&["scan", "--now", NOW, "-f", "json=new.json", "access.log"]);
    d
}

#[test]
fn findings_are_new_gone_or_still_there_with_counts() {
    let d = reports();
    let out = d.expect(0, &["diff", "old.json", "new.json"]);
    insta::assert_snapshot!(said(&out));
    let out = d.expect(0, &["diff", "-f", "markdown", "old.json", "new.json"]);
    insta::assert_snapshot!(said(&out));
    d.expect(
        0,
        &[
            "diff",
            "-f",
            "json=diff.json",
            "-f",
            "table",
            "old.json",
            "new.json",
        ],
    );
    let diff = d.json("diff.json");
    assert_eq!(
        diff["summary"].to_string(),
        r#"{"gone":1,"improved":0,"new":1,"not_seen":0,"still":1,"worsened":0}"#
    );
    let still = &diff["still"][0];
    assert_eq!(
        (&still["change"], &still["times"]["then"], &still["times"]["now"]),
        (&"fewer".into(), &3.into(), &1.into())
    );
    assert_eq!(diff["new"][0]["route"], "/arcgis/rest/services/B/MapServer");
    assert_eq!(diff["gone"][0]["route"], "/arcgis/rest/services/A/MapServer");
}

#[test]
fn it_is_a_gate_over_what_is_new_or_worse() {
    let d = reports();
    let run = |code, args: &[&str]| d.expect(code, &[&["diff"], args].concat());
    run(1, &["--fail-on", "high", "old.json", "new.json"]);
    run(1, &["--fail-on-new", "old.json", "new.json"]);
    run(0, &["--fail-on", "critical", "old.json", "new.json"]);
    run(0, &["--fail-on", "info", "--fail-on-new", "new.json", "new.json"]);
    // Worse than it was.
    let text = d
        .read("new.json")
        .replace("\"severity\":\"high\"", "\"severity\":\"critical\"");
    d.file("worse.json", text);
    run(0, &["--fail-on-new", "new.json", "worse.json"]);
    let out = run(1, &["--fail-on", "critical", "new.json", "worse.json"]);
    assert!(said(&out).contains("worse: high -> critical"), "{}", said(&out));
    run(0, &["--fail-on", "info", "worse.json", "new.json"]);
    // What the new scan's baseline accepts does not fail.
    d.run(&[
        "scan",
        "--now",
        NOW,
        "--write-baseline",
        "base.json",
        "access.log",
    ]);
    d.run(&[
        "scan",
        "--now",
        NOW,
        "--baseline",
        "base.json",
        "-f",
        "json=known.json",
        "access.log",
    ]);
    run(
        0,
        &["--fail-on-new", "--fail-on", "info", "old.json", "known.json"],
    );
}

#[test]
fn what_may_be_unread_or_hidden_is_not_gone() {
    let d = reports();
    d.run(&[
        "scan",
        "--now",
        NOW,
        "-f",
        "json=part.json",
        "access.log",
        "none.log",
    ]);
    let out = d.expect(2, &["diff", "old.json", "part.json"]);
    assert!(
        said(&out).contains("1 not seen again, perhaps unread") && !said(&out).contains("\nGone"),
        "{}",
        said(&out)
    );
    d.expect(0, &["diff", "--allow-partial", "old.json", "part.json"]);
    d.expect(1, &["diff", "--fail-on-new", "old.json", "part.json"]);
    d.run(&[
        "scan",
        "--now",
        NOW,
        "--min-severity",
        "critical",
        "-f",
        "json=hidden.json",
        "access.log",
    ]);
    let out = d.expect(0, &["diff", "-f", "json", "old.json", "hidden.json"]);
    let diff: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&diff["summary"]["gone"], &diff["summary"]["not_seen"]),
        (&0.into(), &2.into())
    );
    d.run(&[
        "scan",
        "--now",
        NOW,
        "--skip",
        "arcgis",
        "-f",
        "json=other.json",
        "access.log",
    ]);
    let out = d.expect(0, &["diff", "old.json", "other.json"]);
    assert!(
        said(&out).contains("it was made with other rules"),
        "{}",
        said(&out)
    );
}

#[test]
fn a_bad_file_is_named_with_what_to_do() {
    let d = reports();
    d.file("x.json", "{}");
    d.file(
        "next.json",
        d.read("new.json")
            .replace("\"schema_version\":1", "\"schema_version\":2"),
    );
    for (file, want) in [
        ("x.json", "plainsight scan -f json="),
        ("none.json", "cannot open none.json"),
        ("next.json", "update plainsight"),
    ] {
        let out = d.expect(2, &["diff", "old.json", file]);
        assert!(
            said(&out).contains(want) && said(&out).contains(file),
            "{}",
            said(&out)
        );
    }
}
