//! What was sent and is not answered yet, and which engine answers at which address.
//!
//! It never sends anything again: the sender does, and gets a new msgID. Invariant: an answer is matched
//! with one message that was sent, and a Response only if it comes from whom that message went to; what anybody
//! can send keeps nobody from hearing the authentic answer.

use roles::varbind::SecurityLevel;
use s_sdk::State;
use s_sdk::value::Field;
use std::collections::BTreeMap;

/// So many messages wait for an answer; then the oldest is given up. Nobody else bounds what a sender who
/// retries against a dead receiver leaves behind.
const MOST_SENT: usize = 4096;

/// RFC 3412 §6.2: the highest msgID.
const MOST_MSG_ID: u32 = i32::MAX.cast_unsigned();

/// The engines of so many addresses are remembered.
const MOST_PEERS: usize = 4096;

/// A transport domain and an address in it.
pub(crate) type Peer<'a> = (&'a [u32], &'a [u8]);

/// A message that waits for its answer (RFC 3412 §7.1 step 9 d).
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct Sent {
    /// Its msgID.
    pub msg_id: u32,
    /// Who waits.
    pub send_pdu_handle: u32,
    /// Where it went.
    pub domain: Vec<u32>,
    /// Where it went.
    pub address: Vec<u8>,
    /// The authoritative engine; empty in a discovery.
    pub engine_id: Vec<u8>,
    /// The principal.
    pub security_name: Vec<u8>,
    /// The level, as in SnmpSecurityLevel.
    pub security_level: u32,
    /// The context.
    pub context_engine_id: Vec<u8>,
    /// The context.
    pub context_name: Vec<u8>,
}

/// Which engine answers at an address.
#[derive(Clone, Debug, PartialEq, Eq, Field)]
pub struct Known {
    /// The transport domain.
    pub domain: Vec<u32>,
    /// The address.
    pub address: Vec<u8>,
    /// Its snmpEngineID.
    pub engine_id: Vec<u8>,
}

/// What a successor takes over.
#[derive(Clone, Debug, Default, State)]
#[state(kind = "message-v3", version = 1)]
pub struct MessageState {
    /// The msgID of the next message.
    pub next_msg_id: u32,
    /// What waits for an answer.
    pub sent: Vec<Sent>,
    /// Which engine is where.
    pub peers: Vec<Known>,
}

/// An answer, as it was proven.
pub(crate) struct Proven<'a> {
    pub(crate) engine_id: &'a [u8],
    pub(crate) security_name: &'a [u8],
    pub(crate) security_level: SecurityLevel,
    pub(crate) context_engine_id: &'a [u8],
    pub(crate) context_name: &'a [u8],
    pub(crate) is_report: bool,
}

/// What was sent, by msgID, and what is known of receivers.
pub(crate) struct Outstanding {
    next_msg_id: u32,
    sent: BTreeMap<u32, Sent>,
    peers: BTreeMap<(Vec<u32>, Vec<u8>), Vec<u8>>,
}

impl Outstanding {
    pub(crate) const fn beginning_with(msg_id: u32) -> Self {
        Outstanding { next_msg_id: msg_id, sent: BTreeMap::new(), peers: BTreeMap::new() }
    }

    /// A msgID between 0 and 2^31-1 that no outstanding message has.
    pub(crate) fn next_msg_id(&mut self) -> u32 {
        loop {
            let msg_id = self.next_msg_id & MOST_MSG_ID;
            self.next_msg_id = msg_id.wrapping_add(1);
            if !self.sent.contains_key(&msg_id) {
                return msg_id;
            }
        }
    }

    pub(crate) fn sent(&mut self, sent: Sent) {
        if self.sent.len() >= MOST_SENT {
            // Numbers are given upward and begin anew at the top: the oldest is the first one ahead.
            let next = self.next_msg_id & MOST_MSG_ID;
            let oldest = self.sent.range(next..).chain(&self.sent).next();
            if let Some(oldest) = oldest.map(|(msg_id, _)| *msg_id) {
                self.sent.remove(&oldest);
            }
        }
        self.sent.insert(sent.msg_id, sent);
    }

    /// The engine at an address.
    pub(crate) fn engine_of(&self, (domain, address): Peer<'_>) -> Option<&[u8]> {
        // A look-up by borrowed parts would need a key type of its own; notifications can afford this.
        self.peers.get(&(domain.to_vec(), address.to_vec())).map(Vec::as_slice)
    }

    /// Forgets who is said to be at an address: nobody is known there to send as, and the answer to a
    /// discovery proves nothing. The next message for it finds out anew.
    pub(crate) fn forget(&mut self, (domain, address): Peer<'_>, engine_id: &[u8]) {
        let place = (domain.to_vec(), address.to_vec());
        if self.peers.get(&place).is_some_and(|known| known == engine_id) {
            self.peers.remove(&place);
        }
    }

    /// Who waits for this answer (RFC 3412 §7.2 steps 10 to 12).
    pub(crate) fn answered(
        &mut self,
        msg_id: u32,
        from: Peer<'_>,
        answer: &Proven<'_>,
    ) -> Option<u32> {
        let sent = self.sent.get(&msg_id)?;
        // A Response must be all that was asked for (step 12); a Report says why it is not (step 11).
        let fits = answer.is_report
            || sent.engine_id == answer.engine_id
                && sent.security_name == answer.security_name
                && sent.security_level == answer.security_level as u32
                && sent.context_engine_id == answer.context_engine_id
                && sent.context_name == answer.context_name;
        // An answer comes from where its question went.
        if !fits || (&sent.domain[..], &sent.address[..]) != from {
            return None;
        }
        // Off-spec: step 11 forgets what was sent whatever Report comes. One that proves nothing is told to whoever
        // waits, but the answer to a message that had proof may come still.
        let is_final = !answer.is_report
            || answer.security_level != SecurityLevel::NoAuthNoPriv
            || sent.security_level == SecurityLevel::NoAuthNoPriv as u32;
        let sent = if is_final { self.sent.remove(&msg_id)? } else { sent.clone() };
        if sent.engine_id != answer.engine_id {
            self.learn(sent.domain, sent.address, &sent.engine_id, answer.engine_id);
        }
        Some(sent.send_pdu_handle)
    }

