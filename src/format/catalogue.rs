//! The catalogue of formats: what `rules/formats/` states, compiled, and the user's own.

use super::compile::{self, Syntax};
use super::template::Template;
use super::{columns, directive, jsonlog, message, w3c};
use crate::record::Surface;
use crate::text::{Base, Coding, Text, json, nearest};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A format as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatSpec {
    /// Kebab case, stable.
    pub id: String,
    /// One line.
    pub title: String,
    /// What kind of place it logs.
    pub surface: Surface,
    /// Programs that write it: they decide which advice a finding gets.
    #[serde(default)]
    pub servers: Vec<String>,
    /// How it is read.
    pub kind: Kind,
    /// The syntax of `template`.
    #[serde(default)]
    pub syntax: Option<Syntax>,
    /// The server's own string; of W3C the header that rows without one have.
    #[serde(default)]
    pub template: Option<String>,
    /// What is undone in its columns; `default`, the syntax's own.
    #[serde(default)]
    pub escape: Escape,
    /// Whether several blanks stand for one.
    #[serde(default)]
    pub squeeze: bool,
    /// JSON and logfmt: members of which one of each list is always there.
    #[serde(default)]
    pub require: Vec<Vec<String>>,
    /// JSON and logfmt: words for columns to members.
    #[serde(default)]
    pub map: BTreeMap<String, Vec<String>>,
    /// Literals in the line that make it worth reading, where names of credentials stand as values.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// Where it is described.
    pub references: Vec<String>,
}

/// How a format is read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// By a template.
    Template,
    /// As JSON, by a map.
    Json,
    /// As `key=value`, by a map.
    Logfmt,
    /// By `#Fields`.
    W3c,
    /// Error logs.
    ErrorLog,
    /// ArcGIS messages.
    Arcgis,
    /// Lines of HTTP messages.
    HttpMessage,
    /// HAR captures.
    Har,
    /// JSON without a map.
    AnyJson,
    /// A browser's database.
    Database,
    /// A browser's file or export, read as a whole.
    Document,
    /// Anything else.
    Text,
}

/// What is undone in columns.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Escape {
    /// As the syntax's server does.
    #[default]
    Default,
    /// Nothing.
    None,
    /// `\xHH` and the like.
    Backslash,
    /// `""`.
    Doubled,
    /// `#HH`.
    Hash,
}

/// A format ready for reading.
#[derive(Debug)]
pub struct Format {
    /// As its file states it.
    pub spec: FormatSpec,
    pub(super) reader: Reader,
}

/// What reads it.
#[derive(Debug)]
pub(super) enum Reader {
    Template(Template),
    Json(jsonlog::Map),
    Logfmt(message::Logfmt),
    /// Rows of a W3C log whose header is known although it is missing.
    Rows(w3c::Fields),
    Builtin,
}

/// Why a format cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// `--log-format` names nothing known and is no format string; with the nearest name.
    #[error(
        "{0:?} is neither the name of a format{1}, see `plainsight formats`, nor a format string such as '$remote_addr [$time_local] \"$request\"' or '%h %l %u %t \"%r\" %>s %b'"
    )]
    Unknown(String, String),
    /// The string could not be compiled.
    #[error("the log format {format:?} cannot be used: {message}")]
    Invalid {
        /// The string.
        format: String,
        /// What is wrong.
        message: String,
    },
}

/// All formats of a run.
#[derive(Debug)]
pub struct Catalogue {
    pub(super) formats: Vec<Format>,
    pub(super) templates: Vec<u16>,
    pub(super) json: Vec<u16>,
    /// W3C formats whose rows are told without a header.
    pub(super) headless: Vec<u16>,
    /// The format that the user named or described: it is tried before all others.
    pub user: Option<u16>,
    /// Formats that the user's configuration describes by name: they are tried after all others of their kind.
    named: Vec<u16>,
}

fn spec_error(id: &str, message: String) -> FormatError {
    FormatError::Invalid {
        format: id.to_string(),
        message,
    }
}

