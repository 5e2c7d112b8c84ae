//! A host for tests: components without a swap manager, in surroundings that offer nothing.

use s_proxy::gate::Fence;
use s_proxy::{Code, Component, Runtime, Surroundings, SwapControl, Table};
use s_sdk::Level;
use s_sdk::abi::{ModuleDescriptor, Status};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Nothing;

impl Surroundings for Nothing {
    fn log(&self, _: Level, _: &str, _: &str, _: &str) {}
    fn wall_clock(&self) -> u64 {
        0
    }
    fn count(&self, _: &str, _: &str, _: u64) {}
    fn publish(&self, _: &str, _: &str, _: &[u8]) -> Status {
        Status::NO_SUCH_NAME
    }
    fn subscribe(&self, _: &str, _: &str, _: bool) -> Status {
        Status::NO_SUCH_NAME
    }
    fn set_timer(&self, _: &str, _: u64, _: u64, _: u64) -> Status {
        Status::NO_SUCH_NAME
    }
    fn cancel_timer(&self, _: &str, _: u64) -> Status {
        Status::NO_SUCH_NAME
    }
    fn send(&self, _: &str, _: &str, _: &[u8]) -> Status {
        Status::NO_SUCH_NAME
    }
    fn resident(&self, _: &str, _: &str, _: u64) -> Result<&'static Table, Status> {
        Err(Status::NO_SUCH_NAME)
    }
    fn trouble(&self, _: &'static Component, _: u64, _: &str) {}
}

/// A runtime without components.
pub(crate) fn host() -> (&'static Runtime, SwapControl) {
    Runtime::start(Arc::new(Nothing), Fence::Everywhere)
}

/// Binds a statically linked module to a component, new or known.
pub(crate) fn serve(
    control: &SwapControl,
    name: &str,
    module: &'static ModuleDescriptor,
) -> &'static Component {
    let runtime = control.runtime();
    let component = runtime.component(name).unwrap_or_else(|| runtime.add_component(name).unwrap());
    let body = control.create(component, Code::linked(module)).unwrap();
    let soon = Instant::now() + Duration::from_secs(10);
    let flipped = control.flip_open(control.bind(&[(component, Some(body))]), soon).unwrap();
    // The one before stays loaded: it may be what a running activity began with.
    flipped.before.into_iter().for_each(std::mem::forget);
    component
}
