//! The catalogue from outside: a user's own rules extend, override and silence the built-in ones; families that are
//! off; what credentials tell of themselves; where one ends and which is none; the page of all rules.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, line, said};
use serde_json::Value;

const OWN: &str = r#"
[[rule]]
id = "county-badge"
title = "Badge of the county"
category = "token"
severity = "critical"
confidence = "firm"
names = ["badge"]
value = '''CB-[0-9]{12}'''
why = "The badge opens doors. Whoever reads it can make one like it."
advice = ["move-to-header"]
references = ["CWE-598"]
since = "1"
examples = ["/door?badge=CB-{digits:12}", "/door?id=7&badge=CB-{digits:12}"]
counter_examples = ["/door?badge=CB-1", "/door?badge="]
"#;

fn rules(report: &Value) -> Vec<(String, String)> {
    let all = report["findings"].as_array().unwrap().iter();
    let text = |f: &Value, key: &str| f[key].as_str().unwrap().to_string();
    let mut all: Vec<_> = all.map(|f| (text(f, "rule"), text(f, "severity"))).collect();
    all.sort();
    all
}

fn is(report: &Value, want: &[(&str, &str)]) {
    let all = rules(report);
    let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(all, want);
}

#[test]
fn own_rules_extend_override_and_silence() {
    let dir = Dir::new();
    dir.file(
        "access.log",
        line("/door?badge=CB-123456789012") + &line("/door?password=Zq81kfUwe_7"),
    );
    is(&dir.scan(&["access.log"]), &[("password", "high")]);
    dir.file("own/doors.toml", OWN);
    is(
        &dir.scan(&["--rules", "own", "access.log"]),
        &[("county-badge", "critical"), ("password", "high")],
    );
    // The same id: the user's stands.
    let mine = OWN
        .replace("county-badge", "password")
        .replace("\"badge\"", "\"password\"");
    let mine = mine
        .replace("CB-[0-9]{12}", "[A-Za-z0-9_]{8,}")
        .replace("critical", "medium");
    dir.file("over/passwords.toml", mine);
    is(
        &dir.scan(&["--rules", "over", "access.log"]),
        &[("password", "medium")],
    );
    dir.file("quiet/quiet.toml", "silence = [\"passwords\"]\n");
    is(&dir.scan(&["--rules", "quiet", "access.log"]), &[]);
    dir.file("both/rules.toml", format!("silence = [\"password\"]\n{OWN}"));
    is(
        &dir.scan(&["--rules", "both", "access.log"]),
        &[("county-badge", "critical")],
    );
    dir.expect(0, &["rules", "check", "own"]);
    dir.expect(0, &["rules", "check", "both"]);
    for (name, content, why) in [
        ("no-such", "silence = [\"pasword\"]".to_string(), "pasword"),
        (
            "short",
            OWN.replace(
                "names = [\"badge\"]",
                "path = '''/x/(?P<secret>[0-9]+)'''\nkeywords = [\"ab\"]",
            ),
            "shorter than 4",
        ),
        ("typo", OWN.replace("severity", "severety"), "severety"),
        ("twice", format!("{OWN}{OWN}"), "is taken by another"),
        (
            "advice",
            OWN.replace("move-to-header", "move-to-heaven"),
            "move-to-heaven",
        ),
        (
            "slow",
            OWN.replace(
                "names = [\"badge\"]",
                "path = '''/badge/(?P<secret>.+)'''\nkeywords = [\"/badge\"]",
            ),
            "can be slow",
        ),
        (
            "nothing",
            OWN.replace(
                "names = [\"badge\"]",
                "shape = { regex = '''(?:CB-)?[0-9]*''' }\nkeywords = [\"badge\"]",
            ),
            "nothing stands",
        ),
    ] {
        dir.file(&format!("{name}/r.toml"), content);
        let out = dir.expect(2, &["scan", "--rules", name, "access.log"]);
        assert!(said(&out).contains(why), "{name}: {}", said(&out));
    }
    let bad = OWN
        .replace("/door?id=7&badge=CB-{digits:12}", "/door?id=7")
        .replace("CWE-598", "CWE-4");
    dir.file("bad/r.toml", bad);
    let out = dir.expect(2, &["rules", "check", "bad"]);
    assert!(said(&out).contains("CWE-4"), "{}", said(&out));
}

