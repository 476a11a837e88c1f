//! Stand-ins for the systems outside, with memory and over real HTTP: the demo and the tests use
//! the same.

pub mod github;
pub mod jenkins;
pub mod pagure;

mod serve;
