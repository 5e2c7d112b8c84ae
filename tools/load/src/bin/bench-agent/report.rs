//! Figures of agents beside each other, and the lines that they should reach.

use s_load::report::{Line, Row, at, short};
use serde_json::Value;
use std::fmt::Write as _;

use Line::{AtLeast, AtMost};

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
    text + "\n" + &s_load::report::lines(ROWS, run)
}
