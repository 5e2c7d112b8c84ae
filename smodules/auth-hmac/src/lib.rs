//! What the HMAC authentication modules share: everything but the hash function (RFC 3414 §6 and §7,
//! RFC 7860).
//!
//! It is compiled into each module and is none itself; [`auth_module!`] makes one of it. It never keeps a key: keys go to the caller, and
//! every copy made on the way is wiped.
//!
//! A prepared key is what HMAC makes of a key before it sees a message: the two hashes that have taken in
//! one block each (RFC 2104 §4), as the hash library writes them down between two blocks. That saves two of the
//! four or five blocks that a typical SNMP message costs. A mark in front says who wrote it and for which protocol; it
//! changes whenever the form does, so that no version reads what another one wrote.

use digest::block_api::{Buffer, CoreProxy};
use digest::common::BlockSizeUser;
use digest::common::hazmat::{SerializableState, SerializedState};
use digest::typenum::Unsigned;
use digest::{Digest, Output};
use roles::auth::{AuthError, AuthErrorKind, AuthParameters};
use roles::varbind::Span;
use s_sdk::{Buf, Full, List};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

// For `auth_module!`.
#[doc(hidden)]
pub use {roles, s_sdk};

/// snmpAuthProtocols: the names of the protocols of RFC 3414 and RFC 7860 begin with it.
const AUTH_PROTOCOLS: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1];

/// A password counts as if it were repeated to so many octets (RFC 3414 §A.2).
const STRETCH: usize = 1 << 20;

/// As many zeros as the longest code has octets.
const ZEROS: &[u8] = &[0; 48];

/// A message before its field, the field, and the message after it.
type Around<'a> = [&'a [u8]; 3];

/// A hash function that can be written down between two blocks.
pub trait Hash: Digest + BlockSizeUser + CoreProxy<Core: SerializableState> {}
impl<H: Digest + BlockSizeUser + CoreProxy<Core: SerializableState>> Hash for H {}

/// One protocol: HMAC with one hash function, cut to one length.
pub struct Protocol {
    /// Its name is this, and one arc more.
    below: &'static [u32],
    number: u8,
    parameters: AuthParameters,
    hash: fn(&[&[u8]], &mut Buf) -> Result<(), Full>,
    stretch: fn(&[u8], &mut Buf) -> Result<(), Full>,
    prepare: fn(&[u8], &mut Buf) -> Result<(), Full>,
    sign: fn(&[u8], Around<'_>, &mut Buf) -> Result<(), AuthError>,
    verify: fn(&[u8], Around<'_>) -> Result<(), AuthError>,
}

impl Protocol {
    /// The protocol whose name ends with `number`, with codes of so many octets: 48 at most. Numbers of a
    /// module are distinct, whatever they are below: a prepared key has no other name of its protocol.
    pub const fn of<H: Hash>(number: u8, mac_length: u32) -> Self {
        assert!(mac_length <= H::OutputSize::U32 && mac_length as usize <= ZEROS.len());
        Protocol {
            below: AUTH_PROTOCOLS,
            number,
            parameters: AuthParameters { key_length: H::OutputSize::U32, mac_length },
            hash: hash::<H>,
            stretch: stretch::<H>,
            prepare: prepare::<H>,
            sign: sign::<H>,
            verify: verify::<H>,
        }
    }

    /// The same with a name that does not begin as those of the RFCs do.
    #[must_use]
    pub const fn below(self, arcs: &'static [u32]) -> Self {
        Protocol { below: arcs, ..self }
    }

    fn takes_key(&self, key: &[u8]) -> Result<(), AuthError> {
        let right = self.parameters.key_length;
        if key.len() == right as usize {
            Ok(())
        } else {
            Err(AuthError::detailed(AuthErrorKind::WrongKeyLength, right))
        }
    }

    /// A message with its field taken out.
    #[inline]
    fn around<'a>(&self, message: &'a [u8], field: Span) -> Result<Around<'a>, AuthError> {
        let right = self.parameters.mac_length;
        let wrong = AuthError::detailed(AuthErrorKind::WrongField, right);
        if field.len != right {
            return Err(wrong);
        }
        let range = field.positions();
        match (message.get(..range.start), message.get(range.clone()), message.get(range.end..)) {
            (Some(before), Some(own), Some(after)) => Ok([before, own, after]),
            _ => Err(wrong),
        }
    }
}

/// The protocols of a module. Its methods are those of [`roles::auth::AuthProtocol`], contract included.
pub struct Protocols {
    /// In front of every prepared key: the module and the number of the form.
    pub mark: &'static [u8],
    /// The protocols, in the order of their positions.
    pub all: &'static [Protocol],
}

