//! How the child speaks: frames of a tag, a length and that many octets.
//!
//! The parent reads them from a child that may be out of its mind: lengths are bounded before anything is
//! stored, and whatever does not fit is an answer, not a panic.

use crate::Description;
use crate::reading::{Malformed, Parts, map};
use crate::report::Report;
use crate::step::Step;
use s_sdk::Value;

pub(crate) const HEADER: usize = 5;

/// No frame is larger; a report is bounded far below.
pub(crate) const FRAME_MAX: usize = 2 << 20;

/// Steps, a forbidden call and one outcome; more is babble.
const FRAMES_MAX: usize = 64;

pub(crate) const STEP: u8 = 1;
pub(crate) const FORBIDDEN: u8 = 2;
pub(crate) const OUTCOME: u8 = 3;

/// A frame in octets.
pub(crate) fn frame(tag: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut octets = Vec::with_capacity(HEADER + payload.len());
    octets.push(tag);
    octets.extend_from_slice(&length.to_le_bytes());
    octets.extend_from_slice(payload);
    octets
}

/// How a rehearsal ended, in the child's own words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Report(Box<Report>),
    Description(Box<Description>),
    Failed { kind: Failure, why: String },
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Unconfined,
    Unacceptable,
    Refused,
    Panicked,
    Differs,
    Broken,
}

const FAILURES: [(Failure, &str); 6] = [
    (Failure::Unconfined, "unconfined"),
    (Failure::Unacceptable, "unacceptable"),
    (Failure::Refused, "refused"),
    (Failure::Panicked, "panicked"),
    (Failure::Differs, "differs"),
    (Failure::Broken, "broken"),
];

impl Outcome {
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Outcome::Report(report) => map([("report", report.to_value())]),
            Outcome::Description(description) => map([("description", description.to_value())]),
            Outcome::Failed { kind, why } => {
                let name =
                    FAILURES.iter().find(|(known, _)| known == kind).map_or("", |(_, name)| name);
                map([("failed", name.into()), ("why", why.as_str().into())])
            }
        }
    }

    pub(crate) fn from_value(value: &Value) -> Result<Self, Malformed> {
        let parts = Parts::of(value)?;
        if let Ok(report) = parts.value("report") {
            return Ok(Outcome::Report(Box::new(Report::from_value(report)?)));
        }
        if let Ok(description) = parts.value("description") {
            return Ok(Outcome::Description(Box::new(Description::from_value(description)?)));
        }
        let kind = parts.get("failed", |value| {
            let name = value.as_text()?;
            FAILURES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
        })?;
        Ok(Outcome::Failed { kind, why: parts.text("why")? })
    }
}

/// What a child has said so far.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) step: Step,
    pub(crate) forbidden: Option<u32>,
    pub(crate) outcome: Option<Outcome>,
    frames: usize,
    rest: Vec<u8>,
}

impl Heard {
    pub(crate) const fn nothing() -> Self {
        Heard { step: Step::Start, forbidden: None, outcome: None, frames: 0, rest: Vec::new() }
    }

    /// Takes in what was read; an error says what was wrong with it.
    pub(crate) fn take(&mut self, octets: &[u8]) -> Result<(), String> {
        self.rest.extend_from_slice(octets);
        while let Some((header, rest)) = self.rest.split_first_chunk::<HEADER>() {
            let [tag, length @ ..] = *header;
            let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
            if length > FRAME_MAX {
                return Err(format!("a frame of {length} octets"));
            }
            let Some(payload) = rest.get(..length) else { return Ok(()) };
            self.frames += 1;
            if self.frames > FRAMES_MAX {
                return Err("more frames than a rehearsal has".into());
            }
            match tag {
                STEP => {
                    let name = std::str::from_utf8(payload).ok().and_then(Step::from_name);
                    self.step = name.ok_or("a step that there is not")?;
                }
                FORBIDDEN => {
                    let number = payload.try_into().map_err(|_| "a number of another size")?;
                    self.forbidden = Some(u32::from_le_bytes(number));
                }
                OUTCOME if self.outcome.is_none() => {
                    let value = Value::decode(payload)
                        .map_err(|error| format!("an outcome that is no value: {error}"))?;
                    let outcome = Outcome::from_value(&value)
                        .map_err(|error| format!("an outcome whose {error}"))?;
                    self.outcome = Some(outcome);
                }
                OUTCOME => return Err("a second outcome".into()),
                tag => return Err(format!("a frame with tag {tag}")),
            }
            self.rest.drain(..HEADER + length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_in_any_pieces() {
        let failed = Outcome::Failed { kind: Failure::Refused, why: "no".into() };
        let mut octets = frame(STEP, b"init");
        octets.extend(frame(FORBIDDEN, &56u32.to_le_bytes()));
        octets.extend(frame(OUTCOME, &failed.to_value().encode()));
        for size in 1..octets.len() {
            let mut heard = Heard::nothing();
            octets.chunks(size).for_each(|piece| heard.take(piece).unwrap());
            assert_eq!((heard.step, heard.forbidden), (Step::Init, Some(56)));
            assert_eq!(heard.outcome.as_ref(), Some(&failed));
        }
    }

    #[test]
    fn babble_is_an_error() {
        let heard = |octets: &[u8]| Heard::nothing().take(octets);
        assert!(heard(&[STEP, 255, 255, 255, 255]).is_err());
        assert!(heard(&frame(9, b"")).is_err());
        assert!(heard(&frame(STEP, b"dance")).is_err());
        assert!(heard(&frame(OUTCOME, b"\xff")).is_err());
        assert!(heard(&frame(OUTCOME, &map([("report", Value::Null)]).encode())).is_err());
        assert!(heard(&frame(STEP, b"init").repeat(FRAMES_MAX + 1)).is_err());
    }
}
