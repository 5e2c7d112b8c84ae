//! Why packets were refused: the last of them, each with what an operator has to know.
//!
//! It is filled from the one place where refusals are counted, and accepted packets never come here. It
//! never keeps a community, a key or any part of a PDU: the name of a user is all that it takes from a
//! packet, and that is what the packet claims, proven or not.
//!
//! Invariants: it has room for [`ROOM`] entries, made at once, and grows no further. Refusals of one
//! source for one reason under one name share an entry, one source fills at most [`PER_SOURCE`] of them
//! and one reason at most [`PER_REASON`], so a flood drives out its like before anything else. A refusal
//! costs one look over a table of four KiB; nobody waits, and who finds the table in use is only counted.

use crate::reason::Reason;
use crate::source::Source;
use roles::error::Counter;
use s_wire::usm::MAX_USER_NAME;
use s_wire::{UsmParameters, V3Message, Version};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

/// So many entries are kept.
pub const ROOM: usize = 256;
/// So many of them are of one address.
pub const PER_SOURCE: usize = 16;
/// So many of them have one reason.
pub const PER_REASON: usize = 64;

/// A refused packet, or several that were alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When the first of them came, by the engine's clock.
    pub first: Duration,
    /// When the last of them came.
    pub last: Duration,
    /// How many there were.
    pub times: u64,
    /// Where the last one came from.
    pub source: Source,
    /// The version of the message, where it has one that is known.
    pub version: Option<Version>,
    /// Who it claims to be from.
    name: Name,
    /// Why.
    pub reason: Reason,
    /// The counter that each of them moved.
    pub counter: Option<Counter>,
    /// The sender was told: a Report, or an answer with an error-status.
    pub told: bool,
}

impl Refused {
    /// The user or the principal that it claims to be from, where that is known.
    pub fn security_name(&self) -> Option<&[u8]> {
        self.name.octets()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.source, self.reason.name())?;
        if let Some(name) = self.security_name() {
            write!(f, " as {:?}", String::from_utf8_lossy(name))?;
        }
        write!(f, ", {} times: {}", self.times, self.reason.explain().hint)
    }
}

/// A security name of at most 32 octets, which is the longest that a user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Name {
    octets: [u8; MAX_USER_NAME],
    len: usize,
}

impl Name {
    fn of(octets: &[u8]) -> Self {
        let len = octets.len().min(MAX_USER_NAME);
        let mut name = Name { octets: [0; MAX_USER_NAME], len };
        name.octets[..len].copy_from_slice(&octets[..len]);
        name
    }

    fn octets(&self) -> Option<&[u8]> {
        self.octets.get(..self.len).filter(|octets| !octets.is_empty())
    }
}

/// A packet that is being refused.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// When it came, by the engine's clock.
    pub now: Duration,
    /// Where it came from.
    pub source: Source,
    /// Its version, where it has one.
    pub version: Option<Version>,
    /// Who it claims to be from; empty where that is not known.
    pub security_name: &'a [u8],
    /// Why.
    pub reason: Reason,
    /// The counter that it moved.
    pub counter: Option<Counter>,
    /// The sender is told.
    pub told: bool,
}

/// The last refused packets.
#[derive(Debug)]
pub struct Why {
    table: Mutex<Table>,
    /// Refusals that were counted only, because the table was in use.
    overlooked: AtomicU64,
}

#[derive(Debug)]
struct Table {
    marks: Vec<Mark>,
    entries: Vec<Refused>,
    /// Moved with every refusal.
    number: u64,
}

/// What is looked over at every refusal, apart from the entries, so that it is little.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The refusal that was here last.
    number: u64,
    source: u32,
    /// Source, reason and name.
    key: u32,
    reason: u32,
}

impl Default for Why {
    fn default() -> Self {
        Why {
            table: Mutex::new(Table {
                marks: Vec::with_capacity(ROOM),
                entries: Vec::with_capacity(ROOM),
                number: 0,
            }),
            overlooked: AtomicU64::new(0),
        }
    }
}

