//! The module called directly and through a proxy: the contract suite and the vectors of RFC 3414.

#[path = "../../auth-hmac/tests/module/mod.rs"]
mod module;

use hmac::{KeyInit, Mac};
use module::Case;
use roles::auth::AuthParameters;

const CASE: Case = Case {
    component: "auth.md5",
    module: &auth_hmac_md5::S_MODULE,
    direct: &auth_hmac_md5::HmacMd5,
    name: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 2],
    parameters: AuthParameters { key_length: 16, mac_length: 12 },
    key: "9faf3283884e92834ebc9847d8edd963",
    localized: "526f5eed9fcce26f8964c2930787d82b",
    new_localized: "87021d7bd9d101ba05ea6e3bf9d9bd4a",
    change: "8805615141676cc9196174e742a32551",
    judge: |key, message| {
        let hmac = hmac::Hmac::<md5::Md5>::new_from_slice(key).expect("any key will do");
        hmac.chain_update(message).finalize().into_bytes().to_vec()
    },
};

#[test]
fn the_contract_holds() {
    CASE.holds_the_contract();
}

#[test]
fn the_protocol_is_that_of_rfc_3414_section_6() {
    CASE.names_its_protocol();
}

#[test]
fn keys_are_those_of_rfc_3414_section_a_3() {
    CASE.derives_the_keys_of_the_rfc();
}

#[test]
fn key_changes_are_those_of_rfc_3414_section_a_5() {
    CASE.changes_the_keys_of_the_rfc();
}

#[test]
fn codes_are_those_of_the_judge() {
    CASE.signs_like_the_judge();
}

#[test]
fn a_key_of_another_form_is_refused() {
    CASE.refuses_the_keys_of_others();
}
