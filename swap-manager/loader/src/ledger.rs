//! The ledger: what libraries leave behind in threads, noted as it happens.
//!
//! The four functions at the foot of this file stand in front of glibc's of the same name. They are part
//! of the host's executable, so the dynamic linker finds them first and every loaded module calls them.
//! Each notes the call and passes it on; the note goes when the destructor has run or the thread ended.
//!
//! A note keeps an address, and belongs to the library whose mapping contains it. So it does not matter
//! that a static constructor registers something before the loader knows where the library lies.
//!
//! Never allocates, never locks, never calls itself: it runs before `main`, in every thread, and inside
//! `dlopen`. Invariant: a note that does not fit makes the ledger say so, and then nothing is unloaded.
#![expect(unsafe_code, reason = "stands between modules and the C library's own functions")]

use std::ffi::{CStr, c_int, c_void};
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::SeqCst};

/// What a library has left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Destructors of thread-local data that threads will run when they end.
    pub destructors: usize,
    /// Threads that it started and that have not ended.
    pub threads: usize,
    /// Keys of thread-specific data with a destructor of the library.
    pub keys: usize,
    /// Signal handlers that lie in the library.
    pub signal_handlers: usize,
}

impl Tally {
    /// Nothing at all.
    pub fn is_clean(&self) -> bool {
        *self == Tally::default()
    }
}

// ===== Notes =====

const NOTES: usize = 4096;
const FREE: usize = 0;
const WRITING: usize = 1;
const DESTRUCTOR: usize = 2;
const THREAD: usize = 3;

/// A destructor that will run, or a thread that runs.
struct Note {
    state: AtomicUsize,
    /// The address that says whose it is.
    address: AtomicUsize,
    function: AtomicUsize,
    argument: AtomicPtr<c_void>,
}

static LEDGER: [Note; NOTES] = [const {
    Note {
        state: AtomicUsize::new(FREE),
        address: AtomicUsize::new(0),
        function: AtomicUsize::new(0),
        argument: AtomicPtr::new(std::ptr::null_mut()),
    }
}; NOTES];

/// Where to look for a free note next.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Calls that could not be noted. Never falls: what was lost once may show at any time.
static LOST: AtomicUsize = AtomicUsize::new(0);

impl Note {
    fn claim(
        kind: usize,
        address: usize,
        function: usize,
        argument: *mut c_void,
    ) -> Option<&'static Note> {
        let start = NEXT.fetch_add(1, SeqCst);
        for i in 0..NOTES {
            let note = &LEDGER[start.wrapping_add(i) % NOTES];
            if note.state.compare_exchange(FREE, WRITING, SeqCst, SeqCst).is_ok() {
                note.address.store(address, SeqCst);
                note.function.store(function, SeqCst);
                note.argument.store(argument, SeqCst);
                note.state.store(kind, SeqCst);
                return Some(note);
            }
        }
        LOST.fetch_add(1, SeqCst);
        None
    }

    fn release(&self) {
        self.state.store(FREE, SeqCst);
    }

    fn as_argument(&'static self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// # Safety
    /// `argument` came from [`Note::as_argument`].
    unsafe fn from_argument(argument: *mut c_void) -> &'static Note {
        // SAFETY: notes are static.
        unsafe { &*argument.cast::<Note>() }
    }
}

/// Runs a noted destructor, then takes the note back.
unsafe extern "C" fn run_destructor(note: *mut c_void) {
    // SAFETY: registered with a note that stays claimed until here.
    unsafe {
        let note = Note::from_argument(note);
        let run = std::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void)>(
            note.function.load(SeqCst),
        );
        run(note.argument.load(SeqCst));
        note.release();
    }
}

/// Runs a noted thread, then takes the note back. A thread that leaves by `pthread_exit` keeps its note:
/// its library stays mapped for want of proof.
extern "C" fn run_thread(note: *mut c_void) -> *mut c_void {
    // SAFETY: started with a note that stays claimed until here.
    unsafe {
        let note = Note::from_argument(note);
        let run = std::mem::transmute::<usize, Start>(note.function.load(SeqCst));
        let answer = run(note.argument.load(SeqCst));
        note.release();
        answer
    }
}

