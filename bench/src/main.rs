//! The bench: measures in turn what Homestretch does and the floor beneath it, and prints ratios.

fn main() {}
