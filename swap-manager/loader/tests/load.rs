//! What is loaded is what was sealed, and what is wrong is said by name.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fixtures;

use fixtures::{compile, module, source};
use s_loader::{
    Budget, DescriptorError, Digest, ElfError, LoadError, Loader, Origin, Sealed, Unload, inspect,
};

fn seal(octets: &[u8]) -> Sealed {
    Sealed::new("test", octets, Some(Digest::of(octets))).unwrap()
}

fn refusal(octets: &[u8]) -> LoadError {
    Loader::new(Budget::default()).load(seal(octets)).unwrap_err()
}

fn descriptor_error(define: (&str, &str)) -> DescriptorError {
    match refusal(&module(&[define])) {
        LoadError::Descriptor(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_module_says_who_it_is_and_leaves_without_trace() {
    let loader = Loader::new(Budget::default());
    let octets = module(&[]);
    let loaded = loader.load(seal(&octets)).unwrap();
    assert_eq!(
        (loaded.name(), loaded.component(), loaded.annotation()),
        ("in-c", "test.c", "written by hand")
    );
    assert_eq!(loaded.version(), &semver::Version::new(1, 2, 3));
    assert_eq!(loaded.origin(), Origin::Memory { digest: Digest::of(&octets) });
    assert!(loaded.tally().is_clean());
    assert_eq!(loader.unload(loaded), Unload::Unloaded);
    assert!(!std::fs::read_to_string("/proc/self/maps").unwrap().contains("s-module:says-who"));
}

#[test]
fn two_copies_of_the_same_bytes_are_two_modules() {
    let loader = Loader::new(Budget::default());
    let octets = module(&[]);
    let (a, b) = (loader.load(seal(&octets)).unwrap(), loader.load(seal(&octets)).unwrap());
    assert_ne!(std::ptr::from_ref(a.descriptor()), std::ptr::from_ref(b.descriptor()));
    assert!(!a.contains(std::ptr::from_ref(b.descriptor()).cast()));
    assert_eq!(loader.unload(a), Unload::Unloaded);
    assert_eq!(b.name(), "in-c");
    assert_eq!(loader.unload(b), Unload::Unloaded);
}

#[test]
fn a_descriptor_that_does_not_fit_is_refused_by_name() {
    assert!(matches!(
        descriptor_error(("DESCRIPTOR_SIZE", "8")),
        DescriptorError::Small { found: 8, .. }
    ));
    assert!(matches!(
        descriptor_error(("DESCRIPTOR_ABI", "77")),
        DescriptorError::OtherAbi { found: 77, .. }
    ));
    assert!(matches!(
        descriptor_error(("DESCRIPTOR_TARGET", "\"vax\"")),
        DescriptorError::OtherTarget { .. }
    ));
    assert!(matches!(
        descriptor_error(("DESCRIPTOR_TARGET", "\"\"")),
        DescriptorError::BadText("target")
    ));
    assert!(matches!(
        descriptor_error(("DESCRIPTOR_VERSION", "\"1.x\"")),
        DescriptorError::BadVersion { .. }
    ));
    assert!(matches!(
        descriptor_error(("DESCRIPTOR_FLAGS", "64")),
        DescriptorError::UnknownFlags(64)
    ));
    let foreign = descriptor_error(("DESCRIPTOR_INIT", "(void *)4096"));
    assert_eq!(foreign.to_string(), "the lifecycle function `init` lies outside the module");
}

#[test]
fn a_file_that_is_no_module_is_refused_before_it_runs() {
    let runs =
        "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }\n";
    assert!(matches!(refusal(compile(runs, &[]).as_slice()), LoadError::Elf(ElfError::NoExport)));
    let small = format!("{runs}int EXPORT = 1;\n");
    assert!(matches!(refusal(&compile(&small, &[])), LoadError::Elf(ElfError::SmallExport { .. })));
    let two = source(&[]) + "\nconst Descriptor s_module_other = { 1 };\n";
    assert!(matches!(refusal(&compile(&two, &[])), LoadError::Elf(ElfError::ManyExports { .. })));
    assert!(matches!(refusal(b"tar"), LoadError::Elf(ElfError::Unreadable(_))));
    let mut other = module(&[]);
    other[18] = 0x99;
    assert!(matches!(refusal(&other), LoadError::Elf(ElfError::OtherMachine { .. })));
    let whole = module(&[]);
    assert!(inspect(&whole[..whole.len() / 4]).is_err());
}

#[test]
fn a_library_that_hosts_do_not_have_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("libother.so");
    std::fs::write(
        &other,
        compile("int other(void) { return 1; }\n", &["-Wl,-soname,libother.so"]),
    )
    .unwrap();
    let code = "int other(void);\n".to_owned() + &source(&[("AT_INIT", "other()")]);
    let octets = compile(&code, &["-Wl,--no-as-needed", other.to_str().unwrap()]);
    assert!(
        matches!(refusal(&octets), LoadError::Elf(ElfError::ForeignLibrary(name)) if name == "libother.so")
    );
}

#[test]
fn a_symbol_that_nobody_defines_is_named() {
    let code = "int nowhere(void);\n".to_owned() + &source(&[("AT_INIT", "nowhere()")]);
    match refusal(&compile(&code, &[])) {
        LoadError::Refused { missing, .. } => assert_eq!(missing, ["nowhere"]),
        other => panic!("{other}"),
    }
}

#[test]
fn any_damaged_octet_is_an_answer_and_not_a_crash() {
    let whole = module(&[]);
    for at in (0..whole.len()).step_by(37) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        // Only the reader is asked: whether a damaged file would run is for the digest to prevent.
        let _ = inspect(&damaged);
    }
    assert!(inspect(&whole).is_ok());
}
