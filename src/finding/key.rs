//! What makes a finding one: cause and cure. Everything in a key is a name or a shape, nothing of a credential.

use crate::record::{Field, Part, Surface};
use crate::url::route;
use serde::{Deserialize, Serialize};

/// What groups exposures into one finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FindingKey {
    /// The rule's id.
    pub rule: u16,
    /// Kind of source.
    pub surface: Surface,
    /// Which piece of the record.
    pub field: Field,
    /// Where in it.
    pub part: Part,
    /// The innermost name.
    pub name: Box<str>,
    /// Outer names.
    pub via: Box<[Box<str>]>,
    /// The owner's host.
    pub host: Option<Box<str>>,
    /// Without a host, the source's stem: it stands for the site.
    pub site: Option<Box<str>>,
    /// The scoped route.
    pub route: Option<Box<str>>,
}

/// A key in words, without the rule: what reports and baselines hold of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Words {
    /// Kind of source.
    pub surface: Surface,
    /// Which piece of the record.
    pub field: Field,
    /// Where in it.
    pub part: Part,
    /// The innermost name.
    pub name: String,
    /// Outer names.
    #[serde(default)]
    pub via: Vec<String>,
    /// The owner's host.
    #[serde(default)]
    pub host: Option<String>,
    /// Without a host, the source's stem.
    #[serde(default)]
    pub site: Option<String>,
    /// The scoped route.
    #[serde(default)]
    pub route: Option<String>,
}

impl Words {
    /// The ids that a finding with this key has, its rule being called `rule`.
    pub fn ids(&self, rule: &str) -> [u64; 4] {
        let text = |s: &Option<String>| s.as_deref().map(Box::from);
        let key = FindingKey {
            rule: 0, // not part of an id
            surface: self.surface,
            field: self.field,
            part: self.part,
            name: self.name.as_str().into(),
            via: self.via.iter().map(|v| v.as_str().into()).collect(),
            host: text(&self.host),
            site: text(&self.site),
            route: text(&self.route),
        };
        key.ids(rule)
    }
}

impl From<&FindingKey> for Words {
    fn from(key: &FindingKey) -> Words {
        let text = |s: &Option<Box<str>>| s.as_deref().map(str::to_string);
        Words {
            surface: key.surface,
            field: key.field,
            part: key.part,
            name: key.name.to_string(),
            via: key.via.iter().map(|v| v.to_string()).collect(),
            host: text(&key.host),
            site: text(&key.site),
            route: text(&key.route),
        }
    }
}

/// How far a group of findings is folded, because it has too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Not at all.
    #[default]
    Exact,
    /// Routes and outer names are one.
    Routes,
    /// Hosts and sites, too.
    Hosts,
    /// Names, too.
    Names,
}

impl FindingKey {
    /// The key at a level of folding.
    pub fn fold(mut self, level: Level) -> FindingKey {
        let many = || Box::<str>::from(route::MANY);
        if level >= Level::Routes {
            if self.route.is_some() {
                self.route = Some(many());
            }
            if !self.via.is_empty() {
                self.via = Box::new([many()]);
            }
        }
        if level >= Level::Hosts {
            self.host = Some(many());
            self.site = None;
        }
        if level >= Level::Names {
            self.name = many();
        }
        self
    }

    /// The ids of the key at every level of folding, from its own on.
    pub fn ids(&self, rule: &str) -> [u64; 4] {
        [Level::Exact, Level::Routes, Level::Hosts, Level::Names]
            .map(|level| self.clone().fold(level).id(rule))
    }

    /// The finding's id: 16 hexadecimal digits that depend on the key alone, the rule by its name.
    pub fn id(&self, rule: &str) -> u64 {
        let mut hasher = blake3::Hasher::new();
        let mut add = |s: &str| {
            hasher.update(s.as_bytes()).update(&[0]);
        };
        add(&format!("plainsight finding 1 route {}", route::VERSION));
        for s in [
            rule,
            self.surface.as_str(),
            self.field.as_str(),
            self.part.as_str(),
            &self.name,
        ] {
            add(s);
        }
        add(&self.via.len().to_string());
        self.via.iter().for_each(|v| add(v));
        for s in [&self.host, &self.site, &self.route] {
            add(if s.is_some() { "+" } else { "-" });
            add(s.as_deref().unwrap_or_default());
        }
        let hash = hasher.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_be_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_every_piece() {
        let key = FindingKey {
            rule: 3,
            surface: Surface::ServerLog,
            field: Field::Url,
            part: Part::Query,
            name: "token".into(),
            via: Box::new([]),
            host: Some("h".into()),
            site: None,
            route: Some("/x".into()),
        };
        let id = key.id("r");
        assert_eq!(id, key.clone().id("r"));
        assert_ne!(id, key.id("s"));
        assert_ne!(
            id,
            FindingKey {
                host: None,
                site: Some("h".into()),
                ..key.clone()
            }
            .id("r")
        );
        assert_ne!(
            id,
            FindingKey {
                field: Field::Referer,
                ..key.clone()
            }
            .id("r")
        );
        assert_ne!(id, key.clone().fold(Level::Routes).id("r"));
        assert_eq!(key.clone().fold(Level::Hosts).host.as_deref(), Some(route::MANY));
    }
}
