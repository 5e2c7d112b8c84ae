//! HMAC-SHA-2 authentication (RFC 7860): usmHMAC128SHA224, 192SHA256, 256SHA384 and 384SHA512.
//!
//! It never keeps a key: keys go to the caller, and every copy made on the way is wiped. It has no state
//! at all, so it is swapped without a gate.
//!
//! A prepared key is what HMAC makes of a key before it sees a message: the two hashes that have taken in
//! one block each (RFC 2104 §4), as the hash library writes them down. That saves two of the four or five
//! blocks that a typical SNMP message costs. A mark in front says who wrote it and for which protocol; it
//! changes whenever the form does, so that no version reads what another one wrote.

use roles::auth::{AuthError, AuthErrorKind, AuthParameters, AuthProtocol};
use roles::varbind::Span;
use s_sdk::{Activity, Buf, Full, Host, List, Module, Refusal, s_module};
use sha2::digest::Output;
use sha2::digest::common::BlockSizeUser;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A password counts as if it were repeated to so many octets (RFC 3414 §A.2).
const STRETCH: usize = 1 << 20;

/// In front of every prepared key, followed by the protocol's number.
const MARK: &[u8] = b"hmac-sha2 1";

/// As many zeros as the longest code has octets.
const ZEROS: &[u8] = &[0; 48];

/// The protocols, by the last arc of their names (RFC 7860 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Sha224 = 4,
    Sha256 = 5,
    Sha384 = 6,
    Sha512 = 7,
}

/// snmpAuthProtocols: the names of the protocols begin with it.
const AUTH_PROTOCOLS: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 1];

const PROTOCOLS: [Protocol; 4] =
    [Protocol::Sha224, Protocol::Sha256, Protocol::Sha384, Protocol::Sha512];

/// A hash function that can be written down between two blocks.
trait Hash: Digest + BlockSizeUser + SerializableState {}
impl<H: Digest + BlockSizeUser + SerializableState> Hash for H {}

/// Evaluates an expression with `$hash` as the hash function of a protocol.
macro_rules! with_hash {
    ($protocol:expr, $hash:ident => $made:expr) => {
        match $protocol {
            Protocol::Sha224 => {
                type $hash = Sha224;
                $made
            }
            Protocol::Sha256 => {
                type $hash = Sha256;
                $made
            }
            Protocol::Sha384 => {
                type $hash = Sha384;
                $made
            }
            Protocol::Sha512 => {
                type $hash = Sha512;
                $made
            }
        }
    };
}

impl Protocol {
    fn named(name: &[u32]) -> Result<Self, AuthError> {
        let last = name.strip_prefix(AUTH_PROTOCOLS);
        let known = PROTOCOLS.into_iter().find(|protocol| last == Some(&[*protocol as u32]));
        known.ok_or(AuthErrorKind::UnknownProtocol.into())
    }

    const fn parameters(self) -> AuthParameters {
        match self {
            Protocol::Sha224 => AuthParameters { key_length: 28, mac_length: 16 },
            Protocol::Sha256 => AuthParameters { key_length: 32, mac_length: 24 },
            Protocol::Sha384 => AuthParameters { key_length: 48, mac_length: 32 },
            Protocol::Sha512 => AuthParameters { key_length: 64, mac_length: 48 },
        }
    }

    fn takes_key(self, key: &[u8]) -> Result<(), AuthError> {
        let right = self.parameters().key_length;
        if key.len() == right as usize {
            Ok(())
        } else {
            Err(AuthError::detailed(AuthErrorKind::WrongKeyLength, right))
        }
    }

    /// The protocol of a prepared key, and what stands behind its mark.
    fn of_prepared(prepared: &[u8]) -> Option<(Self, &[u8])> {
        let (number, states) = prepared.strip_prefix(MARK)?.split_first()?;
        let protocol = PROTOCOLS.into_iter().find(|protocol| *protocol as u8 == *number)?;
        Some((protocol, states))
    }
}

