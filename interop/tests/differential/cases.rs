//! What both agents are asked.

use s_interop::Server;
use s_interop::ber::{self, Message, V3, binding, group, integer, null, octets, oid, pdu, tag};
use s_interop::usm::User;

/// Both agents are told all that is compared, and show no more of themselves than that.
pub(crate) const CONFIGURATION: &str = "\
sysDescr one of two agents
sysObjectID .1.3.6.1.4.1.8072.3.2.10
sysContact somebody
sysServices 72
exactEngineID 0x80001f8880aabbccdd
view shown included .1.3.6.1.2.1.1
view shown excluded .1.3.6.1.2.1.1.8
view shown excluded .1.3.6.1.2.1.1.9
view shown included .1.3.6.1.2.1.11.30
rwcommunity public default -V shown
rocommunity reader default -V shown
rocommunity nowhere default -V nothing
com2sec lonely default lonely
createUser user
createUser proven SHA passphrase
createUser secret SHA-256 \"what proves it\" AES \"what hides it\"
rwuser user noauth -V shown
rwuser secret priv -V shown
rouser proven auth -V shown
";

const ENGINE: &[u8] = &[0x80, 0x00, 0x1f, 0x88, 0x80, 0xaa, 0xbb, 0xcc, 0xdd];

const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];
const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
const SYS_CONTACT: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 4, 0];
pub(crate) const SYS_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5, 0];
pub(crate) const SYS_LOCATION: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 6, 0];
const SYS_SERVICES: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 7, 0];
const SYS_OR_LAST_CHANGE: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 8, 0];
const AUTHEN_TRAPS: &[u32] = &[1, 3, 6, 1, 2, 1, 11, 30, 0];
const LAST: &[u32] = &[1, 3, 6, 1, 2, 1, 11, 30];

/// A name, and the value that it is to have.
type Assigned = (&'static [u32], Vec<u8>);

/// A question, and what it is called.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) datagram: Vec<u8>,
}

impl Case {
    /// Whether its PDU can be asked in another version: a sound message of who may do what `secret` may.
    pub(crate) fn is_v2c_of_public(&self) -> bool {
        let start = [integer(1), octets("public")].concat();
        self.datagram.windows(start.len()).any(|octets| octets == start)
    }
}

/// Who asks with authentication and privacy.
pub(crate) fn meet(server: &Server) -> User {
    User::meet(server.address, "secret", "what proves it", "what hides it")
}

fn case(name: impl Into<String>, message: &Message) -> Case {
    Case { name: name.into(), datagram: message.octets() }
}

fn names(names: &[&[u32]]) -> Vec<Vec<u8>> {
    names.iter().map(|name| binding(name, null())).collect()
}

fn v1(pdu: Vec<u8>) -> Message {
    Message::by_community(0, "public", pdu)
}

pub(crate) fn v2c(pdu: Vec<u8>) -> Message {
    Message::by_community(1, "public", pdu)
}

