//! The machine: inputs in, outputs out, one state at a time.
//!
//! It performs nothing and asks no clock. A step consumes a state and returns the next one; each state
//! lives in the file of its phase. Invariants: while the machine has not ended a deadline is armed, so it
//! always ends; it produces exactly one outcome; an answer that nobody waits for changes nothing.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::time::Duration;

use serde::Serialize;

use crate::abort::Abort;
use crate::commit::Commit;
use crate::confirm::Watch;
use crate::deadlines::{Armed, Passed};
use crate::history::{PhaseEvent, PhaseResult, Span};
use crate::load::Load;
use crate::map_state::MapState;
use crate::preflight::Preflight;
use crate::prepare::Prepare;
use crate::quiesce::Quiesce;
use crate::release::Release;
use crate::rollback::Rollback;
use crate::verify::Verify;
use crate::{Cause, Doubt, Outcome, Plan, PlanFault, Reason, Serving, Trouble, Verdict};

/// What the executor performs. The number is the member's place in the plan. Within one transaction
/// every action is handed out at most once, so an answer is never mistaken for another's.
///
/// An action is given up on when its deadline passes, and when the transaction turns back. What it has not
/// done by then it must not do any more, because the next orders contradict it: a late import must not reach
/// a predecessor that serves again. [`Transaction::awaits`] tells; the executor asks it together with the
/// effect. What cannot be stopped, such as a load, is undone by the `Discard` of its member, which comes in
/// any case. Journal actions are performed one after the other in the order in which they were handed out,
/// given up or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Prove the package of a member.
    Verify(usize),
    /// Seal, load and instantiate the successor.
    Load(usize),
    /// Rehearse the successor in a child process.
    Preflight(usize),
    /// Ask the successor, or the module to be removed, for its vote; answered by [`Event::Vote`].
    Prepare(usize),
    /// Append the begin record and allocate what the later records of this transaction need, so that none
    /// of them can fail for want of disk.
    ReserveJournal,
    /// Close the gates of all members and drain them, older generations included: whoever is inside passes
    /// the closed gates, and must not meet state that is being moved. Gives up at its deadline at the
    /// latest; the gates stay closed until an action opens them.
    Quiesce,
    /// Export the predecessor's state into the successor. The predecessor's own state stays as it is.
    MapState(usize),
    /// Append the deciding record, without waiting for the disk.
    WriteCommit,
    /// Move all members' generations at once: all or none.
    Flip,
    /// Open all gates that this transaction closed; open gates stay open.
    OpenGates,
    /// Make the deciding record durable (`fdatasync`).
    SyncJournal,
    /// Put a predecessor to rest, still loaded and with its state.
    Release(usize),
    /// Begin to watch the successors for trouble.
    StartConfirm,
    /// Append the confirm record and make it durable.
    WriteConfirm,
    /// End a predecessor: it may be unloaded.
    Retire(usize),
    /// Append the abort record and make it durable.
    WriteAbort,
    /// Drop a successor: never loaded, half loaded or loaded.
    Discard(usize),
    /// Close the gates again and drain the successors.
    QuiesceBack,
    /// Wake the predecessor and replace its state by the successor's, or leave it untouched and fail.
    MapStateBack(usize),
    /// Append the rollback record, without waiting for the disk.
    WriteRollback,
    /// Make every member's predecessor current and awake, whatever is current now: all or none. An activity
    /// that is still on a successor (it was not drained) finishes there, and gets an error instead of
    /// entering another member: it would meet both sides of the group.
    FlipBack,
    /// Open all gates that this transaction closed; open gates stay open.
    OpenGatesBack,
    /// Make the rollback record durable (`fdatasync`).
    SyncRollback,
}

