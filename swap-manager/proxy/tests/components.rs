//! Components as their callers see them: names, views, gates, and requests that are begun anew.

use s_proxy::gate::Fence;
use s_proxy::{
    Body, Code, Component, ExceptionPolicy, Flipped, Group, NotClosed, Runtime, RuntimeError,
    Surroundings, SwapControl,
};
use s_sdk::abi::Status;
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, CallError, Host, Module, Refusal, Value, s_module};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use template_role::{Tally, TallyProxy};

struct Nothing;
impl Surroundings for Nothing {}

fn host() -> (&'static Runtime, SwapControl) {
    Runtime::start(Arc::new(Nothing), Fence::Everywhere)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn body(control: &SwapControl, component: &'static Component, code: Code) -> Arc<Body> {
    control.create(component, code).expect("the template starts")
}

fn bind(control: &SwapControl, component: &'static Component, code: Code) -> Arc<Body> {
    let body = body(control, component, code);
    let group = control.bind(&[(component, Some(Arc::clone(&body)))]);
    flip_open(control, group);
    body
}

fn flip_open(control: &SwapControl, group: Group) -> Flipped {
    control.take(soon()).expect("the gate is free").flip_open(group)
}

fn first() -> Code {
    Code::linked(&template::S_MODULE)
}

fn second() -> Code {
    Code::linked(&template_next::S_MODULE)
}

#[test]
fn a_name_is_registered_resolved_rebound_and_taken_away_under_its_holders() {
    let (runtime, control) = host();
    let east = runtime.add_component("tally.east").unwrap();
    let west = runtime.add_component("tally.west").unwrap();
    bind(&control, east, first());
    bind(&control, west, second());
    runtime.register("tally", east).unwrap();
    assert_eq!(
        runtime.register("tally", west),
        Err(RuntimeError::NameTaken { name: "tally".into() })
    );

    let named = runtime.named::<TallyProxy>("tally").unwrap();
    let mut worker = runtime.worker();
    let mut add = |amount| worker.serve(|act| named.get().unwrap().add(act, amount)).unwrap();
    assert_eq!(add(5), 5);
    assert_eq!(runtime.rebind("tally", west).unwrap().name(), "tally.east");
    assert_eq!(add(7), 7, "the holder noticed nothing and calls the other component");

    runtime.unregister("tally").unwrap();
    assert!(matches!(named.get(), Err(RuntimeError::NoSuchName { .. })));
    assert!(runtime.component("tally.west").is_some());
    assert!(runtime.unregister("tally.west").is_err(), "a component's own name stays");
    assert!(matches!(runtime.rebind("nobody", west), Err(RuntimeError::NoSuchName { .. })));
}

#[test]
fn an_empty_component_answers_that_nothing_is_bound() {
    let (runtime, _control) = host();
    let component = runtime.add_component("tally").unwrap();
    let proxy: TallyProxy = runtime.proxy("tally").unwrap();
    let mut worker = runtime.worker();
    let absent = CallError::new(CallErrorKind::Absent);
    assert_eq!(worker.serve(|act| proxy.total(act)), Err(absent));
    assert_eq!(worker.serve(|act| component.invoke(act, "total", &[])), Err(absent.into()));
    assert!(matches!(runtime.proxy::<TallyProxy>("tilly"), Err(RuntimeError::NoSuchName { .. })));
}

#[test]
fn a_closed_gate_lets_admitted_activities_pass_and_parks_the_others_for_a_bounded_time() {
    let (runtime, control) = host();
    let (a, b) = (runtime.add_component("a").unwrap(), runtime.add_component("b").unwrap());
    bind(&control, a, first());
    bind(&control, b, first());
    let (in_a, in_b): (TallyProxy, TallyProxy) =
        (runtime.proxy("a").unwrap(), runtime.proxy("b").unwrap());
    let mut inside = runtime.worker();
    let act = inside.activity();
    in_a.add(&act, 1).unwrap();

    let next = [a, b].map(|component| (component, Some(body(&control, component, second()))));
    let deadline = Instant::now() + Duration::from_millis(200);
    let group = control.bind(&next);
    let (closed, drain) = control.close(&group, deadline, Duration::ZERO).unwrap();
    assert_eq!(in_b.add(&act, 1), Ok(1), "pinned to one member, so the other lets it in");
    assert!(
        drain.wait(Instant::now() + Duration::from_millis(20), || true).is_err(),
        "it is still inside"
    );
    assert!(drain.wait(soon(), || false).is_err(), "nobody wants to wait for it any more");

    let outside = std::thread::spawn(move || runtime.worker().serve(|act| in_b.total(act)));
    let parked = outside.join().unwrap();
    assert_eq!(
        parked,
        Err(CallError::new(CallErrorKind::GateTimeout)),
        "nobody waits beyond the deadline"
    );
    drop(act);
    drain.wait(soon(), || true).unwrap();
    drop(closed);
    assert_eq!(inside.serve(|act| in_b.total(act)), Ok(1), "opened on the old version");
    assert_eq!(b.current().version(), "1.0.0");
}

#[test]
fn a_closing_waits_for_activities_from_before_an_open_flip() {
    let (runtime, control) = host();
    let component = runtime.add_component("a").unwrap();
    bind(&control, component, first());
    bind(&control, runtime.add_component("b").unwrap(), first());
    let elsewhere: TallyProxy = runtime.proxy("b").unwrap();
    let (mut worker, mut another) = (runtime.worker(), runtime.worker());
    let old = worker.activity();
    elsewhere.total(&old).unwrap();
    let _met_nothing_yet = another.activity();
    bind(&control, component, second());
    let next = [(component, Some(body(&control, component, first())))];
    let group = control.bind(&next);
    let closed = control.close(&group, Instant::now() + Duration::from_millis(20), Duration::ZERO);
    assert_eq!(closed.err(), Some(NotClosed::OlderActivities));
    drop(old);
    assert!(control.close(&group, soon(), Duration::ZERO).is_ok());
}

#[test]
fn no_activity_sees_half_of_a_group_however_it_is_flipped() {
    let (runtime, control) = host();
    let (a, b) = (runtime.add_component("a").unwrap(), runtime.add_component("b").unwrap());
    bind(&control, a, first());
    bind(&control, b, first());
    let stop = AtomicBool::new(false);
    let seen = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut worker = runtime.worker();
                while !stop.load(Ordering::Relaxed) {
                    let act = worker.activity();
                    let meet = |c: &'static Component| act.enter(c.core()).unwrap().generation % 2;
                    let (one, other) = (meet(a), meet(b));
                    assert_eq!(one, other, "half of a group");
                    assert_eq!((one, other), (meet(a), meet(b)), "pinned to the end");
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // At least so many, and until the callers have met some of them: they may start late.
        for round in (0..).take_while(|&round| round < 300 || seen.load(Ordering::Relaxed) < 1000) {
            let code = if round % 2 == 0 { second } else { first };
            let next = [a, b].map(|component| (component, Some(body(&control, component, code()))));
            let group = control.bind(&next);
            if round % 3 == 0 {
                let (closed, drain) = control.close(&group, soon(), Duration::ZERO).unwrap();
                drain.wait(soon(), || true).unwrap();
                closed.flip(group, true);
            } else {
                let flipped = flip_open(&control, group);
                control.pass(flipped.epoch, soon()).unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(a.current().number() > 300);
}

mod faulty {
    //! A successor that panics in every call.
    use super::*;

    pub(super) struct Faulty;

    #[s_module(component = "tally", version = "3.0.0")]
    impl Tally for Faulty {
        fn add(&self, _: &Activity, _: u64) -> Result<u64, CallError> {
            panic!("planted")
        }
        fn total(&self, _: &Activity) -> Result<u64, CallError> {
            panic!("planted")
        }
    }

    impl Module for Faulty {
        fn init(_: Host) -> Result<Self, Refusal> {
            Ok(Faulty)
        }
    }
}

#[test]
fn a_panicking_call_is_answered_as_the_policy_says() {
    let (runtime, control) = host();
    let component = runtime.add_component("tally").unwrap();
    bind(&control, component, first());
    let proxy: TallyProxy = runtime.proxy("tally").unwrap();
    let mut worker = runtime.worker();
    worker.serve(|act| proxy.add(act, 4)).unwrap();

    let before = component.current();
    let back = || vec![(component, before.body().cloned())];
    bind(&control, component, Code::linked(&faulty::S_MODULE));
    let panicked = Err(CallError::new(CallErrorKind::Panicked));
    component.set_policy(ExceptionPolicy::Fail);
    assert_eq!(worker.serve(|act| proxy.total(act)), panicked);
    component.set_policy(ExceptionPolicy::RetryOnPredecessor);
    assert_eq!(worker.serve(|act| proxy.total(act)), panicked, "no predecessor is kept");

    flip_open(&control, control.bind(&back()));
    control.keep_predecessor(component, true);
    let faulty = bind(&control, component, Code::linked(&faulty::S_MODULE));
    let mut tries = 0;
    let answer = worker.serve(|act| {
        tries += 1;
        proxy.total(act)
    });
    assert_eq!((answer, tries), (Ok(4), 2), "the same request, from its start, on the predecessor");
    assert_eq!(component.current().version(), "3.0.0", "which goes on serving");
    assert_eq!(faulty.panics(), 1);

    // One that handed its state over must be brought back first, whatever the policy.
    for policy in [ExceptionPolicy::RetryOnPredecessor, ExceptionPolicy::Rollback] {
        component.set_policy(policy);
        flip_open(&control, control.bind(&back()));
        control.keep_predecessor(component, false);
        let faulty = bind(&control, component, Code::linked(&faulty::S_MODULE));
        std::thread::scope(|scope| {
            let caller = scope.spawn(move || runtime.worker().serve(|act| proxy.total(act)));
            while faulty.panics() < 1 {
                std::thread::yield_now();
            }
            flip_open(&control, control.bind(&back()));
            assert_eq!(caller.join().unwrap(), Ok(4), "the request waited for the rollback");
        });
    }
}

#[test]
fn a_predecessor_is_left_only_when_no_request_is_on_it() {
    let (runtime, control) = host();
    let component = runtime.add_component("tally").unwrap();
    bind(&control, component, first());
    let proxy: TallyProxy = runtime.proxy("tally").unwrap();
    component.set_policy(ExceptionPolicy::RetryOnPredecessor);
    control.keep_predecessor(component, true);
    let before = component.current();
    bind(&control, component, Code::linked(&faulty::S_MODULE));

    let (inside, go_on) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| {
            runtime.worker().serve(|act| {
                let answer = proxy.total(act);
                if answer.is_ok() {
                    inside.store(true, Ordering::Release);
                    while !go_on.load(Ordering::Acquire) {
                        std::thread::yield_now();
                    }
                }
                answer
            })
        });
        while !inside.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        control.let_predecessor_go(component);
        let shortly = Instant::now() + Duration::from_millis(20);
        assert!(control.leave(component, &before, shortly).is_err(), "a request is on it");
        go_on.store(true, Ordering::Release);
        control.leave(component, &before, soon()).unwrap();
        assert_eq!(caller.join().unwrap(), Ok(0));
    });
    let panicked = Err(CallError::new(CallErrorKind::Panicked));
    let answer = runtime.worker().serve(|act| proxy.total(act));
    assert_eq!(answer, panicked, "nobody turns to it any more");
}

mod wishful {
    //! A module that asks for everything in `init`.
    use super::*;

    pub(super) struct Wishful;

    #[s_module(component = "tally", version = "4.0.0")]
    impl Tally for Wishful {
        fn add(&self, _: &Activity, _: u64) -> Result<u64, CallError> {
            Ok(0)
        }
        fn total(&self, _: &Activity) -> Result<u64, CallError> {
            Ok(0)
        }
    }

    impl Module for Wishful {
        fn init(host: Host) -> Result<Self, Refusal> {
            let refuse = |_| Refusal("not even kept for later".to_owned());
            host.subscribe("weather").map_err(refuse)?;
            host.set_timer(7, Duration::from_secs(1), None).map_err(refuse)?;
            host.publish("hello", &Value::Null).map_err(refuse)?;
            host.send("other", "greeting", &Value::Null).map_err(refuse)?;
            Ok(Wishful)
        }
    }
}

#[test]
fn what_a_module_asks_for_before_it_serves_is_granted_with_the_flip_or_never() {
    #[derive(Default)]
    struct Noted(Mutex<Vec<String>>);
    impl Noted {
        fn note(&self, what: String) -> Status {
            self.0.lock().unwrap().push(what);
            Status::OK
        }
    }
    impl Surroundings for Noted {
        fn publish(&self, component: &str, tag: &str, _: &[u8]) -> Status {
            self.note(format!("{component} publishes {tag}"))
        }
        fn subscribe(&self, component: &str, tag: &str, on: bool) -> Status {
            self.note(format!("{component} subscribes {tag} {on}"))
        }
        fn set_timer(&self, component: &str, id: u64, after: u64, _: u64) -> Status {
            self.note(format!("{component} sets {id} to {after}"))
        }
        fn send(&self, component: &str, kind: &str, _: &[u8]) -> Status {
            self.note(format!("{component} is sent {kind}"))
        }
    }
    let noted = Arc::new(Noted::default());
    let (runtime, control) = Runtime::start(Arc::clone(&noted) as _, Fence::Everywhere);
    let component = runtime.add_component("tally").unwrap();
    let all = || std::mem::take(&mut *noted.0.lock().unwrap());

    drop(body(&control, component, Code::linked(&wishful::S_MODULE)));
    assert_eq!(all(), [""; 0], "one that never serves has asked for nothing");

    let body = body(&control, component, Code::linked(&wishful::S_MODULE));
    let group = control.bind(&[(component, Some(body))]);
    assert_eq!(all(), [""; 0]);
    flip_open(&control, group);
    component.current().body().unwrap().serve();
    let wanted = [
        "tally subscribes weather true",
        "tally sets 7 to 1000000000",
        "tally publishes hello",
        "other is sent greeting",
    ];
    assert_eq!(all(), wanted, "in the order of asking");
}

#[test]
fn a_call_by_name_reaches_methods_and_reports_misfits_by_position() {
    let (runtime, control) = host();
    let component = runtime.add_component("tally").unwrap();
    bind(&control, component, first());
    let mut worker = runtime.worker();
    let act = worker.activity();
    assert_eq!(component.invoke(&act, "add", &[Value::U64(3)]), Ok(Value::U64(3)));
    assert_eq!(component.invoke(&act, "tally.total", &[]), Ok(Value::U64(3)));
    let selector = component.selector("add").unwrap();
    assert_eq!(component.invoke_selected(&act, selector, &[Value::U64(1)]), Ok(Value::U64(4)));
    let misfit = CallError { kind: CallErrorKind::BadArgument, detail: 0 };
    assert_eq!(component.invoke(&act, "add", &[Value::from("x")]), Err(misfit.into()));
    let unknown = CallError::new(CallErrorKind::NotUnderstood);
    assert_eq!(component.invoke(&act, "subtract", &[]), Err(unknown.into()));
    let later = component.selector("subtract").unwrap();
    assert_eq!(component.invoke_selected(&act, later, &[]), Err(unknown.into()));
}
