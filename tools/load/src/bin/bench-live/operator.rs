//! An operator who pushes one swap after another at a running agent, over its control socket.
//!
//! Invariant: one swap at a time, and each is followed to its end, however it ends.

use crate::packages::Maker;
use s_listening::client::{Client, ClientError};
use s_load::Error;
use s_load::agents::{Agent, Host, Kind};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Components whose modules are not called as they are, and those of which the tree keeps another version.
const MODULES: &[(&str, &[&str])] = &[
    ("auth.md5", &["auth-hmac-md5", "auth-hmac-md5-defect"]),
    ("auth.sha1", &["auth-hmac-sha1"]),
    ("auth.sha2", &["auth-hmac-sha2", "auth-hmac-sha2-next"]),
    ("message.v3", &["message-v3", "message-v3-rasn"]),
    ("security.usm", &["security-usm", "security-usm-next"]),
    ("mib.if", &["mib-if", "mib-if-next"]),
    (BENCH, &["bench_one", "bench_two"]),
];

/// The component whose answers say their version.
pub(crate) const BENCH: &str = "mib.bench";
/// The module of the component whose state takes 200 ms to map.
pub(crate) const SLOW: &str = "slow";
/// A component that no package fills: it is the agent itself.
const ITSELF: &str = "engine";

/// A swap, as its operator saw it.
pub(crate) struct Swap {
    pub(crate) component: String,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    /// How long its gates were closed; not at all where it had none.
    pub(crate) blackout_us: f64,
    /// When its state began to be mapped and for how long, from `begun`.
    pub(crate) mapped: Option<(Duration, Duration)>,
    /// Why it was not committed, where it was not.
    pub(crate) fault: Option<String>,
}

/// Who pushes.
pub(crate) struct Operator {
    client: Client,
    maker: Maker,
    random: u64,
}

impl Operator {
    /// # Errors
    /// The system's.
    pub(crate) fn new(maker: Maker, agent: &Agent) -> Result<Self, Error> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)?;
        let random = u64::from_le_bytes(seed) | 1;
        Ok(Operator { client: Client::unix(agent.control())?, maker, random })
    }

    /// Components whose modules packages replace.
    ///
    /// # Errors
    /// The agent does not answer.
    pub(crate) fn components(&self) -> Result<Vec<String>, Error> {
        let status = self.client.get("/v1/status")?;
        let all = status["components"].as_array().ok_or("no components in the status")?;
        let serving = all.iter().filter(|one| !one["version"].is_null());
        let names = serving.filter_map(|one| one["name"].as_str());
        Ok(names.filter(|name| *name != ITSELF).map(str::to_owned).collect())
    }

    /// Makes every package that a swap of these components may need, so that nothing is made meanwhile.
    ///
    /// # Errors
    /// A module was not built.
    pub(crate) fn prepare(&mut self, components: &[String]) -> Result<(), Error> {
        for component in components {
            for module in modules(component) {
                self.maker.package(&module)?;
            }
        }
        Ok(())
    }

    /// A number below `bound`: xorshift64.
    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let bound = bound.max(1) as u64;
        usize::try_from(self.random % bound).unwrap_or(0)
    }

    /// Swaps one of these components, whichever comes, to one of its versions.
    ///
    /// # Errors
    /// The agent does not answer.
    pub(crate) fn swap_any(&mut self, components: &[String]) -> Result<Swap, Error> {
        let at = self.below(components.len());
        let component = components.get(at).ok_or("no component")?.clone();
        let modules = modules(&component);
        let at = self.below(modules.len());
        self.swap(&component, modules.get(at).ok_or("no module")?)
    }

    /// Swaps a component, keeps the new version at once, and waits for the end.
    ///
    /// # Errors
    /// The agent does not answer, or refuses to begin.
    pub(crate) fn swap(&mut self, component: &str, module: &str) -> Result<Swap, Error> {
        let package = [(format!("{module}.smod"), self.maker.package(module)?)];
        let begun = Instant::now();
        let pushed = self.client.post_packages("/v1/swaps", Some(&json!({})), &package)?;
        let txn = pushed["txn"].as_u64().ok_or("a push without a number")?;
        let outcome = self.confirmed(txn)?;
        let fault = (outcome["verdict"] != "committed")
            .then(|| format!("{module}: {}, {}", outcome["verdict"], outcome["cause"]));
        Ok(Swap {
            component: component.to_owned(),
            begun,
            ended: Instant::now(),
            blackout_us: outcome["blackout_us"].as_f64().unwrap_or(0.0),
            mapped: mapped(&outcome),
            fault,
        })
    }

    /// Confirms a swap as soon as it can be; its outcome.
    fn confirmed(&self, txn: u64) -> Result<Value, Error> {
        const PATIENCE: Duration = Duration::from_secs(120);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let wait = match self.client.post(&format!("/v1/swaps/{txn}/confirm"), &json!({})) {
                Ok(_) => "?wait=30",
                // Not yet, or no more.
                Err(ClientError::Refused { .. }) => "",
                Err(error) => return Err(error.into()),
            };
            let told = self.client.get(&format!("/v1/swaps/{txn}{wait}"))?;
            if told["running"] == false {
                return Ok(told["outcome"].clone());
            }
            // Whoever asks more often takes the agent's processor time, too.
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("swap {txn} does not end").into())
    }
}

