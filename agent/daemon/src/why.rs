//! `sagentd why`: which packets were refused last, why, and what to do about it.
//!
//! What the listening service answers is [`Answer`], as JSON. It holds no community and no key: names of users
//! are all that it takes from packets. Fields are added, never renamed.

use crate::commands;
use crate::control;
use crate::options::Why as Options;
use crate::places;
use s_engine::Engine;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;

/// The last refused packets.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The newest first.
    refused: Vec<Packet>,
    /// Refusals that are in no entry, because several came at once.
    overlooked: u64,
}

/// A refused packet, or several that were alike.
#[derive(Debug, Serialize, Deserialize)]
struct Packet {
    /// Where it came from; `local` for this machine's own sockets.
    peer: String,
    /// The version of the message, where it has one.
    version: Option<String>,
    /// Who it claims to be from.
    user: Option<String>,
    times: u64,
    /// How many seconds ago the first and the last of them came.
    first_seconds_ago: f64,
    last_seconds_ago: f64,
    /// A short name that never changes.
    reason: String,
    /// The step that refused it.
    step: String,
    hint: String,
    cure: String,
    /// The counter that moved.
    counter: Option<String>,
    /// Whether the sender was told.
    told: bool,
}

impl Answer {
    /// What the engine has refused, of one address or of all.
    pub(crate) fn of(engine: &Engine, peer: Option<IpAddr>) -> Self {
        let now = engine.facts().now();
        let refused = engine.why().last(peer).into_iter().map(|refused| {
            let explained = refused.reason.explain();
            Packet {
                peer: refused.source.to_string(),
                version: refused.version.map(|version| {
                    match version {
                        s_wire::Version::V1 => "1",
                        s_wire::Version::V2c => "2c",
                        s_wire::Version::V3 => "3",
                    }
                    .to_owned()
                }),
                user: refused
                    .security_name()
                    .map(|name| String::from_utf8_lossy(name).into_owned()),
                times: refused.times,
                first_seconds_ago: now.saturating_sub(refused.first).as_secs_f64(),
                last_seconds_ago: now.saturating_sub(refused.last).as_secs_f64(),
                reason: refused.reason.name().to_owned(),
                step: explained.step.to_owned(),
                hint: explained.hint.to_owned(),
                cure: explained.cure.to_owned(),
                counter: refused.counter.map(|counter| counter.name().to_owned()),
                told: refused.told,
            }
        });
        Answer { refused: refused.collect(), overlooked: engine.why().overlooked() }
    }
}

/// Asks the running agent and prints its answer.
///
/// # Errors
/// There is no agent, or it does not answer.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let places: Vec<PathBuf> = match &options.control {
        Some(told) => vec![told.clone()],
        None => places::control_sockets(options.state_directory.clone()),
    };
    let of_peer = options.peer.map_or_else(String::new, |peer| format!("?peer={peer}"));
    let answer = control::ask(&places, &format!("/v1/application/why{of_peer}"))?;
    if options.json {
        return Ok(commands::print(format_args!("{answer}\n"))?);
    }
    Ok(commands::print(serde_json::from_value::<Answer>(answer)?)?)
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused.is_empty() {
            writeln!(f, "No packet was refused.")?;
        }
        for packet in &self.refused {
            packet.fmt(f)?;
            f.write_char('\n')?;
        }
        match self.overlooked {
            0 => Ok(()),
            some => writeln!(f, "And {some} that came while others were noted."),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.peer)?;
        if let Some(version) = &self.version {
            write!(f, "  v{version}")?;
        }
        if let Some(user) = &self.user {
            // Whoever sent it chose the name: nothing in it reaches a terminal as it is.
            write!(f, "  as {user:?}")?;
        }
        match self.times {
            1 => writeln!(f, "  {:.0} s ago", self.last_seconds_ago)?,
            times => writeln!(f, "  {times} times, last {:.0} s ago", self.last_seconds_ago)?,
        }
        writeln!(f, "  refused  {} ({})", self.step, self.reason)?;
        let counter = self.counter.as_deref().unwrap_or("none");
        let told = if self.told { "the sender was told" } else { "the sender was told nothing" };
        writeln!(f, "  counter  {counter}; {told}")?;
        writeln!(f, "  likely   {}", self.hint)?;
        writeln!(f, "  cure     {}", self.cure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_others_chose_do_nothing_to_a_terminal() {
        let packet = Packet {
            peer: "10.0.0.1:5".into(),
            version: Some("3".into()),
            user: Some("\u{1b}[2Jjoe".into()),
            times: 3,
            first_seconds_ago: 9.0,
            last_seconds_ago: 2.2,
            reason: "wrong-digest".into(),
            step: "a step".into(),
            hint: "a hint".into(),
            cure: "a cure".into(),
            counter: Some("usmStatsWrongDigests".into()),
            told: true,
        };
        let text = Answer { refused: vec![packet], overlooked: 1 }.to_string();
        assert!(!text.contains('\u{1b}'));
        assert!(
            text.starts_with("10.0.0.1:5  v3  as \"\\u{1b}[2Jjoe\"  3 times, last 2 s ago\n"),
            "{text}"
        );
        assert!(text.contains("counter  usmStatsWrongDigests; the sender was told\n"));
        assert!(text.ends_with("And 1 that came while others were noted.\n"));
    }
}
