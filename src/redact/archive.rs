//! Archives, rebuilt member by member. What is no file (folders, links, long names) stays as it is, but for
//! credentials in names; what is not read is left out and said.

use super::copy::Copier;
use super::labels::{self, BLOCK, Extension, Labels, pad};
use super::spool::Spool;
use super::tally::Trouble;
use crate::input::ends::{self, TarEnd};
use crate::input::open::tar_problem;
use crate::report::model::Status;
use crate::report::safe;
use std::io::{self, Read, Seek, Write};

/// Largest zip that is put aside when it comes as a stream, in bytes.
const LARGEST_ZIP: u64 = 4 << 30;

impl Copier<'_> {
    /// A tar archive; headers are copied as they are, but for sizes.
    pub(super) fn tar(
        &mut self,
        name: &str,
        input: impl Read,
        depth: usize,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let mut archive = tar::Archive::new(TarEnd::new(input));
        archive.set_ignore_zeros(true);
        let entries = match archive.entries() {
            Ok(entries) => entries.raw(true),
            Err(e) => {
                let text = format!("the tar archive cannot be read: {}", tar_problem(&e));
                return Ok(self.leave_out(name, Status::Skipped, text));
            }
        };
        // Headers that belong to the next file wait for it: what is left out takes them along.
        let mut before: Vec<Extension> = Vec::new();
        let mut written = Labels::default();
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    let text = format!(
                        "the tar archive is broken or cut off ({}); what stands before was copied",
                        tar_problem(&e)
                    );
                    self.problem(name, Status::Partial, text);
                    break;
                }
            };
            let kind = entry.header().entry_type();
            let inner = self.label(name, &entry.path_bytes(), &mut Labels::default())?;
            let member = format!("{name}!{}", safe::label(&String::from_utf8_lossy(&inner)));
            let mut header = entry.header().clone();
            if kind.is_file() || kind.is_contiguous() {
                let folder = self.folder;
                let (mut spool, made) =
                    Spool::of(folder, |w| self.any(&member, Box::new(&mut entry), depth + 1, w))?;
                let extensions = std::mem::take(&mut before);
                if made {
                    header.set_size(spool.length);
                    header.set_cksum();
                    self.headers(name, extensions, &mut header, &mut written, out)?;
                    out.write_all(header.as_bytes()).map_err(Trouble::Write)?;
                    spool.copy(out)?;
                    pad(spool.length, out)?;
                }
                continue;
            }
            if kind.is_gnu_sparse() {
                let text = "is stored with holes, which is not read; pack the archive without --sparse";
                self.problem(&member, Status::Skipped, text);
                before.clear();
                break;
            }
            let extension =
                kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions();
            let mut data = Vec::new();
            entry
                .by_ref()
                .take(MOST_EXTENSION + 1)
                .read_to_end(&mut data)
                .map_err(Trouble::Read)?;
            let sized = kind.is_pax_local_extensions() && memchr::memmem::find(&data, b" size=").is_some();
            if sized || data.len() as u64 > MOST_EXTENSION {
                let text = "has a header that is too large, or a size that is given twice, which is not read; unpack the archive and redact what is in it";
                self.problem(&member, Status::Skipped, text);
                before.clear();
                break;
            }
            if !(extension || kind.is_pax_global_extensions() || data.is_empty()) {
                let text = "is of a kind that has no content, and yet has one; unpack the archive and redact what comes of it";
                self.problem(&member, Status::Skipped, text);
                before.clear();
                continue;
            }
            if extension {
                if before.len() >= MOST_EXTENSIONS {
                    let text =
                        "has too many headers for one member; unpack the archive and redact what is in it";
                    self.problem(&member, Status::Skipped, text);
                    before.clear();
                    break;
                }
                before.push((header, data));
                continue;
            }
            let mut text = data;
            if kind.is_pax_global_extensions() {
                text = self.attributes(name, &text, &mut written, &mut None, &mut None)?;
                header.set_size(text.len() as u64);
                header.set_cksum();
            }
            let extensions = std::mem::take(&mut before);
            self.headers(name, extensions, &mut header, &mut written, out)?;
            labels::entry(&header, &text, out)?;
        }
        if !archive.into_inner().is_marked() {
            self.problem(name, Status::Partial, ends::TAR_ENDS);
        }
        self.check(name, &written)?;
        out.write_all(&[0; 2 * BLOCK]).map_err(Trouble::Write)?;
        Ok(true)
    }

    /// A zip archive that comes as a stream: its directory is at its end, so it is put aside first.
    pub(super) fn zip_stream(
        &mut self,
        name: &str,
        mut input: impl Read,
        depth: usize,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let mut file = tempfile::tempfile_in(self.folder).map_err(Trouble::Write)?;
        let length = io::copy(&mut input.by_ref().take(LARGEST_ZIP + 1), &mut file).map_err(Trouble::Read)?;
        if length > LARGEST_ZIP {
            let text =
                "is a zip archive of more than 4 GiB inside a stream; unpack it and redact what is in it";
            return Ok(self.leave_out(name, Status::Skipped, text));
        }
        self.zip(name, file, depth, out)
    }

    /// A zip archive.
    pub(super) fn zip(
        &mut self,
        name: &str,
        mut file: impl Read + Seek,
        depth: usize,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
        let lists_all = ends::lists_all(&mut file).unwrap_or(false);
        let mut archive = match zip::ZipArchive::new(io::BufReader::new(file)) {
            Ok(archive) => archive,
            Err(e) => {
                let text = format!("the zip archive cannot be read: {}", safe::label(&e.to_string()));
                return Ok(self.leave_out(name, Status::Skipped, text));
            }
        };
        if archive.has_duplicate_names() {
            let text = "several members of the zip archive have one name; unpack it and redact what is in it";
            return Ok(self.leave_out(name, Status::Skipped, text));
        }
        if archive.offset() > 0 || !lists_all {
            return Ok(self.leave_out(name, Status::Skipped, ends::ZIP_HIDES));
        }
        let aside = tempfile::tempfile_in(self.folder).map_err(Trouble::Write)?;
        let mut packed = zip::ZipWriter::new(aside);
        let mut written = Labels::default();
        for index in 0..archive.len() {
            let entry = match archive.by_index(index) {
                Ok(entry) => entry,
                Err(e) => {
                    let text = format!("member {index} cannot be opened: {}", safe::label(&e.to_string()));
                    self.problem(name, Status::Skipped, text);
                    continue;
                }
            };
            let inner = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let shown = self.label(name, inner.as_bytes(), &mut Labels::default())?;
            let member = format!("{name}!{}", safe::label(&String::from_utf8_lossy(&shown)));
            let comment = entry.comment().to_owned();
            let options = entry.options();
            // What has content is rewritten, whatever it says it is.
            let mut content = None;
            if !entry.is_dir() || entry.size() > 0 {
                let entry = self.budget.unpacked(entry);
                let folder = self.folder;
                let (spool, made) = Spool::of(folder, |w| self.any(&member, Box::new(entry), depth + 1, w))?;
                if !made {
                    continue;
                }
                content = Some(spool);
            }
            // What stands in a member may stand in its name.
            let mut text = |text: &str| {
                let new = self.label(name, text.as_bytes(), &mut written)?;
                Ok::<_, Trouble>(String::from_utf8_lossy(&new).into_owned())
            };
            let (inner, comment) = (text(&inner)?, text(&comment)?);
            let mut options = options.into_full_options();
            if !comment.is_empty() {
                options = options.with_file_comment(comment);
            }
            let failed = |e: zip::result::ZipError| Trouble::Write(e.into());
            match content {
                None => packed.add_directory(inner, options).map_err(failed)?,
                Some(mut spool) => {
                    let options = options.large_file(spool.length > u64::from(u32::MAX));
                    packed.start_file(inner, options).map_err(failed)?;
                    spool.copy(&mut packed)?;
                }
            }
        }
        let comment = self.label(name, archive.comment(), &mut written)?;
        packed
            .set_raw_comment(comment.into())
            .map_err(|e| Trouble::Write(e.into()))?;
        self.check(name, &written)?;
        let mut done = packed.finish().map_err(|e| Trouble::Write(e.into()))?;
        done.rewind().map_err(Trouble::Write)?;
        io::copy(&mut done, out).map_err(Trouble::Write)?;
        Ok(true)
    }
}

/// Bytes of an entry that is no file, at most: names and attributes.
const MOST_EXTENSION: u64 = 1 << 20;

/// Such entries before one file, at most: there are three kinds.
const MOST_EXTENSIONS: usize = 16;
