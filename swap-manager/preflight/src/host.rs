//! The host that a module meets in a rehearsal: it answers everything and does nothing.
//!
//! Time and randomness are real. Log lines, counts, timers, messages and events are noted, within bounds.
//! Another component is found but cannot be called; resident tables are small and forgotten.

use crate::report::LogLine;
use rustix::time::{ClockId, clock_gettime};
use s_sdk::abi::{BehaviorDesc, Status};
use s_sdk::component::{Binding, ComponentCore, ComponentLink};
use s_sdk::dynamic::{ValueOut, ValueRef};
use s_sdk::error::CallErrorKind;
use s_sdk::hosting::{Bound, BoundSide, GateKey, Gatekeeper, HostSide, Inside, Table};
use s_sdk::{Activity, CallError, Level};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lines, counters and effects that are kept of each kind.
const NOTES_MAX: usize = 256;
/// Characters that are kept of a text.
const TEXT_MAX: usize = 1024;
/// Rows that a table of the rehearsal holds.
const ROWS_MAX: usize = 65_536;

/// What a module did to its host.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) log: Vec<LogLine>,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) effects: Vec<String>,
    pub(crate) panics: Vec<String>,
    pub(crate) dropped: u64,
    /// S-critical sections that are open.
    pub(crate) critical: i64,
}

/// A resident table of the rehearsal: a sample of the real one, or empty.
pub(crate) struct SampleTable {
    row_hash: u64,
    row_size: usize,
    rows: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl SampleTable {
    pub(crate) fn new(row_hash: u64, row_size: usize, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let rows =
            rows.into_iter().filter(|(_, row)| row.len() == row_size).take(ROWS_MAX).collect();
        SampleTable { row_hash, row_size, rows: Mutex::new(rows) }
    }
}

impl Table for SampleTable {
    fn read(&self, key: &[u8], out: &mut [u8]) -> bool {
        match lock(&self.rows).get(key) {
            Some(row) if row.len() == out.len() => {
                out.copy_from_slice(row);
                true
            }
            _ => false,
        }
    }

    fn put(&self, key: &[u8], row: &[u8]) -> Status {
        let mut rows = lock(&self.rows);
        if row.len() != self.row_size {
            return Status::BAD_ARGUMENT;
        }
        if rows.len() >= ROWS_MAX && !rows.contains_key(key) {
            return Status::FULL;
        }
        rows.insert(key.to_vec(), row.to_vec());
        Status::OK
    }

    fn remove(&self, key: &[u8]) -> bool {
        lock(&self.rows).remove(key).is_some()
    }

    fn next(&self, after: &[u8], out: &mut [u8]) -> Option<Vec<u8>> {
        let rows = lock(&self.rows);
        let from = if after.is_empty() { Unbounded } else { Excluded(after) };
        let (key, row) = rows.range::<[u8], _>((from, Unbounded)).next()?;
        if row.len() != out.len() {
            return None;
        }
        out.copy_from_slice(row);
        Some(key.clone())
    }

    fn len(&self) -> u64 {
        lock(&self.rows).len() as u64
    }
}

/// The host of one instance.
pub(crate) struct RehearsalHost {
    notes: Mutex<Notes>,
    components: Vec<String>,
    tables: BTreeMap<String, &'static SampleTable>,
    elsewhere: &'static ComponentCore,
    asked_elsewhere: &'static AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

impl RehearsalHost {
    /// Tables and the component behind all lookups are leaked: the child ends soon.
    pub(crate) fn new(components: Vec<String>, tables: BTreeMap<String, SampleTable>) -> Self {
        // Not null: the component is there. Nobody looks behind it, because every slot is empty.
        let asked_elsewhere: &AtomicU64 = Box::leak(Box::default());
        let bound = Bound::new(std::ptr::dangling(), 0, Elsewhere(asked_elsewhere));
        let bound = Box::leak(Box::new(bound));
        let elsewhere = GateKey::new(0, bound.binding()).core();
        let tables =
            tables.into_iter().map(|(name, table)| (name, &*Box::leak(Box::new(table)))).collect();
        RehearsalHost { notes: Mutex::default(), components, tables, elsewhere, asked_elsewhere }
    }

    /// How often a call into another component was refused.
    pub(crate) fn asked_elsewhere(&self) -> u64 {
        self.asked_elsewhere.load(Ordering::Relaxed)
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }

    fn effect(&self, what: String) -> Status {
        let mut notes = self.notes();
        if notes.effects.len() < NOTES_MAX {
            notes.effects.push(what);
        } else {
            notes.dropped += 1;
        }
        Status::OK
    }
}

/// Asks each clock once.
pub(crate) fn look_at_clocks() {
    let _ = (nanos(ClockId::Monotonic), nanos(ClockId::Realtime));
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let (seconds, rest) =
        (time.tv_sec.unsigned_abs(), u64::try_from(time.tv_nsec).unwrap_or_default());
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

impl HostSide for RehearsalHost {
    type Table = SampleTable;

    fn log(&self, level: Level, message: &str) {
        let mut notes = self.notes();
        if notes.log.len() < NOTES_MAX {
            notes.log.push(LogLine { level: level as u32, text: short(message) });
        } else {
            notes.dropped += 1;
        }
    }

    fn now(&self) -> u64 {
        nanos(ClockId::Monotonic)
    }

    fn wall_clock(&self) -> u64 {
        nanos(ClockId::Realtime)
    }

    fn random(&self, octets: &mut [u8]) -> bool {
        getrandom::fill(octets).is_ok()
    }

    fn count(&self, name: &str, add: u64) {
        let mut notes = self.notes();
        let name = short(name);
        if notes.counts.len() < NOTES_MAX || notes.counts.contains_key(&name) {
            let counter = notes.counts.entry(name).or_default();
            *counter = counter.saturating_add(add);
        } else {
            notes.dropped += 1;
        }
    }

    fn lookup(&self, component: &str, _: &'static BehaviorDesc) -> Result<ComponentLink, Status> {
        let known = self.components.iter().any(|known| known == component);
        if known { Ok(ComponentLink::new(self.elsewhere, 0)) } else { Err(Status::NO_SUCH_NAME) }
    }

    fn publish(&self, tag: &str, payload: &[u8]) -> Status {
        self.effect(format!("publish {} ({} octets)", short(tag), payload.len()))
    }

    fn subscribe(&self, tag: &str, on: bool) -> Status {
        self.effect(format!("{} {}", if on { "subscribe" } else { "unsubscribe" }, short(tag)))
    }

    fn set_timer(&self, id: u64, after: u64, every: u64) -> Status {
        self.effect(format!("set_timer {id} after {after} ns every {every} ns"))
    }

    fn cancel_timer(&self, id: u64) -> Status {
        self.effect(format!("cancel_timer {id}"))
    }

    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status {
        self.effect(format!(
            "send {} to {} ({} octets)",
            short(kind),
            short(component),
            payload.len()
        ))
    }

    fn critical(&self, enters: bool) {
        self.notes().critical += if enters { 1 } else { -1 };
    }

    fn panicked(&self, message: &str) {
        let mut notes = self.notes();
        if notes.panics.len() < NOTES_MAX {
            notes.panics.push(short(message));
        }
    }

    fn resident(&self, name: &str, row_hash: u64) -> Result<&'static SampleTable, Status> {
        match self.tables.get(name) {
            Some(table) if table.row_hash == row_hash => Ok(table),
            Some(_) => Err(Status::BAD_ARGUMENT),
            None => Err(Status::NO_SUCH_NAME),
        }
    }
}

/// Any other component: there, but not to be called from a rehearsal. Each attempt is counted.
struct Elsewhere(&'static AtomicU64);

impl Elsewhere {
    fn refuse(&self) -> Status {
        self.0.fetch_add(1, Ordering::Relaxed);
        Status::REHEARSAL
    }
}

impl BoundSide for Elsewhere {
    fn lacking(&self, _: &Activity, _: &str, _: &[ValueRef<'_>], _: &mut ValueOut) -> Status {
        self.refuse()
    }

    fn invoke(&self, _: &Activity, _: &str, _: &[ValueRef<'_>], _: &mut ValueOut) -> Status {
        self.refuse()
    }

    fn failed(&self, _: &Activity, _: Status) {}
}

/// No gate closes in a rehearsal, so nobody comes this way.
pub(crate) struct NoGate;

impl Gatekeeper for NoGate {
    fn enter(&self, _: &Inside<'_>, _: &ComponentCore) -> Result<*const Binding, CallError> {
        Err(CallError::new(CallErrorKind::Rehearsal))
    }
}
