//! A component's mailbox: bounded messages, bounded signals and timers behind one lock and one wait.
//!
//! Anybody may put in, from any thread; only the component's task takes out. The lock is never held
//! while a module runs, so a handler may send to its own component.

use crate::timers::Timers;
use s_proxy::Runtime;
use s_sdk::abi::Status;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The octets one payload can have: a mailbox is bounded in memory too.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The octets one kind can have.
pub const MAX_KIND: usize = 255;

/// How many timers one component can have.
pub const MAX_TIMERS: usize = 4096;

/// A message: what kind it is, and an encoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its kind; for an event its tag.
    pub kind: Arc<str>,
    /// An encoded value.
    pub payload: Arc<[u8]>,
}

/// Why something was not put into a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no room, or all of it goes to senders that wait already. Nothing was put in.
    #[error(
        "the mailbox of `{component}` is full ({capacity} waiting, {refused} refused so far): send later"
    )]
    Full {
        /// The mailbox's component.
        component: String,
        /// How many it holds.
        capacity: usize,
        /// How many it refused so far, this one included.
        refused: u64,
    },
    /// The task has stopped.
    #[error("the task of `{component}` has stopped: start it before sending")]
    Stopped {
        /// The mailbox's component.
        component: String,
    },
    /// The component has no task.
    #[error("component `{component}` has no task: only active modules take messages")]
    NoTask {
        /// The component.
        component: String,
    },
    /// Kind or payload is too large.
    #[error(
        "a kind of {kind} and a payload of {payload} octets: {MAX_KIND} and {MAX_PAYLOAD} are the most"
    )]
    TooLarge {
        /// The kind's size.
        kind: usize,
        /// The payload's size.
        payload: usize,
    },
}

impl SendError {
    /// What a module that sent is answered.
    pub const fn status(&self) -> Status {
        match self {
            SendError::Full { .. } => Status::FULL,
            SendError::Stopped { .. } => Status::ABSENT,
            SendError::NoTask { .. } => Status::NO_SUCH_NAME,
            SendError::TooLarge { .. } => Status::CAPACITY,
        }
    }
}

/// What happened in one task so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages waiting now.
    pub queued: usize,
    /// Senders waiting for room now.
    pub waiting: usize,
    /// Messages that can wait at most.
    pub capacity: usize,
    /// Whether a piece of work is in hand now: being handled, or waiting at the gate or for a module.
    pub in_hand: bool,
    /// Messages handled.
    pub messages: u64,
    /// Timers handled.
    pub timers: u64,
    /// Signals handled.
    pub signals: u64,
    /// Periods of timers that went by unseen.
    pub skipped: u64,
    /// Pieces of work that no version of the module could handle.
    pub failed: u64,
    /// Messages, signals and timers refused for want of room.
    pub full: u64,
    /// Events among the refused.
    pub missed_events: u64,
    /// The last failure, in words.
    pub last_failure: Option<String>,
}

/// One piece of work for the module.
#[derive(Debug)]
pub(crate) enum Work {
    Message(Message),
    Timer(u64),
    Signal(i32),
}

/// A component's mailbox. Copies are handles on the same one.
#[derive(Clone)]
pub struct Mailbox(Arc<Inner>);

struct Inner {
    runtime: &'static Runtime,
    component: String,
    capacity: usize,
    state: Mutex<State>,
    /// The task waits here for work.
    work: Condvar,
    /// Senders wait here for room, others for rest or for the end.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    signals: VecDeque<i32>,
    timers: Timers,
    /// Senders that wait for room, by ticket, in the order they came.
    waiting: VecDeque<u64>,
    tickets: u64,
    /// Timers and messages take turns, so that neither starves the other.
    timer_next: bool,
    stopping: bool,
    /// The task's thread is gone.
    ended: bool,
    seen: Statistics,
}

