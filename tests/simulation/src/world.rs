//! Clock, processes, callers and operator, and the promises that are checked while they run.
//!
//! What a process knows dies with it; the disk, the callers' books and the promises stay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use s_transaction::journal::{Bound, Journal, Record, Set, StartPolicy, Why, candidates};
use s_transaction::{
    Change, Confirm, Control, Deadlines, Member, Outcome, Output, Plan, Transaction, Trouble,
};

use crate::Failure;
use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::executor::{Order, Swap, SwapMember};

/// Faults happen before this instant; all times are microseconds.
const FAULTS_UNTIL: u64 = 4_000_000;
/// Everything has to be quiet by then.
const QUIET_BY: u64 = 30_000_000;
/// Longer than all closed-gate steps of a swap and its rollback together.
const PATIENCE: u64 = 2_000_000;
const COMPONENTS: usize = 4;
/// The last component carries no state and is swapped without a gate.
const STATELESS: usize = COMPONENTS - 1;

/// A version per component; `None` where it has no module.
pub(crate) type Versions = [Option<u64>; COMPONENTS];

/// How the executor is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// It is not.
    None,
    /// Members move before the deciding record is written.
    FlipBeforeRecord,
    /// The members of a group move one after the other, with the gates open.
    FlipOneByOne,
    /// The record counts as durable before it is.
    AcknowledgeEarly,
    /// The gates close, but nobody waits for those inside.
    SkipDrain,
    /// The predecessors come back without the state of the successors.
    ForgetStateBack,
    /// Successors and predecessors go while calls are in them.
    UnloadInUse,
    /// An abort leaves the gates as they are.
    ForgetGates,
}

/// What a run has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is what it is called")]
pub struct Summary {
    pub requests: u64,
    pub committed: u64,
    pub aborted: u64,
    pub rolled_back: u64,
    pub forced_back: u64,
    pub kills: u64,
    pub power_losses: u64,
    pub torn_tails: u64,
    pub crash_loops_left: u64,
    pub unconfirmed_reverted: u64,
    pub versions_alive_max: usize,
}

impl Summary {
    /// Adds up two.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.committed += other.committed;
        self.aborted += other.aborted;
        self.rolled_back += other.rolled_back;
        self.forced_back += other.forced_back;
        self.kills += other.kills;
        self.power_losses += other.power_losses;
        self.torn_tails += other.torn_tails;
        self.crash_loops_left += other.crash_loops_left;
        self.unconfirmed_reverted += other.unconfirmed_reverted;
        self.versions_alive_max = self.versions_alive_max.max(other.versions_alive_max);
    }
}

/// Something that happens at an instant.
#[derive(Debug)]
pub(crate) enum Tick {
    Request,
    Operator,
    Crash,
    Start,
    // The rest belongs to the process that planned it and dies with it.
    Visit(u64),
    Patience(u64),
    Order(Order),
    Timeout,
    Healthy,
}

pub(crate) type Broken = String;

/// One version of a component, loaded.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) component: usize,
    pub(crate) version: u64,
    /// How many calls this component has served, as far as this module knows: the carried state.
    pub(crate) state: u64,
    pub(crate) resting: bool,
    /// It goes as soon as no activity is in it.
    pub(crate) doomed: bool,
}

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Activity {
    path: Vec<usize>,
    pub(crate) pins: BTreeMap<usize, u64>,
    parked: bool,
    /// It is on a successor that was taken back: it must not enter anything else.
    pub(crate) cut_off: bool,
}

/// What moved together: per member its component and successor.
#[derive(Debug)]
pub(crate) struct Flip {
    pub(crate) txn: u64,
    /// Modules with lower numbers are older than the flip.
    pub(crate) before: u64,
    pub(crate) members: Vec<(usize, Option<u64>)>,
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) boot: u64,
    pub(crate) journal: Journal<SimDisk>,
    pub(crate) modules: BTreeMap<u64, Module>,
    pub(crate) current: [Option<u64>; COMPONENTS],
    pub(crate) closed: BTreeSet<usize>,
    pub(crate) activities: BTreeMap<u64, Activity>,
    pub(crate) flips: Vec<Flip>,
    pub(crate) swap: Option<Swap>,
    pub(crate) journal_free_at: u64,
    /// Calls served by whoever was current.
    pub(crate) served: [u64; COMPONENTS],
}

