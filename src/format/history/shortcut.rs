//! Windows' Internet shortcuts (`.url`): an INI file with an address.

use super::row::{Role, Row};
use crate::finding::Position;
use crate::format::document::{Read, Visit};
use crate::url::scheme_len;
use std::io::Read as _;

/// Largest file that is read whole, in bytes; such files have a few lines.
const MAX_FILE: u64 = 1 << 20;

/// The section that makes it one.
pub const SECTION: &[u8] = b"[InternetShortcut]";

/// Reads a shortcut; its record has the format `format`.
pub fn read(input: &mut dyn std::io::Read, format: u16, visit: &mut Visit) -> Read {
    let mut bytes = Vec::new();
    let result = input.take(MAX_FILE + 1).read_to_end(&mut bytes);
    let mut problem = result
        .err()
        .map(|e| format!("could not be read to its end ({e})"));
    if bytes.len() as u64 > MAX_FILE {
        problem = Some("is a shortcut of more than 1 MiB; its beginning was read".into());
    }
    let mut row = Row::default();
    let mut at = 0;
    for line in bytes.split(|b| *b == b'\n') {
        let key = line.split(|b| *b == b'=').next().unwrap_or_default();
        let is = |k: &[u8]| key.trim_ascii().eq_ignore_ascii_case(k);
        let written = line.get(key.len() + 1..).unwrap_or_default();
        let value = written.trim_ascii();
        // An icon is a file mostly, or an address as well.
        let address = [&b"url"[..], b"baseurl", b"origurl"].into_iter().any(is)
            || is(b"iconfile") && scheme_len(value).is_some();
        if address && key.len() < line.len() {
            let blanks = written.len() - written.trim_ascii_start().len();
            row.push_raw(Role::Url, value, (at + key.len() + 1 + blanks) as u64, None);
        }
        at += line.len() + 1;
    }
    let records = u64::from(!row.is_empty());
    if records > 0 {
        row.give(Position::Entry(0), format, visit);
    }
    Read { records, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::row::tests::{collect, texts};

    #[test]
    fn the_address_is_read_where_it_stands() {
        let text = "[InternetShortcut]\r\nIDList=\r\nURL= https://h/?token=x=y\r\nIconIndex=0\r\nIconFile=C:\\a.ico\r\n\
                    IconFile=https://h/i?a=b\r\n";
        let seen = collect(|v| drop(read(&mut text.as_bytes(), 0, v)));
        assert_eq!(texts(&seen), ["https://h/?token=x=y", "https://h/i?a=b"]);
        let span = &seen[0].2[0].2;
        assert_eq!(
            &text[span.start as usize..span.end as usize],
            "https://h/?token=x=y"
        );
    }
}
