//! Where an exposure was seen, as reports show it: redacted, and in source order.

use super::writers::Writers;
use crate::record::Surface;
use crate::secret::Fingerprint;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;

/// Where in a source a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// A line, counted from 1 within its block; the block is resolved when the scan is finished.
    Line(u64),
    /// An entry, counted from 0.
    Entry(u64),
    /// The rowid of a database.
    Row(i64),
}

/// One exposure as reports show it: redacted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// The source's name.
    pub source: Arc<str>,
    /// Index of the block whose lines `position` counts; none once it is resolved.
    pub block: Option<(u32, u32)>,
    /// Where in the source.
    pub position: Position,
    /// Where the part of the source begins whose lines `position` counts; none where it counts the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u64>,
    /// Offset of the raw bytes in the decompressed source.
    pub offset: u64,
    /// When.
    pub time: Option<Instant>,
    /// Who, as `--clients` says.
    pub client: Option<Box<str>>,
    /// The method.
    pub method: Option<Box<str>>,
    /// The status.
    pub status: Option<u16>,
    /// The text around it, masked.
    pub excerpt: Box<str>,
    /// Where the mask stands in the excerpt, in bytes.
    pub span: (u32, u32),
    /// At most four characters.
    pub preview: Box<str>,
    /// The value, where the user wants to see it; never in a report's state.
    #[serde(skip)]
    pub revealed: Option<crate::secret::Revealed>,
    /// Length of the value.
    pub length: u64,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

/// What evidence is ordered by: source, entry or row, offset. Lines stand in the order of their offsets.
pub(super) type Order<'e> = (&'e str, i64, u64);

/// The order of an exposure at that place.
pub(super) fn order<'e>(source: &'e str, position: &Position, offset: u64) -> Order<'e> {
    let unit = match position {
        Position::Line(_) => 0,
        Position::Entry(n) => i64::try_from(*n).unwrap_or(i64::MAX),
        Position::Row(n) => *n,
    };
    (source, unit, offset)
}

impl Evidence {
    /// What it is ordered by.
    pub(super) fn order(&self) -> Order<'_> {
        order(&self.source, &self.position, self.offset)
    }

    /// The order among all evidence. What stands at one place, as things do that are encoded together, is told apart by
    /// all that is shown of it, so that nothing depends on what came first.
    pub(super) fn cmp(&self, other: &Evidence) -> Ordering {
        let shown = |e: &Evidence| (e.fingerprint, e.length, e.span, e.time, e.status);
        self.order()
            .cmp(&other.order())
            .then_with(|| shown(self).cmp(&shown(other)))
            .then_with(|| self.excerpt.cmp(&other.excerpt))
            .then_with(|| (&self.preview, &self.client).cmp(&(&other.preview, &other.client)))
            .then_with(|| self.method.cmp(&other.method))
    }
}

/// What an exposure is seen with, beside itself.
pub struct Sighting<'a> {
    /// Kind of source.
    pub surface: Surface,
    /// The source's name.
    pub source: &'a Arc<str>,
    /// Where in it.
    pub position: Position,
    /// The stem that stands for the site where there is no host.
    pub site: &'a str,
    /// Index of the line's format.
    pub format: u16,
    /// Servers that the source's name tells of.
    pub writers: Writers,
    /// The client, if there is one.
    pub client: Option<&'a super::trail::Client>,
    /// The program, where its name is known.
    pub agent: Option<crate::agent::AgentId>,
    /// The status.
    pub status: Option<u16>,
    /// Where the response is a page: its Referrer-Policy.
    pub policy: Option<crate::record::ReferrerPolicy>,
    /// Whether the credential is a session's id.
    pub session: bool,
    /// Whether the request signed somebody in, as far as a log can tell.
    pub login: bool,
    /// Whether the credential was accepted after its end, as far as a log can tell.
    pub late: bool,
    /// Where the credential may be a guess: keyed hash of whose, and what that is.
    pub guess: Option<(u64, super::guesses::Who)>,
    /// What the credential tells of itself, persons as `--clients` says.
    pub identity: &'a [crate::detect::identity::Claim],
}
