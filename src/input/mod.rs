//! Inputs: what the user named becomes sources in a fixed order, and sources become runs of whole lines.

pub mod budget;
pub mod ends;
pub mod lines;
pub mod magic;
pub mod open;
pub mod stop;
pub mod walk;

pub use walk::{ASIDE, Candidate, Found, LEFT_OUT, Selection, discover};
