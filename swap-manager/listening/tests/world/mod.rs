//! A service in front of a real swap manager with one component, and packages for it.
//!
//! Nothing in here stands in for a part of the service. Keys and certificates are made for the run.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each file of tests uses its part")]

use s_control::preview::Described;
use s_control::{Preflight, SwapManager};
use s_listening::client::{Client, ClientError};
use s_listening::{Application, Config, Operator, Operators, Role, Service, Tls};
use s_package::trust::{ReleaseKey, RootKey};
use s_package::{
    Digest, Limits, Name, Pattern, Release, SecretKey, Triple, TrustDocument, TrustStore, pack,
    sign,
};
use s_preflight::Rehearsal;
use s_sdk::Level;
use s_sdk::abi::ModuleDescriptor;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use zeroize::Zeroizing;

/// What every module is asked for a plan: something, what takes an argument, and what none has.
pub const QUESTIONS: [&str; 3] = ["tally.total", "tally.add", "tally.nothing"];

/// The version that the application brings.
pub const FACTORY: &str = "1.0.0";

pub struct World {
    pub manager: SwapManager,
    pub service: Option<Service>,
    pub log: Arc<Mutex<Vec<String>>>,
    pub directory: tempfile::TempDir,
    hang: Arc<Hang>,
}

/// The application, as far as the service knows it.
struct Tallies {
    log: Arc<Mutex<Vec<String>>>,
    hang: Arc<Hang>,
}

/// How many hang, and whether they may go on.
#[derive(Default)]
struct Hang {
    hanging: AtomicUsize,
    released: AtomicBool,
}

impl Application for Tallies {
    fn name(&self) -> &str {
        "tallies"
    }

    fn version(&self) -> &str {
        "9.8.7"
    }

    fn answer(&self, what: &str, query: &[(String, String)]) -> Option<Result<Json, String>> {
        match what {
            "echo" => Some(Ok(json!(query))),
            "wrong" => Some(Err("ask for something else".into())),
            "hang" => {
                self.hang.hanging.fetch_add(1, Ordering::AcqRel);
                while !self.hang.released.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Some(Ok(json!("done")))
            }
            "bug" => panic!("a bug of the application"),
            _ => None,
        }
    }

    fn difference(&self, from: Option<&Described>, to: Option<&Described>) -> Option<Json> {
        let told = |side: Option<&Described>| {
            side.map(|side| {
                let answer = |question: &str| side.answers.get(question).map(ToString::to_string);
                json!([side.module.version.to_string(), QUESTIONS.map(answer)])
            })
        };
        Some(json!([told(from), told(to)]))
    }

    fn is_secret(&self, component: &str, field: &str) -> bool {
        component == "tally" && field == "largest"
    }

    fn log(&self, level: Level, text: &str) {
        self.log.lock().unwrap().push(format!("{level:?} {text}"));
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::made_of(|_| {}, &[("tally", Some(&template::S_MODULE)), ("vacant", None)], change)
    }

    /// An application that has nothing of its own, and takes what packages bring along.
    pub fn empty() -> Self {
        let open = |settings: &mut s_control::Config| {
            settings.additions = vec![Pattern::parse("*").unwrap()];
        };
        Self::made_of(open, &[], |_| {})
    }

