//! Sealed memory: the bytes of a module where nobody can change them any more.
//!
//! The digest is taken over what the sealed memory holds, after it was sealed: what is compared with the
//! manifest is what will be mapped, whatever happened to the buffer that it came from.
#![expect(
    unsafe_code,
    reason = "reading sealed memory in place needs a mapping, which std has no safe form for"
)]

use rustix::fs::{MemfdFlags, SealFlags};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

const SEALS: SealFlags =
    SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE).union(SealFlags::SEAL);

/// The longest name that the kernel shows of a memfd, less the prefix.
const NAME_MAX: usize = 200;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some octets.
    pub fn of(octets: &[u8]) -> Self {
        Digest(Sha256::digest(octets).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The kernel refused memory for the module, or its seals.
    #[error("cannot seal the module's memory: {0}")]
    System(#[from] io::Error),
    /// The sealed bytes are not the ones that were verified.
    #[error(
        "the sealed bytes have SHA-256 {found}, but {expected} was verified; fetch the package again"
    )]
    OtherDigest {
        /// What the manifest says.
        expected: Digest,
        /// What the sealed memory holds.
        found: Digest,
    },
    /// A descriptor that somebody could still write to.
    #[error("the memory handed over is not sealed against change (seals {found:#x})")]
    NotSealed {
        /// The seals that it has.
        found: u32,
    },
}

/// The digest of what a file holds. Read piece by piece: mapping all of it costs more than the copies.
fn digest_of(file: &File) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        match file.read_at(&mut piece, at) {
            Ok(0) => return Ok(Digest(hash.finalize().into())),
            Ok(n) => {
                hash.update(&piece[..n]);
                at += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A module's bytes, sealed; stays open for as long as they are mapped.
#[derive(Debug)]
pub struct Sealed {
    fd: OwnedFd,
    len: usize,
    digest: Digest,
    name: String,
}

impl Sealed {
    /// Seals bytes under a name that `/proc/<pid>/maps` shows, and compares their digest.
    pub fn new(name: &str, octets: &[u8], expected: Option<Digest>) -> Result<Self, SealError> {
        let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_MAX / 4).collect();
        let fd = rustix::fs::memfd_create(
            format!("s-module:{name}"),
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )
        .map_err(io::Error::from)?;
        let mut file = File::from(fd);
        file.write_all(octets)?;
        rustix::fs::fcntl_add_seals(&file, SEALS).map_err(io::Error::from)?;
        let digest = digest_of(&file)?;
        match expected {
            Some(expected) if expected != digest => {
                Err(SealError::OtherDigest { expected, found: digest })
            }
            _ => Ok(Sealed { fd: file.into(), len: octets.len(), digest, name }),
        }
    }

    /// Takes over sealed memory that another process hashed already; only the seals are checked.
    pub fn inherited(fd: OwnedFd, name: &str, digest: Digest) -> Result<Self, SealError> {
        let found = rustix::fs::fcntl_get_seals(&fd).map_err(io::Error::from)?;
        if !found.contains(SEALS) {
            return Err(SealError::NotSealed { found: found.bits() });
        }
        let file = File::from(fd);
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Sealed { fd: file.into(), len, digest, name: name.to_owned() })
    }

    /// The digest of the sealed bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The name it was sealed under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sealed bytes, mapped for reading.
    pub fn map(&self) -> io::Result<Map<'_>> {
        if self.len == 0 {
            return Ok(Map { start: std::ptr::dangling(), len: 0, sealed: PhantomData });
        }
        // SAFETY: a fresh read-only mapping, at an address of the kernel's choice; the answer is checked.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                self.len,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                self.fd.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Map { start: start.cast(), len: self.len, sealed: PhantomData })
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A view of sealed bytes.
pub struct Map<'a> {
    start: *const u8,
    len: usize,
    sealed: PhantomData<&'a Sealed>,
}

impl Map<'_> {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped for the life of `self`; the seals forbid that anybody shrinks or writes it.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Map<'_> {
    fn drop(&mut self) {
        if self.len != 0 {
            // SAFETY: exactly the range that `map` got from the kernel, and the borrow ended.
            unsafe { libc::munmap(self.start.cast_mut().cast(), self.len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_cannot_be_written() {
        let sealed = Sealed::new("x", b"abc", None).unwrap();
        let file = File::from(sealed.as_fd().try_clone_to_owned().unwrap());
        assert_eq!(file.write_at(b"z", 0).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(file.set_len(1).is_err());
        assert_eq!(sealed.map().unwrap().as_slice(), b"abc");
    }

    #[test]
    fn the_digest_is_compared() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(Sealed::new("x", b"abc", Some(digest)).unwrap().digest(), digest);
        assert!(matches!(
            Sealed::new("x", b"abd", Some(digest)),
            Err(SealError::OtherDigest { .. })
        ));
    }

    #[test]
    fn the_digest_is_of_all_octets_in_their_order() {
        let octets: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        assert_eq!(Sealed::new("x", &octets, None).unwrap().digest(), Digest::of(&octets));
    }

    #[test]
    fn only_sealed_memory_is_taken_over() {
        let digest = Digest::of(b"abc");
        let sealed = Sealed::new("x", b"abc", None).unwrap();
        assert!(
            Sealed::inherited(sealed.as_fd().try_clone_to_owned().unwrap(), "x", digest).is_ok()
        );
        let open = tempfile::tempfile().unwrap();
        assert!(Sealed::inherited(open.into(), "x", digest).is_err());
    }

    #[test]
    fn nothing_can_be_sealed_too() {
        assert!(Sealed::new("x", b"", None).unwrap().map().unwrap().as_slice().is_empty());
    }
}
