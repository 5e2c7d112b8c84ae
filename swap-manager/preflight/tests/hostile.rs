//! Modules that misbehave in every way we could think of: each costs one child, and the answer names the
//! step and the cause.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../../loader/tests/fixtures/mod.rs"]
mod fixtures;

use s_loader::Sealed;
use s_preflight::{Limits, Rehearsal, RehearsalError, Report, Request, StateCopy, Step};
use std::time::Duration;

fn rehearsal() -> Rehearsal {
    Rehearsal {
        executable: env!("CARGO_BIN_EXE_rehearsal-child").into(),
        limits: Limits::default(),
    }
}

fn seal(defines: &[(&str, &str)]) -> Sealed {
    Sealed::new("hostile", &fixtures::module(defines), None).unwrap()
}

fn rehearse(defines: &[(&str, &str)]) -> Result<Report, RehearsalError> {
    rehearsal().rehearse(&seal(defines), &Request::default())
}

/// What a module that does `body` at some point is told.
fn told(hook: &str, body: &str) -> String {
    rehearse(&[(hook, body)]).expect_err(body).to_string()
}

fn warns(report: &Report, of: &str) -> bool {
    report.warnings.iter().any(|warning| warning.contains(of))
}

/// Nothing is wrong but for what the kernel of this machine lacks.
fn is_clean(warnings: &[String]) -> bool {
    warnings.iter().all(|warning| warning.starts_with("Landlock is "))
}

#[test]
fn a_clean_module_passes() {
    let report = rehearse(&[]).unwrap();
    assert_eq!(report.description.name, "in-c");
    assert!(
        is_clean(&report.warnings) && report.would_pin.is_none() && report.tally.is_clean(),
        "{report:?}"
    );
    let steps: Vec<_> = report.steps.iter().map(|(step, _)| *step).collect();
    let without_state = |step: &Step| !matches!(step, Step::Import | Step::Export | Step::Compare);
    let expected: Vec<_> = Step::ALL.iter().copied().filter(without_state).collect();
    assert_eq!(steps, expected);
}

#[test]
fn what_crashes_is_named_with_its_step() {
    assert_eq!(told("AT_LOAD", "abort()"), "crashed with SIGABRT in step load");
    assert_eq!(told("AT_LOAD", "*(volatile int *)8 = 1"), "crashed with SIGSEGV in step load");
    assert_eq!(told("AT_INIT", "abort()"), "crashed with SIGABRT in step init");
    assert_eq!(told("AT_INIT", "*(volatile int *)8 = 1"), "crashed with SIGSEGV in step init");
    assert_eq!(told("AT_PREPARE", "raise(SIGFPE)"), "crashed with SIGFPE in step prepare");
    assert_eq!(told("AT_SELF_TEST", "__builtin_trap()"), "crashed with SIGILL in step self_test");
    assert_eq!(told("AT_DROP", "abort()"), "crashed with SIGABRT in step drop");
    let deep = [(
        "GLOBALS",
        "static int deep(volatile int n) { volatile char a[4096]; a[0] = n; return deep(n + 1) + a[0]; }",
    )];
    let error = rehearse(&[deep[0], ("AT_INIT", "deep(0)")]).unwrap_err();
    assert_eq!(error.to_string(), "crashed with SIGSEGV in step init");
}

#[test]
fn what_ends_the_process_is_named() {
    assert_eq!(told("AT_LOAD", "exit(3)"), "ended the process with status 3 in step load");
    assert_eq!(told("AT_INIT", "exit(0)"), "ended the process with status 0 in step init");
    assert_eq!(
        told("AT_SELF_TEST", "_exit(9)"),
        "ended the process with status 9 in step self_test"
    );
}

#[test]
fn what_takes_too_long_is_ended() {
    let mut rehearsal = rehearsal();
    rehearsal.limits.time = Duration::from_millis(300);
    for (hook, step) in
        [("AT_LOAD", Step::Load), ("AT_INIT", Step::Init), ("AT_SELF_TEST", Step::SelfTest)]
    {
        for body in ["for (;;) usleep(1000)", "for (volatile int i = 0;; i++)"] {
            let error =
                rehearsal.rehearse(&seal(&[(hook, body)]), &Request::default()).unwrap_err();
            assert_eq!(error.to_string(), format!("took longer than 300ms in step {step}"));
        }
    }
}

#[test]
fn what_works_too_long_is_ended_by_the_kernel() {
    let mut rehearsal = rehearsal();
    rehearsal.limits =
        Limits { time: Duration::from_secs(60), cpu: Duration::from_millis(1), ..rehearsal.limits };
    let error = rehearsal
        .rehearse(&seal(&[("AT_INIT", "for (volatile int i = 0;; i++)")]), &Request::default());
    assert_eq!(error.unwrap_err().to_string(), "used more than 1ms of processor time in step init");
}

