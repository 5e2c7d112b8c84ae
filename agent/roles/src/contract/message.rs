//! The contract suite of [`crate::message`]: what every message processing model passes.
//!
//! The caller has a request that the model's security accepts; what the suite cannot know is in
//! [`Peer`]. Which messages a version refuses, and with which counter, the module's own tests say.

use super::{Broken, InActivity};
use crate::message::{
    DataElements, Incoming, MessageError, MessageErrorKind, MessageHeader, MessageProcessing,
    PduClass, StateReference,
};
use s_sdk::{Activity, Buf};

/// Who asks the model, and what.
#[derive(Debug)]
pub struct Peer<'a> {
    /// The transport domain of the peer.
    pub domain: &'a [u32],
    /// Its address.
    pub address: &'a [u8],
    /// A message with a Get that the model accepts, as often as it is given to it.
    pub request: &'a [u8],
    /// What the request's elements are.
    pub elements: &'a DataElements,
    /// A Response to that Get in BER, which fits.
    pub response: &'a [u8],
    /// A message to the peer that the model itself would accept; none where both ends cannot be one.
    pub outgoing: Option<(MessageHeader, &'a DataElements)>,
    /// A reference of an activity that has ended.
    pub ended: StateReference,
}

/// Checks a module, or whatever a proxy stands for, against the contract.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(
    message: &dyn MessageProcessing,
    peer: &Peer<'_>,
    in_activity: InActivity<'_>,
) -> Result<(), Broken> {
    let checks: [Check; 5] = [
        |checked| checked.takes_apart(),
        |checked| checked.answers_the_request(),
        |checked| checked.refuses_references(),
        |checked| checked.refuses_what_is_too_big(),
        |checked| checked.goes_round(),
    ];
    for check in checks {
        in_activity(&mut |act| check(&Checked { message, act, peer }))?;
    }
    let whole = peer.request;
    for end in (0..whole.len()).chain([whole.len() + 1]) {
        let mut cut = whole.to_vec();
        cut.resize(end, 0);
        in_activity(&mut |act| Checked { message, act, peer }.refuses_other_lengths(&cut))?;
    }
    Ok(())
}

type Check = fn(&Checked<'_>) -> Result<(), Broken>;

struct Checked<'a> {
    message: &'a dyn MessageProcessing,
    act: &'a Activity,
    peer: &'a Peer<'a>,
}

