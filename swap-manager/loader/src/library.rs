//! A mapped library, and the proof that what is mapped is what was sealed.
//!
//! glibc knows libraries by name first. A descriptor's number that is used again gives an old library
//! under a new name, so here the descriptor stays open while the library is mapped, the name must be
//! unknown before, and the mapped file must be the sealed one afterwards.
//!
//! Invariant: one load or unload at a time, and the descriptor closes after the last page is gone.
#![expect(unsafe_code, reason = "dlopen, dlsym, dlinfo and dlclose")]

use crate::elf::{self, Elf, ElfError};
use crate::ledger;
use crate::maps::{self, FileId};
use crate::sealed::Sealed;
use crate::unload::PinReason;
use crate::{DescriptorError, Digest};
use s_sdk::abi::ModuleDescriptor;
use std::ffi::{CStr, CString, c_void};
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Handles of mapped libraries; its lock makes loads and unloads take turns.
static LIVE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn live() -> MutexGuard<'static, Vec<usize>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a module was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not a module for this host.
    #[error("the module's file: {0}")]
    Elf(#[from] ElfError),
    /// The kernel's table of mappings, or the sealed memory, cannot be read.
    #[error("cannot see what is mapped: {0}; is /proc mounted?")]
    System(#[from] io::Error),
    /// The dynamic linker already knows a library by this name.
    #[error(
        "the dynamic linker already has a library named {0}; a descriptor was closed too early"
    )]
    NameTaken(String),
    /// The dynamic linker refused.
    #[error("the dynamic linker refused: {message}{}", undefined(.missing))]
    Refused {
        /// In its words.
        message: String,
        /// Symbols that nothing in this process defines.
        missing: Vec<String>,
    },
    /// Another file was mapped than the one sealed.
    #[error("the dynamic linker mapped another file than the sealed one")]
    OtherFile,
    /// A handle that belongs to another module.
    #[error("the dynamic linker answered with a library that is loaded already")]
    OldHandle,
    /// The descriptor lies elsewhere than in the library.
    #[error("the symbol `{0}` does not lie in the module")]
    ExportElsewhere(String),
    /// The descriptor is not acceptable.
    #[error("the module's descriptor: {0}")]
    Descriptor(#[from] DescriptorError),
}

fn undefined(missing: &[String]) -> String {
    if missing.is_empty() {
        String::new()
    } else {
        format!(" (nobody defines {})", missing.join(", "))
    }
}

/// A mapped library.
#[derive(Debug)]
pub(crate) struct Library {
    /// What `dlopen` answered; null after `dlclose`.
    handle: *mut c_void,
    name: CString,
    range: Range<usize>,
    file: FileId,
    /// Closed only after the last page is gone: see above.
    sealed: ManuallyDrop<Sealed>,
    elf: Elf,
    gone: bool,
}

// SAFETY: the handle is a token; every use of it holds the lock.
unsafe impl Send for Library {}
// SAFETY: nothing is changed through a shared reference.
unsafe impl Sync for Library {}

/// The dynamic linker's last words on this thread.
fn last_words() -> String {
    // SAFETY: `dlerror` answers null or a C string that lasts until its next call on this thread.
    unsafe {
        let words = libc::dlerror();
        if words.is_null() {
            "no reason given".into()
        } else {
            CStr::from_ptr(words).to_string_lossy().into_owned()
        }
    }
}

/// `struct link_map`, as far as it is public.
#[repr(C)]
struct LinkMap {
    address: usize,
    name: *const libc::c_char,
    dynamic: *const c_void,
}

