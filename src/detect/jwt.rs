//! What a JSON Web Token tells of itself: its end, who issued it, for whom and for what (RFC 7519). Its signature is
//! not looked at: a token tells, it proves nothing here.

use super::identity::Claim;
use super::liveness::{Facts, Liveness, Reading, State};
use crate::rule::checksum;
use crate::text::{Base, Text, json};

/// Claims of a token that are told (RFC 7519 §4.1, OpenID Connect Core §2 and §5.1, RFC 8693 §4.2), what they are
/// called, and whether they name a person.
const CLAIMS: &[(&str, &str, bool)] = &[
    ("iss", "issuer", false),
    ("aud", "audience", false),
    ("azp", "client", false),
    ("client_id", "client", false),
    ("scope", "scope", false),
    ("scp", "scope", false),
    ("roles", "role", false),
    ("tid", "tenant", false),
    ("sub", "subject", true),
    ("email", "e-mail", true),
    ("upn", "user", true),
    ("preferred_username", "user", true),
];

/// Claims of one token that are told, at most: a claim can be a list.
const MAX_CLAIMS: usize = 12;

/// Reads it.
pub(super) fn read(facts: &Facts) -> Reading {
    let Some((head, body_text)) = checksum::jwt_parts(facts.value) else {
        return Reading::UNKNOWN;
    };
    let unsigned = checksum::unsigned(&head);
    let root = Base::Source { offset: 0 };
    let Some(body) = json::read(Text::new(&body_text, &root)) else {
        return Reading::UNKNOWN;
    };
    let mut told: Vec<Claim> = Vec::new();
    if unsigned {
        told.extend(Claim::new("algorithm", b"none: the token is not signed", false));
    }
    for (path, kind, person) in CLAIMS {
        let all = body.members.iter().filter(|m| &*m.path == *path);
        told.extend(all.filter_map(|m| Claim::new(kind, m.value.bytes(), *person)));
    }
    told.truncate(MAX_CLAIMS);
    // The path does not tell a list from a scalar; what stands between name and value does.
    let scalar = |m: &json::Member| {
        let begin = m.value.span().start as usize;
        let before = body_text.get(..begin).unwrap_or_default();
        m.kind == json::Kind::Number && before.trim_ascii_end().ends_with(b":")
    };
    let exp = body.members.iter().find(|m| &*m.path == "exp");
    match exp {
        Some(m) if scalar(m) => facts.until(crate::time::epoch(m.value.bytes()), "the token's own `exp`"),
        Some(_) => Liveness {
            basis: "the token's `exp` is no number",
            ..Liveness::UNKNOWN
        }
        .into(),
        None => Liveness {
            state: State::NoExpiry,
            until: None,
            basis: "the token has no `exp`",
        }
        .into(),
    }
    .telling(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, Instant};

    /// State, end and claims of a token on 2026-11-18.
    fn told(value: &str) -> ((State, Option<String>), Vec<String>) {
        let clock = Clock {
            now: Instant::new(1_795_000_000, 0).unwrap(),
            zone: jiff::tz::TimeZone::UTC,
        };
        let reading = read(&Facts {
            value: value.as_bytes(),
            time: None,
            clock: &clock,
            param: &|_| None,
            reply: None,
        });
        let life = reading.life;
        let claims = reading.identity.iter().map(|c| format!("{}={}", c.kind, c.value));
        ((life.state, life.until.map(|t| t.to_string())), claims.collect())
    }

    fn token(head: &str, body: &str) -> String {
        let part = |s: &str| data_encoding::BASE64URL_NOPAD.encode(s.as_bytes());
        format!("{}.{}.c2ln", part(head), part(body))
    }

    #[test]
    fn what_a_token_tells() {
        // RFC 7519 §3.1 has these claims; its token ended in 2011.
        let rfc = token(
            r#"{"typ":"JWT","alg":"HS256"}"#,
            r#"{"iss":"joe","exp":1300819380,"http://example.com/is_root":true}"#,
        );
        let ended = (State::Expired, Some("2011-03-22T18:43:00Z".to_string()));
        assert_eq!(told(&rfc).0, ended);
        assert_eq!(told(&rfc).1, ["issuer=joe"]);
        // RFC 7519 §6.1: an unsecured token.
        let unsigned = token(
            r#"{"alg":"none"}"#,
            r#"{"iss":"joe","aud":["a","b"],"scope":"read write","sub":"u-1"}"#,
        );
        assert_eq!(told(&unsigned).0, (State::NoExpiry, None));
        assert_eq!(
            told(&unsigned).1,
            [
                "algorithm=none: the token is not signed",
                "issuer=joe",
                "audience=a",
                "audience=b",
                "scope=read write",
                "subject=u-1"
            ]
        );
        assert_eq!(told("no.token.at-all"), ((State::Unknown, None), vec![]));
        // RFC 7519 §2: a NumericDate is a number. §4.1.4: it ends the token on that second.
        for none in [r#"[1]"#, r#"[[1], 2]"#, r#""1300819380""#, "null", r#""""#] {
            let odd = token(r#"{"alg":"HS256"}"#, &format!(r#"{{"exp":{none}}}"#));
            assert_eq!(told(&odd).0, (State::Unknown, None), "{none}");
        }
        for (at, state) in [(1_795_000_000, State::Expired), (1_795_000_001, State::Unexpired)] {
            let edge = token(r#"{"alg":"HS256"}"#, &format!(r#"{{"exp": {at}}}"#));
            assert_eq!(told(&edge).0.0, state);
        }
    }
}
