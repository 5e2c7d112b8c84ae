//! Users, access rights and communities managed over SNMP with net-snmp's own tools, and over restarts.
//!
//! Skipped: `snmpusm changekey`, which needs SNMP-USM-DH-OBJECTS-MIB (RFC 2786, experimental).
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod started;

use std::process::{Command, Output};
use tempfile::TempDir;

const LONG_NAME: &str = "a-name-of-thirty-two-characters-";

fn config() -> String {
    format!(
        r#"
[[user]]
name = "admin"
auth = "SHA"
auth-passphrase = "admin passphrase"
priv = "AES"
priv-passphrase = "admin privacy"
access = "write"

[[user]]
name = "template"
auth = "SHA"
auth-passphrase = "template passphrase"
priv = "AES"
priv-passphrase = "template privacy"

[[user]]
name = "md5"
auth = "MD5"
auth-passphrase = "configured phrase"

[[user]]
name = "{LONG_NAME}"
auth = "SHA-256"
auth-passphrase = "a long passphrase"

[[community]]
name = "public"

[[community]]
name = "private"
access = "write"
"#
    )
}

struct Agent {
    started: started::Agent,
    address: String,
    directory: TempDir,
}

impl Agent {
    fn start() -> Self {
        Self::start_in(started::furnished(&config()))
    }

    fn start_in(directory: TempDir) -> Self {
        let started = started::Agent::start(directory.path(), &[]);
        let address = format!("127.0.0.1:{}", started.port);
        Agent { started, address, directory }
    }

    /// The same again, after SIGTERM and a start.
    fn restarted(self) -> Self {
        self.started.stop();
        Self::start_in(self.directory)
    }

    /// The same again, after SIGKILL and a start.
    fn killed(self) -> Self {
        drop(self.started);
        Self::start_in(self.directory)
    }

    fn ask(&self, tool: &str, principal: &[&str], options: &[&str], more: &[&str]) -> Output {
        Command::new(tool)
            .env("MIBS", "")
            .env("SNMPCONFPATH", self.directory.path())
            .args(principal)
            .args(["-t", "2", "-r", "1"])
            .args(options)
            .arg(&self.address)
            .args(more)
            .output()
            .unwrap_or_else(|error| panic!("{tool}: {error}; install net-snmp's tools"))
    }

    fn told(
        &self,
        tool: &str,
        principal: &[&str],
        options: &[&str],
        more: &[&str],
    ) -> (bool, String) {
        let output = self.ask(tool, principal, options, more);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).trim_end().to_owned();
        // snmpusm and snmpvacm end with 0 when their SET was refused.
        (output.status.success() && !text.contains("Error in packet"), text)
    }

    /// What a tool says when it succeeds; it must.
    fn answer(&self, tool: &str, principal: &[&str], options: &[&str], more: &[&str]) -> String {
        let (succeeded, text) = self.told(tool, principal, options, more);
        assert!(succeeded, "{tool} {principal:?} {options:?} {more:?}: {text}");
        text
    }

    /// What a tool says when it fails; it must.
    fn complaint(&self, tool: &str, principal: &[&str], options: &[&str], more: &[&str]) -> String {
        let (succeeded, text) = self.told(tool, principal, options, more);
        assert!(!succeeded, "{tool} {principal:?} {options:?} {more:?} succeeded: {text}");
        text
    }

    fn usm(&self, options: &[&str], more: &[&str]) -> String {
        self.answer("snmpusm", ADMIN, options, more)
    }

    fn vacm(&self, options: &[&str], more: &[&str]) -> String {
        self.answer("snmpvacm", ADMIN, options, more)
    }

    fn lets_in(&self, principal: &[&str]) -> bool {
        let (succeeded, text) = self.told("snmpget", principal, &["-On"], &[UP_TIME]);
        succeeded && text.contains("Timeticks")
    }

    /// The index of a user of this agent in the usmUserTable.
    fn user(&self, column: u32, name: &str) -> String {
        let octets = |octets: &[u8]| {
            let octets: Vec<_> = octets.iter().map(u8::to_string).collect();
            format!("{}.{}", octets.len(), octets.join("."))
        };
        let engine_id = self.engine_id();
        format!("{USER_ENTRY}.{column}.{}.{}", octets(&engine_id), octets(name.as_bytes()))
    }

    fn engine_id(&self) -> Vec<u8> {
        let text = self.answer("snmpget", ADMIN, &["-Oqvx"], &["1.3.6.1.6.3.10.2.1.1.0"]);
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect()
    }
}

const UP_TIME: &str = "1.3.6.1.2.1.1.3.0";
const USER_ENTRY: &str = "1.3.6.1.6.3.15.1.2.2.1";
const COMMUNITY_ENTRY: &str = "1.3.6.1.6.3.18.1.1.1";
const ADMIN: &[&str] = &[
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "admin",
    "-a",
    "SHA",
    "-A",
    "admin passphrase",
    "-x",
    "AES",
    "-X",
    "admin privacy",
];

