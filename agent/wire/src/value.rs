//! The values of variables: ObjectSyntax of SMIv2 and what stands in a value's place (RFC 2578, RFC 3416 §3).
//!
//! It never says whether a value suits a variable. Invariant: the contents of an accepted value have the
//! length and the range of its type. Two types are history and still read: NsapAddress and UInteger32,
//! which RFC 1442 had and RFC 1902 withdrew; old equipment may send them, and a SET with one is answered
//! with wrongType, which is more than a parse error says. Their tags mean nothing else to this day.

use crate::ber::{self, Encode, Full, Reader, Writer, tag};
use crate::error::{Error, Reason};
use crate::oid::{ObjectName, Oid};
use crate::pdu::PduVersion;

/// Tags of values beside the universal ones, as whole identifier octets.
pub mod value_tag {
    /// `[APPLICATION 0]`.
    pub const IP_ADDRESS: u8 = 0x40;
    /// `[APPLICATION 1]`.
    pub const COUNTER32: u8 = 0x41;
    /// `[APPLICATION 2]`: Gauge32 and Unsigned32.
    pub const GAUGE32: u8 = 0x42;
    /// `[APPLICATION 3]`.
    pub const TIME_TICKS: u8 = 0x43;
    /// `[APPLICATION 4]`.
    pub const OPAQUE: u8 = 0x44;
    /// `[APPLICATION 5]`, withdrawn.
    pub const NSAP_ADDRESS: u8 = 0x45;
    /// `[APPLICATION 6]`.
    pub const COUNTER64: u8 = 0x46;
    /// `[APPLICATION 7]`, withdrawn.
    pub const UINTEGER32: u8 = 0x47;
    /// `[0]`.
    pub const NO_SUCH_OBJECT: u8 = 0x80;
    /// `[1]`.
    pub const NO_SUCH_INSTANCE: u8 = 0x81;
    /// `[2]`.
    pub const END_OF_MIB_VIEW: u8 = 0x82;
}

use value_tag::*;

/// How long an OCTET STRING is at most (RFC 2578 §7.1.2).
pub const MAX_OCTETS: usize = 65_535;

