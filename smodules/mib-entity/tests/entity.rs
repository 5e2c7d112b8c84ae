//! The module as the agent asks it: through a proxy, beside an engine whose components change.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, set, walk_takes_no_memory};
use hosted::{host, serve};
use roles::components::{ComponentEntry, Components, push};
use roles::contract::mib::{suite, walk};
use roles::engine::Engine;
use roles::mib::MibAccessProxy;
use roles::privacy::EngineTime;
use roles::varbind::VarValue::{Counter64, Integer, NoSuchInstance, Octets, Oid, TimeTicks};
use roles::varbind::{ErrorStatus, VarBinds, VarValue};
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal, behavior, s_module};
use std::sync::atomic::{AtomicU32, Ordering};

const ENGINE_ID: &[u8] = b"\x80\x00\x1f\x88\x04test";
const ENTITY: [u32; 8] = [1, 3, 6, 1, 2, 1, 47, 1];
const SAGENT: [u32; 8] = [1, 3, 6, 1, 4, 1, 32_473, 1];

/// Swaps the second of the engine's components.
#[behavior(name = "swap")]
trait Swap {
    /// To this generation, at this time.
    fn swap(&self, act: &Activity, generation: u32, at: u32) -> Result<(), CallError>;
}

/// An engine of three components, of which the third is empty.
struct ChangingEngine {
    generation: AtomicU32,
    changed_at: AtomicU32,
}

#[s_module(component = "engine", version = "1.0.0", also(Components, Swap))]
impl Engine for ChangingEngine {
    fn engine_id(&self, _: &Activity, engine_id: &mut Buf) -> Result<(), CallError> {
        Ok(engine_id.append(ENGINE_ID)?)
    }
    fn clock(&self, _: &Activity) -> Result<EngineTime, CallError> {
        Ok(EngineTime { boots: 1, time_seconds: 1 })
    }
    fn max_message_size(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(484)
    }
    fn up_time(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(9000)
    }
    fn counters(&self, _: &Activity, _: &mut List<u32>) -> Result<(), CallError> {
        Ok(())
    }
    fn sys_or_entries(
        &self,
        _: &Activity,
        _: &mut VarBinds,
        _: &mut List<u32>,
    ) -> Result<(), CallError> {
        Ok(())
    }
    fn sys_or_last_change(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(0)
    }
}

impl Components for ChangingEngine {
    fn components(
        &self,
        _: &Activity,
        entries: &mut List<ComponentEntry>,
        texts: &mut Buf,
    ) -> Result<(), CallError> {
        let generation = self.generation.load(Ordering::Relaxed);
        let since = self.changed_at.load(Ordering::Relaxed);
        let version = format!("1.{generation}.0");
        push((entries, texts), (1, 1, 0), ["engine", "1.0.0", "the host's own"])?;
        push((entries, texts), (2, generation.into(), since), ["mib.if", &version, "RFC 2863"])?;
        push((entries, texts), (3, 4, 7), ["auth.md5", "", ""])
    }
    fn last_change(&self, _: &Activity) -> Result<u32, CallError> {
        Ok(self.changed_at.load(Ordering::Relaxed))
    }
}

impl Swap for ChangingEngine {
    fn swap(&self, _: &Activity, generation: u32, at: u32) -> Result<(), CallError> {
        self.generation.store(generation, Ordering::Relaxed);
        self.changed_at.store(at, Ordering::Relaxed);
        Ok(())
    }
}

impl Module for ChangingEngine {
    fn init(_: Host) -> Result<Self, Refusal> {
        Ok(ChangingEngine { generation: AtomicU32::new(1), changed_at: AtomicU32::new(0) })
    }
}

fn asked(test: impl Fn(MibAccessProxy, SwapProxy, &Activity)) {
    let (runtime, control) = host();
    serve(&control, "engine", &S_MODULE);
    serve(&control, "mib.entity", &mib_entity::S_MODULE);
    let mut worker = runtime.worker();
    let swap = runtime.proxy("engine").unwrap();
    test(runtime.proxy("mib.entity").unwrap(), swap, &worker.activity());
}

fn is(mib: &MibAccessProxy, act: &Activity, root: &[u32], rest: &[u32], expected: VarValue<'_>) {
    let name = [root, rest].concat();
    get(mib, act, &name, |found| assert_eq!(found, expected, "{name:?}"));
}

#[test]
fn the_contract_holds() {
    asked(|mib, _, act| suite(&mib, act).unwrap());
}

