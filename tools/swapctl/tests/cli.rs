//! The real binary, from a fresh key to an admitted package, and what it says when something is wrong.

#![allow(clippy::unwrap_used)] // a failed unwrap here is a failed test

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const FACTS: &str = r#"{
    "component": "security.usm", "version": "1.4.0", "name": "security-usm",
    "behaviors": [{"name": "SecurityModel", "version": 1, "hash": "0011223344556677"}],
    "dependencies": [{"component": "auth.sha2", "range": "^1.2"}],
    "toolchain": "rustc 1.95.0", "abi_version": 1
}"#;

/// A folder in which swapctl runs.
struct Desk(TempDir);

impl Desk {
    /// With code, facts, keys of a root, alice, bob and mallory, and a store in which alice may sign.
    fn furnished() -> Self {
        let desk = Self(TempDir::new().unwrap());
        fs::write(desk.path("usm.so"), b"\x7fELF and so on").unwrap();
        fs::write(desk.path("usm.json"), FACTS).unwrap();
        for key in ["root", "alice", "bob", "mallory"] {
            desk.ok(&["keygen", key]);
        }
        desk.ok(&[
            "trust",
            "init",
            "--root",
            "root.pub",
            "--key",
            "alice.pub=security.*",
            "--output",
            "trust.json",
        ]);
        desk
    }

