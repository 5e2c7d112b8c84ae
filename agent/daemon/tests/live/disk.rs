//! A full disk under a running agent: what needs room is refused with the reason and the place, everything else goes
//! on, and as soon as there is room it goes through.
//!
//! The disk is small and in memory, in a mount namespace that ends with the test. Invariant: what is refused has
//! changed nothing, before and after a restart.

use crate::started::Agent;
use crate::world::{Live, Load, MANAGER, package};
use serde_json::{Value as Json, json};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says in the environment that temporary directories are on the small disk.
const INSIDE: &str = "SAGENTD_TEST_SMALL_DISK";

const SYS_CONTACT: &str = ".1.3.6.1.2.1.1.4.0";
const USM: &str = "security.usm";
const SUCCESSOR: &str = "security-usm-next";

/// Runs a test of this file again where temporary directories are on a disk of its own; there it is done.
fn on_a_small_disk(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let place = tempfile::tempdir().unwrap();
    let mounted = || {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        // Two packages fit, and what else an agent keeps.
        let then = "mount -t tmpfs -o size=24m tmpfs \"$0\" && exec \"$@\"";
        command.args(["--", "sh", "-c", then]).arg(place.path());
        command
    };
    let probe = mounted().arg("true").output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this system lets nobody mount a disk in a namespace: {probe:?}");
        return;
    }
    let mut again = mounted();
    again.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
    let output = again.env(INSIDE, "1").env("TMPDIR", place.path()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "on a small disk: {text}");
}

/// What takes up the room.
struct Filler(PathBuf);

impl Filler {
    /// Leaves this many octets, or fewer than a page more.
    fn leaving(live: &Live, octets: u64) -> Self {
        Self::in_directory(live.directory.path(), octets)
    }

