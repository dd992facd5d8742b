//! Browser history and bookmarks: the databases of browsers, and the documents that they keep and export; and the
//! exports of logs that are documents of the same kinds. One file for each family; the records of all are made in `row`.

mod bplist;
mod chromium;
mod command;
mod csv;
mod csv_layout;
pub mod database;
mod epoch;
mod firefox;
mod json;
mod json_stream;
pub mod mozlz4;
mod netscape;
pub mod plist;
mod quarantine;
pub mod row;
mod safari;
mod shell;
mod shortcut;
mod sniff;
mod sqlite;
mod tags;

pub use sniff::sniff;
pub use sqlite::{MAX_COPY, Unreadable, is_database_name};

use super::Catalogue;
use super::document::{Read, Visit};
use std::io::{self, Read as _};

/// A document that is read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium's `Bookmarks`.
    ChromiumBookmarks,
    /// Firefox's backup of bookmarks.
    FirefoxBookmarks,
    /// Firefox's open windows and tabs.
    FirefoxSession,
    /// History out of Google Takeout, or out of the browser's interface for extensions.
    TakeoutHistory,
    /// Bookmarks as HTML.
    NetscapeBookmarks,
    /// History as CSV.
    HistoryCsv,
    /// Bookmarks as CSV.
    BookmarksCsv,
    /// Log messages of ArcGIS as CSV.
    ArcgisCsv,
    /// Log messages of ArcGIS as JSON.
    ArcgisJson,
    /// A binary property list.
    BinaryPlist,
    /// An XML property list.
    XmlPlist,
    /// Firefox's compressed JSON.
    MozLz4,
    /// `.url`.
    InternetShortcut,
    /// History of a shell.
    ShellHistory,
}

impl Kind {
    /// Id of its format, as far as the kind says it.
    fn format(self) -> &'static str {
        match self {
            Kind::ChromiumBookmarks => "chromium-bookmarks",
            Kind::FirefoxBookmarks => "firefox-bookmarks",
            Kind::FirefoxSession | Kind::MozLz4 => "firefox-session",
            Kind::TakeoutHistory => "takeout-history",
            Kind::NetscapeBookmarks => "netscape-bookmarks",
            Kind::HistoryCsv => "history-csv",
            Kind::BookmarksCsv => "bookmarks-csv",
            Kind::ArcgisCsv => "arcgis-csv",
            Kind::ArcgisJson => "arcgis-json",
            Kind::BinaryPlist | Kind::XmlPlist => "safari-bookmarks",
            Kind::InternetShortcut => "internet-shortcut",
            Kind::ShellHistory => "shell-history",
        }
    }
}

/// Bytes of a CSV that say what its columns are.
const HEAD: u64 = 64 << 10;

/// Reads a document from its first byte on, decompressed. Gives the index of the format that it turned out to
/// have, too: a container's is known only when it has been opened.
pub fn read(kind: Kind, input: &mut dyn io::Read, catalogue: &Catalogue, visit: &mut Visit) -> (u16, Read) {
    let format = catalogue.index(kind.format()).unwrap_or_default();
    let read = match kind {
        Kind::ChromiumBookmarks | Kind::FirefoxBookmarks | Kind::FirefoxSession | Kind::TakeoutHistory => {
            json::read(input, format, visit)
        }
        Kind::ArcgisJson => json::read_log(input, format, visit),
        Kind::NetscapeBookmarks => netscape::read(input, format, visit),
        Kind::InternetShortcut => shortcut::read(input, format, visit),
        Kind::ShellHistory => shell::read(input, format, visit),
        Kind::HistoryCsv | Kind::BookmarksCsv | Kind::ArcgisCsv => {
            let mut head = Vec::new();
            let failed = (&mut *input).take(HEAD).read_to_end(&mut head).err();
            let mut all = io::Cursor::new(&head).chain(input);
            let mut read = csv_layout::layout(&head)
                .map_or_else(Read::default, |l| csv::read(&mut all, &l, format, visit));
            if let Some(e) = failed {
                read.problem = Some(format!(
                    "could not be read to its end ({e}); what stands before was read"
                ));
            }
            read
        }
        Kind::BinaryPlist | Kind::XmlPlist => {
            let (found, read) = match kind {
                Kind::BinaryPlist => plist::binary(input, catalogue, visit),
                _ => plist::xml(input, catalogue, visit),
            };
            return (found.unwrap_or(format), read);
        }
        Kind::MozLz4 => match mozlz4::unpack(input) {
            Ok(plain) => return self::read(inside(&plain), &mut &plain[..], catalogue, visit),
            Err(problem) => Read {
                records: 0,
                problem: Some(problem),
            },
        },
    };
    (format, read)
}

/// What Firefox's compressed JSON holds: what is beside bookmarks and sessions is read as sessions are.
pub fn inside(plain: &[u8]) -> Kind {
    let head = &plain[..plain.len().min(HEAD as usize)];
    match sniff(head, "") {
        Some(kind @ Kind::FirefoxBookmarks) => kind,
        _ => Kind::FirefoxSession,
    }
}

/// Whether the name of a folder of bookmarks may hold something; most are words.
fn is_worth_naming(name: &[u8]) -> bool {
    memchr::memchr(b'=', name).is_some() || memchr::memmem::find(name, b"://").is_some()
}
