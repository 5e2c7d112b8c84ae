//! The simulated executor: performs what the machine orders, badly now and then.
//!
//! Faults follow the contract of [`Action`]: an order may fail, never be answered, be answered after its
//! deadline, or be carried out without an answer. What is given up on has no effect any more, except in
//! the journal. Only flipping back and opening the gates of the old set never fail: see `rollback`.

use s_transaction::journal::Record;
use s_transaction::{
    Action, Doubt, Event, Outcome, Phase, PhaseEvent, PhaseResult, Transaction, Verdict, Vote,
};

use crate::world::{Broken, Flip, Module, Process, Sabotage, Tick, Versions, World, named};

/// A running swap and what its executor knows.
#[derive(Debug)]
pub(crate) struct Swap {
    id: u64,
    pub(crate) txn: Transaction,
    pub(crate) members: Vec<SwapMember>,
    pub(crate) before: Versions,
    pub(crate) after: Versions,
    pub(crate) on_trial: bool,
    /// Whether the successors are current.
    pub(crate) flipped: bool,
    /// Whether a successor has answered a call as the current module.
    pub(crate) has_served: bool,
    /// Whether a record of going back may be in the journal.
    pub(crate) back_ordered: bool,
    commit_ordered: bool,
    /// Whether the journal agreed with what serves when it began.
    reserved: bool,
    /// The order to drain that waits for activities to leave.
    draining: Option<(Action, u64)>,
}

#[derive(Debug)]
pub(crate) struct SwapMember {
    pub(crate) component: usize,
    pub(crate) old: Option<u64>,
    pub(crate) new: Option<u64>,
    pub(crate) version: Option<u64>,
    pub(crate) discarded: bool,
}

impl Swap {
    pub(crate) fn new(
        id: u64,
        txn: Transaction,
        members: Vec<SwapMember>,
        before: Versions,
        after: Versions,
        on_trial: bool,
    ) -> Self {
        Self {
            id,
            txn,
            members,
            before,
            after,
            on_trial,
            flipped: false,
            has_served: false,
            back_ordered: false,
            commit_ordered: false,
            reserved: false,
            draining: None,
        }
    }
}

/// An order on its way to its end.
#[derive(Debug)]
pub(crate) struct Order {
    swap: u64,
    action: Action,
    fate: Fate,
    /// What the journal needs, even when the swap is gone.
    record: Option<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Good,
    Fails,
    /// No effect and no answer.
    Lost,
    /// An effect and no answer.
    Mute,
    /// An answer after the deadline.
    Late,
}

fn for_journal(action: Action) -> bool {
    use Action as A;
    matches!(
        action,
        A::ReserveJournal
            | A::WriteCommit
            | A::SyncJournal
            | A::WriteConfirm
            | A::WriteAbort
            | A::WriteRollback
            | A::SyncRollback
    )
}

impl World {
    fn fate(&mut self, action: Action, flipped: bool) -> Fate {
        let certain = match action {
            Action::FlipBack | Action::OpenGatesBack => true,
            Action::OpenGates => !flipped,
            _ => false,
        };
        if certain || !self.faulty() || !self.dice.once_in(25) {
            return Fate::Good;
        }
        match self.dice.below(4) {
            0 => Fate::Fails,
            1 => Fate::Lost,
            2 => Fate::Mute,
            _ => Fate::Late,
        }
    }

