//! What a rehearsal found.

use crate::description::Description;
use crate::reading::{Malformed, Parts, list, map};
use crate::step::Step;
use s_loader::Tally;
use s_sdk::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A rehearsal that went well, and what an operator may want to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What the module says of itself.
    pub description: Description,
    /// How long each step took.
    pub steps: Vec<(Step, Duration)>,
    /// What became of the copy of the state; nothing when there was none or the module carries none.
    pub mapping: Option<Mapping>,
    /// How many recorded calls were made again.
    pub replayed: usize,
    /// What it answered to questions, by question. One that it failed to answer is not here.
    pub answers: BTreeMap<String, Value>,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// What it counted.
    pub counts: BTreeMap<String, u64>,
    /// What it asked of the host that a rehearsal only notes: timers, messages, events.
    pub effects: Vec<String>,
    /// What it left behind in threads.
    pub tally: Tally,
    /// Why it would stay in memory after its time, if it would.
    pub would_pin: Option<String>,
    /// What is not as it should be, but no reason to refuse.
    pub warnings: Vec<String>,
}

/// What became of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The size of the state in the module's own version.
    pub own_octets: usize,
    /// The size of the state when mapped back to the version that it came in.
    pub back_octets: usize,
    /// Whether it came back octet by octet as it was.
    pub back_is_same: bool,
}

/// A line that a module logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 0 error, 1 warning, 2 information, 3 debugging.
    pub level: u32,
    /// The text.
    pub text: String,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Report {
    pub(crate) fn to_value(&self) -> Value {
        let mapping = self.mapping.map_or(Value::Null, |mapping| {
            map([
                ("own_octets", (mapping.own_octets as u64).into()),
                ("back_octets", (mapping.back_octets as u64).into()),
                ("back_is_same", mapping.back_is_same.into()),
            ])
        });
        let tally = map([
            ("destructors", (self.tally.destructors as u64).into()),
            ("threads", (self.tally.threads as u64).into()),
            ("keys", (self.tally.keys as u64).into()),
            ("signal_handlers", (self.tally.signal_handlers as u64).into()),
        ]);
        map([
            ("description", self.description.to_value()),
            (
                "steps",
                list(&self.steps, |(step, took)| {
                    map([("step", step.name().into()), ("ns", nanos(*took).into())])
                }),
            ),
            ("mapping", mapping),
            ("replayed", (self.replayed as u64).into()),
            ("answers", Value::Map(self.answers.clone().into())),
            (
                "log",
                list(&self.log, |line| {
                    map([("level", line.level.into()), ("text", line.text.as_str().into())])
                }),
            ),
            (
                "counts",
                Value::Map(
                    self.counts.iter().map(|(name, n)| (name.clone(), (*n).into())).collect(),
                ),
            ),
            ("effects", list(&self.effects, |text| text.as_str().into())),
            ("tally", tally),
            ("would_pin", self.would_pin.as_deref().map_or(Value::Null, Value::from)),
            ("warnings", list(&self.warnings, |text| text.as_str().into())),
        ])
    }

    pub(crate) fn from_value(value: &Value) -> Result<Self, Malformed> {
        let parts = Parts::of(value)?;
        let tally = Parts::of(parts.value("tally")?)?;
        Ok(Report {
            description: Description::from_value(parts.value("description")?)?,
            steps: parts.list("steps", |value| {
                let parts = Parts::of(value)?;
                let step = parts.get("step", |value| Step::from_name(value.as_text()?))?;
                Ok((step, Duration::from_nanos(parts.u64("ns")?)))
            })?,
            mapping: parts.maybe("mapping", |value| {
                let parts = Parts::of(value)?;
                Ok(Mapping {
                    own_octets: parts.usize("own_octets")?,
                    back_octets: parts.usize("back_octets")?,
                    back_is_same: parts.bool("back_is_same")?,
                })
            })?,
            replayed: parts.usize("replayed")?,
            answers: parts.get("answers", Value::as_map)?.clone(),
            log: parts.list("log", |value| {
                let parts = Parts::of(value)?;
                Ok(LogLine { level: parts.u32("level")?, text: parts.text("text")? })
            })?,
            counts: parts
                .get("counts", Value::as_map)?
                .iter()
                .map(|(name, n)| {
                    Ok((name.clone(), n.as_u64().ok_or_else(|| Malformed(name.clone()))?))
                })
                .collect::<Result<_, Malformed>>()?,
            effects: parts.texts("effects")?,
            tally: Tally {
                destructors: tally.usize("destructors")?,
                threads: tally.usize("threads")?,
                keys: tally.usize("keys")?,
                signal_handlers: tally.usize("signal_handlers")?,
            },
            would_pin: parts.maybe("would_pin", |value| {
                value.as_text().map(str::to_owned).ok_or_else(|| Malformed("would_pin".into()))
            })?,
            warnings: parts.texts("warnings")?,
        })
    }
}
