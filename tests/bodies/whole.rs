//! Bodies for the program as a whole: rules that are loaded, archives, copies, reports and what reads them.

use super::{config, file, fixed, folder, scan};
use plainsight::diff::Side;
use plainsight::gate::baseline::Baseline;
use plainsight::input::Selection;
use plainsight::merge::{Merger, Options as Merge};
use plainsight::redact::{Options, Style, targets::Plan};
use plainsight::report::model::Status;
use plainsight::report::{self, Report};
use plainsight::rule::{RuleSet, Severity, check, load_dir};

/// A folder of a user's rules is taken or refused; what is taken holds its own promises or is told of.
pub fn rules(data: &[u8]) {
    let path = file("own.toml", data);
    let Ok(own) = load_dir(&path) else { return };
    let specs = own.rules;
    let ids: Vec<String> = specs.iter().map(|s| s.id.clone()).collect();
    if let Ok(rules) = RuleSet::new(specs.clone()) {
        let _ = rules.verify();
        let _ = check::check(&specs, Some(&ids), &own.silence);
    }
}

/// Whatever is packed: every source says what came of it, and nothing is unread without a reason.
pub fn archive(data: &[u8]) {
    let (report, _) = scan("packed", data, false);
    assert!(!report.sources.is_empty());
    for s in &report.sources {
        let fine = s.status == Status::Complete;
        assert!(fine == s.problem.is_none(), "{:?} {:?}", s.status, s.problem);
    }
    let bad = report.unread().count();
    assert!(report.summary.complete == (bad == 0));
}

/// A credential that no other text of a fuzzed input holds.
const CANARY: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";

/// A copy holds none of the credentials that were planted, has as many lines, keeps every line in which nothing was
/// found, and is its own copy.
pub fn redact(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    // Documents and archives are rewritten otherwise; this is about lines.
    let mut log = b"192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /x?token=".to_vec();
    log.extend(CANARY.as_bytes());
    log.extend(b" HTTP/1.1\" 200 1\n");
    log.extend(rest);
    let style = [Style::Mark, Style::Mask, Style::Drop][usize::from(first) % 3];
    let Some(copy) = copied(&log, style) else { return };
    assert!(
        memchr::memmem::find(&copy, CANARY.as_bytes()).is_none(),
        "the credential is still there"
    );
    let lines = |b: &[u8]| b.iter().filter(|b| **b == b'\n').count();
    assert_eq!(lines(&copy), lines(&log), "lines");
    let (_, found) = scan("log", &log, true);
    if style == Style::Mark {
        for (n, (old, new)) in log
            .split(|b| *b == b'\n')
            .zip(copy.split(|b| *b == b'\n'))
            .enumerate()
        {
            let marked = memchr::memmem::find(new, b"PLAINSIGHT-").is_some();
            let told = found.iter().any(|(line, _)| *line == n as u64 + 1);
            assert!(told || marked || old == new, "line {} changed", n + 1);
        }
    }
    assert_eq!(
        copied(&copy, style).as_ref(),
        Some(&copy),
        "a copy's copy differs"
    );
}

/// The copy; none where it could not be made, which is said and leaves nothing.
fn copied(log: &[u8], style: Style) -> Option<Vec<u8>> {
    let from = file("from.log", log);
    let to = folder().join("to.log");
    let _ = std::fs::remove_file(&to);
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
    let copy = std::fs::read(&to).ok();
    assert!(summary.proved == copy.is_some(), "{summary:?}");
    assert!(summary.proved, "no copy: {summary:?}");
    copy
}

/// Every output can be read by what it is for, and nothing hostile is in it.
pub fn reports(data: &[u8]) {
    let (report, events) = scan("access.log", data, false);
    for (_, event) in &events {
        clean("ndjson", event);
    }
    let text = |name: &str, write: &dyn Fn(&Report, &mut Vec<u8>) -> std::io::Result<()>| {
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).expect(name);
        clean(name, &text);
        text
    };
    let json = text("json", &|r, w| report::json::write(r, w));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["summary"]["findings"], report.findings.len());
    let sarif = text("sarif", &|r, w| report::sarif::write(r, w));
    let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let quality = text("codequality", &|r, w| report::codequality::write(r, w));
    assert!(
        serde_json::from_str::<serde_json::Value>(&quality)
            .unwrap()
            .is_array()
    );
    let table = report::table::Style {
        width: 100,
        color: false,
        fold: false,
    };
    for line in text("table", &|r, w| report::table::write(r, table, w)).lines() {
        assert!(
            !line.trim_start().starts_with("::"),
            "a command of a build server"
        );
    }
    for line in text("github", &|r, w| report::github::write(r, w)).lines() {
        let known = ["::error ", "::warning ", "::notice "]
            .iter()
            .any(|c| line.starts_with(c));
        assert!(known || !line.trim_start().starts_with("::"), "{line:?}");
    }
    text("markdown", &|r, w| report::markdown::write(r, w));
    text("openmetrics", &|r, w| report::openmetrics::write(r, w));
    let html = text("html", &|r, w| report::html::write(r, w));
    assert_eq!(html.matches("<script").count(), 1, "a script of the log's");
    let csv = text("csv", &|r, w| report::csv::write(r, w));
    for row in csv::Reader::from_reader(csv.as_bytes()).records() {
        for cell in row.unwrap().iter() {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "a formula: {cell:?}"
            );
        }
    }
    let junit = text("junit", &|r, w| report::junit::write(r, w));
    let mut reader = quick_xml::Reader::from_str(&junit);
    loop {
        match reader.read_event().expect("JUnit is no XML") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(e) => e.attributes().for_each(|a| drop(a.unwrap())),
            _ => {}
        }
    }
    // What was written can be joined and compared.
    let options = joining();
    let mut merger = Merger::new(&options);
    merger.add("a", json.as_bytes()).unwrap();
    let joined = merger.finish().unwrap();
    assert_eq!(joined.summary.exposures, report.summary.exposures);
    Side::read("a", json.as_bytes(), &config().rules).unwrap();
}

/// No control character, nothing that turns or hides text, nothing but line ends between.
fn clean(name: &str, text: &str) {
    let bad = text.chars().find(|&c| {
        (c.is_control() && c != '\n' && c != '\r' && c != '\t')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || c == '\u{feff}'
            || c == '\u{2028}'
            || c == '\u{2029}'
    });
    assert!(bad.is_none(), "{name} holds {bad:?}");
}

fn joining() -> Merge {
    let config = fixed(false);
    let gate = config.gate.clone();
    Merge::new(config, None, gate, Severity::Info)
}

/// Reports and baselines are files that others hand us.
pub fn read_back(data: &[u8]) {
    let options = joining();
    let mut merger = Merger::new(&options);
    if merger.add("a", data).is_ok()
        && let Ok(report) = merger.finish()
    {
        let mut out = Vec::new();
        report::json::write(&report, &mut out).unwrap();
        report::html::write(&report, &mut out).unwrap();
    }
    let rules = &config().rules;
    if let (Ok(old), Ok(new)) = (Side::read("a", data, rules), Side::read("b", data, rules)) {
        let failing = plainsight::diff::Failing {
            fail_on: plainsight::gate::Threshold::Never,
            on_new: true,
        };
        let diff = plainsight::diff::compare(old, new, failing);
        report::diff::table(&diff, Vec::new()).unwrap();
    }
    let _ = Baseline::read(&file("baseline.json", data), rules);
}
