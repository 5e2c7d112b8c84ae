//! MIB modules whose every value is known: a group to be set, a small table with a column that is
//! another module's, a large table, and a module that is slow when told to be.
//!
//! Names begin with net-snmp's playground, `1.3.6.1.4.1.8072.9999.9999`, here called `B`:
//! ```text
//! B.1.1.0  42, may be set to any number not below 0; 13 fails only when it is applied
//! B.1.2.0  "sample", may be set to at most 32 octets
//! B.1.3.0  a Counter64
//! B.2.1.c.r   columns 1 and 3 of four rows; column 2 is the nested module's
//! B.3.1.c.r   three columns of 5000 rows
//! B.7.1.0  7, answered slowly
//! B.7.2.0  how many milliseconds that takes; from a million on it hangs until told otherwise, after as many
//!          quick calls as the number is above that; at two millions it finds its list full
//! ```

use roles::mib::{MibError, SetReference, Walk};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::Activity;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Before every name.
pub const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999];

/// Rows of the large table.
pub const ROWS: u32 = 5000;

/// A value that a variable has.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owned {
    Integer(i32),
    Octets(Vec<u8>),
    Counter64(u64),
}

impl Owned {
    fn value(&self) -> VarValue<'_> {
        match self {
            Owned::Integer(integer) => VarValue::Integer(*integer),
            Owned::Octets(octets) => VarValue::Octets(octets),
            Owned::Counter64(number) => VarValue::Counter64(*number),
        }
    }
}

/// Variables in order.
#[derive(Default)]
struct Tree {
    values: Mutex<BTreeMap<Vec<u32>, Owned>>,
    before: Mutex<Vec<(Vec<u32>, Owned)>>,
}

fn name(more: &[u32]) -> Vec<u32> {
    [BASE, more].concat()
}

impl Tree {
    fn of(values: impl IntoIterator<Item = (Vec<u32>, Owned)>) -> Self {
        Tree { values: Mutex::new(values.into_iter().collect()), before: Mutex::default() }
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<Vec<u32>, Owned>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, names: &VarBinds, which: Span, answers: &mut VarBinds) -> Result<(), MibError> {
        let values = self.values();
        for asked in names.window(which) {
            let value = values.get(asked.name).map_or(VarValue::NoSuchInstance, Owned::value);
            answers.push(asked.name, value)?;
        }
        Ok(())
    }

    fn get_next(
        &self,
        names: &VarBinds,
        walk: Walk,
        before: &[u32],
        answers: &mut VarBinds,
    ) -> Result<(), MibError> {
        let values = self.values();
        let mut row: Vec<Vec<u32>> =
            names.window(walk.which).map(|asked| asked.name.to_vec()).collect();
        for _ in 0..walk.repetitions {
            let mut is_over = true;
            for from in &mut row {
                let after = (Bound::Excluded(from.clone()), Bound::Unbounded);
                let next = values.range(after).next().filter(|(name, _)| name.as_slice() < before);
                match next {
                    Some((next, value)) => {
                        answers.push(next, value.value())?;
                        from.clone_from(next);
                        is_over = false;
                    }
                    None => answers.push(from, VarValue::EndOfMibView)?,
                }
            }
            if is_over {
                break;
            }
        }
        Ok(())
    }

    fn check(
        &self,
        act: &Activity,
        binds: &VarBinds,
        which: Span,
    ) -> Result<SetReference, MibError> {
        for at in which.positions() {
            let Some(bind) = binds.get(at) else { continue };
            let refuse = |status| Err(MibError::at(status, at));
            let values = self.values();
            match (values.get(bind.name), bind.value) {
                (None, _) => return refuse(ErrorStatus::NoCreation),
                (Some(Owned::Integer(_)), VarValue::Integer(number)) if number < 0 => {
                    return refuse(ErrorStatus::WrongValue);
                }
                (Some(Owned::Integer(_)), VarValue::Integer(_)) => {}
                (Some(Owned::Octets(_)), VarValue::Octets(octets)) if octets.len() > 32 => {
                    return refuse(ErrorStatus::WrongLength);
                }
                (Some(Owned::Octets(_)), VarValue::Octets(_)) => {}
                (Some(Owned::Counter64(_)), _) => return refuse(ErrorStatus::NotWritable),
                _ => return refuse(ErrorStatus::WrongType),
            }
        }
        Ok(act.keep(0_u32)?.of())
    }

    fn apply(&self, binds: &VarBinds, which: Span) -> Result<(), MibError> {
        let mut values = self.values();
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.clear();
        for at in which.positions() {
            let Some(bind) = binds.get(at) else { continue };
            let new = match bind.value {
                VarValue::Integer(13) => return Err(MibError::at(ErrorStatus::GenErr, at)),
                VarValue::Integer(number) => Owned::Integer(number),
                VarValue::Octets(octets) => Owned::Octets(octets.to_vec()),
                _ => continue,
            };
            if let Some(old) = values.insert(bind.name.to_vec(), new) {
                before.push((bind.name.to_vec(), old));
            }
        }
        Ok(())
    }

    fn undo(&self) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        self.values().extend(before.drain(..));
    }
}

