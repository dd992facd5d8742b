//! What a value looks like, by its characters alone: word, number, UUID, hash, placeholder or something random.
//! Routes, excerpts and the confidence of findings rest on these; no rule is consulted here.

use std::sync::LazyLock;

/// `c * log2(c)` of the counts that values of usual lengths have.
static WEIGHED: LazyLock<[f64; 256]> =
    LazyLock::new(|| std::array::from_fn(|c| if c < 2 { 0.0 } else { weighed(c as f64) }));

fn weighed(count: f64) -> f64 {
    count * count.log2()
}

/// Shannon entropy in bits for each byte.
pub fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &b in bytes {
        counts[usize::from(b)] += 1;
    }
    // The sum of -p log p with p = c / n, multiplied out: the logarithms of counts are few.
    let table = &*WEIGHED;
    let mut sum = 0.0;
    for &b in bytes {
        let count = std::mem::take(&mut counts[usize::from(b)]);
        sum += match table.get(count as usize) {
            Some(known) => *known,
            None => weighed(f64::from(count)),
        };
    }
    let n = bytes.len() as f64;
    if bytes.is_empty() { 0.0 } else { n.log2() - sum / n }
}

/// Whether this is a UUID in its usual form (RFC 9562 §4).
pub fn is_uuid(s: &[u8]) -> bool {
    s.len() == 36
        && s.iter().enumerate().all(|(i, &b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether this is a number: digits with at most signs, points, commas and exponents.
pub fn is_number(s: &[u8]) -> bool {
    s.iter().any(u8::is_ascii_digit)
        && s.iter().all(|b| b.is_ascii_digit() || b"+-.,:eE".contains(b))
        && s.iter().filter(|b| b.is_ascii_alphabetic()).count() <= 1
}

/// Whether this is a hash or an id in hexadecimal: 8 digits or more, with at least one letter and one number,
/// or 16 or more of which not all are decimal.
pub fn is_hex(s: &[u8]) -> bool {
    s.len() >= 8
        && s.iter().all(u8::is_ascii_hexdigit)
        && s.iter().any(u8::is_ascii_digit)
        && s.iter().any(u8::is_ascii_alphabetic)
}

/// No word is longer, nor what is made of several without anything between them.
const LONGEST_WORD: usize = 32;

/// Letters and digits of one piece between separators look like words or numbers: few changes between upper
/// case, lower case and digits, none of them inside a word, and vowels where a long run of letters has to have
/// some.
fn wordy_piece(piece: &[u8]) -> bool {
    if piece.len() > LONGEST_WORD {
        return false;
    }
    const DIGIT: u8 = 0;
    const UPPER: u8 = 1;
    const LOWER: u8 = 2;
    let class = |b: u8| match b {
        b'0'..=b'9' => DIGIT,
        b'A'..=b'Z' => UPPER,
        _ => LOWER,
    };
    let (mut digits, mut vowels) = (0, 0);
    // Changes of class, where a capital before small letters belongs to their word; those from or to digits: words are
    // numbered, at an end or once within, ids in hexadecimal go to and fro; and stretches of capitals: names have an
    // acronym or two in them, what chance wrote has capitals side by side again and again.
    let (mut runs, mut mixes, mut acronyms) = (1, 0, 0);
    let (mut before, mut capitals) = (None, 0);
    for &b in piece {
        let this = class(b);
        digits += usize::from(this == DIGIT);
        vowels += usize::from(matches!(b | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y'));
        if let Some(before) = before {
            runs += usize::from(this != before && !(before == UPPER && this == LOWER));
            mixes += usize::from((this == DIGIT) != (before == DIGIT));
        }
        capitals = if this == UPPER { capitals + 1 } else { 0 };
        acronyms += usize::from(capitals == 2);
        before = Some(this);
    }
    if digits == piece.len() {
        return digits < 20;
    }
    let letters = piece.len() - digits;
    let pronounced = letters < 6 || (vowels * 6 >= letters && vowels * 3 <= letters * 2);
    let steady = runs <= 2 + piece.len() / 5;
    pronounced && steady && acronyms < 4 && (mixes <= 2 || piece.len() < 12)
}

/// Whether all of `s` reads as words, numbers and separators: `Wetlands_Inventory_2023`, `user-profile`,
/// `OBJECTID`, `en-US`. What is not may be a credential, and is never shown in full.
pub fn is_wordy(s: &[u8]) -> bool {
    s.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
        && s.split(|b| !b.is_ascii_alphanumeric())
            .filter(|p| !p.is_empty())
            .all(wordy_piece)
}

/// Whether the shape of `s` alone says that it is a secret: 20 bytes or more of the characters that tokens are
/// made of, and no words.
pub fn is_secret_like(s: &[u8]) -> bool {
    s.len() >= 20
        && s.iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.~+/=%:$*!@,".contains(b))
        && s.iter().any(u8::is_ascii_alphabetic)
        && !is_wordy(s)
        && entropy(s) >= 2.5
}

/// Values that stand where a credential would, and are none.
const PLACEHOLDERS: &[&str] = &[
    "null",
    "none",
    "nil",
    "nan",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "test",
    "example",
    "sample",
    "redacted",
    "removed",
    "filtered",
    "masked",
    "hidden",
    "omitted",
    "secret_removed",
    "empty",
    "n/a",
    "na",
    "placeholder",
    "changeme",
    "change_me",
    "dummy",
    "fake",
    "todo",
    "tbd",
    "foo",
    "bar",
    "foobar",
    "string",
    "token",
    "password",
    "passwd",
    "pwd",
    "pass",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "key",
    "value",
    "xxx",
    "...",
    "object",
    "[object object]",
    "[object%20object]",
    "bearer",
    "basic",
    "your_token",
    "mytoken",
    "mypassword",
    "access_token",
];

/// No word of `PLACEHOLDERS` is longer, with `your` or `the` before it.
const LONGEST: usize = 24;

/// Whether `value` stands for a credential without being one: empty, masked, a template's variable, a word that
/// documentation uses. `value` is decoded as far as it goes.
pub fn is_placeholder(value: &[u8]) -> bool {
    let trimmed = value.trim_ascii();
    let trimmed = strip_quotes(trimmed);
    let Some(&first) = trimmed.first() else {
        return true;
    };
    if first != b'/' && trimmed.iter().all(|&b| b == first) {
        return true; // ***, xxxxx, 0000
    }
    if trimmed.iter().all(|&b| b"*xX.-_#%".contains(&b)) {
        return true;
    }
    // Most values are longer than any word below, and have nothing in them that parts words: no more need be asked.
    let whole = trimmed.len() > LONGEST && trimmed.iter().all(u8::is_ascii_alphanumeric);
    if whole {
        return is_example(trimmed);
    }
    let Ok(text) = std::str::from_utf8(trimmed) else {
        return false;
    };
    if text.chars().all(|c| {
        matches!(
            c,
            '*' | '\u{2022}' | '\u{25CF}' | '\u{B7}' | '\u{2588}' | '\u{2026}'
        )
    }) {
        return true; // as pages show what is typed
    }
    let lower = text.to_ascii_lowercase();
    if PLACEHOLDERS.contains(&lower.as_str()) || lower.starts_with("plainsight-") && is_mark(&lower) {
        return true;
    }
    if is_variable(text) || is_masked(&lower) {
        return true;
    }
    for (open, close) in [
        ('<', '>'),
        ('[', ']'),
        ('{', '}'),
        ('(', ')'),
        ('%', '%'),
        ('$', '$'),
        ('\u{ab}', '\u{bb}'),
        ('_', '_'),
    ] {
        if text.len() <= 48
            && text.starts_with(open)
            && text.ends_with(close)
            && text.len() > 1
            && !text.contains('"')
        {
            let inside = text.trim_matches(|c| c == open || c == close);
            if open != '_' || inside.chars().all(|c| c.is_ascii_alphabetic() || c == '_') {
                return true;
            }
        }
    }
    if text.starts_with("${")
        || text.starts_with("$(")
        || text.starts_with("{{")
        || text.starts_with("#{")
        || text.starts_with("<%")
    {
        return true;
    }
    // `***abc` and `abcd****` keep a few characters of what they mask.
    let stars = text.bytes().filter(|&b| b == b'*').count();
    if stars >= 3 && stars * 2 >= text.len() {
        return true;
    }
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    if words.len() > 1 && words.len() <= 6 && lower.len() <= 40 {
        let hint = [
            "your",
            "my",
            "insert",
            "enter",
            "example",
            "redacted",
            "placeholder",
            "replace",
            "here",
            "some",
            "dummy",
            "sample",
        ];
        let noun = [
            "token", "key", "apikey", "password", "secret", "api", "here", "id", "access", "user", "code",
            "me", "redacted", "value", "pass", "pwd", "auth", "session", "client", "the", "with", "a", "jwt",
            "login",
        ];
        if words.iter().any(|w| hint.contains(w))
            && words.iter().all(|w| hint.contains(w) || noun.contains(w))
        {
            return true;
        }
    }
    is_example(trimmed)
}

/// EXAMPLE keys of vendors' documentation: AKIAIOSFODNN7EXAMPLE.
fn is_example(value: &[u8]) -> bool {
    value.len() <= 64 && (value.ends_with(b"EXAMPLE") || value.ends_with(b"EXAMPLEKEY"))
}

/// Whether it is what a script, a template or a format string would have filled in: `$PASSWORD`, `@password`, `%s`,
/// `%(password)s`.
fn is_variable(text: &str) -> bool {
    let name = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    match text.as_bytes() {
        [b'%', b's' | b'd' | b'v' | b'p' | b'q'] => true,
        [b'%', b'(', .., b')', b's' | b'd'] => name(&text[2..text.len() - 2]),
        [b'$', ..] => name(&text[1..]) && text == text.to_ascii_uppercase(),
        [b'@' | b':', ..] => PLACEHOLDERS.contains(&text[1..].to_ascii_lowercase().as_str()),
        _ => false,
    }
}

/// Words that say that something was here.
const MASKED: &[&str] = &[
    "redacted",
    "scrubbed",
    "obfuscated",
    "sanitized",
    "sanitised",
    "censored",
    "filtered",
];

/// Whether what was in a credential's place says so, or keeps but its ends: `**redacted**`, `redacted-9f86d081`,
/// `abcd****wxyz`, `ht7p...zr8c`. In lower case.
fn is_masked(lower: &str) -> bool {
    let mut words = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty());
    let (first, last) = (words.next().unwrap_or_default(), words.next_back());
    let says = |w: &str| MASKED.contains(&w);
    if lower.len() <= 64 && (says(first) || last.is_some_and(says)) {
        return true;
    }
    let bare = lower.trim_matches(|c: char| c.is_ascii_punctuation());
    if bare.len() < lower.len() && ["masked", "hidden", "removed", "omitted", "secret"].contains(&bare) {
        return true;
    }
    if let Some(noun) = lower.strip_prefix("your").or_else(|| lower.strip_prefix("the"))
        && PLACEHOLDERS.contains(&noun)
    {
        return true;
    }
    let around = ["****", "...", "\u{2026}"].iter().find_map(|gap| {
        let at = memchr::memmem::find(lower.as_bytes(), gap.as_bytes())?;
        Some((&lower[..at], &lower[at + gap.len()..]))
    });
    let plain = |t: &str| t.len() <= 6 && t.bytes().all(|b| b.is_ascii_alphanumeric());
    around.is_some_and(|(before, after)| plain(before) && plain(after.trim_start_matches(['*', '.'])))
}

fn strip_quotes(s: &[u8]) -> &[u8] {
    match s {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => s,
    }
}

/// Whether `value` is what `plainsight redact` leaves in a credential's place: a mark, or nothing but stars.
pub fn is_redacted(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value)
        .unwrap_or_default()
        .to_ascii_lowercase();
    text.starts_with("plainsight-") && is_mark(&text) || value.iter().all(|&b| b == b'*')
}

/// Whether what stands after `plainsight-` makes it a mark.
fn is_mark(lower: &str) -> bool {
    let rest = &lower["plainsight-".len()..];
    rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_secrets() {
        for word in [
            "Wetlands_Inventory_2023_Final",
            "user-profile",
            "OBJECTID",
            "en-US",
            "application/json",
            "text/html; charset=utf-8",
            "Mozilla/5.0",
            "utm_source",
            "WorldStreetMap2024",
            "MapServer",
            "1,2,3.5",
            "newsletter_spring_2026",
            "https://www.example.com/a/b",
            "esriGeometryEnvelope",
            "NYCParksGISDataURL",
        ] {
            assert!(is_wordy(word.as_bytes()), "{word}");
            assert!(!is_secret_like(word.as_bytes()), "{word}");
        }
        for secret in [
            "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA",
            "4f3c2a1b9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a",
            "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "18eed660b9450472922e598502167228",
            "c2hvcnR0b2tlbnZhbHVlMTIz",
            "zxcvbnmlkjhgfdsqwrtpzxcv",
            "EWQHdsUbpTEHModwQncVYztUQlXWKUuX",
        ] {
            assert!(!is_wordy(secret.as_bytes()), "{secret}");
        }
    }

    #[test]
    fn placeholders_are_known() {
        assert!(PLACEHOLDERS.iter().all(|p| "your".len() + p.len() <= LONGEST));
        for p in [
            "",
            "***",
            "xxxxxxxx",
            "[REDACTED]",
            "[FILTERED]",
            "<token>",
            "{token}",
            "YOUR_TOKEN",
            "your-api-key",
            "undefined",
            "NaN",
            "${TOKEN}",
            "%TOKEN%",
            "AKIAIOSFODNN7EXAMPLE",
            "\"\"",
            "PLAINSIGHT-0123456789abcdef",
            "abcd********",
            "insert_your_key_here",
            "{{ token }}",
            "__TOKEN__",
            "**REDACTED**",
            "--redacted--",
            "XXX-REDACTED",
            "REDACTED-9f86d081",
            "scrubbed",
            "[hidden]",
            "\u{2022}\u{2022}\u{2022}\u{2022}",
            "\u{25CF}\u{25CF}\u{25CF}\u{25CF}",
            "$PASSWORD",
            "@password",
            "%s",
            "%(password)s",
            "yourpassword",
            "abcd****wxyz",
            "hT7p...Zr8c",
        ] {
            assert!(is_placeholder(p.as_bytes()), "{p}");
        }
        for v in [
            "Summer1",
            "Tiger7!",
            "hunter2",
            "my-Secret-77-pw",
            "Zq81kfUwe_x",
            "another-Pw-77",
            "a",
            "*Ab3x9",
            "$Tr0ng!",
            "$ummer",
            "@dmin77",
            "a..b..c9",
            "Zq8...kfUwe_x4711",
        ] {
            assert!(!is_placeholder(v.as_bytes()) || v == "a", "{v}");
        }
    }

    #[test]
    fn shapes_by_characters() {
        assert!(is_uuid(b"123e4567-e89b-42d3-a456-426614174000"));
        assert!(is_hex(b"3c74189a") && !is_hex(b"deadbeef") && !is_hex(b"12345678"));
        assert!(is_number(b"-1.3e7") && !is_number(b"3c7"));
        assert!(entropy(b"aaaa") < 0.1 && entropy(b"abcd") > 1.9);
    }
}