    /// Takes an order from the machine.
    pub(crate) fn perform(&mut self, action: Action, until: u64) -> Result<(), Broken> {
        let Some(Process { swap: Some(swap), .. }) = &self.process else { return Ok(()) };
        let (id, flipped) = (swap.id, swap.flipped);
        let fate = self.fate(action, flipped);
        self.note(format!("swap {id} {action:?} {fate:?}"));
        let latency = match action {
            Action::Flip | Action::FlipBack | Action::OpenGates | Action::OpenGatesBack => 2,
            Action::WriteCommit | Action::WriteRollback => self.dice.between(5, 2_000),
            _ => self.dice.between(10, 10_000),
        };
        let mut at = self.now + latency;
        if fate == Fate::Late {
            at = until + self.dice.below(20_000);
        }
        let now = self.now;
        let Some(process) = &mut self.process else { return Ok(()) };
        let boot = process.boot;
        let Some(swap) = &mut process.swap else { return Ok(()) };
        let mut record = None;
        match action {
            Action::Quiesce | Action::QuiesceBack => {
                process.closed.extend(swap.members.iter().map(|member| member.component));
                if fate == Fate::Good && self.sabotage != Sabotage::SkipDrain {
                    swap.draining = Some((action, until));
                    self.check_drained();
                    return Ok(());
                }
            }
            Action::WriteCommit => {
                let (set, on_trial) = (named(&swap.after), swap.on_trial);
                record = Some(Record::Commit { txn: id, on_trial, set });
                swap.commit_ordered = true;
                self.acceptable.push(swap.after);
            }
            Action::WriteRollback => {
                record = Some(Record::Rollback { txn: id, set: named(&swap.before) });
                swap.back_ordered = true;
                self.acceptable.push(swap.before);
            }
            Action::ReserveJournal => record = Some(Record::Begin { txn: id, members: Vec::new() }),
            Action::WriteConfirm => {
                record = Some(Record::Confirm { txn: id });
                self.acceptable.push(swap.after);
            }
            Action::WriteAbort => {
                record = Some(Record::Abort { txn: id });
                swap.back_ordered = true;
            }
            // Whatever follows a drain has given it up or got its answer.
            Action::OpenGates | Action::FlipBack => swap.draining = None,
            _ => {}
        }
        if for_journal(action) {
            // One writer, in order: who comes later waits for who is late.
            at = at.max(process.journal_free_at);
            process.journal_free_at = at;
        }
        if self.sabotage == Sabotage::FlipBeforeRecord && action == Action::WriteCommit {
            self.effect(Action::Flip, id)?;
            self.effect(Action::OpenGates, id)?;
        }
        let order = Order { swap: id, action, fate, record };
        self.plan(boot, at - now, Tick::Order(order));
        Ok(())
    }

    /// Brings an order to its end.
    pub(crate) fn finish(&mut self, order: Order) -> Result<(), Broken> {
        let Order { swap: id, action, fate, record } = order;
        let acts = match fate {
            Fate::Good | Fate::Mute => true,
            // The journal's writer cannot be stopped, nor can a load.
            Fate::Late => for_journal(action) || matches!(action, Action::Load(_)),
            Fate::Fails | Fate::Lost => false,
        };
        self.with_swap(|swap, now| swap.txn.handle_timeout(now));
        self.drain()?;
        let swap = self.process.as_ref().and_then(|process| process.swap.as_ref());
        let awaited = swap.is_some_and(|swap| swap.id == id && swap.txn.awaits(action));
        let current = swap.map(|swap| swap.id);
        let mut result = if fate == Fate::Fails { Err("simulated".to_owned()) } else { Ok(()) };
        if acts && for_journal(action) {
            result = self.write(action, record);
        } else if acts && (awaited || matches!(action, Action::Load(_))) && current == Some(id) {
            self.effect(action, id)?;
        }
        if current != Some(id) || matches!(fate, Fate::Lost | Fate::Mute) {
            return Ok(());
        }
        let event = match (action, result) {
            (Action::Prepare(member), Ok(())) => Event::Vote { member, vote: Vote::Yes },
            (Action::Prepare(member), Err(why)) => Event::Vote { member, vote: Vote::No(why) },
            (action, Ok(())) => Event::Done(action),
            (action, Err(why)) => Event::Failed(action, why),
        };
        self.with_swap(|swap, now| swap.txn.handle_event(now, event));
        self.drain()
    }

    fn write(&mut self, action: Action, record: Option<Record>) -> Result<(), String> {
        let early = self.sabotage == Sabotage::AcknowledgeEarly;
        let Some(process) = &mut self.process else { return Ok(()) };
        // Only its own swap can begin: the journal's writer is in order.
        let begins = process.swap.as_ref().filter(|_| action == Action::ReserveJournal);
        let serving = begins.map(|swap| named(&swap.before));
        let journal = &mut process.journal;
        let write = || {
            if let Some(serving) = serving {
                journal.reconcile(&serving)?;
                journal.reserve(4096)?;
            }
            if let Some(record) = record {
                journal.append(record)?;
            }
            match action {
                Action::SyncJournal if early => Ok(()),
                Action::SyncJournal
                | Action::SyncRollback
                | Action::WriteConfirm
                | Action::WriteAbort => journal.sync(),
                _ => Ok(()),
            }
        };
        let written = write().map_err(|fault| fault.to_string());
        if let Some(swap) = &mut process.swap
            && action == Action::ReserveJournal
            && written.is_ok()
        {
            swap.reserved = true;
            self.acceptable = vec![swap.before];
        }
        written
    }

