//! The places and forms in which credentials hide from `plainsight redact`: other encodings of what was removed, the
//! names in archives, packed documents; and what is left behind where a run ends early.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::folder::Folder as Dir;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output};

const TOKEN: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";
const KEY: &str = "0123456789abcdef0123456789abcdef";

impl Dir {
    /// Runs it in this folder.
    fn run(&self, args: &[&str]) -> Output {
        self.file("key", KEY);
        Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .current_dir(self.root())
            .args(["redact", "--fingerprint-key-file", "key"])
            .args(args)
            .output()
            .unwrap()
    }

    fn good(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{args:?}: {err}");
        err
    }

    fn bad(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{args:?}: {err}");
        err
    }

    /// What stands in a folder but the key.
    fn names(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(name)).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut out: Vec<String> = names.filter(|n| n != "key").collect();
        out.sort();
        out
    }
}

fn mark(value: &str) -> String {
    let key = plainsight::secret::Key::from_bytes(KEY.as_bytes());
    format!("PLAINSIGHT-{}", key.fingerprint(value.as_bytes()))
}

fn line(target: &str) -> String {
    format!("192.0.2.7 - - [01/Jan/2026:00:00:01 +0000] \"GET {target} HTTP/1.1\" 200 17 \"-\" \"curl/8\"\n")
}

