//! The words of a command that was typed into a shell: quotes and backslashes undone, and what options and assignments
//! say of the values in them (`-H 'X-Api-Key: …'`, `-u user:password`, `export API_TOKEN=…`).

use crate::format::columns::{Column, header};
use crate::record::{Content, Field, Part, Record};
use crate::text::{Base, Coding, Text};
use crate::url::Url;
use std::ops::Range;

/// Words of one line that are looked at.
const MAX_WORDS: usize = 4096;

/// Programs whose options are those of HTTP.
const CLIENTS: [&[u8]; 8] = [
    b"curl", b"wget", b"http", b"https", b"xh", b"curlie", b"httpie", b"xhs",
];

/// Words that stand before the program's name.
const BEFORE: [&[u8]; 8] = [
    b"sudo", b"env", b"time", b"nohup", b"exec", b"command", b"export", b"set",
];

/// Long options, by any program, whose value is the next word; what else is written with `=` is taken by its name.
const SECRETS: [&str; 12] = [
    "password",
    "passwd",
    "http-password",
    "proxy-password",
    "token",
    "access-token",
    "auth-token",
    "api-token",
    "api-key",
    "apikey",
    "secret",
    "client-secret",
];

/// How names of environment variables end that hold credentials, and the names by which rules know them.
const ENDINGS: [(&str, &str); 9] = [
    ("PASSWORD", "password"),
    ("PASSWD", "password"),
    ("PASSPHRASE", "passphrase"),
    ("ACCESS_TOKEN", "access_token"),
    ("TOKEN", "token"),
    ("API_KEY", "api_key"),
    ("APIKEY", "api_key"),
    ("SECRET_KEY", "secret_key"),
    ("SECRET", "client_secret"),
];

/// What a command was found to say.
pub(super) enum Said<'a> {
    /// A header of a request.
    Header(Column, Text<'a>),
    /// Its cookies.
    Cookies(Text<'a>),
    /// The password of who asks.
    Password(Text<'a>),
    /// A value under a name.
    Named(&'a str, Text<'a>),
}

/// A word, as it stands in its line.
#[derive(Clone)]
struct Word {
    range: Range<usize>,
    /// Whether a command begins with it.
    first: bool,
    /// Whether a backslash outside of quotes is in it, and no quote.
    escaped: bool,
}

/// Cuts a line into words.
fn words(bytes: &[u8]) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::new();
    let mut first = true;
    let mut at = 0;
    while at < bytes.len() && out.len() < MAX_WORDS {
        match bytes[at] {
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b';' | b'|' | b'&' | b'(' | b')' | b'<' | b'>' | b'`' => {
                first |= !matches!(bytes[at], b'<' | b'>');
                at += 1;
                continue;
            }
            _ => {}
        }
        let begin = at;
        let (mut quote, mut quoted, mut escaped) = (0, false, false);
        while at < bytes.len() {
            let b = bytes[at];
            at += match (quote, b) {
                (b'\'', b'\\') => 1,
                (_, b'\\') => {
                    escaped |= quote == 0;
                    2
                }
                (0, b'"' | b'\'') => {
                    (quote, quoted) = (b, true);
                    1
                }
                (0, b) if b.is_ascii_whitespace() || b";|&()<>`".contains(&b) => break,
                (q, b) if q == b => {
                    quote = 0;
                    1
                }
                _ => 1,
            };
        }
        at = at.min(bytes.len());
        out.push(Word {
            range: begin..at,
            first,
            escaped: escaped && !quoted,
        });
        first = false;
    }
    out
}

/// Without the quotes around it.
fn unquoted(text: Text) -> Text {
    let inner = |t: Text<'_>| matches!(t.bytes(), [b'"', .., b'"'] | [b'\'', .., b'\'']);
    let after = if text.bytes().first() == Some(&b'$') {
        text.from(1)
    } else {
        text
    };
    if inner(after) {
        after.slice(1..after.len() - 1)
    } else {
        text
    }
}

/// Whether the shell puts something else there: `$TOKEN`, `${TOKEN}`, `$(pass show x)`, `%TOKEN%`.
fn is_variable(value: &[u8]) -> bool {
    let after = value
        .iter()
        .position(|b| *b == b'$')
        .and_then(|n| value.get(n + 1));
    // A word ends at the bracket of `$(…)`.
    after.is_some_and(|b| b.is_ascii_alphabetic() || b"_{(".contains(b))
        || value == b"$"
        || value.first() == Some(&b'`')
        || value.len() > 2 && value.first() == Some(&b'%') && value.last() == Some(&b'%')
}

/// A line with its backslashes undone.
pub(super) struct Command<'a> {
    line: Text<'a>,
    words: Vec<Word>,
    /// The words with backslashes, and what they mean.
    plain: Vec<(Range<usize>, Vec<u8>, Base<'a>)>,
}

