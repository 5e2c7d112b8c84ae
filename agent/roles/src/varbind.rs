//! What all roles speak of: variable bindings, security levels and models, error statuses.
//!
//! [`VarBinds`] is a variable-bindings list (RFC 3416 §3) that crosses the boundary: three growing lists
//! that its caller owns and reuses, so that neither a name nor a value costs an allocation once they have
//! grown. Nobody outside this file reckons with positions in them. It never encodes or decodes BER.
//!
//! Invariant: every entry made here points inside the lists. What comes from elsewhere may not, so reading
//! looks first, and an entry that points outside is not there.

use s_sdk::{Crossing, Full, List, Plain};
use std::fmt;

/// A stretch of octets, arcs or entries: where it begins and how long it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Plain)]
#[repr(C)]
pub struct Span {
    /// The first one.
    pub at: u32,
    /// How many.
    pub len: u32,
}

impl Span {
    /// A stretch.
    pub const fn new(at: u32, len: u32) -> Self {
        Span { at, len }
    }

    /// The stretch of a slice, if it lies within.
    pub fn of<T>(self, slice: &[T]) -> Option<&[T]> {
        let at = usize::try_from(self.at).ok()?;
        slice.get(at..at.checked_add(usize::try_from(self.len).ok()?)?)
    }

    /// The positions, in order.
    pub fn positions(self) -> std::ops::Range<usize> {
        let at = self.at as usize;
        at..at.saturating_add(self.len as usize)
    }

    /// A stretch that counts in `usize`, if it fits.
    fn fitting(at: usize, len: usize) -> Result<Self, Full> {
        Ok(Span {
            at: u32::try_from(at).map_err(|_| Full)?,
            len: u32::try_from(len).map_err(|_| Full)?,
        })
    }
}

/// The value of a variable, or what stands in its place (RFC 3416 §3), borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarValue<'a> {
    /// No value: in requests.
    Unspecified,
    /// INTEGER.
    Integer(i32),
    /// OCTET STRING.
    Octets(&'a [u8]),
    /// OBJECT IDENTIFIER.
    Oid(&'a [u32]),
    /// IpAddress.
    IpAddress([u8; 4]),
    /// Counter32.
    Counter32(u32),
    /// Gauge32, which is Unsigned32.
    Gauge32(u32),
    /// TimeTicks: hundredths of a second.
    TimeTicks(u32),
    /// Opaque.
    Opaque(&'a [u8]),
    /// Counter64.
    Counter64(u64),
    /// Exception: no such object.
    NoSuchObject,
    /// Exception: the object is there, the instance is not.
    NoSuchInstance,
    /// Exception: nothing follows.
    EndOfMibView,
}

/// A name and its value, borrowed from [`VarBinds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarBind<'a> {
    /// The name.
    pub name: &'a [u32],
    /// The value.
    pub value: VarValue<'a>,
}

/// Which value an entry has. Numbers are the BER tags, which never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(u32)]
pub enum ValueKind {
    /// [`VarValue::Integer`].
    Integer = 0x02,
    /// [`VarValue::Octets`].
    Octets = 0x04,
    /// [`VarValue::Unspecified`].
    Unspecified = 0x05,
    /// [`VarValue::Oid`].
    Oid = 0x06,
    /// [`VarValue::IpAddress`].
    IpAddress = 0x40,
    /// [`VarValue::Counter32`].
    Counter32 = 0x41,
    /// [`VarValue::Gauge32`].
    Gauge32 = 0x42,
    /// [`VarValue::TimeTicks`].
    TimeTicks = 0x43,
    /// [`VarValue::Opaque`].
    Opaque = 0x44,
    /// [`VarValue::Counter64`].
    Counter64 = 0x46,
    /// [`VarValue::NoSuchObject`].
    NoSuchObject = 0x80,
    /// [`VarValue::NoSuchInstance`].
    NoSuchInstance = 0x81,
    /// [`VarValue::EndOfMibView`].
    EndOfMibView = 0x82,
}

impl VarValue<'_> {
    /// Which value it is.
    pub const fn kind(&self) -> ValueKind {
        match self {
            VarValue::Unspecified => ValueKind::Unspecified,
            VarValue::Integer(_) => ValueKind::Integer,
            VarValue::Octets(_) => ValueKind::Octets,
            VarValue::Oid(_) => ValueKind::Oid,
            VarValue::IpAddress(_) => ValueKind::IpAddress,
            VarValue::Counter32(_) => ValueKind::Counter32,
            VarValue::Gauge32(_) => ValueKind::Gauge32,
            VarValue::TimeTicks(_) => ValueKind::TimeTicks,
            VarValue::Opaque(_) => ValueKind::Opaque,
            VarValue::Counter64(_) => ValueKind::Counter64,
            VarValue::NoSuchObject => ValueKind::NoSuchObject,
            VarValue::NoSuchInstance => ValueKind::NoSuchInstance,
            VarValue::EndOfMibView => ValueKind::EndOfMibView,
        }
    }

    /// Whether it stands in the place of a value.
    pub const fn is_exception(&self) -> bool {
        matches!(self, VarValue::NoSuchObject | VarValue::NoSuchInstance | VarValue::EndOfMibView)
    }
}