impl Checked<'_> {
    fn taken(&self, message: &[u8], elements: &mut DataElements) -> Result<Incoming, MessageError> {
        let Peer { domain, address, .. } = self.peer;
        self.message.prepare_data_elements(self.act, domain, address, message, elements)
    }

    fn accepted(&self, sentence: u32, message: &[u8]) -> Result<(Incoming, DataElements), Broken> {
        let mut elements = DataElements::default();
        let incoming = self.taken(message, &mut elements);
        let incoming = incoming.map_err(|error| {
            broken(sentence, format!("a message that fits is refused: `{error}`"))
        })?;
        Ok((incoming, elements))
    }

    /// Sentences 1 and 2, and the first rule of all roles.
    fn takes_apart(&self) -> Result<(), Broken> {
        let (incoming, elements) = self.accepted(1, self.peer.request)?;
        same(1, &elements, self.peer.elements)?;
        let header = incoming.header;
        check(2, header.class == PduClass::Confirmed, || format!("a Get is {:?}", header.class))?;
        check(2, incoming.state.is_some(), || "a request has no reference".to_owned())?;

        let mut elements = DataElements::default();
        for buf in [&mut elements.security_name, &mut elements.context_name, &mut elements.pdu] {
            *buf = Buf::from(b"before".to_vec());
        }
        let again = self.taken(self.peer.request, &mut elements);
        check(1, again.is_ok(), || "the same message is refused the second time".to_owned())?;
        let appended = [&elements.security_name, &elements.context_name, &elements.pdu];
        check(1, appended.iter().all(|buf| buf.starts_with(b"before")), || {
            "an output was overwritten, not appended to".to_owned()
        })
    }

    /// Sentence 1: all other lengths than the right one.
    fn refuses_other_lengths(&self, message: &[u8]) -> Result<(), Broken> {
        let answer = self.taken(message, &mut DataElements::default());
        let what = format!("{} of {} octets", message.len(), self.peer.request.len());
        refused(1, MessageErrorKind::ParseError, &what, answer)
    }

    fn responded(&self, incoming: Incoming, response: &[u8]) -> Result<Buf, MessageError> {
        let header = MessageHeader { class: PduClass::Response, ..incoming.header };
        let elements = &mut DataElements::default();
        let Peer {
            elements: DataElements { security_name, context_engine_id, context_name, .. },
            ..
        } = self.peer;
        elements.security_name.append(security_name)?;
        elements.context_engine_id.append(context_engine_id)?;
        elements.context_name.append(context_name)?;
        elements.pdu.append(response)?;
        let mut message = Buf::from(b"before".to_vec());
        self.message.prepare_response_message(
            self.act,
            header,
            elements,
            incoming.state,
            &mut message,
        )?;
        Ok(message)
    }

    /// Sentence 4: under a reference, any number of times; and it appends.
    fn answers_the_request(&self) -> Result<(), Broken> {
        let (incoming, _) = self.accepted(4, self.peer.request)?;
        for _ in 0..2 {
            let answer = self.responded(incoming, self.peer.response);
            let message =
                answer.map_err(|error| broken(4, format!("a response is refused: `{error}`")))?;
            let appended = message
                .strip_prefix(b"before")
                .is_some_and(|made| made.len() > self.peer.response.len());
            check(4, appended, || "the response is not appended".to_owned())?;
        }
        Ok(())
    }

    /// Sentence 4, with references of nothing, of an ended activity, and of something else.
    fn refuses_references(&self) -> Result<(), Broken> {
        let (incoming, _) = self.accepted(4, self.peer.request)?;
        let other = self.act.keep(0x5eed_u64).map_err(|error| broken(4, error.to_string()))?;
        for (what, state) in [
            ("a response to nothing", StateReference::none()),
            ("a response in another activity", self.peer.ended),
            ("a response to something else", other.of()),
        ] {
            let answer = self.responded(Incoming { state, ..incoming }, self.peer.response);
            refused(4, MessageErrorKind::StaleReference, what, answer)?;
        }
        Ok(())
    }

    /// Sentence 5: a PDU too large by itself is `TooBig`, and the size in the detail is one that is.
    fn refuses_what_is_too_big(&self) -> Result<(), Broken> {
        let (incoming, _) = self.accepted(5, self.peer.request)?;
        let limit = incoming.max_response_size as usize;
        check(5, limit >= self.peer.response.len(), || {
            format!("a response of {limit} octets at most is none")
        })?;
        let answer = self.responded(incoming, &padded(self.peer.response, limit + 1));
        check(5, answer.as_ref().is_err_and(|error| error.detail as usize > limit), || {
            format!("a response larger than {limit} octets is answered with {answer:?}")
        })?;
        refused(5, MessageErrorKind::TooBig, "a response that does not fit", answer)
    }

    /// Sentence 6.
    fn goes_round(&self) -> Result<(), Broken> {
        let Some((header, elements)) = self.peer.outgoing else { return Ok(()) };
        let Peer { domain, address, .. } = self.peer;
        let mut message = Buf::new();
        self.message
            .prepare_outgoing_message(self.act, domain, address, header, elements, &mut message)
            .map_err(|error| broken(6, format!("a message is refused: `{error}`")))?;
        let (incoming, taken) = self.accepted(6, &message)?;
        same(6, &taken, elements)?;
        // The receiver of a request is handed no number under which it would be awaited.
        let expected = MessageHeader { send_pdu_handle: incoming.header.send_pdu_handle, ..header };
        check(6, incoming.header == expected, || {
            format!("{header:?} came as {:?}", incoming.header)
        })
    }
}

/// A PDU with an element behind its bindings that makes it so long; models do not look so far.
fn padded(pdu: &[u8], len: usize) -> Vec<u8> {
    // Contents of a PDU behind tag and length: lengths below 128 have one octet, longer ones say how many.
    let header = match pdu.get(1) {
        Some(long @ 0x81..) => 2 + usize::from(long & 0x7f),
        _ => 2,
    };
    let contents = pdu.get(header..).unwrap_or_default();
    let room = u32::try_from(len.saturating_sub(6)).unwrap_or(u32::MAX);
    let mut padded = vec![pdu.first().copied().unwrap_or_default(), 0x84];
    padded.extend(room.to_be_bytes());
    padded.extend(contents);
    padded.resize(len, 0);
    padded
}

fn same(sentence: u32, found: &DataElements, expected: &DataElements) -> Result<(), Broken> {
    let parts = |elements: &DataElements| {
        let DataElements { security_name, context_engine_id, context_name, pdu } = elements;
        [security_name, context_engine_id, context_name, pdu].map(|buf| buf.to_vec())
    };
    check(sentence, parts(found) == parts(expected), || {
        format!("the elements are {found:?} instead of {expected:?}")
    })
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "message", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}

fn refused<T: std::fmt::Debug>(
    sentence: u32,
    kind: MessageErrorKind,
    what: &str,
    answer: Result<T, MessageError>,
) -> Result<(), Broken> {
    check(sentence, answer.as_ref().is_err_and(|error| error.kind == kind), || {
        format!("{what} is answered with {answer:?} instead of `{kind}`")
    })
}
