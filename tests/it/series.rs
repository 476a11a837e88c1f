//! Patch series from the list to the verdict: real git, and stand-ins for all others, over HTTP.

mod based;
mod blamed;
mod posted;
mod revised;
pub(crate) mod town;
