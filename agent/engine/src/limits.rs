//! What one source may take: packets, answers that it has proven no right to, and failed proofs.
//!
//! It reads no clock: time is an argument. It never waits and has no lock. Invariants: its memory is made
//! at once and never grows; a source that keeps within its limits is never refused because of others,
//! except that a flood of more than a thousand sources makes the limits of all of them laxer, never
//! stricter. A limit that is 0 is none.
//!
//! IPv6 sources share the bucket of their /64, because one host has all of its addresses.
//!
//! Why failures are not simply counted per user: whoever knows a name could then keep its owner out. A
//! user under attack is closed to those who have failed as this user in the last minute, and to nobody else.
//! A community has no user, and over UDP an address is no proof: whoever forges a manager's address and fails in
//! its name would silence it. So who has proven a community in the last hour goes on being heard with it.

use crate::buckets::{Buckets, Rate};
use crate::dispatch::Peer;
use crate::source::Source;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What requests and sources may take. The defaults keep an agent that nobody has configured from being
/// anybody's weapon, and no manager notices them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most repetitions of a GetBulk (net-snmp: maxGetbulkRepeats).
    pub max_repetitions: u32,
    /// The most bindings of the answer to a GetBulk (net-snmp: maxGetbulkResponses).
    pub max_responses: u32,
    /// How often one request may ask a module anew because what it answered is not for the sender.
    pub max_steps: u32,
    /// How many packets a second one source may send. 512 octets of an unproven answer count as one, too.
    pub packets_per_second: u32,
    /// How many packets it may send at once after a silence.
    pub packet_burst: u32,
    /// The octets of an answer to a sender that has proven nothing, over a transport that proves no address.
    pub unproven_answer: u32,
    /// The same as a multiple of the request.
    pub unproven_factor: u32,
    /// How many failed proofs a second one source, and one user, may have.
    pub failures_per_second: u32,
    /// How many it may have at once.
    pub failure_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_repetitions: 100,
            max_responses: 1000,
            max_steps: 4096,
            packets_per_second: 10_000,
            packet_burst: 20_000,
            // What crosses an Ethernet in one piece.
            unproven_answer: 1472,
            unproven_factor: 0,
            failures_per_second: 10,
            failure_burst: 100,
        }
    }
}

impl Limits {
    /// Without any limit.
    pub const NONE: Limits = Limits {
        max_repetitions: 0,
        max_responses: 0,
        max_steps: 0,
        packets_per_second: 0,
        packet_burst: 0,
        unproven_answer: 0,
        unproven_factor: 0,
        failures_per_second: 0,
        failure_burst: 0,
    };

    /// The largest answer to an unproven request of so many octets; never below the request, because what
    /// is no larger than what came amplifies nothing.
    pub fn unproven_answer(&self, request: usize) -> usize {
        let as_size = |limit: u32| if limit == 0 { usize::MAX } else { limit as usize };
        let by_factor = match self.unproven_factor {
            0 => usize::MAX,
            factor => request.saturating_mul(factor as usize),
        };
        as_size(self.unproven_answer).min(by_factor).max(request)
    }

    /// How many rows a GetBulk has at most, of so many names.
    pub fn repetitions(&self, wanted: u32, non_repeaters: u32, repeaters: u32) -> u32 {
        let mut most = wanted;
        if self.max_repetitions != 0 {
            most = most.min(self.max_repetitions);
        }
        if self.max_responses != 0 && repeaters != 0 {
            let left = self.max_responses.saturating_sub(non_repeaters);
            // One row at least: a walk that gets none never ends.
            most = most.min((left / repeaters).max(1));
        }
        most
    }
}

/// Whether an address of this transport may be forged: over UDP it costs nothing to send in another's name.
pub fn may_be_forged(peer: &Peer<'_>, source: Source) -> bool {
    // snmpUDPDomain (RFC 3417), and udpIpv4 to udpIpv6z (RFC 3419 §3).
    let is_udp = matches!(peer.domain, [1, 3, 6, 1, 6, 1, 1] | [1, 3, 6, 1, 2, 1, 100, 1, 1..=4]);
    is_udp && !is_this_machine(source)
}

/// What comes from this machine cannot be made to strike another.
fn is_this_machine(source: Source) -> bool {
    source.ip().is_none_or(|ip| ip.is_loopback())
}

/// What was refused or shortened.
#[derive(Debug, Default)]
pub struct Dropped {
    too_fast: AtomicU64,
    after_failures: AtomicU64,
    shortened: AtomicU64,
}

/// What was refused or shortened, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DroppedNow {
    /// Packets of sources that had used up theirs.
    pub too_fast: u64,
    /// Packets of sources and users with too many failed proofs.
    pub after_failures: u64,
    /// Answers that were made smaller, because their receiver had proven nothing.
    pub shortened: u64,
}