// ===== Keys =====

const KEYS: usize = 128;
const NO_KEY: u32 = u32::MAX;

/// A key of thread-specific data whose destructor lies outside the host.
///
/// A key's destructor receives nothing but the value, so each slot has its own function that finds it.
struct Key {
    taken: AtomicUsize,
    key: AtomicU32,
    /// The address that says whose it is.
    address: AtomicUsize,
    /// What to run; null once the key was retired.
    destructor: AtomicUsize,
    /// Threads inside the destructor now.
    running: AtomicUsize,
}

static SLOTS: [Key; KEYS] = [const {
    Key {
        taken: AtomicUsize::new(FREE),
        key: AtomicU32::new(NO_KEY),
        address: AtomicUsize::new(0),
        destructor: AtomicUsize::new(0),
        running: AtomicUsize::new(0),
    }
}; KEYS];

/// Slots are taken in turn, so that one is not used again while its last owner's destructor may still run.
static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn run_key_destructor<const SLOT: usize>(value: *mut c_void) {
    let slot = &SLOTS[SLOT];
    slot.running.fetch_add(1, SeqCst);
    let destructor = slot.destructor.load(SeqCst);
    if destructor != 0 {
        // SAFETY: the owner of the key gave this destructor for its values; `retire_keys` takes the
        // destructor away before it looks at `running`, so the library cannot go in between.
        unsafe { std::mem::transmute::<usize, Destructor>(destructor)(value) }
    }
    slot.running.fetch_sub(1, SeqCst);
}

macro_rules! slot_functions {
    ($($eights:literal)*) => {[$(
        run_key_destructor::<{ $eights * 8 }>, run_key_destructor::<{ $eights * 8 + 1 }>,
        run_key_destructor::<{ $eights * 8 + 2 }>, run_key_destructor::<{ $eights * 8 + 3 }>,
        run_key_destructor::<{ $eights * 8 + 4 }>, run_key_destructor::<{ $eights * 8 + 5 }>,
        run_key_destructor::<{ $eights * 8 + 6 }>, run_key_destructor::<{ $eights * 8 + 7 }>,
    )*]};
}
static SLOT_FUNCTIONS: [Destructor; KEYS] = slot_functions!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

fn claim_slot(destructor: usize) -> Option<usize> {
    let start = NEXT_SLOT.fetch_add(1, SeqCst);
    let slot = (0..KEYS).map(|i| start.wrapping_add(i) % KEYS).find(|i| {
        SLOTS[*i].running.load(SeqCst) == 0
            && SLOTS[*i].taken.compare_exchange(FREE, WRITING, SeqCst, SeqCst).is_ok()
    });
    match slot {
        Some(i) => {
            SLOTS[i].destructor.store(destructor, SeqCst);
            SLOTS[i].address.store(destructor, SeqCst);
        }
        None => {
            LOST.fetch_add(1, SeqCst);
        }
    }
    slot
}

fn release_slot(slot: &Key) {
    slot.address.store(0, SeqCst);
    slot.destructor.store(0, SeqCst);
    slot.key.store(NO_KEY, SeqCst);
    slot.taken.store(FREE, SeqCst);
}

// ===== Read by the loader =====

/// What lies in a range of addresses is still registered somewhere.
pub(crate) fn tally(range: &Range<usize>) -> Tally {
    let mut tally = Tally::default();
    for note in &LEDGER {
        let state = note.state.load(SeqCst);
        if state >= DESTRUCTOR && range.contains(&note.address.load(SeqCst)) {
            if state == DESTRUCTOR {
                tally.destructors += 1;
            } else {
                tally.threads += 1;
            }
        }
    }
    tally.keys = SLOTS.iter().filter(|slot| range.contains(&slot.address.load(SeqCst))).count();
    tally.signal_handlers = signal_handlers(range);
    tally
}

