//! JSON in the call of a function (`callback({…});`), which is how pages asked other sites before CORS was.

use crate::text::{Text, json};

/// Bytes in which the call's argument has to begin.
const MAX_CALL: usize = 512;

/// Where the object or list begins that `bytes` are, or that is the argument of the call that they are; `None` where
/// they are neither.
pub(super) fn argument(bytes: &[u8]) -> Option<usize> {
    let head = &bytes[..bytes.len().min(MAX_CALL)];
    let (mut at, mut before) = (0, b'(');
    let mut first = true;
    while let Some(&b) = head.get(at) {
        let rest = &head[at..];
        let comment: Option<(&[u8], &[u8])> = match rest {
            [b'/', b'*', ..] => Some((b"/*", b"*/")),
            [b'/', b'/', ..] => Some((b"//", b"\n")),
            _ => None,
        };
        if let Some((open, close)) = comment {
            at += open.len() + memchr::memmem::find(&rest[open.len()..], close)? + close.len();
            continue;
        }
        match b {
            b'{' | b'[' if before == b'(' => return Some(at),
            // `jsonp_callbacks[3]({…})`, `typeof cb === 'function' && cb({…})`.
            b if b.is_ascii_whitespace() => {}
            b if b.is_ascii_alphanumeric() || b"_$.[]'=&;".contains(&b) && !first || b"_$;".contains(&b) => {
                (before, first) = (b, false);
            }
            b'(' if !first => before = b,
            _ => return None,
        }
        at += 1;
    }
    None
}

/// The argument of the call that `body` is; `None` where it is none, or where something follows.
pub(super) fn document(body: Text) -> Option<Text> {
    let at = argument(body.bytes()).filter(|&at| !body.bytes()[..at].trim_ascii().is_empty())?;
    let inner = body.from(at);
    let doc = json::read(inner).filter(|d| d.whole)?;
    let over = |b: &u8| b.is_ascii_whitespace() || b");".contains(b);
    inner.bytes()[doc.end..]
        .iter()
        .all(over)
        .then(|| inner.to(doc.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Base;

    #[test]
    fn calls_are_told_from_what_is_none() {
        for (text, found) in [
            ("{\"a\":1}", Some("{\"a\":1}")),
            (" [1]", Some("[1]")),
            ("cb({})", Some("{})")),
            ("onInputData (\n{});", Some("{});")),
            ("/**/cb({}", Some("{}")),
            ("// x {\n/* ( */ dojo.io.cb_1._x( {}", Some("{}")),
            ("/**/ typeof cb === 'function' && cb({}", Some("{}")),
            ("cb[3]([])", Some("[])")),
            ("({})", None),
            ("\"({})", None),
            ("<a>({})", None),
            ("GET /a({})", None),
            ("cb {}", None),
            ("[core]", Some("[core]")),
            ("", None),
        ] {
            assert_eq!(argument(text.as_bytes()).map(|at| &text[at..]), found, "{text}");
        }
        let base = Base::Source { offset: 0 };
        let inner = |t: &'static str| document(Text::new(t.as_bytes(), &base)).map(|t| t.bytes());
        assert_eq!(inner("cb({\"a\":1});\n"), Some(&b"{\"a\":1}"[..]));
        assert_eq!(inner("cb({\"a\":1}); token=T"), None);
        assert_eq!(inner("cb({\"a\":1"), None);
        assert_eq!(inner("{\"a\":1}"), None);
    }
}