#[test]
fn other_occurrences_go_however_they_are_encoded() {
    let value = "Sum/mer+20=26.Rain~x";
    let forms = [
        r"Sum%2Fmer%2B20%3D26.Rain~x",
        r"Sum/mer%2B20%3D26.Rain~x",
        r"Sum%2fmer%2B20%3d26%2ERain%7Ex",
        r"Sum%252Fmer%252B20%253D26.Rain~x",
        r"Sum%25252fmer%25252B20%25253D26.Rain~x",
        r"Sum\/mer+20=26.Rain~x",
        r"Sum\/mer\u002b20\u003d26.Rain~x",
        r"Sum\\/mer\\u002B20\\u003D26.Rain~x",
        r"Sum%5C%2Fmer%5Cu002b20%3D26.Rain~x",
        r"Sum\x2Fmer+20\x3D26.Rain~x",
        r"Sum/mer 20=26.Rain~x",
        r"Sum&#x2F;mer+20&#x3D;26.Rain~x",
    ];
    let leak = line("/login?user=jo&password=Sum%2Fmer%2B20%3D26.Rain~x");
    let text = |f: &dyn Fn(&str) -> String| {
        let lines: String = forms
            .iter()
            .map(|form| format!("it was \"{}\"%20there\n", f(form)))
            .collect();
        lines + "nothing\n"
    };
    for units in [
        |t: &str| t.as_bytes().to_vec(),
        |t: &str| {
            [0xFEFF]
                .into_iter()
                .chain(t.encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        },
    ] {
        let d = Dir::new();
        d.file("a.log", units(&(text(&|form| form.into()) + &leak)));
        d.good(&["a.log", "-o", "b.log"]);
        let want = text(&|_| mark(value)) + &leak.replace("Sum%2Fmer%2B20%3D26.Rain~x", &mark(value));
        let got = d.read("b.log");
        assert!(got == units(&want), "{}\n{want}", String::from_utf8_lossy(&got));
        d.good(&["b.log", "-o", "c.log"]);
        assert_eq!(d.read("c.log"), got);
    }
    // A stream knows what came before.
    let d = Dir::new();
    d.file("key", KEY);
    let mut child = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .current_dir(d.root())
        .args(["redact", "--fingerprint-key-file", "key", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    to.write_all((leak.clone() + &text(&|form| form.into())).as_bytes())
        .unwrap();
    drop(to);
    let got = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(got.ends_with(&text(&|_| mark(value))), "{got}");
}

/// Where all of a base64 value had to go, what was in it is looked for all the same.
#[test]
fn what_was_deep_inside_is_looked_for_elsewhere() {
    let b64 = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    let json = b64(&format!("{{\"access_token\":\"{TOKEN}\"}}"));
    let basic = b64(&format!(
        "{{\"authorization\":\"Basic {}\"}}",
        b64(&format!("jo:{TOKEN}"))
    ));
    let cut = |text: &str| {
        let (a, b) = text.split_at(40);
        format!(
            "2026-01-01T00:00:00.1Z stdout P GET /x?state={a}\n2026-01-01T00:00:00.1Z stdout F {b}&a=1 HTTP/1.1\n"
        )
    };
    for leak in [line(&format!("/x?d={}", basic.replace('=', "%3D"))), cut(&json)] {
        let d = Dir::new();
        d.file("a.log", format!("early {TOKEN}\n{leak}late \"{TOKEN}\" x\n"));
        d.good(&["a.log", "-o", "b.log"]);
        let copy = String::from_utf8(d.read("b.log")).unwrap();
        let mark = mark(TOKEN);
        assert!(copy.starts_with(&format!("early {mark}\n")), "{copy}");
        assert!(copy.ends_with(&format!("late \"{mark}\" x\n")), "{copy}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_no_folder_that_it_made() {
    for signal in ["-INT", "-TERM"] {
        let d = Dir::new();
        let mut child = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .current_dir(d.root())
            .args(["redact", "-", "-o", "new/folder/b.log"])
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let open = child.stdin.take();
        while !d.path("new/folder").exists() || d.names("new/folder").is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        child.wait().unwrap();
        assert_eq!(d.names("."), [""; 0]);
        drop(open);
    }
}

/// A file that may not be larger is an error like others.
#[cfg(unix)]
#[test]
fn a_limit_of_file_size_leaves_nothing() {
    let d = Dir::new();
    d.file("a.log", line("/x?n=1").repeat(20_000));
    let out = Command::new("sh")
        .current_dir(d.root())
        .args(["-c", "ulimit -f 64; exec \"$0\" redact a.log -o new/b.log"])
        .arg(env!("CARGO_BIN_EXE_plainsight"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("could not be written"), "{said}");
    assert_eq!(d.names("."), ["a.log"]);
}

#[test]
fn a_slash_at_the_end_means_a_folder() {
    let d = Dir::new();
    d.file("a.log", line(&format!("/x?token={TOKEN}")));
    d.good(&["a.log", "-o", "new/folder/"]);
    assert_eq!(d.names("new/folder"), ["a.log"]);
    let said = d.bad(&["a.log", "-o", "new/folder/a.log/"]);
    assert!(said.contains("no folder"), "{said}");
    let said = d.bad(&["-", "-o", "other/"]);
    assert!(said.contains("name a file"), "{said}");
    assert!(!Path::new(&d.path("other")).exists());
}

fn gzip(name: &str, comment: &str, content: &[u8]) -> Vec<u8> {
    let builder = flate2::GzBuilder::new().filename(name).comment(comment);
    let mut out = builder.write(Vec::new(), flate2::Compression::default());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

#[test]
fn names_and_comments_of_archives_lose_their_credentials() {
    let d = Dir::new();
    let content = line(&format!("/x?token={TOKEN}"));
    let other = "v5Xc2Nw8Qk4Rt6Ym1Bp3Ls7Hd9Jf0Gz";
    let named = format!("dump?access_token={other}.log");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::FullFileOptions::default();
    let commented = options.clone().with_file_comment(format!("of {TOKEN}, that is"));
    zip.add_directory(format!("{named}/"), options.clone()).unwrap();
    zip.start_file(format!("a/session-{TOKEN}.log"), commented)
        .unwrap();
    zip.write_all(content.as_bytes()).unwrap();
    zip.start_file(&named, options).unwrap();
    zip.write_all(b"nothing\n").unwrap();
    let comment = format!("made with password=Zq81kfUwe_x7 for {TOKEN}");
    zip.set_raw_comment(comment.into_bytes().into()).unwrap();
    d.file("a.zip", zip.finish().unwrap().into_inner());
    d.good(&["a.zip", "-o", "b.zip"]);
    let copy = zip::ZipArchive::new(std::io::Cursor::new(d.read("b.zip"))).unwrap();
    let comment = String::from_utf8(copy.comment().to_vec()).unwrap();
    assert_eq!(
        comment,
        format!("made with password={} for {}", mark("Zq81kfUwe_x7"), mark(TOKEN))
    );
    let mut copy = copy;
    let names: Vec<String> = copy.file_names().map(|n| n.unwrap().into_owned()).collect();
    assert_eq!(names.len(), 3);
    let session = format!("a/session-{}.log", mark(TOKEN));
    assert!(names.contains(&session), "{names:?}");
    assert_eq!(
        copy.by_name(&session).unwrap().comment(),
        format!("of {}, that is", mark(TOKEN))
    );
    let raw = d.read("b.zip");
    for secret in [TOKEN, other, "Zq81kfUwe_x7"] {
        assert!(
            memchr::memmem::find(&raw, secret.as_bytes()).is_none(),
            "{secret}"
        );
    }
    // What comes later cannot be known.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file(format!("of {TOKEN}.log"), options).unwrap();
    zip.start_file("a.log", options).unwrap();
    zip.write_all(content.as_bytes()).unwrap();
    d.file("c.zip", zip.finish().unwrap().into_inner());
    let said = d.bad(&["c.zip", "-o", "d.zip"]);
    assert!(
        said.contains("holds a credential of a member that comes later") && !said.contains(TOKEN),
        "{said}"
    );
    assert!(!d.path("d.zip").exists());
    // The header of gzip is not copied.
    d.file("a.gz", gzip(&named, &format!("of {TOKEN}"), content.as_bytes()));
    d.good(&["a.gz", "-o", "b.gz"]);
    let raw = d.read("b.gz");
    assert!(memchr::memmem::find(&raw, other.as_bytes()).is_none());
    assert!(memchr::memmem::find(&raw, TOKEN.as_bytes()).is_none());
}

#[test]
fn names_in_tar_archives_lose_their_credentials() {
    let content = line(&format!("/x?token={TOKEN}"));
    let folder = "folder".repeat(20);
    let short = format!("a/session-{TOKEN}.log");
    // As long as a header has room for, and longer.
    let full = format!("{}{TOKEN}.log", "x".repeat(64));
    let long = format!("{folder}/session-{TOKEN}.log");
    let d = Dir::new();
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |header: &mut tar::Header, name: &str| {
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        tar.append_data(header, name, content.as_bytes()).unwrap();
    };
    add(&mut tar::Header::new_gnu(), &short);
    add(&mut tar::Header::new_ustar(), &full);
    add(&mut tar::Header::new_gnu(), &long);
    let attributes = [
        ("comment", format!("of {TOKEN}")),
        ("path", format!("{folder}/{TOKEN}/b.log")),
    ];
    tar.append_pax_extensions(attributes.iter().map(|(k, v)| (*k, v.as_bytes())))
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, "short", content.as_bytes()).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "link", format!("{folder}/{TOKEN}"))
        .unwrap();
    d.file("a.tar", tar.into_inner().unwrap());
    d.good(&["a.tar", "-o", "b.tar"]);
    let raw = d.read("b.tar");
    assert!(memchr::memmem::find(&raw, TOKEN.as_bytes()).is_none());
    let mut copy = tar::Archive::new(&raw[..]);
    let members: Vec<(String, String, String)> = copy
        .entries()
        .unwrap()
        .map(|e| {
            let mut e = e.unwrap();
            let mut text = String::new();
            e.read_to_string(&mut text).unwrap();
            let link = e
                .link_name_bytes()
                .map(|l| String::from_utf8(l.into_owned()).unwrap());
            (
                String::from_utf8(e.path_bytes().into_owned()).unwrap(),
                text,
                link.unwrap_or_default(),
            )
        })
        .collect();
    let new = |text: &str| text.replace(TOKEN, &mark(TOKEN));
    let paths = [new(&short), new(&full), new(&long), new(&attributes[1].1)];
    for (member, path) in members.iter().zip(&paths) {
        assert_eq!((&member.0, &member.1), (path, &new(&content)));
    }
    assert_eq!(members.len(), 5);
    assert_eq!(
        (&*members[4].0, &members[4].2),
        ("link", &new(&format!("{folder}/{TOKEN}")))
    );
    d.good(&["b.tar", "-o", "c.tar"]);
    assert_eq!(d.read("c.tar"), raw);
}

#[test]
fn packed_json_of_firefox_stays_packed() {
    let d = Dir::new();
    let json = format!(
        r#"{{"windows":[{{"tabs":[{{"entries":[{{"url":"https:\/\/a.example\/x?token={TOKEN}","title":"é"}}]}}],"note":"of {TOKEN}"}}]}}"#
    );
    let pack = |text: &str| {
        let block = lz4_flex::block::compress(text.as_bytes());
        [b"mozLz40\0", &(text.len() as u32).to_le_bytes()[..], &block].concat()
    };
    d.file("sessionstore.jsonlz4", pack(&json));
    d.good(&["sessionstore.jsonlz4", "-o", "copy.jsonlz4"]);
    let raw = d.read("copy.jsonlz4");
    let want = json.replace(TOKEN, &mark(TOKEN));
    assert_eq!(&raw[..12], &pack(&want)[..12]);
    let plain = lz4_flex::block::decompress(&raw[12..], want.len()).unwrap();
    assert_eq!(String::from_utf8(plain).unwrap(), want);
    d.file("broken.jsonlz4", &pack(&json)[..60]);
    d.bad(&["broken.jsonlz4", "-o", "other.jsonlz4"]);
}

/// Bookmarks as macOS writes them: one, with a title and a date.
#[test]
fn binary_property_lists_are_exported() {
    let url = format!("https://h.example/?token={TOKEN}&b=1");
    let string = |text: &str| match text.len() {
        n @ 0..15 => [&[0x50 | n as u8][..], text.as_bytes()].concat(),
        n => [&[0x5F, 0x10, n as u8][..], text.as_bytes()].concat(),
    };
    let objects: Vec<Vec<u8>> = vec![
        b"\xd1\x01\x02".to_vec(),
        string("Children"),
        b"\xa1\x03".to_vec(),
        b"\xd2\x04\x05\x06\x07".to_vec(),
        string("URLString"),
        string("URIDictionary"),
        string(&url),
        b"\xd1\x08\x09".to_vec(),
        string("title"),
        string(&format!("of {TOKEN}")),
    ];
    let mut file = b"bplist00".to_vec();
    let mut offsets = Vec::new();
    for object in &objects {
        offsets.push(file.len() as u8);
        file.extend(object);
    }
    let table = file.len() as u64;
    file.extend(&offsets);
    file.extend([0, 0, 0, 0, 0, 0, 1, 1]);
    for n in [objects.len() as u64, 0, table] {
        file.extend(n.to_be_bytes());
    }
    let d = Dir::new();
    d.file("Bookmarks.plist", &file);
    let said = d.good(&["Bookmarks.plist", "-o", "copy.jsonl"]);
    assert!(said.contains("JSON lines"), "{said}");
    let copy = String::from_utf8(d.read("copy.jsonl")).unwrap();
    let want = format!(
        "{{\"bookmarks\":\"safari-bookmarks\",\"row\":0,\"url\":\"{}\",\"title\":\"of {}\"}}\n",
        url.replace(TOKEN, &mark(TOKEN)),
        mark(TOKEN)
    );
    assert_eq!(copy, want);
    d.file("Broken.plist", &file[..file.len() - 9]);
    d.bad(&["Broken.plist", "-o", "other.jsonl"]);
}
