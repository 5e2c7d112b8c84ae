//! An agent that trusts this test, and a manager that keeps asking it.
//!
//! Nothing in here stands in for a part: the agent is the program, packages are pushed over its socket, and
//! requests are datagrams. Invariant: every request of a [`Load`] is counted as answered, lost or wrong.

use crate::started::{self, Agent, furnished};
use s_interop::ber::{self, binding, null, pdu, tag};
use s_interop::usm::User;
use s_listening::client::{Client, ClientError};
use s_loader::Sealed;
use s_package::envelope::TRUST_TYPE;
use s_package::trust::{ReleaseKey, RootKey};
use s_package::{
    Digest, Envelope, Facts, Limits, Name, Pattern, Release, SecretKey, Triple, TrustDocument,
    TrustStore, pack, sign,
};
use s_preflight::Rehearsal;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Two users who may write everything, one of them with the oldest protocols; and as much as is asked for.
pub(crate) const CONFIGURATION: &str = r#"
[limits]
packets-per-second = 0
failures-per-second = 0

[[user]]
name = "manager"
auth = "SHA-256"
auth-passphrase = "what proves the manager"
priv = "AES"
priv-passphrase = "what hides the manager"
access = "write"

[[user]]
name = "old"
auth = "MD5"
auth-passphrase = "what proves the old one"
priv = "DES"
priv-passphrase = "what hides the old one"

[[community]]
name = "public"
"#;

/// The manager, as net-snmp's tools take it.
pub(crate) const MANAGER: &[&str] = &[
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "manager",
    "-a",
    "SHA-256",
    "-A",
    "what proves the manager",
    "-x",
    "AES",
    "-X",
    "what hides the manager",
];

/// The user with the oldest protocols.
pub(crate) const OLD: &[&str] = &[
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "old",
    "-a",
    "MD5",
    "-A",
    "what proves the old one",
    "-x",
    "DES",
    "-X",
    "what hides the old one",
];

pub(crate) const UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];

/// May sign everything that the agent of a test takes.
pub(crate) const MAKER: &str = "maker";
/// In no trust store.
pub(crate) const STRANGER: &str = "stranger";

pub(crate) fn key(holder: &str) -> SecretKey {
    SecretKey::from_seed(&Zeroizing::new(Digest::of(holder.as_bytes()).0))
}

/// May sign packages of these components.
pub(crate) fn release_key(holder: &str, components: &str) -> ReleaseKey {
    let components = vec![Pattern::parse(components).unwrap()];
    ReleaseKey::new(Name::parse(holder).unwrap(), key(holder).public(), components)
}

/// May change whom the agent of a test trusts.
pub(crate) fn root_key(holder: &str) -> RootKey {
    RootKey::new(Name::parse(holder).unwrap(), key(holder).public())
}

/// Whom the agent of a test trusts, unless it says otherwise.
pub(crate) fn trust() -> TrustDocument {
    TrustDocument::first(vec![root_key("root")], vec![release_key(MAKER, "*")])
}

/// An update to this, signed by these roots.
pub(crate) fn update(next: TrustDocument, roots: &[&str]) -> Vec<u8> {
    let next = TrustStore::try_from(next).unwrap();
    let mut envelope = Envelope::new(TRUST_TYPE, next.to_json());
    roots.iter().for_each(|root| envelope.sign(&key(root)));
    envelope.to_json()
}

/// The shared object of a module's crate, as cargo built it beside this test.
pub(crate) fn code(module: &str) -> Vec<u8> {
    let this = std::env::current_exe().unwrap();
    let file = format!("lib{}.so", module.replace('-', "_"));
    let here = this.parent().unwrap();
    let places = [here.join(&file), here.join("../examples").join(&file)];
    let found = places.iter().find(|place| place.exists());
    let found = found.unwrap_or_else(|| {
        let cure = "build the modules with `cargo build -p sagentd --examples`";
        panic!("{file} is not beside {}; {cure}", this.display())
    });
    std::fs::read(found).unwrap()
}

/// What code says of itself, told in a child of the agent's own kind.
pub(crate) fn facts(code: &[u8]) -> Facts {
    let sealed = Sealed::new("described", code, None).unwrap();
    let rehearsal = Rehearsal { executable: started::program().into(), ..Rehearsal::default() };
    s_control::facts(&rehearsal.describe(&sealed).unwrap()).unwrap()
}

