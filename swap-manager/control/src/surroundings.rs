//! What modules get from this host: log, clock, counters, events, mailboxes, timers, resident tables.

use crate::timing::Report;
use s_events::Events;
use s_proxy::{Component, Surroundings, Table};
use s_sdk::Level;
use s_sdk::abi::Status;
use s_state::resident::{Resident, ResidentError, ResidentTables, RowShape};
use s_tasks::{SendError, TaskError, Tasks};
use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where log lines go: level, component, version, message.
pub type LogSink = Arc<dyn Fn(Level, &str, &str, &str) + Send + Sync>;

/// Counters by component and name.
pub(crate) type Counters = Arc<Mutex<BTreeMap<(String, String), u64>>>;

/// The handles that modules hold, by component, table and row shape.
type Handles = BTreeMap<(String, String, RowShape), &'static Table>;

pub(crate) struct Around {
    pub(crate) log: LogSink,
    pub(crate) counters: Counters,
    pub(crate) events: Events,
    /// Made after the runtime, which is made after this.
    pub(crate) tasks: OnceLock<Arc<Tasks>>,
    pub(crate) tables: Arc<ResidentTables>,
    /// Leaked, because a module's handle has no lifetime: one for each row type that ever came to a table. Its
    /// rows are not: they are given back behind it.
    pub(crate) lent: Mutex<Handles>,
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
        if self.events.publish(tag, component, payload).is_ok() {
            Status::OK
        } else {
            Status::REFUSED
        }
    }

    fn subscribe(&self, component: &str, tag: &str, on: bool) -> Status {
        let Some(tasks) = self.tasks.get() else { return Status::NO_SUCH_NAME };
        if !on {
            return if tasks.unsubscribe(component, tag) {
                Status::OK
            } else {
                Status::NO_SUCH_NAME
            };
        }
        match tasks.subscribe(component, tag) {
            Ok(()) => Status::OK,
            Err(TaskError::NoTask { .. }) => Status::NO_SUCH_NAME,
            Err(_) => Status::REFUSED,
        }
    }

    fn set_timer(&self, component: &str, id: u64, after: u64, every: u64) -> Status {
        let every = (every != 0).then(|| Duration::from_nanos(every));
        self.with_tasks(|tasks| tasks.set_timer(component, id, Duration::from_nanos(after), every))
    }

    fn cancel_timer(&self, component: &str, id: u64) -> Status {
        // A timer that fired already is as good as cancelled.
        self.with_tasks(|tasks| tasks.cancel_timer(component, id).map(drop))
    }

    fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Status {
        self.with_tasks(|tasks| tasks.send(component, kind, payload))
    }

    fn resident(
        &self,
        component: &str,
        name: &str,
        row_hash: u64,
    ) -> Result<&'static Table, Status> {
        let shape = RowShape(row_hash);
        let rows = self.tables.open(component, name, shape, None).map_err(|error| {
            (self.log)(Level::Error, component, "", &error.to_string());
            Status::REFUSED
        })?;
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        // The same rows are lent through the same handle, whichever version asks.
        let handle = lent.entry((component.to_owned(), name.to_owned(), shape));
        Ok(handle.or_insert_with(|| Table::leak(Lent(rows))))
    }

    fn trouble(&self, component: &'static Component, generation: u64, message: &str) {
        let report = Report {
            component: component.name().to_owned(),
            generation,
            message: message.to_owned(),
        };
        // A manager that is gone rolls nothing back any more; its components go on serving.
        let _ = self.reports.lock().unwrap_or_else(PoisonError::into_inner).send(report);
    }
}

impl Around {
    fn with_tasks(&self, ask: impl FnOnce(&Tasks) -> Result<(), SendError>) -> Status {
        match self.tasks.get().map(|tasks| ask(tasks)) {
            Some(Ok(())) => Status::OK,
            Some(Err(SendError::Full { .. })) => Status::FULL,
            Some(Err(SendError::NoTask { .. })) | None => Status::NO_SUCH_NAME,
            Some(Err(_)) => Status::REFUSED,
        }
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
