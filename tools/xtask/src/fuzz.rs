//! Fuzzing on the stable toolchain: builds the targets of tests/fuzz with coverage instrumentation
//! and runs them from a fixed seed within a bound on runs and on time.
//!
//! It never writes into a committed corpus unless asked with `--keep`: new inputs go to the build
//! directory. Invariant: with the same corpus, seed and number of runs, a run is repeatable, as long
//! as it ends by runs and not by time.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::steps::{Failure, Step};
use crate::workspace::{self, Workspace};

/// A binary of tests/fuzz and what it attacks.
struct Target {
    name: &'static str,
    attacks: &'static str,
    /// Runs in the continuous integration: what a slow core does in about ten seconds, so that a run
    /// there ends by runs and is repeatable.
    runs: u32,
    /// Longest input generated: room for every construct of the format a few times.
    longest: u32,
}

/// In the order in which bytes from outside meet the decoders.
const TARGETS: &[Target] = &[
    Target {
        name: "package",
        attacks: "package files: the archive reader, and admission with a good signature put on",
        runs: 50_000,
        // Four entries of one or two blocks, their headers and the end mark.
        longest: 8192,
    },
    Target {
        name: "manifest",
        attacks: "the JSON of a manifest: read, write, the same manifest again",
        runs: 500_000,
        longest: 4096,
    },
    Target {
        name: "envelope",
        attacks: "the signed envelope: one form, one type, no signature that the key did not make",
        runs: 700_000,
        longest: 4096,
    },
    Target {
        name: "trust",
        attacks: "trust stores and their signed updates: one version at a time",
        runs: 20_000,
        longest: 4096,
    },
    Target {
        name: "journal",
        attacks: "the journal: sound records, torn tails, what a start makes of them",
        runs: 300_000,
        longest: 2048,
    },
    Target {
        name: "value",
        attacks: "the canonical encoding of `Value`: decode, encode, the same bytes again",
        runs: 700_000,
        longest: 1024,
    },
    Target {
        name: "control",
        attacks: "control input: swaps as operators write them down",
        runs: 500_000,
        longest: 1024,
    },
    Target {
        name: "snmpd_conf",
        attacks: "files in the syntax of net-snmp: snmpd.conf, and what snmpd keeps",
        // A file is written and read four times.
        runs: 10_000,
        longest: 2048,
    },
    Target {
        name: "configuration",
        attacks: "sagentd.toml: a configuration, or what is wrong with it",
        // A file is written, and read three times.
        runs: 15_000,
        longest: 2048,
    },
    Target {
        name: "kept",
        attacks: "what is read back: files of the state directory, what modules kept and carried over",
        runs: 15_000,
        longest: 2048,
    },
    Target {
        name: "kernel",
        attacks: "what the kernel says: netlink messages, and the texts of /proc and /sys",
        runs: 500_000,
        longest: 2048,
    },
    Target {
        name: "wire",
        attacks: "SNMP messages: read to the last binding, write, the same message again",
        runs: 1_000_000,
        // Every construct a few times, and lengths of one, two and three octets.
        longest: 1024,
    },
    Target {
        name: "judges",
        attacks: "SNMP messages again: what two other codecs read otherwise is listed",
        // Three codecs, of which two allocate.
        runs: 300_000,
        longest: 1024,
    },
    Target {
        name: "stream",
        attacks: "streams: the same messages, however their octets are cut",
        // Sockets are made and ended twice a run.
        runs: 80_000,
        longest: 2048,
    },
    Target {
        name: "engine",
        attacks: "the whole engine with linked modules: a datagram in, at most one sound answer out",
        // A request runs through a dozen modules, and one of SNMPv3 through twice as many.
        runs: 60_000,
        longest: 1024,
    },
    Target {
        name: "hear",
        attacks: "what comes to the sockets from which notifications leave, while informs wait",
        // The state of three modules is put back before each.
        runs: 20_000,
        longest: 1024,
    },
];

