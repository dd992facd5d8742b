//! What the program makes of lines that were cut, of the folders and names of logs, and of format strings as they
//! stand in a server's configuration.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, NOW, leak, line, said};
use serde_json::{Value, json};
use std::io::Write;

const TOKEN: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pAq9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";

/// Bytes at which docker cuts.
const CUT: usize = 16 << 10;

/// A record of docker's json-file.
fn docker(stream: &str, log: &str) -> String {
    let log = serde_json::to_string(log).unwrap();
    format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"2026-01-01T00:00:00.5Z\"}}\n")
}

/// What docker makes of a line: records of its buffer's length.
fn cut(stream: &str, line: &str) -> Vec<String> {
    let pieces = line.as_bytes().chunks(CUT);
    pieces
        .map(|p| docker(stream, std::str::from_utf8(p).unwrap()))
        .collect()
}

/// An access log's line with `parameter` so far in that docker cuts `before` bytes behind its begin.
fn long(parameter: &str, before: usize, cuts: usize) -> String {
    let start = "192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /x?q=";
    let pad = "\"a\"".repeat(CUT * cuts).replace('"', "");
    let pad = &pad[..CUT * cuts - start.len() - 1 - before];
    format!("{start}{pad}&{parameter} HTTP/1.1\" 200 1 \"-\" \"say \\\"hi\\\"\"\n")
}

/// The log of a container that wrote long lines to both streams at once.
fn container() -> String {
    let out = cut("stdout", &long(&format!("token={TOKEN}"), 20, 1));
    // The cut goes through the name.
    let err = cut("stderr", &long("password=Zq81kfUwe_3", 4, 2));
    assert_eq!((out.len(), err.len()), (2, 3));
    [
        &docker("stdout", &line("/clean")),
        &out[0],
        &err[0],
        &docker("stderr", "short"),
    ]
    .map(String::as_str)
    .concat()
        + &[
            &out[1],
            &docker("stdout", &leak(1)),
            &cut("stderr", &long("password=Zq81kfUwe_3", 4, 2))[0],
        ]
        .map(String::as_str)
        .concat()
        + &err[1]
        + &err[2]
}

fn exposures(d: &Dir, args: &[&str]) -> Vec<Value> {
    let out = d.run(&[&["scan", "--now", NOW, "-f", "ndjson"], args].concat());
    said(&out)
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
        .filter(|l| l["type"] == "exposure")
        .collect()
}

#[test]
fn lines_that_docker_cut_are_read_whole_in_both_streams() {
    let d = Dir::new();
    let log = container();
    d.file("a.log", &log);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(log.as_bytes()).unwrap();
    d.file("b.log.gz", gz.finish().unwrap());
    for file in ["a.log", "b.log.gz"] {
        for jobs in ["1", "4"] {
            let found = exposures(&d, &["-j", jobs, file]);
            let told: Vec<_> = found
                .iter()
                .map(|e| json!([e["line"], e["name"], e["length"], e["client"], e["status"]]))
                .collect();
            let want = [
                json!([5, "token", 64, "192.0.2.7", 200]),
                json!([6, "password", 11, "192.0.2.7", 200]),
                json!([9, "password", 11, "192.0.2.7", 200]),
            ];
            assert_eq!(told, want, "{file} {jobs}");
            for e in &found {
                let offset = e["offset"].as_u64().unwrap() as usize;
                let value = if e["name"] == "token" {
                    "q9Zt7LmK2vX8"
                } else {
                    "Zq81kfUwe_"
                };
                assert!(log[offset..].starts_with(value), "{file}: {offset}");
            }
        }
    }
    assert_eq!(
        d.scan(&["a.log"])["sources"][0]["format"],
        "docker+nginx-combined"
    );
}

#[test]
fn a_credential_that_docker_cut_is_removed_from_all_pieces() {
    let d = Dir::new();
    let log = container();
    let source = d.file("a.log", &log);
    let out = d.run(&["redact", source.to_str().unwrap(), "-o", "b.log"]);
    assert!(out.status.success(), "{}", said(&out));
    let copy = d.read("b.log");
    for piece in [&TOKEN[..14], &TOKEN[14..40], "Zq81kfUwe"] {
        assert!(log.contains(piece) && !copy.contains(piece), "{piece}");
    }
    assert_eq!(copy.lines().count(), log.lines().count());
    for (before, after) in log.lines().zip(copy.lines()) {
        let record = |l: &str| serde_json::from_str::<Value>(l).unwrap();
        assert_eq!(record(before)["stream"], record(after)["stream"]);
        assert_eq!(record(before)["time"], record(after)["time"]);
    }
    assert_eq!(exposures(&d, &["b.log"]), Vec::<Value>::new());
}

#[test]
fn a_line_whose_end_docker_never_wrote_is_read() {
    let d = Dir::new();
    let first = &cut("stdout", &long(&format!("token={TOKEN}"), 200, 1))[0];
    d.file("a.log", first.clone() + &docker("stderr", &leak(1)));
    let found = exposures(&d, &["a.log"]);
    let names: Vec<_> = found.iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["token", "password"]);
}