/// One entry of [`VarBinds`] as it crosses.
#[derive(Clone, Copy, Debug, Plain)]
#[repr(C)]
pub struct Entry {
    /// In the arcs.
    name: Span,
    /// In the arcs for an OID, in the octets for octets; else empty.
    data: Span,
    /// A number of any kind; an IpAddress in network order.
    number: u64,
    kind: ValueKind,
    /// Fills the struct, so that no octet of it is without meaning.
    reserved: u32,
}

/// A list of variable bindings. Clearing and refilling it allocates nothing.
#[derive(Debug, Default, Crossing)]
#[repr(C)]
pub struct VarBinds {
    arcs: List<u32>,
    octets: List<u8>,
    entries: List<Entry>,
}

impl VarBinds {
    /// An empty list that grows as needed.
    pub const fn new() -> Self {
        VarBinds { arcs: List::new(), octets: List::new(), entries: List::new() }
    }

    /// An empty list that never exceeds these numbers: what the callee cannot exceed.
    pub fn bounded(entries: usize, arcs: usize, octets: usize) -> Self {
        VarBinds {
            arcs: List::bounded(arcs),
            octets: List::bounded(octets),
            entries: List::bounded(entries),
        }
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all bindings and keeps the memory.
    pub fn clear(&mut self) {
        self.arcs.clear();
        self.octets.clear();
        self.entries.clear();
    }

    /// Forgets the bindings from a position on: what a GETBULK does with what does not fit.
    pub fn truncate(&mut self, len: usize) {
        let Some(gone) = self.entries.get(len..) else { return };
        let arcs = gone.first().map(|entry| entry.name.at as usize);
        let octets =
            gone.iter().find(|entry| entry.has_octets()).map(|entry| entry.data.at as usize);
        self.entries.truncate(len);
        arcs.into_iter().for_each(|at| self.arcs.truncate(at));
        octets.into_iter().for_each(|at| self.octets.truncate(at));
    }

    /// Appends a binding, or changes nothing.
    ///
    /// # Errors
    /// The lists are bounded and have no room for it.
    pub fn push(&mut self, name: &[u32], value: VarValue<'_>) -> Result<(), Full> {
        let (mut arcs, mut octets): (&[u32], &[u8]) = (&[], &[]);
        let number = match value {
            VarValue::Integer(integer) => u64::from(integer.cast_unsigned()),
            VarValue::Counter32(number)
            | VarValue::Gauge32(number)
            | VarValue::TimeTicks(number) => u64::from(number),
            VarValue::Counter64(number) => number,
            VarValue::IpAddress(address) => u64::from(u32::from_be_bytes(address)),
            VarValue::Octets(bytes) | VarValue::Opaque(bytes) => {
                octets = bytes;
                0
            }
            VarValue::Oid(oid) => {
                arcs = oid;
                0
            }
            VarValue::Unspecified
            | VarValue::NoSuchObject
            | VarValue::NoSuchInstance
            | VarValue::EndOfMibView => 0,
        };
        let kind = value.kind();
        let name_span = Span::fitting(self.arcs.len(), name.len())?;
        let data = if kind == ValueKind::Oid {
            Span::fitting(self.arcs.len() + name.len(), arcs.len())?
        } else {
            Span::fitting(self.octets.len(), octets.len())?
        };
        // Room first: after this nothing can fail halfway.
        self.arcs.reserve(name.len() + arcs.len())?;
        self.octets.reserve(octets.len())?;
        self.entries.push(Entry { name: name_span, data, number, kind, reserved: 0 })?;
        self.arcs.append(name)?;
        // Most values are numbers, and copying nothing costs a call, too.
        if !arcs.is_empty() {
            self.arcs.append(arcs)?;
        }
        if octets.is_empty() { Ok(()) } else { self.octets.append(octets) }
    }

    /// Appends a name without a value: what requests ask for.
    ///
    /// # Errors
    /// The lists are bounded and have no room for it.
    pub fn push_name(&mut self, name: &[u32]) -> Result<(), Full> {
        self.push(name, VarValue::Unspecified)
    }

    /// The binding at a position; none beyond the end, or where a broken module made an entry that points
    /// outside its lists or holds a number that its kind cannot have.
    pub fn get(&self, position: usize) -> Option<VarBind<'_>> {
        let entry = self.entries.get(position)?;
        let narrow = || u32::try_from(entry.number).ok();
        let octets = || entry.data.of(&self.octets);
        let value = match entry.kind {
            ValueKind::Integer => VarValue::Integer(narrow()?.cast_signed()),
            ValueKind::Octets => VarValue::Octets(octets()?),
            ValueKind::Unspecified => VarValue::Unspecified,
            ValueKind::Oid => VarValue::Oid(entry.data.of(&self.arcs)?),
            ValueKind::IpAddress => VarValue::IpAddress(narrow()?.to_be_bytes()),
            ValueKind::Counter32 => VarValue::Counter32(narrow()?),
            ValueKind::Gauge32 => VarValue::Gauge32(narrow()?),
            ValueKind::TimeTicks => VarValue::TimeTicks(narrow()?),
            ValueKind::Opaque => VarValue::Opaque(octets()?),
            ValueKind::Counter64 => VarValue::Counter64(entry.number),
            ValueKind::NoSuchObject => VarValue::NoSuchObject,
            ValueKind::NoSuchInstance => VarValue::NoSuchInstance,
            ValueKind::EndOfMibView => VarValue::EndOfMibView,
        };
        Some(VarBind { name: entry.name.of(&self.arcs)?, value })
    }

