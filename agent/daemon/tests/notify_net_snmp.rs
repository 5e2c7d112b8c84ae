//! Notifications as their receivers meet them: sent by the agent as a program, received by net-snmp's own
//! `snmptrapd`, which acknowledges informs.
//!
//! Every test starts an agent and a receiver of its own, on ports that the system gave away a moment before.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything here takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(60);

const COLD_START: &str = "1.3.6.1.6.3.1.1.5.1";
const AUTHENTICATION_FAILURE: &str = "1.3.6.1.6.3.1.1.5.5";

/// What the receiver takes. Traps of version 3 come under the agent's engine ID, informs under its own.
const TOLD: &str = r#"
authCommunity log,execute,net tell
createUser -e 0x80007ed9046e6f74696679 alice SHA-256 "correct horse" AES "battery staple"
createUser bob SHA-256 "correct horse" AES "battery staple"
authUser log,execute,net alice priv
authUser log,execute,net bob priv
"#;

const USERS: &str = r#"
[engine]
id = "80007ed9046e6f74696679"

[[user]]
name = "alice"
auth = "SHA-256"
auth-passphrase = "correct horse"
priv = "AES"
priv-passphrase = "battery staple"

[[user]]
name = "bob"
auth = "SHA-256"
auth-passphrase = "correct horse"
priv = "AES"
priv-passphrase = "battery staple"

[[community]]
name = "private"
access = "write"
"#;

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that ends with its test, and the lines that it says.
struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; install net-snmp's snmptrapd"));
        let (sender, lines) = channel();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            said.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Process { child, lines, seen: Vec::new() }
    }

    /// Waits for a line with all of this in it.
    fn says(&mut self, wanted: &[&str]) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("nothing was said of {wanted:?}, only {:#?}", self.seen);
            };
            self.seen.push(line.clone());
            if wanted.iter().all(|wanted| line.contains(wanted)) {
                return line;
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A receiver, which says a line for each notification.
fn receiver(directory: &TempDir, port: u16) -> Process {
    let configuration = directory.path().join("snmptrapd.conf");
    std::fs::write(&configuration, TOLD).unwrap();
    // Daemons live where only root's path leads.
    let usual = "/usr/sbin/snmptrapd";
    let found = std::path::Path::new(usual).exists();
    let mut command = Command::new(if found { usual } else { "snmptrapd" });
    command
        .env("MIBS", "")
        .env("SNMP_PERSISTENT_DIR", directory.path().join("snmptrapd"))
        .args(["-f", "-n", "-On", "-Lo", "-C", "-c"])
        .arg(&configuration)
        // PDU, version and principal, then the bindings on the same line.
        .args(["-F", "told %P from %b: %v\n"])
        .arg(format!("udp:127.0.0.1:{port}"));
    let mut process = Process::start(command);
    process.says(&["NET-SNMP version"]);
    process
}

struct Agent {
    process: Process,
    address: String,
    directory: TempDir,
}

fn agent(targets: &str) -> Agent {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sagentd.toml"), format!("{USERS}{targets}")).unwrap();
    Agent::start_in(directory)
}

impl Agent {
    fn start_in(directory: TempDir) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagentd"));
        command
            .arg("-c")
            .arg(directory.path().join("sagentd.toml"))
            .arg("--state-directory")
            .arg(directory.path().join("state"))
            .arg("-Lo")
            .arg(&address);
        let mut process = Process::start(command);
        process.says(&["listening on"]);
        Agent { process, address, directory }
    }

    fn stop(mut self) -> TempDir {
        let id = rustix::process::Pid::from_child(&self.process.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.child.wait().unwrap().success());
        self.directory
    }
}

