//! `plainsight redact` as its users run it: what goes, what stays as it was, where copies may be written, and what
//! is left behind when something goes wrong.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::folder::Folder as Dir;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const TOKEN: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plainsight"));
    command.arg("redact").args(args);
    command
}

fn redact(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// Runs it, which has to go well; what it says.
fn good(args: &[&str]) -> String {
    let out = redact(args);
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {err}");
    err
}

/// Runs it, which has to end in 2; what it says.
fn bad(args: &[&str]) -> String {
    let out = redact(args);
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{args:?}: {err}");
    err
}

/// What a scan finds in a file or folder: source, line, rule and severity.
fn findings(path: &Path) -> Vec<String> {
    let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(["scan", "--fail-on", "never", "-f", "ndjson"])
        .arg(path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice::<Value>(l).unwrap())
        .filter(|l| l["type"] == "exposure")
        .map(|l| format!("{} {} {} {}", l["source"], l["line"], l["rule"], l["severity"]))
        .collect()
}

impl Dir {
    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().into()
    }

    fn key(&self) -> String {
        self.file("key", "0123456789abcdef0123456789abcdef")
    }

    /// All that stands in a folder, at any depth.
    fn all(&self, name: &str) -> Vec<String> {
        let mut out = Vec::new();
        let mut open = vec![self.path(name)];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                out.push(path.file_name().unwrap().to_str().unwrap().to_string());
                if path.is_dir() {
                    open.push(path);
                }
            }
        }
        out.sort();
        out
    }
}

fn line(target: &str, referer: &str) -> String {
    format!(
        "192.0.2.7 - - [01/Jan/2026:00:00:01 +0000] \"GET {target} HTTP/1.1\" 200 17 \"{referer}\" \"curl/8\"\n"
    )
}

/// The mark of the token under the test's key.
fn mark() -> String {
    let key = plainsight::secret::Key::from_bytes(b"0123456789abcdef0123456789abcdef");
    format!("PLAINSIGHT-{}", key.fingerprint(TOKEN.as_bytes()))
}

fn replaced(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec().utf8_chunks().fold(Vec::new(), |mut out, chunk| {
        out.extend_from_slice(chunk.valid().replace(TOKEN, &mark()).as_bytes());
        out.extend_from_slice(chunk.invalid());
        out
    })
}

#[test]
fn only_the_credentials_bytes_change() {
    let d = Dir::new();
    let key = d.key();
    let with = line(&format!("/x?a=%7e&token={TOKEN}&b=1"), "-");
    let log = [
        b"\xEF\xBB\xBF".as_slice(),
        with.as_bytes(),
        b"\r\nno log at all \x00\xff\xfe \xe2\x82\r\n\n   \n",
        line("/clean?q=1", &format!("https://a.example/{TOKEN}"))
            .replace('\n', "\r\n")
            .as_bytes(),
        with.trim_end().as_bytes(),
    ]
    .concat();
    let source = d.file("a.log", &log);
    good(&["--fingerprint-key-file", &key, &source, "-o", &d.name("b.log")]);
    assert_eq!(d.read("b.log"), replaced(&log));
    assert!(findings(&d.path("b.log")).is_empty());
    good(&[
        "--fingerprint-key-file",
        &key,
        &d.name("b.log"),
        "-o",
        &d.name("c.log"),
    ]);
    assert_eq!(d.read("c.log"), d.read("b.log"));
}

#[test]
fn a_removed_credential_is_replaced_wherever_else_it_stands() {
    let d = Dir::new();
    let key = d.key();
    let value = "Summer/2026+Rain~x";
    let coded = data_encoding(format!("it is {value}, they said").as_bytes());
    let log = format!(
        "{}early {value} and Summer%2F2026%2BRain~x and Summer%2f2026%2bRain~x\nin base64 {coded} as well\n",
        line(&format!("/login?user=jo&password={value}"), "-")
    );
    // Before and after: what is known of a file is known of all of it.
    let log = format!("{log}{}{log}", line("/", "-"));
    let source = d.file("a.log", &log);
    let said = good(&["--fingerprint-key-file", &key, &source, "-o", &d.name("b.log")]);
    let copy = String::from_utf8(d.read("b.log")).unwrap();
    assert!(said.contains("8 other occurrences"), "{said}");
    for form in [value, "2F2026%2B", "2f2026%2b", &coded[8..20]] {
        assert!(!copy.contains(form), "{form} in {copy}");
    }
    assert_eq!(copy.lines().count(), log.lines().count());
    assert!(copy.contains("in base64 PLAINSIGHT-") && copy.contains(" as well\n"));
}

