//! The journal: its records, torn tails, and what they mean for a start.
//!
//! Promises checked: sound records survive being cut to what was sound, being written anew and being
//! compacted; a torn end loses nothing before it. Checksums stop most mutations, so the input is
//! also read as payloads that get good checksums here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use s_transaction::journal::{
    Scan, StartPolicy, candidates, compacted, encode, new_journal, recover, scan,
};

fuzz_target!(|bytes: &[u8]| {
    judge(bytes);
    judge(&framed(bytes));
});

fn judge(journal: &[u8]) {
    let Ok(Scan { records, sound, .. }) = scan(journal) else { return };

    let cut = scan(&journal[..sound]).expect("what was sound is sound alone");
    assert_eq!((&cut.records, cut.sound, &cut.cut), (&records, sound, &None));

    let mut anew = new_journal();
    for record in &records {
        anew.extend(encode(record).expect("what was read can be written"));
    }
    assert_eq!(scan(&anew).expect("what was written can be read").records, records);

    // A crash while the last bytes were written leaves a beginning of the journal.
    for length in [journal.len() / 2, journal.len().saturating_sub(1)] {
        let torn = scan(&journal[..length]).expect("a beginning of a journal is one");
        assert!(records.starts_with(&torn.records));
    }

    let facts = recover(&records);
    let first = candidates(&facts, StartPolicy::default());
    assert_eq!(first.is_empty(), facts.current().is_none());
    let again = recover(&compacted(&facts, 2));
    assert_eq!(again.current(), facts.current());
    assert_eq!(again.previous(), facts.previous());
    assert_eq!((again.last_txn, again.last_boot), (facts.last_txn, facts.last_boot));
    assert_eq!(candidates(&again, StartPolicy::default()), first);
}

/// A journal whose frames hold pieces of `bytes`, each as long as the byte before it says.
fn framed(mut bytes: &[u8]) -> Vec<u8> {
    let mut journal = new_journal();
    while let Some((&length, rest)) = bytes.split_first() {
        let (payload, rest) = rest.split_at(rest.len().min(length.into()));
        let length = u32::from(length).min(payload.len() as u32).to_le_bytes();
        let sum = crc32c::crc32c_append(crc32c::crc32c(&length), payload);
        journal.extend(length);
        journal.extend(sum.to_le_bytes());
        journal.extend(payload);
        bytes = rest;
    }
    journal
}
