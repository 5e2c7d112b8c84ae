//! What goes wrong around an agent and must not stop it or those who ask it: callers that say nothing, readers
//! that go, damaged files, a configuration with mistakes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod started;

use started::{Agent, CONFIG, PASSPHRASE, PUBLIC, furnished, program, writer};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const UP_TIME: &str = ".1.3.6.1.2.1.1.3.0";

fn why(directory: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("why").arg("--state-directory").arg(directory.join("state"));
    command
}

#[test]
fn a_wrong_privacy_passphrase_is_told_as_one() {
    let directory = furnished(CONFIG);
    let agent = Agent::start(directory.path(), &[]);
    let address = format!("udp:127.0.0.1:{}", agent.port);
    let mut wrong = writer(PASSPHRASE);
    wrong[12] = "another passphrase";
    assert!(!agent.ask_at(&address, "snmpget", &wrong, &[UP_TIME]).status.success());
    let told = why(directory.path()).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    for wanted in
        ["RFC 3412 §7.2 step 7", "not-decrypted", "snmpInASNParseErrs", "compare -x and -X"]
    {
        assert!(told.contains(wanted), "{wanted} is not in {told}");
    }
}

#[test]
fn callers_that_say_nothing_keep_nobody_from_asking() {
    let port = started::free_port();
    let directory = furnished(&format!("{CONFIG}\n[metrics]\nlisten = [\"127.0.0.1:{port}\"]\n"));
    let _agent = Agent::start(directory.path(), &[]);
    let control = directory.path().join("state/control");
    let _metrics: Vec<_> =
        (0..200).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let _control: Vec<_> = (0..200).map(|_| UnixStream::connect(&control).unwrap()).collect();
    let told = why(directory.path()).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(String::from_utf8(told.stdout).unwrap().contains("No packet was refused"));
    let mut reader = TcpStream::connect(("127.0.0.1", port)).unwrap();
    reader.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    reader.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut page = String::new();
    reader.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("sagentd_build_info"));
}

#[test]
fn a_reader_that_goes_ends_a_command_quietly() {
    let directory = furnished(CONFIG);
    let _agent = Agent::start(directory.path(), &[]);
    let file = directory.path().join("sagentd.toml");
    let snmpd_conf = directory.path().join("snmpd.conf");
    fs::write(&snmpd_conf, "rocommunity public\n").unwrap();
    let mut completions = Command::new(program());
    completions.args(["completions", "bash"]);
    let mut check = Command::new(program());
    check.args(["--check", "-c"]).arg(file);
    let mut verdicts = Command::new(program());
    verdicts.args(["--check", "-c"]).arg(snmpd_conf);
    for mut command in [why(directory.path()), completions, check, verdicts] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.status.code(), &said[..]), (Some(0), ""), "{command:?}");
    }
}

#[test]
fn a_damaged_journal_is_kept_aside_and_the_factory_set_serves() {
    let directory = furnished(CONFIG);
    let swap = directory.path().join("state/swap");
    Agent::start(directory.path(), &[]).stop();
    for (octet, aside) in [(0, "journal.damaged-1"), (6, "journal.damaged-2")] {
        let mut octets = fs::read(swap.join("journal")).unwrap();
        octets[octet] ^= 0x55;
        fs::write(swap.join("journal"), &octets).unwrap();
        let agent = Agent::start(directory.path(), &[]);
        agent.answer("snmpget", PUBLIC, &[UP_TIME]);
        let said = agent.log();
        assert!(said.contains("damaged at its beginning") && said.contains(aside), "{said}");
        assert_eq!(fs::read(swap.join(aside)).unwrap(), octets);
        agent.stop();
    }
    // And the new one is an ordinary one.
    let agent = Agent::start(directory.path(), &[]);
    assert!(!agent.log().contains("damaged"), "{}", agent.log());
}

#[test]
fn a_journal_that_a_newer_version_wrote_stops_the_start_and_stays() {
    let directory = furnished(CONFIG);
    let journal = directory.path().join("state/swap/journal");
    Agent::start(directory.path(), &[]).stop();
    let mut octets = fs::read(&journal).unwrap();
    octets[7] += 1;
    fs::write(&journal, &octets).unwrap();
    let said = Agent::try_start(directory.path(), &[]).err().unwrap();
    assert!(said.contains("a newer version wrote it: run that"), "{said}");
    assert_eq!(fs::read(&journal).unwrap(), octets);
}

#[test]
fn mistakes_are_told_with_file_line_and_remedy_also_those_that_modules_find() {
    let directory = furnished("");
    let file = directory.path().join("sagentd.toml");
    for (text, line, wanted) in [
        ("\nthreads = 100000\n", 2, "threads: write 1 to 256"),
        ("listen = [\"udp:127.0.0.1:7777\",\n\"127.0.0.1:7777\"]\n", 2, "is named twice"),
        ("[[user]]\nname = \"x\"\nview = \"v\"\n", 1, "add a [[view]]"),
        ("[[user]]\nname = \"x\"\n\n[[user]]\nname = \"x\"\n", 4, "`x` is there twice"),
        ("[system]\ncontact = \"\\u0007\\u00e4\"\n", 2, "shorten or respell"),
        ("[[watch.disk]]\npath = \"var\"\n", 1, "write where it is mounted"),
    ] {
        fs::write(&file, text).unwrap();
        let done = Command::new(program()).args(["--check", "-c"]).arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let place = format!("{}:{line}: ", file.display());
        assert!(said.contains(&place) && said.contains(wanted), "{text}: {said}");
        assert_eq!(done.status.code(), Some(1));
    }
    let twice = Command::new(program())
        .args(["-C", "--state-directory"])
        .arg(directory.path().join("state"))
        .args(["udp:127.0.0.1:7777", "127.0.0.1:7777"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&twice.stderr).into_owned();
    assert!(said.contains("udp:127.0.0.1:7777 is named twice"), "{said}");
}
