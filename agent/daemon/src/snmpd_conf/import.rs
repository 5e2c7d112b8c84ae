//! net-snmp's persistent file, taken over into the state directory: the engineID, how often the engine
//! started, the users with the keys that they have there, and what SETs wrote to the system group and to
//! snmpEnableAuthenTraps.
//!
//! So a manager that knows the old agent goes on with the same passphrases. No key is printed and none is
//! derived: what is in the file is already localized to the engineID. Invariants: boots are strictly greater
//! afterwards than they were under net-snmp (RFC 3414 §2.2.2), and are never fewer than what was here for
//! the same engineID; nothing is written before everything was read and found sound; a line that is not
//! taken over is told with the reason.

use super::verdict::{Line, Told, Verdict, ignored, refused};
use super::words::{Words, hex};
use super::{engine, reader, users};
use crate::identity::{self, Engine};
use crate::keeper;
use crate::store::Store;
use roles::settings::{KeyForm, User};
use s_sdk::State as _;
use s_sdk::value::Field;
use security_usm::settings::Kept;
use security_usm::users::{Secret, StorageType, UserRow};
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Where Debian's snmpd keeps it.
pub(crate) const USUAL: &str = "/var/lib/snmp/snmpd.conf";

/// The components that keep what is taken over.
const USM: &str = "security.usm";
const SYSTEM: &str = "mib.system";
const SNMP: &str = "mib.snmp";

/// A persistent file, read.
pub(crate) struct Persistent {
    /// What became of each line.
    pub(crate) lines: Vec<Line>,
    engine_id: Option<Vec<u8>>,
    boots: Option<u32>,
    users: Vec<User>,
    system: mib_system::Kept,
    snmp: Option<mib_snmp::Kept>,
}

/// How careful an import is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Writes nothing.
    pub(crate) dry_run: bool,
    /// Writes although an agent runs, the directory belongs to another engineID, or lines are refused.
    pub(crate) force: bool,
}

