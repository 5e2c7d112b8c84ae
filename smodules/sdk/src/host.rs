//! What a module gets from the outside, and the only way to get it.

use crate::abi::{HostLink, HostServices, Slice, Status, Text};
use crate::component::{ComponentLink, ProxyOf};
use crate::error::CallError;
use crate::resident::Resident;
use crate::shape::Plain;
use crate::value::Value;
use std::time::Duration;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error = 0,
    /// Something is wrong but goes on.
    Warning = 1,
    /// Something an operator may want to know.
    Info = 2,
    /// Something a developer wants to know.
    Debug = 3,
}

/// The host's services, handed to a module at `init`. Copies are handles on the same host.
#[derive(Clone, Copy)]
pub struct Host(HostLink);

macro_rules! service {
    ($host:expr, $name:ident $(, $arg:expr)*) => {{
        let link = &$host.0;
        let service = link.services.$name;
        // SAFETY: context and services came together from the host, which keeps both for as long as
        // the instance lives; arguments are borrowed for the call only.
        unsafe { service(link.context $(, $arg)*) }
    }};
}

fn done(status: Status) -> Result<(), CallError> {
    if status == Status::OK { Ok(()) } else { Err(CallError::from_status(status)) }
}

impl Host {
    /// The host behind a link.
    pub const fn new(link: HostLink) -> Self {
        Host(link)
    }

    /// Writes a log line.
    pub fn log(&self, level: Level, message: &str) {
        service!(self, log, level as u32, Text::new(message));
    }

    /// Time on a clock that never steps.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(service!(self, now))
    }

    /// Time since 1970, as the host's clock has it.
    pub fn wall_clock(&self) -> Duration {
        Duration::from_nanos(service!(self, wall_clock))
    }

    /// Fills a buffer with random octets.
    pub fn random(&self, octets: &mut [u8]) -> Result<(), CallError> {
        done(service!(self, random, octets.as_mut_ptr(), octets.len()))
    }

    /// Adds to a counter that the host publishes.
    pub fn count(&self, name: &str, add: u64) {
        service!(self, count, Text::new(name), add);
    }

    /// Resolves another component. The proxy stays good whatever is swapped behind it.
    pub fn lookup<P: ProxyOf>(&self, component: &str) -> Result<P, CallError> {
        let mut link = ComponentLink::unlinked();
        done(service!(self, lookup, Text::new(component), P::behavior(), &mut link))?;
        Ok(P::over(link))
    }

    /// Publishes an event by tag.
    pub fn publish(&self, tag: &str, payload: &Value) -> Result<(), CallError> {
        done(service!(self, publish, Text::new(tag), Slice::new(&payload.encode())))
    }

    /// Events of a tag arrive in this module's mailbox, as messages of that kind.
    pub fn subscribe(&self, tag: &str) -> Result<(), CallError> {
        done(service!(self, subscribe, Text::new(tag)))
    }

    /// No more events of a tag.
    pub fn unsubscribe(&self, tag: &str) -> Result<(), CallError> {
        done(service!(self, unsubscribe, Text::new(tag)))
    }

    /// Starts a timer, or starts it again; it belongs to the component and survives a swap.
    pub fn set_timer(
        &self,
        id: u64,
        after: Duration,
        every: Option<Duration>,
    ) -> Result<(), CallError> {
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        done(service!(self, set_timer, id, nanos(after), every.map_or(0, nanos)))
    }

    /// Stops a timer.
    pub fn cancel_timer(&self, id: u64) -> Result<(), CallError> {
        done(service!(self, cancel_timer, id))
    }

    /// Puts a message in another component's mailbox; `Full` when it has no room.
    pub fn send(&self, component: &str, kind: &str, payload: &Value) -> Result<(), CallError> {
        done(service!(
            self,
            send,
            Text::new(component),
            Text::new(kind),
            Slice::new(&payload.encode())
        ))
    }

    /// Begins an S-critical section: until the guard is dropped this module is not swappable.
    #[must_use = "the section ends when the guard is dropped"]
    pub fn critical(&self) -> Critical {
        service!(self, critical, true);
        Critical(*self)
    }

    /// Opens a resident table: rows that the host owns and that survive a swap without moving.
    pub fn resident<T: Plain>(&self, name: &str) -> Result<Resident<T>, CallError> {
        let mut table = std::ptr::null();
        done(service!(self, resident_open, Text::new(name), T::SHAPE.hash(), &mut table))?;
        Ok(Resident::new(table, self.services()))
    }

    pub(crate) fn services(&self) -> &'static HostServices {
        self.0.services
    }

    pub(crate) fn panicked(&self, message: &str) {
        service!(self, panicked, Text::new(message));
    }
}

/// An S-critical section. A swap waits for its end, within the swap's deadline.
pub struct Critical(Host);

impl Drop for Critical {
    fn drop(&mut self) {
        service!(self.0, critical, false);
    }
}
