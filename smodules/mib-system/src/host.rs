//! What the kernel says of the host: the words of uname(2), from its files.
//!
//! It never fails: what cannot be read is left out. A rehearsal ends a module that opens a file, so it is not
//! called before the module is asked for something.

use std::fs::read_to_string;

/// What was found.
pub(crate) struct Found {
    /// For sysDescr: system, host, release, version, machine.
    pub(crate) descr: String,
    /// For sysName: the host's name.
    pub(crate) name: String,
}

/// Looks.
pub(crate) fn found() -> Found {
    let word = |file: &str| {
        let text = read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default();
        display(text.trim())
    };
    let words = ["ostype", "hostname", "osrelease", "version"].map(word);
    let machine = Some(word("arch")).filter(|word| !word.is_empty());
    let machine = machine.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let words: Vec<_> =
        words.into_iter().chain([machine]).filter(|word| !word.is_empty()).collect();
    Found { descr: cut(words.join(" ")), name: cut(word("hostname")) }
}

/// A DisplayString is ASCII.
fn display(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// A DisplayString has at most 255 characters.
fn cut(mut text: String) -> String {
    text.truncate(255);
    text
}