#[test]
fn a_built_in_rule_that_a_users_rule_empties_is_told() {
    let dir = Dir::new();
    let shape = "shape = { regex = '''npm_[0-9A-Za-z]{36}''' }\nkeywords = [\"npm_\"]";
    let greedy = OWN
        .replace("names = [\"badge\"]", shape)
        .replace("value = '''CB-[0-9]{12}'''", "exact_case = true")
        .replace("CB-{digits:12}", "npm_{alnum:36}");
    dir.file("greedy/r.toml", &greedy);
    let out = dir.expect(2, &["rules", "check", "greedy"]);
    let said = said(&out);
    assert!(
        said.contains("county-badge: it takes what the built-in rule npm-token"),
        "{said}"
    );
    let old = OWN.replace(
        "since = \"1\"",
        "since = \"1\"\nformerly = [\"token\", \"door-card\"]",
    );
    dir.file("old/r.toml", &old);
    let out = dir.expect(2, &["rules", "check", "old"]);
    let said = common::said(&out);
    assert!(
        said.contains("formerly \"token\"") && !said.contains("door-card"),
        "{said}"
    );
    dir.file("old/r.toml", format!("silence = [\"token\"]\n{old}"));
    dir.expect(0, &["rules", "check", "old"]);
}

/// Rule, length and fingerprint of the exposures of these lines.
fn exposed(dir: &Dir, lines: &str) -> Vec<(String, u64, String)> {
    dir.file("lines.log", lines);
    let out = dir.run(&["scan", "--now", common::NOW, "-f", "ndjson", "lines.log"]);
    let events = String::from_utf8(out.stdout).unwrap();
    let events = events.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    let text = |e: &Value, key: &str| e[key].as_str().unwrap().to_string();
    events
        .filter(|e| e["type"] == "exposure")
        .map(|e| {
            (
                text(&e, "rule"),
                e["length"].as_u64().unwrap(),
                text(&e, "fingerprint"),
            )
        })
        .collect()
}

#[test]
fn a_slash_ends_what_stands_in_a_path() {
    let dir = Dir::new();
    let value = plainsight::rule::example::fill("whsec_{alnum:32}");
    let paths = [
        format!("/h/{value}/a"),
        format!("/h/{value}/events/of/the/whole/county"),
        format!("/h?x={value}"),
        format!("/h/x={value}/a"),
        format!("/h/{value}/%61"),
        format!("/go?to=https%3A%2F%2Fh.example%2Fh%2F{value}%2Fa"),
        format!("/go#/h/{value}/a"),
    ];
    let mut lines = paths.iter().map(|p| line(p)).collect::<String>();
    lines += &format!("2026-01-01 00:00:00 cannot open /h/{value}/a for writing\n");
    lines += &format!("{{\"time\":\"2026-01-01T00:00:00Z\",\"msg\":\"https:\\/\\/h\\/{value}\\/a\"}}\n");
    let all = exposed(&dir, &lines);
    assert_eq!(all.len(), paths.len() + 2, "{all:?}");
    let first = ("webhook-signing-secret".to_string(), 38, all[0].2.clone());
    all.iter().for_each(|e| assert_eq!(*e, first));
    // An encoded slash is part of it, and so is one where no path is.
    let (left, right) = value.split_at(22);
    let slashed = format!("{left}/{right}");
    let whole = exposed(
        &dir,
        &(line(&format!("/h/{left}%2F{right}/a")) + &line(&format!("/h?x={slashed}"))),
    );
    assert!(whole.len() == 2 && whole.iter().all(|e| e.1 == 39), "{whole:?}");
    dir.file("in.log", line(&paths[0]));
    dir.expect(0, &["redact", "in.log", "-o", "out.log"]);
    let clean = dir.read("out.log");
    assert!(
        clean.contains("/a HTTP/1.1") && !clean.contains(&value[10..20]),
        "{clean}"
    );
}

