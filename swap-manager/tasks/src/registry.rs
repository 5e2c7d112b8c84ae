//! The tasks of one S-application, by component name, and the bridge from events into mailboxes.
//!
//! What a module asks of its host by name (send, timers, subscriptions) ends here. Everything belongs
//! to the component and not to the module's version, so a successor finds it as it was.

use crate::mailbox::{Mailbox, Message, SendError, Statistics};
use crate::task::{Options, StillRunning, Task, TaskHandle};
use s_events::{EventError, Events, SinkId};
use s_proxy::{Component, Runtime};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// Why a task was not started, stopped or subscribed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The system gives no thread.
    #[error("no thread for the task of `{component}`: raise the limit on threads")]
    NoThread {
        /// The component.
        component: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The component has a task already.
    #[error("component `{component}` has a task already: stop it first")]
    Taken {
        /// The component.
        component: String,
    },
    /// The component has no task.
    #[error("component `{component}` has no task: start it first")]
    NoTask {
        /// The component.
        component: String,
    },
    /// A handler did not return in time.
    #[error(transparent)]
    StillRunning(#[from] StillRunning),
    /// The event manager did not take the subscription.
    #[error(transparent)]
    Event(#[from] EventError),
}

/// The tasks by component.
pub struct Tasks {
    runtime: &'static Runtime,
    events: Events,
    by_component: RwLock<HashMap<String, Arc<TaskHandle>>>,
    /// What each component subscribed to, and the sink that feeds its mailbox.
    subscriptions: Mutex<BTreeMap<(String, String), SinkId>>,
}

impl Tasks {
    /// No tasks yet. Subscriptions are made with `events`.
    pub fn new(runtime: &'static Runtime, events: Events) -> Self {
        Tasks { runtime, events, by_component: RwLock::default(), subscriptions: Mutex::default() }
    }

    /// Starts the task of a component.
    ///
    /// # Errors
    /// It has one, or the system gives no thread.
    pub fn start(
        &self,
        component: &'static Component,
        options: Options,
    ) -> Result<Mailbox, TaskError> {
        let mut tasks = self.by_component.write().unwrap_or_else(PoisonError::into_inner);
        if tasks.contains_key(component.name()) {
            return Err(TaskError::Taken { component: component.name().to_owned() });
        }
        let task = Task::spawn(self.runtime, component, options)?;
        let mailbox = task.mailbox();
        tasks.insert(component.name().to_owned(), Arc::new(task));
        Ok(mailbox)
    }

    fn task(&self, component: &str) -> Option<Arc<TaskHandle>> {
        self.by_component.read().unwrap_or_else(PoisonError::into_inner).get(component).cloned()
    }

    /// The mailbox of a component.
    ///
    /// # Errors
    /// It has no task.
    pub fn mailbox(&self, component: &str) -> Result<Mailbox, SendError> {
        match self.task(component) {
            Some(task) => Ok(task.mailbox()),
            None => Err(SendError::NoTask { component: component.to_owned() }),
        }
    }

    /// Puts a message in a component's mailbox.
    ///
    /// # Errors
    /// As for [`Mailbox::send`], or the component has no task.
    pub fn send(&self, component: &str, kind: &str, payload: &[u8]) -> Result<(), SendError> {
        self.mailbox(component)?.send(kind, payload)
    }

    /// Starts a timer of a component, or starts it again.
    ///
    /// # Errors
    /// As for [`Mailbox::set_timer`], or the component has no task.
    pub fn set_timer(
        &self,
        component: &str,
        id: u64,
        after: Duration,
        every: Option<Duration>,
    ) -> Result<(), SendError> {
        self.mailbox(component)?.set_timer(id, after, every)
    }

    /// Stops a timer of a component; false when there was none.
    ///
    /// # Errors
    /// The component has no task.
    pub fn cancel_timer(&self, component: &str, id: u64) -> Result<bool, SendError> {
        Ok(self.mailbox(component)?.cancel_timer(id))
    }

    /// Passes a signal on to a component's module.
    ///
    /// # Errors
    /// As for [`Mailbox::signal`], or the component has no task.
    pub fn signal(&self, component: &str, number: i32) -> Result<(), SendError> {
        self.mailbox(component)?.signal(number)
    }

    /// Passes a signal on to every component's module; answers who did not take it, and why.
    pub fn signal_all(&self, number: i32) -> Vec<SendError> {
        let tasks: Vec<_> = self.all().into_values().collect();
        tasks.iter().filter_map(|task| task.signal(number).err()).collect()
    }

    /// Events of a pattern arrive in a component's mailbox, as messages whose kind is the tag. Asking
    /// again for the same changes nothing, so every version of a module may ask at its start.
    ///
    /// # Errors
    /// The component has no task, or the pattern is none.
    pub fn subscribe(&self, component: &str, pattern: &str) -> Result<(), TaskError> {
        let task = self
            .task(component)
            .ok_or_else(|| TaskError::NoTask { component: component.to_owned() })?;
        let mut subscriptions = self.subscriptions();
        if let Entry::Vacant(place) =
            subscriptions.entry((component.to_owned(), pattern.to_owned()))
        {
            let mailbox = task.mailbox();
            place.insert(
                self.events
                    .subscribe_with(pattern, Arc::new(move |event| mailbox.put_event(event)))?,
            );
        }
        Ok(())
    }

    /// No more events of a pattern for a component; false when it had not asked.
    pub fn unsubscribe(&self, component: &str, pattern: &str) -> bool {
        let sink = self.subscriptions().remove(&(component.to_owned(), pattern.to_owned()));
        sink.is_some_and(|sink| self.events.leave(sink))
    }

    /// Stops the task of a component and ends its subscriptions; answers what was accepted and not handled.
    ///
    /// # Errors
    /// It has no task, or a handler did not return in time; then the task is kept, to be stopped again.
    pub fn stop(&self, component: &str, wait: Duration) -> Result<Vec<Message>, TaskError> {
        let task = self
            .task(component)
            .ok_or_else(|| TaskError::NoTask { component: component.to_owned() })?;
        let mut subscriptions = self.subscriptions();
        let (own, others) = std::mem::take(&mut *subscriptions)
            .into_iter()
            .partition(|((name, _), _)| name == component);
        *subscriptions = others;
        drop(subscriptions);
        let own: BTreeMap<(String, String), SinkId> = own;
        for sink in own.into_values() {
            self.events.leave(sink);
        }
        let rest = task.stop(wait)?;
        self.by_component.write().unwrap_or_else(PoisonError::into_inner).remove(component);
        Ok(rest)
    }

    /// Stops all tasks, each within `wait`; answers by component what was left or why it runs on.
    pub fn stop_all(&self, wait: Duration) -> BTreeMap<String, Result<Vec<Message>, TaskError>> {
        let tasks = self.all();
        // All are told first, so that their last handlers run at the same time.
        for task in tasks.values() {
            task.mailbox().stop();
        }
        tasks
            .into_keys()
            .map(|component| (component.clone(), self.stop(&component, wait)))
            .collect()
    }

    /// What happened in each task so far.
    pub fn statistics(&self) -> BTreeMap<String, Statistics> {
        self.all().into_iter().map(|(component, task)| (component, task.statistics())).collect()
    }

    fn all(&self) -> BTreeMap<String, Arc<TaskHandle>> {
        let tasks = self.by_component.read().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().map(|(component, task)| (component.clone(), Arc::clone(task))).collect()
    }

    fn subscriptions(&self) -> MutexGuard<'_, BTreeMap<(String, String), SinkId>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
