//! Histories of shells: what was typed, one command a line (`curl …?token=…`), with the times that bash, zsh and
//! fish write in their own ways. What the words of a command say is told in `command`.

use super::command::Command;
use super::epoch::Epoch;
use super::row::MAX_PIECE;
use crate::finding::Position;
use crate::format::document::{Read, Visit};
use crate::record::Record;
use crate::text::{Base, Text};
use crate::time::Instant;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;

/// `#1767225600`: bash's time of the commands that follow.
fn bash(line: &[u8]) -> Option<Instant> {
    let digits = line.strip_prefix(b"#")?;
    let plausible = (9..=11).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    plausible.then(|| Epoch::Any.text(digits)).flatten()
}

/// `: 1767225600:0;command`: zsh's time, and where the command begins.
fn zsh(line: &[u8]) -> Option<(Instant, usize)> {
    let rest = line.strip_prefix(b": ")?;
    let colon = memchr::memchr(b':', rest).filter(|n| (9..=11).contains(n))?;
    let semicolon = memchr::memchr(b';', &rest[colon..]).map(|n| colon + n)?;
    let digits = |r: Range<usize>| rest[r].iter().all(u8::is_ascii_digit);
    let fits = digits(0..colon) && digits(colon + 1..semicolon);
    Some((Epoch::Any.text(&rest[..colon]).filter(|_| fits)?, semicolon + 3))
}

/// What fish writes before a command.
const FISH: &[u8] = b"- cmd: ";

/// `  when: 1767225600`: fish's time of the command before.
fn fish(line: &[u8]) -> Option<Instant> {
    Epoch::Any.text(line.strip_prefix(b"  when: ")?)
}

/// Whether the head of a source is such a history: the name is asked only where the shell writes no times.
pub fn fits(head: &[u8], name: &str) -> bool {
    let mut lines = head.split(|b| *b == b'\n');
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or_default();
    let timed = zsh(first).is_some()
        || bash(first).is_some() && !second.is_empty()
        || first.starts_with(FISH) && fish(second).is_some();
    let file = name.rsplit(['/', '\\', '!']).next().unwrap_or(name);
    timed
        || matches!(
            file,
            ".bash_history" | ".zsh_history" | ".sh_history" | ".ash_history" | ".ksh_history" | ".history"
        )
}

/// A command that waits for its time, which fish writes behind it.
struct Pending {
    line: Vec<u8>,
    /// Where the line begins in the source, and where the command does in it.
    offset: u64,
    begin: usize,
    number: u64,
    time: Option<Instant>,
}

impl Pending {
    fn give(&self, format: u16, visit: &mut Visit) {
        let base = Base::Source { offset: self.offset };
        let line = Text::new(&self.line, &base);
        let command = Command::new(line.from(self.begin));
        let said = command.said();
        let mut record = Record {
            instant: self.time,
            format,
            ..Record::default()
        };
        command.push(&said, &mut record);
        visit(Position::Line(self.number), line, &record);
    }
}

/// Reads a history; its records have the format `format`.
pub fn read(input: &mut dyn io::Read, format: u16, visit: &mut Visit) -> Read {
    let mut input = BufReader::new(input);
    let mut read = Read::default();
    let (mut line, mut at, mut number) = (Vec::new(), 0u64, 1u64);
    let mut since = None;
    let mut pending: Option<Pending> = None;
    loop {
        line.clear();
        // A line longer than what is kept comes in pieces, which are records of the same line.
        let piece = io::Read::take(&mut input, MAX_PIECE as u64).read_until(b'\n', &mut line);
        let used = match piece {
            Ok(n) => n as u64,
            Err(e) => {
                read.problem = Some(format!(
                    "could not be read to its end ({e}); what stands before was read"
                ));
                0
            }
        };
        let ended = line.last() == Some(&b'\n');
        let text = line.trim_ascii_end();
        if let Some(mut command) = pending.take() {
            command.time = fish(text).or(command.time);
            command.give(format, visit);
            read.records += 1;
        }
        if used == 0 {
            return read;
        }
        let (time, begin) = match (zsh(text), bash(text)) {
            (Some((time, begin)), _) => (Some(time), begin),
            (None, Some(time)) => {
                since = Some(time);
                (since, text.len())
            }
            _ if text.starts_with(FISH) => (since, FISH.len()),
            _ => (since, 0),
        };
        if begin < text.len() && fish(text).is_none() {
            pending = Some(Pending {
                line: text.to_vec(),
                offset: at,
                begin,
                number,
                time,
            });
        }
        at += used;
        number += u64::from(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::row::tests::{Seen, collect};

    fn scan(text: &str) -> Vec<(Position, Option<String>, String)> {
        let seen = collect(|v| drop(read(&mut text.as_bytes(), 0, v)));
        let one = |s: Seen| {
            let (_, shown, span) = &s.2[0];
            assert_eq!(&text[span.start as usize..span.end as usize], shown);
            (s.0, s.1.clone(), shown.clone())
        };
        seen.into_iter().map(one).collect()
    }

    #[test]
    fn each_shell_has_its_own_times() {
        let day = Some("2026-01-01T00:00:00Z".to_string());
        let curl = "curl 'https://h/?token=x'".to_string();
        for (text, name) in [
            (format!("#1767225600\n{curl}\n"), "x"),
            (format!("true\n: 1767225600:12;{curl}\n"), ".zsh_history"),
            (format!("- cmd: {curl}\n  when: 1767225600\n"), "x"),
        ] {
            assert!(fits(text.as_bytes(), name), "{text}");
            let seen = scan(&text);
            let last = seen.last().unwrap();
            assert!(last.2.ends_with(&curl), "{text}");
            assert_eq!(last.1, day, "{text}");
        }
        let plain = scan("ls\r\n\ncd /\n");
        assert_eq!(plain[1], (Position::Line(3), None, "cd /".into()));
        assert!(fits(b"ls\n", "home/.bash_history") && !fits(b"ls\n", "x.log"));
        assert!(!fits(b"# 2026 notes\n", "x") && !fits(b"10.0.0.1 - -", "x"));
    }
}
