//! Whole files: what becomes of each line, and of all of them together.

use super::*;
use roles::settings::{AccessEntry, Community};

fn read_text(text: &str) -> Reading {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snmpd.conf");
    std::fs::write(&path, text).unwrap();
    read(&[path]).unwrap()
}

/// The verdict on the last line of a text, and why.
fn last(text: &str) -> (&'static str, String) {
    let reading = read_text(text);
    let line = reading.lines.last().unwrap_or_else(|| panic!("{text}: no line"));
    (line.verdict.word(), line.verdict.reason().to_owned())
}

#[test]
fn each_directive_has_its_verdict() {
    for (line, verdict, reason) in [
        ("rocommunity public", "honoured", ""),
        ("rocommunity public default .1.3.6.1.2.1.1", "honoured", ""),
        ("rocommunity public 127.0.0.0/8 -V some ctx*", "honoured", ""),
        ("rocommunity public localhost", "honoured", "the name means 127.0.0.1"),
        ("rocommunity -v 2c public", "honoured", ""),
        ("rocommunity -v 3 public", "refused", "neither 1 nor 2c"),
        ("rocommunity public 10.0.0.1/8", "refused", "bits behind its mask"),
        ("rocommunity public default \"\"", "refused", "write it in numbers"),
        ("rocommunity public default -V", "refused", "behind `-V`"),
        ("rocommunity COMMUNITY", "refused", "the example's"),
        ("rocommunity", "refused", "nothing stands behind it"),
        ("rwcommunity6 public ::1", "honoured", ""),
        ("rwcommunity6 public 127.0.0.1", "refused", "no address of that family"),
        ("authcommunity read,write public 127.0.0.1", "honoured", ""),
        ("authcommunity read,play public", "refused", "a type is none of"),
        ("com2sec -Cn ctx name default public", "honoured", ""),
        ("com2sec name !10.0.0.0/8 public", "honoured", ""),
        ("com2sec name default", "refused", "all three"),
        ("com2secunix name /tmp/x public", "refused", "make a user"),
        ("rouser alice", "honoured", "without the snmpCommunityTable"),
        ("rocommunity public default .1.3.6", "honoured", "without the snmpCommunityTable"),
        ("RoUser \"al ice\" priv -V some", "honoured", ""),
        ("rouser alice nonsense", "refused", "the level is none"),
        ("rouser -s tsm alice", "ignored", "nobody comes by those"),
        ("authuser log alice", "honoured", ""),
        ("authgroup read group noauth", "honoured", ""),
        ("authaccess read group some noauth", "honoured", ""),
        ("setaccess group \"\" any noauth exact read _all_", "honoured", ""),
        ("group g usm alice", "honoured", ""),
        ("group g any alice", "honoured", "snmpd warns"),
        ("group g v3 alice", "refused", "the security model is none"),
        ("group g usm", "refused", "all three"),
        ("view v included .1.3.6", "honoured", ""),
        ("view v included system", "honoured", ""),
        ("view v included .1.3.6 ff:e0", "honoured", ""),
        ("view v included .1.3.6 # why", "refused", "a comment stands on a line of its own"),
        ("view v maybe .1.3.6", "refused", "neither `included`"),
        ("view v included sysUpTimeInstance", "refused", "write it in numbers"),
        ("view v included .1\nview v excluded .1", "ignored", "snmpd goes by the first"),
        ("access g \"\" any noauth exact r w n", "honoured", ""),
        ("access g '' any noauth 0 r w n", "honoured", "means `exact`"),
        ("access g \"\" any noauth some r w n", "refused", "neither `exact`"),
        ("access g \"\" any noauth exact r w", "refused", "all three"),
        ("createUser alice SHA-256 'pass phrase' AES", "honoured", ""),
        ("createUser alice MD5 passphrase DES", "honoured", "not secure any more"),
        ("createUser alice SHA short", "refused", "fewer than 8"),
        ("createUser alice\ncreateUser alice", "honoured", "replaces an earlier"),
        ("agentaddress udp:127.0.0.1:161,[::1]:161", "honoured", ""),
        ("agentaddress dtlsudp:10161", "refused", "not listen on dtlsudp"),
        ("agentuser \"#104\"", "honoured", ""),
        ("agentuser #104", "refused", "nothing stands behind it"),
        ("sysLocation \"rack 7\" # upstairs", "honoured", "part of the text"),
        ("sysServices 72", "honoured", ""),
        ("sysServices many", "refused", "no number"),
        ("sysObjectID .1.3.6.1.4.1.8072.3.2.10", "honoured", ""),
        ("engineID some text", "honoured", ""),
        ("exactEngineID 0x8000000001020304", "honoured", ""),
        ("exactEngineID nonsense", "refused", "no engineID"),
        ("engineIDType 9", "refused", "none of 1, 2, 3"),
        ("maxGetbulkRepeats 50", "honoured", ""),
        ("maxGetbulkRepeats some", "refused", "no number"),
        ("[snmp] sendMessageMaxSize 100", "refused", "484 to 65507"),
        ("[snmp] disableSNMPv1 yes", "honoured", "refused, where snmpd says nothing"),
        ("disableSNMPv1 yes", "refused", "at this place"),
        ("[snmptrapd] authCommunity log public", "refused", "snmptrapd.conf"),
        ("[nonsense]", "refused", "there is no such section"),
        ("trapsink 127.0.0.1 public", "honoured", ""),
        ("trap2sink udp:127.0.0.1:1162", "refused", "no community"),
        ("trapcommunity public\ninformsink -name n -tag t 127.0.0.1", "honoured", ""),
        ("trapsess -v 2c -c public -Ci 127.0.0.1:1162", "honoured", ""),
        ("trapsess -v3 -u alice -l authNoPriv -a SHA -A passphrase [::1]:1162", "honoured", ""),
        ("trapsess -v3 -u alice -l authNoPriv 127.0.0.1", "refused", "no such user yet"),
        ("trapsess -v3 127.0.0.1", "refused", "write -u"),
        ("trapsess -v 9 127.0.0.1", "refused", "none of 1, 2c, 3"),
        ("trapsess -s 127.0.0.2 -v 1 -c x 127.0.0.1", "refused", "take `-s` away"),
        ("notificationFilter f .1.3 0x00 included", "honoured", ""),
        ("authtrapenable 2", "honoured", ""),
        ("authtrapenable 1", "honoured", ""),
        ("authtrapenable yes", "refused", "neither 1 nor 2"),
        ("linkUpDownNotifications yes", "honoured", "tell of themselves"),
        ("linkUpDownNotifications no", "ignored", "ifLinkUpDownTrapEnable"),
        ("targetAddr t .1.3.6.1.6.1.1 0x7f00000100a2 1500 3 tag p 3 1", "refused", "trapsess"),
        ("targetParams p 1 2 public 1 3 1", "refused", "by SET"),
        ("snmpNotifyTable n tag 1 3 1", "refused", "trapsess"),
        ("vacmView 1 3 1 v .1.3.6 0xff", "refused", "view, group and access"),
        ("psysname router-1", "refused", "sagentd import"),
        ("v1trapaddress 127.0.0.1", "ignored", ""),
        ("disk / 10%", "honoured", ""),
        ("includeAllDisks 10%\nincludeAllDisks 20%", "ignored", "by the first"),
        ("load 12 14 14", "honoured", ""),
        ("swap some", "refused", "no number of kilobytes"),
        ("master agentx", "ignored", "no AgentX master yet"),
        ("extend name /bin/true", "ignored", ""),
        ("mibs ALL", "ignored", "MIB files"),
        ("dlmod name /path", "refused", "signed package"),
        ("smuxpeer .1.3 pass", "refused", "SMUX"),
        ("monitor -r 60 \"x\" .1.3 > 1", "refused", "watches nothing"),
        ("engineBoots 3", "refused", "sagentd import"),
        ("include other", "ignored", "includeFile"),
        ("includeFile no-such-file", "refused", "correct the path"),
        ("includeDir /no/such/directory", "ignored", "without it too"),
        ("includeSearch other", "refused", "search path"),
        ("rocomunity public", "refused", "correct it"),
        ("weather fine", "ignored", "nor snmpd 5.9"),
    ] {
        let (found, why) = last(line);
        assert_eq!((found, why.contains(reason)), (verdict, true), "{line}: {found}: {why}");
        if verdict == "refused" {
            assert!(why.contains(':') || why.contains(';'), "{line}: no remedy: {why}");
        }
    }
}

