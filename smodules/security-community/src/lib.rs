//! The community-based security models of SNMPv1 and SNMPv2c (RFC 3584 §5): communities and their sources.
//!
//! It never sees a PDU, keeps nothing of a message and makes no message: `roles::community` says why its
//! callers need no more. Its rows come from the configuration and from SETs, are shown and changed as
//! SNMP-COMMUNITY-MIB (`config`), and admit in the form of `table`, which is made anew with every change.
//! A look-up takes the read side of a lock that is written for the length of one move, and allocates
//! nothing.

mod config;
mod source;
mod table;

use config::{CONTEXT_ENGINE_ID, Config, ENTRY, Index, Kept, NAME, STATUS};
use mib_kit::{Mib, Revision, Served, Store, Written, mib_access};
use roles::community::CommunitySecurity;
use roles::engine::{Engine, EngineProxy};
use roles::mib::{MibAccess, MibError};
use roles::security::{SecurityError, SecurityErrorKind};
use roles::settings::{self, CommunitySettings, Persistence, Settings};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::error::CallErrorKind;
use s_sdk::{
    Activity, Buf, CallError, CarriesState, Host, Level, Module, Refusal, State, s_module,
};
use source::Address;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use table::Table;

/// The module.
pub struct Communities {
    host: Host,
    engine: EngineProxy,
    mib: Mib<Config, Config>,
    config: Store<Config>,
    revision: Revision,
    table: RwLock<Table>,
    /// Held while a table is made of the configuration, so that the last one is of the last one.
    making: Mutex<()>,
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "communities", version = 1)]
pub struct CommunityState {
    /// What was configured last.
    pub settings: CommunitySettings,
    /// What came by SET, as its document.
    pub rows: Vec<u8>,
    /// The engine that the rows are of.
    pub engine_id: Vec<u8>,
}

impl Communities {
    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // Whoever writes puts a whole table in place, so what a panic leaves behind is whole too.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the configuration otherwise than by a SET.
    fn change<T>(&self, change: impl FnOnce(&mut Config) -> T) -> Result<T, Vec<String>> {
        let mut answer = None;
        self.config.update(|config| answer = Some(change(config)));
        self.take_effect()?;
        answer.ok_or_else(Vec::new)
    }

    /// Makes a table of what is active.
    fn take_effect(&self) -> Result<(), Vec<String>> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.replace(Table::of(self.config.state().effective())?);
        Ok(())
    }

    fn engine_id(&self, act: &Activity) -> Result<Vec<u8>, CallError> {
        let mut engine_id = Buf::new();
        self.engine.engine_id(act, &mut engine_id)?;
        Ok(engine_id.to_vec())
    }

    fn replace(&self, table: Table) {
        let mut place = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *place, table);
        drop(place);
        // Freed when nobody waits for the lock any more.
        drop(former);
    }
}

#[s_module(
    component = "security.community",
    version = "1.0.0",
    annotation = "RFC 3584: communities of SNMPv1 and SNMPv2c",
    depends("engine" = "^1"),
    carries_state,
    also(Settings, Persistence, MibAccess)
)]
impl CommunitySecurity for Communities {
    fn admit(
        &self,
        _act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        community: &[u8],
        security_name: &mut Buf,
        context_name: &mut Buf,
    ) -> Result<(), SecurityError> {
        let from = Address::of(transport_domain, transport_address);
        let table = self.table();
        let entry = table.admitting(community, from).ok_or(SecurityErrorKind::BadCommunityName)?;
        security_name.append(entry.security_name.as_bytes())?;
        context_name.append(&entry.context_name)?;
        Ok(())
    }

    fn community_of(
        &self,
        _act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        security_name: &[u8],
        context_name: &[u8],
        community: &mut Buf,
    ) -> Result<(), SecurityError> {
        let to = Address::of(transport_domain, transport_address);
        let table = self.table();
        let entry = table.standing_for(security_name, context_name, to);
        community.append(&entry.ok_or(SecurityErrorKind::BadCommunityName)?.community)?;
        Ok(())
    }
}

mib_access!(Communities);

impl Served for Communities {
    type View = Config;
    type State = Config;

    fn mib(&self) -> &Mib<Config, Config> {
        &self.mib
    }

    fn view<T>(
        &self,
        _act: &Activity,
        answer: impl FnOnce(&Config) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        answer(&self.config.state())
    }

