//! The group: all three together serve every user, two of them or one alone serve nobody, and their
//! dependencies say so.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../security-usm/tests/world/mod.rs"]
mod world;

use roles::contract::message::{Peer, suite};
use roles::message::{DataElements, MessageHeader, PduClass};
use roles::varbind::SecurityLevel;
use s_proxy::Code;
use s_sdk::abi::ModuleDescriptor;
use s_wire::{Flags, PduKind, Value};
use semver::{Version, VersionReq};
use std::time::{Duration, Instant};
use world::{ADDRESS, Ask, Manager, OWN, UDP, USERS, World, pdu};

type Member = (&'static str, &'static ModuleDescriptor);

const GROUP: [Member; 3] = [
    ("message.v3", &message_v3_grouped::S_MODULE),
    ("security.usm", &security_usm_grouped::S_MODULE),
    ("auth.sha2", &auth_hmac_sha2_grouped::S_MODULE),
];

const BEFORE: [Member; 3] = [
    ("message.v3", &message_v3::S_MODULE),
    ("security.usm", &security_usm::S_MODULE),
    ("auth.sha2", &auth_hmac_sha2::S_MODULE),
];

/// Swaps members of an agent as one group, with their states as version 1 has them.
fn swap(world: &World, members: &[Member]) {
    let soon = || Instant::now() + Duration::from_secs(20);
    let carries = |name: &str| name != "auth.sha2";
    let next: Vec<_> = members
        .iter()
        .map(|(name, module)| {
            let component = world.runtime.component(name).unwrap();
            (component, world.control.create(component, Code::linked(module)).unwrap())
        })
        .collect();
    let bound: Vec<_> = next.iter().map(|(c, body)| (*c, Some(body.clone()))).collect();
    let group = world.control.bind(&bound);
    let (closed, drain) = world.control.close(&group, soon(), Duration::ZERO).unwrap();
    drain.wait(soon(), || true).unwrap();
    for (component, body) in next.iter().filter(|(component, _)| carries(component.name())) {
        let before = component.current().body().cloned().unwrap();
        let state = before.instance().export_state(1).unwrap();
        body.instance().import_state(1, &state).unwrap();
    }
    let flipped = closed.flip(group, true);
    closed.open();
    world.control.pass(flipped.epoch, soon()).unwrap();
}

/// Whether a user is believed and answered. The manager has an agent of its own, whose modules it uses.
fn is_served(
    world: &World,
    manager: &World,
    who: (&'static str, &'static [u32], &'static [u32]),
) -> bool {
    let mut elsewhere = manager.runtime.worker();
    let manager_act = elsewhere.activity();
    let manager = Manager { runtime: manager.runtime, act: &manager_act };
    let request = manager.ask(&Ask::of(who));
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let Ok((incoming, elements)) = world.take(&act, &request) else { return false };
    let response = pdu(PduKind::Response, 77, &[1, 3], Value::Integer(5));
    let answer = world.answer(&act, &incoming, &elements, response.clone());
    answer.is_ok_and(|answer| manager.hear(&Ask::of(who), &answer).pdu == response)
}

#[test]
fn the_three_together_serve_every_user_and_so_do_those_before_them() {
    let (world, manager) = (World::new(), World::empty());
    for _ in 0..2 {
        for members in [GROUP, BEFORE] {
            swap(&world, &members);
            for who in USERS {
                assert!(
                    is_served(&world, &manager, who),
                    "{who:?} with {}",
                    members[1].1.version.as_str()
                );
            }
        }
    }
    // From the version between, too, whose state is the same.
    swap(&world, &[("security.usm", &security_usm_next::S_MODULE)]);
    swap(&world, &GROUP);
    assert!(USERS.iter().all(|who| is_served(&world, &manager, *who)));
}

#[test]
fn no_part_of_the_group_serves_a_user_of_its_authentication() {
    let manager = World::empty();
    // Every choice of members but none and all.
    for chosen in 1u32..7 {
        let world = World::new();
        let part: Vec<Member> =
            (0..).zip(GROUP).filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, m)| m).collect();
        swap(&world, &part);
        let names: Vec<_> = part.iter().map(|(name, _)| *name).collect();
        assert!(!is_served(&world, &manager, USERS[0]), "{names:?} alone");
        // The rest comes, or the part goes: either way there is a whole set again.
        swap(&world, if chosen % 2 == 0 { &GROUP } else { &BEFORE });
        assert!(is_served(&world, &manager, USERS[0]), "after {names:?}");
    }
}

