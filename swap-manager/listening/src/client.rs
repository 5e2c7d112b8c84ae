//! Asks a listening service; `swapctl` is made of this.
//!
//! Calls block: each runs on a runtime of the client's own, which has no threads. A client keeps no connection
//! between calls, so a service that was restarted is simply asked again. It never retries: a push that was cut off
//! may have begun, and only the status says.

mod connection;
mod events;

pub use events::{Event, Events};

use crate::limits::PUSH_OCTETS;
use connection::Target;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// No answer is larger.
const ANSWER_MAX: usize = 64 << 20;

/// Longer than the service takes for any request, waiting included.
const PATIENCE: Duration = Duration::from_secs(75);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or nobody that we trust.
    #[error("cannot reach the service at {place}: {why}")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        why: String,
    },
    /// A certificate, a key or a name that cannot be used.
    #[error("{what}: {why}")]
    Unusable {
        /// Which one.
        what: String,
        /// Why.
        why: String,
    },
    /// The service says no.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable word of the error, such as `busy`.
        word: String,
        /// What the service says of it.
        message: String,
        /// The whole answer.
        body: Json,
    },
    /// The connection ended, or what came is no answer.
    #[error("the service's answer was cut off or is not readable: {0}")]
    Broken(String),
    /// Nothing came in time.
    #[error("the service did not answer within {0:?}")]
    TooSlow(Duration),
}

/// A service to ask.
pub struct Client {
    runtime: Runtime,
    target: Target,
}

impl Client {
    /// The service that listens on this Unix socket.
    ///
    /// # Errors
    /// None before it is asked, unless the machine has no descriptor left.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        Self::to(Target::Unix(path.as_ref().to_owned()))
    }

    /// The service that listens on this address (`host:port`), whose certificate `ca` vouches for, as
    /// `server_name`; `certificate` and `key` say who we are. All three files are PEM.
    ///
    /// # Errors
    /// A file or the name cannot be used.
    pub fn tls(
        address: &str,
        ca: &Path,
        certificate: &Path,
        key: &Path,
        server_name: &str,
    ) -> Result<Self, ClientError> {
        Self::to(Target::tls(address, ca, certificate, key, server_name)?)
    }

    fn to(target: Target) -> Result<Self, ClientError> {
        Ok(Client { runtime: runtime()?, target })
    }

    /// Where it asks, for messages.
    pub fn place(&self) -> String {
        self.target.to_string()
    }

    /// What is there. `path` begins with `/v1/`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn get(&self, path: &str) -> Result<Json, ClientError> {
        self.ask(Method::GET, path, None)
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn post(&self, path: &str, body: &Json) -> Result<Json, ClientError> {
        self.ask(Method::POST, path, Some(("application/json".into(), body.to_string().into())))
    }

    /// The same with octets as they are: a trust update, whose signature is over them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn post_octets(&self, path: &str, body: Vec<u8>) -> Result<Json, ClientError> {
        self.ask(Method::POST, path, Some(("application/octet-stream".into(), body.into())))
    }

    /// Sends packages, each with the name of its file, and what is ordered of them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn post_packages(
        &self,
        path: &str,
        order: Option<&Json>,
        packages: &[(String, Vec<u8>)],
    ) -> Result<Json, ClientError> {
        let (kind, body) = multipart(order, packages);
        // Told here: who sends more than the service takes finds the connection broken.
        if body.len() > PUSH_OCTETS {
            let octets = body.len();
            let message = format!(
                "a push takes {PUSH_OCTETS} octets, and this one has {octets}: push fewer packages at a time, or smaller ones"
            );
            let body = serde_json::json!({ "error": "too-large", "message": message });
            return Err(ClientError::Refused {
                status: 413,
                word: "too-large".into(),
                message,
                body,
            });
        }
        self.ask(Method::POST, path, Some((kind, body)))
    }

    /// Events of a tag (`swap.*`; all without one) from now on; with `since`, first those after that number.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn events(&self, tag: Option<&str>, since: Option<u64>) -> Result<Events, ClientError> {
        Events::open(&self.target, tag, since)
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(String, Bytes)>,
    ) -> Result<Json, ClientError> {
        let (kind, body) = body.unzip();
        let mut request = Request::builder().method(method).uri(path).header("host", "service");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|why| ClientError::Unusable { what: path.to_owned(), why: why.to_string() })?;
        let answered = async {
            let answer = self.target.send(request).await?;
            let status = answer.status().as_u16();
            let octets = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
            let octets = octets.map_err(|why| ClientError::Broken(why.to_string()))?.to_bytes();
            understood(status, &octets)
        };
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, answered).await })
            .map_err(|_| ClientError::TooSlow(PATIENCE))?
    }
}

fn runtime() -> Result<Runtime, ClientError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|why| ClientError::Unusable { what: "this machine".into(), why: why.to_string() })
}

/// What an answer says.
fn understood(status: u16, octets: &[u8]) -> Result<Json, ClientError> {
    let body: Json = serde_json::from_slice(octets).map_err(|why| {
        ClientError::Broken(format!("status {status} with what is no JSON ({why})"))
    })?;
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let text = |key: &str| body.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    Err(ClientError::Refused { status, word: text("error"), message: text("message"), body })
}

/// The parts as RFC 7578 has them, and the type that names what is between them.
fn multipart(order: Option<&Json>, packages: &[(String, Vec<u8>)]) -> (String, Bytes) {
    // What is between the parts must be in none of them: nothing holds a digest of itself.
    let mut digest = Sha256::new();
    packages.iter().for_each(|(_, octets)| digest.update(octets));
    let between = crate::operators::hex(&digest.finalize());
    let mut body = Vec::new();
    let mut part = |head: String, content: &[u8]| {
        body.extend_from_slice(format!("--{between}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    if let Some(order) = order {
        part("content-disposition: form-data; name=\"order\"".into(), order.to_string().as_bytes());
    }
    for (name, octets) in packages {
        // A file's name is only for messages; what would end its quotes is left out.
        let name: String =
            name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
        let head = format!("content-disposition: form-data; name=\"package\"; filename=\"{name}\"");
        part(head, octets);
    }
    body.extend_from_slice(format!("--{between}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={between}"), body.into())
}
