//! `snmpd.conf`: read as snmpd reads it, with a verdict for every line.
//!
//! What snmpd would allow is allowed, what it would refuse is refused. Where this agent is stricter, the
//! line is refused or its verdict says so: an agent that started with half of what its operator wrote would
//! let in somebody else, or nobody. It opens no socket, writes no file and derives no key.
//!
//! Invariant: a [`Reading`] without refused lines is a whole configuration. In reading order: `reader` and
//! `words` take files apart, `directives` says who takes a line over, `access`, `fields`, `communities` and
//! `sources` say who may do what, `users` and `engine` what the agent is, `notify` whom it
//! tells, `watch` what it looks after; `import` takes
//! net-snmp's persistent file over.

mod access;
mod communities;
mod directives;
mod engine;
mod fields;
pub(crate) mod import;
mod names;
mod notify;
mod reader;
mod sources;
#[cfg(test)]
mod tests;
mod users;
mod verdict;
mod watch;
mod words;

use crate::config::Configuration;
use access::Access;
use communities::Communities;
use notify::Receivers;
use roles::settings::{
    NotifySettings, SnmpSettings, SystemSettings, UcdSettings, User, UsmSettings,
};
use roles::varbind::security_model;
use std::path::{Path, PathBuf};
use verdict::{Line, Verdict, json};

/// Files that were read.
pub(crate) struct Reading {
    /// What became of each line.
    pub(crate) lines: Vec<Line>,
    /// What is wrong with the files as a whole.
    pub(crate) problems: Vec<String>,
    /// What they amount to.
    pub(crate) configuration: Configuration,
}

/// Which of net-snmp's files a line would stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// `snmpd.conf`
    Agent,
    /// `snmp.conf`
    Library,
    /// `agentx.conf`
    AgentX,
}

impl Section {
    /// The section of `[NAME]`, without its first bracket.
    fn named(name: &str) -> Result<Self, Verdict> {
        match &name.to_ascii_lowercase()[..] {
            "snmpd]" => Ok(Section::Agent),
            "snmp]" => Ok(Section::Library),
            "agentx]" => Ok(Section::AgentX),
            "snmptrapd]" => verdict::refused(
                "snmpd knows no such section either: move its lines to snmptrapd.conf",
            ),
            _ => verdict::refused("there is no such section: write [snmpd], [snmp] or [agentx]"),
        }
    }
}

/// What lines amount to while they are being read.
#[derive(Default)]
struct Meaning {
    listen: Vec<String>,
    run_as: Option<String>,
    run_as_group: Option<String>,
    max_message_size: Option<u32>,
    max_repetitions: Option<u32>,
    max_responses: Option<u32>,
    engine_id: engine::EngineId,
    system: SystemSettings,
    snmp: SnmpSettings,
    users: Vec<User>,
    access: Access,
    communities: Communities,
    receivers: Receivers,
    ucd: UcdSettings,
    /// Security models by which nobody is let in.
    closed: Vec<u32>,
}

/// Whether a file is an `snmpd.conf`: everything is that does not end with `.toml`.
pub(crate) fn is_snmpd_conf(path: &Path) -> bool {
    path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("toml"))
}

/// Reads files, one after the other, as if they were one.
///
/// # Errors
/// One of them cannot be read.
pub(crate) fn read(files: &[PathBuf]) -> Result<Reading, String> {
    if let Some(other) = files.iter().find(|file| !is_snmpd_conf(file)) {
        return Err(format!(
            "{}: a file in TOML is a configuration of its own; name it alone, or only files in the syntax of \
                snmpd.conf",
            other.display()
        ));
    }
    let mut meaning = Meaning::default();
    let mut lines = Vec::new();
    for file in files {
        let mut each = |section, name: &str, words: &mut words::Words<'_>| {
            directives::take(&mut meaning, section, name, words)
        };
        reader::read(file, &mut lines, &mut each)
            .map_err(|why| format!("{why}; name another file with `-c`"))?;
    }
    let (configuration, problems) = meaning.finish();
    Ok(Reading { lines, problems, configuration })
}

impl Reading {
    /// The configuration, if no line is refused.
    ///
    /// # Errors
    /// The lines that are.
    pub(crate) fn into_configuration(mut self) -> Result<Configuration, String> {
        let refusals = self.refusals();
        if !refusals.is_empty() {
            return Err(format!(
                "the agent does not start with these lines:\n{}",
                refusals.join("\n")
            ));
        }
        self.configuration.warnings = self.warnings().collect();
        Ok(self.configuration)
    }

    /// Prints the verdicts.
    ///
    /// # Errors
    /// How many lines are refused.
    pub(crate) fn tell(&self, as_json: bool) -> Result<(), String> {
        let refusals = self.refusals().len();
        let text: String = if as_json {
            let told = serde_json::json!({
                "sound": refusals == 0,
                "problems": self.problems,
                "listen": self.configuration.listen,
                "lines": json(&self.lines),
            });
            format!("{told:#}\n")
        } else {
            let lines = self.lines.iter().map(|line| format!("{line}\n"));
            let problems = self.problems.iter().map(|problem| format!("refused: {problem}\n"));
            lines.chain(problems).collect()
        };
        crate::commands::print(text).map_err(|error| format!("the verdicts: {error}"))?;
        match refusals {
            0 => Ok(()),
            1 => Err("one line is refused, so the agent does not start".into()),
            count => Err(format!("{count} lines are refused, so the agent does not start")),
        }
    }

    /// What keeps the agent from starting, a line each; empty if nothing does.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let refused = self.lines.iter().filter(|line| matches!(line.verdict, Verdict::Refused(_)));
        refused.map(Line::to_string).chain(self.problems.iter().cloned()).collect()
    }

    /// What an operator should hear of at every start.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let ignored = |line: &&Line| matches!(line.verdict, Verdict::Ignored(_));
        self.lines.iter().filter(ignored).map(Line::to_string)
    }
}

impl Meaning {
    fn finish(mut self) -> (Configuration, Vec<String>) {
        let mut problems = Vec::new();
        for model in &self.closed {
            if *model == security_model::USM {
                self.users.clear();
            }
            self.access.close(*model);
        }
        let engine_id = self.engine_id.finish().unwrap_or_else(|why| {
            problems.push(why);
            None
        });
        let targets = self.receivers.finish().unwrap_or_else(|why| {
            problems.push(why);
            Vec::new()
        });
        if self.listen.is_empty() {
            // Where snmpd listens, and not where this agent does for those who try it out.
            self.listen.push("udp:161".into());
        }
        let configuration = Configuration {
            is_closed: true,
            listen: self.listen,
            run_as: self.run_as,
            run_as_group: self.run_as_group,
            engine_id,
            max_message_size: self.max_message_size,
            max_repetitions: self.max_repetitions,
            max_responses: self.max_responses,
            system: self.system,
            snmp: self.snmp,
            usm: UsmSettings { users: self.users },
            communities: self.communities.finish(),
            vacm: self.access.finish(),
            notify: NotifySettings { targets },
            ucd: self.ucd,
            ..Configuration::default()
        };
        (configuration, problems)
    }
}
