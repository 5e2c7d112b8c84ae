//! CFB-AES privacy: usmAesCfb128Protocol (RFC 3826), and AES-192 and AES-256 as they are in the field.
//!
//! It keeps no key. It keeps the counter that salts are made of, which is carried to its successor, so that
//! no salt comes twice, whatever is swapped.
//!
//! No standard names a protocol with a longer key. Three draft-born families do, and their messages differ
//! in nothing but how a localized key that is too short becomes long enough ([`KeyExtension`]). These are
//! the names and extensions of net-snmp, read from its library, version 5.9.3:
//!
//! | name | what | in net-snmp | extension |
//! |---|---|---|---|
//! | 1.3.6.1.6.3.10.1.2.4 | usmAesCfb128Protocol | `AES`, `AES-128` | none |
//! | 1.3.6.1.4.1.14832.1.3 | usmAESCfb192PrivProtocol of the ESO consortium | `AES-192` | Blumenthal |
//! | 1.3.6.1.4.1.14832.1.4 | usmAESCfb256PrivProtocol of the ESO consortium | `AES-256` | Blumenthal |
//! | 1.3.6.1.4.1.9.12.6.1.1 | cusmAESCfb192PrivProtocol of Cisco | `AES-192-C` | Reeder |
//! | 1.3.6.1.4.1.9.12.6.1.2 | cusmAESCfb256PrivProtocol of Cisco | `AES-256-C` | Reeder |
//!
//! A name never travels with a message. It is seen in usmUserPrivProtocol only, so a peer that calls one of
//! these otherwise still understands it, if the extension is the same. pysnmp, for one, gives Cisco's two
//! names to Blumenthal's extension, and its own 9.12.6.1.101 and .102 to Reeder's.

use aes::cipher::{BlockCipherEncrypt, KeyInit, consts::U16};
// Cipher feedback runs the cipher forward in both directions, so the key schedule backward is never needed.
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use cfb_mode::cipher::InnerIvInit;
use cfb_mode::{Decryptor, Encryptor};
use roles::privacy::{
    EngineTime, KeyExtension, PrivProtocol, PrivacyError, PrivacyErrorKind, PrivacyParameters,
};
use s_sdk::{Activity, Buf, CarriesState, Host, List, Module, Refusal, State, s_module};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Octets of the salt.
const SALT: usize = 8;

/// So many salts a module leaves out that serves again without the state of its successor: the successor
/// may have used them.
const LEFT_OUT: u64 = 1 << 40;

/// AES with keys of one length.
#[derive(Clone, Copy)]
enum Cipher {
    Aes128 = 16,
    Aes192 = 24,
    Aes256 = 32,
}

/// The protocols, in the order of their positions.
const PROTOCOLS: [(&[u32], Cipher, KeyExtension); 5] = [
    (&[1, 3, 6, 1, 6, 3, 10, 1, 2, 4], Cipher::Aes128, KeyExtension::None),
    (&[1, 3, 6, 1, 4, 1, 14832, 1, 3], Cipher::Aes192, KeyExtension::Blumenthal),
    (&[1, 3, 6, 1, 4, 1, 14832, 1, 4], Cipher::Aes256, KeyExtension::Blumenthal),
    (&[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 1], Cipher::Aes192, KeyExtension::Reeder),
    (&[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 2], Cipher::Aes256, KeyExtension::Reeder),
];

/// The module.
pub struct PrivAes {
    /// The next salt. There are so many that none comes twice in the life of a machine.
    next: AtomicU64,
    /// The number is the newest: nobody else has counted on since it was made or imported.
    newest: AtomicBool,
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "aes-salts", version = 1)]
pub struct Salts {
    /// The next salt.
    pub next: u64,
}

impl PrivAes {
    /// The module with its first salt.
    pub const fn starting_at(first: u64) -> Self {
        PrivAes { next: AtomicU64::new(first), newest: AtomicBool::new(true) }
    }
}

