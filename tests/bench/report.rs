//! Figures, the lines that they should reach, and where they are written.
//!
//! Invariant: the JSON object, the printed table and the documentation show the same run.

use crate::host::Error;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The middle of some figures; not a number when there are none.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    at(figures, 0.5)
}

fn at(figures: &mut [f64], part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position among a few thousand figures"
    )]
    let position = ((figures.len().saturating_sub(1)) as f64 * part).round() as usize;
    figures.get(position).copied().unwrap_or(f64::NAN)
}

/// Figures of which the middle, the tail and the worst are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// Room for so many figures that has been written to: adding them takes no more memory.
    pub(crate) fn with_room(figures: usize) -> Self {
        let mut room = vec![f64::NAN; figures];
        room.clear();
        Spread(room)
    }

    pub(crate) fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }
}

impl Serialize for Spread {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut sorted = self.0.clone();
        let [p50, p99, max] =
            [0.5, 0.99, 1.0].map(|part| (at(&mut sorted, part) * 1e3).round() / 1e3);
        serde_json::json!({ "p50": p50, "p99": p99, "max": max, "count": self.0.len() })
            .serialize(to)
    }
}

/// Lines on standard error while a measurement takes its time.
pub(crate) struct Progress {
    began: Instant,
    last: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Progress { began: Instant::now(), last: Mutex::new(Instant::now()) }
    }

    pub(crate) fn say(&self, what: &str) {
        eprintln!("{:>7.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Says where a loop is, every five seconds.
    pub(crate) fn every(&self, count: usize, what: &str) {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.elapsed() >= Duration::from_secs(5) {
            *last = Instant::now();
            self.say(&format!("{what} {count}"));
        }
    }
}

/// A figure and its line.
struct Row {
    pointer: &'static str,
    what: &'static str,
    unit: &'static str,
    /// Where there is one: a number, or the pointer to another figure.
    line: Option<Line>,
}

enum Line {
    AtMost(f64),
    /// At most another figure of the run, with a tenth for noise.
    NoSlowerThan(&'static str),
}

const fn row(
    pointer: &'static str,
    what: &'static str,
    unit: &'static str,
    line: Option<Line>,
) -> Row {
    Row { pointer, what, unit, line }
}

const NOISE: f64 = 1.1;

use Line::{AtMost, NoSlowerThan};

const ROWS: &[Row] = &[
    row("/dyn_call_ns", "a plain `Box<dyn Trait>` call", "ns", None),
    row("/dyn_call_two_threads_ns", "a plain call, two threads, beside the gate", "ns", None),
    row("/gate_ns", "gate: begin, enter, end; two threads", "ns", Some(AtMost(3.0))),
    row("/typed_call_ns", "typed call, an activity each", "ns", Some(AtMost(6.0))),
    row("/invoke_id_ns", "call by selector, an activity each", "ns", Some(AtMost(8.0))),
    row("/invoke_name_ns", "call by name, an activity each", "ns", Some(AtMost(30.0))),
    row("/does_not_understand_ns", "a method that the module lacks, an activity each", "ns", None),
    row("/typed_call_within_activity_ns", "typed call within an activity", "ns", None),
    row("/invoke_id_within_activity_ns", "call by selector within an activity", "ns", None),
    row("/invoke_name_within_activity_ns", "call by name within an activity", "ns", None),
    row(
        "/does_not_understand_within_activity_ns",
        "a lacking method within an activity",
        "ns",
        None,
    ),
    row("/blackout_us/0/p50", "blackout, no octets carried, p50", "µs", None),
    row("/blackout_us/0/p99", "blackout, no octets carried, p99", "µs", None),
    row("/blackout_us/64KiB/p50", "blackout, 64 KiB carried, p50", "µs", Some(AtMost(60.0))),
    row("/blackout_us/64KiB/p99", "blackout, 64 KiB carried, p99", "µs", Some(AtMost(500.0))),
    row("/blackout_us/64KiB/max", "blackout, 64 KiB carried, longest", "µs", None),
    row("/blackout_us/16MiB/p50", "blackout, 16 MiB carried, p50", "µs", None),
    row("/blackout_us/16MiB/p99", "blackout, 16 MiB carried, p99", "µs", None),
    row(
        "/blackout_us/resident_1000000/p50",
        "blackout, resident table of 1,000,000 rows, p50",
        "µs",
        Some(NoSlowerThan("/blackout_us/0/p50")),
    ),
    row(
        "/blackout_us/resident_1000000/p99",
        "blackout, resident table of 1,000,000 rows, p99",
        "µs",
        None,
    ),
    row("/group8_blackout_us/p50", "blackout of a group of eight, p50", "µs", None),
    row("/group8_blackout_us/p99", "blackout of a group of eight, p99", "µs", None),
    row(
        "/swap_ms/without_preflight/p50",
        "whole swap without preflight, p50",
        "ms",
        Some(AtMost(2.0)),
    ),
    row("/swap_ms/without_preflight/p99", "whole swap without preflight, p99", "ms", None),
    row("/swap_ms/with_preflight/p50", "whole swap with preflight, p50", "ms", Some(AtMost(6.0))),
    row("/swap_ms/with_preflight/p99", "whole swap with preflight, p99", "ms", None),
    row(
        "/swap_ms_under_callers/without_preflight/p50",
        "the same without, under two callers, p50",
        "ms",
        None,
    ),
    row(
        "/swap_ms_under_callers/with_preflight/p50",
        "the same with, under two callers, p50",
        "ms",
        None,
    ),
    row(
        "/swap_ms_on_disk/without_preflight/p50",
        "the same without, repository on this disk, p50",
        "ms",
        None,
    ),
    row(
        "/swap_ms_on_disk/with_preflight/p50",
        "the same with, repository on this disk, p50",
        "ms",
        None,
    ),
    row("/lost_calls", "calls lost or failed", "", Some(AtMost(0.0))),
    row("/mixed_calls", "activities that met two versions", "", Some(AtMost(0.0))),
    row("/rss_growth_kib", "memory grown over all endurance swaps", "KiB", Some(AtMost(256.0))),
    row("/residual_maps", "modules still mapped afterwards", "", Some(AtMost(0.0))),
];

/// Lines of the table, in Markdown.
pub(crate) fn table(figures: &Value) -> String {
    let mut text = String::from("| what | figure | line to reach | |\n|---|--:|--:|---|\n");
    for row in ROWS {
        let Some(figure) = figures.pointer(row.pointer).and_then(Value::as_f64) else { continue };
        let limit = match row.line {
            None => None,
            Some(AtMost(limit)) => Some(limit),
            Some(NoSlowerThan(other)) => {
                figures.pointer(other).and_then(Value::as_f64).map(|other| other * NOISE)
            }
        };
        let line = limit.map_or(String::new(), |limit| format!("≤ {} {}", short(limit), row.unit));
        let verdict =
            limit.map_or("", |limit| if figure <= limit { "reached" } else { "not reached" });
        text += &format!(
            "| {} | {} {} | {} | {verdict} |\n",
            row.what,
            short(figure),
            row.unit,
            line.trim()
        );
    }
    text
}

/// Three digits that mean something.
fn short(figure: f64) -> String {
    match figure.abs() {
        whole if whole.fract() == 0.0 || whole >= 100.0 => format!("{figure:.0}"),
        tens if tens >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Rewrites what stands between the markers of the documentation, and the committed baseline.
pub(crate) fn write_docs(docs: &Path, json: &str, text: &str) -> Result<(), Error> {
    let page = docs.join("performance.md");
    let before = std::fs::read_to_string(&page)?;
    let broken = || format!("{} has lost its markers `{BEGIN}` and `{END}`", page.display());
    let (head, rest) = before.split_once(BEGIN).ok_or_else(broken)?;
    let (_, tail) = rest.split_once(END).ok_or_else(broken)?;
    std::fs::write(&page, format!("{head}{BEGIN}\n\n{text}\n{END}{tail}"))?;
    std::fs::create_dir_all(docs.join("baselines"))?;
    std::fs::write(docs.join("baselines/runtime.json"), json)?;
    Ok(())
}
