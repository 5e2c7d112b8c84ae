//! The module called directly and through a proxy: the contract suite, the vectors of NIST, what net-snmp
//! and OpenSSL answer, and salts across swaps.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod hosted;

use hosted::{Bench, CLOCK, are_distinct, are_one_run, decrypted, encrypted, octets};
use priv_aes::PrivAes;
use roles::contract::privacy::{protocols, suite};
use roles::privacy::{EngineTime, KeyExtension, PrivProtocol, PrivacyParameters};
use s_sdk::{Activity, Buf, CarriesState, Module};

const AES_128: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 1, 2, 4];
const AES_192: &[u32] = &[1, 3, 6, 1, 4, 1, 14832, 1, 3];
const AES_256: &[u32] = &[1, 3, 6, 1, 4, 1, 14832, 1, 4];
const AES_192_C: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 1];
const AES_256_C: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 2];

fn both_ways(test: impl Fn(&dyn PrivProtocol, &Activity)) {
    let bench = Bench::serving("priv.aes", &priv_aes::S_MODULE);
    let mut worker = bench.runtime.worker();
    test(&PrivAes::starting_at(u64::MAX - 3), &worker.activity());
    test(&bench.proxy(), &worker.activity());
}

#[test]
fn the_contract_holds() {
    both_ways(|privacy, act| suite(privacy, act).unwrap());
}

#[test]
fn protocols_are_those_of_rfc_3826_and_of_net_snmp() {
    let expected = [
        (AES_128, 16, KeyExtension::None),
        (AES_192, 24, KeyExtension::Blumenthal),
        (AES_256, 32, KeyExtension::Blumenthal),
        (AES_192_C, 24, KeyExtension::Reeder),
        (AES_256_C, 32, KeyExtension::Reeder),
    ]
    .map(|(name, key_length, extension)| {
        let parameters =
            PrivacyParameters { key_length, salt_length: 8, block_length: 1, extension };
        (name.to_vec(), parameters)
    });
    both_ways(|privacy, act| assert_eq!(protocols(privacy, act).unwrap(), expected));
}

/// Encrypts with a module whose next salt is chosen; decrypts what is expected both ways.
fn is_encrypted_as(
    protocols: &[&[u32]],
    key: &str,
    clock: EngineTime,
    salt: u64,
    plain: &str,
    cipher: &str,
) {
    let (key, plain, cipher) = (octets(key), octets(plain), octets(cipher));
    both_ways(|privacy, act| {
        for protocol in protocols {
            let (mut made, mut made_salt) = (Buf::new(), Buf::new());
            PrivAes::starting_at(salt)
                .encrypt(act, protocol, &key, clock, &plain, &mut made, &mut made_salt)
                .unwrap();
            assert_eq!((&made[..], &made_salt[..]), (&cipher[..], &salt.to_be_bytes()[..]));
            let message = (&cipher[..], &salt.to_be_bytes()[..]);
            assert_eq!(decrypted(privacy, act, protocol, &key, clock, message), plain);
        }
    });
}

#[test]
fn ciphertexts_are_those_of_nist() {
    // SP 800-38A §F.3.13, §F.3.15 and §F.3.17 (CFB128). The initialization vector of all, 00 01 … 0f, is what
    // RFC 3826 §3.1.2.1 makes of this clock and this salt.
    let clock = EngineTime { boots: 0x0001_0203, time_seconds: 0x0405_0607 };
    let salt = 0x0809_0a0b_0c0d_0e0f;
    let plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                 30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    for (protocols, key, cipher) in [
        (
            &[AES_128][..],
            "2b7e151628aed2a6abf7158809cf4f3c",
            "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b\
             26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6",
        ),
        (
            &[AES_192, AES_192_C],
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a\
             2e1e8a1dd59b88b1c8e60fed1efac4c9c05f9f9ca9834fa042ae8fba584b09ff",
        ),
        (
            &[AES_256, AES_256_C],
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b\
             df10132415e54b92a13ed0a8267ae2f975a385741ab9cef82031623d55b1e471",
        ),
    ] {
        is_encrypted_as(protocols, key, clock, salt, plain, cipher);
    }
}

