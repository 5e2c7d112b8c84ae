//! A sign of life on whatever takes longer than a second, for people who watch: never in a pipe or a file,
//! never among the answers.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What is done sooner needs no sign of life.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a sign of life changes.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// Does some work; after a second, says what is waited for.
pub(crate) fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let mut line = Line::new();
    if !line.is_watched {
        return work();
    }
    thread::scope(|scope| {
        let (done, ended) = channel::<()>();
        scope.spawn(move || {
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                line.tick(what);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// The line of a terminal on which a wait is shown, and which is blank when there is none.
pub(crate) struct Line {
    is_watched: bool,
    since: Instant,
    is_shown: bool,
}

impl Line {
    pub(crate) fn new() -> Self {
        let is_watched = std::io::stderr().is_terminal();
        Self { is_watched, since: Instant::now(), is_shown: false }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, what: &str) {
        let waited = self.since.elapsed();
        if self.is_watched && waited >= PATIENCE {
            self.is_shown = true;
            eprint!("\r\x1b[K{what} … {} s", waited.as_secs());
            // Whoever watches loses nothing but this.
            let _ = std::io::stderr().flush();
        }
    }

    /// The wait is over; another may begin.
    pub(crate) fn clear(&mut self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
            let _ = std::io::stderr().flush();
        }
        self.is_shown = false;
        self.since = Instant::now();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_done_once_and_its_result_given() {
        let mut times = 0;
        let result = during("counting", || {
            times += 1;
            times
        });
        assert_eq!((result, times), (1, 1));
    }
}
