//! A small S-application with a listening service, in this process, and a folder in which swapctl runs.
//! Packages are made by swapctl itself: with a key that the application trusts, and with one that it does not.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use s_control::{Config, Preflight, SwapManager};
use s_listening::{Application, Operator, Operators, Role, Service, Tls};
use s_package::TrustStore;
use s_preflight::Rehearsal;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The application's own answers.
struct Answers;

impl Application for Answers {
    fn name(&self) -> &str {
        "tally-host"
    }

    fn version(&self) -> &str {
        "9.8.7"
    }

    fn answer(&self, what: &str, query: &[(String, String)]) -> Option<Result<Value, String>> {
        let asked =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match what {
            "why" => Some(Ok(json!({ "overlooked": 0, "refused": [{
                "peer": asked("peer").unwrap_or("anybody"), "version": null, "user": null, "times": 1,
                "first_seconds_ago": 1.0, "last_seconds_ago": 1.0, "reason": "wrong-digest",
                "step": "step 6", "hint": "hint", "cure": "cure", "counter": null, "told": false }] }))),
            "doctor" => Some(Ok(json!([
                { "check": "disk", "ok": true, "says": "enough", "cure": null },
                { "check": "clock", "ok": false, "says": "1970", "cure": "set it" }]))),
            "rates" => Some(Ok(json!({ "totals": { "packets": 7 } }))),
            _ => None,
        }
    }

    fn log(&self, _level: s_sdk::Level, _text: &str) {}
}

/// The application, and the desk of its operator.
pub(crate) struct Agent {
    folder: TempDir,
    pub(crate) manager: SwapManager,
    service: Option<Service>,
}

impl Agent {
    /// Component `tally` serves the template's first version; its second is in `tally.smod`, and in
    /// `forged.smod` signed by somebody whom the application does not know.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let swapctl = |arguments: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_swapctl"))
                .args(arguments)
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        };
        for key in ["alice", "mallory"] {
            swapctl(&["keygen", key]);
        }
        swapctl(&[
            "trust",
            "init",
            "--root",
            "alice.pub",
            "--key",
            "alice.pub=tally",
            "--output",
            "trust.json",
        ]);
        let code = successor();
        swapctl(&["pack", code.to_str().unwrap(), "--epoch", "1", "--output", "bare.smod"]);
        swapctl(&["sign", "--key", "alice.key", "bare.smod", "--output", "tally.smod"]);
        swapctl(&["sign", "--key", "mallory.key", "bare.smod", "--output", "forged.smod"]);

        let trust = TrustStore::parse(&std::fs::read(path("trust.json")).unwrap()).unwrap();
        let mut config = Config::new(path("repository"), trust);
        // A test has no `main` of its own; swapctl's begins as a rehearsing host's must.
        let executable = env!("CARGO_BIN_EXE_swapctl").into();
        config.preflight = Preflight::On(Rehearsal { executable, ..Rehearsal::default() });
        config.log = Arc::new(|_, _, _, _| {});
        let (manager, _runtime) = SwapManager::open(config).unwrap();
        manager.component("tally", Some(&template::S_MODULE)).unwrap();
        manager.start().unwrap();
        certificates(folder.path());
        let tls = Tls {
            listen: "127.0.0.1:0".parse().unwrap(),
            certificate: path("localhost.pem"),
            key: path("localhost.key"),
            client_ca: path("ca.pem"),
        };
        let reader = Operator {
            name: "rita".into(),
            uid: None,
            fingerprint: None,
            common_name: Some("rita".into()),
            roles: vec![Role::Read],
        };
        let listening = s_listening::Config {
            unix: path("control"),
            tls: Some(tls),
            operators: Operators::new(vec![reader]).unwrap(),
            two_persons: false,
        };
        let service = Service::open(listening, manager.clone(), Arc::new(Answers)).unwrap();
        Self { folder, manager, service: Some(service) }
    }

    /// The service ends, and its socket with it.
    pub(crate) fn stop(&mut self) {
        self.service.take().unwrap().stop();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swapctl"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SAGENTD_SOCKET", self.path("control"))
            .env("XDG_STATE_HOME", self.path("state"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What is on standard output of a command that ends with this status.
    pub(crate) fn ends(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    /// What is on standard error of a command that ends with this status, and says nothing else.
    pub(crate) fn fails(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stdout}{stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        stderr
    }

    /// The objects that a command says.
    pub(crate) fn objects(&self, exit: i32, arguments: &[&str]) -> Vec<Value> {
        let stdout = self.ends(exit, &[&["--json"], arguments].concat());
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The only object that a command says.
    pub(crate) fn object(&self, arguments: &[&str]) -> Value {
        let [object] = self.objects(0, arguments).try_into().unwrap();
        object
    }

    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The port of the service for operators from afar.
    pub(crate) fn port(&self) -> u16 {
        self.service.as_ref().unwrap().tls_address().unwrap().port()
    }

    pub(crate) fn version(&self) -> String {
        self.manager.status().components[0].version.clone().unwrap_or_default()
    }
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// The code of the template's second version: cargo leaves it beside this test.
fn successor() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let code = here.parent().unwrap_or(Path::new(".")).join("libtemplate_next.so");
    assert!(code.exists(), "{} is not there", code.display());
    code
}

/// An authority, the service's certificate for `localhost`, and those of two who call.
fn certificates(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(folder.join("ca.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    for name in ["localhost", "rita", "stranger"] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut subject = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        subject.distinguished_name = rcgen::DistinguishedName::new();
        subject.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = subject.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}
