//! A host for tests of privacy modules: a component without a swap manager, and swaps as it leads them.

#![allow(dead_code, reason = "each of the tests that include this file uses a part of it")]

use roles::privacy::{EngineTime, PrivProtocol, PrivProtocolProxy, PrivacyError};
use s_proxy::gate::Fence;
use s_proxy::{Code, Component, Runtime, Surroundings, SwapControl};
use s_sdk::abi::ModuleDescriptor;
use s_sdk::{Activity, Buf};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CLOCK: EngineTime = EngineTime { boots: 5, time_seconds: 99 };

struct Nothing;

impl Surroundings for Nothing {}

/// A component that serves a statically linked module.
pub(crate) struct Bench {
    pub(crate) runtime: &'static Runtime,
    control: SwapControl,
    component: &'static Component,
    module: &'static ModuleDescriptor,
}

impl Bench {
    pub(crate) fn serving(name: &str, module: &'static ModuleDescriptor) -> Bench {
        let (runtime, control) = Runtime::start(Arc::new(Nothing), Fence::Everywhere);
        let component = runtime.add_component(name).unwrap();
        let body = control.create(component, Code::linked(module)).unwrap();
        body.instance().restart().unwrap();
        let group = control.bind(&[(component, Some(body))]);
        control.take(soon()).unwrap().flip_open(group);
        Bench { runtime, control, component, module }
    }

    pub(crate) fn proxy(&self) -> PrivProtocolProxy {
        self.runtime.proxy(self.component.name()).unwrap()
    }

    /// A swap to a new instance of the module: HOLD, the state moves, RESTART.
    pub(crate) fn swap(&self) {
        let next = self.control.create(self.component, Code::linked(self.module)).unwrap();
        let before = self.component.current().body().cloned().unwrap();
        let group = self.control.bind(&[(self.component, Some(next.clone()))]);
        let (closed, drain) = self.control.close(&group, soon(), Duration::ZERO).unwrap();
        drain.wait(soon(), || true).unwrap();
        before.instance().hold().unwrap();
        let state = before.instance().export_state(1).unwrap();
        next.instance().import_state(1, &state).unwrap();
        let flipped = closed.flip(group, true);
        next.instance().restart().unwrap();
        closed.open();
        self.control.pass(flipped.epoch, soon()).unwrap();
    }

    /// All salts that some threads get while swaps go on under them.
    pub(crate) fn salts_under_swaps(&self, protocol: &[u32], key: &[u8]) -> Vec<Vec<u8>> {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let (proxy, mut worker) = (self.proxy(), self.runtime.worker());
                        let mut salts = Vec::new();
                        while !stop.load(Ordering::Relaxed) || salts.len() < 100 {
                            let act = worker.activity();
                            salts.push(encrypted(&proxy, &act, protocol, key, b"text").unwrap().1);
                        }
                        salts
                    })
                })
                .collect();
            (0..20).for_each(|_| self.swap());
            stop.store(true, Ordering::Relaxed);
            callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
        })
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// The ciphertext and the salt.
pub(crate) fn encrypted(
    privacy: &dyn PrivProtocol,
    act: &Activity,
    protocol: &[u32],
    key: &[u8],
    plain: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), PrivacyError> {
    let (mut cipher, mut salt) = (Buf::new(), Buf::new());
    privacy.encrypt(act, protocol, key, CLOCK, plain, &mut cipher, &mut salt)?;
    Ok((cipher.to_vec(), salt.to_vec()))
}

pub(crate) fn decrypted(
    privacy: &dyn PrivProtocol,
    act: &Activity,
    protocol: &[u32],
    key: &[u8],
    clock: EngineTime,
    (cipher, salt): (&[u8], &[u8]),
) -> Vec<u8> {
    let mut plain = Buf::new();
    privacy.decrypt(act, protocol, key, clock, salt, cipher, &mut plain).unwrap();
    plain.to_vec()
}

pub(crate) fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn are_distinct(salts: &[Vec<u8>]) -> bool {
    salts.iter().collect::<BTreeSet<_>>().len() == salts.len()
}

/// Whether salts are distinct and without a gap, in the bits that count.
pub(crate) fn are_one_run(salts: &[Vec<u8>], bits: u64) -> bool {
    let number = |salt: &Vec<u8>| u64::from_be_bytes(salt[..].try_into().unwrap()) & bits;
    let numbers: BTreeSet<u64> = salts.iter().map(number).collect();
    let begins = |number: &&u64| !numbers.contains(&(number.wrapping_sub(1) & bits));
    are_distinct(salts) && numbers.iter().filter(begins).count() == 1
}