#[test]
fn forbidden_calls_are_named() {
    let thread = "pthread_t t; pthread_create(&t, 0, (void *)abort, 0)";
    let call = |hook, body| match rehearse(&[("GLOBALS", GLOBALS), (hook, body)]).expect_err(body) {
        RehearsalError::Forbidden { call, step } => (call, step),
        other => panic!("{body}: {other}"),
    };
    const GLOBALS: &str = "int socket(int, int, int); int unlink(const char *); int open(const char *, int, ...); \
        long syscall(long, ...); int prctl(int, ...);";
    for (hook, step) in [("AT_LOAD", Step::Load), ("AT_INIT", Step::Init)] {
        assert_eq!(call(hook, thread), ("clone3".into(), step));
        assert_eq!(call(hook, "fork()"), ("clone".into(), step));
        assert_eq!(
            call(hook, "execl(\"/bin/true\", \"true\", (char *)0)"),
            ("execve".into(), step)
        );
        assert_eq!(call(hook, "socket(2, 1, 0)"), ("socket".into(), step));
        assert_eq!(call(hook, "unlink(\"/tmp/nothing\")"), ("unlink".into(), step));
        assert_eq!(call(hook, "open(\"/tmp/nothing\", 0101, 0600)"), ("openat".into(), step));
        assert_eq!(call(hook, "kill(1, 0)"), ("kill".into(), step));
        assert_eq!(call(hook, "write(3, \"x\", 1)"), ("write".into(), step));
        assert_eq!(call(hook, "signal(SIGSYS, SIG_IGN)"), ("rt_sigaction".into(), step));
    }
    // Reading is for the dynamic linker only, and new code is for nobody.
    assert_eq!(call("AT_INIT", "open(\"/etc/passwd\", 0)").0, "openat");
    assert_eq!(call("AT_INIT", "char c; read(4, &c, 1)").0, "read");
    assert_eq!(call("AT_INIT", "syscall(9, 0, 4096, 4, 0x22, -1, 0)").0, "mmap");
}

