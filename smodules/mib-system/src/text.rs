//! A text that is configured, or was written by a manager, or is what it was from the start.

use mib_kit::syntax::octets;
use roles::varbind::{ErrorStatus, VarValue};

/// A DisplayString of the system group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    /// Goes before everything else, and cannot be written over.
    pub(crate) configured: Option<Vec<u8>>,
    /// What a manager wrote last.
    pub(crate) written: Option<Vec<u8>>,
    /// What it is otherwise.
    pub(crate) default: Vec<u8>,
}

impl Text {
    pub(crate) fn value(&self) -> &[u8] {
        self.configured.as_ref().or(self.written.as_ref()).unwrap_or(&self.default)
    }

    /// Takes a checked value.
    pub(crate) fn write(&mut self, value: VarValue<'_>) -> Result<(), ErrorStatus> {
        if self.configured.is_some() {
            // RFC 3416 §4.2.5 step 9: it is there, and cannot be changed no matter what is written.
            return Err(ErrorStatus::NotWritable);
        }
        self.written = Some(octets(value)?.to_vec());
        Ok(())
    }
}
