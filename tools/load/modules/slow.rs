//! `mib.slow`: a module whose state takes 200 ms to map.
//!
//! It waits instead of computing, so that what `bench-live` sees is the gate and not the processor.

use mib_kit::{Column, Mib, Scalars, Served, mib_module};
use roles::mib::MibError;
use roles::varbind::VarValue::Integer;
use s_sdk::{Activity, CarriesState, Host, Module, Refusal, State};
use std::time::Duration;

const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 5, 1];
const MAPPING: Duration = Duration::from_millis(200);
const COLUMNS: &[Column<()>] = &[Column::new(1, |()| Some(Integer(1)))];

/// What takes so long.
#[derive(State)]
#[state(kind = "slow", version = 1)]
pub struct Carried {
    /// Nothing that anybody reads.
    pub number: u64,
}

/// The module.
pub struct Slow {
    host: Host,
    mib: Mib<(), ()>,
}

mib_module!(Slow, component = "mib.slow", version = "1.0.0", carries_state);

impl Module for Slow {
    fn init(host: Host) -> Result<Self, Refusal> {
        let scalars = Scalars::new(ROOT, COLUMNS, |nothing: &()| nothing);
        Ok(Slow { host, mib: Mib::of(&[ROOT]).with(scalars).made()? })
    }
}

impl Served for Slow {
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

impl CarriesState for Slow {
    type State = Carried;

    fn export(&self) -> Carried {
        Carried { number: 1 }
    }

    fn import(&self, _: Carried) -> Result<(), Refusal> {
        std::thread::sleep(MAPPING);
        Ok(())
    }
}