impl Format {
    fn new(spec: FormatSpec) -> Result<Format, FormatError> {
        let bad = |m: String| spec_error(&spec.id, m);
        let map: Vec<(String, Vec<String>)> = spec.map.iter().map(|(a, b)| (a.clone(), b.clone())).collect();
        let reader = match spec.kind {
            Kind::Template => {
                let text = spec
                    .template
                    .as_deref()
                    .ok_or_else(|| bad("a template is missing".into()))?;
                let syntax = spec.syntax.unwrap_or(Syntax::Nginx);
                let escape = match spec.escape {
                    Escape::Default => compile::default_escape(syntax),
                    Escape::None => None,
                    Escape::Backslash => Some(Coding::Backslash),
                    Escape::Doubled => Some(Coding::DoubledQuote),
                    Escape::Hash => Some(Coding::Hash),
                };
                Reader::Template(compile::compile(text, syntax, escape, spec.squeeze).map_err(bad)?)
            }
            Kind::W3c if spec.template.is_some() => {
                let header = spec.template.as_deref().unwrap_or_default();
                let fields = w3c::Fields::parse(header.as_bytes());
                Reader::Rows(fields.ok_or_else(|| bad("it is no #Fields line".into()))?)
            }
            Kind::Json | Kind::AnyJson => Reader::Json(jsonlog::Map::new(&spec.require, &map).map_err(bad)?),
            Kind::Logfmt => {
                let mut columns = std::collections::HashMap::new();
                for (word, keys) in &map {
                    let column = columns::Column::from_word(word)
                        .ok_or_else(|| bad(format!("{word} is no column")))?;
                    columns.extend(keys.iter().map(|k| (k.clone(), column.clone())));
                }
                Reader::Logfmt(message::Logfmt {
                    require: spec.require.iter().flatten().cloned().collect(),
                    columns,
                })
            }
            _ => Reader::Builtin,
        };
        Ok(Format { spec, reader })
    }

    /// Whether a credential in it can stand under a name that is not in the line.
    fn hides_names(&self) -> bool {
        matches!(&self.reader, Reader::Template(t) if t.columns().any(columns::Column::hides_its_name))
    }
}

impl Catalogue {
    /// The formats that the program carries.
    pub fn builtin() -> Result<Catalogue, FormatError> {
        let text = include_str!(concat!(env!("OUT_DIR"), "/formats.json"));
        let specs: Vec<FormatSpec> =
            serde_json::from_str(text).map_err(|e| spec_error("rules/formats", e.to_string()))?;
        let mut all = Catalogue {
            formats: Vec::new(),
            templates: Vec::new(),
            json: Vec::new(),
            headless: Vec::new(),
            user: None,
            named: Vec::new(),
        };
        for spec in specs {
            all.add(spec)?;
        }
        Ok(all)
    }

    fn add(&mut self, spec: FormatSpec) -> Result<u16, FormatError> {
        let n = self.formats.len() as u16;
        let format = Format::new(spec)?;
        match format.spec.kind {
            Kind::Template => self.templates.push(n),
            Kind::Json => self.json.push(n),
            Kind::W3c if format.spec.template.is_some() => self.headless.push(n),
            _ => {}
        }
        self.formats.push(format);
        Ok(n)
    }

    /// Takes a format by name, or a server's own string.
    pub fn set_user(&mut self, text: &str) -> Result<(), FormatError> {
        if let Some(n) = self.formats.iter().position(|f| f.spec.id == text) {
            self.user = Some(n as u16);
            return Ok(());
        }
        let spec = own_spec("custom", "the format given by --log-format", text).map_err(|e| match e {
            FormatError::Unknown(text, _) => {
                let all = self.formats.iter().map(|f| f.spec.id.as_str());
                let hint = nearest::hint(&text, all);
                FormatError::Unknown(text, hint)
            }
            other => other,
        })?;
        self.user = Some(self.add(spec)?);
        Ok(())
    }

    /// Adds a format that is described by a server's own string, under a name that is free.
    pub fn add_named(&mut self, name: &str, text: &str) -> Result<(), FormatError> {
        if self.index(name).is_some() || name == "custom" {
            return Err(spec_error(name, "the name is taken; choose another".into()));
        }
        let spec = own_spec(name, "a format of the configuration", text)?;
        let n = self.add(spec)?;
        self.named.push(n);
        Ok(())
    }

    /// Tells what of the user's own formats changes what is read.
    pub fn own(&self) -> String {
        let own = self.user.iter().chain(&self.named).map(|&n| {
            let spec = &self.get(n).spec;
            format!("{}={:?}{:?}", spec.id, spec.template, spec.map)
        });
        own.collect::<Vec<_>>().join(" ")
    }

    /// The format of that index.
    pub fn get(&self, n: u16) -> &Format {
        &self.formats[usize::from(n)]
    }

    /// All of them.
    pub fn all(&self) -> &[Format] {
        &self.formats
    }

    /// The index of the format with this id.
    pub fn index(&self, id: &str) -> Option<u16> {
        self.formats
            .iter()
            .position(|f| f.spec.id == id)
            .map(|n| n as u16)
    }

    /// Literals that formats ask for.
    pub fn triggers(&self) -> Vec<&str> {
        let own = self
            .formats
            .iter()
            .flat_map(|f| f.spec.triggers.iter().map(String::as_str));
        own.chain(message::TRIGGERS.iter().copied())
            .chain(["#Fields:", "#Date:", " stdout P ", " stderr P "])
            .collect()
    }

