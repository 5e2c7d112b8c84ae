//! The contract suites of the component `engine`: what it tells of itself and of the others, and its way out.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../smodules/sdk/tests/hosted/mod.rs"]
mod hosted;

use roles::components::{ComponentEntry, Components, ComponentsProxy};
use roles::contract::engine::{components_suite, suite};
use roles::contract::notify::{Reachable, transport_suite};
use roles::engine::{Engine, EngineProxy};
use roles::notify::{Transport, TransportProxy, UDP_DOMAIN};
use roles::privacy::EngineTime;
use roles::varbind::{VarBinds, VarValue};
use s_engine::facts::{S_MODULE, Serving};
use s_engine::{Facts, Identity, Outlet};
use s_proxy::Runtime;
use s_sdk::{Activity, Buf, CallError, List};
use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

const THERE: &[u8] = &[192, 0, 2, 7, 0, 162];

/// Sends to one address, and says what it sent.
struct OneAddress(Sender<Vec<u8>>);

impl Outlet for OneAddress {
    fn send(&self, domain: &[u32], address: &[u8], message: &[u8]) -> bool {
        (domain, address) == (UDP_DOMAIN, THERE) && self.0.send(message.to_vec()).is_ok()
    }

    fn source_of(&self, domain: &[u32], address: &[u8]) -> Vec<u8> {
        let known = (domain, address) == (UDP_DOMAIN, THERE);
        if known { vec![192, 0, 2, 1] } else { Vec::new() }
    }
}

/// An engine with resources and components, and what leaves it.
fn served() -> (&'static Runtime, Receiver<Vec<u8>>) {
    let start = Instant::now();
    let facts = Facts::new(Identity {
        engine_id: b"\x80\x00\x1f\x88\x04test".to_vec(),
        boots: 3,
        max_message_size: 65507,
        clock: Box::new(move || start.elapsed()),
    });
    let (runtime, control) = hosted::host();
    let component = facts.while_starting(|| hosted::serve(&control, "engine", &S_MODULE));
    let mut resources = VarBinds::new();
    resources.push(&[1, 3, 6, 1, 6, 3, 1], VarValue::Octets(b"one")).unwrap();
    facts.set_resources(resources);
    runtime.add_component("mib.none").unwrap();
    let components = [component, runtime.component("mib.none").unwrap()];
    facts.set_components(components.map(Serving::of).into());
    let (sent, received) = channel();
    facts.set_outlet(Box::new(OneAddress(sent)));
    (runtime, received)
}

/// The engine with one sentence of a contract broken.
struct Faulty {
    runtime: &'static Runtime,
    fault: u32,
    calls: Cell<u32>,
}

impl Faulty {
    fn of(fault: u32) -> (Self, Receiver<Vec<u8>>) {
        let (runtime, received) = served();
        (Faulty { runtime, fault, calls: Cell::new(0) }, received)
    }

    fn engine(&self) -> EngineProxy {
        self.runtime.proxy("engine").unwrap()
    }

    fn transport(&self) -> TransportProxy {
        self.runtime.proxy("engine").unwrap()
    }

    fn call(&self) -> u32 {
        self.calls.set(self.calls.get() + 1);
        self.calls.get()
    }
}

impl Engine for Faulty {
    fn engine_id(&self, act: &Activity, engine_id: &mut Buf) -> Result<(), CallError> {
        match self.fault {
            1 => Ok(engine_id.append(&[0x80, 0, 0, 0, self.call().to_be_bytes()[3]])?),
            10 => Ok(engine_id.append(b"four")?),
            _ => self.engine().engine_id(act, engine_id),
        }
    }
    fn clock(&self, act: &Activity) -> Result<EngineTime, CallError> {
        match self.fault {
            2 => Ok(EngineTime { boots: 3, time_seconds: 1000 - self.call() }),
            20 => Ok(EngineTime { boots: 0x8000_0000, time_seconds: 0 }),
            _ => self.engine().clock(act),
        }
    }
    fn max_message_size(&self, act: &Activity) -> Result<u32, CallError> {
        self.engine().max_message_size(act)
    }
    fn up_time(&self, act: &Activity) -> Result<u32, CallError> {
        self.engine().up_time(act)
    }
    fn counters(&self, act: &Activity, values: &mut List<u32>) -> Result<(), CallError> {
        self.engine().counters(act, values)?;
        if self.fault == 3 {
            values.push(0)?;
        }
        Ok(())
    }
    fn sys_or_entries(
        &self,
        act: &Activity,
        entries: &mut VarBinds,
        up_times: &mut List<u32>,
    ) -> Result<(), CallError> {
        if self.fault == 4 {
            up_times.push(0)?;
        }
        self.engine().sys_or_entries(act, entries, up_times)
    }
    fn sys_or_last_change(&self, act: &Activity) -> Result<u32, CallError> {
        if self.fault == 40 { Ok(u32::MAX) } else { self.engine().sys_or_last_change(act) }
    }
}

