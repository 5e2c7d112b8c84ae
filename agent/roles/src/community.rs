//! The community-based security models (RFC 3584 §5): which principal a community stands for.
//!
//! A community proves nothing by itself: what it stands for depends on where the message came from, and it
//! names a context besides the principal. [`crate::security`] has no place for either, so communities have
//! a role of their own, and the models of [`crate::message`] for v1 and v2c call it in the other's stead.
//! A module of this role knows communities and from where they may be used. It never sees a PDU, keeps
//! nothing of a message and never decides what a principal may see.
//!
//! The contract:
//! 1. `admit` appends the security name and the context name of the first entry, in the order of
//!    snmpCommunityIndex, that has this community and takes messages from this address.
//! 2. Where there is none it refuses with `BadCommunityName`, whether the community is unknown or only
//!    not from there: the sender is told neither, and RFC 3418 counts both in snmpInBadCommunityNames.
//! 3. `community_of` appends the community of the first entry, in the same order, that has this security
//!    name and this context name and takes messages to this address; else it refuses as `admit` does.
//! 4. A community has at most [`MAX_COMMUNITY`] octets, in any character set or none.
//! 5. An entry without sources takes messages from everywhere; one with sources never takes a message
//!    whose transport has no internet address.

use crate::security::SecurityError;
use s_sdk::{Activity, Buf, behavior};

/// The longest community.
pub const MAX_COMMUNITY: usize = 255;

/// Maps communities to principals and back.
#[behavior(name = "community-security")]
pub trait CommunitySecurity {
    /// Appends the principal and the context that a community stands for (RFC 3584 §5.2.1).
    fn admit(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        community: &[u8],
        security_name: &mut Buf,
        context_name: &mut Buf,
    ) -> Result<(), SecurityError>;

    /// Appends the community that stands for a principal in a context (RFC 3584 §5.2.3).
    fn community_of(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        security_name: &[u8],
        context_name: &[u8],
        community: &mut Buf,
    ) -> Result<(), SecurityError>;
}
