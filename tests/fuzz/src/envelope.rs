//! Envelopes around signed manifests and trust stores.
//!
//! Promises checked: what reads is written in one form and reads back equal; an envelope of one
//! type is never read as the other; no signature verifies that the key did not make.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_package::envelope::{Envelope, MANIFEST_TYPE, TRUST_TYPE};

fuzz_target!(|bytes: &[u8]| {
    for (own, other) in [(MANIFEST_TYPE, TRUST_TYPE), (TRUST_TYPE, MANIFEST_TYPE)] {
        let Ok(envelope) = Envelope::parse(bytes, own) else { continue };
        assert!(Envelope::parse(bytes, other).is_err());
        let json = envelope.to_json();
        assert_eq!(Envelope::parse(&json, own).as_ref(), Ok(&envelope));

        // Ed25519 is deterministic: a signature that verifies is the one that the key makes.
        let mut by_key = Envelope::new(own, envelope.payload().to_vec());
        by_key.sign(&fuzz::KEY);
        for signature in envelope.signatures() {
            let verifies = envelope.is_signed(signature, &fuzz::KEY.public());
            assert_eq!(verifies, *signature == by_key.signatures()[0]);
        }
    }
});
