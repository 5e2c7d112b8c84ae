//! What a module asks of its host arrives at the host: log lines, counters, clocks, randomness, other
//! components, events. Asked through a package that was swapped in, and looked at from outside.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, Buf, CallError, Value};
use s_tests::roles::{Services, ServicesProxy};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use world::{World, eventually};

fn services() -> World {
    let world =
        World::with(&[("services", None), ("echo", Some(&world::echo_v1::S_MODULE))], |_| {});
    world.must_swap("services_v1");
    world
}

/// One call, in an activity of its own.
fn ask<T>(
    world: &World,
    question: impl FnMut(&ServicesProxy, &Activity) -> Result<T, CallError>,
) -> Result<T, CallError> {
    let services: ServicesProxy = world.runtime.proxy("services").unwrap();
    let mut question = question;
    world.runtime.worker().serve(|act| question(&services, act))
}

fn counter(world: &World, component: &str, name: &str) -> Option<u64> {
    world.manager.counters().get(&(component.to_owned(), name.to_owned())).copied()
}

#[test]
fn a_log_line_arrives_once_with_its_level_component_and_version() {
    let world = services();
    ask(&world, |services, act| services.log(act, "a word\nand another")).unwrap();
    let lines = world.log.lock().unwrap().clone();
    for level in ["Error", "Warning", "Info", "Debug"] {
        let line = format!("{level} services 1.2.3: a word\nand another");
        assert_eq!(lines.iter().filter(|told| **told == line).count(), 1, "{line}: {lines:?}");
    }
    // It was made twice, once in its rehearsal: what it said there is the report's.
    let made = lines.iter().filter(|line| *line == "Info services 1.2.3: made").count();
    assert_eq!(made, 1, "{lines:?}");
}

#[test]
fn counters_are_the_components_and_outlive_a_swap_but_not_a_rehearsal() {
    let world = services();
    assert_eq!(counter(&world, "services", "made"), Some(1), "its rehearsal counts for nothing");
    assert_eq!(counter(&world, "services", "things"), None);
    for add in [2, 0, 40] {
        ask(&world, |services, act| services.count(act, "things", add)).unwrap();
    }
    world.must_swap("services_v1");
    ask(&world, |services, act| services.count(act, "things", 3)).unwrap();
    let all: Vec<_> = world.manager.counters().into_iter().collect();
    let of = |name: &str, count| (("services".to_owned(), name.to_owned()), count);
    assert_eq!(all, [of("made", 2), of("things", 45)]);
}

#[test]
fn the_wall_clock_is_the_hosts_and_the_other_clock_never_steps() {
    let since = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos());
    let world = services();
    let before = since().unwrap();
    let wall = ask(&world, |services, act| services.wall_clock(act)).unwrap();
    assert!((before..=since().unwrap()).contains(&wall), "{before} {wall}");

    let began = Instant::now();
    let first = ask(&world, |services, act| services.now(act)).unwrap();
    let inner = Instant::now();
    std::thread::sleep(Duration::from_millis(2));
    let least = inner.elapsed();
    let second = ask(&world, |services, act| services.now(act)).unwrap();
    let between = Duration::from_nanos(second.checked_sub(first).unwrap());
    assert!((least..=began.elapsed()).contains(&between), "{least:?} {between:?}");
}

#[test]
fn random_octets_are_others_each_time_and_as_many_as_were_asked_for() {
    let world = services();
    let draw = |count| {
        let mut octets = Buf::with_capacity(64);
        ask(&world, |services, act| {
            octets.clear();
            services.random(act, count, &mut octets)
        })
        .unwrap();
        octets.to_vec()
    };
    let draws: Vec<_> = (0..4).map(|_| draw(32)).collect();
    for (at, one) in draws.iter().enumerate() {
        assert_eq!(one.len(), 32);
        assert!(draws[..at].iter().all(|other| other != one), "{draws:?}");
        // 32 octets of which 24 are alike come once in 10^46 times.
        let same = |octet: u8| one.iter().filter(|other| **other == octet).count();
        assert!(one.iter().all(|octet| same(*octet) < 24), "{one:?}");
    }
    assert!(draw(0).is_empty());
}

#[test]
fn another_component_is_found_and_asked_and_a_name_that_nobody_has_is_an_error() {
    let world = services();
    let asked = |name: &str| {
        let mut into = Buf::with_capacity(64);
        let version = ask(&world, |services, act| {
            into.clear();
            services.ask(act, name, b"hello", &mut into)
        })?;
        Ok::<_, CallError>((version, into.to_vec()))
    };
    assert_eq!(asked("echo"), Ok((1, b"hello".to_vec())));
    world.must_swap("echo_v2");
    assert_eq!(asked("echo"), Ok((2, b"hello".to_vec())));
    assert_eq!(asked("no.such.part").unwrap_err().kind, CallErrorKind::NoSuchName);
    // It is there, and has another behavior.
    assert!(asked("services").is_err());
}

#[test]
fn an_event_of_a_module_reaches_its_subscribers_with_tag_source_and_payload() {
    let world = services();
    let mut heard = world.manager.events().subscribe("test.*", 16).unwrap();
    for number in [7, 8] {
        ask(&world, |services, act| services.publish(act, "test.number", number)).unwrap();
    }
    ask(&world, |services, act| services.publish(act, "elsewhere", 9)).unwrap();
    let refused = ask(&world, |services, act| services.publish(act, "no tag", 1)).unwrap_err();
    assert_eq!(refused.kind, CallErrorKind::Refused);
    let all: Vec<_> = std::iter::from_fn(|| heard.try_recv().unwrap()).collect();
    let told: Vec<_> = all
        .iter()
        .map(|event| (&*event.tag, &*event.source, Value::decode(&event.payload).unwrap()))
        .collect();
    let number = |number| ("test.number", "services", Value::U64(number));
    assert_eq!(told, [number(7), number(8)]);
    assert!(all[0].sequence < all[1].sequence);
}

#[test]
fn a_module_hears_the_events_that_it_asked_for_and_no_longer_than_it_wants() {
    let world = services();
    let publish = |number: u64| {
        world.manager.events().publish("test.number", "test", &Value::U64(number).encode()).unwrap()
    };
    assert_eq!(publish(1), 0);
    ask(&world, |services, act| services.listen(act, "test.*", true)).unwrap();
    assert_eq!(publish(20), 1);
    eventually("the event", || ask(&world, |services, act| services.heard(act)) == Ok(20));
    // Its own events, too: they come through its mailbox like any other.
    ask(&world, |services, act| services.publish(act, "test.number", 300)).unwrap();
    eventually("its own event", || ask(&world, |services, act| services.heard(act)) == Ok(320));
    ask(&world, |services, act| services.listen(act, "test.*", false)).unwrap();
    assert_eq!(publish(4000), 0);
    let refused = ask(&world, |services, act| services.listen(act, "test.*", false)).unwrap_err();
    assert_eq!(refused.kind, CallErrorKind::NoSuchName);
    assert_eq!(ask(&world, |services, act| services.heard(act)), Ok(320));
}
