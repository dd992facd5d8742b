//! The report as GitHub-flavoured Markdown, for issues, merge requests and job summaries: the verdict, a table of
//! findings, what to do, and where to look. Nothing that comes from a log is read as Markdown or HTML: it stands
//! in code spans, or escaped.

use super::model::FindingReport;
use super::words::{self, count, plural};
use super::{Report, safe};
use crate::advice::Given;
use crate::rule::Severity;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Findings and sources that are listed, at most: a job summary holds 1 MiB (GitHub, "Workflow commands").
const FINDINGS: usize = 100;
const SOURCES: usize = 20;

/// Writes the document.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    out.write_all(document(report).as_bytes())
}

fn document(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# plainsight: leaked credentials\n");
    let _ = writeln!(out, "**{}**\n", escape(&words::verdict(report)));
    let _ = writeln!(out, "{}\n", escape(&words::gate(report)));
    summary(report, &mut out);
    findings(&report.findings, &mut out);
    steps(&report.findings, &mut out);
    evidence(&report.findings, &mut out);
    problems(report, &mut out);
    out
}

fn summary(report: &Report, out: &mut String) {
    let s = &report.summary;
    let _ = writeln!(out, "| severity | findings |\n| --- | ---: |");
    for severity in Severity::ALL.iter().rev() {
        let n = s.by_severity.get(severity).copied().unwrap_or(0);
        let _ = writeln!(out, "| {severity} | {} |", count(n));
    }
    let _ = writeln!(
        out,
        "\nRead {} in {} ({}), {}; clock {}.\n",
        plural(s.records, "record"),
        plural(s.sources, "source"),
        words::bytes(s.bytes),
        plural(s.clients, "client"),
        report.clock
    );
}

fn findings(all: &[FindingReport], out: &mut String) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "## Findings\n\n| severity | what | where | exposures | values | first seen | last seen |\n| --- | --- | --- | ---: | ---: | --- | --- |"
    );
    for f in all.iter().take(FINDINGS) {
        let about = if f.estimated.is_empty() { "" } else { "about " };
        let day = |t: Option<crate::time::Instant>| {
            t.map_or("-".into(), |t| t.to_string().chars().take(10).collect::<String>())
        };
        let owner = words::owner(f);
        let mut place = cell(&words::place(f));
        if !owner.is_empty() {
            let _ = write!(place, "<br>{}", cell(&owner));
        }
        if !f.leaked_to.is_empty() {
            let _ = write!(place, "<br>received by {}", cell(&words::some(&f.leaked_to, 3)));
        }
        let _ = writeln!(
            out,
            "| {}{} | {} {} | {place} | {} | {about}{} | {} | {} |",
            f.severity,
            accepted(f),
            escape(&f.title),
            code(&f.rule),
            count(f.exposures),
            count(f.credentials),
            day(f.first_seen),
            day(f.last_seen)
        );
    }
    if all.len() > FINDINGS {
        let _ = writeln!(
            out,
            "\n… and {} more findings; `-f json` has every one.",
            count((all.len() - FINDINGS) as u64)
        );
    }
    let _ = writeln!(out);
}

/// A mark on what fails nothing because somebody has accepted it.
fn accepted(f: &FindingReport) -> &'static str {
    if f.suppressed.is_some() { " (accepted)" } else { "" }
}

fn steps(all: &[FindingReport], out: &mut String) {
    // What has been accepted is nobody's next step.
    let leaks = all
        .iter()
        .filter(|f| f.severity > Severity::Info && f.suppressed.is_none());
    let steps = words::steps(leaks);
    if steps.is_empty() {
        return;
    }
    let _ = writeln!(out, "## What to do, in this order\n");
    for (i, (step, n)) in steps.iter().enumerate() {
        let note = format!(" ({})", plural(*n, "finding"));
        out.push_str(&self::step(i + 1, step, &note));
    }
    let _ = writeln!(out);
}

/// A step as the item of a numbered list.
pub fn step(number: usize, step: &Given, note: &str) -> String {
    let mut out = format!(
        "{number}. **{}: {}**{note}  \n    {}\n",
        step.kind,
        escape(&step.title),
        prose(&step.text)
    );
    if let Some(snippet) = &step.snippet {
        let _ = writeln!(out, "\n{}\n", fenced(snippet, "    "));
    }
    out
}

