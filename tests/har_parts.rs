//! HAR captures of any size and shape: entries of many members, long strings, several documents, odd bodies.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::capture::{TOKEN, entry, scanned};
use serde_json::{Value, json};

/// What was found: entry, field and the value's number.
fn places(found: &[Value], text: &str) -> Vec<(u64, String, String)> {
    let one = |e: &Value| {
        let offset = e["offset"].as_u64().unwrap() as usize;
        let length = e["length"].as_u64().unwrap() as usize;
        let number = text
            .get(offset + TOKEN.len()..offset + length)
            .unwrap_or_default();
        (
            e["entry"].as_u64().unwrap(),
            e["field"].as_str().unwrap().to_string(),
            number.to_string(),
        )
    };
    found.iter().map(one).collect()
}

#[test]
fn entries_of_many_members_are_read_as_small_ones_are() {
    let filler = "lorem ipsum dolor ".repeat(64);
    for (count, text) in [(6_000, "x"), (18_000, filler.as_str())] {
        let message = |n: usize, data: &str| {
            let kind = ["send", "receive"][n % 2];
            format!(
                r#"{{"type":"{kind}","time":{n},"opcode":1,"data":{}}}"#,
                json!(data)
            )
        };
        let planted = [1, count / 2, count * 8 / 9, count - 1];
        let messages: Vec<String> = (0..count)
            .map(|n| match planted.iter().position(|p| *p == n) {
                Some(i) => message(n, &json!({"access_token": format!("{TOKEN}{i}")}).to_string()),
                None => message(n, text),
            })
            .collect();
        let request = json!({
            "method": "GET", "url": format!("https://h.example/hub?token={TOKEN}4"),
            "headers": [{"name": "Authorization", "value": format!("Bearer {TOKEN}5")},
                        {"name": "Cookie", "value": format!("sid={TOKEN}6")}],
        });
        let har = format!(
            r#"{{"log":{{"entries":[{},{{"_webSocketMessages":[{}],"request":{request},"response":{{"status":101}}}},{}]}}}}"#,
            entry("https://h.example/"),
            messages.join(","),
            entry(&format!("https://h.example/?token={TOKEN}7"))
        );
        let (found, source, _) = scanned(har.as_bytes());
        assert_eq!(
            (&source["status"], &source["records"]),
            (&json!("complete"), &json!(3))
        );
        let mut got = places(&found, &har);
        got.sort_by_key(|p| p.2.clone());
        let sent = |n: usize| {
            if planted[n] % 2 == 0 {
                "request-body"
            } else {
                "response-body"
            }
        };
        let want: Vec<(u64, String, String)> = [
            (1, sent(0)),
            (1, sent(1)),
            (1, sent(2)),
            (1, sent(3)),
            (1, "url"),
            (1, "request-header"),
            (1, "cookie"),
            (2, "url"),
        ]
        .iter()
        .enumerate()
        .map(|(n, (entry, field))| (*entry, field.to_string(), n.to_string()))
        .collect();
        assert_eq!(got, want, "{count}");
        if text.len() < 9 {
            assert!(found.iter().all(|e| e["host"] == "h.example"));
            assert!(
                found
                    .iter()
                    .filter(|e| e["field"] != "request-header" && e["field"] != "cookie")
                    .all(|e| !e["route"].is_null())
            );
        }
    }
}

#[test]
fn headers_of_many_megabytes_are_read_to_the_last() {
    let filler = "lorem ipsum dolor ".repeat(64);
    let mut e = entry("https://h.example/");
    let mut headers: Vec<Value> = (0..18_000)
        .map(|n| json!({"name": format!("X-A{n}"), "value": filler}))
        .collect();
    headers.push(json!({"name": "Authorization", "value": format!("Bearer {TOKEN}0")}));
    headers.push(json!({"value": format!("https://o.example/?token={TOKEN}1"), "name": "Referer"}));
    e["request"]["headers"] = json!(headers);
    let har = json!({"log": {"entries": [e]}}).to_string();
    let (found, source, _) = scanned(har.as_bytes());
    assert_eq!(source["status"], "complete");
    let want = [(0, "request-header", "0"), (0, "referer", "1")];
    assert_eq!(
        places(&found, &har),
        want.map(|(n, f, v)| (n, f.to_string(), v.to_string()))
    );
}

