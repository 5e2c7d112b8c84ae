//! The parent: starts a child, listens within a deadline, and says how it ended.
//!
//! Never waits longer than it was told, never touches a process that it did not start, never takes a
//! child's word for more than what fits its frame.

use crate::child::Order;
use crate::confine::{EXIT_FORBIDDEN, call_name};
use crate::description::Description;
use crate::frame::{Failure, Heard, Outcome};
use crate::report::Report;
use crate::request::Request;
use crate::spawn::spawn;
use crate::step::Step;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, SeekFrom, seek};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process, pidfd_open, pidfd_send_signal,
    waitpid,
};
use s_loader::Sealed;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Bounds of a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take from start to end.
    pub time: Duration,
    /// Address space in octets, the host's own executable included.
    pub address_space: u64,
    /// Processor time, rounded up to seconds.
    pub cpu: Duration,
}

impl Default for Limits {
    /// A rehearsal takes milliseconds; a self-test with many vectors may take a second.
    fn default() -> Self {
        Limits {
            time: Duration::from_secs(5),
            address_space: 512 << 20,
            cpu: Duration::from_secs(4),
        }
    }
}

/// Rehearses modules in children of this process.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// What is started: the host's own executable, whose `main` begins with [`crate::run_if_child`].
    pub executable: PathBuf,
    /// Bounds.
    pub limits: Limits,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Rehearsal { executable: "/proc/self/exe".into(), limits: Limits::default() }
    }
}

/// Why a module did not pass.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// No child could be started or watched: the host's trouble, not the module's.
    #[error("no rehearsal could be held: {0}")]
    Host(#[from] io::Error),
    /// The child could not give up its rights, so the module was not run.
    #[error("the rehearsal could not be confined in step {step}: {why}")]
    Unconfined {
        /// The step.
        step: Step,
        /// The reason.
        why: String,
    },
    /// A signal ended the child.
    #[error("crashed with {signal} in step {step}")]
    Crashed {
        /// The step.
        step: Step,
        /// The signal's name.
        signal: String,
    },
    /// The deadline passed.
    #[error("took longer than {limit:?} in step {step}")]
    TooSlow {
        /// The step.
        step: Step,
        /// The bound.
        limit: Duration,
    },
    /// The bound of processor time was reached.
    #[error("used more than {limit:?} of processor time in step {step}")]
    TooMuchWork {
        /// The step.
        step: Step,
        /// The bound.
        limit: Duration,
    },
    /// A system call that modules have no use for.
    #[error("tried a forbidden system call ({call}) in step {step}")]
    Forbidden {
        /// The step.
        step: Step,
        /// The call's name.
        call: String,
    },
    /// The module ended the process.
    #[error("ended the process with status {status} in step {step}")]
    Exited {
        /// The step.
        step: Step,
        /// The exit status.
        status: i32,
    },
    /// The module is not acceptable to the loader, or broke its contract.
    #[error("not acceptable in step {step}: {why}")]
    Unacceptable {
        /// The step.
        step: Step,
        /// The reason.
        why: String,
    },
    /// The module refused, or voted no.
    #[error("refused in step {step}: {why}")]
    Refused {
        /// The step.
        step: Step,
        /// The module's words.
        why: String,
    },
    /// The module panicked.
    #[error("panicked in step {step}: {message}")]
    Panicked {
        /// The step.
        step: Step,
        /// The panic's message.
        message: String,
    },
    /// A recorded call was answered otherwise.
    #[error("behaves differently in step {step}: {what}")]
    Differs {
        /// The step.
        step: Step,
        /// Which call and how.
        what: String,
    },
    /// The child reported something that is no report.
    #[error("the report is not readable after step {step}: {why}")]
    Garbled {
        /// The last step announced.
        step: Step,
        /// The reason.
        why: String,
    },
}

impl Rehearsal {
    /// Rehearses a sealed module.
    pub fn rehearse(&self, module: &Sealed, request: &Request) -> Result<Report, RehearsalError> {
        match self.run(module, Some(request.clone()))? {
            (_, Outcome::Report(report)) => Ok(*report),
            (step, _) => Err(RehearsalError::Garbled {
                step,
                why: "a description instead of a report".into(),
            }),
        }
    }

    /// Loads a sealed module in a child, under the same confinement, only to write down what it is.
    pub fn describe(&self, module: &Sealed) -> Result<Description, RehearsalError> {
        match self.run(module, None)? {
            (_, Outcome::Description(description)) => Ok(*description),
            (step, _) => Err(RehearsalError::Garbled {
                step,
                why: "a report instead of a description".into(),
            }),
        }
    }

    fn run(
        &self,
        module: &Sealed,
        request: Option<Request>,
    ) -> Result<(Step, Outcome), RehearsalError> {
        let deadline = Instant::now() + self.limits.time;
        let order = Order {
            name: module.name().to_owned(),
            digest: module.digest(),
            address_space: self.limits.address_space,
            cpu_seconds: self
                .limits
                .cpu
                .as_millis()
                .div_ceil(1000)
                .try_into()
                .unwrap_or(u64::MAX - 1),
            request,
        };
        let order = anonymous_file(&order.to_value().encode())?;
        let (report, child_end) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        let child = Child::start(spawn(
            &self.executable,
            module.as_fd(),
            order.as_fd(),
            child_end.as_fd(),
        )?)?;
        drop(child_end);
        let mut heard = Heard::nothing();
        let listened = listen(&report, &child, &mut heard, deadline);
        let ended = child.end(deadline)?;
        self.judge(heard, listened?, ended)
    }

