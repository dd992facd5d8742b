//! Whether a credential can still work, as far as it tells itself: nothing is asked, and nothing is claimed
//! beyond "has not expired". Each basis says what was read and from where. What it tells of whose it is comes along.

use super::ends::{akamai, cloudfront_policy, epoch_millis, number, signed};
use super::identity::{self, Claim};
use super::{jwt, saml};
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
    /// `se` of an Azure shared access signature, or `ske` of the delegation key that signed it, whichever is first.
    AzureSas,
    /// `X-Goog-Date` + `X-Goog-Expires`.
    GcsV4,
    /// `x-oss-date` + `x-oss-expires` (Alibaba Cloud OSS, V4).
    OssV4,
    /// `Expires`, or the policy's `AWS:EpochTime`, of a URL or of the cookies.
    Cloudfront,
    /// `exp=` in an Akamai token.
    Akamai,
    /// `q-sign-time=start;end`.
    Tencent,
    /// An authorization code: ten minutes (RFC 6749 §4.1.2).
    OauthCode,
    /// A code that a person types: ten minutes at most (NIST SP 800-63B §5.1.3.2).
    OneTimeCode,
    /// A device code: `expires_in` seconds after the response (RFC 8628 §3.2).
    DeviceCode,
    /// An AWS access key: until it is deactivated; a temporary one has an end that it does not tell.
    AwsKey,
    /// `expiration` minutes after the request, 60 where it is not there.
    ArcgisTokenRequest,
    /// An ArcGIS token: opaque. Its end stands beside it, or follows from the request that it is the reply to.
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

/// What a credential tells.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Of its life.
    pub life: Liveness,
    /// Of whose it is and what it may do.
    pub identity: Vec<Claim>,
}

impl Reading {
    /// Nothing is known.
    pub const UNKNOWN: Reading = Reading {
        life: Liveness::UNKNOWN,
        identity: Vec::new(),
    };
}

impl From<Liveness> for Reading {
    fn from(life: Liveness) -> Reading {
        Reading {
            life,
            identity: Vec::new(),
        }
    }
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
    /// Where it stands in a response's body: the request.
    pub reply: Option<Reply<'a>>,
}

/// June 2026 in ArcGIS' announcement; the month's end, so that nothing is called retired too early.
const ARCGIS_LEGACY_END: Instant = Instant(1_782_863_999 * 1_000_000);

/// What is said of an ArcGIS token where nothing tells its end.
const ARCGIS_OPAQUE: &str = "an ArcGIS token does not tell its end; 60 or 120 minutes by default";

/// The request to which a value is the reply.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    /// The path that was asked for.
    pub path: &'a [u8],
    /// A parameter of the request, in its query or its body, by folded name, decoded.
    pub param: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

impl Reply<'_> {
    /// How long a token lives that this request for one was given, and what that was read from; `None` where the
    /// request was for something else.
    fn arcgis_minutes(self) -> Option<(i64, &'static str)> {
        let path = self.path.to_ascii_lowercase();
        let path = path.strip_suffix(b"/").unwrap_or(&path);
        if !path.ends_with(b"/generatetoken") && !path.ends_with(b"/tokens") {
            return None;
        }
        let portal = memchr::memmem::find(path, b"/sharing/").is_some();
        Some(match (self.param)("expiration").and_then(|m| number(&m)) {
            Some(minutes) if minutes > 0 => (
                minutes.min(ARCGIS_LONGEST),
                "`expiration` of the request, in minutes after the time of the record",
            ),
            _ if portal => (120, "the request named no `expiration`: 120 minutes by default"),
            _ => (60, "the request named no `expiration`: 60 minutes by default"),
        })
    }
}

/// The longest life that an ArcGIS Server can be set to give, in minutes: a year.
const ARCGIS_LONGEST: i64 = 525_600;

