//! Copies that are being written: aside, in the folder where they will stand, readable by their owner only. They
//! are put in place whole, or are gone: after an error, a panic, and a signal.

use crate::input::stop::Stop;
use crate::platform;
use std::collections::BTreeSet;
use std::fs::{File, FileTimes, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::{NamedTempFile, TempPath};

/// What has to go when the run is interrupted.
struct Aside {
    /// Files that are being written.
    files: BTreeSet<PathBuf>,
    /// Folders made for them, and for those that are in place: only the empty ones go.
    folders: BTreeSet<PathBuf>,
}

static ASIDE: Mutex<Aside> = Mutex::new(Aside {
    files: BTreeSet::new(),
    folders: BTreeSet::new(),
});

fn aside() -> MutexGuard<'static, Aside> {
    ASIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long it may take until a signal is heeded.
const PATIENCE: Duration = Duration::from_millis(30);

/// From now on an interrupted or terminated run removes what it has not put in place, and ends with 130 or 143.
pub fn heed_signals() -> io::Result<()> {
    let stop = Stop::default();
    platform::stop_on_signals(&stop)?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            loop {
                if let Some(code) = stop.asked().and_then(platform::exit_code) {
                    // The lock is not given back: nothing more is begun or put in place.
                    let left = aside();
                    // What cannot be removed is gone already, or a folder in which something stands. Files are first:
                    // their paths may be absolute where those of folders are not, which says nothing by its order.
                    left.files
                        .iter()
                        .for_each(|path| drop(std::fs::remove_file(path)));
                    left.folders
                        .iter()
                        .rev()
                        .for_each(|path| drop(std::fs::remove_dir(path)));
                    std::process::exit(code.into());
                }
                std::thread::sleep(PATIENCE);
            }
        })?;
    Ok(())
}

/// Makes a folder and those above it; what was made is removed again where nothing comes to stand in it.
#[derive(Debug, Default)]
pub struct Folders {
    made: BTreeSet<PathBuf>,
}

impl Folders {
    /// Makes `folder`, if it is not there.
    pub fn make(&mut self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|f| !f.as_os_str().is_empty() && !f.exists())
            .collect();
        for folder in missing.into_iter().rev() {
            let mut aside = aside();
            match std::fs::create_dir(folder) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
            aside.folders.insert(folder.to_path_buf());
            self.made.insert(folder.to_path_buf());
        }
        Ok(())
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let mut aside = aside();
        for folder in self.made.iter().rev() {
            aside.folders.remove(folder);
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// A copy that is being written.
#[derive(Debug)]
pub struct Copy {
    file: File,
    path: Option<TempPath>,
}

impl Copy {
    /// Begins a copy in `folder`.
    pub fn begin(folder: &Path) -> io::Result<Copy> {
        let mut aside = aside();
        let (file, path) = NamedTempFile::with_prefix_in(crate::input::ASIDE, folder)?.into_parts();
        aside.files.insert(path.to_path_buf());
        Ok(Copy {
            file,
            path: Some(path),
        })
    }

    /// The file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Where it is being written.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Puts the copy at `target`, with the time of `original` and, if `mode` is set, its mode. Without `force`
    /// what stands there already is an error.
    pub fn put(
        mut self,
        target: &Path,
        original: Option<&Metadata>,
        mode: bool,
        force: bool,
    ) -> io::Result<()> {
        if let Some(original) = original {
            if mode {
                self.file.set_permissions(original.permissions())?;
            }
            if let Ok(modified) = original.modified() {
                self.file.set_times(FileTimes::new().set_modified(modified))?;
            }
        }
        // A device or a pipe is no copy that was written before: putting a file in its place would take it away.
        if std::fs::symlink_metadata(target).is_ok_and(|m| !m.is_file() && !m.is_symlink()) {
            let why =
                "is no regular file, and is not replaced; give another name, or - for the standard output";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let Some(path) = self.path.take() else {
            return Ok(());
        };
        let mut aside = aside();
        aside.files.remove(&path.to_path_buf());
        if force {
            path.persist(target).map_err(|e| e.error)
        } else {
            path.persist_noclobber(target).map_err(|e| e.error)
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // Whoever holds the lock finds it in the list, or gone.
            let mut aside = aside();
            aside.files.remove(&path.to_path_buf());
            drop(path);
        }
    }
}
