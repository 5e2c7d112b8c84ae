//! Which process has a socket: the links of /proc/PID/fd, of all processes that we may look at.

use std::collections::HashMap;
use std::fs::{read_dir, read_link};
use std::os::unix::ffi::OsStrExt;

/// Processes by the inode of a socket that they have open. Of several the one with the lowest number: it
/// was there first.
#[derive(Debug, Default)]
pub struct Owners(HashMap<u32, u32>);

/// Looks at all processes. Those of other users are seen with privileges only.
///
/// # Errors
/// There is no /proc.
pub fn owners() -> std::io::Result<Owners> {
    let mut owners: HashMap<u32, u32> = HashMap::new();
    let pids =
        read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for pid in pids {
        let Ok(files) = read_dir(format!("/proc/{pid}/fd")) else { continue };
        let links = files.filter_map(|file| read_link(file.ok()?.path()).ok());
        for inode in links.filter_map(|link| inode(link.as_os_str().as_bytes())) {
            let owner = owners.entry(inode).or_insert(pid);
            *owner = pid.min(*owner);
        }
    }
    Ok(Owners(owners))
}

fn inode(link: &[u8]) -> Option<u32> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

impl Owners {
    /// The process that has a socket; 0 where none is known to.
    pub fn of(&self, inode: u32) -> u32 {
        self.0.get(&inode).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_socket_is_ours() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = crate::sockets(crate::socket::Protocol::Udp).unwrap();
        let inode = found.iter().find(|socket| socket.local.port == port).unwrap().inode;
        assert_eq!(owners().unwrap().of(inode), std::process::id());
        assert_eq!((owners().unwrap().of(0), super::inode(b"pipe:[7]")), (0, None));
    }
}
