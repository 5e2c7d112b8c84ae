//! What becomes of each line of an `snmpd.conf`, and how it is told.
//!
//! Invariant: a verdict names the file, the line and the directive, and never what else stands there: it
//! may be a passphrase or a community.

use std::fmt;
use std::path::PathBuf;

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does what it does in snmpd; perhaps something is to be said about it.
    Honoured(String),
    /// It does nothing, and nobody is let in or kept out by that; why.
    Ignored(String),
    /// The agent does not start with it; why, and what to do.
    Refused(String),
}

impl Verdict {
    /// Nothing is to be said about it.
    pub(crate) const PLAIN: Verdict = Verdict::Honoured(String::new());

    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Verdict::Honoured(_) => "honoured",
            Verdict::Ignored(_) => "ignored",
            Verdict::Refused(_) => "refused",
        }
    }

    pub(crate) fn reason(&self) -> &str {
        let (Verdict::Honoured(reason) | Verdict::Ignored(reason) | Verdict::Refused(reason)) =
            self;
        reason
    }
}

/// Why a line is not simply honoured. A handler answers `Ok` with a note, or this.
pub(super) type Told = Result<String, Verdict>;

/// The line is refused.
pub(super) fn refused<T>(why: impl Into<String>) -> Result<T, Verdict> {
    Err(Verdict::Refused(why.into()))
}

/// The line is ignored.
pub(super) fn ignored<T>(why: impl Into<String>) -> Result<T, Verdict> {
    Err(Verdict::Ignored(why.into()))
}

/// A line that says something, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) file: PathBuf,
    pub(crate) number: usize,
    pub(crate) directive: String,
    pub(crate) verdict: Verdict,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { file, number, directive, verdict } = self;
        write!(f, "{}:{number}: {}: {directive}", file.display(), verdict.word())?;
        match verdict.reason() {
            "" => Ok(()),
            reason => write!(f, ": {reason}"),
        }
    }
}

/// The verdicts for a machine to read.
pub(crate) fn json(lines: &[Line]) -> serde_json::Value {
    let line = |line: &Line| {
        serde_json::json!({
            "file": line.file.display().to_string(),
            "line": line.number,
            "directive": line.directive,
            "verdict": line.verdict.word(),
            "reason": line.verdict.reason(),
        })
    };
    lines.iter().map(line).collect()
}
