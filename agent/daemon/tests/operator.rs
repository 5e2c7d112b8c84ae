//! The agent as whoever operates it meets it: transports, state, reloads, users, and what it tells of itself.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod started;

use rustix::process::Signal;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};
use started::{Agent, CONFIG, PASSPHRASE, PUBLIC, command, furnished, program, writer};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

const SYS_NAME: &str = ".1.3.6.1.2.1.1.5.0";
const UP_TIME: &str = ".1.3.6.1.2.1.1.3.0";

#[test]
fn every_transport_answers_the_same_and_a_hostile_peer_disturbs_nobody() {
    let directory = furnished(CONFIG);
    let port = started::free_port();
    let socket = directory.path().join("agent.socket");
    let places = [
        format!("udp6:[::1]:{port}"),
        format!("tcp:127.0.0.1:{port}"),
        format!("tcp6:[::1]:{port}"),
        format!("unix:{}", socket.display()),
    ];
    let agent = Agent::start(directory.path(), &places.each_ref().map(String::as_str));
    agent.answer("snmpset", &writer(PASSPHRASE), &[SYS_NAME, "s", "the same"]);
    let mut hostile: Vec<_> =
        (0..100).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    for (at, peer) in hostile.iter_mut().enumerate() {
        // Half a message, a lie about its length, and what is none at all.
        let octets: &[u8] =
            [&[0x30, 0x20, 2][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], b"GET /"][at % 3];
        let _ = peer.write_all(octets);
    }
    drop(hostile);
    for place in &places {
        for principal in [PUBLIC, &writer(PASSPHRASE)[..]] {
            let answer = agent.answer_at(place, "snmpget", principal, &[SYS_NAME]);
            assert!(answer.ends_with("\"the same\""), "{place}: {answer}");
        }
        let walk = agent.answer_at(place, "snmpbulkwalk", PUBLIC, &[".1.3.6.1.2.1.1"]);
        assert!(walk.lines().count() > 7, "{place}: {walk}");
    }
    agent.stop();
    assert!(!socket.exists());
}

