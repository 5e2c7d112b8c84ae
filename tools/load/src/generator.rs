//! One thread that asks without sleeping, in a closed or an open loop.
//!
//! Closed: so many requests are under way, and each answer makes room for the next. Open: a request leaves
//! when its time has come, whether or not earlier ones were answered, and its latency counts from that time.
//! It spins, because an agent that has to wake its manager pays for it. Invariant: an answer is counted once,
//! for the request that it answers, and only after it was looked at.

use crate::batch::Batch;
use crate::question::{Place, Question};
use crate::session::Session;
use crate::{Error, socket};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// So many requests are under way at most.
    pub window: usize,
    /// Requests a second in an open loop; a closed one has none.
    pub rate: Option<f64>,
    /// For so long.
    pub duration: Duration,
    /// A request is given up after so long.
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Answers that were looked at and are right.
    pub answers: u64,
    /// Variables in them.
    pub variables: u64,
    /// Walks that came to their end.
    pub walks: u64,
    /// Requests that were given up.
    pub lost: u64,
    /// Answers that are not right, by what is wrong with them.
    pub wrong: BTreeMap<&'static str, u64>,
    /// How long it took.
    pub elapsed: Duration,
    /// Nanoseconds from request to answer, sorted.
    pub latencies: Vec<u32>,
}

impl Outcome {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// Variables a second.
    pub fn variable_rate(&self) -> f64 {
        self.variables as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile of the latencies in microseconds.
    pub fn latency_us(&self, quantile: f64) -> Option<f64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let at = ((self.latencies.len() as f64) * quantile) as usize;
        let at = at.min(self.latencies.len().checked_sub(1)?);
        self.latencies.get(at).map(|nanos| f64::from(*nanos) / 1000.0)
    }
}

/// The number of the first request.
const FIRST: i32 = 0x0100_0000;

struct Slot {
    request: Vec<u8>,
    place: Place,
    /// When it left, while it is under way.
    sent: Option<Instant>,
}

/// Asks one agent.
///
/// # Errors
/// The system's.
pub fn run(
    agent: SocketAddr,
    session: &mut Session,
    question: &Question,
    load: &Load,
) -> Result<Outcome, Error> {
    let socket = socket(agent)?;
    socket.set_nonblocking(true)?;
    let mut batch = Batch::new(1 << 16);
    let mut slots = Vec::new();
    for number in (FIRST..).take(load.window.max(1)) {
        let mut slot = Slot { request: Vec::new(), place: Place::default(), sent: None };
        question.write(session, number, &slot.place, &mut slot.request);
        slots.push(slot);
    }
    let mut free: Vec<usize> = (0..slots.len()).rev().collect();
    let (mut outcome, mut room) = (Outcome::default(), Vec::new());
    let begin = Instant::now();
    let end = begin + load.duration;
    let interval = load.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
    let (mut due, mut looked) = (begin, begin);
    loop {
        let now = Instant::now();
        let is_over = now >= end;
        // What is to leave now: in an open loop what is due, in a closed one whatever is free.
        while !is_over && (interval.is_none() || due <= now) {
            let Some(at) = free.pop() else { break };
            let Some(slot) = slots.get_mut(at) else { break };
            slot.sent = Some(if interval.is_some() { due } else { now });
            due += interval.unwrap_or_default();
            // What cannot be sent is not answered, and counts as lost.
            let _ = socket.send(&slot.request);
        }
        let count = batch.receive(&socket).unwrap_or(0);
        let heard = Instant::now();
        for from in 0..count {
            let Some((_, octets)) = batch.datagram(from) else { continue };
            let (at, leaves) =
                hear(octets, session, question, &mut slots, heard, &mut outcome, &mut room);
            let Some(at) = at else { continue };
            if leaves && interval.is_none() && heard < end {
                // With the next batch, to where the answer came from.
                if let Some(slot) = slots.get_mut(at) {
                    slot.sent = Some(heard);
                    batch.answer(from, &slot.request);
                }
            } else {
                free.push(at);
            }
        }
        if count > 0 {
            batch.send(&socket);
        } else if heard - looked > Duration::from_millis(20) {
            looked = heard;
            for (at, slot) in slots.iter_mut().enumerate() {
                if slot
                    .sent
                    .is_some_and(|sent| heard.saturating_duration_since(sent) > load.patience)
                {
                    slot.sent = None;
                    outcome.lost += 1;
                    free.push(at);
                }
            }
        }
        if is_over && (free.len() == slots.len() || heard > end + load.patience) {
            break;
        }
    }
    outcome.elapsed = begin.elapsed().min(load.duration.max(Duration::from_nanos(1)));
    outcome.walks = slots.iter().map(|slot| slot.place.ends).sum();
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

/// Looks at an answer: whose it is, and whether its asker goes on with it.
fn hear(
    octets: &[u8],
    session: &mut Session,
    question: &Question,
    slots: &mut [Slot],
    heard: Instant,
    outcome: &mut Outcome,
    room: &mut Vec<u8>,
) -> (Option<usize>, bool) {
    let mut wrong = |what| *outcome.wrong.entry(what).or_default() += 1;
    let number = match session.number(octets) {
        Ok(number) => number,
        Err(what) => {
            wrong(what.0);
            return (None, false);
        }
    };
    let at = number.checked_sub(FIRST).and_then(|at| usize::try_from(at).ok());
    let slot = at.and_then(|at| slots.get_mut(at));
    let Some((slot, sent)) = slot.and_then(|slot| slot.sent.take().map(|sent| (slot, sent))) else {
        wrong("an answer to nothing that is under way");
        return (None, false);
    };
    let checked = session
        .open(&slot.request, octets, room)
        .and_then(|pdu| question.check(&mut slot.place, &pdu));
    match checked {
        Ok(variables) => {
            outcome.answers += 1;
            outcome.variables += variables;
            let nanos = heard.saturating_duration_since(sent).as_nanos();
            outcome.latencies.push(u32::try_from(nanos).unwrap_or(u32::MAX));
        }
        Err(what) => wrong(what.0),
    }
    if question.moves() {
        question.write(session, number, &slot.place, &mut slot.request);
    }
    (at, true)
}
