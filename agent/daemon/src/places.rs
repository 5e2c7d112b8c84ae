//! Where things are when nobody says: the configuration, the state directory, the control socket.
//!
//! Invariant: the agent and those who ask it look at the same places in the same order.

use std::path::{Path, PathBuf};

/// The configuration that is read without `-c`.
pub(crate) const CONFIGURATION: &str = "/etc/sagentd/sagentd.toml";

/// Where systemd makes a directory for us.
const RUN: &str = "/run/sagentd";

/// Where state is kept unless it is told: as systemd says, or where the user keeps it.
pub(crate) fn state_directory() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let system = || PathBuf::from("/var/lib/sagentd");
    from("STATE_DIRECTORY")
        .or_else(|| rustix::process::geteuid().is_root().then(system))
        .or_else(|| from("XDG_STATE_HOME").map(|home| home.join("sagentd")))
        .or_else(|| from("HOME").map(|home| home.join(".local/state/sagentd")))
        .unwrap_or_else(system)
}

/// Where the agent listens for its operator unless it is told.
pub(crate) fn control_socket(state_directory: &Path) -> PathBuf {
    let directory = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    directory.unwrap_or_else(|| state_directory.to_owned()).join("control")
}

/// Where to look for an agent that listens for its operator.
pub(crate) fn control_sockets(state_directory: Option<PathBuf>) -> Vec<PathBuf> {
    match state_directory {
        Some(told) => vec![told.join("control")],
        None => vec![Path::new(RUN).join("control"), self::state_directory().join("control")],
    }
}
