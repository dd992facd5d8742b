//! Routes: paths with what differs from request to request replaced, by the shape of each segment alone.
//! Findings are grouped by them, so this is versioned: another replacement is another identity.

use crate::text::{Coding, shape};

/// Version of what this file does; part of every finding's identity.
pub const VERSION: u32 = 1;

/// Longest route in bytes; what is beyond is `…`.
const MAX_ROUTE: usize = 256;

/// How much of a path a finding's identity keeps.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Nothing: the cause is the site's (sessions rewritten into URLs).
    Site,
    /// Up to the ArcGIS service, whatever the operation or layer.
    Service,
    /// All of it.
    #[default]
    Route,
}

/// The route of requests that were answered with 400, 404 or 410: attackers invent those paths.
pub const NOT_FOUND: &str = "{not-found}";

/// What stands for a host or route where a finding's rule and name have too many of them.
pub const MANY: &str = "{many}";

/// Types of ArcGIS services that end a service's path (Esri, ArcGIS REST API, "Service types").
const SERVICE_TYPES: &[&str] = &[
    "mapserver",
    "featureserver",
    "imageserver",
    "gpserver",
    "geocodeserver",
    "geometryserver",
    "sceneserver",
    "vectortileserver",
    "naserver",
    "geodataserver",
    "globeserver",
    "mobileserver",
    "streamserver",
    "versionmanagementserver",
    "utilitynetworkserver",
    "parcelfabricserver",
    "validationserver",
    "topographicproductionserver",
    "workforceserver",
    "searchserver",
    "wmsserver",
    "wfsserver",
    "wcsserver",
    "oiserver",
    "indoorserver",
    "knowledgegraphserver",
    "videoserver",
    "elevationserver",
];

/// Whether a request that was answered so may be for a path that somebody made up.
pub fn is_invented(status: Option<u16>) -> bool {
    matches!(status, Some(400 | 404 | 410))
}

/// The scoped route of `path` (encoded, as in the URL): `None` for scope `site`.
pub fn scoped(path: &[u8], scope: Scope) -> Option<String> {
    match scope {
        Scope::Site => None,
        Scope::Service => Some(route(service(path).unwrap_or(path))),
        Scope::Route => Some(route(path)),
    }
}

/// The path up to and including the service's type, where it is one of `…/rest/services/`.
fn service(path: &[u8]) -> Option<&[u8]> {
    let lower = path.to_ascii_lowercase();
    let services = memchr::memmem::find(&lower, b"/rest/services/")? + "/rest/services/".len();
    let mut at = services;
    for segment in lower[services..].split(|&b| b == b'/') {
        let end = at + segment.len();
        let name = segment.split(|&b| b == b';').next().unwrap_or(segment);
        if SERVICE_TYPES.iter().any(|t| t.as_bytes() == name) {
            return Some(&path[..end]);
        }
        at = end + 1;
    }
    None
}

/// The path with numbers, UUIDs, hashes and secrets replaced, printable ASCII throughout.
pub fn route(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len().min(MAX_ROUTE));
    for (i, segment) in path.split(|&b| b == b'/').enumerate() {
        if i > 0 {
            out.push('/');
        }
        let segment = segment.split(|&b| b == b';').next().unwrap_or(segment);
        push_segment(&mut out, segment);
        if out.len() > MAX_ROUTE {
            let cut = (0..=MAX_ROUTE)
                .rev()
                .find(|&n| out.is_char_boundary(n))
                .unwrap_or(0);
            out.truncate(cut);
            out.push('…');
            break;
        }
    }
    out
}

/// The name of a replaced stretch, by its characters.
fn replaced(piece: &[u8]) -> Option<&'static str> {
    if shape::is_uuid(piece) {
        Some("{uuid}")
    } else if !piece.is_empty() && piece.iter().all(u8::is_ascii_digit) {
        Some("{id}")
    } else if shape::is_hex(piece) || piece.len() >= 16 && piece.iter().all(u8::is_ascii_hexdigit) {
        Some("{hex}")
    } else if shape::is_secret_like(piece)
        || (piece.len() >= 12 && !shape::is_wordy(piece) && looks_random(piece))
    {
        Some("{secret}")
    } else {
        None
    }
}

/// Short strings of all three classes, letters and digits well mixed.
fn looks_random(piece: &[u8]) -> bool {
    let digits = piece.iter().filter(|b| b.is_ascii_digit()).count();
    let upper = piece.iter().filter(|b| b.is_ascii_uppercase()).count();
    let lower = piece.iter().filter(|b| b.is_ascii_lowercase()).count();
    digits >= 2 && upper >= 2 && lower >= 2 && digits + upper + lower == piece.len()
}