/// Reading: each version, each kind of name.
pub(crate) fn reads() -> Vec<Case> {
    let mut cases = Vec::new();
    let asked: &[(&str, &[&[u32]])] = &[
        ("a variable", &[SYS_DESCR]),
        ("several variables", &[SYS_NAME, SYS_UP_TIME, SYS_CONTACT, SYS_SERVICES, AUTHEN_TRAPS]),
        ("the same variable twice", &[SYS_NAME, SYS_NAME]),
        ("no variable", &[]),
        ("an object without an instance", &[&[1, 3, 6, 1, 2, 1, 1, 1]]),
        ("an instance that is not there", &[&[1, 3, 6, 1, 2, 1, 1, 1, 1]]),
        ("a longer instance", &[&[1, 3, 6, 1, 2, 1, 1, 1, 0, 0]]),
        ("an object that is not there", &[&[1, 3, 6, 1, 2, 1, 1, 77, 0]]),
        ("an object out of the view", &[SYS_OR_LAST_CHANGE]),
        ("a name above the view", &[&[1, 3, 6, 1]]),
        ("a name in another tree", &[&[2, 100, 3]]),
        ("a name of two arcs", &[&[0, 0]]),
        ("the second of three missing", &[SYS_NAME, &[1, 3, 6, 1, 2, 1, 1, 77, 0], SYS_CONTACT]),
        ("the end of the view", &[AUTHEN_TRAPS]),
        ("the end of the view after a variable", &[SYS_NAME, AUTHEN_TRAPS]),
        ("large arcs", &[&[1, 3, 6, 1, 4_294_967_295, 4_294_967_295]]),
    ];
    for (what, asked) in asked {
        for (kind, how) in [(tag::GET, "get"), (tag::GET_NEXT, "get-next")] {
            cases.push(case(format!("v1 {how}: {what}"), &v1(pdu(kind, 7, 0, 0, &names(asked)))));
            cases.push(case(format!("v2c {how}: {what}"), &v2c(pdu(kind, 7, 0, 0, &names(asked)))));
        }
    }
    // A whole walk, a name at a time, in each version.
    let walked: [&[u32]; 9] = [
        SYSTEM,
        SYS_DESCR,
        &[1, 3, 6, 1, 2, 1, 1, 2, 0],
        SYS_UP_TIME,
        SYS_CONTACT,
        SYS_NAME,
        SYS_LOCATION,
        SYS_SERVICES,
        LAST,
    ];
    for (at, name) in walked.iter().enumerate() {
        cases.push(case(
            format!("walk: step {at}"),
            &v2c(pdu(tag::GET_NEXT, 7, 0, 0, &names(&[name]))),
        ));
    }
    for (what, id) in [
        ("zero", 0),
        ("negative", -5),
        ("the greatest", 2_147_483_647),
        ("the least", -2_147_483_648),
    ] {
        cases.push(case(
            format!("v2c get: request-id {what}"),
            &v2c(pdu(tag::GET, id, 0, 0, &names(&[SYS_NAME]))),
        ));
    }
    cases.push(case(
        "v2c get: error-status and error-index that are not zero",
        &v2c(pdu(tag::GET, 7, 5, 9, &names(&[SYS_NAME]))),
    ));
    cases.push(case(
        "v2c get: a value where none belongs",
        &v2c(pdu(tag::GET, 7, 0, 0, &[binding(SYS_NAME, octets("x"))])),
    ));
    cases
}

pub(crate) fn bulks() -> Vec<Case> {
    let bulk = |what: &str, non_repeaters: i64, repetitions: i64, asked: &[&[u32]]| {
        case(
            format!("bulk: {what}"),
            &v2c(pdu(tag::GET_BULK, 7, non_repeaters, repetitions, &names(asked))),
        )
    };
    let mut cases = vec![
        bulk("three of one", 0, 3, &[SYSTEM]),
        bulk("one once and two twice", 1, 2, &[SYS_NAME, SYSTEM, SYS_CONTACT]),
        bulk("no repetition", 0, 0, &[SYSTEM]),
        bulk("no repetition behind one", 1, 0, &[SYS_NAME, SYSTEM]),
        bulk("more that are not repeated than there are", 9, 3, &[SYS_NAME, SYSTEM]),
        bulk("a negative number that are not repeated", -1, 2, &[SYSTEM]),
        bulk("a negative number of repetitions", 0, -1, &[SYSTEM]),
        bulk("both negative", -7, -7, &[SYSTEM]),
        bulk("to the end and one more", 0, 9, &[SYSTEM]),
        bulk("beyond the end", 0, 20, &[SYS_LOCATION]),
        bulk("from the end", 0, 3, &[AUTHEN_TRAPS]),
        bulk("one at the end beside one that goes on", 0, 3, &[AUTHEN_TRAPS, SYS_CONTACT]),
        bulk("two that end at different times", 0, 5, &[SYS_SERVICES, SYS_LOCATION]),
        bulk("nothing", 0, 5, &[]),
    ];
    let v1_bulk = v1(pdu(tag::GET_BULK, 7, 0, 2, &names(&[SYSTEM])));
    cases.push(case("bulk: in version 1", &v1_bulk));
    cases
}

