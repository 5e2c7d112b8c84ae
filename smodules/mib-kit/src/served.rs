//! From a declared MIB to a module: what an author says, and the macro that says the rest.
//!
//! `mib_module!(Type, options)` writes `#[s_module(options)] impl MibAccess for Type`, every method of which
//! hands on to the [`Mib`] of the type; `mib_access!(Type)` leaves the attribute away. It never adds anything
//! of its own.

use crate::index::Index;
use crate::mib::Mib;
use crate::store::Store;
use roles::mib::MibError;
use roles::varbind::{Span, VarBinds, VarValue};
use s_sdk::Activity;
use std::time::Duration;

/// What a SET writes.
#[derive(Clone, Copy)]
pub struct Written<'b> {
    requester: (u32, &'b [u8]),
    binds: &'b VarBinds,
    which: Span,
}

/// A binding of a SET that writes to a table.
#[derive(Clone, Debug)]
pub struct WrittenCell<'b, I> {
    /// The column.
    pub column: u32,
    /// The row.
    pub index: I,
    /// The value, which fits the column.
    pub value: VarValue<'b>,
    /// The position of the binding, from 0: whom to blame.
    pub position: usize,
}

impl<'b> Written<'b> {
    /// The bindings of a SET at these positions, and who asks for it.
    pub const fn of(requester: (u32, &'b [u8]), binds: &'b VarBinds, which: Span) -> Self {
        Written { requester, binds, which }
    }

    /// Who asks for it: the security model, and the principal that it proved.
    pub const fn requester(self) -> (u32, &'b [u8]) {
        self.requester
    }

    /// Those that write to the table with this entry.
    pub fn to<I: Index>(self, entry: &'static [u32]) -> impl Iterator<Item = WrittenCell<'b, I>> {
        self.which.positions().filter_map(move |position| {
            let bind = self.binds.get(position)?;
            let (column, key) = bind.name.strip_prefix(entry)?.split_first()?;
            Some(WrittenCell {
                column: *column,
                index: I::whole(key)?,
                value: bind.value,
                position,
            })
        })
    }
}

/// A module that answers from a declared MIB.
pub trait Served: Send + Sync {
    /// What is read.
    type View: 'static;
    /// What SETs change: `()` for a module that is read only.
    type State: Clone + 'static;

    /// What is declared.
    fn mib(&self) -> &Mib<Self::View, Self::State>;

    /// Answers from the view that an activity has.
    ///
    /// # Errors
    /// The view cannot be had, or what the answer says.
    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&Self::View) -> Result<T, MibError>,
    ) -> Result<T, MibError>;

    /// The state; none for a module that is read only.
    fn store(&self) -> Option<&Store<Self::State>> {
        None
    }

    /// Brings a draft of the state up to what is there now, before a SET is written to it: for modules whose
    /// rows are somebody else's, the kernel's for instance.
    ///
    /// # Errors
    /// What is there cannot be had.
    fn catch_up(&self, act: &Activity, draft: &mut Self::State) -> Result<(), MibError> {
        let _ = (act, draft);
        Ok(())
    }

    /// What takes more than the row that is written: other rows, other modules, who asks. Every binding is in
    /// the draft and no row has settled yet; no lock is held.
    ///
    /// # Errors
    /// Why it cannot be, with the binding at fault.
    fn conclude(
        &self,
        act: &Activity,
        before: &Self::State,
        draft: &mut Self::State,
        written: Written<'_>,
    ) -> Result<(), MibError> {
        let _ = (act, before, draft, written);
        Ok(())
    }

    /// A SET changed the state, or was taken back: for modules that work with something made of it.
    ///
    /// # Errors
    /// What is made of the state could not be made.
    fn changed(&self, act: &Activity) -> Result<(), MibError> {
        let _ = act;
        Ok(())
    }

