//! What was swapped, as the host tells it and modules ask for it (roles::swaps).
//!
//! It never begins or judges a swap, and knows nothing of packages: the host says what ended, and what each
//! component binds. Invariants: it remembers so many swaps and no more; whatever it answers from changes
//! together with its revision.

use crate::dispatch::Engine;
use crate::facts::{EngineModule, Facts};
use roles::swaps::{
    ComponentState, PastSwap, SwapCounts, SwapOutcome, SwappedComponent, Swaps, TRANSACTION_ENTRY,
    column, push_text,
};
use roles::varbind::{Span, VarBinds, VarValue};
use s_sdk::{Activity, Buf, CallError, Full, List};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

/// So many swaps are remembered.
const REMEMBERED: usize = 64;

/// A swap that ended, in the host's words.
#[derive(Clone, Debug)]
pub struct SwapEnded {
    /// Its number, greater than that of every swap before it.
    pub number: u64,
    /// How it ended.
    pub outcome: SwapOutcome,
    /// Its members, each with the version that serves since; none where no module does.
    pub members: Vec<(String, Option<String>)>,
    /// What ended it before its time; empty where nothing did.
    pub cause: String,
    /// How long its gates were closed; None where none was.
    pub blackout: Option<Duration>,
    /// From its beginning to its end.
    pub took: Duration,
}

/// What a component binds, in the host's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The component's name.
    pub component: String,
    /// Where the module's code is from; empty where there is no module.
    pub origin: String,
    /// Whether the predecessor still waits to be called back.
    pub is_confirming: bool,
    /// How many calls panicked in the module.
    pub panics: u64,
}

/// What is known of swaps.
#[derive(Default)]
pub(crate) struct SwapLog {
    past: VecDeque<Past>,
    members: BTreeMap<String, Member>,
    bindings: BTreeMap<String, Binding>,
    counts: SwapCounts,
    revision: u64,
}

struct Past {
    entry: PastSwap,
    components: String,
    cause: String,
}

/// What became of a component since the process started.
#[derive(Default)]
struct Member {
    swaps: u32,
    last: PastSwap,
}

impl SwapLog {
    fn end(&mut self, ended: &SwapEnded, up_time: u32) {
        let entry = PastSwap {
            number: ended.number,
            ended: up_time,
            outcome: ended.outcome,
            blackout_microseconds: ended.blackout.map_or(0, microseconds),
            took_microseconds: microseconds(ended.took),
            ..PastSwap::default()
        };
        let count = match ended.outcome {
            SwapOutcome::Committed => Some(&mut self.counts.committed),
            SwapOutcome::Aborted => Some(&mut self.counts.aborted),
            SwapOutcome::RolledBack => Some(&mut self.counts.rolled_back),
            SwapOutcome::None | SwapOutcome::Unreachable => None,
        };
        if let Some(count) = count {
            *count = count.wrapping_add(1);
        }
        let has_moved = matches!(ended.outcome, SwapOutcome::Committed | SwapOutcome::RolledBack);
        for (component, _) in &ended.members {
            let member = self.members.entry(component.clone()).or_default();
            member.swaps = member.swaps.wrapping_add(has_moved.into());
            member.last = entry;
        }
        let (components, cause) = (listed(&ended.members), ended.cause.clone());
        self.past.push_back(Past { entry, components, cause });
        while self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
        self.revision += 1;
    }
}

