//! The contract suites of [`crate::notify`]: what every notification originator passes, and every way out.
//!
//! What an originator sends leaves by a mailbox, by timers and by other modules, so the caller stands around
//! it: [`Around`]. No suite can see from outside that `notify` and `send` never wait (sentences 1 and 6).

use super::{Broken, InActivity, within};
use crate::message::MessageHeader;
use crate::notify::{MAX_BINDINGS, Notifier, Statistics, Transport, standard};
use crate::varbind::{VarBinds, VarValue};
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, Buf, CallError};

/// sysUpTime.0 (RFC 3418).
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];

/// snmpTrapOID.0 (RFC 3418).
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// Enough for every repetition: whoever repeats more often never stops.
const MANY: usize = 100;

/// What answers an inform, and from where.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The header of the message.
    pub header: MessageHeader,
    /// The transport domain from which it comes.
    pub domain: Vec<u32>,
    /// The address from which it comes.
    pub address: Vec<u8>,
    /// The Response.
    pub pdu: Vec<u8>,
}

/// A message that left.
#[derive(Debug)]
pub struct Sent {
    /// The bindings of its PDU.
    pub bindings: VarBinds,
    /// What would acknowledge it; none of a trap.
    pub acknowledgement: Option<Answer>,
}

/// What stands around an originator with targets in version 2, of which some are sent traps and some
/// informs, which are repeated at least once.
pub trait Around {
    /// Does what waits, and answers what left.
    fn deliver(&mut self) -> Vec<Sent>;

    /// Lets the time pass in which informs are acknowledged, and answers what left.
    fn time_passes(&mut self) -> Vec<Sent>;

    /// Whether failed authentications are told of from now on.
    fn tell_failures(&mut self, told: bool);
}

/// How the originator is configured.
#[derive(Clone, Copy, Debug)]
pub struct Configured<'a> {
    /// How many targets are sent traps.
    pub traps: usize,
    /// How many are sent informs.
    pub informs: usize,
    /// A variable that every target's filter and view have.
    pub shown: &'a [u32],
    /// Variables that some filter or view of every target lacks.
    pub hidden: &'a [&'a [u32]],
}

/// Checks an originator that has told nobody of anything yet.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(
    notifier: &dyn Notifier,
    configured: &Configured<'_>,
    around: &mut dyn Around,
    in_activity: InActivity<'_>,
) -> Result<(), Broken> {
    let mut checked = Checked { notifier, configured, around, in_activity };
    checked.tells_everybody_once()?;
    checked.keeps_from_whom_it_is_hidden()?;
    checked.is_acknowledged()?;
    checked.refuses_what_has_no_room()?;
    checked.tells_of_failures_where_that_is_enabled()
}

/// What a rehearsal can ask: nothing that comes in answers what was never sent.
///
/// # Errors
/// Sentence 4 is broken.
pub fn harmless(notifier: &dyn Notifier, act: &Activity) -> Result<(), Broken> {
    let header = MessageHeader {
        message_model: crate::varbind::message_model::SNMPV2C,
        security_model: crate::varbind::security_model::SNMPV2C,
        security_level: crate::varbind::SecurityLevel::NoAuthNoPriv,
        pdu_version: crate::varbind::PduVersion::V2,
        class: crate::message::PduClass::Response,
        send_pdu_handle: 0,
    };
    let before = statistics(notifier, act)?;
    for pdu in [&[][..], &[5, 0], &[0xa2, 0x7f], &[0xa2, 11, 2, 1, 0, 2, 1, 0, 2, 1, 0, 0x30, 0]] {
        let domain = crate::notify::UDP_DOMAIN;
        let taken = notifier.answered(act, header, domain, &[192, 0, 2, 255, 0, 0], pdu);
        check(4, taken == Ok(false), || format!("{pdu:?} answers nothing, and {taken:?}"))?;
    }
    check(4, statistics(notifier, act)? == before, || "what answers nothing is counted".to_owned())
}

struct Checked<'a> {
    notifier: &'a dyn Notifier,
    configured: &'a Configured<'a>,
    around: &'a mut dyn Around,
    in_activity: InActivity<'a>,
}

