//! The child: gives up its rights, loads the module, leads it through a whole life, reports and ends.
//!
//! Each step is announced before it begins. The child never goes back into the program that it is a copy
//! of, and never writes anywhere but into its report.
#![expect(unsafe_code, reason = "takes over inherited descriptors, and ends without going back")]

use crate::confine::{self, REPORT_FD};
use crate::description::Description;
use crate::frame::{Failure, OUTCOME, Outcome, STEP, frame};
use crate::host::{NoGate, RehearsalHost, SampleTable, look_at_clocks};
use crate::reading::{Malformed, Parts, map};
use crate::report::{Mapping, Report};
use crate::request::{Expected, Replay, Request};
use crate::step::Step;
use s_loader::{Budget, Digest, InstanceGuard, LoadedModule, Loader, PinReason, Sealed};
use s_sdk::abi::{MethodEntry, Status};
use s_sdk::component::with_refs;
use s_sdk::dynamic::ValueOut;
use s_sdk::hosting::{Instance, LaneDriver, StepError};
use s_sdk::sync::AtomicU64;
use s_sdk::{Part, Value};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The child's name, and one of the two marks by which it knows itself.
pub(crate) const CHILD_NAME: &str = "s-module-rehearsal";
/// The other mark.
pub(crate) const CHILD_MARK: (&str, &str) = ("S_MODULE_REHEARSAL", "1");

pub(crate) const MODULE_FD: RawFd = 3;
pub(crate) const REQUEST_FD: RawFd = 4;

/// In a rehearsal's child: rehearses and ends the process. Otherwise returns at once.
///
/// This is the first line of a host's `main`: nothing that the host does may happen in a child.
pub fn run_if_child() {
    let named = std::env::args_os().next().is_some_and(|name| name == CHILD_NAME);
    if named && std::env::var_os(CHILD_MARK.0).as_deref() == Some(OsStr::new(CHILD_MARK.1)) {
        run()
    }
}

/// What the parent asks for.
pub(crate) struct Order {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) address_space: u64,
    pub(crate) cpu_seconds: u64,
    /// Nothing: describe only.
    pub(crate) request: Option<Request>,
}

impl Order {
    pub(crate) fn to_value(&self) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("digest", self.digest.0.to_vec().into()),
            ("address_space", self.address_space.into()),
            ("cpu_seconds", self.cpu_seconds.into()),
            ("request", self.request.as_ref().map_or(Value::Null, Request::to_value)),
        ])
    }

    fn from_value(value: &Value) -> Result<Self, Malformed> {
        let parts = Parts::of(value)?;
        Ok(Order {
            name: parts.text("name")?,
            digest: Digest(parts.get("digest", |value| value.as_bytes()?.try_into().ok())?),
            address_space: parts.u64("address_space")?,
            cpu_seconds: parts.u64("cpu_seconds")?,
            request: parts.maybe("request", Request::from_value)?,
        })
    }
}

/// Why the rehearsal ends here.
struct Stop(Failure, String);

impl Stop {
    fn broken(why: impl ToString) -> Self {
        Stop(Failure::Broken, why.to_string())
    }

    fn unconfined(why: impl ToString) -> Self {
        Stop(Failure::Unconfined, why.to_string())
    }
}

/// The way to the parent.
struct Pipe {
    file: ManuallyDrop<File>,
    begun: Option<(Step, Instant)>,
    took: Vec<(Step, Duration)>,
}

impl Pipe {
    /// A parent that does not listen any more needs no report.
    fn say(&mut self, tag: u8, payload: &[u8]) {
        if self.file.write_all(&frame(tag, payload)).is_err() {
            std::process::abort();
        }
    }

    fn begin(&mut self, step: Step) {
        self.end();
        self.begun = Some((step, Instant::now()));
        self.say(STEP, step.name().as_bytes());
    }

    fn end(&mut self) {
        if let Some((step, begun)) = self.begun.take() {
            self.took.push((step, begun.elapsed()));
        }
    }
}

