//! A fence for all threads of the process at once: what lets the gate's readers go without one.
//!
//! Only the private expedited command is used: it interrupts the processors that run this process's
//! threads. The global one waits for a grace period of milliseconds.
#![expect(unsafe_code, reason = "membarrier is a bare system call")]

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED` of the kernel's interface.
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
/// `MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED`.
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> libc::c_long {
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

/// Registers this process and answers the fence; `None` where the kernel has none.
pub fn register() -> Option<fn()> {
    (membarrier(REGISTER_PRIVATE_EXPEDITED) == 0).then_some(fence as fn())
}

/// Every thread of this process passes a full memory barrier before this returns.
fn fence() {
    // It can only fail when it was not registered; a full fence of this thread costs nothing beside it.
    membarrier(PRIVATE_EXPEDITED);
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_kernel_has_the_fence_or_says_so() {
        if let Some(fence) = super::register() {
            fence();
        }
    }
}
