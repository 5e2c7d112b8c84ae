//! The security parameters of the User-based Security Model (RFC 3414 §2.4).
//!
//! It computes nothing: it says where the authentication code stands in a message, so that who computes it
//! can put it there in place. Invariant: numbers and the user's name are within the ranges of RFC 3414 §2.4.

use crate::ber::{self, Encode, Full, Part, Writer, tag};
use crate::error::{Error, Reason};
use crate::v3::V3Message;
use core::ops::Range;

/// How long a user's name is at most (RFC 3414 §2.4).
pub const MAX_USER_NAME: usize = 32;

/// UsmSecurityParameters. The times are at most 2^31-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsmParameters<'a> {
    /// The authoritative engine; empty in a discovery.
    pub engine_id: &'a [u8],
    /// How often it started.
    pub engine_boots: u32,
    /// How many seconds ago.
    pub engine_time: u32,
    /// The user, at most 32 octets.
    pub user_name: &'a [u8],
    /// The authentication code, and where in the message it stands. To be written: as many zeros as the
    /// code will have octets (RFC 3414 §6.3.1).
    pub authentication: Part<'a>,
    /// The salt.
    pub privacy: &'a [u8],
}

impl<'a> UsmParameters<'a> {
    /// Reads the contents of the msgSecurityParameters.
    ///
    /// # Errors
    /// They are none (RFC 3414 §3.2 step 1).
    #[inline]
    pub fn decode(security_parameters: Part<'a>) -> Result<Self, Error> {
        const MOST: u32 = i32::MAX.cast_unsigned();
        let mut whole = security_parameters.reader();
        let mut fields = whole.nested(tag::SEQUENCE)?;
        whole.finish()?;
        let engine_id = fields.contents(tag::OCTET_STRING)?.octets;
        let engine_boots = fields.integer_within(0..=MOST)?;
        let engine_time = fields.integer_within(0..=MOST)?;
        let user_name_at = fields.at();
        let user_name = fields.contents(tag::OCTET_STRING)?.octets;
        if user_name.len() > MAX_USER_NAME {
            return Err(Reason::WrongSize.at(user_name_at));
        }
        let authentication = fields.contents(tag::OCTET_STRING)?;
        let privacy = fields.contents(tag::OCTET_STRING)?.octets;
        fields.finish()?;
        Ok(UsmParameters {
            engine_id,
            engine_boots,
            engine_time,
            user_name,
            authentication,
            privacy,
        })
    }

    const fn contents_len(&self) -> usize {
        ber::element_len(self.engine_id.len())
            + ber::unsigned_len(self.engine_boots as u64)
            + ber::unsigned_len(self.engine_time as u64)
            + ber::element_len(self.user_name.len())
            + ber::element_len(self.authentication.octets.len())
            + ber::element_len(self.privacy.len())
    }
}

impl Encode for UsmParameters<'_> {
    fn encoded_len(&self) -> usize {
        ber::element_len(self.contents_len())
    }

    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |writer| {
            writer.string(tag::OCTET_STRING, self.privacy)?;
            writer.string(tag::OCTET_STRING, self.authentication.octets)?;
            writer.string(tag::OCTET_STRING, self.user_name)?;
            writer.unsigned(tag::INTEGER, u64::from(self.engine_time))?;
            writer.unsigned(tag::INTEGER, u64::from(self.engine_boots))?;
            writer.string(tag::OCTET_STRING, self.engine_id)
        })
    }
}

impl<D: Encode, H> V3Message<UsmParameters<'_>, D, H> {
    /// Where the authentication code stands in this message, which was written with so many octets.
    pub fn authentication_range(&self, written: usize) -> Range<usize> {
        // Behind the code stand only the salt and the data.
        let parameters = &self.security_parameters;
        let behind = ber::element_len(parameters.privacy.len()) + self.data.encoded_len();
        let end = written.saturating_sub(behind);
        end.saturating_sub(parameters.authentication.octets.len())..end
    }
}