/// Deletes the keys whose destructor lies in a range; answers how many destructors run just now.
///
/// A thread that holds a value for a deleted key ends without the destructor: the value is leaked, which
/// is the price of not running code that is no longer there.
pub(crate) fn retire_keys(range: &Range<usize>) -> usize {
    let mut running = 0;
    for slot in SLOTS.iter().filter(|slot| range.contains(&slot.address.load(SeqCst))) {
        let key = slot.key.swap(NO_KEY, SeqCst);
        if key != NO_KEY {
            // SAFETY: the key was created through us, and its owner will never be called again.
            unsafe { key_delete(key) };
        }
        slot.destructor.store(0, SeqCst);
        match slot.running.load(SeqCst) {
            0 => release_slot(slot),
            // The slot keeps its owner, so that the next sweep looks again.
            inside => running += inside,
        }
    }
    running
}

fn signal_handlers(range: &Range<usize>) -> usize {
    (1..=64)
        .filter(|signal| {
            let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: only asks; all zeros is a valid `sigaction`.
            unsafe {
                libc::sigaction(*signal, std::ptr::null(), action.as_mut_ptr()) == 0
                    && range.contains(&action.assume_init().sa_sigaction)
            }
        })
        .count()
}

/// How many calls could not be noted since the process began.
pub(crate) fn lost() -> usize {
    LOST.load(SeqCst)
}

/// Whether the dynamic linker leads libraries to the functions below, and not past them.
pub fn is_interposed() -> bool {
    let ours: [(&CStr, usize); 4] = [
        (c"__cxa_thread_atexit_impl", __cxa_thread_atexit_impl as *const () as usize),
        (c"pthread_key_create", pthread_key_create as *const () as usize),
        (c"pthread_key_delete", pthread_key_delete as *const () as usize),
        (c"pthread_create", pthread_create as *const () as usize),
    ];
    // SAFETY: looks names up.
    ours.iter()
        .all(|(name, own)| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.addr() == *own)
}

/// Called before a thread is started; null: nothing.
static BEFORE_THREAD: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// From now on calls `hook` before any thread is started. A rehearsal refuses threads there.
pub fn before_each_thread(hook: fn()) {
    BEFORE_THREAD.store(hook as *mut c_void, SeqCst);
}

// ===== Is it the host's own? =====

static HOST_START: AtomicUsize = AtomicUsize::new(0);
static HOST_END: AtomicUsize = AtomicUsize::new(0);

/// The host's executable is never unloaded, so its calls need no note.
fn is_host(address: usize) -> bool {
    let mut end = HOST_END.load(SeqCst);
    if end == 0 {
        let range = host_range();
        HOST_START.store(range.start, SeqCst);
        HOST_END.store(range.end, SeqCst);
        end = range.end;
    }
    address < end && address >= HOST_START.load(SeqCst)
}

/// The executable's range from its program headers, which the kernel tells every process.
fn host_range() -> Range<usize> {
    // SAFETY: the kernel's answers describe the headers of the running executable, which stay mapped.
    let headers = unsafe {
        let (first, count) = (libc::getauxval(libc::AT_PHDR), libc::getauxval(libc::AT_PHNUM));
        let (Ok(first @ 1..), Ok(count)) = (usize::try_from(first), usize::try_from(count)) else {
            return 0..1;
        };
        std::slice::from_raw_parts(
            std::ptr::with_exposed_provenance::<libc::Elf64_Phdr>(first),
            count,
        )
    };
    let at = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let own = headers.iter().find(|header| header.p_type == libc::PT_PHDR);
    let base = own.map_or(0, |own| headers.as_ptr().addr().wrapping_sub(at(own.p_vaddr)));
    let (mut first, mut last) = (usize::MAX, 1);
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        let start = base.wrapping_add(at(header.p_vaddr));
        first = first.min(start);
        last = last.max(start.wrapping_add(at(header.p_memsz)));
    }
    first..last
}

// ===== The C library's own functions =====

type Destructor = unsafe extern "C" fn(*mut c_void);
type Start = extern "C" fn(*mut c_void) -> *mut c_void;
type ThreadAtExit = unsafe extern "C" fn(Destructor, *mut c_void, *mut c_void) -> c_int;
type KeyCreate = unsafe extern "C" fn(*mut libc::pthread_key_t, Option<Destructor>) -> c_int;
type KeyDelete = unsafe extern "C" fn(libc::pthread_key_t) -> c_int;
type ThreadCreate = unsafe extern "C" fn(
    *mut libc::pthread_t,
    *const libc::pthread_attr_t,
    Start,
    *mut c_void,
) -> c_int;

