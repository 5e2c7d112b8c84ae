//! What the child gives up before a module may run in it.
//!
//! Two filters of system calls. The first is a list of what is allowed, and lets the dynamic linker work; it
//! knows no threads, processes, sockets or tracing. The second is laid over it before the module's first
//! function is called, and takes back what only the linker needed, files above all: both filters must
//! allow a call, so it need not repeat the list. A call that is not allowed ends the child with its number.
#![expect(unsafe_code, reason = "a signal handler that may use nothing but plain system calls")]

use crate::frame::{FORBIDDEN, HEADER};
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::io;

/// The exit status after a forbidden call.
pub(crate) const EXIT_FORBIDDEN: c_int = 71;

/// Where the child reports: fixed, because the signal handler has no other way to know it.
pub(crate) const REPORT_FD: c_int = 5;

/// More files than the dynamic linker opens at a time.
const OPEN_FILES_MAX: u64 = 16;

/// Limits of memory, processor time and files.
pub(crate) fn limit(address_space: u64, cpu_seconds: u64) -> io::Result<()> {
    let set = |resource, at: u64, last: u64| {
        Ok::<(), io::Error>(setrlimit(resource, Rlimit { current: Some(at), maximum: Some(last) })?)
    };
    set(Resource::As, address_space, address_space)?;
    set(Resource::Cpu, cpu_seconds, cpu_seconds + 1)?;
    set(Resource::Fsize, 0, 0)?;
    set(Resource::Core, 0, 0)?;
    set(Resource::Nofile, OPEN_FILES_MAX, OPEN_FILES_MAX)
}

/// Gives up the file system, the network and signals to others; a warning where the kernel cannot.
/// Memory that was handed over stays loadable: it lies in no file system that has a path.
pub(crate) fn give_up_files() -> Option<String> {
    let given_up = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V5)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    let answer = given_up.map(|status| (status.ruleset, status.landlock));
    not_held_back(answer.map_err(|error| error.to_string()))
}

/// What each version of Landlock holds back that those before it do not, and the kernel that brought it.
const HELD_BACK_SINCE: &[(ABI, &str, &str)] = &[
    (ABI::V2, "5.19", "moving and linking files between folders"),
    (ABI::V3, "6.2", "truncating files"),
    (ABI::V4, "6.7", "binding and connecting TCP ports"),
    (ABI::V5, "6.10", "commands to devices"),
    (ABI::V6, "6.12", "signals and abstract Unix sockets to other processes"),
];

/// What an operator should know of the kernel's answer to the ruleset.
fn not_held_back(answer: Result<(RulesetStatus, LandlockStatus), String>) -> Option<String> {
    let why = match answer {
        Ok((RulesetStatus::FullyEnforced, _)) => return None,
        Ok((RulesetStatus::PartiallyEnforced, LandlockStatus::Available { effective_abi, .. })) => {
            let lacks = HELD_BACK_SINCE.iter().filter(|(since, ..)| *since > effective_abi);
            let lacks = lacks.map(|(_, kernel, what)| format!("{what} (Linux {kernel})"));
            let lacks = lacks.collect::<Vec<_>>().join(", ");
            return Some(format!(
                "Landlock is in force only in part: version {effective_abi} of this kernel does not hold \
                 back {lacks}; in the rehearsal the filter of system calls alone stands before them"
            ));
        }
        Ok((_, LandlockStatus::NotImplemented)) => {
            "this kernel has none (Linux 5.13 is the first that can)".to_owned()
        }
        Ok((_, LandlockStatus::NotEnabled)) => {
            "this kernel has it switched off (`landlock` belongs into `lsm=` of its command line)"
                .to_owned()
        }
        Ok((status, _)) => format!("the kernel answered {status:?}"),
        Err(error) => error,
    };
    Some(format!(
        "Landlock is not in force: {why}; while it is loaded in the rehearsal the module could read files"
    ))
}

/// Allowed from loading to the end: memory, time, randomness, signals to itself, and leaving.
const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// Allowed to the dynamic linker and to the loader's checks only.
const WHILE_LOADING: &[i64] = &[
    libc::SYS_fcntl,
    libc::SYS_getcwd,
    libc::SYS_lseek,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_prctl,
    libc::SYS_read,
    libc::SYS_seccomp,
    libc::SYS_statx,
];