impl Mailbox {
    pub(crate) fn new(runtime: &'static Runtime, component: &str, capacity: usize) -> Self {
        Mailbox(Arc::new(Inner {
            runtime,
            component: component.to_owned(),
            capacity: capacity.max(1),
            state: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is whole before anything could panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ===== Putting in =====

    /// The component whose mailbox it is.
    pub fn component(&self) -> &str {
        &self.0.component
    }

    /// Puts a message in.
    ///
    /// # Errors
    /// There is no room, the task has stopped, or the message is too large.
    pub fn send(&self, kind: &str, payload: &[u8]) -> Result<(), SendError> {
        self.send_by(kind, payload, None)
    }

    /// Puts a message in, waiting so long for room, which goes to the senders in the order they came.
    /// The module's own handlers use `send`: room is made
    /// only between them.
    ///
    /// # Errors
    /// There was no room in time, the task has stopped, or the message is too large.
    pub fn send_timeout(
        &self,
        kind: &str,
        payload: &[u8],
        wait: Duration,
    ) -> Result<(), SendError> {
        self.send_by(kind, payload, Some(deadline_after(wait)))
    }

    fn send_by(
        &self,
        kind: &str,
        payload: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), SendError> {
        if kind.len() > MAX_KIND || payload.len() > MAX_PAYLOAD {
            return Err(SendError::TooLarge { kind: kind.len(), payload: payload.len() });
        }
        self.put(Message { kind: kind.into(), payload: payload.into() }, deadline)
    }

    fn put(&self, message: Message, deadline: Option<Instant>) -> Result<(), SendError> {
        let mut state = self.state();
        self.check_running(&state)?;
        // Room goes to those who wait for it first, or a sender that never waits would starve them.
        let ticket = if state.messages.len() + state.waiting.len() < self.0.capacity {
            None
        } else if deadline.is_some() {
            state.tickets += 1;
            let ticket = state.tickets;
            state.waiting.push_back(ticket);
            Some(ticket)
        } else {
            return Err(self.full(&mut state, self.0.capacity));
        };
        if let Some(ticket) = ticket {
            let (woken, outcome) = self.wait_for_room(state, ticket, deadline);
            state = woken;
            state.waiting.retain(|&other| other != ticket);
            if outcome.is_err() {
                // Whoever waited behind has moved up.
                self.0.progress.notify_all();
            }
            outcome?;
        }
        state.messages.push_back(message);
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }

    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        ticket: u64,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'a, State>, Result<(), SendError>) {
        loop {
            if let Err(stopped) = self.check_running(&state) {
                return (state, Err(stopped));
            }
            let before = state.waiting.iter().take_while(|&&other| other != ticket).count();
            if state.messages.len() + before < self.0.capacity {
                return (state, Ok(()));
            }
            let Some(left) = deadline.and_then(time_left) else {
                let full = self.full(&mut state, self.0.capacity);
                return (state, Err(full));
            };
            state = self.wait(&self.0.progress, state, left);
        }
    }

    /// Puts an event in as a message of its tag. One that finds no room is counted.
    pub(crate) fn put_event(&self, event: &s_events::Event) {
        let message = Message { kind: Arc::clone(&event.tag), payload: Arc::clone(&event.payload) };
        if let Err(SendError::Full { .. }) = self.put(message, None) {
            self.state().seen.missed_events += 1;
        }
    }

    /// Passes a signal on to the module. Signals come before messages and timers, in their own order.
    ///
    /// # Errors
    /// As many signals as the mailbox holds messages are waiting, or the task has stopped.
    pub fn signal(&self, number: i32) -> Result<(), SendError> {
        let mut state = self.state();
        self.check_running(&state)?;
        if state.signals.len() >= self.0.capacity {
            return Err(self.full(&mut state, self.0.capacity));
        }
        state.signals.push_back(number);
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }

    /// Starts a timer, or starts it again.
    ///
    /// # Errors
    /// The component has [`MAX_TIMERS`] timers, or the task has stopped.
    pub fn set_timer(
        &self,
        id: u64,
        after: Duration,
        every: Option<Duration>,
    ) -> Result<(), SendError> {
        let mut state = self.state();
        self.check_running(&state)?;
        let now = self.0.runtime.now();
        state.timers.cancel(id);
        if state.timers.len() >= MAX_TIMERS {
            return Err(self.full(&mut state, MAX_TIMERS));
        }
        state.timers.set(now, id, nanos(after), every.map_or(0, nanos));
        drop(state);
        self.0.work.notify_one();
        Ok(())
    }

    /// Stops a timer; false when there was none. One that is in hand already still fires.
    pub fn cancel_timer(&self, id: u64) -> bool {
        self.state().timers.cancel(id)
    }

    fn check_running(&self, state: &State) -> Result<(), SendError> {
        if state.stopping || state.ended {
            return Err(SendError::Stopped { component: self.0.component.clone() });
        }
        Ok(())
    }

    fn full(&self, state: &mut State, capacity: usize) -> SendError {
        state.seen.full += 1;
        SendError::Full { component: self.0.component.clone(), capacity, refused: state.seen.full }
    }

    fn wait<'a>(
        &self,
        on: &Condvar,
        state: MutexGuard<'a, State>,
        most: Duration,
    ) -> MutexGuard<'a, State> {
        on.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
    }

    // ===== Looking =====

    /// What happened so far.
    pub fn statistics(&self) -> Statistics {
        let state = self.state();
        Statistics {
            queued: state.messages.len(),
            waiting: state.waiting.len(),
            capacity: self.0.capacity,
            skipped: state.timers.skipped(),
            ..state.seen.clone()
        }
    }

    /// Waits until no message and no signal waits and none is in hand; false when that took too long.
    pub fn wait_at_rest(&self, wait: Duration) -> bool {
        self.wait_until(wait, |state| {
            state.messages.is_empty() && state.signals.is_empty() && !state.seen.in_hand
        })
    }

    fn wait_until(&self, wait: Duration, done: impl Fn(&State) -> bool) -> bool {
        let deadline = deadline_after(wait);
        let mut state = self.state();
        while !done(&state) {
            let Some(left) = time_left(deadline) else { return false };
            state = self.wait(&self.0.progress, state, left);
        }
        true
    }

    // ===== The task's side =====

    /// Waits for the next piece of work and takes it in hand; `None` when the task is to stop.
    pub(crate) fn next(&self) -> Option<Work> {
        let mut state = self.state();
        loop {
            if state.stopping {
                return None;
            }
            let now = self.0.runtime.now();
            if let Some(work) = state.take(now) {
                state.seen.in_hand = true;
                drop(state);
                // There may be room now.
                self.0.progress.notify_all();
                return Some(work);
            }
            state = match state.timers.next_due() {
                None => self.0.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    self.wait(&self.0.work, state, Duration::from_nanos(due.saturating_sub(now)))
                }
            };
        }
    }

