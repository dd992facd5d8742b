//! Reads when a signed URL, a policy or a token's parameter says that it ends.

use super::identity::Claim;
use crate::text::{Base, Text, json};
use crate::time::{Clock, Instant, TimeForm};

/// A number that is one in every program: under 2^53.
pub(super) fn number(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes)
        .ok()?
        .trim()
        .parse()
        .ok()
        .filter(|n| (0..1 << 53).contains(n))
}

/// Milliseconds since 1970.
pub(super) fn epoch_millis(ms: i64) -> Option<Instant> {
    Instant::new(ms / 1000, ms % 1000 * 1000)
}

/// `YYYYMMDDThhmmssZ` plus seconds.
pub(super) fn signed(date: Option<Vec<u8>>, seconds: Option<i64>) -> Option<Instant> {
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

/// The `AWS:EpochTime` of a custom policy, and for what and whom it holds; its alphabet has `-_~` for `+=/`.
pub(super) fn cloudfront_policy(policy: &[u8]) -> Option<(Option<Instant>, Vec<Claim>)> {
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
    let find = |end: &str| doc.members.iter().find(|m| m.path.ends_with(end));
    let end = find("DateLessThan.AWS:EpochTime").and_then(|m| number(m.value.bytes()));
    let told = [
        ("resource", "Statement.Resource"),
        ("only from the addresses", "IpAddress.AWS:SourceIp"),
    ];
    let told = told
        .into_iter()
        .filter_map(|(kind, path)| Claim::new(kind, find(path)?.value.bytes(), false));
    Some((end.and_then(|s| Instant::new(s, 0)), told.collect()))
}

/// `exp=` of an Akamai token (`st=…~exp=…~acl=…~hmac=…`).
pub(super) fn akamai(value: &[u8]) -> Option<Instant> {
    let exp = value
        .split(|&b| b == b'~')
        .find_map(|p| p.strip_prefix(b"exp="))?;
    Instant::new(number(exp)?, 0)
}