/// What a tool answers; it must succeed.
fn answer(agent: &Agent, tool: &str, more: &[&str]) -> String {
    let output = Command::new(tool)
        .env("MIBS", "")
        .args(["-v2c", "-c", "private", "-On", "-t", "2", "-r", "2", &agent.address])
        .args(more)
        .output()
        .unwrap_or_else(|error| panic!("{tool}: {error}; install net-snmp's tools"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{tool} {more:?}: {text}");
    text
}

/// Asks with a community that nobody has.
fn guess(agent: &Agent) {
    let wrong = Command::new("snmpget")
        .env("MIBS", "")
        .args(["-v2c", "-c", "guess", "-t", "1", "-r", "0", &agent.address, ".1.3.6.1.2.1.1.3.0"])
        .output()
        .unwrap();
    assert!(!wrong.status.success());
}

fn target(port: u16, more: &str) -> String {
    format!("[[notify]]\naddress = \"udp:127.0.0.1:{port}\"\n{more}\n")
}

#[test]
fn traps_of_every_version_tell_of_the_start() {
    for (how, wanted) in [
        ("version = \"1\"\ncommunity = \"tell\"", ["TRAP, SNMP v1, community tell", "127.0.0.1"]),
        ("version = \"2c\"\ncommunity = \"tell\"", ["TRAP2, SNMP v2c, community tell", COLD_START]),
        ("user = \"alice\"", ["TRAP2, SNMP v3, user alice, context ", COLD_START]),
    ] {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut receiver = receiver(&directory, port);
        let _agent = agent(&target(port, how));
        receiver.says(&wanted);
    }
}

#[test]
fn informs_are_acknowledged_and_then_not_repeated() {
    for (how, wanted) in [
        ("community = \"tell\"", "INFORM, SNMP v2c, community tell"),
        // Its engine and its clock are found out first.
        ("user = \"bob\"", "INFORM, SNMP v3, user bob, context "),
    ] {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut receiver = receiver(&directory, port);
        let inform = format!("{how}\nkind = \"inform\"\ntimeout-ms = 2000\nretries = 1");
        let agent = agent(&target(port, &inform));
        receiver.says(&[wanted, COLD_START]);
        // Were it not acknowledged, it would be repeated and given up, which the log tells.
        std::thread::sleep(Duration::from_secs(6));
        let complaints: Vec<_> = agent.process.lines.try_iter().collect();
        assert!(
            !complaints.iter().any(|line| line.contains("did not acknowledge")),
            "{complaints:?}"
        );
        let again: Vec<_> =
            receiver.lines.try_iter().filter(|line| line.contains(wanted)).collect();
        assert_eq!(again, Vec::<String>::new());
    }
}

#[test]
fn an_inform_that_nobody_acknowledges_is_repeated_and_given_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let how = "community = \"tell\"\nkind = \"inform\"\ntimeout-ms = 100\nretries = 2";
    let mut agent = agent(&target(port, how));
    agent.process.says(&["`notify-1` did not acknowledge"]);
    let mut room = [0; 2048];
    let mut heard = Vec::new();
    silent.set_nonblocking(true).unwrap();
    while let Ok((len, _)) = silent.recv_from(&mut room) {
        heard.push(room[..len].to_vec());
    }
    assert_eq!(heard.len(), 3);
    assert!(heard.windows(2).all(|pair| pair[0] == pair[1]), "the same request-id each time");
}

#[test]
fn a_failed_authentication_is_told_once_that_is_enabled() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut receiver = receiver(&directory, port);
    let agent = agent(&target(port, "community = \"tell\""));
    receiver.says(&[COLD_START]);
    answer(&agent, "snmpset", &[".1.3.6.1.2.1.11.30.0", "i", "1"]);
    guess(&agent);
    receiver.says(&["TRAP2, SNMP v2c, community tell", AUTHENTICATION_FAILURE]);
}

/// The tables of RFC 3413, written by a manager: a target without any configuration of its own.
#[test]
fn a_target_that_a_manager_makes_is_told_and_outlives_the_process() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut receiver = receiver(&directory, port);
    // Its security name, community and view are those of a target that nobody listens at.
    let agent = agent(&target(free_port(), "name = \"known\"\ncommunity = \"tell\""));
    let address = format!("7f000001{port:04x}");
    let row = [
        // snmpTargetAddrTable, row `a`, with the parameters of the configured target.
        [".1.3.6.1.6.3.12.1.2.1.9.97", "i", "4"],
        [".1.3.6.1.6.3.12.1.2.1.2.97", "o", ".1.3.6.1.6.1.1"],
        [".1.3.6.1.6.3.12.1.2.1.3.97", "x", &address],
        [".1.3.6.1.6.3.12.1.2.1.6.97", "s", "ops"],
        [".1.3.6.1.6.3.12.1.2.1.7.97", "s", "known"],
        // snmpNotifyTable, row `a`.
        [".1.3.6.1.6.3.13.1.1.1.5.97", "i", "4"],
        [".1.3.6.1.6.3.13.1.1.1.2.97", "s", "ops"],
        // snmpEnableAuthenTraps.
        [".1.3.6.1.2.1.11.30.0", "i", "1"],
    ];
    answer(&agent, "snmpset", row.as_flattened());
    guess(&agent);
    receiver.says(&["TRAP2, SNMP v2c, community tell", AUTHENTICATION_FAILURE]);
    let again = Agent::start_in(agent.stop());
    receiver.says(&["TRAP2, SNMP v2c, community tell", COLD_START]);
    let walked = answer(&again, "snmpwalk", &[".1.3.6.1.6.3.12.1.2.1.9"]);
    assert!(walked.contains(".1.3.6.1.6.3.12.1.2.1.9.97 = INTEGER: 1"), "{walked}");
    assert!(walked.contains(".107.110.111.119.110 = INTEGER: 1"), "the configured one: {walked}");
}
