//! Templates: strings that servers take for their log formats, compiled into splitters. A column reaches to the
//! next literal; where that stands inside the value too (an unescaped quote in a request line), the columns
//! after it decide, by what may stand in them.

use super::columns::{Builder, Column};
use crate::record::Record;
use crate::text::{Base, Coding, Text};
use std::borrow::Cow;
use std::ops::Range;

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template {
    tokens: Vec<Token>,
    /// What is undone in its columns.
    escape: Option<Coding>,
    /// Whether several blanks stand for one.
    squeeze: bool,
}

#[derive(Clone, Debug)]
enum Token {
    Literal(Vec<u8>),
    Column(Column),
}

/// Steps that one line may cost: a line that looks like many formats at once is nobody's.
const BUDGET: u32 = 400;

/// Where the columns of a line stand; one after the other can be asked with the same.
pub type Ranges = Vec<Range<usize>>;

/// How well a line has to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// To its end.
    Exact,
    /// Further columns may follow, and the last quote may be missing.
    Extra,
    /// User names may have blanks, too.
    Relaxed,
}

impl Template {
    /// From literals and columns.
    pub fn new(
        parts: Vec<Result<Vec<u8>, Column>>,
        escape: Option<Coding>,
        squeeze: bool,
    ) -> Result<Template, String> {
        let mut tokens: Vec<Token> = Vec::new();
        for part in parts {
            match (part, tokens.last_mut()) {
                (Ok(text), _) if text.is_empty() => {}
                (Ok(text), Some(Token::Literal(last))) => last.extend(text),
                (Ok(text), _) => tokens.push(Token::Literal(text)),
                (Err(column), Some(Token::Column(last))) => {
                    *last = last.joined(&column).ok_or_else(|| {
                        format!(
                            "nothing stands between the columns {last:?} and {column:?}: they cannot be told apart"
                        )
                    })?;
                }
                (Err(column), _) => tokens.push(Token::Column(column)),
            }
        }
        if !tokens.iter().any(|t| matches!(t, Token::Column(_))) {
            return Err("it has no column".into());
        }
        Ok(Template {
            tokens,
            escape,
            squeeze,
        })
    }

