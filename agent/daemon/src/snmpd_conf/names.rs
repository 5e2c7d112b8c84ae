//! Object identifiers as `snmpd.conf` writes them: numbers, or the names that configurations use.
//!
//! It reads no MIB files. Names that are not in the list below are refused with the remedy, never guessed.

/// Names that stand in configurations, each with its parent and its number there.
const NAMES: &[(&str, &str, u32)] = &[
    ("ccitt", "", 0),
    ("iso", "", 1),
    ("joint-iso-ccitt", "", 2),
    ("org", "iso", 3),
    ("dod", "org", 6),
    ("internet", "dod", 1),
    ("directory", "internet", 1),
    ("mgmt", "internet", 2),
    ("experimental", "internet", 3),
    ("private", "internet", 4),
    ("security", "internet", 5),
    ("snmpV2", "internet", 6),
    ("mib-2", "mgmt", 1),
    ("system", "mib-2", 1),
    ("interfaces", "mib-2", 2),
    ("at", "mib-2", 3),
    ("ip", "mib-2", 4),
    ("icmp", "mib-2", 5),
    ("tcp", "mib-2", 6),
    ("udp", "mib-2", 7),
    ("egp", "mib-2", 8),
    ("transmission", "mib-2", 10),
    ("snmp", "mib-2", 11),
    ("host", "mib-2", 25),
    ("ifMIB", "mib-2", 31),
    ("entityMIB", "mib-2", 47),
    ("hrSystem", "host", 1),
    ("hrStorage", "host", 2),
    ("hrDevice", "host", 3),
    ("hrSWRun", "host", 4),
    ("hrSWRunPerf", "host", 5),
    ("hrSWInstalled", "host", 6),
    ("enterprises", "private", 1),
    ("ucdavis", "enterprises", 2021),
    ("netSnmp", "enterprises", 8072),
    ("snmpModules", "snmpV2", 3),
    ("snmpFrameworkMIB", "snmpModules", 10),
    ("snmpMPDMIB", "snmpModules", 11),
    ("snmpTargetMIB", "snmpModules", 12),
    ("snmpNotificationMIB", "snmpModules", 13),
    ("snmpUsmMIB", "snmpModules", 15),
    ("snmpVacmMIB", "snmpModules", 16),
    ("snmpCommunityMIB", "snmpModules", 18),
];

/// An object identifier; otherwise why not, with the remedy.
pub(super) fn oid(text: &str) -> Result<Vec<u32>, String> {
    let wrong = || {
        "what should be an object identifier is none that is known here: write it in numbers, as in .1.3.6.1"
            .to_owned()
    };
    // `SNMPv2-MIB::system` says where the name is from; the names here are unique without.
    let (_, text) = text.rsplit_once("::").unwrap_or(("", text));
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut arcs: Vec<u32> = Vec::new();
    for (at, part) in text.strip_prefix('.').unwrap_or(text).split('.').enumerate() {
        match part.parse() {
            Ok(arc) => arcs.push(arc),
            Err(_) => {
                let named = named(part).ok_or_else(wrong)?;
                let child = named.split_last().is_some_and(|(_, parent)| parent == arcs);
                if at > 0 && !child {
                    return Err(wrong());
                }
                arcs = named;
            }
        }
    }
    if (1..=128).contains(&arcs.len()) { Ok(arcs) } else { Err(wrong()) }
}

fn named(name: &str) -> Option<Vec<u32>> {
    let (_, parent, arc) = NAMES.iter().find(|(known, ..)| *known == name)?;
    let mut arcs = if parent.is_empty() { Vec::new() } else { named(parent)? };
    arcs.push(*arc);
    Some(arcs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_known_names_are_object_identifiers() {
        for (text, wanted) in [
            (".1.3.6.1", &[1, 3, 6, 1][..]),
            ("1.3.6.1.", &[1, 3, 6, 1]),
            (".1", &[1]),
            (".iso.org.dod.internet.mgmt.mib-2.system", &[1, 3, 6, 1, 2, 1, 1]),
            ("system", &[1, 3, 6, 1, 2, 1, 1]),
            ("SNMPv2-MIB::system.1.0", &[1, 3, 6, 1, 2, 1, 1, 1, 0]),
            (".1.3.6.1.mgmt", &[1, 3, 6, 1, 2]),
            ("enterprises.2021", &[1, 3, 6, 1, 4, 1, 2021]),
        ] {
            assert_eq!(oid(text).as_deref(), Ok(wanted), "{text}");
        }
        for wrong in ["", ".", "..1", "nothing", ".iso.system", "1.3.4294967296", "-1", ".1.3.x"] {
            assert!(oid(wrong).is_err(), "{wrong}");
        }
        assert!(oid(&"1.".repeat(129)).is_err());
    }
}
