//! The process dies at any instant; the next start has the old set or the new one, never a mixture.
//!
//! Guarantee 7. The host that is killed is a process of its own, its disk is a real directory, and its
//! signal is SIGKILL.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

mod world;

use s_transaction::journal::{Record, encode, new_journal, scan};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use world::packages::{Recipe, package, trust};

struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("trust.json"), trust().to_json()).unwrap();
        let site = Site { directory };
        for fixture in ["counter_v1", "counter_v2", "echo_v1", "echo_v2"] {
            site.offer(fixture, &format!("{fixture}.smod"));
        }
        site
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn offer(&self, fixture: &str, name: &str) {
        std::fs::write(self.path().join(name), package(fixture)).unwrap();
    }

    fn offer_of_epoch(&self, fixture: &str, epoch: u64, name: &str) {
        let package = Recipe { epoch, ..Recipe::of(fixture) }.build();
        std::fs::write(self.path().join(name), package).unwrap();
    }

    fn journal(&self) -> PathBuf {
        self.path().join("repository/journal")
    }

    fn host(&self, what: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crash-host"));
        command
            .arg(self.path())
            .arg(what)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the host to its end and answers what it printed.
    fn run(&self, what: &str) -> (std::process::ExitStatus, String) {
        let output = self.host(what).output().unwrap();
        (output.status, String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts once more: the set must be whole, the same in memory as answered.
    fn serves_a_whole_set(&self, context: &str) -> String {
        let (status, told) = self.run("show");
        assert!(status.success(), "{context}: the host did not start: {told}");
        let serving = line(&told, "serving ").to_owned();
        assert!(
            serving == "1.0.0 1.0.0" || serving == "2.0.0 2.0.0",
            "{context}: a mixture: {told}"
        );
        let major = &serving[..1];
        assert_eq!(line(&told, "answered "), major, "{context}: {told}");
        serving
    }
}

fn line<'a>(told: &'a str, begins: &str) -> &'a str {
    told.lines()
        .find_map(|line| line.strip_prefix(begins))
        .unwrap_or_else(|| panic!("no `{begins}` in: {told}"))
}

/// How long a swap takes here and now: the mean of a few.
fn time_of_a_swap(site: &Site) -> Duration {
    let mut host = site.host("swap").spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut outcomes = lines.by_ref().filter(|line| line.starts_with("outcome"));
    assert!(outcomes.next().is_some());
    let began = std::time::Instant::now();
    assert_eq!(outcomes.by_ref().take(4).count(), 4);
    let mean = began.elapsed() / 4;
    host.kill().unwrap();
    host.wait().unwrap();
    mean
}

/// Small and reproducible; the seed stands in the message of a failure.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn killed_at_random_instants_it_comes_back_with_a_whole_set() {
    let site = Site::new();
    let seed = std::env::var("S_TESTS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x5eed_0001);
    let mut random = Random(seed);
    let mut served = std::collections::BTreeSet::new();
    // Kills are spread over a little more than two swaps, however fast this machine is.
    let span = time_of_a_swap(&site) * 5 / 2;
    let span = u64::try_from(span.as_micros()).unwrap();
    for round in 0..60 {
        let mut host = site.host("swap").spawn().unwrap();
        let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
        let began = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("serving "));
        assert!(began.is_some(), "seed {seed}, round {round}: the host did not start");
        // What it goes on to print is read, so that a full pipe never stops it.
        let reading = std::thread::spawn(move || {
            lines.map_while(Result::ok).filter(|l| l.starts_with("outcome")).count()
        });
        std::thread::sleep(Duration::from_micros(random.below(span)));
        host.kill().unwrap();
        host.wait().unwrap();
        reading.join().unwrap();
        served.insert(site.serves_a_whole_set(&format!("seed {seed}, round {round}")));
    }
    assert_eq!(served.len(), 2, "the kills met both sets: {served:?}");
}

