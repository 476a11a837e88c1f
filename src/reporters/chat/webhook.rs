//! An incoming webhook: an address that takes a message and tells nothing.
//!
//! Whoever knows the address can post, so it is a secret: it is in no error, no log and no
//! `Debug`.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use crate::clock::Clock;
use crate::remote::{Answer, Failure, Remote};
use crate::secret::SecretRef;

/// A webhook that can be posted to.
#[derive(Debug)]
pub(in crate::reporters) struct Webhook {
    /// Knows the host, and nothing of the path.
    remote: Remote,
    address: SecretString,
}

impl Webhook {
    /// Reads the address.
    pub(in crate::reporters) fn read(
        reference: &SecretRef,
        timeout: Duration,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let address = reference.read()?;
        let url = parse(&address)?;
        let origin = url.origin().ascii_serialization();
        let origin = Url::parse(&origin).map_err(|_error| not_an_address())?;
        let remote = Remote::new(&origin, timeout, clock).context("it cannot be called")?;
        Ok(Self { remote, address })
    }

    /// What judges its answers.
    pub(in crate::reporters) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Posts, once.
    pub(in crate::reporters) async fn post(
        &self,
        payload: &(impl Serialize + Sync),
    ) -> Result<Answer, Failure> {
        let url = parse(&self.address).map_err(Failure::give_up)?;
        self.remote.send(self.remote.request(Method::POST, url).json(payload)).await
    }
}

/// The cause would have nothing to add but parts of the secret.
fn parse(address: &SecretString) -> anyhow::Result<Url> {
    let url = Url::parse(address.expose_secret()).map_err(|_error| not_an_address())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if is_web { Ok(url) } else { Err(not_an_address()) }
}

fn not_an_address() -> anyhow::Error {
    anyhow!("what is kept there is no address of a webhook, such as `https://chat.example/hooks/…`")
}
