//! Streams: octets in pieces of any size, messages out.
//! See `attack/stream.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::attack::stream::run(octets));