    fn in_directory(directory: &Path, octets: u64) -> Self {
        let path = directory.join("filler");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full.checked_sub(octets).unwrap()).unwrap();
        Filler(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// The files of a directory and of those in it, by name and length; no sockets, and no filler.
fn files(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() && !path.ends_with("filler") {
            found.push((path, entry.metadata().unwrap().len()));
        }
    }
    found.sort();
    found
}

/// A swap was refused because there is no room for this file.
fn was_refused(live: &Live, outcome: &Json, place: &str) {
    assert_eq!(outcome["verdict"], "aborted", "{outcome}");
    let cause = outcome["cause"].to_string();
    let where_it_is = live.directory.path().join("state/swap").join(place);
    for wanted in ["no space left", "free some and try again", where_it_is.to_str().unwrap()] {
        assert!(cause.contains(wanted), "no `{wanted}` in {cause}");
    }
    assert_eq!(outcome["doubts"], json!([]), "{outcome}");
}

fn contact(live: &Live) -> String {
    live.tool("snmpget", MANAGER, &[SYS_CONTACT])
}

fn set_contact(live: &Live, to: &str) -> String {
    live.tool("snmpset", MANAGER, &[SYS_CONTACT, "s", to])
}

#[test]
fn a_push_onto_a_full_disk_is_aborted_and_goes_through_when_there_is_room() {
    let name = "disk::a_push_onto_a_full_disk_is_aborted_and_goes_through_when_there_is_room";
    on_a_small_disk(name, || {
        let live = Live::start();
        let load = Load::on(&live);
        let size = u64::try_from(package(SUCCESSOR).len()).unwrap();
        for left in [0, 8 << 10, size / 2] {
            let _filler = Filler::leaving(&live, left);
            let before = (live.version(USM), files(live.directory.path()));
            was_refused(&live, &live.push(json!({}), &[SUCCESSOR]), "packages");
            let after = (live.version(USM), files(live.directory.path()));
            assert_eq!(after, before, "nothing is left of it");
        }
        live.must_push(&[SUCCESSOR]);
        assert!(live.version(USM).starts_with("2."));
        load.finish();
        let live = live.again();
        assert!(live.version(USM).starts_with("2."));
    });
}

#[test]
fn a_swap_whose_record_has_no_room_is_aborted_and_goes_through_when_there_is_some() {
    let name =
        "disk::a_swap_whose_record_has_no_room_is_aborted_and_goes_through_when_there_is_some";
    on_a_small_disk(name, || {
        let live = Live::start();
        let load = Load::on(&live);
        live.must_push(&[SUCCESSOR]);
        // There and back again: both are kept already.
        let back = || {
            let begun = live.client.post("/v1/rollbacks", &json!({ "component": USM })).unwrap();
            let txn = begun["txn"].as_u64().unwrap();
            live.confirm(txn);
            live.end_of(txn)
        };
        let filler = Filler::leaving(&live, 0);
        let mut before = live.version(USM);
        // What is left of the journal's last page is used up by not so many.
        let refused = (0..50).find_map(|_| {
            let outcome = back();
            if outcome["verdict"] == "aborted" {
                return Some(outcome);
            }
            assert_eq!(outcome["verdict"], "committed", "{outcome}");
            before = live.version(USM);
            None
        });
        was_refused(&live, &refused.unwrap(), "journal");
        assert_eq!(live.version(USM), before);
        drop(filler);
        let outcome = back();
        assert_eq!(outcome["verdict"], "committed", "{outcome}");
        let after = live.version(USM);
        assert_ne!(after, before);
        load.finish();
        assert_eq!(live.again().version(USM), after);
    });
}

#[test]
fn a_swap_on_trial_ends_either_way_on_a_disk_that_is_full_by_then() {
    let name = "disk::a_swap_on_trial_ends_either_way_on_a_disk_that_is_full_by_then";
    on_a_small_disk(name, || {
        let live = Live::start();
        let load = Load::on(&live);
        let before = live.version(USM);
        let order = json!({ "confirm": { "by": "operator", "seconds": 600 } });
        let on_trial = || {
            let txn = live.begin(&order, &[package(SUCCESSOR)]).unwrap();
            live.until_on_trial(txn);
            (txn, Filler::leaving(&live, 0))
        };
        let (txn, filler) = on_trial();
        live.client.post(&format!("/v1/swaps/{txn}/rollback"), &json!({})).unwrap();
        let ended = |outcome: Json, verdict: &str| {
            assert_eq!(outcome["verdict"], verdict, "{outcome}");
            assert_eq!(outcome["doubts"], json!([]), "{outcome}");
        };
        ended(live.end_of(txn), "rolled_back");
        assert_eq!(live.version(USM), before);
        drop(filler);
        let (txn, filler) = on_trial();
        live.confirm(txn);
        ended(live.end_of(txn), "committed");
        load.finish();
        drop(filler);
        assert!(live.again().version(USM).starts_with("2."));
    });
}

#[test]
fn a_set_that_cannot_be_kept_is_undone_and_one_for_which_there_is_room_stays() {
    let name = "disk::a_set_that_cannot_be_kept_is_undone_and_one_for_which_there_is_room_stays";
    on_a_small_disk(name, || {
        let live = Live::start();
        let load = Load::on(&live);
        let answer = set_contact(&live, "before");
        assert!(answer.contains("before"), "{answer}");
        let before = files(live.directory.path());
        let filler = Filler::leaving(&live, 0);
        let answer = set_contact(&live, "while it is full");
        assert!(answer.contains("commitFailed"), "{answer}");
        assert_eq!(files(live.directory.path()), before, "nothing is left of it");
        assert!(contact(&live).ends_with("\"before\""), "{}", contact(&live));
        let file = live.directory.path().join("state/module-mib.system");
        let said = format!("{}: No space left on device", file.display());
        let log = live.agent.log();
        assert!(log.contains(&said) && log.contains("free some space there"), "{log}");
        drop(filler);
        let answer = set_contact(&live, "afterwards");
        assert!(answer.contains("afterwards"), "{answer}");
        load.finish();
        assert!(contact(&live.again()).ends_with("\"afterwards\""));
    });
}

#[test]
fn a_start_that_cannot_be_recorded_is_refused_and_the_next_one_has_the_last_set() {
    let name = "disk::a_start_that_cannot_be_recorded_is_refused_and_the_next_one_has_the_last_set";
    on_a_small_disk(name, || {
        let live = Live::start();
        live.must_push(&[SUCCESSOR]);
        set_contact(&live, "before");
        let boots = live.agent.boots();
        let Live { agent, directory, .. } = live;
        // kill -9
        drop(agent);
        let filler = Filler::in_directory(directory.path(), 0);
        let said = Agent::try_start(directory.path(), &[]).err().unwrap();
        // RFC 3414 §2.2.2: what was not made durable must not be used.
        let engine = directory.path().join("state/engine");
        let engine = format!("this start cannot be recorded: {}", engine.display());
        for wanted in [&engine[..], "No space left on device", "free some space there"] {
            assert!(said.contains(wanted), "no `{wanted}` in {said}");
        }
        drop(filler);
        // Room for that, and for nothing else.
        let filler = Filler::in_directory(directory.path(), 4096);
        let said = Agent::try_start(directory.path(), &[]).err().unwrap();
        let journal = directory.path().join("state/swap/journal");
        for wanted in ["no space left for the journal", "free some", journal.to_str().unwrap()] {
            assert!(said.contains(wanted), "no `{wanted}` in {said}");
        }
        drop(filler);
        let live = Live::in_directory(directory);
        assert!(live.version(USM).starts_with("2."));
        assert!(contact(&live).ends_with("\"before\""));
        // The second of those starts was recorded, and the first has told nobody anything.
        assert_eq!(live.agent.boots(), boots + 2);
    });
}
