//! Names and comments in archives: each is rewritten like a text of one line, and searched for what was removed from
//! the members before. What a later member's credentials turn out to stand in is found at the end, and then there is no
//! copy, for it has been written.

use super::copy::{Copier, ROUNDS};
use super::kept::Kept;
use super::pass;
use super::rewrite::Search;
use super::tally::Trouble;
use crate::format::sniff::HEAD;
use crate::report::safe;
use std::io::Write;

/// Bytes of a tar archive's blocks.
pub(super) const BLOCK: usize = 512;

/// Shorter labels have no room for a credential and what tells that it is one.
const SHORTEST: usize = 8;

/// Bytes of all labels of an archive, at most.
const MOST: usize = 64 << 20;

/// The labels of an archive as they were written, a line each.
#[derive(Default)]
pub(super) struct Labels(Vec<u8>);

/// A header of a tar archive that belongs to the next member, and what it says.
pub(super) type Extension = (tar::Header, Vec<u8>);

impl Copier<'_> {
    /// From now on labels are searched for what was removed from a member.
    pub(super) fn know(&mut self, removed: &Kept) {
        removed.iter().for_each(|(f, v)| self.known.add(f, v));
    }

    /// A name or a comment without credentials.
    pub(super) fn label(&mut self, name: &str, text: &[u8], labels: &mut Labels) -> Result<Vec<u8>, Trouble> {
        let mut text = text.to_vec();
        if text.len() < SHORTEST {
            return Ok(text);
        }
        for _ in 0..=ROUNDS {
            let mut out = Vec::with_capacity(text.len());
            let (head, mut rest) = text.split_at(text.len().min(HEAD));
            let mut search = Search::For(&self.known);
            let mut done = pass::rewrite_stream(self.tools, head, &mut rest, &mut search, false, &mut out)
                .map_err(|_| stubborn(name))?;
            self.tally.add(std::mem::take(&mut done.tally));
            self.know(&done.kept);
            // What reads clean and holds nothing that is searched is proved.
            if out == text {
                labels.0.extend_from_slice(&text);
                labels.0.push(b'\n');
                if labels.0.len() > MOST {
                    let text = format!(
                        "{name}: has more names than can be proved; unpack it and redact what is in it"
                    );
                    return Err(Trouble::Refused(text));
                }
                return Ok(text);
            }
            text = out;
        }
        Err(stubborn(name))
    }

    /// No label of an archive holds what was removed from any of its members.
    pub(super) fn check(&mut self, name: &str, labels: &Labels) -> Result<(), Trouble> {
        let mut found = Vec::new();
        self.known.find(&labels.0, &mut found);
        let Some(range) = found.first().map(|m| m.range.clone()) else {
            return Ok(());
        };
        let start = memchr::memrchr(b'\n', &labels.0[..range.start]).map_or(0, |n| n + 1);
        let end = memchr::memchr(b'\n', &labels.0[range.end..]).map_or(labels.0.len(), |n| range.end + n);
        let shown = self.label(name, &labels.0[start..end], &mut Labels::default())?;
        Err(Trouble::Refused(format!(
            "{name}: the name or comment {} holds a credential of a member that comes later; unpack it and redact what is in it",
            safe::label(&String::from_utf8_lossy(&shown))
        )))
    }

    /// Writes a tar archive's header, and before it those that belong to it, without credentials in their names.
    pub(super) fn headers(
        &mut self,
        name: &str,
        extensions: Vec<Extension>,
        header: &mut tar::Header,
        labels: &mut Labels,
        out: &mut dyn Write,
    ) -> Result<(), Trouble> {
        let (mut path, mut link) = (None, None);
        for (mut extension, data) in extensions {
            let kind = extension.entry_type();
            let new = if kind.is_gnu_longname() || kind.is_gnu_longlink() {
                let text = until_nul(&data);
                let new = self.label(name, text, labels)?;
                if new == text {
                    data
                } else {
                    let slot = if kind.is_gnu_longname() {
                        &mut path
                    } else {
                        &mut link
                    };
                    *slot = Some(new.clone());
                    [&new[..], b"\0"].concat()
                }
            } else {
                self.attributes(name, &data, labels, &mut path, &mut link)?
            };
            extension.set_size(new.len() as u64);
            // Its own name is nobody's: what is too long for it is cut, not written before it.
            let old = extension.path_bytes().into_owned();
            let mut own = Some(self.label(name, &old, labels)?).filter(|new| *new != old);
            self.fields(name, &mut extension, labels, &mut own, &mut None, out)?;
            entry(&extension, &new, out)?;
        }
        self.fields(name, header, labels, &mut path, &mut link, out)
    }

    /// The content of an extended header; what its path and its link's target became, where they changed.
    pub(super) fn attributes(
        &mut self,
        name: &str,
        data: &[u8],
        labels: &mut Labels,
        path: &mut Option<Vec<u8>>,
        link: &mut Option<Vec<u8>>,
    ) -> Result<Vec<u8>, Trouble> {
        let mut out = Vec::with_capacity(data.len());
        let mut rest = data;
        while let Some((record, body)) = record(rest) {
            let new = self.label(name, body, labels)?;
            if new == body {
                out.extend_from_slice(&rest[..record]);
            } else {
                for (key, slot) in [(&b"path="[..], &mut *path), (b"linkpath=", &mut *link)] {
                    if let Some(value) = new.strip_prefix(key) {
                        *slot = Some(value.to_vec());
                    }
                }
                out.extend_from_slice(&sized(&new));
            }
            rest = &rest[record..];
        }
        // Padding, or what is no record.
        if self.label(name, rest, labels)? != rest {
            return Err(Trouble::Refused(format!(
                "{name}: an extended header that is damaged holds a credential; unpack it and redact what is in it"
            )));
        }
        out.extend_from_slice(rest);
        Ok(out)
    }

    /// Rewrites what a header has room for; what has become too long for it, or was, is written before it.
    fn fields(
        &mut self,
        name: &str,
        header: &mut tar::Header,
        labels: &mut Labels,
        path: &mut Option<Vec<u8>>,
        link: &mut Option<Vec<u8>>,
        out: &mut dyn Write,
    ) -> Result<(), Trouble> {
        let before = header.as_bytes().to_vec();
        let old = header.path_bytes().into_owned();
        let new = self.label(name, &old, labels)?;
        if path.is_some() || new != old {
            if path.is_none() && new.len() > header.as_old().name.len() {
                entry(
                    &long(tar::EntryType::GNULongName, new.len()),
                    &[&new[..], b"\0"].concat(),
                    out,
                )?;
            }
            put(&mut header.as_old_mut().name, path.as_deref().unwrap_or(&new));
            if let Some(ustar) = header.as_ustar_mut() {
                ustar.prefix.fill(0);
            }
        }
        let old = until_nul(&header.as_old().linkname).to_vec();
        let new = self.label(name, &old, labels)?;
        if link.is_some() || new != old {
            if link.is_none() && new.len() > header.as_old().linkname.len() {
                entry(
                    &long(tar::EntryType::GNULongLink, new.len()),
                    &[&new[..], b"\0"].concat(),
                    out,
                )?;
            }
            put(&mut header.as_old_mut().linkname, link.as_deref().unwrap_or(&new));
        }
        // Of the owner's and the group's names only what there is room for is of use.
        for group in [false, true] {
            let field = match (
                header.as_ustar_mut().is_some(),
                header.as_gnu_mut().is_some(),
                group,
            ) {
                (true, _, false) => header.as_ustar_mut().map(|h| &mut h.uname),
                (true, _, true) => header.as_ustar_mut().map(|h| &mut h.gname),
                (_, true, false) => header.as_gnu_mut().map(|h| &mut h.uname),
                (_, true, true) => header.as_gnu_mut().map(|h| &mut h.gname),
                _ => None,
            };
            if let Some(field) = field {
                let old = until_nul(&field[..]).to_vec();
                let new = self.label(name, &old, labels)?;
                if new != old {
                    put(field, &new);
                }
            }
        }
        if header.as_bytes()[..] != before[..] {
            header.set_cksum();
        }
        Ok(())
    }
}

