//! Where log lines go, and which are not worth a line.
//!
//! It never learns a secret: whoever logs leaves them out. Invariant: a cause that goes on and on is told
//! once a minute, with how often it came, and no component fills the log.

use s_control::LogSink;
use s_sdk::Level;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the same line is not said again.
const QUIET: Duration = Duration::from_secs(60);

/// Warnings and errors that a component may have in that time.
const MOST: u32 = 30;

/// So many causes are remembered.
const CAUSES: usize = 512;

/// Where lines go, as `-L` spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `-Le`.
    Errors,
    /// `-Lo`.
    Output,
    /// `-Lf FILE`.
    File(PathBuf),
    /// `-Ls FACILITY`: the number of the facility (RFC 5424 §6.2.1).
    Syslog(u8),
}

impl Place {
    /// What stands behind `-L`.
    ///
    /// # Errors
    /// Cause and remedy.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.get(1..).unwrap_or_default().trim_start_matches([' ', ':']);
        match (text.get(..1), rest) {
            (Some("e"), "") => Ok(Place::Errors),
            (Some("o"), "") => Ok(Place::Output),
            (Some("f"), file) if !file.is_empty() => Ok(Place::File(file.into())),
            (Some("s"), facility) => match facility.as_bytes() {
                [] | b"d" | b"D" => Ok(Place::Syslog(3)),
                b"u" | b"U" => Ok(Place::Syslog(1)),
                [local @ b'0'..=b'7'] => Ok(Place::Syslog(16 + local - b'0')),
                _ => Err(format!("`-L{text}`: write -Lsd, -Lsu, or -Ls0 to -Ls7")),
            },
            _ => Err(format!("`-L{text}`: write -Le, -Lo, -Lf FILE or -Ls FACILITY")),
        }
    }
}

/// The log.
pub(crate) struct Log {
    least: Level,
    /// Levels are written in front as journald reads them.
    for_journal: bool,
    place: Place,
    inner: Mutex<Inner>,
}

struct Inner {
    out: Out,
    said: HashMap<(String, String), Said>,
    spoke: HashMap<String, Said>,
}

enum Out {
    Errors,
    Output,
    File {
        file: File,
        /// It was not there before.
        is_new: bool,
    },
    Syslog(UnixDatagram),
}

/// When something was said, and how often since.
struct Said {
    at: Instant,
    times: u32,
}

impl Log {
    /// Opens the place.
    ///
    /// # Errors
    /// It cannot be opened: with its name and the remedy.
    pub(crate) fn open(place: Place, least: Level) -> Result<Arc<Self>, String> {
        let inner = Inner { out: open(&place)?, said: HashMap::new(), spoke: HashMap::new() };
        let for_journal = std::env::var_os("JOURNAL_STREAM").is_some();
        Ok(Arc::new(Log { least, for_journal, place, inner: Mutex::new(inner) }))
    }

    /// Lines go to standard output.
    pub(crate) fn is_on_output(&self) -> bool {
        self.place == Place::Output
    }

    /// Opens the place again: a file may have been moved away.
    ///
    /// # Errors
    /// As [`Log::open`]; then lines go where they went.
    pub(crate) fn reopen(&self) -> Result<(), String> {
        let out = open(&self.place)?;
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).out = out;
        Ok(())
    }

    /// Gives a file that was made here to another user, who is to open it again.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn give_to(&self, user: u32, group: u32) -> std::io::Result<()> {
        match &self.inner.lock().unwrap_or_else(PoisonError::into_inner).out {
            Out::File { file, is_new: true } => {
                std::os::unix::fs::fchown(file, Some(user), Some(group))
            }
            _ => Ok(()),
        }
    }

    /// As the swap manager takes it.
    pub(crate) fn sink(self: &Arc<Self>) -> LogSink {
        let log = Arc::clone(self);
        Arc::new(move |level, component, version, message| {
            log.line(level, component, version, message);
        })
    }

    /// A line of the daemon itself.
    pub(crate) fn say(&self, level: Level, message: &str) {
        self.line(level, "sagentd", "", message);
    }

    fn line(&self, level: Level, component: &str, version: &str, message: &str) {
        if level as u32 > self.least as u32 {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(message) = inner.worth_saying(level, component, message, Instant::now()) else {
            return;
        };
        let (number, word) = match level {
            Level::Error => (3, "error"),
            Level::Warning => (4, "warning"),
            Level::Info => (6, "info"),
            Level::Debug => (7, "debug"),
        };
        let gap = if version.is_empty() { "" } else { " " };
        // What a module says stays one line, and does nothing to a terminal.
        let message = message.replace(|c: char| c.is_control(), " ");
        let text = format!("{component}{gap}{version}: {message}");
        // A log that cannot be written is nobody's to be told of.
        let _ = match &mut inner.out {
            Out::Syslog(socket) => {
                let line =
                    format!("<{}>sagentd[{}]: {text}", self.priority(number), std::process::id());
                socket.send(line.as_bytes()).map(drop)
            }
            Out::File { file, .. } => writeln!(file, "{} {word}: {text}", now()),
            Out::Errors if self.for_journal => writeln!(std::io::stderr(), "<{number}>{text}"),
            Out::Output if self.for_journal => writeln!(std::io::stdout(), "<{number}>{text}"),
            Out::Errors => writeln!(std::io::stderr(), "{word}: {text}"),
            Out::Output => writeln!(std::io::stdout(), "{word}: {text}"),
        };
    }

    fn priority(&self, severity: u8) -> u8 {
        match self.place {
            Place::Syslog(facility) => facility * 8 + severity,
            _ => severity,
        }
    }
}