#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    pub(crate) sabotage: Sabotage,
    pub(crate) dice: Dice,
    pub(crate) now: u64,
    queue: BTreeMap<(u64, u64), (u64, Tick)>,
    planned: u64,
    disk: SimDisk,
    pub(crate) process: Option<Process>,
    next_id: u64,
    next_version: u64,
    unanswered: BTreeSet<u64>,
    /// The sets that a restart may serve.
    pub(crate) acceptable: Vec<Versions>,
    /// Starts since the last success or commit that is surely durable: at least as many as are recorded.
    pub(crate) starts: u64,
    last_boot: u64,
    last_txn: u64,
    pub(crate) summary: Summary,
    trace: VecDeque<String>,
    last: Option<bool>,
}

impl World {
    pub(crate) fn new(seed: u64, sabotage: Sabotage) -> Self {
        let mut dice = Dice::new(seed);
        let disk = SimDisk::new(dice.below(u64::MAX));
        Self {
            seed,
            sabotage,
            dice,
            now: 0,
            queue: BTreeMap::new(),
            planned: 0,
            disk,
            process: None,
            next_id: 0,
            next_version: 1,
            unanswered: BTreeSet::new(),
            acceptable: vec![[Some(0); COMPONENTS]],
            starts: 0,
            last_boot: 0,
            last_txn: 0,
            summary: Summary::default(),
            trace: VecDeque::new(),
            last: None,
        }
    }

    pub(crate) fn run(mut self) -> Result<Summary, Box<Failure>> {
        match self.live() {
            Ok(()) => Ok(self.summary),
            Err(broken) => {
                Err(Box::new(Failure { seed: self.seed, broken, trace: self.trace.into() }))
            }
        }
    }

    fn live(&mut self) -> Result<(), Broken> {
        self.plan(0, 0, Tick::Start);
        self.plan(0, 1, Tick::Request);
        self.plan(0, 20_000, Tick::Operator);
        let crash = self.dice.between(50_000, 1_500_000);
        self.plan(0, crash, Tick::Crash);
        while let Some(((at, _), (boot, tick))) = self.queue.pop_first() {
            self.now = at;
            if at > QUIET_BY {
                return Err(format!("it does not end: {tick:?} is still planned"));
            }
            let alive = self.process.as_ref().map(|process| process.boot);
            if boot != 0 && alive != Some(boot) {
                continue;
            }
            self.happen(tick)?;
            self.check_quiet()?;
        }
        if let Some(request) = self.unanswered.first() {
            return Err(format!("request {request} waited for its answer until the end"));
        }
        let process = self.process.as_ref().ok_or("no process is left")?;
        if let Some(component) = process.closed.first() {
            return Err(format!("the gate of part.{component} stayed closed"));
        }
        match self.last {
            Some(true) => Ok(()),
            _ => Err("without faults, the last swap did not commit".to_owned()),
        }
    }

    fn happen(&mut self, tick: Tick) -> Result<(), Broken> {
        match tick {
            Tick::Start => self.start(),
            Tick::Crash => {
                self.crash();
                Ok(())
            }
            Tick::Request => {
                self.request();
                Ok(())
            }
            Tick::Operator => self.operator(),
            Tick::Visit(id) => self.visit(id),
            Tick::Patience(id) => {
                let waiting = self.process.as_ref().and_then(|p| p.activities.get(&id));
                if waiting.is_some_and(|activity| activity.parked) {
                    return Err(format!("request {id} waited longer than any swap may take"));
                }
                Ok(())
            }
            Tick::Order(order) => self.finish(order),
            Tick::Timeout => {
                self.with_swap(|swap, now| swap.txn.handle_timeout(now));
                self.drain()
            }
            Tick::Healthy => {
                let process = self.process.as_mut().ok_or("a process")?;
                let boot = process.boot;
                let written = process.journal.append(Record::Healthy { boot });
                if written.is_ok() && process.journal.sync().is_ok() {
                    self.starts = 0;
                }
                Ok(())
            }
        }
    }

