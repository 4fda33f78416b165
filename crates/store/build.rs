//! The migrations are embedded, so a new file among them has to rebuild this crate.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