#[test]
fn what_fails_the_checksum_of_its_kind_is_none() {
    let dir = Dir::new();
    let bad = plainsight::rule::example::fill("ghp_{alnum:36}");
    let places = |value: &str| {
        line(&format!("/a?token={value}"))
            + &line(&format!("/a?access_token={value}&api_key={value}"))
            + &line(&format!("/login?password={value}"))
            + &line(&format!("/a?u=https://jo:{value}@git.example.org/x"))
    };
    assert_eq!(exposed(&dir, &places(&bad)), []);
    let good = plainsight::rule::example::fill("ghp_{crc:30}");
    assert_eq!(exposed(&dir, &places(&good)).len(), 5);
    // Something else that merely has it in it.
    assert_eq!(exposed(&dir, &places(&format!("{bad}.Zq81kfUwe"))).len(), 5);
}

#[test]
fn cookies_and_replies_tell_their_end() {
    let dir = Dir::new();
    let fill = plainsight::rule::example::fill;
    let header = |name: &str, value: String| serde_json::json!({"name": name, "value": value});
    let entry = |url: String, headers: Vec<Value>, body: String, reply: String| {
        serde_json::json!({
            "startedDateTime": "2026-01-01T00:00:00Z",
            "request": {"method": "POST", "url": url, "headers": headers, "postData": {"mimeType": "application/x-www-form-urlencoded", "text": body}},
            "response": {"status": 200, "content": {"mimeType": "application/json", "text": reply}},
        })
    };
    let reply = fill("{\"token\":\"{b64url:64}\",\"ssl\":true}");
    let ask = |path: &str, body: &str| {
        entry(
            format!("https://gis.example.gov{path}"),
            vec![],
            body.into(),
            reply.clone(),
        )
    };
    let cookies = fill(
        "CloudFront-Expires=1893456000; CloudFront-Signature={alnum:342}__; CloudFront-Key-Pair-Id=K{upper:13}",
    );
    for (entry, until) in [
        (
            ask("/arcgis/tokens/generateToken", "client=requestip&expiration=1440"),
            "2026-01-02T00:00:00Z",
        ),
        (
            ask("/arcgis/tokens/generateToken?expiration=30", "client=requestip"),
            "2026-01-01T00:30:00Z",
        ),
        (
            ask("/arcgis/tokens/generateToken", "client=requestip"),
            "2026-01-01T01:00:00Z",
        ),
        (
            ask("/portal/sharing/rest/generateToken", "f=json"),
            "2026-01-01T02:00:00Z",
        ),
        (
            entry(
                "https://d1.example.net/a".into(),
                vec![header("Cookie", cookies)],
                String::new(),
                String::new(),
            ),
            "2030-01-01T00:00:00Z",
        ),
    ] {
        let har = serde_json::json!({"log": {"version": "1.2", "entries": [entry]}});
        dir.file("a.har", har.to_string());
        let report = dir.scan(&["a.har"]);
        let found: Vec<&Value> = report["findings"].as_array().unwrap().iter().collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["liveness"]["until"], until, "{}", found[0]["rule"]);
    }
}

#[test]
fn personal_data_is_looked_for_when_it_is_asked_for() {
    let dir = Dir::new();
    let urls = [
        "/newsletter?email=jo.doe%40county.gov",
        "/order?phone=%2B49301234567",
        "/pay?card=4111111111111111&cvv=123",
        "/claims?ssn=219-09-9999",
        "/transfer?iban=DE89370400440532013000",
    ];
    let near = [
        "/newsletter?email=yes",
        "/order?phone=none",
        "/pay?card=4111111111111112",
        "/claims?ssn=000-09-9999",
        "/transfer?iban=DE89370400440532013001",
    ];
    dir.file("yes.log", urls.map(line).concat());
    dir.file("no.log", near.map(line).concat());
    is(&dir.scan(&["yes.log"]), &[]);
    let with = ["--with", "personal-data"];
    is(
        &dir.scan(&[&with[..], &["yes.log"]].concat()),
        &[
            ("bank-account-iban", "medium"),
            ("card-security-code", "high"),
            ("email-address", "low"),
            ("payment-card-number", "high"),
            ("phone-number", "low"),
            ("social-security-number", "high"),
        ],
    );
    is(&dir.scan(&[&with[..], &["no.log"]].concat()), &[]);
}

