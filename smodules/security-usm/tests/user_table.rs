//! The usmUserTable over SNMP: users that are cloned, given keys of their own, kept and removed.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../mib-kit/tests/hosted/kept.rs"]
mod kept;
mod table;
mod world;

use roles::contract::mib::{set_suite, suite};
use roles::contract::settings::Documents;
use roles::mib::MibAccess;
use roles::security::SecurityErrorKind;
use roles::settings::{Persistence, Settings, SettingsProxy, UsmSettings, write};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue, security_model};
use s_sdk::Buf;
use s_wire::{PduKind, Value};
use security_usm::key_change::new_key;
use table::{
    ACTIVE, AUTH_KEY, AUTH_PROTOCOL, CLONE_FROM, CREATE_AND_GO, CREATE_AND_WAIT, DESTROY, ENTRY,
    NO_AUTH, NO_PRIV, OWN_AUTH_KEY, OWN_PRIV_KEY, PRIV_KEY, PRIV_PROTOCOL, PUBLIC, SECURITY_NAME,
    SPIN_LOCK, STATUS, STORAGE, Users, cell, template,
};
use world::{
    AES_128, AES_256, AUTH_PASSWORD, Ask, MD5, Manager, OWN, SHA_1, SHA_256, USERS, World, pdu,
    user,
};
use zeroize::Zeroizing;

