//! What a SAML response or WS-Federation reply tells of its end and of whom it signs in. No XML parser: a few
//! elements and attributes are looked for in the text, nothing is expanded, and nothing is believed of a signature.

use super::identity::Claim;
use crate::time::{Clock, Instant, TimeForm};
use std::io::Read;

/// What stands in it.
#[derive(Debug, Default)]
pub struct Statement {
    /// When it ends: the earliest end that it states.
    pub end: Option<Instant>,
    /// Whether its assertion is encrypted, so that nothing can be read.
    pub encrypted: bool,
    /// Who issued it, for whom, about whom.
    pub identity: Vec<Claim>,
}

/// Bytes of XML that are looked at.
const MAX: u64 = 256 << 10;

/// Reads the value of `SAMLResponse` (base64, of XML or of raw DEFLATE as the redirect binding has it: SAML 2.0
/// Bindings §3.4.4.1 and §3.5.4) or of `wresult` (XML); `None` where it is neither.
pub fn read(value: &[u8], clock: &Clock) -> Option<Statement> {
    let xml = if value.trim_ascii_start().starts_with(b"<") {
        value[..value.len().min(MAX as usize)].to_vec()
    } else {
        let plain = crate::text::coding_base64(value)?;
        if plain.trim_ascii_start().starts_with(b"<") {
            plain
        } else {
            let mut out = Vec::new();
            let inflated = flate2::read::DeflateDecoder::new(plain.as_slice())
                .take(MAX)
                .read_to_end(&mut out);
            // What was cut off may still tell.
            if inflated.is_err() && out.is_empty() || !out.trim_ascii_start().starts_with(b"<") {
                return None;
            }
            out
        }
    };
    let time = |t: &[u8]| clock.read(t, TimeForm::Iso);
    let ends = attributes(&xml, b"NotOnOrAfter").chain(elements(&xml, b"Expires"));
    let person = |kind, element: &[u8]| {
        let found = elements(&xml, element).next();
        found.and_then(|v| Claim::new(kind, v, true))
    };
    let thing = |kind, element: &[u8]| {
        let found = elements(&xml, element).next();
        found.and_then(|v| Claim::new(kind, v, false))
    };
    Some(Statement {
        end: ends.filter_map(time).min(),
        encrypted: memchr::memmem::find(&xml, b"EncryptedAssertion").is_some(),
        identity: [
            thing("issuer", b"Issuer"),
            thing("audience", b"Audience"),
            person("subject", b"NameID"),
        ]
        .into_iter()
        .flatten()
        .collect(),
    })
}

/// Elements and attributes of one name that are looked at, at most.
const MOST: usize = 16;

/// The values of an attribute; one whose name ends so (`SessionNotOnOrAfter`) is another.
fn attributes<'x>(xml: &'x [u8], name: &'x [u8]) -> impl Iterator<Item = &'x [u8]> {
    memchr::memmem::find_iter(xml, name)
        .filter(|at| at.checked_sub(1).is_some_and(|i| xml[i].is_ascii_whitespace()))
        .take(MOST)
        .filter_map(move |at| {
            let rest = xml[at + name.len()..].trim_ascii_start().strip_prefix(b"=")?;
            let rest = rest.trim_ascii_start();
            let quote = *rest.first().filter(|b| b"\"'".contains(b))?;
            let end = memchr::memchr(quote, &rest[1..])?;
            Some(&rest[1..=end])
        })
}

/// The texts of elements with this local name.
fn elements<'x>(xml: &'x [u8], name: &'x [u8]) -> impl Iterator<Item = &'x [u8]> {
    memchr::memmem::find_iter(xml, name)
        .take(MOST)
        .filter_map(move |at| {
            // `<Issuer …>` or `<saml:Issuer …>`, not `</…>` and no part of another name.
            let before = xml[..at].last()?;
            let begins = *before == b'<' || *before == b':';
            let rest = &xml[at + name.len()..];
            if !begins
                || !rest
                    .first()
                    .is_some_and(|b| *b == b'>' || b.is_ascii_whitespace())
            {
                return None;
            }
            let open = xml[..at].iter().rposition(|b| *b == b'<')?;
            if xml.get(open + 1) == Some(&b'/') {
                return None;
            }
            let text = &rest[memchr::memchr(b'>', rest)? + 1..];
            Some(text[..memchr::memchr(b'<', text)?].trim_ascii())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// After the example of SAML 2.0 Technical Overview §5.1, shortened.
    const RESPONSE: &str = r#"<samlp:Response ID="r1"><saml:Issuer>https://idp.example.org/SAML2</saml:Issuer>
        <saml:Assertion><saml:Issuer>https://idp.example.org/SAML2</saml:Issuer>
        <saml:Subject><saml:NameID Format="urn:x">jo@example.org</saml:NameID>
        <saml:SubjectConfirmation><saml:SubjectConfirmationData NotOnOrAfter="2026-12-05T09:27:05Z"/></saml:SubjectConfirmation></saml:Subject>
        <saml:Conditions NotBefore="2026-12-05T09:17:05Z" NotOnOrAfter='2026-12-05T09:25:00Z'>
        <saml:AuthnStatement SessionNotOnOrAfter="2026-12-05T09:20:00Z"/><saml:AudienceRestriction><saml:Audience>https://sp.example.com/SAML2</saml:Audience></saml:AudienceRestriction>
        </saml:Conditions></saml:Assertion></samlp:Response>"#;

    /// The end, and kinds and values of what is told.
    type Told = (Option<String>, Vec<(&'static str, String)>);

    fn told(value: &[u8]) -> Option<Told> {
        let clock = Clock {
            now: Instant(0),
            zone: jiff::tz::TimeZone::UTC,
        };
        let s = read(value, &clock)?;
        let claims = s.identity.iter().map(|c| (c.kind, c.value.to_string()));
        Some((s.end.map(|t| t.to_string()), claims.collect()))
    }

    #[test]
    fn both_bindings_are_read() {
        let want = Some((
            Some("2026-12-05T09:25:00Z".to_string()),
            vec![
                ("issuer", "https://idp.example.org/SAML2".to_string()),
                ("audience", "https://sp.example.com/SAML2".to_string()),
                ("subject", "jo@example.org".to_string()),
            ],
        ));
        let post = data_encoding::BASE64.encode(RESPONSE.as_bytes());
        assert_eq!(told(post.as_bytes()), want);
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(RESPONSE.as_bytes()).unwrap();
        let redirect = data_encoding::BASE64.encode(&deflate.finish().unwrap());
        assert_eq!(told(redirect.as_bytes()), want);
        assert_eq!(told(RESPONSE.as_bytes()), want);
    }

    #[test]
    fn what_is_none_tells_nothing() {
        assert_eq!(told(b"AAAA"), None);
        assert_eq!(told(b"none"), None);
        let bomb = data_encoding::BASE64.encode(b"<a NotOnOrAfter=\"never\" NotOnOrAfter=");
        assert_eq!(told(bomb.as_bytes()), Some((None, vec![])));
    }
}