/// What was taken over, or would be.
pub(crate) struct Taken {
    engine_id: Vec<u8>,
    /// What the next start will count.
    boots: u32,
    users: Vec<String>,
    /// Users of other engines, which only matter to those who send to them.
    elsewhere: usize,
    /// What was written to variables, by their names.
    texts: Vec<(&'static str, Vec<u8>)>,
    authen_traps: Option<i32>,
    /// Lines that are not taken over, and why.
    left: Vec<Line>,
}

impl Persistent {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut lines = Vec::new();
        let (mut engine_id, mut boots, mut users) = (None, None, Vec::new());
        let (mut system, mut snmp) = (mib_system::Kept::default(), None);
        let mut each = |_, name: &str, words: &mut Words<'_>| -> Told {
            match &name.to_ascii_lowercase()[..] {
                "usmuser" => match users::usm_user(words)? {
                    Some(user) => users::add(&mut users, user),
                    None => ignored("the row is not in use"),
                },
                "oldengineid" => {
                    let id = hex(&words.word().unwrap_or_default());
                    engine_id = Some(id.filter(|id| (5..=32).contains(&id.len())).map_or_else(
                        || {
                            refused(
                                "this is no engineID: take the line from the file that snmpd wrote",
                            )
                        },
                        Ok,
                    )?);
                    Ok(String::new())
                }
                "engineboots" => {
                    let number = words.word().and_then(|number| number.parse().ok());
                    boots = Some(number.map_or_else(
                        || {
                            refused(
                                "this is no number: take the line from the file that snmpd wrote",
                            )
                        },
                        Ok,
                    )?);
                    Ok(String::new())
                }
                "createuser" => refused(
                    "a passphrase is not taken over: start and stop snmpd, which makes keys of it, or write the \
                        line into the configuration",
                ),
                "vacmview" | "vacmgroup" | "vacmaccess" | "vacmauthaccess" => refused(
                    "access that was given by SET is not taken over: write it as view, group and access lines",
                ),
                "psyscontact" => text(&mut system.contact, words),
                "psysname" => text(&mut system.name, words),
                "psyslocation" => text(&mut system.location, words),
                "pauthtrapenable" => match words.word().and_then(|number| number.parse().ok()) {
                    Some(authen_traps @ (1 | 2)) => {
                        snmp = Some(mib_snmp::Kept { authen_traps });
                        Ok(String::new())
                    }
                    _ => refused(
                        "this is neither 1 nor 2: take the line from the file that snmpd wrote",
                    ),
                },
                "targetaddr"
                | "targetparams"
                | "snmpnotifytable"
                | "snmpnotifyfilterprofiletable"
                | "snmpnotifyfiltertable" => ignored(
                    "receivers of notifications that were made by SET are not taken over: write them as trapsess, \
                     trap2sink or informsink lines, or make them again by SET",
                ),
                "setserialno" => ignored("snmpSetSerialNo begins anew with every start (RFC 3418)"),
                "ifxtable" => ignored(
                    "what was set for an interface by its number is not taken over: set it again",
                ),
                _ => ignored("this agent finds it out by itself, or has nothing that it is for"),
            }
        };
        let mut told = |section, name: &str, words: &mut Words<'_>| match words.rest() {
            Some(_) => each(section, name, words),
            None => ignored("nothing stands behind it"),
        };
        reader::read(path, &mut lines, &mut told)?;
        Ok(Persistent { lines, engine_id, boots, users, system, snmp })
    }

    /// Takes everything over.
    ///
    /// # Errors
    /// Why not, with the remedy; then nothing has changed.
    pub(crate) fn take_over(self, directory: &Path, manner: Manner) -> Result<Taken, String> {
        let left = self.lines.into_iter().filter(|l| !matches!(l.verdict, Verdict::Honoured(_)));
        let left: Vec<Line> = left.collect();
        let refused = left.iter().filter(|line| matches!(line.verdict, Verdict::Refused(_)));
        let refused: Vec<String> = refused.map(Line::to_string).collect();
        if !refused.is_empty() && !manner.force {
            return Err(format!(
                "{}\nnothing was taken over; with --force everything else is",
                refused.join("\n")
            ));
        }
        let (Some(engine_id), Some(boots)) = (self.engine_id, self.boots) else {
            return Err("the file has no oldEngineID or no engineBoots line, so its keys are good for nothing here; \
                        name the file that snmpd wrote when it ended, with --from".into());
        };
        if !manner.force {
            unused(directory)?;
        }
        // A dry run leaves no directory behind.
        let store = if manner.dry_run && !directory.exists() {
            None
        } else {
            Some(Store::open(directory)?)
        };
        let engine = store.as_ref().map(identity::kept).transpose()?.flatten();
        if let Some(other) = engine.as_ref().filter(|engine| engine.engine_id != engine_id)
            && !manner.force
        {
            return Err(format!(
                "{} belongs to the engineID {} and the file to {}; name another --state-directory, or give this \
                 engine up with --force",
                directory.display(),
                Hex(&other.engine_id),
                Hex(&engine_id)
            ));
        }
        // The number of the last start that was counted; the next one counts one more.
        let (same, other) = match engine {
            Some(engine) if engine.engine_id == engine_id => (Some(engine), None),
            other => (None, other),
        };
        let before = match (&same, &store) {
            (Some(engine), _) => engine.boots,
            (None, Some(store)) => identity::earlier_boots(store, &engine_id)?,
            (None, None) => 0,
        };
        let engine = Engine { engine_id, boots: boots.max(before) };
        let next_boots = engine.boots.saturating_add(1).min(identity::LATEST_BOOT);
        let (own, elsewhere): (Vec<&User>, Vec<&User>) =
            self.users.iter().partition(|user| user.engine_id == engine.engine_id);
        let taken = Taken {
            engine_id: engine.engine_id.clone(),
            boots: next_boots,
            users: own.iter().map(|user| user.name.clone()).collect(),
            elsewhere: elsewhere.len(),
            texts: texts(&self.system),
            authen_traps: self.snmp.as_ref().map(|snmp| snmp.authen_traps),
            left,
        };
        let Some(store) = store.filter(|_| !manner.dry_run) else { return Ok(taken) };

        let mut rows = kept::<Kept>(&store, USM)?.map_or_else(Vec::new, |kept| kept.users);
        for user in self.users {
            let row = row(user);
            rows.retain(|known| known.engine_id != row.engine_id || known.name != row.name);
            rows.push(row);
        }
        let mut files = vec![(keeper::file(USM), roles::settings::write(&Kept { users: rows }))];
        if !taken.texts.is_empty() {
            let before = kept::<mib_system::Kept>(&store, SYSTEM)?.unwrap_or_default();
            let system = mib_system::Kept {
                contact: self.system.contact.or(before.contact),
                name: self.system.name.or(before.name),
                location: self.system.location.or(before.location),
            };
            files.push((keeper::file(SYSTEM), roles::settings::write(&system)));
        }
        files.extend(self.snmp.map(|snmp| (keeper::file(SNMP), roles::settings::write(&snmp))));
        if let Some(other) = other {
            identity::retire(&store, other)?;
            let before = format!("{}.before", identity::EARLIER);
            for name in [identity::EARLIER, &before] {
                same_owner(&store, name)?;
            }
        }
        let mut octets = Vec::new();
        engine.export(1, &mut octets).map_err(|error| error.to_string())?;
        // The engine last: a crash in between leaves users without one, and the import can be done again.
        files.push((identity::FILE.to_owned(), octets));
        for (name, octets) in files {
            store.write(&name, &octets).map_err(|error| error.to_string())?;
            same_owner(&store, &name)?;
        }
        Ok(taken)
    }
}

