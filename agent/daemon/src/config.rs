//! The configuration: `sagentd.toml` as it is written, checked, and turned into settings of modules.
//!
//! It opens no socket and changes nothing. Invariant: a [`Configuration`] that was read is whole; whatever
//! is wrong with a file is told with its line, or the name of the entry, and the remedy.

use roles::settings::{
    AccessEntry, Community, CommunitySettings, GroupMember, KeyForm, Source, SystemSettings, User,
    UsmSettings, VacmSettings, ViewFamily,
};
use roles::varbind::{SecurityLevel, security_model};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    listen: Vec<String>,
    state_directory: Option<PathBuf>,
    threads: Option<usize>,
    engine: EngineTable,
    system: SystemTable,
    user: Vec<UserTable>,
    community: Vec<CommunityTable>,
    view: Vec<ViewTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct EngineTable {
    id: Option<String>,
    max_message_size: Option<u32>,
    max_getbulk_repeats: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct SystemTable {
    descr: String,
    object_id: String,
    contact: String,
    name: String,
    location: String,
    services: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UserTable {
    name: String,
    auth: Option<String>,
    auth_passphrase: Option<String>,
    r#priv: Option<String>,
    priv_passphrase: Option<String>,
    #[serde(default)]
    access: Access,
    view: Option<String>,
    level: Option<Level>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CommunityTable {
    name: String,
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    access: Access,
    view: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ViewTable {
    name: String,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Access {
    #[default]
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(clippy::enum_variant_names, reason = "the RFCs' names")]
enum Level {
    #[serde(rename = "noAuthNoPriv")]
    NoAuthNoPriv,
    #[serde(rename = "authNoPriv")]
    AuthNoPriv,
    #[serde(rename = "authPriv")]
    AuthPriv,
}

impl From<Level> for SecurityLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::NoAuthNoPriv => SecurityLevel::NoAuthNoPriv,
            Level::AuthNoPriv => SecurityLevel::AuthNoPriv,
            Level::AuthPriv => SecurityLevel::AuthPriv,
        }
    }
}

/// Everything that an operator decides.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) listen: Vec<String>,
    pub(crate) state_directory: Option<PathBuf>,
    pub(crate) threads: Option<usize>,
    pub(crate) engine_id: Option<Vec<u8>>,
    pub(crate) max_message_size: Option<u32>,
    pub(crate) max_repetitions: Option<u32>,
    pub(crate) system: SystemSettings,
    pub(crate) usm: UsmSettings,
    pub(crate) communities: CommunitySettings,
    pub(crate) vacm: VacmSettings,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}; name another file with `-c`")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or has what there is not.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// Line, cause and what is known there.
        message: String,
    },
    /// An entry makes no sense.
    #[error("{path}: {entry}: {problem}")]
    Entry {
        /// The file.
        path: String,
        /// Which entry.
        entry: String,
        /// Cause and remedy.
        problem: String,
    },
}

