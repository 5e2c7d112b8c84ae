//! The snmpCommunityTable (RFC 3584 §5.3) row by row, as SNMP shows and changes it, and what of it has effect.
//!
//! It admits nobody: [`crate::table`] is made of what is active here. Invariants: a row that was configured
//! is `readOnly`, so nobody changes it but the next configuration; a row that came by SET stays over every
//! configuration, and is kept over restarts unless it is `volatile`. Neither drives the other out: where both
//! would have one index, the configured row gets another. A configured community is never shown, and nobody but
//! the configuration says whom it stands for.

use mib_kit::syntax::octets;
use mib_kit::{
    Column, Implied, Managed, Mib, Octets, RowStatus, Rows, StorageType, Syntax, Table,
    storage_and_status,
};
use roles::community::MAX_COMMUNITY;
use roles::settings::{Community, CommunitySettings};
use roles::varbind::{ErrorStatus, VarValue};
use s_sdk::Refusal;
use s_sdk::value::Field;
use std::collections::HashSet;

/// snmpCommunityEntry.
pub(crate) const ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 18, 1, 1, 1];

/// snmpCommunityName.
pub(crate) const NAME: u32 = 2;

/// snmpCommunityContextEngineID.
pub(crate) const CONTEXT_ENGINE_ID: u32 = 4;

/// snmpCommunityStatus.
pub(crate) const STATUS: u32 = 8;

/// What a configured row with sources shows as its snmpCommunityTransportTag: sources are networks, which
/// no tag can say, and an empty tag would say that there are none.
const SOURCES_TAG: &[u8] = b"configured-sources";

/// The octets of a snmpCommunityIndex at most.
const MAX_INDEX: usize = 32;

/// snmpCommunityIndex.
pub(crate) type Index = Implied<Octets>;

/// A row.
#[derive(Clone, PartialEq, Eq, Field)]
pub(crate) struct Row {
    pub(crate) index: String,
    /// snmpCommunityName; none before it is set.
    community: Option<Vec<u8>>,
    /// snmpCommunitySecurityName; empty before it is set.
    security_name: String,
    /// snmpCommunityContextEngineID: this engine's.
    pub(crate) engine_id: Vec<u8>,
    context_name: Vec<u8>,
    /// Of a configured row only.
    sources: Vec<roles::settings::Source>,
    storage: StorageType,
    status: RowStatus,
}

/// The table.
#[derive(Clone, Default)]
pub struct Config {
    pub(crate) rows: Rows<Index, Row>,
}

/// What outlasts the process, and with it what came by SET.
#[derive(Default, Field)]
pub(crate) struct Kept {
    rows: Vec<Row>,
}

impl Row {
    fn new(index: &Index) -> Option<Self> {
        let Implied(Octets(index)) = index;
        let index = String::from_utf8(index.clone()).ok()?;
        (1..=MAX_INDEX).contains(&index.len()).then(|| Row {
            index,
            community: None,
            security_name: String::new(),
            engine_id: Vec::new(),
            context_name: Vec::new(),
            sources: Vec::new(),
            storage: StorageType::NonVolatile,
            status: RowStatus::NotReady,
        })
    }

    fn configured(entry: &Community, engine_id: &[u8]) -> Self {
        let Community { index, community, security_name, context_name, sources } = entry;
        Row {
            index: index.clone(),
            community: Some(community.clone()),
            security_name: security_name.clone(),
            engine_id: engine_id.to_vec(),
            context_name: context_name.clone(),
            sources: sources.clone(),
            storage: StorageType::ReadOnly,
            status: RowStatus::Active,
        }
    }

    /// Whether its community is one of these.
    fn is_of(&self, communities: &HashSet<&[u8]>) -> bool {
        self.community.as_deref().is_some_and(|community| communities.contains(community))
    }

    fn is_configured(&self) -> bool {
        self.storage == StorageType::ReadOnly
    }

    fn entry(&self) -> Community {
        Community {
            index: self.index.clone(),
            community: self.community.clone().unwrap_or_default(),
            security_name: self.security_name.clone(),
            context_name: self.context_name.clone(),
            sources: self.sources.clone(),
        }
    }

    /// Whether a SET can have made it: what is kept may have been written by anybody.
    fn is_from_a_set(&self) -> bool {
        self.status.is_settled(self.is_complete())
            && !self.is_configured()
            && (1..=MAX_INDEX).contains(&self.index.len())
            && self.community.as_ref().is_none_or(|community| community.len() <= MAX_COMMUNITY)
            && self.security_name.len() <= 32
            && self.context_name.len() <= 32
            && self.sources.is_empty()
    }

    fn key(&self) -> Index {
        Implied(Octets(self.index.clone().into_bytes()))
    }
}

impl Managed for Row {
    storage_and_status!();

    /// RFC 3584 §5.3, snmpCommunityStatus: what must be there before the row is active.
    fn is_complete(&self) -> bool {
        self.community.is_some() && !self.security_name.is_empty()
    }
}

impl Config {
    /// Replaces what was configured. What came by SET stays.
    pub(crate) fn configure(&mut self, settings: &CommunitySettings, engine_id: &[u8]) {
        self.rows.retain(|row| !row.is_configured());
        for entry in &settings.communities {
            self.put(Row::configured(entry, engine_id));
        }
    }