    fn made_of(
        set: impl FnOnce(&mut s_control::Config),
        components: &[(&str, Option<&'static ModuleDescriptor>)],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Other users shall come as far as the socket.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut settings = s_control::Config::new(directory.path().join("state"), trust());
        settings.preflight = Preflight::On(rehearsal());
        settings.log = Arc::new(|_, _, _, _| {});
        settings.questions = QUESTIONS.map(str::to_owned).to_vec();
        set(&mut settings);
        let (manager, _) = SwapManager::open(settings).unwrap();
        for (name, factory) in components {
            manager.component(name, *factory).unwrap();
        }
        manager.start().unwrap();
        let mut world =
            World { manager, service: None, log: Arc::default(), directory, hang: Arc::default() };
        world.listen(change);
        world
    }

    /// Listens (again).
    pub fn listen(&mut self, change: impl FnOnce(&mut Config)) {
        self.service = None;
        let mut config = Config {
            unix: self.socket(),
            tls: None,
            operators: Operators::default(),
            two_persons: false,
        };
        change(&mut config);
        let application =
            Arc::new(Tallies { log: Arc::clone(&self.log), hang: Arc::clone(&self.hang) });
        let service = Service::open(config, self.manager.clone(), application).unwrap();
        self.service = Some(service);
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("control")
    }

    pub fn client(&self) -> Client {
        Client::unix(self.socket()).unwrap()
    }

    /// How many helpers the application keeps.
    pub fn hanging(&self) -> usize {
        self.hang.hanging.load(Ordering::Acquire)
    }

    /// They go on.
    pub fn release(&self) {
        self.hang.released.store(true, Ordering::Release);
    }

    pub fn logged(&self, part: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(part))
    }

    /// Sends octets as they are, and reads until the service has no more to say.
    pub fn raw(&self, octets: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // A service that has read enough closes; what it said is still to be read.
        let _ = stream.write_all(octets);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Waits until something is so; a generous bound keeps a broken test from hanging.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(std::time::Instant::now() < end, "never came: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The status and the word of a refusal.
pub fn refusal(answer: Result<Json, ClientError>) -> (u16, String) {
    match answer {
        Err(ClientError::Refused { status, word, message, .. }) => {
            assert!(!message.is_empty());
            (status, word)
        }
        other => panic!("not refused: {other:?}"),
    }
}

pub fn is(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

/// Pushes, and waits for the end.
pub fn swap(client: &Client, order: &Json, packages: &[(String, Vec<u8>)]) -> Json {
    let begun = client.post_packages("/v1/swaps", Some(order), packages).unwrap();
    ended(client, begun["txn"].as_u64().unwrap())
}

/// The outcome of a swap.
pub fn ended(client: &Client, txn: u64) -> Json {
    let answer = client.get(&format!("/v1/swaps/{txn}?wait=60")).unwrap();
    assert_eq!(answer["running"], false, "{answer}");
    answer["outcome"].clone()
}

/// Stays until somebody confirms it.
pub fn by_operator() -> Json {
    json!({ "confirm": { "by": "operator", "seconds": 600 } })
}

/// Is over soon.
pub fn soon() -> Json {
    json!({ "confirm": { "by": "silence", "seconds": 1 } })
}

// ===== Packages =====

/// This crate's example: the executable that rehearses.
pub fn rehearsal() -> Rehearsal {
    Rehearsal { executable: built("examples/host"), ..Rehearsal::default() }
}

/// What cargo built beside this test.
fn built(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let path = this.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.exists(), "{} is missing: run `cargo test -p s-listening`", path.display());
    path
}

fn key(holder: &str) -> SecretKey {
    SecretKey::from_seed(&Zeroizing::new(Digest::of(holder.as_bytes()).0))
}

pub fn trust() -> TrustStore {
    let of = |holder: &str| (Name::parse(holder).unwrap(), key(holder).public());
    let ((root, root_key), (maker, maker_key)) = (of("root"), of("maker"));
    TrustStore::try_from(TrustDocument::first(
        vec![RootKey::new(root, root_key)],
        vec![ReleaseKey::new(maker, maker_key, vec![Pattern::any()])],
    ))
    .unwrap()
}

/// The successor of the factory's `tally`, signed by this key's holder.
pub fn signed_by(holder: &str) -> (String, Vec<u8>) {
    static DESCRIBED: OnceLock<(Vec<u8>, s_package::Facts)> = OnceLock::new();
    let (code, facts) = DESCRIBED.get_or_init(|| {
        let code = std::fs::read(built("deps/libtemplate_next.so")).unwrap();
        let sealed = s_loader::Sealed::new("successor", &code, None).unwrap();
        let described = rehearsal().describe(&sealed).unwrap();
        (code, s_control::facts(&described).unwrap())
    });
    let target = Triple::parse(s_sdk::abi::TARGET).unwrap();
    let codes = BTreeMap::from([(target, code.clone())]);
    let package = pack(facts.clone(), Release::default(), &codes).unwrap();
    ("tally.smod".to_owned(), sign(&package, &key(holder), &Limits::DEFAULT).unwrap())
}

pub fn package() -> (String, Vec<u8>) {
    signed_by("maker")
}

// ===== Certificates =====

/// Roots and certificates in files.
pub struct Authority {
    pub directory: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

/// A certificate's file, its key's, and its fingerprint.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub fingerprint: String,
}

impl Authority {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("ca.pem"), root.pem()).unwrap();
        Authority { directory, issuer: rcgen::Issuer::new(params, key) }
    }

    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate for this common name, which is the name of a host as well.
    pub fn issue(&self, name: &str) -> Certificate {
        self.issued(name, 4096)
    }

    /// One that was good until the year 2001.
    pub fn issue_expired(&self, name: &str) -> Certificate {
        self.issued(name, 2001)
    }

    fn issued(&self, name: &str, until: i32) -> Certificate {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let fingerprint = Digest::of(certificate.der()).to_string();
        let fingerprint = fingerprint.rsplit(':').next().unwrap().to_owned();
        let place = |kind: &str| self.directory.path().join(format!("{name}.{kind}"));
        std::fs::write(place("pem"), certificate.pem()).unwrap();
        std::fs::write(place("key"), key.serialize_pem()).unwrap();
        Certificate { certificate: place("pem"), key: place("key"), fingerprint }
    }

    /// TLS on a port that is free.
    pub fn tls(&self) -> Tls {
        let Certificate { certificate, key, .. } = self.issue("service.example");
        let listen = "127.0.0.1:0".parse().unwrap();
        Tls { listen, certificate, key, client_ca: self.ca() }
    }
}

impl World {
    /// Asks over TLS as whoever holds this certificate.
    pub fn tls_client(&self, authority: &Authority, holder: &Certificate) -> Client {
        let address = self.service.as_ref().unwrap().tls_address().unwrap().to_string();
        let Certificate { certificate, key, .. } = holder;
        Client::tls(&address, &authority.ca(), certificate, key, "service.example").unwrap()
    }
}

/// An operator whom a common name makes known.
pub fn operator(name: &str, roles: &[Role]) -> Operator {
    Operator {
        name: name.to_owned(),
        uid: None,
        fingerprint: None,
        common_name: Some(name.to_owned()),
        roles: roles.to_vec(),
    }
}