#[test]
fn a_journal_that_ends_at_any_octet_gives_the_old_set_or_the_new_one() {
    // What a crash leaves of the journal is a prefix of it, whole records or torn ones.
    let site = Site::new();
    site.offer("counter_v2", "next.smod");
    let (status, told) = site.run("show");
    assert!(status.success(), "{told}");
    let before = std::fs::metadata(site.journal()).unwrap().len();
    let mut host = site.host("swap").spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("outcome")), "one swap commits");
    host.kill().unwrap();
    host.wait().unwrap();
    let whole = std::fs::read(site.journal()).unwrap();
    let used = whole.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    let before = usize::try_from(before).unwrap().min(used);
    let mut served = std::collections::BTreeSet::new();
    let steps = (used - before / 2).max(1);
    for cut in (before / 2..=used).step_by((steps / 48).max(1)).chain(used.saturating_sub(6)..=used)
    {
        for torn in [false, true] {
            let mut octets = whole[..cut].to_vec();
            if torn {
                // A sector that was never written, and one that was written half.
                octets.extend_from_slice(&[0; 16]);
                octets.extend_from_slice(b"half a record");
            }
            std::fs::write(site.journal(), &octets).unwrap();
            served.insert(
                site.serves_a_whole_set(&format!("journal cut at {cut} of {used}, torn: {torn}")),
            );
        }
    }
    assert_eq!(served.len(), 2, "the cuts met both sets: {served:?}");
}

#[test]
fn a_journal_with_a_damaged_end_opens_and_says_so() {
    let site = Site::new();
    site.offer("counter_v2", "next.smod");
    let (_, told) = site.run("once");
    assert!(line(&told, "outcome ").contains("committed"), "{told}");
    let whole = std::fs::read(site.journal()).unwrap();
    let used = whole.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    for back in 1..=12 {
        let mut octets = whole.clone();
        octets[used - back] ^= 0x40;
        std::fs::write(site.journal(), &octets).unwrap();
        let (status, told) = site.run("show");
        assert!(status.success(), "damaged {back} octets before the end: {told}");
        let serving = line(&told, "serving ");
        assert!(serving == "1.0.0 1.0.0" || serving == "2.0.0 1.0.0", "{told}");
        assert!(
            told.lines().any(|line| line.starts_with("log swap-manager")),
            "it says what was cut: {told}"
        );
    }
}

#[test]
fn a_set_that_crashes_at_each_start_gives_way_to_the_one_before() {
    let site = Site::new();
    site.offer("segfaults_in_call", "next.smod");
    let (status, told) = site.run("show");
    assert!(status.success(), "{told}");
    // A host without rehearsals takes it in; it crashes the process at its first call.
    let (_, told) = site.run("once");
    assert!(line(&told, "outcome ").contains("committed"), "{told}");
    let mut crashes = 0;
    let back = loop {
        let (status, told) = site.run("call");
        if status.success() {
            break told;
        }
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(status.signal(), Some(libc::SIGSEGV), "{told}");
        assert_eq!(line(&told, "serving "), "1.1.0 1.0.0", "{told}");
        crashes += 1;
        assert!(crashes < 10, "it crash-loops for ever");
    };
    assert_eq!(crashes, 3, "so many starts are a crash loop by default");
    assert_eq!(line(&back, "serving "), "1.0.0 1.0.0");
    assert!(back.contains("LastCrashLoops"), "{back}");
    // For good: the next start does not try it again.
    let (status, told) = site.run("call");
    assert!(status.success(), "{told}");
    assert_eq!(line(&told, "serving "), "1.0.0 1.0.0");
}

#[test]
fn the_epoch_of_a_set_counts_though_its_process_died_before_the_confirm_record() {
    let site = Site::new();
    site.offer_of_epoch("counter_v2", 4, "next.smod");
    let (_, told) = site.run("once");
    assert!(line(&told, "outcome ").contains("committed"), "{told}");
    // It is killed between the two records.
    let mut records = scan(&std::fs::read(site.journal()).unwrap()).unwrap().records;
    assert!(matches!(records.pop(), Some(Record::Confirm { txn: 1 })), "{records:?}");
    assert!(matches!(records.last(), Some(Record::Commit { txn: 1, .. })), "{records:?}");
    let frames = records.iter().flat_map(|record| encode(record).unwrap());
    std::fs::write(site.journal(), new_journal().into_iter().chain(frames).collect::<Vec<_>>())
        .unwrap();

    site.offer_of_epoch("counter_v3", 3, "next.smod");
    // Not at the first start, and not at one after it.
    for _ in 0..2 {
        let (_, told) = site.run("once");
        assert_eq!(line(&told, "serving "), "2.0.0 1.0.0", "the set is kept: {told}");
        let outcome = line(&told, "outcome ");
        assert!(outcome.contains("epoch 3 and 4 was already admitted"), "{told}");
    }
}

