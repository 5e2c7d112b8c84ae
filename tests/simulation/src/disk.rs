//! A disk that can be full, fail, tear and forget, as real ones do.
//!
//! Two views: what reading answers now (the page cache) and what is left after the power is lost. After a
//! failed sync the kernel counts the lost bytes as written: a later sync does not bring them back.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use s_transaction::journal::Disk;

use crate::dice::Dice;

/// A handle; the disk outlives the process that has it open.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    dice: Dice,
    /// A fault once in so many operations; 0 for none.
    faults: u64,
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Written and not synced.
    dirty: Vec<Range<usize>>,
    cut_unsynced: bool,
    /// The file that a power loss may bring back, because the directory was not synced after a rename.
    old_file: Option<Vec<u8>>,
    reserved_to: usize,
}

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            dice: Dice::new(seed),
            faults: 0,
            cached: Vec::new(),
            durable: Vec::new(),
            dirty: Vec::new(),
            cut_unsynced: false,
            old_file: None,
            reserved_to: 0,
        })))
    }

    pub(crate) fn set_faults(&self, once_in: u64) {
        self.0.borrow_mut().faults = once_in;
    }

    /// The machine loses its power: of what was not synced, any part may be left.
    pub(crate) fn lose_power(&self) {
        let mut disk = self.0.borrow_mut();
        let disk = &mut *disk;
        if let Some(old) = disk.old_file.take()
            && disk.dice.once_in(2)
        {
            disk.durable = old;
        } else {
            if disk.cut_unsynced && disk.dice.once_in(2) {
                disk.durable.truncate(disk.cached.len());
            }
            for range in std::mem::take(&mut disk.dirty) {
                let torn = disk.dice.place(range.len() + 1);
                if disk.dice.once_in(3) {
                    continue;
                }
                store(
                    &mut disk.durable,
                    range.start,
                    &disk.cached[range.start..range.start + torn],
                );
            }
        }
        disk.dirty.clear();
        disk.cut_unsynced = false;
        disk.cached = disk.durable.clone();
    }
}

impl State {
    fn fault(&mut self) -> bool {
        self.faults > 0 && self.dice.once_in(self.faults)
    }
}

fn store(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    let end = at + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(new);
}

fn place(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(io::Error::other)
}

impl Disk for SimDisk {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.0.borrow().cached.clone())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let (at, mut disk) = (place(at)?, self.0.borrow_mut());
        let disk = &mut *disk;
        let mut len = bytes.len();
        let mut result = Ok(());
        if disk.fault() {
            // Reserved space is not full, but a device can fail anywhere.
            let full = at + len > disk.reserved_to;
            len = disk.dice.place(len + 1);
            let kind = if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
            result = Err(kind.into());
        }
        store(&mut disk.cached, at, &bytes[..len]);
        disk.dirty.push(at..at + len);
        result
    }

    fn cut(&mut self, at: u64) -> io::Result<()> {
        let (at, mut disk) = (place(at)?, self.0.borrow_mut());
        if disk.fault() {
            return Err(io::ErrorKind::Other.into());
        }
        disk.cached.truncate(at);
        disk.cut_unsynced = true;
        for range in &mut disk.dirty {
            *range = range.start.min(at)..range.end.min(at);
        }
        Ok(())
    }

    fn reserve(&mut self, at: u64, bytes: u64) -> io::Result<()> {
        let (to, mut disk) = (place(at + bytes)?, self.0.borrow_mut());
        if disk.fault() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.reserved_to = to;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        let disk = &mut *disk;
        if disk.fault() {
            // The kernel forgets what it could not write.
            disk.dirty.clear();
            return Err(io::ErrorKind::Other.into());
        }
        disk.durable.truncate(disk.cached.len());
        for range in std::mem::take(&mut disk.dirty) {
            store(&mut disk.durable, range.start, &disk.cached[range]);
        }
        disk.cut_unsynced = false;
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        let disk = &mut *disk;
        if disk.fault() && disk.dice.once_in(2) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let directory_fails = disk.fault();
        let old = std::mem::replace(&mut disk.durable, bytes.to_vec());
        disk.cached = bytes.to_vec();
        disk.dirty.clear();
        disk.cut_unsynced = false;
        if directory_fails {
            // The oldest file that may come back stays that one.
            disk.old_file.get_or_insert(old);
            return Err(io::ErrorKind::Other.into());
        }
        disk.old_file = None;
        Ok(())
    }
}
