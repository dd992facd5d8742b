//! What attackers write, made fit to be shown: no control characters, no marks that turn text around, nothing
//! that looks like a secret. Every string of a report that came from an input has gone through here.

use crate::text::{Text, shape};
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

/// Characters that change how what follows is displayed, or that cannot be seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// What, with `[` behind it, build servers take for a command wherever it stands in a line of a job's output:
/// GitHub Actions (before `::`), Azure Pipelines, TeamCity.
const COMMANDS: &[&str] = &["##", "##vso", "##teamcity"];

/// Appends `bytes` as text: hidden characters and what is no UTF-8 as escapes.
pub fn push_bytes(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_hidden(c) {
                if c.is_ascii() {
                    out.push_str(&format!("\\x{:02x}", c as u32));
                } else {
                    out.push_str(&format!("\\u{{{:x}}}", c as u32));
                }
            } else if c == '[' && COMMANDS.iter().any(|start| out.ends_with(start)) {
                out.push_str("\\x5b");
            } else {
                out.push(c);
            }
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
}

/// A line for a terminal or a job's output: GitHub Actions takes one that begins with `::` for a command.
pub fn plain_line(line: &str) -> Cow<'_, str> {
    let text = line.trim_start();
    match text.strip_prefix("::") {
        Some(rest) => format!("{}\\x3a:{rest}", &line[..line.len() - text.len()]).into(),
        None => line.into(),
    }
}

/// Text from an input as it may be shown, pieces that look like secrets shortened.
pub fn label(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_shortened(&mut out, text.as_bytes());
    out
}

/// A path as it may be shown: whole, so that its file can be found, but for what looks like a secret in it. Names of
/// folders may be long and random without being one.
pub fn path(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(['/', '\\']) {
        let name = part.trim_end_matches(['/', '\\']);
        let random = name.len() >= SECRET_NAME && shape::is_secret_like(name.as_bytes());
        if random {
            push_shortened(&mut out, part.as_bytes());
        } else if name.contains(['=', '?', '&']) {
            part.split_inclusive(['?', '&', ';'])
                .for_each(|piece| push_pair(&mut out, piece));
        } else {
            push_bytes(&mut out, part.as_bytes());
        }
    }
    out
}

/// What is in the names of parameters that hold credentials: files are named so where whole sites are fetched
/// (`index.html?token=…`).
const SECRETS: [&str; 6] = ["pass", "pwd", "token", "secret", "key", "sig"];

/// Appends a parameter in a file's name.
fn push_pair(out: &mut String, piece: &str) {
    let says = |name: &str| SECRETS.iter().any(|s| name.to_ascii_lowercase().contains(s));
    match piece.split_once('=').filter(|(name, _)| says(name)) {
        Some((name, value)) => {
            push_bytes(out, name.as_bytes());
            out.push_str("=…");
            push_bytes(
                out,
                &value.as_bytes()[value.trim_end_matches(['?', '&', ';', '/', '\\']).len()..],
            );
        }
        None => push_shortened(out, piece.as_bytes()),
    }
}

/// From this length on a random name in a path is taken for a secret, in bytes.
const SECRET_NAME: usize = 32;

/// A parameter's name as it may be shown: one that looks like a secret is none.
pub fn name(name: &str) -> String {
    if shape::is_secret_like(name.as_bytes()) {
        return "{secret}".into();
    }
    let mut out = String::with_capacity(name.len());
    push_bytes(&mut out, name.as_bytes());
    out
}

/// From this length on a value that is neither word nor number is shortened, in bytes.
const LONG: usize = 16;

/// What parts one value from the next in excerpts.
fn is_delimiter(b: u8) -> bool {
    b.is_ascii_whitespace() || b.is_ascii_control() || b"&?=;/\"'<>,:@|()[]{}#\\".contains(&b)
}

/// Appends `bytes`, long values that are neither words nor numbers cut to four characters.
fn push_shortened(out: &mut String, bytes: &[u8]) {
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes[at..]
            .iter()
            .position(|&b| is_delimiter(b))
            .map_or(bytes.len(), |n| at + n);
        let run = &bytes[at..end];
        if run.len() >= LONG
            && !shape::is_number(run)
            && !shape::is_wordy(&crate::text::Coding::Percent.decode(run))
        {
            let shown = run
                .iter()
                .take(4)
                .take_while(|b| b.is_ascii_alphanumeric())
                .count();
            push_bytes(out, &run[..shown]);
            out.push('…');
        } else {
            push_bytes(out, run);
        }
        if end < bytes.len() {
            push_bytes(out, &bytes[end..end + 1]);
        }
        at = end + 1;
    }
}

/// Raw bytes shown before and after a credential.
const BEFORE: usize = 110;
const AFTER: usize = 60;

/// Of what was found, how much is looked for in the text around, and how many bytes it has to have.
const MOST: usize = 64;
const LEAST: usize = 4;

