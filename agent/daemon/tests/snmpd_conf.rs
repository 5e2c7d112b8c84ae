//! One `snmpd.conf` for two agents: Debian's snmpd and this one are asked the same, and answer the same.
//!
//! Every test starts both anew, with the file that it writes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

use s_interop::Server;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const SAGENTD: &str = env!("CARGO_BIN_EXE_sagentd");

const SYS_NAME: &str = ".1.3.6.1.2.1.1.5.0";
const SYS_LOCATION: &str = ".1.3.6.1.2.1.1.6.0";
const SNMP_IN_PKTS: &str = ".1.3.6.1.2.1.11.1.0";

struct Both {
    directory: TempDir,
    snmpd: Server,
    sagentd: Server,
}

impl Both {
    fn start(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agent.conf");
        std::fs::write(&file, text).unwrap();
        let snmpd = Server::snmpd(&file, &directory.path().join("persistent"));
        let sagentd = Server::sagentd(Path::new(SAGENTD), &file, &directory.path().join("state"));
        Both { directory, snmpd, sagentd }
    }

    /// What both answer; they must answer the same.
    fn answer(&self, tool: &str, principal: &[&str], more: &[&str]) -> String {
        let theirs = self.snmpd.answer(tool, principal, more);
        let ours = self.sagentd.answer(tool, principal, more);
        assert_eq!(plain(&ours), plain(&theirs), "{tool} {principal:?} {more:?}: ours, theirs");
        ours
    }
}

