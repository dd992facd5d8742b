//! What a source is, told from its head: the format that most of its lines have, and whether it has `#Fields`.
//! This names the source in reports; each line is still read for itself.

use super::{Catalogue, Kind, LineFormat, LineReader, wrapper};
use crate::text::{Base, Text};
use std::collections::HashMap;

/// Bytes of a source's head that are looked at.
pub const HEAD: usize = 64 << 10;

/// Lines of it that are looked at.
const LINES: usize = 200;

/// Lines of one format after which only every `STRIDE`th is looked at, as long as nothing else comes.
const ALIKE: usize = 8;
const STRIDE: usize = 8;

/// What the head tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sniffed {
    /// The format of most lines; `None` where there is no line.
    pub format: Option<LineFormat>,
    /// Whether `#Fields` lines are headers here.
    pub headers: bool,
    /// Whether the format that the user gave fits one of its lines.
    pub own: bool,
    /// Whether lines have to be read in order because some are pieces of longer ones.
    pub in_order: bool,
}

/// Looks at `head`, the first bytes of a decompressed source.
pub fn sniff(catalogue: &Catalogue, head: &[u8]) -> Sniffed {
    let head = &head[..head.len().min(HEAD)];
    let headers = has_fields(head);
    let mut reader = LineReader {
        naming: true,
        ..LineReader::new(catalogue, headers)
    };
    let mut counts: HashMap<(u16, Option<&'static str>), usize> = HashMap::new();
    let mut in_order = false;
    let base = Base::Source { offset: 0 };
    let all = Text::new(head, &base);
    // What is text says nothing where something else was recognised.
    let plain = |n: u16| {
        matches!(
            catalogue.get(n).spec.kind,
            Kind::Text | Kind::AnyJson | Kind::HttpMessage
        )
    };
    let mut at = 0;
    for n in 0..LINES {
        if at >= head.len() {
            break;
        }
        let end = memchr::memchr(b'\n', &head[at..]).map_or(head.len(), |n| at + n);
        let cut = end == head.len() && head.len() == HEAD;
        let line = all.slice(at..end);
        at = end + 1;
        if cut && !counts.is_empty() {
            break;
        }
        let piece = wrapper::cri(line.bytes());
        in_order |= piece.is_some() || line.bytes().starts_with(wrapper::DOCKER);
        if piece.is_some_and(|p| p.partial) {
            continue;
        }
        let alike = counts.len() == 1 && counts.iter().all(|(f, n)| *n >= ALIKE && !plain(f.0));
        if alike && !n.is_multiple_of(STRIDE) && !line.bytes().starts_with(b"#") {
            continue;
        }
        if let Some(found) = reader.read(line, &mut |_| {}) {
            // One line of a stride speaks for all of it.
            let weight = if alike { STRIDE } else { 1 };
            *counts.entry((found.format, found.wrapper)).or_default() += weight;
        }
        // The day of such rows stands in a header of its own.
        in_order |= reader.fields.as_ref().is_some_and(|f| f.lacks_day());
    }
    let own = counts.keys().any(|(f, _)| Some(*f) == catalogue.user);
    let best = counts
        .into_iter()
        .map(|(found, count)| match catalogue.get(found.0).spec.kind {
            // Of the lines of a message few are told apart from text.
            Kind::HttpMessage => (found, count * 4),
            _ => (found, count),
        })
        .max_by_key(|&((n, wrapper), count)| (!plain(n), count, std::cmp::Reverse((n, wrapper))));
    let format = best.map(|((format, wrapper), _)| LineFormat { format, wrapper });
    Sniffed {
        format,
        headers,
        own,
        in_order,
    }
}

/// Whether a line of `head` is a `#Fields` header.
pub fn has_fields(head: &[u8]) -> bool {
    memchr::memmem::find_iter(head, b"Fields:").any(|at| {
        let line = memchr::memrchr(b'\n', &head[..at]).map_or(0, |n| n + 1);
        let before = head[line..at]
            .strip_prefix(b"\xEF\xBB\xBF")
            .unwrap_or(&head[line..at]);
        matches!(before, b"#" | b"# ")
    })
}
