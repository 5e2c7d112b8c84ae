//! Where the facts about a module come from.
//! Never guesses a fact: they come from the module itself or from a file that its builder wrote.

use std::path::Path;

use s_package::Facts;

use crate::files;
use crate::output::Failure;

/// A list of facts is far smaller than this.
const FACTS_BYTES_MAX: u64 = 128 << 10;

/// The facts from a file if there is one, else from the code for this machine.
pub(crate) fn facts(file: Option<&Path>, own_code: Option<&Path>) -> Result<Facts, Failure> {
    match (file, own_code) {
        (Some(file), _) => facts_in(file),
        (None, Some(code)) => facts_of(code),
        (None, None) => Err(Failure::usage(
            "code for other targets cannot be described here; give --facts FILE.json",
        )),
    }
}

/// Code for another target cannot be run here, so this way always stays.
fn facts_in(path: &Path) -> Result<Facts, Failure> {
    let bytes = files::read(path, FACTS_BYTES_MAX)?;
    Facts::parse(&bytes).map_err(|fault| Failure::from(fault).about(path))
}

/// What the code tells when it is described in a confined child process.
fn facts_of(code: &Path) -> Result<Facts, Failure> {
    let message = "this swapctl was built without the rehearsal that describes code; \
                   give the facts with --facts FILE.json (see `swapctl pack --help`)";
    Err(Failure::refused("not-described", message).about(code))
}
