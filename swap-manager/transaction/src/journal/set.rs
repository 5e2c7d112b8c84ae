//! A set: what every component of the application is bound to, as one record names it.
//!
//! No IO. Invariants: a set is whole, so that nothing about it has to be looked up in other records; a set that an
//! earlier version of the journal recorded is written again in the very bytes in which it was read.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error as CborError;

use super::record::{Digest, Encode, Written, definite};

/// The module that a component is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its version, as people know it.
    pub version: String,
    /// The package that it came from; `None` for a module linked into the host.
    pub package: Option<Digest>,
    /// The security epoch of the package. 0 for a linked module, and for a binding that was recorded before
    /// epochs were kept here: those have records of their own.
    pub epoch: u64,
}

/// All components of the application, each with its module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// By component.
    pub modules: BTreeMap<String, Bound>,
    /// Components whose module an operator took out, and that no start fills. `None` in a set that was recorded
    /// before this was kept: it does not tell what was taken out from what there was not yet.
    pub vacated: Option<BTreeSet<String>>,
}

impl Set {
    /// Another module in a component.
    pub fn bind(&mut self, component: &str, bound: Bound) {
        if let Some(vacated) = &mut self.vacated {
            vacated.remove(component);
        }
        self.modules.insert(component.to_owned(), bound);
    }

    /// The operator takes the module out of a component.
    pub fn vacate(&mut self, component: &str) {
        self.modules.remove(component);
        self.vacated.get_or_insert_default().insert(component.to_owned());
    }

    /// Raises the lowest epochs allowed to those of this set: for a set that is kept.
    pub fn raise(&self, lowest: &mut BTreeMap<String, u64>) {
        for (component, bound) in self.modules.iter().filter(|(_, bound)| bound.epoch > 0) {
            let lowest = lowest.entry(component.clone()).or_default();
            *lowest = (*lowest).max(bound.epoch);
        }
    }
}

/// A set from which nothing was taken out.
impl FromIterator<(String, Bound)> for Set {
    fn from_iter<I: IntoIterator<Item = (String, Bound)>>(modules: I) -> Self {
        Self { modules: modules.into_iter().collect(), vacated: Some(BTreeSet::new()) }
    }
}

/// How many fields of a record a set takes.
pub(super) fn fields(set: &Set) -> u64 {
    if set.vacated.is_some() { 2 } else { 1 }
}

pub(super) fn write(to: &mut Encode<'_>, set: &Set) -> Written {
    to.map(set.modules.len() as u64)?;
    for (component, bound) in &set.modules {
        to.str(component)?.array(if bound.epoch > 0 { 3 } else { 2 })?.str(&bound.version)?;
        match bound.package {
            Some(Digest(digest)) => to.bytes(&digest)?,
            None => to.null()?,
        };
        if bound.epoch > 0 {
            to.u64(bound.epoch)?;
        }
    }
    if let Some(vacated) = &set.vacated {
        to.array(vacated.len() as u64)?;
        for component in vacated {
            to.str(component)?;
        }
    }
    Ok(())
}

/// Reads a set from so many fields, of which there are one or two.
pub(super) fn parse(from: &mut Decoder<'_>, fields: u64) -> Result<Set, CborError> {
    let mut modules = BTreeMap::new();
    for _ in 0..definite(from.map()?)? {
        let component = from.str()?.to_owned();
        if modules.insert(component, parse_bound(from)?).is_some() {
            return Err(CborError::message("a component is bound twice"));
        }
    }
    if fields == 1 {
        return Ok(Set { modules, vacated: None });
    }
    let mut vacated = BTreeSet::new();
    for _ in 0..definite(from.array()?)? {
        if !vacated.insert(from.str()?.to_owned()) {
            return Err(CborError::message("a component is vacated twice"));
        }
    }
    Ok(Set { modules, vacated: Some(vacated) })
}

fn parse_bound(from: &mut Decoder<'_>) -> Result<Bound, CborError> {
    let fields = definite(from.array()?)?;
    if fields != 2 && fields != 3 {
        return Err(CborError::message("a binding has two fields, or three"));
    }
    let version = from.str()?.to_owned();
    let package = if from.datatype()? == Type::Null {
        from.null()?;
        None
    } else {
        let digest = <[u8; 32]>::try_from(from.bytes()?);
        Some(Digest(digest.map_err(|_| CborError::message("a digest has 32 bytes"))?))
    };
    let epoch = if fields == 3 { from.u64()? } else { 0 };
    Ok(Bound { version, package, epoch })
}
