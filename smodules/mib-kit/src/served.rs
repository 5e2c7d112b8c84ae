//! From a declared MIB to a module: what an author says, and the macro that says the rest.
//!
//! `mib_module!(Type, options)` writes `#[s_module(options)] impl MibAccess for Type`, every method of which
//! hands on to the [`Mib`] of the type. It never adds anything of its own.

use crate::mib::Mib;
use crate::store::Store;
use roles::mib::MibError;
use s_sdk::Activity;
use std::time::Duration;

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

    /// Time on a clock that never steps: `Host::now`.
    fn now(&self) -> Duration;
}

/// Makes a module of a type that is [`Served`], with the options of `#[s_module]`.
#[macro_export]
macro_rules! mib_module {
    ($module:ident, $($options:tt)*) => {
        #[::s_sdk::s_module($($options)*)]
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
                context: &[u8],
                binds: &$crate::roles::varbind::VarBinds,
                which: $crate::roles::varbind::Span,
            ) -> Result<$crate::roles::mib::SetReference, $crate::roles::mib::MibError> {
                let store = $crate::served::written(self, which)?;
                store.check(act, $crate::Served::now(self), |before, draft| {
                    $crate::Served::mib(self).write(before, draft, context, binds, which)
                })
            }

            fn set_apply(
                &self,
                act: &$crate::s_sdk::Activity,
                set: $crate::roles::mib::SetReference,
                _binds: &$crate::roles::varbind::VarBinds,
                which: $crate::roles::varbind::Span,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::served::written(self, which)?.apply(act, set)
            }

            fn set_undo(
                &self,
                act: &$crate::s_sdk::Activity,
                set: $crate::roles::mib::SetReference,
                _binds: &$crate::roles::varbind::VarBinds,
                which: $crate::roles::varbind::Span,
            ) -> Result<(), $crate::roles::mib::MibError> {
                $crate::served::written(self, which)?.undo(act, set)
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
pub fn written<M: Served>(
    module: &M,
    which: roles::varbind::Span,
) -> Result<&Store<M::State>, MibError> {
    let nothing = MibError::at(roles::varbind::ErrorStatus::NotWritable, which.at as usize);
    module.store().ok_or(nothing)
}
