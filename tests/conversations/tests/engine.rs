//! What the engine promises beyond single answers: walks are complete and bounded, nobody waits for a slow
//! module, limits hold, and a warm thread takes no memory.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

use s_conversations::Agent;
use s_conversations::agent::Thread;
use s_conversations::compose::compose;
use s_conversations::sample::{BASE, ROWS, slow};
use s_engine::{Limits, Patience, Progress, Watcher};
use s_proxy::ExceptionPolicy;
use s_proxy::gate::Fence;
use s_wire::{AnyPdu, CommunityMessage, Reader, Value};
use std::sync::Arc;
use std::time::Duration;

const MANAGER: &[u8] = &[127, 0, 0, 1, 0x0f, 0xa0];
const STRANGER: &[u8] = &[192, 0, 2, 1, 0x0f, 0xa0];

/// Error-status, error-index, and the bindings as name and whether it is an end.
type Answer = (i32, i32, Vec<(Vec<u32>, bool)>);

fn read(answer: &[u8]) -> Answer {
    let message = CommunityMessage::decode(answer).unwrap();
    let pdu = AnyPdu::decode(Reader::new(message.pdu.octets), message.version).unwrap();
    let AnyPdu::Pdu(pdu) = pdu else { panic!("an answer is no trap") };
    let mut arcs = [0; s_wire::oid::MAX_ARCS];
    let bindings = pdu.bindings.into_iter().map(|binding| {
        let is_end = matches!(binding.value, Value::EndOfMibView);
        (binding.name.decode(&mut arcs).to_vec(), is_end)
    });
    let bindings = bindings.collect();
    (pdu.error_status, pdu.error_index, bindings)
}

fn ask(thread: &mut Thread, line: &str) -> Answer {
    read(thread.ask(MANAGER, &compose(line).unwrap()).unwrap())
}

