//! A row of entPhysicalTable: the host as a whole, or a module.
//!
//! What is not known has no octets, as RFC 6933 asks for.

use crate::CHASSIS;
use mib_kit::Column;
use roles::varbind::VarValue::{Integer, Octets, Oid};
use std::fs::read_to_string;

/// zeroDotZero: not known.
const UNKNOWN: &[u32] = &[0, 0];
/// sagentModule of the SAGENT-MIB.
const SAGENT_MODULE: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 1, 1, 2];
/// The component that the host fills itself: there is nothing to replace it by.
const ENGINE: &[u8] = b"engine";
/// IANAPhysicalClass.
const CLASS_CHASSIS: i32 = 3;
const CLASS_MODULE: i32 = 9;

/// The row.
#[derive(Clone, Default)]
pub(crate) struct Physical {
    descr: Vec<u8>,
    vendor_type: &'static [u32],
    contained_in: u32,
    class: i32,
    relative_place: i32,
    name: Vec<u8>,
    hardware: Vec<u8>,
    firmware: Vec<u8>,
    software: Vec<u8>,
    serial: Vec<u8>,
    maker: Vec<u8>,
    model: Vec<u8>,
    is_replaceable: bool,
}

pub(crate) const COLUMNS: &[Column<Physical>] = &[
    Column::new(2, |row| Some(Octets(&row.descr))),
    Column::new(3, |row| Some(Oid(row.vendor_type))),
    Column::new(4, |row| i32::try_from(row.contained_in).ok().map(Integer)),
    Column::new(5, |row| Some(Integer(row.class))),
    Column::new(6, |row| Some(Integer(row.relative_place))),
    Column::new(7, |row| Some(Octets(&row.name))),
    Column::new(8, |row| Some(Octets(&row.hardware))),
    Column::new(9, |row| Some(Octets(&row.firmware))),
    Column::new(10, |row| Some(Octets(&row.software))),
    Column::new(11, |row| Some(Octets(&row.serial))),
    Column::new(12, |row| Some(Octets(&row.maker))),
    Column::new(13, |row| Some(Octets(&row.model))),
    // entPhysicalAlias and entPhysicalAssetID: the least that RFC 6933 §3 allows is to show that there is none.
    Column::new(14, |_| Some(Octets(b""))),
    Column::new(15, |_| Some(Octets(b""))),
    // TruthValue.
    Column::new(16, |row| Some(Integer(if row.is_replaceable { 1 } else { 2 }))),
    // entPhysicalMfgDate: not known.
    Column::new(17, |_| Some(Octets(&[0; 8]))),
    Column::new(18, |_| Some(Octets(b""))),
    // entPhysicalUUID: the host's is for its owner only, and modules have none.
    Column::new(19, |_| Some(Octets(b""))),
];

impl Physical {
    /// A module, from its component's name, its version and its annotation.
    pub(crate) fn module(relative_place: i32, [name, version, annotation]: [&[u8]; 3]) -> Self {
        let mut descr = [b"S-component ", name].concat();
        if !annotation.is_empty() {
            descr.extend_from_slice(b": ");
            descr.extend_from_slice(annotation);
        }
        Physical {
            descr: cut(descr),
            vendor_type: SAGENT_MODULE,
            contained_in: CHASSIS,
            class: CLASS_MODULE,
            relative_place,
            name: cut(name.to_vec()),
            software: cut(version.to_vec()),
            is_replaceable: name != ENGINE,
            ..Physical::default()
        }
    }
}

/// The host, as its firmware and its kernel describe it.
#[derive(Default)]
pub(crate) struct Chassis {
    vendor: String,
    product: String,
    hardware: String,
    serial: String,
    firmware: String,
    kernel: String,
    name: String,
}

impl Chassis {
    /// Reads it. What there is not, or what is not for everybody, stays empty.
    pub(crate) fn look() -> Self {
        let word = |path: String| read_to_string(path).unwrap_or_default().trim().to_owned();
        let firmware = |file: &str| word(format!("/sys/class/dmi/id/{file}"));
        let kernel = |file: &str| word(format!("/proc/sys/kernel/{file}"));
        Chassis {
            vendor: firmware("sys_vendor"),
            product: firmware("product_name"),
            hardware: firmware("product_version"),
            serial: firmware("product_serial"),
            firmware: firmware("bios_version"),
            kernel: format!("{} {}", kernel("ostype"), kernel("osrelease")),
            name: kernel("hostname"),
        }
    }

    pub(crate) fn row(&self) -> Physical {
        let text = |text: &str| cut(text.as_bytes().to_vec());
        let words = [self.vendor.as_str(), self.product.as_str()];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let descr = if words.is_empty() { "host".to_owned() } else { words.join(" ") };
        Physical {
            descr: text(&descr),
            vendor_type: UNKNOWN,
            // RFC 6933: it is in nothing, and has no siblings.
            contained_in: 0,
            relative_place: -1,
            class: CLASS_CHASSIS,
            name: text(&self.name),
            hardware: text(&self.hardware),
            firmware: text(&self.firmware),
            software: text(&self.kernel),
            serial: text(&self.serial),
            maker: text(&self.vendor),
            model: text(&self.product),
            is_replaceable: false,
        }
    }
}

/// An SnmpAdminString has at most 255 octets, and ends with a whole character.
fn cut(mut text: Vec<u8>) -> Vec<u8> {
    const MOST: usize = 255;
    if text.len() > MOST {
        let is_inside = |at: usize| text[at] & 0b1100_0000 == 0b1000_0000;
        let end = (0..=MOST).rev().find(|at| !is_inside(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "§".repeat(200).into_bytes();
        let short = cut(long);
        assert_eq!(short.len(), 254);
        assert!(std::str::from_utf8(&short).is_ok());
        assert_eq!(cut(vec![b'a'; 300]).len(), 255);
        assert_eq!(cut(b"abc".to_vec()), b"abc");
    }

    #[test]
    fn what_is_not_known_has_no_octets() {
        let row = Chassis { product: "P1".into(), ..Chassis::default() }.row();
        assert_eq!(
            (row.descr.as_slice(), row.serial.as_slice()),
            (b"P1".as_slice(), b"".as_slice())
        );
        assert_eq!(Chassis::default().row().descr, b"host");
    }

    #[test]
    fn every_module_but_the_engine_can_be_replaced() {
        let module = |name: &str| Physical::module(3, [name.as_bytes(), b"1.0.0", b""]);
        assert!(module("mib.if").is_replaceable && !module("engine").is_replaceable);
        assert_eq!(module("mib.if").descr, b"S-component mib.if");
        assert_eq!(module("mib.if").relative_place, 3);
    }
}