    /// Once the faults are over and all is quiet, a last swap of everything has to commit.
    fn check_quiet(&mut self) -> Result<(), Broken> {
        let healed = self.now > FAULTS_UNTIL + 1_000_000;
        let idle = self.process.as_ref().is_some_and(|process| process.swap.is_none());
        // One attempt may meet a call that outlasts its deadline; such calls end.
        if healed && idle && self.last != Some(true) {
            self.last = Some(false);
            self.begin((0..COMPONENTS).collect(), Confirm::AtOnce)?;
        }
        Ok(())
    }

    pub(crate) fn faulty(&self) -> bool {
        self.now < FAULTS_UNTIL
    }

    pub(crate) fn plan(&mut self, boot: u64, after: u64, tick: Tick) {
        self.planned += 1;
        self.queue.insert((self.now + after, self.planned), (boot, tick));
    }

    pub(crate) fn note(&mut self, line: String) {
        if self.trace.len() == 300 {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>9} {line}", self.now));
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    // Processes.

    fn crash(&mut self) {
        if !self.faulty() {
            return;
        }
        let next = self.dice.between(50_000, 1_500_000);
        self.plan(0, next, Tick::Crash);
        let Some(process) = self.process.take() else { return };
        for id in process.activities.keys() {
            self.unanswered.remove(id);
        }
        if self.dice.once_in(2) {
            self.note("power lost".to_owned());
            self.summary.power_losses += 1;
            self.disk.lose_power();
        } else {
            self.note("killed".to_owned());
            self.summary.kills += 1;
            // The page cache survives: whoever has answered must come back.
            if let Some(swap) = process.swap.filter(|s| s.has_served && !s.back_ordered) {
                self.acceptable = vec![swap.after];
                if swap.on_trial {
                    self.acceptable.push(swap.before);
                }
            }
        }
        let pause = self.dice.between(100, 20_000);
        self.plan(0, pause, Tick::Start);
    }

    fn start(&mut self) -> Result<(), Broken> {
        // A start on a failing disk is one that the service manager repeats; it adds nothing here.
        self.disk.set_faults(0);
        let fail = |fault: &dyn std::fmt::Display| format!("the journal did not open: {fault}");
        let (mut journal, cut) = Journal::open(self.disk.clone()).map_err(|f| fail(&f))?;
        self.summary.torn_tails += u64::from(cut.is_some());
        let facts = journal.recovered().clone();
        let boot = facts.last_boot + 1;
        if boot <= self.last_boot {
            return Err(format!("start {boot} was durable and is forgotten"));
        }
        let mut records = vec![Record::Start { boot }];
        let versions = match candidates(&facts, StartPolicy::default()).first() {
            None => {
                let set = named(&[Some(0); COMPONENTS]);
                records.insert(0, Record::Commit { txn: 0, on_trial: false, set });
                [Some(0); COMPONENTS]
            }
            Some(first) => {
                let versions = versions(&first.committed.set)?;
                self.check_start(&versions, first.why)?;
                if let Some(last) = facts.current().filter(|last| last.txn != first.committed.txn) {
                    let set = first.committed.set.clone();
                    records.push(Record::Rollback { txn: last.txn, set });
                    self.starts = 0;
                }
                versions
            }
        };
        for record in records {
            journal.append(record).map_err(|f| fail(&f))?;
        }
        journal.sync().map_err(|f| fail(&f))?;
        self.starts += 1;
        self.last_boot = boot;
        self.note(format!("start {boot} with {versions:?}"));
        self.acceptable = vec![versions];
        let mut current = [None; COMPONENTS];
        let mut modules = BTreeMap::new();
        for (component, version) in versions.into_iter().enumerate() {
            if let Some(version) = version {
                let id = self.new_id();
                current[component] = Some(id);
                let module = Module { component, version, state: 0, resting: false, doomed: false };
                modules.insert(id, module);
            }
        }
        self.process = Some(Process {
            boot,
            journal,
            modules,
            current,
            closed: BTreeSet::new(),
            activities: BTreeMap::new(),
            flips: Vec::new(),
            swap: None,
            journal_free_at: 0,
            served: [0; COMPONENTS],
        });
        if self.faulty() {
            let faults = self.dice.between(8, 60);
            self.disk.set_faults(faults);
        }
        let crashes = versions.iter().flatten().any(|version| crashes_at_start(*version));
        if crashes && self.faulty() {
            self.plan(boot, 2_000, Tick::Crash);
        } else {
            self.plan(boot, 5_000, Tick::Healthy);
        }
        Ok(())
    }

    fn check_start(&mut self, versions: &Versions, why: Why) -> Result<(), Broken> {
        match why {
            Why::LastCrashLoops if self.starts >= 3 => {
                self.summary.crash_loops_left += 1;
                return Ok(());
            }
            Why::LastCrashLoops => return Err("a crash loop was seen where none is".to_owned()),
            Why::LastUnconfirmed => self.summary.unconfirmed_reverted += 1,
            Why::Last | Why::Before => {}
        }
        if self.acceptable.contains(versions) {
            return Ok(());
        }
        let allowed = &self.acceptable;
        Err(format!(
            "the restart serves {versions:?}, but what was acknowledged is one of {allowed:?} \
             (a mixture, or a set older than the one that answered)"
        ))
    }

    // Callers.

    fn request(&mut self) {
        if self.now < FAULTS_UNTIL + 2_000_000 {
            let pause = self.dice.between(100, 3_000);
            self.plan(0, pause, Tick::Request);
        }
        let id = self.new_id();
        let visits = self.dice.between(1, 5);
        let path = (0..visits).map(|_| self.dice.place(COMPONENTS)).collect();
        let Some(process) = &mut self.process else { return };
        let boot = process.boot;
        let activity = Activity { path, pins: BTreeMap::new(), parked: false, cut_off: false };
        process.activities.insert(id, activity);
        self.unanswered.insert(id);
        self.summary.requests += 1;
        self.plan(boot, 0, Tick::Visit(id));
    }

    fn visit(&mut self, id: u64) -> Result<(), Broken> {
        let process = self.process.as_mut().ok_or("a process")?;
        let Some(activity) = process.activities.get_mut(&id) else {
            return Err(format!("request {id} was answered while it was on its way"));
        };
        let Some(component) = activity.path.pop() else { return self.answer(id) };
        let pinned = activity.pins.get(&component).copied();
        if pinned.is_none() {
            // Who is inside one of the closed components passes: otherwise it could never leave.
            let inside = process.closed.iter().any(|c| activity.pins.contains_key(c));
            if process.closed.contains(&component) && !inside {
                activity.path.push(component);
                if !activity.parked {
                    activity.parked = true;
                    let boot = process.boot;
                    self.plan(boot, PATIENCE, Tick::Patience(id));
                }
                return Ok(());
            }
        }
        activity.parked = false;
        if pinned.is_none() && activity.cut_off {
            return self.answer(id);
        }
        let Some(module) = pinned.or(process.current[component]) else { return self.answer(id) };
        activity.pins.insert(component, module);
        for flip in &process.flips {
            let mut sides = [false; 2];
            for (component, new) in &flip.members {
                if let Some(pin) = activity.pins.get(component).filter(|pin| **pin < flip.before) {
                    sides[usize::from(Some(*pin) == *new)] = true;
                }
            }
            if sides == [true; 2] {
                return Err(format!("request {id} met both sides of swap {}", flip.txn));
            }
        }
        let Some(callee) = process.modules.get_mut(&module) else {
            return Err(format!(
                "request {id} entered a module of part.{component} that is unloaded"
            ));
        };
        if pinned.is_none() && callee.resting {
            return Err(format!("request {id} entered a module of part.{component} that rests"));
        }
        callee.state += 1;
        let version = callee.version;
        if process.current[component] == Some(module) {
            process.served[component] += 1;
        }
        if let Some(swap) = &mut process.swap
            && swap.flipped
            && swap.members.iter().any(|member| member.new == Some(module))
        {
            swap.has_served = true;
        }
        let boot = process.boot;
        if panics(version) && self.faulty() && self.dice.once_in(25) {
            self.note(format!("part.{component} {version} panics"));
            self.with_swap(|swap, now| {
                let place = swap.members.iter().position(|m| m.new == Some(module));
                if let Some(member) = place {
                    let trouble = Trouble::Panic("simulated".to_owned());
                    swap.txn.handle_event(now, s_transaction::Event::Trouble { member, trouble });
                }
            });
            self.answer(id)?;
            return self.drain();
        }
        // Most calls are short; some outlive a swap, and keep an old version alive.
        let long = component == STATELESS && self.dice.once_in(300);
        let takes = if long { self.dice.below(600_000) } else { self.dice.between(10, 1_500) };
        self.plan(boot, takes, Tick::Visit(id));
        Ok(())
    }

    fn answer(&mut self, id: u64) -> Result<(), Broken> {
        if !self.unanswered.remove(&id) {
            return Err(format!("request {id} was answered twice"));
        }
        if let Some(process) = &mut self.process {
            process.activities.remove(&id);
            process.unload_doomed();
        }
        self.check_drained();
        Ok(())
    }

    /// Lets parked callers try again.
    pub(crate) fn wake_callers(&mut self) {
        let Some(process) = &mut self.process else { return };
        let boot = process.boot;
        let parked = process.activities.iter_mut().filter(|(_, activity)| activity.parked);
        // Once woken, a caller is on its way: nobody wakes it twice.
        let woken = parked.map(|(id, activity)| {
            activity.parked = false;
            *id
        });
        let woken: Vec<u64> = woken.collect();
        for id in woken {
            self.plan(boot, 1, Tick::Visit(id));
        }
    }

    // The operator.

    fn operator(&mut self) -> Result<(), Broken> {
        if !self.faulty() {
            return Ok(());
        }
        let pause = self.dice.between(1_000, 60_000);
        self.plan(0, pause, Tick::Operator);
        let Some(process) = &self.process else { return Ok(()) };
        if process.swap.is_none() {
            let mut members: Vec<usize> = (0..COMPONENTS).collect();
            while members.len() > 1 && !self.dice.once_in(3) {
                members.remove(self.dice.place(members.len()));
            }
            let window = Duration::from_micros(self.dice.between(20_000, 200_000));
            let confirm = match self.dice.below(4) {
                0 => Confirm::AtOnce,
                1 => Confirm::ByOperator(window),
                _ => Confirm::Probation(window),
            };
            return self.begin(members, confirm);
        }
        let control = match self.dice.below(8) {
            0 => Control::Abort,
            1 => Control::Rollback,
            2 | 3 => Control::Confirm,
            _ => return Ok(()),
        };
        self.note(format!("operator: {control:?}"));
        self.with_swap(|swap, now| {
            // A refusal is an answer, too.
            let _ = swap.txn.handle_control(now, control);
        });
        self.drain()
    }

    fn begin(&mut self, components: Vec<usize>, confirm: Confirm) -> Result<(), Broken> {
        let process = self.process.as_ref().ok_or("a process")?;
        let current = process.current;
        // No number twice, not even that of a swap of which the journal never heard.
        let id = process.journal.recovered().last_txn.max(self.last_txn) + 1;
        self.last_txn = id;
        let version_of =
            |m: Option<u64>| m.and_then(|m| process.modules.get(&m)).map(|m| m.version);
        let before: Versions = current.map(version_of);
        let gated = components != [STATELESS];
        let mut after = before;
        let mut members = Vec::new();
        let mut parts = Vec::new();
        for component in components {
            let remove = self.faulty() && before[component].is_some() && self.dice.once_in(8);
            let text = |version: u64| version.to_string();
            let change = match before[component] {
                Some(from) if remove => {
                    after[component] = None;
                    Change::Remove { from: text(from) }
                }
                from => {
                    let to = self.next_version;
                    self.next_version += 1;
                    after[component] = Some(to);
                    match from {
                        Some(from) => Change::Replace { from: text(from), to: text(to) },
                        None => Change::Add { to: text(to) },
                    }
                }
            };
            parts.push(SwapMember {
                component,
                old: current[component],
                new: None,
                version: after[component],
                discarded: false,
            });
            members.push(Member { component: format!("part.{component}"), change, gated });
        }
        self.note(format!("swap {id} begins: {before:?} -> {after:?}, {confirm:?}"));
        let plan = Plan { id, members, deadlines: deadlines(), confirm };
        let now = Duration::from_micros(self.now);
        let txn = Transaction::begin(plan, now).map_err(|fault| fault.to_string())?;
        let on_trial = confirm != Confirm::AtOnce;
        let swap = Swap::new(id, txn, parts, before, after, on_trial);
        if let Some(process) = &mut self.process {
            process.swap = Some(swap);
        }
        self.drain()
    }

    pub(crate) fn with_swap(&mut self, act: impl FnOnce(&mut Swap, Duration)) {
        let now = Duration::from_micros(self.now);
        if let Some(swap) = self.process.as_mut().and_then(|process| process.swap.as_mut()) {
            act(swap, now);
        }
    }

    /// Keeps the contract of the machine: after every input, until it has nothing more to say.
    pub(crate) fn drain(&mut self) -> Result<(), Broken> {
        loop {
            let Some(process) = &mut self.process else { return Ok(()) };
            let boot = process.boot;
            let Some(swap) = &mut process.swap else { return Ok(()) };
            match swap.txn.poll_output() {
                Output::Perform { action, until } => {
                    let until = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
                    self.perform(action, until)?;
                }
                Output::Event(event) => self.announced(event)?,
                Output::Ended(outcome) => self.ended(&outcome)?,
                Output::Timeout(at) => {
                    let at = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
                    if at < self.now {
                        return Err("a deadline that has passed is still armed".to_owned());
                    }
                    self.plan(boot, at - self.now, Tick::Timeout);
                    return Ok(());
                }
                Output::Idle => return Err("a transaction fell silent without an end".to_owned()),
            }
        }
    }

    pub(crate) fn last_outcome(&mut self, outcome: &Outcome) {
        if self.last.is_some() {
            self.last = Some(outcome.verdict == s_transaction::Verdict::Committed);
        }
    }
}

impl Process {
    pub(crate) fn in_use(&self, module: u64) -> bool {
        self.activities.values().any(|a| a.pins.values().any(|pin| *pin == module))
    }

