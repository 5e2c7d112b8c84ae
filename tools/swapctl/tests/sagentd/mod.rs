//! The agent's program, built where this package was built, and processes that do not outlive a test.
//! Never downloads anything. Invariant: what is started in a [`Group`] has ended when the group is dropped.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use std::net::UdpSocket;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process_group};

/// The folder in which both `sagentd` and `swapctl` are.
pub fn programs() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_swapctl")).parent().unwrap();
        // Whoever tests the whole workspace has built it already.
        if folder.join("sagentd").exists() {
            return folder.to_owned();
        }
        let profile = match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            name => name,
        };
        // Cargo builds no other package's program for a test.
        let built = Command::new(env!("CARGO"))
            .args(["build", "-q", "--locked", "--offline", "-p", "sagentd", "--profile", profile])
            .arg("--target-dir")
            .arg(folder.parent().unwrap())
            .current_dir(checkout())
            .status()
            .unwrap();
        assert!(
            built.success(),
            "the agent does not build; where crates are missing, `cargo fetch`"
        );
        folder.to_owned()
    })
}

/// The root of the repository.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process and those that it starts.
pub struct Group(pub Child);

impl Group {
    pub fn start(command: &mut Command) -> Self {
        let started = command.process_group(0).spawn();
        let of = "`timeout` is of coreutils, `script` of util-linux";
        Self(started.unwrap_or_else(|error| panic!("{command:?}: {error}; {of}")))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is left where everything has gone well.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}
