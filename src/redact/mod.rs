//! Copies without credentials, and the proof that there are none left in them.
//!
//! A source is read twice. The first pass rewrites it: what the scanner finds is replaced in the bytes as they
//! stand ([`edit`]), every line that was changed is read again by the exhaustive scanner until nothing is left in it
//! ([`rewrite`]), and what was removed is kept, bounded ([`kept`]). The second pass proves the copy: a [`search`] for
//! what was removed in any of its usual forms, and the ordinary scanner over all of it where a line's reading depends
//! on others (headers, pieces, lines longer than a window); where each line is read for itself, those that were not
//! changed stand in the copy as the first pass has scanned them. What is found is replaced in a further round. Only a copy that was proved is put in place ([`aside`]). In a pipe each line is
//! proved before it is written, and what was removed is looked for from then on.

mod archive;
pub mod aside;
mod chunks;
pub mod copy;
mod database;
mod document;
pub mod edit;
mod forms;
pub mod kept;
mod labels;
mod paranoid;
pub mod pass;
pub mod rewrite;
pub mod search;
mod spool;
pub mod style;
mod summary;
pub mod table;
pub mod tally;
pub mod targets;
pub mod unescape;

pub use style::Style;
pub use summary::{Entry, Summary};

use crate::detect::prefilter::Prefilter;
use crate::format::sniff::HEAD;
use crate::input::Candidate;
use crate::input::budget::Budget;
use crate::input::magic::{self, Magic};
use crate::platform;
use crate::report::model::Status;
use crate::report::safe;
use crate::rule::Severity;
use crate::scan::Config;
use aside::{Copy, Folders};
use copy::Copier;
use rewrite::Tools;
use std::fs::Metadata;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tally::Trouble;
use targets::{Plan, Target};

/// What a run is told beside the scanner's configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// What stands in a credential's place.
    pub style: Style,
    /// What is under it stays.
    pub min_severity: Severity,
    /// Whether HAR files lose all cookies, authorizing headers and bodies, too.
    pub paranoid: bool,
    /// Whether copies have the mode of what they are made of.
    pub keep_mode: bool,
    /// Whether copies may replace what is there.
    pub force: bool,
    /// Whether what cannot be read whole is copied as far as it can be.
    pub allow_partial: bool,
}

/// Makes the copies of a plan and tells what came of it; `each` is called after every input. Copies that could be
/// proved are in place even where others could not.
pub fn run(config: &Config, options: &Options, plan: &Plan, mut each: impl FnMut(&Entry)) -> Summary {
    let prefilter = Prefilter::new(&config.rules, &config.formats.triggers());
    let tools = Tools {
        config,
        prefilter: &prefilter,
        style: options.style,
        min_severity: options.min_severity,
        paranoid: options.paranoid,
    };
    let mut folders = Folders::default();
    let mut summary = Summary::new(config, options);
    for passed in &plan.found.passed_over {
        let entry = Entry::passed_over(&passed.name, passed.status, &passed.problem);
        each(&entry);
        summary.add(entry);
    }
    for target in &plan.targets {
        let entry = Run {
            tools: &tools,
            options,
            target,
        }
        .entry(&mut folders);
        each(&entry);
        summary.add(entry);
    }
    summary
}

/// One input's copy.
struct Run<'c> {
    tools: &'c Tools<'c>,
    options: &'c Options,
    target: &'c Target,
}

