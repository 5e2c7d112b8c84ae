//! What all routes share, and how work leaves the service's thread.
//!
//! Anything that waits for a disk, a child or a module's code runs on a helper thread. There are two rooms of
//! them: a module that hangs keeps the helpers that call modules, and never those that confirm, abort or roll back.

use crate::application::Application;
use crate::fault::Fault;
use crate::limits::Turns;
use s_control::SwapManager;
use s_events::SinkId;
use s_sdk::Level;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// How many helpers each room has.
pub(crate) const HELPERS: usize = 8;
/// How long a request may take, its body and its waiting aside.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// Which helpers do the work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Room {
    /// It asks the swap manager only.
    Manager,
    /// It may run a module's code, start a child, or ask the application.
    Modules,
}

pub(crate) struct Shared {
    pub(crate) manager: SwapManager,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) two_persons: bool,
    pub(crate) started: Instant,
    pub(crate) turns: Arc<Turns>,
    /// Told at the end of each swap.
    pub(crate) ended: Arc<Notify>,
    sink: Option<SinkId>,
    manager_helpers: Arc<Semaphore>,
    module_helpers: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(
        manager: SwapManager,
        application: Arc<dyn Application>,
        two_persons: bool,
    ) -> Arc<Self> {
        let ended = Arc::new(Notify::new());
        let tell = Arc::clone(&ended);
        let sink =
            manager.events().subscribe_with("swap.ended", Arc::new(move |_| tell.notify_waiters()));
        Arc::new(Shared {
            manager,
            application,
            two_persons,
            started: Instant::now(),
            turns: Arc::default(),
            ended,
            sink: sink.ok(),
            manager_helpers: Arc::new(Semaphore::new(HELPERS)),
            module_helpers: Arc::new(Semaphore::new(HELPERS)),
        })
    }

    /// Writes to the application's log. What callers wrote may be in it, and stays on its line.
    pub(crate) fn log(&self, level: Level, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        self.application.log(level, &line);
    }

    /// Does something on a helper thread.
    pub(crate) async fn off_thread<T: Send + 'static>(
        self: &Arc<Self>,
        room: Room,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let helpers = match room {
            Room::Manager => &self.manager_helpers,
            Room::Modules => &self.module_helpers,
        };
        let late =
            |_| Fault::unavailable(format!("not done within {REQUEST_TIME:?}; it may yet be"));
        let work = async {
            let place = Arc::clone(helpers).acquire_owned().await;
            let this = Arc::clone(self);
            let work = tokio::task::spawn_blocking(move || {
                let _place = place;
                work(&this)
            });
            work.await.map_err(|_| Fault::unavailable("this request met a bug; see the log"))
        };
        tokio::time::timeout(REQUEST_TIME, work).await.map_err(late)?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(sink) = self.sink {
            self.manager.events().leave(sink);
        }
    }
}
