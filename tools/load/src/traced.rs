//! One thread that asks, each request under a number of its own, and what became of every single one.
//!
//! It sleeps until something comes or is due, so that on a small machine the agent has the processor. It
//! never repeats a request: whoever swallows one is found out. Invariants: every request ends as answered,
//! wrong, refused or lost, and counts once; what comes under a number that has ended already is a duplicate.

use crate::batch::Batch;
use crate::question::{Place, Question};
use crate::session::{Session, Who, Wrong};
use crate::{Error, socket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use s_wire::{Pdu, Value, VarBindList};
use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is asked again and again.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The question.
    pub question: Question,
    /// How often.
    pub pace: Pace,
    /// What is looked at beside names, order and types.
    pub look: Look,
}

/// How often something is asked.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many requests are under way at a time.
    Closed(usize),
    /// So many requests a second, whether or not earlier ones were answered; latency counts from when they
    /// were due.
    Open(f64),
}

/// What is looked at in an answer beside its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Form,
    /// The first variable is a time that never goes back.
    UpTime,
    /// All variables of type INTEGER say which version wrote them: the same one.
    OneVersion,
}

/// A request: when it left or was due, in hundredths of a millisecond from the beginning, and how it ended: in
/// hundredths of a microsecond where that was well.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    left: u32,
    fate: u32,
}

const UNDER_WAY: u32 = u32::MAX;
const LOST: u32 = u32::MAX - 1;
const REFUSED: u32 = u32::MAX - 2;
const WRONG: u32 = u32::MAX - 3;

impl Trace {
    /// When it left, from the beginning.
    pub fn left(&self) -> Duration {
        Duration::from_micros(u64::from(self.left) * 10)
    }

    /// How long its right answer took; none where there was none.
    pub fn took(&self) -> Option<Duration> {
        (self.fate < WRONG).then(|| Duration::from_nanos(u64::from(self.fate) * 10))
    }
}

/// What became of a stream.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Answers that were looked at and are right.
    pub answered: u64,
    /// Requests that were never answered.
    pub lost: u64,
    /// Requests that a Report came back for: the agent was started again, and knows us no more.
    pub refused: u64,
    /// Answers that are not right, by what is wrong with them.
    pub wrong: BTreeMap<&'static str, u64>,
    /// Second answers to the same request.
    pub duplicate: u64,
    /// Answers in which two versions speak.
    pub mixed: u64,
    /// How often the agent's time went back.
    pub went_back: u64,
    /// Each request, in the order in which they left.
    pub traces: Vec<Trace>,
}

impl Told {
    /// How many requests there were.
    pub fn sent(&self) -> u64 {
        self.traces.len() as u64
    }

    /// Microseconds that the right answers took to requests of a time.
    pub fn latencies_us(&self, is_of_it: impl Fn(Duration) -> bool) -> Vec<f64> {
        let asked = self.traces.iter().filter(|trace| is_of_it(trace.left()));
        asked.filter_map(|trace| Some(trace.took()?.as_nanos() as f64 / 1000.0)).collect()
    }

    /// The longest time in which no right answer came, from the first one until nobody asked any more: from
    /// when, and how long.
    pub fn longest_silence(&self) -> Option<(Duration, Duration)> {
        let came = self.traces.iter().filter_map(|trace| Some(trace.left() + trace.took()?));
        let mut came: Vec<_> = came.collect();
        came.sort_unstable();
        came.extend(self.traces.last().map(Trace::left));
        let pairs = came.windows(2).filter_map(|pair| match pair {
            [before, after] => Some((*before, after.saturating_sub(*before))),
            _ => None,
        });
        pairs.max_by_key(|(_, silence)| *silence)
    }
}

/// Somebody who asks until told to stop.
pub struct Asking {
    /// When it began: what traces count from.
    pub began: Instant,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(Vec<Told>, Session), Error>>,
}

/// More streams have no numbers.
const STREAMS: usize = 14;
/// Bits of a number that count requests; above them is the stream.
const COUNTED: u32 = 27;

impl Asking {
    /// Begins to ask; a request that was not answered within `patience` is lost.
    ///
    /// # Errors
    /// The agent does not answer at all.
    pub fn begin(
        agent: SocketAddr,
        who: &Who,
        streams: Vec<Stream>,
        patience: Duration,
    ) -> Result<Self, Error> {
        if streams.len() > STREAMS {
            return Err(format!("at most {STREAMS} streams").into());
        }
        let session = Session::begin(agent, who)?;
        let socket = socket(agent)?;
        socket.set_nonblocking(true)?;
        let (stop, began) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let asker = Asker {
            socket,
            session,
            patience,
            began,
            up_time: 0,
            streams: streams.into_iter().map(|stream| Running::new(stream, began)).collect(),
            under_way: HashMap::new(),
            rooms: Vec::new(),
        };
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("asks".into());
        let thread = thread.spawn(move || asker.run(&told))?;
        Ok(Asking { began, stop, thread })
    }

