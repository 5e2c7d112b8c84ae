//! Tells swapctl for which target it was built: the target that it assumes code to be for.

fn main() {
    let target = std::env::var("TARGET").expect("cargo sets TARGET for every build script");
    println!("cargo:rustc-env=SWAPCTL_TARGET={target}");
    println!("cargo:rerun-if-changed=build.rs");
}
