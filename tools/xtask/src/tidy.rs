//! The tree's own form: what a reviewer would otherwise say twice.
//!
//! It reads files and changes none, and knows Rust only well enough to tell code from comments and
//! strings. Invariant: every complaint names a file, a line where there is one, and the rule.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::{Crate, Workspace};

/// The only folders whose code may say `unsafe`, and why each must.
const UNSAFE_ROOMS: &[(&str, &str)] = &[
    ("smodules/sdk/", "the shims on both sides of the boundary"),
    ("smodules/sdk-macros/", "writes those shims"),
    ("swap-manager/loader/", "dlopen, memfd, interposed symbols"),
    ("swap-manager/preflight/", "confines itself before a load"),
    (
        "swap-manager/proxy/src/gate_models.rs",
        "the model checker's cell, whose guard is what it checks",
    ),
    ("agent/daemon/src/batch.rs", "recvmmsg and sendmmsg, which take pointers"),
    ("tests/fixtures/", "modules that misbehave on purpose"),
    ("agent/daemon/tests/live/modules/", "the same for a running agent"),
];

/// Folders that any Rust daemon can use: nothing in them knows what SNMP is.
const GENERAL: &[&str] = &["swap-manager/", "smodules/sdk/", "smodules/sdk-macros/"];

/// Parts of words, and whole words, that only an SNMP engine says.
const SNMP_PARTS: &[&str] = &["snmp", "vacm", "varbind", "rfc341", "rfc 341", "scopedpdu"];
const SNMP_WORDS: &[&str] = &["usm", "pdu", "pdus", "mib", "mibs"];

/// What a crate may depend on: the first row whose folder fits decides. A tail of `/` means every
/// crate below, without it that crate alone. Crates of one folder may use each other where the row
/// says so; cargo itself refuses cycles.
const EDGES: &[(&str, &[&str])] = &[
    ("smodules/sdk-macros", &[]),
    ("smodules/sdk", &["smodules/sdk-macros"]),
    ("agent/wire", &[]),
    ("agent/roles", &["smodules/sdk", "agent/wire"]),
    ("smodules/template-role", &["smodules/sdk"]),
    ("smodules/template", &["smodules/sdk", "smodules/template-role"]),
    ("smodules/template-next", &["smodules/sdk", "smodules/template-role"]),
    // Successors are compiled with what they share with the version before them.
    (
        "smodules/successors/",
        &[
            "smodules/sdk",
            "agent/roles",
            "agent/wire",
            "smodules/auth-hmac",
            "smodules/kernel-net",
            "smodules/message-v3-model",
            "smodules/mib-kit",
            "smodules/scratch",
            "smodules/successors/",
        ],
    ),
    // What several modules of a kind share.
    (
        "smodules/",
        &[
            "smodules/sdk",
            "agent/roles",
            "agent/wire",
            "smodules/auth-hmac",
            "smodules/kernel-host",
            "smodules/kernel-net",
            "smodules/message-community",
            "smodules/message-v3-model",
            "smodules/mib-kit",
            "smodules/scratch",
        ],
    ),
    ("swap-manager/", &["smodules/sdk", "swap-manager/"]),
    ("agent/engine", &["smodules/sdk", "agent/wire", "agent/roles", "swap-manager/"]),
    ("agent/daemon", &["smodules/", "agent/", "swap-manager/", "interop"]),
    ("interop", &[]),
    ("tools/", &["smodules/", "agent/", "swap-manager/"]),
    ("tests", &["smodules/", "agent/", "swap-manager/", "tests", "tests/"]),
];

/// Macros and attributes that mean "not finished" or "not looked at".
const LEFTOVERS: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Paths that exist on one machine only. Spelt in pieces, so that this file may hold them.
const MACHINE_PATHS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

/// Never read: version control, build output, inputs of the fuzzer.
const SKIPPED: &[&str] = &[".git", "target", "artifacts", "corpus"];

pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let mut complaints = Vec::new();
    let files =
        files_under(&workspace.root).map_err(|error| format!("cannot list files: {error}"))?;
    for path in &files {
        // A file that is not text has no lines to judge.
        let Ok(text) = fs::read_to_string(workspace.root.join(path)) else {
            continue;
        };
        complaints.extend(judge_file(path, &text));
    }
    for ours in &workspace.crates {
        complaints.extend(judge_edges(ours));
    }
    let manifest = fs::read_to_string(workspace.root.join("Cargo.toml"))
        .map_err(|error| format!("Cargo.toml cannot be read: {error}"))?;
    complaints.extend(judge_members(&manifest));

    for complaint in &complaints {
        println!("{complaint}");
    }
    println!("xtask: tidy read {} files and {} crates", files.len(), workspace.crates.len());
    match complaints.len() {
        0 => Ok(()),
        count => Err(format!("{count} complaints about the tree's form")),
    }
}

/// All files below `root`, as paths from it, in a stable order.
fn files_under(root: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = folder.join(&name);
            if entry.file_type()?.is_dir() {
                if !SKIPPED.iter().any(|skipped| name == *skipped) {
                    folders.push(path);
                }
            } else if let Some(path) = path.to_str() {
                found.push(path.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn judge_file(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain =
        |line: usize, what: String| complaints.push(format!("{path}:{line}: {what}"));

    let is_general = GENERAL.iter().any(|folder| path.starts_with(folder));
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(found) = MACHINE_PATHS.iter().find(|found| names_path(line, found)) {
            complain(number, format!("`{found}…` exists on one machine only"));
        }
        if is_general && let Some(word) = snmp_word(line) {
            complain(number, format!("`{word}`: nothing SNMP-specific may live here"));
        }
    }
    if !path.ends_with(".rs") {
        return complaints;
    }

    let code = code_only(text);
    let may_be_unsafe = UNSAFE_ROOMS.iter().any(|(room, _)| path.starts_with(room));
    let mut complain =
        |line: usize, what: String| complaints.push(format!("{path}:{line}: {what}"));
    for (number, line) in (1..).zip(code.lines()) {
        let forbids_it = line == "#![forbid(unsafe_code)]";
        let says_unsafe =
            !forbids_it && words(line).any(|word| word == "unsafe" || word == "unsafe_code");
        if says_unsafe && !may_be_unsafe {
            let rooms: Vec<&str> = UNSAFE_ROOMS.iter().map(|(room, _)| *room).collect();
            complain(number, format!("`unsafe` may stand only in {}", rooms.join(", ")));
        }
        let compact: String = line.split_whitespace().collect();
        if let Some(leftover) = LEFTOVERS.iter().find(|l| compact.contains(*l)) {
            complain(number, format!("`{leftover}` is not finished work"));
        }
    }
    let is_source = path.contains("/src/") || path.starts_with("src/");
    if is_source && !opens_with_purpose(text) {
        complain(1, "the first lines must say what this file is (`//!`)".to_owned());
    }
    complaints
}

/// Whether `line` holds `path` as the beginning of an absolute path, not inside a longer one.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/~}>)".contains(c))
    })
}

fn snmp_word(line: &str) -> Option<&'static str> {
    // A mebibyte is not a management information base.
    let lower = line.replace("MiB", "").to_lowercase();
    let part = SNMP_PARTS.iter().find(|part| lower.contains(*part));
    let whole = || {
        SNMP_WORDS
            .iter()
            .find(|snmp| lower.split(|c: char| !c.is_alphanumeric()).any(|w| w == **snmp))
    };
    part.or_else(whole).copied()
}

/// Identifiers and numbers of a line of code.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether the file begins with inner documentation; inner attributes may stand before it.
fn opens_with_purpose(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("#!["))
        .is_some_and(|line| line.starts_with("//!"))
}

/// The text with comments and the contents of strings blanked; lines keep their numbers.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (skipped, kept) = match c {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (block_comment(rest), false),
            '"' => (string(rest), false),
            'r' | 'b' | 'c' if !ends_in_word(&code) && raw_string(rest).is_some() => {
                (raw_string(rest).unwrap_or(1), false)
            }
            '\'' => match character(rest) {
                Some(length) => (length, false),
                // A lifetime or a label.
                None => (1, true),
            },
            _ => (c.len_utf8(), true),
        };
        let (piece, remainder) = rest.split_at(skipped);
        if kept {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|c| if c == '\n' { c } else { ' ' }));
        }
        rest = remainder;
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    let last = code.chars().next_back();
    last.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Length of the comment at the beginning; they nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest.starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            match rest.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return at,
            }
        }
    }
}

