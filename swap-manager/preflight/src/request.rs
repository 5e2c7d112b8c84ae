//! What is to be rehearsed beyond the module itself.

use crate::reading::{Malformed, Parts, list, map};
use s_sdk::Value;
use std::fmt;

/// What a rehearsal is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The version that serves now and would go; empty when there is none.
    pub predecessor: String,
    /// A copy of the real state, exported by the module that serves.
    pub state: Option<StateCopy>,
    /// Calls that were recorded, made again in this order.
    pub replays: Vec<Replay>,
    /// Methods without arguments, as `behavior.method`: those that the module offers are called, and what they
    /// answer is in the report.
    pub questions: Vec<String>,
    /// Components that exist in the host: a lookup finds them, a call into them is refused.
    pub components: Vec<String>,
    /// Some rows of resident tables; tables that are not here are empty.
    pub residents: Vec<ResidentSample>,
}

/// State as it crosses between versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCopy {
    /// The version that it was exported as.
    pub version: u32,
    /// The encoded state.
    pub octets: Vec<u8>,
}

/// A recorded call.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// `behavior.method`, or the method alone.
    pub method: String,
    /// Its arguments.
    pub args: Vec<Value>,
    /// What it has to answer.
    pub expected: Expected,
}

/// The answer that a replayed call has to give.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// Any answer, and the method's own error too; a panic is none.
    Any,
    /// This result.
    Answer(Value),
    /// This error of the method's own.
    Error(Value),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Any => f.write_str("any answer"),
            Expected::Answer(value) => value.fmt(f),
            Expected::Error(value) => write!(f, "the error {value}"),
        }
    }
}

/// Rows of a resident table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidentSample {
    /// The table's name.
    pub table: String,
    /// Keys and rows.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Expected {
    fn to_value(&self) -> Value {
        match self {
            Expected::Any => map([]),
            Expected::Answer(value) => map([("answer", value.clone())]),
            Expected::Error(value) => map([("error", value.clone())]),
        }
    }

    fn from_value(value: &Value) -> Self {
        match (value.get("answer"), value.get("error")) {
            (Some(value), _) => Expected::Answer(value.clone()),
            (None, Some(value)) => Expected::Error(value.clone()),
            (None, None) => Expected::Any,
        }
    }
}

impl Request {
    pub(crate) fn to_value(&self) -> Value {
        let state = self.state.as_ref().map_or(Value::Null, |state| {
            map([("version", state.version.into()), ("octets", state.octets.clone().into())])
        });
        map([
            ("predecessor", self.predecessor.as_str().into()),
            ("state", state),
            ("components", list(&self.components, |name| name.as_str().into())),
            ("questions", list(&self.questions, |method| method.as_str().into())),
            (
                "replays",
                list(&self.replays, |replay| {
                    map([
                        ("method", replay.method.as_str().into()),
                        ("args", replay.args.clone().into()),
                        ("expected", replay.expected.to_value()),
                    ])
                }),
            ),
            (
                "residents",
                list(&self.residents, |sample| {
                    map([
                        ("table", sample.table.as_str().into()),
                        ("keys", list(&sample.rows, |(key, _)| key.clone().into())),
                        ("rows", list(&sample.rows, |(_, row)| row.clone().into())),
                    ])
                }),
            ),
        ])
    }

    pub(crate) fn from_value(value: &Value) -> Result<Self, Malformed> {
        let parts = Parts::of(value)?;
        let octets = |value: &Value| {
            value.as_bytes().map(<[u8]>::to_vec).ok_or_else(|| Malformed("row".into()))
        };
        Ok(Request {
            predecessor: parts.text("predecessor")?,
            state: parts.maybe("state", |value| {
                let parts = Parts::of(value)?;
                Ok(StateCopy { version: parts.u32("version")?, octets: parts.bytes("octets")? })
            })?,
            components: parts.texts("components")?,
            questions: parts.texts("questions")?,
            replays: parts.list("replays", |value| {
                let parts = Parts::of(value)?;
                Ok(Replay {
                    method: parts.text("method")?,
                    args: parts.get("args", Value::as_list)?.to_vec(),
                    expected: Expected::from_value(parts.value("expected")?),
                })
            })?,
            residents: parts.list("residents", |value| {
                let parts = Parts::of(value)?;
                let (keys, rows) = (parts.list("keys", octets)?, parts.list("rows", octets)?);
                Ok(ResidentSample {
                    table: parts.text("table")?,
                    rows: keys.into_iter().zip(rows).collect(),
                })
            })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_crosses_unchanged() {
        let request = Request {
            predecessor: "1.0.0".into(),
            state: Some(StateCopy { version: 3, octets: vec![1, 2] }),
            replays: vec![
                Replay { method: "a.b".into(), args: vec![Value::Null], expected: Expected::Any },
                Replay {
                    method: "c".into(),
                    args: vec![],
                    expected: Expected::Answer(Value::Null),
                },
                Replay { method: "d".into(), args: vec![], expected: Expected::Error(7u8.into()) },
            ],
            components: vec!["x".into()],
            questions: vec!["a.b".into()],
            residents: vec![ResidentSample {
                table: "t".into(),
                rows: vec![(vec![1], vec![2, 3])],
            }],
        };
        assert_eq!(Request::from_value(&request.to_value()).unwrap(), request);
        assert_eq!(
            Request::from_value(&Request::default().to_value()).unwrap(),
            Request::default()
        );
    }
}
