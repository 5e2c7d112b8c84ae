//! Calls and the gate: nanoseconds of thread CPU time, medians over the undisturbed of interleaved rounds.
//!
//! Every kind of call is measured in every round, so that noise hits all alike. Calls go through a module
//! that was loaded from its package. Invariant: no figure is of a loop that the compiler could shorten.

use crate::host::{Error, Host};
use crate::report::median;
use crate::role::{Bench as _, BenchProxy};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use s_proxy::Worker;
use s_sdk::{Activity, CallError, Value};
use serde_json::{Map, json};
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Calls between two looks at the clock.
const BATCH: u32 = 10_000;

/// What a plain call is measured with: the same step behind a trait object.
trait Plain {
    fn step(&self, number: u64) -> Result<u64, CallError>;
}

struct Step(u64);

impl Plain for Step {
    #[inline(never)]
    fn step(&self, number: u64) -> Result<u64, CallError> {
        Ok(number.wrapping_add(self.0))
    }
}

/// CPU time of this thread, in nanoseconds.
fn cpu_time() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    // A thread's CPU time is far below 2^52 ns.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of one run")]
    {
        now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
    }
}

fn per_call(calls: impl FnOnce()) -> f64 {
    let began = cpu_time();
    calls();
    (cpu_time() - began) / f64::from(BATCH)
}

/// Plain calls, one after the other.
fn plain_calls(plain: &dyn Plain) -> f64 {
    per_call(|| {
        let plain = black_box(plain);
        let mut sum = 0u64;
        for number in 0..u64::from(BATCH) {
            sum = sum.wrapping_add(plain.step(number).unwrap_or(u64::MAX));
        }
        black_box(sum);
    })
}

/// One activity of one call, many times. The answers are used up, so no call can be left out.
fn each(worker: &mut Worker, mut call: impl FnMut(&Activity, u64) -> u64) -> f64 {
    per_call(|| {
        let mut sum = 0u64;
        for number in 0..u64::from(BATCH) {
            let act = worker.activity();
            sum = sum.wrapping_add(call(&act, number));
        }
        black_box(sum);
    })
}

/// Many calls in one activity.
fn within(worker: &mut Worker, mut call: impl FnMut(&Activity, u64) -> u64) -> f64 {
    let act = worker.activity();
    per_call(|| {
        let mut sum = 0u64;
        for number in 0..u64::from(BATCH) {
            sum = sum.wrapping_add(call(&act, number));
        }
        black_box(sum);
    })
}

/// A call that fails is a number that nobody expects; the first round's answers are checked.
fn number(answer: Result<Value, s_sdk::component::InvokeError>) -> u64 {
    match answer {
        Ok(Value::U64(number)) => number,
        _ => u64::MAX,
    }
}

/// Measures every kind of call.
pub(crate) fn measure(host: &Host, rounds: usize) -> Result<Map<String, serde_json::Value>, Error> {
    let component = host.components[0];
    let proxy: BenchProxy = host.runtime.proxy(component.name())?;
    let selector = component.selector("step")?;
    let mut worker = host.runtime.worker();
    check(&mut worker, proxy, component, selector)?;

    let plain: Box<dyn Plain> = black_box(Box::new(Step(1)));
    let typed = |act: &Activity, n| proxy.step(act, n).unwrap_or(u64::MAX);
    let by_id =
        |act: &Activity, n| number(component.invoke_selected(act, selector, &[Value::U64(n)]));
    let by_name = |act: &Activity, n| number(component.invoke(act, "step", &[Value::U64(n)]));
    let missing = |act: &Activity, n| proxy.missing(act, n).unwrap_or(u64::MAX);

    const NAMES: [&str; 9] = [
        "dyn_call_ns",
        "typed_call_ns",
        "invoke_id_ns",
        "invoke_name_ns",
        "does_not_understand_ns",
        "typed_call_within_activity_ns",
        "invoke_id_within_activity_ns",
        "invoke_name_within_activity_ns",
        "does_not_understand_within_activity_ns",
    ];
    let mut kept = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let figures = [
            plain_calls(&*plain),
            each(&mut worker, typed),
            each(&mut worker, by_id),
            each(&mut worker, by_name),
            each(&mut worker, missing),
            within(&mut worker, typed),
            within(&mut worker, by_id),
            within(&mut worker, by_name),
            within(&mut worker, missing),
        ];
        // The first round warms up.
        if round > 0 {
            kept.push(figures);
        }
    }
    let figures = undisturbed(kept).map(|figure| json!(figure));
    Ok(NAMES.map(str::to_owned).into_iter().zip(figures).collect())
}

