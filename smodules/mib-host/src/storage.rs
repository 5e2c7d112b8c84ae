//! Filesystems: what is mounted, and how full it is.
//!
//! Filesystems of other hosts are left out: asking for one may wait for a server that is gone.

use std::fs::read_to_string;

/// A mounted filesystem.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    pub(crate) path: String,
    pub(crate) unit: u64,
    pub(crate) size: u64,
    pub(crate) used: u64,
}

/// The filesystems on devices of this host, and in its memory, in the order of /proc/mounts.
pub(crate) fn mounts() -> Vec<Mount> {
    let text = read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut found: Vec<Mount> = Vec::new();
    for (device, path, kind) in text.lines().filter_map(fields) {
        let local = kind == "tmpfs" || kind == "zfs" || device.starts_with('/');
        let far =
            kind.starts_with("fuse") || kind == "cifs" || kind == "smb3" || kind.contains("nfs");
        if !local || far || found.iter().any(|mount| mount.path == path) {
            continue;
        }
        let Ok(stat) = rustix::fs::statvfs(path.as_str()) else { continue };
        if stat.f_blocks > 0 {
            let used = stat.f_blocks.saturating_sub(stat.f_bfree);
            found.push(Mount { path, unit: stat.f_frsize, size: stat.f_blocks, used });
        }
    }
    found
}

fn fields(line: &str) -> Option<(&str, String, &str)> {
    let mut fields = line.split(' ');
    let (device, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
    // proc(5): blanks in a path are written in octal.
    let path = path.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    Some((device, path, kind))
}