pub(crate) fn sets() -> Vec<Case> {
    let set = |values: &[Assigned]| {
        let bindings: Vec<Vec<u8>> =
            values.iter().map(|(name, value)| binding(name, value.clone())).collect();
        pdu(tag::SET, 7, 0, 0, &bindings)
    };
    let long = octets("x".repeat(256));
    let kinds: Vec<(&str, Vec<Assigned>)> = vec![
        ("a variable", vec![(SYS_NAME, octets("name"))]),
        ("two variables", vec![(SYS_NAME, octets("name")), (SYS_LOCATION, octets("place"))]),
        ("an empty text", vec![(SYS_LOCATION, octets(""))]),
        ("what the configuration says", vec![(SYS_CONTACT, octets("other"))]),
        ("what cannot be written", vec![(SYS_DESCR, octets("other"))]),
        ("a number where a text belongs", vec![(SYS_NAME, integer(3))]),
        ("a text that is too long", vec![(SYS_NAME, long)]),
        ("a number that is none of the allowed ones", vec![(AUTHEN_TRAPS, integer(3))]),
        ("an object out of the view", vec![(SYS_OR_LAST_CHANGE, integer(3))]),
        ("an instance that is not there", vec![(&[1, 3, 6, 1, 2, 1, 1, 5, 1], octets("name"))]),
        ("an object that is not there", vec![(&[1, 3, 6, 1, 2, 1, 1, 77, 0], octets("name"))]),
        ("an object without an instance", vec![(&[1, 3, 6, 1, 2, 1, 1, 5], octets("name"))]),
        ("the second of two wrong", vec![(SYS_NAME, octets("name")), (SYS_LOCATION, integer(3))]),
        ("the same twice, alike", vec![(SYS_NAME, octets("name")), (SYS_NAME, octets("name"))]),
        ("no value", vec![(SYS_NAME, null())]),
        ("nothing", vec![]),
    ];
    let mut cases = Vec::new();
    for (what, values) in &kinds {
        cases.push(case(format!("v1 set: {what}"), &v1(set(values))));
        cases.push(case(format!("v2c set: {what}"), &v2c(set(values))));
    }
    let reader =
        |version| Message::by_community(version, "reader", set(&[(SYS_NAME, octets("name"))]));
    cases.push(case("v1 set: by who may only read", &reader(0)));
    cases.push(case("v2c set: by who may only read", &reader(1)));
    // What was refused has changed nothing.
    cases.push(case(
        "set: what is there afterwards",
        &v2c(pdu(tag::GET, 7, 0, 0, &names(&[SYS_NAME, SYS_LOCATION]))),
    ));
    cases
}

