//! What protocols count, as /proc/net says it: pairs of name and number.

use std::collections::HashMap;
use std::fs::{File, read_to_string};
use std::io::Read;
use std::sync::Arc;

/// Numbers by name. Those of a protocol carry its name in front: `IpInReceives`, `TcpExtListenDrops`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Of ten thousand lists with the same names, the names are there once.
    names: Arc<Names>,
    numbers: Vec<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    in_order: Vec<String>,
    places: HashMap<String, usize>,
}

/// No name of a protocol and a number is longer.
const MAX_NAME: usize = 64;

/// Reads all of them: /proc/net/snmp and netstat for IPv4, snmp6 for IPv6.
///
/// # Errors
/// There is no /proc/net.
pub fn protocol_numbers() -> std::io::Result<Numbers> {
    let mut numbers = Numbers::default();
    numbers.add_titled(&read_to_string("/proc/net/snmp")?);
    numbers.add_titled(&read_to_string("/proc/net/netstat").unwrap_or_default());
    // A host may be without IPv6.
    numbers.add_listed(&read_to_string("/proc/net/snmp6").unwrap_or_default());
    Ok(numbers)
}

/// How long the host is up, in hundredths of a second; 0 where that is not known.
pub fn host_up_time() -> u32 {
    let text = read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split_whitespace().next().unwrap_or_default();
    // Two digits behind the point. It wraps after 497 days, as the kernel's dates of addresses do.
    let hundredths: u64 = seconds.replace('.', "").parse().unwrap_or(0);
    (hundredths & u64::from(u32::MAX)).try_into().unwrap_or(0)
}

/// What IPv6 counts for each interface, by its index: a file for each.
///
/// # Errors
/// There is no IPv6.
pub fn interface_numbers() -> std::io::Result<Vec<(u32, Numbers)>> {
    let files = std::fs::read_dir("/proc/net/dev_snmp6")?;
    let (mut names, mut text) = (Arc::default(), String::new());
    let read = files.filter_map(|file| {
        text.clear();
        File::open(file.ok()?.path()).ok()?.read_to_string(&mut text).ok()?;
        let numbers = Numbers::listed(&text, &names);
        names = Arc::clone(&numbers.names);
        Some((u32::try_from(numbers.get("ifIndex")?).ok()?, numbers))
    });
    Ok(read.collect())
}

impl Numbers {
    /// A number.
    pub fn get(&self, name: &str) -> Option<i64> {
        self.numbers.get(*self.names.places.get(name)?).copied()
    }

    /// A number of a protocol.
    pub fn of(&self, protocol: &str, name: &str) -> Option<i64> {
        // Put together without memory: this is on the way of every GET.
        let mut whole = [0; MAX_NAME];
        let len = protocol.len() + name.len();
        let (front, back) = whole.get_mut(..len)?.split_at_mut(protocol.len());
        front.copy_from_slice(protocol.as_bytes());
        back.copy_from_slice(name.as_bytes());
        self.get(std::str::from_utf8(&whole[..len]).ok()?)
    }

    /// All names with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        let names = self.names.in_order.iter().map(String::as_str);
        names.zip(self.numbers.iter().copied())
    }

    /// Two lines for a protocol: its name and those of the numbers, its name and the numbers.
    pub fn add_titled(&mut self, text: &str) {
        let mut lines = text.lines();
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            let (Some((protocol, names)), Some((_, numbers))) =
                (names.split_once(':'), numbers.split_once(':'))
            else {
                continue;
            };
            for (name, number) in names.split_whitespace().zip(numbers.split_whitespace()) {
                if let Ok(number) = parsed(number) {
                    self.add(format!("{protocol}{name}"), number);
                }
            }
        }
    }

    /// A line for a number: its name, itself.
    pub fn add_listed(&mut self, text: &str) {
        for (name, number) in listed(text) {
            self.add(name.to_owned(), number);
        }
    }

    /// The same, where the names are most likely those of another list.
    fn listed(text: &str, names: &Arc<Names>) -> Self {
        let known = names.in_order.iter().map(String::as_str);
        if listed(text).map(|(name, _)| name).eq(known) {
            let numbers = listed(text).map(|(_, number)| number).collect();
            return Numbers { names: Arc::clone(names), numbers };
        }
        let mut numbers = Numbers::default();
        numbers.add_listed(text);
        numbers
    }

    /// Adds a number, or puts it in the place of the one with its name.
    fn add(&mut self, name: String, number: i64) {
        let names = Arc::make_mut(&mut self.names);
        let place = *names.places.entry(name).or_insert_with_key(|name| {
            names.in_order.push(name.clone());
            names.in_order.len() - 1
        });
        match self.numbers.get_mut(place) {
            Some(known) => *known = number,
            None => self.numbers.push(number),
        }
    }
}

fn listed(text: &str) -> impl Iterator<Item = (&str, i64)> {
    text.lines().filter_map(|line| {
        let (name, number) = line.split_once(char::is_whitespace)?;
        Some((name, parsed(number.trim()).ok()?))
    })
}

/// Counters have 64 bits, and some numbers are below 0.
fn parsed(number: &str) -> Result<i64, std::num::ParseIntError> {
    number.parse().or_else(|_| number.parse::<u64>().map(u64::cast_signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        let mut numbers = Numbers::default();
        numbers.add_titled(
            "Ip: Forwarding InReceives\nIp: 2 18446744073709551615\nTcp: MaxConn\nTcp: -1\nodd\n",
        );
        numbers.add_listed("Ip6InReceives                   \t704\nIcmp6InType135 x\n");
        assert_eq!(numbers.get("IpForwarding"), Some(2));
        assert_eq!(numbers.get("IpInReceives").map(i64::cast_unsigned), Some(u64::MAX));
        assert_eq!(numbers.get("TcpMaxConn"), Some(-1));
        assert_eq!(numbers.of("Tcp", "MaxConn"), Some(-1));
        assert_eq!(numbers.of("Tcp", &"x".repeat(MAX_NAME)), None);
        assert_eq!(
            (numbers.get("Ip6InReceives"), numbers.get("Icmp6InType135")),
            (Some(704), None)
        );
        assert_eq!(numbers.iter().count(), 4);
    }

    #[test]
    fn lists_with_the_same_names_share_them_and_others_do_not() {
        let first = Numbers::listed("a 1\nb 2\n", &Arc::default());
        let second = Numbers::listed("a 3\nb 4\n", &first.names);
        let third = Numbers::listed("a 5\nc 6\n", &first.names);
        assert!(Arc::ptr_eq(&first.names, &second.names));
        assert_eq!((second.get("a"), second.get("b")), (Some(3), Some(4)));
        assert_eq!((third.get("b"), third.get("c")), (None, Some(6)));
        let mut fourth = second.clone();
        fourth.add_listed("b 7\nd 8\n");
        assert_eq!(
            (fourth.get("b"), fourth.get("d"), second.get("b")),
            (Some(7), Some(8), Some(4))
        );
    }

    #[test]
    fn the_kernel_has_some() {
        assert!(interface_numbers().unwrap().iter().all(|(_, n)| n.get("Ip6InReceives").is_some()));
        assert!(protocol_numbers().unwrap().get("IpInReceives").is_some());
    }
}
