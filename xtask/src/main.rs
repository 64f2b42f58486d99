//! The tool shed.
fn main() {}
