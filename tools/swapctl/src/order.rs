//! What a push and its rehearsal on paper, the plan, are given: files, removals and times; and the order
//! that they make for the service.
//!
//! Files are read and taken apart here, so that a wrong one is refused before the agent hears of it. What
//! they claim is not proven here: the agent verifies the same octets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use s_package::Manifest;
use serde_json::{Map, Value, json};

use crate::files;
use crate::moment;
use crate::output::Failure;
use crate::service::Service;

/// What is to change, and within which times.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct OrderArgs {
    /// Signed packages; all of them come into service together, or none does.
    #[arg(value_name = "FILE", required_unless_present_any = ["add", "remove"])]
    pub(crate) files: Vec<PathBuf>,
    /// A package for a component that must have no module yet; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) add: Vec<PathBuf>,
    /// A component whose module is taken out; may be given several times.
    #[arg(long, value_name = "COMPONENT")]
    pub(crate) remove: Vec<String>,
    /// Abort if the swap is not decided within this time.
    #[arg(long, value_name = "TIME", value_parser = moment::span)]
    pub(crate) timeout: Option<Duration>,
    /// Roll back unless `swapctl confirm` comes within this time after the commit.
    #[arg(long, value_name = "TIME", value_parser = moment::seconds)]
    pub(crate) confirm: Option<u64>,
    /// Roll back if anything goes wrong within this time after the commit; by default 10s.
    #[arg(long, value_name = "TIME", value_parser = moment::seconds, conflicts_with = "confirm")]
    pub(crate) probation: Option<u64>,
    /// Admit packages below the recorded security epoch; logged and announced.
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
}

/// What the service is given.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) json: Value,
    /// Names of files, and what is in them.
    pub(crate) packages: Vec<(String, Vec<u8>)>,
    /// Components that must have no module yet.
    additions: Vec<String>,
}

impl OrderArgs {
    /// Reads the files. `votes_within` is how long modules may take to become ready, where somebody said so.
    pub(crate) fn read(&self, votes_within: Option<Duration>) -> Result<Order, Failure> {
        let mut packages = Vec::new();
        for path in &self.files {
            packages.push(package(path)?.0);
        }
        let mut additions = Vec::new();
        for path in &self.add {
            let (package, component) = package(path)?;
            packages.push(package);
            additions.push(component);
        }
        Ok(Order { json: self.json(votes_within), packages, additions })
    }

    fn json(&self, votes_within: Option<Duration>) -> Value {
        let mut order = Map::new();
        if !self.remove.is_empty() {
            order.insert("remove".to_owned(), json!(self.remove));
        }
        let by_operator = self.confirm.map(|seconds| ("operator", seconds));
        let by_silence = self.probation.map(|seconds| ("silence", seconds));
        if let Some((by, seconds)) = by_operator.or(by_silence) {
            order.insert("confirm".to_owned(), json!({ "by": by, "seconds": seconds }));
        }
        let mut deadlines = Map::new();
        if let Some(whole) = self.timeout {
            deadlines.insert("whole".to_owned(), millis(whole));
        }
        if let Some(within) = votes_within {
            deadlines.insert("prepare".to_owned(), millis(within));
            deadlines.insert("quiesce".to_owned(), millis(within));
        }
        if !deadlines.is_empty() {
            order.insert("deadlines_ms".to_owned(), Value::Object(deadlines));
        }
        if self.allow_downgrade {
            order.insert("allow_downgrade".to_owned(), json!(true));
        }
        Value::Object(order)
    }
}

fn millis(span: Duration) -> Value {
    json!(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// A package with its file's name, and the component that it claims to be for.
pub(crate) fn package(path: &Path) -> Result<((String, Vec<u8>), String), Failure> {
    let octets = files::read_package(path)?;
    let manifest = Manifest::parse(files::split(&octets, path)?.manifest)
        .map_err(|fault| Failure::from(fault).about(path))?;
    let component = manifest.module.component.as_str().to_owned();
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(((name, octets), component))
}

impl Order {
    /// Refuses to replace what was to be added. Asked before the order is given: the service itself knows
    /// only modules that come in.
    pub(crate) fn adds_what_is_not_there(&self, service: &Service) -> Result<(), Failure> {
        if self.additions.is_empty() {
            return Ok(());
        }
        let status = service.get("/v1/status")?;
        for component in crate::render::list(&status, "components") {
            let name = component["name"].as_str().unwrap_or_default();
            if let Some(version) = component["version"].as_str()
                && self.additions.iter().any(|added| added == name)
            {
                return Err(Failure::refused(
                    "already-there",
                    format!(
                        "{name} {version} serves already; give the file without --add to replace it"
                    ),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_only_what_it_was_told() {
        assert_eq!(OrderArgs::default().json(None), json!({}));
    }

    #[test]
    fn the_agent_understands_what_is_ordered() {
        let args = OrderArgs {
            remove: vec!["priv.des".into()],
            timeout: Some(Duration::from_secs(30)),
            confirm: Some(60),
            allow_downgrade: true,
            ..OrderArgs::default()
        };
        let json = args.json(Some(Duration::from_secs(2)));
        assert_eq!(
            json,
            json!({ "remove": ["priv.des"], "confirm": { "by": "operator", "seconds": 60 },
                "deadlines_ms": { "whole": 30_000, "prepare": 2_000, "quiesce": 2_000 },
                "allow_downgrade": true })
        );
        s_control::order::Order::parse(json.to_string().as_bytes()).unwrap();
        let probation = OrderArgs { probation: Some(5), ..OrderArgs::default() }.json(None);
        assert_eq!(probation, json!({ "confirm": { "by": "silence", "seconds": 5 } }));
        s_control::order::Order::parse(probation.to_string().as_bytes()).unwrap();
    }
}
