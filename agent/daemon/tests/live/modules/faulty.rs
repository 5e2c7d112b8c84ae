//! A module for the component `mib.udp` that carries state and does one thing wrong: what its code says.
//!
//! The code holds one sentence, `fault: nothing`. A test writes another one over it before it packs the code, so
//! a whole gallery costs one build. Invariant: with `nothing` it is sound.

/// The module; the state that it carries has one field of this name.
macro_rules! faulty {
    ($field:ident) => {
        use mib_kit::{Column, Mib, Scalars, Served, mib_module};
        use roles::mib::MibError;
        use roles::varbind::VarValue;
        use s_sdk::{Activity, CarriesState, Host, Module, Part, Refusal, State, Vote};
        use std::cell::RefCell;
        use std::hint::black_box;
        use std::thread;
        use std::time::Duration;

        const UDP: &[u32] = &[1, 3, 6, 1, 2, 1, 7];

        const COLUMNS: &[Column<()>] = &[Column::new(1, |()| Some(VarValue::Counter32(7)))];

        /// When, what, and in its life alone if it says `later`: `later init panics`.
        static FAULT: [u8; 40] = *b"fault: nothing                          ";

        thread_local! {
            static KEPT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }

        /// Whether this is what it does wrong.
        fn is(when: &str, what: &str) -> bool {
            // The compiler knows another sentence than the one that is there when it runs.
            let fault = std::str::from_utf8(black_box(&FAULT)).unwrap_or_default();
            let fault = fault.trim_start_matches("fault: ").trim_end();
            let fault = match fault.strip_prefix("later ") {
                // Nothing keeps a module from pretending in its rehearsal.
                Some(_) if std::env::var_os("S_MODULE_REHEARSAL").is_some() => return false,
                Some(later) => later,
                None => fault,
            };
            fault.split_once(' ') == Some((when, what))
        }

        /// What can go wrong at any time.
        fn step(when: &str) {
            if is(when, "panics") {
                panic!("{when} panics as it was made to");
            }
            if is(when, "loops") {
                loop {
                    std::hint::spin_loop();
                }
            }
            if is(when, "hangs") {
                loop {
                    thread::park();
                }
            }
            if is(when, "sleeps") {
                thread::sleep(Duration::from_secs(2));
            }
            if is(when, "aborts") {
                std::process::abort();
            }
            if is(when, "exits") {
                std::process::exit(0);
            }
            if is(when, "segfaults") {
                // SAFETY: none; the read faults, which is what it is for.
                black_box(unsafe { std::ptr::without_provenance::<u8>(8).read_volatile() });
            }
            if is(when, "spawns") {
                thread::spawn(|| {
                    loop {
                        thread::park();
                    }
                });
            }
            if is(when, "keeps") {
                KEPT.with_borrow_mut(|kept| kept.push(1));
            }
        }

        extern "C" fn construct() {
            step("construct");
        }

        #[used]
        #[unsafe(link_section = ".init_array")]
        static CONSTRUCTOR: extern "C" fn() = construct;

        /// The module.
        pub struct Faulty {
            host: Host,
            mib: Mib<()>,
        }

        /// What it carries.
        #[derive(State)]
        #[state(kind = "faulty", version = 1)]
        pub struct Carried {
            /// Its only field.
            pub $field: Vec<u8>,
        }

        mib_module!(
            Faulty,
            component = "mib.udp",
            version = "9.0.0",
            annotation = "does one thing wrong",
            carries_state
        );

        impl Module for Faulty {
            fn init(host: Host) -> Result<Self, Refusal> {
                step("init");
                if is("init", "is critical") {
                    std::mem::forget(host.critical());
                }
                let mib = Mib::of(&[UDP])
                    .described(&[(&[1, 3, 6, 1, 2, 1, 50], "faulty")])
                    .with(Scalars::new(UDP, COLUMNS, |view: &()| view))
                    .made()?;
                Ok(Faulty { host, mib })
            }

            fn prepare(&self, part: Part<'_>) -> Vote {
                let when = match part {
                    Part::Comes { .. } => "prepare",
                    Part::Goes { .. } => "going",
                };
                step(when);
                if is(when, "votes no") { Vote::No("the moon is full".into()) } else { Vote::Yes }
            }

            fn self_test(&self, _: &Activity) -> Result<(), Refusal> {
                step("self_test");
                Ok(())
            }

            fn hold(&self) {
                step("hold");
            }

            fn restart(&self) {
                step("restart");
            }

            fn term(&self) {
                step("term");
            }
        }

        impl CarriesState for Faulty {
            type State = Carried;

            fn export(&self) -> Carried {
                step("export");
                let size = if is("export", "is giant") { 256 << 20 } else { 1 };
                Carried { $field: vec![1; size] }
            }

            fn import(&self, _: Carried) -> Result<(), Refusal> {
                step("import");
                if is("import", "refuses") { Err("beneath me".into()) } else { Ok(()) }
            }
        }

        impl Drop for Faulty {
            fn drop(&mut self) {
                step("drop");
            }
        }

        impl Served for Faulty {
            type View = ();
            type State = ();

            fn mib(&self) -> &Mib<()> {
                &self.mib
            }

            fn view<T>(
                &self,
                _act: &Activity,
                answer: impl FnOnce(&()) -> Result<T, MibError>,
            ) -> Result<T, MibError> {
                step("view");
                answer(&())
            }

            fn now(&self) -> Duration {
                self.host.now()
            }
        }
    };
}
