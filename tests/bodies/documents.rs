//! Bodies for what is read as a whole: HAR files, bookmarks and history, databases.

use super::{catalogue, file, within};
use plainsight::format::document::{self, Kind};
use plainsight::format::har::Form;
use plainsight::format::history::{self, database};
use std::io::Read;

/// Gives a few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.len().min(self.1).min(buf.len());
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

type Seen = Vec<(String, usize, Option<u16>)>;

fn read(kind: Kind, data: &[u8], step: usize) -> (u16, document::Read, Seen) {
    let mut seen = Vec::new();
    // Container formats count in what they hold, which may be larger than they are.
    let whole = matches!(kind, Kind::Har(_));
    let (format, read) = document::read(
        kind,
        &mut Slow(data, step),
        catalogue(),
        &|_| true,
        &mut |at, text, r, own| {
            if whole {
                within(r, data.len() as u64);
            }
            seen.push((
                format!("{at:?} {} {own:?}", text.len()),
                r.carriers.len(),
                r.status,
            ));
        },
        None,
    );
    (format, read, seen)
}

/// The same records come however reads are cut.
fn even(kind: Kind, data: &[u8]) {
    let whole = read(kind, data, usize::MAX);
    let pieces = read(kind, data, 5);
    assert_eq!(whole, pieces);
}

/// A capture, or one entry.
pub fn har(data: &[u8]) {
    match document::sniff(data, "x.har") {
        Some(kind) => even(kind, data),
        None => {
            even(Kind::Har(Form::Log), data);
            even(Kind::Har(Form::Entry), data);
        }
    }
}

/// Documents of browsers and shells: the first byte says which where the rest does not.
pub fn bookmarks(data: &[u8]) {
    use history::Kind as K;
    let all = [
        K::ChromiumBookmarks,
        K::FirefoxBookmarks,
        K::FirefoxSession,
        K::TakeoutHistory,
        K::NetscapeBookmarks,
        K::HistoryCsv,
        K::BookmarksCsv,
        K::InternetShortcut,
        K::ShellHistory,
    ];
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    if let Some(kind) = document::sniff(data, "Bookmarks") {
        even(kind, data);
    }
    even(Kind::History(all[usize::from(first) % all.len()]), rest);
}

/// Firefox's compressed JSON, as it is and well packed.
pub fn mozlz4(data: &[u8]) {
    even(Kind::History(history::Kind::MozLz4), data);
    let mut packed = b"mozLz40\0".to_vec();
    packed.extend(data);
    even(Kind::History(history::Kind::MozLz4), &packed);
}

/// Property lists, binary and XML.
pub fn plist(data: &[u8]) {
    even(Kind::History(history::Kind::BinaryPlist), data);
    even(Kind::History(history::Kind::XmlPlist), data);
}

/// A database: its rows, or why there are none.
pub fn sqlite(data: &[u8]) {
    let path = file("History", data);
    let read = || {
        let mut rows = 0u64;
        let read = database::read(&path, catalogue(), &mut |_, text, r| {
            within(r, text.len() as u64);
            rows += 1;
        });
        (rows, read.map(|d| d.map(|d| d.read)).map_err(|e| e.to_string()))
    };
    assert_eq!(read(), read());
}