fn stubborn(name: &str) -> Trouble {
    Trouble::Refused(format!(
        "{name}: a name or a comment still holds a credential after it was rewritten; unpack it and redact what is in it"
    ))
}

fn until_nul(field: &[u8]) -> &[u8] {
    &field[..memchr::memchr(0, field).unwrap_or(field.len())]
}

/// Fills a field.
fn put(field: &mut [u8], text: &[u8]) {
    field.fill(0);
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

/// The length of the first record of an extended header, and what stands in it.
fn record(data: &[u8]) -> Option<(usize, &[u8])> {
    let blank = memchr::memchr(b' ', &data[..data.len().min(20)])?;
    let length: usize = std::str::from_utf8(&data[..blank]).ok()?.parse().ok()?;
    let body = data.get(blank + 1..length)?.strip_suffix(b"\n")?;
    Some((length, body))
}

/// A record of an extended header: its length, which counts itself, and what stands in it.
fn sized(body: &[u8]) -> Vec<u8> {
    let mut length = body.len() + 2;
    while length != body.len() + 2 + length.to_string().len() {
        length = body.len() + 2 + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", body, b"\n"].concat()
}

/// The header of a long name.
fn long(kind: tar::EntryType, length: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    put(&mut header.as_old_mut().name, b"././@LongLink");
    header.set_entry_type(kind);
    header.set_mode(0);
    header.set_size(length as u64 + 1);
    header.set_cksum();
    header
}

/// Writes a header and what belongs to it.
pub(super) fn entry(header: &tar::Header, data: &[u8], out: &mut dyn Write) -> Result<(), Trouble> {
    let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(Trouble::Write);
    let mut header = header.clone();
    header.set_cksum();
    write(header.as_bytes())?;
    write(data)?;
    pad(data.len() as u64, out)
}

/// Fills the block that `length` bytes leave open.
pub(super) fn pad(length: u64, out: &mut (impl Write + ?Sized)) -> Result<(), Trouble> {
    let open = (length as usize).next_multiple_of(BLOCK) - length as usize;
    out.write_all(&[0; BLOCK][..open]).map_err(Trouble::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_their_own_length() {
        for n in [1, 5, 6, 7, 94, 95, 96, 97, 98, 993, 994, 995, 996, 997] {
            let body = vec![b'x'; n];
            let text = sized(&body);
            assert_eq!(record(&text), Some((text.len(), &body[..])), "{n}");
        }
        for text in [
            &b""[..],
            b"9",
            b"x path=a\n",
            b"99 path=a\n",
            b"3 a",
            b"0 \n",
            b"2 \n",
        ] {
            assert_eq!(record(text), None);
        }
    }
}
