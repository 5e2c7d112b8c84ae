//! EXAMPLE-MIB: a note that managers leave for each other, and how often one was left.
//!
//! A module that no agent is built with: its component comes into a running agent with it, its names with
//! its component, and all of it goes again. It depends on no other component, and never keeps a note longer
//! than the process: a swap carries it, a restart begins with none.

use mib_kit::{Column, Mib, Scalars, Served, Store, Syntax, Written, mib_module};
use roles::mib::MibError;
use roles::varbind::VarValue::{Counter32, Octets};
use s_sdk::{Activity, CarriesState, Host, Module, Refusal, State};
use std::time::Duration;

/// exampleObjects of the EXAMPLE-MIB.
const EXAMPLE: &[u32] = &[1, 3, 6, 1, 4, 1, 32_473, 3, 1];

/// The note, and what a successor takes over.
#[derive(Clone, Debug, Default, PartialEq, Eq, State)]
#[state(kind = "example", version = 1)]
pub struct Note {
    /// exampleNote.
    pub text: Vec<u8>,
    /// exampleNotes.
    pub count: u32,
}

const COLUMNS: &[Column<Note>] = &[
    Column::writable(
        1,
        |note| Some(Octets(&note.text)),
        Syntax::AdminString(0, 255),
        |note, value| mib_kit::syntax::octets(value).map(|text| note.text = text.to_vec()),
    ),
    Column::new(2, |note| Some(Counter32(note.count))),
];

/// The module.
pub struct ExampleMib {
    host: Host,
    mib: Mib<Note, Note>,
    note: Store<Note>,
}

mib_module!(
    ExampleMib,
    component = "mib.example",
    version = "1.0.0",
    annotation = "EXAMPLE-MIB: a note",
    carries_state
);

impl Module for ExampleMib {
    fn init(host: Host) -> Result<Self, Refusal> {
        let mib = Mib::of(&[EXAMPLE])
            .described(&[(&[1, 3, 6, 1, 4, 1, 32_473, 3], "EXAMPLE-MIB: a note")])
            .with(Scalars::new(EXAMPLE, COLUMNS, |note: &Note| note).writable(|note| note))
            .made()?;
        Ok(ExampleMib { host, mib, note: Store::new(Note::default()) })
    }
}

impl Served for ExampleMib {
    type View = Note;
    type State = Note;

    fn mib(&self) -> &Mib<Note, Note> {
        &self.mib
    }

    fn view<T>(
        &self,
        _act: &Activity,
        answer: impl FnOnce(&Note) -> Result<T, MibError>,
    ) -> Result<T, MibError> {
        answer(&self.note.state())
    }

    fn store(&self) -> Option<&Store<Note>> {
        Some(&self.note)
    }

    /// A SET counts once, however often it names the note.
    fn conclude(
        &self,
        _act: &Activity,
        _before: &Note,
        draft: &mut Note,
        _written: Written<'_>,
    ) -> Result<(), MibError> {
        draft.count = draft.count.wrapping_add(1);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

impl CarriesState for ExampleMib {
    type State = Note;

    fn export(&self) -> Note {
        Note::clone(&self.note.state())
    }

    fn import(&self, state: Note) -> Result<(), Refusal> {
        self.note.update(|note| *note = state);
        Ok(())
    }
}
