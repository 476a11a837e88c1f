//! The git stage against real git, with bare repositories in temporary folders.

mod process;
pub(crate) mod world;
