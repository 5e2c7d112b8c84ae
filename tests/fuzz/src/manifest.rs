//! Manifests, and the facts that `pack` puts into them.
//!
//! Promise checked: what reads can be written, and reads back as the same manifest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_package::manifest::{Facts, Manifest};

fuzz_target!(|bytes: &[u8]| {
    // Facts have no writer of their own; as a part of a manifest they are covered below.
    let _ = Facts::parse(bytes);
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    let json = manifest.to_json().expect("what was read can be written");
    assert_eq!(Manifest::parse(&json).as_ref(), Ok(&manifest));
});
