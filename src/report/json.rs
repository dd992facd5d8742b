//! The report as one JSON document (`rules/report.schema.json`).

use super::Report;
use std::io::{self, Write};

/// Writes the document and a line end.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut out, report)?;
    out.write_all(b"\n")
}
