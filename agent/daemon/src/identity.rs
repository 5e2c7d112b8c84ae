//! Who this engine is: its snmpEngineID, and how often it has started (RFC 3414 §2.2.2).
//!
//! Invariant: boots are durable before anybody is answered under them, and never go back for one engineID,
//! though the engine had another one meanwhile.

use crate::store::{Kept, Store};
use s_sdk::State;
use s_sdk::value::Field;
use sha2::{Digest as _, Sha256};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The name of the file.
pub(crate) const FILE: &str = "engine";

/// The name of the file with the boots of the engineIDs that the engine had before.
pub(crate) const EARLIER: &str = "engine-earlier";

/// The enterprise number in engineIDs that are made here: the one for examples (RFC 5612), until the
/// project has one of its own.
const ENTERPRISE: u32 = 32_473;

/// The largest number of boots; an engine that reaches it needs new keys (RFC 3414 §2.3).
pub(crate) const LATEST_BOOT: u32 = 0x7fff_ffff;

/// What is kept of the engine.
#[derive(Clone, Debug, PartialEq, Eq, State)]
#[state(kind = "sagentd-engine", version = 1)]
pub(crate) struct Engine {
    /// snmpEngineID.
    pub(crate) engine_id: Vec<u8>,
    /// snmpEngineBoots.
    pub(crate) boots: u32,
}

/// The engineIDs that the engine had, with their last boots.
#[derive(Debug, Default, Field)]
struct Earlier {
    boots: Vec<(Vec<u8>, u32)>,
}

fn earlier(store: &Store) -> Result<Kept<Earlier>, String> {
    store.read(EARLIER, |content| roles::settings::read(content).ok())
}

/// The last boots of an engineID that the engine had before; 0 for one that it never had, and where that
/// was forgotten the last ones that there are (RFC 3414 §2.2.2).
///
/// # Errors
/// What is kept cannot be read.
pub(crate) fn earlier_boots(store: &Store, engine_id: &[u8]) -> Result<u32, String> {
    let (known, forgotten) = earlier(store)?.into_parts();
    Ok(match (known, forgotten) {
        (Some(known), _) => {
            let found = known.boots.iter().find(|(id, _)| id == engine_id);
            found.map_or(0, |(_, boots)| *boots)
        }
        (None, None) => 0,
        (None, Some(_)) => LATEST_BOOT,
    })
}

/// Remembers the last boots of an engineID that the engine gives up.
///
/// # Errors
/// What is kept cannot be read, or this not be written.
pub(crate) fn retire(store: &Store, engine: Engine) -> Result<(), String> {
    let mut earlier = earlier(store)?.into_parts().0.unwrap_or_default();
    earlier.boots.retain(|(id, _)| *id != engine.engine_id);
    earlier.boots.push((engine.engine_id, engine.boots));
    let octets = roles::settings::write(&earlier);
    // Twice: what a damaged file falls back to must not be without it.
    let written = (0..2).try_for_each(|_| store.write(EARLIER, &octets));
    written.map_err(|error| error.to_string())
}

/// What is kept, without counting a start.
///
/// # Errors
/// It cannot be read.
pub(crate) fn kept(store: &Store) -> Result<Option<Engine>, String> {
    let kept = store.read(FILE, |content| Engine::import(1, content).ok())?;
    Ok(kept.into_parts().0)
}

/// This start's identity, recorded before it is answered, and what was odd.
///
/// # Errors
/// What is kept cannot be read, or this start not be recorded.
pub(crate) fn begin(
    store: &Store,
    configured: Option<&[u8]>,
) -> Result<(Engine, Vec<String>), String> {
    let mut warnings = Vec::new();
    let kept = store.read(FILE, |content| Engine::import(1, content).ok())?;
    // The file before the newest one tells of the start before the last, so the last is counted, too.
    let starts_since = if matches!(kept, Kept::Before(..)) { 2 } else { 1 };
    // Then the file before is as old as two starts, and falling back to it once more would repeat one.
    let mut times_written = if matches!(kept, Kept::Nothing | Kept::Newest(_)) { 1 } else { 2 };
    let is_lost = matches!(kept, Kept::Lost(_));
    let (kept, warning) = kept.into_parts();
    warnings.extend(warning);
    let (engine_id, boots) = match (configured, kept) {
        // Boots belong to the engineID (RFC 3414 §2.2): each goes on where it was.
        (Some(id), Some(mut kept)) if kept.engine_id != id => {
            kept.boots = kept.boots.saturating_add(starts_since - 1).min(LATEST_BOOT);
            let boots = earlier_boots(store, id)?.saturating_add(1);
            retire(store, kept)?;
            // And the file before is of another engine.
            times_written = 2;
            (id.to_vec(), boots)
        }
        (_, Some(kept)) => (kept.engine_id, kept.boots.saturating_add(starts_since)),
        // RFC 3414 §2.2.2: without a way to know how often it started, an engine that keeps its ID is at
        // the end of its boots. An ID that was made here is made anew instead.
        (Some(id), None) if is_lost => (id.to_vec(), LATEST_BOOT),
        (Some(id), None) => (id.to_vec(), earlier_boots(store, id)?.saturating_add(1)),
        (None, None) if is_lost => {
            warnings.push("the engine begins anew under another engineID".into());
            (made_up(None, store.path())?, 1)
        }
        (None, None) => {
            let machine = std::fs::read("/etc/machine-id").ok().filter(|id| id.len() >= 32);
            (made_up(machine, store.path())?, 1)
        }
    };
    let boots = boots.min(LATEST_BOOT);
    if boots == LATEST_BOOT {
        warnings
            .push("snmpEngineBoots is at its end: give the engine another ID and new keys".into());
    }
    let engine = Engine { engine_id, boots };
    let mut octets = Vec::new();
    let written = engine
        .export(1, &mut octets)
        .map_err(io::Error::other)
        .and_then(|()| (0..times_written).try_for_each(|_| store.write(FILE, &octets)));
    written.map_err(|error| format!("this start cannot be recorded: {error}"))?;
    Ok((engine, warnings))
}

