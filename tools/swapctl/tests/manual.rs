//! The chapter "Writing a module", run as it is printed: its shell blocks are one script, and this is its judge.
//! Nothing of the page is repeated here but what must come out.

#![allow(clippy::unwrap_used)] // a failed unwrap here is a failed test

mod sagentd;

use std::fs::{self, File};
use std::process::Command;

use sagentd::Group;
use tempfile::TempDir;

const PAGE: &str = include_str!("../../../docs/manual/writing-a-module.md");

/// The address of the page's agent, which may be somebody's on this machine.
const ADDRESS: &str = "127.0.0.1:2161";

/// What stands in the blocks fenced `sh`. Those fenced `console` are for people.
fn blocks(page: &str) -> Vec<&str> {
    let begun = page.split("\n```sh\n").skip(1);
    begun.map(|rest| rest.split_once("\n```").expect("a block that is not closed").0).collect()
}

#[test]
fn a_first_module_is_written_pushed_replaced_and_taken_back_as_the_manual_says() {
    let blocks = blocks(PAGE);
    assert_eq!(blocks.len(), 8, "the page has other steps now; judge those, too");
    let page = blocks.join("\n");
    assert!(page.contains(ADDRESS), "the page's agent listens elsewhere now");
    let script = page.replace(ADDRESS, &format!("127.0.0.1:{}", sagentd::free_port()));

    let folder = TempDir::new().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(sagentd::programs().to_owned()).chain(std::env::split_paths(&path));
    let (said, complained) = (folder.path().join("said"), folder.path().join("complained"));
    // Files, since an agent that is left over would hold a pipe open. `timeout` takes nobody's word for an end.
    let mut shell = Group::start(
        Command::new("timeout")
            .args(["600", "sh", "-eux", "-c", &script])
            .current_dir(&folder)
            .env("SAGENTD", sagentd::checkout())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("CARGO_NET_OFFLINE", "true")
            // The page's module is built as every module is; here it only has to be there soon.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            // The page says `target/release` and `state`.
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("STATE_DIRECTORY")
            .env_remove("SAGENTD_SOCKET")
            .stdout(File::create(&said).unwrap())
            .stderr(File::create(&complained).unwrap()),
    );
    let status = shell.0.wait().unwrap();
    let said = fs::read_to_string(said).unwrap();
    let complained = fs::read_to_string(complained).unwrap();
    assert!(status.success(), "{status}\n{said}\n{complained}");

    let is_number = |line: &&str| line.parse::<u64>().is_ok();
    let totals: Vec<&str> = said.lines().filter(is_number).collect();
    assert_eq!(totals, ["3", "7", "8", "8"], "{said}");
    let course = [
        "admitted",
        "Nothing has changed.",
        "committed; 1.0.0 serving",
        "awaits your word",
        "committed; 1.1.0 serving",
        "committed; 1.0.0 serving",
        "aborted in verify",
    ];
    let mut rest = said.as_str();
    for step in course {
        let found = rest.split_once(step).map(|(_, after)| after);
        rest = found.unwrap_or_else(|| panic!("`{step}` is missing, or not in its turn: {said}"));
    }
}