impl Run<'_> {
    fn entry(&self, folders: &mut Folders) -> Entry {
        let Target { input, copy } = self.target;
        let mut entry = Entry::new(&input.name, copy.as_deref());
        let folder = match copy {
            Some(copy) => parent(copy),
            None => std::env::temp_dir(),
        };
        // A HAR file has no lines that could be given on one by one.
        let live = input.path.as_os_str() == "-" && copy.is_none() && !self.options.paranoid;
        let mut copier = Copier::new(self.tools, &folder, live, self.options.allow_partial);
        let made = folders
            .make(&folder)
            .map_err(Trouble::Write)
            .and_then(|()| self.make(input, &folder, &mut copier));
        entry.take(copier.tally, &copier.problems);
        match made {
            Ok(true) => entry.written(),
            Ok(false) => entry.left_out(),
            Err(trouble) => entry.failed(&trouble.to_string()),
        }
        entry
    }

    /// Makes the copy and puts it in place; false where there is nothing to put there.
    fn make(&self, input: &Candidate, folder: &Path, copier: &mut Copier) -> Result<bool, Trouble> {
        let mut next = || Copy::begin(folder);
        if input.path.as_os_str() == "-" {
            if self.target.copy.is_none() {
                let mut out = io::stdout().lock();
                let input = copier.budget.packed(io::stdin());
                return copier.any("-", Box::new(input), 0, &mut out);
            }
            let mut copy = next().map_err(Trouble::Write)?;
            let made = self.packed(copier, &mut copy, |copier, out| {
                let input = copier.budget.packed(io::stdin());
                copier.any("-", Box::new(input), 0, out)
            })?;
            return self.put(copier, copy, made, None);
        }
        let opened = platform::open_shared(&input.path).and_then(|f| f.metadata().map(|m| (f, m)));
        let (mut file, meta) = opened.map_err(Trouble::Read)?;
        copier.budget = Budget::new(self.tools.config.limits, meta.len());
        let mut head = Vec::new();
        if meta.is_file() {
            let positioned = pass::Positioned {
                file: &file,
                at: 0,
                size: u64::MAX,
            };
            positioned
                .take(HEAD as u64)
                .read_to_end(&mut head)
                .map_err(Trouble::Read)?;
            file.rewind().map_err(Trouble::Read)?;
        }
        let kind = magic::tell(&head);
        if !input.named
            && let Magic::Ignored(what) = kind
        {
            let text = format!("is {what}, which is not read, and so not copied");
            return Ok(copier.leave_out(&input.name, Status::Ignored, text));
        }
        if meta.is_file()
            && meta.len() > 0
            && kind == Magic::Data
            && magic::not_text_alone(&head).is_none()
            && !(self.options.paranoid && paranoid::is_har(&head))
            && document::kind(&head, &input.name).is_none()
        {
            let copy = copier.plain(&file, meta.len(), &mut next)?;
            return self.put(copier, copy, true, Some(&meta));
        }
        let mut copy = next().map_err(Trouble::Write)?;
        let made = self.packed(copier, &mut copy, |copier, out| match kind {
            Magic::Zip => copier.zip(&input.name, file, 0, out),
            Magic::Sqlite => copier.database(&input.name, &input.path, input.named, out),
            _ => copier.any(&input.name, Box::new(file), 0, out),
        })?;
        self.put(copier, copy, made, Some(&meta))
    }

    fn packed<'k>(
        &self,
        copier: &mut Copier<'k>,
        copy: &mut Copy,
        fill: impl FnOnce(&mut Copier<'k>, &mut dyn Write) -> Result<bool, Trouble>,
    ) -> Result<bool, Trouble> {
        let mut out = io::BufWriter::new(copy.file());
        let made = fill(copier, &mut out)?;
        out.flush().map_err(Trouble::Write)?;
        Ok(made)
    }

    /// Puts a copy in place that was proved, unless something is missing in it.
    fn put(
        &self,
        copier: &Copier,
        mut copy: Copy,
        made: bool,
        meta: Option<&Metadata>,
    ) -> Result<bool, Trouble> {
        if !made || copier.is_partial() && !self.options.allow_partial {
            return Ok(false);
        }
        let Some(target) = &self.target.copy else {
            copy.file().rewind().map_err(Trouble::Write)?;
            io::copy(copy.file(), &mut io::stdout().lock()).map_err(Trouble::Write)?;
            return Ok(true);
        };
        // The plan was checked before it was begun; what has come to stand there since is not replaced either.
        copy.put(target, meta, self.options.keep_mode, self.options.force)
            .map_err(Trouble::Write)?;
        Ok(true)
    }
}

/// The folder in which a file stands.
fn parent(path: &Path) -> PathBuf {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
        .to_path_buf()
}
