//! The picture: latency of requests over time, ours with a mark for every swap above, snmpd started again
//! below.
//!
//! It draws what a result holds and measures nothing. Of every fiftieth of a second there is the request in
//! the middle and the slowest one, so that no outlier is left out.

use crate::beside::Restart;
use crate::storm::Storm;
use s_load::traced::Told;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Seconds before the first swap that are shown, and seconds in all.
pub(crate) const BEFORE: f64 = 3.0;
const SHOWN: f64 = 12.0;

const STEP: f64 = 0.02;

/// What is shown of a run, as the result keeps it.
pub(crate) fn data(storm: &Storm, restart: Option<&Restart>) -> Value {
    let first = storm.swaps.first().map(|swap| swap.begun.saturating_duration_since(storm.began));
    let from = first.unwrap_or_default().as_secs_f64() - BEFORE;
    let marks = storm.swaps.iter().map(|swap| {
        let at = swap.ended.saturating_duration_since(storm.began).as_secs_f64() - from;
        (at, &swap.component)
    });
    let marks: Vec<_> = marks
        .filter(|(at, _)| *at < SHOWN)
        .map(|(at, component)| json!([thousandths(at), component]))
        .collect();
    let restart = restart.map(|restart| {
        let from = restart.at.as_secs_f64() - BEFORE;
        let unanswered = unanswered(&restart.told, from);
        json!({ "points": points(&restart.told, from), "unanswered": unanswered })
    });
    json!({
        "points": storm.told.first().map(|told| points(told, from)),
        "unanswered": storm.told.first().map(|told| unanswered(told, from)),
        "swaps": marks,
        "restart": restart,
    })
}

fn thousandths(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// Which step of what is shown a request left in.
fn step(left: Duration, from: f64) -> Option<u32> {
    let at = left.as_secs_f64() - from;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    (0.0..SHOWN).contains(&at).then_some((at / STEP) as u32)
}

/// `seconds,microseconds` of some requests.
fn points(told: &Told, from: f64) -> String {
    let mut steps: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
    for trace in &told.traces {
        let (Some(step), Some(took)) = (step(trace.left(), from), trace.took()) else { continue };
        let at = trace.left().as_secs_f64() - from;
        steps.entry(step).or_default().push((at, took.as_secs_f64() * 1e6));
    }
    let mut text = String::new();
    for found in steps.values_mut() {
        found.sort_by(|one, other| one.1.total_cmp(&other.1));
        let middle = found.get(found.len() / 2);
        for (at, took) in middle.into_iter().chain(found.last()) {
            // Writing to a string does not fail.
            let _ = write!(text, "{at:.3},{took:.0} ");
        }
    }
    text.trim_end().to_owned()
}

/// How many requests of each step were not answered rightly: pairs of the step and the count.
fn unanswered(told: &Told, from: f64) -> Vec<(u32, u32)> {
    let mut steps: BTreeMap<u32, u32> = BTreeMap::new();
    for trace in told.traces.iter().filter(|trace| trace.took().is_none()) {
        if let Some(step) = step(trace.left(), from) {
            *steps.entry(step).or_default() += 1;
        }
    }
    steps.into_iter().collect()
}

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 70.0;
const HEIGHT: f64 = 210.0;
/// What the axis shows, in powers of ten of microseconds.
const POWERS: std::ops::RangeInclusive<u8> = 1..=6;

fn x(seconds: f64) -> f64 {
    LEFT + seconds / SHOWN * (WIDTH - LEFT - 20.0)
}

/// Where a latency is, from the top of its panel.
fn y(micros: f64) -> f64 {
    let (low, high) = (f64::from(*POWERS.start()), f64::from(*POWERS.end()));
    let power = micros.max(1.0).log10().clamp(low, high);
    HEIGHT * (1.0 - (power - low) / (high - low))
}

/// Draws a result; nothing where it holds no picture.
pub(crate) fn svg(run: &Value) -> Option<String> {
    let picture = run.get("picture")?;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} 620\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"620\" fill=\"#fff\"/>\n"
    );
    let swaps = picture["swaps"].as_array().map_or(0, Vec::len);
    let title = format!(
        "sagentd: {swaps} modules replaced while 2,000 requests/s are answered (authPriv); each line is a swap"
    );
    panel(&mut text, 40.0, &title, picture);
    for swap in picture["swaps"].as_array().into_iter().flatten() {
        let (at, component) = (swap[0].as_f64()?, swap[1].as_str()?);
        let _ = writeln!(
            text,
            "<path d=\"M{:.1} 40v{HEIGHT}\" stroke=\"#27a\" stroke-opacity=\".35\"><title>{component}</title></path>",
            x(at)
        );
    }
    if let Some(restart) = picture.get("restart").filter(|restart| !restart.is_null()) {
        let lost = run.pointer("/snmpd_restart/lost").and_then(Value::as_u64).unwrap_or(0);
        let title = format!(
            "snmpd, one restart under the same load: {lost} requests without an answer (red)"
        );
        panel(&mut text, 330.0, &title, restart);
        let _ = writeln!(
            text,
            "<path d=\"M{:.1} 330v{HEIGHT}\" stroke=\"#c22\" stroke-dasharray=\"4 3\"/>",
            x(BEFORE)
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{LEFT}\" y=\"600\" fill=\"#555\">seconds; latency on a logarithmic axis; of every 20 ms the \
         request in the middle and the slowest one</text>\n</svg>"
    );
    Some(text)
}

