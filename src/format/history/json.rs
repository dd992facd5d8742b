//! JSON that browsers keep and export: Chromium's `Bookmarks`, Firefox's backups and session stores, Takeout's
//! history. In all of them an object with an address is one record; in the logs that ArcGIS gives as JSON it is one
//! with a message.

use super::epoch::Epoch;
use super::is_worth_naming;
use super::json_stream::{self, End, Member};
use super::row::{MAX_PIECE, Name, Role, Row};
use crate::finding::Position;
use crate::format::columns::worth_reading;
use crate::format::document::{Read, Visit};
use crate::record::{Field, Part};
use crate::text::Coding;

/// What a key's member is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Piece(Role),
    /// A time; the lowest number counts.
    Time(u8),
    /// Whose cookie it is.
    Host,
    /// What was typed into a form's field of that name.
    Typed(&'static str),
}

/// Fields of forms that hold credentials.
const FIELDS: [&str; 12] = [
    "password",
    "passwd",
    "passwort",
    "pwd",
    "pass",
    "passphrase",
    "token",
    "access_token",
    "api_key",
    "apikey",
    "secret",
    "client_secret",
];

/// The field of a form that a key of Firefox's means: its id, or an XPath that ends in its name.
fn typed(key: &[u8]) -> Option<&'static str> {
    let key = key.strip_suffix(b"]").map_or(key, |k| k.trim_ascii_end());
    let key = key.strip_suffix(b"'").or(key.strip_suffix(b"\"")).unwrap_or(key);
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"_-".contains(b);
    let begin = key.iter().rposition(|b| !is_name(b)).map_or(0, |n| n + 1);
    FIELDS
        .into_iter()
        .find(|f| f.as_bytes().eq_ignore_ascii_case(&key[begin..]))
}

/// What the keys of all products mean. They do not contradict one another.
fn wanted(key: &[u8]) -> Option<Wanted> {
    Some(match key {
        b"url" | b"uri" | b"virtual_url" | b"titleUrl" | b"originalURI" | b"originalURL" | b"iconUri"
        | b"iconuri" | b"icon_url" | b"favicon_url" => Wanted::Piece(Role::Url),
        b"referrer" | b"referrer_url" | b"referer" => Wanted::Piece(Role::Referer),
        b"title" | b"name" => Wanted::Piece(Role::Title),
        b"content" | b"value" | b"postData" | b"userTypedValue" => Wanted::Piece(Role::Text),
        // A visit's own time goes before that of the last one, a bookmark's before that of its last change.
        b"time_usec" | b"visitTime" | b"lastVisitTime" | b"date_added" | b"dateAdded" => Wanted::Time(0),
        b"lastAccessed" | b"date_last_used" | b"time" | b"visit_time" => Wanted::Time(1),
        b"date_modified" | b"lastModified" => Wanted::Time(2),
        b"host" => Wanted::Host,
        _ => return typed(key).map(Wanted::Typed),
    })
}

/// What the keys of ArcGIS's log messages mean.
fn wanted_of_log(key: &[u8]) -> Option<Wanted> {
    match key {
        b"message" => Some(Wanted::Piece(Role::Message)),
        b"time" => Some(Wanted::Time(0)),
        _ => None,
    }
}

/// Reads a document of a browser; its records have the format `format`.
pub fn read(input: &mut dyn std::io::Read, format: u16, visit: &mut Visit) -> Read {
    read_as(Role::Url, &wanted, input, format, visit)
}

/// Reads what ArcGIS answers where its logs are queried.
pub fn read_log(input: &mut dyn std::io::Read, format: u16, visit: &mut Visit) -> Read {
    read_as(Role::Message, &wanted_of_log, input, format, visit)
}

