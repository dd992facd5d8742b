//! Which document of a browser or shell a source is, told from its head. The content decides; no log of a server
//! and no ordinary page is taken for one.

use super::{Kind, bplist, csv_layout, mozlz4, netscape, shell, shortcut};
use crate::text::{Base, Text, json};

/// What the head of a decompressed source says; `None` where it is none of these. `name` is a hint where the
/// content says nothing.
pub fn sniff(head: &[u8], name: &str) -> Option<Kind> {
    if head.starts_with(mozlz4::MAGIC) {
        return Some(Kind::MozLz4);
    }
    if head.starts_with(bplist::MAGIC) {
        return is_safari(head).then_some(Kind::BinaryPlist);
    }
    let text = head
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(head)
        .trim_ascii_start();
    match text.first()? {
        b'{' | b'[' => json_kind(text),
        b'<' if is_doctype(text) => Some(Kind::NetscapeBookmarks),
        b'<' => {
            let begin = &text[..text.len().min(1024)];
            let plist = memchr::memmem::find(begin, b"<plist").is_some();
            (plist && is_safari(text)).then_some(Kind::XmlPlist)
        }
        _ if shell::fits(head, name) => Some(Kind::ShellHistory),
        _ => csv_layout::layout(head).map(|layout| match layout.of {
            csv_layout::Of::Bookmarks => Kind::BookmarksCsv,
            csv_layout::Of::History => Kind::HistoryCsv,
            csv_layout::Of::ArcgisLog => Kind::ArcgisCsv,
        }),
    }
    .or_else(|| is_shortcut(text).then_some(Kind::InternetShortcut))
}

fn is_doctype(text: &[u8]) -> bool {
    let head = text.get(..netscape::DOCTYPE.len());
    head.is_some_and(|h| h.eq_ignore_ascii_case(netscape::DOCTYPE))
}

/// Whether a property list has what those of Safari and of web locations have.
fn is_safari(head: &[u8]) -> bool {
    let marks: [&[u8]; 6] = [
        b"WebBookmark",
        b"WebHistory",
        b"URLString",
        b"SessionWindows",
        b"DownloadEntryURL",
        b"<key>URL</key>",
    ];
    // In a binary list a key of three letters is one byte of length, then the letters.
    let weblink = head.starts_with(bplist::MAGIC) && memchr::memmem::find(head, b"\x53URL").is_some();
    weblink || marks.iter().any(|m| memchr::memmem::find(head, m).is_some())
}

fn is_shortcut(text: &[u8]) -> bool {
    let begin = &text[..text.len().min(4096)];
    begin.first() == Some(&b'[')
        && begin
            .split(|b| *b == b'\n')
            .any(|line| line.trim_ascii().eq_ignore_ascii_case(shortcut::SECTION))
}