#[test]
fn ciphertexts_are_those_of_net_snmp_and_openssl() {
    // Both answered the same: net-snmp 5.9.3 (sc_encrypt) and OpenSSL 3.0. The text ends within a block.
    let clock = EngineTime { boots: 0x0000_0102, time_seconds: 0x0003_0405 };
    let salt = 0xa1b2_c3d4_e5f6_0718;
    let plain = "302d030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ce\
                 d5dce3eaf1f8ff060d141b22293037";
    for (protocols, key, cipher) in [
        (
            &[AES_128][..],
            "101112131415161718191a1b1c1d1e1f",
            "1f6227582dc5149040aeb1bbe3411adacccc8cb83ff94a87205a153164eac7c8\
             74a0bd45c58cfbdeae308e48b2aa78",
        ),
        (
            &[AES_192, AES_192_C],
            "101112131415161718191a1b1c1d1e1f2021222324252627",
            "e56a8566ac60007b57eb15eb3d87c46cd3d27aab7c4f0fa34ee7998e2ff148bb\
             f644cbf04a8b743f0597b81c2ff5be",
        ),
        (
            &[AES_256, AES_256_C],
            "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f",
            "1ef03575e1d8bdeb9c2038102964313aad3407348cf5065b45a6399aedfe971e\
             49aa73493ea343e19fdc1ef2973d6e",
        ),
    ] {
        is_encrypted_as(protocols, key, clock, salt, plain, cipher);
    }
}

#[test]
fn the_clock_takes_part() {
    both_ways(|privacy, act| {
        let (key, plain) = ([9; 16], b"a text of more than one block".as_slice());
        let (cipher, salt) = encrypted(privacy, act, AES_128, &key, plain).unwrap();
        let read = |clock| decrypted(privacy, act, AES_128, &key, clock, (&cipher, &salt));
        assert_eq!(read(CLOCK), plain);
        assert_ne!(read(EngineTime { boots: CLOCK.boots + 1, ..CLOCK }), plain);
        assert_ne!(read(EngineTime { time_seconds: CLOCK.time_seconds + 1, ..CLOCK }), plain);
    });
}

#[test]
fn no_salt_comes_again_or_is_lost_while_modules_are_swapped_under_their_callers() {
    let bench = Bench::serving("priv.aes", &priv_aes::S_MODULE);
    let salts = bench.salts_under_swaps(AES_128, &[1; 16]);
    assert!(salts.len() >= 300 && are_one_run(&salts, u64::MAX));
}

#[test]
fn salts_count_on_from_the_state_and_around_the_end() {
    let bench = Bench::serving("priv.aes", &priv_aes::S_MODULE);
    let mut worker = bench.runtime.worker();
    let act = worker.activity();
    let (before, after) = (PrivAes::starting_at(u64::MAX), PrivAes::starting_at(7));
    let salt = |module: &PrivAes| {
        let salt = encrypted(module, &act, AES_128, &[1; 16], b"text").unwrap().1;
        u64::from_be_bytes(salt.try_into().unwrap())
    };
    assert_eq!((salt(&before), salt(&before)), (u64::MAX, 0));
    after.import(before.export()).unwrap();
    after.restart();
    assert_eq!(salt(&after), 1);
}

#[test]
fn a_module_that_comes_back_without_the_state_of_its_successor_leaves_its_salts_out() {
    let bench = Bench::serving("priv.aes", &priv_aes::S_MODULE);
    let mut worker = bench.runtime.worker();
    let act = worker.activity();
    let (before, after) = (PrivAes::starting_at(100), PrivAes::starting_at(7));
    let mut salts = Vec::new();
    let mut use_some = |module: &PrivAes| {
        let salt = || encrypted(module, &act, AES_128, &[1; 16], b"text").unwrap().1;
        salts.extend(std::iter::repeat_with(salt).take(50));
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
    let next = before.export().next;
    after.import(before.export()).unwrap();
    after.restart();
    assert_eq!(after.export().next, next);
}

#[test]
fn two_instances_do_not_start_with_one_salt() {
    let first = || {
        let bench = Bench::serving("priv.aes", &priv_aes::S_MODULE);
        let mut worker = bench.runtime.worker();
        encrypted(&bench.proxy(), &worker.activity(), AES_128, &[1; 16], b"text").unwrap().1
    };
    assert_ne!(first(), first());
}

#[test]
fn encrypting_and_decrypting_into_reused_buffers_takes_no_memory() {
    let bench = Bench::serving("priv.aes", &priv_aes::S_MODULE);
    let (privacy, mut worker) = (bench.proxy(), bench.runtime.worker());
    let act = worker.activity();
    // A bounded list cannot grow: that the calls succeed is the proof.
    let (mut cipher, mut salt, mut plain) = (Buf::bounded(484), Buf::bounded(8), Buf::bounded(484));
    for _ in 0..100 {
        cipher.clear();
        salt.clear();
        plain.clear();
        privacy.encrypt(&act, AES_256, &[3; 32], CLOCK, &[7; 484], &mut cipher, &mut salt).unwrap();
        privacy.decrypt(&act, AES_256, &[3; 32], CLOCK, &salt, &cipher, &mut plain).unwrap();
    }
    assert_eq!(plain[..], [7; 484]);
}