    /// The name at a position, as [`VarBinds::get`] has it, without a look at the value.
    pub fn name(&self, position: usize) -> Option<&[u32]> {
        self.entries.get(position)?.name.of(&self.arcs)
    }

    /// All bindings, in order. It ends early at an entry that [`VarBinds::get`] does not see; whoever
    /// takes a list from a module compares the number with [`VarBinds::len`].
    pub fn iter(&self) -> impl Iterator<Item = VarBind<'_>> {
        self.window(Span::new(0, u32::MAX))
    }

    /// The bindings of a stretch, in order, as [`VarBinds::iter`].
    pub fn window(&self, which: Span) -> impl Iterator<Item = VarBind<'_>> {
        which.positions().map_while(|position| self.get(position))
    }
}

impl Entry {
    const fn has_octets(&self) -> bool {
        matches!(self.kind, ValueKind::Octets | ValueKind::Opaque)
    }
}

/// The level of security (RFC 3411 §3.4.3), in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Plain)]
#[repr(u32)]
pub enum SecurityLevel {
    /// Without authentication and without privacy.
    NoAuthNoPriv = 1,
    /// With authentication but without privacy.
    AuthNoPriv = 2,
    /// With authentication and with privacy.
    AuthPriv = 3,
}

/// Numbers of security models (RFC 3411 §5). The registry is open, so these are numbers and no enum.
pub mod security_model {
    /// Any: in access control tables only.
    pub const ANY: u32 = 0;
    /// Communities of SNMPv1.
    pub const SNMPV1: u32 = 1;
    /// Communities of SNMPv2c.
    pub const SNMPV2C: u32 = 2;
    /// The User-based Security Model.
    pub const USM: u32 = 3;
}

