//! What the kernel has mapped into this process: the judge of loading and unloading.
//!
//! The descriptor of `/proc/self/maps` is kept open, so that the answer is still to be had after the
//! rehearsal's child has given up the file system. Kernels since 6.11 answer single questions about it;
//! of older ones the whole text is read. Both come from the same table.
#![expect(unsafe_code, reason = "the kernel's question about a mapping is a bare ioctl")]

use rustix::fs::{fstat, major, minor};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
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

/// One mapping.
struct Mapping {
    start: usize,
    end: usize,
    file: FileId,
}

// ===== One question =====

/// `PROCMAP_QUERY`: the `ioctl` that this module asks with, for filters of system calls.
pub const QUERY: u32 = 0xC068_6611;
/// The mapping of the address, or the next one above it.
const COVERING_OR_NEXT: u64 = 0x10;
/// Only mappings of files.
const OF_A_FILE: u64 = 0x20;

/// `struct procmap_query` of the kernel's interface.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    permissions: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    major: u32,
    minor: u32,
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

/// What the kernel answers to one question.
enum Answer {
    Mapping(Mapping),
    NoMapping,
    /// This kernel takes no questions.
    NotAnswered,
}

fn ask(file: &File, address: usize, flags: u64) -> io::Result<Answer> {
    let mut query = Query {
        size: size_of::<Query>() as u64,
        flags,
        address: address as u64,
        ..Query::default()
    };
    // SAFETY: reads and writes exactly the octets of `query`, which says its size and points nowhere.
    let asked = unsafe { libc::ioctl(file.as_raw_fd(), QUERY.into(), &raw mut query) };
    if asked == 0 {
        let at = |number| usize::try_from(number).map_err(io::Error::other);
        let file = FileId { major: query.major, minor: query.minor, inode: query.inode };
        return Ok(Answer::Mapping(Mapping { start: at(query.start)?, end: at(query.end)?, file }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOENT) => Ok(Answer::NoMapping),
        Some(libc::ENOTTY | libc::EINVAL) => Ok(Answer::NotAnswered),
        _ => Err(error),
    }
}

/// Whether any page of a file is mapped, asked mapping by mapping; nothing where the kernel does not answer.
fn asked_is_mapped(maps: &File, file: FileId) -> io::Result<Option<bool>> {
    let mut address = 0;
    loop {
        match ask(maps, address, COVERING_OR_NEXT | OF_A_FILE)? {
            Answer::Mapping(mapping) if mapping.file == file => return Ok(Some(true)),
            // Each answer ends above the address asked for, so the walk comes to its end.
            Answer::Mapping(mapping) => address = mapping.end,
            Answer::NoMapping => return Ok(Some(false)),
            Answer::NotAnswered => return Ok(None),
        }
    }
}

// ===== The whole text =====

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

fn read(file: &File) -> io::Result<Vec<Mapping>> {
    let mut octets = Vec::with_capacity(16 * 1024);
    let mut chunk = [0; 4096];
    loop {
        match file.read_at(&mut chunk, octets.len() as u64) {
            Ok(0) => break,
            Ok(n) => octets.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    String::from_utf8_lossy(&octets)
        .lines()
        .map(|line| {
            parse(line).ok_or_else(|| io::Error::other("a line of /proc/self/maps that is none"))
        })
        .collect()
}

fn read_file_at(maps: &File, address: usize) -> io::Result<Option<FileId>> {
    Ok(read(maps)?.iter().find(|m| (m.start..m.end).contains(&address)).map(|m| m.file))
}

fn read_is_mapped(maps: &File, file: FileId) -> io::Result<bool> {
    Ok(read(maps)?.iter().any(|m| m.file == file))
}

// ===== The answers =====

/// The file mapped at an address.
pub(crate) fn file_at(address: usize) -> io::Result<Option<FileId>> {
    with_maps(|maps| match ask(maps, address, 0)? {
        Answer::Mapping(mapping) => Ok(Some(mapping.file)),
        Answer::NoMapping => Ok(None),
        Answer::NotAnswered => read_file_at(maps, address),
    })
}

/// Whether any page of a file is mapped.
pub(crate) fn is_mapped(file: FileId) -> io::Result<bool> {
    with_maps(|maps| match asked_is_mapped(maps, file)? {
        Some(answer) => Ok(answer),
        None => read_is_mapped(maps, file),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> FileId {
        FileId::of(File::open("/proc/self/exe").unwrap()).unwrap()
    }

    #[test]
    fn this_very_function_is_found_in_its_file() {
        let here = this_very_function_is_found_in_its_file as *const () as usize;
        assert_eq!(file_at(here).unwrap(), Some(own()));
        assert!(is_mapped(own()).unwrap());
        assert!(!is_mapped(FileId { inode: own().inode + 1_000_000, ..own() }).unwrap());
    }

    #[test]
    fn questions_and_the_text_have_the_same_answers() {
        let maps = File::open("/proc/self/maps").unwrap();
        // Only the executable's: other tests map and unmap at the same time.
        let mappings = read(&maps).unwrap().into_iter().filter(|mapping| mapping.file == own());
        for mapping in mappings {
            if matches!(ask(&maps, mapping.start, 0).unwrap(), Answer::NotAnswered) {
                return;
            }
            assert_eq!(file_at(mapping.start).unwrap(), Some(own()));
            assert_eq!(file_at(mapping.end - 1).unwrap(), Some(own()));
        }
        assert_eq!(asked_is_mapped(&maps, own()).unwrap(), Some(true));
        assert!(read_is_mapped(&maps, own()).unwrap());
        assert_eq!(file_at(1).unwrap(), None);
        assert_eq!(read_file_at(&maps, 1).unwrap(), None);
        let absent = FileId { inode: own().inode + 1_000_000, ..own() };
        assert_eq!(asked_is_mapped(&maps, absent).unwrap(), Some(false));
        assert!(!read_is_mapped(&maps, absent).unwrap());
    }
}
