//! Who sees what, while others come, go, lag and panic.

use super::*;
use s_sdk::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

fn number(event: &Event) -> u64 {
    match Value::decode(&event.payload) {
        Ok(Value::U64(number)) => number,
        other => panic!("payload of {}: {other:?}", event.tag),
    }
}

fn publish(events: &Events, tag: &str, number: u64) -> usize {
    events.publish(tag, "test", &Value::U64(number).encode()).unwrap()
}

fn drain(subscription: &mut Subscription) -> Vec<u64> {
    std::iter::from_fn(|| subscription.try_recv().unwrap()).map(|event| number(&event)).collect()
}

#[test]
fn an_event_reaches_those_who_asked_for_its_tag_and_is_counted() {
    let events = Events::new();
    let mut exact = events.subscribe("swap.commit", 10).unwrap();
    let mut below = events.subscribe("swap.*", 10).unwrap();
    let mut other = events.subscribe("task.*", 10).unwrap();
    assert_eq!(publish(&events, "swap.commit", 1), 2);
    assert_eq!(publish(&events, "swap.abort", 2), 1);
    assert_eq!(publish(&events, "nobody", 3), 0);
    assert_eq!(
        (drain(&mut exact), drain(&mut below), drain(&mut other)),
        (vec![1], vec![1, 2], vec![])
    );
}

#[test]
fn a_full_queue_counts_what_it_misses_and_disturbs_nobody() {
    let events = Events::new();
    let mut slow = events.subscribe("*", 2).unwrap();
    let mut quick = events.subscribe("*", 100).unwrap();
    let reached: usize = (1..=10).map(|n| publish(&events, "a.b", n)).sum();
    assert_eq!(reached, 12);
    assert_eq!((drain(&mut slow), slow.missed()), (vec![1, 2], 8));
    assert_eq!((drain(&mut quick), quick.missed()), ((1..=10).collect(), 0));
    publish(&events, "a.b", 11);
    assert_eq!(drain(&mut slow), vec![11], "room again");
}

#[test]
fn a_sink_that_panics_is_removed_and_counted_and_the_others_go_on() {
    let events = Events::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let good = {
        let calls = Arc::clone(&calls);
        let count = move |_: &Arc<Event>| {
            calls.fetch_add(1, Ordering::Relaxed);
        };
        events.subscribe_with("*", Arc::new(count)).unwrap()
    };
    let bad = events.subscribe_with("*", Arc::new(|_| std::panic::panic_any("bad sink"))).unwrap();
    let mut after = events.subscribe("*", 10).unwrap();
    assert_eq!(publish(&events, "x", 1), 2);
    assert_eq!(publish(&events, "x", 2), 2);
    assert_eq!((events.panicked_sinks(), events.subscribers()), (1, 2));
    assert!(!events.leave(bad) && events.leave(good) && !events.leave(good));
    publish(&events, "x", 3);
    assert_eq!((calls.load(Ordering::Relaxed), drain(&mut after)), (2, vec![1, 2, 3]));
}

#[test]
fn a_sink_can_publish_join_and_leave() {
    let events = Events::new();
    let mut all = events.subscribe("*", 10).unwrap();
    let joined = Arc::new(Mutex::new(Vec::new()));
    let (inner, kept) = (events.clone(), Arc::clone(&joined));
    let echo = events
        .subscribe_with(
            "ping",
            Arc::new(move |event| {
                assert_eq!(publish(&inner, "pong", number(event)), 1);
                lock(&kept).push(inner.subscribe("pong", 10).unwrap());
            }),
        )
        .unwrap();
    publish(&events, "ping", 7);
    let seen: Vec<_> = std::iter::from_fn(|| all.try_recv().unwrap()).collect();
    assert_eq!(seen.iter().map(|event| &*event.tag).collect::<Vec<_>>(), ["ping", "pong"]);
    assert_eq!(drain(&mut lock(&joined)[0]), [7], "joined before the nested event was delivered");
    assert!(events.leave(echo));
}

