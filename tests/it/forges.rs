//! The same stories on every forge, over real HTTP: webhooks in, the forge's API out.

mod doors;
mod forgejo;
mod github;
mod gitlab;
mod hostile;
mod missed;
mod pagure;
pub(crate) mod postbox;
mod relayed;
mod stage;
mod stories;
