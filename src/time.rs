//! Times as logs write them, read by hand because a log has millions, and one clock for a run. An impossible
//! time is `None`; a time without a zone is read in the zone that the user named (UTC by default), one without
//! a year is the latest that is not after the clock. Nothing here asks the machine for its zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Instant(pub i64);

const MICROS: i64 = 1_000_000;

/// 0001-01-01 and the end of 9999-12-30, 22:00, in seconds: what RFC 3339 can write in every zone.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_207_199;

impl Instant {
    /// From seconds and microseconds; `None` outside the years 1 to 9999.
    pub fn new(seconds: i64, micros: i64) -> Option<Instant> {
        RANGE
            .contains(&seconds)
            .then(|| Instant(seconds * MICROS + micros))
    }

    /// Whole seconds.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// Later by so many seconds; stops at the ends of what can be written.
    pub fn plus_seconds(self, seconds: i64) -> Instant {
        let sum = self
            .seconds()
            .saturating_add(seconds)
            .clamp(*RANGE.start(), *RANGE.end());
        Instant(sum * MICROS + self.0.rem_euclid(MICROS))
    }

    /// Now, by the machine's clock; where that is outside the years that can be written, their first or last second.
    pub fn now() -> Instant {
        use std::time::{SystemTime, UNIX_EPOCH};
        let (seconds, micros) = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => (
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                since.subsec_micros(),
            ),
            Err(e) => (-i64::try_from(e.duration().as_secs()).unwrap_or(i64::MAX), 0),
        };
        let seconds = seconds.clamp(*RANGE.start(), *RANGE.end());
        Instant(seconds * MICROS + i64::from(micros))
    }
}

impl std::fmt::Display for Instant {
    /// RFC 3339 in UTC, with a fraction only where there is one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => f.write_str("-"),
        }
    }
}

/// How a format writes its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum TimeForm {
    /// Told by its characters.
    #[default]
    Auto,
    /// `01/Jan/2026:00:00:00 +0000`, fraction and zone optional.
    Clf,
    /// RFC 3339 and what is close to it: blank for `T`, `/` for `-`, comma for the point, no seconds, no zone.
    Iso,
    /// A number since 1970: seconds, milliseconds, microseconds or nanoseconds by its size.
    Epoch,
    /// `03/20/01, 7:55:20`: month, day, year (IIS's own format).
    Slashes,
    /// `Jan  1 00:00:00`, without a year (RFC 3164).
    Syslog,
    /// `Wed Oct 11 14:32:52.123456 2023`.
    Ctime,
}

/// What a run takes for now, and the zone of times that have none.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Now.
    pub now: Instant,
    /// For times without a zone.
    pub zone: TimeZone,
}

impl Clock {
    /// The machine's time, UTC.
    pub fn system() -> Clock {
        Clock {
            now: Instant::now(),
            zone: TimeZone::UTC,
        }
    }

    /// Reads a time.
    pub fn read(&self, text: &[u8], form: TimeForm) -> Option<Instant> {
        let text = text.trim_ascii();
        match form {
            TimeForm::Auto => self.auto(text),
            TimeForm::Clf => self.clf(text),
            TimeForm::Iso => self.iso(text),
            TimeForm::Epoch => epoch(text),
            TimeForm::Slashes => self.slashes(text),
            TimeForm::Syslog => self.syslog(text),
            TimeForm::Ctime => self.ctime(text),
        }
    }

    fn auto(&self, text: &[u8]) -> Option<Instant> {
        let first = text.first()?;
        if first.is_ascii_alphabetic() {
            return self.ctime(text).or_else(|| self.syslog(text));
        }
        match text.get(2) {
            Some(b'/') if text.get(3)?.is_ascii_alphabetic() => self.clf(text),
            Some(b'.') if text.get(5) == Some(&b'.') => self.dotted(text),
            _ if matches!(text.get(4), Some(b'-' | b'/')) => self.iso(text),
            _ => epoch(text),
        }
    }

    fn clf(&self, t: &[u8]) -> Option<Instant> {
        let mut c = Cursor(t);
        let day = c.digits(2)?;
        c.skip(b'/')?;
        let month = month(c.take(3)?)?;
        c.skip(b'/')?;
        let year = c.digits(4)?;
        // A blank is what `%d/%b/%Y %T` writes.
        c.skip(b':').or_else(|| c.skip(b' '))?;
        self.finish(year, month, day, c, false)
    }

