//! The agent as its operators meet it: started as a program, asked with net-snmp's own tools.
//!
//! Every test starts an agent of its own, on a port that the system gave away a moment before. In reading
//! order: this file has the versions, refusals and SETs, [`protocols`] every protocol of USM and every
//! transport, [`tools`] each tool that shows more than variables.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod protocols;
#[path = "../started/mod.rs"]
mod started;
mod tools;

use std::process::{Command, Output};
use tempfile::TempDir;

const CONFIG: &str = r#"
[system]
contact = "operator@example.org"
location = "rack 7"

[[view]]
name = "system"
include = ["1.3.6.1.2.1.1"]

[[user]]
name = "none"
view = "system"

[[user]]
name = "md5"
auth = "MD5"
auth-passphrase = "md5 passphrase"

[[user]]
name = "sha"
auth = "SHA"
auth-passphrase = "sha passphrase"
priv = "AES"
priv-passphrase = "aes passphrase"

[[user]]
name = "des"
auth = "SHA"
auth-passphrase = "sha passphrase"
priv = "DES"
priv-passphrase = "des passphrase"

[[user]]
name = "sha512"
auth = "SHA-512"
auth-passphrase = "sha512 passphrase"
priv = "AES"
priv-passphrase = "aes passphrase"
access = "write"

[[community]]
name = "public"
source = ["127.0.0.0/8"]

[[community]]
name = "elsewhere"
source = ["192.0.2.0/24"]

[[community]]
name = "private"
access = "write"
"#;

struct Agent {
    started: started::Agent,
    address: String,
    directory: TempDir,
}

impl Agent {
    fn start() -> Self {
        Self::start_in(started::furnished(CONFIG))
    }

    fn start_in(directory: TempDir) -> Self {
        let started = started::Agent::start(directory.path(), &[]);
        let address = format!("127.0.0.1:{}", started.port);
        Agent { started, address, directory }
    }

    fn ask(&self, tool: &str, principal: &[&str], more: &[&str]) -> Output {
        Command::new(tool)
            .env("MIBS", "")
            .env("SNMPCONFPATH", self.directory.path())
            .args(principal)
            .args(["-On", "-t", "2", "-r", "1"])
            .arg(&self.address)
            .args(more)
            .output()
            .unwrap_or_else(|error| panic!("{tool}: {error}; install net-snmp's tools"))
    }

    /// What a tool answers on standard output; it must succeed.
    fn answer(&self, tool: &str, principal: &[&str], more: &[&str]) -> String {
        let output = self.ask(tool, principal, more);
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{tool} {principal:?} {more:?}: {out}{err}");
        out.trim_end().to_owned()
    }

    /// What a tool complains of; it must fail.
    fn complaint(&self, tool: &str, principal: &[&str], more: &[&str]) -> String {
        let output = self.ask(tool, principal, more);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!output.status.success(), "{tool} {principal:?} {more:?} succeeded: {text}");
        text
    }

    fn stop(self) -> TempDir {
        self.started.stop();
        self.directory
    }
}

const V1: &[&str] = &["-v1", "-c", "public"];
const V2C: &[&str] = &["-v2c", "-c", "public"];
const WRITER: &[&str] = &["-v2c", "-c", "private"];
const SHA_AES: &[&str] = &[
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "sha",
    "-a",
    "SHA",
    "-A",
    "sha passphrase",
    "-x",
    "AES",
    "-X",
    "aes passphrase",
];
const SHA_DES: &[&str] = &[
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "des",
    "-a",
    "SHA",
    "-A",
    "sha passphrase",
    "-x",
    "DES",
    "-X",
    "des passphrase",
];
const SHA512: &[&str] = &[
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "sha512",
    "-a",
    "SHA-512",
    "-A",
    "sha512 passphrase",
    "-x",
    "AES",
    "-X",
    "aes passphrase",
];
const MD5: &[&str] = &["-v3", "-l", "authNoPriv", "-u", "md5", "-a", "MD5", "-A", "md5 passphrase"];
const NONE: &[&str] = &["-v3", "-l", "noAuthNoPriv", "-u", "none"];