    /// What no single column can judge: the whole draft of a SET against the state before it. Every binding
    /// was written and every row settled.
    ///
    /// # Errors
    /// Why the draft cannot be, with the binding at fault.
    fn judge(
        &self,
        before: &Self::State,
        draft: &Self::State,
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError> {
        let _ = (before, draft, binds, which);
        Ok(())
    }

    /// Time on a clock that never steps: `Host::now`.
    fn now(&self) -> Duration;
}

/// Makes a module of a type that is [`Served`], with the options of `#[s_module]`.
#[macro_export]
macro_rules! mib_module {
    ($module:ident, $($options:tt)*) => {
        $crate::mib_access!(#[::s_sdk::s_module($($options)*)] $module);
    };
}

/// The same for a module whose first behavior is another one: `#[s_module(.., also(MibAccess))]`.
#[macro_export]
macro_rules! mib_access {
    ($(#[$attribute:meta])* $module:ident) => {
        $(#[$attribute])*
        impl $crate::roles::mib::MibAccess for $module {
            fn subtrees(
                &self,
                _act: &$crate::s_sdk::Activity,
                subtrees: &mut $crate::roles::varbind::VarBinds,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::Served::mib(self).subtrees(subtrees)
            }

            fn sys_or_entries(
                &self,
                _act: &$crate::s_sdk::Activity,
                entries: &mut $crate::roles::varbind::VarBinds,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::Served::mib(self).sys_or_entries(entries)
            }

            fn get(
                &self,
                act: &$crate::s_sdk::Activity,
                context: &[u8],
                names: &$crate::roles::varbind::VarBinds,
                which: $crate::roles::varbind::Span,
                answers: &mut $crate::roles::varbind::VarBinds,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::Served::view(self, act, |view| {
                    $crate::Served::mib(self).get(view, context, names, which, answers)
                })
            }

            fn get_next(
                &self,
                act: &$crate::s_sdk::Activity,
                context: &[u8],
                names: &$crate::roles::varbind::VarBinds,
                walk: $crate::roles::mib::Walk,
                before: &[u32],
                answers: &mut $crate::roles::varbind::VarBinds,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::Served::view(self, act, |view| {
                    $crate::Served::mib(self).get_next(view, context, names, walk, before, answers)
                })
            }

            fn set_check(
                &self,
                act: &$crate::s_sdk::Activity,
                security_model: u32,
                security_name: &[u8],
                context: &[u8],
                binds: &$crate::roles::varbind::VarBinds,
                which: $crate::roles::varbind::Span,
            ) -> Result<$crate::roles::mib::SetReference, $crate::roles::mib::MibError> {
                let store = $crate::served::written(self, which)?;
                store.check(act, $crate::Served::now(self), |before, draft| {
                    let written = $crate::Written::of((security_model, security_name), binds, which);
                    let conclude =
                        |draft: &mut _| $crate::Served::conclude(self, act, before, draft, written);
                    let mib = $crate::Served::mib(self);
                    $crate::Served::catch_up(self, act, draft)?;
                    mib.write_concluding(before, draft, context, binds, which, conclude)?;
                    $crate::Served::judge(self, before, draft, binds, which)
                })
            }

            fn set_apply(
                &self,
                act: &$crate::s_sdk::Activity,
                set: $crate::roles::mib::SetReference,
                _binds: &$crate::roles::varbind::VarBinds,
                which: $crate::roles::varbind::Span,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::served::written(self, which)?.apply(act, set)?;
                $crate::Served::changed(self, act)
            }

            fn set_undo(
                &self,
                act: &$crate::s_sdk::Activity,
                set: $crate::roles::mib::SetReference,
                _binds: &$crate::roles::varbind::VarBinds,
                which: $crate::roles::varbind::Span,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::served::written(self, which)?.undo(act, set)?;
                $crate::Served::changed(self, act)
            }

            fn set_cleanup(
                &self,
                act: &$crate::s_sdk::Activity,
                set: $crate::roles::mib::SetReference,
            ) -> Result<(), $crate::roles::mib::MibError> {
                let which = $crate::roles::varbind::Span::default();
                $crate::served::written(self, which)?.cleanup(act, set)
            }
        }
    };
}

/// The state of a module that can be written at all.
#[doc(hidden)]
pub fn written<M: Served>(module: &M, which: Span) -> Result<&Store<M::State>, MibError> {
    let nothing = MibError::at(roles::varbind::ErrorStatus::NotWritable, which.at as usize);
    module.store().ok_or(nothing)
}
