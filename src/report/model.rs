//! The report as JSON has it (schema_version 1, `rules/report.schema.json`). Names of keys are a contract:
//! additions are allowed, renames are not.

use crate::detect::liveness::State as Life;
use crate::finding::Position;
use crate::gate::{Mark, Suppressed};
use crate::record::{Field, Part, Surface};
use crate::rule::{Category, Confidence, Severity};
use crate::secret::{Fingerprint, Revealed};
use crate::time::Instant;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// The version of the contract.
pub const SCHEMA_VERSION: u32 = 1;

/// A time as RFC 3339 in UTC.
fn time<S: Serializer>(t: &Instant, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(t)
}

pub(super) fn maybe_time<S: Serializer>(t: &Option<Instant>, s: S) -> Result<S::Ok, S::Error> {
    match t {
        Some(t) => s.collect_str(t),
        None => s.serialize_none(),
    }
}

fn read_time<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Instant>, D::Error> {
    let clock = crate::time::Clock {
        now: Instant(0),
        zone: jiff::tz::TimeZone::UTC,
    };
    let text = Option::<String>::deserialize(d)?;
    let read = |t: String| {
        let time = clock.read(t.as_bytes(), crate::time::TimeForm::Iso);
        time.ok_or_else(|| serde::de::Error::custom("no time"))
    };
    text.map(read).transpose()
}

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What wrote it.
    pub tool: Tool,
    /// What was taken for now.
    #[serde(serialize_with = "time")]
    pub clock: Instant,
    /// The configuration file whose settings were used; null where there was none.
    pub config: Option<String>,
    /// What the exit code followed.
    pub gate: Gate,
    /// What was looked for, where that is not the usual.
    #[serde(skip_serializing_if = "Selection::is_usual")]
    pub selection: Selection,
    /// Counts.
    pub summary: Summary,
    /// What was read, in order of names.
    pub sources: Vec<Source>,
    /// What was found: by severity, then exposures, then id.
    #[serde(serialize_with = "super::parallel::list")]
    pub findings: Vec<FindingReport>,
    /// The rules that found them, by id.
    pub rules: Vec<RuleReport>,
    /// Values seen in several places, and the busiest.
    pub credentials: Vec<CredentialReport>,
    /// What else has to be said.
    pub diagnostics: Vec<Diagnostic>,
    /// What `merge` needs.
    pub state: State,
    /// What `--write-baseline` writes.
    #[serde(skip)]
    pub accepted: Vec<crate::gate::baseline::Entry>,
}

impl Report {
    /// Sources that were not read whole, in order.
    pub fn unread(&self) -> impl Iterator<Item = &Source> {
        let bad = |s: &&Source| matches!(s.status, Status::Partial | Status::Skipped);
        self.sources.iter().filter(bad)
    }

    /// The rule that found a finding.
    pub fn rule(&self, id: &str) -> Option<&RuleReport> {
        let at = self.rules.binary_search_by(|r| r.id.as_str().cmp(id)).ok()?;
        self.rules.get(at)
    }

    /// Whether a finding is one of those that fail the gate.
    pub fn fails(&self, finding: &FindingReport) -> bool {
        finding.suppressed.is_none()
            && self
                .gate
                .fail_on
                .parse()
                .is_ok_and(|t: crate::gate::Threshold| t.fails(finding.severity))
    }
}

/// What was looked for, as the command line or the settings chose it; what they left alone is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Only these rules or families.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Without these rules or families.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// With these families that are off by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Records before it were left out.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_time",
        deserialize_with = "read_time"
    )]
    pub since: Option<Instant>,
    /// Records from it on were left out.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_time",
        deserialize_with = "read_time"
    )]
    pub until: Option<Instant>,
    /// Findings under it do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<Confidence>,
}

impl Selection {
    /// Whether nothing was chosen.
    pub fn is_usual(&self) -> bool {
        *self == Selection::default()
    }

    /// Whether rules were left out that are there by default.
    pub fn leaves_rules_out(&self) -> bool {
        !self.only.is_empty() || !self.skip.is_empty()
    }

    /// Whether there may be findings, of rules that were looked for, that were passed over.
    pub fn cuts(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.min_confidence.is_some()
    }
}

/// A rule, as far as readers of its findings want to know it.
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    /// Its id.
    pub id: String,
    /// One line.
    pub title: String,
    /// The file it stands in.
    pub family: String,
    /// Kind of credential.
    pub category: Category,
    /// Severity before the place is considered.
    pub severity: Severity,
    /// The most that it can be sure of.
    pub confidence: Confidence,
    /// Why it matters.
    pub why: String,
    /// CWE, RFC, ASVS and vendors' pages.
    pub references: Vec<String>,
}

