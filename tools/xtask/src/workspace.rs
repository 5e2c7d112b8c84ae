//! The workspace as cargo sees it: where it is, which crates are ours, what they depend on.
//!
//! It never resolves versions and never needs the network.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::steps::{Failure, Step};

/// Root, target directory and our own crates.
#[derive(Clone)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target_dir: PathBuf,
    pub(crate) crates: Vec<Crate>,
}

/// One of our own crates.
#[derive(Clone)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Its folder, from the root: `swap-manager/package`.
    pub(crate) folder: String,
    /// Whether it builds a shared object that can be swapped in.
    is_module: bool,
    /// Folders of our own crates that it depends on.
    pub(crate) depends_on: Vec<Edge>,
}

/// A dependency of one of our crates on another.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) folder: String,
    /// Only tests, examples and benchmarks see it.
    pub(crate) for_tests: bool,
}

impl Crate {
    /// The file that cargo writes for a shared object.
    pub(crate) fn library_file(&self) -> String {
        format!("lib{}.so", self.name.replace('-', "_"))
    }
}

impl Workspace {
    /// Asks cargo, from wherever the caller stands: the root is two folders above this package.
    pub(crate) fn find() -> Result<Workspace, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let metadata = metadata(&manifest, &["--no-deps"])?;
        Workspace::from_metadata(&metadata)
            .ok_or_else(|| Failure::Workspace("cargo metadata lacks an expected field".to_owned()))
    }

    fn from_metadata(metadata: &Value) -> Option<Workspace> {
        let root = PathBuf::from(metadata["workspace_root"].as_str()?);
        let folder = |path: &Path| -> Option<String> {
            Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned())
        };
        let mut crates = Vec::new();
        for package in metadata["packages"].as_array()? {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let folder_of_crate = folder(manifest.parent()?)?;
            let builds_shared_object = package["targets"].as_array()?.iter().any(|target| {
                let has = |key: &str, word: &str| {
                    let words = target[key].as_array();
                    words.is_some_and(|words| words.iter().any(|w| w == word))
                };
                has("crate_types", "cdylib") && !has("kind", "example")
            });
            let ours = package["dependencies"].as_array()?.iter();
            let depends_on = ours
                .filter_map(|dependency| {
                    Some(Edge {
                        folder: folder(Path::new(dependency["path"].as_str()?))?,
                        for_tests: dependency["kind"] == "dev",
                    })
                })
                .collect();
            crates.push(Crate {
                name: package["name"].as_str()?.to_owned(),
                is_module: builds_shared_object && folder_of_crate.starts_with("smodules/"),
                folder: folder_of_crate,
                depends_on,
            });
        }
        Some(Workspace {
            target_dir: PathBuf::from(metadata["target_directory"].as_str()?),
            root,
            crates,
        })
    }

    /// Crates under smodules/ that build a shared object.
    pub(crate) fn modules(&self) -> Vec<&Crate> {
        self.crates.iter().filter(|c| c.is_module).collect()
    }

    /// A step that runs cargo at the root.
    pub(crate) fn cargo(&self, name: &str) -> Step {
        Step::child(name, "cargo", self.root.clone())
    }
}

/// What `cargo metadata` says about the workspace of `manifest`.
pub(crate) fn metadata(manifest: &Path, options: &[&str]) -> Result<Value, Failure> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .args(options)
        .output()
        .map_err(|error| Failure::Missing(format!("cargo cannot be started: {error}")))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Workspace(stderr.trim().to_owned()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| Failure::Workspace(error.to_string()))
}

/// The triple of this machine, as rustc spells it.
pub(crate) fn host() -> Result<String, Failure> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| Failure::Missing(format!("rustc cannot be started: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::Workspace("`rustc -vV` names no host".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_and_its_modules() {
        let workspace = Workspace::find().expect("tests run inside the workspace");
        let this = workspace.crates.iter().find(|c| c.name == "xtask");
        assert_eq!(this.expect("this crate").folder, "tools/xtask");
        let modules = workspace.modules();
        assert!(modules.iter().any(|m| m.name == "template"));
        assert!(modules.iter().all(|m| m.folder.starts_with("smodules/")));
    }
}
