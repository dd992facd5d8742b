//! From exposures to findings: all exposures with the same cause and cure are one. The aggregate is a mergeable
//! value: threads, parts of files and parts of corpora are joined by the same function, in any order, to the
//! same result.

mod aggregate;
mod evidence;
mod folding;
mod guesses;
mod kept;
mod key;
pub mod limits;
mod model;
mod policies;
mod sketch;
mod stem;
mod trail;
mod writers;

pub use aggregate::{Aggregate, Wire};
pub use evidence::{Evidence, Position, Sighting};
pub use guesses::{Guesses, Who};
pub use key::{FindingKey, Level, Words};
pub(crate) use model::earlier;
pub use model::{Credential, Finding, Identity, Ids};
pub use policies::Policies;
pub use sketch::Sketch;
pub use stem::stem;
pub use trail::{Client, Network, Span, Tally, Trail};
pub use writers::Writers;
