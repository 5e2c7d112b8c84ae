//! A program starts with a set that another program has recorded: a newer one, an older one, or one from before
//! sets named what an operator had taken out.
//!
//! Invariant: each program here is a whole swap manager on the directory that the one before it has left.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::{Item, Request};
use s_repository::{Repository, Settings};
use s_sdk::abi::ModuleDescriptor;
use s_transaction::Verdict;
use s_transaction::journal::{Committed, Record, encode, new_journal, scan};
use world::World;

#[path = "../fixtures/pair_a_v1.rs"]
#[allow(unreachable_pub, reason = "a module of the gallery, linked into a program")]
mod pair_a_v1;
#[path = "../fixtures/pair_b_v1.rs"]
#[allow(unreachable_pub, reason = "a module of the gallery, linked into a program")]
mod pair_b_v1;

fn factory(name: &str) -> &'static ModuleDescriptor {
    match name {
        "counter" => &world::counter_v1::S_MODULE,
        "echo" => &world::echo_v1::S_MODULE,
        "pair.a" => &pair_a_v1::S_MODULE,
        "pair.b" => &pair_b_v1::S_MODULE,
        other => panic!("no program here has a module for {other}"),
    }
}

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Site(tempfile::tempdir().unwrap())
    }

    /// The repository, as soon as the last program has let it go.
    fn repository(&self) -> Repository {
        let open = || Repository::open(self.0.path(), Settings::default());
        world::eventually("the end of the last program", || open().is_ok());
        open().unwrap().0
    }

    /// Starts a program with these modules of its own.
    fn program(&self, modules: &[&str]) -> World {
        self.program_for(&[], modules)
    }

    /// The same, with components for which it has none.
    fn program_for(&self, components: &[&'static str], modules: &[&str]) -> World {
        drop(self.repository());
        let own = modules.iter().map(|name| (*name, Some(factory(name))));
        let all: Vec<_> = components.iter().map(|name| (*name, None)).chain(own).collect();
        World::at(self.0.path(), &all, |_| {})
    }

    fn recorded(&self) -> Committed {
        self.repository().current().unwrap()
    }

    /// Makes of the journal what a program would have left that did not know about vacated components.
    fn forget_what_was_vacated(&self, keeps: impl Fn(&Record) -> bool) {
        drop(self.repository());
        let path = self.0.path().join("journal");
        let mut records = scan(&std::fs::read(&path).unwrap()).unwrap().records;
        records.retain(keeps);
        let mut bytes = new_journal();
        for mut record in records {
            if let Record::Commit { set, .. } | Record::Rollback { set, .. } = &mut record {
                set.vacated = None;
            }
            bytes.extend(encode(&record).unwrap());
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

fn version(world: &World, name: &str) -> String {
    let component = world.runtime.component(name);
    component.map_or("no component".to_owned(), |c| c.current().version().to_owned())
}

fn swap(world: &World, item: Item) {
    let outcome = world.manager.swap(Request::new(vec![item])).unwrap();
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
}

#[test]
fn a_component_that_is_new_in_a_program_is_filled_and_recorded() {
    let site = Site::new();
    site.program(&["counter"]).must_swap("counter_v2");

    let newer = site.program(&["counter", "echo"]);
    assert_eq!((&*version(&newer, "counter"), &*version(&newer, "echo")), ("2.0.0", "1.0.0"));
    assert!(newer.told().contains("`echo` is new in this program"), "{}", newer.told());
    drop(newer);
    let recorded = site.recorded();
    assert_eq!(recorded.txn, 1, "it is the set of the last swap still");
    assert_eq!(recorded.set.modules["echo"].version, "1.0.0");
    // It is news once, and a member of the set like any other.
    let again = site.program(&["counter", "echo"]);
    assert_eq!(again.told(), "");
    again.must_swap("echo_v2");
    drop(again);
    let again = site.program(&["counter", "echo"]);
    assert_eq!((&*version(&again, "counter"), &*version(&again, "echo")), ("2.0.0", "2.0.0"));
}

#[test]
fn a_component_that_an_operator_has_vacated_stays_so_in_every_program() {
    let site = Site::new();
    swap(&site.program(&["counter", "echo"]), Item::Remove("echo".into()));
    for modules in [&["counter", "echo"][..], &["counter"], &["counter", "echo", "pair.b"]] {
        let world = site.program(modules);
        assert!(["(absent)", "no component"].contains(&&*version(&world, "echo")), "{modules:?}");
    }
    // Until an operator wants it again.
    let world = site.program(&["counter", "echo"]);
    let back = world.manager.rollback_to("echo", None).unwrap();
    assert_eq!(world.manager.swap(back).unwrap().verdict, Verdict::Committed);
    drop(world);
    assert_eq!(version(&site.program(&["counter", "echo"]), "echo"), "1.0.0");
}

#[test]
fn what_was_vacated_stays_out_of_the_factory_set_unless_that_needs_it() {
    // No set that names a package can be started: the packages are gone.
    let without_packages = |site: &Site| {
        drop(site.repository());
        std::fs::remove_dir_all(site.0.path().join("packages")).unwrap();
    };
    let site = Site::new();
    let world = site.program(&["counter", "echo"]);
    world.must_swap("counter_v2");
    swap(&world, Item::Remove("echo".into()));
    drop(world);
    without_packages(&site);
    let world = site.program(&["counter", "echo"]);
    assert_eq!((&*version(&world, "counter"), &*version(&world, "echo")), ("1.0.0", "(absent)"));
    drop(world);

    let site = Site::new();
    let world = site.program_for(&["pair.b"], &["counter"]);
    world.must_swap("counter_v2");
    world.must_swap("pair_b_v1");
    swap(&world, Item::Remove("pair.b".into()));
    drop(world);
    without_packages(&site);
    let world = site.program(&["counter", "pair.a", "pair.b"]);
    assert_eq!((&*version(&world, "pair.a"), &*version(&world, "pair.b")), ("1.0.0", "1.0.0"));
    assert!(world.told().contains("the factory set needs it: `pair.a` needs"), "{}", world.told());
}

#[test]
fn a_removal_that_was_taken_back_vacates_nothing() {
    let site = Site::new();
    let world = site.program(&["counter", "echo"]);
    let window = s_transaction::Confirm::ByOperator(std::time::Duration::from_secs(60));
    let request = Request::new(vec![Item::Remove("echo".into())]).with_confirm(window);
    let ticket = world.manager.begin(request).unwrap();
    world::eventually("the window", || ticket.phase() == Some(s_transaction::Phase::Confirm));
    world.manager.roll_back(ticket.txn()).unwrap();
    assert_eq!(ticket.wait().verdict, Verdict::RolledBack);
    drop((ticket, world));
    // The program in between makes it a matter of the record.
    drop(site.program(&["counter"]));
    assert_eq!(version(&site.program(&["counter", "echo"]), "echo"), "1.0.0");
}

#[test]
fn a_set_goes_on_without_a_module_that_the_program_no_longer_has() {
    let site = Site::new();
    drop(site.program(&["counter", "echo"]));
    let without = site.program(&["counter"]);
    assert_eq!(
        (&*version(&without, "counter"), &*version(&without, "echo")),
        ("1.0.0", "no component")
    );
    let told = without.told();
    assert!(
        told.starts_with("Warning echo") && told.contains("has no module of its own"),
        "{told}"
    );
    without.must_swap("counter_v2");
    drop(without);
    // Nobody has taken it out: a program that has it again fills it again.
    let with = site.program(&["counter", "echo"]);
    assert_eq!((&*version(&with, "counter"), &*version(&with, "echo")), ("2.0.0", "1.0.0"));
}

#[test]
fn a_set_that_needs_a_module_that_the_program_no_longer_has_is_refused_with_its_name() {
    let site = Site::new();
    site.program_for(&["pair.a"], &["pair.b", "counter"]).must_swap("pair_a_v1");
    let without = site.program_for(&["pair.a"], &["counter"]);
    // The set before needs nothing.
    assert_eq!(
        (&*version(&without, "counter"), &*version(&without, "pair.a")),
        ("1.0.0", "(absent)")
    );
    let told = without.told();
    let needs = "the set of swap 1: `pair.a` needs `pair.b` ^1, and no module is bound there";
    assert!(told.contains(needs), "{told}");
    assert!(told.contains("this program has no module of its own for `pair.b`"), "{told}");
}

#[test]
fn a_new_component_waits_for_what_it_needs_and_keeps_no_set_from_starting() {
    let site = Site::new();
    site.program(&["counter"]).must_swap("counter_v2");
    let newer = site.program(&["counter", "pair.a"]);
    assert_eq!((&*version(&newer, "counter"), &*version(&newer, "pair.a")), ("2.0.0", "(absent)"));
    assert!(newer.told().contains("`pair.a` needs `pair.b`"), "{}", newer.told());
    drop(newer);
    let whole = site.program(&["counter", "pair.a", "pair.b"]);
    assert_eq!((&*version(&whole, "pair.a"), &*version(&whole, "pair.b")), ("1.0.0", "1.0.0"));
}

#[test]
fn the_history_of_an_older_journal_tells_what_was_vacated() {
    let site = Site::new();
    swap(&site.program(&["counter", "echo"]), Item::Remove("echo".into()));
    site.forget_what_was_vacated(|_| true);
    let newer = site.program(&["counter", "echo", "pair.b"]);
    assert_eq!((&*version(&newer, "echo"), &*version(&newer, "pair.b")), ("(absent)", "1.0.0"));
}

#[test]
fn an_older_journal_without_its_beginning_has_nothing_filled_and_says_so_once() {
    let site = Site::new();
    swap(&site.program(&["counter", "echo"]), Item::Remove("echo".into()));
    site.forget_what_was_vacated(|record| {
        !matches!(record, Record::Commit { txn: 0, .. } | Record::Confirm { txn: 0 })
    });
    let newer = site.program(&["counter", "echo"]);
    assert_eq!((&*version(&newer, "counter"), &*version(&newer, "echo")), ("1.0.0", "(absent)"));
    assert!(
        newer.told().contains("does not tell whether the module of `echo`"),
        "{}",
        newer.told()
    );
    drop(newer);
    // From here on the record tells.
    let newest = site.program(&["counter", "echo", "pair.b"]);
    assert_eq!((&*version(&newest, "echo"), &*version(&newest, "pair.b")), ("(absent)", "1.0.0"));
    assert!(!newest.told().contains("does not tell"), "{}", newest.told());
}
