//! The operator's screen and line on a real terminal, at the real agent.
//! `script`, of util-linux, is the terminal: keys go in as octets, and what is drawn comes out.

#![allow(clippy::unwrap_used)] // a failed unwrap here is a failed test

mod sagentd;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sagentd::Group;
use tempfile::TempDir;

/// After so long something will not come any more.
const PATIENCE: Duration = Duration::from_secs(60);

const PROMPT: &str = "swapctl> ";

/// An agent that nobody else asks.
struct Agent {
    folder: TempDir,
    process: Group,
}

impl Agent {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Group::start(
            Command::new(sagentd::programs().join("sagentd"))
                .args(["-C", "-q", "--state-directory", "state"])
                .arg(format!("udp:127.0.0.1:{}", sagentd::free_port()))
                .current_dir(&folder)
                .env_remove("RUNTIME_DIRECTORY")
                .env_remove("STATE_DIRECTORY")
                .stdout(log.try_clone().unwrap())
                .stderr(log),
        );
        let agent = Self { folder, process };
        let deadline = Instant::now() + PATIENCE;
        while !agent.command("swapctl").arg("status").output().unwrap().status.success() {
            let log = || fs::read_to_string(agent.folder.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "the agent does not answer: {}", log());
            thread::sleep(Duration::from_millis(50));
        }
        agent
    }

    fn command(&self, program: &str) -> Command {
        let mut command = match program {
            "swapctl" => Command::new(env!("CARGO_BIN_EXE_swapctl")),
            other => Command::new(other),
        };
        command
            .current_dir(&self.folder)
            .env("SAGENTD_SOCKET", self.folder.path().join("state/control"))
            .env("XDG_STATE_HOME", self.folder.path().join("memory"));
        command
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
    }

    /// `swapctl` with this argument, on a terminal of its own.
    fn terminal(&self, argument: &str) -> Terminal {
        let swapctl = env!("CARGO_BIN_EXE_swapctl");
        let line = format!(
            "stty rows 60 cols 120; stty -g >before; '{swapctl}' {argument}; echo ended with $?; stty -g >after"
        );
        let mut group = Group::start(
            self.command("script")
                .args(["-qec", &line, "/dev/null"])
                .env("SHELL", "/bin/sh")
                .env("TERM", "xterm")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let (keys, mut drawn) = (group.0.stdin.take().unwrap(), group.0.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&screen);
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = drawn.read(&mut octets) {
                shared.lock().unwrap().extend_from_slice(&octets[..count]);
            }
        });
        Terminal { group, keys, screen, seen: 0 }
    }

    /// Whether the terminal was left in the mode in which it was found.
    fn mode_is_restored(&self) -> bool {
        let mode = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap();
        mode("before") == mode("after") && !mode("before").is_empty()
    }
}

struct Terminal {
    group: Group,
    keys: ChildStdin,
    screen: Arc<Mutex<Vec<u8>>>,
    /// How much of it has been looked at.
    seen: usize,
}

impl Terminal {
    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until this appears after what was waited for before; what came until then.
    fn until(&mut self, expected: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen.lock().unwrap();
            let fresh = &screen[self.seen..];
            let is_here = |window: &[u8]| window == expected.as_bytes();
            if let Some(at) = fresh.windows(expected.len()).position(is_here) {
                let before = String::from_utf8_lossy(&fresh[..at]).into_owned();
                self.seen += at + expected.len();
                return before;
            }
            let fresh = String::from_utf8_lossy(fresh);
            assert!(Instant::now() < deadline, "no `{expected}` in {:?}", fresh);
            drop(screen);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end of what runs in it.
    fn ends_with(mut self, status: i32) -> String {
        let before = self.until(&format!("ended with {status}\r\n"));
        assert!(self.group.0.wait().unwrap().success());
        before
    }
}

/// What a program tells a terminal to show another screen, and to come back.
const ASIDE: &str = "\x1b[?1049h";
const BACK: &str = "\x1b[?1049l";
const CURSOR_SHOWN: &str = "\x1b[?25h";

#[test]
fn the_shell_takes_commands_from_a_person() {
    let agent = Agent::start();
    let mut shell = agent.terminal("shell");
    shell.until(PROMPT);
    for (typed, expected) in [
        ("status\r", "mib.system"),
        ("help\r", "push"),
        ("SetTimer 2\r", "modules have 2 s to become ready"),
        // Begun and completed with Tab.
        ("describe mib.sys\t\r", "component    mib.system"),
        ("Remove mib.udp\r", "no module serving"),
        // Ctrl-C takes a line back, and not the shell.
        ("Remove mib.tcp\x03", PROMPT),
        ("status\r", "sagentd"),
        ("Replace mib.udp\r", "write it as: Replace COMPONENT FILE"),
    ] {
        shell.press(typed);
        shell.until(expected);
        if expected != PROMPT {
            shell.until(PROMPT);
        }
    }
    shell.press("quit\r");
    shell.ends_with(2);
    assert!(agent.mode_is_restored());
    let history = agent.command("swapctl").args(["--json", "history"]).output().unwrap();
    let history = String::from_utf8(history.stdout).unwrap();
    assert!(history.contains("mib.udp") && !history.contains("mib.tcp"), "{history}");

    // The next shell remembers what was typed in this one, and ends with its input.
    let mut next = agent.terminal("shell");
    next.until(PROMPT);
    next.press("\x1b[A");
    next.until("Replace mib.udp");
    next.press("\x15\x04");
    next.ends_with(0);
}

#[test]
fn top_draws_until_q_and_leaves_the_terminal_as_it_was() {
    let agent = Agent::start();
    let mut top = agent.terminal("top");
    top.until(ASIDE);
    for drawn in ["sagentd", "component", "mib.system", "swaps", "second"] {
        top.until(drawn);
    }
    top.press("q");
    let rest = top.ends_with(0);
    let (_, after) = rest.split_once(BACK).unwrap_or_else(|| panic!("{rest:?}"));
    assert!(rest.contains(CURSOR_SHOWN), "{rest:?}");
    assert!(!after.contains("component"), "nothing is drawn on the screen of before: {after:?}");
    assert!(agent.mode_is_restored());
}

#[test]
fn top_hears_keys_while_the_agent_does_not_answer() {
    let agent = Agent::start();
    let mut top = agent.terminal("top");
    top.until("mib.system");
    agent.signal(Signal::STOP);
    top.until("answered");
    top.press("q");
    let rest = top.ends_with(0);
    assert!(!rest.contains("waiting for"), "nobody else writes on its screen: {rest:?}");
    assert!(agent.mode_is_restored());
}

#[test]
fn top_gives_the_terminal_back_when_the_agent_has_gone() {
    let agent = Agent::start();
    let mut top = agent.terminal("top");
    top.until("mib.system");
    agent.signal(Signal::KILL);
    let rest = top.ends_with(3);
    let (_, after) = rest.split_once(BACK).unwrap_or_else(|| panic!("{rest:?}"));
    assert!(after.contains("swapctl: "), "why is told where it stays to be read: {after:?}");
    assert!(agent.mode_is_restored());
}
