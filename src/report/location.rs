//! Names of sources as other tools want them: relative paths, and references as RFC 3986 writes them.

use super::Report;
use super::model::FindingReport;
use std::fmt::Write as _;

/// The source in which a finding was seen first.
pub fn of<'a>(report: &'a Report, f: &'a FindingReport) -> &'a str {
    let evidence = f.evidence.first().map(|e| e.source.as_str());
    let any = report.sources.first().map(|s| s.path.as_str());
    evidence.or(any).unwrap_or("-")
}

/// Whether a source's name begins at the root of a file system.
pub fn is_absolute(source: &str) -> bool {
    source.starts_with(['/', '\\']) || has_drive(source)
}

/// `C:\logs` and the like.
fn has_drive(source: &str) -> bool {
    matches!(source.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic())
}

/// A source's name without `./` and without root, its parts joined by `/`.
pub fn relative(source: &str) -> String {
    if source == "-" {
        return "stdin".into();
    }
    // Backslashes part folders on Windows alone; elsewhere they come from escapes.
    let windows = has_drive(source) || source.starts_with("\\\\");
    let parts = source.split(|c| c == '/' || windows && c == '\\');
    let parts: Vec<&str> = parts.filter(|p| !p.is_empty() && *p != ".").collect();
    parts.join("/")
}

/// [`relative`] as a relative reference (RFC 3986 §4.2).
pub fn reference(source: &str) -> String {
    let mut out = String::new();
    for b in relative(source).bytes() {
        if b.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_references() {
        for (source, uri) in [
            ("logs/access.log", "logs/access.log"),
            ("./a//b c.log", "a/b%20c.log"),
            ("/var/log/nginx/access.log", "var/log/nginx/access.log"),
            ("outer.zip!inner/ä#1.log", "outer.zip!inner/%C3%A4%231.log"),
            ("C:\\inetpub\\logs\\u_ex.log", "C%3A/inetpub/logs/u_ex.log"),
            ("a\\x1b<b>?.log", "a%5Cx1b%3Cb%3E%3F.log"),
            ("../x:y", "../x%3Ay"),
            ("-", "stdin"),
        ] {
            assert_eq!(reference(source), uri);
        }
        assert!(is_absolute("/a") && is_absolute("c:/a") && !is_absolute("a/c:/x"));
    }
}
