//! Signs of abuse, from logs: each kind is seen where it is, and not seen in what looks like it.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW};
use serde_json::Value;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const CURL: &str = "curl/8.5.0";
const SLACK: &str = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)";
const TOKEN: &str = "/api/v1/water?token=q9Zt7LmK2vX8bN4cR6yWq1Zt7LmK2vX8";

/// A line of a combined log with the host in front: minute and second of one hour, client, request, status, Referer, program.
struct Line<'a>(u32, &'a str, &'a str, u16, &'a str, &'a str);

fn log(lines: &[Line]) -> String {
    let one = |Line(second, client, request, status, referer, agent): &Line| {
        let (minute, second) = (second / 60, second % 60);
        format!(
            "{client} - - [01/Jan/2026:10:{minute:02}:{second:02} +0000] \"{request} HTTP/1.1\" {status} 512 \"{referer}\" \"{agent}\"\n"
        )
    };
    lines.iter().map(one).collect()
}

fn get(second: u32, client: &'static str, url: &str, agent: &'static str) -> String {
    log(&[Line(second, client, &format!("GET {url}"), 200, "-", agent)])
}

fn scan(content: &str, args: &[&str]) -> Value {
    let dir = Dir::new();
    dir.file("access.log", content);
    dir.scan(&[&["access.log"], args].concat())
}

