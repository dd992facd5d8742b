//! Archives, rebuilt member by member. What is no file (folders, links, long names) stays as it is; what is not read
//! is left out and said.

use super::copy::Copier;
use super::spool::Spool;
use super::tally::Trouble;
use crate::input::open::tar_problem;
use crate::report::model::Status;
use crate::report::safe;
use crate::scan::ZIP_HIDES;
use std::io::{self, Read, Seek, Write};

/// Bytes of a block of a tar archive.
const BLOCK: usize = 512;

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
        let mut archive = tar::Archive::new(input);
        let entries = match archive.entries() {
            Ok(entries) => entries.raw(true),
            Err(e) => {
                let text = format!("the tar archive cannot be read: {}", tar_problem(&e));
                return Ok(self.leave_out(name, Status::Skipped, text));
            }
        };
        // Headers that belong to the next file wait for it: what is left out takes them along.
        let mut before = Vec::new();
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
            let inner = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let member = format!("{name}!{}", safe::label(&inner));
            let mut header = entry.header().clone();
            if kind.is_file() || kind.is_contiguous() {
                let folder = self.folder;
                let (mut spool, made) =
                    Spool::of(folder, |w| self.any(&member, Box::new(&mut entry), depth + 1, w))?;
                let extensions = std::mem::take(&mut before);
                if made {
                    header.set_size(spool.length);
                    header.set_cksum();
                    let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(Trouble::Write);
                    write(&extensions)?;
                    write(header.as_bytes())?;
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
            before.extend_from_slice(header.as_bytes());
            before.extend_from_slice(&data);
            pad(data.len() as u64, &mut before)?;
            if !extension {
                out.write_all(&before).map_err(Trouble::Write)?;
                before.clear();
            }
        }
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
        file: impl Read + Seek,
        depth: usize,
        out: &mut dyn Write,
    ) -> Result<bool, Trouble> {
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
        if archive.offset() > 0 {
            return Ok(self.leave_out(name, Status::Skipped, ZIP_HIDES));
        }
        let aside = tempfile::tempfile_in(self.folder).map_err(Trouble::Write)?;
        let mut packed = zip::ZipWriter::new(aside);
        packed
            .set_raw_comment(archive.comment().into())
            .map_err(|e| Trouble::Write(e.into()))?;
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
            let member = format!("{name}!{}", safe::label(&inner));
            // What has content is rewritten, whatever it says it is.
            if entry.is_dir() && entry.size() == 0 {
                packed
                    .raw_copy_file(entry)
                    .map_err(|e| Trouble::Write(e.into()))?;
                continue;
            }
            let options = entry.options();
            let entry = self.budget.unpacked(entry);
            let folder = self.folder;
            let (mut spool, made) = Spool::of(folder, |w| self.any(&member, Box::new(entry), depth + 1, w))?;
            if made {
                let options = options.large_file(spool.length > u64::from(u32::MAX));
                packed
                    .start_file(inner, options)
                    .map_err(|e| Trouble::Write(e.into()))?;
                spool.copy(&mut packed)?;
            }
        }
        let mut done = packed.finish().map_err(|e| Trouble::Write(e.into()))?;
        done.rewind().map_err(Trouble::Write)?;
        io::copy(&mut done, out).map_err(Trouble::Write)?;
        Ok(true)
    }
}

/// Bytes of an entry that is no file, at most: names and attributes.
const MOST_EXTENSION: u64 = 1 << 20;

/// Fills the block that `length` bytes leave open.
fn pad(length: u64, out: &mut (impl Write + ?Sized)) -> Result<(), Trouble> {
    let open = (length as usize).next_multiple_of(BLOCK) - length as usize;
    out.write_all(&[0; BLOCK][..open]).map_err(Trouble::Write)
}
