//! A user with SHA-256 and AES-128 who asks any PDU of an engine: messages of SNMPv3 with authPriv.
//!
//! It shares no code with the agent, as [`ber`] does not: a digest or a cipher that is wrong
//! there must not be wrong here in the same way. What an engine answers without proof is never taken for
//! an answer. What goes wrong here is a failed test, so it panics.

use crate::ber::{self, element, group, integer, octets, pdu, tag};
use crate::exchange;
use aes::Aes128Enc;
use cfb_mode::cipher::KeyIvInit as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// usmHMAC192SHA256AuthProtocol keeps so much of the HMAC (RFC 7860 §4.2.1).
const DIGEST: usize = 24;
const AUTHENTIC: u8 = 1;
const ENCRYPTED: u8 = 2;
const REPORTABLE: u8 = 4;
/// An answer to GETBULK has to fit.
const MAX_SIZE: i64 = 65_507;

/// A user at one engine, whose clock he has learned.
pub struct User {
    address: SocketAddr,
    name: String,
    engine_id: Vec<u8>,
    auth_key: [u8; 32],
    priv_key: [u8; 16],
    boots: i64,
    time: i64,
    learned: Instant,
    salt: u64,
}

/// What an answer carries, and by what it is protected.
struct Answer {
    flags: u8,
    boots: i64,
    time: i64,
    engine_id: Vec<u8>,
    pdu: Vec<u8>,
}

impl User {
    /// Learns who the engine is and how late it is there (RFC 3414 §4).
    ///
    /// # Panics
    /// It does not tell.
    pub fn meet(address: SocketAddr, name: &str, prove: &str, hide: &str) -> Self {
        let mut user = User {
            address,
            name: name.to_owned(),
            engine_id: Vec::new(),
            auth_key: [0; 32],
            priv_key: [0; 16],
            boots: 0,
            time: 0,
            learned: Instant::now(),
            salt: u64::from(std::process::id()) << 32,
        };
        let patience = Duration::from_secs(5);
        let discovery = ber::Message::discovery(1).octets();
        let told = exchange(address, &discovery, patience).expect("the engine says who it is");
        user.engine_id = user.read(told).expect("a Report").engine_id;
        user.auth_key = localized(prove, &user.engine_id);
        user.priv_key.copy_from_slice(&localized(hide, &user.engine_id)[..16]);
        // The clock is told to who proves himself, also with a wrong one.
        let told = user.ask(&pdu(tag::GET, 1, 0, 0, &[]), patience).expect("how late it is");
        (user.boots, user.time, user.learned) = (told.boots, told.time, Instant::now());
        assert!(user.boots > 0, "no engine has started less than once");
        user
    }

    /// Asks with a PDU; the PDU of the answer, which came encrypted and with its proof.
    ///
    /// # Panics
    /// The answer is not protected as the question was.
    pub fn exchange(&mut self, pdu: &[u8], patience: Duration) -> Option<Vec<u8>> {
        let answer = self.ask(pdu, patience)?;
        assert_eq!(answer.flags & 3, AUTHENTIC | ENCRYPTED, "{}", ber::pdu_in_words(&answer.pdu));
        Some(answer.pdu)
    }

    fn ask(&mut self, pdu: &[u8], patience: Duration) -> Option<Answer> {
        let message = self.message(pdu);
        self.read(exchange(self.address, &message, patience)?)
    }

    fn message(&mut self, pdu: &[u8]) -> Vec<u8> {
        self.salt += 1;
        let salt = self.salt.to_be_bytes();
        let passed = i64::try_from(self.learned.elapsed().as_secs()).expect("not that long");
        let time = self.time + passed;
        let mut scoped = group(tag::SEQUENCE, &[octets(&self.engine_id), octets(""), pdu.to_vec()]);
        let iv = iv(self.boots, time, &salt);
        cfb_mode::Encryptor::<Aes128Enc>::new(&self.priv_key.into(), &iv.into())
            .encrypt(&mut scoped);
        let flags = AUTHENTIC | ENCRYPTED | REPORTABLE;
        let header = [integer(1), integer(MAX_SIZE), octets([flags]), integer(3)];
        let whole = |digest: &[u8]| {
            let security = [
                octets(&self.engine_id),
                integer(self.boots),
                integer(time),
                octets(&self.name),
                octets(digest),
                octets(salt),
            ];
            group(
                tag::SEQUENCE,
                &[
                    integer(3),
                    group(tag::SEQUENCE, &header),
                    octets(group(tag::SEQUENCE, &security)),
                    element(tag::OCTETS, &scoped),
                ],
            )
        };
        // RFC 7860 §4.2.1: over the whole message, with zeros where the digest will be.
        whole(&self.digest(&whole(&[0; DIGEST])))
    }

