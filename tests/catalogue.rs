//! The catalogue from outside: a user's own rules extend, override and silence the built-in ones; families that are
//! off; what credentials tell of themselves; the page of all rules.

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
                "path = '''/x/(?P<secret>.+)'''\nkeywords = [\"ab\"]",
            ),
            "shorter than 4",
        ),
        ("typo", OWN.replace("severity", "severety"), "severety"),
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
            ("email-address-anywhere", "low"),
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