#[test]
fn no_verdict_holds_what_may_be_secret() {
    for line in [
        "createUser alice SHA hushhush AES-256",
        "createUser alice hushhush hushhush",
        "createUser -e hushhush alice",
        "usmUser 1 3 hushhush",
        "rocommunity hushhush hushhush",
        "rouser alice hushhush",
        "trapsess -v 3 -u alice -l authPriv -a hushhush -A hushhush 127.0.0.1",
        "trapsess -v 3 -u alice -e hushhush 127.0.0.1",
        "com2sec a hushhush hushhush",
        "hush/hush",
        "[hush]",
    ] {
        let reading = read_text(line);
        let told: Vec<String> = reading.lines.iter().map(Line::to_string).collect();
        let told = format!("{told:?}{}{:?}", json(&reading.lines), reading.problems);
        assert!(!told.contains("hush") || line.starts_with('['), "{line}: {told}");
    }
}

fn entry(configuration: &Configuration, group: &str) -> AccessEntry {
    let entry = configuration.vacm.access.iter().find(|entry| entry.group == group.as_bytes());
    entry.cloned().unwrap_or_else(|| panic!("no access entry of {group}"))
}

fn community(configuration: &Configuration, name: &str) -> Vec<Community> {
    let all = configuration.communities.communities.iter();
    all.filter(|community| community.community == name.as_bytes()).cloned().collect()
}

