//! Whose credentials reached whom: hosts on the left, the other parties that received them on the right, and a
//! line between them as broad as the exposures are many.

use super::short;
use crate::report::model::FindingReport;
use crate::report::words::count;
use crate::rule::Severity;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Hosts on each side, at most; the rest is one node.
const SIDE: usize = 10;

/// The picture, in pixels of its own.
const WIDTH: usize = 900;
const ROW: usize = 52;
const NODE: usize = 300;
const TOP: usize = 34;

/// The picture and its table.
pub struct Flow {
    pub width: usize,
    pub height: usize,
    /// Where texts of the right side begin.
    pub right: usize,
    pub nodes: Vec<Node>,
    pub lines: Vec<Line>,
    /// Whose, to whom, exposures, worst severity; the most exposures first.
    pub table: Vec<(String, String, String, Severity)>,
    pub more: usize,
}

/// A host.
pub struct Node {
    pub class: &'static str,
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub text_x: usize,
    pub text_y: usize,
    pub label: String,
    pub title: String,
}

/// What went from one host to another.
pub struct Line {
    pub severity: Severity,
    pub path: String,
    pub width: String,
    pub title: String,
}

/// Rows of the table, at most.
const TABLE: usize = 100;

/// What stands for the hosts beyond the first.
const OTHERS: &str = "other hosts";

/// The picture of these findings; `None` where no other party is known to have received anything.
pub fn flow(leaks: &[&FindingReport]) -> Option<Flow> {
    let mut all: BTreeMap<(&str, &str), (u64, Severity)> = BTreeMap::new();
    for f in leaks {
        let from = f.host.as_deref().or(f.site.as_deref()).unwrap_or("unknown host");
        for to in &f.leaked_to {
            let edge = all.entry((from, to)).or_insert((0, f.severity));
            *edge = (edge.0 + f.exposures, edge.1.max(f.severity));
        }
    }
    if all.is_empty() {
        return None;
    }
    let (left, right) = (
        side(all.iter().map(|((from, _), (n, _))| (*from, *n))),
        side(all.iter().map(|((_, to), (n, _))| (*to, *n))),
    );
    let at = |side: &[&str], host: &str| side.iter().position(|h| *h == host).unwrap_or(side.len() - 1);
    let mut edges: BTreeMap<(usize, usize), (u64, Severity)> = BTreeMap::new();
    for ((from, to), (n, severity)) in &all {
        let edge = edges
            .entry((at(&left, from), at(&right, to)))
            .or_insert((0, *severity));
        *edge = (edge.0 + n, edge.1.max(*severity));
    }
    let most = edges.values().map(|(n, _)| *n).max().unwrap_or(1) as f64;
    let rows = left.len().max(right.len());
    let y = |side: &[&str], i: usize| TOP + (rows - side.len()) * ROW / 2 + i * ROW + ROW / 2;
    let lines = edges
        .iter()
        .map(|((i, j), (n, severity))| {
            let (y1, y2) = (y(&left, *i), y(&right, *j));
            let (x1, x2) = (NODE, WIDTH - NODE);
            let middle = WIDTH / 2;
            Line {
                severity: *severity,
                path: format!("M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"),
                width: format!("{:.1}", 2.0 + 10.0 * (*n as f64).ln_1p() / most.ln_1p()),
                title: format!(
                    "{} to {}: {} exposures, {severity}",
                    left[*i],
                    right[*j],
                    count(*n)
                ),
            }
        })
        .collect();
    let node = |class, hosts: &[&str], i: usize, x: usize| Node {
        class,
        x,
        y: y(hosts, i) - 18,
        width: NODE,
        text_x: x + 14,
        text_y: y(hosts, i) + 5,
        label: short(hosts[i], 36),
        title: hosts[i].to_string(),
    };
    let nodes = (0..left.len())
        .map(|i| node("own", &left, i, 0))
        .chain((0..right.len()).map(|i| node("third", &right, i, WIDTH - NODE)))
        .collect();
    let mut table: Vec<_> = all.into_iter().collect();
    table.sort_by_key(|((from, to), (n, _))| (Reverse(*n), *from, *to));
    Some(Flow {
        width: WIDTH,
        height: TOP + rows * ROW,
        right: WIDTH - NODE + 14,
        nodes,
        lines,
        more: table.len().saturating_sub(TABLE),
        table: table
            .into_iter()
            .take(TABLE)
            .map(|((from, to), (n, severity))| (from.to_string(), to.to_string(), count(n), severity))
            .collect(),
    })
}

/// The hosts of one side, those with the most exposures first.
fn side<'a>(hosts: impl Iterator<Item = (&'a str, u64)>) -> Vec<&'a str> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    hosts.for_each(|(host, n)| *sums.entry(host).or_default() += n);
    let mut all: Vec<(&str, u64)> = sums.into_iter().collect();
    all.sort_by_key(|(host, n)| (Reverse(*n), *host));
    let folded = all.len() > SIDE;
    let mut out: Vec<&str> = all.into_iter().map(|(host, _)| host).collect();
    if folded {
        out.truncate(SIDE - 1);
        out.push(OTHERS);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hosts_fold_into_one() {
        let names: Vec<String> = (0..30).map(|i| format!("h{i:02}.example")).collect();
        let hosts = side(names.iter().enumerate().map(|(i, n)| (n.as_str(), i as u64)));
        assert_eq!(
            (hosts.len(), hosts[0], hosts[SIDE - 1]),
            (SIDE, "h29.example", OTHERS)
        );
        assert_eq!(side([("b", 1), ("a", 1), ("b", 1)].into_iter()), ["b", "a"]);
    }
}
