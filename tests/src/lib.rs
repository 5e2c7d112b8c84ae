//! Fixtures, scenarios, contract suites and benchmarks of the runtime.
