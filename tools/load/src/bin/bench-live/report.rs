//! Figures of swaps, and the lines that they should reach.

use s_load::report::{Line, Row, at, short};
use serde_json::Value;
use std::fmt::Write as _;

const ROWS: &[Row] = &[
    Row { what: "requests lost", figure: |run| at(run, "/lost"), line: Line::AtMost(0.0) },
    Row { what: "answers wrong", figure: |run| at(run, "/wrong"), line: Line::AtMost(0.0) },
    Row { what: "answers twice", figure: |run| at(run, "/duplicate"), line: Line::AtMost(0.0) },
    Row {
        what: "answers of two versions",
        figure: |run| at(run, "/mixed"),
        line: Line::AtMost(0.0),
    },
    Row {
        what: "p99 of the blackout, the worst component, µs",
        figure: |run| {
            let all = run.get("blackout_us")?.as_object()?;
            all.values().filter_map(|one| at(one, "/p99")).reduce(f64::max)
        },
        line: Line::AtMost(1000.0),
    },
    Row {
        what: "p99 during the storm at 2,000 requests/s, of that without swaps",
        figure: |run| Some(at(run, "/latency_us/with/p99")? / at(run, "/latency_us/without/p99")?),
        line: Line::AtMost(2.0),
    },
    Row {
        what: "p99 of others while a state takes 200 ms to map, of that without swaps",
        figure: |run| of_others(run.get("slow_state")?),
        line: Line::AtMost(1.1),
    },
    Row {
        what: "the same, where somebody asks for that component",
        figure: |run| of_others(run.get("slow_state_asked")?),
        line: Line::AtMost(1.1),
    },
];

/// What others wait while a state is mapped, of what they wait otherwise.
fn of_others(storm: &Value) -> Option<f64> {
    Some(at(storm, "/while_mapping_us/p99")? / at(storm, "/latency_us/without/p99")?)
}

/// Everything, in Markdown.
pub(crate) fn tables(run: &Value) -> String {
    let mut text = String::from(
        "| storm | swaps | /s | sent | answered | lost | of them dropped by the kernel | wrong | twice | mixed | \
         p50, p99, max µs | without swaps |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (what, pointer) in [
        ("closed loop", "/closed_loop"),
        ("2,000 requests/s", "/open_loop"),
        ("a state of 200 ms", "/slow_state"),
        ("the same, asked for", "/slow_state_asked"),
    ] {
        let Some(storm) = run.pointer(pointer) else { continue };
        let count = |key: &str| storm.get(key).map(Value::to_string).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {what} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            count("swaps"),
            at(storm, "/swaps_per_second").map(short).unwrap_or_default(),
            count("sent"),
            count("answered"),
            count("lost"),
            count("dropped_by_kernel"),
            count("wrong"),
            count("duplicate"),
            count("mixed"),
            quantiles(storm, "/latency_us/with"),
            quantiles(storm, "/latency_us/without"),
        );
    }
    text += "\n| component | swaps | blackout p50, p99, max µs |\n|---|--:|--:|\n";
    for (component, figures) in run["blackout_us"].as_object().into_iter().flatten() {
        let _ =
            writeln!(text, "| {component} | {} | {} |", figures["count"], quantiles(figures, ""));
    }
    text +=
        "\n| a state of 200 ms | p50, p99, max µs | where somebody asks for it |\n|---|--:|--:|\n";
    for (what, pointer) in [
        ("blackout", "/blackout_us"),
        ("who asks for it", "/touching_us"),
        ("others, while it is mapped", "/while_mapping_us"),
        ("others, during the swaps", "/latency_us/with"),
        ("others, without swaps", "/latency_us/without"),
    ] {
        let of = |storm: &str| quantiles(run, &format!("/{storm}{pointer}"));
        let _ = writeln!(text, "| {what} | {} | {} |", of("slow_state"), of("slow_state_asked"));
    }
    text += "\n| beside it | lost | gap ms | |\n|---|--:|--:|---|\n";
    let restart = &run["snmpd_restart"];
    let _ = writeln!(
        text,
        "| snmpd, started again | {} | {} | {} |",
        restart["lost"],
        restart["gap_ms"],
        match restart["unavailable"].as_str() {
            Some(why) => format!("not measured: {why}"),
            None => format!(
                "sysUpTime begins again: {}; engineBoots steps by {}",
                restart["uptime_reset"], restart["boots_step"]
            ),
        }
    );
    let dlmod = &run["dlmod"];
    let _ = writeln!(
        text,
        "| snmpd, a plug-in loaded again | {} | {} | {} |",
        dlmod["wrong"]
            .as_object()
            .map_or(0, |wrong| wrong.values().filter_map(Value::as_u64).sum())
            + dlmod["lost"].as_u64().unwrap_or(0),
        dlmod["gap_ms"],
        match dlmod["unavailable"].as_str() {
            Some(why) => format!("not measured: {why}"),
            None => format!("its state is lost: {}", dlmod["state_lost"]),
        }
    );
    text + "\n" + &s_load::report::lines(ROWS, run)
}

fn quantiles(run: &Value, pointer: &str) -> String {
    let cell = |key: &str| at(run, &format!("{pointer}/{key}")).map_or_else(|| "–".into(), short);
    format!("{}, {}, {}", cell("p50"), cell("p99"), cell("max"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_worst_component_and_the_ratios_decide() {
        let run = json!({
            "lost": 0, "wrong": 1, "duplicate": 0, "mixed": 0,
            "blackout_us": { "a": { "p99": 100.0 }, "b": { "p99": 1001.0 } },
            "latency_us": { "with": { "p99": 300.0 }, "without": { "p99": 200.0 } },
            "slow_state": {
                "while_mapping_us": { "p99": 200.0 }, "latency_us": { "without": { "p99": 100.0 } },
            },
        });
        let lines = s_load::report::lines(ROWS, &run);
        let verdict = |what: &str| {
            let line = lines.lines().find(|line| line.contains(what)).unwrap();
            !line.contains("not reached")
        };
        assert!(verdict("lost") && !verdict("wrong") && verdict("storm"));
        assert!(!verdict("blackout") && !verdict("200 ms"));
        assert!(tables(&run).contains("| b |"));
    }
}