/// What a component has kept, if anything.
fn kept<T: Field>(store: &Store, component: &str) -> Result<Option<T>, String> {
    let read = |octets: &[u8]| roles::settings::read(octets).ok();
    Ok(store.read(&keeper::file(component), read)?.into_parts().0)
}

/// What a SET wrote to a text of the system group: the rest of the line as it stands.
fn text(place: &mut Option<Vec<u8>>, words: &Words<'_>) -> Told {
    let rest = words.rest().unwrap_or_default();
    if !rest.is_ascii() {
        return ignored("the text is not ASCII (RFC 3418: DisplayString): set it again");
    }
    let mut text = String::new();
    engine::text(&mut text, rest)?;
    *place = Some(text.into_bytes());
    Ok(String::new())
}

/// The texts that are there, by their names.
fn texts(system: &mib_system::Kept) -> Vec<(&'static str, Vec<u8>)> {
    let mib_system::Kept { contact, name, location } = system;
    let all = [("sysContact", contact), ("sysName", name), ("sysLocation", location)];
    all.into_iter().filter_map(|(name, text)| text.clone().map(|text| (name, text))).collect()
}

/// Whether no agent runs on a state directory: it holds a lock on its repository while it does.
fn unused(directory: &Path) -> Result<(), String> {
    let Ok(repository) = File::open(directory.join("swap")) else { return Ok(()) };
    match repository.try_lock() {
        Err(TryLockError::WouldBlock) => Err(format!(
            "an agent runs on {}, and would write over what is taken over; end it first",
            directory.display()
        )),
        _ => Ok(()),
    }
}

/// Gives a file to whom the directory belongs: the agent's user, while this one may be root.
fn same_owner(store: &Store, name: &str) -> Result<(), String> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let path = store.path().join(name);
    let given = std::fs::metadata(store.path())
        .and_then(|owner| chown(&path, Some(owner.uid()), Some(owner.gid())));
    given.map_err(|error| format!("{}: {error}", path.display()))
}

fn row(user: User) -> UserRow {
    UserRow {
        auth_protocol: user.auth_protocol,
        auth: secret(user.auth_form, user.auth_secret),
        priv_protocol: user.priv_protocol,
        privacy: secret(user.priv_form, user.priv_secret),
        storage: StorageType::NonVolatile,
        has_own_auth: true,
        has_own_priv: true,
        ..UserRow::new(&user.engine_id, user.name.as_bytes())
    }
}

