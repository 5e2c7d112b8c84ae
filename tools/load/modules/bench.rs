//! What `bench-live` swaps to see whether two versions ever speak in one answer: every variable says which
//! version wrote it. A macro, because a module's version is a literal.

/// The module `mib.bench` in a version, whose number its eight variables answer.
macro_rules! bench_module {
    ($version:literal, $number:literal) => {
        use mib_kit::{Column, Mib, Scalars, Served, mib_module};
        use roles::mib::MibError;
        use roles::varbind::VarValue::Integer;
        use s_sdk::{Activity, CarriesState, Host, Module, Refusal, State};
        use std::sync::atomic::{AtomicU64, Ordering};
        use std::time::Duration;

        /// What is carried from version to version, so that a gate closes.
        #[derive(State)]
        #[state(kind = "bench", version = 1)]
        pub struct Carried {
            /// How often it was carried.
            pub swaps: u64,
        }

        const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 4, 1];
        const VERSION: fn(&()) -> Option<roles::varbind::VarValue<'_>> =
            |()| Some(Integer($number));
        const COLUMNS: &[Column<()>] = &[
            Column::new(1, VERSION),
            Column::new(2, VERSION),
            Column::new(3, VERSION),
            Column::new(4, VERSION),
            Column::new(5, VERSION),
            Column::new(6, VERSION),
            Column::new(7, VERSION),
            Column::new(8, VERSION),
        ];

        /// The module.
        pub struct Bench {
            host: Host,
            mib: Mib<(), ()>,
            swaps: AtomicU64,
        }

        mib_module!(Bench, component = "mib.bench", version = $version, carries_state);

        impl Module for Bench {
            fn init(host: Host) -> Result<Self, Refusal> {
                let scalars = Scalars::new(ROOT, COLUMNS, |nothing: &()| nothing);
                Ok(Bench {
                    host,
                    mib: Mib::of(&[ROOT]).with(scalars).made()?,
                    swaps: AtomicU64::new(0),
                })
            }
        }

        impl Served for Bench {
            type View = ();
            type State = ();

            fn mib(&self) -> &Mib<(), ()> {
                &self.mib
            }

            fn view<T>(
                &self,
                _: &Activity,
                answer: impl FnOnce(&()) -> Result<T, MibError>,
            ) -> Result<T, MibError> {
                answer(&())
            }

            fn now(&self) -> Duration {
                self.host.now()
            }
        }

        impl CarriesState for Bench {
            type State = Carried;

            fn export(&self) -> Carried {
                Carried { swaps: self.swaps.load(Ordering::Relaxed) }
            }

            fn import(&self, state: Carried) -> Result<(), Refusal> {
                self.swaps.store(state.swaps.wrapping_add(1), Ordering::Relaxed);
                Ok(())
            }
        }
    };
}
