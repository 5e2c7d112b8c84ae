//! Every conversation under `recorded` goes as it went when it was recorded.
//!
//! With `RECORD=1` in the environment the files are written instead: what has changed is then read as a
//! difference between two versions of a file.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test with a line number")]

use s_conversations::script::replay;
use std::path::Path;

#[test]
fn conversations_go_as_they_went() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded");
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "the recordings are in {}", folder.display());
    let mut differing = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let recorded = std::fs::read_to_string(&path).unwrap();
        let replayed = replay(&recorded).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        if std::env::var_os("RECORD").is_some() {
            std::fs::write(&path, replayed).unwrap();
        } else if let Some(difference) = first_difference(&recorded, &replayed) {
            differing.push(format!("{name}: {difference}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn first_difference(recorded: &str, replayed: &str) -> Option<String> {
    let pairs = recorded.lines().map(Some).chain(std::iter::repeat(None));
    let other = replayed.lines().map(Some).chain(std::iter::repeat(None));
    let (number, (was, is)) = (1..)
        .zip(pairs.zip(other))
        .take_while(|(_, pair)| *pair != (None, None))
        .find(|(_, (was, is))| was != is)?;
    let shown = |line: Option<&str>| line.unwrap_or("the end").to_owned();
    Some(format!("line {number} was\n  {}\nand is\n  {}", shown(was), shown(is)))
}