/// The value of a variable, or what stands in its place. `O` is the form of object identifiers in it:
/// [`Oid`] where it was read, [`crate::Arcs`] where a program made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a, O = Oid<'a>> {
    /// INTEGER.
    Integer(i32),
    /// OCTET STRING.
    Octets(&'a [u8]),
    /// unSpecified: in requests.
    Null,
    /// OBJECT IDENTIFIER.
    Oid(O),
    /// IpAddress.
    IpAddress([u8; 4]),
    /// Counter32.
    Counter32(u32),
    /// Gauge32, which is Unsigned32.
    Gauge32(u32),
    /// TimeTicks: hundredths of a second.
    TimeTicks(u32),
    /// Opaque: BER inside octets, which nobody looks into.
    Opaque(&'a [u8]),
    /// NsapAddress, withdrawn.
    NsapAddress(&'a [u8]),
    /// Counter64.
    Counter64(u64),
    /// UInteger32, withdrawn.
    UInteger32(u32),
    /// Exception: no such object.
    NoSuchObject,
    /// Exception: the object is there, the instance is not.
    NoSuchInstance,
    /// Exception: nothing follows.
    EndOfMibView,
}

impl<'a> Value<'a> {
    /// Reads an element.
    ///
    /// # Errors
    /// It is none of the values that PDUs of this version have.
    #[inline]
    pub fn read(reader: &mut Reader<'a>, version: PduVersion) -> Result<Self, Error> {
        let at = reader.at();
        let (tag, contents) = reader.any()?;
        let value = Value::of(tag, contents.octets).map_err(|reason| reason.at(at))?;
        match (version, value) {
            // RFC 1155 §3.2.3 has none of these.
            (
                PduVersion::V1,
                Value::NsapAddress(_)
                | Value::Counter64(_)
                | Value::UInteger32(_)
                | Value::NoSuchObject
                | Value::NoSuchInstance
                | Value::EndOfMibView,
            ) => Err(Reason::NotInVersion.at(at)),
            _ => Ok(value),
        }
    }

    #[inline]
    fn of(tag: u8, contents: &'a [u8]) -> Result<Self, Reason> {
        let empty = |value| if contents.is_empty() { Ok(value) } else { Err(Reason::WrongSize) };
        Ok(match tag {
            tag::INTEGER => Value::Integer(ber::signed(contents)?),
            tag::OCTET_STRING if contents.len() > MAX_OCTETS => return Err(Reason::WrongSize),
            tag::OCTET_STRING => Value::Octets(contents),
            tag::NULL => empty(Value::Null)?,
            tag::OBJECT_IDENTIFIER => Value::Oid(Oid::new(contents)?),
            IP_ADDRESS => Value::IpAddress(contents.try_into().map_err(|_| Reason::WrongSize)?),
            COUNTER32 => Value::Counter32(unsigned32(contents)?),
            GAUGE32 => Value::Gauge32(unsigned32(contents)?),
            TIME_TICKS => Value::TimeTicks(unsigned32(contents)?),
            OPAQUE => Value::Opaque(contents),
            NSAP_ADDRESS => Value::NsapAddress(contents),
            COUNTER64 => Value::Counter64(ber::unsigned(contents)?),
            UINTEGER32 => Value::UInteger32(unsigned32(contents)?),
            NO_SUCH_OBJECT => empty(Value::NoSuchObject)?,
            NO_SUCH_INSTANCE => empty(Value::NoSuchInstance)?,
            END_OF_MIB_VIEW => empty(Value::EndOfMibView)?,
            _ => return Err(not_a_value(tag)),
        })
    }
}

fn unsigned32(contents: &[u8]) -> Result<u32, Reason> {
    u32::try_from(ber::unsigned(contents)?).map_err(|_| Reason::IntegerOutOfRange)
}

/// Why this tag is none of a value.
#[cold]
fn not_a_value(found: u8) -> Reason {
    let primitive = found & !tag::CONSTRUCTED;
    let is_string = matches!(primitive, tag::OCTET_STRING | IP_ADDRESS | OPAQUE | NSAP_ADDRESS);
    if is_string { Reason::Constructed } else { Reason::UnexpectedTag }
}

impl<O: ObjectName> Encode for Value<'_, O> {
    #[inline]
    fn encoded_len(&self) -> usize {
        match self {
            Value::Integer(integer) => ber::integer_len(*integer),
            Value::Octets(octets) | Value::Opaque(octets) | Value::NsapAddress(octets) => {
                ber::element_len(octets.len())
            }
            Value::Oid(name) => name.encoded_len(),
            Value::IpAddress(address) => ber::element_len(address.len()),
            Value::Counter32(number)
            | Value::Gauge32(number)
            | Value::TimeTicks(number)
            | Value::UInteger32(number) => ber::unsigned_len(u64::from(*number)),
            Value::Counter64(number) => ber::unsigned_len(*number),
            Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {
                ber::element_len(0)
            }
        }
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match self {
            Value::Integer(integer) => writer.integer(*integer),
            Value::Octets(octets) => writer.string(tag::OCTET_STRING, octets),
            Value::Null => writer.header(tag::NULL, 0),
            Value::Oid(name) => name.encode(writer),
            Value::IpAddress(address) => writer.string(IP_ADDRESS, address),
            Value::Counter32(number) => writer.unsigned(COUNTER32, u64::from(*number)),
            Value::Gauge32(number) => writer.unsigned(GAUGE32, u64::from(*number)),
            Value::TimeTicks(number) => writer.unsigned(TIME_TICKS, u64::from(*number)),
            Value::Opaque(octets) => writer.string(OPAQUE, octets),
            Value::NsapAddress(octets) => writer.string(NSAP_ADDRESS, octets),
            Value::Counter64(number) => writer.unsigned(COUNTER64, *number),
            Value::UInteger32(number) => writer.unsigned(UINTEGER32, u64::from(*number)),
            Value::NoSuchObject => writer.header(NO_SUCH_OBJECT, 0),
            Value::NoSuchInstance => writer.header(NO_SUCH_INSTANCE, 0),
            Value::EndOfMibView => writer.header(END_OF_MIB_VIEW, 0),
        }
    }
}
