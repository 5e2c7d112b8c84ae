//! How long a thread's turns on a processor are: whoever asks for short ones is let on sooner.
//!
//! Shares stay what they are; a thread that runs without pause gives way more often. It never asks for
//! real time, and where the kernel (before Linux 6.12) or a filter of system calls refuses, nothing changes.
#![expect(unsafe_code, reason = "sched_setattr has no safe form that sets this")]

/// The shortest that the kernel takes.
const TURN_NS: u64 = 100_000;

/// Asks for short turns for this thread: one that is waited for, by managers or at a closed gate.
pub fn be_short() {
    let Ok(size) = u32::try_from(size_of::<libc::sched_attr>()) else { return };
    // SAFETY: zero is a value of each of its numbers.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: 0 is this thread; the kernel writes at most `size` octets there.
    let got =
        unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0_u32) };
    let ordinary = [libc::SCHED_OTHER, libc::SCHED_BATCH];
    if got != 0 || !ordinary.iter().any(|own| u32::try_from(*own) == Ok(attributes.sched_policy)) {
        return;
    }
    attributes.size = size;
    attributes.sched_runtime = TURN_NS;
    // SAFETY: 0 is this thread; the kernel reads `size` octets, which are what it told but for the turn.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0_u32) };
}

#[cfg(test)]
mod tests {
    /// Where the kernel has turns, `/proc` tells them.
    fn slice() -> Option<u64> {
        let told = std::fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = told.lines().find(|line| line.starts_with("se.slice"))?;
        line.rsplit(':').next()?.trim().parse().ok()
    }

    #[test]
    fn turns_are_short_where_the_kernel_knows_them_and_never_longer() {
        let before = slice();
        super::be_short();
        assert!(slice() <= before, "{before:?}, {:?}", slice());
    }

    #[test]
    fn a_thread_of_another_policy_stays_as_it_is() {
        use std::ffi::c_int;
        // SAFETY: numbers only; 0 is this thread.
        let policy = || unsafe { libc::sched_getscheduler(0) };
        let idle = libc::sched_param { sched_priority: 0 };
        // SAFETY: 0 is this thread, and the parameter is read during the call. A thread may always become idle.
        let done: c_int = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const idle) };
        assert_eq!(done, 0);
        super::be_short();
        assert_eq!(policy(), libc::SCHED_IDLE);
    }
}
