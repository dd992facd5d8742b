//! Credentials that stand behind something: a log's own words before a header's name, escapes of several programs, running
//! text inside of values, rows of another layout, what a wrapper says beside the line.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::capture::{TOKEN, entry, scanned};
use common::{Dir, line, percent};
use plainsight::rule::example::fill;
use serde_json::{Value, json};

/// Rule, name and what else is asked of each exposure in a log of these lines.
fn found(log: &str) -> Vec<(String, String)> {
    let (exposures, _, _) = scanned(log.as_bytes());
    let text = |e: &Value, key: &str| e[key].as_str().unwrap_or_default().to_owned();
    exposures
        .iter()
        .map(|e| (text(e, "field"), text(e, "name")))
        .collect()
}

/// The findings of a capture.
fn findings(har: &Value) -> Vec<Value> {
    let d = Dir::new();
    d.file("a.har", har.to_string());
    d.scan(&["a.har"])["findings"].as_array().unwrap().clone()
}

#[test]
fn a_word_of_the_log_stands_before_a_header_s_name() {
    for (log, name) in [
        (
            json!({"time": "2026-11-20T10:00:00Z", "remote_addr": "192.0.2.9", "request_uri": "/x", "status": 200,
                "http_authorization": format!("Bearer {TOKEN}")}),
            "authorization",
        ),
        (
            json!({"ClientAddr": "192.0.2.9:1", "ClientHost": "192.0.2.9", "DownstreamStatus": 200, "RequestHost": "a",
                "RequestMethod": "GET", "RequestPath": "/x", "StartUTC": "2026-11-20T10:00:00Z", "request_X-Api-Key": TOKEN}),
            "x-api-key",
        ),
    ] {
        let log = log.to_string() + "\n";
        let names: Vec<String> = found(&log).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, [name], "{log}");
    }
    let waf = format!(
        r#"{{"timestamp": 1795168800000, "httpRequest": {{"clientIp": "192.0.2.9", "headers": [{{"name": "X-Api-Key", "value": "{TOKEN}"}}], "uri": "/x", "args": "", "httpMethod": "GET"}}}}"#
    );
    assert_eq!(found(&waf).len(), 1);
}

#[test]
fn escapes_of_any_program_may_stand_before_it() {
    let tokens = [
        fill("hf_{letters:34}"),
        fill("SG.{b64url:22}.{b64url:43}"),
        fill("EAAC{alnum:170}"),
    ];
    for token in &tokens {
        for url in [
            format!("/z?p=%7B%22foo%22%3A%22{token}%22%7D"),
            format!("/z?p=%5B%22{token}%22%5D"),
            format!("/z/a%2F{token}"),
            format!("/z?p=a%20{token}"),
        ] {
            assert_eq!(found(&line(&url)).len(), 1, "{url}");
        }
        assert_eq!(
            found(&format!("the tool printed {token} at noon\n")).len(),
            1,
            "{token}"
        );
    }
    let nested = format!("/x?q=%7B%22a%22%3A%22%7B%5C%22token%5C%22%3A%5C%22{TOKEN}%5C%22%7D%22%7D");
    assert_eq!(found(&line(&nested)).len(), 1);
    assert_eq!(
        found(&format!("{{\"a\":1,\"\\u0074ok\\u0065n\":\"{TOKEN}\"}}\n")).len(),
        1
    );
    let haproxy = format!(
        "Nov 20 10:00:00 lb haproxy[1]: 192.0.2.9:33317 [20/Nov/2026:10:00:00.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 \"GET /y?d={{#22token#22:#22{TOKEN}#22}} HTTP/1.1\"\n"
    );
    assert_eq!(found(&haproxy).len(), 1);
}

#[test]
fn other_lines_stand_behind_a_header_of_fields() {
    let iis = "#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status\n2026-11-20 10:00:00 192.0.2.1 GET /a - 200\n";
    for other in [
        format!("worker saw token={TOKEN} here\n"),
        format!("saw https://a.example.com/x?token={TOKEN} today\n"),
        line(&format!("/x?token={TOKEN}")),
        format!(
            "2026/11/20 10:00:00 [error] 1#1: *1 open() failed, client: 192.0.2.9, server: a, request: \"GET /x?token={TOKEN} HTTP/1.1\", host: \"a\"\n"
        ),
        format!("2026-11-20 10:00:00 192.0.2.9 - 10.0.0.1 443 GET /x token={TOKEN} 200 M\n"),
        format!("2026-11-20 10:00:01 192.0.2.1 GET /a token={TOKEN} 200\n"),
    ] {
        let names: Vec<String> = found(&format!("{iis}{other}"))
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(names, ["token"], "{other}");
    }
}

#[test]
fn what_a_wrapper_says_beside_the_line_is_read() {
    let journal = json!({"__REALTIME_TIMESTAMP": "1795168800000000", "_HOSTNAME": "w", "MESSAGE": "started",
        "_CMDLINE": format!("curl https://a.example.com/x?token={TOKEN}")});
    assert_eq!(found(&journal.to_string()).len(), 1);
}

