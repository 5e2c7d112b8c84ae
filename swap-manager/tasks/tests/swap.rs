//! Active modules under swaps: what is sent is handled once and in order, whatever is swapped meanwhile.

#![expect(clippy::unwrap_used, reason = "a failed unwrap here is a failed test")]

use s_events::Events;
use s_proxy::gate::Fence;
use s_proxy::{Body, Code, Component, ExceptionPolicy, Runtime, Surroundings, SwapControl, Table};
use s_sdk::abi::{ModuleDescriptor, Status};
use s_sdk::{Level, Value};
use s_tasks::{Mailbox, Options, SendError, TaskError, Tasks};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The test's module, which checks what it is given. Two versions that differ in their name only, and
/// one that cannot take a certain kind.
#[expect(unreachable_pub, reason = "written as the author of a module writes it")]
mod module {
    use s_sdk::{Activity, CallError, State, behavior};
    use std::sync::Mutex;

    pub const SENDERS: usize = 4;

    /// What the test asks.
    #[behavior]
    pub trait Account {
        /// A figure: `n` below 4 the number awaited from that sender, then what was out of order, timers,
        /// signals, and events.
        fn figure(&self, act: &Activity, n: u64) -> Result<u64, CallError>;
    }

    #[derive(State, Clone, Default)]
    #[state(kind = "account", version = 1)]
    pub struct Books {
        pub awaited: Vec<u64>,
        pub wrong: u64,
        pub timers: u64,
        pub signals: u64,
        pub events: u64,
    }

    #[derive(Default)]
    pub struct Keeper(pub Mutex<Books>);

    impl Keeper {
        pub fn take(&self, sender: u64, number: u64) {
            let mut books = self.0.lock().unwrap();
            books.awaited.resize(SENDERS, 0);
            let awaited = &mut books.awaited[usize::try_from(sender).unwrap()];
            if *awaited == number {
                *awaited += 1;
            } else {
                books.wrong += 1;
            }
        }

        pub fn figure(&self, n: u64) -> u64 {
            let books = self.0.lock().unwrap();
            match n {
                0..4 => books.awaited.get(usize::try_from(n).unwrap()).copied().unwrap_or(0),
                4 => books.wrong,
                5 => books.timers,
                6 => books.signals,
                _ => books.events,
            }
        }
    }

    macro_rules! version {
        ($name:ident, $file:ident, $version:literal, $poisonous:literal) => {
            pub mod $file {
                use super::*;
                use s_sdk::{Active, CarriesState, Host, Module, Refusal, Value, s_module};
                use std::time::Duration;

                pub struct $name {
                    keeper: Keeper,
                    host: Host,
                }

                #[s_module(component = "account", version = $version, carries_state, active)]
                impl Account for $name {
                    fn figure(&self, _: &Activity, n: u64) -> Result<u64, CallError> {
                        Ok(self.keeper.figure(n))
                    }
                }

                impl Module for $name {
                    fn init(host: Host) -> Result<Self, Refusal> {
                        host.subscribe("load.*").map_err(|error| Refusal(error.to_string()))?;
                        Ok($name { keeper: Keeper::default(), host })
                    }
                }

                impl CarriesState for $name {
                    type State = Books;
                    fn export(&self) -> Books {
                        self.keeper.0.lock().unwrap().clone()
                    }
                    fn import(&self, state: Books) -> Result<(), Refusal> {
                        *self.keeper.0.lock().unwrap() = state;
                        Ok(())
                    }
                }

                impl Active for $name {
                    fn on_message(&self, _: &Activity, kind: &str, payload: &Value) {
                        match (kind, payload) {
                            ("poison", _) if $poisonous => panic!("poisoned"),
                            ("timer", Value::U64(id)) => {
                                let every = Some(Duration::from_micros(500));
                                self.host.set_timer(*id, Duration::ZERO, every).unwrap();
                            }
                            (kind, _) if kind.starts_with("load.") => {
                                self.keeper.0.lock().unwrap().events += 1
                            }
                            (_, Value::U64(number)) => {
                                self.keeper.take(*number >> 32, *number & 0xffff_ffff)
                            }
                            _ => self.keeper.0.lock().unwrap().wrong += 1,
                        }
                    }
                    fn on_timer(&self, _: &Activity, id: u64) {
                        self.keeper.0.lock().unwrap().timers += 1;
                        if id == 2 {
                            self.host.cancel_timer(id).unwrap();
                        }
                    }
                    fn on_signal(&self, _: &Activity, signal: i32) {
                        let mut books = self.keeper.0.lock().unwrap();
                        // Numbered, so that order shows.
                        if books.signals == signal as u64 {
                            books.signals += 1
                        } else {
                            books.wrong += 1
                        }
                    }
                }
            }
        };
    }

