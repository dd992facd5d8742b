//! From exposures to findings: all exposures with the same cause and cure are one. The aggregate is a mergeable
//! value: threads, parts of files and parts of corpora are joined by the same function, in any order, to the
//! same result.

mod aggregate;
mod key;
mod sketch;

pub use aggregate::{Aggregate, Credential, Evidence, Finding, Position, Sighting, Wire, limits};
pub use key::{FindingKey, Level, Words, stem};
pub use sketch::Sketch;
