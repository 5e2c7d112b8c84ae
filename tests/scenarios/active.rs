//! Active modules under the swap manager: what is sent is handled once and in its order, whatever is swapped.
//!
//! Senders, signals and timers go on throughout; the books that the module keeps are carried, so that at the
//! end they say what became of every single message over all versions.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::{Config, Item, Preflight, Request};
use s_tasks::{Mailbox, SendError};
use s_tests::roles::{Taken, TakenProxy};
use s_tests::taker::{NUMBERED, START_TIMER, numbered};
use s_transaction::{Confirm, Phase, Verdict};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use world::packages::package;
use world::{World, eventually, many};

const SENDERS: u32 = 4;
const LONG: Duration = Duration::from_secs(60);
/// Started by the test.
const TIMER: u64 = 1;
/// Started by the module, in the version that serves first.
const OWN_TIMER: u64 = 2;

fn unrehearsed(config: &mut Config) {
    config.preflight = Preflight::Off;
}

/// A taker of version 1 that serves, with a timer of the test and one of its own.
fn taker(change: impl FnOnce(&mut Config)) -> World {
    let world = World::with(&[("taker", None)], change);
    world.must_swap("active_v1");
    let mailbox = world.manager.tasks().mailbox("taker").unwrap();
    mailbox.set_timer(TIMER, Duration::ZERO, Some(Duration::from_micros(700))).unwrap();
    mailbox.send(START_TIMER, &s_sdk::Value::U64(OWN_TIMER).encode()).unwrap();
    world
}

/// What the module says of its mailbox.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    messages: u64,
    timers: u64,
    signals: u64,
    disordered: u64,
    from: Vec<u64>,
}

fn books(world: &World) -> Books {
    let taker: TakenProxy = world.runtime.proxy("taker").unwrap();
    let read = |act: &s_sdk::Activity| {
        let taken = taker.taken(act)?;
        Ok::<_, s_sdk::CallError>(Books {
            messages: taken.total,
            timers: taken.calls,
            signals: taker.signals(act)?,
            disordered: taker.disordered(act)?,
            from: (0..SENDERS).map(|n| taker.next_of(act, n)).collect::<Result<_, _>>()?,
        })
    };
    world.runtime.worker().serve(read).unwrap()
}

/// Every sender, both timers and the signals get through to the version that serves now.
fn all_get_through(world: &World) {
    let before = books(world);
    eventually("news from everybody", || {
        let now = books(world);
        now.from.iter().zip(&before.from).all(|(now, before)| now > before)
            && now.timers > before.timers
            && now.signals > before.signals
    });
}

/// Threads that number what they send and never stop by themselves.
struct Sending {
    /// Such threads keep every processor busy, so one test has them at a time.
    _alone: MutexGuard<'static, ()>,
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<u64>>,
    signals: JoinHandle<u64>,
}

impl Sending {
    fn start(world: &World) -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = world.manager.tasks();
        let senders = (0..SENDERS).map(|sender| {
            let (stop, tasks) = (Arc::clone(&stop), Arc::clone(tasks));
            let mailbox = tasks.mailbox("taker").unwrap();
            std::thread::spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    let message = numbered(sender, number);
                    // Half of them wait for room, the others come again.
                    let sent = if sender % 2 == 0 {
                        mailbox.send_timeout(NUMBERED, &message, LONG)
                    } else {
                        tasks.send("taker", NUMBERED, &message)
                    };
                    match sent {
                        Ok(()) => number += 1,
                        Err(SendError::Full { .. }) if sender % 2 == 1 => std::thread::yield_now(),
                        Err(error) => panic!("sender {sender}: {error}"),
                    }
                }
                number
            })
        });
        let senders = senders.collect();
        let (stopped, tasks) = (Arc::clone(&stop), Arc::clone(tasks));
        let signals = std::thread::spawn(move || {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                match tasks.signal("taker", number) {
                    Ok(()) => number += 1,
                    Err(SendError::Full { .. }) => {}
                    Err(error) => panic!("signal: {error}"),
                }
                std::thread::sleep(Duration::from_micros(300));
            }
            u64::try_from(number).unwrap()
        });
        Sending { _alone: alone, stop, senders, signals }
    }

    /// Stops them, and demands that everything that was accepted was handled once and in its order.
    fn finish(self, world: &World) {
        self.stop.store(true, Ordering::Relaxed);
        let sent: Vec<u64> =
            self.senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        let signals = self.signals.join().unwrap();
        let mailbox = world.manager.tasks().mailbox("taker").unwrap();
        for timer in [TIMER, OWN_TIMER] {
            assert!(mailbox.cancel_timer(timer), "timer {timer} outlived every swap");
        }
        assert!(mailbox.wait_at_rest(LONG), "{:?}", mailbox.statistics());
        // A timer that was in hand as it was cancelled.
        eventually("rest", || !mailbox.statistics().in_hand);
        let seen = mailbox.statistics();
        assert_eq!((seen.failed, seen.queued, &seen.last_failure), (0, 0, &None), "{seen:?}");
        let messages = sent.iter().sum::<u64>() + 1;
        assert_eq!((seen.messages, seen.signals), (messages, signals));
        let expected = Books { messages, timers: seen.timers, signals, disordered: 0, from: sent };
        assert!(expected.from.iter().all(|sent| *sent > 0) && expected.timers > 0, "{expected:?}");
        assert_eq!(books(world), expected);
    }
}

