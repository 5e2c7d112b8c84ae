//! What an operator configures, and what a module keeps over a restart of the process.
//!
//! Settings are documents: the encoded form of one of the structs below. A module never reads a file and
//! never knows where a document came from. What it changes at run time (a SET) it does not write anywhere:
//! it says that there is something to keep, and the host asks for it and keeps it.
//!
//! The contract:
//! 1. `check` changes nothing. It appends one line per problem, each with the remedy, and answers how many
//!    there are. A document that is not of the module's struct is one problem.
//! 2. `apply` of a document without problems takes it over as a whole, at once for all activities that
//!    begin later; of one with problems it changes nothing and answers as `check`.
//! 3. What `apply` brings replaces what an earlier `apply` brought, and leaves what came by SET.
//! 4. `revision` moves with every change that `save` would write differently, and with nothing else.
//! 5. `restore` of what `save` appended brings a module of the same or a newer version to where `save`
//!    found it. Of anything else it changes nothing and answers `false`.

use s_sdk::value::Field;
use s_sdk::value::Value;
use s_sdk::{Activity, Buf, CallError, behavior};

/// Takes settings over.
#[behavior(name = "settings")]
pub trait Settings {
    /// Appends what is wrong with a document, a line each, and answers how many lines.
    fn check(&self, act: &Activity, document: &[u8], problems: &mut Buf) -> Result<u32, CallError>;

    /// Takes a document over if nothing is wrong with it; otherwise as `check`.
    fn apply(&self, act: &Activity, document: &[u8], problems: &mut Buf) -> Result<u32, CallError>;
}

/// Has something to keep over restarts of the process.
#[behavior(name = "persistence")]
pub trait Persistence {
    /// A number that moves when there is something new to keep.
    fn revision(&self, act: &Activity) -> Result<u64, CallError>;

    /// Appends everything to keep.
    fn save(&self, act: &Activity, kept: &mut Buf) -> Result<(), CallError>;

    /// Takes back what was kept; false when it is not of this module.
    fn restore(&self, act: &Activity, kept: &[u8]) -> Result<bool, CallError>;
}

/// A document from its octets; otherwise the problem, in words.
///
/// # Errors
/// The octets are not of this document.
pub fn read<T: Field>(document: &[u8]) -> Result<T, String> {
    let value = Value::decode(document).map_err(|error| error.to_string())?;
    T::from_value(value).map_err(|error| error.to_string())
}

/// The octets of a document.
pub fn write<T: Field>(document: &T) -> Vec<u8> {
    document.to_value().encode()
}

/// What is wrong with a document, as `check` and `apply` answer it: a line each, and how many.
///
/// # Errors
/// There is no room for the lines.
pub fn report<T>(checked: &Result<T, Vec<String>>, problems: &mut Buf) -> Result<u32, CallError> {
    let Err(found) = checked else { return Ok(0) };
    for problem in found {
        problems.append(problem.as_bytes())?;
        problems.append(b"\n")?;
    }
    Ok(u32::try_from(found.len()).unwrap_or(u32::MAX))
}

/// How a key is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Field)]
pub enum KeyForm {
    /// There is none.
    None,
    /// A password of eight octets or more (RFC 3414 §11.2).
    Password,
    /// A key that is the same at every engine.
    Master,
    /// A key as it is at one engine.
    Localized,
}

/// A user of the User-based Security Model.
#[derive(Clone, PartialEq, Eq, Field)]
pub struct User {
    /// usmUserName, which is also the security name.
    pub name: String,
    /// The engine that the keys are for; empty for this one.
    pub engine_id: Vec<u8>,
    /// usmUserAuthProtocol; empty for none.
    pub auth_protocol: Vec<u32>,
    /// How the authentication key is given.
    pub auth_form: KeyForm,
    /// The password or the key.
    pub auth_secret: Vec<u8>,
    /// usmUserPrivProtocol; empty for none.
    pub priv_protocol: Vec<u32>,
    /// How the privacy key is given.
    pub priv_form: KeyForm,
    /// The password or the key.
    pub priv_secret: Vec<u8>,
}