    /// The same, with a package that alice has signed.
    fn with_package() -> Self {
        let desk = Self::furnished();
        desk.ok(&["pack", "usm.so", "--facts", "usm.json", "--epoch", "3", "--output", "usm.smod"]);
        desk.ok(&["sign", "--key", "alice.key", "usm.smod"]);
        desk
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_swapctl"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--json"], arguments].concat())).unwrap()
    }

    /// The message of a failure with this exit code; nothing may be on standard output.
    fn fails(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        stderr
    }

    /// The same, and the message says this.
    fn refuses(&self, arguments: &[&str], expected: &str) {
        let message = self.fails(1, arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn from_key_to_admitted_package() {
    let desk = Desk::with_package();
    let verdict = desk.json(&["verify", "--trust", "trust.json", "usm.smod"]);
    assert_eq!(verdict["admitted"], true);
    assert_eq!(verdict["component"], "security.usm");
    assert_eq!(verdict["epoch"], 3);
    assert_eq!(verdict["signers"].as_array().unwrap().len(), 1);
    assert!(desk.ok(&["verify", "--trust", "trust.json", "usm.smod"]).contains("admitted"));

    let claims = desk.json(&["inspect", "usm.smod"]);
    assert_eq!(claims["verified"], false);
    assert_eq!(claims["code_as_claimed"], true);
    assert_eq!(claims["manifest"]["module"]["version"], "1.4.0");
    assert_eq!(claims["signatures"], verdict["signers"]);
    assert!(desk.ok(&["inspect", "usm.smod"]).contains("auth.sha2 ^1.2"));
    let leftovers: Vec<_> = desk.files().into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(leftovers.is_empty(), "temporary files stayed: {leftovers:?}");
}

#[test]
fn packing_is_reproducible_and_cross_builds_need_facts() {
    let desk = Desk::furnished();
    let pack = |output: &str| {
        desk.ok(&[
            "pack",
            "--facts",
            "usm.json",
            "--target",
            "aarch64-unknown-linux-gnu=usm.so",
            "--target",
            "riscv64gc-unknown-linux-gnu=usm.so",
            "--annotation",
            "lab",
            "-o",
            output,
        ]);
        desk.read(output)
    };
    assert_eq!(pack("one.smod"), pack("two.smod"));
    let claims = desk.json(&["inspect", "one.smod"]);
    assert_eq!(claims["manifest"]["targets"].as_object().unwrap().len(), 2);
    assert_eq!(claims["manifest"]["module"]["annotation"], "lab");

    let message =
        desk.fails(2, &["pack", "--target", "aarch64-unknown-linux-gnu=usm.so", "-o", "x.smod"]);
    assert!(message.contains("--facts"), "{message}");
    desk.fails(
        2,
        &[
            "pack",
            "--facts",
            "usm.json",
            "--target",
            "aarch64-unknown-linux-gnu=usm.so",
            "--target",
            "aarch64-unknown-linux-gnu=usm.so",
            "-o",
            "x.smod",
        ],
    );
}

#[test]
fn wrong_packages_are_refused_with_the_reason() {
    let desk = Desk::with_package();
    let verify = |name: &str, expected: &str| {
        desk.refuses(&["verify", "--trust", "trust.json", name], expected);
    };
    desk.ok(&["pack", "usm.so", "--facts", "usm.json", "-o", "unsigned.smod"]);
    verify("unsigned.smod", "nobody has signed");

    desk.ok(&["sign", "--key", "mallory.key", "unsigned.smod", "-o", "mallory.smod"]);
    verify("mallory.smod", "no signing key is in the trust store");

    fs::write(desk.path("mib.json"), FACTS.replace("security.usm", "mib.system")).unwrap();
    desk.ok(&["pack", "usm.so", "--facts", "mib.json", "-o", "mib.smod"]);
    desk.ok(&["sign", "--key", "alice.key", "mib.smod"]);
    verify("mib.smod", "(alice) may not sign packages of `mib.system`");

    let tampered = |name: &str, from: &[u8], to: &[u8]| {
        let mut package = desk.read("usm.smod");
        let at = package.windows(from.len()).position(|window| window == from).unwrap();
        package[at..at + to.len()].copy_from_slice(to);
        fs::write(desk.path(name), package).unwrap();
    };
    tampered("code.smod", b"and so on", b"and so OH");
    verify("code.smod", "is not the code that was signed");
    assert!(desk.ok(&["inspect", "code.smod"]).contains("THE CODE IN THE PACKAGE DIFFERS"));
    desk.refuses(&["sign", "--key", "alice.key", "code.smod"], "is not the code that was signed");
    tampered("manifest.smod", b"\"epoch\": 3", b"\"epoch\": 9");
    verify("manifest.smod", "manifest.json is not the manifest that was signed");

    fs::write(desk.path("short.smod"), &desk.read("usm.smod")[..1000]).unwrap();
    verify("short.smod", "ends early");
    verify("usm.so", "ends early");
    verify("/dev/zero", "larger than");

    desk.ok(&[
        "pack",
        "usm.so",
        "--facts",
        "usm.json",
        "--expires",
        "2001-01-01T00:00:00Z",
        "-o",
        "old.smod",
    ]);
    desk.ok(&["sign", "--key", "alice.key", "old.smod"]);
    verify("old.smod", "expired at 2001-01-01T00:00:00Z");
    desk.ok(&["verify", "--trust", "trust.json", "--at", "2000-12-31T23:59:59Z", "old.smod"]);

    desk.refuses(
        &["verify", "--trust", "trust.json", "--target", "sparc64-unknown-linux-gnu", "usm.smod"],
        "no code for sparc64-unknown-linux-gnu",
    );
}

#[test]
fn older_epochs_need_the_operator_s_word_and_say_so() {
    let desk = Desk::with_package();
    let mut arguments =
        vec!["verify", "--trust", "trust.json", "usm.smod", "--recorded-epoch", "4"];
    desk.refuses(&arguments, "epoch 3 and 4 was already admitted");
    arguments.push("--allow-downgrade");
    let output = desk.run(&arguments);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("warning: admitted only because"));
    assert_eq!(desk.json(&arguments)["override_used"], true);
}

#[test]
fn several_signers_reach_a_threshold() {
    let desk = Desk::with_package();
    desk.ok(&[
        "trust",
        "add-key",
        "--trust",
        "trust.json",
        "next.json",
        "--key",
        "bob.pub",
        "--components",
        "*",
    ]);
    desk.ok(&[
        "trust",
        "set-threshold",
        "--trust",
        "trust.json",
        "next.json",
        "2",
        "--components",
        "security.*",
    ]);
    desk.ok(&["trust", "sign", "--key", "root.key", "next.json"]);
    desk.ok(&["trust", "update", "--trust", "trust.json", "next.json"]);
    desk.refuses(&["verify", "--trust", "trust.json", "usm.smod"], "1 of 2 needed keys signed");
    desk.ok(&["sign", "--key", "alice.key", "usm.smod"]);
    desk.refuses(&["verify", "--trust", "trust.json", "usm.smod"], "1 of 2 needed keys signed");
    desk.ok(&["sign", "--key", "bob.key", "usm.smod"]);
    assert_eq!(desk.json(&["verify", "--trust", "trust.json", "usm.smod"])["threshold"], 2);
}

#[test]
fn keys_change_hands_by_signed_updates_only() {
    let desk = Desk::with_package();
    let store = desk.json(&["trust", "show", "trust.json"]);
    let alice = store["store"]["keys"][0]["id"].as_str().unwrap();
    desk.ok(&["trust", "revoke", "--trust", "trust.json", "next.json", alice]);
    desk.ok(&[
        "trust",
        "add-key",
        "--trust",
        "trust.json",
        "next.json",
        "--key",
        "bob.pub",
        "--components",
        "*",
    ]);

    let take_over = ["trust", "update", "--trust", "trust.json", "next.json"];
    desk.refuses(&take_over, "0 of 1 needed root keys");
    desk.ok(&["trust", "sign", "--key", "mallory.key", "next.json"]);
    desk.refuses(&take_over, "0 of 1 needed root keys");
    desk.ok(&["trust", "sign", "--key", "root.key", "next.json"]);
    assert_eq!(
        desk.json(&["trust", "verify", "--trust", "trust.json", "next.json"])["may_follow"],
        true
    );
    desk.refuses(
        &["trust", "revoke", "--trust", "trust.json", "next.json", alice],
        "signed already",
    );
    assert!(desk.ok(&take_over).contains("version 1 became version 2"));

    desk.refuses(
        &["verify", "--trust", "trust.json", "usm.smod"],
        "no signing key is in the trust store",
    );
    desk.refuses(&take_over, "an older store is never taken back");
    assert!(desk.ok(&["trust", "show", "trust.json"]).contains("bob"));
    assert!(desk.ok(&["trust", "show", "next.json"]).contains("update to version 2"));
    desk.refuses(
        &["trust", "revoke", "--trust", "trust.json", "third.json", alice],
        "there is no release key",
    );
    assert!(!desk.path("third.json").exists(), "a refused edit writes nothing");
}

#[test]
fn adding_a_key_again_changes_its_terms() {
    let desk = Desk::furnished();
    let add = ["trust", "add-key", "--trust", "trust.json", "next.json", "--key", "alice.pub"];
    desk.ok(&[&add[..], &["--components", "mib.*", "--expires", "2030-01-01T00:00:00Z"]].concat());
    let keys = desk.json(&["trust", "show", "next.json"])["store"]["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 1);
    assert_eq!(keys[0]["components"][0], "mib.*");
    assert_eq!(keys[0]["expires"], "2030-01-01T00:00:00Z");
}

#[test]
fn roots_rotate_and_prove_that_they_hold_their_keys() {
    let desk = Desk::furnished();
    let root =
        desk.json(&["trust", "show", "trust.json"])["store"]["roots"]["keys"][0]["id"].clone();
    desk.refuses(
        &[
            "trust",
            "revoke",
            "--trust",
            "trust.json",
            "next.json",
            "--root",
            root.as_str().unwrap(),
        ],
        "need 1 root signatures and the number of root keys is 0",
    );
    desk.ok(&[
        "trust",
        "add-key",
        "--trust",
        "trust.json",
        "next.json",
        "--key",
        "bob.pub",
        "--root",
    ]);
    desk.ok(&[
        "trust",
        "revoke",
        "--trust",
        "trust.json",
        "next.json",
        "--root",
        root.as_str().unwrap(),
    ]);
    desk.ok(&["trust", "sign", "--key", "root.key", "next.json"]);
    let take_over = ["trust", "update", "--trust", "trust.json", "next.json"];
    desk.refuses(&take_over, "of the new store");
    desk.ok(&["trust", "sign", "--key", "bob.key", "next.json"]);
    desk.ok(&take_over);
    desk.refuses(
        &["trust", "set-threshold", "--trust", "trust.json", "third.json", "--root", "2"],
        "need 2 root signatures and the number of root keys is 1",
    );
}

#[test]
fn secret_keys_stay_secret() {
    let desk = Desk::with_package();
    assert_eq!(mode(&desk.path("alice.key")), 0o600);
    let secret = String::from_utf8(desk.read("alice.key")).unwrap();
    assert!(!desk.ok(&["keygen", "carol"]).contains("secret-key:"));
    assert_eq!(secret.lines().count(), 1);

    for exposed in [0o640, 0o604, 0o660] {
        fs::set_permissions(desk.path("alice.key"), Permissions::from_mode(exposed)).unwrap();
        desk.refuses(&["sign", "--key", "alice.key", "usm.smod"], "chmod 600 alice.key");
    }
    desk.refuses(
        &["trust", "init", "--root", "bob.key", "-o", "t.json"],
        "SECRET key where a public one belongs",
    );
    fs::set_permissions(desk.path("usm.json"), Permissions::from_mode(0o600)).unwrap();
    desk.refuses(&["sign", "--key", "usm.json", "usm.smod"], "not a secret key");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let desk = Desk::with_package();
    let before: Vec<_> = ["alice.key", "trust.json", "usm.smod"].map(|name| desk.read(name)).into();
    desk.refuses(&["keygen", "alice"], "--force");
    desk.refuses(&["trust", "init", "--root", "bob.pub", "-o", "trust.json"], "--force");
    desk.refuses(&["pack", "usm.so", "--facts", "usm.json", "-o", "usm.smod"], "--force");
    desk.refuses(&["sign", "--key", "bob.key", "usm.smod", "-o", "usm.smod"], "--force");
    let after: Vec<_> = ["alice.key", "trust.json", "usm.smod"].map(|name| desk.read(name)).into();
    assert_eq!(before, after);
    desk.ok(&["pack", "usm.so", "--facts", "usm.json", "-o", "usm.smod", "--force"]);
    assert_ne!(desk.read("usm.smod"), after[2]);
    desk.ok(&["keygen", "alice", "--force"]);
    assert_eq!(mode(&desk.path("alice.key")), 0o600);
}

#[test]
fn signing_through_a_link_signs_the_file() {
    let desk = Desk::with_package();
    fs::set_permissions(desk.path("usm.smod"), Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("usm.smod", desk.path("current.smod")).unwrap();
    desk.ok(&["sign", "--key", "bob.key", "current.smod"]);
    assert!(desk.path("current.smod").symlink_metadata().unwrap().is_symlink());
    assert_eq!(desk.json(&["inspect", "usm.smod"])["signatures"].as_array().unwrap().len(), 2);
    assert_eq!(mode(&desk.path("usm.smod")), 0o600, "signing opens the file to nobody");
}

#[test]
fn facts_are_checked_and_never_guessed() {
    let desk = Desk::furnished();
    fs::write(desk.path("bad.json"), FACTS.replace("\"abi_version\"", "\"abi\"")).unwrap();
    desk.refuses(&["pack", "usm.so", "--facts", "bad.json", "-o", "x.smod"], "unknown field `abi`");
    desk.fails(
        2,
        &["pack", "usm.so", "--facts", "usm.json", "-o", "x.smod", "--expires", "tomorrow"],
    );
    desk.refuses(
        &[
            "pack",
            "usm.so",
            "--facts",
            "usm.json",
            "-o",
            "x.smod",
            "--not-before",
            "2027-01-01T00:00:00Z",
            "--expires",
            "2026-01-01T00:00:00Z",
        ],
        "before it becomes valid",
    );
    assert!(!desk.path("x.smod").exists());
}

#[test]
fn exit_codes_tell_refusal_usage_and_system_apart() {
    let desk = Desk::with_package();
    desk.fails(2, &["verify", "usm.smod"]);
    desk.fails(2, &["no-such-command"]);
    let message = desk.fails(3, &["verify", "--trust", "trust.json", "missing.smod"]);
    assert!(message.contains("missing.smod: cannot open it"), "{message}");
    desk.fails(3, &["keygen", "no/such/folder/key"]);

    let stderr = desk.fails(
        1,
        &["--json", "verify", "--trust", "trust.json", "usm.smod", "--recorded-epoch", "4"],
    );
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((&error["error"], &error["exit"]), (&"older-epoch".into(), &1.into()));
}

#[test]
fn help_completions_and_manual_cover_every_command() {
    let desk = Desk(TempDir::new().unwrap());
    let help = desk.ok(&["--help"]);
    let commands = "keygen pack sign inspect verify trust plan push confirm abort rollback status history \
        versions describe state invoke events why doctor top script shell completions man";
    for word in commands.split(' ').chain(["Exit codes:", "rolled back", "busy"]) {
        assert!(help.contains(word), "{word}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(desk.ok(&["completions", shell]).contains("set-threshold"), "{shell}");
    }
    desk.ok(&["man", "man1"]);
    for page in ["swapctl.1", "swapctl-pack.1", "swapctl-push.1", "swapctl-trust-add-key.1"] {
        assert!(desk.path("man1").join(page).exists(), "{page}");
    }
    assert!(String::from_utf8(desk.read("man1/swapctl.1")).unwrap().contains("Exit codes"));
}
