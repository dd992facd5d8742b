//! Whether a credential can still work, as far as it tells itself: nothing is asked, and nothing is claimed
//! beyond "has not expired". Each basis says what was read and from where.

use crate::rule::checksum;
use crate::text::{Base, Text, json};
use crate::time::{Clock, Instant, TimeForm};
use serde::{Deserialize, Serialize};

/// What a rule's credentials tell of their expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// `exp` of a JSON Web Token (RFC 7519 §4.1.4).
    Jwt,
    /// `X-Amz-Date` + `X-Amz-Expires` (AWS Signature Version 4, query parameters).
    Sigv4,
    /// `Expires`, seconds since 1970 (AWS v2, GCS v2, CloudFront canned policy, Alibaba).
    ExpiresEpoch,
    /// `se` of an Azure shared access signature.
    AzureSas,
    /// `X-Goog-Date` + `X-Goog-Expires`.
    GcsV4,
    /// `Expires`, or the policy's `AWS:EpochTime`.
    Cloudfront,
    /// `exp=` in an Akamai token.
    Akamai,
    /// `q-sign-time=start;end`.
    Tencent,
    /// An authorization code: ten minutes (RFC 6749 §4.1.2).
    OauthCode,
    /// `expiration` minutes after the request, 60 where it is not there.
    ArcgisTokenRequest,
    /// An ArcGIS token: opaque.
    ArcgisToken,
    /// A legacy ArcGIS API key: retired in June 2026.
    ArcgisLegacyKey,
    /// `expires_in` seconds after the response.
    OauthToken,
    /// Until somebody changes it.
    Permanent,
    /// `NotOnOrAfter` of a SAML response.
    Saml,
    /// A link or code that works once or for a short time.
    OneTime,
}

crate::record::words! {
    /// What is known of a credential's life, best to worst.
    State {
        /// Its end has passed.
        Expired = "expired",
        /// Its kind is not accepted any more.
        Retired = "retired",
        /// It does not tell.
        Unknown = "unknown",
        /// It has an end, which has not come.
        Unexpired = "unexpired",
        /// It has no end.
        NoExpiry = "no-expiry",
    }
}

/// What is known of one credential's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// The state at the clock.
    pub state: State,
    /// When it ends or ended.
    pub until: Option<Instant>,
    /// What this was read from.
    pub basis: &'static str,
}

impl Liveness {
    /// Nothing is known.
    pub const UNKNOWN: Liveness = Liveness {
        state: State::Unknown,
        until: None,
        basis: "the value does not tell when it expires",
    };
}

/// What can be looked at for it.
pub struct Facts<'a> {
    /// The canonical value.
    pub value: &'a [u8],
    /// When the record was written.
    pub time: Option<Instant>,
    /// The run's clock.
    pub clock: &'a Clock,
    /// A parameter beside it, by folded name, decoded.
    pub param: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

/// June 2026 in ArcGIS' announcement; the month's end, so that nothing is called retired too early.
const ARCGIS_LEGACY_END: Instant = Instant(1_782_863_999 * 1_000_000);

