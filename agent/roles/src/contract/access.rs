//! The contract suite of [`crate::access`]: what every access control module passes.
//!
//! A module without tables refuses everything, so the caller configures it and says what it configured.
//! What RFC 3415 makes of particular tables, the module's own tests say.

use super::Broken;
use crate::access::{AccessControl, AccessError, AccessErrorKind, Asking, ViewReference, ViewType};
use crate::varbind::SecurityLevel;
use s_sdk::error::CallErrorKind;
use s_sdk::{Activity, List};

const LEVELS: [SecurityLevel; 3] =
    [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv];
const VIEW_TYPES: [ViewType; 3] = [ViewType::Read, ViewType::Write, ViewType::Notify];

/// What the module was configured with.
#[derive(Clone, Copy, Debug)]
pub struct Configured<'a> {
    /// A principal whose group has one access entry, with a view for reading, at [`Configured::asking`].
    pub security_name: &'a [u8],
    /// A context that exists and that the entry is for.
    pub context_name: &'a [u8],
    /// How the principal may read.
    pub asking: Asking,
    /// Names in the view.
    pub inside: &'a [&'a [u32]],
    /// Names outside of it.
    pub outside: &'a [&'a [u32]],
    /// A view that `find_view` answered in an activity that has ended.
    pub ended: ViewReference,
}

/// Checks a module, or whatever a proxy stands for, against the contract. The activity is one in which
/// nothing was kept yet.
///
/// # Errors
/// The first sentence that is broken.
pub fn suite(
    access: &dyn AccessControl,
    act: &Activity,
    configured: &Configured<'_>,
) -> Result<(), Broken> {
    let checked = Checked { access, act, configured };
    checked.refuses_references()?;
    checked.answers()?;
    checked.gives_the_first_reason()?;
    checked.agrees_with_itself()?;
    checked.passes_nothing_over()
}

struct Checked<'a> {
    access: &'a dyn AccessControl,
    act: &'a Activity,
    configured: &'a Configured<'a>,
}

impl Checked<'_> {
    /// Sentence 3, with references of nothing, of an ended activity, and of something else.
    fn refuses_references(&self) -> Result<(), Broken> {
        let other = self.act.keep(0x5eed_u64).map_err(|error| broken(3, error.to_string()))?;
        for (what, view) in [
            ("no view", ViewReference::none()),
            ("a view of an ended activity", self.configured.ended),
            ("something that is no view", other.of()),
        ] {
            let answer = self.access.is_in_view(self.act, view, &[1, 3]);
            refused(3, AccessErrorKind::StaleReference, what, answer)?;
        }
        Ok(())
    }

    fn allowed(&self, asking: Asking, variable: &[u32]) -> Result<(), AccessError> {
        let Configured { security_name, context_name, .. } = self.configured;
        self.access.is_access_allowed(self.act, asking, security_name, context_name, variable)
    }

    /// The answer of `is_access_allowed`, made of the two others.
    fn found(&self, asking: Asking, variable: &[u32]) -> Result<(), AccessError> {
        let Configured { security_name, context_name, .. } = self.configured;
        let view = self.access.find_view(self.act, asking, security_name, context_name)?;
        match self.access.is_in_view(self.act, view, variable)? {
            true => Ok(()),
            false => Err(AccessErrorKind::NotInView.into()),
        }
    }

    /// Sentence 1: names inside and outside.
    fn answers(&self) -> Result<(), Broken> {
        let Configured { asking, inside, outside, .. } = self.configured;
        for name in *inside {
            let answer = self.allowed(*asking, name);
            check(1, answer.is_ok(), || format!("{name:?} is answered with {answer:?}"))?;
        }
        for name in *outside {
            let answer = self.allowed(*asking, name);
            refused(1, AccessErrorKind::NotInView, &format!("{name:?}"), answer)?;
        }
        Ok(())
    }

    /// Sentence 1: of several reasons the first one counts.
    fn gives_the_first_reason(&self) -> Result<(), Broken> {
        let Configured { security_name, context_name, asking, .. } = *self.configured;
        let (nobody, nowhere) = (b"\x00nobody".as_slice(), b"\x00nowhere".as_slice());
        let unknown_model = Asking { security_model: 0x7fff_fff0, ..asking };
        for (kind, asking, name, context) in [
            (AccessErrorKind::NoSuchContext, asking, security_name, nowhere),
            (AccessErrorKind::NoSuchContext, asking, nobody, nowhere),
            (AccessErrorKind::NoGroupName, asking, nobody, context_name),
            (AccessErrorKind::NoGroupName, unknown_model, security_name, context_name),
        ] {
            let what = format!("the principal {name:?} in the context {context:?}");
            let answer = self.access.is_access_allowed(self.act, asking, name, context, &[1, 3]);
            refused(1, kind, &what, answer)?;
            refused(2, kind, &what, self.access.find_view(self.act, asking, name, context))?;
        }
        Ok(())
    }

    /// Sentence 6, from every name to every other.
    fn passes_nothing_over(&self) -> Result<(), Broken> {
        let Configured { security_name, context_name, asking, inside, outside, .. } =
            *self.configured;
        let failed = |error: AccessError| broken(6, error.to_string());
        let found = self.access.find_view(self.act, asking, security_name, context_name);
        let view = found.map_err(failed)?;
        let mut next = List::new();
        for from in inside.iter().chain(outside) {
            next.clear();
            let there_is = match self.access.next_in_view(self.act, view, from, &mut next) {
                Err(error) if error.detail == CallErrorKind::NotUnderstood as u32 => return Ok(()),
                answer => answer.map_err(failed)?,
            };
            check(6, !there_is || *next >= **from, || format!("{:?} after {from:?}", &next[..]))?;
            let passed = inside.iter().find(|name| *name >= from && (!there_is || ***name < *next));
            check(6, passed.is_none(), || format!("{passed:?} is passed over from {from:?} on"))?;
        }
        Ok(())
    }

    /// Sentences 2, 4 and 5, over every level and everything that can be asked for.
    fn agrees_with_itself(&self) -> Result<(), Broken> {
        let Configured { asking, inside, outside, .. } = *self.configured;
        let names = inside.iter().chain(outside).take(8);
        for name in names {
            for view_type in VIEW_TYPES {
                let mut lower = None;
                for security_level in LEVELS {
                    let asking = Asking { security_level, view_type, ..asking };
                    let (one, two) = (self.allowed(asking, name), self.allowed(asking, name));
                    check(4, one == two, || format!("{one:?}, and then {two:?}"))?;
                    // What an activity can keep is bounded, so the other way is gone once a level.
                    if inside.first() == Some(name) {
                        let found = self.found(asking, name);
                        check(2, one == found, || format!("{one:?} at once, {found:?} in two"))?;
                    }
                    check(5, lower != Some(Ok(())) || one.is_ok(), || {
                        format!("{name:?} is seen at a lower level than {security_level:?}")
                    })?;
                    lower = Some(one);
                }
            }
        }
        Ok(())
    }
}

fn broken(sentence: u32, seen: String) -> Broken {
    Broken { role: "access", sentence, seen }
}

fn check(sentence: u32, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(sentence, seen())) }
}

fn refused<T: std::fmt::Debug>(
    sentence: u32,
    kind: AccessErrorKind,
    what: &str,
    answer: Result<T, AccessError>,
) -> Result<(), Broken> {
    check(sentence, answer.as_ref().is_err_and(|error| error.kind == kind), || {
        format!("{what} is answered with {answer:?} instead of `{kind}`")
    })
}
