//! The MIBs of both agents beside each other, read with authentication and privacy.
//!
//! Of every object it is compared whether it is there, of which type its values are, of which rows a table
//! consists, in which order a walk meets them, what a GET of a row that is not there and a SET of the wrong
//! type are answered, and, where it does not change by itself, the value. Each difference is an `object` of
//! `differences.toml`.

use s_interop::ber::{self, Variable, binding, integer, null, octets, pdu, tag};
use s_interop::usm::User;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Both show everything to one user, and have the same rows where managers make rows.
pub(crate) const CONFIGURATION: &str = "\
sysDescr one of two agents
sysObjectID .1.3.6.1.4.1.8072.3.2.10
sysContact somebody
sysLocation somewhere
sysName name
sysServices 72
exactEngineID 0x80001f8880aabbccdd
view everything included .1
rocommunity public default -V everything
createUser secret SHA-256 \"what proves it\" AES \"what hides it\"
rwuser secret priv -V everything
load 12 14 16
disk / 5%
";

/// What is walked, and what it is.
const ROOTS: [(&str, &[u32]); 12] = [
    ("system", &[1, 3, 6, 1, 2, 1, 1]),
    ("interfaces", &[1, 3, 6, 1, 2, 1, 2]),
    ("ip", &[1, 3, 6, 1, 2, 1, 4]),
    ("icmp", &[1, 3, 6, 1, 2, 1, 5]),
    ("tcp", &[1, 3, 6, 1, 2, 1, 6]),
    ("udp", &[1, 3, 6, 1, 2, 1, 7]),
    ("snmp", &[1, 3, 6, 1, 2, 1, 11]),
    ("host", &[1, 3, 6, 1, 2, 1, 25]),
    ("ifMIB", &[1, 3, 6, 1, 2, 1, 31]),
    ("ucdavis", &[1, 3, 6, 1, 4, 1, 2021]),
    ("ipv6MIB and those behind", &[1, 3, 6, 1, 2, 1, 55]),
    ("snmpModules", &[1, 3, 6, 1, 6, 3]),
];

/// Rows of tables: the arc behind is the column. Everything else is a scalar.
const ENTRIES: &[&str] = &[
    "1.3.6.1.2.1.1.9.1",
    "1.3.6.1.2.1.2.2.1",
    "1.3.6.1.2.1.4.20.1",
    "1.3.6.1.2.1.4.21.1",
    "1.3.6.1.2.1.4.22.1",
    "1.3.6.1.2.1.4.24.4.1",
    "1.3.6.1.2.1.4.24.7.1",
    "1.3.6.1.2.1.4.28.1",
    "1.3.6.1.2.1.4.30.1",
    "1.3.6.1.2.1.4.31.1.1",
    "1.3.6.1.2.1.4.31.3.1",
    "1.3.6.1.2.1.4.32.1",
    "1.3.6.1.2.1.4.34.1",
    "1.3.6.1.2.1.4.35.1",
    "1.3.6.1.2.1.4.36.1",
    "1.3.6.1.2.1.4.37.1",
    "1.3.6.1.2.1.5.29.1",
    "1.3.6.1.2.1.5.30.1",
    "1.3.6.1.2.1.6.13.1",
    "1.3.6.1.2.1.6.19.1",
    "1.3.6.1.2.1.6.20.1",
    "1.3.6.1.2.1.7.5.1",
    "1.3.6.1.2.1.7.7.1",
    "1.3.6.1.2.1.25.2.3.1",
    "1.3.6.1.2.1.25.3.2.1",
    "1.3.6.1.2.1.25.3.3.1",
    "1.3.6.1.2.1.25.3.4.1",
    "1.3.6.1.2.1.25.3.6.1",
    "1.3.6.1.2.1.25.3.7.1",
    "1.3.6.1.2.1.25.3.8.1",
    "1.3.6.1.2.1.25.4.2.1",
    "1.3.6.1.2.1.25.5.1.1",
    "1.3.6.1.2.1.25.6.3.1",
    "1.3.6.1.2.1.31.1.1.1",
    "1.3.6.1.2.1.31.1.2.1",
    "1.3.6.1.2.1.31.1.4.1",
    "1.3.6.1.4.1.2021.9.1",
    "1.3.6.1.4.1.2021.10.1",
    "1.3.6.1.4.1.2021.13.15.1.1",
    "1.3.6.1.4.1.2021.16.2.1",
    "1.3.6.1.6.3.12.1.2.1",
    "1.3.6.1.6.3.12.1.3.1",
    "1.3.6.1.6.3.13.1.1.1",
    "1.3.6.1.6.3.13.1.2.1",
    "1.3.6.1.6.3.13.1.3.1",
    "1.3.6.1.6.3.15.1.2.2.1",
    "1.3.6.1.6.3.16.1.1.1",
    "1.3.6.1.6.3.16.1.2.1",
    "1.3.6.1.6.3.16.1.4.1",
    "1.3.6.1.6.3.16.1.5.2.1",
    "1.3.6.1.6.3.18.1.1.1",
    "1.3.6.1.6.3.18.1.2.1",
];

