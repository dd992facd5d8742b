//! How many published formats of tokens are found in the places where traffic carries them. The list is
//! `tests/tokens/published.txt`; values are made here, so that none stands in the repository.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, line};
use plainsight::rule::example::fill;
use std::collections::{BTreeMap, BTreeSet};

struct Format {
    name: String,
    /// Requests that carry it.
    urls: Vec<String>,
    known_miss: bool,
}

fn formats() -> Vec<Format> {
    let mut out = Vec::new();
    for entry in include_str!("tokens/published.txt").lines() {
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        let known_miss = entry.starts_with('!');
        let entry = entry.trim_start_matches("! ").split(" # ").next().unwrap().trim();
        let (kind, rest) = entry.split_once(' ').unwrap();
        let (name, value) = rest.split_once(' ').unwrap();
        let urls = match kind {
            "shape" => vec![
                format!("/x?v={}", percent(value)),
                format!("/x/{}/y", percent(value)),
            ],
            "named" => vec![value.to_string()],
            other => panic!("{other}: {entry}"),
        };
        out.push(Format {
            name: name.to_string(),
            urls: urls.iter().map(|u| fill(u)).collect(),
            known_miss,
        });
    }
    out
}

/// What URLs have encoded.
fn percent(value: &str) -> String {
    value.replace('+', "%2B").replace('$', "%24").replace("=", "%3D")
}

#[test]
fn published_formats_are_found() {
    let formats = formats();
    let dir = Dir::new();
    let urls: Vec<&String> = formats.iter().flat_map(|f| &f.urls).collect();
    dir.file("access.log", urls.iter().map(|u| line(u)).collect::<String>());
    let out = dir.run(&["scan", "--now", common::NOW, "-f", "ndjson", "access.log"]);
    let text = String::from_utf8(out.stdout).unwrap();
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for event in text
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
    {
        if event["type"] == "exposure" && event["severity"] != "info" {
            let rule = event["rule"].as_str().unwrap().to_string();
            found
                .entry(event["line"].as_u64().unwrap())
                .or_default()
                .push(rule);
        }
    }
    let mut at = 0;
    let (mut hits, mut carried) = (0, 0);
    let mut missed = BTreeSet::new();
    for f in &formats {
        let mut whole = true;
        for url in &f.urls {
            at += 1;
            carried += 1;
            if found.contains_key(&at) {
                hits += 1;
            } else {
                whole = false;
                if !f.known_miss {
                    println!("missed: {} in {}", f.name, &url[..url.len().min(60)]);
                }
            }
        }
        if !whole {
            missed.insert(f.name.as_str());
        }
    }
    let rate = 100.0 * (formats.len() - missed.len()) as f64 / formats.len() as f64;
    println!(
        "{} of {} formats ({rate:.1} %), {hits} of {carried} places",
        formats.len() - missed.len(),
        formats.len()
    );
    let names: BTreeSet<&str> = formats.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names.len(), formats.len(), "a format stands there twice");
    assert!(formats.len() >= 300);
    let known: BTreeSet<&str> = formats
        .iter()
        .filter(|f| f.known_miss)
        .map(|f| f.name.as_str())
        .collect();
    assert_eq!(missed, known, "what is missed and what is known to be differ");
}