impl Checked<'_> {
    fn statistics(&mut self) -> Result<Statistics, Broken> {
        within(self.in_activity, |act| statistics(self.notifier, act))
    }

    fn told(&mut self, id: &[u32], bindings: &VarBinds) -> Result<Result<(), CallError>, Broken> {
        within(self.in_activity, |act| Ok(self.notifier.notify(act, id, b"", bindings)))
    }

    /// Has everybody told of a variable, and answers what left.
    fn tell(&mut self, sentence: u32, id: &[u32], name: &[u32]) -> Result<Vec<Sent>, Broken> {
        let before = self.statistics()?;
        let answer = self.told(id, &of(&[name])?)?;
        check(1, answer.is_ok(), || format!("a notification is answered with {answer:?}"))?;
        let sent = self.around.deliver();
        let after = self.statistics()?;
        let counted = after.sent.wrapping_sub(before.sent) as usize;
        check(sentence, counted == sent.len(), || {
            format!("{} messages left, and {counted} are counted", sent.len())
        })?;
        check(1, after.accepted == before.accepted.wrapping_add(1), || {
            "a notification that was taken over is not counted".to_owned()
        })?;
        Ok(sent)
    }

    /// Lets informs wait until they are given up, and answers how many messages left.
    fn give_up(&mut self) -> Result<usize, Broken> {
        let mut repeated = 0;
        for _ in 0..MANY {
            repeated += self.around.time_passes().len();
            if self.statistics()?.waiting == 0 {
                return Ok(repeated);
            }
        }
        Err(broken(2, format!("{repeated} repetitions, and no end")))
    }

    /// Sentences 2 and 3.
    fn tells_everybody_once(&mut self) -> Result<(), Broken> {
        let Configured { traps, informs, shown, .. } = *self.configured;
        let before = self.statistics()?;
        let sent = self.tell(2, standard::LINK_DOWN, shown)?;
        let is_inform = |sent: &&Sent| sent.acknowledgement.is_some();
        let told = (sent.len(), sent.iter().filter(is_inform).count());
        check(2, told == (traps + informs, informs), || {
            format!("{told:?} messages and informs to {traps} targets and {informs}")
        })?;
        let expected = of(&[shown])?;
        for Sent { bindings, .. } in &sent {
            let mut found = bindings.iter();
            let (first, second) = (found.next(), found.next());
            let is_added = first.is_some_and(|first| {
                first.name == SYS_UP_TIME && matches!(first.value, VarValue::TimeTicks(_))
            }) && second.is_some_and(|second| {
                second.name == SNMP_TRAP_OID && second.value == VarValue::Oid(standard::LINK_DOWN)
            });
            check(3, is_added && found.eq(expected.iter()), || {
                format!("the bindings of a message are {bindings:?}")
            })?;
        }
        let waiting = self.statistics()?.waiting as usize;
        check(2, waiting == informs, || format!("{waiting} of {informs} informs wait"))?;
        let more = self.around.deliver().len();
        check(2, more == 0, || format!("{more} messages more about one notification"))?;
        let repeated = self.give_up()?;
        check(2, repeated >= informs, || format!("{informs} informs, {repeated} repetitions"))?;
        let given_up = self.statistics()?.given_up.wrapping_sub(before.given_up) as usize;
        check(2, given_up == informs, || format!("{given_up} of {informs} informs are given up"))
    }

    /// Sentence 2: steps 1 to 3 of RFC 3413 §3.3.
    fn keeps_from_whom_it_is_hidden(&mut self) -> Result<(), Broken> {
        let targets = self.configured.traps + self.configured.informs;
        for hidden in self.configured.hidden {
            let before = self.statistics()?;
            let sent = self.tell(2, standard::LINK_DOWN, hidden)?;
            check(2, sent.is_empty(), || format!("{} targets are told of {hidden:?}", sent.len()))?;
            let withheld = self.statistics()?.withheld.wrapping_sub(before.withheld) as usize;
            check(2, withheld == targets, || {
                format!("{withheld} of {targets} targets are counted, who are not told")
            })?;
        }
        Ok(())
    }

    /// Sentence 4.
    fn is_acknowledged(&mut self) -> Result<(), Broken> {
        within(self.in_activity, |act| harmless(self.notifier, act))?;
        let sent = self.tell(4, standard::LINK_UP, self.configured.shown)?;
        let before = self.statistics()?;
        let answers: Vec<_> = sent.into_iter().filter_map(|sent| sent.acknowledgement).collect();
        for answer in &answers {
            let mut elsewhere = answer.clone();
            elsewhere.address.iter_mut().take(4).for_each(|octet| *octet ^= 0xff);
            let nonsense = Answer { pdu: vec![0xa2, 0], ..answer.clone() };
            let others = [(&elsewhere, false), (&nonsense, false), (answer, true), (answer, false)];
            for (answer, expected) in others {
                let counted = self.statistics()?;
                let taken = self.answered(answer)?;
                check(4, taken == expected, || format!("{answer:?} is answered with {taken}"))?;
                let is_moved = self.statistics()? != counted;
                check(4, is_moved == expected, || {
                    format!("{answer:?} is answered with {taken}; counters have moved: {is_moved}")
                })?;
            }
        }
        let after = self.statistics()?;
        let acknowledged = after.acknowledged.wrapping_sub(before.acknowledged) as usize;
        check(4, (acknowledged, after.waiting) == (answers.len(), 0), || {
            format!("of {} informs {acknowledged} are acknowledged: {after:?}", answers.len())
        })?;
        let more = self.around.time_passes().len();
        check(2, more == 0, || format!("{more} informs are repeated that were acknowledged"))
    }

    fn answered(&mut self, answer: &Answer) -> Result<bool, Broken> {
        let Answer { header, domain, address, pdu } = answer;
        within(self.in_activity, |act| {
            let taken = self.notifier.answered(act, *header, domain, address, pdu);
            taken.map_err(|error| broken(4, format!("`answered` answers `{error}`")))
        })
    }

    /// Sentence 1.
    fn refuses_what_has_no_room(&mut self) -> Result<(), Broken> {
        let before = self.statistics()?;
        let many = of(&vec![self.configured.shown; MAX_BINDINGS + 1])?;
        let answer = self.told(standard::LINK_DOWN, &many)?;
        check(1, answer.is_err_and(|error| error.kind == CallErrorKind::Full), || {
            format!("{} bindings are answered with {answer:?}", many.len())
        })?;
        let sent = self.around.deliver().len();
        let expected = Statistics { dropped: before.dropped.wrapping_add(1), ..before };
        let after = self.statistics()?;
        check(1, sent == 0 && after == expected, || {
            format!("of what was refused {sent} messages left: {after:?} after {before:?}")
        })
    }

    /// Sentence 5.
    fn tells_of_failures_where_that_is_enabled(&mut self) -> Result<(), Broken> {
        let Configured { traps, informs, shown, .. } = *self.configured;
        for (told, expected) in [(false, 0), (true, traps + informs), (false, 0)] {
            self.around.tell_failures(told);
            let sent = self.tell(5, standard::AUTHENTICATION_FAILURE, shown)?.len();
            check(5, sent == expected, || {
                format!("{sent} messages about a failure; they are enabled: {told}")
            })?;
            self.give_up()?;
        }
        Ok(())
    }
}

