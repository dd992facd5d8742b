//! The stem of a source's name: what stands for the site where lines name no host. It is the file name without
//! folders, archive, endings, and what rotation and splitting add to it, so that the log of one site has one stem
//! from day to day; and nothing else is dropped, so that two sites never share one (`site-1.log`, `site-2.log`).
//! Dropped from the end, over and over:
//!
//! - endings of compressed files and logs: `.gz`, `.log`, …;
//! - numbers of rotation, of four digits at most, after a point: `access.log.1`, `access.2.log.gz`, not `10.0.0.15`;
//! - dates and times of day after `.`, `-` or `_`: `-20260101`, `.2026-01-01`, `_2026-01-01-13`, `-1767225600`; and a
//!   number of four digits at most after such a date (`app-2026-01-01-2.log`);
//! - dates after the prefixes of IIS, which nothing parts from them: `u_ex260101`, `ex26010113`, `u_extend3`;
//! - numbers of parts after the word `part`, `chunk`, `split` or `piece`, and the word where a name is left
//!   before it: `part-0.log`, `access.log.part-00`.

/// Endings that say nothing of the site.
const ENDINGS: [&str; 14] = [
    ".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".tgz", ".tar", ".gzip", ".log", ".txt", ".json", ".csv",
    ".old",
];

/// Words that a part's number stands after.
const PARTS: [&str; 4] = ["part", "chunk", "split", "piece"];

/// How IIS begins the names of its logs, by format.
const IIS: [&str; 8] = ["u_extend", "extend", "u_ex", "u_in", "u_nc", "ex", "in", "nc"];

/// The stem of a source's name. See the module's head.
pub fn stem(source: &str) -> String {
    let name = source.rsplit(['/', '\\', '!']).next().unwrap_or(source);
    let mut stem = name;
    while let Some(shorter) = without_ending(stem)
        .or_else(|| without_date(stem))
        .or_else(|| without_rotation(stem))
        .or_else(|| without_part(stem))
        .or_else(|| without_iis_date(stem))
        .filter(|s| !s.is_empty())
    {
        stem = shorter;
    }
    crate::report::safe::label(stem)
}

fn without_ending(stem: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|e| stem.strip_suffix(e))
}

/// What stands before the digits at the end, and the digits.
fn digits(stem: &str) -> (&str, &str) {
    stem.split_at(stem.trim_end_matches(|c: char| c.is_ascii_digit()).len())
}

fn without_rotation(stem: &str) -> Option<&str> {
    let (before, number) = digits(stem);
    let before = before.strip_suffix('.')?;
    // An address is no rotated log.
    let (rest, digits) = digits(before);
    let address = !digits.is_empty() && (rest.is_empty() || rest.ends_with('.')) && dated(before).is_none();
    ((1..=4).contains(&number.len()) && !address).then_some(before)
}

fn without_part(stem: &str) -> Option<&str> {
    let (before, number) = digits(stem);
    let before = before.strip_suffix(['-', '_', '.']).unwrap_or(before);
    let word = PARTS.iter().find(|w| before.ends_with(**w))?;
    let rest = &before[..before.len() - word.len()];
    match rest.strip_suffix(['-', '_', '.']) {
        _ if number.is_empty() => None,
        Some(name) if !name.is_empty() => Some(name),
        _ if rest.is_empty() => Some(before),
        _ => None,
    }
}

fn without_iis_date(stem: &str) -> Option<&str> {
    let (before, number) = digits(stem);
    let prefix = IIS.iter().find(|p| before.eq_ignore_ascii_case(p))?;
    let size = prefix.ends_with("tend") && !number.is_empty();
    // Month, day or week, hour.
    let date = matches!(number.len(), 4 | 6 | 8) && between(&number[2..4], 1, 12);
    (size || date).then_some(before)
}

/// Without a date, or a date and a number, at the end.
fn without_date(stem: &str) -> Option<&str> {
    if let Some(before) = dated(stem) {
        return Some(before);
    }
    let (before, number) = digits(stem);
    let before = before.strip_suffix(['-', '_', '.'])?;
    if (1..=4).contains(&number.len()) {
        dated(before)
    } else {
        None
    }
}