/// Rows that come and go while the two are walked one after the other: which there are is not compared.
const COMING_AND_GOING: &[&str] = &[
    "1.3.6.1.2.1.4.22.1",
    "1.3.6.1.2.1.4.35.1",
    "1.3.6.1.2.1.6.13.1",
    "1.3.6.1.2.1.6.19.1",
    "1.3.6.1.2.1.6.20.1",
    "1.3.6.1.2.1.7.5.1",
    "1.3.6.1.2.1.7.7.1",
    "1.3.6.1.2.1.25.4.2.1",
    "1.3.6.1.2.1.25.5.1.1",
];

/// Values that change by themselves without being a counter or a time: they are not compared.
const MOVING: &[&str] = &[
    // hrSystemDate, hrSystemNumUsers, hrSystemProcesses; sizes and use of storage; the processors' load.
    "1.3.6.1.2.1.25.1.2",
    "1.3.6.1.2.1.25.1.5",
    "1.3.6.1.2.1.25.1.6",
    "1.3.6.1.2.1.25.2.3.1.5",
    "1.3.6.1.2.1.25.2.3.1.6",
    "1.3.6.1.2.1.25.3.3.1.2",
    // ipv6InterfaceReachableTime is random; connections.
    "1.3.6.1.2.1.4.30.1.6",
    "1.3.6.1.2.1.6.9",
    // Memory, use of disks, loads, activity of the system.
    "1.3.6.1.4.1.2021.4",
    "1.3.6.1.4.1.2021.9.1.7",
    "1.3.6.1.4.1.2021.9.1.8",
    "1.3.6.1.4.1.2021.9.1.9",
    "1.3.6.1.4.1.2021.9.1.13",
    "1.3.6.1.4.1.2021.9.1.15",
    "1.3.6.1.4.1.2021.10.1.3",
    "1.3.6.1.4.1.2021.10.1.5",
    "1.3.6.1.4.1.2021.10.1.6",
    "1.3.6.1.4.1.2021.11",
    // snmpEngineTime; and locks, which begin anywhere (RFC 2579, TestAndIncr).
    "1.3.6.1.6.3.10.2.1.3",
    "1.3.6.1.6.3.1.1.6.1",
    "1.3.6.1.6.3.12.1.1",
    "1.3.6.1.6.3.15.1.2.1",
    "1.3.6.1.6.3.16.1.5.1",
    "1.3.6.1.2.1.4.33",
];

const PATIENCE: Duration = Duration::from_secs(20);

/// Its rows, by their index; of a scalar there is one.
type Object = BTreeMap<Vec<u32>, Variable>;
type Objects = BTreeMap<Vec<u32>, Object>;

/// All differences between the two: the object, what differs, and how.
pub(crate) fn differences(
    snmpd: &mut User,
    sagentd: &mut User,
) -> BTreeMap<(String, &'static str), String> {
    for user in [&mut *snmpd, &mut *sagentd] {
        make_rows(user);
    }
    let mut found = BTreeMap::new();
    for (name, root) in ROOTS {
        let (theirs, ours) = (walk(snmpd, root), walk(sagentd, root));
        assert!(name.contains("ipv6MIB") || !ours.is_empty(), "{name}: nothing was walked");
        let names: BTreeSet<&Vec<u32>> = theirs.keys().chain(ours.keys()).collect();
        for name in names {
            let words = dotted(name);
            let mut differ = |what, how: String| found.insert((words.clone(), what), how);
            match (theirs.get(name), ours.get(name)) {
                (Some(theirs), None) => differ("only snmpd", first(theirs)),
                (None, Some(ours)) => differ("only sagentd", first(ours)),
                (Some(theirs), Some(ours)) => {
                    for (what, how) in compare(&words, theirs, ours) {
                        differ(what, how);
                    }
                    for (what, pdu) in questions(name, ours) {
                        let [theirs, ours] = [&mut *snmpd, &mut *sagentd].map(|user| {
                            let answer = user.exchange(&pdu, PATIENCE);
                            answer.map_or("nothing".into(), |pdu| verdict(&pdu))
                        });
                        if theirs != ours {
                            differ(what, format!("snmpd: {theirs}; sagentd: {ours}"));
                        }
                    }
                    None
                }
                (None, None) => None,
            };
        }
    }
    found
}

