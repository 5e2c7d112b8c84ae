//! Asking a MIB module in tests, a name at a time.

use roles::mib::{MibAccess, MibError};
use roles::varbind::{ErrorStatus, Span, VarBinds, VarValue};
use s_sdk::Activity;

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
    let set = mib.set_check(act, b"", binds, which).map_err(refused)?;
    let applied = mib.set_apply(act, set, binds, which).map_err(refused);
    mib.set_cleanup(act, set).unwrap();
    applied
}
