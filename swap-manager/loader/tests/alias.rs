//! The trap that this crate exists for: a descriptor's number used again. Alone in its process, because
//! it needs to know which number comes next.
#![allow(unsafe_code, reason = "sets the trap with dlopen itself")]

mod fixtures;

use s_loader::{Budget, LoadError, Loader, Sealed};
use std::os::fd::{AsFd, AsRawFd};

#[test]
fn an_old_library_under_a_number_used_again_is_recognised() {
    let (old, new) =
        (fixtures::module(&[]), fixtures::module(&[("DESCRIPTOR_VERSION", "\"2.0.0\"")]));
    let sealed = Sealed::new("old", &old, None).unwrap();
    let number = sealed.as_fd().as_raw_fd();
    let path = std::ffi::CString::new(format!("/proc/self/fd/{number}")).unwrap();
    // SAFETY: maps a clean fixture, as a careless loader would.
    let careless = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!careless.is_null());
    drop(sealed);
    let sealed = Sealed::new("new", &new, None).unwrap();
    assert_eq!(sealed.as_fd().as_raw_fd(), number, "the trap is not set");
    let loader = Loader::new(Budget::default());
    assert!(matches!(loader.load(sealed), Err(LoadError::NameTaken(_))));

    // SAFETY: the fixture left nothing behind.
    unsafe { libc::dlclose(careless) };
    let module = loader.load(Sealed::new("new", &new, None).unwrap()).unwrap();
    assert_eq!(module.version(), &semver::Version::new(2, 0, 0));
}
