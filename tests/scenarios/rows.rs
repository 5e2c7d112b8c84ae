//! Resident tables across swaps that commit, abort and are taken back, and across the removal of their component.
//!
//! Guarantee 1, for rows: whatever becomes of a swap, who serves finds the rows that it left, none of another
//! shape, and none of a module that never came to serve or is gone.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_control::{Item, Request};
use s_proxy::Worker;
use s_sdk::abi::ModuleDescriptor;
use s_sdk::{CallError, Plain};
use s_state::resident::RowShape;
use s_tests::roles::{Row, Rows, RowsProxy};
use s_transaction::{Confirm, Outcome, Phase, Verdict};
use std::time::Duration;
use world::World;

/// As large as a [`Row`], and of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
#[repr(C)]
struct Wide {
    value: u64,
    more: u64,
}

fn narrow(value: u64) -> Row {
    Row { value, written_by: 1, flags: 0 }
}

fn wide(value: u64) -> Wide {
    Wide { value, more: u64::MAX }
}

/// A version of the component `rows`. It writes so many rows before it serves, and votes as it is told to.
/// `fill(u64::MAX)` begins an S-critical section, which the next `fill` ends.
macro_rules! rows_module {
    ($type:ident, $version:literal, $row:ty, $make:ident, $writes_first:expr, $vote:expr) => {
        #[allow(non_snake_case, reason = "one name for the module and its folder")]
        mod $type {
            use super::*;
            use s_sdk::error::CallErrorKind;
            use s_sdk::resident::Resident;
            use s_sdk::{Activity, Critical, Host, Module, Part, Refusal, Vote, s_module};
            use s_tests::roles::Tagged;
            use std::sync::Mutex;

            pub(crate) struct $type {
                host: Host,
                rows: Resident<$row>,
                section: Mutex<Option<Critical>>,
            }

            #[s_module(component = "rows", version = $version, resident("rows" = $row))]
            impl Rows for $type {
                fn fill(&self, act: &Activity, count: u64) -> Result<u64, CallError> {
                    let begins = count == u64::MAX;
                    *self.section.lock().unwrap() = begins.then(|| self.host.critical());
                    (0..if begins { 0 } else { count })
                        .try_for_each(|key| self.put(act, key, key))?;
                    Ok(self.rows.len())
                }

                fn put(&self, _: &Activity, key: u64, value: u64) -> Result<(), CallError> {
                    self.rows.put(&key.to_be_bytes(), &$make(value))
                }

                fn get(&self, _: &Activity, key: u64) -> Result<Row, CallError> {
                    let row = self.rows.get(&key.to_be_bytes());
                    let none = CallError::new(CallErrorKind::NoSuchName);
                    row.map(|row| narrow(row.value)).ok_or(none)
                }

                fn count(&self, _: &Activity) -> Result<Tagged, CallError> {
                    Ok(Tagged::new(1, self.rows.len(), 0))
                }
            }

            impl Module for $type {
                fn init(host: Host) -> Result<Self, Refusal> {
                    let rows = host.resident("rows").map_err(|error| format!("`rows`: {error}"))?;
                    let this = $type { host, rows, section: Mutex::default() };
                    for key in $writes_first {
                        let put = this.rows.put(&u64::to_be_bytes(key), &$make(key));
                        put.map_err(|error| format!("a row before it serves: {error}"))?;
                    }
                    Ok(this)
                }

                fn prepare(&self, part: Part<'_>) -> Vote {
                    match (part, $vote) {
                        (Part::Comes { .. }, Some(why)) => Vote::No(String::from(why)),
                        _ => Vote::Yes,
                    }
                }
            }
        }
    };
}

const YES: Option<&str> = None;
rows_module!(Narrow, "1.1.0", Row, narrow, [], YES);
rows_module!(NarrowVotesNo, "1.2.0", Row, narrow, [0, 1, 2], Some("not today"));
rows_module!(WideOne, "2.1.0", Wide, wide, [], YES);
rows_module!(WideVotesNo, "2.0.0", Wide, wide, [], Some("not today"));
rows_module!(WideVotesNoAndWrites, "2.2.0", Wide, wide, [0, 1, 2], Some("not today"));

