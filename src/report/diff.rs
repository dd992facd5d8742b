//! A comparison of two reports, for readers and for merge requests.

use super::markdown;
use super::safe::label;
use super::words::{UNREAD, count, plural, spot};
use crate::diff::{Change, Diff, Item, Still};
use crate::rule::Severity;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Rows of each list that are shown; JSON has all.
const ROWS: usize = 50;

/// Writes one document.
pub fn json(diff: &Diff, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut out, diff)?;
    out.write_all(b"\n")
}

/// Where a finding stands, on one line.
fn location(i: &Item) -> String {
    let w = &i.words;
    let owner = match (&w.host, &w.site) {
        (Some(host), _) => format!(" of {host}"),
        (None, Some(site)) => format!(" ({site})"),
        _ => String::new(),
    };
    let inside = if w.via.is_empty() {
        String::new()
    } else {
        format!(" inside {}", w.via.join(" > "))
    };
    let route = w.route.as_deref().map(|r| format!(" {r}")).unwrap_or_default();
    label(&format!(
        "{}{inside}{owner}{route}",
        spot(w.field, w.part, &w.name)
    ))
}

fn what(i: &Item) -> String {
    let accepted = if i.suppressed.is_some() { ", accepted" } else { "" };
    label(&format!("{} [{}{accepted}]", i.title, i.rule))
}

/// What changed, in words.
fn change(s: &Still) -> String {
    let severity = if s.severities.then == s.severities.now {
        s.severities.now.to_string()
    } else {
        format!("{} -> {}", s.severities.then, s.severities.now)
    };
    let times = if s.times.then == s.times.now {
        plural(s.times.now, "time")
    } else {
        format!("{} -> {}", count(s.times.then), plural(s.times.now, "time"))
    };
    let values = if s.values.then == s.values.now {
        plural(s.values.now, "value")
    } else {
        format!("{} -> {}", count(s.values.then), plural(s.values.now, "value"))
    };
    format!("{severity}, {times}, {values}")
}

/// What has changed, counted as the lists show it: notices are no leaks.
fn verdict(d: &Diff) -> String {
    let leaks = |all: &[Item]| all.iter().filter(|i| leak(i.severity)).count() as u64;
    let still: Vec<&Still> = d.still.iter().filter(|s| still_leaks(s)).collect();
    let changed = |c: Change| still.iter().filter(|s| s.change == c).count() as u64;
    let not_seen = leaks(&d.not_seen);
    let missing = if not_seen > 0 {
        format!("{} not seen again, perhaps unread", count(not_seen))
    } else {
        format!("{} gone", count(leaks(&d.gone)))
    };
    let all = d.new.len() + d.gone.len() + d.not_seen.len() + d.still.len();
    let shown = leaks(&d.new) + leaks(&d.gone) + not_seen + still.len() as u64;
    let more = match all as u64 - shown {
        0 => String::new(),
        n => format!(" Beside them {}, no leaks; -f json has all.", plural(n, "notice")),
    };
    format!(
        "{} new, {missing}, {} still there: {} worse, {} better.{more}",
        count(leaks(&d.new)),
        count(still.len() as u64),
        count(changed(Change::Worsened)),
        count(changed(Change::Improved))
    )
}

fn leak(s: Severity) -> bool {
    s > Severity::Info
}

fn still_leaks(s: &Still) -> bool {
    leak(s.severities.then) || leak(s.severities.now)
}

/// What the gate says; it follows the exit code.
fn last_line(d: &Diff) -> String {
    let g = &d.gate;
    let what = match (g.fail_on.as_str(), g.fail_on_new) {
        ("never", true) => "nothing new".to_string(),
        (at, true) => format!("nothing new, and nothing worse at {at} or over"),
        (at, false) => format!("nothing new or worse at {at} or over"),
    };
    match (g.failing, d.new_report.complete) {
        (0, whole) if g.fail_on == "never" && !g.fail_on_new => {
            format!("Gate: off (--fail-on never){}", if whole { "." } else { UNREAD })
        }
        (0, true) => format!("Gate: passed, {what}."),
        (0, false) => format!("Gate: open, {what} in what was read, but not all was read."),
        (n, _) => format!("Gate: FAILED, {} new or worse.", plural(n, "finding")),
    }
}

/// A list's heading, its rows, and how many more there are.
type List = (&'static str, Vec<(String, String, String)>, usize);

/// What both forms for readers show; notices are no leaks and stay in the JSON.
fn lists(d: &Diff) -> Vec<List> {
    let items = |heading, all: &[Item]| -> List {
        let leaks: Vec<&Item> = all.iter().filter(|i| leak(i.severity)).collect();
        let row = |i: &&Item| {
            let how = format!(
                "{}, {}, {}",
                i.severity,
                plural(i.exposures, "time"),
                plural(i.credentials, "value")
            );
            (how, what(i), location(i))
        };
        (
            heading,
            leaks.iter().take(ROWS).map(row).collect(),
            leaks.len().saturating_sub(ROWS),
        )
    };
    let still: Vec<&Still> = d.still.iter().filter(|s| still_leaks(s)).collect();
    let row = |s: &&Still| {
        let mark = match s.change {
            Change::Worsened => "worse: ",
            Change::Improved => "better: ",
            _ => "",
        };
        (format!("{mark}{}", change(s)), what(&s.now), location(&s.now))
    };
    let still: List = (
        "Still there",
        still.iter().take(ROWS).map(row).collect(),
        still.len().saturating_sub(ROWS),
    );
    let all = [
        items("New", &d.new),
        still,
        items("Gone", &d.gone),
        items("Not seen again, perhaps because it was not read", &d.not_seen),
    ];
    all.into_iter().filter(|l| !l.1.is_empty()).collect()
}

/// Writes text for a terminal.
pub fn table(diff: &Diff, mut out: impl Write) -> io::Result<()> {
    let mut text = format!("{}\n", verdict(diff));
    for (heading, rows, more) in lists(diff) {
        let _ = writeln!(text, "\n{heading}");
        for (how, what, location) in rows {
            let _ = writeln!(text, "  {how}\n      {what}\n      {location}");
        }
        if more > 0 {
            let _ = writeln!(text, "  … and {more} more; -f json has them");
        }
    }
    let _ = writeln!(text);
    for d in &diff.diagnostics {
        let source = d.source.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}: {source}: {}", d.level, d.message);
    }
    let _ = writeln!(text, "{}", last_line(diff));
    out.write_all(text.as_bytes())
}

/// Writes Markdown.
pub fn markdown(diff: &Diff, mut out: impl Write) -> io::Result<()> {
    let mut text = format!("## plainsight: {}\n", markdown::escape(&verdict(diff)));
    for (heading, rows, more) in lists(diff) {
        let _ = writeln!(
            text,
            "\n### {heading}\n\n| how bad, how often | what | where |\n| --- | --- | --- |"
        );
        for (how, what, location) in rows {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                markdown::escape(&how),
                markdown::escape(&what),
                markdown::escape(&location)
            );
        }
        if more > 0 {
            let _ = writeln!(text, "\n… and {more} more");
        }
    }
    let _ = writeln!(text);
    for d in &diff.diagnostics {
        let source = d.source.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "- {}: {}: {}",
            d.level,
            markdown::escape(source),
            markdown::escape(&d.message)
        );
    }
    let _ = writeln!(text, "\n**{}**", markdown::escape(&last_line(diff)));
    out.write_all(text.as_bytes())
}