    /// Stops, waits for the last answers, and says what became of each stream, and how often the agent was
    /// started as it says.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(self) -> Result<(Vec<Told>, Option<u32>), Error> {
        self.stop.store(true, Ordering::Relaxed);
        let (told, session) = self.thread.join().map_err(|_| "the asker has panicked")??;
        Ok((told, session.boots()))
    }
}

/// A stream as it runs.
struct Running {
    stream: Stream,
    told: Told,
    /// Where a closed stream may go on.
    free: Vec<Place>,
    /// When the next request of an open stream is due.
    due: Instant,
    interval: Option<Duration>,
}

impl Running {
    fn new(stream: Stream, began: Instant) -> Self {
        let (free, interval) = match stream.pace {
            Pace::Closed(window) => (vec![Place::default(); window], None),
            Pace::Open(rate) => (Vec::new(), Some(Duration::from_secs_f64(1.0 / rate))),
        };
        Running { stream, told: Told::default(), free, due: began, interval }
    }

    /// When the next request leaves, or was to, and where it is.
    fn next(&mut self, now: Instant) -> Option<(Instant, Place)> {
        match self.interval {
            Some(interval) => {
                let due = (self.due <= now).then_some(self.due)?;
                self.due += interval;
                Some((due, Place::default()))
            }
            None => self.free.pop().map(|place| (now, place)),
        }
    }
}

/// A request under way.
struct Request {
    octets: Vec<u8>,
    place: Place,
    left: Instant,
    /// The agent's time as far as it was known.
    up_time: u32,
}

struct Asker {
    socket: UdpSocket,
    session: Session,
    patience: Duration,
    began: Instant,
    /// The agent's time, as it said last.
    up_time: u32,
    streams: Vec<Running>,
    under_way: HashMap<i32, Request>,
    /// Where requests were that have ended.
    rooms: Vec<Vec<u8>>,
}

/// Which stream and which of its requests a number means.
fn meant(number: i32) -> Option<(usize, usize)> {
    let number = usize::try_from(number).ok()?;
    Some(((number >> COUNTED).checked_sub(1)?, number & ((1 << COUNTED) - 1)))
}

impl Asker {
    fn run(mut self, stop: &AtomicBool) -> Result<(Vec<Told>, Session), Error> {
        const LOOK: Duration = Duration::from_millis(20);
        let (mut batch, mut looked) = (Batch::new(1 << 16), self.began);
        let mut is_over = None;
        loop {
            let now = Instant::now();
            if is_over.is_none() && stop.load(Ordering::Relaxed) {
                is_over = Some(now);
            }
            if is_over.is_none() {
                self.ask(now);
            }
            let count = batch.receive(&self.socket).unwrap_or(0);
            let heard = Instant::now();
            for at in 0..count {
                if let Some((_, octets)) = batch.datagram(at) {
                    self.hear(octets, heard);
                }
            }
            if heard.saturating_duration_since(looked) > LOOK {
                looked = heard;
                self.give_up(heard);
            }
            // Whoever was asked for the last time may yet answer twice.
            if is_over.is_some_and(|over| self.under_way.is_empty() && heard > over + 5 * LOOK) {
                break;
            }
            if count == 0 {
                self.sleep(if is_over.is_some() { LOOK } else { LOOK.min(self.until_due()) })?;
            }
        }
        Ok((self.streams.into_iter().map(|running| running.told).collect(), self.session))
    }

    /// How long nothing is due.
    fn until_due(&self) -> Duration {
        let now = Instant::now();
        let open = self.streams.iter().filter(|running| running.interval.is_some());
        let due = open.map(|running| running.due.saturating_duration_since(now)).min();
        due.unwrap_or(Duration::MAX)
    }

