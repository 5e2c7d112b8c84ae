//! Swaps: how long the gate is closed, how long a whole swap takes, and what many of them leave behind.
//!
//! Invariant: all swaps but those of the repositories' comparison happen under callers that saturate the
//! machine, and the calls are counted on both sides.

use crate::host::{Callers, Error, Host, Maker, Package, Seen, component_name};
use crate::report::{Progress, Spread};
use crate::role::Bench as _;
use s_tests::roles::{Rows as _, RowsProxy};
use s_transaction::{Outcome, Phase};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

/// Two callers saturate the machine class that the lines are for.
pub(crate) const CALLERS: usize = 2;

/// Members of the group.
const GROUP: usize = 8;

/// Rows of the large resident table.
const ROWS: u64 = 1_000_000;

/// Counts calls on both sides: what callers were answered and what the modules carried along.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) lost: u64,
    pub(crate) mixed: u64,
    pub(crate) answered: u64,
}

impl Ledger {
    /// The total of that name in the result.
    pub(crate) fn of(&mut self, name: &str) -> Option<&mut u64> {
        match name {
            "lost_calls" => Some(&mut self.lost),
            "mixed_calls" => Some(&mut self.mixed),
            "calls_answered" => Some(&mut self.answered),
            _ => None,
        }
    }

    fn add(&mut self, seen: Seen, counted: u64) {
        self.lost += seen.failed + seen.answered.abs_diff(counted);
        self.mixed += seen.mixed;
        self.answered += seen.answered;
    }
}

/// A host whose counted calls are checked at the end.
fn counted(host: &Host) -> Result<u64, Error> {
    let mut worker = host.runtime.worker();
    let act = worker.activity();
    let mut total = 0;
    for proxy in host.proxies()? {
        // The question is a call itself.
        total += proxy.count(&act)?.counted - 1;
    }
    Ok(total)
}

fn one(
    maker: &Maker,
    parent: &Path,
    versions: [Package; 2],
    preflight: bool,
) -> Result<Host, Error> {
    Host::start(maker, parent, &[component_name(0)], vec![versions], preflight)
}

/// Runs swaps under two callers, and hands each outcome's blackout to `keep`.
fn under_callers(
    host: &mut Host,
    ledger: &mut Ledger,
    work: impl FnOnce(&mut Host) -> Result<(), Error>,
) -> Result<(), Error> {
    let before = counted(host)? + host.components.len() as u64;
    let callers = Callers::counting(host, CALLERS)?;
    let done = work(host);
    let seen = callers.stop();
    done?;
    ledger.add(seen, counted(host)? - before);
    Ok(())
}

fn blackout(host: &mut Host, into: &mut Spread) -> Result<Outcome, Error> {
    let outcome = host.swap()?;
    let blackout = outcome.blackout.ok_or("a swap with state did not close its gate")?;
    into.add(blackout.as_secs_f64() * 1e6);
    Ok(outcome)
}

/// Blackouts by what is carried.
pub(crate) struct Blackouts {
    pub(crate) nothing: Spread,
    pub(crate) small: Spread,
    /// What the phases behind the closed gate take of that; the commit lasts until the record is durable.
    pub(crate) small_phases: BTreeMap<&'static str, Spread>,
    pub(crate) large: Spread,
    pub(crate) resident: Spread,
}

