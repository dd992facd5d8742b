//! plainsight finds the credentials that web traffic has left lying in plain sight, in URLs above all, and says
//! how to stop it. This is the library behind the program: [`scan::Scan`] takes inputs and gives a
//! [`report::Report`].
//!
//! Data flows one way, and each stage is a module: [`input`] finds and opens sources, [`format`](mod@format) turns lines into
//! [`record`]s, [`detect`] turns records into exposures, [`finding`] folds them, [`report`] tells of them, and
//! [`gate`] decides what the process says of it.

pub mod advice;
mod agent;
pub mod cli;
pub mod detect;
pub mod diff;
pub mod finding;
pub mod format;
pub mod gate;
pub mod input;
pub mod merge;
pub mod platform;
pub mod record;
pub mod redact;
pub mod report;
pub mod rule;
pub mod scan;
pub mod secret;
pub mod text;
pub mod time;
pub mod url;