#[test]
fn the_contract_holds() {
    let users = Users::new();
    let mut worker = users.world.runtime.worker();
    let act = &worker.activity();
    suite(&users.mib, act).unwrap();
    let binds = |list: &[(Vec<u32>, VarValue<'_>)]| {
        let mut binds = VarBinds::new();
        list.iter().for_each(|(name, value)| binds.push(name, *value).unwrap());
        binds
    };
    let one = |column, name: &str, value| binds(&[(cell(column, name), value)]);
    let good = binds(&[
        (cell(PUBLIC, "alice"), VarValue::Octets(b"changed")),
        (cell(PUBLIC, "bob"), VarValue::Octets(b"as well")),
    ]);
    let too_long = "x".repeat(33);
    set_suite(
        &users.mib,
        act,
        &good,
        &[
            (&one(SECURITY_NAME, "alice", VarValue::Octets(b"x")), ErrorStatus::NotWritable, 1),
            (&one(PUBLIC, "alice", VarValue::Octets(&[0; 33])), ErrorStatus::WrongLength, 1),
            (&one(PUBLIC, "alice", VarValue::Integer(1)), ErrorStatus::WrongType, 1),
            (&one(PUBLIC, "frank", VarValue::Octets(b"x")), ErrorStatus::NotWritable, 1),
            (&one(STATUS, "alice", DESTROY), ErrorStatus::InconsistentValue, 1),
            (&one(STATUS, "alice", VarValue::Integer(2)), ErrorStatus::InconsistentValue, 1),
            (&one(STATUS, &too_long, CREATE_AND_GO), ErrorStatus::NoCreation, 1),
            (&one(STATUS, "", CREATE_AND_GO), ErrorStatus::NoCreation, 1),
            (&one(STORAGE, "new", VarValue::Integer(4)), ErrorStatus::WrongValue, 1),
            (&one(PUBLIC, "new", VarValue::Octets(b"x")), ErrorStatus::InconsistentName, 1),
            (
                &one(AUTH_PROTOCOL, "alice", VarValue::Oid(NO_AUTH)),
                ErrorStatus::InconsistentValue,
                1,
            ),
            (&one(AUTH_PROTOCOL, "alice", VarValue::Oid(MD5)), ErrorStatus::InconsistentValue, 1),
            (&one(AUTH_PROTOCOL, "alice", VarValue::Oid(&[1, 3])), ErrorStatus::WrongValue, 1),
            (&one(AUTH_PROTOCOL, "alice", VarValue::Oid(AES_128)), ErrorStatus::WrongValue, 1),
            (&one(PRIV_PROTOCOL, "alice", VarValue::Oid(SHA_256)), ErrorStatus::WrongValue, 1),
            (&one(AUTH_KEY, "alice", VarValue::Octets(&[1; 63])), ErrorStatus::WrongLength, 1),
            (&one(AUTH_KEY, "alice", VarValue::Octets(b"")), ErrorStatus::WrongLength, 1),
            (&one(OWN_AUTH_KEY, "alice", VarValue::Octets(&[1; 64])), ErrorStatus::NoAccess, 1),
        ],
    )
    .unwrap();
    suite(&users.mib, act).unwrap();
}

#[test]
fn a_user_is_cloned_gets_keys_of_his_own_and_goes() {
    for protocols in [(SHA_256, AES_128), (SHA_1, AES_256), (MD5, &[][..])] {
        let (configured, old) = template(protocols.0, protocols.1);
        let users = Users::of(World::empty());
        assert_eq!(users.world.apply(&[configured]), "");
        let pointer = cell(SECURITY_NAME, "template");
        let clone = (cell(CLONE_FROM, "carol"), VarValue::Oid(&pointer));
        // Whoever has somebody else's keys is not active (RFC 3414 §5, usmUserStatus).
        let go = (cell(STATUS, "carol"), CREATE_AND_GO);
        let refused = users.set(&[go.clone(), clone.clone()]);
        assert_eq!(refused, Err((ErrorStatus::InconsistentValue, 1)));
        assert_eq!(users.set(&[clone.clone(), (cell(STATUS, "carol"), CREATE_AND_WAIT)]), Ok(()));
        assert_eq!(users.get(&cell(STATUS, "carol")), "Integer(3)", "not ready");
        assert_eq!(users.get(&cell(AUTH_PROTOCOL, "carol")), format!("Oid({:?})", protocols.0));
        assert_eq!(users.get(&cell(CLONE_FROM, "carol")), "Oid([0, 0])");
        assert_eq!(users.get(&cell(STORAGE, "carol")), "Integer(3)", "nonVolatile");
        let active = (cell(STATUS, "carol"), ACTIVE);
        assert_eq!(
            users.set(std::slice::from_ref(&active)),
            Err((ErrorStatus::InconsistentValue, 1))
        );
        let ask = Ask::of(("carol", protocols.0, protocols.1));
        assert_eq!(users.lets_in(&ask), Err(SecurityErrorKind::UnknownUserName));
        let [auth, privacy] = users.changes(protocols, (&old[0], &old[1]));
        // A SET is checked as a whole: the second key is wrong, so the first is not changed either.
        let mut keys = vec![(cell(AUTH_KEY, "carol"), VarValue::Octets(&auth))];
        if !protocols.1.is_empty() {
            keys.push((cell(PRIV_KEY, "carol"), VarValue::Octets(&privacy[1..])));
            assert_eq!(users.set(&keys), Err((ErrorStatus::WrongLength, 2)));
            keys[1].1 = VarValue::Octets(&privacy);
        }
        keys.push(active);
        assert_eq!(users.set(&keys), Ok(()));
        assert_eq!(users.lets_in(&ask), Ok(()), "{protocols:?}");
        for column in [AUTH_KEY, OWN_AUTH_KEY, PRIV_KEY, OWN_PRIV_KEY] {
            assert_eq!(users.get(&cell(column, "carol")), "Octets([])");
        }
        // Cloning again succeeds and does nothing.
        assert_eq!(users.set(&[clone]), Ok(()));
        assert_eq!(users.lets_in(&ask), Ok(()));
        // A successor has him, and so has the next start, which has the same configuration.
        users.world.swap("security.usm", &security_usm::S_MODULE);
        assert_eq!(users.lets_in(&ask), Ok(()));
        let restarted = Users::of(World::empty());
        let mut saved = Buf::new();
        let mut worker = users.world.runtime.worker();
        users.kept.save(&worker.activity(), &mut saved).unwrap();
        let mut other = restarted.world.runtime.worker();
        assert_eq!(restarted.kept.restore(&other.activity(), &saved), Ok(true));
        assert_eq!(restarted.lets_in(&ask), Ok(()));
        assert_eq!(users.set(&[(cell(STATUS, "carol"), DESTROY)]), Ok(()));
        assert_eq!(users.lets_in(&ask), Err(SecurityErrorKind::UnknownUserName));
        assert_eq!(users.get(&cell(STATUS, "carol")), "NoSuchInstance");
    }
}

#[test]
fn protocols_can_only_be_taken_away_and_only_privacy_first() {
    let users = Users::new();
    let set = |column, value: &[u32]| users.set(&[(cell(column, "new"), VarValue::Oid(value))]);
    let pointer = |name| cell(SECURITY_NAME, name);
    let creating = |column, value: &[u32]| {
        let status = (cell(STATUS, "new"), CREATE_AND_WAIT);
        users.set(&[status, (cell(column, "new"), VarValue::Oid(value))])
    };
    assert_eq!(creating(AUTH_PROTOCOL, &[1, 3, 6]), Err((ErrorStatus::WrongValue, 2)));
    assert_eq!(creating(PRIV_PROTOCOL, AES_128), Err((ErrorStatus::InconsistentValue, 2)));
    assert_eq!(creating(CLONE_FROM, &pointer("nobody")), Err((ErrorStatus::InconsistentName, 2)));
    assert_eq!(creating(CLONE_FROM, &[1, 3, 6]), Err((ErrorStatus::InconsistentName, 2)));
    // The keys of a user who is no clone are nobody's to change.
    let key = (cell(AUTH_KEY, "new"), VarValue::Octets(&[0; 64]));
    let status = (cell(STATUS, "new"), CREATE_AND_WAIT);
    assert_eq!(users.set(&[status, key]), Err((ErrorStatus::InconsistentName, 2)));
    // A user without keys waits, and once he is a clone he waits for keys of his own.
    let waits = (cell(STATUS, "late"), CREATE_AND_WAIT);
    assert_eq!(users.set(&[waits]), Ok(()));
    assert_eq!(users.get(&cell(STATUS, "late")), "Integer(2)", "not in service");
    let alice = pointer("alice");
    let clone = (cell(CLONE_FROM, "late"), VarValue::Oid(&alice));
    assert_eq!(users.set(&[clone]), Ok(()));
    assert_eq!(users.get(&cell(STATUS, "late")), "Integer(3)", "not ready");
    // What it begins with is overwritten by the clone.
    assert_eq!(creating(AUTH_PROTOCOL, MD5), Ok(()));
    assert_eq!(set(CLONE_FROM, &pointer("alice")), Ok(()));
    assert_eq!(users.get(&cell(AUTH_PROTOCOL, "new")), format!("Oid({SHA_256:?})"));
    assert_eq!(set(AUTH_PROTOCOL, MD5), Err((ErrorStatus::InconsistentValue, 1)));
    assert_eq!(set(AUTH_PROTOCOL, &[1, 3, 6]), Err((ErrorStatus::WrongValue, 1)));
    assert_eq!(set(AUTH_PROTOCOL, NO_AUTH), Err((ErrorStatus::InconsistentValue, 1)));
    assert_eq!(set(AUTH_PROTOCOL, SHA_256), Ok(()), "it stays what it is");
    // Both at once are no more than one after the other.
    let both = [
        (cell(AUTH_PROTOCOL, "new"), VarValue::Oid(NO_AUTH)),
        (cell(PRIV_PROTOCOL, "new"), VarValue::Oid(NO_PRIV)),
    ];
    assert_eq!(users.set(&both), Ok(()));
    // Whoever has no keys needs none of his own, and a change of none succeeds.
    let key = (cell(AUTH_KEY, "new"), VarValue::Octets(&[0; 64]));
    assert_eq!(users.set(&[(cell(STATUS, "new"), ACTIVE), key]), Ok(()));
    assert_eq!(users.lets_in(&Ask::of(("new", &[], &[]))), Ok(()));
}

#[test]
fn a_protocol_that_no_module_has_is_not_cloned() {
    let users = Users::of(World::with(&[
        ("engine", &world::S_MODULE),
        ("auth.sha2", &auth_hmac_sha2::S_MODULE),
    ]));
    assert_eq!(users.world.apply(&[user(("alice", SHA_256, AES_128))]), "");
    let pointer = cell(SECURITY_NAME, "alice");
    let create = [
        (cell(STATUS, "new"), CREATE_AND_WAIT),
        (cell(CLONE_FROM, "new"), VarValue::Oid(&pointer)),
    ];
    assert_eq!(users.set(&create), Err((ErrorStatus::InconsistentValue, 2)));
    world::serve(&users.world.control, "priv.aes", &priv_aes::S_MODULE);
    // His key is derived when somebody asks for him.
    assert_eq!(users.world.apply(&[user(("alice", SHA_256, AES_128))]), "");
    assert_eq!(users.set(&create), Ok(()));
}

#[test]
fn a_user_changes_his_own_key_and_nobody_elses_while_his_request_is_answered() {
    let users = Users::new();
    let mut worker = users.world.runtime.worker();
    let alice = Ask::of(USERS[0]);
    let new = {
        let act = worker.activity();
        let manager = Manager { runtime: users.world.runtime, act: &act };
        let old = manager.key(SHA_256, AUTH_PASSWORD, OWN);
        users.change(&act, SHA_256, &old, &[7; 32])
    };
    let own = (cell(OWN_AUTH_KEY, "alice"), VarValue::Octets(&new));
    // Somebody else, and somebody whom another security model calls as him.
    for requester in [
        (security_model::USM, &b"erin"[..]),
        (security_model::USM, b"alic"),
        (security_model::SNMPV2C, b"alice"),
        (security_model::ANY, b"alice"),
    ] {
        let refused = users.set_as(&worker.activity(), requester, std::slice::from_ref(&own));
        assert_eq!(refused, Err((ErrorStatus::NoAccess, 1)), "{requester:?}");
    }
    let act = worker.activity();
    let manager = Manager { runtime: users.world.runtime, act: &act };
    let (incoming, elements) = users.world.take(&act, &manager.ask(&alice)).unwrap();
    assert_eq!(users.set_as(&act, (security_model::USM, b"alice"), &[own]), Ok(()));
    // The answer is proven and encrypted with the keys of the request (RFC 3414 §3.1 step 1 a).
    let response = pdu(PduKind::Response, 77, &[1, 3], Value::Integer(5));
    let answer = users.world.answer(&act, &incoming, &elements, response.clone()).unwrap();
    assert_eq!(manager.hear(&alice, &answer).pdu, response);
    drop(act);
    assert_eq!(users.lets_in(&alice), Err(SecurityErrorKind::WrongDigest));
    // The configuration brings the old key once more, which is the one that he replaced.
    assert_eq!(users.world.apply(&USERS.map(user)), "");
    assert_eq!(users.lets_in(&alice), Err(SecurityErrorKind::WrongDigest));
    let mut saved = Buf::new();
    users.kept.save(&worker.activity(), &mut saved).unwrap();
    let restarted = Users::of(World::empty());
    let mut other = restarted.world.runtime.worker();
    assert_eq!(restarted.kept.restore(&other.activity(), &saved), Ok(true));
    assert_eq!(restarted.world.apply(&USERS.map(user)), "");
    assert_eq!(restarted.lets_in(&alice), Err(SecurityErrorKind::WrongDigest));
    assert_eq!(restarted.lets_in(&Ask::of(USERS[1])), Ok(()));
}

#[test]
fn a_changed_key_stays_though_the_module_of_its_protocol_comes_after_the_configuration() {
    let protocols = (SHA_256, AES_128);
    let (configured, old) = template(protocols.0, protocols.1);
    let users = Users::of(World::empty());
    assert_eq!(users.world.apply(std::slice::from_ref(&configured)), "");
    let [auth, privacy] = users.changes(protocols, (&old[0], &old[1]));
    let keys = [
        (cell(AUTH_KEY, "template"), VarValue::Octets(&auth)),
        (cell(PRIV_KEY, "template"), VarValue::Octets(&privacy)),
    ];
    assert_eq!(users.set(&keys), Ok(()));
    let ask = Ask::of(("template", protocols.0, protocols.1));
    assert_eq!(users.lets_in(&ask), Ok(()));
    let save = |users: &Users| {
        let mut worker = users.world.runtime.worker();
        let mut saved = Buf::new();
        users.kept.save(&worker.activity(), &mut saved).unwrap();
        saved
    };
    let modules = [
        ("engine", &world::S_MODULE),
        ("auth.md5", &auth_hmac_md5::S_MODULE),
        ("auth.sha1", &auth_hmac_sha1::S_MODULE),
        ("auth.sha2", &auth_hmac_sha2::S_MODULE),
        ("priv.aes", &priv_aes::S_MODULE),
    ];
    let mut other_password = configured.clone();
    other_password.auth_secret = b"the operator's".to_vec();
    for late in [&["auth.sha2"][..], &["priv.aes"], &["auth.sha2", "priv.aes"]] {
        let (later, first): (Vec<_>, Vec<_>) =
            modules.into_iter().partition(|(name, _)| late.contains(name));
        let started = |document: &roles::settings::User| {
            let started = Users::of(World::with(&first));
            let restore = |saved: &Buf| {
                let mut worker = started.world.runtime.worker();
                assert_eq!(started.kept.restore(&worker.activity(), saved), Ok(true));
            };
            restore(&save(&users));
            // Once more, carried to a successor, and kept by one who does not know more.
            assert_eq!(started.world.apply(std::slice::from_ref(&configured)), "");
            assert_eq!(started.world.apply(std::slice::from_ref(&configured)), "");
            started.world.swap("security.usm", &security_usm::S_MODULE);
            restore(&save(&started));
            assert_eq!(started.world.apply(std::slice::from_ref(document)), "");
            for (name, module) in &later {
                world::serve(&started.world.control, name, module);
            }
            started
        };
        let again = started(&configured);
        assert_eq!(again.lets_in(&ask), Ok(()), "{late:?}");
        // What can be compared now has been, and is a change like any other.
        again.world.swap("security.usm", &security_usm::S_MODULE);
        assert_eq!(again.lets_in(&ask), Ok(()), "{late:?}");
        let operator = started(&other_password);
        assert_eq!(operator.lets_in(&ask), Err(SecurityErrorKind::WrongDigest), "{late:?}");
    }
}

#[test]
fn a_change_is_undone_with_its_keys_and_the_revision_says_what_is_to_be_kept() {
    let users = Users::new();
    let mut worker = users.world.runtime.worker();
    let erin = Ask::of(USERS[4]);
    let act = worker.activity();
    let revision = || users.kept.revision(&act).unwrap();
    let before = revision();
    let mut binds = VarBinds::new();
    binds.push(&cell(AUTH_KEY, "erin"), VarValue::Octets(&[5; 128])).unwrap();
    let which = Span::new(0, 1);
    let set =
        users.mib.set_check(&act, security_model::USM, b"tester", b"", &binds, which).unwrap();
    assert_eq!((revision(), users.lets_in(&erin)), (before, Ok(())));
    users.mib.set_apply(&act, set, &binds, which).unwrap();
    assert_ne!(revision(), before);
    assert_eq!(users.lets_in(&erin), Err(SecurityErrorKind::WrongDigest));
    users.mib.set_undo(&act, set, &binds, which).unwrap();
    users.mib.set_cleanup(&act, set).unwrap();
    assert_eq!((revision(), users.lets_in(&erin)), (before, Ok(())));
    // Nothing that is kept: the revision stays.
    let volatile =
        [(cell(STATUS, "new"), CREATE_AND_GO), (cell(STORAGE, "new"), VarValue::Integer(2))];
    assert_eq!(users.set_in(&act, &volatile), Ok(()));
    assert_eq!(revision(), before);
    assert_eq!(users.set_in(&act, &[(cell(STORAGE, "new"), VarValue::Integer(3))]), Ok(()));
    assert_ne!(revision(), before);
}

#[test]
fn the_spin_lock_takes_its_own_number_only() {
    let users = Users::new();
    let held: i32 =
        users.get(SPIN_LOCK).trim_start_matches("Integer(").trim_end_matches(')').parse().unwrap();
    let set = |number| {
        users.set(&[
            (SPIN_LOCK.to_vec(), VarValue::Integer(number)),
            (cell(PUBLIC, "alice"), VarValue::Octets(b"locked")),
        ])
    };
    assert_eq!(set(held.wrapping_sub(1) & i32::MAX), Err((ErrorStatus::InconsistentValue, 1)));
    assert_eq!(set(held), Ok(()));
    assert_eq!(set(held), Err((ErrorStatus::InconsistentValue, 1)));
}

#[test]
fn the_key_changes_of_rfc_3414_a_5() {
    let engine_id = b"\0\0\0\0\0\0\0\0\0\0\0\x02";
    let hex = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|two| pair(two).unwrap()).collect()
    };
    let users = Users::new();
    let mut worker = users.world.runtime.worker();
    let act = worker.activity();
    let manager = Manager { runtime: users.world.runtime, act: &act };
    for (auth, new, delta) in [
        (MD5, "87021d7b d9d101ba 05ea6e3b f9d9bd4a", "88056151 41676cc9 196174e7 42a32551"),
        (
            SHA_1,
            "78e2dcce 79d59403 b58c1bba a5bff463 91f1cd25",
            "9c1017f4 fd483d2d e8d5fadb f84392cb 06457051",
        ),
    ] {
        let old = manager.key(auth, b"maplesyrup", engine_id);
        let (new, delta) = (hex(new), hex(delta));
        assert_eq!(manager.key(auth, b"newsyrup", engine_id), new);
        let change = [vec![0; new.len()], delta].concat();
        let hash = |octets: &[u8]| Some(Zeroizing::new(users.digest(&act, auth, octets)));
        assert_eq!(new_key(&old, &change, old.len(), hash).unwrap()[..], new);
    }
}

