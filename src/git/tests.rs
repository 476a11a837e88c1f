//! The git stage against real git, with bare repositories in temporary folders.

mod apply;
mod guard;
mod included;
mod mail;
mod process;
mod slice;
pub(crate) mod world;
