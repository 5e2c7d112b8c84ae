//! SWAP-MIB: the swaps that ended, what they cost, and what became of each component.
//!
//! It says beside the SAGENT-MIB, which has names, versions and generations, what a swap is judged by. It never
//! begins, ends or judges one, and remembers nothing: the engine does, so a swap of this module loses nothing.
//! The notifications of the MIB are the engine's to send.
//!
//! Invariant: a component keeps the index that it has in the SAGENT-MIB, a swap the number that it has in the
//! journal.

use mib_kit::{Column, Mib, Rows, Scalars, Scratch, Served, Table, mib_module};
use roles::mib::MibError;
use roles::swaps::{
    PastSwap, SwapCounts, SwapOutcome, SwappedComponent, Swaps, SwapsProxy, TRANSACTION_ENTRY,
    column,
};
use roles::varbind::Span;
use roles::varbind::VarValue::{Counter32, Gauge32, Integer, Octets, TimeTicks};
use s_sdk::{Activity, Buf, CallError, Host, List, Module, Refusal};
use std::time::Duration;

/// swapObjects of the SWAP-MIB.
const SWAP: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 2, 1];
const COUNTERS: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 2, 1, 1];
const COMPONENT_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 2, 1, 2, 1];

/// A row of swapComponentTable.
struct Component {
    entry: SwappedComponent,
    origin: Vec<u8>,
}

impl Component {
    /// What there is only of a component that was in a swap.
    fn swapped(&self) -> Option<&SwappedComponent> {
        Some(&self.entry).filter(|entry| entry.last_outcome != SwapOutcome::None)
    }
}

/// A row of swapTransactionTable.
struct Transaction {
    entry: PastSwap,
    components: Vec<u8>,
    cause: Vec<u8>,
}

/// What one call answers from.
#[derive(Default)]
pub struct View {
    /// The engine's revision when it was made.
    revision: Option<u64>,
    counts: SwapCounts,
    components: Rows<u32, Component>,
    transactions: Rows<u32, Transaction>,
}

const COUNTER_COLUMNS: &[Column<SwapCounts>] = &[
    Column::new(1, |counts| Some(Counter32(counts.committed))),
    Column::new(2, |counts| Some(Counter32(counts.aborted))),
    Column::new(3, |counts| Some(Counter32(counts.rolled_back))),
    Column::new(4, |counts| Some(Counter32(counts.busy))),
];

const COMPONENT_COLUMNS: &[Column<Component>] = &[
    Column::new(1, |row| Some(Octets(&row.origin))),
    Column::new(2, |row| Some(Integer(row.entry.state as i32))),
    Column::new(3, |row| Some(Counter32(row.entry.swaps))),
    Column::new(4, |row| row.swapped().map(|swapped| Integer(swapped.last_outcome as i32))),
    Column::new(5, |row| row.swapped().map(|swapped| Gauge32(swapped.last_blackout_microseconds))),
    Column::new(6, |row| {
        row.swapped().and_then(|swapped| u32::try_from(swapped.last_swap).ok()).map(Gauge32)
    }),
    Column::new(7, |row| Some(Counter32(row.entry.panics))),
];

const TRANSACTION_COLUMNS: &[Column<Transaction>] = &[
    Column::new(column::OUTCOME, |row| Some(Integer(row.entry.outcome as i32))),
    Column::new(column::COMPONENTS, |row| Some(Octets(&row.components))),
    Column::new(column::CAUSE, |row| Some(Octets(&row.cause))),
    Column::new(column::BLACKOUT, |row| Some(Gauge32(row.entry.blackout_microseconds))),
    Column::new(column::DURATION, |row| Some(Gauge32(row.entry.took_microseconds))),
    Column::new(column::ENDED, |row| Some(TimeTicks(row.entry.ended))),
];

/// The module.
pub struct SwapMib {
    host: Host,
    swaps: SwapsProxy,
    mib: Mib<View>,
    views: Scratch<View>,
}

mib_module!(
    SwapMib,
    component = "mib.swap",
    version = "1.0.0",
    annotation = "SWAP-MIB: the swaps of this agent",
    depends("engine" = "^1")
);

impl Module for SwapMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        Ok(SwapMib {
            host,
            swaps: host.lookup("engine").map_err(|error| format!("engine: {error}"))?,
            mib: Mib::of(&[SWAP])
                .described(&[(&[1, 3, 6, 1, 4, 1, 32_473, 2], "SWAP-MIB: the swaps of this agent")])
                .with(Scalars::new(COUNTERS, COUNTER_COLUMNS, |view: &View| &view.counts))
                .with(Table::new(COMPONENT_ENTRY, COMPONENT_COLUMNS, |view: &View| {
                    &view.components
                }))
                .with(Table::new(TRANSACTION_ENTRY, TRANSACTION_COLUMNS, |view: &View| {
                    &view.transactions
                }))
                .made()?,
            views: Scratch::default(),
        })
    }
}

impl Served for SwapMib {
    type View = View;
    type State = ();

    fn mib(&self) -> &Mib<View> {
        &self.mib
    }

    fn view<T>(
        &self,
        act: &Activity,
        answer: impl FnOnce(&View) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        self.views.lend(|view| {
            // Asked first: what changes after that is another revision, and is looked at the next time.
            let revision = Some(self.swaps.swaps_revision(act)?);
            if view.revision != revision {
                *view = View { revision, ..self.look(act)? };
            }
            answer(view)
        })
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl SwapMib {
    fn look(&self, act: &Activity) -> Result<View, CallError> {
        let (mut past, mut components) = (List::new(), List::new());
        let (mut texts, mut origins) = (Buf::new(), Buf::new());
        self.swaps.past_swaps(act, &mut past, &mut texts)?;
        self.swaps.swapped_components(act, &mut components, &mut origins)?;
        let text = |texts: &Buf, span: Span| span.of(texts).unwrap_or_default().to_vec();
        let transactions = past.iter().filter_map(|entry| {
            let (components, cause) = (text(&texts, entry.components), text(&texts, entry.cause));
            // The index is an Unsigned32; as many swaps as do not fit in it take longer than hosts live.
            let number = u32::try_from(entry.number).ok()?;
            Some((number, Transaction { entry: *entry, components, cause }))
        });
        let components = components.iter().map(|entry| {
            (entry.number, Component { entry: *entry, origin: text(&origins, entry.origin) })
        });
        Ok(View {
            revision: None,
            counts: self.swaps.swap_counts(act)?,
            components: components.collect(),
            transactions: transactions.collect(),
        })
    }
}
