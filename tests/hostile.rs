//! Input that was made to hurt: text that is a command to whoever shows it, data that is dear to read, rules and
//! configurations that are traps. Cost is counted in what can be counted, not timed.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, leak, line, said};
use serde_json::Value;

const OUTPUTS: [&str; 12] = [
    "table",
    "json",
    "ndjson",
    "part",
    "sarif",
    "html",
    "markdown",
    "github",
    "junit",
    "csv",
    "codequality",
    "openmetrics",
];

/// What must not get through as it is.
const EVIL: [&str; 14] = [
    "\x1b[2J\x1b]0;owned\x07",
    "\u{9b}31m",
    "\u{202e}gpj.exe\u{2066}",
    "to\u{200b}ken\u{200d}\u{feff}",
    "\r::error::owned",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/beacon)",
    "=cmd|'/C calc'!A1",
    "@SUM(1)",
    "##vso[task.setvariable variable=x]y",
    "{{constructor.constructor('x')()}}",
    "%0A::add-mask::x",
];

#[test]
fn no_place_of_a_log_reaches_a_screen_a_page_a_sheet_or_a_build_server_as_it_is() {
    let d = Dir::new();
    let mut log = String::new();
    for e in EVIL {
        let q = e.replace(' ', "_");
        log += &line(&format!("/{q}?user=jo&password=Zq81kfUwe_1&{q}=1"));
        log += &line(&format!("/a?{q}=ghp_0123456789abcdefghijABCDEFGHIJ012345"));
        log += &line("/a?user=jo&password=Zq81kfUwe_2").replace("192.0.2.7", &q);
        log += &line("/a?user=jo&password=Zq81kfUwe_3").replace("GET", &q);
        log += &line("/a?user=jo&password=Zq81kfUwe_4").replace(
            "\"-\"",
            &format!("\"https://{q}.example/{q}?token=q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA\""),
        );
        log += &line("/a?user=jo&password=Zq81kfUwe_5").replace("curl/8", e);
        log += &serde_json::json!({"request_uri": format!("/{e}?user=jo&password=Zq81kfUwe_6"), "host": e, "status": "200", "remote_addr": e}).to_string();
        log += "\n";
    }
    d.file("in/access.log", log);
    d.file("in/::error::owned,=1+1<b>.log", leak(1));
    for format in OUTPUTS {
        for dir in ["in", "./in"] {
            let out = d.run(&["scan", "--now", NOW, "-v", "--color", "never", "-f", format, dir]);
            for (stream, bytes) in [("stdout", &out.stdout), ("stderr", &out.stderr)] {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let hidden = text.chars().find(|&c| {
                    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
                });
                assert!(hidden.is_none(), "{format} {stream} holds {hidden:?}");
                for l in text.split(['\n', '\r']) {
                    let command =
                        l.trim_start().starts_with("::") && !(format == "github" && stream == "stdout");
                    assert!(!command && !l.contains("##vso["), "{format} {stream}: {l}");
                }
                if format == "html" && stream == "stdout" {
                    assert!(
                        !text.contains("<img") && !text.contains("javascript:alert")
                            || !text.contains("href=\"javascript")
                    );
                    assert_eq!(text.matches("<script").count(), 1);
                }
            }
            if format == "sarif" {
                let sarif: Value = serde_json::from_slice(&out.stdout).unwrap();
                for r in sarif["runs"][0]["results"].as_array().unwrap() {
                    let uri = r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                        .as_str()
                        .unwrap();
                    assert!(
                        uri.bytes()
                            .all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b)),
                        "{uri}"
                    );
                    assert!(
                        !uri.contains("://") && !uri.starts_with("javascript:") && !uri.starts_with("//"),
                        "{uri}"
                    );
                }
            }
        }
    }
}

