//! One running swap: the transaction says what, this does it.
//!
//! Slow actions before the gate closes (verify, load, preflight, prepare) run side by side, each on a
//! thread of its own. Everything from the closed gate to the open one runs on one thread, one action
//! after the other, without handing over. Whoever brings an answer goes on with what it leads to.
//!
//! Invariant: no lock is held while a module's code runs, except that of its own member; so a module that
//! hangs stops its own swap and nothing else, and the timing service can take that swap over.

use crate::manager::Inner;
use crate::member::{Member, Source};
use crate::request::Versions;
use crate::timing::Report;
use s_proxy::{Body, Closed, Group};
use s_transaction::journal::{Bound, Digest, Set};
use s_transaction::{Action, Confirm, Control, Event, Outcome, Output, PhaseEvent, Plan, Refusal, Transaction, Trouble, Vote};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

pub(crate) struct Execution {
    pub(crate) inner: Arc<Inner>,
    pub(crate) txn: u64,
    pub(crate) components: Vec<String>,
    machine: Mutex<Machine>,
    members: Vec<Mutex<Member>>,
    gate: Mutex<GateState>,
    after: Versions,
    set_before: Set,
    /// The set after the swap, made before the gate closes.
    set_after: Mutex<Option<Set>>,
    by_operator: bool,
    ended: Mutex<Option<Outcome>>,
    ending: Condvar,
}

struct Machine {
    transaction: Transaction,
    next_deadline: Option<Duration>,
}

#[derive(Default)]
struct GateState {
    closed: Option<Closed>,
    group: Option<Group>,
    /// The epoch of the last flip of this swap.
    epoch: Option<u64>,
    /// Successors are current.
    flipped: bool,
    /// Phase events of the closed gate: told after it opened, because listeners take time.
    untold: Vec<PhaseEvent>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leads a successor through its life in a confined child, with a copy of the real state.
pub(crate) fn rehearse(
    inner: &Inner,
    rehearsal: &s_preflight::Rehearsal,
    sealed: &s_loader::Sealed,
    admitted: &s_package::admit::Admitted,
    predecessor: Option<&Body>,
) -> Result<(), String> {
    let state = match (&admitted.manifest().module.state, predecessor) {
        (Some(state), Some(predecessor)) => crate::member::copy_of_state(predecessor, state)?,
        _ => None,
    };
    let request = s_preflight::Request {
        predecessor: predecessor.map_or_else(String::new, |body| body.version().to_owned()),
        state,
        replays: inner.replays(admitted.manifest().module.component.as_str()),
        components: inner.runtime.components().iter().map(|c| c.name().to_owned()).collect(),
        residents: Vec::new(),
    };
    let report = rehearsal.rehearse(sealed, &request).map_err(|error| error.to_string())?;
    for warning in &report.warnings {
        inner.warn(admitted.manifest().module.component.as_str(), warning);
    }
    if let Some(reason) = &report.would_pin {
        inner.warn(admitted.manifest().module.component.as_str(), &format!("will stay loaded when it is replaced: {reason}"));
    }
    Ok(())
}

impl Execution {
    pub(crate) fn new(
        inner: Arc<Inner>,
        plan: Plan,
        members: Vec<Member>,
        after: Versions,
    ) -> Result<Arc<Self>, s_transaction::PlanFault> {
        let set_before = inner.set();
        let txn = plan.id;
        let by_operator = matches!(plan.confirm, Confirm::ByOperator(_));
        let transaction = Transaction::begin(plan, inner.now())?;
        Ok(Arc::new(Execution {
            components: members.iter().map(|member| member.component.name().to_owned()).collect(),
            members: members.into_iter().map(Mutex::new).collect(),
            machine: Mutex::new(Machine { transaction, next_deadline: None }),
            gate: Mutex::default(),
            ended: Mutex::default(),
            ending: Condvar::new(),
            inner,
            txn,
            after,
            set_before,
            set_after: Mutex::default(),
            by_operator,
        }))
    }

