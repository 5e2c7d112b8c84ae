//! systemStats: what processors, disks and swap space have done, as counters and over the last minute.

use kernel_host::Activity as Doings;
use mib_kit::Column;
use mib_kit::values::{capped, wrapped};
use roles::varbind::VarValue::{self, Counter32, Integer, Octets};
use std::time::Duration;

/// Rates are over the last minute, or since somebody first asked.
const OVER: Duration = Duration::from_secs(60);
/// Less is no time to reckon a rate over.
const AT_LEAST: Duration = Duration::from_secs(1);

/// The columns of counters.
pub(crate) const COUNTERS: &[Column<Doings>] = &[
    Column::new(50, |doings| Some(Counter32(wrapped(doings.all.user)))),
    Column::new(51, |doings| Some(Counter32(wrapped(doings.all.nice)))),
    Column::new(52, |doings| Some(Counter32(wrapped(doings.all.system)))),
    Column::new(53, |doings| Some(Counter32(wrapped(doings.all.idle)))),
    Column::new(54, |doings| Some(Counter32(wrapped(doings.all.wait)))),
    // ssCpuRawKernel is for systems that tell the kernel's time from the system's.
    Column::new(56, |doings| Some(Counter32(wrapped(doings.all.interrupt)))),
    // Blocks are of 512 octets; the kernel says kilobytes.
    Column::new(57, |doings| Some(Counter32(wrapped(doings.paged_out.wrapping_mul(2))))),
    Column::new(58, |doings| Some(Counter32(wrapped(doings.paged_in.wrapping_mul(2))))),
    Column::new(59, |doings| Some(Counter32(wrapped(doings.interrupts)))),
    Column::new(60, |doings| Some(Counter32(wrapped(doings.contexts)))),
    Column::new(61, |doings| Some(Counter32(wrapped(doings.all.soft_interrupt)))),
    Column::new(62, |doings| Some(Counter32(wrapped(doings.swapped_in)))),
    Column::new(63, |doings| Some(Counter32(wrapped(doings.swapped_out)))),
    Column::new(64, |doings| Some(Counter32(wrapped(doings.all.steal)))),
    Column::new(65, |doings| Some(Counter32(wrapped(doings.all.guest)))),
    Column::new(66, |doings| Some(Counter32(wrapped(doings.all.guest_nice)))),
    Column::new(67, |doings| Some(Integer(capped(doings.each.len() as u64)))),
];

/// The columns of rates; holes until there is a time to reckon over.
pub(crate) const RATES: &[Column<Rates>] = &[
    Column::new(1, |_| Some(Integer(1))),
    Column::new(2, |_| Some(Octets(b"systemStats"))),
    // Pages, in kilobytes a second.
    Column::new(3, |rates| rates.a_second(|doings| doings.swapped_in.wrapping_mul(PAGE_KIB))),
    Column::new(4, |rates| rates.a_second(|doings| doings.swapped_out.wrapping_mul(PAGE_KIB))),
    Column::new(5, |rates| rates.a_second(|doings| doings.paged_out.wrapping_mul(2))),
    Column::new(6, |rates| rates.a_second(|doings| doings.paged_in.wrapping_mul(2))),
    Column::new(7, |rates| rates.a_second(|doings| doings.interrupts)),
    Column::new(8, |rates| rates.a_second(|doings| doings.contexts)),
    Column::new(9, |rates| rates.percent(|doings| doings.all.user.wrapping_add(doings.all.nice))),
    Column::new(10, |rates| rates.percent(|doings| doings.all.system)),
    Column::new(11, |rates| rates.percent(|doings| doings.all.idle)),
];

/// A page of swap space on the machines that this runs on.
const PAGE_KIB: u64 = 4;

/// What rates are reckoned from.
#[derive(Clone, Default)]
pub(crate) struct Rates {
    /// Oldest first.
    samples: Vec<(Duration, Doings)>,
}

impl Rates {
    pub(crate) fn new(last: Option<&Rates>, now: Duration, doings: &Doings) -> Self {
        let mut samples = last.map_or(Vec::new(), |last| last.samples.clone());
        // The oldest that is a minute old stays, so that there is always one to reckon from.
        while samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= OVER) {
            samples.remove(0);
        }
        let doings = Doings { each: Vec::new(), ..doings.clone() };
        samples.push((now, doings));
        Rates { samples }
    }

    /// How much a counter moved, and in which time.
    fn moved(&self, of: fn(&Doings) -> u64) -> Option<(u64, Duration)> {
        let ((from, then), (to, now)) = (self.samples.first()?, self.samples.last()?);
        let over = to.saturating_sub(*from);
        (over >= AT_LEAST).then(|| (of(now).saturating_sub(of(then)), over))
    }

    fn a_second(&self, of: fn(&Doings) -> u64) -> Option<VarValue<'static>> {
        let (moved, over) = self.moved(of)?;
        let milliseconds = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        Some(Integer(capped(moved.saturating_mul(1000).checked_div(milliseconds)?)))
    }

    fn percent(&self, of: fn(&Doings) -> u64) -> Option<VarValue<'static>> {
        let ((part, _), (all, _)) = (self.moved(of)?, self.moved(|doings| doings.all.all())?);
        Some(Integer(capped(part.saturating_mul(100).checked_div(all)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel_host::Ticks;

    fn doings(contexts: u64, user: u64, idle: u64) -> Doings {
        let all = Ticks { user, idle, ..Ticks::default() };
        Doings { contexts, all, ..Doings::default() }
    }

    #[test]
    fn rates_are_over_the_time_between_and_there_are_none_without_one() {
        let at = Duration::from_secs;
        let first = Rates::new(None, at(10), &doings(100, 50, 50));
        assert_eq!(first.a_second(|doings| doings.contexts), None);
        let second = Rates::new(Some(&first), at(14), &doings(140, 125, 75));
        assert_eq!(second.a_second(|doings| doings.contexts), Some(Integer(10)));
        assert_eq!(second.percent(|doings| doings.all.user), Some(Integer(75)));
        assert_eq!(second.percent(|doings| doings.all.idle), Some(Integer(25)));
    }

    #[test]
    fn rates_are_of_the_last_minute_however_long_it_goes_on() {
        let mut rates = Rates::default();
        for second in 0..500 {
            // A hundred a second at first, then one.
            let contexts = if second < 100 { second * 100 } else { 10_000 + second };
            rates = Rates::new(Some(&rates), Duration::from_secs(second), &doings(contexts, 0, 0));
        }
        assert_eq!(rates.a_second(|doings| doings.contexts), Some(Integer(1)));
        assert!(rates.samples.len() <= 62, "{}", rates.samples.len());
    }
}
