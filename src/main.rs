//! The `diarch` program.

fn main() {}
