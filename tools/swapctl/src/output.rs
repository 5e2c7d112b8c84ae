//! What commands return and how it reaches a person or a script.
//! Invariant: nothing that came from a file can move a terminal's cursor; control characters are escaped.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

/// What a command found or did: once for people, once for programs.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) json: Value,
    /// Things a person must not overlook; they go to standard error.
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, warnings: Vec::new() }
    }
}

/// Why a command did not do it. `word` is stable, for scripts.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    word: &'static str,
    message: String,
}

impl Failure {
    /// Judged and turned down.
    pub(crate) fn refused(word: &'static str, message: impl Display) -> Self {
        Self { exit: 1, word, message: message.to_string() }
    }

    /// The command line makes no sense, in a way that its grammar cannot say.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { exit: 2, word: "usage", message: message.to_string() }
    }

    /// A file or the system did not cooperate.
    pub(crate) fn system(message: impl Display) -> Self {
        Self { exit: 3, word: "system", message: message.to_string() }
    }

    /// The same, naming the file that it is about.
    pub(crate) fn about(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }
}

impl From<s_package::Refusal> for Failure {
    fn from(refusal: s_package::Refusal) -> Self {
        Self::refused(refusal.word(), refusal)
    }
}

impl From<s_package::ManifestFault> for Failure {
    fn from(fault: s_package::ManifestFault) -> Self {
        Self::from(s_package::Refusal::from(fault))
    }
}

impl From<s_package::TrustFault> for Failure {
    fn from(fault: s_package::TrustFault) -> Self {
        Self::refused("bad-trust-store", fault)
    }
}

impl From<s_package::UpdateRefusal> for Failure {
    fn from(refusal: s_package::UpdateRefusal) -> Self {
        Self::refused("trust-update", refusal)
    }
}

impl From<s_package::KeyFault> for Failure {
    fn from(fault: s_package::KeyFault) -> Self {
        Self::refused("bad-key", fault)
    }
}

pub(crate) fn answer(answer: &Answer, as_json: bool) -> ExitCode {
    for warning in &answer.warnings {
        eprintln!("swapctl: warning: {}", printable(warning));
    }
    let text = if as_json { answer.json.to_string() } else { printable(&answer.text) };
    // A reader that has seen enough, such as `head`, is no failure.
    match writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n')) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            failure(&Failure::system(format!("cannot write the answer: {error}")), as_json)
        }
        _ => ExitCode::SUCCESS,
    }
}

pub(crate) fn failure(failure: &Failure, as_json: bool) -> ExitCode {
    let Failure { exit, word, message } = failure;
    if as_json {
        eprintln!("{}", json!({ "error": word, "message": message, "exit": exit }));
    } else {
        eprintln!("swapctl: {}", printable(message));
    }
    ExitCode::from(*exit)
}

fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[2J\tb\n"), "a\\u{1b}[2J\tb\n");
    }
}
