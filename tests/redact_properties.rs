//! What holds for every copy, on logs made of the pieces that logs, leaks and encodings have.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use plainsight::input::Selection;
use plainsight::redact::{Options, Style, targets::Plan};
use plainsight::rule::Severity;
use plainsight::scan::Config;
use plainsight::secret::Key;
use plainsight::text::Coding;
use proptest::prelude::*;
use std::path::Path;
use std::sync::OnceLock;

fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| Config {
        key: Key::from_bytes(b"0123456789abcdef"),
        jobs: 1,
        ..Config::new().unwrap()
    })
}

fn redact(log: &[u8], style: Style) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a"), dir.path().join("b"));
    std::fs::write(&from, log).unwrap();
    let options = Options {
        style,
        min_severity: Severity::Info,
        paranoid: false,
        keep_mode: false,
        force: false,
        allow_partial: false,
    };
    let plan = Plan::new(&[from], &to, &Selection::default(), false).unwrap();
    let summary = plainsight::redact::run(config(), &options, &plan, |_| ());
    assert!(summary.proved, "{summary:?}\n{}", String::from_utf8_lossy(log));
    std::fs::read(Path::new(&to)).unwrap()
}

fn encode(coding: u8, text: &str) -> String {
    match coding {
        0 => text.into(),
        1 => common::percent(text),
        2 => text.bytes().map(|b| format!("%{b:02x}")).collect(),
        3 => encode(1, &encode(1, text)).replace("%257E", "%257e"),
        4 => text.replace('_', "\\u005f").replace('-', "\\\\u002D"),
        _ => encode(1, &encode(4, text)),
    }
}

/// 24 to 39 characters that are no words.
fn secret(seed: u64) -> String {
    let letters = b"bcdfghjkmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ23456789-_~";
    let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
    let mut next = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let inner: String = (0..20 + next(16))
        .map(|_| letters[next(letters.len())] as char)
        .collect();
    format!("k7{inner}Q2")
}

/// A line: what stands around the credential, which is at `{}`.
fn lines() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /x?a=1&token={}&b=%20 HTTP/1.1\" 200 1 \"-\" \"curl/8\"",
        "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /a?u=https%3A%2F%2Fb.example%2F%3Ftoken%3D{} HTTP/1.1\" 200 1 \"-\" \"-\"",
        "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"https://a.example/?access_token={}#x\" \"-\"",
        "{\"time\":\"2026-01-01T00:00:00Z\",\"request\":\"GET \\/x?token={}\\u0026b=1\",\"n\":1.50}",
        "some text with token={} in it, and \u{e9}",
        "the value {} alone",
        "the value %22{3}%22 and \"{4}\" or \\n{5}\\n",
        "nothing at all",
        "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /static/{}/app.js HTTP/1.1\" 200 1 \"-\" \"curl/8\"",
        "#Fields: date time cs-uri-stem cs-uri-query sc-status",
        "2026-01-01 00:00:00 /a token={} 200",
        "2026-01-01T00:00:00.1Z stdout P GET /x?token={}&z=",
        "2026-01-01T00:00:00.1Z stdout F &a=1 HTTP/1.1",
        "",
    ]);
    pieces.prop_map(String::from)
}

proptest! {
    /// Planted credentials are gone in every form, everything else is as it was, and a copy's copy is the same.
    #[test]
    fn copies_hold_nothing_and_keep_the_rest(
        parts in prop::collection::vec((lines(), 0usize..3, 0u8..2, prop::sample::select(vec!["\n", "\r\n"])), 1..12),
        seeds in prop::collection::vec(any::<u64>(), 3),
        end in any::<bool>(),
    ) {
        let secrets: Vec<String> = seeds.iter().map(|seed| secret(*seed)).collect();
        let fill = |values: &dyn Fn(usize, u8) -> String| {
            let mut log = String::new();
            for (line, n, coding, end) in &parts {
                let mut line = line.replace("{}", &values(*n, *coding));
                for coding in 3..6 {
                    line = line.replace(&format!("{{{coding}}}"), &values(*n, coding));
                }
                log += &(line + end);
            }
            if end {
                log.truncate(log.trim_end().len());
            }
            log
        };
        let log = fill(&|n, c| encode(c, &secrets[n]));
        let copy = redact(log.as_bytes(), Style::Mark);
        // What is recognised somewhere is gone everywhere; what never is stays as it is, in every form.
        let key = &config().key;
        let known: Vec<bool> = secrets
            .iter()
            .map(|s| memchr::memmem::find(&copy, format!("PLAINSIGHT-{}", key.fingerprint(s.as_bytes())).as_bytes()).is_some())
            .collect();
        let want = fill(&|n, c| {
            if known[n] {
                format!("PLAINSIGHT-{}", key.fingerprint(secrets[n].as_bytes()))
            } else {
                encode(c, &secrets[n])
            }
        });
        prop_assert_eq!(String::from_utf8_lossy(&copy), want);
        // Under a name that rules know, it is recognised.
        for (line, n, ..) in &parts {
            if line.contains("token={}") && line.starts_with("192") {
                prop_assert!(known[*n], "{:?}", line);
            }
        }
        for (secret, _) in secrets.iter().zip(&known).filter(|(_, known)| **known) {
            for text in [copy.clone(), Coding::Percent.decode(&copy).into_owned()] {
                prop_assert!(memchr::memmem::find(&text, secret.as_bytes()).is_none());
            }
        }
        prop_assert_eq!(redact(&copy, Style::Mark), copy);
    }

    /// Whatever the bytes: as many lines as before, and a copy's copy is the same.
    #[test]
    fn any_bytes_have_a_copy(
        parts in prop::collection::vec(prop_oneof![
            Just(&b"token="[..]), Just(&b"q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA"[..]), Just(&b"password="[..]), Just(&b"\n"[..]),
            Just(&b"PLAINSIGHT-"[..]), Just(&b"0123456789abcdef"[..]), Just(&b"%"[..]), Just(&b"\xff\x00"[..]), Just(&b"&"[..]),
            Just(&b"GET /x?"[..]), Just(&b"{\"token\":\""[..]), Just(&b"\"}"[..]), Just(&b" "[..]), Just(&b"https://jo:"[..]),
            Just(&b"@a.example/"[..]), Just(&b"eyJ0b2tlbiI6InE5WnQ3TG1LMnZYOGJONGNSNnlXMXNEM2ZHNWhKMHBBIn0"[..]), Just(&b"state="[..]),
            Just(&b"***"[..]), Just(&b"\\x22"[..]), Just(&b"%2525"[..]), Just(&b"AKIAQ3EGZ4YVT7UNHX2K"[..]),
        ], 0..40),
        style in prop::sample::select(vec![Style::Mark, Style::Mask, Style::Drop]),
    ) {
        let log = parts.concat();
        let copy = redact(&log, style);
        let lines = |b: &[u8]| b.iter().filter(|b| **b == b'\n').count();
        prop_assert_eq!(lines(&copy), lines(&log));
        prop_assert_eq!(redact(&copy, style), copy);
    }
}