fn back_and_forth(world: &World, swaps: u32) {
    let sending = Sending::start(world);
    for round in 0..swaps {
        let outcome = world.must_swap(if round % 2 == 0 { "active_v2" } else { "active_v1" });
        assert!(outcome.blackout.is_some(), "its state was moved behind a closed gate");
        // Odd, so that this falls on either version in turn.
        if round % 7 == 6 {
            all_get_through(world);
        }
    }
    sending.finish(world);
}

#[test]
fn many_swaps_of_an_active_module_lose_double_and_reorder_no_message() {
    back_and_forth(&taker(unrehearsed), many(200));
}

#[test]
fn with_a_rehearsal_each_they_lose_double_and_reorder_no_message_either() {
    back_and_forth(&taker(|_| {}), many(15).min(100));
}

#[test]
fn a_swap_that_is_taken_back_in_its_window_loses_no_message() {
    let world = taker(unrehearsed);
    let sending = Sending::start(&world);
    for _ in 0..10 {
        let request = Request::package(package("active_v2")).with_confirm(Confirm::Probation(LONG));
        let ticket = world.manager.begin(request).unwrap();
        eventually("the window", || ticket.phase() == Some(Phase::Confirm));
        assert_eq!(world.version("taker"), "2.0.0");
        all_get_through(&world);
        world.manager.roll_back(ticket.txn()).unwrap();
        let outcome = ticket.wait();
        assert_eq!(outcome.verdict, Verdict::RolledBack, "{outcome}");
        assert!(outcome.doubts.is_empty(), "{outcome}");
        all_get_through(&world);
    }
    sending.finish(&world);
    assert_eq!(world.version("taker"), "1.0.0");
}

/// The old version goes on with the queue, in its order, whenever a successor is refused.
fn refused_while_messages_queue(world: &World, fixture: &str, phase: Phase, reason: &str) {
    let sending = Sending::start(world);
    for _ in 0..10 {
        let outcome = world.swap(fixture);
        let text = outcome.to_string();
        assert_eq!(outcome.verdict, Verdict::Aborted, "{text}");
        assert_eq!(outcome.cause.as_ref().unwrap().phase, phase, "{text}");
        assert!(text.contains(reason) && text.contains("1.0.0 still serving"), "{text}");
        all_get_through(world);
    }
    // What is kept in the books is still there for a successor that is better.
    world.must_swap("active_v2");
    all_get_through(world);
    sending.finish(world);
}

#[test]
fn a_vote_of_no_leaves_the_queue_to_the_old_version() {
    let reason = "the box is too full for me";
    refused_while_messages_queue(&taker(unrehearsed), "active_votes_no", Phase::Prepare, reason);
    refused_while_messages_queue(&taker(|_| {}), "active_votes_no", Phase::Preflight, reason);
}

#[test]
fn a_refused_import_behind_the_closed_gate_leaves_the_queue_to_the_old_version() {
    let reason = "books of others are not mine";
    let refuses = "active_refuses_state";
    refused_while_messages_queue(&taker(unrehearsed), refuses, Phase::MapState, reason);
    refused_while_messages_queue(&taker(|_| {}), refuses, Phase::Preflight, reason);
}

