//! /proc/self/mounts, and how full filesystems are.
//!
//! Filesystems of other hosts, and those that a process serves, are listed and never asked how full they are:
//! the answer may be waited for without end.

/// A mounted filesystem with files of somebody's: not one that shows the kernel's own data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The device, or what stands in its place.
    pub device: String,
    /// Where it is mounted.
    pub path: String,
    /// Which filesystem it is.
    pub kind: String,
    /// Nothing can be written there.
    pub is_read_only: bool,
    /// It belongs to another host, or to a process.
    pub is_far: bool,
}

/// How full a filesystem is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// The octets of a unit.
    pub unit: u64,
    /// Its size in units.
    pub size: u64,
    /// What is used.
    pub used: u64,
    /// What everybody may still use; less than what is free where some is reserved.
    pub available: u64,
    /// How many files there can be; 0 where that is not limited.
    pub nodes: u64,
    /// How many more there can be.
    pub nodes_free: u64,
}

impl Mount {
    /// All of them, in the order in which they were mounted.
    pub fn all() -> Vec<Self> {
        Self::parsed(&crate::text("/proc/self/mounts"))
    }

    pub(crate) fn parsed(text: &str) -> Vec<Self> {
        let mut found: Vec<Mount> = Vec::new();
        for mount in text.lines().filter_map(Self::line) {
            // What was mounted over something else hides it.
            match found.iter_mut().find(|other| other.path == mount.path) {
                Some(hidden) => *hidden = mount,
                None => found.push(mount),
            }
        }
        found
    }

    fn line(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let (device, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let is_far = matches!(kind, "cifs" | "smb3" | "9p" | "ceph" | "afs" | "ncpfs" | "coda")
            || kind.starts_with("fuse")
            || kind.starts_with("nfs");
        let is_kept = matches!(kind, "tmpfs" | "zfs" | "overlay") || device.starts_with('/');
        (is_far || is_kept).then(|| Mount {
            device: unescaped(device),
            path: unescaped(path),
            kind: kind.to_owned(),
            is_read_only: fields.next().is_some_and(|o| o.split(',').any(|word| word == "ro")),
            is_far,
        })
    }

    /// How full it is; none where it cannot be asked, or has no size.
    pub fn space(&self) -> Option<Space> {
        if self.is_far {
            return None;
        }
        let stat = rustix::fs::statvfs(self.path.as_str()).ok()?;
        (stat.f_blocks > 0).then(|| Space {
            unit: stat.f_frsize,
            size: stat.f_blocks,
            used: stat.f_blocks.saturating_sub(stat.f_bfree),
            available: stat.f_bavail,
            nodes: stat.f_files,
            nodes_free: stat.f_ffree,
        })
    }
}

/// proc(5): blanks, tabs, line ends and backslashes are written in octal.
fn unescaped(text: &str) -> String {
    let spelt = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    spelt.iter().fold(text.to_owned(), |text, (octal, sign)| text.replace(octal, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_shows_of_itself_is_left_out_and_what_is_far_is_never_asked() {
        let found = Mount::parsed(
            "proc /proc proc rw 0 0\n/dev/vda / ext4 rw,relatime 0 0\ntmpfs /run tmpfs rw 0 0\n\
             srv:/x /mnt\\040x nfs4 ro,hard 0 0\nme /mnt/y fuse.sshfs rw 0 0\nbroken\n",
        );
        let paths: Vec<_> = found.iter().map(|mount| mount.path.as_str()).collect();
        assert_eq!(paths, ["/", "/run", "/mnt x", "/mnt/y"]);
        let far: Vec<_> = found.iter().map(|mount| mount.is_far).collect();
        assert_eq!(far, [false, false, true, true]);
        assert!(found[2].is_read_only && !found[0].is_read_only);
        assert_eq!(found[2].space(), None);
    }

    #[test]
    fn what_is_mounted_over_something_hides_it() {
        let found = Mount::parsed("/dev/a /x ext4 rw 0 0\n/dev/b /x xfs ro 0 0\n");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].device.as_str(), found[0].kind.as_str()), ("/dev/b", "xfs"));
    }

    #[test]
    fn a_filesystem_has_a_size() {
        let root = Mount { path: "/".into(), ..Mount::line("/dev/x / ext4 rw 0 0").unwrap() };
        let space = root.space().unwrap();
        assert!(space.size > 0 && space.used <= space.size && space.unit > 0, "{space:?}");
    }
}