/// Reads it.
pub fn read(basis: Basis, facts: &Facts) -> Reading {
    let param = facts.param;
    let seconds = |name: &str| number(&param(name)?);
    let after = |secs: Option<i64>| Some(facts.time?.plus_seconds(secs?));
    let epoch = |name: &str| seconds(name).and_then(|s| Instant::new(s, 0));
    let claim = |kind: &'static str, name: &str| Claim::new(kind, &param(name)?, false);
    let until = |end, basis| facts.until(end, basis);
    match basis {
        Basis::Jwt => jwt::read(facts),
        Basis::Sigv4 => {
            let credential = param("x_amz_credential").unwrap_or_default();
            let key = credential.split(|&b| b == b'/').next().unwrap_or_default();
            let end = signed(param("x_amz_date"), seconds("x_amz_expires"));
            until(end, "X-Amz-Date and X-Amz-Expires").telling([aws(key)].into_iter().flatten())
        }
        Basis::GcsV4 => {
            let credential = param("x_goog_credential").unwrap_or_default();
            let account = credential.split(|&b| b == b'/').next().unwrap_or_default();
            let end = signed(param("x_goog_date"), seconds("x_goog_expires"));
            until(end, "X-Goog-Date and X-Goog-Expires").telling(Claim::new(
                "service account",
                account,
                false,
            ))
        }
        Basis::ExpiresEpoch => until(epoch("expires"), "the parameter `Expires`").telling(
            [
                claim("service account", "googleaccessid"),
                param("awsaccesskeyid").and_then(|id| aws(&id)),
            ]
            .into_iter()
            .flatten(),
        ),
        Basis::AzureSas => {
            let rights = param("sp").map(|sp| identity::azure_rights(&sp));
            let told = [
                rights.and_then(|r| Claim::new("permissions", r.as_bytes(), false)),
                claim("only from the addresses", "sip"),
                claim("stored access policy", "si"),
                claim("signed by the delegation key of", "skoid"),
            ];
            let time = |t: &[u8]| facts.clock.read(t, TimeForm::Iso);
            let key_ends = param("ske").filter(|_| param("skoid").is_some());
            match param("se").map(|se| (time(&se), key_ends.and_then(|t| time(&t)))) {
                Some((Some(end), Some(key))) if key < end => until(
                    Some(key),
                    "the parameter `ske`: the key that signed it ends first",
                ),
                Some((end, _)) => until(end, "the parameter `se`"),
                None => Liveness::unknown("its end stands in a stored access policy").into(),
            }
            .telling(told.into_iter().flatten())
        }
        Basis::OssV4 => {
            let end = signed(param("x_oss_date"), seconds("x_oss_expires"));
            until(end, "x-oss-date and x-oss-expires")
        }
        Basis::Cloudfront => {
            let policy = param("policy").or_else(|| param("cloudfront_policy"));
            let cookie = || until(epoch("cloudfront_expires"), "the cookie `CloudFront-Expires`");
            match (policy.and_then(|p| cloudfront_policy(&p)), epoch("expires")) {
                (Some((end, told)), _) => until(end, "DateLessThan of the policy").telling(told),
                (None, Some(end)) => until(Some(end), "the parameter `Expires`"),
                (None, None) => cookie(),
            }
        }
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
        Basis::OneTimeCode => until(
            after(Some(600)),
            "codes that are typed live ten minutes at most (NIST SP 800-63B §5.1.3.2)",
        ),
        Basis::OauthToken | Basis::DeviceCode => until(
            after(seconds("expires_in")),
            "`expires_in` after the time of the record",
        )
        .telling(claim("scope", "scope")),
        Basis::AwsKey if facts.value.starts_with(b"ASIA") => Reading {
            life: Liveness::unknown(
                "a temporary key of AWS STS: 36 hours at most, from when it does not tell",
            ),
            identity: aws(facts.value).into_iter().collect(),
        },
        Basis::AwsKey => Reading {
            life: Liveness::PERMANENT,
            identity: aws(facts.value).into_iter().collect(),
        },
        Basis::ArcgisTokenRequest => {
            let user = param("username").and_then(|u| Claim::new("user", &u, true));
            Reading::from(Liveness::PERMANENT).telling(user)
        }
        Basis::Permanent => Liveness::PERMANENT.into(),
        Basis::ArcgisToken => match seconds("expires").and_then(epoch_millis) {
            Some(end) => until(Some(end), "`expires` beside the token"),
            None => match facts.reply.and_then(|reply| reply.arcgis_minutes()) {
                Some((minutes, basis)) => until(after(Some(minutes * 60)), basis),
                None => Liveness::unknown(ARCGIS_OPAQUE).into(),
            },
        },
        Basis::ArcgisLegacyKey => {
            let retired = facts.clock.now > ARCGIS_LEGACY_END;
            Liveness {
                state: if retired { State::Retired } else { State::Unexpired },
                until: Some(ARCGIS_LEGACY_END),
                basis: "legacy ArcGIS API keys were to be retired in June 2026",
            }
            .into()
        }
        Basis::Saml => match saml::read(facts.value, facts.clock) {
            Some(s) if s.end.is_some() => until(s.end, "`NotOnOrAfter` of the assertion").telling(s.identity),
            Some(s) if s.encrypted => {
                Reading::from(Liveness::unknown("the assertion is encrypted")).telling(s.identity)
            }
            Some(s) => Reading::from(Liveness::unknown("the assertion states no end")).telling(s.identity),
            None => Liveness::unknown("the response could not be opened").into(),
        },
        Basis::OneTime => Liveness::unknown("works once or for a short time; the log does not tell").into(),
    }
}