/// Base64, by the library's own decoder's inverse.
fn data_encoding(bytes: &[u8]) -> String {
    let table = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|c| {
            let n = c.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - c.len()));
            (0..4).map(move |i| {
                if i <= c.len() {
                    table[(n >> (18 - 6 * i) & 63) as usize] as char
                } else {
                    '='
                }
            })
        })
        .collect()
}

#[test]
fn nested_and_decoded_places_are_rewritten_in_place() {
    let d = Dir::new();
    let key = d.key();
    let json = format!("{{\"user\":\"jo\",\"access_token\":\"{TOKEN}\",\"note\":\"stays?>\"}}");
    let b64 = data_encoding(json.as_bytes());
    let basic = data_encoding(b"jo:Zq81kfUwe_x7");
    let log = [
        line(
            &format!("/x?state={}&b=1", b64.replace('=', "%3D").replace('+', "%2B")),
            "-",
        ),
        line(
            &format!("/x?next=https%3A%2F%2Fb.example%2F%3Ftoken%3D{TOKEN}%26c%3D1"),
            "-",
        ),
        line(&format!("/x?next=%252Fa%253Ftoken%253D{TOKEN}%2526c%253D1"), "-"),
        line(&format!("/x?d=%7B%22access_token%22%3A%22{TOKEN}%22%7D"), "-"),
        format!("{{\"url\":\"https:\\/\\/a.example\\/x?token={TOKEN}\\u0026b=1\",\"n\":1.50}}\n"),
        format!("{{\"url\":\"/x\",\"authorization\":\"Basic {basic}\",\"n\":1}}\n"),
    ]
    .concat();
    let source = d.file("a.log", &log);
    good(&["--fingerprint-key-file", &key, &source, "-o", &d.name("b.log")]);
    let copy = String::from_utf8(d.read("b.log")).unwrap();
    assert!(
        !copy.contains(TOKEN) && findings(&d.path("b.log")).is_empty(),
        "{copy}"
    );
    let lines: Vec<&str> = copy.lines().collect();
    let state = lines[0]
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let state = plainsight::text::Coding::Percent
        .decode(state.as_bytes())
        .into_owned();
    let state = plainsight::text::Coding::Base64.decode(&state).into_owned();
    assert_eq!(String::from_utf8(state).unwrap(), json.replace(TOKEN, &mark()));
    for (n, (old, new)) in log.lines().zip(&lines).enumerate().skip(1).take(4) {
        assert_eq!(*new, old.replace(TOKEN, &mark()), "line {n}");
    }
    let basic = lines[5]
        .split("Basic ")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let basic = plainsight::text::Coding::Base64
        .decode(basic.as_bytes())
        .into_owned();
    assert!(
        basic.starts_with(b"jo:PLAINSIGHT-") && lines[5].ends_with("\",\"n\":1}"),
        "{copy}"
    );
}