/// Where a way out leads.
#[derive(Clone, Copy, Debug)]
pub struct Reachable<'a> {
    /// A transport domain that is known.
    pub domain: &'a [u32],
    /// An address in it where the caller listens.
    pub address: &'a [u8],
}

/// Checks a way out. `received` answers the messages that have come since it was asked last, and waits for
/// them where they take time.
///
/// # Errors
/// The first sentence that is broken.
pub fn transport_suite(
    transport: &dyn Transport,
    act: &Activity,
    to: Reachable<'_>,
    received: &mut dyn FnMut() -> Vec<Vec<u8>>,
) -> Result<(), Broken> {
    let Reachable { domain, address } = to;
    let send = |domain: &[u32], address: &[u8], message: &[u8]| {
        let sent = transport.send(act, domain, address, message);
        sent.map_err(|error| broken(6, format!("`send` answers `{error}`")))
    };
    let source = |domain: &[u32], address: &[u8]| {
        let mut source = Buf::from(b"before".to_vec());
        let found = transport.source_of(act, domain, address, &mut source);
        found.map_err(|error| broken(7, format!("`source_of` answers `{error}`")))?;
        let appended = source.strip_prefix(b"before").map(<[u8]>::to_vec);
        let overwritten = || broken(7, "an output was overwritten, not appended to".to_owned());
        appended.ok_or_else(overwritten)
    };
    for message in [&b"one"[..], &[7; 484]] {
        check(6, send(domain, address, message)?, || "a message cannot be sent".to_owned())?;
        let came = received();
        check(6, came == [message], || format!("{} octets came as {came:?}", message.len()))?;
    }
    let found = source(domain, address)?;
    check(7, matches!(found.len(), 4 | 16), || format!("{found:?} is no IP address"))?;
    let shorter = address.get(1..).unwrap_or_default();
    for (domain, address) in
        [(&[1, 3, 6, 1, 6, 1, 999][..], address), (domain, shorter), (&[], &[])]
    {
        check(6, !send(domain, address, b"nowhere")?, || {
            format!("a message is sent to {address:?} in {domain:?}")
        })?;
        let found = source(domain, address)?;
        check(7, found.is_empty(), || format!("{found:?} leads to {address:?} in {domain:?}"))?;
    }
    let came = received();
    check(6, came.is_empty(), || format!("{came:?} came that could not be sent"))
}

fn statistics(notifier: &dyn Notifier, act: &Activity) -> Result<Statistics, Broken> {
    let answer = notifier.statistics(act);
    answer.map_err(|error| broken(1, format!("`statistics` answers `{error}`")))
}

/// Bindings with these names, numbered.
fn of(names: &[&[u32]]) -> Result<VarBinds, Broken> {
    let mut binds = VarBinds::new();
    for (number, name) in (1..).zip(names) {
        let pushed = binds.push(name, VarValue::Integer(number));
        pushed.map_err(|_| broken(0, "the suite has no memory".to_owned()))?;
    }
    Ok(binds)
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "notify", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}
