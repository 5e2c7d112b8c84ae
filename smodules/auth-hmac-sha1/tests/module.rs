//! The module called directly and through a proxy: the contract suite and the vectors of RFC 3414.

#[path = "../../auth-hmac/tests/module/mod.rs"]
mod module;

use hmac::{KeyInit, Mac};
use module::Case;
use roles::auth::AuthParameters;

const CASE: Case = Case {
    component: "auth.sha1",
    module: &auth_hmac_sha1::S_MODULE,
    direct: &auth_hmac_sha1::HmacSha1,
    name: &[1, 3, 6, 1, 6, 3, 10, 1, 1, 3],
    parameters: AuthParameters { key_length: 20, mac_length: 12 },
    key: "9fb5cc0381497b3793528939ff788d5d79145211",
    localized: "6695febc9288e36282235fc7151f128497b38f3f",
    new_localized: "78e2dcce79d59403b58c1bbaa5bff46391f1cd25",
    change: "9c1017f4fd483d2de8d5fadbf84392cb06457051",
    judge: |key, message| {
        let hmac = hmac::Hmac::<sha1::Sha1>::new_from_slice(key).expect("any key will do");
        hmac.chain_update(message).finalize().into_bytes().to_vec()
    },
};

#[test]
fn the_contract_holds() {
    CASE.holds_the_contract();
}

#[test]
fn the_protocol_is_that_of_rfc_3414_section_7() {
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