#[test]
fn an_active_module_that_is_refused_as_it_is_added_leaves_no_task() {
    let world = World::with(&[("taker", None)], unrehearsed);
    let outcome = world.swap("active_votes_no");
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    let refused = world.manager.tasks().send("taker", NUMBERED, &numbered(0, 0));
    assert_eq!(refused, Err(SendError::NoTask { component: "taker".into() }));
}

/// Sends until it is refused: how many were accepted, and the refusal.
fn send_until_refused(mailbox: &Mailbox, sender: u32) -> (u64, SendError) {
    let mut accepted = 0;
    loop {
        match mailbox.send_timeout(NUMBERED, &numbered(sender, accepted), LONG) {
            Ok(()) => accepted += 1,
            Err(refusal) => return (accepted, refusal),
        }
    }
}

#[test]
fn a_removal_refuses_senders_and_says_how_many_messages_nobody_took() {
    let world = taker(unrehearsed);
    let mailbox = world.manager.tasks().mailbox("taker").unwrap();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || send_until_refused(&mailbox, sender))
        })
        .collect();
    eventually("messages", || mailbox.statistics().messages > 1000);
    let removed = world.manager.swap(Request::new(vec![Item::Remove("taker".into())])).unwrap();
    assert_eq!(removed.verdict, Verdict::Committed, "{removed}");

    let mut accepted = 1;
    for sender in senders {
        let (sent, refusal) = sender.join().unwrap();
        accepted += sent;
        assert_eq!(refusal, SendError::Stopped { component: "taker".into() });
    }
    let refused = world.manager.tasks().send("taker", NUMBERED, &numbered(0, 0)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "component `taker` has no task: only active modules take messages"
    );
    let seen = mailbox.statistics();
    assert_eq!((seen.failed, seen.queued, seen.in_hand), (0, 0, false), "{seen:?}");
    let told = world.told();
    let left: u64 = told
        .lines()
        .find_map(|line| line.strip_prefix("Warning taker : "))
        .and_then(|line| {
            line.strip_suffix(" messages were left in the mailbox of a removed module")
        })
        .map_or(0, |left| left.parse().unwrap());
    assert_eq!(seen.messages + left, accepted, "{told}");

    // One that comes later begins with an empty mailbox.
    world.must_swap("active_v2");
    let fresh = Books { messages: 0, timers: 0, signals: 0, disordered: 0, from: vec![0; 4] };
    assert_eq!(books(&world), fresh);
}

mod passive {
    //! Takes the place of an active module, and takes no messages.
    use s_sdk::{Activity, Buf, CallError, Host, Module, Refusal, s_module};
    use s_tests::roles::Echo;

    pub(super) struct Passive;

    #[s_module(component = "services", version = "2.0.0")]
    impl Echo for Passive {
        fn echo(&self, _: &Activity, octets: &[u8], into: &mut Buf) -> Result<u32, CallError> {
            into.append(octets)?;
            Ok(2)
        }
    }

    impl Module for Passive {
        fn init(_: Host) -> Result<Self, Refusal> {
            Ok(Passive)
        }
    }
}

#[test]
fn a_module_that_is_not_active_takes_no_messages_whatever_served_before_it() {
    let world = World::with(&[("services", None)], unrehearsed);
    world.must_swap("services_v1");
    world.manager.tasks().send("services", "test.number", &s_sdk::Value::U64(1).encode()).unwrap();
    let passive = || Request::new(vec![Item::Linked(&passive::S_MODULE)]);
    // As long as the active one may come back its mailbox stays.
    let ticket = world.manager.begin(passive().with_confirm(Confirm::Probation(LONG))).unwrap();
    eventually("the window", || ticket.phase() == Some(Phase::Confirm));
    assert!(world.manager.tasks().mailbox("services").is_ok());
    world.manager.roll_back(ticket.txn()).unwrap();
    assert_eq!(ticket.wait().verdict, Verdict::RolledBack);
    assert!(world.manager.tasks().mailbox("services").is_ok());

    let outcome = world.manager.swap(passive()).unwrap();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}");
    let refused = world.manager.tasks().send("services", "test.number", &[]);
    assert_eq!(refused, Err(SendError::NoTask { component: "services".into() }));
}