#[test]
fn what_only_the_dynamic_linker_needs_is_taken_back() {
    let call = |hook, number: i64, arguments: &str| {
        let body = format!("errno_of(syscall({number}, {arguments}))");
        const GLOBALS: &str =
            "long syscall(long, ...); static void errno_of(long answer) { (void)answer; }";
        rehearse(&[("GLOBALS", GLOBALS), (hook, &body)])
    };
    for (number, name, arguments) in [
        (libc::SYS_fcntl, "fcntl", "1, 1"),
        (libc::SYS_ioctl, "ioctl", "1, 0xc0686611, 0"),
        (libc::SYS_lseek, "lseek", "4, 0, 0"),
        (libc::SYS_mprotect, "mprotect", "0, 0, 4"),
        (libc::SYS_mprotect, "mprotect", "0, 0, 7"),
        (libc::SYS_newfstatat, "newfstatat", "-100, \"/\", 0, 0"),
        (libc::SYS_openat, "openat", "-100, \"/\", 0, 0"),
        (libc::SYS_pread64, "pread64", "4, 0, 0, 0"),
        (libc::SYS_prctl, "prctl", "0, 0"),
        (libc::SYS_read, "read", "4, 0, 0"),
        (libc::SYS_seccomp, "seccomp", "0, 0, 0"),
        (libc::SYS_statx, "statx", "1, 0, 0, 0, 0"),
    ] {
        assert!(call("AT_LOAD", number, arguments).is_ok(), "{name}");
        match call("AT_INIT", number, arguments) {
            Err(RehearsalError::Forbidden { call, step: Step::Init }) => assert_eq!(call, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    // What every program does with memory and its open files stays.
    for (number, arguments) in [
        (libc::SYS_mprotect, "0, 0, 3"),
        (libc::SYS_mmap, "0, 4096, 3, 0x22, -1, 0"),
        (libc::SYS_newfstatat, "1, \"\", 0, 0x1000"),
        (libc::SYS_ioctl, "1, 0x5401, 0"),
    ] {
        assert!(call("AT_INIT", number, arguments).is_ok(), "{number}");
    }
    // And what the first filter forbids stays forbidden behind the second.
    match call("AT_INIT", libc::SYS_ioctl, "1, 0x5402, 0") {
        Err(RehearsalError::Forbidden { call, .. }) => assert_eq!(call, "ioctl"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_cannot_be_opened_while_loading_either() {
    let body =
        "if (open(\"/etc/hostname\", 0) >= 0 || open(\"/proc/self/environ\", 0) >= 0) abort()";
    match rehearse(&[("GLOBALS", "int open(const char *, int, ...);"), ("AT_LOAD", body)]) {
        Ok(report) => assert!(!warns(&report, "could read files"), "{report:?}"),
        // Without Landlock the files are open to a static constructor, and the host is told so.
        Err(error) => assert_eq!(error.to_string(), "crashed with SIGABRT in step load"),
    }
}

#[test]
fn memory_is_bounded() {
    let greedy = "for (;;) if (!malloc(32 << 20)) abort()";
    assert_eq!(told("AT_INIT", greedy), "crashed with SIGABRT in step init");
    assert!(rehearse(&[("AT_INIT", "if (malloc((size_t)1 << 40)) abort()")]).is_ok());
}

#[test]
fn prints_go_nowhere_and_harm_nothing() {
    let noisy = "for (int i = 0; i < 100000; i++) { puts(\"hello\"); fprintf(stderr, \"hello\"); } fflush(stdout)";
    rehearse(&[("AT_INIT", noisy)]).unwrap();
}

#[test]
fn no_votes_and_panics_carry_the_words_of_the_module() {
    assert_eq!(
        told("AT_PREPARE", "return say(why, \"not on a Friday\")"),
        "refused in step prepare: not on a Friday"
    );
    assert_eq!(told("AT_INIT", "return say(why, \"no key\")"), "refused in step init: no key");
    assert_eq!(
        told("AT_SELF_TEST", "say(why, \"boom\"); return 2"),
        "panicked in step self_test: boom"
    );
    let nothing = rehearse(&[("AT_INIT", "return 0")]).unwrap_err();
    assert!(matches!(nothing, RehearsalError::Unacceptable { step: Step::Init, .. }), "{nothing}");
    let strange = rehearse(&[("AT_INIT", "return 77")]).unwrap_err();
    assert_eq!(strange.to_string(), "not acceptable in step init: answered with status 77");
    let reason = "for (int i = 0; i < 10000; i++) say(why, \"and so on \"); return 5";
    assert!(told("AT_INIT", reason).len() < 10_000);
}

#[test]
fn what_the_loader_refuses_is_said_in_its_words() {
    let error = rehearse(&[("DESCRIPTOR_ABI", "9")]).unwrap_err();
    assert!(error.to_string().starts_with(
        "not acceptable in step load: the module's descriptor: made for ABI version 9"
    ));
    let sealed = Sealed::new("text", b"#!/bin/sh", None).unwrap();
    assert!(matches!(
        rehearsal().rehearse(&sealed, &Request::default()),
        Err(RehearsalError::Unacceptable { .. })
    ));
}

#[test]
fn a_forged_report_is_read_with_suspicion() {
    for babble in [
        "write(5, \"\\1\\377\\377\\377\\377\", 5)",
        "write(5, \"\\7\\0\\0\\0\\0\", 5)",
        "write(5, \"\\3\\1\\0\\0\\0\\377\", 6)",
    ] {
        let error = rehearse(&[("AT_INIT", babble)]).unwrap_err();
        assert!(matches!(error, RehearsalError::Garbled { .. }), "{error}");
    }
    let endless = "for (;;) write(5, \"\\1\\4\\0\\0\\0init\", 9)";
    assert!(matches!(
        rehearse(&[("AT_INIT", endless)]),
        Err(RehearsalError::Garbled { step: Step::Init, .. })
    ));
    // A report that begins and never goes on is a child that is too slow.
    let mut rehearsal = rehearsal();
    rehearsal.limits.time = Duration::from_millis(200);
    let half = seal(&[("AT_INIT", "write(5, \"\\3\\0\\1\\0\\0\", 5); for (;;) usleep(1000)")]);
    assert!(matches!(
        rehearsal.rehearse(&half, &Request::default()),
        Err(RehearsalError::TooSlow { .. })
    ));
    // So is one that closes the pipe and lives on.
    let quiet = seal(&[("AT_INIT", "close(5); for (;;) usleep(1000)")]);
    assert!(matches!(
        rehearsal.rehearse(&quiet, &Request::default()),
        Err(RehearsalError::TooSlow { .. })
    ));
}

#[test]
fn what_would_pin_is_foreseen() {
    let globals = (
        "GLOBALS",
        "int __cxa_thread_atexit_impl(void (*)(void *), void *, void *); extern void *__dso_handle; \
        static void gone(void *at) {} static char place; static pthread_key_t key;",
    );
    let destructor = ("AT_INIT", "__cxa_thread_atexit_impl(gone, &place, &__dso_handle)");
    let report = rehearse(&[globals, destructor]).unwrap();
    assert_eq!(report.would_pin.as_deref(), Some("1 TLS destructor of a live thread"));
    let handler = ("AT_INIT", "signal(SIGUSR1, (void *)gone)");
    assert_eq!(
        rehearse(&[globals, handler]).unwrap().would_pin.as_deref(),
        Some("1 signal handler installed")
    );
    // A key is not: it is deleted when the time comes.
    let report = rehearse(&[globals, ("AT_INIT", "pthread_key_create(&key, gone)")]).unwrap();
    assert_eq!((report.tally.keys, report.would_pin), (1, None));
}

#[test]
fn state_goes_in_and_comes_back() {
    const GLOBALS: (&str, &str) = ("GLOBALS", "static Slice kept; static char copy[64];");
    const IMPORT: (&str, &str) = (
        "AT_IMPORT",
        "if (version != 3) return say(why, \"no such version\"); memcpy(copy, state.at, state.len); kept.len = state.len",
    );
    const EXPORT: (&str, &str) =
        ("AT_EXPORT", "say(out, copy); if (version == 3) return 0; return 5");
    let request = |version| Request {
        state: Some(StateCopy { version, octets: b"state".to_vec() }),
        ..Request::default()
    };
    let flags = ("DESCRIPTOR_FLAGS", "2");
    let keeps = seal(&[GLOBALS, IMPORT, EXPORT, flags]);
    let report = rehearsal().rehearse(&keeps, &request(3)).unwrap();
    let mapping = report.mapping.unwrap();
    assert!(mapping.back_is_same && mapping.back_octets == 5, "{mapping:?}");

    let error = rehearsal().rehearse(&keeps, &request(4)).unwrap_err();
    assert_eq!(error.to_string(), "refused in step import: no such version");

    let forgets = seal(&[GLOBALS, IMPORT, ("AT_EXPORT", "say(out, \"other\")"), flags]);
    let report = rehearsal().rehearse(&forgets, &request(3)).unwrap();
    assert!(!report.mapping.unwrap().back_is_same);
    assert!(warns(&report, "does not come back as it was"), "{:?}", report.warnings);

    let one_way =
        seal(&[GLOBALS, IMPORT, ("AT_EXPORT", "return say(why, \"no way back\")"), flags]);
    let error = rehearsal().rehearse(&one_way, &request(3)).unwrap_err();
    assert_eq!(error.to_string(), "refused in step export: no way back");

    let report = rehearsal().rehearse(&seal(&[]), &request(3)).unwrap();
    assert!(warns(&report, "would be forgotten"), "{:?}", report.warnings);
}

#[test]
fn a_large_state_gets_through() {
    let octets = vec![7; 8 << 20];
    let request = Request { state: Some(StateCopy { version: 1, octets }), ..Request::default() };
    let sum = "const unsigned char *p = state.at; size_t sum = 0; for (size_t i = 0; i < state.len; i++) sum += p[i]; \
        if (sum != 7 << 23) abort()";
    let module = seal(&[("AT_IMPORT", sum), ("DESCRIPTOR_FLAGS", "2")]);
    assert!(rehearsal().rehearse(&module, &request).unwrap().mapping.is_some());
}

#[test]
fn describing_runs_no_instance() {
    let description = rehearsal().describe(&seal(&[("AT_INIT", "abort()")])).unwrap();
    assert_eq!(
        (description.component.as_str(), description.annotation.as_str()),
        ("test.c", "written by hand")
    );
    assert_eq!(description.to_value().get("name").and_then(s_sdk::Value::as_text), Some("in-c"));
    let error = rehearsal().describe(&seal(&[("AT_LOAD", "abort()")])).unwrap_err();
    assert_eq!(error.to_string(), "crashed with SIGABRT in step load");
}

#[test]
fn a_program_that_does_not_rehearse_is_recognised() {
    let other = Rehearsal { executable: "/bin/true".into(), limits: Limits::default() };
    let error = other.rehearse(&seal(&[]), &Request::default()).unwrap_err();
    assert_eq!(error.to_string(), "ended the process with status 0 in step start");
    let missing = Rehearsal { executable: "/nowhere".into(), limits: Limits::default() };
    assert!(matches!(
        missing.rehearse(&seal(&[]), &Request::default()),
        Err(RehearsalError::Host(_))
    ));
}

#[test]
fn no_child_and_no_descriptor_is_left() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let (good, bad) = (seal(&[]), seal(&[("AT_INIT", "abort()")]));
    let before = open();
    for _ in 0..20 {
        rehearsal().rehearse(&good, &Request::default()).unwrap();
        rehearsal().rehearse(&bad, &Request::default()).unwrap_err();
    }
    // Other tests of this binary open and close files at the same time; forty rehearsals would show.
    assert!(open() < before + 20, "{before} descriptors before, {} now", open());
}
