//! Programs that cargo cannot bring: probed by name, installed where that is allowed.
//!
//! It never installs anything that is present, never asks for a password, and never adds a source.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{Failure, Plan, Step};

/// The commands that can need more than a Rust toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Test,
    Fuzz,
    Bench,
}

struct Package {
    /// Its name in Debian and Ubuntu.
    name: &'static str,
    /// The program whose presence proves that it, or its equal, is installed.
    program: &'static str,
    reason: &'static str,
    needed_by: &'static [Door],
}

/// Everything outside the Rust toolchain. rustc itself needs a linker (`cc`), so a machine on which
/// this program runs has one.
const PACKAGES: &[Package] = &[
    Package {
        name: "g++",
        program: "c++",
        reason: "the fuzzing engine, libFuzzer, is C++ and is built from source",
        needed_by: &[Door::Fuzz],
    },
    Package {
        name: "snmp",
        program: "snmpget",
        reason: "the agent is asked with net-snmp's own tools",
        needed_by: &[Door::Test],
    },
    Package {
        name: "snmptrapd",
        program: "snmptrapd",
        reason: "the agent's notifications are received, and acknowledged, by net-snmp's own daemon",
        needed_by: &[Door::Test],
    },
    Package {
        name: "snmpd",
        program: "snmpd",
        reason: "the agent is compared with net-snmp's, which tests start by hand",
        needed_by: &[Door::Test],
    },
    Package {
        name: "tshark",
        program: "tshark",
        reason: "what the agent sends is read by Wireshark",
        needed_by: &[Door::Test],
    },
    Package {
        name: "faketime",
        program: "faketime",
        reason: "the clock steps under a running agent, and under nobody else",
        needed_by: &[Door::Test],
    },
    Package {
        name: "snmpd",
        program: "snmpd",
        reason: "the agent is measured beside net-snmp's",
        needed_by: &[Door::Bench],
    },
];

/// Makes sure that everything `door` needs is there, or says exactly what to install.
pub(crate) fn ensure(door: Door) -> Result<(), Failure> {
    let missing: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| package.needed_by.contains(&door) && !on_path(package.program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        println!("xtask: {} is missing: {}", package.name, package.reason);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let Some(prefix) = apt_get() else {
        return Err(Failure::Missing(advice(&names)));
    };
    install(prefix, &names).map_err(|failure| {
        println!("xtask: {failure}");
        Failure::Missing(advice(&names))
    })?;
    if let Some(package) = missing.iter().find(|p| !on_path(p.program)) {
        return Err(Failure::Missing(format!(
            "{} is installed, yet {} is still not on the path",
            package.name, package.program
        )));
    }
    Ok(())
}

/// How this user may run apt-get without being asked anything, if at all.
fn apt_get() -> Option<&'static [&'static str]> {
    let succeeds = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !on_path("apt-get") {
        None
    } else if is_root() {
        Some(&["env"])
    } else if succeeds("sudo", &["-n", "true"]) {
        Some(&["sudo", "-n", "env"])
    } else {
        None
    }
}

fn install(prefix: &[&str], names: &[&str]) -> Result<(), Failure> {
    let apt_get = |name: &str| {
        Step::child(name, prefix[0], "/".into())
            .args(&prefix[1..])
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
    };
    Plan::new(vec![
        apt_get("package lists").args(["update", "-q"]),
        apt_get("packages").args(["install", "-q", "-y", "--no-install-recommends"]).args(names),
    ])
    .run()
}

fn advice(names: &[&str]) -> String {
    format!(
        "install what is missing and run this command again; on Debian or Ubuntu:\n    \
         sudo apt-get install {}",
        names.join(" ")
    )
}

/// The owner of this process's entry in /proc is its effective user.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

pub(crate) fn on_path(program: &str) -> bool {
    // Daemons live where only root's path leads.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|folder| is_executable(&folder.join(program)))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_a_reason_and_a_door() {
        for package in PACKAGES {
            assert!(!package.reason.is_empty(), "{}", package.name);
            assert!(!package.needed_by.is_empty(), "{}", package.name);
        }
    }

    #[test]
    fn advice_is_a_command() {
        let advice = advice(&["g++", "make"]);
        assert!(advice.ends_with("sudo apt-get install g++ make"));
    }

    #[test]
    fn programs_are_found_on_the_path_only_when_executable() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-here"));
        assert!(!is_executable(Path::new("/etc/passwd")));
    }
}
