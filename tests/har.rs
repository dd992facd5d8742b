//! HAR captures as they come: wrapped, cut off, with members missing, with bodies too long to be held.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::Dir;
use common::capture::{TOKEN, entry, scanned};
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn wrapped_and_sparse_captures_are_read() {
    let url = format!("https://h.example/a?access_token={TOKEN}");
    let har =
        json!({"log": {"entries": [entry(&url), {}, entry(""), entry("://"), entry("data:,x")]}}).to_string();
    for text in [
        har.clone(),
        format!("\u{feff}{har}"),
        format!("onInputData({har});"),
        format!("\n {har} \n"),
    ] {
        let (found, source, _) = scanned(text.as_bytes());
        assert_eq!(found.len(), 1, "{text}");
        let offset = found[0]["offset"].as_u64().unwrap() as usize;
        assert!(text[offset..].starts_with(TOKEN));
        assert_eq!(
            (&source["format"], &source["records"]),
            (&json!("har"), &json!(5))
        );
        assert_eq!(source["status"], "complete");
    }
}

/// Every place of a capture that can carry a credential, and the field that it is told as.
#[test]
fn every_carrier_is_read() {
    let plain = "https://h.example/a";
    let json = format!(r#"{{"access_token":"{TOKEN}"}}"#);
    let nested = json!({"data": json}).to_string();
    let soap = format!(
        "<soap:Envelope><wsse:UsernameToken><wsse:Username>jo</wsse:Username><wsse:Password Type=\"x#PasswordText\">{TOKEN}</wsse:Password></wsse:UsernameToken></soap:Envelope>"
    );
    let multipart =
        format!("--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{TOKEN}\r\n--b--\r\n");
    let url = format!("{plain}?token={TOKEN}");
    let request = |more: Value| {
        let mut all = json!({"method": "POST", "url": plain});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"request": all, "response": {"status": 200}})
    };
    let response = |more: Value| json!({"request": {"method": "GET", "url": plain}, "response": more});
    let post = |kind: &str, text: &str| request(json!({"postData": {"mimeType": kind, "text": text}}));
    let content = |text: &str| {
        response(json!({"status": 200, "content": {"mimeType": "application/json", "text": text}}))
    };
    for (entry, field) in [
        (entry(&url), "url"),
        (
            request(json!({"queryString": [{"name": "token", "value": TOKEN}]})),
            "url",
        ),
        (
            request(json!({"headers": [{"name": "authorization", "value": format!("Bearer {TOKEN}")}]})),
            "request-header",
        ),
        (
            request(
                json!({"headers": [{"name": "X-Esri-Authorization", "value": format!("Bearer {TOKEN}")}]}),
            ),
            "request-header",
        ),
        (
            request(json!({"headers": [{"name": "Referer", "value": url}]})),
            "referer",
        ),
        (
            request(json!({"headers": [{"name": "Cookie", "value": format!("a=b; agwtoken={TOKEN}")}]})),
            "cookie",
        ),
        (
            request(json!({"cookies": [{"name": "agwtoken", "value": TOKEN}]})),
            "cookie",
        ),
        (
            request(json!({"postData": {"params": [{"name": "client_secret", "value": TOKEN}]}})),
            "request-body",
        ),
        (
            post(
                "application/x-www-form-urlencoded",
                &format!("a=1&client_secret={TOKEN}"),
            ),
            "request-body",
        ),
        (post("application/json", &json), "request-body"),
        (
            post("multipart/form-data; boundary=b", &multipart),
            "request-body",
        ),
        (post("text/xml", &soap), "request-body"),
        (response(json!({"status": 302, "redirectURL": url})), "location"),
        (
            response(json!({"status": 302, "headers": [{"name": "Location", "value": url}]})),
            "location",
        ),
        (
            response(
                json!({"status": 200, "headers": [{"name": "Set-Cookie", "value": format!("agwtoken={TOKEN}; Path=/")}]}),
            ),
            "response-header",
        ),
        (
            response(json!({"status": 200, "cookies": [{"name": "agwtoken", "value": TOKEN}]})),
            "response-header",
        ),
        (content(&json), "response-body"),
        (content(&nested), "response-body"),
        (
            response(
                json!({"status": 200, "content": {"encoding": "base64", "text": data_encoding::BASE64.encode(json.as_bytes())}}),
            ),
            "response-body",
        ),
        (
            json!({"request": {"url": plain}, "_webSocketMessages": [{"type": "send", "data": json}]}),
            "request-body",
        ),
        (
            json!({"request": {"url": plain}, "_webSocketMessages": [{"type": "receive", "data": json}]}),
            "response-body",
        ),
        (
            json!({"request": {"url": plain}, "_initiator": {"stack": {"callFrames": [{"url": url}]}}}),
            "text",
        ),
        (
            json!({"request": {"url": plain}, "comment": format!("see {url}")}),
            "text",
        ),
    ] {
        let (found, ..) = scanned(json!({"log": {"entries": [entry]}}).to_string().as_bytes());
        let fields: Vec<&Value> = found.iter().map(|e| &e["field"]).collect();
        assert_eq!(fields, [field], "{entry}");
        assert_eq!(
            (found[0]["length"].as_u64(), &found[0]["surface"]),
            (Some(32), &json!("har")),
            "{entry}"
        );
    }
    let page = json!({"log": {"pages": [{"title": url}], "entries": []}});
    assert_eq!(scanned(page.to_string().as_bytes()).0[0]["field"], "title");
}