pub(crate) fn packed(code: Vec<u8>, facts: Facts, release: Release) -> Vec<u8> {
    let target = Triple::parse(s_sdk::abi::TARGET).unwrap();
    pack(facts, release, &BTreeMap::from([(target, code)])).unwrap()
}

pub(crate) fn signed(package: &[u8], holder: &str) -> Vec<u8> {
    sign(package, &key(holder), &Limits::DEFAULT).unwrap()
}

/// A package of a module's crate that nobody has signed.
pub(crate) fn unsigned(module: &str) -> Vec<u8> {
    let code = code(module);
    let facts = facts(&code);
    packed(code, facts, Release::default())
}

/// An honest package of a module's crate; made once.
pub(crate) fn package(module: &str) -> Vec<u8> {
    static MADE: OnceLock<Mutex<HashMap<String, Vec<u8>>>> = OnceLock::new();
    let made = MADE.get_or_init(Mutex::default).lock();
    let mut made = made.unwrap_or_else(PoisonError::into_inner);
    let make = || signed(&unsigned(module), MAKER);
    made.entry(module.to_owned()).or_insert_with(make).clone()
}

/// A directory for an agent, with a trust store and more configuration.
pub(crate) fn trusting(trust: TrustDocument, more: &str) -> tempfile::TempDir {
    let directory = furnished(&format!("{CONFIGURATION}\n{more}"));
    let state = directory.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let trust = TrustStore::try_from(trust).unwrap();
    std::fs::write(state.join("trust.json"), trust.to_json()).unwrap();
    directory
}

/// For tests that keep every processor busy for long, or swap under deadlines of seconds: one at a time.
pub(crate) fn one_at_a_time() -> std::sync::MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An agent that answers, and its operator.
pub(crate) struct Live {
    pub(crate) agent: Agent,
    pub(crate) client: Client,
    pub(crate) directory: tempfile::TempDir,
}

