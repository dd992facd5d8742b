//! When each cause leaked: a bar from its first to its last exposure, with a mark for each piece of evidence.
//! Lengths are in per cent of the picture's width, so that its texts keep their size on any screen.

use super::{clock, short};
use crate::report::model::FindingReport;
use crate::report::words;
use crate::rule::Severity;
use crate::time::Instant;
use std::collections::BTreeSet;

/// Findings that are drawn, at most: the worst.
const ROWS: usize = 24;

/// Heights in pixels.
const ROW: usize = 38;
const AXIS: usize = 26;

/// Spans between two marks of the axis, in seconds; the least that gives few enough is taken.
const STEPS: &[i64] = &[
    1,
    60,
    600,
    3_600,
    3 * 3_600,
    6 * 3_600,
    12 * 3_600,
    86_400,
    2 * 86_400,
    7 * 86_400,
    14 * 86_400,
    30 * 86_400,
    91 * 86_400,
    182 * 86_400,
    365 * 86_400,
    1_826 * 86_400,
    36_525 * 86_400,
];
const TICKS: i64 = 5;

/// The picture.
pub struct Timeline {
    pub rows: Vec<Row>,
    pub ticks: Vec<Tick>,
    pub height: usize,
    /// Where the axis' labels stand.
    pub axis_y: usize,
    /// Bottom of the rows.
    pub base: usize,
    /// Leaks that are not drawn.
    pub more: u64,
    /// From when to when, in words.
    pub range: String,
}

/// A finding's bar.
pub struct Row {
    /// The finding's id, if it is listed and can be linked to.
    pub id: Option<String>,
    pub severity: Severity,
    pub label: String,
    pub hint: String,
    /// Where label and bar stand, in pixels from the top.
    pub text_y: usize,
    pub bar_y: usize,
    pub bar_end: usize,
    /// In per cent.
    pub x: String,
    pub width: String,
    pub marks: Vec<String>,
}

/// A mark of the axis.
pub struct Tick {
    /// In per cent.
    pub x: String,
    pub label: String,
}

/// The picture of these findings; `None` where no time is known.
pub fn timeline(leaks: &[&FindingReport], listed: &BTreeSet<&str>) -> Option<Timeline> {
    let mut timed: Vec<(Instant, Instant, &FindingReport)> = leaks
        .iter()
        .filter_map(|f| Some((f.first_seen?, f.last_seen?, *f)))
        .collect();
    let more = timed.len().saturating_sub(ROWS);
    timed.truncate(ROWS);
    timed.sort_by_key(|(first, last, f)| (*first, *last, f.id.clone()));
    let first = timed.iter().map(|t| t.0).min()?.seconds();
    let last = timed.iter().map(|t| t.1).max()?.seconds();
    // Some air on both sides; a single moment gets an hour.
    let air = ((last - first) / 40).max(60);
    let (from, to) = if last - first < 60 {
        (first - 1_800, last + 1_800)
    } else {
        (first - air, last + air)
    };
    let percent = |t: i64| (t - from) as f64 * 100.0 / (to - from) as f64;
    let rows = timed
        .iter()
        .enumerate()
        .map(|(i, (first, last, f))| {
            let x = percent(first.seconds());
            let marks: BTreeSet<Instant> = f.evidence.iter().filter_map(|e| e.time).collect();
            Row {
                id: listed.contains(f.id.as_str()).then(|| f.id.clone()),
                severity: f.severity,
                label: short(&format!("{}: {}", f.title, words::owner(f)), 110),
                hint: format!(
                    "{}: {} to {}",
                    words::plural(f.exposures, "exposure"),
                    clock(first),
                    clock(last)
                ),
                text_y: i * ROW + 15,
                bar_y: i * ROW + 21,
                bar_end: i * ROW + 30,
                x: format!("{x:.2}"),
                width: format!("{:.2}", (percent(last.seconds()) - x).max(0.4)),
                marks: marks
                    .iter()
                    .filter(|t| *first <= **t && **t <= *last)
                    .map(|t| format!("{:.2}", percent(t.seconds())))
                    .collect(),
            }
        })
        .collect();
    let base = timed.len() * ROW + 6;
    Some(Timeline {
        rows,
        ticks: ticks(from, to, percent),
        height: base + AXIS,
        axis_y: base + AXIS - 8,
        base,
        more: more as u64,
        range: format!("{} to {}", Instant(first * 1_000_000), Instant(last * 1_000_000)),
    })
}

fn ticks(from: i64, to: i64, percent: impl Fn(i64) -> f64) -> Vec<Tick> {
    let step = STEPS
        .iter()
        .copied()
        .find(|s| (to - from) / s <= TICKS)
        .unwrap_or(to - from);
    let start = from.div_euclid(step) + 1;
    (start..=to.div_euclid(step))
        .filter(|n| (4.0..=96.0).contains(&percent(n * step)))
        .filter_map(|n| {
            let text = Instant::new(n * step, 0)?.to_string();
            let label = if step >= 86_400 {
                text.get(..10)?.to_string()
            } else {
                format!("{} {}", text.get(5..10)?, text.get(11..16)?)
            };
            Some(Tick {
                x: format!("{:.2}", percent(n * step)),
                label,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_few_marks_at_round_times() {
        let labels = |from: i64, to: i64| -> Vec<String> {
            let percent = |t: i64| (t - from) as f64 * 100.0 / (to - from) as f64;
            ticks(from, to, percent).into_iter().map(|t| t.label).collect()
        };
        assert_eq!(labels(0, 14_400), ["01-01 01:00", "01-01 02:00", "01-01 03:00"]);
        assert_eq!(
            labels(43_200, 4 * 86_400 + 43_200),
            ["1970-01-02", "1970-01-03", "1970-01-04", "1970-01-05"]
        );
        assert!(labels(-62_135_596_800, 253_402_300_799).len() < 90);
    }
}