/// What sources have taken.
#[derive(Debug)]
pub struct Taken {
    packets: Buckets,
    failures: Buckets,
    /// Which source has proven what, and until when that counts.
    proofs: Buckets,
    /// Before this there may be a failure that still counts.
    failing_until: AtomicU64,
    dropped: Dropped,
    seed: u64,
}

/// So many sources are told apart.
const SOURCES: usize = 4096;
/// Failures of sources, of users, and of users at sources.
const FAILING: usize = 2048;
/// How long a source that failed as a user is kept from it, while the user is under attack.
const BARRED: Duration = Duration::from_secs(60);
/// How many communities at sources are remembered, and for how long.
const PROOFS: usize = 2048;
const PROVEN: Duration = Duration::from_secs(3600);
/// So many octets of an unproven answer count as a packet.
const OCTETS_AS_PACKET: usize = 512;

impl Default for Taken {
    fn default() -> Self {
        Taken {
            packets: Buckets::new(SOURCES),
            failures: Buckets::new(FAILING),
            proofs: Buckets::new(PROOFS),
            failing_until: AtomicU64::new(0),
            dropped: Dropped::default(),
            // Nobody outside knows which sources share a bucket.
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl Taken {
    /// Whether another packet of this source is looked at.
    pub fn admits(&self, limits: &Limits, now: Duration, source: Source) -> bool {
        let Some((key, rate)) = self.bucket_of(limits, source) else { return true };
        let admitted = self.packets.take(key, nanos(now), rate);
        if !admitted {
            self.dropped.too_fast.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Charges a source for an answer to which it has proven no right. It was made already, so it may overdraw
    /// what the source has.
    pub fn answered(&self, limits: &Limits, now: Duration, source: Source, octets: usize) {
        let packets = u64::try_from(octets / OCTETS_AS_PACKET).unwrap_or(u64::MAX);
        let Some((key, rate)) = self.bucket_of(limits, source).filter(|_| packets > 0) else {
            return;
        };
        self.packets.charge(key, nanos(now), rate.each.saturating_mul(packets));
    }

    /// The bucket that a source's packets come from; none for whoever has no limit.
    fn bucket_of(&self, limits: &Limits, source: Source) -> Option<(u64, Rate)> {
        let Limits { packets_per_second, packet_burst, .. } = *limits;
        let is_limited = packets_per_second != 0 && !is_this_machine(source);
        let block = source.block().filter(|_| is_limited)?;
        Some((self.key(block), Rate::new(packets_per_second, packet_burst)))
    }

    /// Takes note of a proof that was right: a community, where it came from.
    pub fn proved(&self, limits: &Limits, now: Duration, source: Source, proof: &[u8]) {
        if limits.failures_per_second == 0 {
            return;
        }
        let (at, key) = (nanos(now), self.proof_key(source, proof));
        // Written only when half of the time is over, not for every packet.
        if self.proofs.full_at(key) < at + nanos(PROVEN) / 2 {
            self.proofs.fill_at(key, at + nanos(PROVEN), at);
        }
    }

    /// Whether this source has proven the same not long ago.
    pub fn has_proven(&self, now: Duration, source: Source, proof: &[u8]) -> bool {
        self.proofs.full_at(self.proof_key(source, proof)) > nanos(now)
    }

    /// Whether a failure may still count: where not, nobody has to look at the clock.
    #[inline]
    pub fn has_anybody_failed(&self) -> bool {
        self.failing_until.load(Ordering::Relaxed) != 0
    }

    /// Whether a failure still counts: where not, nobody has to find out who a packet is from.
    pub fn is_anybody_failing(&self, now: Duration) -> bool {
        let until = self.failing_until.load(Ordering::Relaxed);
        let failing = nanos(now) < until;
        if !failing {
            // Whoever fails at this very moment says so anew; at worst one failure is forgiven.
            let _ =
                self.failing_until.compare_exchange(until, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        failing
    }

    /// Whether a packet is refused for what failed before it. Without a user's name it is only known where
    /// it came from.
    pub fn is_barred(
        &self,
        limits: &Limits,
        now: Duration,
        source: Source,
        user: Option<&[u8]>,
    ) -> bool {
        if limits.failures_per_second == 0 || !self.is_anybody_failing(now) {
            return false;
        }
        let at = nanos(now);
        let rate = Rate::new(limits.failures_per_second, limits.failure_burst);
        let [by_source, by_user, by_both] = self.failure_keys(source, user);
        let is_empty = |key: Option<u64>| key.is_some_and(|k| self.failures.is_empty(k, at, rate));
        let has_failed = |key: Option<u64>| key.is_some_and(|k| self.failures.full_at(k) > at);
        let barred = is_empty(by_source) || is_empty(by_user) && has_failed(by_both);
        if barred {
            self.dropped.after_failures.fetch_add(1, Ordering::Relaxed);
        }
        barred
    }

    /// Takes note of a failed proof.
    pub fn failed(&self, limits: &Limits, now: Duration, source: Source, user: Option<&[u8]>) {
        if limits.failures_per_second == 0 {
            return;
        }
        let at = nanos(now);
        let rate = Rate::new(limits.failures_per_second, limits.failure_burst);
        let [by_source, by_user, by_both] = self.failure_keys(source, user);
        for key in [by_source, by_user].into_iter().flatten() {
            self.failures.take(key, at, rate);
            self.failing_until.fetch_max(self.failures.full_at(key), Ordering::Relaxed);
        }
        if let Some(key) = by_both {
            self.failures.fill_at(key, at + nanos(BARRED), at);
            self.failing_until.fetch_max(at + nanos(BARRED), Ordering::Relaxed);
        }
    }

    /// Counts an answer that was made smaller.
    pub fn shortened(&self) {
        self.dropped.shortened.fetch_add(1, Ordering::Relaxed);
    }

    /// What was refused or shortened so far.
    pub fn dropped(&self) -> DroppedNow {
        let Dropped { too_fast, after_failures, shortened } = &self.dropped;
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DroppedNow {
            too_fast: now(too_fast),
            after_failures: now(after_failures),
            shortened: now(shortened),
        }
    }

    fn key(&self, of: u64) -> u64 {
        mix(of ^ self.seed)
    }

    /// The keys of a source, a user, and the user at the source. This machine is a source like others here.
    fn failure_keys(&self, source: Source, user: Option<&[u8]>) -> [Option<u64>; 3] {
        let source = self.key(source.block().unwrap_or(u64::MAX)) ^ 1;
        let user = user.filter(|name| !name.is_empty()).map(|name| self.hash(name) ^ 2);
        [Some(source), user, user.map(|user| mix(user ^ source))]
    }

    fn proof_key(&self, source: Source, proof: &[u8]) -> u64 {
        mix(self.hash(proof) ^ self.key(source.block().unwrap_or(u64::MAX)))
    }

    fn hash(&self, octets: &[u8]) -> u64 {
        octets.iter().fold(self.seed, |hash, octet| mix(hash ^ u64::from(*octet)))
    }
}

/// Nanoseconds since the engine's start: 584 years fit.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit that went in.
const fn mix(of: u64) -> u64 {
    let a = (of ^ (of >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const LIMITS: Limits = Limits {
        packets_per_second: 10,
        packet_burst: 5,
        failures_per_second: 1,
        failure_burst: 3,
        ..Limits::NONE
    };

    fn v4(last: u32) -> Source {
        Source::Internet(Ipv4Addr::from(0xc000_0200 | last).into(), 1)
    }

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn a_source_sends_its_burst_and_then_its_rate() {
        let taken = Taken::default();
        let admitted = |now, source| taken.admits(&LIMITS, now, source);
        assert_eq!((0..10).filter(|_| admitted(ms(0), v4(1))).count(), 5);
        assert!(admitted(ms(0), v4(2)), "one source takes nothing from another");
        // Ten a second for two seconds, asked a hundred times a second.
        assert_eq!((1..=200).filter(|at| admitted(ms(at * 10), v4(1))).count(), 20);
        assert_eq!(taken.dropped().too_fast, 5 + 180);
        assert_eq!((0..10).filter(|_| admitted(ms(60_000), v4(1))).count(), 5);
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_this_machine_none() {
        let taken = Taken::default();
        let v6 = |host: u128| Source::Internet(Ipv6Addr::from(0x2001_u128 << 112 | host).into(), 1);
        assert_eq!((0..10).filter(|host| taken.admits(&LIMITS, ms(0), v6(*host))).count(), 5);
        assert!(taken.admits(&LIMITS, ms(0), v6(1 << 64)));
        let here = [Source::Local, Source::Internet(IpAddr::V4(Ipv4Addr::LOCALHOST), 1)];
        assert!(here.iter().all(|here| (0..100).all(|_| taken.admits(&LIMITS, ms(0), *here))));
        assert!((0..100).all(|_| taken.admits(&Limits::NONE, ms(0), v4(1))));
    }

    #[test]
    fn unproven_answers_are_charged_by_their_octets() {
        let taken = Taken::default();
        taken.answered(&LIMITS, ms(0), v4(1), 511);
        taken.answered(&LIMITS, ms(0), v4(1), 512 * 4);
        assert_eq!((0..10).filter(|_| taken.admits(&LIMITS, ms(0), v4(1))).count(), 1);
        assert_eq!(taken.dropped().too_fast, 9);
        // With nothing left the largest is charged as well, and nobody was refused by that.
        taken.answered(&LIMITS, ms(0), v4(1), 512 * 10);
        assert_eq!(taken.dropped().too_fast, 9);
        assert!(!taken.admits(&LIMITS, ms(1000), v4(1)), "ten packets are a second's");
        assert!(taken.admits(&LIMITS, ms(1100), v4(1)));
    }

    #[test]
    fn whoever_has_proven_something_is_known_for_it_and_for_nothing_else() {
        let taken = Taken::default();
        taken.proved(&LIMITS, ms(0), v4(1), b"public");
        let known = |now, source, proof| taken.has_proven(now, source, proof);
        assert!(known(ms(0), v4(1), b"public"));
        assert!(!known(ms(0), v4(2), b"public") && !known(ms(0), v4(1), b"private"));
        let most = PROVEN.checked_sub(ms(1)).unwrap();
        assert!(known(most, v4(1), b"public") && !known(PROVEN, v4(1), b"public"));
        taken.proved(&LIMITS, most, v4(1), b"public");
        assert!(known(PROVEN + ms(1), v4(1), b"public"));
        taken.proved(&Limits::NONE, ms(0), v4(3), b"public");
        assert!(!known(ms(0), v4(3), b"public"), "without a limit nobody has to be known");
    }

    #[test]
    fn more_sources_than_there_is_room_for_make_it_laxer_and_no_larger() {
        let taken = Taken::default();
        let before = taken.packets.memory();
        for number in 0..100_000 {
            assert!(taken.admits(
                &LIMITS,
                ms(0),
                Source::Internet(Ipv4Addr::from(number + (1 << 28)).into(), 1)
            ));
        }
        assert_eq!(taken.packets.memory(), before);
    }

    #[test]
    fn a_source_that_keeps_failing_is_barred_for_a_while() {
        let taken = Taken::default();
        let barred = |now, source| taken.is_barred(&LIMITS, now, source, None);
        for _ in 0..3 {
            assert!(!barred(ms(0), v4(1)));
            taken.failed(&LIMITS, ms(0), v4(1), None);
        }
        assert!(barred(ms(0), v4(1)) && !barred(ms(0), v4(2)));
        assert!(!barred(ms(1000), v4(1)), "one more try a second");
        taken.failed(&LIMITS, ms(1000), v4(1), None);
        assert!(barred(ms(1000), v4(1)));
        assert!(taken.is_anybody_failing(ms(3999)) && !taken.is_anybody_failing(ms(4000)));
        assert_eq!(taken.dropped().after_failures, 2);
    }

    #[test]
    fn a_user_under_attack_is_closed_to_the_attackers_only() {
        let taken = Taken::default();
        let joe = Some(&b"joe"[..]);
        for attacker in 1..=4 {
            taken.failed(&LIMITS, ms(0), v4(attacker), joe);
        }
        let barred = |now, source, user| taken.is_barred(&LIMITS, now, source, user);
        assert!((1..=4).all(|attacker| barred(ms(1), v4(attacker), joe)));
        assert!(!barred(ms(1), v4(9), joe), "who has not failed is heard");
        assert!(!barred(ms(1), v4(1), Some(b"ann")), "and so are other users");
        assert!(!barred(ms(3000), v4(1), joe), "once the attack is over all are heard");
    }

    #[test]
    fn an_unproven_answer_is_small_but_never_smaller_than_its_request() {
        let limits = Limits { unproven_answer: 1472, unproven_factor: 10, ..Limits::NONE };
        assert_eq!(limits.unproven_answer(40), 400);
        assert_eq!(limits.unproven_answer(400), 1472);
        assert_eq!(limits.unproven_answer(2000), 2000);
        assert_eq!(Limits::NONE.unproven_answer(1), usize::MAX);
        let udp = Peer { domain: &[1, 3, 6, 1, 6, 1, 1], address: &[] };
        let tcp = Peer { domain: &[1, 3, 6, 1, 2, 1, 100, 1, 5], address: &[] };
        assert!(may_be_forged(&udp, v4(1)) && !may_be_forged(&tcp, v4(1)));
        assert!(!may_be_forged(&udp, Source::Local));
    }

    #[test]
    fn a_bulk_has_rows_within_both_limits_and_one_at_least() {
        let limits = Limits { max_repetitions: 100, max_responses: 30, ..Limits::NONE };
        assert_eq!(limits.repetitions(1000, 0, 1), 30);
        assert_eq!(limits.repetitions(10, 2, 4), 7);
        assert_eq!(limits.repetitions(10, 0, 40), 1);
        assert_eq!(limits.repetitions(0, 0, 40), 0);
        assert_eq!(Limits::NONE.repetitions(u32::MAX, 5, 1), u32::MAX);
    }
}
