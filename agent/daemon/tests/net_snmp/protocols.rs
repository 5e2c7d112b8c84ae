//! Every authentication protocol with every privacy protocol, and every transport: reading, writing, walking.
//!
//! Nothing is left out: Debian's tools know all of these spellings, those of the longer AES keys included.

use crate::started::{self, Agent};

const AUTH: [&str; 6] = ["MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"];
/// None; then as net-snmp spells them. With `-C` longer keys come about as Reeder's draft has it.
const PRIV: [&str; 7] = ["", "DES", "AES", "AES-192", "AES-256", "AES-192-C", "AES-256-C"];

const SYS_LOCATION: &str = ".1.3.6.1.2.1.1.6.0";
const SYS_NAME: &str = ".1.3.6.1.2.1.1.5.0";
/// What the modules are: rows that nothing changes while the agent runs.
const SYS_OR_TABLE: &str = ".1.3.6.1.2.1.1.9.1";
const WRITER: &[&str] = &["-v2c", "-c", "private"];

/// A user of some protocols, who may write, and whose passphrases nobody else has.
struct User {
    name: String,
    auth: &'static str,
    private: &'static str,
    passphrases: [String; 2],
}

impl User {
    fn all() -> Vec<User> {
        let pairs = AUTH.iter().flat_map(|auth| PRIV.iter().map(move |private| (*auth, *private)));
        pairs
            .map(|(auth, private)| {
                let name = format!("{auth}+{private}");
                let passphrases = ["proves", "hides"].map(|does| format!("what {does} {name}"));
                User { name, auth, private, passphrases }
            })
            .collect()
    }

    fn configured(&self) -> String {
        let [prove, hide] = &self.passphrases;
        let private = match self.private {
            "" => String::new(),
            private => format!("priv = \"{private}\"\npriv-passphrase = \"{hide}\"\n"),
        };
        format!(
            "[[user]]\nname = \"{}\"\nauth = \"{}\"\nauth-passphrase = \"{prove}\"\n{private}\
             access = \"write\"\n",
            self.name, self.auth
        )
    }

    fn principal(&self) -> Vec<&str> {
        let [prove, hide] = &self.passphrases;
        let mut options = vec!["-v3", "-u", &self.name, "-a", self.auth, "-A", prove];
        match self.private {
            "" => options.extend(["-l", "authNoPriv"]),
            private => options.extend(["-l", "authPriv", "-x", private, "-X", hide]),
        }
        options
    }
}

fn configured(users: &[User]) -> String {
    let users: String = users.iter().map(User::configured).collect();
    format!(
        "[system]\nlocation = \"rack 7\"\n{users}\
         [[community]]\nname = \"private\"\naccess = \"write\"\n"
    )
}

/// Reads, writes something of its own, and walks; all of it where it asks.
fn read_write_and_walk(agent: &Agent, place: &str, principal: &[&str], mark: &str, walk: &str) {
    let answer = |tool, more: &[&str]| agent.answer_at(place, tool, principal, more);
    assert_eq!(answer("snmpget", &[SYS_LOCATION]), format!("{SYS_LOCATION} = STRING: \"rack 7\""));
    let written = format!("{SYS_NAME} = STRING: \"{mark}\"");
    assert_eq!(answer("snmpset", &[SYS_NAME, "s", mark]), written, "{place} {principal:?}");
    assert_eq!(agent.answer("snmpget", WRITER, &[SYS_NAME]), written, "{place} {principal:?}");
    assert_eq!(answer("snmpbulkwalk", &[SYS_OR_TABLE]), walk, "{place} {principal:?}");
}

#[test]
fn every_authentication_with_every_privacy_reads_writes_and_walks() {
    let users = User::all();
    assert_eq!(users.len(), 42);
    let directory = started::furnished(&configured(&users));
    let agent = Agent::start(directory.path(), &[]);
    let udp = format!("udp:127.0.0.1:{}", agent.port);
    let walk = agent.answer("snmpbulkwalk", WRITER, &[SYS_OR_TABLE]);
    assert!(walk.lines().count() > 10, "{walk}");
    for user in &users {
        read_write_and_walk(&agent, &udp, &user.principal(), &user.name, &walk);
    }
    agent.stop();
}

#[test]
fn every_transport_reads_writes_and_walks_by_community_and_with_privacy() {
    let users = User::all();
    let user = users.iter().find(|user| user.name == "SHA-256+AES").unwrap();
    let directory = started::furnished(&configured(&users));
    let port = started::free_port();
    let socket = directory.path().join("agent.socket");
    let mut places = vec![
        format!("udp6:[::1]:{port}"),
        format!("tcp:127.0.0.1:{port}"),
        format!("tcp6:[::1]:{port}"),
        format!("unix:{}", socket.display()),
    ];
    let more: Vec<&str> = places.iter().map(String::as_str).collect();
    let agent = Agent::start(directory.path(), &more);
    places.push(format!("udp:127.0.0.1:{}", agent.port));
    let walk = agent.answer("snmpbulkwalk", WRITER, &[SYS_OR_TABLE]);
    for place in &places {
        // What comes before the address is the transport.
        let transport = place.split(':').next().unwrap();
        for (how, principal) in [("community", WRITER), ("privacy", &user.principal())] {
            let mark = format!("{how} {transport}");
            read_write_and_walk(&agent, place, principal, &mark, &walk);
        }
    }
    agent.stop();
}
