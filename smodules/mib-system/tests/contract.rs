//! The contract of settings and of what is kept: the module keeps it, and the suites tell who does not.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../mib-kit/tests/hosted/engine.rs"]
mod engine;
#[path = "../../sdk/tests/hosted/mod.rs"]
mod hosted;
#[path = "../../mib-kit/tests/hosted/kept.rs"]
mod kept;

use asked::{binds, set};
use hosted::{host, serve};
use kept::{keeping_holds, saved, settings_hold, shown};
use roles::contract::settings::{Changes, Documents, Seen, keeping_suite, suite};
use roles::mib::MibAccessProxy;
use roles::settings::{
    Persistence, PersistenceProxy, Settings, SettingsProxy, SystemSettings, write,
};
use roles::varbind::VarValue::Octets;
use s_proxy::Runtime;
use s_sdk::{Activity, Buf, CallError};
use std::cell::Cell;

const COMPONENT: &str = "mib.system";
const CONTACT: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 4];
const LOCATION: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 6];

fn contact(contact: &str) -> Vec<u8> {
    write(&SystemSettings { contact: contact.into(), ..SystemSettings::default() })
}

fn locate(mib: &MibAccessProxy, act: &Activity, location: &[u8]) {
    set(mib, act, &binds(&[(&[1, 3, 6, 1, 2, 1, 1, 6, 0], Octets(location))])).unwrap();
}

/// A module where something came by SET.
fn served() -> (&'static Runtime, MibAccessProxy) {
    let (runtime, control) = host();
    serve(&control, "engine", &engine::S_MODULE);
    serve(&control, COMPONENT, &mib_system::S_MODULE);
    let mib = runtime.proxy(COMPONENT).unwrap();
    locate(&mib, &runtime.worker().activity(), b"attic");
    (runtime, mib)
}

/// Hands three documents to a test: two without problems, and one with.
fn documents(test: impl FnOnce(&Documents<'_>)) {
    let (one, other) = (contact("one"), contact("other"));
    let wrong = [write(&SystemSettings { services: 128, ..SystemSettings::default() })];
    test(&Documents { one: &one, other: &other, wrong: &[&wrong[0]] });
}

#[test]
fn the_contract_of_settings_holds() {
    let (runtime, _) = served();
    documents(|documents| {
        settings_hold(runtime, COMPONENT, documents, &[&[1, 3, 6, 1, 2, 1, 1, 2], CONTACT], true);
    });
}

#[test]
fn the_contract_of_what_is_kept_holds() {
    let (runtime, mib) = served();
    let settings: SettingsProxy = runtime.proxy(COMPONENT).unwrap();
    keeping_holds(
        runtime,
        COMPONENT,
        &[CONTACT, LOCATION],
        &mut |act| locate(&mib, act, b"cellar"),
        &mut |act| {
            assert_eq!(settings.apply(act, &contact("root"), &mut Buf::new()), Ok(0));
        },
    );
}

/// What a module does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    CheckApplies,
    CheckMiscounts,
    CheckOverwrites,
    ApplyIgnores,
    ApplyDespiteProblems,
    ApplySaysOtherwise,
    ApplyOnlyTwice,
    ApplyForgetsSets,
    RevisionMoves,
    RevisionStays,
    RevisionMovesWithSettings,
    SaveOverwrites,
    SaveAddsUp,
    RestoreTakesAnything,
    RestoreRefuses,
    RestoreForgets,
}

/// The module, but for one thing.
struct Faulty {
    settings: SettingsProxy,
    persistence: PersistenceProxy,
    mib: MibAccessProxy,
    fault: Fault,
    calls: Cell<u8>,
    start: Vec<u8>,
}

impl Faulty {
    fn of(runtime: &'static Runtime, mib: MibAccessProxy, fault: Fault) -> Self {
        let persistence: PersistenceProxy = runtime.proxy(COMPONENT).unwrap();
        // As it was before anything came by SET.
        let start = saved(&persistence, &runtime.worker().activity());
        let settings = runtime.proxy(COMPONENT).unwrap();
        Faulty { settings, persistence, mib, fault, calls: Cell::new(0), start }
    }

    fn call(&self) -> u8 {
        self.calls.replace(self.calls.get() + 1)
    }
}

impl Settings for Faulty {
    fn check(&self, act: &Activity, document: &[u8], problems: &mut Buf) -> Result<u32, CallError> {
        match self.fault {
            Fault::CheckApplies => self.settings.apply(act, document, problems),
            Fault::CheckMiscounts => Ok(self.settings.check(act, document, problems)? + 1),
            Fault::CheckOverwrites => {
                problems.clear();
                self.settings.check(act, document, problems)
            }
            _ => self.settings.check(act, document, problems),
        }
    }