#[test]
fn running_text_in_a_value_is_followed() {
    let url = format!("https://app.example.com/cb?access_token={TOKEN}");
    let post = |body: Value| {
        json!({"request": {"method": "POST", "url": "https://o1.ingest.sentry.io/api/1/store/",
                "postData": {"mimeType": "application/json", "text": body.to_string()}},
            "response": {"status": 200}})
    };
    let entries = [
        post(json!({"message": format!("GET {url} failed")})),
        post(json!({"message": format!("GET ({url}), line 3")})),
        post(json!({"html": format!("<a href=\"{url}\">x</a>")})),
    ];
    let findings = findings(&json!({"log": {"entries": entries}}));
    assert_eq!(
        findings
            .iter()
            .map(|f| f["exposures"].as_u64().unwrap())
            .sum::<u64>(),
        entries.len() as u64
    );
    for f in &findings {
        let told = (&f["host"], &f["leaked_to"], &f["credentials"], &f["part"]);
        let want = (
            &json!("app.example.com"),
            &json!(["o1.ingest.sentry.io"]),
            &json!(1),
            &json!("query"),
        );
        assert_eq!(told, want, "{f}");
    }
    // A placeholder in brackets stays one.
    for text in [
        "user saw https://a.example.com/x?password=(null) today\n",
        "see https://a.example.com/x?password={token} now\n",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
    assert_eq!(
        found(&format!(
            "saw https://jo:Zq81kfUwe_1@a.example.com/ and (https://b.example.com/?token={TOKEN})\n"
        ))
        .len(),
        2
    );
}

#[test]
fn who_answers_has_received_nothing() {
    let body = json!({"download": format!("https://cdn.files.net/f?access_token={TOKEN}")}).to_string();
    let answered = findings(
        &json!({"log": {"entries": [{"request": {"method": "GET", "url": "https://api.example.com/files"},
        "response": {"status": 200, "content": {"mimeType": "application/json", "text": body}}}]}}),
    );
    assert_eq!(answered[0]["leaked_to"], json!([]), "{answered:?}");
    // The fragment of a page's address is received where all of the address is sent.
    let page = format!("https%3A%2F%2Fapp.example.com%2Fcb%23access_token%3D{TOKEN}");
    let sent = findings(
        &json!({"log": {"entries": [entry(&format!("https://www.google-analytics.com/g/collect?v=2&dl={page}"))]}}),
    );
    assert_eq!(
        sent[0]["leaked_to"],
        json!(["www.google-analytics.com"]),
        "{sent:?}"
    );
}

#[test]
fn a_signed_url_is_one_exposure_wherever_it_stands() {
    let signed = fill(
        "https://b.s3.amazonaws.com/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA{base32:16}%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T080000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature={hex:64}",
    );
    let encoded = percent(&signed);
    for log in [
        line(&format!("/go?url={encoded}")),
        format!("fetched {signed} today\n"),
    ] {
        assert_eq!(found(&log).len(), 1, "{log}");
    }
}

#[test]
fn a_server_s_own_format_names_cookies_and_parameters() {
    let d = Dir::new();
    d.file(
        "a.log",
        format!("192.0.2.7 - - [20/Nov/2026:10:00:00 +0000] \"GET /x HTTP/1.1\" 200 5 {TOKEN}\n"),
    );
    for (format, field, part) in [
        ("%h %l %u %t \"%r\" %s %b %S", "cookie", "form"),
        (
            "$remote_addr - - [$time_local] \"$request\" $status $body_bytes_sent $cookie_phpsessid",
            "cookie",
            "form",
        ),
        (
            "$remote_addr - - [$time_local] \"$request\" $status $body_bytes_sent $arg_token",
            "url",
            "query",
        ),
    ] {
        let report = d.scan(&["a.log", "--log-format", format]);
        let finding = &report["findings"][0];
        assert_eq!(
            (&finding["field"], &finding["part"]),
            (&json!(field), &json!(part)),
            "{format}"
        );
    }
}

#[test]
fn lines_are_counted_alike_from_a_file_and_a_stream() {
    let log = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-11-20 10:00:00\n#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status\n2026-11-20 10:00:00 192.0.2.1 GET /a token=q9Zt7LmK2vX8bN4cR6yW1sD3 200\n";
    let d = Dir::new();
    let path = d.file("a.log", log);
    let from_file = &d.scan(&["a.log"])["sources"][0];
    let out = common::command(d.path())
        .args(["scan", "-f", "json", "-"])
        .stdin(std::fs::File::open(path).unwrap())
        .output()
        .unwrap();
    let streamed: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(from_file["unparsed"], streamed["sources"][0]["unparsed"]);
    // One line that is read in windows is one.
    let long = line(&format!(
        "/a?{}",
        format!("x={}&token={TOKEN}&", "y".repeat(900_000)).repeat(4)
    ));
    d.file("long.log", &long);
    let source = &d.scan(&["long.log"])["sources"][0];
    assert!(
        source["unparsed"].as_u64() <= source["records"].as_u64(),
        "{source}"
    );
}

#[test]
fn fish_writes_commands_as_others_do() {
    let d = Dir::new();
    let history = format!(
        "- cmd: curl -H 'Authorization: Bearer {TOKEN}' https://a.example.com\n  when: 1794304900\n- cmd: curl -u jo:Zq81kfUwe_1 https://a.example.com\n  when: 1794304901\n"
    );
    d.file("fish_history", history);
    assert_eq!(d.scan(&["fish_history"])["summary"]["exposures"], 2);
}
