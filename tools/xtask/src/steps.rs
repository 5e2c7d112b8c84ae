//! Steps and plans: what runs, how it is announced, and how it fails.
//!
//! A step is a child process whose output passes through untouched, or a check inside this program.
//! Invariant: each step prints one line before and one after, and a failed one says how to repeat it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Why a command of xtask ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A child process or a check said no.
    #[error("{step} failed after {seconds:.1} s ({reason}); repeat it with\n    {again}")]
    Step { step: String, seconds: f64, reason: String, again: String },
    /// The machine lacks something that we may not, or could not, install.
    #[error("{0}")]
    Missing(String),
    /// The command line was well formed but asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// `cargo metadata` failed or answered with something that we do not understand.
    #[error("the workspace cannot be read: {0}")]
    Workspace(String),
    /// A file or directory could not be used.
    #[error("{what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
}

impl Failure {
    /// The exit codes that `--help` promises.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Step { .. } | Failure::Workspace(_) | Failure::Io { .. } => ExitCode::from(1),
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Missing(_) => ExitCode::from(3),
        }
    }
}

/// One thing to run.
pub(crate) struct Step {
    pub(crate) name: String,
    /// What a person types to repeat the step, where that is shorter than what runs.
    again: Option<String>,
    work: Work,
}

enum Work {
    Child {
        program: OsString,
        args: Vec<OsString>,
        env: Vec<(&'static str, OsString)>,
        directory: PathBuf,
    },
    Check(Box<dyn FnOnce() -> Result<(), String>>),
}

impl Step {
    /// A child process, started in `directory`.
    pub(crate) fn child(name: &str, program: impl Into<OsString>, directory: PathBuf) -> Step {
        Step {
            name: name.to_owned(),
            again: None,
            work: Work::Child {
                program: program.into(),
                args: Vec::new(),
                env: Vec::new(),
                directory,
            },
        }
    }

    /// A check inside this program; `again` is the command that repeats it alone.
    pub(crate) fn check(
        name: &str,
        again: &'static str,
        run: impl FnOnce() -> Result<(), String> + 'static,
    ) -> Step {
        Step {
            name: name.to_owned(),
            again: Some(again.to_owned()),
            work: Work::Check(Box::new(run)),
        }
    }

    /// Adds an argument; a check takes none.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Step {
        if let Work::Child { args, .. } = &mut self.work {
            args.push(arg.as_ref().to_owned());
        }
        self
    }

    /// Adds arguments; a check takes none.
    pub(crate) fn args<I>(self, args: I) -> Step
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        args.into_iter().fold(self, Step::arg)
    }

    /// Sets an environment variable of the child; a check has none.
    pub(crate) fn env(mut self, key: &'static str, value: impl AsRef<OsStr>) -> Step {
        if let Work::Child { env, .. } = &mut self.work {
            env.push((key, value.as_ref().to_owned()));
        }
        self
    }

    /// Names the command that repeats this step through the one door.
    pub(crate) fn again(mut self, again: String) -> Step {
        self.again = Some(again);
        self
    }

    /// The command as a person would type it at the root of the repository.
    pub(crate) fn command_line(&self) -> String {
        match (&self.again, &self.work) {
            (Some(again), _) => again.clone(),
            (None, Work::Check(_)) => self.name.clone(),
            (None, Work::Child { program, args, env, .. }) => {
                let settings = env.iter().map(|(key, value)| format!("{key}={}", quoted(value)));
                let words = std::iter::once(program).chain(args).map(|w| quoted(w));
                settings.chain(words).collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// Runs the step; the error says what ended it, without the step's name.
    fn run(self) -> Result<(), String> {
        match self.work {
            Work::Check(run) => run(),
            Work::Child { program, args, env, directory } => {
                let status = Command::new(&program)
                    .args(args)
                    .envs(env)
                    .current_dir(directory)
                    .status()
                    .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
                if status.success() { Ok(()) } else { Err(status.to_string()) }
            }
        }
    }
}

/// Steps to run in order, stopping at the first failure.
pub(crate) struct Plan {
    steps: Vec<Step>,
}

impl Plan {
    pub(crate) fn new(steps: Vec<Step>) -> Plan {
        Plan { steps }
    }

    pub(crate) fn run(self) -> Result<(), Failure> {
        let total = self.steps.len();
        let begin = Instant::now();
        for (done, step) in self.steps.into_iter().enumerate() {
            let (name, again) = (step.name.clone(), step.command_line());
            let number = done + 1;
            println!("xtask: [{number}/{total}] {name}: {again}");
            let begin = Instant::now();
            let result = step.run();
            let seconds = begin.elapsed().as_secs_f64();
            result.map_err(|reason| Failure::Step {
                step: name.clone(),
                seconds,
                reason,
                again,
            })?;
            println!("xtask: [{number}/{total}] {name}: passed in {seconds:.1} s");
        }
        if total > 1 {
            let seconds = begin.elapsed().as_secs_f64();
            println!("xtask: {total} steps passed in {seconds:.1} s");
        }
        Ok(())
    }
}

/// A word that a shell reads back as it was.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn command_line_can_be_pasted_into_a_shell() {
        let step = Step::child("x", "cargo", PathBuf::from("/"))
            .env("RUSTFLAGS", "--cfg loom")
            .args(["test", "it's"]);
        assert_eq!(step.command_line(), r"RUSTFLAGS='--cfg loom' cargo test 'it'\''s'");
    }

    #[test]
    fn first_failure_ends_the_plan_and_says_how_to_repeat_it() {
        let reached = Rc::new(Cell::new(false));
        let after = Rc::clone(&reached);
        let plan = Plan::new(vec![
            Step::child("refuses", "false", PathBuf::from("/")),
            Step::check("after", "never", move || {
                after.set(true);
                Ok(())
            }),
        ]);
        let failure = plan.run().expect_err("`false` fails");
        assert!(!reached.get());
        assert!(failure.to_string().contains("refuses failed"), "{failure}");
        assert!(failure.to_string().ends_with("\n    false"), "{failure}");
    }

    #[test]
    fn missing_program_is_named() {
        let plan = Plan::new(vec![Step::child("x", "no-such-program-here", PathBuf::from("/"))]);
        let failure = plan.run().expect_err("the program does not exist");
        assert!(failure.to_string().contains("no-such-program-here"));
    }
}
