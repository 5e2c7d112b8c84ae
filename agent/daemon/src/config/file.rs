//! `sagentd.toml` as it is written: which tables there are, and which entries.
//!
//! It checks the form alone. Invariant: an entry that is not here is an error, so that a word with a slip in
//! it configures nothing.

use roles::varbind::SecurityLevel;
use serde::Deserialize;
use std::path::PathBuf;

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct File {
    pub(super) listen: Vec<String>,
    pub(super) state_directory: Option<PathBuf>,
    pub(super) threads: Option<usize>,
    pub(super) run_as: Option<String>,
    pub(super) run_as_group: Option<String>,
    pub(super) may_set_links: bool,
    pub(super) control: Option<PathBuf>,
    pub(super) metrics: MetricsTable,
    pub(super) limits: LimitsTable,
    pub(super) engine: EngineTable,
    pub(super) system: SystemTable,
    pub(super) user: Vec<UserTable>,
    pub(super) community: Vec<CommunityTable>,
    pub(super) view: Vec<ViewTable>,
    pub(super) notify: Vec<super::notify::NotifyTable>,
    pub(super) watch: super::watch::WatchTable,
    pub(super) swap: super::swap::SwapTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct MetricsTable {
    pub(super) listen: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct EngineTable {
    pub(super) id: Option<String>,
    pub(super) max_message_size: Option<u32>,
    pub(super) max_getbulk_repeats: Option<u32>,
    pub(super) max_getbulk_responses: Option<u32>,
}

/// What one source may take; 0 is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct LimitsTable {
    pub(crate) packets_per_second: Option<u32>,
    pub(crate) packet_burst: Option<u32>,
    pub(crate) unproven_answer: Option<u32>,
    pub(crate) unproven_factor: Option<u32>,
    pub(crate) failures_per_second: Option<u32>,
    pub(crate) failure_burst: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct SystemTable {
    pub(super) descr: String,
    pub(super) object_id: String,
    pub(super) contact: String,
    pub(super) name: String,
    pub(super) location: String,
    pub(super) services: u32,
    pub(super) authentication_traps: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct UserTable {
    pub(super) name: String,
    pub(super) auth: Option<String>,
    pub(super) auth_passphrase: Option<String>,
    pub(super) r#priv: Option<String>,
    pub(super) priv_passphrase: Option<String>,
    #[serde(default)]
    pub(super) access: Access,
    pub(super) view: Option<String>,
    pub(super) level: Option<Level>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CommunityTable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) source: Vec<String>,
    #[serde(default)]
    pub(super) access: Access,
    pub(super) view: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ViewTable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) include: Vec<String>,
    #[serde(default)]
    pub(super) exclude: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Access {
    #[default]
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(clippy::enum_variant_names, reason = "the RFCs' names")]
pub(super) enum Level {
    #[serde(rename = "noAuthNoPriv")]
    NoAuthNoPriv,
    #[serde(rename = "authNoPriv")]
    AuthNoPriv,
    #[serde(rename = "authPriv")]
    AuthPriv,
}

impl From<Level> for SecurityLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::NoAuthNoPriv => SecurityLevel::NoAuthNoPriv,
            Level::AuthNoPriv => SecurityLevel::AuthNoPriv,
            Level::AuthPriv => SecurityLevel::AuthPriv,
        }
    }
}