fn push_segment(out: &mut String, segment: &[u8]) {
    if let Some(name) = replaced(segment) {
        out.push_str(name);
        return;
    }
    if is_email(segment) {
        out.push_str("{email}");
        return;
    }
    // `app.3c74189a.js`, `report_2024-118.pdf`: what stands between the points, dashes and underscores counts.
    let mut from = 0;
    for at in (0..=segment.len()).filter(|&i| i == segment.len() || b"._-,".contains(&segment[i])) {
        let piece = &segment[from..at];
        match replaced(piece) {
            Some(name) => out.push_str(name),
            None => piece.iter().for_each(|&b| push_byte(out, b)),
        }
        if let Some(&b) = segment.get(at) {
            out.push(b as char);
        }
        from = at + 1;
    }
}

/// Whether a segment is an address of mail: it differs from person to person, and names one.
fn is_email(segment: &[u8]) -> bool {
    let at = memchr::memchr(b'@', segment).map(|n| (n, n + 1));
    let escaped = || memchr::memmem::find(segment, b"%40").map(|n| (n, n + 3));
    let Some((end, begin)) = at.or_else(escaped) else {
        return false;
    };
    let host = &segment[begin..];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._+%-".contains(b);
    // `image@2x.png` is a picture for a screen with more pixels.
    let named = host.first().is_some_and(u8::is_ascii_alphabetic);
    end > 0
        && named
        && segment[..end].iter().all(plain)
        && host
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b".-".contains(b))
        && host
            .iter()
            .rposition(|&b| b == b'.')
            .is_some_and(|dot| dot > 0 && host.len() - dot > 2)
}

/// The route with `{secret}` for each segment, up to a suffix, that is one of `values` (decoded); `None` where there is
/// none.
pub fn without<'v, I: Iterator<Item = &'v [u8]>>(route: &str, values: impl Fn() -> I) -> Option<String> {
    let holds = |segment: &[u8]| {
        let plain = Coding::Percent.decode(segment);
        values().find_map(|v| memchr::memmem::find(&plain, v).map(|at| plain[at + v.len()..].to_vec()))
    };
    let mut found = false;
    let mut out = String::with_capacity(route.len());
    for (i, segment) in route.split('/').enumerate() {
        if i > 0 {
            out.push('/');
        }
        match holds(segment.as_bytes()) {
            Some(rest) => {
                found = true;
                out.push_str("{secret}");
                if rest.len() <= 5 && rest.first() == Some(&b'.') {
                    rest.iter().for_each(|&b| push_byte(&mut out, b));
                }
            }
            None => out.push_str(segment),
        }
    }
    found.then_some(out)
}

fn push_byte(out: &mut String, b: u8) {
    if b.is_ascii_graphic() && !b"<>\"'`{}|\\^".contains(&b) {
        out.push(b as char);
    } else {
        out.push_str(&format!("%{b:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_replaced() {
        for (path, want) in [
            ("/users/42/profile", "/users/{id}/profile"),
            (
                "/password/reset/123e4567-e89b-42d3-a456-426614174000",
                "/password/reset/{uuid}",
            ),
            ("/static/app.3c74189a.js", "/static/app.{hex}.js"),
            ("/r/q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA", "/r/{secret}"),
            (
                "/Wetlands_Inventory_Final/x;jsessionid=1",
                "/Wetlands_Inventory_Final/x",
            ),
            ("/reset/jo.path@example.org/x", "/reset/{email}/x"),
            ("/reset/jo%40example.org", "/reset/{email}"),
            ("/@scope/pkg@v1/img@2x.png", "/@scope/pkg@v1/img@2x.png"),
            ("/a/\x1b<script>", "/a/%1B%3Cscript%3E"),
            ("", ""),
        ] {
            assert_eq!(route(path.as_bytes()), want);
        }
        assert!(route(&b"/ab".repeat(1000)).len() < 270);
    }

    #[test]
    fn scopes_cut_the_path() {
        let path = b"/arcgis/rest/services/Parcels/MapServer/3/query";
        assert_eq!(
            scoped(path, Scope::Service).as_deref(),
            Some("/arcgis/rest/services/Parcels/MapServer")
        );
        assert_eq!(scoped(path, Scope::Site), None);
        assert_eq!(scoped(b"/x/3", Scope::Service).as_deref(), Some("/x/{id}"));
    }
}