/// A world whose component `rows` has nothing yet, a proxy of it, and a worker.
fn rows() -> (World, RowsProxy, Worker) {
    let world = World::with(&[("rows", None)], |_| {});
    let (proxy, worker) = (world.runtime.proxy("rows").unwrap(), world.runtime.worker());
    (world, proxy, worker)
}

fn swap(world: &World, item: Item) -> Outcome {
    world.manager.swap(Request::new(vec![item])).unwrap()
}

fn commits(world: &World, item: Item) {
    let outcome = swap(world, item);
    assert_eq!(outcome.verdict, Verdict::Committed, "{outcome}\n{}", world.told());
}

fn aborts(world: &World, module: &'static ModuleDescriptor, says: &str) {
    let outcome = swap(world, Item::Linked(module));
    assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
    assert!(outcome.to_string().contains(says), "{outcome}");
}

/// All tables of the application, with their rows.
fn tables(world: &World) -> Vec<(RowShape, u64)> {
    let each = world.manager.resident_tables().describe().into_iter();
    each.map(|table| (table.shape, table.rows)).collect()
}

fn shape_of<T: Plain>() -> RowShape {
    RowShape(T::SHAPE.hash())
}

#[test]
fn an_aborted_swap_leaves_no_table_that_a_corrected_package_could_stumble_over() {
    let (world, proxy, mut worker) = rows();
    for module in [&WideVotesNo::S_MODULE, &WideVotesNoAndWrites::S_MODULE] {
        aborts(&world, module, "not today");
        assert_eq!(tables(&world), []);
        // Another row type under the same name, rehearsed and then started here.
        world.must_swap("resident_v1");
        assert_eq!(worker.serve(|act| proxy.fill(act, 5)), Ok(5));
        assert_eq!(tables(&world), [(shape_of::<Row>(), 5)]);
        commits(&world, Item::Remove("rows".into()));
    }
}

#[test]
fn the_rows_of_a_removed_component_are_freed_and_its_next_module_begins_with_none() {
    let (world, proxy, mut worker) = rows();
    for module in [&Narrow::S_MODULE, &Narrow::S_MODULE, &WideOne::S_MODULE] {
        commits(&world, Item::Linked(module));
        assert_eq!(worker.serve(|act| proxy.count(act)).map(|count| count.total), Ok(0));
        assert_eq!(worker.serve(|act| proxy.fill(act, 1000)), Ok(1000));
        let shape = RowShape(module.resident.get()[0].row.hash());
        let held = world.manager.resident_tables().find("rows", "rows", shape).unwrap();
        assert_eq!(held.len(), 1000);
        commits(&world, Item::Remove("rows".into()));
        // Whoever still holds the table keeps none of its memory.
        assert_eq!((held.len(), tables(&world)), (0, vec![]));
    }
}

#[test]
fn a_table_without_rows_takes_another_shape_and_one_with_rows_refuses_it() {
    let (world, proxy, mut worker) = rows();
    commits(&world, Item::Linked(&Narrow::S_MODULE));
    commits(&world, Item::Linked(&WideOne::S_MODULE));
    assert_eq!(tables(&world), [(shape_of::<Wide>(), 0)]);
    worker.serve(|act| proxy.put(act, 7, 70)).unwrap();
    aborts(&world, &Narrow::S_MODULE, "the resident table `rows` of `rows` holds 1 rows of shape");
    // Who serves goes on with what it has.
    assert_eq!(worker.serve(|act| proxy.get(act, 7)).map(|row| row.value), Ok(70));
    worker.serve(|act| proxy.put(act, 8, 80)).unwrap();
    assert_eq!(tables(&world), [(shape_of::<Wide>(), 2)]);
}

#[test]
fn who_serves_keeps_its_rows_when_a_successor_of_another_or_of_its_own_shape_aborts() {
    let (world, proxy, mut worker) = rows();
    commits(&world, Item::Linked(&Narrow::S_MODULE));
    // The table is empty, so the successor of another shape gets as far as its vote, and writes.
    aborts(&world, &WideVotesNoAndWrites::S_MODULE, "not today");
    assert_eq!(tables(&world), [(shape_of::<Row>(), 0)]);
    worker.serve(|act| proxy.put(act, 100, 1)).unwrap();
    // One of the same shape works on the same rows: what it wrote stays, and so does what was there.
    aborts(&world, &NarrowVotesNo::S_MODULE, "not today");
    assert_eq!(tables(&world), [(shape_of::<Row>(), 4)]);
    assert_eq!(worker.serve(|act| proxy.get(act, 100)).map(|row| row.value), Ok(1));
    worker.serve(|act| proxy.put(act, 101, 1)).unwrap();
}

