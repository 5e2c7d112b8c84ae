//! The View-based Access Control Model (RFC 3415): groups, access entries, views.
//!
//! It never sees a value of another module and moves no counter. Its tables come from the configuration and
//! from SETs (`config`), are shown and changed as SNMP-VIEW-BASED-ACM-MIB (`mib`), and decide in the form
//! of `tables`, which is made anew with every change. Finding a view takes the read side of a lock that is
//! written for the length of one move; nothing allocates.
//!
//! Invariant: what an activity found does not change under it. A small view is copied into what the
//! activity keeps, and asking it takes no lock. Of a larger one the activity keeps the number; the last
//! [`RECENT`] sets of views are kept for those who began before a change, and who comes later still is
//! refused with `StaleReference`, never answered from other tables.

mod config;
mod mib;
mod next;
mod tables;
mod view;

use config::{Config, Kept};
use mib_kit::syntax::first_number;
use mib_kit::{Mib, Revision, Served, Store, mib_access};
use roles::access::{AccessControl, AccessError, AccessErrorKind, Asking, ViewReference};
use roles::mib::{MibAccess, MibError};
use roles::settings::{self, Persistence, Settings, VacmSettings};
use s_sdk::error::CallErrorKind;
use s_sdk::{
    Activity, Buf, CallError, CarriesState, Host, Level, List, Module, Plain, Refusal, State,
    s_module,
};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tables::{Tables, Views};

/// How many sets of views are kept, the present one included.
pub const RECENT: usize = 64;

/// How many words of a view an activity keeps by itself: two or three subtrees of ordinary length.
const SMALL: usize = 22;

/// The module.
pub struct Vacm {
    host: Host,
    mib: Mib<Config, Config>,
    config: Store<Config>,
    revision: Revision,
    present: RwLock<Present>,
    /// Held while tables are made of the configuration, so that the last ones are of the last one.
    making: Mutex<()>,
}

/// What a successor takes over.
#[derive(State)]
#[state(kind = "vacm", version = 1)]
pub struct VacmState {
    /// What was configured last.
    pub settings: VacmSettings,
    /// What came by SET, as its document.
    pub rows: Vec<u8>,
    /// vacmViewSpinLock.
    pub spin_lock: i32,
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

    /// Changes the configuration otherwise than by a SET.
    fn change<T>(&self, change: impl FnOnce(&mut Config) -> T) -> Result<T, Vec<String>> {
        let mut answer = None;
        self.config.update(|config| answer = Some(change(config)));
        self.take_effect()?;
        answer.ok_or_else(Vec::new)
    }

    /// Makes tables of what is active.
    fn take_effect(&self) -> Result<(), Vec<String>> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.replace(Tables::of(&self.config.state().effective())?);
        Ok(())
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
    also(Settings, Persistence, MibAccess)
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
        self.with_words(act, view, |words| view::holds(words, variable))
    }

    fn next_in_view(
        &self,
        act: &Activity,
        view: ViewReference,
        from: &[u32],
        into: &mut List<u32>,
    ) -> Result<bool, AccessError> {
        let found = self.with_words(act, view, |words| next::next_in(words, from))?;
        let Some(name) = found else { return Ok(false) };
        into.append(name.arcs())?;
        Ok(true)
    }
}

impl Vacm {
    #[inline]
    fn with_words<T>(
        &self,
        act: &Activity,
        view: ViewReference,
        look: impl FnOnce(&[u32]) -> T,
    ) -> Result<T, AccessError> {
        let found = act
            .recall(view.of::<FoundView>())
            .map_err(|_| AccessError::from(AccessErrorKind::StaleReference))?;
        // No view has no words, so none here means that they are in the tables.
        if let Some(words @ [_, ..]) = found.words.get(..found.len as usize) {
            return Ok(look(words));
        }
        let present = self.present();
        let views = present.views(found.number).ok_or(AccessErrorKind::StaleReference)?;
        let words = at(views, found.position).ok_or(AccessErrorKind::StaleReference)?;
        Ok(look(words))
    }
}

fn at(views: &Views, position: u32) -> Option<&[u32]> {
    views.get(usize::try_from(position).ok()?).map(|words| &words[..])
}

mib_access!(Vacm);

impl Served for Vacm {
    type View = Config;
    type State = Config;

    fn mib(&self) -> &Mib<Config, Config> {
        &self.mib
    }

    fn view<T>(
        &self,
        _act: &Activity,
        answer: impl FnOnce(&Config) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        answer(&self.config.state())
    }

    fn store(&self) -> Option<&Store<Config>> {
        Some(&self.config)
    }

    fn changed(&self, _act: &Activity) -> Result<(), MibError> {
        self.take_effect().map_err(|problems| {
            self.host.log(Level::Error, &problems.join("; "));
            CallError::new(CallErrorKind::Refused).into()
        })
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl Settings for Vacm {
    fn check(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        settings::report(&read(document), out)
    }

    fn apply(&self, _act: &Activity, document: &[u8], out: &mut Buf) -> Result<u32, CallError> {
        let configure = |settings| self.change(|config| config.configure(&settings));
        settings::report(&read(document).and_then(configure), out)
    }
}

impl Persistence for Vacm {
    fn revision(&self, _act: &Activity) -> Result<u64, CallError> {
        Ok(self.revision.of(&self.config, |config| settings::write(&config.kept(false))))
    }

    fn save(&self, _act: &Activity, kept: &mut Buf) -> Result<(), CallError> {
        Ok(kept.append(&settings::write(&self.config.state().kept(false)))?)
    }

    fn restore(&self, _act: &Activity, kept: &[u8]) -> Result<bool, CallError> {
        let Ok(kept) = settings::read::<Kept>(kept) else { return Ok(false) };
        Ok(self.change(|config| config.restore(kept)).unwrap_or(false))
    }
}

impl Module for Vacm {
    fn init(host: Host) -> Result<Self, Refusal> {
        let mut config = Config::default();
        config.configure(&VacmSettings::default());
        config.spin_lock = first_number(host, "vacmViewSpinLock");
        Ok(Vacm {
            host,
            mib: mib::mib()?,
            config: Store::new(config),
            revision: Revision::default(),
            present: RwLock::default(),
            making: Mutex::default(),
        })
    }

    /// What of the contracts can be asked without changing what is asked next.
    fn self_test(&self, act: &Activity) -> Result<(), Refusal> {
        roles::contract::settings::harmless(self, act)?;
        Ok(roles::contract::settings::keeping_harmless(self, act)?)
    }
}

impl CarriesState for Vacm {
    type State = VacmState;

    fn export(&self) -> VacmState {
        let config = self.config.state();
        VacmState {
            settings: config.configured(),
            rows: settings::write(&config.kept(true)),
            spin_lock: config.spin_lock,
        }
    }

    fn import(&self, state: VacmState) -> Result<(), Refusal> {
        let VacmState { settings, rows, spin_lock } = state;
        let rows = settings::read::<Kept>(&rows)?;
        let taken_over = self.change(|config| {
            config.configure(&settings);
            config.spin_lock = spin_lock;
            config.restore(rows)
        });
        match taken_over.map_err(|problems| problems.join("; "))? {
            true => Ok(()),
            false => Err(Refusal("a row is none that a SET can have made".to_owned())),
        }
    }
}

/// The settings of a document; otherwise what is wrong with it, a line each.
fn read(document: &[u8]) -> Result<VacmSettings, Vec<String>> {
    let settings = settings::read::<VacmSettings>(document).map_err(|error| {
        vec![format!("the document is not that of access control ({error}): configure it anew")]
    })?;
    Tables::of(&settings).map(|_| settings)
}