const fn secret(form: KeyForm, octets: Vec<u8>) -> Secret {
    Secret { form, octets }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Taken { engine_id, boots, users, elsewhere, texts, authen_traps, left } = self;
        writeln!(f, "engineID {}", Hex(engine_id))?;
        writeln!(f, "snmpEngineBoots {boots} at the next start")?;
        for user in users {
            writeln!(f, "user {}", user.escape_debug())?;
        }
        if *elsewhere > 0 {
            writeln!(f, "and {elsewhere} with keys for other engines")?;
        }
        for (name, text) in texts {
            writeln!(f, "{name} {}", text.escape_ascii())?;
        }
        if let Some(authen_traps) = authen_traps {
            writeln!(f, "snmpEnableAuthenTraps {authen_traps}")?;
        }
        if !left.is_empty() {
            writeln!(f, "These lines are not taken over:")?;
        }
        left.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# persistent\n\
        createUser\n\
        usmUser 1 3 0x8000000001020304 \"alice\" \"alice\" NULL .1.3.6.1.6.3.10.1.1.3 \
        0x312e837b4f0937663f4d0bfad4434eb338e9d7f4 .1.3.6.1.6.3.10.1.2.4 0x312e837b4f0937663f4d0bfad4434eb3 \"\"\n\
        usmUser 1 3 0x8000000001020305 \"carl\" \"carl\" NULL .1.3.6.1.6.3.10.1.1.1 \"\" .1.3.6.1.6.3.10.1.2.1 \
            \"\" \"\"\n\
        psyslocation rack 9\n\
        psyscontact ops \"quoted\" # x\n\
        psysname r\u{e4}ck\n\
        pauthtrapenable 1\n\
        snmpNotifyTable  \"n\" \"tag\" 1 3 1\n\
        targetAddr t .1.3.6.1.6.1.1 0x7f00000100a2 1500 3 \"tag\" p 3 1\n\
        targetParams p 1 2 pub 1 3 1\n\
        setserialno 1329109105\n\
        engineBoots 7\n\
        oldEngineID 0x8000000001020304\n\
        ifXTable .1 14:0 18:0x $\n";

    fn persistent(directory: &Path, text: &str) -> Persistent {
        let path = directory.join("snmpd.conf");
        std::fs::write(&path, text).unwrap();
        Persistent::read(&path).unwrap()
    }

    fn kept(directory: &Path) -> (Engine, Vec<UserRow>) {
        let store = Store::open(directory).unwrap();
        let engine = identity::kept(&store).unwrap().unwrap();
        let users =
            store.read(&keeper::file(USM), |octets| roles::settings::read::<Kept>(octets).ok());
        (engine, users.unwrap().into_parts().0.unwrap().users)
    }

    #[test]
    fn boots_are_strictly_greater_and_keys_are_told_to_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let dry = Manner { dry_run: true, force: false };
        let taken = persistent(directory.path(), FILE).take_over(&state, dry).unwrap().to_string();
        assert!(!state.exists(), "a dry run writes nothing");
        let done = persistent(directory.path(), FILE).take_over(&state, Manner::default()).unwrap();
        assert_eq!(done.to_string(), taken);
        assert!(taken.contains("0x8000000001020304") && taken.contains("Boots 8 at"), "{taken}");
        assert!(taken.contains("user alice") && taken.contains("and 1 with keys"), "{taken}");
        assert!(!taken.contains("312e"), "{taken}");
        assert!(taken.contains("sysLocation rack 9\n"), "{taken}");
        assert!(taken.contains("snmpEnableAuthenTraps 1\n"), "{taken}");
        let left = ["psysname", "snmpNotifyTable", "targetAddr", "targetParams", "setserialno"];
        for directive in left.iter().chain(&["createUser", "ifXTable"]) {
            let told =
                taken.lines().find(|line| line.contains(&format!(": ignored: {directive}: ")));
            assert!(told.is_some(), "{directive}: {taken}");
        }
        let store = Store::open(&state).unwrap();
        let system = mib_system::Kept {
            contact: Some(b"ops \"quoted\" # x".to_vec()),
            name: None,
            location: Some(b"rack 9".to_vec()),
        };
        assert_eq!(super::kept(&store, SYSTEM), Ok(Some(system)));
        assert_eq!(super::kept(&store, SNMP), Ok(Some(mib_snmp::Kept { authen_traps: 1 })));
        let (engine, users) = kept(&state);
        assert_eq!((engine.boots, users.len()), (7, 2));
        assert_eq!(users[0].auth.octets.len(), 20);
        let store = Store::open(&state).unwrap();
        assert_eq!(identity::begin(&store, None).unwrap().0.boots, 8);

        // Again, with more boots here than there: they stay, and nobody is there twice.
        persistent(directory.path(), &FILE.replace("Boots 7", "Boots 3"))
            .take_over(&state, Manner::default())
            .unwrap();
        let (engine, users) = kept(&state);
        assert_eq!((engine.boots, users.len()), (8, 2));
    }

    #[test]
    fn what_would_lose_something_is_refused_unless_it_is_forced() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let force = Manner { force: true, dry_run: false };
        let why = |text: &str| {
            let taken = persistent(directory.path(), text).take_over(&state, Manner::default());
            taken.map(|_| ()).unwrap_err()
        };
        assert!(why("engineBoots 7\n").contains("no oldEngineID"));
        assert!(
            why(&format!("{FILE}createUser bob SHA secret-secret\n")).contains("not taken over")
        );
        assert!(
            why(&format!("{FILE}vacmView 1 3 1 \"v\" .1 0x\n")).contains("view, group and access")
        );
        assert!(!why(&format!("{FILE}createUser bob SHA secret-secret\n")).contains("secret-"));
        assert!(
            why(&FILE.replace("0x312e837b4f0937663f4d0bfad4434eb338e9d7f4", "0x31"))
                .contains("does not write")
        );
        assert!(!state.join(identity::FILE).exists(), "nothing was written");

        persistent(directory.path(), FILE).take_over(&state, Manner::default()).unwrap();
        let other =
            FILE.replace("oldEngineID 0x8000000001020304", "oldEngineID 0x8000000001020399");
        assert!(why(&other).contains("belongs to the engineID 0x8000000001020304"));
        std::fs::create_dir(state.join("swap")).unwrap();
        let lock = File::open(state.join("swap")).unwrap();
        lock.lock().unwrap();
        assert!(why(FILE).contains("an agent runs on"));
        persistent(directory.path(), &other).take_over(&state, force).unwrap();
        assert_eq!(kept(&state).0.engine_id.last(), Some(&0x99));
        // The one that is given up goes on where it was, should it come back.
        let was = [0x80, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(identity::earlier_boots(&Store::open(&state).unwrap(), &was), Ok(7));
        persistent(directory.path(), &FILE.replace("engineBoots 7", "engineBoots 2"))
            .take_over(&state, force)
            .unwrap();
        assert_eq!(kept(&state).0.boots, 7);
    }
}
