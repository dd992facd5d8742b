//! The report as one JSON document (`rules/report.schema.json`), and what `merge` needs of it.

use super::Report;
use super::model::{Diagnostic, Selection, Source, State, Tool};
use serde::Serialize;
use std::io::{self, Write};

/// The document's JSON Schema (2020-12).
pub const SCHEMA: &str = include_str!("../../rules/report.schema.json");

/// Writes the document and a line end.
pub fn write(report: &Report, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut out, report)?;
    out.write_all(b"\n")
}

/// The keys of a report that `merge` reads.
#[derive(Serialize)]
struct Part<'r> {
    schema_version: u32,
    tool: &'r Tool,
    clock: String,
    #[serde(skip_serializing_if = "Selection::is_usual")]
    selection: &'r Selection,
    sources: &'r [Source],
    diagnostics: &'r [Diagnostic],
    state: &'r State,
}

/// Writes what `merge` needs, in the report's own words, and a line end: a fraction of the whole, and joined as it.
pub fn part(report: &Report, mut out: impl Write) -> io::Result<()> {
    let part = Part {
        schema_version: report.schema_version,
        tool: &report.tool,
        clock: report.clock.to_string(),
        selection: &report.selection,
        sources: &report.sources,
        diagnostics: &report.diagnostics,
        state: &report.state,
    };
    serde_json::to_writer(&mut out, &part)?;
    out.write_all(b"\n")
}