/// What a JSON document's first members say.
fn json_kind(text: &[u8]) -> Option<Kind> {
    let base = Base::Source { offset: 0 };
    let document = json::read(Text::new(text, &base))?;
    // A log has one document a line.
    if document.whole && !text.get(document.end..)?.trim_ascii().is_empty() {
        return None;
    }
    let has = |path: &str| document.members.iter().any(|m| &*m.path == path);
    let under = |path: &str| document.members.iter().any(|m| m.path.starts_with(path));
    let array = text[0] == b'[';
    let place = |m: &json::Member| &*m.path == "type" && m.value.bytes().starts_with(b"text/x-moz-place");
    if ["roots.bookmark_bar.", "roots.other.", "roots.synced."]
        .into_iter()
        .any(under)
    {
        Some(Kind::ChromiumBookmarks)
    } else if document.members.iter().any(place) {
        Some(Kind::FirefoxBookmarks)
    } else if under("Browser History.") || under("Typed Url.") || array && has("lastVisitTime") && has("url")
    {
        Some(Kind::TakeoutHistory)
    } else if under("windows.tabs.") {
        Some(Kind::FirefoxSession)
    } else if under("logMessages.") && has("logMessages.message") && has("logMessages.source") {
        Some(Kind::ArcgisJson)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_is_told_by_its_contents() {
        for (head, kind) in [
            (&b"mozLz40\0...."[..], Kind::MozLz4),
            (b"bplist00\xd1\x01\x02\x53URL", Kind::BinaryPlist),
            (b"<?xml version=\"1.0\"?>\n<plist><dict><key>URL</key>", Kind::XmlPlist),
            (b"\xEF\xBB\xBF<!doctype netscape-bookmark-file-1>\n", Kind::NetscapeBookmarks),
            (b"{\"checksum\":\"0\",\"roots\":{\"bookmark_bar\":{\"children\":[{\"name\":\"x\",", Kind::ChromiumBookmarks),
            (b"{\n \"checksum\":\"0\",\"roots\":{\"bookmark_bar\":{\"name\":\"x\"}}}", Kind::ChromiumBookmarks),
            (b"{\"roots\":{\"synced\":{\"children\":[{\"name\":\"x\"", Kind::ChromiumBookmarks),
            (b"{\"guid\":\"r\",\"type\":\"text/x-moz-place-container\",\"children\":[", Kind::FirefoxBookmarks),
            (b"{\"Browser History\":[{\"title\":\"t\",", Kind::TakeoutHistory),
            (b"[{\"id\":\"1\",\"lastVisitTime\":1.0,\"url\":\"https://h/\"}]", Kind::TakeoutHistory),
            (b"{\"version\":[\"s\",1],\"windows\":[{\"tabs\":[{\"entries\":[{\"url\":\"u\"", Kind::FirefoxSession),
            (b"[{000214A0-0000-0000-C000-000000000046}]\r\nProp3=19,2\r\n[InternetShortcut]\r\nURL=https://h/", Kind::InternetShortcut),
            (b"#1767225600\nls\n", Kind::ShellHistory),
            (b"{\n \"hasMore\": false,\n \"logMessages\": [\n  {\n   \"type\": \"INFO\",\n   \"message\": \"m\",\n   \"source\": \"Rest\",", Kind::ArcgisJson),
            (b"type,message,time,source,machine,user,code,elapsed,process,thread,methodName\nINFO,m,1,Rest,", Kind::ArcgisCsv),
            (b"URL,Title\nhttps://h/,T\n", Kind::HistoryCsv),
            (b"title,url,tags\nT,https://h/,a\n", Kind::BookmarksCsv),
        ] {
            assert_eq!(sniff(head, "x"), Some(kind), "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn logs_and_pages_are_not_taken() {
        for head in [
            &b"10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /a HTTP/1.1\" 200 1\n"[..],
            b"[2026-01-01T00:00:00Z] \"GET /a HTTP/1.1\" 200 - 0\n",
            b"{\"url\":\"https://h/\",\"title\":\"t\",\"time_usec\":1}\n{\"url\":\"https://h/\"}\n",
            b"{\"request\":{\"uri\":\"/roots.bookmark_bar.\"}}\n",
            b"{\"roots\":{\"bookmark_bar\":{\"name\":\"x\"}}}\n{\"a\":1}\n",
            b"{\"log\":{\"version\":\"1.2\",\"entries\":[]}}",
            b"<!DOCTYPE html><html><a href=\"https://h/?token=x\">",
            b"<?xml version=\"1.0\"?><plist><dict><key>CFBundleName</key>",
            b"<Msg time='2026-01-01T00:00:00'>NETSCAPE-Bookmark-file-1</Msg>",
            b"bplist00\xd1\x01\x02\x5cCFBundleName",
            b"{\"logMessages\":[\"a\"]}",
            b"time,message\n2026-01-01,m\n",
            b"#Software: IIS\n#Fields: date time\n",
            b"[core]\n\tbare = false\n",
            b"",
        ] {
            assert_eq!(
                sniff(head, "access.log"),
                None,
                "{}",
                String::from_utf8_lossy(head)
            );
        }
    }
}
