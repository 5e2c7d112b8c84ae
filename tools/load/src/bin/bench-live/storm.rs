//! One swap after another, while a manager asks: what became of every request, and how long each gate was
//! closed.
//!
//! Invariant: a request is counted as sent while there were swaps, or while there were none, by when it left.

use crate::operator::{self, BENCH, Operator, SLOW, Swap};
use s_load::Error;
use s_load::agents::{Agent, Host, user};
use s_load::question::{Question, SYS_UP_TIME, Type};
use s_load::report::rounded;
use s_load::traced::{Asking, Look, Pace, Stream, Told};
use s_load::usm::Auth;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longer than a gate may be closed: what is not answered then was swallowed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Requests a second in the open loop.
pub(crate) const RATE: f64 = 2000.0;

/// Requests under way in the closed loop.
const WINDOW: usize = 48;

/// sysUpTime.0, again and again: what latencies are measured with.
pub(crate) fn up_time(pace: Pace) -> Stream {
    let question = Question::Get(vec![(SYS_UP_TIME.to_vec(), Type::TimeTicks)]);
    Stream { question, pace, look: Look::UpTime }
}

/// All variables that say a version, with others between them, so that the agent comes back to the module.
fn versions(pace: Pace) -> Stream {
    let variable = |column| (vec![1, 3, 6, 1, 4, 1, 32_473, 4, 1, column, 0], Type::Integer);
    let between = || (SYS_UP_TIME.to_vec(), Type::TimeTicks);
    let wanted = (1..=8).flat_map(|column| [variable(column), between()]);
    Stream { question: Question::Get(wanted.collect()), pace, look: Look::OneVersion }
}

/// The whole tree, again and again.
fn walk() -> Stream {
    let question = Question::Walk { root: vec![1, 3, 6, 1], repetitions: 50 };
    Stream { question, pace: Pace::Closed(1), look: Look::Form }
}

/// The component whose state takes long.
fn slow(pace: Pace) -> Stream {
    let name = vec![1, 3, 6, 1, 4, 1, 32_473, 5, 1, 1, 0];
    let question = Question::Get(vec![(name, Type::Integer)]);
    Stream { question, pace, look: Look::Form }
}

/// Closed-loop saturation.
pub(crate) fn saturation() -> Vec<Stream> {
    vec![up_time(Pace::Closed(WINDOW)), versions(Pace::Closed(8)), walk()]
}

/// An open loop.
pub(crate) fn steady() -> Vec<Stream> {
    vec![up_time(Pace::Open(RATE)), versions(Pace::Open(RATE / 20.0)), walk()]
}

/// How much.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) swaps: usize,
    /// How long nothing is swapped, before and after.
    pub(crate) calm: Duration,
}

/// What a storm left behind.
pub(crate) struct Storm {
    pub(crate) began: Instant,
    pub(crate) told: Vec<Told>,
    pub(crate) swaps: Vec<Swap>,
    /// From when to when there were swaps.
    span: (Duration, Duration),
    /// Requests that the kernel dropped before the agent could take them.
    dropped: Option<u64>,
}

/// Asks an agent and swaps its modules meanwhile.
///
/// # Errors
/// The agent is gone.
pub(crate) fn storm(
    agent: &Agent,
    streams: Vec<Stream>,
    effort: Effort,
    mut swap: impl FnMut() -> Result<Swap, Error>,
) -> Result<Storm, Error> {
    let asking = Asking::begin(agent.address, &user(Auth::Sha256, true), streams, PATIENCE)?;
    let began = asking.began;
    std::thread::sleep(effort.calm);
    let from = began.elapsed();
    let swaps = (0..effort.swaps).map(|_| swap()).collect::<Result<Vec<_>, _>>();
    let to = began.elapsed();
    std::thread::sleep(effort.calm);
    let (told, _) = asking.finish()?;
    let swaps = swaps.map_err(|error| format!("{error}; the agent says: {}", agent.log()))?;
    Ok(Storm { began, told, swaps, span: (from, to), dropped: agent.dropped() })
}

/// Random components of a whole agent.
///
/// # Errors
/// It does not start, or is gone.
pub(crate) fn of_everything(
    host: &Host,
    streams: Vec<Stream>,
    effort: Effort,
) -> Result<Storm, Error> {
    let (agent, mut operator) = operator::start(host)?;
    bring(&mut operator, BENCH, "bench_one")?;
    bring(&mut operator, "mib.example", "mib-example")?;
    let components = operator.components()?;
    operator.prepare(&components)?;
    await_variable(&agent, versions(Pace::Closed(1)))?;
    storm(&agent, streams, effort, || operator.swap_any(&components))
}

/// The component whose state takes long, again and again; where `is_asked`, somebody asks for it now and then.
///
/// # Errors
/// As for [`of_everything`].
pub(crate) fn of_slow_state(host: &Host, is_asked: bool, effort: Effort) -> Result<Storm, Error> {
    let (agent, mut operator) = operator::start(host)?;
    bring(&mut operator, "mib.slow", SLOW)?;
    let mut streams = vec![up_time(Pace::Open(RATE))];
    if is_asked {
        streams.push(slow(Pace::Open(20.0)));
        await_variable(&agent, slow(Pace::Closed(1)))?;
    }
    storm(&agent, streams, effort, || operator.swap("mib.slow", SLOW))
}