    fn slashes(&self, t: &[u8]) -> Option<Instant> {
        let mut c = Cursor(t);
        let month = c.number()?;
        c.skip(b'/')?;
        let day = c.number()?;
        c.skip(b'/')?;
        let year = match c.digits(4) {
            Some(year) => year,
            // As POSIX reads two digits.
            None => match c.number()? {
                year @ 69.. => 1900 + year,
                year => 2000 + year,
            },
        };
        c.skip(b',')?;
        c.spaces();
        let hour = c.number()?;
        c.skip(b':')?;
        let minute = c.digits(2)?;
        c.skip(b':')?;
        let second = c.digits(2)?;
        c.0.is_empty().then_some(())?;
        self.instant(year, month, day, [hour, minute, second], 0, None)
    }

    /// `01.02.2026 03:04:05`, the day first.
    fn dotted(&self, t: &[u8]) -> Option<Instant> {
        let mut c = Cursor(t);
        let day = c.digits(2)?;
        c.skip(b'.')?;
        let month = c.digits(2)?;
        c.skip(b'.')?;
        let year = c.digits(4)?;
        if c.0.is_empty() {
            return self.instant(year, month, day, [0, 0, 0], 0, None);
        }
        c.skip(b' ')?;
        self.finish(year, month, day, c, false)
    }

    fn iso(&self, t: &[u8]) -> Option<Instant> {
        let mut c = Cursor(t);
        let year = c.digits(4)?;
        c.take(1)?;
        let month = c.digits(2)?;
        c.take(1)?;
        let day = c.digits(2)?;
        if c.0.is_empty() {
            return self.instant(year, month, day, [0, 0, 0], 0, None);
        }
        let sep = c.take(1)?[0];
        matches!(sep, b'T' | b't' | b' ' | b'\t' | b',' | b'+' | b':' | b'_').then_some(())?;
        self.finish(year, month, day, c, true)
    }

    /// Time of day, fraction and zone; `short`: seconds may be left out.
    fn finish(&self, year: i64, month: i64, day: i64, mut c: Cursor, short: bool) -> Option<Instant> {
        let hour = c.digits(2)?;
        c.skip(b':')?;
        let minute = c.digits(2)?;
        let second = match c.skip(b':') {
            Some(()) => c.digits(2)?,
            None if short => 0,
            None => return None,
        };
        let micros = c.fraction();
        let zone = c.zone()?;
        self.instant(year, month, day, [hour, minute, second], micros, zone)
    }

    fn instant(
        &self,
        y: i64,
        mo: i64,
        d: i64,
        [h, mi, s]: [i64; 3],
        micros: i64,
        zone: Option<i64>,
    ) -> Option<Instant> {
        let month_days = [
            31,
            28 + i64::from(y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)),
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ];
        let in_month = *month_days.get(usize::try_from(mo - 1).ok()?)?;
        if !(1..=in_month).contains(&d) || h > 23 || mi > 59 || s > 60 || y < 1 {
            return None;
        }
        // A leap second is the one before it, as POSIX has it.
        let local = days(y, mo, d) * 86_400 + h * 3600 + mi * 60 + s.min(59);
        let offset = match zone {
            Some(offset) => offset,
            None if self.zone == TimeZone::UTC => 0,
            None => {
                let date = civil::Date::new(y as i16, mo as i8, d as i8).ok()?;
                let wall = date.at(h as i8, mi as i8, s.min(59) as i8, 0);
                let at = self.zone.to_ambiguous_timestamp(wall).compatible().ok()?;
                return Instant::new(at.as_second(), micros);
            }
        };
        Instant::new(local - offset, micros)
    }

    fn syslog(&self, t: &[u8]) -> Option<Instant> {
        let mut c = Cursor(t);
        let month = month(c.take(3)?)?;
        c.spaces();
        let day = c.number()?;
        c.spaces();
        let hour = c.digits(2)?;
        c.skip(b':')?;
        let minute = c.digits(2)?;
        c.skip(b':')?;
        let second = c.digits(2)?;
        let micros = c.fraction();
        let this_year = civil_year(self.now);
        // February 29 may lie up to eight years back.
        (this_year - 8..=this_year + 1)
            .rev()
            .filter_map(|year| self.instant(year, month, day, [hour, minute, second], micros, None))
            .find(|at| *at <= self.now)
    }

    fn ctime(&self, t: &[u8]) -> Option<Instant> {
        let mut c = Cursor(t);
        let weekday = c.take(3)?;
        weekday.iter().all(u8::is_ascii_alphabetic).then_some(())?;
        c.skip(b' ')?;
        let month = month(c.take(3)?)?;
        c.spaces();
        let day = c.number()?;
        c.spaces();
        let hour = c.digits(2)?;
        c.skip(b':')?;
        let minute = c.digits(2)?;
        c.skip(b':')?;
        let second = c.digits(2)?;
        let micros = c.fraction();
        c.spaces();
        let year = c.digits(4)?;
        self.instant(year, month, day, [hour, minute, second], micros, None)
    }
}