/// Who is not let in, and what is no message at all.
pub(crate) fn refusals() -> Vec<Case> {
    let get = || pdu(tag::GET, 7, 0, 0, &names(&[SYS_NAME]));
    let mut cases = Vec::new();
    for (what, community) in [
        ("unknown", "nobody"),
        ("empty", ""),
        ("with a view of nothing", "nowhere"),
        ("without a group", "lonely"),
    ] {
        for (version, number) in [("v1", 0), ("v2c", 1)] {
            cases.push(case(
                format!("{version} community: {what}"),
                &Message::by_community(number, community, get()),
            ));
            let next = pdu(tag::GET_NEXT, 7, 0, 0, &names(&[SYS_NAME]));
            cases.push(case(
                format!("{version} community: {what}, get-next"),
                &Message::by_community(number, community, next),
            ));
        }
    }
    for version in [2, 4, 99, -1, 1 << 40] {
        cases.push(case(
            format!("version {version}"),
            &Message::by_community(version, "public", get()),
        ));
    }
    for (what, kind) in [
        ("response", tag::RESPONSE),
        ("report", tag::REPORT),
        ("trap", tag::TRAP),
        ("inform", tag::INFORM),
    ] {
        cases.push(case(format!("v2c PDU: {what}"), &v2c(pdu(kind, 7, 0, 0, &names(&[SYS_NAME])))));
    }
    cases.push(case("v1 PDU: trap", &v1(pdu(tag::TRAP_V1, 7, 0, 0, &names(&[SYS_NAME])))));
    cases.push(case("v2c PDU: none that there is", &v2c(pdu(0xa9, 7, 0, 0, &names(&[SYS_NAME])))));
    let whole = v2c(get()).octets();
    let mut raw = |name: &str, datagram: Vec<u8>| {
        cases.push(Case { name: format!("octets: {name}"), datagram })
    };
    raw("none", Vec::new());
    raw("one", vec![0x30]);
    raw("a message without its last octet", whole[..whole.len() - 1].to_vec());
    raw("a message and one octet more", [&whole[..], &[0]].concat());
    raw("a message in a set instead of a sequence", [&[0x31], &whole[1..]].concat());
    let length = |len: &[u8]| [&[0x30], len, &whole[2..]].concat();
    raw("a length in more octets than it takes", length(&[0x82, 0, whole[1]]));
    raw("an indefinite length", [&length(&[0x80])[..], &[0, 0]].concat());
    let community = group(tag::SEQUENCE, &[integer(1), integer(3), get()]);
    raw("a community that is a number", community);
    let bindings = |bindings: Vec<u8>| {
        let pdu = group(tag::GET, &[integer(7), integer(0), integer(0), bindings]);
        group(tag::SEQUENCE, &[integer(1), octets("public"), pdu])
    };
    raw("bindings that are no sequence", bindings(octets("")));
    raw(
        "a binding without a value",
        bindings(group(tag::SEQUENCE, &[group(tag::SEQUENCE, &[oid(SYS_NAME)])])),
    );
    raw(
        "a binding with two values",
        bindings(group(tag::SEQUENCE, &[group(tag::SEQUENCE, &[oid(SYS_NAME), null(), null()])])),
    );
    raw(
        "a name that ends within an arc",
        bindings(group(
            tag::SEQUENCE,
            &[group(tag::SEQUENCE, &[ber::element(tag::OID, &[43, 0x86]), null()])],
        )),
    );
    raw(
        "a name without arcs",
        bindings(group(
            tag::SEQUENCE,
            &[group(tag::SEQUENCE, &[ber::element(tag::OID, &[]), null()])],
        )),
    );
    let long: Vec<u32> = [&[1, 3][..], &[1; 127]].concat();
    raw(
        "a name of 129 arcs",
        bindings(group(tag::SEQUENCE, &[group(tag::SEQUENCE, &[oid(&long), null()])])),
    );
    let wide = [vec![43], vec![0x90, 0x80, 0x80, 0x80, 0]].concat();
    raw(
        "an arc of more than 32 bits",
        bindings(group(
            tag::SEQUENCE,
            &[group(tag::SEQUENCE, &[ber::element(tag::OID, &wide), null()])],
        )),
    );
    let id = group(
        tag::GET,
        &[
            ber::element(tag::INTEGER, &[1, 0, 0, 0, 0]),
            integer(0),
            integer(0),
            group(tag::SEQUENCE, &names(&[SYS_NAME])),
        ],
    );
    raw("a request-id of 33 bits", group(tag::SEQUENCE, &[integer(1), octets("public"), id]));
    let id = group(
        tag::GET,
        &[
            ber::element(tag::INTEGER, &[]),
            integer(0),
            integer(0),
            group(tag::SEQUENCE, &names(&[SYS_NAME])),
        ],
    );
    raw("a request-id without octets", group(tag::SEQUENCE, &[integer(1), octets("public"), id]));
    cases
}