#[test]
fn compressed_stays_compressed_in_its_form() {
    let d = Dir::new();
    let key = d.key();
    let log = (0..200)
        .map(|n| line(&format!("/x?n={n}&token={TOKEN}"), "-"))
        .collect::<String>();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(log.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bz.write_all(log.as_bytes()).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default()).unwrap();
    xz.write_all(log.as_bytes()).unwrap();
    d.file("in/a.gz", [gz.as_slice(), &gz].concat());
    d.file("in/a.bz2", bz.finish().unwrap());
    d.file("in/a.xz", xz.finish().unwrap());
    d.file("in/a.zst", zstd::encode_all(log.as_bytes(), 0).unwrap());
    good(&[
        "--fingerprint-key-file",
        &key,
        &d.name("in"),
        "-o",
        &d.name("out"),
    ]);
    let want = log.replace(TOKEN, &mark());
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&*d.read("out/a.gz"))
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, want.repeat(2));
    for (name, input) in [
        (
            "bz2",
            Box::new(bzip2::read::BzDecoder::new(
                std::fs::File::open(d.path("out/a.bz2")).unwrap(),
            )) as Box<dyn Read>,
        ),
        (
            "xz",
            Box::new(lzma_rust2::XzReader::new(
                std::fs::File::open(d.path("out/a.xz")).unwrap(),
                true,
            )),
        ),
        (
            "zst",
            Box::new(zstd::Decoder::new(std::fs::File::open(d.path("out/a.zst")).unwrap()).unwrap()),
        ),
    ] {
        let mut text = String::new();
        { input }.read_to_string(&mut text).unwrap();
        assert_eq!(text, want, "{name}");
    }
}

#[test]
fn archives_are_rebuilt_member_by_member() {
    let d = Dir::new();
    let key = d.key();
    let log = line(&format!("/x?token={TOKEN}"), "-");
    let long = format!("{}/a.log", "folder".repeat(30));
    let mut tar = tar::Builder::new(Vec::new());
    for (name, data) in [
        (long.as_str(), log.as_bytes()),
        ("clean.log", b"nothing\n"),
        ("i.png", b"\x89PNG\r\n\x1a\n"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o640);
        header.set_mtime(1_000_000_000);
        tar.append_data(&mut header, name, data).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&tar).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o640);
    zip.add_directory("d/", options).unwrap();
    zip.start_file("d/inner.tgz", options).unwrap();
    zip.write_all(&gz.finish().unwrap()).unwrap();
    let source = d.file("in/a.zip", zip.finish().unwrap().into_inner());
    let said = good(&["--fingerprint-key-file", &key, &source, "-o", &d.name("out.zip")]);
    assert!(
        said.contains("a PNG image, which is not read, and so not copied"),
        "{said}"
    );
    let mut zip = zip::ZipArchive::new(std::fs::File::open(d.path("out.zip")).unwrap()).unwrap();
    assert_eq!(zip.len(), 2);
    let inner = zip.by_name("d/inner.tgz").unwrap();
    assert_eq!(inner.unix_mode().unwrap() & 0o777, 0o640);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(inner));
    let members: Vec<(String, u64, String)> = tar
        .entries()
        .unwrap()
        .map(|e| {
            let mut e = e.unwrap();
            let mut text = String::new();
            e.read_to_string(&mut text).unwrap();
            let name = String::from_utf8_lossy(&e.path_bytes()).into_owned();
            (name, e.header().mtime().unwrap(), text)
        })
        .collect();
    assert_eq!(
        members,
        [
            (long, 1_000_000_000, log.replace(TOKEN, &mark())),
            ("clean.log".into(), 1_000_000_000, "nothing\n".into())
        ]
    );
}

#[test]
fn utf16_stays_utf16() {
    let d = Dir::new();
    let key = d.key();
    let text = format!(
        "é😀 {}\r\n{}",
        line("/", "-"),
        line(&format!("/x?ä=1&token={TOKEN}&b=ü"), "-").trim_end()
    );
    for (name, bom, unit) in [
        ("le", [0xFF, 0xFE], u16::to_le_bytes as fn(u16) -> [u8; 2]),
        ("be", [0xFE, 0xFF], u16::to_be_bytes),
    ] {
        // A lone surrogate and half a unit at the end stay, too.
        let raw = |text: &str| {
            let lone = [0xD800, u16::from(b'\n')].into_iter();
            [
                bom.to_vec(),
                lone.chain(text.encode_utf16()).flat_map(unit).collect(),
                vec![b'x'],
            ]
            .concat()
        };
        let source = d.file(&format!("{name}.log"), raw(&text));
        let copy = format!("{name}.out");
        good(&["--fingerprint-key-file", &key, &source, "-o", &d.name(&copy)]);
        assert!(d.read(&copy) == raw(&text.replace(TOKEN, &mark())), "{name}");
    }
}

