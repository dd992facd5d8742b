//! What the program is made of: licences and sources of all crates are those that `deny.toml` allows, no crate of it knows
//! the network, and our own code has no `unsafe`.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn deny() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml"))
        .unwrap()
        .parse()
        .unwrap()
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let out = Command::new(cargo)
        .current_dir(root())
        .args([
            "metadata",
            "--locked",
            "--offline",
            "--format-version",
            "1",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Whether an SPDX expression can be fulfilled with licences of the list.
fn allowed(expression: &str, list: &[&str]) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    // Brackets stand around alternatives only: every part of an AND needs one of them.
    let one = |part: &str| part.split(" OR ").any(|l| list.contains(&l.trim()));
    match flat.contains(" AND ") {
        true => flat.split(" AND ").all(one),
        false => one(&flat),
    }
}

#[test]
fn licences_and_sources_are_those_that_are_allowed() {
    let (deny, metadata) = (deny(), metadata());
    let list: Vec<&str> = deny["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap())
        .collect();
    let banned: Vec<&str> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["crate"].as_str().unwrap())
        .collect();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for p in packages {
        let name = p["name"].as_str().unwrap();
        let licence = p["license"].as_str().unwrap_or_default();
        assert!(allowed(licence, &list), "{name} is under {licence:?}");
        assert!(!banned.contains(&name), "{name} knows the network");
        let source = p["source"].as_str();
        let own = name == "plainsight" && source.is_none();
        assert!(
            own || source == Some("registry+https://github.com/rust-lang/crates.io-index"),
            "{name} is from {source:?}"
        );
    }
}

#[test]
fn readme_counts_the_crates() {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let args = [
        "tree",
        "--locked",
        "--offline",
        "-e",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--target",
        "x86_64-unknown-linux-gnu",
    ];
    let out = Command::new(cargo)
        .current_dir(root())
        .args(args)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let mut all: Vec<&str> = text.lines().map(|l| l.split(" (").next().unwrap()).collect();
    all.sort_unstable();
    all.dedup();
    let others = all.len() - 1;
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("{others} crates")),
        "README.md does not say that there are {others} crates"
    );
}

#[test]
fn our_own_code_has_no_unsafe_and_no_build_script_that_fetches() {
    for entry in walkdir::WalkDir::new(root().join("src")) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                !text.contains("unsafe {") && !text.contains("unsafe fn") && !text.contains("unsafe impl"),
                "{}",
                path.display()
            );
            for word in ["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"] {
                assert!(!text.contains(word), "{} uses the network", path.display());
            }
        }
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    let build = std::fs::read_to_string(root().join("build.rs")).unwrap();
    for word in ["Command", "http", "TcpStream", "OUT_DIR\").is"] {
        assert!(!build.contains(word), "build.rs holds {word}");
    }
}

#[test]
fn the_date_of_the_public_suffix_list_is_told() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let psl = packages.iter().find(|p| p["name"] == "psl").unwrap();
    let (version, date) = plainsight::url::host::SUFFIXES;
    assert_eq!(psl["version"], version, "a new list has a new date: set both");
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(["scan", "--help"])
        .output()
        .unwrap();
    for text in [readme, String::from_utf8(help.stdout).unwrap()] {
        assert!(text.contains(&format!("of {date}")));
    }
}
