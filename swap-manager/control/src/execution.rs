//! One running swap: the transaction says what, this does it.
//!
//! Slow actions before the gate closes (verify, load, preflight, prepare) run side by side, each on a
//! thread of its own. Everything from the closed gate to the open one runs on one thread, one action
//! after the other, without handing over. Whoever brings an answer goes on with what it leads to.
//!
//! Invariant: no lock is held while a module's code runs, except that of its own member; so a module that
//! hangs stops its own swap and nothing else, and the timing service can take that swap over.

use crate::manager::{Inner, lock};
use crate::member::{Member, Predecessor, Slot};
use crate::request::Versions;
use crate::rows::Rows;
use s_loader::{LoadedModule, turns};
use s_package::manifest::Manifest;
use s_preflight::ResidentSample;
use s_proxy::{Body, Closed, Group, Taken};
use s_state::resident::RowShape;
use s_transaction::journal::{Bound, Digest, Set};
use s_transaction::{
    Action, Confirm, Control, Deadlines, Event, Outcome, Output, PhaseEvent, Plan, Refusal,
    Transaction, Trouble, Verdict, Vote,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

pub(crate) struct Execution {
    pub(crate) inner: Arc<Inner>,
    pub(crate) txn: u64,
    pub(crate) components: Vec<String>,
    pub(crate) operator: Option<String>,
    /// The versions that come, in the order of the components.
    comes: Vec<Option<String>>,
    /// The successors' generations once they serve, else 0: looked at without a member's lock.
    generations: Vec<AtomicU64>,
    machine: Mutex<Machine>,
    members: Vec<Mutex<Member>>,
    predecessors: Vec<Arc<Predecessor>>,
    modules: Vec<Slot>,
    /// Apart from the members, too: what becomes of rows at the end waits for no module.
    rows: Vec<Rows>,
    /// How long callers wait at a closed gate beyond the deadline of the closing.
    patience: Duration,
    gate: Mutex<GateState>,
    after: Versions,
    set_before: Set,
    /// The packages that were verified, with their epochs, by member.
    packages: Mutex<BTreeMap<usize, (Digest, u64)>>,
    /// The set after the swap, made before the gate closes.
    set_after: Mutex<Option<Set>>,
    on_trial: bool,
    gated: bool,
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
    /// Nobody was left inside when the gates closed last.
    drained: bool,
    /// Successors are current.
    flipped: bool,
    /// When the gates were closed first, until that is reported.
    closed_at: Option<Instant>,
    /// When the gates were opened again, until that is reported.
    opened: Option<Instant>,
    /// Phase events of the closed gate: told after it opened, because listeners take time.
    untold: Vec<PhaseEvent>,
}

/// How long before its deadline an action gives up waiting, at most.
const TELLING: Duration = Duration::from_millis(5);

/// How long callers at a closed gate wait for a predecessor's `restart`.
const WAKING: Duration = Duration::from_millis(250);

/// Some rows of each resident table that a successor uses: real ones, and few.
fn samples(inner: &Inner, manifest: &Manifest) -> Vec<ResidentSample> {
    const ROWS: usize = 64;
    let component = manifest.module.component.as_str();
    let sample = |table: &s_package::manifest::ResidentTable| {
        let name = table.name.as_str().to_owned();
        let shape = RowShape(table.row_hash.0);
        let opened = inner.tables.find(component, &name, shape)?;
        let (mut rows, mut last) = (Vec::<(Vec<u8>, Vec<u8>)>::new(), Vec::new());
        while rows.len() < ROWS
            && let Some((key, row)) =
                opened.next_after(&last, |key, row| (key.to_vec(), row.to_vec()))
        {
            last.clone_from(&key);
            rows.push((key, row));
        }
        Some(ResidentSample { table: name, rows })
    };
    manifest.module.resident_tables.iter().filter_map(sample).collect()
}

/// Leads a successor through its life in a confined child, with a copy of the real state, and has it asked the
/// questions of the application. The warnings of the report are what an operator should know.
pub(crate) fn rehearse(
    inner: &Inner,
    rehearsal: &s_preflight::Rehearsal,
    sealed: &s_loader::Sealed,
    admitted: &s_package::admit::Admitted,
    predecessor: Option<&Body>,
) -> Result<s_preflight::Report, String> {
    let state = match (&admitted.manifest().module.state, predecessor) {
        (Some(state), Some(predecessor)) => crate::member::copy_of_state(predecessor, state)?,
        _ => None,
    };
    let request = s_preflight::Request {
        predecessor: predecessor.map_or_else(String::new, |body| body.version().to_owned()),
        state,
        replays: inner.replays(admitted.manifest().module.component.as_str()),
        questions: inner.questions.clone(),
        components: inner.runtime.components().iter().map(|c| c.name().to_owned()).collect(),
        residents: samples(inner, admitted.manifest()),
    };
    let mut report = rehearsal.rehearse(sealed, &request).map_err(|error| error.to_string())?;
    let pins = |why: &String| format!("will stay loaded when it is replaced: {why}");
    report.warnings.extend(report.would_pin.as_ref().map(pins));
    Ok(report)
}

impl Execution {
    pub(crate) fn new(
        inner: Arc<Inner>,
        plan: Plan,
        members: Vec<Member>,
        after: Versions,
        operator: Option<String>,
    ) -> Result<Arc<Self>, s_transaction::PlanFault> {
        let set_before = inner.set();
        let txn = plan.id;
        let on_trial = plan.confirm != Confirm::AtOnce;
        let Deadlines { map_state, commit, abort, rollback, .. } = plan.deadlines;
        let gated = plan.gated();
        let patience = (map_state + commit + abort).max(rollback * 3);
        let transaction = Transaction::begin(plan, inner.now())?;
        Ok(Arc::new(Execution {
            components: members.iter().map(|member| member.component.name().to_owned()).collect(),
            comes: members.iter().map(|member| member.source.version()).collect(),
            operator,
            generations: members.iter().map(|_| AtomicU64::new(0)).collect(),
            patience,
            predecessors: members.iter().map(|member| Arc::clone(&member.predecessor)).collect(),
            modules: members.iter().map(|member| Arc::clone(&member.module)).collect(),
            rows: members.iter().map(|member| Rows::of(member, &inner.tables)).collect(),
            members: members.into_iter().map(Mutex::new).collect(),
            machine: Mutex::new(Machine { transaction, next_deadline: None }),
            gate: Mutex::default(),
            ended: Mutex::default(),
            ending: Condvar::new(),
            inner,
            txn,
            after,
            set_before,
            packages: Mutex::default(),
            set_after: Mutex::default(),
            on_trial,
            gated,
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

    /// The module that it brings into a component, if that is mapped and not kept yet.
    pub(crate) fn brings(&self, component: &str) -> Option<Arc<LoadedModule>> {
        let m = self.components.iter().position(|name| name == component)?;
        lock(&self.modules[m]).clone()
    }

    /// The phase it is in.
    pub(crate) fn phase(&self) -> Option<s_transaction::Phase> {
        lock(&self.machine).transaction.phase()
    }

    /// The operator's wish.
    pub(crate) fn control(self: &Arc<Self>, control: Control) -> Result<(), Refusal> {
        lock(&self.machine).transaction.handle_control(self.inner.now(), control)?;
        self.take_over();
        Ok(())
    }

    /// Something went wrong in a generation: ours?
    pub(crate) fn trouble(self: &Arc<Self>, component: &str, generation: u64, trouble: &Trouble) {
        let Some(member) = self.components.iter().position(|name| name == component) else {
            return;
        };
        if self.generations[member].load(Ordering::Acquire) == generation {
            self.answer(Event::Trouble { member, trouble: trouble.clone() });
            self.take_over();
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
            machine.next_deadline = None;
        }
        self.take_over();
    }

    /// Goes on with the swap on a thread of its own: the timing service serves all swaps and waits for none.
    pub(crate) fn take_over(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let thread = std::thread::Builder::new().name(format!("swap-{}", self.txn));
        let go_on = move || {
            // Callers may be waiting for it at closed gates.
            turns::be_short();
            this.go_on();
        };
        if thread.spawn(go_on).is_err() {
            self.go_on();
        }
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
                // An action that is performed right here may never come back: its deadline is watched too.
                machine.next_deadline = match output {
                    Output::Timeout(at) => Some(at),
                    Output::Perform { until, .. } => Some(until),
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

    /// Whether the transaction still waits for an action: one that it gave up on must not take effect.
    fn is_awaited(&self, action: Action) -> bool {
        let mut machine = lock(&self.machine);
        machine.transaction.handle_timeout(self.inner.now());
        machine.transaction.awaits(action)
    }

    fn perform(self: &Arc<Self>, action: Action, until: Duration) {
        match action {
            Action::Verify(_) | Action::Load(_) | Action::Preflight(_) | Action::Prepare(_)
                if self.members.len() > 1 =>
            {
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
                // Callers came through from the moment the gates were open, whatever was told since.
                let (closed, opened) = match action {
                    Action::OpenGates | Action::OpenGatesBack => {
                        let mut gate = lock(&self.gate);
                        (gate.closed_at.take(), gate.opened.take())
                    }
                    _ => (None, None),
                };
                let at = opened.map_or_else(|| self.inner.now(), |opened| self.inner.at(opened));
                let transaction = &mut lock(&self.machine).transaction;
                if let Some(closed) = closed {
                    transaction.gates_were_closed(self.inner.at(closed));
                }
                transaction.handle_event(at, event);
            }
        }
    }

    /// Performs an action and says how it went.
    fn act(self: &Arc<Self>, action: Action, until: Duration) -> Event {
        if !self.is_awaited(action) {
            return Event::Failed(action, "too late".into());
        }
        // A reason that comes with the deadline is not heard any more.
        let until = self.inner.instant(until);
        let left = until.saturating_duration_since(Instant::now());
        let until = until - (left / 16).min(TELLING);
        if let Action::Prepare(member) = action {
            let vote = match self.member(member).and_then(|member| member.prepare()) {
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

    /// A member, unless an earlier action of it is still in the module's code.
    fn member(&self, m: usize) -> Result<MutexGuard<'_, Member>, String> {
        match self.members[m].try_lock() {
            Ok(member) => Ok(member),
            Err(TryLockError::Poisoned(member)) => Ok(member.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err("the module is still in its own code, and did not come back".into())
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = Result<MutexGuard<'_, Member>, String>> {
        (0..self.members.len()).map(|m| self.member(m))
    }

    fn carry_out(&self, action: Action, until: Instant) -> Result<(), String> {
        let inner = &self.inner;
        match action {
            Action::Verify(m) => {
                let mut member = self.member(m)?;
                member.verify(inner, &self.after, &self.components)?;
                if let Some(admitted) = &member.admitted {
                    if let Some(used) = admitted.used_override() {
                        inner.announce_override(member.component.name(), used);
                    }
                    let package = (Digest(admitted.digest().0), admitted.manifest().epoch);
                    lock(&self.packages).insert(m, package);
                }
                Ok(())
            }
            Action::Load(m) => self.member(m)?.load(inner),
            Action::Preflight(m) => self.member(m)?.preflight(inner),
            Action::Prepare(_) => Ok(()),
            Action::ReserveJournal => {
                let set = self.set_after();
                inner.journal(|journal| {
                    journal.begin(self.txn, self.components.clone(), &self.set_before, &set)
                })?;
                *lock(&self.set_after) = Some(set);
                Ok(())
            }
            Action::Quiesce => self.quiesce(until),
            Action::MapState(m) => {
                let mut member = self.member(m)?;
                let state = member.map_state(inner)?;
                member.keep_state(state);
                Ok(())
            }
            Action::WriteCommit => {
                let set =
                    lock(&self.set_after).clone().ok_or("no space was reserved for the record")?;
                // Behind closed gates none can begin; without gates this is the last moment to wait.
                if !self.gated {
                    self.wait_for_sections(Action::WriteCommit, until)?;
                }
                // Looked at again under the journal's lock: an abort record must not be overtaken.
                let mut late = false;
                inner.journal(|journal| {
                    late = !self.is_awaited(Action::WriteCommit);
                    if late { Ok(()) } else { journal.commit(self.txn, self.on_trial, set) }
                })?;
                if late { Err("too late".into()) } else { Ok(()) }
            }
            Action::Flip => self.flip(until),
            Action::OpenGates | Action::OpenGatesBack => {
                self.open_gates();
                Ok(())
            }
            Action::SyncJournal => {
                // The gates are open now, and no lock is held: what successors asked for may be granted.
                self.each(|member| member.successor.clone())?
                    .iter()
                    .flatten()
                    .for_each(|body| body.serve());
                inner.journal(|journal| journal.sync())
            }
            Action::SyncRollback => inner.journal(|journal| journal.sync()),
            Action::Release(m) => self.release(m, until),
            Action::StartConfirm => Ok(()),
            Action::WriteConfirm => inner.journal(|journal| journal.confirm(self.txn)),
            Action::Retire(m) => self.retire(m, until),
            Action::WriteAbort => inner.journal(|journal| journal.abort(self.txn)),
            Action::Discard(m) => self.discard(m, until),
            Action::QuiesceBack => self.quiesce_back(until),
            Action::MapStateBack(m) => {
                self.member(m)?.map_state_back(|| self.is_awaited(Action::MapStateBack(m)))
            }
            Action::WriteRollback => inner.journal(|journal| journal.rollback(self.txn)),
            Action::FlipBack => self.flip_back(until),
        }
    }

    /// The complete set after this swap. The members are voting meanwhile, so none of them is asked.
    fn set_after(&self) -> Set {
        let mut set = self.set_before.clone();
        let packages = lock(&self.packages);
        for (m, (name, comes)) in self.components.iter().zip(&self.comes).enumerate() {
            match comes.clone() {
                Some(version) => {
                    let (package, epoch) = packages.get(&m).copied().unzip();
                    set.bind(name, Bound { version, package, epoch: epoch.unwrap_or_default() });
                }
                None => set.vacate(name),
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
        loop {
            self.wait_for_sections(Action::Quiesce, until)?;
            let group =
                self.inner.control.bind(&self.each(|m| (m.component, m.successor.clone()))?);
            self.close(Action::Quiesce, group, until)?;
            // A section that began between the look and the closing: let it end.
            if self.critical()?.is_none() {
                let mut each = self.predecessors.iter();
                return each
                    .try_for_each(|predecessor| self.hold_for(Action::Quiesce, predecessor));
            }
            self.open();
        }
    }

    /// Waits until no predecessor is in an S-critical section.
    fn wait_for_sections(&self, action: Action, until: Instant) -> Result<(), String> {
        while let Some(name) = self.critical()? {
            if !self.is_awaited(action) || Instant::now() >= until {
                return Err(format!("`{name}` stayed in an S-critical section"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Closes the gates of a group and waits for whoever is inside. The gates are where an abort finds them
    /// from the moment they are closed, so that it opens them without waiting for the drain.
    fn close(&self, action: Action, group: Group, until: Instant) -> Result<(), String> {
        let control = &self.inner.control;
        let (closed, drain) =
            control.close(&group, until, self.patience).map_err(|why| why.to_string())?;
        {
            let mut gate = lock(&self.gate);
            if !self.is_awaited(action) {
                return Err("too late".into());
            }
            gate.closed_at.get_or_insert(closed.at());
            (gate.closed, gate.group, gate.drained) = (Some(closed), Some(group), false);
        }
        let drained = drain.wait(until, || self.is_awaited(action));
        if !self.is_awaited(action) {
            return Err("too late".into());
        }
        drained.map_err(|_| "callers stayed inside".to_owned())?;
        lock(&self.gate).drained = true;
        Ok(())
    }

    fn each<T>(&self, look: impl Fn(&Member) -> T) -> Result<Vec<T>, String> {
        self.all().map(|member| Ok(look(&*member?))).collect()
    }

    fn critical(&self) -> Result<Option<String>, String> {
        let critical = self.each(|member| {
            let critical = member.predecessor.body().is_some_and(|body| body.is_critical());
            critical.then(|| member.component.name().to_owned())
        });
        Ok(critical?.into_iter().flatten().next())
    }

    /// The successors start; then all generations move at once.
    fn flip(&self, until: Instant) -> Result<(), String> {
        for member in self.all() {
            if let Some(successor) = &member?.successor {
                successor.instance().restart().map_err(|why| format!("restart: {why}"))?;
            }
        }
        let control = &self.inner.control;
        if !self.gated {
            self.wait_for_sections(Action::Flip, until)?;
        }
        let taken = self.take_open_gate(until)?;
        let mut gate = lock(&self.gate);
        if !self.is_awaited(Action::Flip) {
            return Err("too late".into());
        }
        let group = match gate.group.take() {
            Some(group) => group,
            None => control.bind(&self.each(|m| (m.component, m.successor.clone()))?),
        };
        // Before anybody can meet them: trouble that comes at once is ours too, and finds a predecessor.
        for (generation, number) in self.generations.iter().zip(group.numbers()) {
            generation.store(number, Ordering::Release);
        }
        for predecessor in &self.predecessors {
            control.keep_predecessor(predecessor.component(), self.stands_in());
        }
        let flipped = match (&gate.closed, &taken) {
            (Some(closed), _) => closed.flip(group, gate.drained),
            (None, Some(taken)) => taken.flip_open(group),
            (None, None) => return Err("the gates were opened before the flip".into()),
        };
        for (predecessor, before) in self.predecessors.iter().zip(flipped.before) {
            predecessor.was(before);
        }
        gate.epoch = Some(flipped.epoch);
        gate.flipped = true;
        Ok(())
    }

    /// Takes the gate for a flip that closes none; nothing where gates are closed already. Not under the
    /// lock of the gate's state: another swap may keep the gate for a while.
    fn take_open_gate(&self, until: Instant) -> Result<Option<Taken>, String> {
        if lock(&self.gate).closed.is_some() {
            return Ok(None);
        }
        let taken = self.inner.control.take(until);
        taken.map(Some).ok_or_else(|| "another swap kept the gate".to_owned())
    }

    /// Whether the predecessor may answer for its successor: it handed no state over, and nothing else
    /// changed with it.
    fn stands_in(&self) -> bool {
        !self.gated && self.predecessors.len() == 1
    }

    /// Opens what is closed. Predecessors that are still current wake up first, if they can.
    fn open_gates(&self) {
        if !lock(&self.gate).flipped {
            self.wake_predecessors();
        }
        self.open();
    }

    /// One that fails to wake, or takes long, is not kept away by that: it is the one that is to serve.
    fn wake_predecessors(&self) {
        let (done, woken) = std::sync::mpsc::channel();
        let mut waking = 0;
        for predecessor in self.predecessors.iter().filter(|predecessor| predecessor.is_held()) {
            waking += 1;
            let wake = {
                let (predecessor, done) = (Arc::clone(predecessor), done.clone());
                // Nobody listens any more to one that comes too late.
                move || drop(done.send(predecessor.wake()))
            };
            let thread = std::thread::Builder::new().name(format!("swap-{}-wake", self.txn));
            if thread.spawn(wake).is_err() {
                drop(done.send(predecessor.wake()));
            }
        }
        let deadline = Instant::now() + WAKING;
        for _ in 0..waking {
            let left = deadline.saturating_duration_since(Instant::now());
            let woken = woken.recv_timeout(left);
            if let Err(why) = woken.unwrap_or(Err("it did not come back from `restart`".into())) {
                let txn = self.txn;
                let warning = format!("swap {txn}: a predecessor was not woken: {why}");
                self.inner.warn("swap-manager", &warning);
            }
        }
    }

    fn open(&self) {
        let mut gate = lock(&self.gate);
        gate.opened = gate.closed.take().map(Closed::open);
        gate.group = None;
        let untold = std::mem::take(&mut gate.untold);
        drop(gate);
        untold.iter().for_each(|event| self.inner.tell(event));
    }

    // ===== After the commit =====

    /// Waits until nobody is on the predecessor any more, and puts it to rest.
    fn release(&self, m: usize, until: Instant) -> Result<(), String> {
        self.passed(until)?;
        // One that may still answer for its successor rests when it goes.
        if self.stands_in() {
            return Ok(());
        }
        self.hold_for(Action::Release(m), &self.predecessors[m])
    }

    /// Puts a predecessor to rest for an action, unless that was given up on meanwhile: then it serves.
    fn hold_for(&self, action: Action, predecessor: &Predecessor) -> Result<(), String> {
        predecessor.hold_while(|| self.is_awaited(action))
    }

    fn passed(&self, until: Instant) -> Result<(), String> {
        let Some(epoch) = lock(&self.gate).epoch else { return Ok(()) };
        self.inner
            .control
            .pass(epoch, until)
            .map_err(|_| "requests from before the flip still run".to_owned())
    }

    /// Ends the predecessor.
    fn retire(&self, m: usize, until: Instant) -> Result<(), String> {
        let passed = self.passed(until);
        let predecessor = &self.predecessors[m];
        // No rollback can come any more, whoever still runs: nobody is to wait for one.
        self.inner.control.let_predecessor_go(predecessor.component());
        let left = passed.and_then(|()| match predecessor.generation() {
            Some(generation) => {
                self.inner.control.leave(predecessor.component(), &generation, until).map_err(
                    |_| "a request that it answers for its successor still runs".to_owned(),
                )
            }
            None => Ok(()),
        });
        let mut member = self.member(m)?;
        let ended = left.and_then(|()| member.drop_predecessor());
        // In this order: whoever looks meanwhile finds it here, or kept.
        let module = lock(&member.module).clone();
        self.inner.replace_module(member.component.name(), module);
        lock(&member.module).take();
        ended
    }

    /// Ends a successor that serves no longer, or never did.
    fn discard(&self, m: usize, until: Instant) -> Result<(), String> {
        self.passed(until)?;
        self.generations[m].store(0, Ordering::Release);
        self.inner.control.let_predecessor_go(self.predecessors[m].component());
        self.member(m)
            .map_err(|why| format!("{why}; it stays loaded, and never serves"))?
            .drop_successor(&self.inner)
    }

    fn quiesce_back(&self, until: Instant) -> Result<(), String> {
        self.close(Action::QuiesceBack, self.bind_predecessors(), until)?;
        self.all().try_for_each(|member| match &member?.successor {
            Some(successor) => successor.instance().hold().map_err(|why| format!("hold: {why}")),
            None => Ok(()),
        })
    }

    fn bind_predecessors(&self) -> Group {
        let bodies: Vec<_> = self.predecessors.iter().map(|p| (p.component(), p.body())).collect();
        self.inner.control.bind(&bodies)
    }

    /// Makes every predecessor current and awake, whatever its successor hangs in.
    fn flip_back(&self, until: Instant) -> Result<(), String> {
        self.wake_predecessors();
        if !lock(&self.gate).flipped {
            return Ok(());
        }
        let taken = self.take_open_gate(until)?;
        let mut gate = lock(&self.gate);
        // One that was given up must not take effect: the swap may have ended meanwhile.
        if !self.is_awaited(Action::FlipBack) {
            return Err("too late".into());
        }
        let group = gate.group.take().unwrap_or_else(|| self.bind_predecessors());
        let flipped = match (&gate.closed, &taken) {
            (Some(closed), _) => closed.flip(group, gate.drained),
            (None, Some(taken)) => taken.flip_open(group),
            (None, None) => return Err("the gates were opened before the flip".into()),
        };
        gate.epoch = Some(flipped.epoch);
        drop(gate);
        for predecessor in &self.predecessors {
            self.inner.control.let_predecessor_go(predecessor.component());
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
        // Whatever became of the step that should have opened them: no gate outlives its swap.
        self.open();
        if outcome.verdict == Verdict::Committed {
            self.keep_added();
        }
        self.predecessors.iter().for_each(|predecessor| drop(predecessor.forget()));
        self.inner.ended(self, &outcome);
        *lock(&self.ended) = Some(outcome);
        self.ending.notify_all();
    }

    /// A module that was added replaces none, so nothing retires for it; it is kept here.
    fn keep_added(&self) {
        for (m, predecessor) in self.predecessors.iter().enumerate() {
            self.inner.control.let_predecessor_go(predecessor.component());
            let Ok(member) = self.member(m) else { continue };
            let module = lock(&member.module).take();
            if module.is_some() {
                self.inner.replace_module(&self.components[m], module);
            }
        }
    }

    /// The set that serves after this outcome.
    pub(crate) fn serving_after(&self, outcome: &Outcome) -> Set {
        let all = outcome
            .serving
            .iter()
            .zip(&self.comes)
            .all(|(serving, comes)| serving.version == *comes);
        match lock(&self.set_after).clone() {
            Some(set) if all => set,
            _ => self.set_before.clone(),
        }
    }

    /// Gives back the rows that nobody will ask for after this outcome.
    pub(crate) fn end_rows(&self, verdict: Verdict) {
        self.rows.iter().for_each(|rows| rows.end(&self.inner.tables, verdict));
    }
}
