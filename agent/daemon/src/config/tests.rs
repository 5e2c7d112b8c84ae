//! A file becomes settings, and what is wrong with it is told.

use super::*;

fn problem(text: &str) -> String {
    match Configuration::parse(text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(Problem { line, problem }) => format!("{line}: {problem}"),
    }
}

#[test]
fn a_user_and_a_community_become_settings_of_three_modules() {
    let text = r#"
        listen = ["udp:127.0.0.1:1161"]
        [engine]
        id = "80001f8880aabbccdd"
        [[view]]
        name = "system"
        include = [".1.3.6.1.2.1.1"]
        [[user]]
        name = "alice"
        auth = "SHA-256"
        auth-passphrase = "correct horse"
        priv = "AES-128"
        access = "write"
        [[community]]
        name = "public"
        source = ["10.0.0.0/8", "::1"]
        view = "system"
    "#;
    let whole = Configuration::parse(text).map_err(|_| "wrong").unwrap();
    assert_eq!(whole.engine_id.as_deref().map(<[u8]>::len), Some(9));
    let alice = &whole.usm.users[0];
    assert_eq!(alice.auth_protocol.last(), Some(&5));
    assert_eq!(alice.priv_secret, b"correct horse", "one passphrase serves for both");
    assert_eq!(whole.vacm.access[0].write_view, b"_all");
    assert_eq!(whole.communities.communities[0].sources[0].prefix, 8);
    assert_eq!(whole.communities.communities[0].sources[1].prefix, 128);
    assert_eq!(whole.vacm.access[1].read_view, b"system");
    assert_eq!(whole.vacm.access[1].write_view, b"");
}

#[test]
fn a_protocol_that_a_module_brings_at_run_time_is_written_as_its_object_identifier() {
    let user = |auth: &str| {
        format!("[[user]]\nname = \"u\"\nauth = \"{auth}\"\nauth-passphrase = \"long enough\"\n")
    };
    let whole = Configuration::parse(&user("1.3.6.1.4.1.32473.1.4.1.1")).map_err(|_| "wrong");
    let protocol = &whole.unwrap().usm.users[0].auth_protocol;
    assert_eq!(protocol[..], [1, 3, 6, 1, 4, 1, 32473, 1, 4, 1, 1]);
    assert!(problem(&user("1.3.x")).contains("`1.3.x` is no object identifier"));
    assert!(problem(&user("SHA-3")).contains("or write an OID"));
}

#[test]
fn groups_of_long_names_fit_and_communities_are_named_after_what_they_may_do() {
    let parse = |text: &str| Configuration::parse(text).map_err(|_| "wrong").unwrap();
    let (user, view) = ("u".repeat(32), "v".repeat(32));
    let text =
        format!("[[view]]\nname = \"{view}\"\ninclude = [\"1.3\"]\n[[user]]\nname = \"{user}\"\n");
    let community = |name: &str, more: &str| format!("[[community]]\nname = \"{name}\"\n{more}\n");
    let (public, private) = (community("public", ""), community("private", "access = \"write\""));
    let viewed = community("viewed", &format!("view = \"{view}\""));
    let one = parse(&[&text[..], &public, &private, &viewed, &community("also", "")].concat());
    let other = parse(&[&text[..], &viewed, &private, &public].concat());
    let names = |whole: &Configuration| {
        let of = |c: &Community| (c.community.clone(), c.security_name.clone());
        whole.communities.communities.iter().map(of).collect::<std::collections::BTreeMap<_, _>>()
    };
    let (first, second) = (names(&one), names(&other));
    assert!(second.iter().all(|(community, name)| first[community] == *name));
    assert_eq!((&first[&b"public"[..]][..], &first[&b"private"[..]][..]), ("_read", "_write"));
    assert_eq!(first[&b"also"[..]], "_read");
    let lengths = one.vacm.members.iter().flat_map(|m| [m.group.len(), m.security_name.len()]);
    assert!(lengths.clone().all(|len| len <= 32) && lengths.max() == Some(32));
    // Who is not proven sees nothing of users, rights and communities unless a view says so.
    let unproven: Vec<_> = one.vacm.views.iter().filter(|f| f.view == b"_unproven").collect();
    assert_eq!(unproven.iter().filter(|family| !family.included).count(), 3);
    assert!(one.vacm.access.iter().all(|entry| entry.read_view != b"_all"));
}

