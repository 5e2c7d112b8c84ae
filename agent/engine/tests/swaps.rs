//! The contract suite of what the component `engine` tells of swaps, and what it says of one that lies.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap is a failed test")]

#[path = "../../../smodules/sdk/tests/hosted/mod.rs"]
mod hosted;

use roles::components::ComponentsProxy;
use roles::contract::swaps::suite;
use roles::swaps::{PastSwap, SwapCounts, SwapOutcome, SwappedComponent, Swaps, SwapsProxy};
use roles::varbind::Span;
use s_engine::facts::{S_MODULE, Serving};
use s_engine::{Facts, Identity, SwapEnded};
use s_proxy::Runtime;
use s_sdk::{Activity, Buf, CallError, List};
use std::cell::Cell;
use std::time::Duration;

/// An engine that remembers three swaps, one of each outcome.
fn served() -> &'static Runtime {
    let facts = Facts::new(Identity {
        engine_id: b"\x80\x00\x1f\x88\x04test".to_vec(),
        boots: 3,
        max_message_size: 65507,
        clock: Box::new(|| Duration::from_secs(5)),
    });
    let (runtime, control) = hosted::host();
    let engine = facts.while_starting(|| hosted::serve(&control, "engine", &S_MODULE));
    let none = runtime.add_component("mib.none").unwrap();
    facts.set_components([engine, none].map(Serving::of).into());
    let outcomes = [SwapOutcome::Committed, SwapOutcome::Aborted, SwapOutcome::RolledBack];
    for (number, outcome) in (1..).zip(outcomes) {
        facts.swap_ended(&SwapEnded {
            number,
            outcome,
            members: vec![("mib.none".into(), None)],
            cause: "somebody wanted it".into(),
            blackout: None,
            took: Duration::from_millis(3),
        });
    }
    runtime
}

/// The engine with one sentence of the contract broken.
struct Faulty {
    engine: SwapsProxy,
    fault: u32,
    calls: Cell<u64>,
}

impl Swaps for Faulty {
    fn past_swaps(
        &self,
        act: &Activity,
        entries: &mut List<PastSwap>,
        texts: &mut Buf,
    ) -> Result<(), CallError> {
        self.engine.past_swaps(act, entries, texts)?;
        let last = entries.len() - 1;
        match self.fault {
            1 => entries[last].number = 1,
            4 => entries[last].cause = Span::new(0, 1000),
            _ => {}
        }
        Ok(())
    }
    fn swapped_components(
        &self,
        act: &Activity,
        entries: &mut List<SwappedComponent>,
        texts: &mut Buf,
    ) -> Result<(), CallError> {
        self.engine.swapped_components(act, entries, texts)?;
        match self.fault {
            3 => entries[1].number = entries[0].number,
            30 => entries.truncate(1),
            _ => {}
        }
        Ok(())
    }
    fn swap_counts(&self, act: &Activity) -> Result<SwapCounts, CallError> {
        let counts = self.engine.swap_counts(act)?;
        Ok(if self.fault == 2 { SwapCounts { aborted: 0, ..counts } } else { counts })
    }
    fn swaps_revision(&self, act: &Activity) -> Result<u64, CallError> {
        self.calls.set(self.calls.get() + 1);
        let moved = if self.fault == 5 { self.calls.get() } else { 0 };
        Ok(self.engine.swaps_revision(act)? + moved)
    }
}

#[test]
fn the_engine_keeps_the_contract_and_one_that_breaks_a_sentence_is_found() {
    let runtime = served();
    let components: ComponentsProxy = runtime.proxy("engine").unwrap();
    let engine: SwapsProxy = runtime.proxy("engine").unwrap();
    let mut worker = runtime.worker();
    let act = worker.activity();
    suite(&engine, &components, &act).unwrap();
    for fault in [1, 2, 3, 30, 4, 5] {
        let faulty = Faulty { engine, fault, calls: Cell::new(0) };
        let broken = suite(&faulty, &components, &act).unwrap_err();
        let sentence = if fault >= 10 { fault / 10 } else { fault };
        assert_eq!((broken.role, broken.sentence), ("swaps", sentence), "{broken}");
    }
}
