//! Bookmarks as HTML, which every browser exports and imports (`<!DOCTYPE NETSCAPE-Bookmark-file-1>`).

use super::epoch::Epoch;
use super::is_worth_naming;
use super::row::{Role, Row};
use super::tags::{self, Event, Held};
use crate::finding::Position;
use crate::format::document::{Read, Visit};
use crate::text::Coding;

/// What stands first in such a file.
pub const DOCTYPE: &[u8] = b"<!DOCTYPE NETSCAPE-Bookmark-file";

/// What is read of a bookmark; of icons the address.
const ATTRIBUTES: [&[u8]; 7] = [
    b"href",
    b"feedurl",
    b"icon_uri",
    b"post_data",
    b"add_date",
    b"last_visit",
    b"last_modified",
];

/// Where the reading stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// Between `<a>` and `</a>`.
    Bookmark,
    /// After `<dd>`.
    Description,
    /// Between `<h3>` and `</h3>`.
    Folder,
}

/// Reads a bookmark file; its records have the format `format`.
pub fn read(input: &mut dyn std::io::Read, format: u16, visit: &mut Visit) -> Read {
    let mut records = 0;
    let mut row = Row::default();
    let mut inside = Inside::Nothing;
    let mut give = |row: &mut Row| {
        if !row.is_empty() {
            row.give(Position::Entry(records), format, visit);
            records += 1;
        }
        row.clear();
    };
    let wanted = |name: &[u8]| ATTRIBUTES.contains(&name);
    let outcome = tags::read(input, &wanted, &mut |event| match event {
        Event::Open(b"a", attributes, _) => {
            give(&mut row);
            bookmark(attributes, &mut row);
            inside = Inside::Bookmark;
        }
        Event::Open(name @ (b"dt" | b"dl" | b"dd" | b"h3"), ..) => {
            give(&mut row);
            inside = match name {
                b"dd" => Inside::Description,
                b"h3" => Inside::Folder,
                _ => Inside::Nothing,
            };
        }
        Event::Close(b"a" | b"dl" | b"h3") => {
            give(&mut row);
            inside = Inside::Nothing;
        }
        // Folders are records only where their names could be something.
        Event::Text(text) if inside == Inside::Folder && !is_worth_naming(&text.raw) => {}
        Event::Text(text) if inside != Inside::Nothing => {
            let role = if inside == Inside::Bookmark {
                Role::Title
            } else {
                Role::Text
            };
            push(&mut row, role, text);
        }
        _ => {}
    });
    give(&mut row);
    let mut read = Read {
        records,
        problem: None,
    };
    let before = "; what stands before was read";
    if let Some(e) = outcome.error {
        read.problem = Some(format!("could not be read to its end ({e}){before}"));
    } else if outcome.open {
        read.problem = Some(format!(
            "the bookmark file breaks off inside a tag{before}: export it again"
        ));
    } else if outcome.cut > 0 {
        let n = outcome.cut;
        read.problem = Some(format!("{n} values of more than 1 MiB were read in part only"));
    }
    read
}

fn push(row: &mut Row, role: Role, held: &Held) {
    let trimmed = held.raw.trim_ascii();
    let at = held.raw.len() - held.raw.trim_ascii_start().len();
    if !trimmed.is_empty() {
        row.push_raw(role, trimmed, held.offset + at as u64, Some(Coding::Html));
    }
}

fn bookmark(attributes: &[(Vec<u8>, Held)], row: &mut Row) {
    let mut best = ATTRIBUTES.len();
    for (name, value) in attributes {
        match &name[..] {
            b"href" | b"feedurl" | b"icon_uri" => push(row, Role::Url, value),
            b"post_data" => push(row, Role::Text, value),
            _ => {
                // The date of a bookmark goes before that of a visit or change.
                let rank = ATTRIBUTES.iter().position(|a| a == name).unwrap_or(best);
                if rank < best
                    && let Some(t) = Epoch::Any.text(&value.raw)
                {
                    row.instant = Some(t);
                    best = rank;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::json_stream::tests::Pieces;
    use crate::format::history::row::tests::{Seen, collect, texts};
    use proptest::prelude::*;

    fn scan(input: &mut dyn std::io::Read) -> (Read, Vec<Seen>) {
        let mut out = Read::default();
        let seen = collect(|v| out = read(input, 0, v));
        (out, seen)
    }

    const FILE: &str = r#"<!DOCTYPE NETSCAPE-Bookmark-file-1>
<!-- This is an automatically generated file. -->
<TITLE>Bookmarks</TITLE><H1>Bookmarks</H1>
<DL><p>
    <DT><H3 ADD_DATE="1767225600">Folder &amp; more</H3>
    <DL><p>
        <DT><A HREF="https://h/?f=json&amp;token=x&#38;y=1" ADD_DATE="1767225600" LAST_VISIT="5" ICON_URI="https://h/i?x=1&amp;y" ICON="data:image/png;base64,AAAA?token=no">P &lt;1&gt;</A>
        <DD>text of it
    </DL><p>
    <DT><A LAST_VISIT="1767225600000000" HREF="javascript:void(%27x%27)">js</A>
</DL><p>
"#;

    #[test]
    fn bookmarks_come_with_their_entities_undone() {
        let (read, seen) = scan(&mut FILE.as_bytes());
        assert_eq!((read.records, read.problem), (3, None));
        assert_eq!(
            texts(&seen),
            [
                "https://h/?f=json&token=x&y=1",
                "https://h/i?x=1&y",
                "P <1>",
                "text of it",
                "javascript:void('x')",
                "js"
            ]
        );
        let day = Some("2026-01-01T00:00:00Z");
        assert_eq!([seen[0].1.as_deref(), seen[2].1.as_deref()], [day, day]);
        let span = &seen[0].2[0].2;
        assert!(FILE[span.start as usize..].starts_with("https://h/?f=json&amp;"));
        assert_eq!(
            span.end - span.start,
            "https://h/?f=json&amp;token=x&#38;y=1".len() as u64
        );
    }

    #[test]
    fn a_folder_may_be_named_after_an_address() {
        let text = FILE.replace("Folder &amp; more", "https://h/?a=b&amp;token=x");
        let (read, seen) = scan(&mut text.as_bytes());
        assert_eq!(read.records, 4);
        assert_eq!(texts(&seen)[0], "https://h/?a=b&token=x");
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_it_has() {
        let cut = &FILE[..FILE.find("&#38").unwrap()];
        let (read, seen) = scan(&mut cut.as_bytes());
        assert_eq!(texts(&seen), ["https://h/?f=json&token=x"]);
        assert!(read.problem.unwrap().contains("breaks off"));
    }

    proptest! {
        /// However the input comes in pieces, the records are the same.
        #[test]
        fn cuts_do_not_show(from in 0usize..FILE.len(), lengths in prop::collection::vec(1usize..9, 1..5)) {
            let text = &FILE.as_bytes()[from..];
            let whole = scan(&mut &text[..]);
            let pieces = scan(&mut Pieces { rest: text, lengths: &lengths, turn: 0 });
            prop_assert_eq!(whole, pieces);
        }
    }
}
