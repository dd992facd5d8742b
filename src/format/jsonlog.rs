//! JSON lines: which member means what is a map in the format's data, and what no map knows is still read,
//! under its key as a name.

use super::columns::{Builder, Column, header, response_header};
use crate::record::{Content, Field, Part, Record};
use crate::text::{Base, Coding, Text, json};
use std::borrow::Cow;
use std::collections::HashMap;

/// A map from members to columns.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// For each of these one member at least has to be there.
    require: Vec<Vec<String>>,
    columns: HashMap<String, Column>,
    /// Objects whose members are headers, by name.
    headers: Vec<(String, bool)>,
    /// Lists of `{name, value}` that are headers.
    header_lists: Vec<String>,
    /// Members of no interest.
    ignore: Vec<String>,
}

impl Map {
    /// From a format's data: paths of members to words for columns.
    pub fn new(require: &[Vec<String>], map: &[(String, Vec<String>)]) -> Result<Map, String> {
        let mut out = Map {
            require: require.to_vec(),
            ..Map::default()
        };
        for (word, paths) in map {
            for path in paths {
                match word.as_str() {
                    "headers" => out.headers.push((format!("{path}."), false)),
                    "response-headers" => out.headers.push((format!("{path}."), true)),
                    "header-list" => out.header_lists.push(path.clone()),
                    "ignore" => out.ignore.push(path.clone()),
                    _ => {
                        let column = Column::from_word(word).ok_or_else(|| format!("{word} is no column"))?;
                        out.columns.insert(path.clone(), column);
                    }
                }
            }
        }
        Ok(out)
    }

    /// Whether a document has the members that this format always has.
    pub fn fits(&self, doc: &json::Document) -> bool {
        self.require.iter().all(|any| {
            any.iter().any(|path| {
                doc.members.iter().any(|m| {
                    &*m.path == path.as_str()
                        || m.path
                            .strip_prefix(path.as_str())
                            .is_some_and(|r| r.starts_with('.'))
                })
            })
        })
    }

    /// Reads the document.
    pub fn read(&self, doc: &json::Document, format: u16, visit: &mut dyn FnMut(&Record)) {
        let plain: Vec<Cow<[u8]>> = doc
            .members
            .iter()
            .map(|m| Coding::Json.decode(m.value.bytes()))
            .collect();
        let bases: Vec<Base> = doc
            .members
            .iter()
            .map(|m| Base::decoded(m.value, Coding::Json))
            .collect();
        let texts: Vec<Text> = doc
            .members
            .iter()
            .zip(&plain)
            .zip(&bases)
            .map(|((m, plain), base)| match plain {
                Cow::Borrowed(_) => m.value,
                Cow::Owned(bytes) => Text::new(bytes, base),
            })
            .collect();
        let columns: Vec<Option<Column>> = doc
            .members
            .iter()
            .enumerate()
            .map(|(i, m)| self.column(doc, i, m, &texts))
            .collect();
        let mut builder = Builder::default();
        for ((member, text), column) in doc.members.iter().zip(&texts).zip(&columns) {
            match column {
                Some(column) => builder.add(column, *text),
                None if member.kind == json::Kind::String
                    && text.len() >= 4
                    && !self.ignore.iter().any(|p| **p == *member.path) =>
                {
                    builder.push(Field::Text, Content::Named(member.key(), Part::Value, *text));
                }
                None => {}
            }
        }
        visit(&builder.finish(format));
    }

    fn column(
        &self,
        doc: &json::Document,
        at: usize,
        member: &json::Member,
        texts: &[Text],
    ) -> Option<Column> {
        if let Some(column) = self.columns.get(&*member.path) {
            return Some(column.clone());
        }
        for (prefix, response) in &self.headers {
            if let Some(name) = member.path.strip_prefix(prefix.as_str()) {
                return Some(if *response {
                    response_header(name)
                } else {
                    header(name)
                });
            }
        }
        // `[{"name":"cookie","value":"…"}]`: the name is the member before.
        let list = member
            .path
            .strip_suffix(".value")
            .filter(|p| self.header_lists.iter().any(|l| l == p));
        let name = list
            .and_then(|_| at.checked_sub(1))
            .filter(|&n| doc.members[n].object == member.object && doc.members[n].path.ends_with(".name"))?;
        Some(header(&String::from_utf8_lossy(texts[name].bytes())))
    }
}
