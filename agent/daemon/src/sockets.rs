//! The sockets that requests come in by: opened before privileges are given up, served afterwards.
//!
//! Invariant: either every address is listened on, or none is and the error names the one that is not.

use crate::address::Listen;
use crate::udp;
use rustix::fs::{FileType, Mode, OFlags};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Open sockets.
#[derive(Default)]
pub(crate) struct Sockets {
    /// One for each thread and address.
    pub(crate) datagrams: Vec<UdpSocket>,
    /// Listeners that do not block.
    pub(crate) streams: Vec<Socket>,
    /// Names in the file system that are ours.
    paths: Vec<PathBuf>,
}

impl Sockets {
    /// Listens on all addresses; on those of UDP with so many sockets each.
    ///
    /// # Errors
    /// The address, why it cannot be had, and the remedy.
    pub(crate) fn open(addresses: &[Listen], threads: usize) -> Result<Self, String> {
        let mut sockets = Sockets::default();
        for address in addresses {
            let opened = match address {
                Listen::Udp(udp) => sockets.add_udp(*udp, threads),
                Listen::Tcp(tcp) => tcp_listener(*tcp).map(|socket| sockets.streams.push(socket)),
                Listen::Unix(path) => {
                    unix_listener(path, Mode::from_raw_mode(0o660)).map(|socket| {
                        sockets.streams.push(socket);
                        sockets.paths.push(path.clone());
                    })
                }
            };
            opened.map_err(|error| format!("{address}: {error}; {}", remedy(&error)))?;
        }
        Ok(sockets)
    }

    fn add_udp(&mut self, address: SocketAddr, threads: usize) -> io::Result<()> {
        udp::claim(address)?;
        for _ in 0..threads {
            self.datagrams.push(udp::bind(address)?);
        }
        Ok(())
    }

    /// Gives the names in the file system to another user.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn give_to(&self, user: u32, group: u32) -> io::Result<()> {
        self.paths
            .iter()
            .try_for_each(|path| std::os::unix::fs::lchown(path, Some(user), Some(group)))
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for path in &self.paths {
            // Where that is not allowed any more, the next start does it.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "end what listens there, or name another address",
        io::ErrorKind::PermissionDenied => {
            "start as root with `-u USER`, or name a port from 1024 on or another path"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; name another",
        _ => "name another address",
    }
}

fn tcp_listener(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier process may still be ending.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A listener with a name in the file system, which takes the place of one that nobody listens on any more.
///
/// # Errors
/// The system's; `AddrInUse` when somebody listens there, or when something else has the name.
fn unix_listener(path: &Path, mode: Mode) -> io::Result<Socket> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() || UnixStream::connect(path).is_ok() => {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Ok(_) => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Until here the process's mask let nobody in but the owner.
    set_mode(path, mode)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sets the mode of a socket that has a name, and of nothing that a link in its place leads to.
fn set_mode(path: &Path, mode: Mode) -> io::Result<()> {
    let found = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode);
    if kind != FileType::Socket {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    // A descriptor of this kind has no mode to be set but through its name.
    Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), mode)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_name_is_taken_over_from_the_dead_but_not_from_the_living() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let open = || Sockets::open(&[Listen::Unix(path.clone())], 1);
        let first = open().unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let error = open().err().unwrap();
        assert!(error.contains("end what listens there"), "{error}");
        drop(first);
        assert!(!path.exists());
        drop(unix_listener(&path, Mode::from_raw_mode(0o600)).unwrap());
        assert!(path.exists(), "nobody took the name away");
        drop(open().unwrap());
        std::fs::write(&path, "a file").unwrap();
        assert!(open().is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
    }

    #[test]
    fn the_mode_of_what_a_link_leads_to_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let [victim, link] = ["victim", "link"].map(|name| directory.path().join(name));
        let _listener = unix_listener(&victim, Mode::from_raw_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(set_mode(&link, Mode::from_raw_mode(0o666)).is_err());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&victim), 0o600);
        set_mode(&victim, Mode::from_raw_mode(0o660)).unwrap();
        assert_eq!(mode(&victim), 0o660);
    }

    #[test]
    fn all_addresses_of_both_families_go_together() {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let places =
            ["udp", "udp6", "tcp", "tcp6"].map(|kind| format!("{kind}:{port}").parse().unwrap());
        let sockets = Sockets::open(&places, 2).unwrap();
        assert_eq!((sockets.datagrams.len(), sockets.streams.len()), (4, 2));
    }

    #[test]
    fn two_do_not_listen_on_one_address() {
        for text in ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"] {
            let sockets = Sockets::open(&[text.parse().unwrap()], 2).unwrap();
            let taken = match sockets.streams.first() {
                Some(tcp) => Listen::Tcp(tcp.local_addr().unwrap().as_socket().unwrap()),
                None => Listen::Udp(sockets.datagrams[0].local_addr().unwrap()),
            };
            let error = Sockets::open(&[taken], 1).err().unwrap();
            assert!(error.contains("end what listens there"), "{error}");
        }
    }
}
