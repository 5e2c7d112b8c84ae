//! After every swap the engine looks anew at what modules answer for: variables and the sysORTable follow.
//!
//! Until it has looked, a module that went has no variables, and one that came answers for what its
//! predecessor registered; no request is lost meanwhile.

use crate::application::Application;
use s_sdk::Level;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long it listens before it looks whether it should stop.
const LISTEN: Duration = Duration::from_millis(200);

/// After these another module serves. What a swap takes back ends with the last one.
const MOVES: [&str; 3] = ["swap.commit", "swap.rollback", "swap.ended"];

/// Starts the thread that looks.
///
/// # Errors
/// Events cannot be heard, or there is no thread.
pub(crate) fn start(
    application: &Arc<Application>,
    stop: &Arc<AtomicBool>,
) -> Result<JoinHandle<()>, Box<dyn Error>> {
    let (tell, told) = channel();
    let events = application.manager.events();
    let sink = events.subscribe_with(
        "swap.*",
        Arc::new(move |event: &Arc<s_events::Event>| {
            if MOVES.contains(&&*event.tag) {
                // Whoever listened has ended.
                let _ = tell.send(());
            }
        }),
    )?;
    let (application, stop) = (Arc::clone(application), Arc::clone(stop));
    let thread = Builder::new().name("looks".to_owned()).spawn(move || {
        let mut worker = application.runtime.worker();
        while !stop.load(Ordering::Relaxed) {
            match told.recv_timeout(LISTEN) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // Several events at once are one look.
            while told.try_recv().is_ok() {}
            let problems = worker.serve(|act| application.engine.look(application.runtime, act));
            for problem in problems {
                (application.log)(Level::Warning, "sagentd", "", &problem);
            }
        }
        application.manager.events().leave(sink);
    })?;
    Ok(thread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application;
    use crate::config::Configuration;
    use crate::store::Store;
    use roles::components::{Components as _, ComponentsProxy};
    use s_sdk::{Buf, List};

    #[test]
    fn after_a_swap_the_engine_knows_what_is_there_and_before_it_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("state")).unwrap();
        let log: s_control::LogSink = Arc::new(|_, _, _, _| ());
        let mut configuration = Configuration::default();
        let (application, _) = application::start(&mut configuration, &store, log).unwrap();
        let application = Arc::new(application);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = start(&application, &stop).unwrap();
        let engine: ComponentsProxy = application.runtime.proxy("engine").unwrap();
        let known = || {
            let (mut entries, mut texts) = (List::new(), Buf::new());
            let mut worker = application.runtime.worker();
            worker.serve(|act| {
                entries.clear();
                texts.clear();
                engine.components(act, &mut entries, &mut texts).unwrap();
            });
            entries.len()
        };
        let before = known();
        application.manager.component("mib.late", None).unwrap();
        let events = application.manager.events();
        // A phase that changes nothing is no reason to look: whatever it would find, it finds at the next.
        events.publish("swap.verify", "test", &[]).unwrap();
        assert_eq!(known(), before);
        events.publish("swap.commit", "test", &[]).unwrap();
        while known() == before {
            std::thread::yield_now();
        }
        assert_eq!(known(), before + 1);
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }
}