fn run() -> ! {
    // SAFETY: the parent put these descriptors there; in a process that somebody else started under this
    // name they are not open, and the first use of them says so.
    let (module, mut request, report) = unsafe {
        (
            OwnedFd::from_raw_fd(MODULE_FD),
            File::from_raw_fd(REQUEST_FD),
            File::from_raw_fd(REPORT_FD),
        )
    };
    let mut pipe = Pipe { file: ManuallyDrop::new(report), begun: None, took: Vec::new() };
    let mut octets = Vec::new();
    let outcome = request
        .read_to_end(&mut octets)
        .map_err(Stop::broken)
        .and_then(|_| Value::decode(&octets).map_err(Stop::broken))
        .and_then(|value| Order::from_value(&value).map_err(Stop::broken))
        .and_then(|order| {
            drop((request, octets));
            perform(&mut pipe, order, module)
        })
        .unwrap_or_else(|Stop(kind, why)| Outcome::Failed { kind, why });
    pipe.say(OUTCOME, &outcome.to_value().encode());
    // SAFETY: ends the process without running what the module or the host registered for its end.
    unsafe { libc::_exit(0) }
}

fn perform(pipe: &mut Pipe, order: Order, module: OwnedFd) -> Result<Outcome, Stop> {
    pipe.begin(Step::Start);
    s_loader::keep_maps_open().map_err(Stop::unconfined)?;
    // The child must not outlive a host that is killed.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(Stop::unconfined)?;
    confine::limit(order.address_space, order.cpu_seconds).map_err(Stop::unconfined)?;
    confine::handle_violations();
    rustix::thread::set_no_new_privs(true).map_err(Stop::unconfined)?;
    let mut warnings = Vec::from_iter(confine::give_up_files());
    // Whoever asks a clock first asks the kernel where the clocks are, which is forbidden later.
    look_at_clocks();
    let running = confine::while_running().map_err(Stop::unconfined)?;
    let loading = confine::while_loading().map_err(Stop::unconfined)?;
    let is_filtered = match confine::apply(&loading) {
        Ok(()) => true,
        Err(error) => {
            warnings.push(confine::unfiltered(error).map_err(Stop::unconfined)?);
            false
        }
    };

    pipe.begin(Step::Load);
    let sealed = Sealed::inherited(module, &order.name, order.digest).map_err(Stop::unconfined)?;
    let loader = Loader::new(Budget::default());
    let module =
        loader.load(sealed).map_err(|error| Stop(Failure::Unacceptable, error.to_string()))?;
    // Where the first filter is in force the second must be, whatever the kernel is made to say by then.
    if is_filtered {
        confine::apply(&running).map_err(Stop::unconfined)?;
    }

    pipe.begin(Step::Describe);
    let description = Description::from_descriptor(&module)
        .map_err(|error| Stop(Failure::Unacceptable, error.to_string()))?;
    match order.request {
        None => Ok(Outcome::Description(Box::new(description))),
        Some(request) => {
            let life = Life::begin(pipe, &module, description, request, warnings)?;
            Ok(Outcome::Report(Box::new(life.lead()?)))
        }
    }
}

/// One instance from its `init` to its `drop`.
struct Life<'a> {
    pipe: &'a mut Pipe,
    module: &'a Arc<LoadedModule>,
    host: Arc<RehearsalHost>,
    instance: Instance<RehearsalHost, InstanceGuard>,
    lane: LaneDriver,
    request: Request,
    description: Description,
    warnings: Vec<String>,
}

/// What a step's failure means.
impl From<StepError> for Stop {
    fn from(error: StepError) -> Self {
        match error.status {
            Status::REFUSED => Stop(Failure::Refused, error.reason),
            Status::PANICKED => Stop(Failure::Panicked, error.reason),
            _ => Stop(Failure::Unacceptable, error.to_string()),
        }
    }
}