/// Messages of SNMPv3 without authentication: discovery, reports, contexts, sizes.
pub(crate) fn v3() -> Vec<Case> {
    let usual = V3 { engine_id: ENGINE, user: "user", context_engine_id: ENGINE, ..V3::default() };
    let get = || pdu(tag::GET, 7, 0, 0, &names(&[SYS_NAME]));
    let mut cases = vec![
        case("v3: discovery", &Message::discovery(7)),
        case(
            "v3: discovery that wants no report",
            &V3 { flags: 0, ..V3::default() }.message(&pdu(tag::GET, 7, 0, 0, &[])),
        ),
        case(
            "v3: discovery by a user's name",
            &V3 { user: "user", ..V3::default() }.message(&get()),
        ),
        case("v3: get", &usual.message(&get())),
        case("v3: get that wants no report", &V3 { flags: 0, ..usual.clone() }.message(&get())),
        case("v3: get-next", &usual.message(&pdu(tag::GET_NEXT, 7, 0, 0, &names(&[SYSTEM])))),
        case("v3: bulk", &usual.message(&pdu(tag::GET_BULK, 7, 0, 3, &names(&[SYSTEM])))),
        case(
            "v3: an object that is not there",
            &usual.message(&pdu(tag::GET, 7, 0, 0, &names(&[&[1, 3, 6, 1, 2, 1, 1, 77, 0]]))),
        ),
        case(
            "v3: set",
            &usual.message(&pdu(tag::SET, 7, 0, 0, &[binding(SYS_NAME, octets("name"))])),
        ),
        case(
            "v3: set of what the configuration says",
            &usual.message(&pdu(tag::SET, 7, 0, 0, &[binding(SYS_CONTACT, octets("x"))])),
        ),
        case("v3: unknown user", &V3 { user: "nobody", ..usual.clone() }.message(&get())),
        case(
            "v3: unknown user that wants no report",
            &V3 { user: "nobody", flags: 0, ..usual.clone() }.message(&get()),
        ),
        case(
            "v3: user who has to prove himself",
            &V3 { user: "proven", ..usual.clone() }.message(&get()),
        ),
        case(
            "v3: unknown engine",
            &V3 { engine_id: b"\x80other engine", ..usual.clone() }.message(&get()),
        ),
        case(
            "v3: engineID that is too short",
            &V3 { engine_id: b"abc", ..usual.clone() }.message(&get()),
        ),
        case("v3: unknown context", &V3 { context: "nowhere", ..usual.clone() }.message(&get())),
        case(
            "v3: context of more than 32 octets",
            &V3 { context: "a context whose name is much too long", ..usual.clone() }
                .message(&get()),
        ),
        case(
            "v3: unknown context engine",
            &V3 { context_engine_id: b"\x80other engine", ..usual.clone() }.message(&get()),
        ),
        case(
            "v3: empty context engine",
            &V3 { context_engine_id: b"", ..usual.clone() }.message(&get()),
        ),
        case(
            "v3: local engine of RFC 5343",
            &V3 { context_engine_id: b"\x80\0\0\0\x06", ..usual.clone() }.message(&get()),
        ),
        case(
            "v3: unknown security model",
            &V3 { security_model: 99, ..usual.clone() }.message(&get()),
        ),
        case("v3: security model 0", &V3 { security_model: 0, ..usual.clone() }.message(&get())),
        case(
            "v3: privacy without authentication",
            &V3 { flags: 6, ..usual.clone() }.message(&get()),
        ),
        case(
            "v3: authentication of a user without keys",
            &V3 { flags: 5, ..usual.clone() }.message(&get()),
        ),
        case("v3: flags that there are not", &V3 { flags: 0xf4, ..usual.clone() }.message(&get())),
        case(
            "v3: the smallest message size",
            &V3 { max_size: 484, ..usual.clone() }.message(&pdu(
                tag::GET,
                7,
                0,
                0,
                &names(&[SYS_DESCR; 40]),
            )),
        ),
        case(
            "v3: bulk in the smallest message size",
            &V3 { max_size: 484, ..usual.clone() }.message(&pdu(
                tag::GET_BULK,
                7,
                0,
                20,
                &names(&[SYSTEM, SYSTEM, SYSTEM]),
            )),
        ),
        case(
            "v3: a message size below the smallest",
            &V3 { max_size: 483, ..usual.clone() }.message(&get()),
        ),
        case("v3: a negative message size", &V3 { max_size: -1, ..usual.clone() }.message(&get())),
        case("v3: a negative msgID", &V3 { id: -1, ..usual.clone() }.message(&get())),
        case("v3: trap", &usual.message(&pdu(tag::TRAP, 7, 0, 0, &names(&[SYS_NAME])))),
        case("v3: inform", &usual.message(&pdu(tag::INFORM, 7, 0, 0, &names(&[SYS_NAME])))),
        case("v3: report", &usual.message(&pdu(tag::REPORT, 7, 0, 0, &names(&[SYS_NAME])))),
        case("v3: response", &usual.message(&pdu(tag::RESPONSE, 7, 0, 0, &names(&[SYS_NAME])))),
    ];
    let v2_pdu = group(tag::SEQUENCE, &[integer(3), get()]);
    cases.push(Case {
        name: "v3: a message of version 3 that is made like one of version 1".into(),
        datagram: v2_pdu,
    });
    cases
}
