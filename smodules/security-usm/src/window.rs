//! The clocks of other engines, and the time window (RFC 3414 §2.2, §2.3, §3.2 step 7).
//!
//! It never believes a clock that was not authenticated: callers come here after step 6 only. Invariant:
//! what is known of a clock never goes back.

use roles::privacy::EngineTime;
use s_sdk::value::Field;
use std::time::Duration;

/// The time window, in seconds either way (RFC 3414 §2.2.3).
pub const TIME_WINDOW_SECONDS: u32 = 150;

/// Boots stay there; such an engine has no time window any more (RFC 3414 §2.2.2).
pub const MOST_BOOTS: u32 = 2_147_483_647;

/// The clocks of so many engines are known; beyond that the one heard of least recently is forgotten.
const MOST_ENGINES: usize = 4096;

/// Whether a message for this engine is within the window (step 7 a).
pub(crate) fn is_timely(own: EngineTime, message: EngineTime) -> bool {
    own.boots != MOST_BOOTS
        && message.boots == own.boots
        && message.time_seconds.abs_diff(own.time_seconds) <= TIME_WINDOW_SECONDS
}

/// What is known of another engine's clock.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct RemoteEngine {
    /// Its snmpEngineID.
    pub engine_id: Vec<u8>,
    /// Its snmpEngineBoots.
    pub boots: u32,
    /// Its snmpEngineTime when it was heard of last: latestReceivedEngineTime.
    pub latest_received_seconds: u32,
    /// When that was, on the host's clock.
    pub at_nanoseconds: u64,
}

impl RemoteEngine {
    /// Its snmpEngineTime, as far as it is known.
    fn time_at(&self, now: Duration) -> u32 {
        let passed = now.saturating_sub(Duration::from_nanos(self.at_nanoseconds)).as_secs();
        let time = u64::from(self.latest_received_seconds).saturating_add(passed);
        u32::try_from(time).unwrap_or(u32::MAX).min(MOST_BOOTS)
    }
}

/// The clocks of other engines, in the order of their engineIDs.
#[derive(Default)]
pub(crate) struct Engines(Vec<RemoteEngine>);

impl Engines {
    pub(crate) fn with(mut rows: Vec<RemoteEngine>) -> Self {
        rows.sort_by(|one, other| one.engine_id.cmp(&other.engine_id));
        Engines(rows)
    }

    pub(crate) fn rows(&self) -> &[RemoteEngine] {
        &self.0
    }

    fn find(&self, engine_id: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|engine| engine.engine_id[..].cmp(engine_id))
    }

    /// The clock of an engine; zeros where it is not known (RFC 3414 §2.3).
    pub(crate) fn clock(&self, engine_id: &[u8], now: Duration) -> EngineTime {
        match self.find(engine_id).ok().and_then(|at| self.0.get(at)) {
            Some(engine) => EngineTime { boots: engine.boots, time_seconds: engine.time_at(now) },
            None => EngineTime { boots: 0, time_seconds: 0 },
        }
    }

    /// Learns from an authenticated message of an engine, and says whether it is within the window
    /// (step 7 b).
    pub(crate) fn meets(&mut self, engine_id: &[u8], clock: EngineTime, now: Duration) -> bool {
        let at = match self.find(engine_id) {
            Ok(at) => at,
            Err(_) => {
                if self.0.len() >= MOST_ENGINES {
                    let oldest = self.0.iter().enumerate().min_by_key(|(_, e)| e.at_nanoseconds);
                    if let Some((oldest, _)) = oldest {
                        self.0.remove(oldest);
                    }
                }
                let at = self.find(engine_id).unwrap_or_else(|at| at);
                let unheard = RemoteEngine {
                    engine_id: engine_id.to_vec(),
                    boots: 0,
                    latest_received_seconds: 0,
                    at_nanoseconds: nanoseconds(now),
                };
                self.0.insert(at, unheard);
                at
            }
        };
        let Some(engine) = self.0.get_mut(at) else { return false };
        // Step 7 b 1.
        if clock.boots > engine.boots
            || clock.boots == engine.boots && clock.time_seconds > engine.latest_received_seconds
        {
            engine.boots = clock.boots;
            engine.latest_received_seconds = clock.time_seconds;
            engine.at_nanoseconds = nanoseconds(now);
        }
        // Step 7 b 2.
        engine.boots != MOST_BOOTS
            && clock.boots == engine.boots
            && clock.time_seconds >= engine.time_at(now).saturating_sub(TIME_WINDOW_SECONDS)
    }
}

fn nanoseconds(now: Duration) -> u64 {
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn clock(boots: u32, time_seconds: u32) -> EngineTime {
        EngineTime { boots, time_seconds }
    }

    #[test]
    fn the_window_of_the_authoritative_engine_is_150_seconds_either_way() {
        let own = clock(7, 1000);
        for (message, timely) in [
            (clock(7, 1000), true),
            (clock(7, 850), true),
            (clock(7, 849), false),
            (clock(7, 1150), true),
            (clock(7, 1151), false),
            (clock(6, 1000), false),
            (clock(8, 1000), false),
            (clock(0, 0), false),
        ] {
            assert_eq!(is_timely(own, message), timely, "{message:?}");
        }
        assert!(!is_timely(clock(MOST_BOOTS, 5), clock(MOST_BOOTS, 5)));
        assert!(is_timely(clock(MOST_BOOTS - 1, 5), clock(MOST_BOOTS - 1, 0)));
    }

    #[test]
    fn another_engines_clock_is_learned_forward_and_never_back() {
        let mut engines = Engines::default();
        let at = Duration::from_secs;
        assert_eq!(engines.clock(b"other", at(5)), clock(0, 0));
        assert!(engines.meets(b"other", clock(3, 500), at(10)));
        assert_eq!(engines.clock(b"other", at(70)), clock(3, 560));
        // Older than what was heard, but within the window.
        assert!(engines.meets(b"other", clock(3, 410), at(70)));
        assert!(!engines.meets(b"other", clock(3, 409), at(70)));
        assert_eq!(engines.clock(b"other", at(70)), clock(3, 560));
        // Ahead of the clock: believed.
        assert!(engines.meets(b"other", clock(3, 9000), at(70)));
        assert!(!engines.meets(b"other", clock(3, 600), at(70)));
        // It started anew; from then on its past is no proof.
        assert!(engines.meets(b"other", clock(4, 1), at(70)));
        assert!(!engines.meets(b"other", clock(3, 9001), at(70)));
        // It can start no more.
        assert!(!engines.meets(b"other", clock(MOST_BOOTS, 1), at(70)));
        assert!(!engines.meets(b"other", clock(4, 2), at(70)));
    }

    #[test]
    fn the_engine_not_heard_of_for_longest_is_forgotten() {
        let mut engines = Engines::default();
        for number in 0..=MOST_ENGINES as u64 {
            engines.meets(&number.to_be_bytes(), clock(1, 1), Duration::from_secs(number));
        }
        assert_eq!(engines.rows().len(), MOST_ENGINES);
        assert_eq!(engines.clock(&0u64.to_be_bytes(), Duration::from_secs(9000)).boots, 0);
        assert_eq!(engines.clock(&1u64.to_be_bytes(), Duration::from_secs(9000)).boots, 1);
    }
}
