//! The module: links as IF-MIB has them, watched for who goes up or down.
//!
//! It never says which tables a version of the module has beside those of IF-MIB: each version says that itself,
//! in its `lib.rs`, and is compiled with the same sources otherwise. Whatever the version, what it carries is
//! the same.

use crate::change::{Asked, fulfil, take_back};
use crate::interface::{Interface, View};
use crate::tables::{ADMIN_STATUS, CHANGES, IF_TABLE, IF_X_TABLE, NUMBER, RECEIVED, STACK};
use crate::watch::{Turn, Watch};
use kernel_net::{Link, link, links, sysfs};
use mib_kit::{Cache, Mib, Rows, Scalars, Served, Store, Table, Written, locked};
use roles::engine::{Engine, EngineProxy};
use roles::mib::MibError;
use roles::notify::{Notifier as _, NotifierProxy};
use roles::varbind::ErrorStatus;
use s_sdk::error::CallErrorKind;
use s_sdk::value::Field;
use s_sdk::{Active, Activity, CallError, CarriesState, Host, Level, Refusal, State, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const INTERFACES: &[u32] = &[1, 3, 6, 1, 2, 1, 2];
pub(crate) const IF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1];
pub(crate) const IF_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 31];
const IF_MIB_OBJECTS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1];
const IF_X_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1];
const IF_STACK_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 2, 1];
const IF_RCV_ADDRESS_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 4, 1];

/// A snapshot is good for so long, and links are looked after so often.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The timer of the watch.
const WATCH: u64 = 1;

/// The module.
pub struct IfMib {
    host: Host,
    engine: EngineProxy,
    mib: Mib<View, Asked>,
    cache: Cache<View>,
    asked: Store<Asked>,
    /// The state whose wishes were fulfilled last.
    fulfilled: Mutex<Arc<Asked>>,
    /// What managers have said of who tells.
    told: Mutex<BTreeMap<u32, bool>>,
    /// What a predecessor knew, until the first snapshot.
    inherited: Mutex<Option<View>>,
    watching: Mutex<Watching>,
}

#[derive(Default)]
struct Watching {
    watch: Watch,
    /// When links changed last: an older snapshot is none of them.
    changed: Duration,
    has_failed: bool,
}

/// IF-MIB, and what is declared already.
pub(crate) fn with_if_mib(mib: Mib<View, Asked>) -> Mib<View, Asked> {
    mib.with(Scalars::new(INTERFACES, NUMBER, |view: &View| view))
        .with(
            Table::new(IF_ENTRY, IF_TABLE, |view: &View| &view.interfaces)
                .writable(|asked: &Asked| &asked.interfaces, |asked| &mut asked.interfaces),
        )
        .with(
            Table::new(IF_X_ENTRY, IF_X_TABLE, |view: &View| &view.interfaces)
                .writable(|asked: &Asked| &asked.interfaces, |asked| &mut asked.interfaces),
        )
        .with(Table::new(IF_STACK_ENTRY, STACK, View::stack))
        .with(Table::new(IF_RCV_ADDRESS_ENTRY, RECEIVED, View::received))
        .with(Scalars::new(IF_MIB_OBJECTS, CHANGES, |view: &View| view))
}

impl IfMib {
    /// A module that has seen no links yet, with what it declares.
    ///
    /// # Errors
    /// There is no engine to work for, or the declarations contradict each other.
    pub(crate) fn new(host: Host, declared: Mib<View, Asked>) -> Result<Self, Refusal> {
        if let Err(error) = host.set_timer(WATCH, MAX_AGE, Some(MAX_AGE)) {
            host.log(
                Level::Warning,
                &format!("nobody watches links ({error}): no linkUp, no linkDown"),
            );
        }
        let asked = Store::new(Asked::default());
        Ok(IfMib {
            host,
            engine: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: declared.made()?,
            cache: Cache::new(MAX_AGE),
            fulfilled: Mutex::new(asked.state()),
            asked,
            told: Mutex::default(),
            inherited: Mutex::default(),
            watching: Mutex::default(),
        })
    }
}