    /// Its columns.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.tokens.iter().filter_map(|t| match t {
            Token::Column(c) => Some(c),
            Token::Literal(_) => None,
        })
    }

    /// Where its columns stand in `line`; the last range is what is beyond them.
    fn split(&self, line: &[u8], fit: Fit, out: &mut Ranges) -> bool {
        out.clear();
        let mut budget = BUDGET;
        self.walk(line, 0, 0, fit, out, &mut budget)
    }

    fn walk(
        &self,
        line: &[u8],
        token: usize,
        at: usize,
        fit: Fit,
        out: &mut Ranges,
        budget: &mut u32,
    ) -> bool {
        if *budget == 0 {
            return false;
        }
        *budget -= 1;
        let rest = &line[at..];
        match self.tokens.get(token) {
            None => {
                let fits =
                    rest.is_empty() || rest.trim_ascii().is_empty() || (fit != Fit::Exact && rest[0] == b' ');
                if fits {
                    out.push(at..line.len());
                }
                fits
            }
            Some(Token::Literal(text)) => match self.literal(rest, text) {
                Some(len) => self.walk(line, token + 1, at + len, fit, out, budget),
                None => false,
            },
            Some(Token::Column(column)) => self.column(line, token, column, at, fit, out, budget),
        }
    }

    #[allow(clippy::too_many_arguments)] // the state of one search
    fn column(
        &self,
        line: &[u8],
        token: usize,
        column: &Column,
        at: usize,
        fit: Fit,
        out: &mut Ranges,
        budget: &mut u32,
    ) -> bool {
        let relaxed = fit == Fit::Relaxed;
        let mark = out.len();
        let Some(Token::Literal(next)) = self.tokens.get(token + 1) else {
            let rest = &line[at..];
            let mut end = rest.len();
            if !column.admits(rest, relaxed) {
                // What holds no blank ends at one, and further columns follow.
                let blank = memchr::memchr(b' ', rest).filter(|_| fit != Fit::Exact && column.is_word());
                let Some(blank) = blank.filter(|&n| column.admits(&rest[..n], relaxed)) else {
                    return false;
                };
                end = blank;
            }
            out.push(at..at + end);
            out.push(at + end..line.len());
            return true;
        };
        let last = self.tokens.len() == token + 2;
        let quoted = next[0] == b'"' && self.escape == Some(Coding::Backslash);
        let mut from = at;
        while let Some(found) = find(&line[from..], next).map(|n| from + n) {
            from = found + 1;
            if quoted && escaped(&line[at..found]) {
                continue;
            }
            if !column.admits(&line[at..found], relaxed) {
                // What holds no blank cannot reach beyond one.
                if column.is_word() && next[0] == b' ' {
                    return false;
                }
                if *budget == 0 {
                    return false;
                }
                *budget -= 1;
                continue;
            }
            out.push(at..found);
            let len = self.literal(&line[found..], next).unwrap_or(next.len());
            if self.walk(line, token + 2, found + len, fit, out, budget) {
                return true;
            }
            out.truncate(mark);
            if *budget == 0 {
                return false;
            }
        }
        // The writer was cut off in the last column.
        if last && fit != Fit::Exact && *next == *b"\"" && column.admits(&line[at..], relaxed) {
            out.push(at..line.len());
            out.push(line.len()..line.len());
            return true;
        }
        false
    }

    /// Length of the literal at the start of `rest`.
    fn literal(&self, rest: &[u8], text: &[u8]) -> Option<usize> {
        if !self.squeeze || !text.contains(&b' ') {
            return rest.starts_with(text).then_some(text.len());
        }
        let mut at = 0;
        for &b in text {
            if b == b' ' {
                let blanks = rest[at..].iter().take_while(|&&b| b == b' ').count();
                (blanks > 0).then_some(())?;
                at += blanks;
            } else {
                (rest.get(at) == Some(&b)).then_some(())?;
                at += 1;
            }
        }
        Some(at)
    }

    /// Whether `line` fits, and where its columns stand then.
    pub fn fits(&self, line: Text, fit: Fit, ranges: &mut Ranges) -> bool {
        self.split(line.bytes(), fit, ranges)
    }

    /// Reads `line`, whose columns stand where [`Template::fits`] said.
    pub fn read(&self, line: Text, ranges: &Ranges, format: u16, visit: &mut dyn FnMut(&Record)) {
        let marker = match self.escape {
            Some(Coding::Backslash) => memchr::memchr(b'\\', line.bytes()).is_some(),
            Some(Coding::Hash) => memchr::memchr(b'#', line.bytes()).is_some(),
            Some(Coding::Percent) => memchr::memchr(b'%', line.bytes()).is_some(),
            Some(_) => true,
            None => false,
        };
        let extra = Column::Other;
        let mut columns: Vec<&Column> = Vec::with_capacity(ranges.len());
        let mut raw: Vec<Text> = Vec::with_capacity(ranges.len());
        for (column, range) in self.columns().chain(std::iter::once(&extra)).zip(ranges) {
            each_value(column, line.slice(range.clone()), &mut |value| {
                columns.push(column);
                raw.push(value);
            });
        }
        let coding = self.escape.filter(|_| marker);
        let plain: Vec<Cow<[u8]>> = raw
            .iter()
            .map(|t| coding.map_or(Cow::Borrowed(t.bytes()), |c| c.decode(t.bytes())))
            .collect();
        let bases: Vec<Base> = raw
            .iter()
            .map(|&from| Base::decoded(from, coding.unwrap_or(Coding::Percent)))
            .collect();
        let mut builder = Builder::default();
        let texts = raw
            .iter()
            .zip(&plain)
            .zip(&bases)
            .map(|((&raw, plain), base)| match plain {
                Cow::Borrowed(_) => raw,
                Cow::Owned(bytes) => Text::new(bytes, base),
            });
        for (column, text) in columns.into_iter().zip(texts) {
            builder.add(column, text);
        }
        visit(&builder.finish(format));
    }
}

/// The values that a column holds: several where it is a list, which is cut before escapes are undone.
fn each_value<'a>(column: &Column, text: Text<'a>, visit: &mut dyn FnMut(Text<'a>)) {
    if !matches!(column, Column::Captured(_)) {
        return visit(text);
    }
    let bytes = text.bytes();
    let braced = bytes.len() >= 2 && bytes[0] == b'{' && bytes[bytes.len() - 1] == b'}';
    let mut rest = if braced {
        text.slice(1..bytes.len() - 1)
    } else {
        text
    };
    while let Some((first, after)) = rest.split_once(b'|') {
        visit(first);
        rest = after;
    }
    visit(rest);
}

/// Where `literal` stands first. Literals between columns are a few bytes, and lines are short: a searcher would take
/// longer to make than to use.
fn find(line: &[u8], literal: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    memchr::memchr_iter(first, line).find(|at| line[*at..].starts_with(literal))
}

/// Whether a quote after `before` is escaped.
fn escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 1
}
