//! What sysfs says of links: all of it where netlink cannot be had, speed and connector always.

use crate::link::{Counters, Link};
use std::fs::{read_dir, read_to_string};
use std::io::Result;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const NET: &str = "/sys/class/net";

/// Reads all links, a file for each fact.
///
/// # Errors
/// There is no sysfs.
pub fn links() -> Result<Vec<Link>> {
    let links = read_dir(NET)?.filter_map(|entry| {
        let entry = entry.ok()?;
        let mut link = link(&entry.path())?;
        link.name = entry.file_name().as_bytes().to_vec();
        Some(link)
    });
    Ok(links.collect())
}

/// The speed of a link in megabits per second, where its driver knows it.
pub fn speed_mbit(name: &[u8]) -> Option<u32> {
    number(&Path::new(NET).join(std::ffi::OsStr::from_bytes(name)), "speed")
}

/// Whether there is hardware behind a link.
pub fn has_device(name: &[u8]) -> bool {
    Path::new(NET).join(std::ffi::OsStr::from_bytes(name)).join("device").exists()
}

fn link(path: &Path) -> Option<Link> {
    let text = |file| text(path, file).unwrap_or_default();
    let flags = text("flags");
    let counter = |file: &str| number(path, &format!("statistics/{file}")).unwrap_or(0);
    Some(Link {
        index: number(path, "ifindex")?,
        alias: text("ifalias").into_bytes(),
        hardware: number(path, "type")?,
        flags: u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0),
        mtu: number(path, "mtu").unwrap_or(0),
        address: octets(&text("address")).unwrap_or_default(),
        oper_state: oper_state(&text("operstate")),
        carrier_changes: number(path, "carrier_changes").unwrap_or(0),
        counters: Counters {
            rx_packets: counter("rx_packets"),
            tx_packets: counter("tx_packets"),
            rx_octets: counter("rx_bytes"),
            tx_octets: counter("tx_bytes"),
            rx_errors: counter("rx_errors"),
            tx_errors: counter("tx_errors"),
            rx_dropped: counter("rx_dropped"),
            tx_dropped: counter("tx_dropped"),
            multicast: counter("multicast"),
            no_handler: counter("rx_nohandler"),
        },
        ..Link::default()
    })
}

/// IF_OPER_*, by the words of Documentation/ABI/testing/sysfs-class-net.
fn oper_state(word: &str) -> u8 {
    let words = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];
    (0..).zip(words).find(|(_, known)| *known == word).map_or(0, |(state, _)| state)
}

pub(crate) fn octets(address: &str) -> Option<Vec<u8>> {
    address.split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect()
}

fn number<N: std::str::FromStr>(path: &Path, file: &str) -> Option<N> {
    text(path, file)?.parse().ok()
}

fn text(path: &Path, file: &str) -> Option<String> {
    Some(read_to_string(path.join(file)).ok()?.trim().to_owned())
}

/// The addresses of groups whose packets interfaces take: index and address of each.
///
/// # Errors
/// There is no /proc/net.
pub fn multicast_addresses() -> Result<Vec<(u32, Vec<u8>)>> {
    let text = read_to_string("/proc/net/dev_mcast")?;
    let lines = text.lines().filter_map(|line| {
        // Index, name, users, users for all, address in hexadecimal.
        let mut fields = line.split_ascii_whitespace();
        let (index, address) = (fields.next()?.parse().ok()?, fields.nth(3)?);
        let pairs = address.as_bytes().chunks(2).map(std::str::from_utf8);
        let octets = pairs.map(|pair| u8::from_str_radix(pair.ok()?, 16).ok());
        Some((index, octets.collect::<Option<Vec<u8>>>()?))
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_have_addresses() {
        let found = super::multicast_addresses().unwrap();
        assert!(found.iter().all(|(index, address)| *index != 0 && !address.is_empty()));
    }
}
