//! The right word for a mistyped one, and what is wrong with a text that was.

use crate::report::safe;

/// What a TOML parser says of `text`: where, and what, without the line itself, which can be long, or not TOML at all.
pub fn toml_error(e: &toml::de::Error, text: &str) -> String {
    let before = e.span().and_then(|s| text.get(..s.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message: String = e.message().chars().take(MESSAGE).collect();
    format!(
        "line {line}, column {column}: {}{}",
        safe::label(&message),
        hint_of(e.message())
    )
}

/// Characters of a parser's message that are told.
const MESSAGE: usize = 2000;

/// ` (did you mean …?)` for the name nearest to `word`, where one is near.
pub fn hint<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> String {
    let best = all.map(|a| (distance(word, a), a)).min();
    match best {
        Some((d, name)) if d <= 1 + word.len() / 3 => format!(" (did you mean {name}?)"),
        _ => String::new(),
    }
}

/// The hint for a message of serde's, which names what stood there and then what may stand there in backticks.
pub fn hint_of(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    names.next().map_or(String::new(), |word| hint(word, names))
}

/// Edits that lead from one word to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_where_it_is_near() {
        assert_eq!(hint("hgih", ["low", "high"].into_iter()), " (did you mean high?)");
        assert_eq!(hint("quite-another", ["low", "high"].into_iter()), "");
        let message = "unknown field `fail-on`, expected one of `paths`, `fail_on`";
        assert_eq!(hint_of(message), " (did you mean fail_on?)");
        assert_eq!(hint_of("no names"), "");
    }
}
