//! Codes against the vectors of RFC 2202 and RFC 4231, and what is read as a prepared key.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The whole code of a message, from a key of any length, through the form of a prepared key.
fn hmac<H: Hash>(key: &[u8], message: &[u8]) -> String {
    let hashed = H::digest(key);
    let key = if key.len() <= H::BlockSize::USIZE { key } else { &hashed[..] };
    let mut states = Buf::new();
    prepare::<H>(key, &mut states).unwrap();
    hex(&code::<H>(&states, &[message]).unwrap())
}

/// The keys of MD5 and SHA-1, the message, the codes of MD5 and SHA-1.
type Rfc2202<'a> = ([&'a [u8]; 2], &'a [u8], [&'a str; 2]);

#[test]
fn codes_are_those_of_rfc_2202() {
    // §2 and §3.
    let counting: Vec<u8> = (1..=25).collect();
    let cases: [Rfc2202<'_>; 7] = [
        (
            [&[0x0b; 16], &[0x0b; 20]],
            b"Hi There",
            ["9294727a3638bb1c13f48ef8158bfc9d", "b617318655057264e28bc0b6fb378c8ef146be00"],
        ),
        (
            [b"Jefe", b"Jefe"],
            b"what do ya want for nothing?",
            ["750c783e6ab0b503eaa86e310a5db738", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"],
        ),
        (
            [&[0xaa; 16], &[0xaa; 20]],
            &[0xdd; 50],
            ["56be34521d144c88dbb8c733f0e8b3f6", "125d7342b9ac11cd91a39af48aa17b4f63f175d3"],
        ),
        (
            [&counting, &counting],
            &[0xcd; 50],
            ["697eaf0aca3a3aea3a75164746ffaa79", "4c9007f4026250c6bc8414f9bf50c86c2d7235da"],
        ),
        (
            [&[0x0c; 16], &[0x0c; 20]],
            b"Test With Truncation",
            ["56461ef2342edc00f9bab995690efd4c", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"],
        ),
        (
            [&[0xaa; 80], &[0xaa; 80]],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            ["6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd", "aa4ae5e15272d00e95705637ce8a3b55ed402112"],
        ),
        (
            [&[0xaa; 80], &[0xaa; 80]],
            b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
            ["6f630fad67cda0ee1fb1f562db3aa53e", "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"],
        ),
    ];
    for ([key_md5, key_sha1], message, [md5, sha1]) in cases {
        assert_eq!(hmac::<Md5>(key_md5, message), md5);
        assert_eq!(hmac::<Sha1>(key_sha1, message), sha1);
    }
}

#[test]
fn codes_are_those_of_rfc_4231() {
    // §4.2, §4.3, §4.4, §4.5, §4.7 and §4.8; each the SHA-224, SHA-256, SHA-384 and SHA-512 code.
    let long: &[u8] =
        b"This is a test using a larger than block-size key and a larger than block-size data. \
        The key needs to be hashed before being used by the HMAC algorithm.";
    let counting: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], [&str; 4]); 6] = [
        (
            &[0x0b; 20],
            b"Hi There",
            [
                "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
             daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ],
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            [
                "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ],
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            [
                "7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea",
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
                "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39\
             bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
            ],
        ),
        (
            &counting,
            &[0xcd; 50],
            [
                "6c11506874013cac6a2abc1bb382627cec6a90d86efc012de7afec5a",
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
                "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
                "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db\
             a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
            ],
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            [
                "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352\
             6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
            ],
        ),
        (
            &[0xaa; 131],
            long,
            [
                "3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
                "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
                "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944\
             b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
            ],
        ),
    ];
    for (key, message, [sha224, sha256, sha384, sha512]) in cases {
        assert_eq!(hmac::<Sha224>(key, message), sha224);
        assert_eq!(hmac::<Sha256>(key, message), sha256);
        assert_eq!(hmac::<Sha384>(key, message), sha384);
        assert_eq!(hmac::<Sha512>(key, message), sha512);
    }
}

const TWO: Protocols = Protocols {
    mark: b"test 1",
    all: &[Protocol::of::<Md5>(2, 12), Protocol::of::<Sha512>(7, 48)],
};

#[test]
fn a_mark_is_read_only_with_a_protocol_behind_it() {
    assert!(TWO.of_prepared(TWO.mark).is_err());
    assert!(TWO.of_prepared(&[TWO.mark, &[3]].concat()).is_err());
    let key = [TWO.mark, &[7, 9]].concat();
    let (protocol, states) = TWO.of_prepared(&key).unwrap();
    assert_eq!((protocol.number, states), (7, &[9][..]));
}

#[test]
fn parameters_are_those_of_the_hash() {
    let numbers = TWO.all.iter().map(|protocol| protocol.parameters);
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [
            AuthParameters { key_length: 16, mac_length: 12 },
            AuthParameters { key_length: 64, mac_length: 48 }
        ]
    );
}
