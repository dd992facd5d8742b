//! Reports: the model that every output is written from, and one file for each output.

mod build;
pub mod codequality;
pub mod csv;
pub mod diff;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
mod location;
pub mod markdown;
pub mod model;
pub mod ndjson;
pub mod openmetrics;
pub(crate) mod parallel;
pub mod safe;
pub mod sarif;
mod signs;
pub mod table;
mod words;

pub use build::{BuildInput, build, build_selected};
pub use model::Report;
pub use signs::Sign;