/// Length of the string at the beginning, its quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string at the beginning, such as `br#"…"#`, if there is one.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let after = after.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&closing).map(|at| at + closing.len());
    Some(text.len() - body.len() + end.unwrap_or(body.len()))
}

/// Length of the character literal at the beginning; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first != '\\' {
        let (at, quote) = chars.next()?;
        return (quote == '\'' && first != '\'').then_some(at + 1);
    }
    chars.next()?;
    let (at, _) = chars.find(|(_, c)| *c == '\'')?;
    Some(at + 1)
}

/// Dependencies of one crate that go against the order of the layout.
fn judge_edges(ours: &Crate) -> Vec<String> {
    let fits = |folder: &str, pattern: &&str| {
        folder == *pattern || (pattern.ends_with('/') && folder.starts_with(pattern))
    };
    let row = EDGES
        .iter()
        .find(|(pattern, _)| fits(&ours.folder, pattern) || is_below(&ours.folder, pattern));
    let Some((_, allowed)) = row else {
        return vec![format!("{}: no row of tidy's EDGES says what it may depend on", ours.folder)];
    };
    let depends_on = ours.depends_on.iter();
    depends_on
        .filter(|edge| {
            if edge.for_tests {
                // Tests may look sideways and down, never at the programs above everything.
                edge.folder.starts_with("tools/")
            } else {
                !allowed.iter().any(|pattern| fits(&edge.folder, pattern))
            }
        })
        .map(|edge| {
            format!(
                "{}/Cargo.toml: must not depend on {}: dependencies go one way",
                ours.folder, edge.folder
            )
        })
        .collect()
}

fn is_below(folder: &str, pattern: &str) -> bool {
    folder.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('/'))
}