/// Axes, points, and what was not answered, as bars from the top.
fn panel(text: &mut String, top: f64, title: &str, data: &Value) {
    let _ = writeln!(
        text,
        "<g transform=\"translate(0 {top})\"><text x=\"{LEFT}\" y=\"-12\" font-weight=\"bold\">{title}</text>"
    );
    for power in POWERS {
        let (at, micros) = (y(10_f64.powi(power.into())), 10_u64.pow(power.into()));
        let label = match micros {
            1_000_000.. => format!("{} s", micros / 1_000_000),
            1000.. => format!("{} ms", micros / 1000),
            _ => format!("{micros} µs"),
        };
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{label}</text>",
            x(SHOWN),
            LEFT - 6.0,
            at + 4.0
        );
    }
    let mut seconds = 0.0;
    while seconds <= SHOWN {
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{seconds}</text>",
            x(seconds),
            HEIGHT + 18.0
        );
        seconds += 1.0;
    }
    let points = data["points"].as_str().unwrap_or_default().split(' ');
    let points = points.filter_map(|point| {
        let (at, micros) = point.split_once(',')?;
        Some((at.parse::<f64>().ok()?, micros.parse::<f64>().ok()?))
    });
    let dots: String =
        points.map(|(at, micros)| format!("M{:.1} {:.1}h0", x(at), y(micros))).collect();
    let _ = writeln!(
        text,
        "<path d=\"{dots}\" stroke=\"#234\" stroke-opacity=\".6\" stroke-width=\"2.4\" stroke-linecap=\"round\"/>"
    );
    let unanswered = data["unanswered"].as_array().into_iter().flatten();
    let bars: String = unanswered
        .filter_map(|pair| Some(format!("M{:.1} 0v{HEIGHT}", x(pair[0].as_f64()? * STEP))))
        .collect();
    let _ = writeln!(
        text,
        "<path d=\"{bars}\" stroke=\"#c22\" stroke-opacity=\".25\" stroke-width=\"{:.2}\"/></g>",
        x(STEP) - x(0.0)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_points_swaps_and_what_was_not_answered() {
        let run = json!({
            "snmpd_restart": { "lost": 42 },
            "picture": {
                "points": "1.000,100 2.000,1000",
                "unanswered": [],
                "swaps": [[4.0, "mib.if"]],
                "restart": { "points": "1.000,100", "unanswered": [[150, 40]] },
            },
        });
        let drawn = svg(&run).unwrap();
        assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"));
        assert!(drawn.contains("<title>mib.if</title>") && drawn.contains("42 requests"));
        assert_eq!(drawn.matches("h0").count(), 3);
        assert!(drawn.contains(&format!("M{:.1} 0v", x(3.0))));
        assert!(svg(&json!({})).is_none());
    }

    #[test]
    fn the_axis_is_logarithmic() {
        assert!((y(10.0) - HEIGHT).abs() < 1e-9 && y(1e6).abs() < 1e-9);
        assert!((y(100.0) - y(1000.0) - (y(1000.0) - y(10_000.0))).abs() < 1e-9);
    }
}
