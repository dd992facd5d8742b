//! References that rules may give: entries of lists that others keep, and pages of vendors. A mistyped number would
//! send a reader nowhere, so that only what is listed here passes the check.

/// CWE entries (<https://cwe.mitre.org>).
const CWE: &[u16] = &[
    200, 201, 212, 256, 287, 294, 307, 311, 312, 319, 347, 352, 359, 384, 459, 521, 522, 523, 525, 532, 538,
    598, 601, 613, 798, 836,
];

/// RFCs; a section may follow.
const RFC: &[u16] = &[
    5849, 6238, 6265, 6749, 6750, 7009, 7515, 7517, 7519, 7591, 7617, 7636, 8628, 8693, 8725, 8959, 9110,
    9449, 9700,
];

/// Sections of OWASP ASVS 5.0.
const ASVS: &[&str] = &[
    "3.4.5", "6.2.1", "7.2.2", "7.4.1", "9.1.1", "9.1.2", "9.2.1", "10.4.2", "10.4.8", "13.3.1", "14.2.1",
    "14.2.3", "14.2.7", "14.3.2", "16.2.5",
];

/// Checks of Esri's scanners (serverScan.py, portalScan.py).
const ESRI: &[&str] = &["SS01", "SS03", "SS04", "SS07", "SS08", "PS02", "PS04"];

/// Vendors whose pages are named by title.
const VENDORS: &[&str] = &["Amazon S3 User Guide, ", "Microsoft Learn, "];

/// Whether a reference is an entry of a standard or list.
pub fn is_standard(reference: &str) -> bool {
    let number = |prefix: &str| {
        let rest = reference.strip_prefix(prefix)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some((rest[..end].parse::<u16>().ok()?, &rest[end..]))
    };
    if let Some((n, rest)) = number("CWE-") {
        return CWE.contains(&n) && rest.is_empty();
    }
    if let Some((n, rest)) = number("RFC ") {
        let section = rest.strip_prefix(" §");
        let dotted = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_digit() || c == '.');
        return RFC.contains(&n) && (rest.is_empty() || section.is_some_and(dotted));
    }
    let listed = |prefix: &str, list: &[&str]| reference.strip_prefix(prefix).map(|r| list.contains(&r));
    listed("ASVS 5.0 ", ASVS)
        .or_else(|| listed("Esri ", ESRI))
        .or_else(|| listed("PCI DSS 4.0 ", &["3.3", "3.5"]))
        .or_else(|| listed("NIST SP ", &["800-63B"]))
        .unwrap_or(false)
}

/// Whether a reference is one that rules may give.
pub fn is_known(reference: &str) -> bool {
    let page = |v: &str| reference.strip_prefix(v).is_some_and(|r| !r.trim().is_empty());
    is_standard(reference) || VENDORS.iter().any(|v| page(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_known() {
        for good in [
            "CWE-598",
            "RFC 9700 §4.3.2",
            "RFC 7519",
            "ASVS 5.0 14.2.1",
            "Esri SS03",
        ] {
            assert!(is_standard(good), "{good}");
        }
        for bad in [
            "CWE-599",
            "CWE-598x",
            "RFC 1",
            "RFC 9700 §",
            "ASVS 4.0 3.1.1",
            "Esri SS99",
            "",
            "a blog",
        ] {
            assert!(!is_known(bad), "{bad}");
        }
        assert!(is_known("Amazon S3 User Guide, ShareObjectPreSignedURL"));
    }
}
