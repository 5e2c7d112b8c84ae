//! Package files against the archive reader and the whole admission.
//!
//! Promises checked: parts read are parts written back; nothing is admitted whose code is not the
//! code that the manifest names; no input panics, neither as it came nor with a good signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_package::archive::{Archive, Limits};
use s_package::{Admitted, Digest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(admitted) = fuzz::admit(bytes.to_vec()) {
        is_proven(&admitted);
    }
    let Ok(parts) = Archive::read(bytes, &Limits::DEFAULT) else { return };
    assert_eq!(Archive::read(&parts.write(), &Limits::DEFAULT).as_ref(), Ok(&parts));
    if let Ok(admitted) = fuzz::admit(fuzz::signed(&parts)) {
        is_proven(&admitted);
    }
});

fn is_proven(admitted: &Admitted) {
    let signed = &admitted.manifest().targets[admitted.target()];
    assert_eq!(signed.sha256, Digest::of(admitted.code()));
    assert_eq!(signed.size, admitted.code().len() as u64);
    assert!(!admitted.signers().is_empty());
    // Admitting the proven bytes again gives the same answer.
    let again = fuzz::admit(admitted.package().to_vec()).expect("what was admitted is admitted");
    assert_eq!(again.code(), admitted.code());
}