#[test]
fn lines_that_a_container_runtime_cut_lose_the_credential_in_all_pieces() {
    let d = Dir::new();
    let key = d.key();
    let (a, b) = TOKEN.split_at(20);
    let cri = |flag: &str, text: &str| format!("2026-01-01T00:00:00.000000001Z stdout {flag} {text}\n");
    let log = [
        cri("F", "GET /clean HTTP/1.1"),
        cri(
            "P",
            &format!("192.0.2.7 - - [01/Jan/2026:00:00:01 +0000] \"GET /x?token={a}"),
        ),
        cri("F", &format!("{b}&c=1 HTTP/1.1\" 200 17 \"-\" \"curl/8\"")),
        cri("F", "GET /clean HTTP/1.1"),
        cri(
            "P",
            &format!("192.0.2.7 - - [01/Jan/2026:00:00:01 +0000] \"GET /x?token={TOKEN}"),
        ),
    ];
    let source = d.file("a.log", log.concat());
    good(&["--fingerprint-key-file", &key, &source, "-o", &d.name("b.log")]);
    let mut want = log.clone();
    want[1] = log[1].replace(a, &mark());
    want[2] = log[2].replace(b, "");
    want[4] = log[4].replace(TOKEN, &mark());
    assert_eq!(String::from_utf8(d.read("b.log")).unwrap(), want.concat());
}

#[test]
fn a_line_longer_than_any_buffer_is_rewritten() {
    let d = Dir::new();
    let key = d.key();
    let pair = format!("{} token={TOKEN} ", "word ".repeat(20_000));
    let log = format!("first\n{}\nlast token={TOKEN}", pair.repeat(30));
    let source = d.file("a.log", &log);
    good(&["--fingerprint-key-file", &key, &source, "-o", &d.name("b.log")]);
    assert!(d.read("b.log") == log.replace(TOKEN, &mark()).into_bytes());
}

#[test]
fn threads_change_nothing() {
    let d = Dir::new();
    let key = d.key();
    let filler = line("/static/app.js", "-").repeat(150);
    let log: String = (0..700)
        .map(|n| {
            let secret = if n % 7 == 0 {
                TOKEN.to_string()
            } else {
                format!("{n:05}{TOKEN}")
            };
            format!(
                "{filler}{}{}\n",
                line(&format!("/x?token={secret}"), "-"),
                if n == 3 { TOKEN } else { "" }
            )
        })
        .collect();
    let source = d.file("a.log", &log);
    let mut said = Vec::new();
    for jobs in ["1", "4"] {
        let copy = d.name(&format!("{jobs}.log"));
        let err = good(&["--fingerprint-key-file", &key, "-j", jobs, &source, "-o", &copy]);
        said.push(err.split(": ").nth(1).unwrap().to_string());
    }
    assert_eq!(said[0], said[1]);
    assert!(d.read("1.log") == d.read("4.log"));
    assert!(!String::from_utf8(d.read("1.log")).unwrap().contains(TOKEN));
}