/// Says that a module is a [`Tree`] under some subtrees.
macro_rules! tree_module {
    ($name:ident, $component:literal, $version:literal, $subtrees:expr, $values:expr, $before:expr) => {
        /// The module.
        pub struct $name(Tree);

        impl s_sdk::Module for $name {
            fn init(_: s_sdk::Host) -> Result<Self, s_sdk::Refusal> {
                Ok($name(Tree::of($values)))
            }
        }

        #[s_sdk::s_module(component = $component, version = $version)]
        impl roles::mib::MibAccess for $name {
            fn subtrees(&self, _: &Activity, subtrees: &mut VarBinds) -> Result<(), MibError> {
                for subtree in $subtrees {
                    subtrees.push(&name(subtree), VarValue::Octets(b""))?;
                }
                Ok(())
            }

            fn sys_or_entries(&self, _: &Activity, entries: &mut VarBinds) -> Result<(), MibError> {
                Ok(entries.push(&name(&[9]), VarValue::Octets($component.as_bytes()))?)
            }

            fn get(
                &self,
                _: &Activity,
                _: &[u8],
                names: &VarBinds,
                which: Span,
                answers: &mut VarBinds,
            ) -> Result<(), MibError> {
                let before: fn(&Self) -> Result<(), MibError> = $before;
                before(self)?;
                self.0.get(names, which, answers)
            }

            fn get_next(
                &self,
                _: &Activity,
                _: &[u8],
                names: &VarBinds,
                walk: Walk,
                before: &[u32],
                answers: &mut VarBinds,
            ) -> Result<(), MibError> {
                let first: fn(&Self) -> Result<(), MibError> = $before;
                first(self)?;
                self.0.get_next(names, walk, before, answers)
            }

            fn set_check(
                &self,
                act: &Activity,
                _: u32,
                _: &[u8],
                _: &[u8],
                binds: &VarBinds,
                which: Span,
            ) -> Result<SetReference, MibError> {
                self.0.check(act, binds, which)
            }

            fn set_apply(
                &self,
                _: &Activity,
                _: SetReference,
                binds: &VarBinds,
                which: Span,
            ) -> Result<(), MibError> {
                self.0.apply(binds, which)
            }

            fn set_undo(
                &self,
                _: &Activity,
                _: SetReference,
                _: &VarBinds,
                _: Span,
            ) -> Result<(), MibError> {
                self.0.undo();
                Ok(())
            }

            fn set_cleanup(&self, _: &Activity, _: SetReference) -> Result<(), MibError> {
                Ok(())
            }
        }
    };
}

/// The group and both tables.
pub mod outer {
    use super::*;

    fn values() -> impl Iterator<Item = (Vec<u32>, Owned)> {
        let group = [
            (name(&[1, 1, 0]), Owned::Integer(42)),
            (name(&[1, 2, 0]), Owned::Octets(b"sample".to_vec())),
            (name(&[1, 3, 0]), Owned::Counter64(u64::MAX)),
        ];
        // The module has column 2 itself, and the nested one has it in its stead.
        let small = (1..=3).flat_map(|column| {
            (1..=4).map(move |row| (name(&[2, 1, column, row]), Owned::Integer(row.cast_signed())))
        });
        let large = (1..=3).flat_map(|column| {
            (1..=ROWS).map(move |row| {
                let value = if column == 3 {
                    Owned::Counter64(row.into())
                } else {
                    Owned::Integer(row.cast_signed())
                };
                (name(&[3, 1, column, row]), value)
            })
        });
        group.into_iter().chain(small).chain(large)
    }

    tree_module!(Outer, "mib.sample", "1.0.0", [&[1][..], &[2], &[3]], values(), |_| Ok(()));
}

/// Column 2 of the small table.
pub mod inner {
    use super::*;

    fn values() -> impl Iterator<Item = (Vec<u32>, Owned)> {
        (1..=4).map(|row| (name(&[2, 1, 2, row]), Owned::Octets(format!("row {row}").into())))
    }

    tree_module!(Inner, "mib.nested", "1.0.0", [&[2, 1, 2][..]], values(), |_| Ok(()));
}

/// The next version of the nested module: it has another column beside.
pub mod wider {
    use super::*;

    fn values() -> impl Iterator<Item = (Vec<u32>, Owned)> {
        [2, 4].into_iter().flat_map(|column| {
            (1..=4).map(move |row| (name(&[2, 1, column, row]), Owned::Octets(b"wider".to_vec())))
        })
    }

    tree_module!(Wider, "mib.nested", "2.0.0", [&[2, 1, 2][..], &[2, 1, 4]], values(), |_| Ok(()));
}

/// The module that is slow when told to be.
pub mod slow {
    use super::*;

    /// The number from which on it hangs.
    pub const HANGS: i32 = 1_000_000;

    pub(super) fn values(seven: i32) -> [(Vec<u32>, Owned); 2] {
        [(name(&[7, 1, 0]), Owned::Integer(seven)), (name(&[7, 2, 0]), Owned::Integer(0))]
    }

    /// The number at which it says that the list which it was given is full.
    pub const IS_FULL: i32 = 2_000_000;

    fn dawdle(module: &Slow) -> Result<(), MibError> {
        loop {
            let millis = {
                let mut values = module.0.values();
                match values.get_mut(&name(&[7, 2, 0])) {
                    Some(Owned::Integer(IS_FULL)) => return Err(s_sdk::Full.into()),
                    Some(Owned::Integer(told)) if *told > HANGS => {
                        *told -= 1;
                        return Ok(());
                    }
                    Some(Owned::Integer(told)) => *told,
                    _ => return Ok(()),
                }
            };
            let pause = if millis == HANGS { 1 } else { u64::from(millis.cast_unsigned()) };
            std::thread::sleep(std::time::Duration::from_millis(pause));
            if millis != HANGS {
                return Ok(());
            }
        }
    }

    tree_module!(Slow, "mib.slow", "1.0.0", [&[7][..]], values(7), dawdle);
}

/// Its next version, which is quick and answers 8.
pub mod quick {
    use super::*;

    tree_module!(Quick, "mib.slow", "2.0.0", [&[7][..]], slow::values(8), |_| Ok(()));
}
