//! /proc/net/tcp, udp and their twins for IPv6: a line for each socket.
//!
//! It never fails: a line that is none is left out.

use mib_kit::Octets;

/// A socket of either protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
    /// The kernel's number of a TCP state.
    pub(crate) state: u8,
    pub(crate) inode: u32,
}

/// An address and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: Vec<u8>,
    pub(crate) port: u32,
}

/// InetAddressType, InetAddress, InetPortNumber (RFC 4001): parts of an index.
pub(crate) type EndpointIndex = (u32, Octets, u32);

impl Endpoint {
    /// The endpoint as parts of an index.
    pub(crate) fn index(&self) -> EndpointIndex {
        let kind = if self.address.len() == 4 { 1 } else { 2 };
        (kind, Octets(self.address.clone()), self.port)
    }

    /// The same, where an endpoint that is not set is unknown.
    pub(crate) fn remote_index(&self) -> EndpointIndex {
        let is_set = self.port != 0 || self.address.iter().any(|octet| *octet != 0);
        if is_set { self.index() } else { (0, Octets::default(), 0) }
    }
}

/// All sockets of a protocol, over IPv4 and IPv6.
pub(crate) fn sockets(protocol: &str) -> Vec<Socket> {
    let files = [format!("/proc/net/{protocol}"), format!("/proc/net/{protocol}6")];
    let read = |file: &String| std::fs::read_to_string(file).unwrap_or_default();
    files
        .iter()
        .map(read)
        .flat_map(|text| text.lines().filter_map(socket).collect::<Vec<_>>())
        .collect()
}

fn socket(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (endpoint(fields.next()?)?, endpoint(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    // Behind the state: queues, timer, retransmissions, user, timeout, inode.
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Socket { local, remote, state, inode })
}

/// Address and port in hexadecimal; the address as words in the byte order of the machine.
fn endpoint(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    if !matches!(address.len(), 8 | 32) || !address.is_ascii() {
        return None;
    }
    let words = (0..address.len() / 8)
        .map(|at| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok());
    let words: Option<Vec<u32>> = words.collect();
    let address = words?.into_iter().flat_map(u32::to_ne_bytes).collect();
    Some(Endpoint { address, port: u16::from_str_radix(port, 16).ok()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_socket_and_anything_else_is_none() {
        let address = u32::from_ne_bytes([127, 0, 0, 1]);
        let line = format!(
            "   0: {address:08X}:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1049 1 0"
        );
        let found = socket(&line).unwrap();
        assert_eq!(found.local.index(), (1, Octets(vec![127, 0, 0, 1]), 2024));
        assert_eq!(found.remote.remote_index(), (0, Octets(vec![]), 0));
        assert_eq!((found.state, found.inode), (10, 1049));
        let title = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
        assert_eq!(socket(title), None);
        for cut in 0..line.len() - 10 {
            let _ = socket(&line[..cut]);
        }
    }

    #[test]
    fn an_address_of_ipv6_is_four_words() {
        let one = u32::from_ne_bytes([0, 0, 0, 1]);
        let endpoint = endpoint(&format!("000000000000000000000000{one:08X}:0016")).unwrap();
        assert_eq!(endpoint.index(), (2, Octets([vec![0; 15], vec![1]].concat()), 22));
    }
}
