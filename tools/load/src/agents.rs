//! The agents that are compared, each in a process of its own, on a port and in a folder of its own.
//!
//! It never touches an agent that somebody else started, nor what the system keeps for one.

use crate::Error;
use crate::process::{processors, start_on, stay_on};
use crate::question::SYS_UP_TIME;
use crate::session::{Session, Who};
use crate::usm::Auth;
use rustix::process::{Pid, Signal, kill_process};
use s_wire::{Arcs, Pdu, PduKind, Value, VarBind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Which agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This repository's.
    Ours,
    /// The system's snmpd.
    Snmpd,
    /// The same, without its look into hosts.allow and hosts.deny for every packet.
    SnmpdTuned,
    /// No agent: every datagram comes back as it is.
    Echo,
}

impl Kind {
    /// As keys of a result begin.
    pub const fn key(self) -> &'static str {
        match self {
            Kind::Ours => "ours",
            Kind::Snmpd => "snmpd",
            Kind::SnmpdTuned => "snmpd_tuned",
            Kind::Echo => "echo",
        }
    }
}

/// A passphrase for everybody.
const PASSPHRASE: &str = "a passphrase for measuring";

/// SNMPv2c.
pub fn community() -> Who {
    Who::Community("public".to_owned())
}

/// A user that every agent here has.
pub fn user(auth: Auth, is_private: bool) -> Who {
    let name = match (auth, is_private) {
        (Auth::Sha1, false) => "sha1",
        (Auth::Sha1, true) => "sha1aes",
        (Auth::Sha256, _) => "sha256aes",
    };
    Who::User {
        name: name.to_owned(),
        auth,
        auth_passphrase: PASSPHRASE.to_owned(),
        priv_passphrase: is_private.then(|| PASSPHRASE.to_owned()),
    }
}

/// Which processors agents run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the second one that there is, and whoever asks on the first.
    Apart,
    /// Wherever the system likes.
    Anywhere,
}

/// Where what runs comes from and where it runs.
pub struct Host {
    /// The processors that there are: the manager's, the agents', and others.
    processors: Vec<usize>,
    place: Place,
    /// `sagentd`.
    ours: PathBuf,
    /// The library that takes the look-up out, or why there is none.
    tuning: Result<PathBuf, String>,
    folder: TempDir,
}

