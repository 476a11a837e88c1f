//! The git stage against real git, with bare repositories in temporary folders.

mod apply;
mod guard;
pub(crate) mod land;
mod included;
mod mail;
mod process;
mod push;
mod search;
pub(crate) mod world;