#[test]
fn the_epoch_of_a_set_counts_though_its_confirm_record_could_not_be_written() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let site = Site::new();
    site.offer_of_epoch("counter_v2", 4, "next.smod");
    site.offer_of_epoch("counter_v3", 3, "older.smod");
    // A write beyond the largest size of a file is an error for a process that ignores the signal of it.
    let host = site.host("doubt");
    let mut patient = Command::new("sh");
    patient.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    patient.arg(host.get_program()).args(host.get_args());
    let mut host = patient.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut orders = host.stdin.take().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next = |begins: &str| {
        let line = lines.find(|line| line.starts_with(begins));
        line.unwrap_or_else(|| panic!("the host ended without `{begins}`"))
    };
    let pid = Pid::from_child(&host);
    let limit = |current| {
        let limit = Rlimit { current, maximum: None };
        prlimit(Some(pid), Resource::Fsize, limit).unwrap()
    };
    next("window");
    let before = limit(Some(std::fs::metadata(site.journal()).unwrap().len()));
    writeln!(orders, "confirm").unwrap();
    let outcome = next("outcome ");
    assert!(outcome.contains("committed") && outcome.contains("File too large"), "{outcome}");
    limit(before.current);
    writeln!(orders, "go on").unwrap();
    let older = next("older.smod ");
    assert!(older.contains("epoch 3 and 4 was already admitted"), "{older}");
    // The next swap settles the record: a restart knows it, too.
    assert!(next("echo_v2.smod ").contains("committed"));
    assert!(host.wait().unwrap().success());
    site.offer_of_epoch("counter_v3", 3, "next.smod");
    let (_, told) = site.run("once");
    assert_eq!(line(&told, "serving "), "2.0.0 2.0.0", "{told}");
    assert!(line(&told, "outcome ").contains("epoch 3 and 4 was already admitted"), "{told}");
}

#[test]
fn a_package_that_vanished_or_changed_on_the_disk_is_not_run() {
    for damage in [true, false] {
        let site = Site::new();
        site.offer("counter_v2", "next.smod");
        let (_, told) = site.run("once");
        assert!(line(&told, "outcome ").contains("committed"), "{told}");
        let kept = std::fs::read_dir(site.path().join("repository/packages"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        for path in kept {
            if damage {
                let mut bytes = std::fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&path, bytes).unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
        }
        assert_eq!(site.serves_a_whole_set("the set before"), "1.0.0 1.0.0");
    }
}

#[test]
fn a_second_process_on_the_same_directory_is_kept_out() {
    let site = Site::new();
    let mut host = site.host("swap").spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("serving ")));
    let (status, told) = site.run("show");
    assert!(!status.success() && told.contains("in use by another process"), "{told}");
    host.kill().unwrap();
    host.wait().unwrap();
}

#[test]
fn a_full_disk_refuses_the_swap_and_the_old_version_answers() {
    let mount = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(mount.path()) else {
        eprintln!("skipped: a small disk needs the right to mount one");
        return;
    };
    let world = world::World::at(
        mount.path(),
        &[
            ("counter", Some(&world::counter_v1::S_MODULE)),
            ("echo", Some(&world::echo_v1::S_MODULE)),
        ],
        |_| {},
    );
    let callers = world::Callers::start(&world, 1);
    // Fill it to the last page.
    let filler = mount.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    let block = vec![7; 64 << 10];
    while file.write_all(&block).is_ok() {}
    let outcome = world.swap("counter_v2");
    assert_eq!(outcome.verdict, s_transaction::Verdict::Aborted, "{outcome}");
    let text = outcome.to_string();
    assert!(text.contains("no space left") && text.contains("1.0.0 still serving"), "{text}");
    // Emptied, not just removed: a child that another test starts may hold it until it begins to run.
    file.set_len(0).unwrap();
    world.must_swap("counter_v2");
    let seen = callers.finish();
    assert_eq!(world.total().total, seen.added);
}

/// A file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"])
            .arg(at)
            .output()
            .ok()?;
        mounted.status.success().then(|| SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the world's journal is still open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