    /// Waits a little with a piece of work in hand; false when the task is to stop.
    pub(crate) fn pause(&self, most: Duration) -> bool {
        let deadline = Instant::now() + most;
        let mut state = self.state();
        while !state.stopping {
            let Some(left) = time_left(deadline) else { return true };
            state = self.wait(&self.0.work, state, left);
        }
        false
    }

    /// Gives a piece of work back that could not be handled before the task stops.
    pub(crate) fn give_back(&self, work: Work) {
        let mut state = self.state();
        state.seen.in_hand = false;
        match work {
            Work::Message(message) => state.messages.push_front(message),
            Work::Signal(number) => state.signals.push_front(number),
            Work::Timer(_) => {}
        }
    }

    pub(crate) fn handled(&self, work: &Work) {
        let mut state = self.state();
        match work {
            Work::Message(_) => state.seen.messages += 1,
            Work::Timer(_) => state.seen.timers += 1,
            Work::Signal(_) => state.seen.signals += 1,
        }
        self.put_down(state);
    }

    pub(crate) fn failed(&self, reason: String) {
        let mut state = self.state();
        state.seen.failed += 1;
        state.seen.last_failure = Some(reason);
        self.put_down(state);
    }

    fn put_down(&self, mut state: MutexGuard<'_, State>) {
        state.seen.in_hand = false;
        drop(state);
        self.0.progress.notify_all();
    }

    /// Tells the task to stop after the piece of work in hand.
    pub(crate) fn stop(&self) {
        self.state().stopping = true;
        self.0.work.notify_all();
        self.0.progress.notify_all();
    }

    /// The task's thread says that it is gone.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.0.progress.notify_all();
    }

    pub(crate) fn wait_for_end(&self, wait: Duration) -> bool {
        self.wait_until(wait, |state| state.ended)
    }

    /// What was accepted and not handled.
    pub(crate) fn take_rest(&self) -> Vec<Message> {
        self.state().messages.drain(..).collect()
    }
}

impl State {
    fn take(&mut self, now: u64) -> Option<Work> {
        if let Some(number) = self.signals.pop_front() {
            return Some(Work::Signal(number));
        }
        if (self.timer_next || self.messages.is_empty())
            && let Some(id) = self.timers.take_due(now)
        {
            self.timer_next = false;
            return Some(Work::Timer(id));
        }
        let message = self.messages.pop_front()?;
        self.timer_next = true;
        Some(Work::Message(message))
    }
}

/// A moment so far ahead; a century stands for what the clock cannot count.
fn deadline_after(wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + wait.min(CENTURY)
}

fn time_left(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_come_first_and_timers_and_messages_take_turns() {
        let mut state = State::default();
        for kind in ["a", "b", "c"] {
            state.messages.push_back(Message { kind: kind.into(), payload: [].into() });
        }
        // Due again at once, always: even that leaves every second turn to a message.
        state.timers.set(0, 7, 0, 1);
        state.signals.extend([15, 1]);
        let order: Vec<String> = (0..9)
            .filter_map(|now| state.take(now))
            .map(|work| match work {
                Work::Message(message) => message.kind.to_string(),
                Work::Timer(id) => id.to_string(),
                Work::Signal(number) => format!("signal {number}"),
            })
            .collect();
        assert_eq!(order, ["signal 15", "signal 1", "a", "7", "b", "7", "c", "7", "7"]);
    }

    #[test]
    fn every_refusal_has_its_own_answer_for_a_module() {
        let component = || "x".to_owned();
        let refusals = [
            (SendError::Full { component: component(), capacity: 1, refused: 1 }, Status::FULL),
            (SendError::Stopped { component: component() }, Status::ABSENT),
            (SendError::NoTask { component: component() }, Status::NO_SUCH_NAME),
            (SendError::TooLarge { kind: 0, payload: 0 }, Status::CAPACITY),
        ];
        for (error, status) in refusals {
            assert_eq!(error.status(), status, "{error}");
        }
    }
}
