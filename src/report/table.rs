//! The report for a reader at a terminal: the verdict first, then what leaks, where, how often, since when and
//! what to do, within a screen. Findings of one rule and host that differ only in route are one row here.

use super::model::{FindingReport, Status};
use super::words::{self, bytes, count, plural};
use super::{Report, safe};
use crate::rule::Severity;
use crate::rule::severity::Sure;
use comfy_table::presets::ASCII_HORIZONTAL_ONLY;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// How the table is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Columns of the terminal.
    pub width: u16,
    /// Whether to colour.
    pub color: bool,
    /// Whether sentences are broken at the width: a terminal would break them within words.
    pub fold: bool,
}

impl Style {
    /// A sentence on lines of the terminal's width.
    fn sentence(self, text: &str) -> String {
        if !self.fold {
            return text.to_string();
        }
        let mut out = String::with_capacity(text.len() + 4);
        let mut used = 0;
        for word in text.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > usize::from(self.width) {
                out.push_str("\n  ");
                used = 2;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += length;
        }
        out
    }
}

/// Rows and steps that fit a screen; JSON has all.
const ROWS: usize = 25;
const STEPS: usize = 6;
const ROUTES: usize = 3;

/// Findings that differ only in route.
struct Row<'a> {
    worst: &'a FindingReport,
    all: Vec<&'a FindingReport>,
    exposures: u64,
}

/// Writes what went wrong and the verdict's last line.
pub fn brief(report: &Report, mut out: impl Write) -> io::Result<()> {
    let mut text = String::new();
    problems(report, &mut text);
    let _ = writeln!(text, "{}", words::gate(report));
    out.write_all(text.as_bytes())
}

/// Writes the table.
pub fn write(report: &Report, style: Style, mut out: impl Write) -> io::Result<()> {
    let mut text = String::new();
    render(report, style, &mut text);
    for line in text.lines() {
        writeln!(out, "{}", safe::plain_line(line))?;
    }
    Ok(())
}

fn render(report: &Report, style: Style, out: &mut String) {
    let s = &report.summary;
    let _ = writeln!(out, "{}\n", style.sentence(&words::verdict(report)));
    let shown: Vec<&FindingReport> = report
        .findings
        .iter()
        .filter(|f| f.suppressed.is_none())
        .collect();
    let rows = rows(&shown);
    let (leaks, notices): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|r| r.worst.severity > Severity::Info);
    if !leaks.is_empty() {
        let drawn = table(&leaks, style).to_string();
        let _ = writeln!(out, "{}", if style.color { coloured(&drawn) } else { drawn });
        if leaks.len() > ROWS {
            let _ = writeln!(
                out,
                "… and {} more rows; -f json has every finding",
                leaks.len() - ROWS
            );
        }
        let _ = writeln!(out);
        steps(&leaks, style, out);
    }
    followed(report, style, out);
    if !notices.is_empty() {
        let n: u64 = notices.iter().map(|r| r.exposures).sum();
        let names: Vec<&str> = notices.iter().map(|r| r.worst.rule.as_str()).collect();
        let mut names: Vec<&str> = names.into_iter().take(4).collect();
        names.dedup();
        let _ = writeln!(
            out,
            "Also noted, no leaks: {} times {}.\n",
            count(n),
            names.join(", ")
        );
    }
    if s.suppressed > 0 {
        let hidden = format!(
            "Hidden: {} that the baseline or an allow entry accepts; -f json has {}.",
            plural(s.suppressed, "finding"),
            if s.suppressed == 1 { "it" } else { "them" }
        );
        let _ = writeln!(out, "{}\n", style.sentence(&hidden));
    }
    problems(report, out);
    let bad = report.unread().count();
    let ignored = report
        .sources
        .iter()
        .filter(|s| s.status == Status::Ignored)
        .count();
    let mut read = format!(
        "Read {} in {} of {} sources ({})",
        plural(s.records, "record"),
        count(s.sources - bad as u64 - ignored as u64),
        count(s.sources),
        bytes(s.bytes)
    );
    if ignored > 0 {
        let _ = write!(read, ", {ignored} ignored");
    }
    let _ = write!(read, "; clock {}.", report.clock);
    let _ = writeln!(out, "{}", style.sentence(&read));
    let _ = writeln!(out, "{}", style.sentence(&words::gate(report)));
}

