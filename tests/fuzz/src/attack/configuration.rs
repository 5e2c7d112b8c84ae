//! `sagentd.toml`.
//!
//! Promises checked: what is wrong is told in words, with the file's name; what is read is read the same way every
//! time, so that a reload of the same file asks for no restart; and limits that come out of it can be worked with.

use crate::config::Configuration;
use std::cell::LazyCell;
use std::path::PathBuf;

thread_local! {
    static FILE: LazyCell<PathBuf> =
        LazyCell::new(|| crate::folder("configuration").join("sagentd.toml"));
}

/// One input.
pub fn run(octets: &[u8]) {
    FILE.with(|file| {
        std::fs::write(&**file, octets).expect("a file of this process's own");
        let read = || Configuration::read(file);
        match read() {
            Err(error) => assert!(error.to_string().contains("sagentd.toml"), "{error}"),
            Ok(configuration) => {
                let again = read().expect("it was read before");
                assert!(configuration.needs_restart_for(&again).is_empty());
                let _ = configuration.limits();
                let reloaded = configuration.reloaded(again);
                let once_more = read().expect("it was read before");
                assert!(reloaded.needs_restart_for(&once_more).is_empty());
            }
        }
    });
}