    fn digest(&self, message: &[u8]) -> [u8; DIGEST] {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.auth_key).expect("any length will do");
        hmac.update(message);
        let mut digest = [0; DIGEST];
        digest.copy_from_slice(&hmac.finalize().into_bytes()[..DIGEST]);
        digest
    }

    /// Reads an answer. The digest of one that claims a proof has to be right.
    fn read(&self, mut answer: Vec<u8>) -> Option<Answer> {
        let fields = fields(&answer)?;
        if fields.flags & AUTHENTIC != 0 {
            let digest = answer.get(fields.digest_at..fields.digest_at + DIGEST)?.to_vec();
            answer[fields.digest_at..fields.digest_at + DIGEST].fill(0);
            let (ours, theirs) = (&self.engine_id, &fields.engine_id);
            assert_eq!(
                digest,
                self.digest(&answer),
                "the digest of an answer is wrong: from {theirs:02x?} for {ours:02x?}: {answer:02x?}"
            );
        }
        let mut scoped = fields.scoped;
        if fields.flags & ENCRYPTED != 0 {
            let iv = iv(fields.boots, fields.time, &fields.salt);
            cfb_mode::Decryptor::<Aes128Enc>::new(&self.priv_key.into(), &iv.into())
                .decrypt(&mut scoped);
        }
        let (tag::SEQUENCE, scoped, _) = ber::next(&scoped)? else { return None };
        let (tag::OCTETS, _, scoped) = ber::next(scoped)? else { return None };
        let (tag::OCTETS, _, pdu) = ber::next(scoped)? else { return None };
        Some(Answer {
            flags: fields.flags,
            boots: fields.boots,
            time: fields.time,
            engine_id: fields.engine_id,
            pdu: pdu.to_vec(),
        })
    }
}

/// The parts of a message that its security needs.
struct Fields {
    flags: u8,
    boots: i64,
    time: i64,
    engine_id: Vec<u8>,
    digest_at: usize,
    salt: Vec<u8>,
    /// The scoped PDU with its tag, or what is encrypted without one.
    scoped: Vec<u8>,
}

fn fields(message: &[u8]) -> Option<Fields> {
    let (tag::SEQUENCE, content, []) = ber::next(message)? else { return None };
    let (tag::INTEGER, [3], rest) = ber::next(content)? else { return None };
    let (_, header, rest) = ber::next(rest)?;
    let (_, _, header) = ber::next(header)?;
    let (_, _, header) = ber::next(header)?;
    let (_, flags, _) = ber::next(header)?;
    let (_, security, data) = ber::next(rest)?;
    let (_, security, _) = ber::next(security)?;
    let (_, engine_id, security) = ber::next(security)?;
    let (_, boots, security) = ber::next(security)?;
    let (_, time, security) = ber::next(security)?;
    let (_, _, security) = ber::next(security)?;
    let (_, digest, security) = ber::next(security)?;
    let (_, salt, _) = ber::next(security)?;
    let flags = *flags.first()?;
    let scoped = if flags & ENCRYPTED == 0 { data } else { ber::next(data)?.1 };
    // Where a part of a message is in it.
    let digest_at = digest.as_ptr().addr() - message.as_ptr().addr();
    Some(Fields {
        flags,
        boots: ber::number(boots),
        time: ber::number(time),
        engine_id: engine_id.to_vec(),
        digest_at,
        salt: salt.to_vec(),
        scoped: scoped.to_vec(),
    })
}

/// RFC 3826 §3.1.2.1.
fn iv(boots: i64, time: i64, salt: &[u8]) -> [u8; 16] {
    let mut iv = [0; 16];
    for (at, number) in [(0, boots), (4, time)] {
        let number = u32::try_from(number).expect("both have 31 bits");
        iv[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    iv[8..].copy_from_slice(salt);
    iv
}

/// A passphrase made a key of one engine (RFC 3414 §2.6, A.2, with SHA-256).
fn localized(passphrase: &str, engine_id: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let long: Vec<u8> = passphrase.bytes().cycle().take(1 << 20).collect();
    hash.update(&long);
    let key = hash.finalize();
    Sha256::new().chain_update(key).chain_update(engine_id).chain_update(key).finalize().into()
}
