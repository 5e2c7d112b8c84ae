//! Who this engine is: its snmpEngineID, and how often it has started (RFC 3414 §2.2.2).
//!
//! Invariant: boots are durable before anybody is answered under them, and never go back for one engineID.

use crate::store::Store;
use s_sdk::State;
use sha2::{Digest as _, Sha256};
use std::io;

/// The name of the file.
const FILE: &str = "engine";

/// The enterprise number in engineIDs that are made here: the one for examples (RFC 5612), until the
/// project has one of its own.
const ENTERPRISE: u32 = 32_473;

/// The largest number of boots; an engine that reaches it needs new keys (RFC 3414 §2.3).
const LATEST_BOOT: u32 = 0x7fff_ffff;

/// What is kept of the engine.
#[derive(Clone, Debug, PartialEq, Eq, State)]
#[state(kind = "sagentd-engine", version = 1)]
pub(crate) struct Engine {
    /// snmpEngineID.
    pub(crate) engine_id: Vec<u8>,
    /// snmpEngineBoots.
    pub(crate) boots: u32,
}

/// This start's identity, recorded before it is answered, and what was odd.
///
/// # Errors
/// It cannot be recorded.
pub(crate) fn begin(store: &Store, configured: Option<&[u8]>) -> io::Result<(Engine, Vec<String>)> {
    let mut warnings = Vec::new();
    let kept = store.read(FILE).and_then(|kept| {
        warnings.extend(kept.warning);
        Engine::import(1, &kept.content).ok()
    });
    let engine_id = match (configured, &kept) {
        (Some(configured), _) => configured.to_vec(),
        (None, Some(kept)) => kept.engine_id.clone(),
        (None, None) => made_up()?,
    };
    let boots = match kept {
        Some(kept) if kept.engine_id == engine_id => kept.boots.saturating_add(1).min(LATEST_BOOT),
        _ => 1,
    };
    if boots == LATEST_BOOT {
        warnings
            .push("snmpEngineBoots is at its end: give the engine another ID and new keys".into());
    }
    let engine = Engine { engine_id, boots };
    let mut octets = Vec::new();
    engine.export(1, &mut octets).map_err(io::Error::other)?;
    store.write(FILE, &octets)?;
    Ok((engine, warnings))
}

/// An engineID for this machine: stable, and telling nobody the machine's own ID.
fn made_up() -> io::Result<Vec<u8>> {
    let machine = std::fs::read("/etc/machine-id").ok().filter(|id| id.len() >= 32);
    let seed = match machine {
        Some(id) => id,
        None => {
            let mut random = vec![0; 32];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            random
        }
    };
    let digest = Sha256::digest([b"sagentd engine id ".as_slice(), &seed].concat());
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
}
