//! From totals that only grow to what happens per second, how that went lately, and how long it took.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::Value;

/// As much as one line of a screen shows.
const REMEMBERED: usize = 120;

/// Rates by name.
#[derive(Clone, Default)]
pub(super) struct Rates {
    before: Option<(Instant, BTreeMap<String, u64>)>,
    lately: BTreeMap<String, VecDeque<u64>>,
    within: Vec<(Option<u64>, u64)>,
    latency: Option<Latency>,
}

/// What so many were answered within, in microseconds; none where that was longer than the longest bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) p50: Option<u64>,
    pub(super) p99: Option<u64>,
}

impl Rates {
    /// The totals of a moment: `{"totals": {NAME: N}, "within_us": [[BOUND, N], …]}`.
    pub(super) fn note(&mut self, told: &Value, now: Instant) {
        let within: Vec<_> = told["within_us"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| Some((one[0].as_u64(), one[1].as_u64()?)))
            .collect();
        self.latency = latency(&self.within, &within);
        self.within = within;
        let totals: BTreeMap<String, u64> = told["totals"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, total)| Some((name.clone(), total.as_u64()?)))
            .collect();
        if let Some((then, before)) = &self.before {
            let passed = now.saturating_duration_since(*then);
            for (name, total) in &totals {
                // Less than before: the agent was started anew.
                let more = before.get(name).and_then(|before| total.checked_sub(*before));
                if let Some(rate) = more.and_then(|more| per_second(more, passed)) {
                    let lately = self.lately.entry(name.clone()).or_default();
                    if lately.len() == REMEMBERED {
                        lately.pop_front();
                    }
                    lately.push_back(rate);
                }
            }
        }
        self.before = Some((now, totals));
    }

    /// The last rate of each.
    pub(super) fn per_second(&self) -> BTreeMap<&str, u64> {
        let last = |(name, rates): (_, &VecDeque<u64>)| Some((name, *rates.back()?));
        self.lately.iter().map(|(name, rates)| (name.as_str(), rates)).filter_map(last).collect()
    }

    /// How long what was answered between the last two looks took; none if nothing was.
    pub(super) fn latency(&self) -> Option<Latency> {
        self.latency
    }

    /// Each with its rates, oldest first.
    pub(super) fn lately(&self) -> impl Iterator<Item = (&str, Vec<u64>)> {
        self.lately.iter().map(|(name, rates)| (name.as_str(), rates.iter().copied().collect()))
    }
}

/// By how many more took so long.
fn latency(before: &[(Option<u64>, u64)], now: &[(Option<u64>, u64)]) -> Option<Latency> {
    if before.len() != now.len() {
        return None;
    }
    let more = |((_, before), (bound, now)): (&(_, u64), &(_, u64))| {
        now.checked_sub(*before).map(|more| (*bound, more))
    };
    let more: Option<Vec<(Option<u64>, u64)>> = before.iter().zip(now).map(more).collect();
    let more = more?;
    let all: u64 = more.iter().map(|(_, count)| count).sum();
    let within = |percent: u64| {
        let mut missing = (all * percent).div_ceil(100);
        let bound = more.iter().find(|(_, count)| {
            missing = missing.saturating_sub(*count);
            missing == 0
        });
        bound.and_then(|(bound, _)| *bound)
    };
    (all > 0).then(|| Latency { p50: within(50), p99: within(99) })
}

fn per_second(count: u64, passed: Duration) -> Option<u64> {
    let rate = u128::from(count).checked_mul(1_000_000_000)?.checked_div(passed.as_nanos())?;
    u64::try_from(rate).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rate_is_what_came_in_the_time_that_passed() {
        let mut rates = Rates::default();
        let start = Instant::now();
        let totals = |packets: u64| json!({ "totals": { "packets": packets, "odd": "x" } });
        rates.note(&totals(100), start);
        assert!(rates.per_second().is_empty(), "one total is no rate");
        rates.note(&totals(300), start + Duration::from_millis(500));
        assert_eq!(rates.per_second(), BTreeMap::from([("packets", 400)]));
        rates.note(&totals(7), start + Duration::from_secs(1));
        rates.note(&totals(8), start + Duration::from_secs(2));
        let lately: Vec<_> = rates.lately().collect();
        assert_eq!(lately, [("packets", vec![400, 1])], "a restart is no rate");
        rates.note(&totals(9), start + Duration::from_secs(2));
        assert_eq!(rates.per_second()["packets"], 1, "no time, no rate");
    }

    #[test]
    fn a_latency_is_of_what_was_answered_since_the_look_before() {
        let mut rates = Rates::default();
        let now = Instant::now();
        let mut latency = |counts: [u64; 3]| {
            let [few, more, long] = counts;
            rates.note(&json!({ "within_us": [[1, few], [2, more], [null, long]] }), now);
            rates.latency()
        };
        assert_eq!(latency([100, 0, 7]), None, "nothing is known of before");
        assert_eq!(latency([149, 50, 8]), Some(Latency { p50: Some(2), p99: Some(2) }));
        assert_eq!(latency([150, 50, 9]), Some(Latency { p50: Some(1), p99: None }));
        assert_eq!(latency([150, 50, 9]), None, "nothing was answered");
        assert_eq!(latency([1, 0, 0]), None, "a restart is no time");
    }
}
