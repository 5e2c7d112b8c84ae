//! `sagentd.toml`.
//! See `attack/configuration.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::attack::configuration::run(octets));