/// What `merge` needs: keyed hashes only.
#[derive(Debug, Serialize)]
pub struct State {
    /// Which parts it can be joined with.
    #[serde(flatten)]
    pub identity: Identity,
    /// The earliest and the latest clock of what was joined, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks: Option<(Instant, Instant)>,
    /// What was found.
    pub aggregate: crate::finding::Wire,
}

/// What has to be equal for two reports to be joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Version of the state's form.
    pub version: u32,
    /// The key's.
    pub key_id: String,
    /// The rules', selection included.
    pub rules_digest: String,
    /// That of the options that change what is found or shown.
    pub options_digest: String,
}

/// What wrote the report.
#[derive(Debug, Serialize)]
pub struct Tool {
    /// `plainsight`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The gate's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Gate {
    /// The threshold; `never` where there is none.
    pub fail_on: String,
    /// Findings at or over it that nothing hides.
    pub failing: u64,
    /// Entries of the baseline that this run writes, where it writes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
}

/// Counts over the whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Sources that were looked at.
    pub sources: u64,
    /// Decompressed bytes that were read.
    pub bytes: u64,
    /// Lines, entries and rows.
    pub records: u64,
    /// Credentials at places.
    pub exposures: u64,
    /// Causes.
    pub findings: u64,
    /// Distinct credentials.
    pub credentials: u64,
    /// Distinct clients.
    pub clients: u64,
    /// Findings by severity.
    pub by_severity: BTreeMap<Severity, u64>,
    /// Findings that a baseline or an allow entry hides.
    pub suppressed: u64,
    /// Whether everything asked for was read whole.
    pub complete: bool,
    /// Which of these are estimates.
    pub estimated: Vec<&'static str>,
}

crate::record::words! {
    /// What came of a source.
    Status {
        /// Read whole.
        Complete = "complete",
        /// Nothing that is read, and nobody asked for it.
        Ignored = "ignored",
        /// Read in part.
        Partial = "partial",
        /// Not read.
        Skipped = "skipped",
    }
}

/// One input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Its name: path, `outer!inner`, or `-`.
    pub path: String,
    /// Kind of place.
    pub surface: Surface,
    /// Format of most of it; null where there was nothing.
    pub format: Option<String>,
    /// Compression, outermost first.
    pub compression: Option<String>,
    /// Decompressed bytes.
    pub bytes: u64,
    /// Lines, entries or rows.
    pub records: u64,
    /// Of those that were looked into, how many no format explains: they were scanned as text.
    pub unparsed: u64,
    /// Exposures in it.
    pub exposures: u64,
    /// What came of it.
    pub status: Status,
    /// Why it is not complete.
    pub problem: Option<String>,
    /// Where only parts of it were read: which, in order, adjoining ones as one. Lines of evidence are counted from the
    /// beginning of the part that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SourcePart>,
}

/// A part of a source: lines that follow one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePart {
    /// Where its first line begins, in bytes.
    pub offset: u64,
    /// How long its lines are in all, in bytes.
    pub length: u64,
    /// How many there are.
    pub lines: u64,
    /// Whether the source is known to go on behind it.
    pub more: bool,
    /// Kind of place.
    pub surface: Surface,
    /// Format of most of the source.
    pub format: Option<String>,
    /// What came of it.
    pub status: Status,
    /// Why it is not complete.
    pub problem: Option<String>,
    /// Records that were nested too deeply to be followed to the end.
    #[serde(default, skip_serializing_if = "is_none")]
    pub deep: u64,
    /// Exposures without a time in records whose time could not be read.
    #[serde(default, skip_serializing_if = "is_none")]
    pub bad_times: u64,
}

fn is_none(n: &u64) -> bool {
    *n == 0
}

