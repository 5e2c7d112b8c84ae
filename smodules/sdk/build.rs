//! Records which compiler and target a module was built by, so that its descriptor can say so.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let toolchain = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_default();
    println!("cargo:rustc-env=S_MODULE_TARGET={target}");
    println!("cargo:rustc-env=S_MODULE_TOOLCHAIN={}", toolchain.trim());
}
