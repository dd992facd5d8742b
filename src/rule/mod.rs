//! Rules: what counts as a credential and how bad that is. The rules themselves are data under `rules/`; this
//! is their model, their compilation, and the checks that values are put to.

pub mod check;
pub mod checksum;
mod compile;
pub mod example;
mod load;
mod model;
mod reference;
pub mod severity;

pub use compile::{Compiled, KeywordSet, Matcher, RuleSet, Tier};
pub use load::{LoadError, OwnRules, builtin, load_dir};
pub use model::{Category, Confidence, Grade, RuleSpec, Severity, Shape, When};
