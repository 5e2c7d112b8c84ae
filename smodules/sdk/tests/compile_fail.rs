//! Misuse is explained by the compiler: each file says what is wrong, and the message beside it how.
//!
//! `TRYBUILD=overwrite cargo test -p s-sdk --test compile_fail` writes the messages anew; a person reads
//! them before they are kept.

#[test]
fn misuse_is_explained() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