#[derive(Args)]
pub(crate) struct Options {
    /// The target to run; all of them when it is left out. `--list` names them.
    target: Option<String>,
    /// Stop a target after this many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Stop a target after this many runs; only then is a run repeatable to its end.
    #[arg(long)]
    runs: Option<u32>,
    /// Where the generator starts; the same seed gives the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Run the target once on the bytes of FILE, such as an artifact of an earlier finding.
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
    /// Build all targets and run none.
    #[arg(long)]
    build: bool,
    /// Afterwards add to the committed corpus what reaches new code, in its smallest form.
    #[arg(long)]
    keep: bool,
    /// Name the targets and what each one attacks.
    #[arg(long)]
    list: bool,
    /// Stop each target after its own number of runs.
    #[arg(skip)]
    bounded: bool,
}

impl Options {
    /// All targets from the fixed seed, each for its number of runs and at most `seconds`.
    pub(crate) fn bounded(seconds: u32) -> Options {
        Options {
            target: None,
            seconds,
            runs: None,
            seed: 1,
            input: None,
            build: false,
            keep: false,
            list: false,
            bounded: true,
        }
    }
}

/// Builds, then runs what was asked for.
pub(crate) fn steps(workspace: &Workspace, options: &Options) -> Result<Vec<Step>, Failure> {
    if options.list {
        for target in TARGETS {
            println!("{:13} {}", target.name, target.attacks);
        }
        return Ok(Vec::new());
    }
    let chosen = choose(options.target.as_deref())?;
    let bench = Bench::new(workspace)?;
    let mut steps = vec![bench.format(), bench.seeds(), bench.build()];
    if !options.build {
        for target in chosen {
            if let Some(input) = &options.input {
                let input =
                    std::path::absolute(input).map_err(|e| io("cannot resolve", input, e))?;
                let again = format!("cargo xtask fuzz {} --input {}", target.name, input.display());
                steps.push(bench.child("input", target).again(again).arg(input));
                continue;
            }
            steps.push(bench.run(target, options)?);
            if options.keep {
                steps.push(bench.keep(target));
            }
        }
    }
    Ok(steps)
}

fn choose(name: Option<&str>) -> Result<Vec<&'static Target>, Failure> {
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|target| name.is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(Failure::Usage(format!(
            "there is no fuzz target `{}`; there are: {}",
            name.unwrap_or_default(),
            names.join(", ")
        )));
    }
    Ok(chosen)
}

/// Where targets are built and run.
struct Bench {
    /// tests/fuzz
    folder: PathBuf,
    target_dir: PathBuf,
    /// Our own machine's triple, as rustc spells it.
    host: String,
}

impl Bench {
    fn new(workspace: &Workspace) -> Result<Bench, Failure> {
        Ok(Bench {
            folder: workspace.root.join("tests/fuzz"),
            target_dir: workspace.target_dir.join("fuzz"),
            host: workspace::host()?,
        })
    }

    /// The targets are outside the workspace, which `cargo fmt --all` does not leave.
    fn format(&self) -> Step {
        Step::child("fuzz format", "cargo", self.folder.clone())
            .args(["fmt", "--check", "--manifest-path"])
            .arg(self.folder.join("Cargo.toml"))
    }

    /// A seed that its decoder no longer reads would leave that decoder's inside untouched, silently.
    fn seeds(&self) -> Step {
        Step::child("fuzz seeds", "cargo", self.folder.clone())
            .args(["run", "-q", "--example", "seeds", "--manifest-path"])
            .arg(self.folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&self.target_dir)
            .args(["--", "--check"])
    }

