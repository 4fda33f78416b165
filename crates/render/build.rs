//! Words and templates are embedded at compile time; a new file among them must rebuild the crate.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=words");
    // A debug build reads templates from disk when it starts, so editing one needs no rebuild.
    if std::env::var_os("CARGO_CFG_DEBUG_ASSERTIONS").is_none() {
        println!("cargo::rerun-if-changed=../../templates");
    }
}
