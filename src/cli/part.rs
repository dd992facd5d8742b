//! Scanning a part of a source: `--split`, and what a stream that is a part says of itself.

use super::paths::Named;
use crate::scan::Split;
use anyhow::{Context, bail};
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

/// Largest head that is read, in bytes; what is behind it tells nothing.
const MAX_HEAD: u64 = 1 << 20;

/// Which part.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Parts")]
pub struct PartArgs {
    /// Scan only the lines that begin in this range of a plain file, in bytes; without LENGTH to its end. `merge` joins
    /// the reports of all parts into that of the whole.
    #[arg(long, value_name = "OFFSET:[LENGTH]")]
    split: Option<Bytes>,
    /// The standard input is this file, and is read and called as it. (What is still being written is better left without
    /// a name: it is then scanned line by line as it comes.)
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// The standard input is a part of the source: its first byte stands there. With a --split that begins later, what
    /// stands before that tells which lines are cut, else the first byte begins a line.
    #[arg(long, value_name = "BYTES", requires = "source")]
    offset: Option<u64>,
    /// The first 64 KiB of the source, which tell its format where the standard input is a part of it.
    #[arg(long, value_name = "FILE", requires = "source")]
    head: Option<PathBuf>,
    /// The last header line before the part, such as \"#Fields: date time ...\".
    #[arg(long, value_name = "LINE", requires = "source")]
    header: Option<String>,
}

/// A range of bytes as the command line has it.
#[derive(Clone, Debug)]
struct Bytes(Range<u64>);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || "write it as OFFSET:LENGTH in bytes, such as 0:134217728".to_string();
        let (offset, length) = s.split_once(':').ok_or_else(wrong)?;
        let offset: u64 = offset.parse().map_err(|_| wrong())?;
        let end = match length {
            "" => u64::MAX,
            n => offset.saturating_add(n.parse().map_err(|_| wrong())?),
        };
        Ok(Bytes(offset..end))
    }
}

impl PartArgs {
    /// The file that is read beside the input, with its option.
    pub fn reads(&self) -> Option<Named> {
        let head = self.head.as_ref()?;
        Some(Named::new("--head", head))
    }

    /// The part to scan, if it is not the whole.
    pub fn split(&self, paths: &[PathBuf]) -> anyhow::Result<Option<Split>> {
        let stdin = matches!(paths, [one] if one.as_os_str() == "-");
        if self.source.is_some() && !stdin {
            bail!("--source names the standard input: give - as the only path");
        }
        if let Some(header) = &self.header
            && !header.starts_with("#Fields:")
            && !header.starts_with("# Fields:")
        {
            bail!("--header is the line that names the columns; it begins with #Fields:");
        }
        let part = self.split.is_some() || self.offset.is_some();
        if !part {
            if self.head.is_some() || self.header.is_some() {
                bail!("--head and --header tell of a part: say where it stands with --offset or --split");
            }
            return Ok(None);
        }
        if paths.len() != 1 || paths.iter().any(|p| p.is_dir()) {
            bail!("--split takes a part of one source: name one file, or -");
        }
        if stdin && self.source.is_none() {
            bail!("a part of a source needs the source's name: --source NAME");
        }
        let range = match (&self.split, self.offset) {
            (Some(s), _) => s.0.clone(),
            (None, offset) => offset.unwrap_or(0)..u64::MAX,
        };
        let offset = self.offset.unwrap_or(range.start);
        if offset > range.start {
            bail!("the standard input begins at byte {offset}, behind the beginning of the part");
        }
        let head = match &self.head {
            None => None,
            Some(path) => {
                let mut bytes = Vec::new();
                std::fs::File::open(path)
                    .and_then(|f| f.take(MAX_HEAD).read_to_end(&mut bytes))
                    .with_context(|| format!("cannot read {}", crate::report::safe::path(path)))?;
                Some(bytes)
            }
        };
        Ok(Some(Split {
            range,
            offset,
            head,
            header: self.header.as_ref().map(|h| h.trim_end().as_bytes().to_vec()),
        }))
    }
}