#[test]
fn a_row_that_comes_while_a_successor_of_another_shape_prepares_aborts_the_swap() {
    let (world, proxy, mut worker) = rows();
    commits(&world, Item::Linked(&Narrow::S_MODULE));
    // The section holds the swap up with the gate open: the table was empty when the successor was made.
    worker.serve(|act| proxy.fill(act, u64::MAX)).unwrap();
    std::thread::scope(|scope| {
        let swap = scope.spawn(|| swap(&world, Item::Linked(&WideOne::S_MODULE)));
        world::eventually("quiesce", || {
            let running = world.manager.status().running;
            running.first().is_some_and(|running| running.phase == Some("quiesce"))
        });
        // One row, and the end of the section.
        assert_eq!(worker.serve(|act| proxy.fill(act, 1)), Ok(1));
        let outcome = swap.join().unwrap();
        assert_eq!(outcome.verdict, Verdict::Aborted, "{outcome}");
        assert!(outcome.to_string().contains("holds 1 rows of shape"), "{outcome}");
    });
    assert_eq!(world.version("rows"), "1.1.0");
    assert_eq!(worker.serve(|act| proxy.get(act, 0)).map(|row| row.value), Ok(0));
    assert_eq!(tables(&world), [(shape_of::<Row>(), 1)]);
}

#[test]
fn a_rollback_brings_back_a_version_that_can_go_on_with_rows_of_its_own_shape() {
    let (world, proxy, mut worker) = rows();
    commits(&world, Item::Linked(&Narrow::S_MODULE));
    let request = Request::new(vec![Item::Linked(&WideOne::S_MODULE)]);
    let trial = Confirm::ByOperator(Duration::from_secs(60));
    let ticket = world.manager.begin(request.with_confirm(trial)).unwrap();
    world::eventually("the confirm window", || ticket.phase() == Some(Phase::Confirm));
    assert_eq!(worker.serve(|act| proxy.fill(act, 9)), Ok(9));
    world.manager.roll_back(ticket.txn()).unwrap();
    assert_eq!(ticket.wait().verdict, Verdict::RolledBack);
    assert_eq!(worker.serve(|act| proxy.count(act)).map(|count| count.total), Ok(0));
    worker.serve(|act| proxy.put(act, 1, 10)).unwrap();
    assert_eq!(worker.serve(|act| proxy.get(act, 1)).map(|row| row.value), Ok(10));
    assert_eq!(tables(&world), [(shape_of::<Row>(), 1)]);
}

mod undeclared {
    use s_sdk::resident::Resident;
    use s_sdk::{Activity, Buf, CallError, Host, Module, Refusal, s_module};
    use s_tests::roles::Echo;

    /// Opens a table that it does not declare.
    pub(crate) struct Undeclared(
        #[expect(dead_code, reason = "it never comes to be")] Resident<u64>,
    );

    #[s_module(component = "rows", version = "1.0.0")]
    impl Echo for Undeclared {
        fn echo(&self, _: &Activity, _: &[u8], _: &mut Buf) -> Result<u32, CallError> {
            Ok(1)
        }
    }

    impl Module for Undeclared {
        fn init(host: Host) -> Result<Self, Refusal> {
            Ok(Undeclared(host.resident("rows").map_err(|error| format!("`rows`: {error}"))?))
        }
    }
}

#[test]
fn a_module_gets_no_table_that_it_does_not_declare() {
    let (world, ..) = rows();
    aborts(&world, &undeclared::S_MODULE, "init: `rows`: ");
    let told = world.told();
    assert!(
        told.contains("undeclared resident table `rows`") && told.contains("resident("),
        "{told}"
    );
    assert_eq!(tables(&world), []);
}
