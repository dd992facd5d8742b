//! The epochs of browsers' times.

use crate::time::Instant;

/// From where a column's numbers count, and in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// Microseconds since 1601-01-01 (Chromium's own, that of Windows).
    Webkit,
    /// Microseconds since 1970-01-01 (Firefox).
    Unix,
    /// Seconds since 2001-01-01, with a fraction (Apple's).
    Cocoa,
    /// Told by the size: seconds, milliseconds, microseconds or nanoseconds since 1970, or microseconds since
    /// 1601. Of times between 1973 and 2150 only one of them can be meant.
    Any,
}

/// 1970 in microseconds since 1601.
const WEBKIT: i64 = 11_644_473_600_000_000;

/// 2001 in seconds since 1970.
const COCOA: i64 = 978_307_200;

const MICROS: i64 = 1_000_000;

fn instant(micros: i64) -> Option<Instant> {
    Instant::new(micros.div_euclid(MICROS), micros.rem_euclid(MICROS))
}

impl Epoch {
    /// A whole number. Zero and what is negative says in all products that there is no time.
    pub fn integer(self, n: i64) -> Option<Instant> {
        if n <= 0 {
            return None;
        }
        match self {
            Epoch::Webkit => instant(n - WEBKIT),
            Epoch::Unix => instant(n),
            Epoch::Cocoa => Instant::new(n.checked_add(COCOA)?, 0),
            Epoch::Any => match n {
                0..100_000_000_000 => Instant::new(n, 0),
                100_000_000_000..100_000_000_000_000 => instant(n * 1000),
                100_000_000_000_000..10_000_000_000_000_000 => instant(n),
                10_000_000_000_000_000..100_000_000_000_000_000 => instant(n - WEBKIT),
                _ => instant(n / 1000),
            },
        }
    }

    /// A number with a fraction.
    pub fn real(self, n: f64) -> Option<Instant> {
        // Beyond 2^53 a fraction cannot be, and what is no number compares false.
        if !(n > 0.0 && n < 9e18) {
            return None;
        }
        let fraction = ((n - n.trunc()) * 1e6) as i64;
        match self {
            Epoch::Cocoa => Instant::new((n.trunc() as i64).checked_add(COCOA)?, fraction),
            Epoch::Any if n < 1e11 => Instant::new(n.trunc() as i64, fraction),
            Epoch::Any if n < 1e14 => instant((n * 1000.0) as i64),
            _ => self.integer(n as i64),
        }
    }

    /// A number as text.
    pub fn text(self, bytes: &[u8]) -> Option<Instant> {
        let text = std::str::from_utf8(bytes.get(..bytes.len().min(32))?)
            .ok()?
            .trim();
        match text.parse::<i64>() {
            Ok(n) => self.integer(n),
            Err(_) => self.real(text.parse().ok()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_counts_from_its_own_day() {
        let day = Some(Instant::new(1_767_225_600, 0).unwrap());
        assert_eq!(Epoch::Webkit.integer(13_411_699_200_000_000), day);
        assert_eq!(Epoch::Unix.integer(1_767_225_600_000_000), day);
        assert_eq!(Epoch::Cocoa.real(788_918_400.0), day);
        assert_eq!(Epoch::Cocoa.text(b"788918400"), day);
        for n in [
            "1767225600",
            "1767225600000",
            "1767225600000.0",
            "1767225600000000",
            "13411699200000000",
            "1767225600000000000",
        ] {
            assert_eq!(Epoch::Any.text(n.as_bytes()), day, "{n}");
        }
        let half = Epoch::Cocoa.real(788_918_400.5).unwrap();
        assert_eq!(half.to_string(), "2026-01-01T00:00:00.5Z");
    }

    #[test]
    fn no_time_is_none() {
        for e in [Epoch::Webkit, Epoch::Unix, Epoch::Cocoa, Epoch::Any] {
            assert_eq!(e.integer(0), None);
            assert_eq!(e.integer(i64::MIN), None);
            assert_eq!(e.real(f64::NAN), None);
            assert_eq!(e.real(f64::INFINITY), None);
            assert_eq!(e.text(b"never"), None);
        }
        for e in [Epoch::Webkit, Epoch::Unix, Epoch::Cocoa] {
            let far = e.integer(i64::MAX);
            assert!(far.is_none(), "{far:?}");
        }
    }
}
