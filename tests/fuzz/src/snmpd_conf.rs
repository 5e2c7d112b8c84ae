//! Files in the syntax of net-snmp: `snmpd.conf`, and the persistent file that snmpd writes.
//! See `attack/snmpd_conf.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzz::attack::snmpd_conf::run(octets));
