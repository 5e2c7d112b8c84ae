//! The agents that are compared, each in a process of its own, on a port and in a folder of its own.
//!
//! It never touches an agent that somebody else started, nor what the system keeps for one.

use s_load::Error;
use s_load::process::start_on;
use s_load::question::SYS_UP_TIME;
use s_load::session::{Session, Who};
use s_load::usm::Auth;
use s_wire::{Arcs, Pdu, PduKind, Value, VarBind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Which agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
    /// As keys of the result begin.
    pub(crate) const fn key(self) -> &'static str {
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
pub(crate) fn community() -> Who {
    Who::Community("public".to_owned())
}

/// A user that every agent here has.
pub(crate) fn user(auth: Auth, is_private: bool) -> Who {
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

/// Where what runs comes from and where it runs.
pub(crate) struct Host {
    /// The processors that there are: the manager's, the agents', and others.
    processors: Vec<usize>,
    /// `sagentd`.
    ours: PathBuf,
    /// The library that takes the look-up out, or why there is none.
    tuning: Result<PathBuf, String>,
    folder: TempDir,
}

/// An agent that runs; it is killed when this is dropped.
pub(crate) struct Agent {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer.
    pub(crate) first_answer: Duration,
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
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Host {
    /// # Errors
    /// `sagentd` was not built.
    pub(crate) fn new() -> Result<Self, Error> {
        let processors = s_load::process::processors()?;
        let own = std::env::current_exe()?;
        let ours = own.with_file_name("sagentd");
        if !ours.exists() {
            let path = ours.display();
            return Err(format!("{path} is missing: start with `cargo xtask bench agent`").into());
        }
        let folder = tempfile::tempdir()?;
        let tuning = tuning(folder.path());
        Ok(Host { processors, ours, tuning, folder })
    }

    /// Lets this thread, and what it starts, run wherever it could before agents were started.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn let_go(&self) -> Result<(), Error> {
        s_load::process::stay_on(&self.processors)
    }

    /// Why there is no tuned snmpd, where there is none.
    pub(crate) fn untuned(&self) -> Option<&str> {
        self.tuning.as_ref().err().map(String::as_str)
    }

    /// Starts an agent and waits for its first answer.
    ///
    /// # Errors
    /// It does not start, or does not answer.
    pub(crate) fn start(&self, kind: Kind) -> Result<Agent, Error> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = self.command(kind, folder.path(), address)?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let [here, there, ..] = self.processors[..] else {
            return Err("the bench needs a processor for the agent and another one".into());
        };
        let began = Instant::now();
        let child = start_on(there, here, &mut command)?;
        let mut agent = Agent { kind, address, first_answer: Duration::ZERO, child, folder };
        agent.first_answer = wait_for(&mut agent, began)?;
        Ok(agent)
    }

    fn command(&self, kind: Kind, folder: &Path, address: SocketAddr) -> Result<Command, Error> {
        Ok(match kind {
            Kind::Ours => {
                let file = folder.join("sagentd.toml");
                std::fs::write(&file, ours(folder, address))?;
                let mut command = Command::new(&self.ours);
                command.arg("-c").arg(file).arg("-q");
                command
            }
            Kind::Snmpd | Kind::SnmpdTuned => {
                let file = folder.join("snmpd.conf");
                std::fs::write(&file, snmpd())?;
                let mut command = Command::new(program("snmpd"));
                // The modules that Debian's own unit leaves out.
                command.args(["-f", "-Lf", "/dev/null", "-C", "-c"]).arg(file);
                command.arg("-p").arg(folder.join("pid"));
                command.args(["-I", "-smux,mteTrigger,mteTriggerConf"]);
                command.arg(format!("udp:{address}"));
                command.env("SNMP_PERSISTENT_DIR", folder).env("SNMPCONFPATH", folder);
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
pub(crate) fn program(name: &str) -> PathBuf {
    let usual = Path::new("/usr/sbin").join(name);
    if usual.exists() { usual } else { PathBuf::from(name) }
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
