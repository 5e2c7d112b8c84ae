//! Trust stores, and the signed updates that follow them.
//!
//! Promises checked: what reads is written in one form and reads back equal; an update moves the
//! version by exactly one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_package::envelope::{Envelope, TRUST_TYPE};
use s_package::trust::TrustStore;

fuzz_target!(|bytes: &[u8]| {
    follows(bytes);
    // The same bytes with a good signature, so that mutation reaches what lies behind it.
    let mut envelope = Envelope::new(TRUST_TYPE, bytes.to_vec());
    envelope.sign(&fuzz::KEY);
    follows(&envelope.to_json());

    let Ok(store) = TrustStore::parse(bytes) else { return };
    let again = TrustStore::parse(&store.to_json()).expect("what was read can be written");
    assert_eq!(again.document(), store.document());
    // A store must be able to judge any update, and take none that nobody signed.
    let unsigned = Envelope::new(TRUST_TYPE, store.to_json());
    assert!(store.updated(&unsigned.to_json(), fuzz::now()).is_err());
});

fn follows(update: &[u8]) {
    let current = &*fuzz::TRUST;
    if let Ok(next) = current.updated(update, fuzz::now()) {
        assert_eq!(next.document().version, current.document().version + 1);
    }
}
