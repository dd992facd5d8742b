//! The baseline: findings that somebody has accepted, each by what makes it one finding, with the severity that
//! was accepted, why, by whom and until when. Nothing in it comes from a credential.
//!
//! An entry is matched by its key in words, the rule by its id or a former one; its `id` is there for readers.
//! An entry for a folded finding (`{many}`) covers every finding that folds into it, never the other way round:
//! what was accepted for one route accepts nothing for all.

use super::Mark;
use crate::finding::{FindingKey, Words};
use crate::record::{Field, Part, Surface};
use crate::rule::{RuleSet, Severity};
use crate::secret::hex16;
use crate::time::{Clock, Instant, TimeForm};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::Path;

/// The version of the file's form.
pub const VERSION: u32 = 1;

/// Largest baseline that is read, in bytes: a report has 200,000 findings at most.
const MAX_FILE: u64 = 256 << 20;

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The finding's id when it was accepted.
    pub id: String,
    /// The rule's id.
    pub rule: String,
    /// Kind of source.
    pub surface: Surface,
    /// Which piece of the record.
    pub field: Field,
    /// Where in it.
    pub part: Part,
    /// The innermost name.
    pub name: String,
    /// Outer names.
    #[serde(default)]
    pub via: Vec<String>,
    /// The owner's host.
    #[serde(default)]
    pub host: Option<String>,
    /// Without a host, the source's stem.
    #[serde(default)]
    pub site: Option<String>,
    /// The scoped route.
    #[serde(default)]
    pub route: Option<String>,
    /// The worst severity that is accepted.
    pub severity: Severity,
    /// Why it is accepted.
    pub reason: String,
    /// By whom.
    #[serde(default)]
    pub author: Option<String>,
    /// When, as `2026-01-31`.
    pub date: String,
    /// The last day on which it counts, or a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// Who accepts what a run finds, and why.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Why.
    pub reason: String,
    /// By whom, if that is known.
    pub author: Option<String>,
    /// The last day on which it counts.
    pub expires: Option<String>,
}

impl Entry {
    /// An entry for a finding.
    pub fn new(key: &FindingKey, rule: &str, severity: Severity, by: &Acceptance, now: Instant) -> Entry {
        let words = Words::from(key);
        Entry {
            id: hex16(key.id(rule)),
            rule: rule.to_string(),
            surface: words.surface,
            field: words.field,
            part: words.part,
            name: words.name,
            via: words.via,
            host: words.host,
            site: words.site,
            route: words.route,
            severity,
            reason: by.reason.clone(),
            author: by.author.clone(),
            date: day(now),
            expires: by.expires.clone(),
        }
    }

    fn words(&self) -> Words {
        Words {
            surface: self.surface,
            field: self.field,
            part: self.part,
            name: self.name.clone(),
            via: self.via.clone(),
            host: self.host.clone(),
            site: self.site.clone(),
            route: self.route.clone(),
        }
    }

    fn order(&self) -> impl Ord + '_ {
        (&self.rule, self.words(), &self.id)
    }

    /// The entry in a line of text.
    pub fn describe(&self) -> String {
        let place = self.host.as_deref().or(self.site.as_deref()).unwrap_or_default();
        let route = self.route.as_deref().unwrap_or_default();
        let label = crate::report::safe::label;
        // An id looks like a token, and is none: nothing in it comes from a credential.
        let id = if self.id.len() == 16 && self.id.bytes().all(|b| b.is_ascii_hexdigit()) {
            self.id.clone()
        } else {
            label(&self.id)
        };
        let what = label(&format!("{}, {} {place}{route}", self.rule, self.name));
        format!("{id} ({what})")
    }
}

/// The day of a time, in UTC.
pub fn day(t: Instant) -> String {
    t.to_string().chars().take(10).collect()
}