#[test]
fn what_a_credential_tells_is_shown_and_persons_as_clients_are() {
    let part = |s: &str| data_encoding::BASE64URL_NOPAD.encode(s.as_bytes());
    let token = format!(
        "{}.{}.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
        part(r#"{"alg":"RS256","typ":"JWT"}"#),
        part(
            r#"{"iss":"https://login.county.gov","sub":"jo.doe@county.gov","scope":"maps","exp":1900000000}"#
        )
    );
    let dir = Dir::new();
    dir.file("access.log", line(&format!("/api/live?access_token={token}")));
    let told = |args: &[&str]| {
        let report = dir.scan(&[args, &["access.log"]].concat());
        let all = report["findings"][0]["identity"].as_array().unwrap().clone();
        let one = |t: &Value| format!("{} {}", t["kind"].as_str().unwrap(), t["value"].as_str().unwrap());
        assert_eq!(
            report["credentials"][0]["identity"],
            report["findings"][0]["identity"]
        );
        all.iter().map(one).collect::<Vec<_>>()
    };
    let (issuer, scope) = ("issuer https://login.county.gov", "scope maps");
    assert_eq!(told(&[]), [issuer, scope, "subject jo.doe@county.gov"]);
    assert_eq!(
        told(&["--clients", "masked"]),
        [issuer, scope, "subject …@county.gov"]
    );
    let hashed = told(&["--clients", "hashed"]);
    assert!(
        hashed[2].starts_with("subject person-") && !hashed[2].contains("jo"),
        "{hashed:?}"
    );
}

#[test]
fn what_was_dead_when_it_leaked_weighs_less() {
    let url = |date: &str| {
        format!(
            "/b/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}{}%2F{date}%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date={date}T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
            "AKIA",
            "QYLPMN5HHHFPZAM2",
            "0a".repeat(32)
        )
    };
    let dir = Dir::new();
    let severity = |date: &str, now: &str| {
        dir.file("a.log", line(&url(date)).replace(" 200 ", " 403 "));
        let out = dir.run(&["scan", "--now", now, "-f", "json", "a.log"]);
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let f = &report["findings"][0];
        assert_eq!(f["identity"][0]["kind"], "AWS account");
        (
            f["severity"].as_str().unwrap().to_string(),
            f["severity_basis"].to_string(),
        )
    };
    // Alive then and now; alive then; dead already.
    assert_eq!(severity("20260101", "2026-01-01T00:05:00Z").0, "medium");
    let (alive_then, why) = severity("20260101", common::NOW);
    assert!(
        alive_then == "low" && !why.contains("before it was recorded"),
        "{why}"
    );
    let (dead, why) = severity("20251201", common::NOW);
    assert!(dead == "low" && why.contains("before it was recorded"), "{why}");
}

#[test]
fn the_page_of_rules_tells_all_of_them() {
    let dir = Dir::new();
    let out = dir.expect(0, &["rules", "list", "--format", "markdown"]);
    let page = String::from_utf8(out.stdout).unwrap();
    let ids = plainsight::rule::builtin().unwrap();
    for rule in &ids {
        assert!(page.contains(&format!("\n### `{}`\n", rule.id)), "{}", rule.id);
    }
    assert!(page.contains("- [personal-data](#personal-data) (") && page.contains("off unless asked for"));
    assert_eq!(page.matches("\n- References: ").count(), ids.len());
}
