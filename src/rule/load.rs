//! Rules from their files: the built-in ones, which the program carries, and folders of a user's.

use super::model::RuleSpec;
use std::path::{Path, PathBuf};

/// Why rules could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A folder or file could not be read.
    #[error("cannot read the rules in {path}: {source}")]
    Read {
        /// As it may be shown.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is no rules file.
    #[error("{path} is no rules file: {message}")]
    Parse {
        /// As it may be shown.
        path: String,
        /// What the parser said, with line and column.
        message: String,
    },
    /// A folder holds no rules.
    #[error("{0} holds no .toml file with [[rule]] or silence in it")]
    Empty(String),
    /// A file is larger than rules ever are.
    #[error("{0} is larger than 4 MiB; rules files are not")]
    TooLarge(String),
    /// A rule cannot be used.
    #[error("rule {id}: {message}")]
    Rule {
        /// The rule's id.
        id: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Largest rules file, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// The rules that the program carries.
pub fn builtin() -> Result<Vec<RuleSpec>, LoadError> {
    serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/rules.json"))).map_err(|e| {
        LoadError::Parse {
            path: "rules/".into(),
            message: e.to_string(),
        }
    })
}

/// A user's own rules.
#[derive(Debug, Default)]
pub struct OwnRules {
    /// New ones, and those that stand in the place of built-in ones of the same id.
    pub rules: Vec<RuleSpec>,
    /// Ids of rules and names of families that are not reported.
    pub silence: Vec<String>,
}

/// The rules of a user's folder (`*.toml`, sorted by name, not below it), or of one file.
pub fn load_dir(dir: &Path) -> Result<OwnRules, LoadError> {
    let shown = crate::report::safe::path(dir);
    let read = |source| LoadError::Read {
        path: shown.clone(),
        source,
    };
    let mut files: Vec<PathBuf> = if dir.is_file() {
        vec![dir.to_path_buf()]
    } else {
        let entries = std::fs::read_dir(dir).map_err(read)?;
        entries
            .map(|e| e.map(|e| e.path()))
            .collect::<Result<_, _>>()
            .map_err(read)?
    };
    files.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let mut all = OwnRules::default();
    for file in &files {
        let own = load_file(file)?;
        all.rules.extend(own.rules);
        all.silence.extend(own.silence);
    }
    if all.rules.is_empty() && all.silence.is_empty() {
        return Err(LoadError::Empty(shown));
    }
    Ok(all)
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    silence: Vec<String>,
    #[serde(default)]
    rule: Vec<RuleSpec>,
}

fn load_file(file: &Path) -> Result<OwnRules, LoadError> {
    let shown = crate::report::safe::path(file);
    let read = |source| LoadError::Read {
        path: shown.clone(),
        source,
    };
    if std::fs::metadata(file).map_err(read)?.len() > MAX_FILE {
        return Err(LoadError::TooLarge(shown));
    }
    let text = std::fs::read_to_string(file).map_err(read)?;
    let parsed: RulesFile = toml::from_str(&text).map_err(|e| LoadError::Parse {
        path: shown,
        message: crate::text::nearest::toml_error(&e, &text),
    })?;
    let family = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let named = |r| {
        let mut rule = RuleSpec {
            family: family.clone(),
            ..r
        };
        let text = serde_json::to_string(&rule).map_err(|e| LoadError::Rule {
            id: rule.id.clone(),
            message: e.to_string(),
        })?;
        rule.digest = blake3::hash(text.as_bytes()).to_hex()[..32].to_string();
        Ok(rule)
    };
    Ok(OwnRules {
        rules: parsed.rule.into_iter().map(named).collect::<Result<_, _>>()?,
        silence: parsed.silence,
    })
}
