//! What the kernel has mapped into this process: the judge of loading and unloading.
//!
//! The descriptor of `/proc/self/maps` is kept open, so that the answer is still to be had after the
//! rehearsal's child has given up the file system.

use rustix::fs::{fstat, major, minor};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

/// Locked while it is read: two readers of one descriptor would cut each other's lines apart.
static MAPS: Mutex<Option<File>> = Mutex::new(None);

/// Opens what later questions read from; call it before file access is given up.
pub fn keep_open() -> io::Result<()> {
    with_maps(|_| Ok(()))
}

fn with_maps<T>(body: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
    let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    match &*maps {
        Some(file) => body(file),
        None => body(maps.insert(File::open("/proc/self/maps")?)),
    }
}

/// A file as the kernel tells files apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    major: u32,
    minor: u32,
    inode: u64,
}

impl FileId {
    /// The file behind a descriptor.
    pub(crate) fn of(fd: impl AsFd) -> io::Result<Self> {
        let stat = fstat(fd)?;
        Ok(FileId { major: major(stat.st_dev), minor: minor(stat.st_dev), inode: stat.st_ino })
    }
}

/// One line of the table.
struct Mapping {
    start: usize,
    end: usize,
    file: FileId,
}

/// `start-end perms offset major:minor inode path`.
fn parse(line: &str) -> Option<Mapping> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (major, minor) = words.nth(2)?.split_once(':')?;
    Some(Mapping {
        start: usize::from_str_radix(start, 16).ok()?,
        end: usize::from_str_radix(end, 16).ok()?,
        file: FileId {
            major: u32::from_str_radix(major, 16).ok()?,
            minor: u32::from_str_radix(minor, 16).ok()?,
            inode: words.next()?.parse().ok()?,
        },
    })
}

fn read() -> io::Result<Vec<Mapping>> {
    let mut octets = Vec::with_capacity(16 * 1024);
    with_maps(|file| {
        let mut chunk = [0; 4096];
        loop {
            match file.read_at(&mut chunk, octets.len() as u64) {
                Ok(0) => return Ok(()),
                Ok(n) => octets.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    })?;
    String::from_utf8_lossy(&octets)
        .lines()
        .map(|line| {
            parse(line).ok_or_else(|| io::Error::other("a line of /proc/self/maps that is none"))
        })
        .collect()
}

/// The file mapped at an address.
pub(crate) fn file_at(address: usize) -> io::Result<Option<FileId>> {
    Ok(read()?.iter().find(|m| (m.start..m.end).contains(&address)).map(|m| m.file))
}

/// Whether any page of a file is mapped.
pub(crate) fn is_mapped(file: FileId) -> io::Result<bool> {
    Ok(read()?.iter().any(|m| m.file == file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_function_is_found_in_its_file() {
        let own = FileId::of(File::open("/proc/self/exe").unwrap()).unwrap();
        let here = this_very_function_is_found_in_its_file as *const () as usize;
        assert_eq!(file_at(here).unwrap(), Some(own));
        assert!(is_mapped(own).unwrap());
        assert!(!is_mapped(FileId { inode: own.inode + 1_000_000, ..own }).unwrap());
    }
}
