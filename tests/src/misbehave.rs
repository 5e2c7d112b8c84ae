//! The skeleton of the bad gallery: a counter that does one thing wrong.
//!
//! A fixture says only what it does wrong; [`misbehaving!`](crate::misbehaving) writes the rest, which is
//! an honest counter. Invariant: what a fixture does not override behaves like `counter_v1`.

use s_sdk::{Activity, Host, Refusal, Vote};

/// The moments in which a module can misbehave; each does nothing by default.
pub trait Misbehaviour: Send + Sync + Sized + 'static {
    /// In `init`.
    fn init(host: Host) -> Result<Self, Refusal>;
    /// In `prepare`.
    fn prepare(&self) -> Vote {
        Vote::Yes
    }
    /// In `hold`.
    fn hold(&self) {}
    /// In `restart`.
    fn restart(&self) {}
    /// In `term`.
    fn term(&self) {}
    /// In `self_test`.
    fn self_test(&self) {}
    /// In each call.
    fn call(&self, act: &Activity) {
        let _ = act;
    }
    /// When the state is exported.
    fn export(&self) {}
    /// When the state is imported.
    fn import(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// No misbehaviour at all, for an honest module of a skeleton.
pub struct Nothing;

impl Misbehaviour for Nothing {
    fn init(_: Host) -> Result<Self, Refusal> {
        Ok(Nothing)
    }
}

/// Writes a counter, version 1.1.0, that misbehaves as the given type says.
#[macro_export]
macro_rules! misbehaving {
    ($misbehaviour:ty) => {
        $crate::misbehaving!($misbehaviour, "counter-state", 1);
    };
    ($misbehaviour:ty, $kind:literal, $state_version:literal $(, $depends:literal)?) => {
        /// The module.
        pub struct Misbehaving {
            misbehaviour: $misbehaviour,
            total: std::sync::atomic::AtomicU64,
            calls: std::sync::atomic::AtomicU64,
        }

        /// What it carries.
        #[derive(s_sdk::State)]
        #[state(kind = $kind, version = $state_version)]
        pub struct Carried {
            /// The total so far.
            pub total: u64,
        }

        #[s_sdk::s_module(component = "counter", version = "1.1.0", annotation = "misbehaves", carries_state $(, depends($depends = "^1"))?)]
        impl $crate::roles::Counter for Misbehaving {
            fn add(&self, act: &s_sdk::Activity, amount: u64) -> Result<$crate::roles::Tagged, s_sdk::CallError> {
                use std::sync::atomic::Ordering::Relaxed;
                <$misbehaviour as $crate::misbehave::Misbehaviour>::call(&self.misbehaviour, act);
                let calls = self.calls.fetch_add(1, Relaxed) + 1;
                Ok($crate::roles::Tagged::new(1, self.total.fetch_add(amount, Relaxed) + amount, calls))
            }

            fn total(&self, act: &s_sdk::Activity) -> Result<$crate::roles::Tagged, s_sdk::CallError> {
                use std::sync::atomic::Ordering::Relaxed;
                <$misbehaviour as $crate::misbehave::Misbehaviour>::call(&self.misbehaviour, act);
                let calls = self.calls.fetch_add(1, Relaxed) + 1;
                Ok($crate::roles::Tagged::new(1, self.total.load(Relaxed), calls))
            }
        }

        impl s_sdk::Module for Misbehaving {
            fn init(host: s_sdk::Host) -> Result<Self, s_sdk::Refusal> {
                let misbehaviour = <$misbehaviour as $crate::misbehave::Misbehaviour>::init(host)?;
                Ok(Misbehaving { misbehaviour, total: 0.into(), calls: 0.into() })
            }
            fn prepare(&self, _: s_sdk::Part<'_>) -> s_sdk::Vote {
                <$misbehaviour as $crate::misbehave::Misbehaviour>::prepare(&self.misbehaviour)
            }
            fn hold(&self) {
                <$misbehaviour as $crate::misbehave::Misbehaviour>::hold(&self.misbehaviour);
            }
            fn restart(&self) {
                <$misbehaviour as $crate::misbehave::Misbehaviour>::restart(&self.misbehaviour);
            }
            fn term(&self) {
                <$misbehaviour as $crate::misbehave::Misbehaviour>::term(&self.misbehaviour);
            }
            fn self_test(&self, _: &s_sdk::Activity) -> Result<(), s_sdk::Refusal> {
                <$misbehaviour as $crate::misbehave::Misbehaviour>::self_test(&self.misbehaviour);
                Ok(())
            }
        }

        impl s_sdk::CarriesState for Misbehaving {
            type State = Carried;

            fn export(&self) -> Carried {
                <$misbehaviour as $crate::misbehave::Misbehaviour>::export(&self.misbehaviour);
                Carried { total: self.total.load(std::sync::atomic::Ordering::Relaxed) }
            }

            fn import(&self, state: Carried) -> Result<(), s_sdk::Refusal> {
                <$misbehaviour as $crate::misbehave::Misbehaviour>::import(&self.misbehaviour)?;
                self.total.store(state.total, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
        }
    };
}
