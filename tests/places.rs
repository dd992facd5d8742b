//! Where credentials stand and what is said of it: names that are part of longer ones, JSON as forms write it, routes
//! that hold credentials, the way that one took, people whom clients' addresses and names would tell, and advice that
//! fits the place.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, line};
use serde_json::{Value, json};
use std::io::Write;

const TOKEN: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";

fn names(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    let mut all: Vec<&str> = findings.iter().map(|f| f["name"].as_str().unwrap()).collect();
    all.sort_unstable();
    all
}

fn advice(finding: &Value) -> Vec<&str> {
    let all = finding["advice"].as_array().unwrap();
    all.iter().map(|a| a["id"].as_str().unwrap()).collect()
}

#[test]
fn what_stands_behind_a_point_is_the_name() {
    let d = Dir::new();
    d.file(
        "a.log",
        line("/a?credentials.password=Zq81kfUwe_x")
            + &line("/a?form.login.passwd=Zq81kfUwe_y")
            + &line("/a?spring%2Edatasource.pwd=Zq81kfUwe_z")
            + &line("/a?sort.order=descending&page.size=20"),
    );
    assert_eq!(names(&d.scan(&["a.log"])), ["passwd", "password", "pwd"]);
}

#[test]
fn a_blank_in_json_is_a_plus_where_forms_write_it() {
    let d = Dir::new();
    d.file(
        "a.log",
        line("/x?data=%7B%22password%22%3A+%22hunter2SecretX%22%7D")
            + &line("/x?data=%7B%22a%22%3A1%2C+%22password%22%3A+%22hunter2+Secret%22+%7D"),
    );
    let report = d.scan(&["a.log"]);
    assert_eq!(report["summary"]["exposures"], 2, "{report}");
    d.expect(0, &["redact", "a.log", "-o", "b.log"]);
    assert!(!d.read("b.log").contains("hunter2"));
}