fn dotted(name: &[u32]) -> String {
    name.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// All names that a walk meets, by GetNext or by GetBulk.
fn walk(thread: &mut Thread, who: &str, from: &[u32], rows: u32) -> Vec<Vec<u32>> {
    let mut met = Vec::new();
    let mut at = from.to_vec();
    loop {
        let pdu = if rows == 0 { "getnext".to_owned() } else { format!("bulk/0/{rows}") };
        let (status, _, bindings) = ask(thread, &format!("{who} {pdu} {}", dotted(&at)));
        assert_eq!(status, 0);
        for (name, is_end) in bindings {
            if is_end || !name.starts_with(from) {
                return met;
            }
            assert!(name > at, "{name:?} after {at:?}");
            at.clone_from(&name);
            met.push(name);
        }
    }
}

#[test]
fn a_walk_meets_every_variable_once_however_modules_are_nested() {
    let agent = Agent::default();
    let mut thread = agent.thread();
    let small = [BASE, &[2]].concat();
    let expected: Vec<Vec<u32>> = (1..=3)
        .flat_map(|column| (1..=4).map(move |row| [BASE, &[2, 1, column, row]].concat()))
        .collect();
    for who in ["v2c public", "v2c narrow"] {
        for rows in [0, 1, 2, 7, 100] {
            let rows_met = walk(&mut thread, who, &small, rows);
            assert_eq!(rows_met, expected, "{who}, {rows} rows at once");
        }
    }
    let whole = walk(&mut thread, "v2c public", BASE, 50);
    assert_eq!(whole.len(), 3 + 12 + 3 * ROWS as usize + 2);
}

#[test]
fn a_view_of_one_row_costs_as_many_steps_as_it_has_variables() {
    // So few steps that going through the table name by name would end every request.
    let limits = Limits { max_steps: 40, ..Limits::default() };
    let agent = Agent::with(limits, Fence::Everywhere, true);
    let mut thread = agent.thread();
    let row: Vec<Vec<u32>> = (1..=3).map(|column| [BASE, &[3, 1, column, 5]].concat()).collect();
    for rows in [0, 1, 10] {
        assert_eq!(walk(&mut thread, "v2c rows", &[1, 3], rows), row);
    }
    assert_eq!(agent.engine.why().last(None), []);
}

#[test]
fn a_walk_that_needs_too_many_steps_ends_with_an_error_and_a_reason() {
    let limits = Limits { max_steps: 2, ..Limits::default() };
    let agent = Agent::with(limits, Fence::Everywhere, true);
    let mut thread = agent.thread();
    let (status, index, _) = ask(&mut thread, "v2c rows getnext B.1.1.0 1.3");
    assert_eq!((status, index), (5, 1));
    assert_eq!(agent.engine.why().last(None)[0].reason.name(), "walks-too-far");
    // A GetBulk with a repetition behind it ends early instead.
    let limits = Limits { max_steps: 6, ..Limits::default() };
    let agent = Agent::with(limits, Fence::Everywhere, true);
    let (status, _, bindings) = ask(&mut agent.thread(), "v2c rows bulk/0/50 B.3.1.1 B.3.1.1");
    assert!(status == 0 && !bindings.is_empty() && bindings.len() < 8, "{bindings:?}");
}

#[test]
fn a_slow_module_is_left_for_later_and_at_the_deadline_its_binding_is_a_genuine_error() {
    let agent = Agent::default();
    let progress = Arc::new(Progress::default());
    let mut receiving = agent.thread();
    receiving.scratch.set_patience(Patience::Leaving);
    receiving.scratch.set_progress(Arc::clone(&progress));
    let both = compose("v2c private get B.1.1.0 B.7.1.0 B.1.2.0").unwrap();
    assert!(receiving.ask(MANAGER, &both).is_some(), "nobody is slow yet");

    // Once it is slow: the watcher finds the thread in one and the same call, twice.
    assert!(receiving.ask(MANAGER, &compose("v2c private set B.7.2.0=i:400").unwrap()).is_some());
    let mut watcher = Watcher::default();
    let first = std::thread::scope(|scope| {
        let slow = scope.spawn(|| receiving.ask(MANAGER, &both).map(<[u8]>::to_vec));
        let mut stuck = Vec::new();
        while stuck.is_empty() && !slow.is_finished() {
            stuck = watcher.look(agent.engine.pace(), std::iter::once(&*progress));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(stuck, [0]);
        slow.join().unwrap()
    });
    assert_eq!(read(&first.unwrap()).0, 0, "the stuck thread answers in the end");

    // From then on it is not asked by threads that others wait for, and those others are answered.
    assert_eq!(receiving.ask(MANAGER, &both), None);
    assert!(receiving.scratch.left().is_some_and(|left| !left.is_set));
    let other = compose("v2c private get B.1.1.0").unwrap();
    assert!(receiving.ask(MANAGER, &other).is_some() && receiving.scratch.left().is_none());
    let set = compose("v2c private set B.1.1.0=i:9 B.7.2.0=i:0").unwrap();
    assert_eq!(receiving.ask(MANAGER, &set), None);
    assert!(receiving.scratch.left().is_some_and(|left| left.is_set));
    assert_eq!(read(receiving.ask(MANAGER, &other).unwrap()).0, 0);

    // Who waits for it gets the values; who keeps the deadline a genErr that names its binding.
    let mut waiting = agent.thread();
    assert_eq!(ask(&mut waiting, "v2c private get B.1.1.0 B.7.1.0").0, 0);
    let mut avoiding = agent.thread();
    avoiding.scratch.set_patience(Patience::Avoiding);
    let (status, index, _) = ask(&mut avoiding, "v2c private get B.1.1.0 B.7.1.0 B.1.2.0");
    assert_eq!((status, index), (5, 2));
    assert_eq!(ask(&mut avoiding, "v2c private get B.1.1.0 B.1.2.0").0, 0);
    let counters = agent.engine.facts().counters();
    assert!(roles::error::Counter::ALL.iter().all(|counter| {
        *counter == roles::error::Counter::InPackets || counters.get(*counter) == 0
    }));

    // Quick again, it is asked again.
    assert!(waiting.ask(MANAGER, &set).is_some());
    for _ in 0..200 {
        assert!(waiting.ask(MANAGER, &both).is_some());
    }
    assert!(receiving.ask(MANAGER, &both).is_some());
}

#[test]
fn a_set_that_took_its_own_right_away_is_answered_once_it_is_decided() {
    let agent = Agent::default();
    let mut thread = agent.thread();
    let set = compose("v3 sha1 auth reportable set B.1.1.0=i:9").unwrap();
    let answer = thread.ask(MANAGER, &set).unwrap().to_vec();
    // What it might have changed itself: its user is not there any more.
    agent.lock_users_out();
    assert_eq!(thread.ask_anew(MANAGER, &set), Some(&answer[..]));
    let counters = agent.engine.facts().counters();
    assert_eq!(counters.get(roles::error::Counter::UnknownUserNames), 0);
    // Another datagram with the same octets is another request.
    assert_ne!(thread.ask(MANAGER, &set), Some(&answer[..]));
    assert_eq!(counters.get(roles::error::Counter::UnknownUserNames), 1);
}

/// SNMPv2c messages, but for answers.
mod mute {
    use message_community::{CommunityMessages, Version};
    use roles::message::{
        DataElements, Incoming, MessageError, MessageHeader, MessageProcessing, StateReference,
    };
    use s_sdk::{Activity, Buf, Host, Module, Refusal, s_module};

    struct Mute(CommunityMessages);

    #[s_module(component = "message.v2c", version = "1.0.1")]
    impl MessageProcessing for Mute {
        fn prepare_data_elements(
            &self,
            act: &Activity,
            domain: &[u32],
            address: &[u8],
            message: &[u8],
            elements: &mut DataElements,
        ) -> Result<Incoming, MessageError> {
            self.0.prepare_data_elements(act, domain, address, message, elements)
        }

        fn prepare_response_message(
            &self,
            _: &Activity,
            _: MessageHeader,
            _: &DataElements,
            _: StateReference,
            _: &mut Buf,
        ) -> Result<(), MessageError> {
            panic!("no answer comes from here")
        }

        fn prepare_outgoing_message(
            &self,
            act: &Activity,
            domain: &[u32],
            address: &[u8],
            header: MessageHeader,
            elements: &DataElements,
            message: &mut Buf,
        ) -> Result<(), MessageError> {
            self.0.prepare_outgoing_message(act, domain, address, header, elements, message)
        }
    }

    impl Module for Mute {
        fn init(host: Host) -> Result<Self, Refusal> {
            CommunityMessages::new(Version::V2c, &host).map(Mute)
        }
    }
}

#[test]
fn a_set_whose_answer_cannot_be_made_sets_nothing() {
    let agent = Agent::default();
    agent.runtime.component("message.v2c").unwrap().set_policy(ExceptionPolicy::Fail);
    agent.swap("message.v2c", Some(&mute::S_MODULE));
    let mut thread = agent.thread();
    assert_eq!(thread.ask(MANAGER, &compose("v2c private set B.1.1.0=i:9").unwrap()), None);
    let value = |answer: &[u8]| answer.last().copied();
    let get = compose("v1 public get B.1.1.0").unwrap();
    assert_eq!(thread.ask(MANAGER, &get).and_then(value), Some(42));
    agent.swap("message.v2c", Some(&message_v2c::S_MODULE));
    assert_eq!(ask(&mut thread, "v2c private set B.1.1.0=i:9").0, 0);
    assert_eq!(thread.ask(MANAGER, &get).and_then(value), Some(9));
}

#[test]
fn a_getbulk_that_finds_a_list_full_has_what_was_found_before() {
    let agent = Agent::default();
    let mut thread = agent.thread();
    let line = format!("v2c private set B.7.2.0=i:{}", slow::IS_FULL);
    assert_eq!(ask(&mut thread, &line).0, 0);
    let first = [BASE, &[1, 1, 0]].concat();
    let (status, index, bindings) = ask(&mut thread, "v2c public bulk/1/5 B.1.1 B.7");
    assert_eq!((status, index, bindings), (0, 0, vec![(first.clone(), false)]));
    let (status, index, bindings) = ask(&mut thread, "v2c public bulk/2/5 B.1.1 B.7 B.1.2");
    assert_eq!((status, index, bindings), (0, 0, vec![(first, false)]));
    assert_eq!(ask(&mut thread, "v2c public bulk/0/5 B.7"), (0, 0, vec![]));
    // Of others no part is an answer.
    assert_eq!(ask(&mut thread, "v2c public getnext B.1.1 B.7").0, 1);
}

#[test]
fn past_its_deadline_nothing_is_set() {
    let agent = Agent::default();
    let mut late = agent.thread();
    late.scratch.set_patience(Patience::Avoiding);
    let (status, index, _) = ask(&mut late, "v2c private set B.1.1.0=i:9");
    assert_eq!((status, index), (5, 1));
    late.scratch.set_patience(Patience::Waiting);
    let value = compose("v2c public get B.1.1.0").unwrap();
    let before = agent.ask(MANAGER, &value).unwrap();
    assert_eq!(ask(&mut late, "v2c private set B.1.1.0=i:42").0, 0, "it had 42 all the time");
    assert_eq!(agent.ask(MANAGER, &value).unwrap(), before);
}

#[test]
fn whoever_forges_a_manager_does_not_silence_its_community() {
    let limits = Limits { failures_per_second: 1, failure_burst: 3, ..Limits::default() };
    let agent = Agent::with(limits, Fence::Everywhere, true);
    let mut thread = agent.thread();
    let get = compose("v2c public get B.1.1.0").unwrap();
    assert!(thread.ask(STRANGER, &get).is_some());
    for guess in 0..50 {
        let wrong = compose(&format!("v2c guess{guess} get B.1.1.0")).unwrap();
        assert_eq!(thread.ask(STRANGER, &wrong), None);
        assert!(thread.ask(STRANGER, &get).is_some(), "it has proven this community");
    }
    // What it has not proven may be a guess.
    let other = compose("v2c private get B.1.1.0").unwrap();
    assert_eq!(thread.ask(STRANGER, &other), None);
    assert_eq!(agent.engine.why().last(None)[0].reason.name(), "too-many-failures");
}

#[test]
fn who_sends_too_fast_or_fails_too_often_is_not_heard_and_everybody_else_is() {
    let limits = Limits {
        packets_per_second: 10,
        packet_burst: 5,
        failures_per_second: 1,
        failure_burst: 3,
        ..Limits::default()
    };
    let agent = Agent::with(limits, Fence::Everywhere, true);
    let mut thread = agent.thread();
    let get = compose("v2c public get B.1.1.0").unwrap();
    let answered = (0..20).filter(|_| thread.ask(STRANGER, &get).is_some()).count();
    assert_eq!(answered, 5);
    assert!((0..20).all(|_| thread.ask(MANAGER, &get).is_some()), "this machine has no limit");
    assert_eq!(agent.engine.dropped().too_fast, 15);
    let newest = agent.engine.why().last(None)[0];
    assert_eq!((newest.reason.name(), newest.times), ("source-too-fast", 15));

    agent.set_time(Duration::from_secs(100));
    let wrong = compose("v2c guess get B.1.1.0").unwrap();
    for _ in 0..3 {
        assert_eq!(thread.ask(STRANGER, &wrong), None);
    }
    let right = compose("v2c private get B.1.1.0").unwrap();
    assert_eq!(thread.ask(STRANGER, &right), None, "barred, though the community is right");
    assert_eq!(agent.engine.why().last(None)[0].reason.name(), "too-many-failures");
    assert!(thread.ask(&[198, 51, 100, 7, 0, 9], &get).is_some());
    agent.set_time(Duration::from_secs(110));
    assert!(thread.ask(STRANGER, &right).is_some(), "after a while it is heard again");

    // Whoever forges the address of a v3 user's host and fails in its name does not silence that user.
    let good = compose("v3 sha1 auth time=110 reportable get B.1.1.0").unwrap();
    let bad = compose("v3 sha1 auth key=wrong_key time=110 reportable get B.1.1.0").unwrap();
    for attacker in 1..=6 {
        assert!(thread.ask(&[203, 0, 113, attacker, 0, 9], &bad).is_some(), "a Report");
    }
    assert!(thread.ask(&[203, 0, 113, 1, 0, 9], &good).is_some());
}

#[test]
fn a_warm_thread_takes_no_memory_for_a_get_nor_for_a_refusal() {
    let agent = Agent::default();
    let mut thread = agent.thread();
    // A sample takes no memory for a Get, so whatever is counted is the engine's, or of the modules for
    // messages, security and access.
    let requests = [
        "v1 public get B.1.1.0",
        "v2c public get B.1.1.0 B.1.2.0 1.3.6.1.9.9",
        "v3 none reportable get B.1.1.0",
        "v3 sha1 auth reportable get B.1.1.0",
        "v2c wrong get B.1.1.0",
    ];
    let counted = requests.map(|line| {
        let request = compose(line).unwrap();
        for _ in 0..3 {
            thread.ask(STRANGER, &request);
        }
        let counted = allocation_counter::measure(|| {
            thread.ask(STRANGER, &request);
        });
        counted.count_total
    });
    assert_eq!(counted, [0; 5]);
}
