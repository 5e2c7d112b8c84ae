//! Where the agent's service is: told on the command line, told by the environment, or where agents listen
//! by default. The agent looks at the same places in the same order when it opens its socket.

use std::path::PathBuf;

use clap::Args;

use crate::output::Failure;
use crate::service::{Credentials, Service};

/// Names the socket of the agent to talk to.
const SOCKET_VARIABLE: &str = "SAGENTD_SOCKET";

/// Where systemd makes a directory for the agent.
const RUN: &str = "/run/sagentd";

/// Where to find the agent.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which agent")]
pub(crate) struct Whereabouts {
    /// The agent's control socket; by default $SAGENTD_SOCKET, else where sagentd listens.
    #[arg(long, value_name = "PATH", conflicts_with = "connect")]
    socket: Option<PathBuf>,
    /// An agent on another machine, over TLS.
    #[arg(long, value_name = "HOST:PORT", requires_all = ["ca", "client_cert", "client_key"])]
    connect: Option<String>,
    /// The certificates (PEM) that the other machine's certificate must lead to.
    #[arg(long, value_name = "PEM", requires = "connect")]
    ca: Option<PathBuf>,
    /// Your certificate (PEM).
    #[arg(long = "cert", value_name = "PEM", requires = "connect")]
    client_cert: Option<PathBuf>,
    /// The key of your certificate (PEM).
    #[arg(long = "key", value_name = "PEM", requires = "connect")]
    client_key: Option<PathBuf>,
}

impl Whereabouts {
    /// Whether the command line says which agent.
    pub(crate) fn are_told(&self) -> bool {
        self.socket.is_some() || self.connect.is_some()
    }

    /// The agent's service.
    ///
    /// # Errors
    /// There is none: with the remedy.
    pub(crate) fn find(&self) -> Result<Service, Failure> {
        if let Some(place) = &self.connect {
            let missing = || Failure::usage("--connect needs --ca, --cert and --key");
            return Service::remote(
                place,
                &Credentials {
                    authority: self.ca.as_ref().ok_or_else(missing)?,
                    certificate: self.client_cert.as_ref().ok_or_else(missing)?,
                    key: self.client_key.as_ref().ok_or_else(missing)?,
                },
            );
        }
        let told = self.socket.clone().or_else(|| absolute(SOCKET_VARIABLE));
        let places = told.map_or_else(usual_sockets, |told| vec![told]);
        match places.iter().find(|place| place.exists()) {
            Some(place) => Service::local(place),
            None => Err(nobody_at(&places)),
        }
    }
}

fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where an agent listens that was told nothing.
fn usual_sockets() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(RUN)];
    folders.extend(state_directory());
    folders.into_iter().map(|folder| folder.join("control")).collect()
}

/// Where an agent that this user starts keeps its state.
fn state_directory() -> Option<PathBuf> {
    let from = |variable: &str| absolute(variable).filter(|path| path.is_absolute());
    let system = || PathBuf::from("/var/lib/sagentd");
    from("STATE_DIRECTORY")
        .or_else(|| rustix::process::geteuid().is_root().then(system))
        .or_else(|| from("XDG_STATE_HOME").map(|home| home.join("sagentd")))
        .or_else(|| from("HOME").map(|home| home.join(".local/state/sagentd")))
}

fn nobody_at(places: &[PathBuf]) -> Failure {
    let all: Vec<_> = places.iter().map(|place: &PathBuf| place.display().to_string()).collect();
    Failure::system(format!(
        "no agent listens at {}; start it, or name its place with --socket or {SOCKET_VARIABLE}",
        all.join(" or ")
    ))
}

/// What to do when a socket that is there does not lead to an agent.
pub(crate) fn cure(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            "the agent that listened there has ended; start it"
        }
        std::io::ErrorKind::PermissionDenied => "ask as root or as the user that the agent runs as",
        _ => "see the agent's log, or name another place with --socket",
    }
}
