//! The operator's way in: a socket in the file system that the agent's own user and root may use.
//!
//! A request is a line of JSON, and so is its answer: `{"ask": "why", "peer": "10.0.0.1"}` is answered with
//! what [`crate::why`] describes, anything else with `{"error": TEXT}`. Invariant: nobody is answered whom
//! the kernel does not name as root or as the user that the agent runs as, whatever the socket's mode.

use crate::local;
use crate::sockets;
use crate::why;
use rustix::fs::Mode;
use s_engine::Engine;
use serde::{Deserialize, Serialize};
use socket2::Socket;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What can be asked.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Which packets were refused last, and why.
    Why {
        /// Only those of this address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<IpAddr>,
    },
}

/// What is answered where there is no answer.
#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    error: String,
}

/// The socket, and its name as long as the agent lives.
pub(crate) struct Control {
    listener: Socket,
    path: PathBuf,
}

impl Control {
    /// Opens the socket.
    ///
    /// # Errors
    /// It cannot be opened: with its name and the remedy.
    pub(crate) fn open(path: PathBuf) -> Result<Self, String> {
        match sockets::unix_listener(&path, Mode::from_raw_mode(0o600)) {
            Ok(listener) => Ok(Control { listener, path }),
            Err(error) => Err(format!(
                "the control socket {}: {error}; end the agent that listens there, or name another \
                 place with `control`",
                path.display()
            )),
        }
    }

    /// Answers until told to stop.
    pub(crate) fn serve(self, engine: &Engine, stop: &AtomicBool) {
        local::serve(std::slice::from_ref(&self.listener), stop, b"\n", |connection, line| {
            answer(connection, line, engine).unwrap_or_default()
        });
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The answer to a line; empty for who may not ask.
fn answer(connection: &Socket, line: &[u8], engine: &Engine) -> io::Result<Vec<u8>> {
    let peer = rustix::net::sockopt::socket_peercred(connection)?;
    if !peer.uid.is_root() && peer.uid != rustix::process::geteuid() {
        return Ok(Vec::new());
    }
    let mut answer = match serde_json::from_slice(line) {
        Ok(Request::Why { peer }) => serde_json::to_vec(&why::Answer::of(engine, peer))?,
        Err(error) => serde_json::to_vec(&Refused { error: error.to_string() })?,
    };
    answer.push(b'\n');
    Ok(answer)
}

/// Asks an agent that listens at one of these places, the first that is there.
///
/// # Errors
/// There is none, or it does not answer: with the remedy.
pub(crate) fn ask(places: &[PathBuf], request: &Request) -> Result<String, String> {
    let found = places.iter().find(|place| place.exists());
    let Some(place) = found else {
        let all: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        return Err(format!(
            "no agent listens at {}; start it, or name its place with --state-directory or --control",
            all.join(" or ")
        ));
    };
    let answer = ask_at(place, request).map_err(|error| {
        let cure = match error.kind() {
            io::ErrorKind::ConnectionRefused => "the agent that listened there has ended; start it",
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the agent is busy; ask again",
            io::ErrorKind::PermissionDenied => "ask as root or as the user that the agent runs as",
            _ => "see the agent's log, or name another place with --control",
        };
        format!("{}: {error}; {cure}", place.display())
    })?;
    match serde_json::from_str::<Refused>(&answer) {
        Ok(refused) => Err(refused.error),
        Err(_) if answer.is_empty() => Err(format!(
            "{}: it does not answer this user; ask as root or as the user that the agent runs as",
            place.display()
        )),
        Err(_) => Ok(answer),
    }
}

fn ask_at(place: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(place)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_line_of_json() {
        let parse = |text: &str| serde_json::from_str::<Request>(text);
        assert_eq!(parse(r#"{"ask":"why"}"#).unwrap(), Request::Why { peer: None });
        let peer = "10.0.0.1".parse().ok();
        assert_eq!(parse(r#"{"ask":"why","peer":"10.0.0.1"}"#).unwrap(), Request::Why { peer });
        assert!(parse(r#"{"ask":"end"}"#).is_err());
        assert!(parse(r#"{"ask":"why","peer":"here"}"#).is_err());
    }

    #[test]
    fn where_nobody_listens_is_told() {
        let error = ask(&["/nowhere/control".into()], &Request::Why { peer: None }).unwrap_err();
        assert!(
            error.contains("/nowhere/control") && error.contains("--state-directory"),
            "{error}"
        );
    }
}