/// Members of the workspace without a comment. A member whose folder continues the name of the one
/// above it (`sdk`, `sdk-macros`) shares that one's comment.
fn judge_members(manifest: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut commented, mut above) = (false, "");
    let members = (1..)
        .zip(manifest.lines().map(str::trim))
        .skip_while(|(_, line)| *line != "members = [")
        .skip(1)
        .take_while(|(_, line)| *line != "]");
    for (number, line) in members {
        if line.starts_with('#') {
            commented = true;
            continue;
        }
        let member = line.trim_end_matches(',').trim_matches('"');
        let shares = !above.is_empty() && member.starts_with(above);
        if !commented && !shares {
            complaints.push(format!(
                "Cargo.toml:{number}: member {member} needs a comment saying what it is"
            ));
        }
        (commented, above) = (false, member);
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Edge;

    /// The complaints about a file, without their places.
    fn complaints(path: &str, text: &str) -> usize {
        judge_file(path, text).len()
    }

    #[test]
    fn unsafe_is_found_in_code_and_only_there() {
        let purpose = "//! What this is.\n";
        let bad = format!("{purpose}fn f() {{ unsafe {{ g() }} }}\n");
        assert_eq!(complaints("swap-manager/proxy/src/lib.rs", &bad), 1);
        assert_eq!(complaints("swap-manager/loader/src/lib.rs", &bad), 0);
        let allow = format!("{purpose}#[allow(unsafe_code)]\nfn f() {{}}\n");
        assert_eq!(complaints("tools/x/src/main.rs", &allow), 1);
        let forbid = format!("#![forbid(unsafe_code)]\n{purpose}fn f() {{}}\n");
        assert_eq!(complaints("tools/x/src/main.rs", &forbid), 0);
        let words =
            format!("{purpose}// unsafe\n/* unsafe /* */ unsafe */ const S: &str = \"unsafe\";\n");
        assert_eq!(complaints("tools/x/src/main.rs", &words), 0);
    }

    #[test]
    fn code_is_told_from_strings_characters_and_lifetimes() {
        assert_eq!(code_only(r##"a(r#"x " y"#, 'z')"##).replace(' ', ""), "a(,)");
        assert_eq!(code_only(r#"f('"', b)"#).replace(' ', ""), "f(,b)");
        assert_eq!(code_only(r"f('\'', b)").replace(' ', ""), "f(,b)");
        assert_eq!(code_only("fn f<'a>(x: &'a u8)"), "fn f<'a>(x: &'a u8)");
        assert_eq!(code_only(r#""\"" unsafe"#).trim(), "unsafe");
        assert_eq!(code_only("for r in x {}"), "for r in x {}");
        assert_eq!(code_only("a\n\"b\nc\"\nd").lines().count(), 4);
    }

    #[test]
    fn leftovers_are_found() {
        let purpose = "//! What this is.\n";
        for leftover in ["todo!()", "dbg!(1)", "unimplemented !()", "#[ignore = \"x\"]"] {
            let text = format!("{purpose}{leftover}\n");
            assert_eq!(complaints("tests/src/lib.rs", &text), 1, "{leftover}");
        }
    }

    #[test]
    fn general_folders_do_not_say_snmp() {
        let says = |text: &str| complaints("swap-manager/control/notes.md", text);
        assert_eq!(says("answers an SNMP request"), 1);
        assert_eq!(says("security.usm"), 1);
        assert_eq!(says("submits what it assumes"), 0);
        assert_eq!(says("at most 16 MiB"), 0);
        assert_eq!(says("a MIB of 16 MiB"), 1);
        assert_eq!(complaints("agent/roles/notes.md", "SNMP"), 0);
    }

    #[test]
    fn sources_open_with_their_purpose() {
        assert_eq!(complaints("tools/x/src/main.rs", "fn main() {}\n"), 1);
        assert_eq!(complaints("tools/x/src/main.rs", "#![no_main]\n//! A.\n"), 0);
        assert_eq!(complaints("tests/examples/x.rs", "fn main() {}\n"), 0);
    }

    #[test]
    fn machine_paths_are_found_only_at_their_beginning() {
        let home = MACHINE_PATHS[2];
        assert_eq!(complaints("a.md", &format!("see {home}me")), 1);
        assert_eq!(complaints("a.md", &format!("see there{home}me")), 0);
    }

    #[test]
    fn edges_go_one_way() {
        let edges = |from: &str, to: &str, for_tests: bool| {
            let workspace = Workspace::find().expect("tests run inside the workspace");
            let mut ours = workspace.crates[0].clone();
            ours.folder = from.to_owned();
            ours.depends_on = vec![Edge { folder: to.to_owned(), for_tests }];
            judge_edges(&ours).len()
        };
        assert_eq!(edges("smodules/sdk", "smodules/sdk-macros", false), 0);
        assert_eq!(edges("smodules/sdk-macros", "smodules/sdk", false), 1);
        assert_eq!(edges("smodules/sdk-macros", "smodules/sdk", true), 0);
        assert_eq!(edges("agent/roles", "smodules/sdk", false), 0);
        assert_eq!(edges("swap-manager/proxy", "agent/roles", false), 1);
        assert_eq!(edges("smodules/template", "swap-manager/proxy", false), 1);
        assert_eq!(edges("swap-manager/control", "swap-manager/proxy", false), 0);
        assert_eq!(edges("tools/demo", "swap-manager/control", false), 0);
        assert_eq!(edges("tests", "tools/demo", true), 1);
        assert_eq!(edges("tests/simulation", "tests", false), 0);
        assert_eq!(edges("swap-manager/control", "tests", false), 1);
        assert_eq!(edges("somewhere", "smodules/sdk", false), 1);
    }

    #[test]
    fn members_need_a_comment() {
        let members = "members = [\n# A.\n\"a/x\",\n\"a/x-macros\",\n\"b\",\n]\n";
        let complaints = judge_members(members);
        assert_eq!(complaints, ["Cargo.toml:5: member b needs a comment saying what it is"]);
    }
}
