//! CBC-DES privacy (RFC 3414 §8): usmDESPrivProtocol.
//!
//! For peers that know nothing better: 56 bits of key keep nobody out, and new users belong on AES. It keeps
//! no key. It keeps the local integer of the salts, which is carried to its successor, so that no salt
//! comes twice under one engine boot, whatever is swapped.
//!
//! The key is the first 8 octets of the 16; DES leaves the last bit of each out. RFC 3414 excludes no weak
//! key, and neither does this module: a localized key is weak once in 2^52, and refusing it would cut off a
//! user whose peers take it.

use cbc::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use des::Des;
use roles::privacy::{
    EngineTime, KeyExtension, PrivProtocol, PrivacyError, PrivacyErrorKind, PrivacyParameters,
};
use s_sdk::{Activity, Buf, CarriesState, Host, List, Module, Refusal, State, s_module};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use zeroize::Zeroize;

/// usmDESPrivProtocol (RFC 3414 §5).
const NAME: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 2];

/// Octets of a key: half of it is the key of DES, half of it the pre-IV.
const KEY: usize = 16;

/// Octets of a block, of the salt and of the initialization vector.
const BLOCK: usize = 8;

const PARAMETERS: PrivacyParameters = PrivacyParameters {
    key_length: 16,
    salt_length: 8,
    block_length: 8,
    extension: KeyExtension::None,
};

/// So many salts there are under one engine boot. After the last one this module encrypts nothing until the
/// engine boots again: two texts with one initialization vector show where they begin to differ. By then
/// DES had as many blocks as two of them can be expected to be equal in.
const SALTS: u64 = 1 << 32;

/// So many salts a module leaves out that serves again without the state of its successor: the successor
/// may have used them.
const LEFT_OUT: u64 = 1 << 22;

/// The module.
pub struct PrivDes {
    /// The first local integer, a random one.
    first: AtomicU64,
    /// How many salts are used.
    used: AtomicU64,
    /// The numbers are the newest: nobody else has counted on since they were made or imported.
    newest: AtomicBool,
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "des-salts", version = 1)]
pub struct Salts {
    /// The first local integer.
    pub first: u64,
    /// How many salts are used.
    pub used: u64,
}

impl PrivDes {
    /// The module with its first local integer.
    pub const fn starting_at(first: u32) -> Self {
        PrivDes {
            first: AtomicU64::new(first as u64),
            used: AtomicU64::new(0),
            newest: AtomicBool::new(true),
        }
    }

    /// The next local integer (RFC 3414 §8.1.1.1), which no other call gets.
    fn next(&self) -> Result<[u8; 4], PrivacyError> {
        let one_more = |used| (used < SALTS).then_some(used + 1);
        let used = self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        let used = used.map_err(|_| PrivacyErrorKind::EncryptionError)?;
        let [.., a, b, c, d] = self.first.load(Ordering::Relaxed).wrapping_add(used).to_be_bytes();
        Ok([a, b, c, d])
    }
}

