//! Where the facts about a module come from.
//! Never guesses a fact: they come from the module itself or from a file that its builder wrote.

use std::path::Path;

use s_loader::Sealed;
use s_package::Facts;
use s_package::archive::Limits;
use s_preflight::Rehearsal;

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
    let bytes = files::read(code, Limits::DEFAULT.package_bytes as u64)?;
    let refused = |why: String| Failure::refused("not-described", why).about(code);
    let sealed =
        Sealed::new("described", &bytes, None).map_err(|error| refused(error.to_string()))?;
    let described =
        Rehearsal::default().describe(&sealed).map_err(|error| refused(error.to_string()))?;
    s_control::facts(&described).map_err(refused)
}
