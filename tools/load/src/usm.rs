//! Keys, codes and ciphers of the User-based Security Model, on the manager's side (RFC 3414, RFC 3826,
//! RFC 7860).
//!
//! It shares no code with the agent's modules. Keys are those of a measurement and are not wiped.

use aes::Aes128;
use aes::cipher::{InnerIvInit, KeyInit as _};
use cfb_mode::{Decryptor, Encryptor};
use hmac::{Hmac, Mac as _};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// An authentication protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// usmHMACSHAAuthProtocol.
    Sha1,
    /// usmHMAC192SHA256AuthProtocol.
    Sha256,
}

/// The key of a user for one engine, ready for messages.
#[derive(Clone)]
pub enum AuthKey {
    /// Of [`Auth::Sha1`].
    Sha1(Hmac<Sha1>),
    /// Of [`Auth::Sha256`].
    Sha256(Hmac<Sha256>),
}

/// The key of a user as octets, localized (RFC 3414 §A.2).
pub fn localized(auth: Auth, password: &[u8], engine_id: &[u8]) -> Vec<u8> {
    match auth {
        Auth::Sha1 => localized_with::<Sha1>(password, engine_id),
        Auth::Sha256 => localized_with::<Sha256>(password, engine_id),
    }
}

fn localized_with<H: Digest>(password: &[u8], engine_id: &[u8]) -> Vec<u8> {
    let mut hash = H::new();
    for octet in password.iter().cycle().take(1 << 20).copied().collect::<Vec<_>>().chunks(4096) {
        hash.update(octet);
    }
    let key = hash.finalize();
    let localized = H::new().chain_update(&key).chain_update(engine_id).chain_update(&key);
    localized.finalize().to_vec()
}

impl AuthKey {
    /// From a localized key.
    pub fn new(auth: Auth, localized: &[u8]) -> Option<Self> {
        Some(match auth {
            Auth::Sha1 => AuthKey::Sha1(Hmac::new_from_slice(localized).ok()?),
            Auth::Sha256 => AuthKey::Sha256(Hmac::new_from_slice(localized).ok()?),
        })
    }

    /// How many octets of the code a message carries.
    pub const fn code_len(&self) -> usize {
        match self {
            AuthKey::Sha1(_) => 12,
            AuthKey::Sha256(_) => 24,
        }
    }

    /// The code of a message in parts, and how many octets of it count.
    pub fn code(&self, parts: [&[u8]; 3]) -> [u8; 32] {
        let mut code = [0; 32];
        match self {
            AuthKey::Sha1(key) => {
                let mut mac = key.clone();
                parts.iter().for_each(|part| mac.update(part));
                code[..20].copy_from_slice(&mac.finalize().into_bytes());
            }
            AuthKey::Sha256(key) => {
                let mut mac = key.clone();
                parts.iter().for_each(|part| mac.update(part));
                code.copy_from_slice(&mac.finalize().into_bytes());
            }
        }
        code
    }
}

/// Where AES begins (RFC 3826 §3.1.2.1).
fn first_block(boots: u32, time: u32, salt: [u8; 8]) -> [u8; 16] {
    let mut block = [0; 16];
    block[..4].copy_from_slice(&boots.to_be_bytes());
    block[4..8].copy_from_slice(&time.to_be_bytes());
    block[8..].copy_from_slice(&salt);
    block
}

/// Encrypts in place.
pub fn encrypt(key: &Aes128, boots: u32, time: u32, salt: [u8; 8], octets: &mut [u8]) {
    let block = first_block(boots, time, salt);
    Encryptor::inner_iv_init(key.clone(), &block.into()).encrypt(octets);
}

/// Decrypts in place.
pub fn decrypt(key: &Aes128, boots: u32, time: u32, salt: [u8; 8], octets: &mut [u8]) {
    let block = first_block(boots, time, salt);
    Decryptor::inner_iv_init(key.clone(), &block.into()).decrypt(octets);
}

/// The cipher of a localized key.
pub fn aes_key(localized: &[u8]) -> Option<Aes128> {
    Aes128::new_from_slice(localized.get(..16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// RFC 3414 §A.3.2, and RFC 7860 has none: the length and that it differs must do.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let engine_id = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        let key = localized(Auth::Sha1, b"maplesyrup", &engine_id);
        assert_eq!(hex(&key), "6695febc9288e36282235fc7151f128497b38f3f");
    }

    /// RFC 2202 §3 case 1 and RFC 4231 §4.2.
    #[test]
    fn codes_are_those_of_the_rfcs() {
        let parts = [b"Hi".as_slice(), b" ", b"There"];
        let key = AuthKey::new(Auth::Sha1, &[0x0b; 20]).unwrap();
        assert_eq!(hex(&key.code(parts)[..12]), "b617318655057264e28bc0b6");
        let key = AuthKey::new(Auth::Sha256, &[0x0b; 20]).unwrap();
        assert_eq!(hex(&key.code(parts)[..24]), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da7");
    }

    #[test]
    fn what_is_encrypted_is_decrypted() {
        let key = aes_key(&[7; 20]).unwrap();
        let mut octets = *b"a scopedPDU of some length";
        encrypt(&key, 1, 2, [3; 8], &mut octets);
        assert_ne!(&octets, b"a scopedPDU of some length");
        decrypt(&key, 1, 2, [3; 8], &mut octets);
        assert_eq!(&octets, b"a scopedPDU of some length");
    }
}
