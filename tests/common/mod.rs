//! What tests of the program from outside share: running it, and files to run it on.

#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // a test says what is wrong by panicking; not every test uses all

pub mod capture;
pub mod folder;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The clock of all runs.
pub const NOW: &str = "2026-11-21T00:00:00Z";

/// The program, or another build of it that `PLAINSIGHT` names, such as one for release.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("PLAINSIGHT").unwrap_or(env!("CARGO_BIN_EXE_plainsight").into())
}

/// The program, to be run in `dir`.
pub fn command(dir: &Path) -> Command {
    let mut c = Command::new(program());
    c.current_dir(dir).env_remove("NO_COLOR");
    c
}

/// A folder that is gone after the test.
pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Runs the program in this folder.
    pub fn run(&self, args: &[&str]) -> Output {
        command(self.path()).args(args).output().unwrap()
    }

    /// Runs it and tells the exit code, showing what it said where that is another one.
    pub fn expect(&self, code: i32, args: &[&str]) -> Output {
        let out = self.run(args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {said}");
        out
    }

    /// A scan as JSON.
    pub fn scan(&self, args: &[&str]) -> serde_json::Value {
        let out = self.run(&[&["scan", "--now", NOW, "-f", "json"], args].concat());
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
    }
}

/// A line of an access log.
pub fn line(url: &str) -> String {
    format!("192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET {url} HTTP/1.1\" 200 1 \"-\" \"curl/8\"\n")
}

/// A line with a password, another one for each `n`.
pub fn leak(n: usize) -> String {
    line(&format!("/login?user=jo&password=Zq81kfUwe_{n}"))
}

/// What a run said on both outputs.
pub fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.as_slice(), &out.stderr].concat()).into_owned()
}

/// Percent-encodes all but letters and digits.
pub fn percent(text: &str) -> String {
    let one = |b: u8| match b.is_ascii_alphanumeric() {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}
