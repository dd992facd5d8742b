//! Examples of rules: URLs or whole lines with `{…}` where a value is made up at run time, so that no
//! real-looking secret stands in the repository's files. The same example gives the same value each time.

use super::checksum;

/// Fills the gaps of an example: `{hex:32}`, `{HEX:32}`, `{digits:10}`, `{alnum:36}`, `{lower:24}`, `{upper:16}`,
/// `{base32:16}`, `{b64url:64}`, `{b64:44}`, `{uuid}`, `{jwt}` (expires 2030), `{jwt:expired}`, `{jwt:none}` (not signed), `{crc:30}`
/// (30 characters and their GitHub checksum), `{at}` for `@`. What is no gap stays.
pub fn fill(example: &str) -> String {
    let mut out = String::with_capacity(example.len() + 64);
    let mut rest = example;
    let mut count = 0u64;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let gap = rest
            .find('}')
            .and_then(|close| Some((value(&rest[1..close], example, count)?, close)));
        match gap {
            Some((value, close)) => {
                out.push_str(&value);
                rest = &rest[close + 1..];
                count += 1;
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";

fn value(gap: &str, seed: &str, count: u64) -> Option<String> {
    let (kind, arg) = gap.split_once(':').unwrap_or((gap, ""));
    let len = arg.parse::<usize>().ok().filter(|n| (1..=4096).contains(n));
    let pick = |alphabet: &str, len: usize| pick(alphabet, len, seed, count);
    Some(match kind {
        "hex" => pick("0123456789abcdef", len?),
        "HEX" => pick("0123456789ABCDEF", len?),
        "digits" => pick(DIGITS, len?),
        "alnum" => pick(&[DIGITS, UPPER, LOWER].concat(), len?),
        "lower" => pick(&[DIGITS, LOWER].concat(), len?),
        "upper" => pick(&[DIGITS, UPPER].concat(), len?),
        "letters" => pick(&[LOWER, UPPER].concat(), len?),
        "base32" => pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", len?),
        "b64url" => pick(&[DIGITS, UPPER, LOWER, "-_"].concat(), len?),
        "b64" => pick(&[DIGITS, UPPER, LOWER].concat(), len?),
        "crc" => {
            let body = pick(&[DIGITS, UPPER, LOWER].concat(), len?);
            let sum = checksum::base62_crc32(body.as_bytes());
            body + &sum
        }
        "uuid" => {
            let h = pick("0123456789abcdef", 30);
            format!(
                "{}-{}-4{}-a{}-{}",
                &h[..8],
                &h[8..12],
                &h[12..15],
                &h[15..18],
                &h[18..30]
            )
        }
        "jwt" => {
            let exp: u64 = if arg == "expired" {
                1_600_000_000
            } else {
                1_900_000_000
            };
            let part = |s: &str| data_encoding::BASE64URL_NOPAD.encode(s.as_bytes());
            let algorithm = if arg == "none" { "none" } else { "HS256" };
            let head = part(&format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#));
            let body = part(&format!(
                r#"{{"sub":"{}","iat":1590000000,"exp":{exp}}}"#,
                pick(DIGITS, 8)
            ));
            let signature = if arg == "none" { 0 } else { 43 };
            format!(
                "{head}.{body}.{}",
                pick(&[DIGITS, UPPER, LOWER].concat(), signature)
            )
        }
        "at" => "@".to_string(),
        _ => return None,
    })
}

/// `len` characters of `alphabet` that depend on the seed alone; every third is a digit where there are digits,
/// so that short values look like the real thing.
fn pick(alphabet: &str, len: usize, seed: &str, count: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(seed.as_bytes()).update(&count.to_le_bytes());
    let mut bytes = vec![0; len * 2];
    hasher.finalize_xof().fill(&mut bytes);
    let all: Vec<char> = alphabet.chars().collect();
    let at = |i: usize| usize::from(u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]));
    (0..len).map(|i| all[at(i) % all.len()]).collect()
}

/// An example as a line that a scan can read: a URL becomes the request of a log line, a line stays one.
pub fn line(example: &str) -> String {
    let filled = fill(example);
    if filled.starts_with('/') || filled.starts_with("http://") || filled.starts_with("https://") {
        format!(
            "192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET {filled} HTTP/1.1\" 200 512 \"-\" \"curl/8.5.0\""
        )
    } else {
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_the_same_each_time() {
        let a = fill("/x?token=ghp_{crc:30}&id={uuid}&{other}");
        assert_eq!(a, fill("/x?token=ghp_{crc:30}&id={uuid}&{other}"));
        assert!(a.starts_with("/x?token=ghp_") && a.ends_with("&{other}"));
        assert_eq!(
            a.len(),
            "/x?token=ghp_".len() + 36 + "&id=".len() + 36 + "&{other}".len()
        );
        assert_ne!(fill("{hex:32}"), fill("{hex:32} "));
    }
}