impl Configuration {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: shown.clone(), source })?;
        Self::parse(&text).map_err(|problem| match problem {
            Problem::Syntax(message) => ConfigError::Syntax { path: shown, message },
            Problem::Entry(entry, problem) => ConfigError::Entry { path: shown, entry, problem },
        })
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let file: File = toml::from_str(text)
            .map_err(|error| Problem::Syntax(without_the_text(&error, text)))?;
        let mut whole = Configuration {
            listen: file.listen,
            state_directory: file.state_directory,
            threads: file.threads,
            max_message_size: file.engine.max_message_size,
            max_repetitions: file.engine.max_getbulk_repeats,
            ..Configuration::default()
        };
        // RFC 3412 §6.3 has the least, a UDP datagram the most.
        if whole.max_message_size.is_some_and(|size| !(484..=65_507).contains(&size)) {
            let problem = "a message has 484 to 65507 octets".to_owned();
            return Err(Problem::Entry("engine.max-message-size".to_owned(), problem));
        }
        if let Some(id) = file.engine.id {
            whole.engine_id = Some(engine_id(&id).map_err(in_entry("engine.id"))?);
        }
        whole.system = SystemSettings {
            descr: file.system.descr,
            object_id: if file.system.object_id.is_empty() {
                Vec::new()
            } else {
                oid(&file.system.object_id).map_err(in_entry("system.object-id"))?
            },
            contact: file.system.contact,
            name: file.system.name,
            location: file.system.location,
            services: file.system.services,
        };
        for view in file.view {
            let entry = format!("view `{}`", view.name);
            for (list, included) in [(&view.include, true), (&view.exclude, false)] {
                for subtree in list {
                    let subtree = oid(subtree).map_err(in_entry(&entry))?;
                    whole.add_view(&view.name, subtree, included);
                }
            }
        }
        for user in file.user {
            let entry = format!("user `{}`", user.name);
            whole.add_user(user).map_err(in_entry(&entry))?;
        }
        for (at, community) in file.community.into_iter().enumerate() {
            // The name is a secret of sorts.
            let entry = format!("community {}", at + 1);
            whole.add_community(at, community).map_err(in_entry(&entry))?;
        }
        Ok(whole)
    }

    fn add_view(&mut self, name: &str, subtree: Vec<u32>, included: bool) {
        let view = name.as_bytes().to_vec();
        self.vacm.views.push(ViewFamily { view, subtree, mask: Vec::new(), included });
    }

    /// The view for what everybody sees who is not given another.
    fn view_or_all(&mut self, view: Option<String>) -> Result<Vec<u8>, String> {
        let Some(view) = view else {
            const ALL: &str = "_all";
            if !self.vacm.views.iter().any(|family| family.view == ALL.as_bytes()) {
                self.add_view(ALL, vec![1], true);
            }
            return Ok(ALL.into());
        };
        if self.vacm.views.iter().any(|family| family.view == view.as_bytes()) {
            Ok(view.into_bytes())
        } else {
            Err(format!("there is no view `{view}`; add a [[view]] with that name"))
        }
    }

    /// Lets a principal in, as a group of its own.
    fn allow(
        &mut self,
        models: &[u32],
        name: &str,
        level: SecurityLevel,
        access: Access,
        view: Option<String>,
    ) -> Result<(), String> {
        let view = self.view_or_all(view)?;
        let group = format!("_{name}").into_bytes();
        for &security_model in models {
            let security_name = name.as_bytes().to_vec();
            self.vacm.members.push(GroupMember {
                security_model,
                security_name,
                group: group.clone(),
            });
            self.vacm.access.push(AccessEntry {
                group: group.clone(),
                context: Vec::new(),
                exact: true,
                security_model,
                security_level: level as u32,
                read_view: view.clone(),
                write_view: if access == Access::Write { view.clone() } else { Vec::new() },
                notify_view: view.clone(),
            });
        }
        Ok(())
    }

    fn add_user(&mut self, user: UserTable) -> Result<(), String> {
        if user.name.is_empty() || user.name.len() > 32 {
            return Err("a user's name has 1 to 32 octets".into());
        }
        let auth = protocol(user.auth.as_deref(), &AUTH_PROTOCOLS, "auth")?;
        let private = protocol(user.r#priv.as_deref(), &PRIV_PROTOCOLS, "priv")?;
        if auth.is_empty() && !private.is_empty() {
            return Err("privacy needs authentication: add `auth` and `auth-passphrase`".into());
        }
        let highest = match (auth.is_empty(), private.is_empty()) {
            (true, _) => SecurityLevel::NoAuthNoPriv,
            (false, true) => SecurityLevel::AuthNoPriv,
            (false, false) => SecurityLevel::AuthPriv,
        };
        let level = user.level.map_or(highest, SecurityLevel::from);
        if level > highest {
            return Err("`level` is higher than what the user has keys for".into());
        }
        let (auth_form, auth_secret) = secret(&auth, user.auth_passphrase, "auth-passphrase")?;
        let fallback = user.priv_passphrase.or_else(|| {
            (!private.is_empty()).then(|| String::from_utf8(auth_secret.clone()).ok()).flatten()
        });
        let (priv_form, priv_secret) = secret(&private, fallback, "priv-passphrase")?;
        self.allow(&[security_model::USM], &user.name, level, user.access, user.view)?;
        self.usm.users.push(User {
            name: user.name,
            engine_id: Vec::new(),
            auth_protocol: auth,
            auth_form,
            auth_secret,
            priv_protocol: private,
            priv_form,
            priv_secret,
        });
        Ok(())
    }

    fn add_community(&mut self, at: usize, community: CommunityTable) -> Result<(), String> {
        if community.name.is_empty() {
            return Err("a community has a `name`".into());
        }
        let sources =
            community.source.iter().map(|text| source(text)).collect::<Result<Vec<_>, _>>()?;
        let security_name = format!("community-{}", at + 1);
        self.allow(
            &[security_model::SNMPV1, security_model::SNMPV2C],
            &security_name,
            SecurityLevel::NoAuthNoPriv,
            community.access,
            community.view,
        )?;
        self.communities.communities.push(Community {
            index: security_name.clone(),
            community: community.name.into_bytes(),
            security_name,
            context_name: Vec::new(),
            sources,
        });
        Ok(())
    }

    /// Adds a user who may read everything, privately.
    pub(crate) fn add_reader(
        &mut self,
        name: &str,
        auth_passphrase: &str,
        priv_passphrase: &str,
    ) -> Result<(), String> {
        self.add_user(UserTable {
            name: name.to_owned(),
            auth: Some("SHA-256".into()),
            auth_passphrase: Some(auth_passphrase.to_owned()),
            r#priv: Some("AES".into()),
            priv_passphrase: Some(priv_passphrase.to_owned()),
            access: Access::Read,
            view: None,
            level: None,
        })
    }
}