#[test]
fn communities_are_seen_by_nobody_who_did_not_name_them() {
    let text = "rocommunity one\nrocommunity two default .1\nrocommunity three default .1.3.6.1.6.3.18\n\
        rocommunity four default .1.3.6.1.6.3.18.1.1.1\nrwuser five\nrwuser six auth .1\n\
        view mine included .1\nrocommunity seven default -V mine\n";
    let configuration = read_text(text).configuration;
    let table = [1, 3, 6, 1, 6, 3, 18, 1, 1];
    let sees = |group: &str| {
        let view = entry(&configuration, group).read_view;
        let families = configuration.vacm.views.iter();
        let of_view = families.filter(|family| family.view == view);
        let nearest = of_view
            .filter(|family| table.starts_with(&family.subtree))
            .max_by_key(|family| family.subtree.len());
        // A view that lies inside of the table was meant.
        nearest.is_none_or(|family| family.included)
    };
    let all = ["grpcomm1", "grpcomm2", "grpcomm3", "grpcomm4", "grpfive", "grpsix", "grpcomm7"];
    assert_eq!(all.map(sees), [false, false, false, true, false, true, true]);
}

#[test]
fn a_line_makes_the_rows_that_snmpd_makes_under_the_names_that_snmpd_gives() {
    let text = "rocommunity public\nrwuser \"al.ice\" priv .1.3.6.1.2.1.1 ctx\nrwcommunity secret 10.0.0.0/8 .1.3\n";
    let configuration = read_text(text).configuration;
    let public = &community(&configuration, "public")[0];
    assert_eq!((&public.security_name[..], public.sources[0].prefix), ("comm1", 0));
    assert_eq!(public.sources[0].address.len(), 4, "IPv4 only");
    let read_only = entry(&configuration, "grpcomm1");
    assert_eq!(
        (&read_only.read_view[..], &read_only.write_view[..]),
        (&b"_all_"[..], &b"none"[..])
    );
    assert_eq!(
        (read_only.security_model, read_only.security_level, read_only.exact),
        (0, 1, false)
    );
    let alice = entry(&configuration, "grpal_ice");
    assert_eq!((&alice.read_view[..], &alice.write_view[..]), (&b"viewUSM2"[..], &b"viewUSM2"[..]));
    assert_eq!((alice.security_model, alice.security_level, alice.exact), (3, 3, true));
    assert_eq!(alice.context, b"ctx");
    let secret = entry(&configuration, "grpcomm3");
    assert_eq!(&secret.write_view[..], b"viewComm3");
    let models: Vec<u32> = configuration.vacm.members.iter().map(|m| m.security_model).collect();
    assert_eq!(models, [1, 2, 3, 1, 2]);
}

