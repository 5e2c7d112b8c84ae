//! The bench of the agent: `sagentd` and the system's `snmpd` side by side, each on one processor, asked the
//! same by a manager on another.
//!
//! It asserts nothing about time; it fails where something does not work, and tells wrong and lost answers
//! as `faults`. `cargo xtask bench agent` builds what it runs.
//!
//! In this order: `cases` (what agents are asked), `namespace` (ten thousand interfaces), `report`.

mod cases;
mod namespace;
mod report;

use cases::{Effort, Faults};
use clap::Parser;
use s_load::Error;
use s_load::agents::{Agent, Host, Kind, Place};
use s_load::process::rss_kib;
use s_load::report::{machine, median, rounded, today, write_docs};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Measures sagentd beside the system's snmpd, and writes one JSON object.
///
/// Agents run on the second processor that this command may use, the manager on the first. Start the command
/// under `chrt` for another priority.
#[derive(Parser)]
#[command(name = "bench-agent", version)]
struct Options {
    /// Where the JSON object goes.
    #[arg(long, required_unless_present_any = ["echo", "inside"])]
    json: Option<PathBuf>,
    /// Rewrite the tables in docs/performance-agent.md and the committed baseline.
    #[arg(long)]
    write_docs: bool,
    /// A short run with small samples.
    #[arg(long)]
    quick: bool,
    /// Only the parts with these names: the cases as the result names them, echo, memory, start.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How many interfaces the namespace has.
    #[arg(long, default_value_t = 10_000)]
    interfaces: usize,
    /// Send back what comes, at this address.
    #[arg(long, hide = true)]
    echo: Option<SocketAddr>,
    /// Make interfaces and measure them: this is a namespace of its own.
    #[arg(long, hide = true)]
    inside: bool,
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    fn effort(&self) -> Effort {
        match self.quick {
            true => Effort { rounds: 2, duration: Duration::from_millis(200) },
            false => Effort { rounds: 7, duration: Duration::from_millis(1000) },
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match (&options.echo, options.inside) {
        (Some(address), _) => s_load::echo(*address),
        (None, true) => inside(&options),
        (None, false) => measure(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), Error> {
    let began = Instant::now();
    let say = |what: &str| eprintln!("{:>7.1} s  {what}", began.elapsed().as_secs_f64());
    let host = Host::new(Place::Apart)?;
    let (mut run, mut skipped, mut faults) = (Map::new(), Map::new(), Faults::default());
    if let Some(why) = host.untuned() {
        skipped.insert("snmpd_tuned".to_owned(), json!(why));
    }
    if options.wants("start") {
        say("starts");
        run.insert("first_answer_ms".to_owned(), first_answers(&host, options)?);
    }
    if options.wants("echo") {
        say("a bare echo");
        let [rate, cpu] = cases::measure_echo(&host.start(Kind::Echo)?, options.effort())?;
        run.insert("echo_rps".to_owned(), json!(rounded(rate)));
        run.insert("echo_cpu_us".to_owned(), json!(rounded(cpu)));
    }
    let agents = start(&host)?;
    let mut memory = Map::new();
    weigh(&agents, "idle", &mut memory)?;
    let all: Vec<&Agent> = agents.iter().collect();
    for case in cases::all().iter().filter(|case| options.wants(case.name)) {
        say(case.name);
        let figures = cases::measure(case, &all, options.effort(), &mut faults)?;
        run.insert(case.name.to_owned(), figures.into());
    }
    weigh(&agents, "loaded", &mut memory)?;
    if options.wants("memory") {
        run.insert("rss_kib".to_owned(), memory.into());
    }
    drop(agents);
    let interfaces = cases::interfaces();
    if options.wants(interfaces.name) {
        say(interfaces.name);
        // The bench inside of the namespace finds its own two processors.
        host.let_go()?;
        let count = options.interfaces.to_string();
        let mut arguments = vec!["--interfaces".to_owned(), count];
        arguments.extend(options.quick.then(|| "--quick".to_owned()));
        match namespace::measure(&arguments) {
            Ok(figures) => drop(run.insert(interfaces.name.to_owned(), figures.into())),
            Err(why) => drop(skipped.insert(interfaces.name.to_owned(), json!(why.to_string()))),
        }
    }
    run.insert("faults".to_owned(), faults.into_json());
    run.insert("skipped".to_owned(), skipped.into());
    run.insert("machine".to_owned(), json!(machine()));
    run.insert("date".to_owned(), json!(today()));
    run.insert("quick".to_owned(), json!(options.quick));
    write(options, run.into())
}

fn write(options: &Options, run: Value) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(&run)? + "\n";
    std::fs::write(options.json.as_ref().ok_or("no file is named")?, &json)?;
    let tables = report::tables(&run);
    println!("{tables}");
    println!("faults: {}; skipped: {}", run["faults"], run["skipped"]);
    if options.write_docs {
        let length = if options.quick { "a short run" } else { "a full run" };
        let (today, machine) = (today(), machine());
        let text = format!("Measured on {today}, {length}, on {machine}.\n\n{tables}");
        write_docs("performance-agent.md", "agent.json", &json, &text)?;
    }
    Ok(())
}

/// All that are compared, at the same time: who is not asked waits.
fn start(host: &Host) -> Result<Vec<Agent>, Error> {
    let mut kinds = vec![Kind::Ours, Kind::Snmpd];
    if host.untuned().is_none() {
        kinds.push(Kind::SnmpdTuned);
    }
    kinds.into_iter().map(|kind| host.start(kind)).collect()
}

/// Milliseconds from start to first answer, each agent alone.
fn first_answers(host: &Host, options: &Options) -> Result<Value, Error> {
    let mut result = Map::new();
    for kind in [Kind::Ours, Kind::Snmpd] {
        let mut figures = Vec::new();
        for _ in 0..options.effort().rounds {
            figures.push(host.start(kind)?.first_answer.as_secs_f64() * 1000.0);
        }
        result.insert(kind.key().to_owned(), json!(rounded(median(figures))));
    }
    Ok(result.into())
}

fn weigh(agents: &[Agent], when: &str, memory: &mut Map<String, Value>) -> Result<(), Error> {
    for agent in agents {
        let key = format!("{}_{when}", agent.kind.key());
        memory.insert(key, json!(rss_kib(agent.pid())?));
    }
    Ok(())
}

/// In the namespace: links, agents, the walk. What it finds goes to standard output.
fn inside(options: &Options) -> Result<(), Error> {
    let kind = namespace::prepare(options.interfaces)?;
    let host = Host::new(Place::Apart)?;
    let agents = start(&host)?;
    let all: Vec<&Agent> = agents.iter().collect();
    let mut faults = Faults::default();
    let effort = match options.quick {
        true => Effort { rounds: 1, duration: Duration::from_secs(2) },
        // Long enough for snmpd to read all interfaces and go through them.
        false => Effort { rounds: 3, duration: Duration::from_secs(12) },
    };
    let mut figures = cases::measure(&cases::interfaces(), &all, effort, &mut faults)?;
    figures.insert("links".to_owned(), json!(format!("{} {kind}", options.interfaces)));
    figures.insert("faults".to_owned(), faults.into_json());
    println!("{}", Value::Object(figures));
    Ok(())
}