#[test]
fn why_tells_the_step_the_counter_and_the_cure_and_no_secret() {
    let directory = furnished(CONFIG);
    let agent = Agent::start(directory.path(), &[]);
    let address = format!("udp:127.0.0.1:{}", agent.port);
    let wrong = agent.ask_at(&address, "snmpget", &writer("a wrong passphrase"), &[UP_TIME]);
    assert!(!wrong.status.success());
    let why = |more: &[&str]| {
        let output = Command::new(program())
            .arg("why")
            .arg("--state-directory")
            .arg(directory.path().join("state"))
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = why(&[]);
    for wanted in ["127.0.0.1:", "v3", "\"writer\"", "wrong-digest", "usmStatsWrongDigests", "cure"]
    {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    let answer: serde_json::Value = serde_json::from_str(&why(&["--json"])).unwrap();
    let reasons = answer["refused"].as_array().unwrap().iter().map(|one| one["reason"].clone());
    assert!(reasons.collect::<Vec<_>>().contains(&"wrong-digest".into()), "{answer}");
    assert!(why(&["--peer", "192.0.2.1"]).contains("No packet was refused"));
    assert!(!text.contains("passphrase\"") && !answer.to_string().contains(PASSPHRASE));
    agent.stop();
    let output = Command::new(program())
        .args(["why", "--state-directory"])
        .arg(directory.path().join("state"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("no agent listens"), "{text}");
}

/// What is answered to whoever reads metrics.
fn page(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

/// The value of the sample that begins so.
fn sample(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("{name} is not in {page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn metrics_are_read_over_http() {
    let port = started::free_port();
    let directory = furnished(&format!("{CONFIG}\n[metrics]\nlisten = [\"127.0.0.1:{port}\"]\n"));
    let agent = Agent::start(directory.path(), &[]);
    let address = format!("udp:127.0.0.1:{}", agent.port);
    agent.ask_at(&address, "snmpget", &writer("a wrong passphrase"), &[UP_TIME]);
    agent.answer("snmpget", PUBLIC, &[UP_TIME]);
    let page = page(port);
    let value = |name: &str| sample(&page, name);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(value("snmp_packets_received_total ") >= 2.0);
    assert_eq!(value("snmp_requests_total{kind=\"get\",outcome=\"answered\"}"), 1.0);
    assert!(value("snmp_discards_total{counter=\"usmStatsWrongDigests\"}") >= 1.0);
    assert!(value("sagentd_module_generation{component=\"security.usm\"}") >= 1.0);
    assert!(page.contains("sagentd_module_info{component=\"mib.system\",version=\"1.0.0\""));
    assert_eq!(value("snmp_engine_boots "), 1.0);
    let timed = value("sagentd_answer_seconds_count ");
    assert!(timed >= 1.0, "the first batch is timed");
    assert_eq!(value("sagentd_answer_seconds_bucket{le=\"+Inf\"}"), timed);
    // Every sample is of a family that was declared.
    for line in page.split("\r\n\r\n").nth(1).unwrap().lines().filter(|line| !line.starts_with('#'))
    {
        let name = line.split(['{', ' ']).next().unwrap();
        let parts = ["_sum", "_count", "_bucket"];
        let family = parts.iter().fold(name, |name, part| name.trim_end_matches(part));
        assert!(page.contains(&format!("# TYPE {family} ")), "{line}");
    }
    drop(agent);
    // Not for the network.
    let directory = furnished("[metrics]\nlisten = [\"0.0.0.0:9161\"]\n");
    let said = Agent::try_start(directory.path(), &[]).err().unwrap();
    assert!(said.contains("not on this machine"), "{said}");
}

#[test]
fn what_modules_count_of_themselves_is_among_the_metrics() {
    const IF_NUMBER: &str = ".1.3.6.1.2.1.2.1.0";
    let counts = "sagentd_module_count_total{component=\"mib.if\",name=\"if_netlink_failures\"}";
    // This thread and its children have no netlink: the interfaces come from sysfs, and that is counted.
    let ask = || {
        let (other, netlink) = (SeccompAction::Allow, libc::AF_NETLINK.unsigned_abs().into());
        let (word, is) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
        let of_netlink = SeccompCondition::new(0, word, is, netlink).unwrap();
        let rules = vec![SeccompRule::new(vec![of_netlink]).unwrap()];
        let refused = SeccompAction::Errno(libc::EAFNOSUPPORT.unsigned_abs());
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let rules = [(libc::SYS_socket, rules)].into();
        let filter = SeccompFilter::new(rules, other, refused, arch).unwrap();
        apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();

        let port = started::free_port();
        let metrics = format!("{CONFIG}\n[metrics]\nlisten = [\"127.0.0.1:{port}\"]\n");
        let directory = furnished(&metrics);
        let agent = Agent::start(directory.path(), &[]);
        let interfaces = agent.answer("snmpget", PUBLIC, &[IF_NUMBER]);
        let page = page(port);
        agent.stop();
        (interfaces, page)
    };
    let (interfaces, page) = std::thread::spawn(ask).join().unwrap();
    assert!(interfaces.contains("INTEGER: "), "{interfaces}");
    assert!(page.contains("# TYPE sagentd_module_count_total counter\n"), "{page}");
    assert!(sample(&page, counts) >= 1.0, "{page}");
}

#[test]
fn damaged_state_falls_back_and_unreadable_state_stops_the_start() {
    let directory = furnished(CONFIG);
    let state = directory.path().join("state");
    let set = |agent: &Agent, name| {
        agent.answer("snmpset", &writer(PASSPHRASE), &[SYS_NAME, "s", name]);
    };
    let agent = Agent::start(directory.path(), &[]);
    set(&agent, "first");
    set(&agent, "second");
    agent.stop();
    Agent::start(directory.path(), &[]).stop();
    for file in ["engine", "module-mib.system"] {
        let mut octets = fs::read(state.join(file)).unwrap();
        let last = octets.last_mut().unwrap();
        *last ^= 0x55;
        fs::write(state.join(file), octets).unwrap();
    }
    let agent = Agent::start(directory.path(), &[]);
    assert!(agent.boots() >= 3);
    assert!(agent.answer("snmpget", PUBLIC, &[SYS_NAME]).ends_with("\"first\""));
    assert!(
        agent.log().contains("module-mib.system is damaged; the one before it is used"),
        "{}",
        agent.log()
    );
    set(&agent, "third");
    agent.stop();

    // All of it, and the agent still starts.
    for entry in fs::read_dir(&state).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::write(entry.path(), b"nothing of ours").unwrap();
        }
    }
    let agent = Agent::start(directory.path(), &[]);
    agent.answer("snmpget", &writer(PASSPHRASE), &[UP_TIME]);
    agent.stop();

    // What cannot be read is not forgotten.
    fs::remove_file(state.join("engine")).unwrap();
    fs::create_dir(state.join("engine")).unwrap();
    let said = Agent::try_start(directory.path(), &[]).err().unwrap();
    assert!(said.contains("engine") && said.contains("move it away"), "{said}");
}

#[test]
fn a_reload_takes_over_all_or_nothing_and_says_what_waits() {
    let directory = furnished(CONFIG);
    let file = directory.path().join("sagentd.toml");
    let mut agent = Agent::start(directory.path(), &[]);
    let ask = |agent: &Agent, community| {
        let address = format!("udp:127.0.0.1:{}", agent.port);
        agent.ask_at(&address, "snmpget", &["-v2c", "-c", community], &[UP_TIME]).status.success()
    };
    assert!(!ask(&agent, "added"));
    let more = "[[community]]\nname = \"added\"\n";
    fs::write(&file, format!("listen = [\"1162\"]\n{CONFIG}\n{more}")).unwrap();
    agent.signal(Signal::HUP);
    agent.until_it_says("wait for a restart: listen");
    assert!(ask(&agent, "added"));
    // One entry is faulty, so the others do not count either.
    fs::write(&file, "[[community]]\nname = \"other\"\n[[user]]\nname = \"x\"\nauth = \"SHA\"\n")
        .unwrap();
    agent.signal(Signal::HUP);
    agent.until_it_says("stays as it was");
    assert!(ask(&agent, "added") && !ask(&agent, "other"));
    // A file that is about to be written names nobody.
    fs::write(&file, "").unwrap();
    agent.signal(Signal::HUP);
    agent.until_it_says("names no user and no community any more");
    assert!(ask(&agent, "added"));
    agent.answer("snmpget", &writer(PASSPHRASE), &[UP_TIME]);
}

/// The beginning of a terminal, and its other end for the agent.
fn terminal() -> (fs::File, fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (ours.into(), theirs)
}

/// What an agent without a configuration shows on a terminal, and the agent.
fn start_on_terminal(directory: &Path, port: u16) -> (String, std::process::Child) {
    let (ours, theirs) = terminal();
    start_on(directory, port, ours, theirs.into())
}

/// What an agent without a configuration writes to an output of which we have the other end, and the agent.
fn start_on(
    directory: &Path,
    port: u16,
    mut ours: impl std::io::Read + Send + 'static,
    theirs: Stdio,
) -> (String, std::process::Child) {
    let process = command(directory)
        .arg(format!("udp:127.0.0.1:{port}"))
        .arg("-Le")
        .stdout(theirs)
        .stderr(Stdio::piped())
        .spawn();
    let mut process = process.unwrap();
    // Its log ends when it does; what it shows is there before that.
    let mut log = process.stderr.take().unwrap();
    let mut said = Vec::new();
    let mut octet = [0];
    while !String::from_utf8_lossy(&said).contains("listening on") {
        assert_eq!(log.read(&mut octet).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.push(octet[0]);
    }
    std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        let mut chunk = [0; 1024];
        // A terminal whose other end is closed is an error to read.
        while let Ok(len @ 1..) = ours.read(&mut chunk) {
            shown.extend_from_slice(&chunk[..len]);
            if String::from_utf8_lossy(&shown).contains("1.3.6.1.2.1.1.3.0") {
                break;
            }
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    if !reader.is_finished() {
        // Nothing was shown, and nothing will be.
        let id = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(id, Signal::TERM).unwrap();
        process.wait().unwrap();
    }
    (reader.join().unwrap(), process)
}

#[test]
fn the_first_users_passphrases_are_shown_once_on_a_terminal_and_never_logged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state/first-user-passphrases");
    // No terminal: the log says where they are.
    let agent = Agent::start(directory.path(), &[]);
    let kept = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    let secret = |name: &str| {
        let line = kept.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is not in {kept}")).trim().to_owned()
    };
    let (auth, private) = (secret("SHA-256 "), secret("AES "));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let log = agent.log();
    assert!(log.contains("first-user-passphrases"), "{log}");
    assert!(!log.contains(&auth) && !log.contains(&private), "a secret is in the log");
    let reader = [
        "-v3", "-l", "authPriv", "-u", "reader", "-a", "SHA-256", "-A", &auth, "-x", "AES", "-X",
        &private,
    ];
    agent.answer("snmpget", &reader, &[UP_TIME]);
    agent.stop();

    // A terminal: shown, with a command that works, and forgotten.
    let port = started::free_port();
    let (shown, mut process) = start_on_terminal(directory.path(), port);
    assert!(shown.contains(&auth) && shown.contains(&private), "{shown}");
    let line = shown.lines().find(|line| line.contains("snmpget")).unwrap().trim().to_owned();
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap())
        .env("MIBS", "")
        .env("SNMPCONFPATH", "/nonexistent")
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("Timeticks"), "{line}: {text}");
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!file.exists());
    for entry in fs::read_dir(directory.path().join("state")).unwrap().map(Result::unwrap) {
        let content = fs::read(entry.path()).unwrap_or_default();
        let content = String::from_utf8_lossy(&content).into_owned();
        assert!(!content.contains(&auth) && !content.contains(&private), "{:?}", entry.path());
    }

    // Again: the keys still open, and nothing is shown.
    let (shown, _process) = start_on_terminal(directory.path(), started::free_port());
    assert!(!shown.contains("snmpget"), "{shown}");
    let agent = Agent::start(directory.path(), &[]);
    agent.answer("snmpget", &reader, &[UP_TIME]);
}

#[test]
fn the_first_users_passphrases_are_shown_to_who_reads_a_pipe_and_not_to_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state/first-user-passphrases");
    // A journal is the other end of a socket.
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let theirs = std::os::fd::OwnedFd::from(theirs).into();
    let (shown, _ended) = start_on(directory.path(), started::free_port(), ours, theirs);
    assert_eq!(shown, "");
    assert!(file.exists());

    let (ours, theirs) = std::io::pipe().unwrap();
    let port = started::free_port();
    let (shown, mut process) = start_on(directory.path(), port, ours, theirs.into());
    assert!(shown.contains("snmpget -v3") && shown.contains(&port.to_string()), "{shown}");
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!file.exists());
}

