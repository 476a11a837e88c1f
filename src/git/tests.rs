//! The git stage against real git, with bare repositories in temporary folders.

mod apply;
mod process;
pub(crate) mod world;
