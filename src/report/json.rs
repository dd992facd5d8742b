//! The report as one JSON document (`rules/report.schema.json`).

use super::Report;
use std::io::{self, Write};

/// The document's JSON Schema (2020-12).
pub const SCHEMA: &str = include_str!("../../rules/report.schema.json");

/// Writes the document and a line end.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut out, report)?;
    out.write_all(b"\n")
}
