//! Targets of every kind, configured here or written by a manager: told of the start, and of failures.

use crate::programs::{
    AUTHENTICATION_FAILURE, COLD_START, PATIENCE, agent, answer, free_port, guess, metrics,
    receiver, target, until,
};
use std::net::UdpSocket;

#[test]
fn traps_of_every_version_tell_of_the_start() {
    for (how, wanted) in [
        ("version = \"1\"\ncommunity = \"tell\"", ["TRAP, SNMP v1, community tell", "127.0.0.1"]),
        ("version = \"2c\"\ncommunity = \"tell\"", ["TRAP2, SNMP v2c, community tell", COLD_START]),
        ("user = \"alice\"", ["TRAP2, SNMP v3, user alice, context ", COLD_START]),
    ] {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut receiver = receiver(&directory, port);
        let _agent = agent(&target(port, how));
        receiver.says(&wanted);
    }
}

#[test]
fn informs_are_acknowledged_and_then_not_repeated() {
    for (how, wanted) in [
        ("community = \"tell\"", "INFORM, SNMP v2c, community tell"),
        // Its engine and its clock are found out first.
        ("user = \"bob\"", "INFORM, SNMP v3, user bob, context "),
    ] {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut receiver = receiver(&directory, port);
        let (metrics, configured) = metrics();
        let inform =
            format!("{how}\nkind = \"inform\"\ntimeout-ms = 30000\nretries = 1\n{configured}");
        let agent = agent(&target(port, &inform));
        receiver.says(&[wanted, COLD_START]);
        until(
            metrics,
            &["snmp_informs_total{outcome=\"acknowledged\"} 1", "snmp_informs_waiting 0"],
        );
        assert_eq!(agent.complaints(), Vec::<String>::new());
        let again: Vec<_> =
            receiver.lines.try_iter().filter(|line| line.contains(wanted)).collect();
        assert_eq!(again, Vec::<String>::new());
    }
}

#[test]
fn an_inform_over_ipv6_is_acknowledged() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut receiver = receiver(&directory, port);
    let (metrics, configured) = metrics();
    let how = format!("address = \"udp6:[::1]:{port}\"\nuser = \"bob\"\nkind = \"inform\"");
    let _agent = agent(&format!("[[notify]]\n{how}\n{configured}"));
    receiver.says(&["INFORM, SNMP v3, user bob, context ", COLD_START]);
    until(metrics, &["snmp_informs_total{outcome=\"acknowledged\"} 1", "snmp_informs_waiting 0"]);
}

#[test]
fn a_receiver_that_does_not_know_the_user_is_given_up_in_the_end_and_the_log_says_why() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let _receiver = receiver(&directory, port);
    let (metrics, configured) = metrics();
    // The receiver knows alice under the agent's engine ID only, which is for traps.
    let how = "user = \"alice\"\nkind = \"inform\"\ntimeout-ms = 500\nretries = 2";
    let mut agent = agent(&target(port, &format!("{how}\n{configured}")));
    agent.process.says(&["`notify-1` did not acknowledge", "usmStatsUnknownUserNames"]);
    until(metrics, &["snmp_informs_total{outcome=\"given-up\"} 1", "snmp_informs_waiting 0"]);
}

/// A receiver that answers an inform under a community that nobody has. Were that a failed authentication
/// to be told of, it would be told by an inform, which is answered in the same way.
#[test]
fn an_acknowledgement_that_fails_is_no_failed_authentication() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = receiver.local_addr().unwrap().port();
    let (metrics, configured) = metrics();
    let how = "community = \"tell\"\nkind = \"inform\"\ntimeout-ms = 60000";
    let agent = agent(&target(port, &format!("{how}\n{configured}")));
    let mut room = [0; 2048];
    let (len, from) = receiver.recv_from(&mut room).unwrap();
    answer(&agent, "snmpset", &[".1.3.6.1.2.1.11.30.0", "i", "1"]);
    let mut response = room[..len].to_vec();
    // `tell` becomes `tall`, and the InformRequest a Response.
    let community = response.windows(4).position(|octets| octets == b"tell").unwrap();
    response[community + 1] = b'a';
    let pdu = response.iter().position(|octet| *octet == 0xa6).unwrap();
    response[pdu] = 0xa2;
    receiver.send_to(&response, from).unwrap();
    until(metrics, &["snmp_discards_total{counter=\"snmpInBadCommunityNames\"} 1"]);
    until(metrics, &["snmp_notifications_total{outcome=\"accepted\"} 1"]);
    // A request that fails is one.
    guess(&agent);
    let (len, _) = receiver.recv_from(&mut room).unwrap();
    let name = [0x2b, 6, 1, 6, 3, 1, 1, 5, 5];
    assert!(room[..len].windows(name.len()).any(|octets| octets == name));
    until(metrics, &["snmp_notifications_total{outcome=\"accepted\"} 2"]);
}