/// Swaps that must go well before anything is measured.
fn bring(operator: &mut Operator, component: &str, module: &str) -> Result<(), Error> {
    match operator.swap(component, module)?.fault {
        None => Ok(()),
        Some(fault) => Err(format!("{component}: {fault}").into()),
    }
}

/// New names are answered shortly after the commit that brought them.
fn await_variable(agent: &Agent, stream: Stream) -> Result<(), Error> {
    let began = Instant::now();
    loop {
        let who = user(Auth::Sha256, true);
        let asking = Asking::begin(agent.address, &who, vec![stream.clone()], PATIENCE)?;
        std::thread::sleep(Duration::from_millis(100));
        let (told, _) = asking.finish()?;
        if told.iter().all(|told| told.wrong.is_empty() && told.answered > 0) {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(10) {
            return Err(format!("what was added is not answered: {}", agent.log()).into());
        }
    }
}

impl Storm {
    /// Whether a request left while there were swaps.
    fn is_with(&self, left: Duration) -> bool {
        left >= self.span.0 && left < self.span.1
    }

    /// The sum over all streams.
    fn sum(&self, what: impl Fn(&Told) -> u64) -> u64 {
        self.told.iter().map(what).sum()
    }

    /// Blackouts in microseconds, by component.
    pub(crate) fn blackouts(&self) -> BTreeMap<&str, Vec<f64>> {
        let mut found: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for swap in self.swaps.iter().filter(|swap| swap.fault.is_none()) {
            found.entry(&swap.component).or_default().push(swap.blackout_us);
        }
        found
    }

    /// As the result has it.
    pub(crate) fn figures(&self) -> Map<String, Value> {
        let main = self.told.first();
        let of = |is_with: bool| {
            main.map(|told| spread(told.latencies_us(|left| self.is_with(left) == is_with)))
        };
        let mut wrong: BTreeMap<&str, u64> = BTreeMap::new();
        for told in &self.told {
            told.wrong.iter().for_each(|(what, count)| *wrong.entry(what).or_default() += count);
            for (what, count) in
                [("a time that went back", told.went_back), ("a Report", told.refused)]
            {
                if count > 0 {
                    *wrong.entry(what).or_default() += count;
                }
            }
        }
        let faults: Vec<_> = self.swaps.iter().filter_map(|swap| swap.fault.as_ref()).collect();
        let took = (self.span.1 - self.span.0).as_secs_f64();
        let Value::Object(figures) = json!({
            "swaps": self.swaps.len() - faults.len(),
            "not_committed": faults,
            "swaps_per_second": rounded(self.swaps.len() as f64 / took),
            "sent": self.sum(Told::sent),
            "answered": self.sum(|told| told.answered),
            "lost": self.sum(|told| told.lost),
            "dropped_by_kernel": self.dropped,
            "wrong": wrong.values().sum::<u64>(),
            "wrong_how": wrong,
            "duplicate": self.sum(|told| told.duplicate),
            "mixed": self.sum(|told| told.mixed),
            "latency_us": { "with": of(true), "without": of(false) },
        }) else {
            return Map::new();
        };
        figures
    }

    /// What of the slow one is beyond what every storm has.
    pub(crate) fn figures_of_slow_state(&self) -> Map<String, Value> {
        let mut figures = self.figures();
        let mapping: Vec<_> = self
            .swaps
            .iter()
            .filter_map(|swap| {
                let (since, took) = swap.mapped?;
                let from = swap.begun.saturating_duration_since(self.began) + since;
                Some((from, from + took))
            })
            .collect();
        let is_mapping =
            |left: Duration| mapping.iter().any(|(from, to)| (*from..*to).contains(&left));
        let while_mapping = self.told.first().map(|told| spread(told.latencies_us(is_mapping)));
        let touching =
            self.told.get(1).map(|told| spread(told.latencies_us(|left| self.is_with(left))));
        figures.insert("while_mapping_us".to_owned(), json!(while_mapping));
        if let Some(touching) = touching {
            figures.insert("touching_us".to_owned(), touching);
        }
        let blackouts: Vec<_> = self.swaps.iter().map(|swap| swap.blackout_us).collect();
        figures.insert("blackout_us".to_owned(), spread(blackouts));
        figures
    }
}

/// Quantiles, by nearest rank.
pub(crate) fn spread(mut figures: Vec<f64>) -> Value {
    figures.sort_by(f64::total_cmp);
    let quantile = |quantile: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let rank = (figures.len() as f64 * quantile).ceil() as usize;
        figures.get(rank.saturating_sub(1)).copied().map(rounded)
    };
    json!({
        "count": figures.len(),
        "p50": quantile(0.5),
        "p99": quantile(0.99),
        "max": figures.last().copied().map(rounded),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_figures_that_were_measured() {
        let figures = spread((1..=100).map(f64::from).rev().collect());
        assert_eq!((&figures["p50"], &figures["p99"]), (&json!(50.0), &json!(99.0)));
        assert_eq!(figures["max"], json!(100.0));
        assert_eq!(spread(vec![3.0])["p99"], json!(3.0));
        assert_eq!(spread(Vec::new())["max"], Value::Null);
    }
}
