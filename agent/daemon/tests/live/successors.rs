//! Each version that is kept for this, swapped in and out while a manager asks.

use crate::started::PUBLIC;
use crate::world::{Live, Load, MANAGER, OLD};

/// The components of the factory that packages can replace, and the crates of their modules.
const FACTORY: [(&str, &str); 22] = [
    ("auth.md5", "auth-hmac-md5"),
    ("auth.sha1", "auth-hmac-sha1"),
    ("auth.sha2", "auth-hmac-sha2"),
    ("priv.des", "priv-des"),
    ("priv.aes", "priv-aes"),
    ("security.usm", "security-usm"),
    ("security.community", "security-community"),
    ("message.v1", "message-v1"),
    ("message.v2c", "message-v2c"),
    ("message.v3", "message-v3"),
    ("access.vacm", "access-vacm"),
    ("mib.system", "mib-system"),
    ("mib.snmp", "mib-snmp"),
    ("mib.if", "mib-if"),
    ("mib.host", "mib-host"),
    ("mib.ucd", "mib-ucd"),
    ("mib.entity", "mib-entity"),
    ("mib.swap", "mib-swap"),
    ("mib.ip", "mib-ip"),
    ("mib.tcp", "mib-tcp"),
    ("mib.udp", "mib-udp"),
    ("notify", "notify"),
];

const SYS_UP_TIME: &str = ".1.3.6.1.2.1.1.3.0";
const SYS_CONTACT: &str = ".1.3.6.1.2.1.1.4.0";

#[test]
fn every_module_is_replaced_while_a_manager_asks_and_nothing_steps() {
    let live = Live::start();
    let boots = live.boots();
    let packets = || -> u64 {
        let text = live.tool("snmpget", MANAGER, &["-Oqv", ".1.3.6.1.2.1.11.1.0"]);
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    };
    live.tool("snmpset", MANAGER, &[SYS_CONTACT, "s", "somebody"]);
    let before = packets();
    let load = Load::on(&live);
    for (component, module) in FACTORY {
        let outcome = live.must_push(&[module]);
        assert_eq!(outcome["serving"][0]["component"], component);
    }
    // Several of them as one group: every message meets some of these.
    live.must_push(&["message-v3", "security-usm", "auth-hmac-sha2", "priv-aes", "access-vacm"]);
    let met = load.finish();
    assert_eq!(live.boots(), boots);
    assert!(packets() > before + met.answered, "a counter stepped back");
    let contact = live.tool("snmpget", MANAGER, &["-Oqv", SYS_CONTACT]);
    assert_eq!(contact, "\"somebody\"", "what was set is gone");
    assert!(live.tool("snmpget", OLD, &[SYS_UP_TIME]).contains("Timeticks"));
    assert!(live.tool("snmpget", PUBLIC, &[SYS_UP_TIME]).contains("Timeticks"));
}

#[test]
fn the_reference_codec_gives_way_to_the_fast_one_and_comes_back() {
    let live = Live::start();
    let load = Load::on(&live);
    for module in ["message-v3-rasn", "message-v3", "message-v3-rasn", "message-v3"] {
        live.must_push(&[module]);
    }
    load.finish();
}

#[test]
fn a_defect_in_md5_is_corrected_while_others_are_answered() {
    let live = Live::start();
    let ask_old = || live.tool("snmpget", OLD, &["-r", "0", SYS_UP_TIME]);
    assert!(ask_old().contains("Timeticks"), "{}", ask_old());
    let load = Load::on(&live);
    live.must_push(&["auth-hmac-md5-defect"]);
    let answer = ask_old();
    assert!(!answer.contains("Timeticks"), "the defect is none: {answer}");
    live.must_push(&["auth-hmac-md5"]);
    assert!(ask_old().contains("Timeticks"), "{}", ask_old());
    load.finish();
}

#[test]
fn users_outlive_the_second_version_of_the_security_model_and_the_way_back() {
    let live = Live::start();
    let made = live.tool("snmpusm", MANAGER, &["-Cw", "create", "guest", "manager"]);
    assert!(made.contains("created"), "{made}");
    let boots = live.boots();
    let load = Load::on(&live);
    let guests = || live.tool("snmpwalk", MANAGER, &[".1.3.6.1.6.3.15.1.2.2.1.3"]);
    assert!(guests().contains("103.117.101.115.116"), "{}", guests());
    for (module, version) in
        [("security-usm-next", "2."), ("security-usm", "1."), ("security-usm-next", "2.")]
    {
        live.must_push(&[module]);
        assert!(live.version("security.usm").starts_with(version));
        assert!(guests().contains("103.117.101.115.116"), "after {module}: {}", guests());
        assert_eq!(live.boots(), boots);
    }
    load.finish();
    // What was made by SET is durable whichever version wrote it.
    let live = live.again();
    assert!(live.version("security.usm").starts_with("2."));
    let guests = live.tool("snmpwalk", MANAGER, &[".1.3.6.1.6.3.15.1.2.2.1.3"]);
    assert!(guests.contains("103.117.101.115.116"), "{guests}");
}

#[test]
fn privacy_that_is_gone_is_reported_and_comes_back() {
    let live = Live::start();
    let load = Load::on(&live);
    live.must_remove(&["priv.des"]);
    let answer = live.tool("snmpget", OLD, &["-r", "0", SYS_UP_TIME]);
    assert!(
        answer.contains("nsupported security level") || answer.contains("ecryption"),
        "{answer}"
    );
    live.must_push(&["priv-des"]);
    assert!(live.tool("snmpget", OLD, &[SYS_UP_TIME]).contains("Timeticks"));
    load.finish();
}

#[test]
fn a_version_of_snmp_is_taken_out_and_put_back() {
    let live = Live::start();
    let load = Load::on(&live);
    live.must_remove(&["message.v2c"]);
    let answer = live.tool("snmpget", PUBLIC, &["-r", "0", "-t", "1", SYS_UP_TIME]);
    assert!(answer.contains("Timeout"), "{answer}");
    live.must_push(&["message-v2c"]);
    live.until_it_answers("Timeticks", PUBLIC, &["snmpget", SYS_UP_TIME]);
    load.finish();
}

#[test]
fn a_mib_that_the_agent_was_not_built_with_comes_stays_over_a_restart_and_goes() {
    const NOTE: &str = ".1.3.6.1.4.1.32473.3.1.1.0";
    let live = Live::start();
    let load = Load::on(&live);
    let nothing = live.tool("snmpget", MANAGER, &[NOTE]);
    assert!(nothing.contains("No Such Object"), "{nothing}");
    live.must_push(&["mib-example"]);
    live.until_it_answers("= \"\"", MANAGER, &["snmpget", NOTE]);
    let set = live.tool("snmpset", MANAGER, &[NOTE, "s", "swapped in"]);
    assert!(set.contains("swapped in"), "{set}");
    // Its state goes with it where it is replaced.
    live.must_push(&["mib-example"]);
    live.until_it_answers("swapped in", MANAGER, &["snmpget", NOTE]);
    let resources = live.tool("snmpwalk", MANAGER, &[".1.3.6.1.2.1.1.9.1.2"]);
    assert!(resources.contains("32473.3"), "{resources}");
    load.finish();
    let live = live.again();
    live.until_it_answers("= \"\"", MANAGER, &["snmpget", NOTE]);
    live.must_remove(&["mib.example"]);
    live.until_it_answers("No Such Object", MANAGER, &["snmpget", NOTE]);
}