    version!(AccountOld, old, "1.0.0", false);
    version!(AccountNew, new, "2.0.0", false);
    version!(AccountBad, bad, "3.0.0", true);
}

use module::{SENDERS, bad, new, old};

const WRONG: u64 = 4;
const TIMERS: u64 = 5;
const SIGNALS: u64 = 6;
const EVENTS: u64 = 7;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

const LONG: Duration = Duration::from_secs(30);

// ===== A host =====

#[derive(Default)]
struct Host {
    tasks: OnceLock<Tasks>,
    events: OnceLock<Events>,
    log: Mutex<Vec<String>>,
    troubles: AtomicU64,
}

struct Shared(Arc<Host>);

fn status<T>(outcome: Result<T, SendError>) -> Status {
    outcome.map_or_else(|error| error.status(), |_| Status::OK)
}

impl Shared {
    fn tasks(&self) -> &Tasks {
        self.0.tasks.get().expect("set before the first module")
    }
}

impl Surroundings for Shared {
    fn log(&self, level: Level, _: &str, version: &str, message: &str) {
        self.0.log.lock().unwrap().push(format!("{level:?} {version}: {message}"));
    }
    fn wall_clock(&self) -> u64 {
        0
    }
    fn count(&self, _: &str, _: &str, _: u64) {}
    fn publish(&self, component: &str, tag: &str, payload: &[u8]) -> Status {
        let events = self.0.events.get().expect("set before the first module");
        events.publish(tag, component, payload).map_or(Status::REFUSED, |_| Status::OK)
    }
    fn subscribe(&self, component: &str, tag: &str, on: bool) -> Status {
        if on {
            self.tasks().subscribe(component, tag).map_or(Status::REFUSED, |()| Status::OK)
        } else {
            self.tasks().unsubscribe(component, tag);
            Status::OK
        }
    }
    fn set_timer(&self, component: &str, id: u64, after: u64, every: u64) -> Status {
        let every = (every != 0).then(|| Duration::from_nanos(every));
        status(self.tasks().set_timer(component, id, Duration::from_nanos(after), every))
    }
    fn cancel_timer(&self, component: &str, id: u64) -> Status {
        status(self.tasks().cancel_timer(component, id))
    }
    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status {
        status(self.tasks().send(component, kind, payload))
    }
    fn resident(&self, _: &str, _: &str, _: u64) -> Result<&'static Table, Status> {
        Err(Status::NO_SUCH_NAME)
    }
    fn trouble(&self, _: &'static Component, _: u64, _: &str) {
        self.0.troubles.fetch_add(1, Ordering::Relaxed);
    }
}

struct Bench {
    host: Arc<Host>,
    runtime: &'static Runtime,
    control: SwapControl,
    component: &'static Component,
    mailbox: Mailbox,
    events: Events,
}

impl Bench {
    fn new(capacity: usize) -> Self {
        let host = Arc::new(Host::default());
        let (runtime, control) =
            Runtime::start(Arc::new(Shared(Arc::clone(&host))), Fence::Everywhere);
        let component = runtime.add_component("account").unwrap();
        let events = Events::new();
        let tasks = host.tasks.get_or_init(|| Tasks::new(runtime, events.clone()));
        host.events.get_or_init(|| events.clone());
        let mailbox = tasks.start(component, Options { capacity, name: String::new() }).unwrap();
        Bench { host, runtime, control, component, mailbox, events }
    }

    fn tasks(&self) -> &Tasks {
        self.host.tasks.get().unwrap()
    }