/// Numbers of message processing models (RFC 3411 §5).
pub mod message_model {
    /// SNMPv1.
    pub const SNMPV1: u32 = 0;
    /// SNMPv2c.
    pub const SNMPV2C: u32 = 1;
    /// SNMPv3.
    pub const SNMPV3: u32 = 3;
}

/// The version of a PDU (RFC 3411 §4): SNMPv1 has other rules for errors and no exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Plain)]
#[repr(u32)]
pub enum PduVersion {
    /// RFC 1157.
    V1 = 0,
    /// RFC 3416.
    V2 = 1,
}

/// The error-status of a response (RFC 3416 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Plain)]
#[repr(u32)]
pub enum ErrorStatus {
    /// No error.
    NoError = 0,
    /// The answer does not fit.
    TooBig = 1,
    /// SNMPv1: no such name.
    NoSuchName = 2,
    /// SNMPv1: bad value.
    BadValue = 3,
    /// SNMPv1: read only.
    ReadOnly = 4,
    /// Something else failed.
    GenErr = 5,
    /// Not in the view.
    NoAccess = 6,
    /// The value has the wrong type.
    WrongType = 7,
    /// The value has the wrong length.
    WrongLength = 8,
    /// The value is encoded wrongly.
    WrongEncoding = 9,
    /// The value can never be assigned.
    WrongValue = 10,
    /// The variable can never be created.
    NoCreation = 11,
    /// The value cannot be assigned now.
    InconsistentValue = 12,
    /// A resource is missing.
    ResourceUnavailable = 13,
    /// `set_apply` failed and everything was undone.
    CommitFailed = 14,
    /// `set_undo` failed.
    UndoFailed = 15,
    /// Access denied: used by other protocols only.
    AuthorizationError = 16,
    /// The variable can never be written.
    NotWritable = 17,
    /// The variable cannot be created now.
    InconsistentName = 18,
}