#[test]
fn advice_for_each_server_survives_a_merge() {
    let d = Dir::new();
    for n in 0..6 {
        d.file(&format!("a/nginx/{n}/access.log"), leak(n));
    }
    d.file("b/apache2/access.log", leak(9));
    d.file("c/access.log", leak(10));
    let masks = |report: &Value| -> Vec<String> {
        assert_eq!(report["findings"].as_array().unwrap().len(), 1);
        let advice = report["findings"][0]["advice"].as_array().unwrap();
        let ids = advice.iter().map(|a| a["id"].as_str().unwrap().to_string());
        ids.filter(|id| id.starts_with("mask-")).collect()
    };
    let key = d.file("key", "0123456789abcdef0123456789abcdef");
    let key = ["--fingerprint-key-file", key.to_str().unwrap()];
    assert_eq!(masks(&d.scan(&["a"])), ["mask-nginx"]);
    assert_eq!(masks(&d.scan(&["b"])), ["mask-apache"]);
    assert_eq!(masks(&d.scan(&["c"])), ["mask-nginx", "mask-apache"]);
    assert_eq!(masks(&d.scan(&["a", "b"])), ["mask-nginx", "mask-apache"]);
    for part in ["a", "b"] {
        let out = d.run(&[&["scan", "--now", NOW, "-f", "json"], &key[..], &[part]].concat());
        d.file(&format!("{part}.json"), out.stdout);
    }
    let out = d.run(&["merge", "--now", NOW, "-f", "json", "b.json", "a.json"]);
    let merged: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(masks(&merged), ["mask-nginx", "mask-apache"]);
}

#[test]
fn sites_are_told_apart_and_days_and_parts_are_not() {
    let d = Dir::new();
    let findings = |names: &[&str]| {
        names.iter().enumerate().for_each(|(n, name)| {
            d.file(name, leak(n));
        });
        d.scan(names)["findings"].as_array().unwrap().len()
    };
    assert_eq!(findings(&["site-1.log", "site-2.log"]), 2);
    let days = [
        "shop.log",
        "shop.log.1",
        "shop.log-20260101",
        "shop-2026-01-01.log",
    ];
    assert_eq!(findings(&days), 1);
    assert_eq!(findings(&["part-0.log", "part-1.log", "part-2.log"]), 1);
}

#[test]
fn only_the_route_that_was_asked_for_is_not_found() {
    let d = Dir::new();
    let log = format!(
        "192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /gone?token={TOKEN}&next=https%3A%2F%2Fb.example.org%2Fhome%3Fpassword%3DZq81kfUwe_1 \
         HTTP/1.1\" 404 1 \"https://a.example.org/app?access_token={TOKEN}x\" \"curl/8\"\n"
    );
    d.file("a.log", log);
    let routes: Vec<_> = exposures(&d, &["a.log"])
        .iter()
        .map(|e| json!([e["field"], e["name"], e["route"]]))
        .collect();
    let want = [
        json!(["url", "token", "{not-found}"]),
        json!(["url", "password", "/home"]),
        json!(["referer", "access_token", "/app"]),
    ];
    assert_eq!(routes, want);
}

#[test]
fn paths_in_capitals_are_searched() {
    let d = Dir::new();
    let names = ["reset", "Reset", "RESET"];
    let log = names.map(|n| line(&format!("/{n}/{}", &TOKEN[..40])));
    d.file("a.log", log.concat());
    let lines: Vec<_> = exposures(&d, &["a.log"])
        .iter()
        .map(|e| e["line"].clone())
        .collect();
    assert_eq!(lines, [1, 2, 3]);
}

#[test]
fn format_strings_are_taken_as_they_stand_in_configurations() {
    let d = Dir::new();
    let log =
        format!("gis.example.gov \"GET /x?token={TOKEN} HTTP/1.1\" \"https://r.example.org/\" 200 17\n");
    d.file("a.log", log);
    for string in [
        r#"%v \"%r\" \"%{Referer}i\" %>s %B"#,
        "%v &quot;%r&quot; &quot;%{Referer}i&quot; %s %B",
        r#"$host \"$request\" \"$http_referer\" $status $bytes_sent"#,
        r#"%REQ(:AUTHORITY)% \"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%\" \"%REQ(REFERER)%\" %RESPONSE_CODE% %BYTES_SENT%"#,
        r#"%[req.hdr(host)] \"%r\" \"%[req.hdr(referer)]\" %ST %B"#,
    ] {
        let report = d.scan(&["--log-format", string, "a.log"]);
        let finding = &report["findings"][0];
        let told = json!([
            report["sources"][0]["format"],
            finding["host"],
            finding["field"],
            finding["statuses"]
        ]);
        assert_eq!(
            told,
            json!(["custom", "gis.example.gov", "url", {"2xx": 1}]),
            "{string}"
        );
    }
}
