//! Databases and binary property lists of browsers are not rewritten in place: SQLite keeps what was deleted in free
//! pages and in its log, and a property list may hold others in its data. What is read of them is exported instead, a
//! JSON object a line, and that text is redacted and proved like any log.

use super::aside::Copy;
use super::copy::Copier;
use super::edit::{Edit, View, apply};
use super::rewrite::Rewriter;
use super::spool::Spool;
use super::tally::Trouble;
use crate::format::history::database;
use crate::format::history::plist;
use crate::format::history::row::{Role, Row, is_script};
use crate::record::Surface;
use crate::report::model::Status;
use crate::text::Coding;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::Path;

/// Largest database that is put aside when it comes as a stream, in bytes.
const LARGEST: u64 = 4 << 30;

/// What the copy is, and what is left to do.
const ADVICE: &str = "its rows were written as JSON lines; the database itself is as it was: delete the rows in the \
                      browser (its history page, or \"Clear browsing data\", on synced devices as well)";

/// The same of a property list.
const EXPORTED: &str = "its records were written as JSON lines; the property list itself is as it was: delete the \
                        entries in the browser";

/// A row as it is written. Its first key tells history from bookmarks.
#[derive(Serialize)]
struct Line<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bookmarks: Option<&'r str>,
    row: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Line<'_> {
    fn slot(&mut self, role: Role) -> &mut Option<String> {
        match role {
            Role::Url => &mut self.url,
            Role::Location => &mut self.location,
            Role::Referer => &mut self.referer,
            Role::Title => &mut self.title,
            Role::Message | Role::Text => &mut self.text,
        }
    }
}

impl Copier<'_> {
    /// The database at `path`, with what stands in its write-ahead log.
    pub(super) fn database(
        &mut self,
        name: &str,
        path: &Path,
        named: bool,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let catalogue = &self.tools.config.formats;
        let mut rewriter = Rewriter::new(self.tools);
        let (mut spool, found) = Spool::of(self.folder, |w| {
            let mut failed = None;
            let found = database::rows(path, catalogue, &mut |number, format, row| {
                if failed.is_none() {
                    let spec = &catalogue.get(format).spec;
                    let edits = rewriter.row(number, format, row);
                    failed = write(&spec.id, spec.surface, number, row, &edits, w).err();
                }
            });
            failed.map_or(Ok(found), |e| Err(Trouble::Write(e)))
        })?;
        match found {
            Err(e) => {
                let text = e.to_string().replace(" scan ", " redact ");
                return Ok(self.leave_out(name, Status::Skipped, text));
            }
            Ok(None) => {
                let status = if named { Status::Skipped } else { Status::Ignored };
                return Ok(self.leave_out(
                    name,
                    status,
                    "is a database of no known kind, which is not read, and so not copied",
                ));
            }
            Ok(Some(d)) => {
                if let Some(problem) = d.read.problem {
                    self.cut(name, Some(io::Error::other(problem)))?;
                }
            }
        }
        self.problem(name, Status::Ignored, ADVICE);
        self.tally.add(rewriter.tally);
        self.proved(name, &[], &mut spool.read()?, rewriter.kept, out)
    }

    /// A binary property list: `head`, then what `input` gives.
    pub(super) fn property_list(
        &mut self,
        name: &str,
        head: &[u8],
        input: &mut dyn Read,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let catalogue = &self.tools.config.formats;
        let mut rewriter = Rewriter::new(self.tools);
        let (mut spool, read) = Spool::of(self.folder, |w| {
            let mut failed = None;
            let mut whole = io::Cursor::new(head).chain(input);
            let (_, read) = plist::rows(&mut whole, catalogue, &mut |number, format, row| {
                if failed.is_none() {
                    let spec = &catalogue.get(format).spec;
                    let number = i64::try_from(number).unwrap_or(i64::MAX);
                    let edits = rewriter.row(number, format, row);
                    failed = write(&spec.id, spec.surface, number, row, &edits, w).err();
                }
            });
            failed.map_or(Ok(read), |e| Err(Trouble::Write(e)))
        })?;
        if let Some(problem) = read.problem {
            let problem = problem.replace(" scan ", " redact ");
            self.cut(name, Some(io::Error::other(problem)))?;
        }
        self.problem(name, Status::Ignored, EXPORTED);
        self.tally.add(rewriter.tally);
        self.proved(name, &[], &mut spool.read()?, rewriter.kept, out)
    }

    /// A database that comes as a stream.
    pub(super) fn spooled_database(
        &mut self,
        name: &str,
        mut input: impl Read,
        depth: usize,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let mut file = Copy::begin(self.folder).map_err(Trouble::Write)?;
        let length = io::copy(&mut input.by_ref().take(LARGEST + 1), file.file()).map_err(Trouble::Read)?;
        if length > LARGEST {
            let text = "is a database of more than 4 GiB inside a stream; unpack it and redact that";
            return Ok(self.leave_out(name, Status::Skipped, text));
        }
        let path = file.path().unwrap_or(Path::new("")).to_path_buf();
        self.database(name, &path, depth == 0, out)
    }
}

/// Writes a row with its edits made: one line, and one more for each further text of the same role.
fn write(
    format: &str,
    surface: Surface,
    row: i64,
    content: &Row,
    edits: &[Edit],
    out: &mut dyn Write,
) -> io::Result<()> {
    let bookmarks = surface == Surface::Bookmarks;
    let begin = || Line {
        history: (!bookmarks).then_some(format),
        bookmarks: bookmarks.then_some(format),
        row,
        time: content.instant.map(|t| t.to_string()),
        url: None,
        location: None,
        referer: None,
        title: None,
        text: None,
    };
    let mut line = begin();
    let mut put = |line: &Line| {
        serde_json::to_writer(&mut *out, line)?;
        out.write_all(b"\n")
    };
    for (role, range) in content.parts() {
        let within = |at: u64| (at as usize) < range.end;
        let first = edits.partition_point(|e| e.span.end as usize <= range.start);
        let last = edits.partition_point(|e| within(e.span.start));
        let part = View {
            bytes: &content.bytes()[range.clone()],
            offset: range.start as u64,
        };
        let mut text = Vec::with_capacity(range.len());
        apply(part, &edits[first.min(last)..last], &mut text);
        // A bookmarklet is a program: what ends a value in it can be seen once its escapes are undone.
        let (role, text) = match is_script(&text) {
            true => (Role::Text, Coding::Percent.decode(&text)),
            false => (role, Cow::Borrowed(&*text)),
        };
        if line.slot(role).is_some() {
            put(&std::mem::replace(&mut line, begin()))?;
        }
        *line.slot(role) = Some(String::from_utf8_lossy(&text).into_owned());
    }
    put(&line)
}
