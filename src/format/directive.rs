//! What servers' configurations have around a log format: `log_format main '…' '…';`, `LogFormat "…" name`,
//! `log-format "…"`, `pattern="…"`. A whole directive can be pasted; what it says of the syntax and of escapes is taken, too.

use super::catalogue::Escape;
use super::compile::Syntax;

/// A format string as it was given.
#[derive(Debug)]
pub struct Given {
    /// The string itself.
    pub format: String,
    /// Whose it is, where the directive says so.
    pub syntax: Option<Syntax>,
    /// What is undone in its columns.
    pub escape: Escape,
}

/// Takes the directive off, where there is one.
pub fn read(text: &str) -> Given {
    let trimmed = text.trim();
    let (word, rest) = trimmed.split_at(trimmed.find(char::is_whitespace).unwrap_or(trimmed.len()));
    let found = match word.to_ascii_lowercase().as_str() {
        "log_format" => nginx(rest),
        "logformat" => apache(rest, 0),
        "customlog" | "globallog" => apache(rest, 1),
        "log-format" => haproxy(rest),
        _ => tomcat(trimmed),
    };
    found.unwrap_or_else(|| Given {
        format: text.to_string(),
        syntax: None,
        escape: Escape::Default,
    })
}

/// A name, what is to be escaped, and pieces in quotes that belong together.
fn nginx(rest: &str) -> Option<Given> {
    let mut words = words(rest.trim_end().trim_end_matches(';'))
        .into_iter()
        .skip(1)
        .peekable();
    let mut escape = Escape::Default;
    if let Some(word) = words.next_if(|w| !w.quoted && w.text.starts_with("escape=")) {
        escape = match &*word.text {
            "escape=none" => Escape::None,
            _ => Escape::Backslash,
        };
    }
    let format: String = words.map(|w| w.text).collect();
    (!format.is_empty()).then_some(Given {
        format,
        syntax: Some(Syntax::Nginx),
        escape,
    })
}

/// The word after so many others; a name or a condition follows.
fn apache(rest: &str, before: usize) -> Option<Given> {
    let joined = rest.replace("\\\r\n", "").replace("\\\n", "");
    let format = words(&joined).into_iter().nth(before)?.text;
    Some(Given {
        format,
        syntax: Some(Syntax::Apache),
        escape: Escape::Default,
    })
}

/// One word, in quotes or with escaped blanks.
fn haproxy(rest: &str) -> Option<Given> {
    let format = words(rest).into_iter().next()?.text;
    Some(Given {
        format,
        syntax: Some(Syntax::Haproxy),
        escape: Escape::Default,
    })
}

/// The attribute of Tomcat's valve.
fn tomcat(text: &str) -> Option<Given> {
    let at = text
        .find("pattern=")
        .filter(|&at| at == 0 || text.starts_with('<'))?;
    let word = words(&text[at + "pattern=".len()..]).into_iter().next()?;
    word.quoted.then_some(Given {
        format: word.text,
        syntax: Some(Syntax::Apache),
        escape: Escape::Default,
    })
}

/// A word of a configuration.
struct Word {
    text: String,
    quoted: bool,
}

/// Words with quotes around them or without. A backslash keeps a quote or a blank in the word, and is kept before
/// anything else.
fn words(text: &str) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        let quote = matches!(first, '"' | '\'').then_some(first);
        let mut word = String::new();
        let mut next = if quote.is_some() {
            chars.next()
        } else {
            Some(first)
        };
        while let Some(c) = next {
            match (c, quote) {
                (c, Some(q)) if c == q => break,
                (c, None) if c.is_whitespace() => break,
                ('\\', _) => match chars.next_if(|n| matches!(n, '"' | '\'' | ' ' | '\\')) {
                    Some(escaped) => word.push(escaped),
                    None => word.push('\\'),
                },
                (c, _) => word.push(c),
            }
            next = chars.next();
        }
        out.push(Word {
            text: word,
            quoted: quote.is_some(),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_directives_are_taken_apart() {
        for (text, format, syntax) in [
            (
                "log_format main '$remote_addr - $remote_user [$time_local] \"$request\" '\n    '$status $body_bytes_sent';",
                "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent",
                Some(Syntax::Nginx),
            ),
            (
                "  log_format j escape=json '{\"u\":\"$request_uri\",'\n'\"s\":$status}' ;\n",
                "{\"u\":\"$request_uri\",\"s\":$status}",
                Some(Syntax::Nginx),
            ),
            (
                "LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" common",
                "%h %l %u %t \"%r\" %>s %b",
                Some(Syntax::Apache),
            ),
            (
                "CustomLog \"logs/a.log\" \"%h %t \\\"%r\\\"\" env=!dontlog",
                "%h %t \"%r\"",
                Some(Syntax::Apache),
            ),
            ("CustomLog logs/a.log combined", "combined", Some(Syntax::Apache)),
            (
                "log-format \"%ci:%cp [%tr] %{+Q}r %ST\"",
                "%ci:%cp [%tr] %{+Q}r %ST",
                Some(Syntax::Haproxy),
            ),
            (
                "log-format %ci:%cp\\ [%tr]\\ %ST",
                "%ci:%cp [%tr] %ST",
                Some(Syntax::Haproxy),
            ),
            (
                "pattern=\"%h %t &quot;%r&quot; %s\"",
                "%h %t &quot;%r&quot; %s",
                Some(Syntax::Apache),
            ),
            ("%h %l %u", "%h %l %u", None),
            ("$remote_addr \"$request\"", "$remote_addr \"$request\"", None),
        ] {
            let given = read(text);
            assert_eq!((given.format.as_str(), given.syntax), (format, syntax), "{text}");
        }
        assert!(matches!(
            read("log_format a escape=none '$uri';").escape,
            Escape::None
        ));
        assert!(read("log_format").syntax.is_none());
    }
}
