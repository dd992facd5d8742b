//! plainsight.toml from outside: where it counts, what it sets, and what of it the command line overrides.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, command, leak, line, said};

#[test]
fn settings_count_where_the_command_line_says_nothing() {
    let d = Dir::new();
    d.file("logs/access.log", leak(1));
    d.file("logs/other.txt", line("/signin?user=jo&password=Zq81kfUwe_9"));
    d.file(
        "plainsight.toml",
        "paths = [\"logs\"]\ninclude = [\"*.log\"]\nfail_on = \"critical\"\nclients = \"masked\"\n",
    );
    d.expect(0, &["scan"]);
    d.expect(1, &["scan", "--fail-on", "high"]);
    d.expect(1, &["scan", "--no-config", "logs"]);
    let report = d.scan(&[]);
    assert_eq!(report["config"], "plainsight.toml");
    assert!(
        report["diagnostics"]
            .to_string()
            .contains("the settings of plainsight.toml were used")
    );
    assert_eq!(report["findings"][0]["evidence"][0]["client"], "192.0.2.0/24");
    assert_eq!(report["summary"]["records"], 1);
    assert_eq!(d.scan(&["--include", "*.txt"])["summary"]["records"], 1);
    let without = d.scan(&["--no-config", "logs"]);
    assert_eq!(
        (&without["config"], &without["summary"]["records"]),
        (&serde_json::Value::Null, &2.into())
    );
}

