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
                    let act = self.lane.begin_preferring(component.core(), generation.bound());
                    // Asked again with the pin announced: whoever ends it from here on waits for this.
                    if component.stand_in().is_some_and(|now| Arc::ptr_eq(&now, generation)) {
                        act
                    } else {
                        drop(act);
                        self.lane.begin()
                    }
                }
                None => self.lane.begin(),
            };
            let answer = request(&act);
            let failed = act.finish().and_then(|index| self.runtime.by_index(index));
            let Some(component) = failed.filter(|_| attempt < ATTEMPTS) else { return answer };
            attempt += 1;
            let stand_in = match component.policy() {
                ExceptionPolicy::Fail => return answer,
                ExceptionPolicy::RetryOnPredecessor => component.stand_in(),
                ExceptionPolicy::Rollback => None,
            };
            // Where nobody may stand in, the predecessor answers once it is back.
            if stand_in.is_none() && !component.wait_past_failure(soon()) {
                return answer;
            }
            preferred = stand_in.map(|generation| (component, generation));
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
