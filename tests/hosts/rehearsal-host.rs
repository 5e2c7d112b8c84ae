//! A host that only rehearses: the executable that scenarios start for preflight.

fn main() {
    s_preflight::run_if_child();
    eprintln!("this program only rehearses modules for the scenarios of s-tests");
    std::process::exit(2);
}