/// When the state was mapped, from the first phase on, and for how long.
fn mapped(outcome: &Value) -> Option<(Duration, Duration)> {
    let phases = outcome["phases"].as_array()?;
    let began = |phase: &Value| phase["began_us"].as_u64();
    let first = phases.first().and_then(began)?;
    let mapping = phases.iter().find(|phase| phase["phase"] == "map_state")?;
    let took = mapping["took_us"].as_u64()?;
    let since = began(mapping)?.saturating_sub(first);
    Some((Duration::from_micros(since), Duration::from_micros(took)))
}

/// The crates of a component's modules: what they are called is a rule with exceptions.
fn modules(component: &str) -> Vec<String> {
    match MODULES.iter().find(|(name, _)| *name == component) {
        Some((_, modules)) => modules.iter().map(|module| (*module).to_owned()).collect(),
        None => vec![component.replace('.', "-")],
    }
}

/// Starts an agent of ours that trusts a maker, and its operator.
///
/// # Errors
/// It does not start, or a module was not built.
pub(crate) fn start(host: &Host) -> Result<(Agent, Operator), Error> {
    let maker = Maker::new(host.ours())?;
    let trust = maker.trust()?;
    let furnish = |folder: &Path| {
        let state = folder.join("state");
        std::fs::create_dir(&state)?;
        std::fs::write(state.join("trust.json"), &trust)?;
        // Whoever asks is one manager: as many packets as come.
        Ok("\n[limits]\npackets-per-second = 0\nfailures-per-second = 0\n".to_owned())
    };
    let agent = host.start_furnished(Kind::Ours, furnish)?;
    let operator = Operator::new(maker, &agent)?;
    Ok((agent, operator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_called_after_their_components_or_named() {
        assert_eq!(modules("mib.ip"), ["mib-ip"]);
        assert_eq!(modules("auth.sha1"), ["auth-hmac-sha1"]);
        assert_eq!(modules("message.v3").len(), 2);
    }

    #[test]
    fn the_mapping_counts_from_the_first_phase() {
        let outcome = json!({ "phases": [
            { "phase": "verify", "began_us": 1_000, "took_us": 10 },
            { "phase": "map_state", "began_us": 5_000, "took_us": 200 },
        ]});
        let expected = (Duration::from_millis(4), Duration::from_micros(200));
        assert_eq!(mapped(&outcome), Some(expected));
        assert_eq!(mapped(&json!({ "phases": [] })), None);
    }
}