    /// A swap as the swap manager leads it: HOLD, the state moves, RESTART, TERM.
    fn swap(&self, descriptor: Option<&'static ModuleDescriptor>, keep: bool) {
        let next =
            descriptor.map(|d| self.control.create(self.component, Code::linked(d)).unwrap());
        let before: Option<Arc<Body>> = self.component.current().body().cloned();
        let group = self.control.bind(&[(self.component, next.clone())]);
        let (closed, drain) =
            self.control.close(&group, soon(), Duration::ZERO).expect("the gate is ours");
        drain.wait(soon(), || true).unwrap();
        if let Some(before) = &before {
            before.instance().hold().unwrap();
            if let Some(next) = &next {
                let state = before.instance().export_state(1).unwrap();
                next.instance().import_state(1, &state).unwrap();
            }
        }
        if keep {
            self.control.keep_predecessor(self.component, true);
        }
        let flipped = closed.flip(group, true);
        if let Some(next) = &next {
            next.instance().restart().unwrap();
        }
        closed.open();
        if let Some(next) = &next {
            next.serve();
        }
        self.control.pass(flipped.epoch, soon()).unwrap();
        if let Some(before) = before.filter(|_| !keep) {
            before.instance().term().unwrap();
        }
    }

    fn figure(&self, n: u64) -> u64 {
        let mut worker = self.runtime.worker();
        match worker.serve(|act| self.component.invoke(act, "figure", &[Value::U64(n)])) {
            Ok(Value::U64(figure)) => figure,
            other => panic!("figure {n}: {other:?}"),
        }
    }

    fn wait_for(&self, n: u64, at_least: u64) {
        let deadline = soon();
        while self.figure(n) < at_least {
            assert!(Instant::now() < deadline, "figure {n} stays at {}", self.figure(n));
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

fn numbered(sender: u64, number: u64) -> Vec<u8> {
    Value::U64(sender << 32 | number).encode()
}

// ===== Swaps =====

/// 500 swaps while four senders, a publisher, a periodic timer and signals keep the task busy.
#[test]
fn nothing_is_lost_doubled_or_reordered_over_500_swaps() {
    const SWAPS: usize = 500;
    let bench = Bench::new(64);
    bench.swap(Some(&old::S_MODULE), false);
    bench.mailbox.send("timer", &Value::U64(1).encode()).unwrap();

    let stop = AtomicBool::new(false);
    let (mut sent, mut signalled, mut published) = ([0; SENDERS], 0, 0);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS as u64)
            .map(|sender| {
                let (stop, mailbox) = (&stop, bench.mailbox.clone());
                scope.spawn(move || {
                    let mut number = 0;
                    while !stop.load(Ordering::Relaxed) {
                        match mailbox.send_timeout("work", &numbered(sender, number), LONG) {
                            Ok(()) => number += 1,
                            Err(error) => panic!("sender {sender}: {error}"),
                        }
                    }
                    number
                })
            })
            .collect();
        let signals = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                match bench.tasks().signal("account", number) {
                    Ok(()) => number += 1,
                    Err(SendError::Full { .. }) => {}
                    Err(error) => panic!("signal: {error}"),
                }
                std::thread::sleep(Duration::from_micros(300));
            }
            number
        });
        let publisher = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(bench.events.publish("load.tick", "test", &Value::Null.encode()), Ok(1));
                number += 1;
                std::thread::sleep(Duration::from_micros(300));
            }
            number
        });
        let mut timers = 0;
        for n in 0..SWAPS {
            bench.swap(Some(if n % 2 == 0 { &new::S_MODULE } else { &old::S_MODULE }), false);
            if n % 50 == 49 {
                // The timer was set before the first swap and goes on through all of them.
                bench.wait_for(TIMERS, timers + 1);
                timers = bench.figure(TIMERS);
                for sender in 0..4 {
                    bench.wait_for(sender, bench.figure(sender) + 1);
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        for (sender, thread) in senders.into_iter().enumerate() {
            sent[sender] = thread.join().unwrap();
        }
        signalled = signals.join().unwrap();
        published = publisher.join().unwrap();
    });

    assert!(bench.mailbox.cancel_timer(1));
    assert!(bench.mailbox.wait_at_rest(LONG));
    let seen = bench.mailbox.statistics();
    for (sender, sent) in (0..).zip(sent) {
        assert!(sent > 0);
        assert_eq!(bench.figure(sender), sent, "sender {sender}");
    }
    assert_eq!(bench.figure(WRONG), 0);
    assert_eq!(bench.figure(SIGNALS), signalled as u64);
    assert_eq!(bench.figure(EVENTS) + seen.missed_events, published);
    assert_eq!((seen.failed, seen.queued, seen.in_hand), (0, 0, false), "{seen:?}");
    let handled = sent.iter().sum::<u64>() + 1 + bench.figure(EVENTS);
    assert_eq!((seen.messages, seen.signals), (handled, signalled as u64));
    assert_eq!(bench.host.troubles.load(Ordering::Relaxed), 0);
    assert_eq!(bench.component.current().number(), SWAPS as u64 + 1);
}

