//! A host that does nothing but rehearse; the tests of this crate start it.

fn main() {
    s_preflight::run_if_child();
    eprintln!("this program is started by the tests of s-preflight");
    std::process::exit(2);
}
