//! Debian's net-snmp beside this agent: both started by hand, on ports and in directories of their own.
//!
//! It never touches a system service: snmpd reads the given file and what it has kept in a directory of its
//! own, and nothing else, and opens no port but one on the loopback. What goes wrong here is a failed test,
//! so it panics, with what the program said. In reading order: this file starts and
//! asks programs, [`ber`] writes requests of any kind and says what an answer is, [`usm`] asks them with
//! authentication and privacy.

pub mod ber;
pub mod usm;

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A program that answers on a port.
pub struct Server {
    process: Child,
    /// Where it answers.
    pub address: SocketAddr,
}

/// A port of the loopback that was free a moment ago.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback has a free port");
    socket.local_addr().expect("a bound socket has an address").port()
}

impl Server {
    /// Starts snmpd with one configuration. What it keeps over restarts is in `persistent`.
    ///
    /// # Panics
    /// It does not answer.
    pub fn snmpd(configuration: &Path, persistent: &Path) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let log = persistent.join("log");
        std::fs::create_dir_all(persistent).expect("a directory for what snmpd keeps");
        let mut snmpd = Command::new("snmpd");
        snmpd
            .env("MIBS", "")
            .env("SNMP_PERSISTENT_DIR", persistent)
            // In place of the usual folders; and without it, or with `-C`, it would not read what it has kept.
            .env("SNMPCONFPATH", persistent)
            // No port for SMUX; no addresses in the log.
            .args(["-f", "-r", "-I", "-smux", "-Lf"])
            .arg(&log)
            .arg("-c")
            .arg(configuration)
            .arg(format!("udp:{address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = snmpd
            .spawn()
            .unwrap_or_else(|error| panic!("snmpd: {error}; install the package snmpd"));
        let mut server = Server { process, address };
        server.wait_until_it_answers(&log);
        server
    }

    /// Starts this agent with one configuration.
    ///
    /// # Panics
    /// It does not say that it listens.
    pub fn sagentd(program: &Path, configuration: &Path, state: &Path) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut process = Command::new(program)
            .arg("-C")
            .arg("-c")
            .arg(configuration)
            .arg("--state-directory")
            .arg(state)
            .arg("-Lo")
            .arg(format!("udp:{address}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let lines =
            BufReader::new(process.stdout.take().expect("standard output is piped")).lines();
        let mut errors = process.stderr.take().expect("standard error is piped");
        let mut lines = lines.map_while(Result::ok);
        let mut told = Vec::new();
        loop {
            match lines.next() {
                Some(line) if line.contains("listening on") => break,
                Some(line) => told.push(line),
                None => {
                    let mut text = String::new();
                    let _ = std::io::Read::read_to_string(&mut errors, &mut text);
                    panic!("the agent ended: {}{text}", told.join("\n"));
                }
            }
        }
        // What it says later must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        std::thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).for_each(drop)
        });
        Server { process, address }
    }

    /// A program that was started elsewhere, once it answers on a port of the loopback.
    ///
    /// # Panics
    /// It does not answer.
    pub fn wrap(process: Child, port: u16) -> Self {
        let mut server = Server { process, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        server.wait_until_it_answers(Path::new("/dev/null"));
        server
    }

    /// A program opens its port before it can answer, and not each says when it can.
    fn wait_until_it_answers(&mut self, log: &Path) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.answers() {
            let has_ended = self.process.try_wait().ok().flatten().is_some();
            let said = std::fs::read_to_string(log).unwrap_or_default();
            assert!(!has_ended && Instant::now() < until, "it does not answer: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it answers who it is.
    pub fn answers(&self) -> bool {
        let discovery = ber::Message::discovery(1).octets();
        let patience = [100, 400].map(Duration::from_millis);
        patience.iter().any(|patience| exchange(self.address, &discovery, *patience).is_some())
    }

    /// Ends it in good order, so that it writes what it keeps.
    ///
    /// # Panics
    /// It cannot be ended.
    pub fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it can be ended");
        self.process.wait().expect("it ends");
    }

    /// Has it read its configuration again.
    ///
    /// # Panics
    /// It has ended.
    pub fn reload(&self) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::HUP).expect("it runs");
    }

    /// Asks with one of net-snmp's tools.
    ///
    /// # Panics
    /// The tool is not installed.
    pub fn ask(&self, tool: &str, principal: &[&str], more: &[&str]) -> Output {
        Command::new(tool)
            .env("MIBS", "")
            // No configuration of the tools, and no directory of theirs.
            .env("SNMPCONFPATH", "/dev/null")
            .env("SNMP_PERSISTENT_DIR", std::env::temp_dir().join("interop-tools"))
            .args(principal)
            .args(["-On", "-t", "1", "-r", "1"])
            .arg(self.address.to_string())
            .args(more)
            .output()
            .unwrap_or_else(|error| panic!("{tool}: {error}; install the package snmp"))
    }

    /// What a tool says, without the address.
    pub fn answer(&self, tool: &str, principal: &[&str], more: &[&str]) -> String {
        let output = self.ask(tool, principal, more);
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text)
            .replace(&self.address.to_string(), "ADDRESS")
            .trim()
            .to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a datagram and waits for the answer; none where none comes.
///
/// # Panics
/// There is no socket.
pub fn exchange(address: SocketAddr, datagram: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback has a free port");
    socket.set_read_timeout(Some(patience)).expect("the patience is not zero");
    // A port that is not open yet refuses.
    socket.connect(address).ok()?;
    // Nor may the port that it got be this very one: it would hear itself.
    (socket.local_addr().ok()? != address).then_some(())?;
    socket.send(datagram).ok()?;
    let mut answer = vec![0; 65_536];
    let len = socket.recv(&mut answer).ok()?;
    answer.truncate(len);
    Some(answer)
}

/// The agent that `SAGENTD` in the environment names; otherwise that of this workspace, built with the
/// profile of the test.
///
/// # Panics
/// It does not build.
pub fn agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| {
        if let Some(named) = std::env::var_os("SAGENTD") {
            return named.into();
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "-p", "sagentd"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build.status().expect("cargo runs");
        assert!(built.success(), "sagentd does not build");
        // This program is in `deps`, the agent beside that folder.
        let own = std::env::current_exe().expect("a program knows its path");
        own.ancestors().nth(2).expect("a test is two folders deep").join("sagentd")
    })
}
