//! What happened, for somebody who reads one paragraph: the gate, the story, the figures.

use super::{day, plural};
use crate::detect::liveness::State as Life;
use crate::report::Report;
use crate::report::model::FindingReport;
use crate::report::words::{self, count};
use std::collections::BTreeSet;

/// What the run came to, for the mark at the top.
pub struct Gate {
    pub class: &'static str,
    pub word: &'static str,
    pub text: String,
}

/// The mark at the top.
pub fn gate(report: &Report) -> Gate {
    let (class, word) = match (report.gate.failing, report.summary.complete) {
        (1.., _) => ("bad", "Failed"),
        (0, false) => ("warn", "Incomplete"),
        (0, true) if report.gate.fail_on == "never" => ("off", "Gate off"),
        (0, true) => ("good", "Passed"),
    };
    let text = words::gate(report);
    // The word stands before it already.
    let text = text
        .split_once(", ")
        .map_or_else(|| text.clone(), |(_, rest)| capital(rest));
    Gate { class, word, text }
}

/// What happened, sentence by sentence; `leaks` are the findings that are leaks, worst first.
pub fn story(report: &Report, leaks: &[&FindingReport]) -> Vec<String> {
    let s = &report.summary;
    let mut out = Vec::new();
    let read = format!(
        "plainsight read {} in {}",
        plural(&s.records, "record"),
        plural(&s.sources, "source")
    );
    let Some(worst) = leaks.first() else {
        out.push(format!("{read} and found no credential that leaks."));
        out.extend(incomplete(report));
        return out;
    };
    let exposures: u64 = leaks.iter().map(|f| f.exposures).sum();
    let first = leaks.iter().filter_map(|f| f.first_seen).min();
    let last = leaks.iter().filter_map(|f| f.last_seen).max();
    let when = match first.as_ref().map(day).zip(last.as_ref().map(day)) {
        Some((first, last)) if first == last => format!(" on {first}"),
        Some((first, last)) => format!(" between {first} and {last}"),
        None => String::new(),
    };
    let exposed = if exposures == 1 { "was" } else { "were" };
    out.push(format!(
        "{read}. Credentials {exposed} exposed {}{when}, from {}.",
        plural(&exposures, "time"),
        plural(&(leaks.len() as u64), "cause")
    ));
    out.push(format!(
        "The worst is “{}”: {}, {}; {}.",
        worst.title,
        words::place(worst),
        words::owner(worst),
        plural(&worst.exposures, "exposure")
    ));
    let parties: BTreeSet<&str> = leaks
        .iter()
        .flat_map(|f| &f.leaked_to)
        .map(String::as_str)
        .collect();
    if !parties.is_empty() {
        out.push(format!(
            "{} received some of them.",
            capital(&plural(&(parties.len() as u64), "other party").replace("partys", "parties"))
        ));
    }
    let lives = |state: Life| leaks.iter().filter(|f| f.liveness.state == state).count() as u64;
    let usable = lives(Life::Unexpired) + lives(Life::NoExpiry);
    if usable > 0 {
        out.push(format!(
            "{} not expired or never do: take them for usable by whoever has read them.",
            if usable == 1 {
                "Those of 1 finding have".to_string()
            } else {
                format!("Those of {} findings have", count(usable))
            }
        ));
    }
    if let Some(step) = worst.advice.first() {
        out.push(format!("The first thing to do: {}.", step.title.replace('`', "")));
    }
    out.extend(incomplete(report));
    out
}

fn incomplete(report: &Report) -> Option<String> {
    let n = report.unread().count() as u64;
    (n > 0).then(|| {
        format!(
            "{} not read whole: there may be more.",
            if n == 1 {
                "1 source was".to_string()
            } else {
                format!("{} sources were", count(n))
            }
        )
    })
}

/// The run in figures.
pub fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let s = &report.summary;
    let about = |key: &str| if s.estimated.contains(&key) { "about " } else { "" };
    vec![
        ("Exposures", count(s.exposures)),
        (
            "Distinct credentials",
            format!("{}{}", about("credentials"), count(s.credentials)),
        ),
        ("Clients", format!("{}{}", about("clients"), count(s.clients))),
        ("Records read", count(s.records)),
        ("Bytes read", words::bytes(s.bytes)),
        ("Sources", count(s.sources)),
    ]
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}
