//! The module as the agent asks it: through a proxy, whose component was not there before.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../mib-kit/tests/hosted/asked.rs"]
mod asked;
#[path = "../../../sdk/tests/hosted/mod.rs"]
mod hosted;

use asked::{binds, get, set, walk_takes_no_memory};
use hosted::{host, serve};
use mib_example::{Note, S_MODULE};
use roles::contract::mib::{set_suite, suite, walk};
use roles::mib::MibAccessProxy;
use roles::varbind::ErrorStatus;
use roles::varbind::VarValue::{Counter32, Octets};
use s_proxy::Code;
use s_sdk::{Activity, State as _};

const NOTE: [u32; 11] = [1, 3, 6, 1, 4, 1, 32_473, 3, 1, 1, 0];
const NOTES: [u32; 11] = [1, 3, 6, 1, 4, 1, 32_473, 3, 1, 2, 0];

fn asked(test: impl Fn(MibAccessProxy, &Activity)) {
    asked::hosting(&[("mib.example", &S_MODULE)], test);
}

#[test]
fn the_contract_holds() {
    asked(|mib, act| suite(&mib, act).unwrap());
    asked(|mib, act| {
        let note = binds(&[(&NOTE, Octets(b"here"))]);
        let number = binds(&[(&NOTE, Counter32(7))]);
        set_suite(&mib, act, &note, &[(&number, ErrorStatus::WrongType, 1)]).unwrap();
    });
}

#[test]
fn a_note_is_left_and_read_and_counted() {
    asked(|mib, act| {
        get(&mib, act, &NOTE, |found| assert_eq!(found, Octets(b"")));
        assert_eq!(set(&mib, act, &binds(&[(&NOTE, Octets(b"back at nine"))])), Ok(()));
        get(&mib, act, &NOTE, |found| assert_eq!(found, Octets(b"back at nine")));
        get(&mib, act, &NOTES, |found| assert_eq!(found, Counter32(1)));
        let refused = set(&mib, act, &binds(&[(&NOTE, Octets(b"\xff"))]));
        assert_eq!(refused, Err((ErrorStatus::WrongValue, 1)));
        let refused = set(&mib, act, &binds(&[(&NOTES, Counter32(0))]));
        assert_eq!(refused, Err((ErrorStatus::NotWritable, 1)));
        get(&mib, act, &NOTES, |found| assert_eq!(found, Counter32(1)));
        assert_eq!(walk(&mib, act, &NOTE[..8]).unwrap().len(), 2);
    });
}

#[test]
fn warm_answers_take_no_memory() {
    asked(|mib, act| walk_takes_no_memory(&mib, act, 3));
}

#[test]
fn a_successor_takes_the_note_over() {
    let (runtime, control) = host();
    let component = serve(&control, "mib.example", &S_MODULE);
    let mut worker = runtime.worker();
    let mib: MibAccessProxy = runtime.proxy("mib.example").unwrap();
    set(&mib, &worker.activity(), &binds(&[(&NOTE, Octets(b"kept"))])).unwrap();
    let state = component.current().body().unwrap().instance().export_state(1).unwrap();
    assert_eq!(Note::import(1, &state), Ok(Note { text: b"kept".to_vec(), count: 1 }));
    let successor = control.create(component, Code::linked(&S_MODULE)).unwrap();
    successor.instance().import_state(1, &state).unwrap();
    assert_eq!(successor.instance().export_state(1).unwrap().to_vec(), state.to_vec());
}

#[test]
fn our_mib_text_loads_without_a_warning_and_names_what_is_served() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../agent/mibs");
    for (name, numbers) in
        [("EXAMPLE-MIB::exampleNote.0", &NOTE), ("EXAMPLE-MIB::exampleNotes.0", &NOTES)]
    {
        let output = std::process::Command::new("snmptranslate")
            .args(["-M", &format!("{folder}:{folder}/base"), "-m", "EXAMPLE-MIB", "-Pw", "-On"])
            .arg(name)
            .output()
            .expect("snmptranslate, of the package `snmp`");
        let (said, warnings) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
        assert_eq!(warnings.as_deref(), Ok(""));
        let dotted = numbers.iter().map(|arc| format!(".{arc}")).collect::<String>();
        assert_eq!(said.unwrap().trim(), dotted);
    }
}
