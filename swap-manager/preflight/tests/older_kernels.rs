//! What a rehearsal is worth on a kernel that cannot confine it: it is held all the same, and its report says
//! what is missing. A filter of our own takes the calls away from a thread and so from the children that it
//! starts, with the answers that such kernels give.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../loader/tests/fixtures/mod.rs"]
mod fixtures;

use s_loader::Sealed;
use s_preflight::{Limits, Rehearsal, RehearsalError, Report, Request, Step};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

/// Rehearses on a thread whose kernel answers these calls with these errors.
fn rehearse_without(
    missing: &'static [(i64, i32)],
    defines: &[(&str, &str)],
) -> Result<Report, RehearsalError> {
    let sealed = Sealed::new("in-c", &fixtures::module(defines), None).unwrap();
    let rehearse = move || {
        for (call, answer) in missing {
            let rules = [(*call, Vec::new())].into_iter().collect();
            let answer = SeccompAction::Errno(answer.unsigned_abs());
            let arch: TargetArch = std::env::consts::ARCH.try_into().unwrap();
            let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).unwrap();
            apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        }
        let executable = env!("CARGO_BIN_EXE_rehearsal-child").into();
        Rehearsal { executable, limits: Limits::default() }.rehearse(&sealed, &Request::default())
    };
    std::thread::spawn(rehearse).join().unwrap()
}

const NO_LANDLOCK: (i64, i32) = (libc::SYS_landlock_create_ruleset, libc::ENOSYS);
const LANDLOCK_OFF: (i64, i32) = (libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP);
/// The last one: behind it no further filter can be laid.
const NO_SECCOMP: (i64, i32) = (libc::SYS_seccomp, libc::EINVAL);
const NO_SECCOMP_CALL: (i64, i32) = (libc::SYS_seccomp, libc::ENOSYS);
const SECCOMP_FAILS: (i64, i32) = (libc::SYS_seccomp, libc::ENOMEM);

const OPENS: [(&str, &str); 2] = [
    ("GLOBALS", "int open(const char *, int, ...);"),
    ("AT_LOAD", "if (open(\"/proc/self/environ\", 0) < 0) abort()"),
];

#[test]
fn without_landlock_the_rehearsal_is_held_and_its_report_says_that_files_could_be_read() {
    let report = rehearse_without(&[NO_LANDLOCK], &OPENS).unwrap();
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    assert!(warning.starts_with("Landlock is not in force: this kernel has none"), "{warning}");
    assert!(warning.ends_with("the module could read files"), "{warning}");
    let report = rehearse_without(&[LANDLOCK_OFF], &[]).unwrap();
    assert!(report.warnings[0].contains("switched off"), "{:?}", report.warnings);
}

#[test]
fn without_filters_the_rehearsal_is_held_and_its_report_says_that_calls_are_not_held_back() {
    const CALLS: [(&str, &str); 2] = [
        ("GLOBALS", "int socket(int, int, int);"),
        ("AT_INIT", "if (socket(1, 1, 0) < 0) abort()"),
    ];
    for missing in [&[NO_SECCOMP][..], &[NO_SECCOMP_CALL]] {
        let report = rehearse_without(missing, &CALLS).unwrap();
        let about = |warning: &&String| warning.starts_with("this kernel has no filters");
        assert_eq!(report.warnings.iter().filter(about).count(), 1, "{:?}", report.warnings);
    }
    // What is held back without them stays so.
    let error = rehearse_without(&[NO_SECCOMP], &[("AT_INIT", "abort()")]).unwrap_err();
    assert_eq!(error.to_string(), "crashed with SIGABRT in step init");
}

#[test]
fn without_both_each_is_told_of() {
    let report = rehearse_without(&[NO_LANDLOCK, NO_SECCOMP], &OPENS).unwrap();
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
}

#[test]
fn a_filter_that_a_kernel_could_have_and_does_not_take_is_a_refusal() {
    let error = rehearse_without(&[SECCOMP_FAILS], &[]).unwrap_err();
    assert!(matches!(error, RehearsalError::Unconfined { step: Step::Start, .. }), "{error}");
}

#[test]
fn a_module_cannot_talk_its_second_filter_away() {
    // While it is mapped it may call `seccomp` as the host does, and has it answer with EINVAL from then on.
    const GLOBALS: &str = "long syscall(long, ...); \
        struct rule { unsigned short code; unsigned char jt, jf; unsigned k; }; \
        struct program { unsigned short len; struct rule *rules; }; \
        static struct rule rules[4]; static struct program program = { 4, rules };";
    // Load the number of the call; is it `seccomp`? then EINVAL, else go on.
    let body = format!(
        "rules[0] = (struct rule){{0x20, 0, 0, 0}}; rules[1] = (struct rule){{0x15, 0, 1, {number}}}; \
         rules[2] = (struct rule){{0x06, 0, 0, 0x00050016}}; rules[3] = (struct rule){{0x06, 0, 0, 0x7fff0000}}; \
         if (syscall({number}, 1, 0, &program)) abort()",
        number = libc::SYS_seccomp
    );
    let error = rehearse_without(&[], &[("GLOBALS", GLOBALS), ("AT_LOAD", &body)]).unwrap_err();
    assert!(matches!(error, RehearsalError::Unconfined { step: Step::Load, .. }), "{error}");
}
