//! From totals that only grow to what happens per second, and how that went lately.

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
}

impl Rates {
    /// The totals of a moment: `{"totals": {NAME: N}}`.
    pub(super) fn note(&mut self, told: &Value, now: Instant) {
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

    /// Each with its rates, oldest first.
    pub(super) fn lately(&self) -> impl Iterator<Item = (&str, Vec<u64>)> {
        self.lately.iter().map(|(name, rates)| (name.as_str(), rates.iter().copied().collect()))
    }
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
}