/// `TCGETS`: is it a terminal?
const TERMINAL_ATTRIBUTES: u32 = 0x5401;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Compiled<T> = Result<T, seccompiler::BackendError>;

/// One condition on an argument of 32 bits.
fn when(argument: u8, operator: SeccompCmpOp, value: u32) -> Compiled<SeccompRule> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        operator,
        value.into(),
    )?])
}

fn any_of(call: i64, rules: Vec<SeccompRule>) -> (i64, Vec<SeccompRule>) {
    (call, rules)
}

fn always() -> Compiled<Rules> {
    let mut rules: Rules = ALWAYS.iter().map(|call| any_of(*call, Vec::new())).collect();
    // Output goes where the parent put it: nowhere, or into the report.
    for call in [libc::SYS_write, libc::SYS_writev] {
        let to =
            [1, 2, REPORT_FD.unsigned_abs()].into_iter().map(|fd| when(0, SeccompCmpOp::Eq, fd));
        rules.insert(call, to.collect::<Compiled<_>>()?);
    }
    // Its own signals, but not the one that reports a forbidden call: that one may only be asked for.
    let not_ours = when(0, SeccompCmpOp::Ne, libc::SIGSYS.unsigned_abs())?;
    let only_asked = SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_rt_sigaction, vec![not_ours, SeccompRule::new(vec![only_asked])?]);
    // What the C library asks of an open file before it prints.
    let by_descriptor = libc::AT_EMPTY_PATH.unsigned_abs();
    let by_descriptor = when(3, SeccompCmpOp::MaskedEq(by_descriptor.into()), by_descriptor)?;
    rules.insert(libc::SYS_newfstatat, vec![by_descriptor]);
    rules.insert(libc::SYS_ioctl, vec![when(1, SeccompCmpOp::Eq, TERMINAL_ATTRIBUTES)?]);
    // `abort` sends a signal to its own thread.
    rules.insert(libc::SYS_tgkill, vec![when(0, SeccompCmpOp::Eq, std::process::id())?]);
    Ok(rules)
}

/// What may be called while the module is mapped and its static constructors run.
pub(crate) fn while_loading() -> Result<BpfProgram, String> {
    (|| {
        let mut rules = always()?;
        rules.extend(WHILE_LOADING.iter().map(|call| any_of(*call, Vec::new())));
        let read_only =
            SeccompCmpOp::MaskedEq((libc::O_ACCMODE | libc::O_CREAT).unsigned_abs().into());
        rules.insert(libc::SYS_openat, vec![when(2, read_only, libc::O_RDONLY.unsigned_abs())?]);
        // The loader asks the kernel what it has mapped.
        let asks = when(1, SeccompCmpOp::Eq, s_loader::MAPS_QUERY)?;
        rules.entry(libc::SYS_ioctl).or_default().push(asks);
        program(rules, SeccompAction::Trap, SeccompAction::Allow)
    })()
    .map_err(|error| error.to_string())
}

/// What may not be called any more from the module's first function on.
pub(crate) fn while_running() -> Result<BpfProgram, String> {
    (|| {
        let mut rules: Rules = WHILE_LOADING.iter().map(|call| any_of(*call, Vec::new())).collect();
        rules.extend([any_of(libc::SYS_openat, Vec::new())]);
        let asks = when(1, SeccompCmpOp::Eq, s_loader::MAPS_QUERY)?;
        rules.insert(libc::SYS_ioctl, vec![asks]);
        // Memory that is not executable, and questions about open files, stay.
        let executable = libc::PROT_EXEC.unsigned_abs();
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            let is_executable = SeccompCmpOp::MaskedEq(executable.into());
            rules.insert(call, vec![when(2, is_executable, executable)?]);
        }
        let by_descriptor = libc::AT_EMPTY_PATH.unsigned_abs();
        let by_path = when(3, SeccompCmpOp::MaskedEq(by_descriptor.into()), 0)?;
        rules.insert(libc::SYS_newfstatat, vec![by_path]);
        program(rules, SeccompAction::Allow, SeccompAction::Trap)
    })()
    .map_err(|error| error.to_string())
}

/// A filter that answers `otherwise` unless a rule fits.
fn program(rules: Rules, otherwise: SeccompAction, fits: SeccompAction) -> Compiled<BpfProgram> {
    #[cfg(target_arch = "x86_64")]
    let arch = TargetArch::x86_64;
    #[cfg(target_arch = "aarch64")]
    let arch = TargetArch::aarch64;
    SeccompFilter::new(rules, otherwise, fits, arch)?.try_into()
}

