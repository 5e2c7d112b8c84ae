//! The answer: a PDU, made as large as its receiver takes and no larger (RFC 3416 §4.2, RFC 3584 §4.4).

use crate::counters::Outcome;
use crate::scratch::Scratch;
use roles::varbind::{ErrorStatus, PduVersion, VarBind, VarBinds};
use roles::wire::to_wire;
use s_wire::ber::Full;
use s_wire::{Arcs, Bindings, Encode, Pdu, PduKind, VarBindList};

/// What an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// The answers.
    Answers,
    /// An error at a binding, counted from 1; 0 for none. The bindings go back as they came.
    Error(ErrorStatus, u32),
}

/// The octets that a binding takes in a message; `None` when a message cannot carry it.
pub fn wire_len(binding: VarBind<'_>) -> Option<usize> {
    to_wire(binding).map(|binding| binding.encoded_len())
}

/// RFC 3584 §4.4: what SNMPv1 says for an error of SNMPv2.
pub const fn to_v1(status: ErrorStatus) -> ErrorStatus {
    match status {
        ErrorStatus::NoError => ErrorStatus::NoError,
        ErrorStatus::TooBig => ErrorStatus::TooBig,
        ErrorStatus::WrongValue
        | ErrorStatus::WrongEncoding
        | ErrorStatus::WrongType
        | ErrorStatus::WrongLength
        | ErrorStatus::InconsistentValue
        | ErrorStatus::BadValue => ErrorStatus::BadValue,
        ErrorStatus::NoAccess
        | ErrorStatus::NotWritable
        | ErrorStatus::NoCreation
        | ErrorStatus::InconsistentName
        | ErrorStatus::AuthorizationError
        | ErrorStatus::NoSuchName => ErrorStatus::NoSuchName,
        ErrorStatus::ResourceUnavailable
        | ErrorStatus::CommitFailed
        | ErrorStatus::UndoFailed
        | ErrorStatus::GenErr => ErrorStatus::GenErr,
        ErrorStatus::ReadOnly => ErrorStatus::ReadOnly,
    }
}

/// Writes a Response with the answers of the scratch into its elements.
///
/// # Errors
/// A binding cannot be carried, or the buffer is too small.
pub fn write_answers(scratch: &mut Scratch, request_id: i32) -> std::result::Result<(), Full> {
    scratch.outcome = Outcome::Answered;
    let Scratch { answers, pdu, elements, .. } = scratch;
    let response = Pdu {
        kind: PduKind::Response,
        request_id,
        error_status: 0,
        error_index: 0,
        bindings: Bindings(in_order(answers)),
    };
    let written = response.encode_into(pdu)?;
    elements.pdu.clear();
    elements.pdu.append(written).map_err(|_| Full)
}

/// The bindings as the wire wants them. Every one was looked at with [`wire_len`] before.
fn in_order(
    binds: &VarBinds,
) -> impl Clone + DoubleEndedIterator<Item = s_wire::VarBind<'_, Arcs<'_>>> {
    (0..binds.len()).filter_map(|at| binds.get(at).and_then(to_wire))
}

/// Writes a Response with an error, and the bindings that came or none.
///
/// # Errors
/// The buffer is too small.
pub fn write_error(
    scratch: &mut Scratch,
    request_id: i32,
    version: PduVersion,
    (status, index): (ErrorStatus, u32),
    bindings: VarBindList<'_>,
) -> std::result::Result<(), Full> {
    let status = if version == PduVersion::V1 { to_v1(status) } else { status };
    scratch.outcome =
        if status == ErrorStatus::NoError { Outcome::Answered } else { Outcome::Error };
    let response = Pdu {
        kind: PduKind::Response,
        request_id,
        error_status: (status as u32).cast_signed(),
        error_index: index.cast_signed(),
        bindings,
    };
    let written = response.encode_into(&mut scratch.pdu)?;
    scratch.elements.pdu.clear();
    scratch.elements.pdu.append(written).map_err(|_| Full)
}

/// Writes a Report with one counter (RFC 3416 §4.2.8).
///
/// # Errors
/// The buffer is too small.
pub fn write_report(
    scratch: &mut Scratch,
    request_id: i32,
    instance: &[u32],
    value: u32,
) -> std::result::Result<(), Full> {
    scratch.outcome = Outcome::Report;
    let name = Arcs::new(instance).ok_or(Full)?;
    let counter = [s_wire::VarBind { name, value: s_wire::Value::Counter32(value) }];
    let report = Pdu {
        kind: PduKind::Report,
        request_id,
        error_status: 0,
        error_index: 0,
        bindings: Bindings(counter.iter().copied()),
    };
    let written = report.encode_into(&mut scratch.pdu)?;
    scratch.elements.pdu.clear();
    scratch.elements.pdu.append(written).map_err(|_| Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_knows_only_its_own_errors() {
        for number in 0..=18 {
            let all = [
                ErrorStatus::NoError,
                ErrorStatus::TooBig,
                ErrorStatus::NoSuchName,
                ErrorStatus::BadValue,
                ErrorStatus::ReadOnly,
                ErrorStatus::GenErr,
                ErrorStatus::NoAccess,
                ErrorStatus::WrongType,
                ErrorStatus::WrongLength,
                ErrorStatus::WrongEncoding,
                ErrorStatus::WrongValue,
                ErrorStatus::NoCreation,
                ErrorStatus::InconsistentValue,
                ErrorStatus::ResourceUnavailable,
                ErrorStatus::CommitFailed,
                ErrorStatus::UndoFailed,
                ErrorStatus::AuthorizationError,
                ErrorStatus::NotWritable,
                ErrorStatus::InconsistentName,
            ];
            assert_eq!(all[number] as usize, number);
            assert!(to_v1(all[number]) as u32 <= 5, "{}", all[number]);
        }
    }
}
