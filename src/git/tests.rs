//! The git stage against real git, with bare repositories in temporary folders.

mod apply;
mod guard;
mod included;
pub(crate) mod land;
mod mail;
mod process;
mod push;
mod reach;
mod search;
mod slice;
pub(crate) mod world;