    fn sleep(&self, at_most: Duration) -> Result<(), Error> {
        let at_most = Timespec::try_from(at_most)?;
        let mut wanted = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut wanted, Some(&at_most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what is to leave now.
    fn ask(&mut self, now: Instant) {
        for (at, running) in self.streams.iter_mut().enumerate() {
            while let Some((left, place)) = running.next(now) {
                let (index, since) = (running.told.traces.len(), left - self.began);
                let number = ((at + 1) << COUNTED) | index;
                let Ok(number) = i32::try_from(number) else { return };
                let hundredths = u32::try_from(since.as_micros() / 10).unwrap_or(u32::MAX);
                running.told.traces.push(Trace { left: hundredths, fate: UNDER_WAY });
                let mut octets = self.rooms.pop().unwrap_or_default();
                running.stream.question.write(&mut self.session, number, &place, &mut octets);
                // What cannot be sent is not answered, and is lost.
                let _ = self.socket.send(&octets);
                let request = Request { octets, place, left, up_time: self.up_time };
                self.under_way.insert(number, request);
            }
        }
    }

    fn hear(&mut self, octets: &[u8], heard: Instant) {
        let number = self.session.number(octets);
        let meant = number.ok().and_then(meant);
        let Some((running, index)) =
            meant.and_then(|(stream, index)| Some((self.streams.get_mut(stream)?, index)))
        else {
            // Whose answer it was nobody can tell; somebody's is missing now.
            if let Some(running) = self.streams.first_mut() {
                *running.told.wrong.entry("an answer to nobody").or_default() += 1;
            }
            return;
        };
        let Some(trace) = running.told.traces.get_mut(index) else {
            *running.told.wrong.entry("an answer to nothing that was asked").or_default() += 1;
            return;
        };
        let Some(mut request) = number.ok().and_then(|number| self.under_way.remove(&number))
        else {
            if trace.fate == LOST {
                *running.told.wrong.entry("an answer after it was given up").or_default() += 1;
            } else {
                running.told.duplicate += 1;
            }
            return;
        };
        let mut room = self.rooms.pop().unwrap_or_default();
        let opened = self.session.open(&request.octets, octets, &mut room);
        let seen = opened.and_then(|pdu| {
            running.stream.question.check(&mut request.place, &pdu)?;
            look(running.stream.look, &pdu)
        });
        let is_refused = seen.is_err() && self.session.follow(octets);
        match seen {
            Ok(Seen::Mixed) => {
                running.told.mixed += 1;
                trace.fate = WRONG;
            }
            Ok(Seen::UpTime(time)) if time < request.up_time => {
                running.told.went_back += 1;
                (self.up_time, trace.fate) = (time, WRONG);
            }
            Ok(seen) => {
                if let Seen::UpTime(time) = seen {
                    self.up_time = self.up_time.max(time);
                }
                running.told.answered += 1;
                let took = heard.saturating_duration_since(request.left).as_nanos() / 10;
                trace.fate = u32::try_from(took).unwrap_or(u32::MAX).min(WRONG - 1);
            }
            Err(_) if is_refused => {
                running.told.refused += 1;
                trace.fate = REFUSED;
            }
            Err(Wrong(what)) => {
                *running.told.wrong.entry(what).or_default() += 1;
                trace.fate = WRONG;
            }
        }
        self.rooms.push(room);
        self.end(meant, request);
    }

    /// A request has ended; whoever asked it asks on.
    fn end(&mut self, meant: Option<(usize, usize)>, request: Request) {
        let running = meant.and_then(|(stream, _)| self.streams.get_mut(stream));
        if let Some(running) = running.filter(|running| running.interval.is_none()) {
            running.free.push(request.place);
        }
        self.rooms.push(request.octets);
    }

    fn give_up(&mut self, now: Instant) {
        let patience = self.patience;
        let late = self
            .under_way
            .iter()
            .filter(|(_, request)| now.saturating_duration_since(request.left) > patience);
        let late: Vec<_> = late.map(|(number, _)| *number).collect();
        for number in late {
            let Some(request) = self.under_way.remove(&number) else { continue };
            let meant = meant(number);
            if let Some((stream, index)) = meant
                && let Some(running) = self.streams.get_mut(stream)
                && let Some(trace) = running.told.traces.get_mut(index)
            {
                running.told.lost += 1;
                trace.fate = LOST;
            }
            self.end(meant, request);
        }
    }
}

enum Seen {
    Form,
    UpTime(u32),
    Mixed,
}

fn look(look: Look, pdu: &Pdu<VarBindList<'_>>) -> Result<Seen, Wrong> {
    match look {
        Look::Form => Ok(Seen::Form),
        Look::UpTime => match pdu.bindings.iter().next().map(|bind| bind.value) {
            Some(Value::TimeTicks(time)) => Ok(Seen::UpTime(time)),
            _ => Err(Wrong("no time")),
        },
        Look::OneVersion => {
            let mut versions = pdu.bindings.iter().filter_map(|bind| match bind.value {
                Value::Integer(version) => Some(version),
                _ => None,
            });
            let first = versions.next().ok_or(Wrong("no version"))?;
            Ok(if versions.all(|other| other == first) { Seen::Form } else { Seen::Mixed })
        }
    }
}

#[cfg(test)]
mod tests;