#[expect(missing_docs, reason = "the behavior documents them")]
#[expect(clippy::missing_errors_doc, reason = "the behavior's contract says which")]
impl Protocols {
    pub fn protocol(
        &self,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        let protocol = usize::try_from(position).ok().and_then(|at| self.all.get(at));
        let protocol = protocol.ok_or(AuthErrorKind::UnknownProtocol)?;
        name.append(protocol.below)?;
        name.push(protocol.number.into())?;
        Ok(protocol.parameters)
    }

    pub fn password_to_key(
        &self,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        let protocol = self.named(protocol)?;
        if password.is_empty() {
            return Err(AuthErrorKind::EmptyPassword.into());
        }
        Ok((protocol.stretch)(password, key)?)
    }

    pub fn localize_key(
        &self,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        let protocol = self.named(protocol)?;
        protocol.takes_key(key)?;
        Ok((protocol.hash)(&[key, engine_id, key], localized)?)
    }

    pub fn digest(&self, protocol: &[u32], octets: &[u8], hash: &mut Buf) -> Result<(), AuthError> {
        Ok((self.named(protocol)?.hash)(&[octets], hash)?)
    }

    pub fn prepare_key(
        &self,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        let protocol = self.named(protocol)?;
        protocol.takes_key(localized)?;
        prepared.append(self.mark)?;
        prepared.push(protocol.number)?;
        Ok((protocol.prepare)(localized, prepared)?)
    }

    #[inline]
    pub fn sign(
        &self,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        let (protocol, states) = self.of_prepared(prepared)?;
        (protocol.sign)(states, protocol.around(message, field)?, mac)
    }

    #[inline]
    pub fn verify(&self, prepared: &[u8], message: &[u8], field: Span) -> Result<(), AuthError> {
        let (protocol, states) = self.of_prepared(prepared)?;
        (protocol.verify)(states, protocol.around(message, field)?)
    }

    fn named(&self, name: &[u32]) -> Result<&Protocol, AuthError> {
        let known = name.split_last().and_then(|(last, before)| {
            let is_named = |protocol: &&Protocol| {
                protocol.below == before && u32::from(protocol.number) == *last
            };
            self.all.iter().find(is_named)
        });
        known.ok_or(AuthErrorKind::UnknownProtocol.into())
    }

    /// The protocol of a prepared key, and what stands behind its mark.
    #[inline]
    fn of_prepared<'a>(&self, prepared: &'a [u8]) -> Result<(&Protocol, &'a [u8]), AuthError> {
        let of_mark = || {
            let (number, states) = prepared.strip_prefix(self.mark)?.split_first()?;
            let protocol = self.all.iter().find(|protocol| protocol.number == *number)?;
            Some((protocol, states))
        };
        of_mark().ok_or(AuthErrorKind::UnknownPreparedKey.into())
    }
}

fn hash<H: Hash>(parts: &[&[u8]], out: &mut Buf) -> Result<(), Full> {
    let mut hash = H::new();
    parts.iter().for_each(|part| hash.update(part));
    append_and_wipe::<H>(hash.finalize(), out)
}

/// The key of a password (RFC 3414 §A.2); the password is not empty.
fn stretch<H: Hash>(password: &[u8], key: &mut Buf) -> Result<(), Full> {
    let mut hash = H::new();
    let mut left = STRETCH;
    while left > 0 {
        let taken = left.min(password.len());
        hash.update(&password[..taken]);
        left -= taken;
    }
    append_and_wipe::<H>(hash.finalize(), key)
}

/// The two hashes that have taken in the key; the key is no longer than a block.
fn prepare<H: Hash>(key: &[u8], prepared: &mut Buf) -> Result<(), Full> {
    for pad in [0x36, 0x5c] {
        let mut block = digest::common::Block::<H>::default();
        block[..key.len()].copy_from_slice(key);
        block.iter_mut().for_each(|octet| *octet ^= pad);
        // A whole block leaves nothing in the buffer.
        let (core, _) = H::new().chain_update(block.as_slice()).decompose();
        let mut state = core.serialize();
        block.as_mut_slice().zeroize();
        let appended = prepared.append(&state);
        state.as_mut_slice().zeroize();
        appended?;
    }
    Ok(())
}

/// RFC 3414 §6.3.1 and §7.3.1, RFC 7860 §4.2.1.
fn sign<H: Hash>(
    states: &[u8],
    [before, own, after]: Around<'_>,
    mac: &mut Buf,
) -> Result<(), AuthError> {
    let code = code::<H>(states, &[before, &ZEROS[..own.len()], after])?;
    Ok(mac.append(&code[..own.len()])?)
}

