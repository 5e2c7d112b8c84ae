//! After every swap the engine looks anew at what modules answer for: variables and the sysORTable follow, and then
//! managers are told of the swap.
//!
//! Until it has looked, a module that went has no variables, and one that came answers for what its
//! predecessor registered; no request is lost meanwhile.

use crate::application::Application;
use crate::told;
use s_events::Event;
use s_sdk::{Activity, Level, Value};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long it listens before it looks whether it should stop, and what components bind.
const LISTEN: Duration = Duration::from_millis(200);

/// After these another module serves. What a swap takes back ends with the last one.
const MOVES: [&str; 3] = ["swap.commit", "swap.rollback", ENDED];
const ENDED: &str = "swap.ended";
const REFUSED: &str = "swap.refused";

/// What was heard.
enum Heard {
    Moved,
    Ended(u64),
    Refused,
}

impl Heard {
    fn of(event: &Event) -> Option<Self> {
        match &*event.tag {
            ENDED => {
                let payload = Value::decode(&event.payload).ok()?;
                payload.get("txn").and_then(Value::as_u64).map(Heard::Ended)
            }
            REFUSED => Some(Heard::Refused),
            tag => MOVES.contains(&tag).then_some(Heard::Moved),
        }
    }
}

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
        Arc::new(move |event: &Arc<Event>| {
            if let Some(heard) = Heard::of(event) {
                // Whoever listened has ended.
                let _ = tell.send(heard);
            }
        }),
    )?;
    let (application, stop) = (Arc::clone(application), Arc::clone(stop));
    let thread = Builder::new().name("looks".to_owned()).spawn(move || {
        let mut worker = application.runtime.worker();
        let mut empty = vacant(&application);
        while !stop.load(Ordering::Relaxed) {
            let heard = match told.recv_timeout(LISTEN) {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => {
                    told::bindings(&application);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Several events at once are one look.
            let heard: Vec<_> = std::iter::once(heard).chain(told.try_iter()).collect();
            if heard.iter().any(|heard| !matches!(heard, Heard::Refused)) {
                let before = std::mem::replace(&mut empty, vacant(&application));
                before.difference(&empty).for_each(|component| application.welcome(component));
                let look = |act: &Activity| application.engine.look(application.runtime, act);
                for problem in worker.serve(look) {
                    (application.log)(Level::Warning, "sagentd", "", &problem);
                }
            }
            told::bindings(&application);
            for heard in heard {
                match heard {
                    Heard::Moved => {}
                    Heard::Ended(number) => told::ended(&application, &mut worker, number),
                    Heard::Refused => application.engine.facts().swap_refused(),
                }
            }
        }
        application.manager.events().leave(sink);
    })?;
    Ok(thread)
}

/// The components in which no module serves.
fn vacant(application: &Application) -> BTreeSet<&'static str> {
    let components = application.runtime.components().into_iter();
    let empty = components.filter(|component| component.current().body().is_none());
    empty.map(|component| component.name()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application;
    use crate::config::Configuration;
    use crate::store::Store;
    use crate::trust::Trust;
    use roles::components::{Components as _, ComponentsProxy};
    use s_sdk::{Buf, List};

    #[test]
    fn after_a_swap_the_engine_knows_what_is_there_and_before_it_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("state")).unwrap();
        let log: s_control::LogSink = Arc::new(|_, _, _, _| ());
        let mut configuration = Configuration::default();
        let nobody = Trust::read(None, directory.path()).unwrap().store;
        let (application, _) = application::start(&mut configuration, nobody, &store, log).unwrap();
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
