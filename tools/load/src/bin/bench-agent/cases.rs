//! What is asked, of whom, and how the figures of rounds become one.
//!
//! Agents take turns in every round, so that whatever else the machine does falls on all of them. Figures are
//! medians over rounds.

use s_load::Error;
use s_load::agents::{Agent, Kind, community, user};
use s_load::generator::{Load, Outcome, run};
use s_load::process::cpu_nanos;
use s_load::question::{Question, SYS_UP_TIME, Type};
use s_load::report::{median, rounded};
use s_load::session::{Session, Who};
use s_load::usm::Auth;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A question, who asks it, and how.
pub(crate) struct Case {
    /// Its key in the result.
    pub(crate) name: &'static str,
    who: Who,
    question: Question,
    window: usize,
    patience: Duration,
    /// What is counted: answers, or variables where agents have not the same tree.
    counts_variables: bool,
}

impl Case {
    fn new(name: &'static str, who: Who, question: Question, window: usize) -> Self {
        let counts_variables = question.moves();
        Case { name, who, question, window, patience: Duration::from_secs(1), counts_variables }
    }

    fn rate(&self, outcome: &Outcome) -> f64 {
        if self.counts_variables { outcome.variable_rate() } else { outcome.rate() }
    }
}

/// Requests under way in a closed loop.
const WINDOW: usize = 64;

/// Those that every agent is asked.
pub(crate) fn all() -> Vec<Case> {
    let get = || Question::Get(vec![(SYS_UP_TIME.to_vec(), Type::TimeTicks)]);
    let if_table = vec![1, 3, 6, 1, 2, 1, 2, 2];
    let bulk = || Question::Bulk { name: if_table.clone(), repetitions: 50 };
    let tree = Question::Walk { root: vec![1, 3, 6, 1], repetitions: 50 };
    vec![
        Case::new("v2c_get", community(), get(), WINDOW),
        Case::new("v2c_get10", community(), Question::Get(ten()), WINDOW),
        Case::new("v2c_getbulk50", community(), bulk(), WINDOW),
        Case::new("v3_authnopriv_sha1_get", user(Auth::Sha1, false), get(), WINDOW),
        Case::new("v3_authpriv_sha1_aes128_get", user(Auth::Sha1, true), get(), WINDOW),
        Case::new("v3_authpriv_sha256_aes128_get", user(Auth::Sha256, true), get(), WINDOW),
        Case::new("v3_authpriv_sha256_aes128_getbulk50", user(Auth::Sha256, true), bulk(), WINDOW),
        Case::new("bulkwalk_tree", community(), tree, 8),
    ]
}

/// The walk that needs a network namespace.
pub(crate) fn interfaces() -> Case {
    let question = Question::Walk { root: vec![1, 3, 6, 1, 2, 1, 2, 2], repetitions: 50 };
    Case {
        patience: Duration::from_secs(120),
        ..Case::new("bulkwalk_10000_interfaces", community(), question, 8)
    }
}

/// Ten variables that every agent has.
fn ten() -> Vec<(Vec<u32>, Type)> {
    let below = |arcs: &[u32]| [&[1, 3, 6, 1, 2, 1], arcs].concat();
    vec![
        (below(&[1, 1, 0]), Type::Octets),
        (below(&[1, 2, 0]), Type::Oid),
        (below(&[1, 3, 0]), Type::TimeTicks),
        (below(&[1, 4, 0]), Type::Octets),
        (below(&[1, 5, 0]), Type::Octets),
        (below(&[1, 6, 0]), Type::Octets),
        (below(&[1, 7, 0]), Type::Integer),
        (below(&[2, 1, 0]), Type::Integer),
        (below(&[11, 1, 0]), Type::Counter32),
        (below(&[11, 3, 0]), Type::Counter32),
    ]
}

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
}

/// What one agent did in one round.
struct Figure {
    rate: f64,
    answers: f64,
    cpu_us: f64,
}

/// What is wrong with answers is told, never counted as work.
#[derive(Default)]
pub(crate) struct Faults(Map<String, Value>);

impl Faults {
    fn add(&mut self, case: &str, agent: Kind, outcome: &Outcome) {
        let mut add = |what: &str, count: u64| {
            if count > 0 {
                let key = format!("{} {case}: {what}", agent.key());
                let before = self.0.get(&key).and_then(Value::as_u64).unwrap_or(0);
                self.0.insert(key, json!(before + count));
            }
        };
        add("lost", outcome.lost);
        outcome.wrong.iter().for_each(|(what, count)| add(what, *count));
    }