/// What is wrong and in which line, but not what stands there: it may be a passphrase.
fn without_the_text(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

enum Problem {
    Syntax(String),
    Entry(String, String),
}

fn in_entry(entry: &str) -> impl FnOnce(String) -> Problem {
    let entry = entry.to_owned();
    move |problem| Problem::Entry(entry, problem)
}

/// Names as net-snmp's `-a` spells them, with the last arc below snmpAuthProtocols.
const AUTH_PROTOCOLS: [(&str, &[u32]); 6] = [
    ("MD5", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 2]),
    ("SHA", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 3]),
    ("SHA-224", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 4]),
    ("SHA-256", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 5]),
    ("SHA-384", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 6]),
    ("SHA-512", &[1, 3, 6, 1, 6, 3, 10, 1, 1, 7]),
];

/// Names as net-snmp's `-x` spells them.
const PRIV_PROTOCOLS: [(&str, &[u32]); 6] = [
    ("DES", &[1, 3, 6, 1, 6, 3, 10, 1, 2, 2]),
    ("AES", &[1, 3, 6, 1, 6, 3, 10, 1, 2, 4]),
    ("AES-192", &[1, 3, 6, 1, 4, 1, 14832, 1, 3]),
    ("AES-256", &[1, 3, 6, 1, 4, 1, 14832, 1, 4]),
    ("AES-192-C", &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 1]),
    ("AES-256-C", &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 2]),
];

fn protocol(name: Option<&str>, known: &[(&str, &[u32])], entry: &str) -> Result<Vec<u32>, String> {
    let Some(name) = name else { return Ok(Vec::new()) };
    let wanted = name.to_ascii_uppercase().replace("AES-128", "AES").replace("AES128", "AES");
    let found = known.iter().find(|(known, _)| known.replace('-', "") == wanted.replace('-', ""));
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found
        .map(|(_, oid)| oid.to_vec())
        .ok_or_else(|| format!("`{entry} = \"{name}\"` is not known; there are {}", names()))
}

fn secret(
    protocol: &[u32],
    passphrase: Option<String>,
    entry: &str,
) -> Result<(KeyForm, Vec<u8>), String> {
    match (protocol.is_empty(), passphrase) {
        (true, None) => Ok((KeyForm::None, Vec::new())),
        (true, Some(_)) => Err(format!("`{entry}` has no protocol; name one")),
        (false, None) => Err(format!("`{entry}` is missing")),
        // RFC 3414 §11.2.
        (false, Some(phrase)) if phrase.len() < 8 => {
            Err(format!("`{entry}` has fewer than 8 octets"))
        }
        (false, Some(phrase)) => Ok((KeyForm::Password, phrase.into_bytes())),
    }
}