#[s_module(
    component = "priv.des",
    version = "1.0.0",
    annotation = "RFC 3414: CBC-DES",
    carries_state
)]
impl PrivProtocol for PrivDes {
    fn protocol(
        &self,
        _act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<PrivacyParameters, PrivacyError> {
        if position != 0 {
            return Err(PrivacyErrorKind::UnknownProtocol.into());
        }
        name.append(NAME)?;
        Ok(PARAMETERS)
    }

    fn encrypt(
        &self,
        _act: &Activity,
        protocol: &[u32],
        key: &[u8],
        clock: EngineTime,
        plain: &[u8],
        cipher: &mut Buf,
        salt: &mut Buf,
    ) -> Result<(), PrivacyError> {
        let key = key_of(protocol, key)?;
        // Room comes first: what does not fit costs no salt.
        let start = cipher.len();
        cipher.append(plain)?;
        // §8.1.1.2: the data are padded to whole blocks; with what does not matter.
        cipher.append(&[0; BLOCK][..plain.len().next_multiple_of(BLOCK) - plain.len()])?;
        salt.reserve(BLOCK)?;

        // §8.1.1.1: the salt is snmpEngineBoots and a local integer.
        let mut own_salt = [0; BLOCK];
        own_salt[..4].copy_from_slice(&clock.boots.to_be_bytes());
        own_salt[4..].copy_from_slice(&self.next()?);
        let mut mode: cbc::Encryptor<Des> = mode(key, own_salt);
        // Whole blocks: nothing is left behind them.
        let (blocks, _) = Array::slice_as_chunks_mut(&mut cipher[start..]);
        mode.encrypt_blocks(blocks);
        Ok(salt.append(&own_salt)?)
    }

    fn decrypt(
        &self,
        _act: &Activity,
        protocol: &[u32],
        key: &[u8],
        _clock: EngineTime,
        salt: &[u8],
        cipher: &[u8],
        plain: &mut Buf,
    ) -> Result<(), PrivacyError> {
        let key = key_of(protocol, key)?;
        // §8.3.2 steps 1 and 2; §8.1.1.3: data that are not whole blocks are not decrypted.
        let salt: [u8; BLOCK] = salt.try_into().map_err(|_| PrivacyErrorKind::DecryptionError)?;
        if !cipher.len().is_multiple_of(BLOCK) {
            return Err(PrivacyErrorKind::DecryptionError.into());
        }
        let start = plain.len();
        plain.append(cipher)?;
        let mut mode: cbc::Decryptor<Des> = mode(key, salt);
        let (blocks, _) = Array::slice_as_chunks_mut(&mut plain[start..]);
        mode.decrypt_blocks(blocks);
        Ok(())
    }
}

impl Module for PrivDes {
    fn init(host: Host) -> Result<Self, Refusal> {
        let mut first = [0; 4];
        host.random(&mut first).map_err(|error| Refusal(format!("no random salt: {error}")))?;
        Ok(PrivDes::starting_at(u32::from_be_bytes(first)))
    }

    fn restart(&self) {
        if !self.newest.swap(false, Ordering::Relaxed) {
            let left_out = |used: u64| Some(used.saturating_add(LEFT_OUT).min(SALTS));
            let _ = self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, left_out);
        }
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        // On an instance of its own, so that a module with few salts left can still be swapped.
        Ok(roles::contract::privacy::suite(&PrivDes::starting_at(u32::MAX), act)?)
    }
}

impl CarriesState for PrivDes {
    type State = Salts;

    fn export(&self) -> Salts {
        Salts { first: self.first.load(Ordering::Relaxed), used: self.used.load(Ordering::Relaxed) }
    }

    fn import(&self, salts: Salts) -> Result<(), Refusal> {
        self.first.store(salts.first, Ordering::Relaxed);
        self.used.store(salts.used, Ordering::Relaxed);
        self.newest.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The key, if it is one of this protocol.
fn key_of<'a>(protocol: &[u32], key: &'a [u8]) -> Result<&'a [u8; KEY], PrivacyError> {
    if protocol != NAME {
        return Err(PrivacyErrorKind::UnknownProtocol.into());
    }
    let wrong = PrivacyError::detailed(PrivacyErrorKind::WrongKeyLength, PARAMETERS.key_length);
    key.try_into().map_err(|_| wrong)
}

/// CBC under a key and a salt. The initialization vector is the pre-IV with the salt (RFC 3414 §8.1.1.1).
fn mode<M: KeyIvInit>(key: &[u8; KEY], salt: [u8; BLOCK]) -> M {
    let (key, pre_iv) = key.split_at(BLOCK);
    let mut iv = salt;
    iv.iter_mut().zip(pre_iv).for_each(|(octet, pre)| *octet ^= pre);
    let mode = M::new_from_slices(key, &iv).expect("both halves are as long as a block of DES");
    iv.zeroize();
    mode
}