/// When something that expires at `text` stops counting: the end of a day, in UTC, or the time itself.
pub fn end_of(text: &str) -> Option<Instant> {
    let clock = Clock {
        now: Instant(0),
        zone: jiff::tz::TimeZone::UTC,
    };
    let at = clock.read(text.as_bytes(), TimeForm::Iso)?;
    Some(if text.len() <= 10 {
        at.plus_seconds(86_400)
    } else {
        at
    })
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The file could not be read.
    #[error(
        "cannot read the baseline {file}: {source}; make one with: plainsight scan --write-baseline {file} PATH"
    )]
    Read {
        /// As it may be shown.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is none.
    #[error("{file} is no baseline: {message}; make one with: plainsight scan --write-baseline FILE PATH")]
    Parse {
        /// As it may be shown.
        file: String,
        /// What the parser said, with line and column.
        message: String,
    },
    /// Another version's.
    #[error(
        "{file} has baseline version {found}, this program reads {VERSION}: update plainsight, or write the baseline anew"
    )]
    Version {
        /// As it may be shown.
        file: String,
        /// Its version.
        found: u64,
    },
    /// A date is none.
    #[error("{file}: entry {entry}: expires {text:?} is no date; write one as 2026-12-31")]
    Date {
        /// As it may be shown.
        file: String,
        /// The entry.
        entry: String,
        /// What stands there.
        text: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<E> {
    baseline_version: u32,
    entries: E,
}

/// A baseline that has been read.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// Its file, as it may be shown.
    pub file: String,
    /// Its entries, as they stand in the file.
    pub entries: Vec<Entry>,
    ends: Vec<Option<Instant>>,
    /// Entries by the ids that their findings have today.
    by_id: HashMap<u64, Vec<usize>>,
}

/// How a finding stands to a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Known, worsened or new.
    pub mark: Mark,
    /// The entry that decided it; the most specific.
    pub entry: Option<usize>,
    /// An entry covers it that has expired.
    pub expired: bool,
}

impl Baseline {
    /// The baseline in `path`; `rules` tells what rules were called formerly.
    pub fn read(path: &Path, rules: &RuleSet) -> Result<Baseline, BaselineError> {
        let file = crate::report::safe::path(path);
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|f| f.take(MAX_FILE + 1).read_to_string(&mut text))
            .map_err(|source| BaselineError::Read {
                file: file.clone(),
                source,
            })?;
        Baseline::parse(file, &text, rules)
    }

    fn parse(file: String, text: &str, rules: &RuleSet) -> Result<Baseline, BaselineError> {
        let parse = |message: String| BaselineError::Parse {
            file: file.clone(),
            message,
        };
        if text.len() as u64 > MAX_FILE {
            return Err(parse("it is larger than 256 MiB".into()));
        }
        // The version is looked at first: another version may have other keys.
        let any: serde_json::Value = serde_json::from_str(text).map_err(|e| parse(e.to_string()))?;
        let found = any.get("baseline_version").and_then(serde_json::Value::as_u64);
        match found {
            Some(v) if v == u64::from(VERSION) => {}
            Some(found) => return Err(BaselineError::Version { file, found }),
            None => return Err(parse("baseline_version is missing".into())),
        }
        let read: File<Vec<Entry>> = serde_json::from_str(text).map_err(|e| parse(e.to_string()))?;
        let mut by_id: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut ends = Vec::new();
        for (n, entry) in read.entries.iter().enumerate() {
            let rule = rules
                .by_id(&entry.rule)
                .map_or(entry.rule.as_str(), |r| &r.spec.id);
            by_id.entry(entry.words().ids(rule)[0]).or_default().push(n);
            let end = entry.expires.as_deref().map(|text| {
                end_of(text).ok_or_else(|| BaselineError::Date {
                    file: file.clone(),
                    entry: entry.describe(),
                    text: crate::report::safe::label(text),
                })
            });
            ends.push(end.transpose()?);
        }
        Ok(Baseline {
            file,
            entries: read.entries,
            ends,
            by_id,
        })
    }

    /// The entries that cover a finding with these ids (its own, then those that it folds to), most specific
    /// first.
    pub fn covering(&self, ids: &[u64; 4]) -> impl Iterator<Item = usize> {
        let distinct = (0..ids.len()).filter(|&n| n == 0 || ids[n] != ids[n - 1]);
        distinct
            .filter_map(|n| self.by_id.get(&ids[n]))
            .flatten()
            .copied()
    }

    /// Whether an entry no longer counts.
    pub fn expired(&self, entry: usize, now: Instant) -> bool {
        self.ends[entry].is_some_and(|end| now >= end)
    }

    /// How a finding with these ids and that severity stands to it.
    pub fn judge(&self, ids: &[u64; 4], severity: Severity, now: Instant) -> Match {
        let mut out = Match {
            mark: Mark::New,
            entry: None,
            expired: false,
        };
        for entry in self.covering(ids) {
            if self.expired(entry, now) {
                out.expired = true;
            } else if severity <= self.entries[entry].severity {
                return Match {
                    mark: Mark::Known,
                    entry: Some(entry),
                    expired: false,
                };
            } else if out.entry.is_none() {
                (out.mark, out.entry) = (Mark::Worsened, Some(entry));
            }
        }
        out
    }
}