/// Lays a filter over those in force.
pub(crate) fn apply(filter: &BpfProgram) -> Result<(), seccompiler::Error> {
    apply_filter(filter)
}

/// What an operator should know where the kernel has no filters at all: it does not know the call, or not
/// what it is asked for.
///
/// # Errors
/// A filter that the kernel could have and did not take: without it no module is run.
pub(crate) fn unfiltered(error: seccompiler::Error) -> Result<String, String> {
    match &error {
        seccompiler::Error::Seccomp(why)
            if matches!(why.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) =>
        {
            Ok(format!(
                "this kernel has no filters of system calls (seccomp: {why}): nothing but Landlock and the \
                 limits of memory and time holds the module back in its rehearsal; build it with \
                 CONFIG_SECCOMP_FILTER"
            ))
        }
        _ => Err(error.to_string()),
    }
}

/// Tells the parent which call was forbidden, and ends. Everything in here may be used in a signal handler.
fn end_forbidden(call: u32) -> ! {
    let mut octets = [0; HEADER + 4];
    octets[0] = FORBIDDEN;
    octets[1] = 4;
    octets[HEADER..].copy_from_slice(&call.to_le_bytes());
    // SAFETY: plain system calls with a buffer of our own.
    unsafe {
        libc::write(REPORT_FD, octets.as_ptr().cast(), octets.len());
        libc::_exit(EXIT_FORBIDDEN)
    }
}

extern "C" fn on_forbidden(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    /// Signal, error, code, padding, address of the call: then its number.
    const NUMBER_AT: usize = 24;
    // SAFETY: the kernel passes a whole `siginfo_t`, whose form for SIGSYS has the number there.
    end_forbidden(unsafe { info.cast::<u8>().add(NUMBER_AT).cast::<u32>().read() })
}

/// The C library blocks all signals before it makes a thread, and then the kernel ends the child without a
/// word. So a thread is refused where the ledger sees it coming.
fn on_thread() {
    end_forbidden(u32::try_from(libc::SYS_clone3).unwrap_or_default())
}

/// Installs the handlers for forbidden calls; faults get the kernel's own treatment.
pub(crate) fn handle_violations() {
    s_loader::ledger::before_each_thread(on_thread);
    // SAFETY: a zeroed `sigaction` is a valid one; the handler is made for SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_forbidden as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut());
        for fault in
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT, libc::SIGFPE, libc::SIGILL, libc::SIGPIPE]
        {
            libc::signal(fault, libc::SIG_DFL);
        }
    }
}

