//! An agent that was started as a program, in a directory of its own, for tests that end and start it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A user who may write, and a community that may read.
pub const CONFIG: &str = r#"
[[user]]
name = "writer"
auth = "SHA-256"
auth-passphrase = "the writer's passphrase"
priv = "AES"
access = "write"

[[community]]
name = "public"
"#;

pub const PUBLIC: &[&str] = &["-v2c", "-c", "public"];

/// The writer, with a passphrase that may be wrong.
pub fn writer(passphrase: &str) -> [&str; 13] {
    let private = "the writer's passphrase";
    [
        "-v3", "-l", "authPriv", "-u", "writer", "-a", "SHA-256", "-A", passphrase, "-x", "AES",
        "-X", private,
    ]
}

pub const PASSPHRASE: &str = "the writer's passphrase";

/// A port that was free for both transports a moment ago, in both families.
pub fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok()
            && TcpListener::bind(("::1", port)).is_ok()
            && UdpSocket::bind(("::1", port)).is_ok()
        {
            return port;
        }
    }
}

/// Where the program is.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_sagentd")
}

pub struct Agent {
    pub process: Child,
    pub port: u16,
    said: Arc<Mutex<Vec<String>>>,
    /// Where its lines go with `-Lf`.
    log_file: Option<PathBuf>,
}

impl Agent {
    /// Starts it with the configuration `sagentd.toml` of the directory and state in `state`.
    pub fn start(directory: &Path, more: &[&str]) -> Self {
        Self::try_start(directory, more).unwrap_or_else(|said| panic!("the agent ended: {said}"))
    }

    /// The same; what it said where it ended.
    pub fn try_start(directory: &Path, more: &[&str]) -> Result<Self, String> {
        Self::try_start_by(command(directory), more)
    }

    /// The same, by a command that leaves the address to this.
    pub fn try_start_by(mut command: Command, more: &[&str]) -> Result<Self, String> {
        let port = free_port();
        let mut process = command
            .arg(format!("udp:127.0.0.1:{port}"))
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        for stream in [
            Box::new(process.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(process.stderr.take().unwrap()),
        ] {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    said.lock().unwrap().push(line);
                }
            });
        }
        let at = more.iter().position(|option| *option == "-Lf");
        let log_file = at.and_then(|at| more.get(at + 1)).map(PathBuf::from);
        let mut agent = Agent { process, port, said, log_file };
        let started = agent.says_in_time("listening on");
        if started { Ok(agent) } else { Err(agent.log()) }
    }

    /// All that it said so far.
    pub fn log(&self) -> String {
        let file = self.log_file.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        self.said.lock().unwrap().join("\n") + &file.unwrap_or_default()
    }

    /// Waits until it says something; fails where it does not.
    pub fn until_it_says(&mut self, what: &str) {
        assert!(self.says_in_time(what), "it did not say `{what}`: {}", self.log());
    }

    fn says_in_time(&mut self, what: &str) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            if self.log().contains(what) {
                return true;
            }
            if self.process.try_wait().unwrap().is_some() {
                // Its last words are still on the way.
                std::thread::sleep(Duration::from_millis(200));
                return self.log().contains(what);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    pub fn ask_at(&self, address: &str, tool: &str, principal: &[&str], more: &[&str]) -> Output {
        Command::new(tool)
            .env("MIBS", "")
            .env("SNMPCONFPATH", "/nonexistent")
            .args(principal)
            .args(["-On", "-t", "5", "-r", "1"])
            .arg(address)
            .args(more)
            .output()
            .unwrap_or_else(|error| panic!("{tool}: {error}; install net-snmp's tools"))
    }

    /// What a tool answers; it must succeed.
    pub fn answer_at(
        &self,
        address: &str,
        tool: &str,
        principal: &[&str],
        more: &[&str],
    ) -> String {
        let output = self.ask_at(address, tool, principal, more);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).trim_end().to_owned();
        assert!(output.status.success(), "{tool} {address} {more:?}: {text}\n{}", self.log());
        text
    }

    pub fn answer(&self, tool: &str, principal: &[&str], more: &[&str]) -> String {
        self.answer_at(&format!("udp:127.0.0.1:{}", self.port), tool, principal, more)
    }

    pub fn boots(&self) -> u32 {
        let text = self.answer("snmpget", PUBLIC, &[".1.3.6.1.6.3.10.2.1.2.0"]);
        text.rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Ends it in good order.
    pub fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        assert!(self.process.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program with its configuration and its state, logging to standard output.
pub fn command(directory: &Path) -> Command {
    let mut command = Command::new(program());
    let config: PathBuf = directory.join("sagentd.toml");
    if config.exists() {
        command.arg("-c").arg(config);
    } else {
        command.arg("-C");
    }
    command.arg("--state-directory").arg(directory.join("state")).arg("-Lo");
    command
}

/// A directory with a configuration.
pub fn furnished(config: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sagentd.toml"), config).unwrap();
    directory
}
