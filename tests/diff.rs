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

#[test]
fn what_it_says_agrees_with_its_exit_code_and_its_lists() {
    let d = reports();
    let scan = ["scan", "--now", NOW, "-f"];
    d.run(&[&scan[..], &["json=part.json", "access.log", "none.log"]].concat());
    let last = |code, args: &[&str]| {
        let out = d.expect(code, &[&["diff"], args].concat());
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().last().unwrap().to_string()
    };
    let off = "Gate: off (--fail-on never)";
    assert_eq!(last(0, &["old.json", "new.json"]), format!("{off}."));
    assert_eq!(
        last(2, &["old.json", "part.json"]),
        format!("{off}; the scan is INCOMPLETE: not all was read.")
    );
    let open = last(2, &["--fail-on", "critical", "old.json", "part.json"]);
    assert!(
        open.starts_with("Gate: open") && open.ends_with("not all was read."),
        "{open}"
    );
    assert_eq!(
        last(0, &["--fail-on-new", "new.json", "new.json"]),
        "Gate: passed, nothing new."
    );
    let out = d.expect(
        1,
        &["diff", "--fail-on-new", "-f", "json", "old.json", "new.json"],
    );
    let diff: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        diff["gate"].to_string(),
        r#"{"fail_on":"never","fail_on_new":true,"failing":1}"#
    );
    // A notice is in no list for readers, and in none of their counts.
    let text = d
        .read("new.json")
        .replacen("\"severity\":\"high\"", "\"severity\":\"info\"", 1);
    let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
    for f in report["findings"].as_array_mut().unwrap() {
        if f["rule"] == "arcgis-token" {
            f["severity"] = "info".into();
        }
    }
    d.file("notice.json", report.to_string());
    let out = said(&d.expect(0, &["diff", "old.json", "notice.json"]));
    assert!(
        out.starts_with("0 new, 1 gone, ") && out.contains("Beside them 1 notice"),
        "{out}"
    );
}

#[test]
fn former_ids_of_a_users_rules_are_known() {
    let d = Dir::new();
    d.file("access.log", line("/a?house_pass=Zq81kfUwe_1Zq81kfUwe"));
    let rule = |id: &str, formerly: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\n{formerly}title = \"The house pass\"\nwhy = \"It opens doors.\"\nseverity = \"medium\"\ncategory = \"password\"\nconfidence = \"firm\"\nnames = [\"house_pass\"]\nadvice = []\nreferences = [\"CWE-598\"]\nsince = \"0.1.0\"\nexamples = [\"/a?house_pass=Zq81kfUwe_1Zq81kfUwe\", \"/b?house_pass=Kw72hdPob_4Kw72hdPob\"]\ncounter_examples = [\"/a?house=Zq81kfUwe\", \"/a?house_pass=\"]\n"
        )
    };
    d.file("old/own.toml", rule("house-pass", ""));
    d.file(
        "new/own.toml",
        rule("house-pass-in-url", "formerly = [\"house-pass\"]\n"),
    );
    for side in ["old", "new"] {
        let out = format!("json={side}.json");
        d.expect(1, &["scan", "--rules", side, "-f", &out, "access.log"]);
    }
    let without = said(&d.expect(0, &["diff", "old.json", "new.json"]));
    assert!(without.starts_with("1 new, 1 gone"), "{without}");
    let with = said(&d.expect(0, &["diff", "--rules", "new", "old.json", "new.json"]));
    assert!(with.starts_with("0 new, 0 gone, 1 still there"), "{with}");
}
