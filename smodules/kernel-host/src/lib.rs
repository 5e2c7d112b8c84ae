//! What the kernel says of the host: memory, processors, filesystems, disks; what MIB modules share.
//!
//! No module itself. It never fails as a whole: what an older kernel does not say is 0 or left out, and it
//! never asks for anything that another host would have to answer.
//!
//! In reading order: [`memory`], [`processors`], [`mounts`], [`disks`]; [`numbers`] are what rows are known
//! by that the kernel gives a name only.

pub mod memory;
pub mod processors;

pub mod disks;
pub mod mounts;

pub mod numbers;

pub use disks::{Disk, Drive};
pub use memory::Memory;
pub use mounts::{Mount, Space};
pub use numbers::Numbers;
pub use processors::{Activity, Ticks};

/// A file of the kernel's, as text; empty where there is none.
pub fn text(path: &str) -> String {
    // What is no UTF-8 in a path or a name is shown as such rather than hiding the whole file.
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