/// A principal with SHA-1 and AES-128.
fn private<'a>(user: &'a str, auth: &'a str, privacy: &'a str) -> [&'a str; 13] {
    ["-v3", "-l", "authPriv", "-u", user, "-a", "SHA", "-A", auth, "-x", "AES", "-X", privacy]
}

fn proven<'a>(user: &'a str, protocol: &'a str, auth: &'a str) -> [&'a str; 9] {
    ["-v3", "-l", "authNoPriv", "-u", user, "-a", protocol, "-A", auth]
}

#[test]
fn a_user_is_made_let_in_given_keys_and_removed_with_snmpusm_and_snmpvacm() {
    let agent = Agent::start();
    // Off snmpd: whoever still has the keys of another user is not active yet (RFC 3414 §5, usmUserStatus).
    let refused = agent.complaint("snmpusm", ADMIN, &[], &["create", "wes", "template"]);
    assert!(refused.contains("inconsistentValue"), "{refused}");
    agent.usm(&["-Cw"], &["create", "wes", "template"]);
    let again = agent.complaint("snmpusm", ADMIN, &["-Cw"], &["create", "wes", "template"]);
    assert!(again.contains("inconsistentValue"), "{again}");
    let nobody = agent.complaint("snmpusm", ADMIN, &["-Cw"], &["create", "eve", "nobody"]);
    assert!(nobody.contains("inconsistentName"), "{nobody}");
    agent.usm(&["-Ca"], &["passwd", "template passphrase", "wes passphrase", "wes"]);
    agent.usm(&["-Cx"], &["passwd", "template privacy", "wes own privacy", "wes"]);
    agent.usm(&[], &["activate", "wes"]);
    let wes = private("wes", "wes passphrase", "wes own privacy");
    assert!(!agent.lets_in(&wes), "he is in no group yet");
    agent.vacm(&[], &["createSec2Group", "3", "wes", "operators"]);
    agent.vacm(&[], &["createView", "most", "1.3.6.1", "ff"]);
    agent.vacm(&["-Ce"], &["createView", "most", "1.3.6.1.2.1.25", "ff"]);
    // Of the usmUserTable he may change the columns with his own keys.
    agent.vacm(&[], &["createView", "own", "1.3.6.1.6.3.15.1.2", "ff"]);
    agent.vacm(&[], &["createAccess", "operators", "3", "3", "1", "most", "own", "most"]);
    assert!(agent.lets_in(&wes));
    assert!(!agent.lets_in(&private("wes", "template passphrase", "template privacy")));
    // The table tells no key.
    let walked = agent.answer("snmpwalk", ADMIN, &["-On"], &[&format!("{USER_ENTRY}.6")]);
    assert!(
        walked.lines().count() >= 5 && walked.lines().all(|line| line.ends_with("\"\"")),
        "{walked}"
    );

    // All of it was durable when it was answered.
    let agent = agent.killed();
    assert!(agent.lets_in(&wes), "after kill -9");
    let agent = agent.restarted();
    assert!(agent.lets_in(&wes), "after a restart");

    // He changes his own keys, and nobody else's.
    agent.answer("snmpusm", &wes, &["-Ca"], &["passwd", "wes passphrase", "wes next phrase"]);
    assert!(!agent.lets_in(&wes));
    let wes = private("wes", "wes next phrase", "wes own privacy");
    assert!(agent.lets_in(&wes));
    let change = format!("0x{}", "17".repeat(40));
    let others = agent.user(7, "admin");
    let refused = agent.complaint("snmpset", &wes, &["-On"], &[&others, "x", &change]);
    assert!(refused.contains("noAccess"), "{refused}");
    let agent = agent.restarted();
    assert!(agent.lets_in(&wes));

    // Rights are taken away one by one, and the user at last.
    agent.vacm(&[], &["deleteAccess", "operators", "3", "3"]);
    assert!(!agent.lets_in(&wes));
    agent.vacm(&[], &["deleteView", "most", "1.3.6.1.2.1.25"]);
    agent.vacm(&[], &["deleteSec2Group", "3", "wes"]);
    agent.usm(&[], &["delete", "wes"]);
    let agent = agent.restarted();
    let gone = agent.complaint("snmpget", &wes, &["-On"], &[UP_TIME]);
    assert!(gone.contains("Unknown user name"), "{gone}");
    // What is configured cannot be taken away.
    let refused = agent.complaint("snmpusm", ADMIN, &[], &["delete", "template"]);
    assert!(refused.contains("inconsistentValue"), "{refused}");
}