fn evidence(all: &[FindingReport], out: &mut String) {
    let mut listed = all
        .iter()
        .filter(|f| !f.evidence.is_empty())
        .take(FINDINGS)
        .peekable();
    if listed.peek().is_none() {
        return;
    }
    let _ = writeln!(
        out,
        "## Where to look\n\nCredentials are masked: at most four characters of a long one are shown.\n"
    );
    for f in listed {
        let _ = writeln!(
            out,
            "- **{}: {}**{}, finding {}",
            f.severity,
            escape(&f.title),
            accepted(f),
            code(&f.id)
        );
        if let Some(s) = &f.suppressed {
            let _ = writeln!(out, "  - accepted ({}): {}", s.by, escape(&s.reason));
        }
        if !f.identity.is_empty() {
            let _ = writeln!(out, "  - whose it is: {}", code(&words::identity(&f.identity)));
        }
        for sign in &f.signs {
            let _ = writeln!(out, "  - sign of abuse: {}", escape(&words::sign(sign)));
        }
        for e in f.evidence.iter().take(2) {
            let _ = writeln!(
                out,
                "  - {} {}: {}",
                code(&e.source),
                words::position(e.position),
                code(&e.excerpt)
            );
        }
    }
    let _ = writeln!(out);
}

fn problems(report: &Report, out: &mut String) {
    let unread: Vec<_> = report.unread().collect();
    if unread.is_empty() && report.diagnostics.is_empty() {
        return;
    }
    let _ = writeln!(out, "## Not read whole, and other remarks\n");
    for s in unread.iter().take(SOURCES) {
        let _ = writeln!(
            out,
            "- {}: {}: {}",
            s.status,
            code(&s.path),
            code(s.problem.as_deref().unwrap_or_default())
        );
    }
    if unread.len() > SOURCES {
        let _ = writeln!(out, "- … and {} more", unread.len() - SOURCES);
    }
    for d in report.diagnostics.iter().take(SOURCES) {
        let source = d.source.as_deref().map(code).unwrap_or_default();
        let _ = writeln!(out, "- {}: {source} {}", d.level, code(&d.message));
    }
}

/// Text in which nothing is markup, and nothing becomes a link, a mention or a reference.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // As an entity, because a table splits at every bar, and because addresses are looked for late.
            '|' => out.push_str("&#124;"),
            '@' => out.push_str("<span>&#64;</span>"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // `www.` and `http:` begin links wherever they stand.
            '.' | ':' if rest.peek().is_some_and(|n| n.is_alphanumeric() || *n == '/') => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A code span: in it nothing is markup. Not for tables.
fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // One space at each end is taken off again; it keeps backticks of the text from those of the fence.
    if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// A code span for a table's cell, where bars part cells even in code: they are written as URLs write them.
fn cell(text: &str) -> String {
    code(&text.replace('|', "%7C"))
}

/// Text of advice: what stands between backticks is code, the rest is text.
pub fn prose(text: &str) -> String {
    let shown = |p: words::Piece| if p.code { code(p.text) } else { escape(p.text) };
    words::pieces(text).into_iter().map(shown).collect()
}

/// A block of code, each line indented so that it belongs to its list's item.
fn fenced(text: &str, indent: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    let mut out = format!("{indent}{fence}\n");
    for line in text.trim_matches('\n').lines() {
        let _ = writeln!(out, "{indent}{}", safe::plain_line(line));
    }
    let _ = write!(out, "{indent}{fence}");
    out
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_a_log_is_text() {
        assert_eq!(
            escape("<b>*x*</b> | [a](http://e.example) @me #1"),
            "&lt;b&gt;\\*x\\*&lt;/b&gt; &#124; \\[a\\](http\\://e\\.example) <span>&#64;</span>me \\#1"
        );
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(cell("a|b\\|c"), "`a%7Cb\\%7Cc`");
        assert_eq!(prose("use `a|b` or *c*"), "use `a|b` or \\*c\\*");
        assert_eq!(fenced("\n```\nx\n", " "), " ````\n ```\n x\n ````");
    }
}
