//! Files of the state directory, what modules kept, and what they carried over. See `attack/kept.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::attack::kept::run(octets));