const COMPONENT: &str = "security.usm";

fn settings(users: &[(&str, &[u32], &[u32])]) -> Vec<u8> {
    write(&UsmSettings { users: users.iter().map(|known| user(*known)).collect() })
}

#[test]
fn the_contract_of_settings_holds() {
    let users = Users::new();
    users.set(&[(cell(STATUS, "new"), CREATE_AND_GO)]).unwrap();
    let short = roles::settings::User { auth_secret: b"short".to_vec(), ..user(USERS[0]) };
    let wrong = write(&UsmSettings { users: vec![short] });
    let (one, other) = (settings(&USERS), settings(&USERS[1..3]));
    let documents = Documents { one: &one, other: &other, wrong: &[&wrong] };
    kept::settings_hold(users.world.runtime, COMPONENT, &documents, &[ENTRY], true);
}

#[test]
fn the_contract_of_what_is_kept_holds() {
    let users = Users::new();
    let proxy: SettingsProxy = users.world.runtime.proxy(COMPONENT).unwrap();
    kept::keeping_holds(
        users.world.runtime,
        COMPONENT,
        &[ENTRY],
        &mut |act| users.set_in(act, &[(cell(STATUS, "new"), CREATE_AND_GO)]).unwrap(),
        &mut |act| {
            let fewer = settings(&USERS[1..3]);
            assert_eq!(proxy.apply(act, &fewer, &mut Buf::new()), Ok(0));
            let volatile = [
                (cell(STATUS, "passing"), CREATE_AND_GO),
                (cell(STORAGE, "passing"), VarValue::Integer(2)),
            ];
            users.set_in(act, &volatile).unwrap();
        },
    );
}
