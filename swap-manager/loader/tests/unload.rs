//! Unloading on evidence: clean modules go, the others stay and say why, until nothing holds them.

#![allow(unsafe_code, reason = "calls the functions of C fixtures")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fixtures;

use fixtures::module;
use s_loader::{Budget, LoadedModule, Loader, PinReason, Sealed, Unload};
use s_sdk::Buf;
use s_sdk::abi::{HostLink, Status};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

fn load(loader: &Loader, defines: &[(&str, &str)]) -> Arc<LoadedModule> {
    loader.load(Sealed::new("unload", &module(defines), None).unwrap()).unwrap()
}

/// A link to no host, in the layout of [`HostLink`]: the fixtures keep it but never use it.
#[repr(C)]
struct NoHost(*const c_void, *const c_void);

/// Runs the module's `init`, which is where the fixtures do what they do.
fn init(module: &LoadedModule) {
    type Init = unsafe extern "C" fn(NoHost, &mut *mut c_void, &mut Buf) -> Status;
    let mut this = std::ptr::null_mut();
    // SAFETY: a fixture's `init`, whose module is loaded; the instance is freed at once.
    unsafe {
        let init: Init = std::mem::transmute::<unsafe extern "C" fn(HostLink, _, _) -> _, _>(
            module.lifecycle().init,
        );
        assert_eq!(
            init(NoHost(std::ptr::null(), std::ptr::null()), &mut this, &mut Buf::new()),
            Status::OK
        );
        (module.lifecycle().drop)(this);
    }
}

const DESTRUCTOR: &[(&str, &str)] = &[
    (
        "GLOBALS",
        "int __cxa_thread_atexit_impl(void (*)(void *), void *, void *); extern void *__dso_handle; \
        static void gone(void *at) { *(volatile char *)at = 1; } static char place;",
    ),
    ("AT_INIT", "__cxa_thread_atexit_impl(gone, &place, &__dso_handle)"),
];

const KEY: &[(&str, &str)] = &[
    (
        "GLOBALS",
        "static pthread_key_t key; static void gone(void *at) { *(volatile char *)at = 1; } \
        static char place;",
    ),
    ("AT_INIT", "pthread_key_create(&key, gone); pthread_setspecific(key, &place)"),
];

#[test]
fn the_ledger_stands_before_the_c_library() {
    assert!(s_loader::ledger::is_interposed());
}

#[test]
fn a_destructor_of_a_living_thread_pins_until_the_thread_ends() {
    let loader = Loader::new(Budget::default());
    let module = load(&loader, DESTRUCTOR);
    let (done, wait) = mpsc::channel::<()>();
    let (ready, started) = mpsc::channel();
    let inside = Arc::clone(&module);
    let thread = std::thread::spawn(move || {
        init(&inside);
        drop(inside);
        ready.send(()).unwrap();
        wait.recv().unwrap_err();
    });
    started.recv().unwrap();
    assert_eq!(module.tally().destructors, 1);
    let outcome = loader.unload(module);
    assert_eq!(outcome, Unload::Pinned(PinReason::Destructors(1)));
    assert_eq!(outcome.to_string(), "pinned: 1 TLS destructor of a live thread");
    assert!(loader.sweep().is_empty());
    drop(done);
    thread.join().unwrap();
    assert_eq!(loader.sweep().len(), 1);
    assert!(loader.pinned().is_empty());
}

#[test]
fn a_destructor_registered_while_loading_is_noted_too() {
    let loader = Loader::new(Budget::default());
    let defines: Vec<_> =
        DESTRUCTOR.iter().map(|(name, body)| (name.replace("INIT", "LOAD"), *body)).collect();
    let defines: Vec<_> = defines.iter().map(|(name, body)| (name.as_str(), *body)).collect();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let module = load(&loader, &defines);
            assert_eq!(loader.unload(module), Unload::Pinned(PinReason::Destructors(1)));
        });
        // The end of a scope waits for the closure; joining waits for the thread's destructors too.
        thread.join().unwrap();
    });
    assert_eq!(loader.sweep().len(), 1);
}

#[test]
fn a_key_is_deleted_so_that_its_module_can_go_while_the_thread_lives() {
    let loader = Loader::new(Budget::default());
    for _ in 0..3000 {
        // More rounds than a process has keys.
        static OCTETS: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let octets = OCTETS.get_or_init(|| module(KEY));
        let module = loader.load(Sealed::new("key", octets, None).unwrap()).unwrap();
        init(&module);
        assert_eq!(module.tally().keys, 1);
        assert_eq!(loader.unload(module), Unload::Unloaded);
    }
    // And this thread ends without running code that is gone: the test would crash.
}

