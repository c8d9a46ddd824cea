//! The `berth` program: arguments, runtime, exit code.

fn main() {}
