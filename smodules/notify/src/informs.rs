//! Informs that wait for an acknowledgement (RFC 3413 §3.3 step 6).
//!
//! Time is an argument. Invariant: a request-id belongs to one inform at a time and is never 0, so that
//! whatever answers finds the one that it answers, over all repetitions.

use crate::select::Target;
use roles::varbind::SecurityLevel;
use s_sdk::value::Field;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many informs wait at most. A dead receiver of many notifications costs no more than that.
pub(crate) const MOST_WAITING: usize = 1024;

/// How often one try may be repeated at once, because a Report said which engine answers there, or what
/// its clock says.
const MOST_CORRECTIONS: u32 = 3;

/// An inform that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct Waiting {
    /// The request-id of its PDU.
    pub request_id: u32,
    /// snmpTargetAddrName, for who reads the log.
    pub target: Vec<u8>,
    /// Where it went.
    pub domain: Vec<u32>,
    /// Where it went.
    pub address: Vec<u8>,
    /// How it was put together.
    pub message_model: u32,
    /// How it was proven.
    pub security_model: u32,
    /// As whom.
    pub security_name: Vec<u8>,
    /// The level, as in SnmpSecurityLevel.
    pub security_level: u32,
    /// The context that it is about.
    pub context: Vec<u8>,
    /// The PDU.
    pub pdu: Vec<u8>,
    /// How long an acknowledgement may take, in hundredths of a second.
    pub timeout: u32,
    /// How often it may be repeated yet.
    pub retries: u32,
    /// How often this try may be repeated at once yet.
    pub corrections: u32,
    /// When its time is over, in nanoseconds of the host's clock.
    pub due: u64,
}

impl Waiting {
    /// An inform to a target.
    pub(crate) fn of(target: &Target, request_id: u32, context: &[u8], pdu: Vec<u8>) -> Self {
        Waiting {
            request_id,
            target: target.name.clone(),
            domain: target.domain.clone(),
            address: target.address.clone(),
            message_model: target.message_model,
            security_model: target.security_model,
            security_name: target.security_name.clone(),
            security_level: target.security_level as u32,
            context: context.to_vec(),
            pdu,
            timeout: target.timeout,
            retries: target.retries,
            corrections: MOST_CORRECTIONS,
            due: 0,
        }
    }

    pub(crate) const fn level(&self) -> SecurityLevel {
        match self.security_level {
            3 => SecurityLevel::AuthPriv,
            2 => SecurityLevel::AuthNoPriv,
            _ => SecurityLevel::NoAuthNoPriv,
        }
    }

    /// Begins its time anew.
    fn begin(&mut self, now: Duration) {
        let timeout = Duration::from_millis(u64::from(self.timeout) * 10);
        self.due = u64::try_from((now + timeout).as_nanos()).unwrap_or(u64::MAX);
    }
}

/// What becomes of an inform whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// It is sent again.
    Again(Waiting),
    /// It was sent often enough.
    GivenUp(Waiting),
}

/// What an answer is to an inform.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Nobody waits for it.
    Nobody,
    /// The inform is acknowledged.
    Acknowledged,
    /// A Report: the inform is sent again at once.
    Again(Waiting),
    /// A Report, once too often: the inform waits for its time to be over.
    Refused(Waiting),
}

/// The informs that wait.
#[derive(Debug, Default)]
pub(crate) struct Informs {
    waiting: BTreeMap<u32, Waiting>,
    next_id: u32,
}

impl Informs {
    /// Request-ids from a number on.
    pub(crate) const fn beginning_with(next_id: u32) -> Self {
        Informs { waiting: BTreeMap::new(), next_id }
    }

    /// A request-id between 1 and 2^31-1 that no inform has.
    pub(crate) fn next_id(&mut self) -> u32 {
        const MOST: u32 = i32::MAX.cast_unsigned();
        loop {
            let id = self.next_id & MOST;
            self.next_id = id.wrapping_add(1);
            if id != 0 && !self.waiting.contains_key(&id) {
                return id;
            }
        }
    }

    /// Takes an inform over, from now on; false where there is no room.
    pub(crate) fn add(&mut self, mut inform: Waiting, now: Duration) -> bool {
        if self.waiting.len() >= MOST_WAITING {
            return false;
        }
        inform.begin(now);
        self.waiting.insert(inform.request_id, inform);
        true
    }

    /// Forgets an inform.
    pub(crate) fn remove(&mut self, request_id: u32) {
        self.waiting.remove(&request_id);
    }

    /// An answer: from where, to which request-id, under which model, and whether it is a Report.
    pub(crate) fn answered(
        &mut self,
        request_id: u32,
        message_model: u32,
        (domain, address): (&[u32], &[u8]),
        is_report: bool,
    ) -> Answered {
        let Some(inform) = self.waiting.get_mut(&request_id) else { return Answered::Nobody };
        // Communities prove little, and a request-id can be guessed: an answer comes from where the inform
        // went, in the same version.
        if inform.message_model != message_model
            || (&inform.domain[..], &inform.address[..]) != (domain, address)
        {
            return Answered::Nobody;
        }
        if !is_report {
            self.waiting.remove(&request_id);
            return Answered::Acknowledged;
        }
        match inform.corrections.checked_sub(1) {
            Some(left) => {
                inform.corrections = left;
                Answered::Again(inform.clone())
            }
            None => Answered::Refused(inform.clone()),
        }
    }

