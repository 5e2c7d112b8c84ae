//! Files to lines: sections, comments and includes, as net-snmp reads them.
//!
//! It knows no directive but the including ones. Invariants: every line that says something comes to
//! `each` exactly once, in the order in which snmpd meets it, or is told as refused; and a file never
//! includes itself without end.

use super::Section;
use super::verdict::{Line, Told, Verdict, ignored, refused};
use super::words::Words;
use std::path::{Path, PathBuf};

/// How deep files may include each other; as in net-snmp.
const DEEPEST: usize = 16;

/// No file has more: a device that never ends is none.
const LONGEST: u64 = 1 << 20;

/// What is done with a line: its section, its directive, the words behind it.
type Each<'a> = dyn FnMut(Section, &str, &mut Words<'_>) -> Told + 'a;

/// Reads a file and what it includes; answers what became of each line.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(path: &Path, lines: &mut Vec<Line>, each: &mut Each<'_>) -> Result<(), String> {
    file(path, Section::Agent, 0, lines, each)
}

fn file(
    path: &Path,
    mut section: Section,
    depth: usize,
    lines: &mut Vec<Line>,
    each: &mut Each<'_>,
) -> Result<(), String> {
    let told = |why: &str| format!("{}: {why}", path.display());
    let octets = std::fs::File::open(path).and_then(|file| {
        let mut octets = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, LONGEST + 1), &mut octets)?;
        Ok(octets)
    });
    let octets = octets.map_err(|error| told(&error.to_string()))?;
    if octets.len() as u64 > LONGEST {
        return Err(told("a configuration has at most 1 MiB: split it"));
    }
    for (at, octets) in octets.split(|octet| *octet == b'\n').enumerate() {
        let start = octets.trim_ascii_start();
        if start.is_empty() || start.starts_with(b"#") {
            continue;
        }
        let mut line = Line {
            file: path.to_owned(),
            number: at + 1,
            directive: "?".into(),
            verdict: Verdict::PLAIN,
        };
        let Ok(text) = std::str::from_utf8(octets) else {
            let why = "the line is not UTF-8: write it so, or in ASCII";
            lines.push(Line { verdict: Verdict::Refused(why.into()), ..line });
            continue;
        };
        let mut words = Words::of(text);
        let mut name = words.word().unwrap_or_default();
        let mut here = section;
        if let Some(rest) = name.strip_prefix('[') {
            match Section::named(rest) {
                Ok(other) => here = other,
                Err(verdict) => {
                    lines.push(Line { directive: name, verdict, ..line });
                    continue;
                }
            }
            // Alone it is for all lines below, otherwise for this line.
            match words.word() {
                Some(next) => name = next,
                None => {
                    section = here;
                    continue;
                }
            }
        }
        line.directive = shown(&name);
        if let Some(what) = Include::named(&name) {
            let place = lines.len();
            lines.push(line);
            let verdict = match include(what, path, here, depth, &words, lines, each) {
                Ok(note) => Verdict::Honoured(note),
                Err(verdict) => verdict,
            };
            if let Some(line) = lines.get_mut(place) {
                line.verdict = verdict;
            }
            continue;
        }
        line.verdict = match each(here, &name, &mut words) {
            Ok(note) => Verdict::Honoured(note),
            Err(verdict) => verdict,
        };
        lines.push(line);
    }
    Ok(())
}

/// A directive's name, if it looks like one: anything else may be a secret in the wrong place.
fn shown(name: &str) -> String {
    let plain =
        name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if plain { name.to_owned() } else { "?".into() }
}

#[derive(Clone, Copy)]
enum Include {
    Directory,
    File,
    /// net-snmp warns of it and goes on.
    Unclear,
}

impl Include {
    fn named(name: &str) -> Option<Self> {
        match &name.to_ascii_lowercase()[..] {
            "includedir" => Some(Include::Directory),
            "includefile" => Some(Include::File),
            "include" => Some(Include::Unclear),
            _ => None,
        }
    }
}

fn include(
    what: Include,
    from: &Path,
    section: Section,
    depth: usize,
    words: &Words<'_>,
    lines: &mut Vec<Line>,
    each: &mut Each<'_>,
) -> Told {
    let Some(rest) = words.rest() else {
        return refused("the path is missing: write it");
    };
    if depth >= DEEPEST {
        return refused("files include each other more than 16 deep: include them side by side");
    }
    let mut read = |path: &Path| file(path, section, depth + 1, lines, each);
    let path = Path::new(rest.trim_end_matches('\r'));
    match what {
        Include::Unclear => {
            ignored("snmpd warns of it and goes on; write includeFile or includeDir")
        }
        Include::File => {
            let path = from.parent().map_or_else(|| path.to_owned(), |parent| parent.join(path));
            match read(&path) {
                Ok(()) => Ok(String::new()),
                // Stricter than snmpd, which goes on: nobody knows what the file says of access.
                Err(why) => refused(format!("{why}; correct the path, or take the line away")),
            }
        }
        Include::Directory => {
            let entries = std::fs::read_dir(path);
            let Ok(entries) = entries else {
                return ignored(
                    "there is no such directory, or it cannot be read; snmpd goes on without it too",
                );
            };
            let is_meant = |path: &PathBuf| {
                let name = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
                !name.starts_with(b".") && name.len() > 5 && name.ends_with(b".conf")
            };
            let mut paths: Vec<PathBuf> =
                entries.flatten().map(|entry| entry.path()).filter(is_meant).collect();
            paths.sort();
            let failed: Vec<String> = paths.iter().filter_map(|path| read(path).err()).collect();
            if let Some(why) = failed.first() {
                return refused(format!("{why}; let the agent read it, or take it away"));
            }
            Ok(match paths.len() {
                0 | 1 => String::new(),
                _ => "files are read in the order of their names; snmpd has no order".into(),
            })
        }
    }
}
