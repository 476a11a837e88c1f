//! The program `pointsman`.

fn main() {}