#[test]
fn utf16_documents_are_read_as_what_they_are() {
    let url = format!("https://h.example/a?access_token={TOKEN}");
    let har =
        json!({"log": {"pages": [{"title": "Straße 日本 \u{1F30D}"}], "entries": [entry(&url), entry("")]}});
    let bookmarks =
        json!({"roots": {"bookmark_bar": {"children": [{"type": "url", "url": url, "name": "Größe"}]}}});
    let html =
        format!("<!DOCTYPE NETSCAPE-Bookmark-file-1>\r\n<DL><DT>Größe 日本<DT><A HREF=\"{url}\">n</A></DL>");
    for (text, format) in [
        (har.to_string(), "har"),
        (bookmarks.to_string(), "chromium-bookmarks"),
        (html, "netscape-bookmarks"),
    ] {
        for (mark, unit) in [
            ([0xFF, 0xFE], u16::to_le_bytes as fn(u16) -> [u8; 2]),
            ([0xFE, 0xFF], u16::to_be_bytes),
        ] {
            let mut raw = mark.to_vec();
            raw.extend(text.encode_utf16().flat_map(unit));
            let (found, source, _) = scanned(&raw);
            assert_eq!(source["format"], format);
            assert_eq!(source["bytes"], raw.len());
            assert_eq!(found.len(), 1, "{format}");
            // The offset is that of the bytes as they stand in the file.
            let offset = found[0]["offset"].as_u64().unwrap() as usize;
            let value: Vec<u8> = TOKEN.encode_utf16().flat_map(unit).collect();
            assert!(raw[offset..].starts_with(&value), "{format}");
        }
    }
}

#[test]
fn threads_share_a_capture_and_change_nothing() {
    let body = "x".repeat(3000);
    let entries: Vec<Value> = (0..2000)
        .map(|n| {
            let mut e = entry(&format!("https://h.example/a?access_token={TOKEN}{n}&page={n}"));
            e["response"]["content"] = json!({"text": body});
            e
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.har");
    std::fs::write(&path, json!({"log": {"entries": entries}}).to_string()).unwrap();
    std::fs::write(dir.path().join("key"), "0123456789abcdef0123456789abcdef").unwrap();
    let run = |format: &str, jobs: &str| {
        let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .args(["scan", "--fail-on", "never", "-f", format, "--jobs", jobs])
            .args(["--now", "2026-11-21T00:00:00Z", "--fingerprint-key-file"])
            .arg(dir.path().join("key"))
            .arg(&path)
            .output()
            .unwrap();
        assert!(out.status.success());
        out.stdout
    };
    for format in ["ndjson", "json"] {
        let one = run(format, "1");
        assert_eq!(
            one.iter().filter(|b| **b == b'\n').count() > 2000,
            format == "ndjson"
        );
        for jobs in ["2", "5"] {
            assert!(run(format, jobs) == one, "{format} with {jobs} threads");
        }
    }
}

#[test]
fn pictures_are_passed_over_and_text_in_base64_is_not() {
    let body = |bytes: &[u8], entries: usize| {
        let mut e = entry("https://h.example/a");
        let text = data_encoding::BASE64.encode(&bytes.repeat(entries));
        e["response"]["content"] = json!({"text": text, "encoding": "base64"});
        json!({"log": {"entries": [e]}}).to_string()
    };
    let text = format!("\n{{\"access_token\":\"{TOKEN}\"}} ");
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), text.as_bytes()].concat();
    for (bytes, found) in [(text.as_bytes(), true), (&picture, false)] {
        for times in [1, 40_000] {
            let got = scanned(body(bytes, times).as_bytes()).0.len();
            assert_eq!(got > 0, found, "{times}");
        }
    }
}

