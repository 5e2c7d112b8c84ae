//! How much a caller may send, how slowly, and how often.
//!
//! A body is read in full before anything is decided about it, so whoever goes away in the middle has begun
//! nothing. Invariant: what one operator has in here at a time is bounded, whatever they send.

use crate::fault::Fault;
use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// What a push may weigh: some packages of the largest size.
pub(crate) const PUSH_OCTETS: usize = 64 << 20;
/// What any other body may weigh.
pub(crate) const BODY_OCTETS: usize = 64 << 10;
/// How long a body may take whatever its pace, and its pace after that.
const GRACE: Duration = Duration::from_secs(10);
const PACE_OCTETS_PER_SECOND: u64 = 64 << 10;
/// How many pushes an operator may begin in this time.
const PUSHES: usize = 10;
const PUSHES_WITHIN: Duration = Duration::from_secs(60);
/// How many packages are received at a time, from all operators.
const RECEIVED_AT_ONCE: usize = 4;
/// How many streams of events there are at a time, and of one operator: a reader who never reads keeps its own.
const STREAMS: usize = 16;
const STREAMS_OF_ONE: usize = 8;

/// Reads a body in full.
pub(crate) async fn whole(body: Body, most: usize) -> Result<Bytes, Fault> {
    let mut octets = Vec::new();
    each(body, most, |data| octets.extend_from_slice(data)).await?;
    Ok(octets.into())
}

/// Hears a caller out before telling it no: one that is still sending would find its connection broken instead.
pub(crate) async fn after_all(body: Body, fault: Fault) -> Fault {
    // Whoever sends too much, or takes long, finds it broken after all.
    let _ = timeout(GRACE, each(body, PUSH_OCTETS, |_| {})).await;
    fault
}

/// Takes each piece of a body as it comes.
async fn each(mut body: Body, most: usize, mut take: impl FnMut(&[u8])) -> Result<(), Fault> {
    let too_large = || Fault::too_large(format!("the body has more than {most} octets"));
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let began = Instant::now();
    let mut taken = 0;
    loop {
        let earned = Duration::from_secs(taken as u64 / PACE_OCTETS_PER_SECOND);
        let frame = timeout_at(began + GRACE + earned, body.frame()).await.map_err(|_| {
            Fault::too_slow(format!(
                "the body comes too slowly: after {GRACE:?} it must keep {PACE_OCTETS_PER_SECOND} octets a second"
            ))
        })?;
        let Some(frame) = frame else { return Ok(()) };
        let frame =
            frame.map_err(|why| Fault::bad_request(format!("the body broke off: {why}")))?;
        if let Some(data) = frame.data_ref() {
            taken += data.len();
            if taken > most {
                return Err(too_large());
            }
            take(data);
        }
    }
}

/// Who did what lately, and who does what now.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    /// When operators pushed. As many as there are operators: only those with the role come here.
    pushes: HashMap<String, VecDeque<Instant>>,
    /// Who has packages on the way.
    receiving: HashSet<String>,
    /// Whose streams of events are open.
    streams: Vec<String>,
}

