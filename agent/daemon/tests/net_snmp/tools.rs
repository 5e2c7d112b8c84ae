//! net-snmp's tools that show more than variables: a table, a status, interfaces, routes, a conversation.

use crate::{Agent, SHA_AES, V1, V2C};
use std::io::Write as _;
use std::process::Stdio;

/// IF-MIB as far as `snmptable` wants it: Debian has no MIBs of the IETF.
const TABLE_MIB: &str = "
SMALL-IF-MIB DEFINITIONS ::= BEGIN
interfaces OBJECT IDENTIFIER ::= { iso org(3) dod(6) internet(1) mgmt(2) mib-2(1) 2 }
ifTable OBJECT-TYPE SYNTAX SEQUENCE OF IfEntry MAX-ACCESS not-accessible STATUS current
  DESCRIPTION \"\" ::= { interfaces 2 }
ifEntry OBJECT-TYPE SYNTAX IfEntry MAX-ACCESS not-accessible STATUS current
  DESCRIPTION \"\" INDEX { ifIndex } ::= { ifTable 1 }
IfEntry ::= SEQUENCE { ifIndex Integer32, ifDescr OCTET STRING, ifType INTEGER, ifMtu Integer32 }
ifIndex OBJECT-TYPE SYNTAX Integer32 MAX-ACCESS read-only STATUS current
  DESCRIPTION \"\" ::= { ifEntry 1 }
ifDescr OBJECT-TYPE SYNTAX OCTET STRING MAX-ACCESS read-only STATUS current
  DESCRIPTION \"\" ::= { ifEntry 2 }
ifType OBJECT-TYPE SYNTAX INTEGER MAX-ACCESS read-only STATUS current
  DESCRIPTION \"\" ::= { ifEntry 3 }
ifMtu OBJECT-TYPE SYNTAX Integer32 MAX-ACCESS read-only STATUS current
  DESCRIPTION \"\" ::= { ifEntry 4 }
END
";

/// The names of this host's interfaces, as the kernel has them.
fn interfaces() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // The kernel keeps a file of bonds there.
        .filter(|name| std::path::Path::new("/sys/class/net").join(name).join("ifindex").exists())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn bulkget_repeats_what_is_to_be_repeated() {
    let agent = Agent::start();
    for principal in [V2C, SHA_AES] {
        let answer = agent.answer(
            "snmpbulkget",
            principal,
            &["-Cn1", "-Cr3", ".1.3.6.1.2.1.1.5", ".1.3.6.1.2.1.1.3", ".1.3.6.1.2.1.1.6"],
        );
        let names: Vec<&str> =
            answer.lines().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
        let system = |arc: u8| format!(".1.3.6.1.2.1.1.{arc}.0");
        assert_eq!(names[..7], [5, 3, 6, 4, 7, 5, 8].map(system), "{answer}");
    }
}

#[test]
fn a_table_has_a_line_for_every_interface() {
    let agent = Agent::start();
    std::fs::write(agent.directory.path().join("SMALL-IF-MIB.txt"), TABLE_MIB).unwrap();
    for principal in [V1, V2C, SHA_AES] {
        // Without `-On`, which keeps the tool from finding the table's columns.
        let output = std::process::Command::new("snmptable")
            .env("SNMPCONFPATH", agent.directory.path())
            .args(principal)
            .arg("-M")
            .arg(agent.directory.path())
            .args(["-m", "SMALL-IF-MIB", "-Cf", "|", "-Ci", &agent.address, "1.3.6.1.2.1.2.2"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}");
        for name in interfaces() {
            let shown =
                text.lines().any(|line| line.split('|').nth(2) == Some(&format!("\"{name}\"")));
            assert!(shown, "{name} is not in {text}");
        }
    }
}

/// What `snmptest` is asked for a request with two names, from a terminal.
#[test]
fn a_conversation_with_snmptest_goes_on_after_an_error() {
    let agent = Agent::start();
    for principal in [V2C, SHA_AES] {
        let mut child = std::process::Command::new("snmptest")
            .env("MIBS", "")
            .env("SNMPCONFPATH", agent.directory.path())
            .args(principal)
            .arg("-On")
            .arg(&agent.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // GET of two, GETNEXT of one, a SET that is refused, GET of what is not there.
        let said = ".1.3.6.1.2.1.1.6.0\n.1.3.6.1.2.1.1.7.0\n\n$N\n.1.3.6.1.2.1.1.5\n\n\
                    $S\n.1.3.6.1.2.1.1.1.0\ns\nother\n\n$G\n.1.3.6.1.2.1.1.77.0\n\n";
        child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        for wanted in [
            ".1.3.6.1.2.1.1.6.0 = STRING: \"rack 7\"",
            ".1.3.6.1.2.1.1.7.0 = INTEGER: 72",
            ".1.3.6.1.2.1.1.5.0 = STRING: ",
            "Error in packet",
            "No Such Object",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
    }
}

#[test]
fn a_status_counts_every_interface_and_those_that_are_down() {
    let agent = Agent::start();
    let all = interfaces();
    let is_down = |name: &&String| {
        let state = std::fs::read_to_string(format!("/sys/class/net/{name}/operstate")).unwrap();
        state.trim() == "down"
    };
    let down = all.iter().filter(is_down).count();
    for principal in [V2C, SHA_AES] {
        let text = agent.answer("snmpstatus", principal, &[]);
        let wanted = format!("Interfaces: {}", all.len());
        assert!(text.contains(&wanted), "{wanted} is not in {text}");
        if down > 0 {
            let noun = if down == 1 { "interface is" } else { "interfaces are" };
            let wanted = format!("{down} {noun} down");
            assert!(text.contains(&wanted), "{wanted} is not in {text}");
        }
    }
}

#[test]
fn netstat_shows_every_interface_and_every_route() {
    let agent = Agent::start();
    let shown = agent.answer("snmpnetstat", V2C, &["-Cn", "-Ci"]);
    for name in interfaces() {
        // The tool cuts what is longer.
        let name: String = name.chars().take(5).collect();
        let line = shown.lines().any(|line| line.trim_start().starts_with(&name));
        assert!(line, "{name} is not in {shown}");
    }
    let routes = agent.answer("snmpnetstat", V2C, &["-Cn", "-Cr"]);
    assert!(!routes.contains("Bad address type"), "{routes}");
    for family in ["-4", "-6"] {
        let kernel = std::process::Command::new("ip").args([family, "route"]).output().unwrap();
        let kernel = String::from_utf8(kernel.stdout).unwrap();
        for network in kernel.lines().filter_map(|line| line.split(' ').next()) {
            // Only what forwards; and the tool has words of its own for everything.
            if network.contains('/') {
                assert!(routes.contains(network), "{network} is not in {routes}");
            }
        }
    }
}