impl<'a> Command<'a> {
    /// Takes a line apart.
    pub fn new(line: Text<'a>) -> Command<'a> {
        let words = words(line.bytes());
        let plain = words.iter().filter(|w| w.escaped).map(|w| {
            let raw = line.slice(w.range.clone());
            let plain = Coding::Shell.decode(raw.bytes()).into_owned();
            (w.range.clone(), plain, Base::decoded(raw, Coding::Shell))
        });
        Command {
            plain: plain.collect(),
            line,
            words,
        }
    }

    /// A word's text.
    fn text(&'a self, word: &Word) -> Text<'a> {
        match self.plain.binary_search_by_key(&word.range.start, |p| p.0.start) {
            Ok(n) => Text::new(&self.plain[n].1, &self.plain[n].2),
            Err(_) => unquoted(self.line.slice(word.range.clone())),
        }
    }

    /// What its words say.
    pub fn said(&'a self) -> Vec<Said<'a>> {
        let mut out = Vec::new();
        let mut client = false;
        let mut begins = false;
        // Whether the word is the value of the option before it, which has been read.
        let mut taken = false;
        for (n, word) in self.words.iter().enumerate() {
            let text = self.text(word);
            let bytes = text.bytes();
            begins |= word.first;
            if std::mem::take(&mut taken) && !word.first {
                continue;
            }
            if let Some((name, value)) = assignment(text) {
                environment(name, value, &mut out);
                continue;
            }
            if begins && !BEFORE.contains(&bytes) && bytes.first() != Some(&b'-') {
                let program = bytes.rsplit(|b| b"/\\".contains(b)).next().unwrap_or(bytes);
                client = CLIENTS.contains(&program.strip_suffix(b".exe").unwrap_or(program));
                begins = false;
                continue;
            }
            let next = self.words.get(n + 1).filter(|w| !w.first).map(|w| self.text(w));
            let before = out.len();
            option(text, next, client, &mut out);
            let alone = bytes.len() == 2 || bytes.starts_with(b"--") && !bytes.contains(&b'=');
            taken = alone && next.is_some() && out.len() > before;
        }
        out
    }

    /// Adds the line to `record`, and what its words say.
    pub fn push(&'a self, said: &'a [Said<'a>], record: &mut Record<'a>) {
        let mut at = 0;
        for (range, plain, base) in &self.plain {
            record.push(
                Field::Text,
                Content::Text(self.line.slice(at..range.start).trim()),
            );
            record.push(Field::Text, Content::Text(Text::new(plain, base)));
            at = range.end;
        }
        let rest = self.line.from(at);
        record.push(
            Field::Text,
            Content::Text(if at == 0 { rest } else { rest.trim() }),
        );
        for one in said {
            match one {
                Said::Header(Column::Referer, value) => {
                    record.push(Field::Referer, Content::Url(Url::parse(*value)));
                }
                Said::Header(Column::Cookies, value) | Said::Cookies(value) => {
                    record.push(Field::Cookie, Content::Cookies(*value));
                }
                Said::Header(Column::Header(name), value) => {
                    record.push(Field::RequestHeader, Content::Named(name, Part::Value, *value));
                }
                Said::Header(..) => {}
                Said::Password(value) => {
                    record.push(
                        Field::RequestHeader,
                        Content::Named("userinfo", Part::Userinfo, *value),
                    );
                }
                Said::Named(name, value) => {
                    record.push(Field::Text, Content::Named(name, Part::Value, *value))
                }
            }
        }
    }
}

/// `NAME=value`.
fn assignment<'a>(word: Text<'a>) -> Option<(&'a str, Text<'a>)> {
    let (name, value) = word.split_once(b'=')?;
    let name = name.bytes();
    let fits = name
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let name = std::str::from_utf8(name).ok().filter(|_| fits)?;
    Some((name, unquoted(value)))
}

fn environment<'a>(name: &'a str, value: Text<'a>, out: &mut Vec<Said<'a>>) {
    if is_variable(value.bytes()) {
        return;
    }
    let known = ENDINGS.iter().find(|(end, _)| {
        let upper = name.strip_suffix(end);
        upper.is_some_and(|before| before.is_empty() || before.ends_with('_'))
    });
    out.push(Said::Named(name, value));
    if let Some((_, known)) = known {
        out.push(Said::Named(known, value));
    }
}

/// An option with its value, which stands in the same word or in the next.
fn option<'a>(word: Text<'a>, next: Option<Text<'a>>, client: bool, out: &mut Vec<Said<'a>>) {
    let bytes = word.bytes();
    if let Some(long) = bytes.strip_prefix(b"--") {
        let (name, given) = match memchr::memchr(b'=', long) {
            Some(n) => (&long[..n], Some(unquoted(word.from(n + 3)))),
            None => (long, None),
        };
        let (Ok(name), Some(value)) = (std::str::from_utf8(name), given.or(next)) else {
            return;
        };
        match name {
            _ if is_variable(value.bytes()) => {}
            "header" if client => out.extend(said_header(value)),
            "cookie" if client => out.push(Said::Cookies(value)),
            "user" | "proxy-user" if client => out.extend(password(value)),
            "oauth2-bearer" => out.push(Said::Named("access_token", value)),
            name if given.is_some() || SECRETS.contains(&name) => {
                let known = if name.ends_with("password") {
                    "password"
                } else {
                    name
                };
                out.push(Said::Named(known, value));
            }
            _ => {}
        }
        return;
    }
    let (Some(b'-'), Some(letter), true) = (bytes.first(), bytes.get(1), client) else {
        return;
    };
    let value = if bytes.len() > 2 {
        Some(unquoted(word.from(2)))
    } else {
        next
    };
    let Some(value) = value.filter(|v| !is_variable(v.bytes())) else {
        return;
    };
    match letter {
        b'H' => out.extend(said_header(value)),
        b'b' => out.push(Said::Cookies(value)),
        b'u' | b'U' => out.extend(password(value)),
        _ => {}
    }
}

fn said_header(text: Text) -> Option<Said> {
    let (name, value) = text.split_once(b':')?;
    let name = std::str::from_utf8(name.bytes()).ok()?;
    Some(Said::Header(header(name.trim()), value.trim()))
}

fn password(user: Text) -> Option<Said> {
    let (_, password) = user.split_once(b':')?;
    Some(Said::Password(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Vec<(String, String)> {
        let base = Base::Source { offset: 7 };
        let command = Command::new(Text::new(line.as_bytes(), &base));
        let said = command.said();
        let all = said.iter().map(|s| {
            let (name, value) = match s {
                Said::Header(Column::Header(name), v) => (format!("header {name}"), v),
                Said::Header(column, v) => (format!("{column:?}"), v),
                Said::Cookies(v) => ("cookies".into(), v),
                Said::Password(v) => ("password of".into(), v),
                Said::Named(name, v) => (name.to_string(), v),
            };
            let span = value.span();
            let raw = &line[span.start as usize - 7..span.end as usize - 7];
            let shown = String::from_utf8_lossy(value.bytes()).into_owned();
            assert!(raw == shown || raw.contains('\\'));
            (name, shown)
        });
        all.collect()
    }

    #[test]
    fn options_and_assignments_say_what_values_are() {
        for (line, expected) in [
            (
                r#"curl -H "Authorization: Bearer T" https://h/"#,
                vec![("header authorization", "Bearer T")],
            ),
            ("curl -H'X-Api-Key: T' x", vec![("header x-api-key", "T")]),
            (
                "/usr/bin/curl --header 'Cookie: sid=T'",
                vec![("Cookies", "sid=T")],
            ),
            (
                "cd x && sudo curl -b 'sid=T; a=b' -u jo:pw h",
                vec![("cookies", "sid=T; a=b"), ("password of", "pw")],
            ),
            (
                "curl --user=jo:p\\&w --oauth2-bearer T",
                vec![("password of", "p&w"), ("access_token", "T")],
            ),
            (
                "wget --password=pw --http-password \"p w\" h",
                vec![("password", "pw"), ("password", "p w")],
            ),
            ("docker run -u 1000:1000 --env-file x", vec![]),
            (
                "export AWS_SECRET=T",
                vec![("AWS_SECRET", "T"), ("client_secret", "T")],
            ),
            (
                "A=b DB_PASSWORD='p w' run --api-token=\"T\"",
                vec![
                    ("A", "b"),
                    ("DB_PASSWORD", "p w"),
                    ("password", "p w"),
                    ("api-token", "T"),
                ],
            ),
            (
                "curl -u jo:$PW -H \"Authorization: Bearer ${T}\" --password=$(pass x)",
                vec![],
            ),
            ("echo 'curl -u jo:pw'", vec![]),
            ("", vec![]),
            ("\\", vec![]),
            ("'", vec![]),
        ] {
            let got = said(line);
            let got: Vec<(&str, &str)> = got.iter().map(|(a, b)| (&**a, &**b)).collect();
            assert_eq!(got, expected, "{line}");
        }
    }

    #[test]
    fn backslashes_are_undone_outside_of_quotes() {
        let line = r#"curl https://h/x\?token\=T\&f=json 'a\b' "c\"d" e"#;
        let base = Base::Source { offset: 0 };
        let command = Command::new(Text::new(line.as_bytes(), &base));
        let mut record = Record::default();
        command.push(&[], &mut record);
        let texts = record.carriers.iter().map(|c| match c.content {
            Content::Text(t) => String::from_utf8_lossy(t.bytes()).into_owned(),
            _ => panic!(),
        });
        assert_eq!(
            texts.collect::<Vec<_>>(),
            ["curl", "https://h/x?token=T&f=json", r#"'a\b' "c\"d" e"#]
        );
    }
}