/// Kinds and sureness of all signs.
fn signs(report: &Value) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|f| f["signs"].as_array().unwrap())
        .map(|s| {
            (
                s["kind"].as_str().unwrap().into(),
                s["sure"].as_str().unwrap().into(),
            )
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

fn seen(content: &str) -> Vec<(String, String)> {
    signs(&scan(content, &[]))
}

fn is(all: &[(String, String)], want: &[(&str, &str)]) {
    let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(all, want);
}

#[test]
fn a_browsers_token_in_somebody_elses_program_is_likely_stolen() {
    let content = get(0, "203.0.113.5", TOKEN, FIREFOX) + &get(60, "198.51.100.9", TOKEN, CURL);
    let report = scan(&content, &[]);
    is(&signs(&report), &[("several-clients", "likely")]);
    let finding = &report["findings"][0];
    let sign = &finding["signs"][0];
    assert_eq!(sign["first_seen"], "2026-01-01T10:00:00Z");
    assert_eq!(sign["last_seen"], "2026-01-01T10:01:00Z");
    assert_eq!(
        sign["clients"],
        serde_json::json!(["198.51.100.9", "203.0.113.5"])
    );
    assert!(
        sign["detail"]
            .as_str()
            .unwrap()
            .contains("2 networks, with curl and wget, Firefox")
    );
    // It raises the severity by one step, once.
    assert_eq!(sign["weighs"], true);
    let alone = scan(&get(0, "203.0.113.5", TOKEN, FIREFOX), &[]);
    assert_eq!(
        (
            alone["findings"][0]["severity"].as_str(),
            finding["severity"].as_str()
        ),
        (Some("high"), Some("critical"))
    );
    let reasons = finding["severity_basis"].as_array().unwrap();
    assert!(reasons.contains(&"a sign of abuse".into()));
}

#[test]
fn who_moves_or_shares_an_address_is_no_thief() {
    // A phone goes from Wi-Fi to the mobile network, and has an address of each kind.
    let phone = get(0, "203.0.113.5", TOKEN, IPHONE)
        + &get(60, "198.51.100.9", TOKEN, IPHONE)
        + &get(70, "2001:db8:7:1::5", TOKEN, IPHONE);
    is(&seen(&phone), &[]);
    // IPv6 privacy addresses, and addresses of one house.
    let privacy = get(0, "2001:db8:1:2:aaaa::1", TOKEN, CHROME)
        + &get(60, "2001:db8:1:2:bbbb::2", TOKEN, CHROME)
        + &get(90, "2001:db8:1:9:cccc::3", TOKEN, CHROME);
    is(&seen(&privacy), &[]);
    let house = get(0, "203.0.113.5", TOKEN, CHROME) + &get(60, "203.0.113.77", TOKEN, CHROME);
    is(&seen(&house), &[]);
    let proxies = get(0, "10.0.1.5", TOKEN, CHROME) + &get(60, "10.9.1.5", TOKEN, CHROME);
    is(&seen(&proxies), &[]);
    // Two programs behind one address: it may be one person.
    let nat = get(0, "203.0.113.5", TOKEN, CHROME) + &get(60, "203.0.113.5", TOKEN, CURL);
    let report = scan(&nat, &[]);
    is(&signs(&report), &[("several-clients", "possible")]);
    assert_eq!(report["findings"][0]["severity"], "high");
    // Different tokens are different people.
    let other = TOKEN.replace("q9Zt", "Xw3p");
    let two = get(0, "203.0.113.5", TOKEN, CHROME) + &get(60, "198.51.100.9", &other, CURL);
    is(&seen(&two), &[]);
}

#[test]
fn clients_of_signs_are_shown_as_asked() {
    let content = get(0, "203.0.113.5", TOKEN, FIREFOX) + &get(60, "198.51.100.9", TOKEN, CURL);
    for (how, want) in [("masked", "198.51.100.0/24"), ("hashed", "client-")] {
        let report = scan(&content, &["--clients", how]);
        let clients = report["findings"][0]["signs"][0]["clients"]
            .as_array()
            .unwrap()
            .clone();
        assert!(
            clients.iter().any(|c| c.as_str().unwrap().starts_with(want)),
            "{clients:?}"
        );
        assert!(!report.to_string().contains("198.51.100.9"));
    }
}

#[test]
fn use_after_another_party_received_it_is_a_replay() {
    let secret = "q9Zt7LmK2vX8bN4cR6yWq1Zt7LmK2vX8";
    let referer = format!("https://maps.example.org/view?token={secret}");
    let line = |second: u32, client: &str, host: &str, url: &str, referer: &str, agent: &str| {
        let (minute, second) = (second / 60, second % 60);
        format!(
            "{host}:443 {client} - - [01/Jan/2026:10:{minute:02}:{second:02} +0000] \"GET {url} HTTP/1.1\" 200 5 \"{referer}\" \"{agent}\"\n"
        )
    };
    let view = format!("/view?token={secret}");
    let owner = line(0, "203.0.113.5", "maps.example.org", &view, "-", FIREFOX);
    let leak = line(5, "203.0.113.5", "cdn.example.net", "/lib.js", &referer, FIREFOX);
    let thief = line(600, "198.51.100.9", "maps.example.org", &view, "-", CURL);
    let has = |content: &str| {
        let all = seen(content);
        all.into_iter().find(|s| s.0 == "replayed").map(|s| s.1)
    };
    assert_eq!(has(&(owner.clone() + &leak + &thief)).as_deref(), Some("likely"));
    // The same program from another network: its owner may have moved.
    let moved = line(600, "198.51.100.9", "maps.example.org", &view, "-", FIREFOX);
    assert_eq!(
        has(&(owner.clone() + &leak + &moved)).as_deref(),
        Some("possible")
    );
    // The owner goes on; somebody who had it before; nobody received it.
    let owner_again = line(600, "203.0.113.5", "maps.example.org", &view, "-", CURL);
    assert_eq!(has(&(owner.clone() + &leak + &owner_again)), None);
    let before = line(1, "198.51.100.9", "maps.example.org", &view, "-", CURL);
    assert_eq!(has(&(owner.clone() + &before + &leak + &thief)), None);
    assert_eq!(has(&(owner + &thief)), None);
}

#[test]
fn previews_and_crawlers_that_fetch_a_link_have_read_it() {
    let link = "/reset-password?token=a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0";
    let report = scan(
        &(get(0, "203.0.113.5", link, CHROME) + &get(1, "192.0.2.44", link, SLACK)),
        &[],
    );
    is(&signs(&report), &[("crawled", "likely")]);
    let detail = report["findings"][0]["signs"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("1 time, with chat link previews"), "{detail}");
    // A crawler that reads another page, and one to whom only the Referer told it.
    let other = get(0, "203.0.113.5", link, CHROME) + &get(1, "192.0.2.44", "/reset-password", SLACK);
    is(&seen(&other), &[]);
    let referer = format!("https://www.example.org{link}");
    let content = log(&[Line(1, "192.0.2.44", "GET /style.css", 200, &referer, SLACK)]);
    is(&seen(&content), &[]);
}

#[test]
fn what_is_served_after_its_end_is_told() {
    let url = |expires: &str| {
        format!(
            "/a.tif?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}{}%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T080000Z&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
            "AKIA",
            "QYLPMN5HHHFPZAM2",
            "0a".repeat(32)
        )
    };
    let at =
        |url: &str, status: u16| log(&[Line(0, "203.0.113.5", &format!("GET {url}"), status, "-", CURL)]);
    is(&seen(&at(&url("600"), 200)), &[("used-after-expiry", "likely")]);
    // Refused, in time, or so little late that a clock explains it.
    is(&seen(&at(&url("600"), 403)), &[]);
    is(&seen(&at(&url("86400"), 200)), &[]);
    is(&seen(&at(&url("7100"), 200)), &[]);
    // A page may not look at the token; ArcGIS answers refusals with 200.
    let jwt = plainsight::rule::example::fill("{jwt:expired}");
    is(
        &seen(&at(&format!("/api/live?access_token={jwt}"), 200)),
        &[("used-after-expiry", "possible")],
    );
    is(
        &seen(&at(
            &format!("/arcgis/rest/services/A/MapServer?access_token={jwt}"),
            200,
        )),
        &[],
    );
}

fn logins(users: u32, values: u32, status: u16) -> String {
    (0..users.max(values))
        .map(|n| {
            let (user, value) = (n % users, n % values);
            let request = format!("GET /login?user=u{user}&password=Zq81kfUwe_{value}");
            log(&[Line(n * 3, "198.51.100.9", &request, status, "-", CURL)])
        })
        .collect()
}

#[test]
fn many_passwords_for_one_user_are_guesses() {
    let report = scan(&logins(1, 40, 401), &[]);
    is(&signs(&report), &[("guessed", "likely")]);
    let detail = report["findings"][0]["signs"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("40 different passwords for one user; 40 requests refused"),
        "{detail}"
    );
    let broken = logins(1, 40, 401)
        + &get(
            500,
            "198.51.100.9",
            "/login?user=u0&password=Zq81kfUwe_right",
            CURL,
        );
    let report = scan(&broken, &[]);
    let detail = report["findings"][0]["signs"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("may have been right"), "{detail}");
    // Without a user's name: one client, nearly all refused.
    let pins: String = (0..30)
        .map(|n| {
            log(&[Line(
                n,
                "198.51.100.9",
                &format!("GET /door?password=Zq81kfUwe_{n}"),
                403,
                "-",
                CURL,
            )])
        })
        .collect();
    is(&seen(&pins), &[("guessed", "likely")]);
    // Some mistakes; many users who sign in from one office.
    is(&seen(&logins(1, 4, 401)), &[]);
    is(&seen(&logins(40, 40, 200)), &[]);
    is(&seen(&pins.replace(" 403 ", " 200 ")), &[]);
}

#[test]
fn one_password_for_many_users_is_a_spray() {
    is(&seen(&logins(12, 1, 401)), &[("sprayed", "likely")]);
    is(&seen(&logins(3, 1, 401)), &[]);
    // One user from many places.
    is(&seen(&logins(1, 1, 200).repeat(12)), &[]);
}

#[test]
fn a_session_that_outlives_the_sign_in_is_fixed() {
    let id = "A1B2C3D4E5F6A7B8C9D0E1F2A3B4C5D6";
    let at = |second: u32, client: &'static str, request: String, status: u16| {
        log(&[Line(second, client, &request, status, "-", FIREFOX)])
    };
    let page = |n, client, id: &str| at(n, client, format!("GET /app/page{n};jsessionid={id}"), 200);
    let login = |id: &str, status| {
        at(
            60,
            "203.0.113.5",
            format!("POST /app/login;jsessionid={id}"),
            status,
        )
    };
    let me = "203.0.113.5";
    let same = page(0, me, id) + &login(id, 302) + &page(90, me, id);
    is(&seen(&same), &[("session-fixation", "possible")]);
    // Somebody else had it before, and the one who signed in has it since.
    let set = page(0, "198.51.100.9", id) + &page(50, me, id) + &login(id, 302) + &page(90, me, id);
    let all = seen(&set);
    assert!(
        all.contains(&("session-fixation".into(), "likely".into())),
        "{all:?}"
    );
    // Renewed at the sign-in; refused; never signed in; nothing since.
    let new = id.replace("A1B2", "99FF");
    is(
        &seen(&(page(0, me, id) + &login(id, 302) + &page(90, me, &new))),
        &[],
    );
    is(
        &seen(&(page(0, me, id) + &login(id, 401) + &page(90, me, id))),
        &[],
    );
    is(&seen(&(page(0, me, id) + &page(90, me, id))), &[]);
    is(&seen(&(page(0, me, id) + &login(id, 302))), &[]);
}

#[test]
fn signs_are_the_same_from_parts_in_any_order() {
    let dir = Dir::new();
    dir.file("key", [7u8; 32]);
    let mut content = logins(1, 40, 401) + &logins(12, 1, 401);
    for n in 0..30 {
        let client = ["203.0.113.5", "198.51.100.9", "192.0.2.1", "198.18.4.4"][n % 4];
        content += &get(n as u32 * 7, client, TOKEN, [FIREFOX, CURL, SLACK, IPHONE][n % 4]);
    }
    let lines: Vec<&str> = content.lines().collect();
    for part in 0..3 {
        let own = lines.iter().skip(part).step_by(3).map(|l| format!("{l}\n"));
        dir.file(&format!("logs/{part}.log"), own.collect::<String>());
    }
    let base = ["--now", NOW, "--fingerprint-key-file", "key"];
    let scan = |name: &str, input: &str| {
        let out = format!("json={name}");
        dir.run(&[&["scan", input, "-f", &out], base.as_slice()].concat());
    };
    scan("whole.json", "logs");
    (0..3).for_each(|n| scan(&format!("{n}.json"), &format!("logs/{n}.log")));
    let whole = dir.json("whole.json");
    assert!(signs(&whole).len() >= 4, "{:?}", signs(&whole));
    for order in [["0.json", "1.json", "2.json"], ["2.json", "0.json", "1.json"]] {
        let merged = dir.run(&[&["merge", "-f", "json", "--now", NOW], order.as_slice()].concat());
        let merged: Value = serde_json::from_slice(&merged.stdout).unwrap();
        assert_eq!(merged["findings"], whole["findings"]);
        assert_eq!(merged["state"], whole["state"]);
    }
}

#[test]
fn every_output_tells_of_signs() {
    let dir = Dir::new();
    dir.file(
        "access.log",
        get(0, "203.0.113.5", TOKEN, FIREFOX) + &get(60, "198.51.100.9", TOKEN, CURL),
    );
    for format in [
        "table", "markdown", "csv", "html", "sarif", "junit", "github", "json",
    ] {
        let out = dir.run(&[
            "scan",
            "--now",
            NOW,
            "--color",
            "never",
            "-f",
            format,
            "access.log",
        ]);
        let text = String::from_utf8_lossy(&out.stdout).replace('\u{200B}', "");
        assert!(text.contains("several-clients"), "{format}: {text}");
    }
}

#[test]
fn a_desk_and_a_phone_may_be_one_persons() {
    let content = get(0, "203.0.113.5", TOKEN, CHROME) + &get(60, "198.51.100.9", TOKEN, IPHONE);
    is(&seen(&content), &[("several-clients", "possible")]);
    // Two browsers in two networks are not so easily explained.
    let content = get(0, "203.0.113.5", TOKEN, CHROME) + &get(60, "198.51.100.9", TOKEN, FIREFOX);
    is(&seen(&content), &[("several-clients", "likely")]);
}

#[test]
fn many_tokens_refused_to_one_client_are_guesses() {
    let tokens = |count: u32, pause: u32, status: u16| -> String {
        (0..count)
            .map(|n| {
                let request = format!(
                    "GET /reset?reset_token={}",
                    plainsight::rule::example::fill(&format!("{{hex:{}}}", 32 + n))
                );
                log(&[Line(n * pause, "198.51.100.9", &request, status, "-", CURL)])
            })
            .collect()
    };
    let report = scan(&tokens(30, 2, 403), &[]);
    is(&signs(&report), &[("guessed", "possible")]);
    let detail = report["findings"][0]["signs"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("30 different values refused to one client"),
        "{detail}"
    );
    // Accepted, few, or as seldom as a program's tokens are renewed.
    is(&seen(&tokens(30, 2, 200)), &[]);
    is(&seen(&tokens(8, 2, 403)), &[]);
    is(&seen(&tokens(30, 119, 403)), &[]);
}
