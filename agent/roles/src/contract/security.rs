//! The contract suite of [`crate::security`]: what every security model passes that makes whole messages.
//!
//! The caller has a principal of the model's own engine, and finds in a message what the message processing
//! model would find. Which messages a model refuses, and with which counter, the module's own tests say. No
//! suite can see from outside what else a message moves (sentence 1), nor whose keys an answer is made with
//! when the user has changed meanwhile (4): here the model itself proves its answers.

use super::{Broken, InActivity, within};
use crate::security::{
    Accepted, MessageParts, SecurityData, SecurityError, SecurityErrorKind, SecurityHeader,
    SecurityModel, SecurityStateReference,
};
use crate::varbind::{SecurityLevel, Span};
use s_sdk::{Activity, Buf};

/// The octets of a cipher's block: no decrypted scopedPDU is padded with more (RFC 3414 §8.1.1.2).
const MAX_BLOCK: usize = 16;

const LEVELS: [SecurityLevel; 3] =
    [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv];

/// A message that the model refuses, and how.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// What the message processing model took from its header.
    pub header: SecurityHeader,
    /// The message.
    pub message: &'a [u8],
    /// The reason.
    pub kind: SecurityErrorKind,
    /// Whether a Report may be sent.
    pub is_reported: bool,
}

/// Who speaks, and what.
pub struct Conversation<'a> {
    /// At the highest level that the principal has; large enough for the message.
    pub header: SecurityHeader,
    /// What the model writes before its parameters at a level.
    pub global_data: &'a dyn Fn(SecurityLevel) -> Vec<u8>,
    /// The model's own engine, the principal, and a scopedPDU of 16 octets or more.
    pub data: &'a SecurityData,
    /// Where in a message the model's parts are; none where the octets are no message.
    pub parts: &'a dyn Fn(&[u8]) -> Option<MessageParts>,
    /// Messages that are refused.
    pub refused: &'a [Refused<'a>],
    /// A reference of an activity that has ended.
    pub ended: SecurityStateReference,
}

/// Checks a module, or whatever a proxy stands for, against the contract.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(
    model: &dyn SecurityModel,
    conversation: &Conversation<'_>,
    in_activity: InActivity<'_>,
) -> Result<(), Broken> {
    within(in_activity, |act| harmless(model, act))?;
    let checks: [Check; 3] =
        [|it| it.goes_round(), |it| it.refuses_references(), |it| it.keeps_to_sizes()];
    for check in checks {
        within(in_activity, |act| check(&Checked { model, act, conversation }))?;
    }
    for level in LEVELS {
        within(in_activity, |act| Checked { model, act, conversation }.answers_at(level))?;
    }
    let make = |act: &Activity| Checked { model, act, conversation }.requested(6);
    let message = within(in_activity, make)?;
    // Without authentication nothing but the form of a message can be wrong.
    let is_proven = conversation.header.security_level != SecurityLevel::NoAuthNoPriv;
    for at in (0..message.len()).filter(|_| is_proven) {
        for bit in [0x01, 0x80] {
            let mut altered = message.clone();
            altered[at] ^= bit;
            within(in_activity, |act| {
                Checked { model, act, conversation }.refuses_altered(&altered, at)
            })?;
        }
    }
    for refused in conversation.refused {
        within(in_activity, |act| Checked { model, act, conversation }.reports(refused))?;
    }
    Ok(())
}

/// What a rehearsal can ask, without users and without an engine: references of nothing, and messages that
/// have no parts.
///
/// # Errors
/// The first sentence that is broken.
pub fn harmless(model: &dyn SecurityModel, act: &Activity) -> Result<(), Broken> {
    let header = SecurityHeader {
        message_model: crate::varbind::message_model::SNMPV3,
        security_model: crate::varbind::security_model::USM,
        security_level: SecurityLevel::NoAuthNoPriv,
        max_message_size: 1472,
    };
    let (empty, mut out) = (SecurityData::default(), Buf::new());
    let other = act.keep(0x5eed_u64).map_err(|error| broken(5, error.to_string()))?;
    for state in [SecurityStateReference::none(), other.of()] {
        let answer = model.generate_response(act, header, &[], &empty, state, &mut out);
        refused(5, SecurityErrorKind::StaleReference, "a response to nothing", answer)?;
    }
    let whole = Span::new(0, 4);
    for (security_parameters, data) in
        [(whole, whole), (Span::new(0, 0), whole), (Span::new(u32::MAX, 1), whole)]
    {
        let parts = MessageParts { security_parameters, data };
        let mut data = SecurityData::default();
        let answer = model.process_incoming(act, header, parts, &[5, 0, 5, 0], &mut data);
        refused(3, SecurityErrorKind::ParseError, "what is no message", answer)?;
    }
    Ok(())
}