impl<'a> Life<'a> {
    fn begin(
        pipe: &'a mut Pipe,
        module: &'a Arc<LoadedModule>,
        description: Description,
        mut request: Request,
        warnings: Vec<String>,
    ) -> Result<Self, Stop> {
        static EPOCH: AtomicU64 = AtomicU64::new(0);
        let mut samples: BTreeMap<_, _> =
            request.residents.drain(..).map(|sample| (sample.table, sample.rows)).collect();
        let tables = module.residents().iter().map(|table| {
            let name = table.name.as_str().to_owned();
            let row_size = usize::try_from(table.row.size).unwrap_or(usize::MAX);
            let rows = samples.remove(&name).unwrap_or_default();
            (name, SampleTable::new(table.row.hash(), row_size, rows))
        });
        let tables = tables.collect();
        let host = Arc::new(RehearsalHost::new(std::mem::take(&mut request.components), tables));
        let (lane, _) = LaneDriver::new(&NoGate, &EPOCH, true);
        pipe.begin(Step::Init);
        let instance = Instance::init(module.descriptor(), Arc::clone(&host), module.instance())?;
        if instance.this().is_null() {
            std::mem::forget(instance);
            return Err(Stop(
                Failure::Unacceptable,
                "it said that it made an instance, and made none".into(),
            ));
        }
        Ok(Life { pipe, module, host, instance, lane, request, description, warnings })
    }

    fn lead(mut self) -> Result<Report, Stop> {
        let mapping = self.carry_state()?;

        self.pipe.begin(Step::Prepare);
        self.instance.prepare(Part::Comes { after: &self.request.predecessor })?;

        self.pipe.begin(Step::SelfTest);
        self.instance.self_test(&self.lane.begin())?;

        self.pipe.begin(Step::Ask);
        let answers = self.ask()?;

        self.pipe.begin(Step::Replay);
        let replays = std::mem::take(&mut self.request.replays);
        for (at, replay) in replays.iter().enumerate() {
            self.replay(replay).map_err(|Stop(kind, why)| {
                Stop(
                    kind,
                    format!("call {} of {} (`{}`): {why}", at + 1, replays.len(), replay.method),
                )
            })?;
        }

        self.pipe.begin(Step::Restart);
        self.instance.restart()?;
        self.pipe.begin(Step::Hold);
        self.instance.hold()?;
        self.pipe.begin(Step::Term);
        self.instance.term()?;

        self.pipe.begin(Step::Drop);
        let panics = self.host.notes().panics.len();
        drop(self.instance);
        if let Some(message) = self.host.notes().panics.get(panics) {
            return Err(Stop(Failure::Panicked, message.clone()));
        }

        self.pipe.begin(Step::Ledger);
        let tally = self.module.tally();
        let mut notes = self.host.notes();
        if notes.critical != 0 {
            self.warnings.push(format!("{} S-critical sections were left open", notes.critical));
        }
        if notes.dropped != 0 {
            self.warnings.push(format!("{} further notes were dropped", notes.dropped));
        }
        self.pipe.end();
        Ok(Report {
            description: self.description,
            steps: std::mem::take(&mut self.pipe.took),
            mapping,
            replayed: replays.len(),
            answers,
            log: std::mem::take(&mut notes.log),
            counts: std::mem::take(&mut notes.counts),
            effects: std::mem::take(&mut notes.effects),
            tally,
            would_pin: PinReason::from_tally(&tally).map(|reason| reason.to_string()),
            warnings: self.warnings,
        })
    }