#[test]
fn a_newcomer_reads_the_history_that_is_kept() {
    let events = Events::remembering(3);
    for n in 1..=5 {
        publish(&events, "a.b", n);
    }
    let remembered: Vec<u64> =
        events.recent("a.*").unwrap().iter().map(|event| number(event)).collect();
    assert_eq!(remembered, [3, 4, 5]);
    assert!(events.recent("c").unwrap().is_empty());
    let mut newcomer = events.subscribe_with_history("a.b", 1).unwrap();
    publish(&events, "a.b", 6);
    publish(&events, "a.b", 7);
    assert_eq!((drain(&mut newcomer), newcomer.missed()), (vec![3, 4, 5, 6], 1));
}

#[test]
fn misuse_is_refused_with_its_reason() {
    let events = Events::new();
    assert!(matches!(
        events.publish("swap.*", "test", &[]),
        Err(EventError::Tag(TagError::Part { .. }))
    ));
    assert!(matches!(
        events.subscribe("", 1),
        Err(EventError::Tag(TagError::Length { octets: 0 }))
    ));
    let large = vec![0; MAX_PAYLOAD + 1];
    assert_eq!(
        events.publish("a", "test", &large),
        Err(EventError::PayloadTooLarge { octets: MAX_PAYLOAD + 1 })
    );
    assert!(events.recent("*").unwrap().is_empty());
}

#[test]
fn readers_wake_when_an_event_comes_and_when_the_manager_goes() {
    let events = Events::new();
    let mut reader = events.subscribe("*", 10).unwrap();
    assert_eq!(reader.recv_timeout(Duration::from_millis(1)), Ok(None));
    let waiting = std::thread::spawn(move || {
        (reader.by_ref().map(|event| number(&event)).collect::<Vec<_>>(), reader)
    });
    publish(&events, "a", 1);
    publish(&events, "a", 2);
    drop(events);
    let (seen, mut reader) = waiting.join().unwrap();
    assert_eq!((seen, reader.try_recv()), (vec![1, 2], Err(Closed)));
}

/// Steady readers and sinks see every event of two publishers exactly once and in one order, while
/// others join, leave, lag and panic, and newcomers read a history that goes on without a gap.
#[test]
fn joining_and_leaving_disturb_nobody_who_stays() {
    const EACH: u64 = 5_000;
    const PUBLISHERS: u64 = 2;
    let events = Events::remembering(64);
    let total = usize::try_from(EACH * PUBLISHERS).unwrap();
    let steady: Vec<_> = (0..3).map(|_| events.subscribe("load.*", total).unwrap()).collect();
    let mut lagging = events.subscribe("load.*", 16).unwrap();
    let by_sink = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&by_sink);
    events
        .subscribe_with("load.*", Arc::new(move |event| lock(&sink).push(event.sequence)))
        .unwrap();

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|who| {
                let events = &events;
                scope.spawn(move || {
                    for n in 0..EACH {
                        publish(events, &format!("load.p{who}"), n);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut passing = events.subscribe_with_history("*", 8).unwrap();
                    events
                        .subscribe_with(
                            "load.*",
                            Arc::new(|_| std::panic::resume_unwind(Box::new(()))),
                        )
                        .unwrap();
                    let mut last = None;
                    while passing.missed() == 0
                        && let Some(event) = passing.try_recv().unwrap()
                    {
                        // A miss can happen between the look and the read, so look again.
                        assert!(
                            last.is_none_or(|last| event.sequence == last + 1)
                                || passing.missed() > 0,
                            "a gap or a repetition between history and queue: {last:?} then {}",
                            event.sequence
                        );
                        last = Some(event.sequence);
                    }
                }
            });
        }
        for publisher in publishers {
            publisher.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });

    let order: Vec<u64> = (1..=EACH * PUBLISHERS).collect();
    assert_eq!(*lock(&by_sink), order);
    for mut reader in steady {
        let seen: Vec<_> = std::iter::from_fn(|| reader.try_recv().unwrap()).collect();
        assert_eq!(seen.iter().map(|event| event.sequence).collect::<Vec<_>>(), order);
        for who in 0..PUBLISHERS {
            let own: Vec<u64> = seen
                .iter()
                .filter(|e| *e.tag == *format!("load.p{who}"))
                .map(|e| number(e))
                .collect();
            assert_eq!(own, (0..EACH).collect::<Vec<_>>(), "publisher {who}");
        }
        assert_eq!(reader.missed(), 0);
    }
    let read = drain(&mut lagging).len() as u64;
    assert_eq!(read + lagging.missed(), EACH * PUBLISHERS);
    assert!(events.panicked_sinks() > 0);
}