#[test]
fn the_first_community_decides_and_a_negated_source_lets_nobody_in() {
    let text = "com2sec a !10.0.0.1 public\ncom2sec b 10.0.0.0/31 public\ncom2sec c 10.0.0.1 public\n\
                com2sec d 10.0.0.1 other\ncom2sec6 e default public\n";
    let configuration = read_text(text).configuration;
    let names = |name| {
        let all = community(&configuration, name).into_iter();
        all.map(|c| (c.security_name, c.sources.len(), c.sources[0].prefix)).collect::<Vec<_>>()
    };
    assert_eq!(names("public"), [("b".into(), 1, 32), ("e".into(), 1, 0)]);
    assert_eq!(names("other"), [("d".into(), 1, 32)]);
    assert_eq!(community(&configuration, "public")[0].sources[0].address, [10, 0, 0, 0]);
}

#[test]
fn of_two_rows_of_one_index_the_first_counts() {
    let text = "rouser alice noauth .1.3.6.1.2.1.1\nrwuser alice noauth\n\
                group any-group any bob\ngroup other usm bob\ngroup third v1 bob\n";
    let reading = read_text(text);
    let words: Vec<&str> = reading.lines.iter().map(|line| line.verdict.word()).collect();
    assert_eq!(words, ["honoured", "ignored", "honoured", "honoured", "honoured"]);
    let vacm = &reading.configuration.vacm;
    assert_eq!(&entry(&reading.configuration, "grpalice").write_view[..], b"none");
    let bob: Vec<(u32, &[u8])> = vacm
        .members
        .iter()
        .filter(|member| member.security_name == b"bob")
        .map(|member| (member.security_model, &member.group[..]))
        .collect();
    assert_eq!(bob, [(1, &b"any-group"[..]), (2, b"any-group"), (3, b"any-group")]);
}

#[test]
fn typed_views_are_set_one_by_one() {
    let text = "authgroup notify g noauth -V told\nauthaccess read g seen noauth\n\
                setaccess g \"\" usm noauth prefix write written\n";
    let configuration = read_text(text).configuration;
    // The last line would meet the entry for any model; snmpd sets that one.
    let views: Vec<[&[u8]; 3]> = configuration
        .vacm
        .access
        .iter()
        .map(|entry| [&entry.read_view[..], &entry.write_view, &entry.notify_view])
        .collect();
    assert_eq!(views, [[&b""[..], b"written", b"told"], [b"seen", b"", b""]]);
}

#[test]
fn failed_authentication_is_told_of_as_the_line_says() {
    let configured = |text: &str| read_text(text).configuration.snmp.authentication_traps;
    assert_eq!(configured("rocommunity public\n"), None);
    assert_eq!(configured("authtrapenable 1\n"), Some(true));
    assert_eq!(configured("authtrapenable 1\nauthtrapenable 2\n"), Some(false));
}