impl Liveness {
    /// Until somebody changes it.
    const PERMANENT: Liveness = Liveness {
        state: State::NoExpiry,
        until: None,
        basis: "valid until it is changed",
    };

    const fn unknown(basis: &'static str) -> Liveness {
        Liveness {
            state: State::Unknown,
            until: None,
            basis,
        }
    }
}

impl Reading {
    /// The same, telling more.
    pub(super) fn telling(mut self, more: impl IntoIterator<Item = Claim>) -> Reading {
        self.identity.extend(more);
        self
    }
}

impl Facts<'_> {
    pub(super) fn until(&self, end: Option<Instant>, basis: &'static str) -> Reading {
        let Some(end) = end else {
            return Reading::UNKNOWN;
        };
        // On or after it, as RFC 7519 §4.1.4 and SAML have it.
        let state = if end <= self.clock.now {
            State::Expired
        } else {
            State::Unexpired
        };
        Liveness {
            state,
            until: Some(end),
            basis,
        }
        .into()
    }
}

/// The account of an AWS access key id.
fn aws(id: &[u8]) -> Option<Claim> {
    Claim::new("AWS account", identity::aws_account(id)?.as_bytes(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(
        basis: Basis,
        value: &str,
        params: &[(&str, &str)],
        told: &mut Vec<String>,
    ) -> (State, Option<String>) {
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
                reply: None,
            },
        );
        told.extend(l.identity.iter().map(|c| format!("{}={}", c.kind, c.value)));
        (l.life.state, l.life.until.map(|t| t.to_string()))
    }

    fn at(basis: Basis, value: &str, params: &[(&str, &str)]) -> (State, Option<String>) {
        reading(basis, value, params, &mut Vec::new())
    }

    fn tells(basis: Basis, value: &str, params: &[(&str, &str)]) -> Vec<String> {
        let mut told = Vec::new();
        reading(basis, value, params, &mut told);
        told
    }

    #[test]
    fn what_a_credential_tells_of_whose_it_is() {
        let key = ["ASIA", "QNZGKIQY56JQ7WML"].concat();
        let scope = format!("{key}/20260101/us-east-1/s3/aws4_request");
        assert_eq!(
            tells(Basis::Sigv4, "", &[("x_amz_credential", &scope)]),
            ["AWS account=029608264753"]
        );
        assert_eq!(tells(Basis::AwsKey, &key, &[]), ["AWS account=029608264753"]);
        assert_eq!(at(Basis::AwsKey, &key, &[]).0, State::Unknown);
        assert_eq!(
            at(Basis::AwsKey, &key.replace("ASIA", "AKIA"), &[]).0,
            State::NoExpiry
        );
        assert_eq!(
            tells(
                Basis::GcsV4,
                "",
                &[(
                    "x_goog_credential",
                    "maps@p.iam.gserviceaccount.com/20260101/auto/storage/goog4_request"
                )]
            ),
            ["service account=maps@p.iam.gserviceaccount.com"]
        );
        assert_eq!(
            tells(
                Basis::AzureSas,
                "",
                &[("sp", "rl"), ("sip", "198.51.100.0-198.51.100.9"), ("si", "maps")]
            ),
            [
                "permissions=read, list",
                "only from the addresses=198.51.100.0-198.51.100.9",
                "stored access policy=maps"
            ]
        );
        assert_eq!(
            tells(Basis::ArcgisTokenRequest, "x", &[("username", "jo")]),
            ["user=jo"]
        );
    }

    #[test]
    fn every_basis_has_a_vector() {
        let s = |t: &str| Some(t.to_string());
        let google = [("x_goog_date", "20260101T000000Z"), ("x_goog_expires", "604800")];
        assert_eq!(
            at(Basis::GcsV4, "", &google),
            (State::Expired, s("2026-01-08T00:00:00Z"))
        );
        // AWS: at most seven days, whatever the URL says.
        let long = [("x_amz_date", "20260101T000000Z"), ("x_amz_expires", "99999999")];
        assert_eq!(at(Basis::Sigv4, "", &long).1, s("2026-01-08T00:00:00Z"));
        assert_eq!(
            at(Basis::AzureSas, "", &[("si", "policy")]),
            (State::Unknown, None)
        );
        assert_eq!(at(Basis::AzureSas, "", &[("se", "2026-05-01")]).0, State::Expired);
        assert_eq!(
            at(Basis::AzureSas, "", &[("se", "2027-01-01T00:00+02:00")]),
            (State::Unexpired, s("2026-12-31T22:00:00Z"))
        );
        // A delegation key signs no longer than it lives itself; `ske` without `skoid` is nobody's.
        let key = [
            ("se", "2027-01-01T00:00Z"),
            ("ske", "2026-01-08T00:00:00Z"),
            ("skoid", "o"),
        ];
        assert_eq!(
            at(Basis::AzureSas, "", &key),
            (State::Expired, s("2026-01-08T00:00:00Z"))
        );
        assert_eq!(at(Basis::AzureSas, "", &key[..2]).0, State::Unexpired);
        let oss = [("x_oss_date", "20260101T000000Z"), ("x_oss_expires", "86400")];
        assert_eq!(
            at(Basis::OssV4, "", &oss),
            (State::Expired, s("2026-01-02T00:00:00Z"))
        );
        assert_eq!(
            at(Basis::Cloudfront, "", &[("cloudfront_expires", "1799999999")]).0,
            State::Unexpired
        );
        // The end itself is past it.
        assert_eq!(
            at(Basis::ExpiresEpoch, "", &[("expires", "1795000000")]).0,
            State::Expired
        );
        let times = [("q_sign_time", "1557989151;1557996351")];
        assert_eq!(
            at(Basis::Tencent, "", &times),
            (State::Expired, s("2019-05-16T08:45:51Z"))
        );
        let expires = [("expires_in", "3600"), ("scope", "maps")];
        assert_eq!(
            at(Basis::OauthToken, "", &expires),
            (State::Expired, s("2026-01-01T01:00:00Z"))
        );
        assert_eq!(at(Basis::OauthToken, "", &[]), (State::Unknown, None));
        assert_eq!(tells(Basis::OauthToken, "", &expires), ["scope=maps"]);
        assert_eq!(
            at(Basis::DeviceCode, "", &[("expires_in", "1800")]).1,
            s("2026-01-01T00:30:00Z")
        );
        assert_eq!(at(Basis::OneTimeCode, "", &[]).1, s("2026-01-01T00:10:00Z"));
        assert_eq!(at(Basis::OneTime, "", &[]), (State::Unknown, None));
        assert_eq!(at(Basis::Permanent, "", &[]), (State::NoExpiry, None));
        assert_eq!(
            at(Basis::Cloudfront, "", &[("expires", "1799999999")]).0,
            State::Unexpired
        );
        let xml = r#"<r><c NotOnOrAfter="2027-01-01T00:00:00Z"/></r>"#;
        assert_eq!(
            at(Basis::Saml, xml, &[]),
            (State::Unexpired, s("2027-01-01T00:00:00Z"))
        );
        assert_eq!(
            at(Basis::Saml, "<r><EncryptedAssertion/></r>", &[]),
            (State::Unknown, None)
        );
        let policy = data_encoding::BASE64.encode(
            br#"{"Statement":[{"Resource":"https://d1.cloudfront.net/*","Condition":{"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},"DateLessThan":{"AWS:EpochTime":1767290400}}}]}"#,
        );
        let policy = policy.replace('+', "-").replace('=', "_").replace('/', "~");
        assert_eq!(
            at(Basis::Cloudfront, "", &[("policy", &policy)]).1,
            s("2026-01-01T18:00:00Z")
        );
        assert_eq!(
            tells(Basis::Cloudfront, "", &[("cloudfront_policy", &policy)]),
            [
                "resource=https://d1.cloudfront.net/*",
                "only from the addresses=192.0.2.0/24"
            ]
        );
    }

    #[test]
    fn a_reply_lives_as_long_as_the_request_asked_for() {
        let clock = Clock {
            now: Instant::new(1_795_000_000, 0).unwrap(),
            zone: jiff::tz::TimeZone::UTC,
        };
        for (path, expiration, want) in [
            (
                "/arcgis/tokens/generateToken",
                Some("525600"),
                Some("2027-01-01T00:00:00Z"),
            ),
            ("/arcgis/tokens/", Some("99999999"), Some("2027-01-01T00:00:00Z")),
            ("/arcgis/tokens/generateToken", None, Some("2026-01-01T01:00:00Z")),
            (
                "/portal/sharing/rest/generateToken",
                Some("x"),
                Some("2026-01-01T02:00:00Z"),
            ),
            ("/arcgis/rest/services", Some("60"), None),
        ] {
            let asked = |name: &str| {
                expiration
                    .filter(|_| name == "expiration")
                    .map(|v| v.as_bytes().to_vec())
            };
            let facts = Facts {
                value: b"x",
                time: Instant::new(1_767_225_600, 0),
                clock: &clock,
                param: &|_| None,
                reply: Some(Reply {
                    path: path.as_bytes(),
                    param: &asked,
                }),
            };
            let until = read(Basis::ArcgisToken, &facts).life.until;
            assert_eq!(
                until.map(|t| t.to_string()).as_deref(),
                want,
                "{path} {expiration:?}"
            );
        }
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