/// An engineID for this machine and state directory, which no two agents share: stable where the machine has
/// an ID, and not telling anybody what that is.
fn made_up(machine: Option<Vec<u8>>, state: &Path) -> Result<Vec<u8>, String> {
    let seed = match machine {
        Some(id) => id,
        None => {
            let mut random = vec![0; 32];
            getrandom::fill(&mut random).map_err(|error| format!("no random octets: {error}"))?;
            random
        }
    };
    let state = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    let state = state.as_os_str().as_bytes();
    let digest = Sha256::digest([b"sagentd engine id ".as_slice(), &seed, state].concat());
    // RFC 3411 §5: the highest bit, the enterprise, 5 for octets of our own choice.
    let mut engine_id = (0x8000_0000 | ENTERPRISE).to_be_bytes().to_vec();
    engine_id.push(5);
    engine_id.extend_from_slice(&digest[..12]);
    Ok(engine_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_count_the_starts_of_one_engine_id() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let start = |configured| begin(&store, configured).unwrap().0;
        let first = start(None);
        assert_eq!((first.boots, first.engine_id.len()), (1, 17));
        assert_eq!(start(None), Engine { boots: 2, ..first.clone() });
        assert_eq!(start(Some(b"another")).boots, 1);
        assert_eq!(start(Some(b"another")).boots, 2);
        let last = Engine { engine_id: b"another".to_vec(), boots: LATEST_BOOT };
        let mut octets = Vec::new();
        last.export(1, &mut octets).unwrap();
        store.write(FILE, &octets).unwrap();
        let (still, warnings) = begin(&store, Some(b"another")).unwrap();
        assert_eq!((still.boots, warnings.len()), (LATEST_BOOT, 1));
    }

    #[test]
    fn boots_go_on_when_an_engine_id_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let boots = |id: &[u8]| begin(&store, Some(id)).unwrap().0.boots;
        assert_eq!([b"one", b"one", b"two", b"one", b"two"].map(|id| boots(id)), [1, 2, 1, 3, 2]);
        assert_eq!(boots(b"new"), 1);
        // Also where the newest files are damaged, one after the other.
        let damage = |name: &str| std::fs::write(directory.path().join(name), b"damaged").unwrap();
        damage(FILE);
        damage(EARLIER);
        let (one, _) = begin(&store, Some(b"one")).unwrap();
        assert_eq!(one.boots, 4);
        damage(EARLIER);
        assert!(begin(&store, Some(b"new")).unwrap().0.boots >= 2);
        // Where all is forgotten nothing is known of an ID that comes.
        damage(EARLIER);
        damage(&format!("{EARLIER}.before"));
        let (lost, warnings) = begin(&store, Some(b"two")).unwrap();
        assert_eq!((lost.boots, warnings.len()), (LATEST_BOOT, 1));
    }

    #[test]
    fn two_agents_on_one_machine_are_two_engines_and_each_stays_itself() {
        let directory = tempfile::tempdir().unwrap();
        let machine = || Some(vec![b'a'; 32]);
        let (one, two) = (directory.path().join("one"), directory.path().join("two"));
        let id = |machine, state: &Path| made_up(machine, state).unwrap();
        assert_ne!(id(machine(), &one), id(machine(), &two));
        assert_eq!(id(machine(), &one), id(machine(), &one));
        assert_ne!(id(Some(vec![b'b'; 32]), &one), id(machine(), &one));
        assert_ne!(id(None, &one), id(None, &one), "without a machine's ID it is random");
    }

    #[test]
    fn boots_never_go_back_when_the_file_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let file = |name: &str| directory.path().join(name);
        let start = |configured| begin(&store, configured).unwrap();
        let mut last = 0;
        for _ in 0..3 {
            last = start(None).0.boots;
        }
        std::fs::write(file("engine"), b"damaged").unwrap();
        let (engine, warnings) = start(None);
        assert_eq!((engine.boots, warnings.len()), (last + 1, 1));
        std::fs::write(file("engine"), b"damaged again").unwrap();
        let again = start(None).0.boots;
        assert!(again > engine.boots);
        std::fs::remove_file(file("engine")).unwrap();
        assert!(start(None).0.boots > again);

        // With nothing left, an ID that was made is made anew, and a configured one is at its end.
        let ruin = || {
            std::fs::write(file("engine"), b"damaged").unwrap();
            std::fs::write(file("engine.before"), b"damaged").unwrap();
        };
        ruin();
        let (anew, warnings) = start(None);
        assert_eq!((anew.boots, warnings.len()), (1, 2));
        assert_ne!(anew.engine_id, engine.engine_id);
        ruin();
        assert_eq!(start(Some(b"configured")).0.boots, LATEST_BOOT);
    }
}
