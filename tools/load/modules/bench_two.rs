//! `mib.bench` 2.0.0.

#[macro_use]
#[path = "bench.rs"]
mod bench;

bench_module!("2.0.0", 2);
