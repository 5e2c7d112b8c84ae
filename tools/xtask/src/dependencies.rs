//! What our dependencies bring with them: sources and licences, checked without the network.
//!
//! The lists are those of deny.toml, so cargo-deny, where it is installed, judges by the same ones
//! and adds bans and advisories. It never decides an exception: those are lines in deny.toml.

use serde_json::Value;

use crate::debian::on_path;
use crate::steps::Step;
use crate::workspace::{self, Workspace, metadata};

/// The manifests whose resolved dependencies are checked: the workspace and the fuzz targets.
const MANIFESTS: &[&str] = &["Cargo.toml", "tests/fuzz/Cargo.toml"];

pub(crate) fn steps(workspace: &Workspace) -> Vec<Step> {
    let offline = workspace.clone();
    let mut steps = vec![Step::check("dependencies", "cargo xtask deny", move || check(&offline))];
    if on_path("cargo-deny") {
        steps.push(workspace.cargo("cargo-deny").args(["deny", "check"]));
    }
    steps
}

fn check(workspace: &Workspace) -> Result<(), String> {
    let deny = std::fs::read_to_string(workspace.root.join("deny.toml"))
        .map_err(|error| format!("deny.toml cannot be read: {error}"))?;
    let licenses = strings_of(&deny, "licenses", "allow");
    let registries = strings_of(&deny, "sources", "allow-registry");
    let host = workspace::host().map_err(|failure| failure.to_string())?;
    let mut complaints = Vec::new();
    for manifest in MANIFESTS {
        // Only what this platform builds, which is downloaded already once anything was built.
        let options = ["--locked", "--filter-platform", &host];
        let metadata = metadata(&workspace.root.join(manifest), &options)
            .map_err(|failure| failure.to_string())?;
        let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
        println!("xtask: {manifest}: {} packages", packages.len());
        complaints.extend(packages.iter().flat_map(|p| judge(p, &licenses, &registries)));
    }
    if !on_path("cargo-deny") {
        println!(
            "xtask: cargo-deny is not installed: bans and advisories are NOT checked; \
             `cargo install cargo-deny` adds them"
        );
    }
    complaints.sort();
    complaints.dedup();
    for complaint in &complaints {
        println!("{complaint}");
    }
    match complaints.len() {
        0 => Ok(()),
        count => Err(format!("{count} complaints about dependencies")),
    }
}

/// What is wrong with one resolved package.
fn judge(package: &Value, licenses: &[String], registries: &[String]) -> Vec<String> {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    let label = format!("{} {}", text("name"), text("version"));
    let mut complaints = Vec::new();
    // A package without a source is one of ours, found by its path.
    let source = text("source");
    let registry = source.strip_prefix("registry+").unwrap_or(source);
    if !source.is_empty() && !registries.iter().any(|allowed| allowed == registry) {
        complaints.push(format!("{label}: source {source} is not in deny.toml"));
    }
    if !License::new(text("license")).satisfies(licenses) {
        complaints
            .push(format!("{label}: licence \"{}\" is not allowed by deny.toml", text("license")));
    }
    complaints
}

/// The quoted strings of one array of deny.toml, which holds one element a line.
fn strings_of(toml: &str, table: &str, key: &str) -> Vec<String> {
    let header = format!("[{table}]");
    let opening = format!("{key} = [");
    toml.lines()
        .map(str::trim)
        .skip_while(|line| *line != header)
        .skip_while(|line| *line != opening)
        .skip(1)
        .take_while(|line| *line != "]")
        .filter_map(|line| line.strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// An SPDX expression read from left to right: `OR` of `AND` of names or parentheses.
/// An exception (`X WITH Y`) only widens what X permits, so X alone is judged.
struct License<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl<'a> License<'a> {
    fn new(expression: &'a str) -> License<'a> {
        // Old manifests write a slash for OR; parentheses may touch the names that they enclose.
        let words = expression
            .split_inclusive(['(', ')', '/', ' '])
            .flat_map(|piece| {
                let cut = piece.len() - usize::from(piece.ends_with(['(', ')', '/', ' ']));
                let (word, mark) = piece.split_at(cut);
                [word, if mark == "/" { "OR" } else { mark.trim() }]
            })
            .filter(|word| !word.is_empty())
            .collect();
        License { words, next: 0 }
    }

    /// An expression that is empty or cannot be read to its end is not allowed.
    fn satisfies(mut self, allowed: &[String]) -> bool {
        let verdict = self.any(allowed);
        verdict.unwrap_or(false) && self.next == self.words.len()
    }

    fn any(&mut self, allowed: &[String]) -> Option<bool> {
        let mut verdict = self.all(allowed)?;
        while self.take("OR") {
            verdict |= self.all(allowed)?;
        }
        Some(verdict)
    }

    fn all(&mut self, allowed: &[String]) -> Option<bool> {
        let mut verdict = self.one(allowed)?;
        while self.take("AND") {
            verdict &= self.one(allowed)?;
        }
        Some(verdict)
    }

    fn one(&mut self, allowed: &[String]) -> Option<bool> {
        if self.take("(") {
            let verdict = self.any(allowed)?;
            return self.take(")").then_some(verdict);
        }
        let name = *self.words.get(self.next)?;
        self.next += 1;
        if self.take("WITH") {
            self.next += 1;
        }
        Some(allowed.iter().any(|license| license == name))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.next) == Some(&word);
        self.next += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(expression: &str) -> bool {
        let list = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
        License::new(expression).satisfies(&list)
    }

    #[test]
    fn licences_are_judged_as_their_expressions_say() {
        assert!(allowed("MIT"));
        assert!(allowed("GPL-3.0 OR MIT"));
        assert!(allowed("MIT/Apache-2.0"));
        assert!(allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
        assert!(allowed("Apache-2.0 WITH LLVM-exception OR GPL-3.0"));
        assert!(!allowed("GPL-3.0"));
        assert!(!allowed("MIT AND GPL-3.0"));
        assert!(!allowed("(MIT OR Apache-2.0) AND GPL-3.0"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(!allowed(""));
        assert!(!allowed("(MIT"));
        assert!(!allowed("MIT Apache-2.0"));
        assert!(!allowed("MIT OR"));
    }

    #[test]
    fn lists_are_read_from_their_own_table() {
        let toml = "[a]\nallow = [\n\"x\",\n]\n[b]\nallow = [\n# why\n\"y\",\n\"z\",\n]\n\"w\"\n";
        assert_eq!(strings_of(toml, "b", "allow"), ["y", "z"]);
        assert!(strings_of(toml, "c", "allow").is_empty());
    }

    #[test]
    fn foreign_sources_are_refused() {
        let package = serde_json::json!({
            "name": "x", "version": "1.0.0", "license": "MIT",
            "source": "git+https://example.org/x",
        });
        let complaints = judge(&package, &["MIT".to_owned()], &["https://a".to_owned()]);
        assert_eq!(complaints, ["x 1.0.0: source git+https://example.org/x is not in deny.toml"]);
    }
}