#[test]
fn it_never_counts_in_a_scanned_folder_that_is_not_on_the_way() {
    let d = Dir::new();
    d.file("work/x", "");
    d.file("logs/access.log", leak(1));
    d.file("logs/plainsight.toml", "fail_on = \"never\"\n");
    d.file("plainsight.toml", "fail_on = \"never\"\n");
    let run = |args: &[&str]| {
        command(&d.path().join("work"))
            .args(args)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(run(&["scan", "../logs"]), Some(1));
    // On the way up to the repository's root it counts, and its paths are relative to it.
    std::fs::create_dir(d.path().join(".git")).unwrap();
    assert_eq!(run(&["scan", "../logs"]), Some(0));
    d.file("plainsight.toml", "paths = [\"logs\"]\n");
    assert_eq!(run(&["scan"]), Some(1));
    assert_eq!(
        run(&["scan", "--config", "../logs/plainsight.toml", "../logs"]),
        Some(0)
    );
}

#[test]
fn partial_scans_are_allowed_by_it_and_forbidden_again() {
    let d = Dir::new();
    d.file("clean.log", line("/a"));
    d.file("plainsight.toml", "allow_partial = true\n");
    d.expect(0, &["scan", "clean.log", "none.log"]);
    d.expect(2, &["scan", "--allow-partial=false", "clean.log", "none.log"]);
}

#[test]
fn allow_entries_hide_what_they_name_until_they_expire() {
    let d = Dir::new();
    d.file(
        "access.log",
        leak(1) + &line("https://shop.example.net/users/77/reset?token=q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4c"),
    );
    let allow = |expires: &str| {
        format!(
            "[[allow]]\nrule = \"password-with-user\"\nroute = \"/login\"\nreason = \"a test account\"\n{expires}
[[allow]]\nhost = \"shop.example.net\"\nroute = \"/users/{{id}}/*\"\nname = \"token\"\nreason = \"single use\"
[[allow]]\nhost = \"gone.example.net\"\nreason = \"was here once\"\n"
        )
    };
    d.file("plainsight.toml", allow("expires = \"2026-11-21\"\n"));
    let out = d.expect(0, &["scan", "--now", NOW, "access.log"]);
    assert!(
        said(&out).contains("note: plainsight.toml: the allow entry (host gone.example.net) is unused"),
        "{}",
        said(&out)
    );
    let report = d.scan(&["access.log"]);
    assert_eq!(
        (&report["summary"]["suppressed"], &report["gate"]["failing"]),
        (&2.into(), &0.into())
    );
    let first = &report["findings"][0];
    assert_eq!(
        (&first["baseline"], &first["suppressed"]["by"]),
        (&"new".into(), &"allow".into())
    );
    let stream = said(&d.run(&["scan", "--now", NOW, "-f", "ndjson", "access.log"]));
    assert_eq!(stream.matches("\"suppressed\":\"allow\"").count(), 2, "{stream}");
    d.file("plainsight.toml", allow("expires = \"2026-11-20\"\n"));
    let out = d.expect(1, &["scan", "--now", NOW, "access.log"]);
    assert!(
        said(&out).contains("warning: plainsight.toml: the allow entry (rule password-with-user"),
        "{}",
        said(&out)
    );
}

#[test]
fn own_formats_and_parties_are_taken() {
    let d = Dir::new();
    d.file("x.log", "gis.example.gov|192.0.2.7|GET /a?user=jo&password=Zq81kfUwe_1 HTTP/1.1|200|2026-01-01T00:00:00+00:00\n");
    let format = "[formats.edge]\ntemplate = \"$host|$remote_addr|$request|$status|$time_iso8601\"\n";
    d.file("plainsight.toml", format);
    assert_eq!(d.scan(&["x.log"])["sources"][0]["format"], "edge");
    d.file("plainsight.toml", format!("log_format = \"edge\"\n{format}"));
    assert_eq!(d.scan(&["x.log"])["findings"][0]["host"], "gis.example.gov");
    let referer = "cdn.example-static.net:443 192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /x.js HTTP/1.1\" 200 1 \"https://gis.example.gov/app?user=jo&password=Zq81kfUwe_1\" \"curl/8\"\n";
    d.file("r.log", referer);
    d.file("plainsight.toml", "");
    let leaked = |args: &[&str]| d.scan(args)["findings"][0]["leaked_to"].as_array().unwrap().len();
    assert_eq!(leaked(&["r.log"]), 1);
    assert_eq!(
        leaked(&["--same-party", "example.gov,example-static.net", "r.log"]),
        0
    );
    d.file(
        "plainsight.toml",
        "same_party = [\"example.gov\", \"example-static.net\"]\n",
    );
    assert_eq!(leaked(&["r.log"]), 0);
}

#[test]
fn mistakes_end_the_run_before_it_begins() {
    let d = Dir::new();
    d.file("clean.log", line("/a"));
    for (text, want) in [
        ("fail-on = \"high\"", "did you mean fail_on?"),
        ("fail_on = \"hihg\"", "did you mean high?"),
        ("[[allow]]\nreason = \"x\"\n", "would allow everything"),
        (
            "[[allow]]\nrule = \"arcgis-tokn\"\nreason = \"x\"\n",
            "did you mean arcgis-token?",
        ),
        (
            "[formats.nginx-combined]\ntemplate = \"$host\"\n",
            "[formats.nginx-combined]",
        ),
        ("timezone = \"Mars/Base\"", "is no time zone"),
        ("same_party = [\"a b\"]", "is no domain"),
        ("baseline = \"none.json\"", "cannot read the baseline none.json"),
        ("= 1", "plainsight.toml cannot be used"),
    ] {
        d.file("plainsight.toml", text);
        let out = d.expect(2, &["scan", "clean.log"]);
        assert!(
            said(&out).contains(want) && out.stdout.is_empty(),
            "{text}: {}",
            said(&out)
        );
    }
    std::fs::remove_file(d.path().join("plainsight.toml")).unwrap();
    assert!(said(&d.expect(2, &["scan"])).contains("nothing to scan"));
    assert!(said(&d.expect(2, &["scan", "--config", "none.toml", "clean.log"])).contains("none.toml"));
}

#[test]
fn a_cause_is_told_once() {
    let d = Dir::new();
    d.file("clean.log", line("/a"));
    d.file("plainsight.toml", "rules = \"nope\"\n");
    for args in [&["scan", "clean.log"][..], &["rules", "check", "nowhere"]] {
        let out = d.expect(2, args);
        assert_eq!(said(&out).matches("os error").count(), 1, "{}", said(&out));
    }
}