/// Each member with the version that serves.
fn listed(members: &[(String, Option<String>)]) -> String {
    let each = members.iter().map(|(component, version)| match version {
        Some(version) => format!("{component} {version}"),
        None => format!("{component} (no module)"),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// What does not fit in 71 minutes is as good as never ending.
fn microseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

impl Facts {
    fn swaps(&self) -> MutexGuard<'_, SwapLog> {
        self.swaps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A swap has ended now.
    pub fn swap_ended(&self, ended: &SwapEnded) {
        let now = self.up_time();
        self.swaps().end(ended, now);
    }

    /// A request for a swap was refused because another one runs.
    pub fn swap_refused(&self) {
        let mut swaps = self.swaps();
        swaps.counts.busy = swaps.counts.busy.wrapping_add(1);
        swaps.revision += 1;
    }

    /// What components bind now; those that are not named bind what [`Facts::set_components`] says.
    pub fn set_bindings(&self, bindings: Vec<Binding>) {
        let bindings: BTreeMap<String, Binding> =
            bindings.into_iter().map(|binding| (binding.component.clone(), binding)).collect();
        let mut swaps = self.swaps();
        if swaps.bindings != bindings {
            swaps.bindings = bindings;
            swaps.revision += 1;
        }
    }

    /// Another module serves somewhere, or a component is new.
    pub(crate) fn components_changed(&self) {
        self.swaps().revision += 1;
    }
}

impl Engine {
    /// A swap has ended now: it is remembered, and everybody is told who wants to know. Answers what
    /// [`Engine::tell_swap`] does.
    ///
    /// # Errors
    /// The notification is too long to be written.
    pub fn swap_ended(&self, act: &Activity, ended: &SwapEnded) -> Result<bool, Full> {
        self.facts().swap_ended(ended);
        self.tell_swap(act, ended)
    }

    /// Tells everybody who wants to know how a swap ended. False when nobody was told: because there is no
    /// notification of that, or because it was not taken over.
    ///
    /// # Errors
    /// The notification is too long to be written.
    pub fn tell_swap(&self, act: &Activity, ended: &SwapEnded) -> Result<bool, Full> {
        match ended.outcome.notification() {
            Some(notification) => Ok(self.notify(act, notification, &told(ended)?)),
            None => Ok(false),
        }
    }
}

/// The objects of the notifications of the SWAP-MIB, in order.
fn told(ended: &SwapEnded) -> Result<VarBinds, Full> {
    let mut texts = Buf::new();
    let components = push_text(&mut texts, &listed(&ended.members))?;
    let cause = push_text(&mut texts, &ended.cause)?;
    let text = |span: Span| VarValue::Octets(span.of(&texts).unwrap_or_default());
    let mut bindings = VarBinds::new();
    for (column, value) in [
        (column::COMPONENTS, text(components)),
        (column::CAUSE, text(cause)),
        (column::BLACKOUT, VarValue::Gauge32(ended.blackout.map_or(0, microseconds))),
        (column::DURATION, VarValue::Gauge32(microseconds(ended.took))),
    ] {
        let number = u32::try_from(ended.number).unwrap_or(u32::MAX);
        bindings.push(&[TRANSACTION_ENTRY, &[column, number]].concat(), value)?;
    }
    Ok(bindings)
}

impl Swaps for EngineModule {
    fn past_swaps(
        &self,
        _: &Activity,
        entries: &mut List<PastSwap>,
        texts: &mut Buf,
    ) -> Result<(), CallError> {
        for Past { entry, components, cause } in &self.facts().swaps().past {
            let components = push_text(texts, components)?;
            let cause = push_text(texts, cause)?;
            entries.push(PastSwap { components, cause, ..*entry })?;
        }
        Ok(())
    }

    fn swapped_components(
        &self,
        _: &Activity,
        entries: &mut List<SwappedComponent>,
        texts: &mut Buf,
    ) -> Result<(), CallError> {
        let unheard = Member::default();
        self.facts().each_component(|number, name, is_serving| {
            let swaps = self.facts().swaps();
            let Member { swaps: times, last } = swaps.members.get(name).unwrap_or(&unheard);
            let binding = swaps.bindings.get(name);
            let state = match binding {
                _ if !is_serving => ComponentState::Empty,
                Some(binding) if binding.is_confirming => ComponentState::Confirming,
                _ => ComponentState::Serving,
            };
            let panics = binding.map_or(0, |binding| binding.panics);
            Ok(entries.push(SwappedComponent {
                last_swap: last.number,
                number,
                state,
                swaps: *times,
                last_outcome: last.outcome,
                last_blackout_microseconds: last.blackout_microseconds,
                panics: u32::try_from(panics).unwrap_or(u32::MAX),
                origin: push_text(texts, binding.map_or("", |binding| &binding.origin))?,
            })?)
        })
    }

    fn swap_counts(&self, _: &Activity) -> Result<SwapCounts, CallError> {
        Ok(self.facts().swaps().counts)
    }

    fn swaps_revision(&self, _: &Activity) -> Result<u64, CallError> {
        Ok(self.facts().swaps().revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(number: u64) -> SwapEnded {
        SwapEnded {
            number,
            outcome: SwapOutcome::RolledBack,
            members: vec![("auth.md5".into(), Some("1.0.0".into())), ("mib.if".into(), None)],
            cause: "c".repeat(300),
            blackout: None,
            took: Duration::from_secs(100_000),
        }
    }

    #[test]
    fn a_notification_has_the_objects_of_the_mib_with_the_number_of_the_swap() {
        let bindings = told(&ended(7)).unwrap();
        let found: Vec<_> = bindings.iter().collect();
        let name = |column| [TRANSACTION_ENTRY, &[column, 7]].concat();
        let names: Vec<_> = found.iter().map(|bind| bind.name.to_vec()).collect();
        assert_eq!(names, [3, 4, 5, 6].map(name));
        assert_eq!(found[0].value, VarValue::Octets(b"auth.md5 1.0.0, mib.if (no module)"));
        assert_eq!(found[1].value, VarValue::Octets(&[b'c'; 255]));
        assert_eq!(found[2].value, VarValue::Gauge32(0));
        assert_eq!(found[3].value, VarValue::Gauge32(u32::MAX), "longer than can be said");
    }

    #[test]
    fn every_change_is_another_revision_and_what_is_the_same_is_none() {
        let facts = Facts::new(crate::facts::Identity {
            engine_id: vec![],
            boots: 1,
            max_message_size: 484,
            clock: Box::new(|| Duration::ZERO),
        });
        let binding = |panics| {
            let (component, origin) = ("mib.if".to_owned(), "linked".to_owned());
            vec![Binding { component, origin, is_confirming: false, panics }]
        };
        let mut revisions = vec![facts.swaps().revision];
        let mut changed = |change: &dyn Fn()| {
            change();
            revisions.push(facts.swaps().revision);
        };
        changed(&|| facts.set_bindings(binding(0)));
        changed(&|| facts.set_bindings(binding(1)));
        changed(&|| facts.swap_ended(&ended(1)));
        changed(&|| facts.swap_refused());
        assert!(revisions.is_sorted_by(|one, next| one < next), "{revisions:?}");
        facts.set_bindings(binding(1));
        assert_eq!(Some(&facts.swaps().revision), revisions.last());
    }
}
