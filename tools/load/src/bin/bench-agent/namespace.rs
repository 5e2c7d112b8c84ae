//! Ten thousand interfaces, in a network namespace where they disturb nobody.
//!
//! The bench starts itself again inside of one; what it measures there comes back as JSON on standard output.

use s_load::Error;
use s_load::agents::program;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Kinds of links that a kernel can have that come up by themselves and carry nothing, the usual one first.
const KINDS: [&str; 3] = ["dummy", "ifb", "bridge"];

/// Measures inside of a namespace; the answer is what the bench said there.
///
/// # Errors
/// Why there is no such namespace here.
pub(crate) fn measure(arguments: &[String]) -> Result<Map<String, Value>, Error> {
    // With a file system of its own, because /sys shows the interfaces of who mounted it.
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--mount"]);
    if !rustix::process::geteuid().is_root() {
        inside.arg("--map-root-user");
    }
    let made = inside
        .arg("--")
        .arg(std::env::current_exe()?)
        .args(arguments)
        .arg("--inside")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    if !made.status.success() {
        return Err(format!("in the network namespace: {}", made.status).into());
    }
    Ok(serde_json::from_slice(&made.stdout)?)
}

/// Makes the links, in the namespace.
///
/// # Errors
/// This kernel has none of the kinds, or `ip` says no.
pub(crate) fn prepare(count: usize) -> Result<&'static str, Error> {
    // Agents that look there see these links only; without the right to mount they see what was there.
    let _ =
        Command::new("mount").args(["-t", "sysfs", "sysfs", "/sys"]).stderr(Stdio::null()).status();
    ip("link set lo up\n")?;
    let one = |number: usize, kind: &str| format!("link add name m{number} type {kind}\n");
    let kind = KINDS.into_iter().find(|kind| ip(&one(1, kind)).is_ok());
    let kind = kind.ok_or("this kernel has no links that carry nothing: dummy, ifb or bridge")?;
    let mut orders = String::new();
    for number in 2..=count {
        let _ = write!(orders, "{}", one(number, kind));
    }
    ip(&orders)?;
    Ok(kind)
}

fn ip(orders: &str) -> Result<(), Error> {
    let mut child = Command::new(program("ip"))
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("ip: {error}; install iproute2"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(orders.as_bytes())?;
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("ip: {status}").into()) }
}
