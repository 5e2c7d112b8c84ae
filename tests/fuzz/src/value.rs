//! The canonical encoding of `Value`, which carries state, events and messages.
//!
//! Promise checked: whatever decodes encodes to the same bytes again, so no two encodings of one
//! value are ever accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_sdk::value::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = Value::decode(bytes) else { return };
    assert_eq!(value.encode(), bytes);
    // Showing a value to a person must not fail either.
    assert!(!value.to_string().is_empty());
});
