//! `plainsight.toml`: finding it, reading it, and what it says where the command line says nothing.
//! `rules/config.schema.json` describes it; a test holds the two together.

use super::paths::Named;
use super::scan::RuleArgs;
use crate::format::Catalogue;
use crate::gate::Threshold;
use crate::gate::allow::{Allow, AllowSpec};
use crate::report::safe;
use crate::rule::{Confidence, RuleSet, Severity};
use crate::scan::Clients;
use crate::text::nearest;
use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file's name where it is looked for.
const NAME: &str = "plainsight.toml";

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Where settings come from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfigArgs {
    /// Settings [default: plainsight.toml here or above, up to the repository's root].
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Look for no plainsight.toml.
    #[arg(long)]
    no_config: bool,
}

/// A log format of the user's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedFormat {
    /// The server's own format string.
    pub template: String,
}

/// What the file may say. Relative paths are relative to it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Values {
    /// What is scanned where the command line names nothing.
    pub paths: Vec<PathBuf>,
    /// In folders, read only files that match.
    pub include: Vec<String>,
    /// In folders, leave out files that match.
    pub exclude: Vec<String>,
    /// Follow symbolic links in folders.
    pub follow_links: Option<bool>,
    /// From which severity on a finding fails a scan.
    pub fail_on: Option<Threshold>,
    /// Hide findings under this severity.
    pub min_severity: Option<Severity>,
    /// Findings under this confidence count for nothing.
    pub min_confidence: Option<Confidence>,
    /// Exit 0 even if something could not be read whole.
    pub allow_partial: Option<bool>,
    /// The zone of times that have none.
    pub timezone: Option<String>,
    /// How clients are shown.
    pub clients: Option<Clients>,
    /// A folder of rules.
    pub rules: Option<PathBuf>,
    /// Only these rules or families.
    pub only: Vec<String>,
    /// Without these rules or families.
    pub skip: Vec<String>,
    /// With these families that are off by default.
    pub with: Vec<String>,
    /// The log format, by name or as the server's own string.
    pub log_format: Option<String>,
    /// Log formats by name.
    pub formats: BTreeMap<String, NamedFormat>,
    /// Hosts under these domains are one party.
    pub same_party: Vec<String>,
    /// The baseline.
    pub baseline: Option<PathBuf>,
    /// Findings that do not fail a run.
    pub allow: Vec<AllowSpec>,
}

/// Settings that have been read.
#[derive(Debug, Default)]
pub struct Settings {
    /// The file, as it may be shown; `None` where there is none.
    pub file: Option<String>,
    /// Where it is.
    pub at: Option<PathBuf>,
    /// What relative paths are relative to.
    base: PathBuf,
    /// What it says.
    pub values: Values,
}

/// The path of the settings that count in `here`: in it or in a folder above it, up to the one that holds `.git`;
/// in `here` alone where no folder holds that.
fn find(here: &Path) -> Option<PathBuf> {
    let root = here
        .ancestors()
        .position(|a| a.join(".git").exists())
        .unwrap_or(0);
    // Relative to here, so that reports name sources as the user would.
    (0..=root)
        .map(|n| std::iter::repeat_n("..", n).collect::<PathBuf>())
        .map(|up| up.join(NAME))
        .find(|p| here.join(p).symlink_metadata().is_ok())
}

impl ConfigArgs {
    /// Reads the settings that count.
    pub fn load(&self) -> anyhow::Result<Settings> {
        let path = match &self.config {
            Some(path) => Some(path.clone()),
            None if self.no_config => None,
            // Without a working directory there is nothing to look in.
            None => std::env::current_dir().ok().and_then(|here| find(&here)),
        };
        path.map_or(Ok(Settings::default()), |p| Settings::read(&p))
    }
}