#[s_module(
    component = "priv.aes",
    version = "1.0.0",
    annotation = "RFC 3826: AES-128; AES-192 and AES-256 of Blumenthal and of Cisco",
    carries_state
)]
impl PrivProtocol for PrivAes {
    fn protocol(
        &self,
        _act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<PrivacyParameters, PrivacyError> {
        let protocol = usize::try_from(position).ok().and_then(|at| PROTOCOLS.get(at));
        let (own_name, cipher, extension) = *protocol.ok_or(PrivacyErrorKind::UnknownProtocol)?;
        name.append(own_name)?;
        Ok(PrivacyParameters {
            key_length: cipher as u32,
            salt_length: 8,
            block_length: 1,
            extension,
        })
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
        let which = cipher_of(protocol, key)?;
        let start = cipher.len();
        cipher.append(plain)?;
        // RFC 3826 §3.1.2.1: a 64-bit integer that no two encryptions under one key share.
        let own_salt = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        salt.append(&own_salt)?;
        let (octets, iv) = (&mut cipher[start..], iv(clock, own_salt));
        match which {
            Cipher::Aes128 => encrypt::<Aes128Enc>(key, &iv, octets),
            Cipher::Aes192 => encrypt::<Aes192Enc>(key, &iv, octets),
            Cipher::Aes256 => encrypt::<Aes256Enc>(key, &iv, octets),
        }
        Ok(())
    }

    fn decrypt(
        &self,
        _act: &Activity,
        protocol: &[u32],
        key: &[u8],
        clock: EngineTime,
        salt: &[u8],
        cipher: &[u8],
        plain: &mut Buf,
    ) -> Result<(), PrivacyError> {
        let which = cipher_of(protocol, key)?;
        // RFC 3826 §3.3.2 step 1.
        let salt = salt.try_into().map_err(|_| PrivacyErrorKind::DecryptionError)?;
        let start = plain.len();
        plain.append(cipher)?;
        let (octets, iv) = (&mut plain[start..], iv(clock, salt));
        match which {
            Cipher::Aes128 => decrypt::<Aes128Enc>(key, &iv, octets),
            Cipher::Aes192 => decrypt::<Aes192Enc>(key, &iv, octets),
            Cipher::Aes256 => decrypt::<Aes256Enc>(key, &iv, octets),
        }
        Ok(())
    }
}

impl Module for PrivAes {
    fn init(host: Host) -> Result<Self, Refusal> {
        let mut first = [0; SALT];
        host.random(&mut first).map_err(|error| Refusal(format!("no random salt: {error}")))?;
        Ok(PrivAes::starting_at(u64::from_be_bytes(first)))
    }

    fn restart(&self) {
        if !self.newest.swap(false, Ordering::Relaxed) {
            self.next.fetch_add(LEFT_OUT, Ordering::Relaxed);
        }
    }

    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        Ok(roles::contract::privacy::suite(self, act)?)
    }
}

impl CarriesState for PrivAes {
    type State = Salts;

    fn export(&self) -> Salts {
        Salts { next: self.next.load(Ordering::Relaxed) }
    }

    fn import(&self, salts: Salts) -> Result<(), Refusal> {
        self.next.store(salts.next, Ordering::Relaxed);
        self.newest.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The cipher of a protocol, if the key is one of its.
fn cipher_of(protocol: &[u32], key: &[u8]) -> Result<Cipher, PrivacyError> {
    let known = PROTOCOLS.into_iter().find(|(name, ..)| *name == protocol);
    let (_, cipher, _) = known.ok_or(PrivacyErrorKind::UnknownProtocol)?;
    if key.len() == cipher as usize {
        Ok(cipher)
    } else {
        Err(PrivacyError::detailed(PrivacyErrorKind::WrongKeyLength, cipher as u32))
    }
}

/// snmpEngineBoots, snmpEngineTime and the salt (RFC 3826 §3.1.2.1).
fn iv(clock: EngineTime, salt: [u8; SALT]) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..4].copy_from_slice(&clock.boots.to_be_bytes());
    iv[4..8].copy_from_slice(&clock.time_seconds.to_be_bytes());
    iv[8..].copy_from_slice(&salt);
    iv
}

/// A block cipher with the blocks of AES.
trait Aes: BlockCipherEncrypt<BlockSize = U16> + KeyInit {
    fn of(key: &[u8]) -> Self {
        Self::new_from_slice(key).expect("the length of the key was compared")
    }
}
impl<C: BlockCipherEncrypt<BlockSize = U16> + KeyInit> Aes for C {}

fn encrypt<C: Aes>(key: &[u8], iv: &[u8; 16], octets: &mut [u8]) {
    Encryptor::inner_iv_init(C::of(key), iv.into()).encrypt(octets);
}

fn decrypt<C: Aes>(key: &[u8], iv: &[u8; 16], octets: &mut [u8]) {
    Decryptor::inner_iv_init(C::of(key), iv.into()).decrypt(octets);
}
