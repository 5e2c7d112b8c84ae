//! What the UCD-SNMP-MIB looks after: `disk`, `includeAllDisks`, `load`, `swap`.
//!
//! Invariant: limits are what snmpd has for the same line, its defaults included.

use super::verdict::{Told, ignored, refused};
use super::words::Words;
use roles::settings::{UcdSettings, WatchedDisk};

/// Kilobytes that are to be free where a `disk` line does not say.
const USUAL_MINIMUM: u32 = 100;

/// `disk PATH [KIB | PERCENT%]`
pub(super) fn disk(ucd: &mut UcdSettings, words: &mut Words<'_>) -> Told {
    let path = words.word().unwrap_or_default();
    let (minimum_kib, minimum_percent) = match words.word().as_deref() {
        None => (Some(USUAL_MINIMUM), None),
        Some(text) => match text.strip_suffix('%') {
            Some(percent) => (None, Some(self::percent(percent)?)),
            None => match text.parse() {
                Ok(kib) => (Some(kib), None),
                Err(_) => {
                    return refused(
                        "the least free space is neither kilobytes nor a percentage: write one, as in 10%",
                    );
                }
            },
        },
    };
    if ucd.disks.iter().any(|disk| disk.path == path) {
        return ignored("an earlier line is for the same filesystem");
    }
    ucd.disks.push(WatchedDisk { path, minimum_kib, minimum_percent });
    Ok(String::new())
}

/// `includeAllDisks PERCENT%`
pub(super) fn all_disks(ucd: &mut UcdSettings, words: &mut Words<'_>) -> Told {
    let percent = percent(words.word().unwrap_or_default().trim_end_matches('%'))?;
    if ucd.all_disks_percent.is_some() {
        return ignored("an earlier line says so already, and snmpd goes by the first");
    }
    ucd.all_disks_percent = Some(percent);
    Ok(String::new())
}

fn percent(text: &str) -> Result<u32, super::Verdict> {
    text.parse().ok().filter(|percent| *percent <= 100).map_or_else(
        || refused("the percentage is no number from 0 to 100: write one, as in 10%"),
        Ok,
    )
}

/// `load MAX1 [MAX5 [MAX15]]`: what is left out is as the one before.
pub(super) fn load(ucd: &mut UcdSettings, words: &mut Words<'_>) -> Told {
    let mut last = None;
    for place in &mut ucd.load_limits {
        if let Some(text) = words.word() {
            let Some(hundredths) = hundredths(&text) else {
                return refused("a limit of the load is no number: write one, as in 12.5");
            };
            last = Some(hundredths);
        }
        *place = last.unwrap_or(*place);
    }
    Ok(String::new())
}

/// A decimal number in hundredths; digits beyond them are cut off.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part: u32 = format!("{part:0<2}").get(..2)?.parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

/// `swap KIB`
pub(super) fn swap(ucd: &mut UcdSettings, words: &mut Words<'_>) -> Told {
    match words.word().and_then(|text| text.parse().ok()) {
        Some(kib) => {
            ucd.minimum_swap_kib = kib;
            Ok(String::new())
        }
        None => refused("the least free swap space is no number of kilobytes: write one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_snmpd() {
        let mut ucd = UcdSettings::default();
        for (line, take) in [
            ("/", disk as fn(&mut UcdSettings, &mut Words<'_>) -> Told),
            ("/var 10%", disk),
            ("/srv 5000", disk),
            ("20%", all_disks),
            ("4 2.55", load),
            ("8000", swap),
        ] {
            assert_eq!(take(&mut ucd, &mut Words::of(line)), Ok(String::new()), "{line}");
        }
        let disks: Vec<_> = ucd.disks.iter().map(|d| (d.minimum_kib, d.minimum_percent)).collect();
        assert_eq!(disks, [(Some(100), None), (None, Some(10)), (Some(5000), None)]);
        assert_eq!((ucd.all_disks_percent, ucd.minimum_swap_kib), (Some(20), 8000));
        assert_eq!(ucd.load_limits, [400, 255, 255]);
        for (line, take) in [
            ("/home 101%", disk as fn(&mut UcdSettings, &mut Words<'_>) -> Told),
            ("/home much", disk),
            ("all", all_disks),
            ("x", load),
            ("1.x", load),
            ("x", swap),
        ] {
            assert!(take(&mut ucd, &mut Words::of(line)).is_err(), "{line}");
        }
    }
}