/// While the gate is closed the task waits with one message in hand, the rest queues until there is no
/// room, and senders are told so.
#[test]
fn a_closed_gate_lets_the_queue_grow_and_a_full_mailbox_is_reported() {
    let bench = Bench::new(3);
    bench.swap(Some(&old::S_MODULE), false);
    let next = bench.control.create(bench.component, Code::linked(&new::S_MODULE)).unwrap();
    let group = bench.control.bind(&[(bench.component, Some(next))]);
    let (closed, drain) = bench.control.close(&group, soon(), Duration::ZERO).unwrap();
    drain.wait(soon(), || true).unwrap();

    for number in 0..4 {
        bench.mailbox.send_timeout("work", &numbered(0, number), LONG).unwrap();
    }
    let waiting = bench.mailbox.statistics();
    assert_eq!((waiting.queued, waiting.in_hand, waiting.messages), (3, true, 0));
    for refused in 1..=2 {
        let full = SendError::Full { component: "account".into(), capacity: 3, refused };
        assert_eq!(bench.tasks().send("account", "work", &numbered(0, 4)), Err(full));
    }
    assert_eq!(bench.events.publish("load.tick", "test", &Value::Null.encode()), Ok(1));
    assert!(!bench.mailbox.wait_at_rest(Duration::from_millis(20)), "the gate is closed");

    closed.flip(group, true);
    closed.open();
    assert!(bench.mailbox.wait_at_rest(LONG));
    assert_eq!((bench.figure(0), bench.figure(WRONG)), (4, 0));
    let seen = bench.mailbox.statistics();
    assert_eq!((seen.full, seen.missed_events, seen.messages), (3, 1, 4));
}

/// Room goes to the senders in the order they came for it; one that does not wait cannot overtake them.
#[test]
fn senders_that_wait_for_room_get_it_in_their_order() {
    let bench = Bench::new(1);
    let until = |done: &dyn Fn() -> bool| {
        let deadline = soon();
        while !done() {
            assert!(Instant::now() < deadline, "{:?}", bench.mailbox.statistics());
            std::thread::yield_now();
        }
    };
    // No module yet: one message in hand, one in the mailbox, four senders waiting.
    for number in 0..2 {
        bench.mailbox.send_timeout("work", &numbered(0, number), LONG).unwrap();
    }
    std::thread::scope(|scope| {
        for number in 2..6 {
            let mailbox = bench.mailbox.clone();
            scope.spawn(move || mailbox.send_timeout("work", &numbered(0, number), LONG).unwrap());
            until(&|| bench.mailbox.statistics().waiting == usize::try_from(number - 1).unwrap());
        }
        let hurried = bench.mailbox.send_timeout("work", &numbered(1, 0), Duration::from_millis(1));
        assert!(matches!(hurried, Err(SendError::Full { refused: 1, .. })), "{hurried:?}");
        assert_eq!(bench.mailbox.statistics().waiting, 4);
        bench.swap(Some(&old::S_MODULE), false);
    });
    assert!(bench.mailbox.wait_at_rest(LONG));
    assert_eq!((bench.figure(0), bench.figure(WRONG)), (6, 0));
}