/// The text around an exposure, fit to be shown, and where in it the mask stands. `line` is the line; `masks`
/// are the spans in the source of everything that any rule takes for a credential, in order and apart (see
/// [`apart`]); `span` is the exposure's.
pub fn excerpt(line: Text, masks: &[Range<u64>], span: &Range<u64>, preview: &str) -> (String, (u32, u32)) {
    let bytes = line.bytes();
    let own = index_of(line, span);
    let mut begin = own.start.saturating_sub(BEFORE);
    if begin > 0 && !is_delimiter(bytes[begin - 1]) {
        begin = bytes[begin..own.start]
            .iter()
            .position(|&b| is_delimiter(b))
            .map_or(own.start, |n| begin + n);
    }
    let mut end = (own.end + AFTER).min(bytes.len());
    if end < bytes.len() && !is_delimiter(bytes[end]) {
        end = bytes[own.end..end]
            .iter()
            .rposition(|&b| is_delimiter(b))
            .map_or(own.end, |n| own.end + n);
    }
    let shown = line.slice(begin..end).span();
    let first = masks.partition_point(|m| m.end <= shown.start);
    let mut masks: Vec<Range<usize>> = masks[first..]
        .iter()
        .take_while(|m| m.start < shown.end)
        .map(|m| index_of(line, m))
        .filter(|m| m.start < m.end)
        .collect();
    // What was found may stand there again where no rule looks for it: this exposure's value before all others.
    masks.insert(0, own.clone());
    let found = masks
        .iter()
        .map(|m| &bytes[m.clone()])
        .filter(|v| v.len() >= LEAST);
    let again: Vec<Range<usize>> = found
        .take(MOST)
        .flat_map(|v| {
            memchr::memmem::find_iter(&bytes[begin..end], v).map(|at| begin + at..begin + at + v.len())
        })
        .collect();
    masks.extend(again);
    masks.sort_by_key(|m| (m.start, m.end));
    let mut out = String::new();
    if begin > 0 {
        out.push('…');
    }
    let mut at = begin;
    let mut marked = (0, 0);
    for mask in masks.iter().filter(|m| m.end > begin && m.start < end) {
        if mask.start > at {
            push_shortened(&mut out, &bytes[at..mask.start]);
        }
        if mask.end <= at && *mask != own {
            continue;
        }
        let from = out.len() as u32;
        let inside = mask.start <= own.start && own.end <= mask.end;
        if mask.start >= at || marked == (0, 0) && inside {
            if inside {
                out.push_str(preview);
            }
            out.push_str("***");
            if inside {
                marked = (from, out.len() as u32);
            }
        }
        at = at.max(mask.end);
    }
    if at < end {
        push_shortened(&mut out, &bytes[at..end]);
    }
    if end < bytes.len() {
        out.push('…');
    }
    (out, marked)
}

/// Puts spans in order and makes one of those that overlap.
pub fn apart(spans: &mut Vec<Range<u64>>) {
    spans.sort_unstable_by_key(|s| (s.start, s.end));
    spans.dedup_by(|next, last| {
        let overlap = next.start < last.end;
        if overlap {
            last.end = last.end.max(next.end);
        }
        overlap
    });
}

/// Where a span of the source stands in the line.
fn index_of(line: Text, span: &Range<u64>) -> Range<usize> {
    let start = |target: u64| line.index_of(target).min(line.len());
    start(span.start)..start(span.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Base;

    #[test]
    fn excerpts_show_the_place_and_nothing_else() {
        let line = "10.0.0.1 \"GET /a?id=7&token=q9Zt7LmK2vX8bN4cR6yW&sid=Zz9Yy8Xx7Ww6Vv5Uu4&page=2\x1b[31m HTTP/1.1\"";
        let base = Base::Source { offset: 100 };
        let text = Text::new(line.as_bytes(), &base);
        let at = line.find("q9Zt").unwrap() as u64 + 100;
        let span = at..at + 20;
        let (shown, span) = excerpt(text, std::slice::from_ref(&span), &span, "q9Zt");
        assert_eq!(
            shown,
            "10.0.0.1 \"GET /a?id=7&token=q9Zt***&sid=Zz9Y…&page=2\\x1b[31m HTTP/1.1\""
        );
        assert_eq!(&shown[span.0 as usize..span.1 as usize], "q9Zt***");
    }

    #[test]
    fn nothing_hidden_is_passed_on() {
        assert_eq!(label("a\x1b]0;x\x07b\u{202e}c"), "a\\x1b]0;x\\x07b\\u{202e}c");
        assert_eq!(name("q9Zt7LmK2vX8bN4cR6yW1sD3"), "{secret}");
        assert_eq!(
            label("/logs/token=q9Zt7LmK2vX8bN4cR6yW1sD3.log"),
            "/logs/token=q9Zt…"
        );
    }

    #[test]
    fn a_value_is_hidden_where_it_stands_again_whatever_else_was_found() {
        let others = "a=12345&".repeat(80);
        let line = format!("{others}password=Hunter2x&again=Hunter2x&{others}");
        let base = Base::Source { offset: 0 };
        let mut masks: Vec<_> = (0..80u64).map(|n| n * 8 + 2..n * 8 + 7).collect();
        let at = line.find("Hunter2x").unwrap() as u64;
        let span = at..at + 8;
        masks.push(span.clone());
        let (shown, _) = excerpt(Text::new(line.as_bytes(), &base), &masks, &span, "");
        assert!(shown.contains("password=***&again=***"), "{shown}");
    }

    #[test]
    fn names_of_files_tell_no_parameter() {
        let shown = |text: &str| path(Path::new(text));
        assert_eq!(
            shown("a/index.html?user=jo&password=Hunter2x&x=1"),
            "a/index.html?user=jo&password=…&x=1"
        );
        assert_eq!(
            shown("token=abc/year=2026/region=eu-west-1/b.log"),
            "token=…/year=2026/region=eu-west-1/b.log"
        );
    }

    #[test]
    fn no_line_is_a_command_to_a_build_server() {
        assert_eq!(plain_line("   ::error::x ::y"), "   \\x3a:error::x ::y");
        assert_eq!(plain_line("fe80::1"), "fe80::1");
        assert_eq!(label("a ##[error]b"), "a ##\\x5berror]b");
        assert_eq!(label("##vso[task.complete]"), "##vso\\x5btask.complete]");
        assert_eq!(label("a[1] #[x]"), "a[1] #[x]");
    }
}
