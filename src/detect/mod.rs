//! From records to exposures: carriers are taken apart, names and shapes are matched, and where several rules
//! fit one stretch the most specific stands. The prefilter, which spares most lines all of this, is here too.

mod ends;
mod free;
pub mod identity;
mod jwt;
pub mod liveness;
mod markup;
mod name;
mod offer;
mod owner;
pub mod prefilter;
mod saml;
mod settle;
mod siblings;
mod walk;

pub use name::fold;
pub(crate) use offer::USERS;
pub use walk::Detector;

use crate::record::{Field, Part};
use crate::rule::severity::Basis;
use crate::rule::{Confidence, Severity};
use crate::secret::{Fingerprint, Secret};
use crate::text::Coding;
use crate::time::Instant;
use liveness::Liveness;
use std::ops::Range;
use std::sync::Arc;

/// One credential at one place. Holds nothing of the credential but what may be told.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// Index of the rule.
    pub rule: u16,
    /// Which piece of the record carried it.
    pub field: Field,
    /// Where in the URL or value.
    pub part: Part,
    /// The innermost name, decoded and in lower case, fit to be shown.
    pub name: Box<str>,
    /// Names on the way from the outermost carrier, fit to be shown.
    pub via: Box<[Box<str>]>,
    /// The owner's scheme.
    pub scheme: Option<Box<str>>,
    /// The owner's host.
    pub host: Option<Box<str>>,
    /// The owner's scoped route.
    pub route: Option<Box<str>>,
    /// Another party's host that received it.
    pub leaked_to: Option<Box<str>>,
    /// Where the raw bytes stand in the decompressed source.
    pub span: Range<u64>,
    /// Where the base64 that holds the value stands, all of it; `None` where the value stands in none.
    pub opaque: Option<Range<u64>>,
    /// The decodings from there to the value, outermost first.
    pub chain: Vec<Coding>,
    /// Length of the canonical value in bytes.
    pub length: usize,
    /// Keyed fingerprint of the canonical value.
    pub fingerprint: Fingerprint,
    /// The value, where the user wants to see it.
    pub revealed: Option<crate::secret::Revealed>,
    /// The value, where the user wants to see it gone: it is looked for elsewhere. Of a long one its end.
    pub removed: Option<Arc<Secret>>,
    /// At most four characters.
    pub preview: String,
    /// How bad.
    pub severity: Severity,
    /// Why it is as bad as it is.
    pub basis: Basis,
    /// How sure.
    pub confidence: Confidence,
    /// Whether it can still work.
    pub liveness: Liveness,
    /// What the credential tells of whose it is and what it may do.
    pub identity: Box<[identity::Claim]>,
    /// For a password: keyed hash of the user named beside it, and of the host.
    pub user: Option<u64>,
    /// Whether it repeats another exposure of the same record, with which it counts.
    pub echo: bool,
    /// The first of several times that it stands for, where it stands for several.
    pub since: Option<Instant>,
    /// When the record was written.
    pub time: Option<Instant>,
}
