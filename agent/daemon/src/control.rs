//! The operator's way in: the listening service of the swap manager, on a socket in the file system and, where it is
//! configured, over TLS; and what the agent itself answers there.
//!
//! Requests and answers are HTTP and JSON, as `/v1/openapi.json` says. Invariant: nothing that an operator
//! asks keeps a request of SNMP waiting.

use crate::application::Application;
use crate::config::SwapSettings;
use crate::doctor;
use crate::oids;
use crate::why;
use roles::error::Counter;
use s_control::preview::Described;
use s_listening::client::{Client, ClientError};
use s_listening::{Config, Operators, Service};
use s_sdk::Level;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// What operators are told of the agent beside its swaps.
struct Agent {
    application: Arc<Application>,
    /// Where its trust store was found.
    trust: Option<PathBuf>,
}

/// Has operators be listened to.
///
/// # Errors
/// A socket or a certificate: with its name and the remedy.
pub(crate) fn open(
    application: &Arc<Application>,
    unix: PathBuf,
    settings: &SwapSettings,
    trust: Option<PathBuf>,
) -> Result<Service, String> {
    let operators =
        Operators::new(settings.operators.clone()).map_err(|error| error.to_string())?;
    let config =
        Config { unix, tls: settings.tls.clone(), operators, two_persons: settings.two_persons };
    let agent = Agent { application: Arc::clone(application), trust };
    let manager = application.manager.clone();
    Service::open(config, manager, Arc::new(agent)).map_err(|error| error.to_string())
}

impl s_listening::Application for Agent {
    fn name(&self) -> &str {
        "sagentd"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn answer(&self, what: &str, query: &[(String, String)]) -> Option<Result<Value, String>> {
        let asked = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        Some(match what {
            "why" => match asked("peer").map(|peer| peer.parse::<IpAddr>()).transpose() {
                Ok(peer) => serde_json::to_value(why::Answer::of(&self.application.engine, peer))
                    .map_err(|error| error.to_string()),
                Err(error) => Err(format!("`peer`: {error}; write an address such as 10.0.0.1")),
            },
            "rates" => Ok(rates(&self.application)),
            "doctor" => Ok(doctor::examine(&self.application, self.trust.as_deref())),
            _ => return None,
        })
    }

    fn difference(&self, from: Option<&Described>, to: Option<&Described>) -> Option<Value> {
        oids::difference(from, to)
    }

    fn is_secret(&self, component: &str, field: &str) -> bool {
        is_secret(component, field)
    }

    fn log(&self, level: Level, text: &str) {
        (self.application.log)(level, "sagentd", "", text);
    }
}

/// Names under which modules of SNMP keep what nobody may read, beside those that any application has: communities,
/// also as the document of what came by SET, and the privacy keys of users (`privacy`, `priv_master`).
fn is_secret(component: &str, field: &str) -> bool {
    ["communit", "priv"].iter().any(|part| field.contains(part))
        || (component == "security.community" && field == "rows")
}

/// What grows as the agent answers.
fn rates(application: &Application) -> Value {
    let counters = application.engine.facts().counters();
    let refused = Counter::ALL.iter().filter(|counter| **counter != Counter::InPackets);
    let refused: u64 = refused.map(|counter| u64::from(counters.get(*counter))).sum();
    let requests: u64 = application.engine.requests().all().map(|(_, _, count)| count).sum();
    let dropped = application.engine.dropped();
    json!({
        "totals": {
            "packets": counters.get(Counter::InPackets),
            "requests": requests,
            "refused": refused,
            "limited": dropped.too_fast + dropped.after_failures,
        },
        "within_us": application.latency.all().collect::<Vec<_>>(),
    })
}

/// Asks an agent that listens at one of these places, the first that is there.
///
/// # Errors
/// There is none, or it does not answer: with the remedy.
pub(crate) fn ask(places: &[PathBuf], path: &str) -> Result<Value, String> {
    let found = places.iter().find(|place| place.exists());
    let Some(place) = found else {
        let all: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        return Err(format!(
            "no agent listens at {}; start it, or name its place with --state-directory or --control",
            all.join(" or ")
        ));
    };
    let answer = Client::unix(place).and_then(|client| client.get(path));
    answer.map_err(|error| {
        let cure = match &error {
            ClientError::Unreachable { .. } => "the agent that listened there has ended; start it",
            ClientError::TooSlow(_) => "the agent is busy; ask again",
            ClientError::Refused { .. } => "ask as root or as the user that the agent runs as",
            _ => "see the agent's log, or name another place with --control",
        };
        format!("{}: {error}; {cure}", place.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_communities_are_nobodys_to_read() {
        // As the modules name them in their state.
        for field in ["privacy", "priv_master", "priv_replaced"] {
            assert!(is_secret("security.usm", field), "{field}");
        }
        for field in ["communities", "community", "rows"] {
            assert!(is_secret("security.community", field), "{field}");
        }
        assert!(!is_secret("security.usm", "security_name") && !is_secret("notify", "rows"));
    }

    #[test]
    fn where_nobody_listens_is_told() {
        let error = ask(&["/nowhere/control".into()], "/v1/application/why").unwrap_err();
        assert!(
            error.contains("/nowhere/control") && error.contains("--state-directory"),
            "{error}"
        );
    }
}
