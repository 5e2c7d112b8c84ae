//! The manager's own keys, codes and ciphers, apart from the modules that they prove: HMAC-SHA-96 (RFC 3414 §7)
//! for most users, HMAC-192-SHA-256 (RFC 7860) with AES-128 (RFC 3826) for the user `sha256`.

use aes::Aes128;
use aes::cipher::KeyIvInit as _;
use cfb_mode::{Decryptor, Encryptor};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// Octets of an AES-128 key.
const CIPHER_KEY: usize = 16;

/// Which hash a user has.
#[derive(Clone, Copy)]
pub struct Hash {
    is_sha2: bool,
}

impl Hash {
    /// That of a user.
    pub fn of(user: &[u8]) -> Self {
        Hash { is_sha2: user == b"sha256" }
    }

    /// Octets of an authentication code.
    pub const fn code_len(self) -> usize {
        if self.is_sha2 { 24 } else { 12 }
    }

    /// The code of a message whose own code is zeros.
    pub fn code(self, passphrase: &str, engine_id: &[u8], message: &[u8]) -> Vec<u8> {
        let key = self.key(passphrase, engine_id);
        let mut code = if self.is_sha2 {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        } else {
            let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        };
        code.truncate(self.code_len());
        code
    }

    /// RFC 3414 §A.2: the key of a passphrase at an engine.
    fn key(self, passphrase: &str, engine_id: &[u8]) -> Vec<u8> {
        if self.is_sha2 {
            localized::<Sha256>(passphrase, engine_id)
        } else {
            localized::<Sha1>(passphrase, engine_id)
        }
    }
}

fn localized<H: Digest>(passphrase: &str, engine_id: &[u8]) -> Vec<u8> {
    let megabyte: Vec<u8> = passphrase.bytes().cycle().take(1 << 20).collect();
    let key = H::digest(&megabyte);
    let whole = [&key[..], engine_id, &key[..]].concat();
    H::digest(&whole).to_vec()
}

/// One encryption under a user's passphrase: RFC 3826 §3.1.2.1.
pub struct Cipher {
    key: [u8; CIPHER_KEY],
    iv: [u8; 16],
}

impl Cipher {
    /// With the clock of the engine and the salt of the message; none where the salt is of no such message.
    pub fn new(
        passphrase: &str,
        (engine_id, boots, time): (&[u8], u32, u32),
        user: &[u8],
        salt: &[u8],
    ) -> Option<Self> {
        let key = Hash::of(user).key(passphrase, engine_id);
        let iv = [&boots.to_be_bytes()[..], &time.to_be_bytes(), salt].concat();
        Some(Cipher { key: key.get(..CIPHER_KEY)?.try_into().ok()?, iv: iv.try_into().ok()? })
    }

    /// Encrypts in place.
    pub fn encrypt(&self, octets: &mut [u8]) {
        Encryptor::<Aes128>::new(&self.key.into(), &self.iv.into()).encrypt(octets);
    }

    /// Decrypts in place.
    pub fn decrypt(&self, octets: &mut [u8]) {
        Decryptor::<Aes128>::new(&self.key.into(), &self.iv.into()).decrypt(octets);
    }
}
