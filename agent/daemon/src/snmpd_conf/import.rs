//! net-snmp's persistent file, taken over into the state directory: the engineID, how often the engine
//! started, and the users with the keys that they have there.
//!
//! So a manager that knows the old agent goes on with the same passphrases. No key is printed and none is
//! derived: what is in the file is already localized to the engineID. Invariants: boots are strictly greater
//! afterwards than they were under net-snmp (RFC 3414 §2.2.2), and are never fewer than what was here for
//! the same engineID; nothing is written before everything was read and found sound.

use super::verdict::{Line, Told, Verdict, ignored, refused};
use super::words::{Words, hex};
use super::{reader, users};
use crate::identity::{self, Engine};
use crate::keeper;
use crate::store::Store;
use roles::settings::{KeyForm, User};
use s_sdk::State as _;
use security_usm::settings::Kept;
use security_usm::users::{Secret, StorageType, UserRow};
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Where Debian's snmpd keeps it.
pub(crate) const USUAL: &str = "/var/lib/snmp/snmpd.conf";

/// The component whose users these are.
const USM: &str = "security.usm";

/// A persistent file, read.
pub(crate) struct Persistent {
    /// What became of each line.
    pub(crate) lines: Vec<Line>,
    engine_id: Option<Vec<u8>>,
    boots: Option<u32>,
    users: Vec<User>,
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
}

impl Persistent {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut lines = Vec::new();
        let (mut engine_id, mut boots, mut users) = (None, None, Vec::new());
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
                _ => ignored("the agent finds it out by itself, or it is set anew"),
            }
        };
        let mut told = |section, name: &str, words: &mut Words<'_>| match words.rest() {
            Some(_) => each(section, name, words),
            None => ignored("nothing stands behind it"),
        };
        reader::read(path, &mut lines, &mut told)?;
        Ok(Persistent { lines, engine_id, boots, users })
    }

    /// Takes everything over.
    ///
    /// # Errors
    /// Why not, with the remedy; then nothing has changed.
    pub(crate) fn take_over(self, directory: &Path, manner: Manner) -> Result<Taken, String> {
        let refused = self.lines.iter().filter(|line| matches!(line.verdict, Verdict::Refused(_)));
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
        };
        let Some(store) = store.filter(|_| !manner.dry_run) else { return Ok(taken) };

        let name = keeper::file(USM);
        let kept = store.read(&name, |octets| roles::settings::read::<Kept>(octets).ok())?;
        let mut rows = kept.into_parts().0.map_or_else(Vec::new, |kept| kept.users);
        for user in self.users {
            let row = row(user);
            rows.retain(|known| known.engine_id != row.engine_id || known.name != row.name);
            rows.push(row);
        }
        if let Some(other) = other {
            identity::retire(&store, other)?;
            let before = format!("{}.before", identity::EARLIER);
            for name in [identity::EARLIER, &before] {
                let given = same_owner(&store, name);
                given.map_err(|error| format!("{}: {error}", store.path().join(name).display()))?;
            }
        }
        let mut octets = Vec::new();
        engine.export(1, &mut octets).map_err(|error| error.to_string())?;
        // Users first: a crash in between leaves users without an engine, and the import can be done again.
        for (name, octets) in
            [(&name[..], roles::settings::write(&Kept { users: rows })), (identity::FILE, octets)]
        {
            let written = store.write(name, &octets).and_then(|()| same_owner(&store, name));
            written.map_err(|error| format!("{}: {error}", store.path().join(name).display()))?;
        }
        Ok(taken)
    }
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
fn same_owner(store: &Store, name: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let owner = std::fs::metadata(store.path())?;
    chown(store.path().join(name), Some(owner.uid()), Some(owner.gid()))
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
        let Taken { engine_id, boots, users, elsewhere } = self;
        writeln!(f, "engineID {}", Hex(engine_id))?;
        writeln!(f, "snmpEngineBoots {boots} at the next start")?;
        for user in users {
            writeln!(f, "user {}", user.escape_debug())?;
        }
        if *elsewhere > 0 {
            writeln!(f, "and {elsewhere} with keys for other engines")?;
        }
        Ok(())
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
