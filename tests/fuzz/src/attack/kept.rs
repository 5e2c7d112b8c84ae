//! What is read back after a restart or a swap: files of the state directory, what modules kept, and what they
//! carried over.
//!
//! Promises checked: a file holds what was written or nothing; a module that does not take something back has
//! changed nothing; and what it took over it writes in one form, which it takes over again. The first octet says
//! which reader gets the rest; checksums, which stop most mutations, are put on here.

use crate::identity;
use crate::modules::{Hosted, hosted};
use crate::store::{Kept, Store};
use std::cell::LazyCell;
use std::path::PathBuf;

struct Bench {
    modules: Vec<Hosted>,
    folder: PathBuf,
    store: Store,
}

thread_local! {
    static BENCH: LazyCell<Bench> = LazyCell::new(|| {
        let folder = crate::folder("kept");
        let store = Store::open(&folder).expect("a folder of this process's own");
        Bench { modules: hosted(), folder, store }
    });
}

/// One input.
pub fn run(octets: &[u8]) {
    let Some((&which, content)) = octets.split_first() else { return };
    BENCH.with(|bench| {
        let (at, takes_back) = (usize::from(which / 2), which % 2 == 1);
        match bench.modules.get(at) {
            None => files(bench, content),
            Some(module) => {
                if takes_back {
                    take_back(module, content);
                } else {
                    carry_over(module, content);
                }
                module.begin_anew();
            }
        }
    });
}

/// Files as they are found, and with a head that fits.
fn files(bench: &Bench, content: &[u8]) {
    let Bench { folder, store, .. } = bench;
    let put = |name: &str, octets: &[u8]| {
        std::fs::write(folder.join(name), octets).expect("a file of this process's own");
    };
    put("file", content);
    put("file.before", &framed(content));
    match store.read("file", |content| Some(content.to_vec())).expect("a file that can be read") {
        Kept::Newest(read) => assert_eq!(framed(&read), content),
        Kept::Before(read, warning) => assert!(read == content && warning.is_some()),
        other => panic!("{other:?} where a sound file is"),
    }
    put(identity::FILE, &framed(content));
    if let Some(engine) = identity::kept(store).expect("a file that can be read") {
        put(identity::EARLIER, &framed(content));
        let boots = identity::earlier_boots(store, &engine.engine_id);
        assert!(boots.is_ok_and(|boots| boots <= identity::LATEST_BOOT));
    }
}

/// A sound file with some content.
fn framed(content: &[u8]) -> Vec<u8> {
    let (len, sum) = (content.len() as u64, crc32c::crc32c(content));
    [b"sagent 1", &len.to_be_bytes()[..], &sum.to_be_bytes(), content].concat()
}

fn take_back(module: &Hosted, content: &[u8]) {
    let Some(before) = module.saved() else { return };
    if module.restore(content) {
        let once = module.saved();
        let again = once.as_deref().is_some_and(|once| module.restore(once));
        assert!(again, "{} does not take back what it kept", module.name);
        assert_eq!(module.saved(), once, "{}", module.name);
    } else {
        assert_eq!(module.saved(), Some(before), "{} was changed", module.name);
    }
}

fn carry_over(module: &Hosted, content: &[u8]) {
    if module.import(content).is_err() {
        return;
    }
    let once = module.exported();
    if let Err(why) = module.import(&once) {
        panic!("{} does not take over what it exported: {why}", module.name);
    }
    assert_eq!(module.exported(), once, "{}", module.name);
}
