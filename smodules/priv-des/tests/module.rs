//! The module called directly and through a proxy: the contract suite, the vectors of FIPS 81, what net-snmp
//! and OpenSSL answer, and salts across swaps until there are none left.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../priv-aes/tests/hosted/mod.rs"]
mod hosted;

use hosted::{Bench, CLOCK, are_distinct, are_one_run, decrypted, encrypted, octets};
use priv_des::{PrivDes, Salts};
use roles::contract::privacy::{protocols, suite};
use roles::privacy::{
    EngineTime, KeyExtension, PrivProtocol, PrivacyError, PrivacyErrorKind, PrivacyParameters,
};
use s_sdk::{Activity, Buf, CarriesState, List, Module};

const DES: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 2];
const KEY: &[u8] = b"DES key pre-IV..";

fn both_ways(test: impl Fn(&dyn PrivProtocol, &Activity)) {
    let bench = Bench::serving("priv.des", &priv_des::S_MODULE);
    let mut worker = bench.runtime.worker();
    test(&PrivDes::starting_at(u32::MAX - 3), &worker.activity());
    test(&bench.proxy(), &worker.activity());
}

/// Runs a test on modules that nobody hosts.
fn directly(test: impl FnOnce(&Activity)) {
    let bench = Bench::serving("priv.des", &priv_des::S_MODULE);
    test(&bench.runtime.worker().activity());
}

fn salt(module: &PrivDes, act: &Activity) -> Result<Vec<u8>, PrivacyError> {
    encrypted(module, act, DES, KEY, b"text").map(|(_, salt)| salt)
}

#[test]
fn the_contract_holds() {
    both_ways(|privacy, act| suite(privacy, act).unwrap());
}

#[test]
fn the_protocol_is_that_of_rfc_3414_section_8() {
    let extension = KeyExtension::None;
    let parameters =
        PrivacyParameters { key_length: 16, salt_length: 8, block_length: 8, extension };
    both_ways(|privacy, act| {
        assert_eq!(protocols(privacy, act).unwrap(), [(DES.to_vec(), parameters)]);
    });
}

#[test]
fn ciphertexts_are_those_of_fips_81_net_snmp_and_openssl() {
    let cases = [
        // FIPS 81 table C1: this key, and the initialization vector 12 34 56 78 90 ab cd ef, which is the
        // pre-IV with the salt 00 00 00 07 ff ff ff ff.
        (
            "0123456789abcdef1234567f6f543210",
            7,
            u32::MAX,
            "4e6f77206973207468652074696d6520666f7220616c6c20",
            "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6",
        ),
        // net-snmp 5.9.3 (sc_encrypt) and OpenSSL 3.0: the same but for the padding of the last block, which
        // does not matter; with a padding of zeros it is what OpenSSL answers.
        (
            "101112131415161718191a1b1c1d1e1f",
            0x0000_0102,
            0xe5f6_0718,
            "302d030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dce3eaf1f8ff060d141b22293037",
            "92b68f710a114f68b00adfcc8e44dc94e84186c5635f1ecf94b38fb13a64477d26e3f1c03cf0d3cf2d278cb245d1d8ac",
        ),
    ];
    for (key, boots, integer, plain, cipher) in cases {
        let (key, plain, cipher) = (octets(key), octets(plain), octets(cipher));
        let clock = EngineTime { boots, time_seconds: 1 };
        let expected_salt = [boots.to_be_bytes(), integer.to_be_bytes()].concat();
        both_ways(|privacy, act| {
            let (mut made, mut salt) = (Buf::new(), Buf::new());
            PrivDes::starting_at(integer)
                .encrypt(act, DES, &key, clock, &plain, &mut made, &mut salt)
                .unwrap();
            assert_eq!((&made[..], &salt[..]), (&cipher[..], &expected_salt[..]));
            let read = decrypted(privacy, act, DES, &key, clock, (&cipher, &expected_salt));
            assert!(read.starts_with(&plain) && read.len() < plain.len() + 8);
        });
    }
}

#[test]
fn what_net_snmp_padded_is_read() {
    let cipher = "92b68f710a114f68b00adfcc8e44dc94e84186c5635f1ecf94b38fb13a64477d26e3f1c03cf0d3cfcfa8fd592217c973";
    let plain = "302d030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dce3eaf1f8ff060d141b22293037";
    both_ways(|privacy, act| {
        let (key, cipher) = (octets("101112131415161718191a1b1c1d1e1f"), octets(cipher));
        let salt = octets("00000102e5f60718");
        let read = decrypted(privacy, act, DES, &key, CLOCK, (&cipher, &salt));
        assert_eq!(read[..47], octets(plain));
    });
}

#[test]
fn the_last_bit_of_each_octet_of_the_key_is_left_out_and_no_key_is_too_weak() {
    both_ways(|privacy, act| {
        let other_parity: Vec<u8> = KEY[..8].iter().map(|octet| octet ^ 1).collect();
        let other = [&other_parity, &KEY[8..]].concat();
        let (cipher, salt) = encrypted(privacy, act, DES, KEY, b"a whole block...").unwrap();
        let read = decrypted(privacy, act, DES, &other, CLOCK, (&cipher, &salt));
        assert_eq!(read, b"a whole block...");
        // One of the four keys with which DES undoes itself.
        let (cipher, salt) = encrypted(privacy, act, DES, &[1; 16], b"a whole block...").unwrap();
        let read = decrypted(privacy, act, DES, &[1; 16], CLOCK, (&cipher, &salt));
        assert_eq!(read, b"a whole block...");
    });
}