    fn apply(&self, act: &Activity, document: &[u8], problems: &mut Buf) -> Result<u32, CallError> {
        let count = self.settings.check(act, document, &mut Buf::new())?;
        match self.fault {
            Fault::ApplyIgnores => return self.settings.check(act, document, problems),
            Fault::ApplyDespiteProblems if count > 0 => {
                self.settings.apply(act, &contact("half of it"), &mut Buf::new())?;
            }
            Fault::ApplySaysOtherwise if count > 0 => problems.append(b"and then ")?,
            Fault::ApplyOnlyTwice if count == 0 && self.call() >= 2 => return Ok(0),
            Fault::ApplyForgetsSets if self.call() > 0 => {
                locate(&self.mib, act, b"");
            }
            _ => {}
        }
        self.settings.apply(act, document, problems)
    }
}

impl Persistence for Faulty {
    fn revision(&self, act: &Activity) -> Result<u64, CallError> {
        match self.fault {
            Fault::RevisionMoves => Ok(self.call().into()),
            Fault::RevisionStays => Ok(7),
            Fault::RevisionMovesWithSettings => {
                let all = shown(&self.mib, act, &[CONTACT, LOCATION]);
                Ok(all.bytes().map(u64::from).sum())
            }
            _ => self.persistence.revision(act),
        }
    }

    fn save(&self, act: &Activity, kept: &mut Buf) -> Result<(), CallError> {
        match self.fault {
            Fault::SaveOverwrites => kept.clear(),
            Fault::SaveAddsUp => kept.append(&[self.call()])?,
            _ => {}
        }
        self.persistence.save(act, kept)
    }

    fn restore(&self, act: &Activity, kept: &[u8]) -> Result<bool, CallError> {
        match self.fault {
            Fault::RestoreTakesAnything => {
                Ok(self.persistence.restore(act, kept)? || !kept.is_empty())
            }
            Fault::RestoreRefuses => Ok(false),
            Fault::RestoreForgets => {
                let taken = self.persistence.restore(act, kept)?;
                Ok(taken && self.persistence.restore(act, &self.start)?)
            }
            _ => self.persistence.restore(act, kept),
        }
    }
}

#[test]
fn the_suite_names_the_sentence_of_settings_that_a_module_breaks() {
    for (fault, sentence) in [
        (Fault::CheckApplies, 1),
        (Fault::CheckMiscounts, 1),
        (Fault::CheckOverwrites, 1),
        (Fault::ApplyIgnores, 2),
        (Fault::ApplyDespiteProblems, 2),
        (Fault::ApplySaysOtherwise, 2),
        (Fault::ApplyOnlyTwice, 3),
        (Fault::ApplyForgetsSets, 3),
    ] {
        let (runtime, mib) = served();
        let faulty = Faulty::of(runtime, mib, fault);
        let mut seen = |act: &Activity| Seen {
            in_force: shown(&mib, act, &[CONTACT]),
            written: saved(&faulty.persistence, act),
        };
        let mut worker = runtime.worker();
        documents(|documents| {
            let found = suite(&faulty, documents, &mut seen, &mut |step| step(&worker.activity()));
            assert_eq!(found.unwrap_err().sentence, sentence, "{fault:?}");
        });
    }
}

#[test]
fn the_suite_names_the_sentence_of_what_is_kept_that_a_module_breaks() {
    for (fault, sentence) in [
        (Fault::RevisionMoves, 4),
        (Fault::RevisionStays, 4),
        (Fault::RevisionMovesWithSettings, 4),
        (Fault::SaveOverwrites, 5),
        (Fault::SaveAddsUp, 5),
        (Fault::RestoreTakesAnything, 5),
        (Fault::RestoreRefuses, 5),
        (Fault::RestoreForgets, 5),
    ] {
        let (runtime, mib) = served();
        let faulty = Faulty::of(runtime, mib, fault);
        let mut changes = Changes {
            kept: &mut |act| locate(&mib, act, b"cellar"),
            passing: &mut |act| {
                faulty.settings.apply(act, &contact("root"), &mut Buf::new()).unwrap();
            },
            seen: &mut |act| shown(&mib, act, &[LOCATION]),
        };
        let mut worker = runtime.worker();
        let found = keeping_suite(&faulty, &mut changes, &mut |step| step(&worker.activity()));
        assert_eq!(found.unwrap_err().sentence, sentence, "{fault:?}");
    }
}
