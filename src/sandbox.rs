//! Stand-ins for the systems outside, with memory and over real HTTP: the demo and the tests use
//! the same.

pub mod forgejo;
pub mod gitlab;
pub mod jenkins;
pub mod pagure;

mod serve;
