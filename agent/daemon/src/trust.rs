//! Whose packages this agent admits.
//!
//! A trust store is a file that `swapctl trust` makes. It is read at the start; what signed updates made of it
//! meanwhile is kept by the swap manager, and wins where it is newer. Invariant: a store that somebody else
//! than its owner could have written is not read, and an agent without one admits nothing.

use rustix::fs::{Mode, fstat};
use s_package::key::SecretKey;
use s_package::text::Name;
use s_package::trust::{RootKey, TrustDocument, TrustStore};
use std::error::Error;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The store's name in the state directory.
const USUAL: &str = "trust.json";

/// No honest store is larger.
const LARGEST: u64 = 1 << 20;

/// A trust store, and where it was found; nowhere is one that trusts nobody.
pub(crate) struct Trust {
    pub(crate) store: TrustStore,
    pub(crate) place: Option<PathBuf>,
}

impl Trust {
    /// Reads the store that was told, or the one in the state directory if there is one.
    ///
    /// # Errors
    /// It cannot be read, is none, or is open to others: with the remedy.
    pub(crate) fn read(told: Option<&Path>, state: &Path) -> Result<Self, Box<dyn Error>> {
        let place = told.map_or_else(|| state.join(USUAL), Path::to_owned);
        let about =
            |why: &dyn std::fmt::Display| format!("the trust store {}: {why}", place.display());
        let file = match File::open(&place) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && told.is_none() => {
                return Ok(Trust { store: nobody()?, place: None });
            }
            Err(error) => {
                let cure = "make one with `swapctl trust init`, or name another place";
                return Err(about(&format_args!("{error}; {cure}")).into());
            }
        };
        let stat = fstat(&file).map_err(|error| about(&error))?;
        if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return Err(about(&"others may write it; take that from them with `chmod go-w`").into());
        }
        let mut text = Vec::new();
        file.take(LARGEST).read_to_end(&mut text).map_err(|error| about(&error))?;
        let store = TrustStore::parse(&text)
            .map_err(|fault| about(&format_args!("{fault}; make it with `swapctl trust init`")))?;
        Ok(Trust { store, place: Some(place) })
    }
}

/// A trust store that trusts nobody: its one root key was thrown away.
fn nobody() -> Result<TrustStore, Box<dyn Error>> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)?;
    let public = SecretKey::from_seed(&seed).public();
    // Any other is newer, and so is what updates have made of one that was there before.
    let root = RootKey::new(Name::parse("nobody")?, public);
    let document =
        TrustDocument { rules: Vec::new(), ..TrustDocument::first(vec![root], Vec::new()) };
    Ok(TrustStore::try_from(document)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn where_no_store_is_nobody_is_trusted_and_a_told_one_must_be_there() {
        let state = tempfile::tempdir().unwrap();
        let trust = Trust::read(None, state.path()).unwrap();
        assert!(trust.place.is_none() && trust.store.document().keys.is_empty());
        let told = state.path().join("told.json");
        let error = Trust::read(Some(&told), state.path()).err().unwrap().to_string();
        assert!(error.contains("told.json") && error.contains("swapctl trust init"), "{error}");
    }

    #[test]
    fn a_store_is_read_unless_others_may_write_it_or_it_is_none() {
        let state = tempfile::tempdir().unwrap();
        let place = state.path().join(USUAL);
        std::fs::write(&place, nobody().unwrap().to_json()).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o640);
        assert_eq!(Trust::read(None, state.path()).unwrap().place, Some(place.clone()));
        mode(0o660);
        let error = Trust::read(None, state.path()).err().unwrap().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
        mode(0o600);
        std::fs::write(&place, b"{}").unwrap();
        let error = Trust::read(None, state.path()).err().unwrap().to_string();
        assert!(error.contains(USUAL), "{error}");
    }
}
