//! Records and their bytes.
//!
//! A journal is eight bytes of header, then frames: length of the payload (u32, little endian), CRC-32C
//! over length and payload (u32, little endian), payload. The payload is one CBOR array, its kind first.
//!
//! No IO. Invariants: what [`encode`] writes, [`scan`] reads back; reading never panics and never guesses:
//! after the first frame whose checksum does not hold, nothing is believed.

use std::convert::Infallible;
use std::fmt;

use minicbor::decode::Error as CborError;
use minicbor::{Decoder, Encoder};

use super::set::{self, Set};

/// The header; its last byte is the version of the format.
const HEADER: &[u8; 8] = b"S-JRNL\0\x01";
const FRAME_HEAD: usize = 8;

/// A set of some thousand components fits many times; more is not a record but damage.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The SHA-256 of a package file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A transaction is about to close gates.
    Begin {
        /// Its number.
        txn: u64,
        /// The components that it changes.
        members: Vec<String>,
    },
    /// The deciding record: from here on this is the set.
    Commit {
        /// The transaction.
        txn: u64,
        /// Whether it is on trial until its confirm record, so that a restart without that goes back.
        on_trial: bool,
        /// The complete set, not only what changed.
        set: Set,
    },
    /// The confirm window ended well.
    Confirm {
        /// The transaction.
        txn: u64,
    },
    /// Nothing has changed; takes back a commit record of the same transaction.
    Abort {
        /// The transaction.
        txn: u64,
    },
    /// The commit was taken back: from here on this is the set again.
    Rollback {
        /// The transaction.
        txn: u64,
        /// The complete set.
        set: Set,
    },
    /// The process has started with the current set.
    Start {
        /// Counts the starts.
        boot: u64,
    },
    /// The start went well: its set can carry the application.
    Healthy {
        /// The start.
        boot: u64,
    },
    /// The lowest security epoch that a package of this component may have.
    Epoch {
        /// The component.
        component: String,
        /// The epoch.
        epoch: u64,
    },
    /// The trust store that signed updates have led to.
    Trust {
        /// The name under which it is kept.
        path: String,
    },
}

/// What [`scan`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The sound records, in order.
    pub records: Vec<Record>,
    /// How many bytes of the journal they and the header take; what follows is to be cut off.
    pub sound: usize,
    /// What follows, if it is more than unused space.
    pub cut: Option<Cut>,
}

/// The torn end of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins.
    pub at: usize,
    /// How long it is.
    pub bytes: usize,
    /// Where a sound record lies behind the torn one, if one does. A crash between two synced records
    /// cannot do this: the medium has changed what was durable, and records are lost.
    pub sound_again_at: Option<usize>,
}

/// Bytes that must not be cut, because they are whole and not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanFault {
    /// The file is something else.
    #[error("not a journal; it was left untouched, move it away to start anew")]
    NotAJournal,
    /// A journal of a later format.
    #[error(
        "the journal has format {0}, and this version knows {format}; a newer version wrote it: run that",
        format = HEADER[7]
    )]
    Newer(u8),
    /// The checksum holds, the content is unknown.
    #[error(
        "the record at byte {at} is whole but unknown ({why}); a newer version wrote it: run that"
    )]
    Unknown {
        /// Where it begins.
        at: usize,
        /// What was not understood.
        why: String,
    },
}

/// A record that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeFault {
    /// Reading would refuse it.
    #[error("the record takes {0} bytes, more than {MAX_PAYLOAD}; name fewer components")]
    TooLarge(usize),
}

/// The bytes of a journal without records.
pub fn new_journal() -> Vec<u8> {
    HEADER.to_vec()
}

/// The frame of one record.
///
/// # Errors
/// A record that is larger than [`MAX_PAYLOAD`].
pub fn encode(record: &Record) -> Result<Vec<u8>, EncodeFault> {
    let payload = payload(record);
    let len = payload.len();
    let length = match u32::try_from(len) {
        Ok(length) if len <= MAX_PAYLOAD => length.to_le_bytes(),
        _ => return Err(EncodeFault::TooLarge(len)),
    };
    let mut frame = Vec::with_capacity(FRAME_HEAD + len);
    frame.extend_from_slice(&length);
    frame.extend_from_slice(&checksum(length, &payload));
    frame.extend_from_slice(&payload);
    Ok(frame)
}

