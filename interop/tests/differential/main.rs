//! The same requests to snmpd and to this agent, with the same `snmpd.conf`; what both answer is compared:
//! [`cases`] are single datagrams, what has a sound one of SNMPv2c is asked with authentication and privacy
//! too; [`mibs`] are all objects, read with authentication and privacy.
//!
//! Each answer that differs is in `differences.toml`, with what either side says, who is right by which
//! section of which RFC, and why the other is not followed. A difference that is not there fails, and so
//! does an entry whose difference is gone or another by now. With `DIFFERENCES=print` in the environment the
//! test prints the entries that are missing instead, without their explanation.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod cases;
mod mibs;

use cases::{CONFIGURATION, Case, SYS_LOCATION, SYS_NAME, bulks, reads, refusals, sets, v2c, v3};
use s_interop::ber::{self, binding, octets, pdu, tag};
use s_interop::usm::User;
use s_interop::{Server, exchange};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A difference that is explained.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// The case; several cases where they differ in the same way.
    cases: Vec<String>,
    /// What snmpd answers.
    snmpd: String,
    /// What this agent answers.
    sagentd: String,
    /// Who is right: snmpd, sagentd, both, or neither.
    right: String,
    /// By which section of which RFC, and why.
    why: String,
}

/// An object, or several, that differ in the same way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectDifference {
    /// Object identifiers; what is below differs as they do.
    objects: Vec<String>,
    /// What they are called.
    names: String,
    /// What differs: whether they are there, `rows`, `type`, `values`, or what a request is answered.
    differs: String,
    right: String,
    why: String,
    /// Whether it depends on the host: its links, its addresses, its kernel.
    #[serde(default)]
    not_everywhere: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    difference: Vec<Difference>,
    object: Vec<ObjectDifference>,
}

/// The file, whose every entry says who is right, and by which RFC.
fn differences() -> Differences {
    let text = std::fs::read_to_string(FILE).unwrap();
    let all: Differences = toml::from_str(&text).unwrap_or_else(|error| panic!("{FILE}: {error}"));
    let cases = all.difference.iter().map(|it| (format!("{:?}", it.cases), &it.right, &it.why));
    let objects = all.object.iter().map(|it| (it.names.clone(), &it.right, &it.why));
    for (what, right, why) in cases.chain(objects) {
        let sides = ["snmpd", "sagentd", "both", "neither"];
        assert!(sides.contains(&&right[..]), "{what}: `right` is one of {sides:?}");
        assert!(why.contains("RFC"), "{what}: `why` names no RFC");
    }
    all
}

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/differences.toml");

fn explained() -> BTreeMap<String, (String, String)> {
    let mut explained = BTreeMap::new();
    for difference in differences().difference {
        for case in difference.cases {
            let answers = (difference.snmpd.clone(), difference.sagentd.clone());
            assert!(explained.insert(case.clone(), answers).is_none(), "{case}: explained twice");
        }
    }
    explained
}

