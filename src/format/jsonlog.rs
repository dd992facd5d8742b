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
    /// Members to columns, with the rank among those of one column: of several the first in the map counts.
    columns: HashMap<String, (Column, usize)>,
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
            for (rank, path) in paths.iter().enumerate() {
                match word.as_str() {
                    "headers" => out.headers.push((format!("{path}."), false)),
                    "response-headers" => out.headers.push((format!("{path}."), true)),
                    "header-list" => out.header_lists.push(path.clone()),
                    "ignore" => out.ignore.push(path.clone()),
                    _ => {
                        let column = Column::from_word(word).ok_or_else(|| format!("{word} is no column"))?;
                        out.columns.insert(path.clone(), (column, rank));
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
        let columns: Vec<Option<(Column, usize)>> = doc
            .members
            .iter()
            .enumerate()
            .map(|(i, m)| self.column(doc, i, m, &texts))
            .collect();
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|&i| columns[i].as_ref().map_or(usize::MAX, |(_, rank)| *rank));
        const REQUEST: Column = Column::Request;
        let mut builder = Builder::default();
        for i in order {
            let (member, text) = (&doc.members[i], &texts[i]);
            match &columns[i] {
                Some((column, _)) => builder.add(column, *text),
                None if is_request_line(text.bytes()) => builder.add(&REQUEST, *text),
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
    ) -> Option<(Column, usize)> {
        if let Some(column) = self.columns.get(&*member.path) {
            return Some(column.clone());
        }
        // What a header says comes after what has a member of its own.
        let behind = |column| Some((column, usize::MAX));
        for (prefix, response) in &self.headers {
            if let Some(name) = member.path.strip_prefix(prefix.as_str()) {
                return behind(if *response {
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
        behind(header(&String::from_utf8_lossy(texts[name].bytes())))
    }
}

/// Whether text is a request line: `GET /x HTTP/1.1`.
fn is_request_line(text: &[u8]) -> bool {
    let method = text
        .iter()
        .take(16)
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    let version = memchr::memrchr(b' ', text).map_or(&[][..], |at| &text[at + 1..]);
    method >= 3 && text[method..].starts_with(b" ") && version.len() <= 8 && version.starts_with(b"HTTP/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Carrier;

    fn shown(c: &Carrier) -> String {
        let text = |t: Text| String::from_utf8_lossy(t.bytes()).into_owned();
        let echo = if c.echo { "again " } else { "" };
        match c.content {
            Content::Url(u) => format!(
                "{echo}{} {}?{}",
                c.field,
                text(u.path),
                u.query.map_or("-".into(), text)
            ),
            Content::Named(n, _, t) => format!("{} {n}={}", c.field, text(t)),
            Content::Cookies(t) | Content::Form(t) | Content::Markup(t) | Content::Text(t) => {
                format!("{} {}", c.field, text(t))
            }
        }
    }

    /// Client, host and carriers of a line read by a map like nginx's.
    fn read(line: &str) -> (Option<String>, Option<String>, Vec<String>) {
        let map: Vec<(String, Vec<String>)> = [
            ("client", &["client_ip", "remote_ip"][..]),
            ("host", &["http_host", "host", "server_name"]),
            ("url", &["request_uri", "url"]),
            ("path", &["uri"]),
            ("query", &["args"]),
            ("headers", &["headers"]),
        ]
        .map(|(word, paths)| (word.into(), paths.iter().map(|p| p.to_string()).collect()))
        .to_vec();
        let base = Base::Source { offset: 0 };
        let doc = json::read(Text::new(line.as_bytes(), &base)).unwrap();
        let mut out = None;
        Map::new(&[], &map).unwrap().read(&doc, 0, &mut |r| {
            let text = |t: Option<Text>| t.map(|t| String::from_utf8_lossy(t.bytes()).into_owned());
            out = Some((
                text(r.client),
                text(r.host),
                r.carriers.iter().map(shown).collect(),
            ));
        });
        out.unwrap()
    }

    #[test]
    fn no_query_is_lost_where_a_log_keeps_several() {
        for (line, want) in [
            (r#"{"uri":"/a?x=1"}"#, &["url /a?x=1"][..]),
            (r#"{"uri":"/a?x=1","args":"-"}"#, &["url /a?x=1"]),
            (r#"{"uri":"/a?x=1","args":"x=1"}"#, &["url /a?x=1"]),
            (
                r#"{"uri":"/a?x=1","args":"y=2"}"#,
                &["url /a?x=1", "again url /a?y=2"],
            ),
            (r#"{"uri":"/a","args":"?y=2"}"#, &["url /a?y=2"]),
            (r#"{"args":"y=2"}"#, &["url ?y=2"]),
            (
                r#"{"url":"/b?z=3","request_uri":"/a?x=1","uri":"/a","args":"y=2"}"#,
                &["url /a?x=1", "again url /b?z=3", "again url /a?y=2"],
            ),
            (
                r#"{"request_uri":"/a","uri":"/i?x=1","args":"x=1"}"#,
                &["url /a?x=1", "again url /i?x=1"],
            ),
        ] {
            assert_eq!(read(line).2, want, "{line}");
        }
    }

    #[test]
    fn the_first_of_the_map_counts_wherever_it_stands() {
        let line = r#"{"remote_ip":"10.0.0.1","server_name":"_","headers":{"Host":"c"},"host":"b","client_ip":"10.0.0.2"}"#;
        let (client, host, _) = read(line);
        assert_eq!(
            (client.as_deref(), host.as_deref()),
            (Some("10.0.0.2"), Some("b"))
        );
        assert_eq!(
            read(r#"{"server_name":"_","headers":{"Host":"c"}}"#).1.as_deref(),
            Some("c")
        );
    }

    #[test]
    fn a_request_line_is_one_under_any_name() {
        let (_, _, carriers) = read(r#"{"a":{"line":"GET /x?a=1 HTTP/1.1"},"b":"GET /x?a=1","c":"GETX"}"#);
        assert_eq!(carriers, ["url /x?a=1", "text b=GET /x?a=1", "text c=GETX"]);
    }
}