    /// The copy of the state goes in, and comes back in both versions.
    fn carry_state(&mut self) -> Result<Option<Mapping>, Stop> {
        let state = self.request.state.take();
        if !self.module.carries_state() {
            if state.is_some() {
                self.warnings.push(
                    "the predecessor's state would be forgotten: this module carries none".into(),
                );
            }
            return Ok(None);
        }
        if let Some(state) = &state {
            self.pipe.begin(Step::Import);
            self.instance.import_state(state.version, &state.octets)?;
        }
        self.pipe.begin(Step::Export);
        let own_version = self.description.state_version();
        let own = own_version.map(|version| self.instance.export_state(version)).transpose()?;
        let Some(state) = state else { return Ok(None) };
        let back = self.instance.export_state(state.version)?;

        self.pipe.begin(Step::Compare);
        let back_is_same = *back == *state.octets;
        if !back_is_same {
            self.warnings.push(format!(
                "the state does not come back as it was: {} octets went in, {} came out as version {}",
                state.octets.len(),
                back.len(),
                state.version
            ));
        }
        let own_octets = own.map_or(back.len(), |own| own.len());
        Ok(Some(Mapping { own_octets, back_octets: back.len(), back_is_same }))
    }

    /// The questions that it has a method for, and what it says.
    fn ask(&mut self) -> Result<BTreeMap<String, Value>, Stop> {
        let mut answers = BTreeMap::new();
        for question in std::mem::take(&mut self.request.questions) {
            let Some(entry) = method(self.module, &question) else { continue };
            let mut out = ValueOut::new();
            let act = self.lane.begin();
            let status = self.instance.call(entry, &act, &[], &mut out);
            drop(act);
            match status {
                Status::OK => answers.extend(out.take().map(|answer| (question, answer))),
                Status::PANICKED => {
                    let said = self.host.notes().panics.last().cloned().unwrap_or_default();
                    return Err(Stop(Failure::Panicked, format!("`{question}`: {said}")));
                }
                // Its own error, arguments that it wants, or a call into another component: nothing was learned.
                _ => {}
            }
        }
        Ok(answers)
    }

    fn replay(&mut self, replay: &Replay) -> Result<(), Stop> {
        let entry = method(self.module, &replay.method);
        let name = replay.method.rsplit('.').next().unwrap_or(&replay.method);
        let mut out = ValueOut::new();
        let asked_before = self.host.asked_elsewhere();
        let act = self.lane.begin();
        let (status, why) = with_refs(&replay.args, |args| match entry {
            Some(entry) => (self.instance.call(entry, &act, args, &mut out), String::new()),
            None => self.instance.does_not_understand(&act, name, args, &mut out),
        });
        drop(act);
        let differs = |what: String| Err(Stop(Failure::Differs, what));
        match status {
            Status::OK | Status::ERR => {
                let answer = out
                    .take()
                    .ok_or_else(|| Stop(Failure::Differs, "its answer is no value".into()))?;
                match (&replay.expected, status) {
                    (Expected::Any, _) => Ok(()),
                    (Expected::Answer(value), Status::OK) if *value == answer => Ok(()),
                    (Expected::Error(value), Status::ERR) if *value == answer => Ok(()),
                    // Other components cannot be called in here: nothing was learned, nothing is wrong.
                    _ if self.host.asked_elsewhere() != asked_before => {
                        self.warnings.push(format!(
                            "what the recorded call of `{}` answers was not compared: it asks another component",
                            replay.method
                        ));
                        Ok(())
                    }
                    (expected, _) => {
                        let error = if status == Status::ERR { "the error " } else { "" };
                        differs(format!("answered {error}{answer}, recorded was {expected}"))
                    }
                }
            }
            Status::BAD_ARGUMENT => differs("its arguments do not fit any more".into()),
            Status::NOT_UNDERSTOOD => differs("not understood any more".into()),
            status => {
                let said = self.host.notes().panics.last().cloned().unwrap_or_default();
                Err(StepError { status, reason: if why.is_empty() { said } else { why } }.into())
            }
        }
    }
}

/// A method that the module offers, as `behavior.method` or by its name alone.
fn method(module: &LoadedModule, method: &str) -> Option<&'static MethodEntry> {
    let (behavior, name) = method.rsplit_once('.').unwrap_or(("", method));
    module.methods().iter().find(|entry| {
        entry.desc.name.as_str() == name
            && (behavior.is_empty() || entry.behavior.name.as_str() == behavior)
    })
}