/// The module.
pub struct HmacSha2;

#[s_module(
    component = "auth.sha2",
    version = "1.0.0",
    annotation = "RFC 7860: SHA-224, SHA-256, SHA-384, SHA-512"
)]
impl AuthProtocol for HmacSha2 {
    fn protocol(
        &self,
        _act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<AuthParameters, AuthError> {
        let protocol = usize::try_from(position).ok().and_then(|at| PROTOCOLS.get(at));
        let protocol = *protocol.ok_or(AuthErrorKind::UnknownProtocol)?;
        name.append(AUTH_PROTOCOLS)?;
        name.push(protocol as u32)?;
        Ok(protocol.parameters())
    }

    fn password_to_key(
        &self,
        _act: &Activity,
        protocol: &[u32],
        password: &[u8],
        key: &mut Buf,
    ) -> Result<(), AuthError> {
        let protocol = Protocol::named(protocol)?;
        if password.is_empty() {
            return Err(AuthErrorKind::EmptyPassword.into());
        }
        with_hash!(protocol, H => {
            let mut hash = H::new();
            let mut left = STRETCH;
            while left > 0 {
                let taken = left.min(password.len());
                hash.update(&password[..taken]);
                left -= taken;
            }
            Ok(append_and_wipe::<H>(hash.finalize(), key)?)
        })
    }

    fn localize_key(
        &self,
        _act: &Activity,
        protocol: &[u32],
        key: &[u8],
        engine_id: &[u8],
        localized: &mut Buf,
    ) -> Result<(), AuthError> {
        let protocol = Protocol::named(protocol)?;
        protocol.takes_key(key)?;
        with_hash!(protocol, H => {
            let hash = H::new().chain_update(key).chain_update(engine_id).chain_update(key).finalize();
            Ok(append_and_wipe::<H>(hash, localized)?)
        })
    }

    fn digest(
        &self,
        _act: &Activity,
        protocol: &[u32],
        octets: &[u8],
        hash: &mut Buf,
    ) -> Result<(), AuthError> {
        with_hash!(Protocol::named(protocol)?, H => Ok(append_and_wipe::<H>(H::digest(octets), hash)?))
    }

    fn prepare_key(
        &self,
        _act: &Activity,
        protocol: &[u32],
        localized: &[u8],
        prepared: &mut Buf,
    ) -> Result<(), AuthError> {
        let protocol = Protocol::named(protocol)?;
        protocol.takes_key(localized)?;
        prepared.append(MARK)?;
        prepared.push(protocol as u8)?;
        with_hash!(protocol, H => {
            for pad in [0x36, 0x5c] {
                let mut block = sha2::digest::common::Block::<H>::default();
                block[..localized.len()].copy_from_slice(localized);
                block.iter_mut().for_each(|octet| *octet ^= pad);
                let mut state = H::new().chain_update(block.as_slice()).serialize();
                block.as_mut_slice().zeroize();
                let appended = prepared.append(&state);
                state.as_mut_slice().zeroize();
                appended?;
            }
            Ok(())
        })
    }

    fn sign(
        &self,
        _act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
        mac: &mut Buf,
    ) -> Result<(), AuthError> {
        let (protocol, states) =
            Protocol::of_prepared(prepared).ok_or(AuthErrorKind::UnknownPreparedKey)?;
        let (before, own, after) = around(message, field, protocol)?;
        with_hash!(protocol, H => {
            let code = code::<H>(states, &[before, &ZEROS[..own.len()], after])?;
            Ok(mac.append(&code[..own.len()])?)
        })
    }

    fn verify(
        &self,
        _act: &Activity,
        prepared: &[u8],
        message: &[u8],
        field: Span,
    ) -> Result<(), AuthError> {
        let (protocol, states) =
            Protocol::of_prepared(prepared).ok_or(AuthErrorKind::UnknownPreparedKey)?;
        let (before, own, after) = around(message, field, protocol)?;
        with_hash!(protocol, H => {
            let code = code::<H>(states, &[before, &ZEROS[..own.len()], after])?;
            if bool::from(code[..own.len()].ct_eq(own)) {
                Ok(())
            } else {
                Err(AuthErrorKind::WrongDigest.into())
            }
        })
    }
}

impl Module for HmacSha2 {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(HmacSha2)
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        Ok(roles::contract::auth::suite(self, act)?)
    }
}