/// The medians over the quarter of rounds in which the plain call, the first of each, was quickest: it is not
/// ours, and on a shared machine it shows when neighbours slow the processor.
fn undisturbed<const N: usize>(mut rounds: Vec<[f64; N]>) -> [f64; N] {
    rounds.sort_by(|one, other| one[0].total_cmp(&other[0]));
    rounds.truncate(rounds.len().div_ceil(4));
    std::array::from_fn(|at| median(&mut rounds.iter().map(|round| round[at]).collect::<Vec<_>>()))
}

/// Every kind of call answers what it should, or there is nothing to measure.
fn check(
    worker: &mut Worker,
    proxy: BenchProxy,
    component: &s_proxy::Component,
    selector: s_sdk::component::Selector<'_>,
) -> Result<(), Error> {
    let act = worker.activity();
    let wanted = proxy.step(&act, 7)?;
    let by_id = component.invoke_selected(&act, selector, &[Value::U64(7)])?;
    let by_name = component.invoke(&act, "step", &[Value::U64(7)])?;
    let missing = proxy.missing(&act, 7)?;
    if (wanted, &by_id, &by_name, missing) == (8, &Value::U64(8), &Value::U64(8), 8) {
        return Ok(());
    }
    Err(format!("the module answers wrongly: {wanted}, {by_id}, {by_name}, {missing}").into())
}

/// Begin, enter, end on two threads at once, each on a processor of its own; the threads together. Beside it
/// a plain call, taking turns: processors that share a core slow each other, whatever they do.
pub(crate) fn gate(host: &Host, rounds: usize) -> Result<Map<String, serde_json::Value>, Error> {
    const THREADS: usize = 2;
    let allowed = sched_getaffinity(None)?;
    let processors: Vec<usize> =
        (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).take(THREADS).collect();
    let core = host.components[0].core();
    let (start, running) = (Barrier::new(THREADS), AtomicUsize::new(THREADS));
    let loops = |thread: usize| -> Result<Vec<[f64; 2]>, Error> {
        if let Some(cpu) = processors.get(thread) {
            let mut own = CpuSet::new();
            own.set(*cpu);
            sched_setaffinity(None, &own)?;
        }
        let mut worker = host.runtime.worker();
        let plain: Box<dyn Plain> = black_box(Box::new(Step(1)));
        let mut kept = Vec::with_capacity(rounds);
        start.wait();
        for round in 0..=rounds {
            let plain = plain_calls(&*plain);
            let figure = each(&mut worker, |act, _| {
                act.enter(core).map_or(u64::MAX, |binding| binding.generation)
            });
            // The first warms up; those after the other thread's end had the machine to themselves.
            if round > 0 && running.load(Relaxed) == THREADS {
                kept.push([plain, figure]);
            }
        }
        running.fetch_sub(1, Relaxed);
        Ok(kept)
    };
    let kept = std::thread::scope(|scope| -> Result<Vec<[f64; 2]>, Error> {
        let loops = &loops;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || loops(thread).map_err(|error| error.to_string())))
            .collect();
        let mut kept = vec![];
        for thread in threads {
            kept.extend(thread.join().map_err(|_| "a thread of the gate's measurement panicked")??);
        }
        Ok(kept)
    })?;
    let [plain, gate] = undisturbed(kept);
    Ok(Map::from_iter([
        ("gate_ns".to_owned(), json!(gate)),
        ("dyn_call_two_threads_ns".to_owned(), json!(plain)),
    ]))
}
