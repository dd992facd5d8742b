//! A database as it stands at this moment, read without touching it: it is copied together with its write-ahead
//! log into a private folder, and the copy is opened. Nothing is opened, made or changed beside the original,
//! also while a browser has it open and locked.

use crate::platform;
use rusqlite::{Connection, ErrorCode, OpenFlags, limits::Limit};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// Largest database that is copied, its write-ahead log included, in bytes.
pub const MAX_COPY: u64 = 8 << 30;

/// How often a copy is begun anew because the database changed meanwhile.
const ATTEMPTS: usize = 5;

/// How long a writer is given between attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Longest text of a row that is read, in bytes.
const MAX_VALUE: i32 = 64 << 20;

/// What belongs to a database beside its file. The shared memory (`-shm`) does not: whoever opens a database
/// first makes it anew from the log. The rollback journal does: it undoes a transaction that is being written.
const COMPANIONS: [&str; 2] = ["-wal", "-journal"];

/// Names under which browsers keep the databases that are read.
const NAMES: [&str; 10] = [
    "History",
    "Archived History",
    "Favicons",
    "Top Sites",
    "Shortcuts",
    "Network Action Predictor",
    "places.sqlite",
    "favicons.sqlite",
    "History.db",
    "com.apple.LaunchServices.QuarantineEventsV2",
];

/// Whether a source is named as a browser names a database. Where its content is none, that has to be said.
pub fn is_database_name(name: &str) -> bool {
    name.rsplit(['/', '\\', '!'])
        .next()
        .is_some_and(|n| NAMES.contains(&n))
}

/// Why a database cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be opened or copied.
    #[error("the database cannot be copied for reading ({0}); close the program that uses it and scan again")]
    Copy(#[source] io::Error),
    /// There is no room for the copy, or it cannot be written.
    #[error("the database's copy cannot be written ({0}); make room, or set TMPDIR to a folder that has it")]
    Room(#[source] io::Error),
    /// It is larger than what is copied.
    #[error(
        "the database has {0} bytes, more than the {MAX_COPY} that are copied; export the history and scan that"
    )]
    TooLarge(u64),
    /// Nothing is in it.
    #[error("the database is empty (0 bytes): nothing was ever written to it, or its contents are lost")]
    Empty,
    /// Its beginning is not that of a database.
    #[error("is no SQLite database, or an encrypted one; export the history and scan that")]
    NotADatabase,
    /// It is broken before the first row.
    #[error("the database is damaged ({0}); recover it with `sqlite3 FILE .recover`, or scan an older copy")]
    Damaged(&'static str),
}

/// A private copy, opened. The copy goes when this does.
#[derive(Debug)]
pub struct Snapshot {
    /// The copy.
    pub connection: Connection,
    /// Whether the database did not stand still while it was copied.
    pub changed: bool,
    /// Whether it ends in the middle of a page: SQLite takes what is missing for zeros.
    pub cut: bool,
    // Dropped after the connection.
    _dir: TempDir,
}

/// Size and time of last change of a file, as far as it is there.
type State = Option<(u64, Option<SystemTime>)>;

fn state(path: &Path) -> State {
    let meta = std::fs::metadata(path).ok().filter(|m| m.is_file())?;
    Some((meta.len(), meta.modified().ok()))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

impl Snapshot {
    /// Copies and opens the database at `path`.
    pub fn take(path: &Path) -> Result<Snapshot, Unreadable> {
        let dir = tempfile::Builder::new()
            .prefix("plainsight-")
            .tempdir()
            .map_err(Unreadable::Room)?;
        let copy = dir.path().join("database");
        // What belongs to a database stands beside the file itself, not beside a link to it.
        let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let files: Vec<(PathBuf, PathBuf)> = std::iter::once("")
            .chain(COMPANIONS)
            .map(|suffix| (beside(path, suffix), beside(&copy, suffix)))
            .collect();
        let states = || -> Vec<State> { files.iter().map(|(from, _)| state(from)).collect() };
        let mut changed = true;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            let before = states();
            let size: u64 = before.iter().flatten().map(|s| s.0).sum();
            if size > MAX_COPY {
                return Err(Unreadable::TooLarge(size));
            }
            match before[0] {
                None => return Err(Unreadable::Copy(io::ErrorKind::NotFound.into())),
                Some((0, _)) => return Err(Unreadable::Empty),
                Some(_) => {}
            }
            for ((from, to), state) in files.iter().zip(&before) {
                match state {
                    // A journal may go while we look.
                    Some(_) => match duplicate(from, to) {
                        Err(Unreadable::Copy(e)) if e.kind() == io::ErrorKind::NotFound => {}
                        other => other?,
                    },
                    None => drop(std::fs::remove_file(to)),
                }
            }
            if before == states() {
                changed = false;
                break;
            }
        }
        let cut = ends_in_a_page(&copy).map_err(Unreadable::Copy)?;
        let connection = open(&copy)?;
        Ok(Snapshot {
            connection,
            changed,
            cut,
            _dir: dir,
        })
    }
}

/// Whether the file is no whole number of pages long (<https://www.sqlite.org/fileformat.html>, 1.3.2).
fn ends_in_a_page(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut header = [0; 18];
    if file.read_exact(&mut header).is_err() {
        return Ok(true);
    }
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65536,
        n => u64::from(n),
    };
    let length = file.metadata()?.len();
    Ok(length.checked_rem(page).is_some_and(|rest| rest > 0))
}

fn duplicate(from: &Path, to: &Path) -> Result<(), Unreadable> {
    let mut input = platform::open_shared(from)
        .map_err(Unreadable::Copy)?
        .take(MAX_COPY);
    let mut output = File::create(to).map_err(Unreadable::Room)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let n = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Unreadable::Copy(e)),
        };
        io::Write::write_all(&mut output, &buffer[..n]).map_err(Unreadable::Room)?;
    }
}

/// Opens the private copy. It may be written to by SQLite itself, which takes the log in; what a database says
/// about itself (views, triggers, functions in its schema) is not trusted.
fn open(copy: &Path) -> Result<Connection, Unreadable> {
    let unreadable = |e: &rusqlite::Error| match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Unreadable::NotADatabase,
        _ => Unreadable::Damaged(reason(e)),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(copy, flags)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE)?;
        connection.execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA query_only = ON; PRAGMA mmap_size = 0;",
        )?;
        // The schema is read at the first question.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    open().map_err(|e| unreadable(&e))
}

/// What went wrong, in words that hold nothing of the database.
pub fn reason(e: &rusqlite::Error) -> &'static str {
    match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => "a page of it is malformed",
        Some(ErrorCode::NotADatabase) => "its beginning is not that of a database",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "it is locked",
        Some(ErrorCode::SystemIoFailure) => "it is cut off or cannot be read",
        Some(ErrorCode::TooBig) => "a value is longer than 64 MiB",
        Some(ErrorCode::DiskFull) => "no room for its copy",
        Some(ErrorCode::OutOfMemory) => "no memory",
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => "it cannot be opened",
        _ => "its schema cannot be understood",
    }
}
