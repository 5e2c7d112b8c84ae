//! The community-based security models of SNMPv1 and SNMPv2c (RFC 3584 §5): communities and their sources.
//!
//! It never sees a PDU, keeps nothing of a message and makes no message: `roles::community` says why its
//! callers need no more. Its one state is the table that was configured, which a successor takes over.
//! A look-up takes the read side of a lock that is written for the length of one move, and allocates
//! nothing.

mod source;
mod table;

use roles::community::CommunitySecurity;
use roles::security::{SecurityError, SecurityErrorKind};
use roles::settings::{self, CommunitySettings, Settings};
use s_sdk::{Activity, Buf, CallError, CarriesState, Full, Host, Module, Refusal, State, s_module};
use source::Address;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use table::Table;

/// The module.
pub struct Communities {
    table: RwLock<Table>,
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "communities", version = 1)]
pub struct CommunityState {
    /// What was configured last.
    pub settings: CommunitySettings,
}

impl Communities {
    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // Whoever writes puts a whole table in place, so what a panic leaves behind is whole too.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
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
    carries_state,
    also(Settings)
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

impl Settings for Communities {
    fn check(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        match read(document) {
            Ok(_) => Ok(0),
            Err(problems) => Ok(tell(&problems, out)?),
        }
    }

    fn apply(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        match read(document) {
            Ok(table) => {
                self.replace(table);
                Ok(0)
            }
            Err(problems) => Ok(tell(&problems, out)?),
        }
    }
}

impl Module for Communities {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(Communities { table: RwLock::default() })
    }
}

impl CarriesState for Communities {
    type State = CommunityState;

    fn export(&self) -> CommunityState {
        CommunityState { settings: self.table().settings() }
    }

    fn import(&self, state: CommunityState) -> Result<(), Refusal> {
        let table = Table::of(state.settings).map_err(|problems| Refusal(problems.join("; ")))?;
        self.replace(table);
        Ok(())
    }
}

/// The table that a document describes; otherwise what is wrong with it, a line each.
fn read(document: &[u8]) -> Result<Table, Vec<String>> {
    let settings = settings::read::<CommunitySettings>(document).map_err(|error| {
        vec![format!("the document is not that of the communities ({error}): configure them anew")]
    })?;
    Table::of(settings)
}

/// Appends problems, a line each, and answers how many there are.
fn tell(problems: &[String], out: &mut Buf) -> Result<u32, Full> {
    for problem in problems {
        out.append(problem.as_bytes())?;
        out.push(b'\n')?;
    }
    Ok(u32::try_from(problems.len()).unwrap_or(u32::MAX))
}