impl Action {
    /// The member that it concerns; `None` for the group or the journal.
    pub fn member(&self) -> Option<usize> {
        match *self {
            Self::Verify(m)
            | Self::Load(m)
            | Self::Preflight(m)
            | Self::Prepare(m)
            | Self::MapState(m)
            | Self::Release(m)
            | Self::Retire(m)
            | Self::Discard(m)
            | Self::MapStateBack(m) => Some(m),
            _ => None,
        }
    }

    /// Its name in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Verify(_) => "verify",
            Self::Load(_) => "load",
            Self::Preflight(_) => "preflight",
            Self::Prepare(_) => "prepare",
            Self::ReserveJournal => "reserve_journal",
            Self::Quiesce => "quiesce",
            Self::MapState(_) => "map_state",
            Self::WriteCommit => "write_commit",
            Self::Flip => "flip",
            Self::OpenGates => "open_gates",
            Self::SyncJournal => "sync_journal",
            Self::Release(_) => "release",
            Self::StartConfirm => "start_confirm",
            Self::WriteConfirm => "write_confirm",
            Self::Retire(_) => "retire",
            Self::WriteAbort => "write_abort",
            Self::Discard(_) => "discard",
            Self::QuiesceBack => "quiesce_back",
            Self::MapStateBack(_) => "map_state_back",
            Self::WriteRollback => "write_rollback",
            Self::FlipBack => "flip_back",
            Self::OpenGatesBack => "open_gates_back",
            Self::SyncRollback => "sync_rollback",
        }
    }
}

/// A member's answer to [`Action::Prepare`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vote {
    /// Ready to take over, or to leave.
    Yes,
    /// Not now, and why.
    No(String),
}

/// What the executor reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An action has done its work.
    Done(Action),
    /// An action could not do its work, and why.
    Failed(Action, String),
    /// A member has voted.
    Vote {
        /// Its place in the plan.
        member: usize,
        /// What it said.
        vote: Vote,
    },
    /// A successor did badly after the flip.
    Trouble {
        /// Its place in the plan.
        member: usize,
        /// What happened.
        trouble: Trouble,
    },
}

/// What the operator can ask of a running transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Keep the new versions without waiting for the end of the confirm window.
    Confirm,
    /// Give up before anything is decided.
    Abort,
    /// Bring the old versions back after the commit.
    Rollback,
}

/// Why the operator's wish cannot be granted; nothing has changed by asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The deciding record is being written, or is written.
    #[error("the swap is decided (phase {0}); ask for a rollback instead")]
    Decided(Phase),
    /// There is nothing to roll back yet.
    #[error("the swap is not committed yet (phase {0}); ask for an abort instead")]
    NotCommitted(Phase),
    /// The confirm window is not open.
    #[error("there is nothing to confirm in phase {0}; wait for the confirm phase")]
    NothingToConfirm(Phase),
    /// The swap is confirmed already.
    #[error(
        "the swap is confirmed and its predecessors are going; swap to the older version instead"
    )]
    Confirmed,
    /// The swap is being taken back already.
    #[error("the swap is being taken back already (phase {0})")]
    TakenBack(Phase),
    /// The transaction has ended.
    #[error("the swap has ended; see its outcome in the history")]
    Ended,
}

/// The phases of a swap, named as everywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each phase is described at the head of its file")]
pub enum Phase {
    Verify,
    Load,
    Preflight,
    Prepare,
    Quiesce,
    MapState,
    Commit,
    Release,
    Confirm,
    Abort,
    Rollback,
}

impl Phase {
    /// Its name in events, logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Load => "load",
            Self::Preflight => "preflight",
            Self::Prepare => "prepare",
            Self::Quiesce => "quiesce",
            Self::MapState => "map_state",
            Self::Commit => "commit",
            Self::Release => "release",
            Self::Confirm => "confirm",
            Self::Abort => "abort",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the machine wants from its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Perform this and answer with an event; an answer after `until` is no answer.
    Perform {
        /// What to do.
        action: Action,
        /// The deadline, on the caller's clock.
        until: Duration,
    },
    /// Publish this.
    Event(PhaseEvent),
    /// The transaction has ended; comes exactly once, and only [`Output::Idle`] follows.
    Ended(Box<Outcome>),
    /// Nothing to do until an event comes, or until this instant on the caller's clock.
    Timeout(Duration),
    /// Nothing to do, ever again.
    Idle,
}