    /// Takes a configured row in, behind the index that it was given where that is taken: among those that were
    /// configured its place stays the same, and so does which of them comes first.
    fn put(&mut self, mut row: Row) {
        let given = row.index.clone();
        let mut number = 0_u32;
        while self.rows.get(&row.key()).is_some() {
            number += 1;
            let behind = format!("+{number}");
            row.index.clone_from(&given);
            row.index.truncate(given.floor_char_boundary(MAX_INDEX - behind.len()));
            row.index.push_str(&behind);
        }
        self.rows.insert(&row.key(), row);
    }

    /// What was configured.
    pub(crate) fn configured(&self) -> CommunitySettings {
        let rows = self.rows.values().filter(|row| row.is_configured());
        CommunitySettings { communities: rows.map(Row::entry).collect() }
    }

    /// What has effect: the rows that are active, but for those that came by SET before somebody configured
    /// their community.
    pub(crate) fn effective(&self) -> CommunitySettings {
        let taken = self.configured_communities();
        let rows = self.rows.values().filter(|row| row.status == RowStatus::Active);
        let rows = rows.filter(|row| row.is_configured() || !row.is_of(&taken));
        CommunitySettings { communities: rows.map(Row::entry).collect() }
    }

    /// Whether a row that came by SET is active and would say whom a configured community stands for. RFC 3584
    /// §5.2.1 leaves open which of two rows that match counts, and a row that came by SET matches whatever a
    /// configured one does: its tag is empty, so it takes messages from everywhere.
    pub(crate) fn takes_over(&self, index: &Index) -> bool {
        let row = self.rows.get(index).filter(|row| row.status == RowStatus::Active);
        row.is_some_and(|row| !row.is_configured() && row.is_of(&self.configured_communities()))
    }

    fn configured_communities(&self) -> HashSet<&[u8]> {
        let rows = self.rows.values().filter(|row| row.is_configured());
        rows.filter_map(|row| row.community.as_deref()).collect()
    }

    /// What came by SET; only what outlasts the process, or all of it.
    pub(crate) fn kept(&self, volatile_too: bool) -> Kept {
        let is_kept = |row: &&Row| {
            row.storage == StorageType::NonVolatile || volatile_too && !row.is_configured()
        };
        Kept { rows: self.rows.values().filter(is_kept).cloned().collect() }
    }

    /// Replaces what came by SET; false if it cannot have come from here, and then nothing has changed.
    pub(crate) fn restore(&mut self, kept: Kept, engine_id: &[u8]) -> bool {
        let possible = kept.rows.iter().all(Row::is_from_a_set);
        if possible {
            let configured = self.configured();
            self.rows.retain(|_| false);
            for mut row in kept.rows {
                // The engine may have got another name since; its rows are its own still.
                row.engine_id = engine_id.to_vec();
                self.rows.insert(&row.key(), row);
            }
            self.configure(&configured, engine_id);
        }
        possible
    }
}

const COLUMNS: &[Column<Row>] = &[
    Column::writable(
        NAME,
        // A configured community is told to nobody: whoever could read it could write where it may.
        |row| match row.is_configured() {
            true => None,
            false => row.community.as_deref().map(VarValue::Octets),
        },
        Syntax::Octets(0, MAX_COMMUNITY),
        |row, value| {
            row.community = Some(octets(value)?.to_vec());
            Ok(())
        },
    ),
    Column::writable(
        3,
        |row| {
            let name = row.security_name.as_bytes();
            (!name.is_empty()).then_some(VarValue::Octets(name))
        },
        Syntax::AdminString(1, 32),
        |row, value| {
            let name = octets(value)?.to_vec();
            row.security_name = String::from_utf8(name).map_err(|_| ErrorStatus::WrongValue)?;
            Ok(())
        },
    ),
    // Whether it is the one that there is, the module says: rows do not know.
    Column::writable(
        CONTEXT_ENGINE_ID,
        |row| Some(VarValue::Octets(&row.engine_id)),
        Syntax::Octets(5, 32),
        |_, _| Ok(()),
    ),
    Column::writable(
        5,
        |row| Some(VarValue::Octets(&row.context_name)),
        Syntax::AdminString(0, 32),
        |row, value| {
            row.context_name = octets(value)?.to_vec();
            Ok(())
        },
    ),
    Column::writable(
        6,
        |row| Some(VarValue::Octets(if row.sources.is_empty() { b"" } else { SOURCES_TAG })),
        Syntax::AdminString(0, 255),
        // Off-spec: a tag would let messages in from the addresses of snmpTargetAddrTable that have it. This
        // module does not see that table, and a restriction that has no effect must not be accepted.
        |_, value| match octets(value) {
            Ok(b"") => Ok(()),
            _ => Err(ErrorStatus::InconsistentValue),
        },
    ),
    Column::storage(7, Syntax::REMOVABLE),
    Column::status(STATUS),
];

/// SNMP-COMMUNITY-MIB, but for the table of target addresses.
///
/// # Errors
/// Never: the columns are apart.
pub(crate) fn mib() -> Result<Mib<Config, Config>, Refusal> {
    let table = Table::new(ENTRY, COLUMNS, |config: &Config| &config.rows)
        .writable(|config: &Config| &config.rows, |config| &mut config.rows)
        .creatable(Row::new);
    Mib::of(&[&[1, 3, 6, 1, 6, 3, 18, 1, 1]])
        .described(&[(
            &[1, 3, 6, 1, 6, 3, 18, 2, 1, 1],
            "The coexistence of SNMPv1, SNMPv2c and SNMPv3: communities.",
        )])
        .with(table)
        .made()
}