#[test]
fn a_component_is_a_module_in_the_chassis_and_an_empty_one_is_none() {
    asked(|mib, _, act| {
        let physical = |column, index| [1, 1, 1, column, index];
        let entity = |rest: &[u32], expected| is(&mib, act, &ENTITY, rest, expected);
        entity(&[1, 1, 1, 5, 1], Integer(3));
        entity(&physical(4, 1), Integer(0));
        entity(&physical(5, 3), Integer(9));
        entity(&physical(4, 3), Integer(1));
        entity(&physical(6, 3), Integer(1));
        entity(&physical(7, 3), Octets(b"mib.if"));
        entity(&physical(10, 3), Octets(b"1.1.0"));
        entity(&physical(2, 3), Octets(b"S-component mib.if: RFC 2863"));
        entity(&physical(3, 3), Oid(&[1, 3, 6, 1, 4, 1, 32_473, 1, 1, 2]));
        entity(&physical(16, 2), Integer(2));
        entity(&physical(16, 3), Integer(1));
        entity(&physical(7, 4), NoSuchInstance);
        // entPhysicalContainsTable and entLPMappingTable name the same.
        entity(&[3, 3, 1, 1, 1, 3], Integer(3));
        entity(&[3, 3, 1, 1, 1, 4], NoSuchInstance);
        entity(&[3, 1, 1, 1, 1, 1], Integer(1));
        entity(&[2, 1, 1, 7, 1], Octets(ENGINE_ID));
        let names = walk(&mib, act, &[&ENTITY, &[1, 1, 1, 7][..]].concat()).unwrap();
        assert_eq!(names.len(), 3);
    });
}

#[test]
fn the_host_is_what_the_kernel_says() {
    asked(|mib, _, act| {
        let kernel = |file| std::fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap();
        let revision = format!("Linux {}", kernel("osrelease").trim());
        is(&mib, act, &ENTITY, &[1, 1, 1, 10, 1], Octets(revision.as_bytes()));
        is(&mib, act, &ENTITY, &[1, 1, 1, 7, 1], Octets(kernel("hostname").trim().as_bytes()));
    });
}

#[test]
fn a_swap_moves_the_version_and_the_time_of_the_last_change_and_no_index() {
    asked(|mib, swap, act| {
        is(&mib, act, &ENTITY, &[4, 1, 0], TimeTicks(0));
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 5, 2], TimeTicks(0));
        let before = walk(&mib, act, &ENTITY).unwrap();
        swap.swap(act, 2, 4711).unwrap();
        is(&mib, act, &ENTITY, &[4, 1, 0], TimeTicks(4711));
        is(&mib, act, &ENTITY, &[1, 1, 1, 10, 3], Octets(b"1.2.0"));
        assert_eq!(walk(&mib, act, &ENTITY).unwrap(), before);
        is(&mib, act, &SAGENT, &[2, 1, 1, 0], TimeTicks(4711));
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 2, 2], Octets(b"mib.if"));
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 3, 2], Octets(b"1.2.0"));
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 4, 2], Counter64(2));
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 5, 2], TimeTicks(4711));
        // In our own table an empty component is there, with nothing in it.
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 3, 3], Octets(b""));
    });
}

#[test]
fn two_swaps_in_one_hundredth_of_a_second_are_both_seen() {
    asked(|mib, swap, act| {
        swap.swap(act, 5, 9000).unwrap();
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 4, 2], Counter64(5));
        swap.swap(act, 6, 9000).unwrap();
        is(&mib, act, &SAGENT, &[2, 1, 2, 1, 4, 2], Counter64(6));
    });
}

#[test]
fn nothing_can_be_written() {
    asked(|mib, _, act| {
        let alias = binds(&[(&[&ENTITY, &[1, 1, 1, 14, 1][..]].concat(), Octets(b"x"))]);
        assert_eq!(set(&mib, act, &alias), Err((ErrorStatus::NotWritable, 1)));
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, _, act| walk_takes_no_memory(&mib, act, 60));
}

/// What net-snmp's `snmptranslate` says, with our MIB text and nothing else that a host may have.
fn translated(arguments: &[&str]) -> String {
    let mibs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../agent/mibs");
    let output = std::process::Command::new("snmptranslate")
        .args(["-M", &format!("{mibs}:{mibs}/base"), "-m", "SAGENT-MIB", "-Pw"])
        .args(arguments)
        .output()
        .expect("snmptranslate, of the package `snmp`");
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && warnings.is_empty(), "{arguments:?}: {warnings}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn our_mib_text_loads_without_a_warning_and_names_what_is_served() {
    asked(|mib, _, act| {
        let tree = translated(&["-Tp", "SAGENT-MIB::sagentComponents"]);
        let written = tree.lines().filter(|line| line.contains(" -R-- ")).count();
        let mut served: Vec<String> = Vec::new();
        for (name, _) in walk(&mib, act, &SAGENT).unwrap() {
            let numbers: Vec<_> = name.iter().map(u32::to_string).collect();
            let named = translated(&["-OS", &numbers.join(".")]);
            let (object, instance) = named.trim().split_once('.').unwrap();
            assert!(
                instance.parse::<u32>().is_ok(),
                "{named} is an object that is not in the text"
            );
            served.push(object.to_owned());
        }
        served.dedup();
        assert_eq!(served.len(), written, "{served:?} of {tree}");
        let oid = |name: &str| translated(&["-On", name]).trim().to_owned();
        assert_eq!(oid("SAGENT-MIB::sagentdLinux"), ".1.3.6.1.4.1.32473.1.1.1");
        assert_eq!(oid("SAGENT-MIB::sagentModule"), ".1.3.6.1.4.1.32473.1.1.2");
    });
}
