//! The files that a run writes, and what they must not be: an input, one another, or a file that tells the run what
//! to do. All of it is looked at before anything is read: what was overwritten cannot be scanned any more.

use crate::platform;
use crate::report::safe;
use anyhow::bail;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A file and the option that names it.
pub struct Named {
    /// The option as it may be shown, such as `--baseline known.json`.
    what: String,
    path: PathBuf,
}

impl Named {
    /// A file that the option `option` names, written with `between` (a blank or `=`).
    pub fn new(option: &str, path: &Path) -> Named {
        let between = if option.starts_with("-f ") { "=" } else { " " };
        Named {
            what: format!("{option}{between}{}", safe::path(path)),
            path: path.to_path_buf(),
        }
    }
}

/// The real path of a file that may not be there yet.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = std::fs::canonicalize(folder(path));
        match (folder, path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path.to_path_buf(),
        }
    })
}

fn folder(path: &Path) -> &Path {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Whether two paths lead to one file, be it there or not.
pub fn same(a: &Path, b: &Path) -> bool {
    platform::same_file(a, b) || real(a) == real(b)
}

/// Devices and pipes are written into and lose nothing by it.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| platform::special(&m).is_some())
}

/// Refuses to write into what is read. `writes` are this run's outputs, `reads` the files that tell it what to do,
/// `inputs` what it reads.
pub fn check(writes: &[Named], reads: &[Named], inputs: &[PathBuf]) -> anyhow::Result<()> {
    let writes: Vec<&Named> = writes.iter().filter(|w| !is_special(&w.path)).collect();
    for (n, w) in writes.iter().enumerate() {
        let (shown, folder) = (safe::path(&w.path), folder(&w.path));
        if !folder.is_dir() {
            bail!("cannot write {shown}: {} is no folder", safe::path(folder));
        }
        if w.path.is_dir() {
            bail!("cannot write {shown}: it is a folder");
        }
        if let Some(other) = writes[..n].iter().find(|o| same(&o.path, &w.path)) {
            bail!(
                "{} and {} go to the same file; give each its own",
                other.what,
                w.what
            );
        }
        if let Some(read) = reads.iter().find(|r| same(&r.path, &w.path)) {
            bail!("{} would overwrite {}; name another file", w.what, read.what);
        }
        for input in inputs {
            if is_input(input, &w.path) {
                bail!(
                    "{} would overwrite the input {}; name another file",
                    w.what,
                    safe::path(input)
                );
            }
            if input.is_dir() && is_under(&w.path, input) && !is_ours(&w.path) {
                bail!(
                    "{} would overwrite a file that plainsight did not write, and that lies in {}, which is read; name another file, or remove it",
                    w.what,
                    safe::path(input)
                );
            }
        }
    }
    Ok(())
}

fn is_input(input: &Path, output: &Path) -> bool {
    if input.as_os_str() == "-" {
        // A file may have been redirected to it.
        return platform::same_file(Path::new("/dev/stdin"), output);
    }
    !input.is_dir() && same(input, output)
}

/// Whether a walk of `root` would come upon `path`, which it leaves out as an output.
fn is_under(path: &Path, root: &Path) -> bool {
    path.is_file() && std::fs::canonicalize(root).is_ok_and(|root| real(path).starts_with(root))
}

/// How files begin that plainsight has written: a JSON report, a part, a stream, a baseline or a summary; SARIF and the
/// code quality report; HTML, Markdown, CSV, JUnit, annotations, metrics.
const HEADS: &[&str] = &[
    "{\"schema_version\":",
    "{\"type\":\"exposure\",",
    "{\"type\":\"source\",",
    "{\"type\":\"diagnostic\",",
    "{\"type\":\"summary\",",
    "{\n  \"baseline_version\":",
    "{\n  \"schema_version\":",
    "{\n  \"$schema\": \"https://json.schemastore.org/sarif",
    "[]",
    "[\n  {\n    \"description\":",
    "# plainsight: ",
    "## plainsight: ",
    "severity,title,host,",
    "# TYPE plainsight_",
    "::error ",
    "::warning ",
    "::notice ",
];

/// What stands further down at the head of a page and of JUnit.
const MARKS: [&str; 2] = ["content=\"plainsight ", "<testsuites name=\"plainsight\""];

/// Whether plainsight may write over what stands in a file: nothing, or what it wrote itself. The table is known by
/// its last line.
fn is_ours(path: &Path) -> bool {
    const ENOUGH: u64 = 4096;
    let read = || {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(ENOUGH).read_to_end(&mut head)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(ENOUGH)))?;
        let mut tail = Vec::new();
        file.take(ENOUGH).read_to_end(&mut tail)?;
        std::io::Result::Ok((head, tail))
    };
    let Ok((head, tail)) = read() else {
        return false;
    };
    let (head, tail) = (String::from_utf8_lossy(&head), String::from_utf8_lossy(&tail));
    head.is_empty()
        || HEADS.iter().any(|h| head.starts_with(h))
        || MARKS.iter().any(|m| head.contains(m))
        || tail.lines().last().is_some_and(|l| l.starts_with("Gate: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_known_under_all_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n: &str| dir.path().join(n);
        std::fs::create_dir(at("a")).unwrap();
        // Not there yet.
        assert!(same(&at("a/../x"), &at("x")) && !same(&at("x"), &at("a/x")));
        std::fs::write(at("x"), "").unwrap();
        std::fs::hard_link(at("x"), at("y")).unwrap();
        #[cfg(unix)]
        assert!(same(&at("x"), &at("y")));
    }

    #[test]
    fn only_outputs_and_nothing_are_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for (text, ours) in [
            ("", true),
            ("{\"schema_version\":1}\n", true),
            ("1 high: one\n\nGate: passed.\n", true),
            (
                "<?xml version=\"1.0\"?>\n<testsuites name=\"plainsight\" tests=\"1\">",
                true,
            ),
            ("::1 - - \"GET /a HTTP/1.1\" 200 1\n", false),
            ("192.0.2.1 - - \"GET /a HTTP/1.1\" 200 1\n", false),
            ("{\"time\":\"2026-01-01\"}\n", false),
            ("<html><body>mine</body></html>\n", false),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(is_ours(&path), ours, "{text}");
        }
    }
}