/// A message before its field, the field, and the message after it.
type Around<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// The message before the field, the field, and the message after it.
fn around(message: &[u8], field: Span, protocol: Protocol) -> Result<Around<'_>, AuthError> {
    let right = protocol.parameters().mac_length;
    let wrong = AuthError::detailed(AuthErrorKind::WrongField, right);
    if field.len != right {
        return Err(wrong);
    }
    let range = field.positions();
    match (message.get(..range.start), message.get(range.clone()), message.get(range.end..)) {
        (Some(before), Some(own), Some(after)) => Ok((before, own, after)),
        _ => Err(wrong),
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
        let state: &SerializedState<H> = state.try_into().map_err(|_| unknown())?;
        H::deserialize(state).map_err(|_| unknown())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// The whole code of a message, from a key of any length, through the form of a prepared key.
    fn hmac<H: Hash>(key: &[u8], message: &[u8]) -> String {
        let mut block = sha2::digest::common::Block::<H>::default();
        match key.len() <= block.len() {
            true => block[..key.len()].copy_from_slice(key),
            false => block[..<H as Digest>::output_size()].copy_from_slice(&H::digest(key)),
        }
        let states: Vec<u8> = [0x36, 0x5c]
            .into_iter()
            .flat_map(|pad| {
                let mut padded = block.clone();
                padded.iter_mut().for_each(|octet| *octet ^= pad);
                H::new().chain_update(&padded).serialize()
            })
            .collect();
        hex(&code::<H>(&states, &[message]).unwrap())
    }

    #[test]
    fn codes_are_those_of_rfc_4231() {
        // §4.2, §4.3, §4.4, §4.5, §4.7 and §4.8; each the SHA-224, SHA-256, SHA-384 and SHA-512 code.
        let long: &[u8] = b"This is a test using a larger than block-size key and a larger than block-size data. \
            The key needs to be hashed before being used by the HMAC algorithm.";
        let counting: Vec<u8> = (1..=25).collect();
        let cases: [(&[u8], &[u8], [&str; 4]); 6] = [
            (
                &[0x0b; 20],
                b"Hi There",
                [
                    "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
                    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                    "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
                    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
                 daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
                ],
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                [
                    "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
                    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                    "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
                    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
                ],
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                [
                    "7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea",
                    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
                    "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
                    "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39\
                 bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
                ],
            ),
            (
                &counting,
                &[0xcd; 50],
                [
                    "6c11506874013cac6a2abc1bb382627cec6a90d86efc012de7afec5a",
                    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
                    "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
                    "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db\
                 a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
                ],
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                [
                    "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
                    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                    "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
                    "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352\
                 6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
                ],
            ),
            (
                &[0xaa; 131],
                long,
                [
                    "3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1",
                    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
                    "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
                    "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944\
                 b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
                ],
            ),
        ];
        for (key, message, codes) in cases {
            for (protocol, expected) in PROTOCOLS.into_iter().zip(codes) {
                assert_eq!(
                    with_hash!(protocol, H => hmac::<H>(key, message)),
                    expected,
                    "{protocol:?}"
                );
            }
        }
    }

    #[test]
    fn a_mark_is_read_only_with_a_protocol_behind_it() {
        assert_eq!(Protocol::of_prepared(MARK), None);
        assert_eq!(Protocol::of_prepared(&[MARK, &[3]].concat()), None);
        assert_eq!(
            Protocol::of_prepared(&[MARK, &[5, 9]].concat()),
            Some((Protocol::Sha256, &[9][..]))
        );
    }
}
