//! /proc/stat, /proc/vmstat, /proc/loadavg, /proc/uptime: what the processors do.

/// The time that processors spent since the host started, in hundredths of a second (USER_HZ).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// In processes; guests are part of it.
    pub user: u64,
    /// In processes of low priority.
    pub nice: u64,
    /// In the kernel.
    pub system: u64,
    /// Nowhere.
    pub idle: u64,
    /// Nowhere, while somebody waited for a disk.
    pub wait: u64,
    /// In interrupts.
    pub interrupt: u64,
    /// In interrupts that were put off.
    pub soft_interrupt: u64,
    /// In other hosts on the same machine.
    pub steal: u64,
    /// In hosts that run here.
    pub guest: u64,
    /// In hosts of low priority that run here.
    pub guest_nice: u64,
}

impl Ticks {
    /// A line of numbers.
    fn parsed(numbers: &str) -> Self {
        let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Ticks {
            user: next(),
            nice: next(),
            system: next(),
            idle: next(),
            wait: next(),
            interrupt: next(),
            soft_interrupt: next(),
            steal: next(),
            guest: next(),
            guest_nice: next(),
        }
    }

    /// All of it. Guests are in user and nice already.
    pub const fn all(&self) -> u64 {
        self.busy().saturating_add(self.idle).saturating_add(self.wait)
    }

    /// All but waiting and doing nothing.
    pub const fn busy(&self) -> u64 {
        let own = self.user.saturating_add(self.nice).saturating_add(self.system);
        let interrupts = self.interrupt.saturating_add(self.soft_interrupt);
        own.saturating_add(interrupts).saturating_add(self.steal)
    }
}

/// What the host has done since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// All processors together.
    pub all: Ticks,
    /// Each processor, in order.
    pub each: Vec<Ticks>,
    /// Interrupts.
    pub interrupts: u64,
    /// Switches from one thread to another.
    pub contexts: u64,
    /// Read from disks, in units of 1024 octets.
    pub paged_in: u64,
    /// Written to disks, in units of 1024 octets.
    pub paged_out: u64,
    /// Pages that came back from swap space.
    pub swapped_in: u64,
    /// Pages that went to swap space.
    pub swapped_out: u64,
}

impl Activity {
    /// Up to now.
    pub fn now() -> Self {
        Self::parsed(&crate::text("/proc/stat"), &crate::text("/proc/vmstat"))
    }

    pub(crate) fn parsed(stat: &str, memory: &str) -> Self {
        let mut activity = Activity::default();
        let first =
            |rest: &str| rest.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        for (key, rest) in stat.lines().filter_map(|line| line.split_once(' ')) {
            match key {
                "cpu" => activity.all = Ticks::parsed(rest),
                "intr" => activity.interrupts = first(rest),
                "ctxt" => activity.contexts = first(rest),
                _ if key.starts_with("cpu") => activity.each.push(Ticks::parsed(rest)),
                _ => {}
            }
        }
        for (key, rest) in memory.lines().filter_map(|line| line.split_once(' ')) {
            match key {
                "pgpgin" => activity.paged_in = first(rest),
                "pgpgout" => activity.paged_out = first(rest),
                "pswpin" => activity.swapped_in = first(rest),
                "pswpout" => activity.swapped_out = first(rest),
                _ => {}
            }
        }
        activity
    }
}

/// Hundredths of a second since the host started.
pub fn uptime() -> u64 {
    hundredths(crate::text("/proc/uptime").split_whitespace().next().unwrap_or_default())
}

/// The load averages of one, five and fifteen minutes, in hundredths.
pub fn load_averages() -> [u64; 3] {
    let text = crate::text("/proc/loadavg");
    let mut words = text.split_whitespace();
    [(); 3].map(|()| hundredths(words.next().unwrap_or_default()))
}

/// A number with two decimals.
fn hundredths(text: &str) -> u64 {
    text.replace('.', "").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_not_being_busy_and_guests_are_counted_once() {
        let ticks = Ticks::parsed("10 1 5 100 20 2 3 4 9 9");
        assert_eq!((ticks.busy(), ticks.all()), (25, 145));
        assert_eq!(Ticks::parsed(""), Ticks::default());
    }

    #[test]
    fn the_whole_is_told_from_its_parts() {
        let stat = "cpu  3 0 0 7\ncpu0 1 0 0 3\ncpu1 2 0 0 4\nintr 99 1 2\nctxt 8\nbtime 5\n";
        let activity = Activity::parsed(stat, "pgpgin 1\npgpgout 2\npswpin 3\npswpout 4\nnr_x 5\n");
        assert_eq!((activity.all.user, activity.each.len(), activity.each[1].idle), (3, 2, 4));
        assert_eq!((activity.interrupts, activity.contexts), (99, 8));
        let paging = (activity.paged_in, activity.paged_out);
        assert_eq!((paging, activity.swapped_in, activity.swapped_out), ((1, 2), 3, 4));
    }

    #[test]
    fn this_host_is_up_and_has_processors() {
        let activity = Activity::now();
        assert!(uptime() > 0 && !activity.each.is_empty() && activity.contexts > 0);
        assert!(activity.all.all() > 0);
    }
}
