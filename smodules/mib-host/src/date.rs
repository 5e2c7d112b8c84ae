//! DateAndTime (RFC 2579), always in UTC.

/// "Not known", where RFC 2790 asks for a date: the first of January in the year 0.
pub(crate) const UNKNOWN: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0];

/// From seconds since 1970.
pub(crate) fn date_and_time(seconds: u64) -> [u8; 11] {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days are counted in eras of 400 years that begin on the first of March, when a leap day comes last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let octet = |number: u64| u8::try_from(number).unwrap_or(0);
    let [high, low] = u16::try_from(year).unwrap_or(0).to_be_bytes();
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    [high, low, octet(month), octet(day), octet(hour), octet(minute), octet(second), 0, b'+', 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, [1970, 1, 1, 0, 0, 0]),
            (951_782_400, [2000, 2, 29, 0, 0, 0]),
            (951_868_799, [2000, 2, 29, 23, 59, 59]),
            (1_735_689_599, [2024, 12, 31, 23, 59, 59]),
            (4_107_542_400, [2100, 3, 1, 0, 0, 0]),
        ] {
            let made = date_and_time(seconds);
            let year = u16::from_be_bytes([made[0], made[1]]);
            let rest = [made[2], made[3], made[4], made[5], made[6]].map(u16::from);
            assert_eq!((year, rest.as_slice()), (date[0], &date[1..]), "{seconds}");
        }
    }
}