    /// Waits for the end.
    pub(crate) fn wait(&self) -> Outcome {
        let mut ended = lock(&self.ended);
        loop {
            match &*ended {
                Some(outcome) => return outcome.clone(),
                None => ended = self.ending.wait(ended).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// The outcome, if it has ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        lock(&self.ended).clone()
    }

    /// The phase it is in.
    pub(crate) fn phase(&self) -> Option<s_transaction::Phase> {
        lock(&self.machine).transaction.phase()
    }

    /// The operator's wish.
    pub(crate) fn control(self: &Arc<Self>, control: Control) -> Result<(), Refusal> {
        lock(&self.machine).transaction.handle_control(self.inner.now(), control)?;
        self.go_on();
        Ok(())
    }

    /// Something went wrong in a generation: ours?
    pub(crate) fn trouble(self: &Arc<Self>, report: &Report) {
        let Some(member) = self.components.iter().position(|name| *name == report.component) else { return };
        // A member whose code runs just now is not serving its successor yet, or is being taken back.
        let ours = match self.members[member].try_lock() {
            Ok(member) => member.generation == Some(report.generation),
            Err(TryLockError::Poisoned(member)) => member.into_inner().generation == Some(report.generation),
            Err(TryLockError::WouldBlock) => false,
        };
        if ours {
            let trouble = Trouble::Panic(report.message.clone());
            self.answer(Event::Trouble { member, trouble });
            self.go_on();
        }
    }

    pub(crate) fn look_at_deadlines(self: &Arc<Self>) {
        let now = self.inner.now();
        {
            let mut machine = lock(&self.machine);
            if machine.next_deadline.is_none_or(|deadline| now < deadline) {
                return;
            }
            machine.transaction.handle_timeout(now);
        }
        self.go_on();
    }

    fn answer(&self, event: Event) {
        lock(&self.machine).transaction.handle_event(self.inner.now(), event);
    }

    /// Does what the transaction wants, until it wants to wait.
    pub(crate) fn go_on(self: &Arc<Self>) {
        loop {
            let output = {
                let mut machine = lock(&self.machine);
                let output = machine.transaction.poll_output();
                machine.next_deadline = match output {
                    Output::Timeout(at) => Some(at),
                    _ => None,
                };
                output
            };
            match output {
                Output::Perform { action, until } => self.perform(action, until),
                Output::Event(event) => self.tell(event),
                Output::Ended(outcome) => self.end(*outcome),
                Output::Timeout(_) | Output::Idle => return,
            }
        }
    }

    fn perform(self: &Arc<Self>, action: Action, until: Duration) {
        match action {
            Action::Verify(_) | Action::Load(_) | Action::Preflight(_) | Action::Prepare(_) if self.members.len() > 1 => {
                let this = Arc::clone(self);
                let work = move || {
                    let event = this.act(action, until);
                    this.answer(event);
                    this.go_on();
                };
                let name = format!("swap-{}-{}", self.txn, action.name());
                if let Err(error) = std::thread::Builder::new().name(name).spawn(work) {
                    self.answer(Event::Failed(action, format!("no thread for it: {error}")));
                }
            }
            action => {
                let event = self.act(action, until);
                self.answer(event);
            }
        }
    }

    /// Performs an action and says how it went.
    fn act(self: &Arc<Self>, action: Action, until: Duration) -> Event {
        let until = self.inner.instant(until);
        if let Action::Prepare(member) = action {
            let vote = match lock(&self.members[member]).prepare() {
                Ok(()) => Vote::Yes,
                Err(why) => Vote::No(why),
            };
            return Event::Vote { member, vote };
        }
        match self.carry_out(action, until) {
            Ok(()) => Event::Done(action),
            Err(why) => Event::Failed(action, why),
        }
    }

    fn carry_out(&self, action: Action, until: Instant) -> Result<(), String> {
        let inner = &self.inner;
        match action {
            Action::Verify(m) => lock(&self.members[m]).verify(inner, &self.after),
            Action::Load(m) => lock(&self.members[m]).load(inner),
            Action::Preflight(m) => lock(&self.members[m]).preflight(inner),
            Action::Prepare(_) => Ok(()),
            Action::ReserveJournal => {
                let set = self.set_after();
                inner.journal(|journal| journal.begin(self.txn, self.components.clone(), &set))?;
                *lock(&self.set_after) = Some(set);
                Ok(())
            }
            Action::Quiesce => self.quiesce(until),
            Action::MapState(m) => {
                let mut member = lock(&self.members[m]);
                let state = member.map_state()?;
                member.keep_state(state);
                Ok(())
            }
            Action::WriteCommit => {
                let set = lock(&self.set_after).take().ok_or("no space was reserved for the record")?;
                inner.journal(|journal| journal.commit(self.txn, self.by_operator, set))
            }
            Action::Flip => self.flip(until),
            Action::OpenGates | Action::OpenGatesBack => self.open_gates(),
            Action::SyncJournal | Action::SyncRollback => inner.journal(|journal| journal.sync()),
            Action::Release(m) => self.release(m, until),
            Action::StartConfirm => Ok(()),
            Action::WriteConfirm => {
                let epochs = self.epochs();
                inner.journal(|journal| journal.confirm(self.txn, &epochs))
            }
            Action::Retire(m) => self.retire(m, until),
            Action::WriteAbort => inner.journal(|journal| journal.abort(self.txn)),
            Action::Discard(m) => self.discard(m, until),
            Action::QuiesceBack => self.quiesce_back(until),
            Action::MapStateBack(m) => lock(&self.members[m]).map_state_back(),
            Action::WriteRollback => inner.journal(|journal| journal.rollback(self.txn)),
            Action::FlipBack => self.flip_back(until),
        }
    }

    /// The complete set after this swap.
    fn set_after(&self) -> Set {
        let mut set = self.set_before.clone();
        for member in &self.members {
            let member = lock(member);
            let name = member.component.name().to_owned();
            match member.source.version() {
                Some(version) => {
                    let package = member.admitted.as_ref().map(|admitted| Digest(admitted.digest().0));
                    set.insert(name, Bound { version, package });
                }
                None => {
                    set.remove(&name);
                }
            }
        }
        set
    }

    // ===== The closed gate =====

    /// Closes the group's gates, waits for whoever is inside, and puts the predecessors to rest.
    ///
    /// S-critical sections span calls: while one is open the gates stay open too, so that the calls that
    /// end it come through.
    fn quiesce(&self, until: Instant) -> Result<(), String> {
        let mut critical = None;
        loop {
            if Instant::now() >= until {
                return Err(match critical {
                    Some(name) => format!("`{name}` stayed in an S-critical section"),
                    None => "callers stayed inside".into(),
                });
            }
            critical = self.critical();
            if critical.is_some() {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
            let successors: Vec<_> = self.each(|member| (member.component, member.successor.clone()));
            let group = self.inner.control.bind(&successors);
            let closed = self.inner.control.close(&group, until).ok_or("another swap kept the gate")?;
            if closed.drain(until).is_err() {
                return Err("callers stayed inside".into());
            }
            // A section that began between the look and the closing: let it end.
            critical = self.critical();
            if critical.is_some() {
                drop(closed);
                continue;
            }
            let mut gate = lock(&self.gate);
            (gate.closed, gate.group) = (Some(closed), Some(group));
            drop(gate);
            return self.members.iter().try_for_each(|member| lock(member).hold());
        }
    }

    fn each<T>(&self, look: impl Fn(&Member) -> T) -> Vec<T> {
        self.members.iter().map(|member| look(&lock(member))).collect()
    }

    fn critical(&self) -> Option<String> {
        self.members.iter().find_map(|member| {
            let member = lock(member);
            let critical = member.predecessor.as_ref().is_some_and(|body| body.is_critical());
            critical.then(|| member.component.name().to_owned())
        })
    }

    /// The successors start; then all generations move at once.
    fn flip(&self, until: Instant) -> Result<(), String> {
        for member in &self.members {
            if let Some(successor) = &lock(member).successor {
                successor.instance().restart().map_err(|why| format!("restart: {why}"))?;
            }
        }
        let mut gate = lock(&self.gate);
        let control = &self.inner.control;
        let group = gate.group.take();
        let flipped = match (&gate.closed, group) {
            (Some(closed), Some(group)) => closed.flip(group),
            _ => {
                let successors: Vec<_> = self.each(|member| (member.component, member.successor.clone()));
                let group = control.bind(&successors);
                control.flip_open(group, until).ok_or("another swap kept the gate")?
            }
        };
        gate.epoch = Some(flipped.epoch);
        gate.flipped = true;
        drop(gate);
        for (member, before) in self.members.iter().zip(flipped.before) {
            let mut member = lock(member);
            member.generation = Some(member.component.current().number());
            control.keep_predecessor(member.component, Some(Arc::clone(&before)));
            member.before = Some(before);
        }
        Ok(())
    }

    /// Opens what is closed. Predecessors that are still current wake up first.
    fn open_gates(&self) -> Result<(), String> {
        let mut gate = lock(&self.gate);
        let mut woken = Ok(());
        if !gate.flipped {
            for member in &self.members {
                // A member that hangs in its own code must not keep the gate closed.
                if let Ok(mut member) = member.try_lock() {
                    woken = woken.and(member.wake());
                }
            }
        }
        gate.closed = None;
        gate.group = None;
        let untold = std::mem::take(&mut gate.untold);
        drop(gate);
        untold.iter().for_each(|event| self.inner.tell(event));
        woken
    }

    // ===== After the commit =====

    /// Waits until nobody is on the predecessor any more, and puts it to rest.
    fn release(&self, m: usize, until: Instant) -> Result<(), String> {
        self.passed(until)?;
        lock(&self.members[m]).hold()
    }

    fn passed(&self, until: Instant) -> Result<(), String> {
        let Some(epoch) = lock(&self.gate).epoch else { return Ok(()) };
        self.inner.control.pass(epoch, until).map_err(|_| "requests from before the flip still run".to_owned())
    }

    /// Ends the predecessor.
    fn retire(&self, m: usize, until: Instant) -> Result<(), String> {
        self.passed(until)?;
        let mut member = lock(&self.members[m]);
        drop(self.inner.control.keep_predecessor(member.component, None));
        let ended = member.drop_predecessor();
        self.inner.replace_module(member.component.name(), member.module.take());
        ended
    }

    /// Ends a successor that serves no longer, or never did.
    fn discard(&self, m: usize, until: Instant) -> Result<(), String> {
        self.passed(until)?;
        match self.members[m].try_lock() {
            Ok(mut member) => {
                member.generation = None;
                member.drop_successor(&self.inner)
            }
            Err(_) => Err("it is still in its own code; it stays loaded, and never serves".into()),
        }
    }

    fn quiesce_back(&self, until: Instant) -> Result<(), String> {
        let predecessors: Vec<_> = self.each(|member| (member.component, member.predecessor.clone()));
        let group = self.inner.control.bind(&predecessors);
        let closed = self.inner.control.close(&group, until).ok_or("another swap kept the gate")?;
        let drained = closed.drain(until);
        let mut gate = lock(&self.gate);
        (gate.closed, gate.group) = (Some(closed), Some(group));
        drop(gate);
        drained.map_err(|_| "callers stayed inside".to_owned())?;
        self.members.iter().try_for_each(|member| match &lock(member).successor {
            Some(successor) => successor.instance().hold().map_err(|why| format!("hold: {why}")),
            None => Ok(()),
        })
    }

    /// Makes every predecessor current and awake.
    fn flip_back(&self, until: Instant) -> Result<(), String> {
        for member in &self.members {
            lock(member).wake()?;
        }
        let mut gate = lock(&self.gate);
        if !gate.flipped {
            return Ok(());
        }
        let control = &self.inner.control;
        let group = gate.group.take();
        let flipped = match (&gate.closed, group) {
            (Some(closed), Some(group)) => closed.flip(group),
            (closed, _) => {
                // The flip forward must have passed before the same components flip again.
                if let Some(epoch) = gate.epoch {
                    let _ = control.pass(epoch, until);
                }
                let predecessors: Vec<_> = self.each(|member| (member.component, member.predecessor.clone()));
                let group = control.bind(&predecessors);
                match closed {
                    Some(closed) => closed.flip(group),
                    None => control.flip_open(group, until).ok_or("another swap kept the gate")?,
                }
            }
        };
        gate.epoch = Some(flipped.epoch);
        drop(gate);
        for member in &self.members {
            let mut member = lock(member);
            control.keep_predecessor(member.component, None);
            member.before = None;
        }
        Ok(())
    }

    // ===== Telling =====

    fn tell(&self, event: PhaseEvent) {
        let mut gate = lock(&self.gate);
        if gate.closed.is_some() {
            gate.untold.push(event);
        } else {
            drop(gate);
            self.inner.tell(&event);
        }
    }

    fn end(self: &Arc<Self>, outcome: Outcome) {
        self.inner.ended(self, &outcome);
        *lock(&self.ended) = Some(outcome);
        self.ending.notify_all();
    }

    /// Whether this swap changes a component.
    pub(crate) fn touches(&self, component: &str) -> bool {
        self.components.iter().any(|name| name == component)
    }

    /// The epochs that packages of this swap bring.
    fn epochs(&self) -> BTreeMap<String, u64> {
        let each = self.each(|member| {
            let epoch = member.admitted.as_ref().map(|admitted| admitted.manifest().epoch)?;
            Some((member.component.name().to_owned(), epoch))
        });
        each.into_iter().flatten().collect()
    }

    /// Components that this swap leaves without a module.
    pub(crate) fn removed(&self) -> Vec<String> {
        let each = self.each(|m| matches!(m.source, Source::Nothing).then(|| m.component.name().to_owned()));
        each.into_iter().flatten().collect()
    }
}