    /// Whether a format of the user's hides names, so that every line has to be read.
    pub fn reads_every_line(&self) -> bool {
        self.user
            .iter()
            .chain(&self.named)
            .any(|&n| self.get(n).hides_names())
    }

    /// The first format of that kind.
    pub(crate) fn by_kind(&self, kind: Kind) -> u16 {
        self.formats
            .iter()
            .position(|f| f.spec.kind == kind)
            .unwrap_or_default() as u16
    }
}

/// A format that is described by a server's own string.
fn own_spec(id: &str, title: &str, text: &str) -> Result<FormatSpec, FormatError> {
    let given = directive::read(text);
    let plain = compile::pasted(&given.format);
    let syntax = match plain.as_str() {
        "common" | "combined" => Some(Syntax::Apache),
        _ => given.syntax.or_else(|| compile::guess(&plain)),
    };
    let syntax = syntax.ok_or_else(|| FormatError::Unknown(text.to_string(), String::new()))?;
    let servers = match syntax {
        Syntax::Nginx => "nginx",
        Syntax::Apache => "apache",
        Syntax::Haproxy => "haproxy",
        Syntax::Envoy => "envoy",
    };
    let proxy = matches!(syntax, Syntax::Haproxy | Syntax::Envoy);
    let mut spec = FormatSpec {
        id: id.into(),
        title: title.into(),
        surface: if proxy {
            Surface::ProxyLog
        } else {
            Surface::ServerLog
        },
        servers: vec![servers.into()],
        kind: Kind::Template,
        syntax: Some(syntax),
        template: Some(plain.clone()),
        escape: given.escape,
        squeeze: false,
        require: Vec::new(),
        map: BTreeMap::new(),
        triggers: Vec::new(),
        references: Vec::new(),
    };
    // `escape=json` formats are JSON objects of variables.
    if plain.trim_start().starts_with('{') && syntax == Syntax::Nginx {
        json_template(&plain, &mut spec)?;
    }
    Ok(spec)
}

/// The variable that a member's value is; of a URL put together of several (`$scheme://$host$request_uri`) the one
/// that says it all.
fn json_variable(value: &str) -> Option<&str> {
    let whole = value.starts_with("$scheme://") || value.starts_with("http");
    if whole
        && ["$request_uri", "$uri$is_args$args", "$uri?$args"]
            .iter()
            .any(|end| value.ends_with(end))
    {
        return Some("request_uri");
    }
    value.strip_prefix('$')
}

/// The members of a JSON object of nginx variables, as a map.
fn json_template(text: &str, spec: &mut FormatSpec) -> Result<(), FormatError> {
    let root = Base::Source { offset: 0 };
    // `"status":$status` is no JSON; quoting the bare variables makes it some.
    let mut quoted = String::with_capacity(text.len() + 16);
    let mut inside = false;
    let mut bare = false;
    for c in text.chars() {
        if c == '"' {
            inside = !inside;
        }
        if bare && !(c.is_ascii_alphanumeric() || c == '_') {
            quoted.push('"');
            bare = false;
        }
        if c == '$' && !inside {
            quoted.push('"');
            bare = true;
        }
        quoted.push(c);
    }
    let doc = json::read(Text::new(quoted.as_bytes(), &root))
        .filter(|d| d.whole)
        .ok_or_else(|| spec_error(text, "it begins as JSON and is none".into()))?;
    spec.kind = Kind::Json;
    spec.template = None;
    for m in &doc.members {
        let value = String::from_utf8_lossy(m.value.bytes());
        let Some(variable) = json_variable(&value) else {
            continue;
        };
        let word = match compile::nginx_variable(variable) {
            columns::Column::Client => "client".to_string(),
            columns::Column::ForwardedFor => "forwarded-for".into(),
            columns::Column::Time(_) => "time".into(),
            columns::Column::Request => "request".into(),
            columns::Column::Method => "method".into(),
            columns::Column::Url => "url".into(),
            columns::Column::Path => "path".into(),
            columns::Column::Query => "query".into(),
            columns::Column::Status => "status".into(),
            columns::Column::Host => "host".into(),
            columns::Column::Scheme => "scheme".into(),
            columns::Column::Referer => "referer".into(),
            columns::Column::UserAgent => "user-agent".into(),
            columns::Column::Cookies => "cookies".into(),
            columns::Column::Header(n) => format!("header:{n}"),
            columns::Column::Named(n) => format!("named:{n}"),
            columns::Column::Body => "body".into(),
            _ => continue,
        };
        spec.map.entry(word).or_default().push(m.path.to_string());
        spec.require.push(vec![m.path.to_string()]);
    }
    if spec.map.is_empty() {
        return Err(spec_error(text, "it has no variable that is known".into()));
    }
    Ok(())
}
