//! Signing keys: ed25519, their text forms and their ids.
//! Never touches a file and makes no randomness; who calls brings both. Invariant: a [`PublicKey`] is
//! never one of the weak points under which many messages share a signature, and a secret leaves memory
//! zeroed.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::text::{Digest, from_hex, to_hex};

const SECRET_PREFIX: &str = "s-module-secret-key:v1:";
const PUBLIC_PREFIX: &str = "s-module-public-key:v1:";

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not the text of a secret key. What was found is not repeated: it may be a secret.
    #[error(
        "this is not a secret key; it should be one line that begins with `{SECRET_PREFIX}`: make one with `swapctl keygen`"
    )]
    NotASecretKey,
    /// A secret key where a public one belongs.
    #[error(
        "this is a SECRET key where a public one belongs; use the .pub file, and never share this one"
    )]
    SecretInPublicPlace,
    /// Not the text of a public key.
    #[error(
        "this is not a public key; it should be one line that begins with `{PUBLIC_PREFIX}`: use the .pub file that `swapctl keygen` wrote"
    )]
    NotAPublicKey,
    /// A point of small order: anybody can sign under it.
    #[error(
        "this public key is a weak point under which anybody can sign; do not trust it, make another with `swapctl keygen`"
    )]
    WeakKey,
    /// Not the text of a key id.
    #[error(
        "this is not a key id; it should be 32 lowercase hex digits, as `swapctl trust show` prints them"
    )]
    NotAKeyId,
}

/// The name of a key: the first 16 bytes of the SHA-256 of its public half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// Reads 32 lowercase hex digits.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        from_hex(text).map(Self).ok_or(KeyFault::NotAKeyId)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&to_hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl std::str::FromStr for KeyId {
    type Err = KeyFault;
    fn from_str(text: &str) -> Result<Self, KeyFault> {
        Self::parse(text)
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyFault;
    fn try_from(text: String) -> Result<Self, KeyFault> {
        Self::parse(&text)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> String {
        id.to_string()
    }
}

/// The half of a key that verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes the 32 bytes of a point on the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyFault> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyFault::NotAPublicKey)?;
        if key.is_weak() { Err(KeyFault::WeakKey) } else { Ok(Self(key)) }
    }

    /// Reads the one line of a `.pub` file.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let line = text.trim_end_matches(['\r', '\n']);
        if line.starts_with(SECRET_PREFIX) {
            return Err(KeyFault::SecretInPublicPlace);
        }
        let encoded = line.strip_prefix(PUBLIC_PREFIX).ok_or(KeyFault::NotAPublicKey)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| KeyFault::NotAPublicKey)?;
        Self::from_bytes(&bytes.try_into().map_err(|_| KeyFault::NotAPublicKey)?)
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            Digest::of(self.0.as_bytes()).0;
        KeyId(first)
    }

    /// Whether this key made this signature over these bytes. Strict: one message and key have no second
    /// signature that a third party could derive.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", BASE64_STANDARD.encode(self.0.as_bytes()))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyFault;
    fn try_from(text: String) -> Result<Self, KeyFault> {
        Self::parse(&text)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_string()
    }
}

/// The half of a key that signs. Zeroed when dropped; its `Debug` shows the public half only.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that these 32 random bytes are.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads the one line of a secret key file.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let line = text.trim_end_matches(['\r', '\n']);
        let encoded = line.strip_prefix(SECRET_PREFIX).ok_or(KeyFault::NotASecretKey)?;
        // Decoded into a buffer of its own: growing a vector would leave copies behind. The decoder
        // may ask for a few bytes more than it fills.
        let mut buffer = Zeroizing::new([0u8; 40]);
        let length = BASE64_STANDARD
            .decode_slice(encoded, &mut buffer[..])
            .map_err(|_| KeyFault::NotASecretKey)?;
        let mut seed = Zeroizing::new([0u8; 32]);
        if length != seed.len() {
            return Err(KeyFault::NotASecretKey);
        }
        seed.copy_from_slice(&buffer[..length]);
        Ok(Self::from_seed(&seed))
    }

    /// The one line of a secret key file.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut seed = self.0.to_bytes();
        let mut encoded = [0u8; 44];
        let written = BASE64_STANDARD.encode_slice(seed, &mut encoded);
        // Room for all of it at once, so that no shorter copy is left behind in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(80));
        text.push_str(SECRET_PREFIX);
        text.extend(written.iter().flat_map(|&length| &encoded[..length]).map(|&b| char::from(b)));
        text.push('\n');
        seed.zeroize();
        encoded.zeroize();
        text
    }

    /// The half that may be shown.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs these bytes; the same bytes give the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public().id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    #[test]
    fn both_halves_read_back() {
        let secret = key(1);
        let text = secret.to_text();
        assert!(text.starts_with(SECRET_PREFIX) && text.ends_with('\n'));
        assert_eq!(SecretKey::parse(&text).unwrap().public(), secret.public());
        let public = secret.public();
        assert_eq!(PublicKey::parse(&format!("{public}\n")).unwrap(), public);
        assert_eq!(KeyId::parse(&public.id().to_string()).unwrap(), public.id());
    }

    #[test]
    fn the_id_is_the_head_of_the_digest() {
        let public = key(1).public();
        assert_eq!(public.id().to_string(), Digest::of(public.0.as_bytes()).to_string()[..32]);
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = key(1);
        let shown = format!("{secret:?}");
        assert!(
            !secret.to_text().contains(&shown) && shown.contains(&secret.public().id().to_string())
        );
        assert_eq!(PublicKey::parse(&secret.to_text()).unwrap_err(), KeyFault::SecretInPublicPlace);
    }

    #[test]
    fn texts_that_are_no_keys() {
        let text = key(1).to_text();
        for bad in [
            "",
            "hello",
            &text[..text.len() - 3],
            &format!("{}A", text.trim_end()),
            &text.replace("v1", "v2"),
        ] {
            assert_eq!(SecretKey::parse(bad).unwrap_err(), KeyFault::NotASecretKey);
        }
        // The neutral element: a signature of zeros would fit every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PublicKey::from_bytes(&neutral).unwrap_err(), KeyFault::WeakKey);
    }

    #[test]
    fn rfc_8032_test_1() {
        let seed =
            from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let secret = SecretKey::from_seed(&Zeroizing::new(seed));
        let signature = secret.sign(b"");
        assert!(to_hex(&signature).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974"));
        assert!(secret.public().verifies(b"", &signature));
        assert!(!secret.public().verifies(b"x", &signature));
    }
}