#[test]
fn what_is_no_json_is_read_as_text_and_said() {
    let url = format!("https://h.example/a?access_token={TOKEN}");
    let whole = entry("https://h.example/").to_string();
    for (entries, say) in [
        (
            format!(r#"{whole},{{"a":1 2,"b":"{url}"}}"#),
            "1 entries of the HAR are no well-formed JSON, entry 1",
        ),
        (
            format!(r#"{whole},{{"a":[1],"b"]}},{{"b":"{url}"}}"#),
            "brackets do not match after 1 entries",
        ),
        (
            format!(r#"{whole}]}}}} see {url} {{"a":["#),
            "other text behind its end after 1 entries",
        ),
    ] {
        let (found, source, code) = scanned(format!(r#"{{"log":{{"entries":[{entries}]}}}}"#).as_bytes());
        assert_eq!(
            (found.len(), code, &source["status"]),
            (1, 2, &json!("partial")),
            "{entries}"
        );
        let problem = source["problem"].as_str().unwrap();
        assert!(problem.contains(say), "{problem}");
    }
}

#[test]
fn documents_that_follow_one_another_are_all_read() {
    let url = |n: usize| format!("https://h.example/a?access_token={TOKEN}{n}");
    let log = |n: usize| json!({"log": {"entries": [entry(&url(n))]}}).to_string();
    let alone = |n: usize| {
        json!({"startedDateTime": "2026-01-01T00:00:00Z", "request": {"method": "GET", "url": url(n), "headers": [{"name": "Accept", "value": "*/*"}]},
               "response": {"status": 200, "headers": []}})
        .to_string()
    };
    for text in [
        format!("{}\n{}", log(0), log(1)),
        format!("{}\u{feff}{}", log(0), log(1)),
        format!("onInputData (\n{});{}", log(0), log(1)),
        format!("/**/cb({})\n{}\n", log(0), log(1)),
        format!("{}\n{}\n", alone(0), alone(1)),
        format!("[{},\n{}]", alone(0), alone(1)),
    ] {
        let (found, source, code) = scanned(text.as_bytes());
        assert_eq!(
            (&source["format"], &source["status"], code),
            (&json!("har"), &json!("complete"), 0),
            "{text}"
        );
        let want = [(0, "url", "0"), (1, "url", "1")].map(|(n, f, v)| (n, f.to_string(), v.to_string()));
        assert_eq!(places(&found, &text), want, "{text}");
    }
    let (_, source, _) =
        scanned(b"{\"startedDateTime\":\"x\",\"request\":{\"url\":\"/a\"}}\n{\"request\":{}}\n");
    assert_ne!(source["format"], "har");
}

#[test]
fn base64_is_undone_as_far_as_it_goes() {
    let json = json!({"access_token": TOKEN, "note": "n".repeat(100)}).to_string();
    let flat = data_encoding::BASE64.encode(json.as_bytes());
    let lines = flat.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let lines = String::from_utf8(lines).unwrap();
    let long = json!({"access_token": TOKEN, "note": "no leak ".repeat(200_000)}).to_string();
    let long = data_encoding::BASE64.encode(long.as_bytes());
    let long = String::from_utf8(long.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\n"[..])).unwrap();
    let plain = "https://h.example/a";
    let content = |text: &str| json!({"request": {"url": plain}, "response": {"content": {"text": text, "encoding": "base64"}}});
    for (entry, field) in [
        (content(&flat), "response-body"),
        (content(&lines), "response-body"),
        (content(&format!("{lines}\r\n -- ")), "response-body"),
        (content(&flat[..flat.len() - 3]), "response-body"),
        (content(&json), "response-body"),
        (content(&format!("see access_token={TOKEN}")), "response-body"),
        (content(&long), "response-body"),
        (
            json!({"request": {"url": plain, "postData": {"text": flat, "encoding": "base64"}}}),
            "request-body",
        ),
        (
            json!({"request": {"url": plain}, "_webSocketMessages": [{"type": "receive", "opcode": 2, "data": flat}]}),
            "response-body",
        ),
    ] {
        let har = json!({"log": {"entries": [entry]}}).to_string();
        let (found, source, _) = scanned(har.as_bytes());
        let fields: Vec<&Value> = found.iter().map(|e| &e["field"]).collect();
        assert_eq!(
            (fields, &source["status"]),
            (vec![&json!(field)], &json!("complete")),
            "{}",
            &har[..har.len().min(600)]
        );
    }
}

#[test]
fn long_strings_keep_their_kind_and_field() {
    let pad = "lorem ipsum dolor sit amet, ".repeat(25_000);
    let multipart = |a: &str, b: &str| {
        format!(
            "--X\r\nContent-Disposition: form-data; name={a}\r\n\r\n{TOKEN}\r\n--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.csv\"\r\n\r\n{pad}\r\n--X\r\nContent-Disposition: form-data; name={b}\r\n\r\nx\r\n--X--\r\n"
        )
    };
    let post = |text: String| json!({"request": {"method": "POST", "url": "https://h.example/a", "postData": {"mimeType": "text/x", "text": text}}});
    let header = |name: &str, value: String| json!({"request": {"url": "https://h.example/a", "headers": [{"name": name, "value": value}]}});
    let long = "ab.".repeat(300_000);
    for (entry, field, name) in [
        (
            post(format!(
                "<e><wsse:Password>{TOKEN}</wsse:Password><b>{pad}</b></e>"
            )),
            "request-body",
            "password",
        ),
        (
            post(format!(
                "<e><b>{pad}</b><wsse:Password>{TOKEN}</wsse:Password></e>"
            )),
            "request-body",
            "password",
        ),
        (post(multipart("\"token\"", "x")), "request-body", "token"),
        (
            post(format!(
                "--X\r\nContent-Disposition: form-data; name=f\r\n\r\n{pad}{pad}\r\n{}",
                multipart("token", "y")
            )),
            "request-body",
            "token",
        ),
        (
            header("Cookie", format!("sid={TOKEN}; x={long}")),
            "cookie",
            "sid",
        ),
        (
            header("Cookie", format!("x={long}{long}; sid={TOKEN}")),
            "cookie",
            "sid",
        ),
        (
            header("Referer", format!("https://o.example/?x={long}&token={TOKEN}")),
            "referer",
            "token",
        ),
        (
            header(
                "Referer",
                format!("https://o.example/?x={long}{long}&token={TOKEN}"),
            ),
            "referer",
            "token",
        ),
        (
            json!({"_webSocketMessages": [{"_type": "receive", "data": format!("{pad} access_token={TOKEN}")}], "request": {"url": "wss://h.example/"}}),
            "response-body",
            "access_token",
        ),
    ] {
        // What a frame is stands before what it holds.
        let har = json!({"log": {"entries": [entry]}})
            .to_string()
            .replace("_type", "type");
        let (found, ..) = scanned(har.as_bytes());
        let got: Vec<(&Value, &Value)> = found.iter().map(|e| (&e["field"], &e["name"])).collect();
        assert_eq!(got, [(&json!(field), &json!(name))], "{}", &har[..200]);
        if field == "referer" {
            assert_eq!(found[0]["host"], "o.example");
        }
    }
}

#[test]
fn replies_in_calls_and_pages_are_understood() {
    let reply = |text: &str| {
        let mut e = entry(&format!(
            "https://gis.example.gov/arcgis/rest/services?token={TOKEN}{TOKEN}.."
        ));
        e["response"]["content"] = json!({"mimeType": "text/plain", "text": text});
        scanned(json!({"log": {"entries": [e]}}).to_string().as_bytes()).0
    };
    for text in [
        r#"{"error":{"code":498,"message":"Invalid token."}}"#,
        r#"callback({"error":{"code":498,"message":"Invalid token."}});"#,
        "<html><body><b>Error: </b>Invalid Token<br/>\n<b>Code: </b>498</body></html>",
    ] {
        assert_eq!(reply(text)[0]["status"], 498, "{text}");
    }
    let call = json!({"token": format!("{TOKEN}{TOKEN}.."), "expires": 1_795_255_200_000u64});
    let found = reply(&format!("cb({call});"));
    assert_eq!(found.last().unwrap()["part"], "json");
}

#[test]
fn what_goes_over_http_is_no_better_in_a_body() {
    let severity = |scheme: &str| {
        let e = json!({"request": {"method": "POST", "url": format!("{scheme}://h.example/login"),
            "postData": {"mimeType": "application/x-www-form-urlencoded", "text": "password=Zq81kfUwe_x"}}});
        scanned(json!({"log": {"entries": [e]}}).to_string().as_bytes()).0[0]["severity"].clone()
    };
    assert_eq!(
        (severity("https"), severity("http")),
        (json!("medium"), json!("high"))
    );
}