#[test]
fn an_inform_that_nobody_acknowledges_is_repeated_and_given_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let how = "community = \"tell\"\nkind = \"inform\"\ntimeout-ms = 100\nretries = 2";
    let mut agent = agent(&target(port, how));
    agent.process.says(&["`notify-1` did not acknowledge"]);
    let mut room = [0; 2048];
    let mut heard = Vec::new();
    silent.set_nonblocking(true).unwrap();
    while let Ok((len, _)) = silent.recv_from(&mut room) {
        heard.push(room[..len].to_vec());
    }
    assert_eq!(heard.len(), 3);
    assert!(heard.windows(2).all(|pair| pair[0] == pair[1]), "the same request-id each time");
}

/// More than one activity sends (16 messages), told and repeated.
#[test]
fn forty_targets_are_told_repeated_to_and_given_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (metrics, configured) = metrics();
    let how = "community = \"tell\"\nkind = \"inform\"\ntimeout-ms = 100\nretries = 2";
    let _agent = agent(&format!("{}{configured}", target(port, how).repeat(40)));
    until(
        metrics,
        &[
            "snmp_notifications_total{outcome=\"accepted\"} 1",
            "snmp_notification_messages_total{outcome=\"sent\"} 120",
            "snmp_informs_total{outcome=\"given-up\"} 40",
            "snmp_informs_waiting 0",
        ],
    );
}

#[test]
fn a_failed_authentication_is_told_once_that_is_enabled() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut receiver = receiver(&directory, port);
    let agent = agent(&target(port, "community = \"tell\""));
    receiver.says(&[COLD_START]);
    answer(&agent, "snmpset", &[".1.3.6.1.2.1.11.30.0", "i", "1"]);
    guess(&agent);
    receiver.says(&["TRAP2, SNMP v2c, community tell", AUTHENTICATION_FAILURE]);
}

/// The tables of RFC 3413, written by a manager: a target without any configuration of its own.
#[test]
fn a_target_that_a_manager_makes_is_told_and_outlives_the_process() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut receiver = receiver(&directory, port);
    // Its security name, community and view are those of a target that nobody listens at.
    let (metrics, configured) = metrics();
    let known = "name = \"known\"\ncommunity = \"tell\"";
    let agent = agent(&target(free_port(), &format!("{known}\n{configured}")));
    let address = format!("7f000001{port:04x}");
    let row = [
        // snmpTargetAddrTable, row `a`, with the parameters of the configured target.
        [".1.3.6.1.6.3.12.1.2.1.9.97", "i", "4"],
        // transportDomainUdpIpv4 (RFC 3419), the other name of snmpUDPDomain.
        [".1.3.6.1.6.3.12.1.2.1.2.97", "o", ".1.3.6.1.2.1.100.1.1"],
        [".1.3.6.1.6.3.12.1.2.1.3.97", "x", &address],
        [".1.3.6.1.6.3.12.1.2.1.6.97", "s", "ops"],
        [".1.3.6.1.6.3.12.1.2.1.7.97", "s", "known"],
        // snmpNotifyTable, row `a`.
        [".1.3.6.1.6.3.13.1.1.1.5.97", "i", "4"],
        [".1.3.6.1.6.3.13.1.1.1.2.97", "s", "ops"],
        [".1.3.6.1.6.3.13.1.1.1.3.97", "i", "2"],
        // snmpEnableAuthenTraps.
        [".1.3.6.1.2.1.11.30.0", "i", "1"],
    ];
    answer(&agent, "snmpset", row.as_flattened());
    guess(&agent);
    receiver.says(&["INFORM, SNMP v2c, community tell", AUTHENTICATION_FAILURE]);
    until(metrics, &["snmp_informs_total{outcome=\"acknowledged\"} 1", "snmp_informs_waiting 0"]);
    let again = agent.again();
    receiver.says(&["INFORM, SNMP v2c, community tell", COLD_START]);
    let walked = answer(&again, "snmpwalk", &[".1.3.6.1.6.3.12.1.2.1.9"]);
    assert!(walked.contains(".1.3.6.1.6.3.12.1.2.1.9.97 = INTEGER: 1"), "{walked}");
    assert!(walked.contains(".107.110.111.119.110 = INTEGER: 1"), "the configured one: {walked}");
}