impl Library {
    /// Maps sealed bytes; static constructors run in here.
    pub(crate) fn open(sealed: Sealed) -> Result<Self, LoadError> {
        let elf = elf::inspect(sealed.map()?.as_slice())?;
        let file = FileId::of(sealed.as_fd())?;
        let path = format!("/proc/self/fd/{}", sealed.as_fd().as_raw_fd());
        let name = CString::new(path.as_str()).map_err(io::Error::from)?;
        let mut live = live();
        // SAFETY: asks for a name without loading anything.
        unsafe {
            let known = libc::dlopen(name.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_NOW);
            if !known.is_null() {
                libc::dlclose(known);
                return Err(LoadError::NameTaken(path));
            }
        }
        // SAFETY: maps the sealed file and runs its static constructors: the caller decided to trust it,
        // or is the rehearsal's child.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            return Err(LoadError::Refused {
                message: last_words(),
                missing: missing(&elf.undefined),
            });
        }
        let mut library = Library {
            handle,
            name,
            range: 0..0,
            file,
            sealed: ManuallyDrop::new(sealed),
            elf,
            gone: false,
        };
        let fresh = !live.contains(&handle.addr());
        let checked = if fresh { library.locate() } else { Err(LoadError::OldHandle) };
        match checked {
            Ok(()) => {
                live.push(handle.addr());
                Ok(library)
            }
            Err(error) => {
                // SAFETY: gives back the reference that we just took; nothing of it was called.
                unsafe { libc::dlclose(handle) };
                library.gone = maps::is_mapped(file).is_ok_and(|mapped| !mapped);
                Err(error)
            }
        }
    }

    /// Finds where it was mapped, and that this is the sealed file.
    fn locate(&mut self) -> Result<(), LoadError> {
        let mut map: *const LinkMap = std::ptr::null();
        // SAFETY: writes the address of the handle's link map, which lives as long as the handle.
        let (address, dynamic) = unsafe {
            if libc::dlinfo(self.handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) != 0
                || map.is_null()
            {
                return Err(LoadError::OtherFile);
            }
            ((*map).address, (*map).dynamic.addr())
        };
        if maps::file_at(dynamic)? != Some(self.file) {
            return Err(LoadError::OtherFile);
        }
        let start = address.wrapping_add(self.elf.first);
        self.range = start..start.wrapping_add(self.elf.span);
        Ok(())
    }

    /// The module's descriptor, not looked at yet.
    pub(crate) fn export(&self) -> Result<*const ModuleDescriptor, LoadError> {
        let symbol = CString::new(self.elf.export.as_str()).map_err(io::Error::from)?;
        // SAFETY: looks a symbol up in a library that is mapped.
        let found = unsafe { libc::dlsym(self.handle, symbol.as_ptr()) };
        let whole = found.addr()..found.addr().wrapping_add(size_of::<ModuleDescriptor>());
        if self.contains(whole.start)
            && self.contains(whole.end - 1)
            && found.cast::<ModuleDescriptor>().is_aligned()
        {
            Ok(found.cast())
        } else {
            Err(LoadError::ExportElsewhere(self.elf.export.clone()))
        }
    }

    pub(crate) fn contains(&self, address: usize) -> bool {
        self.range.contains(&address)
    }

    pub(crate) const fn range(&self) -> &Range<usize> {
        &self.range
    }

    pub(crate) fn digest(&self) -> Digest {
        self.sealed.digest()
    }

    pub(crate) const fn elf(&self) -> &Elf {
        &self.elf
    }

    /// Unmaps the library if nothing speaks against it. After a success only the descriptor is left to close.
    pub(crate) fn close(&mut self) -> Result<(), PinReason> {
        let mut live = live();
        // Pending calls of an earlier `dlclose` keep pages: ask for the name again to close it again.
        if self.handle.is_null() {
            // SAFETY: asks for a name without loading anything; the descriptor behind it is still ours.
            self.handle =
                unsafe { libc::dlopen(self.name.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_NOW) };
        }
        evidence(&self.range)?;
        if !self.handle.is_null() {
            // SAFETY: no instance, no thread, no destructor and no handler of it is left: nobody returns
            // into the library any more.
            unsafe { libc::dlclose(self.handle) };
            live.retain(|handle| *handle != self.handle.addr());
            self.handle = std::ptr::null_mut();
        }
        match maps::is_mapped(self.file) {
            Ok(false) => {
                self.gone = true;
                Ok(())
            }
            Ok(true) => Err(PinReason::StillMapped),
            Err(error) => Err(PinReason::Unseen(error.to_string())),
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        if self.gone {
            // SAFETY: dropped once, here. Without proof the descriptor stays open for good.
            unsafe { ManuallyDrop::drop(&mut self.sealed) };
        }
    }
}

/// What speaks against unmapping a range of addresses. Keys are deleted on the way.
fn evidence(range: &Range<usize>) -> Result<(), PinReason> {
    if !ledger::is_interposed() {
        return Err(PinReason::NoLedger);
    }
    if let Some(reason) = PinReason::from_tally(&ledger::tally(range)) {
        return Err(reason);
    }
    if ledger::lost() != 0 {
        return Err(PinReason::Lost(ledger::lost()));
    }
    match ledger::retire_keys(range) {
        0 => Ok(()),
        running => Err(PinReason::RunningDestructors(running)),
    }
}

/// Symbols that nothing in this process defines.
fn missing(undefined: &[String]) -> Vec<String> {
    let defined = |name: &String| {
        // SAFETY: looks a name up.
        CString::new(name.as_str())
            .is_ok_and(|name| unsafe { !libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()).is_null() })
    };
    undefined.iter().filter(|name| !defined(name)).cloned().collect()
}