fn rows<'r>(findings: &[&'r FindingReport]) -> Vec<Row<'r>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut at = BTreeMap::new();
    for &f in findings {
        let key = (
            f.rule.as_str(),
            f.name.as_str(),
            f.field.as_str(),
            f.host.as_deref(),
            f.site.as_deref(),
            f.via.as_slice(),
        );
        match at.get(&key) {
            Some(&n) => {
                let n: usize = n;
                rows[n].exposures += f.exposures;
                rows[n].all.push(f);
            }
            None => {
                at.insert(key, rows.len());
                rows.push(Row {
                    worst: f,
                    all: vec![f],
                    exposures: f.exposures,
                });
            }
        }
    }
    rows.sort_by(|a, b| {
        b.worst
            .severity
            .cmp(&a.worst.severity)
            .then(b.exposures.cmp(&a.exposures))
    });
    rows
}

fn table(rows: &[&Row], style: Style) -> Table {
    let mut table = Table::new();
    table
        .load_style(ASCII_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(style.width);
    table.set_header(["severity", "what, where, what to do", "times", "since"]);
    for row in rows.iter().take(ROWS) {
        let f = row.worst;
        let first = row.all.iter().filter_map(|f| f.first_seen).min();
        let since = first.map_or("-".to_string(), |t| t.to_string().chars().take(10).collect());
        table.add_row([f.severity.as_str().to_string(), what(row), times(row), since]);
    }
    // The first, third and last columns are as wide as they need to be; what is left is for the second.
    for (i, width) in [(0, 8), (2, 14), (3, 10)] {
        if let Some(column) = table.column_mut(i) {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(width + 2)));
        }
    }
    table
}

