//! `swapctl doctor`: what would keep this agent from taking a package, or from coming back after a crash.
//!
//! It changes nothing but a file that it makes in the state directory and takes away again. Invariant: what is
//! not well is told with its cure.

use crate::application::Application;
use crate::told;
use s_control::Started;
use s_transaction::journal::Why;
use serde_json::{Value, json};
use std::path::Path;

/// A swap keeps its packages and a journal: with less room than this it may have to be refused.
const ROOM: u64 = 64 << 20;

/// One thing that was looked at.
struct Finding {
    check: &'static str,
    says: String,
    /// None where all is well.
    cure: Option<String>,
}

/// Looks at everything.
pub(crate) fn examine(application: &Application, trust: Option<&Path>) -> Value {
    let findings = [
        trusts_somebody(application, trust),
        can_write(application.state()),
        has_room(application.state()),
        last_start(&application.started),
        nothing_pinned(application),
        nobody_slow(application),
    ];
    let told = findings.into_iter().map(|Finding { check, says, cure }| {
        json!({ "check": check, "ok": cure.is_none(), "says": says, "cure": cure })
    });
    told.collect()
}

fn trusts_somebody(application: &Application, place: Option<&Path>) -> Finding {
    let check = "trust";
    let keys = application.manager.trust().document().keys.len();
    match (keys, place) {
        (0, _) => Finding {
            check,
            says: "nobody is trusted, so no package is admitted".into(),
            cure: Some(format!(
                "make a trust store with `swapctl trust init`, put it at {}, and restart; or name \
                 another place with --trust",
                application.state().join("trust.json").display()
            )),
        },
        (keys, place) => {
            let place =
                place.map_or_else(|| "a signed update".into(), |at| at.display().to_string());
            Finding { check, says: format!("{keys} keys are trusted, by {place}"), cure: None }
        }
    }
}

fn can_write(state: &Path) -> Finding {
    let probe = state.join(".doctor");
    let written = std::fs::write(&probe, b"sagentd").and_then(|()| std::fs::remove_file(&probe));
    let place = state.display();
    match written {
        Ok(()) => Finding { check: "state", says: format!("{place} can be written"), cure: None },
        Err(error) => Finding {
            check: "state",
            says: format!("{place} cannot be written: {error}"),
            cure: Some("give the directory to the user that the agent runs as".into()),
        },
    }
}

fn has_room(state: &Path) -> Finding {
    let check = "room";
    match rustix::fs::statvfs(state) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let says = format!("{} MiB are free for packages", free >> 20);
            let cure =
                (free < ROOM).then(|| format!("make room on the disk of {}", state.display()));
            Finding { check, says, cure }
        }
        Err(error) => Finding {
            check,
            says: format!("how much room there is cannot be seen: {error}"),
            cure: Some("look at the disk".into()),
        },
    }
}

fn last_start(started: &Started) -> Finding {
    let check = "start";
    match started {
        Started::FactorySet { failed } if failed.is_empty() => {
            Finding { check, says: "the modules of the factory were started".into(), cure: None }
        }
        Started::FactorySet { failed } => Finding {
            check,
            says: format!("the modules of the factory were started: {}", failed.join("; ")),
            cure: Some("mend what kept the recorded sets from starting, and push again".into()),
        },
        Started::Recorded { txn, why: Why::Last, failed } if failed.is_empty() => {
            Finding { check, says: format!("the set of swap {txn} was started"), cure: None }
        }
        Started::Recorded { txn, why, failed } => Finding {
            check,
            says: format!("the set of swap {txn} was started: {}", told::because(*why, failed)),
            cure: Some("see the log for what ended the agent, and push a corrected package".into()),
        },
    }
}

fn nothing_pinned(application: &Application) -> Finding {
    let pinned = application.manager.status().pinned;
    let cure = (!pinned.is_empty())
        .then(|| "a restart lets go of them; their authors can say why they stay".to_owned());
    let says = match pinned.is_empty() {
        true => "no module is in memory without serving".to_owned(),
        false => format!("in memory without serving: {}", pinned.join("; ")),
    };
    Finding { check: "pinned", says, cure }
}

fn nobody_slow(application: &Application) -> Finding {
    let components = application.runtime.components();
    let pace = application.engine.pace();
    let is_slow = |index: u32| usize::try_from(index).is_ok_and(|index| pace.is_slow(index));
    let slow = components.iter().filter(|component| is_slow(component.core().index()));
    let slow: Vec<_> = slow.map(|component| component.name()).collect();
    let cure = (!slow.is_empty()).then(|| "see what they wait for: a disk, a network".to_owned());
    let says = match slow.is_empty() {
        true => "no module is slow".to_owned(),
        false => format!("slow, and answered by threads of their own: {}", slow.join(", ")),
    };
    Finding { check: "pace", says, cure }
}