/// Reads it.
pub fn read(basis: Basis, facts: &Facts) -> Liveness {
    let until = |end: Option<Instant>, basis: &'static str| match end {
        Some(end) => {
            let state = if end < facts.clock.now {
                State::Expired
            } else {
                State::Unexpired
            };
            Liveness {
                state,
                until: Some(end),
                basis,
            }
        }
        None => Liveness::UNKNOWN,
    };
    let param = facts.param;
    let seconds = |name: &str| number(&param(name)?);
    let after = |secs: Option<i64>| Some(facts.time?.plus_seconds(secs?));
    match basis {
        Basis::Jwt => match jwt_expiry(facts.value) {
            Some(Some(end)) => until(Some(end), "the token's own `exp`"),
            Some(None) => Liveness {
                state: State::NoExpiry,
                until: None,
                basis: "the token has no `exp`",
            },
            None => Liveness::UNKNOWN,
        },
        Basis::Sigv4 => until(
            signed(param("x_amz_date"), seconds("x_amz_expires")),
            "X-Amz-Date and X-Amz-Expires",
        ),
        Basis::GcsV4 => until(
            signed(param("x_goog_date"), seconds("x_goog_expires")),
            "X-Goog-Date and X-Goog-Expires",
        ),
        Basis::ExpiresEpoch => until(
            seconds("expires").and_then(|s| Instant::new(s, 0)),
            "the parameter `Expires`",
        ),
        Basis::AzureSas => match param("se") {
            Some(se) => until(facts.clock.read(&se, TimeForm::Iso), "the parameter `se`"),
            None => Liveness {
                state: State::Unknown,
                until: None,
                basis: "its end stands in a stored access policy",
            },
        },
        Basis::Cloudfront => match seconds("expires") {
            Some(s) => until(Instant::new(s, 0), "the parameter `Expires`"),
            None => until(
                param("policy").and_then(|p| cloudfront_policy(&p)),
                "DateLessThan of the policy",
            ),
        },
        Basis::Akamai => until(akamai(facts.value), "`exp` in the token"),
        Basis::Tencent => {
            let end = param("q_sign_time").and_then(|v| number(v.split(|&b| b == b';').nth(1)?));
            until(
                end.and_then(|s| Instant::new(s, 0)),
                "the parameter `q-sign-time`",
            )
        }
        Basis::OauthCode => until(
            after(Some(600)),
            "authorization codes live ten minutes at most (RFC 6749 §4.1.2)",
        ),
        Basis::OauthToken => until(
            after(seconds("expires_in")),
            "`expires_in` after the time of the record",
        ),
        Basis::ArcgisTokenRequest | Basis::Permanent => Liveness {
            state: State::NoExpiry,
            until: None,
            basis: "valid until it is changed",
        },
        Basis::ArcgisToken => match seconds("expires").and_then(epoch_millis) {
            Some(end) => until(Some(end), "`expires` beside the token"),
            None => Liveness {
                state: State::Unknown,
                until: None,
                basis: "an ArcGIS token does not tell its end; 60 or 120 minutes by default",
            },
        },
        Basis::ArcgisLegacyKey => {
            let basis = "legacy ArcGIS API keys were to be retired in June 2026";
            let retired = facts.clock.now > ARCGIS_LEGACY_END;
            Liveness {
                state: if retired { State::Retired } else { State::Unexpired },
                until: Some(ARCGIS_LEGACY_END),
                basis,
            }
        }
        Basis::Saml => Liveness {
            state: State::Unknown,
            until: None,
            basis: "the response was not opened",
        },
        Basis::OneTime => Liveness {
            state: State::Unknown,
            until: None,
            basis: "works once or for a short time; the log does not tell",
        },
    }
}

fn number(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes)
        .ok()?
        .trim()
        .parse()
        .ok()
        .filter(|n| (0..1 << 53).contains(n))
}

fn epoch_millis(ms: i64) -> Option<Instant> {
    Instant::new(ms / 1000, ms % 1000 * 1000)
}

/// `YYYYMMDDThhmmssZ` plus seconds.
fn signed(date: Option<Vec<u8>>, seconds: Option<i64>) -> Option<Instant> {
    let date = date.filter(|d| d.len() == 16 && d[8] == b'T')?;
    let d = std::str::from_utf8(&date).ok()?;
    let iso = format!(
        "{}-{}-{}T{}:{}:{}Z",
        d.get(..4)?,
        d.get(4..6)?,
        d.get(6..8)?,
        d.get(9..11)?,
        d.get(11..13)?,
        d.get(13..15)?
    );
    let at = Clock {
        now: Instant(0),
        zone: jiff::tz::TimeZone::UTC,
    }
    .read(iso.as_bytes(), TimeForm::Iso)?;
    Some(at.plus_seconds(seconds?.min(604_800)))
}

