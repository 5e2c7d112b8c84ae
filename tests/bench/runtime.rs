//! The benchmark of the runtime: what a call costs, how long a gate is closed, what a swap takes and
//! leaves behind, each beside the line that it should reach.
//!
//! It asserts nothing about time and fails only when something does not work: a call that was lost or mixed, a
//! map that was left, or a part that could not run at all. `cargo xtask bench runtime`
//! builds the modules that it swaps and runs it.
//!
//! In this order: `host` (a swap manager and callers), `calls`, `swaps`, `report`.

mod calls;
mod host;
mod report;
mod role;
mod swaps;

use clap::Parser;
use host::{Error, Host, Maker, component_name};
use report::{Progress, table, write_docs};
use s_package::timestamp::Timestamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use swaps::Ledger;

/// Measures calls, blackouts and swaps, and writes one JSON object.
///
/// Callers and swapper run with ordinary priority; start the command under `chrt` for another one.
#[derive(Parser)]
#[command(name = "bench-runtime", version)]
struct Options {
    /// Where the JSON object goes.
    #[arg(long)]
    json: PathBuf,
    /// Rewrite the table in docs/performance.md and the committed baseline.
    #[arg(long)]
    write_docs: bool,
    /// A short run with small samples.
    #[arg(long)]
    quick: bool,
    /// How many swaps the endurance run makes.
    #[arg(long)]
    swaps: Option<usize>,
    /// Only the parts with these names: calls, gate, blackouts, group, durations, endurance.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the repositories are: by default in memory where the system has such a place.
    #[arg(long)]
    directory: Option<PathBuf>,
}

fn main() -> ExitCode {
    // In the child that rehearses a module this does not return.
    s_preflight::run_if_child();
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Error> {
    let progress = Progress::new();
    let maker = Maker::new()?;
    let (parent, kind) = parent(options);
    let many = |full: usize, quick: usize| if options.quick { quick } else { full };
    let wanted =
        |part: &str| options.only.is_empty() || options.only.iter().any(|only| only == part);
    let mut figures = serde_json::Map::new();
    let mut ledger = Ledger::default();
    let mut put = |name: &str, figure: Value| figures.insert(name.to_owned(), figure);

    let mut quietest = serde_json::Map::new();
    let mut pass = || calls_pass(&maker, &parent, &many, &wanted, &mut quietest, &progress);
    pass()?;
    if wanted("durations") {
        let swaps = many(200, 20);
        let memory = swaps::durations(&maker, &parent, swaps, &mut ledger, &progress)?;
        put(
            "swap_ms",
            json!({ "without_preflight": memory.without, "with_preflight": memory.with }),
        );
        let (without, with) = (memory.without_under_callers, memory.with_under_callers);
        put(
            "swap_ms_under_callers",
            json!({ "without_preflight": without, "with_preflight": with }),
        );
        progress.say("the same with the repository on this disk");
        let disk = swaps::durations(
            &maker,
            folder()?.as_path(),
            swaps.div_ceil(2),
            &mut ledger,
            &progress,
        )?;
        put(
            "swap_ms_on_disk",
            json!({ "without_preflight": disk.without, "with_preflight": disk.with }),
        );
    }
    if wanted("blackouts") {
        let all = swaps::blackouts(&maker, &parent, many(1000, 100), &mut ledger, &progress)?;
        put(
            "blackout_us",
            json!({ "0": all.nothing, "64KiB": all.small, "16MiB": all.large, "resident_1000000": all.resident }),
        );
        put("blackout_64KiB_phases_us", json!(all.small_phases));
    }
    if wanted("group") {
        let spread = swaps::group(&maker, &parent, many(300, 30), &mut ledger, &progress)?;
        put("group8_blackout_us", json!(spread));
    }
    pass()?;
    if wanted("endurance") {
        let swaps = options.swaps.unwrap_or(many(10_000, 500));
        let residue = swaps::endurance(&maker, &parent, swaps, &mut ledger, &progress)?;
        if std::env::var_os(ONE_ARENA.0).is_some_and(|arenas| arenas == ONE_ARENA.1) {
            put("endurance_swaps", json!(residue.swaps));
            put("rss_growth_kib", json!(residue.rss_growth_kib));
            put("residual_maps", json!(residue.residual_maps));
            put("endurance_blackout_us", json!(residue.blackout));
            put("endurance_swap_ms", json!(residue.swap_ms));
        } else {
            put("rss_growth_arenas_kib", json!(residue.rss_growth_kib));
            progress.say("the same in a process of its own, with one arena for all threads");
            let again = with_one_arena(&parent, swaps)?;
            again.iter().for_each(|(name, figure)| match (ledger.of(name), figure.as_u64()) {
                (Some(total), Some(figure)) => *total += figure,
                _ if ENDURED.contains(&name.as_str()) => drop(put(name, figure.clone())),
                _ => (),
            });
        }
    }
    pass()?;
    put("calls_answered", json!(ledger.answered));
    put("lost_calls", json!(ledger.lost));
    put("mixed_calls", json!(ledger.mixed));
    put("machine", json!(machine()));
    put("repository", json!(kind));
    put("date", json!(today()));
    put("quick", json!(options.quick));

    figures.extend(quietest);
    let figures = Value::Object(figures);
    let json = serde_json::to_string_pretty(&figures)? + "\n";
    std::fs::write(&options.json, &json)?;
    let table = table(&figures);
    println!("{table}");
    if options.write_docs {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let run = if options.quick { "a short run" } else { "a full run" };
        let text = format!(
            "Measured on {}, {run}, on {}; repository {kind}.\n\n{table}",
            today(),
            machine()
        );
        write_docs(&source, &json, &text)?;
    }
    nothing_was_lost(&figures)
}

/// What is promised in numbers that no machine changes: not one call lost or mixed, not one map left.
fn nothing_was_lost(figures: &Value) -> Result<(), Error> {
    let broken = ["lost_calls", "mixed_calls", "residual_maps"].into_iter().filter_map(|name| {
        // What was not measured is not there.
        let count = figures.get(name).filter(|count| count.as_i64() != Some(0))?;
        Some(format!("{name} is {count}"))
    });
    let broken: Vec<_> = broken.collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!("{}, and must be 0: a guarantee is broken", broken.join(", ")).into())
}