fn read_as(
    head: Role,
    wanted: &dyn Fn(&[u8]) -> Option<Wanted>,
    input: &mut dyn std::io::Read,
    format: u16,
    visit: &mut Visit,
) -> Read {
    let mut read = Read::default();
    let mut row = Row::default();
    let outcome = json_stream::read(input, wanted, &mut |members| {
        if record(head, members, &mut row) {
            row.give(Position::Entry(read.records), format, visit);
            read.records += 1;
        }
    });
    let before = "; what stands before was read";
    read.problem = match (outcome.error, outcome.end) {
        (Some(e), _) => Some(format!("could not be read to its end ({e}){before}")),
        (None, End::CutOff) => Some(format!(
            "the JSON breaks off in the middle{before}: export it again"
        )),
        (None, End::Malformed(at)) => Some(format!(
            "is no well-formed JSON at byte {at}{before}: export it again"
        )),
        (None, End::TooDeep(at)) => Some(format!("is nested more than 512 deep at byte {at}{before}")),
        (None, End::Whole) => None,
    };
    if outcome.cut > 0 && read.problem.is_none() {
        let n = outcome.cut;
        read.problem = Some(format!(
            "{n} values of more than {MAX_PIECE} bytes were read in part only"
        ));
    }
    read
}

/// The name and value of a cookie, as Firefox keeps those of a session.
fn cookie(members: &[Member<Wanted>]) -> Option<(&Member<Wanted>, &Member<Wanted>)> {
    let find = |role: Wanted| members.iter().find(|m| m.string && m.role == role);
    find(Wanted::Host)?;
    Some((
        find(Wanted::Piece(Role::Title))?,
        find(Wanted::Piece(Role::Text))?,
    ))
}

/// The same for objects that have no address: cookies, what was typed into forms, notes. False where it is none.
fn without_address(members: &[Member<Wanted>], row: &mut Row) -> bool {
    let push = |row: &mut Row, field: Field, name: Box<str>, m: &Member<Wanted>| {
        let range = row.append_raw(&m.raw, m.offset);
        let part = Part::Form;
        row.named(Name { field, part, name }, range, Some(Coding::Json));
    };
    if let Some((name, value)) = cookie(members) {
        let name = Coding::Json.decode(&name.raw);
        push(row, Field::Cookie, String::from_utf8_lossy(&name).into(), value);
        return !value.raw.is_empty();
    }
    let mut any = false;
    for m in members.iter().filter(|m| m.string && !m.raw.is_empty()) {
        match m.role {
            Wanted::Typed(name) => push(row, Field::Text, name.into(), m),
            Wanted::Piece(Role::Text) if worth_reading(&m.raw) => {
                row.push_raw(Role::Text, &m.raw, m.offset, Some(Coding::Json));
            }
            Wanted::Piece(Role::Title) if is_worth_naming(&m.raw) => {
                row.push_raw(Role::Title, &m.raw, m.offset, Some(Coding::Json));
            }
            _ => continue,
        }
        any = true;
    }
    any
}