/// What stands before a date and the separator before it.
fn dated(stem: &str) -> Option<&str> {
    // The date begins after a separator; nothing but digits and separators is in it, and `T` and `Z` of ISO 8601.
    let from = stem.len() - stem.len().min(24);
    let tail = stem.get(from..)?;
    tail.char_indices()
        .filter(|(_, c)| matches!(c, '.' | '-' | '_'))
        .find(|&(at, _)| is_date(&tail[at + 1..]))
        .map(|(at, _)| &stem[..from + at])
}

/// Whether all of `text` is a day, with or without a time of day, or seconds since 1970.
fn is_date(text: &str) -> bool {
    if !text.is_ascii() {
        return false;
    }
    let seconds = text.len() == 10 && text.starts_with('1') && text.bytes().all(|b| b.is_ascii_digit());
    let mut rest = text;
    let mut take = |n: usize, low: u32, high: u32| {
        let piece = rest.get(..n)?;
        between(piece, low, high).then_some(())?;
        rest = &rest[n..];
        rest = rest.strip_prefix(['-', '_', '.', 'T']).unwrap_or(rest);
        Some(())
    };
    // `260101` has no century.
    let day = match text.bytes().take_while(u8::is_ascii_digit).count() {
        6 => take(2, 0, 99),
        _ => take(4, 1970, 2199),
    }
    .and_then(|()| take(2, 1, 12))
    .and_then(|()| take(2, 1, 31));
    let _time = day
        .and_then(|()| take(2, 0, 24))
        .and_then(|()| take(2, 0, 59))
        .and_then(|()| take(2, 0, 60));
    let ended = rest.is_empty() || rest == "Z";
    seconds || day.is_some() && ended && !text.ends_with(['-', '_', '.', 'T'])
}

/// Whether `digits` is a number between these.
fn between(digits: &str, low: u32, high: u32) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit())
        && digits.parse::<u32>().is_ok_and(|n| (low..=high).contains(&n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_does_not_change_the_stem() {
        for (name, want) in [
            ("/var/log/nginx/access.log", "access"),
            ("/var/log/nginx/access.log.1", "access"),
            ("access.1.log.gz", "access"),
            ("access.log-20260101.gz", "access"),
            ("access.log-2026010112", "access"),
            ("access.log-20260101-1767225600", "access"),
            ("access.log-1767225600", "access"),
            ("access_20260101.log", "access"),
            ("access.log.2026-01-01-13.gz", "access"),
            ("access-20260101T000000Z.log", "access"),
            ("app-2026-01-01-2.log.gz", "app"),
            ("access.log.2.gz", "access"),
            ("C:\\inetpub\\logs\\W3SVC1\\u_ex260101.log", "u_ex"),
            ("u_ex26010113_x.log", "u_ex26010113_x"),
            ("u_ex26010113.log", "u_ex"),
            ("u_extend12.log", "u_extend"),
            ("ex2601.log", "ex"),
            ("localhost_access_log.2026-01-01.txt", "localhost_access_log"),
            ("part-3.log", "part"),
            ("part-00000.gz", "part"),
            ("access.log.part-07", "access"),
            ("a.zip!logs/site-a.log", "site-a"),
        ] {
            assert_eq!(stem(name), want, "{name}");
        }
    }

    #[test]
    fn what_can_tell_sites_apart_stays() {
        for (name, want) in [
            ("site-1.log", "site-1"),
            ("site-2.log.1", "site-2"),
            ("web1.log", "web1"),
            ("access-00.log", "access-00"),
            ("node_12-20260101.log", "node_12"),
            ("shop-8080.log", "shop-8080"),
            ("customer-20269901.log", "customer-20269901"),
            ("customer-123456789.log", "customer-123456789"),
            ("index1234.log", "index1234"),
            ("depart-7.log", "depart-7"),
            ("10.0.0.15.log", "10.0.0.15"),
            ("-", "-"),
            ("20260101.log", "20260101"),
            ("42", "42"),
            (".log", ".log"),
            ("größe-1.log", "größe-1"),
        ] {
            assert_eq!(stem(name), want, "{name}");
        }
    }
}