/// A number since 1970, its unit told by its size.
pub fn epoch(t: &[u8]) -> Option<Instant> {
    let mut c = Cursor(t);
    let negative = c.skip(b'-').is_some();
    let len = c.0.iter().position(|b| !b.is_ascii_digit()).unwrap_or(c.0.len());
    if !(1..=19).contains(&len) {
        return None;
    }
    let n: i64 = std::str::from_utf8(c.take(len)?).ok()?.parse().ok()?;
    let fraction = c.fraction();
    if matches!(c.0.first(), Some(b'e' | b'E')) {
        let text = std::str::from_utf8(t)
            .ok()?
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite())?;
        return Instant::new(text as i64, ((text.fract()) * 1e6) as i64);
    }
    c.0.is_empty().then_some(())?;
    let (seconds, micros) = match n {
        0..100_000_000_000 => (n, fraction),
        100_000_000_000..100_000_000_000_000 => (n / 1000, n % 1000 * 1000),
        100_000_000_000_000..100_000_000_000_000_000 => (n / MICROS, n % MICROS),
        _ => (n / 1_000_000_000, n % 1_000_000_000 / 1000),
    };
    Instant::new(if negative { -seconds } else { seconds }, micros)
}

fn civil_year(at: Instant) -> i64 {
    Timestamp::from_microsecond(at.0).map_or(1970, |t| i64::from(t.to_zoned(TimeZone::UTC).year()))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
fn days(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * (m + if m > 2 { -3 } else { 9 }) + 2) / 5 + d - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn month(name: &[u8]) -> Option<i64> {
    const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    NAMES
        .chunks(3)
        .position(|n| n.eq_ignore_ascii_case(name))
        .map(|i| i as i64 + 1)
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn skip(&mut self, b: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[b])?;
        Some(())
    }

    fn spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// A number of that many digits; nothing is taken where there are fewer.
    fn digits(&mut self, n: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(n)?;
        let number = digits
            .iter()
            .try_fold(0, |v, b| b.is_ascii_digit().then(|| v * 10 + i64::from(b - b'0')))?;
        self.0 = rest;
        Some(number)
    }

    fn number(&mut self) -> Option<i64> {
        let n = self.0.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
        (n > 0).then(|| self.digits(n))?
    }

    /// Microseconds after a point or comma; further digits are dropped.
    fn fraction(&mut self) -> i64 {
        let marked = matches!(self.0.first(), Some(b'.' | b','));
        if !marked || !self.0.get(1).is_some_and(u8::is_ascii_digit) {
            return 0;
        }
        self.0 = &self.0[1..];
        let n = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let digits = self.0[..n].iter().chain(std::iter::repeat(&b'0')).take(6);
        let micros = digits.fold(0, |v, b| v * 10 + i64::from(b - b'0'));
        self.0 = &self.0[n..];
        micros
    }

    /// `Z`, `+02:00`, `-0530`, `UTC`, or nothing; the offset in seconds. `None` where something else stands.
    fn zone(&mut self) -> Option<Option<i64>> {
        self.spaces();
        match self.0 {
            [] => Some(None),
            [b'Z' | b'z'] | b"UTC" | b"GMT" => Some(Some(0)),
            [sign @ (b'+' | b'-'), ..] => {
                self.take(1)?;
                let hours = self.digits(2)?;
                let _ = self.skip(b':');
                let minutes = if self.0.is_empty() { 0 } else { self.digits(2)? };
                let offset = hours * 3600 + minutes * 60;
                (self.0.is_empty() && hours < 24 && minutes < 60).then_some(Some(if *sign == b'-' {
                    -offset
                } else {
                    offset
                }))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        let now = Clock::system().iso(b"2026-03-01T12:00:00Z").unwrap();
        Clock {
            now,
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn times_as_logs_write_them() {
        for (text, want) in [
            ("01/Jan/2026:00:00:00 +0000", "2026-01-01T00:00:00Z"),
            ("22/Jan/2019:03:56:14 +0330", "2019-01-22T00:26:14Z"),
            ("06/Feb/2009:12:14:14.655", "2009-02-06T12:14:14.655Z"),
            ("2020-01-11T16:55:20.356586Z", "2020-01-11T16:55:20.356586Z"),
            ("2026-01-01 00:00:00", "2026-01-01T00:00:00Z"),
            ("2012-10-29 00:06:26,838", "2012-10-29T00:06:26.838Z"),
            ("2023/10/11 14:32:52", "2023-10-11T14:32:52Z"),
            ("2021-10-14T22:17:11+02:00", "2021-10-14T20:17:11Z"),
            ("2027-01-01T00:00Z", "2027-01-01T00:00:00Z"),
            ("2027-01-01T00:00+02:00", "2026-12-31T22:00:00Z"),
            ("2027-01-01 12:30", "2027-01-01T12:30:00Z"),
            ("1767225600", "2026-01-01T00:00:00Z"),
            ("1767225600.123", "2026-01-01T00:00:00.123Z"),
            ("1679548657700", "2023-03-23T05:17:37.7Z"),
            ("1767225600123456789", "2026-01-01T00:00:00.123456Z"),
            ("Feb 25 16:19:38", "2026-02-25T16:19:38Z"),
            ("Mar  2 16:19:38", "2025-03-02T16:19:38Z"),
            ("Wed Oct 11 14:32:52.123456 2023", "2023-10-11T14:32:52.123456Z"),
        ] {
            let got = clock().read(text.as_bytes(), TimeForm::Auto);
            assert_eq!(got.map(|t| t.to_string()).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn iis_writes_month_and_day_with_slashes() {
        for (text, want) in [
            ("03/20/01, 7:55:20", Some("2001-03-20T07:55:20Z")),
            ("3/2/2026, 17:05:00", Some("2026-03-02T17:05:00Z")),
            ("12/31/99, 00:00:00", Some("1999-12-31T00:00:00Z")),
            ("20/03/01, 7:55:20", None),
            ("03/20/01", None),
        ] {
            let got = clock().read(text.as_bytes(), TimeForm::Slashes);
            assert_eq!(got.map(|t| t.to_string()).as_deref(), want, "{text}");
        }
        let blank = clock().read(b"05/Mar/2026 10:00:00.123 +0200", TimeForm::Clf);
        assert_eq!(
            blank.map(|t| t.to_string()).as_deref(),
            Some("2026-03-05T08:00:00.123Z")
        );
    }

    #[test]
    fn impossible_times_are_none() {
        for text in [
            "30/Feb/2026:00:00:00 +0000",
            "2026-13-01T00:00:00Z",
            "2026-01-01T25:00:00Z",
            "2026-01-01T12:",
            "2026-01-01T12:30:Z",
            "01/Jan/2026:00:00 +0000",
            "",
            "x",
            "99999999999999999999",
            "Feb 30 00:00:00",
        ] {
            assert_eq!(clock().read(text.as_bytes(), TimeForm::Auto), None, "{text}");
        }
    }

    #[test]
    fn a_zone_is_used_where_the_time_has_none() {
        let berlin = Clock {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            ..clock()
        };
        let at = berlin.read(b"2026-07-01 12:00:00", TimeForm::Iso).unwrap();
        assert_eq!(at.to_string(), "2026-07-01T10:00:00Z");
        let at = berlin.read(b"2026-07-01 12:00:00Z", TimeForm::Iso).unwrap();
        assert_eq!(at.to_string(), "2026-07-01T12:00:00Z");
    }
}
