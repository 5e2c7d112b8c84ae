//! A module for the component `mib.udp` that is sound until it is asked for a variable.

/// The module, with what it does when it is asked.
macro_rules! bad {
    ($annotation:literal, $asked:expr) => {
        use mib_kit::{Column, Mib, Scalars, Served, mib_module};
        use roles::mib::MibError;
        use roles::varbind::VarValue;
        use s_sdk::{Activity, Host, Module, Refusal};
        use std::time::Duration;

        const UDP: &[u32] = &[1, 3, 6, 1, 2, 1, 7];

        const COLUMNS: &[Column<()>] = &[Column::new(1, |()| Some(VarValue::Counter32(7)))];

        fn asked() -> Result<(), MibError> {
            $asked
        }

        /// The module.
        pub struct Bad {
            host: Host,
            mib: Mib<()>,
        }

        mib_module!(Bad, component = "mib.udp", version = "9.0.0", annotation = $annotation);

        impl Module for Bad {
            fn init(host: Host) -> Result<Self, Refusal> {
                let mib = Mib::of(&[UDP])
                    .described(&[(&[1, 3, 6, 1, 2, 1, 50], "bad")])
                    .with(Scalars::new(UDP, COLUMNS, |view: &()| view))
                    .made()?;
                Ok(Bad { host, mib })
            }
        }

        impl Served for Bad {
            type View = ();
            type State = ();

            fn mib(&self) -> &Mib<()> {
                &self.mib
            }

            fn view<T>(
                &self,
                _act: &Activity,
                answer: impl FnOnce(&()) -> Result<T, MibError>,
            ) -> Result<T, MibError> {
                asked()?;
                answer(&())
            }

            fn now(&self) -> Duration {
                self.host.now()
            }
        }
    };
}