const SYS_LOCATION: &str = ".1.3.6.1.2.1.1.6.0";
const SYS_NAME: &str = ".1.3.6.1.2.1.1.5.0";

#[test]
fn every_version_and_protocol_reads_the_same_value() {
    let agent = Agent::start();
    for principal in [V1, V2C, NONE, MD5, SHA_AES, SHA_DES, SHA512] {
        assert_eq!(
            agent.answer("snmpget", principal, &[SYS_LOCATION]),
            ".1.3.6.1.2.1.1.6.0 = STRING: \"rack 7\""
        );
    }
}

#[test]
fn a_walk_a_bulk_walk_and_the_walk_of_version_1_see_the_same() {
    let agent = Agent::start();
    let names = |text: &str| {
        text.lines()
            .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
            .collect::<Vec<_>>()
    };
    let system = ".1.3.6.1.2.1.1";
    let walked = names(&agent.answer("snmpwalk", V2C, &[system]));
    assert!(walked.len() > 7, "{walked:?}");
    assert_eq!(names(&agent.answer("snmpbulkwalk", V2C, &[system])), walked);
    assert_eq!(names(&agent.answer("snmpwalk", V1, &[system])), walked);
    assert_eq!(names(&agent.answer("snmpbulkwalk", SHA_AES, &[system])), walked);
    // All there is, in order.
    let all = agent.answer("snmpbulkwalk", SHA_AES, &["-Cr50", ".1"]);
    let all = all.lines().filter(|line| !line.contains("No more variables")).collect::<Vec<_>>();
    let all = names(&all.join("\n"));
    assert!(all.len() > walked.len());
    let key = |name: &String| -> Vec<u32> {
        name.split('.').filter_map(|arc| arc.parse().ok()).collect()
    };
    assert!(all.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
}

#[test]
fn what_may_not_be_seen_or_proven_is_refused_as_the_rfcs_say() {
    let agent = Agent::start();
    let with = |auth: &'static str, private: &'static str| {
        ["-v3", "-l", "authPriv", "-u", "sha", "-a", "SHA", "-A", auth, "-x", "AES", "-X", private]
    };
    let wrong =
        agent.complaint("snmpget", &with("wrong passphrase", "aes passphrase"), &[SYS_NAME]);
    assert!(wrong.contains("Authentication failure"), "{wrong}");
    let wrong =
        agent.complaint("snmpget", &with("sha passphrase", "wrong passphrase"), &[SYS_NAME]);
    assert!(wrong.contains("Decryption error") || wrong.contains("Timeout"), "{wrong}");
    let unknown =
        agent.complaint("snmpget", &["-v3", "-l", "noAuthNoPriv", "-u", "x"], &[SYS_NAME]);
    assert!(unknown.contains("Unknown user name"), "{unknown}");
    let low = agent.complaint("snmpget", &["-v3", "-l", "noAuthNoPriv", "-u", "sha"], &[SYS_NAME]);
    assert!(low.contains("authorizationError") || low.contains("access"), "{low}");
    let high = agent.complaint(
        "snmpget",
        &[
            "-v3",
            "-l",
            "authPriv",
            "-u",
            "md5",
            "-a",
            "MD5",
            "-A",
            "md5 passphrase",
            "-x",
            "AES",
            "-X",
            "aes passphrase",
        ],
        &[SYS_NAME],
    );
    assert!(high.contains("Unsupported security level"), "{high}");
    for community in ["nobody", "elsewhere"] {
        let silent = agent.complaint("snmpget", &["-v2c", "-c", community], &[SYS_NAME]);
        assert!(silent.contains("Timeout"), "{silent}");
    }
    // Each discard moved its counter.
    let counters = agent.answer(
        "snmpget",
        V2C,
        &[".1.3.6.1.6.3.15.1.1.5.0", ".1.3.6.1.6.3.15.1.1.3.0", ".1.3.6.1.2.1.11.4.0"],
    );
    assert!(counters.lines().all(|line| !line.ends_with(": 0")), "{counters}");
    // The view of the user without keys ends with the system group.
    assert!(agent.answer("snmpget", NONE, &[".1.3.6.1.2.1.11.1.0"]).contains("No Such Object"));
    let end = agent.answer("snmpgetnext", NONE, &[".1.3.6.1.2.1.2"]);
    assert!(end.contains("No more variables left"), "{end}");
}

#[test]
fn a_set_is_seen_by_everybody_and_outlives_the_process() {
    let agent = Agent::start();
    let set = agent.answer("snmpset", WRITER, &[SYS_NAME, "s", "first"]);
    assert!(set.ends_with("\"first\""), "{set}");
    agent.answer("snmpset", SHA512, &[SYS_NAME, "s", "second"]);
    assert!(agent.answer("snmpget", V1, &[SYS_NAME]).ends_with("\"second\""));
    let refused = agent.complaint("snmpset", V2C, &[SYS_NAME, "s", "third"]);
    assert!(refused.contains("noAccess") || refused.contains("authorizationError"), "{refused}");
    let wrong = agent.complaint("snmpset", WRITER, &[SYS_NAME, "i", "3"]);
    assert!(wrong.contains("wrongType"), "{wrong}");
    let configured = agent.complaint("snmpset", WRITER, &[SYS_LOCATION, "s", "rack 8"]);
    assert!(configured.contains("notWritable"), "{configured}");
    // One of two fails, so neither is done.
    let both =
        agent.complaint("snmpset", WRITER, &[SYS_NAME, "s", "third", SYS_LOCATION, "s", "x"]);
    assert!(both.contains("notWritable"), "{both}");
    assert!(agent.answer("snmpget", V2C, &[SYS_NAME]).ends_with("\"second\""));

    // Bindings of two modules, mixed: all are done, and a refusal names the position in the request.
    const AUTHEN_TRAPS: &str = ".1.3.6.1.2.1.11.30.0";
    const SET_SERIAL_NO: &str = ".1.3.6.1.6.3.1.1.6.1.0";
    let serial = agent.answer("snmpget", V2C, &[SET_SERIAL_NO]);
    let serial = serial.rsplit(' ').next().unwrap_or_default().to_owned();
    let mixed = [SYS_NAME, "s", "third", AUTHEN_TRAPS, "i", "1", SET_SERIAL_NO, "i", &serial];
    agent.answer("snmpset", WRITER, &mixed);
    let mixed = [SYS_NAME, "s", "second", AUTHEN_TRAPS, "i", "3", SET_SERIAL_NO, "i", &serial];
    let refused = agent.complaint("snmpset", WRITER, &mixed);
    assert!(refused.contains(SET_SERIAL_NO) || refused.contains(AUTHEN_TRAPS), "{refused}");
    assert!(agent.answer("snmpget", V2C, &[AUTHEN_TRAPS]).ends_with('1'));
    agent.answer("snmpset", WRITER, &[SYS_NAME, "s", "second"]);

    let boots = |agent: &Agent| agent.answer("snmpget", V2C, &[".1.3.6.1.6.3.10.2.1.2.0"]);
    let first = boots(&agent);
    assert!(first.ends_with(": 1"), "{first}");
    let agent = Agent::start_in(agent.stop());
    assert!(agent.answer("snmpget", V2C, &[SYS_NAME]).ends_with("\"second\""));
    assert!(boots(&agent).ends_with(": 2"));
    assert!(agent.answer("snmpget", SHA_AES, &[SYS_NAME]).ends_with("\"second\""));
}

#[test]
fn two_agents_on_one_port_are_told_apart_and_a_wrong_configuration_stops_the_start() {
    let agent = Agent::start();
    let again = Command::new(started::program())
        .args(["-C", "--state-directory"])
        .arg(agent.directory.path().join("other"))
        .arg(&agent.address)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && text.contains("end what listens there"), "{text}");

    let faulty = agent.directory.path().join("faulty.toml");
    std::fs::write(&faulty, "[[user]]\nname = \"a\"\nauth = \"SHA\"\n").unwrap();
    let check =
        Command::new(started::program()).args(["--check", "-c"]).arg(&faulty).output().unwrap();
    let text = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(!check.status.success() && text.contains("`auth-passphrase` is missing"), "{text}");
}
