//! What the program says at a terminal: little, much, the right word for a wrong one, and credentials only where
//! somebody asks for them.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, leak, line, said};

const TOKEN: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4c";

#[test]
fn quiet_says_the_verdict_and_what_went_wrong() {
    let d = Dir::new();
    d.file("access.log", leak(1));
    let out = d.expect(1, &["scan", "-q", "access.log"]);
    assert_eq!(said(&out), "Gate: FAILED, 1 finding at medium or over.\n");
    let out = d.expect(1, &["scan", "--quiet", "access.log", "none.log"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        text.contains("skipped: none.log") && text.lines().count() < 5,
        "{text}"
    );
}

#[test]
fn verbose_says_what_each_source_was_taken_for() {
    let d = Dir::new();
    d.file("in/access.log", leak(1));
    d.file("in/logo.png", b"\x89PNG\r\n\x1a\n0000");
    let out = d.expect(1, &["scan", "-v", "in"]);
    let err = String::from_utf8(out.stderr).unwrap();
    assert!(
        err.contains("in/access.log: nginx-combined (server-log)"),
        "{err}"
    );
    assert!(err.contains("in/logo.png: not read: "), "{err}");
}

#[test]
fn mistyped_words_get_the_nearest_right_one() {
    let d = Dir::new();
    for (args, want) in [
        (&["scan", "--fail-onn", "high", "x"][..], "--fail-on"),
        (&["scan", "--fail-on", "hihg", "x"], "did you mean high?"),
        (
            &["scan", "--min-severity", "crtical", "x"],
            "did you mean critical?",
        ),
        (&["scan", "--min-confidence", "frm", "x"], "did you mean firm?"),
        (&["scan", "--clients", "maskd", "x"], "did you mean masked?"),
        (&["scan", "-f", "jsn", "x"], "did you mean json?"),
        (
            &["scan", "--only", "arcgis-tokn", "x"],
            "did you mean arcgis-token?",
        ),
        (
            &["scan", "--log-format", "nginx-combned", "x"],
            "did you mean nginx-combined?",
        ),
        (&["explain", "arcgis-tokn"], "did you mean arcgis-token?"),
        (&["diff", "-f", "mardown", "a", "b"], "did you mean markdown?"),
        (&["scna", "x"], "'scan'"),
    ] {
        let out = d.expect(2, args);
        assert!(said(&out).contains(want), "{args:?}: {}", said(&out));
    }
}

#[test]
fn a_finding_is_explained_from_its_report() {
    let d = Dir::new();
    d.file("access.log", leak(1));
    d.run(&["scan", "--now", NOW, "-f", "json=report.json", "access.log"]);
    let id = d.json("report.json")["findings"][0]["id"]
        .as_str()
        .unwrap()
        .to_string();
    let told = said(&d.expect(0, &["explain", &id, "--report", "report.json"]));
    let (finding, remedy) = told.split_once("\nWhat to do\n").unwrap();
    insta::assert_snapshot!(finding);
    assert!(
        remedy.contains("  revoke: Change the password") && remedy.contains("References: CWE-598"),
        "{remedy}"
    );
    assert!(
        said(&d.expect(0, &["explain", "arcgis-token", "--report", "report.json"]))
            .contains("Why it matters")
    );
    assert!(said(&d.expect(2, &["explain", &id])).contains("--report REPORT.json"));
    let near = format!("{}0", &id[..15]);
    if near != id {
        let out = d.expect(2, &["explain", &near, "--report", "report.json"]);
        assert!(
            said(&out).contains(&format!("did you mean {id}?")),
            "{}",
            said(&out)
        );
    }
    assert!(said(&d.expect(2, &["explain", &id, "--report", "access.log"])).contains("is no JSON report"));
}

#[test]
fn credentials_are_shown_where_somebody_insists_and_nowhere_else() {
    let d = Dir::new();
    d.file(
        "access.log",
        leak(1)
            + &line(&format!(
                "/arcgis/rest/services/A/MapServer?token={TOKEN}&sid=Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2"
            )),
    );
    // Here every output is a pipe.
    let out = d.expect(2, &["scan", "--reveal", "access.log"]);
    assert!(
        said(&out).contains("give it twice") && !said(&out).contains(TOKEN),
        "{}",
        said(&out)
    );
    for format in ["table", "json", "ndjson"] {
        let plain = said(&d.run(&["scan", "--now", NOW, "-f", format, "access.log"]));
        assert!(
            !plain.contains("Zq81kfUwe_1") && !plain.contains(&TOKEN[8..]),
            "{plain}"
        );
        let shown = said(&d.run(&[
            "scan",
            "--now",
            NOW,
            "--reveal",
            "--reveal",
            "-f",
            format,
            "access.log",
        ]));
        assert!(
            shown.contains("Zq81kfUwe_1") && shown.contains(TOKEN),
            "{format}: {shown}"
        );
    }
    // Excerpts stay masked, and what is kept to join reports holds nothing.
    let out = d.run(&[
        "scan",
        "--now",
        NOW,
        "--reveal",
        "--reveal",
        "-f",
        "json",
        "access.log",
    ]);
    let mut report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    for f in report["findings"].as_array_mut().unwrap() {
        for e in f["evidence"].as_array_mut().unwrap() {
            e["credential"].as_object_mut().unwrap().remove("value");
        }
    }
    let rest = report.to_string();
    assert!(!rest.contains("Zq81kfUwe_1") && !rest.contains(&TOKEN[8..]));
    d.run(&[
        "scan",
        "--reveal",
        "--reveal",
        "--write-baseline",
        "base.json",
        "access.log",
    ]);
    assert!(!d.read("base.json").contains("Zq81"));
}

#[test]
fn a_rule_is_explained_with_every_step_that_a_table_names() {
    let d = Dir::new();
    d.file(
        "access.log",
        line(&format!("/arcgis/rest/services/A/MapServer?token={TOKEN}")),
    );
    let report = d.scan(&["access.log"]);
    let told = said(&d.expect(0, &["explain", "arcgis-token"]));
    let steps = report["findings"][0]["advice"].as_array().unwrap();
    for kind in ["purge", "mask"] {
        assert!(steps.iter().any(|s| s["kind"] == kind), "{steps:?}");
    }
    for step in steps {
        let title = step["title"].as_str().unwrap().split(" token").next().unwrap();
        let kind = step["kind"].as_str().unwrap();
        assert!(told.contains(&format!("  - {kind}: ")), "{kind}: {told}");
        if kind != "source" {
            assert!(told.contains(title), "{title}: {told}");
        }
    }
    assert!(told.contains("mask: Log the path without the query in nginx") && told.contains("log_format"));
}

#[test]
fn there_is_a_page_for_every_command() {
    let d = Dir::new();
    let all = said(&d.expect(0, &["man"]));
    let titles: Vec<&str> = all.lines().filter(|l| l.starts_with(".TH ")).collect();
    for page in [
        "plainsight",
        "plainsight-scan",
        "plainsight-rules-check",
        "plainsight-man",
    ] {
        assert!(
            titles.iter().any(|t| t.starts_with(&format!(".TH {page} "))),
            "{page}: {titles:?}"
        );
    }
    let one = said(&d.expect(0, &["man", "scan"]));
    assert!(
        one.contains("write\\-baseline") && one.matches(".TH ").count() == 1,
        "{one}"
    );
    assert!(said(&d.expect(0, &["man", "rules", "list"])).contains("plainsight\\-rules\\-list"));
    assert!(said(&d.expect(2, &["man", "scna"])).contains("did you mean scan?"));
}