type Check = fn(&Checked<'_>) -> Result<(), Broken>;

/// Makes a message, with something before it.
type Make<'a> = dyn Fn(SecurityHeader) -> Result<Vec<u8>, SecurityError> + 'a;

struct Checked<'a> {
    model: &'a dyn SecurityModel,
    act: &'a Activity,
    conversation: &'a Conversation<'a>,
}

impl Checked<'_> {
    fn request(&self, header: SecurityHeader) -> Result<Vec<u8>, SecurityError> {
        let Conversation { global_data, data, .. } = self.conversation;
        let global_data = global_data(header.security_level);
        let mut message = Buf::from(b"before".to_vec());
        self.model.generate_request(self.act, header, &global_data, data, &mut message)?;
        Ok(message.to_vec())
    }

    /// A request at the principal's level.
    fn requested(&self, sentence: u32) -> Result<Vec<u8>, Broken> {
        let made = self.request(self.conversation.header);
        appended(sentence, made.map_err(|error| failed(sentence, "a request", error))?)
    }

    fn answer(
        &self,
        header: SecurityHeader,
        state: SecurityStateReference,
    ) -> Result<Vec<u8>, SecurityError> {
        let Conversation { global_data, data, .. } = self.conversation;
        let global_data = global_data(header.security_level);
        let mut message = Buf::from(b"before".to_vec());
        let Checked { model, act, .. } = self;
        model.generate_response(act, header, &global_data, data, state, &mut message)?;
        Ok(message.to_vec())
    }

    fn taken(
        &self,
        header: SecurityHeader,
        message: &[u8],
        data: &mut SecurityData,
    ) -> Result<Accepted, SecurityError> {
        let parts = (self.conversation.parts)(message);
        let parts = parts.ok_or(SecurityErrorKind::ParseError)?;
        self.model.process_incoming(self.act, header, parts, message, data)
    }

    /// What a message says, which has to be what was said.
    fn accepted(
        &self,
        sentence: u32,
        header: SecurityHeader,
        message: &[u8],
    ) -> Result<Accepted, Broken> {
        let said = self.conversation.data;
        let mut data = SecurityData::default();
        for output in [&mut data.engine_id, &mut data.security_name, &mut data.scoped_pdu] {
            *output = Buf::from(b"before".to_vec());
        }
        let accepted = self.taken(header, message, &mut data);
        let accepted = accepted.map_err(|error| failed(sentence, "what was made", error))?;
        let [engine_id, name, scoped_pdu] =
            [&data.engine_id, &data.security_name, &data.scoped_pdu].map(|o| o.to_vec());
        let [engine_id, name, scoped_pdu] =
            [appended(1, engine_id)?, appended(1, name)?, appended(1, scoped_pdu)?];
        let padding = if header.security_level == SecurityLevel::AuthPriv { MAX_BLOCK } else { 1 };
        let is_said = *engine_id == *said.engine_id
            && *name == *said.security_name
            && scoped_pdu.starts_with(&said.scoped_pdu)
            && scoped_pdu.len() < said.scoped_pdu.len() + padding;
        check(sentence, is_said, || {
            format!("{engine_id:?}, {name:?}, {scoped_pdu:?} instead of {said:?}")
        })?;
        Ok(accepted)
    }

    /// Sentences 1 and 6: what the model made it accepts, as often as it comes.
    fn goes_round(&self) -> Result<(), Broken> {
        let (header, message) = (self.conversation.header, self.requested(6)?);
        self.hides(6, header.security_level, &message)?;
        self.accepted(6, header, &message)?;
        let again = self.accepted(1, header, &message)?;
        check(2, again.state.is_some(), || "a request has no reference".to_owned())?;
        check(1, again.max_response_size > 0, || "a request allows no response".to_owned())
    }

    /// A scopedPDU is in a message as it is, if and only if it is not encrypted.
    fn hides(&self, sentence: u32, level: SecurityLevel, message: &[u8]) -> Result<(), Broken> {
        let plain = &self.conversation.data.scoped_pdu[..];
        let is_hidden = !message.windows(plain.len()).any(|octets| octets == plain);
        check(sentence, is_hidden == (level == SecurityLevel::AuthPriv), || {
            format!("a message at {level:?} whose scopedPDU is hidden: {is_hidden}")
        })
    }

    /// Sentences 2 and 4.
    fn answers_at(&self, level: SecurityLevel) -> Result<(), Broken> {
        let asked = self.conversation.header;
        let request = self.requested(2)?;
        let Accepted { state, .. } = self.accepted(2, asked, &request)?;
        let header = SecurityHeader { security_level: level, ..asked };
        for is_second in [false, true] {
            let answer = match self.answer(header, state) {
                // A principal without keys has no answer that takes them.
                Err(_) if level > asked.security_level => continue,
                answer => answer.map_err(|error| failed(2, "a response", error))?,
            };
            let message = appended(4, answer)?;
            self.hides(4, level, &message)?;
            check(4, level <= asked.security_level, || {
                format!("a request at {:?} is answered at {level:?}", asked.security_level)
            })?;
            if !is_second {
                // An activity keeps only so much.
                continue;
            }
            // The model is its own judge: it proves a message at its own level and at no higher one.
            self.accepted(4, header, &message)?;
            if level == SecurityLevel::NoAuthNoPriv {
                let above = SecurityHeader { security_level: SecurityLevel::AuthNoPriv, ..header };
                let proven = self.taken(above, &message, &mut SecurityData::default());
                check(4, proven.is_err(), || "a response without a code is proven".to_owned())?;
            }
        }
        Ok(())
    }

    /// Sentence 5, with references of nothing, of an ended activity, and of something else.
    fn refuses_references(&self) -> Result<(), Broken> {
        let other = self.act.keep(0x5eed_u64).map_err(|error| broken(5, error.to_string()))?;
        for (what, state) in [
            ("a response to nothing", SecurityStateReference::none()),
            ("a response in another activity", self.conversation.ended),
            ("a response to something else", other.of()),
        ] {
            let answer = self.answer(self.conversation.header, state);
            refused(5, SecurityErrorKind::StaleReference, what, answer)?;
        }
        Ok(())
    }

    /// Sentence 6, and for lengths that no longer fit the message processing model's part of it.
    fn refuses_altered(&self, altered: &[u8], at: usize) -> Result<(), Broken> {
        let answer = self.taken(self.conversation.header, altered, &mut SecurityData::default());
        check(6, answer.is_err(), || format!("a message is altered at {at}, and accepted"))
    }

    /// Sentence 7: the size in the detail is the size that the message has where there is room for it.
    fn keeps_to_sizes(&self) -> Result<(), Broken> {
        let asked = self.conversation.header;
        let Accepted { state, .. } = self.accepted(7, asked, &self.requested(7)?)?;
        let make: [(&str, &Make<'_>); 2] = [
            ("a request", &|header| self.request(header)),
            ("a response", &|header| self.answer(header, state)),
        ];
        for (what, make) in make {
            let made = make(asked).map_err(|error| failed(7, what, error))?;
            let size = u32::try_from(appended(7, made)?.len()).unwrap_or(u32::MAX);
            let at_most = |max_message_size| make(SecurityHeader { max_message_size, ..asked });
            let too_big = at_most(size - 1);
            check(7, too_big.as_ref().is_err_and(|error| error.detail == size), || {
                format!("{what} of {size} octets, one too many, is answered with {too_big:?}")
            })?;
            refused(7, SecurityErrorKind::TooBig, what, too_big)?;
            let fits = at_most(size);
            check(7, fits.is_ok(), || format!("{what} that just fits is answered with {fits:?}"))?;
        }
        Ok(())
    }

    /// Sentence 3.
    fn reports(&self, expected: &Refused<'_>) -> Result<(), Broken> {
        let Refused { header, message, kind, is_reported } = *expected;
        let answer = self.taken(header, message, &mut SecurityData::default());
        refused(3, kind, "a message", answer)?;
        let state = answer.map_or_else(|error| error.state, |_| SecurityStateReference::none());
        check(3, state.is_some() == is_reported, || {
            format!("`{kind}` has a reference: {}", state.is_some())
        })?;
        if !is_reported {
            return Ok(());
        }
        let level = kind.report_level();
        let reported = self.answer(SecurityHeader { security_level: level, ..header }, state);
        let reported = reported.map_err(|error| failed(3, "a Report", error))?;
        self.hides(3, level, &appended(3, reported)?)
    }
}

/// What stands behind what was there, which the first rule of all roles keeps.
fn appended(sentence: u32, output: Vec<u8>) -> Result<Vec<u8>, Broken> {
    let appended = output.strip_prefix(b"before").map(<[u8]>::to_vec);
    let overwritten = || broken(sentence, "an output was overwritten, not appended to".to_owned());
    appended.ok_or_else(overwritten)
}

fn failed(sentence: u32, what: &str, error: SecurityError) -> Broken {
    broken(sentence, format!("{what} is refused: `{error}`"))
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "security", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}

fn refused<T: std::fmt::Debug>(
    sentence: u32,
    kind: SecurityErrorKind,
    what: &str,
    answer: Result<T, SecurityError>,
) -> Result<(), Broken> {
    check(sentence, answer.as_ref().is_err_and(|error| error.kind == kind), || {
        format!("{what} is answered with {answer:?} instead of `{kind}`")
    })
}
