//! Keys that are too short, extended as a security model does it: with nothing but the methods of the
//! authentication module, as [`KeyExtension`] says. The expected keys are those of net-snmp 5.9.3
//! (generate_Ku, generate_kul, netsnmp_extend_kul).

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

mod hosted;

use auth_hmac_md5::HmacMd5;
use auth_hmac_sha1::HmacSha1;
use auth_hmac_sha2::HmacSha2;
use hosted::{Bench, CLOCK, decrypted, encrypted, octets};
use roles::auth::AuthProtocol;
use roles::privacy::KeyExtension::{self, Blumenthal, Reeder};
use s_sdk::{Activity, Buf};

const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04engine";

fn key_of(
    auth: &dyn AuthProtocol,
    act: &Activity,
    protocol: &[u32],
    password: &[u8],
    length: usize,
    extension: KeyExtension,
) -> Vec<u8> {
    let localized = |password: &[u8]| {
        let (mut key, mut localized) = (Buf::new(), Buf::new());
        auth.password_to_key(act, protocol, password, &mut key).unwrap();
        auth.localize_key(act, protocol, &key, ENGINE, &mut localized).unwrap();
        localized.to_vec()
    };
    let mut key = localized(password);
    let mut last = key.clone();
    while key.len() < length {
        last = match extension {
            Blumenthal => {
                let mut hash = Buf::new();
                auth.digest(act, protocol, &key, &mut hash).unwrap();
                hash.to_vec()
            }
            Reeder => localized(&last),
            KeyExtension::None => panic!("the key is too short"),
        };
        key.extend(&last);
    }
    key.truncate(length);
    key
}

#[test]
fn extended_keys_are_those_of_net_snmp() {
    let bench = Bench::serving("priv.aes", &priv_aes::S_MODULE);
    let (privacy, mut worker) = (bench.proxy(), bench.runtime.worker());
    let act = worker.activity();
    let modules: [(u32, &dyn AuthProtocol, [&str; 2]); 5] = [
        (
            2,
            &HmacMd5,
            [
                "54657420d39350595f6def4329e9181aa85f33452152e4cfcab6eba1a41b7a57",
                "54657420d39350595f6def4329e9181a53da86abe1463543dce6417291a465c6",
            ],
        ),
        (
            3,
            &HmacSha1,
            [
                "7baec2d4a5bbf20ae055af16ccd3cf4db1a4c459845a78ddbf426ec777eb0b24",
                "7baec2d4a5bbf20ae055af16ccd3cf4db1a4c459d19e16447e9e6cfa07db4247",
            ],
        ),
        (
            4,
            &HmacSha2,
            [
                "93c4e81ccfed8b0206576880b82299ecac1651f416b5043155babd275c7c0676",
                "93c4e81ccfed8b0206576880b82299ecac1651f416b5043155babd275f674320",
            ],
        ),
        // Long enough: both names have the same key.
        (5, &HmacSha2, ["4eb792bcd585f3d4256869ca957964d40d4451320fbb123ed7f74de335cd5580"; 2]),
        (7, &HmacSha2, ["17b604667fa9caaa4a218509ab2811f5122750a5b11cdba3ff65a08dd0f2bd90"; 2]),
    ];
    for (number, auth, keys) in modules {
        let auth_name = [1, 3, 6, 1, 6, 3, 10, 1, 1, number];
        for (extension, expected, names) in [
            (
                Blumenthal,
                keys[0],
                [&[1, 3, 6, 1, 4, 1, 14832, 1, 3][..], &[1, 3, 6, 1, 4, 1, 14832, 1, 4]],
            ),
            (
                Reeder,
                keys[1],
                [&[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 1][..], &[1, 3, 6, 1, 4, 1, 9, 12, 6, 1, 2]],
            ),
        ] {
            for (length, name) in [24, 32].into_iter().zip(names) {
                let key = key_of(auth, &act, &auth_name, b"maplesyrup", length, extension);
                // A shorter key is the beginning of a longer one.
                assert_eq!(key, octets(&expected[..2 * length]), "{auth_name:?} {extension:?}");
                let (cipher, salt) = encrypted(&privacy, &act, name, &key, b"scopedPDU").unwrap();
                let plain = decrypted(&privacy, &act, name, &key, CLOCK, (&cipher, &salt));
                assert_eq!(plain, b"scopedPDU");
            }
        }
    }
}
