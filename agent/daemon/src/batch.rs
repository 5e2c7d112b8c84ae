//! Many datagrams with one system call: `recvmmsg` and `sendmmsg`, which neither the standard library nor
//! a safe crate has.
//!
//! It knows nothing of SNMP. Invariant: every address that the kernel is given points into memory that
//! this batch owns and does not move while the call runs; lengths that the kernel answers are bounded by
//! what it was given.
#![allow(
    unsafe_code,
    reason = "the system calls take pointers; each block says what they point to"
)]

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

/// So many datagrams are taken at once.
pub(crate) const SIZE: usize = 32;

/// Room for one address of arrival with its header.
const CONTROL: usize = 64;

/// Datagrams of one call, and their answers.
pub(crate) struct Batch {
    received: Vec<u8>,
    answers: Vec<u8>,
    /// Where an answer lies in `answers`, by the datagram that it answers.
    answer_at: [Option<(usize, usize)>; SIZE],
    names: Box<[libc::sockaddr_storage; SIZE]>,
    name_lens: [libc::socklen_t; SIZE],
    controls: Box<[Control; SIZE]>,
    control_lens: [usize; SIZE],
    lens: [usize; SIZE],
    count: usize,
    /// The first of them that nobody has taken.
    next: usize,
    /// So many are asked for in the next call: where few come, room for many is work for nothing.
    offered: usize,
    largest: usize,
}

/// Aligned as a control message header.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

impl Control {
    /// Has an answer leave by whichever interface the routes say: only the address that was asked is to stay.
    /// A link-local address means nothing without its interface, so there it stays, too.
    fn forget_interface(&mut self, len: usize) {
        const HEAD: usize = size_of::<libc::cmsghdr>();
        let Some((head, data)) =
            self.0.get_mut(..len).and_then(|all| all.split_at_mut_checked(HEAD))
        else {
            return;
        };
        // A header is the length, a usize, then level and type.
        let number = |from: usize| {
            head.get(from..from + 4)
                .and_then(|octets| octets.try_into().ok())
                .map(libc::c_int::from_ne_bytes)
        };
        let level = number(size_of::<usize>());
        let interface = if level == Some(libc::IPPROTO_IP) {
            // in_pktinfo: the interface, the address that was asked, the one in the header.
            data.get_mut(..4)
        } else {
            // in6_pktinfo: the address, the interface.
            let address: Option<[u8; 16]> =
                data.get(..16).and_then(|octets| octets.try_into().ok());
            let link_local = address.is_none_or(|ip| Ipv6Addr::from(ip).is_unicast_link_local());
            data.get_mut(16..20).filter(|_| !link_local)
        };
        if let Some(interface) = interface {
            interface.fill(0);
        }
    }
}

impl Batch {
    /// Room for datagrams of so many octets.
    pub(crate) fn new(largest: usize) -> Self {
        // SAFETY: all zeros are an address of no family, which the type allows.
        let nobody: libc::sockaddr_storage = unsafe { zeroed() };
        Batch {
            received: vec![0; largest * SIZE],
            answers: Vec::new(),
            answer_at: [None; SIZE],
            names: Box::new([nobody; SIZE]),
            name_lens: [0; SIZE],
            controls: Box::new([Control([0; CONTROL]); SIZE]),
            control_lens: [0; SIZE],
            lens: [0; SIZE],
            count: 0,
            next: 0,
            offered: SIZE,
            largest,
        }
    }