#[test]
fn zeros_behind_a_gzip_file_are_padding() {
    let d = Dir::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(line("/a?password=Zq81kfUwe_x").as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    d.file("a.gz", [&gz[..], &[0; 512], &gz, &[0; 70_000]].concat());
    d.file("b.gz", [&gz[..], &[0; 512], b"x"].concat());
    let report = d.scan(&["a.gz", "b.gz"]);
    assert_eq!(report["sources"][0]["status"], "complete", "{report}");
    assert_eq!(report["sources"][0]["exposures"], 2, "{report}");
    assert_eq!(report["sources"][1]["status"], "partial", "{report}");
}

#[test]
fn no_route_holds_what_was_found() {
    let d = Dir::new();
    let token = "EWQHdsUbpTEHModwQncVYztUQlXWKUuX";
    let log = line(&format!("/reset/{token}?password=Zq81kfUwe_x"))
        + &line(&format!("/feed/{token}.ics"))
        // Nothing in its shape tells it, but the path does.
        + &line("/feed/QwertzuiopLkjhgfdsaYxcvbnm.ics?token=q9Zt7LmK2vX8bN4cR6yW1sD3");
    d.file("a.log", &log);
    for format in ["json", "table", "ndjson", "html"] {
        let out = d.run(&["scan", "--now", NOW, "-f", format, "a.log"]);
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(
            !text.contains("HModwQncVY") && !text.contains("LkjhgfdsaY"),
            "{text}"
        );
    }
    let report = d.scan(&["a.log"]);
    let routes = report["findings"].as_array().unwrap().iter().map(|f| &f["route"]);
    for route in routes.filter(|r| !r.is_null()) {
        assert!(route.as_str().unwrap().contains("{secret}"), "{route}");
    }
}

#[test]
fn people_are_hidden_as_clients_are() {
    let d = Dir::new();
    d.file(
        "a.log",
        [
            "198.51.100.77 - remoteuser1 [01/Jan/2026:00:00:00 +0000] \"GET /arcgis/tokens/generateToken?username=joeuser99&password=Gh7kk2mQq&ip=198.51.100.77 HTTP/1.1\" 200 1 \"-\" \"curl/8\"\n",
            "198.51.100.77 - - [01/Jan/2026:00:00:00 +0000] \"GET /reset/jo.path@example.org/?token=q9Zt7LmK2vX8bN4cR6yW1sD3&email=jo.form%40example.org HTTP/1.1\" 200 1 \"https://joebasic77:Zq81kfUwe_x@b.example/\" \"curl/8\"\n",
            &format!("{{\"time_iso8601\":\"2026-11-20T10:00:00+00:00\",\"remote_addr\":\"198.51.100.77\",\"request_uri\":\"/a?api_key={TOKEN}\",\"status\":200,\"http_x_forwarded_for\":\"198.51.100.77\"}}\n"),
        ]
        .concat(),
    );
    let words = [
        "198.51.100.77",
        "remoteuser1",
        "joeuser99",
        "jo.path",
        "jo.form",
        "joebasic77",
    ];
    for clients in ["masked", "hashed"] {
        for format in [
            "json", "ndjson", "html", "markdown", "sarif", "csv", "junit", "table", "part",
        ] {
            let out = d.run(&["scan", "--now", NOW, "--clients", clients, "-f", format, "a.log"]);
            let text = String::from_utf8_lossy(&out.stdout);
            for word in words {
                assert!(!text.contains(word), "{clients} {format}: {word}: {text}");
            }
        }
    }
    let full = d.run(&["scan", "--now", NOW, "-f", "json", "a.log"]);
    assert!(String::from_utf8_lossy(&full.stdout).contains("joeuser99"));
}

#[test]
fn a_credential_is_followed_in_the_order_of_time() {
    let d = Dir::new();
    let at = |hour: &str, url: &str| line(url).replace("01/Jan/2026:00", &format!("01/Jan/2026:{hour}"));
    d.file("z.log", at("05", &format!("/a?token={TOKEN}")));
    d.file("b.log", at("07", &format!("/b?token={TOKEN}")));
    d.file(
        "m.log",
        at("06", "/x").replace("\"-\"", &format!("\"https://c.example/?token={TOKEN}\"")),
    );
    let report = d.scan(&["."]);
    let path = report["credentials"][0]["path"].as_array().unwrap();
    let times: Vec<&Value> = path.iter().map(|s| &s["first_seen"]).collect();
    assert_eq!(
        times,
        [
            &json!("2026-01-01T05:00:00Z"),
            &json!("2026-01-01T06:00:00Z"),
            &json!("2026-01-01T07:00:00Z")
        ]
    );
    let table = d.run(&["scan", "--now", NOW, "."]);
    let table = String::from_utf8_lossy(&table.stdout);
    let place = |text: &str| table.find(text).unwrap_or_else(|| panic!("{text}: {table}"));
    assert!(place("2026-01-01 05:00") < place("-> 2026-01-01 06:00"));
    assert!(place("-> 2026-01-01 06:00") < place("-> 2026-01-01 07:00"));
}

#[test]
fn the_way_tells_when_another_client_had_it() {
    let d = Dir::new();
    let used = |client: &str, hour: &str, path: &str| {
        let line = line(&format!("{path}?token={TOKEN}"));
        let (_, rest) = line.split_once(' ').unwrap();
        format!("{client} {rest}").replace("01/Jan/2026:00", &format!("01/Jan/2026:{hour}"))
    };
    // Of one network, which a phone or a proxy changes addresses in; then of another one.
    let all = [
        used("198.51.100.7", "05", "/a"),
        used("198.51.100.9", "06", "/b"),
        used("203.0.113.5", "07", "/a"),
    ];
    d.file("a.log", all.concat());
    let report = d.scan(&["a.log"]);
    let path = report["credentials"][0]["path"].as_array().unwrap();
    let told = |step: &Value| (step["client"].clone(), step["first_seen"].clone());
    let [first, second, third] = &path[..] else {
        panic!("{path:?}")
    };
    assert_eq!(told(first), (Value::Null, json!("2026-01-01T05:00:00Z")));
    assert_eq!(told(second), (Value::Null, json!("2026-01-01T06:00:00Z")));
    assert_eq!(told(third), (json!("203.0.113.5"), json!("2026-01-01T07:00:00Z")));
    let table = d.run(&["scan", "--now", NOW, "--clients", "masked", "a.log"]);
    let table = String::from_utf8_lossy(&table.stdout);
    let step = "-> 2026-01-01 07:00 from another client: 203.0.113.0/24";
    assert!(table.contains(step), "{table}");
}

#[test]
fn advice_fits_the_place() {
    let d = Dir::new();
    d.file("a.har", format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{{}},\"entries\":[{{\"startedDateTime\":\"2026-01-01T00:00:00Z\",\"request\":{{\"method\":\"POST\",\"url\":\"https://a.example/login\",\"headers\":[{{\"name\":\"Authorization\",\"value\":\"Bearer {TOKEN}\"}}],\"postData\":{{\"mimeType\":\"application/x-www-form-urlencoded\",\"text\":\"user=jo&password=Zq81kfUwe_x\"}}}}}}]}}}}"));
    let report = d.scan(&["a.har"]);
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2, "{report}");
    for f in findings {
        let given = advice(f);
        assert!(given.contains(&"share-har-redacted"), "{given:?}");
        assert!(
            !given.contains(&"move-to-header") && !given.contains(&"move-to-body"),
            "{given:?}"
        );
    }
    // A Referer of our own pages is ours to stop, one of another site's is not.
    let referer = |host: &str| line("/x").replace("\"-\"", &format!("\"https://{host}/?token={TOKEN}\""));
    d.file(
        "own.log",
        format!("gis.example.gov:443 {}", referer("www.example.gov")),
    );
    d.file(
        "other.log",
        format!("gis.example.gov:443 {}", referer("other.example.org")),
    );
    let own = d.scan(&["own.log"]);
    let other = d.scan(&["other.log"]);
    let (own, other) = (advice(&own["findings"][0]), advice(&other["findings"][0]));
    assert!(
        own.contains(&"referrer-policy") && !own.contains(&"referer-of-another-site"),
        "{own:?}"
    );
    assert!(other.contains(&"referer-of-another-site"), "{other:?}");
    assert!(
        !other.iter().any(|id| id.starts_with("referrer-policy")),
        "{other:?}"
    );
}