impl Turns {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Each holder leaves both as good as it found them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a push.
    pub(crate) fn push(&self, operator: &str, now: Instant) -> Result<(), Fault> {
        let mut taken = self.taken();
        let times = taken.pushes.entry(operator.to_owned()).or_default();
        while times.front().is_some_and(|&first| first + PUSHES_WITHIN <= now) {
            times.pop_front();
        }
        match times.front() {
            Some(&first) if times.len() >= PUSHES => Err(Fault::too_many(
                format!("{PUSHES} pushes in {PUSHES_WITHIN:?} are enough for one operator"),
                first + PUSHES_WITHIN - now,
            )),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    /// A turn to send packages: one at a time for each operator, and a few for all.
    pub(crate) fn receive(self: &Arc<Self>, operator: &str) -> Result<Receiving, Fault> {
        let mut taken = self.taken();
        let soon = Duration::from_secs(1);
        if taken.receiving.contains(operator) {
            let message = "an earlier plan or push of yours is still being looked at";
            return Err(Fault::too_many(message, soon));
        }
        if taken.receiving.len() >= RECEIVED_AT_ONCE {
            return Err(Fault::too_many("other operators are sending packages", soon));
        }
        taken.receiving.insert(operator.to_owned());
        Ok(Receiving { turns: Arc::clone(self), operator: operator.to_owned() })
    }
}

impl Turns {
    /// A place for a stream of events.
    pub(crate) fn stream(self: &Arc<Self>, operator: &str) -> Result<Streaming, Fault> {
        let mut taken = self.taken();
        let own = taken.streams.iter().filter(|other| *other == operator).count();
        if own >= STREAMS_OF_ONE || taken.streams.len() >= STREAMS {
            return Err(Fault::too_many(
                format!("{STREAMS_OF_ONE} streams of events for one operator, {STREAMS} for all"),
                Duration::from_secs(1),
            ));
        }
        taken.streams.push(operator.to_owned());
        Ok(Streaming { turns: Arc::clone(self), operator: operator.to_owned() })
    }
}

/// A stream's place, given back when it is dropped.
pub(crate) struct Streaming {
    turns: Arc<Turns>,
    operator: String,
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        if let Some(own) = taken.streams.iter().position(|other| *other == self.operator) {
            taken.streams.swap_remove(own);
        }
    }
}

/// A turn, given back when it is dropped.
pub(crate) struct Receiving {
    turns: Arc<Turns>,
    operator: String,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.turns.taken().receiving.remove(&self.operator);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_ten_pushes_a_minute_and_another_one_has_others() {
        let turns = Turns::default();
        let start = Instant::now();
        for n in 0..10 {
            turns.push("ada", start + Duration::from_secs(n)).unwrap();
        }
        assert!(turns.push("ada", start + Duration::from_secs(59)).is_err());
        turns.push("bob", start + Duration::from_secs(59)).unwrap();
        turns.push("ada", start + Duration::from_secs(60)).unwrap();
        assert!(turns.push("ada", start + Duration::from_secs(60)).is_err(), "one was earned");
    }

    #[test]
    fn one_operator_sends_once_at_a_time_and_all_of_them_four_times() {
        let turns = Arc::new(Turns::default());
        let ada = turns.receive("ada").unwrap();
        assert!(turns.receive("ada").is_err());
        let _others: Vec<_> = ["b", "c", "d"].map(|name| turns.receive(name).unwrap()).into();
        assert!(turns.receive("e").is_err());
        drop(ada);
        turns.receive("ada").unwrap();
    }

    #[test]
    fn streams_are_few_for_all_and_fewer_for_one() {
        let turns = Arc::new(Turns::default());
        let mut ada: Vec<_> = (0..8).map(|_| turns.stream("ada").unwrap()).collect();
        assert!(turns.stream("ada").is_err());
        let _bob: Vec<_> = (0..8).map(|_| turns.stream("bob").unwrap()).collect();
        assert!(turns.stream("eve").is_err());
        ada.pop();
        let _eve = turns.stream("eve").unwrap();
        assert!(turns.stream("ada").is_err(), "the place is taken");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_body_keeps_its_pace_or_is_given_up() {
        let drip = |pause: Duration| {
            Body::from_stream(futures_util::stream::unfold((), move |()| async move {
                tokio::time::sleep(pause).await;
                Some((Ok::<_, std::io::Error>(Bytes::from(vec![0_u8; 1024])), ()))
            }))
        };
        let fault = whole(drip(Duration::from_secs(1)), PUSH_OCTETS).await.unwrap_err();
        assert!(format!("{fault:?}").contains("too slowly"), "{fault:?}");
        let fault = whole(drip(Duration::from_millis(1)), 100 << 10).await.unwrap_err();
        assert!(format!("{fault:?}").contains("more than"), "{fault:?}");
        assert_eq!(whole(Body::from("abc"), 3).await.unwrap(), "abc");
        whole(Body::from("abcd"), 3).await.unwrap_err();
    }
}
