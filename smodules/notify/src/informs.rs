//! Informs that wait for an acknowledgement (RFC 3413 §3.3 step 6).
//!
//! Time is an argument. Invariant: a request-id belongs to one inform at a time and is never 0, so that
//! whatever answers finds the one that it answers, over all repetitions.

use crate::select::Target;
use roles::error::Counter;
use roles::varbind::{SecurityLevel, message_model};
use s_sdk::value::Field;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many informs wait at most. Whoever has the most of them makes room for others, so that a dead receiver
/// keeps nobody else from being told.
pub(crate) const MOST_WAITING: usize = 1024;

/// The highest request-id.
const MOST_ID: u32 = i32::MAX.cast_unsigned();

/// No acknowledgement is awaited for a shorter time: snmpTargetAddrTimeout may be 0.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);

/// What a Report corrects, so that a try can be repeated at once: who answers a discovery, that another
/// engine answers there than before, and what its clock says. Each does so once in a try.
const DISCOVERED: u32 = 1;
const NEW_ENGINE: u32 = 2;
const NEW_CLOCK: u32 = 4;

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
    /// Whether what was sent last is a discovery.
    pub is_discovery: bool,
    /// What Reports have corrected in this try.
    pub corrected: u32,
    /// What the last Report said; empty for none.
    pub reported: String,
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
            is_discovery: false,
            corrected: 0,
            reported: String::new(),
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
        let timeout = Duration::from_millis(u64::from(self.timeout) * 10).max(LEAST_TIMEOUT);
        self.due = u64::try_from((now + timeout).as_nanos()).unwrap_or(u64::MAX);
    }

    /// What a Report corrects; none if sending the inform again at once is of no use.
    const fn correction(&self, counter: Option<Counter>, level: SecurityLevel) -> Option<u32> {
        match counter {
            // RFC 3414 §4: whatever the Report says, its sender is who answers there.
            _ if self.is_discovery => Some(DISCOVERED),
            Some(Counter::UnknownEngineIds) => Some(NEW_ENGINE),
            // RFC 3414 §3.2 step 7 b: it is authentic, and only then was its time learnt.
            Some(Counter::NotInTimeWindows) if !matches!(level, SecurityLevel::NoAuthNoPriv) => {
                Some(NEW_CLOCK)
            }
            _ => None,
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A Response.
    Response,
    /// A Report: the counter in it, if it is a known one, and its name.
    Report(Option<Counter>, String),
}

/// All places are taken, and no target has more of them than the newcomer's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

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
    Acknowledged(Waiting),
    /// A Report: the inform is sent again at once.
    Again(Waiting),
    /// A Report that corrects nothing anew, perhaps a late or a forged one: the inform waits for its time to
    /// be over.
    Noted,
    /// An authentic Report that the receiver will never take it: it is given up.
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
        loop {
            let id = self.next_id & MOST_ID;
            self.next_id = id.wrapping_add(1);
            if id != 0 && !self.waiting.contains_key(&id) {
                return id;
            }
        }
    }

    /// Takes an inform over, from now on; answers the one that is given up for it, if there is no other room.
    ///
    /// # Errors
    /// There is no room at all.
    pub(crate) fn add(
        &mut self,
        mut inform: Waiting,
        now: Duration,
    ) -> Result<Option<Waiting>, NoRoom> {
        let given_up = match self.waiting.len() < MOST_WAITING {
            true => None,
            false => Some(self.make_room(&inform.target).ok_or(NoRoom)?),
        };
        inform.begin(now);
        self.waiting.insert(inform.request_id, inform);
        Ok(given_up)
    }

    /// Takes out the oldest inform of the target with the most, if that has more than this one.
    fn make_room(&mut self, target: &[u8]) -> Option<Waiting> {
        let mut held: BTreeMap<&[u8], usize> = BTreeMap::new();
        self.waiting.values().for_each(|inform| *held.entry(&inform.target).or_default() += 1);
        let ours = held.get(target).copied().unwrap_or_default();
        let (most, _) =
            held.into_iter().filter(|(_, held)| *held > ours).max_by_key(|(_, n)| *n)?;
        // Numbers are given upward and begin anew at the top: the oldest is the first one ahead.
        let mut by_age = self.waiting.range(self.next_id & MOST_ID..).chain(&self.waiting);
        let (oldest, _) = by_age.find(|(_, inform)| inform.target == most)?;
        let oldest = *oldest;
        self.waiting.remove(&oldest)
    }

    /// Takes note of what is about to be sent for an inform.
    pub(crate) fn sends(&mut self, request_id: u32, is_discovery: bool) {
        if let Some(inform) = self.waiting.get_mut(&request_id) {
            inform.is_discovery = is_discovery;
        }
    }

    /// Forgets an inform; false where it does not wait.
    pub(crate) fn remove(&mut self, request_id: u32) -> bool {
        self.waiting.remove(&request_id).is_some()
    }

    /// An answer: from where, to which request-id, under which model and at which level.
    pub(crate) fn answered(
        &mut self,
        request_id: u32,
        (message_model, security_level): (u32, SecurityLevel),
        (domain, address): (&[u32], &[u8]),
        answer: Answer,
    ) -> Answered {
        let Some(inform) = self.waiting.get_mut(&request_id) else { return Answered::Nobody };
        // Communities prove little, and a request-id can be guessed: an answer comes from where the inform
        // went, in the same version.
        if inform.message_model != message_model
            || (&inform.domain[..], &inform.address[..]) != (domain, address)
        {
            return Answered::Nobody;
        }
        let (counter, name) = match answer {
            Answer::Response => {
                let acknowledged = self.waiting.remove(&request_id);
                return acknowledged.map_or(Answered::Nobody, Answered::Acknowledged);
            }
            Answer::Report(counter, name) => (counter, name),
        };
        // RFC 3412 §7.1 step 3: only SNMPv3 says what Reports are for.
        if message_model != message_model::SNMPV3 {
            return Answered::Nobody;
        }
        inform.reported = name;
        match inform.correction(counter, security_level) {
            // Anybody can send what proves nothing (RFC 3414 §3.2 step 3 has most Reports without proof).
            None if security_level == SecurityLevel::NoAuthNoPriv => Answered::Noted,
            None => self.waiting.remove(&request_id).map_or(Answered::Nobody, Answered::Refused),
            Some(correction) if inform.corrected & correction != 0 => Answered::Noted,
            Some(correction) => {
                inform.corrected |= correction;
                if correction == NEW_ENGINE {
                    // Whoever answers there now is asked who it is.
                    inform.corrected &= !DISCOVERED;
                }
                Answered::Again(inform.clone())
            }
        }
    }

    /// Informs whose time is over, those for longest first and so many at most, each with what becomes of it.
    pub(crate) fn overdue(&mut self, now: Duration, most: usize) -> Vec<Overdue> {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let late = self.waiting.values().filter(|inform| inform.due <= nanos);
        let mut late: Vec<(u64, u32)> =
            late.map(|inform| (inform.due, inform.request_id)).collect();
        late.sort_unstable();
        let outcome = |(_, request_id)| {
            let inform = self.waiting.get_mut(&request_id)?;
            if let Some(left) = inform.retries.checked_sub(1) {
                (inform.retries, inform.corrected) = (left, 0);
                inform.begin(now);
                return Some(Overdue::Again(inform.clone()));
            }
            self.waiting.remove(&request_id).map(Overdue::GivenUp)
        };
        late.into_iter().take(most).filter_map(outcome).collect()
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
    const UNPROVEN: (u32, SecurityLevel) = (3, SecurityLevel::NoAuthNoPriv);
    const PROVEN: (u32, SecurityLevel) = (3, SecurityLevel::AuthNoPriv);

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

    /// One inform, with the request-id 7.
    fn waiting(retries: u32) -> Informs {
        let mut informs = Informs::beginning_with(7);
        assert_eq!(informs.add(inform(7, 100, retries), at(0)), Ok(None));
        informs
    }

    /// A Report, proven as the RFC has it.
    fn report(informs: &mut Informs, counter: Counter) -> Answered {
        let how = if counter == Counter::NotInTimeWindows { PROVEN } else { UNPROVEN };
        let report = Answer::Report(Some(counter), counter.name().to_owned());
        informs.answered(7, how, HERE, report)
    }

    #[test]
    fn an_inform_is_repeated_as_often_as_its_target_says_and_then_given_up() {
        let mut informs = waiting(2);
        assert_eq!(informs.next_due(at(40)), Some(at(60)));
        assert_eq!(informs.overdue(at(99), 9), []);
        for (now, left) in [(100, 1), (200, 0)] {
            assert!(matches!(&informs.overdue(at(now), 9)[..],
                [Overdue::Again(again)] if again.retries == left && again.request_id == 7));
            assert_eq!(informs.overdue(at(now), 9), [], "its time begins anew");
        }
        assert!(matches!(&informs.overdue(at(300), 9)[..], [Overdue::GivenUp(_)]));
        assert_eq!((informs.len(), informs.next_due(at(300))), (0, None));
    }

    #[test]
    fn an_inform_waits_for_a_while_even_if_its_target_gives_it_no_time() {
        let mut informs = Informs::default();
        informs.add(inform(7, 0, 2), at(0)).unwrap();
        assert_eq!(informs.next_due(at(0)), Some(LEAST_TIMEOUT));
    }

    #[test]
    fn of_many_that_are_overdue_those_that_are_so_longest_are_repeated_first() {
        let mut informs = Informs::default();
        for (id, begun) in [(1, 30), (2, 10), (3, 20), (4, 500)] {
            informs.add(inform(id, 100, 1), at(begun)).unwrap();
        }
        let ids = |overdue: Vec<Overdue>| -> Vec<u32> {
            let id = |overdue: &Overdue| match overdue {
                Overdue::Again(inform) | Overdue::GivenUp(inform) => inform.request_id,
            };
            overdue.iter().map(id).collect()
        };
        assert_eq!(ids(informs.overdue(at(200), 2)), [2, 3]);
        assert_eq!(informs.next_due(at(200)), Some(at(0)), "the others at once");
        assert_eq!(ids(informs.overdue(at(200), 2)), [1]);
    }

    #[test]
    fn a_response_from_where_it_went_acknowledges_and_nothing_else_does() {
        let mut informs = waiting(2);
        let elsewhere = (HERE.0, &[127, 0, 0, 2, 0, 162][..]);
        let mut answered = |id, how, from| informs.answered(id, how, from, Answer::Response);
        assert_eq!(answered(8, PROVEN, HERE), Answered::Nobody);
        assert_eq!(answered(7, (1, PROVEN.1), HERE), Answered::Nobody);
        assert_eq!(answered(7, PROVEN, elsewhere), Answered::Nobody);
        assert!(matches!(answered(7, PROVEN, HERE), Answered::Acknowledged(_)));
        assert_eq!(answered(7, PROVEN, HERE), Answered::Nobody);
    }

    #[test]
    fn a_report_has_an_inform_sent_again_only_where_it_corrects_something_and_once_a_try() {
        let mut informs = waiting(1);
        for counter in [Counter::UnknownEngineIds, Counter::NotInTimeWindows] {
            assert!(matches!(report(&mut informs, counter), Answered::Again(_)), "{counter}");
            assert_eq!(report(&mut informs, counter), Answered::Noted, "{counter}");
        }
        assert!(matches!(&informs.overdue(at(100), 9)[..], [Overdue::Again(_)]));
        let again = report(&mut informs, Counter::NotInTimeWindows);
        assert!(matches!(again, Answered::Again(_)), "each try is corrected anew");
        assert!(matches!(&informs.overdue(at(200), 9)[..],
            [Overdue::GivenUp(inform)] if inform.reported == "usmStatsNotInTimeWindows"));
    }

    #[test]
    fn whatever_answers_a_discovery_says_who_is_there_and_so_does_the_one_after_a_change() {
        let mut informs = waiting(0);
        informs.sends(7, true);
        assert!(matches!(report(&mut informs, Counter::UnknownUserNames), Answered::Again(_)));
        assert_eq!(report(&mut informs, Counter::UnknownEngineIds), Answered::Noted, "a late one");
        informs.sends(7, false);
        assert!(matches!(report(&mut informs, Counter::UnknownEngineIds), Answered::Again(_)));
        informs.sends(7, true);
        assert!(matches!(report(&mut informs, Counter::UnknownEngineIds), Answered::Again(_)));
        informs.sends(7, false);
        assert_eq!(report(&mut informs, Counter::UnknownEngineIds), Answered::Noted);
    }

    #[test]
    fn a_report_that_corrects_nothing_ends_the_inform_only_if_it_is_authentic() {
        let unproven = waiting(0).answered(
            7,
            UNPROVEN,
            HERE,
            Answer::Report(Some(Counter::NotInTimeWindows), String::new()),
        );
        assert_eq!(
            unproven,
            Answered::Noted,
            "nobody's clock is corrected by what anybody can send"
        );
        for counter in [Some(Counter::UnknownUserNames), Some(Counter::WrongDigests), None] {
            let mut informs = waiting(0);
            let report = || Answer::Report(counter, "it".to_owned());
            assert_eq!(informs.answered(7, UNPROVEN, HERE, report()), Answered::Noted);
            let mut others = waiting(9);
            let answered = others.answered(7, PROVEN, HERE, report());
            assert!(matches!(&answered, Answered::Refused(inform) if inform.reported == "it"));
            assert_eq!((informs.len(), others.len()), (1, 0));
            assert!(matches!(&informs.overdue(at(100), 9)[..],
                [Overdue::GivenUp(inform)] if inform.reported == "it"));
        }
    }

    #[test]
    fn a_report_of_another_version_is_none() {
        let mut informs = Informs::default();
        informs.add(Waiting { message_model: 1, ..inform(7, 100, 1) }, at(0)).unwrap();
        let report = Answer::Report(Some(Counter::UnknownEngineIds), String::new());
        assert_eq!(informs.answered(7, (1, PROVEN.1), HERE, report), Answered::Nobody);
    }

    #[test]
    fn request_ids_are_never_0_and_never_one_that_waits() {
        let mut informs = Informs::beginning_with(MOST_ID);
        informs.add(inform(1, 100, 1), at(0)).unwrap();
        assert_eq!(informs.next_id(), MOST_ID);
        assert_eq!(informs.next_id(), 2, "0 is none, and 1 waits");
        let (next, waiting) = informs.export();
        let mut other = Informs::default();
        other.import(next, waiting);
        assert_eq!((other.len(), other.next_id()), (1, informs.next_id()));
    }

    #[test]
    fn whoever_has_the_most_makes_room_with_its_oldest() {
        let mut informs = Informs::beginning_with(MOST_ID - 1);
        let of = |target: &[u8], id| Waiting { target: target.to_vec(), ..inform(id, 100, 1) };
        let mut add = |target: &[u8]| {
            let id = informs.next_id();
            let room = informs.add(of(target, id), at(0));
            assert!(informs.len() <= MOST_WAITING);
            room
        };
        for _ in 0..MOST_WAITING {
            assert_eq!(add(b"dead"), Ok(None));
        }
        assert_eq!(add(b"dead"), Err(NoRoom));
        let made = |room: Result<Option<Waiting>, NoRoom>| match room {
            Ok(Some(given_up)) => (given_up.target, given_up.request_id),
            other => panic!("{other:?}"),
        };
        assert_eq!(made(add(b"other")), (b"dead".to_vec(), MOST_ID - 1));
        assert_eq!(made(add(b"other")), (b"dead".to_vec(), MOST_ID));
        assert_eq!(made(add(b"third")), (b"dead".to_vec(), 1));
        // Until all have the same.
        while let Ok(Some(given_up)) = add(b"other") {
            assert_eq!(given_up.target, b"dead");
        }
        assert!(matches!(add(b"third"), Ok(Some(_))));
        let held = |name: &[u8]| informs.waiting.values().filter(|it| it.target == name).count();
        assert!(held(b"dead").abs_diff(held(b"other")) <= 1);
    }
}