/// The `exp` of a token: `None` where it is no token, `Some(None)` where it has none.
fn jwt_expiry(value: &[u8]) -> Option<Option<Instant>> {
    let (_, body) = checksum::jwt_parts(value)?;
    let root = Base::Source { offset: 0 };
    let doc = json::read(Text::new(&body, &root))?;
    let exp = doc.members.iter().find(|m| &*m.path == "exp");
    Some(exp.and_then(|m| crate::time::epoch(m.value.bytes())))
}

/// The `AWS:EpochTime` of a custom policy; its alphabet has `-_~` for `+=/`.
fn cloudfront_policy(policy: &[u8]) -> Option<Instant> {
    let plain: Vec<u8> = policy
        .iter()
        .map(|b| match b {
            b'-' => b'+',
            b'_' => b'=',
            b'~' => b'/',
            b => *b,
        })
        .collect();
    let json = crate::text::coding_base64(&plain)?;
    let root = Base::Source { offset: 0 };
    let doc = json::read(Text::new(&json, &root))?;
    let at = doc
        .members
        .iter()
        .find(|m| m.path.ends_with("DateLessThan.AWS:EpochTime"))?;
    Instant::new(number(at.value.bytes())?, 0)
}

fn akamai(value: &[u8]) -> Option<Instant> {
    let exp = value
        .split(|&b| b == b'~')
        .find_map(|p| p.strip_prefix(b"exp="))?;
    Instant::new(number(exp)?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(basis: Basis, value: &str, params: &[(&str, &str)]) -> (State, Option<String>) {
        let now = Instant::new(1_795_000_000, 0).unwrap(); // 2026-11-18
        let clock = Clock {
            now,
            zone: jiff::tz::TimeZone::UTC,
        };
        let param = |name: &str| {
            params
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.as_bytes().to_vec())
        };
        let time = Instant::new(1_767_225_600, 0);
        let l = read(
            basis,
            &Facts {
                value: value.as_bytes(),
                time,
                clock: &clock,
                param: &param,
            },
        );
        (l.state, l.until.map(|t| t.to_string()))
    }

    #[test]
    fn what_a_credential_tells_of_its_end() {
        let s = |t: &str| Some(t.to_string());
        let fill = crate::rule::example::fill;
        assert_eq!(
            at(Basis::Jwt, &fill("{jwt}"), &[]),
            (State::Unexpired, s("2030-03-17T17:46:40Z"))
        );
        assert_eq!(at(Basis::Jwt, &fill("{jwt:expired}"), &[]).0, State::Expired);
        assert_eq!(
            at(
                Basis::Sigv4,
                "",
                &[("x_amz_date", "20260101T000000Z"), ("x_amz_expires", "3600")]
            ),
            (State::Expired, s("2026-01-01T01:00:00Z"))
        );
        assert_eq!(
            at(Basis::AzureSas, "", &[("se", "2027-01-02T00:00:00Z")]),
            (State::Unexpired, s("2027-01-02T00:00:00Z"))
        );
        assert_eq!(
            at(Basis::ExpiresEpoch, "", &[("expires", "1760000000")]).0,
            State::Expired
        );
        assert_eq!(
            at(Basis::Akamai, "st=1~exp=1799999999~acl=/*~hmac=00", &[]).0,
            State::Unexpired
        );
        assert_eq!(
            at(Basis::OauthCode, "", &[]),
            (State::Expired, s("2026-01-01T00:10:00Z"))
        );
        assert_eq!(at(Basis::ArcgisLegacyKey, "", &[]).0, State::Retired);
        assert_eq!(
            at(Basis::ArcgisToken, "", &[("expires", "1767229200000")]).0,
            State::Expired
        );
        let policy = data_encoding::BASE64
            .encode(br#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1799999999}}}]}"#);
        assert_eq!(
            at(
                Basis::Cloudfront,
                "",
                &[(
                    "policy",
                    &policy.replace('+', "-").replace('=', "_").replace('/', "~")
                )]
            )
            .0,
            State::Unexpired
        );
    }
}