#[test]
fn a_stream_is_rewritten_line_by_line() {
    let d = Dir::new();
    let key = d.key();
    let mut child = command(&["--fingerprint-key-file", &key, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    let lines = [
        line("/clean", "-"),
        line(&format!("/x?token={TOKEN}"), "-"),
        format!("from now on {TOKEN} is known\n"),
    ];
    for sent in &lines {
        to.write_all(sent.as_bytes()).unwrap();
        to.flush().unwrap();
        let mut got = String::new();
        from.read_line(&mut got).unwrap();
        assert_eq!(got, sent.replace(TOKEN, &mark()));
    }
    drop(to);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A line in which every credential that is dropped makes the next one whole.
fn nested(levels: usize) -> String {
    let value = plainsight::rule::example::fill("{lower:22}");
    let text = (0..levels).fold(String::new(), |inner, _| {
        format!("~~zz{}{inner}{}!!", &value[..11], &value[11..])
    });
    format!("note {text} end\n")
}

/// A rule of the user's for them.
const SEALED: &str = r#"
[[rule]]
id = "sealed"
title = "Sealed note"
category = "token"
severity = "high"
confidence = "firm"
shape = { regex = '~~zz[0-9a-z]{22}!!', loose = true }
keywords = ["~~zz"]
why = "Whoever reads it can open it."
advice = ["move-to-header"]
references = ["CWE-532"]
since = "1"
examples = ["note ~~zz{lower:22}!!", "again ~~zz{lower:22}!! and on"]
counter_examples = ["note ~~zz{lower:12}!!", "note ~~{lower:22}!!"]
"#;

#[test]
fn what_cannot_be_proved_is_withheld() {
    let d = Dir::new();
    let rules = d.file("rules/own.toml", SEALED);
    let rules = Path::new(&rules).parent().unwrap().to_str().unwrap();
    let (stubborn, shallow) = (nested(12), nested(3));
    let log = format!("first\n{shallow}{stubborn}last\n");
    let mut child = command(&["--rules", rules, "--style", "drop", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let (text, err) = (
        String::from_utf8(out.stdout).unwrap(),
        String::from_utf8(out.stderr).unwrap(),
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!((lines[0], lines[1], lines[3]), ("first", "note - end", "last"));
    assert!(
        lines[2].starts_with("PLAINSIGHT-") && lines[2].len() == 27,
        "{text}"
    );
    assert!(err.contains("1 lines could not be proved"), "{err}");
    assert_eq!(out.status.code(), Some(2));
    // A file has no copy.
    let file = d.file("a.log", &log);
    let err = bad(&["--rules", rules, "--style", "drop", &file, "-o", &d.name("b.log")]);
    assert!(err.contains("line 3 still holds a credential"), "{err}");
    assert!(!d.path("b.log").exists());
}

#[test]
fn nothing_is_written_where_something_would_be_lost() {
    let d = Dir::new();
    let a = d.file("in/a.log", line(&format!("/x?token={TOKEN}"), "-"));
    let b = d.file("in/sub/a.log", "nothing\n");
    let out = d.name("out");
    let before = d.all(".");
    let text = bad(&[&a, &b, "-o", &out]);
    assert!(text.contains("would both be written"), "{text}");
    for onto in [a.as_str(), &d.name("in"), &d.name("in/../in/a.log")] {
        let text = bad(&[&a, "--force", "-o", onto]);
        assert!(text.contains("is an input"), "{text}");
    }
    assert!(bad(&[&a]).contains("-o FILE"));
    bad(&[&a, &b, "-o", "-"]);
    bad(&["-", &a, "-o", &out]);
    bad(&["-", "-o", &d.name("in")]);
    bad(&[&a, "-o", &out, "--summary", &a]);
    assert!(bad(&[&a, &b, "-o", &d.key()]).contains("is no folder"));
    std::fs::remove_file(d.path("key")).unwrap();
    assert_eq!(d.all("."), before);
    #[cfg(unix)]
    {
        std::fs::hard_link(&a, d.path("link")).unwrap();
        assert!(bad(&[&a, "--force", "-o", &d.name("link")]).contains("is an input"));
        std::fs::remove_file(d.path("link")).unwrap();
    }
    let there = d.file("there.log", "old");
    assert!(bad(&[&a, "-o", &there]).contains("--force"));
    assert_eq!(d.read("there.log"), b"old");
    good(&[&a, "-o", &there, "--force"]);
    assert!(d.read("there.log").starts_with(b"192.0.2.7"));
    // Relative paths below a folder that is named are kept, and what an earlier run wrote there is no input.
    let inside = d.name("in/clean");
    good(&[&d.name("in"), "-o", &inside]);
    good(&[&d.name("in"), "-o", &inside, "--force"]);
    assert_eq!(d.all("in/clean"), ["a.log", "a.log", "sub"]);
}

#[cfg(unix)]
#[test]
fn copies_are_for_their_owner_and_keep_their_time() {
    use std::os::unix::fs::PermissionsExt;
    let d = Dir::new();
    let a = d.file("a.log", line(&format!("/x?token={TOKEN}"), "-"));
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_890);
    let file = std::fs::File::options().write(true).open(&a).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
        .unwrap();
    file.set_modified(then).unwrap();
    good(&[&a, "-o", &d.name("b.log")]);
    good(&[&a, "--keep-mode", "-o", &d.name("c.log")]);
    for (name, mode) in [("b.log", 0o600), ("c.log", 0o644)] {
        let meta = std::fs::metadata(d.path(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, mode);
        assert_eq!(meta.modified().unwrap(), then);
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let d = Dir::new();
        let mut child = command(&["-", "-o", &d.name("new/folder/b.log")])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        to.write_all(line("/x", "-").as_bytes()).unwrap();
        while !d.path("new/folder").exists() || d.all("new/folder").is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(d.all("."), [""; 0]);
        drop(to);
    }
}

#[test]
fn what_cannot_be_read_whole_has_no_copy() {
    let d = Dir::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(
        (0..3000)
            .map(|n| line(&format!("/x?n={n}&token={TOKEN}"), "-"))
            .collect::<String>()
            .as_bytes(),
    )
    .unwrap();
    let whole = gz.finish().unwrap();
    let cut = d.file("in/cut.gz", &whole[..whole.len() - 20]);
    let fine = d.file("in/fine.log", line(&format!("/x?token={TOKEN}"), "-"));
    d.file("in/image.png", b"\x89PNG\r\n\x1a\n");
    let out = d.name("out");
    let text = bad(&[&d.name("in"), "-o", &out]);
    assert!(
        text.contains("could not be read to its end") && text.contains("image.png: not copied"),
        "{text}"
    );
    assert_eq!(d.all("out"), ["fine.log"]);
    bad(&[&cut, "-o", &d.name("cut.out")]);
    let text = good(&[&cut, "--allow-partial", "-o", &d.name("cut.out")]);
    assert!(text.contains("what stands before was copied"), "{text}");
    bad(&[&d.name("none"), &fine, "-o", &d.name("out2")]);
    let db = d.file("History", b"SQLite format 3\0 and so on");
    let text = bad(&[&db, "-o", &d.name("db.out")]);
    assert!(
        text.contains("is no SQLite database") && text.contains("redact that"),
        "{text}"
    );
    assert_eq!(
        d.all("."),
        [
            "History",
            "cut.gz",
            "cut.out",
            "fine.log",
            "fine.log",
            "fine.log",
            "image.png",
            "in",
            "out",
            "out2"
        ]
    );
}

#[test]
fn other_styles_hold_as_well() {
    let d = Dir::new();
    let log = line(
        &format!("/x?token={TOKEN}&b=1"),
        &format!("https://jo:pw7Kx91@a.example/?sid={TOKEN}"),
    );
    let w3c = format!(
        "#Fields: date time cs-uri-stem cs-uri-query sc-status\n2026-01-01 00:00:00 /a {TOKEN} 200\n2026-01-01 00:00:00 /a token={TOKEN} 200\n"
    );
    let (a, b) = (d.file("in/a.log", &log), d.file("in/b.log", &w3c));
    for style in ["mask", "drop"] {
        let out = d.name(style);
        good(&["--style", style, &a, &b, "-o", &out]);
        assert!(findings(&d.path(style)).is_empty());
        let copy = String::from_utf8(d.read(&format!("{style}/a.log"))).unwrap();
        let same = log.replace(
            TOKEN,
            if style == "mask" {
                "********************************"
            } else {
                ""
            },
        );
        assert_eq!(
            copy,
            same.replace("pw7Kx91", if style == "mask" { "*******" } else { "" })
        );
        let copy = String::from_utf8(d.read(&format!("{style}/b.log"))).unwrap();
        assert!(
            copy.lines()
                .skip(1)
                .all(|l| l.split(' ').count() == 5 && !l.contains("  ")),
            "{copy}"
        );
    }
}

#[test]
fn the_summary_tells_rules_and_files_and_nothing_more() {
    let d = Dir::new();
    let key = d.key();
    let a = d.file(
        "a.log",
        line(&format!("/x?token={TOKEN}"), "-") + &format!("and {TOKEN}\n"),
    );
    let b = d.file("b.log", line("/login?user=jo&password=Zq81kfUwe_x7", "-"));
    let file = d.name("summary.json");
    let said = good(&[
        "--fingerprint-key-file",
        &key,
        &a,
        &b,
        "-o",
        &d.name("out"),
        "--summary",
        &file,
    ]);
    let text = String::from_utf8(d.read("summary.json")).unwrap();
    for secret in [TOKEN, "Zq81kfUwe"] {
        assert!(!text.contains(secret) && !said.contains(secret));
    }
    let summary: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["proved"], true);
    assert_eq!((&summary["copies"], &summary["replaced"]), (&2.into(), &2.into()));
    assert_eq!(summary["other_occurrences"], 1);
    assert_eq!(summary["files"][0]["rules"]["token"], 1);
    assert_eq!(summary["files"][1]["status"], "written");
    assert!(summary["rules"].as_object().is_some_and(|r| r.len() == 2));
}

#[test]
fn a_threshold_leaves_what_is_under_it() {
    let d = Dir::new();
    let log = line(
        "/x?csrf_token=Qm81kfUweZ7yT5rE&password=Zq81kfUwe_x7&user=jo",
        "-",
    );
    let a = d.file("a.log", &log);
    good(&[&a, "--min-severity", "medium", "-o", &d.name("b.log")]);
    let copy = String::from_utf8(d.read("b.log")).unwrap();
    assert!(
        copy.contains("Qm81kfUweZ7yT5rE") && !copy.contains("Zq81kfUwe"),
        "{copy}"
    );
    good(&[&a, "-o", &d.name("c.log")]);
    assert!(
        !String::from_utf8(d.read("c.log"))
            .unwrap()
            .contains("Qm81kfUweZ7yT5rE")
    );
}

#[test]
fn paranoid_drops_what_no_rule_names() {
    let d = Dir::new();
    let har = serde_json::json!({"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": [{
        "request": {"method": "POST", "url": "https://a.example/x", "headers": [
            {"name": "Authorization", "value": "Own abcdef"}, {"name": "Accept", "value": "text/html"}],
            "cookies": [{"name": "theme", "value": "dark"}], "postData": {"mimeType": "text/plain", "text": "my words"}},
        "response": {"status": 200, "headers": [], "cookies": [], "content": {"size": 5, "mimeType": "text/plain", "text": "hello"}}
    }]}});
    let text = serde_json::to_string_pretty(&har).unwrap();
    let a = d.file("a.har", &text);
    let said = good(&["--paranoid", &a, "-o", &d.name("b.har")]);
    assert!(said.contains("4 values dropped"), "{said}");
    let copy: Value = serde_json::from_slice(&d.read("b.har")).unwrap();
    let entry = &copy["log"]["entries"][0];
    for gone in ["Own abcdef", "dark", "my words", "hello"] {
        assert!(!copy.to_string().contains(gone), "{gone}");
    }
    assert_eq!(entry["request"]["headers"][1]["value"], "text/html");
    assert_eq!(
        entry["response"]["content"],
        serde_json::json!({"size": 5, "mimeType": "text/plain", "text": ""})
    );
}

#[test]
fn copies_of_all_formats_are_clean_logs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    let d = Dir::new();
    let mut folders: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    for folder in &folders {
        // Databases and packed documents are made from others, and are not rewritten.
        let Ok(log) = std::fs::read_to_string(folder.join("input.log")) else {
            continue;
        };
        let filled: String = log
            .split_inclusive('\n')
            .map(plainsight::rule::example::fill)
            .collect();
        d.file(
            &format!("in/{}.log", folder.file_name().unwrap().to_str().unwrap()),
            filled,
        );
    }
    assert!(folders.len() >= 35);
    good(&[&d.name("in"), "-o", &d.name("out")]);
    assert_eq!(findings(&d.path("out")), [""; 0]);
    for name in d.all("in") {
        let (old, new) = (d.read(&format!("in/{name}")), d.read(&format!("out/{name}")));
        let leaks: std::collections::BTreeSet<String> =
            findings(&d.path(&format!("in/{name}"))).into_iter().collect();
        assert!(!leaks.is_empty() && old != new, "{name}");
        let lines = |b: &[u8]| b.iter().filter(|b| **b == b'\n').count();
        assert_eq!(lines(&old), lines(&new), "{name}");
    }
}