/// A gate that stays closed beyond the swap's deadline costs no message either.
#[test]
fn a_swap_that_overruns_its_deadline_costs_no_message() {
    let bench = Bench::new(8);
    bench.swap(Some(&old::S_MODULE), false);
    let next = bench.control.create(bench.component, Code::linked(&new::S_MODULE)).unwrap();
    let group = bench.control.bind(&[(bench.component, Some(next))]);
    let (closed, _) = bench
        .control
        .close(&group, Instant::now() + Duration::from_millis(5), Duration::ZERO)
        .unwrap();
    for number in 0..5 {
        bench.mailbox.send("work", &numbered(0, number)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(bench.mailbox.statistics().failed, 0);
    // Given up: the gate opens on the old version.
    closed.open();
    assert!(bench.mailbox.wait_at_rest(LONG));
    assert_eq!((bench.figure(0), bench.figure(WRONG)), (5, 0));
}

#[test]
fn a_removed_module_leaves_its_messages_to_the_one_that_comes_next() {
    let bench = Bench::new(16);
    bench.swap(Some(&old::S_MODULE), false);
    bench.mailbox.send("work", &numbered(0, 0)).unwrap();
    assert!(bench.mailbox.wait_at_rest(LONG));
    assert_eq!(bench.figure(0), 1);

    bench.swap(None, false);
    for number in 0..10 {
        bench.mailbox.send("work", &numbered(1, number)).unwrap();
    }
    bench.mailbox.set_timer(2, Duration::ZERO, Some(Duration::from_micros(100))).unwrap();
    bench.mailbox.signal(0).unwrap();
    assert!(
        !bench.mailbox.wait_at_rest(Duration::from_millis(20)),
        "nobody is there to handle them"
    );
    assert_eq!(bench.mailbox.statistics().failed, 0);

    bench.swap(Some(&new::S_MODULE), false);
    assert!(bench.mailbox.wait_at_rest(LONG));
    assert_eq!((bench.figure(1), bench.figure(WRONG), bench.figure(SIGNALS)), (10, 0, 1));
    bench.wait_for(TIMERS, 1);
    assert!(!bench.mailbox.cancel_timer(2), "the module's own handler cancelled it");
    assert_eq!(bench.mailbox.statistics().failed, 0);
}

// ===== Failures =====

#[test]
fn a_message_that_no_version_can_handle_is_counted_and_the_next_one_is_handled() {
    let bench = Bench::new(16);
    bench.component.set_policy(ExceptionPolicy::Fail);
    bench.swap(Some(&bad::S_MODULE), false);
    bench.mailbox.send("poison", &Value::Null.encode()).unwrap();
    bench.mailbox.send("work", &[0xff, 0xff]).unwrap();
    bench.mailbox.send("work", &numbered(0, 0)).unwrap();
    assert!(bench.mailbox.wait_at_rest(LONG));
    let seen = bench.mailbox.statistics();
    assert_eq!((seen.failed, seen.messages, bench.figure(0)), (2, 1, 1));
    assert_eq!(
        seen.last_failure.as_deref(),
        Some("message `work` of 2 octets was not handled: the module refused")
    );
    assert_eq!(bench.host.troubles.load(Ordering::Relaxed), 1);
    let log = bench.host.log.lock().unwrap().join("\n");
    assert!(log.contains("Error 3.0.0: panicked: poisoned"), "{log}");
    assert!(
        log.contains("message `poison` of 1 octets was not handled: the module panicked"),
        "{log}"
    );
}

#[test]
fn a_message_that_a_new_version_cannot_handle_is_handled_by_its_predecessor() {
    let bench = Bench::new(16);
    bench.swap(Some(&old::S_MODULE), false);
    bench.component.set_policy(ExceptionPolicy::RetryOnPredecessor);
    bench.swap(Some(&bad::S_MODULE), true);
    bench.mailbox.send("poison", &numbered(0, 0)).unwrap();
    bench.mailbox.send("work", &numbered(1, 0)).unwrap();
    assert!(bench.mailbox.wait_at_rest(LONG));
    let seen = bench.mailbox.statistics();
    assert_eq!((seen.failed, seen.messages), (0, 2), "{seen:?}");
    assert_eq!(
        (bench.figure(0), bench.figure(1)),
        (0, 1),
        "the predecessor took the first, the successor the second"
    );
    assert_eq!(bench.host.troubles.load(Ordering::Relaxed), 1);
}

#[test]
fn a_message_that_a_new_version_cannot_handle_is_handled_after_the_rollback_before_all_later_ones()
{
    let bench = Bench::new(16);
    bench.swap(Some(&old::S_MODULE), false);
    let predecessor = Arc::clone(bench.component.current().body().unwrap());
    assert_eq!(bench.component.policy(), ExceptionPolicy::Rollback);
    bench.swap(Some(&bad::S_MODULE), true);
    bench.mailbox.send("poison", &numbered(0, 0)).unwrap();
    bench.mailbox.send("work", &numbered(0, 1)).unwrap();
    let deadline = soon();
    while bench.host.troubles.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < deadline, "no trouble was reported");
        std::thread::yield_now();
    }
    let group = bench.control.bind(&[(bench.component, Some(predecessor))]);
    let (closed, drain) = bench.control.close(&group, soon(), Duration::ZERO).unwrap();
    drain.wait(soon(), || true).unwrap();
    closed.flip(group, true);
    closed.open();
    assert!(bench.mailbox.wait_at_rest(LONG));
    let seen = bench.mailbox.statistics();
    assert_eq!((seen.failed, seen.messages), (0, 2), "{seen:?}");
    assert_eq!((bench.figure(0), bench.figure(WRONG)), (2, 0));
}

