//! Where copies go: one file, or a folder that keeps relative paths; never onto an input, never onto what is there
//! already unless asked, never two onto one.

use crate::input::stop::Stop;
use crate::input::{Candidate, Found, Selection, discover};
use crate::report::safe;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// An input and where its copy goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The input.
    pub input: Candidate,
    /// The copy; `None` is the standard output.
    pub copy: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// In the order of the inputs' names.
    pub targets: Vec<Target>,
    /// What discovery passed over.
    pub found: Found,
}

/// Why nothing is begun.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// The standard output takes one copy.
    #[error("-o - takes one input; give a folder for several")]
    Several,
    /// The standard input has no name in a folder.
    #[error("the standard input has no name in the folder {0}; name a file: -o {0}/NAME")]
    Nameless(String),
    /// Two copies would have one name.
    #[error(
        "{first} and {second} would both be written to {copy}; redact them one after the other, into different folders"
    )]
    Collision {
        /// An input.
        first: String,
        /// Another.
        second: String,
        /// Where both would go.
        copy: String,
    },
    /// A copy would replace what it is made of.
    #[error(
        "{copy} is an input ({input}); a copy is never written onto what is read: name another file or folder"
    )]
    Onto {
        /// The copy.
        copy: String,
        /// The input.
        input: String,
    },
    /// Something is there already.
    #[error("{0} is there already; --force replaces it")]
    Exists(String),
    /// A folder is needed and something else is there.
    #[error("{0} is no folder, and a folder is needed here")]
    NoFolder(String),
}

impl Plan {
    /// Finds the inputs under `paths` and where each copy goes.
    pub fn new(paths: &[PathBuf], out: &Path, selection: &Selection, force: bool) -> Result<Plan, PlanError> {
        let mut found = discover(paths, selection, &Stop::default());
        let mut inputs = std::mem::take(&mut found.candidates);
        let stdout = out.as_os_str() == "-";
        // What an earlier run wrote below a folder that is read is no input.
        if let Ok(real) = std::fs::canonicalize(out)
            && real.is_dir()
            && !stdout
        {
            let roots: Vec<PathBuf> = paths
                .iter()
                .filter_map(|p| std::fs::canonicalize(p).ok())
                .collect();
            if !roots.contains(&real) {
                inputs.retain(|c| {
                    c.named || !std::fs::canonicalize(&c.path).is_ok_and(|p| p.starts_with(&real))
                });
            }
        }
        if stdout && (inputs.len() > 1 || paths.iter().any(|p| p.is_dir())) {
            return Err(PlanError::Several);
        }
        let one = paths.len() == 1 && !paths[0].is_dir() && !out.is_dir() && !names_folder(out);
        // With a slash after it, a file is said not to be there.
        let bare: PathBuf = out.components().collect();
        if !one && !stdout && bare.exists() && !bare.is_dir() {
            return Err(PlanError::NoFolder(safe::path(out)));
        }
        let targets: Vec<Target> = inputs
            .into_iter()
            .map(|input| {
                let copy = if stdout {
                    None
                } else if one {
                    Some(out.to_path_buf())
                } else if input.path.as_os_str() == "-" {
                    return Err(PlanError::Nameless(safe::path(out)));
                } else {
                    Some(out.join(relative(&input, paths)))
                };
                Ok(Target { input, copy })
            })
            .collect::<Result<_, _>>()?;
        check(&targets, force)?;
        Ok(Plan { targets, found })
    }
}

/// Whether a path ends as only a folder's does.
fn names_folder(path: &Path) -> bool {
    path.to_string_lossy().ends_with(std::path::is_separator)
}

/// The path of an input below the folder that was named, or its name.
fn relative(input: &Candidate, paths: &[PathBuf]) -> PathBuf {
    let mut roots: Vec<&PathBuf> = paths.iter().filter(|p| !input.named && p.is_dir()).collect();
    roots.sort();
    let below = roots.iter().find_map(|root| input.path.strip_prefix(root).ok());
    let named = input.path.file_name().map(Path::new);
    let path = below.or(named).unwrap_or(Path::new("copy"));
    // A name is never a way out of the folder.
    path.components()
        .filter(|c| matches!(c, Component::Normal(_)))
        .collect()
}

/// Nothing is written where anything would be lost.
fn check(targets: &[Target], force: bool) -> Result<(), PlanError> {
    let mut seen: BTreeMap<&Path, &str> = BTreeMap::new();
    for t in targets {
        let Some(copy) = &t.copy else { continue };
        if let Some(first) = seen.insert(copy, &t.input.name) {
            return Err(PlanError::Collision {
                first: first.into(),
                second: t.input.name.clone(),
                copy: safe::path(copy),
            });
        }
        if let Some(other) = targets
            .iter()
            .find(|o| crate::platform::same_file(&o.input.path, copy))
        {
            return Err(PlanError::Onto {
                copy: safe::path(copy),
                input: other.input.name.clone(),
            });
        }
        if copy.symlink_metadata().is_ok_and(|m| m.is_dir() || !force) {
            return Err(PlanError::Exists(safe::path(copy)));
        }
    }
    // `a` and `a/b`: a file cannot be a folder, too.
    for copy in seen.keys() {
        let above = copy.ancestors().skip(1).find(|above| seen.contains_key(above));
        if let Some(above) = above {
            return Err(PlanError::Collision {
                first: seen[above].into(),
                second: seen[copy].into(),
                copy: safe::path(above),
            });
        }
    }
    Ok(())
}
