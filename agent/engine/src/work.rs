//! What one request may cost: which modules are asked, who looks on meanwhile, and how often a walk goes on
//! past what is not for its sender.

use crate::dispatch::Engine;
use crate::pace::{Patience, Progress};
use crate::registry::Range;
use roles::mib::{MibAccessProxy, MibError};
use roles::varbind::ErrorStatus;
use std::cell::Cell;

/// The work for one request.
pub(crate) struct Work<'a> {
    engine: &'a Engine,
    patience: Patience,
    progress: Option<&'a Progress>,
    /// Those that it was left for.
    awaited: &'a [usize],
    steps: Cell<u32>,
    left_for: Cell<Option<usize>>,
    is_exhausted: Cell<bool>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        patience: Patience,
        progress: Option<&'a Progress>,
        awaited: &'a [usize],
    ) -> Self {
        Work {
            engine,
            patience,
            progress,
            awaited,
            steps: Cell::new(0),
            left_for: Cell::new(None),
            is_exhausted: Cell::new(false),
        }
    }

    /// Whether a module is asked now. If not, the request is left for later, or the answer is genErr.
    pub(crate) fn may_ask(&self, range: &Range) -> bool {
        let component = range.component;
        if !self.engine.pace.is_slow(component) {
            return true;
        }
        match self.patience {
            Patience::Waiting => true,
            Patience::WaitingFor if self.awaited.contains(&component) => true,
            Patience::WaitingFor | Patience::Leaving => {
                self.left_for.set(Some(component));
                false
            }
            Patience::Avoiding => false,
        }
    }

    /// Whether the deadline of the request has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.patience == Patience::Avoiding
    }

    /// Asks a module, unless it is slow and this request does not wait for it.
    #[inline]
    pub(crate) fn ask<T>(
        &self,
        range: &Range,
        call: impl FnOnce(&MibAccessProxy) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        if !self.may_ask(range) {
            return Err(MibError { status: ErrorStatus::GenErr, index: 0, call: 0 });
        }
        self.call(range, call)
    }

    /// Calls a module, come what may.
    #[inline]
    pub(crate) fn call<T>(
        &self,
        range: &Range,
        call: impl FnOnce(&MibAccessProxy) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        if let Some(progress) = self.progress {
            progress.enter(range.component, range.generation);
        }
        let answer = if self.patience == Patience::Leaving {
            call(&range.module)
        } else {
            let before = self.engine.facts.now();
            let answer = call(&range.module);
            let took = self.engine.facts.now().saturating_sub(before);
            self.engine.pace.took(range.component, range.generation, took);
            answer
        };
        if let Some(progress) = self.progress {
            progress.leave();
        }
        answer
    }

    /// Does what is no module's and may take long, in sight of whoever looks after this thread.
    pub(crate) fn beside<T>(&self, act: impl FnOnce() -> T) -> T {
        if let Some(progress) = self.progress {
            progress.enter_other();
        }
        let done = act();
        if let Some(progress) = self.progress {
            progress.leave();
        }
        done
    }

    /// Goes on past a name that is not for the sender, if this request may.
    pub(crate) fn may_step(&self) -> bool {
        let most = self.engine.limits.max_steps;
        self.steps.set(self.steps.get() + 1);
        let may = most == 0 || self.steps.get() <= most;
        self.is_exhausted.set(!may);
        may
    }

    /// The component that the request is left for later for.
    pub(crate) fn left_for(&self) -> Option<usize> {
        self.left_for.get()
    }

    /// The request went past as much as it may.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.is_exhausted.get()
    }
}