    /// What `cargo fuzz` passes, less the sanitizers, which need another toolchain.
    fn build(&self) -> Step {
        let flags = [
            // Coverage of every edge, counted in bytes that libFuzzer reads after each run.
            "-Cpasses=sancov-module",
            "-Cllvm-args=-sanitizer-coverage-level=4",
            "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
            "-Cllvm-args=-sanitizer-coverage-pc-table",
            // Operands of comparisons, so that magic values and lengths are found.
            "-Cllvm-args=-sanitizer-coverage-trace-compares",
            // One unit a crate: the pass numbers edges within a unit.
            "-Ccodegen-units=1",
            "-Cdebug-assertions",
            "--cfg=fuzzing",
        ];
        // Naming the host keeps these flags away from build scripts and macros, which lack the
        // runtime that the instrumentation calls.
        Step::child("fuzz targets", "cargo", self.folder.clone())
            .again("cargo xtask fuzz --build".to_owned())
            .env("RUSTFLAGS", flags.join(" "))
            .args(["build", "--release", "--bins", "--target", &self.host])
            .arg("--manifest-path")
            .arg(self.folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&self.target_dir)
    }

    fn child(&self, what: &str, target: &Target) -> Step {
        let release = self.target_dir.join(&self.host).join("release");
        Step::child(
            &format!("{what} {}", target.name),
            release.join(target.name),
            self.folder.clone(),
        )
    }

    /// Inputs found on this machine and not committed.
    fn found(&self, target: &Target) -> PathBuf {
        self.target_dir.join("found").join(target.name)
    }

    fn corpus(&self, target: &Target) -> PathBuf {
        self.folder.join("corpus").join(target.name)
    }

    fn run(&self, target: &Target, options: &Options) -> Result<Step, Failure> {
        let artifacts = self.folder.join("artifacts").join(target.name);
        let found = self.found(target);
        // What an earlier run found would change what the seed means.
        if found.exists() {
            fs::remove_dir_all(&found).map_err(|source| io("cannot remove", &found, source))?;
        }
        for folder in [&artifacts, &found, &self.corpus(target)] {
            fs::create_dir_all(folder).map_err(|source| io("cannot create", folder, source))?;
        }
        let bound = options.bounded.then_some(target.runs);
        let runs = options.runs.or(bound);
        let mut again = format!(
            "cargo xtask fuzz {} --seed {} --seconds {}",
            target.name, options.seed, options.seconds
        );
        if let Some(runs) = runs {
            again += &format!(" --runs {runs}");
        }
        Ok(self
            .child("fuzz", target)
            .again(again)
            .arg(format!("-seed={}", options.seed))
            .arg(runs.map_or("-runs=-1".to_owned(), |runs| format!("-runs={runs}")))
            .arg(format!("-max_total_time={}", options.seconds))
            .arg(format!("-max_len={}", target.longest))
            // A decoder that needs seconds or gigabytes for a few kilobytes is a finding.
            .args(["-timeout=10", "-rss_limit_mb=1024"])
            .args(["-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(found)
            .arg(self.corpus(target)))
    }

    fn keep(&self, target: &Target) -> Step {
        self.child("corpus", target)
            // Few inputs that together reach every new edge; how often each is taken is not counted,
            // which would keep ten times as many files.
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .arg(self.corpus(target))
            .arg(self.found(target))
    }
}

fn io(what: &'static str, path: &Path, source: std::io::Error) -> Failure {
    Failure::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_binaries_of_the_fuzz_workspace() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("the fuzz manifest");
        let mut lines = manifest.lines();
        let mut binaries = Vec::new();
        while lines.any(|line| line == "[[bin]]") {
            let name = lines.next().expect("a name follows");
            binaries.push(name.replace("name = ", "").replace('"', ""));
        }
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        assert_eq!(names, binaries);
        for name in names {
            assert!(folder.join("corpus").join(name).is_dir(), "corpus of {name}");
        }
    }

    #[test]
    fn unknown_target_is_answered_with_the_known_ones() {
        let failure = choose(Some("valve")).err().expect("there is no such target");
        assert!(failure.to_string().contains("`valve`; there are: package, "));
        assert_eq!(choose(None).expect("all").len(), TARGETS.len());
    }
}
