//! The binary `firstcome`.
fn main() {}
