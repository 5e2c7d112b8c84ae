//! The envelope around what is signed: DSSE (secure-systems-lab/dsse, protocol 1.0.2).
//! Never says whom to trust: it says which key signed what. Invariant: a signature covers the payload
//! together with its type, so a signed trust store can never be taken for a signed manifest.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use crate::key::{KeyId, PublicKey, SecretKey};

/// Payload type of a signed manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.s-module.manifest+json";
/// Payload type of a signed trust store.
pub const TRUST_TYPE: &str = "application/vnd.s-module.trust+json";
/// More signatures than any threshold asks for; verifying costs time.
pub const SIGNATURES_MAX: usize = 32;

/// Bytes that are no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeFault {
    /// Not the JSON of an envelope.
    #[error("not a DSSE envelope: {0}; sign with `swapctl`")]
    Malformed(String),
    /// Base64 that is not the one form of its bytes.
    #[error("the {0} of the envelope is not standard base64 of the right length; sign again")]
    NotBase64(&'static str),
    /// More signatures than allowed.
    #[error(
        "the envelope has {0} signatures and at most {SIGNATURES_MAX} are looked at; remove those that nobody asks for"
    )]
    TooManySignatures(usize),
    /// An envelope around something else.
    #[error("the envelope holds \"{}\" where \"{expected}\" belongs; give the right file", .found.escape_debug())]
    WrongType {
        /// The type that belongs here.
        expected: &'static str,
        /// The type found.
        found: String,
    },
}

/// A payload, its type and who signed both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: &'static str,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

/// One signature and the name of the key that is said to have made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name; a hint that verification confirms or refutes.
    pub key: KeyId,
    /// The signature.
    pub bytes: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    keyid: KeyId,
    sig: String,
}

impl Envelope {
    /// An envelope that nobody has signed yet.
    pub fn new(payload_type: &'static str, payload: Vec<u8>) -> Self {
        Self { payload_type, payload, signatures: Vec::new() }
    }

    /// Reads an envelope around a payload of this type. Verifies nothing.
    pub fn parse(bytes: &[u8], payload_type: &'static str) -> Result<Self, EnvelopeFault> {
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|error| EnvelopeFault::Malformed(error.to_string()))?;
        if wire.payload_type != payload_type {
            let found = wire.payload_type.chars().take(80).collect();
            return Err(EnvelopeFault::WrongType { expected: payload_type, found });
        }
        if wire.signatures.len() > SIGNATURES_MAX {
            return Err(EnvelopeFault::TooManySignatures(wire.signatures.len()));
        }
        let payload = BASE64_STANDARD
            .decode(wire.payload)
            .map_err(|_| EnvelopeFault::NotBase64("payload"))?;
        let signatures = wire
            .signatures
            .into_iter()
            .map(|WireSignature { keyid, sig }| {
                let bytes =
                    BASE64_STANDARD.decode(sig).ok().and_then(|bytes| bytes.try_into().ok());
                Ok(Signature {
                    key: keyid,
                    bytes: bytes.ok_or(EnvelopeFault::NotBase64("signature"))?,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { payload_type, payload, signatures })
    }

    /// The JSON of the envelope.
    pub fn to_json(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|signature| WireSignature {
            keyid: signature.key,
            sig: BASE64_STANDARD.encode(signature.bytes),
        });
        let wire = Wire {
            payload: BASE64_STANDARD.encode(&self.payload),
            payload_type: self.payload_type.to_owned(),
            signatures: signatures.collect(),
        };
        let mut json =
            serde_json::to_vec_pretty(&wire).expect("text and lists of text always become JSON");
        json.push(b'\n');
        json
    }

    /// What is signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Who is said to have signed.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature. The same key signs once: a second time changes nothing.
    pub fn sign(&mut self, secret: &SecretKey) {
        let key = secret.public().id();
        let bytes = secret.sign(&pre_authentication(self.payload_type, &self.payload));
        self.signatures.retain(|signature| signature.key != key);
        self.signatures.push(Signature { key, bytes });
    }

    /// Whether this key really made this signature over payload and type.
    pub fn is_signed(&self, signature: &Signature, public: &PublicKey) -> bool {
        signature.key == public.id()
            && public
                .verifies(&pre_authentication(self.payload_type, &self.payload), &signature.bytes)
    }
}

/// The bytes under a signature: `PAE(type, body)` of the DSSE protocol. The lengths make the pair
/// unambiguous.
pub fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    #[test]
    fn the_protocol_s_own_example() {
        // The test vector in protocol.md of the DSSE specification.
        let bytes = pre_authentication("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_signature_covers_payload_and_type() {
        let mut manifest = Envelope::new(MANIFEST_TYPE, b"{}".to_vec());
        manifest.sign(&key(1));
        let signature = &manifest.signatures()[0];
        assert!(manifest.is_signed(signature, &key(1).public()));
        assert!(!manifest.is_signed(signature, &key(2).public()));
        let renamed = Signature { key: key(2).public().id(), ..signature.clone() };
        assert!(
            !manifest.is_signed(&renamed, &key(1).public()),
            "a key answers to its own id only"
        );
        assert!(
            !Envelope::new(MANIFEST_TYPE, b"{ }".to_vec()).is_signed(signature, &key(1).public())
        );
        assert!(!Envelope::new(TRUST_TYPE, b"{}".to_vec()).is_signed(signature, &key(1).public()));
    }

    #[test]
    fn an_envelope_reads_back_and_a_key_signs_once() {
        let mut envelope = Envelope::new(TRUST_TYPE, b"{}".to_vec());
        for seed in [1, 2, 1] {
            envelope.sign(&key(seed));
        }
        assert_eq!(envelope.signatures().len(), 2);
        let json = envelope.to_json();
        assert_eq!(Envelope::parse(&json, TRUST_TYPE).unwrap(), envelope);
        let fault = Envelope::parse(&json, MANIFEST_TYPE).unwrap_err();
        assert!(matches!(fault, EnvelopeFault::WrongType { .. }));
    }

    #[test]
    fn loose_forms_are_refused() {
        let good = String::from_utf8(Envelope::new(TRUST_TYPE, b"{}".to_vec()).to_json()).unwrap();
        assert!(Envelope::parse(good.as_bytes(), TRUST_TYPE).is_ok());
        for (from, to) in [
            ("e30=", "e30"),
            ("e30=", "e31="),
            ("e30=", "e30= "),
            ("[]", "[{}]"),
            ("[]", "[], \"x\": 1"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Envelope::parse(bad.as_bytes(), TRUST_TYPE).is_err(), "{to}");
        }
        let signature = format!(
            "{{\"keyid\": \"{}\", \"sig\": \"{}\"}}",
            "0".repeat(32),
            "A".repeat(86) + "=="
        );
        let many = good.replacen("[]", &format!("[{}]", vec![signature; 33].join(",")), 1);
        assert_eq!(
            Envelope::parse(many.as_bytes(), TRUST_TYPE),
            Err(EnvelopeFault::TooManySignatures(33))
        );
    }
}
