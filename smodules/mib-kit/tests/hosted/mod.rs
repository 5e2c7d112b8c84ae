//! A host for tests: components without a swap manager, in surroundings that offer nothing.

use s_proxy::gate::Fence;
use s_proxy::{Code, Component, Runtime, Surroundings, SwapControl};
use s_sdk::abi::ModuleDescriptor;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Nothing;

impl Surroundings for Nothing {}

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
    let group = control.bind(&[(component, Some(body))]);
    control.take(soon).unwrap().flip_open(group);
    component
}