    /// Waits for a datagram, and takes those that are there then.
    ///
    /// # Errors
    /// The socket's, its timeout included; then the batch is empty.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.answer_at[..self.count].fill(None);
        self.answers.clear();
        (self.count, self.next) = (0, 0);
        let offered = self.offered;
        let mut places = [const { MaybeUninit::<libc::iovec>::uninit() }; SIZE];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SIZE];
        let chunks = self.received.chunks_exact_mut(self.largest);
        for (at, (header, chunk)) in headers.iter_mut().zip(chunks).take(offered).enumerate() {
            let place = places[at]
                .write(libc::iovec { iov_base: chunk.as_mut_ptr().cast(), iov_len: chunk.len() });
            let header = &mut header.write(no_header()).msg_hdr;
            header.msg_iov = place;
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.names[at]).cast();
            header.msg_namelen = socklen(size_of::<libc::sockaddr_storage>());
            header.msg_control = self.controls[at].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL;
        }
        // SAFETY: so many headers were written; they, and all that they point to, live in this frame or in
        // `self` until the call returns.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                libc::c_uint::try_from(offered).unwrap_or(1),
                libc::MSG_WAITFORONE,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        // All that were asked for: there may be more. Fewer: as many again with some to spare.
        self.offered = (if count < offered { count + 2 } else { 2 * offered }).min(SIZE);
        for (at, header) in headers.iter().take(count.min(offered)).enumerate() {
            // SAFETY: the first `offered` headers were written, and the kernel answers no larger count.
            let header = unsafe { header.assume_init_ref() };
            // A datagram that was cut is as long as its room, one octet more than any message may have.
            self.lens[at] = (header.msg_len as usize).min(self.largest);
            self.name_lens[at] = header.msg_hdr.msg_namelen;
            self.control_lens[at] = header.msg_hdr.msg_controllen.min(CONTROL);
            self.controls[at].forget_interface(self.control_lens[at]);
        }
        self.count = count.min(offered);
        Ok(self.count)
    }

    /// A datagram and where it came from; none where the address is of no family that is known.
    pub(crate) fn datagram(&self, at: usize) -> Option<(SocketAddr, &[u8])> {
        if at >= self.count {
            return None;
        }
        let from = at * self.largest;
        let octets = self.received.get(from..from + self.lens[at])?;
        Some((address(&self.names[at], self.name_lens[at])?, octets))
    }

    /// Takes the next datagram: its place, where it came from, and its octets.
    pub(crate) fn take_next(&mut self, octets: &mut Vec<u8>) -> Option<(usize, SocketAddr)> {
        while self.next < self.count {
            let at = self.next;
            self.next += 1;
            if let Some((from, datagram)) = self.datagram(at) {
                octets.clear();
                octets.extend_from_slice(datagram);
                return Some((at, from));
            }
        }
        None
    }

    /// Where the answer to a datagram goes.
    pub(crate) fn envelope(&self, at: usize) -> Option<Envelope> {
        (at < self.count).then(|| Envelope {
            name: self.names[at],
            name_len: self.name_lens[at],
            control: self.controls[at],
            control_len: self.control_lens[at],
        })
    }

    /// The answer to a datagram.
    pub(crate) fn answer(&mut self, at: usize, answer: &[u8]) {
        let from = self.answers.len();
        self.answers.extend_from_slice(answer);
        if let Some(place) = self.answer_at.get_mut(at) {
            *place = Some((from, answer.len()));
        }
    }

    /// Sends the answers that have not left yet, each to where its datagram came from, and from the address
    /// that it came to. One that cannot be sent is skipped: who asked asks again, UDP promises no more.
    pub(crate) fn send(&mut self, socket: &UdpSocket) {
        let mut places = [const { MaybeUninit::<libc::iovec>::uninit() }; SIZE];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SIZE];
        let mut count = 0;
        for at in 0..self.count {
            let Some((from, len)) = self.answer_at[at].take() else { continue };
            let Some(octets) = self.answers.get_mut(from..from + len) else { continue };
            let place = places[count]
                .write(libc::iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: len });
            let header = &mut headers[count].write(no_header()).msg_hdr;
            header.msg_iov = place;
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.names[at]).cast();
            header.msg_namelen = self.name_lens[at];
            if self.control_lens[at] > 0 {
                header.msg_control = self.controls[at].0.as_mut_ptr().cast();
                header.msg_controllen = self.control_lens[at];
            }
            count += 1;
        }
        let mut sent = 0;
        while sent < count {
            // SAFETY: as in `receive`; `sent` is below the number of headers that were written.
            let done = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    headers.as_mut_ptr().add(sent).cast(),
                    libc::c_uint::try_from(count - sent).unwrap_or(1),
                    0,
                )
            };
            // The first of the rest failed when nothing was sent.
            sent += usize::try_from(done).ok().filter(|&done| done > 0).unwrap_or(1);
        }
        self.answers.clear();
    }
}

