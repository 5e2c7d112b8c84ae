//! What commands return and how it reaches a person or a script.
//! Invariant: nothing that came from a file can move a terminal's cursor; control characters are escaped.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

/// What a command found or did: once for people, once for programs.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) json: Value,
    /// Things a person must not overlook; they go to standard error.
    pub(crate) warnings: Vec<String>,
    /// What was found may be bad news: the command did its work all the same.
    pub(crate) exit: u8,
}

impl Answer {
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, warnings: Vec::new(), exit: 0 }
    }

    /// For commands that have said all there is to say, line by line.
    pub(crate) fn said() -> Self {
        Self::new("", Value::Null)
    }

    pub(crate) fn with_exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }
}

/// Why a command did not do it. `word` is stable, for scripts.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    word: Cow<'static, str>,
    message: String,
    /// What programs are told besides, such as the swap that is in the way.
    details: Map<String, Value>,
}

/// The service is busy with somebody else's swap, or has had too many requests.
pub(crate) const BUSY: u8 = 5;

impl Failure {
    fn new(exit: u8, word: impl Into<Cow<'static, str>>, message: impl Display) -> Self {
        Self { exit, word: word.into(), message: message.to_string(), details: Map::new() }
    }

    /// Judged and turned down.
    pub(crate) fn refused(word: &'static str, message: impl Display) -> Self {
        Self::new(1, word, message)
    }

    /// The command line makes no sense, in a way that its grammar cannot say.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(2, "usage", message)
    }

    /// A file or the system did not cooperate.
    pub(crate) fn system(message: impl Display) -> Self {
        Self::new(3, "system", message)
    }

    /// What the agent's service answered instead of what it was asked for.
    pub(crate) fn of_service(status: u16, body: &Value) -> Self {
        let mut details = body.as_object().cloned().unwrap_or_default();
        let mut take = |field: &str| match details.remove(field) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let word = take("error").unwrap_or_else(|| format!("http-{status}"));
        let message = take("message").unwrap_or_else(|| {
            format!("the agent answered {status} and no reason; its log may have one")
        });
        let exit = match (word.as_str(), status) {
            ("busy" | "too-many", _) => BUSY,
            ("unavailable", _) | (_, 500..) => 3,
            _ => 1,
        };
        Self { details, ..Self::new(exit, word, message) }
    }

    /// Whoever read our answers has seen enough. Nothing is wrong.
    fn reader_gone() -> Self {
        Self::new(0, "reader-gone", "")
    }

    pub(crate) fn word(&self) -> &str {
        &self.word
    }

    /// The same, naming the file that it is about.
    pub(crate) fn about(self, path: &Path) -> Self {
        self.at(path.display())
    }

    /// The same, naming the place that it is about.
    pub(crate) fn at(mut self, place: impl Display) -> Self {
        self.message = format!("{place}: {}", self.message);
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

/// Where commands that have more than one thing to say put each of them as it happens.
#[derive(Clone, Copy)]
pub(crate) struct Outlet {
    pub(crate) as_json: bool,
}

impl Outlet {
    /// One thing: lines for people, one object on one line for programs.
    pub(crate) fn say(self, text: &str, json: &Value) -> Result<(), Failure> {
        let line = if self.as_json { json.to_string() } else { printable(text) };
        let mut stdout = std::io::stdout();
        let written = writeln!(stdout, "{}", line.trim_end_matches('\n'));
        written.and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            // A reader that has seen enough, such as `head`, is no failure.
            ErrorKind::BrokenPipe => Failure::reader_gone(),
            _ => Failure::system(format!("cannot write the answer: {error}")),
        })
    }

    /// A fresh screen for the next thing to say, where it is for people and on a terminal.
    pub(crate) fn clear(self) {
        if !self.as_json && std::io::stdout().is_terminal() {
            print!("\x1b[H\x1b[2J");
        }
    }
}

/// Tells how a command ended, and with which exit status.
pub(crate) fn end(ended: Result<Answer, Failure>, outlet: Outlet) -> u8 {
    let told = ended.and_then(|answer| {
        for warning in &answer.warnings {
            eprintln!("swapctl: warning: {}", printable(warning));
        }
        if !(answer.text.is_empty() && answer.json.is_null()) {
            outlet.say(&answer.text, &answer.json)?;
        }
        Ok(answer.exit)
    });
    told.unwrap_or_else(|failure| tell(failure, outlet))
}

fn tell(failure: Failure, outlet: Outlet) -> u8 {
    let Failure { exit, word, message, mut details } = failure;
    if exit == 0 {
        return 0;
    }
    if outlet.as_json {
        details.extend([
            ("error".to_owned(), json!(word)),
            ("message".to_owned(), json!(message)),
            ("exit".to_owned(), json!(exit)),
        ]);
        eprintln!("{}", Value::Object(details));
    } else {
        eprintln!("swapctl: {}", printable(&message));
    }
    exit
}

/// The same text, able to do nothing to a terminal but show letters, line ends and tabs.
pub(crate) fn printable(text: &str) -> String {
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

    #[test]
    fn what_the_service_says_becomes_an_exit_status() {
        for (status, word, exit) in [
            (409, "busy", BUSY),
            (429, "too-many", BUSY),
            (409, "refused", 1),
            (403, "not-allowed", 1),
            (404, "not-found", 1),
            (503, "unavailable", 3),
            (500, "bad-answer", 3),
        ] {
            let failure = Failure::of_service(status, &json!({ "error": word, "message": "why" }));
            assert_eq!((failure.exit, failure.word()), (exit, word));
            assert_eq!(failure.message, "why");
        }
        let busy = json!({ "error": "busy", "message": "wait", "txn": 7, "phase": "prepare" });
        let failure = Failure::of_service(409, &busy);
        assert_eq!((&failure.details["txn"], failure.details.len()), (&json!(7), 2));
        let silent = Failure::of_service(404, &Value::Null);
        assert_eq!((silent.exit, silent.word()), (1, "http-404"));
    }
}