    fn judge(
        &self,
        heard: Heard,
        babble: Option<String>,
        ended: Ended,
    ) -> Result<(Step, Outcome), RehearsalError> {
        let step = heard.step;
        if let Some(number) = heard.forbidden {
            return Err(RehearsalError::Forbidden { step, call: call_name(number) });
        }
        if let Some(why) = babble {
            return Err(RehearsalError::Garbled { step, why });
        }
        let status = match (ended, heard.outcome) {
            (Ended::TooSlow, _) => {
                return Err(RehearsalError::TooSlow { step, limit: self.limits.time });
            }
            (Ended::Itself(status), Some(outcome)) if status.exit_status() == Some(0) => {
                return match outcome {
                    Outcome::Failed { kind, why } => Err(failed(step, kind, why)),
                    outcome => Ok((step, outcome)),
                };
            }
            (Ended::Itself(status), _) => status,
        };
        Err(match (status.terminating_signal(), status.exit_status()) {
            (Some(libc::SIGXCPU), _) => {
                RehearsalError::TooMuchWork { step, limit: self.limits.cpu }
            }
            (Some(libc::SIGSYS), _) | (_, Some(EXIT_FORBIDDEN)) => RehearsalError::Forbidden {
                step,
                call: "one that blocks all signals first, as fork does".into(),
            },
            (Some(signal), _) => RehearsalError::Crashed { step, signal: signal_name(signal) },
            (None, status) => RehearsalError::Exited { step, status: status.unwrap_or_default() },
        })
    }
}

fn failed(step: Step, kind: Failure, why: String) -> RehearsalError {
    match kind {
        Failure::Unconfined | Failure::Broken => RehearsalError::Unconfined { step, why },
        Failure::Unacceptable => RehearsalError::Unacceptable { step, why },
        Failure::Refused => RehearsalError::Refused { step, why },
        Failure::Panicked => RehearsalError::Panicked { step, message: why },
        Failure::Differs => RehearsalError::Differs { step, what: why },
    }
}

/// The order travels in memory: a pipe would block at 64 KiB of state while nobody reads yet.
fn anonymous_file(octets: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("s-rehearsal", MemfdFlags::CLOEXEC)?);
    file.write_all(octets)?;
    seek(&file, SeekFrom::Start(0))?;
    Ok(file.into())
}

/// Listens until the child closes the pipe, ends, babbles, or the deadline passes.
fn listen(
    report: &OwnedFd,
    child: &Child,
    heard: &mut Heard,
    deadline: Instant,
) -> io::Result<Option<String>> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let mut fds =
            [PollFd::new(report, PollFlags::IN), PollFd::new(&child.pidfd, PollFlags::IN)];
        wait_for(&mut fds, left)?;
        if fds[0].revents().is_empty() {
            if fds[1].revents().is_empty() {
                continue;
            }
            return Ok(None);
        }
        match rustix::io::read(report, &mut *chunk) {
            Ok(0) => return Ok(None),
            Ok(n) => {
                if let Err(why) = heard.take(&chunk[..n]) {
                    child.kill();
                    return Ok(Some(why));
                }
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn wait_for(fds: &mut [PollFd<'_>], left: Duration) -> io::Result<()> {
    let left = Timespec::try_from(left).map_err(io::Error::other)?;
    match poll(fds, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How a child ended.
enum Ended {
    Itself(WaitStatus),
    TooSlow,
}

/// A child that is not reaped yet, so its number is still its own.
struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    reaped: bool,
}

impl Child {
    fn start(pid: Pid) -> io::Result<Self> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Child { pid, pidfd, reaped: false }),
            // Somebody else reaped it: its number may be another process's by now.
            Err(Errno::SRCH) => Err(io::Error::other("the child was reaped by somebody else")),
            Err(error) => {
                // Not reaped, so the number is still the child's.
                let _ = kill_process(pid, Signal::KILL);
                let _ = reap(pid);
                Err(error.into())
            }
        }
    }

    fn kill(&self) {
        // It may have ended already, which is what is wanted.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Waits for the end, and makes it when the deadline passes.
    fn end(mut self, deadline: Instant) -> io::Result<Ended> {
        let mut too_slow = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
            if left.is_zero() {
                too_slow = !already_ended(&self.pidfd)?;
                if too_slow {
                    self.kill();
                }
                break;
            }
            wait_for(&mut ended, left)?;
            if !ended[0].revents().is_empty() {
                break;
            }
        }
        let status = reap(self.pid)?;
        self.reaped = true;
        let (_, status) = status.ok_or_else(|| io::Error::other("the child has no status"))?;
        Ok(if too_slow { Ended::TooSlow } else { Ended::Itself(status) })
    }
}

fn already_ended(pidfd: &OwnedFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    wait_for(&mut fds, Duration::ZERO)?;
    Ok(!fds[0].revents().is_empty())
}

fn reap(pid: Pid) -> io::Result<Option<(Pid, WaitStatus)>> {
    Ok(rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()))?)
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let _ = reap(self.pid);
        }
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGALRM => "SIGALRM",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXFSZ => "SIGXFSZ",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