#[test]
fn a_capture_that_breaks_off_gives_what_was_read() {
    let url = format!("https://h.example/a?access_token={TOKEN}");
    let har = json!({"log": {"entries": [entry(&url), entry(&url)]}}).to_string();
    let cut = har.rfind(TOKEN).unwrap() + TOKEN.len() + 4;
    let (found, source, code) = scanned(&har.as_bytes()[..cut]);
    assert_eq!((found.len(), code), (2, 2));
    assert_eq!(source["status"], "partial");
    let problem = source["problem"].as_str().unwrap();
    assert!(problem.contains("cut off after 1 entries"), "{problem}");
}

#[test]
fn a_capture_that_breaks_off_at_once_is_not_complete() {
    let d = Dir::new();
    for (n, text) in ["{", "{\"lo", "{\"log\":{\"version\":\"1.2\",\"crea"]
        .iter()
        .enumerate()
    {
        let name = format!("{n}.har");
        d.file(&name, text);
        let report = d.scan(&[&name]);
        assert_eq!(report["sources"][0]["status"], "partial", "{text}: {report}");
    }
    // What ends is what it is.
    d.file("other.har", "{\"log\":1}");
    assert_eq!(d.scan(&["other.har"])["sources"][0]["status"], "complete");
}

#[test]
fn what_a_har_says_twice_counts_once() {
    let har = json!({"log": {"entries": [{
        "request": {
            "url": "https://h.example/login?password=Zq81kfUwe_x", "method": "GET",
            "queryString": [{"name": "password", "value": "Zq81kfUwe_x"}],
            "headers": [{"name": "Cookie", "value": format!("sid={TOKEN}")}],
            "cookies": [{"name": "sid", "value": TOKEN}],
        },
        "response": {
            "status": 302, "redirectURL": format!("https://h.example/cb?code={TOKEN}"),
            "headers": [{"value": format!("https://h.example/cb?code={TOKEN}"), "name": "location"}],
        },
    }, {
        "request": {"url": "https://h.example/", "method": "POST",
            "queryString": [{"name": "pin_password", "value": "x"}],
            "postData": {"params": [{"name": "password", "value": "Zq81kfUwe_y"}]}},
    }]}});
    let (found, _, _) = scanned(har.to_string().as_bytes());
    let got: Vec<(u64, &str, &str)> = found
        .iter()
        .map(|e| {
            (
                e["entry"].as_u64().unwrap(),
                e["field"].as_str().unwrap(),
                e["name"].as_str().unwrap(),
            )
        })
        .collect();
    let want = [
        (0, "url", "password"),
        (0, "cookie", "sid"),
        (0, "location", "code"),
        (1, "request-body", "password"),
    ];
    let mut sorted = got.clone();
    sorted.sort();
    let mut want = want.to_vec();
    want.sort();
    assert_eq!(sorted, want);
}

#[test]
fn bodies_of_any_length_are_read_to_their_end() {
    // Each planted value is another, so that each has to be found, and where it is cut by a window all the same.
    let mut body = String::from("[");
    let mut planted = 0;
    while body.len() < 3 << 20 {
        planted += 1;
        body += &format!("{{\"id\":{planted},\"access_token\":\"q9Zt7LmK2vX8bN4cR6yW{planted:012}\"}},\n");
        body += &"{\"text\":\"no \\u00e9 leak\"},".repeat(60 + planted % 7);
    }
    body += "0]";
    let response = |content: Value| {
        json!({"log": {"entries": [
            entry("https://h.example/x"),
            {"startedDateTime": "2026-01-01T00:00:00Z", "request": {"url": "https://h.example/big", "method": "GET"},
             "response": {"content": content, "status": 200}},
            entry("https://h.example/y"),
        ]}})
        .to_string()
    };
    let plain = response(json!({"mimeType": "application/json", "text": body}));
    let base64 =
        response(json!({"text": data_encoding::BASE64.encode(body.as_bytes()), "encoding": "base64"}));
    for (what, har) in [("plain", &plain), ("base64", &base64)] {
        let (found, source, _) = scanned(har.as_bytes());
        assert_eq!(source["status"], "complete");
        assert_eq!(found.len(), planted, "{what}");
        let mut distinct: Vec<&str> = found.iter().map(|e| e["fingerprint"].as_str().unwrap()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), planted, "{what}");
        assert!(
            found
                .iter()
                .all(|e| e["entry"] == 1 && e["field"] == "response-body"),
            "{what}"
        );
        assert!(
            found
                .iter()
                .all(|e| e["host"] == "h.example" && e["status"].is_null()),
            "{what}"
        );
    }
    let (found, _, _) = scanned(plain.as_bytes());
    for e in &found {
        let offset = e["offset"].as_u64().unwrap() as usize;
        assert!(plain[offset..].starts_with("q9Zt7LmK2vX8bN4cR6yW"));
    }
}