/// Reads a whole journal, up to the first frame that is not whole.
///
/// # Errors
/// Bytes that are whole and not understood; they must not be cut.
pub fn scan(bytes: &[u8]) -> Result<Scan, ScanFault> {
    if bytes.len() < HEADER.len() || bytes.iter().all(|b| *b == 0) {
        // A crash while the file was made leaves nothing, a piece of the header, or zeros.
        if HEADER.starts_with(bytes) || bytes.iter().all(|b| *b == 0) {
            return Ok(Scan { records: Vec::new(), sound: 0, cut: None });
        }
        return Err(ScanFault::NotAJournal);
    }
    match bytes.strip_prefix(&HEADER[..7]) {
        Some([format, ..]) if *format == HEADER[7] => {}
        Some([format, ..]) if *format > HEADER[7] => return Err(ScanFault::Newer(*format)),
        _ => return Err(ScanFault::NotAJournal),
    }
    let mut records = Vec::new();
    let mut at = HEADER.len();
    while let Some(payload) = frame_at(bytes, at) {
        let record =
            parse(payload).map_err(|fault| ScanFault::Unknown { at, why: fault.to_string() })?;
        records.push(record);
        at += FRAME_HEAD + payload.len();
    }
    Ok(Scan { records, sound: at, cut: cut(bytes, at) })
}

fn cut(bytes: &[u8], at: usize) -> Option<Cut> {
    let tail = bytes.get(at..)?;
    // Reserved and never written.
    if tail.iter().all(|b| *b == 0) {
        return None;
    }
    let sound_again_at = (at + 1..bytes.len()).find(|&later| frame_at(bytes, later).is_some());
    Some(Cut { at, bytes: tail.len(), sound_again_at })
}

/// The payload of the frame that begins here, if it is whole. An empty payload is not a frame, so that
/// zeros are never read as one.
fn frame_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if len == 0 || len > MAX_PAYLOAD {
        return None;
    }
    let payload = rest.get(..len)?;
    (checksum(*length, payload) == *sum).then_some(payload)
}

fn checksum(length: [u8; 4], payload: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(&length), payload).to_le_bytes()
}

fn payload(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A vector takes every byte (its error type is `Infallible`), and integers, text and byte strings
    // have no invalid values; nothing else is written.
    write(&mut Encoder::new(&mut bytes), record).expect("writing into a vector cannot fail");
    bytes
}

pub(super) type Encode<'a> = Encoder<&'a mut Vec<u8>>;
pub(super) type Written = Result<(), minicbor::encode::Error<Infallible>>;

fn write(to: &mut Encode<'_>, record: &Record) -> Written {
    match record {
        Record::Begin { txn, members } => {
            to.array(3)?.u8(1)?.u64(*txn)?.array(members.len() as u64)?;
            for member in members {
                to.str(member)?;
            }
        }
        Record::Commit { txn, on_trial, set } => {
            let fields = 3 + set::fields(set);
            set::write(to.array(fields)?.u8(2)?.u64(*txn)?.bool(*on_trial)?, set)?;
        }
        Record::Confirm { txn } => {
            to.array(2)?.u8(3)?.u64(*txn)?;
        }
        Record::Abort { txn } => {
            to.array(2)?.u8(4)?.u64(*txn)?;
        }
        Record::Rollback { txn, set } => {
            let fields = 2 + set::fields(set);
            set::write(to.array(fields)?.u8(5)?.u64(*txn)?, set)?;
        }
        Record::Start { boot } => {
            to.array(2)?.u8(6)?.u64(*boot)?;
        }
        Record::Healthy { boot } => {
            to.array(2)?.u8(7)?.u64(*boot)?;
        }
        Record::Epoch { component, epoch } => {
            to.array(3)?.u8(8)?.str(component)?.u64(*epoch)?;
        }
        Record::Trust { path } => {
            to.array(2)?.u8(9)?.str(path)?;
        }
    }
    Ok(())
}