#[test]
fn what_needs_a_restart_is_told_and_nothing_else() {
    let parse = |text: &str| Configuration::parse(text).map_err(|_| "wrong").unwrap();
    let before = parse("listen = [\"1161\"]\n[[community]]\nname = \"x\"");
    let after = parse("run-as = \"agent\"\n[metrics]\nlisten = [\"127.0.0.1:9161\"]");
    assert_eq!(before.needs_restart_for(&after), ["listen", "run-as", "metrics.listen"]);
    assert_eq!(before.needs_restart_for(&parse("listen = [\"1161\"]")), [""; 0]);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_remedy() {
    let user = |more: &str| format!("[[user]]\nname = \"a\"\n{more}");
    for (text, wanted) in [
        ("lisden = []".to_owned(), "1: unknown field"),
        (user("auth = \"SHA-3\""), "there are MD5, SHA"),
        (user("auth = \"SHA\""), "`auth-passphrase` is missing"),
        (user("auth = \"SHA\"\nauth-passphrase = \"short\""), "fewer than 8"),
        (user("priv = \"AES\""), "privacy needs authentication"),
        (user("view = \"nobody\""), "add a [[view]]"),
        (user("level = \"authPriv\""), "higher than"),
        ("[engine]\nid = \"80\"".to_owned(), "5 to 32 octets"),
        ("[engine]\nmax-message-size = 100".to_owned(), "484 to 65507"),
        ("\n[[user]]\nname = \"a\"\nauth-passphrase = \"secret".to_owned(), "4: "),
        ("[[community]]\nname = \"x\"\nsource = [\"10.0.0.0/33\"]".to_owned(), "no source"),
        ("[[view]]\nname = \"v\"\ninclude = [\"system\"]".to_owned(), "write numbers"),
    ] {
        let found = problem(&text);
        assert!(found.contains(wanted), "{text}: {found}");
        assert!(!found.contains("secret"), "{found}");
    }
}

#[test]
fn every_problem_has_the_line_of_its_entry() {
    const SOUND: &str = "[[view]]\nname = \"v\"\ninclude = [\"1.3\"]\n";
    for (text, wanted) in [
        ("\nlisten = [\n  \"1161\",\n  \"udp:here\",\n]".to_owned(), "4: listen: `udp:here`"),
        (
            "listen = [\"161\",\n\"udp:161\"]".to_owned(),
            "2: listen: udp:0.0.0.0:161 is named twice",
        ),
        ("\nthreads = 0".to_owned(), "2: threads: write 1 to 256"),
        ("threads = 100000".to_owned(), "1: threads: write 1 to 256"),
        (
            "\n[metrics]\nlisten = [\"0.0.0.0:9161\"]".to_owned(),
            "3: metrics.listen: `0.0.0.0:9161`",
        ),
        (
            "[metrics]\nlisten = [\"127.0.0.1:9161\",\n\"tcp:127.0.0.1:9161\"]".to_owned(),
            "3: metrics.listen: tcp:127.0.0.1:9161 is named twice",
        ),
        ("[engine]\n\nid = \"80\"".to_owned(), "3: engine.id"),
        ("[system]\nname = \"x\"\nobject-id = \"x\"".to_owned(), "3: system.object-id"),
        ("\n[watch]\nload = [1, 2, 3, 4]".to_owned(), "2: watch"),
        (format!("{SOUND}exclude = [\n\"1.3.6\",\n\"system\"]"), "6: view `v`"),
        (
            format!("{SOUND}[[user]]\nname = \"a\"\n\n[[user]]\nname = \"b\"\nview = \"w\""),
            "7: user `b`",
        ),
        (format!("{SOUND}[[community]]\nname = \"\""), "4: community 1"),
        (format!("{SOUND}\n[[notify]]\naddress = \"127.0.0.1\""), "5: notify 1"),
    ] {
        let found = problem(&text);
        assert!(found.starts_with(wanted), "{text}: {found}");
    }
}

#[test]
fn what_modules_have_against_an_entry_gets_its_line() {
    let text = "[[user]]\nname = \"a\"\n[[user]]\nname = \"a\"\n[system]\n\ncontact = \"x\"";
    let whole = Configuration::parse(text).map_err(|_| "wrong").unwrap();
    let told =
        whole.places.of("security.usm: user `a` is there twice\nmib.system: sysContact is\nx");
    assert_eq!(
        told,
        ":3: security.usm: user `a` is there twice\n:7: mib.system: sysContact is\n: x"
    );
    assert_eq!(Places::default().of("as it was"), "as it was");
}

const EXAMPLE: &str = include_str!("../../../../packaging/sagentd.toml");

/// The example with its commented entries.
fn example_with_all() -> String {
    // A mark before an entry has no space behind it, one before a sentence has.
    let entries = |line: &str| match line.strip_prefix('#') {
        Some(entry) if !entry.starts_with(' ') => format!("{entry}\n"),
        _ => format!("{line}\n"),
    };
    EXAMPLE.lines().map(entries).collect()
}

/// What may stand in a table, as the schema says it to who writes something else; nothing where no table may
/// be.
fn keys_of(header: &str) -> Vec<String> {
    let told = toml::from_str::<File>(&format!("{header}\nno-such-entry = 1")).unwrap_err();
    let told = told.message().to_owned();
    let Some((_, known)) = told.split_once("`no-such-entry`, expected ") else { return Vec::new() };
    // Between the marks, from the second on.
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an entry is there, in any table of a list.
fn is_in(value: &toml::Value, place: &[String]) -> bool {
    match (value, place) {
        (_, []) => true,
        (toml::Value::Table(table), [key, rest @ ..]) => {
            table.get(key).is_some_and(|value| is_in(value, rest))
        }
        (toml::Value::Array(list), _) => list.iter().any(|value| is_in(value, place)),
        _ => false,
    }
}

#[test]
fn the_example_has_every_entry_that_there_is() {
    let example: toml::Value = toml::from_str(&example_with_all()).unwrap();
    let mut tables = vec![(Vec::new(), String::new())];
    let mut count = 0;
    while let Some((table, header)) = tables.pop() {
        for key in keys_of(&header) {
            count += 1;
            let place = [&table[..], &[key]].concat();
            let name = place.join(".");
            assert!(is_in(&example, &place), "{name} is not in packaging/sagentd.toml");
            tables.push((place.clone(), format!("[{name}]")));
            tables.push((place, format!("[[{name}]]")));
        }
    }
    assert!(count > 50, "{count}");
}

/// The commented file that is installed and printed as a manual page: every entry in it is one.
#[test]
fn the_example_is_sound_with_and_without_its_comments() {
    let parse = |text: &str| Configuration::parse(text).map_err(|_| "wrong").unwrap();
    assert_eq!(parse(EXAMPLE).listen, ["udp:127.0.0.1:161"]);
    let whole = parse(&example_with_all());
    assert_eq!((whole.usm.users.len(), whole.communities.communities.len()), (1, 2));
    assert_eq!((whole.notify.targets.len(), whole.ucd.disks.len()), (2, 1));
    assert_eq!((whole.metrics.len(), whole.run_as.as_deref()), (2, Some("sagentd")));
}