    pub(crate) fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

/// Measures a case on all agents.
///
/// # Errors
/// An agent is gone or does not answer.
pub(crate) fn measure(
    case: &Case,
    agents: &[&Agent],
    effort: Effort,
    faults: &mut Faults,
) -> Result<Map<String, Value>, Error> {
    let mut result = Map::new();
    let mut put = |agent: Kind, what: &str, figure: f64| {
        result.insert(format!("{}_{what}", agent.key()), json!(rounded(figure)));
    };
    let closed = Load {
        window: case.window,
        rate: None,
        duration: effort.duration,
        patience: case.patience,
    };
    let mut figures: Vec<Vec<Figure>> = agents.iter().map(|_| Vec::new()).collect();
    for _ in 0..effort.rounds {
        for (agent, figures) in agents.iter().zip(&mut figures) {
            let mut session = Session::begin(agent.address, &case.who)?;
            let before = cpu_nanos(agent.pid())?;
            let outcome = run(agent.address, &mut session, &case.question, &closed)?;
            let used = cpu_nanos(agent.pid())?.saturating_sub(before) as f64 / 1000.0;
            faults.add(case.name, agent.kind, &outcome);
            // A walk may wait for an agent that reads ten thousand interfaces; that is a rate of 0, and a fault.
            if outcome.answers == 0 && !case.question.moves() {
                return Err(format!("{} answers nothing: {outcome:?}", agent.kind.key()).into());
            }
            let per = if case.counts_variables { outcome.variables } else { outcome.answers };
            figures.push(Figure {
                rate: case.rate(&outcome),
                answers: outcome.rate(),
                cpu_us: used / per.max(1) as f64,
            });
        }
    }
    let of = |agent: Kind, figure: fn(&Figure) -> f64| {
        let at = agents.iter().position(|other| other.kind == agent)?;
        Some(median(figures.get(at)?.iter().map(figure).collect()))
    };
    for agent in agents {
        put(agent.kind, "rps", of(agent.kind, |figure| figure.rate).unwrap_or(f64::NAN));
        put(agent.kind, "cpu_us", of(agent.kind, |figure| figure.cpu_us).unwrap_or(f64::NAN));
    }
    // Equal load, an open loop: half of what snmpd can do.
    let slowest = of(Kind::Snmpd, |figure| figure.answers);
    let apart = [
        ("", slowest.map(|rate| Load { rate: Some(rate / 2.0), window: 4096, ..closed })),
        ("alone_", Some(Load { window: 1, ..closed })),
    ];
    for (prefix, load) in apart.into_iter().filter_map(|(prefix, load)| Some((prefix, load?))) {
        // Walks have one request after the other, whatever the rate.
        if prefix.is_empty() && case.question.moves() {
            continue;
        }
        for agent in agents {
            let mut session = Session::begin(agent.address, &case.who)?;
            let (mut p50, mut p99) = (Vec::new(), Vec::new());
            for _ in 0..effort.rounds.div_ceil(2) {
                let outcome = run(agent.address, &mut session, &case.question, &load)?;
                faults.add(case.name, agent.kind, &outcome);
                p50.extend(outcome.latency_us(0.5));
                p99.extend(outcome.latency_us(0.99));
            }
            // A walk has no equal load: its latencies are those of one walker alone.
            let prefix = if case.question.moves() { "" } else { prefix };
            result.insert(
                format!("{}_{prefix}p50_us", agent.kind.key()),
                json!(rounded(median(p50))),
            );
            result.insert(
                format!("{}_{prefix}p99_us", agent.kind.key()),
                json!(rounded(median(p99))),
            );
        }
    }
    let read = |key: &str| result.get(key).and_then(Value::as_f64);
    let over = |upper: &str, lower: &str| Some(json!(rounded(read(upper)? / read(lower)?)));
    let ratios = [
        ("ratio", over("ours_rps", "snmpd_rps")),
        ("ratio_tuned", over("ours_rps", "snmpd_tuned_rps")),
        ("cpu_ratio", over("snmpd_cpu_us", "ours_cpu_us")),
        ("cpu_ratio_tuned", over("snmpd_tuned_cpu_us", "ours_cpu_us")),
    ];
    let unit = if case.counts_variables { "variables" } else { "answers" };
    result.insert("unit".to_owned(), json!(unit));
    for (key, ratio) in ratios {
        result.extend(ratio.map(|ratio| (key.to_owned(), ratio)));
    }
    Ok(result)
}

/// What a datagram costs without SNMP: answers a second, and microseconds of processor time for each.
///
/// # Errors
/// The echo is gone.
pub(crate) fn measure_echo(agent: &Agent, effort: Effort) -> Result<[f64; 2], Error> {
    let patience = Duration::from_secs(1);
    let load = Load { window: WINDOW, rate: None, duration: effort.duration, patience };
    let mut session = Session::begin(agent.address, &Who::Echo)?;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let before = cpu_nanos(agent.pid())?;
        let outcome = run(agent.address, &mut session, &Question::Echo, &load)?;
        let used = cpu_nanos(agent.pid())?.saturating_sub(before) as f64 / 1000.0;
        rates.push(outcome.rate());
        costs.push(used / outcome.answers.max(1) as f64);
    }
    Ok([median(rates), median(costs)])
}
