//! laTable: load averages, as text, in hundredths, and as a number with a fraction.

use mib_kit::values::capped;
use mib_kit::{Column, Rows};
use roles::varbind::VarValue::{Integer, Octets, Opaque};

const MINUTES: [u32; 3] = [1, 5, 15];

/// A row of laTable.
pub(crate) struct Load {
    index: u32,
    name: String,
    text: String,
    limit: String,
    hundredths: u64,
    /// The BER encoding of the Float of NET-SNMP-TC: context tag 48 in two octets, 4 octets of IEEE 754.
    float: [u8; 7],
    message: String,
}

pub(crate) const COLUMNS: &[Column<Load>] = &[
    Column::new(1, |load| Some(Integer(capped(load.index.into())))),
    Column::new(2, |load| Some(Octets(load.name.as_bytes()))),
    Column::new(3, |load| Some(Octets(load.text.as_bytes()))),
    Column::new(4, |load| Some(Octets(load.limit.as_bytes()))),
    Column::new(5, |load| Some(Integer(capped(load.hundredths)))),
    Column::new(6, |load| Some(Opaque(&load.float))),
    Column::new(100, |load| Some(Integer(i32::from(!load.message.is_empty())))),
    Column::new(101, |load| Some(Octets(load.message.as_bytes()))),
];

pub(crate) fn loads(averages: [u64; 3], limits: [u32; 3]) -> Rows<u32, Load> {
    let rows = (1..).zip(MINUTES.into_iter().zip(averages.into_iter().zip(limits)));
    rows.map(|(index, (minutes, (average, limit)))| (index, load(index, minutes, average, limit)))
        .collect()
}

fn load(index: u32, minutes: u32, hundredths: u64, limit: u32) -> Load {
    let text = decimal(hundredths);
    // 0 is no limit.
    let message = match limit > 0 && hundredths >= limit.into() {
        true => format!("{minutes} min Load Average too high (= {text})"),
        false => String::new(),
    };
    // The kernel says two decimals, which seven digits have room for.
    let [a, b, c, d] = text.parse::<f32>().unwrap_or(f32::MAX).to_be_bytes();
    let (name, limit) = (format!("Load-{minutes}"), decimal(limit.into()));
    let float = [0x9f, 0x78, 4, a, b, c, d];
    Load { index, name, text, limit, hundredths, float, message }
}

fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_too_high_from_its_limit_on_and_never_without_one() {
        let message = |hundredths, limit| load(3, 15, hundredths, limit).message;
        assert_eq!(message(1200, 1200), "15 min Load Average too high (= 12.00)");
        assert_eq!(message(1199, 1200), "");
        assert_eq!(message(9999, 0), "");
    }

    #[test]
    fn a_float_is_an_opaque_with_its_own_tag() {
        let load = load(1, 1, 150, 0);
        assert_eq!(load.float, [0x9f, 0x78, 4, 0x3f, 0xc0, 0, 0]);
        assert_eq!((load.text.as_str(), load.limit.as_str()), ("1.50", "0.00"));
    }
}
