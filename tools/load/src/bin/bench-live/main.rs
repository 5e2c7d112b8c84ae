//! The bench of swaps: a running `sagentd` whose modules are replaced one after another while a manager asks
//! and looks at every answer; and beside it what operators have without swaps, an snmpd that is started again.
//!
//! It asserts nothing about time; it fails where something does not work. `cargo xtask bench live` builds what
//! it runs.
//!
//! In this order: `packages` (what is pushed), `operator` (who pushes), `storm` (who asks, and what became of
//! it), `beside` (snmpd), `report`, `picture`.

mod beside;
mod operator;
mod packages;
mod picture;
mod report;
mod storm;

use clap::Parser;
use s_load::Error;
use s_load::agents::{Host, Place};
use s_load::report::{docs, machine, today, write_docs};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use storm::Effort;

/// Swaps random components of a running sagentd under load, and writes one JSON object.
///
/// Agents and manager run wherever the system likes; the manager sleeps while nothing comes.
#[derive(Parser)]
#[command(name = "bench-live", version)]
struct Options {
    /// Where the JSON object goes.
    #[arg(long, required_unless_present = "picture")]
    json: Option<PathBuf>,
    /// Rewrite docs/performance-live.md, docs/live.svg and the committed baseline.
    #[arg(long)]
    write_docs: bool,
    /// A short run with few swaps.
    #[arg(long)]
    quick: bool,
    /// How many swaps each of the two storms has [default: 1000, or 20 in a short run].
    #[arg(long)]
    swaps: Option<usize>,
    /// Only the parts with these names: closed_loop, open_loop, slow_state, snmpd_restart, dlmod.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Draw the picture of an earlier run: the file with its JSON object, and where the SVG goes.
    #[arg(long, num_args = 2, value_names = ["JSON", "SVG"])]
    picture: Option<Vec<PathBuf>>,
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    fn storm(&self) -> Effort {
        let (swaps, calm) = if self.quick { (20, 3) } else { (1000, 15) };
        Effort { swaps: self.swaps.unwrap_or(swaps), calm: Duration::from_secs(calm) }
    }

    fn slow_state(&self) -> Effort {
        let (swaps, calm) = if self.quick { (5, 2) } else { (50, 10) };
        Effort { swaps, calm: Duration::from_secs(calm) }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.picture.as_deref() {
        Some([json, svg]) => draw(json, svg),
        _ => measure(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-live: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw(json: &PathBuf, svg: &PathBuf) -> Result<(), Error> {
    let run = serde_json::from_slice(&std::fs::read(json)?)?;
    let drawn = picture::svg(&run).ok_or("that run holds no picture: it left the open loop out")?;
    Ok(std::fs::write(svg, drawn)?)
}

fn measure(options: &Options) -> Result<(), Error> {
    let began = Instant::now();
    let say = |what: &str| eprintln!("{:>7.1} s  {what}", began.elapsed().as_secs_f64());
    let host = Host::new(Place::Anywhere)?;
    let mut run = Map::new();
    let mut storms = Vec::new();
    if options.wants("closed_loop") {
        say("swaps under a closed loop");
        storms.push((
            "closed_loop",
            storm::of_everything(&host, storm::saturation(), options.storm())?,
        ));
    }
    if options.wants("open_loop") {
        say("swaps under an open loop");
        storms.push(("open_loop", storm::of_everything(&host, storm::steady(), options.storm())?));
    }
    sum_up(&storms, &mut run);
    if options.wants("slow_state") {
        say("a state that takes 200 ms to map");
        for (key, is_asked) in [("slow_state", false), ("slow_state_asked", true)] {
            let storm = storm::of_slow_state(&host, is_asked, options.slow_state())?;
            run.insert(key.to_owned(), storm.figures_of_slow_state().into());
        }
    }
    let unavailable = |why: Error| json!({ "unavailable": why.to_string() });
    let mut restart = None;
    if options.wants("snmpd_restart") {
        say("snmpd is started again");
        let before = Duration::from_secs_f64(picture::BEFORE + 1.0);
        let restarted = beside::restart(&host, before, Duration::from_secs(10));
        let figures = match restarted {
            Ok(restarted) => restart.insert(restarted).figures(),
            Err(why) => unavailable(why),
        };
        run.insert("snmpd_restart".to_owned(), figures);
    }
    if options.wants("dlmod") {
        say("snmpd loads a plug-in again");
        let figures = beside::dlmod(&host, Duration::from_secs(2)).unwrap_or_else(unavailable);
        run.insert("dlmod".to_owned(), figures);
    }
    if let Some((_, storm)) = storms.iter().find(|(name, _)| *name == "open_loop") {
        run.insert("picture".to_owned(), picture::data(storm, restart.as_ref()));
    }
    run.insert("machine".to_owned(), json!(machine()));
    run.insert("date".to_owned(), json!(today()));
    run.insert("quick".to_owned(), json!(options.quick));
    say("done");
    write(options, run.into())
}

/// Each storm, the sum of all, and the latencies of the open loop.
fn sum_up(storms: &[(&'static str, storm::Storm)], run: &mut Map<String, Value>) {
    let mut blackouts = std::collections::BTreeMap::new();
    for (name, storm) in storms {
        let figures = storm.figures();
        for key in [
            "swaps",
            "sent",
            "answered",
            "lost",
            "dropped_by_kernel",
            "wrong",
            "duplicate",
            "mixed",
        ] {
            let before = run.get(key).and_then(Value::as_u64).unwrap_or(0);
            let more = figures.get(key).and_then(Value::as_u64).unwrap_or(0);
            run.insert(key.to_owned(), json!(before + more));
        }
        if *name == "open_loop" {
            let latencies = figures.get("latency_us").cloned().unwrap_or_default();
            run.insert("latency_us".to_owned(), latencies);
        }
        run.insert((*name).to_owned(), figures.into());
        for (component, figures) in storm.blackouts() {
            blackouts.entry(component.to_owned()).or_insert_with(Vec::new).extend(figures);
        }
    }
    let blackouts = blackouts.into_iter().map(|(component, all)| (component, storm::spread(all)));
    run.insert("blackout_us".to_owned(), Value::Object(blackouts.collect()));
}

fn write(options: &Options, run: Value) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(&run)? + "\n";
    std::fs::write(options.json.as_ref().ok_or("no file is named")?, &json)?;
    let tables = report::tables(&run);
    println!("{tables}");
    for storm in ["closed_loop", "open_loop", "slow_state", "slow_state_asked"] {
        println!(
            "{storm}: wrong {}, not committed {}",
            run[storm]["wrong_how"], run[storm]["not_committed"]
        );
    }
    if options.write_docs {
        let length = if options.quick { "a short run" } else { "a full run" };
        let text = format!("Measured on {}, {length}, on {}.\n\n{tables}", today(), machine());
        write_docs("performance-live.md", "live.json", &json, &text)?;
        if let Some(drawn) = picture::svg(&run) {
            std::fs::write(docs().join("live.svg"), drawn)?;
        }
    }
    Ok(())
}
