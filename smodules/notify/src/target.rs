//! SNMP-TARGET-MIB (RFC 3413 §4.1): where messages can be sent, and how.
//!
//! Rows are values; nothing here sends. Invariant: a row that is active has all that sending needs, and
//! while it is active what decides where and as whom cannot be changed.

use mib_kit::index::Implied;
use mib_kit::syntax::{integer, octets};
use mib_kit::{Column, Managed, Octets, RowStatus, StorageType, Syntax, storage_and_status};
use roles::varbind::VarValue::{self, Integer};
use roles::varbind::{ErrorStatus, message_model, security_model};
use s_sdk::value::Field;

/// A name of 1 to 32 octets, IMPLIED at the end of an index.
pub(crate) type Name = Implied<Octets>;

pub(crate) const OBJECTS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1];
pub(crate) const SPIN_LOCK: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 1];
pub(crate) const ADDR_TABLE: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 2];
pub(crate) const ADDR_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 2, 1];
pub(crate) const PARAMS_TABLE: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 3];
pub(crate) const PARAMS_ENTRY: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 3, 1];

/// The longest name (SnmpAdminString (SIZE(1..32))).
pub(crate) const MAX_NAME: usize = 32;

/// snmpTargetAddrEntry. What was not written yet is empty.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct TargetAddr {
    pub(crate) domain: Vec<u32>,
    pub(crate) address: Vec<u8>,
    /// Hundredths of a second.
    pub(crate) timeout: i32,
    pub(crate) retries: i32,
    pub(crate) tags: Vec<u8>,
    pub(crate) params: Vec<u8>,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

/// snmpTargetParamsEntry. What was not written yet is none.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub(crate) struct TargetParams {
    pub(crate) message_model: Option<i32>,
    pub(crate) security_model: Option<i32>,
    pub(crate) security_name: Option<Vec<u8>>,
    pub(crate) security_level: Option<i32>,
    pub(crate) storage: StorageType,
    pub(crate) status: RowStatus,
}

impl TargetAddr {
    /// The defaults of the MIB.
    pub(crate) const NEW: TargetAddr = TargetAddr {
        domain: Vec::new(),
        address: Vec::new(),
        timeout: 1500,
        retries: 3,
        tags: Vec::new(),
        params: Vec::new(),
        storage: StorageType::NonVolatile,
        status: RowStatus::NotReady,
    };

    pub(crate) fn is_active(&self) -> bool {
        self.status == RowStatus::Active
    }

    /// What must not change while the row is active (snmpTargetAddrRowStatus).
    pub(crate) fn differs_while_active(&self, other: &Self) -> bool {
        self.is_active()
            && other.is_active()
            && (&self.domain, &self.address) != (&other.domain, &other.address)
    }
}

impl TargetParams {
    /// The defaults of the MIB.
    pub(crate) const NEW: TargetParams = TargetParams {
        message_model: None,
        security_model: None,
        security_name: None,
        security_level: None,
        storage: StorageType::NonVolatile,
        status: RowStatus::NotReady,
    };

    pub(crate) fn is_active(&self) -> bool {
        self.status == RowStatus::Active
    }

    /// What must not change while the row is active (snmpTargetParamsRowStatus).
    pub(crate) fn differs_while_active(&self, other: &Self) -> bool {
        let how = |row: &Self| {
            let TargetParams { message_model, security_model, security_level, .. } = *row;
            (message_model, security_model, security_level)
        };
        self.is_active()
            && other.is_active()
            && (how(self), &self.security_name) != (how(other), &other.security_name)
    }
}

/// Whether a row may have this name: a sub-identifier per octet leaves none for an empty one.
pub(crate) fn named<R: Clone>(name: &Name, row: &R) -> Option<R> {
    (1..=MAX_NAME).contains(&name.0.0.len()).then(|| row.clone())
}

impl Managed for TargetAddr {
    storage_and_status!();
    fn is_complete(&self) -> bool {
        !self.domain.is_empty() && !self.address.is_empty() && !self.params.is_empty()
    }
}

