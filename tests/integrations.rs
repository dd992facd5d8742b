//! The scripts that others run the program by: the action's step and the nightly mail.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

mod common;

use common::{Dir, leak, line, said};
use std::path::Path;
use std::process::{Command, Output};

/// Runs a script of `integrations/` in `d`, with the program in the path.
fn script(d: &Dir, shell: &str, name: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_plainsight"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    Command::new(shell)
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("integrations")
                .join(name),
        )
        .args(args)
        .current_dir(d.path())
        .env("PATH", path)
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn the_actions_step_passes_inputs_on_and_tells_what_came_of_it() {
    let d = Dir::new();
    d.file("out/with blank.log", leak(1));
    d.file("clean.log", line("/a"));
    d.file("$(touch pwned).log", line("/a"));
    let run = |paths: &str, more: &[(&str, &str)]| {
        d.file("outputs", "");
        let base = [
            ("GITHUB_OUTPUT", "outputs"),
            ("PLAINSIGHT", env!("CARGO_BIN_EXE_plainsight")),
            ("INPUT_PATHS", paths),
        ];
        script(&d, "bash", "github-action.sh", &["scan"], &[&base, more].concat())
    };
    let out = run("out/with blank.log\nclean.log\n", &[]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert_eq!(d.read("outputs"), "report=plainsight.json\nexit-code=1\n");
    assert_eq!(d.json("plainsight.json")["summary"]["sources"], 2);
    let out = run(
        "out",
        &[
            ("INPUT_FAIL_ON", "never"),
            ("INPUT_REPORT", "r.json"),
            ("INPUT_ARGS", "--quiet\n--jobs=1"),
        ],
    );
    assert_eq!(
        (out.status.code(), said(&out).lines().count()),
        (Some(0), 1),
        "{}",
        said(&out)
    );
    assert!(d.read("outputs").contains("report=r.json"));
    assert_eq!(run("$(touch pwned).log", &[]).status.code(), Some(0));
    assert!(!d.path().join("pwned").exists());
    assert_eq!(run("none.log", &[]).status.code(), Some(2));
}

#[test]
fn the_nightly_mail_tells_what_is_new_once() {
    let d = Dir::new();
    d.file("mailer", "#!/bin/sh\necho \"$@\" >> mails\ncat >> mails\n");
    let mail = |args: &[&str]| {
        d.file("mails", "");
        let mailer = d.path().join("mailer");
        let status = Command::new("chmod").arg("+x").arg(&mailer).status().unwrap();
        assert!(status.success());
        let env = [
            ("PLAINSIGHT_STATE", "state"),
            ("PLAINSIGHT_MAIL_TO", "ops@example.org"),
            ("PLAINSIGHT_MAILER", mailer.to_str().unwrap()),
        ];
        let out = script(&d, "sh", "plainsight-mail.sh", args, &env);
        (out.status.code(), d.read("mails"))
    };
    d.file("logs/access.log", leak(1));
    let (code, text) = mail(&["logs"]);
    assert!(
        code == Some(0)
            && text.contains("new leaked credentials ops@example.org")
            && text.contains("password"),
        "{text}"
    );
    assert_eq!(mail(&["logs"]), (Some(0), String::new()));
    d.file(
        "logs/access.log",
        leak(2) + &line("/signin?user=jo&password=Zq81kfUwe_1"),
    );
    let (_, text) = mail(&["logs"]);
    assert!(
        text.contains("1 new, 0 gone, 1 still there") && text.contains("/signin"),
        "{text}"
    );
    assert!(!text.contains("Zq81kfUwe"));
    d.file("logs/access.log", line("/a"));
    assert_eq!(mail(&["logs"]), (Some(0), String::new()));
    let (_, text) = mail(&["logs", "none"]);
    assert!(text.contains("not everything could be read"), "{text}");
    let (code, text) = mail(&["--no-such-option", "logs"]);
    assert!(code == Some(2) && text.contains("the scan did not run"), "{text}");
}