/// One cause.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // the keys are documented in the schema
pub struct FindingReport {
    pub id: String,
    pub rule: String,
    pub title: String,
    pub category: Category,
    pub severity: Severity,
    pub severity_basis: Vec<&'static str>,
    pub confidence: Confidence,
    pub surface: Surface,
    pub field: Field,
    pub part: Part,
    pub name: String,
    pub via: Vec<String>,
    pub scheme: Option<&'static str>,
    pub host: Option<String>,
    /// Without a host, the stem of the source's name: it stands for the site.
    pub site: Option<String>,
    pub route: Option<String>,
    pub leaked_to: Vec<String>,
    pub exposures: u64,
    pub credentials: u64,
    pub clients: u64,
    pub estimated: Vec<&'static str>,
    #[serde(serialize_with = "maybe_time")]
    pub first_seen: Option<Instant>,
    #[serde(serialize_with = "maybe_time")]
    pub last_seen: Option<Instant>,
    pub statuses: BTreeMap<&'static str, u64>,
    pub liveness: LivenessReport,
    pub identity: Vec<Told>,
    pub signs: Vec<super::Sign>,
    pub evidence: Vec<EvidenceReport>,
    pub advice: Vec<crate::advice::Given>,
    pub references: Vec<String>,
    /// How it stands to the baseline.
    pub baseline: Mark,
    /// Who hides it from the gate, and why; null where nobody does.
    pub suppressed: Option<Suppressed>,
}

/// What is known of a life.
#[derive(Clone, Debug, Serialize)]
pub struct LivenessReport {
    /// The worst state.
    pub state: Life,
    /// The latest end of that state.
    #[serde(serialize_with = "maybe_time")]
    pub until: Option<Instant>,
    /// What it was read from.
    pub basis: String,
    /// Exposures by state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<Life, u64>,
}

/// One exposure, redacted.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct EvidenceReport {
    pub source: String,
    #[serde(flatten)]
    pub position: PositionReport,
    /// Where the part begins whose lines `line` counts; none where it counts those of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<u64>,
    pub offset: u64,
    #[serde(serialize_with = "maybe_time")]
    pub time: Option<Instant>,
    pub client: Option<String>,
    pub method: Option<String>,
    pub status: Option<u16>,
    pub excerpt: String,
    pub span: (u32, u32),
    pub credential: Preview,
}

/// `line`, `entry` or `row`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum PositionReport {
    Line(u64),
    Entry(u64),
    Row(i64),
}

impl From<Position> for PositionReport {
    fn from(p: Position) -> Self {
        match p {
            Position::Line(n) => PositionReport::Line(n),
            Position::Entry(n) => PositionReport::Entry(n),
            Position::Row(n) => PositionReport::Row(n),
        }
    }
}

/// What may be told of a credential.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Preview {
    pub preview: String,
    pub length: u64,
    #[serde(serialize_with = "fingerprint")]
    pub fingerprint: Fingerprint,
    /// The value itself, under `--reveal` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Revealed>,
}

/// As 16 hexadecimal digits.
pub fn fingerprint<S: Serializer>(f: &Fingerprint, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(f)
}

/// One value, wherever it was seen.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct CredentialReport {
    #[serde(serialize_with = "fingerprint")]
    pub fingerprint: Fingerprint,
    pub kind: Category,
    pub exposures: u64,
    pub findings: Vec<String>,
    pub path: Vec<StationReport>,
    pub surfaces: Vec<Surface>,
    pub clients: u64,
    #[serde(serialize_with = "maybe_time")]
    pub first_seen: Option<Instant>,
    #[serde(serialize_with = "maybe_time")]
    pub last_seen: Option<Instant>,
    pub liveness: LivenessReport,
    pub identity: Vec<Told>,
}

/// One step of a credential's way, in the order of time: it came to a finding's place, or another client had it, of
/// another network than those before.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct StationReport {
    pub finding: Option<String>,
    pub client: Option<String>,
    #[serde(serialize_with = "maybe_time")]
    pub first_seen: Option<Instant>,
}

/// One thing that a credential tells of whose it is or what it may do.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Told {
    pub kind: String,
    pub value: String,
}

/// What credentials tell, in order.
pub fn identity(told: &crate::finding::Identity) -> Vec<Told> {
    let one = |(kind, value): &(Box<str>, Box<str>)| Told {
        kind: kind.to_string(),
        value: value.to_string(),
    };
    told.iter().map(one).collect()
}

crate::record::words! {
    /// How much a diagnostic matters.
    Level {
        /// Worth knowing.
        Note = "note",
        /// Something may be missing.
        Warning = "warning",
        /// Something is missing.
        Error = "error",
    }
}

/// Something else to be said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How much it matters.
    pub level: Level,
    /// About which source, if any.
    pub source: Option<String>,
    /// What, and what to do.
    pub message: String,
    /// Whether it is about this report alone (its gate, its clock), not about what was read: where reports are joined, it
    /// is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gate: bool,
}