impl Components for Faulty {
    fn components(
        &self,
        act: &Activity,
        entries: &mut List<ComponentEntry>,
        texts: &mut Buf,
    ) -> Result<(), CallError> {
        let (module, at) =
            (self.runtime.proxy::<ComponentsProxy>("engine").unwrap(), entries.len());
        module.components(act, entries, texts)?;
        match self.fault {
            1 => module.components(act, entries, texts)?,
            10 => entries[at].version.len = u32::MAX,
            2 => entries[at].number = 0,
            20 => entries[at].number = 100 + self.call(),
            3 => entries[at].since = u32::MAX,
            _ => {}
        }
        Ok(())
    }

    fn last_change(&self, act: &Activity) -> Result<u32, CallError> {
        self.runtime.proxy::<ComponentsProxy>("engine").unwrap().last_change(act)
    }
}

impl Transport for Faulty {
    fn send(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        message: &[u8],
    ) -> Result<bool, CallError> {
        let send =
            |message| self.transport().send(act, transport_domain, transport_address, message);
        match self.fault {
            6 => Ok(send(message)? || transport_domain != UDP_DOMAIN),
            60 => send(message).and_then(|_| send(message)),
            61 => send(&message[1..]),
            _ => send(message),
        }
    }

    fn source_of(
        &self,
        act: &Activity,
        transport_domain: &[u32],
        transport_address: &[u8],
        source: &mut Buf,
    ) -> Result<(), CallError> {
        match self.fault {
            7 => Ok(source.append(&[127, 0, 0, 1])?),
            70 => Ok(()),
            _ => self.transport().source_of(act, transport_domain, transport_address, source),
        }
    }
}

fn transport_holds(
    transport: &dyn Transport,
    act: &Activity,
    received: &Receiver<Vec<u8>>,
) -> Result<(), roles::contract::Broken> {
    let to = Reachable { domain: UDP_DOMAIN, address: THERE };
    transport_suite(transport, act, to, &mut || received.try_iter().collect())
}

#[test]
fn the_contracts_hold() {
    let (runtime, received) = served();
    let mut worker = runtime.worker();
    let act = &worker.activity();
    suite(&runtime.proxy::<EngineProxy>("engine").unwrap(), act).unwrap();
    components_suite(&runtime.proxy::<ComponentsProxy>("engine").unwrap(), act).unwrap();
    transport_holds(&runtime.proxy::<TransportProxy>("engine").unwrap(), act, &received).unwrap();
}

#[test]
fn the_suites_name_the_sentence_that_an_engine_breaks() {
    for (fault, sentence) in [(1, 1), (10, 1), (2, 2), (20, 2), (3, 3), (4, 4), (40, 4)] {
        let (faulty, _) = Faulty::of(fault);
        let broken = suite(&faulty, &faulty.runtime.worker().activity()).unwrap_err();
        assert_eq!((broken.role, broken.sentence), ("engine", sentence), "{fault}");
    }
    for (fault, sentence) in [(1, 1), (10, 1), (2, 2), (20, 2), (3, 3)] {
        let (faulty, _) = Faulty::of(fault);
        let broken = components_suite(&faulty, &faulty.runtime.worker().activity()).unwrap_err();
        assert_eq!((broken.role, broken.sentence), ("components", sentence), "{fault}");
    }
    for (fault, sentence) in [(6, 6), (60, 6), (61, 6), (7, 7), (70, 7)] {
        let (faulty, received) = Faulty::of(fault);
        let mut worker = faulty.runtime.worker();
        let broken = transport_holds(&faulty, &worker.activity(), &received).unwrap_err();
        assert_eq!((broken.role, broken.sentence), ("notify", sentence), "{fault}");
    }
}
