//! The agent and the receiver as processes, with all that they say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here takes, shorter than anybody's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const COLD_START: &str = "1.3.6.1.6.3.1.1.5.1";
pub(crate) const AUTHENTICATION_FAILURE: &str = "1.3.6.1.6.3.1.1.5.5";

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

pub(crate) fn free_port() -> u16 {
    loop {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if UdpSocket::bind(("::1", port)).is_ok() {
            return port;
        }
    }
}

/// A process that ends with its test, and the lines that it says.
pub(crate) struct Process {
    child: Child,
    pub(crate) lines: Receiver<String>,
    pub(crate) seen: Vec<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
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
    pub(crate) fn says(&mut self, wanted: &[&str]) {
        assert!(self.has_said(PATIENCE, wanted), "nothing of {wanted:?}, only {:#?}", self.seen);
    }

    /// Waits for a line with all of this in it, as long as others come within a time.
    pub(crate) fn has_said(&mut self, within: Duration, wanted: &[&str]) -> bool {
        while let Ok(line) = self.lines.recv_timeout(within) {
            self.seen.push(line.clone());
            if wanted.iter().all(|wanted| line.contains(wanted)) {
                return true;
            }
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A receiver, which says a line for each notification.
pub(crate) fn receiver(directory: &TempDir, port: u16) -> Process {
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
        .args([format!("udp:127.0.0.1:{port}"), format!("udp6:[::1]:{port}")]);
    let mut process = Process::start(command);
    process.says(&["NET-SNMP version"]);
    process
}

pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) address: String,
    configuration: &'static str,
    directory: TempDir,
}

/// An agent that tells these targets, beside two users and a community that writes.
pub(crate) fn agent(targets: &str) -> Agent {
    Agent::configured("sagentd.toml", &format!("{USERS}{targets}"))
}

impl Agent {
    /// An agent with a configuration under a name that says of which kind it is.
    pub(crate) fn configured(configuration: &'static str, text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(configuration), text).unwrap();
        Agent::start_in(directory, configuration)
    }

    fn start_in(directory: TempDir, configuration: &'static str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagentd"));
        command
            .args(["-C", "-c"])
            .arg(directory.path().join(configuration))
            .arg("--state-directory")
            .arg(directory.path().join("state"))
            .arg("-Lo")
            .arg(&address);
        let mut process = Process::start(command);
        process.says(&["listening on"]);
        Agent { process, address, configuration, directory }
    }

    /// Ends in good order, and begins again with what it has kept.
    pub(crate) fn again(mut self) -> Self {
        let id = rustix::process::Pid::from_child(&self.process.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.child.wait().unwrap().success());
        Agent::start_in(self.directory, self.configuration)
    }

    /// What its log has said since it was looked at last.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.process.lines.try_iter().filter(|line| line.contains("target `")).collect()
    }
}

/// What a tool answers; it must succeed.
pub(crate) fn answer(agent: &Agent, tool: &str, more: &[&str]) -> String {
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
pub(crate) fn guess(agent: &Agent) {
    let wrong = Command::new("snmpget")
        .env("MIBS", "")
        .args(["-v2c", "-c", "guess", "-t", "1", "-r", "0", &agent.address, ".1.3.6.1.2.1.1.3.0"])
        .output()
        .unwrap();
    assert!(!wrong.status.success());
}

/// A port for metrics, and what configures it.
pub(crate) fn metrics() -> (u16, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (port, format!("[metrics]\nlisten = [\"127.0.0.1:{port}\"]\n"))
}

/// Waits until metrics have these lines.
pub(crate) fn until(port: u16, wanted: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        if wanted.iter().all(|wanted| page.lines().any(|line| line == *wanted)) {
            return;
        }
        assert!(Instant::now() < deadline, "no {wanted:?} in {page}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn target(port: u16, more: &str) -> String {
    format!("[[notify]]\naddress = \"udp:127.0.0.1:{port}\"\n{more}\n")
}