impl Live {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With more configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        Self::start_trusting(trust(), more)
    }

    /// With a trust store of its own as well.
    pub(crate) fn start_trusting(trust: TrustDocument, more: &str) -> Self {
        Self::in_directory(trusting(trust, more))
    }

    pub(crate) fn in_directory(directory: tempfile::TempDir) -> Self {
        let agent = Agent::start(directory.path(), &[]);
        Self::of(agent, directory)
    }

    /// An agent that was started already.
    pub(crate) fn of(agent: Agent, directory: tempfile::TempDir) -> Self {
        let client = Client::unix(socket(directory.path())).unwrap();
        Live { agent, client, directory }
    }

    /// The same agent once it has ended, as a service manager starts it again.
    pub(crate) fn again(mut self) -> Self {
        let _ = self.agent.process.kill();
        self.agent.process.wait().unwrap();
        Self::in_directory(self.directory)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.agent.port).into()
    }

    /// Pushes packages as one group; the number of the swap.
    pub(crate) fn begin(&self, order: &Json, packages: &[Vec<u8>]) -> Result<u64, ClientError> {
        let named = packages.iter().enumerate();
        let named: Vec<_> = named.map(|(at, one)| (format!("{at}.smod"), one.clone())).collect();
        let begun = self.client.post_packages("/v1/swaps", Some(order), &named)?;
        Ok(begun["txn"].as_u64().unwrap())
    }

    /// Waits until a swap is on trial.
    pub(crate) fn until_on_trial(&self, txn: u64) {
        loop {
            let told = self.client.get(&format!("/v1/swaps/{txn}")).unwrap();
            if told["phase"] == "confirm" {
                return;
            }
            assert_eq!(told["running"], true, "{told}");
        }
    }

    /// Waits for the end of a swap; its outcome.
    pub(crate) fn end_of(&self, txn: u64) -> Json {
        loop {
            let told = self.client.get(&format!("/v1/swaps/{txn}?wait=30")).unwrap();
            if told["running"] == false {
                return told["outcome"].clone();
            }
        }
    }

    /// Pushes modules as one group, keeps them at once, and answers the outcome.
    pub(crate) fn push(&self, order: Json, modules: &[&str]) -> Json {
        let packages: Vec<_> = modules.iter().map(|module| package(module)).collect();
        let txn = self.begin(&order, &packages).unwrap();
        self.confirm(txn);
        self.end_of(txn)
    }

    /// Confirms a swap as soon as that can be; one that has ended meanwhile needs no word.
    pub(crate) fn confirm(&self, txn: u64) {
        let path = format!("/v1/swaps/{txn}/confirm");
        let until = Instant::now() + Duration::from_secs(60);
        while self.client.post(&path, &json!({})).is_err() {
            let told = self.client.get(&format!("/v1/swaps/{txn}")).unwrap();
            if told["running"] == false {
                return;
            }
            assert!(Instant::now() < until, "it cannot be confirmed: {told}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The same, and it has to go well.
    pub(crate) fn must_push(&self, modules: &[&str]) -> Json {
        let outcome = self.push(json!({}), modules);
        assert_eq!(outcome["verdict"], "committed", "{modules:?}: {outcome}\n{}", self.agent.log());
        outcome
    }

    /// Takes modules out, and that has to go well.
    pub(crate) fn must_remove(&self, components: &[&str]) {
        let outcome = self.push(json!({ "remove": components }), &[]);
        assert_eq!(outcome["verdict"], "committed", "{outcome}\n{}", self.agent.log());
    }

    /// The version that serves in a component; empty where none does.
    pub(crate) fn version(&self, component: &str) -> String {
        let status = self.client.get("/v1/status").unwrap();
        let components = status["components"].as_array().unwrap();
        let found = components.iter().find(|one| one["name"] == component);
        found.map_or_else(String::new, |one| one["version"].as_str().unwrap_or_default().to_owned())
    }

    /// What one of net-snmp's tools answers to somebody; it may fail.
    pub(crate) fn tool(&self, tool: &str, principal: &[&str], more: &[&str]) -> String {
        let at = format!("udp:127.0.0.1:{}", self.agent.port);
        let output = self.agent.ask_at(&at, tool, principal, more);
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    /// Asks until the answer has something in it.
    pub(crate) fn until_it_answers(&self, wanted: &str, principal: &[&str], more: &[&str]) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.tool(more[0], principal, &more[1..]);
            if answer.contains(wanted) {
                return;
            }
            assert!(Instant::now() < until, "no `{wanted}` in {answer}\n{}", self.agent.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn boots(&self) -> String {
        self.tool("snmpget", MANAGER, &[".1.3.6.1.6.3.10.2.1.2.0"])
    }
}

pub(crate) fn socket(directory: &Path) -> std::path::PathBuf {
    directory.join("state").join("control")
}

/// What a manager met that kept asking.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    /// What was answered wrongly.
    pub(crate) wrong: Vec<String>,
}

/// A manager that keeps asking, with authentication and privacy, until it is told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    managers: Vec<JoinHandle<Met>>,
}

impl Load {
    pub(crate) fn on(live: &Live) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let address = live.address();
        let managers = (0..2).map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || keep_asking(address, &stop))
        });
        Load { managers: managers.collect(), stop }
    }

    /// What they met; each request was answered once, rightly, and time never went back.
    pub(crate) fn finish(mut self) -> Met {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Met::default();
        for manager in std::mem::take(&mut self.managers) {
            let met = manager.join().unwrap();
            all.answered += met.answered;
            all.lost += met.lost;
            all.wrong.extend(met.wrong);
        }
        assert!(all.answered > 0 && all.lost == 0 && all.wrong.is_empty(), "{all:?}");
        all
    }
}

/// Of a test that failed, too: whoever goes on asking is heard by whoever gets the port next.
impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn keep_asking(address: SocketAddr, stop: &AtomicBool) -> Met {
    let (prove, hide) = ("what proves the manager", "what hides the manager");
    let mut user = User::meet(address, "manager", prove, hide);
    let request = pdu(tag::GET, 1, 0, 0, &[binding(UP_TIME, null())]);
    let (mut met, mut before) = (Met::default(), 0);
    while !stop.load(Ordering::Relaxed) {
        // It is sent once: whoever swallows it, or is swapped while it has it, is found out.
        let Some(answer) = user.exchange(&request, Duration::from_secs(10)) else {
            met.lost += 1;
            continue;
        };
        let up_time = ber::variables(&answer).and_then(|(error, variables)| {
            let one = variables.first().filter(|one| error == 0 && one.tag == 0x43)?;
            Some(ber::number(&one.value))
        });
        match up_time {
            Some(now) if now >= before => {
                (met.answered, before) = (met.answered + 1, now);
            }
            _ => met.wrong.push(format!("after {before}: {}", ber::pdu_in_words(&answer))),
        }
    }
    met
}