    fn store(&self) -> Option<&Store<Config>> {
        Some(&self.config)
    }

    fn conclude(
        &self,
        act: &Activity,
        _before: &Config,
        draft: &mut Config,
        written: Written<'_>,
    ) -> Result<(), MibError> {
        let engine_id = self.engine_id(act)?;
        for cell in written.to::<Index>(ENTRY) {
            // RFC 3584 §5.3: an engine that forwards nothing takes no contextEngineID but its own.
            if cell.column == CONTEXT_ENGINE_ID && cell.value != VarValue::Octets(&engine_id) {
                return Err(MibError::at(ErrorStatus::InconsistentValue, cell.position));
            }
            if let Some(row) = draft.rows.get_mut(&cell.index) {
                row.engine_id.clone_from(&engine_id);
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        _before: &Config,
        draft: &Config,
        binds: &VarBinds,
        which: Span,
    ) -> Result<(), MibError> {
        // Nobody is asked for: whoever may write here may not do this.
        let mut cells = Written::of((0, b""), binds, which).to::<Index>(ENTRY);
        let wrong = cells.find(|c| matches!(c.column, NAME | STATUS) && draft.takes_over(&c.index));
        wrong.map_or(Ok(()), |c| Err(MibError::at(ErrorStatus::InconsistentValue, c.position)))
    }

    fn changed(&self, _act: &Activity) -> Result<(), MibError> {
        self.take_effect().map_err(|problems| {
            self.host.log(Level::Error, &problems.join("; "));
            CallError::new(CallErrorKind::Refused).into()
        })
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl Settings for Communities {
    fn check(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        settings::report(&read(document), out)
    }

    fn apply(&self, act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        let engine_id = self.engine_id(act)?;
        let configure = |settings: CommunitySettings| {
            self.change(|config| config.configure(&settings, &engine_id))
        };
        settings::report(&read(document).and_then(configure), out)
    }
}

impl Persistence for Communities {
    fn revision(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(self.revision.of(&self.config, |config| settings::write(&config.kept(false))))
    }

    fn save(&self, _act: &Activity, kept: &mut Buf) -> Result<(), CallError> {
        Ok(kept.append(&settings::write(&self.config.state().kept(false)))?)
    }

    fn restore(&self, act: &Activity, kept: &[u8]) -> Result<bool, CallError> {
        let Ok(kept) = settings::read::<Kept>(kept) else { return Ok(false) };
        let engine_id = self.engine_id(act)?;
        Ok(self.change(|config| config.restore(kept, &engine_id)).unwrap_or(false))
    }
}

impl Module for Communities {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(Communities {
            host,
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: config::mib()?,
            config: Store::new(Config::default()),
            revision: Revision::default(),
            table: RwLock::default(),
            making: Mutex::default(),
        })
    }

    /// What of the contracts can be asked without changing what is asked next.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        roles::contract::community::harmless(self, act)?;
        roles::contract::settings::harmless(self, act)?;
        Ok(roles::contract::settings::keeping_harmless(self, act)?)
    }
}

impl CarriesState for Communities {
    type State = CommunityState;

    fn export(&self) -> CommunityState {
        let config = self.config.state();
        let engine_id = config.rows.values().next().map(|row| row.engine_id.clone());
        CommunityState {
            settings: config.configured(),
            rows: settings::write(&config.kept(true)),
            engine_id: engine_id.unwrap_or_default(),
        }
    }

    fn import(&self, state: CommunityState) -> Result<(), Refusal> {
        let CommunityState { settings, rows, engine_id } = state;
        let rows = settings::read::<Kept>(&rows)?;
        let taken_over = self.change(|config| {
            config.configure(&settings, &engine_id);
            config.restore(rows, &engine_id)
        });
        match taken_over.map_err(|problems| problems.join("; "))? {
            true => Ok(()),
            false => Err(Refusal("a row is none that a SET can have made".to_owned())),
        }
    }
}

/// The settings of a document; otherwise what is wrong with it, a line each.
fn read(document: &[u8]) -> Result<CommunitySettings, Vec<String>> {
    let settings = settings::read::<CommunitySettings>(document).map_err(|error| {
        vec![format!("the document is not that of the communities ({error}): configure them anew")]
    })?;
    Table::of(settings.clone()).map(|_| settings)
}
