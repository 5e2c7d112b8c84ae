//! The contract suite of privacy protocols names the sentence that a module breaks.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../priv-aes/tests/hosted/mod.rs"]
mod hosted;

use hosted::Bench;
use priv_des::PrivDes;
use roles::contract::privacy::suite;
use roles::privacy::{EngineTime, PrivProtocol, PrivacyError, PrivacyErrorKind, PrivacyParameters};
use s_sdk::{Activity, Buf, List};

/// The module with one sentence of the contract broken.
struct Faulty {
    module: PrivDes,
    sentence: u32,
}

impl PrivProtocol for Faulty {
    fn protocol(
        &self,
        act: &Activity,
        position: u32,
        name: &mut List<u32>,
    ) -> Result<PrivacyParameters, PrivacyError> {
        // One protocol in every place.
        let position = if self.sentence == 1 { 0 } else { position };
        self.module.protocol(act, position, name)
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
        if self.sentence == 6 {
            let again = PrivDes::starting_at(5);
            return again.encrypt(act, protocol, key, clock, plain, cipher, salt);
        }
        let made = self.module.encrypt(act, protocol, key, clock, plain, cipher, salt);
        if self.sentence == 4 {
            salt.append(&[0])?;
        }
        self.forgiven(made)
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
        let at = plain.len();
        let made = self.module.decrypt(act, protocol, key, clock, salt, cipher, plain);
        if let (5, Some(first)) = (self.sentence, plain.get_mut(at)) {
            *first ^= 1;
        }
        self.forgiven(made)
    }
}

impl Faulty {
    /// Does not tell what the broken sentence says is to be told.
    fn forgiven(&self, made: Result<(), PrivacyError>) -> Result<(), PrivacyError> {
        let untold = match self.sentence {
            2 => PrivacyErrorKind::UnknownProtocol,
            3 => PrivacyErrorKind::WrongKeyLength,
            7 => PrivacyErrorKind::DecryptionError,
            _ => return made,
        };
        made.or_else(|error| if error.kind == untold { Ok(()) } else { Err(error) })
    }
}

#[test]
fn the_suite_names_the_sentence_that_a_module_breaks() {
    let bench = Bench::serving("priv.des", &priv_des::S_MODULE);
    let mut worker = bench.runtime.worker();
    let faulty = |sentence| Faulty { module: PrivDes::starting_at(1), sentence };
    assert_eq!(suite(&faulty(0), &worker.activity()), Ok(()));
    for sentence in 1..=7 {
        let broken = suite(&faulty(sentence), &worker.activity()).unwrap_err();
        assert_eq!(broken.sentence, sentence, "{broken}");
    }
}
