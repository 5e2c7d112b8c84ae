//! The configuration: `sagentd.toml` as it is written, checked, and turned into settings of modules.
//!
//! It opens no socket and changes nothing. Invariant: a [`Configuration`] that was read is whole; whatever
//! is wrong with a file is told with its line, the name of the entry, and the remedy.

mod file;
mod lines;
mod names;
mod notify;
mod swap;
mod watch;

pub(crate) use swap::SwapSettings;

use crate::{address, metrics};
use file::{Access, CommunityTable, File, LimitsTable, UserTable};
use lines::{Lines, Places};
use names::{AUTH_PROTOCOLS, PRIV_PROTOCOLS, engine_id, oid, protocol, secret, source};
use roles::settings::{
    AccessEntry, Community, CommunitySettings, GroupMember, KeyForm, NotifySettings, SnmpSettings,
    SystemSettings, UcdSettings, User, UsmSettings, VacmSettings, ViewFamily,
};
use roles::varbind::{SecurityLevel, security_model};
use rustix::thread::CapabilitySet;
use s_engine::Limits;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Everything that an operator decides.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) listen: Vec<String>,
    pub(crate) state_directory: Option<PathBuf>,
    pub(crate) threads: Option<usize>,
    /// Whom to become once the sockets are open.
    pub(crate) run_as: Option<String>,
    pub(crate) run_as_group: Option<String>,
    /// Whether SETs may bring interfaces up and down.
    pub(crate) may_set_links: bool,
    /// Where the control socket is.
    pub(crate) control: Option<PathBuf>,
    /// Where metrics are read; nowhere where it is empty.
    pub(crate) metrics: Vec<String>,
    pub(crate) engine_id: Option<Vec<u8>>,
    pub(crate) max_message_size: Option<u32>,
    pub(crate) max_repetitions: Option<u32>,
    pub(crate) max_responses: Option<u32>,
    pub(crate) limits: LimitsTable,
    pub(crate) system: SystemSettings,
    pub(crate) snmp: SnmpSettings,
    pub(crate) usm: UsmSettings,
    pub(crate) communities: CommunitySettings,
    pub(crate) vacm: VacmSettings,
    pub(crate) notify: NotifySettings,
    pub(crate) ucd: UcdSettings,
    pub(crate) swap: SwapSettings,
    /// Where in the file what stands.
    pub(crate) places: Places,
    /// It was read, not made up because there was none.
    pub(crate) is_from_a_file: bool,
    /// Nobody is let in whom it does not name, even if it names nobody.
    pub(crate) is_closed: bool,
    /// It named nobody, so a user was made.
    pub(crate) has_first_user: bool,
    /// What an operator should hear of whenever it is read.
    pub(crate) warnings: Vec<String>,
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
    /// It is not TOML, has what there is not, or an entry makes no sense.
    #[error("{path}:{line}: {problem}")]
    Wrong {
        /// The file.
        path: String,
        /// Where in it.
        line: usize,
        /// Entry, cause and remedy.
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
        let mut whole = Self::parse(&text).map_err(|Problem { line, problem }| {
            ConfigError::Wrong { path: shown, line, problem }
        })?;
        path.clone_into(&mut whole.places.file);
        Ok(whole)
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        // What is wrong and in which line, but not what stands there: it may be a passphrase.
        let file: File = toml::from_str(text).map_err(|error| Problem {
            line: Lines::new(text).at(error.span().map_or(0, |span| span.start)),
            problem: error.message().to_owned(),
        })?;
        let mut whole = Self::from_file(file).map_err(|Wrong { place, entry, problem }| {
            Problem { line: Lines::new(text).of(&place), problem: format!("{entry}: {problem}") }
        })?;
        whole.places = Places::new(text, &whole);
        Ok(whole)
    }

    fn from_file(file: File) -> Result<Self, Wrong> {
        for (place, listen) in [("listen", &file.listen), ("metrics.listen", &file.metrics.listen)]
        {
            let read = match place {
                "listen" => address::read(listen),
                _ => metrics::places_of(listen),
            };
            read.map_err(|(at, problem)| Wrong::at(&format!("{place}.{at}"), place, problem))?;
        }
        let mut whole = Configuration {
            listen: file.listen,
            state_directory: file.state_directory,
            threads: file.threads,
            run_as: file.run_as,
            run_as_group: file.run_as_group,
            may_set_links: file.may_set_links,
            control: file.control,
            metrics: file.metrics.listen,
            max_message_size: file.engine.max_message_size,
            max_repetitions: file.engine.max_getbulk_repeats,
            max_responses: file.engine.max_getbulk_responses,
            limits: file.limits,
            ..Configuration::default()
        };
        if whole.threads.is_some_and(|threads| !(1..=MOST_THREADS).contains(&threads)) {
            let problem = format!("write 1 to {MOST_THREADS}, or leave it away for one per core");
            return Err(in_entry("threads")(problem));
        }
        // RFC 3412 §6.3 has the least, a UDP datagram the most.
        if whole.max_message_size.is_some_and(|size| !(484..=65_507).contains(&size)) {
            let problem = "a message has 484 to 65507 octets; write a number between".to_owned();
            return Err(in_entry("engine.max-message-size")(problem));
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
        whole.snmp.authentication_traps = file.system.authentication_traps;
        whole.ucd = watch::settings(file.watch).map_err(in_entry("watch"))?;
        whole.swap = swap::settings(file.swap).map_err(in_entry("swap"))?;
        for (at, view) in file.view.into_iter().enumerate() {
            let entry = format!("view `{}`", view.name);
            for (key, list) in [("include", &view.include), ("exclude", &view.exclude)] {
                for (nth, subtree) in list.iter().enumerate() {
                    let place = format!("view.{at}.{key}.{nth}");
                    let subtree =
                        oid(subtree).map_err(|problem| Wrong::at(&place, &entry, problem))?;
                    whole.add_view(&view.name, subtree, key == "include");
                }
            }
        }
        for (at, user) in file.user.into_iter().enumerate() {
            let (place, entry) = (format!("user.{at}"), format!("user `{}`", user.name));
            whole.add_user(user).map_err(|problem| Wrong::at(&place, &entry, problem))?;
        }
        for (at, community) in file.community.into_iter().enumerate() {
            // The name is a secret of sorts.
            let (place, entry) = (format!("community.{at}"), format!("community {}", at + 1));
            whole
                .add_community(at, community)
                .map_err(|problem| Wrong::at(&place, &entry, problem))?;
        }
        for (at, notify) in file.notify.into_iter().enumerate() {
            let (place, entry) = (format!("notify.{at}"), format!("notify {}", at + 1));
            whole.add_notify(at, notify).map_err(|problem| Wrong::at(&place, &entry, problem))?;
        }
        Ok(whole)
    }

    /// Whether the operator named anybody who is to be let in.
    pub(crate) fn names_somebody(&self) -> bool {
        let nobody = self.usm.users.is_empty()
            && self.communities.communities.is_empty()
            && self.vacm.members.is_empty();
        !nobody && !self.has_first_user
    }

    fn add_view(&mut self, name: &str, subtree: Vec<u32>, included: bool) {
        let view = name.as_bytes().to_vec();
        self.vacm.views.push(ViewFamily { view, subtree, mask: Vec::new(), included });
    }

    /// The view of who is not given another and is proven, or is told only: everything.
    fn view_or_all(&mut self, view: Option<String>) -> Result<Vec<u8>, String> {
        self.view_or(view, "_all", &[])
    }

    /// A view that is configured, or a usual one.
    fn view_or(
        &mut self,
        view: Option<String>,
        usual: &str,
        without: &[&[u32]],
    ) -> Result<Vec<u8>, String> {
        let known =
            |name: &str| self.vacm.views.iter().any(|family| family.view == name.as_bytes());
        match view {
            Some(view) if known(&view) => Ok(view.into_bytes()),
            Some(view) => Err(format!("there is no view `{view}`; add a [[view]] with that name")),
            None => {
                if !known(usual) {
                    self.add_view(usual, vec![1], true);
                    without.iter().for_each(|root| self.add_view(usual, root.to_vec(), false));
                }
                Ok(usual.into())
            }
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
        let view = match level {
            SecurityLevel::NoAuthNoPriv => self.view_or(view, "_unproven", &SECURITY_TABLES)?,
            SecurityLevel::AuthNoPriv | SecurityLevel::AuthPriv => self.view_or_all(view)?,
        };
        let group = group_of(name);
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
        let security_name = community_principal(community.access, community.view.as_deref());
        let is_known = |member: &GroupMember| member.security_name == security_name.as_bytes();
        if !self.vacm.members.iter().any(is_known) {
            self.allow(
                &[security_model::SNMPV1, security_model::SNMPV2C],
                &security_name,
                SecurityLevel::NoAuthNoPriv,
                community.access,
                community.view,
            )?;
        }
        self.communities.communities.push(Community {
            // In the order of the file, which is the order in which communities of one name are tried.
            index: format!("community-{:05}", at + 1),
            community: community.name.into_bytes(),
            security_name,
            context_name: Vec::new(),
            sources,
        });
        Ok(())
    }

    /// Adds a user who may read everything, privately, with two passphrases or two keys.
    pub(crate) fn add_reader(
        &mut self,
        name: &str,
        form: KeyForm,
        [auth_secret, priv_secret]: [Vec<u8>; 2],
    ) -> Result<(), String> {
        let level = SecurityLevel::AuthPriv;
        self.allow(&[security_model::USM], name, level, Access::Read, None)?;
        self.usm.users.push(User {
            name: name.to_owned(),
            engine_id: Vec::new(),
            auth_protocol: protocol(Some("SHA-256"), &AUTH_PROTOCOLS, "auth")?,
            auth_form: form,
            auth_secret,
            priv_protocol: protocol(Some("AES"), &PRIV_PROTOCOLS, "priv")?,
            priv_form: form,
            priv_secret,
        });
        Ok(())
    }

    /// The settings that differ in another configuration and are taken over by a restart only.
    pub(crate) fn needs_restart_for(&self, new: &Self) -> Vec<&'static str> {
        let differ = [
            ("listen", self.listen != new.listen),
            ("state-directory", self.state_directory != new.state_directory),
            ("threads", self.threads != new.threads),
            ("run-as", self.run_as != new.run_as),
            ("run-as-group", self.run_as_group != new.run_as_group),
            ("may-set-links", self.may_set_links != new.may_set_links),
            ("control", self.control != new.control),
            ("metrics.listen", self.metrics != new.metrics),
            ("engine.id", self.engine_id != new.engine_id),
            ("engine.max-message-size", self.max_message_size != new.max_message_size),
            ("engine.max-getbulk-repeats", self.max_repetitions != new.max_repetitions),
            ("engine.max-getbulk-responses", self.max_responses != new.max_responses),
            ("limits", self.limits != new.limits),
            ("swap", self.swap != new.swap),
        ];
        differ.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
    }

    /// The capabilities that the agent keeps.
    pub(crate) fn keep(&self) -> CapabilitySet {
        match self.may_set_links {
            true => CapabilitySet::NET_ADMIN,
            false => CapabilitySet::empty(),
        }
    }

    /// What requests and sources may take.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        let LimitsTable {
            packets_per_second,
            packet_burst,
            unproven_answer,
            unproven_factor,
            failures_per_second,
            failure_burst,
        } = self.limits;
        Limits {
            max_repetitions: self.max_repetitions.unwrap_or(usual.max_repetitions),
            max_responses: self.max_responses.unwrap_or(usual.max_responses),
            packets_per_second: packets_per_second.unwrap_or(usual.packets_per_second),
            packet_burst: packet_burst.unwrap_or(usual.packet_burst),
            unproven_answer: unproven_answer.unwrap_or(usual.unproven_answer),
            unproven_factor: unproven_factor.unwrap_or(usual.unproven_factor),
            failures_per_second: failures_per_second.unwrap_or(usual.failures_per_second),
            failure_burst: failure_burst.unwrap_or(usual.failure_burst),
            ..usual
        }
    }

    /// What is in force after a reload: the new settings, but for those that wait for a restart.
    pub(crate) fn reloaded(self, new: Self) -> Self {
        Configuration {
            listen: self.listen,
            state_directory: self.state_directory,
            threads: self.threads,
            run_as: self.run_as,
            run_as_group: self.run_as_group,
            control: self.control,
            metrics: self.metrics,
            engine_id: self.engine_id,
            max_message_size: self.max_message_size,
            max_repetitions: self.max_repetitions,
            max_responses: self.max_responses,
            limits: self.limits,
            swap: self.swap,
            ..new
        }
    }
}