    /// What an order does in memory.
    fn effect(&mut self, action: Action, id: u64) -> Result<(), Broken> {
        let sabotage = self.sabotage;
        let fresh = self.new_id();
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(swap) = &mut process.swap else { return Ok(()) };
        let mut woken = false;
        match action {
            Action::Load(m) => {
                let member = &mut swap.members[m];
                if let Some(version) = member.version.filter(|_| !member.discarded) {
                    member.new = Some(fresh);
                    let component = member.component;
                    let module =
                        Module { component, version, state: 0, resting: false, doomed: false };
                    process.modules.insert(fresh, module);
                    self.summary.versions_alive_max =
                        self.summary.versions_alive_max.max(process.versions_alive());
                }
            }
            Action::MapState(m) => {
                let SwapMember { old, new, .. } = swap.members[m];
                process.carry(old, new);
            }
            Action::MapStateBack(m) if sabotage != Sabotage::ForgetStateBack => {
                let SwapMember { old, new, .. } = swap.members[m];
                process.carry(new, old);
            }
            Action::Flip if !swap.flipped => {
                let mut flip = Flip { txn: id, before: fresh, members: Vec::new() };
                for (place, member) in swap.members.iter().enumerate() {
                    let late = sabotage == Sabotage::FlipOneByOne && place > 0;
                    if !late {
                        process.current[member.component] = member.new;
                    }
                    flip.members.push((member.component, member.new));
                }
                if sabotage == Sabotage::FlipOneByOne {
                    process.closed.clear();
                    woken = true;
                }
                process.flips.push(flip);
                swap.flipped = true;
            }
            Action::OpenGates if sabotage == Sabotage::ForgetGates && !swap.flipped => {}
            Action::OpenGates | Action::OpenGatesBack => {
                // Where the flip went member by member, the rest follows now.
                if sabotage == Sabotage::FlipOneByOne && action == Action::OpenGates && swap.flipped
                {
                    for member in &swap.members {
                        process.current[member.component] = member.new;
                    }
                }
                for member in &swap.members {
                    process.closed.remove(&member.component);
                }
                woken = true;
            }
            Action::Release(m) => {
                if let Some(old) = swap.members[m].old.and_then(|id| process.modules.get_mut(&id)) {
                    old.resting = true;
                }
            }
            Action::FlipBack => {
                for member in &swap.members {
                    process.current[member.component] = member.old;
                    if let Some(old) = member.old.and_then(|id| process.modules.get_mut(&id)) {
                        old.resting = false;
                    }
                    for activity in process.activities.values_mut() {
                        activity.cut_off |= activity.pins.values().any(|p| Some(*p) == member.new);
                    }
                }
                swap.flipped = false;
            }
            Action::Retire(m) => {
                let old = swap.members[m].old;
                process.unload(old, sabotage);
            }
            Action::Discard(m) => {
                swap.members[m].discarded = true;
                let new = swap.members[m].new;
                process.unload(new, sabotage);
            }
            _ => {}
        }
        if woken {
            self.wake_callers();
        }
        Ok(())
    }

    /// Answers the order to drain once nobody is inside.
    pub(crate) fn check_drained(&mut self) {
        let now = self.now;
        let Some(process) = &mut self.process else { return };
        let Some(swap) = &mut process.swap else { return };
        let Some((action, until)) = swap.draining else { return };
        // Whoever is inside passes the closed gates, even on a generation that is older than the
        // predecessor: all generations are waited for.
        let mut inside = process.activities.values().flat_map(|activity| activity.pins.keys());
        let busy = inside.any(|c| swap.members.iter().any(|member| member.component == *c));
        let (id, boot) = (swap.id, process.boot);
        if busy || now >= until {
            return;
        }
        if let Some(swap) = &mut process.swap {
            swap.draining = None;
        }
        let order = Order { swap: id, action, fate: Fate::Good, record: None };
        self.plan(boot, 1, Tick::Order(order));
    }