// ===== Start and stop =====

#[test]
fn a_stopped_task_hands_back_what_it_had_not_handled_and_says_so_to_senders() {
    let bench = Bench::new(16);
    for number in 0..3 {
        bench.mailbox.send("work", &numbered(0, number)).unwrap();
    }
    let deadline = soon();
    while !bench.mailbox.statistics().in_hand {
        assert!(Instant::now() < deadline, "the first message is never taken in hand");
        std::thread::yield_now();
    }
    assert!(matches!(
        bench.tasks().start(bench.component, Options::default()),
        Err(TaskError::Taken { component }) if component == "account"
    ));
    let rest = bench.tasks().stop("account", LONG).unwrap();
    let payloads: Vec<_> = rest.iter().map(|message| message.payload.to_vec()).collect();
    assert_eq!(payloads, [numbered(0, 0), numbered(0, 1), numbered(0, 2)]);
    assert_eq!(
        bench.mailbox.send("work", &[]),
        Err(SendError::Stopped { component: "account".into() })
    );
    assert_eq!(
        bench.tasks().signal("account", 1),
        Err(SendError::NoTask { component: "account".into() })
    );
    assert!(matches!(bench.tasks().stop("account", LONG), Err(TaskError::NoTask { .. })));

    bench.swap_in_a_second_task();
    let ended = bench.tasks().stop_all(LONG);
    assert!(matches!(ended.get("account"), Some(Ok(rest)) if rest.is_empty()));
    assert!(bench.tasks().statistics().is_empty());
}

impl Bench {
    fn swap_in_a_second_task(&self) {
        let mailbox = self
            .tasks()
            .start(self.component, Options { capacity: 4, name: "second".into() })
            .unwrap();
        self.swap(Some(&old::S_MODULE), false);
        mailbox.send("work", &numbered(0, 0)).unwrap();
        assert!(mailbox.wait_at_rest(LONG));
        assert_eq!(self.figure(0), 1);
        assert_eq!(
            (self.events.subscribers(), self.tasks().statistics()["account"].messages),
            (1, 1)
        );
    }
}

#[test]
fn a_sender_that_waits_for_room_learns_that_the_task_stopped() {
    let bench = Bench::new(1);
    // No module: the first message is in hand for good, the second fills the mailbox.
    bench.mailbox.send_timeout("work", &[], LONG).unwrap();
    bench.mailbox.send_timeout("work", &[], LONG).unwrap();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| bench.mailbox.send_timeout("work", &[], LONG));
        let rest = bench.tasks().stop("account", LONG).unwrap();
        assert_eq!(rest.len(), 2);
        assert_eq!(sender.join().unwrap(), Err(SendError::Stopped { component: "account".into() }));
    });
}

#[test]
fn what_a_mailbox_cannot_hold_is_refused() {
    let bench = Bench::new(1);
    let large = vec![0; s_tasks::MAX_PAYLOAD + 1];
    assert!(matches!(bench.mailbox.send("work", &large), Err(SendError::TooLarge { kind: 4, .. })));
    assert!(matches!(bench.tasks().subscribe("account", "no tag"), Err(TaskError::Event(_))));
    assert!(matches!(bench.tasks().subscribe("nobody", "load.*"), Err(TaskError::NoTask { .. })));
    bench.tasks().subscribe("account", "load.*").unwrap();
    bench.tasks().subscribe("account", "load.*").unwrap();
    assert_eq!(bench.events.subscribers(), 1, "asking again changes nothing");
    assert!(
        bench.tasks().unsubscribe("account", "load.*")
            && !bench.tasks().unsubscribe("account", "load.*")
    );
    assert_eq!(bench.events.subscribers(), 0);
}
