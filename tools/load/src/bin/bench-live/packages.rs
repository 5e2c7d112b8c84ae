//! Packages for a running agent, made and signed for this run from what cargo has built.
//!
//! It never keeps a key: the maker is made of chance, trusted by the agents of this run and by nobody else.
//! Invariant: what is packed is described by the agent's own executable, as its operators' packages are.

use s_load::Error;
use s_loader::Sealed;
use s_package::trust::{ReleaseKey, RootKey};
use s_package::{
    Limits, Name, Pattern, Release, SecretKey, Triple, TrustDocument, TrustStore, pack, sign,
};
use s_preflight::Rehearsal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Who makes packages for this run.
pub(crate) struct Maker {
    key: SecretKey,
    root: SecretKey,
    /// Where cargo leaves shared objects.
    places: [PathBuf; 2],
    rehearsal: Rehearsal,
    made: BTreeMap<String, Vec<u8>>,
}

fn key() -> Result<SecretKey, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)?;
    Ok(SecretKey::from_seed(&seed))
}

impl Maker {
    /// # Errors
    /// The system's.
    pub(crate) fn new(agent: &Path) -> Result<Self, Error> {
        let folder = agent.parent().ok_or("the agent is in no folder")?;
        Ok(Maker {
            key: key()?,
            root: key()?,
            places: [folder.join("deps"), folder.join("examples")],
            rehearsal: Rehearsal { executable: agent.into(), ..Rehearsal::default() },
            made: BTreeMap::new(),
        })
    }

    /// A trust store that lets this maker bring everything.
    ///
    /// # Errors
    /// None that can be met.
    pub(crate) fn trust(&self) -> Result<Vec<u8>, Error> {
        let root = RootKey::new(Name::parse("root")?, self.root.public());
        let maker = ReleaseKey::new(Name::parse("maker")?, self.key.public(), vec![Pattern::any()]);
        let document = TrustDocument::first(vec![root], vec![maker]);
        Ok(TrustStore::try_from(document)?.to_json())
    }

    /// The signed package of a crate's module; made once.
    ///
    /// # Errors
    /// It was not built, or is no module.
    pub(crate) fn package(&mut self, module: &str) -> Result<Vec<u8>, Error> {
        if let Some(made) = self.made.get(module) {
            return Ok(made.clone());
        }
        let file = format!("lib{}.so", module.replace('-', "_"));
        let found = self.places.iter().map(|place| place.join(&file)).find(|path| path.exists());
        let found = found.ok_or_else(|| {
            format!(
                "{file} is not in {}: start with `cargo xtask bench live`",
                self.places[0].display()
            )
        })?;
        let code = std::fs::read(found)?;
        let described = self.rehearsal.describe(&Sealed::new(module, &code, None)?)?;
        let target = Triple::parse(s_sdk::abi::TARGET)?;
        let code = BTreeMap::from([(target, code)]);
        let package = pack(s_control::facts(&described)?, Release::default(), &code)?;
        let signed = sign(&package, &self.key, &Limits::DEFAULT)?;
        self.made.insert(module.to_owned(), signed.clone());
        Ok(signed)
    }
}