impl Why {
    /// Takes note of a refused packet.
    pub fn note(&self, refusal: &Refusal<'_>) {
        match self.table.try_lock() {
            Ok(mut table) => table.note(refusal),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().note(refusal),
            Err(TryLockError::WouldBlock) => {
                self.overlooked.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The last refused packets, of one address or of all, the newest first.
    pub fn last(&self, of: Option<IpAddr>) -> Vec<Refused> {
        let mut found: Vec<(u64, Refused)> = {
            let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            let both = table.marks.iter().zip(&table.entries);
            both.map(|(mark, entry)| (mark.number, *entry)).collect()
        };
        found.retain(|(_, entry)| of.is_none() || entry.source.ip() == of);
        found.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        found.into_iter().map(|(_, entry)| entry).collect()
    }

    /// How many refused packets are in no entry, because several threads refused at once.
    pub fn overlooked(&self) -> u64 {
        self.overlooked.load(Ordering::Relaxed)
    }
}

impl Table {
    fn note(&mut self, refusal: &Refusal<'_>) {
        let name = Name::of(refusal.security_name);
        let source = hash(&[&source_octets(refusal.source)]);
        let reason = hash(&[refusal.reason.name().as_bytes()]);
        let key = hash(&[&source.to_ne_bytes(), &reason.to_ne_bytes(), &name.octets]);
        self.number += 1;
        let mark = Mark { number: self.number, source, key, reason };
        let alike = |entry: &Refused| {
            (entry.source.ip(), entry.reason, entry.name, entry.version)
                == (refusal.source.ip(), refusal.reason, name, refusal.version)
        };
        let mut entry = Refused {
            first: refusal.now,
            last: refusal.now,
            times: 1,
            source: refusal.source,
            version: refusal.version,
            name,
            reason: refusal.reason,
            counter: refusal.counter,
            told: refusal.told,
        };
        match self.place(mark, alike) {
            Place::Same(at) => {
                let Refused { first, times, .. } = self.entries[at];
                entry.first = first;
                entry.times = times.saturating_add(1);
                (self.marks[at], self.entries[at]) = (mark, entry);
            }
            Place::InsteadOf(at) => (self.marks[at], self.entries[at]) = (mark, entry),
            Place::New => {
                self.marks.push(mark);
                self.entries.push(entry);
            }
        }
    }

    /// Where a refusal goes: to its like; else in the place of the oldest of a source or a reason that has
    /// its share; else to a free place, and where there is none, in that of the oldest of all.
    fn place(&self, new: Mark, alike: impl Fn(&Refused) -> bool) -> Place {
        let mut of_source = Oldest::default();
        let mut of_reason = Oldest::default();
        let mut of_all = Oldest::default();
        for (at, mark) in self.marks.iter().enumerate() {
            if mark.key == new.key && alike(&self.entries[at]) {
                return Place::Same(at);
            }
            of_all.see(at, mark);
            if mark.source == new.source {
                of_source.see(at, mark);
            }
            if mark.reason == new.reason {
                of_reason.see(at, mark);
            }
        }
        let full = [(of_source, PER_SOURCE), (of_reason, PER_REASON), (of_all, ROOM)];
        full.iter()
            .find(|(oldest, most)| oldest.count >= *most)
            .map_or(Place::New, |(oldest, _)| Place::InsteadOf(oldest.at))
    }
}

enum Place {
    Same(usize),
    InsteadOf(usize),
    New,
}

#[derive(Clone, Copy, Default)]
struct Oldest {
    count: usize,
    at: usize,
    number: u64,
}

impl Oldest {
    fn see(&mut self, at: usize, mark: &Mark) {
        if self.count == 0 || mark.number < self.number {
            (self.at, self.number) = (at, mark.number);
        }
        self.count += 1;
    }
}

fn source_octets(source: Source) -> [u8; 17] {
    let mut octets = [0; 17];
    match source.ip() {
        Some(IpAddr::V4(v4)) => {
            octets[0] = 4;
            octets[1..5].copy_from_slice(&v4.octets());
        }
        Some(IpAddr::V6(v6)) => {
            octets[0] = 6;
            octets[1..].copy_from_slice(&v6.octets());
        }
        None => {}
    }
    octets
}

/// FNV-1a. Who finds two packets of one number gets no more than two entries compared.
fn hash(parts: &[&[u8]]) -> u32 {
    let octets = parts.iter().flat_map(|part| part.iter());
    octets.fold(0x811c_9dc5, |hash, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193))
}

/// What an SNMPv3 message says of its sender before anything is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The engine that it takes this one for; empty in a discovery.
    pub engine_id: &'a [u8],
    /// The user.
    pub user_name: &'a [u8],
}

impl<'a> Claim<'a> {
    /// What a datagram claims; `None` for any that is no message of SNMPv3 under the User-based Security
    /// Model.
    pub fn of(datagram: &'a [u8]) -> Option<Self> {
        let message = V3Message::decode(datagram).ok()?;
        let usm = roles::varbind::security_model::USM;
        let parameters = (message.header.security_model == usm)
            .then(|| UsmParameters::decode(message.security_parameters));
        let UsmParameters { engine_id, user_name, .. } = parameters?.ok()?;
        Some(Claim { engine_id, user_name })
    }