#[test]
fn a_salt_is_the_boots_and_a_local_integer_that_counts_around_its_end() {
    directly(|act| {
        let module = PrivDes::starting_at(u32::MAX);
        assert_eq!(salt(&module, act).unwrap(), [0, 0, 0, 5, 255, 255, 255, 255]);
        assert_eq!(salt(&module, act).unwrap(), [0, 0, 0, 5, 0, 0, 0, 0]);
    });
}

#[test]
fn after_the_last_salt_nothing_is_encrypted_and_all_is_decrypted() {
    directly(|act| {
        let module = PrivDes::starting_at(0);
        module.import(Salts { first: 9, used: u32::MAX.into() }).unwrap();
        let (cipher, last) = encrypted(&module, act, DES, KEY, b"text").unwrap();
        assert_eq!(last, [0, 0, 0, 5, 0, 0, 0, 8]);
        let exhausted = Err(PrivacyErrorKind::EncryptionError.into());
        assert_eq!(salt(&module, act), exhausted);
        // Neither a swap nor coming back makes new ones, and the rehearsal does not need any.
        let next = PrivDes::starting_at(77);
        next.import(module.export()).unwrap();
        next.restart();
        next.restart();
        assert_eq!(salt(&next, act), exhausted);
        next.self_test(act).unwrap();
        let read = decrypted(&next, act, DES, KEY, CLOCK, (&cipher, &last));
        assert!(read.starts_with(b"text"));
    });
}

#[test]
fn what_does_not_fit_costs_no_salt() {
    directly(|act| {
        let module = PrivDes::starting_at(0);
        let mut full = Buf::bounded(0);
        let refused =
            module.encrypt(act, DES, KEY, CLOCK, b"text", &mut full, &mut Buf::new()).unwrap_err();
        assert_eq!(refused.kind, PrivacyErrorKind::Call);
        assert_eq!(module.export().used, 0);
    });
}

#[test]
fn no_salt_comes_again_or_is_lost_while_modules_are_swapped_under_their_callers() {
    let bench = Bench::serving("priv.des", &priv_des::S_MODULE);
    let salts = bench.salts_under_swaps(DES, KEY);
    assert!(salts.len() >= 300 && are_one_run(&salts, u32::MAX.into()));
}

#[test]
fn a_module_that_comes_back_without_the_state_of_its_successor_leaves_its_salts_out() {
    directly(|act| {
        let (before, after) = (PrivDes::starting_at(100), PrivDes::starting_at(7));
        let mut salts = Vec::new();
        let mut use_some = |module: &PrivDes| {
            salts.extend(std::iter::repeat_with(|| salt(module, act).unwrap()).take(50));
        };
        before.restart();
        use_some(&before);
        after.import(before.export()).unwrap();
        after.restart();
        use_some(&after);
        before.restart();
        use_some(&before);
        assert!(are_distinct(&salts));
        // With its state it counts on without a gap.
        let used = before.export().used;
        after.import(before.export()).unwrap();
        after.restart();
        assert_eq!(after.export().used, used);
    });
}

#[test]
fn encrypting_and_decrypting_into_reused_buffers_takes_no_memory() {
    let bench = Bench::serving("priv.des", &priv_des::S_MODULE);
    let (privacy, mut worker) = (bench.proxy(), bench.runtime.worker());
    let act = worker.activity();
    // A bounded list cannot grow: that the calls succeed is the proof.
    let (mut cipher, mut salt, mut plain) = (Buf::bounded(488), Buf::bounded(8), Buf::bounded(488));
    for _ in 0..100 {
        cipher.clear();
        salt.clear();
        plain.clear();
        privacy.encrypt(&act, DES, KEY, CLOCK, &[7; 484], &mut cipher, &mut salt).unwrap();
        privacy.decrypt(&act, DES, KEY, CLOCK, &salt, &cipher, &mut plain).unwrap();
    }
    assert_eq!(plain[..484], [7; 484]);
}

/// The module with one sentence of the contract broken.
struct Faulty(u32, PrivDes);

impl PrivProtocol for Faulty {
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<PrivacyParameters, PrivacyError> {
        self.1.protocol(act, if self.0 == 1 { 0 } else { position }, name)
    }

    fn encrypt(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        clock: EngineTime,
        plain: &[u8],
        cipher: &mut Buf,
        salt: &mut Buf,
    ) -> Result<(), PrivacyError> {
        let protocol = if self.0 == 2 { DES } else { protocol };
        let key = if self.0 == 3 { &key[..key.len().min(16)] } else { key };
        if self.0 == 6 {
            return PrivDes::starting_at(0).encrypt(act, protocol, key, clock, plain, cipher, salt);
        }
        self.1.encrypt(act, protocol, key, clock, plain, cipher, salt)?;
        if self.0 == 4 {
            salt.truncate(salt.len() - 1);
        }
        Ok(())
    }

    fn decrypt(
        &self,
        act: &Activity,
        protocol: &[u32],
        key: &[u8],
        clock: EngineTime,
        salt: &[u8],
        cipher: &[u8],
        plain: &mut Buf,
    ) -> Result<(), PrivacyError> {
        let salt = if self.0 == 5 { &[0; 8] } else { salt };
        let whole = cipher.len() - if self.0 == 7 { cipher.len() % 8 } else { 0 };
        self.1.decrypt(act, protocol, key, clock, salt, &cipher[..whole], plain)
    }
}

#[test]
fn the_suite_names_the_sentence_that_a_module_breaks() {
    directly(|act| {
        for sentence in 1..=7 {
            let broken = suite(&Faulty(sentence, PrivDes::starting_at(0)), act).unwrap_err();
            assert_eq!(broken.sentence, sentence, "{broken}");
        }
        assert_eq!(suite(&Faulty(0, PrivDes::starting_at(0)), act), Ok(()));
    });
}