/// A running swap.
#[derive(Debug)]
pub struct Transaction {
    state: State,
    cx: Context,
}

/// Where the transaction stands; each variant is explained in the file of its phase.
#[derive(Debug)]
pub(crate) enum State {
    Verify(Verify),
    Load(Load),
    Preflight(Preflight),
    Prepare(Prepare),
    Quiesce(Quiesce),
    MapState(MapState),
    Commit(Commit),
    Release(Release),
    Confirm(Watch),
    Abort(Abort),
    Rollback(Rollback),
    Ended,
}

/// An input as the phases see it.
#[derive(Debug)]
pub(crate) enum Input {
    Done(Action),
    Failed(Action, Reason),
    Trouble(usize, Trouble),
    /// The phase's deadline has passed.
    Late,
    /// The deadline of the whole has passed.
    Overdue,
    Control(Control),
}

impl Transaction {
    /// Begins a transaction; `now` is any monotonic clock, the same one in all later calls.
    ///
    /// # Errors
    /// A plan that cannot be carried out.
    pub fn begin(plan: Plan, now: Duration) -> Result<Self, PlanFault> {
        plan.check()?;
        let mut cx = Context::new(plan, now);
        let state = Verify::enter(&mut cx, now);
        Ok(Self { state, cx })
    }

    /// Takes in what the executor reports.
    pub fn handle_event(&mut self, now: Duration, event: Event) {
        self.handle_timeout(now);
        if let Event::Done(action) | Event::Failed(action, _) = &event {
            self.cx.answered(*action);
        }
        if let Event::Vote { member, .. } = &event {
            self.cx.answered(Action::Prepare(*member));
        }
        let input = match event {
            // Having come to an end is not a vote.
            Event::Done(Action::Prepare(_)) => return,
            Event::Done(action) => Input::Done(action),
            Event::Failed(action, why) => Input::Failed(action, Reason::Failed(why)),
            Event::Vote { member, vote: Vote::Yes } => Input::Done(Action::Prepare(member)),
            Event::Vote { member, vote: Vote::No(why) } => {
                Input::Failed(Action::Prepare(member), Reason::VotedNo(why))
            }
            Event::Trouble { member, trouble } => Input::Trouble(member, trouble),
        };
        self.step(now, input);
    }

    /// Takes in when the gates were closed: later than ordered by what was done while they were open. To be
    /// told before they are open again.
    pub fn gates_were_closed(&mut self, at: Duration) {
        if let Some(closed) = &mut self.cx.gates_closed_at {
            *closed = at.max(*closed);
        }
    }

    /// Takes in the operator's wish.
    ///
    /// # Errors
    /// Why the wish cannot be granted in this phase.
    pub fn handle_control(&mut self, now: Duration, control: Control) -> Result<(), Refusal> {
        self.handle_timeout(now);
        let Some(phase) = self.phase() else { return Err(Refusal::Ended) };
        let confirmed = matches!(&self.state, State::Confirm(watch) if watch.is_over());
        match (phase, control) {
            (Phase::Abort | Phase::Rollback, _) => return Err(Refusal::TakenBack(phase)),
            (Phase::Confirm, _) if confirmed => return Err(Refusal::Confirmed),
            (Phase::Confirm, Control::Confirm) => {}
            (_, Control::Confirm) => return Err(Refusal::NothingToConfirm(phase)),
            (Phase::Commit | Phase::Release | Phase::Confirm, Control::Abort) => {
                return Err(Refusal::Decided(phase));
            }
            (Phase::Commit | Phase::Release | Phase::Confirm, Control::Rollback) => {}
            (_, Control::Rollback) => return Err(Refusal::NotCommitted(phase)),
            (_, Control::Abort) => {}
        }
        self.step(now, Input::Control(control));
        Ok(())
    }

