//! A moment in UTC, to the second, written as RFC 3339 (`2027-01-31T00:00:00Z`).
//! Never asks the clock and knows no other zone, no fraction and no leap second: two texts mean the
//! same moment only if they are the same text. Small enough that a date crate would be more to review.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z, at most the last second of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

/// A text or a number that is no moment between 1970 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a UTC time; write it as 2027-01-31T00:00:00Z", .0.escape_debug())]
pub struct NotATimestamp(String);

const SECONDS_PER_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z.
const SECONDS_MAX: u64 = 253_402_300_799;

impl Timestamp {
    /// The first moment that can be expressed.
    pub const MIN: Self = Self(0);
    /// The last one.
    pub const MAX: Self = Self(SECONDS_MAX);

    /// The moment that many seconds after 1970 began.
    pub fn from_unix_seconds(seconds: u64) -> Result<Self, NotATimestamp> {
        if seconds <= SECONDS_MAX {
            Ok(Self(seconds))
        } else {
            Err(NotATimestamp(seconds.to_string()))
        }
    }

    /// Seconds since 1970 began.
    pub fn unix_seconds(self) -> u64 {
        self.0
    }

    /// Reads `2027-01-31T00:00:00Z`, and nothing looser.
    pub fn parse(text: &str) -> Result<Self, NotATimestamp> {
        read(text).map(Self).ok_or_else(|| NotATimestamp(text.chars().take(40).collect()))
    }
}

fn read(text: &str) -> Option<u64> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u64, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..10])?);
    let (hour, minute, second) =
        (number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?);
    let valid = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = (1970..year).map(days_in_year).sum::<u64>()
        + (1..month).map(|month| days_in(year, month)).sum::<u64>();
    valid.then(|| (days + day - 1) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

fn days_in_year(year: u64) -> u64 {
    365 + u64::from(days_in(year, 2) == 29)
}

fn days_in(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, time) = (self.0 / SECONDS_PER_DAY, self.0 % SECONDS_PER_DAY);
        let (mut year, mut month) = (1970, 1);
        while days >= days_in_year(year) {
            days -= days_in_year(year);
            year += 1;
        }
        while days >= days_in(year, month) {
            days -= days_in(year, month);
            month += 1;
        }
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(f, "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = NotATimestamp;
    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = NotATimestamp;
    fn try_from(text: String) -> Result<Self, NotATimestamp> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> String {
        timestamp.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        // From `date -u -d @N`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (SECONDS_MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp(seconds).to_string(), text);
            assert_eq!(Timestamp::parse(text).unwrap().unix_seconds(), seconds);
        }
    }

    #[test]
    fn anything_looser_is_refused() {
        for bad in [
            "",
            "2025-01-01",
            "2025-01-01T00:00:00",
            "2025-01-01T00:00:00+00:00",
            "2025-01-01t00:00:00z",
            "2025-01-01T00:00:00.0Z",
            "2025-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-01-00T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "+025-01-01T00:00:00Z",
        ] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
        assert!(Timestamp::from_unix_seconds(SECONDS_MAX + 1).is_err());
    }

    proptest! {
        #[test]
        fn text_and_seconds_agree(seconds in 0..=SECONDS_MAX) {
            let moment = Timestamp::from_unix_seconds(seconds).unwrap();
            prop_assert_eq!(Timestamp::parse(&moment.to_string()).unwrap(), moment);
        }
    }
}
