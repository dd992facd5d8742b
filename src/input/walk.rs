//! Discovery: files and directories become a list of candidates in the byte order of their names. Links are not
//! followed unless asked, loops end, and what cannot be read is said, not dropped.

use super::stop::Stop;
use crate::report::model::Status;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Something to be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// As reports name it.
    pub name: String,
    /// Where it is; `-` is the standard input.
    pub path: PathBuf,
    /// Whether the user named it outright: such a one is never ignored.
    pub named: bool,
}

/// What was passed over, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// As reports name it.
    pub name: String,
    /// Ignored or skipped.
    pub status: Status,
    /// Why.
    pub problem: String,
}

/// What discovery gives.
#[derive(Debug, Default)]
pub struct Found {
    /// In the byte order of their names.
    pub candidates: Vec<Candidate>,
    /// What was passed over.
    pub passed_over: Vec<PassedOver>,
}

/// Which files of directories count.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
    /// Whether links are followed.
    pub follow_links: bool,
    /// Files that this run writes.
    pub outputs: Vec<PathBuf>,
}

impl Selection {
    /// From globs: they match against the path below the directory that was named, and against the file's name.
    pub fn new(
        include: &[String],
        exclude: &[String],
        follow_links: bool,
    ) -> Result<Selection, globset::Error> {
        Ok(Selection {
            include: globs(include)?,
            exclude: globs(exclude)?,
            follow_links,
            outputs: Vec::new(),
        })
    }

    fn takes(&self, relative: &Path) -> bool {
        let hit = |set: &GlobSet| {
            set.is_match(relative) || relative.file_name().is_some_and(|n| set.is_match(Path::new(n)))
        };
        self.include.as_ref().is_none_or(hit) && !self.exclude.as_ref().is_some_and(hit)
    }
}

fn globs(patterns: &[String]) -> Result<Option<GlobSet>, globset::Error> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for p in patterns {
        set.add(GlobBuilder::new(p).literal_separator(true).build()?);
    }
    set.build().map(Some)
}

/// Finds everything to be read under `paths`, until `stop` is asked for. A file reached twice is there once, under
/// its first name.
pub fn discover(paths: &[PathBuf], selection: &Selection, stop: &Stop) -> Found {
    let mut found = Found::default();
    let mut named: Vec<&PathBuf> = paths.iter().collect();
    named.sort();
    named.dedup();
    for path in named {
        if path.as_os_str() == "-" {
            found.candidates.push(Candidate {
                name: "-".into(),
                path: path.clone(),
                named: true,
            });
            continue;
        }
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => directory(path, selection, stop, &mut found),
            Ok(_) => found.candidates.push(Candidate {
                name: name(path),
                path: path.clone(),
                named: true,
            }),
            Err(e) => found.passed_over.push(skipped(name(path), e.to_string())),
        }
    }
    // Two arguments may reach one file: its real path tells. One argument reaches each once.
    if paths.len() > 1 || selection.follow_links {
        let mut seen = HashSet::new();
        found.candidates.sort();
        found
            .candidates
            .retain(|c| std::fs::canonicalize(&c.path).map_or(true, |real| seen.insert(real)));
    }
    let outputs: Vec<PathBuf> = selection
        .outputs
        .iter()
        .filter_map(|p| std::fs::canonicalize(p).ok())
        .collect();
    if !outputs.is_empty() {
        // What the walk came upon is no link, unless it follows them, and has its own name.
        let linked = |c: &Candidate| c.named || selection.follow_links;
        let called = |c: &Candidate| outputs.iter().any(|o| o.file_name() == c.path.file_name());
        found.candidates.retain(|c| {
            !((linked(c) || called(c))
                && std::fs::canonicalize(&c.path).is_ok_and(|real| outputs.contains(&real)))
        });
    }
    let folders: Vec<PathBuf> = selection.outputs.iter().filter_map(|p| folder(p)).collect();
    found
        .candidates
        .retain(|c| !(is_aside(&c.path) && folder(&c.path).is_some_and(|f| folders.contains(&f))));
    found.candidates.sort();
    found
}