#[test]
fn a_check_asks_the_modules_and_leaves_nothing_behind() {
    let twice = "[[user]]\nname = \"alice\"\n".repeat(2);
    let directory = furnished(CONFIG);
    let file = directory.path().join("sagentd.toml");
    let state = directory.path().join("state");
    for (text, said) in [(CONFIG.to_owned(), "is sound"), (twice, "`alice` is there twice")] {
        fs::write(&file, &text).unwrap();
        let options = ["--check", "--state-directory", state.to_str().unwrap(), "-c"];
        let output = Command::new(program()).args(options).arg(&file).output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(
            (output.status.success(), told.contains(said)),
            (text == CONFIG, true),
            "{told}"
        );
        assert!(!state.exists());
    }
}

#[test]
fn root_is_given_up_for_good_and_nobody_else_becomes_another() {
    let directory = furnished(CONFIG);
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let said = Agent::try_start(directory.path(), &["-u", "0", "-g", "0"]).err().unwrap();
        assert!(said.contains("only root can become another user"), "{said}");
        return;
    }
    let said = Agent::try_start(directory.path(), &["-u", "no-such-user"]).err().unwrap();
    assert!(said.contains("no such user"), "{said}");
    let said = Agent::try_start(directory.path(), &["-g", "65534"]).err().unwrap();
    assert!(said.contains("add `-u USER`"), "{said}");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(directory.path().join("sagentd.toml"), fs::Permissions::from_mode(0o644))
        .unwrap();
    let socket = format!("unix:{}", directory.path().join("socket").display());
    // A log in root's own folder, which is moved away and made anew.
    let (log, pid) = (directory.path().join("log"), directory.path().join("pid"));
    let moved = directory.path().join("log.1");
    let (log_text, pid_text) = (log.to_str().unwrap(), pid.to_str().unwrap());
    let as_nobody = ["-u", "65534", "-g", "65533", &socket, "-p", pid_text, "-Lf", log_text];
    let mut agent = Agent::start(directory.path(), &as_nobody);
    let mode = fs::metadata(&pid).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(fs::read_to_string(&pid).unwrap().trim(), agent.process.id().to_string());
    let status = fs::read_to_string(format!("/proc/{}/status", agent.process.id())).unwrap();
    let field = |name: &str| -> Vec<String> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(field("Uid:"), ["65534"; 4]);
    assert_eq!(field("Gid:"), ["65533"; 4]);
    assert_eq!(field("Groups:"), ["65533"]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(field(set), ["0000000000000000"], "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    for task in fs::read_dir(format!("/proc/{}/task", agent.process.id())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(
            status.contains("Uid:\t65534\t65534\t65534\t65534"),
            "a thread is somebody else: {status}"
        );
    }
    // It can still do its work: a SET is durable, and a reload reads its file.
    agent.answer("snmpset", &writer(PASSPHRASE), &[SYS_NAME, "s", "x"]);
    agent.answer_at(&socket, "snmpget", PUBLIC, &[SYS_NAME]);
    fs::rename(&log, &moved).unwrap();
    fs::write(&log, "").unwrap();
    chown(&log, Some(65534), Some(65533)).unwrap();
    agent.signal(Signal::HUP);
    agent.until_it_says("the configuration was read again");
    let given = fs::metadata(&moved).unwrap();
    assert_eq!((given.uid(), given.gid(), given.mode() & 0o777), (65534, 65533, 0o600));
    assert!(!fs::read_to_string(&moved).unwrap().contains("read again"));
    agent.stop();
    // One capability is kept if it is asked for, and nothing else comes with it.
    let with_links = format!("may-set-links = true\n{CONFIG}");
    fs::write(directory.path().join("sagentd.toml"), with_links).unwrap();
    let agent = Agent::start(directory.path(), &["-u", "65534", "-g", "65533"]);
    let status = fs::read_to_string(format!("/proc/{}/status", agent.process.id())).unwrap();
    let net_admin = format!("{:016x}", 1 << 12);
    for (set, kept) in [("CapPrm:", &net_admin[..]), ("CapEff:", &net_admin)] {
        assert!(status.contains(&format!("{set}\t{kept}\n")), "{status}");
    }
    for set in ["CapInh:", "CapAmb:"] {
        assert!(status.contains(&format!("{set}\t0000000000000000\n")), "{status}");
    }
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
}