/// RFC 3414 §6.3.2 and §7.3.2, RFC 7860 §4.2.2.
fn verify<H: Hash>(states: &[u8], [before, own, after]: Around<'_>) -> Result<(), AuthError> {
    let code = code::<H>(states, &[before, &ZEROS[..own.len()], after])?;
    if bool::from(code[..own.len()].ct_eq(own)) {
        Ok(())
    } else {
        Err(AuthErrorKind::WrongDigest.into())
    }
}

/// The whole code over the parts of a message, from the two hashes of a prepared key (RFC 2104 §2).
fn code<H: Hash>(states: &[u8], parts: &[&[u8]]) -> Result<Output<H>, AuthError> {
    let unknown = || AuthError::new(AuthErrorKind::UnknownPreparedKey);
    if !states.len().is_multiple_of(2) {
        return Err(unknown());
    }
    let (inner, outer) = states.split_at(states.len() / 2);
    let resume = |state: &[u8]| {
        let state: &SerializedState<H::Core> = state.try_into().map_err(|_| unknown())?;
        let core = H::Core::deserialize(state).map_err(|_| unknown())?;
        Ok::<_, AuthError>(H::compose(core, Buffer::<H::Core>::default()))
    };
    let mut inner = resume(inner)?;
    parts.iter().for_each(|part| inner.update(part));
    Ok(resume(outer)?.chain_update(inner.finalize()).finalize())
}

/// Hands a hash that is a key to its caller and wipes our copy.
fn append_and_wipe<H: Digest>(mut hash: Output<H>, out: &mut Buf) -> Result<(), Full> {
    let appended = out.append(&hash);
    hash.as_mut_slice().zeroize();
    appended
}

/// Makes a type without state the module of its protocols: every method is that of [`Protocols`].
///
/// The options are those of `#[s_module]`.
#[macro_export]
macro_rules! auth_module {
    ($module:ident over $protocols:expr, $($options:tt)*) => {
        #[::s_sdk::s_module($($options)*)]
        impl $crate::roles::auth::AuthProtocol for $module {
            fn protocol(
                &self,
                _act: &$crate::s_sdk::Activity,
                position: u32,
                name: &mut $crate::s_sdk::List<u32>,
            ) -> Result<$crate::roles::auth::AuthParameters, $crate::roles::auth::AuthError> {
                $protocols.protocol(position, name)
            }

            fn password_to_key(
                &self,
                _act: &$crate::s_sdk::Activity,
                protocol: &[u32],
                password: &[u8],
                key: &mut $crate::s_sdk::Buf,
            ) -> Result<(), $crate::roles::auth::AuthError> {
                $protocols.password_to_key(protocol, password, key)
            }

            fn localize_key(
                &self,
                _act: &$crate::s_sdk::Activity,
                protocol: &[u32],
                key: &[u8],
                engine_id: &[u8],
                localized: &mut $crate::s_sdk::Buf,
            ) -> Result<(), $crate::roles::auth::AuthError> {
                $protocols.localize_key(protocol, key, engine_id, localized)
            }

            fn digest(
                &self,
                _act: &$crate::s_sdk::Activity,
                protocol: &[u32],
                octets: &[u8],
                hash: &mut $crate::s_sdk::Buf,
            ) -> Result<(), $crate::roles::auth::AuthError> {
                $protocols.digest(protocol, octets, hash)
            }

            fn prepare_key(
                &self,
                _act: &$crate::s_sdk::Activity,
                protocol: &[u32],
                localized: &[u8],
                prepared: &mut $crate::s_sdk::Buf,
            ) -> Result<(), $crate::roles::auth::AuthError> {
                $protocols.prepare_key(protocol, localized, prepared)
            }

            fn sign(
                &self,
                _act: &$crate::s_sdk::Activity,
                prepared: &[u8],
                message: &[u8],
                field: $crate::roles::varbind::Span,
                mac: &mut $crate::s_sdk::Buf,
            ) -> Result<(), $crate::roles::auth::AuthError> {
                $protocols.sign(prepared, message, field, mac)
            }

            fn verify(
                &self,
                _act: &$crate::s_sdk::Activity,
                prepared: &[u8],
                message: &[u8],
                field: $crate::roles::varbind::Span,
            ) -> Result<(), $crate::roles::auth::AuthError> {
                $protocols.verify(prepared, message, field)
            }
        }

        impl $crate::s_sdk::Module for $module {
            fn init(_host: $crate::s_sdk::Host) -> Result<Self, $crate::s_sdk::Refusal> {
                Ok($module)
            }

            fn self_test(&self, act: &$crate::s_sdk::Activity) -> Result<(), $crate::s_sdk::Refusal> {
                Ok($crate::roles::contract::auth::suite(self, act)?)
            }
        }
    };
}

#[cfg(test)]
mod tests;
