//! Measures the store.
fn main() {}