#[test]
fn a_user_is_cloned_after_he_was_made() {
    let agent = Agent::start();
    agent.usm(&["-Cw"], &["create", "late"]);
    // This command activates him in the same SET, with the keys of another user: see above.
    let refused = agent.complaint("snmpusm", ADMIN, &[], &["cloneFrom", "late", "template"]);
    assert!(refused.contains("inconsistentValue"), "{refused}");
    let (clone_from, template) = (agent.user(4, "late"), agent.user(3, "template"));
    agent.answer("snmpset", ADMIN, &["-On"], &[&clone_from, "o", &template]);
    let protocol = agent.answer("snmpget", ADMIN, &["-Onqv"], &[&agent.user(5, "late")]);
    assert_eq!(protocol, ".1.3.6.1.6.3.10.1.1.3");
    agent.usm(&["-Ca"], &["passwd", "template passphrase", "late passphrase", "late"]);
    agent.usm(&["-Cx"], &["passwd", "template privacy", "late own privacy", "late"]);
    agent.usm(&[], &["activate", "late"]);
    agent.vacm(&[], &["createSec2Group", "3", "late", "template"]);
    assert!(agent.lets_in(&private("late", "late passphrase", "late own privacy")));
    agent.usm(&[], &["deactivate", "late"]);
    assert!(!agent.lets_in(&private("late", "late passphrase", "late own privacy")));
}

#[test]
fn the_key_of_a_configured_user_is_changed_with_encode_keychange_and_stays_changed() {
    let agent = Agent::start();
    let before = proven("md5", "MD5", "configured phrase");
    assert!(agent.lets_in(&before));
    let engine_id: String = agent.engine_id().iter().map(|octet| format!("{octet:02x}")).collect();
    let encoded = Command::new("encode_keychange")
        .args(["-t", "md5", "-O", "configured phrase", "-N", "the next phrase", "-E"])
        .arg(format!("0x{engine_id}"))
        .output()
        .unwrap();
    assert!(encoded.status.success(), "{encoded:?}");
    let change = String::from_utf8(encoded.stdout).unwrap().trim().to_owned();
    let column = agent.user(6, "md5");
    let wrong =
        agent.complaint("snmpset", ADMIN, &["-On"], &[&column, "x", &change[..change.len() - 2]]);
    assert!(wrong.contains("wrongLength"), "{wrong}");
    agent.answer("snmpset", ADMIN, &["-On"], &[&column, "x", &change]);
    let after = proven("md5", "MD5", "the next phrase");
    assert!(agent.lets_in(&after) && !agent.lets_in(&before));
    // The configuration has the old passphrase still, and that is the one which was replaced.
    let agent = agent.killed();
    assert!(agent.lets_in(&after) && !agent.lets_in(&before));
    // A new passphrase in the file is the operator's last word.
    let file = agent.directory.path().join("sagentd.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("configured phrase", "reconfigured phrase")).unwrap();
    let agent = agent.restarted();
    assert!(agent.lets_in(&proven("md5", "MD5", "reconfigured phrase")) && !agent.lets_in(&after));
}

#[test]
fn communities_are_made_by_who_is_proven_and_seen_by_nobody_else() {
    let agent = Agent::start();
    let cell = |column: u32| format!("{COMMUNITY_ENTRY}.{column}.110.101.119");
    let row = [(2, "s", "guests"), (3, "s", "visitor"), (8, "i", "4")];
    let cells: Vec<_> =
        row.iter().map(|(column, kind, value)| (cell(*column), *kind, *value)).collect();
    let arguments: Vec<&str> =
        cells.iter().flat_map(|(name, kind, value)| [name.as_str(), kind, value]).collect();
    // Not over a community, whose messages anybody could have read and repeated.
    let private = ["-v2c", "-c", "private"];
    agent.complaint("snmpset", &private, &["-On"], &arguments);
    agent.answer("snmpset", ADMIN, &["-On"], &arguments);
    agent.vacm(&[], &["createSec2Group", "2", "visitor", "visitors"]);
    agent.vacm(&[], &["createView", "uptime", UP_TIME, "ff"]);
    agent.vacm(&[], &["createAccess", "visitors", "2", "1", "1", "uptime", "none", "none"]);
    let guests = ["-v2c", "-c", "guests"];
    assert!(agent.lets_in(&guests));
    let agent = agent.killed();
    assert!(agent.lets_in(&guests));
    for root in ["1.3.6.1.6.3.15.1.2", "1.3.6.1.6.3.16", "1.3.6.1.6.3.18"] {
        let seen = agent.ask("snmpwalk", &["-v2c", "-c", "public"], &["-On"], &[root]);
        let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
        let values = seen.lines().filter(|line| line.starts_with('.') && !line.contains("No "));
        assert_eq!(values.count(), 0, "{root}: {seen}");
    }
    // Whoever is proven sees rows, but of what is configured not the community.
    let seen = agent.answer("snmpwalk", ADMIN, &["-On"], &["1.3.6.1.6.3.18"]);
    assert!(
        seen.contains("guests") && !seen.contains("private") && !seen.contains("public"),
        "{seen}"
    );
    agent.answer("snmpset", ADMIN, &["-On"], &[&cell(8), "i", "6"]);
    assert!(!agent.lets_in(&guests));
}

#[test]
fn a_user_with_the_longest_name_is_let_in() {
    let agent = Agent::start();
    assert!(agent.lets_in(&proven(LONG_NAME, "SHA-256", "a long passphrase")));
}