    /// Whether this is how a manager asks who the engine is (RFC 3414 §4), which is no mistake.
    pub const fn is_discovery(&self) -> bool {
        self.engine_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roles::security::SecurityErrorKind;
    use std::net::Ipv4Addr;

    fn v4(last: u32) -> Source {
        Source::Internet(Ipv4Addr::from(0x0a00_0000 | last).into(), 161)
    }

    fn refusal(second: u64, source: Source, reason: Reason) -> Refusal<'static> {
        Refusal {
            now: Duration::from_secs(second),
            source,
            version: None,
            security_name: b"",
            reason,
            counter: reason.counter(),
            told: false,
        }
    }

    const DIGEST: Reason = Reason::Security(SecurityErrorKind::WrongDigest);
    const COMMUNITY: Reason = Reason::Security(SecurityErrorKind::BadCommunityName);

    #[test]
    fn what_is_alike_shares_an_entry_and_the_newest_comes_first() {
        let why = Why::default();
        why.note(&refusal(1, v4(1), DIGEST));
        why.note(&refusal(2, v4(2), DIGEST));
        why.note(&refusal(3, v4(1), DIGEST));
        why.note(&Refusal { security_name: b"joe", ..refusal(4, v4(1), DIGEST) });
        let all = why.last(None);
        assert_eq!(all.iter().map(|entry| entry.times).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(all[0].security_name(), Some(&b"joe"[..]));
        assert_eq!((all[1].first, all[1].last), (Duration::from_secs(1), Duration::from_secs(3)));
        assert_eq!(all[1].security_name(), None);
        assert_eq!(why.last(v4(2).ip()).len(), 1);
        assert_eq!(why.last(v4(3).ip()), []);
        assert_eq!(
            all[1].to_string(),
            format!("10.0.0.1:161 wrong-digest, 2 times: {}", DIGEST.explain().hint)
        );
    }

    #[test]
    fn a_flood_drives_out_its_like_and_the_memory_stays_as_it_is() {
        let why = Why::default();
        why.note(&refusal(0, v4(0xff_ffff), DIGEST));
        let places = || {
            let table = why.table.lock().unwrap();
            (table.marks.as_ptr(), table.entries.as_ptr(), table.entries.capacity())
        };
        let before = places();
        for number in 0..100_000 {
            why.note(&refusal(1, v4(number), COMMUNITY));
        }
        // One address with as many names as it likes.
        for number in 0_u32..1000 {
            let name = number.to_be_bytes();
            let source = v4(0xee_eeee);
            why.note(&Refusal { security_name: &name, ..refusal(2, source, DIGEST) });
        }
        assert_eq!(places(), before);
        let all = why.last(None);
        let of = |wanted: &dyn Fn(&Refused) -> bool| all.iter().filter(|e| wanted(e)).count();
        assert_eq!(of(&|entry| entry.reason == COMMUNITY), PER_REASON);
        assert_eq!(of(&|entry| entry.source == v4(0xee_eeee)), PER_SOURCE);
        assert_eq!(of(&|entry| entry.source == v4(0xff_ffff)), 1);
        assert_eq!(why.overlooked(), 0);
    }

    #[test]
    fn nobody_waits_for_the_table() {
        let why = Why::default();
        let held = why.table.lock().unwrap();
        why.note(&refusal(1, v4(1), DIGEST));
        drop(held);
        assert_eq!((why.overlooked(), why.last(None).len()), (1, 0));
    }

    #[test]
    fn a_full_table_forgets_the_oldest() {
        let why = Why::default();
        let reasons = [
            DIGEST,
            COMMUNITY,
            Reason::NoMessage,
            Reason::NoPdu,
            Reason::PduNotTaken,
            Reason::NotAnswered,
        ];
        for number in 0..50 {
            for reason in reasons {
                why.note(&refusal(number.into(), v4(number), reason));
            }
        }
        let all = why.last(None);
        assert_eq!(all.len(), ROOM);
        let oldest = all.iter().map(|entry| entry.last.as_secs()).min();
        assert_eq!(oldest, Some(50 - 1 - (ROOM as u64 / reasons.len() as u64)));
    }
}