#[test]
fn both_agents_answer_the_same_or_the_difference_is_explained() {
    let cases: Vec<Case> =
        [reads(), bulks(), refusals(), v3(), sets()].into_iter().flatten().collect();
    let unique: BTreeSet<&str> = cases.iter().map(|case| &case.name[..]).collect();
    assert_eq!(unique.len(), cases.len(), "two cases have one name");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.conf");
    std::fs::write(&file, CONFIGURATION).unwrap();
    // The same variables have the same values to begin with.
    let begin = |server: Server| {
        for name in [SYS_NAME, SYS_LOCATION] {
            let set = v2c(pdu(tag::SET, 1, 0, 0, &[binding(name, octets("at first"))])).octets();
            // A machine at work on other things may take its time; setting twice is as good as once.
            let answer =
                (0..6).find_map(|_| exchange(server.address, &set, Duration::from_secs(5)));
            let said = ber::in_words(answer.as_deref());
            assert!(said.contains("error 0 at 0"), "{said}");
        }
        server
    };
    let start_snmpd = || begin(Server::snmpd(&file, &directory.path().join("persistent")));
    let start_sagentd = || {
        let state = directory.path().join("state");
        begin(Server::sagentd(s_interop::agent(), &file, &state))
    };
    let (mut snmpd, mut sagentd) = (start_snmpd(), start_sagentd());

    let mut explained = explained();
    let (mut wrong, mut answered, print) =
        (Vec::new(), 0, std::env::var_os("DIFFERENCES").is_some());
    for case in &cases {
        let theirs = ask(&mut snmpd, &start_snmpd, &case.datagram);
        let ours = ask(&mut sagentd, &start_sagentd, &case.datagram);
        answered += usize::from(theirs != "nothing");
        let told = explained.remove(&case.name);
        if theirs == ours {
            if told.is_some() {
                wrong.push(format!("{}: explained, but both answer {ours}", case.name));
            }
        } else if told.is_none_or(|told| told != (theirs.clone(), ours.clone())) {
            if print {
                println!(
                    "[[difference]]\ncases = [{:?}]\nsnmpd = '''{theirs}'''\n\
                     sagentd = '''{ours}'''\nright = \"\"\nwhy = \"\"\n",
                    case.name
                );
            }
            wrong.push(format!("{}:\n  snmpd:   {theirs}\n  sagentd: {ours}", case.name));
        }
    }
    // The same with authentication and privacy: what differs, differs in the same way.
    let (snmpd, sagentd) = (begin(snmpd), begin(sagentd));
    let (mut their_user, mut our_user) = (cases::meet(&snmpd), cases::meet(&sagentd));
    let told = self::explained();
    for case in [reads(), bulks(), sets()].iter().flatten().filter(|case| case.is_v2c_of_public()) {
        let pdu = ber::pdu_of(&case.datagram).unwrap();
        let theirs = ask_in_secret(&mut their_user, pdu);
        let ours = ask_in_secret(&mut our_user, pdu);
        let is_told = told.get(&case.name) == Some(&(theirs.clone(), ours.clone()));
        if theirs != ours && !is_told {
            let name = &case.name;
            wrong.push(format!("{name}, authPriv:\n  snmpd:   {theirs}\n  sagentd: {ours}"));
        }
    }
    wrong.extend(
        explained.into_keys().map(|case| format!("{case}: explained, and there is no such case")),
    );
    assert!(
        wrong.is_empty(),
        "{} unexplained, see {}:\n{}",
        wrong.len(),
        Path::new(FILE).display(),
        wrong.join("\n")
    );
    assert!(
        answered > 100,
        "snmpd answered {answered} only: what is compared must not all be silence"
    );
}

#[test]
fn both_agents_have_the_same_objects_or_the_difference_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.conf");
    std::fs::write(&file, mibs::CONFIGURATION).unwrap();
    let snmpd = Server::snmpd(&file, &directory.path().join("persistent"));
    let sagentd = Server::sagentd(s_interop::agent(), &file, &directory.path().join("state"));
    let found = mibs::differences(&mut cases::meet(&snmpd), &mut cases::meet(&sagentd));
    let told = differences().object;
    let explains = |difference: &ObjectDifference, (name, what): &(String, &str)| {
        difference.differs == *what
            && difference.objects.iter().any(|object| mibs::is_below(name, object))
    };
    let mut wrong: Vec<String> = found
        .iter()
        .filter(|(key, _)| !told.iter().any(|it| explains(it, key)))
        .map(|((name, what), how)| format!("{name}: {what}: {how}"))
        .collect();
    for difference in told.iter().filter(|difference| !difference.not_everywhere) {
        for object in &difference.objects {
            let is_found = found
                .keys()
                .any(|(name, what)| *what == difference.differs && mibs::is_below(name, object));
            if !is_found {
                wrong.push(format!("{object}: {}: explained, and not so", difference.differs));
            }
        }
    }
    assert!(wrong.is_empty(), "{} unexplained, see {FILE}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is answered with authentication and privacy, in the words of an answer by community.
fn ask_in_secret(user: &mut User, pdu: &[u8]) -> String {
    let answer = user.exchange(pdu, Duration::from_millis(400));
    let words = answer.map(|answer| ber::pdu_in_words(&answer));
    words.map_or("nothing".into(), |words| format!("version 1 \"public\": {words}"))
}

/// What a server answers. Silence is asked for twice, because a datagram may get lost; where it is the end
/// of all answers, the server is started again.
fn ask(server: &mut Server, start: &dyn Fn() -> Server, datagram: &[u8]) -> String {
    let answer = exchange(server.address, datagram, Duration::from_millis(150))
        .or_else(|| exchange(server.address, datagram, Duration::from_millis(400)));
    if answer.is_none() && !server.answers() {
        *server = start();
        return "nothing, and nothing to anybody from then on".into();
    }
    ber::in_words(answer.as_deref())
}