/// Lines of about `size` bytes, each of a kind that is dear to some reader, and whether a password that stands at its end
/// is to be found.
pub fn dear(size: usize) -> Vec<(&'static str, String)> {
    let fill = |piece: &str| piece.repeat(size / piece.len() + 1);
    let end = "&user=jo&password=Zq81kfUwe_1";
    vec![
        ("plain", line(&format!("/{}?x=1{end}", fill("abcdefgh")))),
        ("question marks", line(&format!("/a{}{end}", fill("?")))),
        ("ampersands", line(&format!("/a?{}{end}", fill("&")))),
        ("pairs", line(&format!("/a?{}{end}", fill("a=1&")))),
        (
            "hits",
            line(&format!("/a?{}{end}", fill("token=q9Zt7LmK2vX8bN4cR6yW&"))),
        ),
        (
            "hits under a long path",
            line(&format!(
                "/{}?{}{end}",
                "a/".repeat(size / 4),
                "token=q9Zt7LmK2vX8bN4cR6yW&".repeat(size / 54)
            )),
        ),
        (
            "services under a long path",
            line(&format!(
                "/rest/services/{}?{}{end}",
                "a/".repeat(size / 4),
                "token=q9Zt7LmK2vX8bN4cR6yW&".repeat(size / 54)
            )),
        ),
        ("percents", line(&format!("/a?x={}{end}", fill("%25")))),
        ("bad percents", line(&format!("/a?x={}{end}", fill("%")))),
        ("encoded pairs", line(&format!("/a?x={}{end}", fill("a%3D1%26")))),
        (
            "nested URLs",
            line(&format!("/a?u={}{end}", fill("https%3A%2F%2Fb%2F%3Fu%3D"))),
        ),
        (
            "open URLs",
            format!("{} password=Zq81kfUwe_1\n", fill("https://a/?u=")),
        ),
        (
            "userinfo",
            format!("{} password=Zq81kfUwe_1\n", fill("https://a:b@")),
        ),
        (
            "at signs",
            format!("https://{} password=Zq81kfUwe_1\n", fill("a:b@")),
        ),
        ("objects", format!("{}\n", fill("{\"a\":"))),
        (
            "empty objects",
            format!("{{\"a\":[{}{{}}],\"password\":\"Zq81kfUwe_1\"}}\n", fill("{},")),
        ),
        ("arrays", format!("{}\n", fill("["))),
        (
            "closed arrays",
            format!(
                "{{\"a\":{}{},\"password\":\"Zq81kfUwe_1\"}}\n",
                "[".repeat(size / 2),
                "]".repeat(size / 2)
            ),
        ),
        (
            "quoted JSON",
            format!(
                "{{\"a\":\"{}\",\"password\":\"Zq81kfUwe_1\"}}\n",
                fill("\\\\\\\"")
            ),
        ),
        (
            "JSON in text",
            format!("{} password=Zq81kfUwe_1\n", fill("{\"a\":1} ")),
        ),
        (
            "open braces in text",
            format!("x {} password=Zq81kfUwe_1\n", fill("{")),
        ),
        (
            "base64",
            line(&format!("/a?x={}{end}", fill("eyJhIjoiZXlKaElqb2"))),
        ),
        (
            "many base64",
            line(&format!("/a?{}{end}", fill("x=eyJhIjoiYiJ9&"))),
        ),
        (
            "JWTs",
            line(&format!(
                "/a?{}{end}",
                fill("x=eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln&")
            )),
        ),
        ("dots", line(&format!("/a?x=eyJ{}{end}", fill(".eyJ")))),
        (
            "bearers",
            format!("{} password=Zq81kfUwe_1\n", fill("Authorization: Bearer ")),
        ),
        (
            "basics",
            format!("{} password=Zq81kfUwe_1\n", fill("Basic am86c2VjcmV0Nzc= ")),
        ),
        (
            "markup",
            format!(
                "{} password=Zq81kfUwe_1\n",
                fill("<a token=\"q9Zt7LmK2vX8bN4cR6yW\">")
            ),
        ),
        (
            "open markup",
            format!("{} password=Zq81kfUwe_1\n", fill("<password>")),
        ),
        ("quotes", format!("{} password=Zq81kfUwe_1\n", fill("\""))),
        ("backslashes", line(&format!("/a?x={}{end}", fill("\\x22")))),
        (
            "cookies",
            format!(
                "{{\"cookie\":\"{}\",\"password\":\"Zq81kfUwe_1\"}}\n",
                fill("a=1; ")
            ),
        ),
        (
            "semicolons",
            line(&format!("/a{}?x=1{end}", fill(";jsessionid=q9Zt7LmK2vX8bN4c"))),
        ),
        (
            "prefixes",
            format!("{} password=Zq81kfUwe_1\n", fill("ghp_ AKIA xoxb- sk_live_ ")),
        ),
        (
            "almost tokens",
            format!(
                "{} password=Zq81kfUwe_1\n",
                fill("ghp_0123456789abcdefghijABCDEFGHIJ01234 ")
            ),
        ),
        (
            "one long token",
            format!("ghp_{} password=Zq81kfUwe_1\n", fill("a1B2")),
        ),
        (
            "names",
            line(&format!(
                "/a?{}{end}",
                (0..size / 12).map(|n| format!("p{n:08x}=1&")).collect::<String>()
            )),
        ),
        ("brackets", line(&format!("/a?{}{end}", fill("a[b][c]=1&")))),
        ("fragments", line(&format!("/a{}{end}", fill("#a=1")))),
        ("slashes", line(&format!("{}?x=1{end}", fill("/")))),
        ("spaces", format!("{} password=Zq81kfUwe_1\n", fill(" "))),
        ("commas", format!("{} password=Zq81kfUwe_1\n", fill("a,"))),
        (
            "wrappers",
            format!(
                "{} password=Zq81kfUwe_1\n",
                fill("2026-01-01T00:00:00Z stdout F ")
            ),
        ),
        (
            "syslogs",
            format!(
                "{} password=Zq81kfUwe_1\n",
                fill("<34>1 2026-01-01T00:00:00Z h a - - - ")
            ),
        ),
        (
            "logfmt",
            format!("{} password=Zq81kfUwe_1\n", fill("level=info msg=\"x\" ")),
        ),
        (
            "references",
            format!("{} password=Zq81kfUwe_1\n", fill("&amp;&#x26;")),
        ),
        ("bytes", format!("/a?x={}{end}\n", fill("\u{fffd}\u{10ffff}"))),
    ]
}

