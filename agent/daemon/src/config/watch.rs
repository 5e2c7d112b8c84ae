//! `[watch]` of `sagentd.toml`: from where on load, disks and swap space are an error (UCD-SNMP-MIB).
//!
//! It checks what the form of an entry does not say; the module checks the rest.

use roles::settings::{UcdSettings, WatchedDisk};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct WatchTable {
    load: Vec<f64>,
    swap: Option<u32>,
    all_disks: Option<Minimum>,
    disk: Vec<DiskTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DiskTable {
    path: String,
    minimum: Option<Minimum>,
}

/// Kilobytes as a number, percent as `"10%"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Minimum {
    Kilobytes(u32),
    Percent(String),
}

impl Minimum {
    fn percent(text: &str) -> Result<u32, String> {
        let number = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
        number.filter(|percent| *percent <= 100).ok_or_else(|| {
            format!("`{text}` is no minimum; write `\"10%\"`, or a number of kilobytes")
        })
    }
}

/// What the table says, and what holds where it says nothing.
pub(super) fn settings(table: WatchTable) -> Result<UcdSettings, String> {
    let mut settings = UcdSettings::default();
    if table.load.len() > 3 {
        return Err("`load` has more than three numbers: for 1, 5 and 15 minutes".into());
    }
    for (at, limit) in table.load.iter().enumerate() {
        let hundredths = hundredths(*limit)
            .ok_or_else(|| format!("`load`: {limit} is no load; write 0 for no limit, or more"))?;
        // A limit that is not given is the one before it.
        settings.load_limits[at..].fill(hundredths);
    }
    if let Some(swap) = table.swap {
        settings.minimum_swap_kib = swap;
    }
    settings.all_disks_percent = match table.all_disks {
        None => None,
        Some(Minimum::Percent(text)) => Some(Minimum::percent(&text)?),
        Some(Minimum::Kilobytes(_)) => {
            return Err("`all-disks` is the same for all of them in percent only: `\"10%\"`".into());
        }
    };
    for disk in table.disk {
        let (minimum_kib, minimum_percent) = match disk.minimum {
            None => (None, None),
            Some(Minimum::Kilobytes(kib)) => (Some(kib), None),
            Some(Minimum::Percent(text)) => (None, Some(Minimum::percent(&text)?)),
        };
        settings.disks.push(WatchedDisk { path: disk.path, minimum_kib, minimum_percent });
    }
    Ok(settings)
}

fn hundredths(load: f64) -> Option<u32> {
    const MOST: f64 = 1_000_000.0;
    if !(0.0..=MOST).contains(&load) {
        return None;
    }
    // Two decimals are all that a load has; in this range they are exact.
    format!("{load:.2}").replace('.', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<UcdSettings, String> {
        let table = toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())?;
        settings(table)
    }

    #[test]
    fn minimums_are_kilobytes_or_percent_and_a_limit_that_is_missing_is_the_one_before() {
        let read = read(
            "load = [12, 10.5]\nswap = 1000\nall-disks = \"5%\"\n\
             [[disk]]\npath = \"/\"\nminimum = \"10%\"\n[[disk]]\npath = \"/var\"\nminimum = 7\n\
             [[disk]]\npath = \"/srv\"\n",
        )
        .unwrap();
        assert_eq!(read.load_limits, [1200, 1050, 1050]);
        assert_eq!((read.minimum_swap_kib, read.all_disks_percent), (1000, Some(5)));
        let disks: Vec<_> =
            read.disks.iter().map(|disk| (disk.minimum_kib, disk.minimum_percent)).collect();
        assert_eq!(disks, [(None, Some(10)), (Some(7), None), (None, None)]);
        assert_eq!(self::read(""), Ok(UcdSettings::default()));
    }

    #[test]
    fn what_is_no_minimum_or_no_load_is_told_with_the_remedy() {
        for (text, remedy) in [
            ("load = [1, 2, 3, 4]", "for 1, 5 and 15 minutes"),
            ("load = [-1.0]", "0 for no limit"),
            ("all-disks = 5", "\"10%\""),
            ("[[disk]]\npath = \"/\"\nminimum = \"101%\"", "number of kilobytes"),
            ("[[disk]]\npath = \"/\"\nminimum = \"some\"", "number of kilobytes"),
            ("[[disk]]\nminimum = 1", "path"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(remedy), "{text}: {problem}");
        }
    }
}