    /// The informs whose time is over, each with what becomes of it.
    pub(crate) fn overdue(&mut self, now: Duration) -> Vec<Overdue> {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let late = self.waiting.values().filter(|inform| inform.due <= nanos);
        let late: Vec<u32> = late.map(|inform| inform.request_id).collect();
        let outcome = |request_id| {
            let inform = self.waiting.get_mut(&request_id)?;
            if let Some(left) = inform.retries.checked_sub(1) {
                (inform.retries, inform.corrections) = (left, MOST_CORRECTIONS);
                inform.begin(now);
                return Some(Overdue::Again(inform.clone()));
            }
            self.waiting.remove(&request_id).map(Overdue::GivenUp)
        };
        late.into_iter().filter_map(outcome).collect()
    }

    /// How long until the first inform's time is over; none where nobody waits.
    pub(crate) fn next_due(&self, now: Duration) -> Option<Duration> {
        let first = self.waiting.values().map(|inform| inform.due).min()?;
        Some(Duration::from_nanos(first).saturating_sub(now))
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All of it, for a successor.
    pub(crate) fn export(&self) -> (u32, Vec<Waiting>) {
        (self.next_id, self.waiting.values().cloned().collect())
    }

    /// What a predecessor exported.
    pub(crate) fn import(&mut self, next_id: u32, waiting: Vec<Waiting>) {
        self.next_id = next_id;
        self.waiting = waiting.into_iter().map(|inform| (inform.request_id, inform)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (&[u32], &[u8]) = (&[1, 3], &[127, 0, 0, 1, 0, 162]);

    fn inform(request_id: u32, timeout: u32, retries: u32) -> Waiting {
        let target = Target {
            name: b"t".to_vec(),
            domain: HERE.0.to_vec(),
            address: HERE.1.to_vec(),
            timeout,
            retries,
            params: b"p".to_vec(),
            message_model: 3,
            security_model: 3,
            security_name: b"alice".to_vec(),
            security_level: SecurityLevel::AuthPriv,
            inform: true,
        };
        Waiting::of(&target, request_id, b"", vec![1])
    }

    const fn at(centiseconds: u64) -> Duration {
        Duration::from_millis(centiseconds * 10)
    }

    #[test]
    fn an_inform_is_repeated_as_often_as_its_target_says_and_then_given_up() {
        let mut informs = Informs::beginning_with(7);
        assert!(informs.add(inform(7, 100, 2), at(0)));
        assert_eq!(informs.next_due(at(40)), Some(at(60)));
        assert_eq!(informs.overdue(at(99)), []);
        for (now, left) in [(100, 1), (200, 0)] {
            assert!(matches!(&informs.overdue(at(now))[..],
                [Overdue::Again(again)] if again.retries == left && again.request_id == 7));
            assert_eq!(informs.overdue(at(now)), [], "its time begins anew");
        }
        assert!(matches!(&informs.overdue(at(300))[..], [Overdue::GivenUp(_)]));
        assert_eq!((informs.len(), informs.next_due(at(300))), (0, None));
    }

    #[test]
    fn a_response_from_where_it_went_acknowledges_and_nothing_else_does() {
        let mut informs = Informs::beginning_with(7);
        informs.add(inform(7, 100, 2), at(0));
        let elsewhere = (HERE.0, &[127, 0, 0, 2, 0, 162][..]);
        assert_eq!(informs.answered(8, 3, HERE, false), Answered::Nobody);
        assert_eq!(informs.answered(7, 1, HERE, false), Answered::Nobody);
        assert_eq!(informs.answered(7, 3, elsewhere, false), Answered::Nobody);
        assert_eq!(informs.answered(7, 3, HERE, false), Answered::Acknowledged);
        assert_eq!(informs.answered(7, 3, HERE, false), Answered::Nobody);
    }

    #[test]
    fn reports_correct_a_try_a_few_times_and_each_repetition_may_be_corrected_anew() {
        let mut informs = Informs::beginning_with(7);
        informs.add(inform(7, 100, 1), at(0));
        for _ in 0..MOST_CORRECTIONS {
            assert!(matches!(informs.answered(7, 3, HERE, true), Answered::Again(_)));
        }
        assert!(matches!(informs.answered(7, 3, HERE, true), Answered::Refused(_)));
        assert!(matches!(&informs.overdue(at(100))[..], [Overdue::Again(_)]));
        assert!(matches!(informs.answered(7, 3, HERE, true), Answered::Again(_)));
    }

    #[test]
    fn request_ids_are_never_0_and_never_one_that_waits() {
        let mut informs = Informs::beginning_with(i32::MAX.cast_unsigned());
        informs.add(inform(1, 100, 1), at(0));
        assert_eq!(informs.next_id(), i32::MAX.cast_unsigned());
        assert_eq!(informs.next_id(), 2, "0 is none, and 1 waits");
        for id in 2..=u32::try_from(MOST_WAITING).unwrap() {
            assert!(informs.add(inform(id, 100, 1), at(0)));
        }
        assert!(!informs.add(inform(9999, 100, 1), at(0)), "there is no room");
        let (next, waiting) = informs.export();
        let mut other = Informs::default();
        other.import(next, waiting);
        assert_eq!((other.len(), other.next_id()), (MOST_WAITING, informs.next_id()));
    }
}
