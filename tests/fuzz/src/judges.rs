//! SNMP messages, judged by two codecs that are not ours.
//!
//! Promise checked: whatever `rasn-snmp` and `snmp-parser` read otherwise than our codec stands in the list of
//! the codec's tests, with who is right and by which paragraph.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The codec's tests say whole messages as values, and what the judges made of them.
#[path = "../../../agent/wire/tests/wire/foreign.rs"]
mod foreign;
#[allow(dead_code, reason = "what writes messages is for others")]
#[path = "../../../agent/wire/tests/wire/owned.rs"]
mod owned;
#[allow(dead_code, reason = "who is right is for the tests to print")]
#[path = "../../../agent/wire/tests/wire/verdicts.rs"]
mod verdicts;

fuzz_target!(|octets: &[u8]| {
    for (judge, kind) in verdicts::disagreements(octets) {
        assert!(kind.is_ok(), "{judge:?} disagrees, and no row is about {kind:?}");
    }
});