/// What the allocator keeps for each thread is no module's: with this in its environment a process keeps one
/// store for all threads.
const ONE_ARENA: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

/// What the endurance run measures.
const ENDURED: &[&str] = &[
    "endurance_swaps",
    "rss_growth_kib",
    "residual_maps",
    "endurance_blackout_us",
    "endurance_swap_ms",
];

/// The figures of an endurance run in a process that has nothing else behind it.
fn with_one_arena(parent: &Path, swaps: usize) -> Result<serde_json::Map<String, Value>, Error> {
    let told = tempfile::NamedTempFile::new_in(parent)?;
    let status = std::process::Command::new(std::env::current_exe()?)
        .args(["--only", "endurance", "--swaps", &swaps.to_string()])
        .args(["--json".as_ref(), told.path(), "--directory".as_ref(), parent])
        .env(ONE_ARENA.0, ONE_ARENA.1)
        .stdout(std::process::Stdio::null())
        .status()?;
    if status.success() {
        Ok(serde_json::from_slice(&std::fs::read(told.path())?)?)
    } else {
        Err(format!("the endurance run ended with {status}").into())
    }
}

/// Measures calls and the gate, and keeps of all passes the one in which the plain call was quickest: on a
/// shared machine neighbours slow a processor by half for minutes, and the plain call, which is not ours, shows
/// when.
fn calls_pass(
    maker: &Maker,
    parent: &Path,
    many: &impl Fn(usize, usize) -> usize,
    wanted: &impl Fn(&str) -> bool,
    quietest: &mut serde_json::Map<String, Value>,
    progress: &Progress,
) -> Result<(), Error> {
    if !wanted("calls") && !wanted("gate") {
        return Ok(());
    }
    let versions = vec![maker.versions("bench", 0)?];
    let host = Host::start(maker, parent, &[component_name(0)], versions, false)?;
    let mut keep = |plain: &str, figures: serde_json::Map<String, Value>| {
        let of =
            |figures: &serde_json::Map<String, Value>| figures.get(plain).and_then(Value::as_f64);
        if of(quietest).is_none_or(|known| of(&figures).is_some_and(|new| new < known)) {
            quietest.extend(figures);
        }
    };
    if wanted("calls") {
        progress.say("calls");
        keep("dyn_call_ns", calls::measure(&host, many(1000, 100))?);
    }
    if wanted("gate") {
        progress.say("the gate, two threads");
        keep("dyn_call_two_threads_ns", calls::gate(&host, many(5000, 500))?);
    }
    Ok(())
}

/// Where repositories are made, in words too.
fn parent(options: &Options) -> (PathBuf, String) {
    let memory = Path::new("/dev/shm");
    match &options.directory {
        Some(directory) => (directory.clone(), "in the directory that was given".to_owned()),
        None if memory.is_dir() => (memory.to_owned(), "in memory (tmpfs)".to_owned()),
        None => (std::env::temp_dir(), "in the system's folder for temporary files".to_owned()),
    }
}

/// The folder of this executable.
fn folder() -> Result<PathBuf, Error> {
    let here = std::env::current_exe()?;
    Ok(here.parent().ok_or("this executable has no folder")?.to_owned())
}

/// The code of a fixture: an example that cargo left beside this executable.
fn fixture(name: &str) -> Result<PathBuf, Error> {
    let path = folder()?.join("examples").join(format!("lib{name}.so"));
    let missing = || {
        format!(
            "{} is missing: start the benchmark with `cargo xtask bench runtime`",
            path.display()
        )
    };
    if path.exists() { Ok(path) } else { Err(missing().into()) }
}

fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let text =
        Timestamp::from_unix_seconds(seconds).map_or_else(|_| String::new(), |now| now.to_string());
    text.chars().take_while(|c| *c != 'T').collect()
}

/// The class of this machine: processors and kernel, nothing that names it.
fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: Vec<_> = kernel.trim().split(['.', '-']).take(2).collect();
    format!(
        "{processors} processors ({model}), Linux {}, {}",
        kernel.join("."),
        std::env::consts::ARCH
    )
}
