//! Version 1 to 2 and back, twice: users, keys and clocks stay, and whoever asks is answered in between.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../security-usm/tests/world/mod.rs"]
mod world;

use roles::privacy::EngineTime;
use roles::settings::KeyForm;
use s_sdk::state::{SchemaOwned, State};
use s_sdk::value::Field;
use s_state::schema::can_map;
use s_wire::{PduKind, Value};
use security_usm::UsmState as First;
use security_usm_next::users::{Secret, StorageType, UserRow};
use security_usm_next::window::RemoteEngine;
use security_usm_next::{UsmHistory, UsmHistoryProxy, UsmState};
use world::{Ask, Manager, OWN, USERS, World, pdu};

fn schema<S: State>() -> SchemaOwned {
    SchemaOwned::from(S::schema())
}

fn row(name: &str, is_configured: bool) -> UserRow {
    let secret = |octet| Secret { form: KeyForm::Localized, octets: vec![octet; 32] };
    UserRow {
        is_configured,
        storage: StorageType::NonVolatile,
        auth_protocol: world::SHA_256.to_vec(),
        auth: secret(1),
        priv_protocol: world::AES_128.to_vec(),
        privacy: secret(2),
        public: name.as_bytes().to_vec(),
        ..UserRow::new(OWN, name.as_bytes())
    }
}

/// A state of version 2 as the fields of version 1, made by nobody's rules.
fn as_first(state: &UsmState) -> Vec<u8> {
    let users = [&state.configured[..], &state.made].concat();
    let first = First {
        users: Field::from_value(users.to_value()).unwrap(),
        changed: Field::from_value(state.changed.to_value()).unwrap(),
        spin_lock: state.spin_lock,
        engines: Field::from_value(state.remote_engines.to_value()).unwrap(),
    };
    let mut octets = Vec::new();
    first.export(1, &mut octets).unwrap();
    octets
}

#[test]
fn the_rules_lead_both_ways_and_lose_what_they_say() {
    let (first, second) = (schema::<First>(), schema::<UsmState>());
    let up = can_map(&first, &second).unwrap();
    assert_eq!((up.version, &up.lost[..]), (Some(1), &[][..]));
    assert_eq!(up.lost_on_rollback, ["times_taken_over (2)"]);
    let down = can_map(&second, &first).unwrap();
    assert_eq!((down.version, &down.lost[..]), (Some(1), &["times_taken_over (2)".to_owned()][..]));
    let names: Vec<_> = second.steps[0].rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["rename", "split", "default"]);
}

#[test]
fn a_state_of_version_1_is_one_of_version_2_and_again_one_of_version_1() {
    let state = UsmState {
        configured: vec![row("configured", true)],
        made: vec![row("made", false), row("also", false)],
        changed: vec![row("waiting", true)],
        spin_lock: 4711,
        remote_engines: vec![RemoteEngine {
            engine_id: world::OTHER.to_vec(),
            boots: 3,
            latest_received_seconds: 77,
            at_nanoseconds: 5,
        }],
        times_taken_over: 9,
    };
    let mut down = Vec::new();
    state.export(1, &mut down).unwrap();
    assert!(down == as_first(&state), "version 1 reads what it would have written");
    let up = UsmState::import(1, &down).unwrap();
    assert_eq!(up.times_taken_over, 0, "the one field that version 1 has no place for");
    let with = |up: &UsmState| {
        let UsmState { configured, made, changed, spin_lock, remote_engines, .. } = up;
        [
            configured.to_value(),
            made.to_value(),
            changed.to_value(),
            spin_lock.to_value(),
            remote_engines.to_value(),
        ]
    };
    assert!(with(&up) == with(&state));
    let mut again = Vec::new();
    up.export(1, &mut again).unwrap();
    assert!(again == down);
}

/// Whether every user is believed and answered.
fn everybody_is_served(world: &World) {
    let mut worker = world.runtime.worker();
    for who in USERS {
        let act = worker.activity();
        let manager = Manager { runtime: world.runtime, act: &act };
        let (incoming, elements) = world.take(&act, &manager.ask(&Ask::of(who))).unwrap();
        let response = pdu(PduKind::Response, 77, &[1, 3], Value::Integer(5));
        let answer = world.answer(&act, &incoming, &elements, response.clone()).unwrap();
        assert_eq!(manager.hear(&Ask::of(who), &answer).pdu, response, "{who:?}");
    }
}

#[test]
fn an_agent_goes_from_1_to_2_to_1_and_every_user_stays() {
    let world = World::new();
    everybody_is_served(&world);
    let exported = || {
        let component = world.runtime.component("security.usm").unwrap();
        component.current().body().unwrap().instance().export_state(1).unwrap().to_vec()
    };
    let first = exported();
    for _ in 0..2 {
        world.swap("security.usm", &security_usm_next::S_MODULE);
        assert_eq!(world.runtime.component("security.usm").unwrap().current().version(), "2.0.0");
        everybody_is_served(&world);
        assert!(exported() == first, "what version 1 would take over is what it had");
        world.swap("security.usm", &security_usm::S_MODULE);
        everybody_is_served(&world);
        assert!(exported() == first);
    }
}

#[test]
fn the_new_field_counts_from_2_to_2_and_the_new_method_tells_of_it() {
    let world = World::new();
    let history: UsmHistoryProxy = world.runtime.proxy("security.usm").unwrap();
    let mut worker = world.runtime.worker();
    let mut times = || history.times_taken_over(&worker.activity());
    assert!(times().is_err(), "version 1 does not understand it");
    world.swap("security.usm", &security_usm_next::S_MODULE);
    assert_eq!(times(), Ok(1));
    world.swap_as("security.usm", &security_usm_next::S_MODULE, 2);
    assert_eq!(times(), Ok(2));
    world.swap("security.usm", &security_usm::S_MODULE);
    world.swap("security.usm", &security_usm_next::S_MODULE);
    assert_eq!(times(), Ok(1), "version 1 forgets it, as the rules say");
    everybody_is_served(&world);
}

#[test]
fn a_clock_that_the_agent_has_learned_does_not_step() {
    let world = World::new();
    let learned = RemoteEngine {
        engine_id: world::OTHER.to_vec(),
        boots: 12,
        latest_received_seconds: 3456,
        at_nanoseconds: 789,
    };
    let component = world.runtime.component("security.usm").unwrap();
    let exported = |version| {
        component.current().body().unwrap().instance().export_state(version).unwrap().to_vec()
    };
    world.swap("security.usm", &security_usm_next::S_MODULE);
    // As if a message of that engine had been proven.
    let mut state = UsmState::import(2, &exported(2)).unwrap();
    state.remote_engines.push(learned.clone());
    let mut octets = Vec::new();
    state.export(2, &mut octets).unwrap();
    component.current().body().unwrap().instance().import_state(2, &octets).unwrap();
    world.swap("security.usm", &security_usm::S_MODULE);
    world.swap("security.usm", &security_usm_next::S_MODULE);
    assert_eq!(UsmState::import(2, &exported(2)).unwrap().remote_engines, [learned]);
    // And the agent's own clock is the engine's, whichever version asks it.
    let mut worker = world.runtime.worker();
    let act = worker.activity();
    let EngineTime { boots, time_seconds } = world::CLOCK;
    world.tune(&act, boots, time_seconds + 1, 65507);
    drop(act);
    everybody_is_served(&world);
}