/// What was let see, without counters; how somebody is refused is compared in `interop`.
fn plain(text: &str) -> String {
    const REFUSED: [&str; 5] =
        ["noSuchName", "Reason: noAccess", "authorizationError", "Timeout", "No Such Object"];
    if REFUSED.iter().any(|how| text.contains(how)) {
        return "refused".into();
    }
    let lines = text.lines().map(|line| match line.split_once(" = Counter32: ") {
        Some((name, _)) => format!("{name} = Counter32: *"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn sagentd(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(SAGENTD).args(arguments).args(files).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

const COMMUNITIES: &str = r#"
sysLocation rack 7
rocommunity public
rocommunity sys default .1.3.6.1.2.1.1
rocommunity seen localhost -V some
rocommunity elsewhere 192.0.2.0/24
rwcommunity "pri vate" 127.0.0.0/8
rwcommunity part default .1.3.6.1.2.1.1.5
rocommunity one default .1.3.6.1.2.1.1.5.0
rwcommunity one default
rocommunity nowhere default -V nothing
rocommunity context default .1 ctx
rocommunity -v 2c second
view some included .1.3.6.1.2.1.1
view some excluded .1.3.6.1.2.1.1.5
view some included .1.3.6.1.2.1.1.5.0 ff:20
view some included .1.3.6.1.2.1.11
view some excluded .1.3.6.1.2.1.11
com2sec mine !127.0.0.1 denied
com2sec mine default denied
com2sec mine 127.0.0.1 first
com2sec other default first
group readers v2c mine
group writers v1 other
group writers v2c other
access readers "" any noauth exact some none none
access writers "" any noauth exact _all_ _all_ none
access writers "" v2c noauth exact some none none
"#;

#[test]
fn communities_see_and_change_what_snmpd_lets_them() {
    let both = Both::start(COMMUNITIES);
    let communities = [
        "public",
        "sys",
        "seen",
        "elsewhere",
        "pri vate",
        "part",
        "one",
        "nowhere",
        "context",
        "second",
        "denied",
        "first",
        "unknown",
        "",
    ];
    let mut answered = 0;
    for community in communities {
        let principal = ["-v2c", "-c", community];
        for name in [SYS_NAME, SYS_LOCATION, SNMP_IN_PKTS] {
            let answer = both.answer("snmpget", &principal, &[name]);
            answered += usize::from(answer.contains(" = ") && !answer.contains("No Such"));
        }
        both.answer("snmpset", &principal, &[SYS_NAME, "s", "somebody"]);
    }
    assert_eq!(answered, 19, "what is compared must not all be refused");
    for community in ["sys", "seen", "one", "second"] {
        both.answer("snmpget", &["-v1", "-c", community], &[SYS_NAME]);
    }
    // The end of a view is the end of a walk.
    for community in ["sys", "seen", "one"] {
        let last = ".1.3.6.1.2.1.1.6";
        both.answer("snmpgetnext", &["-v2c", "-c", community], &[last]);
        both.answer("snmpgetnext", &["-v1", "-c", community], &[last]);
    }
}

const USERS: &str = r#"
sysLocation rack 7
createUser none
createUser md5 MD5 "md5 passphrase" DES
createUser sha SHA sha_passphrase AES aes_passphrase
createUser sha256 SHA-256 sha_passphrase AES-256 aes_passphrase
createUser reeder SHA sha_passphrase AES-256-C aes_passphrase
createUser nobody SHA sha_passphrase
createUser grouped SHA sha_passphrase AES
createUser "two words" SHA sha_passphrase
exactEngineID 0x80001f8880aabbccdd
createUser local SHA -l 0x0102030405060708090a0b0c0d0e0f1011121314 AES -l 0x0102030405060708090a0b0c0d0e0f10
createUser master SHA -m 0x0102030405060708090a0b0c0d0e0f1011121314 AES -m 0x0102030405060708090a0b0c0d0e0f1011121314
rouser none noauth .1.3.6.1.2.1.1
rouser md5
rwuser sha priv
rouser sha256 auth -V some
rouser reeder
rouser local priv
rouser master
rouser "two words" auth .1.3.6.1.2.1.1 ""
rouser sha noauth
group readers usm grouped
authgroup read readers auth -V some
setaccess readers "" usm priv exact write some
view some included .1.3.6.1.2.1.1
"#;

#[test]
fn users_see_and_change_what_snmpd_lets_them() {
    let both = Both::start(USERS);
    let key = "0x0102030405060708090a0b0c0d0e0f1011121314";
    let phrase = |auth, phrase, private, priv_phrase| {
        vec!["-a", auth, "-A", phrase, "-x", private, "-X", priv_phrase]
    };
    let sha = phrase("SHA", "sha_passphrase", "AES", "aes_passphrase");
    let cases: Vec<(&str, Vec<&str>, Vec<&str>)> = vec![
        ("none", vec![], vec!["noAuthNoPriv"]),
        (
            "md5",
            phrase("MD5", "md5 passphrase", "DES", "md5 passphrase"),
            vec!["noAuthNoPriv", "authNoPriv", "authPriv"],
        ),
        ("sha", sha.clone(), vec!["noAuthNoPriv", "authNoPriv", "authPriv"]),
        (
            "sha256",
            phrase("SHA-256", "sha_passphrase", "AES-256", "aes_passphrase"),
            vec!["authNoPriv", "authPriv"],
        ),
        (
            "reeder",
            phrase("SHA", "sha_passphrase", "AES-256-C", "aes_passphrase"),
            vec!["authPriv"],
        ),
        ("nobody", sha.clone(), vec!["noAuthNoPriv", "authNoPriv", "authPriv"]),
        (
            "grouped",
            phrase("SHA", "sha_passphrase", "AES", "sha_passphrase"),
            vec!["authNoPriv", "authPriv"],
        ),
        ("two words", sha.clone(), vec!["authNoPriv"]),
        (
            "local",
            vec!["-a", "SHA", "-3k", key, "-x", "AES", "-3K", "0x0102030405060708090a0b0c0d0e0f10"],
            vec!["authNoPriv", "authPriv"],
        ),
        (
            "master",
            vec!["-a", "SHA", "-3m", key, "-x", "AES", "-3M", key],
            vec!["authNoPriv", "authPriv"],
        ),
        ("unknown", sha, vec!["authNoPriv"]),
        ("sha", phrase("SHA", "wrong_passphrase", "AES", "aes_passphrase"), vec!["authNoPriv"]),
    ];
    let mut answered = 0;
    for (user, keys, levels) in &cases {
        for level in levels {
            let mut principal = vec!["-v3", "-u", user, "-l", level];
            if *level != "noAuthNoPriv" {
                principal.extend(keys);
            }
            for name in [SYS_LOCATION, SNMP_IN_PKTS] {
                let answer = both.answer("snmpget", &principal, &[name]);
                answered += usize::from(answer.contains("rack 7") || answer.contains("Counter32"));
            }
            both.answer("snmpset", &principal, &[SYS_NAME, "s", "somebody"]);
        }
    }
    assert_eq!(answered, 24, "what is compared must not all be refused");
}

/// What an operator does who replaces snmpd: the agent goes on with engine, boots and users, and no
/// passphrase is entered anew.
#[test]
fn a_persistent_file_is_taken_over_and_the_same_command_goes_on_working() {
    let directory = tempfile::tempdir().unwrap();
    let (first, file) = (directory.path().join("first.conf"), directory.path().join("agent.conf"));
    let (persistent, state) = (directory.path().join("persistent"), directory.path().join("state"));
    let rules = "sysLocation rack 7\nrouser alice priv\nrouser bob\n";
    let users = "createUser alice SHA-512 alices_passphrase AES alices_other\ncreateUser bob SHA bobs_passphrase\n";
    std::fs::write(&first, format!("{rules}{users}")).unwrap();
    std::fs::write(&file, rules).unwrap();
    let alice = [
        "-v3",
        "-l",
        "authPriv",
        "-u",
        "alice",
        "-a",
        "SHA-512",
        "-A",
        "alices_passphrase",
        "-x",
        "AES",
        "-X",
        "alices_other",
    ];
    let bob = ["-v3", "-l", "authNoPriv", "-u", "bob", "-a", "SHA", "-A", "bobs_passphrase"];
    const ENGINE: [&str; 2] = [".1.3.6.1.6.3.10.2.1.1.0", ".1.3.6.1.6.3.10.2.1.2.0"];

    // Started twice, so that boots have moved, and the second time without the lines that made the users.
    Server::snmpd(&first, &persistent).stop();
    let snmpd = Server::snmpd(&file, &persistent);
    let before = snmpd.answer("snmpget", &alice, &ENGINE);
    assert!(before.contains("INTEGER: 2"), "{before}");
    snmpd.stop();

    let kept = persistent.join("snmpd.conf");
    let import = |more: &[&str]| {
        let mut arguments = vec![
            "import",
            "--state-directory",
            state.to_str().unwrap(),
            "--from",
            kept.to_str().unwrap(),
        ];
        arguments.extend(more);
        sagentd(&arguments, &[])
    };
    let dry = import(&["--dry-run"]);
    assert!(dry.status.success() && !state.exists(), "{}", text(&dry));
    let done = import(&[]);
    let said = text(&done);
    assert!(done.status.success(), "{said}");
    assert!(
        said.contains("user alice") && said.contains("user bob") && said.contains("Boots 3"),
        "{said}"
    );
    let secrets = std::fs::read_to_string(&kept).unwrap();
    let keys = secrets.split_whitespace().filter(|word| word.len() > 30 && word.starts_with("0x"));
    let engine_id = secrets.lines().find_map(|line| line.strip_prefix("oldEngineID ")).unwrap();
    for key in keys.filter(|key| *key != engine_id) {
        assert!(!said.contains(key), "a key was printed");
    }

    let agent = Server::sagentd(Path::new(SAGENTD), &file, &state);
    let again = import(&[]);
    assert!(
        !again.status.success() && text(&again).contains("an agent runs on"),
        "{}",
        text(&again)
    );
    let after = agent.answer("snmpget", &alice, &ENGINE);
    assert_eq!(after, before.replace("INTEGER: 2", "INTEGER: 3"), "the same engine, a boot later");
    assert!(agent.answer("snmpget", &bob, &[SYS_LOCATION]).ends_with("\"rack 7\""));
    agent.stop();
    // A restart and an import from a file that is older by now: boots never go back.
    assert!(import(&[]).status.success());
    let agent = Server::sagentd(Path::new(SAGENTD), &file, &state);
    let after = agent.answer("snmpget", &alice, &ENGINE);
    assert!(after.contains("INTEGER: 4"), "{after}");
}

/// What SETs wrote under snmpd is there afterwards, and of every line that is not taken over it is said why.
#[test]
fn what_sets_wrote_is_taken_over_and_each_other_line_is_named() {
    const CONTACT: &str = ".1.3.6.1.2.1.1.4.0";
    const AUTHEN_TRAPS: &str = ".1.3.6.1.2.1.11.30.0";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.conf");
    let (persistent, state) = (directory.path().join("persistent"), directory.path().join("state"));
    std::fs::write(&file, "rwcommunity private\n").unwrap();
    let private = ["-v2c", "-c", "private"];
    let snmpd = Server::snmpd(&file, &persistent);
    let params = |column: u32| format!(".1.3.6.1.6.3.12.1.3.1.{column}.1.112");
    let (target, [model, security, name, level, status]) =
        (".1.3.6.1.6.3.12.1.2.1.9.1.116", [2, 3, 4, 5, 7].map(params));
    for set in [
        &[CONTACT, "s", "ops \"quoted\" # x", SYS_NAME, "s", "router-1"][..],
        &[SYS_LOCATION, "s", "rack 9", AUTHEN_TRAPS, "i", "1"],
        &[target, "i", "5"],
        &[&status, "i", "5"],
        &[&model, "i", "1", &security, "i", "2", &name, "s", "private", &level, "i", "1"],
        &[".1.3.6.1.6.3.13.1.1.1.5.110", "i", "4", ".1.3.6.1.6.3.13.1.1.1.2.110", "s", "tag"],
    ] {
        let output = snmpd.ask("snmpset", &private, set);
        assert!(output.status.success(), "{set:?}: {}", text(&output));
    }
    let asked = [CONTACT, SYS_NAME, SYS_LOCATION, AUTHEN_TRAPS];
    let before = snmpd.answer("snmpget", &private, &asked);
    assert!(before.contains("rack 9"), "{before}");
    snmpd.stop();

    let kept = persistent.join("snmpd.conf");
    let arguments = ["import", "--state-directory", state.to_str().unwrap(), "--from"];
    let done = sagentd(&arguments, &[&kept]);
    let said = text(&done);
    assert!(done.status.success(), "{said}");
    let written = std::fs::read_to_string(&kept).unwrap();
    const TAKEN: [&str; 6] = [
        "engineBoots",
        "oldEngineID",
        "psyscontact",
        "psysname",
        "psyslocation",
        "pauthtrapenable",
    ];
    let mut left = 0;
    for (at, line) in written.lines().enumerate() {
        let Some(directive) = line.split_whitespace().next() else { continue };
        if directive.starts_with('#') || TAKEN.contains(&directive) {
            continue;
        }
        left += 1;
        let told = format!("{}:{}: ignored: {directive}: ", kept.display(), at + 1);
        assert!(said.contains(&told), "no `{told}` in {said}");
    }
    for directive in ["setserialno", "targetParams", "snmpNotifyTable"] {
        assert!(written.contains(&format!("\n{directive} ")), "{written}");
    }
    assert!(left >= 3 && said.contains("trapsess"), "{said}");

    let agent = Server::sagentd(Path::new(SAGENTD), &file, &state);
    assert_eq!(agent.answer("snmpget", &private, &asked), before);
    let set = agent.ask("snmpset", &private, &[AUTHEN_TRAPS, "i", "2"]);
    assert!(set.status.success(), "what was taken over is not configured: {}", text(&set));
}

/// As in snmpd: the line decides, and no SET does.
#[test]
fn failed_authentication_is_told_of_as_the_line_says() {
    const AUTHEN_TRAPS: &str = ".1.3.6.1.2.1.11.30.0";
    for (line, value, other) in [("authtrapenable 1", "1", "2"), ("authtrapenable 2", "2", "1")] {
        let both = Both::start(&format!("rwcommunity private\n{line}\n"));
        let private = ["-v2c", "-c", "private"];
        let answer = both.answer("snmpget", &private, &[AUTHEN_TRAPS]);
        assert!(answer.ends_with(value), "{answer}");
        let set = both.answer("snmpset", &private, &[AUTHEN_TRAPS, "i", other]);
        assert!(set.contains("notWritable"), "{set}");
    }
}

#[test]
fn check_says_what_becomes_of_each_line_and_refused_lines_keep_the_agent_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let sound = write(
        "sound.conf",
        "rouser alice # the reader\nmibs ALL\nagentaddress udp:127.0.0.1:1161\n",
    );
    let wrong = write("wrong.conf", "# a comment\nrouser alice\nrouser bob hushhush\ndlmod a b\n");
    let toml = write("sagentd.toml", "listen = [\"udp:127.0.0.1:1161\"]\n");

    let told = sagentd(&["-C", "--check", "-c"], &[&sound]);
    let said = text(&told);
    assert!(told.status.success(), "{said}");
    assert!(said.contains("sound.conf:1: honoured: rouser"), "{said}");
    assert!(said.contains("sound.conf:2: ignored: mibs: it is about how MIB files"), "{said}");
    assert!(said.contains("would listen on udp:127.0.0.1:1161"), "{said}");

    let told = sagentd(&["-C", "--check", "-c"], &[&wrong]);
    let said = text(&told);
    assert_eq!(told.status.code(), Some(1), "{said}");
    assert!(said.contains("wrong.conf:3: refused: rouser: the level"), "{said}");
    assert!(
        said.contains("wrong.conf:4: refused: dlmod") && said.contains("2 lines are refused"),
        "{said}"
    );
    assert!(!said.contains("hushhush"), "{said}");

    let told = sagentd(&["-C", "--check", "--json", "-c"], &[&wrong]);
    let json: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (json["sound"].as_bool(), json["lines"].as_array().map(Vec::len)),
        (Some(false), Some(3))
    );
    assert_eq!(
        (json["lines"][1]["line"].as_u64(), json["lines"][1]["verdict"].as_str()),
        (Some(3), Some("refused"))
    );

    let state = directory.path().join("state");
    let start = sagentd(&["-C", "--state-directory", state.to_str().unwrap(), "-c"], &[&wrong]);
    assert!(!start.status.success() && text(&start).contains("does not start"), "{}", text(&start));
    assert!(!state.exists(), "it was refused before anything was made");

    // Several files are one configuration; a file in TOML is another.
    let both = format!("{},{}", sound.display(), write("more.conf", "rouser carl\n").display());
    let told = sagentd(&["-C", "--check", "-c", &both, "-c"], &[&wrong]);
    assert!(
        text(&told).contains("more.conf:1: honoured") && text(&told).contains("wrong.conf:4"),
        "{}",
        text(&told)
    );
    let mixed = sagentd(&["-C", "--check", "-c", sound.to_str().unwrap(), "-c"], &[&toml]);
    assert!(text(&mixed).contains("name it alone"), "{}", text(&mixed));
    assert!(sagentd(&["-C", "--check", "-c"], &[&toml]).status.success());
}

#[test]
fn a_reload_with_a_refused_line_keeps_what_there_was() {
    let both = Both::start("sysLocation rack 7\nrocommunity public\n");
    let file = both.directory.path().join("agent.conf");
    std::fs::write(&file, "sysLocation rack 8\nrocommunity public\nrocommunity other\n").unwrap();
    both.sagentd.reload();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let place = || both.sagentd.answer("snmpget", &["-v2c", "-c", "public"], &[SYS_LOCATION]);
    while !place().contains("rack 8") {
        assert!(std::time::Instant::now() < until, "{}", place());
    }
    std::fs::write(&file, "sysLocation rack 9\nrocommunity public\nrocomunity third\n").unwrap();
    both.sagentd.reload();
    // The same thread reads and answers a signal after the other: the second is over when a third has been.
    std::fs::write(&file, "sysLocation rack 10\nrocommunity public\n").unwrap();
    both.sagentd.reload();
    while !place().contains("rack 10") {
        assert!(!place().contains("rack 9"), "a configuration with a refused line was taken");
        assert!(std::time::Instant::now() < until, "{}", place());
    }
    let gone = both.sagentd.answer("snmpget", &["-v2c", "-c", "other"], &[SYS_LOCATION]);
    assert!(gone.contains("Timeout"), "{gone}");
}

/// The page of the manual: its file, its commands, and what it says that they print.
#[test]
fn the_page_of_the_manual_says_what_happens() {
    const PAGE: &str = include_str!("../../../docs/manual/migrating-from-snmpd.md");
    let directory = tempfile::tempdir().unwrap();
    let (file, persistent) =
        (directory.path().join("snmpd.conf"), directory.path().join("persistent"));
    let block = |kind: &str| {
        let fence = format!("```{kind}\n");
        PAGE.split(&fence)
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let example = block("snmpd.conf").remove(0);
    let with_user = directory.path().join("with-user.conf");
    std::fs::write(&file, &example).unwrap();
    std::fs::write(
        &with_user,
        format!("{example}createUser alice SHA-256 alices_passphrase AES\n"),
    )
    .unwrap();
    Server::snmpd(&with_user, &persistent).stop();

    let port = s_interop::free_port();
    let here = |text: &str| {
        text.replace("/etc/snmp/snmpd.conf", file.to_str().unwrap())
            .replace("/var/lib/snmp/snmpd.conf", persistent.join("snmpd.conf").to_str().unwrap())
            .replace("127.0.0.1:1161", &format!("127.0.0.1:{port}"))
    };
    let bin = Path::new(SAGENTD).parent().unwrap().to_str().unwrap().to_owned();
    let shell = |command: &str| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec {}", here(command)));
        shell.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()));
        shell.env("STATE_DIRECTORY", directory.path().join("state")).env("MIBS", "");
        shell.env("SNMPCONFPATH", "/dev/null");
        shell
    };
    let (mut ran, mut agent) = (0, None);
    for commands in block("console") {
        for command in commands.split("$ ").filter(|text| !text.is_empty()) {
            let (command, expected) = command.split_once('\n').unwrap_or((command, ""));
            ran += 1;
            if let Some(command) = command.strip_suffix(" &") {
                agent = Some(Server::wrap(shell(command).spawn().unwrap(), port));
                continue;
            }
            let output = shell(command).output().unwrap();
            let said = text(&output);
            assert!(output.status.success(), "{command}: {said}");
            for line in expected.lines() {
                assert!(said.contains(&here(line)), "{command}: no line `{line}` in: {said}");
            }
        }
    }
    assert!(ran == 6 && agent.is_some(), "{ran} commands");
}
