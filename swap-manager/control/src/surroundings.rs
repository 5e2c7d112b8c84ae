//! What modules get from this host: log, clock, counters, events, mailboxes, timers, resident tables.

use crate::timing::Report;
use s_events::Events;
use s_proxy::{Component, Surroundings, Table};
use s_sdk::Level;
use s_sdk::abi::Status;
use s_state::resident::{Resident, ResidentError, ResidentTables, RowShape};
use crate::tasks_stub::TasksStub as Tasks;
use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where log lines go: level, component, version, message.
pub type LogSink = Arc<dyn Fn(Level, &str, &str, &str) + Send + Sync>;

/// Counters by component and name.
pub(crate) type Counters = Arc<Mutex<BTreeMap<(String, String), u64>>>;

pub(crate) struct Around {
    pub(crate) log: LogSink,
    pub(crate) counters: Counters,
    pub(crate) events: Arc<Events>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) tables: Arc<ResidentTables>,
    /// Tables that modules hold; leaked, because a module's handle has no lifetime.
    pub(crate) lent: Mutex<BTreeMap<(String, String), &'static Table>>,
    pub(crate) reports: Mutex<Sender<Report>>,
}

impl Surroundings for Around {
    fn log(&self, level: Level, component: &str, version: &str, message: &str) {
        (self.log)(level, component, version, message);
    }

    fn wall_clock(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn count(&self, component: &str, name: &str, add: u64) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry((component.to_owned(), name.to_owned())).or_default();
        *counter = counter.wrapping_add(add);
    }

    fn publish(&self, component: &str, tag: &str, payload: &[u8]) -> Status {
        if self.events.publish(tag, component, payload).is_ok() { Status::OK } else { Status::REFUSED }
    }

    fn subscribe(&self, component: &str, tag: &str, on: bool) -> Status {
        let done = if on { self.tasks.subscribe(component, &self.events, tag) } else { self.tasks.unsubscribe(component, tag) };
        if done { Status::OK } else { Status::NO_SUCH_NAME }
    }

    fn set_timer(&self, component: &str, id: u64, after: u64, every: u64) -> Status {
        if self.tasks.set_timer(component, id, after, every) { Status::OK } else { Status::NO_SUCH_NAME }
    }

    fn cancel_timer(&self, component: &str, id: u64) -> Status {
        if self.tasks.cancel_timer(component, id) { Status::OK } else { Status::NO_SUCH_NAME }
    }

    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status {
        self.tasks.send_status(component, kind, payload)
    }

    fn resident(&self, component: &str, name: &str, row_hash: u64) -> Result<&'static Table, Status> {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (component.to_owned(), name.to_owned());
        let opened = self.tables.open(component, name, RowShape(row_hash), None);
        let table = opened.map_err(|error| {
            (self.log)(Level::Error, component, "", &error.to_string());
            Status::REFUSED
        })?;
        // The same rows are lent through the same handle, whichever version asks.
        match lent.get(&key) {
            Some(known) => Ok(known),
            None => {
                let handle = Table::leak(Lent(table));
                lent.insert(key, handle);
                Ok(handle)
            }
        }
    }

    fn trouble(&self, component: &'static Component, generation: u64, message: &str) {
        let report = Report { component: component.name().to_owned(), generation, message: message.to_owned() };
        // A manager that is gone rolls nothing back any more; its components go on serving.
        let _ = self.reports.lock().unwrap_or_else(PoisonError::into_inner).send(report);
    }
}

/// A resident table as the boundary wants it.
struct Lent(Arc<Resident>);

impl s_sdk::hosting::Table for Lent {
    fn read(&self, key: &[u8], row: &mut [u8]) -> bool {
        let copied = self.0.get(key, |stored| {
            let fits = stored.len() == row.len();
            if fits {
                row.copy_from_slice(stored);
            }
            fits
        });
        copied.unwrap_or(false)
    }

    fn put(&self, key: &[u8], row: &[u8]) -> Status {
        match self.0.insert(key, row) {
            Ok(_) => Status::OK,
            Err(ResidentError::Full { .. }) => Status::FULL,
            Err(_) => Status::REFUSED,
        }
    }

    fn remove(&self, key: &[u8]) -> bool {
        self.0.remove(key)
    }

    fn next(&self, after: &[u8], row: &mut [u8]) -> Option<Vec<u8>> {
        let found = self.0.next_after(after, |key, stored| {
            (stored.len() == row.len()).then(|| {
                row.copy_from_slice(stored);
                key.to_vec()
            })
        });
        found.flatten()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }
}