/// An agent that runs; it is killed when this is dropped.
pub struct Agent {
    /// Which one it is.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to its first answer.
    pub first_answer: Duration,
    child: Child,
    folder: TempDir,
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where an operator of ours asks.
    pub fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// How many datagrams the kernel dropped because the agent did not take them in time.
    pub fn dropped(&self) -> Option<u64> {
        let port = format!(":{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/udp").ok()?;
        let is_its = |line: &&str| {
            line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port))
        };
        let lines = table.lines().filter(is_its);
        lines.map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it as a service manager does, and waits until it is gone.
    ///
    /// # Errors
    /// The system's.
    pub fn end(&mut self) -> Result<(), Error> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("no process has this number")?, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Host {
    /// # Errors
    /// `sagentd` was not built.
    pub fn new(place: Place) -> Result<Self, Error> {
        let processors = processors()?;
        let own = std::env::current_exe()?;
        let ours = own.with_file_name("sagentd");
        if !ours.exists() {
            let path = ours.display();
            return Err(format!("{path} is missing: start with `cargo xtask bench`").into());
        }
        let folder = tempfile::tempdir()?;
        let tuning = tuning(folder.path());
        Ok(Host { processors, place, ours, tuning, folder })
    }

    /// Lets this thread, and what it starts, run wherever it could before agents were started.
    ///
    /// # Errors
    /// The system's.
    pub fn let_go(&self) -> Result<(), Error> {
        stay_on(&self.processors)
    }

    /// Why there is no tuned snmpd, where there is none.
    pub fn untuned(&self) -> Option<&str> {
        self.tuning.as_ref().err().map(String::as_str)
    }

    /// `sagentd` itself.
    pub fn ours(&self) -> &Path {
        &self.ours
    }

    /// Starts an agent and waits for its first answer.
    ///
    /// # Errors
    /// It does not start, or does not answer.
    pub fn start(&self, kind: Kind) -> Result<Agent, Error> {
        self.start_furnished(kind, |_| Ok(String::new()))
    }

    /// The same for an agent that finds more in its folder and in its configuration.
    ///
    /// # Errors
    /// It cannot be furnished, does not start, or does not answer.
    pub fn start_furnished(
        &self,
        kind: Kind,
        furnish: impl FnOnce(&Path) -> Result<String, Error>,
    ) -> Result<Agent, Error> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let more = furnish(folder.path())?;
        configure(kind, folder.path(), address, &more)?;
        let began = Instant::now();
        let child = self.spawn(kind, folder.path(), address)?;
        let mut agent = Agent { kind, address, first_answer: Duration::ZERO, child, folder };
        agent.first_answer = wait_for(&mut agent, began)?;
        Ok(agent)
    }

    /// Starts an agent that has ended once more, where it was.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_again(&self, agent: &mut Agent) -> Result<(), Error> {
        agent.child = self.spawn(agent.kind, agent.folder.path(), agent.address)?;
        Ok(())
    }

    fn spawn(&self, kind: Kind, folder: &Path, address: SocketAddr) -> Result<Child, Error> {
        let mut command = self.command(kind, folder, address)?;
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        match (self.place, &self.processors[..]) {
            (Place::Apart, [here, there, ..]) => start_on(*there, *here, &mut command),
            (Place::Apart, _) => {
                Err("the bench needs a processor for the agent and another one".into())
            }
            (Place::Anywhere, _) => {
                let child = command.spawn();
                child
                    .map_err(|error| format!("{}: {error}", command.get_program().display()).into())
            }
        }
    }

    fn command(&self, kind: Kind, folder: &Path, address: SocketAddr) -> Result<Command, Error> {
        Ok(match kind {
            Kind::Ours => {
                let mut command = Command::new(&self.ours);
                command.arg("-c").arg(folder.join(OURS)).arg("-q");
                command
            }
            Kind::Snmpd | Kind::SnmpdTuned => {
                let mut command = Command::new(program("snmpd"));
                // The modules that Debian's own unit leaves out.
                command.args(["-f", "-Lf", "/dev/null", "-C", "-c"]);
                // `-C` leaves out what it keeps, too: its engine, its boots.
                let kept = folder.join(KEPT);
                let read =
                    [folder.join(SNMPD), kept.join(SNMPD)].map(|file| file.display().to_string());
                command.arg(read.join(","));
                command.arg("-p").arg(folder.join("pid"));
                command.args(["-I", "-smux,mteTrigger,mteTriggerConf"]);
                command.arg(format!("udp:{address}"));
                // Not beside its configuration: what it keeps has the same name, and would take its place.
                command.env("SNMP_PERSISTENT_DIR", kept).env("SNMPCONFPATH", folder);
                command.env("MIBS", "");
                if kind == Kind::SnmpdTuned {
                    command.env("LD_PRELOAD", self.tuning.as_ref().map_err(String::as_str)?);
                }
                command
            }
            Kind::Echo => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--echo").arg(address.to_string());
                command
            }
        })
    }
}

/// A program of the system, which need not be on the path of who is not root.
pub fn program(name: &str) -> PathBuf {
    let usual = Path::new("/usr/sbin").join(name);
    if usual.exists() { usual } else { PathBuf::from(name) }
}

/// What the files are called.
const OURS: &str = "sagentd.toml";
const SNMPD: &str = "snmpd.conf";
/// What snmpd keeps over a restart: its boots, and its users' keys.
const KEPT: &str = "kept";

