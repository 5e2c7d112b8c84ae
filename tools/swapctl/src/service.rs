//! The agent's service, as commands see it: questions, orders and a stream of events.
//!
//! Everything that crosses is JSON that the service defines; this file only turns what went wrong into
//! failures that name the place and the remedy. Invariant: nothing takes longer than a second in silence
//! while somebody watches, unless whoever asks shows the wait.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use s_listening::client::{Client, ClientError};
use serde_json::Value;

use crate::order::Order;
use crate::output::Failure;
use crate::progress;
use crate::whereabouts;

/// Whom the other side of a TLS connection must be, and who we are.
pub(crate) struct Credentials<'a> {
    pub(crate) authority: &'a Path,
    pub(crate) certificate: &'a Path,
    pub(crate) key: &'a Path,
}

/// The service of one agent.
pub(crate) struct Service {
    client: Client,
    tells_waits: bool,
}

/// One event, as the service tells it.
pub(crate) struct Event {
    pub(crate) id: Option<u64>,
    pub(crate) tag: String,
    /// `{"at", "source", "payload"}`; of `missed`, `{"count"}`.
    pub(crate) data: Value,
}

/// Events as they come.
pub(crate) struct Events {
    stream: s_listening::client::Events,
    place: String,
}

impl Service {
    /// The agent that listens at this socket.
    ///
    /// # Errors
    /// Nobody listens there, or not for us: with the remedy.
    pub(crate) fn local(socket: &Path) -> Result<Self, Failure> {
        // The client's own words come later and do not tell the one reason from the other.
        UnixStream::connect(socket).map_err(|error| {
            let cure = whereabouts::cure(&error);
            Failure::system(format!("{error}; {cure}")).about(socket)
        })?;
        let client = Client::unix(socket).map_err(|error| failure(error, &socket.display()))?;
        Ok(Self { client, tells_waits: true })
    }

    /// The agent that listens at `HOST:PORT`.
    ///
    /// # Errors
    /// The files or the name cannot be used.
    pub(crate) fn remote(place: &str, who: &Credentials<'_>) -> Result<Self, Failure> {
        let host = place.rsplit_once(':').map(|(host, _)| host).ok_or_else(|| {
            Failure::usage(format!("{place:?} has no port; write --connect HOST:PORT"))
        })?;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let client = Client::tls(place, who.authority, who.certificate, who.key, name);
        let client = client.map_err(|error| failure(error, &place))?;
        Ok(Self { client, tells_waits: true })
    }

    /// The same, for whoever has the terminal and shows waits there.
    pub(crate) fn telling_no_waits(self) -> Self {
        Self { tells_waits: false, ..self }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask("waiting for the agent", || self.client.get(path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask("waiting for the agent", || self.client.post(path, body))
    }

    pub(crate) fn post_octets(&self, path: &str, octets: Vec<u8>) -> Result<Value, Failure> {
        self.ask("waiting for the agent", || self.client.post_octets(path, octets))
    }

    pub(crate) fn order(&self, path: &str, order: &Order) -> Result<Value, Failure> {
        self.ask("the agent reads the order", || {
            self.client.post_packages(path, Some(&order.json), &order.packages)
        })
    }

    /// Events of a tag (`swap.*`, or `*` for all) from now on; with `since`, first those after that number.
    pub(crate) fn events(&self, tag: &str, since: Option<u64>) -> Result<Events, Failure> {
        let tag = segment(tag);
        let stream = self.ask("waiting for the agent", || self.client.events(Some(&tag), since))?;
        Ok(Events { stream, place: self.client.place() })
    }

    fn ask<T>(
        &self,
        what: &str,
        question: impl FnOnce() -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        let answer = if self.tells_waits { progress::during(what, question) } else { question() };
        answer.map_err(|error| failure(error, &self.client.place()))
    }
}

/// What to do about a missing answer.
fn failure(error: ClientError, place: &dyn std::fmt::Display) -> Failure {
    let cure = match error {
        ClientError::Refused { status, body, .. } => return Failure::of_service(status, &body),
        // It names the file or the name already.
        ClientError::Unusable { .. } => return Failure::system(error),
        ClientError::Unreachable { .. } => {
            return Failure::system(format!(
                "{error}; see that the agent runs, and that its certificate and yours are of the \
                 authorities that both sides know"
            ));
        }
        ClientError::Broken(_) => {
            "what was asked for may have begun, see `swapctl status` and the agent's log"
        }
        ClientError::TooSlow(_) => "the agent is overloaded or stopped, see its log",
    };
    Failure::system(format!("{error}; {cure}")).at(place)
}

/// A name as one part of a path, whatever is in it.
pub(crate) fn segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for octet in name.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~*".contains(&octet) {
            segment.push(char::from(octet));
        } else {
            segment.push_str(&format!("%{octet:02X}"));
        }
    }
    segment
}

impl Event {
    /// The number of the swap that this is about.
    pub(crate) fn txn(&self) -> Option<u64> {
        self.data["payload"]["txn"].as_u64()
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        serde_json::json!({ "id": self.id, "event": self.tag, "at": self.data["at"],
            "source": self.data["source"], "payload": self.data["payload"] })
    }
}

impl Events {
    /// The next event, if it comes before this time has passed.
    ///
    /// # Errors
    /// The stream has ended.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Option<Event>, Failure> {
        let next =
            self.stream.next_within(patience).map_err(|error| failure(error, &self.place))?;
        Ok(next.map(|event| Event { id: event.id, tag: event.tag, data: event.data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_part_of_a_path() {
        assert_eq!(segment("security.usm"), "security.usm");
        assert_eq!(segment("../a b?c=d&e"), "..%2Fa%20b%3Fc%3Dd%26e");
    }

    #[test]
    fn a_place_without_port_is_a_usage_error() {
        let path = Path::new("missing.pem");
        let who = Credentials { authority: path, certificate: path, key: path };
        let word =
            |place| Service::remote(place, &who).err().map(|failure| failure.word().to_owned());
        assert_eq!(word("agent.example"), Some("usage".to_owned()));
        assert_eq!(word("agent.example:9"), Some("system".to_owned()));
    }
}
