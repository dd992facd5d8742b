//! The places and forms in which credentials hide from `plainsight redact`: other encodings of what was removed, the
//! names in archives, packed documents; and what is left behind where a run ends early.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TOKEN: &str = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";
const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs it in this folder.
    fn run(&self, args: &[&str]) -> Output {
        self.file("key", KEY);
        Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .current_dir(&self.0)
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
        .current_dir(&d.0)
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

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_no_folder_that_it_made() {
    for signal in ["-INT", "-TERM"] {
        let d = Dir::new();
        let mut child = Command::new(env!("CARGO_BIN_EXE_plainsight"))
            .current_dir(&d.0)
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
        .current_dir(&d.0)
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