    /// Takes in that time has passed; calling it too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.cx.armed.passed(now) {
            Some(Passed::Phase) => self.step(now, Input::Late),
            Some(Passed::Whole) => self.step(now, Input::Overdue),
            None => {}
        }
    }

    /// What to do next; to be called after every input until it answers `Timeout` or `Idle`.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.out.pop_front() {
            return output;
        }
        self.cx.armed.next().map_or(Output::Idle, Output::Timeout)
    }

    /// The phase it is in; `None` once it has ended.
    pub fn phase(&self) -> Option<Phase> {
        self.cx.span.map(|(phase, _)| phase)
    }

    /// Whether this action was ordered, is not answered, and is not given up on; as of the last input, so
    /// [`Transaction::handle_timeout`] comes first.
    pub fn awaits(&self, action: Action) -> bool {
        self.cx.awaited.contains(&action)
    }

    /// The plan that it carries out.
    pub fn plan(&self) -> &Plan {
        &self.cx.plan
    }

    fn step(&mut self, now: Duration, input: Input) {
        let cx = &mut self.cx;
        self.state = match mem::replace(&mut self.state, State::Ended) {
            State::Verify(phase) => phase.handle(cx, now, input),
            State::Load(phase) => phase.handle(cx, now, input),
            State::Preflight(phase) => phase.handle(cx, now, input),
            State::Prepare(phase) => phase.handle(cx, now, input),
            State::Quiesce(phase) => phase.handle(cx, now, input),
            State::MapState(phase) => phase.handle(cx, now, input),
            State::Commit(phase) => phase.handle(cx, now, input),
            State::Release(phase) => phase.handle(cx, now, input),
            State::Confirm(phase) => phase.handle(cx, now, input),
            State::Abort(phase) => phase.handle(cx, now, input),
            State::Rollback(phase) => phase.handle(cx, now, input),
            State::Ended => State::Ended,
        };
    }
}

/// What all phases share: the plan, the timers, the outbox, and the facts that the outcome needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) plan: Plan,
    armed: Armed,
    out: VecDeque<Output>,
    began: Duration,
    /// The open phase and its beginning.
    span: Option<(Phase, Duration)>,
    spans: Vec<Span>,
    gates_closed_at: Option<Duration>,
    blackout: Option<Duration>,
    rollback_blackout: Option<Duration>,
    /// Members whose successor may be loaded.
    loaded: Vec<usize>,
    /// Whether the journal may hold a begin record of this transaction.
    begun: bool,
    doubts: Vec<Doubt>,
    /// Ordered, not answered, not given up on.
    awaited: Vec<Action>,
}

impl Context {
    fn new(plan: Plan, now: Duration) -> Self {
        let mut armed = Armed::default();
        armed.arm_whole(now.saturating_add(plan.deadlines.whole));
        Self {
            plan,
            armed,
            out: VecDeque::new(),
            began: now,
            span: None,
            spans: Vec::new(),
            gates_closed_at: None,
            blackout: None,
            rollback_blackout: None,
            loaded: Vec::new(),
            begun: false,
            doubts: Vec::new(),
            awaited: Vec::new(),
        }
    }

    /// Opens a phase and arms its deadline.
    pub(crate) fn open(&mut self, phase: Phase, now: Duration, limit: Duration) {
        self.span = Some((phase, now));
        self.limit(now, limit);
    }

    /// From here the swap cannot be aborted, or is being aborted: the deadline of the whole is done.
    pub(crate) fn whole_is_over(&mut self) {
        self.armed.disarm_whole();
    }