/// The names of calls that modules try.
pub(crate) fn call_name(number: u32) -> String {
    macro_rules! names {
        ($($name:ident $call:ident,)*) => {
            [$((libc::$call, stringify!($name))),*]
        };
    }
    let known = names!(
        accept SYS_accept, bind SYS_bind, bpf SYS_bpf, chdir SYS_chdir, clone SYS_clone, clone3 SYS_clone3,
        connect SYS_connect, dup SYS_dup, dup3 SYS_dup3, epoll_create1 SYS_epoll_create1, eventfd2 SYS_eventfd2,
        execve SYS_execve, execveat SYS_execveat, fcntl SYS_fcntl, fstat SYS_fstat, ftruncate SYS_ftruncate,
        getdents64 SYS_getdents64, io_uring_setup SYS_io_uring_setup, ioctl SYS_ioctl, kill SYS_kill,
        listen SYS_listen, lseek SYS_lseek, memfd_create SYS_memfd_create, mmap SYS_mmap, mprotect SYS_mprotect,
        newfstatat SYS_newfstatat, openat SYS_openat, openat2 SYS_openat2, pipe2 SYS_pipe2, ppoll SYS_ppoll,
        prctl SYS_prctl, pread64 SYS_pread64, ptrace SYS_ptrace, process_vm_readv SYS_process_vm_readv,
        read SYS_read, readlinkat SYS_readlinkat, rt_sigaction SYS_rt_sigaction, seccomp SYS_seccomp,
        sendto SYS_sendto, setrlimit SYS_setrlimit, socket SYS_socket, socketpair SYS_socketpair, statx SYS_statx,
        tgkill SYS_tgkill, timer_create SYS_timer_create, unlinkat SYS_unlinkat, unshare SYS_unshare,
        wait4 SYS_wait4, write SYS_write, writev SYS_writev,
    );
    #[cfg(target_arch = "x86_64")]
    let older = names!(
        alarm SYS_alarm, fork SYS_fork, open SYS_open, pause SYS_pause, pipe SYS_pipe, poll SYS_poll,
        readlink SYS_readlink, select SYS_select, stat SYS_stat, access SYS_access, unlink SYS_unlink,
        vfork SYS_vfork,
    );
    #[cfg(not(target_arch = "x86_64"))]
    let older: [(i64, &str); 0] = [];
    let of = |(call, _): &&(i64, &'static str)| *call == i64::from(number);
    known
        .iter()
        .find(of)
        .or_else(|| older.iter().find(of))
        .map_or_else(|| format!("number {number}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn available(effective_abi: ABI) -> LandlockStatus {
        LandlockStatus::Available { effective_abi, kernel_abi: None }
    }

    #[test]
    fn a_kernel_that_holds_everything_back_is_not_warned_of() {
        assert_eq!(not_held_back(Ok((RulesetStatus::FullyEnforced, available(ABI::V6)))), None);
    }

    #[test]
    fn what_an_older_landlock_does_not_hold_back_is_named_right_by_right() {
        let told =
            |abi| not_held_back(Ok((RulesetStatus::PartiallyEnforced, available(abi)))).unwrap();
        for (at, (since, _, what)) in HELD_BACK_SINCE.iter().enumerate() {
            let before = if at == 0 { ABI::V1 } else { HELD_BACK_SINCE[at - 1].0 };
            assert!(told(before).contains(what), "{}", told(before));
            assert!(*since == ABI::V6 || !told(*since).contains(what), "{}", told(*since));
        }
        assert_eq!(
            told(ABI::V4),
            "Landlock is in force only in part: version 4 of this kernel does not hold back commands to \
             devices (Linux 6.10), signals and abstract Unix sockets to other processes (Linux 6.12); in the \
             rehearsal the filter of system calls alone stands before them"
        );
    }

    #[test]
    fn each_version_that_is_named_brings_something_that_is_asked_for() {
        let rights =
            |abi| (AccessFs::from_all(abi), AccessNet::from_all(abi), Scope::from_all(abi));
        let mut before = ABI::V1;
        for (since, ..) in HELD_BACK_SINCE {
            assert_ne!(rights(before), rights(*since), "{since}");
            before = *since;
        }
        // And the last of them is all that is asked for.
        assert_eq!(AccessFs::from_all(before), AccessFs::from_all(ABI::V5));
        assert_eq!(before, ABI::V6);
    }

    #[test]
    fn a_kernel_without_landlock_is_told_of_with_its_reason_and_what_it_means() {
        let without = |status| not_held_back(Ok((RulesetStatus::NotEnforced, status))).unwrap();
        let none = without(LandlockStatus::NotImplemented);
        assert!(none.contains("this kernel has none (Linux 5.13"), "{none}");
        let off = without(LandlockStatus::NotEnabled);
        assert!(off.contains("switched off") && off.contains("`lsm=`"), "{off}");
        let error = not_held_back(Err("permission denied".into())).unwrap();
        assert!(error.contains("permission denied"), "{error}");
        for warning in [none, off, error] {
            assert!(warning.starts_with("Landlock is not in force: "), "{warning}");
            assert!(warning.ends_with("the module could read files"), "{warning}");
        }
    }

    #[test]
    fn only_a_kernel_that_has_no_filters_is_a_reason_to_go_on_without() {
        let failed =
            |number| unfiltered(seccompiler::Error::Seccomp(io::Error::from_raw_os_error(number)));
        for number in [libc::ENOSYS, libc::EINVAL] {
            let warning = failed(number).unwrap();
            assert!(warning.starts_with("this kernel has no filters of system calls"), "{warning}");
        }
        for number in [libc::EACCES, libc::EPERM, libc::ENOMEM, libc::EFAULT] {
            assert!(failed(number).is_err(), "{number}");
        }
        assert!(unfiltered(seccompiler::Error::ThreadSync(1)).is_err());
        let prctl = io::Error::from_raw_os_error(libc::EINVAL);
        assert!(unfiltered(seccompiler::Error::Prctl(prctl)).is_err());
    }
}
