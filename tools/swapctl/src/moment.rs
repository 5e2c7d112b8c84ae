//! Times as operators write them: a number and its unit, never a bare number.

use std::time::Duration;

/// A span of time such as `500ms`, `60s`, `5m` or `2h`.
///
/// # Errors
/// It has no unit, or is no whole number above 0.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => {
            return Err(format!(
                "write a number and its unit, such as 500ms, 60s or 5m, not {text:?}"
            ));
        }
    };
    let number: u64 =
        number.parse().map_err(|_| format!("{text:?} does not begin with a whole number"))?;
    match number.checked_mul(millis_per_unit) {
        Some(0) => Err("0 is no time; write at least 1ms".to_owned()),
        Some(millis) => Ok(Duration::from_millis(millis)),
        None => Err(format!("{text:?} is longer than any clock counts")),
    }
}

/// A span of whole seconds.
///
/// # Errors
/// As for [`span`], or it is no whole number of seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let span = span(text)?;
    if span.subsec_millis() == 0 {
        Ok(span.as_secs())
    } else {
        Err(format!("{text:?} is no whole number of seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("60s"), Ok(Duration::from_secs(60)));
        assert_eq!((seconds("5m"), seconds("2h")), (Ok(300), Ok(7200)));
        assert!(seconds("1500ms").is_err());
        for wrong in ["", "60", "s", "-1s", "1.5s", "0s", "60 s", "6o s", "99999999999999999999h"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        assert!(span("18446744073709551615h").is_err());
    }
}