fn oid(text: &str) -> Result<Vec<u32>, String> {
    let arcs: Option<Vec<u32>> =
        text.trim_start_matches('.').split('.').map(|arc| arc.parse().ok()).collect();
    arcs.filter(|arcs| (1..=128).contains(&arcs.len()))
        .ok_or_else(|| format!("`{text}` is no object identifier; write numbers, as in 1.3.6.1"))
}

fn engine_id(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.trim_start_matches("0x");
    let octets: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    // RFC 3411 §5, SnmpEngineID.
    octets
        .filter(|octets| (5..=32).contains(&octets.len()))
        .filter(|octets| octets.iter().any(|&o| o != 0) && octets.iter().any(|&o| o != 0xff))
        .ok_or_else(|| format!("`{text}` is no engine ID; write 5 to 32 octets as hex digits"))
}

fn source(text: &str) -> Result<Source, String> {
    let wrong =
        || format!("`{text}` is no source; write an address or a network, as in 10.0.0.0/8");
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let bits = u32::try_from(octets.len() * 8).unwrap_or(0);
    let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| wrong()))?;
    if prefix > bits { Err(wrong()) } else { Ok(Source { address: octets, prefix }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        match Configuration::parse(text) {
            Ok(_) => panic!("nothing is wrong with {text}"),
            Err(Problem::Syntax(message)) => message,
            Err(Problem::Entry(entry, problem)) => format!("{entry}: {problem}"),
        }
    }

    #[test]
    fn a_user_and_a_community_become_settings_of_three_modules() {
        let text = r#"
            listen = ["udp:127.0.0.1:1161"]
            [engine]
            id = "80001f8880aabbccdd"
            [[view]]
            name = "system"
            include = [".1.3.6.1.2.1.1"]
            [[user]]
            name = "alice"
            auth = "SHA-256"
            auth-passphrase = "correct horse"
            priv = "AES-128"
            access = "write"
            [[community]]
            name = "public"
            source = ["10.0.0.0/8", "::1"]
            view = "system"
        "#;
        let whole = Configuration::parse(text).map_err(|_| "wrong").unwrap();
        assert_eq!(whole.engine_id.as_deref().map(<[u8]>::len), Some(9));
        let alice = &whole.usm.users[0];
        assert_eq!(alice.auth_protocol.last(), Some(&5));
        assert_eq!(alice.priv_secret, b"correct horse", "one passphrase serves for both");
        assert_eq!(whole.vacm.access[0].write_view, b"_all");
        assert_eq!(whole.communities.communities[0].sources[0].prefix, 8);
        assert_eq!(whole.communities.communities[0].sources[1].prefix, 128);
        assert_eq!(whole.vacm.access[1].read_view, b"system");
        assert_eq!(whole.vacm.access[1].write_view, b"");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_the_remedy() {
        let user = |more: &str| format!("[[user]]\nname = \"a\"\n{more}");
        for (text, wanted) in [
            ("lisden = []".to_owned(), "line 1"),
            (user("auth = \"SHA-3\""), "there are MD5, SHA"),
            (user("auth = \"SHA\""), "`auth-passphrase` is missing"),
            (user("auth = \"SHA\"\nauth-passphrase = \"short\""), "fewer than 8"),
            (user("priv = \"AES\""), "privacy needs authentication"),
            (user("view = \"nobody\""), "add a [[view]]"),
            (user("level = \"authPriv\""), "higher than"),
            ("[engine]\nid = \"80\"".to_owned(), "5 to 32 octets"),
            ("[engine]\nmax-message-size = 100".to_owned(), "484 to 65507"),
            ("\n[[user]]\nname = \"a\"\nauth-passphrase = \"secret".to_owned(), "line 4"),
            ("[[community]]\nname = \"x\"\nsource = [\"10.0.0.0/33\"]".to_owned(), "no source"),
            ("[[view]]\nname = \"v\"\ninclude = [\"system\"]".to_owned(), "write numbers"),
        ] {
            let found = problem(&text);
            assert!(found.contains(wanted), "{text}: {found}");
            assert!(!found.contains("secret"), "{found}");
        }
    }
}
