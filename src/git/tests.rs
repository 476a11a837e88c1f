//! The git stage against real git, with bare repositories in temporary folders.

mod apply;
pub(crate) mod land;
mod process;
mod push;
mod search;
pub(crate) mod world;