/// Bytes of the log are read a bounded number of times: a line of twice the length costs about twice as much, whatever
/// stands in it. Measured in the processor time of the whole run, against itself.
#[test]
#[ignore = "takes minutes; measures processor time"]
fn no_line_costs_much_more_than_its_length() {
    let d = Dir::new();
    let mut bad = Vec::new();
    let mut plain = 0.0;
    for ((what, one), (_, four)) in dear(240 << 10).into_iter().zip(dear(960 << 10)) {
        let cost = |text: &str| {
            d.file("a.log", text);
            let done = std::process::Command::new("sh")
                .current_dir(d.path())
                .args([
                    "-c",
                    "\"$0\" scan --no-config -j 1 -f json a.log > out; times > cost",
                ])
                .arg(common::program())
                .status();
            assert!(done.unwrap().success());
            // The second line is that of what the shell has run.
            let cost = d.read("cost");
            let seconds = |t: &str| {
                t.trim_end_matches('s').split_once('m').map_or(0.0, |(m, s)| {
                    60.0 * m.parse::<f64>().unwrap() + s.parse::<f64>().unwrap()
                })
            };
            cost.lines()
                .nth(1)
                .unwrap()
                .split_whitespace()
                .map(seconds)
                .sum::<f64>()
        };
        let start = cost("");
        let (small, large) = (cost(&one) - start, cost(&four) - start);
        if what == "plain" {
            plain = large.max(0.005);
        }
        println!(
            "{what}: {small:.3} s for 240 KiB, {large:.3} s for 960 KiB, {:.0} times a plain line",
            large / plain
        );
        // 4 times the length, 16 times the cost where it is quadratic.
        if large > 0.5 && large > 9.0 * small {
            bad.push(format!("{what}: {small} {large}"));
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn what_stands_behind_dear_text_is_found() {
    let d = Dir::new();
    for (what, text) in dear(40 << 10) {
        if ["objects", "arrays"].contains(&what) {
            continue; // Nothing stands behind them.
        }
        d.file("a.log", &text);
        let report = d.scan(&["a.log"]);
        let out = d.run(&["scan", "--now", NOW, "-f", "ndjson", "a.log"]);
        // Another rule may take it, under the name that stands before it.
        let last = text.rfind("Zq81kfUwe_1").unwrap() as u64;
        let found = String::from_utf8(out.stdout).unwrap().lines().any(|l| {
            let e: Value = serde_json::from_str(l).unwrap();
            e["type"] == "exposure" && e["offset"].as_u64().unwrap() + e["length"].as_u64().unwrap() > last
        });
        // Where reading was cut short, that is said.
        let said = report["diagnostics"].to_string().contains("nested too deeply")
            || report["summary"]["complete"] == false;
        assert!(found || said, "{what}: {}", report["diagnostics"]);
    }
}

#[test]
fn deep_and_broken_json_is_read_as_far_as_it_goes() {
    let d = Dir::new();
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for n in [10, 100, 1000, 100_000] {
        for (open, close) in [("{\"a\":", "}"), ("[", "]"), ("[{\"a\":[", "]}]")] {
            let text = deep(open, close, n);
            d.file("a.log", format!("{text}\n{}", leak(1)));
            d.file(
                "a.har",
                format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{text},\"entries\":[]}}}}"),
            );
            d.file(
                "Bookmarks",
                format!(
                    "{{\"roots\":{{\"bookmark_bar\":{text},\"other\":{{}},\"synced\":{{}}}},\"version\":1}}"
                ),
            );
            d.file("in.json", &text);
            for (file, code) in [("a.log", 1), ("a.har", 0), ("Bookmarks", 0), ("in.json", 0)] {
                let out = d.run(&["scan", file]);
                let got = out.status.code().unwrap();
                assert!(got == code || got == 2 && code == 0, "{file} {n}: {}", said(&out));
            }
            let out = d.run(&["merge", "in.json"]);
            assert_eq!(out.status.code(), Some(2), "{}", said(&out));
            d.expect(2, &["scan", "--baseline", "in.json", "a.log"]);
            d.expect(2, &["diff", "in.json", "in.json"]);
        }
    }
}

#[test]
fn bookmarks_in_folders_in_folders_are_read() {
    let d = Dir::new();
    let n = 5000;
    let folders = "<DT><H3>x</H3><DL><p>".repeat(n);
    d.file("b.html", format!("<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>{folders}<DT><A HREF=\"https://a.example/?user=jo&password=Zq81kfUwe_1\">x</A>{}</DL>", "</DL><p>".repeat(n)));
    let report = d.scan(&["b.html"]);
    assert_eq!(report["summary"]["exposures"], 1);
    let xml = format!(
        "<?xml version=\"1.0\"?><plist><dict><key>WebBookmarkType</key>{}<string>x</string>{}</dict></plist>",
        "<array>".repeat(50_000),
        "</array>".repeat(50_000)
    );
    d.file("b.plist", xml);
    let out = d.run(&["scan", "b.plist"]);
    assert!(matches!(out.status.code(), Some(0 | 2)), "{}", said(&out));
}

#[test]
fn rules_that_are_traps_are_refused_or_harmless() {
    let d = Dir::new();
    d.file("a.log", line(&format!("/x?a={}", "a".repeat(30_000))));
    let rule = |shape: &str| {
        format!(
            "[[rule]]\nid = \"own\"\ntitle = \"x\"\ncategory = \"session\"\nseverity = \"high\"\nconfidence = \"firm\"\nscope = \"route\"\nsummary = \"x\"\nwhy = \"x\"\nadvice = []\nreferences = []\nsince = \"0.1.0\"\nexamples = [\"a\", \"b\"]\ncounter_examples = [\"c\", \"d\"]\n{shape}\n"
        )
    };
    for text in [
        "[".repeat(100_000),
        format!("a = {}1{}", "[".repeat(50_000), "]".repeat(50_000)),
        format!("a{} = 1", ".a".repeat(50_000)),
        format!("{}\n", "[[rule]]\n".repeat(100_000)),
        format!("[[rule]]\nid = \"{}\"\n", "x".repeat(3 << 20)),
        "x = \"".into(),
        "\0\u{1}\u{feff}".into(),
        rule("[rule.shape]\nregex = \"(a{1000}){1000}\""),
        rule("[rule.shape]\nregex = \"((((((a{20}){20}){20}){20}){20}){20})\""),
        rule("[rule.shape]\nregex = \"\\\\w{5000}\\\\pL{5000}\""),
        rule(&format!(
            "[rule.shape]\nregex = \"{}{}\"",
            "(".repeat(20_000),
            ")".repeat(20_000)
        )),
        rule("[rule.shape]\nregex = \"(a*)*(a*)*(a*)*b\"\nprefixes = [\"aaaa\"]"),
        " ".repeat(5 << 20),
    ] {
        d.file("rules/own.toml", &text);
        let start = text.chars().take(60).collect::<String>();
        let out = d.run(&["scan", "--rules", "rules", "a.log"]);
        assert!(
            matches!(out.status.code(), Some(0..=2)),
            "{start}: {}",
            said(&out)
        );
        assert!(
            said(&out).len() < 20_000,
            "{start}: {} bytes are said",
            said(&out).len()
        );
        d.file("plainsight.toml", &text);
        let out = d.run(&["scan", "a.log"]);
        assert!(
            matches!(out.status.code(), Some(0 | 2)),
            "{start}: {}",
            said(&out)
        );
        assert!(
            said(&out).len() < 20_000,
            "{start}: {} bytes are said",
            said(&out).len()
        );
        std::fs::remove_file(d.path().join("plainsight.toml")).unwrap();
    }
    d.file("rules/own.toml", "[[rule]]\n".repeat(10));
    assert!(said(&d.expect(2, &["rules", "check", "rules"])).contains("own.toml"));
}

#[test]
fn a_configuration_among_the_inputs_is_an_input() {
    let d = Dir::new();
    let evil = "fail_on = \"never\"\nexclude = [\"*\"]\nskip = [\"password-with-user\"]\n[[allow]]\nreason = \"x\"\n";
    d.file("logs/access.log", leak(1));
    d.file("logs/plainsight.toml", evil);
    d.file("logs/.git/config", "");
    d.file("logs/deep/plainsight.toml", evil);
    d.file("logs/deep/b.log", leak(2));
    d.file("logs/rules/own.toml", "[[rule]]\n");
    d.file("logs/plainsight-baseline.json", "{}");
    let mut tar = tar::Builder::new(Vec::new());
    for (name, body) in [("plainsight.toml", evil.to_string()), ("a.log", leak(3))] {
        let mut header = tar::Header::new_ustar();
        header.set_size(body.len() as u64);
        tar.append_data(&mut header, name, body.as_bytes()).unwrap();
    }
    d.file("logs/a.tar", tar.into_inner().unwrap());
    for args in [
        &["logs"][..],
        &["logs/deep", "logs/a.tar", "logs/access.log"],
        &["./logs/../logs"],
    ] {
        let out = d.run(&[&["scan", "-f", "json"], args].concat());
        assert_eq!(out.status.code(), Some(1), "{}", said(&out));
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(report["summary"]["exposures"], 3, "{args:?}");
        assert!(
            report["summary"]["suppressed"] == 0 && !report.to_string().contains("\"config\":\"logs"),
            "{args:?}"
        );
    }
    // A link among the inputs is no way around it.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("plainsight.toml", d.path().join("logs/link.toml")).unwrap();
        d.expect(1, &["scan", "--follow-links", "logs"]);
    }
}

#[test]
fn attacker_made_names_hosts_and_routes_stay_bounded() {
    let d = Dir::new();
    let log: String = (0..30_000)
        .map(|n| {
            line(&format!("/r{}/x?token=q9Zt7LmK2vX8bN4cR6yW1s{n:06}", letters(n))).replace(
                "\"-\"",
                &format!(
                    "\"https://h{}.example/?token=q9Zt7LmK2vX8bN4cR6yW1s{n:06}\"",
                    letters(n)
                ),
            )
        })
        .collect();
    d.file("a.log", log);
    let report = d.scan(&["a.log"]);
    assert_eq!(report["summary"]["exposures"], 60_000);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() < 30_000, "{}", findings.len());
    assert!(
        findings
            .iter()
            .any(|f| f["route"] == "{many}" || f["host"] == "{many}")
    );
}

fn letters(mut n: usize) -> String {
    let mut out = String::new();
    for _ in 0..4 {
        out.push((b'g' + (n % 20) as u8) as char);
        n /= 20;
    }
    out
}
