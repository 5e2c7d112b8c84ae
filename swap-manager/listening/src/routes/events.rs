//! The stream of events: what the swap manager and the modules publish, as it happens.
//!
//! A publisher never waits for a reader: what does not fit a reader's queue is counted, and the reader is told how
//! much it missed. Invariant: no event comes twice, and none is left out without a word.

use super::{By, caller};
use crate::connections::Busy;
use crate::fault::Fault;
use crate::json::shown;
use crate::limits::Streaming;
use crate::shared::Shared;
use axum::extract::{Extension, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use s_events::{Event, Events, SinkId};
use s_package::timestamp::Timestamp;
use s_sdk::value::Value;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{Receiver, channel};

/// Events that wait for a reader.
const QUEUE: usize = 256;
/// How often a quiet stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    tag: Option<String>,
    since: Option<u64>,
}

pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(by): By,
    Query(Wanted { tag, since }): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Fault> {
    let place = shared.turns.stream(&caller(&by)?.name)?;
    let last = headers.get("last-event-id").map(|last| {
        let last = last.to_str().ok().and_then(|last| last.trim().parse().ok());
        last.ok_or_else(|| Fault::bad_request("last-event-id is not a number"))
    });
    let since = last.transpose()?.or(since);
    let stream = Reader::new(shared.manager.events(), tag.as_deref().unwrap_or("*"), since)
        .map_err(|why| Fault::bad_request(why.to_string()))?;
    let stream = stream.kept(place, by.busy());
    let stream = unfold(stream, |mut reader| async move {
        let next = reader.next().await?;
        Some((Ok(next), reader))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// One reader of events.
struct Reader {
    events: Events,
    sink: SinkId,
    remembered: VecDeque<Arc<Event>>,
    queue: Receiver<Arc<Event>>,
    /// What did not fit the queue, and is not told yet.
    missed: Arc<AtomicU64>,
    /// The number of the last event that was sent.
    last: u64,
    /// Given back with the reader.
    held: Option<(Streaming, Busy)>,
}

impl Reader {
    fn new(events: &Events, tag: &str, since: Option<u64>) -> Result<Self, s_events::EventError> {
        let (enter, queue) = channel(QUEUE);
        let missed = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&missed);
        let sink = events.subscribe_with(
            tag,
            Arc::new(move |event| {
                if enter.try_send(Arc::clone(event)).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }),
        )?;
        // An event is remembered before its publisher looks for subscribers: one that came before the sink above is
        // found here, and one that is in both places is known by its number.
        let mut remembered = VecDeque::new();
        let mut last = 0;
        if let Some(since) = since {
            let all = events.recent("*")?;
            let newest = all.last().map_or(0, |event| event.sequence);
            // A number that was not reached yet is from before a restart, which begins again at 1.
            last = if since > newest { 0 } else { since };
            let gap = all.first().map_or(0, |oldest| oldest.sequence.saturating_sub(last + 1));
            missed.fetch_add(gap, Ordering::Relaxed);
            remembered = events.recent(tag)?.into_iter().filter(|e| e.sequence > last).collect();
        }
        Ok(Reader { events: events.clone(), sink, remembered, queue, missed, last, held: None })
    }

    fn kept(mut self, place: Streaming, busy: Busy) -> Self {
        self.held = Some((place, busy));
        self
    }

    async fn next(&mut self) -> Option<Sent> {
        loop {
            let missed = self.missed.swap(0, Ordering::Relaxed);
            if missed > 0 {
                return Some(
                    Sent::default().event("missed").data(json!({ "count": missed }).to_string()),
                );
            }
            let event = match self.remembered.pop_front() {
                Some(event) => event,
                None => self.queue.recv().await?,
            };
            if event.sequence > self.last {
                self.last = event.sequence;
                let id = event.sequence.to_string();
                return Some(
                    Sent::default().id(id).event(&*event.tag).data(data(&event).to_string()),
                );
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.events.leave(self.sink);
    }
}

fn data(event: &Event) -> Json {
    let payload = match Value::decode(&event.payload) {
        Ok(payload) => shown(&payload),
        Err(_) => json!({ "hex": crate::operators::hex(&event.payload) }),
    };
    json!({ "at": moment(event.at), "source": &*event.source, "payload": payload })
}

/// RFC 3339 with microseconds.
fn moment(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let whole = Timestamp::from_unix_seconds(since.as_secs()).unwrap_or(Timestamp::MAX).to_string();
    format!("{}.{:06}Z", whole.trim_end_matches('Z'), since.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(events: &Events, count: u64) {
        for _ in 0..count {
            events.publish("a.b", "test", &Value::Null.encode()).unwrap();
        }
    }

    async fn read(reader: &mut Reader, count: usize) -> Vec<String> {
        let mut read = Vec::new();
        for _ in 0..count {
            let next = tokio::time::timeout(Duration::from_secs(60), reader.next()).await;
            read.push(format!("{:?}", next.unwrap().unwrap()));
        }
        read
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_remembered_comes_first_and_nothing_comes_twice() {
        let events = Events::new();
        publish(&events, 3);
        let mut reader = Reader::new(&events, "a.*", Some(1)).unwrap();
        publish(&events, 1);
        let read = read(&mut reader, 3).await;
        for (event, id) in read.iter().zip(2..) {
            assert!(event.contains(&format!("id: {id}")), "{event}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_slow_reader_is_told_how_much_it_missed() {
        let events = Events::new();
        let mut reader = Reader::new(&events, "*", None).unwrap();
        publish(&events, QUEUE as u64 + 5);
        let read = read(&mut reader, 1).await;
        assert!(read[0].contains("missed") && read[0].contains(":5"), "{read:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_forgotten_is_counted_and_a_restart_is_noticed() {
        let events = Events::remembering(2);
        publish(&events, 5);
        let mut reader = Reader::new(&events, "*", Some(1)).unwrap();
        // 2 and 3 are forgotten; 4 and 5 come.
        let found = read(&mut reader, 3).await;
        assert!(found[0].contains("missed") && found[0].contains(":2"), "{found:?}");
        assert!(found[2].contains("id: 5"), "{found:?}");
        let mut reader = Reader::new(&events, "*", Some(1000)).unwrap();
        let found = read(&mut reader, 3).await;
        assert!(found[0].contains(":3") && found[1].contains("id: 4"), "{found:?}");
    }

    #[test]
    fn a_moment_is_written_to_the_microsecond() {
        let at = UNIX_EPOCH + Duration::from_micros(1_500_000);
        assert_eq!(moment(at), "1970-01-01T00:00:01.500000Z");
    }
}
