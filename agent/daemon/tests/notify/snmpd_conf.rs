//! The lines of `snmpd.conf` that name receivers.

use crate::programs::{Agent, COLD_START, free_port, receiver};
use std::time::Duration;

fn configuration(port: u16) -> String {
    format!(
        r#"
exactEngineID 0x80007ed9046e6f74696679
createUser alice SHA-256 "correct horse" AES "battery staple"
createUser bob SHA-256 "correct horse" AES "battery staple"
rouser alice
trapcommunity tell
trapsink 127.0.0.1 tell {port}
trap2sink udp:127.0.0.1:{port}
informsink 127.0.0.1:{port}
trapsess -v 3 -u alice -l authPriv 127.0.0.1:{port}
trapsess -v 3 -Ci -r 1 -t 1 -u bob -l authPriv 127.0.0.1:{port}
"#
    )
}

#[test]
fn each_line_that_names_a_receiver_has_it_told() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut receiver = receiver(&directory, port);
    let agent = Agent::configured("agent.conf", &configuration(port));
    let all: [&[&str]; 5] = [
        &["TRAP, SNMP v1, community tell"],
        &["TRAP2, SNMP v2c, community tell", COLD_START],
        &["INFORM, SNMP v2c, community tell", COLD_START],
        &["TRAP2, SNMP v3, user alice, context ", COLD_START],
        &["INFORM, SNMP v3, user bob, context ", COLD_START],
    ];
    // In whatever order they come.
    let told = |seen: &[String]| {
        let is_there = |wanted: &&[&str]| {
            seen.iter().any(|line| wanted.iter().all(|wanted| line.contains(wanted)))
        };
        all.iter().all(is_there)
    };
    while !told(&receiver.seen) {
        receiver.says(&["told "]);
    }
    // Informs wait for a second: by then those that nobody acknowledged would have come again.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(receiver.lines.try_iter().collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(agent.complaints(), Vec::<String>::new());
}