    /// A Report from another engine than the message was for: the answer to a discovery, or the sign that
    /// another engine answers at this address now. The latter is forgotten only, so that nobody who forges
    /// a Report gets more than a new discovery.
    fn learn(&mut self, domain: Vec<u32>, address: Vec<u8>, meant: &[u8], found: &[u8]) {
        if !meant.is_empty() {
            self.peers.remove(&(domain, address));
            return;
        }
        if self.peers.len() >= MOST_PEERS {
            self.peers.pop_first();
        }
        self.peers.insert((domain, address), found.to_vec());
    }

    pub(crate) fn export(&self) -> MessageState {
        MessageState {
            next_msg_id: self.next_msg_id,
            sent: self.sent.values().cloned().collect(),
            peers: self
                .peers
                .iter()
                .map(|((domain, address), engine_id)| Known {
                    domain: domain.clone(),
                    address: address.clone(),
                    engine_id: engine_id.clone(),
                })
                .collect(),
        }
    }

    pub(crate) fn import(&mut self, state: MessageState) {
        let MessageState { next_msg_id, sent, peers } = state;
        self.next_msg_id = next_msg_id;
        self.sent = sent.into_iter().map(|sent| (sent.msg_id, sent)).collect();
        let peers = peers.into_iter();
        self.peers = peers.map(|known| ((known.domain, known.address), known.engine_id)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Peer<'_> = (&[1, 3], &[127, 0, 0, 1, 0, 162]);

    fn sent(msg_id: u32, engine_id: &[u8], security_level: SecurityLevel) -> Sent {
        Sent {
            msg_id,
            send_pdu_handle: 1,
            domain: HERE.0.to_vec(),
            address: HERE.1.to_vec(),
            engine_id: engine_id.to_vec(),
            security_name: vec![],
            security_level: security_level as u32,
            context_engine_id: vec![],
            context_name: vec![],
        }
    }

    fn answer(security_level: SecurityLevel, is_report: bool) -> Proven<'static> {
        let (security_name, context_engine_id, context_name) = (&[], &[], &[]);
        let engine_id = b"receiver";
        let (engine_id, security_name) = (&engine_id[..], &security_name[..]);
        Proven {
            engine_id,
            security_name,
            security_level,
            context_engine_id,
            context_name,
            is_report,
        }
    }

    #[test]
    fn a_report_that_proves_nothing_keeps_nobody_from_hearing_the_acknowledgement() {
        use SecurityLevel::{AuthNoPriv, AuthPriv, NoAuthNoPriv};
        let mut outstanding = Outstanding::beginning_with(0);
        let mut is_told = |level, by| {
            outstanding.sent(sent(7, b"receiver", level));
            let first = outstanding.answered(7, HERE, &answer(by, true));
            assert_eq!(first, Some(1), "whoever waits is told");
            outstanding.answered(7, HERE, &answer(level, false)).is_some()
        };
        assert!(is_told(AuthPriv, NoAuthNoPriv));
        assert!(is_told(AuthNoPriv, NoAuthNoPriv));
        // An authentic Report is the answer, and where nothing is proven a Response is no better.
        assert!(!is_told(AuthPriv, AuthNoPriv));
        assert!(!is_told(NoAuthNoPriv, NoAuthNoPriv));
        // The acknowledgement is heard once.
        assert_eq!(outstanding.answered(7, HERE, &answer(AuthPriv, false)), None);
    }

    #[test]
    fn the_answer_to_a_discovery_says_who_is_there_and_a_forged_one_only_that_it_is_not_known() {
        let mut outstanding = Outstanding::beginning_with(0);
        let discovery = sent(1, b"", SecurityLevel::NoAuthNoPriv);
        outstanding.sent(discovery);
        let unproven = answer(SecurityLevel::NoAuthNoPriv, true);
        assert_eq!(outstanding.answered(1, HERE, &unproven), Some(1));
        assert_eq!(outstanding.engine_of(HERE), Some(&b"receiver"[..]));
        assert_eq!(outstanding.answered(1, HERE, &unproven), None);
        outstanding.sent(sent(2, b"receiver", SecurityLevel::AuthPriv));
        let forged = Proven { engine_id: b"other", ..unproven };
        assert_eq!(outstanding.answered(2, HERE, &forged), Some(1));
        assert_eq!(outstanding.engine_of(HERE), None);
        let proven = answer(SecurityLevel::AuthPriv, false);
        assert_eq!(outstanding.answered(2, HERE, &proven), Some(1), "it is heard all the same");
    }

    #[test]
    fn where_there_is_no_room_the_oldest_goes_though_numbers_begin_anew() {
        let mut outstanding = Outstanding::beginning_with(MOST_MSG_ID - 1);
        let mut send = || {
            let msg_id = outstanding.next_msg_id();
            outstanding.sent(sent(msg_id, b"", SecurityLevel::NoAuthNoPriv));
            msg_id
        };
        let ids: Vec<u32> = (0..MOST_SENT + 3).map(|_| send()).collect();
        assert_eq!(ids[..4], [MOST_MSG_ID - 1, MOST_MSG_ID, 0, 1]);
        // The last of all but three are there.
        let mut expected = ids[3..].to_vec();
        expected.sort_unstable();
        assert!(outstanding.sent.keys().eq(&expected));
    }
}
