//! The prefilter loses nothing: what it lets through gives the same exposures as reading every line does, on
//! the examples of all rules, on the fixtures, and on lines made of the pieces that rules and encodings have.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use plainsight::scan::events::{Event, Sink};
use plainsight::scan::{Config, Progress, Scan};
use plainsight::secret::Key;
use plainsight::time::Instant;
use proptest::prelude::*;
use std::path::Path;
use std::sync::OnceLock;

#[derive(Default)]
struct All(Vec<String>);

impl Sink for All {
    fn exposure(&mut self, event: &Event, line: Option<u64>) {
        self.0.push(format!("{line:?}{}{}", event.head, event.tail));
    }
    fn source(&mut self, _: &plainsight::report::model::Source) {}
    fn idle(&mut self) {}
}

fn scanner(exhaustive: bool) -> &'static Scan {
    static BOTH: OnceLock<[Scan; 2]> = OnceLock::new();
    let make = |exhaustive| {
        let mut config = Config {
            exhaustive,
            jobs: 1,
            key: Key::from_bytes(b"0123456789abcdef"),
            ..Config::new().unwrap()
        };
        config.clock.now = Instant::new(1_795_219_200, 0).unwrap();
        Scan::new(config)
    };
    &BOTH.get_or_init(|| [make(false), make(true)])[usize::from(exhaustive)]
}

fn exposures(path: &Path, exhaustive: bool) -> Vec<String> {
    let mut all = All::default();
    scanner(exhaustive).run(&[path.to_path_buf()], Some(&mut all), &Progress::default());
    all.0
}

fn same(text: &[u8]) -> Result<usize, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let (fast, slow) = (exposures(file.path(), false), exposures(file.path(), true));
    if fast == slow {
        Ok(fast.len())
    } else {
        Err(format!(
            "{} prefiltered, {} exhaustive: {:?}",
            fast.len(),
            slow.len(),
            slow.iter().find(|e| !fast.contains(e))
        ))
    }
}

#[test]
fn on_the_examples_of_all_rules() {
    let rules = plainsight::rule::builtin().unwrap();
    let lines: Vec<String> = rules
        .iter()
        .flat_map(|r| r.examples.iter().chain(&r.counter_examples))
        .map(|e| plainsight::rule::example::line(e))
        .collect();
    let found = same((lines.join("\n") + "\n").as_bytes()).unwrap();
    assert!(found > rules.len(), "{found}");
}

#[test]
fn on_urls_nested_to_any_depth() {
    let encode = |url: &str| -> String {
        let bytes = url.bytes().map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        });
        bytes.collect()
    };
    for name in ["password", "user[password]", "%70assword"] {
        let mut url = format!("/z?{name}=Zq81kfUwe_1");
        for depth in 0..11 {
            let line = format!("192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET {url} HTTP/1.1\" 200 5\n");
            let found = same(line.as_bytes()).unwrap();
            assert_eq!(found, usize::from(depth <= 8), "{name} {depth}");
            url = match depth {
                0 => format!("/a?u={}", encode(&url)),
                n => format!("/a?u={}", encode(&format!("https://h{n}.example.org{url}"))),
            };
        }
    }
}

#[test]
fn on_the_fixtures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        // Documents and databases are not prefiltered.
        let Ok(log) = std::fs::read_to_string(folder.join("input.log")) else {
            continue;
        };
        let filled: String = log
            .split_inclusive('\n')
            .map(plainsight::rule::example::fill)
            .collect();
        same(filled.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    }
}

/// Names, values and the bytes around them, so that lines come close to what rules look for.
fn piece() -> impl Strategy<Value = String> {
    let words = vec![
        "token",
        "password",
        "user[password]",
        "%70assword",
        "passwor%64",
        "api-key",
        "Api.Key",
        "code",
        "state",
        "sig",
        "jsessionid",
        "access_token",
        "x",
        "https://",
        "jo:Secret77@gis.example.gov",
        "/arcgis/rest/services/P/MapServer",
        "/reset/",
        "/login",
        "proxy.ashx",
        "url",
        "next",
        "dl",
        "AKIA",
        "ghp_",
        "sk_live_",
        "xoxb-",
        "Basic am86c2VjcmV0Nzc=",
        "Bearer ",
        "\"token\":\"",
        "{\"password\":\"",
        "\\x22token\\x22:\\x22",
        "%22token%22%3A%22",
        "\\u0026token\\u003d",
        "username=jo",
        "eyJ0b2tlbiI6InE5WnQ3TG1LMnZYOGJONGNSNnlXMXNEMyJ9",
        "%7B%22token%22%3A%22",
        "null",
        "***",
    ];
    let glue = vec![
        "=", "&", "?", ";", "/", "%3D", "%3d", "%253D", "%26", "%3F", "%2526", "#", " ", "\"", ":", "@",
        "%40", "%3A", "%2F%2F", "{", "}", ",", "\\", "'", "==",
    ];
    let value = "[A-Za-z0-9_-]{1,3}|[A-Za-z0-9_-]{20,44}|[0-9a-f]{32}|[0-9]{1,4}";
    prop_oneof![3 => prop::sample::select(words).prop_map(str::to_string), 4 => prop::sample::select(glue).prop_map(str::to_string), 2 => value]
}

fn line() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 1..14).prop_map(|p| p.concat())
}

proptest! {

    #[test]
    fn on_lines_made_of_pieces(lines in prop::collection::vec((line(), line(), 0..4u8), 1..40)) {
        let text: String = lines.iter().map(|(a, b, form)| match form {
            0 => format!("192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /{a} HTTP/1.1\" 200 5 \"https://h.example/{b}\" \"curl\"\n"),
            1 => format!("{a}\n"),
            2 => format!("{}\n", serde_json::json!({"request_uri": format!("/{a}"), "status": "200", "note": b})),
            _ => format!("192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET /x?{a} HTTP/1.1\" 200 5\n"),
        }).collect();
        if let Err(e) = same(text.as_bytes()) {
            return Err(TestCaseError::fail(e));
        }
    }
}