fn directory(root: &Path, selection: &Selection, stop: &Stop, found: &mut Found) {
    let walk = walkdir::WalkDir::new(root)
        .follow_links(selection.follow_links)
        .min_depth(1);
    for entry in walk.into_iter().take_while(|_| stop.asked().is_none()) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                let path = e.path().unwrap_or(root);
                let why = match e.loop_ancestor() {
                    Some(_) => "a link that leads back to a folder above it".to_string(),
                    None => e
                        .io_error()
                        .map_or_else(|| "cannot be walked".to_string(), ToString::to_string),
                };
                let status = if e.loop_ancestor().is_some() {
                    Status::Ignored
                } else {
                    Status::Skipped
                };
                found.passed_over.push(PassedOver {
                    name: name(path),
                    status,
                    problem: why,
                });
                continue;
            }
        };
        let kind = entry.file_type();
        if kind.is_dir() {
            continue;
        }
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let ignored = |why: &str| PassedOver {
            name: name(entry.path()),
            status: Status::Ignored,
            problem: why.into(),
        };
        if !selection.takes(relative) {
            found.passed_over.push(ignored(LEFT_OUT));
        } else if kind.is_symlink() {
            found
                .passed_over
                .push(ignored("a link; --follow-links follows it"));
        } else if kind.is_file() {
            found.candidates.push(Candidate {
                name: name(entry.path()),
                path: entry.path().to_path_buf(),
                named: false,
            });
        } else {
            let what = entry
                .metadata()
                .ok()
                .and_then(|m| crate::platform::special(&m))
                .unwrap_or("no regular file");
            found.passed_over.push(ignored(what));
        }
    }
}

/// Why a file was passed over that the globs do not take.
pub const LEFT_OUT: &str = "left out by --include or --exclude";

/// What files are called that a run writes aside, before they have their own name.
pub const ASIDE: &str = ".plainsight-";

fn is_aside(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.as_encoded_bytes());
    name.is_some_and(|n| n.starts_with(ASIDE.as_bytes()))
}

/// The real folder of a file.
fn folder(path: &Path) -> Option<PathBuf> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    std::fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()
}

fn skipped(name: String, why: String) -> PassedOver {
    PassedOver {
        name,
        status: Status::Skipped,
        problem: why,
    }
}

/// A path as reports name it, with `/` on every platform's relative paths as they are.
fn name(path: &Path) -> String {
    crate::report::safe::path(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn order_is_that_of_names_and_files_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n: &str| dir.path().join(n);
        fs::create_dir(at("a")).unwrap();
        for f in ["a/b.log", "a.log", "b.png"] {
            fs::write(at(f), "x").unwrap();
        }
        let names = |paths: &[PathBuf], s: &Selection| -> Vec<String> {
            let f = discover(paths, s, &Stop::default());
            f.candidates
                .iter()
                .map(|c| {
                    c.path
                        .strip_prefix(dir.path())
                        .unwrap()
                        .to_string_lossy()
                        .into_owned()
                })
                .collect()
        };
        let all = Selection::default();
        assert_eq!(names(&[dir.path().into()], &all), ["a.log", "a/b.log", "b.png"]);
        assert_eq!(
            names(&[at("a"), dir.path().into(), at("a.log")], &all),
            ["a.log", "a/b.log", "b.png"]
        );
        let some = Selection::new(&["*.log".into()], &["a/**".into()], false).unwrap();
        assert_eq!(names(&[dir.path().into()], &some), ["a.log"]);
        let missing = discover(&[at("none")], &all, &Stop::default());
        assert_eq!(missing.passed_over[0].status, Status::Skipped);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_only_when_asked_and_loops_end() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x.log"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("x.log"), dir.path().join("y.log")).unwrap();
        let found = discover(&[dir.path().into()], &Selection::default(), &Stop::default());
        assert_eq!((found.candidates.len(), found.passed_over.len()), (1, 2));
        let follow = Selection {
            follow_links: true,
            ..Selection::default()
        };
        let found = discover(&[dir.path().into()], &follow, &Stop::default());
        assert_eq!(found.candidates.len(), 1);
        assert!(found.passed_over.iter().all(|p| p.status == Status::Ignored));
    }
}