/// Secrets are in no log.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The document of the User-based Security Model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub struct UsmSettings {
    /// The users.
    pub users: Vec<User>,
}

/// Where a community may be used from: so many leading bits of an address.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct Source {
    /// Four octets or sixteen.
    pub address: Vec<u8>,
    /// How many bits count.
    pub prefix: u32,
}

/// A community (RFC 3584 §5.2).
#[derive(Clone, PartialEq, Eq, Field)]
pub struct Community {
    /// snmpCommunityIndex.
    pub index: String,
    /// snmpCommunityName.
    pub community: Vec<u8>,
    /// snmpCommunitySecurityName.
    pub security_name: String,
    /// snmpCommunityContextName.
    pub context_name: Vec<u8>,
    /// From where; empty for everywhere.
    pub sources: Vec<Source>,
}

/// A community is a secret, if a poor one.
impl std::fmt::Debug for Community {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Community").field("index", &self.index).finish_non_exhaustive()
    }
}

/// The document of the community-based security models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub struct CommunitySettings {
    /// The communities.
    pub communities: Vec<Community>,
}

/// Who is in a group (RFC 3415: vacmSecurityToGroupTable).
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct GroupMember {
    /// The security model: 1, 2, 3.
    pub security_model: u32,
    /// The security name.
    pub security_name: Vec<u8>,
    /// The group.
    pub group: Vec<u8>,
}

/// What a group may do (RFC 3415: vacmAccessTable).
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct AccessEntry {
    /// The group.
    pub group: Vec<u8>,
    /// The context, or the beginning of its name.
    pub context: Vec<u8>,
    /// Whether the context's name is whole.
    pub exact: bool,
    /// The security model; 0 for any.
    pub security_model: u32,
    /// The lowest level: 1, 2, 3 as in SnmpSecurityLevel.
    pub security_level: u32,
    /// The view for reading; empty for none.
    pub read_view: Vec<u8>,
    /// The view for writing; empty for none.
    pub write_view: Vec<u8>,
    /// The view for notifications; empty for none.
    pub notify_view: Vec<u8>,
}

/// A family of subtrees in a view (RFC 3415: vacmViewTreeFamilyTable).
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct ViewFamily {
    /// The view.
    pub view: Vec<u8>,
    /// The subtree.
    pub subtree: Vec<u32>,
    /// Which arcs count, a bit each; empty for all.
    pub mask: Vec<u8>,
    /// Whether the family is in the view or cut out of it.
    pub included: bool,
}

/// The document of the View-based Access Control Model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub struct VacmSettings {
    /// The contexts besides the default one.
    pub contexts: Vec<Vec<u8>>,
    /// Who is in which group.
    pub members: Vec<GroupMember>,
    /// What the groups may do.
    pub access: Vec<AccessEntry>,
    /// What the views hold.
    pub views: Vec<ViewFamily>,
}

/// A subtree that a target wants to hear of, or not (RFC 3413: snmpNotifyFilterTable).
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct NotifyFilter {
    /// The subtree.
    pub subtree: Vec<u32>,
    /// Which arcs count, a bit each; empty for all.
    pub mask: Vec<u8>,
    /// Whether the target hears of it.
    pub included: bool,
}