fn parse(payload: &[u8]) -> Result<Record, CborError> {
    let mut from = Decoder::new(payload);
    let fields = definite(from.array()?)?;
    let kind = from.u8()?;
    let record = match (kind, fields) {
        (1, 3) => {
            let txn = from.u64()?;
            let count = definite(from.array()?)?;
            // No capacity from a number on disk: the elements have to be there first.
            let members = (0..count).map(|_| from.str().map(str::to_owned));
            Record::Begin { txn, members: members.collect::<Result<_, _>>()? }
        }
        (2, 4 | 5) => {
            let (txn, on_trial) = (from.u64()?, from.bool()?);
            Record::Commit { txn, on_trial, set: set::parse(&mut from, fields - 3)? }
        }
        (3, 2) => Record::Confirm { txn: from.u64()? },
        (4, 2) => Record::Abort { txn: from.u64()? },
        (5, 3 | 4) => {
            let txn = from.u64()?;
            Record::Rollback { txn, set: set::parse(&mut from, fields - 2)? }
        }
        (6, 2) => Record::Start { boot: from.u64()? },
        (7, 2) => Record::Healthy { boot: from.u64()? },
        (8, 3) => Record::Epoch { component: from.str()?.to_owned(), epoch: from.u64()? },
        (9, 2) => Record::Trust { path: from.str()?.to_owned() },
        _ => return Err(CborError::message(format!("kind {kind} with {fields} fields"))),
    };
    if from.position() != payload.len() {
        return Err(CborError::message("bytes after the last field"));
    }
    Ok(record)
}

pub(super) fn definite(length: Option<u64>) -> Result<u64, CborError> {
    length.ok_or_else(|| CborError::message("indefinite length"))
}

