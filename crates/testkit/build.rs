//! The template database is named after the migrations, so a new migration file has to rebuild this crate.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
