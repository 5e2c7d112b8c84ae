//! Asking a MIB module in tests: a name at a time, and all of it.

#![allow(dead_code, reason = "each of the tests that include this file uses a part of it")]

use crate::hosted::{host, serve};
use roles::mib::{MibAccess, MibAccessProxy, MibError, Walk};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::Activity;
use s_sdk::abi::ModuleDescriptor;

/// Hosts modules, and hands the last one to a test, in one activity.
pub(crate) fn hosting(
    modules: &[(&str, &'static ModuleDescriptor)],
    test: impl Fn(MibAccessProxy, &Activity),
) {
    let (runtime, control) = host();
    let hosted = modules.iter().map(|(name, module)| serve(&control, name, module));
    let last = hosted.last().unwrap();
    let mut worker = runtime.worker();
    test(runtime.proxy(last.name()).unwrap(), &worker.activity());
}

pub(crate) fn binds(list: &[(&[u32], VarValue<'_>)]) -> VarBinds {
    let mut binds = VarBinds::new();
    list.iter().for_each(|(name, value)| binds.push(name, *value).unwrap());
    binds
}

/// Hands the value of a variable to a check.
pub(crate) fn get<T>(
    mib: &dyn MibAccess,
    act: &Activity,
    name: &[u32],
    check: impl FnOnce(VarValue<'_>) -> T,
) -> T {
    let mut answers = VarBinds::new();
    let names = binds(&[(name, VarValue::Unspecified)]);
    mib.get(act, b"", &names, Span::new(0, 1), &mut answers).unwrap();
    check(answers.get(0).unwrap().value)
}

/// A SET from beginning to end.
pub(crate) fn set(
    mib: &dyn MibAccess,
    act: &Activity,
    binds: &VarBinds,
) -> Result<(), (ErrorStatus, u32)> {
    let which = Span::new(0, u32::try_from(binds.len()).unwrap());
    let refused = |error: MibError| (error.status, error.index);
    let set = mib.set_check(act, 3, b"tester", b"", binds, which).map_err(refused)?;
    let applied = mib.set_apply(act, set, binds, which).map_err(refused);
    mib.set_cleanup(act, set).unwrap();
    applied
}

/// Walks from the beginning twice, over so many variables; the second time takes no memory.
pub(crate) fn walk_takes_no_memory(mib: &dyn MibAccess, act: &Activity, variables: u32) {
    let names = binds(&[(&[1, 3], VarValue::Unspecified)]);
    let mut answers = VarBinds::new();
    let mut ask = || {
        answers.clear();
        let walk = Walk { which: Span::new(0, 1), repetitions: variables };
        mib.get_next(act, b"", &names, walk, &[], &mut answers).unwrap();
    };
    ask();
    assert_eq!(allocation_counter::measure(ask).count_total, 0);
}