    /// Arms the deadline of the current phase anew, for its next step; what was ordered before is over.
    pub(crate) fn limit(&mut self, now: Duration, limit: Duration) {
        self.awaited.clear();
        self.armed.arm_phase(now.saturating_add(limit));
    }

    /// Closes the current phase and announces it.
    pub(crate) fn close(&mut self, now: Duration, result: PhaseResult) {
        let Some((phase, began)) = self.span.take() else { return };
        let span = Span { phase, began, took: now.saturating_sub(began), result };
        self.spans.push(span);
        let blackout = match phase {
            Phase::Commit | Phase::Abort => self.blackout,
            Phase::Rollback => self.rollback_blackout.or(self.blackout),
            _ => None,
        };
        self.out.push_back(Output::Event(PhaseEvent { txn: self.plan.id, span, blackout }));
    }

    pub(crate) fn perform(&mut self, action: Action) {
        match action {
            Action::Load(m) => self.loaded.push(m),
            Action::ReserveJournal => self.begun = true,
            _ => {}
        }
        let until = self.armed.next().unwrap_or(Duration::MAX);
        self.awaited.push(action);
        self.out.push_back(Output::Perform { action, until });
    }

    fn answered(&mut self, action: Action) {
        self.awaited.retain(|awaited| *awaited != action);
    }

    /// The blackout begins with the order to close the gates, unless whoever closed them says when he did.
    pub(crate) fn gates_close(&mut self, now: Duration) {
        self.gates_closed_at.get_or_insert(now);
    }

    /// The first opening ends the blackout of the swap, a second one that of its rollback.
    pub(crate) fn gates_open(&mut self, now: Duration) {
        let Some(closed) = self.gates_closed_at.take() else { return };
        let dark = Some(now.saturating_sub(closed));
        if self.blackout.is_none() {
            self.blackout = dark;
        } else {
            self.rollback_blackout = dark;
        }
    }

    pub(crate) fn gates_are_closed(&self) -> bool {
        self.gates_closed_at.is_some()
    }

    pub(crate) fn loaded(&self) -> Vec<usize> {
        self.loaded.clone()
    }

    pub(crate) fn begun(&self) -> bool {
        self.begun
    }

    /// A cause in the current phase.
    pub(crate) fn cause(&self, member: Option<usize>, reason: Reason) -> Cause {
        let phase = self.span.map_or(Phase::Verify, |(phase, _)| phase);
        Cause::new(&self.plan, phase, member, reason)
    }

    pub(crate) fn doubt(&mut self, action: Action, why: String) {
        let component = action.member().map(|m| self.plan.members[m].component.clone());
        self.doubts.push(Doubt::Step { action, component, why });
    }

    pub(crate) fn state_at_commit(&mut self, member: usize, why: &str) {
        let component = self.plan.members[member].component.clone();
        self.doubts.push(Doubt::StateAtCommit { component, why: why.to_owned() });
    }

    /// Ends the transaction with its one outcome.
    pub(crate) fn end(
        &mut self,
        now: Duration,
        verdict: Verdict,
        cause: Option<Cause>,
        successors_serve: bool,
    ) -> State {
        let sound = self.doubts.is_empty() && verdict != Verdict::Unreachable;
        self.close(now, if sound { PhaseResult::Passed } else { PhaseResult::Failed });
        self.armed.disarm();
        self.awaited.clear();
        let serving = self.plan.members.iter().map(|m| Serving {
            component: m.component.clone(),
            version: if successors_serve { m.to() } else { m.from() }.map(str::to_owned),
        });
        let outcome = Outcome {
            txn: self.plan.id,
            verdict,
            cause,
            serving: serving.collect(),
            doubts: mem::take(&mut self.doubts),
            blackout: self.blackout,
            rollback_blackout: self.rollback_blackout,
            took: now.saturating_sub(self.began),
            phases: mem::take(&mut self.spans),
        };
        self.out.push_back(Output::Ended(Box::new(outcome)));
        State::Ended
    }
}
