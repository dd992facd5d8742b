//! What must hold for any bytes at all, each as a function that panics where it does not. `tests/properties.rs` runs
//! them on made-up and recorded inputs, `fuzz/` lets libFuzzer look for worse ones: the bodies are the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)] // a test says what is wrong by panicking

mod documents;
mod pieces;
pub mod seeds;
mod whole;

use plainsight::format::Catalogue;
use plainsight::record::{Content, Record};
use plainsight::scan::events::{Event, Sink};
use plainsight::scan::{Config, Progress, Scan};
use plainsight::secret::Key;
use plainsight::text::Text;
use plainsight::time::Instant;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A body: panics where what it says does not hold.
pub type Body = fn(&[u8]);

/// All of them, by the name of their fuzz target.
pub const ALL: [(&str, Body); 18] = [
    ("runs", pieces::runs),
    ("template", pieces::template),
    ("lines", pieces::lines),
    ("w3c", pieces::w3c),
    ("json_lines", pieces::json_lines),
    ("coding", pieces::coding),
    ("url", pieces::url),
    ("prefilter", pieces::prefilter),
    ("har", documents::har),
    ("bookmarks", documents::bookmarks),
    ("mozlz4", documents::mozlz4),
    ("plist", documents::plist),
    ("sqlite", documents::sqlite),
    ("rules", whole::rules),
    ("archive", whole::archive),
    ("redact", whole::redact),
    ("reports", whole::reports),
    ("read_back", whole::read_back),
];

/// Runs the body of that name.
pub fn run(name: &str, data: &[u8]) {
    let (_, body) = ALL.iter().find(|(n, _)| *n == name).expect("no such body");
    body(data);
}

/// A configuration whose outputs depend on the input alone.
fn fixed(exhaustive: bool) -> Config {
    let mut config = Config {
        jobs: 1,
        exhaustive,
        key: Key::from_bytes(b"0123456789abcdef"),
        ..Config::new().unwrap()
    };
    config.clock.now = Instant::new(1_795_219_200, 0).unwrap();
    config
}

fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| fixed(false))
}

fn catalogue() -> &'static Catalogue {
    &config().formats
}

fn scanner(exhaustive: bool) -> &'static Scan {
    static BOTH: OnceLock<[Scan; 2]> = OnceLock::new();
    &BOTH.get_or_init(|| [false, true].map(|e| Scan::new(fixed(e))))[usize::from(exhaustive)]
}

/// Exposures as the stream of them would tell: the line, and the rest.
#[derive(Default)]
struct All(Vec<(u64, String)>);

impl Sink for All {
    fn exposure(&mut self, event: &Event, line: Option<u64>) {
        self.0
            .push((line.unwrap_or_default(), format!("{}{}", event.head, event.tail)));
    }
    fn source(&mut self, _: &plainsight::report::model::Source) {}
    fn idle(&mut self) {}
}

/// A folder of this thread's own, in memory where there is such a place.
fn folder() -> PathBuf {
    thread_local! {
        static FOLDER: tempfile::TempDir = {
            let shm = std::path::Path::new("/dev/shm");
            let made = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
            made.unwrap()
        };
    }
    FOLDER.with(|f| f.path().to_path_buf())
}

/// A file of that name with these bytes.
fn file(name: &str, data: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::write(&path, data).unwrap();
    path
}

/// Scans bytes as a file of that name would be.
fn scan(name: &str, data: &[u8], exhaustive: bool) -> (plainsight::report::Report, Vec<(u64, String)>) {
    let path = file(name, data);
    let mut all = All::default();
    let report = scanner(exhaustive).run(&[path], Some(&mut all), &Progress::default());
    (report, all.0)
}

/// Every text of a record stands where it says, in a source of `size` bytes.
fn within(record: &Record, size: u64) {
    let check = |t: Text| {
        let span = t.span();
        assert!(span.start <= span.end && span.end <= size, "{span:?} of {size}");
    };
    for carrier in &record.carriers {
        match carrier.content {
            Content::Url(url) => {
                check(url.path);
                [url.scheme, url.userinfo, url.authority, url.query, url.fragment]
                    .into_iter()
                    .flatten()
                    .for_each(check);
            }
            Content::Cookies(t) | Content::Form(t) | Content::Markup(t) | Content::Text(t) => check(t),
            Content::Named(_, _, t) => check(t),
        }
    }
    [record.client, record.method, record.user_agent, record.host]
        .into_iter()
        .flatten()
        .for_each(check);
}