impl Inner {
    /// The line, if it is worth one.
    fn worth_saying(
        &mut self,
        level: Level,
        component: &str,
        message: &str,
        now: Instant,
    ) -> Option<String> {
        if matches!(level, Level::Info | Level::Debug) {
            return Some(message.to_owned());
        }
        if self.said.len() >= CAUSES {
            self.said.retain(|_, said| now.duration_since(said.at) < QUIET);
        }
        let cause = (component.to_owned(), message.to_owned());
        let repeated = match self.said.get_mut(&cause) {
            Some(said) if now.duration_since(said.at) < QUIET => {
                said.times += 1;
                return None;
            }
            Some(said) => {
                said.at = now;
                std::mem::take(&mut said.times)
            }
            None => {
                if self.said.len() < CAUSES {
                    self.said.insert(cause, Said { at: now, times: 0 });
                }
                0
            }
        };
        let spoke = self.spoke.entry(component.to_owned()).or_insert(Said { at: now, times: 0 });
        if now.duration_since(spoke.at) >= QUIET {
            *spoke = Said { at: now, times: 0 };
        }
        spoke.times += 1;
        match spoke.times {
            ..=MOST if repeated > 0 => {
                Some(format!("{message} ({repeated} times more since it was said)"))
            }
            ..=MOST => Some(message.to_owned()),
            times if times == MOST + 1 => {
                Some("says too much: for a minute its warnings are left out".to_owned())
            }
            _ => None,
        }
    }
}

fn open(place: &Place) -> Result<Out, String> {
    match place {
        Place::Errors => Ok(Out::Errors),
        Place::Output => Ok(Out::Output),
        Place::File(path) => open_file(path).map_err(|error| {
            format!("-Lf {}: {error}; name a file that the agent's user can write", path.display())
        }),
        Place::Syslog(_) => UnixDatagram::unbound()
            .and_then(|socket| socket.connect("/dev/log").map(|()| Out::Syslog(socket)))
            .map_err(|error| format!("-Ls: /dev/log: {error}; use -Le or -Lf FILE")),
    }
}

fn open_file(path: &Path) -> std::io::Result<Out> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = File::options().append(true).create_new(true).mode(0o640).open(path);
    match made {
        Ok(file) => Ok(Out::File { file, is_new: true }),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let file = File::options().append(true).create(true).mode(0o640).open(path)?;
            Ok(Out::File { file, is_new: false })
        }
        Err(error) => Err(error),
    }
}

/// The time of day of a line, in seconds since 1970 as `date -d @N` reads them: a calendar is not ours.
fn now() -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:03}", now.as_secs(), now.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spelled_as_snmpd_spells_them() {
        for (text, place) in [
            ("e", Place::Errors),
            ("o", Place::Output),
            ("f /var/log/x", Place::File("/var/log/x".into())),
            ("f/var/log/x", Place::File("/var/log/x".into())),
            ("s", Place::Syslog(3)),
            ("sd", Place::Syslog(3)),
            ("s u", Place::Syslog(1)),
            ("s7", Place::Syslog(23)),
        ] {
            assert_eq!(Place::parse(text), Ok(place), "{text}");
        }
        for text in ["", "x", "f", "s9", "ex"] {
            assert!(Place::parse(text).unwrap_err().contains("write"), "{text}");
        }
    }

    fn inner() -> Inner {
        Inner { out: Out::Errors, said: HashMap::new(), spoke: HashMap::new() }
    }

    #[test]
    fn a_cause_that_goes_on_is_told_once_a_minute_with_its_number() {
        let mut log = inner();
        let start = Instant::now();
        let mut say = |after| log.worth_saying(Level::Warning, "mib.if", "gone", start + after);
        assert_eq!(say(Duration::ZERO).as_deref(), Some("gone"));
        for second in 1..60 {
            assert_eq!(say(Duration::from_secs(second)), None);
        }
        let again = say(QUIET).unwrap();
        assert!(again.contains("59 times more"), "{again}");
        assert!(log.worth_saying(Level::Warning, "mib.host", "gone", start).is_some());
    }

    #[test]
    fn no_component_fills_the_log_whatever_it_says() {
        let mut log = inner();
        let start = Instant::now();
        let said = (0..100_000)
            .filter_map(|n| log.worth_saying(Level::Error, "mib.if", &format!("row {n}"), start))
            .count();
        assert_eq!(said, MOST as usize + 1);
        assert!(log.said.len() <= CAUSES);
        assert!(log.worth_saying(Level::Error, "other", "x", start).is_some());
        assert!(log.worth_saying(Level::Error, "mib.if", "x", start + QUIET).is_some());
    }
}
