//! linkUp and linkDown of a real interface (RFC 2863), in a network namespace where it disturbs nobody.

use crate::programs::{agent, answer, free_port, receiver, target};
use std::process::Command;
use std::time::Duration;

const LINK_DOWN: &str = ".1.3.6.1.6.3.1.1.5.3";
const LINK_UP: &str = ".1.3.6.1.6.3.1.1.5.4";

/// Says in the environment that the test is in its namespace.
const INSIDE: &str = "SAGENTD_TEST_NAMESPACE";

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A line of the receiver that tells of an interface.
fn told(notification: &str, index: u32, admin: u8, oper: u8) -> [String; 4] {
    let object =
        |column: u8, value: u32| format!(".1.3.6.1.2.1.2.2.1.{column}.{index} = INTEGER: {value}");
    [notification.to_owned(), object(1, index), object(7, admin.into()), object(8, oper.into())]
}

#[test]
fn who_goes_up_or_down_is_told_where_it_is_enabled() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let apart = || {
        let mut command = Command::new("unshare");
        command.arg("--net");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.arg("--");
        command
    };
    if !apart().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system lets nobody make a network namespace");
        return;
    }
    let name = "links::who_goes_up_or_down_is_told_where_it_is_enabled";
    let mut again = apart();
    again.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
    let output = again.env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "in a namespace: {text}");
}

fn inside() {
    ip("link set lo up");
    ip("link add here type veth peer name there");
    ip("link set there up");
    let index = |name: &str| -> u32 {
        let shown = Command::new("ip").args(["-o", "link", "show", name]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        shown.split(':').next().unwrap().parse().unwrap()
    };
    let (here, there) = (index("here"), index("there"));
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut receiver = receiver(&directory, port);
    let agent = agent(&target(port, "community = \"tell\""));
    // What turned before the watch began, a second after its module, was seen by nobody. It may turn again.
    std::thread::sleep(Duration::from_secs(2));
    let up = told(LINK_UP, here, 1, 1);
    ip("link set here up");
    if !receiver.has_said(Duration::from_secs(10), &up.each_ref().map(String::as_str)) {
        ip("link set here down");
        std::thread::sleep(Duration::from_secs(10));
        ip("link set here up");
        receiver.says(&up.each_ref().map(String::as_str));
    }
    let mut says = |told: [String; 4]| {
        receiver.says(&told.each_ref().map(String::as_str));
    };
    ip("link set here down");
    says(told(LINK_DOWN, here, 2, 2));
    // ifOperStatus: lowerLayerDown.
    says(told(LINK_DOWN, there, 1, 7));
    // ifLinkUpDownTrapEnable of one of them: disabled.
    let enable = format!(".1.3.6.1.2.1.31.1.1.1.14.{there}");
    answer(&agent, "snmpset", &[&enable, "i", "2"]);
    let already = receiver.seen.len();
    ip("link set here up");
    receiver.says(&up.each_ref().map(String::as_str));
    ip("link set here down");
    receiver.says(&told(LINK_DOWN, here, 2, 2).each_ref().map(String::as_str));
    let of_there = format!(".1.3.6.1.2.1.2.2.1.1.{there} ");
    let silent = !receiver.seen[already..].iter().any(|line| line.contains(&of_there));
    assert!(silent, "{:#?}", receiver.seen);
}