/// An entry of a capture: what stands around the credential, which is at `{}` as it is, at `{%}` percent-encoded, and
/// between `{[` and `]}` in base64 of what stands there.
fn entries() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        r#"{"request":{"method":"GET","url":"https:\/\/h.example/a?x=%7e&token={%}#top","queryString":[{"value":"{}","name":"token"}]}}"#,
        r#"{ "startedDateTime" : "2026-01-01T00:00:00.5Z", "time":1.50e1,"request":{"url":"https://h.example/","headers":[{"name":"Authorization","value":"Bearer {}"},{"name":"Cookie","value":"a=b; sid={}"}],"cookies":[{"name":"sid","value":"{}"}]}}"#,
        r#"{"request":{"url":"https://stats.example.net/c?v=1&dl=https%3A%2F%2Fh.example%2F%3Ftoken%3D{%}"},"response":{"status":204}}"#,
        r#"{"request":{"url":"https://h.example/t","postData":{"mimeType":"application/x-www-form-urlencoded","text":"a=1&client_secret={%}","params":[{"name":"client_secret","value":"{}"}]}},"response":{"content":{"mimeType":"application/json","text":"{\"access_token\":\"{}\",\n\t\"n\":1.50}"}}}"#,
        r#"{"request":{"url":"https://h.example/b"},"response":{"content":{"encoding":"base64","size":9,"text":"{[{"access_token":"{}","expires_in":3600}]}"}}}"#,
        r#"{"request":{"url":"https://h.example/r"},"response":{"redirectURL":"/x?access_token={%}","headers":[{"name":"Set-Cookie","value":"session={}; Path=/"},{"name":"Location","value":"/x?access_token={%}"}]}}"#,
        r#"{"request":{"url":"wss://h.example/s"},"_webSocketMessages":[{"type":"receive","data":"{\"token\":\"{}\"}"}]}"#,
        r#"{"request":{"url":"https://h.example/none?page=2"},"comment":"nothing \u00e9 here","n":[1,2.0,-3e2,null]}"#,
    ])
}

/// Fills an entry's gaps.
fn fill(entry: &str, value: &str) -> String {
    // A mark needs no escapes.
    let coding = u8::from(!value.starts_with("PLAINSIGHT-"));
    let plain = entry.replace("{%}", &encode(coding, value)).replace("{}", value);
    let Some((before, rest)) = plain.split_once("{[") else {
        return plain;
    };
    let (inner, after) = rest.split_once("]}\"").unwrap();
    let coded = data_encoding::BASE64.encode(inner.as_bytes());
    format!("{before}{coded}\"{after}")
}

proptest! {
    /// The same for captures: the marks stand where the credentials stood, in every encoding, and nothing else is
    /// another.
    #[test]
    fn captures_hold_nothing_and_keep_the_rest(
        parts in prop::collection::vec((entries(), 0usize..3, prop::sample::select(vec![",", " ,\n  ", ",\r\n"])), 1..10),
        seeds in prop::collection::vec(any::<u64>(), 3),
    ) {
        let secrets: Vec<String> = seeds.iter().map(|seed| secret(*seed)).collect();
        let har = |value: &dyn Fn(usize) -> String| {
            let mut text = String::from("\u{feff}{\"log\":{\"version\":\"1.2\", \"creator\":\"x\",\"entries\":[");
            for (n, (entry, which, comma)) in parts.iter().enumerate() {
                if n > 0 {
                    text += comma;
                }
                text += &fill(entry, &value(*which));
            }
            text + "]}}\n"
        };
        let text = har(&|n| secrets[n].clone());
        let copy = redact(text.as_bytes(), Style::Mark);
        let want = har(&|n| format!("PLAINSIGHT-{}", config().key.fingerprint(secrets[n].as_bytes())));
        prop_assert_eq!(String::from_utf8_lossy(&copy), want);
        let entries = |text: &[u8]| {
            let json: serde_json::Value = serde_json::from_slice(&text[3..]).unwrap();
            json["log"]["entries"].as_array().unwrap().len()
        };
        prop_assert_eq!(entries(&copy), parts.len());
        prop_assert_eq!(redact(&copy, Style::Mark), copy);
    }
}
