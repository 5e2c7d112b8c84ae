//! Files in the syntax of net-snmp: `snmpd.conf`, and the persistent file that snmpd writes.
//!
//! Promises checked: every line has one verdict at most, in the order of the file; a file is read the same way
//! every time; what is read without a refusal is a configuration whose documents the modules take; and an import
//! that is only tried writes nothing.

use crate::snmpd_conf;
use crate::snmpd_conf::import::{Manner, Persistent};
use roles::settings::{Settings as _, SettingsProxy, write};
use s_conversations::Agent;
use s_sdk::Buf;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::cell::LazyCell;
use std::path::PathBuf;

struct Bench {
    agent: Agent,
    folder: PathBuf,
}

thread_local! {
    static BENCH: LazyCell<Bench> = LazyCell::new(|| {
        let bench = Bench { agent: Agent::default(), folder: crate::folder("snmpd_conf") };
        without_sockets();
        bench
    });
}

/// Names of hosts are looked up while a file is read: here nobody is asked, so that every run is the same.
fn without_sockets() {
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let calls = [(libc::SYS_socket, vec![])].into();
    let arch = std::env::consts::ARCH.try_into().expect("a known architecture");
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, refused, arch);
    let program: BpfProgram =
        filter.and_then(TryInto::try_into).expect("a filter of one rule written here");
    seccompiler::apply_filter(&program).expect("a process may confine itself");
}

/// One input.
pub fn run(octets: &[u8]) {
    BENCH.with(|bench| {
        let file = bench.folder.join("input");
        std::fs::write(&file, octets).expect("a file of this process's own");
        read_as_configuration(bench, &file, octets);
        read_as_persistent(bench, &file);
    });
}

fn read_as_configuration(bench: &Bench, file: &PathBuf, octets: &[u8]) {
    let read = || snmpd_conf::read(std::slice::from_ref(file));
    let Ok(reading) = read() else { return };
    let lines: Vec<String> = reading.lines.iter().map(ToString::to_string).collect();
    let numbers = reading.lines.iter().filter(|line| line.file == *file).map(|line| line.number);
    if !octets.to_ascii_lowercase().windows(7).any(|word| word == b"include") {
        assert!(numbers.is_sorted_by(|a, b| a < b), "a line has two verdicts");
    }
    let again = read().expect("it was read before");
    assert!(
        lines.iter().eq(again.lines.iter().map(ToString::to_string).collect::<Vec<_>>().iter())
    );
    let Ok(configuration) = reading.into_configuration() else { return };
    let documents = [
        ("security.usm", write(&configuration.usm)),
        ("security.community", write(&configuration.communities)),
        ("access.vacm", write(&configuration.vacm)),
        ("mib.system", write(&configuration.system)),
    ];
    let runtime = bench.agent.runtime;
    for (component, document) in documents {
        let settings: SettingsProxy = runtime.proxy(component).expect("a module of the agent");
        let mut problems = Buf::new();
        let told = runtime.worker().serve(|act| settings.check(act, &document, &mut problems));
        assert_eq!(told, Ok(0), "{component}: {}", String::from_utf8_lossy(&problems));
    }
}

fn read_as_persistent(bench: &Bench, file: &PathBuf) {
    let Ok(persistent) = Persistent::read(file) else { return };
    let nowhere = bench.folder.join("state");
    let _ = persistent.take_over(&nowhere, Manner { dry_run: true, force: true });
    assert!(!nowhere.exists(), "something was written");
}