    pub(crate) fn unload_doomed(&mut self) {
        let doomed: Vec<u64> = self
            .modules
            .iter()
            .filter(|(id, module)| module.doomed && !self.in_use(**id))
            .map(|(id, _)| *id)
            .collect();
        for id in doomed {
            self.modules.remove(&id);
        }
    }

    pub(crate) fn versions_alive(&self) -> usize {
        (0..COMPONENTS)
            .map(|c| self.modules.values().filter(|module| module.component == c).count())
            .max()
            .unwrap_or(0)
    }
}

fn deadlines() -> Deadlines {
    let ms = Duration::from_millis;
    Deadlines {
        whole: ms(400),
        verify: ms(50),
        load: ms(60),
        preflight: ms(80),
        prepare: ms(50),
        quiesce: ms(20),
        map_state: ms(20),
        commit: ms(30),
        sync: ms(80),
        release: ms(30),
        abort: ms(30),
        rollback: ms(30),
    }
}

/// Some versions panic now and then.
fn panics(version: u64) -> bool {
    version % 4 == 3
}

/// Some versions serve after a swap, but kill the process that starts with them.
fn crashes_at_start(version: u64) -> bool {
    version % 7 == 5
}

pub(crate) fn named(versions: &Versions) -> Set {
    let bound = |version: u64| Bound { version: version.to_string(), package: None, epoch: 0 };
    let parts = versions.iter().enumerate();
    parts.filter_map(|(c, v)| v.map(|v| (format!("part.{c}"), bound(v)))).collect()
}

fn versions(set: &Set) -> Result<Versions, Broken> {
    let mut versions = [None; COMPONENTS];
    for (component, version) in versions.iter_mut().enumerate() {
        if let Some(bound) = set.modules.get(&format!("part.{component}")) {
            *version = Some(bound.version.parse().map_err(|_| "a version that nobody wrote")?);
        }
    }
    Ok(versions)
}
