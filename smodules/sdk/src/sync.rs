//! The atomics of the gate: the machine's own, or the model checker's.
//!
//! The reader's fence is only a compiler fence, because the writer makes every core pass a memory
//! barrier (`membarrier`) before it looks at what readers announced. Where that system call is missing,
//! and while a gate closes, the host tells each lane to use the full fence. The model has no asymmetric fence, so there both
//! sides use the full one: what membarrier adds to the compiler fence is exactly that.

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};

/// Orders a reader's announcement before its next look, given a writer that fences for both.
#[inline(always)]
pub fn announce_fence(full: bool) {
    #[cfg(loom)]
    {
        let _ = full;
        fence(Ordering::SeqCst);
    }
    #[cfg(not(loom))]
    if full {
        fence(Ordering::SeqCst);
    } else {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    }
}
