//! What `sagentd` does besides serving: it writes its own manual page and completion scripts, and what its
//! commands say.

use crate::options::Options;
use clap::CommandFactory as _;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;

/// The commented configuration, which is its own documentation.
const EXAMPLE: &str = include_str!("../../../packaging/sagentd.toml");

/// Prints what a command has to say. Whoever has read enough of it and goes is no error: the rest is not
/// wanted.
///
/// # Errors
/// The output takes it not.
pub(crate) fn print(text: impl Display) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match write!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Prints the completion script for a shell.
///
/// # Errors
/// The output's.
pub(crate) fn completions(shell: clap_complete::Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "sagentd", &mut script);
    print(String::from_utf8_lossy(&script))
}

/// Writes the manual pages, of the program, its commands, and its configuration.
///
/// # Errors
/// They cannot be written.
pub(crate) fn man(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Options::command(), folder)?;
    std::fs::write(folder.join("sagentd.toml.5"), configuration_page())
}

/// The example as a manual page: what stands in comments explains what stands below them.
fn configuration_page() -> String {
    let example: String = EXAMPLE
        .lines()
        .map(|line| {
            let line = line.replace('\\', "\\e").replace('-', "\\-");
            // A line that begins with a dot or a quote would be a request to the formatter.
            if line.starts_with(['.', '\'']) { format!("\\&{line}\n") } else { format!("{line}\n") }
        })
        .collect();
    format!(
        ".TH sagentd.toml 5\n.SH NAME\nsagentd.toml \\- configuration of sagentd(1)\n.SH DESCRIPTION\n\
         The file with all its entries. Those that stand in comments show their defaults, or an example. \
         sagentd \\-\\-check says what is wrong with a file.\n.SH ENTRIES\n.nf\n{example}.fi\n\
         .SH SEE ALSO\n.BR sagentd (1)\n"
    )
}