impl fmt::Display for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorStatus::NoError => "noError",
            ErrorStatus::TooBig => "tooBig",
            ErrorStatus::NoSuchName => "noSuchName",
            ErrorStatus::BadValue => "badValue",
            ErrorStatus::ReadOnly => "readOnly",
            ErrorStatus::GenErr => "genErr",
            ErrorStatus::NoAccess => "noAccess",
            ErrorStatus::WrongType => "wrongType",
            ErrorStatus::WrongLength => "wrongLength",
            ErrorStatus::WrongEncoding => "wrongEncoding",
            ErrorStatus::WrongValue => "wrongValue",
            ErrorStatus::NoCreation => "noCreation",
            ErrorStatus::InconsistentValue => "inconsistentValue",
            ErrorStatus::ResourceUnavailable => "resourceUnavailable",
            ErrorStatus::CommitFailed => "commitFailed",
            ErrorStatus::UndoFailed => "undoFailed",
            ErrorStatus::AuthorizationError => "authorizationError",
            ErrorStatus::NotWritable => "notWritable",
            ErrorStatus::InconsistentName => "inconsistentName",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s_sdk::Value;
    use s_sdk::dynamic::Dynamic;

    const NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];

    const ALL: [VarValue<'static>; 13] = [
        VarValue::Unspecified,
        VarValue::Integer(-5),
        VarValue::Octets(b"eth0"),
        VarValue::Oid(&[1, 3, u32::MAX]),
        VarValue::IpAddress([127, 0, 0, 1]),
        VarValue::Counter32(u32::MAX),
        VarValue::Gauge32(7),
        VarValue::TimeTicks(8),
        VarValue::Opaque(&[0x9f]),
        VarValue::Counter64(u64::MAX),
        VarValue::NoSuchObject,
        VarValue::NoSuchInstance,
        VarValue::EndOfMibView,
    ];

    fn filled() -> VarBinds {
        let mut binds = VarBinds::new();
        for value in ALL {
            binds.push(NAME, value).unwrap();
        }
        binds
    }

    #[test]
    fn every_value_comes_back_typed_and_dynamically() {
        let binds = filled();
        let again = VarBinds::from_value(&binds.to_value()).unwrap();
        for binds in [&binds, &again] {
            assert!(binds.iter().map(|bind| bind.value).eq(ALL));
            assert!(binds.iter().all(|bind| bind.name == NAME));
        }
    }

    #[test]
    fn clearing_and_refilling_keeps_the_memory() {
        let mut binds = filled();
        let before = (binds.arcs.as_ptr(), binds.octets.as_ptr(), binds.entries.as_ptr());
        binds.clear();
        for value in ALL {
            binds.push(NAME, value).unwrap();
        }
        assert_eq!((binds.arcs.as_ptr(), binds.octets.as_ptr(), binds.entries.as_ptr()), before);
    }

    #[test]
    fn truncating_leaves_exactly_what_was_pushed_before() {
        for len in 0..=ALL.len() {
            let mut binds = filled();
            binds.truncate(len);
            binds.push(&[2, 2], VarValue::Octets(b"new")).unwrap();
            let values: Vec<_> =
                ALL[..len].iter().copied().chain([VarValue::Octets(b"new")]).collect();
            assert!(binds.iter().map(|bind| bind.value).eq(values));
            let arcs: usize =
                binds.iter().map(|b| b.name.len()).sum::<usize>() + if len > 3 { 3 } else { 0 };
            assert_eq!(binds.arcs.len(), arcs);
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut binds = VarBinds::bounded(2, 12, 4);
        binds.push(&[1, 2, 3], VarValue::Octets(b"abc")).unwrap();
        for value in [VarValue::Octets(b"xy"), VarValue::Oid(&[0; 12])] {
            assert_eq!(binds.push(&[1, 2], value), Err(Full));
        }
        assert_eq!((binds.len(), binds.arcs.len(), binds.octets.len()), (1, 3, 3));
        binds.push_name(&[1; 9]).unwrap();
        assert_eq!(binds.push_name(&[]), Err(Full));
    }

    #[test]
    fn an_entry_that_points_outside_is_not_there() {
        let break_entry = |field: &str, value: Value| {
            let Value::Map(mut parts) = filled().to_value() else { unreachable!() };
            let Some(Value::List(entries)) = parts.get_mut("entries") else { unreachable!() };
            let Value::Map(entry) = &mut entries[2] else { unreachable!() };
            entry.insert(field.to_owned(), value);
            VarBinds::from_value(&Value::Map(parts)).unwrap()
        };
        let far = Span::new(u32::MAX, u32::MAX).to_value();
        for binds in [break_entry("name", far.clone()), break_entry("data", far)] {
            assert_eq!(binds.get(2), None);
            assert_eq!((binds.iter().count(), binds.len()), (2, ALL.len()));
        }
        let binds = break_entry("kind", Value::from("Gauge32"));
        assert!(binds.get(2).is_some());
    }

    #[test]
    fn a_window_is_a_stretch_of_the_list() {
        let binds = filled();
        assert!(binds.window(Span::new(1, 2)).map(|bind| bind.value).eq(ALL[1..3].iter().copied()));
        assert_eq!(binds.window(Span::new(12, 5)).count(), 1);
        assert_eq!(binds.window(Span::new(u32::MAX, u32::MAX)).count(), 0);
    }
}