#[test]
fn a_receiver_is_told_and_may_ask_for_nothing_more() {
    let text = "rocommunity public\nrouser alice auth -V v\ncreateUser alice SHA passphrase\n\
                trap2sink 127.0.0.1:1162 public\ntrapsess -v 3 -u alice -l authNoPriv 127.0.0.1:1163\n";
    let reading = read_text(text);
    assert_eq!(reading.refusals(), Vec::<String>::new());
    let configuration = &reading.configuration;
    let indexes: Vec<String> =
        community(configuration, "public").into_iter().map(|c| c.index).collect();
    assert!(indexes.is_sorted(), "{indexes:?}: who asks is let in as before");
    let told = community(configuration, "public").pop().unwrap();
    assert_eq!(told.sources[0].address, [127, 0, 0, 1]);
    let member = configuration
        .vacm
        .members
        .iter()
        .find(|m| m.security_name == told.security_name.as_bytes());
    let group = String::from_utf8(member.unwrap().group.clone()).unwrap();
    let receiver = entry(configuration, &group);
    assert_eq!((&receiver.read_view[..], &receiver.notify_view[..]), (&b""[..], &b"_all_"[..]));
    let alice = entry(configuration, "grpalice");
    assert_eq!((&alice.read_view[..], &alice.notify_view[..]), (&b"v"[..], &b"_all_"[..]));
}

#[test]
fn files_include_each_other_and_sections_end_with_their_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    std::fs::create_dir(directory.path().join("conf.d")).unwrap();
    let conf_d = directory.path().join("conf.d");
    file(
        "snmpd.conf",
        &format!("includeFile sub.conf\nrouser a\nincludeDir {}\n", conf_d.display()),
    );
    file("sub.conf", "[snmp]\nsendMessageMaxSize 1500\n");
    file("conf.d/2.conf", "rouser c\n");
    file("conf.d/1.conf", "# only a comment \u{e4}\n\nrouser b\n");
    file("conf.d/3.txt", "rouser not-read\n");
    file("loop.conf", "includeFile loop.conf\n");
    let reading = read(&[directory.path().join("snmpd.conf")]).unwrap();
    assert_eq!(reading.refusals(), Vec::<String>::new());
    assert_eq!(reading.configuration.max_message_size, Some(1500));
    let names: Vec<_> =
        reading.configuration.vacm.members.iter().map(|m| &m.security_name[..]).collect();
    assert_eq!(names, [b"a", b"b", b"c"]);
    let places: Vec<(String, usize)> = reading
        .lines
        .iter()
        .map(|line| (line.file.file_name().unwrap().to_str().unwrap().to_owned(), line.number))
        .collect();
    let wanted = [
        ("snmpd.conf", 1),
        ("sub.conf", 2),
        ("snmpd.conf", 2),
        ("snmpd.conf", 3),
        ("1.conf", 3),
        ("2.conf", 1),
    ];
    assert_eq!(places, wanted.map(|(name, line)| (name.to_owned(), line)));
    let endless = read(&[directory.path().join("loop.conf")]).unwrap();
    assert!(endless.refusals()[0].contains("more than 16 deep"), "{:?}", endless.refusals());
}

#[test]
fn a_version_that_is_switched_off_lets_nobody_in() {
    let text = "rocommunity public\ngroup g any alice\ncreateUser alice\n[snmp] disableSNMPv1 yes\n[snmp] \
        disableSNMPv3 1\n";
    let configuration = read_text(text).configuration;
    let models: Vec<u32> = configuration.vacm.members.iter().map(|m| m.security_model).collect();
    assert_eq!(models, [2, 2]);
    assert!(configuration.usm.users.is_empty());
}

#[test]
fn a_file_is_told_by_the_end_of_its_name() {
    for (path, wanted) in
        [("/etc/snmp/snmpd.conf", true), ("x", true), ("sagentd.toml", false), ("A.TOML", false)]
    {
        assert_eq!(is_snmpd_conf(Path::new(path)), wanted, "{path}");
    }
}
