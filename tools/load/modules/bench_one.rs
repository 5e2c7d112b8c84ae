//! `mib.bench` 1.0.0.

#[macro_use]
#[path = "bench.rs"]
mod bench;

bench_module!("1.0.0", 1);