/// The first dependency of a set that does not hold.
fn unmet(set: &[Member]) -> Option<String> {
    set.iter().find_map(|(name, module)| {
        module.dependencies.get().iter().find_map(|dependency| {
            let wanted = VersionReq::parse(dependency.range.as_str()).unwrap();
            let (on, found) = set.iter().find(|(on, _)| *on == dependency.component.as_str())?;
            let found = Version::parse(found.version.as_str()).unwrap();
            (!wanted.matches(&found)).then(|| format!("{name} needs {on} {wanted}, not {found}"))
        })
    })
}

#[test]
fn dependencies_admit_the_whole_group_and_no_part_of_it() {
    assert_eq!(unmet(&BEFORE), None);
    assert_eq!(unmet(&GROUP), None);
    for chosen in 1u32..7 {
        let mixed: Vec<Member> = (0..)
            .zip(BEFORE.iter().zip(GROUP))
            .map(|(bit, (before, member))| if chosen >> bit & 1 == 1 { member } else { *before })
            .collect();
        assert!(unmet(&mixed).is_some(), "{chosen:#05b}");
    }
}

#[test]
fn the_group_keeps_the_contract_of_message_processing() {
    let (world, manager) = (World::new(), World::empty());
    swap(&world, &GROUP);
    let mut elsewhere = manager.runtime.worker();
    let manager_act = elsewhere.activity();
    let mut worker = world.runtime.worker();
    for who in USERS {
        let request = Manager { runtime: manager.runtime, act: &manager_act }.ask(&Ask::of(who));
        let (elements, ended) = {
            let act = worker.activity();
            let (incoming, elements) = world.take(&act, &request).unwrap();
            (elements, incoming.state)
        };
        let level = match Ask::of(who).flags & !Flags::REPORTABLE {
            0 => SecurityLevel::NoAuthNoPriv,
            1 => SecurityLevel::AuthNoPriv,
            _ => SecurityLevel::AuthPriv,
        };
        let trap = DataElements {
            security_name: who.0.as_bytes().to_vec().into(),
            context_engine_id: OWN.to_vec().into(),
            context_name: b"ctx".to_vec().into(),
            pdu: pdu(PduKind::TrapV2, 1, &[1, 3, 6], Value::Null).into(),
        };
        let header = MessageHeader { class: PduClass::Unconfirmed, ..world::header(level) };
        let peer = Peer {
            domain: UDP,
            address: ADDRESS,
            request: &request,
            elements: &elements,
            response: &pdu(PduKind::Response, 77, &[1, 3, 6], Value::Null),
            outgoing: Some((header, &trap)),
            ended,
        };
        let kept = suite(&world.message, &peer, &mut |step| step(&worker.activity()));
        kept.unwrap_or_else(|broken| panic!("{who:?}: {broken:?}"));
    }
}

#[test]
fn each_member_passes_its_own_self_test() {
    let world = World::new();
    swap(&world, &GROUP);
    let mut worker = world.runtime.worker();
    for (name, _) in GROUP {
        let body = world.runtime.component(name).unwrap().current().body().cloned().unwrap();
        body.instance()
            .self_test(&worker.activity())
            .unwrap_or_else(|why| panic!("{name}: {why:?}"));
    }
}
