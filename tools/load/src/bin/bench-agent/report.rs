//! Figures, the lines that they should reach, and where they are written.
//!
//! Invariant: the JSON object, the printed tables and the documentation show the same run.

use s_load::Error;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A figure and the line that it should reach.
struct Row {
    what: &'static str,
    figure: fn(&Value) -> Option<f64>,
    line: Line,
}

enum Line {
    AtLeast(f64),
    AtMost(f64),
}

use Line::{AtLeast, AtMost};

fn at(run: &Value, pointer: &str) -> Option<f64> {
    run.pointer(pointer)?.as_f64()
}

/// One figure over another.
fn over(run: &Value, upper: &str, lower: &str) -> Option<f64> {
    Some(at(run, upper)? / at(run, lower)?)
}

const SHA256: &str = "/v3_authpriv_sha256_aes128_get";

fn of_sha256(run: &Value, key: &str) -> Option<f64> {
    run.pointer(SHA256)?.get(key)?.as_f64()
}

/// Ratios are of processor time for each answer or variable; what is above 1 is ours.
const ROWS: &[Row] = &[
    Row {
        what: "v2c GET, times Debian's snmpd",
        figure: |run| at(run, "/v2c_get/cpu_ratio"),
        line: AtLeast(5.0),
    },
    Row {
        what: "v2c GET, times the tuned one",
        figure: |run| at(run, "/v2c_get/cpu_ratio_tuned"),
        line: AtLeast(2.4),
    },
    Row {
        what: "v2c GET, of a bare echo",
        figure: |run| over(run, "/v2c_get/ours_cpu_us", "/echo_cpu_us"),
        line: AtMost(1.6),
    },
    Row {
        what: "authPriv SHA-256/AES-128, times Debian's snmpd",
        figure: |run| of_sha256(run, "cpu_ratio"),
        line: AtLeast(8.0),
    },
    Row {
        what: "authPriv SHA-256/AES-128, times the tuned one",
        figure: |run| of_sha256(run, "cpu_ratio_tuned"),
        line: AtLeast(4.5),
    },
    Row {
        what: "authPriv SHA-256/AES-128, of a bare echo",
        figure: |run| Some(of_sha256(run, "ours_cpu_us")? / at(run, "/echo_cpu_us")?),
        line: AtMost(1.8),
    },
    Row {
        what: "GETBULK 50, times Debian's snmpd",
        figure: |run| at(run, "/v2c_getbulk50/cpu_ratio"),
        line: AtLeast(12.0),
    },
    Row {
        what: "bulkwalk of the whole tree, variables, times Debian's snmpd",
        figure: |run| at(run, "/bulkwalk_tree/cpu_ratio"),
        line: AtLeast(5.0),
    },
    Row {
        what: "bulkwalk of 10,000 interfaces, variables, times Debian's snmpd",
        figure: |run| at(run, "/bulkwalk_10000_interfaces/cpu_ratio"),
        line: AtLeast(5.0),
    },
    Row {
        what: "p99 of a v2c GET at equal load, of snmpd's",
        figure: |run| over(run, "/v2c_get/ours_p99_us", "/v2c_get/snmpd_p99_us"),
        line: AtMost(1.0),
    },
    Row {
        what: "p99 of authPriv SHA-256/AES-128 at equal load, of snmpd's",
        figure: |run| Some(of_sha256(run, "ours_p99_us")? / of_sha256(run, "snmpd_p99_us")?),
        line: AtMost(1.0),
    },
    Row {
        what: "resident memory after load, of snmpd's",
        figure: |run| over(run, "/rss_kib/ours_loaded", "/rss_kib/snmpd_loaded"),
        line: AtMost(1.0),
    },
    Row {
        what: "start to first answer, of snmpd's",
        figure: |run| over(run, "/first_answer_ms/ours", "/first_answer_ms/snmpd"),
        line: AtMost(1.0),
    },
];

/// Every case, and then the lines, in Markdown.
pub(crate) fn tables(run: &Value) -> String {
    let mut text = String::from(
        "| case | ours /s | snmpd /s | tuned /s | ours µs | snmpd µs | tuned µs | × snmpd | × tuned | \
         p50, p99 µs | snmpd's |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (name, case) in run.as_object().into_iter().flatten() {
        if case.get("ours_rps").is_none() {
            continue;
        }
        let cell =
            |key: &str| case.get(key).and_then(Value::as_f64).map_or_else(String::new, short);
        let unit = case.get("unit").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {name} ({unit}) | {} | {} | {} | {} | {} | {} | {} | {} | {}, {} | {}, {} |",
            cell("ours_rps"),
            cell("snmpd_rps"),
            cell("snmpd_tuned_rps"),
            cell("ours_cpu_us"),
            cell("snmpd_cpu_us"),
            cell("snmpd_tuned_cpu_us"),
            cell("cpu_ratio"),
            cell("cpu_ratio_tuned"),
            cell("ours_p50_us"),
            cell("ours_p99_us"),
            cell("snmpd_p50_us"),
            cell("snmpd_p99_us"),
        );
    }
    text += "\n| what | figure |\n|---|--:|\n";
    for (what, pointer, unit) in [
        ("a bare echo", "/echo_rps", "/s"),
        ("a bare echo", "/echo_cpu_us", "µs"),
        ("resident memory, idle", "/rss_kib/ours_idle", "KiB"),
        ("resident memory, after load", "/rss_kib/ours_loaded", "KiB"),
        ("snmpd's, idle", "/rss_kib/snmpd_idle", "KiB"),
        ("snmpd's, after load", "/rss_kib/snmpd_loaded", "KiB"),
        ("start to first answer", "/first_answer_ms/ours", "ms"),
        ("snmpd's", "/first_answer_ms/snmpd", "ms"),
    ] {
        if let Some(figure) = at(run, pointer) {
            let _ = writeln!(text, "| {what} | {} {unit} |", short(figure));
        }
    }
    text += "\n| line | figure | to reach | |\n|---|--:|--:|---|\n";
    for row in ROWS {
        let Some(figure) = (row.figure)(run) else { continue };
        let (sign, line, is_reached) = match row.line {
            AtLeast(line) => ("≥", line, figure >= line),
            AtMost(line) => ("≤", line, figure <= line),
        };
        let verdict = if is_reached { "reached" } else { "not reached" };
        let _ = writeln!(text, "| {} | {} | {sign} {line} | {verdict} |", row.what, short(figure));
    }
    text
}

/// Three digits that mean something.
fn short(figure: f64) -> String {
    match figure.abs() {
        whole if whole >= 100.0 => format!("{figure:.0}"),
        tens if tens >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Rewrites what stands between the markers of the documentation, and the committed baseline.
///
/// # Errors
/// The page is not there or has lost its markers.
pub(crate) fn write_docs(docs: &Path, json: &str, text: &str) -> Result<(), Error> {
    let page = docs.join("performance-agent.md");
    let before = std::fs::read_to_string(&page)?;
    let broken = || format!("{} has lost its markers `{BEGIN}` and `{END}`", page.display());
    let (head, rest) = before.split_once(BEGIN).ok_or_else(broken)?;
    let (_, tail) = rest.split_once(END).ok_or_else(broken)?;
    std::fs::write(&page, format!("{head}{BEGIN}\n\n{text}\n{END}{tail}"))?;
    std::fs::create_dir_all(docs.join("baselines"))?;
    Ok(std::fs::write(docs.join("baselines/agent.json"), json)?)
}

/// Today, as in 2026-11-21.
pub(crate) fn today() -> String {
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
pub(crate) fn machine() -> String {
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