fn compare(name: &str, theirs: &Object, ours: &Object) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let kinds = |object: &Object| object.values().map(|it| it.tag).collect::<BTreeSet<u8>>();
    if kinds(theirs) != kinds(ours) {
        let how = format!("snmpd: {:x?}; sagentd: {:x?}", kinds(theirs), kinds(ours));
        found.push(("type", how));
        return found;
    }
    let is_of = |list: &[&str]| list.iter().any(|entry| is_below(name, entry));
    if is_of(COMING_AND_GOING) {
        return found;
    }
    let lacks = |some: &Object, other: &Object| -> Vec<String> {
        let lacking = some.keys().filter(|index| !other.contains_key(*index));
        lacking.map(|index| dotted(index)).take(4).collect()
    };
    let (only_theirs, only_ours) = (lacks(theirs, ours), lacks(ours, theirs));
    if !only_theirs.is_empty() || !only_ours.is_empty() {
        found.push(("rows", format!("snmpd: {only_theirs:?}; sagentd: {only_ours:?}")));
    }
    if is_of(MOVING) {
        return found;
    }
    let differing = theirs.iter().find_map(|(index, theirs)| {
        let (theirs, ours) = (value(theirs), value(ours.get(index)?));
        (theirs != ours).then(|| format!("{}: snmpd: {theirs}; sagentd: {ours}", dotted(index)))
    });
    found.extend(differing.map(|how| ("values", how)));
    found
}

/// Of every object: a row that there cannot be, the column itself, and a value of the wrong type for the
/// first row. Where nothing can be written, the type is not looked at.
fn questions(name: &[u32], object: &Object) -> Vec<(&'static str, Vec<u8>)> {
    let get = |name: &[u32]| pdu(tag::GET, 7, 0, 0, &[binding(name, null())]);
    let mut asked = vec![
        ("get of no row", get(&[name, &[0, 0, 0, 4_294_967_295]].concat())),
        ("get of the object", get(name)),
    ];
    if let Some((index, variable)) = object.first_key_value() {
        let wrong = match variable.tag {
            tag::OCTETS => integer(-1),
            _ => octets("x"),
        };
        let name = [name, index].concat();
        asked.push(("set", pdu(tag::SET, 7, 0, 0, &[binding(&name, wrong)])));
    }
    asked
}

/// error-status, and the exception if there is one.
fn verdict(pdu: &[u8]) -> String {
    let (status, variables) = ber::variables(pdu).expect("an answer");
    match (status, variables.first()) {
        (0, Some(variable)) => variable.in_words(),
        _ => format!("error {status}"),
    }
}

/// A walk by GETBULK, which must go up.
fn walk(user: &mut User, root: &[u32]) -> Objects {
    let mut objects = Objects::new();
    let mut last = root.to_vec();
    loop {
        let asked = pdu(tag::GET_BULK, 7, 0, 30, &[binding(&last, null())]);
        let answer = user.exchange(&asked, PATIENCE).expect("an answer to a walk");
        let (status, variables) = ber::variables(&answer).expect("an answer");
        assert_eq!(status, 0, "behind {}", dotted(&last));
        assert!(!variables.is_empty(), "behind {}", dotted(&last));
        for variable in variables {
            if variable.tag == END_OF_MIB_VIEW || !variable.name.starts_with(root) {
                return objects;
            }
            assert!(variable.name > last, "{} behind {}", dotted(&variable.name), dotted(&last));
            last.clone_from(&variable.name);
            let (object, index) = variable.name.split_at(object_of(&variable.name));
            let rows = objects.entry(object.to_vec()).or_default();
            rows.insert(index.to_vec(), variable.clone());
        }
    }
}

