//! Who is connected, and who has to go when somebody else wants to come.
//!
//! Invariant: there are never more connections than [`ALL`], and the one that gives way is one that waits for
//! nothing; so neither idle nor slow callers keep others out.

use crate::operators::Caller;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// Connections in all.
pub(crate) const ALL: usize = 64;
/// Connections of one operator.
pub(crate) const EACH: usize = 16;

/// One connection.
pub(crate) struct Connection {
    caller: OnceLock<Caller>,
    /// Requests that are being answered.
    busy: AtomicUsize,
    quiet_since: Mutex<Instant>,
    /// Told when it has to go.
    pub(crate) close: Notify,
}

impl Connection {
    /// Who calls; none before the handshake.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// A request is being answered until the guard goes.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    fn quiet_since(&self) -> MutexGuard<'_, Instant> {
        self.quiet_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Connection::busy`].
pub(crate) struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.quiet_since() = Instant::now();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All connections.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Vec<Arc<Connection>>>>);

impl Connections {
    fn list(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer; none when nobody can give way.
    pub(crate) fn join(&self) -> Option<Place> {
        let mut list = self.list();
        if list.len() >= ALL {
            give_way(&mut list, |_| true)?;
        }
        let connection = Arc::new(Connection {
            caller: OnceLock::new(),
            busy: AtomicUsize::new(0),
            quiet_since: Mutex::new(Instant::now()),
            close: Notify::new(),
        });
        list.push(Arc::clone(&connection));
        Some(Place { connections: self.clone(), connection })
    }
}

/// The one of these that has waited for nothing for longest goes; none where all wait for an answer.
fn give_way(list: &mut Vec<Arc<Connection>>, may_go: impl Fn(&Connection) -> bool) -> Option<()> {
    let is_idle = |c: &Connection| may_go(c) && c.busy.load(Ordering::Relaxed) == 0;
    let idle = list.iter().enumerate().filter(|(_, connection)| is_idle(connection));
    let (oldest, _) = idle.min_by_key(|(_, connection)| *connection.quiet_since())?;
    list.remove(oldest).close.notify_one();
    Some(())
}

/// A connection's place, given back when it is dropped.
pub(crate) struct Place {
    connections: Connections,
    pub(crate) connection: Arc<Connection>,
}

impl Place {
    /// Says who calls. Of too many of one caller's connections an idle one gives way; false where none is.
    pub(crate) fn is_of(&self, caller: Caller) -> bool {
        let mut list = self.connections.list();
        let same = |c: &Connection| c.caller().is_some_and(|other| other.name == caller.name);
        let has_enough = list.iter().filter(|connection| same(connection)).count() >= EACH;
        let has_place = !has_enough || give_way(&mut list, same).is_some();
        // Once per connection; a second time would change nothing.
        let _ = self.connection.caller.set(caller);
        has_place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.list().retain(|other| !Arc::ptr_eq(other, &self.connection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Caller {
        Caller { name: name.to_owned(), roles: Vec::new(), local: false, is_owner: false }
    }

    #[test]
    fn the_oldest_that_waits_for_nothing_gives_way() {
        let connections = Connections::default();
        let mut places: Vec<Place> = (0..ALL).map(|_| connections.join().unwrap()).collect();
        let busy = places[0].connection.busy();
        let newcomer = connections.join().unwrap();
        assert_eq!(connections.list().len(), ALL);
        let is_there = |place: &Place| {
            connections.list().iter().any(|other| Arc::ptr_eq(other, &place.connection))
        };
        assert!(is_there(&places[0]) && !is_there(&places[1]) && is_there(&newcomer));
        drop(busy);
        places.push(newcomer);
        let all: Vec<Busy> = places.iter().map(|place| place.connection.busy()).collect();
        assert!(connections.join().is_none(), "all are busy");
        drop(all);
        places.clear();
        assert!(connections.list().is_empty());
    }

    #[test]
    fn one_operator_does_not_take_all_places() {
        let connections = Connections::default();
        let places: Vec<Place> = (0..EACH).map(|_| connections.join().unwrap()).collect();
        assert!(places.iter().all(|place| place.is_of(caller("ada"))));
        let busy: Vec<Busy> = places.iter().map(|place| place.connection.busy()).collect();
        assert!(!connections.join().unwrap().is_of(caller("ada")), "all of hers are busy");
        assert!(connections.join().unwrap().is_of(caller("bob")));
        drop(busy);
        let newcomer = connections.join().unwrap();
        assert!(newcomer.is_of(caller("ada")), "an idle one of hers gives way");
        assert_eq!(connections.list().len(), EACH);
    }
}