/// Who is told of notifications: a row of snmpTargetAddrTable with the rows of the other tables of RFC 3413
/// that belong to it, which all have its name.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct NotifyTarget {
    /// snmpTargetAddrName, and the name of the rows that belong to it: 1 to 32 octets.
    pub name: String,
    /// snmpTargetAddrTDomain: snmpUDPDomain or transportDomainUdpIpv6.
    pub domain: Vec<u32>,
    /// snmpTargetAddrTAddress: the octets of the IP address, then two of the port.
    pub address: Vec<u8>,
    /// snmpTargetParamsMPModel: 0 is v1, 1 is v2c, 3 is v3.
    pub message_model: u32,
    /// snmpTargetParamsSecurityModel: 1 is v1, 2 is v2c, 3 is USM.
    pub security_model: u32,
    /// snmpTargetParamsSecurityName: the user; for v1 and v2c the security name of a community in the
    /// [`CommunitySettings`], which says what is sent. Somebody whose notify view in the [`VacmSettings`]
    /// lacks a variable is not told of it.
    pub security_name: String,
    /// snmpTargetParamsSecurityLevel: 1, 2, 3 as in SnmpSecurityLevel.
    pub security_level: u32,
    /// snmpNotifyType: whether it is to acknowledge what it is told. Not with v1.
    pub inform: bool,
    /// The tag under which it is selected, for its rows of snmpTargetAddrTable and snmpNotifyTable; empty
    /// for one of its own.
    pub tag: String,
    /// snmpTargetAddrTimeout: how long an acknowledgement may take, in hundredths of a second.
    pub timeout: u32,
    /// snmpTargetAddrRetryCount: how often it is told again.
    pub retries: u32,
    /// What it hears of; everything where the list is empty.
    pub filters: Vec<NotifyFilter>,
}

/// The document of the notification originator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub struct NotifySettings {
    /// Who is told.
    pub targets: Vec<NotifyTarget>,
}

/// The document of the system group (RFC 3418). An empty text leaves what there was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub struct SystemSettings {
    /// sysDescr.
    pub descr: String,
    /// sysObjectID.
    pub object_id: Vec<u32>,
    /// sysContact. One that is configured cannot be changed by SET.
    pub contact: String,
    /// sysName.
    pub name: String,
    /// sysLocation.
    pub location: String,
    /// sysServices.
    pub services: u32,
}

/// The document of the snmp group (RFC 3418).
#[derive(Clone, Debug, Default, PartialEq, Eq, Field)]
pub struct SnmpSettings {
    /// snmpEnableAuthenTraps. If it is configured it cannot be changed by SET.
    pub authentication_traps: Option<bool>,
}

/// A filesystem that is looked after (UCD-SNMP-MIB: dskTable).
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct WatchedDisk {
    /// Where it is mounted.
    pub path: String,
    /// How much is to be free, in kilobytes.
    pub minimum_kib: Option<u32>,
    /// How much is to be free, in percent.
    pub minimum_percent: Option<u32>,
}

/// The document of the UCD-SNMP-MIB.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct UcdSettings {
    /// The filesystems that are looked after, in the order of dskIndex.
    pub disks: Vec<WatchedDisk>,
    /// Whether all others are looked after too, and how much of each is to be free, in percent.
    pub all_disks_percent: Option<u32>,
    /// laConfig for one, five and fifteen minutes, in hundredths; 0 for no limit.
    pub load_limits: [u32; 3],
    /// memMinimumSwap: how much swap space is to be free, in kilobytes.
    pub minimum_swap_kib: u32,
}

/// As other agents have it where nothing is configured.
impl Default for UcdSettings {
    fn default() -> Self {
        UcdSettings {
            disks: Vec::new(),
            all_disks_percent: None,
            load_limits: [1200; 3],
            minimum_swap_kib: 16_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written_and_anything_else_is_a_problem() {
        let settings = VacmSettings {
            contexts: vec![b"bridge".to_vec()],
            views: vec![ViewFamily {
                view: b"all".to_vec(),
                subtree: vec![1, 3],
                mask: vec![],
                included: true,
            }],
            ..VacmSettings::default()
        };
        assert_eq!(read(&write(&settings)), Ok(settings));
        assert!(read::<UsmSettings>(&write(&SystemSettings::default())).is_err());
        assert!(read::<UsmSettings>(b"").is_err());
    }

    #[test]
    fn secrets_are_in_no_debug_output() {
        let user = User {
            name: "alice".into(),
            engine_id: vec![],
            auth_protocol: vec![],
            auth_form: KeyForm::Password,
            auth_secret: b"hush hush".to_vec(),
            priv_protocol: vec![],
            priv_form: KeyForm::None,
            priv_secret: vec![],
        };
        assert_eq!(format!("{user:?}"), "User { name: \"alice\", .. }");
    }
}
