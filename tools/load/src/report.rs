//! Figures, the lines that they should reach, and where they are written.
//!
//! It measures nothing. Invariant: the JSON object, the printed tables and the documentation show the same
//! run.

use crate::Error;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A figure and the line that it should reach.
pub struct Row {
    /// What it is.
    pub what: &'static str,
    /// Where it is found in a run; nowhere where it was not measured.
    pub figure: fn(&Value) -> Option<f64>,
    /// What it should be.
    pub line: Line,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "they say it")]
pub enum Line {
    AtLeast(f64),
    AtMost(f64),
}

/// The figure at a place of a run.
pub fn at(run: &Value, pointer: &str) -> Option<f64> {
    run.pointer(pointer)?.as_f64()
}

/// Which figures reach their lines, in Markdown.
pub fn lines(rows: &[Row], run: &Value) -> String {
    let mut text = String::from("| line | figure | to reach | |\n|---|--:|--:|---|\n");
    for row in rows {
        let Some(figure) = (row.figure)(run) else { continue };
        let (sign, line, is_reached) = match row.line {
            Line::AtLeast(line) => ("≥", line, figure >= line),
            Line::AtMost(line) => ("≤", line, figure <= line),
        };
        let verdict = if is_reached { "reached" } else { "not reached" };
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {} | {sign} {line} | {verdict} |", row.what, short(figure));
    }
    text
}

/// The middle of some figures; not a number where there are none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three decimals are more than a clock knows.
pub fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

/// Three digits that mean something.
pub fn short(figure: f64) -> String {
    match figure.abs() {
        whole if whole >= 100.0 => format!("{figure:.0}"),
        tens if tens >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// The documentation of this repository.
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Rewrites what stands between the markers of a page of the documentation, and the committed baseline
/// `baseline`.
///
/// # Errors
/// The page is not there or has lost its markers.
pub fn write_docs(page: &str, baseline: &str, json: &str, text: &str) -> Result<(), Error> {
    let docs = docs();
    let page = docs.join(page);
    let before = std::fs::read_to_string(&page)?;
    let broken = || format!("{} has lost its markers `{BEGIN}` and `{END}`", page.display());
    let (head, rest) = before.split_once(BEGIN).ok_or_else(broken)?;
    let (_, tail) = rest.split_once(END).ok_or_else(broken)?;
    std::fs::write(&page, format!("{head}{BEGIN}\n\n{text}\n{END}{tail}"))?;
    std::fs::create_dir_all(docs.join("baselines"))?;
    Ok(std::fs::write(docs.join("baselines").join(baseline), json)?)
}

/// Today, as in 2026-11-21.
pub fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Days since 0000-03-01, so that a leap day is the last of its year (Howard Hinnant's algorithm).
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// The class of this machine: processors and kernel, nothing that names it.
pub fn machine() -> String {
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