#[test]
fn a_destructor_of_a_key_that_runs_just_now_pins() {
    let loader = Loader::new(Budget::default());
    let defines = [
        (
            "GLOBALS",
            "static pthread_key_t key; \
            static void gone(void *at) { volatile char *go = at; go[1] = 1; while (!*go) usleep(100); } \
 static char flags[2];",
        ),
        ("AT_INIT", "pthread_key_create(&key, gone); pthread_setspecific(key, flags)"),
        ("AT_SELF_TEST", "*(char **)lane = flags"),
    ];
    let module = load(&loader, &defines);
    let mut flags: *mut AtomicBool = std::ptr::null_mut();
    // SAFETY: this fixture's self-test writes the address of its flags to where the lane points.
    unsafe {
        (module.lifecycle().self_test)(std::ptr::null(), (&raw mut flags).cast(), &mut Buf::new())
    };
    let inside = Arc::clone(&module);
    let thread = std::thread::spawn(move || init(&inside));
    // SAFETY: the module is loaded until the destructor has ended.
    while !unsafe { &*flags.add(1) }.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    assert_eq!(loader.unload(module), Unload::Pinned(PinReason::RunningDestructors(1)));
    assert!(loader.sweep().is_empty());
    // SAFETY: as above.
    unsafe { &*flags }.store(true, Ordering::SeqCst);
    thread.join().unwrap();
    assert_eq!(loader.sweep().len(), 1);
}

#[test]
fn a_thread_that_it_started_pins_until_it_ends() {
    let loader = Loader::new(Budget::default());
    let module = load(
        &loader,
        &[
            (
                "GLOBALS",
                "static volatile char stop; static pthread_t thread; \
                static void *run(void *at) { while (!stop) usleep(100); return 0; }",
            ),
            ("AT_INIT", "pthread_create(&thread, 0, run, 0)"),
            ("AT_SELF_TEST", "stop = 1; pthread_join(thread, 0)"),
        ],
    );
    init(&module);
    assert_eq!(module.tally().threads, 1);
    let stop = module.lifecycle().self_test;
    let outcome = loader.unload(module);
    assert_eq!(outcome.to_string(), "pinned: a thread that it started still runs");
    // SAFETY: pinned, so the function is still there; this fixture looks at none of its arguments.
    unsafe { stop(std::ptr::null(), std::ptr::null(), &mut Buf::new()) };
    assert_eq!(loader.sweep().len(), 1);
}

#[test]
fn an_installed_signal_handler_pins() {
    let loader = Loader::new(Budget::default());
    let module = load(
        &loader,
        &[
            ("GLOBALS", "static void handle(int signal) {}"),
            ("AT_INIT", "signal(SIGUSR2, handle)"),
            ("AT_SELF_TEST", "signal(SIGUSR2, SIG_DFL)"),
        ],
    );
    init(&module);
    let restore = module.lifecycle().self_test;
    assert_eq!(loader.unload(module).to_string(), "pinned: 1 signal handler installed");
    // SAFETY: pinned, so the function is still there; this fixture looks at none of its arguments.
    unsafe { restore(std::ptr::null(), std::ptr::null(), &mut Buf::new()) };
    assert_eq!(loader.sweep().len(), 1);
}

#[test]
fn what_is_held_is_not_unloaded() {
    let loader = Loader::new(Budget::default());
    let module = load(&loader, &[]);
    let instance = module.instance();
    let outcome = loader.unload(module);
    assert_eq!(outcome.to_string(), "pinned: 1 instance still live");
    assert!(loader.sweep().is_empty(), "not ours to unload yet");
    assert_eq!(instance.name(), "in-c");
    drop(instance);
    assert_eq!(loader.pinned()[0].reason, PinReason::NotTried);
    assert_eq!(loader.sweep().len(), 1);
}

#[test]
fn a_used_up_budget_admits_nothing_until_something_goes() {
    let loader = Loader::new(Budget { pinned_max: 2 });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                loader.admit().unwrap();
                let module = load(&loader, DESTRUCTOR);
                init(&module);
                loader.unload(module);
            }
            let error = loader.admit().unwrap_err();
            assert_eq!((error.pinned, error.budget), (2, 2));
            assert!(
                error.to_string().contains("in-c 1.2.3 of test.c is pinned: 1 TLS destructor"),
                "{error}"
            );
        });
    });
    loader.admit().unwrap();
}

#[test]
fn a_library_that_the_linker_keeps_is_pinned() {
    let loader = Loader::new(Budget::default());
    let octets = fixtures::compile(&fixtures::source(&[]), &["-Wl,-z,nodelete"]);
    let module = loader.load(Sealed::new("nodelete", &octets, None).unwrap()).unwrap();
    assert_eq!(loader.unload(module), Unload::Pinned(PinReason::StillMapped));
    assert!(loader.sweep().is_empty());
}
