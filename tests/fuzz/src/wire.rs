//! SNMP messages of every version, to the last value of the last binding.
//!
//! Promises checked: whatever decodes is written in no more octets, in exactly as many as announced, and
//! reads back as the same message; a peek, and what stands in for a decrypted scopedPDU, only ever refuse.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_wire::{PduVersion, Reader, ScopedPdu, V3Message, Version, pdu};

// The codec's tests say whole messages as values; so does this.
#[path = "../../../agent/wire/tests/wire/owned.rs"]
mod owned;
use owned::OwnedMessage;

fuzz_target!(|octets: &[u8]| {
    // These have no whole to be compared with.
    let _ = Version::peek(octets);
    let _ = pdu::peek(Reader::new(octets), PduVersion::V1);
    if let Ok(message) = V3Message::decode(octets) {
        let _ = message.check();
    }
    if let Ok(scoped) = ScopedPdu::decode_decrypted(Reader::new(octets)) {
        let _ = scoped.decode_pdu();
    }
    match OwnedMessage::decode(octets) {
        Err(error) => assert!(error.at <= octets.len()),
        Ok(message) => {
            let again = message.encode();
            assert!(again.len() <= octets.len());
            assert_eq!(OwnedMessage::decode(&again), Ok(message));
        }
    }
});