fn configure(kind: Kind, folder: &Path, address: SocketAddr, more: &str) -> Result<(), Error> {
    let (file, text) = match kind {
        Kind::Ours => (OURS, ours(folder, address)),
        Kind::Snmpd | Kind::SnmpdTuned => {
            std::fs::create_dir(folder.join(KEPT))?;
            std::fs::write(folder.join(KEPT).join(SNMPD), "")?;
            (SNMPD, snmpd())
        }
        Kind::Echo => return Ok(()),
    };
    Ok(std::fs::write(folder.join(file), text + more)?)
}

fn ours(folder: &Path, address: SocketAddr) -> String {
    let state = folder.join("state");
    let control = folder.join("control");
    format!(
        "listen = [\"udp:{address}\"]\nstate-directory = {state:?}\ncontrol = {control:?}\n\
         [system]\ncontact = \"nobody\"\nlocation = \"nowhere\"\nname = \"measured\"\nservices = 72\n\
         [[community]]\nname = \"public\"\n\
         [[user]]\nname = \"sha1\"\nauth = \"SHA\"\nauth-passphrase = \"{PASSPHRASE}\"\n\
         [[user]]\nname = \"sha1aes\"\nauth = \"SHA\"\nauth-passphrase = \"{PASSPHRASE}\"\n\
         priv = \"AES\"\npriv-passphrase = \"{PASSPHRASE}\"\n\
         [[user]]\nname = \"sha256aes\"\nauth = \"SHA-256\"\nauth-passphrase = \"{PASSPHRASE}\"\n\
         priv = \"AES\"\npriv-passphrase = \"{PASSPHRASE}\"\n"
    )
}

fn snmpd() -> String {
    let create = |name: &str, auth: &str, private: &str| {
        format!("createUser {name} {auth} \"{PASSPHRASE}\"{private}\n")
    };
    let aes = format!(" AES \"{PASSPHRASE}\"");
    [
        "sysContact nobody\nsysLocation nowhere\nsysName measured\nsysServices 72\nrocommunity public\n".to_owned(),
        create("sha1", "SHA", ""),
        create("sha1aes", "SHA", &aes),
        create("sha256aes", "SHA-256", &aes),
        "rouser sha1 auth\nrouser sha1aes priv\nrouser sha256aes priv\n".to_owned(),
    ]
    .concat()
}

/// A library whose one function says that everybody may come in, as files that say nothing do.
fn tuning(folder: &Path) -> Result<PathBuf, String> {
    let (source, library) = (folder.join("open.c"), folder.join("libopen.so"));
    std::fs::write(&source, "int hosts_ctl(void) { return 1; }\n")
        .map_err(|error| error.to_string())?;
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output()
        .map_err(|error| format!("the C compiler `cc` cannot be started: {error}"))?;
    if made.status.success() {
        Ok(library)
    } else {
        Err(String::from_utf8_lossy(&made.stderr).trim().to_owned())
    }
}

/// Asks until an answer comes.
fn wait_for(agent: &mut Agent, began: Instant) -> Result<Duration, Error> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(agent.address)?;
    socket.set_read_timeout(Some(Duration::from_micros(500)))?;
    let mut session = Session::begin(agent.address, &community())?;
    let name = Arcs::new(SYS_UP_TIME).ok_or("no name")?;
    let bindings = [VarBind { name, value: Value::Null }];
    let kind = PduKind::Get;
    let pdu = Pdu { kind, request_id: 1, error_status: 0, error_index: 0, bindings: &bindings[..] };
    let mut request = Vec::new();
    session.write(&pdu, &mut request);
    loop {
        // Refused while nobody listens yet.
        let sent = socket.send(&request);
        if sent.is_ok() && socket.recv(&mut [0; 512]).is_ok() {
            return Ok(began.elapsed());
        }
        if let Some(status) = agent.child.try_wait()? {
            let log = std::fs::read_to_string(agent.folder.path().join("log"))?;
            return Err(format!("{} ended with {status}: {log}", agent.kind.key()).into());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{} does not answer", agent.kind.key()).into());
        }
    }
}
