//! A thread's way of running activities.

use crate::component::{Component, ExceptionPolicy};
use crate::generation::Generation;
use crate::runtime::{ROLLBACK_WAIT, Runtime};
use s_sdk::Activity;
use s_sdk::hosting::{LaneDriver, Running};
use std::sync::Arc;
use std::time::Instant;

/// How often one request is begun anew because a module failed in it.
const ATTEMPTS: u32 = 3;

/// Runs activities, one at a time.
pub struct Worker {
    runtime: &'static Runtime,
    lane: LaneDriver,
}

impl Worker {
    pub(crate) fn new(runtime: &'static Runtime) -> Self {
        Worker { runtime, lane: runtime.gate().lane() }
    }

    /// Begins an activity, which ends when it is dropped. A module's failure is its caller's to handle.
    #[inline(always)]
    pub fn activity(&mut self) -> Running<'_> {
        self.lane.begin()
    }

    /// Serves one request: runs `request` as one activity, and again from its start when a module
    /// panicked in it and the component's policy has another version answer.
    ///
    /// The request is begun anew rather than continued, because a request is processed by one version
    /// of each component from its first byte to its last. What it did to other components before is the
    /// request's own business: a request with effects undoes them, or is safe to repeat.
    pub fn serve<T>(&mut self, mut request: impl FnMut(&Activity) -> T) -> T {
        let mut preferred: Option<(&'static Component, Arc<Generation>)> = None;
        let mut attempt = 1;
        loop {
            let act = match &preferred {
                Some((component, generation)) => {
                    self.lane.begin_preferring(component.core(), generation.bound())
                }
                None => self.lane.begin(),
            };
            let answer = request(&act);
            let failed = act.finish().and_then(|index| self.runtime.by_index(index));
            let Some(component) = failed.filter(|_| attempt < ATTEMPTS) else { return answer };
            attempt += 1;
            preferred = match component.policy() {
                ExceptionPolicy::Fail => return answer,
                // A predecessor that carries state gets its successor's state back first, if it is to come
                // back at all: what it did before that would be overwritten.
                ExceptionPolicy::RetryOnPredecessor => match component.predecessor() {
                    Some(predecessor)
                        if predecessor.carries_state() && component.wait_past_failure(soon()) =>
                    {
                        None
                    }
                    Some(predecessor) => Some((component, predecessor)),
                    None => return answer,
                },
                ExceptionPolicy::Rollback => {
                    if !component.wait_past_failure(soon()) {
                        return answer;
                    }
                    None
                }
            };
        }
    }
}

fn soon() -> Instant {
    Instant::now() + ROLLBACK_WAIT
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.runtime.gate().forget(&self.lane.watch());
    }
}