/// The next definition of a name after ours, looked up once.
fn next(cache: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let known = cache.load(SeqCst);
    if !known.is_null() {
        return known;
    }
    // SAFETY: looks a name up behind the executable.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    cache.store(found, SeqCst);
    found
}

macro_rules! real {
    ($name:literal as $type:ty) => {{
        static CACHE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
        // SAFETY: null is `None`; otherwise it is glibc's function of this name, which has this type.
        unsafe { std::mem::transmute::<*mut c_void, Option<$type>>(next(&CACHE, $name)) }
    }};
}

/// Deletes a key without looking at the slots.
///
/// # Safety
/// The key exists.
unsafe fn key_delete(key: libc::pthread_key_t) -> c_int {
    match real!(c"pthread_key_delete" as KeyDelete) {
        // SAFETY: by the caller's promise.
        Some(real) => unsafe { real(key) },
        None => libc::ENOSYS,
    }
}

/// Notes a destructor of thread-local data. `dso` says which library it belongs to.
///
/// # Safety
/// As for glibc's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __cxa_thread_atexit_impl(
    run: Destructor,
    object: *mut c_void,
    dso: *mut c_void,
) -> c_int {
    let Some(real) = real!(c"__cxa_thread_atexit_impl" as ThreadAtExit) else { return -1 };
    let function = run as *const () as usize;
    let address = if dso.is_null() { function } else { dso.addr() };
    let note =
        if is_host(address) { None } else { Note::claim(DESTRUCTOR, address, function, object) };
    // SAFETY: passed on as it came, or with our own function around it.
    unsafe {
        match note {
            Some(note) => real(run_destructor, note.as_argument(), dso),
            None => real(run, object, dso),
        }
    }
}

/// Notes a key with a destructor.
///
/// # Safety
/// As for glibc's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_key_create(
    key: *mut libc::pthread_key_t,
    run: Option<Destructor>,
) -> c_int {
    let Some(real) = real!(c"pthread_key_create" as KeyCreate) else { return libc::ENOSYS };
    let function = run.map_or(0, |run| run as *const () as usize);
    // A key without a destructor cannot lead a thread anywhere.
    let slot = if function == 0 || is_host(function) { None } else { claim_slot(function) };
    // SAFETY: passed on as it came, or with the slot's function for its destructor.
    unsafe {
        let Some(slot) = slot else { return real(key, run) };
        let answer = real(key, Some(SLOT_FUNCTIONS[slot]));
        if answer == 0 {
            SLOTS[slot].key.store(*key, SeqCst);
        } else {
            release_slot(&SLOTS[slot]);
        }
        answer
    }
}

/// Takes the note of a key back.
///
/// # Safety
/// As for glibc's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_key_delete(key: libc::pthread_key_t) -> c_int {
    // Before the deletion: afterwards another thread may be given the same key.
    if let Some(slot) = SLOTS.iter().find(|slot| slot.key.load(SeqCst) == key) {
        release_slot(slot);
    }
    // SAFETY: passed on as it came.
    unsafe { key_delete(key) }
}

/// Notes a thread. Its start routine says which library it belongs to.
///
/// # Safety
/// As for glibc's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(real) = real!(c"pthread_create" as ThreadCreate) else { return libc::EAGAIN };
    let function = start as *const () as usize;
    // SAFETY: null is `None`; otherwise `before_each_thread` put a function of this type there.
    let hook =
        unsafe { std::mem::transmute::<*mut c_void, Option<fn()>>(BEFORE_THREAD.load(SeqCst)) };
    if let Some(hook) = hook {
        hook();
    }
    let note =
        if is_host(function) { None } else { Note::claim(THREAD, function, function, argument) };
    // SAFETY: passed on as it came, or with our own function around it.
    unsafe {
        let Some(note) = note else { return real(thread, attributes, start, argument) };
        let answer = real(thread, attributes, run_thread, note.as_argument());
        if answer != 0 {
            note.release();
        }
        answer
    }
}