/// Blackouts under two callers; the kinds of state take turns.
pub(crate) fn blackouts(
    maker: &Maker,
    parent: &Path,
    swaps: usize,
    ledger: &mut Ledger,
    progress: &Progress,
) -> Result<Blackouts, Error> {
    const TURNS: usize = 10;
    const SMALL: u64 = 64 << 10;
    let versions = maker.versions("bench", 0)?;
    let mut host = one(maker, parent, versions, false)?;
    let mut rows = resident_host(maker, parent, progress)?;
    let mut all = Blackouts {
        nothing: Spread::default(),
        small: Spread::default(),
        small_phases: BTreeMap::new(),
        large: Spread::default(),
        resident: Spread::default(),
    };
    for turn in 0..TURNS {
        progress.say(&format!("blackouts, turn {} of {TURNS}", turn + 1));
        let kinds = [
            (0, swaps, &mut all.nothing),
            (SMALL, swaps, &mut all.small),
            (16 << 20, swaps / 10, &mut all.large),
        ];
        for (octets, swaps, spread) in kinds {
            resize(&host, octets)?;
            under_callers(&mut host, ledger, |host| {
                for _ in 0..swaps.div_ceil(TURNS) {
                    let outcome = blackout(host, spread)?;
                    let behind = [Phase::Quiesce, Phase::MapState, Phase::Commit];
                    for span in outcome
                        .phases
                        .iter()
                        .filter(|span| octets == SMALL && behind.contains(&span.phase))
                    {
                        let took = span.took.as_secs_f64() * 1e6;
                        all.small_phases.entry(span.phase.name()).or_default().add(took);
                    }
                }
                Ok(())
            })?;
        }
        let proxy: RowsProxy = rows.runtime.proxy("rows")?;
        let callers = Callers::start(rows.runtime, CALLERS, move |act| {
            let first = proxy.count(act)?.version;
            proxy.get(act, 4711)?;
            Ok((3, proxy.count(act)?.version == first))
        });
        let done = (0..swaps.div_ceil(TURNS))
            .try_for_each(|_| blackout(&mut rows, &mut all.resident).map(drop));
        let seen = callers.stop();
        done?;
        ledger.add(seen, seen.answered);
    }
    Ok(all)
}

fn resident_host(maker: &Maker, parent: &Path, progress: &Progress) -> Result<Host, Error> {
    let versions = maker.versions("resident", 0)?;
    let host = Host::start(maker, parent, &["rows".to_owned()], vec![versions], false)?;
    progress.say(&format!("filling a resident table with {ROWS} rows"));
    let proxy: RowsProxy = host.runtime.proxy("rows")?;
    let mut worker = host.runtime.worker();
    let act = worker.activity();
    let filled = proxy.fill(&act, ROWS)?;
    if filled == ROWS { Ok(()) } else { Err(format!("the resident table has {filled} rows")) }?;
    drop(act);
    Ok(host)
}

fn resize(host: &Host, octets: u64) -> Result<(), Error> {
    let mut worker = host.runtime.worker();
    let act = worker.activity();
    for proxy in host.proxies()? {
        proxy.resize(&act, octets)?;
    }
    Ok(())
}

/// Blackouts of a group of eight that flips together.
pub(crate) fn group(
    maker: &Maker,
    parent: &Path,
    swaps: usize,
    ledger: &mut Ledger,
    progress: &Progress,
) -> Result<Spread, Error> {
    progress.say(&format!("a group of {GROUP}"));
    let names: Vec<_> = (0..GROUP).map(component_name).collect();
    let packages =
        (0..GROUP).map(|member| maker.versions("bench", member)).collect::<Result<_, _>>()?;
    let mut host = Host::start(maker, parent, &names, packages, false)?;
    let mut spread = Spread::default();
    under_callers(&mut host, ledger, |host| {
        (0..swaps).try_for_each(|_| blackout(host, &mut spread).map(drop))
    })?;
    Ok(spread)
}

/// Whole swaps, from the request to the answer, in milliseconds.
#[derive(Default)]
pub(crate) struct Durations {
    pub(crate) without: Spread,
    pub(crate) with: Spread,
    pub(crate) without_under_callers: Spread,
    pub(crate) with_under_callers: Spread,
}

