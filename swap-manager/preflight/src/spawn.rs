//! Starts the child: a new process image from the beginning, with nothing of the host's but three
//! descriptors. `posix_spawn` and not `fork`: a copy of a threaded process may not do what the child does.
#![expect(unsafe_code, reason = "posix_spawn has no safe form that sets exactly these descriptors")]

use crate::child::{CHILD_MARK, CHILD_NAME, MODULE_FD, REQUEST_FD};
use crate::confine::REPORT_FD;
use rustix::process::Pid;
use std::ffi::{CStr, CString, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Numbers above all that the child uses, so that putting one in place never overwrites another.
const ABOVE: c_int = 10;

fn ok(answer: c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer)) }
}

struct Actions(libc::posix_spawn_file_actions_t);
struct Attributes(libc::posix_spawnattr_t);

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised when it was made.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised when it was made.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

fn actions(high: &[(OwnedFd, c_int)]) -> io::Result<Actions> {
    let mut actions = MaybeUninit::uninit();
    // SAFETY: initialised by the first call, then only added to; paths are C strings.
    unsafe {
        ok(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
        let mut actions = Actions(actions.assume_init());
        let to = &raw mut actions.0;
        for (fd, flags) in [(0, libc::O_RDONLY), (1, libc::O_WRONLY), (2, libc::O_WRONLY)] {
            ok(libc::posix_spawn_file_actions_addopen(to, fd, c"/dev/null".as_ptr(), flags, 0))?;
        }
        for (from, place) in high {
            ok(libc::posix_spawn_file_actions_adddup2(to, from.as_raw_fd(), *place))?;
        }
        ok(libc::posix_spawn_file_actions_addclosefrom_np(to, REPORT_FD + 1))?;
        Ok(actions)
    }
}

/// No signal is blocked and none is handled or ignored.
fn attributes() -> io::Result<Attributes> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: initialised by the first call; signal sets are initialised before they are passed on.
    unsafe {
        ok(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
        let mut attributes = Attributes(attributes.assume_init());
        let to = &raw mut attributes.0;
        let mut signals = MaybeUninit::uninit();
        libc::sigemptyset(signals.as_mut_ptr());
        ok(libc::posix_spawnattr_setsigmask(to, signals.as_ptr()))?;
        libc::sigfillset(signals.as_mut_ptr());
        ok(libc::posix_spawnattr_setsigdefault(to, signals.as_ptr()))?;
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        ok(libc::posix_spawnattr_setflags(
            to,
            libc::c_short::try_from(flags).map_err(io::Error::other)?,
        ))?;
        Ok(attributes)
    }
}

/// Starts the executable as a rehearsal's child.
pub(crate) fn spawn(
    executable: &Path,
    module: BorrowedFd<'_>,
    request: BorrowedFd<'_>,
    report: BorrowedFd<'_>,
) -> io::Result<Pid> {
    let high = |fd: BorrowedFd<'_>, place| {
        Ok::<_, io::Error>((rustix::io::fcntl_dupfd_cloexec(fd, ABOVE)?, place))
    };
    let high = [high(module, MODULE_FD)?, high(request, REQUEST_FD)?, high(report, REPORT_FD)?];
    let (actions, attributes) = (actions(&high)?, attributes()?);
    let path = CString::new(executable.as_os_str().as_bytes())?;
    let name = CString::new(CHILD_NAME)?;
    let mark = CString::new(format!("{}={}", CHILD_MARK.0, CHILD_MARK.1))?;
    let pointers = |text: &CStr| [text.as_ptr().cast_mut(), std::ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: all strings and tables live until the call returns; both arrays end with null.
    ok(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            path.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            pointers(&name).as_ptr(),
            pointers(&mark).as_ptr(),
        )
    })?;
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("a process without a number"))
}