/// The severities at the starts of rows, coloured after the table is drawn: its layout knows no escapes.
fn coloured(drawn: &str) -> String {
    let mut out = String::with_capacity(drawn.len() + 256);
    for line in drawn.lines() {
        let word = Severity::ALL
            .iter()
            .find(|s| line.trim_start().starts_with(s.as_str()) && line.starts_with(' '));
        match word {
            Some(s) => {
                let code = match s {
                    Severity::Critical => "1;31",
                    Severity::High => "31",
                    Severity::Medium => "33",
                    _ => "34",
                };
                out.push_str(&line.replacen(s.as_str(), &format!("\x1b[{code}m{s}\x1b[0m"), 1));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

fn what(row: &Row) -> String {
    let f = row.worst;
    let mut out = format!("{} [{}]\n{}", f.title, f.rule, words::place(f));
    if let Some(host) = &f.host {
        let _ = write!(out, " of {host}");
    } else if let Some(site) = &f.site {
        let _ = write!(out, " ({site})");
    }
    if !f.leaked_to.is_empty() {
        let shown: Vec<&str> = f.leaked_to.iter().take(3).map(String::as_str).collect();
        let _ = write!(out, "\nreceived by {}", shown.join(", "));
    }
    let mut routes: Vec<(&str, u64)> = row
        .all
        .iter()
        .filter_map(|f| f.route.as_deref().map(|r| (r, f.exposures)))
        .collect();
    routes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    for (route, n) in routes.iter().take(ROUTES) {
        let _ = write!(out, "\n  {route}");
        if routes.len() > 1 {
            let _ = write!(out, " ({})", count(*n));
        }
    }
    if routes.len() > ROUTES {
        let _ = write!(out, "\n  … {} routes in all", routes.len());
    }
    // There are values under --reveal alone.
    let shown = f
        .evidence
        .iter()
        .filter_map(|e| e.credential.value.as_ref().map(|v| (v, e)));
    for (value, e) in shown {
        let _ = write!(out, "\n  {value} ({})", e.source);
    }
    let signs = row.all.iter().flat_map(|f| &f.signs);
    let mut signs: Vec<_> = signs.filter(|s| s.sure == Sure::Likely).collect();
    signs.sort_by_key(|s| s.kind);
    signs.dedup_by_key(|s| s.kind);
    for sign in signs {
        let _ = write!(out, "\n! {}", words::sign(sign));
    }
    if f.baseline == crate::gate::Mark::Worsened {
        out.push_str("\nworse than was accepted in the baseline");
    }
    if let Some(step) = f
        .advice
        .iter()
        .find(|a| a.kind == crate::advice::Step::Source)
        .or(f.advice.first())
    {
        let _ = write!(out, "\n-> {}", step.title);
    }
    out
}

fn times(row: &Row) -> String {
    let f = row.worst;
    let mut out = count(row.exposures);
    if row.all.len() == 1 {
        let about = if f.estimated.is_empty() { "" } else { "~" };
        let _ = write!(
            out,
            "\n{about}{} value{}",
            count(f.credentials),
            if f.credentials == 1 { "" } else { "s" }
        );
        if f.clients > 0 {
            let _ = write!(
                out,
                "\n{} client{}",
                count(f.clients),
                if f.clients == 1 { "" } else { "s" }
            );
        }
    } else {
        let _ = write!(out, "\n{} findings", row.all.len());
    }
    out
}

/// What to do first, over all rows: each step once, in the order in which steps are taken.
fn steps(rows: &[&Row], style: Style, out: &mut String) {
    let mut seen: Vec<(&crate::advice::Given, u64)> = Vec::new();
    for row in rows {
        for given in &row.worst.advice {
            match seen.iter_mut().find(|(g, _)| g.id == given.id) {
                Some((_, n)) => *n += row.exposures,
                None => seen.push((given, row.exposures)),
            }
        }
    }
    seen.sort_by_key(|(g, n)| (g.kind, std::cmp::Reverse(*n)));
    let _ = writeln!(
        out,
        "What to do, in this order (plainsight explain RULE has the details):"
    );
    let mut shown = 0;
    for kind in crate::advice::Step::ALL {
        for (given, _) in seen.iter().filter(|(g, _)| g.kind == *kind).take(2) {
            if shown == STEPS + 2 {
                break;
            }
            shown += 1;
            let line = format!("{shown}. {}: {}", kind, given.title);
            let width = usize::from(style.width.max(40));
            let cut: String = line.chars().take(width).collect();
            let _ = writeln!(out, "{cut}");
        }
    }
    let _ = writeln!(out);
}

/// Steps of a credential's way that are shown.
const PATH: usize = 8;

/// Credentials that were seen in several places, and the way they took.
fn followed(report: &Report, style: Style, out: &mut String) {
    let several: Vec<_> = report
        .credentials
        .iter()
        .filter(|c| c.surfaces.len() > 1 || c.findings.len() > 1)
        .collect();
    if several.is_empty() {
        return;
    }
    let _ = writeln!(out, "The same credential in several places:");
    for c in several.iter().take(3) {
        let surfaces: Vec<&str> = c.surfaces.iter().map(|s| s.as_str()).collect();
        let _ = writeln!(
            out,
            "  {} {}: {} places in {} findings ({}), {}",
            c.kind,
            c.fingerprint,
            count(c.exposures),
            c.findings.len(),
            surfaces.join(", "),
            plural(c.clients, "client")
        );
        for (n, step) in c.path.iter().take(PATH).enumerate() {
            let of = |f: &&FindingReport| Some(&f.id) == step.finding.as_ref();
            let what = match (&step.client, report.findings.iter().find(of)) {
                (Some(client), _) => format!("from another client: {client}"),
                (None, Some(f)) => format!("{}: {}, {}", f.surface, words::place(f), words::owner(f)),
                (None, None) => continue,
            };
            let when = step.first_seen.map_or_else(
                || "at no known time".into(),
                |t| t.to_string().chars().take(16).collect::<String>(),
            );
            let arrow = if n == 0 { "  " } else { "->" };
            let line = format!("    {arrow} {} {what}", when.replace('T', " "));
            let width = usize::from(style.width.max(40));
            let cut: String = line.chars().take(width).collect();
            let _ = writeln!(out, "{cut}");
        }
        if c.path.len() > PATH {
            let _ = writeln!(out, "       … and {} more steps", c.path.len() - PATH);
        }
    }
    if several.len() > 3 {
        let _ = writeln!(out, "  … and {} more", several.len() - 3);
    }
    let _ = writeln!(out);
}

fn problems(report: &Report, out: &mut String) {
    let bad: Vec<_> = report.unread().collect();
    for s in bad.iter().take(10) {
        let _ = writeln!(
            out,
            "{}: {}: {}",
            s.status,
            s.path,
            s.problem.as_deref().unwrap_or_default()
        );
    }
    if bad.len() > 10 {
        let _ = writeln!(
            out,
            "… and {} more sources that were not read whole",
            bad.len() - 10
        );
    }
    for d in report.diagnostics.iter().take(10) {
        let _ = writeln!(
            out,
            "{}: {}{}",
            d.level,
            d.source.as_ref().map(|s| format!("{s}: ")).unwrap_or_default(),
            d.message
        );
    }
    if !bad.is_empty() || !report.diagnostics.is_empty() {
        let _ = writeln!(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_between_words_where_a_terminal_is_narrow() {
        let style = Style {
            width: 12,
            color: false,
            fold: true,
        };
        assert_eq!(style.sentence("one two three four"), "one two\n  three four");
        assert_eq!(
            Style { fold: false, ..style }.sentence("one two three four"),
            "one two three four"
        );
    }
}