fn timed(host: &mut Host, into: &mut Spread) -> Result<(), Error> {
    let began = Instant::now();
    host.swap()?;
    into.add(began.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Whole swaps with and without preflight, with and without callers, in turn.
pub(crate) fn durations(
    maker: &Maker,
    parent: &Path,
    swaps: usize,
    ledger: &mut Ledger,
    progress: &Progress,
) -> Result<Durations, Error> {
    const TURNS: usize = 5;
    let versions = maker.versions("bench", 0)?;
    let mut without = one(maker, parent, versions.clone(), false)?;
    let mut with = one(maker, parent, versions, true)?;
    let mut all = Durations::default();
    let each = swaps.div_ceil(TURNS);
    for turn in 0..TURNS {
        progress.say(&format!("whole swaps, turn {} of {TURNS}", turn + 1));
        (0..each).try_for_each(|_| timed(&mut without, &mut all.without))?;
        (0..each).try_for_each(|_| timed(&mut with, &mut all.with))?;
        let spread = &mut all.without_under_callers;
        under_callers(&mut without, ledger, |host| {
            (0..each).try_for_each(|_| timed(host, spread))
        })?;
        let spread = &mut all.with_under_callers;
        under_callers(&mut with, ledger, |host| (0..each).try_for_each(|_| timed(host, spread)))?;
    }
    Ok(all)
}

/// What a clean module leaves behind.
pub(crate) struct Residue {
    pub(crate) swaps: usize,
    pub(crate) rss_growth_kib: i64,
    pub(crate) residual_maps: usize,
    pub(crate) blackout: Spread,
    pub(crate) swap_ms: Spread,
}

/// Many swaps under two callers; each loads new sealed memory and unloads the old.
pub(crate) fn endurance(
    maker: &Maker,
    parent: &Path,
    swaps: usize,
    ledger: &mut Ledger,
    progress: &Progress,
) -> Result<Residue, Error> {
    let versions = maker.versions("bench", 0)?;
    // Hosts measured before this one serve as long as the process lives.
    let others = mapped_modules()?;
    let mut host = one(maker, parent, versions, false)?;
    // What is measured is the host: the figures have their memory before.
    let (mut blackout, mut swap_ms) = (Spread::with_room(swaps), Spread::with_room(swaps));
    let (mut before, mut after) = (0, 0);
    under_callers(&mut host, ledger, |host| {
        // History, allocator and journal reach their sizes first.
        for swap in 0..swaps.min(1000) {
            host.swap()?;
            progress.every(swap, "settling: swap");
        }
        before = settled_kib(host)?;
        for swap in 0..swaps {
            let began = Instant::now();
            let outcome = host.swap()?;
            swap_ms.add(began.elapsed().as_secs_f64() * 1e3);
            blackout.add(outcome.blackout.unwrap_or_default().as_secs_f64() * 1e6);
            progress.every(swap, &format!("of {swaps} under callers: swap"));
        }
        after = settled_kib(host)?;
        Ok(())
    })?;
    // Callers are gone, so the last predecessor is unloaded by now or never.
    host.manager.status();
    let mapped = mapped_modules()?;
    let serving = host.components.len();
    Ok(Residue {
        swaps,
        rss_growth_kib: after - before,
        residual_maps: mapped.saturating_sub(serving + others),
        blackout,
        swap_ms,
    })
}

/// Memory in use between swaps: the median after each of a few dozen, because callers may still
/// hold a predecessor mapped at any one instant.
fn settled_kib(host: &mut Host) -> Result<i64, Error> {
    const SAMPLES: usize = 65;
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        host.swap()?;
        samples.push(resident_kib()?);
    }
    samples.sort_unstable();
    Ok(samples[SAMPLES / 2])
}

/// Memory in use, as exact as the kernel tells.
fn resident_kib() -> Result<i64, Error> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .ok_or("the kernel tells no resident size")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// How many sealed modules are mapped, by their inodes.
fn mapped_modules() -> Result<usize, Error> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let modules = maps.lines().filter(|line| line.contains("s-module:"));
    let inodes: BTreeSet<_> =
        modules.filter_map(|line| line.split_ascii_whitespace().nth(4)).collect();
    Ok(inodes.len())
}