/// Writes a baseline: sorted by what the entries say, so that two of them can be compared line by line.
pub fn write(mut entries: Vec<Entry>, mut out: impl Write) -> io::Result<()> {
    entries.sort_by(|a, b| a.order().cmp(&b.order()));
    entries.dedup();
    let file = File {
        baseline_version: VERSION,
        entries,
    };
    serde_json::to_writer_pretty(&mut out, &file)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    fn key(route: &str) -> FindingKey {
        FindingKey {
            rule: 0,
            surface: Surface::ServerLog,
            field: Field::Url,
            part: Part::Query,
            name: "token".into(),
            via: Box::new([]),
            host: Some("gis.example.gov".into()),
            site: None,
            route: Some(route.into()),
        }
    }

    fn rules() -> RuleSet {
        let mut specs = crate::rule::builtin().unwrap();
        specs.truncate(1);
        specs[0].formerly = vec!["its-old-id".into()];
        RuleSet::new(specs).unwrap()
    }

    fn baseline(entries: Vec<Entry>, rules: &RuleSet) -> Baseline {
        let mut text = Vec::new();
        write(entries, &mut text).unwrap();
        Baseline::parse("b.json".into(), std::str::from_utf8(&text).unwrap(), rules).unwrap()
    }

    fn accepted(key: &FindingKey, rule: &str) -> Entry {
        let by = Acceptance {
            reason: "known".into(),
            author: None,
            expires: Some("2026-01-31".into()),
        };
        Entry::new(key, rule, Severity::Medium, &by, Instant(0))
    }

    #[test]
    fn former_rule_ids_still_match() {
        let rules = rules();
        let id = rules.rules[0].spec.id.clone();
        let b = baseline(vec![accepted(&key("/a"), "its-old-id")], &rules);
        let judged = |route, severity| b.judge(&key(route).ids(&id), severity, Instant(0)).mark;
        assert_eq!(judged("/a", Severity::Medium), Mark::Known);
        assert_eq!(judged("/a", Severity::High), Mark::Worsened);
        assert_eq!(judged("/b", Severity::Low), Mark::New);
    }

    #[test]
    fn a_folded_entry_covers_what_folds_into_it_and_not_the_other_way_round() {
        let rules = rules();
        let id = rules.rules[0].spec.id.clone();
        let folded = key("/a").fold(Level::Routes);
        let wide = baseline(vec![accepted(&folded, &id)], &rules);
        let narrow = baseline(vec![accepted(&key("/a"), &id)], &rules);
        let mark = |b: &Baseline, k: &FindingKey| b.judge(&k.ids(&id), Severity::Low, Instant(0)).mark;
        assert_eq!(mark(&wide, &key("/anything")), Mark::Known);
        assert_eq!(mark(&wide, &key("/a").fold(Level::Hosts)), Mark::New);
        assert_eq!(mark(&narrow, &folded), Mark::New);
    }

    #[test]
    fn an_entry_counts_to_the_end_of_its_last_day() {
        let rules = rules();
        let id = rules.rules[0].spec.id.clone();
        let b = baseline(vec![accepted(&key("/a"), &id)], &rules);
        let at = |t: &str| b.judge(&key("/a").ids(&id), Severity::Low, end_of(t).unwrap());
        assert_eq!(at("2026-01-31T23:59:59Z").mark, Mark::Known);
        let later = at("2026-02-01T00:00:00Z");
        assert!(later.mark == Mark::New && later.expired);
    }

    #[test]
    fn what_is_no_baseline_is_said() {
        let rules = rules();
        for (text, want) in [
            ("[]", "baseline_version is missing"),
            ("{\"baseline_version\": 9}", "version 9"),
            (
                "{\"baseline_version\": 1, \"entries\": [], \"x\": 1}",
                "unknown field",
            ),
            ("{", "line 1"),
        ] {
            let e = Baseline::parse("b.json".into(), text, &rules)
                .unwrap_err()
                .to_string();
            assert!(e.contains(want) && e.contains("b.json"), "{e}");
        }
    }
}