/// Threads for each UDP address: more than any machine has use for, and less than what a process may start.
const MOST_THREADS: usize = 256;

/// What nobody sees or changes by default who is not proven: users, access rights, communities.
const SECURITY_TABLES: [&[u32]; 3] =
    [&[1, 3, 6, 1, 6, 3, 15, 1, 2], &[1, 3, 6, 1, 6, 3, 16, 1], &[1, 3, 6, 1, 6, 3, 18, 1, 1]];

/// The group that a principal has to itself. Names of groups and of principals may be equally long, so
/// nothing is added.
fn group_of(principal: &str) -> Vec<u8> {
    principal.into()
}

/// The principal that a community stands for is named after what he may do, and after nothing else: whoever
/// reorders a file, or is met by a request between the two modules that take it over, gives no community
/// the rights of another.
fn community_principal(access: Access, view: Option<&str>) -> String {
    /// SnmpAdminString of vacmSecurityName.
    const MOST: usize = 32;
    let access = match access {
        Access::Read => "_read",
        Access::Write => "_write",
    };
    let Some(view) = view else { return access.to_owned() };
    let name = format!("{access}.{view}");
    if name.len() <= MOST {
        return name;
    }
    let digest = Sha256::digest(view);
    let digits = digest.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    format!("{access}#{}", &digits[..MOST - access.len() - 1])
}

/// What is wrong with a text, and in which line.
#[derive(Debug)]
struct Problem {
    line: usize,
    problem: String,
}

/// What is wrong with an entry.
struct Wrong {
    /// Where it stands, as [`Lines::of`] takes it.
    place: String,
    /// What an operator calls it.
    entry: String,
    problem: String,
}

impl Wrong {
    fn at(place: &str, entry: &str, problem: String) -> Self {
        Wrong { place: place.to_owned(), entry: entry.to_owned(), problem }
    }
}

/// For an entry that is called as it stands in the file.
fn in_entry(entry: &str) -> impl FnOnce(String) -> Wrong {
    move |problem| Wrong::at(entry, entry, problem)
}

#[cfg(test)]
mod tests;