impl Served for IfMib {
    type View = View;
    type State = Asked;

    fn mib(&self) -> &Mib<View, Asked> {
        &self.mib
    }

    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&View) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        answer(&*self.snapshot(act)?)
    }

    fn store(&self) -> Option<&Store<Asked>> {
        Some(&self.asked)
    }

    /// Rows are written where interfaces are.
    fn catch_up(&self, act: &Activity, draft: &mut Asked) -> Result<(), MibError> {
        draft.interfaces = self.snapshot(act)?.interfaces.clone();
        draft.number += 1;
        Ok(())
    }

    /// RFC 3416 §4.2.5, step 2: what this agent can never write is notWritable.
    fn conclude(
        &self,
        _act: &Activity,
        _before: &Asked,
        draft: &mut Asked,
        written: Written<'_>,
    ) -> Result<(), MibError> {
        for cell in written.to::<u32>(IF_ENTRY).filter(|cell| cell.column == ADMIN_STATUS) {
            if let Err(error) = link::may_set(cell.index) {
                let why = format!("ifAdminStatus.{} cannot be written: {error}", cell.index);
                let cure = "give the agent CAP_NET_ADMIN if it is to bring links up and down";
                self.host.log(Level::Info, &format!("{why}; {cure}"));
                return Err(MibError::at(ErrorStatus::NotWritable, cell.position));
            }
        }
        draft.conclude();
        Ok(())
    }

    /// A state with a greater number is a SET that was applied; otherwise one was taken back.
    fn changed(&self, _act: &Activity) -> Result<(), MibError> {
        let mut told = locked(&self.told);
        let mut fulfilled = locked(&self.fulfilled);
        let now = self.asked.state();
        let before = std::mem::replace(&mut *fulfilled, Arc::clone(&now));
        let (done, otherwise) = if now.number > before.number {
            (fulfil(&now.wishes, &mut told), ErrorStatus::CommitFailed)
        } else {
            (take_back(&before.wishes, &mut told), ErrorStatus::UndoFailed)
        };
        // Whatever came of it, what was read before may be wrong now.
        self.cache.forget();
        done.map_err(|error| {
            self.host.log(Level::Warning, &format!("a link could not be changed: {error}"));
            MibError { status: otherwise, index: 0, call: 0 }
        })
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl IfMib {
    fn snapshot(&self, act: &Activity) -> Result<Arc<View>, MibError> {
        self.cache.of(act, || self.host.now(), |last| self.read(act, last))
    }

    fn read(&self, act: &Activity, last: Option<&View>) -> Result<View, MibError> {
        let up_time = self.engine.up_time(act)?;
        let taken = self.host.now();
        let links = self.links().map_err(|error| {
            self.host.log(Level::Warning, &format!("links cannot be read: {error}"));
            MibError { status: ErrorStatus::GenErr, index: 0, call: 0 }
        })?;
        let told = locked(&self.told);
        let inherited = locked(&self.inherited).take();
        Ok(View::new(links, last.or(inherited.as_ref()), &told, up_time, taken))
    }

    fn links(&self) -> std::io::Result<Vec<Link>> {
        links().or_else(|error| {
            self.host.count("if_netlink_failures", 1);
            self.host.log(Level::Debug, &format!("links over netlink: {error}; reading sysfs"));
            sysfs::links()
        })
    }

    /// Tells who went up or down, and has a snapshot that knows it.
    fn watch(&self, act: &Activity) {
        let (turns, changed) = self.look();
        let mut turns = turns.into_iter();
        // Whoever finds no room now finds none for the next: these, too, wait for the next look, in order.
        let refused = turns.find_map(|turn| {
            let error = self.tell(act, &turn).err()?;
            self.may_be_told_later(&turn, error).then_some(turn)
        });
        if let Some(first) = refused {
            let lost = locked(&self.watching).watch.keep([first].into_iter().chain(turns));
            if lost > 0 {
                self.host.log(Level::Warning, &format!("{lost} turns of links are lost: no room"));
            }
        }
        // Dates are those of snapshots: one soon after the change is all that it takes.
        let known = self.cache.last().map_or(Duration::ZERO, |view| view.taken);
        if known < changed && self.snapshot(act).is_err() {
            self.host.log(Level::Debug, "links changed, and could not be read");
        }
    }

    /// The turns that are to be told, those before that were not first, and when links changed last.
    fn look(&self) -> (Vec<Turn>, Duration) {
        let mut watching = locked(&self.watching);
        let mut turns = watching.watch.take_untold();
        match watching.watch.look(|| self.links()) {
            Ok((anything, new)) => {
                watching.has_failed = false;
                if anything {
                    watching.changed = self.host.now();
                }
                turns.extend(new);
            }
            Err(error) => {
                if !std::mem::replace(&mut watching.has_failed, true) {
                    let message =
                        format!("links cannot be watched ({error}): no linkUp, no linkDown");
                    self.host.log(Level::Warning, &message);
                }
            }
        }
        (turns, watching.changed)
    }

    /// Tells of a turn, if its interface tells.
    fn tell(&self, act: &Activity, turn: &Turn) -> Result<(), CallError> {
        let said = locked(&self.told).get(&turn.index()).copied();
        let known = || Some(self.cache.last()?.interfaces.get(&turn.index())?.tells);
        if said.or_else(known).unwrap_or(turn.is_lowest) { self.notify(act, turn) } else { Ok(()) }
    }

    /// Whether a turn that was not told may be told later; says what becomes of it.
    fn may_be_told_later(&self, turn: &Turn, error: CallError) -> bool {
        let may = matches!(error.kind, CallErrorKind::Full | CallErrorKind::GateTimeout);
        let (not, outlook) = match may {
            true => {
                ("not yet", "it and those behind it are told with the next look that finds room")
            }
            // The same again would end in the same way, and keep those behind it waiting.
            false => ("not", "look for what the component `notify` says"),
        };
        // Where nobody originates notifications nobody is told, as where there is no such component.
        if error.kind != CallErrorKind::Absent {
            let (index, name) = (turn.index(), turn.name());
            let message = format!("{name} of interface {index} is {not} told ({error}): {outlook}");
            self.host.log(Level::Warning, &message);
        }
        may
    }

    /// RFC 2863, linkUp and linkDown. An agent without an originator of notifications tells nobody.
    fn notify(&self, act: &Activity, turn: &Turn) -> Result<(), CallError> {
        let Ok(notifier) = self.host.lookup::<NotifierProxy>("notify") else { return Ok(()) };
        notifier.notify(act, turn.notification(), b"", &turn.bindings()?)
    }
}

impl Active for IfMib {
    fn on_message(&self, _act: &Activity, kind: &str, _payload: &Value) {
        self.host.log(Level::Debug, &format!("a message `{kind}` that nobody asked for"));
    }

    fn on_timer(&self, act: &Activity, id: u64) {
        if id == WATCH {
            self.watch(act);
        }
    }
}

/// What a successor has to know: dates, and what it takes to tell whether they still hold.
#[derive(State)]
#[state(kind = "if", version = 2, step(1 => 2, default(up: BTreeMap<u32, bool>)))]
pub struct IfState {
    /// What managers have said of who tells.
    pub told: BTreeMap<u32, bool>,
    /// ifTableLastChange.
    pub table_last_change: u32,
    /// ifStackLastChange.
    pub stack_last_change: u32,
    /// None if no snapshot was taken yet.
    pub interfaces: Option<Vec<KnownInterface>>,
    /// Which links are up, as far as that was told.
    pub up: BTreeMap<u32, bool>,
}

/// What is carried of an interface.
#[derive(Clone, Debug, Default, Field)]
pub struct KnownInterface {
    /// ifIndex.
    pub index: u32,
    /// ifName.
    pub name: Vec<u8>,
    /// The kernel's operational state and flags, which ifOperStatus is made of.
    pub oper_state: u8,
    /// IFF_*.
    pub flags: u32,
    /// The link that it is a part of.
    pub master: u32,
    /// The link that it is on top of.
    pub lower: u32,
    /// ifLastChange.
    pub last_change: u32,
    /// ifCounterDiscontinuityTime.
    pub discontinuity: u32,
}

impl CarriesState for IfMib {
    type State = IfState;

    fn export(&self) -> IfState {
        let told = locked(&self.told).clone();
        let up = locked(&self.watching).watch.told();
        let inherited = locked(&self.inherited);
        let last = self.cache.last();
        let Some(view) = last.as_deref().or(inherited.as_ref()) else {
            let interfaces = None;
            return IfState { told, table_last_change: 0, stack_last_change: 0, interfaces, up };
        };
        IfState {
            told,
            table_last_change: view.table_last_change,
            stack_last_change: view.stack_last_change,
            interfaces: Some(view.interfaces.values().map(KnownInterface::of).collect()),
            up,
        }
    }

    fn import(&self, state: IfState) -> Result<(), Refusal> {
        *locked(&self.told) = state.told;
        let (table, stack) = (state.table_last_change, state.stack_last_change);
        *locked(&self.inherited) =
            state.interfaces.map(|known| View::inherited(inherited_rows(known), table, stack));
        self.cache.clear();
        // Whoever went up or down while nobody listened turns with the first look.
        let watch = Watch::after(state.up);
        *locked(&self.watching) = Watching { watch, ..Watching::default() };
        Ok(())
    }
}

fn inherited_rows(known: Vec<KnownInterface>) -> Rows<u32, Interface> {
    known.into_iter().map(|row| (row.index, row.interface())).collect()
}

impl KnownInterface {
    fn of(row: &Interface) -> Self {
        let Link { index, oper_state, flags, master, lower, .. } = row.link;
        KnownInterface {
            index,
            name: row.link.name.clone(),
            oper_state,
            flags,
            master,
            lower,
            last_change: row.last_change,
            discontinuity: row.discontinuity,
        }
    }

    /// A row that says when things happened, and nothing else: speed and connector are looked up anew.
    fn interface(self) -> Interface {
        let KnownInterface { index, name, oper_state, flags, master, lower, .. } = self;
        let carrier_changes = u32::MAX;
        Interface {
            link: Link {
                index,
                name,
                oper_state,
                flags,
                master,
                lower,
                carrier_changes,
                ..Link::default()
            },
            last_change: self.last_change,
            discontinuity: self.discontinuity,
            ..Interface::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::tests::{link, view};

    #[test]
    fn a_successor_knows_the_dates_and_finds_nothing_changed() {
        let named = |index| Link { name: vec![b'a'; 3], carrier_changes: 7, ..link(index, 6) };
        let first = view(vec![named(1)], None, 100);
        let second = view(vec![named(1), named(2)], Some(&first), 200);
        let carried: Vec<_> = second.interfaces.values().map(KnownInterface::of).collect();
        let (table, stack) = (second.table_last_change, second.stack_last_change);
        let inherited = View::inherited(inherited_rows(carried), table, stack);
        let third = view(vec![named(1), named(2)], Some(&inherited), 300);
        let dates = |view: &View| {
            let rows = view.interfaces.values().map(|row| (row.last_change, row.discontinuity));
            (view.table_last_change, view.stack_last_change, rows.collect::<Vec<_>>())
        };
        assert_eq!(dates(&third), (200, 200, vec![(0, 0), (200, 200)]));
    }
}