impl Digest {
    /// The digest that [`Digest`]'s text names.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the last {} bytes from byte {} on were torn and are cut off",
            self.bytes, self.at
        )?;
        match self.sound_again_at {
            Some(at) => write!(
                f,
                "; a sound record follows at byte {at}: the medium may have lost durable records"
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Bound;
    use proptest::prelude::*;

    fn any_set() -> impl Strategy<Value = Set> {
        let package = proptest::option::of(any::<[u8; 32]>());
        let bound = ("[0-9.]{1,8}", package, prop_oneof![Just(0), any::<u64>()]).prop_map(
            |(version, package, epoch)| Bound { version, package: package.map(Digest), epoch },
        );
        let modules = proptest::collection::btree_map(".{0,12}", bound, 0..5);
        let vacated = proptest::collection::btree_set(".{0,12}", 0..3);
        (modules, proptest::option::of(vacated))
            .prop_map(|(modules, vacated)| Set { modules, vacated })
    }

    fn any_record() -> impl Strategy<Value = Record> {
        prop_oneof![
            (any::<u64>(), proptest::collection::vec(".{0,12}", 0..4))
                .prop_map(|(txn, members)| Record::Begin { txn, members }),
            (any::<u64>(), any::<bool>(), any_set())
                .prop_map(|(txn, on_trial, set)| Record::Commit { txn, on_trial, set }),
            any::<u64>().prop_map(|txn| Record::Confirm { txn }),
            any::<u64>().prop_map(|txn| Record::Abort { txn }),
            (any::<u64>(), any_set()).prop_map(|(txn, set)| Record::Rollback { txn, set }),
            any::<u64>().prop_map(|boot| Record::Start { boot }),
            any::<u64>().prop_map(|boot| Record::Healthy { boot }),
            (".{0,12}", any::<u64>())
                .prop_map(|(component, epoch)| Record::Epoch { component, epoch }),
            ".{0,12}".prop_map(|path| Record::Trust { path }),
        ]
    }

    fn journal(records: &[Record]) -> Vec<u8> {
        let mut bytes = new_journal();
        for record in records {
            bytes.extend(encode(record).unwrap());
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(records in proptest::collection::vec(any_record(), 0..6)) {
            let bytes = journal(&records);
            let expected = Scan { records, sound: bytes.len(), cut: None };
            prop_assert_eq!(scan(&bytes).unwrap(), expected);
        }

        #[test]
        fn a_torn_journal_gives_the_records_before_the_tear(
            records in proptest::collection::vec(any_record(), 1..5), at in any::<prop::sample::Index>(),
        ) {
            let bytes = journal(&records);
            let torn = scan(&bytes[..at.index(bytes.len())]).unwrap();
            prop_assert_eq!(&torn.records[..], &records[..torn.records.len()]);
            prop_assert!(torn.records.len() < records.len());
        }

        #[test]
        fn one_changed_byte_is_never_believed(
            records in proptest::collection::vec(any_record(), 1..4),
            at in any::<prop::sample::Index>(), change in 1..=255u8,
        ) {
            let mut bytes = journal(&records);
            let at = HEADER.len() + at.index(bytes.len() - HEADER.len());
            bytes[at] ^= change;
            let found = scan(&bytes).unwrap();
            prop_assert!(found.sound <= at);
            prop_assert_eq!(&found.records[..], &records[..found.records.len()]);
        }

        #[test]
        fn any_bytes_are_a_journal_or_a_fault(mut bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
            let _ = scan(&bytes);
            let payload = bytes.clone();
            let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
            bytes = new_journal();
            bytes.extend(length);
            bytes.extend(checksum(length, &payload));
            bytes.extend(payload);
            // A whole frame of nonsense is a fault or a record, never something to cut.
            if let Ok(found) = scan(&bytes) {
                prop_assert_eq!(found.cut, None);
            }
        }
    }

    #[test]
    fn a_set_of_an_earlier_version_is_read_and_written_again_as_it_was() {
        // [2, 7, true, {"a": ["1.0", null]}] and [5, 7, {"a": ["1.0", null]}].
        let set = [0xa1, 0x61, b'a', 0x82, 0x63, b'1', b'.', b'0', 0xf6];
        for head in [&[0x84, 2, 7, 0xf5][..], &[0x83, 5, 7]] {
            let bytes = [head, &set].concat();
            let record = parse(&bytes).unwrap();
            let (Record::Commit { set, .. } | Record::Rollback { set, .. }) = &record else {
                panic!("{record:?}")
            };
            assert_eq!((set.modules["a"].epoch, &set.vacated), (0, &None));
            assert_eq!(payload(&record), bytes);
        }
    }

    #[test]
    fn reserved_space_is_not_a_torn_tail() {
        let mut bytes = journal(&[Record::Start { boot: 1 }]);
        let sound = bytes.len();
        bytes.extend([0; 512]);
        let found = scan(&bytes).unwrap();
        assert_eq!((found.records.len(), found.sound, found.cut), (1, sound, None));
    }

    #[test]
    fn a_sound_record_behind_a_bad_one_is_reported_and_not_believed() {
        let first = journal(&[Record::Start { boot: 1 }]).len();
        let mut bytes = journal(&[1, 2, 3].map(|boot| Record::Start { boot }));
        let second = encode(&Record::Start { boot: 2 }).unwrap().len();
        bytes[first + 4] ^= 1;
        let found = scan(&bytes).unwrap();
        assert_eq!(found.records, [Record::Start { boot: 1 }]);
        assert_eq!(found.cut.unwrap().sound_again_at, Some(first + second));
    }

    #[test]
    fn another_file_or_a_newer_format_is_left_alone() {
        assert_eq!(scan(b"#!/bin/sh\n"), Err(ScanFault::NotAJournal));
        assert_eq!(scan(b"S-JRNL\0\x02"), Err(ScanFault::Newer(2)));
        assert_eq!(scan(b"S-JRNL\0\0"), Err(ScanFault::NotAJournal));
        assert_eq!(scan(&HEADER[..5]).unwrap().sound, 0);
    }

    #[test]
    fn a_record_that_reading_would_refuse_is_not_written() {
        let record = Record::Trust { path: "x".repeat(MAX_PAYLOAD) };
        assert!(matches!(encode(&record), Err(EncodeFault::TooLarge(_))));
    }
}
