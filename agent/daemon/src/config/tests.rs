//! A file becomes settings, and what is wrong with it is told.

use super::*;

fn problem(text: &str) -> String {
    match Configuration::parse(text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(Problem::Syntax(message)) => message,
        Err(Problem::Entry(entry, problem)) => format!("{entry}: {problem}"),
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
        ("lisden = []".to_owned(), "line 1"),
        (user("auth = \"SHA-3\""), "there are MD5, SHA"),
        (user("auth = \"SHA\""), "`auth-passphrase` is missing"),
        (user("auth = \"SHA\"\nauth-passphrase = \"short\""), "fewer than 8"),
        (user("priv = \"AES\""), "privacy needs authentication"),
        (user("view = \"nobody\""), "add a [[view]]"),
        (user("level = \"authPriv\""), "higher than"),
        ("[engine]\nid = \"80\"".to_owned(), "5 to 32 octets"),
        ("[engine]\nmax-message-size = 100".to_owned(), "484 to 65507"),
        ("\n[[user]]\nname = \"a\"\nauth-passphrase = \"secret".to_owned(), "line 4"),
        ("[[community]]\nname = \"x\"\nsource = [\"10.0.0.0/33\"]".to_owned(), "no source"),
        ("[[view]]\nname = \"v\"\ninclude = [\"system\"]".to_owned(), "write numbers"),
    ] {
        let found = problem(&text);
        assert!(found.contains(wanted), "{text}: {found}");
        assert!(!found.contains("secret"), "{found}");
    }
}

/// The commented file that is installed and printed as a manual page: every entry in it is one.
#[test]
fn the_example_is_sound_with_and_without_its_comments() {
    const EXAMPLE: &str = include_str!("../../../../packaging/sagentd.toml");
    let parse = |text: &str| Configuration::parse(text).map_err(|_| "wrong").unwrap();
    assert_eq!(parse(EXAMPLE).listen, ["udp:127.0.0.1:161"]);
    // A mark before an entry has no space behind it, one before a sentence has.
    let entries = |line: &str| match line.strip_prefix('#') {
        Some(entry) if !entry.starts_with(' ') => format!("{entry}\n"),
        _ => format!("{line}\n"),
    };
    let whole = parse(&EXAMPLE.lines().map(entries).collect::<String>());
    assert_eq!((whole.usm.users.len(), whole.communities.communities.len()), (1, 1));
    assert_eq!((whole.metrics.len(), whole.run_as.as_deref()), (2, Some("sagentd")));
}