#[test]
fn the_reply_tells_how_long_its_token_lives() {
    // ArcGIS answers with milliseconds since 1970.
    let reply = |expires: u64| {
        json!({"token": format!("{TOKEN}{TOKEN}.."), "expires": expires, "ssl": true}).to_string()
    };
    for (expires, state, until) in [
        (1_795_255_200_000, "unexpired", "2026-11-21T10:00:00Z"),
        (1_763_632_800_000, "expired", "2025-11-20T10:00:00Z"),
    ] {
        let mut entry = entry("https://gis.example.gov/arcgis/tokens/generateToken");
        entry["response"]["content"] = json!({"mimeType": "application/json", "text": reply(expires)});
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.har");
        std::fs::write(&path, json!({"log": {"entries": [entry]}}).to_string()).unwrap();
        let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .args(["scan", "-f", "json", "--now", "2026-11-21T00:00:00Z"])
            .arg(&path)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let life = &report["findings"][0]["liveness"];
        assert_eq!(
            (&life["state"], &life["until"]),
            (&json!(state), &json!(until)),
            "{report}"
        );
    }
}

#[test]
fn the_policy_of_the_page_is_named_in_the_advice() {
    let page = format!("https://maps.example/view?access_token={TOKEN}");
    let entries = |header: Value| {
        json!({"log": {"entries": [
            {"request": {"method": "GET", "url": page},
             "response": {"status": 200, "headers": header, "content": {"mimeType": "text/html; charset=utf-8"}}},
            {"request": {"method": "GET", "url": "https://cdn.example.org/lib.js", "headers": [{"name": "Referer", "value": page}]},
             "response": {"status": 200, "headers": [{"name": "Referrer-Policy", "value": "origin"}], "content": {"mimeType": "text/javascript"}}},
        ]}})
        .to_string()
    };
    let advice = |har: &str| -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capture.har");
        std::fs::write(&path, har).unwrap();
        let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .args(["scan", "--fail-on", "never", "-f", "json"])
            .arg(&path)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let referer = findings.iter().find(|f| f["field"] == "referer").unwrap();
        let steps = referer["advice"].as_array().unwrap();
        let step = steps.iter().find(|a| a["id"] == "referrer-policy").unwrap();
        step["text"].as_str().unwrap().to_owned()
    };
    let said = advice(&entries(
        json!([{"name": "referrer-policy", "value": "no-such, unsafe-url, new-one"}]),
    ));
    assert!(
        said.contains("Its pages were seen to say `unsafe-url` now."),
        "{said}"
    );
    let unset = advice(&entries(json!([{"name": "Server", "value": "x"}])));
    assert!(unset.contains("were seen to set no Referrer-Policy"), "{unset}");
    let unknown = advice(&entries(json!([])));
    assert!(!unknown.contains("were seen"), "{unknown}");
}

#[test]
fn the_life_that_a_reply_tells_holds_for_the_urls_that_use_the_token() {
    let reply = json!({"token": TOKEN, "expires": 1_893_456_000_000_u64, "ssl": true}).to_string();
    let har = json!({"log": {"entries": [
        {"startedDateTime": "2026-11-20T00:00:00Z",
         "request": {"method": "POST", "url": "https://gis.example/portal/sharing/rest/generateToken"},
         "response": {"status": 200, "content": {"mimeType": "application/json", "text": reply}}},
        {"startedDateTime": "2026-11-20T00:00:01Z",
         "request": {"method": "GET", "url": format!("https://gis.example/arcgis/rest/services?token={TOKEN}")},
         "response": {"status": 200}},
    ]}});
    let dir = common::Dir::new();
    let path = dir.file("capture.har", har.to_string());
    let report = dir.scan(&[path.to_str().unwrap()]);
    let findings = report["findings"].as_array().unwrap();
    let used = findings.iter().find(|f| f["field"] == "url").unwrap();
    assert_eq!(used["liveness"]["state"], "unexpired", "{used}");
    assert_eq!(used["liveness"]["until"], "2030-01-01T00:00:00Z");
    assert_eq!(used["liveness"]["counts"], json!({"unexpired": 1}));
}