pub(crate) const ADDR_COLUMNS: &[Column<TargetAddr>] = &[
    Column::writable(
        2,
        |row| (!row.domain.is_empty()).then_some(VarValue::Oid(&row.domain)),
        Syntax::Oid,
        |row, value| {
            let VarValue::Oid(domain) = value else { return Err(ErrorStatus::WrongType) };
            row.domain = domain.to_vec();
            Ok(())
        },
    ),
    Column::writable(
        3,
        |row| (!row.address.is_empty()).then_some(VarValue::Octets(&row.address)),
        Syntax::Octets(1, 255),
        |row, value| {
            row.address = text(value)?;
            Ok(())
        },
    ),
    Column::writable(
        4,
        |row| Some(Integer(row.timeout)),
        Syntax::Integer(0, i32::MAX),
        |row, value| {
            row.timeout = integer(value)?;
            Ok(())
        },
    ),
    Column::writable(
        5,
        |row| Some(Integer(row.retries)),
        Syntax::Integer(0, 255),
        |row, value| {
            row.retries = integer(value)?;
            Ok(())
        },
    ),
    Column::writable(
        6,
        |row| Some(VarValue::Octets(&row.tags)),
        Syntax::Octets(0, 255),
        |row, value| {
            let tags = text(value)?;
            if !is_tag_list(&tags) {
                return Err(ErrorStatus::WrongValue);
            }
            row.tags = tags;
            Ok(())
        },
    ),
    Column::writable(
        7,
        |row| (!row.params.is_empty()).then_some(VarValue::Octets(&row.params)),
        Syntax::Octets(1, MAX_NAME),
        |row, value| {
            row.params = text(value)?;
            Ok(())
        },
    ),
    Column::storage(8, Syntax::STORAGE_TYPE),
    Column::status(9),
];

impl Managed for TargetParams {
    storage_and_status!();
    fn is_complete(&self) -> bool {
        let TargetParams { message_model, security_model, security_name, security_level, .. } =
            self;
        message_model.is_some()
            && security_model.is_some()
            && security_name.is_some()
            && security_level.is_some()
    }
}

pub(crate) const PARAMS_COLUMNS: &[Column<TargetParams>] = &[
    Column::writable(
        2,
        |row| row.message_model.map(Integer),
        Syntax::Integer(0, i32::MAX),
        |row, value| {
            let model = integer(value)?;
            row.message_model = Some(known(model, &MESSAGE_MODELS)?);
            Ok(())
        },
    ),
    Column::writable(
        3,
        |row| row.security_model.map(Integer),
        Syntax::Integer(1, i32::MAX),
        |row, value| {
            let model = integer(value)?;
            row.security_model = Some(known(model, &SECURITY_MODELS)?);
            Ok(())
        },
    ),
    Column::writable(
        4,
        |row| row.security_name.as_ref().map(|name| VarValue::Octets(name)),
        Syntax::Octets(0, 255),
        |row, value| {
            row.security_name = Some(text(value)?);
            Ok(())
        },
    ),
    Column::writable(
        5,
        |row| row.security_level.map(Integer),
        Syntax::Integer(1, 3),
        |row, value| {
            row.security_level = Some(integer(value)?);
            Ok(())
        },
    ),
    Column::storage(6, Syntax::STORAGE_TYPE),
    Column::status(7),
];

/// The message processing models that can send.
pub(crate) const MESSAGE_MODELS: [u32; 3] =
    [message_model::SNMPV1, message_model::SNMPV2C, message_model::SNMPV3];

/// The security models that can prove what is sent.
pub(crate) const SECURITY_MODELS: [u32; 3] =
    [security_model::SNMPV1, security_model::SNMPV2C, security_model::USM];

/// A model that is there; RFC 3413 has inconsistentValue for one that is not.
fn known(model: i32, models: &[u32]) -> Result<i32, ErrorStatus> {
    let is_known = u32::try_from(model).is_ok_and(|model| models.contains(&model));
    if is_known { Ok(model) } else { Err(ErrorStatus::InconsistentValue) }
}

pub(crate) fn text(value: VarValue<'_>) -> Result<Vec<u8>, ErrorStatus> {
    octets(value).map(<[u8]>::to_vec)
}

/// What separates tags (SnmpTagValue).
const fn is_delimiter(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// SnmpTagValue: no delimiter in it. An empty one selects nothing.
pub(crate) fn is_tag(tag: &[u8]) -> bool {
    !tag.iter().copied().any(is_delimiter)
}

/// SnmpTagList: tags with exactly one delimiter between two of them, and none around them.
pub(crate) fn is_tag_list(tags: &[u8]) -> bool {
    tags.is_empty() || tags.split(|octet| is_delimiter(*octet)).all(|tag| !tag.is_empty())
}

/// Whether a list has a tag.
pub(crate) fn has_tag(tags: &[u8], tag: &[u8]) -> bool {
    !tag.is_empty() && tags.split(|octet| is_delimiter(*octet)).any(|found| found == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_list_has_one_delimiter_between_two_tags() {
        for good in [&b""[..], b"a", b"a b", b"a\tb\rc\nd"] {
            assert!(is_tag_list(good), "{good:?}");
        }
        for bad in [&b" "[..], b" a", b"a ", b"a  b", b"a \tb"] {
            assert!(!is_tag_list(bad), "{bad:?}");
        }
        assert!(has_tag(b"a bb\tc", b"bb") && has_tag(b"a bb\tc", b"c"));
        assert!(!has_tag(b"a bb", b"b") && !has_tag(b"a bb", b"a bb"));
        assert!(!has_tag(b"", b""), "an empty tag selects nothing");
    }
}