impl Settings {
    fn read(path: &Path) -> anyhow::Result<Settings> {
        let shown = safe::path(path);
        let size = std::fs::metadata(path).map(|m| m.len());
        let text = size
            .and_then(|n| {
                if n > MAX_FILE {
                    Err(std::io::Error::other("it is larger than 1 MiB"))
                } else {
                    std::fs::read_to_string(path)
                }
            })
            .with_context(|| format!("cannot read the settings in {shown}"))?;
        let values = parse(&text).map_err(|m| anyhow!("{shown} cannot be used: {m}"))?;
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Settings {
            file: Some(shown),
            at: Some(path.to_path_buf()),
            base,
            values,
        })
    }

    /// A path of the file's.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// The files that tell a run what to do, with the options that name them.
    pub fn reads(&self, rules: &RuleArgs) -> Vec<Named> {
        let own = rules.folder().map(|p| Named::new("--rules", p));
        let set = self.at.as_ref().map(|p| Named::new("the settings in", p));
        own.into_iter().chain(set).collect()
    }

    /// The paths to scan: those of the command line, else the file's.
    pub fn paths(&self, given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
        if !given.is_empty() {
            return Ok(given.to_vec());
        }
        if self.values.paths.is_empty() {
            bail!(
                "nothing to scan: name files or folders, - for the standard input, or set paths in {}",
                self.file.as_deref().unwrap_or(NAME)
            );
        }
        Ok(self.values.paths.iter().map(|p| self.path(p)).collect())
    }

    /// The entries that allow findings.
    pub fn allow(&self, rules: &RuleSet) -> anyhow::Result<Vec<Allow>> {
        let entries = self.values.allow.iter().enumerate();
        entries
            .map(|(n, spec)| {
                Allow::new(spec.clone(), rules)
                    .map_err(|m| self.error(format!("[[allow]] entry {}: {m}", n + 1)))
            })
            .collect()
    }

    /// The formats that are known: the built-in ones, the file's, and the one that is chosen.
    pub fn catalogue(&self, chosen: Option<&str>) -> anyhow::Result<Catalogue> {
        let mut all = Catalogue::builtin()?;
        for (name, format) in &self.values.formats {
            all.add_named(name, &format.template)
                .map_err(|e| self.error(format!("[formats.{name}]: {e}")))?;
        }
        if let Some(text) = chosen.or(self.values.log_format.as_deref()) {
            all.set_user(text)?;
        }
        Ok(all)
    }

    fn error(&self, message: String) -> anyhow::Error {
        anyhow!("{}: {message}", self.file.as_deref().unwrap_or(NAME))
    }
}

/// The command line's list, else the file's.
pub fn either(given: &[String], file: &[String]) -> Vec<String> {
    if given.is_empty() {
        file.to_vec()
    } else {
        given.to_vec()
    }
}

fn parse(text: &str) -> Result<Values, String> {
    toml::from_str(text).map_err(|e| nearest::toml_error(&e, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that the parser expects where `toml` has one that it does not know.
    fn keys(toml: &str) -> Vec<String> {
        let message = parse(toml).unwrap_err();
        let line = message.lines().find(|l| l.contains("unknown field")).unwrap();
        let mut names: Vec<String> = line.split('`').skip(3).step_by(2).map(str::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn the_schema_has_the_parsers_keys() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../rules/config.schema.json")).unwrap();
        let of = |v: &serde_json::Value| -> Vec<String> {
            assert_eq!(v["additionalProperties"], false);
            let mut names: Vec<String> = v["properties"].as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(of(&schema), keys("unknown = 1"));
        assert_eq!(
            of(&schema["properties"]["allow"]["items"]),
            keys("[[allow]]\nunknown = 1")
        );
        assert_eq!(
            of(&schema["properties"]["formats"]["additionalProperties"]),
            keys("[formats.x]\nunknown = 1")
        );
        let words = |at: &serde_json::Value| -> Vec<String> {
            at["enum"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_str().unwrap().into())
                .collect()
        };
        for (key, values) in [
            (
                "min_severity",
                Severity::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
            ),
            (
                "min_confidence",
                Confidence::ALL.iter().map(|s| s.as_str()).collect(),
            ),
            ("clients", Clients::ALL.iter().map(|s| s.as_str()).collect()),
        ] {
            assert_eq!(words(&schema["properties"][key]), values, "{key}");
        }
    }

    #[test]
    fn mistakes_are_told_with_the_nearest_right_name() {
        for (text, want) in [
            ("fail-on = \"high\"", "did you mean fail_on?"),
            ("min_severity = \"hgih\"", "did you mean high?"),
            ("fail_on = \"nevr\"", "did you mean never?"),
            ("[[allow]]\nreson = \"x\"", "did you mean reason?"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(want) && message.contains("line"), "{message}");
        }
    }

    #[test]
    fn it_is_looked_for_up_to_the_repository_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p);
        std::fs::create_dir_all(at("repo/a/b")).unwrap();
        std::fs::write(at(NAME), "").unwrap();
        assert_eq!(find(&at("repo/a/b")), None);
        std::fs::create_dir(at("repo/.git")).unwrap();
        assert_eq!(find(&at("repo/a/b")), None);
        std::fs::write(at("repo/plainsight.toml"), "").unwrap();
        assert_eq!(
            find(&at("repo/a/b")),
            Some(PathBuf::from("../../plainsight.toml"))
        );
        std::fs::write(at("repo/a/b/plainsight.toml"), "").unwrap();
        assert_eq!(find(&at("repo/a/b")), Some(PathBuf::from("plainsight.toml")));
        assert_eq!(find(dir.path()), Some(PathBuf::from(NAME)));
    }
}
