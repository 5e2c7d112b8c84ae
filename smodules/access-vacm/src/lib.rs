//! The View-based Access Control Model (RFC 3415): groups, access entries, views.
//!
//! It never sees a value and moves no counter. Its state is the tables that were configured, which a
//! successor takes over. Finding a view takes the read side of a lock that is written for the length of
//! one move; nothing allocates.
//!
//! Invariant: what an activity found does not change under it. A small view is copied into what the
//! activity keeps, and asking it takes no lock. Of a larger one the activity keeps the number; the last
//! [`RECENT`] sets of views are kept for those who began before a change, and who comes later still is
//! refused with `StaleReference`, never answered from other tables.

mod tables;
mod view;

use roles::access::{AccessControl, AccessError, AccessErrorKind, Asking, ViewReference};
use roles::settings::{self, Settings, VacmSettings};
use s_sdk::{
    Activity, Buf, CallError, CarriesState, Full, Host, Module, Plain, Refusal, State, s_module,
};
use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use tables::{Tables, Views};

/// How many sets of views are kept, the present one included.
pub const RECENT: usize = 64;

/// How many words of a view an activity keeps by itself: two or three subtrees of ordinary length.
const SMALL: usize = 22;

/// The module.
pub struct Vacm {
    present: RwLock<Present>,
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "vacm", version = 1)]
pub struct VacmState {
    /// What was configured last.
    pub settings: VacmSettings,
}

/// The tables, and the views of those before them.
#[derive(Default)]
struct Present {
    tables: Tables,
    /// The number of the present set of views.
    number: u64,
    /// The views of earlier tables, the latest first.
    earlier: VecDeque<Views>,
}

impl Present {
    fn views(&self, number: u64) -> Option<&Views> {
        match usize::try_from(self.number.checked_sub(number)?).ok()? {
            0 => Some(&self.tables.views),
            age => self.earlier.get(age - 1),
        }
    }
}

/// A view that an activity found.
#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct FoundView {
    /// The set of views that it is in, and its place there.
    number: u64,
    position: u32,
    /// How many words of it are here: all or none.
    len: u32,
    words: [u32; SMALL],
}

impl Vacm {
    fn present(&self) -> RwLockReadGuard<'_, Present> {
        // Whoever writes puts whole tables in place, so what a panic leaves behind is whole too.
        self.present.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, tables: Tables) {
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut present.tables, tables);
        present.number += 1;
        present.earlier.push_front(former.views.clone());
        let forgotten =
            if present.earlier.len() < RECENT { None } else { present.earlier.pop_back() };
        drop(present);
        // Freed when nobody waits for the lock any more.
        drop((former, forgotten));
    }
}

#[s_module(
    component = "access.vacm",
    version = "1.0.0",
    annotation = "RFC 3415: views",
    carries_state,
    also(Settings)
)]
impl AccessControl for Vacm {
    fn is_access_allowed(
        &self,
        _act: &Activity,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
        variable: &[u32],
    ) -> Result<(), AccessError> {
        let present = self.present();
        let position = present.tables.find_view(asking, security_name, context_name)?;
        let view = at(&present.tables.views, position).ok_or(AccessErrorKind::NoSuchView)?;
        match view::holds(view, variable) {
            true => Ok(()),
            false => Err(AccessErrorKind::NotInView.into()),
        }
    }

    fn find_view(
        &self,
        act: &Activity,
        asking: Asking,
        security_name: &[u8],
        context_name: &[u8],
    ) -> Result<ViewReference, AccessError> {
        let present = self.present();
        let position = present.tables.find_view(asking, security_name, context_name)?;
        let view = at(&present.tables.views, position).ok_or(AccessErrorKind::NoSuchView)?;
        let mut found = FoundView { number: present.number, position, len: 0, words: [0; SMALL] };
        if let Some(words) = found.words.get_mut(..view.len()) {
            words.copy_from_slice(view);
            found.len = u32::try_from(view.len()).unwrap_or(0);
        }
        Ok(act.keep(found)?.of())
    }

    fn is_in_view(
        &self,
        act: &Activity,
        view: ViewReference,
        variable: &[u32],
    ) -> Result<bool, AccessError> {
        let found = act
            .recall(view.of::<FoundView>())
            .map_err(|_| AccessError::from(AccessErrorKind::StaleReference))?;
        // No view has no words, so none here means that they are in the tables.
        if let Some(words @ [_, ..]) = found.words.get(..found.len as usize) {
            return Ok(view::holds(words, variable));
        }
        let present = self.present();
        let views = present.views(found.number).ok_or(AccessErrorKind::StaleReference)?;
        let words = at(views, found.position).ok_or(AccessErrorKind::StaleReference)?;
        Ok(view::holds(words, variable))
    }
}

fn at(views: &Views, position: u32) -> Option<&[u32]> {
    views.get(usize::try_from(position).ok()?).map(|words| &words[..])
}

impl Settings for Vacm {
    fn check(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        match read(document) {
            Ok(_) => Ok(0),
            Err(problems) => Ok(tell(&problems, out)?),
        }
    }

    fn apply(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        match read(document) {
            Ok(tables) => {
                self.replace(tables);
                Ok(0)
            }
            Err(problems) => Ok(tell(&problems, out)?),
        }
    }
}

impl Module for Vacm {
    fn init(_host: Host) -> Result<Self, Refusal> {
        Ok(Vacm { present: RwLock::default() })
    }
}

impl CarriesState for Vacm {
    type State = VacmState;

    fn export(&self) -> VacmState {
        VacmState { settings: self.present().tables.settings().clone() }
    }

    fn import(&self, state: VacmState) -> Result<(), Refusal> {
        let tables = Tables::of(state.settings).map_err(|problems| Refusal(problems.join("; ")))?;
        self.replace(tables);
        Ok(())
    }
}

/// The tables that a document describes; otherwise what is wrong with it, a line each.
fn read(document: &[u8]) -> Result<Tables, Vec<String>> {
    let settings = settings::read::<VacmSettings>(document).map_err(|error| {
        vec![format!("the document is not that of access control ({error}): configure it anew")]
    })?;
    Tables::of(settings)
}

/// Appends problems, a line each, and answers how many there are.
fn tell(problems: &[String], out: &mut Buf) -> Result<u32, Full> {
    for problem in problems {
        out.append(problem.as_bytes())?;
        out.push(b'\n')?;
    }
    Ok(u32::try_from(problems.len()).unwrap_or(u32::MAX))
}