const END_OF_MIB_VIEW: u8 = 0x82;

/// How many arcs the object has of which this is an instance.
fn object_of(name: &[u32]) -> usize {
    let words = dotted(name);
    let entry = ENTRIES.iter().find(|entry| is_below(&words, entry));
    entry.map_or(name.len() - 1, |entry| entry.split('.').count() + 1)
}

/// A value in words: counters and times are their type.
fn value(variable: &Variable) -> String {
    match variable.tag {
        tag::GAUGE32 => ber::number(&variable.value).to_string(),
        _ => variable.in_words(),
    }
}

fn first(object: &Object) -> String {
    let first = object.first_key_value();
    first.map_or(String::new(), |(index, it)| format!("{} = {}", dotted(index), value(it)))
}

pub(crate) fn is_below(name: &str, root: &str) -> bool {
    name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn dotted(arcs: &[u32]) -> String {
    arcs.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// An entry, an index, and what its columns are to be.
type Row = (&'static str, Vec<u32>, Vec<(u32, Vec<u8>)>);

/// Makes the same rows in both, as a manager does: a target with its parameters, a notification with a
/// filter, a view, a group, and its access.
fn make_rows(user: &mut User) {
    let text = |text: &str| text.bytes().map(u32::from).collect::<Vec<u32>>();
    let counted = |it: &str| [vec![u32::try_from(it.len()).unwrap()], text(it)].concat();
    let column = |entry: &str, column: u32, index: &[u32]| {
        let mut name: Vec<u32> = entry.split('.').map(|arc| arc.parse().unwrap()).collect();
        name.push(column);
        name.extend(index);
        name
    };
    let create_and_go = integer(4);
    let rows: [Row; 8] = [
        (
            "1.3.6.1.6.3.12.1.3.1",
            text("params"),
            vec![
                (2, integer(1)),
                (3, integer(2)),
                (4, octets("public")),
                (5, integer(1)),
                (7, create_and_go.clone()),
            ],
        ),
        (
            "1.3.6.1.6.3.12.1.2.1",
            text("target"),
            vec![
                (2, ber::oid(&[1, 3, 6, 1, 6, 1, 1])),
                (3, octets([127, 0, 0, 1, 0, 9])),
                (6, octets("nobody")),
                (7, octets("params")),
                (9, create_and_go.clone()),
            ],
        ),
        (
            "1.3.6.1.6.3.13.1.1.1",
            text("notify"),
            vec![(2, octets("others")), (3, integer(1)), (5, create_and_go.clone())],
        ),
        (
            "1.3.6.1.6.3.13.1.2.1",
            text("params"),
            vec![(1, octets("profile")), (3, create_and_go.clone())],
        ),
        (
            "1.3.6.1.6.3.13.1.3.1",
            [counted("profile"), vec![1, 3, 6]].concat(),
            vec![(3, integer(1)), (5, create_and_go.clone())],
        ),
        (
            "1.3.6.1.6.3.16.1.2.1",
            [vec![3], counted("somebody")].concat(),
            vec![(3, octets("some")), (5, create_and_go.clone())],
        ),
        (
            "1.3.6.1.6.3.16.1.4.1",
            [counted("some"), counted(""), vec![3, 2]].concat(),
            vec![
                (4, integer(1)),
                (5, octets("part")),
                (6, octets("part")),
                (7, octets("part")),
                (9, create_and_go.clone()),
            ],
        ),
        (
            "1.3.6.1.6.3.16.1.5.2.1",
            [counted("part"), vec![5, 1, 3, 6, 1, 2]].concat(),
            vec![(3, octets([])), (4, integer(1)), (6, create_and_go)],
        ),
    ];
    for (entry, index, columns) in rows {
        let bindings: Vec<Vec<u8>> = columns
            .into_iter()
            .map(|(at, value)| binding(&column(entry, at, &index), value))
            .collect();
        let answer = user.exchange(&pdu(tag::SET, 7, 0, 0, &bindings), PATIENCE);
        let answer = answer.expect("an answer to a SET");
        assert_eq!(ber::variables(&answer).expect("an answer").0, 0, "a row of {entry}");
    }
}