#[test]
fn what_stays_in_the_browser_was_received_by_nobody() {
    let d = Dir::new();
    let inner = format!("https%3A%2F%2Fa.example.org%2F%3Ftoken%3D{TOKEN}");
    let history = [
        format!("https://viewer.other.com/#url={inner}"),
        format!("chrome-extension://abcdefghijklmnop/suspended.html?uri={inner}"),
        format!("https://third.other.com/?url={inner}"),
    ];
    let rows: Vec<Value> = history
        .iter()
        .map(|url| json!({"page_transition": "LINK", "title": "t", "url": url, "client_id": "x", "time_usec": 1_767_225_600_000_000u64}))
        .collect();
    d.file(
        "BrowserHistory.json",
        json!({"Browser History": rows}).to_string(),
    );
    let report = d.scan(&["BrowserHistory.json"]);
    let mut received: Vec<String> = Vec::new();
    for f in report["findings"].as_array().unwrap() {
        received.extend(
            f["leaked_to"]
                .as_array()
                .unwrap()
                .iter()
                .map(|h| h.as_str().unwrap().to_string()),
        );
    }
    assert_eq!(received, ["third.other.com"], "{report}");
}

#[test]
fn what_was_found_is_hidden_where_it_stands_again() {
    let d = Dir::new();
    d.file(
        "a.log",
        line("/login?user=jo&password=Hunter2x&again=Hunter2x")
            + &line("/x/correct-horse-battery/y?password=correct-horse-battery"),
    );
    for format in ["json", "html", "csv", "sarif"] {
        let out = d.run(&["scan", "--now", NOW, "-f", format, "a.log"]);
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(
            !text.contains("Hunter2x") && !text.contains("correct-horse"),
            "{format}: {text}"
        );
    }
}

#[test]
fn claims_of_a_token_are_told_without_what_may_be_a_credential() {
    let d = Dir::new();
    let part = |json: &str| data_encoding::BASE64URL_NOPAD.encode(json.as_bytes());
    let claims =
        r#"{"iss":"https://jo:Hunter2x@idp.example/realm?access_token=Zq81kfUweZq81kfUwe#x","sub":"1"}"#;
    let jwt = format!(
        "{}.{}.{}",
        part(r#"{"alg":"HS256"}"#),
        part(claims),
        "a".repeat(43)
    );
    d.file("a.log", line(&format!("/a?access_token={jwt}")));
    let report = d.scan(&["a.log"]).to_string();
    assert!(report.contains("https://idp.example/realm\""), "{report}");
    assert!(
        !report.contains("Hunter2x") && !report.contains("Zq81kfUwe"),
        "{report}"
    );
}

#[test]
fn cookies_that_are_set_together_are_each_one() {
    let d = Dir::new();
    let (one, two) = (&TOKEN[..32], &TOKEN[7..39]);
    let cookies = format!("PHPSESSID={one}; Path=/; HttpOnly, JSESSIONID={two}; Path=/");
    d.file(
        "a.log",
        json!({"time": "2026-01-01T00:00:00Z", "request": "GET / HTTP/1.1", "status": 200,
        "remote_addr": "192.0.2.1", "sent_http_set_cookie": cookies})
        .to_string()
            + "\n",
    );
    let report = d.scan(&["a.log"]);
    let lengths: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["evidence"][0]["credential"]["length"])
        .collect();
    assert_eq!(lengths, [&json!(32), &json!(32)], "{report}");
}

#[test]
fn what_is_nested_deeper_than_it_is_followed_is_not_complete() {
    let nested = |levels: usize| {
        let mut url = format!("https://a.example/x?token={TOKEN}");
        for _ in 0..levels {
            let coded: String = url
                .bytes()
                .map(|b| match b {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(b).to_string(),
                    _ => format!("%{b:02X}"),
                })
                .collect();
            url = format!("https://a.example/x?next={coded}");
        }
        url
    };
    for (levels, found, status) in [(1, 1, "complete"), (6, 1, "complete"), (9, 0, "partial")] {
        let d = Dir::new();
        d.file("a.log", line(&nested(levels)));
        let report = d.scan(&["a.log"]);
        assert_eq!(report["summary"]["exposures"], found, "{levels}");
        assert_eq!(report["sources"][0]["status"], status, "{levels}");
    }
}