/// Fills `row` from an object's members; false where it has none of the role `head`, which makes it a record, nor
/// anything else to be looked at.
fn record(head: Role, members: &[Member<Wanted>], row: &mut Row) -> bool {
    row.clear();
    let is_head = |m: &&Member<Wanted>| m.string && m.role == Wanted::Piece(head) && !m.raw.is_empty();
    let Some(first) = members.iter().find(is_head) else {
        return head == Role::Url && without_address(members, row);
    };
    let mut best = u8::MAX;
    for m in members {
        match m.role {
            // A tab's original address mostly is the same once more.
            Wanted::Piece(Role::Url) if m.offset != first.offset && m.raw == first.raw => {}
            Wanted::Piece(role) if m.string => row.push_raw(role, &m.raw, m.offset, Some(Coding::Json)),
            Wanted::Time(rank) if rank < best => {
                if let Some(t) = Epoch::Any.text(&m.raw) {
                    row.instant = Some(t);
                    best = rank;
                } else if m.string && m.raw.get(4) == Some(&b'-') {
                    let written = row.append_raw(&m.raw, m.offset);
                    row.set_time(written);
                    best = rank;
                }
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::history::row::tests::{Seen, collect, texts};

    fn scan(text: &str) -> (Read, Vec<Seen>) {
        let mut out = Read::default();
        let seen = collect(|v| out = read(&mut text.as_bytes(), 0, v));
        (out, seen)
    }

    #[test]
    fn bookmarks_of_chromium() {
        let (read, seen) = scan(
            r#"{"checksum":"0","roots":{"bookmark_bar":{"children":[{"date_added":"13411699200000000","guid":"x",
            "name":"P","type":"url","url":"https://h/?a=1&t=x#y"},{"children":[{"type":"url","url":"javascript:a('%41')"}],
            "name":"folder","type":"folder"}],"name":"b https://h/?a=2","type":"folder"}},"version":1}"#,
        );
        assert_eq!((read.records, read.problem), (3, None));
        let folder = "b https://h/?a=2";
        assert_eq!(
            texts(&seen),
            ["P", "https://h/?a=1&t=x#y", "javascript:a('A')", folder]
        );
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!((seen[1].0, &seen[1].1), (Position::Entry(1), &None));
    }

    #[test]
    fn takeout_and_backups_of_firefox() {
        let text = r#"{"Browser History":[{"page_transition":"LINK","title":"t","url":"https://h/?a\u003d1\u0026token\u003dx","time_usec":1767225600000000}]}"#;
        let (_, seen) = scan(text);
        assert_eq!(texts(&seen), ["t", "https://h/?a=1&token=x"]);
        let span = &seen[0].2[1].2;
        let raw = &text[span.start as usize..span.end as usize];
        assert_eq!(raw, r"https://h/?a\u003d1\u0026token\u003dx");
        let (_, seen) = scan(
            r#"{"guid":"root________","title":"","type":"text/x-moz-place-container","children":[
            {"title":"b","dateAdded":1767225600000000,"lastModified":1,"uri":"https://h/","annos":[{"name":"n","value":"v"}]}]}"#,
        );
        assert_eq!(texts(&seen), ["b", "https://h/"]);
        assert_eq!(seen[0].1.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn sessions_of_firefox() {
        let (_, seen) = scan(
            r#"{"windows":[{"tabs":[{"entries":[{"url":"https://h/#t","title":"T","referrer":"https://r/","originalURI":"https://h/#t",
            "children":[{"url":"https://frame/"}]}],"lastAccessed":1767225600000}]}]}"#,
        );
        assert_eq!(
            texts(&seen),
            ["https://frame/", "https://h/#t", "T", "https://r/"]
        );
        assert_eq!(seen[1].2[2].0, Field::Referer);
    }

    #[test]
    fn what_stands_beside_addresses_is_read() {
        let (_, seen) = scan(
            r#"{"type":"text/x-moz-place","uri":"https://h/","iconUri":"https://h/i","annos":[{"name":"bookmarkProperties/description","value":"see https://h/?a=1"}]}"#,
        );
        assert_eq!(texts(&seen), ["see https://h/?a=1", "https://h/", "https://h/i"]);
        let text = r#"{"windows":[{"tabs":[{"entries":[{"url":"https://h/","formdata":{"id":{"user":"jo","passWord":"p"},
            "xpath":{"/xhtml:html/xhtml:body/xhtml:input[@name='token']":"t\u0041"}}}]}]}],
            "cookies":[{"host":"h","value":"v","name":"sid","path":"/"}]}"#;
        let (read, seen) = scan(text);
        assert_eq!(
            (read.records, texts(&seen)),
            (4, vec!["p", "tA", "https://h/", "v"])
        );
        let fields: Vec<Field> = seen.iter().map(|s| s.2[0].0).collect();
        assert_eq!(fields, [Field::Text, Field::Text, Field::Url, Field::Cookie]);
        let span = &seen[1].2[0].2;
        assert_eq!(&text[span.start as usize..span.end as usize], r"t\u0041");
    }

    #[test]
    fn a_cut_off_file_is_said() {
        let (read, seen) = scan(r#"{"Browser History":[{"url":"https://h/1"},{"url":"https://h/2?tok"#);
        assert_eq!(texts(&seen), ["https://h/1", "https://h/2?tok"]);
        assert!(read.problem.unwrap().contains("breaks off"));
    }
}
