//! Stand-ins for the systems outside, with memory and over real HTTP: the demo and the tests use
//! the same.

pub mod forgejo;
pub mod freedesktop;
pub mod gitlab;
pub mod chat;
pub mod github;
pub mod jenkins;
pub mod lava;
pub mod mail;
pub mod mails;
pub mod mattermost;
pub mod pagure;
pub mod patchew;
pub mod patchwork;
pub mod repositories;
pub mod slack;
pub mod tracker;

mod serve;