    /// A phase has ended. That of `commit` is what the operator is told.
    pub(crate) fn announced(&mut self, event: PhaseEvent) -> Result<(), Broken> {
        let told = event.span.phase == Phase::Commit && event.span.result == PhaseResult::Passed;
        let Some(Process { swap: Some(swap), .. }) = &self.process else { return Ok(()) };
        if told {
            self.starts = 0;
            self.acceptable = vec![swap.after];
            if swap.on_trial {
                self.acceptable.push(swap.before);
            }
        }
        Ok(())
    }

    /// The outcome is the last word: what it claims has to hold.
    pub(crate) fn ended(&mut self, outcome: &Outcome) -> Result<(), Broken> {
        self.note(outcome.to_string());
        self.last_outcome(outcome);
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(swap) = process.swap.take() else { return Ok(()) };
        let doubtful = |wanted: Action| {
            let mut doubts = outcome.doubts.iter();
            doubts.any(|d| matches!(d, Doubt::Step { action, .. } if *action == wanted))
        };
        let (set, other) = match outcome.verdict {
            Verdict::Committed => {
                self.summary.committed += 1;
                let unsure = swap.on_trial && doubtful(Action::WriteConfirm);
                (swap.after, unsure.then_some(swap.before))
            }
            Verdict::Aborted => {
                self.summary.aborted += 1;
                let unsure = swap.commit_ordered && doubtful(Action::WriteAbort);
                (swap.before, unsure.then_some(swap.after))
            }
            Verdict::RolledBack => {
                self.summary.rolled_back += 1;
                let unsure = doubtful(Action::WriteRollback) || doubtful(Action::SyncRollback);
                (swap.before, unsure.then_some(swap.after))
            }
            Verdict::Unreachable => return Err("the end is Unreachable".to_owned()),
        };
        // A swap that did not get to the journal leaves its doubts as they were.
        if swap.reserved {
            self.acceptable = [set].into_iter().chain(other).collect();
        }
        let keeps = outcome.verdict == Verdict::Committed;
        for (place, member) in swap.members.iter().enumerate() {
            let serving = if keeps { member.new } else { member.old };
            let component = member.component;
            if process.current[component] != serving {
                return Err(format!("swap {} says what does not serve part.{component}", swap.id));
            }
            if process.closed.contains(&component) {
                return Err(format!("swap {} left the gate of part.{component} closed", swap.id));
            }
            let stray = if keeps { None } else { member.new };
            let stray = stray.and_then(|id| process.modules.get(&id));
            if stray.is_some_and(|m| !m.doomed) && !doubtful(Action::Discard(place)) {
                return Err(format!("swap {} left a successor of part.{component}", swap.id));
            }
            let name = &outcome.serving[place].component;
            let lost = outcome
                .doubts
                .iter()
                .any(|d| matches!(d, Doubt::StateAtCommit { component, .. } if component == name));
            self.summary.forced_back += u64::from(lost);
            let Some(module) = serving.and_then(|id| process.modules.get(&id)) else {
                process.served[component] = 0;
                continue;
            };
            let new_here = member.old.is_none();
            if swap.txn.plan().gated() && !lost && !new_here {
                let (knows, served) = (module.state, process.served[component]);
                if knows != served {
                    return Err(format!(
                        "swap {}: part.{component} has lost state: {served} calls, knows {knows}",
                        swap.id
                    ));
                }
            }
            process.served[component] = module.state;
        }
        Ok(())
    }
}

impl Process {
    fn carry(&mut self, from: Option<u64>, to: Option<u64>) {
        let state = from.and_then(|id| self.modules.get(&id)).map(|module| module.state);
        if let (Some(state), Some(to)) = (state, to.and_then(|id| self.modules.get_mut(&id))) {
            to.state = state;
        }
    }

    fn unload(&mut self, module: Option<u64>, sabotage: Sabotage) {
        let Some(id) = module else { return };
        if sabotage == Sabotage::UnloadInUse {
            self.modules.remove(&id);
        } else if let Some(module) = self.modules.get_mut(&id) {
            module.doomed = true;
            self.unload_doomed();
        }
    }
}