/// Where one answer goes, and from which address, for who answers later.
pub(crate) struct Envelope {
    name: libc::sockaddr_storage,
    name_len: libc::socklen_t,
    control: Control,
    control_len: usize,
}

impl Envelope {
    /// Sends one answer.
    pub(crate) fn send(&self, socket: &UdpSocket, answer: &[u8]) {
        let mut batch = Batch::new(1);
        batch.count = 1;
        (batch.names[0], batch.name_lens[0]) = (self.name, self.name_len);
        (batch.controls[0], batch.control_lens[0]) = (self.control, self.control_len);
        batch.answer(0, answer);
        batch.send(socket);
    }
}

const fn no_header() -> libc::mmsghdr {
    // SAFETY: all zeros are a header without buffers.
    unsafe { zeroed() }
}

fn socklen(len: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(len).unwrap_or(0)
}

/// Has the kernel tell which address each datagram came to: answers of a socket that listens on all
/// addresses must come from the one that was asked.
///
/// # Errors
/// The system's.
pub(crate) fn tell_arrival(socket: &UdpSocket, v6: bool) -> io::Result<()> {
    let on: libc::c_int = 1;
    let (level, option) = if v6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        (libc::IPPROTO_IP, libc::IP_PKTINFO)
    };
    // SAFETY: the option's value is an int that lives until the call returns.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            socklen(size_of::<libc::c_int>()),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn address(name: &libc::sockaddr_storage, len: libc::socklen_t) -> Option<SocketAddr> {
    let len = len as usize;
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET if len >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: the kernel wrote an address of this family and length; storage is aligned for all.
            let v4 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 if len >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let v6 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddr::new(IpAddr::V6(ip), u16::from_be(v6.sin6_port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_the_address_that_was_asked_and_no_interface() {
        for (host, at) in [("127.0.0.2", 0), ("::1", 16)] {
            let any = if at == 0 { "0.0.0.0:0" } else { "[::]:0" };
            let server = UdpSocket::bind(any).unwrap();
            server.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            tell_arrival(&server, at != 0).unwrap();
            let client = UdpSocket::bind((if at == 0 { "127.0.0.1" } else { "::1" }, 0)).unwrap();
            client.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            client.send_to(b"x", (host, server.local_addr().unwrap().port())).unwrap();
            let mut batch = Batch::new(64);
            assert_eq!(batch.receive(&server).unwrap(), 1);
            let data = &batch.controls[0].0[size_of::<libc::cmsghdr>()..];
            assert_eq!(data[at..at + 4], [0; 4], "{host}");
            assert!(batch.control_lens[0] > size_of::<libc::cmsghdr>());
            batch.answer(0, b"y");
            batch.send(&server);
            let (_, from) = client.recv_from(&mut [0; 8]).unwrap();
            assert_eq!(from.ip().to_string(), host);
        }
    }

    #[test]
    fn every_datagram_is_answered_to_where_it_came_from() {
        for any in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let server = UdpSocket::bind(any).unwrap();
            server.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            let v6 = any.starts_with('[');
            tell_arrival(&server, v6).unwrap();
            let host = if v6 { "::1" } else { "127.0.0.1" };
            let port = server.local_addr().unwrap().port();
            let clients: Vec<_> = (0..SIZE + 3)
                .map(|_| {
                    let client = UdpSocket::bind((host, 0)).unwrap();
                    client.connect((host, port)).unwrap();
                    client.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
                    client
                })
                .collect();
            for (number, client) in clients.iter().enumerate() {
                client.send(&vec![7; number]).unwrap();
            }
            let mut batch = Batch::new(2048);
            let mut left = clients.len();
            while left > 0 {
                let count = batch.receive(&server).unwrap();
                let mut octets = Vec::new();
                while let Some((at, from)) = batch.take_next(&mut octets) {
                    let answer = format!("{from} {}", octets.len());
                    batch.answer(at, answer.as_bytes());
                }
                batch.send(&server);
                left -= count;
            }
            for (number, client) in clients.iter().enumerate() {
                let mut answer = [0; 128];
                let len = client.recv(&mut answer).unwrap();
                let wanted = format!("{} {number}", client.local_addr().unwrap());
                assert_eq!(std::str::from_utf8(&answer[..len]).unwrap(), wanted);
            }
        }
    }
}
